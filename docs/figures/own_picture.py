"""Draws the picture of docs/your-own-picture.md next to itself: `python docs/figures/own_picture.py`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from kinesphere import checkpoints
from kinesphere.ops import to_pixels
from kinesphere.studio.albums import Album
from kinesphere.studio.blending import STAGGERED, morph
from kinesphere.studio.latents import Latent, draw
from kinesphere.studio.projection import Plan
from kinesphere.studio.sheets import INK, PAPER
from kinesphere.train.portraits import draw_factors, paint

HERE = Path(__file__).parent
SEED, PEOPLE = 5, ("ada", "ben")  # as on the page
TILE, GAP, APART, LINE = 148, 4, 18, 30  # pixels: a picture on the way, between two, between pictures and way, of words
WAYS = (("all rows together", 0.0), ("coarse rows first", STAGGERED))
TIMES = np.linspace(0, 1, 5).tolist()

torch.set_num_threads(1)
G = checkpoints.load("portraits").G_ema
LARGE = 2 * TILE + LINE + GAP  # a painted picture: as high as both ways


def found(painted: dict[str, Image.Image], folder: Path) -> list[Latent]:
    """What the command on the page finds."""
    paths = [folder / f"{name}.png" for name in painted]
    for path, picture in zip(paths, painted.values(), strict=True):
        picture.save(path)
    album = Album(G, "portraits", folder / "found", Plan(steps=100, rows=100))
    return [Latent.load(one.latent) for _, one in album.project(paths)]


def tile(place: Latent) -> Image.Image:
    picture = Image.fromarray(to_pixels(draw(G, place))[0].numpy())
    return picture.resize((TILE, TILE), Image.Resampling.BICUBIC)


painted = {name: Image.fromarray(paint(draw_factors(SEED, i), LARGE)) for i, name in enumerate(PEOPLE)}
with TemporaryDirectory() as folder:
    a, b = found(painted, Path(folder))
inner = len(TIMES) * (TILE + GAP) - GAP
sheet = Image.new("RGB", (2 * (GAP + LARGE + APART) + inner, LINE + LARGE + GAP), PAPER)
pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
left = GAP + LARGE + APART
for x, name in ((GAP, "ada.png"), (left + inner + APART, "ben.png")):
    sheet.paste(painted[name.partition(".")[0]], (x, LINE))
    pen.text((x + LARGE / 2, LINE / 2), name, INK, font, anchor="mm")
for row, (title, spread) in enumerate(WAYS):
    y = LINE + row * (TILE + GAP + LINE)
    pen.text((left, y - LINE / 2), "found/ada.png", INK, font, anchor="lm")
    pen.text((left + inner / 2, y - LINE / 2), title, INK, font, anchor="mm")
    pen.text((left + inner, y - LINE / 2), "found/ben.png", INK, font, anchor="rm")
    for i, t in enumerate(TIMES):
        sheet.paste(tile(morph(G, a, b, t, spread)), (left + i * (TILE + GAP), y))
sheet.save(HERE / "own-picture.jpg", quality=90)
