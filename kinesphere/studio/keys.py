"""The keys of a walk: seeds, and latents from files, with the noise and the weights that belong to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.bends.bending import Bending, Operation
from kinesphere.models import Generator
from kinesphere.studio.blending import cross_fade
from kinesphere.studio.latents import Latent
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

SEEDS = re.compile(r"\d+(\s*-\s*\d+)?")


@dataclass(frozen=True, eq=False)
class Key:
    """A place that a walk passes."""

    name: str  # "seed 85", "me.safetensors"
    ws: Tensor  # [1, num_ws, w_dim], as it is drawn: whatever truncation there is has been done
    bending: Bending = field(default_factory=dict)  # what it puts in place of the model's own noise and weights


@dataclass(frozen=True, eq=False)
class Kept:
    """A latent that a walk passes, and what it is called."""

    name: str
    place: Latent


def parse(text: str) -> list[int | Kept]:
    """Read keys as people write them: "3, me.safetensors, 10-12" is [3, Kept("me.safetensors", ...), 10, 11, 12].

    Raises KinesphereError for what is neither seeds nor a file that holds a latent.
    """
    keys: list[int | Kept] = []
    files: dict[Path, Kept] = {}
    for part in (piece.strip() for piece in text.split(",")):
        path = Path(part).expanduser()
        if SEEDS.fullmatch(part):
            keys.extend(latent.parse_seeds(part))
        elif part and path.is_file():
            files[path] = files.get(path) or Kept(path.name, Latent.load(path))
            keys.append(files[path])
        else:
            raise KinesphereError(f"no key {part!r} in {text!r}: write seeds, as 3 or 0-5, and files that are there")
    return keys


def shifted(keys: Sequence[int | Kept], by: int) -> list[int | Kept]:
    """The same keys with other seeds: each is `by` more. Latents that were kept stay."""
    return [key + by if isinstance(key, int) else key for key in keys]


@torch.no_grad()
def found(
    G: Generator, keys: Sequence[int | Kept], psi: float = 1.0, cutoff: int | None = None, class_index: int = 0
) -> list[Key]:
    """The keys in the space of `G`. `psi` and `cutoff` truncate the seeds; a latent that was kept is where it is.

    Raises KinesphereError, naming it, for a latent of another model.
    """
    kept = {key: _of_kept(G, key) for key in dict.fromkeys(keys) if not isinstance(key, int)}
    return [_of_seed(G, key, psi, cutoff, class_index) if isinstance(key, int) else kept[key] for key in keys]


def _of_seed(G: Generator, seed: int, psi: float, cutoff: int | None, class_index: int) -> Key:
    ws = latent.truncate(seeds_to_ws(G, [seed], class_index), G.w_avg, psi, cutoff)
    return Key(f"seed {seed}", ws)


def _of_kept(G: Generator, kept: Kept) -> Key:
    try:
        return Key(kept.name, kept.place.ws(G), kept.place.bending(G))
    except KinesphereError as error:
        raise KinesphereError(f"{kept.name}: {error}") from None


def between(a: Bending, b: Bending, x: float) -> Bending:
    """From what one key puts into the model (x = 0) to what another does (x = 1), both bit for bit; x may lie outside 0 to 1.

    Where one puts nothing, the model's own is meant. Noise is cross-faded at an even pace (`blending.cross_fade` at
    sin² (pi x / 2), which is cos(pi x / 2) a + sin(pi x / 2) b for independent maps). Weights go in a straight line.
    """
    if x <= 0 or x >= 1:
        return b if x >= 1 else a
    return {place: _between(place, a.get(place), b.get(place), x) for place in {**a, **b}}


def _between(place: str, a: Operation | None, b: Operation | None, x: float) -> Operation:
    fades = place.endswith(".noise_const")

    def bend(own: Tensor) -> Tensor:
        first, second = (own if put is None else put(own) for put in (a, b))
        if fades:
            return cross_fade(first, second, float(latent.ease(x, "sine_in_out")))  # sin² (pi x / 2)
        return latent.lerp(first, second, x)

    return bend
