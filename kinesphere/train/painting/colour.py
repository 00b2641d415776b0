"""The colours of a portrait, in harmony: thought in OKLCH (Ottosson 2020) and mixed in OKLab."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from kinesphere.train.painting.units import Factors, smoothstep

Lab = tuple[float, float, float]  # OKLab


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
