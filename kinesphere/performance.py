"""A performance: an engine that plays on the wall clock, and everything that may be done to it meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch

from kinesphere import checkpoints
from kinesphere import patch as patches
from kinesphere.checkpoints import Checkpoint
from kinesphere.engine import Engine, Moment, bendable
from kinesphere.lanes import LISTEN, OUT_OF_MEMORY, Drawn, Health, OwnThreads, Ring, Shown, draw, rate, suits
from kinesphere.models import Generator
from kinesphere.patch import BadPatch, Patch
from kinesphere.runtime import Choice
from kinesphere.startup import return_memory
from kinesphere.types import Feature, KinesphereError, Latest, Signal, Sink, let_go

LAST_STEP = 10.0  # seconds that the end waits for a step that has begun
LAST_LOAD = 10.0  # and for a model that is being loaded
ENDED = 5.0  # seconds without anything new from any source, after which what is shown has no age

__all__ = ["Pace", "Performance", "Shown", "StationMeter", "Status"]


@dataclass(frozen=True)
class StationMeter:
    """How one station goes, now."""

    rate: float  # pieces of work a second: new signals, values, pictures
    p50: float  # seconds that one took, median of the last few hundred
    error: str | None  # what is wrong now
    failures: int  # ever


@dataclass(frozen=True)
class Status:
    """How a performance goes, now. What is of one step or interval is of the last few hundred; seconds where not said."""

    t: float  # seconds played
    frames: int  # pictures shown
    fps: float  # pictures a second, over the last two seconds
    p50: float  # from one picture to the next: median
    p99: float
    late: int  # steps that took longer than a beat
    age: float | None  # seconds since the oldest feature value in the picture was seen; None: there is none in it
    troubles: dict[str, str]  # what is wrong now, by station
    failures: int  # of all stations, ever
    p95: float = 0.0
    step_p50: float = 0.0  # from the beginning of a step to its picture being shown
    step_p95: float = 0.0
    step_p99: float = 0.0
    dropped: int = 0  # beats that had no new picture
    memory: int = 0  # bytes that this process holds
    stations: dict[str, StationMeter] = field(
        default_factory=dict
    )  # by place: "sources.eye"; and "latent", "picture", "model"


class Pace:
    """When the next picture is due: evenly, as long as the machine can; what was missed is never made up for."""

    def __init__(self, now: float) -> None:
        self._due, self._free = -float("inf"), now  # when the last beat was due, when its picture was finished

    def due(self, fps: float) -> float:
        """When the next beat is due at `fps`, seconds."""
        return max(self._due + 1 / fps, self._free)

    def beat(self, fps: float) -> None:
        """The beat that was due begins."""
        self._due = self.due(fps)

    def done(self, now: float, fps: float) -> float:
        """Its picture is finished. Returns how late the next beat will be, in beats; 0 is in time."""
        self._free = now
        return max(0.0, (now - self._due) * fps - 1)


class Meter:
    """Measures the pictures of a performance. The picture thread adds, any thread may ask."""

    def __init__(self) -> None:
        self.took, self.intervals, self.ended = Ring(), Ring(), Ring()
        self.late = self.frames = 0
        self.missed = 0.0  # beats
        self._last: float | None = None

    def picture(self, began: float, now: float, missed: float) -> None:
        """A step from `began` to `now`, seconds, that came `missed` beats too late."""
        self.frames += 1
        self.took.add(now - began)
        if self._last is not None:
            self.intervals.add(now - self._last)
        self.ended.add(now)
        self.late += missed > 1e-6  # of a beat: what rounding does is not late
        self.missed += missed
        self._last = now

    def pause(self) -> None:
        """No picture is wanted now: the time until the next one is no interval."""
        self._last = None


def _spread(ring: Ring) -> tuple[float, float, float]:
    """p50, p95, p99; 0 where there is nothing yet."""
    numbers = ring.numbers()
    if not len(numbers):
        return 0.0, 0.0, 0.0
    low, middle, high = np.quantile(numbers, (0.5, 0.95, 0.99))
    return float(low), float(middle), float(high)


@dataclass(frozen=True)
class Slope:
    """A number on its way: from `low` at time `begin` to `high`, `seconds` later."""

    low: float
    high: float
    begin: float
    seconds: float

    def at(self, t: float) -> float:
        if self.seconds <= 0 or t >= self.begin + self.seconds:
            return self.high
        return self.low + (self.high - self.low) * max(0.0, t - self.begin) / self.seconds


Choosing = Callable[[Generator, float, str, str, bool], tuple[Generator, Choice]]
"""From a model, pictures a second, and the patch's `back_end`, `precision` and `smaller`, to what draws them."""


@dataclass(frozen=True)
class _Order:
    """A patch for another model, that is to be loaded."""

    patch: Patch
    fade: float


class Performance:
    """An instrument that is being played: the picture on a thread of its own, at an even pace, and every station on its own.

    `load` gives the model of a patch. `engine`: one that is ready, so that nothing is loaded. `clock` gives seconds, from any
    zero. `choose` finds what draws each model (`runtime.choose`); without it that is the exact model itself. Raises KinesphereError
    where the patch cannot be played.

    May be used from any thread. What is asked for becomes one new state, which the next step reads whole. Nothing that is done
    here waits for the picture, and the picture waits for nothing that is done here.
    """

    def __init__(
        self,
        patch: Patch,
        device: str | torch.device = "cpu",
        load: Callable[[str], Checkpoint] = checkpoints.load,
        engine: Engine | None = None,
        clock: Callable[[], float] = time.monotonic,
        choose: Choosing | None = None,
    ) -> None:
        self._load_model, self._choose = load, choose
        self.engine = engine or Engine(patch, load(patch.model), device)  # what the picture thread steps
        if self.engine.patch is not patch:
            self.engine.play(patch)
        self.device = self.engine.device
        self.health = self.engine.health
        self.listeners: list[
            Callable[[Moment, Shown], None]
        ] = []  # called after every step, on its thread; must not wait
        self.frozen = False  # whether the picture stands still
        self.loading = ""  # the model that is being loaded
        self.left_out: Mapping[str, str] = {}  # what the model which came last has no room for, by place; why, in words
        self.running = False
        self.meter, self._pace = Meter(), Pace(0.0)
        self._monotonic, self._zero = clock, clock()
        self._asking = threading.RLock()  # two who ask at the same time; the picture thread never takes it
        self._asked = patch
        self._target = self.engine  # what the picture thread steps from its next beat on
        # opened by `prepare`, for the model of `_ready_for`, and not asked for yet
        self._ready: dict[str, Feature] = {}
        self._ready_for: Engine | None = None
        self._order: _Order | None = None
        self._loader: threading.Thread | None = None
        self._chooser: threading.Thread | None = None
        self._over, self._stopped = threading.Event(), threading.Event()
        self._pictures: threading.Thread | None = None
        self._fade_next: float | None = None  # seconds
        self._fade: tuple[np.ndarray, Slope] | None = None
        self._black = Slope(0.0, 0.0, 0.0, 0.0)
        self._picture: np.ndarray | None = None  # the last one, with its fade, without its blackness
        self._shown_black = 0.0
        self._last: float | None = None  # time of the last step
        self._uses: tuple[Patch, frozenset[str]] | None = None
        self._number = 0
        self._process = psutil.Process()
        self._threads = OwnThreads(self.health, self.clock, self._show, self._form)
        self.frames: Latest[Shown] = self._threads.pictures
        self.engine.lanes = self._threads.play(patch)
        for station in ("latent", "picture", "model", "runtime"):
            self.health.setdefault(station, Health())
        self._choose_for(self.engine)

    # --- what may be asked of it --------------------------------------------------------------------------------------------

    @property
    def patch(self) -> Patch:
        """What was asked for last."""
        return self._asked

    @property
    def fps(self) -> float:
        """Pictures a second that are aimed at."""
        return self._asked.picture.fps

    @property
    def numbers(self) -> dict[str, float]:
        """The value of every route at the last step, by its place."""
        return self.engine.numbers

    @property
    def blackness(self) -> float:
        """0: the picture, 1: black."""
        return self._black.at(self.clock())

    def clock(self) -> float:
        """Seconds since the beginning."""
        return self._monotonic() - self._zero

    def values(self) -> dict[str, Drawn]:
        """The newest value of each feature that has one."""
        return self._threads.newest()

    def view(self, source: str) -> Latest[Signal]:
        """What a source shows, now and when another source has its name."""
        return self._threads.view(source)

    def change(self, edits: Mapping[str, Any]) -> Patch:
        """Other values at some places of the patch (see `patch.changed`). The next step reads them, all of them.

        While a model is being loaded, what fits is changed in what still plays too. Raises BadPatch; then nothing has changed.
        """
        with self._asking:
            before, waiting = self._target.patch, self._order
            asked = patches.changed(self._asked, edits)
            if asked.model != (waiting.patch.model if waiting else before.model):
                self.play(asked)
            elif waiting is None:
                self._turn(asked)
            else:
                self._order = replace(waiting, patch=asked)
                self._asked = asked
                try:
                    self._turn(replace(patches.changed(before, edits), model=before.model), asked=asked)
                except BadPatch:
                    pass  # it concerns only what is coming
            return self._asked

    def prepare(self, patch: Patch) -> None:
        """Open the features that are new in a patch, before `play` or `change` asks for it and then finds them open.

        This may take its time, and only who calls it waits: meanwhile everything can be changed. A patch with another model needs
        none of it. Raises BadPatch with all that cannot be opened.
        """
        with self._asking:
            self._forget_ready()  # before anything is opened: it may be asked for again
            engine = self._target
            patch = self._free(self._joined(patch))
        if patch.model != engine.patch.model:
            return
        running = list(engine.patch.features.values())
        engine.fit(patch)
        new = {name: f for name, f in patch.features.items() if not any(f is g for g in running)}
        with self._asking:
            self._ready, self._ready_for = new, engine

    def _forget_ready(self) -> None:
        """What was opened and not asked for is given back."""
        for feature in self._ready.values():
            let_go(feature)
        self._ready = {}

    def play(self, patch: Patch, fade: float = 0.0) -> None:
        """Another patch, cross-faded over `fade` seconds. Its model, if another, is loaded while this one plays.

        A station that is just like one that plays goes on. A second call while a model is loaded replaces the first. A model that
        cannot be loaded or played is told in `status`, and what plays goes on; what it has no room for is `left_out`. Raises
        BadPatch; then nothing has changed.
        """
        if not 0 <= fade < float("inf"):
            raise KinesphereError(f"fade {fade}: give seconds, 0 or more")
        with self._asking:
            if patch.model == self._target.patch.model:
                self._turn(self._joined(patch), fade)
                self._order, self.loading = None, ""
                return
            if problems := list(patch.problems()):
                raise BadPatch(f"the patch {patch.name or 'without a name'}", problems)
            if self._stopped.is_set():
                raise KinesphereError("the performance is over: start it again before it plays another model")
            self._asked, self.health["model"].error = patch, None
            self._order, self.loading = _Order(patch, fade), patch.model
            if self._loader is None:
                self._loader = threading.Thread(target=self._load_all, name="load models", daemon=True)
                self._loader.start()

    def black(self, on: bool, seconds: float = 0.0) -> None:
        """Fade to black, or back, over `seconds`."""
        now = self.clock()
        self._black = Slope(self._black.at(now), float(on), now, seconds)

    def add_sink(self, name: str, sink: Sink) -> None:
        """One more sink, that is in no patch: a recording. It is opened on its own thread, and tried again where that fails."""
        with self._asking:
            if name in {*self._asked.sinks, *self._target.patch.sinks, *self._threads.extra}:
                raise KinesphereError(f"there is a sink {name!r} already: choose another name")
            self._threads.extra[name] = sink
            self._threads.play(self._target.patch)

    def remove_sink(self, name: str, wait: float = 0.0) -> bool:
        """It is closed on its own thread. Waits for that up to `wait` seconds; returns whether it is closed."""
        with self._asking:
            if self._threads.extra.pop(name, None) is None:
                raise KinesphereError(f"no sink {name!r} was added")
            lane = self._threads.lanes[f"sinks.{name}"]
            self._threads.play(self._target.patch)
        if lane.thread.ident is not None:
            lane.thread.join(wait)
        return not lane.is_open

    def status(self) -> Status:
        """How it goes, now."""
        t, meter = self.clock(), self.meter
        p50, p95, p99 = _spread(meter.intervals)
        step_p50, step_p95, step_p99 = _spread(meter.took)
        now, troubles = time.monotonic(), self.health.troubles()
        stations = {
            name: StationMeter(rate(h.ended, now), _spread(h.took)[0], troubles.get(name), h.failures)
            for name, h in list(self.health.items())
        }
        return Status(
            t=t, frames=meter.frames, fps=rate(meter.ended, t), p50=p50, p95=p95, p99=p99,
            step_p50=step_p50, step_p95=step_p95, step_p99=step_p99,
            late=meter.late, dropped=int(meter.missed + 1e-6), age=self._age(t), memory=self._process.memory_info().rss,
            troubles=troubles, failures=sum(s.failures for s in stations.values()), stations=stations,
        )  # fmt: skip

    # --- beginning and end --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open every station on this thread, and play. Raises BadPatch with all that cannot be opened; then nothing is open."""
        with self._asking:
            if self.running:
                return
            engine = self._target
            if engine.steps or self._threads.stopped:  # what its features took was given back
                engine.rewind()
            self._zero, self._last, self.meter = self._monotonic(), None, Meter()
            engine.lanes = self._threads.start(engine.patch)
            for station in ("latent", "picture", "model"):
                self.health.setdefault(station, Health())
            self._pace = Pace(self.clock())
            self._over.clear()
            self._stopped.clear()
            self.running = True
            self._pictures = threading.Thread(target=self._play, name="pictures", daemon=True)
            self._pictures.start()

    def stop(self) -> None:
        """End, and close every station. Raises KinesphereError where one could not be closed in good order."""
        self._stopped.set()
        self._over.set()
        with self._asking:
            pictures, beside, self.running = self._pictures, (self._loader, self._chooser), False
            self._pictures, self._order, self.loading = None, None, ""
        if pictures is not None:
            pictures.join(LAST_STEP)
        for thread in beside:
            if thread is not None:
                thread.join(LAST_LOAD)
        with self._asking:
            self._forget_ready()
            self._threads.stop()

    def __enter__(self) -> Performance:
        self.start()
        return self

    def __exit__(self, *stopped_by: object) -> None:
        self.stop()

    def run(
        self,
        seconds: float | None = None,
        on_status: Callable[[Status], None] = lambda status: None,
        status_every: float = 1.0,
    ) -> Status:
        """Play for `seconds`, or until a window is closed or Ctrl-C. On the main thread: windows are shown from here.

        Returns the last status. Begins and ends the performance, unless it has begun already.
        """
        begins = not self.running
        if begins:
            self.start()
        try:
            told = 0.0
            while self._plays() and not self._threads.closed() and (seconds is None or self.clock() < seconds):
                self.show_main(0.02)
                if self.clock() - told >= status_every:
                    told = self.clock()
                    on_status(self.status())
            return self.status()
        finally:
            if begins:
                self.stop()

    def show_main(self, timeout: float) -> None:
        """From the main thread, again and again: shows the windows; waits up to `timeout` seconds for a picture."""
        self._threads.show_main(timeout)

    def _plays(self) -> bool:
        pictures = self._pictures
        return pictures is not None and pictures.is_alive()

    # --- the picture thread -------------------------------------------------------------------------------------------------

    def _play(self) -> None:
        while not self._over.is_set():
            rest = self.due - self.clock()
            if rest > 0:
                self._over.wait(min(rest, LISTEN))  # the pace may change meanwhile
            else:
                self.beat()

    @property
    def due(self) -> float:
        """When the next beat comes, on `clock`."""
        return self._pace.due(self.engine.patch.picture.fps)

    def beat(self) -> None:
        """One picture, now. Never raises."""
        engine = self._chosen()
        fps, began = engine.patch.picture.fps, self.clock()
        self._pace.beat(fps)
        if self.frozen:
            self._stand(began)
        else:
            engine.step(began, 0.0 if self._last is None else began - self._last)
            self._last = began
            self._tell(engine)
        now = self.clock()
        missed = self._pace.done(now, fps)
        if self.frozen:
            self.meter.pause()
        else:
            failed = self.health["picture"].error is not None
            self.meter.picture(began, now, missed + failed)

    def _chosen(self) -> Engine:
        """The engine of this beat: another one, where one is ready, goes on from the one before."""
        if self._target is not self.engine:
            self._target.go_on_from(self.engine)
            self.engine = self._target
        return self.engine

    def _tell(self, engine: Engine) -> None:
        shown = self.frames.latest()
        if engine.moment is None or shown is None or shown.t != engine.moment.t:
            return  # it could not be shown
        failed = None
        with self.health.tried("listeners"):
            for listener in list(self.listeners):
                try:
                    listener(engine.moment, shown)
                except Exception as error:
                    failed = error
            if failed is not None:
                raise failed

    def _stand(self, t: float) -> None:
        """Nothing moves but the blackness."""
        if self._picture is not None and self._black.at(t) != self._shown_black:
            with self.health.tried("screen"):
                self._put(self._picture, t)

    def _show(self, frame: np.ndarray, t: float) -> None:
        """A frame from the engine's step, on its way to the sinks."""
        with self.health.tried("screen"):
            self._picture = self._faded(frame, t)
            self._put(self._picture, t)

    def _faded(self, frame: np.ndarray, t: float) -> np.ndarray:
        if self._fade_next is not None:
            seconds, self._fade_next = self._fade_next, None
            if self._picture is not None:
                self._fade = self._picture, Slope(0.0, 1.0, t, seconds)
        if self._fade is None:
            return frame
        before, slope = self._fade
        amount = slope.at(t)
        if amount >= 1:
            self._fade = None
            return frame
        if before.shape != frame.shape:
            before = _resized(before, frame)
            self._fade = before, slope
        return _mixed(before, frame, amount)

    def _put(self, frame: np.ndarray, t: float) -> None:
        black = self._shown_black = self._black.at(t)
        if black > 0:
            frame = _mixed(np.zeros_like(frame), frame, 1 - black)
        self._number += 1
        self.frames.put(Shown(frame, t, self._number, self._age(self.clock())))

    def _age(self, now: float) -> float | None:
        """Seconds since the oldest feature value in the picture was seen. None: there is none, or nothing comes any more."""
        moment = self.engine.moment
        if moment is None:
            return None
        if self._uses is None or self._uses[0] is not moment.patch:
            self._uses = moment.patch, _used(moment.patch)
        seen = [drawn.t for name, drawn in moment.features.items() if name in self._uses[1]]
        return now - min(seen) if seen and self._sees(moment.patch, now) else None

    def _sees(self, patch: Patch, now: float) -> bool:
        """Whether any source has shown something new of late."""
        newest = [signal.t for source in patch.sources if (signal := self.view(source).latest()) is not None]
        return not newest or now - max(newest) <= ENDED

    # --- what plays next ----------------------------------------------------------------------------------------------------

    def _form(self) -> tuple[tuple[int, int], Fraction]:
        """What a sink is opened with."""
        return self._target.size, Fraction(self._target.patch.picture.fps).limit_denominator(1001)

    def _turn(self, patch: Patch, fade: float | None = None, asked: Patch | None = None) -> None:
        """Another patch for the model that plays, from the next step on. Raises BadPatch; then nothing has changed.

        fade: seconds, 0 cuts; None lets a fade that is going on go on.
        """
        engine = self._target
        ready = self._ready if self._ready_for is engine else {}
        patch = self._free(patch)
        patch = replace(patch, features=_kept(patch.features, ready))
        fitted = engine.fit(patch, ready.values())
        self._ready = {name: f for name, f in ready.items() if patch.features.get(name) is not f}
        if fade is not None:
            self._fade_next = fade
        engine.begin(replace(fitted, lanes=self._threads.play(patch)))
        self._asked = asked or patch
        self._choose_again()

    def _free(self, patch: Patch) -> Patch:
        """The patch with a fresh feature for one that is played no more but may still be at work on its last value."""
        busy = {name: replace(f) for name, f in patch.features.items() if self._threads.uses(f)}  # type: ignore[type-var]
        return replace(patch, features=patch.features | busy) if busy else patch

    def _joined(self, patch: Patch) -> Patch:
        """The patch with the stations that play already in place of those that are just like them."""
        now = self._target.patch
        return replace(
            patch,
            sources=_kept(patch.sources, now.sources),
            features=_kept(patch.features, now.features),
            sinks=_kept(patch.sinks, now.sinks),
        )

    def _load_all(self) -> None:
        """Load what is asked for, one after the other; only the last of several is ever played."""
        while True:
            with self._asking:
                order = self._order
                if order is None or self._stopped.is_set():
                    self._loader = None
                    return
            try:
                self._load(order)
            except Exception as error:
                self._not_loaded(order, error)
            return_memory()  # what the loading needed, and the model before the one that played

    def _load(self, order: _Order) -> None:
        name = order.patch.model
        checkpoint = self._load_model(name)
        if not self._wanted(name):
            return
        with self._asking:
            loaded, _ = bendable(self._for_another_model(order.patch), checkpoint.G_ema)
            now = self._target.patch.features.values()
            kept = running = [f for f in loaded.features.values() if any(f is g for g in now)]
        engine = Engine(loaded, checkpoint, self.device, running)
        try:
            self._choose_for(engine)
            engine.warm()
            first = self._first_values(loaded, running)
            with self._asking:
                latest = self._wanted(name)
                if latest is not None:
                    self._take_over(engine, order, latest, first)
                    kept = [*running, *engine.patch.features.values()]
        finally:
            for feature in loaded.features.values():
                if not any(feature is other for other in kept):
                    let_go(feature)

    def _take_over(self, engine: Engine, order: _Order, latest: _Order, first: Mapping[str, Drawn]) -> None:
        """The engine that was made for an order plays from the next beat on what is asked for by now."""
        loaded = engine.patch
        patch, self.left_out = bendable(self._like(loaded, order.patch, latest.patch), engine.G)
        if latest.patch is not order.patch:  # changed meanwhile
            engine.play(patch)
            first = {name: d for name, d in first.items() if patch.features.get(name) is loaded.features[name]}
        self._fade_next = latest.fade
        engine.lanes = self._threads.play(engine.patch, first)
        self._target, self._asked, self._order, self.loading = engine, engine.patch, None, ""
        self.health["model"].error = None
        self.health["model"].done += 1

    def _wanted(self, model: str) -> _Order | None:
        """The order for this model, if it is still wanted."""
        order = self._order
        return order if order and order.patch.model == model and not self._stopped.is_set() else None

    def _for_another_model(self, patch: Patch) -> Patch:
        """A latent depends on the model, and its feature begins anew; a number means the same on each, and its feature goes on."""
        joined, now = self._joined(patch), self._target.patch.features.values()
        features = {
            name: f if not f.vector and any(f is g for g in now) else replace(f)  # type: ignore[type-var]
            for name, f in joined.features.items()
        }
        return replace(joined, features=features)

    @staticmethod
    def _like(patch: Patch, before: Patch, after: Patch) -> Patch:
        """`after`, with what `patch` has made of those stations of `before` that are still in it."""
        sections: dict[str, Any] = {}
        for section in patches.STATIONS:
            made, old, new = (getattr(p, section) for p in (patch, before, after))
            sections[section] = {n: made[n] if n in made and old.get(n) is s else s for n, s in new.items()}
        return replace(after, **sections)

    def _choose_for(self, engine: Engine) -> None:
        """Find what draws, for what the engine's patch wishes; where that cannot be had, what draws goes on, and it is told."""
        wish = _wish(engine.patch)
        if self._choose is None or engine.painted_for == wish:
            return
        health = self.health["runtime"]
        try:
            engine.painter, engine.painted_by = self._choose(engine.G, *wish)
            health.error = None
            health.done += 1
        except Exception as error:  # whatever a back end raises, the picture goes on
            health.failures += 1
            before = "what drew before" if engine.painted_by else "the exact model"
            health.error = f"{error or type(error).__name__}; {before} goes on"
        engine.painted_for = wish

    def _choose_again(self) -> None:
        """The patch may wish that something else draws: that is found beside what plays."""
        if self._choose is not None and self._chooser is None and self._target.painted_for != _wish(self._target.patch):
            self._chooser = threading.Thread(target=self._choose_all, name="choose what draws", daemon=True)
            self._chooser.start()

    def _choose_all(self) -> None:
        while True:
            with self._asking:
                engine = self._target
                if engine.painted_for == _wish(engine.patch) or self._stopped.is_set():
                    self._chooser = None
                    return
            self._choose_for(engine)
            return_memory()

    @torch.inference_mode()
    def _first_values(self, patch: Patch, running: list[Feature]) -> dict[str, Drawn]:
        """What new features make of what their sources show now, so that the first picture is not one without them."""
        first = {}
        for name, feature in patch.features.items():
            signal = self.view(patch.source_of(name)).latest()
            if signal is None or not suits(signal, feature):
                continue
            if not any(feature is other for other in running):
                with Health().tried():
                    first[name] = draw(feature, signal)
        return first

    def _not_loaded(self, order: _Order, error: Exception) -> None:
        """Tell it; what plays goes on."""
        with self._asking:
            if self._wanted(order.patch.model) is None:
                return
            what = "there is not enough memory for it" if isinstance(error, OUT_OF_MEMORY) else str(error)
            health = self.health["model"]
            health.failures += 1
            health.error = f"{order.patch.model} cannot be played: {what or type(error).__name__}"
            self._asked, self._order, self.loading = self._target.patch, None, ""


def _wish(patch: Patch) -> tuple[float, str, str, bool]:
    """What a patch says about what draws."""
    wished = patch.picture
    return wished.fps, wished.back_end, wished.precision, wished.smaller


def _kept(stations: Mapping[str, Any], playing: Mapping[str, Any]) -> dict[str, Any]:
    return {name: playing[name] if _alike(playing.get(name), s) else s for name, s in stations.items()}


def _alike(a: Any, b: Any) -> bool:
    try:
        return bool(a is b or a == b)
    except ValueError:  # stations that hold arrays cannot be compared
        return False


def _used(patch: Patch) -> frozenset[str]:
    """The features that the picture depends on."""
    numbers = [route.feature.partition(".")[0] for _, route in patch.routes()]
    drives = [drive.feature for drive in patch.latent.rows.values()]
    return frozenset([*numbers, *drives, *(patch.shown.stations if patch.shown.plays else ())])


def _mixed(a: np.ndarray, b: np.ndarray, amount: float) -> np.ndarray:
    """From frame a (0) to frame b (1), uint8."""
    import cv2

    return cv2.addWeighted(a, 1 - amount, b, amount, 0)


def _resized(frame: np.ndarray, like: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(frame, like.shape[1::-1], interpolation=cv2.INTER_LINEAR)
