"""Straight lines through a space, and what they tell of pictures that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kinesphere.types import KinesphereError

LAMBDAS = tuple(float(x) for x in 10.0 ** np.arange(-4, 3.1, 0.5))  # of the ridge, as shares of a picture
FOLDS = 5
SHUFFLES = 20  # of the labels, for chance
FEWEST = 100  # rows in which a label must show to be told of
FEWEST_OF_CLASS = 10  # rows, for a class to be told of
ERRORS = 2  # standard errors that a difference must exceed to be called one


# A line ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Line:
    """A ridge fit of T tasks: `predict(x) = (x - mean) / spread @ weights + offset`."""

    mean: np.ndarray  # [D]
    spread: np.ndarray  # [D]
    weights: np.ndarray  # [D, T, K]
    offset: np.ndarray  # [T, K]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """[N, D] -> [N, T, K]."""
        return np.tensordot((x - self.mean) / self.spread, self.weights, 1) + self.offset


@dataclass(frozen=True, eq=False)
class _Turned:
    """Rows in the axes of their own covariance, in which a ridge of any lambda is a division."""

    mean: np.ndarray  # [D]
    spread: np.ndarray  # [D]
    vectors: np.ndarray  # [D, D]
    values: np.ndarray  # [D]
    along: np.ndarray  # [D, T, K]
    offset: np.ndarray  # [T, K]
    rows: int

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray) -> _Turned:
        mean, spread, offset = x.mean(0), x.std(0), y.mean(0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        z = (x - mean) / spread
        values, vectors = np.linalg.eigh(z.T @ z)
        along = np.tensordot(vectors.T, np.tensordot(z.T, y - offset, 1), 1)
        return cls(mean, spread, vectors, values.clip(min=0), along, offset, len(x))

    def weights(self, lambdas: np.ndarray) -> np.ndarray:
        """Lambdas [T] -> weights [D, T, K] in the turned axes: (v + N lambda)^-1 V^T x^T y."""
        return self.along / (self.values[:, None] + self.rows * lambdas)[:, :, None]

    def turned(self, x: np.ndarray) -> np.ndarray:
        """[N, D] -> [N, D]."""
        return (x - self.mean) / self.spread @ self.vectors


def ridge(x: np.ndarray, y: np.ndarray, lambdas: Sequence[float] = LAMBDAS, folds: int = FOLDS) -> Line:
    """Ridge regression (Hoerl and Kennard 1970) of T tasks of K numbers, y [N, T, K], on x [N, D].

    Each task has its own lambda, chosen by cross-validation within these rows. Columns of x are brought to mean 0 and deviation 1
    by these rows; lambda is per row, so that it means the same for any N.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    part = np.arange(len(x)) % folds  # the rows come in no order that matters
    wrong = np.zeros((len(lambdas), y.shape[1]))
    for k in range(folds):
        fit = _Turned.of(x[part != k], y[part != k])
        z, goal = fit.turned(x[part == k]), y[part == k] - fit.offset
        for i, some in enumerate(lambdas):
            off = np.tensordot(z, fit.weights(np.full(y.shape[1], some)), 1) - goal
            wrong[i] += np.square(off).sum((0, 2))
    fit = _Turned.of(x, y)
    weights = np.tensordot(fit.vectors, fit.weights(np.asarray(lambdas)[wrong.argmin(0)]), 1)
    return Line(fit.mean, fit.spread, weights, fit.offset)


# Rows that it has not seen --------------------------------------------------------------------------------------------


def parts(count: int, folds: int = FOLDS, seed: int = 0) -> list[np.ndarray]:
    """The rows 0 to count - 1, each in one of the folds, int [count / folds] each; a seed parts them alike every time.

    Raises KinesphereError for fewer than two rows for each fold.
    """
    if count < 2 * folds:
        raise KinesphereError(f"{count} pictures are too few for {folds} folds: take {2 * folds} or more")
    order = np.random.default_rng(seed).permutation(count)
    return [order[k::folds] for k in range(folds)]


def held_out(
    x: np.ndarray, y: np.ndarray, folds: int = FOLDS, seed: int = 0, kind: str = "number", most: int | None = None
) -> np.ndarray:
    """For each row of x [N, D] the prediction [N, T, K] of a ridge that never saw it: not its fit, its lambdas, nor its scale.

    Of kind "class", y is one-hot over K, and what is returned is how near the row lies to each class: the largest is the class.
    That is a linear discriminant (Fisher 1936) for classes equally frequent, so that rare ones are told too. `most`: learn from
    so many rows only. Raises KinesphereError as `parts`.
    """
    said = np.empty(y.shape)
    divided = parts(len(x), folds, seed)
    for k, rows in enumerate(divided):
        others = np.concatenate([part for i, part in enumerate(divided) if i != k])
        others = np.random.default_rng((seed, k)).permutation(others)[:most]
        line = ridge(x[others], y[others])
        said[rows] = line.predict(x[rows])
        if kind == "class":
            sizes = y[others].sum(0)  # [T, K]
            middles = np.einsum("ntk,ntj->tkj", y[others] / np.maximum(sizes, 1), line.predict(x[others]))
            middles[sizes == 0] = np.inf  # a class that was not there to learn is never said
            said[rows] = -np.square(said[rows][:, :, None] - middles).sum(3)
    return said


def r_squared(true: np.ndarray, said: np.ndarray) -> float:
    """1 - the squared error over the variance; 0 is what the mean alone would reach."""
    return float(1 - np.square(true - said).sum() / np.square(true - true.mean(0)).sum())


def balanced_accuracy(true: np.ndarray, said: np.ndarray) -> float:
    """The share told rightly [N] int, as a mean over the classes that are there."""
    return float(np.mean([(said[true == k] == k).mean() for k in np.unique(true)]))


MEASURES = {"number": r_squared, "class": balanced_accuracy}


# What a space tells ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Legible:
    """How well a straight line tells a label of rows that it has not seen: R² of a number, balanced accuracy of a class."""

    score: float  # of all rows together
    folds: np.ndarray  # [folds], the same of each fold
    chances: np.ndarray  # [SHUFFLES], the score with the labels shuffled
    count: int  # of rows

    @property
    def error(self) -> float:
        """The standard error of the score."""
        return standard_error(self.folds)

    @property
    def chance(self) -> float:
        """What the labels shuffled give, on average."""
        return float(self.chances.mean())

    @property
    def spread(self) -> float:
        """The standard deviation of chance, from one shuffle to another."""
        return float(self.chances.std(ddof=1))

    @property
    def known(self) -> bool:
        """Whether it is above chance by two errors, its own and chance's together."""
        return self.score - self.chance > ERRORS * float(np.hypot(self.error, self.spread))


def standard_error(folds: np.ndarray) -> float:
    """Of a mean over folds [K], whose training rows overlap: sqrt((1/K + 1/(K - 1)) variance) (Nadeau and Bengio 2003)."""
    k = len(folds)
    return float(np.sqrt((1 / k + 1 / (k - 1)) * folds.var(ddof=1)))


def apart(a: Legible, b: Legible) -> tuple[float, float]:
    """How far a's score is above b's, of the same rows in the same folds, and the standard error of that, fold by fold."""
    return a.score - b.score, standard_error(a.folds - b.folds)


def kind_of(y: np.ndarray) -> str:
    """What a label [N] is: whole numbers are a "class", others a "number"."""
    return "class" if np.issubdtype(y.dtype, np.integer) else "number"


def shown(y: np.ndarray) -> np.ndarray:
    """bool [N]: the rows in which there is something to tell. NaN is nothing, nor a class below 0 or of fewer than ten rows."""
    if kind_of(y) == "number":
        return np.isfinite(y)
    classes, sizes = np.unique(y, return_counts=True)
    return np.isin(y, classes[(sizes >= FEWEST_OF_CLASS) & (classes >= 0)])


def legible(x: np.ndarray, labels: Mapping[str, np.ndarray], folds: int = FOLDS, seed: int = 0) -> dict[str, Legible]:
    """How well a straight line through x [N, D] tells each label, on rows that it has not seen, beside labels shuffled.

    labels  name -> [N], numbers as floats or classes as ints
    Labels are told together, which is nearly as fast as one alone. Raises KinesphereError for too few rows.
    """
    rng = np.random.default_rng((seed, 2))
    orders = np.stack([np.arange(len(x)), *(rng.permutation(len(x)) for _ in range(SHUFFLES))])  # [1 + SHUFFLES, N]
    shuffled = {name: y[orders] for name, y in labels.items()}
    divided, found = parts(len(x), folds, seed), {}
    for name, said in _told(x, shuffled, folds, seed).items():
        true, measure = shuffled[name], MEASURES[kind_of(labels[name])]
        scores = [measure(*pair) for pair in zip(true, said, strict=True)]
        each = [measure(true[0, rows], said[0, rows]) for rows in divided]
        found[name] = Legible(scores[0], np.array(each), np.array(scores[1:]), len(x))
    return found


def by_labels(
    x: np.ndarray, labels: Mapping[str, np.ndarray], most: int, folds: int = FOLDS, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """The score of a line that learns from `most` labelled rows only, and its standard error; labels as for `legible`."""
    divided, found = parts(len(x), folds, seed), {}
    for name, said in _told(x, {name: y[None] for name, y in labels.items()}, folds, seed, most).items():
        y, measure = labels[name], MEASURES[kind_of(labels[name])]
        each = [measure(y[rows], said[0, rows]) for rows in divided]
        found[name] = measure(y, said[0]), standard_error(np.array(each))
    return found


def _told(
    x: np.ndarray, labels: Mapping[str, np.ndarray], folds: int, seed: int, most: int | None = None
) -> dict[str, np.ndarray]:
    """What is said of labels [T, N], by name, in their own shape and values, of rows held out: all numbers in one go."""
    numbers = [name for name, y in labels.items() if kind_of(y) == "number"]
    found = {}
    if numbers:
        tasks = np.concatenate([labels[name] for name in numbers])  # [all T, N]
        said = held_out(x, tasks.T[:, :, None], folds, seed, "number", most)[:, :, 0].T
        found = dict(zip(numbers, np.split(said, len(numbers)), strict=True))
    for name, y in labels.items():
        if name not in found:
            classes = np.unique(y)
            target = (y.T[:, :, None] == classes).astype(float)  # [N, T, K]
            found[name] = classes[held_out(x, target, folds, seed, "class", most).argmax(2)].T
    return {name: found[name] for name in labels}
