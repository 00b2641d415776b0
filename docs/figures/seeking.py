"""Draws the picture of docs/alignment.md on what is sought, next to itself. Run: python docs/figures/seeking.py"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw
from skimage import data

from kinesphere import checkpoints
from kinesphere.studio import sheets
from kinesphere.studio.alignment import Similarity, aligned
from kinesphere.studio.charts import Chart
from kinesphere.studio.seeking import Seeker
from kinesphere.train.portraits import draw_factors, paint

HERE = Path(__file__).parent
WIDTH, HEIGHT = 480, 360
FOUND = (47, 111, 222)
HANGS = {
    "a table": (data.coffee(), 7, Similarity(200, 170, 180, 14)),
    "a cat": (data.chelsea(), 3, Similarity(330, 130, 120, -8)),
    "a rocket": (data.rocket(), 21, Similarity(120, 220, 150, 22)),
}


def hung(photo: np.ndarray, portrait: np.ndarray, square: Similarity) -> np.ndarray:
    """The portrait over the photograph, [HEIGHT, WIDTH, 3]."""
    photo = cv2.resize(photo, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    to = square.matrix(len(portrait))
    to[:, 2] += to[:, :2].sum(1) / 2 - 0.5
    covered = cv2.warpAffine(np.full(portrait.shape[:2], 255, np.uint8), to, (WIDTH, HEIGHT))[..., None] / 255
    over = cv2.warpAffine(portrait, to, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.rint(photo * (1 - covered) + over * covered).astype(np.uint8)


def shown(picture: np.ndarray, square: Similarity) -> np.ndarray:
    """The picture with the square, and what it cuts out beside it."""
    image = Image.fromarray(picture)
    corners = [tuple(corner) for corner in square.quad()]
    ImageDraw.Draw(image).line([*corners, *corners[:2]], FOUND, 4, joint="curve")
    return np.concatenate([np.asarray(image), aligned(picture, square, HEIGHT)], 1)


torch.set_num_threads(1)
G = checkpoints.load("portraits").G_ema
seek = Seeker(G, Chart.of(G))
tiles = []
for name, (photo, sitter, hangs) in HANGS.items():
    picture = hung(photo, paint(draw_factors(0, sitter), round(hangs.size)), hangs)
    found = seek(picture)
    print(
        f"{name}: {found}, it hangs at {hangs}: corners off by {np.hypot(*(found.quad() - hangs.quad()).T).max():.1f} px"
    )
    tiles.append(shown(picture, found))
sheet = Image.fromarray(sheets.grid(tiles, 1))
sheet.resize((sheet.width * 5 // 6, sheet.height * 5 // 6), Image.Resampling.LANCZOS).save(
    HERE / "seeking.jpg", quality=88
)
