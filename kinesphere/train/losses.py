"""What a generator and a discriminator are asked to do: the losses and penalties, as plain functions of tensors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NO_DETAIL = 1e-10  # of a covariance: far less than a level of 255


def generator_loss(logits_fake: Tensor) -> Tensor:
    """Non-saturating loss, -log sigmoid(D(G(z))), for each picture (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-logits_fake)


def discriminator_loss(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """-log sigmoid(D(x)) - log(1 - sigmoid(D(G(z)))), the mean over each half of the batch, a scalar."""
    return F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()


def r1_penalty(logits_real: Tensor, img: Tensor, units: Tensor | None = None) -> Tensor:
    """The squared norm of D's gradient at real pictures, [N]; multiply by gamma / 2 (Mescheder et al. 2018, eq. 9).

    `img` [N, C, H, W] must have required gradients before `logits_real` was computed from it. `units` [C, C]: the penalty of a D
    that sees colours in these units, see `colour_units`.
    """
    (gradient,) = torch.autograd.grad(logits_real.sum(), img, create_graph=True)
    if units is not None:
        gradient = torch.einsum("ij,njhw->nihw", units, gradient)
    return gradient.square().sum([1, 2, 3])


def colour_units(img: Tensor) -> Tensor:
    """How much the fine detail of pictures [N, C, H, W] varies in each direction of colour, in root mean squares of all, [C, C].

    The square root of the covariance, over its mean eigenvalue; the identity where there is no detail. Detail is what a 3x3 mean
    takes away. Differences of hue are small beside those of light, and R1 in the cube of RGB forbids D to look at them closely:
    in these units it does not.
    """
    detail = (img - F.avg_pool2d(img, 3, 1, 1, count_include_pad=False)).transpose(0, 1).flatten(1)
    covariance = detail @ detail.t() / detail.shape[1]
    values, vectors = torch.linalg.eigh(covariance)
    if values.mean() < NO_DETAIL:
        return torch.eye(len(values)).to(values)
    values = values.clamp_min(0) / values.mean()
    return vectors @ values.sqrt().diag() @ vectors.t()


def path_lengths(img: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """How far the picture moves for a step in W, |J^T y|, [N] (Karras et al. 2020, section 3.2).

    `noise` is standard normal of the picture's shape; it is scaled here so that lengths do not depend on the resolution.
    """
    y = noise / math.sqrt(img.shape[2] * img.shape[3])
    (gradient,) = torch.autograd.grad((img * y).sum(), ws, create_graph=True)  # [N, num_ws, w_dim]
    return gradient.square().sum(2).mean(1).sqrt()


def mixing_cutoffs(u: Tensor, num_ws: int, probability: float) -> Tensor:
    """Where styles change over, [N], from uniform numbers `u` [N, 2]: rows 1 ... num_ws - 1 alike, none at 1 - probability."""
    cutoff = 1 + (u[:, 0] * (num_ws - 1)).long()
    return torch.where(u[:, 1] < probability, cutoff, num_ws)


def ema_decay(batch: int, seen: int, half_life: float, rampup: float | None) -> float:
    """How much of the average generator survives one step: 0.5 ** (batch / half-life), both in pictures.

    `rampup` bounds the half-life to that share of the pictures `seen` so far (Karras et al. 2020, ADA, appendix C), so that
    the first random weights are soon forgotten; None: no bound.
    """
    if rampup is not None:
        half_life = min(half_life, seen * rampup)
    return 0.5 ** (batch / max(half_life, 1e-8))


def blur(img: Tensor, sigma: float) -> Tensor:
    """Gaussian blur that halves at `sigma` pixels, cut at three sigma.

    What StyleGAN3 shows D at first (Karras et al. 2021, appendix G).
    """
    radius = math.floor(sigma * 3)
    if radius == 0:
        return img
    x = torch.arange(-radius, radius + 1, device=img.device, dtype=torch.float32)
    taps = torch.exp2(-((x / sigma) ** 2))
    kernel = (taps / taps.sum()).to(img.dtype).expand(img.shape[1], 1, 1, -1)
    img = F.conv2d(img, kernel, padding=(0, radius), groups=img.shape[1])
    return F.conv2d(img, kernel.transpose(2, 3), padding=(radius, 0), groups=img.shape[1])


def blur_sigma(seen: int, sigma: float, fade: float) -> float:
    """The blur at a moment of training: from `sigma` pixels down to 0 in a straight line over the first `fade` pictures."""
    return max(0.0, 1 - seen / fade) * sigma if fade > 0 else 0.0
