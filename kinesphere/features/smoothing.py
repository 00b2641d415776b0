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
