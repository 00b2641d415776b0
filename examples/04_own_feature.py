"""A feature of your own: how red the picture is. It is a dataclass with a call, and may stand wherever a feature stands."""

from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any, ClassVar

import numpy as np

from kinesphere import checkpoints
from kinesphere.engine import Engine, render
from kinesphere.patch import Latent, Patch
from kinesphere.routes import Route
from kinesphere.sinks import Null
from kinesphere.sources import Video
from kinesphere.types import Signal


@dataclass
class Redness:
    source: str | None = None
    vector: ClassVar[bool] = False  # one number, not a latent

    def open(self, checkpoint: Any) -> None:
        pass

    def __call__(self, signal: Signal) -> np.ndarray:
        red, green, blue = signal.value.reshape(-1, 3).mean(axis=0)
        return np.asarray(red / (red + green + blue + 1e-6))


patch = Patch(
    sources={"clip": Video(str(resources.files("kinesphere.builtin") / "clip.mp4"))},
    features={"redness": Redness()},
    latent=Latent(seed=3, psi=Route("redness", low=0.0, high=1.5, in_low=0.3, in_high=0.45)),
    sinks={"nowhere": Null()},
)
engine = Engine(patch, checkpoints.load("portraits"))
render(engine, frames=3, fps=Fraction(1), on_frame=lambda i: print(i, engine.followers["latent.psi"].value))
