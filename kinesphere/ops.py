"""The handful of tensor operations that every StyleGAN is made of, in plain PyTorch, on any device, differentiable twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SQRT2 = math.sqrt(2)
HALF_CLAMP = 256.0  # what float16 activations are held to where the model says nothing


def fast_dtype(device: torch.device) -> torch.dtype:
    """What a device multiplies fastest: half precision where it can, float32 elsewhere."""
    if device.type == "cuda":
        return torch.float16
    multiplies = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if device.type == "cpu" and multiplies else torch.float32


def clamped(x: Tensor, clamp: float | None, gain: float = 1.0) -> Tensor:
    """`x` held to +-`clamp` times `gain`. Without a clamp only float16, which ends at 65504, is held, to `HALF_CLAMP`."""
    if clamp is None and x.dtype == torch.float16:
        clamp = HALF_CLAMP
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def colour_dtype(dtype: torch.dtype) -> torch.dtype:
    """What colours are computed in beside activations of `dtype`: bfloat16 would round them by up to half a level of 255."""
    return torch.float32 if dtype == torch.bfloat16 else dtype


def filter_taps(taps: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    """A resampling filter from its taps, 1-D (separable) or 2-D, made to sum to 1. [1, 3, 3, 1] is StyleGAN2's."""
    f = torch.as_tensor(np.asarray(taps, dtype=np.float64))
    return (f / f.sum()).float()


def normalize_2nd_moment(x: Tensor, eps: float = 1e-8) -> Tensor:
    """Scale each row of `x` [N, D] to unit RMS."""
    return x * (x.square().mean(dim=1, keepdim=True) + eps).rsqrt()


def bias_act(
    x: Tensor, bias: Tensor | None = None, slope: float = 0.2, gain: float = SQRT2, clamp: float | None = None
) -> Tensor:
    """Bias, leaky ReLU, gain, clamp, in that order. `slope=1, gain=1` is linear; `clamp` bounds the magnitude after the gain.

    `x` is [N, C] or [N, C, H, W]; `bias` is [C].
    """
    if bias is not None:
        # The leaky ReLU lets positive factors through, so that gain and bias are one pass over the pixels.
        x = torch.add(bias.to(x).view([1, -1] + [1] * (x.ndim - 2)) * gain, x, alpha=gain)
    elif gain != 1:
        x = x * gain
    if slope != 1:
        x = F.leaky_relu(x, slope, inplace=bias is not None or gain != 1)  # in place in what was made here
    return x if clamp is None else x.clamp(-clamp, clamp)


SHORT = 6  # taps up to which one pass with the square filter is faster than one pass along each axis


class _Smooth(torch.autograd.Function):
    """A depthwise convolution with a fixed kernel, whose gradient is another one: torch's own backward pass takes twice as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.padding = padding
        return F.conv2d(x, kernel, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (kernel,) = ctx.saved_tensors
        high, wide = (k - 1 - p for k, p in zip(kernel.shape[2:], ctx.padding, strict=True))
        return _Smooth.apply(grads[0], kernel.flip([2, 3]), (high, wide)), None, None


def _depthwise(f: Tensor, x: Tensor, axis: int | None) -> Tensor:
    """The filter as one [1, kh, kw] kernel for each of the channels of `x`; `axis` lays a 1-D filter along rows or columns."""
    f = f.to(x)
    if axis is not None:
        f = f[None, :] if axis == 3 else f[:, None]
    return f[None, None].expand(x.shape[1], 1, *f.shape)


def _fir_up(x: Tensor, f: Tensor, axis: int | None, up: int, low: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Insert zeros and filter, as one depthwise transposed convolution; then crop or pad to `size` after dropping `low`."""
    k = _depthwise(f, x, axis)
    stride = (up if axis in (None, 2) else 1, up if axis in (None, 3) else 1)
    x = F.conv_transpose2d(x, k, stride=stride, groups=x.shape[1])
    top, left = low
    bottom, right = size[0] - x.shape[2] + top, size[1] - x.shape[3] + left
    return F.pad(x, [-left, right, -top, bottom])


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: int = 1,
    down: int = 1,
    padding: Sequence[int] = (0, 0, 0, 0),
    gain: float = 1.0,
) -> Tensor:
    """Up-sample, filter, down-sample `x` [N, C, H, W].

    In words: put `up - 1` zeros after every pixel; pad by `padding` = (left, right, top, bottom), negative crops;
    convolve with `f` (1-D: along both axes; 2-D: as it is; None: identity) without further padding, multiplied by `gain`;
    keep every `down`-th pixel. Output height is `(H * up + top + bottom - taps) // down + 1`.
    """
    left, right, top, bottom = padding
    if f is None:
        f = x.new_ones([1, 1])
    f = f * (gain if f.ndim == 2 else math.sqrt(gain))
    if f.ndim == 1 and f.shape[0] <= SHORT:
        f = torch.outer(f, f)
    if up == 1:
        f = f.flip(list(range(f.ndim)))  # conv2d correlates, a filter convolves
        if f.ndim == 2:
            even = left == right >= 0 and top == bottom >= 0  # then the convolution pads by itself
            x = x if even else F.pad(x, [left, right, top, bottom])
            pad, kernel = (top, left) if even else (0, 0), _depthwise(f, x, None)
            if down == 1 and pad[0] < f.shape[0] and pad[1] < f.shape[1]:
                return _Smooth.apply(x, kernel, pad)
            return F.conv2d(x, kernel, stride=down, padding=pad, groups=x.shape[1])
        x = F.pad(x, [left, right, top, bottom]) if any(padding) else x
        x = F.conv2d(x, _depthwise(f, x, 3), stride=(1, down), groups=x.shape[1])
        return F.conv2d(x, _depthwise(f, x, 2), stride=(down, 1), groups=x.shape[1])
    kh, kw = f.shape[0], f.shape[-1]
    height, width = x.shape[2] * up + top + bottom - kh + 1, x.shape[3] * up + left + right - kw + 1
    low = (kh - 1 - top, kw - 1 - left)
    if f.ndim == 2:
        x = _fir_up(x, f, None, up, low, (height, width))
    else:
        x = _fir_up(x, f, 3, up, (0, low[1]), (x.shape[2], width))
        x = _fir_up(x, f, 2, up, (low[0], 0), (height, width))
    return x[:, :, ::down, ::down] if down > 1 else x


def fir_padding(f: Tensor, up: int = 1, down: int = 1) -> tuple[int, int, int, int]:
    """The padding with which `upfirdn2d` makes pictures exactly `up / down` times as large, kept in place."""
    taps = f.shape[-1]
    low, high = (taps + up - 1) // 2, (taps - up) // 2
    if down > 1:
        low, high = (taps - down + 1) // 2, (taps - down) // 2
    return low, high, low, high


def upsample2d(x: Tensor, f: Tensor) -> Tensor:
    """Twice the size, with the brightness kept."""
    return upfirdn2d(x, f, up=2, padding=fir_padding(f, up=2), gain=4)


def downsample2d(x: Tensor, f: Tensor) -> Tensor:
    """Half the size."""
    return upfirdn2d(x, f, down=2, padding=fir_padding(f, down=2))


def conv2d_up(x: Tensor, weight: Tensor, f: Tensor) -> Tensor:
    """Convolve and double the size: a transposed convolution of stride 2, then the filter.

    `weight` is [O, I, k, k], odd k, used as a transposed convolution uses it (not flipped). 3x3: 2H+1, filtered back to 2H.
    """
    k, taps = weight.shape[-1], f.shape[-1]
    if k == 1:
        return upsample2d(F.conv2d(x, weight), f)
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2H + k - 2, ...]
    spare = taps + 1 - k  # pixels to add in all, so that 2H remain after the filter
    low = (spare + 1) // 2
    return upfirdn2d(x, f, padding=(low, spare - low, low, spare - low), gain=4)


def conv2d_down(x: Tensor, weight: Tensor, f: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve and halve the size: the filter, then a convolution of stride 2. `weight` is [O, I, k, k], odd k; `bias` [O]."""
    k, taps = weight.shape[-1], f.shape[-1]
    if k == 1:
        return F.conv2d(downsample2d(x, f), weight, bias)
    spare = taps + k - 3
    low = (spare + 1) // 2
    x = upfirdn2d(x, f, padding=(low, spare - low, low, spare - low))  # [N, I, H + 1, ...]
    return F.conv2d(x, weight, bias, stride=2)


def demodulation(weight: Tensor, styles: Tensor, eps: float = 1e-8) -> Tensor:
    """What brings each output channel back to unit variance: `styles` [N, I] -> [N, O]. Karras et al. 2020, eq. 3."""
    squared = weight.square().sum([2, 3])  # [O, I]
    return (styles.square() @ squared.t() + eps).rsqrt()


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    demodulate: bool = True,
    up_filter: Tensor | None = None,
    padding: int = 0,
    input_gain: Tensor | None = None,
    gain: float = 1.0,
    offset: Tensor | None = None,
) -> Tensor:
    """A convolution whose input channels are scaled by `styles`, for every picture on its own (Karras et al. 2020, section 2.2).

    `x` [N, I, H, W], `weight` [O, I, k, k], `styles` [N, I]. Scaling the activations instead of the weights is the same
    sum, and leaves one fixed weight for the whole batch. With `up_filter` the picture doubles in size (`padding` is then unused).
    What comes out is multiplied by `gain`; `offset`, of any shape that fits (a bias, a map of noise), is added after that.

    In float16 weights and styles are first divided by their largest magnitudes, which demodulation cancels and without which
    the sums overflow, as StyleGAN2-ADA does.
    """
    if input_gain is not None:
        x = x * input_gain
    if demodulate and x.dtype == torch.float16:
        fan_in = weight[0].numel()
        weight = weight / (weight.abs().amax([1, 2, 3], keepdim=True) * math.sqrt(fan_in)).clamp_min(1e-8)
        styles = styles / styles.abs().amax(1, keepdim=True).clamp_min(1e-8)
    y = x * styles.to(x)[:, :, None, None]
    if up_filter is None:
        y = F.conv2d(y, weight.to(x), padding=padding)
    else:
        y = conv2d_up(y, weight.to(x), up_filter)
    if demodulate:
        scale = (demodulation(weight, styles) * gain).to(y)[:, :, None, None]
        return y * scale if offset is None else torch.addcmul(offset.to(y), y, scale)
    y = y if gain == 1 else y * gain
    return y if offset is None else y + offset.to(y)


def filtered_lrelu(
    x: Tensor,
    bias: Tensor,
    up_filter: Tensor | None,
    down_filter: Tensor | None,
    up: int,
    down: int,
    padding: Sequence[int],
    slope: float = 0.2,
    gain: float = SQRT2,
    clamp: float | None = None,
) -> Tensor:
    """StyleGAN3's alias-free non-linearity: bias, up-sample, leaky ReLU with gain and clamp at the high rate, down-sample.

    `x` [N, C, H, W]; `padding` as in `upfirdn2d`, given for the up-sampled grid (Karras et al. 2021, section 3.2).
    """
    x = x + bias.to(x)[:, None, None]
    x = upfirdn2d(x, up_filter, up=up, padding=padding, gain=up**2)
    x = bias_act(x, slope=slope, gain=gain, clamp=clamp)
    return upfirdn2d(x, down_filter, down=down)


def to_pixels(img: Tensor) -> Tensor:
    """A picture [N, C, H, W] in [-1, 1] as [N, H, W, 3] uint8 RGB. Grey is repeated, alpha is laid over black."""
    if img.shape[1] == 1:
        img = img.expand(-1, 3, -1, -1)
    if img.shape[1] == 4:
        img = (img[:, :3] + 1) * (img[:, 3:] + 1).clamp(0, 2) / 2 - 1
    return (img.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()
