"""Numbers that go on: a performer's own range, smoothing, and what is said while nothing is seen."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from kinesphere.features.smoothing import follow

LOST = ("hold", "rest", "none")
TURN = 2 * math.pi


class Continuity:
    """From what is measured in each picture, NaN where it is not known, to what the feature says. Exact for any rate of pictures.

    lost: "hold" keeps the last value, "rest" goes to the rest in the time constant `fade` (seconds), "none" says NaN. smoothing:
    time constant in seconds; an angle, one of `circular`, goes the short way round. range: from a name to its smallest and
    largest for this performer, which become the `ranges` that routes begin with. The last of the names is presence itself, 0 to
    1: it comes and goes in `fade`.
    """

    def __init__(
        self,
        names: Sequence[str],
        circular: Collection[str],
        ranges: Mapping[str, tuple[float, float]],
        rest: Mapping[str, float],
        range: Mapping[str, tuple[float, float]],
        lost: str,
        fade: float,
        smoothing: float,
    ) -> None:
        self.lost, self.fade, self.smoothing = lost, fade, smoothing
        self.circular = np.array([name in circular for name in names[:-1]], bool)
        self.rest = np.array([rest.get(name, 0.0) for name in names[:-1]])
        self.scale, self.shift = own_range(names[:-1], ranges, range)
        self.value = np.full(len(names) - 1, math.nan)  # what is to be followed; angles count their turns
        self.smooth = self.value
        self.presence = self.present = 0.0
        self.t: float | None = None

    def __call__(self, measured: np.ndarray, t: float) -> np.ndarray:
        """[k] for a picture at `t` seconds, from [k]."""
        dt = 0.0 if self.t is None else max(t - self.t, 0.0)
        numbers, present = measured[:-1] * self.scale + self.shift, float(measured[-1])
        before = self.value
        self.value = self._next(numbers, dt)
        begins = np.isnan(before)  # nothing was known: there is nothing to come from
        followed = follow(self.smooth, before, self.value, dt, self.smoothing)
        self.smooth = np.where(begins, self.value, followed)
        if self.t is None:
            self.presence = present
        else:
            self.presence = float(
                follow(np.array(self.presence), np.array(self.present), np.array(present), dt, self.fade)
            )
        self.t, self.present = t, present
        said = np.where(self.circular, _turned_back(self.smooth), self.smooth)
        if self.lost == "none":
            said = np.where(np.isnan(numbers), math.nan, said)
        return np.append(said, self.presence)

    def _next(self, numbers: np.ndarray, dt: float) -> np.ndarray:
        """What is known now, or what stands for it; an angle on the turn that is nearest to where it was."""
        known = ~np.isnan(numbers)
        near = np.where(self.circular & ~np.isnan(self.value), self.value + _turned_back(numbers - self.value), numbers)
        return np.where(known, near, self._missing(dt))

    def _missing(self, dt: float) -> np.ndarray:
        if self.lost == "none":
            return np.full_like(self.value, math.nan)
        if self.lost == "hold":
            return self.value
        away = np.where(self.circular, _turned_back(self.value - self.rest), self.value - self.rest)
        keep = math.exp(-dt / self.fade) if self.fade else 0.0
        returned = self.value - away * (1 - keep)
        return np.where(np.isnan(self.value), self.rest, returned)


def _turned_back(angles: np.ndarray) -> np.ndarray:
    """The same angles between -pi and pi."""
    return angles - TURN * np.round(angles / TURN)


def own_range(
    names: Sequence[str], ranges: Mapping[str, tuple[float, float]], own: Mapping[str, tuple[float, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """scale and shift [k] that take a performer's own range of each number to the one that routes begin with."""
    scale, shift = np.ones(len(names)), np.zeros(len(names))
    for i, name in enumerate(names):
        if name in own:
            (low, high), (least, most) = own[name], ranges[name]
            scale[i] = (most - least) / (high - low)
            shift[i] = least - low * scale[i]
    return scale, shift
