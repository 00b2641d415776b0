"""The library in the page: files come by hand, are shown by sources, and go; and a take that was recorded there."""

import shutil
from importlib import resources

import cv2
import numpy as np
import pytest
import torch
from browsing import drag, middle, needs_browser, panel, said, shown, sight, until, until_it_moves

from kinesphere.routes import Route
from kinesphere.takes import Replay, Take


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


def names(playing, shelf):
    return playing.library.names(shelf)


# Files come ---------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_model_and_a_patch_are_chosen_as_files_and_then_played(visit, playing, tmp_path):
    mine = tmp_path / "mine.safetensors"
    shutil.copy(playing.library.folder / "models" / "other.safetensors", mine)
    bold = tmp_path / "bold.toml"
    bold.write_text('about = "as bold as can be"\nmodel = "tiny.safetensors"\n\n[latent]\npsi = 1.4\n')
    page = visit()
    before = sight(page)
    page.get_by_role("button", name="Model:").click()
    page.get_by_label("Add a model file").set_input_files(mine)
    said(page.locator("ks-models [role=status]"), "mine.safetensors is in the library now")
    page.get_by_role("button", name="mine.safetensors", exact=True).click()
    until(page, lambda: playing.performance.patch.model == "mine.safetensors")
    until_it_moves(page, before)
    page.get_by_role("button", name="Patch:").click()
    page.get_by_label("Add a patch file").set_input_files(bold)
    page.locator("ks-patches .item").filter(has_text="as bold as can be").click()
    until(page, lambda: playing.performance.patch.latent.psi == 1.4)


@needs_browser
def test_what_is_no_model_is_refused_in_words(visit, playing, tmp_path):
    evil = tmp_path / "evil.pkl"
    evil.write_bytes(b"cos\nsystem\n(S'touch x'\ntR.")
    page = visit()
    page.get_by_role("button", name="Model:").click()
    page.get_by_label("Add a model file").set_input_files(evil)
    said(page.locator("ks-models p.bad"), "evil.pkl")
    assert names(playing, "models") == ["other.safetensors", "tiny.safetensors"]
    page.close()  # the browser itself notes a refused request
    visit.wrong[:] = [words for words in visit.wrong if "422" not in words]


DROP = """([name, text]) => {
  const load = new DataTransfer();
  load.items.add(new File([text], name));
  const about = { dataTransfer: load, bubbles: true, cancelable: true };
  document.body.dispatchEvent(new DragEvent("dragover", about));
  return () => document.body.dispatchEvent(new DragEvent("drop", about));
}"""


@needs_browser
def test_a_file_is_dropped_anywhere_on_the_page(visit, playing):
    page = visit()
    shown(page)
    let_go = page.evaluate_handle(DROP, ["calm.toml", 'model = "tiny.safetensors"\n'])
    said(page.locator("ks-catch"), "Let go")
    let_go.evaluate("go => { go(); }")
    said(page.locator(".says"), "calm.toml is in the library now: choose it under Patch")
    assert names(playing, "patches") == ["calm"] and page.locator("ks-catch div").count() == 0
    page.get_by_role("button", name="Patch: test").click()
    page.get_by_role("button", name="calm").first.wait_for()  # the page knows of it, too
    page.keyboard.press("Escape")
    page.evaluate_handle(DROP, ["calm.toml", "psi = 3"]).evaluate("go => { go(); }")
    said(page.locator(".says"), "There is a patch calm already")
    assert "psi" not in playing.library.patch_text("calm")


# ... are shown ------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_film_and_pictures_of_the_library_become_sources(visit, playing):
    folder = playing.library.folder
    with resources.as_file(resources.files("kinesphere.builtin") / "clip.mp4") as clip:
        shutil.copy(clip, folder / "videos" / "dance.mp4")
    (folder / "pictures" / "holiday").mkdir()
    cv2.imwrite(str(folder / "pictures" / "holiday" / "one.png"), np.full((24, 32, 3), 200, np.uint8))
    page = visit()
    adding = page.get_by_role("combobox", name="Add a source")
    for file, name in (("dance.mp4", "film"), ("holiday", "pictures")):
        adding.select_option(label=file)
        until(page, lambda: name in playing.performance.patch.sources)  # noqa: B023
        page.get_by_role("combobox", name="The source that is shown").select_option(name)
        page.locator(f"ks-picture[view='source:{name}'] .frame.seen").wait_for()
    assert playing.performance.view("pictures").latest().value.mean() == 200


# ... and go ---------------------------------------------------------------------------------------------------------------


@needs_browser
def test_takes_and_patches_are_deleted_after_asking_twice(visit, playing):
    playing.save_patch("mine")
    page = visit()
    sight(page)
    page.keyboard.press("r")
    said(page.locator(".signs"), "Recording")
    count = playing.performance.frames.count
    until(page, lambda: playing.performance.frames.count > count + 3)
    page.keyboard.press("r")
    until(page, lambda: playing.recording.recorder is None)
    (take,) = names(playing, "takes")

    page.get_by_role("button", name="Takes").click()
    page.get_by_role("button", name=f"Delete {take}", exact=True).click()
    sure = page.get_by_role("button", name=f"Yes, delete {take} for good")
    sure.press("Escape")  # no
    page.get_by_role("button", name=f"Delete {take}", exact=True).press("Enter")
    assert names(playing, "takes") == [take]
    sure.press("Enter")
    until(page, lambda: names(playing, "takes") == [])
    said(page.locator("ks-recorder"), "None yet")

    page.get_by_role("button", name="Patch:").click()
    assert page.get_by_role("button", name="Delete scene").count() == 0  # it came with the instrument
    page.get_by_role("button", name="Delete mine", exact=True).click()
    page.get_by_role("button", name="Yes, delete mine for good").click()
    until(page, lambda: names(playing, "patches") == [])


# A take -------------------------------------------------------------------------------------------------------------------


@needs_browser
def test_a_take_that_was_recorded_in_the_browser_plays_again_to_the_bit(visit, playing):
    """Sliders dragged, a route laid, dice, freeze, a morph, undo, another region: each ws and each frame that was drawn."""
    performance, seen = playing.performance, {}
    performance.patch.sources["eye"].waving = True
    playing.snapshot("one")
    page = visit()
    sight(page)
    performance.listeners.append(
        lambda moment, _: seen.update({moment.t: (performance.engine.ws.clone(), performance.engine.frame.copy())})
    )

    def beats(n):
        count = performance.frames.count
        until(page, lambda: performance.frames.count > count + n)

    page.get_by_role("button", name="Record a take").click()
    said(page.locator(".signs"), "Recording")
    beats(5)
    page.keyboard.press("d")
    beats(3)
    panel(page, "Routes")
    tile = page.locator("ks-feature").filter(has_text="left")
    drag(page, middle(tile), middle(page.locator("ks-parameter[data-place='latent.psi'] .names")))
    until(page, lambda: isinstance(performance.patch.latent.psi, Route))
    beats(5)
    panel(page, "Play")
    drift = page.locator("[data-place='latent.drift'] [role=slider]")
    drift.scroll_into_view_if_needed()
    x, y = middle(drift)
    drag(page, (x, y), (x + 40, y))
    until(page, lambda: performance.patch.latent.drift > 0)
    page.keyboard.press("f")
    said(page.locator(".signs"), "Frozen")
    page.keyboard.press("f")
    until(page, lambda: not performance.frozen)
    beats(5)
    page.keyboard.press("Shift+Digit1")  # back to the look, on its way for three seconds
    until(page, lambda: playing.morph is not None)
    beats(10)
    page.keyboard.press("Control+z")
    beats(5)
    playing.change({"features.right.region": [0.4, 0.0, 0.9, 1.0]})
    beats(5)
    recorder = playing.recording.recorder
    page.get_by_role("button", name="Stop recording").click()
    until(page, lambda: playing.recording.recorder is None and not recorder._thread.is_alive())  # it is written whole
    (name,) = names(playing, "takes")
    assert not performance.status().troubles

    with Take.open(playing.library.path("takes", name, ".mcap")) as take:
        again = Replay(take, load=playing.library.load)
        for moment in take.moments():
            again.next()
            ws, frame = seen[moment.t]
            assert torch.equal(again.engine.ws, ws) and again.engine.frame.tobytes() == frame.tobytes(), again.done
        assert again.notes == [] and len(take) > 30
        assert len({repr(patch.latent) for _, patch in take.patches()}) > 10
        assert {"freeze"} <= {event.what for event in take.events}
