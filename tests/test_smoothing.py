import numpy as np
import pytest
from scipy.integrate import quad

from kinesphere.features.smoothing import Glide, follow


def test_it_solves_the_one_pole_for_a_straight_line():
    y0, before, now, dt, tau = 0.3, -1.0, 2.0, 0.25, 0.4
    driven, _ = quad(lambda s: np.exp(-(dt - s) / tau) / tau * (before + (now - before) * s / dt), 0, dt)
    assert follow(np.array(y0), np.array(before), np.array(now), dt, tau) == pytest.approx(
        np.exp(-dt / tau) * y0 + driven
    )


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_a_ramp_arrives_at_the_same_place_in_any_number_of_steps(steps):
    t = np.linspace(0, 1, steps + 1)
    y = np.zeros(1)
    for i in range(steps):
        y = follow(y, t[i : i + 1], t[i + 1 : i + 2], 1 / steps, 0.3)
    assert y[0] == pytest.approx(1 - 0.3 * (1 - np.exp(-1 / 0.3)))


def test_no_time_constant_follows_at_once_and_no_time_not_at_all():
    y, before, now = np.zeros(2), np.ones(2), np.full(2, 5.0)
    np.testing.assert_array_equal(follow(y, before, now, 0.1, 0), now)
    np.testing.assert_array_equal(follow(y, before, now, 0, 0.1), y)


def test_a_very_long_pause_forgets_the_past():
    assert follow(np.zeros(1), np.ones(1), np.ones(1), 1e6, 0.1)[0] == pytest.approx(1)


def shown(values, every, fps, glide=None):
    """What is seen at `fps` pictures a second of values that come every `every` seconds."""
    glide = glide or Glide()
    pictures = int(len(values) * every * fps)
    return np.array(
        [glide(values[min(int(i / fps / every + 1e-9), len(values) - 1)], i / fps) for i in range(pictures)]
    )


def test_between_slow_values_the_way_is_even():
    angles = np.radians(np.arange(0, 90, 9.0))
    values = [np.array([np.cos(a), np.sin(a)], np.float32) * 3 for a in angles]  # a turn, five values a second
    seen = shown(values, 0.2, 25)[10:]
    turns = np.diff(np.unwrap(np.arctan2(seen[:, 1], seen[:, 0])))
    assert turns.max() < 1.3 * turns.mean() and turns.min() > 0.7 * turns.mean()
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 3, rtol=1e-5)
    held = np.array([values[int(i / 25 / 0.2 + 1e-9)] for i in range(len(seen) + 10)])[10:]
    assert np.linalg.norm(np.diff(held, axis=0), axis=1).max() > 3 * np.linalg.norm(np.diff(seen, axis=0), axis=1).max()


def test_a_straight_way_keeps_to_the_line_between_two_values():
    seen = shown([np.array([3.0, 0.0]), np.array([0.0, 3.0])] * 4, 0.2, 25, Glide(straight=True))
    np.testing.assert_allclose(seen.sum(1), 3)
    assert np.linalg.norm(seen, axis=1).min() < 2.2


def test_each_value_is_reached_before_the_next_comes():
    values = [np.array([float(i)]) for i in range(10)]
    seen = shown(values, 0.2, 25)[:, 0]
    for i in range(1, 9):
        assert seen[round((i + 1) * 0.2 * 25) - 1] == pytest.approx(i)


@pytest.mark.parametrize("every", [0.02, 0.04, 0.9])
def test_what_comes_with_the_pictures_or_after_a_pause_is_shown_at_once(every):
    values = [np.array([float(i)]) for i in range(8)]
    glide = Glide()
    for i in range(int(7 * every * 25)):
        newest = values[int(i / 25 / every + 1e-9)]
        assert glide(newest, i / 25) is newest


def test_a_value_of_another_length_is_another_models():
    glide = Glide()
    for t in (0.0, 0.04, 0.08):
        glide(np.zeros(3), t)
    other = np.ones(4)
    assert glide(other, 0.12) is other
