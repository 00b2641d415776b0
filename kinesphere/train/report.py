"""What a training run tells while it runs: its log, its progress line, and a page of curves and samples to keep open."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import io
import json
import math
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from kinesphere.types import KinesphereError

REFRESH = 30  # seconds between two looks at a page that is still being written
MOST_POINTS = 600  # of one curve; a screen shows no more
FEW_POINTS = 40  # fewer are not smoothed, more with a half-life of a fortieth of them
MOST_LINES = 10_000  # of a log with the same number of keys; the page reads no more of them, so that it is quick
MOST_EARLIER = 24  # grids on the time line
NEWEST, REALS, EARLIER = (1600, 1_000_000), (1200, 500_000), (480, 45_000)  # longest side in pixels, most bytes

# What the loop says at every tick; whatever else has a number is a metric.
TICK = frozenset(
    "step kimg seconds img_per_s time_left_s loss_G loss_D logit_real logit_fake r1 path_length ada_p r_t lr_G lr_D gamma "
    "ema_beta memory_mb".split()
)
BEST = {
    "fid": min,
    "kid": min,
    "swd": min,
    "ppl": min,
    "precision": max,
    "recall": max,
    "density": max,
    "coverage": max,
}
"""Which end of a metric is good; the first of them that a run has measured chooses its best snapshot."""


# The log


def read_log(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a log, in order; a missing log is empty, and a line that a crash cut in half is skipped."""
    return _entries(_lines(path))


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n") if path.exists() else []


def _entries(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _thinned(lines: Sequence[bytes], most: int = MOST_LINES) -> list[bytes]:
    """Of the lines with the same number of keys, evenly at most `most`: the few that hold a metric are all kept."""
    alike = defaultdict(list)
    for i, line in enumerate(lines):
        alike[line.count(b'":')].append(i)
    kept = {len(lines) - 1, len(lines) - 2}  # the newest, whole or cut
    for same in alike.values():
        kept.update(same[:: -(-len(same) // most)])
    return [lines[i] for i in sorted(kept) if i >= 0]


class Log:
    """A file of JSON lines that grows by one at a time.

    An existing log is continued: what a crash cut in half goes, and with `step` (where the run resumes) so do the lines of later
    steps, because the run will write them again. The file is replaced whole or not at all.
    """

    def __init__(self, path: Path, step: int | None = None) -> None:
        self.path = path
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            before = _lines(path)
            kept = [line for line in before if _stays(line, step)]
            if before and [*kept, b""] != before:
                _replace(path, b"".join(line + b"\n" for line in kept))
            self._file = path.open("a", encoding="utf-8")

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and flush it. A number that is not finite becomes null, so that any JSON reader can read the log."""
        plain = {key: _plain(value) for key, value in entry.items()}
        line = json.dumps(plain, default=lambda value: _plain(float(value)), allow_nan=False)
        with _writing(self.path):
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _stays(line: bytes, step: int | None) -> bool:
    entry = _entries([line])
    if not entry or step is None:
        return bool(entry)
    at: Any = entry[0].get("step")
    return not _is_number(at) or at <= step


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another at once: whoever reads sees the old one or the new one, never half."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _writing(path):
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        said = error.strerror or error
        raise KinesphereError(
            f"{str(path)!r} cannot be written: {said}; make room there, or choose another --out"
        ) from None


# The progress line


def live_line(entry: Mapping[str, Any], total_kimg: float) -> str:
    """One log entry as the text of a progress line, as wide at the next entry as at this one.

    What an entry does not have (`r_t` without ADA, `time_left_s` at the first tick) is left out.
    """
    numbers = {key: value for key, value in entry.items() if _is_number(value)}

    def pair(title: str, key: str) -> str:
        return f"{title} {_fixed(numbers[key])}" if key in numbers else ""

    total = f"{total_kimg:g}"
    parts = [
        f"{numbers.get('kimg', 0):{len(total) + 2}.1f} kimg of {total}",
        f"{_fixed(numbers['img_per_s'], 4)} img/s" if "img_per_s" in numbers else "",
        f"{duration(numbers['time_left_s']):>11} left" if "time_left_s" in numbers else "",
        f"{pair('G', 'loss_G')} {pair('D', 'loss_D')}".strip(),
        f"{pair('r_t', 'r_t')} {pair('p', 'ada_p')}".strip(),
    ]
    return " | ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """A time to be read: `35 s`, `41 min`, `2 h 05 min`, `3 d 04 h`."""
    if not math.isfinite(seconds):
        return "?"
    minutes = round(seconds / 60)
    if seconds < 99.5:
        return f"{max(seconds, 0):.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60:02d} h"


def _fixed(value: float, width: int = 5) -> str:
    """A number in `width` characters, with as many of two decimals as there is room for."""
    for decimals in (2, 1, 0):
        text = f"{value:{width}.{decimals}f}"
        if len(text) <= width:
            return text
    return f"{value:.0e}".replace("e+0", "e").replace("e+", "e").rjust(width)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value)


def number(value: float) -> str:
    """A number to be read, with three digits that count: `0.0312`, `62.7`, `1,240`, `3.1e-6`."""
    if not math.isfinite(value):
        return "?"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.2e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.3g}".replace("e-0", "e-")


# The best snapshot


@dataclass(frozen=True)
class Score:
    """What a metric said about the run at one moment."""

    metric: str
    value: float
    kimg: float
    snapshot: Path | None  # None: no file was kept from then


def best_snapshot(run: Path) -> Path | None:
    """The snapshot of a run that its metric liked best; the newest where nothing was measured; None where there is none."""
    snapshots = _numbered(run / "snapshots", ".safetensors")
    return _chosen(_best(_entries(_thinned(_lines(run / "log.jsonl"))), snapshots), snapshots)


def _chosen(best: Score | None, snapshots: Mapping[int, Path]) -> Path | None:
    if best and best.snapshot:
        return best.snapshot
    return snapshots[max(snapshots)] if snapshots else None


def _best(entries: Sequence[Mapping[str, Any]], snapshots: Mapping[int, Path]) -> Score | None:
    """The best value of the run's first metric, among the snapshots that were measured, else among all."""
    entries = [entry for entry in entries if entry.keys() - TICK]
    for metric, end in BEST.items():
        scores = [
            Score(metric, value, e["kimg"], None) for e in entries if (value := _level_mean(e, metric)) is not None
        ]
        if scores:
            return end(_kept(scores, snapshots) or scores, key=lambda score: score.value)
    return None


def _kept(scores: Sequence[Score], snapshots: Mapping[int, Path]) -> list[Score]:
    """The score of each snapshot: the one nearest to it, within 1 kimg."""
    found = []
    for kimg, path in snapshots.items():
        gaps = [abs(score.kimg - kimg) for score in scores]
        if min(gaps) <= 1:
            found.append(replace(scores[gaps.index(min(gaps))], snapshot=path))
    return found


def _level_mean(entry: Mapping[str, Any], metric: str) -> float | None:
    """A metric of one entry: by its name, or `_mean`, or the mean over its levels (`swd_16`, `swd_32`, ...)."""
    if not _is_finite(entry.get("kimg")):
        return None
    for name in (metric, f"{metric}_mean"):
        if _is_finite(entry.get(name)):
            return float(entry[name])
    levels = [value for key, value in entry.items() if re.fullmatch(rf"{metric}_\d+", key)]
    return sum(levels) / len(levels) if levels and all(map(_is_finite, levels)) else None


def _numbered(folder: Path, ending: str) -> dict[int, Path]:
    """The files of a folder that are named by their kimg, in order."""
    found = {int(p.stem): p for p in folder.glob(f"*{ending}") if p.stem.isascii() and p.stem.isdigit()}
    return dict(sorted(found.items()))


# Curves


def series(entries: Sequence[Mapping[str, Any]], key: str) -> tuple[np.ndarray, np.ndarray]:
    """(kimg [N], value [N]) of the entries that have `key`; null, NaN and infinities are NaN, a gap in the curve."""
    found = [(e["kimg"], e[key]) for e in entries if key in e and _is_number(e.get("kimg"))]
    x, y = (
        (np.array([v if _is_number(v) else math.nan for v in column], float) for column in zip(*found, strict=True))
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


# The page


def write_page(run: Path) -> Path:
    """Write RUN/index.html from what lies in the run's folder, at once, and return its path.

    Read are `run.json`, `log.jsonl`, `ended.json`, `samples/*.jpg` and the names in `snapshots/`; whatever is missing or cut in
    half is left out. The page needs no other file and no network. Raises KinesphereError where there is no such folder.
    """
    if not run.is_dir():
        raise KinesphereError(f"no run {str(run)!r}: name the folder that `kinesphere train DATA --out RUN` has made")
    path = run / "index.html"
    _replace(path, _page(run).encode(errors="replace"))  # a name of a file may be no text
    return path


def _page(run: Path) -> str:
    recipe, ended = _object(run / "run.json"), _object(run / "ended.json")
    entries = _entries(_thinned(_lines(run / "log.jsonl")))
    name, last = run.resolve().name, entries[-1] if entries else {}
    script = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {script}"
    now = datetime.now(UTC)
    refresh = "" if ended else f'<meta http-equiv="refresh" content="{REFRESH}">'
    return f"""<!doctype html>
<html lang="en" data-written="{now.timestamp():.0f}" data-silent="{_silence(entries):.0f}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
{refresh}
<title>{_kimg(last)} kimg · {_safe(name)} · Kinesphere</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
{_header(run, name, recipe, ended, entries)}
<main>
{_samples(run / "samples")}
{_charts(entries, recipe)}
{_recipe(recipe)}
</main>
<footer>Written {now.astimezone():%Y-%m-%d %H:%M:%S}{"" if ended else f", looked at again every {REFRESH} s"}.
The numbers are in <code>log.jsonl</code>.</footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _safe(text: Any) -> str:
    return html.escape(str(text))


def _object(path: Path) -> dict[str, Any]:
    found = _entries([path.read_bytes()]) if path.exists() else []
    return found[0] if found else {}


def _silence(entries: Sequence[Mapping[str, Any]]) -> float:
    """Seconds without a new page after which a reader is told: five ticks, or ten minutes."""
    seconds = series(entries[-50:], "seconds")[1]
    return max(600.0, 5 * float(np.nan_to_num(np.diff(seconds)).max(initial=0)))


def _kimg(entry: Mapping[str, Any]) -> str:
    return f"{entry['kimg']:.1f}" if _is_number(entry.get("kimg")) else "0"


def _option(recipe: Mapping[str, Any], name: str) -> float | None:
    """A number that the recipe chose."""
    options = recipe.get("options")
    choice = options.get(name) if isinstance(options, dict) else None
    value = choice.get("value") if isinstance(choice, dict) else None
    return float(value) if value is not None and _is_number(value) else None


def _header(
    run: Path, name: str, recipe: Mapping[str, Any], ended: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> str:
    last = entries[-1] if entries else {}
    state = str(ended.get("state", "running"))
    why = f": {ended['why']}" if ended.get("why") else ""
    total = _option(recipe, "kimg")
    of = f" of {total:g}" if total else ""
    facts = [("kimg", _kimg(last) + of)]
    facts += [("time", duration(last["seconds"]))] if _is_number(last.get("seconds")) else []
    facts += [("img/s", number(last["img_per_s"]))] if _is_number(last.get("img_per_s")) else []
    facts += [("left", duration(last["time_left_s"]))] if not ended and _is_number(last.get("time_left_s")) else []
    facts += [("memory", f"{number(last['memory_mb'])} MB")] if _is_number(last.get("memory_mb")) else []
    shown = "".join(f"<div><dt>{label}</dt><dd>{_safe(text)}</dd></div>" for label, text in facts)
    done = min(1.0, float(last.get("kimg") or 0) / total) if total and _is_number(last.get("kimg")) else None
    bar = "" if done is None else f'<div class="bar"><i style="width:{done:.2%}"></i></div>'
    kind = state if state in ("running", "finished", "stopped") else "stopped"
    return f"""<header>
<div class="title"><h1>{_safe(name)}</h1><p class="state {kind}"><i></i><span>{_safe(state + why)}</span></p></div>
{bar}
<dl class="facts">{shown}</dl>
{_play(run, entries)}
</header>"""


def _play(run: Path, entries: Sequence[Mapping[str, Any]]) -> str:
    """The best snapshot and the command that plays it."""
    snapshots = _numbered(run / "snapshots", ".safetensors")
    best = _best(entries, snapshots)
    path = _chosen(best, snapshots)
    said = ""
    if best:
        kept = "Best snapshot" if best.snapshot else "Best (no snapshot kept from there)"
        said = f"{kept}: <b>{best.kimg:.0f} kimg</b>, {_safe(best.metric)} {number(best.value)}"
    elif path:
        said = f"Newest snapshot: <b>{int(path.stem)} kimg</b>"
    command = f"<code>kinesphere play --model {_safe(shlex.quote(str(path)))}</code>" if path else ""
    return f'<div class="play"><p>{said}</p>{command}</div>' if said else ""


# Its pictures


def _samples(folder: Path) -> str:
    grids = _numbered(folder, ".jpg")
    newest, big = None, ""
    while grids and not big:  # the very newest may be cut in half
        newest, path = grids.popitem()
        big = _picture(path, NEWEST, f"{newest} kimg", 'id="grid"')
    reals = _picture(folder / "reals.jpg", REALS, "training pictures") if (folder / "reals.jpg").exists() else ""
    if not big and not reals:
        return ""
    earlier, every = list(grids), 1
    while len(earlier[::every]) > MOST_EARLIER:
        every *= 2  # and not evenly: a grid that was shown stays where it was when the page comes again
    strip = "".join(
        f"<figure>{small}<figcaption>{kimg}</figcaption></figure>"
        for kimg in earlier[::every]
        if (small := _picture(grids[kimg], EARLIER, f"{kimg} kimg"))
    )
    slider = (
        '<div class="slide" hidden><button type="button" aria-label="Play the time line">Play</button>'
        '<input type="range" min="0" step="1" aria-label="Time line of the samples"></div>'
    )
    line = f'{slider}<div class="strip" tabindex="0" aria-label="Earlier samples">{strip}</div>' if strip else ""
    made = (
        f'<figure><figcaption>Samples of G_ema at <b id="when">{newest} kimg</b></figcaption>{big}</figure>'
        if big
        else ""
    )
    real = f"<figure><figcaption>Training pictures</figcaption>{reals}</figure>" if reals else ""
    return f'<section class="samples"><div class="made">{made}{line}</div>{real}</section>'


def _picture(path: Path, room: tuple[int, int], title: str, attributes: str = "") -> str:
    """An <img> that holds its picture; nothing where the file cannot be read."""
    stat = path.stat()
    try:
        data, (width, height) = _jpeg(path, stat.st_mtime_ns, stat.st_size, *room)
    except (OSError, ValueError, Image.DecompressionBombError):
        return ""
    source = base64.b64encode(data).decode()
    return f'<img {attributes} src="data:image/jpeg;base64,{source}" alt="{_safe(title)}" width="{width}" height="{height}">'


@functools.lru_cache(maxsize=64)  # the time line is the same at the next tick
def _jpeg(path: Path, changed: int, size: int, longest: int, most: int) -> tuple[bytes, tuple[int, int]]:
    """A picture file as JPEG bytes with no more than `longest` pixels a side and `most` bytes, and its (width, height)."""
    with Image.open(path) as picture:
        if picture.format == "JPEG" and max(picture.size) <= longest and size <= most:
            picture.load()  # a file cut in half raises
            return path.read_bytes(), picture.size
        picture.draft("RGB", (longest, longest))
        small = picture.convert("RGB")
    for shrink, quality in ((1.0, 88), (1.0, 75), (1.0, 60), (0.7, 60), (0.5, 50), (0.25, 50)):
        small.thumbnail((int(longest * shrink), int(longest * shrink)), Image.Resampling.LANCZOS)
        held = io.BytesIO()
        small.save(held, "JPEG", quality=quality, optimize=True)
        if held.tell() <= most:
            break
    return held.getvalue(), small.size


# Its charts


def _charts(entries: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any]) -> str:
    target = _option(recipe, "ada_target")
    marks = () if target is None else ((target, "target"),)
    charts = [
        *_metric_charts(entries),
        Chart("Losses", {"loss_G": "G", "loss_D": "D"}),
        Chart("Logits", {"logit_real": "real", "logit_fake": "fake"}, "above 0, D says real", marks=((0.0, ""),)),
        Chart(
            "Overfitting",
            {"r_t": "r_t", "ada_p": "p"},
            "r_t above its target raises p",
            plain=frozenset({"ada_p"}),
            include=(0.0,),
            marks=marks,
        ),
        Chart("Penalties", {"r1": "R1", "path_length": "path length"}, "log axis", log=True),
        Chart("Speed", {"img_per_s": "img/s"}, include=(0.0,)),
    ]
    kimg = [e["kimg"] for e in entries if _is_number(e.get("kimg")) and math.isfinite(e["kimg"])]
    if not kimg:
        return ""
    across = Axis(0.0, max(kimg) if max(kimg) > 0 else 1.0)
    return f'<section class="charts">{"".join(_chart(chart, entries, across) for chart in charts)}</section>'


def _metric_charts(entries: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """A chart for each metric; the levels of one metric (`swd_16`, `swd_32`, ...) share theirs."""
    families: dict[str, dict[str, str]] = defaultdict(dict)
    found = {
        key for entry in entries if len(entry.keys() - TICK) for key in entry.keys() - TICK if _is_number(entry[key])
    }
    for key in sorted(found, key=_in_order):
        family, level = re.fullmatch(r"(.+?)(?:_(\d+|mean))?", key, re.DOTALL).groups()  # type: ignore[union-attr]
        families[family][key] = f"{level} px" if level and level.isdigit() else level or family
    ranks = {name: rank for rank, name in enumerate(BEST)}
    titles = sorted(families, key=lambda family: (ranks.get(family, len(ranks)), family))
    return [
        Chart(
            family.upper() if len(family) <= 3 else family.replace("_", " "),
            families[family],
            f"{'lower' if BEST[family] is min else 'higher'} is better, ring: best" if family in BEST else "",
            plain=frozenset(families[family]),
            log=BEST.get(family) is min,
            best=BEST.get(family),
        )
        for family in titles
    ]


def _in_order(name: str) -> list[tuple[int, str]]:
    """Sort `swd_16` before `swd_128`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _chart(chart: Chart, entries: Sequence[Mapping[str, Any]], across: Axis) -> str:
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
        legend.append(f"<li {colour}><i></i>{_safe(curve.name)} <b>{last}</b></li>")
        heights = up.at(curve.y)
        seen = np.flatnonzero(np.isfinite(heights))
        if len(seen) and (chart.best or len(seen) == 1):  # a lone point is no line
            at = int((np.nanargmin if chart.best is min else np.nanargmax)(heights))
            title = f"{'best ' if chart.best else ''}{number(curve.y[at])} at {curve.x[at]:.0f} kimg"
            rings.append(_ring(i, float(x[at]), float(heights[at]), title))
    ups = [(float(up.at(tick)), number(tick)) for tick in up.ticks()]
    acrosses = [(float(across.at(tick)), number(tick)) for tick in across.ticks()]
    grid = "".join(f"M0,{1000 - 1000 * y:.1f}H1000" for y, _ in ups)
    marks = [(float(up.at(level)), name) for level, name in chart.marks]
    levels = "".join(f'<path class="mark" d="M0,{1000 - 1000 * y:.1f}H1000"/>' for y, _ in marks)
    names = "".join(f'<span class="name" style="bottom:{y:.2%}">{_safe(name)}</span>' for y, name in marks if name)
    left = "".join(f'<span style="bottom:{y:.2%}">{text}</span>' for y, text in ups)
    below = "".join(f'<span style="left:{x:.2%}">{text}</span>' for x, text in acrosses)
    note = f"<small>{_safe(chart.note)}</small>" if chart.note else ""
    axes = f'data-x="{across.low:.9g} {across.high:.9g}" data-y="{up.low:.9g} {up.high:.9g}" data-log="{int(up.log)}"'
    return f"""<figure class="chart" {axes}>
<figcaption><h2>{_safe(chart.title)}</h2>{note}<ul>{"".join(legend)}</ul></figcaption>
<div class="plot"><div class="left">{left}</div><div class="area">
<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{_safe(chart.title)} over kimg">
<path class="grid" d="{grid}"/>{levels}{"".join(lines)}</svg>{names}{"".join(rings)}<div class="cross" hidden><span></span></div>
</div><div class="below">{below}</div></div></figure>"""


def _ring(colour: int, x: float, y: float, title: str) -> str:
    return f'<i class="ring" style="--c:var(--c{colour % 6});left:{x:.2%};bottom:{y:.2%}" title="{_safe(title)}"></i>'


# Its recipe


def _recipe(recipe: Mapping[str, Any]) -> str:
    options = recipe.get("options")
    rows = ""
    if isinstance(options, dict):
        for name, choice in options.items():
            value, reason = (
                (choice.get("value"), choice.get("reason", "")) if isinstance(choice, dict) else (choice, "")
            )
            rows += f"<tr><th>{_safe(name)}</th><td>{_safe(_said(value))}</td><td>{_safe(reason or '')}</td></tr>"
    table = (
        f"<table><thead><tr><th>choice</th><th>value</th><th>because</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else ""
    )
    about = {key: recipe[key] for key in ("data", "model", "seed", "started") if key in recipe}
    lists = "".join(
        f"<div><dt>{_safe(key)}</dt><dd>{_safe(_said(value))}</dd></div>"
        for name, whole in about.items()
        for key, value in _flat(name, whole)
    )
    command = f"<code>{_safe(recipe['command'])}</code>" if "command" in recipe else ""
    if not (table or lists or command):
        return ""
    return f'<section class="recipe"><h2>Recipe</h2>{command}<dl>{lists}</dl>{table}</section>'


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{name} {key}", inner)]
    return [(name, value)]


def _said(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


STYLE = """
:root {
  --paper: #fbfaf7; --card: #ffffff; --ink: #1b1c1e; --soft: #6a6c70; --line: #e4e2dc; --grid: #efede8; --track: #e8e6e0;
  --c0: #0068a8; --c1: #cb4f00; --c2: #00805c; --c3: #a8558a; --c4: #2f97cf; --c5: #a87600;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131416; --card: #1a1c1f; --ink: #e9e7e2; --soft: #9a9ca1; --line: #2b2d31; --grid: #26282c; --track: #2b2d31;
    --c0: #5cb3ec; --c1: #f0914e; --c2: #3dbf97; --c3: #d991bd; --c4: #9ad2f5; --c5: #e3bd50;
  }
}
* { box-sizing: border-box; margin: 0; }
html { background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%; }
body {
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; max-width: 1240px; margin: 0 auto; padding: 36px 28px 56px;
}
h1 { font-size: 30px; font-weight: 600; letter-spacing: -0.02em; line-height: 1.15; overflow-wrap: anywhere; }
h2 { font-size: 15px; font-weight: 600; }
b { font-weight: 600; }
code {
  font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; user-select: all;
}
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
.state { color: var(--soft); display: flex; align-items: baseline; gap: 8px; overflow-wrap: anywhere; }
.state i { flex: none; width: 8px; height: 8px; border-radius: 50%; background: var(--c2); transform: translateY(-1px); }
.state.stopped i, .state.silent i { background: var(--c1); }
.state.finished i { background: var(--c0); }
.bar { height: 3px; border-radius: 2px; background: var(--track); margin: 18px 0 0; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--ink); }
.facts { display: flex; flex-wrap: wrap; gap: 14px 40px; margin: 18px 0 0; }
.facts dt, .recipe dt, th { color: var(--soft); font-size: 13px; font-weight: 400; }
.facts dd { font-size: 20px; letter-spacing: -0.01em; }
.play { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; margin: 18px 0 0; }
section { margin-top: 40px; }
.samples { display: grid; grid-template-columns: minmax(0, 8fr) minmax(0, 5fr); gap: 28px; align-items: start; }
.samples > :only-child { grid-column: 1 / -1; }
.samples img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--track); }
#grid { object-fit: contain; }
figcaption { color: var(--soft); font-size: 13px; margin-bottom: 8px; }
figcaption b { color: var(--ink); }
.slide { display: flex; align-items: center; gap: 12px; margin: 12px 0 8px; }
.slide[hidden] { display: none; }
.slide button {
  font: inherit; font-size: 13px; width: 60px; padding: 3px 0; color: var(--ink); background: none;
  border: 1px solid var(--line); border-radius: 6px; cursor: pointer;
}
.slide input { flex: 1; min-width: 0; height: 28px; accent-color: var(--c0); }
:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
.strip { display: flex; gap: 6px; overflow-x: auto; margin-top: 8px; padding-bottom: 6px; scrollbar-width: thin; }
.strip figure { flex: 0 0 76px; cursor: pointer; }
.strip figcaption { margin: 2px 0 0; font-size: 11px; text-align: center; }
.strip img { border-radius: 2px; }
.strip .on img { outline: 2px solid var(--c0); outline-offset: -2px; }
.strip .on figcaption { color: var(--ink); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 18px; }
.chart {
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px 12px;
  display: flex; flex-direction: column; min-width: 0;
}
.chart figcaption { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 10px; margin-bottom: 12px; flex: 1; }
.chart figcaption h2 { color: var(--ink); }
.chart figcaption ul { display: flex; flex-wrap: wrap; gap: 0 14px; padding: 0; list-style: none; flex-basis: 100%; }
.chart figcaption li i {
  display: inline-block; width: 12px; height: 3px; border-radius: 2px; background: var(--c); margin-right: 3px; vertical-align: 3px;
}
.chart figcaption li b { display: inline-block; min-width: 3.2em; }
.plot { display: grid; grid-template: 190px 18px / 40px minmax(0, 1fr); }
.left, .area, .below { position: relative; }
.area { border-bottom: 1px solid var(--line); touch-action: pan-y; cursor: crosshair; }
.area svg { position: absolute; width: 100%; height: 100%; overflow: hidden; display: block; }
.left span, .below span, .name { position: absolute; font-size: 11px; line-height: 14px; color: var(--soft); white-space: nowrap; }
.left span { right: 8px; transform: translateY(50%); }
.below { grid-column: 2; }
.below span { top: 4px; transform: translateX(-50%); }
.name { right: 0; padding: 0 2px; }
.area path { fill: none; vector-effect: non-scaling-stroke; }
.area .grid { stroke: var(--grid); stroke-width: 1px; }
.area .mark { stroke: var(--soft); stroke-width: 1px; stroke-dasharray: 2 3; }
.area .line { stroke: var(--c); stroke-width: 1.75px; stroke-linejoin: round; stroke-linecap: round; }
.area .raw { fill: var(--c); stroke: var(--c); stroke-width: 0.75px; opacity: 0.2; }
.ring {
  position: absolute; width: 9px; height: 9px; margin: 0 0 -4.5px -4.5px; border: 2px solid var(--c); border-radius: 50%;
  background: var(--card);
}
.cross { position: absolute; top: 0; bottom: 0; width: 0; border-left: 1px solid var(--soft); pointer-events: none; }
.cross[hidden] { display: none; }
.cross span {
  position: absolute; top: 0; left: 4px; padding: 0 3px; font-size: 11px; line-height: 16px; white-space: nowrap;
  color: var(--ink); background: var(--card); border-radius: 3px;
}
.cross.late span { left: auto; right: 5px; }
.recipe > h2 { margin-bottom: 10px; }
.recipe > code { display: block; padding: 10px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--card); }
.recipe dl { display: flex; flex-wrap: wrap; gap: 10px 32px; margin: 16px 0; }
.recipe dd { overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; vertical-align: baseline; padding: 7px 16px 7px 0; border-bottom: 1px solid var(--line); }
tbody th { color: var(--ink); font-size: 14px; white-space: nowrap; }
td { overflow-wrap: anywhere; }
td:nth-child(2) { min-width: 7em; }
td:last-child { color: var(--soft); padding-right: 0; }
footer { color: var(--soft); font-size: 13px; margin-top: 40px; }
footer code { font-size: 12px; }
@media (max-width: 760px) {
  body { padding: 22px 16px 40px; }
  h1 { font-size: 25px; }
  section { margin-top: 30px; }
  .samples { grid-template-columns: minmax(0, 1fr); }
  .facts { gap: 10px 26px; }
  .facts dd { font-size: 18px; }
  .chart { padding: 12px 12px 10px; }
  thead { display: none; }
  tr { display: grid; grid-template-columns: auto 1fr; gap: 0 12px; padding: 7px 0; border-bottom: 1px solid var(--line); }
  th, td { border: 0; padding: 0; }
  tbody th { white-space: normal; overflow-wrap: anywhere; }
  td:nth-child(2) { text-align: right; }
  td:last-child { grid-column: 1 / -1; font-size: 13px; }
}
@media print { .slide, .cross { display: none; } .chart { break-inside: avoid; } }
"""

SCRIPT = """
(() => {
  const all = (css, from = document) => [...from.querySelectorAll(css)];
  const one = (css, from = document) => from.querySelector(css);

  // What a reader was looking at, when the page comes again
  const key = 'kinesphere ' + location.pathname;
  let kept = {};
  try { kept = JSON.parse(sessionStorage.getItem(key)) || {}; } catch {}
  const keep = () => { try { sessionStorage.setItem(key, JSON.stringify(kept)); } catch {} };
  history.scrollRestoration = 'manual';

  // The time line
  const grid = one('#grid'), slide = one('.slide'), strip = one('.strip');
  if (grid && slide) {
    const slider = one('input', slide), button = one('button', slide), when = one('#when');
    const frames = [...all('img', strip).map(img => ({ src: img.src, kimg: img.alt })), { src: grid.src, kimg: grid.alt }];
    const newest = frames.length - 1;
    let timer = 0;
    const show = i => {
      slider.value = i;
      grid.src = frames[i].src;
      grid.alt = when.textContent = frames[i].kimg;
      all('figure', strip).forEach((figure, j) => figure.classList.toggle('on', j === i));
      kept.frame = i === newest ? null : frames[i].kimg;
      keep();
    };
    const stop = () => { clearInterval(timer); timer = 0; button.textContent = 'Play'; };
    const follow = i => {
      const figure = all('figure', strip)[i];
      strip.scrollLeft = figure ? figure.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + 38 : strip.scrollWidth;
    };
    slider.max = newest;
    slide.hidden = false;
    slider.addEventListener('input', () => { stop(); show(+slider.value); follow(+slider.value); });
    all('figure', strip).forEach((figure, i) => figure.addEventListener('click', () => { stop(); show(i); }));
    button.addEventListener('click', () => {
      if (timer) return stop();
      button.textContent = 'Pause';
      if (+slider.value === newest) show(0);
      timer = setInterval(() => {
        show(+slider.value + 1);
        follow(+slider.value);
        if (+slider.value === newest) stop();
      }, 250);
    });
    const before = kept.frame ? frames.findIndex(frame => frame.kimg === kept.frame) : -1;
    show(before < 0 ? newest : before);
    follow(+slider.value);
  }

  // Values under the pointer, on every chart at once
  const text = v => Math.abs(v) >= 1000 ? Math.round(v).toLocaleString('en-US') : String(+v.toPrecision(3));
  const charts = all('.chart').map(chart => {
    const [x0, x1] = chart.dataset.x.split(' ').map(Number), [y0, y1] = chart.dataset.y.split(' ').map(Number);
    const value = chart.dataset.log === '1' ? f => y0 * (y1 / y0) ** f : f => y0 + (y1 - y0) * f;
    const curves = all('.line', chart).map((path, i) => ({
      points: path.getAttribute('d').split(/[M ]/).filter(Boolean).map(p => p.split(',').map(Number)),
      said: all('li b', chart)[i], last: all('li b', chart)[i].textContent,
    }));
    return { area: one('.area', chart), cross: one('.cross', chart), x0, x1, value, curves };
  });
  const nearest = (points, x) => {
    let a = 0, b = points.length - 1;
    while (b - a > 1) { const m = (a + b) >> 1; if (points[m][0] <= x) a = m; else b = m; }
    return Math.abs(points[a][0] - x) <= Math.abs(points[b][0] - x) ? points[a] : points[b];
  };
  const read = x => charts.forEach(chart => {
    chart.cross.hidden = x === null;
    if (x !== null) {
      chart.cross.style.left = x / 10 + '%';
      chart.cross.classList.toggle('late', x > 700);
      one('span', chart.cross).textContent = text(chart.x0 + (chart.x1 - chart.x0) * x / 1000) + ' kimg';
    }
    for (const curve of chart.curves) if (curve.points.length)
      curve.said.textContent = x === null ? curve.last : text(chart.value(1 - nearest(curve.points, x)[1] / 1000));
  });
  for (const { area } of charts) {
    const move = event => {
      const box = area.getBoundingClientRect();
      read(Math.min(1000, Math.max(0, (event.clientX - box.left) / box.width * 1000)));
    };
    area.addEventListener('pointermove', move);
    area.addEventListener('pointerdown', move);
    area.addEventListener('pointerleave', () => read(null));
  }

  // A run that was killed cannot say so
  const root = document.documentElement, state = one('.state.running');
  const age = () => {
    const seconds = Date.now() / 1000 - root.dataset.written;
    if (!state || seconds < root.dataset.silent) return;
    const minutes = Math.round(seconds / 60);
    state.classList.add('silent');
    one('span', state).textContent = 'no news for ' + (minutes < 120 ? minutes + ' min' : Math.round(minutes / 60) + ' h');
  };
  age();
  setInterval(age, 10000);

  if (kept.y) scrollTo(0, kept.y);
  const place = () => { kept.y = scrollY; keep(); };
  addEventListener('scroll', place, { passive: true });
  addEventListener('pagehide', place);
})();
"""
