"""Draws directions-own.jpg, directions-bands.jpg and directions-rows.jpg next to itself, and prints what docs/directions.md tells.

python docs/figures/directions.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kinesphere import checkpoints
from kinesphere.studio.directions import Direction, cosine, strips
from kinesphere.studio.directions.control import compared, random_directions
from kinesphere.studio.directions.importance import importance, rows_alone
from kinesphere.studio.directions.pca import component, pca, warning
from kinesphere.studio.directions.sefa import sefa
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import PAPER, Drawing

HERE = Path(__file__).parent
BANDS = ("coarse", "middle", "fine")

G = checkpoints.load("portraits").G_ema
TOLD = Fingerprint.of(G)
PLACE = Latent.of_seed(G, 3, 0.7)


def sheet(directions: Sequence[Direction], reach: float = 3.0) -> np.ndarray:
    return strips.sheet(Drawing(G), PLACE, directions, reach=reach)


def beside(sheets: Sequence[np.ndarray], name: str) -> None:
    """Sheets of one height, or padded to it."""
    high = max(len(one) for one in sheets)
    plain = [np.full((high - len(one), one.shape[1], 3), PAPER, np.uint8) for one in sheets]
    whole = np.concatenate([np.concatenate(pair) for pair in zip(sheets, plain, strict=True)], 1)
    Image.fromarray(whole).save(HERE / name, quality=86)


def chance(count: int, rows: str = "all") -> list[Direction]:
    return random_directions(G, count, rows=rows, told=TOLD)


def told(title: str, directions: Sequence[Direction], randoms: Sequence[Direction]) -> None:
    print(f"{title}: {compared(G, directions, randoms, told=TOLD).words}")


def main() -> None:
    components, factors = pca(G, 8, told=TOLD), sefa(G, 8, told=TOLD)
    beside([sheet([*found[:5], *chance(2)]) for found in (components, factors)], "directions-own.jpg")
    bands = [sheet([*sefa(G, 4, rows, told=TOLD), *chance(1, rows)]) for rows in BANDS]
    beside(bands, "directions-bands.jpg")
    beside([sheet(rows_alone(components[0], importance(G, components[0], told=TOLD)))], "directions-rows.jpg")

    print(warning(components))
    print(
        "10,000 latents against 100,000:",
        [round(abs(cosine(one, component(G, i + 1))), 3) for i, one in enumerate(components)],
    )
    for rows in ("all", *BANDS):
        randoms = chance(16, rows)
        told(f"components, {rows}", pca(G, 8, rows=rows, told=TOLD), randoms)
        told(f"factors, {rows}", sefa(G, 8, rows, told=TOLD), randoms)
    for layer in ("b4.conv1", "b8.conv1", "b16.conv1"):
        seen, again = (pca(G, 8, layer=layer, seed=seed, told=TOLD) for seed in (0, 1))
        told(layer, seen, chance(16))
        print("another seed:", [round(abs(cosine(a, b)), 3) for a, b in zip(seen, again, strict=True)])
    for one in (*components[:3], *factors[:3]):
        print(one.name, importance(G, one, told=TOLD).words)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
