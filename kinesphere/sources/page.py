"""A web page that sends what its camera sees, or what its microphone hears: a phone in the hand, or the stage's own page."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import numpy as np

from kinesphere.sources.geometry import checked_aspect, checked_size, fitted, mirrored
from kinesphere.types import KinesphereError, Latest, Signal, Sound

SILENT = 2.0  # seconds without anything after which the source is in trouble

T = TypeVar("T")


class _Pushed(Generic[T]):
    """What somebody pushes, from any thread and at any pace; reading it never waits.

    After two seconds without anything, `read` says that the page is silent, once, and `open` until it speaks again; so what was
    last there stays, and the player is told.
    """

    sends: ClassVar[str]  # what should come, and from what, in words
    from_its: ClassVar[str]

    def _wait(self) -> None:
        # What was pushed, and when it came (seconds on perf_counter).
        self._pushed: Latest[tuple[T, float]] = Latest()
        self._seen = 0
        self._stamped: float | None = None
        self._waiting_since = time.perf_counter()
        self._missed: int | None = None  # how often something had been pushed when the page was found silent

    def open(self) -> None:
        """Begin to wait. Raises KinesphereError while the page stays as silent as `read` has found it."""
        if self._missed is not None and self._missed == self._pushed.count:
            raise self._silence()
        self._missed = None
        self._waiting_since = time.perf_counter()

    def close(self) -> None:
        """Nothing is held open."""

    def _push(self, item: T, t: float | None) -> None:
        self._pushed.put((item, time.perf_counter() if t is None else t))

    def _newest(self, t: float) -> tuple[T, float] | None:
        """What was pushed last and the time at which it came, on the clock of `t`; None where nothing is new."""
        now, count = time.perf_counter(), self._pushed.count
        newest = self._pushed.latest()
        came = self._waiting_since if newest is None else max(newest[1], self._waiting_since)
        if now - came > SILENT:
            self._missed = count
            raise self._silence()
        if newest is None or count == self._seen:
            return None
        stamp = t - max(now - newest[1], 0.0)
        if self._stamped is not None and stamp <= self._stamped:
            stamp = max(t, float(np.nextafter(self._stamped, np.inf)))
        self._seen, self._stamped = count, float(stamp)
        return newest[0], self._stamped

    def _silence(self) -> KinesphereError:
        if self._pushed.count:
            return KinesphereError(
                f"the page has sent no {self.sends} for 2 s: is it still open, and its {self.from_its} on?"
            )
        return KinesphereError(
            f"no page sends a {self.sends} yet: open the player or the pad, and start its {self.from_its}"
        )


@dataclass
class Page(_Pushed[np.ndarray]):
    """Pictures that somebody pushes, from any thread and at any pace; `read` never waits."""

    sends: ClassVar[str] = "picture"
    from_its: ClassVar[str] = "camera"

    mirror: bool = True  # the viewer sees a mirror, and so does every feature
    size: tuple[int, int] | None = None  # (width, height) of what `read` returns; None is the page's own
    aspect: str = "keep"  # how `size` is reached: see geometry.ASPECTS

    def __post_init__(self) -> None:
        self.size = checked_size("page", self.size)
        self.aspect = checked_aspect("page", self.aspect)
        self._signal: Signal | None = None
        self._wait()

    def push(self, picture: np.ndarray, t: float | None = None) -> None:
        """A picture, [H, W, 3] uint8 RGB, as the camera sees it; `t` is when it came (seconds on perf_counter; None: now)."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise KinesphereError(f"page: {picture.dtype} {list(picture.shape)} is no picture: push [H, W, 3] uint8")
        self._push(picture, t)

    def read(self, t: float) -> Signal | None:
        """The newest picture, [H, W, 3] uint8 RGB, stamped with the time at which it came; None before the first."""
        newest = self._newest(t)
        if newest is not None:
            picture, stamp = newest
            self._signal = Signal(mirrored(fitted(picture, self.size, self.aspect), self.mirror), stamp)
        return self._signal


@dataclass(frozen=True)
class _Heard:
    """The last quarter of a second of a page's sound."""

    samples: np.ndarray  # float32 [n]
    rate: int
    count: int  # samples that the page has heard, these among them


@dataclass
class PageSound(_Pushed[_Heard]):
    """Sound that somebody pushes, block by block, one channel; `read` never waits.

    Each Sound is the last KEPT seconds, so that who comes a little late misses nothing; what is older is gone.
    """

    KEPT: ClassVar[float] = 0.25  # seconds
    LONGEST: ClassVar[float] = 1.0  # seconds of one block
    RATES: ClassVar[tuple[int, int]] = (8_000, 192_000)  # samples a second

    heard: ClassVar[bool] = True
    sends: ClassVar[str] = "sound"
    from_its: ClassVar[str] = "microphone"

    def __post_init__(self) -> None:
        self._signal: Sound | None = None
        self._pushing = threading.Lock()
        self._wait()

    def push(self, samples: np.ndarray, rate: int, count: int, t: float | None = None) -> None:
        """A block of float32 [n], full scale -1 to 1; `count` is how many samples the page has heard, these among them.

        Where some of them did not come, or the page began again, what was kept is forgotten. `t` is when the last sample came
        (seconds on perf_counter; None: now).
        """
        low, high = self.RATES
        if not low <= rate <= high:
            raise KinesphereError(f"page sound: {rate} samples a second: send {low} to {high}")
        if samples.ndim != 1 or samples.dtype != np.float32 or not 0 < len(samples) <= rate * self.LONGEST:
            raise KinesphereError(
                f"page sound: {samples.dtype} {list(samples.shape)} is no block: push [n] float32, up to {self.LONGEST:g} s"
            )
        if count < len(samples):
            raise KinesphereError(f"page sound: {count} samples in all cannot be, where {len(samples)} come at once")
        with self._pushing:
            known = self._pushed.latest()
            before = known[0] if known is not None else None
            goes_on = before is not None and before.rate == rate and before.count == count - len(samples)
            whole = np.concatenate([before.samples, samples]) if before is not None and goes_on else samples
            self._push(_Heard(whole[-round(rate * self.KEPT) :], rate, count), t)

    def read(self, t: float) -> Sound | None:
        """The newest sound, float32 [samples, 1], stamped with the time at which its last sample came; None before the first."""
        newest = self._newest(t)
        if newest is not None:
            kept, stamp = newest
            self._signal = Sound(kept.samples[:, None], stamp, kept.rate, kept.count)
        return self._signal
