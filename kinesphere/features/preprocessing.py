"""How a picture is made ready for a network that others trained: its size, its interpolation, its mean and deviation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.types import KinesphereError

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)
FILE = "preprocessor_config.json"
RESAMPLING = {
    0: "nearest-exact",
    1: "bicubic",
    2: "bilinear",
    3: "bicubic",
    4: "area",
    5: "bilinear",
}  # Pillow's numbers
SMOOTH = ("bilinear", "bicubic")  # these average where they shrink, as Pillow's do
"""Of Pillow's six, torch has no Lanczos (1) and no Hamming (5): their nearest relatives stand in for them."""


@dataclass(frozen=True)
class Preprocessing:
    """`(x scale + offset - mean) / std` of pictures x in [0, 1]: what a network was trained on."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"  # torch's name
    size: int = 224  # pixels of a side that it was trained at
    scale: float = 1.0
    offset: float = 0.0

    def resized(self, pictures: Tensor, height: int, width: int) -> Tensor:
        """[N, 3, h, w] in [0, 1], or uint8 -> [N, 3, height, width] in [0, 1]."""
        if self.interpolation not in SMOOTH:
            return F.interpolate(as_float(pictures), (height, width), mode=self.interpolation)
        if pictures.shape[2:] != (height, width):
            mode = self.interpolation
            pictures = F.interpolate(pictures, (height, width), mode=mode, antialias=True, align_corners=False)
        return as_float(pictures).clamp(0, 1)  # bicubic shoots over

    def normalised(self, pictures: Tensor) -> Tensor:
        """[N, 3, h, w] in [0, 1] -> what the network is given."""
        mean, std = (pictures.new_tensor(channel)[:, None, None] for channel in (self.mean, self.std))
        return (pictures * self.scale + self.offset - mean) / std


def as_float(pictures: Tensor) -> Tensor:
    """Pictures in [0, 1], of such or of bytes."""
    return pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures


STATED: Mapping[str, Preprocessing] = {
    "dinov2": Preprocessing(interpolation="bicubic"),
    "dinov2_with_registers": Preprocessing(interpolation="bicubic"),
    "depth_anything": Preprocessing(interpolation="bicubic", size=518),
    "efficientnet": Preprocessing(interpolation="bicubic"),
    "mobilenet_v2": Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "segformer": Preprocessing(size=512),
}
"""By `model_type`, for a folder that does not say it itself."""


def preprocessing(table: Mapping[str, Any] | None, model_type: str) -> Preprocessing:
    """What a model's preprocessor_config.json says; where it has none, what its family is known to need.

    Raises KinesphereError where neither says anything, or the file says what cannot be.
    """
    if table is not None:
        return said(table)
    if model_type in STATED:
        return STATED[model_type]
    raise KinesphereError(f"there is no {FILE}, so nobody knows how it wants to see a picture: fetch that file too")


def said(table: Mapping[str, Any]) -> Preprocessing:
    """The settings of an image processor of transformers, as its file has them."""
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if table.get("do_normalize", True):
        mean = _three("image_mean", table.get("image_mean", mean))
        std = _three("image_std", table.get("image_std", std))
    else:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if not all(deviation > 0 for deviation in std):
        raise KinesphereError(f"its {FILE} has image_std {list(std)}: every number must be above 0")
    factor = (
        float(_number("rescale_factor", table.get("rescale_factor", 1 / 255))) if table.get("do_rescale", True) else 1.0
    )
    offset = -1.0 if table.get("rescale_offset") else 0.0
    if table.get("image_processor_type", "").startswith("EfficientNet") and table.get("include_top", True):
        std = (std[0] ** 2, std[1] ** 2, std[2] ** 2)  # its processor divides twice
    centred = table.get("do_center_crop", "crop_size" in table) and table.get("crop_size") is not None
    size = _side(table["crop_size"] if centred else table.get("size", 224))
    interpolation = RESAMPLING.get(table.get("resample", 2), "bilinear")
    return Preprocessing(mean, std, interpolation, size, factor * 255, offset)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise KinesphereError(f"its {FILE} has {name} {str(value)[:60]!r}, which is no number")
    return float(value)


def _three(name: str, value: Any) -> tuple[float, float, float]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise KinesphereError(
            f"its {FILE} has {name} {str(value)[:60]!r}: three numbers are needed, for red, green and blue"
        )
    return _number(name, value[0]), _number(name, value[1]), _number(name, value[2])


def _side(size: Any) -> int:
    """A side in pixels, from any of the forms that a size has had: a number, or height and width, or one edge."""
    if isinstance(size, dict):
        size = next((size[key] for key in ("height", "shortest_edge", "longest_edge") if key in size), None)
    side = _number("size", size)
    if not 16 <= side <= 4096:
        raise KinesphereError(f"its {FILE} has size {side:g}: 16 to 4096 pixels are possible")
    return int(side)
