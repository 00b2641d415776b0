"""The game of the discs: it keeps physics' promises, stays in the picture, and is the same game at any rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kinesphere.features.discs import EDGE, FASTEST, PAIR, STEP, Game, Table, advance, laid
from kinesphere.features.keypoints.game import Discs
from kinesphere.features.keypoints.landmarks import Sighting
from kinesphere.types import KinesphereError, Signal

NOBODY = np.zeros((0, 2))


def table(at, speed, radius):
    return Table(4 / 3, np.array(radius, float), np.array(at, float), np.array(speed, float))


def test_a_disc_alone_slows_down_by_its_time_constant():
    one = table([[0, 0]], [[0.2, 0]], [0.1])
    for _ in range(240):
        advance(one, NOBODY, NOBODY, STEP, calm=2.0)
    assert_allclose(one.speed, [[0.2 * np.exp(-0.5), 0]], rtol=1e-9)
    assert_allclose(one.at, [[0.2 * 2.0 * (1 - np.exp(-0.5)), 0]], rtol=2e-3)


def test_an_edge_gives_most_of_the_speed_back():
    one = table([[0, 0.85]], [[0, 1.0]], [0.1])
    for _ in range(40):
        advance(one, NOBODY, NOBODY, STEP, calm=1e9)
    assert_allclose(one.speed, [[0, -EDGE]], rtol=1e-6)


def test_two_discs_keep_their_momentum():
    two = table([[-0.3, 0], [0.3, 0.02]], [[1, 0], [-0.5, 0]], [0.2, 0.1])
    before = (two.mass[:, None] * two.speed).sum(0)
    for _ in range(120):
        advance(two, NOBODY, NOBODY, STEP, calm=1e9)
    assert_allclose((two.mass[:, None] * two.speed).sum(0), before, atol=1e-9)
    assert two.speed[0, 0] < 1 and two.speed[1, 0] > -0.5  # they have met


def test_head_on_the_closing_speed_comes_back():
    two = table([[-0.3, 0], [0.3, 0]], [[1, 0], [-1, 0]], [0.1, 0.1])
    for _ in range(120):
        advance(two, NOBODY, NOBODY, STEP, calm=1e9)
    assert_allclose(two.speed[1, 0] - two.speed[0, 0], 2 * PAIR, rtol=1e-9)


def test_a_fingertip_bats_a_resting_disc_away():
    one = table([[0, 0]], [[0, 0]], [0.15])
    game = Game(4 / 3, 1, 0.15, calm=1e9, seed=0)
    game.table = one
    for i in range(42):  # from the left, half a picture height a second, through where the disc is
        game.play(i / 30, np.array([[-0.6 + 0.5 * i / 30, 0.0]]))
    assert_allclose(one.speed[0], [(1 + EDGE) * 0.5, 0], rtol=1e-6)
    assert one.energy == pytest.approx(((1 + EDGE) * 0.5) ** 2)


def test_it_is_the_same_game_at_15_30_and_60_pictures_a_second():
    ends = []
    for rate in (15, 30, 60):
        game = Game(16 / 9, 7, 0.18, calm=3.0, seed=1)
        for i in range(4 * rate + 1):
            t = i / rate
            corner = np.interp(t, [0, 1, 2, 3, 4], [-1.2, 1.2, -1.2, 1.2, -1.2])  # straight between whole seconds
            game.play(t, np.array([[corner, corner / 2]]))
        ends.append(game.table.at.copy())
    assert_allclose(ends[1], ends[0], atol=1e-9)
    assert_allclose(ends[2], ends[0], atol=1e-9)
    assert game.table.energy > 0


def test_discs_lie_apart_at_first_and_the_same_for_a_seed():
    one, same, other = laid(4 / 3, 7, 0.15, 3), laid(4 / 3, 7, 0.15, 3), laid(4 / 3, 7, 0.15, 4)
    assert np.array_equal(one.at, same.at) and not np.array_equal(one.at, other.at)
    for i in range(7):
        for j in range(i):
            assert np.linalg.norm(one.at[i] - one.at[j]) >= one.radius[i] + one.radius[j]


def test_a_finger_that_comes_or_goes_strikes_nothing_from_afar():
    game = Game(4 / 3, 5, 0.2, calm=2.0, seed=0)
    game.play(0.0, NOBODY)
    game.play(0.1, np.array([[5.0, 5.0]]))
    game.play(0.2, NOBODY)
    assert game.table.energy == 0


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), max_size=3)), max_size=20
    ),
    st.integers(1, 9),
    st.floats(0.02, 0.6),
)
def test_whatever_the_fingers_do_the_discs_stay_in_the_picture(moves, discs, size):
    game, t = Game(4 / 3, discs, size, calm=2.0, seed=0), 0.0
    for wait, tips in moves:
        t += wait
        game.play(t, np.array(tips, float).reshape(-1, 2))
    now = game.table
    assert np.isfinite(now.at).all() and np.isfinite(now.speed).all()
    assert (np.linalg.norm(now.speed, axis=1) <= FASTEST + 1e-9).all()
    assert (np.abs(now.at) <= np.maximum(np.array([4 / 3, 1]) - now.radius[:, None], 0) + 1e-9).all()


def batted(rate, seconds=3.0, **settings):
    """What the game says of a hand whose finger swings to and fro, and of no hand in its last second."""
    feature = Discs(tracker="synthetic", **settings)
    feature.open()
    picture = np.zeros((240, 320, 3), np.uint8)
    return np.array([feature(Signal(picture, i / rate)) for i in range(round(seconds * rate))]), feature


def test_a_hand_makes_the_discs_lively_and_without_one_they_come_to_rest():
    told, feature = batted(30, 20.0, layout=2)
    assert told[0, 0] == 0 and told[:, 0].max() > 0.2
    assert feature.names == ("energy", "x", "y", "seen") and np.isfinite(told).all()
    assert (told[:, 0] >= 0).all() and (told[:, 0] <= 1).all()
    energy, t = told[-1, 0], 20.0
    feature._tracker = lambda signal: Sighting(signal.t, (320, 240))
    for i in range(300):
        last = feature(Signal(np.zeros((240, 320, 3), np.uint8), t + i / 30))
    assert last[0] < 0.02 * max(energy, 0.5) and last[-1] < 0.01


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"discs": 0}, "discs 0: give 1 to 24"),
        ({"radius": 3.0}, "radius 3.0: give half heights"),
        ({"calm": 0.0}, "calm 0.0: give more than 0"),
        ({"discs": 0, "which": "third"}, "which 'third'.*discs 0"),
    ],
)
def test_a_game_that_cannot_be_played_is_refused(wrong, said):
    with pytest.raises(KinesphereError, match=said):
        Discs(**wrong)
