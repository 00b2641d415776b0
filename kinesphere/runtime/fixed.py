"""A generator on weights that stay as they are: scaled, squared, turned and rounded once instead of for every picture.

Places, hooks and what can be bent are those of the generator: only what its layers multiply with is another. Where a bend stands in
for a weight itself, its layer computes as the exact one does.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.models import Generator, stylegan1, stylegan2, stylegan3
from kinesphere.models.mapping import Dense
from kinesphere.ops import conv2d_up
from kinesphere.runtime.winograd import F2, F4, Winograd

M = TypeVar("M", bound=nn.Module)
FEW = 8  # pixels of a side
WIDE, TALL = 256, 16  # channels and pixels from which Winograd's convolutions are faster on a CPU (bench/speed.py)


def twin(module: M) -> M:
    """The same module with the same tensors, to which other hooks, parts and methods can be given."""
    made = copy.copy(module)
    for kind in ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks"):
        made.__dict__[kind] = copy.copy(made.__dict__[kind])
    for name, part in module._modules.items():
        made._modules[name] = None if part is None else twin(part)
    return made


def fixed(G: Generator, dtype: torch.dtype, fuses: bool = False) -> Generator:
    """`G` on fixed weights, its convolutions in `dtype`. It shares the memory of what stays the same, and does not learn.

    `fuses`: whether it is for a compiler that makes one loop of what lies between convolutions.
    """
    made = twin(G).eval()
    wide, rough = _wide(made), _rough(made)
    for part in made.modules():
        if isinstance(part, Dense):
            scaled = part.used()
            _instead(part, "used", ("weight", "bias"), lambda scaled=scaled: scaled)
        elif isinstance(part, stylegan1.Layer) and part.weight is not None:
            kind = torch.float32 if part in rough else dtype
            kernel = part.kernel().to(kind, memory_format=torch.channels_last)
            _instead(part, "kernel", ("weight",), lambda kernel=kernel: kernel)
            _full_after(part)
        elif isinstance(part, stylegan2.SynthesisLayer):
            _instead(
                part,
                "convolve",
                ("weight",),
                Modulated(part.weight, dtype, up_filter=part.up_filter, winograd=part in wide, fuses=fuses),
            )
        elif isinstance(part, stylegan2.ToRGB):
            _instead(part, "convolve", ("weight", "bias"), Colours(part.weight, part.bias))
        elif isinstance(part, stylegan2.SynthesisBlock):
            part.half_dtype = None if dtype == torch.float32 else dtype
        elif isinstance(part, stylegan3.Layer) and not part.is_torgb:
            gain, padding = part.magnitude_ema.rsqrt(), part.weight.shape[-1] - 1
            quick = Modulated(
                part.weight, dtype, gain, padding=padding, gives=torch.float32
            )  # its filters stay in float32
            _instead(part, "convolve", ("weight", "magnitude_ema"), quick)
    return made


def _rough(G: Generator) -> set[nn.Module]:
    """The layers of a StyleGAN1 that stay in float32: on few pixels an instance norm can make any error large. They cost little."""
    if not isinstance(G, stylegan1.StyleGAN1):
        return set()
    blocks = [G.synthesis.get_submodule(f"b{r}") for r in G.synthesis.resolutions if r <= FEW]
    return {layer for block in blocks for layer in block.children()}


def _full_after(part: stylegan1.Layer) -> None:
    """Let what follows a convolution be computed in float32: an instance norm makes what was rounded before it larger."""
    convolve = part.convolve
    part.__dict__["convolve"] = lambda x: convolve(x).float()


def _wide(G: Generator) -> set[nn.Module]:
    """The layers whose convolutions have so many channels that Winograd's are faster."""
    if not isinstance(G, stylegan2.StyleGAN2) or G.w_avg.device.type != "cpu":
        return set()
    tall = [block.conv1 for r, block in zip(G.synthesis.resolutions, G.synthesis.blocks(), strict=True) if r >= TALL]
    return {layer for layer in tall if min(layer.weight.shape[:2]) >= WIDE}


def _instead(part: nn.Module, method: str, made_from: Iterable[str], faster: Callable[..., Any]) -> None:
    """Let `faster` do what a method does, as long as no bend stands in for a tensor that it was made from."""
    exact, own, made_from = getattr(part, method), part.__dict__, set(made_from)

    def chosen(*given: Any) -> Any:
        return faster(*given) if made_from.isdisjoint(own) else exact(*given)

    own[method] = chosen


class Modulated:
    """`modulated_conv2d` on a fixed weight [O, I, k, k], in `dtype`, with demodulation. What comes out is in `gives`."""

    def __init__(
        self,
        weight: Tensor,
        dtype: torch.dtype,
        input_gain: Tensor | None = None,
        up_filter: Tensor | None = None,
        padding: int = 1,
        winograd: bool = False,
        gives: torch.dtype | None = None,
        fuses: bool = False,
    ) -> None:
        self.dtype, self.input_gain, self.up_filter, self.padding = dtype, input_gain, up_filter, padding
        self.gives, self.fuses = gives or dtype, fuses
        if dtype == torch.float16:  # demodulation cancels it, and the sums stay below 65504
            weight = weight / (weight.abs().amax([1, 2, 3], keepdim=True) * math.sqrt(weight[0].numel())).clamp_min(
                1e-8
            )
        self.squared = weight.square().sum([2, 3]).t().contiguous()  # [I, O]
        self.winograd = None
        if winograd:
            self.winograd = Winograd(weight, F4 if dtype == torch.float32 else F2, dtype)
        elif up_filter is None:
            self.weight = weight.to(dtype, memory_format=torch.channels_last)
        else:  # as a transposed convolution wants it in memory
            turned = weight.transpose(0, 1).to(dtype, memory_format=torch.channels_last)
            self.weight = turned.transpose(0, 1)

    def __call__(
        self, x: Tensor, styles: Tensor, gain: float = 1.0, bias: Tensor | None = None, noise: Tensor | None = None
    ) -> Tensor:
        if self.dtype == torch.float16:
            styles = styles / styles.abs().amax(1, keepdim=True).clamp_min(1e-8)
        scale = (styles.square() @ self.squared).add_(1e-8).rsqrt_().mul_(gain)
        scale = scale.to(self.gives)[:, :, None, None]
        if self.input_gain is not None:
            styles = styles * self.input_gain
        x = x.to(self.dtype) * styles.to(self.dtype)[:, :, None, None]
        if self.winograd is not None:
            y = self.winograd(x)
        elif self.up_filter is None:
            y = F.conv2d(x, self.weight, padding=self.padding)
        else:
            y = conv2d_up(x, self.weight, self.up_filter)
        y = y.to(self.gives)
        if bias is None:
            return y.mul_(scale)
        if y.dtype == torch.bfloat16 and y.device.type == "cpu" and not self.fuses:
            return _added(y.mul_(scale), bias, noise)
        y = torch.addcmul(bias.to(y)[:, None, None], y, scale)
        return y if noise is None else y.add_(noise)


def _added(y: Tensor, bias: Tensor, noise: Tensor | None) -> Tensor:
    """`y` plus a bias [C] and noise [N or 1, 1, H, W], as one product of thin matrices: bfloat16 is added no faster otherwise."""
    n, channels, height, width = y.shape
    one = torch.ones(n * height * width, dtype=y.dtype)
    pixels, sides = [one], [bias.to(y)]
    if noise is not None:
        pixels.append(noise.to(y).expand(n, 1, height, width).reshape(-1))
        sides.append(torch.ones_like(sides[0]))
    flat = y.permute(0, 2, 3, 1).reshape(-1, channels)
    flat.addmm_(torch.stack(pixels, 1), torch.stack(sides))
    return flat.view(n, height, width, channels).permute(0, 3, 1, 2)


class Colours:
    """`ToRGB.convolve` on a fixed weight: it is small, so that styles multiply it and not the activations."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.weight, self.bias = weight.flatten(1), bias  # [img_channels, I], [img_channels]

    def __call__(self, x: Tensor, styles: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        weight = (self.weight * styles[:, None]).to(x)  # [N, img_channels, I]
        flat = x.permute(0, 2, 3, 1).reshape(n, height * width, channels)
        y = torch.baddbmm(self.bias.to(x), flat, weight.transpose(1, 2))  # [N, H * W, img_channels]
        return y.view(n, height, width, -1).permute(0, 3, 1, 2)
