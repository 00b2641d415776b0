"""Hands, bodies and faces as numbers, from figures whose movement is known."""

import json
import math

import numpy as np
import pytest

from kinesphere import patch
from kinesphere.features.keypoints import TRACKERS, Body, Face, Hand, applied, calibrated
from kinesphere.features.keypoints import recorded as recordings
from kinesphere.features.keypoints.anatomy import ANATOMIES, BODY, FACE, FINGERS, HAND
from kinesphere.features.keypoints.landmarks import Figure, Sighting, pictured, placed
from kinesphere.features.keypoints.synthetic import body, face, figure, hand
from kinesphere.features.overlays import drawn
from kinesphere.types import KinesphereError, Overlay, Signal

SIZES = [(640, 480), (1280, 720), (360, 640)]  # 4:3, 16:9, a phone held upright
KINDS = [Hand, Body, Face]


@pytest.fixture
def told(monkeypatch):
    """A tracker "told" that sees what `scene(t, size)` says: the function sets the scene."""
    scenes = []

    class Told:
        def __init__(self, task):
            self.scene = scenes[-1]

        def open(self): ...

        def __call__(self, signal):
            size = signal.value.shape[1], signal.value.shape[0]
            return Sighting(signal.t, size, tuple(self.scene(signal.t, size)))

        def close(self): ...

    monkeypatch.setitem(TRACKERS, "told", Told)
    return scenes.append


def played(feature, times, size=(640, 480)):
    """[n, names]: what a feature says at these times."""
    feature.open()
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    return np.array([feature(Signal(picture, float(t))) for t in times])


def at(values, feature, name):
    return values[:, feature.names.index(name)]


def one(feature, told, places, size=(640, 480), left=0.9):
    told(lambda t, s: [figure(places, s, left)])
    return dict(zip(feature.names, played(feature, [0.0], size)[0], strict=True))


def turns(a, b):
    """The difference of two angles, -pi to pi."""
    return (np.asarray(a) - b + math.pi) % (2 * math.pi) - math.pi


# --- a hand -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_the_angle_is_exact_through_180_degrees_at_any_shape_of_picture(told, size):
    times = np.arange(0, 4, 0.05)
    true = 2.5 * times - 4  # radians: twice round and more
    told(lambda t, s: [figure(hand(2.5 * t - 4, 0.2, -0.1), s, 0.9)])
    feature = Hand(tracker="told")
    angle = at(played(feature, times, size), feature, "angle")
    assert np.abs(turns(angle, true)).max() < 1e-9
    assert np.abs(angle).max() <= math.pi


def test_upright_is_0_and_fingers_to_the_left_are_a_quarter_turn_counter_clockwise(told):
    """By pixels, not by our own model: a picture of 640 x 480, the wrist in its middle, the middle knuckle 100 pixels away."""
    points = np.tile([0.5, 0.5, 0.0], (21, 1))
    for dx, dy, angle in ((0, -100, 0), (-100, 0, math.pi / 2), (100, 0, -math.pi / 2), (-100, -100, math.pi / 4)):
        points[HAND.index["middle knuckle"]] = [0.5 + dx / 640, 0.5 + dy / 480, 0]
        told(lambda t, s: [Figure(points.copy(), np.ones(21))])
        feature = Hand(tracker="told")
        assert at(played(feature, [0.0]), feature, "angle")[0] == pytest.approx(angle)


@pytest.mark.parametrize("size", SIZES)
def test_place_and_distance_are_in_half_heights_so_that_a_circle_is_a_circle(told, size):
    told(lambda t, s: [figure(hand(0.3, 0.5 * math.cos(t), 0.5 * math.sin(t)), s, 0.9)])
    feature, times = Hand(tracker="told"), np.arange(0, 6.3, 0.1)
    values = played(feature, times, size)
    np.testing.assert_allclose(at(values, feature, "x"), 0.5 * np.cos(times), atol=1e-9)
    np.testing.assert_allclose(at(values, feature, "y"), 0.5 * np.sin(times), atol=1e-9)
    np.testing.assert_allclose(at(values, feature, "distance"), 0.5, atol=1e-9)


def test_places_and_fractions_of_a_picture():
    corner = placed(np.array([[1.0, 0.0, -0.1]]), (1600, 900))[0]  # the upper right corner, a little nearer
    np.testing.assert_allclose(corner, [16 / 9, 1, 0.2 * 16 / 9])
    np.testing.assert_allclose(pictured(corner[None], (1600, 900)), [[1, 0, -0.1]])


def test_a_hand_that_turns_out_of_the_plane_is_no_smaller_and_no_less_open(told):
    for turn, tip in ((0, 0), (0.7, 0), (0, 0.7), (-0.5, 0.5)):
        seen = one(Hand(tracker="told"), told, hand(0.4, size=0.35, turn=turn, tip=tip))
        assert seen["size"] == pytest.approx(0.35) and seen["openness"] > 0.99 and seen["spread"] == pytest.approx(0.5)


def test_fingers_open_and_close_each_by_itself(told):
    for i, finger in enumerate(FINGERS):
        curls = [0.0] * 5
        curls[i] = 1.0
        seen = one(Hand(tracker="told"), told, hand(curls=curls))
        assert seen[finger] < 0.05
        assert all(seen[other] > 0.9 for other in FINGERS if other != finger)
    openness = [one(Hand(tracker="told"), told, hand(curls=[c] * 5))["openness"] for c in np.linspace(0, 1, 9)]
    assert openness[0] == 1 and openness[-1] == 0 and (np.diff(openness) <= 0).all()


def test_a_pinch_is_1_where_thumb_and_index_touch(told):
    touching, near = (one(Hand(tracker="told"), told, hand(pinch=p))["pinch"] for p in (1.0, 0.8))
    assert touching == pytest.approx(1) and 0.6 < near < 0.95
    assert one(Hand(tracker="told"), told, hand())["pinch"] < 0.1


@pytest.mark.parametrize("spread", [0.1, 0.4, 0.8])
def test_spread_is_the_angle_between_index_and_little_finger(told, spread):
    assert one(Hand(tracker="told"), told, hand(spread=spread))["spread"] == pytest.approx(spread)


# --- the same hand ----------------------------------------------------------------------------------------------------


def shuffled(figures, t):
    """In another order at each moment, as a tracker may give them."""
    order = np.random.RandomState(int(t * 1000)).permutation(len(figures))
    return [figures[i] for i in order]


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_one_hand_is_kept_while_another_comes_crosses_and_goes(told, fps):
    mine = lambda t: (0.9 * math.sin(1.5 * t), 0.1)  # noqa: E731

    def scene(t, size):
        figures = [figure(hand(0, *mine(t), 0.4), size, 0.9)]
        if 1.0 < t < 5.0:  # a second one of the same side sweeps across, several times
            figures.append(figure(hand(0.5, 0.9 * math.cos(2.2 * t), 0.15, 0.45), size, 0.9))
        return shuffled(figures, t)

    told(scene)
    feature, times = Hand(tracker="told"), np.arange(0, 7, 1 / fps)
    x = at(played(feature, times), feature, "x")
    np.testing.assert_allclose(x, [mine(t)[0] for t in times], atol=1e-9)


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_it_is_the_same_hand_after_a_drop_out_during_which_another_came(told, fps):
    def scene(t, size):
        figures = []
        if not 1.0 < t < 1.7:
            figures.append(figure(hand(0, -0.6, 0.0, 0.4), size, 0.9))
        if t > 1.3:
            figures.append(figure(hand(0, 0.7, 0.0, 0.5), size, 0.1))
        return shuffled(figures, t)

    told(scene)
    feature, times = Hand(tracker="told"), np.arange(0, 3, 1 / fps)
    np.testing.assert_allclose(at(played(feature, times), feature, "x"), -0.6, atol=1e-9)


def test_a_hand_that_is_gone_for_good_gives_way_to_another(told):
    def scene(t, size):
        first = [figure(hand(0, -0.6, 0.0), size, 0.9)] if t < 1 else []
        return [*first, figure(hand(0, 0.7, 0.0), size, 0.1)]

    told(scene)
    feature, times = Hand(tracker="told"), np.arange(0, 4, 1 / 30)
    x = at(played(feature, times), feature, "x")
    assert (x[times < 1.9] == x[0]).all() and x[0] == pytest.approx(-0.6) and x[-1] == pytest.approx(0.7)


@pytest.mark.parametrize("which, sign", [("left", -1), ("right", 1)])
@pytest.mark.parametrize("fps", [15, 30, 60])
def test_left_stays_left_through_a_crossing_though_its_side_is_misread_now_and_then(told, which, sign, fps):
    def scene(t, size):
        figures = []
        for side in (-1, 1):
            left = 0.95 if side < 0 else 0.05
            misread = np.random.RandomState(int(t * 1000) + side + 1).rand() < 0.15
            place = side * 0.8 * math.cos(1.3 * t), side * 0.12
            figures.append(figure(hand(0, *place, 0.4), size, 1 - left if misread and t > 0.5 else left))
        return shuffled(figures, t)

    told(scene)
    feature, times = Hand(tracker="told", which=which), np.arange(0, 8, 1 / fps)
    np.testing.assert_allclose(at(played(feature, times), feature, "x"), sign * 0.8 * np.cos(1.3 * times), atol=1e-9)


def test_a_right_hand_alone_is_not_taken_for_the_left_one(told):
    told(lambda t, s: [figure(hand(side="right"), s, 0.1)])
    feature = Hand(tracker="told", which="left")
    values = played(feature, np.arange(0, 2, 0.05))
    assert np.isnan(at(values, feature, "x")).all() and (at(values, feature, "seen") == 0).all()


def test_hands_that_jump_at_random_are_kept_apart_as_well_as_can_be_told(told):
    """Whatever comes, a number is a number: nothing is raised, and at most one hand is followed."""

    def scene(t, size):
        rng = np.random.RandomState(int(t * 1000))
        return [
            figure(hand(rng.uniform(-3, 3), *rng.uniform(-1, 1, 2), rng.uniform(0.1, 0.6)), size, rng.rand())
            for _ in range(rng.randint(0, 5))
        ]

    told(scene)
    for which in ("first", "left", "right"):
        values = played(Hand(tracker="told", which=which), np.arange(0, 10, 1 / 30))
        assert np.isfinite(values[60:]).all() and (np.abs(values[60:]) < 10).all()


# --- time -------------------------------------------------------------------------------------------------------------


def test_15_30_and_60_pictures_a_second_give_the_same_curves(told):
    """A hand that turns through 180 degrees, goes round, closes, and is out of sight twice."""

    def scene(t, size):
        if 1.0 <= t < 1.6 or 3.0 <= t < 3.8:
            return []
        curl = 0.5 - 0.5 * math.cos(1.7 * t)
        return [
            figure(
                hand(2.2 * t, 0.7 * math.sin(t), 0.4 * math.cos(1.3 * t), 0.4 + 0.1 * math.sin(t), [curl] * 5),
                size,
                0.9,
            )
        ]

    told(scene)
    for lost in ("hold", "rest"):
        curves = []
        for fps in (15, 30, 60):
            feature = Hand(tracker="told", smoothing=0.2, lost=lost, fade=0.4)
            curves.append(played(feature, np.arange(0, 5, 1 / fps))[:: fps // 15])
        slow, fast, faster = curves
        off = np.abs(slow - faster)
        off[:, 0] = np.abs(turns(slow[:, 0], faster[:, 0]))
        # When exactly it went out of sight, nobody saw: up to one picture, which the smoothing spreads.
        assert np.median(off) < 0.003 and off.max() < 0.25
        off = np.abs(fast - faster)
        off[:, 0] = np.abs(turns(fast[:, 0], faster[:, 0]))
        assert np.median(off) < 0.001 and off.max() < 0.12


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_smoothing_follows_a_turning_hand_evenly_across_180_degrees(told, fps):
    """A one-pole low pass follows a ramp at a distance of its time constant (the closed form), with no spin where pi wraps."""
    told(lambda t, s: [figure(hand(2.0 * t), s, 0.9)])
    feature, times = Hand(tracker="told", smoothing=0.25), np.arange(0, 7, 1 / fps)
    angle = at(played(feature, times), feature, "angle")
    lag = 0.25 * 2.0 * (1 - np.exp(-times / 0.25))
    assert np.abs(turns(angle, 2.0 * times - lag)).max() < 1e-6
    assert np.abs(angle).max() <= math.pi


def gone_after(t0, places):
    return lambda t, size: [figure(places, size, 0.9)] if t < t0 else []


def test_lost_hold_keeps_the_last_value_and_presence_fades(told):
    told(gone_after(1.0, hand(0.5, 0.3, 0.2)))
    feature, times = Hand(tracker="told", lost="hold", fade=0.4), np.arange(0, 3, 0.02)
    values = played(feature, times)
    assert (values[:, :-1] == values[0, :-1]).all()
    seen, after = at(values, feature, "seen"), times[times > 1]
    assert (seen[times < 1] == 1).all()
    np.testing.assert_allclose(seen[times > 1], np.exp(-(after - 0.99) / 0.4), atol=0.02)


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_lost_rest_goes_to_the_rest_in_its_time_constant_and_an_angle_by_the_short_way(told, fps):
    told(gone_after(1.0, hand(3.0, 0.3, 0.2)))
    feature = Hand(tracker="told", lost="rest", fade=0.5, rest={"angle": -3.0, "x": -0.4})
    times = np.arange(0, 4, 1 / fps)
    values = played(feature, times)
    last = times[times < 1 - 1e-9][-1]
    away = np.exp(-np.maximum(times - last, 0) / 0.5)
    np.testing.assert_allclose(at(values, feature, "x"), -0.4 + 0.7 * away, atol=1e-9)
    np.testing.assert_allclose(at(values, feature, "y"), 0.2 * away, atol=1e-9)  # it rests at 0
    short = 6.0 - 2 * math.pi  # from -3 to 3 by the short way, across pi
    assert np.abs(turns(at(values, feature, "angle"), -3.0 + short * away)).max() < 1e-9


def test_lost_none_is_not_a_number_until_it_is_back(told):
    told(lambda t, s: [] if 1 <= t < 2 else [figure(hand(0.1, 0.3, 0.2), s, 0.9)])
    feature, times = Hand(tracker="told", lost="none", smoothing=0.3), np.arange(0, 3, 0.1)
    values, away = played(feature, times), (times >= 1) & (times < 2)
    assert np.isnan(values[away, :-1]).all() and np.isfinite(values[~away]).all()
    np.testing.assert_allclose(at(values, feature, "x")[~away], 0.3)  # and at once, with no glide from nowhere


@pytest.mark.parametrize("lost", ["hold", "rest", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_before_anything_was_seen(told, kind, lost):
    told(lambda t, s: [])
    feature = kind(tracker="told", lost=lost)
    values = played(feature, [0.0, 0.5])
    assert np.isfinite(values[:, :-1]).all() == (lost == "rest") and (values[:, -1] == 0).all()


# --- a performer's own range ------------------------------------------------------------------------------------------


def test_showing_the_smallest_and_largest_makes_them_the_ends_of_the_ordinary_range(told):
    told(lambda t, s: [figure(hand(0.0, 0.3 * math.sin(2 * t), 0.1, 0.25 + 0.1 * math.sin(3 * t)), s, 0.9)])
    feature, times = Hand(tracker="told"), np.arange(0, 10, 1 / 30)
    found = calibrated(feature, played(feature, times))
    json.dumps(found)  # plain data
    assert found["range"]["size"] == pytest.approx([0.15, 0.35], abs=0.005)
    assert found["range"]["x"] == pytest.approx([-0.3, 0.3], abs=0.01)
    assert "y" not in found["range"] and "angle" not in found["range"]  # hardly moved; goes round
    applied(feature, found)
    values = played(feature, times)
    low, high = Hand.ranges["size"]
    size = at(values, feature, "size")
    assert size.min() == pytest.approx(low, abs=0.02) and size.max() == pytest.approx(high, abs=0.02)
    assert calibrated(feature, values)["range"]["size"] == pytest.approx(
        found["range"]["size"], abs=0.002
    )  # again: the same


def test_a_stretch_at_rest_is_where_it_goes_when_lost(told):
    told(gone_after(1.0, hand(math.pi - 0.02, 0.2, -0.5, 0.3)))
    feature = Hand(tracker="told", lost="rest", fade=0.1)
    moved = played(feature, np.arange(0, 1, 1 / 30))
    wobble = moved.copy()
    wobble[:, 0] = turns(moved[:, 0] + np.linspace(-0.1, 0.14, len(moved)), 0)  # on both sides of 180 degrees
    found = calibrated(feature, moved, wobble)
    assert abs(turns(found["rest"]["angle"], math.pi)) < 0.01 and found["rest"]["y"] == pytest.approx(-0.5)
    applied(feature, found)
    assert at(played(feature, np.arange(0, 5, 0.1)), feature, "y")[-1] == pytest.approx(-0.5)


def test_too_little_to_learn_from_is_said(told):
    told(lambda t, s: [])
    feature = Hand(tracker="told")
    with pytest.raises(KinesphereError, match="seen in 0 pictures only"):
        calibrated(feature, played(feature, np.arange(0, 3, 0.1)))
    with pytest.raises(KinesphereError, match="14 numbers each"):
        calibrated(feature, np.zeros((20, 3)))


# --- a body -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_a_bodys_place_lean_and_joints_are_exact(told, size):
    posture = dict(
        x=0.2, y=-0.1, size=0.4, lean=0.3, shoulders=(0.5, 2.8), elbows=(1.2, 3.0), hips=(2.9, 2.0), knees=(2.6, 1.5)
    )
    seen = one(Body(tracker="told"), told, body(**posture), size)
    assert (seen["x"], seen["y"], seen["size"], seen["lean"]) == pytest.approx((0.2, -0.1, 0.4, 0.3))
    assert seen["distance"] == pytest.approx(math.hypot(0.2, 0.1))
    for joint in ("shoulder", "elbow", "hip", "knee"):
        assert (seen[f"left_{joint}"], seen[f"right_{joint}"]) == pytest.approx(posture[f"{joint}s"])


def test_reach_grows_from_hanging_arms_to_a_star_and_not_by_coming_nearer(told):
    hanging, star = body(shoulders=(0.1, 0.1)), body(shoulders=(2.4, 2.4), hips=(2.5, 2.5))
    small, large = (one(Body(tracker="told"), told, places)["reach"] for places in (hanging, star))
    assert large > 1.2 * small
    assert one(Body(tracker="told"), told, body(size=0.9, shoulders=(0.1, 0.1)))["reach"] == pytest.approx(small)
    arms = one(Body(tracker="told"), told, body(shoulders=(0.1, 3.0)))
    assert arms["right_arm"] > 1.5 * arms["left_arm"] and arms["left_leg"] == pytest.approx(arms["right_leg"])


def test_a_trunk_that_bends_towards_the_viewer_does_not_make_the_arms_longer(told):
    places = body(shoulders=(1.5, 1.5))
    bent = places.copy()
    upper = [i for i, n in enumerate(BODY.names) if any(p in n for p in ("shoulder", "elbow", "wrist"))]
    bent[upper, 1] -= 0.35 * 0.5  # the trunk is foreshortened to 0.65
    straight, foreshortened = (one(Body(tracker="told"), told, p) for p in (places, bent))
    assert foreshortened["size"] == pytest.approx(straight["size"], rel=0.05)


def test_chosen_points_have_their_distance_from_the_trunks_middle(told):
    feature = Body(tracker="told", points=("nose", "left index"))
    assert feature.names[-3:] == ("nose", "left_index", "seen") and set(feature.ranges) == set(feature.names)
    seen = one(feature, told, body(size=0.4))
    nose = body(size=0.4)[BODY.index["nose"]]
    assert seen["nose"] == pytest.approx(np.linalg.norm(nose) / 0.4)


def test_what_is_hidden_is_not_known(told):
    visible = np.ones(33)
    visible[[BODY.index["left wrist"], BODY.index["right knee"]]] = 0.1
    told(lambda t, s: [Figure(pictured(body(), s), visible)])
    feature = Body(tracker="told", lost="none")
    seen = dict(zip(feature.names, played(feature, [0.0])[0], strict=True))
    unknown = {name for name, value in seen.items() if math.isnan(value)}
    assert unknown == {"left_arm", "left_elbow", "right_knee", "right_hip"}


@pytest.mark.parametrize("person, sign", [(0, -1), (1, 1)])
def test_two_people_who_cross_stay_themselves(told, person, sign):
    def scene(t, size):
        people = [figure(body(-0.8 * math.cos(t), 0.1, 0.45), size)]
        if t > 0.2:
            people.append(figure(body(0.8 * math.cos(t), -0.1, 0.4), size))
        return shuffled(people, t)

    told(scene)
    feature, times = Body(tracker="told", person=person), np.arange(0.3, 8, 1 / 30)
    values = played(feature, np.concatenate([[0.0], times]))[1:]
    np.testing.assert_allclose(at(values, feature, "x"), sign * 0.8 * np.cos(times), atol=1e-9)


# --- a face -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "yaw, pitch, roll", [(0, 0, 0), (0.6, 0, 0), (0, 0.4, 0), (0, 0, -0.5), (-0.5, 0.3, 0.4), (0.3, -0.4, 3.0)]
)
def test_a_faces_angles_are_exact_in_any_combination(told, size, yaw, pitch, roll):
    seen = one(Face(tracker="told"), told, face(0.1, 0.2, 0.3, yaw, pitch, roll), size)
    assert (seen["yaw"], seen["pitch"], seen["roll"]) == pytest.approx((yaw, pitch, roll))
    assert (seen["x"], seen["y"], seen["size"]) == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize("turned", [{}, {"yaw": 0.5, "pitch": -0.3, "roll": 0.7}])
def test_what_a_face_does_is_told_whichever_way_it_is_turned(told, turned):
    seen = one(
        Face(tracker="told"),
        told,
        face(mouth=0.3, smile=0.08, brow=0.31, lids=0.2, gaze=(0.25, -0.15), size=0.5, **turned),
    )
    assert seen["mouth"] == pytest.approx(0.3) and seen["smile"] == pytest.approx(0.08)
    assert seen["brow"] == pytest.approx(0.31, abs=0.03)  # it does not lie in the plane of the eyes
    assert (seen["gaze_x"], seen["gaze_y"]) == pytest.approx((0.25, -0.15), abs=0.02)
    assert 0 < seen["blink"] < 1
    for lids, blink in ((0.3, 0), (0.05, 1)):
        assert one(Face(tracker="told"), told, face(lids=lids, **turned))["blink"] == blink


# --- recorded, and in closed form -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_gives_what_was_recorded(tmp_path, kind):
    live, times = kind(tracker="synthetic", seed=3), np.arange(0, 2, 0.05)
    live.open()
    sightings, values = [], []
    for t in times:
        values.append(live(Signal(np.zeros((480, 640, 3), np.uint8), float(t))))
        sightings.append(live.last()[0])
    recordings.save(tmp_path / "them.jsonl", live.kind(), sightings, 2.0)
    again = kind(tracker="recorded", recording=str(tmp_path / "them.jsonl"))
    np.testing.assert_array_equal(played(again, times, (100, 100)), values)  # whatever picture is shown
    second = played(again, times + 2.0)  # from its beginning again
    np.testing.assert_allclose(second, values, atol=1e-9)


def broken(tmp_path, text):
    path = tmp_path / "broken.jsonl"
    path.write_text(text)
    with pytest.raises(KinesphereError) as error:
        Hand(tracker="recorded", recording=str(path)).open()
    return str(error.value)


def test_a_recording_that_is_none_is_refused_with_the_line(tmp_path):
    head = '{"landmarks": 1, "kind": "hand", "size": [640, 480], "seconds": 0}\n'
    assert "is empty" in broken(tmp_path, "")
    assert "is empty" in broken(tmp_path, head)
    assert "line 1" in broken(tmp_path, "\x80\x04pickle")
    assert "it is of a body" in broken(tmp_path, head.replace("hand", "body"))
    assert "line 2" in broken(
        tmp_path, head + '{"t": 0, "figures": [{"points": [[0, 0, 0, 1]], "score": 1, "left": 1}]}'
    )
    assert "line 2" in broken(tmp_path, head + '{"t": NaN, "figures": []}')
    assert "line 3" in broken(tmp_path, head + '{"t": 0, "figures": []}\n' + "[" * 100_000)
    with pytest.raises(KinesphereError, match="cannot be read"):
        Hand(tracker="recorded", recording=str(tmp_path / "none.jsonl")).open()
    with pytest.raises(KinesphereError, match="needs a file of landmarks"):
        Hand(tracker="recorded").open()


@pytest.mark.parametrize("kind", KINDS)
def test_synthetic_figures_move_by_themselves_and_the_same_again(kind):
    times = np.arange(0, 60, 0.25)
    first, again, other = (played(kind(tracker="synthetic", seed=s), times) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.isfinite(first).all() and np.abs(first - other).max() > 0.3
    moved = first.max(0) - first.min(0)
    assert (moved[:-1] > 0.03).all()


def test_two_features_give_the_two_synthetic_hands():
    times = np.arange(0, 10, 0.1)
    left, right = (Hand(tracker="synthetic", which=which) for which in ("left", "right"))
    assert (at(played(left, times), left, "x") < at(played(right, times), right, "x")).all()


# --- as every feature -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_feature_of_several_numbers(kind):
    feature = kind(tracker="synthetic")
    value = played(feature, [0.0])[0]
    assert value.shape == (len(feature.names),) and value.dtype == np.float64 and feature.vector is False
    assert set(feature.ranges) == set(feature.names) >= set(feature.circular)
    assert all("." not in name and name.isidentifier() for name in feature.names)
    feature.close()
    assert np.array_equal(played(feature, [0.0])[0], value)  # opens again


@pytest.mark.parametrize("kind", ["hand", "body", "face"])
def test_a_patch_keeps_it_with_its_calibration(kind):
    text = f"""
        [sources.eye]
        kind = "camera"
        [features.mine]
        kind = "{kind}"
        tracker = "synthetic"
        smoothing = 0.1
        lost = "rest"
        rest = {{x = 0.2}}
        range = {{size = [0.1, 0.5]}}
    """
    instrument = patch.parse(text)
    assert instrument.features["mine"].range == {"size": (0.1, 0.5)}
    assert patch.parse(patch.dumps(instrument)) == instrument


@pytest.mark.parametrize(
    "kind, fields, says",
    [
        (Hand, {"tracker": "magic"}, "no tracker 'magic': choose mediapipe, recorded, synthetic"),
        (Hand, {"which": "both"}, "which 'both': choose first, left, right"),
        (Hand, {"lost": "cry"}, "choose hold, rest, none"),
        (Hand, {"hands": 9}, "1 to 4"),
        (Hand, {"model": "best"}, "choose full, lite"),
        (Hand, {"range": {"angle": (0, 1)}}, "goes round"),
        (Hand, {"range": {"size": (1, 1)}}, "smallest and its largest"),
        (Hand, {"rest": {"nose": 1.0}}, "no such number: choose angle, x"),
        (Hand, {"fade": -1}, "fade -1"),
        (Hand, {"smoothing": math.inf}, "smoothing inf"),
        (Hand, {"confidence": 2}, "0 to 1"),
        (Hand, {"seed": -1}, "0 to 4294967295"),
        (Body, {"points": ("tail",)}, "no point 'tail' of a body: choose nose"),
        (Body, {"points": ("nose", "nose")}, "each one once"),
        (Body, {"person": -1}, "who came first"),
        (Face, {"faces": 0}, "1 to 4"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind, fields, says):
    with pytest.raises(KinesphereError) as error:
        kind(**fields)
    assert says in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_seen_can_be_laid_over_the_picture(kind):
    feature = kind(tracker="synthetic")
    assert feature.overlay() == Overlay()
    played(feature, [0.0, 0.1])
    overlay = feature.overlay()
    points = feature.last()[0].figures[feature.last()[1]].points
    a, b = (ANATOMIES[feature.kind()].index[name] for name in ANATOMIES[feature.kind()].lines[0])
    assert overlay.lines[0] == pytest.approx((*points[a, :2], *points[b, :2]), abs=1e-4)
    picture = np.zeros((480, 640, 3), np.uint8)
    over = drawn(picture, overlay)
    x, y = round(overlay.lines[0][0] * 640), round(overlay.lines[0][1] * 480)
    assert over[y, x].any() and not picture.any() and 0.001 < (over > 0).mean() < 0.2


def test_names_say_left_and_right_as_a_mirror_does():
    for anatomy, places in ((BODY, body()), (FACE, face())):
        for name, i in anatomy.index.items():
            if name.startswith("left "):
                assert places[i, 0] < places[anatomy.index[name.replace("left", "right")], 0]
