"""The frames of a video file by number, and the moment of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere.types import KinesphereError

EARLY = 1e-6  # seconds; t = i / fps, worked out in floating point, must not fall before frame i
COARSE = 5e-4  # seconds; half a tick of the coarsest common clock (Matroska counts milliseconds, rounded)
LEAP = 16  # frames; where a key frame lies further ahead than this, jumping to it beats decoding up to it


@dataclass(frozen=True)
class Stamps:
    """When the frames of a file appear, in the order in which they are seen."""

    ticks: np.ndarray  # [frames] int64, the file's own time stamps; 0, 1, 2 ... where it has none
    times: np.ndarray  # [frames] float64, seconds after the first frame
    keys: np.ndarray  # [K, 2] int64, (ticks, decoding ticks) of the frames that need no other to be decoded
    fps: Fraction  # the steady rate; the mean one where it varies
    duration: float  # seconds, to the end of the last frame
    early: float  # seconds by which a question may come too early, because the file's clock is coarse
    written: bool  # False: the file has no time stamps, its frames were counted


class Film:
    """An open video file that gives any of its frames; those that follow each other are decoded once, forwards.

    Raises KinesphereError where `path` is missing, is no video, holds no pictures or was cut short.
    """

    _stream: Any
    _frames: Iterator[tuple[int, Any]]
    _current: Any
    _ahead: tuple[int, Any] | None

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container: Any = None
        self._open()
        try:
            self.pixel_aspect = float(self._stream.sample_aspect_ratio or 1)  # width of a pixel / its height
            self.stamps = self._read_stamps()
            self._open()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """The decoder goes at once, with its threads and pictures: nothing here may hold it, and what decodes holds all this."""
        self._frames = iter(())
        self._stream = self._current = self._ahead = None
        if self._container is not None:
            self._container.close()
            self._container = None

    def index(self, place: float) -> int:
        """The number of the frame that is on the screen `place` seconds after the first appeared there."""
        after = int(np.searchsorted(self.stamps.times, place + self.stamps.early, side="right"))
        return max(after - 1, 0)

    def frame(self, index: int) -> Any:
        """Frame `index` as PyAV decodes it; the one before it where the file is damaged and has lost it."""
        target = int(self.stamps.ticks[index])
        if self._current is None or target < self._at or self._key_ahead(target):
            self._leap(target)
        while self._at < target and self._advance(target):
            pass
        if self._current is None:
            raise KinesphereError(f"{self.path} cannot be decoded: not one picture came out of it")
        return self._current

    # where the decoder stands: `_current` is the frame last reached, `_at` its tick, `_ahead` one decoded too far

    def _open(self) -> None:
        import av

        self.close()
        if not self.path.is_file():
            raise KinesphereError(f"there is no video file at {str(self.path)!r}: check the path")
        try:
            self._container = av.open(str(self.path))
        except av.FFmpegError as error:
            raise KinesphereError(_unreadable(self.path)) from error
        try:
            self._stream = _picture_stream(self._container, self.path)
        except BaseException:
            self.close()
            raise
        self._stream.thread_type = "AUTO"
        self._restart()

    def _restart(self) -> None:
        self._frames = self._decoded()
        self._current = self._ahead = None
        self._at = -1
        self._number = -1

    def _decoded(self) -> Iterator[tuple[int, Any]]:
        """(tick, frame) from where the file stands; what cannot be read or decoded is passed over."""
        for packet in self._demuxed():
            for frame in self._tried(packet):
                self._number += 1
                tick = frame.pts if self.stamps.written else self._number
                if tick is not None:
                    yield tick, frame

    def _demuxed(self) -> Iterator[Any]:
        import av

        try:
            yield from self._container.demux(self._stream)
        except av.FFmpegError:
            yield None  # cut short: the decoder gives up what it still holds

    def _tried(self, packet: Any) -> list[Any]:
        import av

        try:
            return self._stream.decode(packet)
        except av.FFmpegError:
            return []

    def _advance(self, target: int | None) -> bool:
        """One frame on, unless it is later than `target` or there is none; None takes whatever comes."""
        found = self._ahead or next(self._frames, None)
        self._ahead = None
        if found is None:
            return False
        if target is not None and found[0] > target:
            self._ahead = found
            return False
        self._at, self._current = found
        return True

    def _key_ahead(self, target: int) -> bool:
        keys = self.stamps.keys[:, 0]
        nearest = int(np.searchsorted(keys, target, side="right")) - 1
        if nearest < 0 or keys[nearest] <= self._at:
            return False
        here, there = np.searchsorted(self.stamps.ticks, (self._at, keys[nearest]))
        return bool(there - here > LEAP)

    def _leap(self, target: int) -> None:
        """Stand at or before `target`: at the nearest key frame, or the one before it, or at the beginning."""
        import av

        nearest = int(np.searchsorted(self.stamps.keys[:, 0], target, side="right")) - 1
        for key in range(nearest, max(nearest - 2, -1), -1):
            try:
                self._container.seek(int(self.stamps.keys[key, 1]), stream=self._stream)
            except av.FFmpegError:
                break
            self._restart()
            if self._advance(None) and self._at <= target and self._known():
                return
        self._open()
        self._advance(None)

    def _known(self) -> bool:
        """Whether the frame after a leap is where the whole reading saw it: program streams guess some stamps anew."""
        return not self._current.key_frame or self._at in self.stamps.keys[:, 0]

    # reading the time stamps

    def _read_stamps(self) -> Stamps:
        packets = self._packets()
        if not any(packet.is_seen for packet in packets):
            raise KinesphereError(_unreadable(self.path))
        rate = self._stream.guessed_rate or Fraction(25)
        if self._are_unordered(packets):
            count = self._count()
            ticks = np.arange(count)
            return Stamps(
                ticks, ticks / float(rate), np.empty((0, 2), np.int64), rate, float(count / rate), EARLY, False
            )
        tick = float(self._stream.time_base)
        rates = [r for r in (rate, self._stream.base_rate, self._stream.average_rate) if r]
        return _stamps(packets, tick, rates)

    def _are_unordered(self, packets: list[_Packet]) -> bool:
        """Whether the stamps are absent, or count packets (as in AVI) where frames are seen in another order."""
        if any(packet.pts is None for packet in packets):
            return True
        counted = len({packet.pts - packet.dts for packet in packets}) == 1  # type: ignore[operator]
        return counted and self._container.format.name == "avi" and self._stream.codec_context.has_b_frames

    def _packets(self) -> list[_Packet]:
        """Every whole packet of the picture stream, in the order of decoding."""
        import av

        packets, broken = [], False
        try:
            for packet in self._container.demux(self._stream):
                broken |= packet.is_corrupt
                if packet.size and not packet.is_corrupt:
                    dts = packet.pts if packet.dts is None else packet.dts
                    packets.append(
                        _Packet(packet.pts, dts, packet.duration or 0, packet.is_keyframe, not packet.is_discard)
                    )
        except av.FFmpegError:
            broken = True
        self._refuse_if_cut_short(packets, broken)
        return packets

    def _refuse_if_cut_short(self, packets: list[_Packet], broken: bool) -> None:
        """Refuse a file that holds less than it promises; one that promises nothing is played as far as it goes."""
        promised, duration = self._stream.frames, self._stream.duration
        if not promised or len(packets) >= promised:
            return
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        longest = max((packet.duration for packet in packets), default=0)
        held = max(stamps) - min(stamps) + longest if stamps else 0
        if broken or (duration and held < duration - longest):  # fewer frames in full length are an edit, and wanted
            raise KinesphereError(
                f"{self.path} is cut short: it promises {promised} frames and holds {len(packets)}; copy it again"
            )

    def _count(self) -> int:
        self._open()
        count = sum(len(self._tried(packet)) for packet in self._demuxed())
        if not count:
            raise KinesphereError(_unreadable(self.path))
        return count


@dataclass(frozen=True)
class _Packet:
    pts: int | None
    dts: int | None
    duration: int
    is_key: bool
    is_seen: bool  # False: an edit of the file leaves it out, but others may need it to be decoded


def _stamps(packets: list[_Packet], tick: float, rates: list[Fraction]) -> Stamps:
    """The stamps of `packets`, in ticks of `tick` seconds; the first of `rates` that they keep to is the file's."""
    first = next((n for n, packet in enumerate(packets) if packet.is_key), 0)
    usable = [packet for packet in packets[first:] if packet.pts >= packets[first].pts]  # type: ignore[operator]
    ticks = np.unique(np.array([packet.pts for packet in usable if packet.is_seen], np.int64))
    keys = np.array(sorted((packet.pts, packet.dts) for packet in usable if packet.is_key), np.int64).reshape(-1, 2)
    times = (ticks - ticks[0]) * tick
    for rate in rates:
        steady = np.arange(len(ticks)) / float(rate)
        # a coarse clock may put a frame one tick off its place, but never a good part of a frame
        if np.abs(times - steady).max() < min(1.01 * tick, 0.25 / float(rate)):
            return Stamps(ticks, steady, keys, Fraction(rate), float(len(ticks) / rate), EARLY, True)
    last = max(usable, key=lambda packet: packet.pts).duration * tick  # type: ignore[arg-type, return-value]
    duration = float(times[-1]) + (last or float(times[-1]) / max(len(ticks) - 1, 1) or 1 / float(rates[0]))
    fps = Fraction(len(ticks) / duration).limit_denominator(1001)
    return Stamps(ticks, times, keys, fps, duration, min(tick / 2, COARSE) + EARLY, True)


def _picture_stream(container: Any, path: Path) -> Any:
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if streams:
        return streams[0]
    if container.streams.audio:
        raise KinesphereError(
            f"{path} holds sound but no moving pictures: give it to a sink as its sound, or choose a video"
        )
    raise KinesphereError(_unreadable(path))


def _unreadable(path: Path) -> str:
    return f"{path} cannot be read as a video: it is another kind of file, or was cut short before it was finished"
