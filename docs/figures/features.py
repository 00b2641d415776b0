"""Draws the picture of docs/features.md next to itself: `python docs/figures/features.py [VIDEO]`.

VIDEO is any film, for instance one of your own stage; without it the built-in clip is taken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import matplotlib
import numpy as np
import torch

from kinesphere.features import Activations
from kinesphere.features.networks import Filterbank
from kinesphere.features.whitening import Whitening
from kinesphere.types import Signal

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
Z_DIM = 512
INK, FAINT, PAPER = "#22252b", "#b9bec7", "#ffffff"
BLUE, ORANGE = "#2f6fde", "#e07b1a"
SHADES = ["#12377f", BLUE, "#cfdcf7", PAPER, "#f9dfc2", ORANGE, "#8a4300"]  # white at 0, blue below, orange above
COSINES = matplotlib.colors.LinearSegmentedColormap.from_list("cosines", SHADES)

plt.style.use(HERE / "house.mplstyle")


def film(path: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """Times in seconds [T] and frames [H, W, 3] of at most the first minute of a video."""
    with av.open(str(path)) as file:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0) if frame.time < 60]
    return np.array([t for t, _ in frames]), [picture for _, picture in frames]


def latents(times: np.ndarray, frames: list[np.ndarray], to_z: str) -> np.ndarray:
    """z [T, z_dim] of unit length, made in order of time and with no second look."""
    feature = Activations(to_z=to_z)
    feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=Z_DIM), D=None))
    zs = [feature(Signal(frame, t)) for t, frame in zip(times, frames, strict=True)]
    return np.array(zs) / np.sqrt(Z_DIM)


def pairs(z: np.ndarray) -> np.ndarray:
    """Cosines of all pairs of different moments."""
    return (z @ z.T)[np.triu_indices(len(z), 1)]


def strip(axes: np.ndarray, times: np.ndarray, frames: list[np.ndarray]) -> None:
    """A row of stills, evenly spaced in time."""
    for ax, t in zip(axes, (np.arange(len(axes)) + 0.5) / len(axes) * times[-1], strict=True):
        i = int(np.searchsorted(times, t))
        ax.imshow(frames[i])
        ax.set_title(f"{times[i]:.1f} s", fontsize=9, loc="center", pad=4)
        ax.axis("off")


def matrix(ax: Axes, z: np.ndarray, times: np.ndarray, title: str) -> matplotlib.image.AxesImage:
    """Cosine of the latents at every two moments."""
    end = times[-1]
    shown = ax.imshow(z @ z.T, cmap=COSINES, vmin=-1, vmax=1, extent=(0, end, end, 0), interpolation="antialiased")
    ax.set(title=title, xlabel="seconds", ylabel="seconds")
    ax.set_xticks(np.arange(0, end + 0.1, max(round(end / 4), 1)))
    ax.set_yticks(ax.get_xticks())
    ax.spines[:].set_visible(False)
    ax.text(0.97, 0.95, f"mean {pairs(z).mean():.2f}", transform=ax.transAxes, ha="right", va="top",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.9})  # fmt: skip
    return shown


def histogram(ax: Axes, plain: np.ndarray, white: np.ndarray) -> None:
    """How often two moments are how close."""
    bins = np.linspace(-1, 1, 81)
    for z, color, name in ((plain, ORANGE, "standardise"), (white, BLUE, "calibrate")):
        heights, _ = np.histogram(pairs(z), bins)
        ax.stairs(heights / heights.max(), bins, fill=True, color=color, alpha=0.85, label=name)
    ax.set(title="All pairs of moments", xlabel="cosine", xlim=(-1, 1.02), yticks=[], ylim=(0, 1.15))
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper left")


def beginning(ax: Axes, plain: np.ndarray, white: np.ndarray, times: np.ndarray) -> None:
    """The mean cosine of all pairs so far, second by second: calibration learns while it plays."""
    ends = np.arange(2, len(times), max(len(times) // 240, 1))
    for z, color, name in ((plain, ORANGE, "standardise"), (white, BLUE, "calibrate")):
        # the sum over all pairs is the square of the sum
        total = np.square(np.cumsum(z, axis=0)[ends - 1]).sum(axis=1)
        ax.plot(times[ends - 1], (total - ends) / (ends * (ends - 1)), color=color, label=name)
    ax.axhline(0.2, color=FAINT, linewidth=1.2, linestyle="--", zorder=0)
    ax.set(
        title="From the first frame on",
        xlabel="seconds played",
        ylabel="mean cosine so far",
        ylim=(0, 1.04),
        xlim=(0, None),
    )
    ax.legend(loc="center right")


def closeness(ax: Axes, plain: np.ndarray, white: np.ndarray, times: np.ndarray) -> None:
    """How close two moments are that lie a given time apart."""
    step = times[-1] / (len(times) - 1)
    lags = np.unique(np.geomspace(1, len(times) * 0.6, 60).astype(int))
    for z, color, name in ((plain, ORANGE, "standardise"), (white, BLUE, "calibrate")):
        along = [np.sum(z[:-lag] * z[lag:], axis=1) for lag in lags]
        ax.plot(lags * step, [c.mean() for c in along], color=color, label=name)
        low, high = zip(*(np.percentile(c, [10, 90]) for c in along), strict=True)
        ax.fill_between(lags * step, low, high, color=color, alpha=0.18, linewidth=0)
    ax.set(
        title="Near in time is near in space", xlabel="seconds apart", ylabel="cosine", xscale="log", ylim=(-0.5, 1.04)
    )
    ax.set_xticks([0.1, 1, 5], ["0.1", "1", "5"])
    ax.legend(loc="lower left")


def milliseconds(work: Callable[[], object]) -> float:
    """The median of a hundred runs, after ten to warm up."""
    taken = []
    for _ in range(110):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[10:]) * 1e3)


def speed(frame: np.ndarray) -> None:
    """Print what a call costs on one thread."""
    bank = Filterbank()
    for width, height in ((160, 90), (320, 180)):
        picture = torch.rand(1, 3, height, width)
        print(f"filter bank, {width} x {height}: {milliseconds(lambda p=picture: bank(p, bank.LAYERS)):.1f} ms")  # type: ignore[misc]
    random = np.random.default_rng(0)
    for channels in (52, 468, 4608):
        whiten = Whitening(20, 120)
        for _ in range(40):
            whiten(random.standard_normal(channels) + 3, 0.03)
        ms = milliseconds(lambda w=whiten, c=channels: w(random.standard_normal(c) + 3, 0.03))  # type: ignore[misc]
        print(f"whitening, {channels} channels: {ms:.1f} ms")
    for size in (160, 320):
        feature = Activations(size=size)
        feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=Z_DIM), D=None))
        ticks = iter(range(1000))
        ms = milliseconds(lambda f=feature, n=ticks: f(Signal(frame, next(n) / 30)))  # type: ignore[misc]
        print(f"activations, size {size}, from {frame.shape[1]} x {frame.shape[0]}: {ms:.1f} ms")


def main() -> None:
    torch.set_num_threads(1)
    times, frames = film(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP)
    plain, white = latents(times, frames, "standardise"), latents(times, frames, "calibrate")
    figure = plt.figure(figsize=(13.2, 10.2), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.14, w_pad=0.1)
    top, middle, bottom = figure.subfigures(3, 1, height_ratios=[1.05, 4.4, 3.6])
    strip(top.subplots(1, 8), times, frames)
    left, centre, right = middle.subplots(1, 3)
    matrix(left, plain, times, "standardise: every moment alike")
    shown = matrix(centre, white, times, "calibrate: every moment itself")
    middle.colorbar(
        shown, ax=[left, centre], shrink=0.7, pad=0.02, label="cosine", ticks=[-1, -0.5, 0, 0.5, 1]
    ).outline.set_visible(False)
    histogram(right, plain, white)
    start, lag = bottom.subplots(1, 2)
    beginning(start, plain, white, times)
    closeness(lag, plain, white, times)
    figure.savefig(HERE / "spread.png")
    for name, z in (("standardise", plain), ("calibrate", white)):
        neighbours = np.sum(z[:-1] * z[1:], axis=1)
        print(
            f"{name:12} mean cosine {pairs(z).mean():.3f}, 1 / mean squared cosine {1 / np.mean(pairs(z) ** 2):.1f}; "
            f"neighbouring frames: median {np.median(neighbours):.4f}, least {neighbours.min():.4f}"
        )
    speed(frames[0])


if __name__ == "__main__":
    main()
