"""Tiny models and doubles in place of hardware, for every test."""

from __future__ import annotations

import atexit
import math
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kinesphere.startup import calm_threads

calm_threads()  # as the command does; before torch is loaded
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="kinesphere-tests-")  # what compilers keep is not the player's
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from kinesphere.checkpoints import Card, Checkpoint  # noqa: E402
from kinesphere.models import Discriminator, Generator, StyleGAN1, StyleGAN2, StyleGAN3  # noqa: E402
from kinesphere.sinks import Null  # noqa: E402
from kinesphere.types import KinesphereError, Signal  # noqa: E402

pytest_plugins = ["browsing"]  # a browser and a stage, for the tests of the page

settings.register_profile("anywhere", deadline=None)  # a slow machine is no failure
settings.load_profile("anywhere")


def stir(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random weights with nothing left at its default: biases, noise strengths and the average latent too."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in [*module.named_parameters(), *module.named_buffers()]:
            if name.endswith(("noise_strength", ".bias", "w_avg", "input.affine.weight")) and p.is_floating_point():
                p.add_(torch.randn(p.shape, generator=rng) * 0.3)
    return module.eval()


def tiny_generator(family: str, **kwargs: Any) -> Generator:
    torch.manual_seed(7)
    sizes = {"z_dim": 16, "w_dim": 12, **kwargs}
    if family == "stylegan3":
        made: Generator = StyleGAN3(img_resolution=32, channel_base=512, channel_max=12, num_layers=6, **sizes)
    elif family == "stylegan1":
        made = StyleGAN1(img_resolution=32, channels=[12, 12, 8, 8], mapping_layers=2, **sizes)
    else:
        made = StyleGAN2(img_resolution=32, channels=[12, 12, 8, 8], mapping_layers=2, **sizes)
    return stir(made)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def one_thread():
    """Small matrices are faster on one thread, and leave the other core to other threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny() -> Generator:
    """A StyleGAN2 of 32 px that draws in a millisecond."""
    return tiny_generator("stylegan2")


@pytest.fixture
def tiny_checkpoint(tiny: Generator) -> Checkpoint:
    tiny.requires_grad_(False)
    torch.manual_seed(8)
    D = stir(Discriminator(img_resolution=32, channels=[12, 12, 8, 8]))
    card = Card("stylegan2", 32, 16, 12, 0, tiny.num_ws, 3, "made by a test", 0, ("G_ema", "D"))
    return Checkpoint(G_ema=tiny, D=D, card=card)


@dataclass
class Scripted:
    """A source that plays a list of pictures, `fps` of them a second; None in the list is a moment when it fails."""

    pictures: list[np.ndarray | None] = field(default_factory=list)
    fps: float = 10.0
    opened: int = 0
    closed: int = 0

    def open(self) -> None:
        self.opened += 1

    def read(self, t: float) -> Signal | None:
        i = min(int(t * self.fps + 1e-6), len(self.pictures) - 1)
        if self.pictures[i] is None:
            raise KinesphereError("the cable is out")
        return Signal(self.pictures[i], i / self.fps)

    def close(self) -> None:
        self.closed += 1


@dataclass
class Lamp:
    """A source whose picture is as bright as `light` says."""

    light: float = 0.2

    def open(self) -> None: ...

    def read(self, t: float) -> Signal:
        return Signal(np.full((16, 16, 3), round(self.light * 255), np.uint8), t)

    def close(self) -> None: ...


class Kept(Null):
    """A sink that keeps every frame with its time."""

    keep = True

    def open(self, size: tuple[int, int], fps: Any) -> None:
        super().open(size, fps)
        self.all: list[tuple[float, np.ndarray]] = []

    def write(self, frame: np.ndarray, t: float) -> None:
        super().write(frame, t)
        if self.keep:
            self.all.append((t, frame.copy()))


@dataclass
class Pooled:
    """A vector feature that any source can drive: the picture's colours, repeated over z."""

    source: str | None = None
    vector: ClassVar[bool] = True
    z_dim: int = 0

    def open(self, checkpoint: Any) -> None:
        self.z_dim = checkpoint.G_ema.z_dim

    def __call__(self, signal: Signal) -> np.ndarray:
        mean = signal.value.reshape(-1, 3).mean(0) / 255 - 0.5
        return np.resize(mean, self.z_dim).astype(np.float32) + np.linspace(-1, 1, self.z_dim, dtype=np.float32)


@dataclass
class Placed:
    """A latent of W that any source can drive, one for all rows or one for each: the picture's colours, repeated."""

    source: str | None = None
    each_row: bool = False
    vector: ClassVar[bool] = True
    space: ClassVar[str] = "w"
    shape: tuple[int, ...] = ()

    def open(self, checkpoint: Any) -> None:
        G = checkpoint.G_ema
        self.shape = (G.num_ws, G.w_dim) if self.each_row else (G.w_dim,)

    def __call__(self, signal: Signal) -> np.ndarray:
        return np.resize(signal.value.reshape(-1, 3).mean(0) / 255 - 0.5, self.shape).astype(np.float32)


@dataclass
class Light:
    """A number that any source can drive: how bright the picture is, 0 to 1."""

    source: str | None = None
    vector: ClassVar[bool] = False

    def open(self, checkpoint: Any) -> None:
        pass

    def __call__(self, signal: Signal) -> np.ndarray:
        return np.asarray(signal.value.mean() / 255)


@dataclass
class Hand:
    """Two numbers that any source can drive: red turns it, green moves it; in the dark there is no hand."""

    source: str | None = None
    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("angle", "x")
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"angle": (-math.pi, math.pi), "x": (-1.5, 1.5)}
    circular: ClassVar[frozenset[str]] = frozenset({"angle"})
    held: ClassVar[list[Hand]] = []  # those that are open, of all tests

    def open(self, checkpoint: Any) -> None:
        self.close()
        Hand.held.append(self)

    def __call__(self, signal: Signal) -> np.ndarray:
        red, green, _ = signal.value.reshape(-1, 3).mean(0) / 255
        return np.array([red * 2 * math.pi - math.pi, green * 3 - 1.5]) if red + green else np.full(2, np.nan)

    def close(self) -> None:
        Hand.held[:] = [other for other in Hand.held if other is not self]
