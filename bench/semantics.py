"""What it costs to look through networks that others trained, each at its size. Run: python bench/semantics.py

The weights are random, which makes them no quicker: the architectures and sizes are those of the models that the features take
by default. `cpu ms` is what one picture takes of the processor on one thread, which other programs on the machine change little;
`wall ms` is what passed. Saves bench/results/semantics.json.
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
from types import SimpleNamespace

from kinesphere.startup import prepare

prepare()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from kinesphere.features import Activations, Classification, Depth, Segmentation  # noqa: E402
from kinesphere.features.pretrained import device  # noqa: E402
from kinesphere.sources import Video  # noqa: E402
from kinesphere.types import Feature, Signal  # noqa: E402

HERE = Path(__file__).parent
FEATURES: dict[str, Feature] = {
    "activations, dinov2 (small), 224 px": Activations(network="dinov2", weights="random:0"),
    "activations, dinov2 (small), 224 px, hidden6": Activations(network="dinov2", weights="random:0", layers="hidden6"),
    "activations, dinov2 (small), 126 px": Activations(network="dinov2", weights="random:0", size=126),
    "activations, efficientnet, 224 px": Activations(network="efficientnet", weights="random:0"),
    "activations, mobilenet, 224 px": Activations(network="mobilenet", weights="random:0"),
    "depth, 252 px": Depth(weights="random:0"),
    "depth, 518 px": Depth(weights="random:0", size=518),
    "segmentation, 512 px": Segmentation(weights="random:0", what="LABEL_12"),
    "segmentation, 256 px": Segmentation(weights="random:0", what="LABEL_12", size=256),
    "classification, 224 px": Classification(weights="random:0"),
}


def pictures(count: int) -> list[np.ndarray]:
    """The built-in clip, 640 x 360."""
    import cv2

    clip = Video(str(resources.files("kinesphere.builtin") / "clip.mp4"))
    clip.open()
    shown = [clip.read(i / 10) for i in range(count)]
    clip.close()
    return [cv2.resize(signal.value, (640, 360)) for signal in shown if signal is not None]


def measured(feature: Feature, shown: list[np.ndarray]) -> dict[str, float]:
    feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=512), D=None))
    cpu, wall = [], []
    for i, picture in enumerate(shown):
        used, began = time.thread_time(), time.perf_counter()
        feature(Signal(picture, i / 10))
        cpu.append(time.thread_time() - used)
        wall.append(time.perf_counter() - began)
    return {
        "cpu ms": round(1e3 * statistics.median(cpu[2:]), 1),
        "wall ms": round(1e3 * statistics.median(wall[2:]), 1),
        "parameters": sum(
            p.numel() for p in (getattr(feature, "_eye", None) or feature._network._eye).model.parameters()
        ),  # type: ignore[attr-defined]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", type=Path, default=HERE / "results" / "semantics.json")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    shown = pictures(asked.pictures)
    rows = {}
    for name, feature in FEATURES.items():
        rows[name] = measured(feature, shown)
        print(f"{name:48} {rows[name]}", flush=True)
        vars(feature).pop("_eye", None), vars(feature).pop("_network", None)  # the next has the memory
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "device": str(device()),
        "threads": asked.threads,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "pictures": asked.pictures,
    }
    asked.save.write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
