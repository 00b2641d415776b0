"""What was last seen, to be laid over the picture it was seen in."""

from __future__ import annotations

from typing import Any

import numpy as np

from kinesphere.features.keypoints.anatomy import ANATOMIES
from kinesphere.features.keypoints.measuring import Measuring

CHOSEN, OTHER = (80, 255, 160), (150, 150, 150)  # RGB: of the figure that is measured, of the others


def outline(feature: Measuring) -> dict[str, Any]:
    """The landmarks that a feature saw last, as plain data.

    t: seconds, of the picture. lines: pairs of places in `points` that are joined. figures: of each, points: [x, y] in fractions
    of the picture (right, down) in the order of its anatomy, or None where one is hidden; chosen: whether it is the one that is
    measured. Before the first picture there are no figures and no time.
    """
    anatomy = ANATOMIES[feature.kind()]
    lines = [[anatomy.index[a], anatomy.index[b]] for a, b in anatomy.lines]
    last = feature.last()
    if last is None:
        return {"kind": feature.kind(), "t": None, "lines": lines, "figures": []}
    sighting, place = last
    figures = [
        {"points": [_point(p, v) for p, v in zip(f.points, f.visible, strict=True)], "chosen": i == place}
        for i, f in enumerate(sighting.figures)
    ]
    return {"kind": feature.kind(), "t": sighting.t, "lines": lines, "figures": figures}


def _point(point: np.ndarray, visible: float) -> list[float] | None:
    return [round(float(point[0]), 4), round(float(point[1]), 4)] if visible >= 0.5 else None


def drawn(picture: np.ndarray, seen: dict[str, Any]) -> np.ndarray:
    """A copy of a picture [H, W, 3] uint8 RGB with an `outline` drawn over it."""
    import cv2

    picture = picture.copy()
    height, width = picture.shape[:2]
    thick = max(1, round(height / 300))
    for figure in seen["figures"]:
        colour = CHOSEN if figure["chosen"] else OTHER
        at = [point and (round(point[0] * width), round(point[1] * height)) for point in figure["points"]]
        for a, b in seen["lines"]:
            if at[a] and at[b]:
                cv2.line(picture, at[a], at[b], colour, thick, cv2.LINE_AA)
        for point in filter(None, at):
            cv2.circle(picture, point, thick + 1, colour, -1, cv2.LINE_AA)
    return picture
