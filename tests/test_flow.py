from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warps import BARE, Scene, texture

from kinesphere.features import Flow
from kinesphere.features.flow import STILL, Similarity, camera
from kinesphere.types import Feature, KinesphereError, Signal

CLIP = Path(__file__).parents[1] / "kinesphere" / "builtin" / "clip.mp4"

pytestmark = pytest.mark.usefixtures("one_core")

CAMERA = ["pan_x", "pan_y", "roll", "zoom"]


@pytest.fixture(scope="module")
def one_core():
    """Small pictures are quicker on one thread, whatever else the machine does."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def play(scene, fps=30.0, seconds=0.3, **fields):
    """From each of its names to its values [T], of a scene that is a function of time."""
    flow = Flow(**{"smoothing": 0.0, **fields})
    flow.open(None)
    values = [flow(Signal(scene(i / fps), i / fps)) for i in range(round(seconds * fps) + 1)]
    return dict(zip(flow.names, np.array(values).T, strict=True))


def settled(values, fps, after=0.15):
    """The mean of each number from `after` seconds on."""
    return {name: v[round(after * fps) :].mean() for name, v in values.items()}


# The camera


ALL = {"pan": 0.4 - 0.2j, "roll": 0.3, "zoom": -0.3}
MOTIONS = [
    {"pan": 0.5},
    {"pan": -0.2 + 0.3j},
    {"pan": 2.0},
    {"roll": 0.6},
    {"roll": -1.5},
    {"zoom": 0.4},
    {"zoom": -0.3},
    ALL,
]


@pytest.mark.parametrize(
    "motion, fps, subject",
    [(m, 30, s) for m in MOTIONS for s in (0, 0.45)] + [(ALL, fps, 0.45) for fps in (15, 60)],
    ids=str,
)
def test_the_camera_is_found_within_five_percent(motion, fps, subject):
    found = settled(play(Scene(**motion, subject=subject), fps), fps)
    pan = complex(motion.get("pan", 0))
    true = np.array([pan.real, pan.imag, motion.get("roll", 0), motion.get("zoom", 0)])
    error = np.array([found[name] for name in CAMERA]) - true
    assert np.linalg.norm(error) < 0.05 * np.linalg.norm(true)


def test_a_camera_on_its_stand_reads_exactly_nothing():
    picture = Scene()(0)
    still = play(lambda t: picture)
    with_subject = play(Scene(subject=0.4))
    for name in CAMERA:
        assert not still[name].any() and not with_subject[name].any()


def test_a_dancer_before_a_bare_wall_is_no_camera():
    found = play(Scene(room=BARE, subject=0.45))
    assert not any(found[name].any() for name in CAMERA)
    assert settled(found, 30)["share"] > 0.1


def test_half_a_picture_of_sky_does_not_hold_the_camera_back():
    room = texture(5).copy()
    room[:512] = 150
    assert settled(play(Scene(pan=0.5, room=room)), 30)["pan_x"] == pytest.approx(0.5, rel=0.05)


def test_a_mirror_turns_right_and_left():
    scene = Scene(pan=0.3 + 0.2j, roll=0.4, zoom=0.3, subject=0.4)
    here = settled(play(scene), 30)
    there = settled(play(lambda t: np.ascontiguousarray(scene(t)[:, ::-1])), 30)
    for name, sign in {"pan_x": -1, "pan_y": 1, "roll": -1, "zoom": 1, "x": -1, "y": 1, "amount": 1}.items():
        assert there[name] == pytest.approx(sign * here[name], abs=0.02), name
    assert np.cos(there["direction"] - (np.pi - here["direction"])) > 0.99


# The subject


@pytest.mark.parametrize("pan", [0, -0.5 + 0.3j, 1.5])
@pytest.mark.parametrize("size", [(200, 150), (266, 150)], ids=["4:3", "16:9"])
def test_the_subject_is_separated_from_the_camera(pan, size):
    scene = Scene(pan=pan, subject=0.45, size=size)
    flow = Flow(smoothing=0)
    flow.open(None)
    for i in range(9):
        found = dict(zip(flow.names, flow(Signal(scene(i / 30), i / 30)), strict=True))
    share = np.pi * 0.45**2 / (4 * size[0] / size[1])  # of the picture, which is 2 high
    place = scene.start + (scene.velocity - pan) * 8 / 30
    assert found["share"] == pytest.approx(share, rel=0.25)
    assert found["amount"] == pytest.approx(share * abs(scene.velocity), rel=0.15)
    assert found["direction"] == pytest.approx(np.angle(scene.velocity), abs=0.1)
    assert abs(complex(found["x"], found["y"]) - place) < 0.08


def test_nothing_is_said_of_a_subject_where_none_is():
    found = play(Scene(pan=0.5))
    assert max(found["amount"]) < 1e-3 and max(found["share"]) < 0.002
    assert all(np.isnan(found[name]).all() for name in ("direction", "x", "y"))


@pytest.mark.parametrize("grey", [None, 90, 3])
def test_sensor_noise_is_no_motion(grey):
    rng = np.random.default_rng(0)
    still = Scene()(0).astype(float) if grey is None else np.full((180, 240, 3), float(grey))
    found = play(lambda t: (still + rng.normal(0, 4, still.shape)).clip(0, 255).astype(np.uint8))
    assert not any(found[name].any() for name in CAMERA)
    assert max(found["amount"]) < 1e-3


def test_a_region_sees_itself_alone_and_names_places_of_the_whole_frame():
    scene = Scene(subject=0.3, start=-0.8, velocity=0.6)
    left, right = play(scene, region=(0, 0, 0.5, 1)), play(scene, region=(0.5, 0, 1, 1))
    assert max(right["share"]) < 0.002 < 0.1 < left["share"][-1]
    assert left["x"][-1] == pytest.approx(-0.8 + 0.6 * 0.3, abs=0.1)


# Time


def test_a_dance_gives_the_same_curves_at_15_30_and_60_pictures_a_second():
    scene = Scene(path=lambda t: 0.15 * np.sin(4 * t) + 0.1j * np.sin(5 * t), subject=0.4)
    slow, fast, faster = (play(scene, fps, 0.8, smoothing=0.1) for fps in (15, 30, 60))
    for name in (*CAMERA, "amount", "share", "x", "y", "direction"):
        a, b, c = slow[name][4:], fast[name][8::2], faster[name][16::4]
        tolerance = 0.1 if name in ("direction", "x", "y") else 0.03
        np.testing.assert_allclose(a, b, atol=tolerance, err_msg=name)
        np.testing.assert_allclose(b, c, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("fps", [10, 24, 120])
def test_other_rates_read_the_same_too(fps):
    assert settled(play(Scene(pan=0.5), fps), fps)["pan_x"] == pytest.approx(0.5, rel=0.05)


def test_a_picture_that_comes_twice_counts_once():
    """30 pictures a second through a source of 60, each twice; 24 through one of 60, twice and thrice in turn."""
    scene = Scene(pan=0.5)
    twice = play(lambda t: scene(np.floor(t * 30 + 1e-6) / 30), 60, smoothing=0.0)["pan_x"]
    np.testing.assert_allclose(twice[12:], 0.5, rtol=0.05)
    uneven = play(lambda t: scene(np.floor(t * 24 + 1e-6) / 24), 60, 0.8, smoothing=0.1)["pan_x"]
    np.testing.assert_allclose(uneven[30:], 0.5, rtol=0.1)


def test_what_stops_comes_to_rest():
    scene = Scene(pan=0.5, subject=0.4)
    found = play(lambda t: scene(min(t, 0.4)), 30, 1.2, smoothing=0.1)
    assert found["pan_x"][12] > 0.4 and abs(found["pan_x"][-1]) < 0.005 and found["amount"][-1] < 1e-3


def test_a_cut_is_no_motion():
    before, after = Scene(pan=0.3, room=1), Scene(pan=0.3, room=2)
    found = play(lambda t: (before if t < 0.5 else after)(t), 30, 1.0)
    np.testing.assert_allclose(found["pan_x"][6:], 0.3, atol=0.02)
    assert max(found["share"]) < 0.01


def test_it_forgets_when_it_is_opened_and_gives_the_same_again():
    scene = Scene(pan=0.5, roll=0.2, subject=0.4)
    flow, runs = Flow(), []
    for _ in range(2):
        flow.open(None)
        runs.append([flow(Signal(scene(i / 30), i / 30)) for i in range(8)])
    np.testing.assert_array_equal(runs[0], runs[1])


def test_smoothing_lags_by_its_time_constant():
    scene = Scene(path=lambda t: max(t - 0.5, 0) * 0.5)
    found = play(scene, 30, 1.5, smoothing=0.3)["pan_x"]
    assert found[14] == 0
    assert found[15 + 9 + 1] == pytest.approx(0.5 * (1 - np.exp(-1)), abs=0.04)  # and half of BASE later
    assert found[-1] == pytest.approx(0.5, abs=0.03)


# The fit


@settings(max_examples=30)
@given(
    st.complex_numbers(max_magnitude=0.1, allow_nan=False),
    st.complex_numbers(max_magnitude=0.2, allow_nan=False),
    st.integers(0, 9),
)
def test_a_similarity_is_found_though_a_third_goes_elsewhere(m, q, seed):
    rng = np.random.default_rng(seed)
    p = rng.uniform(-1.3, 1.3, 700) + 1j * rng.uniform(-1, 1, 700)
    f = m * p + q
    f[:230] += 0.3 + 0.2j
    fit = camera(p, f, np.ones(700), 0.02)
    if fit == STILL:  # too little to be called a motion
        assert np.abs(m * p + q).max() < 0.02
    else:
        assert abs(fit.m - m) < 1e-3 and abs(fit.q - q) < 1e-3


@pytest.mark.parametrize("turn, v", [(0.3 + 0.2j, 0.5 - 0.1j), (0j, 0.2), (1e-12 + 0j, 0.2j)])
def test_the_rates_are_those_of_the_steady_motion(turn, v):
    """One unit of time of p' = turn p + v, in ten thousand small steps."""
    ends = np.array([0j, 1 + 0j])
    for _ in range(10000):
        ends = ends + (turn * ends + v) / 10000
    rates = Similarity(ends[1] - ends[0] - 1, ends[0]).rates()
    np.testing.assert_allclose(rates, [v.real, v.imag, turn.imag, -turn.real], atol=1e-3)


# Whatever comes


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 300), st.integers(1, 300), st.integers(0, 3), st.sampled_from([-1.0, 0.0, 0.01, 0.1, 9])
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_any_pictures_of_any_size_at_any_times(pictures, same):
    flow, t = Flow(), 0.0
    flow.open(None)
    for width, height, kind, dt in pictures:
        width, height = (pictures[0][:2]) if same else (width, height)
        rng = np.random.default_rng(kind)
        value = (
            rng.integers(0, 256, (height, width, 3), dtype=np.uint8) if kind else np.zeros((height, width, 3), np.uint8)
        )
        t += dt
        found = flow(Signal(value, t))
        assert found.shape == (9,) and found.dtype == np.float64
        known = [name not in ("direction", "x", "y") for name in flow.names]
        assert np.isfinite(found[known]).all() and not np.isinf(found).any()
        assert 0 <= found[-1] <= 1


def test_it_is_a_feature_of_several_numbers():
    assert isinstance(Flow(), Feature) and not Flow.vector
    assert set(Flow.ranges) == set(Flow.names) and set(Flow.circular) == {"direction"}


@pytest.mark.parametrize("fields", [{"smoothing": -1.0}, {"smoothing": float("nan")}, {"region": (0.5, 0, 0.2, 1)}])
def test_what_cannot_be_meant_is_refused(fields):
    with pytest.raises(KinesphereError, match="smoothing|region"):
        Flow(**fields)


# The built-in clip


def test_the_clip_has_a_still_camera_and_a_dancer():
    import av

    with av.open(str(CLIP)) as file:
        frames = [
            (f.time, f.to_ndarray(format="rgb24"))
            for i, f in enumerate(file.decode(video=0))
            if i % 3 == 0 and f.time < 8
        ]
    flow = Flow()
    flow.open(None)
    found = np.array([flow(Signal(picture, t)) for t, picture in frames])
    assert np.abs(found[:, :4]).max() < 0.02
    amount = found[10:, 4]
    assert amount.max() > 3 * amount.min()  # it has something to play with
