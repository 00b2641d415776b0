"""The neck, and the clothing below it."""

from __future__ import annotations

import math

from kinesphere.train.painting.brush import dab, ink, inside, linear, smooth
from kinesphere.train.painting.colour import mix, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.units import SIDES


def neck_and_clothing(e: Easel) -> None:
    c, p, f = e.c, e.p, e.f
    lean = 26 * math.sin(math.radians(f["tilt"])) * 0.12 + 3 * e.head.sin
    w = 8.2 + 1.6 * f["jaw"]
    neck = smooth(
        [
            (lean - w, 12),
            (lean * 0.6 - w, 26),
            (-w - 1.5, 36),
            (-w - 9, 42),
            (0, 54),
            (w + 9, 42),
            (w + 1.5, 36),
            (lean * 0.6 + w, 26),
            (lean + w, 12),
        ],
        closed=True,
    )
    c.drawPath(neck, linear((-12, 0), (12, 0), e.sided(p.skin, p.shade)))
    with inside(c, neck):
        chin = 10 * e.head.sin
        dab(c, chin - 3 * e.lx, 27 * e.head.long, 19, 13.5, toned(p.shade, -0.05), 0.95)
    clothing(e)


def clothing(e: Easel) -> None:
    c, p, f = e.c, e.p, e.f
    body = smooth(
        [
            (-60, 70),
            (-46, 52),
            (-33, 44.5),
            (-20, 40),
            (-11.5, 36.5),
            (-7, 40),
            (0, 42.5),
            (7, 40),
            (11.5, 36.5),
            (20, 40),
            (33, 44.5),
            (46, 52),
            (60, 70),
        ],
        closed=True,
    )
    dark = toned(p.cloth, -0.13, 1.1)
    c.drawPath(body, linear((-40, 40), (40, 40), e.sided(p.cloth, dark)))
    with inside(c, body):
        dab(c, 22 * e.lx, 42, 30, 12, toned(p.cloth, 0.12), 0.7 * e.power)
        dab(c, 2 * e.head.sin, 38, 20, 9, dark, 0.7)
        w = e.weave[40:]
        for i in range(4):
            x, y, bend = (w[3 * i : 3 * i + 3] - 0.5).tolist()
            path = smooth([(80 * x - 9, 47 + 8 * y - 3), (80 * x, 47 + 8 * y + 6 * bend), (80 * x + 9, 47 + 8 * y + 3)])
            c.drawPath(path, ink(toned(p.cloth, 0.1 if i % 2 else -0.1), 0.35 * f["brush"], 0.8, 3.5))
    {"round neck": round_neck, "collar": collar, "scarf": scarf}[f["clothing"]](e)


def round_neck(e: Easel) -> None:
    p = e.p
    edge = smooth([(-12, 36.2), (-7.5, 40.2), (0, 42.9), (7.5, 40.2), (12, 36.2)])
    e.c.drawPath(edge, ink(toned(p.cloth, -0.12), 0.8, 0, 2.6))
    e.c.drawPath(edge, ink(toned(p.accent, 0.02), 0.9, 0, 1.3))


def collar(e: Easel) -> None:
    p = e.p
    for s in SIDES:
        lit = 0.5 + 0.5 * s * e.lx
        flap = smooth(
            [(s * 9.5, 33.5), (s * 13.5, 37), (s * 14.5, 43), (s * 9, 48.5), (s * 4, 44.5), (s * 0.3, 42)],
            closed=True,
        )
        e.c.drawPath(flap, ink(toned(p.cloth, -0.2), 0.35, 1.0))
        e.c.drawPath(flap, ink(mix(toned(p.accent, -0.05), toned(p.accent, 0.1), lit)))
        e.c.drawPath(smooth([(s * 9.5, 33.8), (s * 6, 39), (s * 0.3, 42)]), ink(toned(p.accent, -0.14), 0.6, 0, 0.7))


def scarf(e: Easel) -> None:
    c, p = e.c, e.p
    band = smooth(
        [
            (-12.5, 31),
            (-15.5, 37),
            (-12, 43),
            (0, 47),
            (12, 43),
            (15.5, 37),
            (12.5, 31),
            (8, 35.5),
            (0, 38),
            (-8, 35.5),
        ],
        closed=True,
    )
    c.drawPath(band, ink(toned(p.accent, -0.25), 0.4, 1.4))
    c.drawPath(band, linear((-15, 0), (15, 0), e.sided(p.accent, toned(p.accent, -0.14))))
    with inside(c, band):
        dab(c, 7 * e.lx, 38, 12, 5, toned(p.accent, 0.12), 0.8 * e.power)
        for y in (35.5, 39.5, 43):
            fold = smooth([(-14, y - 3.5), (0, y + 3), (14, y - 3.5)])
            c.drawPath(fold, ink(toned(p.accent, -0.14), 0.4, 0, 0.9))
