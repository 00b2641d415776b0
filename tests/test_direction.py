"""A direction is a value that says what is wrong with it before anybody moves along it."""

import pytest
import torch

from kinesphere.studio.directions import Direction, cosine
from kinesphere.types import KinesphereError


def test_turned_round_it_leads_the_other_way_and_its_examples_change_ends():
    one = Direction(torch.tensor([3.0, 4.0]), "w", "smile", sigma=2.0, examples={"low": [1], "high": [2]})
    other = one.turned()
    assert cosine(one, other) == pytest.approx(-1)
    assert (other.examples, other.sigma, other.name) == ({"low": [2], "high": [1]}, 2.0, "smile")


def test_unit_and_cosine_do_not_depend_on_length():
    a, b = Direction(torch.tensor([3.0, 4.0]), "w"), Direction(torch.tensor([400.0, -300.0]), "w")
    torch.testing.assert_close(a.unit, torch.tensor([0.6, 0.8]))
    assert cosine(a, b) == pytest.approx(0, abs=1e-7)
    assert cosine(a, Direction(a.vector * 1e-6, "w")) == pytest.approx(1)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"space": "v"}, "no space 'v': there are z, w, w[+], s"),
        ({"vector": torch.zeros(4)}, "zero everywhere"),
        ({"vector": torch.tensor([1.0, float("nan")])}, "infinite or none"),
        ({"vector": torch.ones(2, 4)}, r"\[2, 4\] is none of W"),
        ({"vector": torch.ones(0)}, r"\[0\] is none of W"),
        ({"space": "w+"}, r"\[4\] is none of W[+]"),
        ({"sigma": 0.0}, "sigma 0.0: give the deviation"),
        ({"sigma": float("inf")}, "sigma inf"),
        ({"rows": "bass"}, "rows 'bass': no such rows: choose coarse"),
    ],
)
def test_what_is_no_direction_is_refused_in_words(fields, words):
    with pytest.raises(KinesphereError, match=words):
        Direction(**{"vector": torch.ones(4), "space": "w", **fields})
