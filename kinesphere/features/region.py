"""Which part of the frame a feature looks at, and how finely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinesphere.types import KinesphereError

Region = tuple[float, float, float, float]  # left, top, right, bottom, as fractions of the frame as seen

WHOLE: Region = (0.0, 0.0, 1.0, 1.0)


def checked_region(region: Sequence[float]) -> tuple[float, float, float, float]:
    """The region as four floats; a KinesphereError where it is empty, upside down or leaves the frame."""
    wrong = f"region {list(region)!r}: give left, top, right, bottom as fractions of the frame, 0 to 1, for instance "
    if len(region) != 4:
        raise KinesphereError(f"{wrong}[0, 0, 0.5, 1] for its left half")
    left, top, right, bottom = (float(edge) for edge in region)
    if not all(0 <= edge <= 1 for edge in (left, top, right, bottom)):
        raise KinesphereError(f"{wrong}[0, 0, 1, 1] for all of it")
    if not (left < right and top < bottom):
        raise KinesphereError(f"{wrong}[0, 0, 0.5, 1]: left must be less than right, and top less than bottom")
    return left, top, right, bottom


def part_of(region: Region, part: Region) -> Region:
    """A part of a region, given as fractions of that region, as fractions of the frame."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    return left + width * part[0], top + height * part[1], left + width * part[2], top + height * part[3]


def crop(picture: np.ndarray, region: Sequence[float]) -> np.ndarray:
    """The part of a picture [H, W, ...] inside the region, at least one pixel of it: a view, nothing is copied."""
    height, width = picture.shape[:2]
    left, top, right, bottom = region
    x = min(round(left * width), width - 1)
    y = min(round(top * height), height - 1)
    return picture[y : max(round(bottom * height), y + 1), x : max(round(right * width), x + 1)]


def look(picture: np.ndarray, region: Sequence[float], size: int, smallest: int = 1) -> np.ndarray:
    """The region of a picture [H, W, 3], scaled until its longer side has `size` pixels: [h, w, 3] uint8.

    The aspect is kept, except that no side goes below `smallest` pixels. Shrinking averages areas, so that nothing
    flickers between two pixels.
    """
    import cv2

    part = crop(picture, region)
    height, width = part.shape[:2]
    scale = size / max(height, width)
    to = (max(round(width * scale), smallest), max(round(height * scale), smallest))
    if to == (width, height):
        return np.ascontiguousarray(part)
    return cv2.resize(part, to, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def places(frame: Sequence[int], region: Sequence[float], size: Sequence[int]) -> np.ndarray:
    """Where the pixels of a region lie that is seen `size` (h, w) pixels large: [h, w] complex, x + i y.

    From the middle of the whole frame (H, W, ...), in units of half its height, x to the right and y up: the same in every
    region, and a circle stays a circle.
    """
    (height, width), (h, w) = frame[:2], size
    left, top, right, bottom = region
    x = (2 * (left + (right - left) * (np.arange(w) + 0.5) / w) - 1) * width / height
    y = 1 - 2 * (top + (bottom - top) * (np.arange(h) + 0.5) / h)
    return x + 1j * y[:, None]
