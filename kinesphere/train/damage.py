"""Portraits with something wrong, and known to be wrong: what teaches the judge that an eye is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import skia
from PIL import Image

from kinesphere.studio import squares
from kinesphere.train import painting
from kinesphere.train.portraits import draw_factors

PARTS = ("left eye", "right eye", "mouth")  # what a whole face has
KINDS = ("whole", "gone", "moved", "doubled")  # of a part
AWAY = (5.5, 10.0)  # how far a moved part lies from its place, and a double from its twin, in units of the head


@dataclass(frozen=True)
class Damage:
    """What is wrong with one portrait: for each of PARTS one of KINDS, and how far (x, y) it went in units of the head."""

    kinds: tuple[str, str, str] = ("whole", "whole", "whole")
    offsets: tuple[tuple[float, float], ...] = ((0.0, 0.0),) * 3
    fused: bool = False  # one eye in the middle instead of two
    bald_brows: bool = False  # a missing eye has lost its brow too

    def in_place(self) -> np.ndarray:
        """bool [3]: which of PARTS are where they belong, once each."""
        there = np.array([kind == "whole" for kind in self.kinds])
        there[:2] &= not self.fused
        return there


def draw_damage(seed: int, index: int) -> Damage:
    """What is wrong with portrait `index` of the stream `seed`: one part in most cases, sometimes two or all."""
    rng = np.random.default_rng((seed, index, 1))
    fused = bool(rng.random() < 0.08)
    hurt = rng.permutation(3)[: rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1])]
    kinds, offsets = ["whole"] * 3, [(0.0, 0.0)] * 3
    for part in hurt if not fused else ():
        kinds[part] = str(rng.choice(KINDS[1:], p=[0.55, 0.25, 0.2]))
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(*AWAY)
        offsets[part] = (float(far * np.cos(angle)), float(far * np.sin(angle)))
    return Damage(tuple(kinds), tuple(offsets), fused, bool(rng.random() < 0.3))  # type: ignore[arg-type]


class Careless(painting.Painter):
    """A painter who leaves things out, puts them in the wrong place, or paints them twice."""

    def __init__(self, canvas: skia.Canvas, f: Mapping[str, Any], damage: Damage) -> None:
        super().__init__(canvas, f)
        self.damage = damage

    def eye(self, s: int) -> None:
        if self.damage.fused:
            if s == -1:
                self.middle_eye()
            return
        self._part((s + 1) // 2, lambda: super(Careless, self).eye(s))

    def middle_eye(self) -> None:
        """The left eye, moved to where the nose begins."""
        a, v, _ = self.eye_place(-1)
        by = self.head.at(0, v)[0] - self.head.at(a, v)[0]
        self._moved((by, 0.0), lambda: super(Careless, self).eye(-1))

    def mouth(self) -> None:
        self._part(2, super().mouth)

    def brow(self, s: int) -> None:
        if not (self.damage.bald_brows and self.damage.kinds[(s + 1) // 2] == "gone"):
            super().brow(s)

    def _part(self, number: int, paint: Any) -> None:
        kind = self.damage.kinds[number]
        if kind in ("whole", "doubled"):
            paint()
        if kind in ("moved", "doubled"):
            self._moved(self.damage.offsets[number], paint)

    def _moved(self, by: tuple[float, float], paint: Any) -> None:
        self.c.save()
        self.c.translate(*by)
        paint()
        self.c.restore()


def paint_intact(seed: int, index: int, size: int) -> np.ndarray:
    """Portrait `index` of a stream, [3, size, size]: painted twice as large and reduced, as a training set is read."""
    return _reduced(painting.paint(draw_factors(seed, index), 2 * size))


def paint_damaged(seed: int, index: int, size: int) -> np.ndarray:
    """The same with what `draw_damage` says is wrong with it."""
    damage = draw_damage(seed, index)
    return _reduced(painting.paint(draw_factors(seed, index), 2 * size, lambda c, f: Careless(c, f, damage)))


def _reduced(picture: np.ndarray) -> np.ndarray:
    half = picture.shape[0] // 2
    return np.asarray(squares.resized(Image.fromarray(picture), (half, half))).transpose(2, 0, 1)
