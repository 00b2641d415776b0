"""Axes that are the factors are told from axes that are not, and what a flat cut parts from what it does not."""

import numpy as np
import pytest
from scipy import stats
from scipy.stats import ortho_group

from kinesphere.studio.disentanglement import DCI, conditional_entropy, dci, separability, shares, sides, turned

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_code_that_is_the_factors_is_perfect(rng):
    factors = rng.normal(size=(600, 5))
    found = dci(np.concatenate([factors, rng.normal(size=(600, 2))], 1)[:, rng.permutation(7)], factors)
    assert vars(found) == pytest.approx({"disentanglement": 1, "completeness": 1, "informativeness": 1}, abs=0.01)


def test_the_same_code_turned_is_far_below_and_tells_as_much(rng):
    factors = rng.normal(size=(600, 5))
    found = dci(factors @ ortho_group.rvs(5, random_state=1), factors)
    assert found.disentanglement < 0.4 and found.completeness < 0.4
    assert found.informativeness == pytest.approx(1, abs=0.01)


def test_turning_takes_the_meaning_of_the_axes_and_nothing_else(rng):
    factors = rng.normal(size=(600, 5))
    assert dci(turned(factors), factors).disentanglement < 0.4
    assert np.allclose(np.linalg.svd(turned(factors))[1], np.linalg.svd(stats.zscore(factors))[1])


def test_axes_that_repeat_one_another_are_as_good_by_chance(rng):
    """Many more axes than dimensions hold a good one for every label: that is why the same is measured on random axes."""
    factors = rng.normal(size=(400, 6))
    many = factors @ rng.normal(size=(6, 60))
    own, other = dci(many, factors), dci(turned(many), factors)
    assert own.disentanglement > 1.5 * dci(factors @ ortho_group.rvs(6, random_state=2), factors).disentanglement
    assert own.disentanglement == pytest.approx(other.disentanglement, abs=0.2)


def test_what_tells_nothing_is_nothing(rng):
    assert dci(rng.normal(size=(300, 4)), rng.normal(size=(300, 3))).informativeness < 0.05
    assert shares(np.zeros((4, 3))) == (0, 0)


def test_shares_are_their_closed_form():
    importance = np.array([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    used = np.array([3, 2]) / 5
    by_axis = 1 - np.array([0, stats.entropy([0.5, 0.5], base=2)])
    by_label = 1 - np.array([stats.entropy([0.75, 0.25], base=3), 0])
    assert shares(importance) == pytest.approx((by_axis @ used, by_label.mean()))
    assert DCI(*shares(importance[:, :1]), 0).completeness == pytest.approx(by_label[0])


def test_what_a_flat_cut_parts_leaves_nothing_open(rng):
    x = rng.normal(size=(1000, 6))
    found = separability(x, {"smile": x[:, 0] + x[:, 1], "hat": (x[:, 2] > 0.5).astype(int)})
    assert found.score < 1.15 and found.each == pytest.approx(found.score**0.5)


def test_what_is_not_there_leaves_all_open(rng):
    found = separability(rng.normal(size=(1000, 6)), {"smile": rng.normal(size=1000), "hat": rng.integers(0, 2, 1000)})
    assert found.each == pytest.approx(2, abs=0.02) and found.score == pytest.approx(4, abs=0.1)


def test_a_curved_border_is_no_flat_cut(rng):
    x = rng.normal(size=(1000, 2))
    assert separability(x, {"ring": np.hypot(*x.T)}).score > 1.8


def test_conditional_entropy_is_its_closed_form(rng):
    true, said = rng.random(500) < 0.3, rng.random(500) < 0.6
    table = np.array([[(true[said == s] == t).sum() for t in (0, 1)] for s in (0, 1)])
    expected = stats.entropy(table.ravel()) - stats.entropy(table.sum(1))
    assert conditional_entropy(true, said) == pytest.approx(expected)
    assert conditional_entropy(true, true) == 0


def test_a_number_has_the_quarters_at_its_ends_as_sides():
    rows, true = sides(np.arange(100.0))
    assert np.array_equal(rows, [*range(25), *range(75, 100)]) and np.array_equal(true, rows >= 50)


def test_a_number_of_few_values_still_has_two_sides():
    for y in (np.repeat([0.0, 1.0], [90, 10]), np.repeat([0.0, 1.0], [10, 90])):
        rows, true = sides(y)
        assert np.array_equal(true, y[rows] == 1) and 0 < true.sum() < len(rows)


def test_a_class_is_the_commonest_against_the_others():
    rows, true = sides(np.array([0, 1, 1, 2, 1]))
    assert len(rows) == 5 and true.tolist() == [False, True, True, False, True]


def test_a_side_that_hardly_any_row_is_on_is_not_learnt(rng):
    y = np.zeros(300, int)
    y[:3] = 1
    left = separability(rng.normal(size=(300, 2)), {"hat": np.where(np.arange(300) < 3, 1.0, 0.0)}).left["hat"]
    assert left == pytest.approx(stats.entropy([0.01, 0.99]))
    assert separability(rng.normal(size=(300, 2)), {"hat": y}).score == 1  # and a class of three is not shown at all
