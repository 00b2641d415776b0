"""The ways in which a model's latents, or what a layer makes of them, differ most: principal components.

GANSpace: Härkönen et al. 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Never

import torch
from scipy.linalg import eigh
from torch import Tensor, nn

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

COUNT, LAYER_COUNT = 100_000, 2_000  # latents, of W and of a layer's activations
FRESH = 10_000  # other latents, along which the sigma of a layer's components is taken
BATCH = 1_000, 32  # latents at once, of W and of a layer's activations
DISTINCT = 1.05  # a component that is less than so many times as wide as a neighbour is not to be told from it
LEAST = 1e-4  # of the widest component: what is narrower is no way in which latents differ
LARGEST = 2**32  # bytes of what is kept while a layer's components are sought
CHUNK = 4096  # activations that are multiplied at once


def component(G: Generator, number: int, class_index: int = 0, told: Fingerprint | None = None) -> Direction:
    """Principal component `number`, from 1, of 10,000 natural latents of W: the widest is the first."""
    stats = natural(G, class_index)
    found = _found(number - 1, variances := stats.sigmas.double().square(), variances.sum())
    return _component(
        stats.vectors[:, number - 1], float(stats.sigmas[number - 1]), "all", found, told or Fingerprint.of(G)
    )


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
           (least squares from the standardised coordinates to w), with the deviation of fresh latents along it
    count  of latents; None is COUNT for W, LAYER_COUNT for a layer
    They are exact, and follow from `seed` alone. Where a component is nearly as wide as a neighbour, found["distinct"] is False:
    see `warning`. Raises KinesphereError for a k or a count that cannot be, for no such layer or class, and for a layer that is too
    large for so many.
    """
    count = count or (LAYER_COUNT if layer else COUNT)
    if not 0 < k <= G.w_dim:
        raise KinesphereError(f"{k} components: this model has 1 to {G.w_dim}")
    if count <= G.w_dim:
        raise KinesphereError(f"{count} latents are too few for {G.w_dim} dimensions: take ten times as many, or more")

    def drawn(count: int, seed: int) -> Iterator[Tensor]:
        return latent.samples_of_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, count, seed, BATCH[bool(layer)])

    seen = _counted(drawn(count, seed), count, on_sample)
    if not layer:
        variances, ways = latent.axes(_covariance(seen))
        sigmas, total = variances.sqrt(), variances.sum()
        if sigmas[k - 1] < LEAST * sigmas[0]:
            extends = int((sigmas >= LEAST * sigmas[0]).sum())
            raise KinesphereError(
                f"{k} components: this model's latents differ in {extends} ways, so there are as many"
            )
    else:
        variances, ways, total = _of_layer(G, layer, k, count, seen)
        sigmas = (torch.cat(list(drawn(FRESH, seed + 1))).cpu().double() @ ways).std(0)
    model = told or Fingerprint.of(G)
    return [_component(ways[:, i], float(sigmas[i]), rows, _found(i, variances, total, layer), model) for i in range(k)]


def warning(components: Sequence[Direction]) -> str:
    """In words, which of `pca`'s components are not to be told apart; "" where all are."""
    names = [one.name for one in components if not one.found.get("distinct", True)]
    if not names:
        return ""
    return f"{', '.join(names)}: nearly as wide as a neighbour; other samples would turn the two into each other"


def _component(way: Tensor, sigma: float, rows: str, found: dict[str, Any], model: Fingerprint) -> Direction:
    name = f"{found.get('layer', '')} pc{found['component']}".strip()
    return Direction(way.float().cpu().clone(), "w", name, rows, sigma, model, found)


def _found(i: int, variances: Tensor, total: Tensor, layer: str = "") -> dict[str, Any]:
    """What is told of component `i` from 0. `variances` [at least i + 2, where there is a next], falling."""
    wider, narrower = variances[max(i - 1, 0) : i + 1], variances[i : i + 2]
    told = {
        "by": "pca",
        "component": i + 1,
        "share": float(variances[i] / total),
        "distinct": all(bool(pair[0] >= DISTINCT**2 * pair[-1]) for pair in (wider, narrower) if len(pair) == 2),
    }
    return {**told, "layer": layer} if layer else told


def _counted(samples: Iterator[Tensor], count: int, on_sample: Callable[[int, int], None]) -> Iterator[Tensor]:
    done = 0
    for w in samples:
        yield w
        done += len(w)
        on_sample(done, count)


def _covariance(parts: Iterator[Tensor]) -> Tensor:
    """[D, D], float64, of all samples [N, D] that come in parts, however many to a part."""
    first = next(parts).cpu().double()
    near = first.mean(0)  # sums are taken about it, so that nothing is lost where the samples lie far from 0
    count, total, square = 0, torch.zeros_like(near), near.new_zeros(len(near), len(near))
    for part in chain([first], parts):
        away = part.cpu().double() - near
        count, total, square = count + len(away), total + away.sum(0), square + away.T @ away
    return (square - total[:, None] * total / count) / (count - 1)


# Of a layer -------------------------------------------------------------------------------------------------------------


def _of_layer(G: Generator, layer: str, k: int, count: int, seen: Iterator[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Variances [k + 1 or fewer] of the widest components of what a layer makes, the ways [w_dim, k] in W, and all variance.

    The covariance of the activations and the Gram matrix of the samples have the same eigenvalues: the smaller one is taken.
    """
    size = _activations(G, layer, G.w_avg[None]).shape[1]
    if k >= min(size, count):
        raise KinesphereError(f"{k} components of {layer}, which makes {size} numbers: take fewer")
    kept = 8 * (size + G.w_dim) ** 2 if size <= count else 4 * size * count + 8 * count**2
    if kept > LARGEST:
        raise KinesphereError(
            f"{layer} makes {size} numbers of each of {count} latents, too many to keep: take fewer, or an earlier layer"
        )
    both = ((_activations(G, layer, w), w) for w in seen)
    if size <= count:
        joint = _covariance(torch.cat(pair, 1) for pair in both)
        own, cross = joint[:size, :size], joint[:size, size:]
        variances, vectors = _widest(own, k + 1)
        return variances, _ways(cross.T @ vectors[:, :k]), own.trace()
    made, ws = (torch.cat(parts) for parts in zip(*((x.cpu(), w.cpu()) for x, w in both), strict=True))
    made -= made.mean(0)
    gram = sum(((x := part.double()) @ x.T for part in made.split(CHUNK, 1)), made.new_zeros((), dtype=torch.float64))
    values, vectors = _widest(gram / (count - 1), k + 1)
    away = ws.double() - ws.double().mean(0)
    return values, _ways(away.T @ vectors[:, :k]), gram.trace() / (count - 1)


def _ways(along: Tensor) -> Tensor:
    """The columns of [w_dim, k], of length 1, with the sign that is the same each time."""
    return latent.pointed(torch.nn.functional.normalize(along, dim=0))


def _widest(square: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The `k` largest eigenvalues, falling, of a symmetric matrix [D, D], and their eigenvectors, the columns of [D, k]."""
    top = (len(square) - min(k, len(square)), len(square) - 1)
    values, vectors = eigh(square.numpy(), subset_by_index=top)
    return torch.from_numpy(values).clamp_min(0).flip(0), torch.from_numpy(vectors).flip(1)


class _Reached(Exception):
    """What a layer made, on its way out of the synthesis, whose rest is not needed."""

    def __init__(self, made: Tensor) -> None:
        self.made = made


@torch.no_grad()
def _activations(G: Generator, layer: str, w: Tensor) -> Tensor:
    """What a layer makes of w [N, w_dim], flat: [N, numbers]."""
    layers = G.layers()
    if layer not in layers:
        raise KinesphereError(f"no layer {layer!r} in this model: there are {', '.join(layers)}")
    hook = layers[layer].register_forward_hook(_stop)
    try:
        G.synthesis(w[:, None].expand(-1, G.num_ws, -1), noise_mode="const")
    except _Reached as reached:
        return reached.made.flatten(1).float()
    finally:
        hook.remove()
    raise KinesphereError(f"the layer {layer!r} had no part in the picture")


def _stop(_: nn.Module, __: object, made: Tensor) -> Never:
    raise _Reached(made)
