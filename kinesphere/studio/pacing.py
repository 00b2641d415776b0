"""The pace of a walk: how fast each leg is gone, as asked for or made even in what the eye sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from kinesphere import latent
from kinesphere.studio.perceptual import distance

LOOKS = 8.0  # pictures a second that are compared to find the pace, in each pass
FEWEST = 4  # steps of a leg, however short
PASSES = 2
SMALL = 64  # pixels: the pictures are compared at about this size
STILL = 1e-3  # of the mean step: what even a step in which nothing is to be seen counts for


class Pace:
    """From the seconds of a film to those of the way that it follows; both begin at 0 and pass every stop.

    stops    when the way is at each of its stops, seconds, rising from 0; of a loop the last is the first again
    easing   the pace of each leg from stop to stop (a name of latent.EASINGS, or one for each leg)
    measured  what `measure` found along the way; None leaves the pace as it is
    strength  0 to 1: from the pace as it is to one that is even in what is to be seen
    held     the stops stay at their times, and each leg is made even by itself; otherwise they move, and the whole way is even

    `stops` is when the film is at each stop. What was even is then eased. A loop's pace has no seam either. After the last stop it
    rests there.
    """

    def __init__(
        self,
        stops: Sequence[float],
        easing: str | Sequence[str] = "linear",
        measured: tuple[np.ndarray, np.ndarray] | None = None,
        strength: float = 1.0,
        held: bool = False,
        loop: bool = False,
    ) -> None:
        way = np.asarray(stops, dtype=np.float64)
        self._end = float(way[-1])
        self._even: Callable[[float], float] | None = None
        moved = way
        if measured is not None and strength > 0:
            nodes, seen = measured
            at = np.searchsorted(nodes, way)  # every stop is a node
            even = np.interp(seen, seen[at], way) if held else self._end * seen / seen[-1]
            times = (1 - strength) * nodes + strength * even
            times[-1] = self._end
            moved = times[at]
            self._even = _monotone(times, nodes, loop)
        self.stops = [float(t) for t in moved]
        self._eased = latent.Path(torch.from_numpy(moved)[:, None], moved, kind="linear", easing=easing)

    def __call__(self, t: float) -> float:
        """Where on the way the film is at `t`, seconds. An easing may lead beyond the first and the last stop."""
        eased = float(self._eased(t))
        if self._even is None or not 0 <= eased < self._end:
            return eased
        return self._even(eased)


def _monotone(times: np.ndarray, nodes: np.ndarray, loop: bool) -> Callable[[float], float]:
    """Through (times, nodes) without turning back; of a loop, as if it had gone round before and would again."""
    if loop:
        end, beyond = times[-1], min(3, len(times) - 1)
        before, after = slice(-1 - beyond, -1), slice(1, 1 + beyond)
        times = np.concatenate([times[before] - end, times, times[after] + end])
        nodes = np.concatenate([nodes[before] - end, nodes, nodes[after] + end])
    spline = PchipInterpolator(times, nodes)
    return lambda t: float(spline(t))


@torch.inference_mode()
def measure(
    look: Callable[[float], Tensor],
    stops: Sequence[float],
    on_look: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[np.ndarray, np.ndarray]:
    """How much is to be seen along a way: moments [N] in seconds, and the visible distance [N] gone until each, rising from 0.

    look    the picture [1, C, H, W] in [-1, 1] at a moment of the way
    stops   moments that are among those found, with whole legs between them, rising from 0

    Pictures are compared LOOKS times a second, and then between as many again, where most is to be seen, so that a sudden change is
    looked at closely (`perceptual.distance`, at SMALL pixels). `looks` says how many pictures that takes.
    """
    nodes, steps, done = [np.zeros(1)], [np.zeros(0)], 0
    pictures: dict[float, Tensor] = {}
    for a, b in pairwise(stops):
        leg, apart = np.linspace(a, b, 1 + _steps(a, b)), np.zeros(0)
        for again in range(PASSES):
            leg = _closer(leg, apart) if again else leg
            for moment in map(float, leg):
                if moment not in pictures:
                    pictures[moment], done = _small(look(moment)), done + 1
                    on_look(done, looks(stops))
            apart = np.array([float(distance(pictures[float(x)], pictures[float(y)])) for x, y in pairwise(leg)])
        nodes.append(leg[1:])
        steps.append(apart)
        pictures = {float(b): pictures[float(b)]}  # the others would fill the memory
    moments, visible = np.concatenate(nodes), np.concatenate(steps)
    visible = np.maximum(visible, STILL * visible.mean()) if visible.any() else np.diff(moments)
    return moments, np.concatenate([np.zeros(1), np.cumsum(visible)])


def looks(stops: Sequence[float]) -> int:
    """How many pictures `measure` draws."""
    return 1 + PASSES * sum(_steps(a, b) for a, b in pairwise(stops))


def _steps(a: float, b: float) -> int:
    return max(FEWEST, math.ceil(LOOKS * (b - a)))


def _closer(leg: np.ndarray, apart: np.ndarray) -> np.ndarray:
    """The moments of a leg and as many again, between those that are farthest `apart` to the eye."""
    parts = np.ones(len(apart), dtype=int)
    for _ in apart:
        parts[np.argmax(apart / parts)] += 1
    pieces = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(leg[:-1], leg[1:], parts, strict=True)]
    return np.concatenate([*pieces, leg[-1:]])


def _small(img: Tensor) -> Tensor:
    """A picture at SMALL to twice SMALL pixels: every pixel counts."""
    times = max(1, min(img.shape[2:]) // SMALL)
    return F.avg_pool2d(img.float(), times) if times > 1 else img.float()
