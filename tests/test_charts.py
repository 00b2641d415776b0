"""W in coordinates that are easy to walk in."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator

from kinesphere import latent
from kinesphere.studio.charts import Chart


@pytest.fixture(scope="module")
def charted():
    G = tiny_generator("stylegan2")
    return G, Chart.of(G)


def natural(G, count):
    with torch.no_grad():
        return latent.sample_w(G.mapping, G.z_dim, count, seed=7)


def test_natural_latents_are_a_round_cloud(charted):
    G, chart = charted
    u = chart.coordinates(natural(G, 20_000))
    assert u.mean(0).abs().max() < 0.05
    assert (torch.cov(u.T) - torch.eye(G.w_dim)).abs().max() < 0.1


def test_there_and_back(charted):
    G, chart = charted
    w = natural(G, 50)
    assert torch.allclose(chart.placed(chart.coordinates(w)), w, atol=1e-4)
    assert torch.equal(chart.placed(torch.zeros(G.w_dim)), chart.mean)


def test_the_radius_is_that_of_the_ellipsoid(charted):
    G, chart = charted
    stats = latent.statistics(natural(G, 20_000))
    w = natural(G, 50)
    assert torch.allclose(chart.radius(chart.coordinates(w)), latent.radius(w, stats), rtol=0.05)


def test_one_natural_latent_in_twenty_is_farther_out_than_natural(charted):
    G, chart = charted
    beyond = chart.radius(chart.coordinates(natural(G, 40_000))) > chart.natural
    assert beyond.float().mean() == pytest.approx(
        0.05, abs=0.008
    )  # 0.001 by chance, and 0.002 of the chart's own 10,000


def test_the_first_coordinates_move_the_picture_most(charted):
    G, chart = charted
    w = natural(G, 20)

    def change(i):
        with torch.no_grad():
            pictures = [G.synthesis(x[:, None].expand(-1, G.num_ws, -1)) for x in (w, w + 0.1 * chart.axes[:, i])]
        return float((pictures[1] - pictures[0]).square().mean())

    changes = [change(i) for i in range(G.w_dim)]
    assert np.corrcoef(changes, np.arange(G.w_dim))[0, 1] < -0.5
    assert sum(changes[: G.w_dim // 3]) > 2 * sum(changes[-G.w_dim // 3 :])


def test_a_class_has_a_chart_of_its_own():
    G = tiny_generator("stylegan2", c_dim=3)
    assert not torch.allclose(Chart.of(G, 0).mean, Chart.of(G, 2).mean, atol=1e-3)
