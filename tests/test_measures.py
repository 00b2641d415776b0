"""What is measured of a picture is its closed form, and any function of pictures labels a model's."""

import colorsys

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from kinesphere.latent import truncate
from kinesphere.ops import to_pixels
from kinesphere.studio.directions import Axis, Direction
from kinesphere.studio.directions.labels import learn
from kinesphere.studio.directions.measures import MEASURES, Course, along, labels_of, latents, measure
from kinesphere.studio.naturals import natural
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def plain(colour, size=32):
    return np.broadcast_to(np.array(colour, np.uint8), (size, size, 3)).copy()


def halves(left, right):
    picture = plain(left)
    picture[:, 16:] = right
    return picture


def box(x, y, width, height, colour=WHITE, ground=BLACK):
    picture = plain(ground)
    picture[y : y + height, x : x + width] = colour
    return picture


def chequered():
    return np.where(np.indices((32, 32)).sum(0)[..., None] % 2, 255, 0).astype(np.uint8).repeat(3, 2)


EXPECTED = [
    ("brightness", plain(WHITE), 1.0),
    ("brightness", halves(BLACK, WHITE), 0.5),
    ("brightness", plain(GREEN), 0.7152),
    ("contrast", plain((90, 90, 90)), 0.0),
    ("contrast", halves(BLACK, WHITE), 0.5),
    ("saturation", plain((120, 120, 120)), 0.0),
    ("saturation", halves(RED, WHITE), 0.5),
    ("warmth", plain(RED), 1.0),
    ("warmth", plain(BLUE), -1.0),
    ("warmth", plain(GREEN), 0.0),
    ("greenness", plain(GREEN), 1.0),
    ("greenness", plain((255, 0, 255)), -1.0),
    ("greenness", plain(WHITE), 0.0),
    ("hue", plain(RED), 0.0),
    ("hue", halves(GREEN, WHITE), 1 / 3),
    ("hue", plain(BLUE), 2 / 3),
    ("hue", halves((255, 0, 128), (255, 128, 0)), 0.0),  # as far on one side of red as on the other
    ("hue", plain((7, 7, 7)), np.nan),
    ("sharpness", plain(RED), 0.0),
    ("sharpness", chequered(), 1.0),
    ("edges", plain(RED), 0.0),
    ("edges", halves(BLACK, WHITE), 1 / 31),
    ("symmetry", halves(BLACK, WHITE), 0.0),
    ("symmetry", box(8, 3, 16, 5), 1.0),
    ("light_x", box(8, 4, 4, 8), 10 / 32),
    ("light_y", box(8, 4, 4, 8), 8 / 32),
    ("light_x", plain(BLACK), 0.5),
    ("subject_x", box(8, 4, 4, 8, RED, (40, 90, 200)), 10 / 32),
    ("subject_y", box(8, 4, 4, 8, RED, (40, 90, 200)), 8 / 32),
    ("subject_size", box(8, 4, 4, 8, RED, (40, 90, 200)), 1 / 32),
    ("subject_size", plain(RED), 0.0),
    ("subject_x", plain(RED), 0.5),
    ("grain", plain(RED), 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "picture", "expected"), EXPECTED)
def test_a_measure_is_its_closed_form(name, picture, expected):
    assert MEASURES[name](picture[None])[0] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_every_measure_has_a_closed_form_here_and_says_what_it_is():
    assert {name for name, *_ in EXPECTED} == set(MEASURES)
    assert all(f.__doc__ and f.__doc__.strip().endswith(".") for f in MEASURES.values())


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_grain_is_the_deviation_of_the_noise(sigma):
    """On a slope of light, which is no grain."""
    grey = np.linspace(0.3, 0.7, 128) + np.random.default_rng(0).normal(0, sigma, (128, 128))
    picture = (grey[..., None].repeat(3, 2) * 255).round().astype(np.uint8)
    assert MEASURES["grain"](picture[None])[0] == pytest.approx(sigma, rel=0.05)


def test_hue_is_that_of_the_colour_circle_at_the_six_pure_colours():
    for turn in range(6):
        colour = [round(255 * c) for c in colorsys.hsv_to_rgb(turn / 6, 1, 1)]
        assert MEASURES["hue"](plain(colour)[None])[0] == pytest.approx(turn / 6, abs=1e-6)


@pytest.mark.parametrize("name", MEASURES)
def test_pictures_are_measured_each_by_itself(name):
    """Of any size, even one pixel high is no reason to fail: here 9 x 17, whatever they hold."""
    pictures = np.random.default_rng(1).integers(0, 256, (5, 9, 17, 3), dtype=np.uint8)
    together = MEASURES[name](pictures)
    np.testing.assert_allclose(together, [MEASURES[name](one[None])[0] for one in pictures], rtol=1e-12)
    assert together.shape == (5,) and np.isfinite(together).all() and (np.abs(together) <= 1).all()


def test_a_measure_that_there_is_not_is_refused_with_those_that_there_are():
    assert measure("grain") is MEASURES["grain"]
    with pytest.raises(KinesphereError, match="no measure 'beauty': there are brightness, contrast"):
        measure("beauty")


# Of a model's pictures ------------------------------------------------------------------------------------------------


def test_labels_are_what_the_measure_says_of_each_picture(tiny):
    seeds, done = range(40), []
    values = labels_of(tiny, measure("brightness"), seeds, psi=0.5, progress=lambda k, n: done.append((k, n)))
    with torch.no_grad():
        ws = truncate(seeds_to_ws(tiny, seeds), tiny.w_avg, 0.5)
        pictures = to_pixels(tiny.synthesis(ws)).numpy()
    np.testing.assert_allclose(values, MEASURES["brightness"](pictures), atol=1e-6)
    assert done == [(16, 40), (32, 40), (40, 40)]
    assert torch.equal(latents(tiny, seeds, 0.5)[:, 0], ws[:, 0])


def test_a_function_that_measures_something_else_is_refused(tiny):
    with pytest.raises(KinesphereError, match=r"a measure gave \[\] for 3 pictures: needed is a number for each"):
        labels_of(tiny, np.mean, range(3))


def test_a_direction_learnt_from_a_measure_moves_what_it_measures(tiny):
    """Brighter and brighter along the slider, of pictures that were not labelled."""
    told = labels_of(tiny, measure("brightness"), range(300))
    learnt = learn(latents(tiny, range(300))[:, 0], told, natural(tiny), "graded")
    ws = latents(tiny, range(500, 516)).expand(-1, tiny.num_ws, -1)
    axis = Axis.of(tiny, learnt.direction())
    course = along(tiny, axis, measure("brightness"), ws, np.linspace(-3, 3, 7))
    assert course.monotone(0) > 0.95 and course.change(0, 2) > 0
    assert course.told.shape == (7, 16, 1)
    at_rest = labels_of(tiny, measure("brightness"), range(500, 516))
    np.testing.assert_allclose(course.told[3, :, 0], at_rest, atol=1e-6)


def test_several_numbers_of_each_picture_are_told_together(tiny):
    both = lambda pictures: np.stack([MEASURES["brightness"](pictures), MEASURES["warmth"](pictures)], 1)  # noqa: E731
    axis = Axis.of(tiny, Direction(torch.ones(tiny.w_dim), "w"))
    ws = latents(tiny, range(4)).expand(-1, tiny.num_ws, -1)
    together, one = (along(tiny, axis, m, ws, (-1, 1)) for m in (both, measure("warmth")))
    assert together.told.shape == (2, 4, 2)
    np.testing.assert_array_equal(together.told[:, :, 1], one.told[:, :, 0])


def test_a_course_is_read_by_ranks_and_by_its_mean():
    amounts = np.linspace(-3, 3, 7)
    rng = np.random.default_rng(0)
    told = amounts[:, None] ** 3 + rng.normal(0, 4, (7, 5))
    course = Course(amounts, told[:, :, None])
    assert course.monotone(0) == pytest.approx(spearmanr(amounts, told.mean(1)).statistic)
    assert course.singly(0) == pytest.approx(np.median([spearmanr(amounts, one).statistic for one in told.T]))
    assert course.change(0, 2) == pytest.approx(told[5].mean() - told[1].mean())
    assert course.change(0, 1.5) == pytest.approx((told[4] + told[5]).mean() / 2 - (told[1] + told[2]).mean() / 2)


def test_what_is_not_seen_all_along_is_left_out():
    told = np.arange(12.0).reshape(3, 4, 1)
    told[1, 2] = np.nan
    course = Course(np.array([-1.0, 0.0, 1.0]), told)
    np.testing.assert_array_equal(course.seen(0), told[:, [0, 1, 3], 0])
    nothing = Course(np.array([-1.0, 1.0]), np.full((2, 3, 1), np.nan))
    assert np.isnan(nothing.monotone(0)) and np.isnan(nothing.singly(0)) and nothing.change(0, 1) == 0
    assert Course(np.array([-1.0, 1.0]), np.ones((2, 3, 1))).monotone(0) == 0
