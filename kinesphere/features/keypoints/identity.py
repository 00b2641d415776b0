"""Who is who from one picture to the next: figures come and go, cross and hide, and keep their places in the story."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Where:
    """What tells one figure from another: where it is, how large, and, of a hand, how surely it is a left one."""

    centre: np.ndarray  # [2], half heights
    size: float  # half heights
    left: float = 0.5  # 0 to 1


@dataclass
class Known:
    """A figure that was seen, as it is remembered."""

    number: int  # 0, 1, 2 ... in the order in which they came
    centre: np.ndarray  # [2], half heights
    size: float
    left: float  # 0 to 1, of the last half second
    velocity: np.ndarray  # [2], half heights a second
    t: float  # when it was last seen, seconds

    def expected(self, t: float) -> np.ndarray:
        """Where it should be now: it goes on as it did, and slows down."""
        return self.centre + self.velocity * Identities.COASTING * -math.expm1(
            -max(t - self.t, 0) / Identities.COASTING
        )


class Identities:
    """Gives each figure the number that it had in the picture before, by where it should be, its size and its side."""

    PATIENCE: ClassVar[float] = 1.0  # seconds that a figure is waited for
    SPEED: ClassVar[float] = 5.0  # half heights a second: a hand that is flung
    FARTHEST: ClassVar[float] = 1.2  # half heights: however long it was hidden
    COASTING: ClassVar[float] = 0.3  # seconds: how long something hidden goes on as it did
    SETTLING: ClassVar[float] = 0.5  # seconds in which the side that a hand is said to be of is believed
    AGILITY: ClassVar[float] = 0.1  # seconds that a velocity is taken over
    SIDE: ClassVar[float] = 0.5  # sizes that a hand of the other side is farther away

    def __init__(self) -> None:
        self.known: dict[int, Known] = {}
        self._came = 0

    def __call__(self, seen: Sequence[Where], t: float) -> list[int]:
        """The number of each, in the order in which they are given. `t` is the picture's time, seconds."""
        self.known = {n: known for n, known in self.known.items() if t - known.t <= self.PATIENCE}
        pairs = self._matched(list(self.known.values()), seen, t)
        for i in sorted(set(range(len(seen))) - pairs.keys(), key=lambda i: -seen[i].size):
            where = seen[i]
            self.known[self._came] = Known(self._came, where.centre, where.size, where.left, np.zeros(2), t)
            pairs[i] = self._came
            self._came += 1
        numbers = [pairs[i] for i in range(len(seen))]
        for number, where in zip(numbers, seen, strict=True):
            self._renew(self.known[number], where, t)
        return numbers

    def _matched(self, known: Sequence[Known], seen: Sequence[Where], t: float) -> dict[int, int]:
        """From the place among the seen to the number of the known one that it is: the cheapest way to pair them all."""
        if not known or not seen:
            return {}
        from scipy.optimize import linear_sum_assignment

        costs = np.array([[self._cost(one, where, t) for where in seen] for one in known])
        rows, columns = linear_sum_assignment(np.minimum(costs, NEVER))
        return {int(j): known[i].number for i, j in zip(rows, columns, strict=True) if costs[i, j] < NEVER}

    def _cost(self, known: Known, where: Where, t: float) -> float:
        """How unlikely it is that these are one, in half heights; NEVER where it cannot be."""
        gap, size = max(t - known.t, 0), max(known.size, where.size)
        away = float(np.linalg.norm(where.centre - known.expected(t)))
        other = abs(
            where.left - known.left
        )  # 0 the same side, 1 the other; a moment's mistake, unless much time went by
        if away + other * min(gap / self.COASTING, 1) > size + min(self.SPEED * gap, self.FARTHEST):
            return NEVER
        return away + size * (self.SIDE * other + 0.5 * abs(math.log(where.size / known.size)))

    def _renew(self, known: Known, where: Where, t: float) -> None:
        gap = t - known.t
        if gap > 0:
            share = -math.expm1(-gap / self.AGILITY)
            known.velocity = known.velocity + share * ((where.centre - known.centre) / gap - known.velocity)
            known.left += -math.expm1(-gap / self.SETTLING) * (where.left - known.left)
        known.centre, known.size, known.t = where.centre, where.size, t


NEVER = 1e6


class Chosen:
    """Keeps to one figure of several.

    which: "first", the one that has been there longest, or by `rank` the next longest (of those that come together the largest
    counts as first); "left" or "right", the hand of that side. What it keeps to, it leaves only when it is gone for longer than
    `Identities.PATIENCE`, or has turned out to be of the other side.
    """

    DOUBT: ClassVar[float] = 0.25  # a left hand that is less surely left than this is another one

    def __init__(self, which: str = "first", rank: int = 0) -> None:
        self.which, self.rank = which, rank
        self.identities = Identities()
        self._kept: int | None = None

    def __call__(self, seen: Sequence[Where], t: float) -> int | None:
        """The place of the one among those seen now; None where it is not to be seen."""
        numbers = self.identities(seen, t)
        known = self.identities.known
        if self.which == "first":
            self._kept = next(iter(sorted(known)[self.rank :]), None)
        elif self._kept not in known or self._side(known[self._kept]) < self.DOUBT:
            self._kept = self._of_side(list(known.values()))
        return numbers.index(self._kept) if self._kept in numbers else None

    def _side(self, known: Known) -> float:
        """How surely it is of the side that is wanted."""
        return known.left if self.which == "left" else 1 - known.left

    def _of_side(self, known: list[Known]) -> int | None:
        """The one that is most surely of that side: more likely than not if it is alone, and beside others without much doubt."""
        if not known:
            return None
        best = max(known, key=self._side)
        enough = 0.5 if len(known) == 1 else self.DOUBT
        return best.number if self._side(best) > enough else None
