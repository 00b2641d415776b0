"""What an encoder's guess is worth: how long it takes, how near it is, and how many steps of optimisation it saves.

The built-in model and the encoder that comes with it, on pictures that neither has seen: of seeds, and painted. Unexplained: the
part of a picture's variance that is left. "As near": how many of the pictures come as near from the guess in half the steps, and
the loss over that of twice the steps without a guess: from the mean of W, as is usual, and from a search among samples.

Run: python bench/encoder.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.models import Generator
from kinesphere.studio.batch import as_goal
from kinesphere.studio.encoder import Encoder, shipped
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.projection import Plan, Projection, unexplained
from kinesphere.train.portraits import Portraits

RESULTS = Path(__file__).parent / "results" / "encoder.json"
PICTURES = 12  # of each kind
STEPS = (30, 50, 75, 150)  # from the guess; twice as many without it


def main() -> None:
    G = checkpoints.load("portraits").G_ema
    encoder = shipped(Fingerprint.of(G))
    assert encoder is not None
    ms = milliseconds(encoder)
    print(f"a guess takes {ms:.1f} ms on {torch.get_num_threads()} threads")
    rows: list[dict[str, Any]] = []
    for kind, goals in (("made", made(G)), ("painted", painted(G))):
        guess = encoder(goals)
        near = unexplained(G.synthesis(guess[:, None].expand(-1, G.num_ws, -1)), goals)
        rows.append({"pictures": kind, "steps": 0, "unexplained": spread(near)})
        for steps in STEPS:
            loss, left = end(Projection(G, goals, Plan(steps, search=False), starts=guess, chart=encoder.chart))
            row: dict[str, Any] = {"pictures": kind, "steps": steps, "unexplained": spread(left)}
            for name, search in (("mean", False), ("search", True)):
                others, theirs = end(Projection(G, goals, Plan(2 * steps, search=search), chart=encoder.chart))
                row[f"from the {name}, twice"] = {
                    "unexplained": spread(theirs),
                    "as near": int((loss <= others).sum()),
                    "loss over its": spread(loss / others),
                }
            rows.append(row)
            print(row, flush=True)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    said = {"commit": commit, "torch": torch.__version__, "ms": ms, "threads": torch.get_num_threads(), "of": PICTURES}
    RESULTS.write_text(json.dumps({**said, "rows": rows}, indent=1) + "\n")


def milliseconds(encoder: Encoder) -> float:
    """Of one picture, the median."""
    img = torch.rand(1, 3, 64, 64)
    took = []
    with torch.inference_mode():
        for _ in range(200):
            begun = time.perf_counter()
            encoder(img)
            took.append(time.perf_counter() - begun)
    return 1000 * statistics.median(took[20:])


@torch.no_grad()
def made(G: Generator) -> Tensor:
    z = torch.from_numpy(np.random.RandomState(2_000_000).randn(PICTURES, G.z_dim).astype(np.float32))
    return G.synthesis(G.mapping(z)).clamp(-1, 1)


def painted(G: Generator) -> Tensor:
    portraits = Portraits(size=64, seed=4242)
    return torch.cat([as_goal(portraits[i][0], G) for i in range(PICTURES)])


def end(projection: Projection) -> tuple[Tensor, Tensor]:
    """Loss and unexplained variance after the last step, [N]."""
    (*_, last) = projection
    return last.loss, last.unexplained


def spread(values: Tensor) -> dict[str, float]:
    return {"median": float(values.median()), "most": float(values.max())}


if __name__ == "__main__":
    main()
