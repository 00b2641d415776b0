"""How surely, how exactly and how fast hands, bodies and faces are found. Run: python bench/keypoints.py

Hands are painted (tests/hands.py), so their angle is known; faces are painted too (the project's portraits), and two are
photographs that come with scikit-image and matplotlib. Times are of the whole way: picture to the tracking process and numbers
back. `cpu` is what the tracking process used of the processor for one picture, which other programs on the machine change little.
Saves bench/results/keypoints.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from hands import paint  # noqa: E402

from kinesphere.features.keypoints import Body, Face, Hand, Measuring  # noqa: E402
from kinesphere.features.overlays import drawn  # noqa: E402
from kinesphere.train.portraits import Portraits  # noqa: E402
from kinesphere.types import KinesphereError, Signal  # noqa: E402

POSTURES = {
    "open": (0, 0, 0, 0, 0),
    "relaxed": (0.25, 0.3, 0.3, 0.3, 0.3),
    "pointing": (0.5, 0, 1, 1, 1),
    "two fingers": (0.8, 0, 0, 1, 1),
    "fist": (1, 1, 1, 1, 1),
}


FACTORS = [  # a number, and the factor of the portraits that should move it
    ("yaw", "turn"), ("roll", "tilt"), ("mouth", "mouth_open"), ("smile", "smile"), ("brow", "brow_height"), ("gaze_x", "gaze_x"),
    ("gaze_y", "gaze_y"),
]  # fmt: skip


def photographs() -> dict[str, np.ndarray]:
    import skimage.data
    from matplotlib import cbook
    from PIL import Image

    hopper = Image.open(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB")
    grey = np.repeat(skimage.data.camera()[:, :, None], 3, 2)
    return {"astronaut": skimage.data.astronaut(), "grace_hopper": np.asarray(hopper), "camera": grey}


def looked(feature: Measuring, picture: np.ndarray, looks: int = 2) -> dict[str, float] | None:
    """What is said of a still picture by one that begins afresh; None where nothing is found."""
    feature.open()
    for i in range(looks):
        values = feature(Signal(picture.copy(), i / 30))
    return None if feature.last()[1] is None else dict(zip(feature.names, map(float, values), strict=True))


def turns(a: float, b: float) -> float:
    """The difference of two angles in degrees."""
    return float(np.degrees((a - b + np.pi) % (2 * np.pi) - np.pi))


def hands(count: int, sheet: Path | None) -> dict[str, object]:
    """Found, by posture and size; the error of the angle. The painter's wrist and MediaPipe's differ, by side: that is the bias."""
    rng = np.random.RandomState(0)
    feature, rows, pictures = Hand(hands=1), [], []
    for i in range(count):
        posture, size, side = list(POSTURES)[i % 5], (0.2, 0.35, 0.5)[i // 5 % 3], ("left", "right")[i % 2]
        angle, turn, tip = rng.uniform(-np.pi, np.pi), *rng.uniform(-0.5, 0.5, 2)
        place = dict(x=rng.uniform(-0.5, 0.5), y=rng.uniform(-0.3, 0.3), size=size, side=side, turn=turn, tip=tip)
        picture = paint((640, 480), i // 7 % 3, i // 3 % 3, angle=angle, curls=POSTURES[posture], **place)
        seen = looked(feature, picture)
        if sheet is not None and len(pictures) < 40:
            pictures.append(drawn(picture, feature.overlay()))
        found = None if seen is None else {
            "angle": turns(seen["angle"], angle), "size": seen["size"] / size, "openness": seen["openness"],
            "place": float(np.hypot(seen["x"] - place["x"], seen["y"] - place["y"])),
            "side": (feature.last()[0].figures[0].left > 0.5) == (side == "left"),
        }  # fmt: skip
        rows.append((posture, size, side, found))
    feature.close()
    if sheet is not None:
        save_sheet(pictures, 8, sheet)

    def share(keep) -> float:
        kept = [row for row in rows if keep(row)]
        return round(sum(row[3] is not None for row in kept) / max(len(kept), 1), 3)

    good = [row for row in rows if row[3] is not None]
    bias = {side: float(np.median([r[3]["angle"] for r in good if r[2] == side])) for side in ("left", "right")}
    off = np.abs([r[3]["angle"] for r in good])
    rest = np.abs([r[3]["angle"] - bias[r[2]] for r in good])
    return {
        "pictures": count,
        "found": share(lambda row: True),
        "found by posture": {posture: share(lambda row, p=posture: row[0] == p) for posture in POSTURES},
        "found by palm size, half heights": {str(s): share(lambda row, s=s: row[1] == s) for s in (0.2, 0.35, 0.5)},
        "angle error, degrees, median and 95 %": [round(float(np.quantile(off, q)), 1) for q in (0.5, 0.95)],
        "of it bias by side": {side: round(degrees, 1) for side, degrees in bias.items()},
        "angle error without the bias, median and 95 %": [round(float(np.quantile(rest, q)), 1) for q in (0.5, 0.95)],
        "place error, half heights, median and 95 %": [
            round(float(np.quantile([r[3]["place"] for r in good], q)), 3) for q in (0.5, 0.95)
        ],
        "palm size over true, 5, 50, 95 %": [
            round(float(np.quantile([r[3]["size"] for r in good], q)), 2) for q in (0.05, 0.5, 0.95)
        ],
        "side right": round(float(np.mean([r[3]["side"] for r in good])), 3),
        "openness, median": {
            posture: round(float(np.median([r[3]["openness"] for r in good if r[0] == posture])), 2)
            for posture in POSTURES
            if any(r[0] == posture for r in good)
        },
    }


def save_sheet(pictures: list[np.ndarray], columns: int, path: Path) -> None:
    import cv2

    small = [cv2.resize(p, (320, 240), interpolation=cv2.INTER_AREA) for p in pictures]
    rows = [np.hstack(small[i : i + columns]) for i in range(0, len(small) - columns + 1, columns)]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


def faces(count: int) -> dict[str, object]:
    """Painted portraits: each number against the factor that the painter was given. They look straight ahead: pitch should be 0."""
    portraits, feature = Portraits(3, 384), Face()
    known, seen = [], []
    for i in range(count):
        picture, factors = portraits[i]
        values = looked(feature, picture)
        if values is not None:
            known.append(factors)
            seen.append(values)
    feature.close()

    def against(name: str, factor: str) -> dict[str, float]:
        x, y = np.array([f[factor] for f in known]), np.array([v[name] for v in seen])
        slope, start = np.polyfit(x, y, 1)
        return {
            "r": round(float(np.corrcoef(x, y)[0, 1]), 2),
            "slope": round(float(slope), 3),
            "at 0": round(float(start), 3),
        }

    return {
        "pictures": count,
        "found": round(len(seen) / count, 3),
        "pitch, degrees, median": round(float(np.degrees(np.median([v["pitch"] for v in seen]))), 1),
        **{f"{name} against {factor}": against(name, factor) for name, factor in FACTORS},
    }


def on_photographs() -> dict[str, object]:
    found = {}
    for kind in (Face, Body, Hand):
        feature = kind()
        for name, picture in photographs().items():
            seen = looked(feature, picture, looks=3)
            found[f"{kind.__name__.lower()}, {name}"] = seen and {
                k: round(v, 2) for k, v in seen.items() if np.isfinite(v)
            }
        feature.close()
    return found


def film(kind: type, frames: int) -> list[np.ndarray]:
    """A moving picture [480, 640, 3] with one figure in it."""
    import cv2

    if kind is Hand:
        return [paint(angle=0.02 * i, x=0.4 * np.sin(0.05 * i), size=0.4) for i in range(frames)]
    still = cv2.resize(photographs()["astronaut"], (640, 640))[:480]
    return [np.roll(still, round(30 * np.sin(0.1 * i)), axis=1) for i in range(frames)]


def pace(feature: Measuring, frames: int) -> dict[str, float]:
    pictures = film(type(feature), frames)
    feature.open()
    for i in range(10):
        feature(Signal(pictures[0].copy(), i / 30))
    process = psutil.Process(feature._tracker._stream().process.pid)
    before, took = sum(process.cpu_times()[:2]), []
    for i, picture in enumerate(pictures):
        began = time.perf_counter()
        feature(Signal(picture, 1 + i / 30))
        took.append(time.perf_counter() - began)
    used = (sum(process.cpu_times()[:2]) - before) / frames
    memory = process.memory_info().rss
    feature.close()
    p50, p95 = np.quantile(took, [0.5, 0.95]) * 1e3
    return {
        "p50 ms": round(p50, 1),
        "p95 ms": round(p95, 1),
        "cpu ms": round(used * 1e3, 1),
        "memory MB": round(memory / 1e6),
    }


def restart() -> dict[str, float]:
    """Seconds from opening to the first numbers, and from a killed process to the next ones."""
    feature, picture = Face(), photographs()["astronaut"]
    began = time.perf_counter()
    feature.open()
    feature(Signal(picture, 0.0))
    first = time.perf_counter() - began
    os.kill(feature._tracker._stream().process.pid, signal.SIGKILL)
    began = time.perf_counter()
    for t in (0.1, 0.2):
        try:
            feature(Signal(picture.copy(), t))
        except KinesphereError:
            pass
    again = time.perf_counter() - began
    feature.close()
    return {"to the first numbers s": round(first, 1), "after a kill s": round(again, 1)}


def times(frames: int) -> dict[str, object]:
    """For a picture of 640 x 480 with one figure in it, which moves."""
    return {
        "hand, 1, full": pace(Hand(hands=1), frames), "hand, 1, lite": pace(Hand(hands=1, model="lite"), frames),
        "hand, 2 looked for, full": pace(Hand(hands=2), frames), "body": pace(Body(), frames), "face": pace(Face(), frames),
        "starting": restart(),
    }  # fmt: skip


PARTS = ["hands", "faces", "photographs", "times"]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--hands", type=int, default=300, help="painted hands")
    ask.add_argument("--faces", type=int, default=120, help="painted faces")
    ask.add_argument("--frames", type=int, default=200, help="pictures for each time")
    ask.add_argument("--sheet", type=Path, help="a picture of 40 of the hands with what was found in them")
    ask.add_argument(
        "--only", choices=PARTS, nargs="+", default=PARTS, help="measure these; the rest keeps what was measured before"
    )
    asked = ask.parse_args()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    path = HERE / "results" / "keypoints.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    for part in asked.only:
        about = {
            "command": shlex.join(["python", *sys.argv]), "commit": commit, "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}", "load": round(os.getloadavg()[0], 1),
        }  # fmt: skip
        measured = {
            "hands": lambda: hands(asked.hands, asked.sheet), "faces": lambda: faces(asked.faces), "photographs": on_photographs,
            "times": lambda: times(asked.frames),
        }[part]()  # fmt: skip
        result[part] = {**about, **measured}
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
        print(part, json.dumps(result[part], indent=1), flush=True)


if __name__ == "__main__":
    main()
