"""The page of what a model knows: it says plainly what holds and what does not, and its plots are its numbers."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from browsing import CHROMIUM
from test_page_reading import AXE, needs_axe, wrong

from kinesphere.studio import findings
from kinesphere.studio.findings import better, page, words, write
from kinesphere.studio.probes import probe
from kinesphere.studio.representations import Space
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
N = 400


@pytest.fixture(scope="module")
def found():
    """w has a smile that z has not; the pixels have a hue that w has not; nobody has the noise; all have the age alike."""
    rng = np.random.default_rng(0)
    smile, hue, age, noise = rng.normal(size=(4, N))
    rest = rng.normal(size=(N, 5))

    def space(*columns, own=False):
        x = np.stack([*columns, *rest.T], 1)
        return Space(x, x if own else None, x.shape[1])

    spaces = {
        "z": space(smile + 3 * noise[::-1], age, own=True),
        "w": space(smile, age, own=True),
        "pixels": space(smile + 0.5 * noise[::-1], hue, age),
        "<eye>": space(age),
    }
    labels = {
        "smile": smile + 0.1 * noise[::-1],
        "hue": hue,
        "age": age + rng.normal(size=N),
        "noise & more": noise,
        "hat": (smile > 0.8).astype(int),
        "rare": np.where(np.arange(N) < 3, age, np.nan),
    }
    return probe(spaces, labels, range(N), paths={"w": 12.5, "z": 40.0})


def test_it_says_what_holds(found):
    said = " ".join(words(found))
    ahead = r"Told better in w than in z: 2 of 5 labels, 3 \(hue, age, noise & more\) alike; most of all smile"
    assert re.search(ahead + r" \(R² 0\.9\d ± 0\.0\d against 0\.\d\d ± 0\.\d\d\)", said)
    assert re.search(r"Told better in w than in <eye>: 2 of 5", said)


def test_it_says_what_does_not_hold(found):
    said = " ".join(words(found))
    sentence = next(
        sentence for sentence in words(found) if "in w and in pixels" in sentence or "pixels" in sentence[:60]
    )
    assert "hue" in sentence
    assert "No space tells noise & more." in said
    assert "Nothing can be said of rare: it shows in 3 pictures, and 100 are needed." in said
    assert "Perceptual path length: 12.5 in w, 40 in z" in said


def test_one_label_is_told_of_as_one():
    rng = np.random.default_rng(0)
    smile, rest = rng.normal(size=N), rng.normal(size=(N, 3))
    spaces = {"w": Space(np.column_stack([smile, rest]), columns=4), "z": Space(rest, columns=3)}
    said = words(probe(spaces, {"smile": smile + 0.1 * rest[:, 0]}, range(N)))
    assert said[0] == "Of 1 label, a straight line tells above chance: 1 in w, 0 in z."
    assert said[1].startswith("Told better in w than in z: smile (R² 1.00") and "alike" not in said[1]


def test_better_is_by_more_than_two_errors(found):
    assert better(found, "w", "z")[0] == "smile" and set(better(found, "w", "z")) == {"smile", "hat"}
    assert better(found, "pixels", "w") == ["hue"]
    assert better(found, "w", "w") == []


def test_axes_are_held_against_axes_drawn_at_random(found):
    sentence = next(sentence for sentence in words(found) if sentence.startswith("The axes of w"))
    own, other = found.axes["w"]
    assert f"disentanglement {own.disentanglement:.2f} against {other.disentanglement:.2f}" in sentence


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_dots_lie_where_the_scores_are(found):
    drawn = page(found, "tiny", {})
    for label, text in (("smile", "smile"), ("noise & more", "noise &amp; more")):
        row = next(part for part in drawn.split('<div class="row">') if part.startswith(f"<span>{text}</span>"))
        at = [float(value) for value in re.findall(r'class="dot[^"]*" style="[^"]*left:([-\d.]+)%', row)]
        assert at == pytest.approx([100 * np.clip(told[label].score, 0, 1) for told in found.scores.values()], abs=0.01)


def test_lines_are_the_curves(found):
    drawn = page(found, "tiny", {})
    chart = next(part for part in drawn.split('<figure class="chart">') if "<b>smile</b>" in part)
    lines = re.findall(r'points="([^"]*)"', chart)
    for line, row in zip(lines, found.curves.values(), strict=True):
        up = [1 - float(point.split(",")[1]) / 1000 for point in line.split()]
        assert up == pytest.approx([score for _, score, _ in row["smile"]], abs=1e-3)


def test_the_page_is_whole_by_itself(found, tmp_path):
    out, numbers = write(found, "tiny <b>", {"pictures": "400"}, tmp_path / "in" / "probes.html")
    text = out.read_text()
    elements = Elements(text).found
    assert {tag for tag, _ in elements}.isdisjoint({"script", "iframe", "b><"})
    assert all(attrs.get(name, "data:").startswith("data:") for _, attrs in elements for name in ("src", "href"))
    assert "tiny &lt;b&gt;" in text and "<eye>" not in text and "url(" not in text
    data = json.loads(numbers.read_text())
    assert data["scores"]["w"]["smile"]["score"] == found.scores["w"]["smile"].score
    assert data["words"] == words(found) and data["DCI"]["w"]["own"]["disentanglement"] > 0
    assert {p.name for p in out.parent.iterdir()} == {"probes.html", "probes.json"}


def test_what_is_no_page_is_refused(found, tmp_path):
    with pytest.raises(KinesphereError, match="'probes.json' is no name of a page: let it end in .html"):
        write(found, "tiny", {}, tmp_path / "probes.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(KinesphereError, match="cannot be written"):
        write(found, "tiny", {}, tmp_path / "file" / "probes.html")


def test_numbers_of_sizes_do_not_run_into_one_another():
    assert list(findings._roomy({50: 0.0, 100: 0.5, 200: 0.95, 210: 1.0})) == [210, 100, 50]


@needs_axe
@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is missing (apt install chromium)")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_without_a_word_and_can_be_read(browser, found, tmp_path, scheme):
    out, _ = write(found, "tiny", {"pictures": "400"}, tmp_path / "probes.html")
    context = browser.new_context(color_scheme=scheme, viewport={"width": 375, "height": 800}, bypass_csp=True)
    troubles = []
    sheet = context.new_page()
    sheet.on("console", lambda said: troubles.append(said.text))
    sheet.on("pageerror", lambda error: troubles.append(str(error)))
    sheet.goto(out.as_uri())
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 375
    sheet.evaluate(AXE.read_text())
    assert wrong(sheet) == [] and troubles == []
    context.close()
