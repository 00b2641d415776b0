"""Figures that nobody moves: a hand, a body and a face in closed form, to play without a camera and to test with.

`hand`, `body` and `face` give the points for a posture that is told in the features' own numbers; `Synthetic` lets them move, each
number by two slow swings of its own. Places are in half heights of the picture: right, up, towards the viewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kinesphere.features.keypoints.anatomy import BODY, FACE, FINGERS, HAND
from kinesphere.features.keypoints.landmarks import Figure, Sighting, pictured
from kinesphere.features.keypoints.task import Task
from kinesphere.types import Signal

# --- a hand -----------------------------------------------------------------------------------------------------------

# In lengths of the palm, from the wrist to the middle knuckle; palm to the viewer, thumb on the right: a mirror's left hand.
KNUCKLES = {"index": (0.30, 0.97), "middle": (0.0, 1.0), "ring": (-0.26, 0.93), "little": (-0.48, 0.80)}
BONES = {
    "index": (0.50, 0.30, 0.24),
    "middle": (0.54, 0.34, 0.25),
    "ring": (0.50, 0.31, 0.25),
    "little": (0.39, 0.23, 0.22),
}
FAN = {"index": -0.55, "middle": 0.0, "ring": 0.2, "little": 0.45}  # of the angle between index and little finger
BENDS = np.radians([80.0, 100.0, 60.0])  # of a fist, at the three joints of a finger
THUMB_BASE, THUMB_BONES = (0.28, 0.20), (0.42, 0.34, 0.28)


def hand(
    angle: float = 0.0,
    x: float = 0.0,
    y: float = 0.0,
    size: float = 0.4,
    curls: Sequence[float] | np.ndarray = (0, 0, 0, 0, 0),
    spread: float = 0.5,
    pinch: float = 0.0,
    side: str = "left",
    turn: float = 0.0,
    tip: float = 0.0,
) -> np.ndarray:
    """[21, 3] places of a hand whose palm's middle is at `x`, `y`.

    angle: radians, 0 upright. size: mean distance from wrist to knuckles, half heights. curls: of each finger from the thumb, 0
    straight to 1 in a fist. spread: radians between index and little finger. pinch: how much of the way thumb and index go to
    meet. turn, tip: radians out of the picture's plane, about the hand's long and cross axis.
    """
    points = {"wrist": np.zeros(3)}
    for finger, curl in zip(FINGERS, curls, strict=True):
        parts = [name for name in HAND.names if name.startswith(finger)]
        if finger == "thumb":
            here, bends = np.array([*THUMB_BASE, 0.05]), np.radians([-42, -36, -30]) + curl * np.radians([52, 75, 95])
            points[parts[0]] = here
            for name, bone, bend in zip(parts[1:], THUMB_BONES, bends, strict=True):
                here = here + bone * np.array([-math.sin(bend), math.cos(bend), 0.5 * curl])
                points[name] = here
            continue
        here = np.array([*KNUCKLES[finger], 0.0])
        fan = FAN[finger] * spread
        along = np.array([-math.sin(fan), math.cos(fan), 0.0])
        points[parts[0]] = here
        for name, bone, bend in zip(parts[1:], BONES[finger], np.cumsum(curl * BENDS), strict=True):
            here = here + bone * (math.cos(bend) * along + math.sin(bend) * np.array([0.0, 0.0, 1.0]))
            points[name] = here
    together = (points["thumb tip"] + points["index tip"]) / 2
    for name in ("thumb tip", "index tip"):
        points[name] = points[name] + pinch * (together - points[name])
    places = np.array([points[name] for name in HAND.names])
    if side == "right":
        places[:, 0] *= -1
    palm = [HAND.index[name] for name in PALM]
    places = places @ (_about_z(angle) @ _about_y(turn) @ _about_x(tip)).T
    places *= size / np.linalg.norm(places[palm[1:]] - places[0], axis=1).mean()
    places[:, :2] += [x, y] - places[palm, :2].mean(0)
    return places


PALM = ("wrist", "index knuckle", "middle knuckle", "ring knuckle", "little knuckle")

# --- a body -----------------------------------------------------------------------------------------------------------


def body(
    x: float = 0.0,
    y: float = 0.0,
    size: float = 0.5,
    lean: float = 0.0,
    shoulders: tuple[float, float] = (0.3, 0.3),
    elbows: tuple[float, float] = (math.pi, math.pi),
    hips: tuple[float, float] = (math.pi - 0.1, math.pi - 0.1),
    knees: tuple[float, float] = (math.pi, math.pi),
) -> np.ndarray:
    """[33, 3] places of a body, facing the viewer, whose trunk's middle is at `x`, `y`.

    size: length of the trunk, half heights. lean: radians, 0 upright. The pairs are the left and the right one's angle in radians:
    shoulders 0 hanging to pi overhead, elbows and knees pi straight, hips pi standing.
    """
    points = {name: np.array([0.0, 0.5 + up, 0.1]) for name, up in (("nose", 0.42),)}
    for side, sign, shoulder, elbow, hip, knee in zip(
        ("left", "right"), (-1.0, 1.0), shoulders, elbows, hips, knees, strict=True
    ):
        for part, out, up in (
            ("eye inner", 0.03, 0.5), ("eye", 0.06, 0.5), ("eye outer", 0.09, 0.5), ("ear", 0.15, 0.46), ("mouth", 0.05, 0.33),
            ("shoulder", 0.34, 0.0), ("hip", 0.20, -1.0),
        ):  # fmt: skip
            points[f"{side} {part}"] = np.array([sign * out, 0.5 + up, 0.0])
        trunk = points[f"{side} hip"] - points[f"{side} shoulder"]
        upper = _turned(trunk / np.linalg.norm(trunk), sign * shoulder)
        points[f"{side} elbow"] = points[f"{side} shoulder"] + 0.58 * upper
        lower = _turned(-upper, -sign * elbow)
        wrist = points[f"{side} wrist"] = points[f"{side} elbow"] + 0.50 * lower
        for part, along, out in (("little", 0.16, 0.05), ("index", 0.18, 0.0), ("thumb", 0.09, -0.06)):
            points[f"{side} {part}"] = wrist + along * lower + out * _turned(lower, math.pi / 2)
        thigh = _turned(-trunk / np.linalg.norm(trunk), -sign * hip)
        points[f"{side} knee"] = points[f"{side} hip"] + 0.80 * thigh
        shin = _turned(-thigh, -sign * knee)
        ankle = points[f"{side} ankle"] = points[f"{side} knee"] + 0.78 * shin
        points[f"{side} heel"], points[f"{side} toe"] = ankle + 0.08 * shin, ankle + 0.12 * shin + [sign * 0.1, 0, 0.1]
    places = np.array([points[name] for name in BODY.names]) @ _about_z(lean).T * size
    places[:, :2] += [x, y]
    return places


def _turned(v: np.ndarray, angle: float) -> np.ndarray:
    """A vector turned in the picture's plane, counter-clockwise by `angle` radians."""
    return _about_z(angle) @ v


# --- a face -----------------------------------------------------------------------------------------------------------


def face(
    x: float = 0.0,
    y: float = 0.0,
    size: float = 0.3,
    yaw: float = 0.0,
    pitch: float = 0.0,
    roll: float = 0.0,
    mouth: float = 0.0,
    smile: float = 0.0,
    brow: float = 0.25,
    lids: float = 0.3,
    gaze: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """[39, 3] places of a face whose outline's middle is at `x`, `y`.

    size: between the outer corners of the eyes, half heights; what follows is in that unit. yaw, pitch, roll: radians; to the
    right, up, counter-clockwise. mouth: its opening. smile: how high its corners are above its middle. brow: its height above
    the eye. lids: the opening of an eye over its width. gaze: of the iris from the eye's middle, right and up, in half widths of
    the eye.
    """
    points: dict[str, tuple[float, float, float]] = {
        "forehead": (0, 0.65, 0.1 + 1.95 * math.tan(LEVEL)), "chin": (0, -1.3, 0.1), "between eyes": (0, 0.05, 0.2),
        "nose tip": (0, -0.4, 0.5), "under nose": (0, -0.55, 0.3), "upper lip": (0, -0.7, 0.28),
        "lower lip": (0, -0.9 - mouth, 0.25), "upper inner lip": (0, -0.8, 0.27), "lower inner lip": (0, -0.8 - mouth, 0.27),
    }  # fmt: skip
    for side, sign in (("left", -1.0), ("right", 1.0)):
        width = 0.33
        middle = sign * (0.5 - width / 2)
        for part, out, up, near in (
            ("temple", 0.75, 0.3, -0.3), ("cheek", 0.82, -0.2, -0.5), ("jaw", 0.62, -0.85, -0.3),
            ("eye outer", 0.5, 0, 0), ("eye inner", 0.5 - width, 0, 0), ("brow outer", 0.55, brow - 0.03, 0.05),
            ("brow", 0.36, brow, 0), ("brow inner", 0.14, brow - 0.03, 0.12), ("mouth", 0.29, -0.8 - mouth / 2 + smile, 0.27),
            ("inner mouth", 0.25, -0.8 - mouth / 2 + smile, 0.27),
        ):  # fmt: skip
            points[f"{side} {part}"] = (sign * out, up, near)
        for part, along in (("", 0.0), ("second ", -0.04 * sign)):
            points[f"{side} {part}upper lid"] = (middle + along, lids * width / 2, 0)
            points[f"{side} {part}lower lid"] = (middle + along, -lids * width / 2, 0)
        points[f"{side} iris"] = (middle + gaze[0] * width / 2, gaze[1] * width / 2, 0)
    places = np.array([points[name] for name in FACE.names], np.float64)
    places = places @ (_about_y(yaw) @ _about_x(-pitch) @ _about_z(roll)).T * size
    outline = [FACE.index[name] for name in OUTLINE]
    places[:, :2] += [x, y] - places[outline, :2].mean(0)
    return places


LEVEL = 0.1  # radians that the line from chin to forehead leans forward
OUTLINE = ("forehead", "left cheek", "right cheek", "chin")


def _about_x(a: float) -> np.ndarray:
    return np.array([[1, 0, 0], [0, math.cos(a), -math.sin(a)], [0, math.sin(a), math.cos(a)]])


def _about_y(a: float) -> np.ndarray:
    return np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])


def _about_z(a: float) -> np.ndarray:
    return np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])


# --- moving by themselves ---------------------------------------------------------------------------------------------


def figure(places: np.ndarray, size: tuple[int, int], left: float = 0.5) -> Figure:
    """A figure as a tracker would see it in a picture of `size` (width, height)."""
    return Figure(pictured(places, size), np.ones(len(places)), 1.0, left)


class Swings:
    """Numbers from -1 to 1 that sway, each at two rates of its own: the same for the same seed and time."""

    def __init__(self, seed: int, count: int) -> None:
        rng = np.random.RandomState(seed)
        self.periods = rng.uniform(3.0, 11.0, (2, count))  # seconds
        self.phases = rng.uniform(0, 2 * math.pi, (2, count))

    def __call__(self, t: float) -> np.ndarray:
        """[count]"""
        return np.sin(2 * math.pi * t / self.periods + self.phases).mean(0)


class Synthetic:
    """Two hands, or one body or face, that move by themselves; no picture is looked at, only its shape and its time."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def open(self) -> None:
        self._swings = Swings(self.task.seed, 24)

    def __call__(self, signal: Signal) -> Sighting:
        height, width = signal.value.shape[:2]
        size = (width, height)
        figures = {"hand": self._hands, "body": self._body, "face": self._face}[self.task.kind](signal.t, size)
        return Sighting(signal.t, size, tuple(figures[: self.task.most]))

    def close(self) -> None:
        """Nothing is held open."""

    def _hands(self, t: float, size: tuple[int, int]) -> list[Figure]:
        far = size[0] / size[1]
        hands = []
        for side, sign, s in (("left", -1, self._swings(t)[:12]), ("right", 1, self._swings(t)[12:])):
            curls = np.clip(0.5 + 0.7 * s[:5], 0, 1)
            places = hand(
                1.6 * s[5],
                far * (0.5 * sign + 0.4 * s[6]),
                0.5 * s[7],
                0.35 + 0.15 * s[8],
                curls,
                0.5 + 0.4 * s[9],
                side=side,
            )
            hands.append(figure(places, size, 0.95 if side == "left" else 0.05))
        return hands

    def _body(self, t: float, size: tuple[int, int]) -> list[Figure]:
        s = self._swings(t)
        raised, bent = 1.6 + 1.5 * s[:2], math.pi - 0.8 * (1 + s[2:4])
        stance, knees = math.pi - 0.25 * (1 + s[4:6]), math.pi - 0.4 * (1 + s[6:8])
        places = body(
            0.5 * s[8], 0.2 * s[9], 0.45 + 0.1 * s[10], 0.3 * s[11], tuple(raised), tuple(bent), tuple(stance), tuple(knees)
        )  # fmt: skip
        return [figure(places, size)]

    def _face(self, t: float, size: tuple[int, int]) -> list[Figure]:
        s = self._swings(t)
        lids = 0.3 * min(1.0, 4 * abs(math.sin(math.pi * t / 3.7)))  # a blink every 3.7 seconds
        places = face(
            0.5 * s[0], 0.2 * s[1], 0.35 + 0.1 * s[2], 0.6 * s[3], 0.4 * s[4], 0.4 * s[5], max(0.0, 0.4 * s[6]), 0.03 + 0.08 * s[7],
            0.27 + 0.07 * s[8], lids, (0.4 * s[9], 0.3 * s[10]),
        )  # fmt: skip
        return [figure(places, size)]
