"""Whether the axes of a space are what the pictures differ in, one for each, and whether flat cuts part them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kinesphere.studio.lines import FEWEST_OF_CLASS, FOLDS, kind_of, parts, r_squared, shown

ALPHAS = np.geomspace(1, 0.01, 15)  # of the lasso, for columns and labels of deviation 1: at 1 nothing is left
PENALTY = 0.01  # C of the SVM, for columns of deviation 1
ENDS = (0.25, 0.75)  # quantiles of a number: what lies between them is on neither side


# DCI ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DCI:
    """Eastwood and Williams (2018), section 2: each from 0 to 1."""

    disentanglement: float  # each axis means one label only
    completeness: float  # each label is on one axis only
    informativeness: float  # the labels are told at all: R² on rows held out, no less than 0, on average


def dci(x: np.ndarray, labels: np.ndarray, seed: int = 0) -> DCI:
    """Of a space [N, D] and labels [N, L] that are numbers. One fifth of the rows is held out.

    How important an axis is to a label is the absolute weight that a lasso gives it, all of deviation 1, its penalty chosen by
    cross-validation; that is the linear one of the paper's two.
    """
    held, *rest = parts(len(x), FOLDS, seed)
    learnt = np.concatenate(rest)
    x, labels = (_scaled(values, learnt) for values in (x, labels))
    weights, told = [], []
    for y in labels.T:
        weight = _lasso(x[learnt], y[learnt])
        weights.append(np.abs(weight))
        told.append(max(0.0, r_squared(y[held], x[held] @ weight)))
    importance = np.stack(weights, 1)  # [D, L]
    return DCI(*shares(importance), float(np.mean(told)))


def turned(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same space [N, D] on axes drawn at random, as many and at right angles: what its DCI is by chance.

    Where there are more axes than dimensions, as of styles, some axis is good for any label by chance alone.
    """
    axes = np.linalg.qr(np.random.default_rng((seed, 5)).normal(size=(x.shape[1], x.shape[1])))[0]
    return _scaled(x, np.arange(len(x))) @ axes


def shares(importance: np.ndarray) -> tuple[float, float]:
    """Disentanglement and completeness of importances [D, L], none below 0 (Eastwood and Williams 2018, eq. 2 and 3).

    An axis counts as much as it is used. A label that no axis tells is on no axis, and is left out.
    """
    importance = importance[:, importance.sum(0) > 0]
    used = importance.sum(1)
    if not used.sum():
        return 0.0, 0.0
    by_axis = 1 - np.array([_entropy(row) for row in importance])
    by_label = 1 - np.array([_entropy(column) for column in importance.T])
    return float(by_axis @ used / used.sum()), float(by_label.mean())


def _entropy(weights: np.ndarray) -> float:
    """Of weights [K] as shares, in parts of the most that K can have; of one alone 0."""
    p = weights[weights > 0] / max(weights.sum(), 1e-300)
    return float(-(p * np.log(p)).sum() / np.log(len(weights))) if len(weights) > 1 else 0.0


def _scaled(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and deviation 1, by some rows; float64 [N, D]."""
    values = values.astype(np.float64)
    spread = values[rows].std(0)
    scaled: np.ndarray = (values - values[rows].mean(0)) / np.where(spread > 1e-9, spread, 1)
    return scaled


def _lasso(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LassoCV

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a weight that is off in its third digit is good enough
        fitted: np.ndarray = LassoCV(alphas=ALPHAS, cv=FOLDS, fit_intercept=False, tol=1e-3).fit(x, y).coef_
    return fitted


# Flat cuts ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Separability:
    """Karras et al. (2019), section 4.2: what a flat cut through a space leaves open about each label."""

    left: Mapping[str, float]  # H(Y | X), in nats: 0 is nothing, log 2 all where half of the pictures have it

    @property
    def score(self) -> float:
        """exp of their sum, as published: 1 is best. It grows with the number of labels: compare it for the same labels only."""
        return float(np.exp(sum(self.left.values())))

    @property
    def each(self) -> float:
        """exp of their mean: how many answers are left open for one label, from 1 to 2."""
        return float(np.exp(np.mean(list(self.left.values()))))


def separability(x: np.ndarray, labels: Mapping[str, np.ndarray], seed: int = 0) -> Separability:
    """Of a space [N, D] and labels name -> [N], of the rows in which each shows, made yes or no: see `sides`.

    A linear SVM says X of rows held out, not of those that it learnt from, which it might know by heart.
    """
    left = {}
    for name, y in labels.items():
        rows = np.flatnonzero(shown(y))
        among, true = sides(y[rows])
        left[name] = conditional_entropy(true, _cut(x[rows[among]], true, seed))
    return Separability(left)


def sides(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A label [N] as yes or no: (the rows that count, int [n]; bool [n]).

    A number: above its mean, of the quarters at both ends, as Karras et al. keep the half that their classifiers are surest of.
    A class: the one that most rows have, against the others.
    """
    if kind_of(y) == "class":
        classes, sizes = np.unique(y, return_counts=True)
        return np.arange(len(y)), y == classes[sizes.argmax()]
    low, high = np.quantile(y, ENDS)
    rows = np.flatnonzero((y <= low) | (y >= high))
    return rows, y[rows] > y.mean()


def conditional_entropy(true: np.ndarray, said: np.ndarray) -> float:
    """H(true | said) of two bool [N], in nats."""
    total = 0.0
    for side in (said, ~said):
        if side.any():
            p = np.array([true[side].mean(), 1 - true[side].mean()])
            total -= side.mean() * (p[p > 0] * np.log(p[p > 0])).sum()
    return float(total)


def _cut(x: np.ndarray, true: np.ndarray, seed: int) -> np.ndarray:
    """What a linear SVM says of rows held out, bool [N]; of a side that hardly any row is on, always the other."""
    from sklearn.svm import LinearSVC

    if min(true.sum(), (~true).sum()) < FEWEST_OF_CLASS:
        return np.full(len(true), true.mean() > 0.5)
    said, divided = np.empty(len(true), bool), parts(len(true), FOLDS, seed)
    for k, held in enumerate(divided):
        learnt = np.concatenate([part for i, part in enumerate(divided) if i != k])
        scaled = _scaled(x, learnt)
        svm = LinearSVC(C=PENALTY, dual=False).fit(scaled[learnt], true[learnt])
        said[held] = svm.predict(scaled[held])
    return said
