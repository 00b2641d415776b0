"""The page of a run: where it is, what it looks like, and nothing from anywhere else."""

import base64
import io
import json
import math
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kinesphere.train.diary import Log
from kinesphere.train.report import write_page
from kinesphere.types import KinesphereError

EVIL = '<script>alert("pwned")</script>'


def entry(step: int, **more: Any) -> dict[str, Any]:
    return {
        "step": step, "kimg": step / 4, "seconds": step * 4.0, "img_per_s": 62.5, "time_left_s": 2460.0, "loss_G": 0.91,
        "loss_D": 0.62, "logit_real": 0.5, "logit_fake": -0.75, "ada_p": 0.12, "r_t": 0.41, **more,
    }  # fmt: skip


def picture(path: Path, size: tuple[int, int], seed: int = 0) -> None:
    """A picture file of noise, which is the hardest to keep small."""
    path.parent.mkdir(exist_ok=True)
    noise = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, "JPEG", quality=90)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 100 steps, 25 kimg, measured every 5 kimg, best at 15."""
    run = tmp_path / "faces"
    (run / "snapshots").mkdir(parents=True)
    options = {
        "kimg": {"value": 50, "reason": "a long day"},
        "ada_target": {"value": 0.6, "reason": "as published"},
        "channels": {"value": [64, 32], "reason": "small & quick"},
    }
    recipe = {
        "data": {"name": EVIL, "pictures": 1400},
        "model": {},
        "options": options,
        "command": f"kinesphere train {EVIL}",
        "seed": 7,
    }
    (run / "run.json").write_text(json.dumps(recipe))
    swd = {20: 30.0, 40: 14.0, 60: 8.0, 80: 9.0, 100: 11.0}
    with Log(run / "log.jsonl") as log:
        for step in range(1, 101):
            log.append(
                entry(
                    step, **({"swd16": swd[step] + 2, "swd32": swd[step] - 2, "swd": swd[step]} if step in swd else {})
                )
            )
    for kimg in (0, 5, 10, 15, 20, 25):
        picture(run / "samples" / f"{kimg:06d}.jpg", (64, 48), kimg)
        (run / "snapshots" / f"{kimg:06d}.safetensors").write_bytes(b"")
    picture(run / "samples" / "reals.jpg", (64, 64), 99)
    (run / "best.json").write_text('{"snapshot": "000015.safetensors", "metric": "swd", "score": 8.0}')
    return run


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text without scripts and styles."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text, self.inside = "", ""
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        self.text += data if self.inside not in ("script", "style") else ""

    def all(self, tag: str, of: str = "") -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag and of in attrs.get("class", "").split(" ")]

    @property
    def pictures(self) -> dict[str, Image.Image]:
        """Each embedded picture by what it is called."""
        sources = {img["alt"]: img["src"].removeprefix("data:image/jpeg;base64,") for img in self.all("img")}
        return {alt: Image.open(io.BytesIO(base64.b64decode(source))) for alt, source in sources.items()}

    def points(self, chart: str) -> list[np.ndarray]:
        """The lines of a chart as (kimg, value) [N, 2], read back from where they are drawn."""
        block = next(b for b in self.source.split('<figure class="chart"')[1:] if f"<h2>{chart}</h2>" in b)
        (x0, x1), (y0, y1) = ([float(v) for v in re.search(rf'data-{a}="([^"]+)"', block)[1].split()] for a in "xy")
        log = 'data-log="1"' in block
        lines = []
        for path in re.findall(r'class="line"[^>]* d="([^"]*)"', block):
            x, y = np.array([p.split(",") for p in re.split("[M ]", path) if p], float).T / 1000
            up = y0 * (y1 / y0) ** (1 - y) if log else y0 + (y1 - y0) * (1 - y)
            lines.append(np.stack([x0 + (x1 - x0) * x, up], 1))
        return lines


def page(run: Path) -> Page:
    return Page(write_page(run))


# The page


def test_the_page_says_where_the_run_is(run: Path) -> None:
    text = page(run).text
    for said in ("faces", "running", "25.0 of 50", "7 min", "62.5", "41 min", "small & quick", "64, 32"):
        assert said in text


def test_the_page_names_the_best_snapshot_and_how_to_play_it(run: Path) -> None:
    text = page(run).text
    assert "Best snapshot: 15 kimg, swd 8" in text
    assert f"kinesphere play --model {run}" in text


def test_without_a_metric_the_newest_snapshot_is_named(run: Path) -> None:
    (run / "best.json").unlink()
    assert "Newest snapshot: 25 kimg" in page(run).text


def test_the_curves_are_the_log(run: Path) -> None:
    drawn = page(run)
    for line, shift in zip(drawn.points("SWD"), (0, 2, -2), strict=True):
        np.testing.assert_allclose(line[:, 0], [5, 10, 15, 20, 25], atol=0.01)
        np.testing.assert_allclose(line[:, 1], np.array([30, 14, 8, 9, 11]) + shift, rtol=1e-3)
    real, fake = drawn.points("Logits")
    np.testing.assert_allclose(real[:, 1], 0.5, atol=2e-3)
    np.testing.assert_allclose(fake[:, 1], -0.75, atol=2e-3)


def test_a_number_that_is_missing_breaks_the_line_and_nothing_else(run: Path) -> None:
    lines = [{"kimg": k, "loss_G": math.nan if k in (3, 4) else float(k)} for k in range(10)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    drawn = page(run)
    np.testing.assert_allclose(drawn.points("Losses")[0][:, 0], [0, 1, 2, 5, 6, 7, 8, 9], atol=0.01)
    assert drawn.source.split("<h2>Losses</h2>")[1].split('class="line"')[1].split("/>")[0].count("M") == 2
    assert "nan" not in re.sub(r"<(script|style)>.*?</\1>|base64,[^\"]*", "", drawn.source, flags=re.DOTALL).lower()


def test_a_curve_without_a_single_number_is_left_out(run: Path) -> None:
    (run / "log.jsonl").write_text('{"kimg": 1, "loss_G": NaN, "loss_D": 0.5}\n')
    drawn = page(run)
    assert len(drawn.points("Losses")) == 1
    assert "Logits" not in drawn.text


def test_a_first_value_can_be_seen_though_it_makes_no_line(run: Path) -> None:
    (run / "log.jsonl").write_text('{"kimg": 1, "r1": 0.5}\n{"kimg": 2, "fid": 0.0}\n')
    rings = page(run).all("i", "ring")
    assert [(ring["title"], ring["style"].split(";")[1]) for ring in rings] == [
        ("best 0 at 2 kimg", "left:100.00%"), ("0.5 at 1 kimg", "left:50.00%")
    ]  # fmt: skip


def test_one_wild_value_does_not_flatten_the_rest(run: Path) -> None:
    lines = [{"kimg": k, "loss_G": 1e6 if k in (0, 200) else 1.0 + k % 2} for k in range(400)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    drawn = page(run)
    top = float(drawn.all("figure", "chart")[0]["data-y"].split()[1])
    assert 2 <= top < 3
    assert (drawn.points("Losses")[0][:, 1] <= 2.01).all()


def test_a_loss_that_runs_away_at_the_end_is_seen(run: Path) -> None:
    lines = [{"kimg": k, "loss_G": 1.0 if k < 395 else 10.0 ** (k - 394)} for k in range(400)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert float(page(run).all("figure", "chart")[0]["data-y"].split()[1]) > 1000


def test_nothing_that_a_file_says_becomes_part_of_the_page(run: Path) -> None:
    evil = run.rename(run.parent / "<img src=x onerror=alert(1)>")
    (evil / "ended.json").write_text(json.dumps({"state": EVIL, "why": EVIL}))
    with Log(evil / "log.jsonl") as log:
        log.append({"kimg": 26, EVIL: 1.0, '"><script>': 2.0})
    drawn = page(evil)
    assert len(drawn.all("script")) == 1
    assert all("onerror" not in attrs for _, attrs in drawn.tags)
    assert EVIL in drawn.text


def test_the_page_needs_no_other_file_and_no_network(run: Path) -> None:
    drawn = page(run)
    for _, attrs in drawn.tags:
        for name in ("src", "href", "srcset", "action"):
            assert attrs.get(name, "data:").startswith("data:")
    assert "url(" not in drawn.source and "@import" not in drawn.source
    policy = next(a["content"] for a in drawn.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy


def test_a_running_page_comes_again_and_one_of_an_ended_run_does_not(run: Path) -> None:
    def refreshes() -> bool:
        return any(a.get("http-equiv") == "refresh" for a in page(run).all("meta"))

    assert refreshes()
    (run / "ended.json").write_text('{"state": "stopped", "why": "loss_G is not a number"}')
    assert not refreshes()
    assert "stopped: loss_G is not a number" in page(run).text


def test_the_page_shows_the_samples_in_order_and_the_newest_large(run: Path) -> None:
    pictures = page(run).pictures
    assert list(pictures) == ["25 kimg", "0 kimg", "5 kimg", "10 kimg", "15 kimg", "20 kimg", "training pictures"]
    assert pictures["25 kimg"].size == (64, 48)


def test_a_long_run_of_big_grids_stays_a_small_page(run: Path) -> None:
    picture(run / "samples" / "000025.jpg", (2048, 1536))
    big = (run / "samples" / "000025.jpg").read_bytes()
    for kimg in range(26, 70):
        (run / "samples" / f"{kimg:06d}.jpg").write_bytes(big)
    path = write_page(run)
    pictures = Page(path).pictures
    assert path.stat().st_size < 4e6
    assert 12 <= len(pictures) - 2 <= 24
    assert pictures["69 kimg"].width > 2 * pictures["0 kimg"].width


def test_a_grid_that_was_shown_stays_on_the_time_line_while_the_run_goes_on(run: Path) -> None:
    small = (run / "samples" / "000025.jpg").read_bytes()
    for kimg in range(26, 60):
        (run / "samples" / f"{kimg:06d}.jpg").write_bytes(small)
    before = set(page(run).pictures) - {"59 kimg"}
    (run / "samples" / "000060.jpg").write_bytes(small)
    assert before <= set(page(run).pictures)


def test_a_grid_that_is_cut_in_half_is_left_out(run: Path) -> None:
    newest = run / "samples" / "000025.jpg"
    newest.write_bytes(newest.read_bytes()[:500])
    for name in ("reals.jpg", "000010.jpg"):
        (run / "samples" / name).write_bytes(b"no picture")
    drawn = page(run)
    assert list(drawn.pictures) == ["20 kimg", "0 kimg", "5 kimg", "15 kimg"]
    assert re.findall(r"<figcaption>(\d+)</figcaption>", drawn.source) == ["0", "5", "15"]


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"options": {"kimg": {"val')
    assert "running" in page(tmp_path).text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["index.html", "run.json"]


def test_the_page_of_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinesphereError, match=r"no run '.*nowhere'.*kinesphere train"):
        write_page(tmp_path / "nowhere")


def test_a_very_long_log_is_drawn_quickly_with_every_metric(run: Path) -> None:
    plain = [json.dumps(entry(step)) for step in range(100_000)]
    for step in range(1000, 100_000, 10_007):
        plain[step] = json.dumps(entry(step, fid=float(step)))
    (run / "log.jsonl").write_text("\n".join(plain) + '\n{"step": 100')
    begun = time.process_time()
    drawn = page(run)
    assert time.process_time() - begun < 3  # a third of a second here, when nothing else runs
    np.testing.assert_allclose(drawn.points("FID")[0][:, 0], np.arange(1000, 100_000, 10_007) / 4, atol=15)
    assert "24999.8 of 50" in drawn.text
    assert 300 <= len(drawn.points("Logits")[0]) <= 600


def test_all_that_a_metric_says_is_in_one_chart(run: Path) -> None:
    lines = [{"kimg": k, "swd": 3.0, "swd16": 2.0, "swd128": 4.0, "fid_filterbank": 9.0, "swdish": 1.0} for k in (1, 2)]
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    blocks = page(run).source.split('<figure class="chart"')[1:]
    legends = {
        re.search("<h2>(.*?)</h2>", block)[1]: re.findall(r"</i>([^<]*) <b>", block)  # type: ignore[index]
        for block in blocks
    }
    assert legends == {"FID": ["filterbank"], "SWD": ["mean", "16 px", "128 px"], "swdish": ["swdish"]}
    assert "lower is better" in blocks[0] and "lower is better" in blocks[1]


def test_a_run_without_augmentation_draws_no_p_and_no_target(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    assert len(page(run).points("Overfitting")) == 2
    assert ">target<" in page(run).source
    (run / "run.json").write_text(json.dumps(about | {"recipe": {"augment": "none", "ada_target": 0.6}}))
    assert len(page(run).points("Overfitting")) == 1
    assert ">target<" not in page(run).source


def test_the_whole_recipe_is_asked_before_the_choices(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {"recipe": {"kimg": 100.0}}))
    assert "25.0 of 100" in page(run).text


def test_the_page_says_from_where_and_on_what_a_run_went_on(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    sessions = [{"kimg": 0.0}, {"kimg": 12.5, "started": "2026-01-02T03:04:05+00:00", "device": "a <big> card"}]
    (run / "run.json").write_text(json.dumps(about | {"sessions": sessions, "notes": ["W is kept"]}))
    text = page(run).text
    for said in ("at 12.5 kimg", "a <big> card", "W is kept"):
        assert said in text
