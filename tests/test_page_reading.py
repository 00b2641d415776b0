"""The page can be read and played by everybody: contrast, names, roles; by axe-core's rules for WCAG 2.2 A and AA."""

from pathlib import Path

import pytest
from browsing import needs_browser, panel, shown, until

AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# Left out: a name that must repeat the words on its button. Here some are a picture with "60 s" beneath it, or numbers that turn.
RULES = """() => axe.run(document, {
  rules: { "label-content-name-mismatch": { enabled: false } },
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"],
}).then(found => found.violations.flatMap(({ id, nodes }) => nodes.map(node =>
  `${id}: ${node.html.slice(0, 120)} ${node.any.concat(node.all).map(check => check.message).join("; ").slice(0, 200)}`)))"""

needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed (make page)")


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def furnished(playing):
    """Something on every shelf and in every list."""
    playing.change(
        {
            "latent.psi": {"feature": "left"},
            "sources.voice": {"kind": "page_sound"},
            "features.sound": {"kind": "sound"},
        }
    )
    kept = [playing.snapshot(name)["id"] for name in ("one", "two")]
    playing.set_cues([{"id": which, "seconds": 1.0, "easing": "linear", "note": "now"} for which in kept])
    playing.set_safe(kept[0])
    playing.save_patch("mine")
    return playing


def wrong(page):
    return page.evaluate(RULES)


@needs_browser
@needs_axe
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_every_panel_can_be_read_and_is_named(visit, furnished, phone):
    page = visit(phone=phone)
    shown(page)
    page.evaluate(AXE.read_text())
    found = {}
    for name in ("Play", "Routes", "Looks"):
        panel(page, name)
        page.locator(f"ks-{name.lower()}").wait_for()
        found[name] = wrong(page)
    for name in ("Patch:", "Model:", "Takes"):
        page.get_by_role("button", name=name).click()
        found[name] = wrong(page)
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Help").click()
    found["Help"] = wrong(page)
    problems = sorted({problem for problems in found.values() for problem in problems})
    assert problems == [], "\n".join(problems)


@needs_browser
@needs_axe
@pytest.mark.parametrize("path", ["/show", "/pad"])
def test_the_other_screens_can_be_read_and_are_named(visit, furnished, path):
    page = visit(path, phone=True)
    shown(page)
    page.evaluate(AXE.read_text())
    assert wrong(page) == []


@needs_browser
def test_every_panel_is_reached_and_played_by_the_keyboard_alone(visit, playing):
    page = visit()
    shown(page)
    tab = page.get_by_role("tab", name="Play")
    for _ in range(40):
        page.keyboard.press("Tab")
        if tab.evaluate("tab => tab.matches(':focus')"):
            break
    page.keyboard.press("ArrowRight")
    page.locator("ks-routes").wait_for()
    page.keyboard.press("ArrowRight")
    page.locator("ks-looks").wait_for()
    keep = page.get_by_role("button", name="Keep this look")
    for _ in range(10):
        page.keyboard.press("Tab")
        if keep.evaluate("keep => keep.matches(':focus')"):
            break
    page.keyboard.press("Enter")
    until(page, lambda: len(playing.snapshots.all()) == 1)
