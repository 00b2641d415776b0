"""How far apart two pictures are, as far as it matters to who looks at them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.checkpoints import torchfile
from kinesphere.features.networks import VGG16, Discriminator
from kinesphere.types import KinesphereError

SCALES = 4  # the picture, a half, a quarter, an eighth of it
SIDE, SMALLEST = 256, 16  # pixels: VGG16 is shown larger pictures shrunk to this side, and sees nothing in smaller ones
HEARD = {
    "conv1_2": 64,
    "conv2_2": 128,
    "conv3_3": 256,
    "conv4_3": 512,
    "conv5_3": 512,
}  # after their ReLU; their channels
HEADS = tuple(f"lin{i}.model.1.weight" for i in range(len(HEARD)))  # as the published file calls them
GET_HEADS = "give the path of LPIPS's vgg.pth of version 0.1 (7 kB; in the package lpips it is weights/v0.1/vgg.pth)"

Distance = Callable[[Tensor, Tensor], Tensor]
"""From [N, C, H, W] twice, in [-1, 1], to [N]. The second pictures are the goal: no gradient goes through them."""


def distance(a: Tensor, b: Tensor) -> Tensor:
    """[N, C, H, W] twice, in [-1, 1] -> [N]: pixels and their differences to the neighbours, at several sizes, without any weights.

    At each size the mean absolute difference of the pixels, and of the steps from each to the one to its right and the one below:
    the former for shape and colour, the latter for edges, which the eye sees and a mean square blurs.
    """
    total = a.new_zeros(len(a))
    for scale in range(SCALES):
        total = total + (a - b).abs().mean((1, 2, 3))
        for axis in (2, 3):
            total = total + (a.diff(dim=axis) - b.diff(dim=axis)).abs().mean((1, 2, 3))
        if scale + 1 < SCALES:
            if min(a.shape[2:]) < 4:
                break
            a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return total


def judged(checkpoint: Any) -> Distance:
    """How far apart two pictures are to the discriminator of a checkpoint, which has learnt what is to be seen in such pictures.

    The mean absolute difference of each layer's activations, over their mean size for the goal, summed over the layers that are
    maps of the picture (feature matching: Salimans et al. 2016; Wang et al. 2018). Raises KinesphereError where there is none.
    """
    eye = Discriminator(checkpoint=checkpoint)
    names = [name for name in eye.layers() if not name.startswith("b4.")]  # which compares the pictures of a batch

    def distance(a: Tensor, b: Tensor) -> Tensor:
        with torch.no_grad():
            goal = eye(b / 2 + 0.5, names)
        seen = eye(a / 2 + 0.5, names)
        parts = [
            (seen[name] - goal[name]).abs().mean((1, 2, 3)) / goal[name].abs().mean().clamp_min(1e-8) for name in names
        ]
        return torch.stack(parts).sum(0)

    return distance


def vgg(weights: str | Path) -> Distance:
    """How far apart two pictures are to VGG16 (Simonyan and Zisserman 2015): `lpips` where every channel counts alike.

    `weights`: what the network `vgg16` takes, the path of torchvision's state dict. At each place of five layers it is twice one
    minus the cosine between the channels of the two. Raises KinesphereError where the file holds no VGG16.
    """
    return _compared(VGG16(str(weights)), [torch.ones(1, channels, 1, 1) for channels in HEARD.values()])


def lpips(weights: str | Path, heads: str | Path) -> Distance:
    """LPIPS, what people said of how far apart pictures are (Zhang et al. 2018, version 0.1, VGG16).

    `weights`: as of `vgg`. `heads`: the path of the published vgg.pth (or the same as .safetensors), what each channel counts.
    Pictures of more than 256 pixels are averaged down to them. Grey is repeated, alpha left out. The goal may be one picture for
    all. Raises KinesphereError for a file that holds something else, and, asked, for pictures of less than 16 pixels.
    """
    return _compared(VGG16(str(weights)), read_heads(heads))


def _compared(network: VGG16, heads: list[Tensor]) -> Distance:
    def distance(a: Tensor, b: Tensor) -> Tensor:
        if a.shape[1:] != b.shape[1:] or len(b) not in (1, len(a)):
            raise KinesphereError(
                f"pictures {list(a.shape)} and {list(b.shape)} cannot be compared: make them one size"
            )
        with torch.no_grad():
            goal = network(_shown(b), tuple(HEARD))
        seen = network(_shown(a), tuple(HEARD))
        total = a.new_zeros(len(a))
        for name, head in zip(HEARD, heads, strict=True):
            apart = (_unit(seen[name]) - _unit(goal[name])).square()
            total = total + F.conv2d(apart, head.to(apart)).mean((1, 2, 3)).to(total)  # Zhang et al. 2018, eq. 1
        return total

    return distance


def _shown(pictures: Tensor) -> Tensor:
    """[N, C, H, W] in [-1, 1] -> [N, 3, h, w] in [0, 1], no side above SIDE. Its mean and deviation of ImageNet are LPIPS's own."""
    channels, longest = pictures.shape[1], max(pictures.shape[2:])
    if channels not in (1, 3, 4):
        raise KinesphereError(f"pictures of {channels} channels: VGG16 sees grey (1), RGB (3) and RGBA (4)")
    pictures = pictures.expand(-1, 3, -1, -1) if channels == 1 else pictures[:, :3]
    sides = [max(round(side * min(SIDE / longest, 1)), 1) for side in pictures.shape[2:]]
    if min(sides) < SMALLEST:
        raise KinesphereError(f"VGG16 sees nothing in {sides[1]} x {sides[0]} pixels: give at least {SMALLEST} a side")
    if longest > SIDE:
        pictures = F.interpolate(pictures, sides, mode="area")
    return pictures / 2 + 0.5


def _unit(x: Tensor) -> Tensor:
    """[N, C, h, w], the channels of each place brought to length 1; nothing stays nothing, with no gradient."""
    return x / (x.square().sum(1, keepdim=True).clamp_min(1e-20).sqrt() + 1e-10)


def read_heads(path: str | Path) -> list[Tensor]:
    """What each channel of the five layers counts: [1, C, 1, 1] each, not below 0. Nothing in the file is executed.

    Raises KinesphereError, with the way out, where the file holds something else.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise KinesphereError(f"heads '{path}': there is no such file; {GET_HEADS}")
    try:
        with checkpoints.opened(file) as (_, data):
            state = _safetensors(file) if file.suffix == ".safetensors" else torchfile.read(data).value
    except checkpoints.BadCheckpoint as error:
        raise KinesphereError(f"heads {error}; {GET_HEADS}") from None
    heads = []
    for name, channels in zip(HEADS, HEARD.values(), strict=True):
        head = state.get(name) if isinstance(state, dict) else None
        if not isinstance(head, Tensor | torchfile.TensorRef):
            raise KinesphereError(f"heads '{path}': there is no {name!r} in this file; {GET_HEADS}")
        if tuple(head.shape) != (1, channels, 1, 1):
            raise KinesphereError(
                f"heads '{path}': {name!r} is {list(head.shape)}, VGG16's is {[1, channels, 1, 1]} (there are files for other "
                f"networks); {GET_HEADS}"
            )
        head = head.read() if isinstance(head, torchfile.TensorRef) else head.float()
        if not bool((head >= 0).all()) or bool(head.isinf().any()):
            raise KinesphereError(f"heads '{path}': {name!r} holds numbers below 0 or none at all; {GET_HEADS}")
        heads.append(head)
    return heads


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise checkpoints.BadCheckpoint(f"it cannot be read ({str(error)[:200]})") from None


def crops(
    base: Distance,
    size: int = 256,
    count: int = 2,
    weight: float = 0.5,
    seed: int = 0,
    step: int = 0,
    largest: int | None = None,
) -> Distance:
    """`base` of the whole pictures, and `weight` times its mean over `count` squares of `size` pixels cut out of them as they are.

    So a network that is shown 256 pixels sees the detail of larger pictures, too. Both are cut alike, all of a batch alike; where,
    follows from `seed` and `step` alone, so that a run repeats: make it anew with each step. With `largest`, squares are of any
    side up to that, every octave as often, and averaged down to `size`. Of pictures that are no larger than `size` there is
    nothing to cut, and `base` remains. Raises KinesphereError for a size or count below 1, a weight below 0, a largest below size.
    """
    largest = size if largest is None else largest
    if size < 1 or count < 1 or not weight >= 0 or largest < size:
        raise KinesphereError(
            f"{count} crops of {size} pixels, weight {weight:g}, up to {largest}: give at least 1, 1, 0 and {size}"
        )

    def distance(a: Tensor, b: Tensor) -> Tensor:
        total = base(a, b)
        height, width = a.shape[2:]
        if max(height, width) <= size:
            return total
        dice = torch.Generator().manual_seed(seed * 1_000_003 + step)
        for _ in range(count):
            side = round(size * (largest / size) ** float(torch.rand((), generator=dice)))
            top, left = (int(torch.randint(max(whole - side, 0) + 1, (), generator=dice)) for whole in (height, width))
            cut = slice(None), slice(None), slice(top, top + side), slice(left, left + side)
            total = total + weight / count * base(_down(a[cut], size), _down(b[cut], size))
        return total

    return distance


def _down(pictures: Tensor, size: int) -> Tensor:
    """[N, C, H, W], averaged until no side is above `size`."""
    sides = [min(side, size) for side in pictures.shape[2:]]
    return pictures if sides == list(pictures.shape[2:]) else F.interpolate(pictures, sides, mode="area")


def masked(base: Distance, mask: Tensor) -> Distance:
    """`base` where `mask` [1, 1, H, W] is 1, nothing where it is 0, and in between by that share.

    Before they are compared, the goal's own pixels are laid into the hole: what lies there has no part in the distance, and its
    gradient is exactly 0. The distance stays a mean over the whole picture. With crops it is masked(crops(...), mask).
    Raises KinesphereError for a mask of another kind and, asked, for pictures of another size.
    """
    if mask.ndim != 4 or mask.shape[:2] != (1, 1) or not bool(((mask >= 0) & (mask <= 1)).all()):
        raise KinesphereError(f"a mask {list(mask.shape)} is none: needed is [1, 1, height, width], from 0 to 1")

    def distance(a: Tensor, b: Tensor) -> Tensor:
        if a.shape[2:] != mask.shape[2:]:
            raise KinesphereError(
                f"a mask {list(mask.shape)} does not fit pictures {list(a.shape)}: give it their height and width"
            )
        b, m = b.detach(), mask.to(a)
        return base(filled(a, b, m), b)

    return distance


def filled(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """`a` where `mask` is 1, `b` where it is 0: there no gradient goes to `a`, whatever it holds."""
    return torch.where(mask > 0, mask * a + (1 - mask) * b, b)
