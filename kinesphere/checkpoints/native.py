"""Our own checkpoints: .safetensors files with the architecture as JSON in the header; in half precision half the size.

Header metadata: {"kinesphere": "1", "card": {...}, "networks": {"G_ema": {"kind", "family", "config"}, ...}}; tensors are called
"G_ema.mapping.fc0.weight" and so on. A header is a stranger's data too: it is checked like any other format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinesphere import files
from kinesphere.checkpoints.checkpoint import BadCheckpoint, Checkpoint
from kinesphere.checkpoints.description import Described, Description
from kinesphere.checkpoints.rules import shown
from kinesphere.checkpoints.stored import Stored
from kinesphere.models import DISCRIMINATORS, FAMILIES
from kinesphere.types import KinesphereError

VERSION = "1"
NETWORKS = ("G_ema", "G", "D")
BYTES = {"F32": 4, "F16": 2, "BF16": 2}  # per number, of the formats that are read
LARGEST_HEADER = 100 * 2**20  # bytes; the limit of the safetensors library
MOST_JSON = 2**20  # characters of architecture; a real one has a few thousand
HALVED = (
    "weight",
    "noise_const",
    "const",
)  # the others (biases, filters, averages, frequencies) weigh nothing and matter


@dataclass(eq=False)
class Slice:
    """A tensor of a safetensors file."""

    file: Any
    name: str
    shape: tuple[int, ...]
    nbytes: int

    def read(self) -> Tensor:
        return self.file.get_tensor(self.name).to(torch.float32, copy=True)


def recognise(data: memoryview) -> bool:
    """Whether the file begins like safetensors: the length of a header within the file, and a brace."""
    length = int.from_bytes(data[:8], "little")
    return len(data) > 9 and data[8] == ord("{") and length <= min(len(data), LARGEST_HEADER)


def describe(path: Path) -> Described:
    """Raises BadCheckpoint for files of another maker, of a later version, or with a header that does not fit its tensors."""
    try:
        file = safe_open(path, framework="pt")
        names = list(file.keys())
        metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(f"its header is damaged or it is cut off ({str(error)[:120]})") from None
    check_version(metadata, names)
    card = parsed(metadata, "card")
    networks = parsed(metadata, "networks")
    if "G_ema" not in networks:
        raise BadCheckpoint("its header names no generator G_ema; the file is damaged")
    described = Described(text(card.get("origin")) or "unknown", {}, notes_of(card), strict=True)
    for name in NETWORKS:
        if name in networks:
            described.networks[name] = network(
                name, networks[name], {n: slice_of(file, n) for n in names if n.startswith(f"{name}.")}
            )
    if strays := [n for n in names if n.split(".")[0] not in described.networks]:
        raise BadCheckpoint(f"it holds {len(strays)} tensors that belong to no network, first {strays[0][:80]!r}")
    return described


def check_version(metadata: dict[str, str], names: list[str]) -> None:
    version = metadata.get("kinesphere")
    if version is None:
        first = names[0][:80] if names else "none"
        raise BadCheckpoint(
            f"it is a safetensors file of another program (its first tensor is {first!r}); convert the original instead"
        )
    if version != VERSION:
        raise BadCheckpoint(
            f"it was written by a later kinesphere (format {version[:20]!r}, this one reads {VERSION!r}); update kinesphere"
        )


def parsed(metadata: dict[str, str], key: str) -> dict[str, Any]:
    """One JSON object of the metadata. Raises BadCheckpoint for anything else, and for unreasonably long or deep ones."""
    try:
        written = metadata[key]
        if len(written) > MOST_JSON:
            raise BadCheckpoint(f"its header says {len(written)} characters about {key}; {MOST_JSON} are the limit")
        value = json.loads(written)
    except (KeyError, ValueError, RecursionError) as error:
        if isinstance(error, BadCheckpoint):
            raise
        raise BadCheckpoint(f"its header has no readable {key!r}; the file is damaged") from None
    if not isinstance(value, dict):
        raise BadCheckpoint(f"its header has no readable {key!r}; the file is damaged")
    return value


def notes_of(card: dict[str, Any]) -> list[str]:
    notes = card.get("notes")
    found = [text(note) for note in notes[:20]] if isinstance(notes, list) else []
    source = text(card.get("sha256"))
    if source and not any(note.startswith(CONVERTED) for note in found):
        found.append(f"{CONVERTED}{source[:64]}")
    return [note for note in found if note]


CONVERTED = "converted from a file with SHA-256 "


def text(value: Any) -> str:
    """A stranger's words, safe to print: one line, no control characters, not long."""
    return "".join(c for c in value[:300] if c.isprintable()) if isinstance(value, str) else ""


def network(name: str, said: Any, tensors: dict[str, Stored]) -> Description:
    match said:
        case {"kind": "generator" | "discriminator" as kind, "family": str(family), "config": dict(config)}:
            if (kind == "discriminator") == (name == "D"):
                return Description(kind, family, config, {n.removeprefix(f"{name}."): t for n, t in tensors.items()})
    raise BadCheckpoint(f"its header does not say what {name} is; the file is damaged")


def slice_of(file: Any, name: str) -> Stored:
    found = file.get_slice(name)
    shape, kind = tuple(found.get_shape()), found.get_dtype()
    if kind not in BYTES:
        raise BadCheckpoint(f"its tensor {name[:80]!r} is stored as {shown(kind)}; {', '.join(BYTES)} are read")
    size = BYTES[kind]
    for n in shape:
        size *= n
    return Slice(file, name, shape, size)


# Writing --------------------------------------------------------------------------------------------------------------


def write(checkpoint: Checkpoint, path: Path, dtype: torch.dtype) -> None:
    """Replace `path` at once, or leave it as it was. Raises KinesphereError where it cannot be written."""
    if path.suffix != ".safetensors":
        raise KinesphereError(f"{path.name!r} must end in .safetensors, the only format that kinesphere writes")
    if dtype not in (torch.float32, torch.float16):
        raise KinesphereError(f"weights cannot be stored as {dtype}: choose torch.float32 or torch.float16")
    if not path.parent.is_dir():
        raise KinesphereError(f"there is no folder {str(path.parent)!r} to write {path.name!r} into: make it first")
    tensors = {
        f"{name}.{key}": stored(value, dtype if key.split(".")[-1] in HALVED else torch.float32)
        for name, model in checkpoint.networks().items()
        for key, value in model.state_dict().items()
    }
    unshare(tensors)
    try:
        files.replace(path, lambda unfinished: save_file(tensors, unfinished, header(checkpoint)))
    except (OSError, SafetensorError) as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None


def stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    """On the CPU; in single precision where half could not hold the numbers."""
    value = value.detach().to("cpu", torch.float32)
    fits = bool(value.abs().max() <= torch.finfo(dtype).max)
    return value.to(dtype if fits else torch.float32).contiguous()


def unshare(tensors: dict[str, Tensor]) -> None:
    """Copy what two networks have in common: the format gives every tensor its own place."""
    seen = set()
    for key, value in tensors.items():
        at = value.untyped_storage().data_ptr()
        tensors[key] = value.clone() if at in seen else value
        seen.add(at)


def header(checkpoint: Checkpoint) -> dict[str, str]:
    networks = {name: described(model) for name, model in checkpoint.networks().items()}
    return {
        "kinesphere": VERSION,
        "card": json.dumps(checkpoint.card.asdict()),
        "networks": json.dumps(networks),
    }


def described(model: Any) -> dict[str, Any]:
    for kind, known in (("generator", FAMILIES), ("discriminator", DISCRIMINATORS)):
        if any(isinstance(model, cls) for cls in known.values()):
            return {"kind": kind, "family": model.family, "config": model.config}
    raise KinesphereError(f"a {type(model).__name__} cannot be saved: the families are {', '.join(FAMILIES)}")
