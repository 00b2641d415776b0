"""A picture tells how it was made, and is made again, bit for bit."""

import json

import numpy as np
import pytest
import torch
from conftest import stir, tiny_generator
from PIL import Image

from kinesphere.studio import recipes
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.recipes import Order, Recipe
from kinesphere.types import KinesphereError


def made(G, order, folder, noise_mode="const"):
    """The pictures of an order, written; where they are and what they were when they were drawn."""
    drawn = {}
    for name, recipe in zip(
        order.names(), order.recipes(G, "folder/tiny.safetensors", 0, noise_mode, 3, slice(0, 4)), strict=True
    ):
        picture = recipe.draw(G)
        drawn[recipes.save(picture, folder / f"{name}.png", recipe)] = picture
    return drawn


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
@pytest.mark.parametrize(
    "order",
    [Order([3, 85], 0.7), Order([3, 4], 0.7, psi_grid=3), Order([3, 4], 0.7, others=[5], rows="coarse")],
    ids=["seeds", "psi", "mix"],
)
def test_a_picture_is_made_again_to_the_bit_after_a_restart(tiny, order, noise_mode, tmp_path):
    for path, picture in made(tiny, order, tmp_path, noise_mode).items():
        assert np.array_equal(np.asarray(Image.open(path)), picture)
        [again] = Order([0], 1.0, made=path).recipes(tiny_generator("stylegan2"), "any", 0, "const", None, slice(0, 1))
        assert np.array_equal(again.draw(tiny_generator("stylegan2")), picture)


def test_random_noise_differs_from_picture_to_picture(tiny):
    wanted = Order([3, 3], 0.7).recipes(tiny, "tiny", 0, "random", None, slice(0, 1))
    first, second = (recipe.draw(tiny) for recipe in wanted)
    assert not np.array_equal(first, second)


def test_a_projection_is_made_again_with_its_noise_however_big_it_is(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "PART", 1000)  # so that it takes many texts
    place = Latent(torch.randn(8, 12), "w+", noise={"b32.conv1": torch.randn(32, 32)}, model=Fingerprint.of(tiny))
    place.save(tmp_path / "me.safetensors")
    for path, picture in made(tiny, Order([0], 1.0, place=tmp_path / "me.safetensors"), tmp_path).items():
        assert path.name == "me.png"
        assert np.array_equal(recipes.read(path).draw(tiny), picture)


def test_the_recipe_says_no_path_and_which_model(tiny, tmp_path):
    [(path, _)] = made(tiny, Order([3], 0.7), tmp_path).items()
    assert "folder" not in Image.open(path).text["kinesphere"]
    recipe = recipes.read(path)
    assert recipe.model == "tiny.safetensors"
    with pytest.raises(KinesphereError, match=r"another model \(tiny.safetensors\)"):
        recipe.check(Fingerprint.of(stir(tiny_generator("stylegan2"), 5)))


def test_a_picture_without_a_recipe_or_with_a_damaged_one_is_refused_by_name(tiny, tmp_path):
    [(path, picture)] = made(tiny, Order([3], 0.7), tmp_path).items()
    Image.fromarray(picture).save(tmp_path / "plain.png")
    (tmp_path / "words.png").write_text("hello")
    with pytest.raises(KinesphereError, match="plain.png: it holds no recipe"):
        recipes.read(tmp_path / "plain.png")
    with pytest.raises(KinesphereError, match="words.png: it is no PNG"):
        recipes.read(tmp_path / "words.png")
    said = json.loads(recipes.read(path).to_json())
    for wrong in ({"what": "os.system"}, {"of": 3}, {"class": "x"}, {"model": {}}):
        with pytest.raises(KinesphereError, match="damaged"):
            Recipe.from_json(json.dumps(said | wrong))
    with pytest.raises(KinesphereError, match="damaged"):
        Recipe.from_json(json.dumps(said | {"of": {"path": "/etc"}})).draw(tiny)
