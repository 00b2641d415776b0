"""Draws speed.png next to itself: what bench/speed.py has measured.

python docs/figures/speed.py
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "bench" / "results" / "speed.json"
DRAWN = {
    ("exact", "float32"): ("the model itself, float32", "#b9bec7"),
    ("torch", "float32"): ("torch, float32", "#9dbdf2"),
    ("inductor", "float32"): ("torch.compile, float32", "#a9d9bd"),
    ("openvino", "float32"): ("OpenVINO, float32", "#f3c79a"),
    ("torch", "bfloat16"): ("torch, bfloat16", "#2f6fde"),
    ("inductor", "bfloat16"): ("torch.compile, bfloat16", "#2f9e62"),
    ("openvino", "bfloat16"): ("OpenVINO, bfloat16", "#e07b1a"),
}

plt.style.use(HERE / "house.mplstyle")


def main() -> None:
    measured = json.loads(RESULTS.read_text())
    rows = measured["engines"]
    configs = list(dict.fromkeys(row["config"] for row in rows))
    fig, (left, right) = plt.subplots(1, 2, figsize=(13, 0.74 * len(configs) + 1.6), width_ratios=[2.1, 1])
    height = 0.8 / len(DRAWN)
    for i, (engine, (label, color)) in enumerate(DRAWN.items()):
        found = {row["config"]: row["times plain"] for row in rows if (row["engine"], row["precision"]) == engine}
        ys = [c - 0.4 + (i + 0.5) * height for c, config in enumerate(configs) if config in found]
        bars = left.barh(ys, [found[c] for c in configs if c in found], height * 0.9, color=color, label=label)
        left.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    left.axvline(1, color="#22252b", linewidth=1)
    left.set_yticks(range(len(configs)), configs)
    left.invert_yaxis()
    left.set_xlabel("times as fast as the plain formulation")
    left.set_title("Each configuration, channel base / most channels")
    left.set_xlim(0, 5.6)
    left.legend(loc="upper right")
    for config, color in zip(
        dict.fromkeys(row["config"] for row in measured["changed"]), ("#2f6fde", "#e07b1a"), strict=False
    ):
        some = [row for row in measured["changed"] if row["config"] == config]
        right.plot([row["first changed row"] / (len(some) - 1) for row in some], [row["times as fast as all"] for row in some],
                   color=color, marker="o", markersize=4, label=config)  # fmt: skip
    right.set_yscale("log")
    right.set_yticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    right.minorticks_off()
    right.set_xticks([0, 0.5, 1], ["coarsest", "", "colours"])
    right.set_xlabel("first row that has changed")
    right.set_title("Only what has changed is drawn")
    right.set_ylabel("times as fast as all of it")
    right.legend()
    fig.tight_layout(w_pad=3)
    fig.savefig(HERE / "speed.png")


if __name__ == "__main__":
    main()
