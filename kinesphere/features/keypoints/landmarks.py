"""What a tracker saw in one picture: hands, bodies or faces, each as named points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Figure:
    """One hand, body or face. Its points stand in the order of its anatomy's names."""

    points: (
        np.ndarray
    )  # [n, 3]: x and y as fractions of the picture (right, down), z in the unit of x, away from the viewer
    visible: np.ndarray  # [n]: how sure the tracker is that a point can be seen, 0 to 1
    score: float = 1.0  # how sure it is of the whole, 0 to 1
    left: float = 0.5  # of a hand, how sure it is that this is the left one, as a mirror has it: 1 left, 0 right


@dataclass(frozen=True)
class Sighting:
    """Everything that was seen in one picture."""

    t: float  # seconds, of the picture
    size: tuple[int, int]  # width and height of the picture, pixels
    figures: tuple[Figure, ...] = field(default_factory=tuple)


def placed(points: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """Fractions of a picture of `size` (width, height) -> [n, 3] in half heights from its middle: right, up, towards the viewer.

    Both sides have one unit, so that a circle stays a circle in a picture of any shape.
    """
    aspect = size[0] / size[1]
    return (np.asarray(points, np.float64) - [0.5, 0.5, 0]) * [2 * aspect, -2, -2 * aspect]


def pictured(places: np.ndarray, size: Sequence[float]) -> np.ndarray:
    """The other way: from places in half heights to fractions of a picture."""
    aspect = size[0] / size[1]
    return np.asarray(places, np.float64) / [2 * aspect, -2, -2 * aspect] + [0.5, 0.5, 0]
