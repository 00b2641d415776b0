"""The ways in W to which a model's layers react most, in closed form from their weights (SeFa: Shen and Zhou 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.studio.blending import layer_rows
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint, affines


def factors(G: Generator, rows: str = "all") -> Tensor:
    """Unit vectors [w_dim, w_dim], the one first to which the styles of `rows` react most: eigenvectors of A A^T.

    The columns of A [w_dim, styles] are what each style reads of w, brought to length 1. The largest number of each is positive.
    """
    taken, at = rows_of(G, rows), layer_rows(G)
    read = [
        affine.weight.detach().double() for name, affine in affines(G).items() if taken.start <= at[name] < taken.stop
    ]
    A = torch.nn.functional.normalize(torch.cat(read), dim=1).T.cpu()
    vectors = torch.linalg.eigh(A @ A.T)[1].flip(1)
    largest = vectors.abs().argmax(0)
    return (vectors * vectors[largest, torch.arange(len(vectors))].sign()).T.float()


def factor(
    G: Generator, number: int, rows: str = "all", class_index: int = 0, told: Fingerprint | None = None
) -> Direction:
    """Factor `number`, from 1, of the layers that `rows` drive: the one first to which they react most."""
    vector = factors(G, rows)[number - 1].clone()
    found = {"by": "sefa", "component": number}
    one = Direction(vector, "w", f"sefa{number}", rows, model=told or Fingerprint.of(G), found=found)
    sigma = measured(G, one, class_index)
    return Direction(vector, "w", one.name, rows, sigma, one.model, found)
