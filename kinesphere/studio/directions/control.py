"""The control of every claim: directions at random, in the same units, and how much less they change the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.directions.axis import Axis, measured
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.importance import effect
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.studio.sheets import seeds_to_ws

COUNT, SHOWN = 16, 3  # random directions that others are held against, and that are shown beside them
SEEDS = range(8)  # whose pictures are moved


def random_directions(
    G: Generator, count: int, seed: int = 0, rows: str = "all", class_index: int = 0, told: Fingerprint | None = None
) -> list[Direction]:
    """`count` ways in W, no way likelier than another, from `seed`. found["share"] is of the variance, as of a component.

    Raises KinesphereError for an impossible seed.
    """
    model, variance = told or Fingerprint.of(G), float(natural(G, class_index).sigmas.double().square().sum())
    vectors = latent.seed_to_z(seed, count * G.w_dim).reshape(count, G.w_dim)
    directions = []
    for i, vector in enumerate(vectors, 1):
        one = Direction(vector / vector.norm(), "w", f"random {i}", rows, model=model)
        sigma = measured(G, one, class_index)
        found = {"by": "random", "seed": seed, "share": sigma**2 / variance}
        directions.append(replace(one, sigma=sigma, found=found))
    return directions


@dataclass(frozen=True)
class Comparison:
    """How much pictures change along some directions and along random ones, per standard deviation (`importance.effect`)."""

    found: Tensor  # [directions]
    chance: Tensor  # [random directions]

    @property
    def times(self) -> float:
        """The median of those that were found, over that of random ones: 1 is no better than chance."""
        return float(self.found.quantile(0.5) / self.chance.quantile(0.5))

    @property
    def words(self) -> str:
        return (
            f"per sigma the picture changes by {float(self.found.quantile(0.5)):.3f} (median of {len(self.found)}), "
            f"along {len(self.chance)} random directions by {float(self.chance.quantile(0.5)):.3f}: {self.times:.2f} times as much"
        )


def compared(
    G: Generator,
    directions: Sequence[Direction],
    randoms: Sequence[Direction],
    seeds: Sequence[int] = SEEDS,
    class_index: int = 0,
    told: Fingerprint | None = None,
) -> Comparison:
    """The pictures of `seeds` moved along each. Not of directions of Z. Raises KinesphereError as `Axis.of`."""
    told = told or Fingerprint.of(G)
    ws = seeds_to_ws(G, seeds, class_index)

    def effects(some: Sequence[Direction]) -> Tensor:
        axes = (Axis.of(G, one, class_index=class_index, told=told) for one in some)
        return torch.tensor([effect(G, axis, ws) for axis in axes])

    return Comparison(effects(directions), effects(randoms))
