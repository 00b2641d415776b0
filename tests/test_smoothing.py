import numpy as np
import pytest
from scipy.integrate import quad

from kinesphere.features.smoothing import follow


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
