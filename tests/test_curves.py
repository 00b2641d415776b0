"""Curves that are the numbers of the log, on axes that can be read."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.train.curves import Axis, Chart, binned, draw, series, smoothed, without_spikes


def test_null_is_a_gap_and_an_absent_key_is_none() -> None:
    x, y = series([{"kimg": 1, "a": 1}, {"kimg": 2, "a": None}, {"kimg": 3}, {"kimg": 4, "a": math.inf}, {"a": 5}], "a")
    assert x.tolist() == [1, 2, 4]
    np.testing.assert_array_equal(y, [1, math.nan, math.nan])


@given(st.lists(st.floats(-100, 100) | st.just(math.nan), min_size=1, max_size=200), st.integers(1, 50))
def test_bins_say_what_numpy_says(values: list[float], most: int) -> None:
    y = np.array(values)
    size = -(-len(y) // most)
    parts = [part[np.isfinite(part)] for part in np.split(y, range(size, len(y), size))]
    _, mean, low, high = binned(np.arange(len(y), dtype=float), y, most)
    assert len(mean) == len(parts) <= most
    for got, of in ((mean, np.mean), (low, np.min), (high, np.max)):
        np.testing.assert_allclose(got, [of(part) if len(part) else math.nan for part in parts], atol=1e-9)


def test_smoothing_halves_a_weight_in_its_half_life_and_steps_over_gaps() -> None:
    y = np.random.RandomState(0).randn(40)
    got = smoothed(np.insert(y, 10, math.nan), 3)
    assert math.isnan(got[10])
    weights = 0.5 ** (np.arange(40)[::-1] / 3)
    np.testing.assert_allclose(got[-1], np.average(y, weights=weights))
    np.testing.assert_allclose(smoothed(np.full(5, 2.0), 3), 2.0)


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e6))
def test_ticks_are_round_and_inside(low: float, span: float) -> None:
    ticks = Axis(low, low + span).ticks()
    assert 2 <= len(ticks) <= 7
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    step = ticks[1] - ticks[0]
    assert f"{step:.0e}"[0] in "125"


@given(st.floats(1e-6, 1e3), st.floats(1.1, 1e6))
def test_ticks_of_a_log_axis_are_round_and_inside(low: float, ratio: float) -> None:
    ticks = Axis(low, low * ratio, log=True).ticks()
    assert 2 <= len(ticks) <= 9
    assert all(low * (1 - 1e-6) <= tick <= low * ratio * (1 + 1e-6) for tick in ticks)


def test_one_wild_number_goes_and_an_edge_stays() -> None:
    wild = np.array([1.0, 1, 900, 1, math.nan, 1, 1, 5, 5])
    np.testing.assert_array_equal(without_spikes(wild), [1, 1, 1, 1, math.nan, 1, 1, 5, 5])


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_a_value_lies_where_it_is_between_the_ends_of_its_axis(low: float, span: float, part: float) -> None:
    at = Axis(low, low + span).at(low + part * span)
    assert abs(at - part) < 1e-6
    assert abs(Axis(1.0, 1000.0, log=True).at(1000.0**part) - part) < 1e-9


def test_a_log_axis_has_no_place_for_what_is_not_positive() -> None:
    assert np.isnan(Axis(1.0, 10.0, log=True).at([0.0, -1.0])).all()


def test_a_chart_of_no_number_is_not_drawn() -> None:
    assert draw(Chart("Losses", {"loss_G": "G"}), [{"kimg": 1, "loss_G": None}], Axis(0.0, 1.0)) == ""


def test_nothing_that_a_key_says_becomes_part_of_the_chart() -> None:
    drawn = draw(
        Chart("<b>", {"a": "<script>"}, note="<i>"), [{"kimg": 1, "a": 1}, {"kimg": 2, "a": 2}], Axis(0.0, 2.0)
    )
    assert not any(evil in drawn for evil in ("<b><", "<script>", "<i></small>"))
    assert "&lt;script&gt;" in drawn
