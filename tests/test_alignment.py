"""A square in a picture: found by a face, laid by hand, or sought; a known turn, shift and size are undone to half a pixel."""

import json
import math
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.registration import phase_cross_correlation

from kinesphere.features.keypoints import process, synthetic
from kinesphere.features.keypoints.anatomy import FACE
from kinesphere.features.keypoints.landmarks import pictured
from kinesphere.features.keypoints.mediapipe import MediaPipe
from kinesphere.studio import perceptual
from kinesphere.studio.alignment import Similarity, aligned, ffhq, landmarks, matching, refined, usual
from kinesphere.train.portraits import draw_factors, paint
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

TURNED = Similarity(170.0, 140.0, 150.0, 25.0)
FOUR = np.array([(80.0, 100.0), (120.0, 100.0), (85.0, 145.0), (115.0, 145.0)])  # an upright face
squares = st.builds(
    Similarity, x=st.floats(-500, 500), y=st.floats(-500, 500), size=st.floats(20, 4000), angle=st.floats(-179, 179)
)


def moved(points, middle, times, degrees, to):
    """Points [n, 2] turned clockwise about `middle`, made so many times larger, and `middle` brought `to`."""
    z = (np.asarray(points) - middle) @ (1, 1j) * times * np.exp(1j * math.radians(degrees))
    return np.stack([z.real, z.imag], 1) + to


def gap(one, other):
    """How far the corners of two squares are apart at most, in pixels of the picture."""
    return float(np.hypot(*(one.quad() - other.quad()).T).max())


# What a square is


def test_its_corners_go_round_from_the_top_left_one():
    assert Similarity(50, 40, 20).quad().tolist() == [[40, 30], [60, 30], [60, 50], [40, 50]]
    turned = Similarity(50, 40, 20, 90).quad()  # a head that lies on its right side: its top is on the right
    np.testing.assert_allclose(turned, [[60, 30], [60, 50], [40, 50], [40, 30]], atol=1e-9)


@given(squares)
def test_its_matrix_takes_the_corners_of_the_cut_out_to_those_in_the_picture(square):
    corners = np.array([(0, 0, 1), (64, 0, 1), (64, 64, 1), (0, 64, 1)]) @ square.matrix(64).T
    np.testing.assert_allclose(corners, square.quad(), atol=1e-6)


def test_the_whole_of_a_picture_is_its_largest_square_in_the_middle():
    assert Similarity.whole(np.zeros((40, 100, 3), np.uint8)) == Similarity(50, 20, 40, 0)


@pytest.mark.parametrize("numbers", [(0, 0, 0), (0, 0, -1), (math.nan, 0, 1), (0, math.inf, 1), (0, 0, 1, math.nan)])
def test_what_is_no_square_is_refused(numbers):
    with pytest.raises(KinesphereError, match="no square has middle"):
        Similarity(*numbers)


# By a face


def test_the_square_of_ffhq_is_four_times_the_eyes_or_three_point_six_times_the_way_to_the_mouth():
    round_face = ffhq((-1, 0), (1, 0), (-0.7, 1), (0.7, 1))
    assert gap(round_face, Similarity(0, 0.1, 8)) < 1e-9  # 2 half sides of 2.0 times 2
    long_face = ffhq((-1, 0), (1, 0), (-0.7, 3), (0.7, 3))
    assert gap(long_face, Similarity(0, 0.3, 10.8)) < 1e-9  # 2 half sides of 1.8 times 3


@given(
    st.floats(-180, 180), st.floats(0.05, 20), st.tuples(st.floats(-2000, 2000), st.floats(-2000, 2000)),
    st.lists(st.floats(-3, 3), min_size=8, max_size=8),
)  # fmt: skip
def test_a_known_transform_of_a_face_is_undone_to_half_a_pixel(degrees, times, to, lopsided):
    four = FOUR + np.reshape(lopsided, (4, 2))
    upright = ffhq(*four)
    turned = ffhq(*moved(four, (100, 120), times, degrees, to))
    assert np.hypot(*(turned.quad() - moved(upright.quad(), (100, 120), times, degrees, to)).T).max() < 0.5
    straight = places_in(turned, moved(four, (100, 120), times, degrees, to), 1024)
    assert np.abs(straight - places_in(upright, four, 1024)).max() < 0.5


def places_in(square, points, output):
    """Where points [n, 2] of the picture come to lie in the cut-out."""
    inverse = np.linalg.inv(np.vstack([square.matrix(output), (0, 0, 1)]))
    return (np.c_[points, np.ones(len(points))] @ inverse.T)[:, :2]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (FOUR[[1, 0, 3, 2]], "the left eye is the one on the left of the picture"),
        (np.tile(FOUR[:1], (4, 1)), "no face"),
        ([(1, 2), (3, 4), (5, 6), (7, math.nan)], "two finite numbers"),
        ([1, 2, 3, 4], "two finite numbers"),
        (["a", "b", "c", "d"], "two finite numbers"),
    ],
)
def test_points_that_are_no_face_are_refused(points, words):
    with pytest.raises(KinesphereError, match=words):
        ffhq(*points)


# By hand


@given(squares, st.integers(0, 2**16), st.integers(2, 6))
def test_points_are_brought_to_where_they_belong(square, seed, count):
    dice = np.random.RandomState(seed)
    places = np.vstack([(0.2, 0.4), (0.8, 0.4), dice.uniform(-1, 2, (count - 2, 2))])
    points = np.c_[places, np.ones(count)] @ square.matrix(1).T
    assert gap(matching(points, places), square) < 1e-6 * square.size


def test_points_that_do_not_fit_are_brought_as_near_as_can_be():
    from skimage.transform import SimilarityTransform

    dice = np.random.RandomState(0)
    points, places = dice.uniform(0, 200, (7, 2)), dice.uniform(0, 1, (7, 2))
    found = matching(points, places).matrix(1)
    nearest = np.square(np.c_[places, np.ones(7)] @ found.T - points).sum()
    for change in dice.normal(0, 1e-3, (50, 3)):  # no square beside it is nearer
        other = SimilarityTransform(scale=1 + change[0], rotation=change[1], translation=(change[2], -change[2]))
        beside = other(np.c_[places, np.ones(7)] @ found.T)
        assert np.square(beside - points).sum() > nearest


@pytest.mark.parametrize(
    ("points", "places", "words"),
    [
        ([(1, 2)], [(0, 0)], "at least two"),
        ([(1, 2), (3, 4)], [(0, 0)], "2 points and 1 places"),
        ([(1, 2), (1, 2)], [(0, 0), (1, 1)], "all in one place"),
        ([(1, 2), (3, 4)], [(0.5, 0.5), (0.5, 0.5)], "all in one place"),
    ],
)
def test_points_that_tell_no_square_are_refused(points, places, words):
    with pytest.raises(KinesphereError, match=words):
        matching(points, places)


# Cut out


def noise(height, width, blur=0.0):
    picture = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), blur) if blur else picture


@pytest.mark.parametrize(
    ("x", "y", "angle", "turns"), [(30, 20, 0, 0), (32, 20, 90, 1), (18, 30, 180, 2), (20, 20, -90, 3)]
)
def test_a_square_of_whole_pixels_is_those_pixels(x, y, angle, turns):
    picture = noise(50, 60)
    inside = picture[y - 16 : y + 16, x - 16 : x + 16]
    assert np.array_equal(aligned(picture, Similarity(x, y, 32, angle), 32), np.rot90(inside, turns))


def dots(places, height, width, deviation):
    """A picture of soft white dots whose middles are at `places` [n, 2], drawn where they are to the fraction of a pixel."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    light = sum(np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * deviation**2)) for a, b in places)
    return np.repeat((light * 250).round().astype(np.uint8)[..., None], 3, axis=2)


def middles(picture, places, near):
    """The centre of the light about each of some places."""
    x, y = np.meshgrid(np.arange(picture.shape[1]) + 0.5, np.arange(picture.shape[0]) + 0.5)
    found = []
    for a, b in places:
        light = picture[..., 0] * (np.hypot(x - a, y - b) < near)
        found.append(((light * x).sum() / light.sum(), (light * y).sum() / light.sum()))
    return np.array(found)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(-180, 180), st.floats(100, 220), st.floats(-25, 25), st.floats(-25, 25), st.sampled_from([48, 96, 256])
)
def test_what_was_turned_shifted_and_scaled_is_where_it_belongs_to_half_a_pixel(angle, size, right, down, output):
    square = Similarity(160 + right, 160 + down, size, angle)
    corners = np.array([(0.2, 0.2), (0.8, 0.25), (0.75, 0.8), (0.25, 0.75), (0.5, 0.5)])
    picture = dots(np.c_[corners, np.ones(5)] @ square.matrix(1).T, 320, 320, size * 0.03)
    shown = aligned(picture, square, output)
    found = middles(shown, corners * output, 0.12 * output)
    assert np.hypot(*(found - corners * output).T).max() < 0.5 / 4


def photographed(portrait, square, canvas):
    """A portrait [S, S, 3] as it looks where it hangs turned in a larger picture, its surroundings its own reflection."""
    size = len(portrait)
    to = np.linalg.inv(np.vstack([square.matrix(size), (0, 0, 1)]))[:2]  # from the picture to the portrait
    to[:, 2] += to[:, :2].sum(1) / 2 - 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(portrait, to, (canvas, canvas), flags=flags, borderMode=cv2.BORDER_REFLECT)


def test_a_portrait_that_hung_askew_hangs_straight_again():
    portrait = paint(draw_factors(0, 7), 256)
    picture = photographed(portrait, TURNED, 320)
    back = aligned(picture, TURNED, 256).astype(float)
    soft = cv2.GaussianBlur(portrait, (0, 0), 1.5).astype(float)  # the picture has fewer pixels than it
    for rows in (slice(0, 128), slice(128, 256)):
        for columns in (slice(0, 128), slice(128, 256)):
            shift, _, _ = phase_cross_correlation(soft[rows, columns], back[rows, columns], upsample_factor=20)
            assert np.abs(shift).max() < 0.5


@pytest.mark.parametrize("size", [1024, 700, 100])
@pytest.mark.parametrize("angle", [0, 30])
def test_no_pattern_appears_that_was_not_there(size, angle):
    """Lines too fine for the cut-out become their mean, whatever the square's size and angle."""
    lines = np.where(np.arange(1100) % 2, 255, 0).astype(np.uint8)
    picture = np.repeat(np.tile(lines, (1100, 1))[..., None], 3, axis=2)
    shown = aligned(picture, Similarity(550, 550, size, angle), size // 8)
    assert np.abs(shown.astype(int) - 127.5).max() < 12


def test_beyond_the_picture_it_goes_on_and_fades_into_a_blur():
    picture = noise(100, 100, blur=2)
    square = Similarity(0, 50, 100)  # its left half is beyond the picture
    shown = aligned(picture, square, 100).astype(int)
    assert np.array_equal(shown[:, 50:], picture[:, :50])
    step = np.abs(shown[:, 50] - shown[:, 49]).mean()
    assert step <= np.abs(np.diff(shown[:, 50:], axis=1)).mean() + 1  # no edge is seen
    grain = np.abs(np.diff(shown, axis=0)).mean((0, 2))
    assert grain[:35].mean() < 0.6 * grain[50:].mean()


def test_a_square_that_is_much_larger_than_the_picture_shows_the_picture_in_it():
    picture = np.full((40, 60, 3), 90, np.uint8)
    assert np.array_equal(aligned(picture, Similarity(30, 20, 100_000, 45), 64), np.full((64, 64, 3), 90, np.uint8))


@pytest.mark.parametrize("square", [Similarity(-60, 20, 100), Similarity(130, 110, 100, 45), Similarity(30, 200, 100)])
def test_a_square_beyond_the_picture_is_refused(square):
    with pytest.raises(KinesphereError, match="lies beyond this picture of 60 x 40 pixels"):
        aligned(np.zeros((40, 60, 3), np.uint8), square, 32)


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_is_refused(picture):
    for of in (lambda: aligned(picture, TURNED, 8), lambda: landmarks(picture), lambda: refined(picture, TURNED, len)):
        with pytest.raises(KinesphereError, match=r"needed is \[height, width, 3\] uint8"):
            of()
    with pytest.raises(KinesphereError, match="give at least 1"):
        aligned(np.zeros((4, 4, 3), np.uint8), Similarity(2, 2, 4), 0)


# Faces, found


FAKE = """
import importlib.util, json, sys, types
spec = importlib.util.spec_from_file_location("child", {child!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
faces = json.loads({faces!r})
find = lambda picture: [dict(points=points, score=1, left=0.5) for points in faces] if picture.any() else []
child.MAKERS = dict(face=lambda solutions, settings, numbers: find)
sys.modules["mediapipe"] = types.SimpleNamespace(solutions=None)
child.main()
"""


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """A tracking process that needs no MediaPipe and finds, in any picture but a black one, the faces that it is told."""

    def are(*faces):
        points = [np.c_[pictured(face, (400, 300)), np.ones(len(face))].tolist() for face in faces]
        path = tmp_path / "fake_child.py"
        path.write_text(FAKE.format(child=str(child), faces=json.dumps(points)))
        monkeypatch.setattr(process, "CHILD", path)
        monkeypatch.setattr(process, "find_spec", lambda name: True)

    child = process.CHILD
    yield are
    assert not MediaPipe._streams, "a tracking process was left behind"


GREY = np.full((300, 400, 3), 99, np.uint8)


def test_the_eyes_and_the_mouth_of_the_largest_face_are_found(faces):
    large = synthetic.face(x=0.2, y=-0.1, size=0.5, roll=-0.3)
    faces(synthetic.face(x=-0.8, size=0.2), large, synthetic.face(x=0.9, size=0.3))
    at = {name: pictured(large, (400, 300))[i, :2] * (400, 300) for name, i in FACE.index.items()}
    four = landmarks(GREY)
    for eye, side in zip(four, ("left", "right"), strict=False):
        middle = (at[f"{side} eye outer"] + at[f"{side} eye inner"]) / 2
        assert np.hypot(*(eye - middle)) < 0.1 * np.hypot(*(at[f"{side} eye outer"] - at[f"{side} eye inner"]))
    np.testing.assert_allclose(four[2:], [at["left mouth"], at["right mouth"]])
    assert ffhq(*four).angle == pytest.approx(math.degrees(0.3), abs=1)  # it leans to the right of the picture


def test_a_gaze_does_not_move_the_square(faces):
    squares = []
    for gaze in (-0.8, 0.8):
        faces(synthetic.face(size=0.5, gaze=(gaze, 0)))
        squares.append(ffhq(*landmarks(GREY)))
    assert squares[0] == squares[1]


def test_where_no_face_is_found_the_hand_is_offered(faces):
    faces()
    with pytest.raises(KinesphereError, match="no face was found in this picture.*by hand"):
        landmarks(GREY)


def test_the_usual_places_are_those_of_most_pictures(faces):
    faces(synthetic.face(size=0.5))
    black = np.zeros_like(GREY)  # in which nothing is found
    places = usual(iter([GREY, black, GREY]))
    np.testing.assert_allclose(places, landmarks(GREY) / (400, 300))
    with pytest.raises(KinesphereError, match="no face was found in any of 2 pictures: give the two eyes"):
        usual([black, black])


def test_without_mediapipe_the_hand_is_offered(monkeypatch):
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    with pytest.raises(
        KinesphereError, match=r"pip install 'kinesphere\[body\]'.*; or give the two eyes.*by hand$"
    ) as told:
        landmarks(GREY)
    assert "synthetic" not in str(told.value)


real = pytest.mark.skipif(
    find_spec("mediapipe") is None, reason="mediapipe is not installed: pip install 'kinesphere[body]'"
)


@real
def test_a_face_on_a_photograph_is_found_again_when_the_photograph_is_turned():
    photograph = skimage.data.astronaut()
    four = landmarks(photograph)
    # measured with a ruler on the photograph
    np.testing.assert_allclose(four, [(203, 101), (248, 103), (204, 141), (244, 142)], atol=4)
    upright = ffhq(*four)
    turned = aligned(photograph, Similarity(240, 160, 360, -20), 400)
    again = ffhq(*landmarks(turned))
    assert again.angle == pytest.approx(upright.angle + 20, abs=3)
    assert again.size == pytest.approx(upright.size * 400 / 360, rel=0.06)


@real
def test_a_face_is_brought_to_where_the_faces_of_a_model_are():
    places = usual(paint(draw_factors(0, sitter), 256) for sitter in range(5))
    photograph = skimage.data.astronaut()
    shown = aligned(photograph, matching(landmarks(photograph), places), 256)
    np.testing.assert_allclose(landmarks(shown) / 256, places, atol=0.05)


# Sought

ASKEW = Similarity(200.0, 190.0, 220.0, 3.0)  # where the portrait hangs; it is sought from elsewhere


def towards(goal):
    """How far what lies in the square is from a picture [S, S, 3]."""
    shown = torch.from_numpy(goal).permute(2, 0, 1)[None].float() / 127.5 - 1
    return lambda seen: perceptual.distance(seen, shown)


@pytest.mark.parametrize(
    ("sitter", "right", "down", "times", "angle"),
    [
        (7, 0.06, -0.06, 1.1, 8.0),
        (3, -0.06, 0.04, 1 / 1.1, -8.0),
        (11, 0.05, 0.06, 1 / 1.1, 8.0),
        (20, -0.03, -0.06, 1.1, 0.0),
    ],
)
def test_a_portrait_is_found_where_it_hangs_to_half_a_pixel(sitter, right, down, times, angle):
    size = 96
    portrait = paint(draw_factors(0, sitter), 256)
    picture = photographed(portrait, ASKEW, 400)
    goal = cv2.resize(portrait, (size, size), interpolation=cv2.INTER_AREA)
    off = Similarity(ASKEW.x + right * ASKEW.size, ASKEW.y + down * ASKEW.size, ASKEW.size * times, ASKEW.angle + angle)
    found = refined(picture, off, towards(goal), size)
    assert gap(off, ASKEW) > 10 * ASKEW.size / size and gap(found, ASKEW) < 0.5 * ASKEW.size / size


def test_the_same_seed_finds_the_same_square():
    picture, goal = noise(60, 60, blur=3), noise(48, 48, blur=3)
    found = [refined(picture, Similarity(30, 30, 40, 5), towards(goal), 48, steps=12, seed=1) for _ in range(2)]
    assert found[0] == found[1]


def test_it_goes_no_further_than_it_may_and_never_to_where_it_is_worse():
    picture, start = noise(120, 120, blur=3), Similarity(60, 60, 40, 5)
    found = refined(picture, start, lambda seen: -seen.var(), 32, reach=0.05, steps=24)  # more and more to be seen
    assert max(abs(found.x - 60), abs(found.y - 60)) <= 0.05 * 40 * 1.001
    assert abs(math.log(found.size / 40)) <= 0.0501 and abs(math.radians(found.angle - 5)) <= 0.0501
    assert found != start
    asked = []

    def harsh(seen):  # it likes where it begins, and nothing else
        asked.append(seen)
        return seen.sum() * 0 + (len(asked) > 1)

    assert refined(picture, start, harsh, 32, steps=8) == start


def test_under_no_grad_it_seeks_all_the_same():
    picture = noise(120, 120, blur=3)
    with torch.no_grad():
        assert refined(picture, Similarity(60, 60, 40), lambda seen: -seen.var(), 32, steps=8) != Similarity(60, 60, 40)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda seen: seen.mean((1, 2)), "one finite number"),
        (lambda seen: seen.sum() * torch.nan, "one finite number"),
        (lambda seen: seen.detach().sum(), "does not depend on the picture"),
    ],
)
def test_a_loss_that_is_none_is_refused(loss, words):
    with pytest.raises(KinesphereError, match=words):
        refined(noise(60, 60), Similarity(30, 30, 40), loss, 32, tries=2, steps=4)


@pytest.mark.parametrize("how", [{"size": 0}, {"tries": -1}, {"steps": 0}, {"reach": 0.0}, {"reach": 2.0}])
def test_a_search_that_cannot_be_is_refused(how):
    with pytest.raises(KinesphereError, match="give at least 1, 0, 1, and above 0 to 1"):
        refined(noise(60, 60), Similarity(30, 30, 40), torch.sum, **how)
