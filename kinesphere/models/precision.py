"""Half precision at run time: which blocks of a model compute in 16 bits. The weights stay as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from kinesphere.models.discriminator import Discriminator
from kinesphere.models.stylegan2 import StyleGAN2
from kinesphere.types import KinesphereError


def set_precision(model: nn.Module, dtype: torch.dtype | None, blocks: int = 4) -> None:
    """Let the `blocks` highest resolutions of `model` compute in `dtype`: torch.bfloat16 or torch.float16; None: all in float32.

    For StyleGAN2 and its discriminator. Weights, mapping, the 4 px block and the summing of RGB stay in float32 (beside bfloat16
    the layers from and to RGB, too), and so do the gradients of the weights, so that optimiser and checkpoint know nothing of it.
    Never saved; a copy of the model takes it along.
    In float16 activations are held to +-256 where the model has no `conv_clamp` of its own, as StyleGAN2-ADA does.
    Raises KinesphereError for other models, dtypes, and negative `blocks`.
    """
    if dtype not in (None, torch.bfloat16, torch.float16):
        raise KinesphereError(f"no half precision {dtype}: choose torch.bfloat16, torch.float16, or None for float32")
    if blocks < 0:
        raise KinesphereError(f"blocks must be 0 or more, not {blocks}")
    parts: list[Any]  # blocks, from the picture's resolution down to 8 px; never 4
    if isinstance(model, StyleGAN2):
        parts = model.synthesis.blocks()[:0:-1]
    elif isinstance(model, Discriminator):
        parts = [model.get_submodule(f"b{r}") for r in model.resolutions[:-1]]
    else:
        raise KinesphereError(
            f"{type(model).__name__} has no half precision: only StyleGAN2 and its Discriminator have; leave it in float32"
        )
    for i, block in enumerate(parts):
        block.half_dtype = dtype if i < blocks else None
