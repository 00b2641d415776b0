"""A guess of a picture's w: kept, read back, refused where it is of another model; and a start that saves steps."""

import json

import pytest
import torch
from conftest import tiny_generator
from safetensors.torch import load, save
from test_projection import drawn, goals_of

from kinesphere import checkpoints
from kinesphere.studio import encoder
from kinesphere.studio.charts import Chart
from kinesphere.studio.encoder import Encoder, shipped
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.projection import Plan, Projection, unexplained
from kinesphere.train.portraits import Portraits
from kinesphere.types import KinesphereError


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(scope="module")
def tiny_one():
    G = tiny_generator("stylegan2")
    return G, Encoder.beginning(G, Chart.of(G)).eval()


@pytest.fixture(scope="module")
def portraits():
    G = checkpoints.load("portraits").G_ema
    return G, shipped(Fingerprint.of(G))


def pictures_of(w, G):
    with torch.no_grad():
        return G.synthesis(w[:, None].expand(-1, G.num_ws, -1))


def test_what_was_kept_guesses_the_same_and_knows_its_model(tiny_one, tmp_path):
    G, own = tiny_one
    img, _ = drawn(G, 3)
    once = Encoder.load(own.save(tmp_path / "one.safetensors"))
    again = Encoder.load(once.save(tmp_path / "two.safetensors"))
    assert torch.allclose(once(img), own(img), atol=5e-3)  # half precision
    assert torch.equal(again(img), once(img))
    once.check(Fingerprint.of(G))
    assert once.model == Fingerprint.of(G) and torch.equal(once.chart.inverse, own.chart.inverse)


def test_the_chart_is_that_of_the_model(tiny_one):
    G, own = tiny_one
    chart = Chart.of(G)
    assert torch.equal(own.chart.axes, chart.axes) and own.chart.rank == chart.rank
    assert own.chart.natural == pytest.approx(chart.natural, abs=1e-6)


def test_another_model_is_refused_and_a_child_with_its_mapping_is_not(tiny_one):
    G, own = tiny_one
    child = tiny_generator("stylegan2", use_noise=False)
    child.mapping.load_state_dict(G.mapping.state_dict())
    own.check(Fingerprint.of(child))
    other = tiny_generator("stylegan2", c_dim=3)
    with pytest.raises(KinesphereError, match="another model.*train-encoder"):
        own.check(Fingerprint.of(other))


def test_learning_on_for_another_model_begins_with_the_same_guesses(tiny_one):
    G, _ = tiny_one
    img, _ = drawn(G, 3)
    own = Encoder.beginning(G, Chart.of(G)).eval()
    torch.nn.init.normal_(
        own.head.weight, std=1.0, generator=torch.Generator().manual_seed(0)
    )  # it has learnt something
    trained_on = tiny_generator("stylegan2")
    with torch.no_grad():
        for p in trained_on.parameters():
            p *= 1 + 0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    pupil = Encoder.beginning(trained_on, Chart.of(trained_on)).eval()
    pupil.learn_on_from(own)
    assert not torch.allclose(pupil.coordinates(img), own.coordinates(img), atol=1e-2)  # the map is another
    assert torch.allclose(pupil(img), own(img), atol=1e-2, rtol=1e-3)
    pupil.check(Fingerprint.of(trained_on))
    assert torch.equal(pupil.chart.axes, Chart.of(trained_on).axes)


def test_what_is_of_another_size_cannot_learn_on(tiny_one):
    _, own = tiny_one
    other = Encoder(own.head.out_features + 1)
    with pytest.raises(
        KinesphereError, match=f"w of {own.head.out_features},.* the model needs w of {own.head.out_features + 1}"
    ):
        other.learn_on_from(own)


@pytest.mark.parametrize("times", [2, 3])
def test_a_larger_picture_is_looked_at_as_a_whole(tiny_one, times):
    G, own = tiny_one
    img, _ = drawn(G, 2)
    larger = img.repeat_interleave(times, 2).repeat_interleave(times, 3)
    assert torch.allclose(own(larger), own(img), atol=1e-4)


def test_colours_it_does_not_know_are_refused(tiny_one):
    with pytest.raises(KinesphereError, match=r"\[1, 4, 32, 32\] do not fit.*\[N, 3, H, W\]"):
        tiny_one[1](torch.zeros(1, 4, 32, 32))


def edited(data, **about):
    said = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["about"])
    return save(load(data), {"kinesphere_encoder": "1", "about": json.dumps({**said, **about})})


@pytest.mark.parametrize(
    "spoilt, words",
    [
        (lambda d: d[:-100], "damaged or cut off"),
        (lambda d: b"", "damaged or cut off"),
        (lambda d: save({"latent": torch.zeros(4)}), "no encoder that kinesphere wrote"),
        (lambda d: save(load(d), {"kinesphere_encoder": "9", "about": "{}"}), "later kinesphere"),
        (lambda d: save(load(d), {"kinesphere_encoder": "1", "about": "[]"}), "damaged"),
        (lambda d: save(load(d), {"kinesphere_encoder": "1", "about": "{"}), "damaged"),
        (lambda d: edited(d, w_dim=10**9), "damaged"),
        (lambda d: edited(d, w_dim=5), "not those of an encoder"),
        (lambda d: edited(d, side=33), "side 33"),
        (lambda d: edited(d, model="mine"), "damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(tiny_one, tmp_path, spoilt, words):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(spoilt(tiny_one[1].to_bytes()))
    with pytest.raises(KinesphereError, match=f"mine.safetensors: .*{words}"):
        Encoder.load(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(KinesphereError, match=r"gone\.safetensors cannot be read: No such file"):
        Encoder.load(tmp_path / "gone.safetensors")


# Chosen by name ------------------------------------------------------------------------------------------------------------


def test_a_name_means_the_models_own_or_a_file_or_none(tiny_one, portraits, tmp_path):
    G, own = tiny_one
    path, told = str(own.save(tmp_path / "mine.safetensors")), Fingerprint.of(G)
    assert encoder.chosen("none", told) is None and encoder.chosen("own", told) is None
    assert encoder.chosen(path, told).model == told
    assert encoder.chosen("own", Fingerprint.of(portraits[0])).model == Fingerprint.of(portraits[0])
    with pytest.raises(KinesphereError, match="another model"):
        encoder.chosen(path, Fingerprint.of(portraits[0]))
    with pytest.raises(KinesphereError, match="guesses pictures of class 0: ask for that"):
        encoder.chosen(path, told, class_index=2)


# The one that is shipped ---------------------------------------------------------------------------------------------------


def test_the_built_in_model_has_one_and_others_have_not(portraits):
    _, own = portraits
    assert own is not None and len(own.to_bytes()) <= 8e6
    assert shipped(Fingerprint.of(tiny_generator("stylegan2"))) is None
    assert shipped(Fingerprint()) is None


def test_its_guess_is_near_pictures_that_it_has_not_seen(portraits):
    """What half of the pictures leave, of generated and of painted ones; the mean picture leaves about all."""
    G, own = portraits
    made, _ = drawn(G, 32, seed=987)
    painted = goals_of([Portraits(31, 64)[i][0] for i in range(32)])
    for goals, most in ((made, 0.15), (painted, 0.45)):
        assert unexplained(pictures_of(own(goals), G), goals).median() < most


@pytest.mark.parametrize("kind", ["made", "painted"])
def test_from_its_guess_half_the_steps_go_as_far(portraits, kind):
    """As from the mean of W."""
    G, own = portraits
    goals = drawn(G, 6, seed=654)[0] if kind == "made" else goals_of([Portraits(77, 64)[i][0] for i in range(6)])
    (*_, plain) = Projection(G, goals, Plan(steps=80, search=False), chart=own.chart)
    (*_, guessed) = Projection(G, goals, Plan(steps=40, search=False), starts=own(goals), chart=own.chart)
    assert (guessed.loss / plain.loss).median() <= 1 and (guessed.loss <= plain.loss).sum() >= 5
