"""Whether the scene was cut: another camera, another shot, another place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from kinesphere.features.region import WHOLE, checked_region, crop
from kinesphere.features.silhouette import unlit
from kinesphere.types import KinesphereError, Signal


@dataclass
class Cut:
    """1 at the picture that follows a cut, then exp(-seconds / fade); 0 before the first one. It is said at once, not afterwards.

    A cut is a picture whose structure is nowhere in the one before and whose colours are others too. Structure is compared by
    phase correlation (Kuglin and Hines 1975; for cuts, Vlachos 2000), which finds it again wherever a camera or a dancer
    moved it, and in place, both without the light (see `unlit`), so that no flash and no lighting cue is a cut. Colours are
    compared by the intersection of histograms (Swain and Ballard 1991) in four quarters of the picture: what only moves,
    turns or comes nearer keeps them. A picture that shows nothing, all black or burnt out, is passed over: the next one is
    compared with the last that showed something.
    """

    SIZE: ClassVar[int] = 64  # pixels of both sides
    STRUCTURE: ClassVar[float] = 0.35  # least likeness of two pictures of one scene; unrelated ones reach 0.31
    COLOUR: ClassVar[float] = 0.18  # greatest difference of two histograms of one scene
    NOTHING: ClassVar[float] = 1.5  # deviation of `unlit` below which a picture shows nothing

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ()

    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    fade: float = 0.5  # seconds in which it falls to 0.37

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)
        if not 0 < self.fade < math.inf:
            raise KinesphereError(f"fade {self.fade!r} of Cut: give seconds above 0, for instance 0.5")

    def open(self, checkpoint: object) -> None:
        """Forget everything seen."""
        self._last: Look | None = None
        self._t = self._cut = -math.inf

    def __call__(self, signal: Signal) -> np.ndarray:
        if signal.t < self._t:
            self.open(None)
        self._t = signal.t
        now = glance(signal.value, self.region, self.SIZE)
        if now.structure.std() >= self.NOTHING:
            if self._last is not None and self._other(self._last, now):
                self._cut = signal.t
            self._last = now
        return np.asarray(math.exp((self._cut - signal.t) / self.fade))

    def _other(self, then: Look, now: Look) -> bool:
        different = 1 - np.minimum(then.colours, now.colours).sum()
        return bool(different > self.COLOUR) and likeness(then, now) < self.STRUCTURE


class Look(NamedTuple):
    """What is compared of a picture."""

    structure: np.ndarray  # [s, s] float32: the picture without its light, 0 where a place is like its surroundings
    seen: np.ndarray  # [s, s] bool: neither black nor burnt out
    colours: np.ndarray  # [96]: a histogram of 8 bins for each channel of each quarter; sums to 1


def glance(picture: np.ndarray, region: tuple[float, float, float, float], size: int) -> Look:
    import cv2

    small = cv2.resize(crop(picture, region), (size, size), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    half = np.arange(size) * 2 // size
    quarter = (2 * half[:, None] + half)[..., None]
    bins = np.bincount((24 * quarter + 8 * np.arange(3) + small // 32).ravel(), minlength=96)
    return Look(unlit(grey).astype(np.float32) - 128, (grey > 4) & (grey < 248), bins / bins.sum())


def likeness(a: Look, b: Look) -> float:
    """How much of one picture's structure is in the other: the better of somewhere else and in place; 1 is all of it."""
    import cv2

    window = cv2.createHanningWindow(a.structure.shape[::-1], cv2.CV_32F)
    somewhere = cv2.phaseCorrelate(a.structure, b.structure, window)[1]
    both = a.seen & b.seen
    x, y = a.structure[both], b.structure[both]
    in_place = float(x @ y) / math.sqrt(float((x @ x) * (y @ y)) + 1e-6)
    return max(somewhere, in_place)
