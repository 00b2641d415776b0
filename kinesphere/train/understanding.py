"""What a generator has understood: whether places in W mean something, and whether its pictures vary as the data does.

The judge measures pictures that nobody drew; a straight line through W then has to predict what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import wasserstein_distance

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.train.generated import generated
from kinesphere.train.judge import Judge, is_whole, shows, told
from kinesphere.train.portraits import FACTORS, known
from kinesphere.types import KinesphereError

Progress = Callable[[int, int], None]

MEANT = ("turn", "smile", "hair_hue", "hair_tone", "skin_tone", "hair", "glasses", "headwear")
VARIED = ("turn", "smile", "hair_tone", "hair_hue", "hair_length", "skin_tone", "skin_hue")
LAMBDAS = tuple(float(x) for x in 10.0 ** np.arange(-4, 3.1, 0.5))  # of the ridge, as shares of a picture
FOLDS = 5
SHUFFLES = 5  # of the labels, for chance
FEWEST = 100  # pictures in which a factor must show to be told of
BATCH = 32
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


# A straight line through W --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A ridge fit of T tasks: `predict(x) = (x - mean) / spread @ weights + offset`."""

    mean: np.ndarray  # [D]
    spread: np.ndarray  # [D]
    weights: np.ndarray  # [D, T, K]
    offset: np.ndarray  # [T, K]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """[N, D] -> [N, T, K]."""
        return np.tensordot((x - self.mean) / self.spread, self.weights, 1) + self.offset


def ridge(x: np.ndarray, y: np.ndarray, lambdas: Sequence[float] = LAMBDAS, folds: int = FOLDS) -> Line:
    """Ridge regression (Hoerl and Kennard 1970) of T tasks of K numbers, y [N, T, K], on x [N, D].

    Each task has its own lambda, chosen by cross-validation within these rows. Columns of x are brought to mean 0 and deviation 1
    by these rows; lambda is per row, so that it means the same for any N.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    part = np.arange(len(x)) % folds  # the rows come in no order that matters
    wrong = np.zeros((len(lambdas), y.shape[1]))
    for k in range(folds):
        mean, spread, solve, offset = _solver(x[part != k], y[part != k])
        z = (x[part == k] - mean) / spread
        for i, some in enumerate(lambdas):
            off = np.tensordot(z, solve(np.full(y.shape[1], some)), 1) + offset - y[part == k]
            wrong[i] += np.square(off).sum((0, 2))
    mean, spread, solve, offset = _solver(x, y)
    return Line(mean, spread, solve(np.asarray(lambdas)[wrong.argmin(0)]), offset)


def _solver(
    x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Lambdas [T] -> weights [D, T, K], all from one eigendecomposition: V (v + N lambda)^-1 V^T x^T y."""
    mean, spread, offset = x.mean(0), x.std(0), y.mean(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    z = (x - mean) / spread
    values, V = np.linalg.eigh(z.T @ z)
    values = values.clip(min=0)
    along = np.tensordot(V.T, np.tensordot(z.T, y - offset, 1), 1)  # [D, T, K]

    def solve(lambdas: np.ndarray) -> np.ndarray:
        return np.tensordot(V, along / (values[:, None] + len(x) * lambdas)[:, :, None], 1)

    return mean, spread, solve, offset


def held_out(x: np.ndarray, y: np.ndarray, folds: int = FOLDS, seed: int = 0, kind: str = "number") -> np.ndarray:
    """For each row of x [N, D] the prediction [N, T, K] of a ridge that never saw it: not its fit, its lambdas, nor its scale.

    Of kind "class", y is one-hot over K, and what is returned is how near the row lies to each class: the largest is the class.
    That is a linear discriminant (Fisher 1936) for classes equally frequent, so that rare ones are told too.
    """
    if len(x) < 2 * folds:
        raise KinesphereError(f"{len(x)} pictures are too few for {folds} folds: take {2 * folds} or more")
    order = np.random.default_rng(seed).permutation(len(x))
    said = np.empty(y.shape)
    for k in range(folds):
        rows = order[k::folds]
        others = np.concatenate([order[i::folds] for i in range(folds) if i != k])
        others = np.random.default_rng((seed, k)).permutation(others)
        line = ridge(x[others], y[others])
        said[rows] = line.predict(x[rows])
        if kind == "class":
            members = y[others] / np.maximum(y[others].sum(0), 1)
            middles = np.einsum("ntk,ntj->tkj", members, line.predict(x[others]))
            said[rows] = -np.square(said[rows][:, :, None] - middles).sum(3)
    return said


def r_squared(true: np.ndarray, said: np.ndarray) -> float:
    """1 - the squared error over the variance; 0 is what the mean alone would reach."""
    return float(1 - np.square(true - said).sum() / np.square(true - true.mean(0)).sum())


def balanced_accuracy(true: np.ndarray, said: np.ndarray) -> float:
    """The share told rightly [N] int, as a mean over the classes that are there."""
    return float(np.mean([(said[true == k] == k).mean() for k in np.unique(true)]))


def legible(x: np.ndarray, y: np.ndarray, kind: str = "number", folds: int = FOLDS, seed: int = 0) -> dict[str, float]:
    """How well a straight line through x [N, D] tells y, on rows that it has not seen: {"R2" or "accuracy", "chance", "count"}.

    y is a number [N] or, of kind "class", int [N], judged by balanced accuracy. Chance is the mean of the same with
    the labels shuffled, several times.
    """
    classes = np.unique(y)
    target = np.stack([y == k for k in classes], 1).astype(float) if kind == "class" else y[:, None]
    rng = np.random.default_rng((seed, 2))
    orders = [np.arange(len(y)), *(rng.permutation(len(y)) for _ in range(SHUFFLES))]
    said = held_out(x, np.stack([target[order] for order in orders], 1), folds, seed, kind)
    if kind == "class":
        scores = [balanced_accuracy(y[order], classes[said[:, t].argmax(1)]) for t, order in enumerate(orders)]
    else:
        scores = [r_squared(target[order], said[:, t]) for t, order in enumerate(orders)]
    name = "accuracy" if kind == "class" else "R2"
    return {name: scores[0], "chance": float(np.mean(scores[1:])), "count": float(len(y))}


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
    """How well a straight line through W tells each factor of pictures that it has not seen: see `legible`.

    A factor that shows in some pictures only (a fantastic hair's hue) is told of these; in fewer than 100, or of a class that
    fewer than ten have, there is nothing to say and it is left out. `measured`: what `measure` gave, to not measure twice.
    Raises KinesphereError for an unknown factor.
    """
    for name in factors:
        known(name)
    seen = measured or measure(G, judge, count, seed=seed)
    found = {}
    for name in factors:
        rows = shows(name, seen.factors)
        y = seen.factors[name]
        kind = FACTORS[name].kind
        if kind == "class":
            y = y.argmax(1)
            rows = rows & np.isin(y, [k for k in np.unique(y) if (y == k).sum() >= 10])
        if rows.sum() >= FEWEST and len(np.unique(y[rows])) > 1:
            found[name] = legible(seen.w[rows], y[rows], kind, folds, seed)
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
