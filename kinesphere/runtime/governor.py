"""Which engine draws: the fastest on this machine, as measured on it, in half precision only where the pace needs that."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from kinesphere.models import Generator
from kinesphere.runtime import compiling
from kinesphere.runtime.smaller import sizes
from kinesphere.types import KinesphereError

SHARE = 0.6  # of the time for a picture that drawing it may take: the rest is for features, sinks and other programs
TRIES = 5  # pictures that are timed; the first one of an engine, which makes itself ready, is not
ASKED_BACK_ENDS = ("auto", "exact", *compiling.BACK_ENDS)
ASKED_PRECISIONS = ("auto", "float32", "half")


@dataclass(frozen=True)
class Choice:
    """What draws, and why."""

    back_end: str  # "exact" or one of compiling.BACK_ENDS
    precision: str  # one of compiling.PRECISIONS
    seconds: float  # for one picture of which everything changes
    why: str  # in words
    size: int | None = None  # pixels at which it is drawn and then enlarged; None: its own


@torch.inference_mode()
def choose(
    G: Generator, fps: float, back_end: str = "auto", precision: str = "auto", smaller: bool = False
) -> tuple[Generator, Choice]:
    """`G` on the fastest engine of the highest precision that draws `fps` pictures a second with time to spare.

    Where none does, on the fastest of all; `smaller` then allows the largest smaller size that keeps the pace. `back_end` and
    `precision`, of ASKED_BACK_ENDS and ASKED_PRECISIONS, narrow what is tried. Needs the machine for a second or two, to measure.
    Raises KinesphereError where nothing of that can be had here.
    """
    half = compiling.fast_precision(G.w_avg.device)
    levels = dict.fromkeys({"auto": ("float32", half), "float32": ("float32",), "half": (half,)}[precision])
    backs = compiling.QUICK if back_end == "auto" else (back_end,)
    lacking = {(back, level): _lacking(G, back, level) for level in levels for back in backs}
    if all(lacking.values()):
        raise KinesphereError(next(iter(lacking.values())))
    tried: list[tuple[float, str, str, Generator]] = []
    for level in levels:
        for back in backs:
            if not lacking[back, level]:
                made = G if back == "exact" else compiling.compile(G, back, level, waits=False)
                tried.append((took(made, SHARE / fps), back, level, made))
        if any(seconds <= SHARE / fps for seconds, *_ in tried):
            break
    seconds, back, level, made = min(tried, key=lambda one: one[0])
    size = None
    for smaller_size in sizes(G) if smaller and back != "exact" else []:
        if seconds <= SHARE / fps:
            break
        size, made = smaller_size, compiling.compile(G, back, level, waits=False, size=smaller_size)
        seconds = took(made, SHARE / fps)
    keeps = "keeps" if seconds <= SHARE / fps else "comes nearest to"
    why = f"it {keeps} {fps:g} pictures a second"
    if size is not None:
        why += f", drawn at {size} px and enlarged"
    elif sum(not words for words in lacking.values()) == 1:
        why = "as asked for"
    return made, Choice(back, level, seconds, why, size)


def _lacking(G: Generator, back_end: str, precision: str) -> str:
    if back_end == "exact":
        return (
            ""
            if precision == "float32"
            else "the exact model computes in float32: choose another back end for half precision"
        )
    return compiling.lacking(G, back_end, precision)


def took(G: Generator, enough: float = float("inf")) -> float:
    """Seconds for one picture, the median; only the first few tries where they take far longer than `enough`."""
    times: list[float] = []
    for _ in range(TRIES + 1):
        times.append(timed(G))
        if len(times) > 1 and times[-1] > 3 * enough:
            break
    return statistics.median(times[1:])


@torch.inference_mode()
def timed(G: Generator, pictures: int = 1) -> float:
    """Seconds for the last of some pictures of which everything changes."""
    dice = torch.Generator(G.w_avg.device)  # nobody else's
    dice.seed()
    for _ in range(pictures):
        ws = G.w_avg + 0.1 * torch.randn(1, G.num_ws, G.w_dim, generator=dice, device=G.w_avg.device)
        began = time.perf_counter()
        img = G.synthesis(ws)
        if img.is_cuda:
            torch.cuda.synchronize()
    return time.perf_counter() - began
