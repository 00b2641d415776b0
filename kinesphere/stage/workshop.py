"""A model of one's own for work beside the show: the one that plays is bent all the time, and belongs to the picture."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from kinesphere import latent, startup
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.places import fingerprint
from kinesphere.studio import alignment
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.centres import Centres
from kinesphere.studio.directions import Direction
from kinesphere.studio.directions.edits import Edit, edited
from kinesphere.studio.framing import Framing
from kinesphere.studio.latents import Fingerprint, Latent, draw
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

T = TypeVar("T")

PSI = 0.7  # of seeds that are moved along directions
CENTRES, SAMPLED = 16, 20_000  # how many kinds of picture are shown; the latents that they are found among
CLOSING = 10.0  # seconds that the end waits for what is at work

log = logging.getLogger(__name__)


class Workshop:
    """A copy of a model, and what was found out about it. One thread at a time uses the model: who holds `lock`."""

    def __init__(self, G: Generator, name: str, class_index: int = 0) -> None:
        self.G, self.name, self.class_index = G, name, class_index
        self.framing = Framing(G, class_index=class_index)  # its chart, and what finds squares
        self.lock = threading.Lock()

    def of_class(self, class_index: int) -> Workshop:
        """The same model's for another of its classes."""
        other = Workshop(self.G, self.name, class_index)
        other.lock = self.lock
        return other

    @cached_property
    def told(self) -> Fingerprint:
        return Fingerprint.of(self.G)

    @cached_property
    def centres(self) -> Centres:
        """The kinds of picture that the model makes, the most frequent first. Seconds, the first time. Hold the lock."""
        return Centres.of(self.G, CENTRES, SAMPLED, class_index=self.class_index)

    def centre(self, which: int) -> Latent:
        """One of the centres, as a latent. Hold the lock."""
        return Latent(
            self.centres.w[which].float().cpu(), "w", self.class_index, model=self.told, origin={"centre": which}
        )

    @torch.no_grad()
    def drawn(self, place: Latent) -> np.ndarray:
        """The picture of a latent, [H, W, 3] uint8. Hold the lock. Raises KinesphereError where it is not of this model."""
        return to_pixels(draw(self.G, place, told=self.told))[0].cpu().numpy()

    def of_seed(self, seed: int, class_index: int) -> np.ndarray:
        """The picture of a seed without truncation, [H, W, 3] uint8. Hold the lock."""
        z = latent.seed_to_z(seed, self.G.z_dim)[0]
        return self.drawn(Latent(z, "z", class_index, model=self.told))

    def moved(self, direction: Direction, amount: float, seed: int | None) -> np.ndarray:
        """A seed, or the model's mean, so many sigma along a direction, [H, W, 3] uint8. Hold the lock.

        Raises KinesphereError where the direction is not of this model, and for rows that it has not.
        """
        if seed is not None or direction.space == "z":
            z = torch.zeros(self.G.z_dim) if seed is None else latent.seed_to_z(seed, self.G.z_dim)[0]
            place = Latent(z, "z", self.class_index, PSI, model=self.told)
        else:
            middle = natural(self.G, self.class_index).mean.float().cpu()
            place = Latent(middle, "w", self.class_index, model=self.told)
        return self.drawn(edited(self.G, place, [Edit(direction, amount)], self.told))

    @cached_property
    def mean(self) -> np.ndarray:
        """The model's average picture, [H, W, 3] uint8. Hold the lock."""
        middle = self.framing.chart.mean.float().cpu()
        return self.drawn(Latent(middle, "w", self.class_index, model=self.told))

    @cached_property
    def face(self) -> np.ndarray | None:
        """[4, 2]: where the model's own pictures have eyes and mouth, right and down from 0 to 1. None: there is no face in them.

        Seconds, the first time. Hold the lock.
        """
        try:
            return self.framing.face
        except KinesphereError:
            return None

    def square(self, points: np.ndarray) -> Similarity:
        """Where to look in a picture whose eyes and mouth are at `points` [4, 2], as `alignment.landmarks` gives them.

        Hold the lock. Raises KinesphereError where these are no face.
        """
        return alignment.ffhq(*points) if self.face is None else alignment.matching(points, self.face)


class Aside:
    """What is done beside the show, in the workshop of the model that plays."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._workshop: tuple[object, Workshop] | None = None  # the checkpoint that it is a copy of, and it
        self._entering = threading.Lock()

    def enter(self) -> Workshop:
        """The workshop of the model that plays; its copy is read anew where it is the first, or of another. Seconds, then."""
        performance = self.session.performance
        with self._entering:
            checkpoint, name = performance.engine.checkpoint, performance.engine.patch.model
            label = performance.patch.latent.label
            known = self._workshop
            if known is None or known[0] is not checkpoint:
                G = self.session.library.load(name).G_ema.to(performance.device)
                workshop = Workshop(G, name, label)
            elif known[1].class_index == label:
                return known[1]
            else:
                workshop = known[1].of_class(label)
            self._workshop = checkpoint, workshop
            return workshop

    @property
    def known(self) -> Workshop | None:
        """The workshop of the model that plays; None: nobody has entered it yet."""
        known = self._workshop
        return known[1] if known is not None and known[0] is self.session.performance.engine.checkpoint else None

    def do(self, work: Callable[[Workshop], T]) -> T:
        """What `work` makes of the workshop, whose lock it has, on a thread that goes after all others."""

        def held() -> T:
            workshop = self.enter()
            with workshop.lock:
                return work(workshop)

        with ThreadPoolExecutor(1, "aside", startup.step_aside) as hand:
            return hand.submit(held).result()

    @property
    def told(self) -> Fingerprint:
        """Of the model that plays."""
        return fingerprint(self.session.performance.engine.G)


class Errand:
    """Work beside the show that takes seconds: one piece at a time, and of what is asked meanwhile the newest follows.

    A piece takes the workshop's lock for as long as it uses its model. Pages are told of the part of the state that it belongs to
    as it begins and as it ends, and what goes wrong in words.
    """

    def __init__(self, session: Session, name: str, part: str) -> None:
        self.session, self.name, self.part = session, name, part
        self.at_work = False
        self.trouble = ""  # why the last piece came to nothing
        self._next: Callable[[Workshop], object] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self, work: Callable[[Workshop], object]) -> None:
        with self._lock:
            self._next = work
            if not self.at_work:
                self.at_work = True
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
        self.session.note(self.part)

    def close(self) -> None:
        """Begin nothing more, and wait a little for what is at work."""
        with self._lock:
            self._next, thread = None, self._thread
        if thread is not None:
            thread.join(CLOSING)

    def _run(self) -> None:
        startup.step_aside()
        while (work := self._taken()) is not None:
            self.trouble = self._done(work)
            if self.trouble:
                self.session.say({"is": "trouble", "station": self.name, "text": self.trouble})
            self.session.note(self.part)
        self.session.note(self.part)

    def _taken(self) -> Callable[[Workshop], object] | None:
        with self._lock:
            work, self._next = self._next, None
            self.at_work = work is not None
            return work

    def _done(self, work: Callable[[Workshop], object]) -> str:
        """Why it could not be done; "" where it was."""
        try:
            work(self.session.aside.enter())
        except KinesphereError as error:
            return str(error)[:400]
        except Exception as error:  # memory, most likely; the show goes on
            log.exception("%s came to nothing", self.name)
            return f"that went wrong inside: {type(error).__name__}"
        return ""
