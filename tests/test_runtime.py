"""The same generator on a faster engine: the same picture, with and without bends, and no more work than is needed."""

import copy
import math
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from conftest import tiny_generator
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere import runtime
from kinesphere.bends import Still, anchor, bent, const, noise, transform, warp
from kinesphere.bends.bending import find
from kinesphere.models import FAMILIES, noise_from
from kinesphere.runtime import cache, governor, inductor
from kinesphere.runtime.chain import Part
from kinesphere.runtime.winograd import F2, F4, Winograd
from kinesphere.types import KinesphereError

ENGINES = [
    pytest.param(back_end, precision, id=f"{back_end}-{precision}")
    for back_end in runtime.BACK_ENDS
    for precision in ("float32", "bfloat16")
]
NEEDS_OPENVINO = pytest.mark.skipif(
    find_spec("openvino") is None, reason="needs OpenVINO: pip install 'kinesphere[openvino]'"
)
CHAINED = pytest.mark.parametrize("back_end", [pytest.param("openvino", marks=NEEDS_OPENVINO), "inductor"])
NEEDS_COMPILER = pytest.mark.skipif(runtime.compiling.compiler() is None, reason="needs a C++ compiler: g++")
ROOT = Path(__file__).parents[1]
FUSED = inductor.fused
LEAST = {"float32": 100.0, "bfloat16": 44.0}  # dB


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module", autouse=True)
def as_traced():
    """Programs of inductor's are run as they were traced, since to compile one takes seconds, and they draw the same (below)."""
    with pytest.MonkeyPatch.context() as kept:
        kept.setattr(inductor, "fused", lambda traced: traced)
        yield


def likeness(a, b):
    """PSNR in dB, for pictures of spread 0.4 in a range of 2."""
    spread = float(b.std()) / 0.4
    return 10 * math.log10(4 * spread**2 / max(float((a - b).square().mean()), 1e-30))


def made(family, back_end, precision, **kwargs):
    G = tiny_generator(family, **kwargs)
    if words := runtime.lacking(G, back_end, precision):
        pytest.skip(words)
    return G, runtime.compile(G, back_end, precision)


def styles(G, seed, n=1):
    dice = torch.Generator().manual_seed(seed)
    ws = G.mapping(torch.randn(n, G.z_dim, generator=dice))
    return ws + 0.1 * torch.randn(ws.shape, generator=dice)


BENDS = {
    "nothing": lambda G, t: (),
    "const": lambda G, t: (const(G, t, amount=0.6, x=0.3),),
    "warp": lambda G, t: (warp(G, t, rotate=0.4, x=0.2),),
    "noise": lambda G, t: (noise(G, t, strength=2.0, boil=0.5),),
    "noise added": lambda G, t: (noise(G, t, add=0.3, at="coarse"),),
    "all": lambda G, t: (const(G, t, amount=0.4), warp(G, t, zoom=1.2), noise(G, t, boil=0.3, add=0.2)),
    "transform": lambda G, t: (transform(G, t, rotate=0.5, x=0.2), anchor(G, t, amount=0.7)),
    "weights": lambda G, t: ({"b16.conv0.weight": lambda w: w.flip(0), "b16.torgb.weight": lambda w: -w},),
    "styles": lambda G, t: ({"b8.conv1.affine": lambda s: s * 1.5},),
}


@pytest.mark.parametrize(("back_end", "precision"), ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=12)
@given(
    seed=st.integers(0, 99),
    n=st.integers(1, 3),
    noise_mode=st.sampled_from(["const", "random", "none"]),
    bend=st.sampled_from(sorted(BENDS)),
)
def test_the_picture_is_the_exact_one(family, back_end, precision, seed, n, noise_mode, bend):
    G, fast = made(family, back_end, precision)
    ws = styles(G, seed, n)
    try:
        bendings = BENDS[bend](G, 0.3)
        for bending in bendings:
            for place in bending:
                find(G, place)
    except KinesphereError:
        bendings = ()
    pictures = []
    for drawer in (G, fast, fast):
        with noise_from(torch.Generator().manual_seed(seed)), bent(drawer, *bendings):
            pictures.append(drawer.synthesis(ws, noise_mode=noise_mode))
    exact, first, again = pictures
    assert first.dtype == torch.float32 and first.shape == exact.shape
    assert likeness(first, exact) >= LEAST[precision]
    assert torch.equal(first, again)


@pytest.mark.parametrize(("back_end", "precision"), ENGINES)
@pytest.mark.parametrize("config", ["plain", "resnet", "no noise", "clamped", "six taps"])
def test_whatever_a_stylegan2_is_made_of(config, back_end, precision):
    kwargs = {
        "plain": {}, "resnet": {"architecture": "resnet"}, "no noise": {"use_noise": False}, "clamped": {"conv_clamp": 0.8},
        "six taps": {"resample_filter": (1, 2, 4, 4, 2, 1)},
    }[config]  # fmt: skip
    G, fast = made("stylegan2", back_end, precision, **kwargs)
    ws = styles(G, 1)
    assert likeness(fast.synthesis(ws), G.synthesis(ws)) >= LEAST[precision]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_stays_as_it_was(family):
    G = tiny_generator(family)
    ws, before = styles(G, 0), copy.deepcopy(G.state_dict())
    exact = G.synthesis(ws)
    fast = runtime.compile(G, "torch", "bfloat16")
    with bent(fast, *([] if family == "stylegan3" else [noise(fast, 0.0, strength=0.0)])):
        fast.synthesis(ws)
    assert torch.equal(G.synthesis(ws), exact)
    assert all(torch.equal(tensor, before[name]) for name, tensor in G.state_dict().items())


def test_it_shares_the_memory_of_the_weights():
    G = tiny_generator("stylegan2")
    fast = runtime.compile(G, "torch", "float32")
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(G.parameters(), fast.parameters(), strict=True))


# What was not changed is not computed again.


def computed(fast, draw):
    """The layers that work while `draw` is called, in order."""
    seen, undo = [], []
    for name, layer in fast.layers().items():
        known = layer.__dict__["forward"]
        inner = known.compute
        known.compute = lambda *given, name=name, inner=inner: (seen.append(name), inner(*given))[1]
        undo.append((known, inner))
    try:
        draw()
    finally:
        for known, inner in undo:
            known.compute = inner
    return seen


@pytest.mark.parametrize("family", FAMILIES)
def test_only_what_lies_after_the_first_changed_row_is_computed_again(family):
    G, fast = made(family, "torch", "float32")
    names = list(fast.layers())
    ws = styles(G, 0)
    assert computed(fast, lambda: fast.synthesis(ws)) == names
    for row in range(1, G.num_ws):
        ws = ws.clone()
        ws[:, row] += 0.1
        worked = computed(fast, lambda: fast.synthesis(ws))  # noqa: B023
        assert torch.equal(fast.synthesis(ws), runtime.compile(G, "torch", "float32", remembers=False).synthesis(ws))
        first = row + row // 2 if family == "stylegan2" else row  # every second row also colours the resolution before
        assert worked == names[first:]
    assert computed(fast, lambda: fast.synthesis(ws.clone())) == []


def test_random_noise_is_fresh_each_time():
    G, fast = made("stylegan2", "torch", "float32")
    ws = styles(G, 0)
    assert not torch.equal(fast.synthesis(ws, noise_mode="random"), fast.synthesis(ws, noise_mode="random"))


def test_a_bend_that_stays_as_it_is_lets_remember_what_comes_before_and_after_it():
    G, fast = made("stylegan2", "torch", "float32")
    ws = styles(G, 0)
    still = [{place: Still(operation) for place, operation in warp(fast, 0.0, rotate=0.3).items()}]

    def draw(ws):
        with bent(fast, *still):
            return fast.synthesis(ws)

    draw(ws)
    assert computed(fast, lambda: draw(ws)) == []
    with bent(fast, *still, warp(fast, 0.0, rotate=0.5)):
        moved = fast.synthesis(ws)
    assert not torch.equal(moved, draw(ws))
    changed = computed(fast, lambda: fast.synthesis(ws))  # the bend ends
    assert changed == ["b32.conv0", "b32.conv1", "b32.torgb"]
    assert torch.equal(fast.synthesis(ws), runtime.compile(G, "torch", "float32", remembers=False).synthesis(ws))


# Winograd's convolutions


@pytest.mark.parametrize(("algorithm", "dtype", "most"), [(F4, torch.float32, 1e-5), (F2, torch.bfloat16, 2e-2)])
@given(n=st.integers(1, 2), channels=st.sampled_from([1, 5, 16]), tiles=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_fewer_products_give_the_same_convolution(algorithm, dtype, most, n, channels, tiles):
    dice = torch.Generator().manual_seed(0)
    x = torch.randn(n, channels, *(t * algorithm.m for t in tiles), generator=dice)
    weight = torch.randn(7, channels, 3, 3, generator=dice)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    found = Winograd(weight, algorithm, dtype)(x.to(dtype)).double()
    assert float((found - exact).square().mean().sqrt() / exact.square().mean().sqrt()) < most


# What is asked for and is not there


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"precision": "float8"}, "no precision 'float8': choose auto, float32"),
        ({"back_end": "tensorrt"}, "no back end 'tensorrt': choose auto, torch"),
        ({"precision": "float16"}, "float16 is for GPUs: on a processor choose bfloat16"),
    ],
)
def test_what_there_is_not_is_said_with_the_way_out(tiny, asked, words):
    with pytest.raises(KinesphereError, match=words):
        runtime.compile(tiny, **asked)


def test_openvino_is_missing_and_that_is_said(tiny, monkeypatch):
    monkeypatch.setattr(runtime.compiling, "find_spec", lambda name: None)
    with pytest.raises(KinesphereError, match=r"pip install 'kinesphere\[openvino\]'"):
        runtime.compile(tiny, "openvino")
    assert runtime.fast_back_end(tiny, "float32") == "torch"


# Which engine draws


@pytest.fixture
def speeds(monkeypatch):
    """Engines that take as long as is said, in milliseconds, by (back end, precision)."""
    told = {}
    monkeypatch.setattr(
        governor.compiling, "compile", lambda G, *engine, waits, size=None: (*engine, size) if size else engine
    )
    monkeypatch.setattr(governor.compiling, "fast_precision", lambda device: "bfloat16")
    monkeypatch.setattr(governor, "took", lambda engine, enough: told.get(engine, told["exact"]) / 1e3)

    def speak(torch_full, torch_half, openvino_full, openvino_half, exact=1000.0, smaller=()):
        told.update({("openvino", "bfloat16", size): took for size, took in smaller})
        told.update(
            {("torch", "float32"): torch_full, ("torch", "bfloat16"): torch_half, ("openvino", "float32"): openvino_full,
             ("openvino", "bfloat16"): openvino_half, "exact": exact}
        )  # fmt: skip

    return speak


@pytest.mark.parametrize(
    ("took", "chosen"),
    [
        ((9, 4, 7, 3), ("openvino", "float32")),  # all keep the pace: the fastest that is as exact as the model
        ((19, 9, 40, 3), ("torch", "float32")),
        ((30, 9, 25, 12), ("torch", "bfloat16")),  # only half precision keeps it
        ((400, 90, 300, 70), ("openvino", "bfloat16")),  # nothing keeps it
    ],
)
def test_the_governor_takes_the_fastest_and_half_precision_only_where_the_pace_needs_it(tiny, speeds, took, chosen):
    speeds(*took)
    made, choice = runtime.choose(tiny, 30.0)
    assert made == chosen == (choice.back_end, choice.precision)
    assert ("keeps" in choice.why) == (min(took) < 20)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (("torch", "auto"), ("torch", "float32")),
        (("auto", "half"), ("openvino", "bfloat16")),
        (("exact", "auto"), ("exact", "float32")),
        (("torch", "half"), ("torch", "bfloat16")),
    ],
)
def test_the_governor_tries_only_what_is_asked_for(tiny, speeds, asked, chosen):
    speeds(9, 4, 7, 3)
    _, choice = runtime.choose(tiny, 30.0, *asked)
    assert (choice.back_end, choice.precision) == chosen


@pytest.mark.parametrize(
    ("smaller", "allowed", "size", "words"),
    [
        ([(16, 30), (8, 5)], True, 8, "it keeps 30 pictures a second, drawn at 8 px and enlarged"),
        ([(16, 15), (8, 5)], True, 16, "it keeps 30 pictures a second, drawn at 16 px and enlarged"),
        ([(16, 60), (8, 50)], True, 8, "it comes nearest to 30 pictures a second, drawn at 8 px and enlarged"),
        ([(16, 15)], False, None, "it comes nearest to 30 pictures a second"),
    ],
)
def test_it_is_drawn_smaller_only_where_that_is_allowed_and_needed(tiny, speeds, small, smaller, allowed, size, words):
    speeds(400, 90, 300, 70, smaller=smaller)
    made, choice = runtime.choose(tiny, 30.0, smaller=allowed)
    assert choice.size == size and choice.why == words and made == ("openvino", "bfloat16", *([size] if size else []))
    speeds(9, 4, 7, 3)
    assert runtime.choose(tiny, 30.0, smaller=allowed)[1].size is None


def test_what_cannot_be_had_is_said(tiny):
    with pytest.raises(KinesphereError, match="the exact model computes in float32"):
        runtime.choose(tiny, 30.0, "exact", "half")
    with pytest.raises(KinesphereError, match="OpenVINO"):
        runtime.choose(tiny_generator("stylegan3"), 30.0, "openvino")


def test_what_a_choice_takes_is_measured(tiny):
    made, choice = runtime.choose(tiny, 30.0)
    assert 0 < choice.seconds < 1
    assert likeness(made.synthesis(styles(tiny, 0)), tiny.synthesis(styles(tiny, 0))) >= LEAST[choice.precision]


@pytest.mark.parametrize(
    ("back_end", "place", "words"),
    [
        ("openvino", "b16.conv1", "b16.conv1 is bent: b16 is drawn by torch"),
        ("torch", "b16.conv1", None),
        ("openvino", "b16", None),
        ("openvino", "b16.conv1.noise_const", None),
        ("torch", "b16.conv1.weight", "b16.conv1.weight is bent: b16.conv1 is computed as the exact model does"),
    ],
)
def test_where_bends_make_it_slower_is_said(back_end, place, words):
    assert runtime.detours(back_end, [place]) == ([words] if words else [])


@CHAINED
def test_only_what_lies_after_the_last_cut_is_computed(back_end):
    """Three cuts, before the colours of 4, 8 and 16 px here: what comes before one is remembered from the second change on."""
    G, fast = made("stylegan2", back_end, "float32")
    drawing, ws = fast.synthesis.forward.__self__, styles(G, 0)
    inferred = []
    for i in range(6):
        ws = ws.clone()
        ws[:, 5] += 0.1  # read by the colours of 16 px first, which is step 5
        picture = fast.synthesis(ws)
        inferred.append({(part.at, part.end) for part, run in drawing.runs.items() if run.known is not None})
        assert likeness(picture, G.synthesis(ws)) >= 100, i
    assert inferred[0] == {(0, 8)} and inferred[-1] >= {(0, 5), (5, 8)}
    remembered = drawing.runs[Part(0, 5, 1, "const")].gave
    ws = ws.clone()
    ws[:, 7] += 0.1
    fast.synthesis(ws)
    assert drawing.runs[Part(0, 5, 1, "const")].gave is remembered


@CHAINED
def test_no_picture_waits_for_the_compiler_where_none_may(back_end):
    G = tiny_generator("stylegan2")
    fast = runtime.compile(G, back_end, "float32", waits=False)
    drawing, ws = fast.synthesis.forward.__self__, styles(G, 0)
    fast.synthesis(ws)  # the first one has to
    with bent(fast, *BENDS["warp"](fast, 0.0)), bent(G, *BENDS["warp"](G, 0.0)):
        first = fast.synthesis(ws)
        assert drawing.wanted or len(drawing.runs) > 1
        drawing.compiler.join(60)
        then, exact = fast.synthesis(ws), G.synthesis(ws)
    assert {(part.at, part.end) for part in drawing.runs} == {(0, 8), (0, 6), (6, 8)}
    assert likeness(first, exact) >= 100 and likeness(then, exact) >= 100


@CHAINED
def test_what_cannot_be_compiled_meanwhile_is_drawn_by_torch_and_not_tried_again(back_end, caplog):
    G = tiny_generator("stylegan2")
    fast = runtime.compile(G, back_end, "float32", waits=False)
    drawing, ws = fast.synthesis.forward.__self__, styles(G, 0)
    fast.synthesis(ws)
    asked = []
    drawing.program = lambda synthesis, part: asked.append(part) or 1 / 0
    with bent(fast, *BENDS["warp"](fast, 0.0)), bent(G, *BENDS["warp"](G, 0.0)):
        for _ in range(3):
            assert likeness(fast.synthesis(ws), G.synthesis(ws)) >= 100
            drawing.compiler.join(60)
    assert len(asked) == len(set(asked)) == 2 and "cannot be compiled" in caplog.text


@NEEDS_COMPILER
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_inductor_compiles_draws_what_was_traced(precision, monkeypatch, tmp_path):
    monkeypatch.setattr(inductor, "fused", FUSED)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    G, fast = made("stylegan2", "inductor", precision)
    other = tiny_generator("stylegan2")
    for tensor in other.synthesis.parameters():
        tensor.add_(0.01)
    twin = runtime.compile(other, "inductor", precision)  # whose programs are of the same shapes
    for model, drawer in ((G, fast), (other, twin), (G, fast)):
        ws = styles(model, 1)
        assert likeness(drawer.synthesis(ws), model.synthesis(ws)) >= LEAST[precision]
    with bent(fast, *BENDS["const"](fast, 0.0)), bent(G, *BENDS["const"](G, 0.0)):
        assert likeness(fast.synthesis(ws), G.synthesis(ws)) >= LEAST[precision]


def test_without_a_compiler_inductor_says_what_to_install(tiny, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(KinesphereError, match=r"install g\+\+, or choose torch"):
        runtime.compile(tiny, "inductor")


@NEEDS_OPENVINO
def test_openvino_reports_to_nobody():
    """Its package brings telemetry, which begins a thread as soon as it is imported."""
    script = """
import sys, threading, torch
sys.path.insert(0, "tests")
from conftest import tiny_generator
from kinesphere import runtime
G = tiny_generator("stylegan2")
with torch.inference_mode():
    runtime.compile(G, "openvino").synthesis(torch.zeros(1, G.num_ws, G.w_dim))
print(any(name.startswith("openvino_telemetry.") for name in sys.modules), [t.name for t in threading.enumerate()])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.stdout.split(maxsplit=1) == ["False", "['MainThread']\n"], done.stdout + done.stderr


# Smaller


@pytest.fixture
def small(monkeypatch):
    """Sizes worth looking at, for models of 32 px."""
    monkeypatch.setattr(runtime.smaller, "SMALLEST", 8)


@pytest.mark.parametrize(("back_end", "precision"), ENGINES)
def test_a_smaller_picture_is_the_sum_of_the_smaller_resolutions(small, back_end, precision):
    G, _ = made("stylegan2", back_end, precision)
    fast = runtime.compile(G, back_end, precision, size=16)
    ws = styles(G, 2, n=2)
    x = img = None
    for i, block in enumerate(G.synthesis.blocks()[:3]):
        row = max(2 * i - 1, 0)
        x, img = block(x, img, ws[:, row : row + block.num_conv + 1].unbind(1), "const")
    assert img.shape[2:] == (16, 16)
    drawn = fast.synthesis(ws)
    assert drawn.shape == (2, 3, 32, 32)
    assert likeness(drawn, F.interpolate(img, size=(32, 32), mode="bilinear")) >= LEAST[precision]
    with bent(fast, *BENDS["weights"](fast, 0.0), noise(fast, 0.0, strength=3.0, at="b32.conv1")):
        assert fast.synthesis(ws).shape == drawn.shape
    assert runtime.detours(back_end, ["b32.conv1.noise_strength"], 16) == [
        "b32.conv1.noise_strength is bent, which is not seen at 16 px"
    ]


def test_a_size_that_cannot_be_drawn_is_refused(small, tiny):
    with pytest.raises(KinesphereError, match=r"size 12: this model can be drawn at \[16, 8\]"):
        runtime.compile(tiny, size=12)
    with pytest.raises(KinesphereError, match="size 16: this model can be drawn at its own size only"):
        runtime.compile(tiny_generator("stylegan3"), size=16)


# What compilers keep on the disk


def test_the_disk_is_not_filled_with_what_was_compiled_once(tmp_path):
    for i, name in enumerate(("oldest", "older", "used", "newest")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 + i, 1000 + i))
    os.utime(tmp_path / "oldest", (2000, 1000))  # it was read last
    cache.trim(tmp_path, largest=250)
    assert {file.name for file in tmp_path.iterdir()} == {"oldest", "newest"}
    cache.empty(tmp_path, largest=200)
    assert len(list(tmp_path.iterdir())) == 2
    cache.empty(tmp_path, largest=199)
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_kept_it_is_drawn_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "kinesphere").write_text("a file where a folder should be")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert cache.folder("openvino") is None
