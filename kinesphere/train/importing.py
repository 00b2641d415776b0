"""How a training set is made: what is written, what resembles what, the sheet to look at, and the report."""

from __future__ import annotations

import csv
import json
import os
import shutil
import warnings
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from kinesphere.studio.squares import Square, resized
from kinesphere.train.attributes import FACTORS_SUFFIX, PICTURE
from kinesphere.train.datasets import (
    LABELS,
    TrainingSet,
    open_set,
)
from kinesphere.train.gathering import PORTRAITS, VIDEO, Entry, Made, Plan, entries
from kinesphere.train.stores import in_order, store
from kinesphere.types import KinesphereError

WHEN = (1980, 1, 1, 0, 0, 0)  # of every file in the zip, so that the same pictures make the same bytes
SHEET = 64  # pictures on the contact sheet
SHEET_ROWS = 16  # classes on it
TILE = 64, 256  # pixels; smaller pictures are shown larger on the sheet, larger ones smaller
NEAR_BITS = 3  # of the 64 of a dHash, in which nearly the same pictures may differ
NEAR_LEVELS = 6.0  # mean difference of their thumbnails, of 255
CANDIDATES = 16  # that one picture is compared with; plain ones all share their bits

Progress = Callable[[int, int], None]  # (done, of); of is 0 where nobody knows


@dataclass
class Imported:
    """What became of a source: the report that the player reads."""

    out: Path
    size: int = 0
    channels: int = 3
    written: int = 0  # pictures in the set, mirrored ones included
    enlarged: int = 0  # of them, how many were smaller than the square
    skipped: list[tuple[str, str]] = field(default_factory=list)  # (name, reason)
    duplicates: list[tuple[str, str]] = field(default_factory=list)  # (name, same as): not one pixel differs
    near: list[tuple[str, str]] = field(default_factory=list)  # (name, nearly the same as)
    dropped: int = 0  # duplicates that were left out, on request
    classes: dict[str, int] = field(default_factory=dict)  # name -> pictures
    c_dim: int = 0
    sheet: Path | None = None  # the contact sheet
    factors: Path | None = None  # the table of what made each portrait

    def lines(self, most: int = 20) -> list[str]:
        """The report in words, a line each; long lists are cut after `most`."""
        colours = {1: "grey", 3: "RGB", 4: "RGB and alpha"}[self.channels]
        said = [f"{self.out}: {self.written} pictures, {self.size} × {self.size} px, {colours}"]
        if self.classes:
            shown = ", ".join(f"{name} {count}" for name, count in [*self.classes.items()][:most])
            said.append(f"{len(self.classes)} classes: {shown}{', ...' if len(self.classes) > most else ''}")
        elif self.c_dim:  # numbers that are no classes
            said.append(f"labels: vectors of {self.c_dim} numbers")
        if self.enlarged:
            said.append(f"{self.enlarged} enlarged: they are smaller than {self.size} px, and will look soft")
        said += _listed("skipped", [f"{name}: {reason}" for name, reason in self.skipped], most)
        what = f"duplicates, {self.dropped} of them dropped" if self.dropped else "duplicates"
        said += _listed(what, [f"{name} is the same as {same}" for name, same in self.duplicates], most)
        said += _listed("near-duplicates, kept", [f"{name} is nearly {same}" for name, same in self.near], most)
        said += [f"{what}: {path}" for what, path in (("sheet", self.sheet), ("factors", self.factors)) if path]
        return said


def _listed(what: str, lines: list[str], most: int) -> list[str]:
    if not lines:
        return []
    rest = [f"  ... and {len(lines) - most} more"] if len(lines) > most else []
    return [f"{len(lines)} {what}:", *(f"  {line}" for line in lines[:most]), *rest]


def import_set(
    source: str | Path,
    out: str | Path,
    size: int,
    fit: str = "crop",
    *,
    mirror: bool = False,
    labels: str = "auto",
    count: int | None = None,
    seed: int = 0,
    every: float | None = None,
    alpha: bool = False,
    grey: bool = False,
    background: tuple[int, int, int] = (255, 255, 255),
    drop_duplicates: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda done, of: None,
) -> Imported:
    """Make a training set in NVIDIA's layout from `source`, and a contact sheet beside it; the same bytes every time.

    `source`: a folder or zip of pictures, a video, or "portraits". `out`: a .zip, or a folder where it has no suffix.
    `size`, `fit`, `alpha`, `grey`, `background`: see squares.Square and squares.FITS.
    `mirror` adds each picture's mirror image after it. `labels` is one of LABELLING or, for portraits, a factor that has
    classes. `count` is how many pictures are taken: of files a choice drawn from `seed`, of a video spread over its
    length, of portraits the first of the stream `seed`. `every` is the time between pictures of a video in seconds
    (default 1; 0 takes every frame).
    What cannot be read is skipped and listed. Raises KinesphereError where the source is none, or has no good picture,
    or `out` is there already; then, and when interrupted, nothing is left behind.
    """
    way = Square(size, fit, alpha, grey, background)
    _check(count, seed, every)
    target = Path(out).expanduser()
    if target.suffix.lower() not in ("", ".zip"):
        raise KinesphereError(f"a training set is a .zip or a folder: {str(out)!r} is neither")
    if target.exists() and (target.is_dir() or not overwrite):
        raise KinesphereError(
            f"{target} is there already: choose another name{'' if target.is_dir() else ', or say overwrite'}"
        )
    plan = Plan(way, mirror, labels, count, seed, every)
    recipe = _recipe(source, plan, drop_duplicates)
    making = _Making(Imported(target, size, way.channels), recipe, drop_duplicates)
    with _unfinished(target) as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files: what matters is in the report
        with _writer(place) as write:
            with closing(entries(source, plan)) as coming:
                for entry in coming:
                    making.add(entry, write)
                    progress(making.done, plan.expected)
                    if making.taken == count:
                        break
            making.finish(write, plan.class_names)
        made = open_set(place)
        making.report.c_dim = made.c_dim
        extras = _extras(target, made, making)
        os.replace(place, target)
        for unfinished, beside in extras:
            os.replace(unfinished, beside)
    return making.report


def prepared(
    source: str | Path,
    beside: str | Path,
    size: int | None = None,
    progress: Progress = lambda done, of: None,
    **how: Any,
) -> tuple[TrainingSet, Imported | None]:
    """The training set that `source` is; where it is something else, one made of it in the folder `beside` (dataset.zip).

    What was made there before from the same source in the same way is taken again, so that a run goes on without its
    source. The report is None where nothing was made. `how` goes to `import_set`.
    """
    kept = Path(beside) / "dataset.zip"
    ready = open_set(source, size) if source != PORTRAITS and is_set(source) else None
    if ready and not how:
        return ready, None
    if size is None:
        if ready is None:
            raise KinesphereError(f"the pictures of {str(source)!r} have no one size: choose one, such as size 256")
        size = ready.resolution
    if kept.is_file():
        there = open_set(kept)
        plain = _recipe(source, Plan(Square(size), False, "auto", None, 0, None), False)
        if there.made == json.loads(json.dumps(plain | how)):
            return there, None
    report = import_set(source, kept, size, overwrite=True, progress=progress, **how)
    return open_set(kept), report


def is_set(path: str | Path) -> bool:
    """Whether it is a training set already: it has a `dataset.json`, and its pictures are squares of one size."""
    place = Path(path).expanduser()
    if place.suffix.lower() in VIDEO or not (place.is_dir() or zipfile.is_zipfile(place)):
        return False
    files = store(place)
    if LABELS not in files.names:
        return False
    try:
        TrainingSet(files)
    except KinesphereError:
        return False
    return True


def _check(count: int | None, seed: int, every: float | None) -> None:
    if count is not None and count < 1:
        raise KinesphereError(f"count {count} is no number of pictures: it is 1 or more")
    if not 0 <= seed < 2**32:
        raise KinesphereError(f"seed {seed} is out of range: 0 to {2**32 - 1}")
    if every is not None and not 0 <= every < 1e6:
        raise KinesphereError(f"every {every} is no time between pictures: seconds, such as 0.5; 0 takes every frame")


def _recipe(source: str | Path, plan: Plan, drop_duplicates: bool) -> dict[str, Any]:
    """How a set is made, as its `dataset.json` tells; the source by its name alone, for its path is nobody's business."""
    how = {name: getattr(plan, name) for name in ("mirror", "labels", "count", "seed", "every")}
    return {
        "source": Path(source).expanduser().resolve().name,
        **asdict(plan.way),
        **how,
        "drop_duplicates": drop_duplicates,
    }


# What is written ------------------------------------------------------------------------------------------------------

Write = Callable[[str, bytes], None]


class _Making:
    """The set as it grows: names, labels, twins and the report."""

    def __init__(self, report: Imported, recipe: dict[str, Any], drop: bool) -> None:
        self.report, self.recipe, self.drop = report, recipe, drop
        self.taken = 0  # pictures of the source that are in the set
        self.done = 0  # pictures of the source that were looked at
        self.labels: list[tuple[str, Any]] = []
        self.factors: list[tuple[str, dict[str, Any]]] = []
        self._same: dict[bytes, str] = {}
        self._near = _Near()

    def add(self, entry: Entry, write: Write) -> None:
        self.done += 1
        if entry.made is None:
            self.report.skipped.append((entry.name, entry.reason))
            return
        if self._is_unwanted_twin(entry, entry.made):
            self.report.dropped += 1
            return
        self.taken += 1
        self.report.enlarged += entry.made.enlarged * len(entry.made.pngs)
        for i, data in enumerate(entry.made.pngs):
            name = f"{self.report.written // 1000:05d}/img{self.report.written:08d}.png"
            write(name, data)
            self.report.written += 1
            self.labels.append((name, entry.label))
            if entry.factors:
                self.factors.append((name, entry.factors[i]))

    def finish(self, write: Write, own_names: list[str]) -> None:
        """Write the labels; `own_names` are what the source calls its class numbers."""
        report = self.report
        report.skipped.sort(key=lambda pair: in_order(pair[0]))
        if not report.written:
            why = "; ".join(f"{name}: {reason}" for name, reason in report.skipped[:5])
            raise KinesphereError(f"there is no good picture in {self.recipe['source']}{f' ({why})' if why else ''}")
        labels, names = _numbered(self.labels, own_names)
        if labels and isinstance(labels[0][1], int):
            counts = Counter(number for _, number in labels)
            called = dict(enumerate(names)) or {number: f"class {number}" for number in sorted(counts)}
            report.classes = {name: counts[number] for number, name in called.items()}
        notes: dict[str, Any] = {"labels": labels}
        if names:
            notes["class_names"] = names
        write(LABELS, json.dumps(notes | {"kinesphere": self.recipe}).encode())

    def _is_unwanted_twin(self, entry: Entry, made: Made) -> bool:
        same = self._same.setdefault(made.digest, entry.name)
        if same != entry.name:
            self.report.duplicates.append((entry.name, same))
            return self.drop
        near = self._near.seen(entry.name, made.thumb) if entry.seeks_twins else None
        if near:
            self.report.near.append((entry.name, near))
        return False


def _numbered(labels: list[tuple[str, Any]], own_names: list[str]) -> tuple[list[list[Any]] | None, list[str]]:
    """Labels as `dataset.json` has them, and the names of the classes where they have names."""
    if any(label is None for _, label in labels):
        return None, []
    if not isinstance(labels[0][1], str):
        return [list(pair) for pair in labels], own_names
    names = sorted({label for _, label in labels}, key=in_order)
    numbers = {name: number for number, name in enumerate(names)}
    return [[name, numbers[label]] for name, label in labels], names


class _Near:
    """Finds pictures that are nearly the same: the same dHash but for a few bits, and the same thumbnail but for a little."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, int, np.ndarray]] = []
        self._bands: dict[tuple[int, int], list[int]] = defaultdict(list)

    def seen(self, name: str, thumb: np.ndarray) -> str | None:
        """The name of an earlier picture that `thumb` [8, 9, 3] uint8 is nearly the same as."""
        grey = thumb.astype(np.int32).sum(2)
        bits = int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")
        # of 64 bits in four bands, three that differ leave one band whole
        bands = [(band, bits >> 16 * band & 0xFFFF) for band in range(4)]
        candidates = {number for band in bands for number in self._bands[band][-CANDIDATES:]}
        for band in bands:
            self._bands[band].append(len(self._kept))
        self._kept.append((name, bits, thumb))
        for number in sorted(candidates):
            other, other_bits, other_thumb = self._kept[number]
            if (bits ^ other_bits).bit_count() <= NEAR_BITS:
                if np.abs(thumb.astype(np.int32) - other_thumb).mean() <= NEAR_LEVELS:
                    return other
        return None


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A name beside `target` to write to; whatever is still there at the end, interrupted or not, is taken away."""
    target.parent.mkdir(parents=True, exist_ok=True)
    place = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield place
    except OSError as error:
        raise KinesphereError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        for left in [place, *(unfinished for unfinished, _ in _beside(target).values())]:
            if left.is_dir():
                shutil.rmtree(left)
            left.unlink(missing_ok=True)


def _beside(target: Path) -> dict[Literal["sheet", "factors"], tuple[Path, Path]]:
    """What else is made: (its unfinished name, its name)."""
    names: dict[Literal["sheet", "factors"], str] = {
        "sheet": f"{target.stem}-sheet.png",
        "factors": f"{target.stem}{FACTORS_SUFFIX}",
    }
    return {
        what: (target.with_name(f".{os.getpid()}.part-{name}"), target.with_name(name)) for what, name in names.items()
    }


@contextmanager
def _writer(place: Path) -> Iterator[Write]:
    if not place.name.lower().endswith(f".zip.{os.getpid()}.part"):

        def into_folder(name: str, data: bytes) -> None:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)

        yield into_folder
        return
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:

        def into_zip(name: str, data: bytes) -> None:
            info = zipfile.ZipInfo(name, WHEN)
            info.create_system = 3  # the same on every machine
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)

        yield into_zip


def _extras(target: Path, made: TrainingSet, making: _Making) -> list[tuple[Path, Path]]:
    """The contact sheet and the table of factors, written under their unfinished names: (unfinished, name) of each."""

    beside = _beside(target)
    unfinished, making.report.sheet = beside["sheet"]
    with unfinished.open("wb") as file:
        Image.fromarray(contact_sheet(made)).save(file, "PNG")
    made_too = [beside["sheet"]]
    if making.factors:
        unfinished, making.report.factors = beside["factors"]
        write_factors(unfinished, making.factors)
        made_too.append(beside["factors"])
    return made_too


def write_factors(path: Path, factors: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """A CSV table: the name of each picture in the set, its number, and the factors that made it."""
    from kinesphere.train.portraits import table

    header, *rows = table([row for _, row in factors])
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([PICTURE, *header])
        lines.writerows([name, *row] for (name, _), row in zip(factors, rows, strict=True))


def contact_sheet(pictures: TrainingSet) -> np.ndarray:
    """[H, W, 3] uint8: 64 pictures evenly from the whole set; where it has classes, a row or more for each of the first 16."""
    from kinesphere.studio import sheets

    if pictures.labels is None or not pictures.class_names:
        chosen = _evenly(np.arange(len(pictures)), SHEET)
        columns = max(1, int(np.ceil(np.sqrt(len(chosen)))))
        return sheets.grid([_tile(pictures, i) for i in chosen], columns)
    classes = pictures.labels.argmax(1)
    shown = [pair for pair in enumerate(pictures.class_names) if (classes == pair[0]).any()][:SHEET_ROWS]
    columns = min(8, SHEET // len(shown), int(np.bincount(classes).max()))
    tiles, titles = [], []
    for number, name in shown:
        row = [_tile(pictures, i) for i in _evenly(np.flatnonzero(classes == number), columns)]
        tiles += row + [np.full_like(row[0], sheets.PAPER)] * (columns - len(row))
        titles.append(name[:40])
    return sheets.grid(tiles, columns, row_titles=titles)


def _evenly(indices: np.ndarray, count: int) -> list[int]:
    return [int(indices[i * len(indices) // count]) for i in range(count)] if len(indices) > count else indices.tolist()


def _tile(pictures: TrainingSet, index: int) -> np.ndarray:
    """One picture for the sheet, [H, W, 3]; what is transparent shows grey."""
    pixels = pictures.read(index).transpose(1, 2, 0)
    image = Image.fromarray(pixels.squeeze(2) if pictures.channels == 1 else pixels)
    if image.mode == "RGBA":
        page = Image.new("RGB", image.size, (128, 128, 128))
        page.paste(image, mask=image.getchannel("A"))
        image = page
    side, (smallest, largest) = image.width, TILE
    if side > largest:
        image = resized(image, (largest, largest))
    elif side < smallest:
        times = -(-smallest // side)
        image = image.resize((side * times, side * times), Image.Resampling.NEAREST)
    return np.asarray(image.convert("RGB"))
