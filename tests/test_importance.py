"""Which rows carry an edit, on a picture whose rows' parts are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from planted import Linear, planted
from torch.testing import assert_close

from kinesphere.models import Generator
from kinesphere.studio.directions import Axis, Direction
from kinesphere.studio.directions.importance import effect, importance, rows_alone, shift
from kinesphere.studio.perceptual import distance
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
STRENGTHS = [0.05, 0.4, 0.3, 0.2, 0.05]


@pytest.fixture(scope="module")
def G() -> Generator:
    return planted(Linear(STRENGTHS), [0.02] * 10)  # so small that pictures stay within -1 to 1


@pytest.fixture(scope="module")
def way(G: Generator) -> Direction:
    return Direction(torch.linspace(-1, 2, 10), "w", "way", sigma=0.02)


def test_rows_do_as_much_as_was_planted(G: Generator, way: Direction) -> None:
    found = importance(G, way)
    assert_close(found.shares, torch.tensor(STRENGTHS), atol=1e-4, rtol=0)
    assert found.alone.sum() == pytest.approx(found.together, rel=1e-3)  # as the picture is linear


def test_the_fewest_neighbouring_rows_that_carry_it_are_told(G: Generator, way: Direction) -> None:
    found = importance(G, way)
    assert found.carrying == "1-3" and found.carried / found.together == pytest.approx(0.9, abs=1e-3)
    assert found.words == "rows 1-3 carry it: moved alone they do 90 % of what all rows do"
    assert importance(G, way, share=0.3).carrying == "1"
    assert importance(G, way, share=1.0).carrying == "0-4"


def test_rows_are_counted_from_the_first_of_the_model(G: Generator, way: Direction) -> None:
    found = importance(G, Direction(way.vector, "w", "way", "2-4", 0.02))
    assert found.first == 2 and found.carrying == "2-3"
    assert_close(found.shares, torch.tensor([0.3, 0.2, 0.05]) / 0.55, atol=1e-4, rtol=0)


def test_a_row_that_a_direction_leaves_alone_carries_nothing(G: Generator, way: Direction) -> None:
    vector = way.vector.repeat(5, 1)
    vector[[0, 3]] = 0
    shares = importance(G, Direction(vector, "w+", "way", sigma=0.02)).shares
    assert shares[0] == shares[3] == 0 and shares[1] > shares[2] > 0


def test_a_number_of_the_picture_can_be_what_counts() -> None:
    G = tiny_generator("stylegan2").requires_grad_(False)
    way = Direction(torch.linspace(-1, 2, 12), "w", "way", sigma=0.5)

    def brightness(pictures: np.ndarray) -> np.ndarray:
        assert pictures.dtype == np.uint8 and pictures.shape[1:] == (32, 32, 3)
        return pictures.mean((1, 2, 3))

    found = importance(G, way, brightness, range(4))
    axis, ws = Axis.of(G, way), seeds_to_ws(G, range(4))
    assert found.together == pytest.approx(abs(shift(G, axis, ws, brightness)))
    low, high = ((G.synthesis(axis.moved(ws, far)).clamp(-1, 1).mean((1, 2, 3)) + 1) * 127.5 for far in (-2.0, 2.0))
    assert shift(G, axis, ws, brightness) == pytest.approx(float((high - low).mean()) / 4, abs=0.1)


def test_an_effect_is_the_distance_between_both_ends_for_each_deviation(G: Generator, way: Direction) -> None:
    ws = seeds_to_ws(G, range(3))
    ends = (G.synthesis(ws + far * 0.02 * way.unit) for far in (-2, 2))
    assert effect(G, Axis.of(G, way), ws) == pytest.approx(float(distance(*ends).mean()) / 4, rel=1e-4)


def test_a_direction_of_styles_has_an_effect_too() -> None:
    G = tiny_generator("stylegan2").requires_grad_(False)
    styles = sum(len(layer.affine.bias) for layer in G.layers().values())
    way = Direction(torch.ones(styles), "s", "way", sigma=2.0)
    assert effect(G, Axis.of(G, way), seeds_to_ws(G, [1, 2])) > 0
    with pytest.raises(KinesphereError, match="a direction of S has no rows of W"):
        importance(G, way)


def test_the_lines_of_a_sheet_are_all_rows_those_that_carry_it_and_each(G: Generator, way: Direction) -> None:
    lines = rows_alone(way, importance(G, way))
    assert [(one.name, one.rows) for one in lines] == [
        ("way, all", "all"), ("rows 1-3", "1-3"), ("row 0: 5 %", "0"), ("row 1: 40 %", "1"), ("row 2: 30 %", "2"),
        ("row 3: 20 %", "3"), ("row 4: 5 %", "4"),
    ]  # fmt: skip


def test_a_share_is_a_part_of_the_whole(G: Generator, way: Direction) -> None:
    for share in (0.0, 1.1, float("nan")):
        with pytest.raises(KinesphereError, match="above 0 and up to 1"):
            importance(G, way, share=share)
