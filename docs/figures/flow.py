"""Draws flow.png next to itself: what `flow` and `silhouette` say of the built-in clip, beside what its dancer really does.

    python docs/figures/flow.py

The clip is drawn by a program (kinesphere/builtin/make_clip.py), so the speed and the place of every bone are known.
"""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import matplotlib
import numpy as np

from kinesphere.builtin.make_clip import FPS, SECONDS, bones
from kinesphere.features import Flow, Silhouette
from kinesphere.features.region import WHOLE
from kinesphere.features.silhouette import Background
from kinesphere.routes import Follower, Route
from kinesphere.types import Signal

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
INK, FAINT, PAPER = "#22252b", "#b9bec7", "#ffffff"
BLUE, ORANGE = "#2f6fde", "#e07b1a"
PSI = Route("flow.amount", low=0.4, high=1.1, in_low=0.0, in_high=0.06, attack=0.1, release=0.5)

plt.style.use(HERE / "house.mplstyle")


def joints(n: float) -> np.ndarray:
    """Both ends of every bone at frame n: [2 B, 2], in half picture heights, y up."""
    return np.array([end[:2] for bone in bones(n / (FPS * SECONDS)) for end in bone[:2]])


def truth(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each frame, the mean speed of the joints (half heights per second) and their mean place x."""
    speed = [np.linalg.norm(joints(n + 0.5) - joints(n - 0.5), axis=1).mean() * FPS for n in range(count)]
    return np.array(speed), np.array([joints(n)[:, 0].mean() for n in range(count)])


def strip(axes: np.ndarray, frames: list[np.ndarray], masks: list[np.ndarray]) -> None:
    """Stills, with the silhouette's edge."""
    for ax, i in zip(axes, ((np.arange(len(axes)) + 0.5) * len(frames) / len(axes)).astype(int), strict=True):
        height, width = frames[i].shape[:2]
        ax.imshow(frames[i])
        ax.contour(cv2.resize(masks[i], (width, height)), [0.5], colors="#ffffff", linewidths=1.2)
        ax.set_title(f"{i / FPS:.1f} s", fontsize=9, loc="center", pad=4)
        ax.axis("off")


def lines(ax: Axes, t: np.ndarray, curves: dict[str, tuple[np.ndarray, str]], **labels: object) -> None:
    for name, (values, color) in curves.items():
        ax.plot(t, values, color=color, label=name, linewidth=1.8)
    ax.set(xlim=(0, t[-1]), **labels)
    ax.legend(loc="upper right", ncols=len(curves))


def main() -> None:
    with av.open(str(CLIP)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    t = np.arange(len(frames)) / FPS
    flow, silhouette, background, follower = Flow(), Silhouette(), Background(60, 0.1), Follower(PSI)
    flow.open(None)
    silhouette.open(None)
    seen, body, psi, masks = [], [], [], []
    for picture, at in zip(frames, t, strict=True):
        signal = Signal(picture, at)
        seen.append(flow(signal))
        body.append(silhouette(signal))
        psi.append(follower(seen[-1][flow.names.index("amount")], at))
        masks.append(background(signal, WHOLE))
    moved = dict(zip(flow.names, np.array(seen).T, strict=True))
    stood = dict(zip(silhouette.names, np.array(body).T, strict=True))
    speed, place = truth(len(frames))
    speed *= np.nan_to_num(stood["share"])  # a large dancer moves more of the picture

    figure = plt.figure(figsize=(13.2, 11), layout="constrained")
    top, rest = figure.subfigures(2, 1, height_ratios=[1.1, 8])
    strip(top.subplots(1, 8), frames, masks)
    axes = rest.subplots(4, 1, sharex=True)
    lines(axes[0], t, {"amount": (moved["amount"], BLUE), "speed of the joints x share": (speed, ORANGE)},
          title="flow: how much moves", ylabel="half heights / s")  # fmt: skip
    lines(axes[1], t, {"psi": (np.array(psi), BLUE)}, ylim=(0.3, 1.2), ylabel="psi",
          title="psi on a route from flow.amount: 0.4 to 1.1, attack 0.1 s, release 0.5 s")  # fmt: skip
    camera = {"pan_x": BLUE, "pan_y": ORANGE, "roll": INK, "zoom": FAINT}
    lines(axes[2], t, {name: (moved[name], color) for name, color in camera.items()}, ylim=(-0.5, 0.5),
          title="flow: the camera, which stands on its stand", ylabel="per second")  # fmt: skip
    lines(axes[3], t, {"x of flow": (moved["x"], BLUE), "x of the silhouette": (stood["x"], INK), "the joints": (place, ORANGE)},
          title="Where the dancer is", ylabel="half heights", xlabel="seconds", ylim=(-1.5, 1.5))  # fmt: skip
    figure.savefig(HERE / "flow.png")

    later = slice(FPS, None)  # the first second learns
    print(f"amount and the joints: correlation {np.corrcoef(moved['amount'][later], speed[later])[0, 1]:.2f}")
    for name, x in (("flow", moved["x"]), ("silhouette", stood["x"])):
        print(f"x of {name}: median error {np.nanmedian(np.abs(x - place)[later]):.3f} half heights")
    print(f"camera: largest {max(np.abs(moved[name]).max() for name in camera):.3f} per second")


if __name__ == "__main__":
    main()
