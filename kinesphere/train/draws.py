"""The random numbers of one training step: a pure function of the seed and the step, however many processes share the work."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


class Draws:
    """One stream of random numbers, drawn on the CPU for the global batch; each of `world` processes keeps its share.

    Process `rank` gets rows `rank::world`, so that two processes together see what one would see alone, and the groups of the
    minibatch deviation (rows i, i + N/G, ...) stay together. Nothing has to be saved to resume.
    """

    def __init__(
        self, seed: int, step: int, purpose: str, rank: int = 0, world: int = 1, device: torch.device | str = "cpu"
    ) -> None:
        digest = hashlib.blake2b(f"{seed} {step} {purpose}".encode(), digest_size=8).digest()
        self.generator = torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
        self.rank, self.world, self.device = rank, world, device

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal, [n, *shape]; `n` is this process's share of the batch."""
        return self._mine(torch.randn(n * self.world, *shape, generator=self.generator))

    def uniform(self, n: int, *shape: int) -> Tensor:
        """In [0, 1), [n, *shape]; `n` is this process's share of the batch."""
        return self._mine(torch.rand(n * self.world, *shape, generator=self.generator))

    def _mine(self, x: Tensor) -> Tensor:
        return x[self.rank :: self.world].to(self.device)
