"""Painted hands, shaded as if lit from above, for a tracker to find: what `synthetic.hand` says, as a picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import skia

from kinesphere.features.keypoints.anatomy import FINGERS, HAND
from kinesphere.features.keypoints.landmarks import pictured
from kinesphere.features.keypoints.synthetic import hand

SKINS = ((236, 188, 160), (198, 134, 98), (120, 76, 52))  # RGB
WALLS = ((70, 90, 110), (205, 200, 190), (40, 42, 48))
THICK = {"thumb": 0.27, "index": 0.215, "middle": 0.22, "ring": 0.205, "little": 0.175}  # palms


def colour(rgb, light=1.0, alpha=1.0):
    return skia.Color4f(*(min(c / 255 * light, 1.0) for c in rgb), alpha)


def painted(places, size=(640, 480), skin=0, wall=0):
    """[H, W, 3] uint8 RGB: a hand [21, 3] in half heights, with a forearm, before a wall."""
    width, height = size
    surface = skia.Surface(width, height)
    canvas = surface.getCanvas()
    rgb, back = SKINS[skin], WALLS[wall]
    shader = skia.GradientShader.MakeLinear(
        [(0, 0), (width * 0.3, height)], [colour(back, 1.2).toColor(), colour(back, 0.7).toColor()]
    )
    canvas.drawPaint(skia.Paint(Shader=shader))
    p = pictured(places, size)[:, :2] * [width, height]
    at = {name: p[i] for name, i in HAND.index.items()}
    near = dict(zip(HAND.names, places[:, 2], strict=True))
    palm = float(np.mean([np.linalg.norm(p[HAND.index[f"{f} knuckle"]] - p[0]) for f in FINGERS[1:]]))
    along = at["wrist"] - at["middle knuckle"]
    along = along / max(np.linalg.norm(along), 1e-6)
    scale = float(np.linalg.norm(places[9] - places[0])) * height / 2

    def limb(points, wide, end, light=1.0):
        """A rounded limb: from its dark rim to the light along its upper left."""
        for share, shade, alpha in ((1.0, 0.55, 1), (0.9, 0.78, 1), (0.72, 0.93, 0.9), (0.42, 1.06, 0.6)):
            shift = np.array([-0.06, -0.08]) * wide * (1 - share)
            soft = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.02 * wide + 0.3)
            for (a, b), taper in zip(pairwise(points), np.linspace(1, end, len(points) - 1), strict=True):
                paint = skia.Paint(
                    AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeCap=skia.Paint.kRound_Cap, MaskFilter=soft,
                    StrokeWidth=wide * share * taper, Color4f=colour(rgb, shade * light, alpha),
                )  # fmt: skip
                canvas.drawLine(*(a + shift), *(b + shift), paint)

    def the_palm():
        wrist = [
            at["wrist"] + 0.3 * scale * n for n in (np.array([-along[1], along[0]]), np.array([along[1], -along[0]]))
        ]
        base = at["thumb base"]
        ring = [
            wrist[0],
            wrist[1],
            at["little knuckle"],
            at["ring knuckle"],
            at["middle knuckle"],
            at["index knuckle"],
            base,
        ]
        middle = np.mean(ring, axis=0)
        ring.sort(key=lambda q: np.arctan2(*(q - middle)))
        path = skia.Path()
        path.addPoly([skia.Point(*q) for q in ring], True)
        for share, shade in ((0.30, 0.62), (0.24, 0.86), (0.12, 0.97)):
            paint = skia.Paint(
                AntiAlias=True, Style=skia.Paint.kStrokeAndFill_Style, StrokeJoin=skia.Paint.kRound_Join, StrokeWidth=share * scale,
                Color4f=colour(rgb, shade), MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.02 * scale),
            )  # fmt: skip
            canvas.drawPath(path, paint)
        blur = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.06 * scale)
        paint = skia.Paint(Color4f=colour(rgb, 1.05, 0.6), MaskFilter=blur)
        canvas.drawCircle(*(0.5 * base + 0.5 * at["thumb knuckle"]), 0.2 * scale, paint)
        knuckles = [at[f"{f} knuckle"] for f in FINGERS[1:]]
        for a, b, c in (
            (0.75 * knuckles[3] + 0.25 * at["wrist"], middle, 0.9 * knuckles[1] + 0.1 * at["wrist"]),
            (0.6 * knuckles[3] + 0.4 * at["wrist"], middle, 0.8 * knuckles[0] + 0.2 * base),
            (at["wrist"] + 0.1 * (base - at["wrist"]), 0.6 * middle + 0.4 * base, 0.75 * knuckles[0] + 0.25 * base),
        ):
            line = skia.Path()
            line.moveTo(*a)
            line.quadTo(*b, *c)
            canvas.drawPath(line, skia.Paint(
                AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=0.022 * scale, Color4f=colour(rgb, 0.55, 0.55),
                MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.008 * scale),
            ))  # fmt: skip

    limb([at["wrist"] + along * 6 * scale, at["wrist"]], 0.62 * scale, 1.0, 0.95)
    parts = [("palm", -0.05 * palm)]
    parts += [(finger, near[f"{finger} tip"] + near[f"{finger} joint"]) for finger in FINGERS]
    for part, _ in sorted(parts, key=lambda one: one[1]):
        if part == "palm":
            the_palm()
            continue
        names = [n for n in HAND.names if n.startswith(part)]
        points = [at[n] for n in names]
        limb(points, THICK[part] * scale, 0.8)
        for joint in points[1:3]:
            across = points[-1] - points[1]
            across = np.array([-across[1], across[0]]) / max(np.linalg.norm(across), 1e-6) * 0.4 * THICK[part] * scale
            canvas.drawLine(*(joint - across), *(joint + across), skia.Paint(
                AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=0.012 * scale, Color4f=colour(rgb, 0.5, 0.45),
            ))  # fmt: skip
    image = surface.makeImageSnapshot().toarray(colorType=skia.kRGBA_8888_ColorType)
    return np.ascontiguousarray(image[:, :, :3])


def paint(picture=(640, 480), skin=0, wall=0, **posture):
    return painted(hand(**posture), picture, skin, wall)
