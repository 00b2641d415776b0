"""A video file: the picture that is on its screen at a moment, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere.sources.film import EARLY, Film
from kinesphere.sources.geometry import checked_aspect, checked_size, fitted, mirrored, over, square_pixels, upright
from kinesphere.types import KinesphereError, Signal

# libswscale's flags, by value because PyAV named them only in late releases: bilinear chroma, at full
# horizontal resolution, rounded exactly, so that every processor makes the same picture
EXACT = 0x2 | 0x2000 | 0x40000
BT709, UNSPECIFIED, BT601 = 1, 2, 5  # which matrix made this YUV: ITU-T H.273, table 4


@dataclass
class Video:
    """A video file, in step with the clock that `read` is asked with; `t` = 0 is `start` seconds into the file.

    After `open`: `fps` (Fraction; the mean rate where the file has no steady one), `frames` (their exact number),
    `duration` (seconds, to the end of the last frame) and `frame_size` ((width, height) of what `read` returns).
    """

    path: str | Path
    loop: bool = True  # after the end, again from `start`; otherwise the last frame stays
    mirror: bool = False
    start: float = 0.0  # seconds into the file
    size: tuple[int, int] | None = None  # (width, height) of what `read` returns; None is the file's own
    aspect: str = "keep"  # how `size` is reached: see geometry.ASPECTS

    def __post_init__(self) -> None:
        if not 0 <= self.start < math.inf:
            raise KinesphereError(f"video start {self.start!r} is not a time in the file: it is 0 seconds or more")
        self.size = checked_size("video", self.size)
        self.aspect = checked_aspect("video", self.aspect)
        self.fps = Fraction(0)
        self.frames = 0
        self.duration = 0.0
        self.frame_size = (0, 0)
        self._film: Film | None = None

    def open(self) -> None:
        """Open the file and read all its time stamps: every packet is read, only the first frame is decoded.

        Raises KinesphereError for what is missing, is no video, has no pictures, was cut short, or ends before `start`.
        """
        self.close()
        film = Film(Path(self.path))
        stamps = film.stamps
        try:
            if self.start + EARLY >= stamps.duration:
                raise KinesphereError(
                    f"video start {self.start:g} s is past the end of {self.path}: {stamps.duration:g} s"
                )
            index = film.index(self.start)
            first = self._picture(film, index)
        except BaseException:
            film.close()
            raise
        self._film = film
        self.fps, self.frames, self.duration = stamps.fps, len(stamps.times), stamps.duration
        self.frame_size = (first.shape[1], first.shape[0])
        self._shown = (index, first)
        self._signal = Signal(first, 0.0)

    def read(self, t: float) -> Signal | None:
        """The frame on the screen at `t`: [H, W, 3] uint8 RGB, stamped with the `t` at which it appeared there.

        Asking again for the same frame gives the same Signal. Going on decodes forwards; going back, or far, seeks.
        """
        film = self._film
        assert film is not None, "read() comes after open()"
        period = self.duration - self.start
        lap = math.floor((t + EARLY) / period) if self.loop else 0
        index = film.index(self.start + max(t - lap * period, 0.0))
        appeared = lap * period + max(float(film.stamps.times[index]) - self.start, 0.0)
        if self._shown[0] != index:
            self._shown = (index, self._picture(film, index))
        if self._signal.t != appeared or self._signal.value is not self._shown[1]:
            self._signal = Signal(self._shown[1], appeared)
        return self._signal

    def close(self) -> None:
        if self._film is not None:
            self._film.close()
            self._film = None

    def _picture(self, film: Film, index: int) -> np.ndarray:
        frame = film.frame(index)
        picture = upright(square_pixels(_rgb(frame), film.pixel_aspect), frame.rotation)
        return mirrored(fitted(picture, self.size, self.aspect), self.mirror)


def _rgb(frame: Any) -> np.ndarray:
    """A decoded frame of any pixel format as [H, W, 3] uint8 RGB; what is transparent shows black."""
    if any(component.is_alpha for component in frame.format.components):
        return over(frame.to_ndarray(format="rgba"))
    matrix = frame.colorspace
    if matrix == UNSPECIFIED:  # the habit of players: high definition is BT.709, anything smaller BT.601
        matrix = BT709 if frame.height >= 720 else BT601
    return frame.to_ndarray(format="rgb24", interpolation=EXACT, src_colorspace=matrix or None)
