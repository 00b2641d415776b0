"""What is worn on the head: glasses, earrings, a hat or a headband."""

from __future__ import annotations

import skia

from kinesphere.train.painting.brush import dab, ink, inside, linear, ribbon, smooth
from kinesphere.train.painting.colour import WHITE, mix, oklch, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.units import SIDES, smoothstep


def glasses(e: Easel) -> None:
    if e.f["glasses"] == "none":
        return
    c, head = e.c, e.head
    rim = mix(toned(e.p.accent, -0.2), oklch(0.42, 0.08, 60), 0.5)
    rim = rim if e.p.skin[0] > 0.55 else oklch(0.83, 0.11, 85)
    bridge = []
    for s in SIDES:
        a0, v0, _ = e.eye_place(s)
        x, y = head.at(a0, v0)
        k, r = head.width(a0), 7.3
        oval = skia.Rect.MakeLTRB(x - r * k, y - 0.3 - r, x + r * k, y - 0.3 + r)
        c.drawOval(oval, ink(WHITE, 0.10))
        c.drawOval(oval, ink(rim, 0.95, 0, 0.95))
        c.drawPath(smooth([(x + s * r * k, y - 1.5), (e.ear(s)[0], y - 1)]), ink(rim, 0.8, 0, 0.8))
        bridge.append((x - s * r * k, y - 1.2))
    (x0, y0), (x1, y1) = bridge
    c.drawPath(smooth([(x0, y0), ((x0 + x1) / 2, y0 - 1.3), (x1, y1)]), ink(rim, 0.95, 0, 0.95))


def earrings(e: Easel) -> None:
    if e.f["earrings"] == "none":
        return
    gold = mix(oklch(0.80, 0.14, 85), e.p.accent, 0.25)
    for s in SIDES:
        shown = 1 - smoothstep(0.14, 0.22, s * e.head.turn)  # the far ear is hidden
        x, y = e.ear(s)[0] + 0.3 * s, 10.5
        e.c.drawPath(smooth([(x, 6), (x, 9)]), ink(gold, shown, 0, 0.6))
        e.c.drawCircle(x, y, 2.3, ink(toned(gold, -0.28), shown))
        e.c.drawCircle(x, y, 1.85, ink(gold, shown))
        dab(e.c, x + 0.6 * e.lx, y - 0.7, 1.3, 1.2, WHITE, 0.95 * shown)


def headwear(e: Easel) -> None:
    {"none": lambda e: None, "hat": hat, "headband": headband}[e.f["headwear"]](e)


def hat(e: Easel) -> None:
    c, p, h, lx = e.c, e.p, e.hair, e.lx
    colour = mix(p.accent, p.cloth, 0.3)
    dark = toned(colour, -0.16)
    x = -2.5 * e.head.sin
    w = h.width + 0.6
    crown = smooth(
        [
            (x - w, -15),
            (x - 0.93 * w, -27),
            (x - 0.55 * w, -37 - 0.5 * h.rise),
            (x, -39 - 0.5 * h.rise),
            (x + 0.55 * w, -37 - 0.5 * h.rise),
            (x + 0.93 * w, -27),
            (x + w, -15),
            (x, -11),
        ],
        closed=True,
    )
    c.drawPath(crown, linear((x - w, 0), (x + w, 0), e.sided(colour, dark)))
    with inside(c, crown):
        dab(c, x + 9 * lx, -33, 15, 9, toned(colour, 0.14), 0.8 * e.power)
        band = smooth([(x - w - 2, -19.5), (x, -16), (x + w + 2, -19.5)])
        c.drawPath(band, ink(toned(p.cloth, -0.12), 0.95, 0, 4.2))
    brim = [
        (x - w - 9, -17.5),
        (x - w, -20),
        (x, -17),
        (x + w, -20),
        (x + w + 9, -17.5),
        (x + w, -14.6),
        (x, -12.2),
        (x - w, -14.6),
    ]
    path = smooth(brim, closed=True)
    c.drawPath(path, linear((x - w, 0), (x + w, 0), e.sided(toned(colour, 0.02), dark)))
    with inside(c, path):
        c.drawPath(smooth(brim[:5]), ink(dark, 0.7, 0.5, 1.5))
        dab(c, x + 12 * lx, -15, 16, 3, toned(colour, 0.14), 0.7 * e.power)


def headband(e: Easel) -> None:
    c, p, h = e.c, e.p, e.hair
    colour, x = p.accent, h.back
    w = h.width + 0.4
    front = 5 * e.head.sin
    top = [
        (x - 0.93 * w, -17.5),
        (x - 0.5 * w + front, -24.2),
        (x + 0.5 * front, -26),
        (x + 0.5 * w + front, -24.2),
        (x + 0.93 * w, -17.5),
    ]
    low = [
        (x - 1.0 * w, -12.5),
        (x - 0.52 * w + front, -19.2),
        (x + 0.5 * front, -20.8),
        (x + 0.52 * w + front, -19.2),
        (x + 1.0 * w, -12.5),
    ]
    band = ribbon(top, low)
    c.drawPath(band, ink(toned(p.hair_shade, -0.1), 0.45, 1.0))
    c.drawPath(band, linear((x - w, 0), (x + w, 0), e.sided(colour, toned(colour, -0.15))))
    with inside(c, band):
        dab(c, x + 8 * e.lx, -24, 11, 4, toned(colour, 0.14), 0.85 * e.power)
