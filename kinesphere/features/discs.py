"""Discs that float before the player: fingertips bat them, they bounce, and how lively they are is a number.

The game of the paper (Porres 2024, appendix: mode 4), in units of half the picture's height and in seconds, so that it is the
same game on any camera. The mathematics is here; `keypoints/game.py` plays it with a hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

STEP = 1 / 240  # seconds between two moments of the game: a fingertip at arm's speed moves a tenth of a disc
EDGE = 0.9  # of the speed is kept at an edge of the picture
PAIR = 0.9  # and when two discs meet
BAT = 0.08  # half picture heights: the radius of a fingertip
FASTEST = 6.0  # half picture heights a second: no disc passes another between two moments


@dataclass
class Table:
    """The discs at one moment."""

    aspect: float  # width over height of the picture: x goes from -aspect to aspect, y from -1 to 1
    radius: np.ndarray  # [n]
    at: np.ndarray  # [n, 2]
    speed: np.ndarray  # [n, 2], per second

    @property
    def mass(self) -> np.ndarray:
        """[n], as their areas; together 1."""
        return self.radius**2 / np.square(self.radius).sum()

    @property
    def energy(self) -> float:
        """The mean square of the speed, by mass: 1 where all move half a picture height a second."""
        return float((self.mass * np.square(self.speed).sum(1)).sum())


def laid(aspect: float, discs: int, size: float, seed: int) -> Table:
    """A table with `discs` discs at rest, of radii around `size`, none on another where there is room; the same for a seed."""
    rng = np.random.RandomState(seed)
    radius = size * rng.uniform(0.7, 1.3, discs)
    at = np.zeros((discs, 2))
    for i in range(discs):
        tries = rng.uniform(-1, 1, (64, 2)) * np.maximum((aspect, 1.0) - radius[i], 0)
        gap = np.linalg.norm(tries[:, None] - at[None, :i], axis=2) - radius[:i] - radius[i]  # [64, i]
        at[i] = tries[gap.min(1, initial=math.inf).argmax() if i else 0]
    return Table(aspect, radius, at, np.zeros((discs, 2)))


def advance(table: Table, tips: np.ndarray, moving: np.ndarray, dt: float, calm: float) -> None:
    """One moment of `dt` seconds on. `tips` [k, 2] are fingertips, `moving` [k, 2] their speeds; speed fades in `calm` seconds."""
    table.speed *= math.exp(-dt / calm)
    table.at += table.speed * dt
    _meet_each_other(table)
    for tip, speed in zip(tips, moving, strict=True):
        _meet_tip(table, tip, speed)
    _meet_edges(table)
    swift = np.linalg.norm(table.speed, axis=1, keepdims=True)
    table.speed *= np.minimum(1, FASTEST / np.maximum(swift, 1e-9))


def _meet_edges(table: Table) -> None:
    room = np.maximum(np.array([table.aspect, 1.0]) - table.radius[:, None], 0)
    beyond = np.abs(table.at) > room
    outward = beyond & (np.sign(table.at) == np.sign(table.speed))
    table.speed[outward] *= -EDGE
    table.at = np.clip(table.at, -room, room)


def _meet_each_other(table: Table) -> None:
    apart = np.linalg.norm(table.at[:, None] - table.at, axis=2)  # [n, n]
    touching = np.triu(apart < table.radius[:, None] + table.radius, 1)
    if not touching.any():
        return
    mass = table.mass
    for i, j in np.argwhere(touching):
        between = table.at[j] - table.at[i]
        distance = float(np.linalg.norm(between))
        normal = between / distance if distance > 0 else np.array([1.0, 0.0])
        overlap = max(0.0, table.radius[i] + table.radius[j] - distance)
        share = mass[i] / (mass[i] + mass[j])  # of the way that the other goes
        table.at[j] += normal * overlap * share
        table.at[i] -= normal * overlap * (1 - share)
        closing = float((table.speed[j] - table.speed[i]) @ normal)
        if closing < 0:  # momentum is kept, the closing speed comes back PAIR times
            table.speed[j] -= (1 + PAIR) * closing * share * normal
            table.speed[i] += (1 + PAIR) * closing * (1 - share) * normal


def _meet_tip(table: Table, tip: np.ndarray, speed: np.ndarray) -> None:
    """A fingertip is as heavy as a wall: what it meets leaves with the speed it came with, seen from the finger."""
    between = table.at - tip
    apart = np.linalg.norm(between, axis=1)
    for i in np.flatnonzero(apart < table.radius + BAT):
        normal = between[i] / apart[i] if apart[i] > 0 else np.array([0.0, 1.0])
        table.at[i] = tip + normal * (table.radius[i] + BAT)
        closing = float((table.speed[i] - speed) @ normal)
        if closing < 0:
            table.speed[i] -= (1 + EDGE) * closing * normal


class Game:
    """The table as time goes by: asked now and then where the fingertips are, it plays every moment between."""

    def __init__(self, aspect: float, discs: int, size: float, calm: float, seed: int) -> None:
        self.table, self.calm = laid(aspect, discs, size, seed), calm
        self._moment: int | None = None  # whole steps since time 0
        self._t, self._tips = 0.0, np.zeros((0, 2))

    def play(self, t: float, tips: np.ndarray) -> Table:
        """On to time `t`, the fingertips [k, 2] going straight from where they were; how many there are may change."""
        last = math.floor(t / STEP)
        if self._moment is not None and 0 < last - self._moment < 1 / STEP:  # after a longer pause it just goes on
            steady = len(tips) == len(self._tips) and t > self._t
            moving = (tips - self._tips) / (t - self._t) if steady else np.zeros_like(tips)
            for moment in range(self._moment + 1, last + 1):
                advance(self.table, tips + moving * (moment * STEP - t), moving, STEP, self.calm)
        if self._moment is None or last != self._moment:
            self._moment = last
        self._t, self._tips = t, np.array(tips, float)
        return self.table
