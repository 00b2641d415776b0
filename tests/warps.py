"""Pictures whose motion is known: a textured room, a camera that moves in it, and a disc that goes its own way."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

SIDE = 1024  # pixels of a texture; it repeats beyond


@cache
def texture(seed: int) -> np.ndarray:
    """Noise of several sizes, [SIDE, SIDE] float32 grey levels, that continues over its edges."""
    rng = np.random.default_rng(seed)
    layers = [gaussian_filter(rng.standard_normal((SIDE, SIDE)), size, mode="wrap") for size in (1.5, 4, 12)]
    return np.clip(128 + 22 * sum(layer / layer.std() for layer in layers), 0, 255).astype(np.float32)


BARE = np.full((SIDE, SIDE), 110, np.float32)  # a wall


def places(width: int, height: int) -> np.ndarray:
    """The middles of all pixels, [height, width] complex, in half picture heights from the middle, y up."""
    y, x = np.mgrid[0:height, 0:width]
    return ((2 * x + 1 - width) - 1j * (2 * y + 1 - height)) / height


def seen(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A texture at places [H, W] of the scene, 120 of its pixels to half a picture height."""
    x, y = SIDE / 2 + 120 * at.real, SIDE / 2 - 120 * at.imag
    return cv2.remap(picture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)


class Scene:
    """Call it with a time in seconds: a picture [H, W, 3] uint8.

    The camera pans (half picture heights per second, right and up), rolls (radians per second) and zooms (natural logarithm per
    second), all steadily, or goes by `path`, from the time to its place in the scene. `subject` is the disc's radius, 0 for
    none; it begins at `start` and moves by `velocity` beside the room.
    """

    def __init__(
        self,
        pan: complex = 0,
        roll: float = 0.0,
        zoom: float = 0.0,
        subject: float = 0.0,
        velocity: complex = 0.8 + 0.4j,
        start: complex = -0.3,
        room: np.ndarray | int = 1,
        size: tuple[int, int] = (200, 150),
        path: Callable[[float], complex] | None = None,
    ) -> None:
        self.pan, self.turn = pan, zoom - 1j * roll
        self.subject, self.velocity, self.start = subject, velocity, start
        self.room = texture(room) if isinstance(room, int) else room
        self.size, self.path = size, path

    def __call__(self, t: float) -> np.ndarray:
        p = places(*self.size)
        turned = np.exp(self.turn * t)  # a place of the scene goes by p' = -pan + turn p, solved over t
        gone = self.pan * ((turned - 1) / self.turn if self.turn else t)
        at = (p + gone) / turned if self.path is None else p + self.path(t)
        picture = seen(self.room, at)
        if self.subject:
            own = at - self.start - self.velocity * t
            cover = np.clip((self.subject - np.abs(own)) * abs(turned) * self.size[1] / 2 + 0.5, 0, 1)
            picture = picture * (1 - cover) + seen(texture(99), own + 3) * cover
        return np.repeat(picture.clip(0, 255).round().astype(np.uint8)[..., None], 3, 2)
