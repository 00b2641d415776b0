"""What each feature costs per picture of 640 x 480: milliseconds, p50 and p95. Run: python bench/features.py [--pictures 300]

The pictures are the built-in clip's, cut to 4:3 and seen at 30 a second, decoded before the clock starts. Beside the time on the
wall stands that of the processor, which other programs on the machine disturb less: where both differ much the machine was busy,
and the load that is saved with the figures says how busy. Saves bench/results/features.json. One more feature is one more line
in ROWS.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from importlib import resources
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

import av  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from kinesphere import checkpoints  # noqa: E402
from kinesphere.features import FEATURES  # noqa: E402
from kinesphere.types import KinesphereError, Signal, let_go  # noqa: E402

HERE = Path(__file__).parent
CLIP = resources.files("kinesphere.builtin") / "clip.mp4"
SIZE = (640, 480)
WARM = 10  # pictures that are not counted: buffers are made, models are loaded

VGG16 = {"network": "vgg16", "weights": "random:0"}  # untrained weights take as long
ROWS: dict[str, tuple[str, dict[str, Any]]] = {  # what it is called, its kind and its settings
    "brightness": ("brightness", {}),
    "motion": ("motion", {}),
    "flow": ("flow", {}),
    "colour": ("colour", {}),
    "silhouette": ("silhouette", {}),
    "cut": ("cut", {}),
    "activations, filter bank": ("activations", {}),
    "activations, filter bank, within the silhouette": ("activations", {"within": "silhouette"}),
    "activations, VGG16 to conv4_1, 224 px": ("activations", VGG16),
    "activations, VGG16 to conv4_1, 224 px, half": ("activations", {**VGG16, "precision": "half"}),
}


def pictures(count: int) -> list[np.ndarray]:
    """The clip's pictures, the middle 4:3 of each in SIZE, over and over."""
    found = []
    with av.open(str(CLIP)) as file:
        for frame in file.decode(video=0):
            whole = frame.to_ndarray(format="rgb24")
            wide = whole.shape[0] * SIZE[0] // SIZE[1]
            left = (whole.shape[1] - wide) // 2
            found.append(cv2.resize(whole[:, left : left + wide], SIZE))
            if len(found) == count:
                break
    return [found[i % len(found)] for i in range(count)]


def measured(kind: str, fields: dict[str, Any], frames: list[np.ndarray], checkpoint: Any) -> dict[str, Any]:
    """Of one feature over all the pictures; what cannot be opened here says why."""
    try:
        feature = FEATURES[kind](**fields)
        feature.open(checkpoint)
    except KinesphereError as error:
        return {"not measured": str(error)}
    wall, processor = [], []
    for i, picture in enumerate(frames):
        began, start = time.process_time(), time.perf_counter()
        feature(Signal(picture, i / 30))
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - began)
    let_go(feature)
    wall, processor = wall[WARM:], processor[WARM:]
    return {
        "p50 ms": round(float(np.quantile(wall, 0.5)) * 1e3, 2),
        "p95 ms": round(float(np.quantile(wall, 0.95)) * 1e3, 2),
        "of the processor p50 ms": round(float(np.quantile(processor, 0.5)) * 1e3, 2),
        "pictures": len(wall),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument(
        "--only", nargs="*", default=list(ROWS), choices=list(ROWS), help="these rows; nothing is saved"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)  # as a performance has one thread for each feature
    frames, checkpoint = pictures(asked.pictures), checkpoints.load("portraits")
    rows = {}
    for name in asked.only:
        kind, fields = ROWS[name]
        rows[name] = measured(kind, fields, frames, checkpoint)
        print(f"{name:50} {rows[name]}", flush=True)
    if asked.only != list(ROWS):
        return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "load": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "torch": torch.__version__,
        "commit": commit.stdout.strip(),
        "size": SIZE,
        "rows": rows,
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "features.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
