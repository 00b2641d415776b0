"""What a run keeps on disk so that it can go on: the state, written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinesphere.types import KinesphereError

STATE = "state.safetensors"


def write_state(path: Path, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Replace the state at `path` at once, or leave it as it was. Raises KinesphereError where it cannot be written."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    kept = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    try:
        save_file(kept, unfinished, {"numbers": json.dumps(numbers)})
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except (OSError, SafetensorError) as error:
        raise KinesphereError(
            f"the state {path.name!r} cannot be written: {str(error)[:200]}; the one before it is still there, "
            "so make room and go on with --resume"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and numbers of a state. Raises KinesphereError where there is none or it is damaged."""
    if not path.is_file():
        raise KinesphereError(f"there is no {path.name!r} in {str(path.parent)!r}: no run was kept here; start one without --resume")
    try:
        with safe_open(path, framework="pt") as file:
            numbers = json.loads((file.metadata() or {})["numbers"])
            return {name: file.get_tensor(name) for name in file.keys()}, numbers
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise KinesphereError(
            f"the state {str(path)!r} is damaged ({str(error)[:120]}); start anew from a snapshot with --from"
        ) from None


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once. Raises KinesphereError where it cannot be written."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(json.dumps(value, indent=1, default=str) + "\n")
        os.replace(unfinished, path)
    except OSError as error:
        raise KinesphereError(f"{path.name!r} cannot be written: {error.strerror or error}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def thread_count(processes: int) -> int:
    """Threads for one of several processes on this machine, so that together they fill it once."""
    return max(1, torch.get_num_threads() // processes)
