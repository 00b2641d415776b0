"""A browser and a stage for the tests of the page, and the words in which they say what a player does and sees."""

import copy
import math
import time
import wave as waves
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
from kinesphere.stage import Library, Server, Session, door
from kinesphere.stage.app import STATIC
from kinesphere.types import Signal

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream "
    "--autoplay-policy=no-user-gesture-required --mute-audio"
).split()
PATIENCE = 120.0  # seconds; only a failure waits for so long
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


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """What the browser's camera sees: half a second of night, half a second of day."""
    path = tmp_path_factory.mktemp("camera") / "day.mjpeg"
    night, day = (cv2.imencode(".jpg", np.full((240, 320, 3), value, np.uint8))[1].tobytes() for value in (10, 245))
    path.write_bytes((night * 10 + day * 10) * 3)
    return path


@pytest.fixture(scope="module")
def beeps(tmp_path_factory):
    """What the browser's microphone hears: half a second of silence, half a second of 1000 Hz at half the full scale."""
    path, rate = tmp_path_factory.mktemp("microphone") / "beeps.wav", 48_000
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate // 2) / rate) * 0.5
    with waves.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.concatenate([np.zeros(rate // 2), tone * 32767]).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def browser(film, beeps):
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1e3)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[*FLAGS, f"--use-file-for-fake-video-capture={film}", f"--use-file-for-fake-audio-capture={beeps}"],
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


def at_rest(page, pictures=5):
    """What is seen, once it is the same in picture after picture."""
    looks = []

    def rests():
        if (now := (number(page), sight(page))) not in looks:
            looks.append(now)
        return len(looks) >= pictures and len({seen for _, seen in looks[-pictures:]}) == 1

    until(page, rests)
    return looks[-1][1]


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
