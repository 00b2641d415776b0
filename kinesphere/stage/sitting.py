"""A sitting: one picture on its way to a latent, on a thread of its own, while the show goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from kinesphere import startup
from kinesphere.stage.workshop import Workshop
from kinesphere.studio import efforts
from kinesphere.studio.alignment import Similarity, aligned
from kinesphere.studio.batch import as_goal
from kinesphere.studio.latents import Latent
from kinesphere.studio.prints import difference
from kinesphere.studio.projection import Meters, Projection, Step
from kinesphere.types import KinesphereError

EVERY = 0.5  # seconds between two looks at what is found so far
REST, LONGEST_REST = 0.25, 0.05  # of a step's time, that the show has for itself after it; seconds at most
POINTS = 160  # of the curve, that are told
ENDED = ("found", "stopped", "failed")  # what a sitting comes to

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """What belongs together of what a sitting has found so far."""

    latent: Latent
    meters: Meters
    drawn: np.ndarray  # its picture, [H, W, 3] uint8
    difference: np.ndarray  # from the goal, [H, W, 3] uint8


class Sitting:
    """Finds the latent of what lies in a square of a picture; it is the `number`-th that does.

    `tell` is called, from its thread, when there is something new. That thread goes after all others, rests between steps, and
    works on the workshop's copy of the model, which `enter` gives.
    Stopped, it keeps what was found so far.
    """

    def __init__(
        self,
        enter: Callable[[], Workshop],
        picture: np.ndarray,
        name: str,
        number: int,
        square: Similarity,
        effort: str,
        faithful: float,
        tell: Callable[[], None],
    ) -> None:
        self.enter, self.picture, self.name, self.number, self.square = enter, picture, name, number, square
        self.effort, self.faithful, self.tell = effort, faithful, tell
        self.goal: np.ndarray | None = None  # what lies in the square, [H, W, 3] uint8
        self.found: Found | None = None
        self.curve: list[float] = []  # what was left unexplained after each step
        self.stage, self.of, self.looks = "preparing", 0, 0
        self.trouble = ""
        self.stopped = threading.Event()
        self._looked = 0.0
        self._thread = threading.Thread(target=self._run, name="sitting", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, wait: float = 0.0) -> None:
        """No step more; the picture of what was found so far follows. Waits up to `wait` seconds for its thread."""
        self.stopped.set()
        if wait:
            self._thread.join(wait)

    @property
    def at_work(self) -> bool:
        return self.stage not in ENDED

    def said(self) -> dict[str, Any]:
        """How it stands, as plain data."""
        found = self.found
        meters = None if found is None else asdict(found.meters) | {"words": found.meters.words}
        return {
            "picture": self.name, "number": self.number, "effort": self.effort, "faithful": self.faithful,
            "stage": self.stage, "done": len(self.curve), "of": self.of,
            "curve": thinned(self.curve, POINTS), "meters": meters, "looks": self.looks, "trouble": self.trouble,
        }  # fmt: skip

    def views(self) -> dict[str, np.ndarray]:
        """What it has to show by now: "goal", "found", "difference", [H, W, 3] uint8 each."""
        found = self.found
        goal = {} if self.goal is None else {"goal": self.goal}
        return goal if found is None else goal | {"found": found.drawn, "difference": found.difference}

    # --- its thread -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        startup.step_aside()
        try:
            self._sit(self.enter())
            self.stage = "stopped" if self.stopped.is_set() else "found"
        except KinesphereError as error:
            self.stage, self.trouble = "failed", str(error)[:400]
        except Exception as error:  # memory, most likely; the show goes on
            log.exception("a sitting ended")
            self.stage, self.trouble = "failed", f"that went wrong inside: {type(error).__name__}"
        self.tell()

    def _sit(self, workshop: Workshop) -> None:
        G = workshop.G
        goal = self.goal = aligned(self.picture, self.square, G.img_resolution)
        self.tell()
        with workshop.lock:
            projection = efforts.begun(
                G, as_goal(goal, G), self.effort, self.faithful, workshop.class_index,
                workshop.framing.chart, workshop.told,
            )  # fmt: skip
        self.of = sum(length for _, length in projection.lengths())
        self._go(projection, workshop, goal)
        with workshop.lock:
            self._look(projection, workshop, goal)

    def _go(self, projection: Projection, workshop: Workshop, goal: np.ndarray) -> None:
        steps = iter(projection)
        while not self.stopped.is_set():
            begun = time.monotonic()
            with workshop.lock:
                step = next(steps, None)
                if step is None:
                    return
                self._note(step)
                if begun - self._looked > EVERY and step.stage != "search":
                    self._look(projection, workshop, goal)
                    self._looked = time.monotonic()
            self.stopped.wait(min(REST * (time.monotonic() - begun), LONGEST_REST))

    def _note(self, step: Step) -> None:
        self.stage = step.stage.split()[0]
        self.curve.append(min(step.unexplained.tolist()))  # of several beginnings, the best
        self.tell()

    def _look(self, projection: Projection, workshop: Workshop, goal: np.ndarray) -> None:
        """What is found so far; nothing, before the first step in W."""
        if "left in w" not in projection.held:
            return
        place = projection.latents()[0]
        place = replace(place, origin={**place.origin, "picture": self.name, "left unexplained": self.curve[-1]})
        drawn = workshop.drawn(place)
        self.found = Found(place, projection.meters()[0], drawn, difference(goal, drawn))
        self.looks += 1


def thinned(curve: Sequence[float], most: int) -> list[float]:
    """A curve of at most `most` points, evenly chosen, the last one among them; four digits are enough for a line."""
    every = max(1, -(-len(curve) // most))
    return [float(f"{value:.4g}") for value in curve[::-1][::every][::-1]]
