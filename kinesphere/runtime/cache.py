"""What compilers made, kept on the disk of this user, and no more of it than is said here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs

LARGEST = 2 * 2**30  # bytes of one compiler's folder


def folder(compiler: str) -> Path | None:
    """Where a compiler keeps what it made; it is there afterwards. None: nothing can be kept here."""
    path = platformdirs.user_cache_path("kinesphere") / compiler
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def trim(path: Path, largest: int = LARGEST) -> None:
    """Delete the files of a folder that were not used for longest, until the rest is `largest` bytes or less."""
    used = sorted(((max(s.st_atime, s.st_mtime), s.st_size, file) for file, s in _files(path)), reverse=True)
    held = 0
    for _, size, file in used:
        held += size
        if held > largest:
            file.unlink(missing_ok=True)


def empty(path: Path, largest: int = LARGEST) -> None:
    """Delete everything in a folder whose files depend on each other, where that is more than `largest` bytes."""
    if sum(stat.st_size for _, stat in _files(path)) > largest:
        for part in path.iterdir():
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for file in path.rglob("*"):
        try:
            stat = file.lstat()
        except OSError:  # another program deletes here, too
            continue
        if not file.is_dir():
            yield file, stat
