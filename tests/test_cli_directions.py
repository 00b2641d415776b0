"""The verbs that find directions and edit along them, as they are typed."""

from __future__ import annotations

from pathlib import Path

import commands
import numpy as np
import pytest
from conftest import stir, tiny_generator
from PIL import Image

from kinesphere import checkpoints
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.models import Generator
from kinesphere.studio import recipes
from kinesphere.studio.directions import Axis, files
from kinesphere.studio.directions.pca import pca
from kinesphere.studio.latents import Latent
from kinesphere.studio.sheets import Drawing

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return stir(tiny_generator("stylegan2")).requires_grad_(False)


@pytest.fixture(scope="module")
def model(G: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    card = Card("stylegan2", 32, 16, 12, 0, G.num_ws, 3, "made by a test", 0, ("G_ema",))
    checkpoints.save(Checkpoint(G_ema=G, card=card), path)
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: object, code: int = 0, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command printed, its lines joined."""
    return " ".join(commands.run(*words, code=code, capsys=capsys).split())


def test_components_come_as_a_file_a_sheet_and_a_table(
    G: Generator, model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run("directions", model, "--k", 3, "--count", 500, "--out", "three.safetensors", capsys=capsys)
    known = pca(G, 3, 500)
    for one, kept in zip(known, files.read("three.safetensors"), strict=True):
        assert np.array_equal(one.vector, kept.vector) and one.sigma == kept.sigma and dict(one.found) == kept.found
        assert one.name in said and f"{one.sigma:.3g}" in said
    assert "times as much" in said and "three.safetensors and three.png" in said
    assert recipes.read(here / "three.png").what == "strips_sheet"


def test_a_sheet_of_directions_is_made_again_to_the_bit(
    model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("directions", model, "--by", "sefa", "--k", 2, "--rows", "coarse", "--sheet", "s.png", "--on", 7, capsys=capsys)
    run("sample", "--model", model, "--recipe", "s.png", "--out", "again", capsys=capsys)
    assert np.array_equal(np.asarray(Image.open("s.png")), np.asarray(Image.open("again/s.png")))


def test_it_can_be_told_which_rows_carry_a_direction(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "carried by" in run("directions", model, "--by", "sefa", "--k", 1, "--where", capsys=capsys)


def test_labels_are_learnt_as_it_is_asked_and_their_ends_are_named(
    model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--measure", "brightness", "--count", 200, "--between", 1, "--against", "pc2"]
    said = run("directions", model, "--by", "labels", *how, capsys=capsys)
    [one] = files.read("directions.safetensors")
    assert (one.name, one.found["between"], one.found["against"]) == ("brightness", 1, ["pc2"])
    low, high = (", ".join(map(str, one.examples[end])) for end in ("low", "high"))
    assert f"brightness: least in the seeds {low}, most in {high}" in said


def test_channels_are_found_by_a_measure_and_in_a_painted_mask(
    model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("directions", model, "--by", "stylespace", "--measure", "brightness", "--k", 2, capsys=capsys)
    assert {one.found["measure"] for one in files.read("directions.safetensors")} == {"brightness"}
    painted = np.zeros((64, 64), np.uint8)
    painted[:32] = 255
    Image.fromarray(painted).save(here / "mask.png")
    run("directions", model, "--by", "here", "--region", "mask.png", "--out", "m.safetensors", "--k", 2, capsys=capsys)
    assert [one.found["region"] for one in files.read("m.safetensors")] == [[0, 0, 1, 0.5]] * 2


def test_a_layer_can_be_looked_at(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run("directions", model, "--layer", "b8.conv0", "--count", 60, "--k", 1, capsys=capsys)
    assert "b8.conv0 pc1" in said


def test_a_seed_is_edited_and_the_picture_holds_what_was_done(
    G: Generator, model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(
        "edit", 14, "--direction", "pc1=2", "--direction", "sefa2=-1", "--model", model, "--keep", "k.safetensors",
        capsys=capsys,
    )  # fmt: skip
    assert "edited.png and k.safetensors: pc1 +2, sefa2 -1; " in said
    kept = Latent.load("k.safetensors")
    picture = np.asarray(Image.open("edited.png"))
    assert np.array_equal(picture, Drawing(G).picture(kept)) and len(kept.origin["edits"]) == 2
    assert np.array_equal(recipes.read(here / "edited.png").draw(G), picture)


def test_an_edit_goes_on_from_an_edited_picture_and_from_files_of_directions(
    G: Generator, model: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write("found.safetensors", [one.named(f"way {i}") for i, one in enumerate(pca(G, 2, 500))])
    run("edit", 14, "--direction", "pc1=1", "--model", model, capsys=capsys)
    ways = ["--direction", "found.safetensors#way 1=0.5", "--set", "--rows", "2-4", "--keep", "k.safetensors"]
    run("edit", "edited.png", *ways, "--model", model, "--out", "twice.png", capsys=capsys)
    twice = Latent.load("k.safetensors")
    assert [each["direction"] for each in twice.origin["edits"]] == ["pc1", "way 1"]
    axis = Axis.of(G, files.load("found.safetensors#way 1"), rows="2-4")
    assert float(axis.coordinate(twice.ws(G))) == pytest.approx(0.5, abs=1e-4)


def test_strips_of_a_picture_need_no_amounts(model: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("edit", 3, "--direction", "pc1", "--direction", "pc2=2", "--strip", "--model", model, capsys=capsys)
    recipe = recipes.read(here / "edited.png")
    assert recipe.what == "strips_sheet" and recipe.of["reach"] == 3.0


@pytest.mark.parametrize(
    "words, said",
    [
        (["3", "--direction", "smile=2"], "no direction 'smile' in this model: it has pc1 to pc12"),
        (["3", "--direction", "pc1"], "pc1: say how far"),
        (["3", "--direction", "pc1=7"], "say --free to go there"),
        (["3", "--direction", "pc13=1"], "this model has pc1 to pc12"),
        (["3", "--direction", "pc1=1", "--rows", "40"], "no rows 40: this model has rows 0 to 7"),
        (["me.png", "--direction", "pc1=1"], "there is no file 'me.png'"),
        (["3", "--direction", "gone.npy=1"], "there is no file"),
    ],
)
def test_an_edit_that_cannot_be_says_why_and_writes_nothing(
    model: Path, here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in run("edit", *words, "--model", model, "--keep", "k.safetensors", code=1, capsys=capsys)
    assert not list(here.iterdir())


@pytest.mark.parametrize(
    "words, said",
    [
        (["--by", "magic"], "no way 'magic' to find directions: there are pca, "),
        (["--by", "sefa", "--layer", "b8.conv0"], "layer is for pca: leave it out"),
        (["--by", "stylespace", "--region", "0,0,1,0.5", "--where"], "where is for pca and sefa and labels and here"),
        (["--by", "labels", "--measure", "smoke"], "no measure 'smoke'"),
        (["--by", "labels", "--measure", "glasses"], "glasses is one of several kinds"),
        (["--by", "here", "--region", "gone.png"], "gone.png"),
        (["--k", "13"], "13 components: this model has 1 to 12"),
        (["--rows", "vast"], "rows 'vast': no such rows"),
    ],
)
def test_a_search_that_cannot_be_says_why_and_writes_nothing(
    model: Path, here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in run("directions", model, *words, code=1, capsys=capsys)
    assert not list(here.iterdir())


def test_an_impossible_seed_is_refused_as_it_is_typed(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "4294967295" in run("directions", model, "--seed", 5_000_000_000, code=2, capsys=capsys)


def test_nothing_is_replaced_unasked(model: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "directions.png").write_bytes(b"mine")
    assert "is there already" in run("directions", model, "--k", 1, code=1, capsys=capsys)
    (here / "k.safetensors").write_bytes(b"mine")
    ways = ["--direction", "pc1=1", "--model", model, "--keep", "k.safetensors"]
    assert "is there already" in run("edit", 3, *ways, code=1, capsys=capsys)
    assert not (here / "edited.png").exists()
