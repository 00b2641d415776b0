"""Draws the picture of docs/datasets.md that shows how a picture becomes a square. Run: python docs/figures/fits.py"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kinesphere.sources import Video
from kinesphere.studio import sheets
from kinesphere.studio.squares import FITS, Square

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
TILE = 180  # pixels

video = Video(CLIP)
video.open()
wide = Image.fromarray(video.read(2.8).value)  # 16:9
video.close()
tall = wide.crop((wide.width // 16, 0, wide.width // 16 + wide.height * 9 // 16, wide.height))
pictures = []
for seen in (wide, tall):
    whole = ImageOps.pad(seen, (TILE, TILE), color=sheets.PAPER)
    pictures += [np.asarray(whole), *(Square(TILE, fit)(seen)[0] for fit in FITS)]
sheet = sheets.grid(pictures, 5, column_titles=["the picture", *FITS])
Image.fromarray(sheet).save(HERE / "fits.jpg", quality=88)
