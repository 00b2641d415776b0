"""How far apart two pictures are, as far as it matters to who looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.networks import Discriminator

SCALES = 4  # the picture, a half, a quarter, an eighth of it

Distance = Callable[[Tensor, Tensor], Tensor]
"""From [N, C, H, W] twice, in [-1, 1], to [N]. The second pictures are the goal: no gradient goes through them."""


def distance(a: Tensor, b: Tensor) -> Tensor:
    """[N, C, H, W] twice, in [-1, 1] -> [N]: pixels and their differences to the neighbours, at several sizes, without any weights.

    At each size the mean absolute difference of the pixels, and of the steps from each to the one to its right and the one below:
    the former for shape and colour, the latter for edges, which the eye sees and a mean square blurs.
    """
    total = a.new_zeros(len(a))
    for scale in range(SCALES):
        total = total + (a - b).abs().mean((1, 2, 3))
        for axis in (2, 3):
            total = total + (a.diff(dim=axis) - b.diff(dim=axis)).abs().mean((1, 2, 3))
        if scale + 1 < SCALES:
            if min(a.shape[2:]) < 4:
                break
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total


def judged(checkpoint: Any) -> Distance:
    """How far apart two pictures are to the discriminator of a checkpoint, which has learnt what is to be seen in such pictures.

    The mean absolute difference of each layer's activations, over their mean size for the goal, summed over the layers that are
    maps of the picture (feature matching: Salimans et al. 2016; Wang et al. 2018). Raises KinesphereError where there is none.
    """
    eye = Discriminator(checkpoint=checkpoint)
    names = [name for name in eye.layers() if not name.startswith("b4.")]  # which compares the pictures of a batch

    def distance(a: Tensor, b: Tensor) -> Tensor:
        with torch.no_grad():
            goal = eye(b / 2 + 0.5, names)
        seen = eye(a / 2 + 0.5, names)
        parts = [
            (seen[name] - goal[name]).abs().mean((1, 2, 3)) / goal[name].abs().mean().clamp_min(1e-8) for name in names
        ]
        return torch.stack(parts).sum(0)

    return distance
