"""Where the picture is: `transform` and `anchor` for a family with an input transform, `warp` for one with blocks."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from kinesphere.bends.bending import Bendable, Bending, find, has
from kinesphere.bends.motion import Edge, Motion, held, moved
from kinesphere.types import KinesphereError


def transform(
    G: Bendable, t: float, *, rotate: float = 0.0, x: float = 0.0, y: float = 0.0, zoom: float = 1.0
) -> Bending:
    """The picture turns in place, moves and zooms, and is drawn anew: StyleGAN3's input transform.

    rotate: radians, counter-clockwise, about the picture's middle; exact for config R, config T redraws
    x: half picture widths to the right; 1 brings the middle to the border
    y: half picture widths up
    zoom: factor, 1/16 to 16; below 1 the waves that the model cannot hold fade out
    """
    if not has(G, "input.transform"):
        raise KinesphereError(
            f"{G.family} has no input transform: 'warp' turns, moves and zooms its activations, 'const' its learned constant"
        )
    motion = Motion(rotate, x, y, zoom)

    def bend(stored: Tensor) -> Tensor:  # [3, 3], from the picture to its content, in picture widths
        whence = motion.whence()
        whence[:2, 2] /= 2
        return stored @ whence.to(stored)

    return {} if motion.still else {"input.transform": bend}


def anchor(G: Bendable, t: float, *, amount: float = 0.0, to: Literal["mean", "middle"] = "mean") -> Bending:
    """The picture stays put: StyleGAN3 places every latent by itself, so on a walk the picture wanders; anchored, it does not.

    amount: 0 to 1; 0 is the model's placing, 1 the same for every latent
    to: "mean", where the mean latent stands; "middle", upright in the middle
    """
    if not has(G, "input.affine"):
        raise KinesphereError(
            f"{G.family} has no input that places the picture, which stays put by itself: leave this out"
        )
    amount = held(amount, 0, 1)
    if not amount:
        return {}
    affine, _ = find(G, "input.affine")
    with torch.no_grad():
        mean = affine(G.w_avg[None])  # [1, 4]
    turn, shift = _split(mean if to == "mean" else torch.eye(4, device=mean.device)[:1])

    def bend(placed: Tensor) -> Tensor:  # [N, 4]
        turns, shifts = _split(placed)
        # As vectors, not as angles: so there is no seam. Half-way between opposite ones there is no turn; it has `to`'s.
        between = torch.lerp(turns, turn.to(turns).expand_as(turns), amount)
        length = between.norm(dim=1, keepdim=True)
        between = torch.where(length > 1e-6, between / length, turn.to(turns))
        return torch.cat([between, torch.lerp(shifts, shift.to(shifts).expand_as(shifts), amount)], dim=1)

    return {"input.affine": bend}


def _split(placed: Tensor) -> tuple[Tensor, Tensor]:
    """A placing [N, 4] as its turn (cosine, sine) and its shift, both [N, 2]; as stored, both are as long as the turn."""
    turn, shift = (placed / placed[:, :2].norm(dim=1, keepdim=True)).split(2, dim=1)
    return turn, shift


def warp(
    G: Bendable,
    t: float,
    *,
    rotate: float = 0.0,
    x: float = 0.0,
    y: float = 0.0,
    zoom: float = 1.0,
    resolution: int = 16,
    edge: Edge = "mirror",
) -> Bending:
    """The picture turns, moves and zooms half-way: the activations of one resolution do, the rest is drawn anew on them.

    rotate: radians, counter-clockwise, about the picture's middle
    x: half picture widths to the right; 1 brings the middle to the border
    y: half picture widths up
    zoom: factor, 1/16 to 16
    resolution: pixels; at 4 to 8 the subject melts, from 32 on the picture is moved as it is
    edge: what comes in at the border: "wrap", the other side; "mirror", the near side
    """
    place = f"b{resolution}"
    if has(G, "input.transform"):
        raise KinesphereError(
            f"{G.family} has no blocks to warp: 'transform' turns, moves and zooms its input, exactly"
        )
    if not has(G, place):
        there = ", ".join(name[1:] for name, _ in G.synthesis.named_children() if name[1:].isdigit())
        raise KinesphereError(f"no resolution {resolution} in this {G.family}: it has {there or 'no blocks'}")
    motion = Motion(rotate, x, y, zoom)
    return {} if motion.still else {place: lambda activations: moved(activations, motion, edge)}
