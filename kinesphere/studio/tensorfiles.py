"""What is kept in a .safetensors file: written whole, and read without running anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parsed
from torch import Tensor

from kinesphere import files
from kinesphere.types import KinesphereError


def write(path: Path | str, contents: Callable[[], bytes]) -> Path:
    """Write a .safetensors file, whole or not at all. Raises KinesphereError where it cannot be written, or is called otherwise."""
    path = Path(path).expanduser()
    if path.suffix != ".safetensors":
        raise KinesphereError(f"{path.name!r} must end in .safetensors")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, lambda unfinished: unfinished.write_bytes(contents()))
    except OSError as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None
    return path


def unpacked(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file's contents, and its metadata. Raises KinesphereError for what is damaged."""
    try:
        tensors = parsed(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, RecursionError) as error:
        raise damaged(error) from None
    return tensors, header.get("__metadata__", {})


def damaged(error: Exception) -> KinesphereError:
    """What a reader met, in words."""
    return KinesphereError(f"it is damaged or cut off ({str(error)[:120]})")
