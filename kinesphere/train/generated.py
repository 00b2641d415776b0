"""The pictures of a row of seeds, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from kinesphere.latent import seeds_to_z
from kinesphere.models import Generator
from kinesphere.ops import to_pixels

BATCH = 32


def generated(
    G: Generator, seeds: Sequence[int], psi: float = 1.0, labels: Tensor | None = None, batch: int = BATCH
) -> Iterator[tuple[Tensor, Tensor]]:
    """G's pictures of these seeds, uint8 [B, H, W, C] on the CPU, and the ws [B, num_ws, w_dim] that they were made from.

    `labels`: float [len(seeds), c_dim], the class of each seed; None: of a model with classes, each seed its own in turn.
    """
    if labels is None and G.c_dim:
        labels = torch.eye(G.c_dim)[[seed % G.c_dim for seed in seeds]]
    for i in range(0, len(seeds), batch):
        z = seeds_to_z(seeds[i : i + batch], G.z_dim).to(G.w_avg)
        c = None if labels is None else labels[i : i + batch].to(G.w_avg)
        with torch.no_grad():
            ws = G.mapping(z, c, truncation_psi=psi)
            pictures = to_pixels(G.synthesis(ws)).cpu()
        yield pictures, ws  # outside of no_grad, which would hold for whoever waits for the next
