"""How stations are read and shown: in turn, for a film; each on a thread of its own, for a performance."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch

from kinesphere.patch import Patch
from kinesphere.types import Latest, Signal, Sink, Source

RETRY = 1.0  # seconds until a station that failed is opened again
POLL = 0.005  # seconds between two looks at a source
SILENT = 2.0  # seconds without an answer after which a source is in trouble
LISTEN = 0.1  # seconds that a thread waits before it looks whether the show is over


@dataclass
class Health:
    """How one station is doing."""

    done: int = 0  # how often it did its work
    failures: int = 0
    error: str | None = None  # what is wrong now; None when well
    since: float = 0.0  # time of the last good work, seconds on `time.monotonic`


class Healths(dict[str, Health]):
    """The health of every station by its name in the patch, such as "sources.eye"."""

    @contextmanager
    def tried(self, name: str) -> Iterator[None]:
        """Whatever goes wrong inside is counted and kept as words; it does not spread."""
        health = self.setdefault(name, Health())
        try:
            yield
        except Exception as error:
            health.failures += 1
            health.error = str(error) or type(error).__name__
        else:
            health.done += 1
            health.error = None
            health.since = time.monotonic()

    def troubles(self) -> dict[str, str]:
        """What is wrong now, by station, in words."""
        now, found = time.monotonic(), {}
        for name, health in list(self.items()):
            if health.error is not None:
                found[name] = health.error
            elif name.startswith("sources.") and health.since and now - health.since > SILENT:
                found[name] = f"it has not answered for more than {SILENT:.0f} s"
        return found


@dataclass(frozen=True)
class Drawn:
    """One value of a feature, and the time of the signal that it was drawn from."""

    value: np.ndarray
    t: float


def stations(patch: Patch) -> list[Source | Sink]:
    """What is opened when a patch begins to play, and closed at its end."""
    return [*patch.sources.values(), *patch.sinks.values()]


class Lanes(Protocol):
    """What an engine's step needs of the world around it."""

    def features(self, t: float) -> dict[str, Drawn]:
        """The newest value of each feature that has one yet."""

    def show(self, frame: np.ndarray, t: float) -> None:
        """A frame for every sink."""


class InTurn:
    """Every source is read at exactly `t`, every feature drawn, every sink written, one after the other: for a film."""

    def __init__(self, patch: Patch, health: Healths, size: tuple[int, int], fps: Fraction) -> None:
        self.patch, self.health, self.size, self.fps = patch, health, size, fps
        self.drawn: dict[str, Drawn] = {}
        self.seen: dict[str, Signal] = {}

    def __enter__(self) -> InTurn:
        for source in self.patch.sources.values():
            source.open()
        for sink in self.patch.sinks.values():
            sink.open(self.size, self.fps)
        return self

    def __exit__(self, *stopped_by: object) -> None:
        for station in stations(self.patch):
            station.close()

    def features(self, t: float) -> dict[str, Drawn]:
        signals: dict[str, Signal | None] = {}
        for name, source in self.patch.sources.items():
            with self.health.tried(f"sources.{name}"):
                signals[name] = source.read(t)
        for name, feature in self.patch.features.items():
            signal = signals.get(self.patch.source_of(name))
            if signal is not None and signal is not self.seen.get(name):
                with self.health.tried(f"features.{name}"):
                    self.drawn[name] = Drawn(feature(signal), signal.t)
                self.seen[name] = signal
        return self.drawn

    def show(self, frame: np.ndarray, t: float) -> None:
        for name, sink in self.patch.sinks.items():
            with self.health.tried(f"sinks.{name}"):
                sink.write(frame, t)


class OwnThreads:
    """Every source, feature and sink keeps its own pace on its own thread and hands over through a mailbox: for a performance.

    What cannot be opened at the start is refused; what fails later holds its last value, is counted, and is opened again.
    A sink that must be written from the main thread is left to `show_main`.
    """

    def __init__(
        self, patch: Patch, health: Healths, size: tuple[int, int], fps: Fraction, clock: Callable[[], float]
    ) -> None:
        self.patch, self.health, self.size, self.fps, self.clock = patch, health, size, fps, clock
        self.signals: dict[str, Latest[Signal]] = {name: Latest() for name in patch.sources}
        self.drawn: dict[str, Latest[Drawn]] = {name: Latest() for name in patch.features}
        self.frames: Latest[tuple[np.ndarray, float]] = Latest()
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []
        self.main_sinks = {n: s for n, s in patch.sinks.items() if getattr(s, "main_thread", False)}
        self.main_seen = 0

    def __enter__(self) -> OwnThreads:
        opened: list[Source | Sink] = []
        try:
            for source in self.patch.sources.values():
                source.open()
                opened.append(source)
            for sink in self.patch.sinks.values():
                sink.open(self.size, self.fps)
                opened.append(sink)
        except BaseException:
            for station in opened:
                station.close()
            raise
        for name in self.patch.sources:
            self._start(self._watch, name)
        for name in self.patch.features:
            self._start(self._draw, name)
        for name in self.patch.sinks:
            if name not in self.main_sinks:
                self._start(self._deliver, name)
        return self

    def _start(self, work: Callable[[str], None], name: str) -> None:
        thread = threading.Thread(target=work, args=(name,), name=f"{work.__name__[1:]} {name}", daemon=True)
        self.threads.append(thread)
        thread.start()

    def __exit__(self, *stopped_by: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=5)
        for station in stations(self.patch):
            station.close()

    def features(self, t: float) -> dict[str, Drawn]:
        newest = {name: mailbox.latest() for name, mailbox in self.drawn.items()}
        return {name: drawn for name, drawn in newest.items() if drawn is not None}

    def show(self, frame: np.ndarray, t: float) -> None:
        self.frames.put((frame, t))

    def show_main(self, timeout: float) -> None:
        """Give the newest frame to the sinks that live on the main thread; wait up to `timeout` seconds for one."""
        item, self.main_seen = self.frames.newer(self.main_seen, timeout)
        for name, sink in self.main_sinks.items() if item else ():
            with self.health.tried(f"sinks.{name}"):
                sink.write(*item)  # type: ignore[misc]

    def closed(self) -> bool:
        """Whether the player closed a window."""
        return any(getattr(sink, "closed", False) for sink in self.main_sinks.values())

    def _watch(self, name: str) -> None:
        source, mailbox, place = self.patch.sources[name], self.signals[name], f"sources.{name}"
        while not self.over.is_set():
            signal = None
            with self.health.tried(place):
                signal = source.read(self.clock())
            if self.health[place].error is not None:
                self._reopen(name, source)
                continue
            newest = mailbox.latest()
            if signal is not None and (newest is None or signal.t != newest.t):
                mailbox.put(signal)
            self.over.wait(POLL)  # a source that never waits must not take the processor from the rest

    def _reopen(self, name: str, source: Source) -> None:
        """A source that failed is closed, and opened until it comes back; its last picture stays meanwhile."""
        with suppress(Exception):
            source.close()
        while not self.over.wait(RETRY):
            with self.health.tried(f"sources.{name}"):
                source.open()
                return

    @torch.inference_mode()
    def _draw(self, name: str) -> None:
        feature, signals = self.patch.features[name], self.signals[self.patch.source_of(name)]
        seen = 0
        while not self.over.is_set():
            signal, seen = signals.newer(seen, LISTEN)
            if signal is not None:
                with self.health.tried(f"features.{name}"):
                    self.drawn[name].put(Drawn(feature(signal), signal.t))

    def _deliver(self, name: str) -> None:
        sink, seen = self.patch.sinks[name], 0
        while not self.over.is_set():
            item, seen = self.frames.newer(seen, LISTEN)
            if item is not None:
                with self.health.tried(f"sinks.{name}"):
                    sink.write(*item)
