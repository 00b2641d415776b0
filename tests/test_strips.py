"""A strip shows one picture along one direction, in standard deviations; its PNG makes it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator

from kinesphere.models import Generator
from kinesphere.studio import recipes
from kinesphere.studio.directions import Axis, Direction, strips
from kinesphere.studio.directions.control import random_directions
from kinesphere.studio.directions.edits import Edit, edited
from kinesphere.studio.directions.pca import component
from kinesphere.studio.directions.sefa import sefa
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import Drawing, grid
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


@pytest.fixture(scope="module")
def found(G: Generator) -> list[Direction]:
    return [*sefa(G, 2), *random_directions(G, 1)]


def tiles(sheet: np.ndarray, frames: int, lines: int, size: int = 32) -> np.ndarray:
    """[lines, frames, size, size, 3]: the pictures of a sheet, which stand in its lower right."""
    left, top = (side - count * (size + 4) for side, count in zip(sheet.shape[1::-1], (frames, lines), strict=True))
    at = [[sheet[top + y * (size + 4) :, left + x * (size + 4) :] for x in range(frames)] for y in range(lines)]
    return np.stack([np.stack([tile[:size, :size] for tile in line]) for line in at])


def test_each_frame_is_the_picture_moved_by_the_amount_above_it(G: Generator, found: list[Direction]) -> None:
    place, drawing = Latent.of_seed(G, 3, 0.7), Drawing(G)
    shown = tiles(strips.sheet(drawing, place, found, frames=5, reach=3), 5, 3)
    for line, one in zip(shown, found, strict=True):
        for tile, amount in zip(line, (-3, -1.5, 0, 1.5, 3), strict=True):
            assert np.array_equal(tile, drawing.picture(edited(G, place, [Edit(one, amount)])))
        assert np.array_equal(line[2], drawing.picture(place)) and not np.array_equal(line[0], line[4])


def test_centred_strips_begin_from_a_coordinate_of_0(G: Generator) -> None:
    one, place, drawing = component(G, 1), Latent.of_seed(G, 3), Drawing(G)
    line = tiles(strips.sheet(drawing, place, [one], frames=3, reach=2, centred=True), 3, 1)[0]
    for tile, amount in zip(line, (-2, 0, 2), strict=True):
        placed = replace(place, data=Axis.of(G, one).placed(place.ws(G), amount)[0, 0].cpu())
        assert np.array_equal(tile, drawing.picture(placed))


@pytest.mark.parametrize("noise_mode", ["const", "random"])
def test_a_png_of_strips_makes_them_again_to_the_bit(
    G: Generator, found: list[Direction], tmp_path: Path, noise_mode: str
) -> None:
    noise = {"b16.conv0": torch.linspace(-1, 1, 256).view(16, 16)}
    place, told = replace(Latent.of_seed(G, 3, 0.7), noise=noise), Fingerprint.of(G)
    recipe = replace(recipes.of_strips(told, "folder/tiny.pkl", place, found, 3, 2.0), noise_mode=noise_mode)
    picture = recipe.draw(G)
    again = recipes.read(recipes.save(picture, tmp_path / "strips.png", recipe))
    assert again.model == "tiny.pkl"
    assert np.array_equal(again.draw(tiny_generator("stylegan2")), picture)


def test_a_recipe_of_strips_that_is_damaged_is_said_to_be(G: Generator, found: list[Direction]) -> None:
    whole = recipes.of_strips(Fingerprint.of(G), "tiny", Latent.of_seed(G, 3), found)
    for wrong in ({"directions": "!"}, {"directions": "AAAA"}, {"frames": "5"}, {"more": 1}):
        with pytest.raises(KinesphereError):
            replace(whole, of={**whole.of, **wrong}).draw(G)


def test_strips_are_titled_by_their_names_and_amounts(G: Generator, found: list[Direction]) -> None:
    place, drawing = Latent.of_seed(G, 3, 0.7), Drawing(G)
    names = [one.name for one in found]
    shown = tiles(strips.sheet(drawing, place, found, frames=3, reach=2), 3, 3)
    titled = grid([tile for line in shown for tile in line], 3, ["-2 sigma", "0", "+2 sigma"], names)
    assert np.array_equal(strips.sheet(drawing, place, found, frames=3, reach=2), titled)


def test_each_picture_is_told_as_it_is_drawn(G: Generator, found: list[Direction]) -> None:
    told: list[tuple[int, int]] = []
    strips.sheet(Drawing(G, on_picture=lambda done, of: told.append((done, of))), Latent.of_seed(G, 1), found, frames=2)
    assert told == [(i, 6) for i in range(1, 7)]


def test_what_cannot_be_shown_is_said(G: Generator, found: list[Direction]) -> None:
    place, drawing = Latent.of_seed(G, 3), Drawing(G)
    for frames, reach in ((1, 3.0), (5, 0.0), (5, 61.0), (5, float("nan"))):
        with pytest.raises(KinesphereError, match="give at least 2, and up to 60"):
            strips.sheet(drawing, place, found, frames, reach)
    with pytest.raises(KinesphereError, match="no direction to show"):
        strips.sheet(drawing, place, [])
