"""Arrays that other tools keep in .npy, .npz and .pt files, read without running anything that is in the file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from kinesphere import files
from kinesphere.checkpoints import BadCheckpoint, places, torchfile
from kinesphere.checkpoints.torchfile import TensorRef
from kinesphere.checkpoints.tree import ArrayRef
from kinesphere.checkpoints.tree import count as counted
from kinesphere.types import KinesphereError

SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".pkl")
MOST = 2**28  # numbers of one file: a gigabyte
SPECIAL = "biuf"  # kinds of NumPy's number formats that are numbers


def read(path: Path) -> dict[str, Tensor]:
    """Every array of a file by its name there ("" where it is the only one and has none), float32 on the CPU.

    Of nested data, the names are joined by dots: "face.png.latent". Raises KinesphereError, naming the file, for what is none of
    these, is damaged, asks for code to be run, holds no numbers or claims more than it holds.
    """
    try:
        found = _read(path)
    except BadCheckpoint as error:
        raise type(error)(f"{path.name}: {error}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise KinesphereError(f"{path.name} cannot be read: {files.reason(error)}") from None
    if not found:
        raise KinesphereError(f"{path.name} holds no array of numbers")
    return found


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".npy":
        with path.open("rb") as file:
            return {"": _array(file, path.stat().st_size)}
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            return dict(_entries(archive))
    if path.suffix in SUFFIXES:
        value = torchfile.read(places.mapped(path)).value
        found = dict(_leaves(value, ""))
        if sum(tensor.numel() for tensor in found.values()) > MOST:
            raise BadCheckpoint(f"it holds more than {MOST} numbers")
        return found
    raise KinesphereError(f"{path.name} is no file of latents: give one of .safetensors, {', '.join(SUFFIXES)}")


def _entries(archive: zipfile.ZipFile) -> Iterator[tuple[str, Tensor]]:
    left = MOST
    for entry in archive.infolist():
        if not entry.filename.endswith(".npy"):
            continue
        with archive.open(entry) as file:
            array = _array(file, entry.file_size, left)  # type: ignore[arg-type]
        left -= array.numel()
        yield entry.filename.removesuffix(".npy"), array


def _array(file: BinaryIO, size: int, left: int = MOST) -> Tensor:
    """One .npy file: its header, which says how many numbers follow, and no more than these."""
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"its version {version} is not known")
    shape, fortran, dtype = readers[version](file)
    count = counted(shape)
    if dtype.kind not in SPECIAL:
        raise ValueError(f"it holds {dtype}, not numbers; objects are never read, as they may run code")
    if count > left or count * dtype.itemsize > size:
        raise ValueError(f"it claims {count} numbers of {dtype} in {size} bytes")
    data = np.frombuffer(io.BytesIO(file.read(count * dtype.itemsize)).getbuffer(), dtype)
    if len(data) != count:
        raise ValueError("it is cut off")
    return torch.from_numpy(np.array(data.reshape(shape, order="F" if fortran else "C"), np.float32, order="C"))


def _leaves(thing: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """The arrays of a finished tree, which is finite and shallow."""
    if isinstance(thing, TensorRef) and thing.numel:
        yield name, thing.read()
    elif isinstance(thing, ArrayRef) and counted(thing.shape) and thing.numpy().dtype.kind in SPECIAL:
        yield name, torch.from_numpy(thing.numpy().astype(np.float32))
    elif isinstance(thing, dict | list | tuple):
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for key, inner in items:
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
