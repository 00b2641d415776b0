"""InceptionV3 as published FIDs use it: 2048 numbers for a picture, from weights that the user has.

Szegedy et al. (2016), "Rethinking the Inception Architecture", in the form that Google released in December 2015 and that
Heusel et al. (2017) chose. It differs from the later one in three facts: 1008 classes (unused here), average pooling that does
not count the border, and a maximum in place of the average in the last block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.checkpoints import torchfile
from kinesphere.types import KinesphereError

SIDE = 299  # pixels
DEPTH = 2048
BN_EPSILON = 1e-3
GET_INCEPTION = (
    "give the path of pt_inception-2015-12-05-6726825d.pth (the state dict that pytorch-fid publishes among its releases on "
    "GitHub, 95 MB), or the same as .safetensors; a TorchScript file is a program, and is not run"
)

Shape = tuple[int, int, int, int]  # of a weight: [O, I, kh, kw]


def block_a(x: int, pool: int) -> dict[str, Shape]:
    """35x35: 1x1, 5x5, two 3x3 in a row, pooling; x channels in, 224 + pool out."""
    return {
        "branch1x1": (64, x, 1, 1),
        "branch5x5_1": (48, x, 1, 1),
        "branch5x5_2": (64, 48, 5, 5),
        "branch3x3dbl_1": (64, x, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
        "branch_pool": (pool, x, 1, 1),
    }


def block_c(c: int) -> dict[str, Shape]:
    """17x17: 1x1, a 7x7 as two strips, two 7x7 as four strips, pooling; 768 channels in and out, c between the strips."""
    return {
        "branch1x1": (192, 768, 1, 1),
        "branch7x7_1": (c, 768, 1, 1),
        "branch7x7_2": (c, c, 1, 7),
        "branch7x7_3": (192, c, 7, 1),
        "branch7x7dbl_1": (c, 768, 1, 1),
        "branch7x7dbl_2": (c, c, 7, 1),
        "branch7x7dbl_3": (c, c, 1, 7),
        "branch7x7dbl_4": (c, c, 7, 1),
        "branch7x7dbl_5": (192, c, 1, 7),
        "branch_pool": (192, 768, 1, 1),
    }


def block_e(x: int) -> dict[str, Shape]:
    """8x8: 1x1, a 3x3 as two strips side by side, the same after another 3x3, pooling; x channels in, 2048 out."""
    return {
        "branch1x1": (320, x, 1, 1),
        "branch3x3_1": (384, x, 1, 1),
        "branch3x3_2a": (384, 384, 1, 3),
        "branch3x3_2b": (384, 384, 3, 1),
        "branch3x3dbl_1": (448, x, 1, 1),
        "branch3x3dbl_2": (384, 448, 3, 3),
        "branch3x3dbl_3a": (384, 384, 1, 3),
        "branch3x3dbl_3b": (384, 384, 3, 1),
        "branch_pool": (192, x, 1, 1),
    }


STEM: dict[str, Shape] = {
    "Conv2d_1a_3x3": (32, 3, 3, 3),
    "Conv2d_2a_3x3": (32, 32, 3, 3),
    "Conv2d_2b_3x3": (64, 32, 3, 3),
    "Conv2d_3b_1x1": (80, 64, 1, 1),
    "Conv2d_4a_3x3": (192, 80, 3, 3),
}
BLOCKS: dict[str, dict[str, Shape]] = {  # torchvision's names
    "Mixed_5b": block_a(192, 32),
    "Mixed_5c": block_a(256, 64),
    "Mixed_5d": block_a(288, 64),
    "Mixed_6a": {
        "branch3x3": (384, 288, 3, 3),
        "branch3x3dbl_1": (64, 288, 1, 1),
        "branch3x3dbl_2": (96, 64, 3, 3),
        "branch3x3dbl_3": (96, 96, 3, 3),
    },
    "Mixed_6b": block_c(128),
    "Mixed_6c": block_c(160),
    "Mixed_6d": block_c(160),
    "Mixed_6e": block_c(192),
    "Mixed_7a": {
        "branch3x3_1": (192, 768, 1, 1),
        "branch3x3_2": (320, 192, 3, 3),
        "branch7x7x3_1": (192, 768, 1, 1),
        "branch7x7x3_2": (192, 192, 1, 7),
        "branch7x7x3_3": (192, 192, 7, 1),
        "branch7x7x3_4": (192, 192, 3, 3),
    },
    "Mixed_7b": block_e(1280),
    "Mixed_7c": block_e(2048),
}
NARROWING = {  # convolutions of stride 2; like the stem's 1a, 2a and 4a they have no border
    "Conv2d_1a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
}
BORDERLESS = NARROWING | {"Conv2d_2a_3x3", "Conv2d_4a_3x3"}


def convolutions() -> Iterator[tuple[str, Shape]]:
    """Every convolution in the order of the computation, with the shape of its weight."""
    yield from STEM.items()
    for block, parts in BLOCKS.items():
        for part, shape in parts.items():
            yield f"{block}.{part}", shape


def parameters() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor that the network reads, by torchvision's name: convolutions have no bias, batch normalisations four vectors."""
    for name, shape in convolutions():
        yield f"{name}.conv.weight", shape
        for vector in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.bn.{vector}", shape[:1]


class Inception:
    """Pictures to the 2048 means of the last block. It runs on the machine's accelerator where there is one.

    `weights`: the path of a state dict with torchvision's names, .pth (read without executing anything in it) or .safetensors.
    Raises KinesphereError, with what to do, where it is missing, damaged, or another network's.
    """

    name = "inception"

    def __init__(self, weights: str | Path) -> None:
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self._device = accelerator or torch.device("cpu")
        self._kernels = {name: folded(name, part) for name, part in _grouped(read_weights(weights)).items()}
        self._kernels = {n: (w.to(self._device), b.to(self._device)) for n, (w, b) in self._kernels.items()}

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> np.ndarray:
        """uint8 RGB [N, 3, H, W] -> float32 [N, 2048]."""
        x = pictures.to(self._device).float() / 127.5 - 1
        x = F.interpolate(x, [SIDE, SIDE], mode="bilinear", align_corners=False)
        return self.maps(x).mean(dim=(2, 3)).cpu().numpy()

    def maps(self, x: Tensor) -> Tensor:
        """[N, 3, 299, 299] in [-1, 1] -> the last block, [N, 2048, 8, 8]."""
        x = self._stem(x)
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._a(block, x)
        x = self._narrow("Mixed_6a", x, ["branch3x3"], ["branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"])
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._c(block, x)
        strips = [f"branch7x7x3_{i}" for i in (1, 2, 3, 4)]
        x = self._narrow("Mixed_7a", x, ["branch3x3_1", "branch3x3_2"], strips)
        x = self._e("Mixed_7b", x, average(x))
        return self._e("Mixed_7c", x, F.max_pool2d(x, 3, stride=1, padding=1))

    def _conv(self, name: str, x: Tensor) -> Tensor:
        """Convolution, batch normalisation and ReLU."""
        weight, bias = self._kernels[name]
        border = [0, 0] if name in BORDERLESS else [side // 2 for side in weight.shape[2:]]
        return F.conv2d(x, weight, bias, stride=2 if name in NARROWING else 1, padding=border).relu()

    def _row(self, block: str, x: Tensor, *parts: str) -> Tensor:
        for part in parts:
            x = self._conv(f"{block}.{part}", x)
        return x

    def _stem(self, x: Tensor) -> Tensor:
        """[N, 3, 299, 299] -> [N, 192, 35, 35]."""
        for name in STEM:
            x = self._conv(name, x)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = F.max_pool2d(x, 3, stride=2)
        return x

    def _a(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._row(block, x, "branch1x1"),
                self._row(block, x, "branch5x5_1", "branch5x5_2"),
                self._row(block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
                self._row(block, average(x), "branch_pool"),
            ],
            dim=1,
        )

    def _narrow(self, block: str, x: Tensor, short: list[str], long: list[str]) -> Tensor:
        pooled = F.max_pool2d(x, 3, stride=2)
        return torch.cat([self._row(block, x, *short), self._row(block, x, *long), pooled], dim=1)

    def _c(self, block: str, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self._row(block, x, "branch1x1"),
                self._row(block, x, *(f"branch7x7_{i}" for i in (1, 2, 3))),
                self._row(block, x, *(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))),
                self._row(block, average(x), "branch_pool"),
            ],
            dim=1,
        )

    def _e(self, block: str, x: Tensor, pooled: Tensor) -> Tensor:
        narrow = self._row(block, x, "branch3x3_1")
        wide = self._row(block, x, "branch3x3dbl_1", "branch3x3dbl_2")
        return torch.cat(
            [
                self._row(block, x, "branch1x1"),
                *(self._row(block, narrow, f"branch3x3_2{side}") for side in "ab"),
                *(self._row(block, wide, f"branch3x3dbl_3{side}") for side in "ab"),
                self._row(block, pooled, "branch_pool"),
            ],
            dim=1,
        )


def average(x: Tensor) -> Tensor:
    """The mean of each 3x3 neighbourhood, of those pixels only that are there."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def folded(name: str, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias with its batch normalisation taken in, computed in float64."""
    t = {key: tensor.double() for key, tensor in tensors.items()}
    gain = t["bn.weight"] * (t["bn.running_var"] + BN_EPSILON).rsqrt()
    bias = t["bn.bias"] - gain * t["bn.running_mean"]
    return (t["conv.weight"] * gain[:, None, None, None]).float(), bias.float()


def _grouped(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """By convolution: {"Mixed_5b.branch1x1": {"conv.weight": ..., "bn.weight": ...}}."""
    groups: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        name, kind, what = key.rsplit(".", 2)
        groups.setdefault(name, {})[f"{kind}.{what}"] = tensor
    return groups


def read_weights(weights: str | Path) -> dict[str, Tensor]:
    """The tensors that the network needs, float32, from a file in which more may be (its classifier)."""
    state = _state(weights)
    wrong = []
    for name, shape in parameters():
        if name not in state:
            wrong.append(f"{name!r} is missing")
        elif tuple(state[name].shape) != shape:
            wrong.append(f"{name!r} is {list(state[name].shape)} instead of {list(shape)}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise KinesphereError(
            f"weights '{weights}' are not InceptionV3's: {', '.join(wrong[:3])}{more}; {GET_INCEPTION}"
        )
    return {name: _read(state[name]) for name, _ in parameters()}


def _read(tensor: Tensor | torchfile.TensorRef) -> Tensor:
    return tensor.read() if isinstance(tensor, torchfile.TensorRef) else tensor.float()


def _state(weights: str | Path) -> Mapping[str, Tensor | torchfile.TensorRef]:
    """Whatever tensors are in the file by name; nothing is executed, and a .pth's are not read yet."""
    path = Path(weights).expanduser()
    if not path.is_file():
        raise KinesphereError(f"weights '{weights}': there is no such file; {GET_INCEPTION}")
    try:
        with checkpoints.opened(path) as (path, data):
            if path.suffix == ".safetensors":
                from safetensors.torch import load_file

                return load_file(path)
            state = torchfile.read(data).value
    except checkpoints.BadCheckpoint as error:
        raise KinesphereError(f"weights {error}; {GET_INCEPTION}") from None
    if not isinstance(state, dict):
        raise KinesphereError(f"weights '{weights}' hold no state dict (names and tensors); {GET_INCEPTION}")
    return {str(name): tensor for name, tensor in state.items() if isinstance(tensor, torchfile.TensorRef)}
