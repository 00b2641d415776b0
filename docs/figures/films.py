"""Draws the pictures of docs/films.md next to itself: `python docs/figures/films.py`."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path as File

import matplotlib
import numpy as np
import torch
from PIL import Image

from kinesphere import checkpoints
from kinesphere.models import Generator
from kinesphere.studio.contact import sheet
from kinesphere.studio.perceptual import distance
from kinesphere.studio.plans import Plan

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = File(__file__).parent
INK, FAINT, BLUE, ORANGE = "#22252b", "#b9bec7", "#2f6fde", "#e07b1a"
SEEDS = "3, 14, 15, 92"

plt.style.use(HERE / "house.mplstyle")


def speed(G: Generator, even: float) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """The middle of each step of a film, seconds; how much is to be seen in it; when it is at its keys."""
    film = Plan(SEEDS, seconds=12, even=even, fps=Fraction(15)).film(G)
    film.find_pace()
    times = [float(t) for t in film.times()]
    img = [torch.from_numpy(film.frame(t)).permute(2, 0, 1)[None] / 127.5 - 1 for t in [*times, 0.0]]
    steps = np.array([float(distance(a, b)) for a, b in pairwise(img)])
    return np.array(times) + 1 / 30, steps / steps.mean(), film.walks[0].pace.stops


def pace(G: Generator) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), sharey=True)
    for ax, even, color in zip(axes, (0.0, 1.0), (ORANGE, BLUE), strict=True):
        times, steps, stops = speed(G, even)
        spread = steps.std() / steps.mean()
        for stop in stops:
            ax.axvline(stop, color=FAINT, lw=1, ls=(0, (4, 4)))
        ax.plot(times, steps, color=color)
        ax.set_title(f"--even {even:g}: spread {spread:.2f} of the mean")
        ax.set(xlabel="seconds (keys dashed)", xlim=(0, 12), ylim=(0, 2), yticks=[0, 1, 2])
    axes[0].set_ylabel("visible change (mean 1)")
    figure.tight_layout(w_pad=2)
    figure.savefig(HERE / "films-pace.png", bbox_inches="tight", pad_inches=0.12)
    plt.close(figure)


def main() -> None:
    G = checkpoints.load("portraits").G_ema
    preview = sheet(Plan(SEEDS, times="0, 2, 5, 7, 10").film(G)).picture
    Image.fromarray(preview).save(HERE / "films-sheet.jpg", quality=88)
    pace(G)


if __name__ == "__main__":
    main()
