"""Draws following.png next to itself: how near the model stays to a portrait that moves, as bench/following.py measured.

python docs/figures/following.py
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "bench" / "results" / "following.json"
COLOURS = ("#b9bec7", "#9dbdf2", "#2f6fde", "#e07b1a")

plt.style.use(HERE / "house.mplstyle")


def main() -> None:
    measured = json.loads(RESULTS.read_text())
    figure, ax = plt.subplots(figsize=(11, 3.4))
    for row, colour in zip(measured["rows"], COLOURS, strict=True):
        likeness = 1 - np.array(row["unexplained"])
        seconds = np.arange(len(likeness)) / measured["fps"]
        ax.plot(seconds, likeness, color=colour, label=f"{row['way']} ({row['pictures a second']:.0f} a second)")
    ax.set(xlabel="seconds (another sitter at 4 and at 8)", ylim=(0.4, 1), xlim=(0, seconds[-1]))
    ax.set_title("Likeness of the portrait that follows to the one that moves")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4)
    figure.savefig(HERE / "following.png", bbox_inches="tight", pad_inches=0.12)


if __name__ == "__main__":
    main()
