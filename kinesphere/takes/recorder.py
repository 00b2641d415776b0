"""The recorder: hears of every step, and has it on the disk within half a second, whatever happens then."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mcap.writer import CompressionType, Writer

from kinesphere import __version__, files, patch
from kinesphere.checkpoints import Checkpoint
from kinesphere.engine import Engine, Moment
from kinesphere.lanes import Drawn
from kinesphere.patch import Patch
from kinesphere.takes import layout
from kinesphere.types import KinesphereError

EVERY = 0.4  # seconds between two writes to the disk: what a crash can cost
MOST_WAITING = 64 * 2**20  # bytes that may wait for a disk that has stopped
STEP_COST = 400  # bytes that a waiting step takes, without its values
PATIENCE = 10.0  # seconds that `close` waits for the disk


@dataclass(frozen=True)
class _Begun:
    """An engine as it stood after a step."""

    patch: Patch
    checkpoint: Checkpoint
    device: str
    memory: dict[str, Any]  # what its next step goes on from


@dataclass(frozen=True)
class _Stepped:
    moment: Moment
    features: dict[str, Drawn]


@dataclass(frozen=True)
class _Happened:
    t: float | None  # of the newest step; None: before the first
    what: str
    about: dict[str, Any]


class Recorder:
    """Writes a take while it is played; a listener of the performance, called after each step.

    The first step that it hears of is where the take begins: it is not in it, but all that its filters remember is. A call takes
    microseconds, never waits for the disk and never raises. Where the disk is full or stops, the take ends: `error` says so in
    words, the picture goes on, and what was written plays.

    path     a new file, by custom NAME.mcap
    playing  gives the engine that made the step that was just heard of
    Raises KinesphereError where the file exists or cannot be made.
    """

    def __init__(self, path: str | Path, playing: Callable[[], Engine]) -> None:
        self.path = Path(path)
        self.error: str | None = None
        self.steps = 0  # heard of and kept
        self._playing = playing
        self._engine: Engine | None = None
        self._seen: Moment | None = None  # the last moment, recorded or not
        self._heard: Moment | None = None  # the last one recorded, its features kept
        self._first: float | None = None
        self._lock = threading.Lock()
        self._waiting: list[_Begun | _Stepped | _Happened] = []
        self._held = 0  # bytes, about
        self._lost = False  # whether something could not be written
        self._over = threading.Event()
        if self.path.exists():
            raise KinesphereError(f"{self.path} is there already: give the take another name")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "xb")
        except OSError as error:
            raise KinesphereError(f"no take can be written at {self.path}: {files.reason(error)}") from error
        self._pen = _Pen(self._file)
        self._thread = threading.Thread(target=self._work, name=f"record {self.path.name}", daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """How long the take is so far."""
        heard, first = self._heard, self._first
        return heard.t - first if heard is not None and first is not None else 0.0

    def __call__(self, moment: Moment, shown: object = None) -> None:
        """A step was made. On the thread that made it."""
        if moment is self._seen or self.error is not None or self._over.is_set():
            return
        self._seen = moment
        try:
            engine = self._playing()
            if engine is self._engine:
                self._step(moment)
            else:
                self._engine = engine
                self._put(_stand(engine, moment), STEP_COST)
        except Exception as error:
            self._end(str(error) or type(error).__name__)

    def _step(self, moment: Moment) -> None:
        before = self._heard
        if before is not None and moment.t < before.t:
            return self._end("the performance began again")
        known = before.features if before else {}
        fresh = [drawn for name, drawn in moment.features.items() if known.get(name) is not drawn]
        features = dict(moment.features)  # the engine's own may be the same dictionary at every step
        self._first = moment.t if self._first is None else self._first
        self.steps += 1
        self._put(_Stepped(moment, features), STEP_COST + sum(drawn.value.nbytes for drawn in fresh))
        self._heard = Moment(moment.t, moment.dt, moment.patch, features)

    def event(self, what: str, **about: Any) -> None:
        """Something happened, now: "freeze", "black", ... with whatever plain JSON tells more. From any thread.

        What happens before the first step is told with it.
        """
        heard = self._heard
        if self.error is None and not self._over.is_set():
            plain = json.loads(json.dumps(about, default=str))
            self._put(_Happened(heard.t if heard else None, what, plain), STEP_COST)

    def mark(self, text: str) -> None:
        """A mark that the player sets, to find a place again."""
        self.event("mark", text=text)

    def close(self) -> None:
        """End the take. A take without a step leaves no file. A problem is not raised: see `error`."""
        self._over.set()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._fail(f"the disk has not answered for {PATIENCE:.0f} s")
        elif not self._pen.steps:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *stopped_by: object) -> None:
        self.close()

    def _put(self, item: _Begun | _Stepped | _Happened, cost: int) -> None:
        with self._lock:
            self._waiting.append(item)
            self._held += cost
            full = self._held > MOST_WAITING
        if full:
            self._fail("the disk has stopped, and no more can wait for it")

    def _end(self, why: str) -> None:
        """The take ends here; what waits is still written."""
        self.error = f"the take {self.path.name} ended after {self.seconds:.1f} s: {why}; what was written plays"

    def _fail(self, why: str) -> None:
        """The disk does not take any more."""
        self._end(why)
        with self._lock:
            self._lost = True
            self._waiting = []

    def _work(self) -> None:
        """On a thread of its own: what waits goes to the disk."""
        try:
            while not self._over.wait(EVERY) and self.error is None:
                self._write()
            if not self._lost:
                self._write()
                self._pen.finish()
        except Exception as error:
            self._fail(files.reason(error) or type(error).__name__)
        try:
            self._file.close()
        except OSError as error:  # what was still in the buffer found no room
            self._fail(files.reason(error))

    def _write(self) -> None:
        with self._lock:
            waiting, self._waiting, self._held = self._waiting, [], 0
        for item in waiting:
            if isinstance(item, _Stepped):
                self._pen.step(item)
            elif isinstance(item, _Begun):
                self._pen.begin(item)
            else:
                self._pen.event(item)
        if waiting:
            self._pen.flush()


def _stand(engine: Engine, moment: Moment) -> _Begun:
    """How an engine stands after a step."""
    return _Begun(moment.patch, engine.checkpoint, str(engine.device), engine.memory())


class _Pen:
    """Turns what happened into messages of the file; on the recorder's thread only."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._mcap = Writer(file, compression=CompressionType.NONE, chunk_size=2**20)
        self._mcap.start(profile=layout.PROFILE, library=f"kinesphere {__version__}")
        self._started = time.time()
        self._t: float | None = None  # that lies at `_started` on the wall clock
        self._count = 0
        self._schemas: dict[str, int] = {}
        self._channels: dict[tuple[str, ...], int] = {}
        self._patch: Patch | None = None
        self._document: dict[str, Any] = {}
        self._numbers: dict[str, tuple[Drawn, int]] = {}  # of each feature: its newest value and that value's number
        self._values = 0
        self._early: list[_Happened] = []  # before the first step
        self.steps = 0

    def begin(self, begun: _Begun) -> None:
        self._patch, self._document = begun.patch, patch.document(begun.patch)
        G, card = begun.checkpoint.G_ema, begun.checkpoint.card
        played = {
            "model": begun.patch.model,
            "weights": layout.weights(begun.checkpoint),
            "sha256": card.sha256 if card else "",
            "family": G.family,
            "resolution": G.img_resolution,
            "z_dim": G.z_dim,
            "device": begun.device,
            **begun.memory,
            "patch": self._document,
        }
        if self._count:
            return self._json(layout.PLAYED, played, self._t or 0.0)
        about = {
            "take": layout.VERSION,
            "kinesphere": __version__,
            "wall": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started)),
            "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
            "torch": torch.__version__,
        }
        self._json(layout.START, about | {"engine": played}, 0.0)

    def step(self, stepped: _Stepped) -> None:
        moment = stepped.moment
        if self._t is None:
            self._t = moment.t
            for happened in self._early:
                self.event(happened)
        if moment.patch is not self._patch:
            document = patch.document(moment.patch)
            changes = list(layout.edits(self._document, document))
            self._patch, self._document = moment.patch, document
            if changes:
                self._json(layout.PATCH, {"t": moment.t, "edits": changes}, moment.t)
        numbers = [self._number(name, drawn, moment.t) for name, drawn in stepped.features.items()]
        data = layout.HEAD.pack(moment.t, moment.dt, len(numbers)) + b"".join(n.to_bytes(4, "little") for n in numbers)
        channel = self._channel(layout.STEP, "ros1", "kinesphere/Step", layout.STEP_TEXT, {})
        self._message(channel, data, moment.t)
        self.steps += 1

    def event(self, happened: _Happened) -> None:
        if self._t is None:
            return self._early.append(happened)
        t = self._t if happened.t is None else happened.t
        self._json(layout.EVENT, {"t": t, "what": happened.what, "about": happened.about}, t)

    def flush(self) -> None:
        self._mcap.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        self._mcap.finish()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _number(self, name: str, drawn: Drawn, t: float) -> int:
        """The number of a value in this take; it is written when it is first used."""
        known = self._numbers.get(name)
        if known is not None and known[0] is drawn:
            return known[1]
        form, length, data = layout.plain_value(drawn.value)
        shape = {"form": form, "length": "" if length is None else str(length)}
        shape |= {"names": ",".join(drawn.names)} if drawn.names else {}
        text = layout.form_text(form, length)
        channel = self._channel(layout.FEATURE + name, "ros1", f"kinesphere/{form}{length or ''}", text, shape)
        self._message(channel, layout.TIME.pack(drawn.t) + data, t)
        self._numbers[name] = drawn, self._values
        self._values += 1
        return self._values - 1

    def _json(self, topic: str, value: Any, t: float) -> None:
        channel = self._channel(topic, "json", f"kinesphere{topic.replace('/', '.')}", '{"type": "object"}', {})
        self._message(channel, layout.as_json(value), t)

    def _channel(self, topic: str, encoding: str, schema: str, text: str, about: dict[str, str]) -> int:
        if schema not in self._schemas:
            kind = "jsonschema" if encoding == "json" else "ros1msg"
            self._schemas[schema] = self._mcap.register_schema(schema, kind, text.encode())
        key = (topic, schema, about.get("names", ""))
        if key not in self._channels:
            self._channels[key] = self._mcap.register_channel(topic, encoding, self._schemas[schema], about)
        return self._channels[key]

    def _message(self, channel: int, data: bytes, t: float) -> None:
        """Its time in the file is that of the wall clock; its sequence number runs through all topics, so that a gap shows."""
        time_ns = max(0, int((self._started + (t - self._t if self._t is not None else 0.0)) * 1e9))
        self._mcap.add_message(channel, time_ns, data, time_ns, self._count & 0xFFFFFFFF)
        self._count += 1
