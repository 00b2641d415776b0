"""Directions that can be put on the rack: of the model, of the library, and found for a picture; and how their ends look."""

from __future__ import annotations

import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch

from kinesphere import files
from kinesphere.models import Generator
from kinesphere.models.generator import BANDS
from kinesphere.models.rows import rows_of
from kinesphere.stage.kept import KeptDirections, plainly
from kinesphere.stage.library import Absent
from kinesphere.stage.pictures import jpeg, sized
from kinesphere.stage.workshop import Errand, Workshop
from kinesphere.studio.directions import Direction, known
from kinesphere.studio.directions import files as shared
from kinesphere.studio.directions.axis import check
from kinesphere.studio.directions.direction import LONGEST
from kinesphere.studio.directions.here import APART, sliders
from kinesphere.studio.directions.measures import MEASURES
from kinesphere.studio.directions.regions import Painted
from kinesphere.studio.directions.words import words
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

LARGEST = 64 * 2**20  # bytes of a file that is brought
MANY = 64  # directions of one file that are taken in
OF_A_BAND = 4  # factors of each band that are offered, beside those of all rows
HERE = re.compile(r"here([1-9])")  # what those go by that were found for a picture
PICTURES = 512  # of ends that are kept in memory: some megabytes
GROUPS = ("come", "pca", "sefa", "kept", "here")


class Offer(NamedTuple):
    """What can be put on the rack."""

    of: str  # what it is asked for by
    rows: str  # that are asked for with it; "": those that it names itself
    group: str  # a name of GROUPS
    direction: Direction | None  # None: it was not looked at yet, or cannot be read
    words: str  # how it was found, or why it cannot be read


class Directions:
    """The directions that can be put on the rack of a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.kept = KeptDirections(session.library)
        self.found: list[Direction] = []  # for a picture, the last time
        self._filed: WeakKeyDictionary[Direction, str] = WeakKeyDictionary()  # those of them that lie in a file by now
        self.looking, self.seeking = Errand(session, "directions", "rack"), Errand(session, "here", "rack")
        self.stars = _read_stars(session.library.folder / "starred.txt")
        # the workshop that was looked through, and the model's own directions by what asks for them, and rows
        self._own: tuple[Workshop, dict[tuple[str, str], Direction]] | None = None
        self._ends: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()

    def close(self) -> None:
        self.looking.close()
        self.seeking.close()

    # --- what there is --------------------------------------------------------------------------------------------------

    def look_through(self) -> None:
        """Work out what the model that plays has by itself, with deviations and shares, beside the show."""
        if self._looked() is None and not self.looking.at_work:
            self.looking.begin(self._look)

    def _look(self, workshop: Workshop) -> None:
        G, told, label = workshop.G, workshop.told, workshop.class_index
        with workshop.lock:
            self._own = workshop, {(of, rows): known.find(G, of, told, label, rows) for of, rows in own(G)}

    def _looked(self) -> Mapping[tuple[str, str], Direction] | None:
        """The model's own directions; None: it was not looked through yet."""
        return self._own[1] if self._own is not None and self._own[0] is self.session.aside.known else None

    def offers(self) -> list[Offer]:
        """Everything that can be put on the rack, in the order in which it is shown."""

        def place(one: Offer) -> tuple[int, bool]:
            return GROUPS.index(one.group), (one.of, one.rows) not in self.stars

        return sorted(self._all(), key=place)

    def _all(self) -> Iterator[Offer]:
        for one in known.shipped(self.session.aside.told):
            yield Offer(one.name, "", "come", one, words(one.found))
        looked = self._looked() or {}
        for of, rows in own(self.session.performance.engine.G):
            group, number = ("pca", of[2:]) if of.startswith("pc") else ("sefa", of[4:])
            found = looked.get((of, rows))
            said = found.found if found else {"by": group, "component": int(number)}
            yield Offer(of, rows, group, found, words(said))
        for of, kept in self.kept.all():
            if isinstance(kept, str):
                yield Offer(of, "", "kept", None, kept)
            else:
                yield Offer(of, "", "kept", kept, words(kept.found))
        for i, one in enumerate(self.found):
            yield Offer(f"here{i + 1}", "", "here", one, words(one.found))

    def find(self, workshop: Workshop, of: str, rows: str = "") -> Direction:
        """A direction by what it is asked for, of these rows. Hold the workshop's lock. Raises KinesphereError for none."""
        one = self._find(workshop, of, rows)
        return replace(one, rows=rows) if rows else one

    def _find(self, workshop: Workshop, of: str, rows: str) -> Direction:
        here = HERE.fullmatch(of)
        if here:
            return self._found(int(here[1]))
        if not shared.is_file(of):
            return known.find(workshop.G, of, workshop.told, workshop.class_index, rows)
        if (False, of) in self.session.library.trusted:  # whoever sits at this machine has typed it
            return shared.load(of, workshop.G.num_ws)
        return self.kept.load(self.short(of))

    def _found(self, number: int) -> Direction:
        if number > len(self.found):
            raise Absent(f"here{number} was not found: {len(self.found)} were, for the last picture")
        return self.found[number - 1]

    def short(self, of: str) -> str:
        """A file of the library by its name alone, as it is asked for; a patch has its whole path."""
        return of.removeprefix(f"{self.session.library.folder / self.kept.shelf}{os.path.sep}")

    # --- its ends -------------------------------------------------------------------------------------------------------

    def end(self, of: str, rows: str, amount: float, seed: int | None, most: int) -> bytes:
        """What is `amount` sigma along a direction, a JPEG: of a seed, or of the model's mean. Hundredths of a second."""

        def drawn(workshop: Workshop) -> bytes:
            one = self.find(workshop, of, rows)
            which = (one.vector.numpy().tobytes(), one.sigma, one.rows)
            key = (workshop.told, workshop.class_index, *which, amount, seed, most)
            if key not in self._ends:
                self._ends[key] = jpeg(sized(workshop.moved(one, amount, seed), most), 0.88)
                if len(self._ends) > PICTURES:
                    self._ends.popitem(last=False)
            return self._ends[key]

        return self.session.aside.do(drawn)

    # --- brought and kept -----------------------------------------------------------------------------------------------

    def bring(self, data: bytes, name: str) -> dict[str, Any]:
        """Keep the directions in a file of any kind that is shared; what they are asked for by, and how many were too many.

        Raises KinesphereError for what holds none; nothing in it is run.
        """
        stem, ending = plainly(Path(name).stem, "directions"), Path(name).suffix.lower()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{stem}{ending if ending in shared.SUFFIXES else '.none'}"
            path.write_bytes(data)
            found = shared.read(path, self.session.performance.engine.G.num_ws)
        kept = []
        for one in found[:MANY]:
            called = plainly(one.name, stem) if len(found) == 1 else f"{stem} {plainly(one.name, '')}".strip()
            kept.append(self.add(called, untaught(one)))
        return {"kept": kept, "left": len(found) - len(kept)}

    def keep(self, of: str, rows: str, name: str) -> dict[str, str]:
        """Keep any direction under a name."""
        one = self.session.aside.do(lambda workshop: self.find(workshop, of, rows))
        kept = self.kept.add(name, untaught(one))
        self.session.note("rack")
        return {"of": kept}

    def add(self, name: str, one: Direction) -> dict[str, str]:
        """Keep a direction under a name like this."""
        name = self.kept.free(name)
        of = self.kept.add(name, one)
        self.session.note("rack")
        return {"of": of, "name": name}

    def filed(self, of: str) -> str:
        """What a direction is asked for by, once it lies in a file if it was only found for a picture."""
        here = HERE.fullmatch(of)
        if here is None:
            return self.short(of)
        one = self._found(int(here[1]))
        if not self.kept.holds(self._filed.get(one, "")):
            self._filed[one] = self.add("Here", one)["of"]
        return self._filed[one]

    def star(self, of: str, rows: str, on: bool) -> dict[str, str]:
        """Show it before the others, or no longer."""
        of = self.filed(of)
        if on and (of, rows) not in {(one.of, one.rows) for one in self.offers()}:
            raise Absent(f"no direction {of[:80]!r} is offered{f' with the rows {rows}' if rows else ''}")
        others = [star for star in self.stars if star != (of, rows)]
        self._set_stars([(of, rows), *others] if on else others)
        return {"of": of}

    def _set_stars(self, stars: Sequence[tuple[str, str]]) -> None:
        lines = "".join(f"{of}\t{rows}\n" for of, rows in stars)
        files.replace(self.session.library.folder / "starred.txt", lambda path: path.write_text(lines, "utf-8"))
        self.stars = list(stars)
        self.session.note("rack")

    def rename(self, of: str, name: str) -> None:
        """Call one that was kept otherwise. Its file stays, so that every patch finds it."""
        name = " ".join(name.split())
        if not 0 < len(name) <= LONGEST or not name.isprintable() or name.isdecimal():
            raise KinesphereError(f"{name[:LONGEST]!r} is no name for a direction: give up to {LONGEST} letters")
        self.kept.put(self.short(of), self.kept.load(self.short(of)).named(name))
        self.session.note("rack")

    def forget(self, of: str) -> None:
        """Delete one that was kept, with all that are in the same file. Raises KinesphereError for one that is on the rack."""
        file = self._file(of)
        rack = self.session.performance.patch.latent.directions
        using = [name for name, along in rack.items() if self._file(along.of) == file]
        if using:
            raise KinesphereError(f"{using[0]} is on the rack: take it off first")
        self.kept.forget(file.removesuffix(self.kept.ending))
        if any(self._file(star[0]) == file for star in self.stars):
            self._set_stars([star for star in self.stars if self._file(star[0]) != file])
        self.session.note("rack")

    def _file(self, of: str) -> str:
        return shared.parted(self.short(of))[0]

    # --- found for a picture --------------------------------------------------------------------------------------------

    def seek(self, region: Painted, rows: str, apart: bool) -> None:
        """Begin to look for what changes the picture that is there now most, in a region of it; `apart`: and little else."""
        if self.seeking.at_work:
            raise KinesphereError("sliders for a picture are being sought already: wait for them")
        ws = torch.tensor(
            self.session.performance.engine.ws.cpu().numpy()
        )  # what was made for a picture learns nothing

        def sought(workshop: Workshop) -> None:
            G, label = workshop.G, workshop.class_index
            with workshop.lock:
                natural(G, label)  # it is known from now on; what takes long is drawn by a copy, while others draw here
            self.found = sliders(
                G, ws, region, rows=rows, apart=APART if apart else 0.0, class_index=label, told=workshop.told
            )

        self.seeking.begin(sought)

    # --- what is told ---------------------------------------------------------------------------------------------------

    def said(self) -> dict[str, Any]:
        patch = self.session.performance.patch
        return {
            "offered": [self._said(one) for one in self.offers()],
            "looking": self.looking.at_work,
            "here": {"seeking": self.seeking.at_work, "trouble": self.seeking.trouble},
            "measures": [*MEASURES],
            "model": f"{self.session.performance.engine.patch.model} {patch.latent.label}",
        }

    def _said(self, offer: Offer) -> dict[str, Any]:
        of, rows, group, one, words = offer
        found = {} if one is None else one.found
        scores = {name: _number(found.get(name)) for name in ("score", "error", "chance")}
        return {
            "of": of, "rows": rows, "name": one.name if one and group in ("kept", "here") else of, "words": words, "group": group,
            "sigma": None if one is None else one.sigma, **scores,
            "fits": group in ("pca", "sefa") or (one is not None and self._fits(one)),
            "starred": (of, rows) in self.stars,
        }  # fmt: skip

    def _fits(self, one: Direction) -> bool:
        try:
            check(self.session.performance.engine.G, one, self.session.aside.told)
        except KinesphereError:
            return False
        return True


def untaught(one: Direction) -> Direction:
    """A direction by itself, though it may have been kept while a word was taught."""
    return replace(one, found={key: value for key, value in one.found.items() if key != "lesson"})


def own(G: Generator) -> Iterator[tuple[str, str]]:
    """What asks for the directions that a model has by itself, and rows: components, factors of all rows and of each band."""
    for kind in ("pc", "sefa"):
        for number in range(1, min(known.OFFERED, G.w_dim) + 1):
            yield f"{kind}{number}", ""
    for band in BANDS:
        if _has(G, band):
            for number in range(1, min(OF_A_BAND, G.w_dim) + 1):
                yield f"sefa{number}", band


def _has(G: Generator, band: str) -> bool:
    try:
        rows = rows_of(G, band)
    except KinesphereError:
        return False
    return rows.start < rows.stop


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _read_stars(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [(of, rows) for of, _, rows in (line.partition("\t") for line in lines) if of]
