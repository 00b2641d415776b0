"""Numbers that wander for ever at an even spread: what bends that move by themselves are made of."""

from __future__ import annotations

import math
import zlib
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from kinesphere.types import KinesphereError

# Swings in the time of one wander: in pairs about a quarter, so that after one wander the correlation with where it was is zero;
# in irrational ratios, so that it is never quite there again (0.98 of it is, for a moment, once in some hundreds of wanders).
SWINGS = [(1 + side * spread) / 4 for spread in (math.sqrt(2) / 5, math.sqrt(5) / 4) for side in (-1, 1)]
SHORTEST = 0.05  # seconds of a wander; below, it would flicker
LAST_SEED = 2**32 - 1


def walk(
    seed: int, name: str, shape: tuple[int, ...], t: float, wander: float, device: torch.device | str = "cpu"
) -> Tensor:
    """Numbers that wander, each on its own, N(0, 1) at every moment: float32 of the given shape.

        n(t) = sum_k (xi_k cos(2 pi f_k t / wander) + eta_k sin(2 pi f_k t / wander)) / sqrt(K),   k = 1 ... K

    with xi, eta ~ N(0, 1) from the seed and the name, f from `SWINGS`: a random Fourier series, so it is smooth, and any moment can
    be asked for without those before it. `t` and `wander` in seconds; after one wander nothing is left of where it was.
    Raises KinesphereError for an impossible seed.
    """
    if not 0 <= seed <= LAST_SEED:
        raise KinesphereError(f"seed {seed} is out of range: take one from 0 to {LAST_SEED}")
    periods = [max(wander, SHORTEST) / swing for swing in SWINGS]
    angles = [2 * math.pi * (math.fmod(t, period) / period) for period in periods]
    factors = [math.cos(angle) for angle in angles] + [math.sin(angle) for angle in angles]
    terms = _terms(seed, name, shape, torch.device(device))
    return torch.tensordot(torch.tensor(factors, device=device) / math.sqrt(len(SWINGS)), terms, 1)


@lru_cache(maxsize=64)
def _terms(seed: int, name: str, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """All xi, then all eta: [2 K, *shape]."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    drawn = rng.standard_normal((2 * len(SWINGS), *shape), np.float32)
    with torch.inference_mode(False):  # they are kept, and who comes later may want gradients
        return torch.from_numpy(drawn).to(device)


def mixed(a: Tensor, b: Tensor, amount: float) -> Tensor:
    """From `a` (amount 0) to `b` (1) at equal power: of two that have nothing in common, the variance stays."""
    return math.cos(amount * math.pi / 2) * a + math.sin(amount * math.pi / 2) * b
