"""The mapping network, which turns a Gaussian `z` into styles `w`, and the dense layer that it is made of."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.ops import SQRT2, normalize_2nd_moment
from kinesphere.types import KinesphereError


class Dense(nn.Module):
    """A linear layer at equalised learning rate (Karras et al. 2018, section 4.1): stored at unit scale, scaled when used.

    `lr` divides the stored weights and multiplies the used ones. `slope=1` is linear. `gain` is the activation's;
    with `gain_in_weight` it multiplies the weights alone and not the bias, as StyleGAN1 has it.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bias: float | None = 0.0,
        slope: float = 1.0,
        gain: float = 1.0,
        lr: float = 1.0,
        gain_in_weight: bool = False,
        init: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs).mul_(init / lr))
        self.bias = None if bias is None else nn.Parameter(torch.full([outputs], bias / lr))
        self.slope, self.lr = slope, lr
        self.weight_gain = lr / math.sqrt(inputs) * (gain if gain_in_weight else 1.0)
        self.act_gain = 1.0 if gain_in_weight else gain

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] -> [N, outputs]."""
        x = F.linear(x, *self.used())
        return x if self.slope == 1 else F.leaky_relu_(x, self.slope)

    def used(self) -> tuple[Tensor, Tensor | None]:
        """Weight [outputs, inputs] and bias [outputs], scaled."""
        bias = None if self.bias is None else self.bias * (self.lr * self.act_gain)
        return self.weight * (self.weight_gain * self.act_gain), bias


def require_class(c: Tensor | None, c_dim: int) -> Tensor:
    """The class vector [N, c_dim] of a conditional model; KinesphereError where it is missing or of another size."""
    if c is None or c.shape[-1] != c_dim:
        given = "none" if c is None else f"[N, {c.shape[-1]}]"
        raise KinesphereError(f"this model has {c_dim} classes: give c [N, {c_dim}], not {given}")
    return c.float()


class Mapping(nn.Module):
    """`z` (and a class `c`) to `w`, repeated for each of `num_ws` layers.

    Without `z_dim` it maps the class alone, as a conditional discriminator needs it; without `num_ws` it returns `w` [N, w_dim].
    `label`: "embed" normalises the embedded class by itself before joining it to `z` (2-ADA and 3);
    "concat" joins the class, embedded without bias, and normalises both together (StyleGAN1 and 2 in TensorFlow).
    """

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        layers: int,
        width: int | None = None,
        embed_dim: int | None = None,
        label: str = "embed",
        lr: float = 0.01,
        gain_in_weight: bool = False,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws, self.layers, self.label = (
            z_dim,
            c_dim,
            w_dim,
            num_ws,
            layers,
            label,
        )
        embedded = (embed_dim or (w_dim if label == "embed" else z_dim)) if c_dim else 0
        if c_dim:
            self.embed = Dense(c_dim, embedded, bias=0.0 if label == "embed" else None)
            if label == "concat":
                self.embed.weight_gain = 1.0
        widths = [z_dim + embedded] + [width or w_dim] * (layers - 1) + [w_dim]
        for i in range(layers):
            dense = Dense(widths[i], widths[i + 1], 0.0, slope=0.2, gain=SQRT2, lr=lr, gain_in_weight=gain_in_weight)
            self.add_module(f"fc{i}", dense)
        if num_ws is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """[N, z_dim], [N, c_dim] -> [N, num_ws, w_dim].

        `truncation_psi` pulls the first `truncation_cutoff` rows (None: all) towards `w_avg`: 1 leaves them, 0 is `w_avg`,
        negative goes through to the other side. Raises KinesphereError when a conditional model is given no class.
        """
        parts = [] if z is None else [z.float()]
        if self.c_dim:
            parts.append(self.embed(require_class(c, self.c_dim)))
        if self.label == "embed":
            parts = [normalize_2nd_moment(x) for x in parts]
        x = torch.cat(parts, dim=1)
        if self.label == "concat":
            x = normalize_2nd_moment(x)
        for i in range(self.layers):
            x = self.get_submodule(f"fc{i}")(x)
        if self.num_ws is None:
            return x
        ws = x[:, None].repeat(1, self.num_ws, 1)  # [N, num_ws, w_dim]
        if truncation_psi != 1:
            pulled = self.w_avg + truncation_psi * (ws[:, :truncation_cutoff] - self.w_avg)
            ws = pulled if truncation_cutoff is None else torch.cat([pulled, ws[:, truncation_cutoff:]], dim=1)
        return ws
