"""The stage: what a player, a viewer and a stranger find behind its doors."""

import asyncio
import gc
import io
import json
import os
import pickle
import shutil
import socket
import ssl
import struct
import threading
import time
import urllib.request
import weakref
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from types import SimpleNamespace
from typing import ClassVar

import av
import cv2
import numpy as np
import psutil
import pytest
import torch
import websockets
from asking import TestClient
from conftest import Hand as Fist
from conftest import Lamp, Light, tiny_generator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from kinesphere import checkpoints, engine, features, patch, runtime, sources
from kinesphere.bends import BENDS
from kinesphere.checkpoints import Card
from kinesphere.engine import Engine
from kinesphere.lanes import Drawn
from kinesphere.looks import checked
from kinesphere.performance import Performance
from kinesphere.stage import Door, Library, Server, Session, app, control, door, server
from kinesphere.stage.board import text
from kinesphere.stage.learning import Ear, Gesture
from kinesphere.stage.pictures import HEADER, View, Viewer
from kinesphere.stage.pictures import jpeg as encoded
from kinesphere.stage.recording import SourceFilm
from kinesphere.takes import Replay, Take
from kinesphere.types import KinesphereError, Latest, Signal

BASE = "http://127.0.0.1:7860"


class Client(TestClient):
    """Starlette's, with sockets at its own address too."""

    def websocket_connect(self, url, **more):
        return super().websocket_connect(f"ws://{self.base_url.netloc.decode()}{url}", **more)


class Hand:
    """A page that plays: a control socket of starlette's test client."""

    def __init__(self, socket):
        self.socket, self.state, self.meters, self.told, self.number = socket, {}, {}, [], 0

    def hear(self):
        message = json.loads(self.socket.receive_text())
        if message["is"] == "state":
            self.state.update(message)
        elif message["is"] == "meters":
            self.meters = message
        else:
            self.told.append(message)
        return message

    def ask(self, do, **more):
        self.number += 1
        self.socket.send_text(json.dumps({"do": do, "id": self.number, **more}))
        while (message := self.hear())["is"] not in ("done", "refused") or message["id"] != self.number:
            pass
        return message

    def until(self, true):
        """Hear until `true` of this hand; the patience is pytest's."""
        while not true(self):
            self.hear()
        return self


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def playing(tiny_checkpoint, tmp_path, monkeypatch):
    """A performance on a tiny model with an eye, a number and a library."""
    monkeypatch.setitem(sources.SOURCES, "eye", Lamp)
    monkeypatch.setitem(features.FEATURES, "light", Light)
    monkeypatch.setitem(features.FEATURES, "fist", Fist)
    played = patch.Patch(sources={"eye": Lamp()}, features={"light": Light()}, model="tiny")
    library = Library(tmp_path / "library")
    library.trust(played)
    monkeypatch.setattr(checkpoints, "load", lambda name: tiny_checkpoint)
    with Performance(played, engine=Engine(played, tiny_checkpoint), load=library.load) as performance:
        with Session(performance, library) as session:
            yield session


@pytest.fixture
def client(playing):
    with Client(app(playing, Door(port=7860)), base_url=BASE) as client:
        yield client


@pytest.fixture
def clip_path():
    with resources.as_file(resources.files("kinesphere.builtin") / "clip.mp4") as path:
        yield path


@pytest.fixture
def hand(client):
    with client.websocket_connect("/ws/control") as socket:
        hand = Hand(socket)
        assert hand.hear()["is"] == "hello"
        yield hand.until(lambda h: "patch" in h.state)


@contextmanager
def served(session, **more):
    """A real server on a free port of this machine."""
    place, waiting = door(None, 0)
    with Server(session, place, waiting, **more) as serving:
        yield serving


def jpeg(value, size=(20, 30)):
    return cv2.imencode(".jpg", np.full((*size, 3), value, np.uint8))[1].tobytes()


def look(socket, **view):
    socket.send_text(json.dumps({"view": "picture", "credit": 1, "format": "jpeg", "most": 0, "quality": 0.8, **view}))


# Control ----------------------------------------------------------------------------------------------------------------


def test_a_page_hears_who_it_is_and_then_the_whole_state(client):
    with client.websocket_connect("/ws/control") as socket:
        hand = Hand(socket)
        assert hand.hear()["role"] == "player"
        hand.until(lambda h: "patch" in h.state)
    assert hand.state.keys() >= {
        "patch", "model", "controls", "routes", "history", "seeds", "looks", "performance", "library", "kinds",
    }  # fmt: skip
    assert hand.state["model"]["resolution"] == 32 and hand.state["model"]["rows"]["coarse"][0] == 0
    assert "latent.psi" in [control["place"] for control in hand.state["controls"]]


def test_a_change_is_played_and_only_what_changed_is_told(hand, playing):
    before, hand.state = hand.state, {}  # what is told may come before the answer does
    assert hand.ask("change", edits={"latent.psi": 0.25})["is"] == "done"
    assert playing.performance.patch.latent.psi == 0.25
    hand.until(lambda h: h.state.get("patch", {}).get("latent", {}).get("psi") == 0.25)
    assert not {"kinds", "library", "model"} & hand.state.keys() and before


def test_a_wrong_change_is_refused_whole_in_words(hand, playing):
    answer = hand.ask("change", edits={"latent.psi": 0.1, "latent.cutof": 3, "picture.fps": -1})
    assert answer["is"] == "refused" and len(answer["problems"]) == 2
    assert "cutoff" in " ".join(answer["problems"]) and playing.performance.patch.latent.psi == 0.7


def test_undo_and_redo(hand, playing):
    hand.ask("change", edits={"latent.psi": 0.1})
    hand.ask("undo")
    assert playing.performance.patch.latent.psi == 0.7
    hand.ask("redo")
    assert playing.performance.patch.latent.psi == 0.1
    assert hand.ask("redo")["problems"] == ["there is nothing more in that direction"]


def test_a_step_back_that_cannot_be_played_is_still_there(hand, playing, monkeypatch):
    hand.ask("change", edits={"latent.psi": 0.1})

    def refuse(*_):
        raise KinesphereError("the model is gone")

    with monkeypatch.context() as patched:
        patched.setattr(playing.performance, "play", refuse)
        assert hand.ask("undo")["problems"] == ["the model is gone"]
        assert (playing.history.undoable, playing.history.redoable) == (1, 0)
    hand.ask("undo")
    assert playing.performance.patch.latent.psi == 0.7


def test_dice_history_and_favourites_of_seeds(hand, playing):
    seed = hand.ask("seed_dice")["result"]["seed"]
    assert 0 <= seed <= 99_999  # can be told to somebody across the room
    hand.ask("favourite", seed=seed, on=True)
    hand.until(lambda h: h.state["seeds"]["favourites"] == [seed])
    assert hand.state["seeds"]["history"][:2] == [seed, 0]
    assert Session(playing.performance, playing.library).favourites == [seed]  # on another evening


def test_panic(hand, playing):
    hand.ask("freeze", on=True)
    hand.ask("black", on=True)
    assert playing.performance.frozen and playing.performance.blackness == 1
    hand.until(lambda h: h.state["performance"]["frozen"] and h.state["performance"]["black"])
    assert "safe" in hand.ask("safe")["problems"][0]  # none was chosen; yet light and motion are back
    assert not playing.performance.frozen and not playing.black_wanted


@dataclass
class Heavy(Light):
    """A number whose network takes its time to be opened: until it is told to go on."""

    begun: ClassVar[threading.Event]
    go_on: ClassVar[threading.Event]
    settled: float = 0.0

    def open(self, checkpoint):
        self.begun.set()
        assert self.go_on.wait(60)


@pytest.fixture
def heavy(monkeypatch):
    monkeypatch.setitem(features.FEATURES, "heavy", Heavy)
    monkeypatch.setattr(Heavy, "begun", threading.Event(), raising=False)
    monkeypatch.setattr(Heavy, "go_on", threading.Event(), raising=False)
    yield Heavy
    Heavy.go_on.set()


OPENING = [
    {"do": "play", "toml": 'model = "tiny"\nsources.eye.kind = "eye"\nfeatures.light.kind = "heavy"'},
    {"do": "change", "edits": {"features.heavy": {"kind": "heavy"}}},
]


@pytest.mark.parametrize("message", OPENING)
def test_panic_waits_for_nothing(hand, playing, heavy, message):
    """While a feature is being opened, which may take its time, the picture stands still and goes black at once."""
    hand.socket.send_text(json.dumps({"id": "slow", **message}))
    assert heavy.begun.wait(60)
    assert hand.ask("freeze", on=True)["is"] == hand.ask("black", on=True)["is"] == "done"
    assert playing.performance.frozen and playing.performance.blackness == 1 and not heavy.go_on.is_set()


@pytest.mark.parametrize("message", OPENING)
def test_a_number_is_changed_while_a_feature_is_being_opened_and_is_not_lost(hand, playing, heavy, message):
    hand.socket.send_text(json.dumps({"id": "slow", **message}))
    assert heavy.begun.wait(60)
    for psi in (0.2, 0.3):
        assert hand.ask("change", edits={"latent.psi": psi})["is"] == "done"
    count = playing.performance.frames.count
    playing.performance.frames.newer(count + 2, 60)
    assert playing.performance.engine.moment.patch.latent.psi == 0.3 and not heavy.go_on.is_set()
    assert not [m for m in hand.told if m.get("id") == "slow"]
    heavy.go_on.set()
    hand.until(lambda h: [m for m in h.told if m.get("id") == "slow" and m["is"] == "done"])
    now = playing.performance.patch
    assert any(isinstance(feature, Heavy) for feature in now.features.values())
    assert now.latent.psi == (0.7 if message["do"] == "play" else 0.3)  # another patch brings its own
    hand.ask("undo")
    assert playing.performance.patch.latent.psi == 0.3
    assert not any(isinstance(feature, Heavy) for feature in playing.performance.patch.features.values())


@pytest.mark.parametrize("edits", [{"latent.centres": 3}, {"latent": {"centres": 3}}])
def test_a_number_is_changed_while_centres_are_found(hand, playing, monkeypatch, edits):
    begun, go_on, find = threading.Event(), threading.Event(), engine.Centres.of
    held = lambda *what, **more: (begun.set(), go_on.wait(60), find(*what, **more))[2]  # noqa: E731
    monkeypatch.setattr(engine.Centres, "of", held)
    hand.socket.send_text(json.dumps({"do": "change", "id": "slow", "edits": edits}))
    assert begun.wait(60)
    try:
        assert hand.ask("change", edits={"bends.turn": {"kind": "warp"}, "picture.fps": 24.0})["is"] == "done"
        assert not [m for m in hand.told if m.get("id") == "slow"]
    finally:
        go_on.set()
    hand.until(lambda h: [m for m in h.told if m.get("id") == "slow" and m["is"] == "done"])
    assert playing.performance.patch.picture.fps == 24 and playing.performance.patch.latent.centres == 3


def test_another_class_takes_its_time_only_where_it_has_centres(playing):
    assert not playing.opens({"latent.label": 0})
    playing.change({"latent.centres": 2})
    assert playing.opens({"latent.label": 0}) and not playing.opens({"latent.psi": 0.5})


def test_a_feature_is_opened_once_and_messages_keep_their_order(hand, playing, heavy, monkeypatch):
    opened = []
    monkeypatch.setattr(heavy, "open", lambda self, checkpoint: opened.append(self))
    monkeypatch.setattr(control, "TURN", 60.0)  # a busy machine is no slow feature
    asked = [
        {"do": "change", "id": 1, "edits": {"latent.psi": 0.1}},
        {"do": "change", "id": 2, "edits": {"features.heavy": {"kind": "heavy"}, "latent.psi": 0.2}},
        {"do": "change", "id": 3, "edits": {"latent.psi": {"feature": "heavy"}}},
        {"do": "undo", "id": 4},
        {"do": "change", "id": 5, "edits": {"features.heavy.settled": 1.0}},
        {"do": "change", "id": 6, "edits": {"features.heavy": {"kind": "no such thing"}}},
        {"do": "snapshot", "id": 7},
    ]
    for message in asked:
        hand.socket.send_text(json.dumps(message))
    hand.until(lambda h: len([m for m in h.told if m["is"] in ("done", "refused")]) == len(asked))
    answers = [(m["id"], m["is"]) for m in hand.told if m["is"] in ("done", "refused")]
    assert answers == [(n, "refused" if n == 6 else "done") for n in range(1, 8)]
    assert [feature.settled for feature in opened] == [0.0, 1.0]
    assert opened[-1] is playing.performance.patch.features["heavy"]
    assert playing.performance.patch.latent.psi == 0.2


def test_snapshots_are_kept_with_a_picture_and_recalled(hand, client, playing):
    playing.performance.frames.newer(0, 30)
    first = hand.ask("snapshot", name="calm")["result"]["id"]
    hand.ask("change", edits={"latent.seed": 9, "latent.psi": 0.1})
    assert client.get(f"/api/snapshots/{first}.jpg").content[:2] == b"\xff\xd8"
    hand.ask("set_safe", look=first)
    hand.ask("rename", look=first, name="home")
    hand.until(lambda h: [(s["name"], s["safe"]) for s in h.state["looks"]["snapshots"]] == [("home", True)])
    hand.ask("recall", look=first)
    assert (playing.performance.patch.latent.seed, playing.performance.patch.latent.psi) == (0, 0.7)
    hand.ask("forget", look=first)
    assert hand.ask("recall", look=first)["is"] == "refused"
    assert client.get(f"/api/snapshots/{first}.jpg").status_code == 404


def test_a_morph_goes_by_itself_and_arrives(hand, playing):
    hand.ask("change", edits={"latent.psi": 0.0})
    there = hand.ask("snapshot")["result"]["id"]
    hand.ask("change", edits={"latent.psi": 1.0})
    hand.ask("recall", look=there, seconds=0.3, easing="linear")
    hand.until(lambda h: 0 < h.state["patch"]["latent"]["psi"] < 1)
    hand.until(lambda h: h.state["patch"]["latent"]["psi"] == 0 and h.state["looks"]["morph"] is None)
    hand.ask("undo")
    assert playing.performance.patch.latent.psi == 1.0


def test_a_pad_lies_between_its_looks(hand, playing):
    ids = []
    for psi in (0.0, 1.0):
        hand.ask("change", edits={"latent.psi": psi})
        ids.append(hand.ask("snapshot")["result"]["id"])
    points = [{"id": ids[0], "x": 0.0, "y": 0.5}, {"id": ids[1], "x": 1.0, "y": 0.5}]
    hand.ask("pad", points=points, at=[0.5, 0.5])
    assert playing.performance.patch.latent.psi == pytest.approx(0.5)
    hand.ask("pad", points=points, at=[0.0, 0.5])
    assert playing.performance.patch.latent.psi == 0.0
    assert "snapshot" in hand.ask("pad", points=[{"id": "nobody", "x": 0, "y": 0}], at=[0, 0])["problems"][0]
    hand.until(
        lambda h: h.state["looks"]["pad"] == {"points": points, "at": [0.0, 0.5]}
    )  # every player has the same pad
    hand.ask("forget", look=ids[1])
    hand.until(lambda h: h.state["looks"]["pad"] == {"points": points[:1], "at": [0.0, 0.5]})


def test_cues_go_on_and_back(hand, playing):
    ids = []
    for psi in (0.1, 0.2):
        hand.ask("change", edits={"latent.psi": psi})
        ids.append(hand.ask("snapshot")["result"]["id"])
    hand.ask("cues", list=[{"id": id, "seconds": 0, "easing": "linear", "note": "x"} for id in ids])
    hand.ask("cue", to="next")
    assert playing.performance.patch.latent.psi == 0.1
    hand.ask("cue", to=1)
    assert playing.performance.patch.latent.psi == 0.2
    assert hand.ask("cue", to="next")["is"] == "refused"
    hand.until(lambda h: h.state["looks"]["cue"] == 1)
    assert [cue["id"] for cue in Session(playing.performance, playing.library).cues.list] == ids  # on another evening
    hand.ask("forget", look=ids[0])
    hand.until(lambda h: [cue["id"] for cue in h.state["looks"]["cues"]] == ids[1:])


def test_looks_that_were_damaged_are_told_to_whoever_comes(tiny_checkpoint, tmp_path):
    library, played = Library(tmp_path), patch.Patch(model="tiny")
    (tmp_path / "snapshots" / "0123456789ab.json").write_text("{")
    (tmp_path / "snapshots" / "cues.json").write_text("]")
    with (
        Performance(played, engine=Engine(played, tiny_checkpoint)) as performance,
        Session(performance, library) as session,
    ):
        with Client(app(session, Door(port=7860)), base_url=BASE) as client:
            for _ in range(2):
                with client.websocket_connect("/ws/control") as socket:
                    hand = Hand(socket).until(lambda h: len([m for m in h.told if m["is"] == "trouble"]) == 2)
                    words = " ".join(m["text"] for m in hand.told if m["is"] == "trouble")
                    assert "0123456789ab.json was left out" in words and "cues.json cannot be read" in words


def test_rewind_brings_back_how_it_looked(hand, playing):
    while not len(playing.ring):
        hand.hear()
    hand.ask("change", edits={"latent.psi": 0.0})
    hand.ask("rewind", seconds=60)
    assert playing.performance.patch.latent.psi == 0.7


def sway(playing, hand, stop):
    """The light goes up and down until `stop`."""
    eye, begin = playing.performance.patch.sources["eye"], time.monotonic()
    while not stop():
        eye.light = 0.5 + 0.4 * np.sin(3 * (time.monotonic() - begin))
        hand.hear()


def test_learn_binds_what_moves(hand, playing):
    hand.until(lambda h: h.meters.get("features", {}).get("light") is not None)
    assert hand.ask("learn", place="latent.seed")["problems"] == ["no feature can move Seed"]
    assert hand.ask("learn", place="latent.psi")["is"] == "done"
    sway(playing, hand, lambda: playing.learning is None)
    route = playing.performance.patch.latent.psi
    assert (route.low, route.high) == (0.4, 1.1)  # not the whole slider, which would tear the picture
    assert route.feature == "light" and 0.05 < route.in_low < 0.3 and 0.7 < route.in_high < 0.95
    hand.until(lambda h: h.state["routes"] and h.state["routes"][0]["place"] == "latent.psi")
    hand.until(lambda h: "latent.psi" in h.meters["numbers"])


def test_learn_leaves_the_place_where_nothing_moved(hand, playing):
    hand.until(lambda h: h.meters.get("features", {}).get("light") is not None)
    hand.ask("learn", place="latent.psi")
    begin = playing.ear.now
    hand.until(lambda h: playing.ear.now > begin + 0.5)
    assert hand.ask("learn_stop")["problems"][0].startswith("Boldness is as it was: nothing moved")
    assert playing.performance.patch.latent.psi == 0.7 and playing.learning is None


def test_calibrate_takes_the_smallest_and_the_largest(hand, playing):
    hand.until(lambda h: h.meters.get("features", {}).get("light") is not None)
    hand.ask("change", edits={"latent.psi": {"feature": "light", "low": 0.1, "high": 0.9}})
    assert hand.ask("calibrate", place="latent.drift")["is"] == "refused"
    hand.ask("calibrate", place="latent.psi")
    begin = playing.ear.now
    sway(playing, hand, lambda: playing.ear.now > begin + 3)
    said = hand.ask("calibrate_stop", place="latent.psi")["result"]
    route = playing.performance.patch.latent.psi
    assert (route.in_low, route.in_high) == (said["in_low"], said["in_high"])
    assert route.in_low < 0.2 and route.in_high > 0.8 and route.low == 0.1


def test_another_patch_is_played_and_kept(hand, playing, client):
    toml = 'name = "mine"\nmodel = "tiny"\n[latent]\nseed = 77\n'
    assert hand.ask("play", toml=toml)["is"] == "done"
    assert playing.performance.patch.latent.seed == 77
    assert hand.ask("save_patch", name="my evening")["is"] == "done"
    hand.until(lambda h: "my evening" in [p["name"] for p in h.state["library"]["patches"]])
    hand.ask("change", edits={"latent.seed": 1})
    hand.ask("play", patch="my evening")
    assert playing.performance.patch.latent.seed == 77
    assert "seed = 77" in client.get("/api/patches/my evening").text
    assert hand.ask("save_patch", name="scene")["is"] == "refused"  # it is built in


def test_another_model_is_loaded_beside_and_played(hand, playing):
    hand.ask("play", model="abstract")
    hand.until(lambda h: h.state["model"]["name"] == "abstract")
    assert playing.performance.engine.patch.model == "abstract"


def test_a_take_with_its_film_is_recorded_and_played_again(hand, playing, client):
    name = hand.ask("record", on=True, video=True, source=True)["result"]["take"]
    hand.until(lambda h: (h.state["performance"]["recording"] or {}).get("seconds", 0) >= 1)
    assert hand.ask("record", on=True)["is"] == "refused"
    hand.ask("record", on=False)
    hand.until(lambda h: name in [take["name"] for take in h.state["library"]["takes"]])
    assert client.get(f"/api/takes/{name}").content[:5] == b"\x89MCAP"
    hand.ask("replay", take=name)
    assert playing.recording.again.frames.newer(0, 30)[0].frame.shape == (32, 32, 3)
    hand.until(lambda h: h.state["performance"]["replaying"] == name)
    hand.until(lambda h: h.state["performance"]["replaying"] is None)
    assert client.delete(f"/api/takes/{name}").status_code == 204
    assert client.get("/api/takes").json() == []
    films = {path.name for path in (playing.library.folder / "videos").iterdir()}
    assert films == {f"{name}.mp4", f"{name} source 1.mp4"}


class Counting(Lamp):
    """A source at ten pictures a second, each as bright as its number; in its third second it is stopped."""

    def read(self, t):
        number = int(t * 10)
        if 20 <= number < 30:
            number = 19
        return Signal(np.full((16, 16, 3), 4 * (number % 60), np.uint8), number / 10)


def test_the_film_of_a_source_has_its_speed_and_the_take_knows_when_it_began(tmp_path):
    """Whatever the source's pace: pictures that come every tenth of a second, and a second of none."""
    signals, told, path = Latest(), [], tmp_path / "a source 1.mp4"
    begun, eye = threading.Event(), Counting()

    def event(what, **about):
        told.append((what, about))
        begun.set()

    film = SourceFilm(eye, signals, path, Fraction(30), event, told.append)
    for t in [*np.arange(10, 20) / 10, *np.arange(30, 40) / 10]:
        before = film.written
        signals.put(eye.read(t + 0.01))
        while film.written == before:
            begun.wait(0.005)
    film.stop()
    assert told == [("source_film", {"name": path.name, "t": 1.0})]
    video = sources.Video(path, loop=False)
    video.open()
    assert video.duration == pytest.approx(3.0 - 0.1 + 1 / 30, abs=1e-6)
    for second, number in ((0.05, 10), (0.95, 19), (1.5, 19), (2.05, 30), (2.85, 38)):
        assert video.read(second).value.mean() / 4 == pytest.approx(number, abs=1)


def test_the_film_of_a_video_has_the_sound_that_was_heard(tmp_path, clip_path):
    """From where the video was when the film began, also in a later round of it."""
    video = sources.Video(clip_path)
    video.open()
    signals, told = Latest(), []
    film = SourceFilm(
        video, signals, tmp_path / "a.mp4", Fraction(25), lambda *_, **about: told.append(about), told.append
    )
    for t in np.arange(0, 10) / 25 + video.duration + 2:
        before = film.written
        signals.put(video.read(float(t)))
        while film.written == before:
            time.sleep(0.005)
    film.stop()
    assert len(told) == 1 and film.sound["sound_start"] == pytest.approx(told[0]["t"] - video.duration, abs=1e-6)
    with av.open(str(tmp_path / "a.mp4")) as made:
        assert made.streams.audio and made.streams.video[0].frames >= 9
    video.close()


def test_a_film_of_a_source_that_cannot_be_written_says_so(tmp_path):
    signals, told = Latest(), []
    (tmp_path / "folder").write_text("")
    said = threading.Event()

    def tell(words):
        told.append(words)
        said.set()

    film = SourceFilm(Lamp(), signals, tmp_path / "folder" / "a.mp4", Fraction(30), lambda *_, **__: None, tell)
    while not said.is_set():
        signals.put(Signal(np.zeros((16, 16, 3), np.uint8), signals.count / 10))
        said.wait(0.01)
    film.stop()
    assert len(told) == 1 and told[0].startswith("the film a.mp4 ended: ")


@dataclass
class Swaying(Lamp):
    """A source that is another picture at every moment, by itself."""

    def read(self, t):
        return Signal(np.full((16, 16, 3), round(255 * (0.5 + 0.4 * np.sin(3 * t))), np.uint8), t)


@dataclass
class Colours:
    """A vector feature that any source can drive."""

    source: str | None = None
    vector: ClassVar[bool] = True

    def open(self, checkpoint):
        self.ramp = np.linspace(-2, 2, checkpoint.G_ema.z_dim, dtype=np.float32)

    def __call__(self, signal):
        return np.sin(self.ramp * signal.value.mean(dtype=np.float32) / 64)


def test_a_take_of_all_that_a_player_does_plays_again_to_the_bit(tiny_checkpoint, tmp_path, monkeypatch):
    """Through a real session: sliders dragged on another thread, freeze, black, undo, a morph, models that fade. Every ws and
    every frame that the engine drew; a fade between models, black and freeze are the stage's light and not in the take."""
    monkeypatch.setitem(sources.SOURCES, "swaying", Swaying)
    monkeypatch.setitem(features.FEATURES, "light", Light)
    monkeypatch.setitem(features.FEATURES, "colours", Colours)
    G = tiny_generator("stylegan2", z_dim=24).requires_grad_(False)
    models = {
        "tiny": tiny_checkpoint,
        "two": checkpoints.Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test")),
    }
    monkeypatch.setattr(checkpoints, "load", models.__getitem__)
    played = patch.Patch(
        model="tiny",
        sources={"eye": Swaying()},
        features={"light": Light(), "colours": Colours()},
        latent=patch.Latent(rows={"coarse": patch.Drive("colours")}),
        picture=patch.Picture(fps=50.0),
    )
    library, seen, over = Library(tmp_path), {}, threading.Event()
    library.trust(played)
    library.typed_models.add("two")
    rng = np.random.RandomState(5)

    def drag(session):
        while not over.is_set():
            u = round(rng.rand(), 3)
            route = {"feature": "light", "low": u - 0.5, "high": 1.1, "attack": u / 4, "spring": {"frequency": 1 + u}}
            edits = [
                {"latent.psi": route},
                {"latent.psi.release": u},
                {"latent.psi": u},
                {"latent.seed": int(9 * u)},
                {"latent.mix": [[1, u], [2, 0.5]]},
                {"latent.mix": []},
                {"latent.drift": 6 * u},
                {"latent.rows.coarse.amount": {"feature": "light", "one_euro": {"min_cutoff": 0.5 + u}}},
                {"picture.noise_mode": ["const", "random", "none"][int(3 * u)]},
            ]
            with suppress(KinesphereError):  # there is no latent.psi.release while no route is there
                session.change(edits[rng.randint(len(edits))])
            over.wait(0.02 * u)

    with Performance(played, engine=Engine(played, tiny_checkpoint), load=library.load) as performance:
        with Session(performance, library) as session:
            performance.listeners.append(
                lambda moment, _: seen.update(
                    {moment.t: (performance.engine.ws.clone(), performance.engine.frame.copy())}
                )
            )

            def beats(n):
                performance.frames.newer(performance.frames.count + n, 60)

            def model(name):
                session.play(None, None, name, 0.1)
                while performance.engine.patch.model != name:
                    beats(1)
                beats(10)

            beats(5)
            take = library.path("takes", session.record(True, False, False)["take"], ".mcap")
            hand = threading.Thread(target=drag, args=(session,))
            hand.start()
            kept = session.snapshot("one")["id"]
            beats(20)
            session.freeze(True)
            over.wait(0.2)
            session.freeze(False)
            session.black(True, 0.1)
            beats(10)
            session.black(False, 0.0)
            session.undo()
            beats(5)
            model("two")
            session.recall(kept, 0.3, "smoothstep")
            beats(20)
            session.undo()
            beats(5)
            model("tiny")
            over.set()
            hand.join()
            beats(5)
            session.record(False, False, False)
            assert not performance.status().troubles
    with Take.open(take) as recorded:
        moments, again = recorded.moments(), Replay(recorded, load=models.__getitem__)
        for moment in moments:
            again.next()
            ws, frame = seen[moment.t]
            assert torch.equal(again.engine.ws, ws) and again.engine.frame.tobytes() == frame.tobytes(), again.done
        assert [played.model for played in recorded.played] == ["tiny", "two", "tiny"] and again.notes == []
        between = [t for t in seen if recorded.times[0] <= t <= recorded.times[-1]]
        assert len(recorded) == len(between) - 2 and len(recorded) > 60  # all but the first of each new model
        assert [event.what for event in recorded.events] == ["freeze", "freeze", "black", "black"]


def test_meters_are_plain_numbers(hand):
    hand.until(lambda h: h.meters.get("fps"))
    assert hand.meters["features"].keys() == {"light"} and hand.meters["memory"] > 1
    assert hand.meters["stations"]["sources.eye"]["error"] is None


def test_a_station_in_trouble_is_told_to_the_page(hand, playing):
    hand.ask("change", edits={"sources.phone": {"kind": "page"}})
    hand.until(lambda h: any(m["is"] == "trouble" and m["station"] == "sources.phone" for m in h.told))


# Pictures ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form, kinds", [("jpeg", {0}), ("h264", {1, 2})])
def test_a_viewer_gets_pictures_as_it_takes_them(client, form, kinds):
    import av

    with client.websocket_connect("/ws/pictures") as socket:
        look(socket, format=form)
        seen, codec = [], av.CodecContext.create("h264", "r")
        for _ in range(4):
            data = socket.receive_bytes()
            number, kind, _, width, height, _, t, _age = HEADER.unpack(data[: HEADER.size])
            assert kind in kinds and (width, height) == (32, 32) and t >= 0
            if form == "jpeg":
                assert cv2.imdecode(np.frombuffer(data[HEADER.size :], np.uint8), 1).shape == (32, 32, 3)
            else:
                assert kind == (1 if not seen else 2)
                assert [f.width for f in codec.decode(av.Packet(data[HEADER.size :]))] in ([32], [])
            seen.append(number)
            socket.send_text(json.dumps({"seen": number}))
        assert seen == sorted(set(seen))


def test_who_leaves_takes_the_encoder_along(playing):
    """At once, and not when the collector of cycles comes by: each holds megabytes and threads."""
    came = threading.Event()
    viewer = Viewer(View(format="h264"), lambda message: viewer.view and came.set())
    playing.gallery.join(viewer)
    assert came.wait(30)
    stream = weakref.ref(viewer.stream)
    gc.disable()
    try:
        playing.gallery.leave(viewer)
        end = time.monotonic() + 30
        while stream() is not None and time.monotonic() < end:
            time.sleep(0.01)
        assert stream() is None
    finally:
        gc.enable()


def test_a_viewer_that_takes_none_gets_no_more_than_its_credit(playing, client):
    with client.websocket_connect("/ws/pictures") as socket:
        look(socket, credit=3)
        numbers = [HEADER.unpack(socket.receive_bytes()[: HEADER.size])[0] for _ in range(3)]
        encoded, drawn = playing.gallery.encoded, playing.performance.frames.count
        playing.performance.frames.newer(drawn + 10, 30)
        assert playing.gallery.encoded == encoded == len(numbers)  # nobody wants one, so none is made
        socket.send_text('{"seen": 1}')
        newest = HEADER.unpack(socket.receive_bytes()[: HEADER.size])[0]
        assert newest >= drawn + 10  # not one that had waited


def test_a_picture_is_encoded_once_for_all_who_want_it_alike(playing, client):
    playing.performance.frozen = True
    with ExitStack() as stack:
        sockets = [stack.enter_context(client.websocket_connect("/ws/pictures")) for _ in range(5)]
        for socket in sockets:
            look(socket, most=16)
        messages = {}
        for socket in sockets:
            data = socket.receive_bytes()
            messages.setdefault(HEADER.unpack(data[: HEADER.size])[0], set()).add(data)
        assert all(len(same) == 1 for same in messages.values())
        assert playing.gallery.encoded == len(messages)


def test_a_source_can_be_looked_at(client):
    with client.websocket_connect("/ws/pictures") as socket:
        look(socket, view="source:eye")
        assert HEADER.unpack(socket.receive_bytes()[: HEADER.size])[3:5] == (16, 16)


@pytest.mark.parametrize(
    "said", ["{", '{"credit": 9}', '{"view": "source:nobody"}', '{"view": "../x"}', '{"seen": "x"}']
)
def test_a_viewer_that_asks_nonsense_is_sent_away_with_words(client, said):
    with client.websocket_connect("/ws/pictures") as socket:
        socket.send_text(said)
        assert json.loads(socket.receive_text())["problems"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


@pytest.mark.parametrize("size, kept", [((32, 32), True), ((255, 300), True), ((256, 256), False)])
def test_colours_of_a_small_picture_do_not_bleed(size, kept):
    """It will be enlarged, so its colour has its full resolution: one red pixel column in blue stays where it is."""
    picture = np.zeros((*size, 3), np.uint8)
    picture[..., 2] = 200
    picture[:, 9] = [200, 0, 0]
    back = cv2.imdecode(np.frombuffer(encoded(picture, 0.9), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    beside = np.abs(back[:, 8] - picture[:, 8]).mean()
    assert (beside < 20) == kept, beside


def test_the_picture_can_be_fetched(client, playing):
    playing.performance.frames.newer(0, 30)
    shown = client.get("/api/picture.jpg?most=16")
    assert cv2.imdecode(np.frombuffer(shown.content, np.uint8), 1).shape == (16, 16, 3)


def test_no_thread_is_left_when_viewers_go(playing, client):
    with client.websocket_connect("/ws/pictures") as socket:
        look(socket)
        socket.receive_bytes()
        views = [t for t in threading.enumerate() if t.name == "view picture"]
        assert len(views) == 1
    views[0].join(timeout=30)
    assert not views[0].is_alive() and playing.gallery.viewers == 0


# A browser's camera -----------------------------------------------------------------------------------------------------


def test_what_a_browser_sends_is_seen(hand, client, playing):
    hand.ask("change", edits={"sources.eye": {"kind": "page", "mirror": False}})
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :15] = 255
    with client.websocket_connect("/ws/source/eye") as socket:
        for n in range(3):
            socket.send_bytes(struct.pack("<d", n) + cv2.imencode(".webp", picture)[1].tobytes())
            assert json.loads(socket.receive_text()) == {"seen": n + 1}
    seen = playing.performance.view("eye")
    while (signal := seen.latest()) is None or signal.value.shape != (20, 30, 3):
        seen.newer(seen.count, 1)
    assert signal.value[10, 5].min() > 200 and signal.value[10, 25].max() < 50


def block(samples, count, rate=48_000.0):
    return struct.pack("<ddf", 0.0, count, rate) + np.asarray(samples, "<f4").tobytes()


def test_what_a_browser_lets_be_heard_moves_the_instrument(hand, client, playing):
    ear = {"sources.ear": {"kind": "page_sound"}, "features.sound": {"kind": "sound"}}
    assert hand.ask("change", edits=ear)["is"] == "done"
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    with client.websocket_connect("/ws/source/ear") as socket:
        for n in range(10):
            socket.send_bytes(block(tone[n * 960 : (n + 1) * 960], (n + 1) * 960))
            assert json.loads(socket.receive_text()) == {"seen": n + 1}
        while (drawn := playing.performance.values().get("sound")) is None or not np.isfinite(drawn.value).all():
            playing.performance.frames.newer(playing.performance.frames.count, 1)
    found = dict(zip(features.Hearing.names, drawn.value, strict=True))
    assert found["loudness"] == pytest.approx(2 / 3, abs=0.01) and found["brightness"] == pytest.approx(2.14, abs=0.02)
    with client.websocket_connect("/ws/pictures") as socket:
        socket.send_text(json.dumps({"view": "source:ear"}))
        assert "is heard" in json.loads(socket.receive_text())["problems"][0]


@pytest.mark.parametrize(
    "sent",
    ["text", b"", block([], 0), block([0.0], 1)[:-1], block([0.0], 0), block([0.0], float("nan")), block([0.0], 1e300),
     block([float("nan")], 1), block([0.0], 1, float("inf")), block([0.0], 1, 1.0), block([0.0] * 50_000, 50_000),
     block([0.0] * 200_000, 200_000)],
)  # fmt: skip
def test_what_is_no_sound_is_refused(hand, client, sent):
    hand.ask("change", edits={"sources.ear": {"kind": "page_sound"}})
    with client.websocket_connect("/ws/source/ear") as socket:
        if isinstance(sent, str):
            socket.send_text(sent)
        else:
            socket.send_bytes(sent)
        assert "sound" in json.loads(socket.receive_text())["problems"][0]


def test_a_feature_of_the_wrong_kind_is_refused_in_words(hand):
    hand.ask("change", edits={"sources.ear": {"kind": "page_sound"}})
    answer = hand.ask("change", edits={"features.light.source": "ear"})
    assert "ear is heard: choose a source that is seen" in answer["problems"][0]


def bomb():
    """A PNG of a few bytes that says it is 60000 x 60000."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60000, 60000) + b"\x08\x02\0\0\0" + b"\0" * 30


@pytest.mark.parametrize("sent", [b"", b"x" * 40, jpeg(3)[:60], bomb(), "text"])
def test_what_is_no_picture_is_refused(hand, client, playing, sent):
    hand.ask("change", edits={"sources.eye": {"kind": "page"}})
    with client.websocket_connect("/ws/source/eye") as socket:
        if isinstance(sent, str):
            socket.send_text(sent)
        else:
            socket.send_bytes(b"\0" * 8 + sent)
        assert json.loads(socket.receive_text())["is"] == "refused"


def test_a_picture_for_a_source_that_is_no_page_is_refused(client):
    with client.websocket_connect("/ws/source/eye") as socket:
        socket.send_bytes(b"\0" * 8 + jpeg(3))
        assert "kind page" in json.loads(socket.receive_text())["problems"][0]


# Malformed messages -----------------------------------------------------------------------------------------------------

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
words = st.sampled_from(
    ["latent.psi", "latent.rows.coarse", "sources.eye", "features.light", "model", "..", "", "latent", "scene", "next"]
)
keys = st.sampled_from(
    "id edits patch toml model fade on seconds look name easing points at list to place take video source seed t".split()
)
message = st.builds(
    lambda do, rest: json.dumps({"do": do, **rest}),
    st.sampled_from([*control.DOINGS, "eval", "__init__", ""]),
    st.dictionaries(keys, plain | words | st.dictionaries(words, plain | words, max_size=3), max_size=4),
)
anything = st.one_of(message, plain.map(json.dumps), st.text(max_size=60), st.binary(max_size=60))


def test_a_thousand_malformed_messages_are_answered_and_the_picture_never_stops(playing):
    @settings(max_examples=1000, suppress_health_check=list(HealthCheck), database=None)
    @given(anything)
    def obeyed(data):
        answer = control.obey(playing, data, player=True)
        assert answer["is"] in ("done", "refused")
        if answer["is"] == "refused":
            assert answer["problems"] and all(isinstance(p, str) and p for p in answer["problems"])
            assert "inside" not in answer["problems"][0], (data, answer)
        text(answer)

    drawn = playing.performance.frames.count
    obeyed()
    playing.performance.frozen = False
    assert playing.performance.frames.newer(max(drawn, playing.performance.frames.count), 30)[0] is not None
    assert playing.thread.is_alive()


@pytest.mark.parametrize(
    "sent",
    ["[" * 50_000, '{"do":"ping","id":' + "9" * 5000 + "}", '{"do":"change","edits":{"latent.psi":1e999}}',
     '{"do":"change","edits":{"latent.psi":NaN}}', " " * (control.LARGEST + 1), '{"do":"ping","extra":1}', "\ud800"],
)  # fmt: skip
def test_hostile_json_is_refused(playing, sent):
    assert control.obey(playing, sent, player=True)["is"] == "refused"


def test_a_message_may_come_by_http(client, playing):
    assert client.post("/api/control", json={"do": "change", "edits": {"latent.psi": 0.5}}).json()["is"] == "done"
    assert playing.performance.patch.latent.psi == 0.5
    assert client.post("/api/control", content=b"{").status_code == 422
    assert client.post("/api/control", content=b" " * (control.LARGEST + 1)).status_code == 413


# Strangers --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(playing):
    """A stage that others can reach: tokens are asked for."""
    place = Door(host="0.0.0.0", port=7860, names=("stage.local",), tokens=True)
    with Client(app(playing, place), base_url="http://stage.local:7860") as client:
        client.place = place
        yield client


def test_a_foreign_origin_is_turned_away(client):
    evil = {"origin": "http://evil.example"}
    assert client.post("/api/control", json={"do": "ping"}, headers=evil).status_code == 403
    assert client.post("/api/control", json={"do": "ping"}, headers={"origin": "null"}).status_code == 403
    assert client.post("/api/control", json={"do": "ping"}, headers={"origin": BASE}).status_code == 200
    for path in ("/ws/control", "/ws/pictures", "/ws/source/eye"):
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(path, headers=evil):
            pass


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[::1", "192.168.1.9"]
)
def test_a_name_of_somebody_else_that_leads_here_is_turned_away(client, host):
    assert client.get("/api/status", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("token", [None, "", "wrong", "é"])
def test_without_the_token_nothing_opens(guarded, token):
    asked = {} if token is None else {"token": token}
    for path in ("/api/status", "/api/picture.jpg", "/api/patches", "/api/qr.svg", "/api/openapi.json"):
        assert guarded.get(path, params=asked).status_code == 401
    query = "" if token is None else f"?token={token}"
    for path in ("/ws/control", "/ws/pictures", "/ws/source/eye"):
        with pytest.raises(WebSocketDisconnect), guarded.websocket_connect(path + query):
            pass


def test_a_viewer_sees_and_changes_nothing(guarded, playing):
    token = {"token": guarded.place.viewer}
    assert guarded.get("/api/status", params=token).status_code == 200
    for path in ("/api/patches", "/api/takes", "/api/qr.svg", "/api/models"):
        assert guarded.get(path, params=token).status_code == 403
    assert guarded.post("/api/control", params=token, json={"do": "freeze", "on": True}).status_code == 403
    with guarded.websocket_connect(f"/ws/control?token={guarded.place.viewer}") as socket:
        hand = Hand(socket)
        assert hand.hear()["role"] == "viewer"
        assert hand.ask("ping", t=1)["is"] == "done"
        for do in control.DOINGS:
            if do != "ping":
                assert hand.ask(do, on=True, look="x", seconds=0)["is"] == "refused"
        assert hand.until(lambda h: "model" in h.state).state.keys() <= {"is", "performance", "model"}
    with pytest.raises(WebSocketDisconnect):
        with guarded.websocket_connect(f"/ws/source/eye?token={guarded.place.viewer}"):
            pass
    with guarded.websocket_connect(f"/ws/pictures?token={guarded.place.viewer}") as socket:
        look(socket, view="source:eye")  # a camera is the player's own
        assert "picture only" in json.loads(socket.receive_text())["problems"][0]
    assert not playing.performance.frozen


def test_the_player_token_opens_everything_and_is_kept_as_a_cookie(guarded):
    assert guarded.get("/api/patches").status_code == 401
    kept = guarded.get("/", params={"token": guarded.place.player}).headers["set-cookie"]
    assert "HttpOnly" in kept and "SameSite=Strict" in kept
    assert guarded.get("/api/patches").status_code == 200
    assert guarded.place.player != guarded.place.viewer and len(guarded.place.player) >= 32


def test_the_code_leads_a_phone_to_the_pad(guarded):
    svg = guarded.get("/api/qr.svg", params={"token": guarded.place.player}).text
    assert "<svg" in svg and "script" not in svg
    assert guarded.place.address("pad").endswith(f"/pad?token={guarded.place.player}")
    assert guarded.place.address("show", "viewer").endswith(f"/show?token={guarded.place.viewer}")


# The library ------------------------------------------------------------------------------------------------------------

WAYS_OUT = [
    "../secret", "..%2fsecret", "%2e%2e%2fsecret", "..\\secret", "....//secret", "/etc/passwd", ".hidden", "a/../../secret",
    "secret\0", "C:secret", "con", "secret.", "x" * 200, "~root", "..", ".",
]  # fmt: skip


@pytest.mark.parametrize("name", WAYS_OUT)
def test_no_name_leads_out_of_the_library(client, hand, playing, name):
    (playing.library.folder.parent / "secret").write_text("name = 'told'")
    (playing.library.folder.parent / "secret.toml").write_text("name = 'told'")
    (playing.library.folder / "secret.toml").write_text("name = 'told'")
    before = sorted(playing.library.folder.parent.rglob("*"))
    from urllib.parse import quote

    quotings = {quote(name, safe=""), quote(quote(name, safe=""), safe="")}
    for quoted in quotings - {".", ".."}:  # of these the client itself makes another address
        for shelf in ("patches", "takes", "models"):
            for method in ("GET", "PUT", "DELETE"):
                answer = client.request(method, f"/api/{shelf}/{quoted}", content=b"seed = 1")
                assert answer.status_code >= 400 and "told" not in answer.text
        assert client.get(f"/api/snapshots/{quoted}.jpg").status_code >= 400
        assert client.get(f"/assets/{quoted}").status_code >= 400
    for message in ({"do": "save_patch", "name": name}, {"do": "play", "patch": name}, {"do": "play", "model": name},
                    {"do": "replay", "take": name}, {"do": "recall", "look": name}):  # fmt: skip
        assert hand.ask(message.pop("do"), **message)["is"] == "refused"
    assert client.post("/api/models", params={"name": f"{name}.pkl"}, content=b"x").status_code >= 400
    assert sorted(playing.library.folder.parent.rglob("*")) == before


def test_a_link_out_of_the_library_is_not_followed(client, hand, playing, tmp_path):
    outside = tmp_path / "outside.toml"
    outside.write_text('name = "told"')
    try:
        os.symlink(outside, playing.library.folder / "patches" / "link.toml")
    except OSError:
        pytest.skip("this system makes no links")
    answer = client.get("/api/patches/link")
    assert answer.status_code == 422 and "told" not in answer.text
    assert client.put("/api/patches/link", content=b'model = "tiny"').status_code == 422
    assert hand.ask("save_patch", name="link")["is"] == "refused"
    assert client.delete("/api/patches/link").status_code == 422
    assert outside.read_text() == 'name = "told"' and "link" not in [
        p["name"] for p in client.get("/api/patches").json()
    ]


@pytest.mark.parametrize(
    "edits",
    [
        {"model": "/etc/passwd"},
        {"model": "http://127.0.0.1/x.pkl"},
        {"model": "../x.pkl"},
        {"sources.film": {"kind": "video", "path": "/etc/passwd"}},
        {"sources.film": {"kind": "video", "path": "../../x.mp4"}},
        {"sources.film": {"kind": "pictures", "path": "/home"}},
        {"sources.film": {"kind": "camera", "index": "rtsp://somebody/else"}},
        {"sources.film": {"kind": "camera", "index": "/etc/passwd"}},
        {"sinks.film": {"kind": "video", "path": "/tmp/evil.mp4"}},
        {"features.eye": {"kind": "activations", "network": "vgg16", "weights": "/etc/passwd"}},
        {"features.eye": {"kind": "activations", "network": "vgg16", "weights": "mine.pth"}},
    ],
)
def test_a_change_reaches_for_nothing_outside_the_library(hand, playing, edits):
    before = playing.performance.patch
    answer = hand.ask("change", edits=edits)
    assert answer["is"] == "refused" and "library" in answer["problems"][0], answer
    assert playing.performance.patch is before


def test_over_the_network_an_encoder_is_the_models_own_or_what_was_typed(tmp_path):
    library, eye = Library(tmp_path / "library"), patch.Patch(sources={"eye": Lamp()}, model="portraits")

    def asked(encoder):
        return patch.changed(eye, {"features.me": {"kind": "projection", "encoder": encoder}})

    for encoder in ("own", "none"):
        assert library.within(asked(encoder)).features["me"].encoder == encoder
    for encoder in ("mine.safetensors", "/etc/passwd"):
        with pytest.raises(
            patch.BadPatch, match=r"features\.me\.encoder: .* is outside the library: say 'own' or 'none'"
        ):
            library.within(asked(encoder))
    library.trust(asked("mine.safetensors"))
    assert library.within(asked("mine.safetensors")).features["me"].encoder == "mine.safetensors"


def test_a_film_that_was_typed_plays_as_it_was_typed(tmp_path):
    """Also where a video of the library has that name, and somebody changes something else."""
    library = Library(tmp_path / "library")
    (library.folder / "videos" / "dance.mp4").touch()
    film = {"sources.film": {"kind": "video", "path": "dance.mp4"}}
    typed = patch.changed(patch.Patch(model="portraits"), film)
    library.trust(typed)
    assert library.within(patch.changed(typed, {"latent.psi": 0.5})).sources["film"].path == "dance.mp4"
    assert library.shelved(*next(iter(film.items()))) == film["sources.film"]


def test_a_film_that_was_typed_as_a_source_is_not_written_over(tmp_path):
    library = Library(tmp_path / "library")
    library.trust(
        patch.changed(patch.Patch(model="portraits"), {"sources.film": {"kind": "video", "path": "~/me.mp4"}})
    )
    over = patch.changed(patch.Patch(model="portraits"), {"sinks.film": {"kind": "video", "path": "~/me.mp4"}})
    with pytest.raises(patch.BadPatch, match=r"sinks\.film\.path: .* is outside the library"):
        library.within(over)


def test_what_sources_can_show_is_what_lies_in_the_library(hand, client, playing, tmp_path, clip_path):
    folder, outside = playing.library.folder, tmp_path / "outside"
    shutil.copy(clip_path, folder / "videos" / "dance.mp4")
    for album in (folder / "pictures" / "holiday", outside):
        album.mkdir()
        cv2.imwrite(str(album / "one.png"), np.full((8, 8, 3), 200, np.uint8))
    (folder / "pictures" / "empty").mkdir()
    (folder / "videos" / "notes.txt").write_text("no film")
    (folder / "videos" / ".hidden.mp4").write_bytes(b"")
    with suppress(OSError):  # some systems make no links
        os.symlink(outside, folder / "pictures" / "away")
        os.symlink("/etc/passwd", folder / "videos" / "passwd.mp4")
    assert playing.library.shows("video") == ["dance.mp4"] and playing.library.shows("pictures") == ["holiday"]
    playing.note("library")
    hand.until(
        lambda h: h.state["library"]["videos"] == ["dance.mp4"] and h.state["library"]["pictures"] == ["holiday"]
    )
    shown = {
        "sources.film": {"kind": "video", "path": "dance.mp4"},
        "sources.walk": {"kind": "pictures", "path": "holiday"},
    }
    assert hand.ask("change", edits=shown)["is"] == "done"
    for name in ("film", "walk"):
        assert playing.performance.view(name).newer(0, 60)[0] is not None
    for name in ("away", "passwd.mp4"):
        for kind in ("pictures", "video"):
            answer = hand.ask("change", edits={"sources.evil": {"kind": kind, "path": name}})
            assert answer["is"] == "refused" or playing.performance.view("evil").newer(0, 0.5)[0] is None


def test_a_take_that_is_in_use_stays(hand, client, playing):
    name = hand.ask("record", on=True)["result"]["take"]
    playing.performance.frames.newer(playing.performance.frames.count + 3, 60)
    assert "in use" in client.delete(f"/api/takes/{name}").json()["problems"][0]
    hand.ask("record", on=False)
    assert client.delete(f"/api/takes/{name}").status_code == 204
    assert client.get("/api/takes").json() == []
    hand.until(lambda h: h.state["library"]["takes"] == [])


def test_a_patch_from_a_stranger_is_data(client, playing):
    evil = '[sources.film]\nkind = "video"\npath = "/etc/passwd"\n'
    assert client.put("/api/patches/evil", content=evil).status_code == 422
    (playing.library.folder / "patches" / "evil.toml").write_text(evil)  # it came by another way
    assert "outside" in client.post("/api/control", json={"do": "play", "patch": "evil"}).json()["problems"][0]
    assert client.put("/api/patches/big", content=b"#" * (2**20 + 1)).status_code == 413
    assert client.put("/api/patches/bad", content=b"\xff\xfe").status_code == 422
    assert client.put("/api/patches/good", content='model = "tiny"').status_code == 201
    assert client.get("/api/patches/good").text == 'model = "tiny"\n'


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/kinesphere-was-here",))


def test_a_model_that_holds_code_is_refused_and_nothing_of_it_runs(client, playing, tmp_path):
    marker = tmp_path / "was-here"

    class Code:
        def __reduce__(self):
            return (marker.touch, ())

    for evil in (
        pickle.dumps({"G_ema": Evil()}),
        pickle.dumps(Evil(), protocol=0),
        torch_zip(Evil()),
        b"",
        b"hello",
        b"PK\3\4",
    ):
        answer = client.post("/api/models", params={"name": "evil.pkl"}, content=evil)
        assert answer.status_code == 422 and answer.json()["problems"][0].startswith("evil.pkl")
    assert not os.path.exists("/tmp/kinesphere-was-here")
    assert list((playing.library.folder / "models").iterdir()) == []


def torch_zip(thing):
    """`thing` in the zip that torch.save writes."""
    out = io.BytesIO()
    torch.save(thing, out)
    return out.getvalue()


def test_a_model_that_is_too_large_is_refused_before_it_has_all_come(playing):
    sent = []

    def pieces():
        for n in range(1000):
            sent.append(n)
            yield b"x" * 1024

    with Client(app(playing, Door(port=7860), largest=4096), base_url=BASE) as client:
        answer = client.post("/api/models", params={"name": "big.pkl"}, content=pieces())
    assert answer.status_code == 413 and list((playing.library.folder / "models").iterdir()) == []


def test_a_model_is_handed_in_and_played(client, hand, playing, tiny_checkpoint, tmp_path):
    checkpoints.save(tiny_checkpoint, tmp_path / "mine.safetensors")
    data = (tmp_path / "mine.safetensors").read_bytes()
    answer = client.post("/api/models", params={"name": "mine.safetensors"}, content=data)
    assert answer.status_code == 201 and answer.json()["card"]["family"] == "stylegan2"
    assert (
        client.post("/api/models", params={"name": "mine.safetensors"}, content=data).status_code == 422
    )  # it is there
    hand.ask("play", model="mine.safetensors")
    hand.until(lambda h: h.state["model"]["name"] == "mine.safetensors")
    assert client.delete("/api/models/mine.safetensors").status_code == 204


def test_the_machine_describes_itself_and_keeps_every_promise(client):
    described = client.get("/api/openapi.json").json()
    assert {"/api/status", "/api/patches/{name}", "/api/models", "/api/control"} <= described["paths"].keys()
    for path in ("/", "/show", "/pad"):
        answer = client.get(path)
        assert answer.status_code == 200 and "default-src 'self'" in answer.headers["content-security-policy"]


# A real server ----------------------------------------------------------------------------------------------------------


def test_two_players_and_five_viewers_at_once(playing):
    async def viewer(address, n):
        async with websockets.connect(f"{address}/ws/pictures") as socket:
            form = "h264" if n == 0 else "jpeg"
            await socket.send(json.dumps({"view": "picture", "credit": 1 + n % 3, "format": form}))
            numbers = []
            while len(numbers) < 8:
                numbers.append(HEADER.unpack((await socket.recv())[: HEADER.size])[0])
                await socket.send(json.dumps({"seen": numbers[-1]}))
            return numbers

    async def player(address, place):
        async with websockets.connect(f"{address}/ws/control") as socket:
            for n in range(10):
                await socket.send(json.dumps({"do": "change", "id": n, "edits": {place: 0.05 * n}}))
                while (heard := json.loads(await socket.recv()))["is"] != "done":
                    assert heard["is"] != "refused", heard
            state = {}
            while state.get("patch", {}).get("latent", {}).get("psi") != 0.45:
                heard = json.loads(await socket.recv())
                state |= heard if heard["is"] == "state" else {}
            return True

    async def all_of_them(address):
        return await asyncio.gather(
            player(address, "latent.psi"), player(address, "latent.drift"), *(viewer(address, n) for n in range(5))
        )

    with served(playing) as serving:
        _, _, *seen = asyncio.run(all_of_them(f"ws://127.0.0.1:{serving.door.port}"))
    assert all(numbers == sorted(set(numbers)) for numbers in seen)
    assert playing.performance.patch.latent.psi == 0.45 and playing.performance.patch.latent.drift == 0.45


def test_a_viewer_that_stops_reading_costs_nothing_and_grows_nothing(playing):
    async def silent(address):
        async with websockets.connect(f"{address}/ws/pictures", max_queue=1, close_timeout=0.1) as socket:
            await socket.send(json.dumps({"view": "picture", "credit": 3, "format": "jpeg"}))
            for _ in range(200):  # claims to have seen what it never reads
                await socket.send('{"seen": 1}')
                await asyncio.sleep(0)
            await asyncio.to_thread(playing.performance.frames.newer, playing.performance.frames.count + 15, 30)
            viewer = playing.gallery.lanes["picture"].viewers[0]
            return viewer.sent - viewer.seen

    with served(playing) as serving:
        waiting = asyncio.run(silent(f"ws://127.0.0.1:{serving.door.port}"))
    assert 0 <= waiting <= 3


def test_a_taken_port_gives_the_next_one_and_is_named_where_it_was_asked_for():
    first, one = door(None)
    try:
        second, two = door(None)
        two.close()
        assert second.port != first.port
        with pytest.raises(server.KinesphereError, match=str(first.port)):
            door(None, first.port)
    finally:
        one.close()


def trusting(certificates):
    return ssl.create_default_context(cafile=str(certificates / "certificate.pem"))


def status_by_https(place, certificates):
    address = f"https://localhost:{place.port}/api/status?token={place.player}"
    with urllib.request.urlopen(address, context=trusting(certificates)) as answer:
        return json.load(answer)


def test_others_come_in_by_https_only_with_a_certificate_that_is_kept(playing, tmp_path):
    place, waiting = door("127.0.0.1", 0)
    place = Door(host="127.0.0.1", port=place.port, tokens=True, https=True)
    with Server(playing, place, waiting, certificates=tmp_path):
        assert status_by_https(place, tmp_path)["fps"] >= 0
    made = (tmp_path / "certificate.pem").read_bytes()
    assert os.stat(tmp_path / "key.pem").st_mode & 0o077 == 0
    from kinesphere.stage.security import certificate

    certificate(("127.0.0.1",), tmp_path)
    assert (tmp_path / "certificate.pem").read_bytes() == made
    certificate(("another.local",), tmp_path)
    assert (tmp_path / "certificate.pem").read_bytes() != made


@pytest.mark.filterwarnings("error:unclosed transport:ResourceWarning")  # it is looked for here, if nowhere else
@pytest.mark.parametrize("shakes", [True, False], ids=["as it closes", "never"])
def test_who_comes_as_the_stage_closes_is_let_go(playing, tmp_path, shakes):
    place, waiting = door("127.0.0.1", 0)
    place = Door(host="127.0.0.1", port=place.port, tokens=True, https=True)
    with Server(playing, place, waiting, certificates=tmp_path) as serving:
        late = socket.create_connection(("127.0.0.1", place.port), timeout=20)
        status_by_https(place, tmp_path)  # by now the late one, which came first, is waiting for its handshake
        serving.server.should_exit = True
        while waiting.fileno() != -1:
            time.sleep(0.001)
        if shakes:
            late = trusting(tmp_path).wrap_socket(late, server_hostname="localhost")
    with late:
        assert late.recv(1) == b""  # it was closed, and not only forgotten: that would wait
    gc.collect()  # what asyncio left open would be told now


def test_this_machine_alone_unless_asked():
    place, waiting = door(None, 0)
    assert waiting.getsockname()[0] == "127.0.0.1" and not place.tokens
    waiting.close()
    place, waiting = door("0.0.0.0", 0)
    waiting.close()
    assert place.tokens and place.https and place.address().startswith("https://")


def test_an_evening_in_small_grows_neither_memory_nor_threads(playing, client):
    """A few hundred pictures, with changes, looks, viewers that come and go, models and takes: what it holds after the first
    rounds is what it holds at the end."""
    me, held, threads = psutil.Process(), [], []
    with client.websocket_connect("/ws/control") as socket:
        hand = Hand(socket).until(lambda h: "patch" in h.state)
        for turn in range(10):
            hand.ask("play", model="abstract" if turn % 2 == 0 else "tiny", fade=0.05)
            hand.ask("record", on=True, video=turn % 3 == 0)
            with ExitStack() as viewers:
                for form in ("jpeg", "h264", "jpeg"):
                    viewer = viewers.enter_context(client.websocket_connect("/ws/pictures"))
                    look(viewer, credit=3, format=form, most=16)
                    viewer.receive_bytes()
                for n in range(20):
                    hand.ask(
                        "change", edits={"latent.psi": n / 20, "latent.seed": n, "features.light": {"kind": "light"}}
                    )
                playing.performance.frames.newer(playing.performance.frames.count + 15, 60)
            look_id = hand.ask("snapshot")["result"]["id"]
            hand.ask("recall", look=look_id, seconds=0.05)
            hand.ask("undo")
            hand.ask("forget", look=look_id)
            hand.ask("record", on=False)
            while playing.performance.loading:
                playing.performance.frames.newer(playing.performance.frames.count + 1, 60)
            for thread in threading.enumerate():
                if thread.name.split()[0] in ("view", "film", "record", "load", "deliver"):
                    thread.join(timeout=30)
            held.append(me.memory_info().rss)
            threads.append(threading.active_count())
    assert max(threads[2:]) <= max(threads[:2]), threads
    assert held[-1] - max(held[:4]) < 30e6, held
    assert playing.performance.meter.frames > 100 and not playing.pages[1:]


def test_no_thread_is_left_behind(tiny_checkpoint, tmp_path):
    before = set(threading.enumerate())
    played = patch.Patch(model="tiny")
    library = Library(tmp_path)
    with Performance(played, engine=Engine(played, tiny_checkpoint)) as performance:
        with Session(performance, library) as session, served(session) as serving:

            async def visit():
                async with websockets.connect(f"ws://127.0.0.1:{serving.door.port}/ws/pictures") as socket:
                    await socket.send('{"view": "picture"}')
                    await socket.recv()

            asyncio.run(visit())
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)
    assert [t.name for t in set(threading.enumerate()) - before if t.is_alive()] == []


# Features of several numbers, and bends -----------------------------------------------------------------------------------


def ear_of(*steps):
    """An ear that heard a fist: its angle and its place, 20 times a second."""
    ear = Ear()
    for i, (angle, x) in enumerate(steps):
        ear(SimpleNamespace(t=i / 20, features={"fist": Drawn(np.array([angle, x]), i / 20, Fist.names)}), None)
    return ear


def rest(n):
    return [(0.001 * (-1) ** i, 0.5 + 0.001 * (-1) ** i) for i in range(n)]


@pytest.mark.parametrize("which", ["fist.angle", "fist.x"])
def test_of_several_numbers_the_one_that_moves_is_learnt(which):
    sway = [float(np.sin(i / 8)) for i in range(60)]
    moved = [(s, x) if which == "fist.angle" else (a, x + s) for (a, x), s in zip(rest(60), sway, strict=True)]
    gesture = ear_of(*rest(60), *moved).gesture(3.0, ["fist.angle"])
    assert gesture.feature == which and gesture.clear and 1.5 < gesture.high - gesture.low < 2.1


def test_an_angle_that_moves_across_its_seam_is_learnt_as_one_range():
    angles = [np.pi + 0.5 * np.sin(i / 8) for i in range(60)]
    wrapped = [((a + np.pi) % (2 * np.pi) - np.pi, 0.5 + 0.001 * (-1) ** i) for i, a in enumerate(angles)]
    still = [(np.pi - 0.01 if i % 2 else -np.pi + 0.01, 0.5 + 0.001 * (-1) ** i) for i in range(60)]
    gesture = ear_of(*still, *wrapped).gesture(3.0, ["fist.angle"])
    assert gesture.feature == "fist.angle" and 0.8 < gesture.high - gesture.low < 1.05
    assert ear_of(*still, *still).gesture(3.0, ["fist.angle"]) is None


def test_what_is_not_known_is_not_heard():
    ear = ear_of((np.nan, np.nan), (0.5, np.nan), (0.7, 1.0))
    found = {name: values.tolist() for name, values in ear.numbers(0.0).items()}
    assert found == {"fist.angle": [0.5, 0.7], "fist.x": [1.0]}


def test_each_number_of_a_feature_is_told_by_its_name_and_bound_by_itself(hand, playing):
    hand.ask("change", edits={"features.fist": {"kind": "fist"}, "latent.psi": {"feature": "fist.x", "in_low": -1.5}})
    hand.until(lambda h: isinstance(h.meters.get("features", {}).get("fist"), dict))
    assert set(hand.meters["features"]["fist"]) == {"angle", "x"}
    hand.until(lambda h: set(h.state["felt"]) == {"light", "fist.angle", "fist.x"})
    assert hand.state["felt"]["fist.angle"] == {"low": -np.pi, "high": np.pi, "turn": 2 * np.pi}
    assert "has several numbers" in hand.ask("change", edits={"latent.psi": {"feature": "fist"}})["problems"][0]
    playing._bind("latent.psi", Gesture("fist.angle", 2.5, 3.6, True))  # as `learn` does
    route = playing.performance.patch.latent.psi
    assert (route.feature, route.in_low, route.in_high, route.circular) == ("fist.angle", 2.5, 3.6, 2 * np.pi)


def test_bends_come_are_played_and_go(hand, playing):
    assert {kind["kind"] for kind in hand.state["kinds"]["bends"]} == set(BENDS)
    assert "transform" not in hand.state["model"]["bends"] and "warp" in hand.state["model"]["bends"]
    hand.ask("change", edits={"bends.turn": {"kind": "warp"}})
    hand.until(lambda h: any(c["place"] == "bends.turn.rotate" and c["routable"] for c in h.state["controls"]))
    before = playing.performance.frames.latest().frame.tobytes()
    hand.ask("change", edits={"bends.turn.rotate": 1.0})
    hand.until(lambda h: playing.performance.frames.latest().frame.tobytes() != before)
    kept = hand.ask("snapshot")["result"]["id"]
    hand.ask("change", edits={"bends.turn": None})
    hand.until(lambda h: playing.performance.frames.latest().frame.tobytes() == before)
    hand.ask("recall", look=kept)
    assert playing.performance.patch.bends["turn"].rotate == 1.0
    refused = hand.ask("change", edits={"bends.deep": {"kind": "transform"}})["problems"]
    assert refused[0].startswith("bends.deep: stylegan2 has no input transform: 'warp'")


def test_a_look_with_a_bend_that_this_model_cannot_do_comes_without_it(hand, playing):
    bends = {"turn": {"kind": "transform", "rotate": 1.0}, "grain": {"kind": "noise", "strength": 0.0}}
    kept = playing.snapshots.add(checked({"latent.psi": 0.2, "bends": bends}), "far")
    playing.note("looks")
    assert hand.ask("recall", look=kept)["is"] == "done"
    assert list(playing.performance.patch.bends) == ["grain"] and playing.performance.patch.latent.psi == 0.2


def test_the_meters_say_what_draws_and_where_bends_make_it_slower(playing, hand):
    engine = playing.performance.engine
    hand.until(lambda hand: hand.meters)
    assert hand.meters["drawn_by"] == {
        "back_end": "exact", "precision": "float32", "ms": None, "why": "nothing else was asked for", "detours": []
    }  # fmt: skip
    engine.painted_by = runtime.Choice("openvino", "bfloat16", 0.00612, "it keeps 30 pictures a second")
    hand.ask("change", edits={"bends": {"n": {"kind": "noise", "add": 0.2, "at": "b8.conv1"}}})
    hand.until(lambda hand: hand.meters["drawn_by"]["detours"])
    assert hand.meters["drawn_by"] == {
        "back_end": "openvino", "precision": "bfloat16", "ms": 6.1, "why": "it keeps 30 pictures a second",
        "detours": ["b8.conv1 is bent: b8 is drawn by torch"],
    }  # fmt: skip
