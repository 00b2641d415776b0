"""A run in its folder: it survives Ctrl-C, kill -9, a full disk, NaN and vanished pictures, and goes on as if nothing had been."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch.testing import assert_close

from kinesphere import checkpoints, files
from kinesphere.train import album, diary, launch, report, state
from kinesphere.train import run as runs
from kinesphere.train.datasets import TrainingSet
from kinesphere.types import KinesphereError

TINY = dict(
    channels=(4, 4, 4), z_dim=4, w_dim=4, mapping_layers=1, batch=4, augment="none", r1_every=4, metric="none",
    ada_every=2, log_kimg=0.016, samples_kimg=0.04, snapshot_kimg=0.032, kimg=0.064,
)  # fmt: skip
# A stride is 2 steps of 4 pictures; a line of the log every 2 strides, a snapshot every 4, the end after 8.


@pytest.fixture(autouse=True)
def threads(one_thread):
    pass


@pytest.fixture
def pictures(tmp_path):
    return squares(tmp_path / "squares")


def squares(folder, mode="RGB", labels=None, count=12):
    """A training set as NVIDIA lays it out: a blue square on red, in `mode`."""
    rng = np.random.RandomState(0)
    folder.mkdir()
    names = [f"{i:03d}.png" for i in range(count)]
    for name in names:
        pixels = np.full((16, 16, 3), (230, 60, 40), np.uint8)
        x, y = rng.randint(0, 9, 2)
        pixels[y : y + 8, x : x + 8] = (30, 80, 220)
        Image.fromarray(pixels).convert(mode).save(folder / name)
    pairs = [[name, i % labels] for i, name in enumerate(names)] if labels else None
    (folder / "dataset.json").write_text(json.dumps({"labels": pairs}))
    return folder


def fabric():
    return Fabric(accelerator="cpu", devices=1)


def new(pictures, folder, **asked):
    return launch.run(str(pictures), folder, fabric(), **(TINY | asked))


def resumed(folder, **changes):
    return launch.run(None, folder, fabric(), resume=True, **changes)


def follow(run, lines=None):
    """Let a run go, to its end or until a number of lines is written, when it is asked to end as Ctrl-C asks."""
    told = []
    for entry in run.go():
        told.append(entry)
        if len(told) == lines:
            run.stop.asked = "Ctrl-C"
    return told


def kept(folder):
    tensors, numbers = state.read_state(folder / "state.safetensors")
    return tensors, {name: value for name, value in numbers.items() if name != "seconds"}


def assert_same_state(one, other):
    (tensors, numbers), (others, theirs) = kept(one), kept(other)
    assert numbers == theirs
    assert tensors.keys() == others.keys()
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []


def timeless(folder):
    return [
        {k: v for k, v in e.items() if k not in ("seconds", "img_per_s", "time_left_s")}
        for e in diary.read_log(folder / "log.jsonl")
    ]


def ended(folder):
    return json.loads((folder / "ended.json").read_text())


def test_a_stopped_run_goes_on_as_if_nothing_had_been(tmp_path, pictures):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    follow(new(pictures, whole))
    first = new(pictures, parts)
    follow(first, lines=1)
    assert first.stopping == "Ctrl-C at 0.0 kimg" and ended(parts)["state"] == "stopped"
    assert f"kinesphere train --out {parts} --resume" in first.farewell()
    torch.rand(3)  # whatever else happened meanwhile
    follow(resumed(parts), lines=2)
    last = resumed(parts)
    follow(last)
    assert last.stopping == "" and ended(parts)["state"] == "finished"
    assert_same_state(whole, parts)
    assert timeless(whole) == timeless(parts) and len(timeless(whole)) == 4
    sheet = "samples/000000.jpg"
    assert (whole / sheet).read_bytes() == (parts / sheet).read_bytes()


def test_a_finished_run_plays_at_once(tmp_path, pictures):
    run = new(pictures, tmp_path / "run")
    follow(run)
    checkpoint = checkpoints.load(tmp_path / "run")
    ws = torch.randn(2, checkpoint.G_ema.num_ws, 4)
    assert_close(checkpoint.G_ema.synthesis(ws), run.training.G_ema.synthesis(ws))
    assert checkpoint.G is None and checkpoint.D is not None
    assert any("12 pictures of squares" in note for note in checkpoint.card.notes)
    assert "kinesphere play --model" in run.farewell()


def test_ctrl_c_ends_after_the_step_and_a_second_one_at_once(tmp_path, pictures, monkeypatch):
    folder = tmp_path / "run"
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def asked_twice(run, number):
        step = run.training.step

        def asked():
            step()
            if not run.stop.asked:
                signal.raise_signal(number)
                time.sleep(0.002)
                signal.raise_signal(number)

        run.training.step = asked
        return run

    # as torchrun does, which passes on what the terminal has sent already
    run = asked_twice(new(pictures, folder), signal.SIGTERM)
    follow(run)
    assert run.stopping == "SIGTERM at 0.0 kimg" and ended(folder)["state"] == "stopped"
    assert kept(folder)[1]["steps"] == 2
    assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]

    monkeypatch.setattr("kinesphere.train.stopping.ONE_WISH", 0.001)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where the tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            follow(asked_twice(resumed(folder), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before[signal.SIGINT])
    assert ended(folder) == {"state": "stopped", "why": "it was left at once"}
    follow(resumed(folder))
    assert ended(folder)["state"] == "finished"


@pytest.mark.parametrize("what", ["state.safetensors", "snapshot", "log", "best.json"])
def test_a_full_disk_ends_in_words_with_the_run_intact(what, tmp_path, pictures, monkeypatch):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    follow(new(pictures, whole))
    run = new(pictures, folder)

    def no_room(*args, **kwargs):
        raise OSError(28, "No space left on device")

    def no_room_in_words(*args, **kwargs):
        raise KinesphereError("it cannot be written: No space left on device")

    replace = files.replace
    with monkeypatch.context() as full, pytest.raises(KinesphereError, match="No space left on device"):
        for number, _ in enumerate(run.go()):
            if number or what != "snapshot":
                full.setattr(
                    files, "replace", lambda path, write: no_room() if path.name == what else replace(path, write)
                )
            if what == "snapshot":
                full.setattr(album.checkpoints, "save", no_room_in_words)
            if what == "log":
                full.setattr(diary.Log, "append", no_room_in_words)
    assert ended(folder)["state"] == "stopped" and "No space left" in ended(folder)["why"]
    assert kept(folder)[1]["steps"] == (0 if what == "state.safetensors" else 8)
    follow(resumed(folder))
    assert_same_state(folder, whole)


def test_a_run_goes_on_without_what_is_only_to_be_looked_at(tmp_path, pictures, monkeypatch, caplog):
    replace = files.replace

    def no_room(path, write):
        if path.suffix == ".jpg":
            raise OSError(28, "No space left on device")
        replace(path, write)

    monkeypatch.setattr(files, "replace", no_room)
    monkeypatch.setattr(report, "write_page", lambda run: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    follow(new(pictures, tmp_path / "run"))
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert sum("000000.jpg" in line for line in said) == 1  # it says so once
    assert ended(tmp_path / "run")["state"] == "finished"


@pytest.mark.parametrize("where", ["weight", "moment"])
def test_numbers_that_are_none_end_in_words_and_never_reach_the_disk(where, tmp_path, pictures):
    folder = tmp_path / "run"
    run = new(pictures, folder)
    with pytest.raises(
        KinesphereError, match=r"is no number any more at 0\.0 kimg.*--resume.*--set lr_G=0\.00125.*larger --gamma"
    ) as met:
        for number, _ in enumerate(run.go()):
            if number == 1:  # after a snapshot and a state
                parameter = run.training.learning_D[0]
                (parameter if where == "weight" else run.training.opt_D.state[parameter]["exp_avg"]).data.flatten()[
                    0
                ] = np.nan
    assert re.match(r"(opt_)?[GD]\.", str(met.value))
    tensors, numbers = kept(folder)
    assert numbers["steps"] == 8 and state.not_finite(tensors, numbers) == ""
    follow(resumed(folder, lr_G=0.00125, lr_D=0.00125, gamma=2.0))
    about = json.loads((folder / "run.json").read_text())
    assert {(c["name"], c["to"]) for c in about["changes"]} == {("lr_G", 0.00125), ("lr_D", 0.00125), ("gamma", 2.0)}
    assert all(c["kimg"] == 0.032 for c in about["changes"])
    assert "changed at" in about["options"]["gamma"]["reason"]


@pytest.mark.parametrize("how", ["vanished", "damaged"])
def test_a_picture_that_cannot_be_read_ends_in_words(how, tmp_path, pictures, monkeypatch):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    follow(new(pictures, whole))
    monkeypatch.setattr(
        TrainingSet, "cached", lambda self: self
    )  # as for a set that is too large to be decoded beforehand
    run = new(pictures, folder)
    files = {path: path.read_bytes() for path in pictures.glob("*.png")}
    with pytest.raises(KinesphereError, match=r"picture \d+\.png .* cannot be read: it (has vanished|is damaged)"):
        for number, _ in enumerate(run.go()):
            for path in files if number == 1 else []:
                path.unlink() if how == "vanished" else path.write_bytes(files[path][:60])
    assert "cannot be read" in ended(folder)["why"]
    for path, data in files.items():
        path.write_bytes(data)
    follow(resumed(folder))
    assert_same_state(folder, whole)


def test_what_is_newer_than_the_state_is_made_again(tmp_path, pictures):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    scores = iter([{"swd": 5.0}, {"swd": 1.0}, {"swd": 7.0}, {"swd": 7.0}])
    names = dict(snapshot_kimg=1.024, kimg=2.048, log_kimg=0.512, samples_kimg=1.024, batch=64, metric="swd")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runs.metrics, "evaluate", lambda *args, **kwargs: next(scores))
        run = new(pictures, folder, **names)
        for number, _ in enumerate(run.go()):
            if number == 1:
                early = (folder / "state.safetensors").read_bytes()
        assert diary.read_object(folder / "best.json") == {
            "snapshot": "000002.safetensors",
            "metric": "swd",
            "score": 1.0,
        }
        (folder / "state.safetensors").write_bytes(early)  # as if it had crashed before it was kept again
        again = resumed(folder)
        going = again.go()
        next(going)
        assert diary.read_object(folder / "best.json")["snapshot"] == "000001.safetensors"  # of the log that is left
        for _ in going:
            pass
    assert [e["step"] for e in diary.read_log(folder / "log.jsonl")] == [8, 16, 24, 32]
    assert diary.read_object(folder / "best.json") == {"snapshot": "000001.safetensors", "metric": "swd", "score": 5.0}
    assert not (whole).exists()


def test_a_finished_run_asks_for_more(tmp_path, pictures):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    follow(new(pictures, folder, kimg=0.03))  # 0.032: a run ends where it can go on
    with pytest.raises(KinesphereError, match="has finished its 0.03 kimg.*kinesphere play.*--resume --kimg 0.06"):
        resumed(folder)
    follow(resumed(folder, kimg=0.064))
    follow(new(pictures, whole))
    assert_same_state(folder, whole)


def test_what_makes_the_run_stays(tmp_path, pictures):
    follow(new(pictures, tmp_path / "run"), lines=1)
    for name, value in dict(seed=5, batch=8, channels=(8, 8, 8)).items():
        with pytest.raises(
            KinesphereError, match=f"{name} of a run that has begun stays .*, it cannot become .*--from"
        ):
            resumed(tmp_path / "run", **{name: value})
    resumed(tmp_path / "run", seed=0)  # what it was is no change


def test_a_fixed_augmentation_can_be_changed(tmp_path, pictures):
    follow(new(pictures, tmp_path / "run", augment="bgc", ada_target=None, augment_p=0.1), lines=1)
    run = resumed(tmp_path / "run", augment_p=0.5)
    follow(run, lines=1)
    assert kept(tmp_path / "run")[1]["ada_p"] == 0.5


def test_there_must_be_a_place(tmp_path, pictures):
    follow(new(pictures, tmp_path / "deep" / "down" / "run"), lines=1)
    with pytest.raises(
        KinesphereError, match="there is a run in .* already: go on with --resume, or choose another --out"
    ):
        new(pictures, tmp_path / "deep" / "down" / "run")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(KinesphereError, match="is a file.*choose another --out"):
            new(pictures, folder)
        with pytest.raises(KinesphereError, match="there is no run in .*without --resume"):
            resumed(folder)


def test_a_run_that_goes_on_elsewhere_is_left_alone(tmp_path, pictures):
    going = new(pictures, tmp_path / "run").go()
    next(going)
    with pytest.raises(KinesphereError, match="a run is going on in"):
        resumed(tmp_path / "run")
    going.close()
    follow(resumed(tmp_path / "run"))


def test_run_json_says_what_it_is_and_not_where(tmp_path, pictures, monkeypatch):
    monkeypatch.chdir(tmp_path)
    follow(new("squares", Path("run")), lines=1)
    text = (tmp_path / "run" / "run.json").read_text()
    about = json.loads(text)
    assert about["data"] | {"fingerprint": 0} == {
        "source": "squares", "pictures": 12, "resolution": 16, "channels": 3, "classes": 0, "fingerprint": 0,
    }  # fmt: skip
    assert about["options"]["batch"] == {"value": 4, "reason": "asked for"}
    assert about["options"]["size"]["reason"] == "as the training set has it"
    assert about["sessions"][0]["processes"] == 1 and about["sessions"][0]["versions"]["torch"] == torch.__version__
    assert str(tmp_path) not in text


def test_other_pictures_are_told_or_refused(tmp_path, pictures, caplog):
    follow(new(pictures, tmp_path / "run"), lines=1)
    Image.new("RGB", (16, 16)).save(pictures / "999.png")
    follow(resumed(tmp_path / "run"), lines=1)
    assert "not the pictures that the run was begun on (12 then, 13 now)" in caplog.text
    other = squares(tmp_path / "other", labels=2)
    with pytest.raises(KinesphereError, match="begun on pictures of 16 px, 3 colour channels, 0 classes; .* 2 classes"):
        launch.run(str(other), tmp_path / "run", fabric(), resume=True)


def test_a_run_of_the_first_form_goes_on(tmp_path, pictures):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    follow(new(pictures, whole))
    follow(new(pictures, folder), lines=2)
    about = json.loads((folder / "run.json").read_text())
    old = {k: v for k, v in about.items() if k not in ("sessions", "changes")}
    old["data"] = {k: about["data"][k] for k in ("source", "pictures", "resolution", "classes")}
    (folder / "run.json").write_text(json.dumps(old))
    tensors, numbers = state.read_state(folder / "state.safetensors")
    kept_then = {name: value for name, value in tensors.items() if not name.startswith("diary.")}
    state.write_state(folder / "state.safetensors", kept_then, numbers)
    follow(resumed(folder))
    assert_same_state(folder, whole)


@pytest.mark.parametrize(
    ("mode", "labels", "asked"),
    [
        ("RGB", 3, {}),
        ("L", None, {}),
        ("RGBA", None, {}),
        ("RGB", None, dict(family="stylegan3-t", channels=(8, 8, 8))),
    ],
    ids=["classes", "grey", "alpha", "stylegan3"],
)
def test_all_kinds_of_pictures_and_models(mode, labels, asked, tmp_path):
    pictures = squares(tmp_path / "squares", mode, labels)
    follow(new(pictures, tmp_path / "run", **asked), lines=1)
    run = resumed(tmp_path / "run", kimg=0.032)
    follow(run)
    G = checkpoints.load(tmp_path / "run").G_ema
    assert G.c_dim == (labels or 0) and G.img_channels == {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    assert {p.name for p in (tmp_path / "run" / "samples").iterdir()} == {"000000.jpg", "reals.jpg"}


def test_the_worse_half_of_a_pair_counts():
    assert album.score({"kimg": 1, "loss_G": 3.0}) is None
    assert album.score({"swd16": 9.0, "swd": 7.0}) == 7.0
    assert album.score({"fid_filterbank": 7.0}) == 7.0
    collapsed, fair = ({"precision_x": p, "recall_x": r} for p, r in ((1.0, 0.1), (0.6, 0.5)))
    assert album.score(fair) < album.score(collapsed)
    assert album.score({"swd": float("nan")}) is None


def test_a_live_line_moves_between_the_lines_of_the_log(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(runs, "GLANCE_EVERY", 0.0)
    shown = list(new(pictures, tmp_path / "run").go(live=True))
    assert [e["step"] for e in shown] == list(range(2, 17, 2))
    assert len(timeless(tmp_path / "run")) == 4
    assert all(re.match(r"\s*0\.\d kimg of 0\.064 \|", diary.live_line(e, 0.064)) for e in shown)


# In processes of their own --------------------------------------------------------------------------------------------


def command(pictures, folder, *more):
    said = [
        f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
        for name, value in (TINY | {"kimg": 100}).items()
    ]
    options = [part for text in said for part in ("--set", text)]
    return [
        sys.executable,
        "-m",
        "kinesphere",
        "train",
        str(pictures),
        "--out",
        str(folder),
        "--device",
        "cpu",
        *options,
        *more,
    ]


def started(pictures, folder, *more):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(pictures, folder, *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def until_snapshot(process, folder):
    """Wait until the run has kept a state beyond its beginning."""
    snapshots = folder / "snapshots"
    deadline = time.monotonic() + 400
    while not (snapshots.is_dir() and any(snapshots.iterdir()) and kept(folder)[1]["steps"]):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.timeout(900)  # for a busy machine; seconds on an idle one
def test_a_killed_run_resumes_bit_for_bit(tmp_path, pictures):
    folder, whole = tmp_path / "run", tmp_path / "whole"
    process = started(pictures, folder)
    until_snapshot(process, folder)
    process.kill()
    process.communicate()
    assert not (folder / "ended.json").exists()
    steps = kept(folder)[1]["steps"]
    assert steps > 0
    follow(resumed(folder, kimg=(steps + 8) * 4 / 1000))
    follow(new(pictures, whole, kimg=(steps + 8) * 4 / 1000))
    assert_same_state(folder, whole)


@pytest.mark.timeout(900)  # for a busy machine; seconds on an idle one
def test_ctrl_c_of_two_processes_keeps_everything(tmp_path, pictures):
    folder = tmp_path / "run"
    process = started(pictures, folder, "--devices", "2")
    until_snapshot(process, folder)
    os.kill(process.pid, signal.SIGINT)  # to one of them alone: the other learns of it
    said = process.communicate(timeout=400)[0]
    assert process.returncode == 130, said
    assert "--resume" in said and "Traceback" not in said
    assert ended(folder)["state"] == "stopped" and "Ctrl-C" in ended(folder)["why"]
    last = diary.read_log(folder / "log.jsonl")[-1]["step"]
    assert kept(folder)[1]["steps"] >= last


@pytest.mark.timeout(900)  # for a busy machine; seconds on an idle one
def test_what_the_first_process_cannot_do_ends_all_of_them(tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "words.txt").write_text("no picture")
    process = started(tmp_path / "nothing", tmp_path / "run", "--devices", "2", "--size", "16")
    said = process.communicate(timeout=400)[0]
    assert process.returncode == 1
    assert "no good picture" in said and "Traceback" not in said
