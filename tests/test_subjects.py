"""What is to be edited can be a seed, a kept latent, a picture that kinesphere made, or any other picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image

from kinesphere.models import Generator
from kinesphere.studio import efforts, recipes
from kinesphere.studio.batch import as_goal
from kinesphere.studio.latents import Fingerprint, Latent, draw
from kinesphere.studio.projection import Plan
from kinesphere.studio.recipes import Order
from kinesphere.studio.sheets import Drawing
from kinesphere.studio.subjects import Subject
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


@pytest.fixture(scope="module")
def told(G: Generator) -> Fingerprint:
    return Fingerprint.of(G)


def made(G: Generator, order: Order, folder: Path, cutoff: int | None = None, noise_mode: str = "const") -> Path:
    [recipe] = order.recipes(G, "tiny.pkl", 0, noise_mode, cutoff, slice(0, 4))
    return recipes.save(recipe.draw(G), folder / "made.png", recipe)


def test_a_number_is_a_seed_with_its_truncation(G: Generator, told: Fingerprint) -> None:
    place = Subject("3", psi=0.5).latent(G, told)
    assert torch.equal(place.data, Latent.of_seed(G, 3, 0.5).data) and place.origin == {"seed": 3}
    assert Subject("3").model is None and Subject("3").noise == {}


def test_a_seed_can_be_had_in_z(G: Generator, told: Fingerprint) -> None:
    place = Subject("3", psi=0.5).latent(G, told, in_z=True)
    assert place.space == "z" and place.origin == {"seed": 3}
    assert torch.equal(draw(G, place), draw(G, Latent.of_seed(G, 3, 0.5)))


def test_a_kept_latent_is_taken_whole(G: Generator, told: Fingerprint, tmp_path: Path) -> None:
    kept = replace(Latent.of_seed(G, 3), noise={"b4.conv1": torch.ones(4, 4)})
    place = Subject(str(kept.save(tmp_path / "me.safetensors"))).latent(G, told)
    assert torch.equal(place.data, kept.data) and torch.equal(place.noise["b4.conv1"], torch.ones(4, 4))


@pytest.mark.parametrize("cutoff", [None, 3])
def test_a_picture_of_a_seed_is_that_seed_as_it_was_drawn(
    G: Generator, told: Fingerprint, tmp_path: Path, cutoff: int | None
) -> None:
    path = made(G, Order([5], 0.6), tmp_path, cutoff, "none")
    shown = Subject(str(path), psi=-9)
    assert shown.model == "tiny.pkl" and shown.noise == {"noise_mode": "none", "noise_seed": 0}
    again = Drawing(G, noise_mode="none").picture(shown.latent(G, told))
    assert np.array_equal(again, np.asarray(Image.open(path)))


def test_a_picture_of_a_latent_is_that_latent(G: Generator, told: Fingerprint, tmp_path: Path) -> None:
    kept = Latent(torch.randn(G.num_ws, G.w_dim), "w+", model=told)
    kept.save(tmp_path / "me.safetensors")
    path = made(G, Order([0], 1.0, place=tmp_path / "me.safetensors"), tmp_path)
    assert torch.equal(Subject(str(path)).latent(G, told).data, kept.data)


def test_any_other_picture_is_projected_first(
    G: Generator, told: Fingerprint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(efforts.EFFORTS, "quick", Plan(steps=5, search=False))
    goal = Drawing(G).picture(Latent.of_seed(G, 3, 0.5))
    Image.fromarray(goal).save(tmp_path / "other.png")
    steps: list[tuple[int, int]] = []
    place = Subject(str(tmp_path / "other.png")).latent(G, told, on_step=lambda done, of: steps.append((done, of)))
    assert steps[-1][0] == steps[-1][1] > 0
    known = efforts.begun(G, as_goal(goal, G), "quick")
    for _ in known:
        pass
    assert torch.equal(place.data, known.latents()[0].data)


def test_what_cannot_be_edited_is_said(G: Generator, told: Fingerprint, tmp_path: Path) -> None:
    with pytest.raises(KinesphereError, match="there is no file 'me.jpg': give a seed, a picture, or a latent"):
        Subject("me.jpg").latent(G, told)
    sheet = made(G, Order([3, 4], 0.7, psi_grid=2), tmp_path)
    with pytest.raises(KinesphereError, match="made.png: it shows several pictures"):
        Subject(str(sheet)).latent(G, told)
    (tmp_path / "torn.png").write_bytes(sheet.read_bytes()[:40])
    with pytest.raises(KinesphereError, match="torn.png: "):
        Subject(str(tmp_path / "torn.png")).latent(G, told)
    with pytest.raises(KinesphereError, match="no effort 'endless': there are quick"):
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "black.png")
        Subject(str(tmp_path / "black.png"), effort="endless").latent(G, told)


def test_a_picture_or_a_latent_of_another_model_is_refused(G: Generator, tmp_path: Path) -> None:
    path = made(G, Order([3], 0.7), tmp_path)
    kept = Latent.of_seed(G, 3).save(tmp_path / "me.safetensors")
    other = tiny_generator("stylegan1").requires_grad_(False)
    with pytest.raises(KinesphereError, match="made.png: this picture was made with another model"):
        Subject(str(path)).latent(other, Fingerprint.of(other))
    with pytest.raises(KinesphereError, match="me.safetensors: .*another model"):
        Subject(str(kept)).latent(other, Fingerprint.of(other))
