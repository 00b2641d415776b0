"""The networks that the metrics see pictures with: those of the instrument, and Inception where its weights are at hand."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.networks import NETWORKS, Network
from kinesphere.train.inception import GET_INCEPTION, Inception
from kinesphere.types import KinesphereError


class Features(Protocol):
    """What fid, kid, pr and dc compare pictures by."""

    name: str  # stands beside every value: values of two networks cannot be compared

    def __call__(self, pictures: Tensor) -> np.ndarray:
        """uint8 RGB [N, 3, H, W] -> float32 [N, D]."""


FEATURES = {
    "filterbank": "textures and colours, no weights needed",
    "vgg16": "VGG16, as vgg16:FILE, vgg16:download or vgg16:random:0",
    "discriminator": "the model's own discriminator",
    "inception": "InceptionV3 of 2015, as inception:FILE: the network of published FIDs",
}
LAYERS = {"vgg16": ("fc2",)}  # what Kynkäänniemi et al. (2019) use; the others' own defaults
COMPARED = {"vgg16": ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")}  # Zhang et al. (2018), section 3
DEFAULT = "filterbank"


def open_features(text: str = DEFAULT, checkpoint: Any = None) -> Features:
    """The network that "NAME" or "NAME:WEIGHTS" says; `checkpoint` has the `D` that "discriminator" is.

    Raises KinesphereError for an unknown name, and where weights are missing, wrong or not wanted.
    """
    name, _, weights = text.partition(":")
    if name not in FEATURES:
        raise KinesphereError(f"no feature network {name!r}: choose {', '.join(FEATURES)}")
    if name == "inception":
        if not weights:
            raise KinesphereError(f"the feature network 'inception' needs weights: {GET_INCEPTION}")
        return Inception(weights)
    network = NETWORKS[name](weights or None, checkpoint)
    layers = LAYERS.get(name, network.default)
    return NetworkFeatures(name, network, layers, COMPARED.get(name, layers))


class NetworkFeatures:
    """A network of `kinesphere.features`, its layers' means and deviations taken over the picture and put side by side.

    `compared` are the layers of `distance`. Pictures are brought to the network's own size first, their longer side, so that
    values of two resolutions are alike.
    """

    def __init__(self, name: str, network: Network, layers: tuple[str, ...], compared: tuple[str, ...]) -> None:
        self.name, self.network, self.layers, self.compared = name, network, layers, compared

    @torch.no_grad()
    def __call__(self, pictures: Tensor) -> np.ndarray:
        """uint8 [N, 3, H, W] -> float32 [N, D]: for each layer C means and C deviations; C values of a fully connected one."""
        maps = self.network(self._sized(pictures.cpu().float() / 255), self.layers)
        return torch.cat([described(maps[name]) for name in self.layers], dim=1).float().cpu().numpy()

    def maps(self, img: Tensor) -> list[Tensor]:
        """The layers' maps [N, C, h, w] of pictures [N, 1, 3 or 4, H, W] in [-1, 1], with gradients."""
        seen = self.network(self._sized(rgb01(img)), self.layers)
        return [seen[name].to(img.device) for name in self.layers]

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """A perceptual distance [N] of pictures [N, C, H, W] in [-1, 1]: Zhang et al. (2018), eq. 1, all channels of weight 1.

        It is squared, as path lengths need it, and not that of their fitted weights: compare it with itself only.
        """
        first, second = (self.network(self._sized(rgb01(x.cpu())), self.compared) for x in (a, b))
        apart = [F.normalize(first[name]) - F.normalize(second[name]) for name in self.compared]
        return torch.stack([x.double().square().sum(dim=1).mean(dim=(1, 2)) for x in apart]).sum(dim=0)

    def _sized(self, pictures: Tensor) -> Tensor:
        h, w = pictures.shape[2:]
        scale = self.network.size / max(h, w)
        if scale == 1:
            return pictures
        to = [max(round(side * scale), self.network.SMALLEST) for side in (h, w)]
        return F.interpolate(pictures, to, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)


def described(maps: Tensor) -> Tensor:
    """[N, C, h, w] -> means and deviations [N, 2C]; [N, C, 1, 1] -> [N, C]."""
    if maps.shape[2:] == (1, 1):
        return maps.flatten(1)
    return torch.cat([maps.mean(dim=(2, 3)), maps.std(dim=(2, 3), correction=0)], dim=1)


def rgb(pictures: Tensor) -> Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, 3, H, W]: grey is repeated, alpha laid over black, as `ops.to_pixels` does."""
    if pictures.shape[1] == 1:
        return pictures.expand(-1, 3, -1, -1)
    if pictures.shape[1] == 4:
        return (pictures[:, :3].float() * pictures[:, 3:].float() / 255 + 0.5).to(torch.uint8)
    return pictures


def rgb01(img: Tensor) -> Tensor:
    """[N, C, H, W] in [-1, 1] -> [N, 3, H, W] about [0, 1], not rounded and not cut: small steps must be kept."""
    x = img.float() / 2 + 0.5
    return x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x[:, :3] * x[:, 3:] if x.shape[1] == 4 else x
