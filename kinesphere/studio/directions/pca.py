"""The ways in which a model's latents differ most: principal components (GANSpace: Härkönen et al. 2020)."""

from __future__ import annotations

from kinesphere.models import Generator
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural


def component(G: Generator, number: int, class_index: int = 0, told: Fingerprint | None = None) -> Direction:
    """Principal component `number`, from 1, of 10,000 natural latents of W: the widest is the first."""
    stats = natural(G, class_index)
    shares = stats.sigmas.double().square()
    found = {"by": "pca", "component": number, "share": float(shares[number - 1] / shares.sum())}
    vector = stats.vectors[:, number - 1].cpu().clone()
    sigma = float(stats.sigmas[number - 1])
    return Direction(vector, "w", f"pc{number}", sigma=sigma, model=told or Fingerprint.of(G), found=found)
