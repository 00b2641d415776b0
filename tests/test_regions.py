"""A painted part of the picture."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image

from kinesphere.studio.directions.regions import box, cover, fitted, mask, shrunk, together
from kinesphere.types import KinesphereError


def painted(top, bottom, left, right, size=32):
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = True
    return mask


def test_a_box_and_the_mask_that_it_fills_cover_the_same():
    mask = painted(8, 20, 4, 28)
    assert torch.equal(cover((4 / 32, 8 / 32, 28 / 32, 20 / 32), 32, 32), torch.from_numpy(mask).float())
    assert torch.equal(cover(mask, 32, 32), cover(torch.from_numpy(mask), 32, 32))


def test_a_pixel_of_the_shrunk_picture_is_covered_as_far_as_it_is_painted():
    mask = painted(0, 3, 0, 32)
    assert torch.equal(cover(mask, 32, 16)[:3, 0], torch.tensor([1.0, 0.5, 0.0]))


def test_a_mask_is_what_is_white_in_a_square_picture(tmp_path):
    white = painted(8, 20, 4, 28)
    Image.fromarray((200 * white).astype(np.uint8)).save(tmp_path / "mask.png")
    assert np.array_equal(mask(tmp_path / "mask.png"), white)
    for wrong, said in (
        (np.zeros((8, 8)), "m.png is black"),
        (np.ones((8, 12)), "m.png has 12 x 8 pixels: .* square"),
        (np.ones((2, 2)), "m.png: too small"),
    ):
        Image.fromarray((255 * wrong).astype(np.uint8)).save(tmp_path / "m.png")
        with pytest.raises(KinesphereError, match=said):
            mask(tmp_path / "m.png")
    with pytest.raises(KinesphereError, match="gone.png"):
        mask(tmp_path / "gone.png")


@pytest.mark.parametrize("pixels", [8, 32, 64])
def test_a_mask_fits_pictures_of_any_size(pixels):
    quarter = painted(16, 32, 0, 16)
    known = painted(pixels // 2, pixels, 0, pixels // 2, pixels)
    assert np.array_equal(fitted(quarter, pixels), known)
    assert fitted((0, 0, 1, 0.5), pixels) == (0, 0, 1, 0.5)


def test_a_region_is_told_as_its_box():
    assert box((0.25, 0.5, 0.75, 1)) == [0.25, 0.5, 0.75, 1.0]
    assert box(painted(8, 20, 4, 28)) == [4 / 32, 8 / 32, 28 / 32, 20 / 32]


@pytest.mark.parametrize(
    ("region", "said"),
    [
        (painted(0, 4, 0, 4, size=16), r"mask \[16, 16\].*\[32, 32\]"),
        (np.zeros((32, 32), bool), "nothing is painted"),
        ((0.5, 0, 0.25, 1), "left must be less than right"),
        ((0, 0, 1), "left, top, right, bottom"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(region, said):
    with pytest.raises(KinesphereError, match=said):
        cover(region, 32, 32)


def test_small_pictures_stay_and_large_ones_are_averaged():
    img = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(shrunk(img, 8), img)
    assert torch.equal(shrunk(img, 2)[0, 0], torch.tensor([[2.5, 4.5], [10.5, 12.5]]))


def test_large_pictures_are_drawn_a_few_at_a_time(tiny):
    large = tiny_generator("stylegan2")
    large.img_resolution = 2048
    assert together(large) == 1 < together(tiny)
