"""Random directions are random, in standard deviations, and the same for a seed; components do more than they."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from planted import Linear, planted

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.directions import Axis, cosine
from kinesphere.studio.directions.control import compared, random_directions
from kinesphere.studio.directions.importance import effect
from kinesphere.studio.directions.pca import pca
from kinesphere.studio.sheets import seeds_to_ws, z_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return planted(Linear([0.5, 0.5]), [0.02 * 0.6**i for i in range(10)])


def test_they_are_as_wide_as_natural_latents_are_along_them(G: Generator) -> None:
    w = latent.sample_w(lambda z: z_to_ws(G, z), G.z_dim, 10_000, seed=1)
    for one in random_directions(G, 5):
        assert one.sigma == pytest.approx(float((w @ one.unit).std()), rel=0.05)
        assert one.found["share"] == pytest.approx(float((w @ one.unit).var() / w.var(0).sum()), rel=0.1)


def test_they_favour_no_way(G: Generator) -> None:
    vectors = torch.stack([one.vector for one in random_directions(G, 400)])
    assert (vectors.square().mean(0) - 0.1).abs().max() < 0.03 and vectors.mean(0).abs().max() < 0.06


def test_a_seed_gives_the_same_ones_each_time(G: Generator) -> None:
    one, again, other = (random_directions(G, 2, seed) for seed in (1, 1, 2))
    assert [each.name for each in one] == ["random 1", "random 2"]
    assert all(torch.equal(a.vector, b.vector) for a, b in zip(one, again, strict=True))
    assert abs(cosine(one[0], other[0])) < 0.99
    with pytest.raises(KinesphereError, match="seed 5000000000 is out of range"):
        random_directions(G, 2, 5_000_000_000)


def test_components_do_more_than_chance_and_by_as_much_as_is_said(G: Generator) -> None:
    found, chance = pca(G, 3), random_directions(G, 21)
    said = compared(G, found, chance, range(2))
    ws = seeds_to_ws(G, range(2))
    known = [np.median([effect(G, Axis.of(G, one), ws) for one in some]) for some in (found, chance)]
    assert said.times == pytest.approx(known[0] / known[1], rel=1e-4) and said.times > 1.3
    assert f"{said.times:.2f} times as much" in said.words and "along 21 random directions" in said.words


def test_random_directions_do_no_more_than_chance() -> None:
    G = tiny_generator("stylegan2").requires_grad_(False)
    assert 0.5 < compared(G, random_directions(G, 9, 1), random_directions(G, 9, 2), range(2)).times < 2
