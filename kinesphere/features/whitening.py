"""What a scene usually does, learnt while it happens, so that every way of moving counts the same.

Features of one scene lie in a narrow cone: a large constant part, and a few directions that hold nearly all the
movement. Here the constant part is taken away and the rest is made round:

    u = (S + e I)^(-1/2) (x - m)

with m and S the mean and covariance of the features so far, and e a floor below which a movement is taken for noise.
The symmetric root (ZCA; Kessy, Lewin and Strimmer 2018) is a smooth function of S, so u never jumps when two
eigenvectors change places or sign. What equation 1 of Porres (2024) asks of g, latents like draws from N(0, I), this
does over time; standardising each vector for itself cannot.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

RANK = 64  # directions of movement kept: more than a few minutes of dancing hold above the floor
FLOOR = 0.005  # part of the mean vector's length; ten times what a grey level of sensor noise does to the filter bank
PRIOR = 0.02  # part of the mean vector's length: how far a scene is expected to move before it has been seen to
BELIEF = 2.0  # seconds of evidence that weigh as much as that expectation
REST = 0.7  # length of the still part, in units of one direction's standard deviation
GAP = 1.0  # seconds; what lies between two pictures further apart than this was not seen


class Whitening:
    """Running mean and covariance of a vector that moves, and the vector whitened by them.

    Evidence is counted in seconds, and between two pictures the vector is taken to go straight, so the number of
    pictures a second does not matter. In the first `warmup` seconds nothing is forgotten; from then on the evidence
    fades with time constant `memory` (seconds).

    The covariance is kept as a factor B [C, at most RANK], S = B B^T, with orthogonal columns; each picture adds two
    columns and lets go of the smallest two. That costs O(C RANK^2), never C^3, and what is let go lies below the floor.
    It is torch's arithmetic and not numpy's, so that one setting, torch.set_num_threads, rules all of a feature's threads.
    """

    def __init__(self, warmup: float, memory: float) -> None:
        self.warmup, self.memory = warmup, memory
        self.evidence = 0.0  # seconds, faded
        self._seen = 0.0  # seconds, not faded
        self._last: Tensor | None = None  # [C] float64

    def __call__(self, x: np.ndarray, dt: float) -> np.ndarray:
        """Learn from x [C], `dt` seconds after the one before, and return it whitened, float64 [C].

        To the whitened deviation a short constant part is added, along the mean itself: where a still scene rests.
        Without it a still scene would be nothing but sensor noise at full size.
        """
        now = torch.from_numpy(x).double()
        if self._last is None:
            self._mean, self._factor, self._variance = now, now.new_zeros(len(x), 0), now.new_zeros(0)
        elif dt > 0:
            self._learn(self._last, now, min(dt, GAP))
        self._last = now
        still = self._whitened(self._mean)
        return (self._whitened(now - self._mean) + REST * still / (still.norm() + 1e-12)).numpy()

    def _learn(self, before: Tensor, now: Tensor, dt: float) -> None:
        fresh = min(max(self.warmup - self._seen, 0.0), dt)  # the part of dt that belongs to the warm-up
        keep = math.exp((fresh - dt) / self.memory)
        new = fresh * keep + self.memory * (1 - keep)  # seconds of evidence in this interval, after its own fading
        old = keep * self.evidence
        self._seen += dt
        self.evidence = old + new

        deviation = (before + now) / 2 - self._mean
        self._mean = self._mean + new / self.evidence * deviation
        # Merge two weighted samples (Chan, Golub and LeVeque 1983): what is old, and a straight line of variance step^2 / 12.
        columns = [
            self._factor * math.sqrt(old / self.evidence),
            deviation[:, None] * (math.sqrt(old * new) / self.evidence),
            (now - before)[:, None] * math.sqrt(new / self.evidence / 12),
        ]
        factor = torch.cat(columns, dim=1)
        variance, rotation = torch.linalg.eigh(factor.T @ factor)  # in ascending order
        self._factor = factor @ rotation[:, -RANK:]
        self._variance = variance[-RANK:]

    def _whitened(self, x: Tensor) -> Tensor:
        """(belief S + e I)^(-1/2) x, through the few directions in which S is not zero."""
        belief = self.evidence / (self.evidence + BELIEF)
        length = float(self._mean @ self._mean) + 1e-6  # the constant keeps a vector of nothing but zeros finite
        e = length * (FLOOR**2 + (PRIOR * (1 - belief)) ** 2)
        variance = self._variance.clamp(min=1e-12 * e)
        shrink = (
            torch.expm1(-0.5 * torch.log1p(belief * variance / e)) / variance
        )  # ((e / (belief s + e))^(1/2) - 1) / s
        return (x + self._factor @ (shrink * (self._factor.T @ x))) / math.sqrt(e)
