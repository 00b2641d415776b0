"""The model's picture follows what moves: from a guess or from where it was, over cuts, calmly, and never through a bent model."""

import math

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from test_projection import drawn

from kinesphere.bends import bent
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.ops import to_pixels
from kinesphere.routes import Follower as Filter
from kinesphere.routes import OneEuro, Route
from kinesphere.studio.charts import Chart
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.following import Follower, Following, Steady
from kinesphere.types import Feature, KinesphereError, Signal, space_of


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(scope="module")
def model():
    G = tiny_generator("stylegan2", use_noise=False)
    return Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))


class Knows:
    """An encoder that guesses as well as it is told."""

    class_index = 0

    def __init__(self, G, u):
        self.chart, self.u = Chart.of(G), u

    def coordinates(self, img):
        return self.u


def pixels(img):
    return to_pixels(img)[0].numpy()


def seen(feature, pictures, fps=30.0):
    return [feature(Signal(picture, i / fps)) for i, picture in enumerate(pictures)]


# Following ------------------------------------------------------------------------------------------------------------------


def test_a_still_picture_is_come_nearer_and_nearer(model):
    goal, _ = drawn(model.G_ema, 1)
    follower = Follower(model.G_ema, 4)
    left = []
    for _ in range(40):
        follower(goal)
        left.append(follower.left)
    assert left[-1] < 0.2 * left[0] and not follower.restarted


def test_more_steps_come_nearer(model):
    goal, _ = drawn(model.G_ema, 1)
    ends = []
    for steps in (1, 4):
        follower = Follower(model.G_ema, steps)
        for _ in range(10):
            follower(goal)
        ends.append(follower.left)
    assert ends[1] < ends[0]


def test_without_steps_it_is_the_guess_alone(model):
    goal, w = drawn(model.G_ema, 1)
    chart = Chart.of(model.G_ema)
    guess = Knows(model.G_ema, chart.coordinates(w))
    follower = Follower(model.G_ema, 0, guess)
    assert torch.allclose(follower(goal), w, atol=1e-4)
    guess.u = guess.u + 0.5  # a worse one: it has nothing else
    assert torch.allclose(follower(goal), chart.placed(guess.u), atol=1e-4)


def test_a_cut_is_seen_and_begun_anew_at_the_guess(model):
    G = model.G_ema
    (one, other), (w, v) = (x.split(1) for x in drawn(G, 2, seed=3))
    chart = Chart.of(G)
    guess = Knows(G, chart.coordinates(w) + 0.3)
    follower = Follower(G, 2, guess)
    for _ in range(12):
        follower(one)
    assert not follower.cut and not follower.restarted
    guess.u = chart.coordinates(v) + 0.3
    found = follower(other)
    assert follower.cut and follower.restarted
    assert (found - v).norm() < 0.5 * (w - v).norm()


def test_a_guess_that_is_worse_is_not_taken(model):
    G = model.G_ema
    goal, _ = drawn(G, 1)
    guess = Knows(G, torch.full((1, G.w_dim), 2.0))
    follower = Follower(G, 2, guess)
    for _ in range(10):
        follower(goal)
        assert not follower.restarted


def test_what_it_finds_stays_on_the_map(model):
    follower = Follower(model.G_ema, 4)
    noise = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for _ in range(60):
        follower(noise)
    assert follower.chart.radius(follower.u.detach()).item() < 1.5 * follower.chart.natural


# The filter -----------------------------------------------------------------------------------------------------------------


def test_one_number_is_filtered_as_a_route_filters_it():
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.uniform(0.01, 0.05, 60))
    x = rng.uniform(0.1, 0.9, 60)
    steady, route = Steady(1.2, 3.0), Filter(Route("x", one_euro=OneEuro(1.2, 3.0)))
    assert [float(steady(np.array([v]), s)[0]) for v, s in zip(x, t, strict=True)] == pytest.approx(
        [route(float(v), float(s)) for v, s in zip(x, t, strict=True)], abs=1e-9
    )


def test_a_vector_is_smoothed_along_its_way():
    """A straight move stays on its line, as no number of it is filtered by its own speed."""
    steady, way = Steady(0.5, 1.0), np.array([1.0, -3.0, 0.2])
    values = [steady(way * i / 30, i / 30) for i in range(30)]
    assert all(np.linalg.norm(np.cross(v, way)) < 1e-9 for v in values)
    assert 0 < values[-1] @ way < 29 / 30 * (way @ way)


# The feature ----------------------------------------------------------------------------------------------------------------


def test_it_is_a_feature_whose_latents_are_of_w():
    assert isinstance(Following(), Feature) and space_of(Following()) == "w" and Following.vector


def test_it_sees_the_middle_square_of_its_region(model):
    feature = Following(region=(0.5, 0.0, 1.0, 1.0))
    feature.open(model)
    picture = np.zeros((64, 256, 3), np.uint8)
    picture[:, 160:224] = 255  # the middle square of the right half
    assert feature.seen(picture).shape == (32, 32, 3) and feature.seen(picture).min() > 250


def test_the_same_pictures_give_the_same_latents_each_time(model):
    pictures = [pixels(img[None]) for img in drawn(model.G_ema, 4)[0]]
    feature = Following(steps=2)
    runs = []
    for _ in range(2):
        feature.open(model)
        runs.append(seen(feature, pictures))
    assert np.array_equal(*runs) and runs[0][0].shape == (model.G_ema.w_dim,) and runs[0][0].dtype == np.float32


@torch.inference_mode()
def test_it_works_where_a_performance_draws_features(model):
    feature = Following(steps=2)
    feature.open(model)
    values = seen(feature, [np.full((40, 40, 3), 90, np.uint8)] * 3)
    assert np.isfinite(values).all() and not np.array_equal(values[0], values[2])


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_a_bent_model_is_not_what_it_looks_through(family):
    """Not even where it is opened while the picture is drawn."""
    G = tiny_generator(family)
    checkpoint = Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))
    picture = pixels(drawn(G, 1)[0])
    straight, other = Following(), Following()
    straight.open(checkpoint)
    wanted = seen(straight, [picture] * 3)
    weight = next(
        name for name, _ in G.synthesis.named_parameters() if name.endswith("weight") and "affine" not in name
    )
    layer = next(name for name in G.layers() if name != "input")
    with bent(G, {weight: lambda x: 2 * x, layer: lambda x: -x}):
        other.open(checkpoint)
        assert np.array_equal(seen(other, [picture] * 3), wanted)


def test_an_encoder_from_a_file(model, tmp_path):
    own = Encoder.beginning(model.G_ema, Chart.of(model.G_ema)).save(tmp_path / "own.safetensors")
    Following(encoder=str(own), steps=0).open(model)
    other = tiny_generator("stylegan2", c_dim=3)
    foreign = Encoder.beginning(other, Chart.of(other)).save(tmp_path / "other.safetensors")
    with pytest.raises(KinesphereError, match="another model"):
        Following(encoder=str(foreign)).open(model)
    with pytest.raises(KinesphereError, match=r"gone\.safetensors cannot be read"):
        Following(encoder=str(tmp_path / "gone.safetensors")).open(model)


def test_no_encoder_and_no_steps_is_nothing(model):
    with pytest.raises(KinesphereError, match="no encoder: give one, or steps above 0"):
        Following(steps=0).open(model)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": -1}, {"steps": 101}, {"min_cutoff": 0}, {"beta": -1}, {"beta": math.inf}, {"min_cutoff": math.nan}],
)
def test_numbers_that_cannot_be_meant_are_named(wrong):
    with pytest.raises(KinesphereError, match=f"{next(iter(wrong))} {next(iter(wrong.values()))!r}: give"):
        Following(**wrong)
