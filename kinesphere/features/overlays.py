"""What a feature sees, drawn into the picture that it saw it in: for sheets and figures; the page draws its own."""

from __future__ import annotations

import numpy as np

from kinesphere.types import Overlay

LINE, FAINT, CIRCLE = (80, 255, 160), (150, 150, 150), (90, 190, 255)  # RGB


def drawn(picture: np.ndarray, overlay: Overlay) -> np.ndarray:
    """A copy of a picture [H, W, 3] uint8 RGB with an overlay drawn over it."""
    import cv2

    picture = picture.copy()
    height, width = picture.shape[:2]
    thick = max(1, round(height / 300))

    def at(x: float, y: float) -> tuple[int, int]:
        return round(x * width), round(y * height)

    for lines, colour in ((overlay.faint, FAINT), (overlay.lines, LINE)):
        for x0, y0, x1, y1 in lines:
            cv2.line(picture, at(x0, y0), at(x1, y1), colour, thick, cv2.LINE_AA)
            for point in (at(x0, y0), at(x1, y1)):
                cv2.circle(picture, point, thick + 1, colour, -1, cv2.LINE_AA)
    for x, y, radius in overlay.circles:
        cv2.circle(picture, at(x, y), round(radius * height), CIRCLE, thick + 1, cv2.LINE_AA)
    return picture
