"""W in coordinates that are easy to walk in: natural latents are a round cloud, and what looks alike is moved by few of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.sheets import z_to_ws

SAMPLED = 10_000  # latents that the shape of W is taken of
FEW = 0.05  # of them are farther out than `Chart.natural`
SMALL = 64  # pixels at which pictures are compared
STEP = 0.1  # sigmas; a small one, along which a picture still changes evenly
TOGETHER = 32  # pictures drawn at once


@dataclass(frozen=True, eq=False)
class Chart:
    """`w = mean + u @ axes.T`, and back `u = (w - mean) @ inverse`; u [..., w_dim] is of mean 0 and covariance 1 for natural w.

    The axes are the principal axes of W, each as long as W is wide there (whitening), turned so that each moves something else of
    the picture, what moves most first: eigenvectors of the mean of J^T J, where J is how the picture changes with u. That is for
    an optimiser that scales each coordinate by itself, as Adam does (`docs/projection.md` has what it gives).
    """

    mean: Tensor  # [w_dim]
    axes: Tensor  # [w_dim, w_dim]
    inverse: Tensor  # [w_dim, w_dim]
    rank: int  # how many directions W really extends in
    wide: float  # the root mean square distance of natural w from the mean
    natural: float  # the radius that one natural latent in twenty exceeds

    @classmethod
    @torch.no_grad()
    def of(cls, G: Generator, class_index: int = 0) -> Chart:
        """Of a model, or of one of its classes. The same each time, bit for bit."""
        sampled = latent.sample_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, SAMPLED)
        stats = latent.statistics(sampled)
        axes = stats.vectors * stats.sigmas
        points = 4 if G.img_resolution <= 128 else 2 if G.img_resolution <= 256 else 1
        z = np.random.RandomState(1).randn(points, G.z_dim).astype(np.float32)
        turn = _turn(G, z_to_ws(G, torch.from_numpy(z), class_index)[:, 0], axes)
        wide = float(stats.sigmas.square().sum().sqrt())
        natural = float(latent.radius(sampled, stats).quantile(1 - FEW))
        return cls(stats.mean, axes @ turn, stats.vectors / stats.sigmas @ turn, stats.rank, wide, natural)

    def placed(self, u: Tensor) -> Tensor:
        """From coordinates [..., w_dim] to W."""
        return self.mean + u @ self.axes.T

    def coordinates(self, w: Tensor) -> Tensor:
        """From W [..., w_dim] to coordinates."""
        return (w - self.mean) @ self.inverse

    def radius(self, u: Tensor) -> Tensor:
        """How far off the map: the Mahalanobis distance from the mean, natural latents being near 1 (`latent.radius`); [...]."""
        return self.square(u).sqrt()

    def square(self, u: Tensor) -> Tensor:
        """The radius squared, which has a gradient in the middle, too; [...]."""
        return u.square().sum(-1) / self.rank


def _turn(G: Generator, points: Tensor, axes: Tensor) -> Tensor:
    """Orthonormal columns [w_dim, w_dim], in whitened coordinates; the Jacobians are taken by differences at a few latents."""
    seen = axes.new_zeros(axes.shape)
    for w in points:
        moved = torch.cat([w[None], w + STEP * axes.T])
        pictures = torch.cat([_small(G, part) for part in moved.split(TOGETHER)])
        change = ((pictures[1:] - pictures[0]) / STEP).flatten(1)  # [w_dim, pixels]
        seen += change @ change.T / change.shape[1]
    return latent.axes(seen.double().cpu())[1].to(axes)


def _small(G: Generator, w: Tensor) -> Tensor:
    img: Tensor = G.synthesis(w[:, None].expand(-1, G.num_ws, -1))
    return F.avg_pool2d(img, max(1, img.shape[2] // SMALL))
