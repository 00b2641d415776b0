"""What the probes found: in words, and on one page with its plots that needs no other file and no network."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from kinesphere import files
from kinesphere.studio.disentanglement import DCI
from kinesphere.studio.lines import ERRORS, FOLDS, SHUFFLES, Legible, apart
from kinesphere.studio.probes import Findings, Point
from kinesphere.types import KinesphereError

CLEAR = 0.05  # of disentanglement, to be more than that of axes drawn at random
ENOUGH = 0.9  # of what all labels give
SHOWN = 3  # labels that a sentence names with their numbers
CURVES = 11  # labels whose curves are drawn, beside the mean
MEASURES = {"number": "R²", "class": "balanced accuracy"}
ROOM = 0.17  # of a chart's width, for the number of one size
COLOURS = 6  # of the page; further spaces have rings and dashes
STYLE = resources.files("kinesphere.studio") / "findings.css"


# In words -------------------------------------------------------------------------------------------------------------


def words(found: Findings) -> list[str]:
    """What holds and what does not, a sentence each, the most important first.

    One space is said to tell better than another where the difference, fold by fold, is above two standard errors.
    """
    one = reference(found)
    others = sorted((name for name in found.scores if name != one), key=lambda name: name not in ("z", "pixels"))
    said = [_known(found), *(_compared(found, one, other) for other in others), _unknown(found)]
    said += [_enough(found, one), *(_axes(name, *pair) for name, pair in found.axes.items())]
    if found.cuts:
        left = ", ".join(f"{cut.each:.2f} in {name}" for name, cut in found.cuts.items())
        said.append(
            f"A flat cut leaves this many answers to yes or no open for a label, 1 being the best and 2 nothing: {left}."
        )
    if found.paths:
        lengths = ", ".join(f"{length:.3g} in {name}" for name, length in found.paths.items())
        said.append(f"Perceptual path length: {lengths}; shorter is smoother.")
    said += [f"Nothing can be said of {name}: it {why}." for name, why in found.left_out.items()]
    return [sentence for sentence in said if sentence]


def reference(found: Findings) -> str:
    """The space that the others are compared with: w, or the first where there is none."""
    return "w" if "w" in found.scores else next(iter(found.scores))


def better(found: Findings, one: str, other: str) -> list[str]:
    """The labels that a space tells better than another, the farthest apart first."""
    gaps = {label: apart(found.scores[one][label], found.scores[other][label]) for label in found.kinds}
    clear = {label: gap for label, (gap, error) in gaps.items() if gap > ERRORS * error}
    return sorted(clear, key=lambda label: -clear[label])


def _known(found: Findings) -> str:
    counts = [f"{sum(told.known for told in row.values())} in {name}" for name, row in found.scores.items()]
    labels = "Of 1 label" if len(found.kinds) == 1 else f"Of {len(found.kinds)} labels"
    return f"{labels}, a straight line tells above chance: {', '.join(counts)}."


def _compared(found: Findings, one: str, other: str) -> str:
    ahead, behind = better(found, one, other), better(found, other, one)
    alike = [label for label in found.kinds if label not in {*ahead, *behind}]
    if len(behind) > len(ahead):
        one, other, ahead, behind = other, one, behind, ahead
    if not ahead:
        return f"Told alike in {one} and in {other}: every label."
    if len(found.kinds) == 1:
        return f"Told better in {one} than in {other}: {_numbers(found, ahead, one, other)}."
    worse = f"; worse: {_numbers(found, behind, one, other)}" if behind else ", none worse"
    return (
        f"Told better in {one} than in {other}: {len(ahead)} of {len(found.kinds)} labels, {_few(alike)} alike; most of all "
        f"{_numbers(found, ahead, one, other)}{worse}."
    )


def _few(labels: Sequence[str]) -> str:
    """How many, and which where they are few."""
    return f"{len(labels)} ({', '.join(labels)})" if 0 < len(labels) <= SHOWN else str(len(labels))


def _numbers(found: Findings, labels: Sequence[str], one: str, other: str) -> str:
    """The first labels with their scores in two spaces, and how many there are beside them."""
    said = [
        f"{label} ({MEASURES[found.kinds[label]]} {_score(found.scores[one][label])} against "
        f"{_score(found.scores[other][label])})"
        for label in labels[:SHOWN]
    ]
    rest = len(labels) - SHOWN
    return ", ".join(said) + (f" and {rest} more" if rest > 0 else "")


def _score(told: Legible) -> str:
    return f"{told.score:.2f} ± {told.error:.2f}"


def _unknown(found: Findings) -> str:
    never = [label for label in found.kinds if not any(row[label].known for row in found.scores.values())]
    return f"No space tells {', '.join(never)}." if never else "Every label is told by some space."


def _enough(found: Findings, space: str) -> str:
    """How many labels give most of what all of them give, by the mean curve; "" where that comes to nothing."""
    line = mean_curve(found, space)
    if not line or line[-1][1] <= 0:
        return ""
    size = next(size for size, score, _ in line if score >= ENOUGH * line[-1][1])
    return f"In {space}, {size} labels give {ENOUGH:.0%} of what {line[-1][0]} give, as a mean over numbers that are known."


def mean_curve(found: Findings, space: str) -> list[Point]:
    """The mean curve of the numbers that the reference knows and that show in the most pictures; no errors."""
    known = [
        label for label, told in found.scores[reference(found)].items() if told.known and found.kinds[label] == "number"
    ]
    most = max((found.scores[space][label].count for label in known), default=0)
    lines = [found.curves[space][label] for label in known if found.scores[space][label].count == most]
    return [
        (points[0][0], float(np.mean([score for _, score, _ in points])), 0.0) for points in zip(*lines, strict=True)
    ]


def _axes(name: str, own: DCI, other: DCI) -> str:
    more = "more than" if own.disentanglement > other.disentanglement + CLEAR else "no more than"
    return (
        f"The axes of {name} mean {more} axes drawn at random: disentanglement {own.disentanglement:.2f} against "
        f"{other.disentanglement:.2f}, completeness {own.completeness:.2f} against {other.completeness:.2f}."
    )


# The page -------------------------------------------------------------------------------------------------------------


def places(out: Path) -> tuple[Path, Path]:
    """Where the page and its numbers go: OUT.html and OUT.json. Raises KinesphereError for a page of another ending."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise KinesphereError(f"{out.name!r} is no name of a page: let it end in .html")
    return out, out.with_suffix(".json")


def write(found: Findings, title: str, facts: Mapping[str, str], out: Path) -> tuple[Path, Path]:
    """Write the page, and all its numbers as JSON beside it; each whole or not at all. Returns their paths.

    facts  what was probed, to stand beneath the title: name -> words
    Raises KinesphereError as `places`, and where they cannot be written.
    """
    out, numbers = places(out)
    data = {"model": title, "facts": dict(facts), "words": words(found), **found.asdict()}
    for path, text in (
        (out, page(found, title, facts)),
        (numbers, json.dumps(data, indent=1, ensure_ascii=False) + "\n"),
    ):
        _put(path, text.encode())
    return out, numbers


def _put(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, lambda unfinished: unfinished.write_bytes(content))
    except OSError as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None


def page(found: Findings, title: str, facts: Mapping[str, str]) -> str:
    """The HTML of all that was found."""
    said = "".join(f"<li>{_safe(sentence)}</li>" for sentence in words(found))
    given = "".join(f"<div><dt>{_safe(name)}</dt><dd>{_safe(value)}</dd></div>" for name, value in facts.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>What {_safe(title)} knows · Kinesphere</title>
<link rel="icon" href="data:,">
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header><h1>What {_safe(title)} knows</h1><dl class="facts">{given}</dl></header>
<main>
<section><h2>In words</h2><ul class="words">{said}</ul></section>
{"".join(_dots(found, kind) for kind in MEASURES)}
{_curves(found)}
{_geometry(found)}
{_table(found)}
</main>
<footer>Each score is of pictures that the line has not seen: {FOLDS} folds, the penalty chosen within each. ± is one standard error
over the folds, widened because they share what they learn from. Chance is the same with the labels shuffled, {SHUFFLES} times.
A space knows a label whose score is above chance by {ERRORS} errors.</footer>
</body>
</html>
"""


def _safe(text: object) -> str:
    return html.escape(str(text))


def _colour(found: Findings, space: str) -> tuple[str, bool]:
    """The style of a space, and whether it comes in the second round of colours."""
    i = list(found.scores).index(space)
    return f"--c:var(--c{i % COLOURS})", i >= COLOURS


def _legend(found: Findings) -> str:
    entries = []
    for space, (of, used) in found.spaces.items():
        style, again = _colour(found, space)
        width = f"{of}" if of == used else f"{used} of {of}"
        entries.append(
            f'<li style="{style}"><i class="dot{" ring" * again}"></i>{_safe(space)} <small>{width}</small></li>'
        )
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _dots(found: Findings, kind: str) -> str:
    """A row for each label of a kind, the best told first, with a dot for each space."""
    labels = [label for label, its in found.kinds.items() if its == kind]
    if not labels:
        return ""
    labels.sort(key=lambda label: -max(row[label].score for row in found.scores.values()))
    rows = "".join(_dot_row(found, label) for label in labels)
    scale = "".join(f'<span style="left:{tick:.0%}">{tick:g}</span>' for tick in (0, 0.25, 0.5, 0.75, 1))
    return f"""<section><h2>How well each {kind} is told: {MEASURES[kind]}</h2>
<p class="note">A dot is a space, its line one standard error to either side. Faint is not above chance, the grey mark.</p>
{_legend(found)}
<div class="dots">{rows}<div class="row scale"><span></span><div class="strip">{scale}</div></div></div></section>"""


def _dot_row(found: Findings, label: str) -> str:
    marks, said = [], []
    for space, row in found.scores.items():
        told, (style, again) = row[label], _colour(found, space)
        low, high = (min(max(told.score + side * told.error, 0), 1) for side in (-1, 1))
        faint = "" if told.known else " faint"
        at = min(max(told.score, 0), 1)
        marks.append(
            f'<i class="error{faint}" style="{style};left:{low:.2%};width:{high - low:.2%}"></i>'
            f'<i class="dot{" ring" * again}{faint}" style="{style};left:{at:.2%}" title="{_safe(space)} {_score(told)}"></i>'
        )
        said.append(f"{space} {told.score:.2f}")
    chance = float(np.mean([row[label].chance for row in found.scores.values()]))
    tick = f'<i class="chance" style="left:{min(max(chance, 0), 1):.2%}"></i>'
    spoken = _safe(f"{label}: {', '.join(said)}; chance {chance:.2f}")
    return (
        f'<div class="row"><span>{_safe(label)}</span>'
        f'<div class="strip" role="img" aria-label="{spoken}">{tick}{"".join(marks)}</div></div>'
    )


# Curves


def _curves(found: Findings) -> str:
    """The score by the number of labels: of the mean, and of the labels that spaces tell most differently."""
    mean = {space: line for space in found.scores if (line := mean_curve(found, space))}
    apart_by = {label: np.ptp([row[label].score for row in found.scores.values()]) for label in found.kinds}
    labels = sorted(apart_by, key=lambda label: -apart_by[label])[:CURVES]
    charts = [_chart(found, "mean of the numbers that are known", "R²", mean)] if mean else []
    charts += [
        _chart(found, label, MEASURES[found.kinds[label]], {space: row[label] for space, row in found.curves.items()})
        for label in labels
    ]
    return f"""<section><h2>How many labels it takes</h2>
<p class="note">Score by the number of labelled pictures; below 0 is not drawn.</p>
{_legend(found)}<div class="charts">{"".join(charts)}</div></section>"""


def _chart(found: Findings, title: str, measure: str, lines: Mapping[str, Sequence[Point]]) -> str:
    sizes = sorted({size for line in lines.values() for size, _, _ in line})
    low, high = math.log(sizes[0]), math.log(sizes[-1])

    def across(size: int) -> float:
        return (math.log(size) - low) / (high - low) if high > low else 0.5

    drawn = []
    for space, line in lines.items():
        style, again = _colour(found, space)
        points = " ".join(f"{1000 * across(size):.1f},{1000 - 1000 * score:.1f}" for size, score, _ in line)
        dash = ' stroke-dasharray="5 4"' if again else ""
        drawn.append(f'<polyline class="line" style="{style}"{dash} points="{points}"/>')
    below = "".join(
        f'<span style="left:{at:.2%}">{size}</span>'
        for size, at in _roomy({size: across(size) for size in sizes}).items()
    )
    left = "".join(f'<span style="bottom:{tick:.0%}">{tick:g}</span>' for tick in (0, 0.5, 1))
    spoken = _safe(f"{title}, {measure} by the number of labels")
    return f"""<figure class="chart"><figcaption><b>{_safe(title)}</b> {measure}</figcaption>
<div class="plot"><div class="left">{left}</div><div class="area">
<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{spoken}">
<path class="grid" d="M0,0H1000M0,500H1000M0,1000H1000"/>{"".join(drawn)}</svg></div>
<div class="below">{below}</div></div></figure>"""


def _roomy(places: Mapping[int, float]) -> dict[int, float]:
    """Those of the sizes, at places from 0 to 1, whose numbers do not run into one another; the last is always there."""
    kept: dict[int, float] = {}
    for size, at in reversed([*places.items()]):
        if not kept or min(kept.values()) - at > ROOM:
            kept[size] = at
    return kept


# Tables


def _geometry(found: Findings) -> str:
    if not (found.axes or found.cuts or found.paths):
        return ""
    rows = []
    for space in [name for name in found.scores if name in {*found.axes, *found.cuts, *found.paths}]:
        pair, cut = found.axes.get(space), found.cuts.get(space)
        cells = [_pair(pair, name) for name in ("disentanglement", "completeness", "informativeness")]
        cells += [f"{cut.each:.2f}", f"{cut.score:.3g}"] if cut else ["", ""]
        cells.append(f"{found.paths[space]:.3g}" if space in found.paths else "")
        rows.append(f'<tr><th scope="row">{_safe(space)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    heads = ("disentanglement", "completeness", "informativeness", "open per label", "separability", "path length")
    return f"""<section><h2>Axes and cuts</h2>
<p class="note">Disentanglement: each axis means one label; completeness: each label is on one axis; by the weights of a lasso, and
in brackets the same space on axes drawn at random. Open per label: of 2 answers, how many a linear SVM leaves; separability, as
published, is exp of the sum over all labels.</p>
{_scrolling("Axes and cuts", ("space", *heads), "".join(rows))}</section>"""


def _pair(pair: tuple[DCI, DCI] | None, name: str) -> str:
    return f"{getattr(pair[0], name):.2f} <small>({getattr(pair[1], name):.2f})</small>" if pair else ""


def _table(found: Findings) -> str:
    rows = []
    for label, kind in found.kinds.items():
        told = {space: row[label] for space, row in found.scores.items()}
        best = max(told, key=lambda space: told[space].score)
        cells = []
        for space, its in told.items():
            text = f"<b>{its.score:.2f}</b>" if space == best else f"{its.score:.2f}"
            cells.append(f"<td{'' if its.known else ' class=faint'}>{text} <small>± {its.error:.2f}</small></td>")
        chance = np.mean([its.chance for its in told.values()])
        rows.append(
            f'<tr><th scope="row">{_safe(label)}</th><td>{MEASURES[kind]}</td>{"".join(cells)}<td>{chance:.2f}</td></tr>'
        )
    heads = ("label", "measure", *found.scores, "chance")
    return f"""<section><h2>All scores</h2><p class="note">Bold is the highest; faint is not above chance.</p>
{_scrolling("All scores", heads, "".join(rows))}</section>"""


def _scrolling(name: str, heads: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{_safe(text)}</th>' for text in heads)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
