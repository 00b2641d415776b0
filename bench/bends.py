"""What each bend costs a frame of the built-in model, beside the frame itself. Run: python bench/bends.py

One thread, and its own processor time, so that other programs hardly matter. The bends take turns with the unbent model, so that
what happens to the machine happens to all alike. Saves bench/results/bends.json.
"""

from __future__ import annotations

import argparse
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

from kinesphere import checkpoints  # noqa: E402
from kinesphere.bends import Bending, anchor, bent, const, noise, transform, warp  # noqa: E402
from kinesphere.models import Generator  # noqa: E402

HERE = Path(__file__).parent
FIXTURE = HERE.parent / "tests" / "fixtures" / "sg3t_64.pkl"

PORTRAITS: dict[str, Callable[[Generator, float], tuple[Bending, ...]]] = {
    "none": lambda G, t: (),
    "const, as it is": lambda G, t: (const(G, t),),
    "const, wandering": lambda G, t: (const(G, t, amount=0.5),),
    "const, wandering among noise": lambda G, t: (const(G, t, amount=0.5, among="noise"),),
    "const, moved": lambda G, t: (const(G, t, x=0.3, rotate=0.1),),
    "warp at 8 px": lambda G, t: (warp(G, t, rotate=0.4, resolution=8),),
    "warp at 16 px": lambda G, t: (warp(G, t, rotate=0.4),),
    "warp at 64 px": lambda G, t: (warp(G, t, rotate=0.4, resolution=64),),
    "noise added, coarse": lambda G, t: (noise(G, t, add=0.3, at="coarse"),),
    "noise added, all": lambda G, t: (noise(G, t, add=0.3),),
    "const, warp and noise": lambda G, t: (
        const(G, t, amount=0.5), warp(G, t, rotate=0.4), noise(G, t, add=0.3, at="coarse")
    ),
}  # fmt: skip
PLACED: dict[str, Callable[[Generator, float], tuple[Bending, ...]]] = {
    "none": lambda G, t: (),
    "transform": lambda G, t: (transform(G, t, rotate=0.4),),
    "anchor": lambda G, t: (anchor(G, t, amount=1.0),),
    "const, wandering": lambda G, t: (const(G, t, amount=0.5),),
}


@torch.inference_mode()
def costs(
    model: str, bends: dict[str, Callable[[Generator, float], tuple[Bending, ...]]], frames: int
) -> dict[str, float]:
    """Milliseconds of the processor for each frame, the median: of the model alone, and what each bend adds."""
    G = checkpoints.load(model).G_ema
    ws = G.mapping(torch.randn(1, G.z_dim, generator=torch.Generator().manual_seed(0)))
    took: dict[str, list[float]] = {name: [] for name in bends}
    for i in range(frames + 3):
        for name, bend in bends.items():
            began = time.thread_time()
            with bent(G, *bend(G, i / 30)):
                G.synthesis(ws)
            took[name].append((time.thread_time() - began) * 1e3)
    alone = took.pop("none")[3:]
    added = {
        name: statistics.median(with_it - without for with_it, without in zip(times[3:], alone, strict=True))
        for name, times in took.items()
    }
    return {"the frame ms": round(statistics.median(alone), 2)} | {
        f"{name} ms": round(ms, 2) for name, ms in added.items()
    }


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--frames", type=int, default=200)
    asked = ask.parse_args()
    torch.set_num_threads(1)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
        "frames": asked.frames,
        "portraits": costs("portraits", PORTRAITS, asked.frames),
        "a small StyleGAN3": costs(str(FIXTURE), PLACED, asked.frames),
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "bends.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
