"""The shape of the hair: how high, wide and long its mass is, where it begins on the forehead and how it frames the face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinesphere.train.painting.head import Head
from kinesphere.train.painting.units import Factors, Point, smoothstep


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

    def curled(self, points: Sequence[Point]) -> list[Point]:
        """Curly hair has a soft scalloped edge: along it, every other point is pushed out, the others in."""
        k, x0 = self.curl, self.back
        if not k:
            return list(points)
        xy = np.array(points)
        along = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T).cumsum()])
        n = 2 * max(1, round(along[-1] / 6.5))
        place = np.linspace(0, along[-1], n + 1)
        x, y = np.interp(place, along, xy[:, 0]) - x0, np.interp(place, along, xy[:, 1]) + 4
        push = 1 + np.where(np.arange(n + 1) % 2, 1.25 * k, -0.45 * k) / np.maximum(np.hypot(x, y), 1)
        return list(zip((x0 + x * push).tolist(), (y * push - 4).tolist(), strict=True))


def hairline(f: Factors, head: Head, s: int) -> list[Point]:
    """From the parting to the temple of side `s`: a curtain that opens, or a fringe just above the brows."""
    root, temple = 0.55 * f["parting"], s * 1.22
    points = []
    for t in (0, 0.25, 0.5, 0.75, 1.0):
        a = root + (temple - root) * t
        v = -23.6 + 1.4 * abs(f["parting"]) + 17.8 * t ** (2.1 - 0.5 * abs(f["parting"]) + 0.6 * f["fringe"])
        v += 10.0 * f["fringe"] ** 1.2 * (1 - t**3) * (0.35 + 0.65 * math.sin(math.pi * min(1.2 * t + 0.12, 1)))
        clear = -12.6 + 9.6 * smoothstep(0.5, 1.15, abs(a))  # never over the eyes
        points.append(head.at(a, min(v, clear)))
    return points


def wing(f: Factors, head: Head, h: Hair, line: Sequence[Point], s: int) -> list[Point]:
    """The hair on one side of the parting, from the parting over the crown, down and back up along the face."""
    root = line[0]
    top = 0.5 * (root[0] - h.back)
    crown = (h.back + top - 0.8 * s, -6 - (23 + h.rise) * math.sqrt(1 - (top / h.width) ** 2))
    outer = [p for p in h.over(s) if (p[0] - crown[0]) * s > 2.5]
    if f["hair_style"] == "updo" or h.end < 2:
        x, _ = head.at(s * 1.42, 1.5)
        temple = [(h.back * 0.5 + s * (h.width - 0.3), -4), (x + s * 0.5, 1.0), (x - s * 1.2, -1.5)]
        return [root, *h.curled([crown, *outer]), *temple, *reversed(line[1:])]
    side = h.side(s, h.end)
    tip = side[-1]
    inner: list[Point] = []
    n = max(1, int((h.end - 4) / 7))
    for y in (h.end - 1.5 + (5.5 - h.end) * k / n for k in range(n + 1)):
        fx = head.at(s * 1.3, min(y, 22))[0]
        fx += s * smoothstep(8, 26, y) * (0.5 + 2.5 * f["hair_volume"])
        inner.append((fx + 0.6 * s * h.wave(y), y))
    end = (tip[0] * 0.6 + inner[0][0] * 0.4, h.end + 1.2)
    return [root, *h.curled([crown, *outer, *side[1:]]), end, *inner, *reversed(line[1:])]
