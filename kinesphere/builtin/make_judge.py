"""Makes the judge of drawn portraits that ships with kinesphere. Run: python -m kinesphere.builtin.make_judge OUT

It paints its lessons itself. `--data ZIP` takes the intact ones from a training set of the portraits of seed 0 instead, which are
the very same pictures; `--folder DIR` keeps lessons and state, so that it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from kinesphere.train import lessons, state
from kinesphere.train.about import commit
from kinesphere.train.datasets import open_set
from kinesphere.train.judge import SIZE, save_judge

INTACT, DAMAGED, HELD_OUT = 8000, 2000, 500  # drawings; as many held out of each kind
ROUNDS, BATCH, SEED = (800, 700, 1000, 500), 64, 0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m kinesphere.builtin.make_judge", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path, help="the .safetensors file")
    parser.add_argument("--data", type=Path, help="a zip of the portraits of seed 0, to save painting them")
    parser.add_argument("--folder", type=Path, help="where lessons and state are kept")
    for name, value in (("intact", INTACT), ("damaged", DAMAGED), ("seed", SEED)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--rounds", type=int, nargs="+", default=ROUNDS, help="steps of each round")
    said = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if said.folder:
        said.folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    data = open_set(said.data, SIZE) if said.data else None
    intact = lessons.lessons("intact", lessons.INTACT, said.intact, said.folder, data)
    damaged = lessons.lessons("damaged", lessons.DAMAGED, said.damaged, said.folder)
    print(f"{len(intact)} intact and {len(damaged)} damaged drawings, {time.monotonic() - began:.0f} s", flush=True)
    judge = lessons.train_judge(intact, damaged, said.rounds, BATCH, said.seed, folder=said.folder, on_step=told)
    unseen = [lessons.lessons(kind, lessons.HELD_OUT, HELD_OUT, said.folder) for kind in ("intact", "damaged")]
    judge.about = {
        "command": " ".join(["python -m kinesphere.builtin.make_judge", *(arguments or sys.argv[1:])]),
        "commit": commit(),
        "lessons": {"intact": said.intact, "damaged": said.damaged, "seeds": [lessons.INTACT, lessons.DAMAGED]},
        "rounds": list(said.rounds), "batch": BATCH, "seed": said.seed,
        "parameters": sum(p.numel() for p in judge.parameters()),
        "held out": lessons.examine(judge, *unseen) | {"seed": lessons.HELD_OUT},
        "licence": "Apache-2.0",
    }  # fmt: skip
    save_judge(judge, said.out)
    if said.folder:
        state.write_json(said.folder / "judge.json", judge.about)
    print(judge.about["held out"])


def told(step: int, steps: int, loss: float) -> None:
    if step % 20 == 0 or step == steps:
        print(f"{time.strftime('%H:%M:%S')} {step} of {steps}: loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
