"""The learned constant, which everything is drawn from: it wanders, and it is moved."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.bends.bending import Bendable, Bending, Operation, group_of, has, only, tensor
from kinesphere.bends.motion import Edge, Motion, held, moved
from kinesphere.bends.walks import mixed, walk
from kinesphere.types import KinesphereError

SHARPNESS = 2.0  # how much one copy outweighs all others: 0, all count alike; 4, one at a time and then a leap


def const(
    G: Bendable,
    t: float,
    *,
    amount: float = 0.0,
    rotate: float = 0.0,
    x: float = 0.0,
    y: float = 0.0,
    zoom: float = 1.0,
    wander: float = 8.0,
    seed: int = 0,
    among: Literal["copies", "noise"] = "copies",
    edge: Edge = "wrap",
    group: int = 0,
    of: int = 1,
) -> Bending:
    """Features leave their places, and multiply: the learned constant wanders and moves.

    StyleGAN1 and 2 draw everything from one map of 4 x 4 pixels in each channel, which knows what belongs where. Each channel is
    held to the range that it has in the model. StyleGAN3 draws from plane waves instead: there the phases of the waves wander, and
    the waves are moved (`among` and `edge` mean nothing then).

    amount: 0 to 1; 0 is the model's constant, 1 one that wanders freely
    rotate: radians, counter-clockwise; the further, the less a trained model recognises
    x: half picture widths to the right; 2 is once round
    y: half picture widths up
    zoom: factor, 1/16 to 16
    wander: seconds until nothing is left of where it wandered; at least 0.05; a change of it jumps
    seed: of the walk, 0 to 4294967295
    among: "copies": it wanders among copies of the constant, moved by whole pixels; "noise": every number wanders by itself
    edge: what comes in at the border: "wrap", the other side; "mirror", the near side
    group: the part of the channels that is bent, 0 to of - 1
    of: how many parts the channels make
    """
    amount, motion = held(amount, 0, 1), Motion(rotate, x, y, zoom)
    if has(G, "input.phases"):
        return _waves(G, t, amount, motion, wander, seed, group, of)
    if not has(G, "b4.const"):
        raise KinesphereError(f"{G.family} has no learned constant: 'noise' stirs its layers")
    chosen = group_of(len(tensor(G, "b4.const")), group, of)
    wandering = {"copies": _copies, "noise": _noise}[among]

    def bend(c: Tensor) -> Tensor:  # [C, H, W]
        made = c
        if amount:
            own = c - _mean(c)
            made = mixed(own, wandering(own, seed, t, wander), amount) + _mean(c)
        if not motion.still:
            there = moved(made[None], motion, edge)[0].to(c)
            made = there * (_power(made) / _power(there))  # between its pixels a resampled map is weaker
        return made.clamp(c.amin((1, 2), keepdim=True), c.amax((1, 2), keepdim=True))

    return {} if motion.still and not amount else {"b4.const": only(chosen, bend)}


def _mean(c: Tensor) -> Tensor:
    return c.mean((1, 2), keepdim=True)


def _power(c: Tensor) -> Tensor:
    return c.square().mean((1, 2), keepdim=True).sqrt().clamp_min(1e-6)


def _copies(own: Tensor, seed: int, t: float, wander: float) -> Tensor:
    """A mixture, [C, H, W], of copies of the constant without its means, each moved by whole pixels; at the constant's power.

    What belongs together stays together, so features appear elsewhere; noise takes them away.
    """
    weights = (SHARPNESS * walk(seed, "const.copies", (own[0].numel() - 1,), t, wander, own.device)).softmax(0)
    weights = F.pad(weights, [1, 0]).to(own)  # of a copy by how far it has moved; that which has not is none
    made = (own.flatten(1) @ weights[_moves(*own.shape[1:], own.device)]).view_as(own)
    return made * (_power(own) / _power(made))


@lru_cache(maxsize=8)
def _moves(height: int, width: int, device: torch.device) -> Tensor:
    """Which move leads from each pixel to each, [HW, HW]: its number is down times width plus right, round the borders."""
    with torch.inference_mode(False):
        place = torch.arange(height * width)
        down, right = (n - n[:, None] for n in (place // width, place % width))
        return ((down % height) * width + right % width).to(device)


def _noise(own: Tensor, seed: int, t: float, wander: float) -> Tensor:
    """[C, H, W]: every number by itself, at the constant's power."""
    return walk(seed, "const.noise", tuple(own.shape), t, wander, own.device).to(own) * _power(own)


def _waves(
    G: Bendable, t: float, amount: float, motion: Motion, wander: float, seed: int, group: int, of: int
) -> Bending:
    """StyleGAN3's waves are sin(2 pi (f · p + phase)) at p, picture widths: f · (A p + b) = (f A) · p + f · b."""
    chosen = group_of(len(tensor(G, "input.phases")), group, of)

    def shift(phases: Tensor) -> Tensor:  # [C], in waves
        if amount:
            phases = phases + amount / 2 * walk(seed, "const.phases", tuple(phases.shape), t, wander, phases.device)
        return phases + tensor(G, "input.freqs")[chosen] @ (motion.whence()[:2, 2] / 2).to(phases)

    def turn(freqs: Tensor) -> Tensor:  # [C, 2], waves for each picture width
        return freqs @ motion.whence()[:2, :2].to(freqs)

    bending: dict[str, Operation] = {"input.phases": only(chosen, shift), "input.freqs": only(chosen, turn)}
    return {} if motion.still and not amount else bending  # the phases first: they need the waves as they were
