"""The formulation that is measured against: how the code bases of this field write their generators, for any processor.

Styles multiply the weights, for every picture on its own, in one grouped convolution (Karras et al. 2020, section 2.2); float32,
channels first; up-sampling puts zeros between the pixels, filters at the full rate, and keeps what is needed. What it computes is
what Kinesphere's models compute, on their weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.models import Generator, StyleGAN2, StyleGAN3

Plain = Callable[[Tensor], Tensor]


def plain(G: Generator) -> Plain:
    """From ws [N, num_ws, w_dim] to pictures, of a StyleGAN2 ("skip") or a StyleGAN3, with the stored noise."""
    return {StyleGAN2: stylegan2, StyleGAN3: stylegan3}[type(G)](G)


def resampled(
    x: Tensor, f: Tensor | None, up: int = 1, down: int = 1, padding: Sequence[int] = (0, 0, 0, 0), gain: float = 1.0
) -> Tensor:
    """Zeros after every pixel, padding, the filter at the full rate, every `down`-th pixel."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, list(padding))
    if f is not None:
        f = f.flip(list(range(f.ndim))) * gain ** (f.ndim / 2)
        if f.ndim == 1 and len(f) < 8:
            f = torch.outer(f, f)
        for taps in [f] if f.ndim == 2 else [f[None, :], f[:, None]]:
            x = F.conv2d(x, taps[None, None].repeat(c, 1, 1, 1), groups=c)
    return x[:, :, ::down, ::down]


def dense(layer: Any, x: Tensor) -> Tensor:
    x = x @ (layer.weight * layer.weight_gain).t() + layer.bias * layer.lr
    return F.leaky_relu(x, layer.slope) * math.sqrt(2) if layer.slope != 1 else x


def modulated(x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, up: bool, padding: int) -> Tensor:
    """One grouped convolution for the whole batch; with `up` it is transposed, of stride 2."""
    n = len(x)
    weight = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        weight = weight * (weight.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, -1, *x.shape[2:])
    if up:
        x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
    else:
        x = F.conv2d(x, weight.flatten(0, 1), padding=padding, groups=n)
    return x.reshape(n, -1, *x.shape[2:])


def stylegan2(G: Any) -> Plain:
    blocks = G.synthesis.blocks()

    def layer(part: Any, x: Tensor, w: Tensor) -> Tensor:
        up = part.up_filter is not None
        x = modulated(x, part.weight, dense(part.affine, w), True, up, 1)
        if up:
            x = resampled(x, part.up_filter, padding=(1, 1, 1, 1), gain=4)
        if part.use_noise:
            x = x + part.noise_const * part.noise_strength
        x = F.leaky_relu(x + part.bias.view(1, -1, 1, 1), 0.2) * math.sqrt(2)
        return x if part.conv_clamp is None else x.clamp(-part.conv_clamp, part.conv_clamp)

    def synthesis(ws: Tensor) -> Tensor:
        x, img, row = blocks[0].const.repeat(len(ws), 1, 1, 1), None, 0
        for block in blocks:
            if not block.is_first:
                x = layer(block.conv0, x, ws[:, row])
                row += 1
            x = layer(block.conv1, x, ws[:, row])
            row += 1
            styles = dense(block.torgb.affine, ws[:, row]) / math.sqrt(x.shape[1])
            y = modulated(x, block.torgb.weight, styles, False, False, 0) + block.torgb.bias.view(1, -1, 1, 1)
            if block.torgb.conv_clamp is not None:
                y = y.clamp(-block.torgb.conv_clamp, block.torgb.conv_clamp)
            img = y if img is None else resampled(img, block.up_filter, up=2, padding=(2, 1, 2, 1), gain=4) + y
        return img

    return synthesis


def stylegan3(G: Any) -> Plain:
    def layer(part: Any, x: Tensor, w: Tensor) -> Tensor:
        styles, size = dense(part.affine, w), part.weight.shape[-1]
        if part.is_torgb:
            styles = styles / math.sqrt(x.shape[1])
        x = modulated(
            x, part.weight, styles, not part.is_torgb, False, size - 1
        ) * part.magnitude_ema.rsqrt() + part.bias.view(1, -1, 1, 1)
        x = resampled(x, part.up_filter, up=part.up, padding=part.padding, gain=part.up**2)
        if not part.is_torgb:
            x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        if part.conv_clamp is not None:
            x = x.clamp(-part.conv_clamp, part.conv_clamp)
        return resampled(x, part.down_filter, down=part.down)

    def synthesis(ws: Tensor) -> Tensor:
        x = G.synthesis.input(ws[:, 0])
        for i, name in enumerate(G.synthesis.layer_names):
            x = layer(G.synthesis.get_submodule(name), x, ws[:, i + 1])
        return x * G.synthesis.output_scale

    return synthesis
