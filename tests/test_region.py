import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.features.region import checked_region, crop, look
from kinesphere.types import KinesphereError

PICTURE = np.arange(6 * 10 * 3, dtype=np.uint8).reshape(6, 10, 3)


@pytest.mark.parametrize(
    "region", [(0, 0, 1), (0, 0, 1.1, 1), (-0.1, 0, 1, 1), (0.5, 0, 0.5, 1), (0, 0.7, 1, 0.3), (0, 0, float("nan"), 1)]
)
def test_a_region_that_cannot_be_meant_is_refused_with_an_example(region):
    with pytest.raises(KinesphereError, match=r"region .*left, top, right, bottom.*\["):
        checked_region(region)


def test_the_left_half_is_the_left_half():
    np.testing.assert_array_equal(crop(PICTURE, (0, 0, 0.5, 1)), PICTURE[:, :5])


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 0.99))
def test_two_neighbours_share_no_pixel_and_lose_none(width, height, border):
    picture = np.zeros((height, width, 3), np.uint8)
    left, right = crop(picture, (0, 0, border, 1)), crop(picture, (border, 0, 1, 1))
    assert left.size and right.size
    if 1 <= round(border * width) < width:
        assert left.shape[1] + right.shape[1] == width


def test_looking_keeps_the_aspect_and_sets_the_longer_side():
    assert look(np.zeros((180, 320, 3), np.uint8), (0, 0, 1, 1), 160).shape == (90, 160, 3)
    assert look(np.zeros((180, 320, 3), np.uint8), (0, 0, 0.25, 1), 90).shape == (90, 40, 3)


def test_a_sliver_is_widened_to_the_smallest_that_the_network_can_take():
    assert look(np.zeros((100, 2, 3), np.uint8), (0, 0, 1, 1), 160, smallest=32).shape == (160, 32, 3)


def test_shrinking_averages():
    checks = np.indices((64, 64)).sum(0) % 2 * 255
    seen = look(np.repeat(checks[:, :, None], 3, 2).astype(np.uint8), (0, 0, 1, 1), 16)
    assert np.all(np.abs(seen.astype(int) - 127.5) <= 1)
