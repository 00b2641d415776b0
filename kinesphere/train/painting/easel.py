"""What every part of a portrait is painted with: canvas, factors, colours, the shapes of head and hair, and the light."""

from __future__ import annotations

import math

import numpy as np
import skia

from kinesphere.train.painting.brush import smooth
from kinesphere.train.painting.colour import Lab, mix, palette
from kinesphere.train.painting.hair import Hair, hairline, wing
from kinesphere.train.painting.head import Head, eye_place
from kinesphere.train.painting.units import SIDES, Factors, Point


class Easel:
    """One canvas, and all that its parts have to agree on."""

    def __init__(self, canvas: skia.Canvas, f: Factors) -> None:
        self.c, self.f = canvas, f
        self.p = palette(f)
        self.head = Head(f)
        self.hair = Hair.of(f, self.head)
        self.face = smooth(self.head.outline(), closed=True)
        self.hairlines = {s: hairline(f, self.head, s) for s in SIDES}
        self.wings = {s: smooth(wing(f, self.head, self.hair, self.hairlines[s], s), closed=True) for s in SIDES}
        self.lx = f["light_x"]
        self.power = 0.35 + 0.65 * f["light_strength"]
        self.weave = np.random.RandomState(int(f["weave"] * 2**31)).random_sample(96)

    def sided(self, colour: Lab, shade: Lab) -> list[tuple[float, Lab, float]]:
        """Stops of a gradient from left to right, light on the lit side."""
        left = mix(colour, shade, 0.75 * self.power * max(self.lx, 0) + 0.12)
        right = mix(colour, shade, 0.75 * self.power * max(-self.lx, 0) + 0.12)
        return [(0, left, 1), (0.5, mix(colour, mix(left, right, 0.5), 0.3), 1), (1, right, 1)]

    def eye_place(self, s: int) -> tuple[float, float, float]:
        """Longitude, height, size."""
        return eye_place(self.f, s)

    def ear(self, s: int) -> Point:
        """The middle of the ear of side `s`."""
        return s * 0.98 * self.head.W * math.cos(self.head.turn) - 1.5 * self.head.sin + s * 1.3, 2.0
