"""What the features did while somebody showed something: which of them moved, and how far."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

KEPT = 1200  # steps that are remembered: 20 s at 60 a second
BEFORE = 6.0  # seconds before a gesture that show what rests
LONGEST = 8.0  # seconds that a gesture may take
SHORTEST = 3.0  # seconds before a gesture is taken as done by itself
CLEAR = 3.0  # times as much as the second one
MOVED = 2.0  # times as much as at rest


@dataclass(frozen=True)
class Gesture:
    """The number that moved most, and the range in its own unit that it went through; that of an angle may lie across its seam."""

    feature: str
    low: float
    high: float
    clear: bool  # whether nothing else moved nearly as much


class Ear:
    """Listens to every step, on the picture's thread: it keeps what it is given and computes nothing."""

    def __init__(self) -> None:
        self.heard: deque[tuple[float, Mapping[str, Any]]] = deque(maxlen=KEPT)

    def __call__(self, moment: Any, shown: Any) -> None:
        self.heard.append((moment.t, moment.features))

    @property
    def now(self) -> float:
        """Time of the last step, seconds; minus infinity before the first."""
        return self.heard[-1][0] if self.heard else -math.inf

    def numbers(self, begin: float, end: float = math.inf) -> dict[str, np.ndarray]:
        """The finite values [n] of each number from `begin` to before `end`, each value once, by what a route calls it."""
        found: dict[str, list[float]] = {}
        last: dict[str, Any] = {}
        for t, features in list(self.heard):
            for name, drawn in features.items() if begin <= t < end else ():
                if last.get(name) is not drawn:
                    for number, value in _each(name, drawn):
                        found.setdefault(number, []).append(value)
                last[name] = drawn
        return {name: np.array(values) for name, values in found.items()}

    def gesture(self, begin: float, angles: Collection[str] = ()) -> Gesture | None:
        """What moved most since `begin`; None where nothing moved more than it does at rest.

        Of `angles`, in radians, one goes on beyond a full turn: what went from 3.1 to -3.1 hardly moved.
        """
        before = _unwrapped(self.numbers(begin - BEFORE, begin), angles)
        during = _unwrapped(self.numbers(begin), angles)
        scores = sorted(((moved(before.get(name), values), name) for name, values in during.items()), reverse=True)
        if not scores or scores[0][0] < MOVED:
            return None
        score, name = scores[0]
        low, high = np.quantile(during[name], [0.05, 0.95]).tolist()
        if name in angles and high - low > 2 * math.pi:
            low, high = -math.pi, math.pi
        # The numbers of one feature move together, as a hand's angle and its place do: they are not what makes it unclear.
        others = [s for s, other in scores if other.partition(".")[0] != name.partition(".")[0]]
        return Gesture(name, low, high, not others or score > CLEAR * others[0]) if low < high else None

    def extremes(self, feature: str, begin: float, angles: Collection[str] = ()) -> tuple[float, float] | None:
        """The smallest and the largest that a number was since `begin`; None where it stood still."""
        values = _unwrapped(self.numbers(begin), angles).get(feature)
        if values is None or values.min() == values.max():
            return None
        return float(values.min()), float(values.max())


def _each(name: str, drawn: Any) -> Iterator[tuple[str, float]]:
    """The finite numbers of a feature's value; none of a latent."""
    if drawn.value.ndim:
        whole = zip([f"{name}.{number}" for number in drawn.names], drawn.value, strict=False)
    else:
        whole = zip([name], [drawn.value], strict=True)
    return ((number, float(value)) for number, value in whole if math.isfinite(value))


def _unwrapped(found: dict[str, np.ndarray], angles: Collection[str]) -> dict[str, np.ndarray]:
    """Angles go on where they would begin anew; the middle of each is within the turn -pi to pi."""
    return found | {name: _whole_turn(np.unwrap(found[name])) for name in angles if name in found}


def _whole_turn(values: np.ndarray) -> np.ndarray:
    middle = (values.min() + values.max()) / 2
    return values - 2 * math.pi * round(middle / (2 * math.pi))


def moved(before: np.ndarray | None, during: np.ndarray) -> float:
    """How much further a feature went than it goes at rest. No unit, so that an angle compares with a brightness."""
    reach = _reach(during)
    if before is not None and len(before) >= 8:
        rest = _reach(before)
    else:  # nothing to compare with: what changes from one value to the next is noise
        rest = 3 * float(np.median(np.abs(np.diff(during)))) if len(during) > 1 else math.inf
    return reach / (rest + 1e-3 * float(np.abs(during).max()) + 1e-9)


def _reach(values: np.ndarray) -> float:
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high - low)
