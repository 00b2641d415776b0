"""What is known of the pictures of a training set, number by number, and the part of D that learns to read it from them.

A discriminator that has to tell a smile from a frown cannot overlook that G draws only faint ones.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinesphere.models.mapping import Dense
from kinesphere.train.datasets import TrainingSet
from kinesphere.types import KinesphereError

FACTORS_SUFFIX = "-factors.csv"  # the table beside a set, as `kinesphere dataset portraits` writes it
PICTURE = "name"  # its column of the pictures' names
NO_SPREAD = 1e-6
SPREAD_DECAY = 0.02  # each step


@dataclass(frozen=True)
class Attributes:
    """The chosen columns of the table of a set, each brought to mean 0 and deviation 1."""

    names: tuple[str, ...]
    values: np.ndarray  # float32 [pictures, columns]
    turns: np.ndarray  # float32 [columns]: -1 where a mirror image has the opposite value, else 1

    def of(self, indices: np.ndarray, mirror: np.ndarray | None) -> np.ndarray:
        """float32 [len(indices), columns]; of the mirror images where `mirror` is true."""
        values = self.values[indices]
        return values if mirror is None else np.where(mirror[:, None], values * self.turns, values)


def read_attributes(data: TrainingSet, asked: Sequence[str]) -> Attributes:
    """Columns of the table beside a training set. A name with a minus before it turns its sign in the mirror: "-turn"; of a
    column of words "hair=blue" is 1 where the word stands, else 0.

    Raises KinesphereError where there is no table, no such column, a picture without a row, or a value that is no number.
    """
    place = data.path.with_name(data.path.stem + FACTORS_SUFFIX)
    try:
        with place.open(newline="", encoding="utf-8") as file:
            rows = {row.get(PICTURE) or "": row for row in csv.DictReader(file)}
    except (OSError, ValueError, csv.Error):
        raise KinesphereError(
            f"attributes are read from {place.name!r} beside the training set, and there is none that can be read: make it, a "
            f"CSV table with a column {PICTURE!r} and a column for each attribute, or leave attributes out"
        ) from None
    names = tuple(name.removeprefix("-") for name in asked)
    columns = next(iter(rows.values()), {})
    for column, _, word in (name.partition("=") for name in names):
        if column not in columns or column == PICTURE:
            there = ", ".join(sorted(str(column) for column in columns if column != PICTURE))
            raise KinesphereError(f"no attribute {column!r} in {place.name!r}: it has {there or 'none'}")
        words = {row[column] for row in rows.values()} if word else {word}
        if word not in words:
            raise KinesphereError(
                f"{column} is never {word!r} in {place.name!r}: it is {', '.join(sorted(words)[:20])}"
            )
    table = np.array([[_number(rows, place, picture, name) for name in names] for picture in data.names], np.float32)
    spread = table.std(0)
    table = (table - table.mean(0)) / np.where(spread > 0, spread, 1)
    return Attributes(names, table, np.array([-1 if name.startswith("-") else 1 for name in asked], np.float32))


def _number(rows: dict[str, dict[str, str]], place: Path, picture: str, name: str) -> float:
    if picture not in rows:
        raise KinesphereError(f"{place.name!r} has no row for {picture}: it needs one for each picture of the set")
    column, _, word = name.partition("=")
    said = rows[picture][column]
    if word:
        return float(said == word)
    try:
        value = float(said)
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        raise KinesphereError(
            f"{name} of {picture} in {place.name!r} is {said!r}: attributes are numbers, or words as {name}={said}"
        )
    return value


class AttributeHead(nn.Module):
    """A straight line from the last features of D to what is known of the pictures that D saw last.

    The auxiliary task of AC-GAN (Odena et al. 2017), learnt from real pictures alone. G is never asked for an attribute of one
    picture, so it has no reason to exaggerate. It is not kept with the model.
    """

    def __init__(self, D: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.names = list(names)
        last: Any = D.get_submodule("b4.fc")
        self.line = Dense(last.weight.shape[0], len(names))
        self.seen: Tensor | None = None
        last.register_forward_hook(self.look)

    def look(self, layer: nn.Module, given: tuple[Tensor, ...], features: Tensor) -> None:
        self.seen = features

    def forward(self) -> Tensor:
        """[N, columns] of the pictures that D saw last."""
        assert self.seen is not None
        return self.line(self.seen.float())


class AttributeLines(nn.Module):
    """Straight lines through W, one for each named attribute: learnt with G, which is asked to keep to them.

    A line tells numbers that vary as much as those read from real pictures do. Where it told less, as a line does that fits
    badly, G would be asked to draw all pictures alike.
    """

    spread: Tensor  # [names], the root mean square of what was read from real pictures: attributes have mean 0

    def __init__(self, w_dim: int, names: Sequence[str]) -> None:
        super().__init__()
        self.line = Dense(w_dim, len(names))
        self.register_buffer("spread", torch.ones(len(names)))

    def forward(self, ws: Tensor, natural: Tensor) -> Tensor:
        """[N, num_ws, w_dim] -> [N, names]; of mixed styles the mean over the rows counts. `natural` [M, num_ws, w_dim]: others."""
        others = self.line(natural.mean(1))
        return (self.line(ws.mean(1)) - others.mean(0)) / (others.std(0) + NO_SPREAD) * self.spread

    def follow(self, square: Tensor) -> None:
        """The mean square [names] of what has been read from some more real pictures."""
        self.spread.copy_(self.spread.square().lerp(square, SPREAD_DECAY).sqrt())


def attribute_loss(told: Tensor, known: Tensor) -> Tensor:
    """The mean square of what was told wrongly, in variances: 1 is what knowing nothing costs. A scalar."""
    return (told - known).square().mean()


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """How differently the columns of x [N, K] and y [M, K] are distributed: 2 E|x - y| - E|x - x'| - E|y - y'|, summed, a scalar.

    In one dimension that is twice the area between the squared distribution functions (Székely and Rizzo 2013). Pairs of a thing
    with itself are left out, so that the expectation does not depend on N and M, nor do its gradients (Bellemare et al. 2017).
    """
    return (2 * _gap(x, y).mean((0, 1)) - _within(x) - _within(y)).sum()


def _gap(x: Tensor, y: Tensor) -> Tensor:
    return (x[:, None] - y[None]).abs()  # [N, M, K]


def _within(x: Tensor) -> Tensor:
    """E|x - x'| over pairs of two rows, [K]."""
    return _gap(x, x).sum((0, 1)) / max(len(x) * (len(x) - 1), 1)


__all__ = ["AttributeHead", "AttributeLines", "Attributes", "attribute_loss", "energy_distance", "read_attributes"]
