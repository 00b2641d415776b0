"""The log of a run: written a line at a time, read back, said in words; and which snapshot it found best."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from kinesphere import files
from kinesphere.checkpoints import places
from kinesphere.types import KinesphereError

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
"""Which end of a metric is good."""


# The log


def read_log(path: Path, most: int | None = None) -> list[dict[str, Any]]:
    """Every whole line of a log, in order; a missing log is empty, and a line that a crash cut in half is skipped.

    With `most`, of the lines with the same number of keys evenly that many at most, so that the few with a metric are all kept.
    """
    lines = _lines(path)
    return _entries(lines if most is None else _thinned(lines, most))


def read_object(path: Path) -> dict[str, Any]:
    """What a JSON file of a run says; {} where it is missing or cut in half."""
    found = _entries([path.read_bytes()]) if path.exists() else []
    return found[0] if found else {}


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


def _thinned(lines: Sequence[bytes], most: int) -> list[bytes]:
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
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            before = _lines(path)
            kept = [line for line in before if _stays(line, step)]
            if before and [*kept, b""] != before:
                whole = b"".join(line + b"\n" for line in kept)
                files.replace(path, lambda unfinished: unfinished.write_bytes(whole))
            self._file = path.open("a", encoding="utf-8")

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one line and flush it. A number that is not finite becomes null, so that any JSON reader can read the log."""
        plain = {key: _plain(value) for key, value in entry.items()}
        line = json.dumps(plain, default=lambda value: _plain(float(value)), allow_nan=False)
        with writing(self.path):
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
    return not is_number(at) or at <= step


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in words why a file of the run cannot be written: an OSError inside becomes a KinesphereError."""
    try:
        yield
    except OSError as error:
        raise KinesphereError(
            f"{str(path)!r} cannot be written: {files.reason(error)}; make room there, or choose another --out"
        ) from None


# The progress line


def live_line(entry: Mapping[str, Any], total_kimg: float) -> str:
    """One log entry as the text of a progress line, as wide at the next entry as at this one.

    What an entry does not have (`r_t` without ADA, `time_left_s` at the first tick) is left out.
    """
    numbers = {key: value for key, value in entry.items() if is_number(value)}

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


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


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
    """The snapshot of a run that is to be played, and what its metric said about it."""

    snapshot: Path
    metric: str = ""  # "": nothing was measured, it is the newest
    value: float = math.nan  # of a pair, as precision and recall, the worse half

    @property
    def kimg(self) -> int:
        return int(self.snapshot.stem)


def best_snapshot(run: Path) -> Score | None:
    """The snapshot that best.json names, which is also the one that is played by the name of the run; None where there is none.

    Where best.json is missing, or names one that is gone, it is the newest.
    """
    path = places.best_snapshot(run)
    if path is None or not (path.stem.isascii() and path.stem.isdigit()):
        return None
    said = read_object(run / "best.json")
    metric, score = str(said.get("metric")), said.get("score", math.nan)
    if said.get("snapshot") != path.name or not is_finite(score):
        return Score(path)
    return Score(path, metric, score if BEST.get(metric) is min else -score)  # less is better for a score
