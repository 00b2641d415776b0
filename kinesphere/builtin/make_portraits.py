"""Makes the built-in model `portraits` and its card. Run: python -m kinesphere.builtin.make_portraits RUN [RUN ...] --data ZIP

The runs are the stages of one training, in order; the last one's snapshots are the candidates. The best is saved in half precision
with its discriminator, read back, and measured: everything in the card is read from the runs or measured here, nothing is typed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()
# Before NumPy: its small matrices are fastest on one thread, and beside a training run by far.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from kinesphere import checkpoints  # noqa: E402
from kinesphere.checkpoints import Card, Checkpoint  # noqa: E402
from kinesphere.models import Generator  # noqa: E402
from kinesphere.studio import sheets  # noqa: E402
from kinesphere.train import diary, metrics, state, understanding  # noqa: E402
from kinesphere.train.about import commit, read_about  # noqa: E402
from kinesphere.train.datasets import TrainingSet, open_set  # noqa: E402
from kinesphere.train.judge import PARTS, Judge, JudgeFeatures, load_judge  # noqa: E402
from kinesphere.train.understanding import Measured  # noqa: E402
from kinesphere.types import KinesphereError  # noqa: E402

NAME = "portraits"
COUNT = 2000  # pictures of every measurement
TRIED = 500  # pictures of each candidate
LICENCE = "Apache-2.0"
MOST_BYTES = 16 * 2**20
MOST_CACHED = 2**31  # bytes of pictures kept decoded beside the set
# Demanded of the model: whole faces, SWD over its floor, precision and recall.
WHOLE, SWD_RATIO, SUPPORT = 0.9, 1.5, 0.5
GOAL = "of the snapshots whose share of whole faces is within 2 in 100 of the best, the one of the least SWD"
PSIS, COLUMNS, ROWS = (0.7, 1.0), 8, 3  # of the sheet


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m kinesphere.builtin.make_portraits", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of the stages, in order")
    parser.add_argument("--data", type=Path, required=True, help="the training set")
    parser.add_argument("--before", type=Path, help="the card, as JSON, of the model that the first run started from")
    parser.add_argument("--note", default="", help="what the card shall tell of the first run besides")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where model and card are written")
    parser.add_argument("--snapshot", type=Path, help="take this one, without a choice")
    parser.add_argument("--newest", type=int, default=4, help="how many snapshots to choose from")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures of every measurement")
    parser.add_argument("--tried", type=int, default=TRIED, help="pictures of each candidate")
    said = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "kinesphere.builtin.make_portraits", *(arguments or sys.argv[1:])])
    try:
        make(
            said.runs,
            said.data,
            said.out,
            said.snapshot,
            said.newest,
            said.count,
            said.tried,
            command,
            said.before,
            said.note,
        )
    except KinesphereError as error:
        sys.exit(str(error))


def make(
    runs: Sequence[Path],
    zipped: Path,
    out: Path,
    snapshot: Path | None,
    newest: int,
    count: int,
    tried: int,
    command: str,
    before: Path | None = None,
    note: str = "",
) -> None:
    """Choose, save, read back, measure, and write the card."""
    judge = load_judge()
    stages = [stage(run, left_at(run, later)) for run, later in zip(runs, [*runs[1:], None], strict=True)]
    stages[0]["notes"] = [*stages[0]["notes"], *([note] if note else [])]
    earlier = json.loads(before.read_text())["stages"] if before else []
    data = open_set(zipped, stages[-1]["resolution"]).cached(MOST_CACHED)
    told(f"{data}: {len(runs)} stages")
    candidates = [snapshot] if snapshot else snapshots(runs[-1])[-newest:]
    trials = [trial(path, data, judge, tried) for path in candidates] if len(candidates) > 1 else []
    chosen = choose(trials, candidates)
    path = out / f"{NAME}.safetensors"
    save(chosen, path)
    if chosen.stem.isdigit():  # what was trained after it made nothing of it
        stages[-1] = stage(runs[-1], int(chosen.stem)) | {"notes": stages[-1]["notes"]}
    G = checkpoints.load(path).G_ema
    ours = understanding.measure(G, judge, count, progress=progress("pictures"))
    theirs = understanding.measure_data(judge, data, count, progress=progress("data"))
    card = {
        "name": NAME,
        "licence": LICENCE,
        "made": {
            "command": command,
            "commit": commit(),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "machine": machine(),
        },
        "model": facts(path),
        "data": about_data(data, zipped),
        "stages": earlier + stages,
        "kimg": round(sum(s["kimg"] for s in earlier + stages), 3),
        "hours": round(sum(s["hours"] for s in earlier + stages), 2),
        "choice": {"goal": GOAL, "pictures of each": tried, "candidates": trials, "chosen": chosen.name},
        "count": count,
        "faces": faces(ours, theirs, understanding.measure(G, judge, count, psi=PSIS[0])),
        "distances": distances(G, data, judge, count),
        "spread": understanding.spread(ours, theirs, (*understanding.VARIED, "hair", "skin", "glasses", "headwear")),
        "meaning": understanding.meaning(G, judge, count=count, measured=ours),
        "W": understanding.w_statistics(G),
        "judge": judge.about,
    }
    card["demands"] = demands(card)
    sheets.save(sheet(G), out / f"{NAME}.png")
    state.write_json(out / f"{NAME}.json", card)
    (out / f"{NAME}.md").write_text(page(card))
    judged(G, ours, runs[-1])
    told(page(card))


# The runs -------------------------------------------------------------------------------------------------------------


def stage(run: Path, until: float = np.inf) -> dict[str, Any]:
    """What one run says of itself, up to the snapshot of `until` kimg.

    Raises KinesphereError where it is no run, or has not begun to train.
    """
    about, log = read_about(run), diary.read_log(run / "log.jsonl")
    ticks = [entry for entry in log if "seconds" in entry and entry["kimg"] < until + 0.5]
    if not ticks:
        raise KinesphereError(f"the run in {str(run)!r} has not trained yet: its log.jsonl is empty")
    recipe = about["recipe"]
    for change in reversed(about.get("changes", [])):
        if change["kimg"] >= until:
            recipe = recipe | {change["name"]: change["from"]}
    return {
        "folder": run.name,
        "command": about["command"],
        "resumed": [
            f"at {session['kimg']:.1f} kimg: {session['command']}"
            for session in about.get("sessions", [])[1:]
            if session["kimg"] < until
        ],
        "started": about["started"],
        "seed": about["seed"],
        "commit": about.get("commit", ""),
        "resolution": recipe["img_resolution"],
        "kimg": ticks[-1]["kimg"],
        "hours": round(ticks[-1]["seconds"] / 3600, 2),
        "notes": about["notes"],
        "recipe": recipe,
    }


def left_at(run: Path, later: Path | None) -> float:
    """The kimg of the snapshot of a run that a later one went on from; infinity where it went on from the end."""
    words = shlex.split(read_about(later)["command"]) if later else []
    start = Path(words[words.index("--from") + 1]) if "--from" in words else Path()
    return int(start.stem) if start.stem.isdigit() and start.parent.parent.name == run.name else np.inf


def snapshots(run: Path) -> list[Path]:
    """Its snapshots, the oldest first. Raises KinesphereError where there is none."""
    found = sorted(p for p in (run / "snapshots").glob("*.safetensors") if p.stem.isdigit())
    if not found:
        raise KinesphereError(f"the run in {str(run)!r} has no snapshot yet: let it go on, or name another run")
    return found


def trial(path: Path, data: TrainingSet, judge: Judge, tried: int) -> dict[str, Any]:
    """A candidate's share of whole faces, and SWD."""
    G = checkpoints.load(path).G_ema
    whole = float(understanding.measure(G, judge, tried).whole.mean())
    swd = metrics.evaluate(G, data, ("swd",), tried)["swd"]
    told(f"{path.name}: {whole:.3f} whole, SWD {swd:.2f}")
    return {"snapshot": path.name, "whole": round(whole, 4), "swd": round(swd, 3)}


def choose(trials: Sequence[dict[str, Any]], candidates: Sequence[Path]) -> Path:
    """GOAL; the only one where there is no choice."""
    if not trials:
        return candidates[-1]
    most = max(t["whole"] for t in trials)
    best = min((t for t in trials if t["whole"] >= most - 0.02), key=lambda t: t["swd"])
    return candidates[trials.index(best)]


def save(chosen: Path, path: Path) -> None:
    """The average generator and its discriminator, in half precision. Raises KinesphereError above 16 MB."""
    found = checkpoints.load(chosen)
    networks: dict[str, Any] = {name: net for name, net in found.networks().items() if name in ("G_ema", "D")}
    card = Card.of(
        networks,
        "built in: trained on portraits drawn by kinesphere (kinesphere.builtin.make_portraits)",
        notes=tuple(n for n in found.card.notes if n.startswith("trained")),
    )
    checkpoints.save(Checkpoint(G_ema=networks["G_ema"], card=card, D=networks.get("D")), path, torch.float16)
    if path.stat().st_size > MOST_BYTES:
        raise KinesphereError(
            f"{path.name} has {path.stat().st_size} bytes and may have {MOST_BYTES}: train a narrower model"
        )


# What is measured -----------------------------------------------------------------------------------------------------


def facts(path: Path) -> dict[str, Any]:
    card = checkpoints.inspect(path).asdict()
    config = checkpoints.load(path).G_ema.config
    return {**card, "channels": config.get("channels"), "file": path.name, "bytes": path.stat().st_size}


def about_data(data: TrainingSet, zipped: Path) -> dict[str, Any]:
    digest = ""
    if zipped.is_file():
        with zipped.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": zipped.name, "sha256": digest, "pictures": len(data), "pixels": data.stored, "read at": data.resolution,
        "made": data.made,
    }  # fmt: skip


def machine() -> dict[str, Any]:
    names = [line.split(":")[1].strip() for line in cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__,
    }  # fmt: skip


def cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def faces(ours: Measured, theirs: Measured, truncated: Measured) -> dict[str, Any]:
    """Shares of faces with two eyes and a mouth in place, and of each part."""

    def shares(side: Measured) -> dict[str, float]:
        n = len(side.whole)
        whole = float(side.whole.mean())
        return {
            "whole": whole,
            "standard error": float(np.sqrt(whole * (1 - whole) / n)),
            **{name: float((side.parts[:, i] > 0.5).mean()) for i, name in enumerate(PARTS)},
        }

    return {"psi 1": shares(ours), f"psi {PSIS[0]}": shares(truncated), "data": shares(theirs)}


def distances(G: Generator, data: TrainingSet, judge: Judge, count: int) -> dict[str, dict[str, float]]:
    """SWD of each level, KID, precision and recall: of the model and, as the floor, of two halves of the data.

    By the judge's features and by the filter bank's: what the judge is unsure of lies near its mean, so that its precision is
    generous, and textures are nothing to it.
    """
    found: dict[str, dict[str, float]] = {"model": {}, "floor": {}}
    for eye, names in ((JudgeFeatures(judge), ("swd", "kid", "pr")), ("filterbank", ("kid", "pr"))):
        found["model"] |= metrics.evaluate(G, data, names, count, eye, progress=progress("distances"))
        found["floor"] |= metrics.halves(data, names, count, eye, progress=progress("floor"))
    return found


def demands(card: dict[str, Any]) -> list[dict[str, Any]]:
    """What was demanded of the model, what it reaches, and whether that is enough."""
    model, floor = (card["distances"][side] for side in ("model", "floor"))
    found = [("share of whole faces", card["faces"]["psi 1"]["whole"], ">=", WHOLE)]
    found += [
        (f"SWD at {name[3:]} px over its floor", model[name] / floor[name], "<=", SWD_RATIO)
        for name in model
        if name[3:].isdigit()
    ]
    found += [
        (f"{name} on the {eye}'s features", model[f"{name}_{eye.replace(' ', '')}"], ">", SUPPORT)
        for eye in ("filter bank", "judge")
        for name in ("precision", "recall")
    ]
    return [
        {
            "what": what,
            "value": value,
            "bar": f"{sign} {bar}",
            "met": bool(value <= bar if sign == "<=" else value >= bar),
        }
        for what, value, sign, bar in found
    ]


# What is seen ---------------------------------------------------------------------------------------------------------


def sheet(G: Generator) -> np.ndarray:
    """The same seeds at psi 0.7, above, and psi 1, below."""
    drawing, seeds = sheets.Drawing(G), range(COLUMNS * ROWS)
    tiles = [picture for psi in PSIS for picture in drawing.pictures(drawing.ws(seeds, psi))]
    titles = [f"psi {psi:g}" if row == 0 else "" for psi in PSIS for row in range(ROWS)]
    return sheets.grid(tiles, COLUMNS, row_titles=titles)


def judged(G: Generator, ours: Measured, folder: Path, count: int = 64) -> None:
    """Sheets of the pictures that the judge thinks least and most of, to be checked by eye, in the last run's folder."""
    order = np.argsort(ours.parts.min(1), kind="stable")
    drawing = sheets.Drawing(G)
    for name, seeds in (("worst", order[:count]), ("best", order[-count:])):
        tiles = list(drawing.pictures(drawing.ws([int(seed) for seed in seeds])))
        sheets.save(sheets.grid(tiles, COLUMNS), folder / f"judged-{name}.png")
    # Every seventieth or so from the first to the last: what the share of whole faces looks like.
    ranks = np.linspace(0, len(order) - 1, count).astype(int)
    tiles = list(drawing.pictures(drawing.ws([int(order[rank]) for rank in ranks])))
    sheets.save(sheets.grid(tiles, COLUMNS), folder / "judged-ranks.png")


# The card -------------------------------------------------------------------------------------------------------------


def page(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    m, made, data = card["model"], card["made"], card["data"]
    size = f"{m['img_resolution']} x {m['img_resolution']} px"
    lines = [
        f"# {card['name']}",
        "",
        f"A {m['family']} of {size}, trained from nothing on portraits that kinesphere draws itself. It ships with kinesphere: "
        f"`kinesphere sample --model {card['name']}`.",
        "",
        f"![Seeds 0 to {COLUMNS * ROWS - 1} at psi 0.7 and psi 1]({card['name']}.png)",
        "",
        f"Everything here was read from the runs or measured by `{made['command']}` at commit {made['commit']} on {made['date']}, "
        f"on {made['machine']['cores']} cores of {made['machine']['processor']}, torch {made['machine']['torch']}; in full in "
        f"`{card['name']}.json`.",
        "",
        *table(
            ("", ""),
            [
                ("licence", card["licence"]),
                ("parameters of G", f"{m['parameters']:,}"),
                ("z, w, rows of ws", f"{m['z_dim']}, {m['w_dim']}, {m['num_ws']}"),
                ("networks in the file", ", ".join(m["networks"])),
                ("file", f"{m['file']}, {m['bytes'] / 2**20:.1f} MB, half precision"),
                (
                    "data",
                    f"{data['file']}: {data['pictures']:,} pictures of {data['pixels']} px, SHA-256 {data['sha256'][:16]}...",
                ),
                ("trained for", f"{card['kimg']:,.0f} kimg, {card['hours']:.1f} h"),
                ("snapshot", f"{card['choice']['chosen']}: {card['choice']['goal']}"),
            ],
        ),
        "",
        "## Stages",
        "",
    ]
    for i, s in enumerate(card["stages"], 1):
        lines += [
            f"{i}. {s['resolution']} px, {s['kimg']:,.0f} kimg in {s['hours']:.2f} h, seed {s['seed']}, started {s['started']}"
            + (f", commit {s['commit']}" if s["commit"] else ""),
            "",
            "   ```",
            *(f"   {command}" for command in [s["command"], *(str(r) for r in s["resumed"])]),
            "   ```",
            *(f"   {note}" for note in s["notes"]),
            "",
        ]
    lines += ["## How good it is", "", f"On {card['count']:,} pictures of psi 1, the seeds from 0 on.", ""]
    lines += table(
        ("demanded", "reached", "bar", ""),
        [(d["what"], f"{d['value']:.3f}", d["bar"], "met" if d["met"] else "**not met**") for d in card["demands"]],
    )
    lines += ["", "Faces with two eyes and a mouth in place, as the judge of drawn portraits sees them:", ""]
    lines += table(
        ("", "whole", *PARTS),
        [
            (side, f"{f['whole']:.3f} ± {f['standard error']:.3f}", *(f"{f[part]:.3f}" for part in PARTS))
            for side, f in card["faces"].items()
        ],
    )
    model, floor = (card["distances"][side] for side in ("model", "floor"))
    lines += ["", "Distances to the data, and between two halves of the data (KID x 1000):", ""]
    lines += table(
        ("", "model", "halves", "ratio"),
        [(n, f"{v:.3f}", f"{floor[n]:.3f}", f"{v / floor[n]:.2f}" if "swd" in n else "") for n, v in model.items()],
    )
    lines += ["", "How its pictures vary beside the data's, both as the judge sees them:", ""]
    numbers = {n: s for n, s in card["spread"].items() if "ratio" in s}
    lines += table(
        ("", "std", "data's std", "ratio", "mean", "data's mean", "distance in stds"),
        [
            (
                n, f"{s['generated']['std']:.3f}", f"{s['data']['std']:.3f}", f"{s['ratio']:.2f}",
                f"{s['generated']['mean']:.3f}", f"{s['data']['mean']:.3f}", f"{s['distance']:.3f}",
            )
            for n, s in numbers.items()
        ],
    )  # fmt: skip
    shares = [
        (f"{n}: {member}", f"{v['generated']:.3f}", f"{v['data']:.3f}")
        for n, s in card["spread"].items()
        if n not in numbers
        for member, v in s.items()
    ]
    lines += ["", *table(("share of", "model", "data"), shares)]
    lines += [
        "",
        "## What W means",
        "",
        "A ridge fit from w to what the judge sees, on pictures that the fit has not seen:",
        "",
    ]
    lines += table(
        ("", "measure", "value", "chance", "pictures"),
        [
            (n, kind, f"{m[kind]:.3f}", f"{m['chance']:.3f}", f"{m['count']:.0f}")
            for n, m in card["meaning"].items()
            for kind in ("R2", "accuracy")
            if kind in m
        ],
    )
    lines += ["", "Accuracy is balanced: the mean over classes. Chance is the same with the labels shuffled.", ""]
    lines += table(("W", ""), [(n, f"{v:.3f}" if v % 1 else f"{v:.0f}") for n, v in card["W"].items()])
    held = card["judge"].get("held out", {})
    if held:
        r2 = held["r2"]
        said = ", ".join(f"{n} {r2[n]:.2f}" for n in understanding.VARIED if n in r2)
        lines += [
            "",
            "## The judge",
            "",
            f"A small network, trained on drawings whose factors and damage are known (`{card['judge']['command']}`). On "
            f"{held['pictures']['intact']} unseen drawings its R2 is {said}; it calls "
            f"{held['whole']['intact called whole']:.3f} of them whole, and {held['whole']['damaged called damaged']:.3f} of "
            f"{held['pictures']['damaged']} damaged ones damaged.",
        ]
    return "\n".join(lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def progress(what: str) -> Any:
    """Tells now and then."""
    last = [time.monotonic()]

    def tell(done: int, of: int) -> None:
        if time.monotonic() - last[0] > 15:
            last[0] = time.monotonic()
            told(f"{what}: {done} of {of}")

    return tell


def told(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
