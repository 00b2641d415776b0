"""A film is told how it was made, and is made again from that alone, bit for bit."""

import json
import os
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Kept, stir, tiny_generator

from kinesphere.studio import recipes, sidecars
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.plans import Plan
from kinesphere.studio.sidecars import Sidecar
from kinesphere.types import KinesphereError

NTSC = Fraction(30000, 1001)


def frames_of(G, plan):
    plan.film(G).into(kept := Kept())
    return [frame for _, frame in kept.all]


@pytest.fixture
def me(tiny, tmp_path):
    place = Latent(torch.randn(8, 12), "w+", noise={"b32.conv1": torch.randn(32, 32)}, model=Fingerprint.of(tiny))
    return place.save(tmp_path / "me.safetensors")


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"times": "0, 0.3, 0.7", "loop": False, "easing": "smoothstep, linear", "kind": "linear", "cutoff": 3},
        {"even": 0.5, "fps": NTSC, "size": 48},
        {"grid": "2x1", "psi": 0.3, "noise_mode": "random"},
    ],
    ids=["plain", "times", "even", "grid"],
)
def test_it_is_made_again_when_the_files_that_it_passed_are_gone(tiny, me, how):
    plan = Plan(f"3, {me}, 5", **{"seconds": None if "times" in how else 0.7, "fps": Fraction(10), **how})
    frames = frames_of(tiny, plan)
    told = Sidecar.from_json(Sidecar("tiny", Fingerprint.of(tiny), plan).to_json())
    me.unlink()
    again = frames_of(tiny_generator("stylegan2"), told.plan)
    assert len(frames) == len(again) > 3
    assert all(np.array_equal(a, b) for a, b in zip(frames, again, strict=True))


def test_a_drift_is_made_again_too(tiny):
    plan = Plan("7", seconds=0.5, drift=True, fps=Fraction(12))
    again = Sidecar.from_json(Sidecar("tiny", Fingerprint.of(tiny), plan).to_json()).plan
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(tiny, plan), frames_of(tiny, again), strict=True))


def test_it_lies_beside_the_film_and_says_no_path(tiny, me, tmp_path):
    film = tmp_path / "walk.mp4"
    with sidecars.beside(film, sidecars.of(Plan(f"3, {me}"), "folder/tiny.safetensors", tiny)):
        film.write_bytes(b"film")
    assert sidecars.path(film).name == "walk.mp4.json"
    said = sidecars.path(film).read_text()
    assert str(tmp_path) not in said and "folder" not in said and "me.safetensors" in said
    assert sidecars.read(film).model == sidecars.read(sidecars.path(film)).model == "tiny.safetensors"


def test_a_film_that_was_broken_off_is_told_too_and_one_that_was_not_begun_is_not(tiny, tmp_path):
    film = tmp_path / "walk.mp4"
    with pytest.raises(KeyboardInterrupt), sidecars.beside(film, sidecars.of(Plan("1-3"), "tiny", tiny)):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt), sidecars.beside(film, sidecars.of(Plan("1-3"), "tiny", tiny)):
        film.write_bytes(b"half a film")
        raise KeyboardInterrupt
    assert sidecars.read(film).plan.places == [1, 2, 3]


def test_what_is_said_of_a_film_stays_while_the_film_does(tiny, tmp_path):
    frames = tmp_path / "walk"
    frames.mkdir()
    with sidecars.beside(frames, sidecars.of(Plan("1-3"), "tiny", tiny)):
        (frames / "frame000000.png").write_bytes(b"first")
    with pytest.raises(KinesphereError), sidecars.beside(frames, sidecars.of(Plan("4-6"), "tiny", tiny)):
        raise KinesphereError("the disk is full")
    assert sidecars.read(frames).plan.places == [1, 2, 3]
    os.utime(frames / "frame000000.png", ns=(0, 0))
    with sidecars.beside(frames, sidecars.of(Plan("7-9"), "tiny", tiny)):
        (frames / "frame000000.png").write_bytes(b"other")
    assert sidecars.read(frames).plan.places == [7, 8, 9]


def test_a_preview_holds_it_too(tiny, tmp_path):
    told = sidecars.of(Plan("1-3", seconds=2), "tiny", tiny)
    preview = recipes.save(np.zeros((8, 8, 3), np.uint8), tmp_path / "walk.preview.png", told)
    assert sidecars.read(preview).to_json() == told.to_json()
    with pytest.raises(KinesphereError, match="walk.preview.png: it is of a film: kinesphere walk --recipe"):
        recipes.read(preview)
    with pytest.raises(KinesphereError, match="seed.png: its recipe is damaged"):
        recipes.save(
            np.zeros((8, 8, 3), np.uint8), tmp_path / "seed.png", recipes.Recipe("tiny", Fingerprint(), "seed", {})
        )
        sidecars.read(tmp_path / "seed.png")


def test_another_model_is_refused(tiny):
    told = Sidecar("tiny", Fingerprint.of(tiny), Plan("1-3"))
    told.check(tiny_generator("stylegan2"))
    with pytest.raises(KinesphereError, match=r"another model \(tiny\): say which with --model"):
        told.check(stir(tiny_generator("stylegan2"), 5))


def test_what_says_no_film_is_refused_by_name(tiny, tmp_path):
    with pytest.raises(KinesphereError, match="walk.mp4.json, which says how a film was made, cannot be read: No such"):
        sidecars.read(tmp_path / "walk.mp4")
    said = json.loads(Sidecar("tiny", Fingerprint.of(tiny), Plan("1-3")).to_json())
    for wrong in (
        {"keys": []},
        {"keys": ["os.system", 1]},
        {"keys": [{"name": "me", "held": "?"}, 1]},
        {"fps": "fast"},
        {"fps": "1/0"},
        {"seconds": "long"},
        {"grid": 3},
        {"loop": 1.5},
        {"model": {}},
    ):
        (tmp_path / "a.mp4.json").write_text(json.dumps(said | wrong))
        with pytest.raises(KinesphereError, match="a.mp4.json: its recipe is damaged"):
            sidecars.read(tmp_path / "a.mp4")
    (tmp_path / "a.mp4.json").write_text("[" * 100_000)
    with pytest.raises(KinesphereError, match="damaged"):
        sidecars.read(tmp_path / "a.mp4")
