"""The frozen networks that look at a picture: a bank of filters that needs no weights, the model's own discriminator, and what
others trained to see.

Each is called with pictures [N, 3, h, w], RGB in [0, 1], and the names of the layers wanted; it answers with a dictionary from
name to feature map [N, C, h', w'] (a fully connected layer's is [N, C, 1, 1]) and computes nothing beyond the deepest of them.
To add one: a class with the four fields and two methods of `Network`, and its name in NETWORKS.
"""

from kinesphere.features.networks.backbones import Backbone, DINOv2, EfficientNet, MobileNet
from kinesphere.features.networks.discriminator import Discriminator
from kinesphere.features.networks.filterbank import Filterbank
from kinesphere.features.networks.network import Halving, Network
from kinesphere.features.networks.vgg16 import VGG16

NETWORKS: dict[str, type[Network]] = {
    "filterbank": Filterbank,
    "vgg16": VGG16,
    "discriminator": Discriminator,
    "dinov2": DINOv2,
    "efficientnet": EfficientNet,
    "mobilenet": MobileNet,
    "transformers": Backbone,
}

__all__ = [
    "NETWORKS",
    "VGG16",
    "Backbone",
    "DINOv2",
    "Discriminator",
    "EfficientNet",
    "Filterbank",
    "Halving",
    "MobileNet",
    "Network",
]
