"""The points of a hand, a body and a face that are looked for: their names, and which of them belong together.

Left and right are those of a mirror, as a camera shows one: what is on the left of the picture when somebody faces it. For who
looks into a mirror that is their own left; in a film of somebody it is the other one's right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

FINGERS = ("thumb", "index", "middle", "ring", "little")


@dataclass(frozen=True)
class Anatomy:
    """What a figure of one kind is made of."""

    names: tuple[str, ...]  # of its points, in the order in which they stand
    lines: tuple[tuple[str, str], ...]  # pairs of names that are joined where it is drawn
    numbers: tuple[int, ...]  # of the same points among MediaPipe's landmarks

    @cached_property
    def index(self) -> Mapping[str, int]:
        """From the name of a point to its place in the order."""
        return {name: i for i, name in enumerate(self.names)}


def _chain(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple(pairwise(names))


def _hand() -> Anatomy:
    """21 points: the wrist, and four for each finger, from the palm to the tip."""
    names: list[str] = ["wrist"]
    lines: list[tuple[str, str]] = []
    for finger in FINGERS:
        parts = ("base", "knuckle", "joint", "tip") if finger == "thumb" else ("knuckle", "joint", "last joint", "tip")
        names += [f"{finger} {part}" for part in parts]
        lines += _chain(*names[-4:])
    knuckles = [f"{finger} knuckle" for finger in FINGERS[1:]]
    lines += _chain("thumb base", "wrist", *knuckles, "wrist")
    return Anatomy(tuple(names), tuple(lines), tuple(range(21)))


def _body() -> Anatomy:
    """33 points. MediaPipe names sides as the body has them, seen from outside: its right shoulder is a mirror's left one."""
    eyes = [f"{side} eye {part}".strip() for side in ("right", "left") for part in ("inner", "", "outer")]
    pairs = [
        "ear",
        "mouth",
        "shoulder",
        "elbow",
        "wrist",
        "little",
        "index",
        "thumb",
        "hip",
        "knee",
        "ankle",
        "heel",
        "toe",
    ]
    names = ["nose", *eyes, *(f"{side} {part}" for part in pairs for side in ("right", "left"))]
    lines = [("left shoulder", "right shoulder"), ("left hip", "right hip"), ("left mouth", "right mouth")]
    for side in ("left", "right"):
        lines += _chain(
            *(f"{side} {part}" for part in ("shoulder", "elbow", "wrist", "index", "little", "wrist", "thumb"))
        )
        lines += _chain(*(f"{side} {part}" for part in ("shoulder", "hip", "knee", "ankle", "heel", "toe", "ankle")))
        lines += _chain("nose", f"{side} eye inner", f"{side} eye", f"{side} eye outer", f"{side} ear")
    return Anatomy(tuple(names), tuple(lines), tuple(range(33)))


def _face() -> Anatomy:
    """40 points of the 478: what the numbers of a face are measured from, and an outline to draw."""
    middle = {
        "forehead": 10, "between eyes": 168, "nose tip": 1, "under nose": 2, "chin": 152,
        "upper lip": 0, "lower lip": 17, "upper inner lip": 13, "lower inner lip": 14,
    }  # fmt: skip
    sides = {
        "temple": (21, 251), "cheek": (234, 454), "jaw": (172, 397),
        "eye outer": (33, 263), "eye inner": (133, 362), "upper lid": (159, 386), "lower lid": (145, 374),
        "second upper lid": (158, 385), "second lower lid": (153, 380), "iris": (468, 473),
        "brow outer": (70, 300), "brow": (105, 334), "brow inner": (107, 336),
        "mouth": (61, 291), "inner mouth": (78, 308),
    }  # fmt: skip
    points = dict(middle)
    for part, numbers in sides.items():
        points |= {f"{side} {part}": number for side, number in zip(("left", "right"), numbers, strict=True)}
    left, right = ([f"{side} {part}" for part in ("temple", "cheek", "jaw")] for side in ("left", "right"))
    lines = _chain("forehead", *left, "chin", *reversed(right), "forehead")
    lines += _chain("left mouth", "upper lip", "right mouth", "lower lip", "left mouth")
    lines += _chain("left inner mouth", "upper inner lip", "right inner mouth", "lower inner lip", "left inner mouth")
    lines += _chain("between eyes", "nose tip", "under nose")
    for side in ("left", "right"):
        lines += _chain(*(f"{side} {part}" for part in ("brow outer", "brow", "brow inner")))
        lines += _chain(*(f"{side} {part}" for part in ("eye outer", "upper lid", "second upper lid", "eye inner")))
        lines += _chain(*(f"{side} {part}" for part in ("eye inner", "second lower lid", "lower lid", "eye outer")))
    return Anatomy(tuple(points), lines, tuple(points.values()))


HAND, BODY, FACE = _hand(), _body(), _face()

ANATOMIES: Mapping[str, Anatomy] = {"hand": HAND, "body": BODY, "face": FACE}
"""By the kind of a figure."""
