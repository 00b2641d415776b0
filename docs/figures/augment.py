"""Draws the picture of docs/training.md that shows every augmentation, five draws of each. Run: python docs/figures/augment.py"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.train.augment import TRANSFORMS, Augment
from kinesphere.train.draws import Draws
from kinesphere.train.portraits import draw_factors, paint

HERE = Path(__file__).parent
TILE, DRAWS, SITTER = 96, 5, 7  # pixels; pictures in a row; which portrait
NOTHING = Augment(**dict.fromkeys(TRANSFORMS, 0.0))


def row(augment: Augment, p: float, portrait: torch.Tensor) -> list[np.ndarray]:
    """`DRAWS` pictures of what D may see of one portrait [1, 3, H, W] in [-1, 1]."""
    shown = augment(portrait.expand(DRAWS, -1, -1, -1), p, Draws(2, 0, "figure"))
    return list(to_pixels(shown).numpy())


def block(rows: dict[str, list[np.ndarray]]) -> np.ndarray:
    return sheets.grid([picture for pictures in rows.values() for picture in pictures], DRAWS, row_titles=list(rows))


torch.set_num_threads(1)
painted = torch.from_numpy(paint(draw_factors(0, SITTER), TILE)).permute(2, 0, 1)[None]  # [1, 3, H, W] uint8
portrait = painted.float() / 127.5 - 1
rows = {name: row(replace(NOTHING, **{name: 1.0}), 1.0, portrait) for name in TRANSFORMS}
rows |= {f"bgc, p = {p:g}": row(Augment.named("bgc"), p, portrait) for p in (0.2, 0.5, 0.8)}
names = list(rows)
halves = [block({name: rows[name] for name in half}) for half in (names[:9], names[9:])]
Image.fromarray(np.concatenate(halves, axis=1)).save(HERE / "augment.jpg", quality=88)
