"""The noise of the layers, which draws what no style decides: hair, pores, grain. Louder, gone, or slowly boiling."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from kinesphere.bends.bending import Bendable, Bending, Operation, convolutions, has
from kinesphere.bends.motion import held
from kinesphere.bends.walks import mixed, walk

LOUDEST = 10.0  # times what was learnt
MOST = 2.0  # standard deviations; at 1 hardly anything is left of the picture


def noise(
    G: Bendable,
    t: float,
    *,
    strength: float = 1.0,
    boil: float = 0.0,
    add: float = 0.0,
    wander: float = 1.0,
    seed: int = 0,
    at: str = "all",
) -> Bending:
    """The noise of some layers: as strong as is wanted, boiling, or added where there is none.

    `strength` and `boil` are of the noise that the model has learnt, and change nothing where it has none; `add` is for all.

    strength: times what the model has learnt, 0 to 10; 0 and the noise is gone
    boil: 0 to 1; 0 the model's own maps, which stand still, 1 maps that wander (where the noise mode is "const")
    add: noise that wanders, on what the layers give; standard deviations of each layer, 0 to 2
    wander: seconds until nothing is left of how the maps were; at least 0.05; a change of it jumps
    seed: of the walk, 0 to 4294967295
    at: the layers: "all", "coarse", "middle", "fine", a block ("b16") or one ("b16.conv1", "L3")
    """
    strength, boil, add = held(strength, 0, LOUDEST), held(boil, 0, 1), held(add, 0, MOST)
    bending: dict[str, Operation] = {}
    for layer in convolutions(G, at):
        learnt = has(G, f"{layer}.noise_strength")
        if learnt and strength != 1:
            bending[f"{layer}.noise_strength"] = lambda learnt: learnt * strength
        if learnt and boil:
            bending[f"{layer}.noise_const"] = partial(_boiling, amount=boil, layer=layer, seed=seed, t=t, wander=wander)
        if add:
            bending[layer] = partial(_added, amount=add, layer=layer, seed=seed, t=t, wander=wander)
    return bending


def _boiling(stored: Tensor, amount: float, layer: str, seed: int, t: float, wander: float) -> Tensor:
    """From a stored map [H, W] to one that wanders; the spread of both is 1, and so is that of all between."""
    return mixed(stored, walk(seed, f"noise.{layer}", tuple(stored.shape), t, wander, stored.device).to(stored), amount)


def _added(x: Tensor, amount: float, layer: str, seed: int, t: float, wander: float) -> Tensor:
    """[N, C, H, W] and one map for all channels, as the models have it; the spread is taken over each picture's whole layer."""
    spread = x.float().std(dim=(1, 2, 3), keepdim=True)  # [N, 1, 1, 1]
    return x + amount * spread * walk(seed, f"added.{layer}", tuple(x.shape[2:]), t, wander, x.device)
