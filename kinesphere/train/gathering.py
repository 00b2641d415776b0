"""Pictures taken from any source, one after the other, each made into a square: a folder, a zip, a video, portraits."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import signal
import threading
import zipfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import takewhile
from multiprocessing import get_context, parent_process
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio.squares import Square, decoded
from kinesphere.train.datasets import LABELS, class_names, is_picture, label_table, read_notes
from kinesphere.train.stores import Store, Unreadable, store
from kinesphere.types import KinesphereError

PORTRAITS = "portraits"
PORTRAITS_COUNT = 10_000  # of an endless stream, where no count is given
LABELLING = {
    "auto": "from dataset.json where there is one, else from the sub-folders where every picture lies in one",
    "folders": "the sub-folder that a picture lies in",
    "json": "dataset.json, as NVIDIA's tool writes it",
    "none": "no labels",
}
VIDEO = frozenset(".mp4 .mov .mkv .webm .avi .m4v .mpg .mpeg .ts .mts .ogv .wmv .flv .3gp".split())
EVERY = 1.0  # seconds between the pictures taken from a video
PACKED = 1  # zlib's level; at 256 px 90 kB in 4.7 ms, where 4 gives 81 kB in 9.3 ms and 0, 196 kB in 2.6 ms
PARALLEL = 500  # portraits from which on it pays to start processes
PIECE = 50  # portraits that one of them draws at a time

log = logging.getLogger(__name__)

Entries = Generator["Entry", None, None]


@dataclass
class Plan:
    """What is asked of a source, as in `importing.import_set`; and what is found out about it on the way."""

    way: Square
    mirror: bool
    labels: str
    count: int | None
    seed: int
    every: float | None
    expected: int = 0  # pictures that will come; found while reading the source, as are
    class_names: list[str] = field(default_factory=list)  # the source's own, where its labels are numbers


@dataclass(frozen=True)
class Made:
    """A picture, ready to be written; made in a worker, so it carries no more than it must."""

    pngs: tuple[bytes, ...]  # the picture, and its mirror image where that was asked for
    digest: bytes
    thumb: np.ndarray  # [8, 9, 3] uint8
    enlarged: bool


@dataclass(frozen=True)
class Entry:
    """A picture of the source, or the reason why it is none."""

    name: str
    made: Made | None
    reason: str = ""  # why there is none
    label: str | int | list[float] | None = None
    factors: tuple[dict[str, Any], ...] = ()  # of a portrait, and of its mirror image
    seeks_twins: bool = True  # False: frames of a film resemble each other, and so do portraits at small sizes


def entries(source: str | Path, plan: Plan) -> Entries:
    """The pictures of any source, made into squares, in their order."""
    if source == PORTRAITS:
        return _portraits(plan)
    place = Path(source).expanduser()
    if plan.labels not in LABELLING:
        raise KinesphereError(f"labels {plan.labels!r} are not known: they are {', '.join(LABELLING)}")
    if place.is_dir() or zipfile.is_zipfile(place) or place.suffix.lower() == ".zip":
        return _files(store(place), plan)
    if not place.is_file():
        raise KinesphereError(f"there is no folder, zip or video {str(source)!r}, and it is not the word {PORTRAITS}")
    if place.suffix.lower() in SUFFIXES:
        raise KinesphereError(f"{str(source)!r} is a single picture: give the folder that it is in")
    return _film(place, plan)


def made_of(image: Image.Image, way: Square, mirror: bool = False) -> Made:
    """An RGB or RGBA picture as a square, packed."""
    pixels, enlarged = way(image)
    colours = Image.fromarray(pixels.squeeze(2) if way.grey else pixels)
    shapes = (pixels, pixels[:, ::-1]) if mirror else (pixels,)
    thumb = np.asarray(colours.convert("RGB").resize((9, 8), Image.Resampling.BOX))
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
    return Made(tuple(png(shape) for shape in shapes), digest, thumb, enlarged)


def png(pixels: np.ndarray) -> bytes:
    """[H, W, C] uint8 as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)).save(
        buffer, "PNG", compress_level=PACKED
    )
    return buffer.getvalue()


# A folder or zip of pictures ------------------------------------------------------------------------------------------


def _files(files: Store, plan: Plan) -> Entries:
    suffixed = [name for name in files.names if PurePosixPath(name).suffix.lower() in SUFFIXES]
    names = [name for name in suffixed if is_picture(name)]
    refused = files.refused + [(name, "hidden") for name in suffixed if not is_picture(name)]
    labels = _labels_of(files, names, plan)
    if labels:
        why = "it lies in no sub-folder, so it has no class" if plan.labels == "folders" else f"no label in {LABELS}"
        refused += [(name, why) for name in names if name not in labels]
        names = [name for name in names if name in labels]
    if plan.count is not None and plan.count < len(names):
        names = [names[i] for i in np.random.RandomState(plan.seed).permutation(len(names))]
    plan.expected = len(refused) + min(len(names), plan.count or len(names))
    for name, why in refused:
        yield Entry(name, None, why)

    def make(name: str) -> Entry:
        try:
            made = made_of(decoded(files.read(name)), plan.way, plan.mirror)
        except Unreadable as error:
            return Entry(name, None, str(error))
        return Entry(name, made, label=labels.get(name))

    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:  # Pillow lets go of the interpreter while it decodes and resizes
        yield from _ahead(pool, make, names, 2 * workers)


def _labels_of(files: Store, names: list[str], plan: Plan) -> dict[str, Any]:
    """The label of each picture that has one; {} for a set without. Notes in the plan what class numbers are called."""
    labels = plan.labels
    if labels == "none":
        return {}
    if labels in ("auto", "json"):
        notes = read_notes(files)
        table = label_table(notes, files.path)
        if table:
            plan.class_names = class_names(notes)
            return dict(table)
        if labels == "json":
            raise KinesphereError(f"no labels in {LABELS} of {files.path}: choose others, such as folders")
    base = _shared_folder(names)
    found = {name: name[len(base) :].split("/")[0] for name in names if "/" in name[len(base) :]}
    if labels == "folders":
        if not found:
            raise KinesphereError(
                f"there are no sub-folders in {files.path} to take labels from: put each class in its own"
            )
        return found
    if len(found) < len(names) or len(set(found.values())) < 2 or all(_is_shelf(label) for label in found.values()):
        return {}
    return found


def _shared_folder(names: list[str]) -> str:
    """The folder that all of them lie in, as in most zips, with its /; the classes are the folders below it."""
    folders = [name.split("/")[:-1] for name in names]
    if not folders or min(folders) == max(folders):
        return ""
    shared = [a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(folders), max(folders), strict=False))]
    return "/".join([*shared, ""]) if shared else ""


def _is_shelf(folder: str) -> bool:
    """Whether a sub-folder is called 00000, 01000 ...: there to keep folders short, as in FFHQ, and no class."""
    return folder.isdecimal() and len(folder) >= 5


def _ahead(pool: Executor, make: Callable[[Any], Any], jobs: Iterable[Any], depth: int) -> Iterator[Any]:
    """make(job) in the order of `jobs`, at most `depth` of them ahead of what is taken."""
    running: deque[Future] = deque()
    try:
        for job in jobs:
            running.append(pool.submit(make, job))
            if len(running) >= depth:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


# A video --------------------------------------------------------------------------------------------------------------


def _film(path: Path, plan: Plan) -> Entries:
    from kinesphere.sources.video import Video

    video = Video(path, loop=False)
    video.open()
    try:
        moments = _moments(video.duration, float(video.fps), video.frames, plan)
        plan.expected = len(moments)
        seen = -1.0
        for moment in moments:
            signal = video.read(moment)
            if signal is not None and signal.t > seen:
                seen = signal.t
                made = made_of(Image.fromarray(signal.value), plan.way, plan.mirror)
                yield Entry(f"{seen:.3f} s", made, seeks_twins=False)
    finally:
        video.close()


def _moments(duration: float, fps: float, frames: int, plan: Plan) -> list[float]:
    """Seconds into the video: `every` so many; with a count alone, in the middles of as many equal parts."""
    if plan.every is None and plan.count is not None:
        return [(i + 0.5) * duration / plan.count for i in range(plan.count)]
    every = EVERY if plan.every is None else plan.every
    step = max(every, 1 / fps)
    number = frames if step == 1 / fps else int(np.ceil(duration / step - 1e-9))
    return [i * step for i in range(min(number, plan.count or number))]


# Painted portraits ----------------------------------------------------------------------------------------------------


def _portraits(plan: Plan) -> Entries:
    _check_factor(plan.labels)
    plan.expected = plan.count or PORTRAITS_COUNT
    pieces = [range(i, min(i + PIECE, plan.expected)) for i in range(0, plan.expected, PIECE)]
    jobs = [(plan, piece) for piece in pieces]
    if plan.expected < PARALLEL or (os.cpu_count() or 1) < 2:
        for job in jobs:
            yield from _painted(job)
        return
    workers = os.cpu_count() or 1
    finished = 0
    try:
        with ProcessPoolExecutor(workers, get_context("spawn"), _begin_painting) as pool:
            for entries in _ahead(pool, _painted, jobs, 2 * workers):
                yield from entries
                finished += 1
    except BrokenProcessPool:  # as from a script whose beginning cannot be run a second time
        log.warning('painting in one process alone: guard your script with `if __name__ == "__main__":` to have more')
        for job in jobs[finished:]:
            yield from _painted(job)


def _begin_painting() -> None:
    """What a process does before it paints: leave Ctrl-C to the one that started it, and end when that one is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None  # only ever called in a process that was started
    parent.join()
    os._exit(1)


def _check_factor(labels: str) -> None:
    from kinesphere.train.portraits import FACTORS

    classes = [name for name, factor in FACTORS.items() if factor.kind == "class"]
    if labels not in ("auto", "none", *classes):
        raise KinesphereError(
            f"labels {labels!r} are no factor with classes: portraits have none, {', '.join(classes)}"
        )


def _painted(job: tuple[Plan, range]) -> list[Entry]:
    from kinesphere.train.portraits import Portraits, mirror_factors

    plan, numbers = job
    stream = Portraits(plan.seed, plan.way.size)
    entries = []
    for number in numbers:
        picture, factors = stream[number]
        made = made_of(Image.fromarray(picture), plan.way, plan.mirror)
        rows = (factors, mirror_factors(factors)) if plan.mirror else (factors,)
        label = None if plan.labels in ("auto", "none") else str(factors[plan.labels])
        entries.append(Entry(f"portrait {number}", made, label=label, factors=rows, seeks_twins=False))
    return entries
