"""What a pickle says, as plain data: its instructions are followed by hand, and nothing that it names is ever imported or called.

The standard unpickler is not used, not even with a filter: its C code can be made to overflow the stack by hashing a nested
key, and to reserve terabytes by a length that is not there. This machine knows the instructions that checkpoints of
pickle protocols 2 to 5 are made of, turns every global into an inert `Name`, and answers calls from a table of its own.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from kinesphere.checkpoints.checkpoint import BadCheckpoint, UnsafePickle
from kinesphere.checkpoints.tree import MEGABYTE, ArrayRef, Budget, DType, Name, Node, SourceText, count

LONGEST_TEXT = 4 * MEGABYTE  # bytes; the longest source text of a known checkpoint has 40,302
LONGEST_INTEGER = 64  # bytes; torch's magic number has 10
WIDEST_KEY = 8  # items of a tuple used as a dictionary key
LONGEST_KEY = 1000  # characters

Key: TypeAlias = tuple[str, str]  # module and name of a global


# What calls mean ------------------------------------------------------------------------------------------------------

Handler: TypeAlias = Callable[["Machine", tuple[Any, ...]], Any]


def bad_call(name: Name | str) -> BadCheckpoint:
    return BadCheckpoint(f"it calls {name} with arguments that make no sense; the file is damaged")


def _dict(machine: Machine, args: tuple[Any, ...]) -> dict[Any, Any]:
    match args:
        case ():
            return {}
        case ([*pairs],):
            machine.budget.spend("objects", len(pairs))
            made: dict[Any, Any] = {}
            for pair in pairs:
                if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                    raise bad_call("a dictionary")
                made[key_of(pair[0])] = pair[1]
            return made
    raise bad_call("a dictionary")


def _default_dict(machine: Machine, args: tuple[Any, ...]) -> dict[Any, Any]:
    return {}  # its default is a call, which nobody here makes


def _set(machine: Machine, args: tuple[Any, ...]) -> set[Any]:
    match args:
        case ():
            return set()
        case ([*items],):
            machine.budget.spend("copied", 100 * len(items))
            return {key_of(item) for item in items}
    raise bad_call("set")


def _frozenset(machine: Machine, args: tuple[Any, ...]) -> frozenset[Any]:
    return frozenset(_set(machine, args))


def _tuple(machine: Machine, args: tuple[Any, ...]) -> tuple[Any, ...]:
    match args:
        case ():
            return ()
        case ([*items],):
            machine.budget.spend("copied", 8 * len(items))
            return tuple(items)
    raise bad_call("torch.Size")


def _encode(machine: Machine, args: tuple[Any, ...]) -> memoryview:
    match args:
        case (str(text), "latin1" | "latin-1"):
            machine.budget.spend("copied", len(text))
            return memoryview(latin1(text))
    raise bad_call("_codecs.encode")


def _bytes(machine: Machine, args: tuple[Any, ...]) -> memoryview:
    match args:
        case ():  # how protocol 2 writes no bytes at all
            return memoryview(b"")
    raise bad_call("bytes")


def latin1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise BadCheckpoint("bytes written as text contain letters that are no bytes; the file is damaged") from None


def _dtype(machine: Machine, args: tuple[Any, ...]) -> DType:
    match args:
        case (str(code), *_):
            found = re.fullmatch(r"[<>|=]?([biuf])([1248])", code)
            if found and (found[1], found[2]) not in {("b", "2"), ("b", "4"), ("b", "8"), ("f", "1")}:
                return DType(found[1], int(found[2]), ">" if code[0] == ">" else "<")
            raise BadCheckpoint(f"it holds an array of {code[:20]!r}; only plain numbers are read")
    raise bad_call("numpy.dtype")


def _scalar(machine: Machine, args: tuple[Any, ...]) -> bool | int | float:
    match args:
        case (DType() as dtype, memoryview() | str() as data):
            raw = latin1(data) if isinstance(data, str) else bytes(data[:8])
            if len(data) == dtype.size:
                return np.frombuffer(raw, dtype.numpy())[0].item()
    raise bad_call("numpy scalar")


def _empty_array(machine: Machine, args: tuple[Any, ...]) -> ArrayRef:
    match args:
        case (Name("numpy", "ndarray"), *_):
            machine.budget.spend("arrays")
            return ArrayRef()
    raise bad_call("numpy._reconstruct")


def _array_from_buffer(machine: Machine, args: tuple[Any, ...]) -> ArrayRef:
    match args:
        case (memoryview() as data, DType() as dtype, tuple(shape), "C" | "F" as order):
            machine.budget.spend("arrays")
            array = ArrayRef()
            fill_array(machine, array, (1, shape, dtype, order == "F", data))
            return array
    raise bad_call("numpy._frombuffer")


def fill_array(machine: Machine, array: ArrayRef, state: Any) -> None:
    """The state that NumPy stores for an array: (version, shape, dtype, is_fortran, bytes)."""
    match state:
        case (int(), tuple(shape), DType() as dtype, bool() | int() as fortran, memoryview() | str() as data):
            if isinstance(data, str):  # a short string of Python 2
                machine.budget.spend("copied", len(data))
                data = memoryview(latin1(data))
            if count(shape) * dtype.size != len(data):
                raise BadCheckpoint(f"an array claims {count(shape)} numbers and holds {len(data)} bytes")
            array.shape, array.dtype, array.fortran, array.data = shape, dtype, bool(fortran), data
            return
    raise bad_call("numpy.ndarray")


def fill_dtype(dtype: DType, state: Any) -> None:
    """The state that NumPy stores for a number format: (version, order, no subarray, no names, no fields, ...)."""
    match state:
        case (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
            dtype.order = ">" if order == ">" else "<"
            return
    raise BadCheckpoint("it holds an array of structures; only plain numbers are read")


def _namespace(machine: Machine, args: tuple[Any, ...]) -> Node:
    return Node("namespace", Name("argparse", "Namespace"), "Namespace")


def _persistent(machine: Machine, args: tuple[Any, ...]) -> Node:
    """A module as NVIDIA's PyTorch code stores it: class name, attributes, and the text of a program, which is dropped."""
    name = Name("torch_utils.persistence", "_reconstruct_persistent_obj")
    match args:
        case ({"class_name": str(class_name), "module_src": str(source), "state": dict(state)},):
            machine.budget.spend("copied", len(source))
            return Node("persistent", name, class_name[:80], state, machine.measure(source))
    raise bad_call(name)


def _network(machine: Machine, args: tuple[Any, ...]) -> Node:
    return Node("network", Name("dnnlib.tflib.network", "Network"), "Network")


def _path(machine: Machine, args: tuple[Any, ...]) -> Node:
    return Node("foreign", Name("pathlib", "Path"), "Path")  # on the trainer's machine: not kept


def numpy_names() -> dict[Key, Handler]:
    """NumPy's own names, which moved in NumPy 2."""
    made: dict[Key, Handler] = {("numpy", "dtype"): _dtype}
    for package in ("numpy.core", "numpy._core"):
        made[f"{package}.multiarray", "scalar"] = _scalar
        made[f"{package}.multiarray", "_reconstruct"] = _empty_array
        made[f"{package}.numeric", "_frombuffer"] = _array_from_buffer
    return made


HANDLERS: dict[Key, Handler] = {
    ("collections", "OrderedDict"): _dict,
    ("collections", "defaultdict"): _default_dict,
    ("dnnlib.util", "EasyDict"): _dict,
    ("dnnlib", "EasyDict"): _dict,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,
    ("builtins", "frozenset"): _frozenset,
    ("__builtin__", "frozenset"): _frozenset,
    ("torch", "Size"): _tuple,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("argparse", "Namespace"): _namespace,
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent,
    ("dnnlib.tflib.network", "Network"): _network,
    **{("pathlib", kind): _path for kind in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")},
    **numpy_names(),
}

INERT: frozenset[Key] = frozenset(  # may be named, never called
    {("numpy", "ndarray")}
    | {(m, n) for m in ("builtins", "__builtin__") for n in ("dict", "list", "int", "float", "str")}
)
NO_CLASSES_OF = sys.stdlib_module_names | {  # packages whose classes do things when they are made
    "__builtin__", "__main__", "cPickle", "commands", "copy_reg", "dill", "cloudpickle", "joblib", "numpy", "torch",
}  # fmt: skip


def place(name: Name) -> str:
    """Where a global that no handler knows belongs: "inert", "module" (torch.nn), "foreign" or "refused".

    A foreign name looks like a class of somebody's package. Nothing of it is run either; it is let pass so that a snapshot
    with a foreign discriminator can still give its generator.
    """
    identifiers = re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", name.module, re.ASCII)
    is_class = identifiers and re.fullmatch(r"_?[A-Z]\w*", name.name, re.ASCII)
    if (name.module, name.name) in INERT:
        return "inert"
    if name.module.startswith("torch.nn.modules.") and is_class:
        return "module"
    return "foreign" if is_class and name.module.split(".")[0] not in NO_CLASSES_OF else "refused"


def key_of(thing: Any) -> Any:
    """A dictionary key that is safe to hash: a scalar or a short flat tuple of scalars."""
    if isinstance(thing, tuple) and len(thing) <= WIDEST_KEY:
        for item in thing:
            scalar_of(item)
        return thing
    return scalar_of(thing)


def scalar_of(thing: Any) -> Any:
    if isinstance(thing, str) and len(thing) > LONGEST_KEY:
        raise BadCheckpoint(f"a dictionary has a key of {len(thing)} characters; {LONGEST_KEY} are the limit")
    if thing is None or isinstance(thing, (str, int, float, Name)):
        return thing
    raise BadCheckpoint("a dictionary has a key that is neither a word nor a number; the file is damaged")


# The machine ----------------------------------------------------------------------------------------------------------


class Machine:
    """Follows the instructions of one pickle in `data` from `start` on.

    `handlers` adds calls to `HANDLERS`; `persistent` answers the persistent ids of torch files (None: they are refused).
    """

    def __init__(
        self,
        data: memoryview,
        budget: Budget,
        start: int = 0,
        handlers: Mapping[Key, Handler] | None = None,
        persistent: Callable[[Any], Any] | None = None,
    ) -> None:
        self.data = data
        self.budget = budget
        self.at = start
        self.handlers = {**HANDLERS, **(handlers or {})}
        self.persistent = persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}
        self.sources: dict[int, tuple[str, SourceText]] = {}  # by identity: one text is shared by all modules of a file

    def run(self) -> Any:
        """What the pickle says. Afterwards `at` is the position behind it.

        Raises UnsafePickle when it asks for something to be run, BadCheckpoint when it is damaged or beyond the budget.
        """
        while True:
            self.budget.spend("opcodes")
            code = self.byte()
            if code == STOP:
                return self.pop()
            step = STEPS.get(code)
            if step is None:
                raise self.unknown(code)
            step(self)

    def unknown(self, code: int) -> BadCheckpoint:
        if code in UNSAFE:
            return UnsafePickle(
                f"it uses the pickle instruction {UNSAFE[code]}, which no checkpoint needs; nothing was run"
            )
        return BadCheckpoint(f"byte {self.at - 1} ({code:#04x}) is no pickle instruction that checkpoints use")

    # bytes of the file

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise BadCheckpoint("it is cut off in the middle; download or copy it again")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, length: int) -> memoryview:
        """The next `length` bytes, not copied."""
        if length > len(self.data) - self.at:
            raise BadCheckpoint(f"it is cut off: {length} bytes are announced, {len(self.data) - self.at} are there")
        self.at += length
        return self.data[self.at - length : self.at]

    def unsigned(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def line(self) -> str:
        """One line of ASCII, at most 256 characters."""
        end = bytes(self.data[self.at : self.at + 257]).find(b"\n")
        if end < 0:
            raise BadCheckpoint("a name does not end; the file is damaged")
        return self.decode(self.take(end + 1)[:-1], "ascii")

    def text(self, length: int, encoding: str = "utf-8") -> str:
        if length > LONGEST_TEXT:
            raise BadCheckpoint(f"it holds a text of {length} bytes; {LONGEST_TEXT} are the limit")
        return self.decode(self.take(length), encoding)

    @staticmethod
    def decode(data: memoryview, encoding: str) -> str:
        try:
            return str(data, encoding, "surrogatepass" if encoding == "utf-8" else "strict")
        except UnicodeDecodeError:
            raise BadCheckpoint("it holds text that is not text; the file is damaged") from None

    def measure(self, source: str) -> SourceText:
        if id(source) not in self.sources:
            self.sources[id(source)] = (source, SourceText.measure(source))
        return self.sources[id(source)][1]

    # the stack

    def push(self, thing: Any) -> None:
        self.stack.append(thing)

    def push_new(self, container: Any) -> None:
        self.budget.spend("containers")
        self.stack.append(container)

    def pop(self) -> Any:
        if not self.stack:
            raise BadCheckpoint("an instruction finds nothing to work on; the file is damaged")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise BadCheckpoint("an instruction finds nothing to work on; the file is damaged")
        return self.stack[-1]

    def pop_mark(self) -> list[Any]:
        """The things above the last mark."""
        if not self.below:
            raise BadCheckpoint("an instruction finds no mark; the file is damaged")
        items, self.stack = self.stack, self.below.pop()
        return items

    def drop_mark(self) -> None:
        self.pop_mark()

    def mark(self) -> None:
        self.budget.spend("containers")
        self.below.append(self.stack)
        self.stack = []

    def pop_or_unmark(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    # numbers and words

    def long(self, length: int) -> None:
        if length > LONGEST_INTEGER:
            raise BadCheckpoint(f"it holds an integer of {8 * length} bits; {8 * LONGEST_INTEGER} are the limit")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def protocol(self) -> None:
        version = self.byte()
        if not 2 <= version <= 5:
            raise BadCheckpoint(f"it is a pickle of protocol {version}; 2 to 5 are read")

    def frame(self) -> None:
        length = self.unsigned(8)
        if length > len(self.data) - self.at:
            raise BadCheckpoint(
                f"it is cut off: a part of {length} bytes is announced, {len(self.data) - self.at} are there"
            )

    # containers

    def tuple_of(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.push_new(tuple(reversed(items)))

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif not (isinstance(target, Node) and target.kind == "foreign"):
            raise BadCheckpoint("items are added to something that is no list; the file is damaged")

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if len(items) % 2 or not (isinstance(target, dict) or (isinstance(target, Node) and target.kind == "foreign")):
            raise BadCheckpoint("items are set in something that is no dictionary; the file is damaged")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(target, dict):
                target[key_of(key)] = value

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def add_items(self) -> None:
        items, target = self.pop_mark(), self.top()
        if not isinstance(target, set):
            raise BadCheckpoint("items are added to something that is no set; the file is damaged")
        target.update(key_of(item) for item in items)

    # the memo

    def remember(self, index: int) -> None:
        self.budget.spend("memo")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise BadCheckpoint("it refers to something that it never held; the file is damaged")
        self.push(self.memo[index])

    # names and calls

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise BadCheckpoint("a name is not made of words; the file is damaged")
        found = Name(module, name)
        if (module, name) not in self.handlers and place(found) == "refused":
            raise UnsafePickle(f"it asks for {str(found)[:120]!r}, which has no place among weights; nothing was run")
        self.push(found)

    def stack_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.name(module, name)

    def call(self) -> None:
        args, name = self.pop(), self.pop()
        if not isinstance(name, Name) or not isinstance(args, tuple):
            raise BadCheckpoint("it calls something that has no name; the file is damaged, and nothing was run")
        self.budget.spend("containers")
        handler = self.handlers.get((name.module, name.name))
        if handler is not None:
            self.push(handler(self, args))
        elif (kind := place(name)) in ("module", "foreign"):
            self.push(Node(kind, name, name.name[:80]))
        else:
            raise UnsafePickle(f"it calls {str(name)[:120]!r}, which has no place among weights; nothing was run")

    def build(self) -> None:
        state, target = self.pop(), self.top()
        match target, state:
            case ArrayRef(), _:
                fill_array(self, target, state)
            case DType(), _:
                fill_dtype(target, state)
            case dict(), _:
                pass  # attributes of a dictionary: a state_dict's list of versions
            case Node(kind="foreign"), _:
                target.state = state if isinstance(state, dict) else {}
            case Node(), dict():
                self.budget.spend("copied", 100 * len(state))
                target.state = dict(state)
                self.drop_source(target)
            case _:
                raise BadCheckpoint("attributes are given to something that has none; the file is damaged")

    def drop_source(self, node: Node) -> None:
        source = node.state.pop("build_module_src", None)
        if isinstance(source, (str, memoryview)):
            self.budget.spend("copied", len(source))
            node.source = self.measure(source) if isinstance(source, str) else SourceText.measure(source)

    def persistent_id(self) -> None:
        if self.persistent is None:
            raise UnsafePickle("it refers to something outside itself (a persistent id); nothing was run")
        self.budget.spend("containers")
        self.push(self.persistent(self.pop()))


STOP = ord(".")
STEPS: dict[int, Callable[[Machine], None]] = {
    0x80: Machine.protocol,
    0x95: Machine.frame,
    ord("("): Machine.mark,
    ord("0"): Machine.pop_or_unmark,
    ord("1"): Machine.drop_mark,
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("K"): lambda m: m.push(m.byte()),
    ord("M"): lambda m: m.push(m.unsigned(2)),
    ord("J"): lambda m: m.push(int.from_bytes(m.take(4), "little", signed=True)),
    0x8A: lambda m: m.long(m.byte()),
    0x8B: lambda m: m.long(m.unsigned(4)),
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    0x8C: lambda m: m.push(m.text(m.byte())),
    ord("X"): lambda m: m.push(m.text(m.unsigned(4))),
    0x8D: lambda m: m.push(m.text(m.unsigned(8))),
    ord("U"): lambda m: m.push(m.text(m.byte(), "latin-1")),  # Python 2's short strings are words ...
    ord("T"): lambda m: m.push_new(m.take(m.unsigned(4))),  # ... and its long ones bytes
    ord("C"): lambda m: m.push_new(m.take(m.byte())),
    ord("B"): lambda m: m.push_new(m.take(m.unsigned(4))),
    0x8E: lambda m: m.push_new(m.take(m.unsigned(8))),
    0x96: lambda m: m.push_new(m.take(m.unsigned(8))),
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    ord("t"): lambda m: m.push_new(tuple(m.pop_mark())),
    ord("]"): lambda m: m.push_new([]),
    ord("}"): lambda m: m.push_new({}),
    0x8F: lambda m: m.push_new(set()),
    0x91: lambda m: m.push_new(frozenset(key_of(item) for item in m.pop_mark())),
    ord("a"): lambda m: m.append([m.pop()]),
    ord("e"): lambda m: m.append(m.pop_mark()),
    ord("s"): Machine.set_item,
    ord("u"): lambda m: m.set_items(m.pop_mark()),
    0x90: Machine.add_items,
    ord("q"): lambda m: m.remember(m.byte()),
    ord("r"): lambda m: m.remember(m.unsigned(4)),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.recall(m.byte()),
    ord("j"): lambda m: m.recall(m.unsigned(4)),
    ord("c"): lambda m: m.name(m.line(), m.line()),
    0x93: Machine.stack_name,
    ord("R"): Machine.call,
    0x81: Machine.call,
    ord("b"): Machine.build,
    ord("Q"): Machine.persistent_id,
}
UNSAFE: dict[int, str] = {
    ord("i"): "INST",
    ord("o"): "OBJ",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x92: "NEWOBJ_EX",
    ord("P"): "PERSID",
    0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER",
}
