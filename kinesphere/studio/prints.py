"""What one sees of a projection: the picture beside what was found, their difference, how it went, and a film of the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesphere.sinks import VideoFile
from kinesphere.studio.projection import Meters
from kinesphere.studio.sheets import INK, PAPER, grid

TILE = 256  # pixels of a side, at least
LOUDER = 3  # times, of the difference
LINE, FAINT = (236, 180, 96), (58, 58, 64)
LEAST = 1e-5  # unexplained variance at the foot of the curve
FILM_RATE, FILM_FRAMES, LAST = 20, 80, 1.0  # frames a second; frames of the way; seconds that the end is held

Mark = tuple[str, float]  # of a stage: its name, and the step at which it begins


def sheet(
    goal: np.ndarray, found: np.ndarray, curve: Sequence[float], marks: Sequence[Mark], meters: Meters
) -> np.ndarray:
    """Four tiles: the picture, what was found, how they differ, and what was left unexplained from step to step.

    goal, found   [H, W, 3] uint8
    curve         unexplained variance after each step
    """
    side = max(TILE, goal.shape[0])
    tiles = [_enlarged(picture, side) for picture in (goal, found, difference(goal, found))]
    titles = ["the picture", "found", f"difference, {LOUDER} times", f"left: {100 * curve[-1]:.2g} %"]
    captions = [
        f"likeness {meters.likeness:.2f}",
        f"on the map {meters.on_map:.2f}",
        f"editable {meters.editable:.2f}",
        "not of this model's world" if meters.strange else "",
    ]
    return grid([*tiles, graph(curve, marks, side)], 4, titles, captions=captions)


def difference(goal: np.ndarray, found: np.ndarray) -> np.ndarray:
    """How two pictures [H, W, 3] uint8 differ, made LOUDER."""
    return np.abs(goal.astype(np.int16) - found).clip(0, 255 // LOUDER).astype(np.uint8) * LOUDER


def _enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    if picture.shape[0] == side:
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def graph(curve: Sequence[float], marks: Sequence[Mark], side: int) -> np.ndarray:
    """Unexplained variance over the steps, decades up, [side, side, 3]; stages are marked where they begin."""
    size = 2 * side  # drawn large and made small, so that lines are smooth
    image = Image.new("RGB", (size, size), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=size // 22)
    left, top, right, bottom = size // 5, size // 12, size - size // 20, size - size // 9
    low = math.log10(LEAST)

    def x(step: float) -> float:
        return left + (right - left) * step / max(1, len(curve))

    def y(value: float) -> float:
        return bottom - (bottom - top) * (math.log10(min(max(value, LEAST), 1.0)) - low) / -low

    for decade in range(int(low), 1):
        pen.line([left, y(10.0**decade), right, y(10.0**decade)], FAINT, 2)
        pen.text((left - size // 50, y(10.0**decade)), f"{100 * 10.0**decade:g} %", INK, font, anchor="rm")
    free = 0.0
    for name, step in marks:
        pen.line([x(step), top, x(step), bottom], FAINT, 2)
        at = max(x(step), free)
        pen.text((at, top - size // 60), name, INK, font, anchor="ls")
        free = at + font.getlength(f"{name}  ")
    pen.line([(x(i + 1), y(value)) for i, value in enumerate(curve)], LINE, 5, joint="curve")
    pen.text((right, bottom + size // 30), f"{len(curve)} steps", INK, font, anchor="rt")
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


def looks(steps: int) -> list[int]:
    """The steps at which a film of the way looks: each at first, then ever fewer."""
    return sorted({round(math.expm1(math.log1p(steps) * i / (FILM_FRAMES - 1))) for i in range(FILM_FRAMES)})


def film(goal: np.ndarray, way: Sequence[np.ndarray], path: Path, told: str = "") -> Path:
    """The picture on the left, on the right how it was found, as an MP4; [H, W, 3] uint8. Replaces the file that is there.

    `told`, how it was made, is the comment in its metadata.
    """
    sink = VideoFile(path, overwrite=True, comment=told)
    side = max(TILE, goal.shape[0])
    still = _enlarged(goal, side)
    sink.open((2 * side, side), FILM_RATE)
    try:
        for i, picture in enumerate([*way, *[way[-1]] * round(LAST * FILM_RATE)]):
            sink.write(np.concatenate([still, _enlarged(picture, side)], 1), i / FILM_RATE)
    finally:
        sink.close()
    return path
