"""The same pictures in many spaces, each what the model itself has there, and nothing of theirs in how it is reduced."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator

from kinesphere import latent
from kinesphere.bends.bending import convolutions
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.ops import to_pixels
from kinesphere.studio import representations as module
from kinesphere.studio.latents import styles
from kinesphere.studio.representations import available, representations, small
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
SEEDS = [3, 11, 5, 40]


@pytest.fixture(autouse=True)
def few_others(monkeypatch):
    monkeypatch.setattr(module, "OTHERS", 40)
    monkeypatch.setattr(module, "MOST", 30)


def ws_of(G):
    with torch.no_grad():
        return G.mapping(latent.seeds_to_z(SEEDS, G.z_dim))


def test_latents_are_the_model_s_own(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    spaces, _ = representations(tiny_checkpoint, SEEDS, wanted=["z", "w", "styles"])
    assert np.array_equal(spaces["z"].x, latent.seeds_to_z(SEEDS, G.z_dim))
    assert np.allclose(spaces["w"].x, ws_of(G)[:, 0], atol=1e-5)
    with torch.no_grad():
        own = torch.cat([*styles(G, ws_of(G)).values()], 1)
    assert np.allclose(spaces["styles"].own, own, atol=1e-4) and spaces["styles"].columns == own.shape[1]
    assert spaces["styles"].x.shape[1] <= G.w_dim  # they extend in no more dimensions than w does


def test_a_layer_is_its_mean_over_the_picture(tiny_checkpoint):
    G, seen = tiny_checkpoint.G_ema, []
    hook = G.layers()["b8.conv1"].register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        G.synthesis(ws_of(G))
    hook.remove()
    spaces, _ = representations(tiny_checkpoint, SEEDS, wanted=["b8.conv1"])
    assert np.allclose(spaces["b8.conv1"].x, seen[0].mean((2, 3)), atol=1e-4) and spaces["b8.conv1"].own is None


@pytest.mark.parametrize("family", ["stylegan1", "stylegan3"])
def test_every_family_has_spaces(family):
    G = tiny_generator(family).requires_grad_(False)
    checkpoint = Checkpoint(G, Card.of({"G_ema": G}, "made by a test"))
    spaces, _ = representations(checkpoint, SEEDS)
    assert {"z", "w", "styles", "pixels", convolutions(G, "all")[0]} <= set(spaces)
    assert all(len(space.x) == 4 and np.isfinite(space.x).all() for space in spaces.values())


def test_what_the_discriminator_says_of_a_picture_depends_on_no_other(tiny_checkpoint):
    together = representations(tiny_checkpoint, SEEDS, wanted=["discriminator"])[0]["discriminator"].x
    alone = [representations(tiny_checkpoint, [seed], wanted=["discriminator"])[0]["discriminator"].x for seed in SEEDS]
    assert np.allclose(together, np.concatenate(alone), atol=1e-4)
    assert together.shape == (4, tiny_checkpoint.D.get_submodule("b4.fc").weight.shape[0])


def test_pixels_are_brought_to_components_of_other_seeds(tiny_checkpoint):
    """Against scikit-learn's whole decomposition of the pictures of the first seeds that are not asked for."""
    from sklearn.decomposition import PCA

    G = tiny_checkpoint.G_ema
    others = [seed for seed in range(44) if seed not in SEEDS][:40]
    with torch.no_grad():
        pictures = [
            small(to_pixels(G(latent.seeds_to_z(seeds, G.z_dim))).permute(0, 3, 1, 2)) for seeds in (others, SEEDS)
        ]
    expected = PCA(30, svd_solver="full").fit(pictures[0]).transform(pictures[1])
    found = representations(tiny_checkpoint, SEEDS, wanted=["pixels"])[0]["pixels"]
    assert found.columns == pictures[1].shape[1] and found.own is None
    assert np.allclose(np.abs(found.x[:, :5]), np.abs(expected[:, :5]), atol=0.02 * np.abs(expected).max())


def test_large_pictures_are_looked_at_small():
    flat = np.repeat(np.array([0, 51, 255], np.uint8), 128 * 128).reshape(1, 3, 128, 128)
    assert np.allclose(small(torch.from_numpy(flat)).reshape(3, 64, 64), np.array([0, 0.2, 1])[:, None, None])


def test_anything_that_looks_at_pictures_is_one_more_space(tiny_checkpoint):
    def red(pictures):
        return pictures[:, :1].float().mean((2, 3)).numpy()

    spaces, labels = representations(
        tiny_checkpoint,
        SEEDS,
        wanted=["w"],
        eyes={"red": red},
        teller=lambda pictures: {"redness": red(pictures)[:, 0]},
    )
    assert list(spaces) == ["w", "red"] and spaces["red"].x.shape == (4, 1)
    assert np.array_equal(labels["redness"], spaces["red"].x[:, 0])


def test_what_a_model_has_not_is_left_out_or_refused(tiny_checkpoint):
    headless = Checkpoint(tiny_checkpoint.G_ema, tiny_checkpoint.card)
    assert "discriminator" in available(tiny_checkpoint) and "discriminator" not in available(headless)
    for wanted, words in ((["w", "v"], "no space 'v': choose z, w"), (["encoder"], "no encoder comes with this model")):
        with pytest.raises(KinesphereError, match=words):
            representations(tiny_checkpoint, SEEDS, wanted=wanted)
    with pytest.raises(KinesphereError, match="needs a checkpoint with a discriminator"):
        representations(headless, SEEDS, wanted=["discriminator"])
    with pytest.raises(KinesphereError, match="two spaces are named 'w'"):
        representations(tiny_checkpoint, SEEDS, wanted=["w"], eyes={"w": small})


def test_the_model_is_left_as_it_was_found(tiny_checkpoint):
    before = {name: value.clone() for name, value in tiny_checkpoint.G_ema.state_dict().items()}
    representations(tiny_checkpoint, SEEDS)
    assert all(torch.equal(value, before[name]) for name, value in tiny_checkpoint.G_ema.state_dict().items())
    assert not any(part._forward_hooks for part in tiny_checkpoint.G_ema.modules())
