"""The paper: its tooth, and the grain that it leaves in the picture."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kinesphere.train.painting.units import Factors


@lru_cache(maxsize=8)
def paper(side: int) -> np.ndarray:
    """Tooth of the paper [side, side, 1], of mean 0: fine grain and, below it, soft fibres."""
    rng = np.random.RandomState(61)
    fine = rng.standard_normal((side, side)).astype(np.float32)
    rough = sum(np.roll(fine, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)) / 4
    return (0.5 * fine + rough)[:, :, None]


def grained(picture: np.ndarray, f: Factors) -> np.ndarray:
    """Grain of up to 2.2 grey levels; finer pictures show as much of it as coarse ones."""
    size = picture.shape[0]
    tooth = paper(size)
    shift = int(f["weave"] * size)
    amount = 2.2 * f["grain"] * min(1.0, size / 192)
    rolled = np.roll(tooth, (shift, (shift * 7) % size), (0, 1))
    return np.minimum(np.maximum(picture + amount * rolled + np.float32(0.5), 0), 255).astype(np.uint8)
