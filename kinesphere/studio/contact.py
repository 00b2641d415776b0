"""A contact sheet of a film: its stops large, what lies between them small, each with its time. A look before the long run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kinesphere.sources.geometry import resized
from kinesphere.studio.films import Film
from kinesphere.studio.sheets import INK, PAPER

LARGE, SMALL = 176, 88  # pixels: the height of a stop, and of what lies between
WIDTH = 1400  # pixels
BETWEEN = 24  # small pictures, all legs together
GAP, LINE = 6, 18  # pixels: between pictures; of a line of words


@dataclass(frozen=True)
class Sheet:
    picture: np.ndarray  # [H, W, 3] uint8 RGB
    stops: int
    between: int
    seconds: float  # that the whole film takes to draw on this machine, about


def moments(film: Film) -> list[tuple[float, str]]:
    """What is on the sheet: seconds, and the name of a stop or "" for what lies between. The first walk's, of several."""
    stops, several = film.walks[0].stops, len(film.walks) > 1
    each = max(1, BETWEEN // (len(stops) - 1))
    found = []
    for (a, name), (b, _) in zip(stops, [*stops[1:], (film.seconds, "")], strict=True):
        found.append((a, "all" if several else name))
        found += [(a + (b - a) * i / (each + 1), "") for i in range(1, each + 1) if b > a + 1e-6]
    return found


def sheet(film: Film, on_picture: Callable[[int, int], None] = lambda done, of: None) -> Sheet:
    """Draw the sheet. The pace is that of the film, so one that is to be even is found first."""
    film.find_pace(on_picture)
    wanted = moments(film)
    film.frame(0.0)  # what is only slow at first
    begun = time.perf_counter()
    tiles = []
    for i, (t, name) in enumerate(wanted):
        tiles.append((t, name, film.frame(t)))
        on_picture(i + 1, len(wanted))
    each = (time.perf_counter() - begun) / (len(wanted) * len(film.walks))
    stops = sum(bool(name) for _, name in wanted)
    return Sheet(_laid_out(tiles, film), stops, len(wanted) - stops, each * film.pictures())


def _laid_out(tiles: list[tuple[float, str, np.ndarray]], film: Film) -> np.ndarray:
    """Along lines, as one reads."""
    font = ImageFont.load_default(size=12)
    width, height = film.frame_size
    places, x, y, widest = [], GAP, GAP, 0
    for _, name, _ in tiles:
        tall = LARGE if name else SMALL
        wide = max(round(tall * width / height), 40)
        if x > GAP and x + wide + GAP > WIDTH:
            x, y = GAP, y + LARGE + 2 * LINE + GAP
        places.append((x, y + (LARGE - tall) // 2, wide, tall))
        x += wide + GAP
        widest = max(widest, x)
    paper = Image.new("RGB", (widest, y + LARGE + 2 * LINE + GAP), PAPER)
    pen = ImageDraw.Draw(paper)
    for (t, name, frame), (left, top, wide, tall) in zip(tiles, places, strict=True):
        paper.paste(Image.fromarray(resized(frame, (wide, tall))), (left, top))
        words = [f"{t:.1f} s", *([name] if name and len(film.walks) == 1 else [])]
        for i, line in enumerate(words):
            pen.text((left + wide / 2, top + tall + LINE * (i + 0.55)), _short(line, font, wide), INK, font, "mm")
    return np.asarray(paper)


def _short(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, wide: float) -> str:
    """As much of a name as there is room for."""
    while len(text) > 4 and font.getlength(text) > wide:
        text = f"{text[: max(3, len(text) - 4)]}..." if not text.endswith("...") else f"{text[:-4]}..."
    return text
