"""The stage, from the hand and the camera to the picture in a browser, and its pace while others disturb it.

Run: python bench/stage.py

The stage runs in a process of its own, as `kinesphere play` opens it, with the built-in model and clip; a headless Chromium has the
player's page open. Three things are measured, and the engine's own time without a model (bench/live.py):
  change   a key on the page's slider of psi, until the first picture of a step that read the new value is drawn on the page's
           canvas. Which step that was is known exactly: its time stands in the picture's header, and a listener in the engine
           notes for each step what it read. The same from a socket in Python, until the picture's bytes are there.
  camera   the age of the camera's picture that a shown picture was made from, when that is drawn: for a source in the engine
           whose pictures carry the time at which they were made, and for the browser's own camera, sent to the stage.
  pace     from one picture to the next, as the engine measures it, while others disturb; before other programs where the system
           allows that, as `kinesphere play` asks for. The disturbances take turns, so that
           what happens to the machine happens to all alike; compare the ratios to "page idle".
All times are of one clock (CLOCK_MONOTONIC); the page's is laid beside it, to within "clock error ms".
Needs Chromium (on the PATH, or Playwright's own). Saves bench/results/stage.json; --docs puts the figures into docs/stage.md.
"""

from __future__ import annotations

import argparse
import bisect
import ctypes
import http.client
import json
import multiprocessing
import os
import platform
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinesphere.startup import calm_collector, go_first, prepare

prepare()

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import torch  # noqa: E402
from live import CLIP, overhead  # noqa: E402
from websockets.exceptions import WebSocketException  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from kinesphere import checkpoints, patch, runtime  # noqa: E402
from kinesphere.engine import Engine, Moment  # noqa: E402
from kinesphere.lanes import Shown  # noqa: E402
from kinesphere.models import StyleGAN2  # noqa: E402
from kinesphere.performance import Meter, Performance  # noqa: E402
from kinesphere.sources import SOURCES, Page, Video  # noqa: E402
from kinesphere.stage import Library, Server, Session, door  # noqa: E402
from kinesphere.stage.pictures import HEADER  # noqa: E402
from kinesphere.types import KinesphereError, Signal  # noqa: E402

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "stage.md"
HEADING = "## How quick it is"
OPENING = 300.0  # seconds that a stage may take to open, on a machine that does other things
ANSWER = 60.0  # and to answer
SETTLE = 0.5  # seconds between two disturbances
BLOCKED = 0.5  # seconds that the page is blocked for, again and again
BETWEEN = 0.1  # and those between
UPLOAD = 50  # megabytes
BARS = {"pace": 1.10, "overhead ms": 1.0}
JUDGED = ("page blocked", "viewer that stops reading", "upload of 50 MB")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
)  # fmt: skip

# What the page tells about itself: pictures as [drawn, shown by the browser (both ms), engine's time (s)], keys, camera pictures.
WATCH_CAMERA = """
  window.sent = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (this.url.includes("/ws/source/")) {
      const bytes = data instanceof ArrayBuffer ? new DataView(data) : new DataView(data.buffer, data.byteOffset);
      window.sent.push(bytes.getFloat64(0, true));
    }
    return send.call(this, data);
  };
"""
WATCH = """picture => {
  window.seen = {drawn: [], pressed: []};
  picture.addEventListener("picture", event => {
    const entry = [performance.now(), 0, event.detail.t];
    requestAnimationFrame(() => { entry[1] = performance.now(); });
    seen.drawn.push(entry);
  });
  addEventListener("keydown", event => seen.pressed.push(Math.min(event.timeStamp, performance.now())), true);
}"""
TAKE = "() => { const all = [seen.drawn, seen.pressed, window.sent]; seen.drawn = []; seen.pressed = []; return all; }"
COMPUTE = "ms => { const end = performance.now() + ms; while (performance.now() < end); }"


class Broken(Exception):
    """What was to be measured did not happen. The message says what."""


# The stage, in a process of its own ---------------------------------------------------------------------------------------


@dataclass
class Timed:
    """A camera in the engine: thirty pictures a second, each stamped with the time at which it was made."""

    fps: float = 30.0

    def __post_init__(self) -> None:
        noise = np.random.RandomState(0).randint(0, 256, (240, 320, 3), np.uint8)
        self._pictures = [np.roll(noise, 8 * i, 1) for i in range(40)]
        self._signal: Signal | None = None

    def open(self) -> None: ...

    def read(self, t: float) -> Signal | None:
        made = int(t * self.fps) / self.fps
        if self._signal is None or made > self._signal.t:
            self._signal = Signal(self._pictures[round(made * self.fps) % len(self._pictures)], made)
        return self._signal

    def close(self) -> None: ...


class Tap(Meter):
    """The engine's own meter, that also keeps every interval: (when, seconds), on the engine's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[float, float]] = []

    def picture(self, began: float, now: float, missed: float) -> None:
        if self._last is not None:
            self.kept.append((now, now - self._last))
        super().picture(began, now, missed)


class Notes:
    """A listener: for each step its time, psi as it was read, the time of the oldest feature value, when it was shown."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.kept: list[tuple[float, Any, float, float]] = []

    def __call__(self, moment: Moment, shown: Shown) -> None:
        seen = min((drawn.t for drawn in moment.features.values()), default=float("nan"))
        self.kept.append((shown.t, moment.patch.latent.psi, seen, self.clock()))


def in_use() -> float | None:
    """Megabytes of the heap that belong to something; None where the allocator is not glibc's."""
    libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if not hasattr(libc, "mallinfo2"):
        return None
    libc.mallinfo2.restype = type(
        "mallinfo2", (ctypes.Structure,), {"_fields_": [(f"f{i}", ctypes.c_size_t) for i in range(10)]}
    )
    told = libc.mallinfo2()
    return round((told.f4 + told.f7) / 1e6, 1)  # bytes mapped one by one, and bytes of the heap in use


def serve(pipe: Any, folder: str, source: str, fps: float | None, ahead: bool) -> None:
    """The whole life of a stage: sends its port, answers what it is asked until "stop", then sends the threads that are left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started this process ends it
    ahead = ahead and go_first()
    calm_collector()
    try:
        SOURCES["timed"] = Timed
        pushed: list[float] = []
        push = Page.push

        def noted(page: Page, picture: np.ndarray, t: float | None = None) -> None:
            pushed.append(time.monotonic())
            push(page, picture, t)

        Page.push = noted  # type: ignore[method-assign]
        before = set(threading.enumerate())
        played = patch.load("scene")
        played.sources = {name: Timed() if source == "timed" else Video(CLIP) for name in played.sources}
        if fps:
            played = replace(played, picture=replace(played.picture, fps=fps))
        library = Library(Path(folder))
        library.trust(played)
        place, waiting = door(None, 0)
        engine = Engine(played, checkpoints.load(played.model))
        with (
            Performance(played, engine=engine, load=library.load, choose=runtime.choose) as live,
            Session(live, library) as session,
            Server(session, place, waiting),
        ):
            live.meter = tap = Tap()
            notes = Notes(live.clock)
            live.listeners.append(notes)
            zero = time.monotonic() - live.clock()
            pipe.send((place.port, ahead))
            while True:
                live.show_main(0.02)  # as `kinesphere play` does
                if pipe.poll():
                    asked = pipe.recv()
                    if asked == "stop":
                        break
                    steps, notes.kept = notes.kept, []
                    intervals, tap.kept = tap.kept, []
                    arrived, pushed[:] = list(pushed), []
                    pipe.send(
                        {
                            "zero": zero, "steps": steps, "intervals": intervals, "pushed": arrived,
                            "fps": live.status().fps, "model": live.engine.patch.model, "loading": live.loading,
                            "threads": [thread.name for thread in threading.enumerate()], "troubles": live.status().troubles,
                            "in use": in_use(),
                        }
                    )  # fmt: skip
        until = time.monotonic() + 2.0  # for what is daemon and ends by itself
        while (left := set(threading.enumerate()) - before) and time.monotonic() < until:
            time.sleep(0.05)
        pipe.send({"left": sorted(thread.name for thread in left)})
    except (EOFError, BrokenPipeError):  # who asked is gone
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        with suppress(OSError):
            pipe.send({"broken": traceback.format_exc()})


class Stage:
    """A stage that is open, seen from outside."""

    def __init__(self, source: str = "clip", fps: float | None = None, ahead: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kinesphere-bench-"))
        self.left: list[str] = []
        spawning = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawning.Pipe()
        self.process = spawning.Process(target=serve, args=(theirs, str(self.folder), source, fps, ahead), daemon=True)
        self.process.start()
        theirs.close()
        self.port, self.ahead = 0, False  # whether the system lets it go before other programs

    def hear(self, seconds: float, what: str) -> Any:
        if not self.pipe.poll(seconds):
            raise Broken(f"the stage did not {what} within {seconds:.0f} s")
        try:
            said = self.pipe.recv()
        except EOFError:
            raise Broken(
                f"the stage's process ended instead of to {what} (exit code {self.process.exitcode})"
            ) from None
        if isinstance(said, dict) and "broken" in said:
            raise Broken(f"the stage's process failed:\n{said['broken']}")
        return said

    def notes(self) -> dict[str, Any]:
        """What has been noted since the last time."""
        self.pipe.send("notes")
        return self.hear(ANSWER, "tell its notes")

    @property
    def memory(self) -> float:
        """Megabytes that it holds."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6

    def address(self, path: str = "", scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/{path}"

    def __enter__(self) -> Stage:
        try:
            self.port, self.ahead = self.hear(OPENING, "open")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self.pipe.send("stop")
            self.left = self.hear(ANSWER, "close")["left"]
        except Exception:
            if kind is None:
                raise
        finally:
            self.end()

    def end(self) -> None:
        self.process.join(0 if self.process.pid is None else 5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(5)
        self.pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)


# Who is at it ---------------------------------------------------------------------------------------------------------------


class Hand(threading.Thread):
    """A player in Python: the control socket, whose answers are heard on this thread."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="hand", daemon=True)
        self.line = ExitStack()
        self.socket = self.line.enter_context(
            connect(stage.address("ws/control", "ws"), max_size=None, compression=None)
        )
        self.answers: dict[int, dict[str, Any]] = {}
        self.heard = threading.Condition()
        self.number = 0
        self.start()

    def run(self) -> None:
        with suppress(WebSocketException):
            for message in self.socket:
                said = json.loads(message)
                if said["is"] in ("done", "refused"):
                    with self.heard:
                        self.answers[said["id"]] = said
                        self.heard.notify_all()

    def ask(self, do: str, **more: Any) -> Any:
        """The result; Broken where it was refused."""
        self.number += 1
        self.socket.send(json.dumps({"do": do, "id": self.number, **more}))
        with self.heard:
            if not self.heard.wait_for(lambda: self.number in self.answers, ANSWER):
                raise Broken(f"the stage did not answer {do} within {ANSWER:.0f} s")
            said = self.answers.pop(self.number)
        if said["is"] == "refused":
            raise Broken(f"the stage refused {do} {more}: {'; '.join(said['problems'])}")
        return said["result"]

    def close(self) -> None:
        self.line.close()
        self.join(5)


class Viewer(threading.Thread):
    """Somebody who looks, in Python: notes (when, the engine's time) of each picture."""

    def __init__(self, stage: Stage, **view: Any) -> None:
        super().__init__(name="viewer", daemon=True)
        self.line = ExitStack()
        self.socket = self.line.enter_context(
            connect(stage.address("ws/pictures", "ws"), max_size=None, compression=None)
        )
        self.drawn: list[tuple[float, float]] = []
        self.since = time.monotonic()
        self.socket.send(json.dumps({"view": "picture", "credit": 2, **view}))
        self.start()

    def run(self) -> None:
        with suppress(WebSocketException):
            for message in self.socket:
                number, *_, t, _ = HEADER.unpack_from(message)
                self.drawn.append((time.monotonic(), t))
                self.socket.send(f'{{"seen":{number}}}')

    def close(self) -> None:
        self.line.close()
        self.join(5)


@contextmanager
def deaf(stage: Stage, path: str) -> Iterator[Any]:
    """A socket that may send and is not read, with little room in between; at the end it breaks off without a word."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", stage.port))
    with connect(
        stage.address(path, "ws"), sock=line, max_size=None, max_queue=1, compression=None, ping_interval=None,
        close_timeout=0.2,
    ) as quiet:  # fmt: skip
        yield quiet
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium, with a camera of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        try:
            yield chromium
        finally:
            with suppress(Exception):  # Ctrl-C reaches it as well
                chromium.close()


@contextmanager
def opened(chromium: Any, stage: Stage) -> Iterator[Any]:
    """The player's page, playing."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, permissions=["camera"])
    try:
        page = context.new_page()
        page.set_default_timeout(ANSWER * 1e3)
        page.add_init_script(WATCH_CAMERA)
        page.goto(stage.address("?tour=no"))
        page.locator("ks-picture.picture").evaluate(WATCH)
        wait_for(page, "seen.drawn.length > 3")
        page.locator('ks-control[data-place="latent.psi"] .track').wait_for()
        yield page
    finally:
        with suppress(Exception):
            context.close()


def wait_for(page: Any, what: str) -> None:
    """Until this is true in the page. (Playwright's own way needs `eval`, which the stage's pages do not allow.)"""
    until = time.monotonic() + ANSWER
    while not page.evaluate(what):
        if time.monotonic() > until:
            raise Broken(f"the page did not come to {what} within {ANSWER:.0f} s")
        page.wait_for_timeout(50)


def beside(page: Any) -> tuple[float, float]:
    """Seconds to add to the page's clock to have ours, and how far off that may be."""
    best = (float("inf"), 0.0)
    for _ in range(60):
        before = time.monotonic()
        now = page.evaluate("performance.now()") / 1e3
        after = time.monotonic()
        best = min(best, (after - before, (before + after) / 2 - now))
    return best[1], best[0] / 2


# Figures --------------------------------------------------------------------------------------------------------------------


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the like, in ms."""
    if not len(seconds):
        raise Broken("there was nothing to measure: no picture came")
    ms = np.array(seconds) * 1e3
    return {
        "n": len(ms),
        **{f"p{q} ms": round(float(np.quantile(ms, q / 100)), 1) for q in (50, 95, 99)},
        "longest ms": round(float(ms.max()), 1),
    }


def responses(
    acted: Sequence[float], wanted: Sequence[float], steps: Sequence[Any], drawn: Sequence[tuple[float, ...]]
) -> list[tuple[float, ...]]:
    """For each act the step that read its value, and the first picture from then on: (acted, step's end, *drawn).

    `acted`: when; `wanted`: the psi that each set; `steps`: (t, psi, seen, shown) as noted; `drawn`: (when ..., t) in order.
    What no step showed is left out.
    """
    times, found, i = [picture[-1] for picture in drawn], [], 0
    for when, value in zip(acted, wanted, strict=True):
        first = next((k for k in range(i, len(steps)) if steps[k][1] == value), None)
        if first is None:
            continue
        i = first
        shown = bisect.bisect_left(times, steps[first][0])
        if shown < len(drawn):
            found.append((when, steps[first][3], *drawn[shown][:-1]))
    return found


# What is measured -------------------------------------------------------------------------------------------------------------


def change_in_page(stage: Stage, page: Any, changes: int, dice: random.Random) -> dict[str, Any]:
    """A key on the page's slider of psi, until a picture that shows it is drawn."""
    slider = page.locator('ks-control[data-place="latent.psi"] .track')
    slider.focus()
    low, high = (float(slider.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    offset, error = beside(page)
    page.evaluate(TAKE), stage.notes()
    wanted = []
    for i in range(changes):
        wanted.append((high, low)[i % 2])
        page.keyboard.press("End" if wanted[-1] == high else "Home")
        page.wait_for_timeout(250 + 250 * dice.random())
    page.wait_for_timeout(1500)
    drawn, pressed, _ = page.evaluate(TAKE)
    noted = stage.notes()
    if len(pressed) != changes:
        raise Broken(f"the page heard {len(pressed)} of {changes} keys")
    ms = 1e-3
    pictures = [(a * ms, (b or a) * ms, t) for a, b, t in drawn]
    found = responses([p * ms for p in pressed], wanted, noted["steps"], pictures)
    if len(found) < 0.9 * changes:
        raise Broken(f"only {len(found)} of {changes} changes were seen in a picture")
    step_end = noted["zero"] - offset  # from the engine's clock to the page's
    return {
        "recognised by": "the time in the picture's header: that of the first step which read the new value",
        "changes": changes,
        "drawn on the canvas": spread([drawn - when for when, _, drawn, _ in found]),
        "with the browser's next frame": spread([shown - when for when, _, _, shown in found]),
        "of that, until the step's end": spread([end + step_end - when for when, end, _, _ in found]),
        "clock error ms": round(error * 1e3, 2),
    }


def change_by_socket(stage: Stage, changes: int, dice: random.Random) -> dict[str, Any]:
    """The same from Python, until the picture's bytes are there."""
    hand, viewer = Hand(stage), Viewer(stage)
    try:
        hand.ask("change", edits={"latent.psi": 0.2})
        time.sleep(1.0)
        stage.notes()
        acted, wanted = [], []
        for i in range(changes):
            wanted.append((1.0, 0.2)[i % 2])
            acted.append(time.monotonic())
            hand.ask("change", edits={"latent.psi": wanted[-1]})
            time.sleep(0.25 + 0.25 * dice.random())
        time.sleep(1.5)
        found = responses(acted, wanted, stage.notes()["steps"], list(viewer.drawn))
    finally:
        hand.close(), viewer.close()
    if len(found) < 0.9 * changes:
        raise Broken(f"only {len(found)} of {changes} changes were seen in a picture")
    return {"changes": changes, "received": spread([came - when for when, _, came in found])}


def camera_in_engine(stage: Stage, page: Any, seconds: float) -> dict[str, Any]:
    """A source in the engine whose pictures carry their time: their age when what they made is drawn in the page."""
    page.wait_for_timeout(2000)
    offset, error = beside(page)
    page.evaluate(TAKE), stage.notes()
    page.wait_for_timeout(seconds * 1e3)
    drawn, _, _ = page.evaluate(TAKE)
    noted = stage.notes()
    made = {t: (seen + noted["zero"], shown - seen) for t, _, seen, shown in noted["steps"]}
    found = [(a / 1e3 + offset - made[t][0], made[t][1]) for a, _, t in drawn if t in made]
    return {
        "drawn on the canvas": spread([age for age, _ in found]),
        "of that, in the engine": spread([age for _, age in found]),
        "clock error ms": round(error * 1e3, 2),
    }


def camera_in_page(stage: Stage, page: Any, seconds: float) -> dict[str, Any]:
    """The browser's camera, sent to the stage: from when the page takes a picture of it until what it made is drawn there."""
    page.get_by_title("This browser's camera becomes this source").first.click()
    wait_for(page, "sent.length > 10")
    page.wait_for_timeout(2000)
    page.evaluate(TAKE)
    first = stage.notes()
    page.wait_for_timeout(seconds * 1e3)
    last = stage.notes()
    drawn, _, sent = page.evaluate(TAKE)
    pushed = first["pushed"] + last["pushed"]  # the n-th that was sent is the n-th that came
    if not len(pushed) <= len(sent) <= len(pushed) + 30 + 60 * 5:
        raise Broken(f"the page has sent {len(sent)} camera pictures, and {len(pushed)} came: their line broke")
    seen = {t: seen + last["zero"] for t, _, seen, _ in last["steps"]}
    ages = []
    for a, _, t in drawn:
        if t in seen:
            i = bisect.bisect_left(pushed, seen[t])
            near = min((k for k in (i - 1, i) if 0 <= k < len(pushed)), key=lambda k: abs(pushed[k] - seen[t]))
            if abs(pushed[near] - seen[t]) < 0.01:
                ages.append((a - sent[near]) / 1e3)
    rate = len(last["pushed"]) / seconds
    return {"camera pictures a second": round(rate, 1), "drawn on the canvas": spread(ages)}


# Disturbances: each lasts about `seconds`


def idle(stage: Stage, page: Any, seconds: float) -> None:
    page.wait_for_timeout(seconds * 1e3)


def blocked(stage: Stage, page: Any, seconds: float) -> None:
    """The page's only thread computes, and hears and draws nothing."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page.evaluate(COMPUTE, BLOCKED * 1e3)
        page.wait_for_timeout(BETWEEN * 1e3)


def held(stage: Stage, page: Any, seconds: float) -> None:
    """The page's only thread is held without computing: by a box that waits for an answer."""

    def answer(box: Any) -> None:
        time.sleep(BLOCKED)
        box.dismiss()

    page.on("dialog", answer)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        page.evaluate("alert('held')")
        page.wait_for_timeout(BETWEEN * 1e3)
    page.remove_listener("dialog", answer)


def computed(stage: Stage, page: Any, seconds: float) -> None:
    """The same computing as in `blocked`, by a program that has nothing to do with the stage: what the machine itself costs."""
    program = (
        "import time\n"
        f"until = time.monotonic() + {seconds}\n"
        "while time.monotonic() < until:\n"
        f"    end = time.monotonic() + {BLOCKED}\n"
        "    while time.monotonic() < end: pass\n"
        f"    time.sleep({BETWEEN})\n"
    )
    with subprocess.Popen([sys.executable, "-S", "-c", program]) as other:
        page.wait_for_timeout(seconds * 1e3)
        other.wait(seconds + 10)


def unread(stage: Stage, page: Any, seconds: float) -> None:
    """A viewer that says it has seen each picture, and reads neither those nor what the control socket tells."""

    with deaf(stage, "ws/pictures") as pictures, deaf(stage, "ws/control"):
        pictures.send(json.dumps({"view": "picture", "credit": 3, "quality": 0.95}))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(WebSocketException, OSError):
                pictures.send('{"seen":1}')
            page.wait_for_timeout(30)


class Uploading:
    """A model of 50 MB, handed in evenly over a while, then read and checked by the stage."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="kinesphere-bench-")
        path = Path(self.folder.name) / "large.safetensors"
        channels = [512, 512, 320, 128, 64]
        G = StyleGAN2(img_resolution=64, channels=channels, z_dim=512, w_dim=512, mapping_layers=2)
        card = replace(checkpoints.load("portraits").card)
        checkpoints.save(checkpoints.Checkpoint(G_ema=G.eval(), card=card), path)
        self.data = path.read_bytes()
        self.failed: Exception | None = None

    def __call__(self, stage: Stage, page: Any, seconds: float) -> None:
        sending = threading.Thread(target=self._send, args=(stage, max(0.5, seconds - 2.0)), daemon=True)
        until = time.monotonic() + seconds
        sending.start()
        while time.monotonic() < until or sending.is_alive():
            page.wait_for_timeout(50)
            if time.monotonic() > until + ANSWER:
                raise Broken("the upload did not end")
        if self.failed is not None:
            raise Broken(f"the upload failed: {self.failed}")

    def _send(self, stage: Stage, seconds: float) -> None:
        line = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=ANSWER)
        try:
            line.putrequest("POST", "/api/models?name=large.safetensors&replace=true")
            line.putheader("content-length", str(len(self.data)))
            line.endheaders()
            begun, size = time.monotonic(), 2**18
            for i in range(0, len(self.data), size):
                line.send(self.data[i : i + size])
                time.sleep(max(0.0, begun + seconds * (i + size) / len(self.data) - time.monotonic()))
            answer = line.getresponse()
            said = answer.read()
            self.failed = Broken(f"{answer.status} {said[:300]!r}") if answer.status != 201 else None
        except OSError as error:
            self.failed = error
        finally:
            line.close()


def pace(stage: Stage, page: Any, seconds: float, rounds: int) -> dict[str, Any]:
    """From picture to picture while others disturb, in turns: `rounds` of `seconds` each."""
    uploading = Uploading()
    disturbances: dict[str, Callable[[Stage, Any, float], None]] = {
        "page idle": idle,
        "page blocked": blocked,
        "viewer that stops reading": unread,
        "upload of 50 MB": uploading,
        "page held, without computing": held,
        "computing elsewhere": computed,
    }
    intervals: dict[str, list[list[float]]] = {name: [] for name in disturbances}
    idle(stage, page, 2.0)
    for turn in range(rounds):
        for name, disturb in disturbances.items():
            stage.notes()
            begin = time.monotonic()
            disturb(stage, page, seconds)
            end = time.monotonic()
            noted = stage.notes()
            found = [length for now, length in noted["intervals"] if begin <= now - length + noted["zero"] < end]
            intervals[name].append(found)
            print(f"  round {turn + 1} of {rounds}, {name}: {json.dumps(spread(found))}", flush=True)
            idle(stage, page, SETTLE)
    told: dict[str, Any] = {
        "rounds": rounds,
        "seconds in each": seconds,
        "upload MB": round(len(uploading.data) / 1e6, 1),
    }
    rest = intervals["page idle"]
    for name, found in intervals.items():
        whole, still = (np.concatenate(part) for part in (found, rest))
        told[name] = spread(whole) | {
            "p50 / idle": round(float(np.quantile(whole, 0.5) / np.quantile(still, 0.5)), 3),
            "p99 / idle": round(float(np.quantile(whole, 0.99) / np.quantile(still, 0.99)), 3),
            "p99 / idle, by round": [
                round(float(np.quantile(a, 0.99) / np.quantile(b, 0.99)), 2) for a, b in zip(found, rest, strict=True)
            ],
        }
    uploading.folder.cleanup()
    return told


# The whole ----------------------------------------------------------------------------------------------------------------


def about(program: str, given: argparse.Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """Where and of what the figures are."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "command": " ".join(["python", f"bench/{program}", *argv]),
        "load of the machine before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def save(result: dict[str, Any], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")


def measure(given: argparse.Namespace, result: dict[str, Any]) -> None:
    """Fill `result`, part by part."""
    dice = random.Random(0)
    wanted = given.only.split(",")
    if "overhead" in wanted:
        print("the engine without a model", flush=True)
        result["overhead"] = overhead(given.steps)
    with browser() as chromium:
        result["chromium"] = chromium.version
        if {"change", "pace"} & set(wanted):
            with Stage("clip", given.fps, not given.as_any_other) as stage, opened(chromium, stage) as page:
                result["goes before other programs"] = stage.ahead
                if "change" in wanted:
                    print("a change, from the page and by a socket", flush=True)
                    result["change to picture, in the page"] = change_in_page(stage, page, given.changes, dice)
                    result["change to picture, by a socket"] = change_by_socket(stage, given.changes, dice)
                if "pace" in wanted:
                    print("the pace, while others disturb", flush=True)
                    result["pace"] = pace(stage, page, given.seconds / given.rounds, given.rounds)
        if "camera" in wanted:
            print("the camera, in the engine and in the page", flush=True)
            with Stage("timed", given.fps, not given.as_any_other) as stage, opened(chromium, stage) as page:
                result["camera to picture, in the engine"] = camera_in_engine(stage, page, given.seconds)
                result["camera to picture, of the page"] = camera_in_page(stage, page, given.seconds)


def judged(result: dict[str, Any]) -> list[str]:
    """What is over its bar, in words."""
    over = []
    if "overhead" in result and result["overhead"]["beat without the model p50 ms"] > BARS["overhead ms"]:
        over.append(f"the engine alone takes {result['overhead']['beat without the model p50 ms']} ms a frame")
    for name in JUDGED if "pace" in result else ():
        ratio = result["pace"][name]["p99 / idle"]
        if ratio > BARS["pace"]:
            over.append(f"{name}: p99 is {ratio} times that of the idle page")
    return over


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40.0, help="of each part, and of each disturbance in all")
    parser.add_argument("--rounds", type=int, default=5, help="in which the disturbances take turns")
    parser.add_argument("--changes", type=int, default=120)
    parser.add_argument("--steps", type=int, default=1000, help="of the engine without a model")
    parser.add_argument("--fps", type=float, help="pictures a second that are aimed at; default: the patch's")
    parser.add_argument(
        "--as-any-other", action="store_true", help="the stage does not ask to go before other programs"
    )
    parser.add_argument("--only", default="overhead,change,camera,pace", help="which parts, with commas")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "stage.json")
    parser.add_argument("--docs", action="store_true", help="only put the saved figures into docs/stage.md")
    given = parser.parse_args()
    if given.docs:
        tell(given.out.parent)
        return
    result = about("stage.py", given, sys.argv[1:])
    try:
        measure(given, result)
    except KeyboardInterrupt:
        raise SystemExit("stopped; nothing was saved") from None
    except Exception as error:
        if not isinstance(error, Broken | KinesphereError):
            traceback.print_exc()
        raise SystemExit(f"bench/stage.py: {error}\nnothing was saved") from None
    result["over the bar"] = judged(result)
    save(result, given.out)
    print(json.dumps(result, indent=2))
    print("\n".join(["over the bar:", *result["over the bar"]]) if result["over the bar"] else "all within their bars")


# The docs -------------------------------------------------------------------------------------------------------------------


def tell(results: Path) -> None:
    """Write the last section of docs/stage.md from the saved figures; what was not measured is left out."""
    found = {
        name: json.loads((results / f"{name}.json").read_text())
        for name in ("stage", "soak")
        if (results / f"{name}.json").is_file()
    }
    before = DOCS.read_text().partition(f"\n{HEADING}\n")[0].rstrip("\n")
    DOCS.write_text(f"{before}\n\n{HEADING}\n\n{section(found)}")
    print(f"{DOCS}: the section {HEADING.strip('# ')!r}, from {', '.join(found) or 'nothing'}")


def section(found: dict[str, Any]) -> str:
    lines = [
        "`make bench` measures it (`bench/stage.py`, `bench/soak.py`): the built-in model and clip, the patch `scene`, and a",
        "Chromium on the same machine, which draws on the processor and so takes its share. A picture is known by the time in its",
        "header, which is that of the step which first read the change. Each disturbance is set beside the idle page of the same",
        "run; *computing elsewhere* is a program that has nothing to do with the stage: what such work costs there by itself.",
        "`kinesphere play` asks the system to let it go before other programs (nice -5), which root may, and whoever has the limit",
        "`nice`, as machines that are set up for sound give to their players; "
        + ("so it was here." if found.get("stage", {}).get("goes before other programs") else "here it was not let."),
        "",
    ]
    rows: list[tuple[str, str]] = []
    stage, soak = found.get("stage", {}), found.get("soak", {})
    for place, words, part in (
        ("change to picture, in the page", "a key on the page, until a picture that shows it is drawn", "drawn on the canvas"),
        ("change to picture, by a socket", "the same by a socket, until the picture is there", "received"),
        ("camera to picture, in the engine", "age of the camera's picture in what is drawn", "drawn on the canvas"),
        ("camera to picture, of the page", "the same with the browser's own camera", "drawn on the canvas"),
    ):  # fmt: skip
        if place in stage:
            one = stage[place][part]
            rows.append((words, f"{one['p50 ms']:.0f} ms, p95 {one['p95 ms']:.0f} ms"))
    for name, one in stage.get("pace", {}).items():
        if isinstance(one, dict):
            ratio = "" if name == "page idle" else f", {one['p99 / idle']:.2f} of idle"
            rows.append(
                (f"from picture to picture: {name}", f"{one['p50 ms']:.0f} ms, p99 {one['p99 ms']:.0f} ms{ratio}")
            )
    if "overhead" in stage:
        rows.append(("a step without the model", f"{stage['overhead']['beat without the model p50 ms']:.2f} ms"))
    if soak:
        rows.append((f"{soak['minutes']:g} minutes of play: memory grows by", f"{soak['growth of memory MB']:.0f} MB"))
        rows.append(("the longest from picture to picture", f"{soak['longest frame ms']:.0f} ms"))
        rows.append(("threads left at the end", f"{len(soak['threads left'])}"))
    if not rows:
        return "\n".join([*lines[:-1], "Nothing is saved yet.", ""])
    lines += ["| | |", "|---|---|", *(f"| {words} | {figure} |" for words, figure in rows), ""]
    for told in found.values():
        lines.append(f"{told['machine']}, torch {told['torch']}, commit {told['commit']}: `{told['command']}`  ")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
