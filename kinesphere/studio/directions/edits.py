"""A latent after an edit: so far along some directions, and all else of it as it was, its noise and its tuning too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.studio.directions.axis import FURTHEST, STOP, Axis
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.known import find
from kinesphere.studio.latents import SPACES, Fingerprint, Latent, of_styles, styles
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

REACH = 3.0  # standard deviations: how far strips go to both sides


@dataclass(frozen=True, eq=False)
class Edit:
    """One direction, and how far along it."""

    direction: Direction
    amount: float  # standard deviations, up to FURTHEST both ways
    placed: bool = False  # the coordinate becomes `amount`, wherever it was; else `amount` is added to it

    def __post_init__(self) -> None:
        if not abs(self.amount) <= FURTHEST:
            raise KinesphereError(f"{self.amount:g} standard deviations: give {-FURTHEST:g} to {FURTHEST:g}")
        if self.placed and self.direction.space == "s":
            raise KinesphereError(
                f"the direction {self.direction.name!r} is of S: what moves styles can be added to them, not set"
            )

    def said(self) -> dict[str, Any]:
        """As plain JSON."""
        one = self.direction
        return {"direction": one.name, "amount": self.amount, "rows": one.rows, "placed": self.placed}


def asked(text: str, free: bool = False, bare: bool = False) -> tuple[str, float]:
    """ "smile=2" -> ("smile", 2.0).

    free  beyond STOP, where the model's map ends, too
    bare  "smile" alone is as far as strips go
    Raises KinesphereError for what is no number after the last =, and for one that is too far.
    """
    name, said, number = text.rpartition("=")
    if not said and bare:
        return text, REACH
    if not name:
        raise KinesphereError(f"{text}: say how far, in standard deviations, as in {text.strip('=') or 'smile'}=2")
    try:
        amount = float(number)
    except ValueError:
        raise KinesphereError(
            f"{number!r} is not how far: write NAME=AMOUNT, in standard deviations, as in smile=2"
        ) from None
    if not abs(amount) <= STOP and not free:
        raise KinesphereError(
            f"{text}: beyond {STOP:g} standard deviations is off the model's map; say --free to go there, up to {FURTHEST:g}"
        )
    return name, amount


def found(
    G: Generator, asked: Sequence[tuple[str, float]], rows: str, placed: bool, told: Fingerprint, class_index: int = 0
) -> list[Edit]:
    """What was `asked` for, as `known.find` finds it. `rows`: of all of them, "" each its own. Raises KinesphereError as that."""
    edits = []
    for name, amount in asked:
        one = find(G, name, told, class_index, rows)
        edits.append(Edit(replace(one, rows=rows) if rows else one, amount, placed))
    return edits


@torch.no_grad()
def edited(G: Generator, place: Latent, edits: Sequence[Edit], told: Fingerprint | None = None) -> Latent:
    """A latent of `G` after all edits: those of Z first, then those of W in the order given, then those of styles.

    At amounts of 0 it makes the same picture, bit for bit. It is of W, or of W+ where rows differ by now; of S after a direction
    of S. `told` spares the computing of G's fingerprint. Raises KinesphereError where the latent or a direction is not of `G`, and
    for a direction of an earlier space than the latent's.
    """
    told = told or Fingerprint.of(G)
    place.check(G, told)
    order = list(SPACES)
    for edit in sorted(edits, key=lambda edit: order.index(edit.direction.space)):
        axis = Axis.of(G, edit.direction, class_index=place.class_index, told=told)
        place = replace(_moved(G, place, axis, edit, told), origin=_origin(place, edit))
    return place


def words(G: Generator, before: Latent, after: Latent, edits: Sequence[Edit], told: Fingerprint | None = None) -> str:
    """What was done, and how far off the model's map it led."""
    done = ", ".join(f"{edit.direction.name} {'=' if edit.placed else ''}{edit.amount:+g}" for edit in edits)
    if "s" in (before.space, after.space):
        return done
    near, far = (
        float(latent.radius(place.ws(G, told), natural(G, place.class_index)).mean()) for place in (before, after)
    )
    return f"{done}; {far:.2f} from the mean (before {near:.2f}; natural latents are near 1)"


def _moved(G: Generator, place: Latent, axis: Axis, edit: Edit, told: Fingerprint) -> Latent:
    if edit.direction.space == "z":
        if place.space != "z":
            raise KinesphereError(
                f"the direction {edit.direction.name!r} is of Z, and moves seeds; this latent is of {place.space.upper()}"
            )
        return replace(place, data=_along(axis, place.data[None].to(axis.step), edit)[0].cpu())
    if edit.direction.space == "s":
        of_s = place if place.space == "s" else _of_s(G, place, told)
        return replace(of_s, data=of_s.data + edit.amount * axis.step.cpu())
    ws = _along(axis, place.ws(G, told), edit)[0].cpu()
    alike = bool((ws == ws[:1]).all())
    return replace(place, data=ws[0].clone() if alike else ws, space="w" if alike else "w+")


def _along(axis: Axis, place: Tensor, edit: Edit) -> Tensor:
    return axis.placed(place, edit.amount) if edit.placed else axis.moved(place, edit.amount)


def _of_s(G: Generator, place: Latent, told: Fingerprint) -> Latent:
    ws = place.ws(G, told)
    with bent(G, place.bending(G)):
        return of_styles(styles(G, ws), place)


def _origin(place: Latent, edit: Edit) -> dict[str, Any]:
    """Where a latent came from before its edits, and these."""
    before = dict(place.origin)
    return {**before, "edits": [*before.get("edits", []), edit.said()]}
