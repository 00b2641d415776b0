"""The engine: one step from what the sources show to the frame that the sinks get, driven by the wall clock or a frame counter."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.checkpoints import Checkpoint
from kinesphere.lanes import Drawn, Healths, InTurn, Lanes, OwnThreads
from kinesphere.ops import to_pixels
from kinesphere.patch import BadPatch, Number, Patch, rows_of
from kinesphere.routes import Follower, Route
from kinesphere.sinks.sound import has_sound
from kinesphere.sources import Camera, Video
from kinesphere.types import KinesphereError, Source


@dataclass(frozen=True)
class Moment:
    """What one step was made from: the same moments, in order, make the same frames again."""

    t: float  # seconds
    dt: float  # seconds since the step before
    patch: Patch  # as the step found it
    features: Mapping[str, Drawn]  # the newest value of each feature that had one; a value that stays is the same object


class Engine:
    """An instrument, ready to play: a patch that met its model. Raises BadPatch where the two do not fit."""

    lanes: Lanes

    def __init__(self, patch: Patch, checkpoint: Checkpoint, device: str | torch.device = "cpu") -> None:
        self.patch, self.checkpoint, self.G = patch, checkpoint, checkpoint.G_ema.to(device)
        self.device = torch.device(device)
        self.health = Healths()
        self.rows: dict[str, slice] = {}
        self._meet()
        self._begin()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame, pixels."""
        return self.G.img_resolution, self.G.img_resolution

    def _meet(self) -> None:
        """Open the features; refuse, all at once, everything in the patch that only the model can refuse."""
        problems = list(self.patch.problems())
        for name in self.patch.latent.rows:
            try:
                self.rows[name] = rows_of(self.G, name)
            except KinesphereError as error:
                problems.append(f"latent.rows.{name}: {error}")
        problems += self._contested()
        try:
            self.c = self.G.label(self.patch.latent.label)  # [1, c_dim]
        except KinesphereError as error:
            problems.append(f"latent.label: {error}")
        for name, feature in self.patch.features.items():
            try:
                feature.open(self.checkpoint)
            except KinesphereError as error:
                problems.append(f"features.{name}: {error}")
        if problems:
            raise BadPatch(f"the patch {self.patch.name or 'without a name'}", problems)

    def _contested(self) -> Iterator[str]:
        held: dict[int, str] = {}
        for name, rows in self.rows.items():
            taken = sorted({held[i] for i in range(rows.start, rows.stop) if i in held})
            if taken:
                yield f"latent.rows.{name}: these rows are driven by {', '.join(taken)} already"
            held |= {i: name for i in range(rows.start, rows.stop)}

    def rewind(self) -> None:
        """Forget everything that was seen: the next step is the first."""
        for feature in self.patch.features.values():
            feature.open(self.checkpoint)
        self._begin()

    def _begin(self) -> None:
        self.followers = {place: Follower(route) for place, route in self.patch.routes()}
        self.health.clear()
        self.mapped: dict[str, tuple[np.ndarray, Tensor]] = {}
        self.ws = self.G.w_avg.expand(1, self.G.num_ws, -1)  # where the instrument stands
        self.drawn_ws: Tensor | None = None  # and what the last frame was drawn from
        self.frame = np.zeros([self.size[1], self.size[0], 3], np.uint8)
        self.moment: Moment | None = None  # of the last step
        self.steps = 0

    @torch.inference_mode()
    def step(self, t: float, dt: float) -> None:
        """One frame at time `t`, `dt` seconds after the last. Never waits, prints or raises: what fails holds its last value."""
        features = self.lanes.features(t)  # source -> feature
        self.moment = Moment(t, dt, self.patch, features)
        numbers = self._follow(features, t)  # route
        with self.health.tried("latent"):
            self.ws = self._place(features, numbers, t)  # latent
        with self.health.tried("picture"):
            self.frame = self._draw(self.ws)  # generator
        self.lanes.show(self.frame, t)  # sink
        self.steps += 1

    def _follow(self, features: dict[str, Drawn], t: float) -> dict[str, float]:
        """The value of every route, by its place. A feature that has shown nothing yet is not a number, which a route waits out."""
        values = {name: float(drawn.value) for name, drawn in features.items() if drawn.value.ndim == 0}
        return {
            place: follower(values.get(follower.route.feature, math.nan), t)
            for place, follower in self.followers.items()
        }

    def _place(self, features: dict[str, Drawn], numbers: dict[str, float], t: float) -> Tensor:
        """Where in the generator's space this moment stands: [1, num_ws, w_dim]."""
        ws = self._static(t)
        for name, drive in self.patch.latent.rows.items():
            if drive.feature in features:
                amount = _number(drive.amount, f"latent.rows.{name}.amount", numbers)
                ws = latent.mix(ws, self._map(drive.feature, features[drive.feature].value), self.rows[name], amount)
        psi = _number(self.patch.latent.psi, "latent.psi", numbers)
        return latent.truncate(ws, self.G.w_avg, psi, self.patch.latent.cutoff)

    def _static(self, t: float) -> Tensor:
        """The latent of the rows that nothing drives: a seed, or where that seed's own drift has come to."""
        here = self.patch.latent
        z = (
            latent.drift(here.seed, self.G.z_dim, t, period=here.drift)
            if here.drift
            else latent.seed_to_z(here.seed, self.G.z_dim)
        )
        return self._map("", z.reshape(1, -1).numpy())

    def _map(self, name: str, z: np.ndarray) -> Tensor:
        """`z` through the mapping network, once for each new value."""
        known = self.mapped.get(name)
        if known is None or not np.array_equal(known[0], z):
            batch = torch.as_tensor(z, dtype=torch.float32, device=self.device).reshape(1, -1)
            known = self.mapped[name] = (z, self.G.mapping(batch, self.c))
        return known[1]

    def _draw(self, ws: Tensor) -> np.ndarray:
        """The frame [H, W, 3] uint8; the last one again where nothing has changed."""
        noise_mode = self.patch.picture.noise_mode
        if self.drawn_ws is not None and noise_mode != "random" and torch.equal(ws, self.drawn_ws):
            return self.frame
        if noise_mode == "random":
            torch.manual_seed(self.steps)
        frame = to_pixels(self.G.synthesis(ws, noise_mode=noise_mode))[0].cpu().numpy()
        self.drawn_ws = ws
        return frame


def _number(value: Number, place: str, numbers: dict[str, float]) -> float:
    return numbers[place] if isinstance(value, Route) else value


@contextmanager
def _drawing(engine: Engine, lanes: InTurn | OwnThreads) -> Iterator[None]:
    if engine.steps:
        engine.rewind()
    with lanes:
        engine.lanes = lanes
        yield


def render(engine: Engine, frames: int, fps: Fraction, on_frame: Callable[[int], None] = lambda i: None) -> None:
    """A film, on a frame counter: frame `i` is the step at exactly `i / fps` seconds. The same patch gives the same frames.

    The engine's sinks get them; close them, whole, on any interruption. Raises KinesphereError at the first station that fails.
    """
    with _drawing(engine, InTurn(engine.patch, engine.health, engine.size, fps)):
        for i in range(frames):
            engine.step(float(i / fps), float(1 / fps))
            for name, health in engine.health.items():
                if health.error is not None:
                    raise KinesphereError(f"{name} failed at frame {i}: {health.error}")
            on_frame(i + 1)


def duration(source: Source) -> float:
    """Seconds until a source ends; 0 for one that does not. A video's own rate and frames can be read from it afterwards."""
    if isinstance(source, Camera):
        return 0.0
    source.open()
    source.close()
    return float(getattr(source, "duration", 0.0)) - getattr(source, "start", 0.0)


def length(patch: Patch, seconds: float | None = None, fps: Fraction | None = None) -> tuple[int, Fraction]:
    """Frames and rate of a patch's film: those of its first source, unless told otherwise.

    Raises KinesphereError where the source is a camera, or has no end and `seconds` is not given.
    """
    source = next(iter(patch.sources.values()), None)
    if isinstance(source, Camera):
        raise KinesphereError(
            "a film needs a source that can be seen again: give --source a video or a folder of pictures"
        )
    whole = duration(source) if source else 0.0
    if isinstance(source, Video) and seconds is None and fps in (None, source.fps) and not source.start:
        return source.frames, source.fps
    if not (seconds or whole):
        raise KinesphereError("this patch has no source with an end: say how long with --seconds")
    own = source.fps if isinstance(source, Video) else Fraction(patch.picture.fps).limit_denominator(1001)
    rate = fps or own
    return max(1, round(Fraction(seconds or whole).limit_denominator(10**6) * rate)), rate


def sound(patch: Patch) -> tuple[str | None, float]:
    """The file whose sound a patch's film keeps (None: silent), and where in it the film begins, seconds."""
    source = next(iter(patch.sources.values()), None)
    if isinstance(source, Video) and has_sound(source.path):
        return str(source.path), source.start
    return None, 0.0


@dataclass(frozen=True)
class Status:
    """How a performance goes, now."""

    t: float  # seconds played
    frames: int
    fps: float  # pictures a second, over the last second or so
    p50: float  # seconds that a step took, median of the last few hundred
    p99: float
    late: int  # steps that took longer than a beat of the clock
    age: float | None  # seconds since the oldest feature value in the picture was seen; None before the first
    troubles: dict[str, str]  # what is wrong now, by station
    failures: int  # of all stations, ever


class Meter:
    """Measures the steps of a performance."""

    def __init__(self) -> None:
        self.took: deque[float] = deque(maxlen=300)
        self.ended: deque[float] = deque(maxlen=60)
        self.late = 0

    def status(self, engine: Engine, t: float) -> Status:
        took = np.array(self.took or [0.0])
        ended = list(self.ended)
        span = ended[-1] - ended[0] if len(ended) > 1 else 0.0
        seen = [drawn.t for drawn in engine.lanes.features(t).values()]
        return Status(
            t=t,
            frames=engine.steps,
            fps=(len(ended) - 1) / span if span else 0.0,
            p50=float(np.median(took)),
            p99=float(np.quantile(took, 0.99)),
            late=self.late,
            age=t - min(seen) if seen else None,
            troubles=engine.health.troubles(),
            failures=sum(h.failures for h in list(engine.health.values())),
        )


def perform(
    engine: Engine,
    seconds: float | None = None,
    on_status: Callable[[Status], None] = lambda status: None,
    status_every: float = 1.0,
) -> Status:
    """Play, on the wall clock, for `seconds` or until a window is closed or Ctrl-C. Returns the last status.

    Steps come at an even `patch.picture.fps`; where the machine is too slow they come as fast as it can, and nothing queues.
    """
    start = time.monotonic()

    def clock() -> float:
        return time.monotonic() - start

    fps = Fraction(engine.patch.picture.fps).limit_denominator(1001)
    lanes = OwnThreads(engine.patch, engine.health, engine.size, fps, clock)
    meter, over = Meter(), threading.Event()
    with _drawing(engine, lanes):
        pictures = threading.Thread(
            target=_beat, args=(engine, float(fps), clock, over, meter), name="pictures", daemon=True
        )
        pictures.start()
        try:
            shown = 0.0
            while pictures.is_alive() and not lanes.closed() and (seconds is None or clock() < seconds):
                lanes.show_main(timeout=0.02)
                if clock() - shown >= status_every:
                    shown = clock()
                    on_status(meter.status(engine, shown))
        finally:
            over.set()
            pictures.join(timeout=10)
    return meter.status(engine, clock())


def _beat(engine: Engine, fps: float, clock: Callable[[], float], over: threading.Event, meter: Meter) -> None:
    """Step at an even `fps`; a machine that is too slow steps as often as it can, and what it missed is not made up for."""
    due = last = 0.0
    while not over.wait(max(0.0, due - clock())):
        t = clock()
        engine.step(t, t - last)
        now = clock()
        meter.took.append(now - t)
        meter.ended.append(now)
        meter.late += now > due + 1 / fps
        due, last = max(due + 1 / fps, now), t
