"""Six moments of each built-in patch: above what it sees and found there, below the picture. Run: python docs/figures/patches.py

Hands, faces and bodies are the synthetic ones, which need no camera; all else is the built-in clip. Writes patches-NAME.jpg.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

from kinesphere import checkpoints, patch
from kinesphere.engine import Engine, render
from kinesphere.features.keypoints import Measuring
from kinesphere.features.overlays import drawn
from kinesphere.sinks import Null
from kinesphere.sources import Video
from kinesphere.studio import sheets

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
ELSEWHERE = ("regions", "scene")  # have pictures already
WITHOUT = ("depth", "turn")  # weights for them do not come with Kinesphere
FPS, SECONDS, MOMENTS = Fraction(15), 11, 6
SIZE = 160  # pixels of a tile
DARK = 40


def main(names: list[str]) -> None:
    for name in names or sorted({*patch.builtin_names()} - {*ELSEWHERE, *WITHOUT}):
        sheets.save(sheet(name), HERE / f"patches-{name}.jpg")
        print(name, flush=True)


def sheet(name: str) -> np.ndarray:
    played = patch.load(name)
    played.sources = {place: Video(CLIP) for place in played.sources}
    body = next((f for f in played.features.values() if isinstance(f, Measuring)), None)
    for feature in played.features.values():
        if isinstance(feature, Measuring):
            feature.tracker = "synthetic"
    checkpoint = checkpoints.load(played.model)
    played.sinks = {"nowhere": Null()}
    engine = Engine(played, checkpoint)
    frames = int(SECONDS * FPS)
    wanted = set(np.linspace(frames // 3, frames - 1, MOMENTS).astype(int))
    moments = []

    def look(done: int) -> None:
        if done - 1 in wanted:
            (seen,) = {id(s): s for s in engine.lanes.seen.values()}.values()  # type: ignore[attr-defined]
            moments.append(np.concatenate([scaled(overlaid(seen.value, body)), scaled(engine.frame)]))

    render(engine, frames, FPS, look)
    return sheets.grid(moments, MOMENTS)


def overlaid(picture: np.ndarray, body: Measuring | None) -> np.ndarray:
    return picture if body is None else drawn(np.full_like(picture, DARK), body.overlay())


def scaled(picture: np.ndarray) -> np.ndarray:
    """SIZE pixels wide."""
    import cv2

    scale = SIZE / picture.shape[1]
    size = SIZE, round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


if __name__ == "__main__":
    main(sys.argv[1:])
