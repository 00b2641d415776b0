"""Generators whose truth is known: factors that were planted in W, and a picture that is linear in its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from kinesphere.models import Generator


class Mapping(nn.Module):
    """z [N, z_dim] -> w = w_avg + (z * sigmas) @ factors, the same in each row."""

    def __init__(self, factors: Tensor, sigmas: Tensor, w_avg: Tensor, num_ws: int) -> None:
        super().__init__()
        self.register_buffer("factors", factors)  # [z_dim, w_dim], orthonormal rows
        self.register_buffer("sigmas", sigmas)  # [z_dim]
        self.register_buffer("w_avg", w_avg)
        self.num_ws = num_ws

    def forward(self, z: Tensor, c: Tensor | None = None, **_: object) -> Tensor:
        w = self.w_avg + (z * self.sigmas) @ self.factors
        return w[:, None].expand(-1, self.num_ws, -1)


def planted(G: Generator, sigmas: Sequence[float], seed: int = 0) -> Generator:
    """`G` with as many factors in its W as there are sigmas, which is its z_dim: at right angles, far from 0."""
    turn, _ = np.linalg.qr(np.random.RandomState(seed).randn(G.w_dim, G.w_dim))
    factors = torch.from_numpy(turn[: len(sigmas)]).float()
    G.mapping = Mapping(factors, torch.tensor(sigmas), torch.linspace(-5, 9, G.w_dim), G.num_ws)
    return G.requires_grad_(False).eval()


class Synthesis(nn.Module):
    """The mean of the rows of ws, as weighted, goes through one layer that keeps lengths: its numbers are the picture."""

    def __init__(self, w_dim: int, strengths: Sequence[float], size: int) -> None:
        super().__init__()
        self.register_buffer("strengths", torch.tensor(strengths))
        self.seen = nn.Linear(w_dim, 3 * size * size, bias=False)
        self.size = size
        turn, _ = np.linalg.qr(np.random.RandomState(1).randn(3 * size * size, w_dim))
        self.seen.weight.data = torch.from_numpy(turn).float()

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        w = (ws * self.strengths[:, None]).sum(1)
        return self.seen(w).view(-1, 3, self.size, self.size)


class Linear(Generator):
    """A picture [N, 3, size, size] that is linear in each row of ws; `strengths`, which add up to 1, say how much each row does."""

    family = "linear"

    def __init__(self, strengths: Sequence[float], dim: int = 10, size: int = 8) -> None:
        config = {"z_dim": dim, "w_dim": dim, "c_dim": 0, "img_resolution": size, "img_channels": 3}
        super().__init__(config, len(strengths))
        self.synthesis = Synthesis(dim, strengths, size)

    def row_resolutions(self) -> list[float | None]:
        return [4.0 * 2**i for i in range(self.num_ws)]

    def layers(self) -> dict[str, nn.Module]:
        return {"seen": self.synthesis.seen}
