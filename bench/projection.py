"""How well pictures are found: on the chart and without its turn, by the published schedule, and pictures never seen.

The built-in model. Unexplained: the part of a picture's variance that is left. Error: of what was found, in the first 16 principal
components of W, over their length; known only for pictures that the model made. Radius: 1 is where natural latents are.

Run: python bench/projection.py [--only "W, 300"]
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.models import Generator
from kinesphere.studio.batch import as_goal
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import draw
from kinesphere.studio.projection import Plan, Projection, unexplained
from kinesphere.train.portraits import Portraits

RESULTS = Path(__file__).parent / "results" / "projection.json"
MADE, PAINTED = 16, 12  # pictures
PLANS = {
    "W, 300 steps": Plan(300),
    "W, 1000 steps": Plan(1000),
    "W, 300 steps, whitened only": Plan(300),
    "the published schedule, 1000 steps": Plan(1000, official=True),
    "W+, 300 + 300 steps, faithful 0.5": Plan(300, rows=300),
    "W+, 300 + 300 steps, faithful 1": Plan(300, rows=300, faithful=1.0),
}


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument(
        "--only", nargs="*", default=list(PLANS), help="these plans; the rows of the others stay as they are"
    )
    only = asked.parse_args().only
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    G = checkpoints.load("portraits").G_ema
    chart = Chart.of(G)
    w = made(G)
    kinds = {
        "made by the model": G.synthesis(w[:, None].expand(-1, G.num_ws, -1)).detach(),
        "painted, never seen": torch.cat([as_goal(picture, G) for picture in painted()]),
        "a photograph": as_goal(data.astronaut()[4:260:4, 84:340:4], G),
        "noise": as_goal(np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8), G),
    }
    goals = torch.cat([*kinds.values()])
    rows = (
        [row for row in json.loads(RESULTS.read_text())["rows"] if row["plan"] not in only] if RESULTS.exists() else []
    )
    for name, plan in ((name, PLANS[name]) for name in only):
        projection = Projection(G, goals, plan, chart=straight(chart) if "only" in name else chart)
        for _ in projection:
            pass
        left = unexplained(torch.cat([draw(G, place) for place in projection.latents()]), goals)
        wrong = error(chart, projection.ws().detach().mean(1)[:MADE], w)
        radius, begun = projection.radius(), 0
        for kind, pictures in kinds.items():
            part = slice(begun, begun := begun + len(pictures))
            row = {
                "plan": name,
                "pictures": kind,
                "commit": commit,
                **spread("unexplained", left[part]),
                **spread("radius", radius[part]),
            }
            row |= spread("error", wrong) if kind == "made by the model" else {}
            rows.append(row | {"strange": sum(m.strange for m in projection.meters()[part])})
            print(
                "  ".join(
                    f"{key} {value:.3g}" if isinstance(value, float) else str(value) for key, value in rows[-1].items()
                ),
                flush=True,
            )
    plans = {name: asdict(plan) for name, plan in PLANS.items()}
    RESULTS.write_text(json.dumps({"torch": torch.__version__, "plans": plans, "rows": rows}, indent=1) + "\n")


@torch.no_grad()
def made(G: Generator) -> Tensor:
    """w [MADE, w_dim]."""
    z = torch.from_numpy(np.random.RandomState(77).randn(MADE, G.z_dim).astype(np.float32))
    return G.mapping(z)[:, 0]


def painted() -> Iterator[np.ndarray]:
    stream = iter(Portraits(size=64, seed=991))
    return (next(stream)[0] for _ in range(PAINTED))


def straight(chart: Chart) -> Chart:
    """The same chart before it was turned: the principal axes of W."""
    turn = torch.linalg.svd(chart.axes, full_matrices=False)[2].T  # axes = U S V^T: turned back, U S is left
    return replace(chart, axes=chart.axes @ turn, inverse=chart.inverse @ turn)


def error(chart: Chart, found: Tensor, true: Tensor) -> Tensor:
    """In the first 16 principal components of W, over the length there; [N]."""
    widest = torch.linalg.svd(chart.axes)[0][:, :16]
    away, wanted = ((w - chart.mean) @ widest for w in (found, true))
    return (away - wanted).norm(dim=1) / wanted.norm(dim=1)


def spread(name: str, values: Tensor) -> dict[str, float]:
    return {
        f"{name} median": float(values.median()),
        f"{name} least": float(values.min()),
        f"{name} most": float(values.max()),
    }


if __name__ == "__main__":
    main()
