"""Sliders for this picture: the moves that change it most, or a painted part of it, found where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.features.region import WHOLE
from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.regions import Painted, box, cover, shrunk, together
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

SMALL = 64  # pixels at which pictures are compared
STEP = 0.03  # sigmas, to both sides; pictures bend on longer ways
WIDEST = 128  # of the axes of W: what directions are made of
APART = 30.0  # how much a change outside of a region counts against one
FAINT = 1e-3  # of what the strongest direction changes: what changes less is none


@torch.no_grad()
def sliders(
    G: Generator,
    ws: Tensor,
    region: Painted = WHOLE,
    count: int = 6,
    rows: str = "all",
    apart: float = APART,
    class_index: int = 0,
    told: Fingerprint | None = None,
) -> list[Direction]:
    """Directions of W that change a region of the picture of `ws` [1, num_ws, w_dim] most, the strongest first; up to `count`.

    Singular vectors of the picture's Jacobian, in coordinates in which natural latents are a round cloud: of moves that are equally
    natural, those that show most. `rows`: what they move. `apart`: how much a change outside of the region counts against one,
    0 (not at all; they are at right angles in those coordinates, then) or more.
    What one sigma changes is `found`, as the root mean square of pixels (2 is from black to white): "gain" inside of the region,
    "outside" elsewhere. The Jacobian is taken by differences along the 128 widest axes of W, 256 pictures in all. A copy of the
    model draws them, so that another thread may draw with `G` and bend it meanwhile. The same each time.
    Raises KinesphereError for a region or numbers that cannot be meant, rows that the model has not, and where nothing moves.
    """
    if count < 1 or not 0 <= apart < np.inf:
        raise KinesphereError(f"{count} sliders, apart {apart:g}: ask for 1 or more, as far apart as 0 or more")
    weights = cover(region, G.img_resolution, SMALL).to(G.w_avg)
    stats = natural(G, class_index)
    axes = (stats.vectors * stats.sigmas)[:, : min(WIDEST, stats.rank)].T  # [axes, w_dim]
    changes = jacobian(G.copied(), ws, axes, rows)
    turns = strongest(gram(changes, weights), gram(changes, 1 - weights), apart)[:count]
    if not len(turns):
        raise KinesphereError(f"nothing in this region moves with the rows {rows}: paint another, or take other rows")
    model, place, directions = told or Fingerprint.of(G), box(region), []
    for number, turn in enumerate(torch.from_numpy(turns).to(axes), 1):
        vector = latent.pointed((turn @ axes).cpu()[:, None])[:, 0]
        one = Direction(vector, "w", f"here{number}", rows, model=model)
        sigma = measured(G, one, class_index)
        change = torch.tensordot(turn, changes, 1) * (sigma / float(vector.norm()))  # [C, h, w], of one sigma
        found = {"by": "here", "region": place, "gain": _rms(change, weights), "outside": _rms(change, 1 - weights)}
        directions.append(replace(one, sigma=sigma, found=found))
    return directions


def jacobian(G: Generator, ws: Tensor, steps: Tensor, rows: str = "all") -> Tensor:
    """How the picture of `ws` [1, num_ws, w_dim] changes with each of `steps` [K, w_dim] of its rows: [K, C, h, w], shrunk.

    By differences to both sides, of a small part of each step.
    """
    taken, found = rows_of(G, rows), []
    for part in steps.split(max(1, together(G) // 2)):
        moved = ws.to(steps).repeat(2 * len(part), 1, 1)
        moved[:, taken] += STEP * torch.cat([part, -part])[:, None]
        ahead, behind = shrunk(G.synthesis(moved), SMALL).chunk(2)
        found.append((ahead - behind) / (2 * STEP))
    return torch.cat(found)


def gram(changes: Tensor, weights: Tensor) -> np.ndarray:
    """What moves change together, J^T M J: `changes` [K, C, h, w], pixels counted by `weights` [h, w] -> [K, K] float64."""
    seen = (changes * weights.sqrt()).flatten(1).double()
    return (seen @ seen.T).cpu().numpy()


def strongest(inside: np.ndarray, outside: np.ndarray, apart: float) -> np.ndarray:
    """Moves of length 1 that change most inside and, as far as `apart` asks for it, little outside: [found, K], the best first.

    What is maximised is |inside|² / (top + apart |outside|²), where `top` is the most that any move changes inside. Its limit, in
    which nothing outside may change, is LowRankGAN's null space (Zhu et al. 2021). Moves that change next to nothing are left out.
    """
    top = float(np.linalg.eigvalsh(inside)[-1])
    if top <= 0:
        return inside[:0]
    vectors = scipy.linalg.eigh(inside, top * np.eye(len(inside)) + apart * outside)[1].T[::-1]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    seen = np.einsum("ik,kl,il->i", vectors, inside, vectors)
    return np.ascontiguousarray(vectors[seen > FAINT**2 * top])


def _rms(change: Tensor, weights: Tensor) -> float:
    """Of the pixels that are counted; 0 where none are."""
    counted = float(weights.sum()) * len(change)
    return float((change.square() * weights).sum() / counted) ** 0.5 if counted else 0.0
