"""The built-in model `portraits`: that it is there, small, and what its card says."""

import json
from fractions import Fraction
from importlib import resources

import numpy as np
import pytest
import torch
from conftest import Kept

from kinesphere import checkpoints, engine, patch
from kinesphere.latent import seeds_to_z
from kinesphere.ops import to_pixels
from kinesphere.sources import Video
from kinesphere.train import understanding
from kinesphere.train.judge import load_judge

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = resources.files("kinesphere.builtin")
CARD = json.loads((FILES / "portraits.json").read_text())


@pytest.fixture(scope="module")
def G():
    return checkpoints.load("portraits").G_ema


@pytest.fixture(scope="module")
def judge():
    return load_judge()


def test_it_is_small_and_has_its_discriminator():
    assert len((FILES / "portraits.safetensors").read_bytes()) <= 16 * 2**20
    checkpoint = checkpoints.load("portraits")
    assert checkpoint.D is not None
    assert checkpoint.card.img_resolution == checkpoint.D.img_resolution == CARD["model"]["img_resolution"]


def test_the_card_says_how_it_was_made():
    for stage in CARD["stages"]:
        assert stage["command"].startswith("kinesphere train ")
        assert stage["kimg"] > 0 and stage["hours"] > 0
    assert CARD["licence"] == "Apache-2.0"
    assert (FILES / "portraits.md").is_file() and (FILES / "portraits.png").is_file()


@pytest.mark.parametrize("psi", [0.7, 1])
def test_as_many_faces_are_whole_as_the_card_says(G, judge, psi):
    """Four standard errors of 300 pictures beside the card's share of 2,000."""
    said = CARD["faces"][f"psi {psi}"]["whole"]
    found = understanding.measure(G, judge, 300, psi=psi, seed=50_000).whole.mean()
    assert abs(found - said) < 4 * np.sqrt(max(said * (1 - said), 0.01) / 300)


@pytest.mark.parametrize("name", ["turn", "hair_tone"])
def test_w_knows_what_the_card_says_it_knows(G, judge, name):
    """Fewer pictures make a poorer fit: six tenths of the card's R2 are asked of 600, and far more than chance."""
    found = understanding.meaning(G, judge, (name,), count=600, seed=60_000)[name]
    assert found["R2"] > max(CARD["meaning"][name]["R2"] * 0.6, 0.2 + abs(found["chance"]))


def test_seeds_are_different_people(G):
    with torch.no_grad():
        pictures = to_pixels(G(seeds_to_z(list(range(32)), G.z_dim))).float().flatten(1)
    distances = torch.cdist(pictures, pictures) + torch.eye(32) * 1e9
    typical = torch.cdist(pictures, pictures.mean(0, keepdim=True)).mean()
    assert distances.min() > 0.25 * typical


@pytest.mark.parametrize("name", ["scene", "regions"])
def test_it_follows_the_clip(name):
    """Where the clip moves, the picture does; where it is held, the picture comes to rest."""
    played = patch.load(name)
    assert played.model == "portraits"
    clip = Video(str(FILES / "clip.mp4"))
    played.sources = {source: clip for source in played.sources}
    played.sinks = {"kept": (kept := Kept())}
    engine.render(engine.Engine(played, checkpoints.load("portraits")), 60, Fraction(10))
    frames = np.stack([frame for _, frame in kept.all[20:]]).astype(np.float32)
    steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
    spread = np.abs(frames - frames.mean(0)).mean()
    assert spread > 6  # of 255: over six seconds the picture goes places
    assert np.median(steps) < spread  # and goes there in steps, not in leaps
