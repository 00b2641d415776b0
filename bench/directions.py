"""What directions learnt from labels are worth: on a planted arrow, and on the built-in model as the judge sees it.

Planted: the cosine with the truth against the number of labels, with noise and with answers flipped; how often labels that mean
nothing get through; how long learning takes, of the processor. Portraits: what is seen along a slider of +-3 standard deviations
on 64 pictures that were not labelled, as it was learnt and with others left alone, and the score against the number of labels.

Run: python bench/directions.py. Saves bench/results/directions.json and the pictures docs/figures/directions-labels*.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from kinesphere.builtin.make_directions import WORDS, Portraits  # noqa: E402
from kinesphere.latent import Statistics, statistics  # noqa: E402
from kinesphere.ops import to_pixels  # noqa: E402
from kinesphere.studio import sheets  # noqa: E402
from kinesphere.studio.directions import Axis, Direction  # noqa: E402
from kinesphere.studio.directions.labels import Learnt, NothingToLearn, learn, learn_pairs, orthogonal  # noqa: E402

HERE = Path(__file__).parent
FIGURES = HERE.parent / "docs" / "figures"
SHOWN = ("smile", "turn", "hair hue", "hair tone", "light")
AMOUNTS = tuple(np.linspace(-3, 3, 13))
PICTURES, FIRST = 64, 400_000
SETS, FEW = 200, 60  # sets of so many labels that mean nothing
MOST = 6  # things that a slider moves most
COUNTS = (25, 50, 100, 200, 500, 1000, 2000, 5000)


# A planted arrow ------------------------------------------------------------------------------------------------------


def planted(
    D: int, n: int, seed: int, noise: float, flipped: float
) -> tuple[Statistics, torch.Tensor, np.ndarray, np.ndarray]:
    """A round W of D dimensions, n latents, whether each lies beyond a plane, and its normal."""
    rng = np.random.default_rng(seed)
    stats = statistics(torch.as_tensor(rng.normal(size=(4000, D))))
    normal = rng.normal(size=D)
    normal /= np.linalg.norm(normal)
    w = rng.normal(size=(n, D))
    yes = (w @ normal + noise * rng.normal(size=n) > 0) ^ (rng.random(n) < flipped)
    return stats, torch.as_tensor(w), yes.astype(float), normal


def curve(D: int, noise: float, flipped: float, worlds: int) -> list[dict[str, Any]]:
    """The cosine with the truth, and what the arrow says of itself, against the number of labels."""
    rows = []
    for n in (50, 200, 500, 2000):
        true, said, refused = [], [], 0
        for seed in range(worlds):
            stats, w, yes, normal = planted(D, n, seed, noise, flipped)
            learnt = tried(learn, w, yes, stats)
            if learnt is None:
                refused += 1
                continue
            true.append(float(learnt.normal.numpy() @ normal / learnt.normal.norm()))
            said.append(learnt.cosine)
        rows.append({"labels": n, "cosine": mean(true), "says": mean(said), "refused": refused, "of": worlds})
    return rows


def let_through(n: int, sets: int) -> dict[str, int]:
    """From how many sets of n labels that mean nothing an arrow is learnt all the same."""
    found = dict.fromkeys(("yes-no", "graded", "pairs"), 0)
    for seed in range(sets):
        stats, w, yes, _ = planted(32, 2 * n, seed, 1.0, 0.0)
        rng = np.random.default_rng((seed, 1))
        found["yes-no"] += tried(learn, w[:n], rng.permutation(yes[:n]), stats) is not None
        found["graded"] += tried(learn, w[:n], rng.normal(size=n), stats, "graded") is not None
        found["pairs"] += tried(learn_pairs, w[:n], w[n:], stats) is not None
    return {"sets": sets, "labels": n, **found}


def seconds(D: int, n: int) -> float:
    """Of the processor, for one line from n labels."""
    stats, w, yes, _ = planted(D, n, 0, 0.2, 0.0)
    began = time.process_time()
    tried(learn, w, yes, stats)
    return round(time.process_time() - began, 3)


def tried(learning: Callable[..., Learnt], *given: Any) -> Learnt | None:
    try:
        return learning(*given)
    except NothingToLearn:
        return None


def mean(values: list[float]) -> float | None:
    return round(float(np.mean(values)), 3) if values else None


# The built-in model ---------------------------------------------------------------------------------------------------


def slider(portraits: Portraits, name: str, direction: Direction) -> dict[str, Any]:
    """What is seen along a slider: whether each step leads on, how far it goes, and what else moves."""
    word = WORDS[name]
    course = portraits.course(direction, portraits.starts(word.seen, PICTURES, first=FIRST), AMOUNTS)
    whole = portraits.course(direction, portraits.starts(word.seen, PICTURES, psi=1.0, first=FIRST), AMOUNTS)
    i, changes = portraits.column(word.seen), portraits.changes(course)
    others = sorted((one for one in changes if one != word.seen), key=lambda one: -abs(changes[one]))
    return {
        "monotone": round(course.monotone(i), 3),
        "singly": round(course.singly(i), 3),
        "monotone at psi 1": round(whole.monotone(i), 3),
        "singly at psi 1": round(whole.singly(i), 3),
        "change": round(float(changes[word.seen]), 2),
        "others": {one: round(float(changes[one]), 2) for one in others[:MOST]},
        "all": {one: round(float(changes[one]), 2) for one in changes},
        "rms of others": round(float(np.sqrt(np.mean([changes[one] ** 2 for one in others]))), 3),
        "pictures": int(course.seen(i).shape[1]),
        "against": list(direction.found.get("against", [])),
    }


def sliders(portraits: Portraits, name: str, plain: Direction, alone: Direction) -> dict[str, Any]:
    """A slider as it was learnt, as it ships, and with the things left alone, all at once, that it moved most."""
    as_learnt = slider(portraits, name, plain)
    most = list(as_learnt["others"])
    lines = [portraits.line(other, WORDS[name].psi).separating for other in most]
    without = slider(portraits, name, orthogonal(plain, lines, portraits.stats))
    return {"as learnt": as_learnt, "as it ships": slider(portraits, name, alone), "most left alone": without}


def by_labels(portraits: Portraits, name: str) -> list[dict[str, Any]]:
    """Score, and cosine with the arrow of all labels, against the number of labels: graded, and yes or no at the median."""
    word = WORDS[name]
    values, latents = portraits.seen(word.psi)[:, portraits.column(word.seen)], portraits.w(word.psi)
    rows = np.flatnonzero(np.isfinite(values))
    everything = portraits.line(word.seen, word.psi)
    found = []
    for n in (n for n in COUNTS if n <= len(rows)):
        some = np.random.default_rng(n).permutation(rows)[:n]
        w, y = latents[torch.as_tensor(some)], values[some]
        for kind, told in (("graded", y), ("yes-no", (y > np.median(y)).astype(float))):
            learnt = tried(learn, w, told, portraits.stats, kind)
            row = {"labels": n, "kind": kind, "score": None, "error": None, "cosine": None, "says": None}
            if learnt is not None:
                row |= {
                    "score": round(learnt.score, 3),
                    "error": round(learnt.error, 3),
                    "says": round(learnt.cosine, 3),
                }
                row["cosine"] = round(alike(learnt, everything), 3)
            found.append(row)
    return found


def alike(a: Learnt, b: Learnt) -> float:
    """The cosine of what two lines read, in standard deviations."""
    x, y = (one.stats.sigmas.double() * (one.stats.vectors.double().T @ one.normal) for one in (a, b))
    return float(torch.nn.functional.cosine_similarity(x, y, dim=0))


# Pictures -------------------------------------------------------------------------------------------------------------


def strips(portraits: Portraits, name: str, directions: list[Direction]) -> None:
    """The same portraits along both sliders."""
    amounts = (-3, -2, -1, 0, 1, 2, 3)
    tiles, titles = [], []
    for ws in portraits.starts(WORDS[name].seen, 2, first=FIRST).split(1):
        for title, direction in zip(("as learnt", "as it ships"), directions, strict=True):
            axis = Axis.of(portraits.G, direction, told=portraits.told)
            with torch.no_grad():
                img = portraits.G.synthesis(torch.cat([axis.moved(ws, amount) for amount in amounts]))
            tiles += [np.asarray(Image.fromarray(tile).resize((112, 112), 3)) for tile in to_pixels(img).numpy()]
            titles.append(title)
    sheet = sheets.grid(tiles, len(amounts), [f"{name} {amount:+d}" for amount in amounts], titles)
    Image.fromarray(sheet).save(FIGURES / f"directions-labels-{name.replace(' ', '-')}.jpg", quality=88)


def plots(results: dict[str, Any]) -> None:
    """The score and the arrow against the number of labels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.style.use(FIGURES / "house.mplstyle")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, rows in results["by labels"].items():
        rows = [row for row in rows if row["kind"] == "graded" and row["score"] is not None]
        counts = [row["labels"] for row in rows]
        left.errorbar(
            counts, [row["score"] for row in rows], [row["error"] for row in rows], marker="o", capsize=2, label=name
        )
        right.plot(counts, [row["cosine"] for row in rows], marker="o", label=name)
    left.set(xscale="log", ylim=(0, 1), xlabel="labels", title="R² on labels it has not seen")
    right.set(xscale="log", ylim=(0, 1), xlabel="labels", title="cosine with the arrow of all labels")
    right.legend(loc="lower right")
    figure.savefig(FIGURES / "directions-labels.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--labels", type=int, default=8000, help="pictures that are labelled")
    parser.add_argument("--worlds", type=int, default=3, help="planted arrows for each number")
    parser.add_argument("--save", type=Path, default=HERE / "results" / "directions.json")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "torch": torch.__version__,
        "commit": commit,
        "labels": asked.labels,
        "pictures": PICTURES,
        "worlds": asked.worlds,
        "planted": {
            "noise 0.2": curve(128, 0.2, 0.0, asked.worlds),
            "flipped 0.2": curve(128, 0.0, 0.2, asked.worlds),
        },
        "let through": let_through(FEW, SETS),
        "seconds": {f"{D} dimensions, {n} labels": seconds(D, n) for D in (128, 512) for n in (60, 300)},
        "sliders": {},
        "by labels": {},
    }
    print(json.dumps(results, indent=1), flush=True)
    portraits = Portraits(asked.labels)
    for name in SHOWN:
        plain, alone = portraits.arrow(WORDS[name], name)
        results["sliders"][name] = sliders(portraits, name, plain, alone)
        strips(portraits, name, [plain, alone])
        results["by labels"][name] = by_labels(portraits, name)
        print(name, json.dumps(results["sliders"][name]), flush=True)
        asked.save.write_text(json.dumps(results, indent=1) + "\n")
    plots(results)


if __name__ == "__main__":
    main()
