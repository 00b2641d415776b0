"""Makes the built-in model `abstract`: a StyleGAN2 that was never trained. Run: python -m kinesphere.builtin.make_abstract OUT

Random weights alone give grey fog, so each layer is set by what it does to a few seeded latents, from the first to the last:
its kernels lean on their centre (so that contours stay sharp while the picture grows), its bias centres what it sees, its noise
is a share of its spread, and ToRGB gives every resolution its share of the colours.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere import checkpoints, latent
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.models import StyleGAN2
from kinesphere.models.generator import layer_noise
from kinesphere.models.stylegan2 import SynthesisLayer, ToRGB
from kinesphere.ops import modulated_conv2d

SEED = 0
RIM = 0.1  # weight of a kernel's rim against its centre
BIAS = 0.5  # spread of the biases, as a share of the layer's own
NOISE = (0.0, 0.3, 0.2, 0.05, 0.0, 0.0, 0.0)  # 4 to 256 px, as a share of the layer's own
COLOURS = (0.0, 0.1, 0.3, 0.6, 1.0, 1.0, 1.0)
CONTRAST = 0.5  # spread of the finished pictures, which reach from -1 to 1


def build() -> StyleGAN2:
    """The model; the same everywhere, because every number is drawn by NumPy."""
    G = StyleGAN2(
        img_resolution=256, channels=[128, 128, 128, 128, 64, 32, 16], z_dim=256, w_dim=256, mapping_layers=4
    ).requires_grad_(False)
    rng = np.random.RandomState(SEED)
    for name, p in [*G.named_parameters(), *G.named_buffers()]:
        if name.endswith(("weight", "const")):
            p.copy_(gaussian(rng, p) / (0.01 if ".fc" in name else 1.0))
    ws = G.mapping(latent.seeds_to_z(range(1000, 5000), G.z_dim))
    G.mapping.w_avg.copy_(ws[:, 0].mean(0))
    hooks = []
    for i, block in enumerate(G.synthesis.blocks()):
        for layer in block.children():
            if isinstance(layer, SynthesisLayer):
                spread = gaussian(rng, layer.bias) * BIAS
                hooks.append(layer.register_forward_pre_hook(settle(spread, NOISE[i], lean=i > 0)))
        hooks.append(block.torgb.register_forward_pre_hook(colour(COLOURS[i])))
    G.synthesis(ws[:16])
    for hook in hooks:
        hook.remove()
    gain = CONTRAST / G.synthesis(ws[16:48]).std()
    for block in G.synthesis.blocks():
        block.torgb.weight.mul_(gain)
        block.torgb.bias.mul_(gain)
    return G.eval()


def gaussian(rng: np.random.RandomState, like: Tensor) -> Tensor:
    return torch.as_tensor(rng.randn(*like.shape), dtype=torch.float32)


def settle(spread: Tensor, noise: float, lean: bool) -> Any:
    """Before a layer is first used: lean its kernels, set its noise, and centre it by what it is about to see."""

    def hook(layer: SynthesisLayer, args: tuple[Tensor, Tensor, str]) -> None:
        x, w = args[:2]
        if lean:
            centre = layer.weight[:, :, 1, 1].clone()
            layer.weight.mul_(RIM)
            layer.weight[:, :, 1, 1] = centre
        y = modulated_conv2d(x, layer.weight, layer.affine(w), up_filter=layer.up_filter, padding=1)
        sigma = y.std(dim=[0, 2, 3])
        layer.noise_strength.fill_(noise * sigma.mean())
        y = y + layer_noise(y, "const", layer.noise_const, layer.noise_strength)
        layer.bias.copy_(spread * sigma - y.mean(dim=[0, 2, 3]))

    return hook


def colour(share: float) -> Any:
    """Before a ToRGB is first used: give it its share of the colours, centred on grey."""

    def hook(layer: ToRGB, args: tuple[Tensor, Tensor]) -> None:
        layer.weight.mul_(share / ToRGB.forward(layer, *args).std())
        layer.bias.copy_(-ToRGB.forward(layer, *args).mean(dim=[0, 2, 3]))

    return hook


def main(out: str) -> None:
    with torch.no_grad():
        G = build()
    card = Card(
        family=G.family,
        img_resolution=G.img_resolution,
        z_dim=G.z_dim,
        w_dim=G.w_dim,
        c_dim=G.c_dim,
        num_ws=G.num_ws,
        img_channels=G.img_channels,
        origin="built in: seeded random weights, never trained (kinesphere.builtin.make_abstract)",
        parameters=sum(p.numel() for p in G.parameters()),
        networks=("G_ema",),
    )
    checkpoints.save(Checkpoint(G_ema=G, card=card), out, torch.float16)


if __name__ == "__main__":
    main(sys.argv[1])
