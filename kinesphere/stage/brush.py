"""What somebody painted on a page with a brush, as a mask of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from kinesphere.types import KinesphereError

MOST = 4096  # points of all strokes
FINEST = 1024  # pixels of a side, of which a small picture's are parts: lines are painted from pixel to pixel
Stroke = Sequence[tuple[float, float]]  # points, right and down from 0 to 1


def mask(strokes: Sequence[Stroke], width: float, pixels: int) -> np.ndarray:
    """Where strokes are, true, in a picture of `pixels` a side: [H, W]. To a pixel.

    Each is a line through its points with round ends, or a dot; `width` is the brush's diameter, where the picture's side is 1, and
    no finer than a pixel. Raises KinesphereError for more than 4096 points.
    """
    count = sum(map(len, strokes))
    if count > MOST:
        raise KinesphereError(f"{count} points are too many for one region: paint it with up to {MOST}")
    finer = max(1, FINEST // pixels)
    side = finer * pixels
    picture = Image.new("1", (side, side))
    drawing, radius = ImageDraw.Draw(picture), max(width * side, finer) / 2
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke]
        drawing.line(points, 1, round(2 * radius))
        for x, y in points:
            drawing.ellipse((x - radius, y - radius, x + radius, y + radius), 1)
    return np.array(picture)[finer // 2 :: finer, finer // 2 :: finer]
