"""A run: the folder that keeps it, from the first picture to the last snapshot, through crashes and resumes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image

from kinesphere import checkpoints
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.latent import seeds_to_z
from kinesphere.models import DISCRIMINATORS, FAMILIES
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.train import metrics, report, state
from kinesphere.train.datasets import TrainingSet
from kinesphere.train.loop import Training, finite
from kinesphere.train.recipe import Choice, Recipe
from kinesphere.types import KinesphereError

RUN, ENDED, BEST = "run.json", "ended.json", "best.json"
STATE_EVERY = 60.0  # seconds between two savings of the state
METRIC_COUNT = 1000  # pictures for the metric of a snapshot
SHEET = 1024  # pixels, at most, of a sample grid's side


class Run:
    """One training run in its folder. `go` trains and yields an entry of the diary now and then."""

    def __init__(self, folder: Path, training: Training, data: TrainingSet, about: dict[str, Any]) -> None:
        self.folder, self.training, self.data, self.about = folder, training, data, about
        self.recipe = training.recipe
        self.chief = training.fabric.is_global_zero  # the process that writes
        self.seconds = 0.0  # of training, before this process
        self.stopping = ""

    @property
    def kimg(self) -> float:
        return self.training.seen / 1000

    def go(self) -> Iterator[dict[str, float]]:
        """Train to the end of the recipe, yielding an entry of the diary every `log_kimg`.

        Ctrl-C and SIGTERM end it in good order after the step, and so does everything that cannot go on (a vanished picture, a full
        disk, numbers that are none): raises KinesphereError, with the last whole state kept.
        """
        with self.stoppable():
            try:
                yield from self.ticks()
            except KinesphereError as error:
                self.end("stopped", str(error))
                raise
            self.end("stopped" if self.stopping else "finished", self.stopping)

    def ticks(self) -> Iterator[dict[str, float]]:
        r, training, chief = self.recipe, self.training, self.chief
        clock = Clock(time.monotonic(), self.training.steps)
        saved, log = clock.began, None
        if chief:
            (self.folder / ENDED).unlink(missing_ok=True)
            log = report.Log(self.folder / "log.jsonl", training.steps)
            if not training.steps:
                self.first_pictures()
        while self.kimg < r.kimg:
            training.step()
            if training.steps % r.ada_every and self.kimg < r.kimg:
                continue
            last = self.stop_asked() or self.kimg >= r.kimg
            snapshot = self.due(r.snapshot_kimg) or self.kimg >= r.kimg
            logging = self.due(r.log_kimg) or snapshot
            entry: dict[str, float] = {}
            if logging:
                entry = self.entry(clock)
            if chief and (last or snapshot or time.monotonic() - saved > STATE_EVERY):
                self.save()
                saved = time.monotonic()
            if chief and (self.due(r.samples_kimg) or snapshot):
                self.sample()
            if chief and snapshot:
                entry |= self.snapshot()
            if chief and log and entry:
                log.append(entry)
                report.write_page(self.folder)
            if entry:
                yield entry
            if last:
                return

    def due(self, every: float) -> bool:
        """Whether a multiple of `every` kimg was passed since the last time that anybody could ask."""
        step = self.recipe.batch * self.recipe.ada_every / 1000
        return int(self.kimg / every + 1e-9) > int((self.kimg - step) / every + 1e-9)

    # What is written --------------------------------------------------------------------------------------------------

    def entry(self, clock: Clock) -> dict[str, float]:
        told = self.training.tell()
        if not finite(told):
            wrong = next(name for name, value in told.items() if not np.isfinite(value))
            raise KinesphereError(
                f"{wrong} is no number any more at {self.kimg:.1f} kimg: the state on disk is from before; "
                "go on with --resume and a smaller learning rate or a larger gamma"
            )
        elapsed, rate = clock.tick(self.training.steps, self.recipe.batch)
        left = (self.recipe.kimg - self.kimg) * 1000 / rate
        return {
            "step": self.training.steps, "kimg": round(self.kimg, 3), "seconds": round(self.seconds + elapsed, 1),
            "img_per_s": round(rate, 2), "time_left_s": round(left, 1), **told,
        }  # fmt: skip

    def save(self) -> None:
        """The state, unless a weight is no number. Raises KinesphereError in both cases of trouble."""
        if not all(bool(p.isfinite().all()) for p in self.training.G.parameters()):
            raise KinesphereError(
                f"a weight is no number any more at {self.kimg:.1f} kimg: the state on disk is from before; "
                "go on with --resume and a smaller learning rate or a larger gamma"
            )
        numbers = self.training.numbers() | {"seconds": self.seconds + time.monotonic() - self.began}
        state.write_state(self.folder / state.STATE, self.training.tensors(), numbers)

    def sample(self) -> None:
        """A sheet of the average generator's pictures, always of the same seeds."""
        self.save_sheet(f"{round(self.kimg):06d}.jpg", self.pictures(range(self.sheet_count)))

    def first_pictures(self) -> None:
        shown = self.data.batch(np.arange(min(self.sheet_count, len(self.data))))
        self.save_sheet("reals.jpg", list(shown.transpose(0, 2, 3, 1)))

    @property
    def sheet_count(self) -> int:
        return max(2, min(8, SHEET // self.recipe.img_resolution)) ** 2

    def save_sheet(self, name: str, pictures: list[np.ndarray]) -> None:
        colours = [np.repeat(p, 3, 2) if p.shape[2] == 1 else p[:, :, :3] for p in pictures]
        sheet = sheets.grid(colours, columns=round(len(colours) ** 0.5), gap=0)
        path = self.folder / "samples" / name
        unfinished = path.with_name(f".{name}.part")
        try:
            Image.fromarray(sheet).save(unfinished, "JPEG", quality=92)
            os.replace(unfinished, path)
        except OSError as error:
            raise KinesphereError(f"the sample sheet {name} cannot be written: {error.strerror or error}") from None

    @torch.no_grad()
    def pictures(self, seeds: range) -> list[np.ndarray]:
        """[H, W, 3] uint8 of these seeds; of a model with classes, each seed its own class in turn."""
        G, found = self.training.G_ema, []
        for first in range(seeds.start, seeds.stop, 16):
            some = range(first, min(first + 16, seeds.stop))
            z = seeds_to_z(list(some), G.z_dim).to(G.w_avg)
            c = torch.eye(G.c_dim, device=z.device)[[s % G.c_dim for s in some]] if G.c_dim else None
            found.extend(to_pixels(G(z, c)).cpu().numpy())
        return found

    def snapshot(self) -> dict[str, float]:
        """Networks to play and to start from, in our own format; the metric of the recipe, and which snapshot has the best."""
        name = f"{round(self.kimg):06d}.safetensors"
        networks = {"G_ema": self.training.G_ema, "D": self.training.D}
        card = Card.of(networks, "kinesphere train", notes=(f"trained for {self.kimg:.0f} kimg",))
        checkpoints.save(Checkpoint(self.training.G_ema, card, None, self.training.D), self.folder / "snapshots" / name)  # type: ignore[arg-type]
        found = self.measure()
        best = json.loads((self.folder / BEST).read_text()) if (self.folder / BEST).exists() else None
        score = next((v for k, v in found.items() if k.split("_")[0] == self.recipe.metric), -self.kimg)
        if best is None or score <= best["score"]:
            state.write_json(self.folder / BEST, {"snapshot": name, "metric": self.recipe.metric, "score": score})
        return found

    def measure(self) -> dict[str, float]:
        if self.recipe.metric == "none":
            return {}
        return metrics.evaluate(self.training.G_ema, self.data, (self.recipe.metric,), METRIC_COUNT)

    def end(self, how: str, why: str) -> None:
        if self.chief:
            state.write_json(self.folder / ENDED, {"state": how, "why": why})
            report.write_page(self.folder)

    # Ending early -----------------------------------------------------------------------------------------------------

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask for an end after the step; a second one is as sudden as usual."""
        self.began = time.monotonic()
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: Any) -> None:
            self.stopping = f"{signal.Signals(number).name} at {self.kimg:.1f} kimg"
            signal.signal(number, before[signal.Signals(number)])

        for s in before:
            signal.signal(s, ask)
        try:
            yield
        finally:
            for s, handler in before.items():
                signal.signal(s, handler)

    def stop_asked(self) -> bool:
        """Whether any process was asked to stop."""
        fabric = self.training.fabric
        if fabric.world_size == 1:
            return bool(self.stopping)
        asked = fabric.all_reduce(torch.tensor(float(bool(self.stopping)), device=fabric.device), reduce_op="sum")
        if float(asked) and not self.stopping:
            self.stopping = "another process was asked to stop"
        return bool(asked)


class Clock:
    """How long, and how fast since the last time."""

    def __init__(self, began: float, steps: int) -> None:
        self.began = self.before = began
        self.steps = steps

    def tick(self, steps: int, batch: int) -> tuple[float, float]:
        """Seconds since the beginning; pictures a second since the last tick."""
        now = time.monotonic()
        rate = (steps - self.steps) * batch / max(now - self.before, 1e-9)
        self.before, self.steps = now, steps
        return now - self.began, max(rate, 1e-9)


def begin(
    folder: Path,
    data: TrainingSet,
    recipe: Recipe,
    choices: dict[str, Choice],
    fabric: Fabric,
    source: str,
    start: Any = None,
) -> Run:
    """A new run in `folder`. `start`: networks to go on from (`transfer.start_from`); None: fresh ones.

    Raises KinesphereError where there is a run already.
    """
    if (folder / RUN).exists() and fabric.is_global_zero:
        raise KinesphereError(f"there is a run in {str(folder)!r} already: go on with --resume, or choose another --out")
    if recipe.batch % fabric.world_size:
        raise KinesphereError(f"batch {recipe.batch} cannot be shared by {fabric.world_size} processes: give a multiple")
    torch.manual_seed(recipe.seed)
    if start is None:
        G = recipe.generator()
        D, G_ema = recipe.discriminator(fabric.world_size), recipe.generator()
        G_ema.load_state_dict(G.state_dict())
    else:
        G, D, G_ema = start.G, start.D, start.G_ema
    about = {
        "data": {"source": source, "pictures": len(data), "resolution": data.resolution, "classes": data.c_dim},
        "recipe": recipe.asdict(),
        "networks": {"G": describe(G), "D": describe(D)},
        "options": {name: {"value": c.value, "reason": c.reason} for name, c in choices.items()},
        "command": shlex.join(["kinesphere", *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": recipe.seed,
        "notes": list(start.notes) if start else [],
    }
    training = Training(recipe, data, fabric, G, D, G_ema)
    if fabric.is_global_zero:
        make_folders(folder)
        state.write_json(folder / RUN, about)
    return Run(folder, training, data, about)


def resume(folder: Path, data: TrainingSet, fabric: Fabric, about: dict[str, Any], **changes: Any) -> Run:
    """A run that goes on where its state was kept. `changes`: numbers of the recipe that are to be different from here on."""
    recipe = replace(Recipe.fromdict(about["recipe"]), **changes)
    tensors, numbers = state.read_state(folder / state.STATE)
    G, D, G_ema = (rebuilt(about["networks"][name]) for name in ("G", "D", "G"))
    training = Training(recipe, data, fabric, G, D, G_ema)
    try:
        training.restore(tensors, numbers)
    except (KeyError, RuntimeError) as error:
        raise KinesphereError(f"the state in {str(folder)!r} is of other networks than its run.json says ({str(error)[:120]})") from None
    run = Run(folder, training, data, about)
    run.seconds = float(numbers["seconds"])
    return run


def read_about(folder: Path) -> dict[str, Any]:
    """What run.json says. Raises KinesphereError where there is no run or the file is damaged."""
    try:
        about = json.loads((folder / RUN).read_text())
        Recipe.fromdict(about["recipe"])
        return about
    except FileNotFoundError:
        raise KinesphereError(f"there is no run in {str(folder)!r}: start one without --resume") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KinesphereError(f"{RUN} in {str(folder)!r} is damaged ({str(error)[:120]})") from None


def describe(model: Any) -> dict[str, Any]:
    return {"class": type(model).__name__, "config": model.config}


def rebuilt(said: dict[str, Any]) -> Any:
    known = {cls.__name__: cls for cls in (*FAMILIES.values(), *DISCRIMINATORS.values())}
    return known[said["class"]](**said["config"])


def make_folders(folder: Path) -> None:
    try:
        for name in ("samples", "snapshots"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinesphereError(f"the folder {str(folder)!r} cannot be made: {error.strerror or error}") from None
