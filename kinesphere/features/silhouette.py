"""Who stands out from the background: a silhouette, as numbers and as the place where other features look."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.region import WHOLE, Region, checked_region, crop, look, part_of, places
from kinesphere.features.smoothing import follow
from kinesphere.types import KinesphereError, Overlay, Signal

FEW = 0.003  # share of the picture below which nobody is there
MEMORY = 60.0  # seconds
EDGE = 0.1  # seconds


@dataclass
class Silhouette:
    """Who is in the picture, against what is always there; float64 [8], lengths in half picture heights.

    - `share`: the part of the picture (of the region) that the silhouette fills, 0 to 1
    - `x`, `y`: its middle
    - `width`, `height`, `top`: of the box round it, without the outermost fiftieth at each side, so that a speck moves nothing
    - `spread`: how far it reaches, the root mean square distance from its middle
    - `new`: the part of it that was not there before, with a memory of PAST seconds; 0 (stands) to 1 (has just come)

    All but `share` are NaN, not known, while nobody is there. What the background is, Background says.
    """

    PAST: ClassVar[float] = 0.5  # seconds

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("share", "x", "y", "width", "height", "top", "spread", "new")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "share": (0.0, 0.3),
        "x": (-1.0, 1.0),
        "y": (-0.5, 0.5),
        "width": (0.2, 1.5),
        "height": (0.5, 2.0),
        "top": (-0.5, 1.0),
        "spread": (0.2, 0.8),
        "new": (0.0, 0.5),
    }
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    memory: float = MEMORY  # seconds after which what stands still belongs to the background
    smoothing: float = EDGE  # time constant of the silhouette's edge, seconds; 0 is none

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)
        if not 0 < self.memory < math.inf:
            raise KinesphereError(
                f"memory {self.memory!r} of Silhouette: give seconds above 0, for instance {MEMORY:g}"
            )
        if not 0 <= self.smoothing < math.inf:
            raise KinesphereError(
                f"smoothing {self.smoothing!r} of Silhouette: give seconds, 0 or more, for instance {EDGE}"
            )

    def open(self, checkpoint: object) -> None:
        """Forget the background and everything else."""
        self._background = Background(self.memory, self.smoothing)
        self._t = -math.inf
        self._past = self._before = np.zeros((0, 0))
        self._box: Region | None = None

    def overlay(self) -> Overlay:
        """The box round who is there."""
        if self._box is None:
            return Overlay()
        left, top, right, bottom = (round(edge, 4) for edge in self._box)
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return Overlay(lines=tuple((*a, *b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)))

    def __call__(self, signal: Signal) -> np.ndarray:
        mask = self._background(signal, self.region)  # [h, w] in 0..1
        if mask.shape != self._before.shape or signal.t < self._t:
            self._past = np.zeros(mask.shape)
        else:
            self._past = follow(self._past, self._before, mask, signal.t - self._t, self.PAST)
        self._t, self._before = signal.t, mask
        share = mask.mean()
        if share < FEW:
            self._box = None
            return np.array([share, *[math.nan] * 7])
        p = places(signal.value.shape, self.region, mask.shape)
        weight = mask / mask.sum()
        middle = (weight * p).sum()
        spread = math.sqrt((weight * np.abs(p - middle) ** 2).sum())
        self._box = left, top, right, bottom = part_of(self.region, box(mask))
        width = 2 * (right - left) * signal.value.shape[1] / signal.value.shape[0]
        new = np.maximum(mask - self._past, 0).sum() / mask.sum()
        return np.array([share, middle.real, middle.imag, width, 2 * (bottom - top), 1 - 2 * top, spread, new])


class Background:
    """What is always in the picture, learnt while it plays, and the mask of what is not.

    A mixture of Gaussians for every pixel (MOG2; Zivkovic 2004, Zivkovic and van der Heijden 2006) of the picture without its
    light: see `unlit`. Evidence is counted in seconds: what was seen at a place for longer is the background there, and from
    `memory` seconds on old evidence fades, so that what stands still becomes background after about that time. So an empty
    stage is learnt at once, and who sat before the camera when it began leaves no ghost for longer than they sat.

    Where most of the picture is new at once the camera has moved or the scene was cut, and the background is learnt afresh.
    """

    SIZE = 160  # pixels of the longer side
    SMALLEST = 8  # pixels of the shorter one
    GAP = 1.0  # seconds; two pictures further apart are that much evidence and no more
    FIRST = 0.1  # seconds of evidence that the first picture is
    HALF = 0.5  # of the evidence at a place is what makes a background
    ALL = 0.6  # share of the picture: more than that is no subject
    DEVIATION = 8.0  # of a still pixel of `unlit`, at least; four times that stands out
    BRIDGE = 1 / 14  # of the longer side: gaps that are closed, such as a plain dress between its edges
    ISLAND = 0.4  # of the largest piece's area: what is smaller, and apart from it, is no person

    def __init__(self, memory: float, smoothing: float) -> None:
        self.memory = memory / math.log(2)  # the old has half of the say when `memory` seconds have gone by
        self.smoothing = smoothing
        self._shape: tuple[int, ...] = ()
        self._t = -math.inf
        self._smooth = self._before = np.zeros((0, 0))

    def __call__(self, signal: Signal, region: Region) -> np.ndarray:
        """How far each place of a region belongs to the subject, 0 to 1: [h, w] float64."""
        now = unlit(look(signal.value, region, self.SIZE, self.SMALLEST))
        if now.shape != self._shape or signal.t < self._t:
            self._begin(now, signal.t)
        dt, self._t = signal.t - self._t, signal.t
        seen = min(dt, self.GAP)
        self._evidence += seen
        rate = max(-math.expm1(-seen / self.memory), seen / self._evidence)  # the newest picture's part of all evidence
        found = self._model.apply(now, None, rate) == 255
        mask = whole(found.astype(np.uint8), self.BRIDGE, self.ISLAND).astype(float)
        if mask.mean() > self.ALL:
            self._begin(now, signal.t)
            mask[:] = 0
        self._smooth = follow(self._smooth, self._before, mask, dt, self.smoothing)
        self._before = mask
        return self._smooth

    def _begin(self, now: np.ndarray, t: float) -> None:
        """Take this picture for the background."""
        import cv2

        self._model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)  # `unlit` has none
        self._model.setBackgroundRatio(self.HALF)
        self._model.setVarMin(self.DEVIATION**2)
        self._model.setVarInit(self.DEVIATION**2)
        self._model.setVarMax(4 * self.DEVIATION**2)
        self._model.apply(now, None, 1.0)
        self._shape, self._t, self._evidence = now.shape, t, self.FIRST
        self._smooth = self._before = np.zeros(now.shape[:2])


def unlit(picture: np.ndarray, dark: float = 12.0) -> np.ndarray:
    """A picture [h, w, ...] uint8 without its light: how each place differs from its surroundings, 128 where it does not.

    Light multiplies and varies slowly over the picture, things vary quickly: so the logarithm less its own blur has hardly any
    light left (homomorphic filtering; Oppenheim, Schafer and Stockham 1968). A lamp that turns on is no subject. `dark` is added
    to the grey levels first: the more, the less the noise of dark places is enlarged, and what moves there.
    """
    import cv2

    log = cv2.log(picture.astype(np.float32) + dark)
    wide = 0.04 * max(picture.shape)  # pixels, the blur's standard deviation
    return np.clip(128 + 110 * (log - cv2.GaussianBlur(log, (0, 0), wide)), 0, 255).astype(np.uint8)


def whole(found: np.ndarray, bridge: float, island: float) -> np.ndarray:
    """Pieces [h, w] in {0, 1} made into bodies: gaps closed, holes filled, specks and small islands left out.

    A body may stand on the picture's lower edge: what can be reached from the other three edges only is outside.
    """
    import cv2

    width = found.shape[1]
    across = max(round(bridge * max(found.shape)), 1) | 1  # pixels, odd
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across))
    closed = cv2.medianBlur(cv2.morphologyEx(found, cv2.MORPH_CLOSE, disc), 3)
    outside = cv2.copyMakeBorder(closed, 1, 0, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 2)
    filled = (outside[1:, 1 : width + 1] != 2).astype(np.uint8)
    _, piece, stats, _ = cv2.connectedComponentsWithStats(filled)
    area = stats[:, cv2.CC_STAT_AREA]
    area[0] = 0  # what is outside
    return (area >= max(island * area.max(), 1))[piece]


class Subject:
    """The picture of the subject alone: `box`, which goes round the silhouette, and mid-grey in it where the silhouette is not.

    While nobody is there the box stays where it was, and all is grey. Before anybody came it is the whole frame.
    """

    CALM = 0.1  # time constant of the box, seconds
    MARGIN = 0.1  # of the box, at each side
    LEAST = 0.1  # of the frame: no side of the box is shorter
    GREY = 128

    def __init__(self) -> None:
        self._background = Background(MEMORY, EDGE)
        self._t: float | None = None
        self._edges = self._before = np.array(WHOLE)
        self.box = WHOLE

    def __call__(self, signal: Signal) -> np.ndarray:
        """The part of a picture that is in the box, [h, w, 3] uint8, with the rest painted over."""
        import cv2

        mask = self._background(signal, WHOLE)
        dt = 0.0 if self._t is None else max(signal.t - self._t, 0.0)
        now = np.array(box(mask)) if mask.mean() >= FEW else self._before
        self._edges = follow(self._edges, self._before, now, dt, self.CALM)
        self.box = roomy(self._edges, self.MARGIN, self.LEAST)
        self._t, self._before = signal.t, now
        height, width = signal.value.shape[:2]
        cover = crop(cv2.resize(mask.astype(np.float32), (width, height)), self.box)[..., None]
        alone = self.GREY + (crop(signal.value, self.box) - np.float32(self.GREY)) * cover
        return alone.round().astype(np.uint8)


def box(mask: np.ndarray) -> Region:
    """Left, top, right, bottom of a mask [h, w], as fractions of it, without the outermost fiftieth at each side."""
    edges = []
    for axis in (0, 1):
        along = np.concatenate([[0], mask.sum(axis=axis).cumsum()])
        edges.append(np.interp((0.02, 0.98), along / along[-1], np.linspace(0, 1, len(along))))
    (left, right), (top, bottom) = edges
    return float(left), float(top), float(right), float(bottom)


def roomy(edges: np.ndarray, margin: float, least: float) -> Region:
    """A box with a margin round it, whose sides are at least that long, moved inside the frame."""
    middle, half = (edges[:2] + edges[2:]) / 2, (edges[2:] - edges[:2]) * (0.5 + margin)
    half = np.clip(half, least / 2, 0.5)
    middle = np.clip(middle, half, 1 - half)
    left, top, right, bottom = np.clip([*(middle - half), *(middle + half)], 0, 1).tolist()
    return left, top, right, bottom
