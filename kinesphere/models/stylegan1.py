"""StyleGAN1 (Karras et al. 2019): styles scale and shift normalised feature maps (AdaIN) after every convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.models.generator import Generator, arguments, check_noise_mode, layer_noise
from kinesphere.models.mapping import Dense, Mapping
from kinesphere.ops import SQRT2, bias_act, colour_dtype, filter_taps, upfirdn2d


def box_kernel(weight: Tensor) -> Tensor:
    """The sum of the four one-pixel shifts of a kernel [O, I, 3, 3]: [O, I, 4, 4]. A convolution and a 2x2 box in one."""
    w = F.pad(weight, [1, 1, 1, 1])
    return w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]


class Layer(nn.Module):
    """Convolution (none for the learned constant), blur after doubling, noise, bias, leaky ReLU, instance norm, style."""

    noise_const: Tensor
    blur: Tensor | None

    def __init__(
        self,
        inputs: int | None,
        outputs: int,
        w_dim: int,
        resolution: int,
        up: bool,
        fused: bool,
        blur: Tensor | None,
        use_noise: bool,
    ) -> None:
        super().__init__()
        self.weight = None if inputs is None else nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = Dense(w_dim, 2 * outputs)
        self.up, self.fused, self.use_noise = up, fused, use_noise
        self.register_buffer("blur", blur, persistent=False)
        if use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros(outputs))

    def kernel(self) -> Tensor:
        """The weights that are multiplied with: scaled, and with the box of the doubling in them where that is fused."""
        assert self.weight is not None
        weight = self.weight * (SQRT2 / math.sqrt(self.weight[0].numel()))
        return box_kernel(weight).transpose(0, 1) if self.up and self.fused else weight

    def convolve(self, x: Tensor) -> Tensor:
        """[N, I, H, W] -> [N, O, H, W], or twice the size and blurred."""
        weight = self.kernel()
        x = x.to(weight.dtype)
        if not self.up:
            return F.conv2d(x, weight, padding=1)
        if self.fused:
            x = F.conv_transpose2d(x, weight, stride=2, padding=1)
        else:
            x = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, padding=1)
        return x if self.blur is None else upfirdn2d(x, self.blur, padding=[self.blur.shape[0] // 2] * 4)

    def forward(self, x: Tensor, w: Tensor, noise_mode: str = "const") -> Tensor:
        if self.weight is not None:
            x = self.convolve(x)
        if self.use_noise and noise_mode != "none":
            x = x + layer_noise(x, noise_mode, self.noise_const, self.noise_strength)
        x = bias_act(x, self.bias, gain=1.0)
        x = F.instance_norm(x, eps=1e-8)
        scale, shift = self.affine(w)[:, :, None, None].chunk(2, dim=1)
        return x * (scale + 1) + shift


class Colours(nn.Module):
    """Plain 1x1 convolution to colours."""

    def __init__(self, inputs: int, img_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(img_channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(colour_dtype(x.dtype))
        return F.conv2d(x, self.weight.to(x) / math.sqrt(self.weight.shape[1]), self.bias.to(x))


class Block(nn.Module):
    """The two layers of one resolution; the first of all begins with the learned constant."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        fused: bool,
        blur: Tensor,
        use_noise: bool,
        img_channels: int | None,
    ) -> None:
        super().__init__()
        first = resolution == 4
        if first:
            self.const = nn.Parameter(torch.ones(outputs, 4, 4))
        self.conv0 = Layer(None if first else inputs, outputs, w_dim, resolution, not first, fused, blur, use_noise)
        self.conv1 = Layer(outputs, outputs, w_dim, resolution, False, False, None, use_noise)
        if img_channels is not None:
            self.torgb = Colours(outputs, img_channels)

    def forward(self, x: Tensor | None, w0: Tensor, w1: Tensor, noise_mode: str) -> Tensor:
        if x is None:
            x = self.const.expand(w0.shape[0], *self.const.shape)
        return self.conv1(self.conv0(x, w0, noise_mode), w1, noise_mode)


class Synthesis(nn.Module):
    """`ws` [N, num_ws, w_dim] to pictures. Two rows and one block for each resolution."""

    def __init__(
        self,
        channels: Sequence[int],
        w_dim: int,
        img_channels: int,
        use_noise: bool,
        blur_filter: Sequence[float],
        fused_from: int,
    ) -> None:
        super().__init__()
        self.resolutions = [4 << i for i in range(len(channels))]
        blur = filter_taps(blur_filter)
        for i, r in enumerate(self.resolutions):
            colours = img_channels if r == self.resolutions[-1] else None
            block = Block(channels[max(i - 1, 0)], channels[i], w_dim, r, r >= fused_from, blur, use_noise, colours)
            self.add_module(f"b{r}", block)

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        """`noise_mode`: "const" (the stored maps), "random" (fresh, from torch's generator) or "none"."""
        check_noise_mode(noise_mode)
        x = None
        for i, r in enumerate(self.resolutions):
            x = self.get_submodule(f"b{r}")(x, ws[:, 2 * i], ws[:, 2 * i + 1], noise_mode)
        return self.get_submodule(f"b{self.resolutions[-1]}.torgb")(x).float()


class StyleGAN1(Generator):
    """The generator of StyleGAN1, as its last stage of growing left it (full resolution only).

    From `fused_from` px on, doubling and convolution are one transposed convolution, which is another function than
    doubling first: the switch belongs to the weights. `blur_filter`: taps of the blur after doubling.
    """

    family = "stylegan1"
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
        mapping_layers: int = 8,
        mapping_width: int | None = None,
        embed_dim: int | None = None,
        label: str = "concat",
        mapping_lr: float = 0.01,
        use_noise: bool = True,
        blur_filter: Sequence[float] = (1, 2, 1),
        fused_from: int = 128,
    ) -> None:
        super().__init__(arguments(locals()), num_ws=2 * len(channels))
        self.mapping = Mapping(
            z_dim,
            c_dim,
            w_dim,
            self.num_ws,
            mapping_layers,
            mapping_width,
            embed_dim,
            label,
            mapping_lr,
            gain_in_weight=True,
        )
        self.synthesis = Synthesis(channels, w_dim, img_channels, use_noise, blur_filter, fused_from)

    def row_resolutions(self) -> list[float | None]:
        return [4.0 * 2**i for i in range(self.num_ws // 2) for _ in range(2)]

    def layers(self) -> dict[str, nn.Module]:
        return {
            f"b{r}.{name}": layer
            for r in self.synthesis.resolutions
            for name, layer in self.synthesis.get_submodule(f"b{r}").named_children()
        }
