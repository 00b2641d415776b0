"""What the light is like, and where: warmth, saturation, brightness, contrast, and the middle of the light."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from kinesphere.features.motion import LUMA
from kinesphere.features.region import WHOLE, checked_region, look, places
from kinesphere.types import Signal


@dataclass
class Colour:
    """The colours and the light of the frame or of a region; float64 [6]. Each picture is measured by itself.

    - `warmth`: how warm its colours are felt to be: above 0 towards orange, below 0 towards blue-green, 0 for greys;
      0.02 C^1.07 cos(h - 50 degrees), C and h the chroma and hue of CIELAB, averaged over the picture
      (Ou, Luo, Woodcock and Wright 2004, without the constant -0.5 that makes greys a little cool)
    - `saturation`: 0 (grey) to 1; that of HSV (Smith 1978), each pixel counted by its value V, for the hue of what is dark is noise
    - `brightness`: mean luma (ITU-R BT.709), 0 (black) to 1 (white), as the feature of that name
    - `contrast`: standard deviation of luma, twice, so that half black and half white is 1 (RMS contrast; Peli 1990)
    - `x`, `y`: the centroid of the light (linear luminance; IEC 61966-2-1), from the picture's middle, in half picture heights;
      in the dark it goes to the middle of the region
    """

    SIZE: ClassVar[int] = 64  # pixels of the longer side
    DARK: ClassVar[float] = 1e-3  # of white: luminance that every place is given beside its own

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("warmth", "saturation", "brightness", "contrast", "x", "y")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "warmth": (-0.5, 0.5),
        "saturation": (0.0, 0.7),
        "brightness": (0.0, 1.0),
        "contrast": (0.0, 0.6),
        "x": (-0.7, 0.7),
        "y": (-0.5, 0.5),
    }
    circular: ClassVar[Collection[str]] = ()

    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)

    def open(self, checkpoint: object) -> None:
        """Nothing to prepare: each picture is measured by itself."""

    def __call__(self, signal: Signal) -> np.ndarray:
        rgb = look(signal.value, self.region, self.SIZE).astype(np.float32) / 255  # [h, w, 3], gamma-encoded
        luma = rgb @ LUMA
        high, low = rgb.max(axis=2), rgb.min(axis=2)
        saturation = (high - low).sum() / max(float(high.sum()), 1e-9)
        light = linear(rgb) @ LUMA + self.DARK  # the luminances of the primaries are BT.709's coefficients
        middle = (light * places(signal.value.shape, self.region, light.shape)).sum() / light.sum()
        return np.array([warmth(rgb).mean(), saturation, luma.mean(), 2 * luma.std(), middle.real, middle.imag])


def linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB in 0..1 to linear light (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def warmth(rgb: np.ndarray) -> np.ndarray:
    """How warm each pixel is felt to be, [h, w], for sRGB [h, w, 3] float32 in 0..1; Ou et al. 2004, part I, warm-cool."""
    import cv2

    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab)
    chroma, hue = np.hypot(lab[..., 1], lab[..., 2]), np.arctan2(lab[..., 2], lab[..., 1])
    return 0.02 * chroma**1.07 * np.cos(hue - np.radians(50))
