"""The losses and penalties against closed forms."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from kinesphere.latent import mix_styles
from kinesphere.train import losses


def test_losses_are_cross_entropies():
    real, fake = torch.randn(8, 1, dtype=torch.double), torch.randn(8, 1, dtype=torch.double)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    wanted = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    assert_close(losses.discriminator_loss(real, fake), wanted)
    assert_close(losses.generator_loss(fake).mean(), bce(fake, torch.ones_like(fake)))


def test_r1_of_a_linear_discriminator_is_its_squared_norm_and_so_is_its_gradient():
    a = torch.randn(3, 8, 8, dtype=torch.double, requires_grad=True)
    img = torch.randn(5, 3, 8, 8, dtype=torch.double, requires_grad=True)
    penalty = losses.r1_penalty((img * a).sum([1, 2, 3])[:, None], img)
    assert_close(penalty, a.square().sum().expand(5))
    (gradient,) = torch.autograd.grad(penalty.mean(), a)
    assert_close(gradient, 2 * a)


def test_r1_of_a_quadratic_discriminator():
    A = torch.randn(12, 12, dtype=torch.double)
    A = (A + A.T) / 2
    img = torch.randn(4, 3, 2, 2, dtype=torch.double, requires_grad=True)
    x = img.flatten(1)
    penalty = losses.r1_penalty(((x @ A) * x).sum(1, keepdim=True) / 2, img)
    assert_close(penalty, (x @ A).square().sum(1))


def test_r1_in_units_of_colour_is_that_of_a_discriminator_that_sees_in_them():
    a = torch.randn(3, 8, 8, dtype=torch.double)
    units = losses.colour_units(
        torch.randn(40, 3, 8, 8, dtype=torch.double) * torch.tensor([3.0, 1, 0.3]).view(3, 1, 1)
    )
    seen = torch.randn(5, 3, 8, 8, dtype=torch.double, requires_grad=True)
    of_seen = losses.r1_penalty((torch.einsum("ij,njhw->nihw", units, seen) * a).sum([1, 2, 3])[:, None], seen)
    img = torch.randn(5, 3, 8, 8, dtype=torch.double, requires_grad=True)
    assert_close(losses.r1_penalty((img * a).sum([1, 2, 3])[:, None], img, units), of_seen)


def test_units_of_colour_are_what_detail_varies_by():
    """Detail along two directions that are known, four times as strong along one; what is flat does not count."""
    light, hue = torch.tensor([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]], dtype=torch.double)
    noise = torch.randn(200, 2, 16, 16, dtype=torch.double)
    noise = noise / (noise - torch.nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)).std(
        (0, 2, 3), keepdim=True
    )
    img = torch.einsum("cd,ndhw->nchw", torch.stack([4 * light, hue], 1), noise) + torch.randn(200, 3, 1, 1)
    units = losses.colour_units(img)
    wanted = math.sqrt(3 / 17) * (4 * torch.outer(light, light) + torch.outer(hue, hue))
    assert_close(units, wanted, atol=0.02, rtol=0)
    assert_close(units.square().sum(), torch.tensor(3.0, dtype=torch.double))
    assert_close(losses.colour_units(img * 7), units)
    assert_close(losses.colour_units(torch.rand(4, 3, 1, 1).expand(4, 3, 8, 8)), torch.eye(3))


def test_path_lengths_of_a_linear_generator():
    J = torch.randn(3 * 16, 2 * 5, dtype=torch.double, requires_grad=True)
    ws = torch.randn(4, 2, 5, dtype=torch.double, requires_grad=True)
    img = (ws.flatten(1) @ J.T).view(4, 3, 4, 4)
    noise = torch.randn(4, 3, 4, 4, dtype=torch.double)
    lengths = losses.path_lengths(img, ws, noise)
    back = noise.flatten(1) / math.sqrt(16) @ J  # J^T y, [4, 2 * 5]
    assert_close(lengths, (back.square().sum(1) / 2).sqrt())  # the mean over the two rows of ws
    (gradient,) = torch.autograd.grad(lengths.square().sum(), J)
    assert_close(gradient, noise.flatten(1).T / math.sqrt(16) @ back)


@given(st.integers(2, 18), st.floats(0, 1), st.integers(0, 2**31))
def test_styles_change_over_at_one_row(num_ws, probability, seed):
    u = torch.rand(64, 2, generator=torch.Generator().manual_seed(seed))
    cutoff = losses.mixing_cutoffs(u, num_ws, probability)
    assert bool((cutoff >= 1).all()) and bool((cutoff <= num_ws).all())
    first, second = torch.zeros(64, num_ws, 3), torch.ones(64, num_ws, 3)
    mixed = mix_styles(first, second, cutoff)[:, :, 0]
    assert torch.equal(mixed.sum(1).long(), num_ws - cutoff)
    assert bool((mixed.diff(dim=1) >= 0).all())


def test_mixing_is_as_frequent_as_asked_and_every_row_is_as_likely():
    u = torch.rand(40000, 2, generator=torch.Generator().manual_seed(1))
    cutoff = losses.mixing_cutoffs(u, 6, 0.5)
    counts = torch.bincount(cutoff, minlength=7) / 40000
    assert_close(counts, torch.tensor([0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5]), atol=0.01, rtol=0)


@given(st.integers(1, 256), st.integers(100, 100_000))
def test_after_its_half_life_half_of_the_average_is_left(batch, half_life):
    steps = half_life / batch
    assert losses.ema_decay(batch, 10**9, half_life, 0.05) ** steps == pytest.approx(0.5)


def test_the_average_forgets_the_start_quickly():
    assert losses.ema_decay(32, 0, 10_000, 0.05) == 0
    assert losses.ema_decay(32, 1000, 10_000, 0.05) == pytest.approx(0.5 ** (32 / 50))
    assert losses.ema_decay(32, 1000, 10_000, None) == pytest.approx(0.5 ** (32 / 10_000))


@pytest.mark.parametrize("sigma", [0.5, 1.7, 4.0])
def test_blur_is_a_gaussian(sigma):
    img = torch.randn(2, 3, 40, 40, dtype=torch.double)
    std = sigma / math.sqrt(2 * math.log(2))  # of a Gaussian that halves at sigma
    wanted = np.stack(
        [
            [
                scipy.ndimage.gaussian_filter(c, std, mode="constant", radius=math.floor(sigma * 3))
                for c in picture.numpy()
            ]
            for picture in img
        ]
    )
    assert_close(losses.blur(img, sigma), torch.from_numpy(wanted))


def test_blur_fades_in_a_straight_line():
    assert [losses.blur_sigma(n, 10, 1000) for n in (0, 250, 1000, 5000)] == [10, 7.5, 0, 0]
    img = torch.randn(1, 3, 8, 8)
    assert losses.blur(img, 0) is img
