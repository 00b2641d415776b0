"""A face as numbers: where it looks, where it is, and what mouth, brows and eyes do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.keypoints.anatomy import FACE
from kinesphere.features.keypoints.identity import Chosen, Where
from kinesphere.features.keypoints.landmarks import Figure, placed
from kinesphere.features.keypoints.measuring import Measuring, sure
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError

OUTLINE = [FACE.index[name] for name in ("forehead", "left cheek", "right cheek", "chin")]
SHUT, OPEN = 0.08, 0.28  # opening of the lids over the eye's width: of shut and of open eyes
LEVEL = 0.1  # radians that the line from chin to forehead leans forward in a face that looks straight ahead; bench/keypoints.py
SIDES = ("left", "right")


@dataclass
class Face(Measuring):
    """One face, the same one while others come and go.

    yaw, pitch, roll: radians; to the right, up, counter-clockwise; 0 looks at the viewer. x, y: the outline's middle, distance:
    from the picture's middle, half heights. size: between the outer corners of the eyes, half heights: how near it is. In that
    unit mouth (its opening), smile (how high its corners are above its middle; below 0 they hang) and brow (height above the
    eyes). blink: 0 open to 1 shut. gaze_x, gaze_y: of the irises from the middle of the eyes, right and up, in half widths of an
    eye. seen: 0 to 1.
    """

    names: ClassVar[tuple[str, ...]] = (
        "yaw", "pitch", "roll", "x", "y", "distance", "size", "mouth", "smile", "brow", "blink", "gaze_x", "gaze_y", "seen",
    )  # fmt: skip
    circular: ClassVar[frozenset[str]] = frozenset({"roll"})
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "yaw": (-0.8, 0.8), "pitch": (-0.5, 0.5), "roll": (-0.6, 0.6), "x": (-1.0, 1.0), "y": (-1.0, 1.0), "distance": (0.0, 1.0),
        "size": (0.1, 0.6), "mouth": (0.0, 0.5), "smile": (-0.05, 0.1), "brow": (0.2, 0.4), "blink": (0.0, 1.0),
        "gaze_x": (-0.4, 0.4), "gaze_y": (-0.3, 0.3), "seen": (0.0, 1.0),
    }  # fmt: skip
    resting: ClassVar[Mapping[str, float]] = {"size": 0.3, "brow": 0.28}

    faces: int = 1  # how many to look for, 1 to 4; with more than 1 it keeps to the one that came first

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.faces <= 4:
            raise KinesphereError(f"faces {self.faces!r}: give how many to look for, 1 to 4")

    def _task(self) -> Task:
        return Task("face", self.source, self.faces, "full", self.confidence, self.recording, self.seed)

    def _choice(self) -> Chosen:
        return Chosen("first")

    def _where(self, figure: Figure, size: tuple[int, int]) -> Where:
        p = placed(figure.points, size)
        return Where(p[OUTLINE, :2].mean(0), eye_distance(p))

    def _numbers(self, figure: Figure, size: tuple[int, int]) -> np.ndarray:
        p = placed(figure.points, size)  # [39, 3]
        at = FACE.index
        x, y, _ = p[OUTLINE].mean(0)
        unit, (right, up, ahead) = eye_distance(p), axes(p)
        yaw, pitch, roll = turned(right, ahead)

        def way(a: str, b: str) -> np.ndarray:
            return p[at[b]] - p[at[a]]

        brows, lids, gazes = [], [], []
        for side in SIDES:
            outer, inner = p[at[f"{side} eye outer"]], p[at[f"{side} eye inner"]]
            middle, width = (outer + inner) / 2, max(float(np.linalg.norm(outer - inner)), 1e-9)
            brows.append((p[at[f"{side} brow"]] - middle) @ up / unit)
            opening = [np.linalg.norm(way(f"{side} {n}upper lid", f"{side} {n}lower lid")) for n in ("", "second ")]
            lids.append(np.mean(opening) / width)
            off = (p[at[f"{side} iris"]] - middle) / (width / 2)
            gazes.append((off @ right, off @ up))
        mouth = np.linalg.norm(way("upper inner lip", "lower inner lip")) / unit
        corners, lips = (
            (p[at[a]] + p[at[b]]) / 2
            for a, b in (("left mouth", "right mouth"), ("upper inner lip", "lower inner lip"))
        )
        smile = (corners - lips) @ up / unit
        blink = np.clip((OPEN - np.mean(lids)) / (OPEN - SHUT), 0, 1)
        return np.array([
            yaw, pitch, roll, x, y, math.hypot(x, y), unit, mouth, smile, np.mean(brows), blink, *np.mean(gazes, axis=0),
            sure(figure),
        ])  # fmt: skip


def eye_distance(p: np.ndarray) -> float:
    """Between the outer corners of the eyes, of [39, 3] places; in space, so that a face that turns does not shrink."""
    return max(float(np.linalg.norm(p[FACE.index["right eye outer"]] - p[FACE.index["left eye outer"]])), 1e-9)


def axes(p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right, up and ahead of a face, unit vectors: from what its expressions move least, the eyes' corners, cheeks and forehead."""
    at = FACE.index
    right = sum(p[at[f"right {part}"]] - p[at[f"left {part}"]] for part in ("eye outer", "cheek"))
    up = p[at["forehead"]] - p[at["chin"]]
    right = right / max(float(np.linalg.norm(right)), 1e-9)
    up = up - (up @ right) * right
    up = up / max(float(np.linalg.norm(up)), 1e-9)
    ahead = np.cross(right, up)
    cos, sin = math.cos(LEVEL), math.sin(LEVEL)
    return right, cos * up - sin * ahead, cos * ahead + sin * up


def turned(right: np.ndarray, ahead: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch and roll of a head that was rolled about its own axis first, then pitched, then yawed; radians."""
    yaw, pitch = math.atan2(ahead[0], ahead[2]), math.asin(np.clip(ahead[1], -1, 1))
    level = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])  # right, before it was rolled
    return yaw, pitch, math.atan2(float(np.cross(level, right) @ ahead), float(level @ right))
