"""A body in a real browser: each number of a hand is picked up by itself, bends are added and turned, and a hand gets lost."""

import copy
import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from browsing import OUTSIDE, drag, middle, needs_browser, panel, said, sight, until, until_it_moves
from conftest import stir

from kinesphere import checkpoints, features, patch, sources
from kinesphere.engine import Engine
from kinesphere.performance import Performance
from kinesphere.routes import Route
from kinesphere.stage import Library, Session
from kinesphere.types import Overlay, Signal

pytestmark = [needs_browser, pytest.mark.usefixtures("one_thread")]


@dataclass
class Dancer:
    """A source with somebody in it, whose hand is where the test wants it; None: out of the picture."""

    def __post_init__(self):
        self.angle = 0.5

    def open(self): ...

    def read(self, t):
        red = 0 if self.angle is None else 1 + round(254 * (self.angle + math.pi) / (2 * math.pi))
        return Signal(np.full((24, 32, 3), (red, 128, 0), np.uint8), t)

    def close(self): ...


@dataclass
class Body:
    """A dozen numbers of which one is an angle, as of a hand."""

    names = ("angle", "x", "y", "distance", "openness", "pinch", "thumb", "index", "ring", "seen")
    ranges: ClassVar[dict[str, tuple[float, float]]] = {"angle": (-math.pi, math.pi), "x": (-1.5, 1.5)}
    circular: ClassVar[frozenset[str]] = frozenset({"angle"})
    vector: ClassVar[bool] = False
    source: str | None = None

    def open(self, checkpoint):
        self.angle = math.nan

    def overlay(self):
        """A line from the middle of the picture to where the hand points, and a ring on its end."""
        if math.isnan(self.angle):
            return Overlay()
        x, y = 0.5 - 0.25 * math.sin(self.angle), 0.5 - 0.25 * math.cos(self.angle)
        return Overlay(lines=((0.5, 0.5, x, y),), circles=((x, y, 0.1),))

    def __call__(self, signal):
        red = float(signal.value[0, 0, 0])
        self.angle = angle = (red - 1) / 254 * 2 * math.pi - math.pi if red else math.nan
        if not red:
            return np.full(len(self.names), np.nan)
        return np.array([angle, *(0.5 for _ in self.names[1:])])


@pytest.fixture
def playing(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "dancer", Dancer)
    monkeypatch.setitem(features.FEATURES, "figure", Body)
    library, tiny = Library(tmp_path / "library"), copy.deepcopy(tiny_checkpoint)
    stir(tiny.G_ema, seed=5)
    checkpoints.save(tiny, library.folder / "models" / "tiny.safetensors")
    played = patch.Patch(name="test", sources={"eye": Dancer()}, features={"hand": Body()}, model="tiny.safetensors")
    with Performance(played, engine=Engine(played, tiny), load=library.load) as performance:
        with Session(performance, library) as session:
            yield session


def test_one_number_of_a_hand_is_dragged_onto_what_it_shall_play(visit, playing):
    page = visit()
    panel(page, "Routes")
    tile = page.locator("ks-feature").filter(has_text="angle").first
    drag(page, middle(tile), middle(page.locator("ks-parameter[data-place='latent.psi'] .names")))
    until(page, lambda: isinstance(playing.performance.patch.latent.psi, Route))
    route = playing.performance.patch.latent.psi
    assert route.feature == "hand.angle" and route.circular == pytest.approx(2 * math.pi)
    assert (route.in_low, route.in_high) == pytest.approx((-math.pi, math.pi))
    card = page.locator("ks-route[data-place='latent.psi']")
    said(card, "moved by hand.angle")
    before = sight(page)
    playing.performance.patch.sources["eye"].angle = -2.0
    until_it_moves(page, before)


def test_a_bend_is_added_turned_by_the_hand_and_removed(visit, playing):
    page = visit()
    page.get_by_label("Add a bend").select_option("warp")
    until(page, lambda: "warp" in playing.performance.patch.bends)
    before = sight(page)
    page.locator("[data-place='bends.warp.rotate'] .track").press("PageUp")
    until_it_moves(page, before)
    panel(page, "Routes")
    tile = page.locator("ks-feature").filter(has_text="angle").first
    tile.get_by_role("button").press("Enter")
    page.locator("ks-choose").get_by_role("button", name="warp, Turn").click()
    until(page, lambda: isinstance(playing.performance.patch.bends["warp"].rotate, Route))
    assert playing.performance.patch.bends["warp"].rotate.feature == "hand.angle"
    panel(page, "Play")
    page.get_by_role("button", name="Remove warp").click()
    until(page, lambda: not playing.performance.patch.bends)


def test_what_happens_when_the_hand_is_lost_is_set_on_the_card(visit, playing):
    playing.change({"latent.psi": {"feature": "hand.x", "in_low": -1.5, "in_high": 1.5, "low": 0.2, "high": 1.2}})
    page = visit()
    panel(page, "Routes")
    card = page.locator("ks-route[data-place='latent.psi']")
    card.locator(".head").click()
    card.get_by_role("button", name="When lost").click()
    card.locator(".editor").get_by_role("switch").click()
    until(page, lambda: playing.performance.patch.latent.psi.otherwise is not None)
    assert playing.performance.patch.latent.psi.otherwise == 0.7  # where psi rests
    playing.performance.patch.sources["eye"].angle = None
    until(page, lambda: abs(playing.performance.numbers["latent.psi"] - 0.7) < 1e-3)
    card.get_by_role("button", name="Let another feature play it then").click()
    page.locator("ks-choose").get_by_role("button", name="hand.y").click()
    until(page, lambda: isinstance(playing.performance.patch.latent.psi.otherwise, Route))
    said(page.locator("ks-route[data-place='latent.psi.otherwise']"), "when lost")


def test_what_is_seen_lies_over_the_input_where_it_is(visit, playing):
    eye = playing.performance.patch.sources["eye"]
    eye.angle = -math.pi / 2  # to the right
    page = visit()
    view = page.locator("ks-picture[view^=source]")
    line, ring = (view.locator(f"[data-feature=hand] {part}") for part in ("path", "ellipse"))
    line.wait_for()
    until(page, lambda: line.get_attribute("d").startswith("M500 500L75"))
    whole, seen = view.bounding_box(), ring.bounding_box()
    assert (seen["x"] + seen["width"] / 2 - whole["x"]) / whole["width"] == pytest.approx(0.75, abs=0.02)
    assert (seen["y"] + seen["height"] / 2 - whole["y"]) / whole["height"] == pytest.approx(0.5, abs=0.02)
    assert seen["width"] == pytest.approx(seen["height"], abs=1.5)
    assert seen["height"] / whole["height"] == pytest.approx(0.2, abs=0.04)
    eye.angle = None
    until(page, lambda: line.count() == ring.count() == 0)


@pytest.mark.parametrize("phone", [False, True])
def test_a_hand_of_many_numbers_fits_on_a_desk_and_on_a_phone(visit, playing, phone):
    playing.change({"bends.turn": {"kind": "warp", "rotate": {"feature": "hand.angle"}}})
    page = visit(phone=phone)
    for name in ("Play", "Routes"):
        panel(page, name)
        page.wait_for_timeout(300)
        assert page.evaluate(OUTSIDE) == []
