"""Draws the pictures of docs/latents.md and docs/routes.md next to itself: `python docs/figures/latents.py`."""

from __future__ import annotations

from pathlib import Path as File

import matplotlib
import numpy as np
import torch

from kinesphere.latent import Path, drift, lerp, mix, mixing_desk, psi_grid, seed_to_z, seeds_to_z, slerp, truncate
from kinesphere.routes import CURVES, Follower, OneEuro, Route, Spring, shape

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

HERE = File(__file__).parent
FIRST, SECOND = 82, 85  # two seeds far enough apart to be drawn
INK, FAINT, PAPER = "#22252b", "#b9bec7", "#ffffff"
BLUE, ORANGE, GREEN, RED, VIOLET = "#2f6fde", "#e07b1a", "#2a9d6f", "#d1495b", "#7b5ea7"

plt.style.use(HERE / "house.mplstyle")


def small_w(z: torch.Tensor) -> torch.Tensor:
    """A made-up mapping network with a W that can be drawn: z [N, 64] -> w [N, 2], lopsided and bent as a real one is."""
    z = z * z.square().mean(1, keepdim=True).rsqrt()
    return torch.stack([1.7 * z[:, 0] + 0.25 * z[:, 1].square(), 0.75 * z[:, 1] + 0.2 * z[:, 0].square()], 1)


def save(figure: plt.Figure, name: str) -> None:
    figure.savefig(HERE / name, bbox_inches="tight", pad_inches=0.12)
    plt.close(figure)


# ---- latents


def truncation(ax: Axes) -> None:
    """W as a cloud; two seeds' lines through the mean, with psi written on them."""
    cloud = small_w(seeds_to_z(range(1600), 64))
    w_avg = cloud.mean(0)
    ax.scatter(cloud[:, 0], cloud[:, 1], s=7, color=FAINT, linewidths=0, alpha=0.7)
    for seed, color, below in ((FIRST, BLUE, (9, 4)), (SECOND, ORANGE, (4, -15))):
        w = small_w(seed_to_z(seed, 64))
        line = truncate(w.expand(9, 2), w_avg, psi_grid(9))
        ax.plot(line[:, 0], line[:, 1], color=color, zorder=2)
        ax.scatter(line[:, 0], line[:, 1], s=26, color=PAPER, edgecolors=color, linewidths=1.6, zorder=3)
        ax.scatter(w[:, 0], w[:, 1], s=75, color=color, zorder=4)
        for psi, place in zip(psi_grid(9), line, strict=True):
            if psi in (-0.5, 0.5, 1.0, 1.5):
                name = f"1: seed {seed}" if psi == 1 else f"{psi:g}".replace("-", "−")
                ax.annotate(
                    name,
                    (float(place[0]), float(place[1])),
                    below if psi < 0 else (9, 3),
                    textcoords="offset points",
                    color=color,
                    weight="bold",
                    fontsize=10.5,
                )
    ax.scatter(w_avg[0], w_avg[1], s=95, color=INK, zorder=5)
    ax.annotate(
        "0: w_avg",
        (float(w_avg[0]), float(w_avg[1])),
        (-17, -5),
        textcoords="offset points",
        ha="right",
        weight="bold",
        fontsize=10.5,
    )
    ax.set_title("Truncation: a seed, its caricature (above 1) and its opposite (below 0)")
    ax.set(aspect="equal", xlim=(-5.2, 6.6), ylim=(-3.0, 4.0))
    ax.set_axis_off()


def mixing(ax: Axes) -> None:
    """Rows of ws as coloured cells: whose they are."""
    num_ws, colors = 14, [np.array(matplotlib.colors.to_rgb(c)) for c in (BLUE, ORANGE, GREEN)]
    a, b, c = (torch.from_numpy(color).expand(num_ws, 3) for color in colors)
    ramp = np.linspace(0, 1, num_ws)
    desk = np.stack([np.clip(1 - 2 * ramp, 0, 1), 1 - np.abs(2 * ramp - 1), np.clip(2 * ramp - 1, 0, 1)], 1)
    columns = {
        "A": a,
        "B": b,
        "C": c,
        "B's\ncoarse": mix(a, b, slice(0, 4)),
        "B's fine,\nhalf": mix(a, b, slice(8, 14), 0.5),
        "soft": mix(a, b, amount=ramp),
        "desk": mixing_desk([a, b, c], desk, torch.zeros(3)),
    }
    for number, (name, rows) in enumerate(columns.items()):
        x = 1.25 * number + (0.5 if number > 2 else 0)
        for row, color in enumerate(rows.numpy()):
            ax.add_patch(plt.Rectangle((x, -row), 1, 0.82, color=np.clip(color, 0, 1), lw=0))
        ax.text(x + 0.5, 1.15, name, ha="center", va="bottom", fontsize=10.5, linespacing=1.05)
    for row, band in ((0, "coarse"), (4, "middle"), (8, "fine")):
        ax.text(-0.3, 0.4 - row, band, ha="right", va="center", fontsize=10.5)
    ax.set_title("Mixing: the rows of ws, and whose they are", pad=14)
    ax.set(xlim=(-2.0, 9.2), ylim=(-13.4, 3.2))
    ax.set_axis_off()


def places() -> None:
    figure, axes = plt.subplots(1, 2, figsize=(13.2, 4.6), width_ratios=(1.45, 1))
    truncation(axes[0])
    mixing(axes[1])
    figure.tight_layout(w_pad=2)
    save(figure, "latents-places.png")


def kinds(ax: Axes) -> None:
    """One coordinate of a loop through five keys, over its seam."""
    keys = torch.tensor([[0.1], [1.0], [1.05], [-0.8], [-0.1]]).double()
    t = np.linspace(0, 7, 700)
    for kind, color, width in (
        ("linear", FAINT, 1.6),
        ("monotone", GREEN, 1.7),
        ("akima", ORANGE, 1.7),
        ("cubic", BLUE, 2.4),
    ):
        ax.plot(t, Path(keys, loop=True, kind=kind)(t)[:, 0], color=color, lw=width, label=kind)
    ax.scatter(np.arange(8), keys[np.arange(8) % 5, 0], s=34, color=INK, zorder=5)
    ax.axvline(5, color=INK, lw=1, ls=(0, (4, 4)))
    ax.annotate("seam", (5, -1.42), (5, 0), textcoords="offset points", fontsize=10)
    ax.set_title("A loop through five keys: one coordinate")
    ax.set(xlabel="seconds", xlim=(0, 7), ylim=(-1.5, 2.1), yticks=[-1, 0, 1])
    ax.legend(loc="upper left", ncols=2, handlelength=1.4, borderaxespad=0.2, columnspacing=1.2)


def pace(ax: Axes) -> None:
    a, b = seed_to_z(1, 512).double(), seed_to_z(2, 512).double()
    t = np.linspace(0, 1, 400)
    for name, move, color in (("lerp", lerp, ORANGE), ("slerp", slerp, BLUE)):
        way = torch.nn.functional.normalize(move(a, b, t))
        speed = (way[1:] - way[:-1]).norm(dim=1)
        ax.plot(t[1:], speed / speed.mean(), color=color, label=name)
    ax.set_title("Z, from seed to seed: the pace")
    ax.set(xlabel="t", ylabel="speed (mean 1)", ylim=(0, 1.6), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1, 1.5])
    ax.legend(loc="lower center", ncols=2)


def wander(ax: Axes) -> None:
    t = np.linspace(0, 16, 800)
    for harmonics, color in ((6, BLUE), (2, ORANGE)):
        ax.plot(t, drift(4, 8, t, period=10, harmonics=harmonics)[:, 2], color=color, label=f"harmonics {harmonics}")
    ax.axvline(10, color=INK, lw=1, ls=(0, (4, 4)))
    ax.annotate("period", (10, -2.75), (5, 0), textcoords="offset points", fontsize=10)
    ax.set_title("Drift: one coordinate of z")
    ax.set(xlabel="seconds", xlim=(0, 16), ylim=(-2.9, 3.9), yticks=[-2, 0, 2])
    ax.legend(loc="upper left", ncols=1, handlelength=1.4, borderaxespad=0.2)


def moves() -> None:
    figure, axes = plt.subplots(1, 3, figsize=(13.2, 3.9), width_ratios=(1.2, 0.9, 1.2))
    for draw, ax in zip((kinds, pace, wander), axes, strict=True):
        draw(ax)
    figure.tight_layout(w_pad=2.5)
    save(figure, "latents-moves.png")


# ---- routes

STEPS = (
    ("hold", "not a number:\nthe last one"),
    ("unwrap", "angles go the\nshort way"),
    ("normalise", "in_low..in_high\nto 0..1"),
    ("one_euro", "no trembling"),
    ("clamp", "stay in 0..1"),
    ("attack,\nrelease", "rise and fall"),
    ("spring", "weight"),
    ("dead_zone", "rest is rest"),
    ("invert", "1 - u"),
    ("curve", "more here,\nless there"),
    ("range", "0..1 to\nlow..high"),
    ("otherwise", "while it is lost"),
)


def order() -> None:
    """The twelve steps, in the colours of what they are: the value, its motion in time, its shape."""
    figure, ax = plt.subplots(figsize=(12.6, 4.0))
    colors = [FAINT] * 3 + [BLUE, FAINT, BLUE, BLUE] + [ORANGE] * 4 + [BLUE]
    for i, ((name, what), color) in enumerate(zip(STEPS, colors, strict=True)):
        x, y = 2.1 * (i % 6), -1.75 * (i // 6)
        box = FancyBboxPatch(
            (x, y), 1.66, 1.15, boxstyle="round,pad=0,rounding_size=0.12", fc=color + "2e", ec=color, lw=1.6
        )
        ax.add_patch(box)
        ax.text(
            x + 0.83,
            y + (0.62 if "\n" in name else 0.73),
            name,
            ha="center",
            va="baseline",
            weight="bold",
            fontsize=11.5,
            linespacing=0.95,
        )
        ax.text(x + 0.83, y + 0.48, what, ha="center", va="top", fontsize=9.5, linespacing=1.05)
        if i not in (5, 11):
            ax.annotate("", (x + 2.08, y + 0.57), (x + 1.68, y + 0.57), arrowprops={"arrowstyle": "-|>", "color": INK})
    ax.plot([11.33, 11.33, 0.83, 0.83], [-0.03, -0.3, -0.3, -0.4], color=INK, lw=1.2)
    ax.annotate("", (0.83, -0.58), (0.83, -0.36), arrowprops={"arrowstyle": "-|>", "color": INK})
    for x, color, meaning in ((0.02, FAINT, "the value"), (2.1, BLUE, "moves in time"), (4.2, ORANGE, "shape")):
        ax.add_patch(plt.Rectangle((x, -2.24), 0.2, 0.2, fc=color + "2e", ec=color, lw=1.6))
        ax.text(x + 0.33, -2.14, meaning, va="center", fontsize=10)
    ax.set(xlim=(-0.1, 12.4), ylim=(-2.32, 1.25))
    ax.set_axis_off()
    save(figure, "routes-order.png")


def hand(t: np.ndarray) -> np.ndarray:
    """A made-up hand: rests, rises fast, rests, sinks slowly; always trembling a little."""
    move = 0.15 + 0.7 / (1 + np.exp(-28 * (t - 0.8))) - 0.55 / (1 + np.exp(-5 * (t - 2.6)))
    return move + 0.018 * np.random.RandomState(2).randn(len(t))


def followed(route: Route, values: np.ndarray, t: np.ndarray) -> list[float]:
    follower = Follower(route)
    return [follower(value, now) for value, now in zip(values, t, strict=True)]


def motion() -> None:
    figure, axes = plt.subplots(1, 4, figsize=(13.2, 3.5), sharey=True)
    t = np.arange(0, 4, 1 / 60)
    values = hand(t)
    for ax, (title, routes) in zip(
        axes,
        (
            ("one_euro", [("min_cutoff 0.8, beta 4", BLUE, Route("x", one_euro=OneEuro(0.8, 4.0)))]),
            ("attack, release", [("attack 0.05, release 0.6", GREEN, Route("x", attack=0.05, release=0.6))]),
            (
                "spring, 1.5 Hz",
                [
                    ("damping 0.25", ORANGE, Route("x", spring=Spring(1.5, 0.25))),
                    ("damping 1", VIOLET, Route("x", spring=Spring(1.5, 1.0))),
                ],
            ),
        ),
        strict=False,
    ):
        ax.plot(t, values, color=FAINT, lw=1.1)
        for name, color, route in routes:
            ax.plot(t, followed(route, values, t), color=color, label=name)
        ax.set_title(title)
        ax.set(xlabel="seconds", ylim=(0, 1.32), xlim=(0, 4), yticks=[0, 0.5, 1])
        ax.legend(loc="upper right", handlelength=1.2, borderaxespad=0)
    curves(axes[3])
    figure.tight_layout(w_pad=1.6)
    save(figure, "routes-motion.png")


def curves(ax: Axes) -> None:
    u = np.linspace(0, 1, 401)
    colors = (INK, BLUE, ORANGE, RED, GREEN, VIOLET, "#8c6d46", "#3aa6b9", FAINT)
    for name, color in zip(CURVES, colors, strict=True):
        ax.plot(u, [shape(Route("x", curve=name), x) for x in u], color=color, lw=1.7, label=name)
    ax.set_title("curve")
    ax.set(xlabel="u", xticks=[0, 0.5, 1], xlim=(0, 1))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), handlelength=1.2, labelspacing=0.35)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for draw in (places, moves, order, motion):
        draw()
