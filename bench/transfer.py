"""Starting from the built-in model against starting afresh, on portraits in a new palette. Run: python bench/transfer.py

Both runs have one recipe, one seed and the same pictures; after every `--every` steps the sliced Wasserstein distance to held-out
pictures is measured. How many steps does each need to the distance that the fresh one has at its end? Saves
bench/results/transfer.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from kinesphere.startup import prepare

prepare()

import numpy as np  # noqa: E402
import torch  # noqa: E402
from lightning_fabric import Fabric  # noqa: E402

from kinesphere import checkpoints  # noqa: E402
from kinesphere.train.loop import Training  # noqa: E402
from kinesphere.train.metrics import evaluate, halves  # noqa: E402
from kinesphere.train.portraits import Portraits  # noqa: E402
from kinesphere.train.recipe import plan  # noqa: E402
from kinesphere.train.transfer import start_from  # noqa: E402

HERE = Path(__file__).parent


class NewPalette:
    """Drawn portraits whose colours are exchanged: what was red is blue, what was blue is green."""

    labels = None

    def __init__(self, seed: int, count: int, size: int) -> None:
        drawn = Portraits(seed, size)
        self.pictures = np.stack([drawn[i][0][:, :, [2, 0, 1]].transpose(2, 0, 1) for i in range(count)])

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices, mirror=None):
        pictures = self.pictures[np.asarray(indices)]
        if mirror is not None:
            pictures[mirror] = pictures[mirror][..., ::-1]
        return pictures


def curve(training: Training, held_out: NewPalette, steps: int, every: int) -> list[float]:
    """The distance before the first step and after every `every` steps."""
    found = []
    for step in range(steps + 1):
        if step % every == 0:
            found.append(evaluate(training.G_ema, held_out, ("swd",), len(held_out))["swd"])
            print(f"{step:6d} steps  swd {found[-1]:.1f}", flush=True)
        if step < steps:
            training.step()
    return found


def training(data: NewPalette, size: int, start: str | None, seed: int) -> Training:
    recipe, _ = plan(size, 3, 0, len(data), "cpu", augment="none", mirror=True, seed=seed)
    torch.manual_seed(seed)
    if start is None:
        G, G_ema, D = recipe.generator(), recipe.generator(), recipe.discriminator()
        G_ema.load_state_dict(G.state_dict())
    else:
        begun = start_from(checkpoints.load(start), size, 3, 0)
        G, G_ema, D = begun.G, begun.G_ema, begun.D
    return Training(recipe, data, Fabric(accelerator="cpu"), G, D, G_ema)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--size", type=int, default=32)
    ask.add_argument("--steps", type=int, default=1500)
    ask.add_argument("--every", type=int, default=50)
    ask.add_argument("--count", type=int, default=4000, help="pictures to learn from")
    ask.add_argument("--start", default="portraits")
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    data, held_out = NewPalette(7, asked.count, asked.size), NewPalette(8, 1000, asked.size)
    began = time.time()
    curves = {
        name: curve(training(data, asked.size, start, asked.seed), held_out, asked.steps, asked.every)
        for name, start in (("afresh", None), ("transfer", asked.start))
    }
    target = curves["afresh"][-1]
    needed = {name: next((i * asked.every for i, d in enumerate(c) if d <= target), None) for name, c in curves.items()}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE
    ).stdout.strip()
    result = {
        "command": shlex.join(["python", *sys.argv]), "commit": commit, "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__, "asked": vars(asked), "seconds": round(time.time() - began),
        "floor": halves(held_out, ("swd",), len(held_out))["swd"], "target": target, "steps_to_target": needed,
        "share": None if needed["transfer"] is None else needed["transfer"] / needed["afresh"], "curves": curves,
    }  # fmt: skip
    (HERE / "results" / "transfer.json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"target {target:.1f}: afresh {needed['afresh']} steps, from {asked.start} {needed['transfer']}")


if __name__ == "__main__":
    main()
