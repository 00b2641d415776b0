"""What lies around the sitter: the background with its brush strokes, and the light over the whole sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

from kinesphere.train.painting.brush import ink, linear, radial
from kinesphere.train.painting.colour import Lab, oklch, toned
from kinesphere.train.painting.easel import Easel


def background(e: Easel) -> None:
    c, p, f = e.c, e.p, e.f
    c.drawPaint(linear((50 + 30 * e.lx, 0), (50 - 30 * e.lx, 100), [(0, toned(p.ground, 0.05), 1), (1, p.ground2, 1)]))
    strokes(e, [p.ground, toned(p.ground2, -0.1), toned(p.ground, 0.12)])
    centre = 50 + 30 * f["shift_x"] + 6 * e.lx
    c.drawPaint(
        radial(
            centre,
            44,
            62,
            [
                (0, toned(p.ground, 0.17, 0.8), 0.25 + 0.65 * f["halo"]),
                (0.45, toned(p.ground, 0.1), 0.5 * f["halo"]),
                (1, p.ground, 0),
            ],
        )
    )
    c.drawPaint(radial(50, 45, 82, [(0, p.ground2, 0), (0.6, p.ground2, 0), (1, toned(p.ground2, -0.24), 0.75)]))


def strokes(e: Easel, colours: Sequence[Lab]) -> None:
    """A few large soft strokes of a broad brush."""
    w = e.weave
    for i in range(6):
        x, y, turn, bend, size = w[5 * i : 5 * i + 5].tolist()
        dx, dy = 30 * math.cos(math.pi * turn), 30 * math.sin(math.pi * turn)
        x, y = 100 * x, 90 * y
        path = skia.Path()
        path.moveTo(x - dx, y - dy)
        path.quadTo(x + dy * (bend - 0.5), y - dx * (bend - 0.5), x + dx, y + dy)
        e.c.drawPath(path, ink(colours[i % len(colours)], 0.42 * e.f["brush"], 1.3, 7 + 9 * size))


def glaze(e: Easel) -> None:
    """Light of one colour over everything, from its side; cool shadow from the other."""
    c, p = e.c, e.p
    light = linear(
        (50 + 50 * e.lx, 0),
        (50 - 50 * e.lx, 100),
        [(0, p.light, 0.42 * e.power), (0.55, p.light, 0.08), (1, oklch(0.3, 0.06, 280), 0.32 * e.power)],
    )
    light.setBlendMode(skia.BlendMode.kSoftLight)
    c.drawPaint(light)
