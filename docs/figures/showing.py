"""Draws the picture of docs/showing.md next to itself: `python docs/figures/showing.py`. Prints the table of errors."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

from kinesphere.looks.showing import Map

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))
from test_showing import SMOOTH, errors  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402

INK, PAPER = "#22252b", "#ffffff"
COLOURS = np.array([to_rgb(c) for c in ("#2f6fde", "#e07b1a", "#2a9d6f", "#d1495b", "#7b5ea7")])
POSES = np.array([[0.15, 0.2], [0.8, 0.15], [0.5, 0.55], [0.15, 0.85], [0.85, 0.8], [0.32, 0.24]])
LOOKS = [0, 1, 2, 3, 4, 0]
SEEDS = 6
LOW, HIGH = -0.8, 1.8  # of both features

plt.style.use(HERE / "house.mplstyle")


def field(shown: Map, side: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """The weights [side, side, L] and the confidence [side, side] over a square of two features."""
    axis = np.linspace(LOW, HIGH, side)
    found = [[shown((x, y)) for x in axis] for y in axis]
    return np.array([[w for w, _ in row] for row in found]), np.array([[sure for _, sure in row] for row in found])


def square(ax: Axes, title: str) -> None:
    ax.scatter(*POSES.T, s=70, c=COLOURS[LOOKS], edgecolors=PAPER, linewidths=1.6, zorder=3)
    ax.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), aspect="equal", xticks=[], yticks=[])
    ax.set_xlabel("one feature")
    ax.set_ylabel("another")
    ax.set_title(title)


shown = Map(POSES, LOOKS, np.eye(5))
weights, sure = field(shown)
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14.5, 4.6), width_ratios=[1, 1, 1.25], layout="constrained")
left.imshow(weights @ COLOURS, origin="lower", extent=(LOW, HIGH, LOW, HIGH))
square(left, "How much of each look")
middle.imshow(sure, origin="lower", extent=(LOW, HIGH, LOW, HIGH), cmap="Greys_r", vmin=0, vmax=1)
lines = middle.contour(sure, [0.1, 0.6], colors=["#e07b1a", "#2f6fde"], extent=(LOW, HIGH, LOW, HIGH), linewidths=1.8)
middle.clabel(lines, fmt={0.1: "only the safe look", 0.6: "only the map"}, fontsize=9)
square(middle, "How sure it is")

table = {name: np.mean([errors(name, seed) for seed in range(SEEDS)], axis=0) for name in SMOOTH}
places = np.arange(len(table))
right.barh(places + 0.2, [linear for _, linear in table.values()], 0.38, color="#b9bec7", label="linear fit")
right.barh(places - 0.2, [own for own, _ in table.values()], 0.38, color="#2f6fde", label="by showing")
right.set_yticks(places, list(table))
right.invert_yaxis()
right.set_xlabel("error at poses that were not shown")
right.legend(loc="upper right")
right.set_title("Eight examples")
figure.savefig(HERE / "showing.png")

print("| mapping | by showing | linear fit |\n|---|---|---|")
for name, (own, linear) in table.items():
    print(f"| {name} | {own:.3f} | {linear:.3f} |")
