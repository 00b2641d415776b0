"""Pictures drawn at a smaller size, where the pace matters more than the last detail.

The picture of a StyleGAN2 with skips is a sum over resolutions. Without the largest of them it is the same picture, less sharp,
for a fraction of the work; enlarged, it fits wherever the other did.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kinesphere.models import Generator, StyleGAN2

SMALLEST = 64  # pixels; below, little is left to see


def sizes(G: Generator) -> list[int]:
    """The smaller sizes at which `G` can be drawn, largest first; none where its picture is no sum over resolutions."""
    if not isinstance(G, StyleGAN2) or G.config["architecture"] != "skip":
        return []
    return [r for r in reversed(G.synthesis.resolutions) if SMALLEST <= r < G.img_resolution]


def drop(G: StyleGAN2, size: int) -> None:
    """Let a generator of the runtime's draw nothing above `size`. Its layers there can still be bent, and are not computed."""
    layers, resolutions = G.layers(), G.synthesis.resolutions
    blocks = [block for r, block in zip(resolutions, G.synthesis.blocks(), strict=True) if r <= size]
    G.__dict__["layers"] = lambda: layers
    G.synthesis.__dict__["blocks"] = lambda: blocks


def enlarge(G: StyleGAN2) -> None:
    """Let it enlarge what it has drawn to the size of its pictures."""
    forward, whole = G.synthesis.forward, G.img_resolution

    def enlarged(ws: Tensor, noise_mode: str = "const") -> Tensor:
        img: Tensor = forward(ws, noise_mode)
        return F.interpolate(img, size=(whole, whole), mode="bilinear", align_corners=False)

    G.synthesis.__dict__["forward"] = enlarged
