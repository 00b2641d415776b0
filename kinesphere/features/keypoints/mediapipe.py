"""MediaPipe as a tracker: one process for everybody who looks at the same source for the same thing."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from kinesphere.features.keypoints.landmarks import Sighting
from kinesphere.features.keypoints.process import Process
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError, Signal


class Stream:
    """The pictures of one source, looked at for one thing. Whoever asks, on whatever thread, each picture is looked at once."""

    def __init__(self, task: Task) -> None:
        self.process = Process(task.kind, {"most": task.most, "model": task.model, "confidence": task.confidence})
        self.users = 0
        self.afresh = False  # whether someone has begun who must not see what was before
        self._turn = threading.Lock()
        self._last: tuple[Signal, Sighting] | None = None

    def look(self, signal: Signal) -> Sighting:
        """What is in this very picture; waits for its turn and for the answer."""
        with self._turn:
            if self.afresh:
                self._last = None
            if self._last is None or self._last[0] is not signal:
                figures = self.process.track(signal.value, self.afresh)
                self.afresh = False
                height, width = signal.value.shape[:2]
                self._last = signal, Sighting(signal.t, (width, height), tuple(figures))
            return self._last[1]


class MediaPipe:
    """Finds figures with MediaPipe, in a process that all share whose task is the same; it ends with the last of them.

    `open` starts it, so that it is ready when the first picture comes; what goes wrong is said when a picture is asked about.
    """

    _streams: ClassVar[dict[Task, Stream]] = {}
    _changing: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, task: Task) -> None:
        self.task = replace(task, recording=None, seed=0)  # which are nothing to it
        self._leave: weakref.finalize[[Task], MediaPipe] | None = None

    def open(self) -> None:
        """Look afresh."""
        stream = self._stream()
        stream.afresh = True
        with suppress(KinesphereError):
            stream.process.begin()

    def __call__(self, signal: Signal) -> Sighting:
        return self._stream().look(signal)

    def close(self) -> None:
        if self._leave is not None:
            self._leave()
            self._leave = None

    def _stream(self) -> Stream:
        """The one that serves this task; joined where that is not so yet, and left when this object goes, closed or not."""
        with self._changing:
            if self._leave is None:
                stream = self._streams.setdefault(self.task, Stream(self.task))
                stream.users += 1
                self._leave = weakref.finalize(self, MediaPipe._left, self.task)
            return self._streams[self.task]

    @classmethod
    def _left(cls, task: Task) -> None:
        with cls._changing:
            stream = cls._streams[task]
            stream.users -= 1
            if stream.users:
                return
            del cls._streams[task]
        stream.process.end()
