"""A hand as numbers: how it is turned, where it is, how near, and what its fingers do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.keypoints.anatomy import FINGERS, HAND
from kinesphere.features.keypoints.identity import Chosen, Where
from kinesphere.features.keypoints.landmarks import Figure, placed
from kinesphere.features.keypoints.measuring import Measuring, sure
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError

WHICH = ("first", "left", "right")
MODELS = ("full", "lite")
PALM = [HAND.index[name] for name in ("wrist", "index knuckle", "middle knuckle", "ring knuckle", "little knuckle")]
CURLED, STRAIGHT = 0.45, 0.95  # wrist to tip over the way along the bones: of a fist, of a finger that is held out
ACROSS, OUT = 0.75, 1.45  # thumb's tip to the little knuckle, in palms: laid across the palm, held out


@dataclass
class Hand(Measuring):
    """One hand, the same one while others come and go.

    angle: radians, 0 upright, counter-clockwise. x, y: the palm's middle, distance: from the picture's middle, half heights. size:
    wrist to knuckles, half heights. openness, thumb ... little: 0 curled to 1 straight. pinch: 0 apart to 1 touching. spread:
    radians between index and little finger. seen: 0 to 1.
    """

    names: ClassVar[tuple[str, ...]] = (
        "angle", "x", "y", "distance", "size", "openness", "pinch", *FINGERS, "spread", "seen",
    )  # fmt: skip
    circular: ClassVar[frozenset[str]] = frozenset({"angle"})
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "angle": (-math.pi, math.pi), "x": (-1.0, 1.0), "y": (-1.0, 1.0), "distance": (0.0, 1.0), "size": (0.15, 0.7),
        "openness": (0.0, 1.0), "pinch": (0.0, 1.0), **dict.fromkeys(FINGERS, (0.0, 1.0)), "spread": (0.2, 0.9), "seen": (0.0, 1.0),
    }  # fmt: skip
    resting: ClassVar[Mapping[str, float]] = {
        "size": 0.4,
        "openness": 1.0,
        **dict.fromkeys(FINGERS, 1.0),
        "spread": 0.5,
    }

    which: str = "first"  # that is seen, or always a mirror's "left" or "right" one; two features give two hands
    hands: int = 2  # how many to look for, 1 to 4; 1 is quickest, but then others cannot be told from it
    model: str = "full"  # or "lite": quicker, and less exact

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.which not in WHICH:
            raise KinesphereError(f"which {self.which!r}: choose {', '.join(WHICH)}")
        if self.model not in MODELS:
            raise KinesphereError(f"no model {self.model!r} of hands: choose {', '.join(MODELS)}")
        if not 1 <= self.hands <= 4:
            raise KinesphereError(f"hands {self.hands!r}: give how many to look for, 1 to 4")

    def _task(self) -> Task:
        return Task("hand", self.source, self.hands, self.model, self.confidence, self.recording, self.seed)

    def _choice(self) -> Chosen:
        return Chosen(self.which)

    def _where(self, figure: Figure, size: tuple[int, int]) -> Where:
        palm = placed(figure.points, size)[PALM]
        return Where(palm[:, :2].mean(0), palm_size(palm), figure.left)

    def _numbers(self, figure: Figure, size: tuple[int, int]) -> np.ndarray:
        p = placed(figure.points, size)  # [21, 3]
        palm = p[PALM]
        x, y, _ = palm.mean(0)
        along, length = palm[2] - palm[0], palm_size(palm)  # wrist to middle knuckle
        at = HAND.index
        extensions = []
        for finger in FINGERS[1:]:
            knuckle = at[f"{finger} knuckle"]
            chain = np.vstack([p[0], p[knuckle : knuckle + 4]])
            way = np.linalg.norm(np.diff(chain, axis=0), axis=1).sum()
            extensions.append(np.linalg.norm(chain[-1] - chain[0]) / max(way, 1e-9))
        fingers = np.clip((np.array(extensions) - CURLED) / (STRAIGHT - CURLED), 0, 1)
        out = np.linalg.norm(p[at["thumb tip"]] - p[at["little knuckle"]]) / length
        thumb = np.clip((out - ACROSS) / (OUT - ACROSS), 0, 1)
        apart = np.linalg.norm(p[at["thumb tip"]] - p[at["index tip"]]) / length
        index, little = (p[at[f"{f} joint"]] - p[at[f"{f} knuckle"]] for f in ("index", "little"))
        spread = math.acos(np.clip(index @ little / max(np.linalg.norm(index) * np.linalg.norm(little), 1e-9), -1, 1))
        return np.array([
            math.atan2(-along[0], along[1]), x, y, math.hypot(x, y), length,
            fingers.mean(), np.clip(1 - apart, 0, 1), thumb, *fingers, spread, sure(figure),
        ])  # fmt: skip


def palm_size(palm: np.ndarray) -> float:
    """Mean distance from the wrist to the knuckles, of [5, 3] places; in space, so that a hand that tips does not shrink."""
    return max(float(np.linalg.norm(palm[1:] - palm[0], axis=1).mean()), 1e-9)
