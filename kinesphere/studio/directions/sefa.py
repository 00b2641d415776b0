"""The ways in W to which a model's layers react most, in closed form from their weights (SeFa: Shen and Zhou 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.studio.blending import layer_rows
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint, affines
from kinesphere.types import KinesphereError


@dataclass(frozen=True)
class Factors:
    """All factors of some layers, the one first to which they react most."""

    vectors: Tensor  # [w_dim, w_dim], one in each row, of length 1, its largest number positive
    shares: Tensor  # [w_dim] of the whole reaction, falling; together 1


_known: WeakKeyDictionary[Generator, dict[str, Factors]] = WeakKeyDictionary()


def factors(G: Generator, rows: str = "all") -> Factors:
    """Of the layers that `rows` drive: the eigenvectors of A A^T, whose shares are those of the eigenvalues.

    The columns of A [w_dim, styles] are what each style reads of w, brought to length 1. They are found once for a model.
    Raises KinesphereError for no such rows, and where they drive no styles.
    """
    known = _known.setdefault(G, {})
    if rows not in known:
        A = _read(G, rows)
        values, vectors = latent.axes(A @ A.T)
        known[rows] = Factors(vectors.T.float(), (values / values.sum()).float())
    return known[rows]


def factor(
    G: Generator, number: int, rows: str = "all", class_index: int = 0, told: Fingerprint | None = None
) -> Direction:
    """Factor `number`, from 1, of the layers that `rows` drive: the one first to which they react most."""
    found = factors(G, rows)
    about = {"by": "sefa", "component": number, "share": float(found.shares[number - 1])}
    one = Direction(
        found.vectors[number - 1].clone(), "w", f"sefa{number}", rows, model=told or Fingerprint.of(G), found=about
    )
    return replace(one, sigma=measured(G, one, class_index))


def sefa(
    G: Generator, k: int, rows: str = "all", class_index: int = 0, told: Fingerprint | None = None
) -> list[Direction]:
    """The first `k` factors. Raises KinesphereError for a k that cannot be, and as `factors`."""
    if not 0 < k <= G.w_dim:
        raise KinesphereError(f"{k} factors: this model has 1 to {G.w_dim}")
    model = told or Fingerprint.of(G)
    return [factor(G, number, rows, class_index, model) for number in range(1, k + 1)]


def _read(G: Generator, rows: str) -> Tensor:
    """A [w_dim, styles], float64: what each style of the layers that `rows` drive reads of w, of length 1."""
    taken, at = rows_of(G, rows), layer_rows(G)
    read = [affine.weight.detach() for name, affine in affines(G).items() if taken.start <= at[name] < taken.stop]
    if not read:
        raise KinesphereError(f"this model has no layers in the rows {rows}: choose others")
    return torch.nn.functional.normalize(torch.cat(read).cpu().double(), dim=1).T
