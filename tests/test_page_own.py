"""One's own pictures in the page: dropped, laid by hand, found, kept, mixed, and played."""

import io

import pytest
from browsing import (
    OUTSIDE,
    at_rest,
    drag,
    middle,
    needs_browser,
    panel,
    said,
    shown,
    sight,
    until,
    until_it_moves,
)
from PIL import Image
from test_page_reading import AXE, needs_axe, wrong

from kinesphere.stage import workshop
from kinesphere.studio.alignment import ffhq
from kinesphere.studio.efforts import EFFORTS
from kinesphere.studio.latents import Latent
from kinesphere.studio.projection import Plan
from kinesphere.train import portraits

DROPPED = """([data, name]) => { const held = new DataTransfer();
  held.items.add(new File([Uint8Array.from(data)], name, { type: "image/png" })); return held; }"""
LAID = "lay => lay.square"


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(autouse=True)
def swift(monkeypatch):
    """A picture is found in a few steps."""
    monkeypatch.setitem(EFFORTS, "quick", Plan(steps=20))
    monkeypatch.setattr(workshop, "CENTRES", 4)
    monkeypatch.setattr(workshop, "SAMPLED", 500)


@pytest.fixture(scope="module")
def portrait():
    """A painted portrait of 160 x 120 pixels, a PNG."""
    file = io.BytesIO()
    Image.fromarray(portraits.paint(portraits.draw_factors(5, 0), 160)[:120]).save(file, "PNG")
    return file.getvalue()


def brought(playing, portrait, page):
    playing.own.bring(portrait, "me.png")
    panel(page, "Yours")
    page.locator("ks-lay").wait_for()
    return page.locator("ks-lay")


def kept(playing, *names):
    """Moments of other seeds are kept under these names."""
    for seed, name in enumerate(names, 1):
        playing.change({"latent.seed": seed})
        until_played(playing, seed)
        playing.own.keep_moment(name)


def until_played(playing, seed):
    frames, count = playing.performance.frames, 0
    while playing.performance.engine.seen.latent.seed != seed:
        count = frames.newer(count, 30)[1]
    frames.newer(frames.count + 1, 30)


def places(playing):
    return {name: there.amount for name, there in playing.performance.patch.latent.places.items()}


@needs_browser
def test_a_dropped_picture_is_laid_found_kept_and_played(visit, playing, portrait):
    page = visit()
    before = sight(page)
    page.dispatch_event(
        "body", "drop", {"dataTransfer": page.evaluate_handle(DROPPED, [list(portrait), "my face.png"])}
    )
    lay = page.locator("ks-lay")  # the page has turned to it by itself
    lay.wait_for()
    assert lay.evaluate(LAID) == {"x": 80, "y": 60, "size": 120, "angle": 0}
    x, y = middle(lay.locator("svg"))
    drag(page, (x, y), (x + 40, y - 10))
    until(page, lambda: lay.evaluate(LAID)["x"] > 85)
    page.get_by_role("button", name="Find it in the model").click()
    page.get_by_role("button", name="Keep and play").wait_for()
    square = playing.own.sitting.square
    assert square.x > 85 and square.y < 60 and (square.size, square.angle) == (120, 0)
    page.get_by_role("button", name="Keep and play").click()
    until(page, lambda: places(playing) == {"my face": 1.0})
    until_it_moves(page, before)
    tile = page.get_by_role("button", name="Play my face")
    said(tile, "plays")
    assert tile.get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Back to the patch").click()
    until(page, lambda: not any(places(playing).values()))
    until(page, lambda: at_rest(page) == before)


@needs_browser
def test_the_square_is_pulled_at_its_corner_and_moved_by_the_keys(visit, playing, portrait):
    page = visit()
    lay = brought(playing, portrait, page)
    (x, y), corner = middle(lay.locator("svg")), middle(lay.locator(".reach").nth(2))
    drag(page, corner, (x + (corner[0] - x) / 2, y + (corner[1] - y) / 2))
    until(page, lambda: lay.evaluate(LAID)["size"] == pytest.approx(60, abs=2))
    field = lay.get_by_role("group")
    field.press("ArrowRight")
    assert lay.evaluate(LAID)["x"] == pytest.approx(80.6, abs=0.1)
    field.press("Shift+ArrowRight")
    assert lay.evaluate(LAID)["angle"] == pytest.approx(1, abs=0.2)
    field.press("Shift+ArrowUp")
    assert lay.evaluate(LAID)["size"] == pytest.approx(60 * 1.02, abs=2)
    page.get_by_role("button", name="The middle").click()
    until(page, lambda: lay.evaluate(LAID) == {"x": 80, "y": 60, "size": 120, "angle": 0})


@needs_browser
def test_the_square_is_pinched_with_two_fingers(visit, playing, portrait):
    page = visit(phone=True)
    lay = brought(playing, portrait, page)
    lay.scroll_into_view_if_needed()
    x, y = middle(lay.locator("svg"))
    hand = page.context.new_cdp_session(page)

    def touch(what, *places):
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(places)]
        hand.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})

    touch("touchStart", (x - 60, y))
    touch("touchStart", (x - 60, y), (x + 60, y))
    for far in (50, 40, 30):  # nearer together, and a quarter turn
        touch("touchMove", (x - far, y), (x + far, y))
    touch("touchMove", (x, y - 30), (x, y + 30))
    touch("touchEnd")
    square = until(page, lambda: (now := lay.evaluate(LAID))["angle"] > 80 and now)
    assert square == pytest.approx({"x": 80, "y": 60, "size": 60, "angle": 90}, abs=2)


@needs_browser
def test_four_points_lay_the_square_about_a_face(visit, playing, portrait):
    playing.aside.enter().face = None  # the tiny model's pictures have none
    page = visit()
    lay = brought(playing, portrait, page)
    page.get_by_role("button", name="Eyes and mouth").click()
    eye = lay.get_by_role("button", name="Left eye: arrow keys move it")
    x, y = middle(eye)
    drag(page, (x, y), (x - 20, y + 12))
    until(page, lambda: lay.evaluate(LAID)["angle"] < -1)
    there = ffhq(*lay.evaluate("lay => lay.points"))
    assert lay.evaluate(LAID) == pytest.approx(vars(there))
    before = lay.evaluate(LAID)
    eye.press("ArrowUp")
    until(page, lambda: lay.evaluate(LAID) != before)


@needs_browser
def test_a_search_is_stopped_and_what_was_found_so_far_is_kept(visit, playing, portrait, monkeypatch):
    monkeypatch.setitem(EFFORTS, "careful", Plan(steps=100_000))
    page = visit()
    brought(playing, portrait, page)
    page.get_by_role("radio", name="careful").click()
    page.get_by_role("slider", name="Editable to faithful").press("Home")
    page.get_by_role("button", name="Find it in the model").click()
    said(page.locator("ks-sitting"), "Coming nearer")
    assert page.get_by_role("button", name="Find it in the model").is_disabled()
    assert playing.own.sitting.faithful == 0
    page.get_by_role("meter", name="Likeness").wait_for()
    page.get_by_role("button", name="Stop, and keep what is found so far").click()
    said(page.locator("ks-sitting"), "Stopped")
    playing.own.bring(portrait, "another.png")
    page.get_by_text("another.png").wait_for()
    assert page.get_by_label("Its name").input_value() == "me"  # of what was found
    page.get_by_label("Its name").fill("so far")
    page.get_by_role("button", name="Keep it", exact=True).click()
    page.get_by_role("button", name="Play so far").wait_for()
    assert playing.own.kept.load("so far").origin["picture"] == "me.png"


@needs_browser
def test_two_are_mixed_and_the_child_shows_both_parents(visit, playing):
    kept(playing, "ada", "ben")
    page = visit()
    panel(page, "Yours")
    page.get_by_role("button", name="More for ada").click()
    page.get_by_role("dialog", name="ada").get_by_role("button", name="Mix it with another").click()
    page.get_by_role("dialog", name="Mix ada with").get_by_role("button", name="ben").click()
    page.get_by_role("button", name="Keep what is between").click()
    child = page.locator("ks-kept .tile", has=page.get_by_role("button", name="Play ada + ben"))
    said(child, "half-way from ada to ben")
    child.locator(".parents img").nth(1).wait_for()
    a, b, between = (playing.own.kept.load(name).data for name in ("ada", "ben", "ada + ben"))
    assert ((a + b) / 2 - between).abs().max() < 1e-6


@needs_browser
def test_one_is_taken_along_and_deleted_once_it_was_asked_twice(visit, playing):
    kept(playing, "ada")
    page = visit()
    panel(page, "Yours")
    more = page.get_by_role("button", name="More for ada")
    more.click()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Take it along").click()
    assert coming.value.suggested_filename == "ada.safetensors"
    assert Latent.from_bytes(coming.value.path().read_bytes()).origin["name"] == "ada"
    more.click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("button", name="Keep it").click()
    more.click()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    said(page.locator("ks-kept"), "Nothing is kept yet")
    assert playing.library.names("latents") == []


@needs_browser
def test_a_picture_comes_from_the_camera(visit, playing):
    page = visit()
    panel(page, "Yours")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take it").click()
    page.locator("ks-lay").wait_for()
    assert playing.own.brought.pixels.shape == (240, 320, 3)


@needs_browser
def test_a_centre_of_the_model_is_played_and_kept(visit, playing):
    page = visit()
    panel(page, "Yours")
    before = sight(page)
    page.get_by_role("button", name="Show its kinds of picture").click()
    page.get_by_role("button", name="Play centre 2").click()
    until(page, lambda: places(playing) == {"tiny centre 2": 1.0})
    until_it_moves(page, before)
    said(page.locator("ks-kept"), "centre 2 of the model")


@needs_browser
@needs_axe
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_the_panel_can_be_read_and_is_named_and_fits(visit, playing, portrait, phone):
    kept(playing, "ada", "ben")
    playing.own.mix("ada", "ben", 0.5, "")
    playing.own.play("ada", 0.0, "linear")
    page = visit(phone=phone)
    shown(page)
    page.evaluate(AXE.read_text())
    brought(playing, portrait, page)
    page.get_by_role("button", name="Find it in the model").click()
    page.get_by_role("button", name="Keep and play").wait_for()
    page.get_by_role("button", name="Show its kinds of picture").click()
    page.get_by_role("button", name="Play centre 4").wait_for()
    page.get_by_role("button", name="Average over it").click()
    problems = [*wrong(page)]
    page.get_by_role("button", name="Eyes and mouth").click()
    page.get_by_role("button", name="Left eye: arrow keys move it").wait_for()
    problems += wrong(page)
    assert problems == [] and page.evaluate(OUTSIDE) == []
