"""Draws the portraits of docs/datasets.md: the first of a stream, and single factors. Run: python docs/figures/portraits.py"""

from pathlib import Path

import numpy as np
from PIL import Image

from kinesphere.studio import sheets
from kinesphere.train.portraits import FACTORS, Portraits, draw_factors, paint

HERE = Path(__file__).parent
TILE, STEPS = 112, 7  # pixels; pictures of one sweep
SITTERS = {  # whose factor is swept, so that it can be seen: a turn on one who has nothing on the head, and so on
    "turn": {"hair_style": "loose", "headwear": "none", "glasses": "none"},
    "smile": {"beard": "none", "headwear": "none", "mouth_open": 0.2},
    "age": {"hair": "natural", "skin": "natural", "hair_tone": 0.7, "headwear": "none"},
    "eye_open": {"glasses": "none", "eye_size": 0.8},
    "gaze_x": {"glasses": "none", "eye_size": 0.9, "eye_open": 0.9},
    "face_length": {"hair_style": "updo", "headwear": "none", "beard": "none", "fringe": 0.1},
    "skin_tone": {"skin": "natural"},
    "hair_length": {"hair_style": "loose", "headwear": "none"},
    "hair_tone": {"hair": "natural", "headwear": "none", "hair_volume": 0.7, "age": 0.2},
    "hair_hue": {"hair": "fantastic", "headwear": "none", "hair_volume": 0.7},
    "light_x": {"light_strength": 1.0},
    "background_hue": {},
}


def sweep(name: str, sitter: int) -> list[np.ndarray]:
    """Portrait `sitter` of the stream 0, with one factor from its lowest to its highest value."""
    factor, held = FACTORS[name], draw_factors(0, sitter) | SITTERS[name]
    return [paint(held | {name: value}, TILE) for value in np.linspace(factor.low, factor.high, STEPS).tolist()]


def title(name: str) -> str:
    return f"{name}  {FACTORS[name].low:g} to {FACTORS[name].high:g}"


def save(sheet: np.ndarray, name: str) -> None:
    Image.fromarray(sheet).save(HERE / name, quality=88)


stream = Portraits(seed=0, size=TILE)
save(sheets.grid([stream[i][0] for i in range(30)], columns=10), "portraits.jpg")
swept = [picture for sitter, name in enumerate(SITTERS) for picture in sweep(name, 3 * sitter + 2)]
save(sheets.grid(swept, STEPS, row_titles=[title(name) for name in SITTERS]), "portraits-factors.jpg")
