"""Draws the pictures of docs/blending.md next to itself: `python docs/figures/blending.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.studio.blending import blended, halves, morph
from kinesphere.studio.centres import Centres, sheet
from kinesphere.studio.latents import Latent, draw

HERE = Path(__file__).parent
TILE = 128  # pixels

G = checkpoints.load("portraits").G_ema


def large(img: Tensor) -> np.ndarray:
    tile = Image.fromarray(to_pixels(img)[0].numpy())
    return np.asarray(tile.resize((TILE, TILE), Image.Resampling.LANCZOS))


def save(name: str, rows: Sequence[tuple[str, list[np.ndarray]]], titles: Sequence[str]) -> None:
    tiles = [tile for _, row in rows for tile in row]
    Image.fromarray(sheets.grid(tiles, len(rows[0][1]), titles, [title for title, _ in rows])).save(
        HERE / name, quality=88
    )


def person(seed: int) -> Latent:
    return Latent.of_seed(G, seed, psi=0.8)


def morphs(*pairs: tuple[int, int]) -> None:
    times = np.linspace(0, 1, 9).tolist()
    rows = []
    for a, b in pairs:
        for title, spread in (("together", 0.0), ("spread 0.5", 0.5), ("spread 1", 1.0)):
            rows.append((title, [large(draw(G, morph(G, person(a), person(b), t, spread))) for t in times]))
    save("blending-morphs.jpg", rows, [f"t {t:.3g}" for t in times])


def disc(size: int = 64) -> Tensor:
    """Masks [2, size, size]: the second latent in a disc at the middle."""
    x = (torch.arange(size) + 0.5) / size * 2 - 1
    inside = (x.square() + x.square()[:, None] < 0.4).float()
    return torch.stack([1 - inside, inside])


def masks(*pairs: tuple[int, int]) -> None:
    starts = ["b4", "b8", "b16", "b32", "b64", "b64.torgb"]
    rows = []
    for a, b in pairs:
        ws = torch.cat([person(a).ws(G), person(b).ws(G)])
        own = [large(draw(G, person(seed))) for seed in (a, b)]
        for title, mask in (("left, right", halves()), ("a disc", disc())):
            rows.append((title, [*own, *(large(blended(G, ws, mask, start)) for start in starts)]))
    save("blending-masks.jpg", rows, ["the first", "the second", *[f"from {start}" for start in starts]])


class Large(sheets.Drawing):
    """Pictures enlarged, as the others here are."""

    def pictures(self, ws: Tensor) -> Iterator[np.ndarray]:
        for w in ws.split(1):
            yield large(self.G.synthesis(w))


def centres() -> None:
    found, seeds, psi = Centres.of(G, k=16), range(8), 0.3
    Image.fromarray(sheet(Large(G), found.w, found.shares.tolist())).save(HERE / "blending-centres.jpg", quality=88)
    nearest = [large(draw(G, found.towards(G, seed, psi))) for seed in seeds]
    mean = [large(draw(G, Latent.of_seed(G, seed, psi))) for seed in seeds]
    save(
        "blending-kinds.jpg", [("the mean", mean), ("the nearest centre", nearest)], [f"seed {seed}" for seed in seeds]
    )


if __name__ == "__main__":
    with torch.inference_mode():
        morphs((1, 2), (5, 8))
        masks((1, 2), (5, 8))
        centres()
