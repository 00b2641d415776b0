"""How a picture is fitted to a size: scaled, cropped or framed with bars, and mirrored; its proportions never change."""

from __future__ import annotations

import numpy as np

from kinesphere.types import KinesphereError

ASPECTS = {
    "keep": "scaled to lie inside `size`; one side may be shorter than asked",
    "crop": "fills `size`; what sticks out is cut off on both sides alike",
    "fit": "all of it inside `size`, with bars where it does not reach",
}


def checked_size(owner: str, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """`size` as a pair of positive whole numbers (width, height), or None; raises KinesphereError in the words of `owner`."""
    if size is None:
        return None
    pair = tuple(size)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n > 0 for n in pair):
        raise KinesphereError(f"{owner} size {size!r} is not (width, height) in pixels: try size = (640, 360), or None")
    return int(pair[0]), int(pair[1])


def checked_aspect(owner: str, aspect: str, names: tuple[str, ...] = tuple(ASPECTS)) -> str:
    """`aspect` when it is one of `names`; raises KinesphereError listing them otherwise."""
    if aspect not in names:
        raise KinesphereError(f"{owner} aspect {aspect!r} is not known: it is one of {', '.join(names)}")
    return aspect


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`picture` [H, W, C] uint8 at `size` (width, height): every pixel counts when shrinking, a cubic when growing."""
    import cv2

    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    shrinks = size[0] <= width and size[1] <= height
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def fitted(
    picture: np.ndarray,
    size: tuple[int, int] | None,
    aspect: str = "keep",
    background: tuple[int, int, int] = (0, 0, 0),
) -> np.ndarray:
    """`picture` [H, W, 3] uint8 brought to `size` (width, height) in one of the ways of `ASPECTS`; None leaves it alone."""
    if size is None:
        return picture
    height, width = picture.shape[:2]
    ratios = size[0] / width, size[1] / height
    scale = max(ratios) if aspect == "crop" else min(ratios)
    picture = resized(picture, (max(1, round(width * scale)), max(1, round(height * scale))))
    if aspect == "keep":
        return picture
    return _cropped(picture, size) if aspect == "crop" else _framed(picture, size, background)


def mirrored(picture: np.ndarray, mirror: bool) -> np.ndarray:
    """`picture` with left and right exchanged when `mirror` is true; always one contiguous block of memory."""
    return np.ascontiguousarray(picture[:, ::-1] if mirror else picture)


def upright(picture: np.ndarray, degrees: float) -> np.ndarray:
    """`picture` turned counter-clockwise by `degrees`, to the nearest quarter turn."""
    return np.rot90(picture, round(degrees / 90) % 4)


def square_pixels(picture: np.ndarray, pixel_aspect: float) -> np.ndarray:
    """`picture` whose pixels are `pixel_aspect` times as wide as high, widened (or narrowed) until they are square."""
    if pixel_aspect == 1:
        return picture
    height, width = picture.shape[:2]
    return resized(picture, (max(1, round(width * pixel_aspect)), height))


def over(picture: np.ndarray, background: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """`picture` [H, W, 4] uint8 RGBA (straight alpha) laid over one colour -> [H, W, 3] uint8."""
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + np.array(background, np.uint16) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _cropped(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    left, top = (picture.shape[1] - size[0]) // 2, (picture.shape[0] - size[1]) // 2
    return picture[top : top + size[1], left : left + size[0]]


def _framed(picture: np.ndarray, size: tuple[int, int], background: tuple[int, int, int]) -> np.ndarray:
    height, width = picture.shape[:2]
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    frame = np.empty((size[1], size[0], 3), np.uint8)
    frame[:] = background
    frame[top : top + height, left : left + width] = picture
    return frame
