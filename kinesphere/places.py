"""Latents that were kept, as an instrument goes to them: where each is, and what it puts in place of the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.bends import Bending, Operation
from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.patch import Place
from kinesphere.studio.blending import cross_fade, layer_rows, row_of
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

MOST_READ = 32  # files whose latents are kept in memory: one with noise for 1024 pixels has 11 MB


@dataclass(frozen=True, eq=False)
class Kept:
    """A latent that has met the model which plays it."""

    read: Latent  # as it was in its file
    latent: Latent  # the same on the model's device
    ws: Tensor | None  # [1, num_ws, w_dim]; None: it is of styles, which come in place of those that rows become

    @classmethod
    def of(cls, G: Generator, file: str, known: Kept | None = None) -> Kept:
        """What a file holds. `known`: what it held before; where it still does, or is gone since, that goes on.

        Raises KinesphereError for what is no latent, or not of `G`.
        """
        if known is not None and (not path_of(file).exists() or read(file) is known.read):
            return known
        found = read(file)
        told = check(G, found)
        there = _moved(found, G.w_avg.device)
        return cls(found, there, None if found.space == "s" else there.ws(G, told))


class Way(NamedTuple):
    """How far the picture goes to a kept latent."""

    kept: Kept
    rows: slice  # that go there
    amount: float  # above 0, up to 1


def read(file: str) -> Latent:
    """The latent in a file, which is read once for as long as nobody writes to it. Raises KinesphereError as `Latent.load`."""
    path = path_of(file)
    try:
        now = path.stat()
    except OSError:
        return Latent.load(path)  # which says why it cannot
    return _read(path, now.st_mtime_ns, now.st_size)


def path_of(file: str) -> Path:
    """Where a file is that a patch names: from the folder that the program was started in, as the files of sources are."""
    return Path(file).expanduser().absolute()


@lru_cache(MOST_READ)
def _read(path: Path, changed: int, size: int) -> Latent:
    return Latent.load(path)


_known: WeakKeyDictionary[Generator, Fingerprint] = WeakKeyDictionary()


def fingerprint(G: Generator) -> Fingerprint:
    """Which model an instrument plays, which is computed once."""
    return _known[G] if G in _known else _known.setdefault(G, Fingerprint.of(G))


def check(G: Generator, there: Latent) -> Fingerprint | None:
    """Raise KinesphereError where a latent, or what it puts there, is not of `G`. The model's fingerprint, where it was needed."""
    told = fingerprint(G) if there.model.whole else None
    there.check(G, told)
    there.bending(G)
    return told


def _moved(there: Latent, device: torch.device) -> Latent:
    noise = {name: value.to(device) for name, value in there.noise.items()}
    tuning = {name: (up.to(device), down.to(device)) for name, (up, down) in there.tuning.items()}
    return replace(there, data=there.data.to(device), noise=noise, tuning=tuning)


def lacking(G: Generator, place: Place) -> str:
    """Why a model cannot go to a kept latent, with the way out; "" where it can."""
    try:
        reached(G, place.rows)
        check(G, read(place.file))
    except KinesphereError as error:
        return str(error)
    return ""


def reached(G: Generator, rows: str) -> slice:
    """The rows of `ws` that go to a place; "all" are all that a picture is made of. Raises KinesphereError as `rows_of`."""
    return slice(0, G.num_ws) if rows == "all" else rows_of(G, rows)


def along(ws: Tensor, ways: Sequence[Way]) -> Tensor:
    """`ws` [1, num_ws, w_dim] after all ways, one after the other: at the amount 1 it is that latent's, bit for bit."""
    for kept, rows, amount in ways:
        if kept.ws is not None:
            ws = latent.mix(ws, kept.ws, rows, amount)
    return ws


def bending(G: Generator, ways: Sequence[Way]) -> Bending:
    """The noise maps, weights and styles of latents, as far as the picture goes to each, in the order of the ways.

    What one puts in place of the model's own gives way to the next: at the amount 1 nothing of those before is left.
    """
    rows = layer_rows(G)
    put = [kept.latent.bending(G) for kept, _, _ in ways]
    bent: dict[str, Operation] = {}
    for place in dict.fromkeys(place for own in put for place in own):
        row = row_of(rows, place)
        steps = [
            (own.get(place), amount)
            for own, (_, reach, amount) in zip(put, ways, strict=True)
            if reach.start <= row < reach.stop
        ]
        if any(operation for operation, _ in steps):
            bent[place] = partial(_gone, place.endswith(".noise_const"), steps)
    return bent


def _gone(noise: bool, steps: Sequence[tuple[Operation | None, float]], own: Tensor) -> Tensor:
    """A tensor after each step: `None` is back to the model's own. Noise keeps its strength on the way, at an even pace."""
    x = own
    for operation, amount in steps:
        there = own if operation is None else operation(own)
        if there is not x:
            x = (
                cross_fade(x, there, float(latent.ease(amount, "sine_in_out")))
                if noise
                else torch.lerp(x, there, amount)
            )
    return x
