"""Factors are those of the published formula, in every family and row range, and as wide as natural latents are along them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from planted import planted
from torch.testing import assert_close

from kinesphere import checkpoints
from kinesphere.models import Generator, StyleGAN2
from kinesphere.models.rows import rows_of
from kinesphere.studio.blending import layer_rows
from kinesphere.studio.directions import Axis
from kinesphere.studio.directions.sefa import factor, factors, sefa
from kinesphere.studio.latents import affines
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
FIXTURES = Path(__file__).parent / "fixtures"


def by_the_book(G: Generator, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors (columns) of A A^T, A's columns of length 1, sorted (Shen and Zhou 2021, eq. 7)."""
    at = layer_rows(G)
    A = np.concatenate(
        [
            affine.weight.detach().double().numpy().T
            for name, affine in affines(G).items()
            if at[name] in range(100)[rows]
        ],
        1,
    )
    A /= np.linalg.norm(A, axis=0)
    values, vectors = np.linalg.eig(A @ A.T)
    order = np.argsort(-values.real)
    return values.real[order], vectors.real[:, order]


@pytest.mark.parametrize("rows", ["all", "coarse", "2-3"])
@pytest.mark.parametrize("name", ["tf_sg1_128.pkl", "sg2ada_skip64.pkl", "sg3t_64.pkl", "sg3r_64.pkl"])
def test_factors_are_those_of_the_published_formula(name: str, rows: str) -> None:
    G: Generator = checkpoints.load(FIXTURES / name).G_ema
    values, vectors = by_the_book(G, rows_of(G, rows))
    found = factors(G, rows)
    assert_close(found.shares.double().numpy(), values / values.sum(), atol=1e-6, rtol=0)
    for i in range(4):
        apart = min(abs(values[i] - values[j]) for j in range(len(values)) if j != i) / values[0]
        assert abs(found.vectors[i].double().numpy() @ vectors[:, i]) > 1 - 1e-9 / apart**2 - 1e-6


def test_planted_factors_are_found_in_order_with_their_sigmas() -> None:
    sigmas = [0.5, 2.0, 1.0]
    G = planted(tiny_generator("stylegan2", z_dim=3, w_dim=12), sigmas)
    read = G.mapping.factors[torch.tensor([1, 2, 0])]  # the layers read the second most often, the first least
    shares = (0.6, 0.3, 0.1)
    dice = torch.Generator().manual_seed(0)
    for affine in affines(G).values():
        which = torch.multinomial(torch.tensor(shares), len(affine.weight), replacement=True, generator=dice)
        sizes = torch.rand(len(affine.weight), 1, generator=dice) + 0.5
        affine.weight.data = sizes * (read[which] + 0.02 * torch.randn(len(which), 12, generator=dice))
    for i, (one, sigma) in enumerate(zip(sefa(G, 3), (2.0, 1.0, 0.5), strict=True)):
        assert abs(one.unit @ read[i]) > 0.99
        assert one.sigma == pytest.approx(sigma, rel=0.05)
        assert one.found["share"] == pytest.approx(shares[i], abs=0.08) and one.name == f"sefa{i + 1}"


def test_factors_of_some_rows_move_those_rows_alone() -> None:
    G = tiny_generator("stylegan2")
    one, ws = factor(G, 1, "2-3"), torch.randn(2, G.num_ws, G.w_dim)
    moved = Axis.of(G, one).moved(ws, 2.5)
    same = [i for i in range(G.num_ws) if torch.equal(moved[:, i], ws[:, i])]
    assert same == [i for i in range(G.num_ws) if i not in (2, 3)]
    assert abs(float(one.unit @ factor(G, 1).unit)) < 0.99  # other layers, other factors


def test_no_sigma_is_no_change() -> None:
    G = tiny_generator("stylegan3")
    ws = torch.randn(2, G.num_ws, G.w_dim)
    assert torch.equal(Axis.of(G, factor(G, 2)).moved(ws, 0.0), ws)


def test_the_sign_is_the_same_each_time_and_they_stand_at_right_angles(tiny: Generator) -> None:
    vectors = factors(tiny).vectors
    assert_close(vectors @ vectors.T, torch.eye(tiny.w_dim), atol=1e-5, rtol=0)
    assert all(vector[vector.abs().argmax()] > 0 for vector in vectors)
    assert torch.equal(vectors, factors(tiny_generator("stylegan2")).vectors)


def test_they_are_found_once_for_a_model(tiny: Generator) -> None:
    assert factors(tiny, "coarse") is factors(tiny, "coarse")
    assert factors(tiny, "coarse") is not factors(tiny)


def test_what_cannot_be_is_said(tiny: Generator) -> None:
    with pytest.raises(KinesphereError, match="13 factors: this model has 1 to 12"):
        sefa(tiny, 13)
    with pytest.raises(KinesphereError, match="no rows 90: this model has rows 0 to 7"):
        sefa(tiny, 1, "90")
    small = StyleGAN2(z_dim=8, w_dim=8, img_resolution=8, channels=[8, 8], mapping_layers=1)
    with pytest.raises(KinesphereError, match="no layers in the rows middle: choose others"):
        factors(small, "middle")
