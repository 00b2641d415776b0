"""The pictures that a network learns from, with their labels, and the order in which they come."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinesphere import files
from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio import squares
from kinesphere.train.stores import Store, Unreadable, store
from kinesphere.types import KinesphereError

LABELS = "dataset.json"  # {"labels": [[name, class or vector], ...] or null}, and keys of our own beside it
LARGEST_LABELS = 2**28  # bytes of it; a million labels have 40 MB
LARGEST_TABLE = 2**30  # labels × classes
MODES = {"L": 1, "RGB": 3, "RGBA": 4}  # Pillow's, and how many channels they have
PNG = struct.Struct(">8s4x4s2I2B")  # signature, the first chunk's name, width, height, depth, colour type: PNG, 11.2.1
COLOUR_TYPES = {(8, 0): 1, (8, 2): 3, (8, 6): 4}
PIECE = 512  # pictures that are decoded before they are written to the cache
BLOCK = 4096  # positions whose mirrors are drawn together

log = logging.getLogger(__name__)


class TrainingSet:
    """Square pictures of one size in a zip or a folder, as NVIDIA's `dataset_tool.py` lays them out, read when asked for.

    `labels` is [N, c_dim] float32 or None: a class number becomes one-hot, a list of numbers stays what it is. `names`
    are sorted as NVIDIA's reader sorts them. May be shared by threads, forked and pickled.
    """

    def __init__(self, files: Store, size: int | None = None) -> None:
        self.path = files.path
        self._files = files
        self.names = sorted(name for name in files.names if is_picture(name))
        if not self.names:
            raise KinesphereError(f"there is no picture in {self.path}: make a training set with `kinesphere dataset`")
        self.stored, self.channels = _uniform_shape(files, self.names)  # pixels on each side in the file, and channels
        self.resolution = self.stored if size is None else squares.Square(size).size
        if self.resolution > self.stored:
            raise KinesphereError(
                f"size {size} is larger than the pictures in {self.path}, which have {self.stored} px: "
                f"choose {self.stored} or less, or make a larger set with `kinesphere dataset`"
            )
        notes = read_notes(files)
        self.class_names = class_names(notes)
        self.labels = _labels(notes, self.names, len(self.class_names), self.path)
        self.made = notes.get("kinesphere")  # how `import_set` made it; None for a set that others made
        self._cache: Path | None = None
        self._pictures: np.ndarray | None = None

    @property
    def c_dim(self) -> int:
        return 0 if self.labels is None else self.labels.shape[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of each picture."""
        return self.channels, self.resolution, self.resolution

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<TrainingSet {self.path}: {len(self)} pictures {self.shape}, c_dim {self.c_dim}>"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | ({"_pictures": None} if self._cache else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self._cache:
            self._pictures = _kept(self._cache, (len(self), *self.shape))

    def read(self, index: int) -> np.ndarray:
        """[C, H, W] uint8, the caller's own. Raises KinesphereError, naming the file, where it is damaged or has vanished."""
        if self._pictures is not None:
            return np.array(self._pictures[index])
        name = self.names[index]
        try:
            return self._decoded(self._files.read(name))
        except Unreadable as error:
            raise KinesphereError(f"picture {name} of {self.path} cannot be read: {error}") from None

    def batch(
        self, indices: Sequence[int] | np.ndarray, mirror: Sequence[bool] | np.ndarray | None = None
    ) -> np.ndarray:
        """[B, C, H, W] uint8 in the order of `indices`; those whose `mirror` is true have left and right exchanged."""
        indices = np.asarray(indices, np.int64)
        if self._pictures is not None:
            pictures = np.asarray(self._pictures)[indices]
        else:
            pictures = np.stack([self.read(int(index)) for index in indices])
        if mirror is not None:
            turned = np.asarray(mirror, bool)
            pictures[turned] = pictures[turned][..., ::-1]
        return pictures

    def label(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """[B, c_dim] float32; c_dim is 0 where the set has no labels."""
        indices = np.asarray(indices, np.int64)
        return np.zeros((len(indices), 0), np.float32) if self.labels is None else self.labels[indices]

    def cached(self, max_bytes: int = 2**31) -> TrainingSet:
        """This set with all its pictures decoded, where they have at most `max_bytes`; otherwise as it is.

        They lie in a file beside the set, which every process that trains on it shares; in memory where none can be
        written. The file is made anew when the set has changed. Raises KinesphereError for the first damaged picture.
        """
        shape = (len(self), *self.shape)
        if self._pictures is not None or math.prod(shape) > max_bytes:
            return self
        place = self._cache_place()
        self._pictures = _kept(place, shape)
        if self._pictures is None:
            try:
                self._pictures = self._decode_into(place, shape)
            except OSError as error:
                log.warning("no cache beside %s (%s): its pictures are kept in memory", self.path, error.strerror)
                self._pictures = np.concatenate(list(self._pieces()))
                return self
        self._cache = place
        return self

    def _decoded(self, data: bytes) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "BMP")) as image:
                image.load()
                loaded = image.copy()
        except Exception as error:  # a decoder that meets a damaged file may raise anything at all
            raise Unreadable(f"it is damaged: {str(error)[:120]}") from None
        if loaded.size != (self.stored, self.stored) or MODES.get(loaded.mode) != self.channels:
            raise Unreadable(f"it is {loaded.width} × {loaded.height} px {loaded.mode}, unlike the others")
        pixels = np.asarray(squares.resized(loaded, (self.resolution, self.resolution)))
        return np.ascontiguousarray(pixels.reshape(self.resolution, self.resolution, self.channels).transpose(2, 0, 1))

    def _pieces(self) -> Iterator[np.ndarray]:
        """All pictures, [n, C, H, W] at a time."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(self), PIECE):
                yield np.stack(list(pool.map(self.read, range(start, min(start + PIECE, len(self))))))

    def _cache_place(self) -> Path:
        facts = [self._files.fingerprint(), self.resolution]
        key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:8]
        return self.path.with_name(f"{self.path.name}.{self.resolution}px.{key}.npy")

    def _decode_into(self, place: Path, shape: tuple[int, ...]) -> np.ndarray:
        """Written under a name of its own, then renamed: two processes that start together do not meet."""

        def write(unfinished: Path) -> None:
            with unfinished.open("wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for piece in self._pieces():
                    file.write(piece.tobytes())
            for stale in place.parent.glob(f"{_literal(self.path.name)}.{self.resolution}px.????????.npy"):
                stale.unlink(missing_ok=True)

        files.replace(place, write)
        return np.load(place, mmap_mode="r")


def open_set(path: str | Path, size: int | None = None) -> TrainingSet:
    """The training set in a zip or folder of square pictures, all of one size; `size` reduces them while reading.

    The head of every picture is looked at, so that a wrong one is found now and not in the night. Raises
    KinesphereError for what is no such set; `importing.import_set` makes one from anything.
    """
    return TrainingSet(store(path), size)


def is_picture(name: str) -> bool:
    """Whether a file is called as a picture is, and not hidden."""
    parts = name.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and Path(parts[-1]).suffix.lower() in SUFFIXES


# The order ------------------------------------------------------------------------------------------------------------


def order(n: int, seed: int, start: int, count: int) -> np.ndarray:
    """Which of `n` pictures come at the positions `start` ... `start + count - 1` of an endless shuffled row; [count] int64.

    A pure function: position p lies in epoch p // n, which shows each picture once in an order drawn from (seed, epoch).
    So a run that is resumed needs to know how far it was, and nothing else.
    """
    if n < 1:
        raise KinesphereError("a training set without pictures has no order: it needs one at least")
    positions = np.arange(start, start + count, dtype=np.int64)
    epochs, places = positions // n, positions % n
    chosen = np.empty(count, np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        chosen[here] = _shuffled(n, seed, int(epoch))[places[here]]
    return chosen


def shown(data: TrainingSet, seed: int) -> Callable[[int, int], Tensor]:
    """From a step and a number n to that step's n pictures, [n, C, H, W] in [-1, 1], in `order`."""
    held = data.cached()

    def pictures(step: int, n: int) -> Tensor:
        return torch.from_numpy(held.batch(order(len(held), seed, step * n, n))) / 127.5 - 1

    return pictures


def mirrored(seed: int, start: int, count: int) -> np.ndarray:
    """Whether the pictures at these positions of the row are mirrored, each with probability 1/2; [count] bool.

    A pure function of (seed, position). A picture is mirrored anew in each epoch.
    """
    first, last = start // BLOCK, (start + max(count, 1) - 1) // BLOCK
    blocks = [_random(seed, block, 1).randint(0, 2, BLOCK).astype(bool) for block in range(first, last + 1)]
    return np.concatenate(blocks)[start - first * BLOCK :][:count]


@lru_cache(maxsize=4)
def _shuffled(n: int, seed: int, epoch: int) -> np.ndarray:
    shuffled = _random(seed, epoch, 0).permutation(n).astype(np.int64)
    shuffled.flags.writeable = False
    return shuffled


def _random(seed: int, number: int, purpose: int) -> np.random.RandomState:
    """RandomState, because NumPy promises that its numbers never change from release to release (NEP 19)."""
    if not 0 <= seed < 2**32:
        raise KinesphereError(f"seed {seed!r} is out of range: 0 to {2**32 - 1}")
    return np.random.RandomState([seed, number, purpose])


# What the files say ---------------------------------------------------------------------------------------------------


def read_notes(files: Store) -> dict[str, Any]:
    """What `dataset.json` holds; {} where there is none. Raises KinesphereError where it is not what it should be."""
    if LABELS not in files.names:
        return {}
    place = f"{LABELS} of {files.path}"
    try:
        data = files.read(LABELS, LARGEST_LABELS + 1)
        if len(data) > LARGEST_LABELS:
            raise Unreadable(f"it is larger than {LARGEST_LABELS // 2**20} MB")
        notes = json.loads(data)
    except Unreadable as error:
        raise KinesphereError(f"{place} cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        raise KinesphereError(f"{place} is no JSON: {str(error)[:120]}") from None
    if not isinstance(notes, dict):
        raise KinesphereError(f'{place} holds no object: it is {{"labels": [[name, class], ...]}}')
    return notes


def label_table(notes: dict[str, Any], path: Path) -> dict[str, int | list[float]] | None:
    """Name -> class number, or vector, from the notes of a set; None where they have no labels. Raises KinesphereError."""
    pairs = notes.get("labels")
    if pairs is None:
        return None
    if not isinstance(pairs, list):
        raise KinesphereError(f'"labels" in {LABELS} of {path} is no list: it is [[name, class], ...] or null')
    table: dict[str, int | list[float]] = {}
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and _is_label(pair[1])):
            raise KinesphereError(
                f"label {str(pair)[:80]} in {LABELS} of {path} is none: it is [name, class number from 0] "
                "or [name, list of numbers]"
            )
        table[pair[0].replace("\\", "/")] = pair[1]
    kinds = Counter(len(label) if isinstance(label, list) else -1 for label in table.values())
    if len(kinds) > 1:
        raise KinesphereError(
            f"the labels in {LABELS} of {path} differ in kind: all are classes, or vectors of one length"
        )
    return table or None


def _is_label(label: Any) -> bool:
    if isinstance(label, list):
        return bool(label) and all(type(x) in (int, float) and abs(x) < 1e30 for x in label)  # so no NaN either
    return type(label) is int and label >= 0


def _labels(notes: dict[str, Any], names: list[str], classes: int, path: Path) -> np.ndarray | None:
    table = label_table(notes, path)
    if table is None:
        return None
    missing = [name for name in names if name not in table]
    if missing:
        raise KinesphereError(
            f"{len(missing)} of the {len(names)} pictures in {path} have no label in {LABELS}, such as {missing[0]}: "
            "make the set anew with `kinesphere dataset`"
        )
    rows = [table[name] for name in names]
    if isinstance(rows[0], list):
        return np.array(rows, np.float32)
    c_dim = max(classes, 1 + max(rows))  # type: ignore[operator]
    if c_dim * len(rows) > LARGEST_TABLE:
        raise KinesphereError(f"class {c_dim - 1} in {LABELS} of {path} is beyond measure: classes count 0, 1, 2 ...")
    labels = np.zeros((len(rows), c_dim), np.float32)
    labels[np.arange(len(rows)), np.array(rows, np.int64)] = 1
    return labels


def class_names(notes: dict[str, Any]) -> list[str]:
    """The names of the classes 0, 1 ... in the notes of a set; [] where they have none. A key that only we write."""
    names = notes.get("class_names")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _uniform_shape(files: Store, names: list[str]) -> tuple[int, int]:
    """(pixels on each side, channels) of all the pictures, from their heads. Raises KinesphereError where they differ."""
    first: tuple[int, int, int] | None = None
    for name in names:
        try:
            shape = _shape(files, name)
        except Unreadable as error:
            raise KinesphereError(f"picture {name} of {files.path} cannot be read: {error}") from None
        first = first or shape
        if shape != first or shape[0] != shape[1]:
            expected = "square" if shape == first else f"all like {names[0]}, {_shown(first)}"
            raise KinesphereError(
                f"picture {name} of {files.path} is {_shown(shape)}; those of a training set are {expected}: "
                "make one with `kinesphere dataset`"
            )
    assert first is not None
    return first[0], first[2]


def _shape(files: Store, name: str) -> tuple[int, int, int]:
    """(width, height, channels) from the head of a picture."""
    head = files.read(name, PNG.size)
    if len(head) == PNG.size and head.startswith(b"\x89PNG\r\n\x1a\n"):
        _, _, width, height, depth, colours = PNG.unpack(head)
        channels = COLOUR_TYPES.get((depth, colours))
        what = f"a PNG of {depth} bits and colour type {colours}"
    else:
        try:
            with Image.open(io.BytesIO(files.read(name)), formats=("JPEG", "WEBP", "BMP")) as image:
                (width, height), channels, what = image.size, MODES.get(image.mode), f"of mode {image.mode}"
        except Exception:  # a decoder that meets a damaged file may raise anything at all
            raise Unreadable("not a picture of a training set: those are PNG (or JPEG, WebP, BMP)") from None
    if channels is None:
        raise Unreadable(f"it is {what}, not 8-bit grey, RGB or RGBA: import it with `kinesphere dataset`")
    return width, height, channels


def _shown(shape: tuple[int, int, int]) -> str:
    return f"{shape[0]} × {shape[1]} px with {shape[2]} channel{'s' * (shape[2] > 1)}"


def _kept(place: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The decoded pictures in a cache file; None where there is none, or not of this shape."""
    try:
        pictures = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pictures if pictures.shape == shape and pictures.dtype == np.uint8 else None


def _literal(name: str) -> str:
    """`name` in a glob pattern, meaning itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
