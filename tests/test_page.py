"""The stage's page in a real browser: what a player sees, does, and finds again."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pytest
from browsing import (
    DESK,
    LIGHT,
    OUTSIDE,
    PHONE,
    SIGHT,
    Visits,
    at_rest,
    drag,
    middle,
    needs_browser,
    number,
    panel,
    said,
    shown,
    sight,
    still,
    until,
    until_it_moves,
    until_it_stands,
    wave,
)

from kinesphere import runtime
from kinesphere.routes import Route
from kinesphere.stage import Door, Server, door
from kinesphere.stage.pictures import Picture

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


# Playing ----------------------------------------------------------------------------------------------------------------


@needs_browser
def test_the_page_opens_and_what_moves_the_source_moves_the_picture(visit, playing):
    page = visit()
    still = sight(page)
    wave(playing)
    for _ in range(5):
        still = until_it_moves(page, still)
    assert page.title() == "Kinesphere"
    said(page.locator("ks-measured"), "/s")


@needs_browser
def test_the_picture_follows_the_camera_of_the_browser_also_after_a_reload(visit, playing):
    playing.change({"latent.psi": {"feature": "left", "low": 0.2, "high": 1.2}})
    page = visit()
    page.get_by_role("button", name="Use my camera").click()

    def seen():
        return float(playing.performance.values()["left"].value)

    for _ in range(2):
        page.get_by_role("button", name="Stop", exact=True).wait_for()
        page.locator("ks-picture[view^=source] .frame.seen").wait_for()
        view = page.locator("ks-picture[view^=source] canvas").element_handle()
        until(page, lambda: seen() > 0.7)
        until(page, lambda: view.evaluate(LIGHT) > 0.7)  # noqa: B023
        until_it_moves(page)
        until(page, lambda: seen() < 0.3)
        until(page, lambda: view.evaluate(LIGHT) < 0.3)  # noqa: B023
        page.reload()
    assert playing.performance.patch.sources["eye"].mirror


@needs_browser
def test_a_slider_is_played_by_the_keyboard(visit, playing):
    page = visit()
    before = sight(page)
    slider = page.locator("[data-place='latent.psi'] [role=slider]")
    slider.focus()
    slider.press("End")
    until_it_moves(page, before)
    until(page, lambda: playing.performance.patch.latent.psi == float(slider.get_attribute("aria-valuemax")))


@needs_browser
def test_dice_undo_and_redo(visit, playing):
    page = visit()
    first = sight(page)
    page.keyboard.press("d")
    second = until_it_moves(page, first)
    page.keyboard.press("Control+z")
    assert until_it_moves(page, second) == first
    page.keyboard.press("Control+Shift+z")
    assert until_it_moves(page, first) == second


@needs_browser
def test_freeze_black_and_the_safe_look_are_one_key_each(visit, playing):
    safe = playing.snapshot("safe")["id"]
    playing.set_safe(safe)
    page = visit()
    start = sight(page)
    wave(playing)
    until_it_moves(page)

    page.keyboard.press("f")
    said(page.locator(".signs"), "Frozen")
    until_it_stands(page)
    still, beat = sight(page), playing.performance.clock()
    until(page, lambda: playing.performance.clock() > beat + 0.5)  # the hand waves on
    assert sight(page) == still

    page.keyboard.press("b")
    canvas = shown(page)
    until(page, lambda: canvas.evaluate(LIGHT) == 0)

    page.keyboard.press("s")
    until(page, lambda: canvas.evaluate(SIGHT) == start)
    said(page.locator("ks-panic"), "Freeze")


@needs_browser
def test_another_model_is_played_without_a_reload(visit, playing):
    page = visit()
    before = sight(page)
    page.get_by_role("button", name="Model:").click()
    page.get_by_role("button", name="other.safetensors", exact=True).click()
    said(page.locator("ks-models [slot=button]"), "other.safetensors")
    until_it_moves(page, before)


@needs_browser
def test_what_a_feature_looks_at_is_drawn_on_the_input(visit, playing):
    page = visit()
    page.locator("ks-picture[view^=source] .frame.seen").wait_for()
    page.get_by_role("button", name="Draw what the features look at").click()
    page.get_by_role("button", name="Done", exact=True).wait_for()
    region = page.get_by_role("group", name="left looks here")
    region.focus()
    until(page, lambda: still(page, region))  # the view opens wide first
    x, y = middle(region)
    width = page.locator("ks-regions").bounding_box()["width"]
    drag(page, (x, y), (x + width / 2, y))
    until(page, lambda: playing.performance.patch.features["left"].region[0] > 0.45)
    until(page, lambda: abs(float(playing.performance.values()["left"].value) - 80 / 255) < 0.02)
    said(region, "0.31")


@needs_browser
def test_a_performance_is_recorded_and_plays_again(visit, playing):
    page = visit()
    first = sight(page)
    page.keyboard.press("r")
    said(page.locator(".signs"), "Recording")
    count = playing.performance.frames.count
    until(page, lambda: playing.performance.frames.count > count + 20)
    page.keyboard.press("d")
    second = until_it_moves(page, first)
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_role("button", name="Takes").click()
    page.locator("ks-recorder .item").click()
    said(page.locator(".signs"), "Replaying")
    assert until_it_moves(page, second) == first  # to the pixel
    assert until_it_moves(page, first) == second


@needs_browser
def test_the_player_is_told_what_was_kept_and_recorded_and_why_nothing_moves(visit, playing):
    page = visit()
    sight(page)
    page.keyboard.press("n")
    said(page.locator(".says"), "Kept as “Look 1”. The key 1 goes back to it.")
    page.keyboard.press("r")
    said(page.locator(".signs"), "Recording")
    page.keyboard.press("r")
    [take] = until(page, playing.recording.takes)
    said(page.locator(".says"), f"Recorded “{take['name']}”")
    assert "average" not in page.locator(".signs").inner_text()
    playing.change({"latent.psi": 0.0})
    said(page.locator(".signs"), "nothing leaves the average picture")


# Routes -----------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_feature_is_dragged_onto_what_it_shall_play(visit, playing):
    page = visit()
    panel(page, "Routes")
    tile = page.locator("ks-feature").filter(has_text="right")
    drag(page, middle(tile), middle(page.locator("ks-parameter[data-place='latent.psi'] .names")))
    page.locator("ks-route[data-place='latent.psi']").wait_for()
    until(page, lambda: isinstance(playing.performance.patch.latent.psi, Route))
    assert playing.performance.patch.latent.psi.feature == "right"


@needs_browser
def test_learn_binds_what_was_moved(visit, playing):
    page = visit()
    panel(page, "Routes")
    page.locator("[data-place='latent.psi']").get_by_role("button", name="Learn").click()
    page.get_by_role("button", name="That was it").wait_for()
    still = sight(page)
    begin = playing.performance.clock()
    playing.performance.patch.sources["eye"].waving = True
    until(page, lambda: playing.performance.clock() > begin + 1.5)  # a gesture takes its time
    if page.get_by_role("button", name="That was it").is_visible():
        page.get_by_role("button", name="That was it").click()
    said(page.locator("ks-route[data-place='latent.psi']"), "left")
    until_it_moves(page, still)
    assert playing.performance.patch.latent.psi.feature == "left"


@needs_browser
def test_the_range_of_a_route_is_shown_by_performing(visit, playing):
    playing.change({"latent.psi": {"feature": "left", "low": 0.2, "high": 1.2}})
    page = visit()
    panel(page, "Routes")
    card = page.locator("ks-route[data-place='latent.psi']")
    still = sight(page)
    card.get_by_role("button", name="moved by left").click()
    card.get_by_role("button", name="Show me your smallest and largest").click()
    said(card.locator(".calibrating"), "Now move")
    until(page, lambda: playing.calibrating)
    playing.performance.patch.sources["eye"].waving = True
    begin = playing.performance.clock()
    until(page, lambda: playing.performance.clock() > begin + 2.2)  # twice up and down
    said(card.locator(".calibrating"), "left went from")
    card.get_by_role("button", name="That was it").click()
    until(page, lambda: playing.performance.patch.latent.psi.in_high != 1)
    route = playing.performance.patch.latent.psi
    assert (route.in_low, route.in_high) == pytest.approx((18 / 255, 238 / 255), abs=0.12)
    said(card, "Show me your smallest and largest")
    assert float(card.get_by_label("left from").input_value()) == pytest.approx(route.in_low, abs=1e-3)
    page.keyboard.press("Control+z")
    until(page, lambda: playing.performance.patch.latent.psi.in_high == 1)
    until_it_moves(page, still)


# Looks ------------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_look_is_kept_and_the_way_back_leads_through_pictures_between(visit, playing):
    page = visit()
    panel(page, "Looks")
    first = sight(page)
    page.get_by_role("button", name="Keep this look").click()
    page.locator("ks-look").wait_for()
    page.keyboard.press("d")
    second = until_it_moves(page, first)
    canvas = shown(page)
    page.locator("ks-look .tile").click()
    between = set()
    until(page, lambda: (between.add(canvas.evaluate(SIGHT)) or first) in between)
    assert len(between - {first, second}) >= 3
    thumbnail = page.locator("ks-look img")
    assert thumbnail.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


@needs_browser
def test_between_looks_on_the_pad_of_the_page(visit, playing):
    page = visit()
    playing.snapshot("one")
    panel(page, "Looks")
    before = sight(page)
    page.keyboard.press("d")
    after = until_it_moves(page, before)
    page.keyboard.press("n")
    page.get_by_role("button", name="Lay them out for me").click()
    light = page.get_by_role("slider", name="The light between the looks")
    light.press("ArrowLeft")
    mixed = until_it_moves(page, after)
    assert mixed != before
    other = visit(newcomer=True)  # another browser, which has kept nothing itself
    other.get_by_role("button", name="Skip").click()
    panel(other, "Looks")
    lies = light.get_attribute("aria-valuetext")
    until(other, lambda: other.get_by_role("slider", name="The light between").get_attribute("aria-valuetext") == lies)


# Other screens ------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_show_has_the_picture_and_nothing_else(visit, playing):
    wave(playing)
    page = visit("/show")
    until_it_moves(page)
    assert page.locator("button, input, select, a, p").count() == 0
    box = page.locator("ks-picture").bounding_box()
    assert (box["width"], box["height"]) == (DESK["width"], DESK["height"])
    narrow = page.locator("canvas").bounding_box()["width"]
    page.keyboard.press("f")
    until(page, lambda: page.locator("canvas").bounding_box()["width"] > narrow)


def chart(side, turn=0.0):
    """A smooth picture of every colour, [side, side, 3]."""
    x, y = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side))
    waves = [x, y, 0.5 + 0.5 * np.cos(2 * np.pi * (x - y + turn))]
    return np.stack([20 + 215 * wave for wave in waves], -1).round().astype(np.uint8)


# What is on a canvas, made small: red, green, blue, red, ...
SMALL = """c => {
  const small = new OffscreenCanvas(16, 16).getContext("2d");
  small.imageSmoothingQuality = "high";
  small.drawImage(c, 0, 0, 16, 16);
  return [...small.getImageData(0, 0, 16, 16).data].filter((_, i) => i % 4 < 3);
}"""


def off(page, wanted):
    """How far what is on the canvas is from a picture, as the mean difference of a value, of 255."""
    found = np.array(shown(page).evaluate(SMALL)).reshape(16, 16, 3)
    return float(np.abs(found - cv2.resize(wanted, (16, 16), interpolation=cv2.INTER_AREA)).mean())


@needs_browser
@pytest.mark.parametrize("side", [128, 768])
def test_a_show_in_h264_is_the_picture_that_is_played(visit, playing, side):
    """Decoded by the browser (WebCodecs), pictures that stand alone and those that follow; the same colours at any size."""
    now = {"turn": 0.0}
    playing.gallery.picture = lambda item: Picture(chart(side, now["turn"]), item.t)
    page = visit("/show?format=h264")
    formats = page.locator("ks-picture").evaluate_handle(
        "p => { const seen = new Set(); p.addEventListener('picture', e => seen.add(e.detail.format)); return seen; }"
    )
    wave(playing)
    for turn in (0.3, 0.6):
        now["turn"] = turn
        until(page, lambda: off(page, chart(side, turn)) < 3)  # noqa: B023
    assert set(formats.evaluate("seen => [...seen]")) - {1} == {2}


@needs_browser
def test_a_phone_plays_with_one_finger_and_with_two(visit, playing):
    page = visit("/pad", phone=True)
    field = page.locator("ks-field")
    said(field, "one finger plays")
    before = sight(page)
    box = field.bounding_box()
    page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    until_it_moves(page, before)
    assert len(playing.performance.patch.latent.mix) == 4
    psi = playing.performance.patch.latent.psi
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, apart in ("touchStart", 20), ("touchMove", 80), ("touchMove", 140):
        points = [{"x": x, "y": y, "id": 0}, {"x": x, "y": y + apart, "id": 1}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    until(page, lambda: playing.performance.patch.latent.psi > psi)


@needs_browser
def test_two_players_and_five_viewers_at_once(visit, playing):
    wave(playing)
    one, other = visit(), visit()
    viewers = [visit("/show", phone=True) for _ in range(5)]  # small ones: this machine draws them all
    begin = {page: number(page) for page in (one, other, *viewers)}
    for page, first in begin.items():
        until(page, lambda: number(page) > first + 10)  # noqa: B023
    assert playing.gallery.viewers >= 7
    panel(one, "Looks")
    panel(other, "Looks")
    one.get_by_role("button", name="Keep this look").click()
    other.locator("ks-look").wait_for()


@needs_browser
def test_who_was_given_the_viewers_address_sees_the_picture_and_can_touch_nothing(browser, playing, tmp_path):
    wave(playing)
    place, waiting = door(None, 0)
    place = Door(host="127.0.0.1", port=place.port, tokens=True, https=True)
    with Server(playing, place, waiting, certificates=tmp_path), ExitStack() as kept:
        visit = Visits(browser, f"https://127.0.0.1:{place.port}", kept)
        page = visit(f"/?token={place.viewer}")
        said(page.locator("#panel"), "You are looking on")
        until_it_moves(page)
        assert page.locator("ks-panic button:enabled").count() == 0
        page.keyboard.press("f")
        said(page.locator(".says"), "viewers' address")
        assert not playing.performance.frozen
        until_it_moves(visit(f"/show?token={place.viewer}", phone=True))
        player = visit(f"/?token={place.player}", newcomer=True)
        player.keyboard.press("Escape")
        player.get_by_role("button", name="Freeze").click()
        said(player.locator(".signs"), "Frozen")
        assert visit.wrong == []


# Going on ---------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_reload_finds_everything_as_it_was(visit, playing):
    page = visit()
    page.keyboard.press("d")
    slider = page.locator("[data-place='latent.psi'] [role=slider]")
    slider.press("Home")
    page.keyboard.press("n")
    until(page, lambda: len(playing.snapshots.all()) == 1)
    until(page, lambda: playing.performance.patch.latent.psi == float(slider.get_attribute("aria-valuemin")))
    page.get_by_role("button", name="Hide the input").click()
    at, seen = slider.get_attribute("aria-valuenow"), at_rest(page)
    page.reload()
    until(page, lambda: sight(page) == seen)
    assert slider.get_attribute("aria-valuenow") == at
    assert page.get_by_role("button", name="Hide the input").count() == 0
    panel(page, "Looks")
    page.locator("ks-look").wait_for()


@needs_browser
def test_the_page_waits_for_a_stage_that_went_away_and_goes_on_when_it_is_back(visit, served, playing):
    wave(playing)
    page = visit()
    until_it_moves(page)
    served.stop()
    said(page.locator("div.away"), "stage")
    place, waiting = door(None, served.door.port)
    with Server(playing, place, waiting):
        page.locator("div.away").wait_for(state="detached")
        until_it_moves(page)
        page.keyboard.press("f")
        said(page.locator(".signs"), "Frozen")
    visit.wrong[:] = [words for words in visit.wrong if "ERR_CONNECTION_REFUSED" not in words]  # it was away, after all


@needs_browser
def test_who_comes_for_the_first_time_is_shown_round_by_keyboard_alone_and_once(visit):
    page = visit(newcomer=True)
    titles = []
    for step in range(1, 5):
        page.get_by_role("dialog", name=f"The tour, step {step} of 4").wait_for()
        titles.append(page.locator("ks-tour h2").inner_text())
        until(page, lambda: page.evaluate("document.activeElement.shadowRoot.activeElement?.tagName") == "KS-TOUR")
        page.keyboard.press("Enter")
    page.locator("ks-tour .card").wait_for(state="detached")
    assert len(set(titles)) == 4
    page.reload()
    shown(page)
    assert page.evaluate("localStorage.getItem('kinesphere.tour')") == "seen"
    assert page.locator("ks-tour .card").count() == 0


@needs_browser
@pytest.mark.parametrize("path", ["/", "/show", "/pad"])
def test_nothing_is_cut_off_on_a_phone(visit, playing, path):
    playing.snapshot("one with quite a long name, as names are")
    playing.snapshot("two")
    page = visit(path, phone=True)
    shown(page)
    for name in ("Play", "Routes", "Looks") if path == "/" else ("",):
        if name:
            panel(page, name)
            page.locator(f"ks-{name.lower()}").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(OUTSIDE) == []


def test_the_numbers_that_the_page_is_compared_with_are_those_of_the_instrument():
    here = ROOT / "web" / "src" / "routes"
    made = subprocess.run([sys.executable, here / "played.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert made.stdout == (here / "played.json").read_text(), f"python {here / 'played.py'} > {here / 'played.json'}"


@needs_browser
def test_the_meters_on_the_page_say_what_draws_and_why(visit, playing):
    playing.performance.engine.painted_by = runtime.Choice(
        "openvino", "bfloat16", 0.006, "it keeps 30 pictures a second"
    )
    page = visit()
    page.get_by_role("button", name="Meters. All is well").click()
    drop = page.locator("ks-measured")
    drop.get_by_text("OpenVINO, bfloat16").wait_for()
    drop.get_by_text("it keeps 30 pictures a second").wait_for()
