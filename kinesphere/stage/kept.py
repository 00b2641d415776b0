"""Latents that a player kept: a folder of the library, each with its picture, what it is, and what it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinesphere import files
from kinesphere.stage.library import Absent, Library
from kinesphere.stage.pictures import jpeg, sized
from kinesphere.studio import lineage
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

MOST = 500  # that are kept
THUMBNAIL = 256  # pixels of a side
SHELF, ENDING = "latents", ".safetensors"


@dataclass(frozen=True)
class Known:
    """What pages are told of a kept latent, without its numbers."""

    words: str  # where it came from
    parents: list[str]  # the names of those that it was mixed of
    model: Fingerprint
    exact: bool  # whether it has noise or weights of its own


class KeptLatents:
    """The latents of a library, by their plain names. Everything that writes raises KinesphereError where the disk refuses."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._known: dict[
            tuple[str, int, int], Known | str
        ] = {}  # by name, size and time: what it is, or why it is none

    def add(self, name: str, place: Latent, picture: np.ndarray) -> str:
        """Keep a latent and its picture [H, W, 3] uint8; its name. Raises KinesphereError for a name that is taken."""
        name = " ".join(name.split())
        path = self.library.path(SHELF, name, ENDING)
        names = self.library.names(SHELF)
        if path.exists() or name.lower() in map(str.lower, names):
            raise KinesphereError(f"there is a {name!r} already: choose another name, or delete that one first")
        if len(names) >= MOST:
            raise KinesphereError(f"{MOST} are kept already: delete one first")
        try:
            files.replace(self._picture(name), lambda path: path.write_bytes(jpeg(sized(picture, THUMBNAIL), 0.9)))
        except OSError as error:
            raise KinesphereError(f"{name!r} cannot be kept: {files.reason(error)}") from None
        lineage.named(place, name).save(path)
        return name

    def free(self, stem: str) -> str:
        """A name that nothing has: `stem`, or with a number after it."""
        taken = {*map(str.lower, self.library.names(SHELF))}
        return next(name for n in range(1, 10_000) if (name := stem if n == 1 else f"{stem} {n}").lower() not in taken)

    def holding(self, stem: str, place: Latent) -> str | None:
        """Which of those whose names begin with `stem` is this latent, of the same model and class; None: none of them."""
        names = (name for name in self.library.names(SHELF) if name.startswith(stem))
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

    def path(self, name: str) -> Path:
        return self.library.existing(SHELF, name, ENDING)

    def picture(self, name: str) -> Path:
        """Its picture, a JPEG. Raises Absent where there is none: it was put there by hand."""
        path = self._picture(name)
        if not path.is_file():
            raise Absent(f"no picture of {name!r} was kept")
        return path

    def forget(self, name: str) -> None:
        self.library.forget(SHELF, name)
        self._picture(name).unlink(missing_ok=True)

    def _picture(self, name: str) -> Path:
        return self.library.path(SHELF, name, ".jpg")

    def said(self, told: Fingerprint) -> list[dict[str, Any]]:
        """Every one with what is known of it, as plain data; `told` is the model that plays."""
        return [{"name": name, "place": place_of(name)} | self._said(name, told) for name in self.library.names(SHELF)]

    def _said(self, name: str, told: Fingerprint) -> dict[str, Any]:
        known = self._about(name)
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

    def _about(self, name: str) -> Known | str:
        path = self.library.path(SHELF, name, ENDING)
        try:
            about = path.stat()
            key = (name, about.st_size, about.st_mtime_ns)
            if key not in self._known:
                place = Latent.load(path)
                exact = bool(place.noise or place.tuning)
                words, parents = lineage.words(place.origin), lineage.parents(place.origin)
                self._known[key] = Known(words, parents, place.model, exact)
            return self._known[key]
        except (OSError, KinesphereError) as error:
            return f"cannot be read: {str(error)[:200]}"


def place_of(name: str) -> str:
    """What a patch calls a kept latent: its names hold no dot."""
    return name.replace(".", " ").strip()[:64]
