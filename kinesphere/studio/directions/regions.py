"""A part of the picture that somebody painted, as a box or a mask, and pictures small enough to see where they change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.region import checked_region, crop
from kinesphere.models import Generator
from kinesphere.types import KinesphereError

Painted = Sequence[float] | np.ndarray | Tensor
"""Left, top, right, bottom as fractions of the picture, or a mask [H, W] of its size that is true where it was painted."""

PIXELS = 2**17  # drawn at once: 32 pictures of 64 px, two of 256 px


def together(G: Generator) -> int:
    """How many pictures are drawn at once, so that memory stays small."""
    return max(1, PIXELS // G.img_resolution**2)


def shrunk(img: Tensor, largest: int) -> Tensor:
    """Pictures [..., H, W] averaged to `largest` pixels a side, or left where they are smaller."""
    return F.adaptive_avg_pool2d(img, min(img.shape[-1], largest))


def cover(painted: Painted, pixels: int, largest: int) -> Tensor:
    """How much of each pixel of a shrunk picture is painted, 0 to 1: [h, w]. The picture has `pixels` a side.

    Raises KinesphereError for a box that cannot be meant, and for a mask of another size or with nothing painted, or everything.
    """
    if isinstance(painted, np.ndarray | Tensor) and painted.ndim > 1:
        mask = torch.as_tensor(painted).cpu() != 0
        if tuple(mask.shape) != (pixels, pixels):
            raise KinesphereError(
                f"a mask {list(mask.shape)} does not fit this model, whose pictures are {[pixels] * 2}"
            )
    else:
        filled = np.zeros((pixels, pixels), bool)
        crop(filled, checked_region([float(edge) for edge in painted]))[:] = True
        mask = torch.from_numpy(filled)
    if not mask.any():
        raise KinesphereError("nothing is painted in this mask: paint the part that is to change")
    return shrunk(mask.float()[None], largest)[0]


def box(painted: Painted) -> list[float]:
    """The box of a region, left, top, right, bottom as fractions of the picture; of a mask the box round it."""
    if not (isinstance(painted, np.ndarray | Tensor) and painted.ndim > 1):
        return [round(float(edge), 4) for edge in painted]
    mask = torch.as_tensor(painted).cpu() != 0
    edges = []
    for axis in (0, 1):
        there = mask.any(axis).nonzero()[:, 0]
        edges.append((int(there[0]) / mask.shape[1 - axis], (int(there[-1]) + 1) / mask.shape[1 - axis]))
    (left, right), (top, bottom) = edges
    return [round(edge, 4) for edge in (left, top, right, bottom)]
