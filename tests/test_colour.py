import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.features import Brightness, Colour
from kinesphere.features.colour import linear, warmth
from kinesphere.types import Feature, KinesphereError, Signal


def plain(*rgb, size=(64, 48)):
    return np.full((size[1], size[0], 3), rgb, np.uint8)


def measured(picture, **fields):
    colour = Colour(**fields)
    colour.open(None)
    return dict(zip(colour.names, colour(Signal(picture, 0.0)), strict=True))


@pytest.mark.parametrize(
    "rgb, saturation",
    [((90, 90, 90), 0), ((200, 100, 100), 0.5), ((0, 0, 255), 1), ((0, 0, 0), 0), ((60, 45, 30), 0.5)],
)
def test_saturation_is_that_of_hsv(rgb, saturation):
    assert measured(plain(*rgb))["saturation"] == pytest.approx(saturation, abs=1e-6)


def test_the_hue_of_the_dark_does_not_count_much():
    picture = plain(200, 200, 200)
    picture[:, :32] = (4, 0, 0)  # sensor noise in the dark: saturation 1 by itself
    assert measured(picture)["saturation"] == pytest.approx(4 / 204)


def test_brightness_is_the_feature_of_that_name():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert measured(picture)["brightness"] == pytest.approx(float(Brightness()(Signal(picture, 0.0))), abs=1e-3)


def test_half_black_and_half_white_is_the_greatest_contrast():
    picture = plain(0, 0, 0)
    picture[:, 32:] = 255
    assert measured(picture)["contrast"] == pytest.approx(1)
    assert measured(plain(77, 200, 3))["contrast"] == pytest.approx(0, abs=1e-6)


def test_orange_is_warm_blue_is_cool_and_grey_neither():
    orange, red, grey, blue, cyan = (
        measured(plain(*rgb))["warmth"]
        for rgb in ((255, 128, 0), (255, 0, 0), (128, 128, 128), (0, 90, 255), (0, 200, 220))
    )
    assert orange > 1 and red > 1 and abs(grey) < 0.01 and max(blue, cyan) < -0.5
    half = plain(255, 128, 0)
    half[:, 32:] = 128
    assert measured(half)["warmth"] == pytest.approx(orange / 2, abs=0.01)


def test_warmth_follows_the_formula():
    """Ou et al. 2004 for a colour of known CIELAB: sRGB red is L 53.24, a 80.09, b 67.20 (D65)."""
    red = warmth(np.array([[[1, 0, 0]]], np.float32))[0, 0]
    c, h = np.hypot(80.09, 67.20), np.arctan2(67.20, 80.09)
    assert red == pytest.approx(0.02 * c**1.07 * np.cos(h - np.radians(50)), abs=0.01)


def test_light_is_linear():
    """sRGB 188 is half of the light of 255."""
    assert linear(np.array([0.0, 188 / 255, 1.0])) == pytest.approx([0, 0.503, 1], abs=1e-3)


@pytest.mark.parametrize("size", [(64, 48), (64, 36)], ids=["4:3", "16:9"])
def test_the_middle_of_the_light_is_where_the_lamp_is(size):
    width, height = size
    picture = plain(0, 0, 0, size=size)
    picture[4:8, 40:48] = 255  # a lamp, and the little light that every place is given
    at = ((2 * 44 - width) / height, (height - 2 * 6) / height)
    own = 32 / (32 + Colour.DARK * width * height)
    found = measured(picture)
    assert (found["x"], found["y"]) == pytest.approx((own * at[0], own * at[1]), abs=0.01)
    black = measured(plain(0, 0, 0))
    assert (black["x"], black["y"]) == pytest.approx((0, 0), abs=1e-9)


def test_a_region_is_measured_alone_in_the_frames_own_places():
    picture = plain(0, 0, 0, size=(64, 48))
    picture[:, 48:] = 200
    found = measured(picture, region=(0.75, 0, 1, 1))
    assert found["brightness"] == pytest.approx(200 / 255, abs=1e-3)
    assert found["x"] == pytest.approx((2 * 56 - 64) / 48, abs=0.01)  # the middle of that strip
    assert measured(picture, region=(0, 0, 0.75, 1))["brightness"] == 0


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 5))
def test_any_picture_gives_finite_numbers(width, height, seed):
    picture = (
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8) if seed else plain(0, 0, 0)
    )
    found = measured(picture)
    assert np.isfinite(list(found.values())).all()
    assert all(0 <= found[name] <= 1 + 1e-6 for name in ("saturation", "brightness", "contrast"))


def test_it_is_a_feature_of_several_numbers():
    assert isinstance(Colour(), Feature) and set(Colour.ranges) == set(Colour.names) and not Colour.circular
    assert Colour()(Signal(plain(1, 2, 3), 0.0)).dtype == np.float64
    with pytest.raises(KinesphereError, match="region"):
        Colour(region=(0.5, 0, 0.2, 1))


def test_opencv_knows_lab():
    """The one table that warmth rests on."""
    np.testing.assert_allclose(cv2.cvtColor(np.float32([[[1, 1, 1]]]), cv2.COLOR_RGB2Lab)[0, 0], [100, 0, 0], atol=0.05)
