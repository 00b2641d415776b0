"""The face: ears, skin and cheeks, the lines of age, nose and beard."""

from __future__ import annotations

import skia

from kinesphere.train.painting.brush import dab, ink, inside, linear, radial, smooth
from kinesphere.train.painting.colour import WHITE, Lab, mix, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.head import LIPS_OUT, nose_tip
from kinesphere.train.painting.units import SIDES, smoothstep


def ears(e: Easel) -> None:
    p = e.p
    for s in SIDES:
        x, y = e.ear(s)
        r = 3.0
        e.c.drawOval(
            skia.Rect.MakeLTRB(x - r, y - 4.6, x + r, y + 4.6),
            ink(mix(p.skin, p.shade, 0.35 - 0.3 * s * e.lx * e.power)),
        )
        dab(e.c, x, y, 2.6, 3.8, mix(p.shade, p.blush, 0.5), 0.8)


def head_shape(e: Easel) -> None:
    c, p, lx = e.c, e.p, e.lx
    nose = e.head.at(0, 2)[0]
    c.drawPath(
        e.face,
        radial(
            0.6 * nose + 7 * lx,
            -5,
            39,
            [
                (0, p.glow, 1),
                (0.45, p.skin, 1),
                (0.8, mix(p.skin, p.shade, 0.45), 1),
                (1, mix(p.skin, p.shade, 0.9), 1),
            ],
        ),
    )
    with inside(c, e.face):
        amount = e.power * abs(lx)
        s = 1 if lx >= 0 else -1
        c.drawPaint(
            linear(
                (4 * s, 0),
                (-21 * s, 6),
                [(0, p.shade, 0), (0.55, p.shade, 0.42 * amount), (1, p.shade, 0.9 * amount)],
            )
        )
        dab(c, *e.head.at(0, -14), 13, 8, p.glow, 0.5)
        dab(c, *e.head.at(0, 26), 7, 4, p.glow, 0.3)
        rim = mix(toned(p.ground, 0.12), p.skin, 0.25)
        c.drawPath(e.face, edge_light(e, rim, s))


def edge_light(e: Easel, colour: Lab, s: int) -> skia.Paint:
    """Light of the background caught by the edge of the shadow side."""
    alpha = 0.6 * e.power * abs(e.lx)
    paint = linear((-s * 10, 0), (-s * 20, 0), [(0, colour, 0), (1, colour, alpha)])
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(2.4)
    return paint


def cheeks(e: Easel) -> None:
    f, p = e.f, e.p
    lift = 1.2 * max(f["smile"], 0)
    with inside(e.c, e.face):
        for s in SIDES:
            x, y = e.head.at(s * 0.68, 8.5 - lift)
            k = min(e.head.width(s * 0.68), 1.15)
            dab(e.c, x, y, 8.2 * k, 6.4, p.blush, 0.2 + 0.5 * f["blush"])
            dab(e.c, x + 1.2 * e.lx, y - 3, 4 * k, 2.4, p.glow, 0.25 + 0.3 * max(f["smile"], 0))


def lines(e: Easel) -> None:
    """Of age and of laughing."""
    c, p, f, head = e.c, e.p, e.f, e.head
    old = 0.8 * smoothstep(0.35, 1, f["age"])
    colour = toned(p.shade, -0.05)
    with inside(c, e.face):
        for s in SIDES:
            fold = smooth([head.at(s * 0.22, 9.5), head.at(s * 0.37, 12.5), head.at(s * 0.43, 16.5)])
            c.drawPath(fold, ink(colour, 0.5 * old + 0.25 * max(f["smile"], 0), 0, 0.9))
            if old > 0:
                a0, v0, size = e.eye_place(s)
                bag = smooth(
                    [
                        head.at(a0 - s * 0.2, v0 + 4.2 * size),
                        head.at(a0, v0 + 5.3 * size),
                        head.at(a0 + s * 0.2, v0 + 4.4 * size),
                    ]
                )
                c.drawPath(bag, ink(colour, 0.55 * old, 0, 0.75))
                for d in (-1.6, 0.6):
                    crow = smooth([head.at(a0 + s * 0.38, v0 + d * 0.6), head.at(a0 + s * 0.5, v0 + d * 1.6)])
                    c.drawPath(crow, ink(colour, 0.6 * old, 0, 0.6))
        if old > 0:
            for v in (-13.6, -15.8):
                crease = smooth([head.at(-0.4, v), head.at(0, v - 0.7), head.at(0.4, v)])
                c.drawPath(crease, ink(colour, 0.4 * old, 0, 0.7))


def nose(e: Easel) -> None:
    c, p, f, head = e.c, e.p, e.f, e.head
    w = 2.7 + 1.5 * f["nose_size"]
    x, y = nose_tip(f, head)
    away = -1 if e.lx >= 0 else 1
    side = 0.4 * e.power * abs(e.lx)
    bridge = head.at(0, -4)
    with inside(c, e.face):
        flank = smooth(
            [
                (bridge[0] + away * 1.9, bridge[1]),
                ((bridge[0] + x) / 2 + away * 1.7, y * 0.45),
                (x + away * (w + 0.5), y),
                (x + away * 0.4, y + 0.8),
                (x + away * 0.3, y - 4),
            ],
            closed=True,
        )
        c.drawPath(flank, ink(p.shade, 0.25 + side, 1.0))
        dab(c, x, y + 2.2, w + 3.0, 2.5, p.shade, 0.85)
        dab(c, x, y, w + 0.8, 2.9, mix(p.glow, p.blush, 0.35), 0.75)
        for s in SIDES:
            c.drawOval(
                skia.Rect.MakeXYWH(x + s * 0.58 * w - 0.95, y + 1.15, 1.9, 1.0),
                ink(toned(mix(p.shade, p.lip, 0.3), -0.16), 0.8, 0.25),
            )
        ridge = smooth([(bridge[0] + 0.7 * e.lx, bridge[1] + 1), (x + 0.7 * e.lx, y - 0.8)])
        c.drawPath(ridge, ink(toned(p.glow, 0.05), 0.45, 0.7, 1.6))
        c.drawCircle(x + 0.9 * e.lx, y - 0.8, 0.8, ink(WHITE, 0.45, 0.4))


def beard(e: Easel) -> None:
    if e.f["beard"] == "none":
        return
    c, p, head = e.c, e.p, e.head
    colour = mix(p.hair, p.hair_shade, 0.35)
    colour = (min(colour[0], p.skin[0] - 0.07), colour[1], colour[2])
    jaw = [(x * 1.02, y + 0.9) for x, y in head.outline() if y > 7]
    right, left = (max(jaw), min(jaw))
    rim = [(left[0] * 0.99, -1.5), *reversed(jaw), (right[0] * 0.99, -1.5)]
    out = LIPS_OUT * head.sin
    places = ((0.98, 5.5), (0.72, 11.5), (0.47, 13.2), (0.2, 11.9))
    over = [head.at(a, v) for a, v in places]
    under = [head.at(-a, v) for a, v in reversed(places)]
    x, y = head.at(0, 12.7)
    path = smooth([*rim, *over, (x + out, y), *under], closed=True)
    c.drawPath(path, ink(colour, 0.55, 0.9))
    c.drawPath(path, linear((-18, 0), (18, 0), e.sided(colour, toned(colour, -0.1))))
    with inside(c, path):
        x, y = head.at(0, 24)
        dab(c, x + 4 * e.lx, y, 9, 5, p.hair_glow, 0.45)
        for a in (0.15, 0.45, 0.75):
            for s in SIDES:
                lock = smooth([head.at(s * a, 19), head.at(s * a * 0.9, 24), head.at(s * a * 0.75, 30)])
                c.drawPath(lock, ink(p.hair_shade, 0.45, 0, 0.9))
