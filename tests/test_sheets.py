"""Pictures side by side: each tile is the picture that its title says."""

import numpy as np
import pytest
import torch
from PIL import Image

from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.types import KinesphereError


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def test_a_seed_is_the_picture_that_it_is_everywhere_else(tiny):
    z = torch.from_numpy(np.random.RandomState(5).randn(1, tiny.z_dim)).float()
    want = to_pixels(tiny.synthesis(tiny.mapping(z, truncation_psi=0.7)))[0].numpy()
    draw = sheets.Drawing(tiny)
    np.testing.assert_array_equal(list(draw.pictures(draw.ws([4, 5], 0.7)))[1], want)


def test_psi_0_is_one_picture_for_every_seed_and_psi_1_5_is_another_than_psi_1(tiny):
    draw = sheets.Drawing(tiny)
    first, second = ([next(draw.pictures(draw.ws([seed], psi))) for psi in (0.0, 1.0, 1.5)] for seed in (1, 2))
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != first[2]).any() and (first[1] != second[1]).any()


def tile(sheet: np.ndarray, picture: np.ndarray) -> tuple[int, int] | None:
    """Where on a sheet a picture lies, to the pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape)[:, :, 0]
    where = np.argwhere((windows == picture).all(axis=(2, 3, 4)))
    return tuple(where[0]) if len(where) else None


def test_each_tile_of_the_psi_sheet_is_the_picture_of_its_seed_and_psi(tiny):
    draw = sheets.Drawing(tiny, cutoff=5)
    sheet = draw.psi_sheet([1, 2], [0.5, 1.0])
    places = [tile(sheet, next(draw.pictures(draw.ws([seed], psi)))) for seed in (1, 2) for psi in (0.5, 1.0)]
    assert None not in places and places == sorted(places) and len(set(places)) == 4


def test_each_tile_of_the_mix_sheet_is_its_column_with_the_rows_of_its_line(tiny):
    draw, rows = sheets.Drawing(tiny), tiny.rows("coarse")
    sheet = draw.mix_sheet([1, 2, 3], [8, 9], "coarse", rows)
    places = [tile(sheet, picture) for picture in draw.pictures(draw.ws([1, 2, 3]))]
    for other in (8, 9):
        ws = draw.ws([other, 1, 2, 3])
        mixed = ws.clone()
        mixed[1:, rows] = ws[0, rows]
        places += [tile(sheet, picture) for picture in draw.pictures(mixed)]
    assert None not in places, places
    assert places == sorted(places) and len(set(places)) == 11


def test_a_sheet_holds_its_tiles_whole_in_reading_order():
    tiles = [np.full([20, 30, 3], 10 * i, np.uint8) for i in range(5)]
    sheet = sheets.grid(tiles, 3, ["a", "b", "c"], ["one", "two"], gap=4)
    found = []
    for i in range(5):
        where = np.argwhere((sheet == 10 * i).all(-1)) if i else np.argwhere((sheet == 0).all(-1))
        (top, left), (bottom, right) = where.min(0), where.max(0)
        assert (bottom - top + 1, right - left + 1) == (20, 30)
        found.append((top, left))
    assert found == sorted(found)


def test_a_class_that_is_not_there_is_refused(tiny):
    with pytest.raises(KinesphereError, match="no class 3.*no classes"):
        sheets.seeds_to_ws(tiny, [1], class_index=3)


def test_saving_makes_the_folder(tmp_path):
    picture = np.random.RandomState(0).randint(0, 255, [8, 8, 3], np.uint8)
    sheets.save(picture, tmp_path / "a" / "b.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a" / "b.png")), picture)
