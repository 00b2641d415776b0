"""Makes the pictures of the stage's page, played by the built-in clip. Run: python docs/figures/stage.py (needs chromium)"""

import io
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from kinesphere import checkpoints, patch
from kinesphere.engine import Engine
from kinesphere.performance import Performance
from kinesphere.sources import Video
from kinesphere.stage import Library, Server, Session, door
from kinesphere.stage.teaching import Teaching
from kinesphere.studio.alignment import Similarity
from kinesphere.train import portraits
from kinesphere.train.judge import load_judge

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
CHROMIUM = "/usr/bin/chromium"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 375, "height": 812}
TALL = {"width": 1440, "height": 1260}  # the whole panel of looks
TALLER = {"width": 1440, "height": 1930}  # the whole panel of one's own pictures
DEEP = {"width": 1440, "height": 1148}  # of directions, down to the first that the model offers
EDGE = 2  # pixels of a part that show what lies beside it
SEEDS = (5, 23, 87, 12, 41)
APART = 9_000  # ms between two seeds, so that the last minute holds them all
LEARNT = {
    "features.motion": {"kind": "motion"},
    "latent.psi": {"feature": "motion", "low": 0.4, "high": 1.1, "in_high": 0.8, "release": 0.4},
}
RACK = {
    "features.motion": {"kind": "motion"},
    "latent.directions.smile": {"amount": 1.6, "locked": True},
    "latent.directions.turn": {"amount": {"feature": "motion", "low": -2.0, "high": 2.0}},
}
WORD = "turned to the right"
TURNED = 0.12  # radians that the judge sees the head turned: what is less, to either side, is skipped
ANSWERS = 60


def keep(page: Page, name: str, part: str = "") -> None:
    """What the page shows, or a part of it."""
    shown = page.locator(part).screenshot() if part else page.screenshot()
    picture = Image.open(io.BytesIO(shown)).convert("RGB")
    if part:
        picture = picture.crop((EDGE, 0, picture.width, picture.height))
    picture.save(HERE / name, optimize=True)


def portrait(n: int) -> bytes:
    """One that the model has never seen, a PNG of 256 pixels."""
    file = io.BytesIO()
    Image.fromarray(portraits.paint(portraits.draw_factors(5, n), 256)).save(file, "PNG")
    return file.getvalue()


def opened(browser: Browser, address: str, **how: object) -> Page:
    context = browser.new_context(**how)
    context.add_init_script("localStorage.setItem('kinesphere.tour', 'seen')")
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(address)
    page.locator("ks-picture:not([view^=source]) .frame.seen").wait_for()
    return page


def answer(teaching: Teaching, page: Page) -> None:
    """What the judge of the portraits sees is answered, picture after picture."""
    judge = load_judge()
    while (lesson := teaching.said()["lesson"])["count"] < ANSWERS:
        page.wait_for_timeout(150)
        if not lesson["next"]:
            continue  # more are being chosen
        question = lesson["next"][0]
        picture = Image.open(io.BytesIO(teaching.picture(question["seeds"][0]))).convert("RGB")
        turn = float(judge.factors(np.array(picture).transpose(2, 0, 1)[None])["turn"][0])
        teaching.answer(question["picture"], None if abs(turn) < TURNED else float(turn > 0))
    page.wait_for_timeout(3000)  # the last arrow is learnt, and its ends are drawn


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    page.mouse.move(10, 300)
    page.wait_for_timeout(1500)  # meters have drawn their line


with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
    library = Library(Path(folder))
    played = patch.load("scene")
    played.sources["eye"] = Video(str(CLIP), loop=True)
    library.trust(played)
    engine = Engine(played, checkpoints.load(played.model))
    live = held.enter_context(Performance(played, engine=engine, load=library.load))
    session = held.enter_context(Session(live, library))
    place, waiting = door(None, 0)
    held.enter_context(Server(session, place, waiting))
    browser = held.enter_context(sync_playwright()).chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])

    page = opened(browser, place.address(), viewport=DESK)
    page.wait_for_timeout(3000)
    keep(page, "stage.png")  # as it opens
    for n, seed in enumerate(SEEDS):
        session.change({"latent.seed": seed})
        page.wait_for_timeout(APART)
        session.snapshot(("Dawn", "Noon", "Shade", "Lamp", "Night")[n])
    session.change(LEARNT)
    page.wait_for_timeout(APART)
    session.set_safe(session.snapshots.all()[0].id)
    page.set_viewport_size(TALL)
    tab(page, "Looks")
    page.get_by_role("button", name="Lay them out for me").click()
    page.wait_for_timeout(500)
    keep(page, "looks.png", "ks-player aside")
    page.set_viewport_size(DESK)
    tab(page, "Routes")
    page.locator("ks-route[data-place='latent.psi']").get_by_role("button").first.click()
    page.wait_for_timeout(3000)
    keep(page, "routes.png", "ks-player aside")

    for n, name in enumerate(("Ada", "Ben")):
        session.own.bring(portrait(n), f"{name}.png")
        session.own.project(Similarity(128, 128, 256), "careful", 0.5)
        while session.own.sitting.at_work:
            page.wait_for_timeout(100)
        session.own.keep(name)
    session.own.mix("Ada", "Ben", 0.5, "")
    session.own.keep_moment("Moment")
    session.own.seek_centres()
    session.own.play("Ada", 0.0, "linear")
    page.set_viewport_size(TALLER)
    tab(page, "Yours")
    page.get_by_role("button", name="Play centre 16").wait_for()
    page.wait_for_timeout(1500)
    keep(page, "yours.png", "ks-player aside")
    session.own.play(None, 0.0, "linear")

    session.change(RACK)
    page.set_viewport_size(DESK)
    tab(page, "Directions")
    page.get_by_label("The word").fill(WORD)
    page.get_by_role("button", name="Teach it").click()
    page.locator("ks-deck .card").first.wait_for()
    answer(session.teaching, page)
    keep(page, "directions-teach.png")
    page.get_by_role("button", name="Put on the rack").click()
    page.get_by_text("is on the rack.").wait_for()
    page.keyboard.press("Escape")
    page.set_viewport_size(DEEP)
    page.mouse.move(10, 300)
    page.wait_for_timeout(6000)  # every end has come
    keep(page, "directions-rack.png", "ks-player aside")

    phone = opened(browser, place.address("pad"), viewport=PHONE, has_touch=True, is_mobile=True)
    field = phone.locator("ks-field").bounding_box()
    if field is None:
        raise SystemExit("the pad shows no field")
    phone.touchscreen.tap(field["x"] + 0.62 * field["width"], field["y"] + 0.4 * field["height"])
    phone.wait_for_timeout(1500)
    keep(phone, "pad.png")
    browser.close()
