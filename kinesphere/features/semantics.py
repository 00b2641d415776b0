"""What the scene means: how near things are, how much of it is what, and what it is taken for."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch

from kinesphere.features.pretrained import Pretrained, load
from kinesphere.features.region import WHOLE, checked_region, crop, places
from kinesphere.features.smoothing import follow
from kinesphere.types import KinesphereError, Signal, check_all

SMALLEST, LARGEST = 64, 2048  # pixels of the longer side
METRIC = ("glpn", "zoedepth", "depth_pro", "prompt_depth_anything")  # these give metres, which grow with the distance


@dataclass
class Depth:
    """How near the things in a region are, each picture seen by a network that tells depth from a single eye.

    near    mean nearness, 0 (all far) to 1 (all near)
    share   part of the region that is in the nearest third of the depth
    spread  0 a wall, 1 half of it as near and half as far as can be: twice the standard deviation of the nearness
    x, y    middle of that nearest part, in halves of the picture's height from its middle, y up; not known where there is none

    Such a network knows no metres, only what is nearer than what. So nearness runs from the farthest to the nearest that was seen
    of late in the region (percentiles 2 and 98, so that no speck decides): that range widens within QUICK and shrinks
    within `memory`.
    """

    QUICK: ClassVar[float] = 0.3  # seconds
    FLAT: ClassVar[float] = 0.1  # of the nearest: a range smaller than this is stretched no further, so a wall reads 0
    NEAREST: ClassVar[float] = 2 / 3  # of the range: from here on a thing is near
    LIVE: ClassVar[int] = 252  # pixels; half of what it was trained at: a quarter of the patches

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("near", "share", "spread", "x", "y")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "near": (0.0, 1.0), "share": (0.0, 0.5), "spread": (0.0, 1.0), "x": (-1.0, 1.0), "y": (-1.0, 1.0),
    }  # fmt: skip
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    weights: str | None = None  # a folder, a name in the local cache, or "random:SEED"; None: Depth-Anything-V2-Small
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    size: int | None = None  # pixels of the region's longer side; None: LIVE
    memory: float = 60.0  # seconds in which what was farthest and nearest is forgotten

    def __post_init__(self) -> None:
        check_all(self._check_region, lambda: check_size(self.size), self._check_memory)

    def _check_region(self) -> None:
        self.region = checked_region(self.region)

    def _check_memory(self) -> None:
        if not 0 < self.memory < math.inf:
            raise KinesphereError(f"memory {self.memory!r}: give seconds above 0, for instance 60")

    def open(self, checkpoint: object) -> None:
        """Load the network, and forget what was far and near."""
        self._eye = load(self.weights, "depth", "depth-anything/Depth-Anything-V2-Small-hf")
        config = self._eye.config
        self._metric = getattr(config, "depth_estimation_type", "") == "metric" or config.model_type in METRIC
        self._t: float | None = None
        self._range = self._before = np.zeros(2)

    def __call__(self, signal: Signal) -> np.ndarray:
        closeness = self._closeness(signal.value)
        low, high = self._settled(np.percentile(closeness, (2, 98)), signal.t)
        span = max(high - low, self.FLAT * abs(high), 1e-9)
        near = np.clip((closeness - low) / span, 0, 1)
        nearest = near > self.NEAREST
        x, y = middle(nearest, places(signal.value.shape, self.region, near.shape))
        return np.array([near.mean(), nearest.mean(), 2 * near.std(), x, y])

    def _closeness(self, picture: np.ndarray) -> np.ndarray:
        """What grows towards the eye, in no unit: [h, w] float64."""
        answer = ask(self._eye, picture, self.region, self.size or self.LIVE).predicted_depth[0].double().cpu().numpy()
        return 1 / np.maximum(answer, 1e-3) if self._metric else answer

    def _settled(self, now: np.ndarray, t: float) -> np.ndarray:
        """The range [low, high] of late, after one more picture with the range `now`."""
        if self._t is None:
            self._range = now
        else:
            dt = max(t - self._t, 0.0)
            widens = np.array([now[0] < self._range[0], now[1] > self._range[1]])
            quick, slow = (follow(self._range, self._before, now, dt, tau) for tau in (self.QUICK, self.memory))
            self._range = np.where(widens, quick, slow)
        self._t, self._before = t, now
        return self._range

    def close(self) -> None:
        """Let go of the network."""
        self.__dict__.pop("_eye", None)


@dataclass
class Segmentation:
    """How much of a region is one kind of thing, and where: every pixel is given the name that a network thinks likeliest.

    share  part of the region's pixels with that name (or one of several)
    x, y   their middle, in halves of the picture's height from its middle, y up; not known where there are none
    """

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("share", "x", "y")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"share": (0.0, 0.5), "x": (-1.0, 1.0), "y": (-1.0, 1.0)}
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    weights: str | None = None  # a folder, a name in the local cache, or "random:SEED"; None: SegFormer-b0 of ADE20K
    what: str | list[str] = "person"  # the name of a class of the network, or several
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    size: int | None = None  # pixels of the region's longer side; None: what the network was trained at

    def __post_init__(self) -> None:
        check_all(self._check_region, lambda: check_size(self.size), lambda: check_what(_several(self.what)))
        if not _several(self.what):
            raise KinesphereError('what []: name at least one thing, for instance "person"')

    def _check_region(self) -> None:
        self.region = checked_region(self.region)

    def open(self, checkpoint: object) -> None:
        """Load the network and find the names in it."""
        self._eye = load(self.weights, "segmentation", "nvidia/segformer-b0-finetuned-ade-512-512")
        self._classes = [class_of(name, self._eye.labels()) for name in _several(self.what)]

    def __call__(self, signal: Signal) -> np.ndarray:
        logits = ask(
            self._eye, signal.value, self.region, self.size or self._eye.preprocessing.size
        ).logits  # [1, K, h, w]
        likeliest = logits[0].argmax(dim=0).cpu().numpy()
        here = np.isin(likeliest, self._classes)
        return np.array([here.mean(), *middle(here, places(signal.value.shape, self.region, here.shape))])

    def close(self) -> None:
        """Let go of the network."""
        self.__dict__.pop("_eye", None)


@dataclass
class Classification:
    """What a region is taken for: the probability of each kind of thing named in `what`, and of the likeliest of all.

    certainty  probability of whatever is likeliest: low where the network knows nothing of what it sees
    """

    vector: ClassVar[bool] = False
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    weights: str | None = None  # a folder, a name in the local cache, or "random:SEED"; None: MobileNetV2 of ImageNet
    what: list[str] = field(default_factory=list)  # names of the network's classes, each of which becomes a number
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    size: int | None = None  # pixels of the region's longer side; None: what the network was trained at

    def __post_init__(self) -> None:
        check_all(self._check_region, lambda: check_size(self.size), lambda: check_what(self.what))

    def _check_region(self) -> None:
        self.region = checked_region(self.region)

    @property
    def names(self) -> tuple[str, ...]:
        """What is named in `what`, and "certainty"."""
        return (*self.what, "certainty")

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """Probabilities: 0 to 1 each."""
        return dict.fromkeys(self.names, (0.0, 1.0))

    def open(self, checkpoint: object) -> None:
        """Load the network and find the names in it."""
        self._eye = load(self.weights, "classification", "google/mobilenet_v2_1.0_224")
        self._classes = [class_of(name, self._eye.labels()) for name in self.what]
        self._each = self._eye.config.problem_type == "multi_label_classification"  # several may be there at once

    def __call__(self, signal: Signal) -> np.ndarray:
        logits = ask(self._eye, signal.value, self.region, self.size or self._eye.preprocessing.size).logits[0].double()
        probabilities = (logits.sigmoid() if self._each else logits.softmax(dim=0)).cpu().numpy()
        return np.array([*probabilities[self._classes], probabilities.max()])

    def close(self) -> None:
        """Let go of the network."""
        self.__dict__.pop("_eye", None)


@torch.no_grad()
def ask(eye: Pretrained, picture: np.ndarray, region: Sequence[float], size: int) -> Any:
    """What a network answers to the region of a picture [H, W, 3] uint8, shown with its longer side near `size` pixels."""
    part = torch.from_numpy(np.ascontiguousarray(crop(picture, region)))  # [h, w, 3] uint8
    return eye(part.permute(2, 0, 1)[None], size)


def middle(here: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """The mean place x, y of the pixels that are `here` [h, w]; not numbers where there are none. `where`: x + i y, [h, w]."""
    if not here.any():
        return math.nan, math.nan
    place = where[here].mean()
    return float(place.real), float(place.imag)


def class_of(name: str, labels: Sequence[str]) -> int:
    """The number of the class with this name, or with this among its names ("tench, Tinca tinca"), in any case.

    Raises KinesphereError where there is none; the message has the nearest names, and all of them.
    """
    wanted = name.strip().casefold()
    for number, label in enumerate(labels):
        if wanted == label.casefold():
            return number
    for number, label in enumerate(labels):
        if wanted in [part.strip().casefold() for part in label.split(",")]:
            return number
    near = difflib.get_close_matches(name.strip(), labels, 3, 0.6)
    guess = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    raise KinesphereError(f"what {name!r}: the network has no such class; {guess}It has {'; '.join(labels)}")


def check_size(size: int | None) -> None:
    """Raise KinesphereError unless it is a side in pixels that a network can look at."""
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise KinesphereError(f"size {size!r}: give {SMALLEST} to {LARGEST} pixels, or leave it out")


def check_what(names: Sequence[str]) -> None:
    """Raise KinesphereError unless each can be the name of a number in a route."""
    for name in names:
        if not name.strip() or "." in name or not name.isprintable() or name == "certainty":
            raise KinesphereError(
                f"what {name!r}: give the name of a class of the network, without a dot, for instance person"
            )
    if len(set(names)) < len(names):
        raise KinesphereError(f"what {list(names)!r}: name each thing once")


def _several(what: str | list[str]) -> list[str]:
    return [what] if isinstance(what, str) else what
