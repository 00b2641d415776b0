"""Draws projection.jpg next to itself: a portrait that the built-in model has never seen, and two pictures of other worlds.

python docs/figures/projection.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from kinesphere import checkpoints
from kinesphere.studio.albums import Album
from kinesphere.studio.projection import Plan
from kinesphere.train.portraits import Portraits

HERE = Path(__file__).parent
PLAN = Plan(steps=300, rows=200, tune=150)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        painted = iter(Portraits(size=256, seed=991))
        pictures = {
            "painted": next(painted)[0],
            "another": next(painted)[0],
            "photograph": data.astronaut()[0:260, 80:340],
        }
        for name, picture in pictures.items():
            Image.fromarray(picture).save(place / f"{name}.png")
        album = Album(checkpoints.load("portraits").G_ema, "portraits", place / "out", PLAN)
        sheets = []
        for name, found in album.project([place / f"{name}.png" for name in pictures]):
            print(name, found.meters, found.meters.words)
            sheets.append(np.asarray(Image.open(found.sheet)))
    Image.fromarray(np.concatenate(sheets)).save(HERE / "projection.jpg", quality=88)


if __name__ == "__main__":
    main()
