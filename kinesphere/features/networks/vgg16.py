"""VGG16, the eye that the paper had."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from kinesphere.features.pretrained import random_weights
from kinesphere.ops import fast_dtype
from kinesphere.types import KinesphereError

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
VGG16_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
VGG16_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # configuration D of the paper
GET_VGG16 = (
    f'give the path of torchvision\'s vgg16-397923af.pth (or the same as .safetensors), or "download" to fetch it from '
    f'{VGG16_URL} (528 MB), or "random:0" for weights that were never trained'
)


def vgg16_stages() -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Every layer in the order of the computation: our name, torchvision's and the weight's shape (these empty for a pooling)."""
    stages: list[tuple[str, str, tuple[int, ...]]] = []
    inputs, index = 3, 0
    for block, widths in enumerate(VGG16_WIDTHS, 1):
        for i, outputs in enumerate(widths, 1):
            stages.append((f"conv{block}_{i}", f"features.{index}", (outputs, inputs, 3, 3)))
            inputs, index = outputs, index + 2  # a ReLU has an index too
        stages.append((f"pool{block}", "", ()))
        index += 1
    stages.append(("adavgpool", "", ()))
    stages.append(("fc1", "classifier.0", (4096, 512 * 7 * 7)))
    stages.append(("fc2", "classifier.3", (4096, 4096)))
    stages.append(("fc3", "classifier.6", (1000, 4096)))
    return tuple(stages)


class VGG16:
    """The network of Simonyan and Zisserman (2015), trained on ImageNet to name a thousand kinds of things.

    `weights`: the path of a state dict with torchvision's names (.pth, read without executing anything in it, or
    .safetensors; one without the classifier will do where no fc layer is asked for); "download"; or "random:SEED", untrained.
    Convolutions and fully connected layers are heard after their ReLU, except fc3, which gives logits. It runs on the
    machine's accelerator where there is one.
    """

    STAGES: ClassVar = vgg16_stages()
    LAYERS: ClassVar[tuple[str, ...]] = tuple(name for name, _, _ in STAGES)
    SMALLEST: ClassVar[int] = 64

    default: tuple[str, ...] = ("conv4_1",)
    size: int = 224

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        self._read = vgg16_weights(weights)
        self._parameters: dict[str, Tensor] = {}
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self._device, self._dtype = accelerator or torch.device("cpu"), torch.float32

    def halve(self) -> None:
        self._dtype = fast_dtype(self._device)
        self._parameters = {}

    def layers(self) -> tuple[str, ...]:
        """Their names: conv1_1 to conv5_3, pool1 to pool5, adavgpool, fc1, fc2, fc3, in the order of the computation."""
        return self.LAYERS

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> the named layers; conv4_x is 512 channels at 1/8 of the size, conv5_x at 1/16."""
        x = pictures.to(self._device)
        x = (x - x.new_tensor(IMAGENET_MEAN)[:, None, None]) / x.new_tensor(IMAGENET_STD)[:, None, None]
        x = x.to(self._dtype, memory_format=torch.channels_last)
        maps: dict[str, Tensor] = {}
        for name, parameter, shape in self.STAGES:
            x = self._stage(name, parameter, shape, x)
            if name in names:
                maps[name] = x if x.ndim == 4 else x[:, :, None, None]
            if len(maps) == len(names):
                break
        return maps

    def _stage(self, name: str, parameter: str, shape: tuple[int, ...], x: Tensor) -> Tensor:
        if name == "adavgpool":
            return F.adaptive_avg_pool2d(x, 7)
        if not parameter:
            return F.max_pool2d(x, 2)
        weight = self._parameter(f"{parameter}.weight", shape)
        bias = self._parameter(f"{parameter}.bias", shape[:1])
        if len(shape) == 4:
            return F.conv2d(x, weight, bias, padding=1).relu()
        x = F.linear(x.flatten(1), weight, bias)
        return x if name == "fc3" else x.relu()

    def _parameter(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A weight or bias, fetched when it is first needed: nine tenths of VGG16 are in fc1 and fc2, which few ask for."""
        if name not in self._parameters:
            kept = torch.channels_last if len(shape) == 4 else torch.contiguous_format
            self._parameters[name] = self._read(name, shape).to(self._device, self._dtype, memory_format=kept)
        return self._parameters[name]


def vgg16_weights(weights: str | None) -> Callable[[str, tuple[int, ...]], Tensor]:
    """What gives the tensor of a name and shape; a KinesphereError says what to do where it cannot."""
    if weights is None:
        raise KinesphereError(f"the network 'vgg16' needs weights: {GET_VGG16}")
    if weights.startswith("random:"):
        return random_weights(weights)
    path = download(VGG16_URL, VGG16_SHA256) if weights == "download" else Path(weights).expanduser()
    state = read_state(path)

    def read(name: str, shape: tuple[int, ...]) -> Tensor:
        if name not in state:
            raise KinesphereError(f"weights {weights!r}: there is no {name!r} in this file; {GET_VGG16}")
        if tuple(state[name].shape) != shape:
            raise KinesphereError(
                f"weights {weights!r}: {name!r} is {list(state[name].shape)}, VGG16's is {list(shape)}; {GET_VGG16}"
            )
        return state[name]

    for _, parameter, shape in VGG16.STAGES:
        if parameter.startswith("features"):
            read(f"{parameter}.weight", shape), read(f"{parameter}.bias", shape[:1])
    return read


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a .pth or .safetensors file, nothing in it executed; a KinesphereError where there is none."""
    if not path.is_file():
        raise KinesphereError(f"weights '{path}': there is no such file; {GET_VGG16}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a reader of foreign files fails in as many ways as there are files
        raise KinesphereError(f"weights '{path}' cannot be read ({error.__class__.__name__}); {GET_VGG16}") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise KinesphereError(f"weights '{path}' hold no state dict (names and tensors); {GET_VGG16}")
    return state


def download(url: str, sha256: str) -> Path:
    """The file at `url`, fetched once and kept in the user's cache; a KinesphereError where it cannot be had or is another."""
    import platformdirs

    path = Path(platformdirs.user_cache_dir("kinesphere")) / url.rsplit("/", 1)[1]
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # never half a file under the right name
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, part.open("wb") as file:
            while block := answer.read(1 << 20):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256:
            raise KinesphereError(
                f"{url}: what came has SHA-256 {digest.hexdigest()}, not {sha256}; it was thrown away"
            )
        part.replace(path)
    except OSError as error:
        raise KinesphereError(
            f"{url} could not be fetched to {path} ({error}); fetch it yourself and give its path"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return path
