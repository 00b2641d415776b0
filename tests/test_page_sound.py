"""The browser's microphone, from the sound in front of it to the picture."""

import math

import pytest
from browsing import needs_browser, said, sight, until, until_it_moves

from kinesphere.features import Hearing
from kinesphere.sources import PageSound


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


def heard(playing):
    """The numbers of what is heard now, by name; {} before the first."""
    drawn = playing.performance.values().get("sound")
    return dict(zip(Hearing.names, drawn.value.tolist(), strict=True)) if drawn is not None else {}


def add(page, what, kind):
    page.get_by_role("combobox", name=f"Add a {what}").select_option(kind)


@needs_browser
def test_the_microphone_of_the_browser_is_heard_and_moves_the_picture_also_after_a_reload(visit, playing):
    page = visit()
    add(page, "source", "page_sound")
    page.get_by_role("button", name="Use my microphone").click()
    page.get_by_role("button", name="Stop", exact=True).wait_for()
    add(page, "feature", "sound")
    until(page, lambda: "sound" in playing.performance.patch.features)
    playing.change({"latent.psi": {"feature": "sound.loudness", "low": 0.2, "high": 1.2}})
    for _ in range(2):
        until(page, lambda: heard(playing).get("loudness") == 0)
        tone = until(page, lambda: (now := heard(playing)).get("loudness", 0) > 0.85 and now["onset"] < 0.5 and now)
        assert tone["loudness"] == pytest.approx(
            1 + 20 * math.log10(0.5) / 60, abs=0.03
        )  # the beep is at half the full scale
        assert tone["brightness"] == pytest.approx(math.log2(10), abs=0.05)  # and of 1000 Hz
        assert tone["middle"] > 0.85 and max(tone["low"], tone["high"]) < 0.3
        until(page, lambda: heard(playing)["onset"] > 0.9)
        until_it_moves(page)
        level = page.locator("ks-source .level i")
        until(page, lambda: float(level.evaluate("i => new DOMMatrix(getComputedStyle(i).transform).a")) > 0.6)  # noqa: B023
        page.reload()
        page.get_by_role("button", name="Stop", exact=True).wait_for()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Use my microphone").wait_for()
    said(page.locator("ks-source").filter(has_text="microphone"), "sent no sound for 2 s")
    sight(page)


@needs_browser
def test_a_phone_gives_its_microphone_from_the_pad(visit, playing):
    page = visit("/pad", phone=True)
    page.get_by_role("button", name="Mic").click()
    until(page, lambda: isinstance(playing.performance.patch.sources.get("voice"), PageSound))
    ear = playing.performance.patch.sources["voice"]
    until(page, lambda: (sound := ear.read(playing.performance.clock())) is not None and abs(sound.value).max() > 0.4)
    assert page.get_by_role("button", name="Mic").get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Mic").click()
    said(page.get_by_role("button", name="Mic"), "Mic")
    until(page, lambda: page.get_by_role("button", name="Mic").get_attribute("aria-pressed") == "false")


@needs_browser
def test_a_microphone_that_is_not_allowed_is_told_in_words(visit, playing):
    playing.change({"sources.ear": {"kind": "page_sound"}})
    page = visit()
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => "
        "Promise.reject(Object.assign(new Error('no'), {name: 'NotAllowedError'})); }"
    )
    page.get_by_role("button", name="Use my microphone").click()
    said(
        page.locator("ks-source").filter(has_text="ear"), "told not to give its microphone: allow it beside the address"
    )
