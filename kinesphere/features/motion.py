"""What the light in front of the camera is doing, as numbers from 0 to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.region import WHOLE, checked_region, crop, look
from kinesphere.features.smoothing import follow
from kinesphere.types import KinesphereError, Signal

LUMA = np.array([0.2126, 0.7152, 0.0722])  # of R'G'B'; ITU-R BT.709


@dataclass
class Brightness:
    """How light it is: the mean luma of the frame or of a region, 0 (black) to 1 (white)."""

    vector: ClassVar[bool] = False
    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)

    def open(self, checkpoint: object) -> None:
        """Nothing to prepare: each picture is measured by itself."""

    def __call__(self, signal: Signal) -> np.ndarray:
        import cv2

        return np.asarray(LUMA @ cv2.mean(crop(signal.value, self.region))[:3] / 255)


@dataclass
class Motion:
    """How much moves: the mean absolute change of luma per second in the frame or a region, 0 (still) to 1 (everything).

    Each picture is compared with the low-passed past of the same place (time constant PAST), not with the picture just
    before it: for a steady movement both give the change per second, but so a camera of 60 pictures a second reads as
    one of 15, and sensor noise, which no rate makes smaller, stays under the threshold NOISE.
    """

    SIZE: ClassVar[int] = 64  # pixels of the longer side: fine enough for a hand, coarse enough to average noise away
    PAST: ClassVar[float] = 0.1  # seconds
    NOISE: ClassVar[float] = 1 / 255  # of luma: smaller changes are not movement

    vector: ClassVar[bool] = False
    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    scale: float = 0.1  # luma per second that reads as 0.63 (1 - 1/e): someone dancing in the middle of the frame

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)
        if not 0 < self.scale < math.inf:
            raise KinesphereError(f"scale {self.scale!r} of Motion: give luma per second above 0; dancing is about 0.1")

    def open(self, checkpoint: object) -> None:
        """Forget the past."""
        self._t = 0.0
        self._before = self._past = np.zeros((0, 0))

    def __call__(self, signal: Signal) -> np.ndarray:
        now = look(signal.value, self.region, self.SIZE) @ LUMA / 255  # [h, w]
        if now.shape != self._before.shape:  # the first picture, or one of another shape: nothing to compare with
            self._past = now
        else:
            self._past = follow(self._past, self._before, now, max(signal.t - self._t, 0.0), self.PAST)
        self._t, self._before = signal.t, now
        rate = np.maximum(np.abs(now - self._past) - self.NOISE, 0).mean() / self.PAST  # luma per second
        return np.asarray(-np.expm1(-rate / self.scale))
