"""Growing a trained model to twice its resolution: at first it draws and judges as before, and its new layers can learn at once."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from torch import nn

from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.models import AnyDiscriminator, Discriminator, Generator, StyleGAN2
from kinesphere.ops import SQRT2
from kinesphere.types import KinesphereError

N = TypeVar("N", bound=nn.Module)

NARROWEST = 16  # channels that `grow` gives a new block at least


def grow(checkpoint: Checkpoint, channels: int | None = None, seed: int = 0) -> Checkpoint:
    """All networks of a checkpoint at twice the resolution; the given ones stay as they are.

    `channels`: width of the new blocks; None is half of the last, at least 16. Without a G of its own the new one starts from
    G_ema. G and G_ema get the same fresh weights, so that their average means something. The card tells where it came from.
    Raises KinesphereError for what cannot be grown, see `grow_generator` and `grow_discriminator`.
    """
    G, D = checkpoint.G or checkpoint.G_ema, checkpoint.D
    networks: dict[str, Any] = {
        "G_ema": grow_generator(checkpoint.G_ema, channels or next_width(checkpoint.G_ema), seed),
        "G": grow_generator(G, channels or next_width(G), seed),
    }
    if D is not None:
        networks["D"] = grow_discriminator(D, channels or next_width(D), seed)
    old = checkpoint.card
    note = f"grown from {G.img_resolution} px to {2 * G.img_resolution} px"
    if old.sha256:
        note += f", from the file with SHA-256 {old.sha256}"
    return Checkpoint(card=Card.of(networks, old.origin, notes=(*old.notes, note)), **networks)


def next_width(network: Generator | AnyDiscriminator) -> int:
    """Channels for one more block: half as many as the last one's, at least 16."""
    return max(network.config["channels"][-1] // 2, NARROWEST)


def grow_generator(G: Generator, channels: int, seed: int = 0) -> StyleGAN2:
    """A StyleGAN2 of twice the resolution, whose picture is exactly `upsample2d` of G's until it learns.

    `channels`: width of the new block. The picture is a sum over resolutions, and the new block adds nothing yet: its ToRGB is
    zero, its convolutions are fresh from `seed`. `ws` gains two rows; all others keep their meaning (the last one, which
    coloured the picture, now also drives the new block's first convolution). Device and modes are G's.
    Raises KinesphereError for other families, and for the "orig" and "resnet" architectures, whose only ToRGB is on top.
    """
    check_width(channels)
    architecture = G.config.get("architecture", "")
    if not isinstance(G, StyleGAN2) or architecture != "skip":
        raise KinesphereError(
            f"a generator of {G.family} {architecture!r} cannot grow from {G.img_resolution} px: only stylegan2 'skip' sums its "
            f"picture over resolutions; train this one at {G.img_resolution} px, or a new one at {2 * G.img_resolution} px"
        )
    size = 2 * G.img_resolution
    grown, _ = rebuilt(G, seed, img_resolution=size, channels=[*G.config["channels"], channels])
    zero(grown.synthesis.get_submodule(f"b{size}.torgb"))
    return grown


def grow_discriminator(D: AnyDiscriminator, channels: int, seed: int = 0) -> Discriminator:
    """A discriminator of twice the resolution, with D_new(x, c) = D(downsample2d(x), c) until it learns.

    `channels`: width of the new block. The new block carries the colours through its own non-linearities and ends as the old
    `fromrgb` did, see `carry_colours`; its other channels are fresh from `seed` and are not read yet. So at the first step
    what reads them learns, and from the second on they do. Exact to float rounding everywhere, the border too. With `conv_clamp`
    and the "resnet" architecture it is exact while the old `fromrgb` stays below 0.7 `conv_clamp` (of 256: always).
    Raises KinesphereError for StyleGAN1 and for fewer channels than twice the colours.
    """
    check_width(channels)
    if not isinstance(D, Discriminator):
        raise KinesphereError(
            f"a discriminator of {D.family} cannot grow from {D.img_resolution} px: only stylegan2's can; "
            f"train this one at {D.img_resolution} px"
        )
    size, architecture = 2 * D.img_resolution, D.config["architecture"]
    if architecture != "skip" and channels < 2 * D.img_channels:
        raise KinesphereError(
            f"a new block of {channels} channels cannot carry {D.img_channels} colours: give {2 * D.img_channels} or more"
        )
    grown, _ = rebuilt(D, seed, img_resolution=size, channels=[*D.config["channels"], channels])
    block = grown.get_submodule(f"b{size}")
    if architecture == "skip":  # the block below has its own fromrgb, which sees the halved picture: add nothing to it
        zero(block.get_submodule("conv1"))
    else:
        carry_colours(block, D.get_submodule(f"b{D.img_resolution}.fromrgb"))
    return grown


@torch.no_grad()
def carry_colours(block: Any, old: Any) -> None:
    """Make the output of `block`, a discriminator's `Block`, that of `old`, the fromrgb of the one below, on the halved picture.

    A leaky ReLU of slope a loses nothing if it is given v and -v: lrelu(v) - lrelu(-v) = (1 + a) v. So fromrgb makes such pairs
    of the colours, conv0 reads v with its centre tap and makes pairs again, and conv1, which blurs before it halves,
    reads the blurred v with its centre tap and is `old`. The centre tap falls on the grid of `downsample2d`.
    """
    colours = old.weight.shape[1]
    pairs = 2 * colours
    eye = torch.eye(colours).to(old.weight)
    split = torch.cat([eye, -eye])  # [pairs, colours]
    join = split.t() / ((1 + old.slope) * SQRT2)  # [colours, pairs]: undoes the non-linearity and its gain
    # Where a clamp is low, the pairs are kept small enough to pass below it for any picture in [-8, 8].
    scale = 1.0 if old.conv_clamp is None else min(1.0, old.conv_clamp / (8 * SQRT2))
    residual = math.sqrt(0.5) if block.architecture == "resnet" else 1.0  # the gain of a residual branch

    block.fromrgb.weight[:pairs, :, 0, 0] = scale * split * equalised(block.fromrgb)
    block.conv0.weight[:pairs] = 0
    block.conv0.weight[:pairs, :pairs, 1, 1] = split @ join * equalised(block.conv0)
    used = old.weight[:, :, 0, 0] / equalised(old)  # [outputs, colours]
    block.conv1.weight.zero_()
    block.conv1.weight[:, :pairs, 1, 1] = used @ join / (scale * residual) * equalised(block.conv1)
    block.conv1.bias.copy_(old.bias / residual)
    if block.architecture == "resnet":
        block.skip.weight.zero_()


def equalised(layer: Any) -> float:
    """What divides a layer's stored weights when they are used (Karras et al. 2018, section 4.1)."""
    return math.sqrt(layer.weight[0].numel())


@torch.no_grad()
def zero(layer: Any) -> None:
    """Weight and bias to nothing; what modulates the layer stays."""
    layer.weight.zero_()
    layer.bias.zero_()


def check_width(channels: int) -> None:
    if channels < 1:
        raise KinesphereError(f"a new block cannot have {channels} channels: give 1 or more")


def rebuilt(network: N, seed: int = 0, **changes: Any) -> tuple[N, list[str]]:
    """The network with other constructor arguments, and the names of its fresh parameters.

    What has the same name and shape keeps its weights, copied; the rest is as constructed, from `seed`. Device and modes are
    those of `network`.
    """
    before: Any = network
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made: Any = type(network)(**{**before.config, **changes})
    old = network.state_dict()
    kept = {name: old[name] for name, new in made.state_dict().items() if name in old and old[name].shape == new.shape}
    made.load_state_dict(kept, strict=False)
    parameters = list(network.parameters())
    made.to(parameters[0].device).train(network.training).requires_grad_(any(p.requires_grad for p in parameters))
    return made, [name for name, _ in made.named_parameters() if name not in kept]
