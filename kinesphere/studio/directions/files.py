"""Directions in files: one small file for one or many, and what people share."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save as serialised
from torch import Tensor

from kinesphere import files
from kinesphere.studio import arrays, tensorfiles
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError

VERSION = "1"
ENDING = ".safetensors"
SUFFIXES = (ENDING, *arrays.SUFFIXES)
LARGEST = 2**28  # bytes
TALLEST = 26  # rows of the tallest W+ there is, of 1024 px and more: an array of more rows is many directions of W
MOST = 4096  # directions of one file
LONGEST = 2**22  # characters of what a file says about itself
FARTHEST = 1e30  # of any number in it: sixty sigmas of that are a float32 yet
PLACE = re.compile(rf"(?P<file>.*?(?:{'|'.join(map(re.escape, SUFFIXES))}))#(?P<name>.*)", re.DOTALL)


def load(place: str | Path, num_ws: int | None = None) -> Direction:
    """The direction in a file; of several the one named after a #: "people.safetensors#smile", or by number "ganspace.npz#3".

    Raises KinesphereError as `read`, and where it is not said which of several.
    """
    file, name = parted(str(place))
    path = Path(file)
    return picked(read(path, num_ws), path.name, name)


def is_file(of: str) -> bool:
    """Whether what a player calls a direction means a file."""
    return any(suffix in of for suffix in SUFFIXES)


def parted(of: str) -> tuple[str, str]:
    """A file as a player calls it, and the name after a # ("": none is said). A # that is in the file's own name is left there."""
    said = PLACE.fullmatch(of)
    return (said["file"], said["name"]) if said else (of, "")


def picked(found: Sequence[Direction], file: str, name: str) -> Direction:
    """Of the directions of a file the one of this name, or of this number, from 1; where there is but one, "" is that.

    Raises KinesphereError where there is none such, and where it is not said which of several.
    """
    if not name and len(found) == 1:
        return found[0]
    named = next((one for one in found if one.name == name), None)
    if named is None and name.isdecimal() and 1 <= int(name) <= len(found):
        named = found[int(name) - 1]
    if named is None:
        names = ", ".join(one.name for one in found[:12]) + (", ..." if len(found) > 12 else "")
        asked = f"there is no direction {name[:64]!r}" if name else "it holds several"
        raise KinesphereError(f"{file}: {asked}: say which, as {file}#{found[0].name}, of {names}")
    return named


def read(path: str | Path, num_ws: int | None = None) -> list[Direction]:
    """Every direction of a file that `write` wrote, or another tool; nothing in it is run.

    Of other tools: .npy, .npz, .pt, .pth or .pkl with vectors of W [D] or [1, D], of W+ [rows, D] (rows that are all alike are one
    vector of W), many of W [N, D] where N is more than rows can be, or is not `num_ws` where that is given; InterFaceGAN's
    boundaries; GANSpace's .npz, whose deviations are taken over. Raises KinesphereError, naming the file, for anything else.
    """
    path = _there(path)
    if path.suffix not in SUFFIXES:
        raise KinesphereError(f"{path.name} is no file of directions: give one of {', '.join(SUFFIXES)}")
    try:
        if path.suffix != ENDING:
            found = list(_others(path, num_ws))
        elif path.stat().st_size > LARGEST:
            raise KinesphereError(f"it has {path.stat().st_size} bytes, more than any directions")
        else:
            found = from_bytes(path.read_bytes())
    except OSError as error:
        raise KinesphereError(f"{path.name} cannot be read: {files.reason(error)}") from None
    except KinesphereError as error:
        said = str(error)
        raise type(error)(said if said.startswith(path.name) else f"{path.name}: {said}") from None
    if not found:
        raise KinesphereError(f"{path.name} holds no direction: needed are vectors [D], [1, D] or [rows, D]")
    return found


def _there(path: str | Path) -> Path:
    try:
        there = Path(path).expanduser()
        found = there.is_file()
    except (OSError, RuntimeError):  # a name of 5000 characters, the folder of a user that there is not
        raise KinesphereError(f"{str(path)[:64]!r} can be the name of no file") from None
    if not found:
        raise KinesphereError(f"there is no file {str(there)!r}")
    return there


def write(path: str | Path, directions: Sequence[Direction]) -> Path:
    """Write directions, whole or not at all: .safetensors with all that is known of them, .npy the bare vector of one alone.

    Raises KinesphereError where it cannot be written, for two of one name, and for several in a .npy.
    """
    path = Path(path).expanduser()
    if path.suffix != ".npy":
        return tensorfiles.write(path, lambda: to_bytes(directions))
    if len(directions) != 1:
        raise KinesphereError(f"{path.name!r} can hold one direction, not {len(directions)}: give a {ENDING}")
    vector = directions[0].vector.numpy()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, lambda unfinished: _save_array(unfinished, vector))
    except OSError as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None
    return path


def to_bytes(directions: Sequence[Direction]) -> bytes:
    """The contents of a .safetensors file. Raises KinesphereError for two of one name."""
    names = [one.name or str(i + 1) for i, one in enumerate(directions)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise KinesphereError(f"two directions are called {twice!r}: give each its own name")
    tensors = {f"direction.{i}": one.vector.contiguous().clone() for i, one in enumerate(directions)}
    about = [_said(one, name) for one, name in zip(directions, names, strict=True)]
    return serialised(tensors, {"kinesphere_directions": VERSION, "about": json.dumps(about)})


def from_bytes(data: bytes) -> list[Direction]:
    """What `to_bytes` gave. Raises KinesphereError for anything else."""
    tensors, said = tensorfiles.unpacked(data)
    if "kinesphere_directions" not in said:
        raise KinesphereError("it holds no directions that kinesphere wrote")
    if said["kinesphere_directions"] != VERSION:
        raise KinesphereError("it was written by a later kinesphere: update this one")
    try:
        about = json.loads(said["about"]) if len(said.get("about", "")) < LONGEST else None
    except (KeyError, ValueError, RecursionError):
        about = None
    if not isinstance(about, list) or len(about) > MOST or len(about) != len(tensors):
        raise KinesphereError(DAMAGED)
    try:
        return [_known(tensors[f"direction.{i}"].float(), one) for i, one in enumerate(about)]
    except KeyError:
        raise KinesphereError(DAMAGED) from None


DAMAGED = "what it says about its directions is damaged"


def _said(one: Direction, name: str) -> dict[str, Any]:
    return {
        "name": name, "space": one.space, "rows": one.rows, "sigma": one.sigma, "found": dict(one.found),
        "examples": dict(one.examples), "model": {"whole": one.model.whole, "mapping": one.model.mapping},
    }  # fmt: skip


def _known(vector: Tensor, said: Any) -> Direction:
    match said:
        case {
            "name": str(name),
            "space": str(space),
            "rows": str(rows),
            "sigma": int() | float() | None as sigma,
            "found": dict(found),
            "examples": dict(examples),
            "model": {"whole": str(whole), "mapping": str(mapping)},
        } if _numbers_fit([sigma, found, examples]):
            return Direction(vector, space, name, rows, sigma, Fingerprint(whole, mapping), found, examples)
    raise KinesphereError(DAMAGED)


def _numbers_fit(said: Any) -> bool:
    """Whether every number in plain JSON is one that can be reckoned with: none is infinite, and an int may be larger than that."""
    parts = [said]
    for part in parts:  # which grows
        if isinstance(part, dict | list):
            parts += part.values() if isinstance(part, dict) else part
        elif isinstance(part, int | float) and not -FARTHEST <= part <= FARTHEST:  # as is what is no number
            return False
    return True


def _save_array(path: Path, vector: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, vector)


# Of other tools ---------------------------------------------------------------------------------------------------------


def _others(path: Path, num_ws: int | None) -> Iterator[Direction]:
    found = arrays.read(path)
    if "lat_comp" in found:
        yield from _ganspace(path, found)
        return
    for name, array in found.items():
        said = name.rsplit(".", 1)[-1] if len(found) > 1 else path.stem
        yield from _of_array(array, said, path, num_ws)


def _of_array(array: Tensor, name: str, path: Path, num_ws: int | None) -> Iterator[Direction]:
    while array.ndim > 1 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (1, 2) or array.shape[-1] < 2:
        return
    space = "z" if name == "z" or path.stem.endswith(("_z", "-z")) else "w"
    told = {"file": path.name}
    if array.ndim == 1:
        yield Direction(array.clone(), space, name, found=told)
    elif bool((array == array[:1]).all()):
        yield Direction(array[0].clone(), space, name, found=told)
    elif len(array) == num_ws or (num_ws is None and len(array) <= TALLEST):
        yield Direction(array.clone(), "w+", name, found=told)
    else:
        for i, row in enumerate(array[:MOST]):
            yield Direction(row.clone(), space, f"{name} {i + 1}", found=told)


def _ganspace(path: Path, found: dict[str, Tensor]) -> Iterator[Direction]:
    """Components of W with the deviations of natural latents along them, as GANSpace keeps them."""
    components = found["lat_comp"].flatten(1)
    sigmas, shares = found.get("lat_stdev"), found.get("var_ratio")
    for i, vector in enumerate(components[:MOST]):
        told: dict[str, Any] = {"by": "ganspace", "component": i + 1, "file": path.name}
        share = float(shares.flatten()[i]) if shares is not None and shares.numel() == len(components) else math.nan
        if math.isfinite(share):
            told["share"] = share
        sigma = float(sigmas.flatten()[i]) if sigmas is not None and sigmas.numel() == len(components) else None
        yield Direction(vector.clone(), "w", f"pc{i + 1}", sigma=sigma or None, found=told)
