"""The files of a training set or of a source of pictures, by name: in a zip or in a folder. Nothing is ever unpacked."""

from __future__ import annotations

import mmap
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, Protocol

from kinesphere.studio.squares import Unreadable
from kinesphere.types import KinesphereError

LARGEST = 2**29  # bytes of one file; a 100-megapixel TIFF has 300 MB
LOCAL = struct.Struct("<4s5H3I2H")  # a zip's local file header: APPNOTE.TXT 4.3.7
STORED, DEFLATED = 0, 8


class Store(Protocol):
    """Named files. May be shared by threads, survives a fork, and can be pickled."""

    path: Path
    names: list[str]  # every file, relative, with /, in a person's order
    refused: list[tuple[str, str]]  # what is not offered, and why

    def read(self, name: str, most: int = LARGEST) -> bytes:
        """The bytes of one file, or its first `most`. Raises Unreadable."""

    def fingerprint(self) -> list[Any]:
        """What changes when any of the files changes."""


def store(path: str | Path) -> Store:
    """The files in a zip or a folder. Raises KinesphereError for anything else."""
    place = Path(path).expanduser()
    if place.is_dir():
        return Folder(place)
    if not place.is_file():
        raise KinesphereError(f"there is no file or folder {str(path)!r}: check the path")
    return Zip(place)


def in_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts as a person would: 2.png before 10.png, and capital letters change nothing."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [(int(part), "") if part.isdecimal() and part.isascii() else (-1, part) for part in parts], name


class Folder:
    """A folder and its sub-folders. Links to files are followed, links to folders are not: they may lead in circles."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        self.refused: list[tuple[str, str]] = []
        for at, folders, files in os.walk(path):
            here = Path(at)
            for folder in [name for name in folders if (here / name).is_symlink()]:
                self.refused.append(((here / folder).relative_to(path).as_posix(), "a link to a folder: not followed"))
            self.names += [(here / file).relative_to(path).as_posix() for file in files]
        self.names.sort(key=in_order)

    def read(self, name: str, most: int = LARGEST) -> bytes:
        try:
            with open(self.path / name, "rb") as file:
                if os.fstat(file.fileno()).st_size > LARGEST:
                    raise Unreadable(f"too large a file: more than {LARGEST // 2**20} MB")
                return file.read(most)
        except FileNotFoundError:
            raise Unreadable("it has vanished") from None
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None

    def fingerprint(self) -> list[Any]:
        return [[name, *self._stamp(name)] for name in self.names]

    def _stamp(self, name: str) -> tuple[int, int]:
        try:
            stat = os.stat(self.path / name)
        except OSError:  # vanished: it is `read` that says so, should it be wanted
            return 0, 0
        return stat.st_size, stat.st_mtime_ns


class Zip:
    """A zip file, read through one map of its bytes, so that threads and forked processes do not disturb each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.refused: list[tuple[str, str]] = []
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._bytes: mmap.mmap | None = None
        try:
            with zipfile.ZipFile(path) as listing:
                entries = [entry for entry in listing.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error):
            raise KinesphereError(f"{path} is no zip file, or was cut short: copy it again") from None
        except OSError as error:
            raise KinesphereError(f"{path} cannot be opened: {error.strerror or error}") from None
        for entry in entries:
            reason = _objection(entry)
            if reason:
                self.refused.append((entry.filename, reason))
            else:
                self._entries[entry.filename.replace("\\", "/")] = entry
        self.names = sorted(self._entries, key=in_order)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_bytes": None}

    def read(self, name: str, most: int = LARGEST) -> bytes:
        entry = self._entries[name]
        packed = self._packed(entry)
        if entry.compress_type == STORED:
            data = packed[:most]
        else:
            data = _inflated(packed, min(most, entry.file_size + 1))
        if len(data) == entry.file_size and zlib.crc32(data) != entry.CRC:
            raise Unreadable("it is damaged: its checksum is not the one that the zip promises")
        if len(data) < min(most, entry.file_size) or len(data) > entry.file_size:
            raise Unreadable("it is damaged: its length is not the one that the zip promises")
        return data

    def fingerprint(self) -> list[Any]:
        stat = self.path.stat()
        return [stat.st_size, stat.st_mtime_ns]

    def _packed(self, entry: zipfile.ZipInfo) -> bytes:
        whole = self._mapped()
        header = whole[entry.header_offset : entry.header_offset + LOCAL.size]
        if len(header) < LOCAL.size or header[:4] != b"PK\3\4":
            raise Unreadable("it is damaged: the zip points to a place where it does not lie")
        start = entry.header_offset + LOCAL.size + sum(LOCAL.unpack(header)[-2:])
        return whole[start : start + entry.compress_size]

    def _mapped(self) -> mmap.mmap:
        if self._bytes is None:
            try:
                with self.path.open("rb") as file:
                    self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except (OSError, ValueError) as error:
                raise KinesphereError(f"{self.path} cannot be opened any more: {error}") from None
        return self._bytes


def _objection(entry: zipfile.ZipInfo) -> str:
    name = entry.filename.replace("\\", "/")  # some zips are made on Windows
    if ".." in name.split("/") or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "its name leads out of the zip"
    if entry.flag_bits & 1:
        return "it is locked with a password"
    if entry.compress_type not in (STORED, DEFLATED):
        return f"it is compressed in a rare way (method {entry.compress_type}): pack the zip anew"
    if max(entry.file_size, entry.compress_size) > LARGEST:
        return f"too large a file: more than {LARGEST // 2**20} MB"
    return ""


def _inflated(packed: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, most)
    except zlib.error:
        raise Unreadable("it is damaged: it cannot be decompressed") from None
