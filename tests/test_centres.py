"""Centres are found where they are, tell how frequent they are, and can be used again; psi 0 is the nearest of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from torch.testing import assert_close

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio import centres, recipes
from kinesphere.studio.centres import Centres
from kinesphere.studio.latents import draw
from kinesphere.studio.recipes import Order, Recipe
from kinesphere.studio.sheets import Drawing, seeds_to_ws
from kinesphere.types import KinesphereError


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


@pytest.fixture(scope="module")
def found(G: Generator) -> Centres:
    return Centres.of(G, k=4, count=600)


def test_centres_come_with_their_shares_the_most_frequent_first(G: Generator, found: Centres) -> None:
    assert found.w.shape == (4, G.w_dim)
    assert_close(found.shares.sum(), torch.tensor(1.0))
    assert (found.shares.diff() <= 0).all()
    w = latent.sample_w(lambda z: G.mapping(z), G.z_dim, 600)
    assert_close(found.shares, torch.bincount(latent.nearest(w, found.w, found.stats), minlength=4) / 600)


def test_a_seed_gives_the_same_centres_each_time(G: Generator, found: Centres) -> None:
    assert torch.equal(Centres.of(G, k=4, count=600).w, found.w)
    assert not torch.equal(Centres.of(G, k=4, count=600, seed=1).w, found.w)


def test_psi_zero_is_the_nearest_centre_and_psi_one_changes_nothing(G: Generator, found: Centres) -> None:
    seeds = range(8)
    ws = seeds_to_ws(G, seeds)
    which = latent.nearest(ws[:, 0], found.w, found.stats)
    for seed, w, centre in zip(seeds, ws[:, 0], which.tolist(), strict=True):
        assert torch.equal(found.towards(G, seed, psi=1).data, w)
        home = found.towards(G, seed, psi=0)
        assert torch.equal(home.data, found.w[centre]) and home.origin == {"seed": seed, "centre": centre, "psi": 0}
        assert_close(found.towards(G, seed, psi=0.5).data, (w + found.w[centre]) / 2)
    assert len(which.unique()) > 1


def test_rows_from_the_cutoff_on_are_not_truncated(G: Generator, found: Centres) -> None:
    rows = found.towards(G, 3, psi=0, cutoff=4).data
    assert torch.equal(rows[4:], seeds_to_ws(G, [3])[0, 4:]) and torch.equal(
        rows[:4], found.towards(G, 3, 0).ws(G)[0, :4]
    )


def test_a_recipe_holds_what_was_truncated(G: Generator, found: Centres) -> None:
    wanted = Order([1, 2], psi=0.5).recipes(G, "tiny", 0, "const", None, slice(None))
    for seed, recipe in zip((1, 2), recipes.towards(found, G, wanted), strict=True):
        again = Recipe.from_json(recipe.to_json())
        assert np.array_equal(again.draw(G), to_pixels(draw(G, found.towards(G, seed, 0.5)))[0].numpy())
    sheet = Order([1, 2], psi=0.5, psi_grid=5).recipes(G, "tiny", 0, "const", None, slice(None))
    with pytest.raises(KinesphereError, match="leave out --psi-grid"):
        recipes.towards(found, G, sheet)
    with pytest.raises(KinesphereError, match="centres of class 0: say --class 0"):
        recipes.towards(found, G, [replace(recipe, class_index=1) for recipe in wanted])


def test_centres_can_be_kept(G: Generator, found: Centres, tmp_path: Path) -> None:
    again = Centres.load(found.save(tmp_path / "centres.safetensors"), G)
    ws = seeds_to_ws(G, range(8))
    assert torch.equal(again(ws), found(ws)) and torch.equal(again.shares, found.shares)


def test_centres_of_another_model_are_refused(G: Generator, found: Centres, tmp_path: Path) -> None:
    other = tiny_generator("stylegan2")
    with torch.no_grad():
        other.mapping.fc0.weight.add_(1)
    with pytest.raises(KinesphereError, match="of another model"):
        Centres.load(found.save(tmp_path / "centres.safetensors"), other)


def test_what_holds_no_centres_is_refused_in_words(G: Generator, found: Centres, tmp_path: Path) -> None:
    whole = found.save(tmp_path / "centres.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:1000])
    (tmp_path / "text.safetensors").write_text("no centres")
    for name, says in {"cut": "holds no centres", "text": "holds no centres", "nowhere": "cannot be read"}.items():
        with pytest.raises(KinesphereError, match=says):
            Centres.load(tmp_path / f"{name}.safetensors", G)


def test_the_sheet_shows_every_centre(G: Generator, found: Centres) -> None:
    told: list[int] = []
    sheet = centres.sheet(Drawing(G, on_picture=lambda done, of: told.append(done)), found.w, found.shares.tolist())
    assert told == [1, 2, 3, 4]
    assert sheet.shape[0] > sheet.shape[1] > 2 * G.img_resolution  # two by two, with a line below each


def test_a_class_has_its_own_centres() -> None:
    G = tiny_generator("stylegan2", c_dim=3).requires_grad_(False)
    one, other = (Centres.of(G, k=2, count=300, class_index=i) for i in (0, 2))
    assert not torch.allclose(one.w, other.w)
    with pytest.raises(KinesphereError, match="no class 3"):
        Centres.of(G, k=2, count=300, class_index=3)
