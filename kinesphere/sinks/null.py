"""Nowhere: frames are counted and the last one is kept, for benches and tests."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np


@dataclass
class Null:
    """A sink without a picture. `frames` were written; `frame` is the last of them and `t` its time (seconds)."""

    main_thread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.frames = 0
        self.frame: np.ndarray | None = None
        self.t: float | None = None
        self.size: tuple[int, int] | None = None
        self.fps: Fraction | None = None
        self.is_open = False

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """Begin to count, from 0; `size` is (width, height) in pixels, `fps` the nominal rate. Both are kept."""
        self.frames, self.frame, self.t = 0, None, None
        self.size, self.fps = size, Fraction(fps)
        self.is_open = True

    def write(self, frame: np.ndarray, t: float) -> None:
        self.frames += 1
        self.frame, self.t = frame, t

    def close(self) -> None:
        self.is_open = False
