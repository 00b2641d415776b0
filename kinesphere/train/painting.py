"""How a portrait is painted from its factors: one short function for each thing on the paper.

Units are hundredths of the picture. The head is an ellipsoid; what lies on it is placed by a longitude in radians and a
height, so that eyes, nose, mouth, hairline and ears turn together. Colours are thought in OKLCH (Ottosson 2020) and mixed
in OKLab.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import skia

Lab = tuple[float, float, float]  # OKLab
Point = tuple[float, float]
Factors = Mapping[str, Any]  # numbers and classes, by name: see portraits.FACTORS
SIDES = (-1, 1)  # left and right of the picture
ZOOM = 1.2  # the head is painted this much larger than its units


# -- colour


def oklch(L: float, C: float, h: float) -> Lab:
    """Lightness 0..1, chroma 0..0.3, hue in degrees."""
    return L, C * math.cos(math.radians(h)), C * math.sin(math.radians(h))


def mix(a: Lab, b: Lab, t: float) -> Lab:
    """`a` at `t` 0, `b` at 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def toned(c: Lab, dL: float, chroma: float = 1.0) -> Lab:
    """Lighter or darker by `dL`, with `chroma` times the colour."""
    return min(max(c[0] + dL, 0.05), 0.985), c[1] * chroma, c[2] * chroma


def ramp(anchors: Sequence[tuple[float, float, float]], t: float) -> Lab:
    """Along evenly spaced OKLCH anchors, mixed in OKLab."""
    x = t * (len(anchors) - 1)
    i = min(int(x), len(anchors) - 2)
    return mix(oklch(*anchors[i]), oklch(*anchors[i + 1]), x - i)


def linear_rgb(c: Lab) -> tuple[float, float, float]:
    """Ottosson 2020, "A perceptual color space for image processing"."""
    L, a, b = c
    l3 = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m3 = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s3 = (L - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
        -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
        -0.0041960863 * l3 - 0.7034186147 * m3 + 1.7076147010 * s3,
    )


@lru_cache(maxsize=512)
def rgb24(c: Lab) -> int:
    """8-bit sRGB; a colour that no screen shows is made greyer, not another hue."""
    rgb = linear_rgb(c)
    for _ in range(8):
        if -0.004 <= min(rgb) and max(rgb) <= 1.004:
            break
        c = (c[0], c[1] * 0.86, c[2] * 0.86)
        rgb = linear_rgb(c)
    value = 0
    for v in rgb:
        v = min(max(v, 0.0), 1.0)
        value = value << 8 | round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055))
    return value


def argb(c: Lab, alpha: float = 1.0) -> int:
    """Skia's colour of this colour at an opacity from 0 to 1."""
    return int(255 * alpha + 0.5) << 24 | rgb24(c)


def arc(t: float) -> float:
    """Hues from green (150 degrees) over blue, violet and rose to gold (450): the sour greens between are left out."""
    return 150 + 300 * t


SKINS = [
    (0.92, 0.035, 52),
    (0.87, 0.058, 60),
    (0.80, 0.078, 62),
    (0.71, 0.092, 60),
    (0.60, 0.092, 56),
    (0.49, 0.078, 50),
    (0.385, 0.06, 44),
]
HAIRS = [
    (0.90, 0.05, 92),
    (0.80, 0.115, 82),
    (0.64, 0.145, 52),
    (0.48, 0.105, 46),
    (0.36, 0.065, 48),
    (0.23, 0.03, 300),
]
IRISES = [(0.38, 0.08, 50), (0.60, 0.12, 75), (0.58, 0.12, 150), (0.60, 0.12, 235), (0.52, 0.15, 300)]
DARK = oklch(0.17, 0.03, 330)
WHITE = oklch(0.975, 0.008, 90)
GREY = oklch(0.80, 0.012, 260)  # of old hair


def smoothstep(low: float, high: float, x: float) -> float:
    """0 below `low`, 1 above `high`, smooth between."""
    if x <= low or x >= high:
        return float(x >= high)
    t = (x - low) / (high - low)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Palette:
    """The colours of one portrait, in harmony: shadows lean to the background, clothing to its complement."""

    skin: Lab
    shade: Lab
    glow: Lab
    blush: Lab
    hair: Lab
    hair_shade: Lab
    hair_glow: Lab
    brow: Lab
    lip: Lab
    iris: Lab
    ground: Lab
    ground2: Lab
    cloth: Lab
    accent: Lab
    light: Lab


def palette(f: Factors) -> Palette:
    """All colours of the portrait. On deep skin lips and cheeks are lifted, so that they read as well as on pale."""
    ground, ground2 = grounds(f)
    skin = skin_colour(f)
    hair = hair_colour(f)
    deep = 1 - smoothstep(0.4, 0.75, skin[0])
    shade = mix(
        mix(toned(skin, -0.17, 1.15), oklch(max(skin[0] - 0.2, 0.15), 0.11, 15), 0.3), toned(ground, -0.25), 0.18
    )
    lip = mix(
        toned(skin, -0.15 + 0.12 * deep),
        oklch(0.56 - 0.04 * deep, 0.19, 15 + 10 * f["skin_hue"]),
        0.38 + 0.47 * f["lip_tint"],
    )
    brow = mix(toned(hair, -0.14), DARK, 0.25)
    brow = (max(min(brow[0], skin[0] - 0.22), 0.13), brow[1], brow[2])
    hue = arc(f["background_hue"]) + 180 + 70 * f["clothing_hue"]
    cloth = oklch(0.82 - 0.46 * f["clothing_tone"], 0.085 + 0.05 * math.sin(math.pi * f["clothing_tone"]), hue)
    accent = oklch(0.86 - 0.5 * (1 - f["clothing_tone"]), 0.10, hue + 35)
    return Palette(
        skin=skin,
        shade=shade,
        glow=mix(toned(skin, 0.07), oklch(min(skin[0] + 0.12, 0.96), 0.06, 85), 0.35),
        blush=mix(
            skin, oklch(skin[0] - 0.10 + 0.06 * deep, 0.16 - 0.055 * deep, 28), 1.0 if f["skin"] == "natural" else 0.6
        ),
        hair=hair,
        hair_shade=mix(toned(hair, -0.16, 1.05), toned(ground, -0.3), 0.15),
        hair_glow=mix(toned(hair, 0.15, 1.1), oklch(0.93, 0.06, 85), 0.18),
        brow=brow,
        lip=lip,
        iris=ramp(IRISES, f["eye_hue"]),
        ground=ground,
        ground2=ground2,
        cloth=cloth,
        accent=accent,
        light=oklch(0.9, 0.09 * abs(f["light_warmth"]) + 0.02, 75 if f["light_warmth"] > 0 else 240),
    )


def grounds(f: Factors) -> tuple[Lab, Lab]:
    """The two colours of the background."""
    hue, L = arc(f["background_hue"]), 0.84 - 0.40 * f["background_tone"]
    return oklch(L, 0.115, hue), oklch(L - 0.08, 0.12, hue + 60 * f["background_shift"])


def skin_colour(f: Factors) -> Lab:
    """A natural skin with a breath of warmth, or a fantastic one: mint, sky, lilac, rose, gold."""
    natural = ramp(SKINS, f["skin_tone"])
    if f["skin"] == "natural":
        return mix(natural, oklch(natural[0], 0.08, 25 + 60 * f["skin_hue"]), 0.25)
    return oklch(0.87 - 0.36 * f["skin_tone"], 0.075 + 0.05 * f["skin_tone"], 160 + 280 * f["skin_hue"])


def hair_colour(f: Factors) -> Lab:
    """Natural or fantastic, and grey with age."""
    if f["hair"] == "natural":
        colour = ramp(HAIRS, f["hair_tone"])
    else:
        colour = oklch(0.76 - 0.40 * f["hair_tone"], 0.155, 160 + 260 * f["hair_hue"])
    return mix(colour, GREY, 0.8 * smoothstep(0.65, 1, f["age"]))


# -- the brush


def smooth(points: Sequence[Point], closed: bool = False) -> skia.Path:
    """Through all points, round everywhere (Catmull-Rom)."""
    p = [points[-1], *points, points[0], points[1]] if closed else [points[0], *points, points[-1]]
    path = skia.Path()
    path.moveTo(*p[1])
    for (ax, ay), (bx, by), (cx, cy), (dx, dy) in zip(p, p[1:], p[2:], p[3:], strict=False):
        path.cubicTo(bx + (cx - ax) / 6, by + (cy - ay) / 6, cx - (dx - bx) / 6, cy - (dy - by) / 6, cx, cy)
    if closed:
        path.close()
    return path


def ribbon(top: Sequence[Point], bottom: Sequence[Point]) -> skia.Path:
    """Between two curves that run the same way: lids, lips, bands."""
    path = smooth(top)
    back = smooth(list(reversed(bottom)))
    path.addPath(back, skia.Path.AddPathMode.kExtend_AddPathMode)
    path.close()
    return path


def ink(colour: Lab, alpha: float = 1.0, blur: float = 0.0, width: float = 0.0) -> skia.Paint:
    """A paint: filled, or a line of that width; soft when `blur` (units) is above 0."""
    paint = skia.Paint(AntiAlias=True, Color=argb(colour, alpha))
    if width:
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
    if blur:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


def radial(x: float, y: float, r: float, stops: Sequence[tuple[float, Lab, float]]) -> skia.Paint:
    """A radial gradient of (place, colour, alpha)."""
    shader = skia.GradientShader.MakeRadial(
        skia.Point(x, y), r, [argb(c, a) for _, c, a in stops], [p for p, _, _ in stops]
    )
    return skia.Paint(AntiAlias=True, Shader=shader, Dither=False)


def linear(a: Point, b: Point, stops: Sequence[tuple[float, Lab, float]]) -> skia.Paint:
    """A gradient from `a` to `b`, of (place, colour, alpha)."""
    shader = skia.GradientShader.MakeLinear(
        [skia.Point(*a), skia.Point(*b)], [argb(c, alpha) for _, c, alpha in stops], [p for p, _, _ in stops]
    )
    return skia.Paint(AntiAlias=True, Shader=shader)


@lru_cache(maxsize=1)
def touch() -> skia.Image:
    """One soft round touch, [64, 64] of alpha."""
    x = (np.arange(64) - 31.5) / 32
    r = np.clip(1 - np.hypot(x[:, None], x[None]), 0, 1)
    alpha = np.rint(255 * r * r * (3 - 2 * r)).astype(np.uint8)
    return skia.Image.fromarray(alpha, colorType=skia.kAlpha_8_ColorType)


SOFT = skia.SamplingOptions(skia.FilterMode.kLinear)


def dab(canvas: skia.Canvas, x: float, y: float, rx: float, ry: float, colour: Lab, alpha: float) -> None:
    """A soft round touch of colour that fades to nothing at its edge."""
    canvas.drawImageRect(
        touch(), skia.Rect(x - rx, y - ry, x + rx, y + ry), SOFT, skia.Paint(Color=argb(colour, alpha))
    )


@contextmanager
def inside(canvas: skia.Canvas, path: skia.Path) -> Iterator[None]:
    """What is painted meanwhile stays within the path."""
    canvas.save()
    canvas.clipPath(path, skia.ClipOp.kIntersect, True)
    yield
    canvas.restore()


# -- the head


class Head:
    """Where things lie on a turned head; the origin is the middle of the face, y grows downwards.

    Seen from the front (orthographic), a point at longitude `a` of a head turned by `turn` lies at radius * sin(a + turn).
    """

    W = 20.5  # half its width

    def __init__(self, f: Factors) -> None:
        self.turn = f["turn"]
        self.sin = math.sin(f["turn"])
        self.long = 0.91 + 0.17 * f["face_length"]
        self.jaw = 0.74 + 0.14 * f["jaw"]
        self.chin = 0.44 + 0.17 * f["chin"]

    def at(self, a: float, v: float) -> Point:
        """Longitude `a` (radians, 0 is the middle of the face, positive right) and height `v`, seen from the front."""
        fall = (v + 4) / (29 if v < -4 else 48)
        radius = self.W * math.sqrt(max(1 - fall * fall, 0.0))
        angle = min(max(a + self.turn, -1.5), 1.5)
        return radius * math.sin(angle), v * self.long if v > 0 else v

    def width(self, a: float) -> float:
        """How much narrower a thing at longitude `a` looks than when the face looks ahead."""
        return max(math.cos(a + self.turn), 0.2) / math.cos(a)

    def outline(self) -> list[Point]:
        """The edge of skull, cheeks, jaw and chin, clockwise from the top."""
        rows = [  # height, half width, how far it moves with the turn
            (-27.5, 0.42, -4.0),
            (-22, 0.76, -3.0),
            (-13, 0.97, -1.5),
            (-2, 1.0, 0.0),
            (8, 0.955, 3.0),
            (16, self.jaw, 7.0),
            (23.5, self.chin, 12.0),
            (28, 0.2, 14.5),
        ]
        ys = [(v * self.long if v > 0 else v) for v, _, _ in rows]
        right = [(h * self.W + k * self.sin, y) for (_, h, k), y in zip(rows, ys, strict=True)]
        left = [(-h * self.W + k * self.sin, y) for (_, h, k), y in zip(rows, ys, strict=True)]
        return [(-4 * self.sin, -29), *right, (14.5 * self.sin, 29 * self.long), *reversed(left)]


@dataclass(frozen=True)
class Hair:
    """Shape of the hair mass."""

    rise: float  # above the skull
    width: float  # half width at the temples
    end: float  # where it ends, y
    sway: float  # amplitude of the waves
    flare: float  # how much wider it gets towards the ends
    curl: float  # 0 or the size of the curls
    back: float  # how far the mass lies behind, moved against the turn

    @staticmethod
    def of(f: Factors, head: Head) -> Hair:
        volume, length, wave = f["hair_volume"], f["hair_length"], f["hair_wave"]
        if f["hair_style"] == "updo":
            return Hair(1.6 + 1.6 * volume, head.W + 1 + 1.2 * volume, -1.0, 0.3 * wave, 0, 0, -5 * head.sin)
        if f["hair_style"] == "curly":
            end = -1 + 40 * length**1.2
            return Hair(
                4 + 4.5 * volume, head.W + 3.5 + 4.5 * volume, end, 0, 1.5 + 2 * volume, 0.7 + 0.7 * wave, -6 * head.sin
            )
        end = -3 + 56 * length
        return Hair(2 + 3 * volume, head.W + 1.2 + 3.2 * volume, end, 2.6 * wave, 1 + 3 * volume, 0, -6 * head.sin)

    def half(self, y: float) -> float:
        """Half width at height `y`."""
        if y < -6:
            top = -29 - self.rise
            return self.width * math.sqrt(max(1 - ((y + 6) / (top + 6)) ** 2, 0.0))
        close = self.end - y
        reach = 12 if self.curl else 7
        tip = (5.5 if self.curl else 2.5) * (1 - smoothstep(0, reach, close))
        return self.width + self.flare * (y + 6) / 50 - tip + self.wave(y)

    def wave(self, y: float) -> float:
        """How far the waves push the hair out at height `y`."""
        return self.sway * min(1, 0.1 + (y + 6) / 28) * math.sin((y + 6) / 4.2)

    def side(self, s: int, low: float) -> list[Point]:
        """The outer edge from the temple down to `low`."""
        n = max(2, int((low + 6) / 5) + 1)
        return [(self.back + s * self.half(y), y) for y in (-6 + (low + 6) * k / (n - 1) for k in range(n))]

    def over(self, s: int) -> list[Point]:
        """The outer edge from the crown to the temple."""
        top = -29 - self.rise
        points = []
        for t in (0.22, 0.55, 0.85, 1.15):
            y = -6 + (top + 6) * math.cos(t)
            points.append((self.back + s * self.width * math.sin(t), y))
        return points


class Painter:
    """One portrait on one canvas."""

    def __init__(self, canvas: skia.Canvas, f: Factors) -> None:
        self.c, self.f = canvas, f
        self.p = palette(f)
        self.head = Head(f)
        self.hair = Hair.of(f, self.head)
        self.face = smooth(self.head.outline(), closed=True)
        self.hairlines = {s: self.hairline(s) for s in SIDES}
        self.wings = {s: smooth(self.wing(s), closed=True) for s in SIDES}
        self.lx = f["light_x"]
        self.power = 0.35 + 0.65 * f["light_strength"]
        self.weave = np.random.RandomState(int(f["weave"] * 2**31)).random_sample(96)

    def paint(self) -> None:
        c, f = self.c, self.f
        self.background()
        c.save()
        c.translate(50 + 100 * f["shift_x"], 52 + 100 * f["shift_y"])
        c.scale(ZOOM * f["scale"], ZOOM * f["scale"])
        with self.posed():
            self.hair_behind()
        self.neck_and_clothing()
        with self.posed():
            self.ears()
            self.head_shape()
            self.cheeks()
            self.lines()
            self.beard()
            self.nose()
            self.mouth()
            for s in SIDES:
                self.eye(s)
            self.hair_shadow()
            for s in SIDES:
                self.brow(s)
            self.glasses()
            self.hair_in_front()
            self.earrings()
            self.headwear()
        c.restore()
        self.finish()

    @contextmanager
    def posed(self) -> Iterator[None]:
        """The head leans about the neck."""
        self.c.save()
        self.c.rotate(self.f["tilt"], 0, 26)
        yield
        self.c.restore()

    # -- around the head

    def background(self) -> None:
        c, p, f = self.c, self.p, self.f
        c.drawPaint(
            linear((50 + 30 * self.lx, 0), (50 - 30 * self.lx, 100), [(0, toned(p.ground, 0.05), 1), (1, p.ground2, 1)])
        )
        self.strokes([p.ground, toned(p.ground2, -0.1), toned(p.ground, 0.12)])
        centre = 50 + 30 * f["shift_x"] + 6 * self.lx
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

    def strokes(self, colours: Sequence[Lab]) -> None:
        """A few large soft strokes of a broad brush."""
        w = self.weave
        for i in range(6):
            x, y, turn, bend, size = w[5 * i : 5 * i + 5].tolist()
            dx, dy = 30 * math.cos(math.pi * turn), 30 * math.sin(math.pi * turn)
            x, y = 100 * x, 90 * y
            path = skia.Path()
            path.moveTo(x - dx, y - dy)
            path.quadTo(x + dy * (bend - 0.5), y - dx * (bend - 0.5), x + dx, y + dy)
            self.c.drawPath(path, ink(colours[i % len(colours)], 0.42 * self.f["brush"], 1.3, 7 + 9 * size))

    def hair_behind(self) -> None:
        h, p = self.hair, self.p
        if self.f["hair_style"] == "updo" and self.f["headwear"] != "hat":
            self.bun()
        low = h.end if h.end > 4 else 6.0
        edges = [[*h.over(s), *h.side(s, low)] for s in SIDES]
        if h.end <= 4:  # cropped: follows the nape
            edges = [[*h.over(s), (h.back + 0.97 * s * h.width, 0), (h.back + 0.7 * s * h.width, 12)] for s in SIDES]
        mass = smooth([*reversed(edges[0]), (h.back, -29 - h.rise), *edges[1]], closed=True)
        self.c.drawPath(mass, ink(p.hair_shade))
        with inside(self.c, mass):
            dab(self.c, h.back + 14 * self.lx, 4, 34, 42, mix(p.hair, p.hair_shade, 0.35), 0.85)
            dab(self.c, 6 * self.head.sin, 30, 19, 22, toned(p.hair_shade, -0.1), 0.75)

    def curled(self, points: Sequence[Point]) -> list[Point]:
        """Curly hair has a soft scalloped edge: along it, every other point is pushed out, the others in."""
        k, x0 = self.hair.curl, self.hair.back
        if not k:
            return list(points)
        xy = np.array(points)
        along = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T).cumsum()])
        n = 2 * max(1, round(along[-1] / 6.5))
        place = np.linspace(0, along[-1], n + 1)
        x, y = np.interp(place, along, xy[:, 0]) - x0, np.interp(place, along, xy[:, 1]) + 4
        push = 1 + np.where(np.arange(n + 1) % 2, 1.25 * k, -0.45 * k) / np.maximum(np.hypot(x, y), 1)
        return list(zip((x0 + x * push).tolist(), (y * push - 4).tolist(), strict=True))

    def bun(self) -> None:
        h, p = self.hair, self.p
        r = 6 + 5 * self.f["hair_length"]
        x, y = 2.2 * h.back, -29 - h.rise - 0.35 * r
        self.c.drawOval(skia.Rect.MakeLTRB(x - 1.12 * r, y - r, x + 1.12 * r, y + r), ink(p.hair))
        dab(self.c, x + 0.4 * r * self.lx, y - 0.35 * r, 0.9 * r, 0.7 * r, p.hair_glow, 0.7)
        dab(self.c, x - 0.5 * r * self.lx, y + 0.7 * r, 1.1 * r, 0.8 * r, p.hair_shade, 0.8)
        for t in (-0.45, 0.1, 0.6):
            swirl = smooth([(x - r, y + 0.5 * r * t), (x, y - 0.5 * r + r * t), (x + r, y + 0.5 * r * t)])
            self.c.drawPath(swirl, ink(p.hair_shade, 0.35, 0, 0.7))

    def neck_and_clothing(self) -> None:
        c, p, f = self.c, self.p, self.f
        lean = 26 * math.sin(math.radians(f["tilt"])) * 0.12 + 3 * self.head.sin
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
        c.drawPath(neck, linear((-12, 0), (12, 0), self.sided(p.skin, p.shade)))
        with inside(c, neck):
            chin = 10 * self.head.sin
            dab(c, chin - 3 * self.lx, 27 * self.head.long, 19, 13.5, toned(p.shade, -0.05), 0.95)
        self.clothing()

    def sided(self, colour: Lab, shade: Lab) -> list[tuple[float, Lab, float]]:
        """Stops of a gradient from left to right, light on the lit side."""
        left = mix(colour, shade, 0.75 * self.power * max(self.lx, 0) + 0.12)
        right = mix(colour, shade, 0.75 * self.power * max(-self.lx, 0) + 0.12)
        return [(0, left, 1), (0.5, mix(colour, mix(left, right, 0.5), 0.3), 1), (1, right, 1)]

    def clothing(self) -> None:
        c, p, f = self.c, self.p, self.f
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
        c.drawPath(body, linear((-40, 40), (40, 40), self.sided(p.cloth, dark)))
        with inside(c, body):
            dab(c, 22 * self.lx, 42, 30, 12, toned(p.cloth, 0.12), 0.7 * self.power)
            dab(c, 2 * self.head.sin, 38, 20, 9, dark, 0.7)
            w = self.weave[40:]
            for i in range(4):
                x, y, bend = (w[3 * i : 3 * i + 3] - 0.5).tolist()
                path = smooth(
                    [(80 * x - 9, 47 + 8 * y - 3), (80 * x, 47 + 8 * y + 6 * bend), (80 * x + 9, 47 + 8 * y + 3)]
                )
                c.drawPath(path, ink(toned(p.cloth, 0.1 if i % 2 else -0.1), 0.35 * f["brush"], 0.8, 3.5))
        {"round neck": self.round_neck, "collar": self.collar, "scarf": self.scarf}[f["clothing"]]()

    def round_neck(self) -> None:
        p = self.p
        edge = smooth([(-12, 36.2), (-7.5, 40.2), (0, 42.9), (7.5, 40.2), (12, 36.2)])
        self.c.drawPath(edge, ink(toned(p.cloth, -0.12), 0.8, 0, 2.6))
        self.c.drawPath(edge, ink(toned(p.accent, 0.02), 0.9, 0, 1.3))

    def collar(self) -> None:
        p = self.p
        for s in SIDES:
            lit = 0.5 + 0.5 * s * self.lx
            flap = smooth(
                [(s * 9.5, 33.5), (s * 13.5, 37), (s * 14.5, 43), (s * 9, 48.5), (s * 4, 44.5), (s * 0.3, 42)],
                closed=True,
            )
            self.c.drawPath(flap, ink(toned(p.cloth, -0.2), 0.35, 1.0))
            self.c.drawPath(flap, ink(mix(toned(p.accent, -0.05), toned(p.accent, 0.1), lit)))
            self.c.drawPath(
                smooth([(s * 9.5, 33.8), (s * 6, 39), (s * 0.3, 42)]), ink(toned(p.accent, -0.14), 0.6, 0, 0.7)
            )

    def scarf(self) -> None:
        c, p = self.c, self.p
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
        c.drawPath(band, linear((-15, 0), (15, 0), self.sided(p.accent, toned(p.accent, -0.14))))
        with inside(c, band):
            dab(c, 7 * self.lx, 38, 12, 5, toned(p.accent, 0.12), 0.8 * self.power)
            for y in (35.5, 39.5, 43):
                fold = smooth([(-14, y - 3.5), (0, y + 3), (14, y - 3.5)])
                c.drawPath(fold, ink(toned(p.accent, -0.14), 0.4, 0, 0.9))

    # -- the face

    def head_shape(self) -> None:
        c, p, lx = self.c, self.p, self.lx
        nose = self.head.at(0, 2)[0]
        c.drawPath(
            self.face,
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
        with inside(c, self.face):
            amount = self.power * abs(lx)
            s = 1 if lx >= 0 else -1
            c.drawPaint(
                linear(
                    (4 * s, 0),
                    (-21 * s, 6),
                    [(0, p.shade, 0), (0.55, p.shade, 0.42 * amount), (1, p.shade, 0.9 * amount)],
                )
            )
            dab(c, *self.head.at(0, -14), 13, 8, p.glow, 0.5)
            dab(c, *self.head.at(0, 26), 7, 4, p.glow, 0.3)
            rim = mix(toned(p.ground, 0.12), p.skin, 0.25)
            c.drawPath(self.face, self.rim(rim, s))

    def rim(self, colour: Lab, s: int) -> skia.Paint:
        """Light of the background caught by the edge of the shadow side."""
        alpha = 0.6 * self.power * abs(self.lx)
        paint = linear((-s * 10, 0), (-s * 20, 0), [(0, colour, 0), (1, colour, alpha)])
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(2.4)
        return paint

    def cheeks(self) -> None:
        f, p = self.f, self.p
        lift = 1.2 * max(f["smile"], 0)
        with inside(self.c, self.face):
            for s in SIDES:
                x, y = self.head.at(s * 0.68, 8.5 - lift)
                k = min(self.head.width(s * 0.68), 1.15)
                dab(self.c, x, y, 8.2 * k, 6.4, p.blush, 0.2 + 0.5 * f["blush"])
                dab(self.c, x + 1.2 * self.lx, y - 3, 4 * k, 2.4, p.glow, 0.25 + 0.3 * max(f["smile"], 0))

    def ears(self) -> None:
        p = self.p
        for s in SIDES:
            x, y = self.ear(s)
            r = 3.0
            self.c.drawOval(
                skia.Rect.MakeLTRB(x - r, y - 4.6, x + r, y + 4.6),
                ink(mix(p.skin, p.shade, 0.35 - 0.3 * s * self.lx * self.power)),
            )
            dab(self.c, x, y, 2.6, 3.8, mix(p.shade, p.blush, 0.5), 0.8)

    def ear(self, s: int) -> Point:
        return s * 0.98 * self.head.W * math.cos(self.head.turn) - 1.5 * self.head.sin + s * 1.3, 2.0

    def eye_place(self, s: int) -> tuple[float, float, float]:
        """Longitude, height, size."""
        return s * (0.43 + 0.075 * self.f["eye_spacing"]), -1.5, 0.97 + 0.27 * self.f["eye_size"]

    def eye(self, s: int) -> None:
        c, p, f, head = self.c, self.p, self.f, self.head
        a0, v0, size = self.eye_place(s)
        opened = f["eye_open"]
        up, down = size * (0.9 + 3.8 * opened), size * (1.2 + 1.5 * opened - 0.5 * max(f["smile"], 0))
        reach = 0.285 * size

        def lid(height: float, lean: float) -> list[Point]:
            # From the inner to the outer corner; the outer corner sits a little higher.
            shape = ((-1, 0.0), (-0.62, 0.62), (-0.1 + lean, 1.0), (0.5 + lean, 0.78), (1, 0.0))
            return [head.at(a0 + s * t * reach, v0 + height * h - 0.7 * t) for t, h in shape]

        upper, lower = lid(-up, 0.0), lid(down, 0.1)
        x, y = head.at(a0, v0)
        k = head.width(a0)
        self.socket(x, y, k, size, upper)
        white = ribbon(upper, lower)
        c.drawPath(white, ink(mix(WHITE, p.ground, 0.05)))
        with inside(c, white):
            ix = x + k * size * 1.75 * f["gaze_x"]
            iy = y + 0.25 + 1.25 * f["gaze_y"] - 0.2 * up * 0.3
            self.iris(ix, iy, k, size)
            c.drawPath(smooth(upper), ink(oklch(0.45, 0.05, 300), 0.4, 0.7, 2.6))
        self.lashes(s, upper, lower, size)

    def socket(self, x: float, y: float, k: float, size: float, upper: Sequence[Point]) -> None:
        """Soft shadow about the eye, and the fold of the lid."""
        c, p = self.c, self.p
        with inside(c, self.face):
            dab(c, x, y - 0.8, 8.6 * k * size, 6.8 * size, mix(p.shade, p.lip, 0.3), 0.42)
            fold = smooth([(px, py - 1.7 * size) for px, py in upper[1:]])
            c.drawPath(fold, ink(toned(p.shade, -0.06), 0.6, 0, 0.75))

    def iris(self, x: float, y: float, k: float, size: float) -> None:
        c, p = self.c, self.p
        r = 3.35 * size
        c.save()
        c.translate(x, y)
        c.scale(k, 1)
        c.drawCircle(
            0,
            0,
            r,
            radial(
                0,
                0.45 * r,
                1.3 * r,
                [(0, toned(p.iris, 0.2), 1), (0.5, p.iris, 1), (0.85, toned(p.iris, -0.2), 1), (1, DARK, 1)],
            ),
        )
        c.drawCircle(0, 0, r, ink(mix(DARK, p.iris, 0.25), 0.9, 0, 0.5))
        c.drawCircle(0, 0, 0.54 * r, ink(oklch(0.12, 0.02, 300)))
        c.restore()
        c.drawCircle(
            x + k * 0.36 * r * (0.35 + 0.65 * abs(self.lx)) * (1 if self.lx >= 0 else -1),
            y - 0.38 * r,
            0.27 * r,
            ink(WHITE, 0.96),
        )

    def lashes(self, s: int, upper: Sequence[Point], lower: Sequence[Point], size: float) -> None:
        c = self.c
        long = 0.55 + 0.6 * self.f["lashes"]
        dark = mix(DARK, self.p.brow, 0.3)
        (ox, oy), (nx, _) = upper[-1], upper[-2]
        outward = ox - nx
        edge = [upper[0], *[(x, y + 0.25) for x, y in upper[1:-1]], (ox + 0.25 * outward, oy - 0.25)]
        flick = (ox + (0.25 + 0.5 * long) * outward, oy - 1.0 * long * size)
        thick = [
            (upper[0][0], upper[0][1] - 0.15),
            *[(x, y - t * long * size) for (x, y), t in zip(upper[1:-1], (0.75, 1.15, 1.35), strict=True)],
            flick,
        ]
        c.drawPath(ribbon(thick, edge), ink(dark, 0.96))
        c.drawPath(smooth(lower[1:]), ink(mix(dark, self.p.shade, 0.55), 0.65, 0, 0.55))

    def brow(self, s: int) -> None:
        f, head = self.f, self.head
        a0, _, _ = self.eye_place(s)
        v = -9.6 - 2.4 * f["brow_height"]
        slant, weight = 1.9 * f["brow_angle"], 0.85 + 1.0 * f["brow_weight"]
        line = [
            (-0.27, 0.35 + slant),
            (-0.08, -0.7 + 0.35 * slant),
            (0.13, -1.0 - 0.35 * slant),
            (0.33, 0.7 - 0.7 * slant),
        ]
        top = [head.at(a0 + s * t, v + h - w * weight) for (t, h), w in zip(line, (0.55, 0.75, 0.6, 0.0), strict=True)]
        low = [
            head.at(a0 + s * t, v + h + w * weight) for (t, h), w in zip(line, (0.75, 0.55, 0.35, 0.05), strict=True)
        ]
        path = ribbon(top, low)
        self.c.drawPath(path, ink(self.p.brow, 0.35, 0.7))
        self.c.drawPath(path, ink(self.p.brow, 0.88))

    def nose(self) -> None:
        c, p, f, head = self.c, self.p, self.f, self.head
        tip = 7.2 + 2.6 * f["nose_length"]
        w = 2.7 + 1.5 * f["nose_size"]
        out = 5.5 * head.sin  # a nose stands off the head
        x, y = head.at(0, tip)
        x += out
        away = -1 if self.lx >= 0 else 1
        side = 0.4 * self.power * abs(self.lx)
        bridge = head.at(0, -4)
        with inside(c, self.face):
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
            ridge = smooth([(bridge[0] + 0.7 * self.lx, bridge[1] + 1), (x + 0.7 * self.lx, y - 0.8)])
            c.drawPath(ridge, ink(toned(p.glow, 0.05), 0.45, 0.7, 1.6))
            c.drawCircle(x + 0.9 * self.lx, y - 0.8, 0.8, ink(WHITE, 0.45, 0.4))

    def beard(self) -> None:
        if self.f["beard"] == "none":
            return
        c, p, head = self.c, self.p, self.head
        colour = mix(p.hair, p.hair_shade, 0.35)
        colour = (min(colour[0], p.skin[0] - 0.07), colour[1], colour[2])
        jaw = [(x * 1.02, y + 0.9) for x, y in head.outline() if y > 7]
        right, left = (max(jaw), min(jaw))
        rim = [(left[0] * 0.99, -1.5), *reversed(jaw), (right[0] * 0.99, -1.5)]
        out = 2.2 * head.sin
        places = ((0.98, 5.5), (0.72, 11.5), (0.47, 13.2), (0.2, 11.9))
        over = [head.at(a, v) for a, v in places]
        under = [head.at(-a, v) for a, v in reversed(places)]
        x, y = head.at(0, 12.7)
        path = smooth([*rim, *over, (x + out, y), *under], closed=True)
        c.drawPath(path, ink(colour, 0.55, 0.9))
        c.drawPath(path, linear((-18, 0), (18, 0), self.sided(colour, toned(colour, -0.1))))
        with inside(c, path):
            x, y = head.at(0, 24)
            dab(c, x + 4 * self.lx, y, 9, 5, p.hair_glow, 0.45)
            for a in (0.15, 0.45, 0.75):
                for s in SIDES:
                    lock = smooth([head.at(s * a, 19), head.at(s * a * 0.9, 24), head.at(s * a * 0.75, 30)])
                    c.drawPath(lock, ink(p.hair_shade, 0.45, 0, 0.9))

    def mouth(self) -> None:
        c, p, f, head = self.c, self.p, self.f, self.head
        smile = f["smile"]
        gap = 5.6 * smoothstep(0.35, 1, f["mouth_open"])
        reach = (0.325 + 0.10 * f["mouth_width"]) * (1 + 0.13 * smile - 0.08 * gap / 5.6)
        full = 0.7 + 0.65 * f["lips"]
        v = 16.6
        bend = 0.1 + (0.95 * smile if smile > 0 else (0.75 - 0.06 * gap) * smile)
        corner, middle = v - 2.9 * bend, v + 0.9 * bend
        shape = (-1, -0.62, -0.2, 0, 0.2, 0.62, 1)

        def curve(lift: Sequence[float]) -> list[Point]:
            row = []
            for t, d in zip(shape, lift, strict=True):
                px, py = head.at(t * reach, middle + (corner - middle) * abs(t) ** 1.7 + d)
                row.append((px + 2.2 * head.sin, py))
            return row

        u, b = 0.42 * gap, 0.58 * gap
        seam_top = curve((0, -0.8 * u, -u, -u + 0.25, -u, -0.8 * u, 0))
        seam_low = curve((0, 0.8 * b, b, b, b, 0.8 * b, 0))
        top = curve(
            (-0.15, -u - 1.1 * full, -u - 1.75 * full, -u - 1.3 * full, -u - 1.75 * full, -u - 1.1 * full, -0.15)
        )
        low = curve((0.15, b + 1.35 * full, b + 2.25 * full, b + 2.4 * full, b + 2.25 * full, b + 1.35 * full, 0.15))
        x, y = low[3]
        with inside(c, self.face):
            dab(c, x, y + 1.0, 6.5, 2.2, p.shade, 0.65)
            for px, py in (top[0], top[-1]):
                dab(c, px, py, 2.4, 2.2, p.shade, 0.55)
        inner = ribbon(seam_top, seam_low)
        if gap > 0.05:
            self.open_mouth(inner, seam_top, gap)
        c.drawPath(ribbon(top, seam_top), ink(toned(p.lip, -0.09)))
        c.drawPath(ribbon(seam_low, low), ink(toned(p.lip, 0.04)))
        if gap < 1.2:
            c.drawPath(smooth(seam_top), ink(toned(p.lip, -0.3, 0.8), 0.85 * (1 - gap / 1.2) + 0.1, 0, 0.75))
        dab(c, x + 1.2 * self.lx, y - 1.4 * full, 2.6, 0.9, mix(WHITE, p.lip, 0.25), 0.55)

    def open_mouth(self, inner: skia.Path, seam: Sequence[Point], gap: float) -> None:
        c = self.c
        c.drawPath(inner, ink(oklch(0.2, 0.07, 15)))
        with inside(c, inner):
            x, y = seam[3]
            dab(c, x, y + gap + 0.6, 4.5, 2.4, oklch(0.6, 0.15, 20), 0.85)
            teeth = [(px, py + 0.12 * gap) for px, py in seam[1:-1]]
            shown = 0.55 + 0.45 * max(self.f["smile"], -0.6)
            c.drawPath(smooth(teeth), ink(WHITE, 0.92, 0, (0.16 + 0.36 * shown) * gap))

    def lines(self) -> None:
        """Of age and of laughing."""
        c, p, f, head = self.c, self.p, self.f, self.head
        old = 0.8 * smoothstep(0.35, 1, f["age"])
        colour = toned(p.shade, -0.05)
        with inside(c, self.face):
            for s in SIDES:
                fold = smooth([head.at(s * 0.22, 9.5), head.at(s * 0.37, 12.5), head.at(s * 0.43, 16.5)])
                c.drawPath(fold, ink(colour, 0.5 * old + 0.25 * max(f["smile"], 0), 0, 0.9))
                if old > 0:
                    a0, v0, size = self.eye_place(s)
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

    # -- hair, and what is worn

    def hairline(self, s: int) -> list[Point]:
        """From the parting to the temple of side `s`: a curtain that opens, or a fringe just above the brows."""
        f, head = self.f, self.head
        root, temple = 0.55 * f["parting"], s * 1.22
        points = []
        for t in (0, 0.25, 0.5, 0.75, 1.0):
            a = root + (temple - root) * t
            v = -23.6 + 1.4 * abs(f["parting"]) + 17.8 * t ** (2.1 - 0.5 * abs(f["parting"]) + 0.6 * f["fringe"])
            v += 10.0 * f["fringe"] ** 1.2 * (1 - t**3) * (0.35 + 0.65 * math.sin(math.pi * min(1.2 * t + 0.12, 1)))
            clear = -12.6 + 9.6 * smoothstep(0.5, 1.15, abs(a))  # never over the eyes
            points.append(head.at(a, min(v, clear)))
        return points

    def wing(self, s: int) -> list[Point]:
        """The hair on one side of the parting, from the parting over the crown, down and back up along the face."""
        f, h, head = self.f, self.hair, self.head
        line = self.hairlines[s]
        root = line[0]
        top = 0.5 * (root[0] - h.back)
        crown = (h.back + top - 0.8 * s, -6 - (23 + h.rise) * math.sqrt(1 - (top / h.width) ** 2))
        outer = [p for p in h.over(s) if (p[0] - crown[0]) * s > 2.5]
        if f["hair_style"] == "updo" or h.end < 2:
            x, _ = head.at(s * 1.42, 1.5)
            temple = [(h.back * 0.5 + s * (h.width - 0.3), -4), (x + s * 0.5, 1.0), (x - s * 1.2, -1.5)]
            return [root, *self.curled([crown, *outer]), *temple, *reversed(line[1:])]
        side = h.side(s, h.end)
        tip = side[-1]
        inner: list[Point] = []
        n = max(1, int((h.end - 4) / 7))
        for y in (h.end - 1.5 + (5.5 - h.end) * k / n for k in range(n + 1)):
            fx = head.at(s * 1.3, min(y, 22))[0]
            fx += s * smoothstep(8, 26, y) * (0.5 + 2.5 * f["hair_volume"])
            inner.append((fx + 0.6 * s * h.wave(y), y))
        end = (tip[0] * 0.6 + inner[0][0] * 0.4, h.end + 1.2)
        return [root, *self.curled([crown, *outer, *side[1:]]), end, *inner, *reversed(line[1:])]

    def hair_shadow(self) -> None:
        """The hair darkens the forehead and the sides of the face."""
        with inside(self.c, self.face):
            for s in SIDES:
                path = skia.Path(self.wings[s])
                path.offset(-0.9 * self.lx, 1.6)
                self.c.drawPath(path, ink(toned(self.p.shade, -0.06), 0.6, 1.3))

    def hair_in_front(self) -> None:
        c, p, h = self.c, self.p, self.hair
        for s in SIDES:
            path = self.wings[s]
            lit = 0.5 + 0.5 * s * self.lx * self.power
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
                self.strands(s, lit)

    def strands(self, s: int, lit: float) -> None:
        """Light and dark locks that follow the flow from the parting, and the band of light across them."""
        c, p, h = self.c, self.p, self.hair
        dab(c, h.back + s * h.width, 2, 9, 30, p.hair_shade, 0.85 - 0.6 * lit)
        if h.curl:
            self.curls(s, lit)
            return
        for t in (0.05, 0.36, 0.68):
            c.drawPath(smooth(self.lock(s, t)), ink(p.hair_shade, 0.4, 0.8, 2.2))
        for t in (0.2, 0.52, 0.86):
            c.drawPath(smooth(self.lock(s, t)), ink(p.hair_glow, 0.16 + 0.3 * lit, 0.7, 1.9))
        for t in (0.13, 0.44, 0.6, 0.78):
            c.drawPath(smooth(self.lock(s, t)), ink(toned(p.hair_shade, -0.05), 0.28, 0, 0.45))
        self.sheen(s, lit)

    def lock(self, s: int, t: float) -> list[Point]:
        """One lock on side `s`: `t` 0 lies along the face, 1 along the outer edge."""
        h = self.hair
        root = self.hairlines[s][0][0]
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

    def sheen(self, s: int, lit: float) -> None:
        """The band of light that crosses the hair at the crown."""
        h = self.hair
        points = []
        for t in (0.15, 0.5, 0.85, 1.2):
            points.append((h.back + s * 0.86 * h.width * math.sin(t), -6 - 0.8 * (23 + h.rise) * math.cos(t)))
        self.c.drawPath(smooth(points), ink(self.p.hair_glow, 0.2 + 0.5 * lit, 1.5, 3.2))

    def curls(self, s: int, lit: float) -> None:
        """A cloud of curls: soft touches of light over soft touches of shade."""
        c, p, h = self.c, self.p, self.hair
        size = 4.0 + 1.6 * h.curl
        row, y = 0, -27.0 - h.rise
        while y < h.end:
            half = max(h.half(y), 6.0)
            for i in range(3):
                # The golden ratio keeps rows from lining up.
                t = (i + (0.618 * row) % 1) / 3
                x, d = h.back + s * half * t, y + 2.0 * math.sin(7.0 * t + 2.4 * row)
                dab(c, x - 0.5 * self.lx, d + 2.2, 1.2 * size, 1.0 * size, p.hair_shade, 0.5)
                dab(c, x + 0.9 * self.lx, d, 0.9 * size, 0.8 * size, p.hair_glow, 0.2 + 0.35 * lit)
            y += 1.35 * size
            row += 1

    def glasses(self) -> None:
        if self.f["glasses"] == "none":
            return
        c, head = self.c, self.head
        rim = mix(toned(self.p.accent, -0.2), oklch(0.42, 0.08, 60), 0.5)
        rim = rim if self.p.skin[0] > 0.55 else oklch(0.83, 0.11, 85)
        bridge = []
        for s in SIDES:
            a0, v0, _ = self.eye_place(s)
            x, y = head.at(a0, v0)
            k, r = head.width(a0), 7.3
            oval = skia.Rect.MakeLTRB(x - r * k, y - 0.3 - r, x + r * k, y - 0.3 + r)
            c.drawOval(oval, ink(WHITE, 0.10))
            c.drawOval(oval, ink(rim, 0.95, 0, 0.95))
            c.drawPath(smooth([(x + s * r * k, y - 1.5), (self.ear(s)[0], y - 1)]), ink(rim, 0.8, 0, 0.8))
            bridge.append((x - s * r * k, y - 1.2))
        (x0, y0), (x1, y1) = bridge
        c.drawPath(smooth([(x0, y0), ((x0 + x1) / 2, y0 - 1.3), (x1, y1)]), ink(rim, 0.95, 0, 0.95))

    def earrings(self) -> None:
        if self.f["earrings"] == "none":
            return
        gold = mix(oklch(0.80, 0.14, 85), self.p.accent, 0.25)
        for s in SIDES:
            shown = 1 - smoothstep(0.14, 0.22, s * self.head.turn)  # the far ear is hidden
            x, y = self.ear(s)[0] + 0.3 * s, 10.5
            self.c.drawPath(smooth([(x, 6), (x, 9)]), ink(gold, shown, 0, 0.6))
            self.c.drawCircle(x, y, 2.3, ink(toned(gold, -0.28), shown))
            self.c.drawCircle(x, y, 1.85, ink(gold, shown))
            dab(self.c, x + 0.6 * self.lx, y - 0.7, 1.3, 1.2, WHITE, 0.95 * shown)

    def headwear(self) -> None:
        {"none": lambda: None, "hat": self.hat, "headband": self.headband}[self.f["headwear"]]()

    def hat(self) -> None:
        c, p, h, lx = self.c, self.p, self.hair, self.lx
        colour = mix(p.accent, p.cloth, 0.3)
        dark = toned(colour, -0.16)
        x = -2.5 * self.head.sin
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
        c.drawPath(crown, linear((x - w, 0), (x + w, 0), self.sided(colour, dark)))
        with inside(c, crown):
            dab(c, x + 9 * lx, -33, 15, 9, toned(colour, 0.14), 0.8 * self.power)
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
        c.drawPath(path, linear((x - w, 0), (x + w, 0), self.sided(toned(colour, 0.02), dark)))
        with inside(c, path):
            c.drawPath(smooth(brim[:5]), ink(dark, 0.7, 0.5, 1.5))
            dab(c, x + 12 * lx, -15, 16, 3, toned(colour, 0.14), 0.7 * self.power)

    def headband(self) -> None:
        c, p, h = self.c, self.p, self.hair
        colour, x = p.accent, h.back
        w = h.width + 0.4
        front = 5 * self.head.sin
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
        c.drawPath(band, linear((x - w, 0), (x + w, 0), self.sided(colour, toned(colour, -0.15))))
        with inside(c, band):
            dab(c, x + 8 * self.lx, -24, 11, 4, toned(colour, 0.14), 0.85 * self.power)

    # -- the whole sheet

    def finish(self) -> None:
        """Light of one colour over everything, from its side; cool shadow from the other."""
        c, p = self.c, self.p
        glaze = linear(
            (50 + 50 * self.lx, 0),
            (50 - 50 * self.lx, 100),
            [(0, p.light, 0.42 * self.power), (0.55, p.light, 0.08), (1, oklch(0.3, 0.06, 280), 0.32 * self.power)],
        )
        glaze.setBlendMode(skia.BlendMode.kSoftLight)
        c.drawPaint(glaze)


def landmarks(f: Factors) -> dict[str, Point]:
    """Where the painter puts "left eye", "right eye" (of the picture), "nose" (its tip) and "mouth", in hundredths from top left.

    An eye is the middle of its opening, wherever the pupil looks; the mouth is the middle of its seam.
    """
    head = Head(f)
    places = {}
    for name, s in (("left eye", -1), ("right eye", 1)):
        size = 0.97 + 0.27 * f["eye_size"]
        up, down = size * (0.9 + 3.8 * f["eye_open"]), size * (1.2 + 1.5 * f["eye_open"] - 0.5 * max(f["smile"], 0))
        places[name] = head.at(s * (0.43 + 0.075 * f["eye_spacing"]), -1.5 + 0.4 * (down - up))
    x, y = head.at(0, 7.2 + 2.6 * f["nose_length"])
    places["nose"] = (x + 5.5 * head.sin, y)
    smile, gap = f["smile"], 5.6 * smoothstep(0.35, 1, f["mouth_open"])
    bend = 0.1 + (0.95 * smile if smile > 0 else (0.75 - 0.06 * gap) * smile)
    x, y = head.at(0, 16.6 + 0.9 * bend + 0.08 * gap)
    places["mouth"] = (x + 2.2 * head.sin, y)
    return {name: _posed(f, place) for name, place in places.items()}


def _posed(f: Factors, place: Point) -> Point:
    """From the head's units, untilted, to hundredths of the picture: what `paint` and `posed` do to the canvas."""
    t = math.radians(f["tilt"])
    x, y = place[0], place[1] - 26
    x, y = x * math.cos(t) - y * math.sin(t), x * math.sin(t) + y * math.cos(t) + 26
    zoom = ZOOM * f["scale"]
    return 50 + 100 * f["shift_x"] + zoom * x, 52 + 100 * f["shift_y"] + zoom * y


@lru_cache(maxsize=8)
def paper(side: int) -> np.ndarray:
    """Tooth of the paper [side, side, 1], of mean 0: fine grain and, below it, soft fibres."""
    rng = np.random.RandomState(61)
    fine = rng.standard_normal((side, side)).astype(np.float32)
    rough = sum(np.roll(fine, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)) / 4
    return (0.5 * fine + rough)[:, :, None]


def grained(picture: np.ndarray, f: Factors) -> np.ndarray:
    """Grain of up to 2.2 grey levels; finer pictures show as much of it as coarse ones."""
    size = picture.shape[0]
    tooth = paper(size)
    shift = int(f["weave"] * size)
    amount = 2.2 * f["grain"] * min(1.0, size / 192)
    rolled = np.roll(tooth, (shift, (shift * 7) % size), (0, 1))
    return np.minimum(np.maximum(picture + amount * rolled + np.float32(0.5), 0), 255).astype(np.uint8)


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
