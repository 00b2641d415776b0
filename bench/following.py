"""How well the built-in model's picture follows a portrait that moves, and how fast: likeness against time, and a film.

A painted portrait, which the model has not seen, turns, tilts, smiles and looks about, thirty pictures a second; twice another one
takes its place. Unexplained: the part of the variance of the picture shown at that moment that the picture which follows it leaves.

Run: python bench/following.py [--film following.mp4] [--strip docs/figures/following.jpg]
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinesphere import checkpoints
from kinesphere.checkpoints import Checkpoint
from kinesphere.ops import to_pixels
from kinesphere.sinks import VideoFile
from kinesphere.studio.batch import as_goal
from kinesphere.studio.following import Following
from kinesphere.studio.projection import unexplained
from kinesphere.train.portraits import FACTORS, draw_factors, paint
from kinesphere.types import Signal

RESULTS = Path(__file__).parent / "results" / "following.json"
FPS, SECONDS = 30, 12
SITTERS = (3, 8, 12)  # of the stream of seed 77, one after the other
MOVES = {"turn": 3.1, "tilt": 4.3, "shift_x": 5.2, "smile": 2.3, "mouth_open": 1.7, "gaze_x": 2.9}  # seconds of a swing
WIDE = 0.8  # of a factor's range
WAYS = {
    "the encoder alone": Following(steps=0),
    "1 step a picture": Following(steps=1),
    "2 steps a picture": Following(),
    "4 steps a picture": Following(steps=4),
}
SHOWN, MOMENTS = "2 steps a picture", 9  # in the film; in the strip


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--film", type=Path, help="where to keep what was seen beside what followed")
    asked.add_argument("--strip", type=Path, help="and a few moments of it")
    given = asked.parse_args()
    checkpoint = checkpoints.load("portraits")
    pictures = list(scene())
    rows = []
    for name, feature in WAYS.items():
        left, rate, drawn = follow(checkpoint, feature, pictures)
        rows.append({"way": name, "pictures a second": rate, "unexplained": left})
        steady = np.array(left).reshape(len(SITTERS), -1)[:, FPS:]  # but the first second of each
        print(f"{name}: {rate:.0f} pictures a second; unexplained {np.median(steady):.3f}, most {steady.max():.3f}")
        if given.film and name == SHOWN:
            write(given.film, pictures, drawn)
        if given.strip and name == SHOWN:
            strip(given.strip, pictures, drawn)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    said = {"commit": commit, "torch": torch.__version__, "threads": torch.get_num_threads(), "fps": FPS, "rows": rows}
    RESULTS.write_text(json.dumps(said) + "\n")


def scene() -> Iterator[np.ndarray]:
    """[64, 64, 3] uint8, SECONDS long."""
    for i in range(FPS * SECONDS):
        factors = draw_factors(77, SITTERS[i * len(SITTERS) // (FPS * SECONDS)])
        for name, period in MOVES.items():
            factor = FACTORS[name]
            middle, half = (factor.low + factor.high) / 2, (factor.high - factor.low) / 2
            factors[name] = middle + WIDE * half * math.sin(2 * math.pi * i / FPS / period)
        yield paint(factors, 64)


def follow(
    checkpoint: Checkpoint, feature: Following, pictures: list[np.ndarray]
) -> tuple[list[float], float, list[np.ndarray]]:
    """What each picture leaves, how many a second it takes, and what is drawn."""
    G = checkpoint.G_ema
    feature.open(checkpoint)
    left, drawn, took = [], [], 0.0
    for i, picture in enumerate(pictures):
        begun = time.perf_counter()
        w = feature(Signal(picture, i / FPS))
        took += time.perf_counter() - begun
        with torch.no_grad():
            img = G.synthesis(torch.from_numpy(w).expand(1, G.num_ws, -1))
        left.append(round(float(unexplained(img, as_goal(picture, G))), 4))
        drawn.append(to_pixels(img)[0].numpy())
    return left, len(pictures) / took, drawn


def write(path: Path, pictures: list[np.ndarray], drawn: list[np.ndarray]) -> None:
    sink = VideoFile(path, overwrite=True)
    sink.open((512, 256), FPS)
    try:
        for i, pair in enumerate(zip(pictures, drawn, strict=True)):
            sink.write(np.concatenate([large(picture) for picture in pair], 1), i / FPS)
    finally:
        sink.close()


def strip(path: Path, pictures: list[np.ndarray], drawn: list[np.ndarray]) -> None:
    moments = [round((i + 0.5) * len(pictures) / MOMENTS) for i in range(MOMENTS)]
    rows = [np.concatenate([large(film[i])[::2, ::2] for i in moments], 1) for film in (pictures, drawn)]
    Image.fromarray(np.concatenate(rows)).save(path, quality=90)


def large(picture: np.ndarray) -> np.ndarray:
    return picture.repeat(4, 0).repeat(4, 1)


if __name__ == "__main__":
    main()
