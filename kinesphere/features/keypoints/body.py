"""A body as numbers: where it is, how it leans and bends, and how far it reaches: the kinesphere itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.keypoints.anatomy import BODY
from kinesphere.features.keypoints.identity import Chosen, Where
from kinesphere.features.keypoints.landmarks import Figure, placed
from kinesphere.features.keypoints.measuring import Measuring, sure
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError

SIDES = ("left", "right")
JOINTS = {  # where the angle is, between which two others
    "shoulder": ("hip", "elbow"), "elbow": ("shoulder", "wrist"), "hip": ("shoulder", "knee"), "knee": ("hip", "ankle"),
}  # fmt: skip
LIMBS = {"arm": "wrist", "leg": "ankle"}
SHOULDERS = 0.7  # their distance, in trunks, of most people: it tells the scale where the trunk is bent away from view
HIDDEN = 0.5  # a point that is less surely seen than this is not known


@dataclass
class Body(Measuring):
    """One person, the same one while others come and go.

    x, y: the trunk's middle, distance: from the picture's middle, size: the trunk's length; half heights. lean: radians, 0
    upright, counter-clockwise. left_arm ... right_leg: how far wrist and ankle are from the trunk's middle, reach: the mean of
    the four; lengths of the trunk. left_elbow ...: radians, pi straight; shoulders 0 hanging, pi overhead. seen: 0 to 1. Each of
    `points` adds its own distance from the trunk's middle, in lengths of the trunk: "left index" is left_index.
    """

    NAMES: ClassVar[tuple[str, ...]] = (
        "x", "y", "distance", "size", "lean", "reach", *(f"{side}_{limb}" for limb in LIMBS for side in SIDES),
        *(f"{side}_{joint}" for joint in JOINTS for side in SIDES),
    )  # fmt: skip
    circular: ClassVar[frozenset[str]] = frozenset({"lean"})
    resting: ClassVar[Mapping[str, float]] = {
        "size": 0.5, "reach": 1.3, **{name: 1.3 for name in NAMES if name.endswith(("arm", "leg"))},
        **{f"{side}_{joint}": 0.3 if joint == "shoulder" else math.pi for joint in JOINTS for side in SIDES},
    }  # fmt: skip

    person: int = 0  # who came first (0), second (1) ...; MediaPipe sees one person only
    points: tuple[
        str, ...
    ] = ()  # whose distance from the trunk's middle is told too: "nose", "left elbow", ... of anatomy.BODY

    def __post_init__(self) -> None:
        super().__post_init__()
        self.points = tuple(self.points)
        for point in self.points:
            if point not in BODY.index:
                raise KinesphereError(f"no point {point!r} of a body: choose {', '.join(BODY.names)}")
        if len(set(self.points)) < len(self.points):
            raise KinesphereError(f"points {list(self.points)!r}: name each one once")
        if not 0 <= self.person < MOST:
            raise KinesphereError(
                f"person {self.person!r}: give 0 for who came first, 1 for the next, up to {MOST - 1}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.NAMES, *(point.replace(" ", "_") for point in self.points), "seen")

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Where a new route on each number begins."""
        fixed = {
            "x": (-1.0, 1.0), "y": (-1.0, 1.0), "distance": (0.0, 1.0), "size": (0.2, 1.0), "lean": (-math.pi / 4, math.pi / 4),
            "reach": (0.8, 2.0), "seen": (0.0, 1.0),
        }  # fmt: skip
        joints = {f"{side}_{joint}": (0.0, math.pi) for joint in JOINTS for side in SIDES}
        return {name: fixed.get(name) or joints.get(name) or (0.3, 2.2) for name in self.names}

    def _task(self) -> Task:
        return Task("body", self.source, MOST, "full", self.confidence, self.recording, self.seed)

    def _choice(self) -> Chosen:
        return Chosen("first", self.person)

    def _where(self, figure: Figure, size: tuple[int, int]) -> Where:
        p = placed(figure.points, size)
        return Where(_middle(p)[:2], trunk_length(p))

    def _numbers(self, figure: Figure, size: tuple[int, int]) -> np.ndarray:
        p = placed(figure.points, size)  # [33, 3]
        at, visible, middle, trunk = BODY.index, figure.visible, _middle(p), trunk_length(p)
        up = _shoulders(p) - _hips(p)

        def known(value: float, *names: str) -> float:
            return value if min(visible[at[name]] for name in names) >= HIDDEN else math.nan

        def far(name: str) -> float:
            return float(np.linalg.norm(p[at[name]] - middle)) / trunk

        ends = [f"{side} {end}" for end in LIMBS.values() for side in SIDES]
        limbs = [known(far(end), end) for end in ends]
        weights = (
            np.array([visible[at[end]] for end in ends]) + 1e-9
        )  # so that an end that goes out of sight leaves no jump
        reach = float(np.average([far(end) for end in ends], weights=weights))
        joints = []
        for joint, (before, after) in JOINTS.items():
            for side in SIDES:
                names = f"{side} {before}", f"{side} {joint}", f"{side} {after}"
                joints.append(known(bend(*(p[at[name]] for name in names)), *names))
        return np.array([
            middle[0], middle[1], math.hypot(middle[0], middle[1]), trunk, math.atan2(-up[0], up[1]), reach,
            *limbs, *joints, *(known(far(point), point) for point in self.points), sure(figure),
        ])  # fmt: skip


MOST = 8  # people to carry


def bend(a: np.ndarray, joint: np.ndarray, b: np.ndarray) -> float:
    """The angle at a joint between two other points, in space: 0 folded, pi straight."""
    u, v = a - joint, b - joint
    return math.atan2(
        float(np.linalg.norm(np.cross(u, v))), float(u @ v)
    )  # exact also near 0 and pi, where acos is not


def trunk_length(p: np.ndarray) -> float:
    """From the shoulders' middle to the hips', of [33, 3] places; where it is bent away from view, by the shoulders' distance."""
    across = np.linalg.norm(p[BODY.index["left shoulder"]] - p[BODY.index["right shoulder"]])
    return max(float(np.linalg.norm((_shoulders(p) - _hips(p))[:2])), float(across) / SHOULDERS, 1e-9)


def _shoulders(p: np.ndarray) -> np.ndarray:
    return (p[BODY.index["left shoulder"]] + p[BODY.index["right shoulder"]]) / 2


def _hips(p: np.ndarray) -> np.ndarray:
    return (p[BODY.index["left hip"]] + p[BODY.index["right hip"]]) / 2


def _middle(p: np.ndarray) -> np.ndarray:
    return (_shoulders(p) + _hips(p)) / 2
