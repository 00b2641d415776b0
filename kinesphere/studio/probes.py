"""What does this model know? Straight lines through each of its spaces, asked for labels of pictures that they have not seen."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere import files, latent
from kinesphere.studio.disentanglement import DCI, Separability, dci, separability, turned
from kinesphere.studio.lines import FEWEST, FOLDS, Legible, by_labels, kind_of, legible, shown
from kinesphere.studio.representations import Space
from kinesphere.types import KinesphereError

SIZES = (50, 100, 200, 500, 1000, 2000, 5000)  # of the curves: labels that a line learns from
MOST_AXES = 2048  # of a space whose axes are compared with the labels; more take too long
SEED = "seed"  # the column of a table that says whose picture a row is of

Point = tuple[int, float, float]  # of a curve: labels, score, standard error


@dataclass(frozen=True, eq=False)
class Findings:
    """What the probes found, by space and by label."""

    kinds: dict[str, str]  # of each label: "number" or "class"
    spaces: dict[
        str, tuple[int, int]
    ]  # how many numbers a picture has there, and how many of them a line was laid through
    scores: dict[str, dict[str, Legible]]  # space -> label -> how well it is told
    curves: dict[str, dict[str, list[Point]]]  # space -> label -> score by the number of labels
    axes: dict[str, tuple[DCI, DCI]]  # of a space whose axes can be turned, and of the same on axes drawn at random
    cuts: dict[str, Separability]
    left_out: dict[str, str]  # labels of which nothing can be said, and why
    paths: dict[str, float] = field(
        default_factory=dict
    )  # perceptual path length of a space, where the caller measured it

    def asdict(self) -> dict[str, Any]:
        """All numbers, as plain data for JSON."""
        return {
            "spaces": {name: {"numbers": of, "probed": used} for name, (of, used) in self.spaces.items()},
            "labels": {label: {"kind": kind} for label, kind in self.kinds.items()},
            "left out": self.left_out,
            "scores": {
                space: {label: _plain(told) | {"curve": self.curves[space][label]} for label, told in row.items()}
                for space, row in self.scores.items()
            },
            "DCI": {space: {"own": vars(own), "random axes": vars(other)} for space, (own, other) in self.axes.items()},
            "separability": {
                space: {"score": cut.score, "each": cut.each, "left": dict(cut.left)}
                for space, cut in self.cuts.items()
            },
            "path length": self.paths,
        }


def _plain(told: Legible) -> dict[str, Any]:
    return {
        "score": told.score, "error": told.error, "chance": told.chance, "chance spread": told.spread,
        "known": told.known, "count": told.count, "folds": told.folds.tolist(),
    }  # fmt: skip


def probe(
    spaces: Mapping[str, Space],
    labels: Mapping[str, np.ndarray],
    seeds: Sequence[int],
    paths: Mapping[str, float] | None = None,
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Findings:
    """Ask each space for each label: nested cross-validation beside chance, curves, and what its own axes mean.

    spaces  name -> Space of N pictures (`representations`)
    labels  name -> [N]: numbers as floats, NaN where there is nothing to see; classes as ints, below 0 where there is nothing
    seeds   whose pictures they are, [N]: each once
    paths   what `train.metrics.ppl` measured, by space, to stand beside the rest
    Raises KinesphereError for a seed that is there twice (it would be learnt and told), for labels and spaces of other lengths, and
    where no label shows in enough pictures.
    """
    _check(spaces, labels, seeds)
    left_out = {name: why for name, y in labels.items() if (why := _nothing_to_tell(y))}
    told = {name: np.asarray(y) for name, y in labels.items() if name not in left_out}
    if not told:
        raise KinesphereError(f"nothing to tell of: {'; '.join(f'{name} {why}' for name, why in left_out.items())}")
    numbers = [y for y in told.values() if kind_of(y) == "number" and shown(y).all()]
    scores: dict[str, dict[str, Legible]] = {}
    curves: dict[str, dict[str, list[Point]]] = {}
    axes: dict[str, tuple[DCI, DCI]] = {}
    cuts: dict[str, Separability] = {}
    for i, (name, space) in enumerate(spaces.items()):
        scores[name], curves[name] = _asked(space.x, told, sizes, seed)
        if space.own is not None:
            cuts[name] = separability(space.x, told, seed)
            if len(numbers) > 1 and space.own.shape[1] <= MOST_AXES:
                together = np.stack(numbers, 1)
                axes[name] = dci(space.own, together, seed), dci(turned(space.own, seed), together, seed)
        progress(i + 1, len(spaces))
    kinds = {name: kind_of(y) for name, y in told.items()}
    widths = {name: (space.columns, space.x.shape[1]) for name, space in spaces.items()}
    return Findings(kinds, widths, scores, curves, axes, cuts, left_out, dict(paths or {}))


def each_once(seeds: Sequence[int]) -> None:
    """Raise KinesphereError for a seed that is there twice: what is learnt from it would be told of it, by heart."""
    twice = [seed for seed, times in Counter(seeds).items() if times > 1]
    if twice:
        raise KinesphereError(
            f"seed {twice[0]} is there twice, so that its picture would be both learnt from and told, by heart: "
            "name each seed once"
        )


def _check(spaces: Mapping[str, Space], labels: Mapping[str, np.ndarray], seeds: Sequence[int]) -> None:
    each_once(seeds)
    if not spaces:
        raise KinesphereError("no space to ask: name one, such as w")
    lengths = [(name, len(space.x)) for name, space in spaces.items()] + [(name, len(y)) for name, y in labels.items()]
    for name, length in lengths:
        if length != len(seeds):
            raise KinesphereError(
                f"{name!r} is of {length} pictures, and there are {len(seeds)} seeds: give one for each"
            )


def _nothing_to_tell(y: np.ndarray) -> str:
    """Why nothing can be said of a label; "" where something can."""
    rows = shown(y)
    if rows.sum() < FEWEST:
        return f"shows in {rows.sum()} pictures, and {FEWEST} are needed"
    return "is the same in all pictures" if len(np.unique(y[rows])) < 2 else ""


def _asked(
    x: np.ndarray, labels: Mapping[str, np.ndarray], sizes: Sequence[int], seed: int
) -> tuple[dict[str, Legible], dict[str, list[Point]]]:
    """Every label of one space, and its curve; labels that show in the same pictures are told together."""
    together: dict[bytes, list[str]] = {}
    for name, y in labels.items():
        together.setdefault(shown(y).tobytes(), []).append(name)
    scores: dict[str, Legible] = {}
    curves: dict[str, list[Point]] = {}
    for names in together.values():
        rows = shown(labels[names[0]])
        some = {name: labels[name][rows] for name in names}
        found = legible(x[rows], some, seed=seed)
        learnt = rows.sum() - math.ceil(rows.sum() / FOLDS)
        fewer = {size: by_labels(x[rows], some, size, seed=seed) for size in sizes if size < learnt}
        for name in names:
            last = (int(learnt), found[name].score, found[name].error)
            curves[name] = [*((size, *by[name]) for size, by in fewer.items()), last]
        scores |= found
    return {name: scores[name] for name in labels}, curves


# A table of labels ----------------------------------------------------------------------------------------------------


def read_table(path: Path) -> tuple[list[int], dict[str, np.ndarray]]:
    """Seeds and their labels from a CSV file with a header: the column "seed", and any others; name -> [N].

    A column of numbers is of numbers, unless they are all 0 and 1: such, and words, are classes, in the order of their names. Empty
    is not known. Raises KinesphereError for a file that is none, for no seeds, a seed twice, and no labels.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restkey="", restval=""))
    except (OSError, ValueError, csv.Error) as error:
        reason = files.reason(error) if isinstance(error, OSError) else "it is not a CSV file"
        raise KinesphereError(f"{str(path)!r} cannot be read: {reason}") from None
    names = [name for name in (rows[0] if rows else {}) if name]
    if SEED not in names or len(names) < 2:
        raise KinesphereError(
            f"{path.name} needs a header with {SEED!r} and a name for each label, and a row for each seed"
        )
    for i, row in enumerate(rows):
        if not row[SEED].strip().isdecimal():
            raise KinesphereError(
                f"{path.name}, row {i + 1}: {row[SEED]!r} is no seed: take one from 0 to {latent.LAST_SEED}"
            )
    seeds = [int(row[SEED]) for row in rows]
    each_once(seeds)
    return seeds, {name: _column([row[name].strip() for row in rows]) for name in names if name != SEED}


def _column(cells: Sequence[str]) -> np.ndarray:
    values = sorted(set(cells) - {""})
    if values != ["0", "1"]:
        try:
            return np.array([float(cell) if cell else math.nan for cell in cells])
        except ValueError:
            pass  # words
    return np.array([values.index(cell) if cell else -1 for cell in cells])
