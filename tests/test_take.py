"""Takes: what was played plays again to the bit, a crash costs less than a second, and a stranger's file is only data."""

import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import Hand, Kept, Placed, stir, tiny_generator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from kinesphere import patch as patches
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.engine import Engine
from kinesphere.features import FEATURES, Activations, Brightness
from kinesphere.lanes import Drawn
from kinesphere.models import StyleGAN2
from kinesphere.patch import STATIONS, Drive, Latent, Patch
from kinesphere.routes import OneEuro, Route, Spring
from kinesphere.sources import Camera
from kinesphere.takes import BadTake, Recorder, Replay, Take, layout, recorder, render_take, replay
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
Z_DIM = 16


class Fed:
    """Lanes that show what a script says: a number and a latent, each new at every second step, after a while none."""

    def __init__(self, seed=0, z_dim=Z_DIM):
        self.rng = np.random.RandomState(seed)
        self.z_dim, self.calls = z_dim, 0
        self.drawn = {}

    def features(self, t):
        self.calls += 1
        if self.calls % 2 and self.calls > 2:
            self.drawn["light"] = Drawn(np.asarray(self.rng.rand() if self.calls % 5 else np.nan), t - 0.01)
        if not self.calls % 2:
            self.drawn["scene"] = Drawn(self.rng.randn(self.z_dim).astype(np.float32), t - 0.03)
        return self.drawn

    def show(self, frame, t):
        pass


def instrument(**latents):
    return Patch(
        model="tiny",
        sources={"eye": Camera()},
        features={"scene": Activations(), "light": Brightness()},
        latent=Latent(**{"seed": 3, "rows": {"coarse": Drive("scene")}, **latents}),
    )


MOVING = Route(
    "light", low=-0.3, high=1.2, one_euro=OneEuro(0.8, 0.4), attack=0.05, release=0.4, spring=Spring(1.5, 0.4)
)


def checkpoint(**sizes):
    G = tiny_generator("stylegan2", **sizes).requires_grad_(False)
    return Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))


@pytest.fixture(scope="module")
def tiny_model():
    return checkpoint()


@pytest.fixture
def load(tiny_model):
    return {"tiny": tiny_model}.__getitem__


def times(n, seed=1, fps=30.0, start=7.3):
    """The times of steps as a busy machine makes them: uneven, and not from 0 on."""
    return start + np.cumsum(np.random.RandomState(seed).uniform(0.5, 1.5, n) / fps)


def perform(engine, path, n=40, changes=None, ts=None, before=5, lanes=None):
    """Play `before` steps unrecorded and `n` recorded ones; the take's file, and ws and frame of every recorded step."""
    engine.lanes, seen = lanes or Fed(z_dim=engine.G.z_dim), []
    ts = times(before + n) if ts is None else ts
    with Recorder(path, lambda: engine) as take:
        for i, (last, t) in enumerate(itertools.pairwise([ts[0] - 1 / 30, *ts])):
            if i in (changes or {}):
                engine.play(changes[i])
            engine.step(float(t), float(t - last))
            if i >= before - 1:
                take(engine.moment)
            if i >= before:
                seen.append((engine.ws.clone(), engine.frame.copy()))
    assert take.error is None and take.steps == n
    return seen


def play_back(take, load, **more):
    playing, seen = Replay(take, load=load, **more), []
    while not playing.over:
        playing.next()
        seen.append((playing.engine.ws.clone(), playing.engine.frame.copy()))
    return seen, playing


def assert_same(a, b):
    assert len(a) == len(b)
    for i, ((ws, frame), (ws_again, frame_again)) in enumerate(zip(a, b, strict=True)):
        assert torch.equal(ws, ws_again), i
        assert frame.tobytes() == frame_again.tobytes(), i


# --- the same again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, patch",
    {
        "latent": instrument(psi=0.7),
        "filters": instrument(psi=MOVING, rows={"coarse": Drive("scene", MOVING), "fine": Drive("scene", 0.4)}),
        "mix": instrument(mix=[(1, 0.3), (8, 0.5), (9, 0.2)], psi=MOVING),
        "drift": instrument(drift=3.0, rows={"0-1": Drive("scene")}, cutoff=4),
        "noise": patches.changed(instrument(psi=MOVING), {"picture.noise_mode": "random"}),
    }.items(),
)
def test_a_take_plays_again_to_the_bit(tmp_path, tiny_model, load, name, patch):
    """Also when the recording began in the middle, with filters on their way and noise counted from the first step."""
    played = perform(Engine(patch, tiny_model), tmp_path / "a.mcap")
    again, playing = play_back(Take.open(tmp_path / "a.mcap"), load)
    assert_same(played, again)
    assert playing.notes == [] and len({frame.tobytes() for _, frame in played}) > 10


def test_what_the_player_changed_while_playing_is_in_the_take(tmp_path, tiny_model, load):
    first = instrument(psi=MOVING)
    changes, now = {}, first
    for i, edits in {
        5: {"latent.psi.attack": 0.3},  # with the first recorded step
        6: {"latent.psi.attack": 0.05},
        9: {"latent.seed": 77, "latent.rows.fine": {"feature": "scene", "amount": 0.5}},
        10: {"latent.psi": 1.0},
        17: {"latent.psi": {"feature": "light", "low": 0.1, "attack": 0.2}, "picture.noise_mode": "random"},
        25: {"latent.rows.coarse": None, "latent.mix": [[4, 0.5], [5, 0.5]]},
        30: {"features.light": {"kind": "brightness", "region": [0.0, 0.0, 0.5, 0.5]}},
    }.items():
        changes[i] = now = patches.changed(now, edits)
    played = perform(Engine(first, tiny_model), tmp_path / "a.mcap", changes=changes)
    take = Take.open(tmp_path / "a.mcap")
    again, _ = play_back(take, load)
    assert_same(played, again)
    assert [p for _, p in take.patches()] == [*changes.values()]


def test_every_number_is_in_the_take_to_the_bit(tmp_path, tiny_model):
    engine = Engine(instrument(psi=MOVING), tiny_model)
    heard = []
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for t in times(30):
            engine.step(float(t), 0.1 + 1e-9 * t)
            take(engine.moment)
            heard.append((engine.moment.t, engine.moment.dt, dict(engine.moment.features)))
    moments = list(Take.open(take.path).moments())
    assert [(m.t, m.dt) for m in moments] == [(t, dt) for t, dt, _ in heard[1:]]
    for moment, (_, _, features) in zip(moments, heard[1:], strict=True):
        assert {n: (d.t, d.value.dtype, d.value.shape, d.value.tobytes()) for n, d in moment.features.items()} == {
            n: (d.t, d.value.dtype, d.value.shape, d.value.tobytes()) for n, d in features.items()
        }
    assert moments[10].features["scene"] is moments[11].features["scene"] or (
        moments[11].features["scene"] is moments[12].features["scene"]
    )


def test_another_model_in_the_middle_of_a_take_is_loaded_again(tmp_path, tiny_model):
    other = checkpoint(z_dim=24)
    engines = [
        Engine(instrument(psi=MOVING), tiny_model),
        Engine(patches.changed(instrument(), {"model": "two"}), other),
    ]
    seen, ts = [], times(40)
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for i, t in enumerate(ts):
            engine = engines[i >= 20]
            engine.lanes = engine.lanes if engine.steps else Fed(z_dim=engine.G.z_dim)
            engine.step(float(t), 1 / 30)
            take(engine.moment)
            if i not in (0, 20):
                seen.append((engine.ws.clone(), engine.frame.copy()))
    again, playing = play_back(Take.open(take.path), {"tiny": tiny_model, "two": other}.__getitem__)
    assert_same(seen, again)
    assert [p.model for p in playing.take.played] == ["tiny", "two"] and playing.notes == []


def test_nothing_that_a_take_names_is_opened(tmp_path, tiny_model, load, monkeypatch):
    """No camera, no network of a feature, no file of a sink."""
    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=4)

    def opened(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(Camera, "open", opened)
    monkeypatch.setattr(Activations, "open", opened)
    monkeypatch.setattr(Brightness, "open", opened)
    again, _ = play_back(Take.open(tmp_path / "a.mcap"), load)
    assert len(again) == 4


# --- live, and as a film ----------------------------------------------------------------------------------------------


class Wall:
    """A clock that goes on only while one waits, or works."""

    def __init__(self, work=0.0):
        self.now, self.work = 100.0, work

    def __call__(self):
        self.now += self.work
        return self.now

    def wait(self, seconds):
        self.now += seconds + 1e-4


def test_played_live_again_each_step_comes_when_it_came(tmp_path, tiny_model, load):
    played = perform(Engine(instrument(psi=MOVING), tiny_model), tmp_path / "a.mcap")
    take, kept, wall = Take.open(tmp_path / "a.mcap"), Kept(), Wall()
    assert replay(take, {"screen": kept}, load=load, clock=wall, wait=wall.wait) == len(take)
    assert [frame.tobytes() for _, frame in kept.all] == [frame.tobytes() for _, frame in played]
    np.testing.assert_allclose([t for t, _ in kept.all], take.times - take.start)
    assert wall.now - 100 == pytest.approx(take.duration, abs=0.06) and not kept.is_open


def test_a_machine_that_is_too_slow_leaves_steps_out_and_keeps_the_pace(tmp_path, tiny_model, load):
    """The filters go through all of them: what is shown is what was shown then."""
    played = perform(Engine(instrument(psi=MOVING), tiny_model), tmp_path / "a.mcap", n=80)
    take, kept, wall = Take.open(tmp_path / "a.mcap"), Kept(), Wall(work=0.1)
    shown = replay(take, {"screen": kept}, load=load, clock=wall, wait=wall.wait)
    assert 10 < shown < 40 and wall.now - 100 == pytest.approx(take.duration, abs=0.2)
    frames = [frame.tobytes() for _, frame in played]
    for t, frame in kept.all:
        assert frame.tobytes() == frames[take.at(t + 1e-9)]


def test_a_film_at_the_takes_own_times_has_its_frames(tmp_path, tiny_model, load):
    """In the middle of a performance, at times that are no round numbers."""
    patch = patches.changed(instrument(psi=MOVING, drift=4.0), {"picture.noise_mode": "random"})
    played = perform(Engine(patch, tiny_model), tmp_path / "a.mcap", n=30, ts=1234.567 + np.arange(35) / 30)
    take = Take.open(tmp_path / "a.mcap")
    playing = Replay(take, load=load)
    film = [playing.film(float(Fraction(i, 30)), 1 / 30).tobytes() for i in range(take.frames(Fraction(30)))]
    assert film == [frame.tobytes() for _, frame in played]


def test_between_two_steps_a_film_shows_the_routes_on_their_way(tmp_path, tiny_model, load):
    """What a step would have shown there: asking for more frames changes none of those that were there already."""
    perform(Engine(instrument(psi=MOVING), tiny_model), tmp_path / "a.mcap", n=20, ts=np.arange(25) / 10)
    take = Take.open(tmp_path / "a.mcap")
    films = {}
    for fps in (10, 40):
        playing = Replay(take, load=load)
        films[fps] = [playing.film(i / fps, 1 / fps).tobytes() for i in range(take.frames(Fraction(fps)))]
    assert films[40][::4] == films[10]
    assert len(set(films[40])) > 2 * len(set(films[10]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_film_lasts_as_long_as_the_take_at_any_rate(tmp_path, tiny_model, load, seed):
    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=23, ts=times(28, seed))
    take, lasts = Take.open(tmp_path / "a.mcap"), {}
    for fps in (24, 30, 60):
        frames = render_take(take, tmp_path / f"{fps}.mp4", Fraction(fps), load=load)
        with av.open(str(tmp_path / f"{fps}.mp4")) as film:
            assert sum(1 for _ in film.decode(video=0)) == frames
            lasts[fps] = frames / fps
    for fps, seconds in lasts.items():
        assert abs(seconds - take.duration) <= 0.5 / fps + 1e-6
    assert max(lasts.values()) - min(lasts.values()) <= 1 / 24


def test_the_sound_of_a_file_is_under_the_film(tmp_path, tiny_model, load):
    import wave

    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=30)
    with wave.open(str(tmp_path / "song.wav"), "wb") as song:
        song.setparams((1, 2, 8000, 0, "NONE", ""))
        song.writeframes((np.sin(np.arange(40_000) / 8) * 9000).astype("<i2").tobytes())
    take = Take.open(tmp_path / "a.mcap")
    render_take(take, tmp_path / "a.mp4", Fraction(30), load=load, sound=tmp_path / "song.wav")
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert float(film.streams.audio[0].duration * film.streams.audio[0].time_base) == pytest.approx(
            take.duration, abs=0.2
        )


# --- another model ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("z_dim", [8, 40])
def test_a_model_with_other_latents_dances_the_same_dance(tmp_path, tiny_model, z_dim):
    """Latents are turned, not cut: as long as before, and those that were near are near."""
    other = checkpoint(z_dim=z_dim)
    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=12)
    take = Take.open(tmp_path / "a.mcap")
    playing = Replay(take, "bigger", load={"bigger": other}.__getitem__)
    assert "16" in playing.notes[0] and str(z_dim) in playing.notes[0]
    was, now = [], []
    for moment in take.moments():
        playing.next()
        was.append(moment.features["scene"].value)
        now.append(playing.lanes.now["scene"].value)
    assert not playing.engine.health["latent"].failures
    assert all(z.shape == (z_dim,) for z in now)
    rms = [np.sqrt(np.mean(np.square(zs), axis=1)) for zs in (was, now)]
    np.testing.assert_allclose(*rms, rtol=1e-5)
    if z_dim > Z_DIM:  # an orthogonal turn keeps every angle
        unit = [np.stack(zs) / np.linalg.norm(zs, axis=1, keepdims=True) for zs in (was, now)]
        np.testing.assert_allclose(unit[0] @ unit[0].T, unit[1] @ unit[1].T, atol=1e-5)


class Found(Fed):
    """A latent of W for each row, too."""

    def features(self, t):
        self.drawn["found"] = Drawn(self.rng.randn(8, 12).astype(np.float32), t)
        return super().features(t)


@pytest.fixture
def found_in_w(monkeypatch):
    monkeypatch.setitem(FEATURES, "placed", Placed)
    played = instrument(rows={"coarse": Drive("scene"), "fine": Drive("found")})
    return replace(played, features={**played.features, "found": Placed()})


def test_a_latent_of_w_plays_again_to_the_bit(tmp_path, tiny_model, load, found_in_w):
    played = perform(Engine(found_in_w, tiny_model), tmp_path / "a.mcap", n=8, lanes=Found())
    again, playing = play_back(Take.open(tmp_path / "a.mcap"), load)
    assert_same(played, again)
    assert playing.notes == []


def test_a_latent_of_w_has_no_place_in_a_model_of_another_size(tmp_path, tiny_model, found_in_w):
    perform(Engine(found_in_w, tiny_model), tmp_path / "a.mcap", n=4, lanes=Found())
    other = checkpoint(z_dim=24, w_dim=20)
    _, playing = play_back(Take.open(tmp_path / "a.mcap"), lambda name: other, model="wider")
    assert [note for note in playing.notes if "left out" in note] == [
        "features.found is left out: its latents are of another model's W"
    ]
    assert "scene" in playing.lanes.now and "found" not in playing.lanes.now


def test_a_model_that_was_changed_since_is_told(tmp_path, tiny_model):
    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=3)
    G = tiny_generator("stylegan2").requires_grad_(False)
    G.synthesis.b8.conv0.bias += 0.001
    retrained = Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))
    take = Take.open(tmp_path / "a.mcap")
    notes = Replay(take, load=lambda name: retrained).notes
    assert len(notes) == 1 and "not the one" in notes[0] and take.played[0].weights[:12] in notes[0]
    assert Replay(take, "tiny", load=lambda name: retrained).notes == []  # asked for by the player


def smaller():
    """Of 16 px: fewer rows."""
    torch.manual_seed(5)
    G = stir(StyleGAN2(img_resolution=16, channels=[12, 12, 8], mapping_layers=2, z_dim=16, w_dim=12)).requires_grad_(
        False
    )
    return Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))


def test_a_patch_that_does_not_fit_the_other_model_is_refused_in_words(tmp_path, tiny_model):
    perform(Engine(instrument(rows={"0-7": Drive("scene")}), tiny_model), tmp_path / "a.mcap", n=3)
    with pytest.raises(KinesphereError, match="rows.0-7"):
        Replay(Take.open(tmp_path / "a.mcap"), "small", load=lambda name: smaller())


@pytest.mark.parametrize("size, side", [(None, 16), (48, 48)])
def test_a_film_has_the_size_of_its_model_or_what_was_asked(tmp_path, tiny_model, size, side):
    perform(Engine(instrument(), tiny_model), tmp_path / "a.mcap", n=3)
    take = Take.open(tmp_path / "a.mcap")
    render_take(take, tmp_path / "a.mp4", Fraction(30), "small", size=size, load=lambda name: smaller())
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (side, side)


def test_a_take_fetches_no_model_from_an_address(tmp_path, tiny_model):
    patch = patches.changed(instrument(), {"model": "https://example.com/model.pkl"})
    perform(Engine(patch, tiny_model), tmp_path / "a.mcap", n=3)
    asked = []
    with pytest.raises(KinesphereError, match="--model"):
        Replay(Take.open(tmp_path / "a.mcap"), load=asked.append)
    assert asked == []


def test_a_model_that_is_not_here_is_named_with_the_way_out(tmp_path, tiny_model):
    perform(Engine(patches.changed(instrument(), {"model": "away.pkl"}), tiny_model), tmp_path / "a.mcap", n=3)
    with pytest.raises(KinesphereError, match="away.pkl.*--model"):
        Replay(Take.open(tmp_path / "a.mcap"))


# --- recording --------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_ends_the_take_in_words_and_not_the_show(tmp_path, tiny_model, load, monkeypatch):
    monkeypatch.setattr(recorder, "EVERY", 0.01)
    full, failed = threading.Event(), threading.Event()
    sync = os.fsync

    def fsync(file):
        if full.is_set():
            failed.set()
            raise OSError(28, "No space left on device")
        sync(file)

    monkeypatch.setattr(recorder.os, "fsync", fsync)
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for i, t in enumerate(times(40)):
            engine.step(float(t), 1 / 30)
            take(engine.moment)
            if i == 20:
                full.set()
            if i == 21:
                failed.wait(60)
                take._thread.join(60)
    assert "No space left" in take.error and engine.steps == 40
    assert len(Take.open(take.path)) >= 20


def test_a_disk_that_stops_ends_the_take_before_memory_is_full(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr(recorder, "MOST_WAITING", 100_000)
    monkeypatch.setattr(recorder, "EVERY", 0.01)
    stalled, go_on = threading.Event(), threading.Event()

    def fsync(file):
        stalled.set()
        go_on.wait(60)

    monkeypatch.setattr(recorder.os, "fsync", fsync)
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    take = Recorder(tmp_path / "a.mcap", lambda: engine)
    for i, t in enumerate(times(600)):
        engine.step(float(t), 1 / 30)
        take(engine.moment)
        if i == 1:
            assert stalled.wait(60)
    assert "the disk has stopped" in take.error and take._waiting == []
    go_on.set()
    take.close()
    assert not take._thread.is_alive()


def test_whatever_goes_wrong_in_a_recorder_stays_in_it(tmp_path, tiny_model):
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    engine.step(1.0, 0.1)
    with Recorder(tmp_path / "a.mcap", lambda: 1 / 0) as take:
        take(engine.moment)
    assert "division by zero" in take.error


def test_a_performance_that_begins_again_ends_its_take(tmp_path, tiny_model):
    engine = Engine(instrument(), tiny_model)
    perform(engine, tmp_path / "a.mcap", n=3)
    with Recorder(tmp_path / "b.mcap", lambda: engine) as take:
        for t in (5.0, 6.0, 7.0, 0.0, 1.0):
            engine.step(t, 1.0)
            take(engine.moment)
    assert "began again" in take.error and len(Take.open(take.path)) == 2


def test_a_take_without_a_step_leaves_no_file_and_an_old_take_stays(tmp_path, tiny_model):
    engine = Engine(instrument(), tiny_model)
    with Recorder(tmp_path / "none.mcap", lambda: engine):
        pass
    assert list(tmp_path.iterdir()) == []
    perform(engine, tmp_path / "a.mcap", n=3)
    before = (tmp_path / "a.mcap").read_bytes()
    with pytest.raises(KinesphereError, match="there already"):
        Recorder(tmp_path / "a.mcap", lambda: engine)
    assert (tmp_path / "a.mcap").read_bytes() == before
    (tmp_path / "file").write_text("")
    with pytest.raises(KinesphereError, match="no take can be written"):
        Recorder(tmp_path / "file" / "a.mcap", lambda: engine)


def test_a_picture_that_stands_still_is_one_step(tmp_path, tiny_model):
    """Frozen, the same moment is heard of again and again."""
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for t in (1.0, 2.0, 3.0):
            engine.step(t, 1.0)
            for _ in range(5):
                take(engine.moment)
    assert len(Take.open(take.path)) == 2


def test_marks_and_other_events_are_found_where_they_were_set(tmp_path, tiny_model):
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for t in (1.0, 2.0, 3.0, 4.5):
            engine.step(t, 1.0)
            take(engine.moment)
            if t == 3.0:
                take.mark("the jump")
        take.event("freeze", on=True)
    events = Take.open(take.path).events
    assert [(e.t, e.what, e.about) for e in events] == [
        (1.0, "mark", {"text": "the jump"}),
        (2.5, "freeze", {"on": True}),
    ]


def test_what_happens_before_the_first_step_is_told_with_it(tmp_path, tiny_model):
    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        take.event("black", on=True)
        for t in (7.0, 8.0, 9.0):
            engine.step(t, 1.0)
            take(engine.moment)
    assert [(e.t, e.what) for e in Take.open(take.path).events] == [(0.0, "black")]


@pytest.mark.parametrize("began", [6.5, 8.25])
def test_the_sound_of_a_film_that_was_made_beside_the_take_is_in_step(tmp_path, tiny_model, load, began):
    """Begun before or after the take: a click at second 9 of the performance is heard there."""
    import wave

    engine = Engine(instrument(), tiny_model)
    engine.lanes = Fed()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        take.event("source_film", name="eye.wav", t=began)
        for t in np.arange(70, 110) / 10:
            engine.step(float(t), 0.1)
            take(engine.moment)
    click = np.zeros(48_000 * 6)
    click[round((9.0 - began) * 48_000) :][:480] = 20_000
    with wave.open(str(tmp_path / "eye.wav"), "wb") as song:
        song.setparams((1, 2, 48_000, 0, "NONE", ""))
        song.writeframes(click.astype("<i2").tobytes())
    played = Take.open(take.path)
    assert played.film_start("eye.wav") == pytest.approx(began - played.start) and played.film_start("b.wav") == 0
    render_take(played, tmp_path / "a.mp4", Fraction(10), load=load, sound=tmp_path / "eye.wav")
    with av.open(str(tmp_path / "a.mp4")) as film:
        pieces = [(float(f.pts * f.time_base), f.to_ndarray()[0]) for f in film.decode(audio=0)]
    loudest, piece = max(pieces, key=lambda found: np.abs(found[1]).max())
    assert loudest + np.abs(piece).argmax() / 48_000 == pytest.approx(9.0 - played.start, abs=0.03)


def test_other_programs_read_a_take(tmp_path, tiny_model):
    """By mcap's own library, with its index; each binary message is as its ROS 1 definition says."""
    perform(Engine(instrument(psi=MOVING), tiny_model), tmp_path / "a.mcap", n=30)
    take = Take.open(tmp_path / "a.mcap")
    with open(tmp_path / "a.mcap", "rb") as file:
        found = [(s, c, m) for s, c, m in make_reader(file, validate_crcs=True).iter_messages()]
    steps = [struct.unpack_from("<ddI", m.data) for _, c, m in found if c.topic == "/step"]
    assert [t for t, _, _ in steps] == take.times.tolist()
    kinds = {c.topic: (s.encoding, s.data.decode(), c.message_encoding) for s, c, _ in found}
    assert kinds["/feature/scene"] == ("ros1msg", "float64 t\nfloat32[16] value\n", "ros1")
    assert kinds["/feature/light"] == ("ros1msg", "float64 t\nfloat64 value\n", "ros1")
    assert kinds["/start"][0] == "jsonschema" and json.loads(kinds["/start"][1])
    start = json.loads(next(m.data for _, c, m in found if c.topic == "/start"))
    assert start["take"] == 1 and start["engine"]["model"] == "tiny" and len(start["engine"]["weights"]) == 64


def test_a_take_is_small(tmp_path, tiny_model):
    """Numbers: a few kB a second; a latent of 512 adds 60. At 30 steps a second, each value new at every second one."""
    engine = Engine(instrument(psi=MOVING), tiny_model)
    perform(engine, tmp_path / "a.mcap", n=300, ts=np.arange(305) / 30)
    assert (tmp_path / "a.mcap").stat().st_size / 10 < 8000


# --- after a crash ----------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
import test_take as takes
engine = takes.Engine(takes.instrument(psi=takes.MOVING), takes.checkpoint())
engine.lanes = takes.Fed()
begun, take = time.monotonic(), takes.Recorder({path!r}, lambda: engine)
while True:
    engine.step(time.monotonic() - begun, 1 / 30)
    take(engine.moment)
    print(engine.moment.t, flush=True)
    time.sleep(1 / 60)
"""


def test_killed_at_any_moment_a_take_holds_all_but_the_last_second(tmp_path, load):
    path, here = tmp_path / "a.mcap", str(Path(__file__).parent)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(tests=here, path=str(path))],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    last = 0.0
    with child:
        for line in child.stdout:
            last = float(line)
            if last > 3.0 and child.poll() is None:
                child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    take = Take.open(path)
    assert last > 3.0 and take.times[-1] > last - 1.0
    assert len(take.notes) == 1 and "broke off" in take.notes[0]
    again, _ = play_back(take, load)
    assert len(again) == len(take)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_model):
    """The bytes of a take of several chunks, with changes, a mark, and its end."""
    folder = tmp_path_factory.mktemp("take")
    engine = Engine(instrument(psi=MOVING), tiny_model)
    engine.lanes = Fed()
    take = Recorder(folder / "a.mcap", lambda: engine)
    take._over.set()  # its thread ends; the chunks are made here, each of five steps
    take._thread.join()
    take._over.clear()
    pen_file = open(folder / "b.mcap", "wb")
    pen = recorder._Pen(pen_file)
    for i, t in enumerate(times(30)):
        if i in (7, 19):
            engine.play(patches.changed(engine.patch, {"latent.seed": i}))
        engine.step(float(t), 1 / 30)
        take(engine.moment)
        if i == 12:
            take.mark("here")
        if i % 5 == 0:
            take._pen = pen
            take._write()
    take._write()
    pen.finish()
    pen_file.close()
    return (folder / "b.mcap").read_bytes()


def read_or_refuse(data, folder):
    """Every step of it; None where it is refused in words."""
    (folder / "hostile.mcap").write_bytes(data)
    try:
        with Take.open(folder / "hostile.mcap") as take:
            moments = [
                (m.t, m.patch, {n: (d.t, d.value.tobytes()) for n, d in m.features.items()}) for m in take.moments()
            ]
            return moments, take.notes
    except KinesphereError as refused:
        assert "Traceback" not in str(refused) and len(str(refused)) < 3000
        return None


ONCE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)


@ONCE
@given(st.integers(0, 10**6))
def test_cut_short_anywhere_a_take_is_read_up_to_there(whole, tmp_path, at):
    at %= len(whole)
    complete, _ = read_or_refuse(whole, tmp_path)
    found = read_or_refuse(whole[:at], tmp_path)
    if found is None:
        assert at < len(whole) // 2
    else:
        moments, notes = found
        assert moments == complete[: len(moments)]
        assert notes or len(moments) == len(complete)


@ONCE
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3))
def test_with_flipped_bytes_a_take_is_right_as_far_as_it_is_read(whole, tmp_path, flips):
    damaged = bytearray(whole)
    for at, mask in flips:
        damaged[at % len(whole)] ^= mask
    complete, _ = read_or_refuse(whole, tmp_path)
    found = read_or_refuse(bytes(damaged), tmp_path)
    if found is not None:
        moments, notes = found
        assert moments == complete[: len(moments)]
        assert notes or len(moments) == len(complete)


def sealed(data):
    """The file with every chunk's checksum made right: damage that only a hand can do."""
    data, at = bytearray(data), 8
    while at + 9 <= len(data):
        opcode, length = struct.unpack_from("<BQ", data, at)
        begin, at = at + 9, at + 9 + length
        if opcode == 6:
            struct.pack_into("<I", data, begin + 24, zlib.crc32(data[begin + 40 : at]))
    return bytes(data)


@ONCE
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_file_made_to_deceive_is_read_or_refused_in_words(whole, tmp_path, flips):
    damaged = bytearray(whole)
    for at, mask in flips:
        at = 100 + at % (len(whole) - 100)
        damaged[at] ^= mask
    try:
        hostile = sealed(damaged)
    except struct.error:
        return
    read_or_refuse(hostile, tmp_path)


def written(folder, messages, profile="kinesphere", **options):
    """A file of mcap with these messages: (topic, metadata, bytes)."""
    path = folder / "made.mcap"
    with path.open("wb") as file:
        mcap = Writer(file, **{"compression": CompressionType.NONE, **options})
        mcap.start(profile=profile)
        for i, (topic, about, data) in enumerate(messages):
            channel = mcap.register_channel(topic, "json", 0, about)
            mcap.add_message(channel, i, data, i, i)
        mcap.finish()
    return path


def start(**changed):
    engine = {
        "model": "tiny", "weights": "", "sha256": "", "family": "stylegan2", "resolution": 32, "z_dim": 16, "device": "cpu",
        "number": 1, "followers": {}, "seen": [], "patch": patches.document(instrument()),
    }  # fmt: skip
    return "/start", {}, json.dumps({"take": 1, "engine": engine | changed}).encode()


def step(t=1.0, dt=0.1, numbers=()):
    return "/step", {}, struct.pack(f"<ddI{len(numbers)}I", t, dt, len(numbers), *numbers)


LATENT = ("/feature/scene", {"form": "float32", "length": "2"}, bytes(16))
MARK = ("/event", {}, b'{"t": 1.0, "what": "mark", "about": {}}')


def test_a_take_of_another_hand_is_read(tmp_path):
    take = Take.open(written(tmp_path, [start(), LATENT, step(), step(2.0, 0.1, [0]), MARK, ("/new", {}, b"later")]))
    assert len(take) == 2 and take.notes == [] and take.events[0].what == "mark"


@pytest.mark.parametrize(
    "messages, said",
    {
        "empty": ([], "no whole step"),
        "no start": ([step()], "begin with"),
        "two starts": ([start(), start(), step()], "begin with"),
        "newer": ([("/start", {}, b'{"take": 2}'), step()], "newer"),
        "no table": ([("/start", {}, b"[]"), step()], "no table"),
        "no JSON": ([("/start", {}, b"\xff{"), step()], "no JSON"),
        "deep": ([("/start", {}, b"[" * 900_000), step()], "no JSON"),
        "long number": ([("/start", {}, b"9" * 100_000), step()], "no JSON"),
        "huge": ([("/start", {}, b" " * 2**21), step()], "limit"),
        "engine": ([start(z_dim=-1), step()], "not understood"),
        "engine's text": ([start(model=3), step()], "not understood"),
        "seen": ([start(seen=[1]), step()], "not understood"),
        "memory": ([start(followers={"latent.psi": {"value": "1"}}), step()], "not understood"),
        "patch": ([start(patch={"model": 3}), step()], "model: give text"),
        "patch's kind": ([start(patch={"features": {"x": {"kind": "os.system"}}}), step()], "no kind"),
        "missing value": ([start(), step(numbers=[0])], "not there"),
        "the same feature": ([start(), LATENT, LATENT, step(numbers=[0, 1])], "two values"),
        "short step": ([start(), ("/step", {}, b"123")], "too few"),
        "many numbers": ([start(), ("/step", {}, struct.pack("<ddI", 1, 1, 2**32 - 1))], "too few"),
        "time": ([start(), step(2.0), step(1.0)], "rise"),
        "no time": ([start(), step(float("nan"))], "rise"),
        "a year": ([start(), step(0.0), step(3e7)], "longer"),
        "form": ([start(), ("/feature/x", {"form": "object", "length": "2"}, b""), step()], "no form"),
        "length": ([start(), ("/feature/x", {"form": "float32", "length": "9" * 9}, b""), step()], "no form"),
        "size": ([start(), ("/feature/x", {"form": "float32", "length": "9"}, b""), step()], "too few"),
        "edit": ([start(), ("/patch", {}, b'{"edits": [[["nowhere", "x"], 1]]}'), step()], "does not fit"),
        "no edit": ([start(), ("/patch", {}, b'{"edits": 3}'), step()], "does not fit"),
        "event": ([start(), ("/event", {}, b'{"t": "now"}'), step()], "not understood"),
    }.values(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_meant_is_refused_in_words(tmp_path, messages, said):
    with pytest.raises(KinesphereError, match=said):
        Take.open(written(tmp_path, messages))


@pytest.mark.parametrize(
    "make, said",
    {
        "nothing there": (lambda folder: folder / "away.mcap", "cannot be opened"),
        "a folder": (lambda folder: folder, "cannot be opened"),
        "another program's": (lambda folder: written(folder, [step()], profile="ros1"), "another program"),
        "compressed": (
            lambda folder: written(folder, [start(), step()], compression=CompressionType.LZ4),
            "mcap decompress",
        ),
        "without chunks": (lambda folder: written(folder, [start(), step()], use_chunking=False), "chunks"),
    }.values(),
)
def test_a_file_that_is_no_take_is_told_what_it_is(tmp_path, make, said):
    with pytest.raises(BadTake, match=said):
        Take.open(make(tmp_path))


@given(st.binary(max_size=300))
@ONCE
def test_any_bytes_are_refused(tmp_path, data):
    for begun in (data, b"\x89MCAP0\r\n" + data):
        assert read_or_refuse(begun, tmp_path) is None


# --- the layout -------------------------------------------------------------------------------------------------------

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=12,
)
TABLES = st.dictionaries(st.text(max_size=2), DOCUMENTS, max_size=4)


@given(TABLES, TABLES)
def test_edits_lead_from_any_document_to_any_other(before, after):
    """To the order of the keys: a patch's first source is the one that features look at."""
    changes = json.loads(layout.as_json(list(layout.edits(before, after))))
    assert layout.as_json(layout.edited(json.loads(layout.as_json(before)), changes)) == layout.as_json(after)


def test_one_knob_is_one_edit():
    before = patches.document(instrument())
    after = patches.document(patches.changed(instrument(), {"latent.psi": 0.25}))
    assert list(layout.edits(before, after)) == [[["latent", "psi"], 0.25]]
    assert list(layout.edits(before, before)) == []


# --- features of several numbers, and bends -----------------------------------------------------------------------------


class Held(Fed):
    """A hand as well, of which now and then one number, or all, is not known."""

    def features(self, t):
        if not self.calls % 3:
            numbers = np.array([self.rng.uniform(-3, 3), np.nan if self.calls % 2 else self.rng.rand()])
            self.drawn["hand"] = Drawn(numbers if self.calls % 5 else np.full(2, np.nan), t - 0.02, Hand.names)
        return super().features(t)


@pytest.fixture
def bent_by_a_hand(monkeypatch):
    monkeypatch.setitem(FEATURES, "fist", Hand)
    turning = Route("hand.angle", low=-3, high=3, in_low=-3, in_high=3, circular=7, otherwise=Route("light"), fade=0.2)
    warp, const = STATIONS["bends"]["warp"], STATIONS["bends"]["const"]
    bends = {"turn": warp(rotate=turning), "melt": const(amount=Route("hand.x", otherwise=0.5), seed=4)}
    played = instrument(psi=MOVING)
    return replace(played, features={**played.features, "hand": Hand()}, bends=bends)


def test_a_take_of_a_hand_that_bends_the_picture_plays_again_to_the_bit(tmp_path, tiny_model, load, bent_by_a_hand):
    changed = patches.changed(bent_by_a_hand, {"bends.turn.zoom": 1.5, "bends.melt.amount.fade": 1.0})
    changes = {20: changed, 30: patches.changed(changed, {"bends.turn": None})}
    engine = Engine(bent_by_a_hand, tiny_model)
    played = perform(engine, tmp_path / "a.mcap", changes=changes, lanes=Held())
    take = Take.open(tmp_path / "a.mcap")
    again, playing = play_back(take, load)
    assert_same(played, again)
    assert playing.notes == [] and len({frame.tobytes() for _, frame in played}) > 10
    seen = [moment.features["hand"] for moment in take.moments() if "hand" in moment.features]
    assert {drawn.names for drawn in seen} == {("angle", "x")} and any(np.isnan(drawn.value).any() for drawn in seen)
    assert render_take(take, tmp_path / "film.mp4", Fraction(20), load=load, size=16) == take.frames(Fraction(20))


def test_several_numbers_are_in_the_take_to_the_bit(tmp_path, tiny_model, bent_by_a_hand):
    engine, heard = Engine(bent_by_a_hand, tiny_model), []
    engine.lanes = Held()
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for t in times(30):
            engine.step(float(t), 0.03)
            take(engine.moment)
            heard.append(dict(engine.moment.features))
    for before, moment in zip(heard[1:], Take.open(tmp_path / "a.mcap").moments(), strict=True):
        assert before["hand"].value.tobytes() == moment.features["hand"].value.tobytes()
        assert moment.features["hand"].value.dtype == np.float64 and moment.features["hand"].names == Hand.names


def test_a_model_that_cannot_be_bent_so_plays_the_take_without_that(tmp_path, tiny_model, load, bent_by_a_hand):
    perform(Engine(bent_by_a_hand, tiny_model), tmp_path / "a.mcap", lanes=Held())
    third = Checkpoint(
        G_ema=(G := tiny_generator("stylegan3").requires_grad_(False)), card=Card.of({"G_ema": G}, "made by a test")
    )
    _, playing = play_back(
        Take.open(tmp_path / "a.mcap"), {"tiny": tiny_model, "third": third}.__getitem__, model="third"
    )
    assert [note.partition(":")[0] for note in playing.notes] == ["bends.turn is left out"]
    assert list(playing.engine.patch.bends) == ["melt"]
