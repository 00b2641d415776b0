"""How fast the generators are, beside the plain formulation and beside what the machine can do at all.

Run: python bench/speed.py [--only 'f1024,paper256'] [--rounds 15]

Every engine of one configuration takes its turn in each round, so that what happens to the machine happens to all alike; figures
are medians. The plain formulation is bench/plain.py. Weights are random, noise and biases are not zero, RGB has a spread of 0.4;
PSNR is against the exact model, for a range of 2. All sides run with the allocator that keeps its memory (kinesphere/startup.py).
The ceiling is what a 3x3 convolution of 256 channels at 128 px reaches on this machine in the same run. Saves
bench/results/speed.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from plain import plain  # noqa: E402
from torch import Tensor  # noqa: E402

from kinesphere import runtime  # noqa: E402
from kinesphere.models import Generator, StyleGAN2, StyleGAN3  # noqa: E402

HERE = Path(__file__).parent


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


def interleaved(engines: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, medians."""
    took: dict[str, list[float]] = {name: [] for name in engines}
    for i in range(rounds + 1):
        for name, run in engines.items():
            began = time.perf_counter()
            run()
            if i:
                took[name].append((time.perf_counter() - began) * 1e3)
    return {name: statistics.median(times) for name, times in took.items()}


def ceiling(dtype: torch.dtype, n: int = 20) -> float:
    """GFLOP/s of a 3x3 convolution, 256 channels at 128 px."""
    x = torch.randn(1, 256, 128, 128).to(dtype, memory_format=torch.channels_last)
    w = torch.randn(256, 256, 3, 3).to(dtype, memory_format=torch.channels_last)
    times = []
    for _ in range(n):
        began = time.perf_counter()
        F.conv2d(x, w, padding=1)
        times.append(time.perf_counter() - began)
    return 2 * 9 * 256**2 * 128**2 / statistics.median(times) / 1e9


@torch.inference_mode()
def measure(name: str, rounds: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    G = stirred(CONFIGS[name]())
    ws = G.mapping(torch.randn(1, G.z_dim))
    ref = G.synthesis(ws)
    drawn: dict[str, Callable[[Tensor], Tensor]] = {"plain": plain(G), "exact": G.synthesis}
    for back_end in runtime.BACK_ENDS:
        if back_end == "openvino" and not isinstance(G, StyleGAN2):
            continue
        for precision in ("float32", "bfloat16"):
            made = runtime.compile(G, back_end, precision, remembers=False)
            drawn[f"{back_end} {precision}"] = made.synthesis
    ms = interleaved({engine: lambda draw=draw: draw(ws) for engine, draw in drawn.items()}, rounds)
    top = {"float32": ceiling(torch.float32), "bfloat16": ceiling(torch.bfloat16)}
    flop = gflop(G)
    rows = []
    for engine, draw in drawn.items():
        precision = "bfloat16" if "bfloat16" in engine else "float32"
        rows.append({
            "config": name, "engine": engine, "ms": round(ms[engine], 2), "times plain": round(ms["plain"] / ms[engine], 2),
            "of the ceiling": round(flop / ms[engine] * 1e3 / top[precision], 2), "PSNR": psnr(draw(ws), ref),
        })  # fmt: skip
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--only", default="")
    ask.add_argument("--rounds", type=int, default=15)
    given = ask.parse_args()
    for name in CONFIGS:
        if given.only in name:
            measure(name, given.rounds)


if __name__ == "__main__":
    main()
