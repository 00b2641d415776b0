"""What directions cost a player: on opening a model, and in each picture. Run: python bench/directions_live.py

Opening is told on the wall clock, with all threads, and in processor time, which other programs hardly change. A picture is timed
on one thread by its own processor time, with and without, in turns, so that what happens to the machine happens to both alike.
Saves bench/results/directions_live.json.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from kinesphere.startup import prepare

prepare()

import torch  # noqa: E402

from kinesphere import checkpoints, sliders  # noqa: E402
from kinesphere.checkpoints import Card, Checkpoint  # noqa: E402
from kinesphere.engine import Engine  # noqa: E402
from kinesphere.models.stylegan2 import StyleGAN2  # noqa: E402
from kinesphere.patch import Along, Latent, Patch  # noqa: E402
from kinesphere.places import fingerprint  # noqa: E402
from kinesphere.sliders import Slide  # noqa: E402
from kinesphere.studio.directions import Axis, known  # noqa: E402
from kinesphere.studio.directions.pca import component  # noqa: E402

RESULT = Path(__file__).parent / "results" / "directions_live.json"
SIDE, CHANNELS = (
    1024,
    (512, 512, 512, 512, 512, 256, 128, 64, 32),
)  # of 4 px to 1024 px: the largest StyleGAN2 that is shared
DIRECTIONS, PICTURES, OPENINGS = 16, 200, 5
WAYS: dict[str, Callable[[int], Along]] = {
    "added to all rows": lambda k: Along(1.0, f"pc{k}"),
    "added to some rows": lambda k: Along(1.0, f"pc{k}", rows="coarse"),
    "set": lambda k: Along(1.0, f"pc{k}", set=True),
}


def largest() -> Checkpoint:
    torch.manual_seed(0)
    G = StyleGAN2(img_resolution=SIDE, channels=CHANNELS).requires_grad_(False)
    return Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "random weights"))


def opening(made: Callable[[], Checkpoint]) -> dict[str, float]:
    """Seconds, the medians, from a model that is loaded to an engine and all directions that it has at once."""
    took, worked = [], []
    for _ in range(OPENINGS):
        checkpoint = made()  # anew: what is known of a model is known for as long as that lives
        began, had = time.perf_counter(), time.process_time()
        named = list(known.offered(checkpoint.G_ema, fingerprint(checkpoint.G_ema)))
        Engine(Patch(latent=Latent(directions={f"pc{k}": Along(1.0) for k in range(1, 9)})), checkpoint)
        took.append(time.perf_counter() - began)
        worked.append(time.process_time() - had)
    seconds, busy = statistics.median(took), statistics.median(worked)
    return {"sliders": len(named), "seconds": round(seconds, 2), "processor seconds": round(busy, 2)}


@torch.inference_mode()
def moving(checkpoint: Checkpoint) -> dict[str, float]:
    """Milliseconds that sixteen directions at once take, the median, beside the number of rows."""
    G = checkpoint.G_ema
    ws = G.mapping(torch.randn(1, G.z_dim, generator=torch.Generator().manual_seed(0)))
    found: dict[str, float] = {"rows": G.num_ws, "w_dim": G.w_dim}
    for name, way in WAYS.items():
        asked = [way(k) for k in range(1, DIRECTIONS + 1)]
        slides = [
            Slide(along.of, Axis.of(G, component(G, k), along.rows), 1.0, along.set) for k, along in enumerate(asked, 1)
        ]
        took = []
        for _ in range(PICTURES):
            began = time.thread_time()
            sliders.ws_along(ws, slides)
            took.append((time.thread_time() - began) * 1e3)
        found[f"{name} ms"] = round(statistics.median(took), 3)
    return found


def stepping(checkpoint: Checkpoint) -> dict[str, float]:
    """Milliseconds of a whole step of a picture that drifts, and what sixteen directions add, the medians."""
    without = Latent(seed=3, drift=60.0)
    with_them = Latent(seed=3, drift=60.0, directions={f"pc{k}": Along(0.1 * k) for k in range(1, DIRECTIONS + 1)})
    engines = [Engine(Patch(latent=here), checkpoint) for here in (without, with_them)]
    took: list[list[float]] = [[], []]
    for i in range(PICTURES):
        for engine, times in zip(engines, took, strict=True):
            began = time.thread_time()
            engine.step(i / 30, 1 / 30)
            times.append((time.thread_time() - began) * 1e3)
    alone = statistics.median(took[0])
    added = statistics.median(b - a for a, b in zip(*took, strict=True))
    return {"step ms": round(alone, 2), "added ms": round(added, 3), "ratio": round(added / alone, 4)}


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    opened = {
        "portraits": opening(lambda: checkpoints.load("portraits")), f"StyleGAN2, {SIDE} px": opening(largest)
    }  # fmt: skip
    torch.set_num_threads(1)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "opening": opened,
        f"{DIRECTIONS} directions": {
            "portraits": moving(checkpoints.load("portraits")),
            f"StyleGAN2, {SIDE} px": moving(largest()),
        },
        f"a step with {DIRECTIONS} directions": {"portraits": stepping(checkpoints.load("portraits"))},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
