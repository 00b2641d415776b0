"""How many pictures look real, and how much of the data is covered: precision and recall, density and coverage.

Each set's support is the union of balls round its features that reach to their k-th nearest neighbour.
Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric", eq. 1 and 2; Naeem et al. (2020), "Reliable Fidelity and
Diversity Metrics", eq. 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from kinesphere.types import KinesphereError

ROWS = 1024  # of the table of distances, held at once


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """The share of `fake` [M, D] inside the support of `real` [N, D], and the share of `real` inside the support of `fake`.

    Raises KinesphereError unless both have more than k rows.
    """
    a, b = _points(real, fake, k)
    return _balls(a, b, k)[0].gt(0).double().mean().item(), _balls(b, a, k)[0].gt(0).double().mean().item()


def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """In how many balls of `real` [N, D] a picture of `fake` [M, D] lies, over k; and the share of balls that hold any.

    Density may exceed 1; both are near 1 for two sets from one distribution. Raises KinesphereError as `precision_recall`.
    """
    a, b = _points(real, fake, k)
    around, held = _balls(a, b, k)
    return around.double().mean().item() / k, held.double().mean().item()


def _points(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[Tensor, Tensor]:
    if min(len(real), len(fake)) <= k:
        raise KinesphereError(
            f"{len(real)} and {len(fake)} pictures are too few for {k} neighbours: take {k + 1} or more"
        )
    centre = real.astype(np.float64).mean(axis=0)  # distances keep more digits near the origin
    return torch.from_numpy(real.astype(np.float64) - centre), torch.from_numpy(fake.astype(np.float64) - centre)


def _balls(centres: Tensor, points: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """For each of `points`, in how many balls it lies [M]; for each ball, whether it holds a point [N]."""
    around, held = torch.zeros(len(points), dtype=torch.long), []
    for i, rows in _chunks(centres):
        own = torch.cdist(rows, centres)
        own[torch.arange(len(rows)), torch.arange(i, i + len(rows))] = torch.inf  # nobody is his own neighbour
        radius = own.kthvalue(k, dim=1).values
        inside = torch.cdist(rows, points) <= radius[:, None]
        around += inside.sum(dim=0)
        held.append(inside.any(dim=1))
    return around, torch.cat(held)


def _chunks(points: Tensor) -> Iterator[tuple[int, Tensor]]:
    for i in range(0, len(points), ROWS):
        yield i, points[i : i + ROWS]
