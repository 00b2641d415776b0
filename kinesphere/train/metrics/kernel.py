"""How far apart two clouds of features are, without taking them for Gaussians and without bias: the kernel distance, KID.

Bińkowski et al. (2018), "Demystifying MMD GANs", section 4.
"""

from __future__ import annotations

import numpy as np

from kinesphere.types import KinesphereError


def kid(real: np.ndarray, fake: np.ndarray, subsets: int = 100, size: int = 1000, seed: int = 0) -> float:
    """The mean squared MMD over random subsets of features [N, D] and [M, D]; papers print it x 1000.

    Its expectation is 0 for two sets from one distribution, so single values may fall below 0. `size` rows of each side make a
    subset, fewer where there are fewer; where every subset would be the whole, it is computed once.
    Raises KinesphereError for fewer than two rows.
    """
    size = min(size, len(real), len(fake))
    if size < 2:
        raise KinesphereError(f"kid of {len(real)} and {len(fake)} pictures: it needs 2 or more of each")
    if size == len(real) == len(fake):
        return polynomial_mmd(real, fake)
    random = np.random.default_rng(seed)
    pairs = ([random.choice(len(side), size, replace=False) for side in (real, fake)] for _ in range(subsets))
    return float(np.mean([polynomial_mmd(real[i], fake[j]) for i, j in pairs]))


def polynomial_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate of MMD^2 (Gretton et al. 2012, eq. 3) with the kernel (x . y / D + 1)^3, of [N, D] and [M, D]."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    return _others(x) + _others(y) - 2 * float(_kernel(x, y).mean())


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _others(x: np.ndarray) -> float:
    """The mean of the kernel over all pairs of different rows."""
    k = _kernel(x, x)
    return float((k.sum() - np.trace(k)) / (len(x) * (len(x) - 1)))
