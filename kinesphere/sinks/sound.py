"""The sound of a file: how long it is, and cut to the length of a recording, in step with its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from kinesphere.types import KinesphereError

AAC_RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000))  # Hz
DELAY = Fraction(7, 1000)  # seconds by which the first packet of Opus is early, which its decoder leaves out
BITS = 192_000  # per second; transparent for two channels


@dataclass(frozen=True)
class Carrier:
    """What a kind of film carries as its sound."""

    copied: frozenset[str]  # codecs that it takes as they are
    encoder: str  # of anything else
    rates: frozenset[int]  # that the encoder takes, Hz; anything else becomes 48000
    early: bool = True  # whether what is copied may begin before time 0, to be left out by the player


IN_MP4 = Carrier(frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")), "aac", AAC_RATES)
IN_WEBM = Carrier(frozenset(("opus", "vorbis")), "libopus", frozenset((48000,)), early=False)


def has_sound(path: str | Path) -> bool:
    """Whether the file at `path` can be read and has a sound track."""
    import av

    try:
        with av.open(str(path)) as container:
            return bool(container.streams.audio)
    except (av.FFmpegError, OSError):
        return False


def seconds_of(path: str | Path) -> Fraction:
    """How long the first sound track of a file lasts, from the first picture in that file (from the first sound, without pictures).

    Every packet is counted, as what a file says of its own length may be a guess. Raises KinesphereError for a file without sound.
    """
    import av

    if not has_sound(path):
        raise KinesphereError(f"no sound track can be read from {str(path)!r}: check the path, or leave `sound` out")
    with av.open(str(path)) as container:
        begin, stream = _zero(Path(path), container), container.streams.audio[0]
        tick = Fraction(stream.time_base or 1)
        ends = (p.pts + (p.duration or 0) for p in container.demux(stream) if p.size and p.pts is not None)
        seconds = max(ends, default=0) * tick - begin
    if seconds <= 0:
        raise KinesphereError(f"the sound track of {str(path)!r} is empty: name another file, or leave `sound` out")
    return seconds


class SoundTrack:
    """The first sound track of the file at `path`, from `start` for `seconds`.

    `start` is counted from the first picture in that file (from the first sound, where it has no pictures). What the film can
    carry is copied packet by packet, in whole packets; anything else is encoded anew, cut to the sample.
    """

    def __init__(self, path: Path, start: float, seconds: float, carrier: Carrier = IN_MP4) -> None:
        import av

        self._carrier = carrier
        self._container = av.open(str(path))
        if not self._container.streams.audio:
            self.close()
            raise KinesphereError(f"{path} has no sound track to keep: leave `sound` empty, or name another file")
        self._stream: Any = self._container.streams.audio[0]
        self._start = _zero(path, self._container) + Fraction(start).limit_denominator(1_000_000)
        self._seconds = Fraction(seconds).limit_denominator(1_000_000)
        decoder = self._stream.codec_context.name  # "mp3float", "libopus": named after the codec and how it is decoded
        self._copies = decoder.removesuffix("float").removeprefix("lib") in carrier.copied

    def close(self) -> None:
        self._container.close()

    def add_to(self, output: Any) -> None:
        """Give `output`, a film that is being made, a stream for this sound."""
        if self._copies:
            self._output = output.add_stream_from_template(self._stream)
            return
        rate = self._stream.rate if self._stream.rate in self._carrier.rates else 48000
        self._output = output.add_stream(self._carrier.encoder, rate=rate)
        self._output.layout = "mono" if self._stream.channels == 1 else "stereo"
        self._output.bit_rate = BITS

    def packets(self) -> Iterator[Any]:
        """The packets for that stream; time 0 is `start`."""
        return self._copied() if self._copies else self._encoded()

    def _copied(self) -> Iterator[Any]:
        begin, length = (round(t / self._stream.time_base) for t in (self._start, self._seconds))
        for packet in self._container.demux(self._stream):
            if not packet.size or packet.pts is None:
                continue
            packet.pts -= begin
            packet.dts = packet.pts
            if packet.pts >= length:
                return
            # codecs that overlap their blocks need the one before the first; players leave out what is before time 0
            before = 2 * (packet.duration or 0) if self._carrier.early else round(DELAY / self._stream.time_base)
            if packet.pts + before > 0:
                packet.stream = self._output
                yield packet

    def _encoded(self) -> Iterator[Any]:
        for frame in self._cut():
            yield from self._output.encode(frame)
        yield from self._output.encode(None)

    def _cut(self) -> Iterator[Any]:
        """The decoded sound between `start` and its end, with time stamps in samples from `start`."""
        import av

        rate, layout = self._output.rate, self._output.layout.name
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        length, at = round(self._seconds * rate), None
        for frame in self._resampled(resampler):
            if at is None:
                at = round((frame.pts * frame.time_base - self._start) * rate)
            first, last = max(-at, 0), min(length - at, frame.samples)
            if first < last:
                part = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(frame.to_ndarray()[:, first:last]), "fltp", layout
                )
                part.rate, part.time_base, part.pts = rate, Fraction(1, rate), at + first
                yield part
            at += frame.samples
            if at >= length:
                return

    def _resampled(self, resampler: Any) -> Iterator[Any]:
        for frame in self._container.decode(self._stream):
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _zero(path: Path, container: Any) -> Fraction:
    """When the first picture of a file is shown (or its first sound heard), on the file's own clock, in seconds."""
    import av

    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            with av.open(str(path)) as pictures:
                for frame in pictures.decode(pictures.streams[stream.index]):
                    return Fraction(frame.pts or 0) * frame.time_base
    sound = container.streams.audio[0]
    return Fraction(sound.start_time or 0) * sound.time_base
