"""A log that survives a crash, a line that stays in place, and one best snapshot."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.checkpoints import places
from kinesphere.train.diary import Log, Score, best_snapshot, duration, live_line, number, read_log
from kinesphere.types import KinesphereError


def entry(step: int, **more: Any) -> dict[str, Any]:
    return {
        "step": step, "kimg": step / 4, "seconds": step * 4.0, "img_per_s": 62.5, "time_left_s": 2460.0, "loss_G": 0.91,
        "loss_D": 0.62, "logit_real": 0.5, "logit_fake": -0.75, "ada_p": 0.12, "r_t": 0.41, **more,
    }  # fmt: skip


# The log


def test_the_log_gives_back_what_was_written(tmp_path: Path) -> None:
    with Log(tmp_path / "run" / "log.jsonl") as log:
        log.append(entry(1))
        log.append({"step": 2, "loss_G": torch.tensor(0.5), "r1": np.float32(0.25), "name": "ö"})
    assert read_log(tmp_path / "run" / "log.jsonl") == [entry(1), {"step": 2, "loss_G": 0.5, "r1": 0.25, "name": "ö"}]


def test_each_line_is_on_disk_before_the_next_step(tmp_path: Path) -> None:
    with Log(tmp_path / "log.jsonl") as log:
        log.append(entry(1))
        assert read_log(tmp_path / "log.jsonl") == [entry(1)]


def test_a_log_can_be_read_by_a_strict_reader(tmp_path: Path) -> None:
    with Log(tmp_path / "log.jsonl") as log:
        log.append({"step": 1, "loss_G": math.nan, "loss_D": torch.tensor(math.inf), "r1": np.float64("-inf")})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    line = (tmp_path / "log.jsonl").read_text()
    assert json.loads(line, parse_constant=refuse) == {"step": 1, "loss_G": None, "loss_D": None, "r1": None}


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "log.jsonl") == []


@pytest.mark.parametrize("cut", [b'{"step": 3, "ki', b"\xff\xfe", b"[1, 2]", b"[" * 100_000, b"null"])
def test_a_line_that_is_no_entry_is_skipped(tmp_path: Path, cut: bytes) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'{"step": 1}\n\n{"step": 2}\n' + cut)
    assert [e["step"] for e in read_log(tmp_path / "log.jsonl")] == [1, 2]


def test_going_on_after_a_crash_does_not_glue_a_line_to_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2, "lo')
    with Log(path) as log:
        log.append({"step": 2})
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'


def test_a_whole_last_line_without_its_end_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2}')
    with Log(path) as log:
        log.append({"step": 3})
    assert [e["step"] for e in read_log(path)] == [1, 2, 3]


def test_resuming_drops_the_steps_that_will_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        for step in range(10):
            log.append({"step": step, "try": 1})
    with Log(path, step=6) as log:
        log.append({"step": 7, "try": 2})
    assert [(e["step"], e["try"]) for e in read_log(path)] == [(s, 1) for s in range(7)] + [(7, 2)]


def test_a_log_is_never_half_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KinesphereError, match="log.jsonl.*No space left on device"):
        Log(path, step=1)
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_of_a_very_long_log_some_lines_are_read_and_every_metric(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with Log(path) as log:
        for step in range(1000):
            log.append(entry(step, **({"fid": 1.0} if step in (13, 500, 777) else {})))
    found = read_log(path, 50)
    assert 45 <= len(found) <= 55
    assert [e["step"] for e in found if "fid" in e] == [13, 500, 777]
    assert found[-1]["step"] == 999


# The progress line


def test_the_line_says_where_the_run_is() -> None:
    said = {
        "kimg": 42.1,
        "img_per_s": 63.2,
        "time_left_s": 2460,
        "loss_G": 0.91,
        "loss_D": 0.62,
        "r_t": 0.41,
        "ada_p": 0.12,
    }
    assert " ".join(live_line(said, 200).split()) == (
        "42.1 kimg of 200 | 63.2 img/s | 41 min left | G 0.91 D 0.62 | r_t 0.41 p 0.12"
    )


def test_the_line_leaves_out_what_is_not_known() -> None:
    assert live_line({"kimg": 1.0, "loss_G": 0.5, "loss_D": None}, 25000) == "    1.0 kimg of 25000 | G  0.50"


@given(
    st.fixed_dictionaries(
        {
            "kimg": st.floats(0, 200),
            "img_per_s": st.floats(0.01, 9e3),
            "time_left_s": st.floats(0, 90 * 86400),
            "loss_G": st.floats(-1e9, 1e9) | st.just(math.nan),
            "loss_D": st.floats(0, 1e5) | st.just(math.inf),
            "r_t": st.floats(-1, 1),
            "ada_p": st.floats(0, 1),
        }
    )
)
def test_the_line_never_changes_its_width(said: dict[str, float]) -> None:
    assert len(live_line(said, 200)) == len(live_line(entry(1), 200))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (35.2, "35 s"), (2460, "41 min"), (7500, "2 h 05 min"), (90 * 3600, "3 d 18 h"), (math.nan, "?")],
)
def test_times_are_read_at_a_glance(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.03124, "0.0312"), (62.71, "62.7"), (1240.4, "1,240"), (3.1e-6, "3.1e-6"), (2.5e8, "2.50e8")]
)
def test_numbers_are_read_at_a_glance(value: float, said: str) -> None:
    assert number(value) == said


# The best snapshot


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run with three snapshots, of which the second was chosen."""
    (tmp_path / "snapshots").mkdir()
    for kimg in (5, 10, 15):
        (tmp_path / "snapshots" / f"{kimg:06d}.safetensors").write_bytes(b"")
    (tmp_path / "best.json").write_text('{"snapshot": "000010.safetensors", "metric": "swd", "score": 9.5}')
    return tmp_path


def test_the_best_snapshot_is_the_one_that_was_chosen(run: Path) -> None:
    best = best_snapshot(run)
    assert best == Score(run / "snapshots" / "000010.safetensors", "swd", 9.5)
    assert best.kimg == 10


def test_a_metric_of_which_more_is_better_is_told_as_it_was_measured(run: Path) -> None:
    (run / "best.json").write_text('{"snapshot": "000010.safetensors", "metric": "pr", "score": -0.25}')
    assert best_snapshot(run).value == 0.25  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "said",
    [
        None,
        "{",
        "[]",
        '{"snapshot": "000099.safetensors", "metric": "swd", "score": 1.0}',
        '{"snapshot": 5, "score": 1}',
    ],
)
def test_where_no_choice_can_be_read_the_newest_is_best(run: Path, said: str | None) -> None:
    (run / "best.json").unlink() if said is None else (run / "best.json").write_text(said)
    best = best_snapshot(run)
    assert best is not None
    assert (best.snapshot.name, best.metric, math.isnan(best.value)) == ("000015.safetensors", "", True)


def test_a_choice_without_a_measurement_is_no_score(run: Path) -> None:
    (run / "best.json").write_text('{"snapshot": "000010.safetensors", "metric": "none", "score": null}')
    best = best_snapshot(run)
    assert best is not None
    assert (best.kimg, best.metric) == (10, "")


def test_the_best_is_what_is_played_by_the_name_of_the_run(run: Path) -> None:
    best = best_snapshot(run)
    assert best is not None
    assert places.find(run, []) == best.snapshot


def test_a_run_without_snapshots_has_no_best(tmp_path: Path) -> None:
    assert best_snapshot(tmp_path) is None
