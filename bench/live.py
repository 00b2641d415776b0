"""The live loop with the built-in patches and clip: rate, age of the picture, memory. Run: python bench/live.py --seconds 60

Every figure of a run is measured in one process; compare ratios, not milliseconds, between machines and between runs.
Saves bench/results/live.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from importlib import resources
from pathlib import Path

from kinesphere.startup import calm_threads

calm_threads()

import torch  # noqa: E402

from kinesphere import checkpoints, patch  # noqa: E402
from kinesphere.engine import Engine, perform  # noqa: E402
from kinesphere.sinks import Null  # noqa: E402
from kinesphere.sources import Video  # noqa: E402
from kinesphere.types import Signal  # noqa: E402

HERE = Path(__file__).parent
CLIP = str(resources.files("kinesphere.builtin") / "clip.mp4")


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def median_ms(work, repeats: int = 20) -> float:
    took = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took[3:]) * 1e3


@torch.inference_mode()
def alone(engine: Engine) -> dict[str, float]:
    """Each stage by itself, milliseconds."""
    G, clip = engine.G, Video(CLIP)
    clip.open()
    ws = G.mapping(torch.randn(1, G.z_dim))
    times = iter(i / 30 for i in range(10**6))
    stages = {"synthesis": median_ms(lambda: G.synthesis(ws)), "source": median_ms(lambda: clip.read(next(times)))}
    for name, feature in engine.patch.features.items():
        picture = clip.read(0.0).value
        stages[f"feature {name}"] = median_ms(lambda f=feature: f(Signal(picture, next(times))))  # noqa: B023
    clip.close()
    engine.rewind()
    return stages


def played(name: str, seconds: float) -> dict[str, object]:
    instrument = patch.load(name)
    instrument.sources = {source: Video(CLIP) for source in instrument.sources}
    instrument.sinks = {"nowhere": Null()}
    engine = Engine(instrument, checkpoints.load(instrument.model))
    stages = alone(engine)
    memory, ages = [], []

    def watch(status):
        memory.append(resident())
        ages.append(status.age)

    status = perform(engine, seconds, watch)
    settled = memory[len(memory) // 4 :]
    return {
        "patch": name,
        "pictures per second": round(status.fps, 1),
        "step p50 ms": round(status.p50 * 1e3, 1),
        "step p99 ms": round(status.p99 * 1e3, 1),
        "step p50 / synthesis alone": round(status.p50 * 1e3 / stages["synthesis"], 2),
        "p99 / p50": round(status.p99 / status.p50, 2),
        "age p50 ms": round(statistics.median(a for a in ages if a is not None) * 1e3),
        "memory growth MB": round(settled[-1] - settled[0], 1),
        "failures": status.failures,
        "alone ms": {stage: round(ms, 2) for stage, ms in stages.items()},
        "features per second": {
            n.removeprefix("features."): round(h.done / status.t, 1)
            for n, h in engine.health.items()
            if n.startswith("features.")
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "seconds": seconds,
        "rows": [played(name, seconds) for name in patch.builtin_names()],
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "live.json").write_text(json.dumps(result, indent=2) + "\n")
    for row in result["rows"]:
        print("\n".join(f"{key:28} {value}" for key, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
