"""What a generator has understood: whether places in W mean something, and whether its pictures vary as the data does.

The judge measures pictures that nobody drew; a straight line through W then has to predict what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import wasserstein_distance

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.lines import FEWEST, FOLDS, legible, shown
from kinesphere.train.generated import generated
from kinesphere.train.judge import Judge, is_whole, shows, told
from kinesphere.train.portraits import FACTORS, known

Progress = Callable[[int, int], None]

MEANT = ("turn", "smile", "hair_hue", "hair_tone", "skin_tone", "hair", "glasses", "headwear")
VARIED = ("turn", "smile", "hair_tone", "hair_hue", "hair_length", "skin_tone", "skin_hue")
BATCH = 32
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


# Pictures, looked at --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Pictures as the judge sees them."""

    factors: dict[str, np.ndarray]  # as `Judge.factors` gives them
    whole: np.ndarray  # bool [N]: two eyes and a mouth in place
    parts: np.ndarray  # [N, 3]: the probability that each is
    w: np.ndarray  # [N, w_dim] of a generator's; [N, 0] of the data's


def measure(
    G: Generator, judge: Judge, count: int = 2000, psi: float = 1.0, seed: int = 0, progress: Progress | None = None
) -> Measured:
    """`count` pictures of G, of the seeds from `seed` on, looked at. A model with classes gives each class in turn."""
    made = generated(G, range(seed, seed + count), psi)
    batches = ((pictures.permute(0, 3, 1, 2), ws[:, 0].float().cpu()) for pictures, ws in made)
    return _looked(judge, batches, count, progress)


def measure_data(
    judge: Judge, data: Any, count: int = 2000, seed: int = 0, progress: Progress | None = None
) -> Measured:
    """As many of the data's, drawn by `seed` without repetition."""
    chosen = np.random.default_rng((seed, 3)).permutation(len(data))[:count]
    batches = (
        (torch.as_tensor(data.batch(chosen[i : i + BATCH])), torch.zeros(len(chosen[i : i + BATCH]), 0))
        for i in range(0, len(chosen), BATCH)
    )
    return _looked(judge, batches, len(chosen), progress)


def _looked(judge: Judge, batches: Any, count: int, progress: Progress | None) -> Measured:
    factors: list[dict[str, np.ndarray]] = []
    whole, parts, w, done = [], [], [], 0
    for pictures, here in batches:
        look = judge.look(pictures)
        factors.append(told(look))
        whole.append(is_whole(look))
        parts.append(look.there.sigmoid().numpy())
        w.append(here.numpy())
        done += len(here)
        if progress:
            progress(done, count)
    together = {name: np.concatenate([some[name] for some in factors]) for name in factors[0]}
    return Measured(together, np.concatenate(whole), np.concatenate(parts), np.concatenate(w))


def labels_of(factors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `Judge.factors` gives as labels, [N] each: numbers, NaN where they cannot be seen, and classes as ints."""
    return {
        name: y.argmax(1) if FACTORS[name].kind == "class" else np.where(shows(name, factors), y, np.nan)
        for name, y in factors.items()
    }


# What has been understood ---------------------------------------------------------------------------------------------


def meaning(
    G: Generator,
    judge: Judge,
    factors: Sequence[str] = MEANT,
    count: int = 2000,
    seed: int = 0,
    folds: int = FOLDS,
    measured: Measured | None = None,
) -> dict[str, dict[str, float]]:
    """How well a straight line through W tells each factor of pictures that it has not seen (`studio.lines`).

    Returns {factor: {"R2" or, of a class, "accuracy", "chance", "count"}}.
    A factor that shows in some pictures only (a fantastic hair's hue) is told of these; in fewer than 100, or of a class that
    fewer than ten have, there is nothing to say and it is left out. `measured`: what `measure` gave, to not measure twice.
    Raises KinesphereError for an unknown factor.
    """
    for name in factors:
        known(name)
    seen = measured or measure(G, judge, count, seed=seed)
    labels, found = labels_of(seen.factors), {}
    for name in factors:
        y, rows = labels[name], shown(labels[name])
        if rows.sum() >= FEWEST and len(np.unique(y[rows])) > 1:
            line = legible(seen.w[rows], {name: y[rows]}, folds, seed)[name]
            score = "accuracy" if FACTORS[name].kind == "class" else "R2"
            found[name] = {score: line.score, "chance": line.chance, "count": float(line.count)}
    return found


def spread(ours: Measured, data: Measured, factors: Sequence[str] = VARIED) -> dict[str, dict[str, Any]]:
    """How a generator's pictures vary beside the data's, as one and the same judge sees both.

    For each number: standard deviations and their ratio, quantiles, and the 1-D Wasserstein distance in the data's deviations;
    for each class the share of each member. Of pictures in which it shows; a factor that shows in fewer than two is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in factors:
        a, b = (side.factors[name][shows(name, side.factors)] for side in (ours, data))
        if min(len(a), len(b)) < 2:
            continue
        if FACTORS[name].kind == "class":
            shares = [np.bincount(side.argmax(1), minlength=side.shape[1]) / len(side) for side in (a, b)]
            found[name] = {
                k: {"generated": float(p), "data": float(q)}
                for k, p, q in zip(FACTORS[name].classes, *shares, strict=True)
            }
            continue
        std = float(b.std())
        found[name] = {
            "generated": {
                "mean": float(a.mean()),
                "std": float(a.std()),
                "quantiles": np.quantile(a, QUANTILES).tolist(),
            },
            "data": {"mean": float(b.mean()), "std": std, "quantiles": np.quantile(b, QUANTILES).tolist()},
            "ratio": float(a.std() / std),
            "distance": float(wasserstein_distance(a, b) / std),
        }
    return found


def w_statistics(G: Generator, count: int = 10_000, seed: int = 0) -> dict[str, float]:
    """The shape of W, of `count` seeds: the mean length of w, its mean deviation per dimension, and its effective dimension.

    That is the participation ratio of the covariance's eigenvalues, (sum v)^2 / sum v^2: 1 for a line, w_dim for a ball.
    """
    w = latent.sample_w(lambda z: G.mapping(z.to(G.w_avg)), G.z_dim, count, seed).double()
    v = torch.linalg.eigvalsh(torch.cov(w.T)).clamp_min(0)
    return {
        "count": float(count),
        "mean norm": float(w.norm(dim=1).mean()),
        "norm of mean": float(w.mean(0).norm()),
        "std per dimension": float(w.std(0).mean()),
        "least std": float(w.std(0).min()),
        "largest std": float(w.std(0).max()),
        "effective dimension": float(v.sum().square() / v.square().sum()),
        "w_dim": float(w.shape[1]),
    }
