"""StyleGAN3 (Karras et al. 2021): alias-free layers that let the picture move with its content, from a Fourier input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.signal
import scipy.special
import torch
from torch import Tensor, nn

from kinesphere.models.generator import Generator, arguments, check_noise_mode
from kinesphere.models.mapping import Dense, Mapping
from kinesphere.ops import SQRT2, filtered_lrelu, modulated_conv2d


@dataclass(frozen=True)
class Band:
    """What one layer's output can hold, in cycles or pixels per picture width."""

    cutoff: float
    half_width: float  # of the transition band
    rate: int  # sampling rate
    size: int  # pixels, margins included


def layer_bands(
    resolution: int,
    num_layers: int,
    num_critical: int,
    first_cutoff: float,
    first_stopband: float,
    last_stopband_rel: float,
    margin: int,
) -> list[Band]:
    """The geometric progression of cutoffs and rates, layers 0 ... num_layers (section 3.2 and appendix C)."""
    last_cutoff = resolution / 2
    e = np.minimum(np.arange(num_layers + 1) / (num_layers - num_critical), 1)
    cutoffs = first_cutoff * (last_cutoff / first_cutoff) ** e
    stopbands = first_stopband * (last_cutoff * last_stopband_rel / first_stopband) ** e
    rates = np.exp2(np.ceil(np.log2(np.minimum(stopbands * 2, resolution))))
    half_widths = np.maximum(stopbands, rates / 2) - cutoffs
    sizes = rates + 2 * margin
    sizes[-2:] = resolution
    return [
        Band(float(c), float(h), int(r), int(s)) for c, h, r, s in zip(cutoffs, half_widths, rates, sizes, strict=True)
    ]


def lowpass_filter(taps: int, cutoff: float, half_width: float, rate: float, radial: bool) -> Tensor | None:
    """Kaiser-windowed low-pass filter at `rate` samples per picture width; 1-D (separable), or radially symmetric 2-D (appendix C).

    One tap is no filter: None.
    """
    if taps == 1:
        return None
    if not radial:
        f = scipy.signal.firwin(taps, cutoff=cutoff, width=half_width * 2, fs=rate)
        return torch.as_tensor(f, dtype=torch.float32)
    x = (np.arange(taps) - (taps - 1) / 2) / rate
    r = np.hypot(*np.meshgrid(x, x))
    jinc = scipy.special.j1(2 * np.pi * cutoff * r) / (np.pi * r)  # an even number of taps: r is never 0
    beta = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(taps, half_width / (rate / 4)))
    window = np.kaiser(taps, beta)
    f = jinc * np.outer(window, window)
    return torch.as_tensor(f / f.sum(), dtype=torch.float32)


def plane_waves(channels: int, cutoff: float) -> Tensor:
    """Frequencies drawn evenly from a disc, [C, 2] cycles per picture width."""
    radius, angle = torch.rand(channels), torch.rand(channels)
    # In a model without weights torch would import its compiler, for seconds, to know the shape of a cosine.
    if radius.is_meta:
        return torch.empty(channels, 2)
    radius, angle = radius.sqrt() * cutoff, angle * (2 * math.pi)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


class FourierInput(nn.Module):
    """Plane waves on a canvas, placed by the first row of `ws` and by `transform`, which the player may set.

    `transform` [3, 3] maps output coordinates to content coordinates (the inverse of the picture's motion; x right, y down,
    in picture widths, origin at the centre). Section 3.1 and appendix F.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, w_dim: int, channels: int, band: Band) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = band.size, band.rate, band.cutoff
        freqs = plane_waves(channels, band.cutoff)
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = Dense(w_dim, 4, init=0.0)
        self.affine.bias = nn.Parameter(torch.eye(4)[0])
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", torch.rand(channels).sub_(0.5))

    def forward(self, w: Tensor) -> Tensor:
        """[N, w_dim] -> [N, C, size, size]."""
        t = self.affine(w)
        c, s, x, y = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)  # rotation and shift, one scale for all
        zero, one = torch.zeros_like(c), torch.ones_like(c)
        rotate = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1).view(-1, 3, 3)
        m = rotate @ shift @ self.transform  # [N, 3, 3]
        phases = self.phases + (self.freqs @ m[:, :2, 2:])[:, :, 0]  # [N, C]
        freqs = self.freqs @ m[:, :2, :2]  # [N, C, 2]
        fade = (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        amplitude = (1 - fade).clamp(0, 1)  # waves that the canvas cannot hold fade out
        u = (torch.arange(self.size, device=w.device) + 0.5 - self.size / 2) / self.rate  # [size], picture widths
        angle = freqs[:, None, None, :, 0] * u[:, None] + freqs[:, None, None, :, 1] * u[:, None, None]
        waves = torch.sin((angle + phases[:, None, None]) * (2 * math.pi)) * amplitude[:, None, None]
        x = waves @ (self.weight / math.sqrt(self.weight.shape[1])).t()  # [N, H, W, C]
        return x.permute(0, 3, 1, 2)


class Layer(nn.Module):
    """Modulated convolution, then the filtered leaky ReLU (or, for the last layer, colours)."""

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(
        self,
        w_dim: int,
        inputs: int,
        outputs: int,
        before: Band,
        after: Band,
        is_torgb: bool,
        kernel: int,
        filter_size: int,
        lrelu_upsampling: int,
        radial: bool,
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        self.is_torgb, self.conv_clamp = is_torgb, conv_clamp
        kernel = 1 if is_torgb else kernel
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("magnitude_ema", torch.ones([]))
        rate = max(before.rate, after.rate) * (1 if is_torgb else lrelu_upsampling)
        self.up, self.down = rate // before.rate, rate // after.rate
        up_taps = 1 if self.up == 1 or is_torgb else filter_size * self.up
        down_taps = 1 if self.down == 1 or is_torgb else filter_size * self.down
        self.register_buffer("up_filter", lowpass_filter(up_taps, before.cutoff, before.half_width, rate, False))
        self.register_buffer("down_filter", lowpass_filter(down_taps, after.cutoff, after.half_width, rate, radial))
        total = (after.size - 1) * self.down + 1 - (before.size + kernel - 1) * self.up + up_taps + down_taps - 2
        low = (total + self.up) // 2
        self.padding = (low, total - low, low, total - low)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, I, H, W], [N, w_dim] -> [N, O, H', W']."""
        styles = self.affine(w)
        if self.is_torgb:
            styles = styles / math.sqrt(self.weight.shape[1])
        x = self.convolve(x, styles)
        slope, act_gain = (1.0, 1.0) if self.is_torgb else (0.2, SQRT2)
        return filtered_lrelu(
            x,
            self.bias,
            self.up_filter,
            self.down_filter,
            self.up,
            self.down,
            self.padding,
            slope,
            act_gain,
            self.conv_clamp,
        )

    def convolve(self, x: Tensor, styles: Tensor) -> Tensor:
        """[N, I, H, W], [N, I] -> [N, O, H + k - 1, W + k - 1]."""
        padding, gain = self.weight.shape[-1] - 1, self.magnitude_ema.rsqrt()
        return modulated_conv2d(x, self.weight, styles, not self.is_torgb, padding=padding, input_gain=gain)


class Synthesis(nn.Module):
    """`ws` [N, num_ws, w_dim] to pictures: row 0 places the waves, the others drive one layer each."""

    def __init__(
        self,
        w_dim: int,
        channels: Sequence[int],
        bands: list[Band],
        num_critical: int,
        output_scale: float,
        radial: bool,
        **layer: Any,
    ) -> None:
        super().__init__()
        self.output_scale, self.bands = output_scale, bands
        self.input = FourierInput(w_dim, channels[0], bands[0])
        self.layer_names: list[str] = []
        last = len(channels) - 1
        for i, after in enumerate(bands):
            before, inputs = bands[max(i - 1, 0)], channels[max(i - 1, 0)]
            name = f"L{i}_{after.size}_{channels[i]}"
            critical = i >= last - num_critical
            self.add_module(
                name,
                Layer(w_dim, inputs, channels[i], before, after, i == last, radial=radial and not critical, **layer),
            )
            self.layer_names.append(name)

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        """StyleGAN3 has no noise: every valid `noise_mode` gives the same picture."""
        check_noise_mode(noise_mode)
        x = self.input(ws[:, 0])
        for i, name in enumerate(self.layer_names):
            x = self.get_submodule(name)(x, ws[:, i + 1])
        return x.float() * self.output_scale


class StyleGAN3(Generator):
    """The generator of StyleGAN3. The default is config T; R has `conv_kernel=1, use_radial_filters=True` and twice the channels.

    `channels`: the output channels of every layer, the last being `img_channels`; None computes them from
    `channel_base` and `channel_max`. `G.synthesis.input.transform` moves, turns and scales the picture.
    """

    family = "stylegan3"
    mapping: Mapping
    synthesis: Synthesis

    def __init__(
        self,
        *,
        img_resolution: int,
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_channels: int = 3,
        mapping_layers: int = 2,
        mapping_width: int | None = None,
        embed_dim: int | None = None,
        mapping_lr: float = 0.01,
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Sequence[int] | None = None,
        num_layers: int = 14,
        num_critical: int = 2,
        first_cutoff: float = 2.0,
        first_stopband: float = 2**2.1,
        last_stopband_rel: float = 2**0.3,
        margin_size: int = 10,
        output_scale: float = 0.25,
        conv_kernel: int = 3,
        filter_size: int = 6,
        lrelu_upsampling: int = 2,
        use_radial_filters: bool = False,
        conv_clamp: float | None = 256.0,
    ) -> None:
        super().__init__(arguments(locals()), num_ws=num_layers + 2)
        self.bands = layer_bands(
            img_resolution, num_layers, num_critical, first_cutoff, first_stopband, last_stopband_rel, margin_size
        )
        if channels is None:
            channels = [round(min(channel_base / 2 / band.cutoff, channel_max)) for band in self.bands[:-1]] + [
                img_channels
            ]
        self.mapping = Mapping(
            z_dim, c_dim, w_dim, self.num_ws, mapping_layers, mapping_width, embed_dim, "embed", mapping_lr
        )
        self.synthesis = Synthesis(
            w_dim, channels, self.bands, num_critical, output_scale, use_radial_filters,
            kernel=conv_kernel, filter_size=filter_size, lrelu_upsampling=lrelu_upsampling, conv_clamp=conv_clamp,
        )  # fmt: skip

    def row_resolutions(self) -> list[float | None]:
        """A layer that passes `cutoff` cycles works like a grid of twice as many pixels."""
        return [None] + [2 * band.cutoff for band in self.bands]

    def layers(self) -> dict[str, nn.Module]:
        names = self.synthesis.layer_names
        return {"input": self.synthesis.input} | {
            name.split("_")[0]: self.synthesis.get_submodule(name) for name in names
        }
