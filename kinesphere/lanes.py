"""How stations are read and shown: in turn, for a film; each on a thread of its own, for a performance."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar, Protocol

import numpy as np
import torch

from kinesphere.features.smoothing import Glide
from kinesphere.patch import BadPatch, Patch
from kinesphere.sources.geometry import resized
from kinesphere.types import (
    Feature,
    KinesphereError,
    Latest,
    Signal,
    Sink,
    Sound,
    Source,
    heard,
    let_go,
    names_of,
    space_of,
)

RETRY = 1.0  # seconds until a station that failed is tried again
POLL = 0.005  # seconds between two looks at a source
SILENT = 2.0  # seconds without an answer after which a station is in trouble
LISTEN = 0.1  # seconds that a thread waits before it looks whether the show is over
RECENT = 2.0  # seconds that a rate is taken over
PATIENCE = 5.0  # seconds that the end waits for a station that does not answer
OUT_OF_MEMORY = (MemoryError, torch.OutOfMemoryError)


# --- how a station is doing -------------------------------------------------------------------------------------------


class Ring:
    """The last `size` numbers, in one block of memory: adding one allocates nothing. One thread adds, any may look."""

    def __init__(self, size: int = 512) -> None:
        self._numbers = np.zeros(size)
        self._count = 0

    def add(self, number: float) -> None:
        self._numbers[self._count % len(self._numbers)] = number
        self._count += 1

    def numbers(self) -> np.ndarray:
        """A copy, oldest first, float64 [n]."""
        count, size = self._count, len(self._numbers)
        if count <= size:
            return self._numbers[:count].copy()
        return np.roll(self._numbers, -(count % size))


def rate(times: Ring, now: float) -> float:
    """How many a second, of those that came in the RECENT seconds before `now`."""
    recent = times.numbers()
    recent = recent[recent > now - RECENT]
    span = float(recent[-1] - recent[0]) if len(recent) > 1 else 0.0
    return (len(recent) - 1) / span if span > 0 else 0.0


class Health:
    """How one station is doing."""

    def __init__(self) -> None:
        self.done = 0  # how often it did its work
        self.failures = 0
        self.in_a_row = 0  # failures since the last good work
        self.error: str | None = None  # what is wrong now; None when well
        self.since = 0.0  # time of the last good answer, seconds on `time.monotonic`
        self.began: float | None = None  # time at which it was asked, while it has not answered
        self.took = Ring()  # seconds, for each time that it did its work
        self.ended = Ring()  # and when that was
        self.starved = False  # whether it failed last for want of memory
        self._last = 0.0  # seconds that the last answer took

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Whatever goes wrong inside is counted and kept as words; it does not spread."""
        self.began = time.monotonic()
        try:
            yield
        except Exception as error:
            self.failures += 1
            self.in_a_row += 1
            self.error = str(error) or type(error).__name__
            self.starved = isinstance(error, OUT_OF_MEMORY)
        else:
            self.since = time.monotonic()
            self.error, self.in_a_row = None, 0
        finally:
            self._last, self.began = time.monotonic() - self.began, None

    def worked(self) -> None:
        """What was tried last was a piece of work, not just a look whether there is any."""
        self.done += 1
        self.took.add(self._last)
        self.ended.add(self.since)

    def trouble(self) -> str | None:
        """What is wrong now, in words."""
        began = self.began
        if self.error is None and began is not None and time.monotonic() - began > SILENT:
            return f"it has not answered for more than {SILENT:.0f} s"
        return self.error


class Healths(dict[str, Health]):
    """The health of every station by its name in the patch, such as "sources.eye"."""

    @contextmanager
    def tried(self, name: str) -> Iterator[None]:
        """As `Health.tried`; what goes well is a piece of work."""
        health = self.get(name)
        if health is None:
            health = self[name] = Health()
        with health.tried():
            yield
        if health.error is None:
            health.worked()

    def troubles(self) -> dict[str, str]:
        """What is wrong now, by station, in words."""
        said = {name: health.trouble() for name, health in list(self.items())}
        return {name: words for name, words in said.items() if words is not None}


@dataclass(frozen=True)
class Drawn:
    """One value of a feature, and the time of the signal that it was drawn from."""

    value: np.ndarray
    t: float
    names: tuple[str, ...] = ()  # of its numbers, where there are several

    def number(self, name: str) -> float:
        """One of its numbers, "" where it is one alone. Not a number: not known now, or there is none of this name."""
        if name in self.names:
            return float(self.value[self.names.index(name)])
        return float(self.value) if not name and self.value.ndim == 0 else math.nan


def draw(feature: Feature, signal: Signal) -> Drawn:
    """What a feature makes of a signal."""
    return Drawn(feature(signal), signal.t, names_of(feature))


def suits(signal: Signal, feature: Feature) -> bool:
    """Whether a feature can take a signal: it may be left from a source of another kind that had the name before."""
    return isinstance(signal, Sound) == heard(feature)


@dataclass(frozen=True)
class Shown:
    """One picture as it is shown."""

    frame: np.ndarray  # [H, W, 3] uint8 RGB; never written to again
    t: float  # seconds of the performance
    number: int  # 1, 2, 3 ...
    age: float | None = None  # seconds since the oldest feature value in it was seen; None: there is none in it


class Lanes(Protocol):
    """What an engine's step needs of the world around it."""

    def features(self, t: float) -> dict[str, Drawn]:
        """The newest value of each feature that has one yet."""

    def show(self, frame: np.ndarray, t: float) -> None:
        """A frame for every sink."""


# --- in turn ----------------------------------------------------------------------------------------------------------


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
        with ExitStack() as closing:  # each of them, whatever another does
            for feature in self.patch.features.values():
                closing.callback(let_go, feature)
            stations: list[Source | Sink] = [*self.patch.sinks.values(), *self.patch.sources.values()]
            for station in stations:
                closing.callback(station.close)

    def features(self, t: float) -> dict[str, Drawn]:
        signals: dict[str, Signal | None] = {}
        for name, source in self.patch.sources.items():
            with self.health.tried(f"sources.{name}"):
                signals[name] = source.read(t)
        for name, feature in self.patch.features.items():
            signal = signals.get(self.patch.source_of(name))
            if signal is not None and signal is not self.seen.get(name):
                with self.health.tried(f"features.{name}"):
                    self.drawn[name] = draw(feature, signal)
                self.seen[name] = signal
        return self.drawn

    def show(self, frame: np.ndarray, t: float) -> None:
        for name, sink in self.patch.sinks.items():
            with self.health.tried(f"sinks.{name}"):
                sink.write(frame, t)


# --- each at its own pace ---------------------------------------------------------------------------------------------


class Lane:
    """One station at its own pace: opened, asked and closed on a thread of its own, until `end`.

    What fails is counted, held, and tried again after a pause. `after`: lanes that had this station, or this station's place,
    before; they are closed first, so that a camera that comes back with another setting is free.
    """

    verb: ClassVar[str]

    def __init__(self, place: str, station: Any, after: Sequence[Lane] = ()) -> None:
        self.place, self.station, self.after = place, station, after
        self.health = Health()
        self.is_open = self.is_closing = False
        self.lost: Exception | None = None  # why it could not be closed in good order
        self.over = threading.Event()
        self.gone: Callable[[Lane], None] = lambda lane: None  # called at the end, on its thread
        self.thread = threading.Thread(target=self._live, name=f"{self.verb} {place.partition('.')[2]}", daemon=True)
        self._again = 0.0  # no sooner is it tried again, on `time.monotonic`

    def end(self) -> None:
        """Tell it that it is over; its thread closes it when it can."""
        self.over.set()

    def wait(self, patience: float) -> None:
        """Wait until it is closed: `patience` seconds, and as long as the closing itself takes (a film is made whole)."""
        until = time.monotonic() + patience
        while self.thread.is_alive() and (self.is_closing or time.monotonic() < until):
            self.thread.join(0.02)

    def _live(self) -> None:
        self._let_others_go()
        while not self.over.is_set():
            self.turn(LISTEN)
        self.close()
        self.gone(self)
        self.station = None  # a network may be large

    def _let_others_go(self) -> None:
        until = time.monotonic() + SILENT
        for lane in self.after:
            while lane.thread.is_alive() and not self.over.is_set() and (lane.is_closing or time.monotonic() < until):
                lane.thread.join(0.02)
        self.after = ()

    def turn(self, wait: float) -> None:
        """Do what there is to do; wait up to `wait` seconds for it."""
        rest = self._again - time.monotonic()
        if rest > 0:
            self.over.wait(min(rest, wait))
            return
        failures = self.health.failures
        if self.is_open:
            self._work(wait)
        else:
            with self.health.tried():
                self.begin()
        if self.health.failures > failures:
            self._recover()

    def begin(self) -> None:
        """Open the station, unless it is."""
        if not self.is_open:
            self._open()
            self.is_open = True

    def _open(self) -> None:
        self.station.open()

    def close(self) -> None:
        """Close what is open; why that failed is kept."""
        if not self.is_open:
            return
        self.is_closing = True
        try:
            self._close()
        except Exception as error:
            self.health.error, self.lost = str(error) or type(error).__name__, error
        self.is_open = self.is_closing = False

    def _close(self) -> None:
        self.station.close()

    def _work(self, wait: float) -> None:
        raise NotImplementedError

    def _recover(self) -> None:
        if self.is_open:
            with suppress(Exception):
                self.station.close()
        self.is_open = False
        self._again = time.monotonic() + RETRY


class Watching(Lane):
    """A source, read as often as it has something new."""

    verb = "watch"

    def __init__(
        self, place: str, source: Source, mailbox: Latest[Signal], clock: Callable[[], float], after: Sequence[Lane]
    ) -> None:
        super().__init__(place, source, after)
        self.mailbox, self.clock = mailbox, clock
        self._seen: float | None = None

    def _work(self, wait: float) -> None:
        signal = None
        with self.health.tried():
            signal = self.station.read(self.clock())
        if signal is not None and signal.t != self._seen and not self.over.is_set():
            self._seen = signal.t
            self.health.worked()
            self.mailbox.put(signal)
        self.over.wait(POLL)  # a source that never waits must not take the processor from the rest


class Drawing(Lane):
    """A feature, drawn from each newest signal of its source. The model has opened it already."""

    verb = "draw"

    def __init__(self, place: str, feature: Feature, signals: Latest[Signal]) -> None:
        super().__init__(place, feature)
        self.is_open = True
        self.signals = signals  # of its source; another mailbox may be put here while it runs
        self.mailbox: Latest[Drawn] = Latest()
        self.glide = Glide(straight=space_of(feature) == "w")
        self._watched: Latest[Signal] | None = None
        self._count = 0

    @torch.inference_mode()
    def _live(self) -> None:
        super()._live()

    def _work(self, wait: float) -> None:
        if self.signals is not self._watched:
            self._watched, self._count = self.signals, 0
        signal, self._count = self._watched.newer(self._count, wait)
        if signal is None or not suits(signal, self.station):
            return
        with self.health.tried():
            self.mailbox.put(draw(self.station, signal))
        if self.health.error is None:
            self.health.worked()

    def _open(self) -> None:
        """The model has."""

    def _close(self) -> None:
        let_go(self.station)

    def _recover(self) -> None:
        """The last value stays. One odd picture costs nothing more; what keeps failing, or needs memory, is left to rest."""
        if self.health.starved or self.health.in_a_row > 1:
            self._again = time.monotonic() + RETRY


class Delivering(Lane):
    """A sink, written with the newest picture as often as it is ready for one."""

    verb = "deliver"

    def __init__(
        self,
        place: str,
        sink: Sink,
        pictures: Latest[Shown],
        form: Callable[[], tuple[tuple[int, int], Fraction]],
        after: Sequence[Lane],
    ) -> None:
        super().__init__(place, sink, after)
        self.pictures, self.form = pictures, form
        self.size: tuple[int, int] | None = None  # that it was opened with
        self._count = 0

    def _open(self) -> None:
        self.size, fps = self.form()
        self.station.open(self.size, fps)

    def _work(self, wait: float) -> None:
        shown, self._count = self.pictures.newer(self._count, wait)
        if shown is None:
            return
        with self.health.tried():
            self.station.write(self._fitted(shown.frame), shown.t)
        if self.health.error is None:
            self.health.worked()

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        """In the size that the sink was opened with: another model may draw larger, and a film has one size. A window has any."""
        if self.size is None or on_main_thread(self.station):
            return frame
        return resized(frame, self.size)


def on_main_thread(sink: Sink) -> bool:
    """Whether a sink must be opened, written and closed on the main thread."""
    return bool(getattr(sink, "main_thread", False))


@dataclass(frozen=True)
class Lineup:
    """The features of one patch, each with its mailbox: what the engine's step sees of the threads."""

    drawn: Mapping[str, Latest[Drawn]]
    screen: Callable[[np.ndarray, float], None]  # takes each frame and its time

    glides: Mapping[str, Glide] = field(default_factory=dict)  # of the features that are latents

    def features(self, t: float) -> dict[str, Drawn]:
        """For the picture at time `t`; a latent that comes more slowly than pictures is on its way."""
        newest = {name: mailbox.latest() for name, mailbox in self.drawn.items()}
        return {name: self._gliding(name, drawn, t) for name, drawn in newest.items() if drawn is not None}

    def _gliding(self, name: str, drawn: Drawn, t: float) -> Drawn:
        if name not in self.glides:
            return drawn
        value = self.glides[name](drawn.value, t)
        return drawn if value is drawn.value else replace(drawn, value=value)

    def show(self, frame: np.ndarray, t: float) -> None:
        self.screen(frame, t)


NOWHERE = Lineup({}, lambda frame, t: None)
"""Nothing is seen and nothing is shown."""


class OwnThreads:
    """Every source, feature and sink keeps its own pace on its own thread and hands over through a mailbox: for a performance.

    What cannot be opened at the start is refused; what fails later, or comes later and cannot be opened, holds its last value, is
    counted, and is tried again. Stations come and go while it plays: the same object is the same thread, which goes on.
    A sink that must be written from the main thread is left to `show_main`, which alone may be called beside another method.

    `screen` takes every frame with its time; `form` tells the size (width, height) and the rate that a sink is opened with.
    """

    def __init__(
        self,
        health: Healths,
        clock: Callable[[], float],
        screen: Callable[[np.ndarray, float], None],
        form: Callable[[], tuple[tuple[int, int], Fraction]],
    ) -> None:
        self.health, self.clock, self.screen, self.form = health, clock, screen, form
        self.signals: dict[str, Latest[Signal]] = {}  # what each source shows, also when it has become another
        self.pictures: Latest[Shown] = Latest()
        self.extra: dict[str, Sink] = {}  # sinks that are in no patch
        self.lanes: dict[str, Lane] = {}  # by place
        self.ending: list[Lane] = []  # told that it is over
        self.running = self.stopped = False

    def view(self, source: str) -> Latest[Signal]:
        """What a source shows, now and when another has its name."""
        return self.signals.setdefault(source, Latest())

    def newest(self) -> dict[str, Drawn]:
        """The newest value of each feature that has one yet."""
        lanes = [lane for lane in self.lanes.copy().values() if isinstance(lane, Drawing)]
        values = {lane.place.removeprefix("features."): lane.mailbox.latest() for lane in lanes}
        return {name: drawn for name, drawn in values.items() if drawn is not None}

    def play(self, patch: Patch, first: Mapping[str, Drawn] | None = None) -> Lineup:
        """What is not in the patch ends, what is new in it begins, what is in both goes on. Returns what a step then reads.

        `first`: what new features begin with; None: the last value of the feature that had their name, if of their kind.
        """
        # Taken before any lane ends: one that has ended has no station.
        last = {p: (_kind(lane.station), lane.mailbox) for p, lane in self.lanes.items() if isinstance(lane, Drawing)}
        stations: dict[str, Any] = {
            **{f"sources.{name}": source for name, source in patch.sources.items()},
            **{f"features.{name}": feature for name, feature in patch.features.items()},
            **{f"sinks.{name}": sink for name, sink in (patch.sinks | self.extra).items()},
        }
        for place, lane in list(self.lanes.items()):
            if stations.get(place) is not lane.station:
                self._end(lane)
        drawn, glides = {}, {}
        for place, station in stations.items():
            section, _, name = place.partition(".")
            lane = self.lanes.get(place) or self._lane(section, name, station)
            if isinstance(lane, Drawing):
                lane.signals = self.view(patch.source_of(name))
                drawn[name] = lane.mailbox
                if station.vector:
                    glides[name] = lane.glide
                if place not in self.lanes and (
                    known := first.get(name) if first is not None else _last(last.get(place), station)
                ):
                    lane.mailbox.put(known)
            if place not in self.lanes:
                self._begin(lane)
        return Lineup(drawn, self.screen, glides)

    def _lane(self, section: str, name: str, station: Any) -> Lane:
        place = f"{section}.{name}"
        after = [lane for lane in self.ending if lane.place == place or lane.station is station]
        if section == "sources":
            return Watching(place, station, self.view(name), self.clock, after)
        if section == "features":
            return Drawing(place, station, self.view(name))
        return Delivering(place, station, self.pictures, self.form, after)

    def _begin(self, lane: Lane) -> None:
        lane.gone = self._gone
        self.lanes[lane.place] = lane
        self.health[lane.place] = lane.health
        if self.running and not _is_main(lane):
            lane.thread.start()

    def _end(self, lane: Lane) -> None:
        del self.lanes[lane.place]
        self.ending = [*(old for old in self.ending if old.thread.is_alive() or old.is_open), lane]
        lane.end()
        if lane.thread.ident is None and not (_is_main(lane) and lane.is_open):
            lane.close()
            self._gone(lane)

    def _gone(self, lane: Lane) -> None:
        """A lane has come to its end: its trouble is over too, unless it could not be closed in good order."""
        if lane.lost is None and not self.stopped and self.health.get(lane.place) is lane.health:
            self.health.pop(lane.place, None)

    def uses(self, feature: Feature) -> bool:
        """Whether a thread that is coming to its end may still be busy with this feature."""
        return any(lane.station is feature and lane.thread.is_alive() for lane in self.ending)

    def start(self, patch: Patch) -> Lineup:
        """Open everything on this thread, and begin. Raises BadPatch with all that cannot be opened; then nothing is open."""
        for lane in list(self.lanes.values()):
            if lane.over.is_set():  # it has been played before
                self._end(lane)
        self.stopped = False
        lineup = self.play(patch)
        self._open(patch)
        self.running = True
        for lane in self.lanes.values():
            if not _is_main(lane):
                lane.thread.start()
        return lineup

    def _open(self, patch: Patch) -> None:
        problems = []
        try:
            for lane in self.lanes.values():
                try:
                    lane.begin()
                except KinesphereError as error:
                    problems.append(f"{lane.place}: {error}")
            if problems:
                raise BadPatch(f"the patch {patch.name or 'without a name'}", problems)
        except BaseException:
            for lane in self.lanes.values():
                lane.close()
            self.stopped = True
            raise

    def stop(self) -> None:
        """End and close everything. Raises KinesphereError with all that could not be closed in good order."""
        if not self.running:
            return
        self.running, self.stopped = False, True
        lanes = [*self.lanes.values(), *self.ending]
        for lane in lanes:
            lane.end()
        until = time.monotonic() + PATIENCE
        for lane in lanes:
            if _is_main(lane):
                lane.close()
            else:
                lane.wait(until - time.monotonic())
        self.ending = [lane for lane in lanes if lane.thread.is_alive()]
        lost = [f"{lane.place}: {lane.lost}" for lane in lanes if lane.lost is not None]
        if lost:
            raise KinesphereError("; ".join(lost))

    # on the main thread

    def show_main(self, timeout: float) -> None:
        """Give the newest picture to the sinks that live on the main thread; wait up to `timeout` seconds for one."""
        for lane in [lane for lane in self.ending if _is_main(lane) and lane.is_open]:
            lane.close()
            self._gone(lane)
        mains = self._mains()
        for lane in mains:
            lane.turn(timeout / len(mains))
        if not mains:
            time.sleep(timeout)

    def closed(self) -> bool:
        """Whether the player closed a window."""
        return any(getattr(lane.station, "closed", False) for lane in self._mains())

    def _mains(self) -> list[Lane]:
        return [lane for lane in list(self.lanes.values()) if _is_main(lane)]


def _is_main(lane: Lane) -> bool:
    return isinstance(lane, Delivering) and on_main_thread(lane.station)


def _kind(feature: Feature) -> tuple[bool, str, tuple[str, ...]]:
    return feature.vector, space_of(feature), names_of(feature)


def _last(known: tuple[object, Latest[Drawn]] | None, feature: Feature) -> Drawn | None:
    """What a feature begins with that takes the place of another of its kind: that one's last value."""
    return known[1].latest() if known is not None and known[0] == _kind(feature) else None
