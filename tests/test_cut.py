import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from skimage.transform import resize
from warps import Scene, texture

from kinesphere.features import Cut
from kinesphere.types import Feature, KinesphereError, Signal

PHOTOGRAPHS = [data.astronaut, data.chelsea, data.coffee, data.rocket]


@pytest.fixture(scope="module")
def photographs():
    return [(resize(photograph(), (120, 160)) * 255).astype(np.uint8) for photograph in PHOTOGRAPHS]


def cuts(pictures, fps=30.0, **fields):
    """At which pictures it says that there was a cut."""
    cut = Cut(**fields)
    cut.open(None)
    return [i for i, picture in enumerate(pictures) if cut(Signal(picture, i / fps)) == 1]


def lit(picture, gain, more=0.0):
    return (picture.astype(float) * gain + more).clip(0, 255).astype(np.uint8)


def test_every_cut_between_photographs_is_told_at_once(photographs):
    rng = np.random.default_rng(0)
    film = [p for p in photographs for _ in range(4)] * 2
    noisy = [(p + rng.normal(0, 3, p.shape)).clip(0, 255).astype(np.uint8) for p in film]
    assert cuts(noisy) == list(range(4, len(film), 4))


def test_it_fades_with_its_time_constant(photographs):
    cut = Cut(fade=0.4)
    cut.open(None)
    assert [float(cut(Signal(photographs[0], t))) for t in (0.0, 0.5)] == [0, 0]
    values = [float(cut(Signal(photographs[1], t))) for t in (1.0, 1.1, 1.4, 1.8)]
    assert values == pytest.approx(np.exp(-np.array([0, 0.1, 0.4, 0.8]) / 0.4))


@pytest.mark.parametrize("flash", [(1.5, 0), (1, 80), (2, 60), (3, 100), (1, 255), (0.4, 0), (0.1, 0), (0, 0)], ids=str)
def test_a_flash_and_a_blackout_are_no_cuts(photographs, flash):
    for photograph in photographs:
        assert cuts([photograph, photograph, lit(photograph, *flash), photograph, photograph]) == []


def test_a_coloured_light_is_no_cut(photographs):
    for photograph in photographs:
        assert (
            cuts([photograph, lit(photograph, np.array([1.0, 0.4, 0.3])), lit(photograph, np.array([0.3, 0.5, 1.0]))])
            == []
        )


def test_a_cut_through_black_is_told_when_the_next_scene_shows(photographs):
    black = np.zeros_like(photographs[0])
    assert cuts([photographs[0], black, black, photographs[0], black, photographs[1]]) == [5]


@pytest.mark.parametrize("fps", [15, 30, 60])
@pytest.mark.parametrize(
    "motion",
    [{"pan": 4.0}, {"roll": 3.0}, {"zoom": 2.0}, {"pan": 0.3, "subject": 0.7, "velocity": 3.0}],
    ids=["whip pan", "roll", "zoom", "a dancer near the lens"],
)
def test_fast_motion_is_no_cut(motion, fps):
    scene = Scene(**motion)
    assert cuts([scene(i / fps) for i in range(fps // 5)], fps) == []


def test_two_rooms_of_other_colours_are_two_scenes_though_both_are_noise():
    one, other = Scene(room=1)(0), lit(Scene(room=texture(2))(0), np.array([1.0, 0.6, 0.5]))
    assert cuts([one, one, other, other]) == [2]


def test_it_forgets_when_it_is_opened_or_the_clock_runs_back(photographs):
    cut = Cut()
    cut.open(None)
    cut(Signal(photographs[0], 1.0))
    assert cut(Signal(photographs[1], 2.0)) == 1
    cut.open(None)
    assert cut(Signal(photographs[2], 2.0)) == 0
    assert cut(Signal(photographs[1], 0.5)) == 0


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 200), st.integers(0, 3), st.sampled_from([-1.0, 0.0, 0.03, 9.0])),
        min_size=1,
        max_size=6,
    )
)
def test_any_pictures_of_any_size_at_any_times(pictures):
    cut, t = Cut(), 0.0
    cut.open(None)
    for width, height, kind, dt in pictures:
        rng = np.random.default_rng(kind)
        value = (
            rng.integers(0, 256, (height, width, 3), dtype=np.uint8) if kind else np.zeros((height, width, 3), np.uint8)
        )
        t += dt
        found = cut(Signal(value, t))
        assert found.shape == () and 0 <= found <= 1


def test_it_is_one_number():
    assert isinstance(Cut(), Feature) and not Cut.vector
    for fade in (0.0, -1.0, float("nan")):
        with pytest.raises(KinesphereError, match="fade"):
            Cut(fade=fade)
