"""The page about one's own picture: its commands run as they stand there, and what it promises comes true."""

import re
import shlex
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from kinesphere import cli
from kinesphere.sources.geometry import resized
from kinesphere.studio.latents import Latent

PAGE = (Path(__file__).parents[1] / "docs" / "your-own-picture.md").read_text()
PEOPLE = "ada", "ben"


@pytest.fixture(scope="module")
def place(one_thread, tmp_path_factory):
    """A folder in which everything on the page was typed, in order; `said.txt` holds what was answered."""
    folder = tmp_path_factory.mktemp("own-picture")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        said = [answer(line) for block in blocks("bash") for line in block.splitlines()]
        for block in blocks("python"):
            exec(compile(block, "your-own-picture.md", "exec"), {})
    (folder / "said.txt").write_text("".join(said))
    return folder


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def answer(line):
    words = shlex.split(line)
    if words[0] != "kinesphere":
        subprocess.run(words, check=True)
        return ""
    done = CliRunner().invoke(cli.app, words[1:])
    assert done.exit_code == 0, f"{line}: {done.exception or done.output}"
    return done.output


def picture(path):
    return np.asarray(Image.open(path))


def frames_of(path):
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_what_is_found_lies_where_the_page_says(place):
    found = {path.name for path in (place / "found").iterdir()}
    assert found == {f"{name}{end}" for name in PEOPLE for end in (".safetensors", ".png", ".sheet.png", ".mp4")}


def test_every_file_that_the_page_names_is_there(place):
    named = set(re.findall(r"`([\w/-]+\.[\w.]+)`", PAGE))
    assert {"found/ada.sheet.png", "both.png", "lost/seed0003.sheet.png"} <= named
    assert all((place / name).stat().st_size > 0 for name in named)


def likeness(place, name):
    (said,) = re.findall(rf"{name}\.safetensors: likeness (\S+),", (place / "said.txt").read_text())
    return float(said)


@pytest.mark.parametrize("name", PEOPLE)
def test_the_likeness_is_above_what_the_page_says(place, name):
    (promised,) = re.findall(r"likeness above (0\.\d)", PAGE)
    assert likeness(place, name) > float(promised)


def test_of_another_world_the_likeness_stays_near_0(place):
    assert likeness(place, "seed0003") < 0.2


def test_a_picture_of_another_world_is_told_so_and_ours_are_not(place):
    said = (place / "said.txt").read_text()
    words = dict(re.findall(r"(\w+)\.safetensors: .*; (.*)", said))
    assert words == {"ada": "found", "ben": "found", "seed0003": "this picture is not of this model's world"}
    assert words["seed0003"] in PAGE


def test_the_film_has_as_many_frames_as_the_page_says(place):
    (promised,) = re.findall(r"are (\d+) frames", PAGE)
    assert len(frames_of(place / "there-and-back.mp4")) == int(promised)


def test_the_film_begins_with_the_first_as_she_was_found(place):
    first = frames_of(place / "there-and-back.mp4")[0].astype(float)
    ada, ben = (resized(picture(place / "found" / f"{name}.png"), (256, 256)) for name in PEOPLE)
    assert np.abs(first - ada).mean() < 3 < 30 < np.abs(first - ben).mean()


def test_the_film_comes_to_the_second_half_way(place):
    film, ben = frames_of(place / "there-and-back.mp4"), picture(place / "found" / "ben.png")
    far = [np.abs(frame - resized(ben, (256, 256)).astype(float)).mean() for frame in film]
    assert min(far) < 5 and abs(int(np.argmin(far)) - 60) < 12


def test_a_picture_is_made_again_to_the_pixel(place):
    assert np.array_equal(picture(place / "again" / "ada.png"), picture(place / "found" / "ada.png"))


@pytest.mark.parametrize("name", PEOPLE)
def test_python_finds_the_same_latents_as_the_command(place, name):
    one, other = (Latent.load(place / folder / f"{name}.safetensors") for folder in ("found", "python"))
    assert torch.equal(one.data, other.data)


def test_python_makes_the_same_sheet_and_as_long_a_film(place):
    assert np.array_equal(picture(place / "python" / "both.png"), picture(place / "both.png"))
    assert len(frames_of(place / "python" / "film.mp4")) == len(frames_of(place / "there-and-back.mp4"))
