"""A folder of pictures, one after the other, each dissolving into the next."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere.sources.geometry import checked_aspect, checked_size, fitted, mirrored, over
from kinesphere.types import KinesphereError, Signal

SUFFIXES = frozenset(
    ".jpg .jpeg .jfif .png .webp .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm .jp2 .avif .heic .heif .tga".split()
)
DEEP_GREY = frozenset(("I", "I;16", "I;16L", "I;16B", "I;16N", "F"))  # Pillow's modes above 8 bits
KEPT = 3  # pictures in memory: the one that goes, the one that comes, and one more for a fade that turns back
LARGEST = 1920  # pixels; the longer side of frames that take their size from a photograph
UNREADABLE = (OSError, ValueError, SyntaxError)  # what Pillow raises for files that are damaged or no pictures
EARLY = 1e-6  # seconds; t = i / fps, worked out in floating point, must not fall before its picture


@dataclass
class Pictures:
    """A folder of pictures as a slow film: each is shown for `seconds`, and in the last `fade` of them the next comes in.

    Frames are all of one size: `size`, or the first picture's (at most 1920 pixels long). After `open`: `files` (the
    pictures in their order), `duration` (seconds) and `frame_size` ((width, height)). `skipped` names what could not be
    read, with the reason; it may grow while playing, when a picture turns out to be damaged: the next one stands in.
    """

    path: str | Path
    seconds: float = 4.0  # from one picture to the next
    fade: float = 1.0  # seconds of it in which the next one comes in; 0 cuts
    loop: bool = True  # after the last, again the first; otherwise the last stays
    order: str = "name"  # "name": as a person would sort them, 2 before 10; "shuffle": by `seed`
    seed: int = 0
    background: tuple[int, int, int] = (0, 0, 0)  # RGB, under what is transparent and in the bars
    mirror: bool = False
    size: tuple[int, int] | None = None  # (width, height) of every frame
    aspect: str = "fit"  # "fit" or "crop": see geometry.ASPECTS

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise KinesphereError(
                f"pictures seconds {self.seconds!r} is no time to look at one: it is above 0, such as 4"
            )
        if not 0 <= self.fade <= self.seconds:
            raise KinesphereError(
                f"pictures fade {self.fade!r} s does not fit: it is 0 to `seconds`, here {self.seconds:g}"
            )
        if self.order not in ("name", "shuffle"):
            raise KinesphereError(f"pictures order {self.order!r} is not known: it is name or shuffle")
        self.background = (*self.background,)
        if len(self.background) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in self.background):
            raise KinesphereError(f"pictures background {self.background!r} is not (red, green, blue) from 0 to 255")
        self.size = checked_size("pictures", self.size)
        self.aspect = checked_aspect("pictures", self.aspect, ("fit", "crop"))
        self.files: list[Path] = []
        self.skipped: dict[str, str] = {}
        self.duration = 0.0
        self.frame_size = (0, 0)
        self._kept: dict[int, np.ndarray] = {}

    def open(self) -> None:
        """List the folder and look at each file's head; pictures are decoded when they are due.

        Raises KinesphereError where there is no such folder or no readable picture in it.
        """
        self.close()
        folder = Path(self.path)
        if not folder.is_dir():
            what = "is a file: give the folder that it is in" if folder.is_file() else "does not exist: check the path"
            raise KinesphereError(f"pictures folder {str(folder)!r} {what}")
        self.skipped = {}
        self.files = [file for file in sorted(folder.iterdir(), key=_as_a_person_sorts) if self._looks_readable(file)]
        if not self.files:
            tried = f" ({len(self.skipped)} could not be read: {', '.join(self.skipped)})" if self.skipped else ""
            raise KinesphereError(f"there is no picture in {str(folder)!r}{tried}: put .jpg, .png or .webp files there")
        if self.order == "shuffle":
            random.Random(self.seed).shuffle(self.files)
        self.duration = len(self.files) * self.seconds
        self.frame_size = self.size or self._size_of_the_first()
        self._signal: Signal | None = None

    def read(self, t: float) -> Signal | None:
        """The picture at `t`, [H, W, 3] uint8 RGB, stamped with the `t` at which it came to look like this."""
        slot = max(math.floor((t + EARLY) / self.seconds), 0)
        if not self.loop:
            slot = min(slot, len(self.files) - 1)
        is_last = not self.loop and slot == len(self.files) - 1
        fading = t - (slot * self.seconds + self.seconds - self.fade)
        if self.fade and fading > EARLY and not is_last:
            return Signal(self._blend(slot, min(fading / self.fade, 1.0)), t)
        picture = self._picture(slot % len(self.files))
        if self._signal is None or self._signal.t != slot * self.seconds or self._signal.value is not picture:
            self._signal = Signal(picture, slot * self.seconds)
        return self._signal

    def close(self) -> None:
        self._kept = {}

    def _blend(self, slot: int, amount: float) -> np.ndarray:
        import cv2

        goes, comes = (self._picture((slot + n) % len(self.files)) for n in (0, 1))
        return cv2.addWeighted(goes, 1 - amount, comes, amount, 0)

    def _picture(self, number: int) -> np.ndarray:
        """Picture `number`, fitted; where it is damaged, the next one in the order that is not."""
        if number in self._kept:
            return self._kept[number]
        for step in range(len(self.files)):
            file = self.files[(number + step) % len(self.files)]
            if file.name in self.skipped:
                continue
            try:
                picture = _rgb(file, self.background)
            except UNREADABLE as error:
                self.skipped[file.name] = str(error)
                continue
            return self._keep(
                number, mirrored(fitted(picture, self.frame_size, self.aspect, self.background), self.mirror)
            )
        raise KinesphereError(self._all_damaged())

    def _keep(self, number: int, picture: np.ndarray) -> np.ndarray:
        while len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[number] = picture
        return picture

    def _looks_readable(self, file: Path) -> bool:
        if file.suffix.lower() not in SUFFIXES or file.name.startswith(".") or not file.is_file():
            return False
        try:
            _opened(file).close()
        except UNREADABLE as error:
            self.skipped[file.name] = str(error)
            return False
        return True

    def _size_of_the_first(self) -> tuple[int, int]:
        from PIL import ImageOps

        for file in self.files:
            try:
                with _opened(file) as image:
                    width, height = ImageOps.exif_transpose(image).size
            except UNREADABLE as error:
                self.skipped[file.name] = str(error)
                continue
            scale = min(1.0, LARGEST / max(width, height))
            return max(1, round(width * scale)), max(1, round(height * scale))
        raise KinesphereError(self._all_damaged())

    def _all_damaged(self) -> str:
        return f"not one picture in {str(self.path)!r} can be read: {', '.join(self.skipped)} are damaged"


def _as_a_person_sorts(file: Path) -> tuple[list[tuple[int, str]], str]:
    """Numbers in a name count as numbers: "2.jpg" comes before "10.jpg", and capital letters change nothing."""
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], file.name


def _opened(file: Path) -> Any:
    from PIL import Image

    try:
        return Image.open(file)
    except Image.DecompressionBombError as error:  # Pillow's guard against files that swell without end
        raise OSError(str(error)) from error


def _rgb(file: Path, background: tuple[int, int, int]) -> np.ndarray:
    """The picture in `file`, upright as its EXIF says, of any mode, as [H, W, 3] uint8 RGB."""
    from PIL import ImageOps

    with _opened(file) as opened:
        image = ImageOps.exif_transpose(opened)
    if image.mode in DEEP_GREY:
        grey = _eight_bits(np.asarray(image, np.float64), image.mode)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        return over(np.asarray(image.convert("RGBA")), background)
    return np.asarray(image.convert("RGB"))


def _eight_bits(grey: np.ndarray, mode: str) -> np.ndarray:
    """Grey values of a deep `mode` as uint8. What "I" and "F" call white is not written in the file: the picture shows it."""
    highest = grey.max(initial=0)
    white = 65535.0 if mode.startswith("I;16") or highest > 255 else 255.0 if mode == "I" or highest > 1 else 1.0
    return np.clip(np.rint(grey * (255 / white)), 0, 255).astype(np.uint8)
