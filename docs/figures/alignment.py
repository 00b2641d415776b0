"""Draws the picture of docs/alignment.md next to itself. Run: python docs/figures/alignment.py"""

from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw

from kinesphere.studio import perceptual, sheets
from kinesphere.studio.alignment import Similarity, aligned, ffhq, refined
from kinesphere.train.portraits import draw_factors, paint

HERE = Path(__file__).parent
SITTER, SIDE, TILE = 7, 512, 240  # which portrait; pixels of the wall, of a tile
HANGS = Similarity(268, 250, 300, 14)  # where it hangs on the wall
HANDLES = ((0.42, 0.50), (0.633, 0.497), (0.41, 0.735), (0.585, 0.73))  # eyes and mouth in it, by hand
BEGUN = Similarity(250, 268, 330, 6)  # about where somebody would lay the square
PAINT = {"begun": (224, 123, 26), "found": (47, 111, 222), "handle": (255, 255, 255)}


def on_a_wall(portrait: np.ndarray) -> np.ndarray:
    """The portrait askew on a plain wall, with its shadow."""
    size = len(portrait)
    to = HANGS.matrix(size)
    to[:, 2] += to[:, :2].sum(1) / 2 - 0.5  # OpenCV counts from the middle of a pixel
    covered = cv2.warpAffine(np.full((size, size), 255, np.uint8), to, (SIDE, SIDE))
    hung = cv2.warpAffine(portrait, to, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shadow = cv2.GaussianBlur(np.roll(covered, (9, 7), (0, 1)), (0, 0), 9)[..., None] / 255
    wall = np.linspace(205, 180, SIDE)[:, None, None] * np.array([1.0, 0.98, 0.94]) * (1 - 0.45 * shadow)
    share = covered[..., None] / 255
    return np.rint(wall * (1 - share) + hung * share).astype(np.uint8)


def marked(picture: np.ndarray, squares: dict[str, Similarity], handles: np.ndarray) -> np.ndarray:
    """The picture with squares, a tick at the top of each, and handles, as large as a tile."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for name, square in squares.items():
        corners = [tuple(corner) for corner in square.quad()]
        pen.line([*corners, *corners[:2]], PAINT[name], 4, joint="curve")
        top = (square.quad()[0] + square.quad()[1]) / 2
        pen.line([tuple(top), tuple(top + (top - (square.x, square.y)) * 0.12)], PAINT[name], 4)
    for x, y in handles:
        pen.ellipse((x - 7, y - 7, x + 7, y + 7), PAINT["found"], PAINT["handle"], 3)
    return np.asarray(image.resize((TILE, TILE), Image.Resampling.LANCZOS))


torch.set_num_threads(1)
portrait = paint(draw_factors(0, SITTER), round(HANGS.size))
wall = on_a_wall(portrait)
handles = np.c_[HANDLES, np.ones(4)] @ HANGS.matrix(1).T
face = ffhq(*handles)
small = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
goal = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 127.5 - 1
found = refined(wall, BEGUN, lambda seen: perceptual.distance(seen, goal), 128)
print(f"found {found}, it hangs at {HANGS}: corners off by {np.hypot(*(found.quad() - HANGS.quad()).T).max():.2f} px")
tiles = [
    marked(wall, {"found": face}, handles),
    aligned(wall, face, TILE),
    marked(wall, {"begun": BEGUN, "found": found}, np.empty((0, 2))),
    aligned(wall, found, TILE),
]
titles = ["eyes and mouth", "cut out as FFHQ is", "begun and found", "cut out as found"]
Image.fromarray(sheets.grid(tiles, 4, titles)).save(HERE / "alignment.jpg", quality=90)
