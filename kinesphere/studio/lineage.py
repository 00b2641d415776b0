"""Where a latent came from, in words: what its origin says to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kinesphere.studio.latents import Latent

LONGEST = 80  # characters of a name
Origin = Mapping[str, Any]


def named(place: Latent, name: str) -> Latent:
    """A latent that knows what it is called, so that what is made of it can say so."""
    return replace(place, origin={**place.origin, "name": name})


def words(origin: Origin) -> str:
    """One sentence of what an origin says; "" where it says nothing. Whatever is in it, nothing is raised."""
    match origin:
        case {"morph": {"from": dict(a), "to": dict(b), "t": int() | float() as t}}:
            return f"{_share(t)} from {called(a)} to {called(b)}"
        case {"projection": dict(), "picture": str(picture)}:
            return f"found for the picture {picture[:LONGEST]}"
        case {"projection": dict()}:
            return "found for a picture"
        case {"centre": int(which), "seed": int(seed)}:
            return f"seed {seed}, drawn towards centre {which + 1}"
        case {"centre": int(which)}:
            return f"centre {which + 1} of the model"
        case {"seed": int(seed)}:
            return f"seed {seed}"
        case {"played": {"patch": str(patch), "seed": int(seed)}}:
            return f"a moment of {patch[:LONGEST] or 'the instrument'}, seed {seed}"
        case {"file": str(file)}:
            return f"kept by another tool as {file[:LONGEST]}"
    return ""


def called(origin: Origin) -> str:
    """What somebody calls the latent of this origin: its name, or else what it is."""
    name = origin.get("name")
    return name[:LONGEST] if isinstance(name, str) and name else words(origin) or "something unknown"


def parents(origin: Origin) -> list[str]:
    """The names of what it was mixed of; none where it was not, or they had none."""
    match origin:
        case {"morph": {"from": dict(a), "to": dict(b)}}:
            return [called(parent) for parent in (a, b) if isinstance(parent.get("name"), str)]
    return []


def _share(t: float) -> str:
    return "half-way" if t == 0.5 else f"{round(100 * min(max(t, 0), 1))} % of the way"
