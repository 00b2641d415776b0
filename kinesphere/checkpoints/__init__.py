"""Checkpoints: from a file, an address or a name to networks that can be played. Nothing in a file is ever executed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from kinesphere.checkpoints import foreign, native, nvidia, places, rosinality, tensorflow, torchfile
from kinesphere.checkpoints.builtin import BUILTIN
from kinesphere.checkpoints.checkpoint import BadCheckpoint, Card, Checkpoint, UnsafePickle
from kinesphere.checkpoints.description import Described

FORMATS = (nvidia, tensorflow, rosinality)  # each recognises and describes what `torchfile` reads


def load(name: str | Path) -> Checkpoint:
    """The networks of a checkpoint: a file, an http(s) address that was typed, or a built-in name.

    Reads NVIDIA's snapshots (StyleGAN2-ADA and StyleGAN3 code, and their TensorFlow pickles from StyleGAN1 on), rosinality's
    checkpoints and our own .safetensors. Networks are float32, on the CPU, in eval mode, without gradients.
    Raises BadCheckpoint, whose message says what the file seems to be; UnsafePickle where it asks for code to be run.
    """
    if name in BUILTIN:
        return BUILTIN[str(name)]()
    with opened(name) as (path, data):
        return describe(path, data).checkpoint(sha256(data), len(data))


def inspect(name: str | Path) -> Card:
    """The card of a checkpoint: read from the file without copying its weights."""
    if name in BUILTIN:
        return BUILTIN[str(name)]().card
    with opened(name) as (path, data):
        return describe(path, data).card(sha256(data))


def save(checkpoint: Checkpoint, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write a .safetensors file: `dtype` torch.float32, or torch.float16 for half the size (in memory it is float32 again).

    Raises KinesphereError where it cannot be written; the file that was there before then stays.
    """
    native.write(checkpoint, Path(path).expanduser(), dtype)


def convert(source: str | Path, target: str | Path, dtype: torch.dtype = torch.float32) -> Card:
    """Load a checkpoint of any format and save it as .safetensors; its card."""
    checkpoint = load(source)
    save(checkpoint, target, dtype)
    return checkpoint.card


def describe(path: Path, data: memoryview) -> Described:
    """What a file says its networks are."""
    if native.recognise(data):
        return native.describe(path)
    if words := foreign.by_beginning(data):
        raise BadCheckpoint(f"this is {words}")
    contents = torchfile.read(data)
    for form in FORMATS:
        if form.recognise(contents):
            return form.describe(contents)
    raise BadCheckpoint(f"this is {foreign.by_contents(contents)}")


@contextmanager
def opened(name: str | Path) -> Iterator[tuple[Path, memoryview]]:
    """A checkpoint file and its bytes. Errors are given its name; a download that proves to be none is not kept."""
    path = places.find(name, BUILTIN)
    try:
        yield path, places.mapped(path)
    except BadCheckpoint as error:
        if places.is_address(name):
            path.unlink(missing_ok=True)
        kind = UnsafePickle if isinstance(error, UnsafePickle) else BadCheckpoint
        raise kind(f"{label(name)}: {error}") from None


def sha256(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def label(name: str | Path) -> str:
    return places.shown(str(name)) if places.is_address(name) else str(name)


__all__ = ["BUILTIN", "BadCheckpoint", "Card", "Checkpoint", "UnsafePickle", "convert", "inspect", "load", "save"]
