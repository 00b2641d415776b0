"""Pictures side by side: one for each seed, one for each psi, one for each pair of parents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.models.generator import noise_from
from kinesphere.ops import to_pixels
from kinesphere.studio.latents import Fingerprint, Latent, draw

PAPER, INK = (18, 18, 20), (214, 214, 220)


@torch.inference_mode()
def seeds_to_ws(G: Generator, seeds: Sequence[int], class_index: int = 0) -> Tensor:
    """[N, num_ws, w_dim], without truncation. Each seed by itself: in a batch it would come out different in the last bit."""
    z, c = latent.seeds_to_z(seeds, G.z_dim).to(G.w_avg.device), G.label(class_index)
    return torch.cat([G.mapping(z[i : i + 1], c) for i in range(len(seeds))])


def z_to_ws(G: Generator, z: Tensor, class_index: int = 0) -> Tensor:
    """z [N, z_dim] -> [N, num_ws, w_dim] on the generator's device, all of one class, without truncation."""
    c = G.label(class_index)
    ws: Tensor = G.mapping(z.to(G.w_avg), None if c is None else c.expand(len(z), -1))
    return ws


@dataclass
class Drawing:
    """A generator and how its pictures are drawn, one at a time so that memory stays small."""

    G: Generator
    class_index: int = 0
    noise_mode: str = "const"
    cutoff: int | None = None  # rows from here on are not truncated
    noise_seed: int = 0  # of noise that is "random": picture i of a sheet has that of seed + i
    on_picture: Callable[[int, int], None] = lambda done, of: None

    def ws(self, seeds: Sequence[int], psi: float = 1.0) -> Tensor:
        """[N, num_ws, w_dim], pulled towards the model's mean; `psi` 1 leaves them alone, 0 is the mean."""
        return self.truncated(seeds_to_ws(self.G, seeds, self.class_index), psi)

    def truncated(self, ws: Tensor, psi: float) -> Tensor:
        return latent.truncate(ws, self.G.w_avg, psi, self.cutoff)

    @torch.inference_mode()
    def pictures(self, ws: Tensor) -> Iterator[np.ndarray]:
        """Pictures [H, W, 3] uint8 from [N, num_ws, w_dim], each drawn when it is asked for."""
        for i, w in enumerate(ws.split(1)):
            dice = torch.Generator(self.G.w_avg.device).manual_seed(self.noise_seed + i)
            with noise_from(dice):
                img = self.G.synthesis(w, noise_mode=self.noise_mode)
            yield to_pixels(img)[0].cpu().numpy()
            self.on_picture(i + 1, len(ws))

    def picture(self, place: Latent, told: Fingerprint | None = None) -> np.ndarray:
        """The picture [H, W, 3] uint8 of a kept latent, with its own noise. Raises KinesphereError as `latents.draw`."""
        with noise_from(torch.Generator(self.G.w_avg.device).manual_seed(self.noise_seed)):
            return to_pixels(draw(self.G, place, self.noise_mode, told))[0].cpu().numpy()

    def psi_sheet(self, seeds: Sequence[int], psis: Sequence[float]) -> np.ndarray:
        """A row for each seed, a column for each psi."""
        ws = seeds_to_ws(self.G, seeds, self.class_index)
        rows = torch.cat([self.truncated(w, psi) for w in ws.split(1) for psi in psis])
        return grid(
            list(self.pictures(rows)), len(psis), [f"psi {psi:.3g}" for psi in psis], [f"seed {s}" for s in seeds]
        )

    def mix_sheet(
        self, seeds: Sequence[int], others: Sequence[int], title: str, rows: slice, psi: float = 1.0
    ) -> np.ndarray:
        """Style mixing: the top row shows `seeds`, the left column `others`; inside, each seed with the rows of the other."""
        columns, lines = self.ws(seeds, psi), self.ws(others, psi)
        mixed = [latent.mix(columns, line.expand_as(columns), rows) for line in lines.split(1)]
        parents = (torch.cat(pair) for pair in zip(lines.split(1), mixed, strict=True))
        drawn = self.pictures(torch.cat([columns, *parents]))
        first = [next(drawn) for _ in seeds]
        tiles = [np.full_like(first[0], PAPER), *first, *drawn]
        return grid(
            tiles, len(seeds) + 1, [f"{title} of", *[f"seed {s}" for s in seeds]], ["", *[f"seed {s}" for s in others]]
        )


def grid(
    pictures: Sequence[np.ndarray],
    columns: int,
    column_titles: Sequence[str] = (),
    row_titles: Sequence[str] = (),
    gap: int = 4,
    captions: Sequence[str] = (),
) -> np.ndarray:
    """Tiles [H, W, 3] in reading order on one sheet, with titles in the margins, captions below, and nothing on a picture."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    size = max(11, width // 14)
    font = ImageFont.load_default(size=size)
    line = int(size * 1.8)
    top = line if column_titles else gap
    down = height + gap + (line if captions else 0)  # from one row to the next
    left = max([gap] + [int(font.getlength(text)) + 3 * gap for text in row_titles])
    sheet = Image.new("RGB", (left + columns * (width + gap), top + rows * down), PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        y, x = divmod(i, columns)
        sheet.paste(Image.fromarray(picture), (left + x * (width + gap), top + y * down))
    for x, text in enumerate(column_titles):
        pen.text((left + x * (width + gap) + width / 2, top / 2), text, INK, font, anchor="mm")
    for y, text in enumerate(row_titles):
        pen.text((left - 2 * gap, top + y * down + height / 2), text, INK, font, anchor="rm")
    for i, text in enumerate(captions):
        y, x = divmod(i, columns)
        pen.text(
            (left + x * (width + gap) + width / 2, top + y * down + height + line / 2), text, INK, font, anchor="mm"
        )
    return np.asarray(sheet)


def save(picture: np.ndarray, path: Path) -> Path:
    """One PNG, and its path; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path
