"""What a file says once it is read: a tree of plain data, and what reading it may cost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinesphere.checkpoints.checkpoint import BadCheckpoint

MEGABYTE = 2**20
DEEPEST = 64  # levels of containers inside containers
MOST_DIMENSIONS = 8  # of an array or a tensor
IN_WORDS = {
    "copied": "more copying",
    "opcodes": "more instructions",
    "memo": "more memory of its own objects",
    "containers": "more containers",
    "arrays": "more arrays",
    "objects": "more objects",
}


@dataclass
class Budget:
    """What one file may cost, whatever it claims. Shared by all pickles inside it."""

    copied: int  # bytes that calls may copy
    opcodes: int = 2_000_000
    memo: int = 400_000
    containers: int = 200_000
    arrays: int = 100_000
    objects: int = 500_000  # seen on a walk through the finished tree, shared ones as often as they are met

    @classmethod
    def of(cls, size: int) -> Budget:
        """For a file of `size` bytes."""
        return cls(copied=2 * size + 64 * MEGABYTE)

    def spend(self, what: str, amount: int = 1) -> None:
        """Raises BadCheckpoint when `what` (a field) is used up."""
        left = getattr(self, what) - amount
        if left < 0:
            raise BadCheckpoint(
                f"it needs {IN_WORDS[what]} than any checkpoint does; it was made to exhaust this machine"
            )
        setattr(self, what, left)


@dataclass(frozen=True)
class Name:
    """A global of the file, as two words. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class SourceText:
    """Program text that was in the file: dropped unread, only its measure kept."""

    length: int  # characters
    sha256: str

    @classmethod
    def measure(cls, text: str | memoryview) -> SourceText:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        return cls(len(text), hashlib.sha256(data).hexdigest())


@dataclass(eq=False)
class Node:
    """An object of the file as data: what class it was, and its attributes.

    `kind` is "persistent" (a module written by NVIDIA's PyTorch code), "network" (their TensorFlow code), "namespace" (argparse),
    "module" (torch.nn) or "foreign" (a class this loader does not know; carried along, never used).
    """

    kind: str
    name: Name
    class_name: str
    state: dict[Any, Any] = field(default_factory=dict)
    source: SourceText | None = None


@dataclass(eq=False)
class DType:
    """A NumPy number format: a letter of "biuf", a size in bytes and an order "<" or ">"."""

    kind: str
    size: int
    order: str = "<"

    def numpy(self) -> np.dtype:
        return np.dtype(f"{self.order}{self.kind}{self.size}")


@dataclass(eq=False)
class ArrayRef:
    """A NumPy array of the file; `data` looks into the file, nothing is copied before `read`."""

    shape: tuple[int, ...] = (0,)
    dtype: DType = field(default_factory=lambda: DType("f", 4))
    fortran: bool = False
    data: memoryview = field(default_factory=lambda: memoryview(b""))

    def numpy(self) -> np.ndarray:
        """A copy in the stored number format, [*shape], C order."""
        flat = np.frombuffer(self.data, self.dtype.numpy()) if len(self.data) else np.zeros(0, self.dtype.numpy())
        return np.array(flat.reshape(self.shape, order="F" if self.fortran else "C"), order="C")


def walk(tree: Any, budget: Budget) -> None:
    """Meet everything in a finished tree once per way that leads to it.

    After this, whoever reads the tree may recurse and unfold shared parts: it is finite, shallow and small.
    Raises BadCheckpoint for trees deeper than 64 levels, that contain themselves, or that unfold beyond the budget.
    """
    todo = [(tree, 0)]
    while todo:
        thing, depth = todo.pop()
        if depth > DEEPEST:
            raise BadCheckpoint(f"its data are nested more than {DEEPEST} levels deep, or contain themselves")
        inside = children(thing)
        budget.spend("objects", len(inside))  # before they are queued: a list may hold itself a million times
        todo += [(child, depth + 1) for child in inside]


def children(thing: Any) -> list[Any]:
    """What a container of the tree holds: values of dictionaries, items of lists, tuples and sets, attributes of nodes."""
    if isinstance(thing, Node):
        return [thing.state]
    if isinstance(thing, dict):
        return list(thing.values())
    return list(thing) if isinstance(thing, (list, tuple, set, frozenset)) else []


def count(shape: tuple[Any, ...]) -> int:
    """How many numbers a shape has. Raises BadCheckpoint unless it is a few non-negative integers."""
    if len(shape) > MOST_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise BadCheckpoint("an array has an impossible shape")
    total = 1
    for n in shape:
        total *= n
    return total
