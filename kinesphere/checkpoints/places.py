"""Where a checkpoint comes from: a built-in name, a file, or an address that was typed."""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import mmap
import os
import re
import stat
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import platformdirs

from kinesphere.checkpoints import foreign
from kinesphere.checkpoints.checkpoint import BadCheckpoint

LARGEST = 16 * 2**30  # bytes of a checkpoint; the largest known, with its optimizers, has under 3 GB
TIMEOUT = 30.0  # seconds without an answer
PIECE = 2**20  # bytes at a time

log = logging.getLogger(__name__)


def find(name: str | Path, builtin: Iterable[str]) -> Path:
    """The file that `name` means. Raises BadCheckpoint where there is none; the message lists the built-in names."""
    known = f"the built-in models are {', '.join(builtin)}"
    if isinstance(name, str) and re.match(r"https?://", name, re.IGNORECASE):
        return fetch(name)
    if is_address(name):
        raise BadCheckpoint(f"{str(name)[:80]!r} cannot be fetched: addresses begin with http:// or https://")
    try:
        path = Path(name).expanduser()
        mode = path.stat().st_mode
    except (OSError, ValueError, RuntimeError):  # absent, impossible, or in the home of a user who is not there
        raise BadCheckpoint(f"there is no file {str(name)!r}, and no such built-in model: {known}") from None
    if stat.S_ISDIR(mode):
        if snapshot := best_snapshot(path):
            return snapshot
        raise BadCheckpoint(f"{str(name)!r} is a folder: name a checkpoint file in it, or a built-in model: {known}")
    if not stat.S_ISREG(mode):
        raise BadCheckpoint(f"{str(name)!r} is no file that can be read twice: copy it to a file first")
    return path


def best_snapshot(run: Path) -> Path | None:
    """The snapshot of a training run's folder that is best by its metric, else the newest; None where there is none."""
    snapshots = sorted((run / "snapshots").glob("*.safetensors"))
    try:
        named = json.loads((run / "best.json").read_text())["snapshot"]
    except (OSError, ValueError, KeyError, TypeError):
        named = None
    return next((s for s in snapshots if s.name == named), snapshots[-1] if snapshots else None)


def is_address(name: str | Path) -> bool:
    return isinstance(name, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name) is not None


def mapped(path: Path) -> memoryview:
    """The bytes of a file, read from the disk as they are needed. Raises BadCheckpoint where that is impossible."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise BadCheckpoint(f"it has {size} bytes; {LARGEST} are the limit")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else memoryview(b"")
    except OSError as error:
        raise BadCheckpoint(f"it cannot be opened: {error.strerror}") from None


# Typed addresses ------------------------------------------------------------------------------------------------------


def shown(url: str) -> str:
    """An address without what may be secret in it: user, password and query."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "an address that is none"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def kept(url: str) -> Path:
    """Where the file of an address is kept."""
    return Path(platformdirs.user_cache_dir("kinesphere")) / "checkpoints" / hashlib.sha256(url.encode()).hexdigest()


def fetch(url: str) -> Path:
    """The file of a typed address: downloaded once, then kept. Raises BadCheckpoint when it cannot be had whole."""
    path = kept(url)
    if path.is_file():
        return path
    log.info("downloading %s", shown(url))
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with OPENER.open(urllib.request.Request(url, headers={"User-Agent": "kinesphere"}), timeout=TIMEOUT) as answer:
            received = receive(answer, unfinished)
        os.replace(unfinished, path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, BadCheckpoint):
            raise
        raise BadCheckpoint(f"{shown(url)} cannot be downloaded: {reason(error)}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    log.info("kept %s (%.1f MB)", shown(url), received / 1e6)
    return path


def reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error)[:200]


def receive(answer: Any, target: Path) -> int:
    """Write an answer into a file, piece by piece; the number of bytes. Raises BadCheckpoint for a page, or for too much."""
    length = answer.headers.get("Content-Length")
    announced = int(length) if length and length.isdigit() else None
    if announced is not None and announced > LARGEST:
        raise BadCheckpoint(f"{shown(answer.url)} has {announced} bytes; {LARGEST} are the limit")
    received = 0
    with target.open("wb") as file:
        while piece := answer.read(PIECE):
            if not received:
                refuse_page(piece, answer.url)
            tell_progress(received, received + len(piece), announced)
            received += len(piece)
            if received > LARGEST:
                raise BadCheckpoint(f"{shown(answer.url)} has more than {LARGEST} bytes, which is the limit")
            file.write(piece)
    if not received or (announced is not None and received != announced):
        raise BadCheckpoint(f"{shown(answer.url)} broke off after {received} bytes; try again")
    return received


def tell_progress(before: int, after: int, announced: int | None) -> None:
    """A line for every tenth of a download, or for every 100 MB where its size is not known."""
    part = max(1, announced // 10 if announced else 10**8)
    if after // part > before // part:
        log.info("%.0f MB%s", after / 1e6, f" of {announced / 1e6:.0f}" if announced else "")


def refuse_page(piece: bytes, url: str) -> None:
    """Nothing is kept that is plainly no checkpoint: a download page would stand in the way of the file for ever."""
    words = foreign.by_beginning(memoryview(piece))
    if words:
        raise BadCheckpoint(f"{shown(url)} is {words}")


class OnlyHttp(urllib.request.HTTPRedirectHandler):
    """Follows redirections to http and https alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not re.match(r"https?://", newurl, re.IGNORECASE):
            raise BadCheckpoint(f"{shown(req.full_url)} leads to an address that is not http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


OPENER = urllib.request.build_opener(OnlyHttp)
