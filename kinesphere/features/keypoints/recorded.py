"""Landmarks from a file: what was once seen, seen again, with no camera and no tracker.

The file holds lines of JSON, data only. The first says what it is, each other one what was in one picture:

    {"landmarks": 1, "kind": "hand", "size": [640, 480], "seconds": 12.0}
    {"t": 0.033, "figures": [{"points": [[0.5, 0.6, 0.0, 1.0], ...], "score": 0.98, "left": 0.97}]}

`points` are x and y in fractions of the picture (right, down), z in the unit of x (away from the viewer), and how surely each is
seen; in the order of the kind's anatomy. `seconds` is the length: after it the recording begins again.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere import files
from kinesphere.features.keypoints.anatomy import ANATOMIES
from kinesphere.features.keypoints.landmarks import Figure, Sighting
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError, Signal

VERSION = 1
LONGEST = 10_000_000  # characters of one line; a face takes 2000


class Recorded:
    """Gives, for the time of each picture, what was newest then in a recording. The picture itself is not looked at."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def open(self) -> None:
        """Read the file. Raises KinesphereError where it is not such a recording."""
        if self.task.recording is None:
            raise KinesphereError('tracker "recorded" needs a file of landmarks: give recording = "hands.jsonl"')
        self._sightings, self._seconds = load(self.task.recording, self.task.kind)
        self._times = [sighting.t for sighting in self._sightings]

    def __call__(self, signal: Signal) -> Sighting:
        t = signal.t % self._seconds if self._seconds else signal.t
        newest = bisect_right(self._times, t + 1e-6) - 1
        height, width = signal.value.shape[:2]
        if newest < 0:
            return Sighting(signal.t, (width, height))
        found = self._sightings[newest]
        return Sighting(signal.t, found.size, found.figures)

    def close(self) -> None:
        """Nothing is held open."""


def save(path: str | Path, kind: str, sightings: Iterable[Sighting], seconds: float = 0.0) -> None:
    """Write a recording; `seconds` is when it begins again, 0 never. Raises OSError."""
    seen = list(sightings)
    size = seen[0].size if seen else (0, 0)
    head = {"landmarks": VERSION, "kind": kind, "size": list(size), "seconds": seconds}
    lines = [json.dumps(head), *(json.dumps({"t": one.t, "figures": [_told(f) for f in one.figures]}) for one in seen)]
    files.replace(Path(path), lambda unfinished: unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8"))


def _told(figure: Figure) -> dict[str, Any]:
    points = np.column_stack([figure.points, figure.visible]).tolist()
    return {"points": points, "score": figure.score, "left": figure.left}


def load(path: str | Path, kind: str) -> tuple[list[Sighting], float]:
    """A recording in order of time, and its length in seconds. Raises KinesphereError, with the line that is wrong."""
    sightings: list[Sighting] = []
    head: Mapping[str, Any] | None = None
    number = 0
    try:
        with open(path, encoding="utf-8") as file:
            while line := file.readline(LONGEST):
                number += 1
                said = json.loads(line)
                if head is None:
                    head = said
                    size, seconds = (int(said["size"][0]), int(said["size"][1])), float(said["seconds"])
                    if said["landmarks"] != VERSION or not (min(size) > 0 <= seconds < np.inf):
                        raise ValueError(f"landmarks {said['landmarks']}, size {said['size']}, seconds {seconds}")
                    if said["kind"] != kind:
                        raise ValueError(f"it is of a {said['kind']}, and this feature needs one of a {kind}")
                    continue
                sightings.append(Sighting(_finite(said["t"]), size, tuple(_figure(f, kind) for f in said["figures"])))
    except OSError as error:
        raise KinesphereError(f"recording {str(path)!r} cannot be read: {files.reason(error)}") from None
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise KinesphereError(
            f"recording {str(path)!r}, line {number}: this is no line of a recording of landmarks ({error}); "
            "kinesphere.features.keypoints.recorded.save writes them"
        ) from None
    if head is None or not sightings:
        raise KinesphereError(f"recording {str(path)!r} is empty: nothing was seen in it")
    return sorted(sightings, key=lambda sighting: sighting.t), seconds


def _figure(said: Mapping[str, Any], kind: str) -> Figure:
    points = np.array(said["points"], np.float64)
    if points.shape != (len(ANATOMIES[kind].names), 4) or not np.isfinite(points).all():
        raise ValueError(f"a {kind} has {len(ANATOMIES[kind].names)} points of 4 finite numbers each")
    return Figure(points[:, :3], points[:, 3], _finite(said["score"]), _finite(said["left"]))


def _finite(number: Any) -> float:
    if not np.isfinite(float(number)):
        raise ValueError(f"{number} is no time or share")
    return float(number)
