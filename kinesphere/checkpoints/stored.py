"""Tensors that are still in a file, or that it lacks: they are read one by one, when a network is filled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kinesphere.checkpoints.tree import ArrayRef
from kinesphere.models import FAMILIES

SAMPLES = 10_000  # latents for an average that the file lacks
BATCH = 500
MEAN_NOTE = "the average latent was missing: computed from 10,000 seeded samples"
NOISE_NOTE = "the noise maps were missing: drawn from a fixed seed"


class Stored(Protocol):
    """A tensor that is still in the file. `TensorRef` is one."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def nbytes(self) -> int:
        """What it takes in the file."""

    def read(self) -> Tensor:
        """A float32 copy of its own, [*shape]."""


@dataclass(eq=False)
class Array:
    """A NumPy array, or a number, of the file."""

    value: ArrayRef | float

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape if isinstance(self.value, ArrayRef) else ()

    @property
    def nbytes(self) -> int:
        return len(self.value.data) if isinstance(self.value, ArrayRef) else 0

    def read(self) -> Tensor:
        value = self.value.numpy() if isinstance(self.value, ArrayRef) else self.value
        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(value, dtype=np.float32))


@dataclass(eq=False)
class Changed:
    """A stored tensor of `ndim` dimensions, turned into our layout by `change`."""

    source: Stored
    ndim: int
    change: Callable[[Tensor], Tensor]

    @property
    def shape(self) -> tuple[int, ...]:
        if len(self.source.shape) != self.ndim:
            return self.source.shape  # which will not fit, and be named
        return tuple(self.change(torch.empty(self.source.shape, device="meta")).shape)

    @property
    def nbytes(self) -> int:
        return self.source.nbytes

    def read(self) -> Tensor:
        changed = self.change(self.source.read())
        return torch.empty(changed.shape).copy_(changed)  # plain strides, even where a dimension is 1 and any would do


def first(t: Tensor) -> Tensor:
    """Without a leading dimension of 1."""
    return t.squeeze(0)


def first_of_first(t: Tensor) -> Tensor:
    """Without two leading dimensions of 1."""
    return t.squeeze(0).squeeze(0)


@dataclass(eq=False)
class SeededNoise:
    """A noise map [r, r] for a layer whose own is not in the file."""

    resolution: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.resolution, self.resolution)

    @property
    def nbytes(self) -> int:
        """Counted as if it were in the file: a claimed resolution must not cost more than a real one."""
        return 4 * self.resolution**2

    def read(self) -> Tensor:
        noise = np.random.RandomState(self.resolution).randn(*self.shape)
        return torch.from_numpy(noise.astype(np.float32))


@dataclass(eq=False)
class SampledMean:
    """The mean of W, [w_dim], of a generator that was saved without it: over 10,000 seeded latents, classes evenly drawn."""

    family: str
    config: dict[str, Any]
    tensors: dict[str, Stored]  # those of the mapping network, by the names of the generator

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.config["w_dim"],)

    @property
    def nbytes(self) -> int:
        return 0

    def read(self) -> Tensor:
        c = self.config
        with Unfilled():
            mapping: Any = FAMILIES[self.family](**c).mapping
        mapping.num_ws = 1  # one row of ws is enough
        own = {n.removeprefix("mapping."): t.read() for n, t in self.tensors.items() if n.startswith("mapping.")}
        mapping.load_state_dict({**own, "w_avg": torch.zeros(self.shape)}, assign=True)
        random = np.random.RandomState(0)
        total = torch.zeros(c["w_dim"], dtype=torch.float64)
        for _ in range(SAMPLES // BATCH):
            z = torch.from_numpy(random.randn(BATCH, c["z_dim"])).float()  # [BATCH, z_dim]
            label = torch.from_numpy(random.randint(c["c_dim"], size=BATCH)) if c["c_dim"] else None
            classes = None if label is None else nn.functional.one_hot(label, c["c_dim"]).float()
            with torch.no_grad():
                total += mapping(z, classes)[:, 0].double().sum(dim=0)
        return (total / SAMPLES).float()


class Unfilled(TorchFunctionMode):
    """Within this, weights that a constructor would draw take no memory and no time; its filters are still computed.

    They are on the device "meta", where torch imports its compiler, for seconds, for all but the plainest operations: drawing at
    random is none of those, nor is any product that is not in place.
    """

    DRAWN = (torch.randn, torch.rand, torch.zeros, torch.ones, torch.full, torch.empty)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in self.DRAWN:
            kwargs["device"] = "meta"
            func = torch.empty if func in (torch.randn, torch.rand) else func
        return func(*args, **kwargs)


def with_centre(family: str, config: dict[str, Any], tensors: dict[str, Stored], notes: list[str]) -> dict[str, Stored]:
    """The tensors with an average latent: where the file has none, one that is computed, and noted."""
    if "mapping.w_avg" in tensors:
        return tensors
    if MEAN_NOTE not in notes:
        notes.append(MEAN_NOTE)
    return {**tensors, "mapping.w_avg": SampledMean(family, config, tensors)}
