"""Which rows carry an edit: what each does when it is moved alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.studio.albums import most_together
from kinesphere.studio.directions.axis import Axis
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.measures import Measure, along
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.perceptual import distance
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

FAR = 2.0  # standard deviations, both ways, that are moved to see what changes
SHARE = 0.9  # of the whole that the rows which are told carry


@dataclass(frozen=True)
class Importance:
    """What each row of a direction does alone, per standard deviation: to the picture, or to a number of it."""

    first: int  # row of `ws` that `alone` begins with
    alone: Tensor  # [rows], 0 or more
    together: float  # all rows at once
    share: float  # of the sum over rows, at least, that `carrying` carry
    carried: float  # those rows at once

    @property
    def shares(self) -> Tensor:
        """[rows], of their sum."""
        return self.alone / self.alone.sum().clamp_min(1e-30)

    @property
    def carrying(self) -> str:
        """The fewest neighbouring rows that have `share` of the sum, as `rows_of` reads them: "0-3"."""
        return _named(_fewest(self.shares, self.share), self.first)

    @property
    def words(self) -> str:
        part = 100 * self.carried / max(self.together, 1e-30)
        return f"rows {self.carrying} carry it: moved alone they do {part:.0f} % of what all rows do"


def importance(
    G: Generator,
    direction: Direction,
    measure: Measure | None = None,
    seeds: Sequence[int] = range(8),
    class_index: int = 0,
    share: float = SHARE,
    told: Fingerprint | None = None,
) -> Importance:
    """Of a direction of W or W+, over the pictures of `seeds`.

    measure  what counts is by how much this number changes, up or down; else how far apart the pictures are (`effect`)
    Raises KinesphereError for a direction of Z or S, a share that is none, and as `Axis.of`.
    """
    if direction.space not in ("w", "w+"):
        raise KinesphereError(
            f"a direction of {direction.space.upper()} has no rows of W to be moved alone: give one of W or W+"
        )
    if not 0 < share <= 1:
        raise KinesphereError(f"share {share:g}: give a part of the whole, above 0 and up to 1")
    axis, ws = Axis.of(G, direction, "", class_index, told), seeds_to_ws(G, seeds, class_index)

    def done(some: slice) -> float:
        part = replace(
            axis, rows=slice(axis.rows.start + some.start, axis.rows.start + some.stop), step=axis.step[some]
        )
        return effect(G, part, ws) if measure is None else abs(shift(G, part, ws, measure))

    alone = torch.tensor([done(slice(i, i + 1)) for i in range(len(axis.step))])
    rows = _fewest(alone / alone.sum().clamp_min(1e-30), share)
    return Importance(axis.rows.start, alone, done(slice(0, len(alone))), share, done(rows))


def rows_alone(direction: Direction, found: Importance) -> list[Direction]:
    """The direction in all rows, in those that carry it, and in each row alone, for `strips.sheet`."""
    each = [
        replace(direction, rows=str(found.first + i), name=f"row {found.first + i}: {100 * share:.0f} %")
        for i, share in enumerate(found.shares.tolist())
    ]
    carrying = replace(direction, rows=found.carrying, name=f"rows {found.carrying}")
    return [direction.named(f"{direction.name}, all"), carrying, *each]


def effect(G: Generator, axis: Axis, ws: Tensor, far: float = FAR) -> float:
    """How much pictures change along an axis, per standard deviation: the mean `perceptual.distance` between both ends, over 2 far.

    ws [N, num_ws, w_dim], where they are; both ends are `far` standard deviations from there. Not of Z.
    """
    apart = [distance(low, high) for low, high in zip(*(_moved(G, axis, ws, end) for end in (-far, far)), strict=True)]
    return float(torch.cat(apart).mean()) / (2 * far)


def shift(G: Generator, axis: Axis, ws: Tensor, measure: Measure, far: float = FAR) -> float:
    """By how much a number of the pictures rises along an axis, per standard deviation: the mean between both ends, over 2 far."""
    return along(G, axis, measure, ws, (-far, far)).change(0, far) / (2 * far)


def _moved(G: Generator, axis: Axis, ws: Tensor, amount: float) -> Iterator[Tensor]:
    """Pictures [N, C, H, W] of ws after `amount`, a few at a time."""
    of_s = axis.direction.space == "s"
    moved, bending = (ws, axis.styled(G, amount)) if of_s else (axis.moved(ws, amount), {})
    for part in moved.split(most_together(G.img_resolution)):
        with torch.no_grad(), bent(G, bending):
            img = G.synthesis(part, noise_mode="const")
        yield img


def _fewest(shares: Tensor, share: float) -> slice:
    """The fewest neighbouring entries that add up to `share` of 1; of several such the one with most."""
    sums = torch.cat([shares.new_zeros(1), shares.cumsum(0)])
    for length in range(1, len(shares) + 1):
        inside = sums[length:] - sums[:-length]
        if inside.max() >= share - 1e-6:
            start = int(inside.argmax())
            return slice(start, start + length)
    return slice(0, len(shares))


def _named(rows: slice, first: int) -> str:
    low, high = first + rows.start, first + rows.stop - 1
    return str(low) if low == high else f"{low}-{high}"
