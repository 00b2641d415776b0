"""Directions by chance, out of what a model varies in most."""

from __future__ import annotations

from dataclasses import replace

import torch

from kinesphere.models import Generator
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError


def surprise(
    G: Generator, seed: int, among: int = 16, class_index: int = 0, told: Fingerprint | None = None
) -> Direction:
    """A way that a seed turns up, at random among the widest components, or all that there are; where natural latents are round.

    Raises KinesphereError for less than one.
    """
    if among < 1:
        raise KinesphereError(f"a surprise among {among} components: give 1 or more")
    stats = natural(G, class_index)
    among = min(among, stats.rank)
    dice = torch.Generator().manual_seed(seed)
    turn = torch.randn(among, generator=dice).to(stats.sigmas)
    vector = (stats.vectors[:, :among] * stats.sigmas[:among]) @ (turn / turn.norm())
    found = {"by": "chance", "seed": seed, "among": among}
    one = Direction(vector.float().cpu(), "w", f"surprise {seed}", model=told or Fingerprint.of(G), found=found)
    return replace(one, sigma=measured(G, one, class_index))
