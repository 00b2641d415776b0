"""A part of the picture that somebody painted, as a box or a mask, and pictures small enough to see where they change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.region import checked_region, crop
from kinesphere.models import Generator
from kinesphere.studio import albums
from kinesphere.types import KinesphereError

Painted = Sequence[float] | np.ndarray | Tensor
"""Left, top, right, bottom as fractions of the picture, or a mask [H, W] of its size that is true where it was painted."""

LIGHT = 127.5  # of 255, above which a mask is white
PIXELS = 2**17  # drawn at once: 32 pictures of 64 px, two of 256 px


def together(G: Generator) -> int:
    """How many pictures are drawn at once, so that memory stays small."""
    return max(1, PIXELS // G.img_resolution**2)


def shrunk(img: Tensor, largest: int) -> Tensor:
    """Pictures [..., H, W] averaged to `largest` pixels a side, or left where they are smaller."""
    return F.adaptive_avg_pool2d(img, min(img.shape[-1], largest))


def mask(path: Path) -> np.ndarray:
    """What is white in a square picture: bool [H, H]. Raises KinesphereError, naming the file, where it is none, or black."""
    try:
        white: np.ndarray = albums.read(path).mean(2) > LIGHT
    except KinesphereError as error:
        raise KinesphereError(str(error) if path.name in str(error) else f"{path.name}: {error}") from None
    height, width = white.shape
    if height != width:
        raise KinesphereError(
            f"{path.name} has {width} x {height} pixels: a mask is square, as the model's pictures are"
        )
    if not white.any():
        raise KinesphereError(f"{path.name} is black: paint white what is to change")
    return white


def fitted(painted: Painted, pixels: int) -> Painted:
    """A region as `cover` takes it of pictures with `pixels` a side: a box as it is, a mask brought to that size."""
    if not _is_mask(painted):
        return painted
    share = F.interpolate(torch.as_tensor(painted).cpu()[None, None].float(), size=(pixels, pixels), mode="area")[0, 0]
    return share >= 0.5


def cover(painted: Painted, pixels: int, largest: int) -> Tensor:
    """How much of each pixel of a shrunk picture is painted, 0 to 1: [h, w]. The picture has `pixels` a side.

    Raises KinesphereError for a box that cannot be meant, and for a mask of another size or with nothing painted.
    """
    if _is_mask(painted):
        there = torch.as_tensor(painted).cpu() != 0
        if tuple(there.shape) != (pixels, pixels):
            raise KinesphereError(
                f"a mask {list(there.shape)} does not fit this model, whose pictures are {[pixels] * 2}"
            )
    else:
        filled = np.zeros((pixels, pixels), bool)
        crop(filled, checked_region([float(edge) for edge in painted]))[:] = True
        there = torch.from_numpy(filled)
    if not there.any():
        raise KinesphereError("nothing is painted in this mask: paint the part that is to change")
    return shrunk(there.float()[None], largest)[0]


def box(painted: Painted) -> list[float]:
    """The box of a region, left, top, right, bottom as fractions of the picture; of a mask the box round it."""
    if not _is_mask(painted):
        return [round(float(edge), 4) for edge in painted]
    there = torch.as_tensor(painted).cpu() != 0
    edges = []
    for axis in (0, 1):
        lines = there.any(axis).nonzero()[:, 0]
        edges.append((int(lines[0]) / there.shape[1 - axis], (int(lines[-1]) + 1) / there.shape[1 - axis]))
    (left, right), (top, bottom) = edges
    return [round(edge, 4) for edge in (left, top, right, bottom)]


def _is_mask(painted: Painted) -> bool:
    return isinstance(painted, np.ndarray | Tensor) and painted.ndim > 1
