import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power, qr

from kinesphere.features import whitening
from kinesphere.features.whitening import BELIEF, FLOOR, GAP, PRIOR, RANK, REST, Whitening

pytestmark = pytest.mark.usefixtures("one_thread")


def path(t, channels=12):
    """A smooth path through [channels], far from the origin, its directions of very different size."""
    k = np.arange(1, channels + 1)
    return 3 + np.exp(-0.4 * k) * np.sin(2 * np.pi * (0.13 * k * t[:, None]) + k**2)


def run(x, dt, warmup=20.0, memory=120.0):
    whiten = Whitening(warmup, memory)
    return np.array([whiten(v, dt if i else 0.0) for i, v in enumerate(x)])


def by_definition(x, dt, warmup, memory):
    """u of the last vector: mean and covariance of straight lines between the vectors, each moment weighted for itself."""
    fine = 200
    s = (np.arange(fine) + 0.5) / fine
    line = (x[:-1, None] + (x[1:] - x[:-1])[:, None] * s[:, None]).reshape(-1, x.shape[1])
    at = ((np.arange(len(x) - 1)[:, None] + s) * dt).ravel()
    end = (len(x) - 1) * dt
    weight = np.exp(-(end - np.maximum(at, min(warmup, end))) / memory) * dt / fine
    evidence = weight.sum()
    mean = weight @ line / evidence
    covariance = (weight[:, None] * (line - mean)).T @ (line - mean) / evidence
    belief = evidence / (evidence + BELIEF)
    e = (mean @ mean) * (FLOOR**2 + (PRIOR * (1 - belief)) ** 2)
    root = fractional_matrix_power(belief * covariance + e * np.eye(len(mean)), -0.5)
    still = root @ mean
    return root @ (x[-1] - mean) + REST * still / np.linalg.norm(still)


@pytest.mark.parametrize(("warmup", "memory"), [(20.0, 120.0), (2.0, 3.0), (0.0, 2.0)])
def test_it_is_the_inverse_root_of_the_weighted_covariance(warmup, memory):
    x = path(np.arange(120) / 10)
    expected = by_definition(x, 0.1, warmup, memory)
    # Within an interval the mean is that of a straight line, its fading left out: at most dt / (2 memory) of a step.
    np.testing.assert_allclose(run(x, 0.1, warmup, memory)[-1], expected, atol=0.02 * np.linalg.norm(expected))


def test_without_forgetting_it_is_exact():
    x = path(np.arange(60) / 10)
    np.testing.assert_allclose(run(x, 0.1, 1e6)[-1], by_definition(x, 0.1, 1e6, 120.0), rtol=1e-3, atol=1e-4)


def test_what_moves_becomes_round():
    """After a minute of two hundred channels driven by nine hidden ones, those nine have nearly the same strength."""
    rng = np.random.default_rng(0)
    hidden = path(np.arange(60 * 15) / 15, 9) - 3
    x = 1 + hidden @ rng.standard_normal((9, 200)) * 0.3
    u = run(x, 1 / 15)[30 * 15 :]
    deviation = x[30 * 15 :] - x[30 * 15 :].mean(0)
    spread = lambda v: np.linalg.svd(v - v.mean(0), compute_uv=False)[:9] / np.sqrt(len(v))  # noqa: E731
    assert spread(deviation)[0] / spread(deviation)[8] > 20
    assert spread(u)[0] / spread(u)[8] < 2.5


def test_it_has_no_preferred_axes():
    """Turning the vectors turns the answer: no sign or order of eigenvectors has a say."""
    x = path(np.arange(80) / 15)
    turn = qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    np.testing.assert_allclose(run(x @ turn.T, 1 / 15), run(x, 1 / 15) @ turn.T, atol=1e-6)


def test_the_number_of_pictures_a_second_does_not_matter():
    slow, fast = (run(path(np.arange(8 * fps + 1) / fps), 1 / fps) for fps in (15, 60))
    np.testing.assert_allclose(slow, fast[::4], atol=0.02 * np.linalg.norm(slow, axis=1).max())


def test_it_never_jumps():
    """On a smooth path, halving the steps halves the largest of them, also where directions change rank."""
    largest = [
        np.linalg.norm(np.diff(run(path(np.arange(8 * fps) / fps), 1 / fps), axis=0), axis=1).max() for fps in (60, 240)
    ]
    assert largest[1] < 0.3 * largest[0]


def test_it_moves_from_the_second_picture_on():
    x = path(np.arange(3) / 30)
    u = run(x, 1 / 30)
    assert np.linalg.norm(u[1] - u[0]) > 0.01 and np.linalg.norm(u[2] - u[1]) > 0.01


@pytest.mark.parametrize("value", [0.0, 1e-30, 1.0, 1e6])
def test_what_never_moves_rests_where_it_began(value):
    u = run(np.full((200, 8), value), 0.5)
    assert np.all(np.isfinite(u))
    np.testing.assert_allclose(u, np.tile(u[0], (200, 1)), atol=1e-6)


def test_noise_below_the_floor_is_not_blown_up():
    """Ten times below the floor: after two minutes the deviation is still a small part of the rest."""
    rng = np.random.default_rng(2)
    x = np.ones(300)
    noise = rng.standard_normal((1200, 300)) * FLOOR / 10 * np.linalg.norm(x) / np.sqrt(300)
    u = run(x + noise, 0.1)
    still = REST * x / np.linalg.norm(x)
    assert np.linalg.norm(u - still, axis=1).max() < 0.2 * REST


def test_a_cut_to_another_scene_is_survived_and_learnt():
    t = np.arange(600) / 15
    x = np.concatenate([path(t), 9 - 2 * path(t)[:, ::-1]])
    u = run(x, 1 / 15, 5.0, 20.0)
    assert np.all(np.isfinite(u))
    direction = u / np.linalg.norm(u, axis=1, keepdims=True)
    cone = lambda v: (v @ v.T).mean()  # noqa: E731
    assert cone(direction[-300:]) < 0.3 < cone(direction[600:630])


def test_a_long_pause_counts_as_no_more_than_a_second():
    short, long = Whitening(20.0, 120.0), Whitening(20.0, 120.0)
    for whiten, pause in ((short, GAP), (long, 1000.0)):
        whiten(np.ones(4), 0.0)
        whiten(np.full(4, 2.0), pause)
    np.testing.assert_array_equal(short(np.ones(4), 0.1), long(np.ones(4), 0.1))


def test_a_second_picture_of_the_same_moment_teaches_nothing():
    whiten = Whitening(20.0, 120.0)
    whiten(np.ones(4), 0.0)
    whiten(np.array([1.0, 2, 3, 4]), 0.1)
    np.testing.assert_array_equal(whiten(np.ones(4) * 7, 0.0), whiten(np.ones(4) * 7, 0.0))
    assert whiten.evidence == pytest.approx(0.1)


def test_more_directions_than_it_keeps_lose_only_the_weakest(monkeypatch):
    x = path(np.arange(300) / 15, 40)
    everything = run(x, 1 / 15)
    monkeypatch.setattr(whitening, "RANK", 20)
    few = run(x, 1 / 15)
    assert (
        RANK > 40 and np.linalg.norm(few - everything, axis=1).max() < 0.1 * np.linalg.norm(everything, axis=1).mean()
    )
