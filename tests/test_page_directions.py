"""Directions in the page: put on the rack and played, taught by answers, found for this picture, brought as files."""

import io

import numpy as np
import pytest
from browsing import (
    LIGHT,
    OUTSIDE,
    at_rest,
    drag,
    middle,
    needs_browser,
    panel,
    said,
    shown,
    until,
    until_it_moves,
)
from PIL import Image
from test_page_reading import AXE, needs_axe, wrong

from kinesphere.stage import brush

# How light the picture is that is asked about, 0 to 1, as soon as it is there.
LIGHT_OF = """async card => { const picture = card.querySelector("img"); await picture.decode();
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight), pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, i) => i % 4 === 3 ? sum : sum + value, 0) / data.length / 191.25; }"""
DROPPED = """([data, name]) => { const held = new DataTransfer();
  held.items.add(new File([Uint8Array.from(data)], name)); return held; }"""


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


def opened(visit, **how):
    page = visit(**how)
    shown(page)
    panel(page, "Directions")
    return page


def rack(playing):
    return playing.performance.patch.latent.directions


def put(page, name):
    page.get_by_role("button", name=f"Put {name} on the rack", exact=True).first.click()
    slider = page.locator(f"ks-way[data-way='{name}']").get_by_role("slider", name=name)
    slider.wait_for()
    return slider


def taught(page, word, kind="yes or no"):
    page.get_by_role("radio", name=kind, exact=True).click()
    page.get_by_label("The word").fill(word)
    page.get_by_role("button", name="Teach it").click()
    asked = page.locator("ks-deck .card.top")
    asked.wait_for()
    return asked


def lesson(playing):
    return playing.teaching.said()["lesson"]


def light(picture):
    """How light a JPEG is, 0 to 1."""
    return float(np.asarray(Image.open(io.BytesIO(picture))).mean() / 255)


@needs_browser
def test_sixty_answers_by_the_keys_become_a_slider_that_moves_the_picture(visit, playing):
    playing.play(None, None, "portraits", 0.0)
    page = opened(visit)
    until(page, lambda: playing.performance.patch.model == "portraits")
    before = at_rest(page)
    asked, answered = taught(page, "bright"), set()
    dark, bright = np.quantile([light(playing.teaching.picture(seed)) for seed in range(48)], (0.25, 0.75))
    while lesson(playing)["count"] < 60:
        until(page, lambda: asked.get_attribute("data-picture") not in answered)
        answered.add(asked.get_attribute("data-picture"))
        there = asked.evaluate(LIGHT_OF)
        page.keyboard.press("ArrowRight" if there > bright else "ArrowLeft" if there < dark else "ArrowDown")
    until(page, lambda: not lesson(playing)["learning"])
    score = lesson(playing)["score"]["value"]
    assert score > 0.6
    said(page.locator("ks-lesson .score"), f"{score:.2f}")
    page.get_by_role("button", name="Put on the rack").click()
    said(page.locator("ks-lesson"), "“bright” is on the rack")
    page.keyboard.press("Escape")
    slider, canvas = page.get_by_role("slider", name="bright"), shown(page)
    slider.press("End")
    until_it_moves(page, before)
    at_rest(page)
    lightest = canvas.evaluate(LIGHT)
    slider.press("Home")
    until(page, lambda: canvas.evaluate(LIGHT) < lightest - 0.1)
    page.get_by_role("button", name="Go on with bright").wait_for()
    said(page.locator("ks-teach"), "answered")


@needs_browser
def test_an_arrow_leaves_others_alone_leans_and_is_kept(visit, playing):
    playing.play(None, None, "portraits", 0.0)
    page = opened(visit)
    until(page, lambda: playing.performance.patch.model == "portraits")
    taught(page, "light", "1 to 5")
    page.get_by_text("Without looking at each picture").click()
    page.get_by_label("What is measured").select_option("brightness")
    page.get_by_role("button", name="Measure 64 pictures").click()
    page.get_by_role("button", name="Something else").click()
    page.get_by_role("dialog", name="Leave alone").get_by_role("button", name="pc2").first.click()
    until(page, lambda: lesson(playing)["against"] == ["pc2"] and not lesson(playing)["learning"])
    page.get_by_role("slider", name="Only that, or all that goes with it").press("Home")
    until(page, lambda: lesson(playing)["between"] == 0)
    page.get_by_role("button", name="Do not leave pc2 alone any more").click()
    until(page, lambda: lesson(playing)["against"] == [])
    page.locator("ks-lesson").get_by_label("Its name").fill("day")
    page.get_by_role("button", name="Keep", exact=True).last.click()
    said(page.locator("ks-lesson"), "Kept as “day”")
    page.get_by_role("button", name="Close; all answers stay").click()
    page.get_by_role("button", name="Put day on the rack").wait_for()
    assert lesson(playing) is None


@needs_browser
def test_answers_are_taken_back_and_pictures_are_skipped(visit, playing):
    page = opened(visit)
    asked = taught(page, "old", "1 to 5")
    first = asked.get_attribute("data-picture")
    page.keyboard.press("4")
    until(page, lambda: asked.get_attribute("data-picture") != first)
    said(page.locator("ks-lesson .told"), "5: 0")
    page.get_by_role("button", name="Undo the last answer").click()
    until(page, lambda: asked.get_attribute("data-picture") == first)
    page.get_by_role("button", name="Skip").click()
    until(page, lambda: asked.get_attribute("data-picture") != first)
    until(page, lambda: (lesson(playing)["count"], lesson(playing)["skipped"]) == (0, 1))


@needs_browser
def test_two_devices_that_answer_the_same_picture_both_go_on(visit, playing):
    one, other = opened(visit), opened(visit)
    asked = taught(one, "odd")
    again = taught(other, "odd")
    first = asked.get_attribute("data-picture")
    assert again.get_attribute("data-picture") == first
    one.keyboard.press("ArrowRight")
    until(one, lambda: lesson(playing)["count"] == 1)
    other.keyboard.press("ArrowLeft")
    until(other, lambda: again.get_attribute("data-picture") not in (first, None))
    one.keyboard.press("ArrowRight")
    until(one, lambda: lesson(playing)["count"] == 2)
    assert lesson(playing)["balance"] == {"yes": 2, "no": 0}
    assert not other.locator("ks-lesson").get_by_text(first).count()


@needs_browser
def test_answers_are_brought_and_taken_along_as_a_table(visit, playing, tmp_path):
    page = opened(visit)
    taught(page, "bright")
    page.get_by_text("Without looking at each picture").click()
    table = tmp_path / "mine.csv"
    table.write_text("seed,value\n3,1\n4,0\n9,0\n")
    page.get_by_label("A table of answers").set_input_files(table)
    until(page, lambda: lesson(playing)["balance"] == {"yes": 1, "no": 2})
    said(page.locator("ks-lesson"), "The answers of mine.csv are taken.")
    with page.expect_download() as coming:
        page.get_by_role("button", name="Take the answers along").click()
    assert coming.value.suggested_filename == "bright.csv"
    assert len(coming.value.path().read_text().splitlines()) == 4


@needs_browser
def test_the_one_of_two_that_is_pressed_has_more(visit, playing):
    page = opened(visit)
    asked = taught(page, "calm", "two")
    first = asked.get_attribute("data-picture")
    x, y = middle(asked.locator("img").nth(1))
    page.mouse.click(x, y)
    until(page, lambda: lesson(playing)["count"] == 1)
    until(page, lambda: asked.get_attribute("data-picture") != first)


@needs_browser
def test_a_finger_swipes_a_picture_to_yes_and_back_to_nothing(visit, playing):
    page = opened(visit, phone=True)
    asked = taught(page, "bright")
    until(page, lambda: asked.locator("img").evaluate("img => img.complete"))
    x, y = middle(asked)
    hand = page.context.new_cdp_session(page)

    def swipe(*way):
        hand.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for dx in way:
            hand.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + dx, "y": y}]})
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    swipe(40, 90, 140)
    until(page, lambda: lesson(playing)["balance"] == {"yes": 1, "no": 0})
    swipe(-40, -90, -40, -4)  # it thought better of it
    swipe(-40, -90, -140)
    until(page, lambda: lesson(playing)["balance"] == {"yes": 1, "no": 1})


@needs_browser
def test_what_the_model_offers_goes_onto_the_rack_is_moved_and_taken_off(visit, playing):
    page = opened(visit)
    before = at_rest(page)
    put(page, "pc2").press("End")
    until(page, lambda: rack(playing)["pc2"].amount == 3)
    until_it_moves(page, before)
    tile = page.get_by_role("button", name="Take pc2 off the rack")
    assert tile.nth(1).get_attribute("aria-pressed") == "true"
    tile.first.click()
    until(page, lambda: not rack(playing))
    until(page, lambda: at_rest(page) == before)
    said(page.locator("ks-rack"), "No slider yet")


@needs_browser
def test_a_slider_stops_at_three_until_it_may_leave_the_map(visit, playing):
    page = opened(visit)
    slider = put(page, "pc1")
    slider.press("End")
    until(page, lambda: rack(playing)["pc1"].amount == 3)
    page.get_by_role("button", name="Let pc1 leave the map").click()
    until(page, lambda: slider.get_attribute("aria-valuemax") == "20")
    slider.press("End")
    until(page, lambda: rack(playing)["pc1"].amount == 20 and rack(playing)["pc1"].free)


@needs_browser
def test_what_is_locked_stays_when_all_are_scattered_and_laid_to_rest(visit, playing):
    page = opened(visit)
    for name in ("pc1", "pc2"):
        put(page, name).press("PageUp")
    page.get_by_role("button", name="Lock pc1").click()
    until(page, lambda: rack(playing)["pc1"].locked)
    kept = rack(playing)["pc1"].amount
    page.get_by_role("button", name="Scatter").click()
    until(page, lambda: rack(playing)["pc2"].amount != kept)
    page.get_by_role("button", name="All to rest").click()
    until(page, lambda: rack(playing)["pc2"].amount == 0)
    assert rack(playing)["pc1"].amount == kept != 0


@needs_browser
def test_a_slider_is_turned_round_renamed_and_given_other_rows(visit, playing):
    page = opened(visit)
    before = at_rest(page)
    for name in ("pc1", "pc2"):
        put(page, name)
    page.get_by_role("slider", name="pc1").press("PageUp")
    until_it_moves(page, before)
    moved, amount = at_rest(page), rack(playing)["pc1"].amount
    page.get_by_role("button", name="Turn pc1 round").click()
    until(page, lambda: rack(playing)["pc1"].amount == pytest.approx(-amount))
    until(page, lambda: at_rest(page) == moved)
    page.get_by_role("button", name="Settings of pc1").click()
    name = page.locator("ks-way").get_by_label("Name", exact=True)
    name.fill("mood")
    name.press("Enter")
    page.get_by_role("slider", name="mood").wait_for()
    until(page, lambda: [*rack(playing)] == ["mood", "pc2"] and at_rest(page) == moved)
    page.locator("ks-way").get_by_label("What moves").select_option(label="coarse")
    until(page, lambda: rack(playing)["mood"].rows == "coarse")
    page.locator("ks-way").get_by_role("radio", name="set", exact=True).click()
    until(page, lambda: rack(playing)["mood"].set)


@needs_browser
def test_a_card_that_is_renamed_stays_open_and_in_hand(visit, playing):
    page = opened(visit)
    for name in ("pc1", "pc2"):
        put(page, name)
    page.get_by_role("button", name="Settings of pc1").click()
    name = page.locator("ks-way").get_by_label("Name", exact=True)
    name.fill("mood")
    name.press("Tab")
    page.locator("ks-way[data-way=mood]").get_by_role("slider", name="mood").wait_for()
    rows = page.locator("ks-way[data-way=mood]").get_by_label("What moves")
    until(page, lambda: rows.evaluate("one => one.matches(':focus')"))
    name.fill("pc2")
    name.press("Enter")
    said(page.locator(".says"), "pc2 is on the rack already")
    until(page, lambda: name.input_value() == "mood")
    assert [*rack(playing)] == ["mood", "pc2"]
    name.fill("pc1")
    name.press("Enter")
    until(page, lambda: [*rack(playing)] == ["pc1", "pc2"])
    assert name.evaluate("one => one.matches(':focus')")


@needs_browser
def test_the_wall_says_in_words_where_a_direction_leads(visit, playing):
    playing.play(None, None, "portraits", 0.0)
    page = opened(visit)
    come = page.get_by_role("group", name="Come with this model")
    said(come, "from a frown to a smile")
    put(page, "smile")
    said(page.locator("ks-way"), "from a frown to a smile")
    page.get_by_role("button", name="Settings of smile").click()
    said(page.locator("ks-way .settings"), "R² 0.")
    panel(page, "Routes")
    page.locator("ks-routes").get_by_text("smile", exact=True).first.wait_for()


@needs_browser
def test_what_a_route_moves_glows_on_the_rack(visit, playing):
    page = opened(visit)
    put(page, "pc1")
    playing.change({"latent.directions.pc1.amount": {"feature": "left", "low": -2.0, "high": 2.0}})
    driven = page.locator("ks-way").get_by_role("button", name="left", exact=True)
    driven.click()
    page.locator("ks-route[data-place='latent.directions.pc1.amount']").wait_for()


@needs_browser
def test_a_dropped_file_is_kept_starred_renamed_and_deleted(visit, playing):
    page = opened(visit)
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).normal(size=playing.performance.engine.checkpoint.G_ema.w_dim))
    held = page.evaluate_handle(DROPPED, [list(file.getvalue()), "theirs.npy"])
    page.dispatch_event("body", "drop", {"dataTransfer": held})
    page.get_by_role("button", name="Put theirs on the rack").wait_for()
    more = page.get_by_role("button", name="More for theirs")
    more.click()
    page.get_by_role("button", name="Give it another name").click()
    page.get_by_label("New name").fill("sorrow")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="More for sorrow").click()
    page.get_by_role("button", name="Among your favourites").click()
    said(page.locator("ks-wall"), "★ sorrow")
    page.get_by_role("button", name="More for sorrow").click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    until(page, lambda: not page.get_by_role("button", name="More for sorrow").count())


@needs_browser
def test_a_box_on_the_picture_gives_sliders_for_it(visit, playing):
    page = opened(visit)
    before = at_rest(page)
    page.get_by_role("button", name="Draw a box on it").click()
    x, y = middle(page.locator("ks-mark"))
    drag(page, (x - 60, y - 40), (x + 60, y + 40))
    box = page.get_by_role("group", name="This part of the picture")
    box.wait_for()
    drag(page, (x, y), (x + 30, y))
    page.get_by_role("button", name="Find sliders for the box").click()
    found = page.locator("ks-here").get_by_role("button", name="on the rack")
    found.first.wait_for()
    page.get_by_role("button", name="Done", exact=True).click()
    found.first.click()
    page.locator("ks-way").get_by_role("slider").press("End")
    until_it_moves(page, before)


@needs_browser
def test_a_box_is_drawn_and_moved_by_the_keys_alone(visit, playing):
    page = opened(visit)
    page.get_by_role("button", name="Draw a box on it").click()
    page.get_by_role("group", name="The picture: draw a box on it").press("Enter")
    box = page.get_by_role("group", name="This part of the picture")
    until(page, lambda: box.evaluate("box => box.matches(':focus')"))
    before = box.bounding_box()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    until(page, lambda: (now := box.bounding_box())["x"] > before["x"] and now["height"] > before["height"])


@needs_browser
def test_paint_on_half_of_the_picture_gives_sliders_for_it(visit, playing, monkeypatch):
    masks = []
    monkeypatch.setattr(brush, "mask", lambda *painted, mask=brush.mask: masks.append(mask(*painted)) or masks[-1])
    page = opened(visit)
    before = at_rest(page)
    page.get_by_role("button", name="Paint on it").click()
    page.get_by_role("slider", name="Width of the brush").press("End")
    box = page.locator("ks-brush").bounding_box()
    left, top, side = box["x"], box["y"], box["width"]
    find = page.get_by_role("button", name="Find sliders for the paint")
    assert find.is_disabled()
    drag(page, (left + 0.8 * side, top + 0.2 * side), (left + 0.8 * side, top + 0.8 * side))
    page.get_by_role("button", name="Clear").click()
    until(page, find.is_disabled)
    for x in (0.2, 0.3):
        drag(page, (left + x * side, top + 0.05 * side), (left + x * side, top + 0.95 * side))
    find.click()
    found = page.locator("ks-here").get_by_role("button", name="on the rack")
    found.first.wait_for()
    [mask] = masks
    half = mask.shape[1] // 2
    assert mask[:, :half].mean() > 0.95 and mask[:, half + 1 :].mean() < 0.05
    page.get_by_role("button", name="Done", exact=True).click()
    found.first.click()
    page.locator("ks-way").get_by_role("slider").press("End")
    until_it_moves(page, before)


@needs_browser
def test_a_surprise_is_a_new_slider_that_is_kept(visit, playing):
    page = opened(visit)
    before = at_rest(page)
    page.get_by_role("button", name="Surprise me").click()
    slider = page.locator("ks-way").get_by_role("slider")
    slider.press("End")
    until_it_moves(page, before)
    [name] = rack(playing)
    page.get_by_role("group", name="Kept").get_by_role("button", name=f"Take {name} off the rack").wait_for()


@needs_browser
@needs_axe
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_the_panel_can_be_read_and_is_named_and_fits(visit, playing, phone):
    page = opened(visit, phone=phone)
    page.evaluate(AXE.read_text())
    for name in ("pc1", "pc2"):
        put(page, name)
    page.get_by_role("button", name="Settings of pc1").click()
    page.get_by_role("button", name="Draw a box on it").click()
    problems = [*wrong(page), *page.evaluate(OUTSIDE)]
    taught(page, "bright")
    problems += [*wrong(page), *page.evaluate(OUTSIDE)]
    assert problems == []
