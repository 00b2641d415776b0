"""How a run is planned: what is asked for holds, what is chosen has a reason."""

import json

import pytest

from kinesphere.models import StyleGAN2, StyleGAN3
from kinesphere.train.recipe import Recipe, parse, plan, widths
from kinesphere.types import KinesphereError


def test_the_published_formulas_on_a_gpu():
    """Karras et al. 2020 (ADA), the "auto" configuration for one GPU."""
    recipe, _ = plan(256, 3, 0, 5000, "cuda")
    assert (recipe.batch, recipe.lr_G, recipe.mapping_layers) == (16, 0.0025, 2)
    assert recipe.gamma == pytest.approx(0.0002 * 256**2 / 16)
    assert recipe.ema_kimg == pytest.approx(16 * 10 / 32)
    recipe, _ = plan(1024, 3, 0, 5000, "cuda", processes=8)
    assert (recipe.batch, recipe.lr_G) == (32, 0.002)
    assert recipe.channels == (512, 512, 512, 512, 512, 256, 128, 64, 32)


def test_every_choice_has_a_value_and_a_reason():
    recipe, choices = plan(64, 3, 0, 300, "cpu")
    for name, choice in choices.items():
        assert getattr(recipe, name) == choice.value
        assert choice.reason


def test_what_is_asked_for_holds():
    recipe, choices = plan(64, 3, 0, 300, "cpu", gamma=7.5, style_mixing=0.1, ada_target=None)
    assert (recipe.gamma, recipe.style_mixing) == (7.5, 0.1)
    assert choices["gamma"].reason == choices["style_mixing"].reason == "asked for"
    assert recipe.ada_target is None


def test_small_sets_are_augmented_and_large_ones_are_not():
    assert plan(64, 3, 0, 300, "cpu")[0].augment == "bgc"
    assert plan(64, 3, 0, 200_000, "cpu")[0].augment == "none"


def test_stylegan3_r_starts_blurred_unless_it_is_transferred():
    assert plan(64, 3, 0, 300, "cpu", family="stylegan3-r")[0].blur == 10
    start = StyleGAN3(img_resolution=64, channel_base=256, channel_max=8, use_radial_filters=True, z_dim=8, w_dim=8)
    recipe, choices = plan(64, 3, 0, 300, "cpu", start=start)
    assert (recipe.family, recipe.blur, recipe.z_dim) == ("stylegan3-r", 0, 8)
    assert choices["z_dim"].reason == "as the checkpoint has it"
    assert plan(64, 3, 0, 300, "cpu", family="stylegan3-t")[0].style_mixing == 0


def test_a_size_that_the_model_to_start_from_has_not_is_refused():
    start = StyleGAN2(img_resolution=32, channels=[8, 8, 8, 8], z_dim=8, w_dim=8)
    assert plan(32, 3, 0, 300, "cpu", start=start, z_dim=8)[0].z_dim == 8
    with pytest.raises(KinesphereError, match="z_dim 64 cannot be: the model to start from has 8"):
        plan(32, 3, 0, 300, "cpu", start=start, z_dim=64)


@pytest.mark.parametrize("family", ["stylegan2", "stylegan3-t", "stylegan3-r"])
def test_networks_are_what_the_recipe_says(family):
    recipe, _ = plan(32, 1, 3, 300, "cpu", family=family)
    G, D = recipe.generator(), recipe.discriminator()
    assert (G.img_resolution, G.img_channels, G.c_dim) == (D.img_resolution, D.img_channels, D.c_dim) == (32, 1, 3)


def test_widths():
    assert widths(32, 2048, 128) == (128, 128, 128, 64)


def test_a_recipe_survives_json():
    recipe, _ = plan(64, 3, 10, 300, "cpu", ada_target=0.5)
    assert Recipe.fromdict(json.loads(json.dumps(recipe.asdict()))) == recipe


def test_numbers_from_the_command_line():
    said = parse(
        ["kimg=0.5", "lr_G=0.002", "channels=64,64,32,16", "betas=0,0.9", "noise=no", "r1_every=8", "ada_target=none"]
    )
    assert said == {
        "kimg": 0.5,
        "lr_G": 0.002,
        "channels": (64, 64, 32, 16),
        "betas": (0.0, 0.9),
        "noise": False,
        "r1_every": 8,
        "ada_target": None,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr=1", "no 'lr'.*lr_G"),
        ("r1_every=often", "r1_every=often.*16"),
        ("noise=maybe", "noise=maybe"),
        ("gamma", "gamma="),
    ],
)
def test_a_wrong_number_is_named(text, words):
    with pytest.raises(KinesphereError, match=words):
        parse([text])


def test_everything_wrong_is_named_at_once():
    with pytest.raises(KinesphereError, match=r"gamma -1.*batch 0|batch 0.*gamma -1"):
        plan(64, 3, 0, 300, "cpu", gamma=-1, batch=0)
    with pytest.raises(KinesphereError, match="channels"):
        plan(64, 3, 0, 300, "cpu", channels=(64, 32))
    with pytest.raises(KinesphereError, match="power of two"):
        plan(48, 3, 0, 300, "cpu", channels=(1,))
    with pytest.raises(KinesphereError, match="augment 'cutmix'.*bgc"):
        plan(64, 3, 0, 300, "cpu", augment="cutmix")
    with pytest.raises(KinesphereError, match="metric 'is'.*swd"):
        plan(64, 3, 0, 300, "cpu", metric="is")
    with pytest.raises(KinesphereError, match="precision 'bf16'.*stylegan3-t"):
        plan(64, 3, 0, 300, "cpu", family="stylegan3-t", precision="bf16")
    with pytest.raises(KinesphereError, match="family 'biggan'.*stylegan3-r"):
        plan(64, 3, 0, 300, "cpu", family="biggan")
