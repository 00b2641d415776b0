"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Put a file in the place of another at once, on the disk before it has its name. Whatever goes wrong, `path` stays whole.

    `write` writes the file that it is given, which lies beside `path` until it is done. It ends with the rights that the user's
    umask gives to new files, whatever `write` thinks of them (safetensors hides its files from everyone else).
    Raises OSError, and what `write` raises.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.touch()
        mode = unfinished.stat().st_mode
        write(unfinished)
        unfinished.chmod(mode)
        with open(unfinished, "rb") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Why something could not be written, without a path."""
    return (getattr(error, "strerror", None) or str(error))[:200]
