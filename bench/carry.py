"""What a small machine can carry: the picture's rate while each feature looks on. Run: python bench/carry.py

Each feature is played alone, as a patch plays it: the built-in model and clip, thirty pictures a second aimed at, the feature
driving the fine rows or psi. Before and after them all the instrument is played without a feature ("nothing"), so that a machine
that changes under the bench is seen.
  pictures    of the stage, a second; p99: one in a hundred comes later than this after the one before it
  felt        how often a second the feature has a new value
  age         how long ago the camera saw what moves a picture, when that is shown: the latency that the player feels
Features of networks that others trained have random weights, which are no quicker. What cannot be opened here says why.
Saves bench/results/carry.json; --docs puts the figures into docs/features.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

from stage import about, save  # noqa: E402

from kinesphere import checkpoints, patch  # noqa: E402
from kinesphere.engine import Engine  # noqa: E402
from kinesphere.features import FEATURES  # noqa: E402
from kinesphere.performance import Performance, Status  # noqa: E402
from kinesphere.sinks import Null  # noqa: E402
from kinesphere.sources import Video  # noqa: E402
from kinesphere.types import KinesphereError  # noqa: E402

HERE = Path(__file__).parent
OUT = HERE / "results" / "carry.json"
DOCS = HERE.parent / "docs" / "features.md"
HEADING, NEXT = "## What a small machine can carry", "\n## "
CLIP = str(resources.files("kinesphere.builtin") / "clip.mp4")
FPS = 30.0
SETTLE = 4.0  # seconds that are not counted: networks are loaded, the tracker's process begins

RANDOM = {"weights": "random:0"}
ROWS: dict[str, tuple[str, dict[str, Any]] | None] = {  # what it is called, its kind and its settings
    "nothing": None,
    "brightness": ("brightness", {}),
    "motion": ("motion", {}),
    "colour": ("colour", {}),
    "cut": ("cut", {}),
    "silhouette": ("silhouette", {}),
    "flow": ("flow", {}),
    "activations": ("activations", {}),
    "activations, within the silhouette": ("activations", {"within": "silhouette"}),
    "hand": ("hand", {}),
    "body": ("body", {}),
    "face": ("face", {}),
    "activations, mobilenet": ("activations", {"network": "mobilenet", **RANDOM}),
    "activations, dinov2 (small), 126 px": ("activations", {"network": "dinov2", "size": 126, **RANDOM}),
    "classification": ("classification", {**RANDOM}),
    "segmentation, 256 px": ("segmentation", {"what": "LABEL_12", "size": 256, **RANDOM}),
    "depth, 252 px": ("depth", {**RANDOM}),
    "nothing, again": None,
}


def instrument(row: tuple[str, dict[str, Any]] | None) -> patch.Patch:
    """The feature alone; the latent drifts, so that every picture is another one."""
    played = patch.Patch(
        sources={"eye": Video(CLIP)}, latent=patch.Latent(seed=5, drift=20.0), sinks={"nowhere": Null()}
    )
    played.picture.fps = FPS
    if row:
        kind, fields = row
        feature = FEATURES[kind](**fields)
        played.features = {"it": feature}
        if feature.vector:
            played.latent.rows = {"fine": patch.Drive("it")}
        else:
            played.latent.psi = patch.Route(played.numbers()[0], low=0.6, high=1.0)
    return played


def carried(row: tuple[str, dict[str, Any]] | None, seconds: float) -> dict[str, Any]:
    """Of one feature; the last `seconds` of its playing count."""
    try:
        played = instrument(row)
        performance = Performance(played, engine=Engine(played, checkpoints.load(played.model)))
        seen: list[Status] = []
        performance.run(SETTLE + seconds, seen.append, status_every=0.25)
    except KinesphereError as error:
        return {"not measured": str(error)}
    settled = [status for status in seen if status.t > SETTLE]
    first, last = settled[0], settled[-1]
    ages = [status.age for status in settled if status.age is not None]
    felt = [status.stations["features.it"].rate for status in settled if "features.it" in status.stations]
    return {
        "pictures a second": round((last.frames - first.frames) / (last.t - first.t), 1),
        "p99 ms": round(last.p99 * 1e3, 1),
        "felt a second": round(statistics.mean(felt), 1) if felt else None,
        "age p50 ms": round(statistics.median(ages) * 1e3) if ages else None,
        "failures": last.failures,
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    rows = {}
    for name in given.only or ROWS:
        rows[name] = carried(ROWS[name], given.seconds)
        print(f"{name:40} {rows[name]}", flush=True)
    return rows


def section(result: dict[str, Any]) -> str:
    rows = {name: row for name, row in result["rows"].items() if "not measured" not in row}
    idle = statistics.mean(row["p99 ms"] for name, row in rows.items() if name.startswith("nothing"))
    lines = [
        "The instrument with the built-in model and clip, thirty pictures a second aimed at, and each feature alone, as a patch",
        "plays it. *Felt* is how often a second it has something new; *age* is how long ago the camera saw what moves the picture",
        "that is shown; *p99* is the interval between two pictures that one in a hundred exceeds, beside that without a feature.",
        "The networks that others trained have random weights here, which are no quicker.",
        "",
        "| feature | pictures a second | p99, beside nothing | felt | age |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        felt = "" if row["felt a second"] is None else f"{row['felt a second']:g}"
        age = "" if row["age p50 ms"] is None else f"{row['age p50 ms']} ms"
        lines.append(f"| {name} | {row['pictures a second']:g} | {row['p99 ms'] / idle:.2f} | {felt} | {age} |")
    lines += [
        "",
        f"{result['machine']}, torch {result['torch']}, commit {result['commit']}: `{result['command']}`. {VERDICT}",
        "",
    ]
    return "\n".join(lines)


VERDICT = (
    "Features have threads of their own: a heavy one is felt seldom and late, and the picture goes on. A smaller `size` and an "
    "earlier layer make a network quicker."
)


def docs() -> None:
    """Put the saved figures into the docs."""
    text = DOCS.read_text()
    before, _, rest = text.partition(f"{HEADING}\n")
    _, _, after = rest.partition(NEXT)
    DOCS.write_text(f"{before}{HEADING}\n\n{section(json.loads(OUT.read_text()))}{NEXT}{after}")
    print(f"{DOCS}: the section {HEADING.strip('# ')!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each feature")
    parser.add_argument("--only", nargs="*", choices=list(ROWS), help="these rows; nothing is saved")
    parser.add_argument("--docs", action="store_true", help="only put the saved figures into docs/features.md")
    given = parser.parse_args()
    if not given.docs:
        result = about("carry.py", given, sys.argv[1:]) | {"rows": measure(given)}
        if given.only:
            return
        save(result, OUT)
    docs()


if __name__ == "__main__":
    main()
