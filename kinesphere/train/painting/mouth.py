"""The mouth: its lips, and what shows between them."""

from __future__ import annotations

from collections.abc import Sequence

import skia

from kinesphere.train.painting.brush import dab, ink, inside, ribbon, smooth
from kinesphere.train.painting.colour import WHITE, mix, oklch, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.head import LIPS_OUT, MOUTH, mouth_bend, mouth_gap
from kinesphere.train.painting.units import Point


def mouth(e: Easel) -> None:
    c, p, f, head = e.c, e.p, e.f, e.head
    smile = f["smile"]
    gap = mouth_gap(f)
    reach = (0.325 + 0.10 * f["mouth_width"]) * (1 + 0.13 * smile - 0.08 * gap / 5.6)
    full = 0.7 + 0.65 * f["lips"]
    bend = mouth_bend(f)
    corner, middle = MOUTH - 2.9 * bend, MOUTH + 0.9 * bend
    shape = (-1, -0.62, -0.2, 0, 0.2, 0.62, 1)

    def curve(lift: Sequence[float]) -> list[Point]:
        row = []
        for t, d in zip(shape, lift, strict=True):
            px, py = head.at(t * reach, middle + (corner - middle) * abs(t) ** 1.7 + d)
            row.append((px + LIPS_OUT * head.sin, py))
        return row

    u, b = 0.42 * gap, 0.58 * gap
    seam_top = curve((0, -0.8 * u, -u, -u + 0.25, -u, -0.8 * u, 0))
    seam_low = curve((0, 0.8 * b, b, b, b, 0.8 * b, 0))
    top = curve((-0.15, -u - 1.1 * full, -u - 1.75 * full, -u - 1.3 * full, -u - 1.75 * full, -u - 1.1 * full, -0.15))
    low = curve((0.15, b + 1.35 * full, b + 2.25 * full, b + 2.4 * full, b + 2.25 * full, b + 1.35 * full, 0.15))
    x, y = low[3]
    with inside(c, e.face):
        dab(c, x, y + 1.0, 6.5, 2.2, p.shade, 0.65)
        for px, py in (top[0], top[-1]):
            dab(c, px, py, 2.4, 2.2, p.shade, 0.55)
    inner = ribbon(seam_top, seam_low)
    if gap > 0.05:
        open_mouth(e, inner, seam_top, gap)
    c.drawPath(ribbon(top, seam_top), ink(toned(p.lip, -0.09)))
    c.drawPath(ribbon(seam_low, low), ink(toned(p.lip, 0.04)))
    if gap < 1.2:
        c.drawPath(smooth(seam_top), ink(toned(p.lip, -0.3, 0.8), 0.85 * (1 - gap / 1.2) + 0.1, 0, 0.75))
    dab(c, x + 1.2 * e.lx, y - 1.4 * full, 2.6, 0.9, mix(WHITE, p.lip, 0.25), 0.55)


def open_mouth(e: Easel, inner: skia.Path, seam: Sequence[Point], gap: float) -> None:
    c = e.c
    c.drawPath(inner, ink(oklch(0.2, 0.07, 15)))
    with inside(c, inner):
        x, y = seam[3]
        dab(c, x, y + gap + 0.6, 4.5, 2.4, oklch(0.6, 0.15, 20), 0.85)
        teeth = [(px, py + 0.12 * gap) for px, py in seam[1:-1]]
        shown = 0.55 + 0.45 * max(e.f["smile"], -0.6)
        c.drawPath(smooth(teeth), ink(WHITE, 0.92, 0, (0.16 + 0.36 * shown) * gap))
