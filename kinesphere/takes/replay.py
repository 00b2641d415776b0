"""A take, played again: step by step to the same frames, live at the pace at which it was played, or as a film at any rate."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from kinesphere import checkpoints
from kinesphere.checkpoints import Checkpoint, places
from kinesphere.engine import Engine, Moment, bendable
from kinesphere.features.activations import orthogonal, unit_rms
from kinesphere.lanes import Drawn, Healths
from kinesphere.models import Generator
from kinesphere.patch import Patch
from kinesphere.sinks import VideoFile
from kinesphere.sources.geometry import resized
from kinesphere.takes import layout
from kinesphere.takes.take import Played, Take
from kinesphere.types import Feature, KinesphereError, Signal, Sink, heard, names_of, space_of

Load = Callable[[str], Checkpoint]
EVEN = 1e-6  # seconds: a film at the take's own rate must not miss its steps by a rounding
REST = 0.05  # seconds that a live replay waits before it looks whether its window was closed


@dataclass(frozen=True)
class Remembered:
    """In the place of a feature: its values are in the take."""

    source: str | None
    vector: bool
    heard: bool
    names: tuple[str, ...] = ()
    space: str = "z"

    def open(self, checkpoint: object) -> None:
        """Nothing to prepare, nothing to load."""

    def __call__(self, signal: Signal) -> np.ndarray:
        raise KinesphereError("a feature of a take sees nothing: its values are in the take")


class Replayed:
    """The lanes of a replay: features are what the take says, frames go to the sinks in turn."""

    def __init__(self, sinks: Mapping[str, Sink], size: tuple[int, int]) -> None:
        self.sinks, self.size = sinks, size
        self.now: dict[str, Drawn] = {}
        self.start = 0.0  # on the take's clock, the sinks' time 0
        self.health = Healths()

    def features(self, t: float) -> dict[str, Drawn]:
        return self.now

    def show(self, frame: np.ndarray, t: float) -> None:
        for name, sink in self.sinks.items():
            with self.health.tried(f"sinks.{name}"):
                sink.write(resized(frame, self.size), t - self.start)


class Replay:
    """Plays a take's steps on an engine of its own: `next` for each, `to` for all that are due, `film` for what was between.

    model   another checkpoint for all of it; None is what it was played with. Latents of another z_dim are turned into the
            model's own by a fixed orthogonal projection, at their length, as features are made into latents.
    sinks   get the frames, scaled to `size` (pixels, square; None is the first model's); open and close them yourself.

    `engine` is at the last step that was made; `notes` says in words what may differ from what was played.
    Raises KinesphereError where a model cannot be loaded, BadPatch where it cannot play the take's patch.
    """

    def __init__(
        self,
        take: Take,
        model: str | None = None,
        device: str | torch.device = "cpu",
        load: Load = checkpoints.load,
        sinks: Mapping[str, Sink] | None = None,
        size: int | None = None,
    ) -> None:
        self.take, self.notes = take, list(take.notes)
        self.done = 0  # steps
        self.engine: Engine
        self._model, self._device, self._load = model, device, load
        self._loaded: tuple[str, Checkpoint] | None = None
        self._moments = take.moments()
        self._ahead: Moment | None = next(self._moments)
        self._cut = 0
        self._patch: Patch | None = None
        self._stand_ins: dict[tuple[Any, ...], Remembered] = {}
        self._turns: dict[int, np.ndarray] = {}
        self._refitted: dict[str, tuple[Drawn, Drawn]] = {}
        self.lanes = Replayed(sinks or {}, (0, 0))
        self.lanes.start = take.start
        self._meet(self._ahead)
        self.lanes.size = (size, size) if size else self.engine.size

    @property
    def over(self) -> bool:
        return self._ahead is None

    def due(self) -> float:
        """When the next step comes, seconds since the take's beginning. Infinite when it is over."""
        return self._ahead.t - self.take.start if self._ahead else float("inf")

    def next(self, draw: bool = True) -> None:
        """The next step. Undrawn, it moves the routes and no more."""
        moment = self._ahead
        assert moment is not None
        self._meet(moment)
        self.lanes.now = self._fitted(moment.features)
        if draw:
            self.engine.step(moment.t, moment.dt)
            self._check()
        else:
            self.engine.pass_by(moment.t, moment.dt)
        self.done += 1
        self._ahead = next(self._moments, None)

    def to(self, seconds: float) -> bool:
        """Every step up to `seconds` after the beginning, of which only the newest is drawn. Whether there was one."""
        before = self.done
        while self.due() <= seconds:
            after = self.done + 1
            self.next(draw=after == len(self.take) or self.take.times[after] - self.take.start > seconds)
        return self.done > before

    def film(self, seconds: float, dt: float) -> np.ndarray:
        """The frame at a time between steps, or of one: what the routes would have shown there. Times rise from call to call."""
        while self.due() <= seconds + EVEN:
            self.next(draw=False)
        engine = self.engine
        held, number = engine.followers, engine.steps
        engine.followers = {place: _copied(follower) for place, follower in held.items()}
        engine.steps = max(0, number - 1)  # the noise of the newest step
        engine.step(max(self.take.start + seconds, float(self.take.times[self.done - 1])), dt)
        engine.followers, engine.steps = held, number
        self._check()
        return engine.frame

    def _check(self) -> None:
        for name, health in [*self.engine.health.items(), *self.lanes.health.items()]:
            if health.error is not None:
                raise KinesphereError(f"{name} failed at step {self.done} of the take: {health.error}")

    def _meet(self, moment: Moment) -> None:
        """The engine, with the patch of the step that comes."""
        played = self.take.played
        if self._cut < len(played) and played[self._cut].first == self.done:
            self._begin(played[self._cut])
            self._cut += 1
        if moment.patch is not self._patch:
            self.engine.play(self._playable(moment.patch, self.engine.G))
        self._patch = moment.patch

    def _begin(self, played: Played) -> None:
        """An engine as it stood before the first step: its patch may have been another than that step's."""
        name = self._model or played.model
        if not self._loaded or self._loaded[0] != name:
            self._loaded = name, self._found(name, played)
        checkpoint = self._loaded[1]
        self.engine = Engine(self._playable(self.take.patch_of(played), checkpoint.G_ema), checkpoint, self._device)
        self.engine.lanes = self.lanes
        self.engine.remind({"followers": played.followers, "seen": played.seen, "number": played.number})

    def _found(self, name: str, played: Played) -> Checkpoint:
        if self._model is None and places.is_address(name):
            raise KinesphereError(
                f"the take was played with the model at {places.shown(name)}, which is not fetched unasked: "
                "say --model and its address, or a file"
            )
        try:
            checkpoint = self._load(name)
        except KinesphereError as error:
            more = "" if self._model else "; the take was played with it: say with --model where it is, or another"
            raise KinesphereError(f"{error}{more}") from None
        if self._model is None and layout.weights(checkpoint) != played.weights:
            self.notes.append(
                f"the model {name} is not the one that was played: its weights are {layout.weights(checkpoint)[:12]}, "
                f"those of the take {played.weights[:12]}; the pictures will differ"
            )
        if checkpoint.G_ema.z_dim != played.z_dim:
            self.notes.append(
                f"the take's latents have {played.z_dim} numbers and those of {name} {checkpoint.G_ema.z_dim}: "
                "they are turned into its space, where near stays near, and seeds give other pictures"
            )
        return checkpoint

    def _playable(self, recorded: Patch, G: Generator) -> Patch:
        """The patch with nothing in it that looks, loads or writes, and without what another model has no room for."""
        features = {}
        for name, feature in recorded.features.items():
            kind = (feature.source, bool(feature.vector), heard(feature), names_of(feature), space_of(feature))
            features[name] = cast(Feature, self._stand_ins.setdefault(kind, Remembered(*kind)))
        played, left = bendable(replace(recorded, features=features, sinks={}), G)
        self.notes += [note for place, why in left.items() if (note := f"{place} is left out: {why}") not in self.notes]
        return played

    def _fitted(self, features: Mapping[str, Drawn]) -> dict[str, Drawn]:
        """The values, latents of another z_dim turned into the model's; those of a W of another size have no place in it."""
        wanted, recorded = self.engine.G.z_dim, self.take.played[self._cut - 1].z_dim
        placed = {name: drawn for name, drawn in features.items() if self._space(name) == "w"}
        fitted = {name: drawn for name, drawn in placed.items() if self._has_place(name, drawn)}
        mapped = {name: drawn for name, drawn in features.items() if name not in placed}
        if wanted == recorded:
            return mapped | fitted
        for name, drawn in mapped.items():
            before = self._refitted.get(name)
            if before is None or before[0] is not drawn:
                is_latent = drawn.value.shape == (recorded,) and not drawn.names
                turned = Drawn(self._turned(drawn.value, wanted), drawn.t) if is_latent else drawn
                before = self._refitted[name] = drawn, turned
            fitted[name] = before[1]
        return fitted

    def _space(self, name: str) -> str:
        feature = self.engine.patch.features.get(name)
        return "z" if feature is None else space_of(feature)

    def _has_place(self, name: str, drawn: Drawn) -> bool:
        """Whether a latent of W has the model's size; it is told where it has not."""
        G = self.engine.G
        if drawn.value.size in (G.w_dim, G.num_ws * G.w_dim):
            return True
        note = f"features.{name} is left out: its latents are of another model's W"
        self.notes += [note] if note not in self.notes else []
        return False

    def _turned(self, z: np.ndarray, z_dim: int) -> np.ndarray:
        """z [recorded] -> [z_dim] of the same root mean square."""
        turn = self._turns.get(len(z))
        if turn is None or len(turn) != z_dim:
            turn = self._turns[len(z)] = orthogonal(z_dim, len(z), 0)
        there = turn @ z.astype(np.float64)
        length = float(np.sqrt(np.mean(np.square(z.astype(np.float64)))))
        return (unit_rms(there) * length if there.any() else there).astype(np.float32)


def _copied(follower: Any) -> Any:
    return copy.deepcopy(follower, {id(follower.route): follower.route})


def replay(
    take: Take,
    sinks: Mapping[str, Sink],
    model: str | None = None,
    device: str | torch.device = "cpu",
    seconds: float | None = None,
    load: Load = checkpoints.load,
    on_note: Callable[[str], None] = lambda note: None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Play a take into sinks at the pace at which it was played; what the machine is too slow for is left out, evenly.

    From the main thread, where there is a window; its closing ends it. Returns how many steps were shown.
    """
    playing = Replay(take, model, device, load, sinks)
    for note in playing.notes:
        on_note(note)
    rate = Fraction(next(take.moments()).patch.picture.fps).limit_denominator(1001)
    end = take.duration if seconds is None else min(seconds, take.duration)
    shown = 0
    with ExitStack() as opened:
        for sink in sinks.values():
            opened.callback(sink.close)
            sink.open(playing.lanes.size, rate)
        told, begun = len(playing.notes), clock()
        while (now := clock() - begun) < end and not any(getattr(sink, "closed", False) for sink in sinks.values()):
            if playing.to(now):
                shown += 1
            else:
                wait(max(0.0, min(REST, playing.due() - now, end - now)))
            for note in playing.notes[told:]:
                on_note(note)
            told = len(playing.notes)
    return shown


def render_take(
    take: Take,
    out: str | Path | VideoFile,
    fps: Fraction,
    model: str | None = None,
    device: str | torch.device = "cpu",
    size: int | None = None,
    sound: str | Path | None = None,
    sound_start: float | None = None,
    overwrite: bool = False,
    load: Load = checkpoints.load,
    on_note: Callable[[str], None] = lambda note: None,
    on_frame: Callable[[int, int], None] = lambda i, frames: None,
) -> int:
    """A take as a film at any rate: frame `i` is what stood at `i / fps` seconds. Returns the number of frames.

    Each frame has the newest values and the patch of then; the routes' filters go through every step of the take and then stand
    where they would have stood at the frame's own time. `sound` is a file whose sound is put under it, from `sound_start` seconds
    on; None is its beginning, or, for a film of a source that was made beside the take, what was heard when the take began.
    An interruption closes the film, whole.
    """
    if isinstance(out, VideoFile):
        film = out
    else:
        if sound_start is None:
            sound_start = -take.film_start(Path(sound).name) if sound else 0.0
        film = VideoFile(out, sound=sound, sound_start=sound_start, overwrite=overwrite)
    playing = Replay(take, model, device, load, size=size)
    frames, told = take.frames(fps), 0
    film.open(playing.lanes.size, fps)
    try:
        for i in range(frames):
            frame = playing.film(float(i / fps), float(1 / fps))
            film.write(resized(frame, playing.lanes.size), float(i / fps))
            for note in playing.notes[told:]:
                on_note(note)
            told = len(playing.notes)
            on_frame(i + 1, frames)
    finally:
        film.close()
    return frames
