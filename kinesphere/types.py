"""The shared words: what flows between stations, and the one place where threads meet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

T = TypeVar("T")


class KinesphereError(ValueError):
    """Something a player can mend. The message names the thing, the value and the way out; it is shown without a traceback."""


def check_all(*checks: Callable[[], object]) -> None:
    """Run every check, and raise one KinesphereError that says what all of them refused."""
    refused = []
    for check in checks:
        try:
            check()
        except KinesphereError as error:
            refused.append(str(error))
    if refused:
        raise KinesphereError("; ".join(refused))


@dataclass(frozen=True)
class Signal:
    """What a source showed at one moment."""

    value: np.ndarray  # a picture is [H, W, 3] uint8 RGB, the way round that the viewer sees it
    t: float  # seconds, on the clock that `Source.read` was asked with


@dataclass(frozen=True)
class Sound(Signal):
    """What a source let be heard up to one moment: `value` is float32 [samples, channels], full scale -1 to 1, the newest last.

    Sounds may overlap, so that one that nobody came to hear is not missed: the last `count - seen` samples are new to whoever has
    heard up to `seen`. Where that is more than there are, the others are lost.
    """

    rate: int  # samples a second
    count: (
        int  # samples that went by up to the end of `value`, since the source began; less than before: it began again
    )


def heard(station: Any) -> bool:
    """Whether a source is heard, or a feature listens. A class that says nothing of it has to do with pictures."""
    return bool(getattr(station, "heard", False))


@dataclass(frozen=True)
class Overlay:
    """What a feature sees, to be laid over the picture that it sees it in. Places are fractions of the picture: right, down."""

    lines: tuple[tuple[float, float, float, float], ...] = ()  # from x, y to x, y
    faint: tuple[tuple[float, float, float, float], ...] = ()  # lines of what is seen and does not count
    circles: tuple[tuple[float, float, float], ...] = ()  # x, y, radius; the radius in heights of the picture


@runtime_checkable
class Source(Protocol):
    """What moves by itself or by hand. A plain dataclass; its library is imported in `open`."""

    def open(self) -> None: ...
    def read(self, t: float) -> Signal | None:
        """The newest signal at time `t` (seconds), or None when there is none. May wait for hardware, never for long."""

    def close(self) -> None: ...


@runtime_checkable
class Feature(Protocol):
    """A named array drawn from a source. A plain dataclass, called once for each new signal, in order of time.

    A feature of several numbers has two more: `ranges`, from a number's name to the (in_low, in_high) that a new route begins
    with, and `circular`, the names of its angles, in radians that wrap at +-pi. One that takes something in `open` that must be
    given back has `close()` too. A latent of W says so, `space: ClassVar[str] = "w"`, and is placed as it is; one that says nothing
    is a z, and goes through the mapping network.
    """

    source: str | None  # name of the source in the patch; None is the patch's first
    vector: ClassVar[bool]  # True: a latent, z [z_dim] of unit RMS, or w [w_dim] or [num_ws, w_dim]. False: numbers

    @property
    def names(self) -> tuple[str, ...]:
        """Of its numbers, float64 [len(names)]; a route names each, as "hand.angle". (): a latent, or one number, float64 [] (0-d).

        What is not known now is not a number (NaN).
        """

    def open(self, checkpoint: Any) -> None:
        """Meet the model: `checkpoint.G_ema` and `checkpoint.D` (or None). Forgets all earlier signals."""

    def __call__(self, signal: Signal) -> np.ndarray: ...


def overlay_of(feature: Feature) -> Overlay:
    """What it sees, to be laid over the picture; nothing of a feature that has no `overlay`."""
    return getattr(feature, "overlay", Overlay)()


def names_of(feature: Feature) -> tuple[str, ...]:
    """The names of a feature's numbers; () for a latent, for one number, and for a class that was written before there were any."""
    return getattr(feature, "names", ())


def space_of(feature: Feature) -> str:
    """Where its latents are: "z" or "w"; "z" of a class that says nothing of it."""
    return getattr(feature, "space", "z")


def let_go(feature: Feature) -> None:
    """Give back what a feature took in `open`, where it took anything."""
    close = getattr(feature, "close", None)
    if close is not None:
        close()


@runtime_checkable
class Sink(Protocol):
    """Where frames go."""

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """`size` is (width, height) in pixels; `fps` a Fraction, the nominal rate."""

    def write(self, frame: np.ndarray, t: float) -> None:
        """One frame, [H, W, 3] uint8 RGB, to be seen from time `t` (seconds) on."""

    def close(self) -> None: ...


class Latest(Generic[T]):
    """A one-slot mailbox: `put` replaces, readers see the newest. Nothing queues, nobody waits for a reader."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._count = 0

    @property
    def count(self) -> int:
        """How many values were ever put."""
        return self._count

    def put(self, value: T) -> None:
        with self._changed:
            self._value = value
            self._count += 1
            self._changed.notify_all()

    def latest(self) -> T | None:
        """The newest value, at once; None before the first."""
        return self._value

    def newer(self, seen: int, timeout: float) -> tuple[T | None, int]:
        """Wait up to `timeout` seconds for a value after the `seen`-th. Returns (value, count); (None, seen) if none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > seen, timeout)
            return (self._value, self._count) if self._count > seen else (None, seen)
