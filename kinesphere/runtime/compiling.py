"""From a generator to the same one on a faster engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor

from kinesphere.models import Generator, StyleGAN2
from kinesphere.ops import fast_dtype, to_pixels
from kinesphere.runtime import graphs, smaller
from kinesphere.runtime.chain import Synthesis
from kinesphere.runtime.fixed import fixed
from kinesphere.runtime.memory import remember
from kinesphere.types import KinesphereError

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BACK_ENDS = ("torch", "openvino", "inductor")
QUICK = ("torch", "openvino")  # that are ready within seconds
CHAINED = {"openvino": "OpenVINO", "inductor": "inductor"}  # programs for runs of a StyleGAN2's steps, see `chain`
COMPILERS = ("g++", "clang++", "cl")  # of C++


def compile(
    G: Generator,
    back_end: str = "auto",
    precision: str = "auto",
    remembers: bool = True,
    waits: bool = True,
    size: int | None = None,
) -> Generator:
    """`G` on a faster engine, on the device on which it is.

    `back_end`: one of BACK_ENDS, or "auto", the fastest that is installed and ready within seconds; "inductor" takes its time.
    `precision`: "float32" (100 dB and more beside `G`), "bfloat16" or "float16" (44 dB and more), or "auto", the half precision
    that the device computes fast, where there is one. `remembers`: what has not changed since the last picture is not computed
    again, which keeps every layer's output. `waits`: whether a picture may wait for a compiler; otherwise what is not compiled
    yet is drawn by torch meanwhile, but for the first picture of all. `size`: one of `sizes(G)`, at which it is drawn and then
    enlarged, pixels.
    Raises KinesphereError where this machine has not what is asked for, or it cannot draw this generator.
    """
    device = G.w_avg.device
    precision = fast_precision(device) if precision == "auto" else precision
    back_end = fast_back_end(G, precision) if back_end == "auto" else back_end
    if precision not in PRECISIONS:
        raise KinesphereError(f"no precision {precision!r}: choose auto, {', '.join(PRECISIONS)}")
    if back_end not in BACK_ENDS:
        raise KinesphereError(f"no back end {back_end!r}: choose auto, {', '.join(BACK_ENDS)}")
    if words := lacking(G, back_end, precision):
        raise KinesphereError(words)
    if size is not None and size not in smaller.sizes(G):
        raise KinesphereError(f"size {size}: this model can be drawn at {smaller.sizes(G) or 'its own size only'}")
    dtype = PRECISIONS[precision]
    made = fixed(G, dtype, fuses=back_end == "inductor")
    if size is not None:
        smaller.drop(made, size)  # type: ignore[arg-type]
    if back_end != "torch":
        program = import_module(f"kinesphere.runtime.{back_end}").program
        made.synthesis.__dict__["forward"] = Synthesis(made, dtype, program, remembers, waits).forward  # type: ignore[arg-type]
    if remembers and device.type == "cpu":  # elsewhere to compare is to wait
        remember(made)
    if size is not None:
        smaller.enlarge(made)  # type: ignore[arg-type]
    if device.type == "cuda":
        graphs.install(made)
    return made


def pixels(G: Generator, ws: Tensor, noise_mode: str = "const") -> np.ndarray:
    """Pictures [N, H, W, 3] uint8 on the host, as fast as a generator, compiled or not, can bring them there."""
    quick = G.__dict__.get("pixels")
    return quick(ws, noise_mode) if quick else to_pixels(G.synthesis(ws, noise_mode=noise_mode)).cpu().numpy()


def lacking(G: Generator, back_end: str, precision: str) -> str:
    """Why a generator cannot be drawn so here, in words, with the way out; "" where it can."""
    device = G.w_avg.device.type
    if precision == "float16" and device == "cpu":
        return "float16 is for GPUs: on a processor choose bfloat16"
    if back_end == "openvino" and find_spec("openvino") is None:
        return "OpenVINO is not installed: pip install 'kinesphere[openvino]', or choose torch"
    if back_end == "inductor" and not compiler():
        return "inductor needs a C++ compiler, and there is none here: install g++, or choose torch"
    if back_end in CHAINED:
        if device != "cpu":
            return f"{CHAINED[back_end]} draws on the processor, and this model is on {device}: choose torch"
        if not isinstance(G, StyleGAN2):
            return f"{CHAINED[back_end]} draws StyleGAN2, and this is {G.family}: choose torch"
        if G.config["architecture"] == "resnet":
            return f"{CHAINED[back_end]} draws no residual blocks: choose torch"
    return ""


def compiler() -> str | None:
    """The C++ compiler of this machine; None: it has none."""
    return next(filter(None, map(shutil.which, filter(None, (os.environ.get("CXX"), *COMPILERS)))), None)


def detours(back_end: str, places: Iterable[str], size: int | None = None) -> list[str]:
    """Where bends at these places of a generator make a back end slower, or what is drawn at `size` leaves them out, in words."""
    words = []
    for place in places:
        part, _, name = place.rpartition(".")
        if size is not None and int(place.partition(".")[0][1:]) > size:
            words.append(f"{place} is bent, which is not seen at {size} px")
        elif name in ("weight", "bias", "magnitude_ema"):
            words.append(f"{place} is bent: {part} is computed as the exact model does")
        elif back_end in CHAINED and name in ("conv0", "conv1", "torgb", "affine"):
            words.append(f"{place} is bent: {place.partition('.')[0]} is drawn by torch")
    return words


def fast_precision(device: torch.device) -> str:
    """The precision that a device computes fastest in."""
    return str(fast_dtype(device)).removeprefix("torch.")


def fast_back_end(G: Generator, precision: str) -> str:
    """The fastest back end that is installed."""
    return "torch" if lacking(G, "openvino", precision) else "openvino"
