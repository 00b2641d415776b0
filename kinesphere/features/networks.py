"""The frozen networks that look at a picture: a bank of filters that needs no weights, VGG16, and the model's own discriminator.

Each is called with pictures [N, 3, h, w], RGB in [0, 1], and the names of the layers wanted; it answers with a dictionary from
name to feature map [N, C, h', w'] (a fully connected layer's is [N, C, 1, 1]) and computes nothing beyond the deepest of them.
To add one: a class with the four fields and two methods of `Network`, and its name in NETWORKS.
"""

from __future__ import annotations

import hashlib
import math
import os
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.types import KinesphereError


class Network(Protocol):
    """What Activations asks of a network. `weights` and `checkpoint` are what the patch and the engine give, each None or more."""

    LAYERS: ClassVar[tuple[str, ...]]  # names known beforehand; () where they depend on the checkpoint
    SMALLEST: ClassVar[int]  # pixels that no side of a picture may fall below

    default: tuple[str, ...]  # the layers listened to where none are named
    size: int  # pixels of the picture's longer side that suit it

    def __init__(self, weights: str | None, checkpoint: Any) -> None: ...

    def layers(self) -> tuple[str, ...]:
        """Every name that it can be asked for, in the order of the computation."""

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]: ...


def no_weights_for(network: str, weights: str | None) -> None:
    """Raise KinesphereError where weights are given to a network that takes none."""
    if weights is not None:
        raise KinesphereError(f"weights {weights!r} for the network {network!r}: it takes none; leave them out")


# Filter bank ----------------------------------------------------------------------------------------------------------------

ORIENTATIONS = 4
OPPONENT = ((1 / 3, 1 / 3, 1 / 3), (1 / 2, -1 / 2, 0), (1 / 4, 1 / 4, -1 / 2))  # light, red-green, yellow-blue
BINOMIAL = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def gabor_filters() -> Tensor:
    """Morlet wavelets 4 px long at 0, 45, 90 and 135 degrees: [8, 1, 7, 7], the real parts before the imaginary ones.

    A grating of amplitude A that runs along the angle of a filter, 4 px to its period, is answered with modulus A; an even
    surface with 0 (the envelope's share is taken out).
    """
    y, x = np.mgrid[-3:4, -3:4].astype(float)
    envelope = np.exp(-(x**2 + y**2) / (2 * 1.4**2))
    filters = []
    for angle in np.arange(ORIENTATIONS) * math.pi / ORIENTATIONS:
        wave = np.exp(1j * math.pi / 2 * (x * math.cos(angle) + y * math.sin(angle)))
        wavelet = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        filters.append(2 * wavelet / (wavelet * wave.conj()).sum().real)  # 2: half of a grating turns the other way
    stack = np.stack(filters)
    return torch.tensor(np.concatenate([stack.real, stack.imag])[:, None], dtype=torch.float32)


class Filterbank:
    """How much texture of each size, direction and colour is where: no weights, the same for everybody.

    Moduli of complex wavelets over four octaves, four directions and three opponent colours: a scattering transform of the
    first order (Bruna and Mallat 2013). Layers: "scale1" (waves of 4 px) to "scale4" (32 px), 12 channels each, in the
    order light, red-green, yellow-blue, four directions of each; "colour", what is left below: light, red-green,
    yellow-blue and darkness (1 - light), so that no picture is all zeros.
    """

    LAYERS: ClassVar[tuple[str, ...]] = ("scale1", "scale2", "scale3", "scale4", "colour")
    CONTRAST: ClassVar[float] = 4.0  # natural textures have a contrast of about 1/4 of the range of colours

    SMALLEST: ClassVar[int] = 32

    default: tuple[str, ...] = LAYERS
    size: int = 160

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        no_weights_for("filterbank", weights)
        self._gabor = gabor_filters()
        self._opponent = torch.tensor(OPPONENT)
        self._halve = (BINOMIAL[:, None] * BINOMIAL)[None, None]

    def layers(self) -> tuple[str, ...]:
        """Their names, from fine to coarse."""
        return self.LAYERS

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> each scale [N, 12, h', w'], colour [N, 4, h/16, w/16]."""
        n, _, h, w = pictures.shape
        x = (self._opponent @ pictures.flatten(2)).reshape(n * 3, 1, h, w)
        maps: dict[str, Tensor] = {}
        for name in self.LAYERS[:-1]:
            if name in names:
                maps[name] = self._energy(x).unflatten(0, (n, 3)).flatten(1, 2)
            if len(maps) == len(names):
                return maps
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self._halve, stride=2)
        colour = x.reshape(n, 3, *x.shape[2:])
        maps["colour"] = torch.cat([colour, 1 - colour[:, :1]], dim=1)
        return maps

    def _energy(self, x: Tensor) -> Tensor:
        """[N, 1, h, w] -> [N, 4, h/2, w/2]."""
        waves = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), self._gabor, stride=2)
        real, imaginary = waves.chunk(2, dim=1)
        return self.CONTRAST * (real.square() + imaginary.square() + 1e-8).sqrt()


# VGG16 ----------------------------------------------------------------------------------------------------------------------

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
VGG16_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
VGG16_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # configuration D of the paper
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
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
        self._device = accelerator or torch.device("cpu")

    def layers(self) -> tuple[str, ...]:
        """Their names: conv1_1 to conv5_3, pool1 to pool5, adavgpool, fc1, fc2, fc3, in the order of the computation."""
        return self.LAYERS

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> the named layers; conv4_x is 512 channels at 1/8 of the size, conv5_x at 1/16."""
        x = pictures.to(self._device)
        x = (x - x.new_tensor(IMAGENET_MEAN)[:, None, None]) / x.new_tensor(IMAGENET_STD)[:, None, None]
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
            self._parameters[name] = self._read(name, shape).to(self._device, torch.float32)
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


def random_weights(weights: str) -> Callable[[str, tuple[int, ...]], Tensor]:
    """What "random:SEED" gives: He et al. (2015) initialisation, biases 0; the same for each seed and name."""
    seed = weights.removeprefix("random:")
    if not seed.isdecimal():
        raise KinesphereError(f"weights {weights!r}: after 'random:' comes a seed, a whole number such as 'random:0'")

    def read(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("bias"):
            return torch.zeros(shape)
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))

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


# The model's own discriminator ----------------------------------------------------------------------------------------------


class Reached(Exception):
    """Every layer that was asked for has answered: the rest need not be computed."""


class Discriminator:
    """The loaded model's own discriminator as an encoder (Porres 2021): what it learnt of the very pictures played.

    The picture is fitted into the square that D knows, its aspect kept, mid-grey beside it, and scaled to [-1, 1]. Layers are
    D's own ("b64.conv0", ..., "b4.fc"). D is left as it was found.
    """

    LAYERS: ClassVar[tuple[str, ...]] = ()  # the checkpoint's D has them

    SMALLEST: ClassVar[int] = 4

    default: tuple[str, ...] = ("b8.conv1",)
    size: int

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        no_weights_for("discriminator", weights)
        if checkpoint is None or checkpoint.D is None:
            raise KinesphereError(
                "the network 'discriminator' needs a checkpoint with a discriminator, and this one holds only a generator; "
                f"take the training checkpoint, or another network: {', '.join(n for n in NETWORKS if n != 'discriminator')}"
            )
        self.D = checkpoint.D
        self.size = checkpoint.D.img_resolution
        if self.D.img_channels not in (1, 3, 4):
            raise KinesphereError(
                f"the network 'discriminator' shows pictures as grey, RGB or RGBA; this D has {self.D.img_channels} channels"
            )

    def layers(self) -> tuple[str, ...]:
        """D's own names, in the order of the computation."""
        return tuple(self.D.layers())

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> the named layers of D."""
        maps: dict[str, Tensor] = {}

        def keep(name: str, x: Tensor) -> None:
            maps[name] = x if x.ndim == 4 else x[:, :, None, None]
            if len(maps) == len(names):
                raise Reached

        layers = self.D.layers()
        hooks = [layers[name].register_forward_hook(lambda module, args, x, name=name: keep(name, x)) for name in names]
        try:
            self.D(self._fitted(pictures))
        except Reached:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return maps

    def _fitted(self, pictures: Tensor) -> Tensor:
        """[N, 3, h, w] in [0, 1] -> [N, D.img_channels, R, R] in [-1, 1]."""
        side = self.D.img_resolution
        h, w = pictures.shape[2:]
        if max(h, w) != side:
            to = [max(round(h * side / max(h, w)), 1), max(round(w * side / max(h, w)), 1)]
            pictures = F.interpolate(pictures, to, mode="bilinear", antialias=True, align_corners=False)
            h, w = to
        x = pictures.to(next(self.D.parameters()).device) * 2 - 1
        if self.D.img_channels == 1:
            x = x.mean(dim=1, keepdim=True)
        left, top = (side - w) // 2, (side - h) // 2
        x = F.pad(x, (left, side - w - left, top, side - h - top))
        return F.pad(x, (0, 0, 0, 0, 0, 1), value=1.0) if self.D.img_channels == 4 else x  # alpha: opaque


NETWORKS: dict[str, type[Network]] = {"filterbank": Filterbank, "vgg16": VGG16, "discriminator": Discriminator}
