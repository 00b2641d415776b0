"""What the features did while somebody showed something: which of them moved, and how far."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
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
    """The feature that moved most, and the range in its own unit that it went through."""

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
        """The finite values [n] of each number feature from `begin` to before `end`, each value once."""
        found: dict[str, list[float]] = {}
        last: dict[str, Any] = {}
        for t, features in list(self.heard):
            for name, drawn in features.items() if begin <= t < end else ():
                if drawn.value.ndim == 0 and last.get(name) is not drawn and math.isfinite(drawn.value):
                    found.setdefault(name, []).append(float(drawn.value))
                last[name] = drawn
        return {name: np.array(values) for name, values in found.items()}

    def gesture(self, begin: float) -> Gesture | None:
        """What moved most since `begin`; None where nothing moved more than it does at rest."""
        before = self.numbers(begin - BEFORE, begin)
        during = self.numbers(begin)
        scores = sorted(((moved(before.get(name), values), name) for name, values in during.items()), reverse=True)
        if not scores or scores[0][0] < MOVED:
            return None
        score, name = scores[0]
        low, high = np.quantile(during[name], [0.05, 0.95]).tolist()
        return Gesture(name, low, high, len(scores) == 1 or score > CLEAR * scores[1][0]) if low < high else None

    def extremes(self, feature: str, begin: float) -> tuple[float, float] | None:
        """The smallest and the largest that a feature was since `begin`; None where it stood still."""
        values = self.numbers(begin).get(feature)
        if values is None or values.min() == values.max():
            return None
        return float(values.min()), float(values.max())


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
