"""How evenly the pictures change as the latent moves: perceptual path length.

Karras et al. (2019), "A Style-Based Generator Architecture", section 4.1, eq. 2 and 3; the ends only, in W, is what Karras et al.
(2020) report for StyleGAN2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.types import KinesphereError

Distance = Callable[[Tensor, Tensor], Tensor]  # pictures [N, C, H, W] in [-1, 1], twice -> a squared distance [N]
SPACES = ("w", "z")
SAMPLING = ("end", "full")


def ppl(
    G: Generator,
    distance: Distance,
    count: int = 2000,
    space: str = "w",
    sampling: str = "end",
    epsilon: float = 1e-4,
    psi: float = 1.0,
    seed: int = 0,
    batch: int = 16,
    trim: float = 0.01,
    c: Tensor | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> float:
    """The mean of distance(picture at t, picture at t + epsilon) / epsilon^2 over `count` pairs of latents.

    space     "w" walks straight lines in W (along the sphere where a family has no W), "z" along the sphere in Z
    sampling  "full" draws t from [0, 1), "end" takes t = 0
    trim      the share left out at either end, so that a few jumps do not decide; 0.01 as in the authors' program
    c         a class for each pair, [count, c_dim], for a conditional model
    The noise inputs are the stored ones. Raises KinesphereError for another space, sampling, count, epsilon or trim.
    """
    _check(count, space, sampling, epsilon, trim)
    ts = np.random.default_rng(seed).random(count) if sampling == "full" else np.zeros(count)
    lengths = []
    for i in range(0, count, batch):
        n = min(batch, count - i)
        ends = [latent.seeds_to_z(seeds_from(seed + 2 * i + j, n, 2), G.z_dim) for j in (0, 1)]
        labels = None if c is None else c[i : i + n].to(G.w_avg.device)
        t = torch.from_numpy(np.concatenate([ts[i : i + n], ts[i : i + n] + epsilon]))
        with torch.no_grad():
            pictures = G.synthesis(_between(G, ends, t, space, psi, labels), noise_mode="const").float()
            lengths.append(distance(*pictures.split(n)).double().cpu() / epsilon**2)
        progress(i + n, count)
    return _trimmed(torch.cat(lengths).numpy(), trim)


def _check(count: int, space: str, sampling: str, epsilon: float, trim: float) -> None:
    if space not in SPACES:
        raise KinesphereError(f"no space {space!r}: choose {', '.join(SPACES)}")
    if sampling not in SAMPLING:
        raise KinesphereError(f"no sampling {sampling!r}: choose {', '.join(SAMPLING)}")
    if count < 1 or not epsilon > 0 or not 0 <= trim < 0.5:
        raise KinesphereError(
            f"count {count}, epsilon {epsilon}, trim {trim}: take 1 or more, above 0, and 0 to below 0.5"
        )


def seeds_from(first: int, count: int, step: int = 1) -> list[int]:
    """Seeds from `first` on; past the last one they begin again at 0."""
    return [(first + step * i) % (latent.LAST_SEED + 1) for i in range(count)]


def _between(G: Generator, ends: list[Tensor], t: Tensor, space: str, psi: float, c: Tensor | None) -> Tensor:
    """ws [2N, num_ws, w_dim] at the times t [2N], of N pairs of z. Steps of 1e-4 are taken in float64, on the CPU."""
    device = G.w_avg.device
    if space == "z":
        a, b = (z.double().repeat(2, 1) for z in ends)
        z = latent.slerp(a, b, t).float().to(device)
        return G.mapping(z, None if c is None else c.repeat(2, 1), truncation_psi=psi)
    a, b = (G.mapping(z.to(device), c, truncation_psi=psi).cpu().double().repeat(2, 1, 1) for z in ends)
    walk = latent.slerp if G.spherical else latent.lerp
    return walk(a, b, t[:, None]).float().to(device)


def _trimmed(lengths: np.ndarray, trim: float) -> float:
    low, high = np.quantile(lengths, trim, method="lower"), np.quantile(lengths, 1 - trim, method="higher")
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())
