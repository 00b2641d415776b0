"""What hand, body and face have in common: a feature that measures one figure of those that a tracker sees."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from kinesphere.features.keypoints.anatomy import ANATOMIES
from kinesphere.features.keypoints.continuity import LOST, Continuity
from kinesphere.features.keypoints.identity import Chosen, Where
from kinesphere.features.keypoints.landmarks import Figure, Sighting
from kinesphere.features.keypoints.task import Task
from kinesphere.features.keypoints.tracker import TRACKERS, Tracker
from kinesphere.types import KinesphereError, Overlay, Signal, check_all

SHOWN = 0.5  # how sure the tracker is of a point that is drawn


@dataclass
class Measuring:
    """A feature of several numbers, float64 [len(names)], NaN where one is not known; the last is `seen`, 0 to 1.

    Lengths are in half heights of the picture, x to the right and y up from its middle; angles in radians, counter-clockwise.
    Raises KinesphereError, in words, when its tracker cannot tell.
    """

    vector: ClassVar[bool] = False
    circular: ClassVar[Collection[str]] = frozenset()
    resting: ClassVar[
        Mapping[str, float]
    ] = {}  # where each number rests, unless `rest` says otherwise; 0 where neither does

    source: str | None = None  # None is the patch's first
    tracker: str = "mediapipe"  # who looks: "mediapipe", "recorded" or "synthetic"
    recording: str | None = None  # tracker "recorded": a file of landmarks
    seed: int = 0  # tracker "synthetic": another seed, another dance
    confidence: float = 0.5  # below this nothing is said to be there, 0 to 1
    smoothing: float = 0.0  # time constant, seconds; 0 is none
    lost: str = "hold"  # out of sight: "hold" the last value, go to "rest", or say "none", which is not a number
    fade: float = 0.5  # seconds in which that happens, and in which `seen` comes and goes
    rest: dict[str, float] = field(default_factory=dict)  # from a number's name to where it rests, for this performer
    range: dict[str, tuple[float, float]] = field(default_factory=dict)
    # ^ from a number's name to its smallest and largest, for this performer: they become the ends of its ordinary range

    def __post_init__(self) -> None:
        self._tracker: Tracker | None = None
        self._tracked: tuple[str, Task] | None = None  # what it was made for
        self._last: tuple[Sighting, int | None] | None = None
        self.range = {name: tuple(ends) for name, ends in self.range.items()}  # type: ignore[misc]
        check_all(self._check_tracker, self._check_numbers, self._check_calibration)

    def _check_tracker(self) -> None:
        if self.tracker not in TRACKERS:
            raise KinesphereError(f"no tracker {self.tracker!r}: choose {', '.join(TRACKERS)}")
        if self.lost not in LOST:
            raise KinesphereError(f"lost {self.lost!r}: choose {', '.join(LOST)}")

    def _check_numbers(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise KinesphereError(f"confidence {self.confidence!r}: give 0 to 1, for instance 0.5")
        for name in ("smoothing", "fade"):
            if not 0 <= getattr(self, name) < math.inf:
                raise KinesphereError(f"{name} {getattr(self, name)!r}: give seconds, 0 or more, for instance 0.2")
        if not 0 <= self.seed < 2**32:
            raise KinesphereError(f"seed {self.seed!r}: give a whole number from 0 to 4294967295")

    def _check_calibration(self) -> None:
        for name, value in self.rest.items():
            self._check_name("rest", name)
            if not math.isfinite(value):
                raise KinesphereError(f"rest.{name} {value!r}: give the number at which it rests")
        for name, ends in self.range.items():
            self._check_name("range", name)
            if name in self.circular:
                raise KinesphereError(f"range.{name}: it goes round and has no ends: give the route a range instead")
            if len(ends) != 2 or not all(map(math.isfinite, ends)) or ends[0] == ends[1]:
                raise KinesphereError(f"range.{name} {list(ends)!r}: give its smallest and its largest value")

    def _check_name(self, what: str, name: str) -> None:
        known = [known for known in self.names if known != "seen"]
        if name not in known:
            raise KinesphereError(f"{what}.{name}: no such number: choose {', '.join(known)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of its numbers, in their order; the last is "seen"."""
        raise NotImplementedError

    @property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """From a name to the range that a new route begins with."""
        raise NotImplementedError

    def open(self, checkpoint: Any = None) -> None:
        """Forget all that was seen, and begin to track. Raises KinesphereError where a recording cannot be read.

        A MediaPipe that is not there, or does not begin, stops nothing: it is said at each picture.
        """
        task = self._task()
        if self._tracker is not None and self._tracked == (self.tracker, task):
            self._tracker.open()
        else:
            tracker = TRACKERS[self.tracker](task)
            tracker.open()
            self.close()
            self._tracker, self._tracked = tracker, (self.tracker, task)
        self._chosen = self._choice()
        self._continuity = Continuity(
            self.names, self.circular, self.ranges, {**self.resting, **self.rest}, self.range, self.lost, self.fade, self.smoothing
        )  # fmt: skip
        self._last = None

    def __call__(self, signal: Signal) -> np.ndarray:
        """The numbers [len(names)] of a picture [H, W, 3] uint8 RGB."""
        assert self._tracker is not None
        sighting = self._tracker(signal)
        place = self._chosen([self._where(figure, sighting.size) for figure in sighting.figures], signal.t)
        self._last = sighting, place
        if place is None:
            measured = np.append(np.full(len(self.names) - 1, math.nan), 0.0)
        else:
            measured = self._numbers(sighting.figures[place], sighting.size)
        return self._continuity(measured, signal.t)

    def close(self) -> None:
        """Let the tracker go; `open` begins again."""
        if self._tracker is not None:
            self._tracker.close()

    def last(self) -> tuple[Sighting, int | None] | None:
        """What was seen in the last picture, and the place of the figure that is measured; None before the first."""
        return self._last

    def overlay(self) -> Overlay:
        """The figure that is measured, and faintly the others; nothing before the first picture."""
        anatomy = ANATOMIES[self.kind()]
        pairs = [(anatomy.index[a], anatomy.index[b]) for a, b in anatomy.lines]
        sighting, place = self._last or (None, None)
        found: tuple[list[Any], list[Any]] = ([], [])
        for i, figure in enumerate(sighting.figures if sighting else ()):
            at, seen = np.round(figure.points[:, :2], 4).tolist(), figure.visible >= SHOWN
            found[i != place].extend((*at[a], *at[b]) for a, b in pairs if seen[a] and seen[b])
        return Overlay(lines=tuple(found[0]), faint=tuple(found[1]))

    def kind(self) -> str:
        """Of its figures: a name of anatomy.ANATOMIES."""
        return self._task().kind

    def _task(self) -> Task:
        raise NotImplementedError

    def _choice(self) -> Chosen:
        raise NotImplementedError

    def _where(self, figure: Figure, size: tuple[int, int]) -> Where:
        raise NotImplementedError

    def _numbers(self, figure: Figure, size: tuple[int, int]) -> np.ndarray:
        """The numbers in their order, the last being how surely it is seen."""
        raise NotImplementedError


def sure(figure: Figure) -> float:
    """How surely a figure is seen, 0 to 1."""
    return min(max(figure.score, 0.0), 1.0)
