"""Who finds the figures: the contract, and those that there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from kinesphere.features.keypoints.landmarks import Sighting
from kinesphere.features.keypoints.mediapipe import MediaPipe
from kinesphere.features.keypoints.recorded import Recorded
from kinesphere.features.keypoints.synthetic import Synthetic
from kinesphere.features.keypoints.task import Task
from kinesphere.types import Signal


class Tracker(Protocol):
    """Finds the figures of one kind in pictures that come in order of time."""

    def open(self) -> None:
        """Begin afresh: nothing of what was seen before has a say. Also again, and after `close`."""

    def __call__(self, signal: Signal) -> Sighting:
        """What is in this very picture; may wait for it. Raises KinesphereError where it cannot tell."""

    def close(self) -> None:
        """Let go of what `open` took."""


TRACKERS: Mapping[str, Callable[[Task], Tracker]] = {
    "mediapipe": MediaPipe,
    "recorded": Recorded,
    "synthetic": Synthetic,
}
"""By name: what a feature's `tracker` may be."""
