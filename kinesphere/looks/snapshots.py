"""Snapshots: looks that a player kept, each with a name and a small picture, in a folder that outlives the program."""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere import files
from kinesphere.looks.morphing import checked
from kinesphere.types import KinesphereError

MOST = 500  # snapshots in one folder
LONGEST_NAME = 80
LARGEST_FILE = 1_000_000  # bytes of a JSON that is one of ours
THUMBNAIL = 256  # pixels of the longer side
QUALITY = 85
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Snapshot:
    """A look that was kept."""

    id: str
    name: str
    look: dict[str, Any]
    made: int  # the how-manyth it was
    chosen: int = 0  # above 0: it was called the safe look, and of several the last to be so is


class Snapshots:
    """The snapshots of a folder, each one JSON and one JPEG, which are written whole or not at all.

    What is damaged is left out and told in `damaged`, from file name to reason. Every method that writes raises KinesphereError
    where the disk does not let it; then the snapshots are as they were.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.damaged: dict[str, str] = {}
        self._kept: dict[str, Snapshot] = {}
        found = [self._read(path) for path in sorted(self.folder.glob("*.json")) if _ID.fullmatch(path.stem)]
        for snapshot in sorted((s for s in found if s is not None), key=lambda s: (s.made, s.id)):
            self._kept[snapshot.id] = snapshot

    def all(self) -> list[Snapshot]:
        """In the order in which they were made."""
        return list(self._kept.values())

    def add(self, look: Mapping[str, Any], name: str = "", picture: np.ndarray | bytes | None = None) -> str:
        """Keep a look; returns its id. `picture`: [H, W, 3] uint8 RGB of any size, or a JPEG, kept as it is; None: without."""
        if len(self._kept) >= MOST:
            raise KinesphereError(f"there are {MOST} snapshots already: forget one first")
        made = max((s.made for s in self._kept.values()), default=0) + 1
        while (id := secrets.token_hex(6)) in self._kept:
            pass
        snapshot = Snapshot(id, _clean(name) or f"Look {made}", copy.deepcopy(dict(look)), made)
        thumbnail = _jpeg(picture) if isinstance(picture, np.ndarray) else picture
        if thumbnail:
            self._write(self._picture(id), thumbnail)
        self._keep(snapshot)
        return id

    def look(self, id: str) -> dict[str, Any]:
        """Raises KinesphereError where there is no such snapshot."""
        return copy.deepcopy(self._known(id).look)

    def name(self, id: str) -> str:
        """Raises KinesphereError where there is no such snapshot."""
        return self._known(id).name

    def pictured(self, id: str) -> bool:
        """Whether a look has a picture: one that was kept before the first frame has none."""
        return self._picture(self._known(id).id).is_file()

    def thumbnail(self, id: str) -> bytes:
        """A JPEG. Raises KinesphereError where there is none."""
        try:
            return self._picture(self._known(id).id).read_bytes()
        except OSError as error:
            raise KinesphereError(
                f"the snapshot {self._known(id).name!r} has no picture: {files.reason(error)}"
            ) from None

    def rename(self, id: str, name: str) -> None:
        if not _clean(name):
            raise KinesphereError("a snapshot needs a name: write one letter or more")
        self._keep(replace(self._known(id), name=_clean(name)))

    def forget(self, id: str) -> None:
        path = self._path(self._known(id).id)
        try:
            path.unlink(missing_ok=True)
            self._picture(id).unlink(missing_ok=True)
        except OSError as error:
            raise KinesphereError(f"the snapshot cannot be forgotten: {files.reason(error)}") from None
        del self._kept[id]

    @property
    def safe(self) -> str | None:
        """The id of the safe look; None: none was chosen, or it was forgotten."""
        chosen = max(self._kept.values(), key=lambda s: s.chosen, default=None)
        return chosen.id if chosen is not None and chosen.chosen else None

    def set_safe(self, id: str) -> None:
        """Make this the look to go back to when all goes wrong."""
        before = [snapshot for snapshot in self._kept.values() if snapshot.chosen and snapshot.id != id]
        self._keep(replace(self._known(id), chosen=max((s.chosen for s in before), default=0) + 1))
        for snapshot in before:
            self._keep(replace(snapshot, chosen=0))

    def _known(self, id: Any) -> Snapshot:
        if not isinstance(id, str) or id not in self._kept:
            raise KinesphereError(f"there is no snapshot {str(id)[:40]!r}: it may have been forgotten")
        return self._kept[id]

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}.json"

    def _picture(self, id: str) -> Path:
        return self.folder / f"{id}.jpg"

    def _keep(self, snapshot: Snapshot) -> None:
        table = {"name": snapshot.name, "made": snapshot.made, "safe": snapshot.chosen, "look": snapshot.look}
        self._write(self._path(snapshot.id), json.dumps(table, indent=1).encode())
        self._kept[snapshot.id] = snapshot

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.replace(path, lambda unfinished: unfinished.write_bytes(data))
        except OSError as error:
            raise KinesphereError(f"the snapshot cannot be kept in {self.folder}: {files.reason(error)}") from None

    def _read(self, path: Path) -> Snapshot | None:
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise KinesphereError("it is too large")
            table = json.loads(path.read_text(encoding="utf-8"))
            name, made, safe = (table[key] for key in ("name", "made", "safe"))
            if not (isinstance(name, str) and _whole(made) and _whole(safe)):
                raise KinesphereError("its name or its numbers are not what they should be")
            return Snapshot(path.stem, _clean(name), checked(table["look"]), made, safe)
        except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:  # a KinesphereError is a ValueError
            self.damaged[path.name] = str(error).replace("\n", " ")[:300] or type(error).__name__
            return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


def _clean(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name[: 4 * LONGEST_NAME]).strip()[:LONGEST_NAME]


def _jpeg(picture: np.ndarray) -> bytes:
    """A picture [H, W, 3] uint8 RGB as a JPEG of at most THUMBNAIL pixels."""
    import cv2

    height, width = picture.shape[:2]
    scale = THUMBNAIL / max(height, width)
    if scale < 1:
        to = (max(round(width * scale), 1), max(round(height * scale), 1))
        picture = cv2.resize(picture, to, interpolation=cv2.INTER_AREA)
    flags = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)
    return data.tobytes()
