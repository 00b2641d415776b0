"""How much is done to find a picture: each effort is a plan, and an encoder's guess is where it begins."""

import pytest
import torch
from conftest import tiny_generator

from kinesphere.studio import efforts, encoder
from kinesphere.studio.charts import Chart
from kinesphere.studio.efforts import EFFORTS
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError


@pytest.fixture
def goal(tiny):
    with torch.no_grad():
        return tiny.synthesis(tiny.mapping(torch.randn(1, tiny.z_dim)))


def test_each_effort_goes_through_its_stages(tiny, goal):
    stages = {name: [stage for stage, _ in efforts.begun(tiny, goal, name).lengths()] for name in EFFORTS}
    assert stages["quick"] == ["search", "w"]
    assert stages["careful"] == ["search", "w", "rows"]
    assert stages["exact"] == ["search", "w", "rows", "noise", "tune 0"]


def test_what_is_faithful_is_the_players(tiny, goal):
    assert efforts.begun(tiny, goal, "careful", 0.25).plan.faithful == 0.25
    assert [stage for stage, _ in efforts.begun(tiny, goal, "careful", 0.0).lengths()] == ["search", "w"]  # all of W
    with pytest.raises(KinesphereError, match="out of range"):
        efforts.begun(tiny, goal, "careful", 2.0)
    with pytest.raises(KinesphereError, match="no effort 'heroic': there are quick, careful, exact"):
        efforts.begun(tiny, goal, "heroic")


@pytest.fixture
def guess(tiny, monkeypatch):
    """The model comes with an encoder, which guesses so."""
    w = tiny.mapping(torch.randn(1, tiny.z_dim))[:, 0].detach()
    own = Encoder.beginning(tiny, Chart.of(tiny)).eval()
    own.head.weight.data.zero_()
    own.head.bias.data.copy_(own.chart.coordinates(w)[0])
    monkeypatch.setattr(encoder, "shipped", lambda told: own if told == Fingerprint.of(tiny) else None)
    return w


def test_quick_begins_at_the_encoders_guess_and_nowhere_else(tiny, goal, guess):
    projection = efforts.begun(tiny, goal, "quick")
    assert [stage for stage, _ in projection.lengths()] == ["w"]
    torch.testing.assert_close(projection.ws()[:, 0], guess, atol=1e-3, rtol=1e-3)


def test_the_others_search_with_the_guess_among_the_beginnings(tiny, goal, guess):
    projection = efforts.begun(tiny, goal, "careful")
    next(iter(projection))
    tried = projection.chart.placed(projection.held["tried"][:, 0])
    assert (tried - guess).norm(dim=1).min() < 0.1 * (tried - guess).norm(dim=1).max()


def test_a_class_that_it_does_not_know_is_searched(monkeypatch):
    G = tiny_generator("stylegan2", c_dim=2)
    own = Encoder.beginning(G, Chart.of(G, 0), 0).eval()
    monkeypatch.setattr(encoder, "shipped", lambda told: own)
    goal = torch.zeros(1, 3, 32, 32)
    stages = [[stage for stage, _ in efforts.begun(G, goal, "quick", class_index=i).lengths()] for i in (0, 1)]
    assert stages == [["w"], ["search", "w"]]
