"""Projection that goes on and on: the model's picture follows what moves in front of the camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from kinesphere.features.region import WHOLE, checked_region, crop
from kinesphere.models import Generator
from kinesphere.routes import toward
from kinesphere.studio import alignment, encoder
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.batch import as_goal
from kinesphere.studio.charts import Chart
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.projection import nearness, scale_of, unexplained
from kinesphere.studio.stages import off_map
from kinesphere.types import KinesphereError, Signal, check_all

MOST = 100  # steps for one picture
RATHER = 0.8  # of what is left: a guess that leaves less than this is gone on from instead
CUT = 3.0  # times as far as a moment ago: the scene has changed, and nothing is smoothed over that


class Follower:
    """Where the pictures of a film are in a model, one after the other.

    Each begins where the last one was found, or at the encoder's guess where that is clearly nearer, and goes `steps` steps on.

    u           [1, w_dim], where it is, on the chart
    left        unexplained variance of the newest picture before its last step
    restarted   whether it began at the guess
    cut         whether the newest picture was of another scene than the one before
    """

    def __init__(self, G: Generator, steps: int, guess: Encoder | None = None, lr: float = 0.1) -> None:
        self.G, self.steps, self.guess, self.lr = G, steps, guess, lr
        self.chart = guess.chart if guess else Chart.of(G)
        self.u = self.chart.mean.new_zeros(1, G.w_dim)
        self.left, self.restarted, self.cut = 1.0, False, False
        self._before = math.inf  # what the last picture was apart in the end
        self._begin(self.u)

    def __call__(self, goal: Tensor) -> Tensor:
        """The next picture [1, C, H, W], of the model's size, in [-1, 1] -> its w [1, w_dim]."""
        scale = scale_of(goal)
        self._choose(goal, scale)
        for _ in range(self.steps):
            drawn = self._drawn(self.u)
            loss = nearness(drawn, goal) / scale
            self._optimiser.zero_grad()
            (loss + off_map(self.chart, self.u[:, None])).sum().backward(inputs=[self.u])
            self._optimiser.step()
            self._before, self.left = loss.item(), float(unexplained(drawn.detach(), goal))
        return self.chart.placed(self.u.detach())

    @torch.no_grad()
    def _choose(self, goal: Tensor, scale: Tensor) -> None:
        """From where to go on."""
        places = [self.u]
        if self.guess is not None:
            places.append(self.guess.coordinates(goal))
        drawn = self._drawn(torch.cat(places))
        goals = goal.expand_as(drawn)
        apart = (nearness(drawn, goals) / scale).tolist()
        nearer = self.steps == 0 or apart[-1] < RATHER * apart[0]
        best = len(apart) - 1 if nearer else 0
        self.restarted, self.cut = best > 0, apart[0] > CUT * self._before
        self._before, self.left = apart[best], float(unexplained(drawn, goals)[best])
        if self.restarted or self.cut:
            self._begin(places[best])

    def _begin(self, u: Tensor) -> None:
        self.u = u.detach().clone().requires_grad_(True)
        self._optimiser = torch.optim.Adam([self.u], lr=self.lr, betas=(0.9, 0.99))

    def _drawn(self, u: Tensor) -> Tensor:
        return self.G.synthesis(self.chart.placed(u)[:, None].expand(-1, self.G.num_ws, -1))


class Steady:
    """The One-Euro filter of routes, on a vector: its cutoff follows the length of its velocity, so that its direction is kept.

    Casiez, Roussel and Vogel (CHI 2012), with the speed of the whole vector in root mean square numbers a second.
    """

    D_CUTOFF = 1.0  # Hz, of the velocity itself

    def __init__(self, min_cutoff: float, beta: float) -> None:
        self.min_cutoff, self.beta = min_cutoff, beta
        self.reset()

    def reset(self) -> None:
        """The next value is taken as it is."""
        self._t = -math.inf
        self._raw = self._smooth = self._velocity = np.zeros(1)

    def __call__(self, value: np.ndarray, t: float) -> np.ndarray:
        """`value` at time `t` (seconds), smoothed."""
        dt = t - self._t
        if not 0 < dt < math.inf:
            self._smooth, self._velocity = value, np.zeros_like(value)
        else:
            self._velocity = toward(self._velocity, (value - self._raw) / dt, 2 * math.pi * self.D_CUTOFF * dt)
            speed = math.sqrt(float(np.mean(np.square(self._velocity))))
            cutoff = self.min_cutoff + self.beta * speed
            self._smooth = toward(self._smooth, value, 2 * math.pi * cutoff * dt)
        self._t, self._raw = t, value
        return self._smooth


@dataclass
class Following:
    """A latent w [w_dim] float32: the model's picture of what is seen in the middle square of the region, found anew each time.

    Where the model has an encoder, it begins at its guess and again at each new scene; without one it takes longer to get there.
    Each picture costs `steps` drawings there and back: on a laptop a model of 64 px is followed 30 times a second, one of 256 px
    a few times; what lies between is glided over. Choose psi 1, or it is truncated. Of several classes it is the first.

    Raises KinesphereError on a number that cannot be meant; in `open` for an encoder of another model.
    """

    vector: ClassVar[bool] = True
    space: ClassVar[str] = "w"
    names: ClassVar[tuple[str, ...]] = ()

    source: str | None = None  # None is the patch's first
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame as seen
    encoder: str = "own"  # "own": the one that comes with the model, if there is one; "none"; or the file of one
    steps: int = 2  # of optimisation, for each picture; 0: the encoder's guess alone
    min_cutoff: float = 1.5  # Hz, One-Euro: less is calmer at rest
    beta: float = 2.0  # Hz for each standard deviation a second: more lags less

    def __post_init__(self) -> None:
        check_all(self._check_region, self._check_numbers)

    def _check_region(self) -> None:
        self.region = checked_region(self.region)

    def _check_numbers(self) -> None:
        if not 0 <= self.steps <= MOST:
            raise KinesphereError(f"steps {self.steps!r}: give 0 to {MOST}, for instance 2")
        if not 0 < self.min_cutoff < math.inf:
            raise KinesphereError(f"min_cutoff {self.min_cutoff!r}: give Hz above 0, for instance 1.5")
        if not 0 <= self.beta < math.inf:
            raise KinesphereError(f"beta {self.beta!r}: give 0 or more, for instance 2")

    @torch.inference_mode(False)
    def open(self, checkpoint: Any) -> None:
        """Take a copy of the model, which others bend, and its encoder; forget all earlier signals."""
        self._G = checkpoint.G_ema.copied()
        self._follower = Follower(self._G, self.steps, self._guess())
        self._steady = Steady(self.min_cutoff, self.beta)

    def _guess(self) -> Encoder | None:
        found = encoder.chosen(self.encoder, Fingerprint.of(self._G))
        if found is None and self.steps == 0:
            raise KinesphereError("this model has no encoder: give one, or steps above 0")
        return found and found.to(self._G.w_avg.device)

    @torch.inference_mode(False)
    @torch.enable_grad()
    def __call__(self, signal: Signal) -> np.ndarray:
        """w [w_dim] float32 for a picture [H, W, 3] uint8 RGB."""
        w = self._follower(as_goal(self.seen(signal.value), self._G))[0]
        if self._follower.cut:
            self._steady.reset()
        return self._steady(w.double().cpu().numpy(), signal.t).astype(np.float32)

    def seen(self, picture: np.ndarray) -> np.ndarray:
        """What of a picture [H, W, 3] it looks at: [img_resolution, img_resolution, 3]."""
        part = crop(picture, self.region)
        return alignment.aligned(part, Similarity.whole(part), self._G.img_resolution)
