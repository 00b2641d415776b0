"""A run: the folder that keeps it, from the first picture to the last snapshot, through crashes and resumes."""

from __future__ import annotations

import logging
import math
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from kinesphere import files
from kinesphere.train import about, diary, metrics, report, state
from kinesphere.train.about import RUN, read_about, rebuilt
from kinesphere.train.album import Album
from kinesphere.train.datasets import TrainingSet
from kinesphere.train.loop import Training, finite
from kinesphere.train.recipe import Choice, Recipe
from kinesphere.train.stopping import Stop, anyone, in_words, together
from kinesphere.types import KinesphereError

LOG, ENDED = "log.jsonl", "ended.json"
STATE_EVERY = 60.0  # seconds between two savings of the state
STATE_SHARE = 0.05  # the most of a run's time that they take
PAGE_EVERY, GLANCE_EVERY = 10.0, 2.0  # seconds between two writings of the page, and of the progress line
METRIC_COUNT = 1000  # pictures for the metric of a snapshot
COUNTED = "diary."  # in the state: what was counted since the last line of the log

log = logging.getLogger(__name__)


class Run:
    """One training run in its folder. `go` trains and yields an entry of the diary now and then.

    What is written, and when: samples, snapshots and lines of the log first, the state last. So the state is never newer than the
    rest; what is newer than the state (after a crash) is made again, the same, when the run comes by: lines of the log that are
    later than it are dropped at once, best.json is chosen anew from those that are left.
    """

    def __init__(
        self, folder: Path, training: Training, data: TrainingSet, said: dict[str, Any], seconds: float = 0.0
    ) -> None:
        self.folder, self.training, self.data, self.about = folder, training, data, said
        self.recipe, self.fabric = training.recipe, training.fabric
        self.chief = training.fabric.is_global_zero  # the process that writes
        self.clock = Clock(training.steps, seconds)
        self.stop = Stop()
        self.told: dict[str, float] = {}  # the latest entry
        self.saved, self.saving = time.monotonic(), 0.0  # when the state was last saved; how long that took, in seconds
        self.paged = -math.inf
        self.warned: set[str] = set()
        if self.chief:
            self.hold: state.Hold | None = state.Hold(folder)
            self.album = Album(folder, training, data, Path(said["data"]["source"]).name, said["notes"])

    @property
    def kimg(self) -> float:
        return self.training.seen / 1000

    @property
    def finished(self) -> bool:
        return self.kimg >= self.recipe.kimg

    @property
    def stopping(self) -> str:
        """Who wants the run to end before it is finished; "" where nobody does."""
        return "" if self.finished or not self.stop.asked else f"{self.stop.asked} at {self.kimg:.1f} kimg"

    # Going ------------------------------------------------------------------------------------------------------------

    def go(self, live: bool = False) -> Iterator[dict[str, float]]:
        """Train to the end of the recipe, yielding an entry of the diary every `log_kimg`; with `live` every few seconds.

        Ctrl-C and SIGTERM end it in good order after the step, a second one at once. What cannot go on (a vanished picture, a full
        disk, numbers that are none, a full memory) raises KinesphereError, with the last whole state kept.
        """
        try:
            with self.stop:
                yield from self.ticks(live)
                self.end("stopped" if self.stopping else "finished", self.stopping)
                anyone(self.fabric, False)  # nobody leaves before the end is written
        except RuntimeError as error:
            words = in_words(error, self.fabric)
            self.end("stopped", str(words or error))
            if words is None:
                raise
            raise words from None
        except BaseException as error:
            at_once = isinstance(error, KeyboardInterrupt | GeneratorExit | SystemExit)
            self.end("stopped", "it was left at once" if at_once else str(error) or type(error).__name__)
            raise
        finally:
            if self.chief and self.hold:
                self.hold.let_go()

    def ticks(self, live: bool) -> Iterator[dict[str, float]]:
        lines = self.first(self.open)
        try:
            done = self.finished
            while not done:
                self.stride()
                stopping = anyone(self.fabric, bool(self.stop.asked))
                if stopping:
                    self.stop.asked = self.stop.asked or "another process"
                done = stopping or self.finished
                logging = self.due(self.recipe.log_kimg) or self.snapshot_due
                entry = self.entry() if logging else {}
                self.first(partial(self.write, lines, entry, done))
                if entry or (live and self.clock.glance()):
                    yield entry or self.told | self.numbers()
        finally:
            if lines:
                with suppress(OSError):  # a full disk: what could not be written then cannot be now
                    lines.close()

    def first(self, act: Callable[[], Any]) -> Any:
        """Let the first process do something; where it cannot, all end."""
        error, done = None, None
        try:
            done = act() if self.chief else None
        except KinesphereError as met:
            error = met
        together(self.fabric, error)
        return done

    def stride(self) -> None:
        """Steps up to the next at which p is set: the moments at which a run can be kept."""
        self.training.step()
        while self.training.steps % self.recipe.ada_every:
            self.training.step()

    def due(self, every: float) -> bool:
        """Whether this stride has passed a multiple of `every` kimg."""
        step = self.recipe.batch * self.recipe.ada_every / 1000
        return int(self.kimg / every + 1e-9) > int((self.kimg - step) / every + 1e-9)

    @property
    def snapshot_due(self) -> bool:
        return self.due(self.recipe.snapshot_kimg) or self.finished

    # What is written --------------------------------------------------------------------------------------------------

    def open(self) -> diary.Log:
        """Make the folder ready to go on, and open the log."""
        state.sweep(self.folder)
        (self.folder / ENDED).unlink(missing_ok=True)
        lines = diary.Log(self.folder / LOG, self.training.steps)
        if not self.training.steps:
            self.attempt(self.album.reals)
            self.attempt(self.album.sample)
        self.album.choose(self.recipe.metric)
        self.page()
        return lines

    def write(self, lines: diary.Log, entry: dict[str, float], done: bool) -> None:
        """All that a tick leaves on the disk. Where a part of it cannot be written, the state is tried before that is said."""
        snapshot, save = self.snapshot_due, done or self.snapshot_due or self.save_due()
        if save or not finite(entry):
            self.check()
        try:
            if self.due(self.recipe.samples_kimg) or snapshot:
                self.attempt(self.album.sample)
            if snapshot:
                self.album.snapshot()
                entry |= self.measure()
            if entry:
                lines.append(entry)
            if snapshot:
                self.album.choose(self.recipe.metric)
        except KinesphereError:
            with suppress(KinesphereError):
                self.check()
                self.save()
            raise
        if save:
            self.save()
        if entry and (snapshot or time.monotonic() - self.paged > PAGE_EVERY):
            self.page()

    def entry(self) -> dict[str, float]:
        """A line of the log. Every process must ask."""
        self.told = self.numbers() | self.training.tell()
        self.clock.tick(self.training.steps)
        return dict(self.told)

    def numbers(self) -> dict[str, float]:
        """How far the run is, and how fast."""
        clock, batch = self.clock, self.recipe.batch
        clock.look(self.training.steps)
        left = max(0.0, self.recipe.kimg - self.kimg) * 1000 / batch  # steps
        found = {
            "step": self.training.steps, "kimg": round(self.kimg, 3), "seconds": round(clock.seconds, 1),
            "img_per_s": round(clock.rate * batch, 2), "time_left_s": round(left / clock.mean, 1) if clock.mean else 0.0,
        }  # fmt: skip
        if self.fabric.device.type == "cuda":
            found["memory_mb"] = round(torch.cuda.max_memory_reserved(self.fabric.device) / 2**20)
        return found

    def save_due(self) -> bool:
        return time.monotonic() - self.saved > max(STATE_EVERY, self.saving / STATE_SHARE)

    def save(self) -> None:
        """The state. Raises KinesphereError where it cannot be written."""
        began = time.monotonic()
        sums = {COUNTED + name: pair for name, pair in self.training.sums.items()}
        numbers = self.training.numbers() | {"seconds": self.clock.seconds}
        state.write_state(self.folder / state.STATE, self.training.tensors() | sums, numbers)
        self.saved = time.monotonic()
        self.saving = self.saved - began

    def check(self) -> None:
        """Raise KinesphereError where a weight, a moment of an optimiser or p is no number any more."""
        if wrong := state.not_finite(self.training.tensors(), self.training.numbers()):
            r = self.recipe
            raise KinesphereError(
                f"{wrong} is no number any more at {self.kimg:.1f} kimg: the state on disk is from before; go on from there with "
                f"--resume and smaller steps, as --set lr_G={r.lr_G / 2:g} --set lr_D={r.lr_D / 2:g}, or a larger --gamma than "
                f"{r.gamma:g}" + ("" if r.precision == "fp32" else f", or --precision fp32 instead of {r.precision}")
            )

    def measure(self) -> dict[str, float]:
        """The metric of the recipe; nothing where it cannot be had, or where somebody wants to end."""
        if self.recipe.metric == "none":
            return {}

        def hurry(done: int, of: int) -> None:
            if self.stop.asked:
                raise KinesphereError("the run was asked to end")

        try:
            return metrics.evaluate(self.training.G_ema, self.data, (self.recipe.metric,), METRIC_COUNT, progress=hurry)
        except KinesphereError as error:
            log.warning("%s was not measured at %.1f kimg: %s", self.recipe.metric, self.kimg, error)
            return {}

    def page(self) -> None:
        self.attempt(lambda: report.write_page(self.folder))
        self.paged = time.monotonic()

    def attempt(self, show: Callable[[], object]) -> None:
        """What is only to be looked at: a run goes on without it, and says so once."""
        try:
            show()
        except (KinesphereError, OSError) as error:
            if str(error) not in self.warned:
                log.warning("%s; the run goes on without it", error)
            self.warned.add(str(error))

    def end(self, how: str, why: str) -> None:
        """Say on the page how it ended. Never fails: there is nothing more to be done then."""
        if self.chief:
            with suppress(KinesphereError, OSError):
                state.write_json(self.folder / ENDED, {"state": how, "why": why})
                report.write_page(self.folder)

    # In words ---------------------------------------------------------------------------------------------------------

    def farewell(self) -> str:
        """The last words of a run that has ended in good order: how it ended, and the commands that go on from there."""
        out = shlex.quote(str(self.folder))
        said = f"finished {self.kimg:g} kimg in {diary.duration(self.clock.seconds)}"
        if self.stopping:
            many = self.fabric.world_size
            devices = f" --devices {many}" if many > 1 and "TORCHELASTIC_RUN_ID" not in os.environ else ""
            said = f"stopped by {self.stopping}, everything is kept; go on with: kinesphere train --out {out} --resume{devices}"
        played = any((self.folder / "snapshots").glob("*.safetensors"))
        return said + (f"\nplay it with: kinesphere play --model {out}" if played else "")


class Clock:
    """How long a run has gone on, over all its sessions, and how fast it goes."""

    def __init__(self, steps: int, seconds: float = 0.0) -> None:
        self.before = seconds  # of earlier sessions
        self.began = self.ticked = self.glanced = time.monotonic()
        self.first = self.steps = steps
        self.rate = self.mean = 0.0  # steps a second: since the latest tick; since the session began, which is steadier

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.began

    def look(self, steps: int) -> None:
        """Measure the speed."""
        now = time.monotonic()
        if steps > self.steps:
            self.rate = (steps - self.steps) / max(now - self.ticked, 1e-9)
            self.mean = (steps - self.first) / max(now - self.began, 1e-9)

    def tick(self, steps: int) -> None:
        """From here on `rate` is measured anew."""
        self.ticked, self.steps = time.monotonic(), steps

    def glance(self) -> bool:
        """Whether it is time to look at the progress line again."""
        now = time.monotonic()
        if now - self.glanced < GLANCE_EVERY:
            return False
        self.glanced = now
        return True


def begin(
    folder: Path,
    data: TrainingSet,
    recipe: Recipe,
    choices: Mapping[str, Choice],
    fabric: Fabric,
    pictures: Mapping[str, Any],
    start: Any = None,
) -> Run:
    """A new run in `folder`, with its first state on the disk as soon as it goes.

    `pictures`: what is to be said about them. `start`: networks to go on from (`transfer.start_from`); None: fresh ones.
    Raises KinesphereError where there is a run already, or no place for one.
    """
    check_place(folder)
    torch.manual_seed(recipe.seed)
    if start is None:
        G, D, G_ema = recipe.generator(), recipe.discriminator(fabric.world_size), recipe.generator()
        G_ema.load_state_dict(G.state_dict())
    else:
        G, D, G_ema = start.G, start.D, start.G_ema
    training = Training(recipe, data, fabric, G, D, G_ema)
    said = about.tell(pictures, recipe, choices, {"G": G, "D": D}, fabric, list(start.notes) if start else [])
    if fabric.is_global_zero:
        make_folders(folder)
    run = Run(folder, training, data, said)
    if run.chief:
        state.write_json(folder / RUN, said)
        run.save()
    return run


def resume(
    folder: Path, data: TrainingSet, fabric: Fabric, said: dict[str, Any], pictures: Mapping[str, Any], **changes: Any
) -> Run:
    """A run that goes on where its state was kept. `changes`: numbers of the recipe that are to be different from here on.

    Raises KinesphereError where the state does not fit, for a change that would make it another run, and where nothing is left
    to be done.
    """
    tensors, numbers = state.read_state(folder / state.STATE)
    kimg = int(numbers["steps"]) * said["recipe"]["batch"] / 1000
    recipe, said = about.changed(said, changes, kimg)
    if kimg >= recipe.kimg:
        raise KinesphereError(
            f"the run in {str(folder)!r} has finished its {recipe.kimg:g} kimg: play it with `kinesphere play --model "
            f"{shlex.quote(str(folder))}`, or give it more, as --resume --kimg {2 * recipe.kimg:g}"
        )
    training = Training(recipe, data, fabric, *(rebuilt(said["networks"][name]) for name in ("G", "D", "G")))
    try:
        training.restore(tensors, numbers)
    except (KeyError, RuntimeError) as error:
        raise KinesphereError(
            f"the state in {str(folder)!r} is of other networks than its {RUN} says ({str(error)[:120]})"
        ) from None
    training.sums = {n.removeprefix(COUNTED): v.to(fabric.device) for n, v in tensors.items() if n.startswith(COUNTED)}
    if "augment_p" in changes:
        training.adaptive.p = recipe.augment_p
    said["data"] = said["data"] | dict(pictures)
    said["sessions"] = [*said.get("sessions", []), about.session(fabric, kimg)]
    run = Run(folder, training, data, said, float(numbers["seconds"]))
    if run.chief:
        make_folders(folder)
        state.write_json(folder / RUN, said)
    return run


def check_place(folder: Path) -> None:
    """Raise KinesphereError where no new run can be kept: there is one, or something is in the way."""
    if (folder / RUN).exists() and (folder / state.STATE).exists():
        raise KinesphereError(
            f"there is a run in {str(folder)!r} already: go on with --resume, or choose another --out"
        )
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise KinesphereError(
            f"{str(there)!r} is a file, so no run can be kept in {str(folder)!r}: choose another --out"
        )
    if not os.access(there, os.W_OK):
        raise KinesphereError(f"nothing may be written in {str(there)!r}: choose another --out")


def make_folders(folder: Path) -> None:
    try:
        for name in ("samples", "snapshots"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinesphereError(
            f"the folder {str(folder)!r} cannot be made: {files.reason(error)}; choose another --out"
        ) from None


__all__ = ["Clock", "Run", "begin", "read_about", "resume"]
