"""A straight line through a space tells what is there to be told, and nothing where there is nothing."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Ridge

from kinesphere.studio import lines
from kinesphere.studio.lines import apart, by_labels, held_out, legible, parts, ridge, shown, standard_error
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_ridge_is_its_closed_form(rng):
    x, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 1, 2))
    line = ridge(x, y, lambdas=[0.3])
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z + 60 * 0.3 * np.eye(5), z.T @ (y[:, 0] - y[:, 0].mean(0)))
    assert np.allclose(line.weights[:, 0], weights)
    assert np.allclose(line.predict(x)[:, 0], z @ weights + y[:, 0].mean(0))


def test_the_lambda_is_the_one_that_leaves_least_on_rows_left_out(rng):
    """Against scikit-learn's ridge, each lambda fitted and tried by itself."""
    x, lambdas = rng.normal(size=(60, 30)), (0.001, 0.1, 1.0, 10.0)
    y = x @ rng.normal(size=30) + 6 * rng.normal(size=60)
    part, wrong = np.arange(60) % 5, np.zeros(4)
    for k in range(5):
        mean, spread = x[part != k].mean(0), x[part != k].std(0)
        for i, some in enumerate(lambdas):
            fit = Ridge(some * 48).fit((x[part != k] - mean) / spread, y[part != k])
            wrong[i] += np.square(fit.predict((x[part == k] - mean) / spread) - y[part == k]).sum()
    best = Ridge(lambdas[wrong.argmin()] * 60).fit((x - x.mean(0)) / x.std(0), y)
    assert 0 < wrong.argmin() < 3
    assert np.allclose(ridge(x, y[:, None, None], lambdas).weights[:, 0, 0], best.coef_)


def test_each_task_has_its_own_lambda(rng):
    x = rng.normal(size=(80, 40))
    told, noise = x @ rng.normal(size=40), rng.normal(size=80)
    line = ridge(x, np.stack([told, noise], 1)[:, :, None])
    assert np.abs(line.weights[:, 0]).max() > 0.5  # almost no lambda
    assert np.abs(line.weights[:, 1]).max() < 0.2  # a large one


def test_a_planted_factor_is_found(rng):
    w = rng.normal(size=(500, 32)) * np.linspace(0.01, 3, 32)
    y = w @ rng.normal(size=32) + 4
    found = legible(w, {"smile": y + 0.05 * y.std() * rng.normal(size=500)})["smile"]
    assert found.score > 0.98 and found.count == 500 and found.known
    assert abs(found.chance) < 0.15


def test_noise_is_not_told(rng):
    found = legible(rng.normal(size=(400, 64)), {"noise": rng.normal(size=400)})["noise"]
    assert found.score < 0.05 and abs(found.chance) < 0.1 and not found.known


def test_what_is_random_is_rarely_said_to_be_known(rng):
    """Of 60 labels that mean nothing a few exceed two errors, as a few must."""
    labels = {str(i): rng.normal(size=300) for i in range(40)} | {f"c{i}": rng.integers(0, 2, 300) for i in range(20)}
    assert sum(found.known for found in legible(rng.normal(size=(300, 8)), labels).values()) <= 4


def test_a_planted_class_is_found_even_when_rare(rng):
    w = rng.normal(size=(600, 16))
    y = (w[:, 0] > 1.3).astype(int)
    found = legible(w, {"hat": y})["hat"]
    assert y.mean() < 0.15 and found.score > 0.85 and found.known
    assert abs(found.chance - 0.5) < 0.08


def test_classes_of_chance_are_not_told(rng):
    found = legible(rng.normal(size=(600, 16)), {"hat": rng.integers(0, 3, 600)})["hat"]
    assert abs(found.score - 1 / 3) < 0.08 and abs(found.chance - 1 / 3) < 0.05 and not found.known


def test_labels_are_told_together_as_they_are_alone(rng):
    w = rng.normal(size=(200, 6))
    labels = {"turn": w[:, 0] + rng.normal(size=200), "hat": (w[:, 1] > 0).astype(int), "age": w[:, 2]}
    together = legible(w, labels, seed=4)
    assert list(together) == list(labels)
    for name, y in labels.items():
        alone = legible(w, {name: y}, seed=4)[name]
        assert np.allclose(alone.folds, together[name].folds) and np.allclose(alone.chances, together[name].chances)


def test_a_prediction_never_saw_its_own_row(rng):
    """Whatever is done to the labels of one fold, what is said of that fold stays the same."""
    x, y = (
        rng.normal(size=(50, 80)),
        rng.normal(size=(50, 1, 1)),
    )  # more columns than rows: a leak would fit all of them
    said = held_out(x, y, folds=5, seed=3)
    fold = parts(50, 5, seed=3)[0]
    spoilt = y.copy()
    spoilt[fold] += 100
    assert np.allclose(held_out(x, spoilt, folds=5, seed=3)[fold], said[fold])
    far = x.copy()
    far[fold[0]] *= 50  # nor its scale
    assert np.allclose(held_out(far, y, folds=5, seed=3)[fold[1:]], said[fold[1:]])


def test_every_row_is_in_one_fold():
    assert np.array_equal(np.sort(np.concatenate(parts(23, 5))), np.arange(23))


def test_too_few_pictures_are_refused(rng):
    with pytest.raises(KinesphereError, match="10 or more"):
        held_out(rng.normal(size=(6, 2)), rng.normal(size=(6, 1, 1)))


def test_a_class_that_was_not_there_to_learn_is_never_said(rng):
    y = np.zeros(40, int)
    y[parts(40)[0]] = 1  # all of a class in one fold
    near = held_out(rng.normal(size=(40, 3)), (y[:, None, None] == [0, 1]).astype(float), kind="class")[:, 0]
    assert (near[parts(40)[0]].argmax(1) == 0).all()


def test_more_labels_tell_more(rng):
    w = rng.normal(size=(800, 40))
    y = w @ rng.normal(size=40) + 3 * rng.normal(size=800)
    scores = [by_labels(w, {"smile": y}, most)["smile"][0] for most in (30, 100, 640)]
    assert scores[0] + 0.1 < scores[1] < scores[2] - 0.03
    assert scores[2] == legible(w, {"smile": y})["smile"].score


def test_the_error_is_that_of_overlapping_folds(rng):
    folds = rng.normal(size=5)
    assert standard_error(folds) == pytest.approx(np.sqrt(1 + 5 / 4) * stats.sem(folds))


def test_two_spaces_are_compared_fold_by_fold(rng):
    """What makes a fold hard for both does not blur what is between them."""
    y = rng.normal(size=400)
    noise = 2 * rng.normal(size=(400, 1))
    a = legible(y[:, None] + noise, {"y": y})["y"]
    b = legible(y[:, None] + noise + 0.3 * rng.normal(size=(400, 1)), {"y": y})["y"]
    difference, error = apart(a, b)
    assert difference == pytest.approx(a.score - b.score) and error == pytest.approx(standard_error(a.folds - b.folds))
    assert error < 0.5 * np.hypot(a.error, b.error)


def test_nothing_is_told_of_what_does_not_show():
    assert shown(np.array([1.0, np.nan, 2.0, np.inf])).tolist() == [True, False, True, False]
    hat = np.repeat([0, 1, 2, -1], [12, lines.FEWEST_OF_CLASS - 1, lines.FEWEST_OF_CLASS, 20])
    assert np.array_equal(shown(hat), np.isin(hat, [0, 2]))
