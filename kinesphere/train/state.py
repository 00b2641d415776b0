"""What a run keeps on disk so that it can go on: the state, written whole or not at all."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinesphere import files
from kinesphere.types import KinesphereError

STATE, LOCK = "state.safetensors", ".lock"


def write_state(path: Path, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
    """Replace the state at `path` at once, or leave it as it was. Raises KinesphereError where it cannot be written."""
    kept = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    try:
        files.replace(path, lambda unfinished: save_file(kept, unfinished, {"numbers": json.dumps(dict(numbers))}))
    except (OSError, SafetensorError) as error:
        raise KinesphereError(
            f"the state {path.name!r} cannot be written: {files.reason(error)}; the one before it is still there, "
            "so make room and go on with --resume"
        ) from None


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and numbers of a state. Raises KinesphereError where there is none or it is damaged."""
    if not path.is_file():
        raise KinesphereError(
            f"there is no {path.name!r} in {str(path.parent)!r}: nothing was kept; start anew without --resume"
        )
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads((file.metadata() or {})["numbers"])
            return {name: file.get_tensor(name) for name in file.keys()}, numbers
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise KinesphereError(
            f"the state {str(path)!r} is damaged ({str(error)[:120]}); start anew, in another --out, from a snapshot with --from"
        ) from None


def not_finite(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> str:
    """The name of the first thing in a state that is NaN or infinite; "" where all is well."""
    for name, number in numbers.items():
        if not math.isfinite(number):
            return name
    floats = {name: value for name, value in tensors.items() if value.is_floating_point()}
    good = torch.stack([value.isfinite().all().cpu() for value in floats.values()])
    return "" if good.all() else next(name for name, fine in zip(floats, good.tolist(), strict=True) if not fine)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once. Raises KinesphereError where it cannot be written."""
    text = json.dumps(value, indent=1, default=str) + "\n"
    try:
        files.replace(path, lambda unfinished: unfinished.write_text(text))
    except OSError as error:
        raise KinesphereError(
            f"{path.name!r} cannot be written: {files.reason(error)}; make room, or choose another --out"
        ) from None


def sweep(folder: Path) -> None:
    """Take away what processes that were killed have left half written. Only for who holds the folder, see `Hold`."""
    for place in (folder, folder / "samples", folder / "snapshots"):
        for left in place.glob(".*.part"):
            if left.is_file():
                left.unlink(missing_ok=True)


class Hold:
    """A run's folder, held by one process until it lets go or is gone, however it went.

    Raises KinesphereError where another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = open(folder / LOCK, "w")
        except OSError as error:
            raise KinesphereError(f"the folder {str(folder)!r} cannot be written to: {files.reason(error)}") from None
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise KinesphereError(
                    f"a run is going on in {str(folder)!r} already: wait until it ends, or choose another --out"
                ) from None
            except OSError:  # some network disks have no locks
                pass

    def let_go(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
