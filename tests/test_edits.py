"""An edit moves a latent so far along directions, and leaves all else of it as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from planted import planted
from torch import Tensor
from torch.testing import assert_close

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio.directions import Axis, Direction, edits
from kinesphere.studio.directions.edits import Edit, edited
from kinesphere.studio.latents import Fingerprint, Latent, affines, draw, styles
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


def way(G: Generator, space: str = "w", seed: int = 0, **about: object) -> Direction:
    sizes = {"z": (G.z_dim,), "w": (G.w_dim,), "w+": (G.num_ws, G.w_dim)}
    size = sizes.get(space, (sum(len(affine.bias) for affine in affines(G).values()),))
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return Direction(vector, space, "way", sigma=0.8, **about)


def person(G: Generator) -> Latent:
    """A kept latent with all that one can have."""
    noise = {"b32.conv1": torch.linspace(-1, 1, 32 * 32).view(32, 32)}
    tuning = {"b8.conv0.weight": (torch.ones(12, 1), torch.ones(1, 12 * 9) / 20)}
    return replace(Latent.of_seed(G, 3, 0.7), noise=noise, tuning=tuning)


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_an_amount_of_0_makes_the_same_picture_to_the_bit(G: Generator, space: str) -> None:
    place = person(G)
    assert torch.equal(draw(G, edited(G, place, [Edit(way(G, space), 0.0)])), draw(G, place))


def test_rows_that_are_not_moved_stay_as_they_were_to_the_bit(G: Generator) -> None:
    place = person(G)
    ws = edited(G, place, [Edit(way(G, rows="2-3"), 1.5)]).ws(G)[0]
    for row in range(G.num_ws):
        assert torch.equal(ws[row], place.data) == (row not in (2, 3))


def test_amounts_are_standard_deviations_and_add_up(G: Generator) -> None:
    place, one, other = Latent.of_seed(G, 3), way(G), way(G, seed=1)
    moved = edited(G, place, [Edit(one, 2.0), Edit(other, -1.0)])
    assert moved.space == "w"
    assert_close(moved.data, place.data + 0.8 * (2 * one.unit - other.unit))


def test_a_coordinate_can_be_set_wherever_it_was(G: Generator) -> None:
    one = way(G)
    for seed in (1, 2):
        moved = edited(G, Latent.of_seed(G, seed), [Edit(one, 1.5, placed=True)])
        assert_close(Axis.of(G, one).coordinate(moved.ws(G)), torch.tensor([1.5]))


def test_the_noise_and_the_tuning_of_a_kept_latent_stay(G: Generator) -> None:
    place, bare = person(G), Latent.of_seed(G, 3, 0.7)
    moved = edited(G, place, [Edit(way(G), 1.0)])
    assert moved.noise is place.noise and moved.tuning is place.tuning and moved.psi == 0.7
    assert not torch.equal(draw(G, moved), draw(G, edited(G, bare, [Edit(way(G), 1.0)])))


def test_a_direction_of_styles_moves_the_styles_by_its_deviation(G: Generator) -> None:
    one, place = way(G, "s"), Latent.of_seed(G, 3)
    before = torch.cat([value[0] for value in styles(G, place.ws(G)).values()])
    moved = edited(G, place, [Edit(one, 2.0)])
    assert moved.space == "s"
    assert_close(moved.data, before + 2 * 0.8 * one.unit)


def test_directions_of_w_go_before_those_of_styles_whatever_the_order(G: Generator) -> None:
    place, pair = Latent.of_seed(G, 3), [Edit(way(G, "s"), 1.0), Edit(way(G), 1.0)]
    assert torch.equal(edited(G, place, pair).data, edited(G, place, pair[::-1]).data)


def test_a_direction_of_z_moves_a_seed_s_z(G: Generator) -> None:
    z: Tensor = latent.seed_to_z(3, G.z_dim)[0]
    moved = edited(G, Latent(z, "z"), [Edit(way(G, "z"), 2.0)])
    assert_close(moved.data, z + 2 * 0.8 * way(G, "z").unit)
    with pytest.raises(KinesphereError, match="'way' is of Z, and moves seeds; this latent is of W"):
        edited(G, Latent.of_seed(G, 3), [Edit(way(G, "z"), 2.0)])


def test_a_latent_tells_how_it_was_edited(G: Generator) -> None:
    once = edited(G, Latent.of_seed(G, 3), [Edit(way(G), 1.0)])
    twice = Latent.from_bytes(edited(G, once, [Edit(way(G, rows="coarse"), -2.0, placed=True)]).to_bytes())
    assert twice.origin == {
        "seed": 3,
        "edits": [
            {"direction": "way", "amount": 1.0, "rows": "all", "placed": False},
            {"direction": "way", "amount": -2.0, "rows": "coarse", "placed": True},
        ],
    }


def test_the_words_tell_how_far_from_the_mean_it_led() -> None:
    G = planted(tiny_generator("stylegan2", z_dim=4, w_dim=12), [2.0, 1.5, 1.0, 0.5])
    along = [Edit(Direction(G.mapping.factors[0], "w", "first", sigma=2.0), 4.0)]
    before = Latent.of_seed(G, 3, psi=0)
    said = edits.words(G, before, edited(G, before, along), along)
    assert said.startswith("first +4; ") and "(before 0.0" in said
    assert float(said.split("; ")[1].split()[0]) == pytest.approx(
        4 / 4**0.5, abs=0.05
    )  # of four dimensions, one is at 4


@pytest.mark.parametrize(
    "text, asked",
    [("smile=2", ("smile", 2.0)), ("a=b.npy#x=-1.5", ("a=b.npy#x", -1.5)), ("pc1=+6", ("pc1", 6.0))],
)
def test_what_is_typed_is_read(text: str, asked: tuple[str, float]) -> None:
    assert edits.asked(text) == asked


@pytest.mark.parametrize(
    "text, said",
    [
        ("smile", "smile: say how far, in standard deviations, as in smile=2"),
        ("=2", "say how far"),
        ("smile=much", "'much' is not how far: write NAME=AMOUNT"),
        ("smile=7", "beyond 6 standard deviations is off the model's map; say --free"),
        ("smile=nan", "off the model's map"),
    ],
)
def test_what_is_typed_wrongly_is_said(text: str, said: str) -> None:
    with pytest.raises(KinesphereError, match=said):
        edits.asked(text)


def test_off_the_map_there_is_an_end_too(G: Generator) -> None:
    assert edits.asked("smile=20", free=True) == ("smile", 20.0)
    for amount in (61, np.inf, np.nan):
        with pytest.raises(KinesphereError, match="give -60 to 60"):
            Edit(way(G), amount)


def test_along_z_a_coordinate_can_be_set_too(G: Generator) -> None:
    z, one = latent.seed_to_z(3, G.z_dim)[0], way(G, "z")
    moved = edited(G, Latent(z, "z"), [Edit(one, 1.5, placed=True)])
    assert float(moved.data @ one.unit) / 0.8 == pytest.approx(1.5, abs=1e-5)
    assert_close(moved.data - (moved.data @ one.unit) * one.unit, z - (z @ one.unit) * one.unit)


def test_along_directions_of_styles_no_coordinate_can_be_set(G: Generator) -> None:
    with pytest.raises(KinesphereError, match="'way' is of S: .* can be added to them, not set"):
        Edit(way(G, "s"), 1.0, placed=True)


def test_a_latent_or_a_direction_of_another_model_is_refused(G: Generator) -> None:
    other = Fingerprint("other", "other")
    with pytest.raises(KinesphereError, match="latent is of another model"):
        edited(G, replace(Latent.of_seed(G, 3), model=other), [Edit(way(G), 1.0)])
    with pytest.raises(KinesphereError, match="'way' was found in another model"):
        edited(G, Latent.of_seed(G, 3), [Edit(replace(way(G), model=other), 1.0)])


def test_directions_are_found_by_name_with_the_rows_that_were_asked_for(G: Generator) -> None:
    told = Fingerprint.of(G)
    first, second = edits.found(G, [("pc2", 1.0), ("sefa1", -1.0)], "2-3", True, told)
    assert (first.direction.name, first.direction.rows, first.amount, first.placed) == ("pc2", "2-3", 1.0, True)
    assert second.direction.rows == "2-3"
    assert edits.found(G, [("pc2", 1.0)], "", False, told)[0].direction.rows == "all"
