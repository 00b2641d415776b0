"""A take as it is read: its steps in order, each with the feature values and the patch that it was made from."""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere import patch
from kinesphere.engine import Moment
from kinesphere.lanes import Drawn
from kinesphere.patch import Patch
from kinesphere.takes import layout
from kinesphere.types import KinesphereError

MAGIC = b"\x89MCAP0\r\n"
HEADER, SCHEMA, CHANNEL, MESSAGE, CHUNK, DATA_END = 0x01, 0x03, 0x04, 0x05, 0x06, 0x0F  # records of mcap
OTHERS = (0x02, *range(0x07, 0x0F))  # indexes, summary, attachments: nothing that a replay needs
MOST_JSON = 2**20  # bytes of one message; a patch has a few thousand
MOST_CHANNELS, MOST_EVENTS, MOST_STEPS, MOST_VALUES = 4096, 100_000, 2**25, 2**27
SOURCE_FILM = "source_film"  # the event that a film of a source begins: its name, and t on the clock of the performance
LONGEST = 7 * 86400.0  # seconds from the first step to the last


class BadTake(KinesphereError):
    """A file that is no take, or is damaged where it begins."""


class _Stop(Exception):
    """The file is whole up to here and not beyond; why."""


@dataclass(frozen=True)
class Event:
    """What happened beside the steps: a freeze, a mark."""

    t: float  # seconds since the take began
    what: str
    about: dict[str, Any]


@dataclass(frozen=True)
class Played:
    """Which model a stretch of the take was played with, and how its engine stood at the beginning."""

    first: int  # the number of the first step that it made
    model: str  # as the patch calls it
    weights: str  # SHA-256 of the generator's weights
    sha256: str  # of the checkpoint's file; empty where there was none
    family: str
    resolution: int  # pixels
    z_dim: int
    device: str
    seen: list[str]  # features that had a value before
    number: int  # the engine's own count of steps at the first one: it seeds random noise
    followers: dict[str, Any]  # what each route's filters remembered, by place
    document: dict[str, Any]  # the patch, as plain JSON


@dataclass(frozen=True)
class _Channel:
    topic: str
    form: np.dtype | None = None  # of a feature's value
    length: int | None = None  # None is one number
    number: int = 0  # its place among the channels of values
    names: tuple[str, ...] = ()  # of its numbers, where a feature has several


class Take:
    """A recorded performance: `open` reads it. Its values stay in the file until a step wants them.

    A take that a crash cut short, or that is damaged somewhere, is read up to there; `notes` says so in words. Nothing that the
    take names is opened, loaded or run by reading it.
    """

    @classmethod
    def open(cls, path: str | Path) -> Take:
        """Raises BadTake for a file that cannot be read, is no take, or has no whole step."""
        try:
            with Path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else memoryview(b"")
        except (OSError, ValueError) as error:
            raise BadTake(f"the take {path} cannot be opened: {getattr(error, 'strerror', None) or error}") from None
        try:
            return cls(Path(path), data)
        except BadTake as error:
            raise BadTake(f"the take {path} cannot be played: {error}") from None

    def __init__(self, path: Path, data: memoryview) -> None:
        self.path = path
        self.notes: list[str] = []
        self.about: dict[str, str] = {}  # version, wall time and machine, as it was recorded
        self.played: list[Played] = []
        self.events: list[Event] = []
        self._data = data
        self._channels: dict[int, _Channel] = {}
        self._topics: list[_Channel] = []  # of values
        self._times, self._dts = array("d"), array("d")
        self._used, self._used_to = (
            array("I"),
            array("Q", [0]),
        )  # numbers of values, of all steps; where each step's end
        self._value_topic, self._value_at = array("H"), array("Q")
        self._edits_before, self._edits_at, self._edits_size = array("I"), array("Q"), array("I")
        self._document: dict[str, Any] = {}
        self._messages = 0
        self._read()
        if not self._times:
            raise BadTake("it holds no whole step" + "".join(f"; {note}" for note in self.notes))
        self.times = np.frombuffer(self._times)  # [steps] float64, on the clock of the performance
        self.start = float(self.times[0])
        self.events = [Event(e.t - self.start, e.what, e.about) for e in self.events]
        self._made(self.played[0].document)

    def close(self) -> None:
        """Let go of the file; what was read of it stays."""
        file = self._data.obj
        self._data.release()
        if isinstance(file, mmap.mmap):
            file.close()

    def __enter__(self) -> Take:
        return self

    def __exit__(self, *stopped_by: object) -> None:
        self.close()

    def __len__(self) -> int:
        """How many steps."""
        return len(self._times)

    @property
    def duration(self) -> float:
        """Seconds, the last step's included."""
        return float(self.times[-1]) - self.start + min(max(self._dts[-1], 0.0), 1.0)

    def frames(self, fps: Fraction) -> int:
        """How many frames its film has."""
        return max(1, round(Fraction(self.duration).limit_denominator(10**6) * fps))

    def film_start(self, name: str) -> float:
        """When a film of a source began that was made beside the take, seconds after the take's beginning; 0 for any other."""
        began = [e.about.get("t") for e in self.events if e.what == SOURCE_FILM and e.about.get("name") == name]
        return next((float(t) - self.start for t in began if isinstance(t, float) and math.isfinite(t)), 0.0)

    def at(self, seconds: float) -> int:
        """The number of the newest step at `seconds` after the take's beginning; the first before it."""
        return max(0, bisect_right(self._times, self.start + seconds) - 1)

    def moments(self) -> Iterator[Moment]:
        """Every step, in order. What stays is the same object. Raises BadPatch for a patch that this version cannot have."""
        cut = change = 0
        now: Patch | None = None
        newest: dict[int, Drawn] = {}
        document: dict[str, Any] = {}
        for i, (t, dt) in enumerate(zip(self._times, self._dts, strict=True)):
            if cut < len(self.played) and self.played[cut].first == i:
                document, now = json.loads(layout.as_json(self.played[cut].document)), None
                cut += 1
            while change < len(self._edits_at) and self._edits_before[change] <= i:
                begin = self._edits_at[change]
                changes = json.loads(bytes(self._data[begin : begin + self._edits_size[change]]))["edits"]
                document, now = layout.edited(document, changes), None
                change += 1
            now = now or self._made(document)
            numbers = self._used[self._used_to[i] : self._used_to[i + 1]]
            newest = {n: newest.get(n) or self._value(n) for n in numbers}
            yield Moment(t, dt, now, {self._topics[self._value_topic[n]].topic: drawn for n, drawn in newest.items()})

    def patches(self) -> Iterator[tuple[float, Patch]]:
        """Each patch that was played, with the time since the take's beginning from which on it was."""
        before = None
        for moment in self.moments():
            if moment.patch is not before:
                before = moment.patch
                yield moment.t - self.start, moment.patch

    def patch_of(self, played: Played) -> Patch:
        """What was played when an engine began."""
        return self._made(played.document)

    def _made(self, document: dict[str, Any]) -> Patch:
        return patch.from_document(document, f"the patch in the take {self.path.name}")

    def _value(self, number: int) -> Drawn:
        topic, at = self._topics[self._value_topic[number]], self._value_at[number]
        assert topic.form is not None
        (t,) = layout.TIME.unpack_from(self._data, at)
        length = 1 if topic.length is None else topic.length
        value = np.frombuffer(self._data, topic.form, length, at + layout.TIME.size).astype(
            topic.form.newbyteorder("=")
        )
        return Drawn(value.reshape(()) if topic.length is None else value, t, topic.names)

    # --- reading the file ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Every record, one after the other, as the file grew; its index and summary are not needed."""
        data, at = self._data, len(MAGIC)
        if bytes(data[:at]) != MAGIC:
            raise BadTake("it is no take: takes are mcap files that were made by recording")
        closed = False
        try:
            while not closed:
                opcode, begin, end = _record(data, at, len(data))
                if at == len(MAGIC) and (opcode != HEADER or _text(data, begin, end)[0] != layout.PROFILE):
                    raise BadTake("it is an mcap file of another program, not a take")
                if opcode == CHUNK:
                    self._chunk(begin, end)
                elif opcode in (CHANNEL, MESSAGE):
                    raise BadTake("its messages do not lie in chunks, as those of a take do")
                elif opcode not in (HEADER, SCHEMA, DATA_END, *OTHERS):
                    raise _Stop(f"it is damaged at byte {at}")
                closed = opcode == DATA_END
                at = end
        except _Stop as why:
            seconds = self._times[-1] - self._times[0] if self._times else 0.0
            self.notes.append(f"{why}: what is before that, {seconds:.1f} s, is read")
        except (struct.error, UnicodeDecodeError, IndexError) as error:
            raise BadTake(f"it is damaged at byte {at} ({error})") from None

    def _chunk(self, begin: int, end: int) -> None:
        _, _, _, crc = struct.unpack_from("<QQQI", self._data, begin)
        compression, at = _text(self._data, begin + 28, end)
        if compression:
            raise BadTake(f"it was compressed ({compression[:20]!r}): unpack it with `mcap decompress`")
        (size,) = struct.unpack_from("<Q", self._data, at)
        at += 8
        if size != end - at or zlib.crc32(self._data[at:end]) != crc:
            raise _Stop(f"it is damaged at byte {begin}")
        while at < end:
            opcode, inside, following = _record(self._data, at, end)
            if opcode == CHANNEL:
                self._channel(inside, following)
            elif opcode == MESSAGE:
                self._message(inside, following)
            elif opcode != SCHEMA:
                raise BadTake(f"record {opcode} at byte {at} does not belong into a chunk")
            at = following

    def _channel(self, at: int, end: int) -> None:
        number, _ = struct.unpack_from("<HH", self._data, at)
        topic, at = _text(self._data, at + 4, end)
        _, at = _text(self._data, at, end)  # how it is encoded follows from the topic
        about, at = {}, at + 4
        while at < end:
            key, at = _text(self._data, at, end)
            about[key], at = _text(self._data, at, end)
        if len(self._channels) >= MOST_CHANNELS and number not in self._channels:
            raise BadTake(f"it has more than {MOST_CHANNELS} channels")
        if number in self._channels:
            return
        if not topic.startswith(layout.FEATURE):
            self._channels[number] = _Channel(topic)
            return
        form, length = about.get("form", ""), about.get("length", "")
        if form not in layout.FORMS or not (
            length == "" or (length.isascii() and length.isdigit() and len(length) < 8)
        ):
            raise BadTake(f"the values of {topic} have no form that is known: {form!r} {length!r}"[:200])
        name = topic.removeprefix(layout.FEATURE)
        names = tuple(about["names"].split(",")) if about.get("names") else ()
        if names and length != str(len(names)):
            raise BadTake(f"the values of {topic} have {length or 'no'} numbers and {len(names)} names"[:200])
        channel = _Channel(name, layout.FORMS[form], int(length) if length else None, len(self._topics), names)
        self._channels[number] = channel
        self._topics.append(channel)

    def _message(self, at: int, end: int) -> None:
        number, sequence, _, _ = struct.unpack_from("<HIQQ", self._data, at)
        at += 22
        if at > end:
            raise BadTake(f"the message at byte {at - 22} is too short")
        if sequence != self._messages & 0xFFFFFFFF:
            raise _Stop(f"there is a gap before byte {at}")
        channel = self._channels.get(number)
        if channel is None:
            raise BadTake(f"the message at byte {at} is of a channel that was not named")
        if (channel.topic == layout.START and channel.form is None) != (self._messages == 0):
            raise BadTake(f"it does not begin with its {layout.START}, or has another")
        self._messages += 1
        if channel.form is not None:
            self._add_value(channel, at, end)
        elif read := self._readers().get(channel.topic):
            read(at, end)

    def _readers(self) -> dict[str, Callable[[int, int], None]]:
        return {
            layout.START: self._add_start,
            layout.PLAYED: self._add_played,
            layout.PATCH: self._add_edits,
            layout.STEP: self._add_step,
            layout.EVENT: self._add_event,
        }

    def _add_value(self, channel: _Channel, at: int, end: int) -> None:
        assert channel.form is not None
        length = 1 if channel.length is None else channel.length
        if end - at != layout.TIME.size + length * channel.form.itemsize:
            raise BadTake(
                f"a value of the feature {channel.topic!r} has {end - at} bytes, which are too few or too many"
            )
        if len(self._value_at) >= MOST_VALUES:
            raise BadTake(f"it has more than {MOST_VALUES} values")
        self._value_topic.append(channel.number)
        self._value_at.append(at)

    def _add_step(self, at: int, end: int) -> None:
        t, dt, count = layout.HEAD.unpack_from(self._data, at)
        if end - at != layout.HEAD.size + 4 * count:
            raise BadTake(f"its step {len(self)} has {end - at} bytes, which are too few or too many")
        first = self._times[0] if self._times else t
        if not (math.isfinite(t) and math.isfinite(dt) and abs(t) < 1e12) or (self._times and t < self._times[-1]):
            raise BadTake(f"its step {len(self)} is at {t} s, after {dt} s: the times of steps rise")
        if t - first > LONGEST or len(self) >= MOST_STEPS:
            raise BadTake(f"it is longer than {LONGEST / 86400:.0f} days, or has more than {MOST_STEPS} steps")
        numbers = struct.unpack_from(f"<{count}I", self._data, at + layout.HEAD.size)
        if any(number >= len(self._value_at) for number in numbers):
            raise BadTake(f"its step {len(self)} uses a value that is not there")
        if len({self._topics[self._value_topic[number]].topic for number in numbers}) != count:
            raise BadTake(f"its step {len(self)} uses two values of one feature")
        self._times.append(t)
        self._dts.append(dt)
        self._used.extend(numbers)
        self._used_to.append(len(self._used))

    def _add_start(self, at: int, end: int) -> None:
        start = self._json(at, end)
        version = start.get("take")
        if version != layout.VERSION:
            raise BadTake(
                f"its layout is {version!r}, and this Kinesphere reads {layout.VERSION}: take a newer one"[:200]
            )
        self.about = {key: value for key, value in start.items() if isinstance(value, str)}
        self._began(start.get("engine"))

    def _add_played(self, at: int, end: int) -> None:
        self._began(self._json(at, end))

    def _began(self, facts: Any) -> None:
        texts, numbers = ("model", "weights", "sha256", "family", "device"), ("resolution", "z_dim", "number")
        if (
            not isinstance(facts, dict)
            or not all(isinstance(facts.get(name), str) for name in texts)
            or not all(type(facts.get(name)) is int and 0 <= facts[name] < 2**62 for name in numbers)
            or not all(isinstance(facts.get(name), dict) for name in ("followers", "patch"))
            or not all(_is_memory(remembered) for remembered in facts["followers"].values())
            or not isinstance(facts.get("seen"), list)
            or not all(isinstance(name, str) for name in facts["seen"])
        ):
            raise BadTake(f"what it says of the engine before step {len(self)} is not understood")
        if self.played and self.played[-1].first == len(self):
            self.played.pop()  # an engine that was gone before it made a step
        while self._edits_before and self._edits_before[-1] == len(self):
            self._edits_before.pop(), self._edits_at.pop(), self._edits_size.pop()
        plain = {name: facts[name] for name in (*texts, *numbers, "followers", "seen")}
        self.played.append(Played(first=len(self), document=facts["patch"], **plain))
        self._document = json.loads(layout.as_json(facts["patch"]))

    def _add_edits(self, at: int, end: int) -> None:
        changes = self._json(at, end).get("edits")
        try:
            self._document = layout.edited(self._document, changes)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            self._document = {}
        if not isinstance(self._document, dict) or not self._document:
            raise BadTake(f"the change of the patch before step {len(self)} does not fit it")
        self._edits_before.append(len(self))
        self._edits_at.append(at)
        self._edits_size.append(end - at)

    def _add_event(self, at: int, end: int) -> None:
        event = self._json(at, end)
        t, what, about = event.get("t"), event.get("what"), event.get("about")
        if type(t) is not float or not math.isfinite(t) or not isinstance(what, str) or not isinstance(about, dict):
            raise BadTake(f"the event before step {len(self)} is not understood")
        if len(self.events) < MOST_EVENTS:
            self.events.append(Event(t, what, about))

    def _json(self, at: int, end: int) -> dict[str, Any]:
        if end - at > MOST_JSON:
            raise BadTake(f"the message at byte {at} has {end - at} bytes; {MOST_JSON} are the limit")
        try:
            value = json.loads(bytes(self._data[at:end]))
        except (ValueError, RecursionError):
            raise BadTake(f"the message at byte {at} is no JSON") from None
        if not isinstance(value, dict):
            raise BadTake(f"the message at byte {at} is no table")
        return value


def _record(data: memoryview, at: int, limit: int) -> tuple[int, int, int]:
    """A record of mcap: what it is, where its contents begin and end."""
    if at == limit:
        raise _Stop("the recording broke off")
    if at + 9 > limit:
        raise _Stop(f"it breaks off at byte {at}")
    opcode, length = struct.unpack_from("<BQ", data, at)
    if length > limit - at - 9:
        raise _Stop(f"it breaks off, or is damaged, at byte {at}")
    return opcode, at + 9, at + 9 + length


def _text(data: memoryview, at: int, end: int) -> tuple[str, int]:
    """A text of mcap, and where it ends."""
    (length,) = struct.unpack_from("<I", data, at)
    if length > end - at - 4:
        raise _Stop(f"it breaks off, or is damaged, at byte {at}")
    return str(data[at + 4 : at + 4 + length], "utf-8"), at + 4 + length


def _is_memory(remembered: Any) -> bool:
    """Whether it is what `Follower.memory` gives."""

    def is_number(x: Any) -> bool:
        return type(x) is float

    return (
        isinstance(remembered, dict)
        and is_number(remembered.get("value"))
        and is_number(remembered.get("t"))
        and (remembered.get("input") is None or is_number(remembered.get("input")))
        and isinstance(remembered.get("motion"), list)
        and all(
            isinstance(step, dict) and all(x is None or is_number(x) for x in step.values())
            for step in remembered["motion"]
        )
    )
