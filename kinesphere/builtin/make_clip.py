"""Draws the built-in clip: a dancer on a lit stage, twelve seconds that loop without a seam, with a soft sound.

    python -m kinesphere.builtin.make_clip OUT.mp4

Everything that moves is a closed curve of the loop's time, and all chance comes from one seed, so the clip is the same
every time. It is what Kinesphere is played with where there is no camera, so its lights are set for the regions that
features look at: the top, the bottom left and the bottom right brighten, move and change colour at different times.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from kinesphere.sinks import VideoFile

WIDTH, HEIGHT, FPS, SECONDS = 640, 360, 30, 12
BEATS = 16  # in the loop: 80 per minute
SHUTTER = 3  # pictures averaged into each frame, over half of its time
RATE = 48000  # Hz
SEED = 1920  # the year in which Laban's first book on dance appeared

Point = np.ndarray  # [3] float: x to the right, y up, z towards the viewer


# --- time: closed curves ---------------------------------------------------------------------------------------------


def through(keys: Sequence[float], u: float) -> float:
    """A smooth closed curve through evenly spaced `keys` (Catmull-Rom); `u` is the time, 1 once round."""
    place = u % 1 * len(keys)
    n, s = int(place), place % 1
    a, b, c, d = (keys[(n + k) % len(keys)] for k in (-1, 0, 1, 2))
    return b + 0.5 * s * (c - a + s * (2 * a - 5 * b + 4 * c - d + s * (3 * (b - c) + d - a)))


def bump(u: float, centre: float, width: float) -> float:
    """A soft pulse from 0 to 1 and back around `centre`, `width` wide, once in the loop."""
    distance = abs((u - centre + 0.5) % 1 - 0.5) / width
    return float(np.cos(np.pi * min(distance, 0.5)) ** 2) if distance < 0.5 else 0.0


def smooth(s: float) -> float:
    return s * s * (3 - 2 * s)


# --- the dancer ------------------------------------------------------------------------------------------------------

# eight moments, a second and a half apart; angles in degrees from hanging down, outwards and up being positive
PLACE = [0.00, -0.30, -0.72, -0.62, -0.05, 0.38, 0.74, 0.50]  # across the stage
NEAR = [1.02, 1.08, 1.42, 1.34, 0.98, 1.00, 1.36, 1.28]  # height of the body; the picture is 2 high
LEAN = [0, -7, -13, 5, 2, 8, 12, -5]
TURN = [10, -25, -35, 15, 40, 25, 35, -10]
LEFT_ARM = [35, 100, 158, 118, 62, 28, 74, 96]
LEFT_ELBOW = [22, 30, 12, 48, 34, 40, 62, 18]
RIGHT_ARM = [35, 48, 72, 104, 156, 112, 150, 70]
RIGHT_ELBOW = [22, 46, 66, 20, 14, 36, 16, 44]
HEAD = [0, 12, 18, -8, -14, -8, -16, 8]

ARM_RADII = ((0.032, 0.025), (0.025, 0.017), (0.017, 0.009))  # upper arm, forearm, hand: at both ends
UPPER_ARM, FOREARM, THIGH, SHIN = 0.165, 0.155, 0.245, 0.245  # parts of the height
HIGH_STEPS = {4: 0.20, 9: 0.16, 13: 0.24}  # beats at which a foot leaves the floor for more than a step


def scale_at(u: float) -> float:
    return through(NEAR, u)


def floor_y(scale: float) -> float:
    """Where someone of that apparent height stands: the nearer, the lower."""
    return -0.22 - 0.45 * scale


def plant(beat: int, side: int) -> tuple[float, float]:
    """(x, scale) of the place where the foot of `side` comes down at the end of `beat`."""
    u = (beat + 1.5) / BEATS
    return through(PLACE, u) + 0.075 * side, scale_at(u)


def foot(u: float, side: int) -> Point:
    """A foot on the stage: planted for a beat, carried to its next place in the next, feet by turns."""
    place = u % 1 * BEATS
    beat, s = int(place), place % 1
    moves = beat % 2 == (0 if side < 0 else 1)
    last = beat - 2 if moves else beat - 1
    (x0, k0), (x1, k1) = plant(last, side), plant(beat, side)
    if not moves:
        x1, k1 = x0, k0
    carried, lift = smooth(s), np.sin(np.pi * s) ** 2 if moves else 0.0
    high = HIGH_STEPS.get(beat, 0.035) if moves else 0.0
    x, k = x0 + (x1 - x0) * carried, k0 + (k1 - k0) * carried
    return np.array([(x + side * lift * high * 0.9) * k, floor_y(k) + lift * high * k + 0.02 * k, 0.0])


def bent_joint(top: Point, end: Point, upper: float, lower: float, bend: Point) -> tuple[Point, Point]:
    """The knee between hip and foot (and the foot, drawn in where the leg is too short): the law of cosines."""
    way = end - top
    length = float(np.linalg.norm(way))
    reach = min(length, 0.999 * (upper + lower))
    way = way / length
    along = (upper**2 - lower**2 + reach**2) / (2 * reach)
    aside = np.sqrt(max(upper**2 - along**2, 0.0))
    out = bend - way * float(bend @ way)
    out = out / np.linalg.norm(out)
    return top + way * along + out * aside, top + way * reach


def arm(shoulder: Point, side: int, angle: float, elbow: float, k: float) -> list[Point]:
    a, b = np.radians(angle), np.radians(angle + elbow)
    upper = np.array([side * np.sin(a), -np.cos(a), 0.25]) * UPPER_ARM * k
    lower = np.array([side * np.sin(b), -np.cos(b), 0.45]) * FOREARM * k
    joint = shoulder + upper
    wrist = joint + lower
    return [shoulder, joint, wrist, wrist + lower * 0.42 + np.array([0, -0.006 * k, 0])]


def bones(u: float) -> list[tuple[Point, Point, float, float, int]]:
    """The body at `u` as tapered bones: (from, to, radius at the first, radius at the second, kind: a row of MATTER)."""
    k = scale_at(u)
    lean, turn, tilt = (np.radians(through(keys, u)) for keys in (LEAN, TURN, HEAD))
    bounce = 0.012 * np.cos(2 * np.pi * u * BEATS)
    sway = 0.02 * np.sin(np.pi * u * BEATS)
    base = np.array([(through(PLACE, u) + sway) * k, floor_y(k) + (0.475 + bounce) * k, 0.0])
    up = np.array([np.sin(lean), np.cos(lean), 0.0])
    across = np.array([np.cos(lean) * np.cos(turn), -np.sin(lean), np.sin(turn)])
    chest, neck = base + up * 0.21 * k, base + up * 0.335 * k
    head = neck + np.array([np.sin(lean + tilt), np.cos(lean + tilt), 0.05]) * 0.10 * k
    face = np.array([np.sin(turn + 2 * tilt), 0.0, 0.35])
    parts = [
        (base + up * 0.02 * k, base + up * 0.10 * k, 0.082 * k, 0.062 * k, 1),
        (base + up * 0.10 * k, chest, 0.062 * k, 0.080 * k, 1),
        (chest, base + up * 0.27 * k, 0.080 * k, 0.055 * k, 1),
        (base + up * 0.28 * k, neck + up * 0.02 * k, 0.034 * k, 0.028 * k, 0),
        (head - up * 0.022 * k, head + up * 0.020 * k, 0.038 * k, 0.047 * k, 0),
        (head + up * 0.036 * k - face * 0.012 * k, head + up * 0.004 * k - face * 0.026 * k, 0.053 * k, 0.050 * k, 2),
        (head + up * 0.062 * k - face * 0.048 * k, head + up * 0.078 * k - face * 0.056 * k, 0.028 * k, 0.022 * k, 2),
    ]
    knees: list[Point] = []
    for side, arms, elbows in ((-1, LEFT_ARM, LEFT_ELBOW), (1, RIGHT_ARM, RIGHT_ELBOW)):
        shoulder = base + up * 0.272 * k + across * side * 0.088 * k
        joints = arm(shoulder, side, through(arms, u) + side * np.degrees(lean), through(elbows, u), k)
        for (a, b), (r, q) in zip(pairwise(joints), ARM_RADII, strict=True):
            parts.append((a, b, r * k, q * k, 0))
        parts.append((base + up * 0.265 * k, shoulder, 0.044 * k, 0.033 * k, 0))
        hip = base + across * side * 0.045 * k
        bend = np.array([side * 0.5 + np.sin(turn), 0.1, 0.35])
        knee, ankle = bent_joint(hip, foot(u, side), THIGH * k, SHIN * k, bend)
        knees.append(knee)
        parts.append((hip, knee, 0.062 * k, 0.040 * k, 1))
        parts.append((knee, ankle, 0.038 * k, 0.022 * k, 0))
        toe = ankle + np.array([side * 0.035 + 0.03 * np.sin(turn), -0.018, 0.05]) * k
        parts.append((ankle, toe, 0.021 * k, 0.013 * k, 0))
    return parts + skirt(u, base, knees, k)


def skirt(u: float, base: Point, knees: list[Point], k: float) -> list[tuple[Point, Point, float, float, int]]:
    """Folds from the hips to below the knees, which they cover; the hem follows where the hips were a moment ago."""
    before = u - 0.022
    drag = (through(PLACE, before) * scale_at(before) - through(PLACE, u) * k) * 1.6 / k
    folds = []
    for n in range(15):
        angle = (n - 7) / 7
        knee = (knees[0 if angle < 0 else 1] - base) / k
        ripple = np.sin(2 * np.pi * (8 * u + n / 5))
        wide = max(0.15 + 0.016 * ripple + 0.22 * abs(drag), abs(knee[0]) + 0.035 - drag * np.sign(angle))
        lifted = max(knee[1] + 0.235, 0) * abs(angle)
        low = -0.275 + 0.035 * angle**2 + 0.010 * np.sin(2 * np.pi * (16 * u + n / 4)) + 0.10 * abs(drag) + 0.9 * lifted
        front = 0.16 * np.cos(1.2 * angle) + 0.008 * (-1) ** n + 0.5 * lifted
        hem = base + np.array([wide * angle + drag * (1 - 0.25 * angle**2), low, front]) * k
        folds.append((base + np.array([angle * 0.058, 0.02, 0.05]) * k, hem, 0.042 * k, 0.030 * k, 1))
    return folds


# --- light and matter ------------------------------------------------------------------------------------------------

X, Y = (
    grid.astype(np.float32)
    for grid in np.meshgrid(
        (np.arange(WIDTH) + 0.5) / HEIGHT * 2 - WIDTH / HEIGHT, 1 - (np.arange(HEIGHT) + 0.5) / HEIGHT * 2
    )
)
PIXEL = 2 / HEIGHT
HORIZON = -0.42
BLEND = 0.009  # how softly limbs grow into each other, as part of the body's height

MATTER = np.array([(0.70, 0.44, 0.33), (0.46, 0.05, 0.08), (0.03, 0.02, 0.02)], np.float32)  # skin, cloth, hair
VIOLET, TEAL, AMBER, ROSE, WHITE = (
    np.array(c, np.float32)
    for c in ((0.30, 0.16, 0.62), (0.05, 0.55, 0.62), (1.0, 0.50, 0.14), (0.95, 0.22, 0.36), (1.0, 0.80, 0.56))
)


def mixed(colours: list[np.ndarray], u: float) -> np.ndarray:
    return np.array([through([float(c[n]) for c in colours], u) for n in range(3)], np.float32).clip(0, None)


def lamp(u: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The hanging lamp: where it is, its colour and its strength."""
    swing = 0.95 * np.sin(2 * np.pi * u + 0.6) + 0.28 * np.sin(6 * np.pi * u)
    where = np.array([swing, 0.93 - 0.10 * swing**2, 0.7], np.float32)
    strength = 0.75 + 0.55 * bump(u, 0.10, 0.30) + 0.45 * bump(u, 0.60, 0.26)
    return where, mixed([WHITE, AMBER, WHITE, ROSE * 0.8 + WHITE * 0.2], u), strength


def washes(u: float) -> tuple[np.ndarray, np.ndarray]:
    """The lights from the left and from the right, as colours times strengths."""
    left = 0.22 + 1.0 * bump(u, 0.30, 0.26) + 0.55 * bump(u, 0.86, 0.16)
    right = 0.22 + 1.0 * bump(u, 0.52, 0.24) + 0.75 * bump(u, 0.78, 0.22)
    return left * mixed([TEAL, TEAL, VIOLET, TEAL], u), right * mixed([AMBER, ROSE, AMBER, AMBER], u)


def soft(x: float, y: float, wide: float, high: float) -> np.ndarray:
    """A round, soft patch of light around (x, y): [H, W, 1]."""
    across, down = np.exp(-(((X[0] - x) / wide) ** 2)), np.exp(-(((Y[:, 0] - y) / high) ** 2))
    return np.outer(down, across)[..., None]


def beam(where: np.ndarray, aim: float) -> np.ndarray:
    """Haze lit by the lamp: a cone that widens and fades towards the floor, [H, W, 1]."""
    down = np.maximum(where[1] - Y, 0) / (where[1] - HORIZON)
    centre = where[0] + (aim - where[0]) * down
    width = 0.04 + 0.34 * down
    cone = np.exp(-(((X - centre) / width) ** 2)) * np.exp(-1.1 * down) * np.minimum(down * 7, 1)
    return cone[..., None]


def stage(u: float, feet: Point, k: float) -> np.ndarray:
    """The empty stage, [H, W, 3] in linear light: a curtain, a floor, what falls on them, and haze."""
    where, colour, strength = lamp(u)
    left, right = washes(u)
    sky = mixed([VIOLET, VIOLET * 0.7 + TEAL * 0.25, VIOLET * 0.7 + ROSE * 0.3, VIOLET], u + 0.1)
    wall = (0.018 + 0.055 * soft(0, 0.1, 1.3, 0.8)) * sky
    wall = wall + 0.20 * strength * soft(where[0], where[1] - 0.05, 0.80, 0.62) * colour * (0.7 * sky + 0.3)
    wall = wall + 0.26 * (soft(-1.8, -0.45, 0.80, 0.70) * left + soft(1.8, -0.45, 0.80, 0.70) * right)
    wall = wall * FOLDS
    floor = (0.012 + 0.016 * DEEP) * sky
    floor = floor + 0.34 * strength * soft(feet[0], feet[1], 0.60 * k, 0.15 * k) * colour
    floor = floor + 0.60 * (soft(-1.15, -0.80, 0.75, 0.24) * left + soft(1.15, -0.80, 0.75, 0.24) * right)
    floor = floor + 0.22 * wall[MIRROR] * np.exp(-4.5 * DEEP)
    picture = wall * EDGE + floor * (1 - EDGE)
    glow = 0.5 * soft(where[0], where[1], 0.10, 0.07) + 0.9 * soft(where[0], where[1], 0.035, 0.03)
    return picture + strength * (0.26 * beam(where, feet[0]) + glow) * colour


FOLDS = (1 + 0.20 * np.sin(13 * X + 2.2 * np.sin(3.1 * X)) + 0.08 * np.sin(41 * X + 1.3))[..., None]  # of the curtain
DEEP = np.clip((HORIZON - Y) / (1 + HORIZON), 0, 1)[..., None]  # 0 where the floor begins, 1 at our feet
EDGE = np.clip((Y - HORIZON) / 0.035 + 0.5, 0, 1)[..., None]  # 1 is curtain, 0 is floor
MIRROR = np.clip(
    np.minimum(np.round(2 * (1 - HORIZON) / PIXEL) - 1 - np.arange(HEIGHT), np.arange(HEIGHT)), 0, None
).astype(int)


def body(u: float) -> tuple[np.ndarray, np.ndarray]:
    """The dancer: light times coverage [H, W, 3], and coverage [H, W]."""
    parts, k = bones(u), scale_at(u)
    outside, weight = np.zeros_like(X), np.full_like(X, 1e-9)
    normal, matter = np.zeros((HEIGHT, WIDTH, 3), np.float32), np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for a, b, ra, rb, kind in parts:
        near = _window(np.minimum(a, b) - 0.11 * k, np.maximum(a, b) + 0.11 * k)
        x, y = X[near], Y[near]
        d = (b - a)[:2].astype(np.float32)
        s = np.clip(((x - a[0]) * d[0] + (y - a[1]) * d[1]) / max(float(d @ d), 1e-9), 0, 1)
        dx, dy, r = x - (a[0] + s * d[0]), y - (a[1] + s * d[1]), ra + s * (rb - ra)
        away = np.sqrt(dx * dx + dy * dy)
        outside[near] += np.exp(np.clip((r - away) / (BLEND * k), -20, 20))
        rise = np.sqrt(1 - np.clip(away / r, 0, 1) ** 2)
        height = a[2] + s * (b[2] - a[2]) + r * rise - 6 * np.maximum(away - r, 0)
        w = np.exp(np.clip(height / (0.016 * k), -20, 20)).astype(np.float32)
        weight[near] += w
        # at its ends a limb goes on into the next one: only short bones, such as the skull, are shaded as round there
        length = float(np.hypot(*d))
        along = (dx * d[0] + dy * d[1]) / max(length, 1e-6) ** 2 * min(max(length / ra - 1, 0), 1)
        nx, ny = (dx - along * d[0]) / r, (dy - along * d[1]) / r
        normal[near] += w[..., None] * np.stack([nx, ny, np.sqrt(1 - np.clip(nx * nx + ny * ny, 0, 1)) + 0.05], -1)
        matter[near] += w[..., None] * MATTER[kind]
    ends = np.array([point for a, b, *_ in parts for point in (a, b)])
    whole = _window(ends.min(0) - 0.1, ends.max(0) + 0.1)
    cover = np.clip(0.5 + BLEND * k * (np.log(outside + 1e-9)) / PIXEL, 0, 1)
    light = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    n = normal[whole] / (np.linalg.norm(normal[whole], axis=-1, keepdims=True) + 1e-9)
    light[whole] = lit(u, n, matter[whole] / weight[whole][..., None], ends.mean(0)) * cover[whole][..., None]
    return light, cover


def _window(low: Point, high: Point) -> tuple[slice, slice]:
    columns = np.clip(((np.array([low[0], high[0]]) + WIDTH / HEIGHT) / PIXEL).astype(int), 0, WIDTH)
    rows = np.clip(((1 - np.array([high[1], low[1]])) / PIXEL).astype(int), 0, HEIGHT)
    return slice(*rows), slice(*columns)


def lit(u: float, normal: np.ndarray, matter: np.ndarray, middle: Point) -> np.ndarray:
    """Light that the dancer sends to us: the lamp from above, the washes grazing from both sides, a little from all around."""
    where, colour, strength = lamp(u)
    left, right = washes(u)
    way = np.array([where[0] - middle[0], where[1] - middle[1], 0.35], np.float32)
    key = np.clip(normal @ (way / np.linalg.norm(way)), 0, 1)[..., None]
    graze = (1 - normal[..., 2:].clip(0, 1)) ** 1.6
    sides = [np.clip(normal @ np.array([side * 0.93, 0.16, 0.15], np.float32), 0, 1)[..., None] for side in (-1, 1)]
    rims = sides[0] * graze * left + sides[1] * graze * right
    fill = 0.06 * VIOLET + 0.35 * (sides[0] * left + sides[1] * right)
    return (
        matter * (fill + 0.75 * strength * key * colour + 1.5 * rims)
        + 0.45 * rims
        + 0.10 * strength * graze * key * colour
    )


def dancer(u: float) -> tuple[np.ndarray, np.ndarray]:
    """The dancer as a shutter sees her, open for half a frame."""
    moments = [body(u + 0.5 * n / SHUTTER / (FPS * SECONDS)) for n in range(SHUTTER)]
    light = np.mean([light for light, _ in moments], axis=0)
    cover = np.mean([cover for _, cover in moments], axis=0)
    return light, cover[..., None]


def picture(u: float) -> np.ndarray:
    """The stage with the dancer, her reflection and her shadow, [H, W, 3] in linear light."""
    import cv2

    k = scale_at(u)
    feet = (foot(u, -1) + foot(u, 1)) / 2
    feet[1] = floor_y(k)
    light, cover = dancer(u)
    ground = (1 - feet[1]) / PIXEL
    flip = np.array([[1, 0, 0], [0, -0.9, 1.9 * ground]], np.float32)
    echo = cv2.GaussianBlur(cv2.warpAffine(np.dstack([light, cover]), flip, (WIDTH, HEIGHT)), (0, 0), 2.5)
    gloss = (0.42 * np.exp(-2.4 * np.clip(feet[1] - Y, 0, None) / k) * np.clip((feet[1] + 0.04 - Y) / 0.04, 0, 1))[
        ..., None
    ]
    shade = sum(soft(step[0], floor_y(k), 0.12 * k, 0.03 * k) for step in (foot(u, -1), foot(u, 1)))
    empty = stage(u, feet, k) * (1 - np.clip(0.55 * shade, 0, 0.8))
    empty = empty * (1 - gloss * echo[..., 3:].clip(0, 1)) + gloss * echo[..., :3]
    return empty * (1 - cover) + light


VIGNETTE = (1 - 0.45 * np.clip((X / 1.9) ** 2 + (Y / 1.25) ** 2, 0, 1))[..., None]
GRAIN = np.random.default_rng(SEED).triangular(-1, 0, 1, (HEIGHT, WIDTH, 1)).astype(np.float32) * 0.7


def frame(n: int) -> np.ndarray:
    """Frame `n` of the loop, [H, W, 3] uint8 RGB."""
    light = picture(n / (FPS * SECONDS)) * VIGNETTE
    film = 1 - np.exp(-2.2 * light)  # bright parts bend over as on film, and nothing burns out
    return np.clip(255 * film ** (1 / 2.2) + GRAIN + 0.5, 0, 255).astype(
        np.uint8
    )  # the grain keeps gradients from banding


# --- sound -----------------------------------------------------------------------------------------------------------

CHORDS = [
    [38, 50, 57, 60, 64],
    [34, 50, 53, 57, 65],
    [41, 48, 57, 64, 67],
    [36, 52, 55, 62, 64],
]  # MIDI notes, 3 s each
BELLS = [74, 81, 76, 72, 77, 84, 79, 72]  # one for each moment of the dance


def pitch(note: int) -> float:
    """Hz, moved by less than 0.05 so that the tone comes round after the loop without a seam."""
    return round(440 * 2 ** ((note - 69) / 12) * SECONDS) / SECONDS


def ringing(start: float, wave: np.ndarray) -> np.ndarray:
    """`wave` [n] laid into a silent loop at `start` seconds; what rings past the end is heard at the beginning."""
    loop = np.zeros(RATE * SECONDS)
    np.add.at(loop, (int(start * RATE) + np.arange(len(wave))) % len(loop), wave)
    return loop


def music() -> np.ndarray:
    """The sound of the loop, [2, samples] float32: a chord that breathes, a pulse on each step, a bell on each gesture."""
    t = np.arange(RATE * SECONDS) / RATE
    dry = np.zeros((2, len(t)))
    for n, chord in enumerate(CHORDS):
        swell = np.array([bump(u, (n + 0.5) / 4, 0.42) for u in np.arange(0, 1, 1 / 1200)])
        swell = np.interp(t / SECONDS, np.arange(1201) / 1200, np.append(swell, swell[0]))
        for m, note in enumerate(chord):
            tone = sum(np.sin(2 * np.pi * pitch(note) * h * t + m) / h**2.2 for h in (1, 2, 3, 4))
            shimmer = 1 + 0.25 * np.sin(2 * np.pi * t * (m + 2) / SECONDS * 4 + n)
            dry += np.outer([1 - 0.12 * m, 0.5 + 0.12 * m], 0.05 * swell * shimmer * tone)
    s = np.arange(2 * RATE) / RATE
    thump = np.sin(2 * np.pi * (46 * s + 1.6 * (1 - np.exp(-28 * s)))) * np.exp(-8 * s) * np.minimum(s * 400, 1)
    for beat in range(BEATS):
        dry += (0.20 if beat % 2 == 0 else 0.11) * ringing(beat * SECONDS / BEATS, thump)
    for n, note in enumerate(BELLS):
        f = pitch(note)
        strike = np.sin(2 * np.pi * f * s + 1.1 * np.exp(-5 * s) * np.sin(4 * np.pi * f * s)) * np.exp(-3.2 * s)
        side = 0.5 + 0.5 * PLACE[n]
        dry += np.outer([1 - side, side], 0.11 * ringing(n * SECONDS / 8, strike * np.minimum(s * 300, 1)))
    return (in_a_hall(dry) / 1.6).astype(np.float32)


def in_a_hall(dry: np.ndarray) -> np.ndarray:
    """`dry` [2, samples] with the echo of a large room, wrapped round the loop; its loudest sample is 1."""
    length = dry.shape[1]
    s = np.arange(length) / RATE
    noise = np.random.default_rng(SEED).standard_normal((2, length)) * np.exp(-3.0 * s) * np.minimum(s * 60, 1)
    response = np.fft.rfft(noise) / (1 + (np.fft.rfftfreq(length, 1 / RATE) / 2500) ** 2)
    wet = np.fft.irfft(np.fft.rfft(dry) * response, length)
    mixed_down = dry + 0.35 * wet * np.abs(dry).max() / np.abs(wet).max()
    return mixed_down / np.abs(mixed_down).max()


def save_sound(samples: np.ndarray, path: Path) -> None:
    """`samples` [2, n] float32 as AAC, small."""
    import av

    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=RATE)
        stream.layout, stream.bit_rate = "stereo", 72_000
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", "stereo")
        sound.rate = RATE
        output.mux(stream.encode(sound))
        output.mux(stream.encode(None))


def main(out: str) -> None:
    """Draw the clip and write it to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.m4a"
        save_sound(music(), sound)
        sink = VideoFile(out, crf=20, preset="slow", sound=sound, overwrite=True)
        sink.open((WIDTH, HEIGHT), Fraction(FPS))
        for n in range(FPS * SECONDS):
            sink.write(frame(n), n / FPS)
        sink.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kinesphere.builtin.make_clip OUT.mp4")
    main(sys.argv[1])
