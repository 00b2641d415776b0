"""The ways in which a model's latents, or what a layer makes of them, differ most: principal components.

GANSpace: Härkönen et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

COUNT, LAYER_COUNT = 100_000, 4_000  # latents, of W and of a layer's activations
FRESH = 10_000  # latents, others than these, along which the sigma of a layer's components is taken
DISTINCT = 1.05  # a component that is less than so many times as wide as the next is one with it
LARGEST = 2**32  # bytes of what is kept while a layer's components are sought


def component(G: Generator, number: int, class_index: int = 0, told: Fingerprint | None = None) -> Direction:
    """Principal component `number`, from 1, of 10,000 natural latents of W: the widest is the first."""
    stats = natural(G, class_index)
    model = told or Fingerprint.of(G)
    return _component(number - 1, stats.vectors.T, stats.sigmas, stats.sigmas.double().square(), "all", model)


def pca(
    G: Generator,
    k: int,
    count: int | None = None,
    layer: str = "",
    rows: str = "all",
    class_index: int = 0,
    seed: int = 0,
    told: Fingerprint | None = None,
    on_sample: Callable[[int, int], None] = lambda done, of: None,
) -> list[Direction]:
    """The first `k` principal components of `count` natural latents, the widest first, to be moved along in `rows`.

    layer  "" for W itself; or a name of `G.layers()`: the components of what it makes, each as the way in W that goes with it
           (least squares from the standardised coordinates to w), as wide as fresh latents are along it
    count  COUNT of W, LAYER_COUNT of a layer
    They are exact and follow from `seed` alone. Where a component and a neighbour are nearly as wide as each other,
    found["distinct"] is False: see `warning`. Raises KinesphereError for a k or count that cannot be, for no such layer, class or
    rows, and for a layer that is too large for so many.
    """
    count = count or (LAYER_COUNT if layer else COUNT)
    if not 0 < k <= G.w_dim:
        raise KinesphereError(f"{k} components: this model has 1 to {G.w_dim}")
    if count <= max(k, G.w_dim):
        raise KinesphereError(f"{count} latents are too few for {G.w_dim} dimensions: take ten times as many, or more")
    seen = _told_of(latent.samples_of_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, count, seed), count, on_sample)
    model = told or Fingerprint.of(G)
    if not layer:
        variances, vectors = latent.axes(_covariance(((w, w) for w in seen), G.w_avg)[0])
        return [_component(i, vectors.T, variances.sqrt(), variances, rows, model) for i in range(k)]
    variances, ways = _regressed(G, layer, count, k, seen)
    fresh = latent.sample_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, FRESH, seed + 1).double().cpu()
    sigmas = (fresh @ ways.T).std(0)
    return [_component(i, ways, sigmas, variances, rows, model, layer) for i in range(k)]


def warning(components: Sequence[Direction]) -> str:
    """In words, which of `pca`'s components are not to be told apart; "" where all are."""
    names = [one.name for one in components if not one.found.get("distinct", True)]
    if not names:
        return ""
    return f"{', '.join(names)}: nearly as wide as a neighbour, so that other latents give other ways between the two"


def _component(
    i: int, vectors: Tensor, sigmas: Tensor, variances: Tensor, rows: str, model: Fingerprint, layer: str = ""
) -> Direction:
    """`variances` are of all that was looked at: they tell the share, and what is distinct."""
    near = [float(variances[j] / variances[j + 1].clamp_min(1e-30)) for j in (i - 1, i) if 0 <= j < len(variances) - 1]
    found: Mapping[str, Any] = {
        "by": "pca",
        "component": i + 1,
        "share": float(variances[i] / variances.sum()),
        "distinct": all(ratio >= DISTINCT**2 for ratio in near),
    }
    name = f"{layer} pc{i + 1}".strip()
    found = {**found, "layer": layer} if layer else found
    return Direction(vectors[i].float().cpu().clone(), "w", name, rows, float(sigmas[i]), model, found)


def _told_of(samples: Iterator[Tensor], count: int, on_sample: Callable[[int, int], None]) -> Iterator[Tensor]:
    done = 0
    for w in samples:
        yield w
        done += len(w)
        on_sample(done, count)


def _covariance(pairs: Iterator[tuple[Tensor, Tensor]], near: Tensor) -> tuple[Tensor, Tensor]:
    """Of x [N, F], and of x with w [N, D], seen in parts: [F, F] and [F, D], float64.

    Both are summed about the first part's mean, so that nothing is lost where they lie far from 0.
    """
    total, shifts = 0, None
    for x, w in pairs:
        x, w = x.double().cpu(), w.double().cpu()
        if shifts is None:
            shifts = x.mean(0), w.mean(0)
            sums = torch.zeros_like(shifts[0]), torch.zeros_like(shifts[1])
            own, cross = x.new_zeros(x.shape[1], x.shape[1]), x.new_zeros(x.shape[1], w.shape[1])
        x, w = x - shifts[0], w - shifts[1]
        own, cross = own + x.T @ x, cross + x.T @ w
