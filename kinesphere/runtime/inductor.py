"""`torch.compile` as what multiplies: a run of a StyleGAN2's steps as one program of inductor's.

What lies between convolutions is fused into loops, which a C++ compiler makes fast. That takes ten to thirty seconds for a model,
and fewer where the cache on disk knows it. A program belongs to one run on one set of weights, and is always given tensors of the
same shapes (`chain`): so torch's guards, which would look after that at each call for a tenth of the time of a small picture, are
left out.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from kinesphere.models.stylegan2 import SynthesisBlock, ToRGB
from kinesphere.ops import SQRT2
from kinesphere.runtime import cache
from kinesphere.runtime.chain import Part, Program, State, Synthesis


def program(synthesis: Synthesis, part: Part) -> Program:
    """A part of a synthesis as what inductor compiles."""
    keep()
    examples = [torch.zeros(shape, dtype=dtype) for shape, dtype in synthesis.given(part)]
    drawn = function(synthesis, part)
    traced = make_fx(drawn)(*examples)
    fast = fused(traced)
    fast(*examples)
    return lambda given: fast(*given)


@functools.cache
def keep() -> None:
    """Let inductor keep what it makes where it lasts longer than in a folder for temporary files, unless it was told where."""
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ and (kept := cache.folder("inductor")) is not None:
        cache.empty(kept)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(kept)


def fused(traced: torch.fx.GraphModule) -> Callable[..., State]:
    """What computes the same in fewer loops; compiled at its first call."""
    options = {"guard_filter_fn": torch.compiler.skip_all_guards_unsafe, "compile_threads": 1}
    return torch.compile(traced, dynamic=False, options=options)  # type: ignore[arg-type]  # it is wider than it says


def function(synthesis: Synthesis, part: Part) -> Callable[..., State]:
    """What a part computes, of tensors as `Synthesis.given` lists them."""
    coloured, noisy = synthesis.picture_before(part) is not None, synthesis.noisy(part)
    goes_on = synthesis.goes_on(part)

    def drawn(*tensors: Tensor) -> State:
        given: Iterator[Tensor] = iter(tensors)
        x = next(given)
        x = x.permute(0, 3, 1, 2) if part.at else x.expand(part.n, -1, -1, -1).to(memory_format=torch.channels_last)
        img = next(given) if coloured else None
        ws = next(given)
        for step in synthesis.steps[part.at : part.end]:
            rows = [ws[:, row] for row in step.rows]
            if not step.colours:
                x = x.to(step.block.half_dtype or torch.float32)
            for layer, w in zip(step.layers, rows, strict=False):
                x = layer.styled(x, w, SQRT2, next(given) if layer in noisy else None)
            if step.colours and rows:
                y = ToRGB.forward(step.block.torgb, x, rows[0])  # the class's, which neither remembers nor is hooked
                img = SynthesisBlock.coloured(step.block, img, y.float())
        return x.contiguous(memory_format=torch.channels_last) if goes_on else None, img

    return drawn
