"""Draws directions-here.jpg and directions-styles.jpg next to itself, and prints the numbers of docs/directions.md.

python docs/figures/directions_styles.py
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from kinesphere import checkpoints
from kinesphere.bends import bent
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.studio.directions import Axis, Direction
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.directions.pca import component
from kinesphere.studio.directions.reach import Effects, Reach
from kinesphere.studio.directions.regions import cover
from kinesphere.studio.directions.stylespace import StyleSpace, styles_of
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.train.judge import NUMBERS, load_judge

HERE = Path(__file__).parent
TILE = 96  # pixels
REGIONS = {"mouth": (0.34, 0.62, 0.66, 0.78), "eyes": (0.28, 0.42, 0.72, 0.56), "hair": (0.2, 0.05, 0.8, 0.28)}
MEASURED = ("smile", "mouth_open", "turn", "hair_length", "light_x", "skin_tone")
SEEDS = range(12)

G = checkpoints.load("portraits").G_ema
TOLD = Fingerprint.of(G)
JUDGE = load_judge()


def person(seed: int) -> Tensor:
    return Latent.of_seed(G, seed, psi=0.8).ws(G)


def pictures(one: Direction, ws: Tensor, amounts: Sequence[float]) -> Tensor:
    """[amounts, C, H, W]"""
    axis = Axis.of(G, one, told=TOLD)
    if one.space != "s":
        return torch.cat([G.synthesis(axis.moved(ws, amount)) for amount in amounts])
    drawn = []
    for amount in amounts:
        with bent(G, axis.styled(G, amount)):
            drawn.append(G.synthesis(ws))
    return torch.cat(drawn)


def strip(one: Direction, ws: Tensor, amounts: Sequence[float], region: Sequence[float] | None) -> list[np.ndarray]:
    """Tiles, the region drawn on the one in the middle."""
    large = [Image.fromarray(p).resize((TILE, TILE)) for p in to_pixels(pictures(one, ws, amounts)).numpy()]
    if region is not None:
        left, top, right, bottom = (round(edge * (TILE - 1)) for edge in region)
        ImageDraw.Draw(large[len(large) // 2]).rectangle((left, top, right, bottom), outline="white")
    return [np.asarray(tile) for tile in large]


def local(one: Direction, ws: Tensor, region: Sequence[float], amount: float) -> tuple[float, float]:
    """What really changes inside of a region and outside, root mean square of pixels, of both ways by `amount`."""
    own, *moved = pictures(one, ws, (0, amount, -amount)).split(1)
    weights = cover(region, G.img_resolution, G.img_resolution)
    square = torch.cat([(img - own).square().mean(1) for img in moved]).mean(0)
    inside, outside = ((square * part).sum() / part.sum() for part in (weights, 1 - weights))
    return float(inside) ** 0.5, float(outside) ** 0.5


def told_of(name: str, changes: Sequence[tuple[float, float]]) -> None:
    inside, outside = np.array(changes).T
    print(f"{name}: inside {inside.mean():.2f}, outside {outside.mean():.2f}, ratio {(inside / outside).mean():.2f}")


def save(name: str, rows: Sequence[tuple[str, list[np.ndarray]]], amounts: Sequence[float]) -> None:
    tiles = [tile for _, row in rows for tile in row]
    titles = [f"{amount:+g} sigma" if amount else "the picture" for amount in amounts]
    sheet = sheets.grid(tiles, len(amounts), titles, [title for title, _ in rows])
    Image.fromarray(sheet).save(HERE / name, quality=88)


def of_this_picture() -> None:
    amounts, rows = (-4, -2, 0, 2, 4), []
    for (name, region), seed in zip(REGIONS.items(), (3, 3, 11), strict=True):
        for apart, count in ((0.0, 1), (30.0, 2)):
            for one in sliders(G, person(seed), region, count, apart=apart, told=TOLD):
                rows.append((f"{name}, apart {apart:g}", strip(one, person(seed), amounts, region)))
    save("directions-here.jpg", rows, amounts)
    begun = time.process_time()
    sliders(G, person(3), REGIONS["mouth"], told=TOLD)
    print(f"sliders for this picture: {time.process_time() - begun:.2f} s of one core")
    for name, region in REGIONS.items():
        for apart in (0.0, 3.0, 30.0, 300.0):
            found = {seed: sliders(G, person(seed), region, 3, apart=apart, told=TOLD) for seed in SEEDS}
            told_of(
                f"{name}, apart {apart:g}, at 2 sigma",
                [local(one, person(seed), region, 2) for seed in SEEDS for one in found[seed]],
            )
        widest = [component(G, number, told=TOLD) for number in range(1, 9)]
        told_of(
            f"{name}, the eight widest components, at 2 sigma",
            [local(one, person(seed), region, 2) for seed in SEEDS for one in widest],
        )


def of_regions(space: StyleSpace) -> list[tuple[str, list[np.ndarray]]]:
    begun = time.process_time()
    reach = Reach.of(G, space)
    print(f"where {len(reach.channels)} channels act, in 12 pictures: {time.process_time() - begun:.0f} s of one core")
    rows = []
    for name, region in REGIONS.items():
        begun = time.process_time()
        found = reach.inside(region)
        print(f"asked for one region: {time.process_time() - begun:.2f} s of one core")
        print(f"{name}: {len(reach.inside(region, count=10**6))} channels belong to it")
        told_of(
            f"{name}, the best 8 channels, at 6 sigma", [local(d, person(s), region, 6) for s in SEEDS for d in found]
        )
        halves = [Reach(space, reach.channels, part, reach.pixels) for part in reach.maps.split(6)]
        names = [{one.name for one in half.inside(region)} for half in halves]
        print(f"{name}: {len(names[0] & names[1])} of 8 are found in six pictures and in the other six")
        rows += [(f"{name}: {one.name}", strip(one, person(11), (-12, -6, 0, 6, 12), region)) for one in found[:3]]
    return rows


def judged(pictures: np.ndarray) -> np.ndarray:
    """uint8 [N, H, W, 3] -> [N, NUMBERS]"""
    return JUDGE.look(pictures.transpose(0, 3, 1, 2)).numbers.numpy()


def of_effects(space: StyleSpace) -> list[tuple[str, list[np.ndarray]]]:
    begun = time.process_time()
    effects = Effects.of(G, space, judged)
    print(f"what {len(effects.channels)} channels do, in 8 pictures: {time.process_time() - begun:.0f} s of one core")
    ws = seeds_to_ws(G, range(1000, 2500))
    numbers = torch.from_numpy(np.concatenate([judged(to_pixels(G.synthesis(part)).numpy()) for part in ws.split(32)]))
    styles, mean = styles_of(G, ws), effects.shifts.mean(0)
    rows = []
    for name in MEASURED:
        at = NUMBERS.index(name)

        def real(found: Sequence[Direction], at: int = at) -> str:
            """What one deviation does, on the way that each points."""
            places = [int(one.vector.nonzero()) for one in found]
            shifts = [
                float(mean[effects.channels.index(i), at] * one.vector[i]) for i, one in zip(places, found, strict=True)
            ]
            return " ".join(f"{shift:+.2f}" for shift in shifts)

        best = effects.best(at, 5)
        print(f"{name}: tried {real(best)}, dependency {best[0].found['dependency']:.2f}, {best[0].name}")
        print(f"    by labels {real(space.by_labels(styles, numbers[:, at], 5))}", end="")
        print(f", by 30 examples {real(space.by_examples(styles[numbers[:, at].topk(30).indices], 5))}")
        if name in ("mouth_open", "hair_length", "light_x"):
            rows.append((f"{name}: {best[0].name}", strip(best[0], person(11), (-12, -6, 0, 6, 12), None)))
    return rows


if __name__ == "__main__":
    with torch.inference_mode():
        of_this_picture()
        space = StyleSpace.of(G)
        save("directions-styles.jpg", [*of_regions(space), *of_effects(space)], (-12, -6, 0, 6, 12))
