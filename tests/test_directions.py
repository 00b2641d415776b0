"""Directions of W in a patch: the widest ways in which the model's pictures differ, each a number that can be routed."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Light, Scripted, tiny_generator
from sklearn.decomposition import PCA

from kinesphere import latent
from kinesphere.checkpoints import Checkpoint
from kinesphere.controls import controls
from kinesphere.engine import Engine, render
from kinesphere.looks import between, fitted, look
from kinesphere.patch import BadPatch, Latent, Patch, changed, dumps, parse
from kinesphere.routes import Route
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


def played(checkpoint, **directions):
    engine = Engine(Patch(latent=Latent(seed=3, psi=0.6, directions=directions)), checkpoint)
    engine.step(0.0, 1 / 30)
    return engine


def test_a_direction_is_a_principal_component_in_deviations(tiny_checkpoint):
    """Against scikit-learn's components of the same latents, up to their sign."""
    G = tiny_checkpoint.G_ema
    still = played(tiny_checkpoint).ws
    w = latent.sample_w(lambda z: G.mapping(z), G.z_dim).numpy()
    pca = PCA(3).fit(w)
    for k in range(3):
        moved = (played(tiny_checkpoint, **{f"pc{k + 1}": 2.0}).ws - still)[0]  # [num_ws, w_dim]
        expected = 2.0 * pca.components_[k] * np.sqrt(pca.explained_variance_[k])
        assert torch.equal(moved[0], moved[-1])  # all rows alike
        sign = np.sign(moved[0].numpy() @ expected)
        np.testing.assert_allclose(moved[0].numpy(), sign * expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_each_direction_moves_by_itself_and_psi_leaves_them_alone(tiny_checkpoint):
    still, one, other, both = (
        played(tiny_checkpoint, **ways).ws for ways in ({}, {"pc1": 1.0}, {"pc2": -1.0}, {"pc1": 1.0, "pc2": -1.0})
    )
    torch.testing.assert_close(both - still, (one - still) + (other - still), atol=1e-5, rtol=1e-4)
    mean = Engine(Patch(latent=Latent(psi=0.0, directions={"pc1": 1.0})), tiny_checkpoint)
    mean.step(0.0, 1 / 30)
    torch.testing.assert_close(mean.ws - tiny_checkpoint.G_ema.w_avg, one - still, atol=1e-5, rtol=1e-4)


def test_0_is_where_the_latent_is(tiny_checkpoint):
    assert torch.equal(played(tiny_checkpoint, pc1=0.0).ws, played(tiny_checkpoint).ws)


def test_light_pushes_the_picture_along_a_direction(tiny_checkpoint):
    dark, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    patch = Patch(
        sources={"eye": Scripted([dark, light])},
        features={"light": Light()},
        latent=Latent(seed=3, psi=0.6, directions={"pc1": Route("light", low=-2.0, high=2.0)}),
    )
    engine, seen = Engine(patch, tiny_checkpoint), []
    render(engine, 2, Fraction(10), lambda i: seen.append(engine.ws.clone()))
    torch.testing.assert_close(seen[1] - seen[0], 4 * engine.axes[0].expand_as(seen[0]), atol=1e-4, rtol=1e-3)


def test_a_direction_that_is_none_is_refused(tiny_checkpoint):
    with pytest.raises(KinesphereError, match="directions: no direction 'smile': pc1 is the widest way"):
        Latent(directions={"smile": 1.0})
    w_dim = tiny_checkpoint.G_ema.w_dim
    with pytest.raises(BadPatch, match=f"latent.directions.pc{w_dim + 1}: this model has pc1 to pc{w_dim}"):
        played(tiny_checkpoint, **{f"pc{w_dim + 1}": 1.0})
    with pytest.raises(BadPatch, match="latent.directions.pc1: no feature 'hand' that is a number"):
        parse('[latent.directions]\npc1 = {feature = "hand", low = 0.0, high = 1.0}')


def test_it_comes_back_from_the_file_and_from_a_change():
    patch = parse("[latent.directions]\npc1 = 1.5\npc12 = -2.0")
    assert parse(dumps(patch)) == patch and patch.latent.directions == {"pc1": 1.5, "pc12": -2.0}
    assert changed(patch, {"latent.directions.pc2": 0.5}).latent.directions == {"pc1": 1.5, "pc12": -2.0, "pc2": 0.5}
    assert changed(patch, {"latent.directions.pc1": None}).latent.directions == {"pc12": -2.0}


def test_looks_go_straight_from_one_to_the_other():
    one, other = (
        look(Patch(latent=Latent(directions={"pc1": 2.0}))),
        look(Patch(latent=Latent(directions={"pc2": -1.0}))),
    )
    assert between([one, other], [0.75, 0.25])["latent.directions"] == {"pc1": 1.5, "pc2": -0.25}


def test_a_look_of_another_instrument_keeps_the_numbers_and_loses_the_routes():
    theirs = look(Patch(latent=Latent(directions={"pc1": 2.0, "pc2": Route("light", low=0.0, high=1.0)})))
    assert fitted(theirs, Patch())["latent.directions"] == {"pc1": 2.0}


def test_the_widest_ways_have_sliders_and_so_has_each_that_is_named(tiny_checkpoint):
    patch = Patch(latent=Latent(directions={"pc11": 1.0}))
    found = [c for c in controls(patch, tiny_checkpoint.G_ema) if c.group == "latent.directions"]
    assert [c.place for c in found] == [f"latent.directions.pc{k}" for k in (1, 2, 3, 4, 5, 6, 7, 8, 11)]
    assert all(c.routable and c.default == 0 for c in found)


def test_a_model_with_classes_has_directions_too():
    G = tiny_generator("stylegan2", c_dim=3)
    engine = played(Checkpoint(G_ema=G, card=None), pc1=1.0)
    assert not engine.health["latent"].error
