"""The contract of a generator: the little that the engine assumes of any model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from kinesphere.types import KinesphereError

# Styles by the resolution that they work at, in pixels: coarse is pose and shape, middle features, fine colour and texture
# (Karras et al. 2019, section 3.1).
BANDS = {"coarse": (0, 8), "middle": (16, 32), "fine": (64, math.inf)}


def arguments(local: dict[str, Any]) -> dict[str, Any]:
    """A constructor's arguments by name, from its `locals()`."""
    return {name: value for name, value in local.items() if name not in ("self", "__class__")}


class Generator(nn.Module):
    """`img = G.synthesis(G.mapping(z, c))`: a latent [N, z_dim] becomes a picture [N, C, H, W] in [-1, 1]."""

    family: ClassVar[str]

    config: dict[str, Any]  # the constructor's arguments, as JSON would hold them
    z_dim: int  # size of the Gaussian input
    c_dim: int  # number of classes; 0: unconditional
    w_dim: int  # size of a style
    num_ws: int  # rows of `ws`
    img_resolution: int  # pixels
    img_channels: int
    spherical: bool = False  # how to walk between `ws`: False, W, in straight lines; True, Gaussian, along the sphere
    mapping: nn.Module  # (z [N, z_dim], c=None, truncation_psi=1, truncation_cutoff=None) -> ws [N, num_ws, w_dim]
    synthesis: nn.Module  # (ws, noise_mode="const") -> img [N, C, H, W]

    def __init__(self, config: dict[str, Any], num_ws: int) -> None:
        super().__init__()
        self.config, self.num_ws = config, num_ws
        self.z_dim, self.c_dim, self.w_dim = config["z_dim"], config["c_dim"], config["w_dim"]
        self.img_resolution, self.img_channels = config["img_resolution"], config["img_channels"]

    @property
    def w_avg(self) -> Tensor:
        """The mean of W, [w_dim]: the centre of truncation."""
        return self.mapping.w_avg  # type: ignore[return-value]

    def row_resolutions(self) -> list[float | None]:
        """For each row of `ws`, the resolution in pixels that it works at; None where it places the picture."""
        raise NotImplementedError

    def layers(self) -> dict[str, nn.Module]:
        """What a bend may touch, by name, in order from coarse to fine."""
        raise NotImplementedError

    def rows(self, band: str) -> slice:
        """The rows of `ws` in a band: "coarse" (up to 8 px), "middle" (16 and 32 px), "fine" (from 64 px on), "all".

        The last row, which colours the picture, is always fine, so that small models have a fine band too. A row that places
        the picture (StyleGAN3's first) is in none of these: ask for "placement". Raises KinesphereError on any other name.
        """
        resolutions = self.row_resolutions()
        first = 1 if resolutions[0] is None else 0
        if band == "placement" and first:
            return slice(0, 1)
        if band == "all":
            return slice(first, self.num_ws)
        if band not in BANDS:
            raise KinesphereError(
                f"no band {band!r}: this model has {', '.join([*BANDS, 'all'] + ['placement'] * first)}"
            )
        low, high = BANDS[band]
        nearest = [2 ** round(math.log2(r)) for r in resolutions[first:-1] if r is not None] + [math.inf]
        inside = [first + i for i, r in enumerate(nearest) if low <= r <= high]
        return slice(inside[0], inside[-1] + 1) if inside else slice(first, first)

    def label(self, index: int) -> Tensor | None:
        """The class `index` as a vector [1, c_dim]; None for a model without classes, whose only index is 0.

        Raises KinesphereError for no such class.
        """
        if not 0 <= index < max(1, self.c_dim):
            kinds = f"it has classes 0 to {self.c_dim - 1}" if self.c_dim else "it has no classes, so leave it at 0"
            raise KinesphereError(f"no class {index} in this model: {kinds}")
        return torch.eye(self.c_dim, device=self.w_avg.device)[[index]] if self.c_dim else None

    def copied(self) -> Self:
        """The same model with weights of its own, as it is when nobody bends it, whether somebody does now or not."""
        made = type(self)(**self.config)
        made.load_state_dict(self.state_dict())
        return made.to(self.w_avg.device).eval().requires_grad_(False)

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: str = "const",
    ) -> Tensor:
        """Seeds to pictures in one go: [N, z_dim] -> [N, C, H, W]."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode)


_drawn_from: ContextVar[torch.Generator | None] = ContextVar("drawn_from", default=None)


@contextmanager
def noise_from(generator: torch.Generator) -> Iterator[None]:
    """What is "random" inside comes from this generator, whatever other threads draw from torch's own meanwhile."""
    token = _drawn_from.set(generator)
    try:
        yield
    finally:
        _drawn_from.reset(token)


def layer_noise(x: Tensor, mode: str, const: Tensor, strength: Tensor, up: int = 1) -> Tensor:
    """The noise that one layer adds to `x` [N, C, H, W] when it is `up` times as large: [N or 1, C or 1, up H, up W].

    "const": the stored map [H, W]; "random": drawn afresh for every picture, from torch's generator or that of
    `noise_from`; times `strength`, one number [] or one per channel [C].
    """
    n, _, h, w = x.shape
    if mode == "const":
        noise = const
    else:
        noise = torch.randn(n, 1, h * up, w * up, generator=_drawn_from.get(), device=x.device, dtype=x.dtype)
    return noise.to(x) * strength.to(x).view(-1, 1, 1)


NOISE_MODES = ("const", "random", "none")


def check_noise_mode(mode: str) -> None:
    """Raise KinesphereError unless `mode` is one of NOISE_MODES."""
    if mode not in NOISE_MODES:
        raise KinesphereError(f"no noise mode {mode!r}: choose {', '.join(NOISE_MODES)}")
