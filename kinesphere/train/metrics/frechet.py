"""How far apart two clouds of features are when each is taken for a Gaussian: the Fréchet distance, FID on Inception features.

Heusel et al. (2017), "GANs Trained by a Two Time-Scale Update Rule", eq. 6; Dowson and Landau (1982) for the distance.
"""

from __future__ import annotations

import numpy as np

from kinesphere.types import KinesphereError


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """The squared Fréchet distance between the Gaussians of features [N, D] and [M, D].

    It is biased: too large for few pictures, the more so the larger D is; only compare values of the same counts, and see what
    two halves of the data give. Raises KinesphereError for fewer than two rows.
    """
    if min(len(real), len(fake)) < 2:
        raise KinesphereError(
            f"fid of {len(real)} and {len(fake)} pictures: it needs 2 or more of each, better thousands"
        )
    return _frechet(*_moments(real), *_moments(fake))


def frechet_distance(mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray) -> float:
    """|mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)); means [D], covariances [D, D], singular ones too."""
    return _frechet(mean_a, _root(cov_a), mean_b, _root(cov_b))


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean [D], and a factor [K, D] of the covariance: factor.T @ factor, with N - 1 below, K the lesser of N and D."""
    x = features.astype(np.float64)
    mean = x.mean(axis=0)
    factor = (x - mean) / np.sqrt(len(x) - 1)
    return mean, np.asarray(np.linalg.qr(factor, mode="r")) if len(x) > x.shape[1] else factor


def _root(covariance: np.ndarray) -> np.ndarray:
    """A factor of a covariance [D, D]; what rounding made negative is 0."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
    return np.sqrt(values.clip(min=0))[:, None] * vectors.T


def _frechet(mean_a: np.ndarray, a: np.ndarray, mean_b: np.ndarray, b: np.ndarray) -> float:
    """With cov = factor.T @ factor, tr((cov_a cov_b)^(1/2)) is the sum of the singular values of a @ b.T.

    So no root of a matrix is ever taken, and nothing turns complex or negative when the covariances are singular.
    """
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    distance = np.square(np.subtract(mean_a, mean_b)).sum() + np.square(a).sum() + np.square(b).sum() - 2 * overlap
    return max(float(distance), 0.0)
