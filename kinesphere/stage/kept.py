"""What a player kept: latents, each with its picture, and directions; folders of the library whose files say what they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from kinesphere import files
from kinesphere.stage.library import PLAIN, Absent, Library
from kinesphere.stage.pictures import jpeg, sized
from kinesphere.studio import lineage
from kinesphere.studio.directions import Direction
from kinesphere.studio.directions import files as directions
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

T = TypeVar("T")

MOST = 500  # files of a shelf
THUMBNAIL = 256  # pixels of a side
SHELF, ENDING = "latents", ".safetensors"


class Shelf(Generic[T]):
    """The files of one folder of a library, by their plain names, and what is known of each.

    Everything that writes raises KinesphereError where the disk refuses.
    """

    def __init__(self, library: Library, shelf: str, ending: str, about: Callable[[Path], T]) -> None:
        self.library, self.shelf, self.ending, self.about = library, shelf, ending, about
        self._known: dict[
            str, tuple[tuple[int, int], T]
        ] = {}  # by name: size and time of what was read, and what it is

    @property
    def names(self) -> list[str]:
        return self.library.names(self.shelf)

    def path(self, name: str) -> Path:
        """Raises Absent where there is none."""
        return self.library.existing(self.shelf, name, self.ending)

    def claimed(self, name: str) -> Path:
        """Where a new file of this name is to be. Raises KinesphereError for a name that is taken, and where there are too many."""
        path, names = self.library.path(self.shelf, name, self.ending), self.names
        if path.exists() or name.lower() in map(str.lower, names):
            raise KinesphereError(f"there is a {name!r} already: choose another name, or delete that one first")
        if len(names) >= MOST:
            raise KinesphereError(f"{MOST} are kept already: delete one first")
        return path

    def free(self, stem: str) -> str:
        """A name that nothing has: `stem`, or with a number after it."""
        return free(stem, self.names)

    def known(self, name: str) -> T | str:
        """What a file is, read once for as long as nobody writes to it; or in words why it cannot be read."""
        path = self.library.path(self.shelf, name, self.ending)
        try:
            now = path.stat()
            written = (now.st_size, now.st_mtime_ns)
            known = self._known.get(name)
            if known is None or known[0] != written:
                known = self._known[name] = written, self.about(path)
            return known[1]
        except (OSError, KinesphereError) as error:
            return f"cannot be read: {str(error)[:200]}"

    def forget(self, name: str) -> None:
        self.library.forget(self.shelf, name)


def plainly(words: str, otherwise: str) -> str:
    """Words as the name of a file or of a part of a patch: what cannot be in one is a space; `otherwise` where nothing is left."""
    return " ".join(re.sub(r"[^\w ,()+-]", " ", words).split()).lstrip("_,()+- ")[:60].rstrip() or otherwise


def free(stem: str, names: Collection[str]) -> str:
    """`stem`, or with a number after it where one of `names` is called so."""
    taken = {*map(str.lower, names)}
    return next(name for n in range(1, 10_000) if (name := stem if n == 1 else f"{stem} {n}").lower() not in taken)


# Latents ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What pages are told of a kept latent, without its numbers."""

    words: str  # where it came from
    parents: list[str]  # the names of those that it was mixed of
    model: Fingerprint
    exact: bool  # whether it has noise or weights of its own

    @classmethod
    def of(cls, path: Path) -> Known:
        place = Latent.load(path)
        exact = bool(place.noise or place.tuning)
        return cls(lineage.words(place.origin), lineage.parents(place.origin), place.model, exact)


class KeptLatents(Shelf[Known]):
    """The latents of a library."""

    def __init__(self, library: Library) -> None:
        super().__init__(library, SHELF, ENDING, Known.of)

    def add(self, name: str, place: Latent, picture: np.ndarray) -> str:
        """Keep a latent and its picture [H, W, 3] uint8; its name. Raises KinesphereError for a name that is taken."""
        name = " ".join(name.split())
        path = self.claimed(name)
        try:
            files.replace(self._picture(name), lambda path: path.write_bytes(jpeg(sized(picture, THUMBNAIL), 0.9)))
        except OSError as error:
            raise KinesphereError(f"{name!r} cannot be kept: {files.reason(error)}") from None
        lineage.named(place, name).save(path)
        return name

    def holding(self, stem: str, place: Latent) -> str | None:
        """Which of those whose names begin with `stem` is this latent, of the same model and class; None: none of them."""
        names = (name for name in self.names if name.startswith(stem))
        return next((name for name in names if self._is(name, place)), None)

    def _is(self, name: str, place: Latent) -> bool:
        try:
            kept = self.load(name)
        except KinesphereError:
            return False  # it is damaged: whatever it was
        alike = (kept.model, kept.class_index, kept.space) == (place.model, place.class_index, place.space)
        return alike and not (kept.noise or kept.tuning) and torch.equal(kept.data, place.data)

    def load(self, name: str) -> Latent:
        """Raises Absent where there is none, KinesphereError where it is damaged."""
        return Latent.load(self.path(name))

    def picture(self, name: str) -> Path:
        """Its picture, a JPEG. Raises Absent where there is none: it was put there by hand."""
        path = self._picture(name)
        if not path.is_file():
            raise Absent(f"no picture of {name!r} was kept")
        return path

    def forget(self, name: str) -> None:
        super().forget(name)
        self._picture(name).unlink(missing_ok=True)

    def _picture(self, name: str) -> Path:
        return self.library.path(SHELF, name, ".jpg")

    def said(self, told: Fingerprint) -> list[dict[str, Any]]:
        """Every one with what is known of it, as plain data; `told` is the model that plays."""
        return [{"name": name, "place": place_of(name)} | self._said(name, told) for name in self.names]

    def _said(self, name: str, told: Fingerprint) -> dict[str, Any]:
        known = self.known(name)
        if isinstance(known, str):
            return {"words": known, "parents": [], "fits": False, "exact": False, "pictured": False}
        of = known.model
        return {
            "words": known.words,
            "parents": known.parents,
            "fits": not of.whole or of.whole == told.whole or of.mapping == told.mapping,
            "exact": known.exact,
            "pictured": self._picture(name).is_file(),
        }


def place_of(name: str) -> str:
    """What a patch calls a kept latent: its names hold no dot."""
    return name.replace(".", " ").strip()[:64]


# Directions -------------------------------------------------------------------------------------------------------------


class KeptDirections(Shelf[list[Direction]]):
    """The directions of a library: each has a file, whose name stays when it is called otherwise, so that patches find it."""

    def __init__(self, library: Library) -> None:
        super().__init__(library, "directions", directions.ENDING, directions.read)

    def add(self, name: str, one: Direction) -> str:
        """Keep a direction; what it is asked for by. Raises KinesphereError for a name that is taken, or cannot be one."""
        name = " ".join(name.split())
        directions.write(self.claimed(name), [one.named(name)])
        return f"{name}{self.ending}"

    def put(self, of: str, one: Direction) -> None:
        """Another direction in the place of one that was kept."""
        name, which = self._parted(of)
        path = self.path(name)
        found = directions.read(path)
        before = directions.picked(found, path.name, which)
        directions.write(path, [one if other is before else other for other in found])

    def load(self, of: str) -> Direction:
        """Raises Absent where there is no such file, KinesphereError where it is damaged or does not hold the one that is meant."""
        name, which = self._parted(of)
        path, known = self.path(name), self.known(name)
        if isinstance(known, str):
            raise KinesphereError(f"{name} {known}")
        return directions.picked(known, path.name, which)

    def holds(self, of: str) -> bool:
        """Whether there is such a one that can be read."""
        try:
            self.load(of)
        except KinesphereError:
            return False
        return True

    def _parted(self, of: str) -> tuple[str, str]:
        """A file's plain name, and which of its directions is meant."""
        file, which = directions.parted(of)
        name = file.removesuffix(self.ending)
        if not PLAIN.fullmatch(name) or not file.endswith(self.ending):
            raise Absent(f"no direction {of[:80]!r} in the library")
        return name, which

    def all(self) -> Iterator[tuple[str, Direction | str]]:
        """What each is asked for by, "Melancholy.safetensors", or of a file of several "people.safetensors#2", and it.

        In its place, of a file that cannot be read, why in words.
        """
        for name in self.names:
            file, known = f"{name}{self.ending}", self.known(name)
            if isinstance(known, str):
                yield file, known
                continue
            for i, one in enumerate(known):
                yield (file if len(known) == 1 else f"{file}#{i + 1}"), one
