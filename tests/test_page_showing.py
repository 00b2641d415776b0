"""Showing in a real browser: somebody takes poses, gives them looks, and then moves."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
from browsing import OUTSIDE, needs_browser, panel, shown, sight, until, until_it_moves
from conftest import stir

from kinesphere import checkpoints, patch, sources
from kinesphere.engine import Engine
from kinesphere.features import Brightness
from kinesphere.performance import Performance
from kinesphere.stage import Library, Session
from kinesphere.types import Signal

pytestmark = [needs_browser, pytest.mark.usefixtures("one_thread")]


@dataclass
class Body:
    """A source whose left half is as light as somebody wants."""

    light: float = 0.2

    def open(self): ...

    def read(self, t):
        picture = np.full((24, 32, 3), 80, np.uint8)
        picture[:, :16] = round(255 * self.light)
        return Signal(picture, t)

    def close(self): ...


@pytest.fixture
def playing(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "body", Body)
    library = Library(tmp_path / "library")
    tiny = copy.deepcopy(tiny_checkpoint)
    checkpoints.save(stirred(tiny), library.folder / "models" / "tiny.safetensors")
    played = patch.Patch(
        name="test",
        sources={"eye": Body()},
        features={"left": Brightness(region=(0, 0, 0.5, 1)), "right": Brightness(region=(0.5, 0, 1, 1))},
        model="tiny.safetensors",
    )
    with Performance(played, engine=Engine(played, tiny), load=library.load) as performance:
        with Session(performance, library) as session:
            yield session


def stirred(checkpoint):
    stir(checkpoint.G_ema, seed=5)
    return checkpoint


def pose(page, session, light):
    session.performance.patch.sources["eye"].light = light
    now = session.ear.now
    until(page, lambda: session.ear.now > now + 0.7)


def teach(page, session, *pairs):
    """Show poses with the looks of seeds, by the buttons of the page."""
    for light, seed in pairs:
        session.change({"latent.seed": seed})
        pose(page, session, light)
        before = len(session.performance.patch.shown.examples)
        page.get_by_role("button", name="Hold this pose for this look").click()
        until(page, lambda before=before: len(session.performance.patch.shown.examples) > before)


def test_poses_get_looks_and_then_the_body_finds_them(visit, playing):
    from playwright.sync_api import expect

    page = visit()
    panel(page, "Looks")
    showing = page.locator("ks-showing")
    expect(showing.get_by_role("checkbox", name="left")).to_be_checked()
    showing.get_by_role("checkbox", name="right").uncheck()
    showing.get_by_role("button", name="Begin showing").click()
    expect(showing).to_contain_text("A pose is: left")
    play = showing.get_by_role("button", name="Let poses play")
    expect(play).to_be_disabled()
    teach(page, playing, (0.2, 3), (0.8, 4))
    poses = showing.get_by_role("list", name="Poses that were shown").get_by_role("listitem")
    expect(poses).to_have_count(3)  # and the safe look
    expect(poses.nth(1).get_by_role("img", name="Pose 2, 100 percent")).to_be_visible()
    expect(showing.get_by_role("meter")).to_have_attribute("aria-valuenow", "100")

    play.click()
    expect(showing.get_by_role("button", name="Poses play: stop")).to_be_visible()
    seen = []
    for light, name in ((0.2, "Pose 1"), (0.8, "Pose 2")):
        playing.performance.patch.sources["eye"].light = light
        expect(showing.get_by_role("img", name=f"{name}, 100 percent")).to_be_visible()
        until(page, lambda name=name: playing.performance.numbers[f"shown.weights.{name}"] > 0.9999)
        page.wait_for_timeout(500)
        seen.append(sight(page))
    assert seen[0] != seen[1]
    playing.performance.patch.sources["eye"].light = 0.5
    until_it_moves(page, seen[1])
    expect(showing.get_by_role("meter")).to_have_attribute("aria-valuetext", "Sure")
    page.reload()
    panel(page, "Looks")
    expect(showing.get_by_role("button", name="Poses play: stop")).to_be_visible()


def test_a_pose_far_from_all_is_said_to_be_unsure_and_the_hand_takes_over(visit, playing):
    from playwright.sync_api import expect

    page = visit()
    panel(page, "Looks")
    showing = page.locator("ks-showing")
    showing.get_by_role("button", name="Begin showing").click()
    teach(page, playing, (0.1, 3), (0.2, 4))
    showing.get_by_role("button", name="Let poses play").click()
    playing.performance.patch.sources["eye"].light = 1.0
    expect(showing.get_by_role("meter")).to_have_attribute("aria-valuetext", "Lost: the safe look")
    expect(showing.get_by_role("img", name="At rest, 100 percent")).to_be_visible()
    page.locator("ks-look").first.get_by_role("button").first.click()  # a kept look, by hand
    expect(showing.get_by_role("button", name="Let poses play")).to_be_visible()


def test_by_keys_alone_a_pose_is_held_in_three_seconds_forgotten_and_all_is_begun_anew(visit, playing):
    from playwright.sync_api import expect

    playing.snapshot("one")
    page = visit()
    panel(page, "Looks")
    showing = page.locator("ks-showing")
    begin = showing.get_by_role("button", name="Begin showing")
    begin.focus()
    page.keyboard.press("Enter")
    chosen = showing.get_by_role("radio", name="one")
    showing.get_by_role("radio", name="as it is").focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_be_checked()
    when = showing.get_by_role("combobox", name="When the pose is held")
    when.select_option("3")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(showing.get_by_role("status")).to_contain_text("hold still")
    page.keyboard.press("Enter")  # not now
    expect(showing.get_by_role("status")).not_to_contain_text("hold still")
    page.keyboard.press("Enter")
    until(page, lambda: len(playing.performance.patch.shown.examples) == 1)
    away = showing.get_by_role("button", name="Forget pose 1")
    away.focus()
    page.keyboard.press("Enter")
    until(page, lambda: not playing.performance.patch.shown.examples)
    showing.get_by_role("button", name="Forget all").click()
    expect(begin).to_be_visible()


@pytest.mark.parametrize("phone", [False, True])
def test_nothing_of_it_lies_outside_of_the_window(visit, playing, phone):
    page = visit(phone=phone)
    panel(page, "Looks")
    page.locator("ks-showing").get_by_role("button", name="Begin showing").click()
    teach(page, playing, *((0.15 * i, i) for i in range(1, 6)))
    shown(page)
    page.locator("ks-showing").scroll_into_view_if_needed()
    assert page.evaluate(OUTSIDE) == []
