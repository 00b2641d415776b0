"""How a value follows another that moves, the same at any number of pictures a second."""

from __future__ import annotations

import math

import numpy as np


def follow(y: np.ndarray, before: np.ndarray, now: np.ndarray, dt: float, tau: float) -> np.ndarray:
    """One-pole low pass `tau y' = x - y`, solved exactly over `dt` seconds in which x goes straight from `before` to `now`.

    Holding x instead would make the answer depend on the number of pictures a second; the straight line does not, to
    second order. tau 0 follows at once; dt 0 leaves y where it is.
    """
    if tau == 0:
        return now
    if dt == 0:
        return y
    keep = math.exp(-dt / tau)
    lag = -math.expm1(-dt / tau) * tau / dt  # the mean of the decay over the interval
    return keep * y + now - keep * before - lag * (now - before)


class Glide:
    """Even motion from value to value, for a latent whose values come more slowly than pictures: the paths between are drawn too.

    A value is reached when the next is due. One that comes with the pictures, or after a pause, is shown at once.

    straight: whether the way between is a straight line, as in W; else it keeps the length that latents have in Z.
    """

    PAUSE = 0.5  # seconds without a value, after which there is no pace to speak of

    def __init__(self, straight: bool = False) -> None:
        self._way = _line if straight else _between
        self._goal: np.ndarray | None = None
        self._shown = self._start = np.zeros(0)
        self._came = self._every = self._beat = self._last = 0.0

    def __call__(self, value: np.ndarray, t: float) -> np.ndarray:
        """What to show at time `t`, where `value` is the newest: itself, or what lies between what was shown and it."""
        beat = t - self._last
        if value is not self._goal:
            gap = t - self._came
            slow = self._goal is not None and self._goal.shape == value.shape and 1.5 * beat < gap <= self.PAUSE
            self._every, self._beat = (gap, beat) if slow else (0.0, 0.0)
            self._start, self._goal, self._came = self._shown, value, t
        self._last = t
        way = 1.0 if self._every == 0 else (t - self._came + self._beat) / self._every
        self._shown = value if way > 1 - 1e-6 else self._way(self._start, value, way)
        return self._shown


def _line(a: np.ndarray, b: np.ndarray, way: float) -> np.ndarray:
    return ((1 - way) * a + way * b).astype(b.dtype)


def _between(a: np.ndarray, b: np.ndarray, way: float) -> np.ndarray:
    """On the straight line from `a` to `b`, drawn out to the length that lies between theirs: latents have one length."""
    mixed = (1 - way) * a + way * b
    length = (1 - way) * np.linalg.norm(a) + way * np.linalg.norm(b)
    return (mixed * (length / max(float(np.linalg.norm(mixed)), 1e-12))).astype(b.dtype)
