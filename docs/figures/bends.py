"""Draws the pictures of docs/bends.md next to itself: `python docs/figures/bends.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinesphere import checkpoints, latent
from kinesphere.bends import Bending, bent, const, noise, transform, warp
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "tests" / "fixtures"
TILE = 128  # pixels


@torch.inference_mode()
def draw(G: Generator, ws: Tensor, *bendings: Bending, contrast: float = 0.0) -> np.ndarray:
    """One picture, enlarged; `contrast` spreads the channels of a model that was never trained to so many deviations."""
    with bent(G, *bendings):
        img = G.synthesis(ws)
    if contrast:
        still = G.synthesis(ws)
        img = (img - still.mean((2, 3), keepdim=True)) / (contrast * still.std((2, 3), keepdim=True))
    tile = Image.fromarray(to_pixels(img)[0].numpy())
    return np.asarray(tile.resize((TILE, TILE), Image.Resampling.LANCZOS))


def save(name: str, rows: Sequence[tuple[str, list[np.ndarray]]], titles: Sequence[str] = ()) -> None:
    tiles = [tile for _, row in rows for tile in row]
    sheet = sheets.grid(tiles, len(rows[0][1]), titles, [title for title, _ in rows])
    Image.fromarray(sheet).save(HERE / name, quality=88)


G = checkpoints.load("portraits").G_ema
PEOPLE = {seed: latent.truncate(sheets.seeds_to_ws(G, [seed]), G.w_avg, 0.8) for seed in (1, 2, 5, 8)}


def wandering() -> None:
    """Time goes to the right, by half a wander each."""
    times = range(9)
    rows = []
    for seed, among, amount in (
        (2, "copies", 0.35), (2, "copies", 0.5), (2, "copies", 1.0), (8, "copies", 0.35), (8, "copies", 0.5),
        (1, "copies", 0.45), (2, "noise", 0.65), (8, "noise", 0.65),
    ):  # fmt: skip
        row = [draw(G, PEOPLE[seed], const(G, float(t), amount=amount, among=among, wander=2.0, seed=3)) for t in times]
        rows.append((f"{among} {amount:g}", row))
    save("bends-const.jpg", rows, [f"{t} s" for t in times])


def rolling() -> None:
    """The constant rolls to the right and round; zoomed; a quarter of its channels at a time."""
    rolls = [i / 4 for i in range(9)]
    rows = [("x", [draw(G, PEOPLE[2], const(G, 0.0, x=x)) for x in rolls])]
    rows += [("x, mirrored", [draw(G, PEOPLE[2], const(G, 0.0, x=x, edge="mirror")) for x in rolls])]
    zooms = [2 ** (i / 4) for i in range(-4, 5)]
    rows += [("zoom, mirrored", [draw(G, PEOPLE[5], const(G, 0.0, zoom=z, edge="mirror")) for z in zooms])]
    groups = [draw(G, PEOPLE[8])] + [draw(G, PEOPLE[8], const(G, 0.0, x=1.0, group=i, of=8)) for i in range(8)]
    rows += [("x 1, by group", groups)]
    save("bends-roll.jpg", rows)


def warping() -> None:
    """One motion at each resolution."""
    motions = (
        ("as it is", {}), ("x 0.3", {"x": 0.3}), ("y 0.3", {"y": 0.3}), ("rotate 0.4", {"rotate": 0.4}),
        ("rotate 1.57", {"rotate": math.pi / 2}), ("rotate 3.14", {"rotate": math.pi}), ("zoom 0.6", {"zoom": 0.6}),
        ("zoom 1.6", {"zoom": 1.6}),
    )  # fmt: skip
    rows = [
        (f"{size} px", [draw(G, PEOPLE[2], warp(G, 0.0, resolution=size, **motion)) for _, motion in motions])
        for size in (4, 8, 16, 32, 64)
    ]
    save("bends-warp.jpg", rows, [title for title, _ in motions])


def grain() -> None:
    """Noise added to the portraits, which have learnt none."""
    amounts = (0, 0.1, 0.2, 0.35, 0.5, 1)
    rows = [
        (at, [draw(G, PEOPLE[2], noise(G, 0.0, add=a, at=at)) for a in amounts])
        for at in ("all", "coarse", "middle", "fine")
    ]
    save("bends-noise.jpg", rows, [f"add {a:g}" for a in amounts])


def turning() -> None:
    """Two StyleGAN3 with random weights, turned by their input; their colours are spread to be seen."""
    angles = [i * math.pi / 4 for i in range(9)]
    rows = []
    for name, seed in (("sg3r_64", 3), ("sg3t_64", 4)):
        G3 = checkpoints.load(FIXTURES / f"{name}.pkl").G_ema
        ws = G3.mapping(latent.seed_to_z(seed, G3.z_dim), G3.label(0))
        turned = [draw(G3, ws, transform(G3, 0.0, rotate=a), contrast=2.5) for a in angles]
        rows.append((f"config {name[3].upper()}", turned))
    save("bends-transform.jpg", rows, [f"{math.degrees(a):.0f}°" for a in angles])


if __name__ == "__main__":
    torch.set_num_threads(1)
    for figure in (wandering, rolling, warping, grain, turning):
        figure()
