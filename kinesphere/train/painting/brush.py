"""The brush: paths through points, paints and gradients, and soft dabs of colour, all with Skia."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import skia

from kinesphere.train.painting.colour import Lab, argb
from kinesphere.train.painting.units import Point


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
