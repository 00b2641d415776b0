"""How fast the generators are, beside the plain formulation and beside what the machine can do at all.

Run: python bench/speed.py [--only '256 px'] [--rounds 15] [--device cuda]

Every engine of one configuration draws three pictures in each round, of which the first is not counted, so that what happens to
the machine happens to all alike; figures are medians. The plain formulation is bench/plain.py. Weights are random, noise and biases
are not zero, RGB has a spread of 0.4; PSNR is against the exact model, for a range of 2. All sides keep their memory
(kinesphere/startup.py). The ceiling is what a 3x3 convolution of 256 channels at 128 px reaches on this machine in the
same run. On a GPU the runtime's engines are CUDA graphs, and the same model under torch.compile alone stands beside them; a
profile of each is kept in the folder --profiles. Saves bench/results/speed.json, of a GPU speed-cuda.json; --docs puts the former
into docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from plain import plain  # noqa: E402
from stage import about, save  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.profiler import profile  # noqa: E402

from kinesphere import runtime  # noqa: E402
from kinesphere.models import Generator, StyleGAN2, StyleGAN3  # noqa: E402

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "results" / "speed.json", HERE.parent / "docs" / "speed.md"
HEADING = "## How fast it is\n"
INTRODUCTION = """
How many times as fast as the plain formulation that other code bases use (bench/plain.py: styles multiply the weights in one
grouped convolution, channels first, float32, zeros between the pixels), all in one process, in turn, on the same weights; in
brackets the share of what this machine's convolutions reach at all in that precision, and the likeness to the exact model. Batch 1,
random weights.

![Every engine beside the plain formulation, and what a picture takes when only some rows have changed](figures/speed.png)

"""


def stylegan2(size: int, base: int, most: int) -> StyleGAN2:
    rs = [4 << i for i in range(size.bit_length() - 2)]
    return StyleGAN2(img_resolution=size, channels=[min(base // r, most) for r in rs], conv_clamp=256.0)


CONFIGS: dict[str, Callable[[], Generator]] = {
    "1024 px, 32768 / 512": lambda: stylegan2(1024, 32768, 512),
    "512 px, 32768 / 512": lambda: stylegan2(512, 32768, 512),
    "256 px, 32768 / 512": lambda: stylegan2(256, 32768, 512),
    "256 px, 16384 / 512": lambda: stylegan2(256, 16384, 512),
    "256 px, 8192 / 256": lambda: stylegan2(256, 8192, 256),
    "128 px, 8192 / 256": lambda: stylegan2(128, 8192, 256),
    "256 px, 4096 / 128": lambda: stylegan2(256, 4096, 128),
    "128 px, 4096 / 128": lambda: stylegan2(128, 4096, 128),
    "StyleGAN3-T, 256 px, 16384 / 512": lambda: StyleGAN3(img_resolution=256, channel_base=16384, channel_max=512),
}


def stirred(G: Generator) -> Generator:
    """Random weights with nothing at its default, and pictures of spread 0.4."""
    dice = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, p in G.named_parameters():
            if name.endswith(("noise_strength", ".bias")) and "affine" not in name:
                p.add_(torch.randn(p.shape, generator=dice) * 0.1)
        ws = G.mapping(torch.randn(1, G.z_dim, generator=dice))
        spread = G.synthesis(ws).std()
        for name, p in G.named_parameters():
            if "torgb.weight" in name or "torgb.bias" in name:
                p.mul_(0.4 / spread)
        if isinstance(G, StyleGAN3):
            G.synthesis.output_scale *= 0.4 / float(spread)
    return G.eval().requires_grad_(False)


def psnr(a: Tensor, b: Tensor) -> float:
    return round(float(10 * torch.log10(4 / (a - b).square().mean())), 1)


def gflop(G: Generator) -> float:
    """Of the convolutions of a picture; a transposed one of nine taps has nine products for each pixel of its input."""
    counted = 0

    def count(layer: Any, given: tuple[Tensor, ...], out: Tensor) -> None:
        pixels = out.shape[2] * out.shape[3] // (4 if getattr(layer, "up_filter", None) is not None else 1)
        nonlocal counted
        counted += 2 * layer.weight.numel() * pixels

    hooks = [
        layer.register_forward_hook(count)
        for name, layer in G.layers().items()
        if hasattr(layer, "weight") and name != "input"
    ]
    G.synthesis(G.mapping(torch.zeros(1, G.z_dim)))
    for hook in hooks:
        hook.remove()
    return counted / 1e9


def interleaved(engines: dict[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """Milliseconds of each, medians. In its turn each draws three times, of which the first, on another's cache, is not counted."""
    took: dict[Any, list[float]] = {name: [] for name in engines}
    for i in range(rounds + 1):
        for name, run in engines.items():
            for turn in range(3):
                began = time.perf_counter()
                run()
                if torch.cuda.is_initialized():
                    torch.cuda.synchronize()
                if i and turn:
                    took[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(times) for name, times in took.items()}


def ceiling(dtype: torch.dtype, device: str) -> float:
    """GFLOP/s of a 3x3 convolution, 256 channels at 128 px."""
    x = torch.randn(1, 256, 128, 128, device=device).to(dtype, memory_format=torch.channels_last)
    w = torch.randn(256, 256, 3, 3, device=device).to(dtype, memory_format=torch.channels_last)
    ms = interleaved({"convolution": lambda: F.conv2d(x, w, padding=1)}, 10)["convolution"]
    return 2 * 9 * 256**2 * 128**2 / ms / 1e6


@torch.inference_mode()
def engines(name: str, rounds: int, device: str, profiles: Path | None) -> list[dict[str, Any]]:
    """One row for each engine: milliseconds, times plain, share of the ceiling, PSNR."""
    G = stirred(CONFIGS[name]())
    flop = gflop(G)
    G = G.to(device)
    ws = G.mapping(torch.randn(1, G.z_dim, device=device))
    exact = G.synthesis(ws)
    drawn: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {
        ("plain", "float32"): plain(G),
        ("exact", "float32"): G.synthesis,
    }
    for back_end in runtime.BACK_ENDS:
        for precision in ("float32", runtime.fast_precision(G.w_avg.device)):
            if not runtime.lacking(G, back_end, precision):
                drawn[back_end, precision] = runtime.compile(G, back_end, precision, remembers=False).synthesis
    if device != "cpu":
        drawn["torch.compile alone", "float32"] = torch.compile(G.synthesis.forward, dynamic=False)
    ms = interleaved({engine: lambda draw=draw: draw(ws) for engine, draw in drawn.items()}, rounds)
    top = {precision: ceiling(getattr(torch, precision), device) for _, precision in drawn}
    rows = []
    for (engine, precision), draw in drawn.items():
        took = ms[engine, precision]
        rows.append({
            "config": name, "engine": engine, "precision": precision, "ms": round(took, 2),
            "times plain": round(ms["plain", "float32"] / took, 2), "of the ceiling": round(flop / took * 1e3 / top[precision], 2),
            "PSNR dB": None if engine == "exact" else psnr(draw(ws), exact),
        })  # fmt: skip
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
        if profiles is not None:
            kept = profiles / f"{name}, {engine}, {precision}.txt".replace(" / ", "-")
            kept.write_text(profiled(lambda draw=draw: draw(ws)))
    return rows


def profiled(draw: Callable[[], Any]) -> str:
    """What ten pictures spend their time on, as a table."""
    with profile() as found:
        for _ in range(10):
            draw()
    return str(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=70))


@torch.inference_mode()
def changed(name: str, rounds: int) -> list[dict[str, Any]]:
    """What a picture takes when only the rows from one on have changed since the last; one row for each layer that can be first."""
    fast = runtime.compile(stirred(CONFIGS[name]()))
    ws = fast.mapping(torch.randn(1, fast.z_dim))

    rows = []
    resolutions = fast.row_resolutions()
    for row in range(fast.num_ws):
        times = []
        for i in range(rounds + 4):
            fast.synthesis(ws)
            other = ws.clone()
            other[:, row:] += 0.1 * torch.randn(1, fast.num_ws - row, fast.w_dim)
            began = time.perf_counter()
            fast.synthesis(other)
            if i >= 4:  # by then it knows what stays
                times.append((time.perf_counter() - began) * 1e3)
        rows.append(
            {"config": name, "first changed row": row, "px": resolutions[row], "ms": round(statistics.median(times), 2)}
        )
    for one in rows:
        one["times as fast as all"] = round(rows[0]["ms"] / one["ms"], 2)
        print("  ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    return rows


@torch.inference_mode()
def batches(name: str, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds for each picture of a batch."""
    fast = runtime.compile(stirred(CONFIGS[name]()), remembers=False)
    ws = {n: fast.mapping(torch.randn(n, fast.z_dim)) for n in (1, 2, 4, 8)}
    ms = interleaved({n: lambda n=n: fast.synthesis(ws[n]) for n in ws}, rounds)
    rows = [{"config": name, "batch": n, "ms for each": round(took / n, 2)} for n, took in ms.items()]
    for one in rows:
        print("  ".join(f"{key} {value}" for key, value in one.items()), flush=True)
    return rows


def docs() -> None:
    """Put the saved figures into the docs."""
    result = json.loads(RESULTS.read_text())
    found = {(row["config"], row["engine"], row["precision"]): row for row in result["engines"]}
    columns = [
        ("exact", "float32"),
        ("torch", "float32"),
        ("inductor", "float32"),
        ("openvino", "float32"),
        ("torch", "bfloat16"),
        ("inductor", "bfloat16"),
        ("openvino", "bfloat16"),
    ]
    lines = [
        "| configuration | plain | the model itself | torch, float32 | inductor, float32 | OpenVINO, float32 "
        "| torch, bfloat16 | inductor, bfloat16 | OpenVINO, bfloat16 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for config in dict.fromkeys(row["config"] for row in result["engines"]):
        cells = [f"{found[config, 'plain', 'float32']['ms']:.0f} ms"]
        for engine in columns:
            row = found.get((config, *engine))
            likeness = "" if row is None or row["PSNR dB"] is None else f", {row['PSNR dB']:.0f} dB"
            cells.append("" if row is None else f"{row['times plain']:.2f} ({row['of the ceiling']:.0%}{likeness})")
        lines.append(f"| {config} | {' | '.join(cells)} |")
    about = f"{result['machine']}, torch {result['torch']}, commit {result['commit']}: `{result['command']}`"
    page = DOCS.read_text()
    DOCS.write_text(page[: page.index(HEADING)] + HEADING + INTRODUCTION + "\n".join([*lines, "", about, ""]))


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--docs", action="store_true", help="only put the saved figures into docs/speed.md")
    ask.add_argument("--only", default="", help="configurations whose name has this in it")
    ask.add_argument("--rounds", type=int, default=15)
    ask.add_argument("--device", default="cpu")
    ask.add_argument("--profiles", type=Path, help="a folder for what each engine spends its time on")
    ask.add_argument("--out", type=Path, help="default bench/results/speed.json, or speed-DEVICE.json")
    given = ask.parse_args()
    if given.docs:
        docs()
        return
    torch.manual_seed(0)
    if given.profiles is not None:
        given.profiles.mkdir(parents=True, exist_ok=True)
    names = [name for name in CONFIGS if given.only in name]
    result = about("speed.py", given, sys.argv[1:])
    if given.device != "cpu":
        result["machine"] += f", {torch.cuda.get_device_name()}"
    result["engines"] = [row for name in names for row in engines(name, given.rounds, given.device, given.profiles)]
    if given.device == "cpu":  # a GPU's graphs draw everything again, one batch size for each
        whole, small = ("1024 px, 32768 / 512", "256 px, 16384 / 512"), "256 px, 4096 / 128"
        result["changed"] = [row for name in names if name in whole for row in changed(name, 5)]
        result["batches"] = [row for name in names if name == small for row in batches(name, 15)]
    save(
        result, given.out or RESULTS.with_name("speed.json" if given.device == "cpu" else f"speed-{given.device}.json")
    )


if __name__ == "__main__":
    main()
