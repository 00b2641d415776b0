"""What is said of directions once they are found is what each of its parts says by itself."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image

from kinesphere.models import Generator
from kinesphere.studio import recipes
from kinesphere.studio.directions import control, files, sefa
from kinesphere.studio.directions.importance import importance
from kinesphere.studio.directions.search import Search
from kinesphere.studio.directions.survey import Survey
from kinesphere.studio.latents import Latent
from kinesphere.studio.subjects import Subject
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


@pytest.fixture(scope="module")
def survey(G: Generator) -> Survey:
    return Survey.of(G, "tiny", Search("sefa", 2, seed=3, where=True), Subject("7", 0.5), frames=3, reach=2.0)


def test_a_line_tells_each_direction(G: Generator, survey: Survey) -> None:
    known = sefa.sefa(G, 2)
    assert survey.table["name"] == ["sefa1", "sefa2"] and survey.table["rows"] == ["all", "all"]
    assert survey.table["sigma"] == [f"{one.sigma:.3g}" for one in known]
    assert survey.table["carried by"] == [importance(G, one).carrying for one in known]


def test_which_rows_carry_them_is_told_only_where_it_was_asked(G: Generator) -> None:
    assert "carried by" not in Survey.of(G, "tiny", Search("sefa", 1), Subject("7")).table


def test_chance_is_told_beside_them(G: Generator, survey: Survey) -> None:
    chance = control.random_directions(G, control.COUNT, 3)
    assert survey.notes[-1] == control.compared(G, sefa.sefa(G, 2), chance).words


def test_the_sheet_shows_the_picture_along_each_and_along_chance(G: Generator, survey: Survey) -> None:
    of = survey.sheet.of
    assert (survey.sheet.what, of["frames"], of["reach"]) == ("strips_sheet", 3, 2.0)
    place = Latent.from_bytes(base64.b64decode(of["held"]))
    assert torch.equal(place.data, Latent.of_seed(G, 7, 0.5).data)
    shown = [one.name for one in files.from_bytes(base64.b64decode(of["directions"]))]
    assert shown == ["sefa1", "sefa2", "random 1", "random 2", "random 3"]


def test_it_is_written_as_a_file_and_a_picture_with_its_recipe(G: Generator, survey: Survey, tmp_path: Path) -> None:
    survey.write(G, tmp_path / "ways.safetensors", tmp_path / "ways.png")
    assert [one.name for one in files.read(tmp_path / "ways.safetensors")] == ["sefa1", "sefa2"]
    again = recipes.read(tmp_path / "ways.png").draw(G)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "ways.png")), again)


def test_a_picture_that_there_is_not_is_said(G: Generator) -> None:
    with pytest.raises(KinesphereError, match="there is no file 'me.png'"):
        Survey.of(G, "tiny", Search("sefa", 1), Subject("me.png"))
