"""Which square of a picture is projected: as it was asked for, and nothing else."""

import numpy as np
import pytest

from kinesphere.studio import alignment
from kinesphere.studio.alignment import Similarity, matching
from kinesphere.studio.framing import Framing
from kinesphere.types import KinesphereError

WIDE = np.zeros((60, 100, 3), np.uint8)
FACE = np.array([(0.4, 0.4), (0.6, 0.4), (0.45, 0.7), (0.55, 0.7)])  # where the doubles have eyes and mouth


@pytest.fixture
def faces(monkeypatch):
    """Faces wherever one looks, without MediaPipe: those that a model draws, and that of a picture, 20 px to the right."""
    monkeypatch.setattr(alignment, "usual", lambda pictures: FACE)
    monkeypatch.setattr(alignment, "landmarks", lambda picture: FACE * 40 + (20, 0))


def test_the_middle_is_the_largest_square_there(tiny):
    assert Framing(tiny)(WIDE) == Similarity(50, 30, 60)


@pytest.mark.parametrize(
    ("said", "square"),
    [("40,30,20", Similarity(40, 30, 20)), (" 40.5, 30, 20, -12.5", Similarity(40.5, 30, 20, -12.5))],
)
def test_a_square_is_laid_by_hand(tiny, said, square):
    assert Framing(tiny, said)(WIDE) == square


def test_a_face_is_brought_to_where_those_of_the_model_are(tiny, faces):
    found = Framing(tiny, "face")(WIDE)
    assert (found.x, found.y, found.size, found.angle) == pytest.approx((40, 20, 40, 0))


def test_so_is_one_whose_eyes_and_mouth_are_laid_by_hand(tiny, faces):
    found = Framing(tiny, "points:30,20 40,22 31,34 36,35")(WIDE)
    assert found == matching([(30, 20), (40, 22), (31, 34), (36, 35)], FACE)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ears", "no way to align 'ears': there are middle .*; best .*; X,Y,SIDE"),
        ("1,2", "no way to align '1,2'"),
        ("1,2,three", "no way to align '1,2,three'"),
        ("1,2,0", "no square has .* side 0"),
        ("1,2,inf", "no square has .* side inf"),
        ("points:1,2 3,4", "no four points"),
        ("points:1,2 3,4 5,6 7", "no four points"),
        ("points:40,20 30,20 45,40 25,40", "no face"),
    ],
)
def test_what_is_none_of_these_is_refused_at_once(tiny, said, words):
    with pytest.raises(KinesphereError, match=words):
        Framing(tiny, said)


def test_where_a_model_draws_no_faces_the_square_is_offered(tiny, monkeypatch):
    def usual(pictures):
        raise KinesphereError("no face was found in any of 16 pictures")

    monkeypatch.setattr(alignment, "usual", usual)
    with pytest.raises(KinesphereError, match="own pictures have no face .*--align X,Y,SIDE"):
        Framing(tiny, "points:30,20 40,22 31,34 36,35")(WIDE)
