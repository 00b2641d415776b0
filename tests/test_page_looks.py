"""Looks in the page: the cue list of an evening, and the way back to a moment ago."""

import pytest
from browsing import drag, middle, needs_browser, panel, said, sight, until, until_it_moves

from kinesphere.looks import look


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def looks(playing):
    """Three looks that were kept, by name: their seeds are 1, 2 and 3."""
    kept = {}
    for seed, name in enumerate(("one", "two", "three"), 1):
        playing.change({"latent.seed": seed})
        kept[name] = playing.snapshot(name)["id"]
    return kept


def named(playing):
    names = {snapshot.id: snapshot.name for snapshot in playing.snapshots.all()}
    return [names[cue["id"]] for cue in playing.cues.list]


def seed(playing):
    return playing.performance.patch.latent.seed


def cue(playing, looks, *names, seconds=0.0):
    playing.set_cues([{"id": looks[name], "seconds": seconds, "easing": "linear", "note": ""} for name in names])


@needs_browser
def test_a_cue_list_is_made_by_hand_and_kept(visit, playing, looks):
    page = visit()
    panel(page, "Looks")
    for name in ("two", "one", "three"):
        adding = "or press to choose one" if name == "two" else "Add a look"
        page.get_by_role("button", name=adding).click()
        page.get_by_role("dialog", name="Which look comes next?").get_by_role("button", name=name).click()
        until(page, lambda: named(playing)[-1:] == [name])  # noqa: B023
    assert named(playing) == ["two", "one", "three"]

    page.get_by_label("Seconds to get to one").fill("4,5")
    page.get_by_label("Seconds to get to one").press("Enter")
    until(page, lambda: playing.cues.list[1]["seconds"] == 4.5)
    page.get_by_label("Note for cue 2").fill("when she turns")
    page.get_by_label("Note for cue 2").press("Enter")
    until(page, lambda: playing.cues.list[1]["note"] == "when she turns")
    page.get_by_label("Pace to one").select_option("linear")
    until(page, lambda: playing.cues.list[1]["easing"] == "linear")

    page.get_by_role("button", name="Take cue 3, three, off the list").click()
    until(page, lambda: named(playing) == ["two", "one"])
    page.reload()
    panel(page, "Looks")
    said(page.get_by_label("Cue list").locator("li").nth(1), "one")
    assert page.get_by_label("Note for cue 2").input_value() == "when she turns"


@needs_browser
def test_cues_change_their_order_by_the_arrow_keys_and_by_dragging(visit, playing, looks):
    cue(playing, looks, "one", "two", "three")
    page = visit()
    panel(page, "Looks")
    page.get_by_role("button", name="1: one. Arrow up and down move it.").press("ArrowDown")
    until(page, lambda: named(playing) == ["two", "one", "three"])
    page.get_by_role("button", name="2: one. Arrow up and down move it.").press("ArrowDown")  # it has kept the focus
    until(page, lambda: named(playing) == ["two", "three", "one"])
    grip = page.get_by_role("button", name="3: one. Arrow up and down move it.")
    grip.scroll_into_view_if_needed()
    drag(page, middle(grip), middle(page.get_by_label("Cue list").locator("li").first.locator(".name")))
    until(page, lambda: named(playing) == ["one", "two", "three"])


@needs_browser
def test_cues_go_on_and_back_by_buttons_and_keys(visit, playing, looks):
    cue(playing, looks, "one", "two", "three")
    page = visit()
    panel(page, "Looks")
    page.get_by_role("button", name="Next: one").click()
    until(page, lambda: seed(playing) == 1)
    cues = page.get_by_label("Cue list")
    said(cues.locator("li[aria-current=step]"), "one")
    cues.press(" ")
    until(page, lambda: seed(playing) == 2)
    said(cues.locator("li[aria-current=step]"), "two")
    cues.press("Shift+ ")
    until(page, lambda: seed(playing) == 1)
    page.get_by_role("tab", name="Play").click()
    page.locator("ks-front").click()
    page.keyboard.press(" ")  # from anywhere
    until(page, lambda: seed(playing) == 2)
    panel(page, "Looks")
    page.get_by_role("button", name="Go to cue 3, three").click()
    until(page, lambda: seed(playing) == 3)
    said(page.locator("ks-cues .next"), "The end")
    assert page.locator("ks-cues .next").is_disabled()
    page.get_by_role("button", name="Previous cue").click()
    until(page, lambda: seed(playing) == 2)


@needs_browser
def test_a_look_kept_before_the_first_picture_is_a_plain_tile(visit, playing):
    early = playing.snapshots.add(look(playing.performance.patch), "early")
    playing.set_cues([{"id": early, "seconds": 0.0, "easing": "linear", "note": ""}])
    playing.note("looks")
    page = visit()  # it would stumble over a picture that is not there
    panel(page, "Looks")
    tile = page.get_by_role("button", name="Go to early").locator("img")
    assert tile.evaluate("image => image.decode().then(() => image.currentSrc)").startswith("data:")
    playing.forget(early)
    tile.wait_for(state="detached")


@needs_browser
def test_a_cue_with_a_time_takes_the_way_there(visit, playing, looks):
    cue(playing, looks, "one", seconds=0.6)
    page = visit()
    panel(page, "Looks")
    start = sight(page)
    passed = set()
    playing.performance.listeners.append(lambda moment, _: passed.add(repr(moment.patch.latent.mix)))
    page.get_by_role("button", name="Next: one").click()
    until(page, lambda: look(playing.performance.patch) == playing.snapshots.look(looks["one"]))
    until_it_moves(page, start)
    assert len(passed) > 3


@needs_browser
def test_a_moment_ago_comes_back(visit, playing):
    page = visit()
    panel(page, "Looks")
    first, before = sight(page), seed(playing)
    until(page, lambda: len(playing.ring) and playing.performance.clock() > 2)
    page.keyboard.press("d")
    second = until_it_moves(page, first)
    page.keyboard.press("[")
    assert until_it_moves(page, second) == first and seed(playing) == before
    page.keyboard.press("d")
    third = until_it_moves(page, first)
    page.get_by_role("button", name="Back to 60 seconds ago").click()
    assert until_it_moves(page, third) == first
