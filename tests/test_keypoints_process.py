"""The tracking process: what goes wrong in it never reaches the picture, and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import Scripted

from kinesphere.engine import Engine
from kinesphere.features.keypoints import Body, Face, Hand, process
from kinesphere.features.keypoints.anatomy import BODY
from kinesphere.features.keypoints.mediapipe import MediaPipe
from kinesphere.features.keypoints.process import Process
from kinesphere.patch import Latent, Patch
from kinesphere.performance import Performance
from kinesphere.routes import Route
from kinesphere.sinks import Null
from kinesphere.types import KinesphereError, Signal

PATIENCE = 60.0  # seconds after which something has clearly failed: the machine may be slow

FAKE = """
import importlib.util, json, os, sys, time, types
spec = importlib.util.spec_from_file_location("child", {child!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)

class Fake:
    "Finds a hand whose place is the grey of the first pixel, and says how many pictures it has seen since it began afresh."
    def __init__(self, solutions, settings, numbers):
        if settings["confidence"] == 0.123:
            raise RuntimeError("no such network")
        self.seen, self.numbers = 0, numbers

    def __call__(self, picture):
        if not picture.any():
            self.seen = 0
            return []
        self.seen += 1
        if picture[0, 0, 1] == 1:
            time.sleep(600)
        if picture[0, 0, 1] == 2:
            os._exit(3)
        if picture[0, 0, 1] == 3:
            os.kill(os.getpid(), 11)
        x, y = picture[0, 0, 0] / 255, max(picture.shape) / 10_000
        return [{{"points": [[x, y, 0, 1]] * 21, "score": self.seen / 100, "left": 0.9}}]

child.MAKERS = dict.fromkeys(("hand", "body", "face"), Fake)
sys.modules["mediapipe"] = types.SimpleNamespace(solutions=None)
child.main()
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A child that keeps the protocol and needs no MediaPipe."""
    path = tmp_path / "fake_child.py"
    path.write_text(FAKE.format(child=str(process.CHILD)))
    monkeypatch.setattr(process, "CHILD", path)
    monkeypatch.setattr(process, "find_spec", lambda name: True)
    yield path
    assert not MediaPipe._streams, "a tracking process was left behind"


def grey(level, what=0, size=(64, 48)):
    picture = np.full((size[1], size[0], 3), 9, np.uint8)
    picture[0, 0] = level, what, 9
    return picture


def pid(feature):
    return feature._tracker._stream().process.pid


def gone(number):
    """Wait until there is no such process."""
    until = time.monotonic() + PATIENCE
    while psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, f"process {number} is still there"
        time.sleep(0.05)
    return True


def found(feature, level, t, what=0):
    """Where the tracker found the figure, 0 to 255: the grey that it was shown."""
    feature(Signal(grey(level, what), t))
    return round(feature.last()[0].figures[0].points[0, 0] * 255, 6)


@pytest.fixture
def hand(fake):
    feature = Hand()
    feature.open()
    yield feature
    feature.close()


def test_it_tracks_the_very_picture_that_it_is_given(hand):
    rng = np.random.RandomState(0)
    for i, level in enumerate(rng.randint(0, 256, 200)):
        assert found(hand, level, i / 30) == level


def test_a_large_picture_is_shrunk_and_its_landmarks_are_not(hand):
    picture = np.full((2000, 3000, 3), 255, np.uint8)
    assert hand(Signal(picture, 0.0))[hand.names.index("x")] == pytest.approx(1.5)
    sighting, _ = hand.last()
    assert sighting.size == (3000, 2000)
    assert sighting.figures[0].points[0, 1] == Process.SIDE / 10_000  # what the fake tells of the picture's size


def test_one_process_serves_all_who_look_at_the_same_for_the_same_and_looks_once(fake):
    left, right, elsewhere = Hand(which="left"), Hand(which="right"), Hand(source="other")
    for feature in (left, right, elsewhere):
        feature.open()
    assert pid(left) == pid(right) != pid(elsewhere)
    first, second = Signal(grey(10), 0.0), Signal(grey(20), 0.1)
    for moment in (first, second):
        left(moment), right(moment)
    assert left.last()[0] is right.last()[0] and left.last()[0].figures[0].score == 0.02  # two pictures in all
    kept, other = pid(left), pid(elsewhere)
    left.close()
    elsewhere.close()
    assert gone(other) and psutil.pid_exists(kept) and found(right, 77, 0.2) == 77
    right.close()
    assert gone(kept)


def test_beginning_again_forgets_so_that_a_film_comes_out_the_same(hand):
    def film():
        hand.open()
        values = [hand(Signal(grey(10 * i), i / 30)) for i in range(5)]
        return np.array(values), hand.last()[0].figures[0].score

    (first, seen), (again, seen_again) = film(), film()
    assert seen == seen_again == 0.05
    np.testing.assert_array_equal(first, again)


def test_a_feature_that_nobody_closes_takes_its_process_with_it(fake):
    feature = Hand()
    feature.open()
    found(feature, 1, 0.0)
    number = pid(feature)
    del feature
    assert gone(number)


def test_killed_while_it_tracks_it_is_told_restarted_and_goes_on(hand):
    found(hand, 100, 0.0)
    before = pid(hand)
    os.kill(before, signal.SIGKILL)
    with pytest.raises(KinesphereError, match=r"ended by itself \(signal 9\); another is being started"):
        found(hand, 50, 0.1)
    assert found(hand, 255, 0.2) == 255 and pid(hand) != before


@pytest.mark.parametrize("what, says", [(2, "code 3"), (3, "signal 11")])
def test_a_crash_on_a_picture_is_told_and_the_next_picture_is_tracked(hand, what, says):
    with pytest.raises(KinesphereError, match=says):
        found(hand, 50, 0.0, what)
    assert found(hand, 255, 0.1) == 255


def test_a_hang_is_told_ended_and_the_next_picture_is_tracked(hand, monkeypatch):
    found(hand, 1, 0.0)
    monkeypatch.setattr(Process, "ANSWER", 0.5)
    before = pid(hand)
    with pytest.raises(KinesphereError, match="took more than 0.5 s to look at a picture; another is being started"):
        found(hand, 50, 0.1, what=1)
    monkeypatch.setattr(Process, "ANSWER", PATIENCE)
    assert found(hand, 255, 0.2) == 255 and gone(before)


def test_a_process_that_is_stopped_is_ended_too(hand, monkeypatch):
    found(hand, 1, 0.0)
    before = pid(hand)
    os.kill(before, signal.SIGSTOP)
    monkeypatch.setattr(Process, "ANSWER", 0.5)
    with pytest.raises(KinesphereError, match="look at a picture"):
        found(hand, 50, 0.1)
    assert gone(before)


def test_closing_while_it_looks_leaves_no_process(fake):
    feature = Hand()
    feature.open()
    found(feature, 1, 0.0)
    number, said = pid(feature), []

    def ask():
        try:
            found(feature, 1, 0.1, what=1)
        except KinesphereError as error:
            said.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.2)
    feature.close()
    asking.join(PATIENCE)
    assert gone(number) and "was closed while it looked" in said[0] and not MediaPipe._streams
    assert not [c for c in psutil.Process().children() if "child" in " ".join(c.cmdline())]


def test_what_cannot_begin_says_why_each_time_and_stops_nothing(fake):
    feature = Hand(confidence=0.123)
    feature.open()
    for t in (0.0, 0.1):
        with pytest.raises(KinesphereError, match="RuntimeError: no such network.*mediapipe 0.10.14"):
            found(feature, 1, t)
    feature.close()


@pytest.mark.parametrize("kind", [Hand, Body, Face])
def test_without_mediapipe_it_opens_and_says_what_to_install(kind, monkeypatch):
    monkeypatch.setattr(process, "find_spec", lambda name: None)
    feature = kind()
    feature.open()
    with pytest.raises(KinesphereError, match=r"pip install 'kinesphere\[body\]'.*tracker = \"synthetic\""):
        feature(Signal(grey(1), 0.0))
    feature.close()
    assert "3.11 and 3.12 only, and this is 3.14" in process.absence((3, 14)) and "only" not in process.absence((3, 12))


PARENT = """
import sys, threading, time
import numpy as np
from kinesphere.features.keypoints import Hand, process
from kinesphere.types import Signal
process.CHILD, process.find_spec = sys.argv[1], lambda name: True
idle, busy = Hand(source="a"), Hand(source="b")
idle.open(), busy.open()
picture = np.full((48, 64, 3), 9, np.uint8)
idle(Signal(picture, 0.0)), busy(Signal(picture.copy(), 0.0))
hang = picture.copy()
hang[0, 0, 1] = 1
threading.Thread(target=lambda: busy(Signal(hang, 0.1)), daemon=True).start()
time.sleep(0.3)
print(*(f._tracker._stream().process.pid for f in (idle, busy)), flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal there")
def test_no_process_outlives_a_parent_that_is_killed_idle_or_in_the_middle_of_a_picture(fake):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(fake)], stdout=subprocess.PIPE, text=True)
    children = [int(number) for number in parent.stdout.readline().split()]
    assert len(children) == 2 and all(map(psutil.pid_exists, children))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert all(map(gone, children))


def test_in_a_performance_the_picture_goes_on_and_the_trouble_is_told(fake, tiny_checkpoint):
    """Killed in the middle: the value is held, the station says so, and then it tracks again; the picture never waits."""
    seen = [grey(level) for level in range(1, 256)] * 100
    instrument = Patch(
        sources={"eye": Scripted(seen, fps=50.0)},
        features={"hand": Hand()},
        latent=Latent(psi=Route("hand.x", in_low=-1.0)),
        sinks={"nowhere": Null()},
    )
    performance = Performance(instrument, engine=Engine(instrument, tiny_checkpoint))
    health = performance.engine.health
    killed, told, before = [], [], 0
    with performance:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            station = health.get("features.hand")
            if station is not None and station.done >= 5 and not killed:
                killed.append(pid(instrument.features["hand"]))
                os.kill(killed[0], signal.SIGKILL)
                before, pictures = station.done, performance.engine.steps
            if killed and station.error:
                told.append(station.error)
                held = performance.engine.numbers["latent.psi"]
                assert np.isfinite(held)
            steps = performance.engine.steps - pictures if killed else 0
            if told and station.error is None and station.done > before + 5 and steps > 5:
                break
            time.sleep(0.005)
    assert told and "another is being started" in told[0] and "signal 9" in told[0]
    assert station.error is None and station.done > before + 5 and steps > 5
    assert gone(killed[0])


# --- MediaPipe itself -------------------------------------------------------------------------------------------------

real = pytest.mark.skipif(
    find_spec("mediapipe") is None, reason="mediapipe is not installed: pip install 'kinesphere[body]'"
)


def values_of(feature, picture, looks=3):
    """What it says of a still picture, once it follows it."""
    for i in range(looks):
        values = feature(Signal(picture.copy(), i / 30))
    return dict(zip(feature.names, values, strict=True))


@pytest.fixture(scope="module")
def following():
    """Features that share one MediaPipe for each kind, as it takes seconds to begin."""
    features = {kind: kind() for kind in (Hand, Body, Face)}
    yield features
    for feature in features.values():
        feature.close()
    assert not MediaPipe._streams


def photographs():
    import skimage.data
    from matplotlib import cbook
    from PIL import Image

    hopper = Image.open(Path(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))).convert("RGB")
    return {"astronaut": skimage.data.astronaut(), "hopper": np.asarray(hopper)}


@real
def test_faces_on_photographs(following):
    """Two people who look into the camera: one smiles and one does not; mirrored, what was left is right."""
    feature, seen, mirrored = following[Face], {}, {}
    for name, picture in photographs().items():
        feature.open()
        seen[name] = values_of(feature, picture)
        feature.open()
        mirrored[name] = values_of(feature, picture[:, ::-1])
    for name, values in seen.items():
        assert max(abs(values[angle]) for angle in ("yaw", "pitch", "roll")) < 0.2
        assert values["seen"] > 0.9 and values["blink"] < 0.3
        for turned in ("yaw", "roll", "x", "gaze_x"):
            assert mirrored[name][turned] == pytest.approx(-values[turned], abs=0.06)
    assert seen["astronaut"]["smile"] > seen["hopper"]["smile"] + 0.05
    assert seen["hopper"]["size"] > seen["astronaut"]["size"] and seen["hopper"]["mouth"] < 0.03
    # measured with a ruler on the photograph: the middle of her face is at about (224, 118) of 512 x 512
    assert (seen["astronaut"]["x"], seen["astronaut"]["y"]) == pytest.approx((-0.125, 0.54), abs=0.05)


@real
def test_a_body_on_a_photograph(following):
    feature = following[Body]
    feature.open()
    seen = values_of(feature, photographs()["astronaut"])
    sighting, _ = feature.last()
    nose = sighting.figures[0].points[0]
    assert (nose[0] * 512, nose[1] * 512) == pytest.approx((224, 118), abs=25)
    assert abs(seen["lean"]) < 0.2 and seen["seen"] > 0.9
    assert 0 < len(feature.overlay().lines) < len(BODY.lines)  # her feet are not in the picture


@real
def test_painted_hands_are_found_turned_by_the_angle_that_was_painted(following):
    """Every one of them, at six angles; the angle within 8 degrees, of which most is where the painter put the wrist."""
    pytest.importorskip("skia", reason="skia-python paints the hands: pip install 'kinesphere[train]'")
    from hands import paint

    feature, errors = following[Hand], []
    for i, angle in enumerate(np.radians([-170, -100, -30, 0, 75, 140])):
        side = ("left", "right")[i % 2]
        for size in ((640, 480), (640, 360)):
            feature.open()
            seen = values_of(feature, paint(size, i % 3, i % 3, angle=angle, x=0.2, size=0.45, side=side), looks=2)
            errors.append(np.degrees((seen["angle"] - angle + np.pi) % (2 * np.pi) - np.pi))
            assert (seen["x"], seen["y"]) == pytest.approx((0.2, 0.0), abs=0.06)
            assert seen["size"] == pytest.approx(0.45, abs=0.06) and seen["openness"] > 0.8
            assert (feature.last()[0].figures[0].left > 0.5) == (side == "left")
    feature.open()
    fist = values_of(feature, paint(skin=1, wall=1, angle=-1.05, size=0.45, curls=(1, 1, 1, 1, 1)))
    assert np.isfinite(errors).all() and np.abs(errors).max() < 8
    assert fist["openness"] < 0.4


@real
def test_a_film_of_a_hand_is_tracked_the_same_again(following):
    pytest.importorskip("skia", reason="skia-python paints the hands: pip install 'kinesphere[train]'")
    from hands import paint

    film = [paint((320, 240), angle=0.15 * i, x=0.05 * i - 0.4, size=0.5) for i in range(12)]
    feature, films = following[Hand], []
    for _ in range(2):
        feature.open()
        films.append(np.array([feature(Signal(picture, i / 30)) for i, picture in enumerate(film)]))
    np.testing.assert_array_equal(films[0], films[1])
    assert np.isfinite(films[0]).all()


@real
def test_mediapipe_killed_is_started_again(following):
    feature = following[Face]
    feature.open()
    picture = photographs()["astronaut"]
    before = values_of(feature, picture)
    os.kill(pid(feature), signal.SIGKILL)
    with pytest.raises(KinesphereError, match="another is being started"):
        values_of(feature, picture)
    assert values_of(feature, picture)["yaw"] == pytest.approx(before["yaw"], abs=0.02)
