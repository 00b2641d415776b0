"""Directions from pictures that somebody, or something, has labelled: yes or no, how much, or which of two has more.

A straight line is fitted from W, each principal axis of it in its own standard deviations, to the labels. What it reads is a
number for every latent, and two arrows raise it: the one that separates is the shortest way in W's own numbers, the one that
belongs is the shortest way in standard deviations, along which the model's own latents differ (Haufe et al. 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere.latent import Statistics
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.lines import ERRORS, balanced_accuracy, r_squared
from kinesphere.types import KinesphereError

FOLDS = 5
DIVISIONS = 4  # into folds, of which the score is the mean: of few labels it hangs on how they were divided
MANY = 1000  # labels, from which on one division is enough
WIDER = (
    1.15  # times as wide as that of tossed coins is what luck reaches: lines of other folds have seen the same labels
)
INNER = 3  # folds within what is learnt from, by which strength and size are chosen
FEWEST = 6  # of each answer; of grades and of pairs twice as many
STRENGTHS = (0.003, 0.03, 0.3, 3.0)  # of the penalty, as a share of a label
SIZES = (16, 64, 200)  # principal coordinates, widest first
HALVINGS = 8  # by which the arrow's confidence is told
BETWEEN = (
    0.25  # of the two arrows: on the built-in model most of the thing itself for least of others (docs/directions.md)
)
LEAST = 0.05  # of an arrow must be left when others are kept still
EXAMPLES = 4  # pictures of each end
DEPENDENT = 1e-7  # of the longest: what is shorter is float32's rounding, and no way of its own
BINS = 5  # in which the balance of measured numbers is told


class NothingToLearn(KinesphereError):
    """Labels that no line through W tells better than chance. `score`, `error`, `chance`: None where too few were there to try."""

    def __init__(
        self, said: str, score: float | None = None, error: float | None = None, chance: float | None = None
    ) -> None:
        super().__init__(said)
        self.score, self.error, self.chance = score, error, chance


# What was learnt ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Learnt:
    """A line from W to labels, with what it is worth on labels that it has not seen."""

    normal: Tensor  # float64 [w_dim]: how what it reads rises with w
    offset: float  # what it reads at the mean
    stats: Statistics
    kind: str  # a name of KINDS
    method: str  # a name of METHODS
    count: int  # labels; of pairs, pairs
    balance: Mapping[str, int]  # how many of each answer
    score: float  # balanced accuracy, R², or the share of pairs in the right order: of labels held out
    error: float  # its standard error
    chance: float  # what guessing gives
    cosine: float  # to be expected of this arrow with that of endlessly many such labels; 0: it could point anywhere
    size: int  # principal coordinates that it reads
    strength: float  # of its penalty
    name: str = ""
    model: Fingerprint = field(default_factory=Fingerprint)
    examples: Mapping[str, Any] = field(default_factory=dict)

    @property
    def angle(self) -> float:
        """The angle to be expected between this arrow and that of endlessly many labels, in degrees."""
        return float(np.degrees(np.arccos(self.cosine)))

    @property
    def separating(self) -> Direction:
        """The normal of the boundary, which is what classifiers see: the shortest way in W's own numbers."""
        return self.direction(0.0)

    @property
    def belonging(self) -> Direction:
        """What belongs to the data: the shortest way in standard deviations, along which natural latents differ."""
        return self.direction(1.0)

    def direction(self, between: float = BETWEEN) -> Direction:
        """Between what separates, 0, and what belongs, 1, with b the normal and S the covariance of natural latents: S^between b.

        It is the shortest way to raise what is read where S^-between measures lengths. That does not depend on how long the two
        arrows are, as mixing them would, and at every place between them it raises what is read. Raises KinesphereError
        for a place outside 0 to 1.
        """
        if not 0 <= between <= 1:
            raise KinesphereError(f"between {between:g}: give 0, what separates, to 1, what belongs to the data")
        vector = _bent(self.normal, self.stats, between)
        found = {
            "by": "labels", "kind": self.kind, "method": self.method, "count": self.count, "balance": dict(self.balance),
            "score": round(self.score, 4), "error": round(self.error, 4), "chance": self.chance,
            "angle": round(self.angle, 1), "between": between,
        }  # fmt: skip
        return Direction(
            (vector / vector.norm()).float(),
            "w",
            self.name,
            sigma=self.stats.deviation(vector / vector.norm()),
            model=self.model,
            found=found,
            examples=self.examples,
        )

    def read(self, w: Tensor) -> Tensor:
        """What the line reads of w [N, w_dim]: float64 [N]. Above 0 is yes; of grades, the grade; of pairs, more is more."""
        return (w.detach().cpu().double() - self.stats.mean.cpu().double()) @ self.normal + self.offset


def learn(
    w: Tensor,
    values: np.ndarray | Sequence[float],
    stats: Statistics,
    kind: str = "yes-no",
    method: str = "",
    folds: int = FOLDS,
    seed: int = 0,
    name: str = "",
    model: Fingerprint | None = None,
    seeds: Sequence[int] = (),
    scored: np.ndarray | None = None,
) -> Learnt:
    """The line from labelled latents w [N, w_dim] to their labels.

    values  [N]: 1 is yes and 0 is no, or a grade (any number); what is NaN was not told and is left out
    stats   of the model's own latents (`natural`)
    method  a name of METHODS that fits the kind; "" is the first of KINDS
    seeds   [N] of the pictures, to name examples of both ends
    scored  bool [N]: those by which the score is taken, None for all. A picture that was asked about because its answer was
            uncertain says too little good of the line; it is learnt from, and left out of the score

    Strength and size are chosen by cross-validation within what is learnt from, and the score is of folds that none of this has
    seen. Raises NothingToLearn for too few labels, labels all alike, and where the score is not above chance by two errors;
    KinesphereError for values, a kind or a method that there are not, and for a latent that is there twice.
    """
    y = np.asarray(values, np.float64)
    if w.ndim != 2 or y.shape != (len(w),):
        raise KinesphereError(f"{list(y.shape)} values for latents {list(w.shape)}: give one for each of w [N, w_dim]")
    if kind not in ("yes-no", "graded"):
        raise KinesphereError(f"kind {kind!r}: give yes-no or graded; pairs go to learn_pairs")
    told = np.isfinite(y)
    counting = np.ones(len(y), bool) if scored is None else scored
    y, w, counting = y[told], w[torch.as_tensor(told)], counting[told]
    _each_once(w[:, None])
    if kind == "yes-no" and not np.isin(y, (0, 1)).all():
        raise KinesphereError(f"{y[~np.isin(y, (0, 1))][0]:g} is neither 1, yes, nor 0, no: or ask for graded")
    shown = [int(s) for s, there in zip(seeds, told, strict=True) if there] if len(seeds) else []
    y = 2 * y - 1 if kind == "yes-no" else y
    learnt = _fitted(kind, method, coordinates(w, stats), y, counting, stats, folds, seed)
    return replace(learnt, name=name, model=model or Fingerprint(), examples=_examples(learnt, w, shown))


def learn_pairs(
    more: Tensor,
    less: Tensor,
    stats: Statistics,
    method: str = "",
    folds: int = FOLDS,
    seed: int = 0,
    name: str = "",
    model: Fingerprint | None = None,
    seeds: Sequence[tuple[int, int]] = (),
    scored: np.ndarray | None = None,
) -> Learnt:
    """The line from pairs of latents [N, w_dim], in which `more` has more of it than `less`; all else as for `learn`.

    What it reads of a pair is a difference (Bradley and Terry 1952): the score is the share of pairs in the right order.
    """
    if more.ndim != 2 or more.shape != less.shape:
        raise KinesphereError(
            f"pairs of latents {list(more.shape)} and {list(less.shape)}: give both alike, [N, w_dim]"
        )
    x = coordinates(more, stats) - coordinates(less, stats)
    shown = [int(s) for pair in (0, 1) for s in (one[pair] for one in seeds)]
    _each_once(torch.stack([more, less], 1))
    counting = np.ones(len(x), bool) if scored is None else scored
    learnt = _fitted("pairs", method, x, np.ones(len(x)), counting, stats, folds, seed)
    examples = _examples(learnt, torch.cat([more, less]), shown)
    return replace(learnt, name=name, model=model or Fingerprint(), examples=examples)


def orthogonal(direction: Direction, others: Sequence[Direction], stats: Statistics) -> Direction:
    """A direction of W made to leave alone what others read: at right angles to the normal of each.

    The condition is against the *normals* of others, what separates them, because moving at right angles to a normal leaves what
    is read as it is. So of another direction that labels found, wherever it lies between its two arrows, its normal is taken; of
    any other kind its own vector. What is taken away is the least as the direction itself measures lengths: for one that
    separates, or was not found by labels, the projection of InterFaceGAN (Shen et al. 2020) for any number of others. Sigma is
    measured anew. Others that say the same, or what the rest say together, count once. Raises KinesphereError for directions that
    are not of W, and where nothing is left.
    """
    if not others:
        return direction
    for one in (direction, *others):
        if one.space != "w" or len(one.vector) != len(stats.sigmas):
            raise KinesphereError(
                f"the direction {one.name!r} is of {one.space.upper()} {list(one.vector.shape)}: "
                f"only those of W [{len(stats.sigmas)}] are set at right angles"
            )
    own = _between(direction)
    normals = torch.stack([_bent(one.unit.double(), stats, -_between(one)) for one in others], 1)  # [w_dim, others]
    axes, lengths, _ = torch.linalg.svd(_bent(normals / normals.norm(dim=0), stats, own / 2), full_matrices=False)
    against = axes[:, lengths > DEPENDENT * lengths[0]]
    vector = _bent(direction.unit.double(), stats, -own / 2)
    left = vector - against @ (against.T @ vector)
    left = left - against @ (against.T @ left)  # once more, for what rounding left
    if left.norm() < LEAST * vector.norm():
        names = ", ".join(one.name or "another" for one in others)
        raise KinesphereError(
            f"nothing of {direction.name or 'this direction'} is left that leaves {names} alone: they are one and the same here"
        )
    moved = _bent(left, stats, own / 2)
    found = {**direction.found, "against": [one.name for one in others]}
    return Direction(
        (moved / moved.norm()).float(),
        "w",
        direction.name,
        direction.rows,
        stats.deviation(moved / moved.norm()),
        direction.model,
        found,
        direction.examples,
    )


def _bent(vector: Tensor, stats: Statistics, power: float) -> Tensor:
    """S^power times vectors [w_dim] or [w_dim, M], with S the covariance of natural latents; only where they extend in."""
    if not power:
        return vector
    axes, sigmas = stats.vectors.cpu().double()[:, : stats.rank], stats.sigmas.cpu().double()[: stats.rank]
    along = axes.T @ vector
    return axes @ (along * (sigmas ** (2 * power)).reshape(-1, *[1] * (along.ndim - 1)))


def _between(direction: Direction) -> float:
    """Where between its two arrows a direction lies; one that labels did not find has one arrow."""
    found = direction.found.get("between", 0.0)
    return float(found) if isinstance(found, int | float) and 0 <= found <= 1 else 0.0


# How it is fitted -----------------------------------------------------------------------------------------------------

Rows = np.ndarray
Line = tuple[np.ndarray, float]  # what each coordinate counts, [K], and what is read where all are 0


def logistic(x: Rows, y: Rows, strength: float) -> Line:
    """Logistic regression, both answers weighing the same whatever their number. x [N, K], y [N] is -1 or 1."""
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression(C=1 / (strength * len(x)), class_weight="balanced").fit(x, y)
    return fit.coef_[0], float(fit.intercept_[0])


def svm(x: Rows, y: Rows, strength: float) -> Line:
    """A linear support vector machine, both answers weighing the same."""
    from sklearn.svm import LinearSVC

    fit = LinearSVC(C=1 / (strength * len(x)), class_weight="balanced", dual=len(x) <= x.shape[1]).fit(x, y)
    return fit.coef_[0], float(fit.intercept_[0])


def ridge(x: Rows, y: Rows, strength: float) -> Line:
    """Ridge regression on a number y [N]."""
    from sklearn.linear_model import Ridge

    fit = Ridge(alpha=strength * len(x)).fit(x, y)
    return fit.coef_, float(fit.intercept_)


METHODS: dict[str, Callable[[Rows, Rows, float], Line]] = {"logistic": logistic, "svm": svm, "ridge": ridge}
KINDS = {"yes-no": ("logistic", "svm"), "graded": ("ridge",), "pairs": ("logistic", "svm")}
CHANCE = {"yes-no": 0.5, "graded": 0.0, "pairs": 0.5}


def _fitted(
    kind: str, method: str, x: Rows, y: Rows, scored: np.ndarray, stats: Statistics, folds: int, seed: int
) -> Learnt:
    """The line from coordinates x [N, K] to labels y [N], which of pairs are all 1; its score is of rows `scored`, bool [N]."""
    method = method or KINDS[kind][0]
    if method not in KINDS[kind]:
        raise KinesphereError(f"no method {method!r} for {kind}: there are {', '.join(KINDS[kind])}")
    if folds < 2:
        raise KinesphereError(f"{folds} folds: give 2 or more, as a score is of labels held out")
    if scored.shape != y.shape:
        raise KinesphereError(f"scored {list(scored.shape)} for {len(y)} labels: give one for each")
    _enough(kind, y[scored], balance(kind, y[scored]), max(FEWEST, folds))
    fit = _mirrored(METHODS[method]) if kind == "pairs" else METHODS[method]
    score, error = _held_out(kind, fit, x, y, scored, folds, seed)
    chance = CHANCE[kind]
    if score <= chance + ERRORS * error:
        raise NothingToLearn(
            f"there is nothing to learn from these {len(y)} labels yet: held-out ones are told with a score of {score:.2f}, which "
            f"is not above chance, {chance:g}, by two errors of {error:.2f}; label more pictures, or ask for something else",
            score,
            error,
            chance,
        )
    strength, size = _chosen(kind, fit, x, y, seed)
    along, offset = fit(x[:, :size], y, strength)
    axes = stats.vectors.cpu().double()[:, :size] / stats.sigmas.cpu().double()[:size]
    return Learnt(
        axes @ torch.as_tensor(along), offset, stats, kind, method, len(y), balance(kind, y), score, error, chance,
        _confidence(fit, x[:, :size], y, strength, seed), size, strength,
    )  # fmt: skip


def balance(kind: str, y: np.ndarray) -> dict[str, int]:
    """How many of each answer, of labels as they are fitted: yes and no as 1 and -1. Measured numbers are told in five ranges."""
    if kind == "yes-no":
        return {"yes": int((y > 0).sum()), "no": int((y < 0).sum())}
    if kind == "pairs":
        return {"pairs": len(y)}
    grades, counts = np.unique(y, return_counts=True)
    if len(grades) <= 2 * BINS:
        return {f"{grade:g}": int(n) for grade, n in zip(grades, counts, strict=True)}
    counts, edges = np.histogram(y, BINS)
    return {f"{edges[i]:.3g} to {edges[i + 1]:.3g}": int(n) for i, n in enumerate(counts)}


def _enough(kind: str, y: Rows, counted: Mapping[str, int], fewest: int) -> None:
    if kind == "yes-no" and min(counted.values()) < fewest:
        told = " and ".join(f"{n} {answer}" for answer, n in counted.items())
        raise NothingToLearn(f"{told} are too few to learn from: label at least {fewest} of each")
    if len(y) < 2 * fewest:
        what = "pairs" if kind == "pairs" else "labels"
        raise NothingToLearn(f"{len(y)} {what} are too few to learn from: give at least {2 * fewest}")
    if kind == "graded" and len(counted) < 2:
        raise NothingToLearn(f"all {len(y)} labels are {y[0]:g}: there is nothing to tell apart")


def _each_once(asked: Tensor) -> None:
    """Raise KinesphereError for a latent, or a pair, that is there twice, [N, 1 or 2, w_dim]."""
    if len({frozenset(one.tobytes() for one in each) for each in asked.detach().cpu().numpy()}) < len(asked):
        raise KinesphereError(
            "a picture is there twice: it would be both learnt from and told, by heart; name each once"
        )


def coordinates(w: Tensor, stats: Statistics) -> Rows:
    """w [N, w_dim] along the widest axes of W, in standard deviations: [N, K], K at most the largest of SIZES."""
    if w.shape[1] != len(stats.sigmas):
        raise KinesphereError(f"latents {list(w.shape)} are not of this W, which has {len(stats.sigmas)} dimensions")
    size = min(stats.rank, SIZES[-1])
    away = w.detach().cpu().double() - stats.mean.cpu().double()
    return (away @ stats.vectors.cpu().double()[:, :size] / stats.sigmas.cpu().double()[:size]).numpy()


def _mirrored(fit: Callable[[Rows, Rows, float], Line]) -> Callable[[Rows, Rows, float], Line]:
    """Of differences, each both ways round: the line goes through 0."""
    return lambda x, y, strength: (fit(np.concatenate([x, -x]), np.concatenate([y, -y]), strength)[0], 0.0)


def _parts(y: Rows, folds: int, seed: int | tuple[int, ...]) -> list[np.ndarray]:
    """The rows in folds, dealt in the order of their labels, so that each fold has its share of every answer."""
    order = np.random.default_rng(seed).permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    return [order[k::folds] for k in range(folds)]


def _dealt(y: Rows, scored: np.ndarray, folds: int, seed: int) -> list[np.ndarray]:
    """All rows in folds, each of which has its share of those that are scored, and of those that are not."""
    both = (np.flatnonzero(scored), np.flatnonzero(~scored))
    dealt = [[rows[part] for part in _parts(y[rows], folds, seed)] for rows in both]
    return [np.concatenate(pair) for pair in zip(*dealt, strict=True)]


def _held_out(
    kind: str, fit: Callable[[Rows, Rows, float], Line], x: Rows, y: Rows, scored: np.ndarray, folds: int, seed: int
) -> tuple[float, float]:
    """The score of rows that neither the line, nor its strength and size, have seen, and its standard error.

    All other rows are learnt from, and only those `scored` count. The error is that of folds (Nadeau and Bengio 2003), but no less
    than what as many labels reach by luck alone.
    """
    scores, each = [], []
    for division in range(seed, seed + (DIVISIONS if len(y) < MANY else 1)):
        said, parts = np.empty(len(y)), _dealt(y, scored, folds, division)
        for k, rows in enumerate(parts):
            others = np.setdiff1d(np.arange(len(y)), rows)
            strength, size = _chosen(kind, fit, x[others], y[others], (division, k))
            along, offset = fit(x[others, :size], y[others], strength)
            said[rows] = x[rows, :size] @ along + offset
        scores.append(_score(kind, y[scored], said[scored]))
        each += [_score(kind, y[rows], said[rows]) for rows in (rows[scored[rows]] for rows in parts)]
    error = float(np.sqrt((1 / len(each) + 1 / (folds - 1)) * np.var(each, ddof=1)))
    return float(np.mean(scores)), max(error, WIDER * _luck(kind, y[scored]))


def _chosen(
    kind: str, fit: Callable[[Rows, Rows, float], Line], x: Rows, y: Rows, seed: int | tuple[int, ...]
) -> tuple[float, int]:
    """Strength and size that leave least on rows left out: the strength with all coordinates, then the size with that strength."""
    parts = _parts(y, INNER, seed)

    def wrong(strength: float, size: int) -> float:
        total = 0.0
        for rows in parts:
            others = np.setdiff1d(np.arange(len(y)), rows)
            along, offset = fit(x[others, :size], y[others], strength)
            total += _loss(kind, y[rows], x[rows, :size] @ along + offset)
        return total

    sizes = sorted({min(size, x.shape[1]) for size in SIZES})
    by_strength = {strength: wrong(strength, sizes[-1]) for strength in STRENGTHS}
    strength = min(by_strength, key=lambda one: by_strength[one])
    by_size = {size: wrong(strength, size) for size in sizes[:-1]} | {sizes[-1]: by_strength[strength]}
    return strength, min(by_size, key=lambda one: by_size[one])


def _loss(kind: str, y: Rows, said: Rows) -> float:
    """What is wrong with what was said: of answers the logistic loss, both weighing the same; of numbers the squared error."""
    if kind == "graded":
        return float(np.square(y - said).sum())
    loss = np.logaddexp(0, -y * said)
    return float(sum(loss[y == answer].mean() for answer in np.unique(y)))


def _score(kind: str, y: Rows, said: Rows) -> float:
    """Balanced accuracy, R², or the share of pairs in the right order."""
    return r_squared(y, said) if kind == "graded" else balanced_accuracy(y, np.where(said > 0, 1.0, -1.0))


def _luck(kind: str, y: Rows) -> float:
    """The deviation of the score of so many labels that mean nothing.

    Of answers, that of tossed coins. Of numbers, half of what a correlation of two of its deviations, 1 / sqrt(N), explains.
    """
    if kind == "graded":
        return 2 / len(y)
    sizes = np.unique(y, return_counts=True)[1]
    return float(np.sqrt((0.25 / sizes).sum()) / len(sizes))


def _confidence(fit: Callable[[Rows, Rows, float], Line], x: Rows, y: Rows, strength: float, seed: int) -> float:
    """The cosine to be expected, in standard deviations, between this arrow and that of endlessly many labels.

    From the cosine c of arrows of one half and of the other, among the coordinates that were chosen: sqrt(2 c / (1 + c))
    (Spearman 1910, Brown 1910: what both halves together share with the truth).
    """
    found = []
    for k in range(HALVINGS):
        a, b = (fit(x[rows], y[rows], strength)[0] for rows in _parts(y, 2, (seed, 7, k)))
        found.append(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    alike = max(float(np.mean(found)), 0.0)
    return float(np.sqrt(2 * alike / (1 + alike)))


def _examples(learnt: Learnt, w: Tensor, seeds: list[int]) -> dict[str, list[int]]:
    """The seeds of those of which least, and most, is read; none where no seeds are known."""
    if not seeds:
        return {}
    order = list(dict.fromkeys(seeds[i] for i in learnt.read(w).argsort().tolist()))  # each once, the lowest first
    few = min(EXAMPLES, len(order) // 2)
    return {"low": order[:few], "high": order[: -few - 1 : -1]}


__all__ = [
    "BETWEEN",
    "CHANCE",
    "FEWEST",
    "KINDS",
    "METHODS",
    "Learnt",
    "NothingToLearn",
    "balance",
    "coordinates",
    "learn",
    "learn_pairs",
    "logistic",
    "orthogonal",
]
