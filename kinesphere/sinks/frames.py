"""A folder of numbered pictures: what another program, or a printer, takes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from kinesphere.types import KinesphereError

NUMBERED = re.compile(r"frame\d{6,}\.png")


@dataclass
class Frames:
    """PNG files `frame000000.png`, `frame000001.png` ... in the folder `path`, one for each place in time at the rate of `open`.

    Nothing is lost of a frame. A folder that holds anything is refused unless `overwrite` is on; then frames of the same number are
    replaced and, on `close`, those that a longer film left behind the last are removed. Other files stay.
    """

    path: str | Path
    overwrite: bool = False

    main_thread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._open = False

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """Begin at number 0.

        Raises KinesphereError where `path` is a file, cannot be made, or holds something and `overwrite` is off.
        """
        self._folder, self._fps = Path(self.path), Fraction(fps)
        if self._folder.is_file():
            raise KinesphereError(f"{self._folder} is a file: name a folder for the frames")
        if not self.overwrite and self._folder.is_dir() and any(self._folder.iterdir()):
            raise KinesphereError(f"{self._folder} is not empty: choose another name, or say overwrite = true")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KinesphereError(f"no frames can be written to {self._folder}: {error.strerror}") from error
        self._picture: Image.Image | None = None  # the newest, which is not in a file yet
        self._place = self._first = 0  # its place, counted in frames from t = 0; that of the first
        self._open = True

    def write(self, frame: np.ndarray, t: float) -> None:
        """Put `frame`, [H, W, 3] uint8 RGB, at the place that `t` (seconds) rounds to.

        Places that were left out repeat the frame before them; of several in one place, the newest stays. The first is number 0.
        """
        place = math.floor(t * float(self._fps) + 0.5)
        if self._picture is None:
            self._place = self._first = place
        while self._place < place:
            self._save()
        self._picture = Image.fromarray(frame.copy())

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._picture is None:
            return
        self._save()
        last = self._place - self._first
        for old in self._folder.iterdir():
            if NUMBERED.fullmatch(old.name) and int(old.stem.removeprefix("frame")) >= last:
                old.unlink()

    def _save(self) -> None:
        assert self._picture is not None
        path = self._folder / f"frame{self._place - self._first:06d}.png"
        self._place += 1
        try:
            self._picture.save(path, compress_level=3)
        except OSError as error:
            raise KinesphereError(f"{path} cannot be written: {error.strerror or error}") from error
