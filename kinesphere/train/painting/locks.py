"""How the hair is painted: the mass behind the head, the wings in front of it, and the locks or curls in them."""

from __future__ import annotations

import math

import skia

from kinesphere.train.painting.brush import dab, ink, inside, linear, smooth
from kinesphere.train.painting.colour import mix, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.units import SIDES, Point


def behind(e: Easel) -> None:
    h, p = e.hair, e.p
    if e.f["hair_style"] == "updo" and e.f["headwear"] != "hat":
        bun(e)
    low = h.end if h.end > 4 else 6.0
    edges = [[*h.over(s), *h.side(s, low)] for s in SIDES]
    if h.end <= 4:  # cropped: follows the nape
        edges = [[*h.over(s), (h.back + 0.97 * s * h.width, 0), (h.back + 0.7 * s * h.width, 12)] for s in SIDES]
    mass = smooth([*reversed(edges[0]), (h.back, -29 - h.rise), *edges[1]], closed=True)
    e.c.drawPath(mass, ink(p.hair_shade))
    with inside(e.c, mass):
        dab(e.c, h.back + 14 * e.lx, 4, 34, 42, mix(p.hair, p.hair_shade, 0.35), 0.85)
        dab(e.c, 6 * e.head.sin, 30, 19, 22, toned(p.hair_shade, -0.1), 0.75)


def bun(e: Easel) -> None:
    h, p = e.hair, e.p
    r = 6 + 5 * e.f["hair_length"]
    x, y = 2.2 * h.back, -29 - h.rise - 0.35 * r
    e.c.drawOval(skia.Rect.MakeLTRB(x - 1.12 * r, y - r, x + 1.12 * r, y + r), ink(p.hair))
    dab(e.c, x + 0.4 * r * e.lx, y - 0.35 * r, 0.9 * r, 0.7 * r, p.hair_glow, 0.7)
    dab(e.c, x - 0.5 * r * e.lx, y + 0.7 * r, 1.1 * r, 0.8 * r, p.hair_shade, 0.8)
    for t in (-0.45, 0.1, 0.6):
        swirl = smooth([(x - r, y + 0.5 * r * t), (x, y - 0.5 * r + r * t), (x + r, y + 0.5 * r * t)])
        e.c.drawPath(swirl, ink(p.hair_shade, 0.35, 0, 0.7))


def shadow(e: Easel) -> None:
    """The hair darkens the forehead and the sides of the face."""
    with inside(e.c, e.face):
        for s in SIDES:
            path = skia.Path(e.wings[s])
            path.offset(-0.9 * e.lx, 1.6)
            e.c.drawPath(path, ink(toned(e.p.shade, -0.06), 0.6, 1.3))


def in_front(e: Easel) -> None:
    c, p, h = e.c, e.p, e.hair
    for s in SIDES:
        path = e.wings[s]
        lit = 0.5 + 0.5 * s * e.lx * e.power
        c.drawPath(
            path,
            linear(
                (0, -29 - h.rise),
                (0, max(h.end, 14)),
                [
                    (0, mix(p.hair, p.hair_glow, 0.25 * lit), 1),
                    (0.45, p.hair, 1),
                    (1, mix(p.hair, p.hair_shade, 0.75 - 0.4 * lit), 1),
                ],
            ),
        )
        with inside(c, path):
            strands(e, s, lit)


def strands(e: Easel, s: int, lit: float) -> None:
    """Light and dark locks that follow the flow from the parting, and the band of light across them."""
    c, p, h = e.c, e.p, e.hair
    dab(c, h.back + s * h.width, 2, 9, 30, p.hair_shade, 0.85 - 0.6 * lit)
    if h.curl:
        curls(e, s, lit)
        return
    for t in (0.05, 0.36, 0.68):
        c.drawPath(smooth(lock(e, s, t)), ink(p.hair_shade, 0.4, 0.8, 2.2))
    for t in (0.2, 0.52, 0.86):
        c.drawPath(smooth(lock(e, s, t)), ink(p.hair_glow, 0.16 + 0.3 * lit, 0.7, 1.9))
    for t in (0.13, 0.44, 0.6, 0.78):
        c.drawPath(smooth(lock(e, s, t)), ink(toned(p.hair_shade, -0.05), 0.28, 0, 0.45))
    sheen(e, s, lit)


def lock(e: Easel, s: int, t: float) -> list[Point]:
    """One lock on side `s`: `t` 0 lies along the face, 1 along the outer edge."""
    h = e.hair
    root = e.hairlines[s][0][0]
    x0, y0 = h.back + 0.5 * (root - h.back), -28.5 - h.rise
    spread = s * h.width * (0.42 + 0.58 * t)
    flow = [
        (x0 + 1.5 * t * s, y0 + 3 * (1 - t)),
        (h.back + 0.66 * spread, -25 + 2.5 * t),
        (h.back + spread, -11 + 5 * t),
    ]
    if h.end > 2:
        n = int((h.end - 2) / 7) + 1
        flow += [
            (h.back + s * h.half(y) * (0.74 + 0.26 * t), y) for y in (2 + (h.end - 2) * k / n for k in range(n + 1))
        ]
    return flow


def sheen(e: Easel, s: int, lit: float) -> None:
    """The band of light that crosses the hair at the crown."""
    h = e.hair
    points = []
    for t in (0.15, 0.5, 0.85, 1.2):
        points.append((h.back + s * 0.86 * h.width * math.sin(t), -6 - 0.8 * (23 + h.rise) * math.cos(t)))
    e.c.drawPath(smooth(points), ink(e.p.hair_glow, 0.2 + 0.5 * lit, 1.5, 3.2))


def curls(e: Easel, s: int, lit: float) -> None:
    """A cloud of curls: soft touches of light over soft touches of shade."""
    c, p, h = e.c, e.p, e.hair
    size = 4.0 + 1.6 * h.curl
    row, y = 0, -27.0 - h.rise
    while y < h.end:
        half = max(h.half(y), 6.0)
        for i in range(3):
            # The golden ratio keeps rows from lining up.
            t = (i + (0.618 * row) % 1) / 3
            x, d = h.back + s * half * t, y + 2.0 * math.sin(7.0 * t + 2.4 * row)
            dab(c, x - 0.5 * e.lx, d + 2.2, 1.2 * size, 1.0 * size, p.hair_shade, 0.5)
            dab(c, x + 0.9 * e.lx, d, 0.9 * size, 0.8 * size, p.hair_glow, 0.2 + 0.35 * lit)
        y += 1.35 * size
        row += 1
