"""The page of a run, to keep open while it runs: where it is, its samples, its curves, its recipe."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import io
import json
import math
import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinesphere import files
from kinesphere.train.curves import Axis, Chart, draw, series
from kinesphere.train.diary import (
    BEST,
    TICK,
    best_snapshot,
    duration,
    is_number,
    number,
    read_log,
    read_object,
    writing,
)
from kinesphere.types import KinesphereError

REFRESH = 30  # seconds between two looks at a page that is still being written
MOST_LINES = 10_000  # of a log with the same number of keys; the page reads no more of them, so that it is quick
MOST_EARLIER = 24  # grids on the time line
NEWEST, REALS, EARLIER = (1600, 1_000_000), (1200, 500_000), (480, 45_000)  # longest side in pixels, most bytes
PAGE = resources.files("kinesphere.train") / "page"  # its style and its script


def write_page(run: Path) -> Path:
    """Write RUN/index.html from what lies in the run's folder, at once, and return its path.

    Read are `run.json`, `log.jsonl`, `ended.json`, `samples/*.jpg` and the names in `snapshots/`; whatever is missing or cut in
    half is left out. The page needs no other file and no network. Raises KinesphereError where there is no such folder.
    """
    if not run.is_dir():
        raise KinesphereError(f"no run {str(run)!r}: name the folder that `kinesphere train DATA --out RUN` has made")
    path = run / "index.html"
    content = _page(run).encode(errors="replace")  # a name of a file may be no text
    with writing(path):
        files.replace(path, lambda unfinished: unfinished.write_bytes(content))
    return path


def _page(run: Path) -> str:
    about, ended = read_object(run / "run.json"), read_object(run / "ended.json")
    entries = read_log(run / "log.jsonl", MOST_LINES)
    name, last = run.resolve().name, entries[-1] if entries else {}
    style, script = (f"\n{(PAGE / name).read_text(encoding='utf-8')}" for name in ("style.css", "script.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
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
<style>{style}</style>
</head>
<body>
{_header(run, name, about, ended, entries)}
<main>
{_samples(run / "samples")}
{_charts(entries, about)}
{_recipe(about)}
</main>
<footer>Written {now.astimezone():%Y-%m-%d %H:%M:%S}{"" if ended else f", looked at again every {REFRESH} s"}.
The numbers are in <code>log.jsonl</code>.</footer>
<script>{script}</script>
</body>
</html>
"""


def _safe(text: Any) -> str:
    return html.escape(str(text))


def _silence(entries: Sequence[Mapping[str, Any]]) -> float:
    """Seconds without a new page after which a reader is told: five ticks, or ten minutes."""
    seconds = series(entries[-50:], "seconds")[1]
    return max(600.0, 5 * float(np.nan_to_num(np.diff(seconds)).max(initial=0)))


def _kimg(entry: Mapping[str, Any]) -> str:
    return f"{entry['kimg']:.1f}" if is_number(entry.get("kimg")) else "0"


def _chosen(about: Mapping[str, Any], name: str) -> Any:
    """What the run was told to do: from its whole recipe, else from the choices that have a reason; None where neither says."""
    whole, options = about.get("recipe"), about.get("options")
    if isinstance(whole, dict) and name in whole:
        return whole[name]
    choice = options.get(name) if isinstance(options, dict) else None
    return choice.get("value") if isinstance(choice, dict) else None


def _header(
    run: Path, name: str, about: Mapping[str, Any], ended: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> str:
    last = entries[-1] if entries else {}
    ending = str(ended.get("state", "running"))
    why = f": {ended['why']}" if ended.get("why") else ""
    total = _chosen(about, "kimg")
    total = total if is_number(total) else None
    of = f" of {total:g}" if total else ""
    facts = [("kimg", _kimg(last) + of)]
    facts += [("time", duration(last["seconds"]))] if is_number(last.get("seconds")) else []
    facts += [("img/s", number(last["img_per_s"]))] if is_number(last.get("img_per_s")) else []
    facts += [("left", duration(last["time_left_s"]))] if not ended and is_number(last.get("time_left_s")) else []
    facts += [("memory", f"{number(last['memory_mb'])} MB")] if is_number(last.get("memory_mb")) else []
    shown = "".join(f"<div><dt>{label}</dt><dd>{_safe(text)}</dd></div>" for label, text in facts)
    done = min(1.0, float(last.get("kimg") or 0) / total) if total and is_number(last.get("kimg")) else None
    bar = "" if done is None else f'<div class="bar"><i style="width:{done:.2%}"></i></div>'
    kind = ending if ending in ("running", "finished", "stopped") else "stopped"
    return f"""<header>
<div class="title"><h1>{_safe(name)}</h1><p class="state {kind}"><i></i><span>{_safe(ending + why)}</span></p></div>
{bar}
<dl class="facts">{shown}</dl>
{_play(run)}
</header>"""


def _play(run: Path) -> str:
    """The best snapshot and the command that plays it: the run's name means its best snapshot."""
    best = best_snapshot(run)
    if best is None:
        return ""
    measured = f", {_safe(best.metric)} {number(best.value)}" if best.metric else ""
    said = f"{'Best' if best.metric else 'Newest'} snapshot: <b>{best.kimg} kimg</b>{measured}"
    command = f"<code>kinesphere play --model {_safe(shlex.quote(str(run)))}</code>"
    return f'<div class="play"><p>{said}</p>{command}</div>'


# Its pictures


def _samples(folder: Path) -> str:
    grids = _numbered(folder)
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


def _numbered(folder: Path) -> dict[int, Path]:
    """The pictures of a folder that are named by their kimg, in order."""
    found = {int(p.stem): p for p in folder.glob("*.jpg") if p.stem.isascii() and p.stem.isdigit()}
    return dict(sorted(found.items()))


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


def _charts(entries: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> str:
    charts = [
        *_metric_charts(entries),
        Chart("Losses", {"loss_G": "G", "loss_D": "D"}),
        Chart("Logits", {"logit_real": "real", "logit_fake": "fake"}, "above 0, D says real", marks=((0.0, ""),)),
        _overfitting(about),
        Chart("Penalties", {"r1": "R1", "path_length": "path length"}, "log axis", log=True),
        Chart("Speed", {"img_per_s": "img/s"}, include=(0.0,)),
    ]
    kimg = [e["kimg"] for e in entries if is_number(e.get("kimg")) and math.isfinite(e["kimg"])]
    if not kimg:
        return ""
    across = Axis(0.0, max(kimg) if max(kimg) > 0 else 1.0)
    return f'<section class="charts">{"".join(draw(chart, entries, across) for chart in charts)}</section>'


def _overfitting(about: Mapping[str, Any]) -> Chart:
    """r_t, and what it steers where pictures are augmented."""
    if _chosen(about, "augment") == "none":
        return Chart("Overfitting", {"r_t": "r_t"}, "near 1, D knows its pictures by heart", include=(0.0,))
    target = _chosen(about, "ada_target")
    return Chart(
        "Overfitting",
        {"r_t": "r_t", "ada_p": "p"},
        "r_t above its target raises p" if is_number(target) else "p stays as it is",
        plain=frozenset({"ada_p"}),
        include=(0.0,),
        marks=((float(target), "target"),) if is_number(target) else (),
    )


def _metric_charts(entries: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """A chart for each metric; what it says of several sizes or by several networks (`swd16`, `swd32`, `swd`) shares one."""
    families: dict[str, dict[str, str]] = defaultdict(dict)
    found = {key for entry in entries for key in entry.keys() - TICK if is_number(entry[key])}
    for key in sorted(found, key=_in_order):
        known = re.fullmatch(rf"({'|'.join(BEST)})_?(\d*)(?:_(.*))?", key, re.DOTALL)
        family, size, network = known.groups() if known else (key, "", "")
        families[family][key] = f"{size} px" if size else network or ""
    for family, names in families.items():
        alone = len(names) == 1
        families[family] = {key: name or (family if alone else "mean") for key, name in names.items()}
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


# Its recipe


def _recipe(about: Mapping[str, Any]) -> str:
    options = about.get("options")
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
    facts = "".join(f"<div><dt>{_safe(name)}</dt><dd>{_safe(_said(value))}</dd></div>" for name, value in _facts(about))
    command = f"<code>{_safe(about['command'])}</code>" if "command" in about else ""
    notes = "".join(f"<li>{_safe(note)}</li>" for note in about.get("notes", ()))
    notes = f"<ul>{notes}</ul>" if notes else ""
    if not (table or facts or command):
        return ""
    return f'<section class="recipe"><h2>Recipe</h2>{command}<dl>{facts}</dl>{notes}{table}</section>'


def _facts(about: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The pictures, and when and where the run was begun or gone on with at last."""
    data, sessions = about.get("data"), about.get("sessions") or [{}]
    facts = _flat("", data) if isinstance(data, dict) else []
    facts += [("seed", about["seed"])] if "seed" in about else []
    facts += [("started", _local(about["started"]))] if "started" in about else []
    last = sessions[-1]
    if len(sessions) > 1:
        facts += [("resumed", f"at {_said(last['kimg'])} kimg, {_local(last['started'])}")]
    facts += [(name, last[name]) for name in ("device", "processes") if name in last]
    facts += [("versions", [f"{name} {of}" for name, of in last["versions"].items()])] if "versions" in last else []
    return facts + ([("commit", last["commit"])] if last.get("commit") else [])


def _local(moment: str) -> str:
    """A moment of run.json on the clock of who writes the page."""
    return f"{datetime.fromisoformat(moment).astimezone():%Y-%m-%d %H:%M}"


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(f"{name} {key}".strip(), inner)]
    return [(name, value)]


def _said(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)
