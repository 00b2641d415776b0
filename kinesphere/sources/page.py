"""A web page that sends what its camera sees: a phone in the hand, or the camera of the computer that shows the stage."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from kinesphere.sources.geometry import checked_aspect, checked_size, fitted, mirrored
from kinesphere.types import KinesphereError, Latest, Signal

SILENT = 2.0  # seconds without a picture after which the source is in trouble


@dataclass
class Page:
    """Pictures that somebody pushes, from any thread and at any pace; `read` never waits.

    After two seconds without one, `read` says that the page is silent, once, and `open` until it speaks again; so the last
    picture stays, and the player is told.
    """

    mirror: bool = True  # the viewer sees a mirror, and so does every feature
    size: tuple[int, int] | None = None  # (width, height) of what `read` returns; None is the page's own
    aspect: str = "keep"  # how `size` is reached: see geometry.ASPECTS

    def __post_init__(self) -> None:
        self.size = checked_size("page", self.size)
        self.aspect = checked_aspect("page", self.aspect)
        # The picture, and when it came (seconds on perf_counter).
        self._pushed: Latest[tuple[np.ndarray, float]] = Latest()
        self._seen = 0
        self._signal: Signal | None = None
        self._waiting_since = time.perf_counter()
        self._missed: int | None = None  # how many pictures there were when the page was found silent

    def push(self, picture: np.ndarray, t: float | None = None) -> None:
        """A picture, [H, W, 3] uint8 RGB, as the camera sees it; `t` is when it came (seconds on perf_counter; None: now)."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise KinesphereError(f"page: {picture.dtype} {list(picture.shape)} is no picture: push [H, W, 3] uint8")
        self._pushed.put((picture, time.perf_counter() if t is None else t))

    def open(self) -> None:
        """Begin to wait. Raises KinesphereError while the page stays as silent as `read` has found it."""
        if self._missed is not None and self._missed == self._pushed.count:
            raise self._silence()
        self._missed = None
        self._waiting_since = time.perf_counter()

    def read(self, t: float) -> Signal | None:
        """The newest picture, [H, W, 3] uint8 RGB, stamped with the time at which it came; None before the first."""
        now, count = time.perf_counter(), self._pushed.count
        newest = self._pushed.latest()
        came = self._waiting_since if newest is None else max(newest[1], self._waiting_since)
        if now - came > SILENT:
            self._missed = count
            raise self._silence()
        if newest is not None and count != self._seen:
            picture = mirrored(fitted(newest[0], self.size, self.aspect), self.mirror)
            stamp = t - max(now - newest[1], 0.0)
            if self._signal is not None and stamp <= self._signal.t:
                stamp = max(t, np.nextafter(self._signal.t, np.inf))
            self._signal, self._seen = Signal(picture, float(stamp)), count
        return self._signal

    def close(self) -> None:
        """Nothing is held open."""

    def _silence(self) -> KinesphereError:
        if self._pushed.count:
            return KinesphereError("the page has sent no picture for 2 s: is it still open, and its camera on?")
        return KinesphereError("no page sends a picture yet: open the player or the pad, and start its camera")
