"""Discriminators: what the generators were trained against, and an encoder of pictures in their own right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.models.generator import arguments
from kinesphere.models.mapping import Dense, Mapping, require_class
from kinesphere.models.stylegan1 import box_kernel
from kinesphere.ops import SQRT2, bias_act, clamped, colour_dtype, conv2d_down, downsample2d, filter_taps, upfirdn2d


def minibatch_stddev(x: Tensor, group_size: int | None, features: int) -> Tensor:
    """How much the pictures of a batch differ, appended to `x` [N, C, H, W] as `features` channels (Karras et al. 2018, section 3).

    A group is pictures i, i + N/G, i + 2N/G, ...; its size G is the largest divisor of N up to `group_size` (None: N).
    """
    n, c, h, w = x.shape
    wanted = min(group_size or n, n)
    g = next(g for g in range(wanted, 0, -1) if n % g == 0)
    y = x.reshape(g, n // g, features, c // features, h, w)
    y = (y.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=[2, 3, 4])  # [N/G, features]
    return torch.cat([x, y[:, :, None, None].repeat(g, 1, h, w).to(x)], dim=1)


class Conv(nn.Module):
    """Convolution at equalised learning rate, halving the size where `down_filter` is given, then bias and activation.

    `gain_in_weight`: the activation's gain multiplies the weights and not the bias (StyleGAN1).
    """

    down_filter: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        bias: bool = True,
        slope: float = 0.2,
        down_filter: Tensor | None = None,
        conv_clamp: float | None = None,
        gain_in_weight: bool = False,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.register_buffer("down_filter", down_filter, persistent=False)
        self.slope, self.conv_clamp, self.gain_in_weight = slope, conv_clamp, gain_in_weight

    def scaled_weight(self, x: Tensor, gain: float = 1.0) -> Tensor:
        gain = gain * (SQRT2 if self.gain_in_weight else 1.0)
        return (self.weight * (gain / math.sqrt(self.weight[0].numel()))).to(x)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        # The leaky ReLU lets positive factors through: all gains go into weight and bias, which are smaller than the picture.
        gain_in = gain * (1.0 if self.slope == 1 or self.gain_in_weight else SQRT2)
        weight = self.scaled_weight(x, gain_in)
        bias = None if self.bias is None else (self.bias * gain_in).to(x)
        if self.down_filter is None:
            x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        else:
            x = conv2d_down(x, weight, self.down_filter, bias)
        if self.slope != 1:
            x = F.leaky_relu_(x, self.slope)
        return clamped(x, self.conv_clamp, gain)


class BlurDown(Conv):
    """StyleGAN1's way down: blur, convolve, average 2x2."""

    blur: Tensor

    def __init__(self, inputs: int, outputs: int, blur: Tensor, fused: bool) -> None:
        super().__init__(inputs, outputs, 3, gain_in_weight=True)
        self.register_buffer("blur", blur, persistent=False)
        self.fused = fused

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        x = upfirdn2d(x, self.blur, padding=[self.blur.shape[0] // 2] * 4)
        weight = self.scaled_weight(x)
        if self.fused:
            x = F.conv2d(x, box_kernel(weight) / 4, stride=2, padding=1)
        else:
            x = F.avg_pool2d(F.conv2d(x, weight, padding=1), 2)
        return bias_act(x, self.bias, gain=gain)


class Block(nn.Module):
    """The layers of one resolution: (x, img) -> (x, img) at half the size."""

    down_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        img_channels: int,
        architecture: str,
        is_first: bool,
        down_filter: Tensor,
        conv_clamp: float | None,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.register_buffer("down_filter", down_filter, persistent=False)
        self.has_fromrgb = is_first or architecture == "skip"
        if self.has_fromrgb:
            self.fromrgb = Conv(img_channels, inputs, 1, conv_clamp=conv_clamp)
        self.conv0 = Conv(inputs, inputs, 3, conv_clamp=conv_clamp)
        self.conv1 = Conv(inputs, outputs, 3, down_filter=down_filter, conv_clamp=conv_clamp)
        if architecture == "resnet":
            self.skip = Conv(inputs, outputs, 1, bias=False, slope=1.0, down_filter=down_filter)
        self.half_dtype: torch.dtype | None = None  # of the activations, where `set_precision` says so

    def forward(self, x: Tensor | None, img: Tensor) -> tuple[Tensor, Tensor]:
        dtype = self.half_dtype or self.conv1.weight.dtype
        x = None if x is None else x.to(dtype)
        if self.has_fromrgb:
            y = self.fromrgb(img.to(colour_dtype(dtype), memory_format=torch.channels_last)).to(dtype)
            x = y if x is None else x + y
            if self.architecture == "skip":
                img = downsample2d(img, self.down_filter)
        if self.architecture != "resnet":
            return self.conv1(self.conv0(x)), img
        y = self.skip(x, gain=math.sqrt(0.5))
        return y + self.conv1(self.conv0(x), gain=math.sqrt(0.5)), img


class Epilogue(nn.Module):
    """The last block, at 4 px: compare the batch, then one opinion (or `outputs` of them) for each picture."""

    def __init__(
        self,
        channels: int,
        outputs: int,
        img_channels: int | None,
        mbstd_group_size: int | None,
        mbstd_channels: int,
        conv_clamp: float | None = None,
        gain_in_weight: bool = False,
    ) -> None:
        super().__init__()
        self.group_size, self.mbstd_channels, self.has_fromrgb = (
            mbstd_group_size,
            mbstd_channels,
            img_channels is not None,
        )
        if img_channels is not None:
            self.fromrgb = Conv(img_channels, channels, 1)
        self.conv = Conv(channels + mbstd_channels, channels, 3, conv_clamp=conv_clamp, gain_in_weight=gain_in_weight)
        self.fc = Dense(channels * 16, channels, slope=0.2, gain=SQRT2, gain_in_weight=gain_in_weight)
        self.out = Dense(channels, outputs)

    def forward(self, x: Tensor, img: Tensor | None = None) -> Tensor:
        """[N, C, 4, 4] -> [N, outputs]."""
        x = x.to(self.conv.weight.dtype)
        if self.has_fromrgb:
            x = x + self.fromrgb(img)
        if self.mbstd_channels:
            x = minibatch_stddev(x, self.group_size, self.mbstd_channels)
        return self.out(self.fc(self.conv(x).flatten(1)))


class AnyDiscriminator(nn.Module):
    """What all discriminators share: `D(img [N, C, H, W] in [-1, 1], c) -> logits [N, 1]`."""

    family: ClassVar[str]

    config: dict[str, Any]
    img_resolution: int
    img_channels: int
    c_dim: int
    resolutions: list[int]  # from the picture's down to 4

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config, self.c_dim = config, config["c_dim"]
        self.img_resolution, self.img_channels = config["img_resolution"], config["img_channels"]
        self.resolutions = [4 << i for i in range(len(config["channels"]))][::-1]

    def layers(self) -> dict[str, nn.Module]:
        """Every layer by name, in the order of the computation."""
        return {
            f"b{r}.{name}": layer
            for r in self.resolutions
            for name, layer in self.get_submodule(f"b{r}").named_children()
            if name != "skip"
        }


class Discriminator(AnyDiscriminator):
    """The discriminator of StyleGAN2, 2-ADA and 3. `channels` gives the width at 4, 8, ... `img_resolution` px.

    `label`: "embed" projects onto the mapped class (2-ADA and 3), "per_class" has one logit for each class (TensorFlow StyleGAN2).
    `mbstd_group_size`: None compares the whole batch.
    """

    family = "stylegan2"

    def __init__(
        self,
        *,
        img_resolution: int,
        channels: Sequence[int],
        img_channels: int = 3,
        c_dim: int = 0,
        architecture: str = "resnet",
        cmap_dim: int | None = None,
        mapping_layers: int = 8,
        mapping_width: int | None = None,
        embed_dim: int | None = None,
        mapping_lr: float = 0.01,
        label: str = "embed",
        conv_clamp: float | None = None,
        mbstd_group_size: int | None = 4,
        mbstd_channels: int = 1,
        resample_filter: Sequence[float] = (1, 3, 3, 1),
    ) -> None:
        super().__init__(arguments(locals()))
        self.label = label
        down_filter = filter_taps(resample_filter)
        for i, r in enumerate(self.resolutions[:-1]):
            inputs, outputs = channels[-1 - i], channels[-2 - i]
            self.add_module(
                f"b{r}", Block(inputs, outputs, img_channels, architecture, i == 0, down_filter, conv_clamp)
            )
        mapped = bool(c_dim) and label == "embed"
        cmap_dim = (cmap_dim or channels[0]) if mapped else 0
        outputs = cmap_dim or (c_dim if c_dim else 1)
        self.b4 = Epilogue(
            channels[0],
            outputs,
            img_channels if architecture == "skip" else None,
            mbstd_group_size,
            mbstd_channels,
            conv_clamp,
        )
        if mapped:
            self.mapping = Mapping(
                0, c_dim, cmap_dim, None, mapping_layers, mapping_width, embed_dim, "embed", mapping_lr
            )

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        x = None
        for r in self.resolutions[:-1]:
            x, img = self.get_submodule(f"b{r}")(x, img)
        x = self.b4(x, img)
        if not self.c_dim:
            return x
        if self.label == "per_class":
            return (x * require_class(c, self.c_dim)).sum(dim=1, keepdim=True)
        cmap = self.mapping(None, c)  # [N, cmap_dim]
        return (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(cmap.shape[1])


class StyleGAN1Block(nn.Module):
    """The layers of one resolution in StyleGAN1's discriminator."""

    def __init__(self, inputs: int, outputs: int, img_channels: int | None, blur: Tensor, fused: bool) -> None:
        super().__init__()
        self.has_fromrgb = img_channels is not None
        if img_channels is not None:
            self.fromrgb = Conv(img_channels, inputs, 1, gain_in_weight=True)
        self.conv0 = Conv(inputs, inputs, 3, gain_in_weight=True)
        self.conv1 = BlurDown(inputs, outputs, blur, fused)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1(self.conv0(self.fromrgb(x) if self.has_fromrgb else x))


class StyleGAN1Discriminator(AnyDiscriminator):
    """The discriminator of StyleGAN1, as its last stage of growing left it. With classes it has one logit for each."""

    family = "stylegan1"

    def __init__(
        self,
        *,
        img_resolution: int,
        channels: Sequence[int],
        img_channels: int = 3,
        c_dim: int = 0,
        mbstd_group_size: int | None = 4,
        blur_filter: Sequence[float] = (1, 2, 1),
        fused_from: int = 128,
    ) -> None:
        super().__init__(arguments(locals()))
        blur = filter_taps(blur_filter)
        for i, r in enumerate(self.resolutions[:-1]):
            colours = img_channels if i == 0 else None
            self.add_module(f"b{r}", StyleGAN1Block(channels[-1 - i], channels[-2 - i], colours, blur, r >= fused_from))
        self.b4 = Epilogue(channels[0], c_dim or 1, None, mbstd_group_size, 1, gain_in_weight=True)

    def forward(self, img: Tensor, c: Tensor | None = None) -> Tensor:
        x = img
        for r in self.resolutions:
            x = self.get_submodule(f"b{r}")(x)
        return (x * require_class(c, self.c_dim)).sum(dim=1, keepdim=True) if self.c_dim else x
