"""Between the classes of a model: what is seen may decide which of them is drawn, and how much."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Light, Scripted, tiny_generator

from kinesphere import latent
from kinesphere.checkpoints import Checkpoint
from kinesphere.controls import controls
from kinesphere.engine import Engine, render
from kinesphere.looks import between, look
from kinesphere.patch import BadPatch, Latent, Patch, changed, dumps, parse
from kinesphere.routes import Route
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint():
    return Checkpoint(G_ema=tiny_generator("stylegan2", c_dim=4), card=None)


def stands(checkpoint, **latents):
    engine = Engine(Patch(latent=Latent(seed=3, psi=1.0, **latents)), checkpoint)
    engine.step(0.0, 1 / 30)
    return engine.ws


def of(checkpoint, *c):
    G = checkpoint.G_ema
    return G.mapping(latent.seed_to_z(3, G.z_dim), torch.tensor([c], dtype=torch.float32))


def test_the_class_vector_is_what_was_asked_for_and_the_rest_is_the_label(checkpoint):
    assert torch.equal(stands(checkpoint, label=1), of(checkpoint, 0, 1, 0, 0))
    torch.testing.assert_close(
        stands(checkpoint, label=1, classes={"3": 0.25, "0": 0.5}), of(checkpoint, 0.5, 0.25, 0, 0.25)
    )
    torch.testing.assert_close(stands(checkpoint, classes={"2": 3.0, "3": 1.0}), of(checkpoint, 0, 0, 0.75, 0.25))


def test_light_blends_one_class_into_another(checkpoint):
    dark, light = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    patch = Patch(
        sources={"eye": Scripted([dark, light])},
        features={"light": Light()},
        latent=Latent(seed=3, psi=1.0, classes={"2": Route("light")}),
    )
    engine, seen = Engine(patch, checkpoint), []
    render(engine, 2, Fraction(10), lambda i: seen.append(engine.ws.clone()))
    torch.testing.assert_close(seen[0], of(checkpoint, 1, 0, 0, 0))
    torch.testing.assert_close(seen[1], of(checkpoint, 0, 0, 1, 0))


def test_a_class_that_the_model_does_not_have_is_refused(checkpoint, tiny_checkpoint):
    with pytest.raises(BadPatch, match="latent.classes.4: this model has classes 0 to 3"):
        stands(checkpoint, classes={"4": 1.0})
    with pytest.raises(BadPatch, match="latent.classes.0: this model has no classes"):
        stands(tiny_checkpoint, classes={"0": 1.0})
    with pytest.raises(KinesphereError, match="classes: no class 'cat': give its number, as 3"):
        Latent(classes={"cat": 1.0})


def test_it_comes_back_from_the_file_from_a_change_and_between_looks():
    patch = parse('[latent.classes]\n3 = 0.5\n12 = {feature = "light", low = 0.0, high = 1.0}\n[sources.eye]\nkind = "camera"\n'
                  '[features.light]\nkind = "brightness"')  # fmt: skip
    assert parse(dumps(patch)) == patch
    assert changed(patch, {"latent.classes.3": 0.25}).latent.classes["3"] == 0.25
    one, other = (look(Patch(latent=Latent(classes=classes))) for classes in ({"1": 1.0}, {"2": 0.5}))
    assert between([one, other], [0.5, 0.5])["latent.classes"] == {"1": 0.5, "2": 0.25}


def test_a_model_with_classes_has_a_slider_for_each_of_the_first(checkpoint, tiny):
    places = [c.place for c in controls(Patch(), checkpoint.G_ema) if c.group == "latent.classes"]
    assert places == [f"latent.classes.{k}" for k in range(4)]
    assert not [c for c in controls(Patch(), tiny) if c.group == "latent.classes"]
