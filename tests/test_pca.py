"""Components are those of the statistics of the field, of W and of any layer; what chance would find is less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from planted import Linear, planted
from sklearn.decomposition import PCA
from torch.testing import assert_close

from kinesphere import checkpoints, latent
from kinesphere.models import Generator
from kinesphere.studio.directions import Direction, cosine, pca
from kinesphere.studio.directions.control import random_directions
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
FIXTURES = Path(__file__).parent / "fixtures"
SIGMAS = [3.0, 2.4, 2.0, 1.6, 1.3, 1.0, 0.8, 0.6, 0.4, 0.2]


def opened(name: str) -> Generator:
    G: Generator = checkpoints.load(FIXTURES / name).G_ema
    return G


def natural(G: Generator, count: int, class_index: int = 0, seed: int = 0) -> np.ndarray:
    return latent.sample_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, count, seed).double().numpy()


def same_way(a: Direction, b: np.ndarray) -> float:
    return float(abs(a.unit.double().numpy() @ b) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def G() -> Generator:
    return planted(tiny_generator("stylegan2", z_dim=10, w_dim=12), SIGMAS)


@pytest.fixture(scope="module")
def found(G: Generator) -> list[Direction]:
    return pca.pca(G, 10)


def test_planted_factors_are_found_with_their_sigmas(G: Generator, found: list[Direction]) -> None:
    for one, factor, sigma in zip(found, G.mapping.factors.double().numpy(), SIGMAS, strict=True):
        assert same_way(one, factor) > 0.99
        assert one.sigma == pytest.approx(sigma, rel=0.05)


def test_all_components_together_are_all_that_varies_and_stand_at_right_angles(found: list[Direction]) -> None:
    assert sum(one.found["share"] for one in found) == pytest.approx(1, abs=1e-6)
    vectors = torch.stack([one.vector for one in found])
    assert_close(vectors @ vectors.T, torch.eye(10), atol=1e-5, rtol=0)
    assert all(vector[vector.abs().argmax()] > 0 for vector in vectors)


@pytest.mark.parametrize(
    "name, class_index",
    [("tf_sg1_128.pkl", 0), ("sg2ada_skip64.pkl", 0), ("sg2ada_cond64.pkl", 2), ("sg3t_64.pkl", 0)],
)
def test_components_are_those_of_scikit_learn(name: str, class_index: int) -> None:
    G = opened(name)
    count = 4 * G.w_dim
    known = PCA(5, svd_solver="full").fit(natural(G, count, class_index, seed=3))
    for i, one in enumerate(pca.pca(G, 5, count, class_index=class_index, seed=3)):
        assert same_way(one, known.components_[i]) > 1 - 1e-6
        assert one.sigma == pytest.approx(known.explained_variance_[i] ** 0.5, rel=1e-5)
        assert one.found["share"] == pytest.approx(known.explained_variance_ratio_[i], rel=1e-5)


def test_it_does_not_matter_how_many_samples_come_at_once(G: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (monkeypatch.setattr(pca, "BATCH", (size, size)) or pca.pca(G, 4, 1000) for size in (1000, 7))
    for a, b in zip(one, other, strict=True):
        assert_close(a.vector, b.vector, atol=1e-6, rtol=0)
        assert a.sigma == pytest.approx(b.sigma, rel=1e-6)


@pytest.mark.parametrize("layer", ["", "b8.conv0"])
def test_a_seed_gives_the_same_components_each_time(layer: str) -> None:
    G = tiny_generator("stylegan2")
    one, again, other = (pca.pca(G, 3, 300, layer, seed=seed) for seed in (1, 1, 2))
    for a, b, c in zip(one, again, other, strict=True):
        assert torch.equal(a.vector, b.vector) and a.sigma == b.sigma
        assert not torch.equal(a.vector, c.vector)


def test_the_first_components_at_once_are_those_of_a_model_s_statistics(G: Generator, found: list[Direction]) -> None:
    for number in (1, 5, 10):
        quick = pca.component(G, number)
        assert quick.name == f"pc{number}" and abs(cosine(quick, found[number - 1])) > 0.99
        assert quick.found["share"] == pytest.approx(found[number - 1].found["share"], rel=0.1)


def test_random_directions_explain_less(G: Generator, found: list[Direction]) -> None:
    chance = [one.found["share"] for one in random_directions(G, 50)]
    assert np.median(chance) < np.median([one.found["share"] for one in found[:5]])


def test_components_that_are_as_wide_as_each_other_are_said_to_be() -> None:
    G = planted(tiny_generator("stylegan2", z_dim=6, w_dim=12), [3.0, 2.0, 1.97, 1.0, 0.6, 0.3])
    found = pca.pca(G, 6)
    assert [one.found["distinct"] for one in found] == [True, False, False, True, True, True]
    assert pca.warning(found).startswith("pc2, pc3: nearly as wide as a neighbour")
    assert pca.warning(found[:1]) == ""


def test_the_last_component_that_is_asked_for_is_held_against_the_next() -> None:
    G = planted(tiny_generator("stylegan2", z_dim=6, w_dim=12), [3.0, 2.0, 1.97, 1.0, 0.6, 0.3])
    assert not pca.pca(G, 2)[1].found["distinct"] and not pca.component(G, 2).found["distinct"]


# Of a layer -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [64, 400], ids=["fewer samples than activations", "more"])
def test_a_linear_model_s_activations_have_the_components_of_w(count: int) -> None:
    G = planted(Linear([0.5, 0.5]), SIGMAS)
    own, seen = pca.pca(G, 6, count), pca.pca(G, 6, count, layer="seen")
    for a, b in zip(own, seen, strict=True):
        assert abs(cosine(a, b)) > 0.99
        assert b.found["share"] == pytest.approx(a.found["share"], rel=1e-3)


def by_the_book(G: Generator, layer: str, count: int, k: int) -> tuple[PCA, np.ndarray]:
    """PCA of the flattened activations, then least squares from their standardised coordinates to w (Härkönen et al. 2020)."""
    w = natural(G, count)
    made = []
    hook = G.layers()[layer].register_forward_hook(lambda _, __, out: made.append(out.flatten(1).double().numpy()))
    with torch.no_grad():
        G.synthesis(torch.from_numpy(w).float()[:, None].expand(-1, G.num_ws, -1))
    hook.remove()
    known = PCA(k, svd_solver="full").fit(made[0])
    coordinates = known.transform(made[0]) / known.explained_variance_**0.5
    return known, np.linalg.lstsq(coordinates, w - w.mean(0), rcond=None)[0]


@pytest.mark.parametrize("layer", ["b4.conv1", "b16.conv0"], ids=["covariance", "samples"])
def test_a_layer_s_components_are_those_of_the_book(layer: str) -> None:
    G, count = tiny_generator("stylegan2"), 250  # b4.conv1 makes 192 numbers, b16.conv0 2048
    known, ways = by_the_book(G, layer, count, 4)
    fresh = natural(G, pca.FRESH, seed=1)
    for i, one in enumerate(pca.pca(G, 4, count, layer)):
        assert same_way(one, ways[i]) > 1 - 1e-5
        assert one.found["share"] == pytest.approx(known.explained_variance_ratio_[i], rel=1e-4)
        assert one.sigma == pytest.approx((fresh @ one.unit.double().numpy()).std(ddof=1), rel=1e-4)
        assert one.name == f"{layer} pc{i + 1}" and one.found["layer"] == layer


@pytest.mark.parametrize(
    "name, layer", [("tf_sg1_128.pkl", "b8.conv0"), ("sg3r_64.pkl", "L1"), ("sg3t_64.pkl", "input")]
)
def test_layers_of_every_family_can_be_looked_at(name: str, layer: str) -> None:
    G = opened(name)
    layer = next(each for each in G.layers() if each.startswith(layer))
    ways = by_the_book(G, layer, G.w_dim + 8, 2)[1]
    for i, one in enumerate(pca.pca(G, 2, G.w_dim + 8, layer)):
        assert same_way(one, ways[i]) > 1 - 1e-3


def test_nothing_is_left_in_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    G = tiny_generator("stylegan2")
    before = Fingerprint.of(G)
    pca.pca(G, 2, 40, "b8.conv0")
    assert Fingerprint.of(G) == before and not any(layer._forward_hooks for layer in G.layers().values())
    assert all(p.grad is None for p in G.parameters())


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"k": 13}, "13 components: this model has 1 to 12"),
        ({"k": 0}, "0 components"),
        ({"count": 12}, "12 latents are too few for 12 dimensions"),
        ({"layer": "b9"}, "no layer 'b9' in this model: there are b4.conv1, "),
        ({"class_index": 1}, "no class 1"),
    ],
)
def test_what_cannot_be_is_said(asked: dict, said: str) -> None:
    with pytest.raises(KinesphereError, match=said):
        pca.pca(tiny_generator("stylegan2"), **{"k": 2, "count": 50, **asked})


def test_there_are_as_many_components_as_latents_differ_in(G: Generator) -> None:
    with pytest.raises(KinesphereError, match="11 components: this model's latents differ in 10 ways"):
        pca.pca(G, 11, 1000)


def test_a_layer_that_is_too_large_to_keep_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pca, "LARGEST", 10**6)
    with pytest.raises(KinesphereError, match="b32.conv1 makes 8192 numbers of each of 2000 latents, too many to keep"):
        pca.pca(tiny_generator("stylegan2"), 2, layer="b32.conv1")
