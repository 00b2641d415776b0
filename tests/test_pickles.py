"""The reader of strangers' files: what is true comes out, what is hostile or broken is refused, and nothing ever runs."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinesphere import checkpoints
from kinesphere.checkpoints import BadCheckpoint, UnsafePickle, nvidia, torchfile
from kinesphere.checkpoints.pickles import Machine
from kinesphere.checkpoints.tree import ArrayRef, Budget, Node

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "tests" / "fixtures"
STRANGERS = ROOT.parent / "shared" / "fixtures" / "malicious"  # more hostile files, where the folder exists
MARKER = "PWNED_BY_PICKLE"
RUN = f"open({MARKER!r}, 'w').close()"
SHELL = f"echo x > {MARKER}"


def read(data: bytes) -> Any:
    return torchfile.read(memoryview(data)).value


# A small assembler: every function gives the instructions that push one thing ----------------------------------------


def text(words: str) -> bytes:
    data = words.encode()
    return b"\x8c" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def number(n: int) -> bytes:
    return b"K" + bytes([n]) if 0 <= n < 256 else b"J" + struct.pack("<i", n)


def blob(data: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(data)) + data


def numbers(*ns: int) -> bytes:
    return b"(" + b"".join(number(n) for n in ns) + b"t"


def call(function: bytes, *args: bytes) -> bytes:
    return function + b"(" + b"".join(args) + b"tR"


def dictionary(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def program(*parts: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + b"".join(parts) + b"."


MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
FOUR = struct.pack("<4f", 1, 2, 3, 4)


def stored(numel: int = 4) -> bytes:
    """A persistent id as torch writes it, for a storage of float32."""
    return b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + number(numel) + b"NtQ"


def stream(body: bytes | None = None, numel: int = 4, data: bytes = FOUR, keys: tuple[str, ...] = ("0",)) -> bytes:
    """A torch.save stream of the old kind, as snapshots hold one for every tensor."""
    head = pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps(SYSTEM, 2)
    body = program(stored(numel), protocol=2) if body is None else body
    return head + body + pickle.dumps(list(keys), 2) + struct.pack("<q", numel) + data


def storage(data: bytes | None = None) -> bytes:
    return call(name("torch.storage", "_load_from_bytes"), blob(stream() if data is None else data))


def tensor(
    source: bytes | None = None, offset: int = 0, size: tuple[int, ...] = (4,), stride: tuple[int, ...] = (1,)
) -> bytes:
    hooks = call(name("collections", "OrderedDict"))
    inner = call(
        name("torch._utils", "_rebuild_tensor_v2"),
        storage() if source is None else source, number(offset), numbers(*size), numbers(*stride), b"\x89", hooks,
    )  # fmt: skip
    return call(name("torch._utils", "_rebuild_parameter"), inner, b"\x89", hooks)


def module(weight: bytes | None = None, source: str = "# omitted", **state: bytes) -> bytes:
    """One of NVIDIA's modules with a single weight."""
    parts = {
        "_parameters": dictionary(weight=tensor() if weight is None else weight),
        "_buffers": b"}",
        "_modules": b"}",
        "_init_args": b")",
        "_init_kwargs": b"}",
    } | state
    meta = dictionary(
        type=text("class"),
        version=number(6),
        module_src=text(source),
        class_name=text("Generator"),
        state=dictionary(**parts),
    )
    return call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


def snapshot(weight: bytes | None = None, **others: bytes) -> bytes:
    """A snapshot of three such modules; `weight` takes the place of the first one's."""
    return program(dictionary(**({"G_ema": module(weight), "G": module(), "D": module()} | others)))


def archive(entries: dict[str, bytes], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as packed:
        for entry, data in entries.items():
            packed.writestr(entry, data)
    return file.getvalue()


def zip_tensor(numel: int = 4) -> bytes:
    """data.pkl of a torch archive with one tensor of that many numbers."""
    hooks = call(name("collections", "OrderedDict"))
    ref = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + number(numel) + b"tQ"
    made = call(name("torch._utils", "_rebuild_tensor_v2"), ref, number(0), numbers(numel), numbers(1), b"\x89", hooks)
    return program(dictionary(x=made), protocol=2)


def laughs(kind: bytes, levels: int, width: int) -> bytes:
    """A list of lists of lists that share their parts, and unfold to width ** levels."""
    made = b"".join(
        b"](" + (b"h" + bytes([i - 1]) if i else text("x")) * width + b"eq" + bytes([i]) + b"0" for i in range(levels)
    )
    return made + kind + b"(" + b"h" + bytes([levels - 1]) + b"e"


def array(dtype: str, shape: tuple[int, ...], data: bytes) -> bytes:
    made = call(name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), numbers(0), blob(b"b"))
    kind = call(name("numpy", "dtype"), text(dtype), b"\x89", b"\x88")
    return made + b"(" + number(1) + numbers(*shape) + kind + b"\x89" + blob(data) + b"tb"


NETWORK = name("dnnlib.tflib.network", "Network") + b")\x81"
NO_VARIABLES = NETWORK + dictionary(version=number(4), build_module_src=text(RUN), variables=b"]") + b"b"
WIDE_CYCLE = b"]q\x00(" + b"h\x00" * 20_000 + b"e"
SELF = dictionary(_parameters=b"}", _buffers=b"}", _modules=b"}q\x06")

SYSTEM_CALL = program(call(name("posix", "system"), text(SHELL)), protocol=2)

UNSAFE: dict[str, bytes] = {
    "os.system": SYSTEM_CALL,
    "os.system by its other name": program(text("os") + text("system") + b"\x93(" + text(SHELL) + b"tR"),
    "os.system for a weight": snapshot(call(name("os", "system"), text(SHELL))),
    "os.system in the discriminator": snapshot(D=module(call(name("os", "system"), text(SHELL)))),
    "os.system among the arguments": snapshot(training_set_kwargs=call(name("nt", "system"), text(SHELL))),
    "eval": program(call(name("builtins", "eval"), text(f"__import__('os').system({SHELL!r})"))),
    "exec, Python 2": program(call(name("__builtin__", "exec"), text(RUN)), protocol=2),
    "getattr": program(call(name("builtins", "getattr"), call(name("importlib", "import_module"), text("os")), text("system"))),
    "Popen": program(call(name("subprocess", "Popen"), b"](" + text("sh") + text("-c") + text(SHELL) + b"e")),
    "Popen by creation": program(name("subprocess", "Popen") + b"(](" + text("sh") + text("-c") + text(SHELL) + b"et\x81"),
    "a dotted name": program(text("collections") + text("OrderedDict.__init__.__globals__") + b"\x93)R"),
    "a class of the main program": program(call(name("__main__", "Anything"))),
    "torch.load": program(call(name("torch", "load"), text("x.pt"))),
    "torch.jit.load": program(call(name("torch.jit", "load"), text("x.pt"))),
    "numpy.load": program(call(name("numpy", "load"), text("x.npy"))),
    "INST": b"\x80\x02(" + text(SHELL) + b"iposix\nsystem\n.",
    "OBJ": program(b"(" + name("posix", "system") + text(SHELL) + b"o", protocol=2),
    "EXT1": program(b"\x82\x01)R", protocol=2),
    "EXT2": program(b"\x83\x01\x00)R", protocol=2),
    "EXT4": program(b"\x84\x01\x00\x00\x00)R", protocol=2),
    "NEWOBJ_EX": program(name("collections", "OrderedDict") + b")}\x92"),
    "PERSID": b"\x80\x02Pabc\n.",
    "a persistent id": program(text("x") + b"Q"),
    "NEXT_BUFFER": program(b"\x97", protocol=5),
    "calling what may only be named": program(call(name("builtins", "dict"))),
    "a payload inside a storage": snapshot(tensor(storage(stream(SYSTEM_CALL)))),
    "a stream inside a stream": snapshot(tensor(storage(stream(program(storage(), protocol=2))))),
    "a payload in a torch archive": archive({"a/data.pkl": SYSTEM_CALL}),
    "a payload in an old torch file": stream(SYSTEM_CALL),
    "a storage from bytes in a torch archive": archive({"a/data.pkl": program(storage(), protocol=2)}),
}  # fmt: skip

BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"\x80",
    "no protocol": b"}.",
    "protocol 0": b"(dp0\n.",
    "protocol 6": program(b"N", protocol=6),
    "cut by one byte": snapshot()[:-1],
    "cut in the middle": snapshot()[:700],
    "no StyleGAN": snapshot(),
    "source text that would run": program(dictionary(G_ema=module(source=RUN), G=module(source=RUN))),
    "a module that is text": snapshot(G_ema=text("hello")),
    "TensorFlow without variables": program(b"(" + NO_VARIABLES * 3 + b"t"),
    "array of objects": snapshot(kwargs=array("O8", (1,), b"")),
    "array of strings": snapshot(kwargs=array("S4", (1,), b"abcd")),
    "array that is not there": snapshot(kwargs=array("f4", (1 << 29,), b"0" * 16)),
    "array of negative size": snapshot(kwargs=array("f4", (-1, -4), b"0" * 16)),
    "tensor beyond its storage": snapshot(tensor(size=(1 << 29,))),
    "tensor with stride 0": snapshot(tensor(size=(1 << 20, 1 << 20), stride=(0, 0))),
    "tensor from before its storage": snapshot(tensor(offset=-4)),
    "tensor with negative stride": snapshot(tensor(stride=(-1,))),
    "tensor with more strides than sizes": snapshot(tensor(stride=(1, 1))),
    "tensor of 40 dimensions": snapshot(tensor(size=(1,) * 40, stride=(1,) * 40)),
    "tensor without a storage": snapshot(tensor(source=number(3))),
    "storage that claims more": snapshot(tensor(storage(stream(numel=1 << 29)))),
    "storage that holds more": snapshot(tensor(storage(stream(data=FOUR + b"0")))),
    "storage of no tensor": snapshot(tensor(storage(stream(keys=("1",))))),
    "storage twice described": snapshot(tensor(storage(stream(program(b"(" + stored() + stored(5) + b"t", protocol=2))))),
    "a stream that is a list": snapshot(tensor(storage(stream(program(b"]", protocol=2), keys=())))),
    "tuples in tuples": program(b")" + b"\x85" * 120_000),
    "lists in lists": snapshot(kwargs=b"]" * 50_000 + b"a" * 49_999),
    "a deep tuple as a key": program(b"}" + b")" + b"\x85" * 50_000 + b"K\x01s"),
    "a deep tuple in a set": program(b"\x8f()" + b"\x85" * 50_000 + b"\x90"),
    "a list as a key": program(b"}]K\x01s"),
    "a huge word as a key": program(b"}X" + struct.pack("<I", 100_000) + b"x" * 100_000 + b"K\x01s"),
    "memo of 2^31": program(b"Nr\xff\xff\xff\x7f", protocol=2),
    "1 TB of bytes": program(b"\x8e" + struct.pack("<Q", 1 << 40) + b"abc"),
    "2 GB of bytes": program(b"B\xff\xff\xff\x7fabc"),
    "8 EB of text": program(b"\x8d" + struct.pack("<Q", 2**63 - 1) + b"abc"),
    "a frame of 8 EB": program(b"\x95" + struct.pack("<Q", 2**63 - 1) + b"N"),
    "an integer of 160,000 bits": program(b"\x8b" + struct.pack("<i", 20_000) + b"\x7f" * 20_000),
    "an integer of negative length": program(b"\x8b\xff\xff\xff\xff"),
    "a text of 5 MB": program(b"X" + struct.pack("<I", 5 << 20) + b"x" * (5 << 20)),
    "lists that unfold": snapshot(kwargs=laughs(b"]", 40, 10)),
    "tuples that unfold": program(b")" + b"\x85" + b"2\x86" * 100),
    "a list that holds itself": program(b"]q\x00h\x00a"),
    "a list that holds itself 20,000 times": program(WIDE_CYCLE),
    "a module that holds itself": program(
        dictionary(G_ema=call(
            name("torch_utils.persistence", "_reconstruct_persistent_obj"),
            dictionary(type=text("class"), module_src=text(""), class_name=text("G"), state=SELF),
        ) + b"q\x07h\x06" + text("self") + b"h\x07s0")
    ),
    "60 kB copied 20,000 times": program(
        b"X" + struct.pack("<I", 60_000) + b"y" * 60_000 + b"q\x010" + text("latin1") + b"q\x020" + name("_codecs", "encode")
        + b"q\x000" + b"h\x00h\x01h\x02\x86R0" * 20_000, protocol=2,
    ),
    "2.1 million instructions": program(b"N0" * 1_050_000),
    "300,000 marks": program(b"(" * 300_000),
    "300,000 dictionaries": program(b"}" * 300_000),
    "300,000 empty bytes": program(b"C\x00" * 300_000),
    "a memo of 500,000": program(b"N\x94" * 500_000),
    "text that is none": program(b"\x8c\x02\xff\xfe"),
    "bytes that are none": program(call(name("_codecs", "encode"), text("€"), text("latin1")), protocol=2),
    "a name that does not end": b"\x80\x02cposix" + b"x" * 1000,
    "nothing to work on": b"\x80\x04R.",
    "a mark that is not there": b"\x80\x04t.",
    "a memory that is not there": program(b"h\x05"),
    "half a pair": program(b"}(" + text("x") + b"u"),
    "a call without a name": program(b"N)R"),
    "a call without arguments": program(name("collections", "OrderedDict") + b"NR"),
    "attributes of a number": program(b"K\x01}b"),
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 3\n",
    "a web page": b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>",
    "a zip of something else": archive({"readme.txt": b"hello"}),
    "the beginning of a zip": b"PK\x03\x04" + b"\0" * 40,
    "an empty zip": archive({}),
    "a zip with two roots": archive({"a/data.pkl": program(b"}", protocol=2), "b/data.pkl": program(b"}", protocol=2)}),
    "a compressed storage": archive(
        {"a/data.pkl": zip_tensor(15_000_000), "a/data/0": bytes(60_000_000)}, compression=zipfile.ZIP_DEFLATED
    ),
    "a storage that a zip lacks": archive({"a/data.pkl": zip_tensor()}),
    "a storage smaller than claimed": archive({"a/data.pkl": zip_tensor(1 << 29), "a/data/0": FOUR}),
    "a storage cut off": archive({"a/data.pkl": zip_tensor(), "a/data/0": FOUR[:-1]}),
    "a TorchScript program": archive({"a/data.pkl": program(b"}", protocol=2), "a/code/x.py": RUN.encode()}),
    "a big-endian archive": archive({"a/data.pkl": zip_tensor(), "a/data/0": FOUR, "a/byteorder": b"big"}),
}  # fmt: skip

WATCHED = (
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "socket.",
    "pickle.find_class",
    "exec",
    "compile",
)
seen: list[str] = []
watching = False


def watch(event: str, args: tuple[Any, ...]) -> None:
    if watching and event.startswith(WATCHED):
        seen.append(event)


sys.addaudithook(watch)


@pytest.fixture(scope="module")
def warm() -> None:
    """So that nothing is imported while the watch is on."""
    checkpoints.load(FIXTURES / "sg2ada_map2_32.pkl")


@pytest.fixture
def watched(warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder to be in, and a watch on everything that runs, compiles, connects or unpickles."""
    global watching
    monkeypatch.chdir(tmp_path)
    seen.clear()
    watching = True
    yield
    watching = False
    assert seen == []
    assert not Path(MARKER).exists()


def test_the_watch_sees_a_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hostile files below do run under pickle: this is what the others are safe from."""
    global watching
    monkeypatch.chdir(tmp_path)
    watching = True
    pickle.loads(UNSAFE["os.system"])
    watching = False
    assert Path(MARKER).exists()
    assert {"os.system", "pickle.find_class"} <= set(seen)


def test_a_minimal_snapshot_is_read() -> None:
    found = nvidia.networks(read(snapshot()))
    assert list(found) == ["G_ema", "G", "D"]
    for network in found.values():
        assert network.tensors["weight"].read().tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("what", UNSAFE)
def test_what_asks_for_code_is_unsafe(what: str, watched: None, tmp_path: Path) -> None:
    path = tmp_path / "stranger.pkl"
    path.write_bytes(UNSAFE[what])
    with pytest.raises(UnsafePickle, match="nothing was run"):
        checkpoints.load(path)


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_ends_in_words(what: str, watched: None, tmp_path: Path) -> None:
    path = tmp_path / "stranger.pkl"
    path.write_bytes(BROKEN[what])
    with pytest.raises(BadCheckpoint, match=r"stranger\.pkl: \w+") as caught:
        checkpoints.load(path)
    assert not isinstance(caught.value, UnsafePickle)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


@pytest.mark.parametrize("path", sorted(STRANGERS.glob("*.p[kt]*")), ids=lambda p: p.name)
def test_strangers_in_the_shared_folder(path: Path, watched: None) -> None:
    """None of them holds a StyleGAN, so even the valid ones among them end in BadCheckpoint."""
    with pytest.raises(BadCheckpoint):
        checkpoints.load(path)
    if path.name == "control_tiny_snapshot.pkl":
        test_a_minimal_snapshot_is_read()
        assert list(nvidia.networks(read(path.read_bytes()))) == ["G_ema", "G", "D"]


def test_source_text_is_dropped_and_measured() -> None:
    node = read(program(dictionary(G_ema=module(source=RUN))))["G_ema"]
    assert node.source.length == len(RUN)
    assert RUN not in repr(node.state)


def test_the_message_names_what_was_asked_for() -> None:
    with pytest.raises(UnsafePickle, match=r"'subprocess\.Popen'"):
        read(UNSAFE["Popen"])


LIMITED = """
import json, resource, sys, time
from pathlib import Path
from kinesphere import checkpoints

def status(field):  # kB
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(field))

checkpoints.load(sys.argv[1])
limit = 1024 * status("VmSize") + 400 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
found = {}
for path in sorted(Path(sys.argv[2]).iterdir()):
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory is that of now
    before = status("VmRSS")
    began = time.monotonic()
    try:
        checkpoints.load(path)
        end = "loaded"
    except checkpoints.BadCheckpoint:
        end = "refused"
    except BaseException as error:
        end = type(error).__name__
    found[path.name] = [end, time.monotonic() - began, (status("VmHWM") - before) // 1024]
print(json.dumps(found))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured through Linux's /proc")
def test_no_claim_costs_much_memory_or_time(tmp_path: Path) -> None:
    """All of them in one process that may not take 400 MB more than it has."""
    for i, data in enumerate([*UNSAFE.values(), *BROKEN.values()]):
        (tmp_path / f"{i:03d}").write_bytes(data)
    command = [sys.executable, "-c", LIMITED, str(FIXTURES / "sg2ada_map2_32.pkl"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    names = [*UNSAFE, *BROKEN]
    found = {names[int(i)]: ends for i, ends in json.loads(done.stdout).items()}
    assert {what: end for what, (end, _, _) in found.items() if end != "refused"} == {}
    assert {what: seconds for what, (_, seconds, _) in found.items() if seconds > 15} == {}
    assert {what: grown for what, (_, _, grown) in found.items() if grown > 100} == {}  # MB; the largest file has 5


# What is true ---------------------------------------------------------------------------------------------------------

scalars = (
    st.none() | st.booleans() | st.integers(-(2**500), 2**500) | st.floats(allow_nan=False) | st.text(max_size=300)
)
keys = st.text(max_size=20) | st.integers() | st.tuples(st.integers(), st.text(max_size=5))
trees = st.recursive(
    scalars | st.binary(max_size=300) | st.sets(st.integers(), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(keys, inner, max_size=6)
        | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.lists(inner, min_size=4, max_size=5).map(tuple)
    ),
    max_leaves=20,
)


def plain(tree: Any) -> Any:
    """A tree as `pickle` gives it, to be compared: bytes for views, dict for OrderedDict."""
    if isinstance(tree, memoryview):
        return bytes(tree)
    if isinstance(tree, dict):
        return {k: plain(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(plain(v) for v in tree)
    return tree


def typed(tree: Any) -> Any:
    """A tree in which True is not 1."""
    if isinstance(tree, dict):
        return {typed(k): typed(v) for k, v in tree.items()}
    return [typed(v) for v in tree] if isinstance(tree, list) else (type(tree), tree)


@settings(max_examples=100, deadline=None)
@given(trees, st.integers(2, 5))
def test_plain_data_come_out_as_pickle_gives_them(tree: Any, protocol: int) -> None:
    data = pickle.dumps(tree, protocol)
    found = plain(Machine(memoryview(data), Budget.of(len(data))).run())
    assert typed(found) == typed(plain(pickle.loads(data)))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "made",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6, dtype=">f8").reshape(3, 2),
        np.arange(5, dtype=np.int16)[::2],
        np.array([True, False]),
        np.array(3.5, dtype=np.float16),
    ],
    ids=["float32", "fortran", "big-endian", "steps", "bool", "0-d"],
)
def test_numpy_arrays(made: np.ndarray, protocol: int) -> None:
    found = read(pickle.dumps({"a": made}, protocol))["a"]
    assert isinstance(found, ArrayRef)
    np.testing.assert_array_equal(found.numpy(), made)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("made", [np.float64(0.25), np.int64(-7), np.bool_(True), np.float32(1.5)], ids=repr)
def test_numpy_numbers(made: Any, protocol: int) -> None:
    found = read(pickle.dumps({"a": made}, protocol))["a"]
    assert found == made.item() and type(found) is type(made.item())


def test_python_2_strings_are_words_and_long_ones_bytes() -> None:
    found = read(program(dictionary(short=b"U\x03caf", long=b"T" + struct.pack("<I", 300) + b"z" * 300), protocol=2))
    assert found["short"] == "caf" and bytes(found["long"]) == b"z" * 300


FORMS = {
    "float32": torch.arange(24.0).reshape(2, 3, 4),
    "half": torch.linspace(-1, 1, 7).half(),
    "bfloat16": torch.linspace(-3, 3, 9).bfloat16(),
    "double": torch.linspace(0, 1, 5).double(),
    "int64": torch.arange(-3, 3),
    "uint8": torch.arange(200, 206, dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
    "0-d": torch.tensor(2.5),
    "transposed": torch.arange(12.0).reshape(3, 4).t(),
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "a part": torch.arange(30.0)[7:19:3],
    "parameter": torch.nn.Parameter(torch.arange(4.0)),
}


@pytest.mark.parametrize("layout", ["zip", "stream"])
@pytest.mark.parametrize("form", FORMS)
def test_tensors_come_out_as_torch_gives_them(form: str, layout: str) -> None:
    file = io.BytesIO()
    torch.save(OrderedDict(x=FORMS[form]), file, _use_new_zipfile_serialization=layout == "zip")
    found = read(file.getvalue())["x"].read()
    assert found.dtype == torch.float32 and found.is_contiguous()
    assert torch.equal(found, FORMS[form].detach().float())


def test_tensors_that_share_a_storage() -> None:
    whole = torch.arange(10.0)
    file = io.BytesIO()
    torch.save({"a": whole[:4], "b": whole[4:]}, file)
    found = read(file.getvalue())
    assert found["a"].storage is found["b"].storage
    assert found["b"].read().tolist() == [4, 5, 6, 7, 8, 9]


def test_what_was_read_is_a_copy() -> None:
    """The picture must not change when the file does."""
    data = bytearray(snapshot())
    weight = nvidia.networks(torchfile.read(memoryview(data)).value)["G_ema"].tensors["weight"].read()
    data[:] = bytes(len(data))
    assert weight.tolist() == [1, 2, 3, 4]


def test_archives_of_the_64_bit_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 3)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = archive({"a/data.pkl": zip_tensor(), "a/data/0": FOUR, "a/version": b"3\n"})
    assert b"PK\x06\x06" in data
    assert read(data)["x"].read().tolist() == [1, 2, 3, 4]


def test_a_class_of_somebodys_package_is_carried_along_unused() -> None:
    made = call(name("pg_modules.discriminator", "ProjectedDiscriminator")) + dictionary(training=b"\x89") + b"b"
    found = read(program(dictionary(D=made)))["D"]
    assert isinstance(found, Node) and found.kind == "foreign"
    assert str(found.name) == "pg_modules.discriminator.ProjectedDiscriminator"


# What is mutated ------------------------------------------------------------------------------------------------------

SNAPSHOTS = sorted(FIXTURES.glob("*.p[kt]*"))


@cache
def original(path: Path) -> bytes:
    return path.read_bytes()


@cache
def places(path: Path) -> list[int]:
    """Where the instructions of a file are, and the list of contents of a zip: where a changed byte changes what it says."""
    data = original(path)
    if data[:2] == b"PK":
        contents = zipfile.ZipFile(io.BytesIO(data))
        start = contents.infolist()[0].header_offset
        inner = data.index(b"\x80\x02", start)
        found = [inner + at for _, _, at in pickletools.genops(data[inner:]) if at is not None]
        return found + list(range(contents.start_dir, len(data)))
    file = io.BytesIO(data)
    found = []
    for _ in range(5 if path.suffix == ".pt" else 1):
        found += [at for _, _, at in pickletools.genops(file) if at is not None]
    return found


mutations = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "opcode", "delete", "insert", "copy", "splice", "cut"]),
        st.integers(0, 2**30),
        st.integers(0, 2**30),
        st.integers(0, 6),
    ),
    min_size=1,
    max_size=4,
)
OPCODES = b"NK\x88\x89)]}R\x93h0(tube.asl\x85\x86\x87\x8f\x81JQ\x94q"


def mutated(data: bytes, where: list[int], changes: list[tuple[str, int, int, int]], other: bytes) -> bytes:
    made = bytearray(data)
    for kind, a, b, near in changes:
        at = min(len(made) - 1, where[a % len(where)] + near)
        source = where[b % len(where)]
        size = [1, 2, 3, 8, 40, 300, 2000][b % 7]
        if kind == "set":
            made[at] = b % 256
        elif kind == "flip":
            made[at] ^= 1 << (b % 8)
        elif kind == "opcode":
            made[at] = OPCODES[b % len(OPCODES)]
        elif kind == "delete":
            del made[at : at + size]
        elif kind == "insert":
            made[at:at] = data[source : source + size]
        elif kind == "copy":
            made[at : at + size] = data[source : source + size]
        elif kind == "splice":
            made[at : at + size] = other[b % len(other) :][:size]
        else:
            del made[at:]
        if not made:
            break
    return bytes(made)


def clean_or_refused(load: Callable[[], Any]) -> None:
    try:
        load()
    except BadCheckpoint as error:
        assert str(error)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SNAPSHOTS), st.sampled_from(SNAPSHOTS), mutations)
def test_a_damaged_checkpoint_loads_or_is_refused(
    tmp_path: Path, path: Path, other: Path, changes: list[tuple[str, int, int, int]]
) -> None:
    damaged = tmp_path / "damaged"
    damaged.write_bytes(mutated(original(path), places(path), changes, original(other)))
    clean_or_refused(lambda: checkpoints.load(damaged))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*UNSAFE, *(what for what, data in BROKEN.items() if 20 < len(data) < 5000)]), mutations)
def test_a_changed_attack_does_not_get_through(what: str, changes: list[tuple[str, int, int, int]]) -> None:
    """Attacks on the way of reading are small: every byte of them is worth changing."""
    data = (UNSAFE | BROKEN)[what]
    clean_or_refused(lambda: read(mutated(data, list(range(len(data))), changes, snapshot())))


instructions = st.sampled_from(
    [bytes([code]) for code in OPCODES]
    + [text("x"), text("numpy"), number(0), number(7), number(-1), blob(b"abcd"), b"h\x00", b"h\x01", b"\x8f", b"\x90", b"\x91"]
    + [name(m, n) for m, n in (("collections", "OrderedDict"), ("builtins", "set"), ("numpy", "dtype"), ("torch", "FloatStorage"))]
    + [name("torch._utils", "_rebuild_tensor_v2"), name("numpy.core.multiarray", "_reconstruct"), name("argparse", "Namespace")]
    + [storage(), tensor(), module(), NETWORK, array("f4", (1,), b"1234"), numbers(1, 2)]
) | st.binary(max_size=3)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(instructions, max_size=30), st.integers(2, 5))
def test_any_instructions_end_in_data_or_a_refusal(parts: list[bytes], protocol: int) -> None:
    clean_or_refused(lambda: read(program(*parts, protocol=protocol)))
