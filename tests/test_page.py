"""The stage's page in a real browser: what a player sees, does, and finds again."""

import copy
import math
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import stir

from kinesphere import checkpoints, patch, sources
from kinesphere.engine import Engine
from kinesphere.features import Brightness
from kinesphere.performance import Performance
from kinesphere.routes import Route
from kinesphere.stage import Door, Library, Server, Session, door
from kinesphere.stage.app import STATIC
from kinesphere.types import Signal

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream "
    "--autoplay-policy=no-user-gesture-required --mute-audio"
).split()
PATIENCE = 60.0  # seconds; only a failure waits for so long
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 375, "height": 812}

needs_browser = pytest.mark.skipif(
    not CHROMIUM.exists() or not (STATIC / "index.html").is_file(),
    reason=f"{CHROMIUM} is missing (apt install chromium)"
    if not CHROMIUM.exists()
    else "the page is not built (make page)",
)

# What is on a canvas, as one number; and how light it is, 0 to 1.
PIXELS = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data"
SIGHT = f"c => {{ let s = 7; for (const v of ({PIXELS})(c)) s = (Math.imul(s, 31) + v) | 0; return s; }}"
LIGHT = f"c => {{ const d = ({PIXELS})(c); let s = 0; for (let i = 0; i < d.length; i += 4) s += d[i] + d[i + 1] + d[i + 2]; return s / d.length / 191.25; }}"  # noqa: E501
NUMBER = "p => p.last ? p.last.number : 0"  # of the newest picture that was drawn
# Whatever can be touched must be within the window: what is not, by its words.
OUTSIDE = """() => {
  const out = [];
  const look = root => { for (const e of root.querySelectorAll("*")) {
    if (e.shadowRoot) look(e.shadowRoot);
    if (!e.matches("button, input, select, a, h1, h2, canvas") || e.matches(".unseen") || !e.checkVisibility()) continue;
    const box = e.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) out.push(e.outerHTML.slice(0, 90));
  } };
  look(document);
  return out;
}"""


@dataclass
class Eye:
    """A source whose left half goes up and down while somebody waves; the right half is as it is."""

    def __post_init__(self):
        self.waving = False

    def open(self): ...

    def read(self, t):
        picture = np.full((24, 32, 3), 80, np.uint8)
        picture[:, :16] = 128 + 110 * math.sin(6 * t) if self.waving else 128
        return Signal(picture, t)

    def close(self): ...


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """What the browser's camera sees: half a second of night, half a second of day."""
    path = tmp_path_factory.mktemp("camera") / "day.mjpeg"
    night, day = (cv2.imencode(".jpg", np.full((240, 320, 3), value, np.uint8))[1].tobytes() for value in (10, 245))
    path.write_bytes((night * 10 + day * 10) * 3)
    return path


@pytest.fixture(scope="module")
def browser(film):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1e3)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=[*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        )
        yield browser
        browser.close()


@pytest.fixture
def playing(tiny_checkpoint, tmp_path, monkeypatch):
    """A session: two small models, an eye, and how light it is on its left and on its right."""
    monkeypatch.setitem(sources.SOURCES, "eye", Eye)
    library = Library(tmp_path / "library")
    other = copy.deepcopy(tiny_checkpoint)
    stir(other.G_ema, seed=5)
    for name, checkpoint in {"tiny": tiny_checkpoint, "other": other}.items():
        checkpoints.save(checkpoint, library.folder / "models" / f"{name}.safetensors")
    played = patch.Patch(
        name="test",
        sources={"eye": Eye()},
        features={"left": Brightness(region=(0, 0, 0.5, 1)), "right": Brightness(region=(0.5, 0, 1, 1))},
        model="tiny.safetensors",
    )
    with Performance(played, engine=Engine(played, tiny_checkpoint), load=library.load) as performance:
        with Session(performance, library) as session:
            yield session


@pytest.fixture
def served(playing):
    place, waiting = door(None, 0)
    with Server(playing, place, waiting) as serving:
        yield serving


class Visits:
    """Pages of one test, each in the context of its kind; what went wrong in any of them is kept."""

    def __init__(self, browser, base, kept):
        self.browser, self.base, self.kept = browser, base, kept
        self.contexts, self.wrong = {}, []

    def __call__(self, path="/", phone=False, newcomer=False):
        page = self.context(phone, newcomer).new_page()
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("websocket", lambda socket: self.within(f"http{socket.url[2:]}"))
        page.goto(self.base + path)
        return page

    def context(self, phone, newcomer):
        if (phone, newcomer) not in self.contexts:
            context = self.browser.new_context(
                viewport=PHONE if phone else DESK, has_touch=phone, is_mobile=phone, ignore_https_errors=True
            )
            self.kept.callback(context.close)
            context.set_default_timeout(PATIENCE * 1e3)
            context.on("console", lambda said: said.type == "error" and self.wrong.append(f"console: {said.text}"))
            context.on("request", lambda request: self.within(request.url))
            if not newcomer:
                context.add_init_script("localStorage.setItem('kinesphere.tour', 'seen')")
            self.contexts[phone, newcomer] = context
        return self.contexts[phone, newcomer]

    def within(self, url):
        if not url.startswith((f"{self.base}/", "blob:", "data:")):
            self.wrong.append(f"a request left the stage: {url}")


@pytest.fixture
def visit(browser, served):
    """Opens pages of the stage. No page may stumble, and none may ask anybody else for anything."""
    with ExitStack() as kept:
        visits = Visits(browser, f"http://127.0.0.1:{served.door.port}", kept)
        yield visits
    assert visits.wrong == []


def still(page, part):
    before = part.bounding_box()
    page.wait_for_timeout(300)
    return before == part.bounding_box()


def until(page, true):
    """Let the browser go on until `true()`, and give what it gave."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, "it never came"
        page.wait_for_timeout(20)
    return found


def shown(page):
    """The canvas of what is played, once there is a picture on it."""
    page.locator("ks-picture:not([view^=source]) .frame.seen").first.wait_for()
    return page.locator("ks-picture:not([view^=source]) canvas").first.element_handle()


def sight(page, canvas=None):
    return (canvas or shown(page)).evaluate(SIGHT)


def until_it_moves(page, before=None, canvas=None):
    canvas = canvas or shown(page)
    before = canvas.evaluate(SIGHT) if before is None else before
    return until(page, lambda: (now := canvas.evaluate(SIGHT)) != before and (now,))[0]


def until_it_stands(page, looks=10):
    """What was under way has come, and nothing follows."""
    numbers = []
    until(page, lambda: numbers.append(number(page)) or numbers[-looks:].count(numbers[-1]) == looks)


def number(page):
    return page.locator("ks-picture").first.evaluate(NUMBER)


def panel(page, name):
    from playwright.sync_api import expect

    page.get_by_role("tab", name=name).click()
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def wave(session):
    """Somebody waves, and that moves the picture."""
    session.performance.patch.sources["eye"].waving = True
    session.change({"latent.psi": {"feature": "left", "low": 0.2, "high": 1.2}})


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, start, end):
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def said(locator, words):
    from playwright.sync_api import expect

    expect(locator).to_contain_text(words)


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
    page.get_by_role("button", name="other.safetensors").click()
    said(page.locator("ks-models [slot=button]"), "other.safetensors")
    until_it_moves(page, before)


@needs_browser
def test_what_a_feature_looks_at_is_drawn_on_the_input(visit, playing):
    page = visit()
    page.locator("ks-picture[view^=source] .frame.seen").wait_for()
    page.get_by_role("button", name="Draw what the features look at").click()
    page.get_by_role("button", name="Done").wait_for()
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
    at, seen = slider.get_attribute("aria-valuenow"), sight(page)
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
