"""What PyTorch files hold, read without PyTorch's loader: `torch.save` archives (zip), its older streams, and plain pickles.

Tensors come out as `TensorRef`, which looks into the file and copies only what is read. Layouts: torch/serialization.py,
and PKWARE's APPNOTE 6.3.10 for zip.
"""

from __future__ import annotations

import re
import struct
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere.checkpoints.checkpoint import BadCheckpoint
from kinesphere.checkpoints.pickles import Handler, Key, Machine, bad_call
from kinesphere.checkpoints.tree import Budget, Name, count, walk

MAGIC = 0x1950A86A20F9469CFC6C  # the first of the five pickles of an old stream
STREAM_VERSION = 1001
ZIP = b"PK\x03\x04"

FORMATS = {  # storage class: NumPy's name of the number format; bfloat16 has none and is read as its bits
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass(eq=False)
class Storage:
    """A run of numbers of one format. `data` may come later in the file than the tensors that look into it."""

    format: str  # a key of FORMATS
    numel: int
    data: memoryview | None = None

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(FORMATS[self.format])

    def fill(self, data: memoryview) -> None:
        """Raises BadCheckpoint unless there are exactly as many bytes as the numbers need."""
        if len(data) != self.numel * self.dtype.itemsize:
            raise BadCheckpoint(f"a storage claims {self.numel} numbers of {self.format} and holds {len(data)} bytes")
        self.data = data


@dataclass(eq=False)
class TensorRef:
    """A tensor of the file, [*shape], inside its storage; offset and stride count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def numel(self) -> int:
        return count(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * self.storage.dtype.itemsize

    def read(self) -> Tensor:
        """A copy [*shape] as float32, whatever the stored format. Numbers too large for it become infinite."""
        if self.storage.data is None:
            raise BadCheckpoint("a tensor's numbers are missing from the file")
        if self.numel == 0:
            raise BadCheckpoint("a tensor is empty")
        dtype = self.storage.dtype
        flat = np.frombuffer(self.storage.data, dtype)[self.offset :]
        steps = tuple(s * dtype.itemsize for s in self.stride)
        view = np.lib.stride_tricks.as_strided(flat, self.shape, steps, writeable=False)
        if self.storage.format == "BFloat16Storage":
            return torch.from_numpy((view.astype("<u4", order="C") << 16).view("<f4"))
        with np.errstate(over="ignore"):
            return torch.from_numpy(np.array(view, dtype=np.float32, order="C"))


# Calls that make tensors ----------------------------------------------------------------------------------------------


def _tensor(machine: Machine, args: tuple[Any, ...]) -> TensorRef:
    """Every number that the tensor addresses lies in its storage, and it has no more numbers than that."""
    match args:
        case (Storage() as storage, offset, tuple(shape), tuple(stride), *_) if type(offset) is int:
            machine.budget.spend("arrays")
            if len(shape) != len(stride):
                raise BadCheckpoint("a tensor has another number of strides than of dimensions")
            numel = count(shape)
            count(stride)
            last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True)) if numel else offset - 1
            if offset < 0 or last >= storage.numel or numel > storage.numel:
                raise BadCheckpoint(
                    f"a tensor claims {numel} numbers from {offset} to {last} of a storage that has {storage.numel}"
                )
            return TensorRef(storage, offset, shape, stride)
    raise bad_call("torch._utils._rebuild_tensor")


def _parameter(machine: Machine, args: tuple[Any, ...]) -> TensorRef:
    match args:
        case (TensorRef() as tensor, *_):
            return tensor
    raise bad_call("torch._utils._rebuild_parameter")


def _subclass(machine: Machine, args: tuple[Any, ...]) -> TensorRef:
    match args:
        case (Name("torch._utils", "_rebuild_tensor_v2" | "_rebuild_tensor"), Name(), tuple(inner), *_):
            return _tensor(machine, inner)
        case (Name("torch._utils", "_rebuild_parameter"), Name(), tuple(inner), *_):
            return _parameter(machine, inner)
    raise bad_call("torch._tensor._rebuild_from_type_v2")


def _inner_stream(machine: Machine, args: tuple[Any, ...]) -> Storage:
    match args:
        case (memoryview() as data,):
            value = read_stream(data, machine.budget, HANDLERS_INSIDE)
            if isinstance(value, Storage):
                return value
    raise bad_call("torch.storage._load_from_bytes")


def _device(machine: Machine, args: tuple[Any, ...]) -> None:
    return None  # where the trainer kept it


def _refused(machine: Machine, args: tuple[Any, ...]) -> Any:
    raise BadCheckpoint("it calls something that is only ever named; the file is damaged")


STORAGE_NAMES: dict[Key, Handler] = {("torch", name): _refused for name in FORMATS}
DTYPE_NAMES: dict[Key, Handler] = {
    ("torch", name): _refused
    for name in (
        "float16 half bfloat16 float32 float float64 double int8 uint8 int16 short int32 int int64 long bool".split()
    )
}
HANDLERS_INSIDE: dict[Key, Handler] = STORAGE_NAMES  # of a stream inside a pickle: one storage, nothing else
HANDLERS: dict[Key, Handler] = {
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _subclass,
    ("torch.nn.parameter", "Parameter"): _refused,
    ("torch", "Tensor"): _refused,
    ("torch", "device"): _device,
    **STORAGE_NAMES,
    **DTYPE_NAMES,
}
HANDLERS_OUTSIDE: dict[Key, Handler] = HANDLERS | {("torch.storage", "_load_from_bytes"): _inner_stream}


@dataclass
class Storages:
    """Answers the persistent ids of a torch file: ("storage", class, key, location, numel), old streams with a view at the end."""

    limit: int  # bytes of the file
    found: dict[str, Storage] = field(default_factory=dict)

    def __call__(self, pid: Any) -> Storage:
        match pid:
            case ("storage", Name("torch", kind), str(key), str(), numel, *view) if type(numel) is int:
                if kind not in FORMATS or view not in ([], [None]):
                    raise BadCheckpoint(
                        f"it stores tensors as {kind[:40]!r} or as views, which this loader does not read"
                    )
                storage = self.found.setdefault(key, Storage(kind, numel))
                if not 0 <= numel * storage.dtype.itemsize <= self.limit:
                    raise BadCheckpoint(f"a storage claims {numel} numbers in a file of {self.limit} bytes")
                if (storage.format, storage.numel) != (kind, numel):
                    raise BadCheckpoint("a storage is described in two ways; the file is damaged")
                return storage
        raise BadCheckpoint("a persistent id is no tensor storage; the file is damaged")


# Containers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contents:
    """Everything that a file says, as plain data, and what it was wrapped in: "zip", "stream" or "pickle"."""

    container: str
    value: Any


def read(data: memoryview) -> Contents:
    """The tree of a checkpoint file. It is finite, shallow and small beside its tensors, so that readers may recurse.

    Raises UnsafePickle when the file asks for code to be run, BadCheckpoint when it is damaged or claims what it does not hold.
    """
    budget = Budget.of(len(data))
    if data[:4] == ZIP:
        contents = Contents("zip", read_zip(data, budget))
    elif is_stream(data):
        contents = Contents("stream", read_stream(data, budget, HANDLERS))
    else:
        contents = Contents("pickle", Machine(data, budget, handlers=HANDLERS_OUTSIDE).run())
    walk(contents.value, budget)
    return contents


def is_stream(data: memoryview) -> bool:
    """Whether the first pickle is torch's magic number: protocol (and a frame), LONG1, length, number."""
    return b"\x8a\x0a" + MAGIC.to_bytes(10, "little") in bytes(data[:23])


def read_stream(data: memoryview, budget: Budget, handlers: dict[Key, Handler]) -> Any:
    """The old layout: five pickles (magic, version, system, object, keys), then each storage as a count and its bytes."""
    storages = Storages(len(data))
    at = 0
    parts = []
    for i in range(5):
        machine = Machine(data, budget, at, handlers, storages if i == 3 else None)
        parts.append(machine.run())
        at = machine.at
    magic, version, system, value, keys = parts
    if magic != MAGIC or version != STREAM_VERSION:
        raise BadCheckpoint("bytes that should be a PyTorch stream are none")
    if not isinstance(system, dict) or system.get("little_endian") is not True or sys.byteorder != "little":
        raise BadCheckpoint("it was written on a big-endian machine, or is read on one")
    if (
        not isinstance(keys, list)
        or not all(isinstance(k, str) for k in keys)
        or sorted(keys) != sorted(storages.found)
    ):
        raise BadCheckpoint("the list of its storages is not that of its tensors; the file is damaged")
    for key in keys:
        storage = storages.found[key]
        size = storage.numel * storage.dtype.itemsize
        if len(data) - at < 8 + size or struct.unpack_from("<q", data, at)[0] != storage.numel:
            raise BadCheckpoint(f"a storage of {storage.numel} numbers is cut off or has another length")
        storage.fill(data[at + 8 : at + 8 + size])
        at += 8 + size
    if at != len(data):
        raise BadCheckpoint(f"{len(data) - at} bytes follow after its end")
    return value


def read_zip(data: memoryview, budget: Budget) -> Any:
    """The layout since PyTorch 1.6: NAME/data.pkl and one entry NAME/data/KEY for each storage."""
    entries = zip_entries(data)
    pickles = [name for name in entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in entries):
        raise BadCheckpoint(
            "it is a TorchScript program, not weights; save the network's state_dict with torch.save instead"
        )
    if len(pickles) != 1:
        raise BadCheckpoint("it is a zip file, but not one of PyTorch's; unpack it and load what is inside")
    root = pickles[0].removesuffix("data.pkl")
    order = entries.get(f"{root}byteorder")
    if (order is not None and order != b"little") or sys.byteorder != "little":
        raise BadCheckpoint("it was written on a big-endian machine, or is read on one")
    storages = Storages(len(data))
    value = Machine(entries[pickles[0]], budget, 0, HANDLERS, storages).run()
    for key, storage in storages.found.items():
        entry = entries.get(f"{root}data/{key}")
        if entry is None:
            raise BadCheckpoint("a storage is missing from the archive; download or copy it again")
        storage.fill(entry)
    return value


# Offsets are those of the end record, its 64-bit forms and the directory entries of APPNOTE sections 4.3.12 to 4.3.16.
END, END64, LOCATOR64, DIRECTORY, LOCAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02", ZIP
MOST_ENTRIES = 100_000


def zip_entries(data: memoryview) -> dict[str, memoryview]:
    """Every entry by name, not copied. Raises BadCheckpoint for compressed or doubled entries and for sizes beyond the file."""
    number, at = zip_directory(data)
    entries: dict[str, memoryview] = {}
    for _ in range(number):
        if data[at : at + 4] != DIRECTORY or len(data) - at < 46:
            raise bad_zip()
        flags, method = struct.unpack_from("<HH", data, at + 8)
        packed, size, n_name, n_extra, n_comment = struct.unpack_from("<IIHHH", data, at + 20)
        (offset,) = struct.unpack_from("<I", data, at + 42)
        name = bytes(data[at + 46 : at + 46 + n_name]).decode("utf-8", "replace")
        extra = data[at + 46 + n_name : at + 46 + n_name + n_extra]
        size, packed, offset = zip64_sizes(extra, size, packed, offset)
        if method != 0 or packed != size or flags & 1:
            raise BadCheckpoint(
                "it is a compressed or encrypted zip file; PyTorch's are not: unpack it and load what is inside"
            )
        if name in entries:
            raise BadCheckpoint("it holds two entries of one name; the file is damaged or was made to deceive")
        entries[name] = zip_entry(data, offset, size)
        at += 46 + n_name + n_extra + n_comment
    if sum(len(entry) for entry in entries.values()) > len(data):
        raise BadCheckpoint("its entries overlap; the file was made to deceive")
    return entries


def bad_zip() -> BadCheckpoint:
    return BadCheckpoint("its list of contents is damaged or cut off; download or copy it again")


def zip_directory(data: memoryview) -> tuple[int, int]:
    """How many entries there are, and where their list begins."""
    tail = max(0, len(data) - 22 - 65535)
    end = tail + bytes(data[tail:]).rfind(END)
    if end < tail or len(data) - end < 22:
        raise bad_zip()
    number, size, start = struct.unpack_from("<HII", data, end + 10)
    if 0xFFFF == number or 0xFFFFFFFF in (size, start):
        if end < 20 or data[end - 20 : end - 16] != LOCATOR64:
            raise bad_zip()
        (end64,) = struct.unpack_from("<Q", data, end - 12)
        if end64 > end - 56 or data[end64 : end64 + 4] != END64:
            raise bad_zip()
        number, size, start = struct.unpack_from("<QQQ", data, end64 + 32)
    if number > MOST_ENTRIES or number * 46 > size or start + size > len(data):
        raise bad_zip()
    return number, start


def zip64_sizes(extra: memoryview, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes of 4 GB and more stand in an extra field (header 1), in this order and only where the short one is all ones."""
    values = [size, packed, offset]
    wanted = [i for i, value in enumerate(values) if value == 0xFFFFFFFF]
    at = 0
    while wanted and at + 4 <= len(extra):
        header, length = struct.unpack_from("<HH", extra, at)
        if header == 1:
            if length < 8 * len(wanted) or len(extra) - at - 4 < length:
                raise bad_zip()
            for i, value in zip(wanted, struct.unpack_from(f"<{len(wanted)}Q", extra, at + 4), strict=True):
                values[i] = value
            break
        at += 4 + length
    return values[0], values[1], values[2]


def zip_entry(data: memoryview, offset: int, size: int) -> memoryview:
    if len(data) - offset < 30 or data[offset : offset + 4] != LOCAL:
        raise bad_zip()
    n_name, n_extra = struct.unpack_from("<HH", data, offset + 26)
    start = offset + 30 + n_name + n_extra
    if size > len(data) - start:
        raise BadCheckpoint(f"an entry of {size} bytes is cut off; download or copy the file again")
    return data[start : start + size]
