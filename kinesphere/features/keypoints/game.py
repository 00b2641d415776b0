"""A game for one finger: it bats discs about, and how lively they are is a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from kinesphere.features.discs import Game, Table
from kinesphere.features.keypoints.anatomy import HAND
from kinesphere.features.keypoints.hand import Hand
from kinesphere.features.keypoints.landmarks import Figure, placed
from kinesphere.features.keypoints.measuring import sure
from kinesphere.types import KinesphereError, Overlay, Signal, check_all

TIP = HAND.index["index tip"]
MOST = 24


@dataclass
class Discs(Hand):
    """Discs that float before the player; the tip of the index finger of one hand bats them.

    energy: 0 at rest, 0.63 (1 - 1/e) where the discs move by `lively`, to 1. x, y: their middle, half heights from the picture's
    middle. seen: 0 to 1, the hand.
    """

    names: ClassVar[tuple[str, ...]] = ("energy", "x", "y", "seen")
    circular: ClassVar[frozenset[str]] = frozenset()
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "energy": (0.0, 1.0), "x": (-1.0, 1.0), "y": (-1.0, 1.0), "seen": (0.0, 1.0),
    }  # fmt: skip
    resting: ClassVar[Mapping[str, float]] = {}

    discs: int = 7
    radius: float = 0.18  # half heights of the picture, around which they lie
    calm: float = 3.0  # seconds in which their speed fades
    lively: float = 0.7  # half heights a second: how quickly they move after a good stroke
    layout: int = 0  # another number, another beginning

    def __post_init__(self) -> None:
        check_all(super().__post_init__, self._check_game)

    def _check_game(self) -> None:
        if not 1 <= self.discs <= MOST:
            raise KinesphereError(f"discs {self.discs!r}: give 1 to {MOST}")
        if not 0.02 <= self.radius <= 0.6:
            raise KinesphereError(f"radius {self.radius!r}: give half heights of the picture, 0.02 to 0.6")
        for name in ("calm", "lively"):
            if not 0 < getattr(self, name) < math.inf:
                raise KinesphereError(f"{name} {getattr(self, name)!r}: give more than 0, for instance 1.0")
        if not 0 <= self.layout < 2**32:
            raise KinesphereError(f"layout {self.layout!r}: give a whole number from 0 to 4294967295")

    def open(self, checkpoint: object = None) -> None:
        super().open(checkpoint)
        self._game: Game | None = None
        self._aspect = 0.0

    def __call__(self, signal: Signal) -> np.ndarray:
        self._tip: np.ndarray | None = None
        said = super().__call__(signal)  # finds the hand, and where its finger is
        height, width = signal.value.shape[:2]
        if self._game is None or self._aspect != width / height:
            self._aspect = width / height
            self._game = Game(self._aspect, self.discs, self.radius, self.calm, self.layout)
        table = self._game.play(signal.t, np.zeros((0, 2)) if self._tip is None else self._tip[None])
        x, y = (table.mass[:, None] * table.at).sum(0)
        return np.array([-math.expm1(-table.energy / self.lively**2), x, y, said[-1]])

    def _numbers(self, figure: Figure, size: tuple[int, int]) -> np.ndarray:
        self._tip = placed(figure.points, size)[TIP, :2]
        return np.array([0.0, 0.0, 0.0, sure(figure)])

    def overlay(self) -> Overlay:
        """The hand, and the discs as they lie now."""
        hand, table = super().overlay(), self.table()
        if table is None:
            return hand
        x, y = (table.at[:, 0] / table.aspect + 1) / 2, (1 - table.at[:, 1]) / 2
        discs = np.round(np.stack([x, y, table.radius / 2], 1), 4).tolist()
        return replace(hand, circles=tuple(tuple(disc) for disc in discs))

    def table(self) -> Table | None:
        """The discs as they lie now; None before the first picture."""
        return self._game.table if self._game else None
