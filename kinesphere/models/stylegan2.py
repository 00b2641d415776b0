"""StyleGAN2 and StyleGAN2-ADA (Karras et al. 2020): styles modulate the weights, the picture is summed over resolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.models.generator import Generator, arguments, check_noise_mode, layer_noise
from kinesphere.models.mapping import Dense, Mapping
from kinesphere.ops import SQRT2, clamped, colour_dtype, conv2d_up, filter_taps, modulated_conv2d, upsample2d


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution (doubling the size where `up_filter` is given), noise, bias, leaky ReLU, clamp."""

    noise_const: Tensor
    up_filter: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        up_filter: Tensor | None = None,
        use_noise: bool = True,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("up_filter", up_filter, persistent=False)
        self.use_noise, self.conv_clamp = use_noise, conv_clamp
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "const", gain: float = 1.0) -> Tensor:
        """[N, I, H, W], [N, w_dim] -> [N, O, H, W], or twice the size; `gain` scales the output and the clamp alike."""
        scale = SQRT2 * gain  # of the activation; the leaky ReLU lets it through, so that it can come first
        noise = None
        if self.use_noise and noise_mode != "none":
            up = 1 if self.up_filter is None else 2
            noise = layer_noise(x, noise_mode, self.noise_const, self.noise_strength, up) * scale
        return self.styled(x, w, scale, noise)

    def styled(self, x: Tensor, w: Tensor, scale: float, noise: Tensor | None) -> Tensor:
        """`forward` with what is added, [N or 1, 1, H, W], and the gain of the activation given; both are of the output's scale."""
        x = self.convolve(x, self.affine(w), scale, self.bias.to(x) * scale, noise)
        return clamped(F.leaky_relu_(x, 0.2), self.conv_clamp, scale / SQRT2)

    def convolve(self, x: Tensor, styles: Tensor, gain: float, bias: Tensor, noise: Tensor | None) -> Tensor:
        """[N, I, H, W], [N, I] -> [N, O, H, W], or twice the size; times `gain`, plus bias [O] and noise [N or 1, 1, H, W]."""
        offset = bias[:, None, None]
        y = modulated_conv2d(x, self.weight, styles, up_filter=self.up_filter, padding=1, gain=gain, offset=offset)
        return y if noise is None else y.add_(noise)


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, inputs: int, img_channels: int, w_dim: int, conv_clamp: float | None = None) -> None:
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(img_channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.conv_clamp = conv_clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """[N, I, H, W], [N, w_dim] -> [N, img_channels, H, W]."""
        x = x.to(colour_dtype(x.dtype))
        styles = self.affine(w) / math.sqrt(self.weight.shape[1])
        return clamped(self.convolve(x, styles), self.conv_clamp)

    def convolve(self, x: Tensor, styles: Tensor) -> Tensor:
        """[N, I, H, W], [N, I] -> [N, img_channels, H, W]."""
        return modulated_conv2d(x, self.weight, styles, demodulate=False, offset=self.bias[:, None, None])


class SkipConv(nn.Module):
    """The 1x1 short cut of a residual block: convolve, then double the size."""

    up_filter: Tensor

    def __init__(self, inputs: int, outputs: int, up_filter: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.register_buffer("up_filter", up_filter, persistent=False)

    def forward(self, x: Tensor, gain: float) -> Tensor:
        weight = self.weight * (gain / math.sqrt(self.weight.shape[1]))
        return conv2d_up(x, weight.to(x), self.up_filter)


class SynthesisBlock(nn.Module):
    """All layers of one resolution: (x, img, their rows of ws [N, w_dim]) -> (x, img)."""

    up_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        img_channels: int,
        architecture: str,
        is_last: bool,
        up_filter: Tensor,
        use_noise: bool,
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        self.architecture, self.is_first = architecture, resolution == 4
        self.register_buffer("up_filter", up_filter, persistent=False)
        if self.is_first:
            self.const = nn.Parameter(torch.randn(outputs, 4, 4))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, resolution, up_filter, use_noise, conv_clamp)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, resolution, None, use_noise, conv_clamp)
        self.has_skip = architecture == "resnet" and not self.is_first
        if self.has_skip:
            self.skip = SkipConv(inputs, outputs, up_filter)
        self.has_torgb = is_last or architecture == "skip"
        if self.has_torgb:
            self.torgb = ToRGB(outputs, img_channels, w_dim, conv_clamp)
        self.num_conv = 1 if self.is_first else 2
        self.half_dtype: torch.dtype | None = None  # of the activations, where `set_precision` says so

    def forward(
        self, x: Tensor | None, img: Tensor | None, ws: tuple[Tensor, ...], noise_mode: str
    ) -> tuple[Tensor, Tensor | None]:
        if x is None:
            x = self.const.expand(len(ws[0]), *self.const.shape).contiguous(memory_format=torch.channels_last)
        else:
            x = x.to(self.half_dtype or self.conv1.weight.dtype)
        x = self.features(x, ws[: self.num_conv], noise_mode)
        if self.has_torgb:
            img = self.coloured(img, self.torgb(x, ws[self.num_conv]).float())
        return x, img

    def features(self, x: Tensor, ws: tuple[Tensor, ...], noise_mode: str) -> Tensor:
        """The activations of this resolution, from those of the one before."""
        gain = math.sqrt(0.5) if self.has_skip else 1.0
        y = self.skip(x, gain) if self.has_skip else None
        if not self.is_first:
            x = self.conv0(x, ws[0], noise_mode)
        x = self.conv1(x, ws[-1], noise_mode, gain)
        return x if y is None else y + x

    def coloured(self, img: Tensor | None, y: Tensor) -> Tensor:
        """The picture of half the size, and what this resolution adds to it."""
        return y if img is None else upsample2d(img, self.up_filter) + y


class Synthesis(nn.Module):
    """`ws` [N, num_ws, w_dim] to pictures. Blocks are `b4`, `b8`, ... up to the resolution."""

    def __init__(
        self,
        channels: Sequence[int],
        w_dim: int,
        img_channels: int,
        architecture: str,
        resample_filter: Sequence[float],
        use_noise: bool,
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        up_filter = filter_taps(resample_filter)
        self.resolutions = [4 << i for i in range(len(channels))]
        for i, r in enumerate(self.resolutions):
            block = SynthesisBlock(
                channels[max(i - 1, 0)], channels[i], w_dim, r, img_channels, architecture,
                r == self.resolutions[-1], up_filter, use_noise, conv_clamp,
            )  # fmt: skip
            self.add_module(f"b{r}", block)

    def blocks(self) -> list[SynthesisBlock]:
        return [self.get_submodule(f"b{r}") for r in self.resolutions]  # type: ignore[misc]

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        """`noise_mode`: "const" (the stored maps), "random" (fresh, from torch's generator) or "none"."""
        check_noise_mode(noise_mode)
        x = img = None
        row = 0
        for block in self.blocks():
            # ToRGB has no row of its own but shares the next block's first; so the index advances by the convolutions alone.
            x, img = block(x, img, ws[:, row : row + block.num_conv + 1].unbind(1), noise_mode)
            row += block.num_conv
        return img  # type: ignore[return-value]  # the last block has a ToRGB


class StyleGAN2(Generator):
    """The generator of StyleGAN2 and StyleGAN2-ADA.

    `channels` gives the width at 4, 8, ... `img_resolution` px. `architecture`: "skip" (pictures of all resolutions summed),
    "resnet" or "orig". `label`: how a class joins z, see `Mapping`. `resample_filter`: taps of the up-sampling filter.
    """

    family = "stylegan2"
    mapping: Mapping
    synthesis: Synthesis

    def __init__(
        self,
        *,
        img_resolution: int,
        channels: Sequence[int],
        z_dim: int = 512,
        c_dim: int = 0,
        w_dim: int = 512,
        img_channels: int = 3,
        architecture: str = "skip",
        mapping_layers: int = 8,
        mapping_width: int | None = None,
        embed_dim: int | None = None,
        label: str = "embed",
        mapping_lr: float = 0.01,
        conv_clamp: float | None = None,
        use_noise: bool = True,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
    ) -> None:
        super().__init__(arguments(locals()), num_ws=2 * len(channels))
        self.mapping = Mapping(
            z_dim, c_dim, w_dim, self.num_ws, mapping_layers, mapping_width, embed_dim, label, mapping_lr
        )
        self.synthesis = Synthesis(channels, w_dim, img_channels, architecture, resample_filter, use_noise, conv_clamp)

    def row_resolutions(self) -> list[float | None]:
        convs: list[float | None] = [4.0] + [4.0 * 2**i for i in range(1, self.num_ws // 2) for _ in range(2)]
        return [*convs, float(self.img_resolution)]

    def layers(self) -> dict[str, nn.Module]:
        return {
            f"b{r}.{name}": layer
            for r, block in zip(self.synthesis.resolutions, self.synthesis.blocks(), strict=True)
            for name, layer in block.named_children()
            if name != "skip"
        }
