"""Directions as an instrument moves along them: what each is on its model, how far it goes now, and where it stops."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from kinesphere.models import Generator
from kinesphere.patch import Along
from kinesphere.places import fingerprint
from kinesphere.studio.directions import FURTHEST, STOP, Axis, files, known
from kinesphere.types import KinesphereError


class Sought(NamedTuple):
    """What a patch asks of a model: the same again is the same axis."""

    of: str
    rows: str
    label: int

    @classmethod
    def by(cls, name: str, along: Along, label: int) -> Sought:
        """What a direction of a patch, by its name there, asks of a model that draws the class `label`."""
        return cls(along.of or name, along.rows, label)


@dataclass(frozen=True, eq=False)
class Found:
    """An axis that a model has, and which writing of its file it is of."""

    axis: Axis
    written: tuple[int, int] | None = None  # when, and how many bytes; None: it is of no file

    @classmethod
    def of(cls, G: Generator, sought: Sought, before: Found | None = None) -> Found:
        """What is sought. `before`: what it was before; where its file still holds it, or is gone since, that goes on.

        Raises KinesphereError where there is no such direction, or not of `G`.
        """
        now = written(sought.of)
        if before is not None and now in (None, before.written):
            return before
        told = fingerprint(G)
        direction = known.find(G, sought.of, told, sought.label, sought.rows)
        return cls(Axis.of(G, direction, sought.rows, sought.label, told), now)


def written(of: str) -> tuple[int, int] | None:
    """When the file of a direction was written, and its bytes; None where it is of none, or that is not there."""
    if not files.is_file(of):
        return None
    try:
        now = Path(files.parted(of)[0]).expanduser().stat()
    except (OSError, ValueError, RuntimeError):  # it is gone, or no file can be called so, or nobody has that folder
        return None
    return now.st_mtime_ns, now.st_size


def lacking(G: Generator, name: str, along: Along, label: int) -> str:
    """Why a model cannot be moved along a direction, with the way out; "" where it can."""
    try:
        check(along, Found.of(G, Sought.by(name, along, label)).axis)
    except KinesphereError as error:
        return str(error)
    return ""


def check(along: Along, axis: Axis) -> None:
    """Raise KinesphereError where a latent cannot be set along an axis."""
    if along.set and axis.direction.space == "s":
        raise KinesphereError("set: what moves styles can only be added to them: leave set out")


def held(along: Along, amount: float) -> float:
    """An amount, no farther than the map of the model reaches, or where that may be left no farther than anybody goes."""
    end = FURTHEST if along.free else STOP
    return min(max(amount, -end), end)


class Slide(NamedTuple):
    """How far the latent is moved along a direction."""

    name: str  # in the patch
    axis: Axis
    amount: float  # standard deviations
    set: bool  # to the amount; otherwise by it

    @property
    def space(self) -> str:
        return self.axis.direction.space


def z_along(z: Tensor, slides: Iterable[Slide]) -> Tensor:
    """`z` [1, z_dim] after those slides, one after the other, that are of Z."""
    return _along(z, slides, ("z",))


def ws_along(ws: Tensor, slides: Iterable[Slide]) -> Tensor:
    """`ws` [1, num_ws, w_dim] after those slides, one after the other, that are of W or W+."""
    return _along(ws, slides, ("w", "w+"))


def _along(place: Tensor, slides: Iterable[Slide], spaces: tuple[str, ...]) -> Tensor:
    for _, axis, amount, placed in (slide for slide in slides if slide.space in spaces):
        place = axis.placed(place, amount) if placed else axis.moved(place, amount)
    return place
