"""The named directions of the built-in model do what they are called, as the judge of drawn portraits sees it."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from kinesphere import checkpoints
from kinesphere.builtin.make_directions import MODEL, WORDS, Eye, honest, purity
from kinesphere.studio.directions import Axis, files, known
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.measures import along, latents
from kinesphere.studio.latents import Fingerprint
from kinesphere.train.judge import load_judge, shows
from kinesphere.train.portraits import FACTORS

pytestmark = pytest.mark.usefixtures("one_thread")

BUILTIN = Path(str(resources.files("kinesphere.builtin")))
SHIPPED = {one.name: one for one in files.read(BUILTIN / "portraits.directions.safetensors")}


@pytest.fixture(scope="module")
def portraits():
    return checkpoints.load(MODEL).G_ema


@pytest.fixture(scope="module")
def eye():
    return Eye(load_judge())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_slider_moves_what_it_is_named_after(portraits, eye, name):
    """Of eight portraits that nothing was learnt from, on average, from -2 over 0 to 2; a hue of those in which it shows."""
    ws = latents(portraits, range(700_000, 700_008), 0.7).expand(-1, portraits.num_ws, -1)
    course = along(portraits, Axis.of(portraits, SHIPPED[name]), eye, ws, (-2, 0, 2))
    i = eye.names.index(WORDS[name].seen)
    told = np.nanmean(course.told[:, :, i], 1)
    assert (np.diff(told) > 0).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_direction_is_of_this_model_and_in_its_deviations(portraits, name):
    one = SHIPPED[name]
    assert one.model == Fingerprint.of(portraits)
    assert one.sigma == pytest.approx(measured(portraits, one), rel=1e-4)
    assert one.found["by"] == "labels" and one.found["words"] == WORDS[name].words
    assert len(one.examples["low"]) == len(one.examples["high"]) == 4
    assert honest(one.found)


def test_they_are_known_by_name_and_few_bytes(portraits):
    told = Fingerprint.of(portraits)
    assert torch.equal(known.find(portraits, "smile", told).vector, SHIPPED["smile"].vector)
    assert {"smile", "turn", "light", "hair hue"} <= set(SHIPPED) <= set(WORDS)
    assert (BUILTIN / "portraits.directions.safetensors").stat().st_size < 32_000


def test_the_card_tells_each_of_them():
    card = (BUILTIN / "portraits.directions.md").read_text()
    for name, one in SHIPPED.items():
        assert f"| {name} | {one.found['words']} | {one.found['change']:.1f} |" in card


def test_the_eye_is_the_judge_a_column_for_each_thing(portraits, eye):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    told, factors = eye(pictures), load_judge().factors(pictures.transpose(0, 3, 1, 2))
    assert told.shape == (3, len(eye.names))
    np.testing.assert_array_equal(told[:, eye.names.index("smile")], factors["smile"].astype(float))
    hat = FACTORS["headwear"].classes.index("hat")
    np.testing.assert_array_equal(told[:, eye.names.index("headwear:hat")], factors["headwear"][:, hat].astype(float))
    hidden = ~shows("hair_hue", factors)
    assert np.isnan(told[hidden, eye.names.index("hair_hue")]).all()


def test_purity_is_the_change_over_that_of_others():
    assert purity({"smile": 2.0, "a": 3.0, "b": -4.0}, "smile") == pytest.approx(2 / np.sqrt(12.5))


def test_a_slider_that_moves_something_else_more_is_not_honest():
    worth = {"monotone": 1.0, "singly": 0.9, "change": 1.2, "others": {"age": -1.0}}
    assert honest(worth) and not honest(worth | {"others": {"age": -1.3}})
    assert not honest(worth | {"monotone": 0.9}) and not honest(worth | {"change": 0.3})
