"""A generator's pictures against the data's, by any of the metrics; and the data against itself, the floor of every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.train.generated import generated
from kinesphere.train.metrics.frechet import fid
from kinesphere.train.metrics.kernel import kid
from kinesphere.train.metrics.looking import DEFAULT, Features, NetworkFeatures, open_features, rgb
from kinesphere.train.metrics.paths import ppl, seeds_from
from kinesphere.train.metrics.support import density_coverage, precision_recall
from kinesphere.train.metrics.wasserstein import between, descriptors, joined
from kinesphere.types import KinesphereError

Progress = Callable[[int, int], None]
Values = dict[str, float]


class Data(Protocol):
    """A set of pictures of one size."""

    labels: np.ndarray | None  # float32 [len, c_dim], the class of each; None where there are none

    def __len__(self) -> int: ...
    def batch(self, indices: Any) -> Any:
        """uint8 [B, C, H, W], an array or a tensor."""


@dataclass
class Side:
    """What the metrics keep of one set of pictures; the pictures themselves are let go."""

    patches: dict[int, np.ndarray] = field(default_factory=dict)  # by level, float32 [N * 128, 3, 7, 7]
    features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # [N, D]


@dataclass(frozen=True)
class Metric:
    """One line about it, what of the pictures it sees, and how it measures two sides: (real, fake, seed) -> values by name."""

    about: str
    sees: str  # "patches", "features" or "generator"
    measure: Callable[[Side, Side, int], Values] = lambda real, fake, seed: {}  # a generator's is taken from G itself


def _swd(real: Side, fake: Side, seed: int) -> Values:
    levels = between(real.patches, fake.patches, seed)
    return {**{f"swd{level}": value for level, value in levels.items()}, "swd": float(np.mean(list(levels.values())))}


def _pair(names: tuple[str, str], of: Callable[[np.ndarray, np.ndarray], tuple[float, float]]) -> Any:
    return lambda real, fake, seed: dict(zip(names, of(real.features, fake.features), strict=True))


METRICS = {
    "swd": Metric(
        "sliced Wasserstein distance x 1000 of each size of detail, no network needed; 0 is best", "patches", _swd
    ),
    "fid": Metric(
        "Fréchet distance of features; 0 is best", "features", lambda r, f, seed: {"fid": fid(r.features, f.features)}
    ),
    "kid": Metric(
        "kernel distance of features x 1000, unbiased; 0 is best",
        "features",
        lambda r, f, seed: {"kid": 1e3 * kid(r.features, f.features, seed=seed)},
    ),
    "pr": Metric(
        "precision and recall: the share that looks real, the share covered; 1 is best",
        "features",
        _pair(("precision", "recall"), precision_recall),
    ),
    "dc": Metric(
        "density and coverage, steadier than pr; 1 is best",
        "features",
        _pair(("density", "coverage"), density_coverage),
    ),
    "ppl": Metric(
        "perceptual path length in W, at the ends: how evenly pictures change; less is smoother", "generator"
    ),
}


def evaluate(
    G: Generator,
    data: Data,
    metrics: Sequence[str] = ("swd",),
    count: int = 2000,
    features: Features | str | None = None,
    psi: float = 1.0,
    seed: int = 0,
    batch: int = 32,
    progress: Progress | None = None,
) -> Values:
    """What each of `metrics` (names of METRICS) says of `count` pictures of G against as many of the data, by name.

    The data's are drawn by `seed` without repetition, all of them where there are no more than `count`. G's are those of the
    seeds `seed` to `seed + count - 1` with the stored noise, truncated by `psi`; a conditional G gets the labels of pictures
    drawn from the data. Values are named "swd64", ..., "swd" (their mean), and with the network that saw the pictures:
    "fid_filterbank", "precision_inception". `features` is a network, or what `open_features` reads; None is the filter bank.
    The same arguments give the same values. `progress(done, of)` counts pictures.

    Raises KinesphereError for an unknown metric, a set of other pictures than G's, and what a metric or network refuses.
    """
    chosen, eye = _chosen(metrics, count, features, seed)
    real, advance = _drawn_indices(data, count, seed), progress or (lambda done, of: None)
    kinds = {metric.sees for metric in chosen.values()} - {"generator"}
    labels = _labels(G, data, count, seed)
    walk = _distance(eye) if "ppl" in chosen else None
    paths = count if walk else 0
    of = (len(real) + count) * bool(kinds) + paths
    values: Values = {}
    if kinds:
        ours = _side(_same_size(G, _pictures(data, real, batch)), kinds, eye, seed, lambda n: advance(n, of))
        painted = generated(G, seeds_from(seed, count), psi, labels, batch)
        channels_first = (pictures.permute(0, 3, 1, 2) for pictures, _ in painted)
        theirs = _side(channels_first, kinds, eye, seed, lambda n: advance(len(real) + n, of))
        values = _measured(chosen, ours, theirs, eye, seed)
    if walk:
        length = ppl(
            G, walk.distance, count, psi=psi, seed=seed, c=labels, progress=lambda n, _: advance(of - count + n, of)
        )
        values[f"ppl_{walk.name}"] = length
    return values


def halves(
    data: Data,
    metrics: Sequence[str] = ("swd",),
    count: int = 2000,
    features: Features | str | None = None,
    seed: int = 0,
    batch: int = 32,
    progress: Progress | None = None,
) -> Values:
    """The floor: the same metrics between two halves of the data, of `count` pictures each where there are twice as many.

    No generator should do better but by learning pictures by heart. Where the data has fewer, the halves are smaller and the
    floor of swd, fid and recall somewhat worse than `count` pictures would have it. ppl, which sees no data, is left out.
    """
    chosen, eye = _chosen(metrics, count, features, seed)
    kinds = {metric.sees for metric in chosen.values()} - {"generator"}
    order = _drawn_indices(data, 2 * count, seed)
    half, advance = len(order) // 2, progress or (lambda done, of: None)
    if not half:
        raise KinesphereError(f"a set of {len(data)} pictures has no two halves: take 2 or more")
    if not kinds:
        return {}
    one = _side(_pictures(data, order[:half], batch), kinds, eye, seed, lambda n: advance(n, 2 * half))
    rest = _pictures(data, order[half : 2 * half], batch)
    return _measured(chosen, one, _side(rest, kinds, eye, seed, lambda n: advance(half + n, 2 * half)), eye, seed)


# ---- the two sides ---------------------------------------------------------------------------------------------------


def _chosen(
    metrics: Sequence[str], count: int, features: Features | str | None, seed: int
) -> tuple[dict[str, Metric], Features]:
    wrong = [name for name in metrics if name not in METRICS]
    if wrong or not metrics:
        raise KinesphereError(f"no metric {', '.join(map(repr, wrong))}: choose {', '.join(METRICS)}")
    if count < 1:
        raise KinesphereError(f"count {count}: take 1 or more pictures, better thousands")
    if not 0 <= seed <= latent.LAST_SEED:
        raise KinesphereError(f"seed {seed} is out of range: take one from 0 to {latent.LAST_SEED}")
    eye = open_features(features or DEFAULT) if features is None or isinstance(features, str) else features
    return {name: METRICS[name] for name in metrics}, eye


def _drawn_indices(data: Data, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng((seed, 1)).permutation(len(data))[:count]


def _labels(G: Generator, data: Data, count: int, seed: int) -> Tensor | None:
    """[count, c_dim]: classes as frequent as in the data; None for a model without classes."""
    if not G.c_dim:
        return None
    if data.labels is None or data.labels.shape[1] != G.c_dim:
        has = "has no labels" if data.labels is None else f"has {data.labels.shape[1]}"
        raise KinesphereError(
            f"the model has {G.c_dim} classes and this data {has}: measure it on the data it learnt from"
        )
    drawn = np.random.default_rng((seed, 2)).integers(len(data), size=count)
    return torch.from_numpy(np.asarray(data.labels[drawn], dtype=np.float32))


def _pictures(data: Data, indices: np.ndarray, batch: int) -> Iterator[Tensor]:
    """RGB [B, 3, H, W] uint8."""
    for i in range(0, len(indices), batch):
        yield rgb(torch.as_tensor(data.batch(indices[i : i + batch])))


def _same_size(G: Generator, pictures: Iterator[Tensor]) -> Iterator[Tensor]:
    for some in pictures:
        if some.shape[2:] != (G.img_resolution, G.img_resolution):
            raise KinesphereError(
                f"the data's pictures are {some.shape[3]}x{some.shape[2]} px and the model's "
                f"{G.img_resolution}x{G.img_resolution}: import the data at {G.img_resolution} px"
            )
        yield some


def _side(
    pictures: Iterator[Tensor], kinds: set[str], eye: Features, seed: int, advance: Callable[[int], None]
) -> Side:
    """Each batch is looked at once and let go, so that the memory does not grow with the pictures' size."""
    patches: list[dict[int, np.ndarray]] = []
    seen: list[np.ndarray] = []
    done = 0
    for some in pictures:
        if "patches" in kinds:
            patches.append(descriptors(some, seed, done))
        if "features" in kinds:
            seen.append(eye(some))
        done += len(some)
        advance(done)
    side = Side(joined(patches) if patches else {})
    if seen:
        side.features = np.concatenate(seen)
    return side


def _measured(chosen: dict[str, Metric], real: Side, fake: Side, eye: Features, seed: int) -> Values:
    values: Values = {}
    for metric in chosen.values():
        tail = f"_{eye.name}" if metric.sees == "features" else ""
        values |= {name + tail: value for name, value in metric.measure(real, fake, seed).items()}
    return values


def _distance(eye: Features) -> NetworkFeatures:
    if not isinstance(eye, NetworkFeatures):
        raise KinesphereError(f"ppl needs maps of features and {eye.name!r} gives none: take filterbank or vgg16")
    return eye
