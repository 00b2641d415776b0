"""The eyes: socket, lids, iris and lashes, and the brows above them."""

from __future__ import annotations

from collections.abc import Sequence

from kinesphere.train.painting.brush import dab, ink, inside, radial, ribbon, smooth
from kinesphere.train.painting.colour import DARK, WHITE, mix, oklch, toned
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.head import eye_opening
from kinesphere.train.painting.units import Point


def eye(e: Easel, s: int) -> None:
    c, p, f, head = e.c, e.p, e.f, e.head
    a0, v0, size = e.eye_place(s)
    up, down = eye_opening(f, size)
    reach = 0.285 * size

    def lid(height: float, lean: float) -> list[Point]:
        # From the inner to the outer corner; the outer corner sits a little higher.
        shape = ((-1, 0.0), (-0.62, 0.62), (-0.1 + lean, 1.0), (0.5 + lean, 0.78), (1, 0.0))
        return [head.at(a0 + s * t * reach, v0 + height * h - 0.7 * t) for t, h in shape]

    upper, lower = lid(-up, 0.0), lid(down, 0.1)
    x, y = head.at(a0, v0)
    k = head.width(a0)
    socket(e, x, y, k, size, upper)
    white = ribbon(upper, lower)
    c.drawPath(white, ink(mix(WHITE, p.ground, 0.05)))
    with inside(c, white):
        ix = x + k * size * 1.75 * f["gaze_x"]
        iy = y + 0.25 + 1.25 * f["gaze_y"] - 0.2 * up * 0.3
        iris(e, ix, iy, k, size)
        c.drawPath(smooth(upper), ink(oklch(0.45, 0.05, 300), 0.4, 0.7, 2.6))
    lashes(e, s, upper, lower, size)


def socket(e: Easel, x: float, y: float, k: float, size: float, upper: Sequence[Point]) -> None:
    """Soft shadow about the eye, and the fold of the lid."""
    c, p = e.c, e.p
    with inside(c, e.face):
        dab(c, x, y - 0.8, 8.6 * k * size, 6.8 * size, mix(p.shade, p.lip, 0.3), 0.42)
        fold = smooth([(px, py - 1.7 * size) for px, py in upper[1:]])
        c.drawPath(fold, ink(toned(p.shade, -0.06), 0.6, 0, 0.75))


def iris(e: Easel, x: float, y: float, k: float, size: float) -> None:
    c, p = e.c, e.p
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
        x + k * 0.36 * r * (0.35 + 0.65 * abs(e.lx)) * (1 if e.lx >= 0 else -1),
        y - 0.38 * r,
        0.27 * r,
        ink(WHITE, 0.96),
    )


def lashes(e: Easel, s: int, upper: Sequence[Point], lower: Sequence[Point], size: float) -> None:
    c = e.c
    long = 0.55 + 0.6 * e.f["lashes"]
    dark = mix(DARK, e.p.brow, 0.3)
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
    c.drawPath(smooth(lower[1:]), ink(mix(dark, e.p.shade, 0.55), 0.65, 0, 0.55))


def brow(e: Easel, s: int) -> None:
    f, head = e.f, e.head
    a0, _, _ = e.eye_place(s)
    v = -9.6 - 2.4 * f["brow_height"]
    slant, weight = 1.9 * f["brow_angle"], 0.85 + 1.0 * f["brow_weight"]
    line = [
        (-0.27, 0.35 + slant),
        (-0.08, -0.7 + 0.35 * slant),
        (0.13, -1.0 - 0.35 * slant),
        (0.33, 0.7 - 0.7 * slant),
    ]
    top = [head.at(a0 + s * t, v + h - w * weight) for (t, h), w in zip(line, (0.55, 0.75, 0.6, 0.0), strict=True)]
    low = [head.at(a0 + s * t, v + h + w * weight) for (t, h), w in zip(line, (0.75, 0.55, 0.35, 0.05), strict=True)]
    path = ribbon(top, low)
    e.c.drawPath(path, ink(e.p.brow, 0.35, 0.7))
    e.c.drawPath(path, ink(e.p.brow, 0.88))
