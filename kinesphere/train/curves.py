"""How the numbers of a run become lines: put into bins, smoothed, laid on axes, drawn as charts."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinesphere.train.diary import is_number, number

MOST_POINTS = 600  # of one curve; a screen shows no more
FEW_POINTS = 40  # fewer are not smoothed, more with a half-life of a fortieth of them

# Numbers


def series(entries: Sequence[Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """(kimg [N], value [N]) of the entries that have `key`; null, NaN and infinities are NaN, a gap in the curve."""
    found = [(e["kimg"], e[key]) for e in entries if key in e and is_number(e.get("kimg"))]
    x, y = (
        (np.array([v if is_number(v) else math.nan for v in column], float) for column in zip(*found, strict=True))
        if found
        else (np.empty(0), np.empty(0))
    )
    return x, np.where(np.isfinite(y), y, math.nan)


def binned(
    x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """At most `most` points for [N] of them: (mean x, mean, least, greatest) of each bin; NaN where a bin has no number."""
    size = max(1, -(-len(x) // most))
    starts = np.arange(0, len(x), size)
    if not len(x):
        return x, y, y, y
    count = np.add.reduceat(np.isfinite(y).astype(float), starts)
    total = np.add.reduceat(np.nan_to_num(y), starts)
    mean = np.divide(total, count, out=np.full(len(starts), math.nan), where=count > 0)
    middle = np.add.reduceat(x, starts) / np.diff(np.append(starts, len(x)))
    return middle, mean, np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)


def smoothed(y: np.ndarray, half_life: float) -> np.ndarray:
    """Exponential moving average of [N], in points, without a pull to 0 at the start; a gap stays a gap and is not counted."""
    keep, total, weight = 0.5 ** (1 / half_life), 0.0, 0.0
    out = np.full(len(y), math.nan)
    for i, value in enumerate(y):
        if value == value:
            total, weight = keep * total + value, keep * weight + 1
            out[i] = total / weight
    return out


def without_spikes(y: np.ndarray) -> np.ndarray:
    """[N], each number the median of itself and its neighbours, so that one wild one does not pull the average after it."""
    whole = np.isfinite(y)
    padded = np.pad(y[whole], 1, "reflect") if whole.sum() > 1 else y
    out = np.full(len(y), math.nan)
    out[whole] = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), 1) if whole.sum() > 1 else y[whole]
    return out


# Charts


@dataclass(frozen=True)
class Axis:
    """A range of values and where each of them lies in it, from 0 to 1."""

    low: float
    high: float
    log: bool = False

    def at(self, values: Any) -> np.ndarray:
        values = np.asarray(values, float)
        if not self.log:
            return (values - self.low) / (self.high - self.low)
        positive = np.log(np.where(values > 0, values, math.nan))
        return (positive - math.log(self.low)) / math.log(self.high / self.low)

    def ticks(self, count: int = 5) -> list[float]:
        """About `count` round numbers inside: steps of 1, 2 or 5 times a power of ten."""
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for digits in ((1,), (1, 3), (1, 2, 5)):
                found = [d * 10.0**p for p in powers for d in digits if self.low <= d * 10.0**p <= self.high]
                if len(found) >= 3:
                    return found[:: -(-len(found) // (count + 2))]
        raw = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(d * power for d in (1, 2, 5, 10) if d * power >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]


@dataclass(frozen=True)
class Curve:
    """One line of a chart: its points, at most `MOST_POINTS` of them."""

    name: str
    x: np.ndarray  # [N] kimg
    y: np.ndarray  # [N] the line
    low: np.ndarray  # [N] what lies behind it, as it was before smoothing
    high: np.ndarray
    smooth: bool  # whether there is anything to see behind the line


@dataclass(frozen=True)
class Chart:
    """A title, the keys that it draws with their names, and how."""

    title: str
    keys: Mapping[str, str]
    note: str = ""
    plain: frozenset[str] = frozenset()  # keys that are drawn as they are; the others are smoothed
    log: bool = False
    best: Any = None  # `min` or `max`: which end is good, marked on each curve
    include: tuple[float, ...] = ()  # values that the axis always shows
    marks: tuple[tuple[float, str], ...] = ()  # level lines, with their names


def _curve(entries: Sequence[Mapping[str, Any]], key: str, name: str, plain: bool) -> Curve:
    x, mean, low, high = binned(*series(entries, key))
    smooth = len(mean) >= FEW_POINTS and not plain
    return Curve(name, x, smoothed(without_spikes(mean), len(mean) / FEW_POINTS) if smooth else mean, low, high, smooth)


def _y_axis(curves: Sequence[Curve], chart: Chart) -> Axis | None:
    """Room for every plain line, and for all but the wildest hundredth of a smoothed one and of what lies behind it.

    None where no number is left.
    """
    log = chart.log and any((curve.y > 0).any() for curve in curves)
    needed = [*chart.include, *(level for level, _ in chart.marks)]
    for curve in curves:
        line, behind = (v[np.isfinite(v) & ((v > 0) | (not log))] for v in (curve.y, np.append(curve.low, curve.high)))
        if curve.smooth and len(line):
            needed += [*np.quantile(line, (0.01, 0.99)), line[-1], *np.quantile(behind, (0.01, 0.99))]
        elif len(line):
            needed += [line.min(), line.max()]
    if not needed:
        return None
    low, high = float(min(needed)), float(max(needed))
    if log:
        room = max((high / low) ** 0.06, 1.05)
        return Axis(low / room, high * room, True)
    room = (high - low) * 0.06 or max(abs(high) * 0.1, 0.1)
    return Axis(low if low in chart.include else low - room, high + room)


def _runs(*columns: np.ndarray) -> list[np.ndarray]:
    """The stretches without a gap, each [n, columns]."""
    rows = np.stack(columns, 1)
    whole = np.isfinite(rows).all(1)
    cuts = np.flatnonzero(np.diff(whole)) + 1
    return [run for run in np.split(rows, cuts) if len(run) and np.isfinite(run).all()]


def _points(x: np.ndarray, y: np.ndarray) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x * 1000, 1000 - y * 1000, strict=True))


def _line_path(x: np.ndarray, y: np.ndarray) -> str:
    """SVG path data, from fractions of the axes to a square of 1000; a lone point is a dot."""
    return "".join(
        f"M{_points(run[:, 0], run[:, 1])}" + (f" {_points(run[:, 0], run[:, 1])}" if len(run) == 1 else "")
        for run in _runs(x, y)
    )


def _band_path(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    return "".join(
        f"M{_points(np.append(run[:, 0], run[::-1, 0]), np.append(run[:, 2], run[::-1, 1]))}Z"
        for run in _runs(x, low, high)
    )


def draw(chart: Chart, entries: Sequence[Mapping[str, Any]], across: Axis) -> str:
    """A chart of the log over kimg as an HTML <figure>, for the style and script of the page; "" where it has no number."""
    curves = [_curve(entries, key, name, key in chart.plain) for key, name in chart.keys.items()]
    curves = [curve for curve in curves if np.isfinite(curve.y).any()]
    up = _y_axis(curves, chart) if curves else None
    if up is None:
        return ""
    lines: list[str] = []
    legend, rings = [], []
    for i, curve in enumerate(curves):
        colour = f'style="--c:var(--c{i % 6})"'
        x = across.at(curve.x)
        if curve.smooth:
            lines.insert(0, f'<path class="raw" {colour} d="{_band_path(x, up.at(curve.low), up.at(curve.high))}"/>')
        dash = ' stroke-dasharray="5 4"' if i >= 6 else ""
        lines.append(f'<path class="line" {colour}{dash} d="{_line_path(x, up.at(curve.y))}"/>')
        last = number(curve.y[np.isfinite(curve.y)][-1])
        legend.append(f"<li {colour}><i></i>{html.escape(curve.name)} <b>{last}</b></li>")
        heights = up.at(curve.y)
        seen = np.flatnonzero(np.isfinite(heights))
        if len(seen) and (chart.best or len(seen) == 1):  # a lone point is no line
            at = int((np.nanargmin if chart.best is min else np.nanargmax)(heights))
            title = f"{'best ' if chart.best else ''}{number(curve.y[at])} at {curve.x[at]:.0f} kimg"
            rings.append(_ring(i, float(x[at]), float(heights[at]), title))
    ups = [(float(up.at(tick)), number(tick)) for tick in up.ticks()]
    acrosses = [(float(across.at(tick)), number(tick) if tick else "0 kimg") for tick in across.ticks()]
    grid = "".join(f"M0,{1000 - 1000 * y:.1f}H1000" for y, _ in ups)
    marks = [(float(up.at(level)), name) for level, name in chart.marks]
    levels = "".join(f'<path class="mark" d="M0,{1000 - 1000 * y:.1f}H1000"/>' for y, _ in marks)
    names = "".join(
        f'<span class="name" style="bottom:{y:.2%}">{html.escape(name)}</span>' for y, name in marks if name
    )
    left = "".join(f'<span style="bottom:{y:.2%}">{text}</span>' for y, text in ups)
    below = "".join(f'<span style="left:{x:.2%}">{text}</span>' for x, text in acrosses)
    note = f"<small>{html.escape(chart.note)}</small>" if chart.note else ""
    axes = f'data-x="{across.low:.9g} {across.high:.9g}" data-y="{up.low:.9g} {up.high:.9g}" data-log="{int(up.log)}"'
    return f"""<figure class="chart" {axes}>
<figcaption><h2>{html.escape(chart.title)}</h2>{note}<ul>{"".join(legend)}</ul></figcaption>
<div class="plot"><div class="left">{left}</div><div class="area">
<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{html.escape(chart.title)} over kimg">
<path class="grid" d="{grid}"/>{levels}{"".join(lines)}</svg>{names}{"".join(rings)}<div class="cross" hidden><span></span></div>
</div><div class="below">{below}</div></div></figure>"""


def _ring(colour: int, x: float, y: float, title: str) -> str:
    return f'<i class="ring" style="--c:var(--c{colour % 6});left:{x:.2%};bottom:{y:.2%}" title="{html.escape(title)}"></i>'
