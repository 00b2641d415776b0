"""The directions that a model has before anybody looks for some: those that come with it, its components, its factors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

from kinesphere.models import Generator
from kinesphere.studio.directions import files
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.pca import component
from kinesphere.studio.directions.sefa import factor
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError

SHIPPED = ("portraits.directions.safetensors",)  # in kinesphere/builtin
OFFERED = 8  # components, and factors, that are offered unasked
OWN = re.compile(r"(pc|sefa)([1-9][0-9]{0,4})")


def shipped(told: Fingerprint) -> tuple[Direction, ...]:
    """Those that come with kinesphere for the model of this fingerprint, or for its relatives that share its W."""
    return tuple(one for one in _shipped() if one.model.shares_w(told))


def find(G: Generator, of: str, told: Fingerprint, class_index: int = 0, rows: str = "") -> Direction:
    """A direction by what a player calls it: "pc3" and "sefa2" are the model's own, "smile" may come with it, else it is a file.

    `rows` that are asked for beside it say of which layers a factor is. Raises KinesphereError where there is no such direction,
    with those that there are.
    """
    own = OWN.fullmatch(of)
    if own and int(own[2]) <= G.w_dim:
        if own[1] == "pc":
            return component(G, int(own[2]), class_index, told)
        return factor(G, int(own[2]), rows or "all", class_index, told)
    if own:
        raise KinesphereError(f"this model has {own[1]}1 to {own[1]}{G.w_dim}")
    come = {one.name: one for one in shipped(told)}
    if of in come:
        return come[of]
    if not files.is_file(of):
        names = ", ".join([*come, f"pc1 to pc{G.w_dim}", f"sefa1 to sefa{G.w_dim}"])
        raise KinesphereError(f"no direction {of[:64]!r} in this model: it has {names}; or name a file of one")
    return files.load(of, G.num_ws)


def offered(G: Generator, told: Fingerprint, class_index: int = 0) -> Iterator[Direction]:
    """What a model has at once, as it is opened: those that come with it, its widest components, its strongest factors."""
    yield from shipped(told)
    for find_own in (component, factor):
        for number in range(1, min(OFFERED, G.w_dim) + 1):
            yield find_own(G, number, class_index=class_index, told=told)


@lru_cache(1)
def _shipped() -> tuple[Direction, ...]:
    found: list[Direction] = []
    for name in SHIPPED:
        file = resources.files("kinesphere") / "builtin" / name
        if file.is_file():
            found += files.from_bytes(file.read_bytes())
    return tuple(found)
