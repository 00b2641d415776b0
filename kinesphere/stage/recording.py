"""What is being kept of a performance: the take, and the films beside it; and the take that is played again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere.performance import Performance, Shown
from kinesphere.sinks import VideoFile
from kinesphere.sinks.sound import has_sound
from kinesphere.sources import Video
from kinesphere.sources.geometry import resized
from kinesphere.stage.library import Library
from kinesphere.takes import SOURCE_FILM, BadTake, Recorder, Replay, Take
from kinesphere.types import KinesphereError, Latest, Signal, Source, heard

SINK = "recording"  # the name of the film among the performance's sinks
LISTEN = 0.1  # seconds that a thread waits before it looks round
CLOSING = 10.0  # seconds that the end waits for a film to be closed


class Recording:
    """The record button. Not for two threads at once: the session's lock is held."""

    def __init__(self, performance: Performance, library: Library) -> None:
        self.performance, self.library = performance, library
        self.recorder: Recorder | None = None
        self.video = False
        self.films: list[SourceFilm] = []
        self.again: Again | None = None
        self._stood = False  # whether the performance stood still before the replay
        self._lengths: dict[tuple[str, int, int], float] = {}

    def start(self, video: bool, source: bool, tell: Callable[[str], None]) -> str:
        """Begin a take, with a film of the pictures and films of the sources beside it if wanted; its name.

        `tell`: called with the words, from any thread, where the film of a source ends before the take does.
        """
        if self.recorder is not None:
            raise KinesphereError(f"the take {self.recorder.path.stem} is being recorded already: stop it first")
        name = self._free_name()
        self.recorder = Recorder(self.library.path("takes", name, ".mcap"), lambda: self.performance.engine)
        self.performance.listeners.append(self.recorder)
        self.video = video
        if video:
            self.performance.add_sink(SINK, VideoFile(self.library.path("videos", name, ".mp4")))
        if source:
            fps = Fraction(self.performance.fps).limit_denominator(1001)
            seen = {name: source for name, source in self.performance.patch.sources.items() if not heard(source)}
            for number, (eye, shown) in enumerate(seen.items(), 1):
                path = self.library.path("videos", f"{name} source {number}", ".mp4")
                self.films.append(SourceFilm(shown, self.performance.view(eye), path, fps, self.event, tell))
        return name

    def _free_name(self) -> str:
        stem = time.strftime("take %Y-%m-%d %H.%M.%S")
        taken = {*self.library.names("takes")}
        return next(name for n in range(1, 1000) if (name := stem if n == 1 else f"{stem} ({n})") not in taken)

    def stop(self, wait: float = 0.0) -> str:
        """End the take; its name, "" where there was none. Waits up to `wait` seconds for its film to be whole."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return ""
        if recorder in self.performance.listeners:
            self.performance.listeners.remove(recorder)
        recorder.close()
        if self.video:
            with suppress(KinesphereError):
                self.performance.remove_sink(SINK, wait)
        films, self.films, self.video = self.films, [], False
        for film in films:
            film.stop()
        return recorder.path.stem

    def event(self, what: str, **about: Any) -> None:
        """Something that the player did, for the take."""
        if self.recorder is not None:
            self.recorder.event(what, **about)

    @property
    def error(self) -> str | None:
        """Why the take has ended by itself."""
        return self.recorder.error if self.recorder is not None else None

    def now(self) -> dict[str, Any] | None:
        if self.recorder is None:
            return None
        return {"take": self.recorder.path.stem, "video": self.video, "seconds": int(self.recorder.seconds)}

    @property
    def in_use(self) -> set[str]:
        """The takes that are being recorded or played again."""
        recording = self.recorder.path.stem if self.recorder is not None else None
        return {name for name in (recording, self.replaying) if name is not None}

    def takes(self) -> list[dict[str, Any]]:
        """Every take with its length, seconds."""
        return [{"name": name, "seconds": round(self._seconds(name), 2)} for name in self.library.names("takes")]

    def _seconds(self, name: str) -> float:
        path = self.library.path("takes", name, ".mcap")
        try:
            about = path.stat()
        except OSError:
            return 0.0
        if self.recorder is not None and path == self.recorder.path:
            return self.recorder.seconds
        key = (name, about.st_size, about.st_mtime_ns)
        if key not in self._lengths:
            self._lengths[key] = _length(path)
        return self._lengths[key]

    # a take again

    @property
    def replaying(self) -> str | None:
        return self.again.name if self.again is not None else None

    def replay(self, name: str, tell: Callable[[str], None]) -> None:
        """Play a take in the place of the performance, which stands still meanwhile."""
        path = self.library.existing("takes", name, ".mcap")
        if self.recorder is not None:
            raise KinesphereError("a take is being recorded: stop it first")
        self.replay_stop()
        replay = Replay(Take.open(path), None, self.performance.device, self.library.load)
        for note in replay.notes:
            tell(note)
        self.again, self._stood, self.performance.frozen = Again(name, replay, tell), self.performance.frozen, True

    def replay_stop(self) -> None:
        again, self.again = self.again, None
        if again is not None:
            again.stop()
            self.performance.frozen = self._stood

    def close(self) -> None:
        self.replay_stop()
        self.stop(CLOSING)


def _length(path: Path) -> float:
    """Seconds of a take: from its index where it was closed in good order, else by reading it."""
    from mcap.exceptions import McapError
    from mcap.reader import make_reader

    try:
        with path.open("rb") as file:
            summary = make_reader(file).get_summary()
        about = summary.statistics if summary is not None else None
        if about is not None and about.message_count:
            return (about.message_end_time - about.message_start_time) / 1e9
    except (OSError, McapError, ValueError, AssertionError):
        pass
    try:
        return Take.open(path).duration
    except (BadTake, OSError):
        return 0.0


class Again:
    """A take that is played, on a thread of its own, into a mailbox of pictures."""

    def __init__(self, name: str, replay: Replay, tell: Callable[[str], None]) -> None:
        self.name, self.replay, self.tell = name, replay, tell
        self.frames: Latest[Shown] = Latest()
        self.done = False
        self._over = threading.Event()
        replay.lanes.sinks = {"stage": _Screen(self.frames)}
        self._thread = threading.Thread(target=self._play, name="replay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _play(self) -> None:
        begun = time.monotonic()
        try:
            while not self.replay.over and not self._over.is_set():
                if not self.replay.to(time.monotonic() - begun):
                    self._over.wait(min(LISTEN, max(0.0, self.replay.due() - (time.monotonic() - begun))))
        except Exception as error:  # a damaged take; the performance goes on
            self.tell(f"the take {self.name} stopped: {error}")
        self.done = True


class _Screen:
    """A sink that hands frames to the stage's viewers."""

    def __init__(self, frames: Latest[Shown]) -> None:
        self.frames = frames

    def open(self, size: tuple[int, int], fps: Any) -> None: ...

    def write(self, frame: np.ndarray, t: float) -> None:
        self.frames.put(Shown(frame, t, self.frames.count + 1, None))

    def close(self) -> None: ...


class SourceFilm:
    """What a source shows, as a film, on a thread of its own: at the right speed, whatever the source's own pace.

    Only the newest picture waits for it. Until it is whole it lies there in fragments, which play. `event` is told when its first
    picture was seen, on the clock of the performance; `tell` in words why it ended too soon.
    """

    def __init__(
        self,
        source: Source,
        signals: Latest[Signal],
        path: Path,
        fps: Fraction,
        event: Callable[..., None],
        tell: Callable[[str], None],
    ) -> None:
        self.source, self.signals, self.path, self.fps = source, signals, path, fps
        self.event, self.tell = event, tell
        self._seen = signals.count
        self.written = 0  # pictures
        self.sound: dict[str, Any] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._record, name=f"film {path.stem}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """The film is whole."""
        self._over.set()
        self._thread.join(timeout=CLOSING)

    def _record(self) -> None:
        film: VideoFile | None = None
        size, begun, seen = (0, 0), 0.0, self._seen
        try:
            while not self._over.is_set():
                signal, seen = self.signals.newer(seen, LISTEN)
                if signal is None:
                    continue
                if film is None:
                    size, begun = signal.value.shape[1::-1], signal.t
                    self.sound = _sound(self.source, begun)
                    film = VideoFile(self.path, **self.sound)
                    film.open(size, self.fps)
                    self.event(SOURCE_FILM, name=self.path.name, t=float(begun))
                film.write(resized(signal.value, size), max(0.0, signal.t - begun))
                self.written += 1
        except Exception as error:
            self.tell(f"the film {self.path.name} ended: {error}")
        if film is not None:
            try:
                film.close()
            except Exception as error:
                self.tell(f"the film {self.path.name}: {error}")


def _sound(source: Source, t: float) -> dict[str, Any]:
    """The sound that a source has of itself, from what is heard at `t` seconds on: that of a video, up to where it begins again."""
    if not isinstance(source, Video) or not has_sound(source.path):
        return {}
    return {
        "sound": source.path,
        "sound_start": source.start + (t % (source.duration - source.start) if source.loop else t),
    }
