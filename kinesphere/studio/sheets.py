"""Pictures side by side: one for each seed, one for each psi, one for each pair of parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.types import KinesphereError

PAPER, INK = (18, 18, 20), (214, 214, 220)


def label(G: Generator, index: int, n: int = 1) -> Tensor | None:
    """The class `index` as a vector [n, c_dim]; None for a model without classes. Raises KinesphereError for no such class."""
    if not 0 <= index < max(1, G.c_dim):
        kinds = f"it has classes 0 to {G.c_dim - 1}" if G.c_dim else "it has no classes, so leave it at 0"
        raise KinesphereError(f"no class {index} in this model: {kinds}")
    return torch.eye(G.c_dim)[[index] * n].to(G.w_avg.device) if G.c_dim else None


@torch.inference_mode()
def seeds_to_ws(G: Generator, seeds: Sequence[int], class_index: int = 0) -> Tensor:
    """[N, num_ws, w_dim], without truncation."""
    z = latent.seeds_to_z(seeds, G.z_dim).to(G.w_avg.device)
    return G.mapping(z, label(G, class_index, len(seeds)))


@torch.inference_mode()
def draw(
    G: Generator, ws: Tensor, noise_mode: str = "const", on_picture: Callable[[int], None] = lambda i: None
) -> list[np.ndarray]:
    """Pictures [H, W, 3] uint8 from [N, num_ws, w_dim], one at a time, so that memory stays small."""
    pictures = []
    for i in range(len(ws)):
        pictures.append(to_pixels(G.synthesis(ws[i : i + 1], noise_mode=noise_mode))[0].cpu().numpy())
        on_picture(i + 1)
    return pictures


def truncated(G: Generator, ws: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """`ws` pulled towards the model's mean; `psi` 1 leaves it alone, 0 is the mean."""
    return latent.truncate(ws, G.w_avg, psi, cutoff)


def psi_row(G: Generator, ws: Tensor, psis: Sequence[float]) -> Tensor:
    """One latent [1, num_ws, w_dim] at each of several psi: [len(psis), num_ws, w_dim]."""
    return torch.cat([truncated(G, ws, psi) for psi in psis])


def mixes(coarse: Tensor, fine: Tensor, rows: slice) -> Tensor:
    """Every pair of parents: `fine` [M] with the `rows` of `coarse` [N] put in, [N * M, num_ws, w_dim], coarse by coarse."""
    return torch.cat([latent.mix(fine, parent.expand_as(fine), rows) for parent in coarse.split(1)])


def grid(
    pictures: Sequence[np.ndarray],
    columns: int,
    column_titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    gap: int = 4,
) -> np.ndarray:
    """Tiles [H, W, 3] in reading order on one sheet, with titles in the margins and never on a picture."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    size = max(11, width // 14)
    font = ImageFont.load_default(size=size)
    line = int(size * 1.8)
    top = line if column_titles else gap
    left = max([gap] + [int(font.getlength(text)) + 3 * gap for text in row_titles])
    sheet = Image.new("RGB", (left + columns * (width + gap), top + rows * (height + gap)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet.paste(Image.fromarray(picture), (left + x * (width + gap), top + y * (height + gap)))
    for x, text in enumerate(column_titles):
        pen.text((left + x * (width + gap) + width / 2, top / 2), text, INK, font, anchor="mm")
    for y, text in enumerate(row_titles):
        pen.text((left - 2 * gap, top + y * (height + gap) + height / 2), text, INK, font, anchor="rm")
    return np.asarray(sheet)


def blank(like: np.ndarray) -> np.ndarray:
    """An empty tile of the size of another."""
    return np.full_like(like, PAPER)


def save(picture: np.ndarray, path: Path) -> None:
    """One PNG; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
