"""How a portrait is painted from its factors: one short function for each thing on the paper.

Units are hundredths of the picture. The head is an ellipsoid; what lies on it is placed by a longitude in radians and a
height, so that eyes, nose, mouth, hairline and ears turn together. Colours are thought in OKLCH (Ottosson 2020) and mixed
in OKLab.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import skia

from kinesphere.train.painting.head import landmarks
from kinesphere.train.painting.paper import grained
from kinesphere.train.painting.portrait import Painter
from kinesphere.train.painting.units import Factors

__all__ = ["Painter", "landmarks", "paint"]


def paint(f: Factors, size: int, painter: Callable[[skia.Canvas, Factors], Painter] = Painter) -> np.ndarray:
    """[size, size, 3] uint8. Small pictures are painted twice as large and averaged.

    Another `painter` may leave things out or put them elsewhere (see `damage.Careless`).
    """
    over = 2 if size < 48 else 1
    side = over * size
    pixels = np.zeros((side, side, 4), np.uint8)
    info = skia.ImageInfo.Make(side, side, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)
    surface = skia.Surface.MakeRasterDirect(info, pixels)
    canvas = surface.getCanvas()
    canvas.scale(side / 100, side / 100)
    painter(canvas, f).paint()
    del canvas, surface
    rgb = pixels[:, :, :3]
    if over == 2:
        rgb = rgb.astype(np.uint16)
        rgb = rgb[::2, ::2] + rgb[1::2, ::2] + rgb[::2, 1::2] + rgb[1::2, 1::2]
        return grained(rgb.astype(np.float32) / 4, f)
    return grained(rgb, f)
