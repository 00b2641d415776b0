"""A model of one's own for work beside the show: the one that plays is bent all the time, and belongs to the picture."""

from __future__ import annotations

import threading
from functools import cached_property

import numpy as np
import torch

from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio import alignment
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.centres import Centres
from kinesphere.studio.framing import Framing
from kinesphere.studio.latents import Fingerprint, Latent, draw
from kinesphere.types import KinesphereError

CENTRES, SAMPLED = 16, 20_000  # how many kinds of picture are shown; the latents that they are found among


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
