"""How a picture is turned, moved and zoomed: four numbers that mean the same in every bend, and resampling by them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Edge: TypeAlias = Literal["wrap", "mirror"]

FARTHEST = 16.0  # half picture widths
ZOOMS = (1 / 16, 16.0)
MARGIN = 2  # pixels beyond its own that a bicubic reads


def held(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


@dataclass(frozen=True)
class Motion:
    """What is shown is zoomed, then turned about the picture's middle, then moved."""

    rotate: float = 0.0  # radians, counter-clockwise for the viewer
    x: float = 0.0  # half picture widths to the right: at 1 the middle has come to the border
    y: float = 0.0  # half picture widths up
    zoom: float = 1.0  # factor

    @property
    def still(self) -> bool:
        return self == Motion(math.tau * round(self.rotate / math.tau))

    def whence(self) -> Tensor:
        """Where what is shown at a point comes from, the inverse of translate · rotate · scale: float64 [3, 3].

        For points (right, down, 1) in half picture widths from the middle.
        """
        x, y, zoom = held(self.x, -FARTHEST, FARTHEST), held(self.y, -FARTHEST, FARTHEST), held(self.zoom, *ZOOMS)
        angle = math.remainder(self.rotate, math.tau)
        cos, sin = (
            math.cos(angle) / zoom,
            math.sin(angle) / zoom,
        )  # down is positive: a turn to the left is [cos, sin; -sin, cos]
        rows = [[cos, -sin, -cos * x - sin * y], [sin, cos, cos * y - sin * x], [0, 0, 1]]
        return torch.tensor(rows, dtype=torch.float64)


def moved(x: Tensor, motion: Motion, edge: Edge) -> Tensor:
    """`x` [N, C, H, W] in motion, resampled (bicubic, in float32). Beyond its border it goes on, wrapped or mirrored."""
    height, width = x.shape[2:]
    u, v = (((torch.arange(size, dtype=torch.float64) + 0.5) * 2 / size - 1) for size in (width, height))
    whence = motion.whence()
    points = torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1) @ whence[:2, :2].t() + whence[:2, 2]  # [H, W, 2]
    source = x.float()
    if edge == "wrap":
        source = F.pad(source, [MARGIN] * 4, mode="circular")
        inside = torch.tensor([width / (width + 2 * MARGIN), height / (height + 2 * MARGIN)], dtype=torch.float64)
        points = (torch.remainder(points + 1, 2) - 1) * inside
    points = points.to(source).expand(len(x), -1, -1, -1)
    beyond = "border" if edge == "wrap" else "reflection"
    return F.grid_sample(source, points, mode="bicubic", padding_mode=beyond, align_corners=False)
