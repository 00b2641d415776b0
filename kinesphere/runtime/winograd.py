"""3x3 convolutions with fewer products: Winograd's minimal filtering (Lavin and Gray 2016), for weights that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Algorithm:
    """F(m x m, 3 x 3): a tile of m + 2 pixels of the input gives m of the output. Their section 4, tables as there."""

    m: int
    into: tuple[tuple[float, ...], ...]  # B^T, [t, t]: of the input
    kernel: tuple[tuple[float, ...], ...]  # G, [t, 3]: of the weights
    out_of: tuple[tuple[float, ...], ...]  # A^T, [m, t]: of the output

    def square(self, of: str) -> Tensor:
        """A matrix for both axes at once: its Kronecker square, in double precision."""
        one = torch.tensor(getattr(self, of), dtype=torch.float64)
        return torch.kron(one, one)


F2 = Algorithm(
    2,
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, -1)),
)
"""2.25 times fewer products; its sums are of few small numbers, so that half precision bears it."""

F4 = Algorithm(
    4,
    (
        (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1),
    ),
    (
        (1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1),
    ),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)  # fmt: skip
"""4 times fewer products, for float32."""


class Winograd:
    """A convolution [N, I, H, W] -> [N, O, H, W] with padding 1, H and W multiples of `algorithm.m`.

    `weight` [O, I, 3, 3]; it is transformed once, in double precision, and kept in `dtype`.
    """

    def __init__(self, weight: Tensor, algorithm: Algorithm, dtype: torch.dtype) -> None:
        self.m = algorithm.m
        flat = weight.double().flatten(2).permute(2, 1, 0).flatten(1)  # [9, I * O]
        kernels = (algorithm.square("kernel").to(flat) @ flat).view(-1, weight.shape[1], weight.shape[0])
        self.kernels = kernels.to(dtype).contiguous()  # [t * t, I, O]
        self.into = algorithm.square("into").to(weight.device, dtype)  # [t * t, t * t]
        self.out_of = algorithm.square("out_of").to(weight.device, dtype)  # [m * m, t * t]

    def __call__(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        m, t = self.m, self.m + 2
        down, right = height // m, width // m
        padded = F.pad(x, [1, 1, 1, 1]).permute(0, 2, 3, 1)  # [N, H + 2, W + 2, I]
        tiles = padded.unfold(1, t, m).unfold(2, t, m).permute(4, 5, 0, 1, 2, 3)  # [t, t, N, down, right, I]
        tiles = self.into @ tiles.reshape(t * t, -1)  # [t * t, N * down * right * I]
        sums = torch.bmm(tiles.view(t * t, -1, channels), self.kernels)  # [t * t, N * down * right, O]
        y = (self.out_of @ sums.flatten(1)).view(m, m, n, down, right, -1)
        y = y.permute(2, 3, 0, 4, 1, 5).reshape(n, height, width, -1)
        return y.permute(0, 3, 1, 2)
