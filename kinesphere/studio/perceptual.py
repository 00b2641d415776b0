"""How far apart two pictures are, as far as it matters to who looks at them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

SCALES = 4  # the picture, a half, a quarter, an eighth of it


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
