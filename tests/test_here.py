"""Sliders for this picture."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from torch import nn

from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.studio.directions import Axis, cosine
from kinesphere.studio.directions.here import jacobian, sliders
from kinesphere.studio.latents import hashed
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

SIDE, LEFT = 8, (0, 0, 0.5, 1)


class Scaled(nn.Module):
    """w is z, in dimension i wider than in the next."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(size))
        self.register_buffer("wide", torch.linspace(3, 0.5, size))

    def forward(self, z, c=None):
        return (z * self.wide)[:, None].expand(-1, 2, -1)


class Painter(nn.Module):
    """A picture that is linear in both rows: the second moves the same as the first, half as far."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, 3, SIDE, SIDE))

    def forward(self, ws, noise_mode="const"):
        return torch.einsum("nd,dchw->nchw", ws[:, 0] + ws[:, 1] / 2, self.weight)


class Linear(Generator):
    family = "linear"

    def __init__(self, size=10):
        sizes = {"z_dim": size, "c_dim": 0, "w_dim": size, "img_resolution": SIDE, "img_channels": 3}
        super().__init__(sizes, num_ws=2)
        self.config = {"size": size}
        self.mapping, self.synthesis = Scaled(size), Painter(size)

    def row_resolutions(self):
        return [4.0, 8.0]

    def layers(self):
        return {}


@pytest.fixture(scope="module")
def linear():
    G = Linear()
    G.synthesis.weight.data = torch.from_numpy(np.random.RandomState(0).randn(10, 3, SIDE, SIDE).astype(np.float32)) / 9
    return G


def exact(G):
    """The Jacobian of the linear picture in whitened coordinates, [pixels, axes], and the axes [w_dim, axes]."""
    stats = natural(G)
    axes = (stats.vectors * stats.sigmas).double().numpy()
    return 1.5 * G.synthesis.weight.detach().double().numpy().reshape(10, -1).T @ axes, axes


def test_on_a_linear_picture_they_are_the_singular_vectors_of_its_jacobian(linear):
    J, axes = exact(linear)
    _, values, turns = np.linalg.svd(J)
    for i, one in enumerate(sliders(linear, torch.zeros(1, 2, 10), count=6, apart=0)):
        wanted = axes @ turns[i]
        got = one.vector.double().numpy()
        assert abs(wanted @ got) / np.linalg.norm(wanted) / np.linalg.norm(got) > 0.9999
        per_turn = one.found["gain"] * np.linalg.norm(wanted) / one.sigma * np.sqrt(J.shape[0])
        assert per_turn == pytest.approx(values[i], rel=0.01)


def test_in_a_region_they_are_those_of_its_pixels_alone(linear):
    J, axes = exact(linear)
    there = np.zeros((3, SIDE, SIDE), bool)
    there[:, :, : SIDE // 2] = True
    wanted = axes @ np.linalg.svd(J[there.ravel()])[2][0]
    got = sliders(linear, torch.zeros(1, 2, 10), LEFT, count=1, apart=0)[0].vector.double().numpy()
    assert abs(wanted @ got) / np.linalg.norm(wanted) / np.linalg.norm(got) > 0.9999


def test_what_is_to_keep_apart_leaves_the_rest_of_the_picture_alone():
    """Three dimensions move the left half alone, four more both halves, more strongly, and three the right."""
    G = Linear()
    painted = torch.from_numpy(np.random.RandomState(1).randn(10, 3, SIDE, SIDE).astype(np.float32)) / 9
    painted[:3, :, :, SIDE // 2 :] = 0
    painted[3:7] *= 4
    painted[7:, :, :, : SIDE // 2] = 0
    G.synthesis.weight.data = painted
    strong, apart = (sliders(G, torch.zeros(1, 2, 10), LEFT, count=1, apart=much)[0].found for much in (0, 1e6))
    assert strong["outside"] > 0.5 * strong["gain"]
    assert apart["outside"] < 1e-3 * apart["gain"]


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_a_little_of_a_slider_changes_the_picture_as_it_says(family):
    G = tiny_generator(family)
    ws = G.mapping(torch.randn(1, G.z_dim, generator=torch.Generator().manual_seed(3))).detach()
    for one in sliders(G, ws, LEFT, count=2):
        with torch.no_grad():
            there, back = (G.synthesis(Axis.of(G, one).moved(ws, amount)) for amount in (0.02, -0.02))
        change = (there - back) / 0.04
        inside, outside = change[..., :16].square().mean() ** 0.5, change[..., 16:].square().mean() ** 0.5
        assert one.found["gain"] == pytest.approx(float(inside), rel=0.05)
        assert one.found["outside"] == pytest.approx(float(outside), rel=0.05)


def test_the_more_they_keep_apart_the_more_local_they_are(tiny):
    ws = tiny.mapping(torch.ones(1, tiny.z_dim)).detach()
    found = [sliders(tiny, ws, (0.3, 0.3, 0.6, 0.6), count=1, apart=much)[0].found for much in (0, 3, 100)]
    local = [one["gain"] / one["outside"] for one in found]
    assert local == sorted(local) and local[-1] > 1.1 * local[0]
    assert found[0]["gain"] >= found[-1]["gain"]


def test_rows_move_alone(tiny):
    ws = tiny.mapping(torch.ones(1, tiny.z_dim)).detach()
    one = sliders(tiny, ws, count=1, rows="2-3")[0]
    moved = Axis.of(tiny, one).moved(ws, 1.0)
    assert one.rows == "2-3"
    assert torch.equal(moved[:, :2], ws[:, :2]) and torch.equal(moved[:, 4:], ws[:, 4:])
    assert not torch.equal(moved[:, 2:4], ws[:, 2:4])


def test_the_same_each_time_with_a_mask_for_the_box(tiny):
    ws = tiny.mapping(torch.ones(1, tiny.z_dim)).detach()
    mask = np.zeros((32, 32), bool)
    mask[:, :16] = True
    for a, b in zip(sliders(tiny, ws, LEFT), sliders(tiny, ws, mask), strict=True):
        assert torch.equal(a.vector, b.vector) and a.found == b.found and a.name == b.name


def test_the_model_is_left_as_it_was_while_it_learns():
    G = tiny_generator("stylegan2").train().requires_grad_(True)
    before = hashed(G.state_dict())
    sliders(G, G.mapping(torch.ones(1, G.z_dim)), count=1)
    assert all(p.requires_grad and p.grad is None for p in G.parameters())
    assert G.training and G.synthesis.training and hashed(G.state_dict()) == before


def test_a_bend_that_somebody_plays_meanwhile_changes_nothing(tiny):
    ws = tiny.mapping(torch.ones(1, tiny.z_dim)).detach()
    unbent = sliders(tiny, ws, count=1)[0]
    with bent(tiny, {"b8.conv1": lambda x: x * 0, "b4.const": lambda x: -x}):
        assert cosine(sliders(tiny, ws, count=1)[0], unbent) == pytest.approx(1)


def test_a_latent_of_the_engine_is_taken_as_it_is(tiny):
    with torch.inference_mode():
        ws = tiny.mapping(torch.ones(1, tiny.z_dim))
        inside = sliders(tiny, ws, count=1)[0]
    assert torch.equal(sliders(tiny, ws, count=1)[0].vector, inside.vector)


def test_large_pictures_are_shrunk(tiny):
    G = tiny_generator("stylegan2")
    G.synthesis = Enlarged(G.synthesis)
    ws = tiny.mapping(torch.ones(2, tiny.z_dim)).detach()[:1]
    assert jacobian(G, ws, torch.eye(12)[:2]).shape == (2, 3, 64, 64)


class Enlarged(nn.Module):
    def __init__(self, synthesis):
        super().__init__()
        self.inner = synthesis

    def forward(self, ws, noise_mode="const"):
        return nn.functional.interpolate(self.inner(ws, noise_mode), scale_factor=5)


def test_where_nothing_moves_is_said(linear):
    G = Linear()
    G.synthesis.weight.data = linear.synthesis.weight.detach().clone()
    G.synthesis.weight.data[:, :, :, : SIDE // 2] = 0
    with pytest.raises(KinesphereError, match="nothing in this region moves"):
        sliders(G, torch.zeros(1, 2, 10), LEFT)


def test_rows_that_are_not_there_are_said(tiny):
    with pytest.raises(KinesphereError, match="rows 0 to 7"):
        sliders(tiny, torch.zeros(1, tiny.num_ws, tiny.w_dim), rows="9")


@pytest.mark.parametrize("asked", [{"count": 0}, {"apart": -1.0}, {"apart": float("nan")}])
def test_numbers_that_cannot_be_meant_are_said(tiny, asked):
    with pytest.raises(KinesphereError, match="1 or more, as far apart as 0 or more"):
        sliders(tiny, torch.zeros(1, tiny.num_ws, tiny.w_dim), **asked)
