"""A video file: what was played, at the speed at which it was played."""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kinesphere.sinks.sound import IN_MP4, IN_WEBM, Carrier, SoundTrack, has_sound
from kinesphere.types import KinesphereError

PRESETS = "ultrafast superfast veryfast faster fast medium slow slower veryslow".split()
CHROMA = {"420": "yuv420p", "444": "yuv444p"}
BT709 = 1  # the number of BT.709 in each of ITU-T H.273's three tables: primaries, transfer, matrix
LIMITED = 1  # AVCOL_RANGE_MPEG: black is 16, white 235

# libswscale's flags, by value because PyAV named them only in late releases: bicubic, all chroma read, exact rounding
EXACT = 0x4 | 0x4000 | 0x40000

FRAGMENTS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets",
    "frag_duration": "500000",  # microseconds; what is not in a fragment yet is lost in a crash
    "flush_packets": "1",  # nothing waits in a buffer of ours
}
CLUSTERS = {"cluster_time_limit": "500", "flush_packets": "1"}  # milliseconds; as above


@dataclass(frozen=True)
class Kind:
    """A kind of film: what it is made of, in libav's names."""

    format: str
    codec: str  # as people call it
    encoder: str
    growing: Mapping[str, str]  # how it is written while it is being made
    whole: Mapping[str, str]  # and when it is whole: its index first
    sound: Carrier


KINDS = {
    ".mp4": Kind("mp4", "H.264", "libx264", FRAGMENTS, {"movflags": "faststart"}, IN_MP4),
    ".webm": Kind("webm", "VP9", "libvpx-vp9", CLUSTERS, {"cues_to_front": "1"}, IN_WEBM),
}


@dataclass
class VideoFile:
    """An H.264 MP4 or a VP9 WebM, as `path` ends, of constant frame rate, with the sound of another file if wanted.

    While it is being made it lies beside `path` as `NAME.part.mp4`, in fragments: after a crash, a power cut or `kill -9`
    that file plays, all but about the last second. `close` turns it into an ordinary film that can be sought in and streamed,
    and only then puts it at `path`. Opened again after a picture could not be written, it goes on in `NAME 2.mp4`, so that what
    was recorded before stays.
    """

    path: str | Path
    crf: float = (
        16.0  # x264's quality: 0 loses nothing, 16 looks the same, 23 is small, 51 is ruined; for VP9 it is translated
    )
    preset: str = "veryfast"  # x264's effort: slower makes smaller files, not better ones; for VP9 it is translated
    chroma: str = "420"  # "420" plays everywhere; "444" keeps the full resolution of colour, and odd sizes
    sound: str | Path | None = None  # a video or sound file whose first sound track is kept
    sound_start: float = 0.0  # seconds into that file (from its first picture) that are heard at t = 0
    overwrite: bool = False  # whether a file at `path` may be replaced, when the new one is whole
    comment: str = ""  # what the file says of itself, in its metadata

    main_thread: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if Path(self.path).suffix.lower() not in KINDS:
            raise KinesphereError(f"video file {str(self.path)!r} does not end in {' or '.join(KINDS)}")
        if not 0 <= self.crf <= 51:
            raise KinesphereError(f"video crf {self.crf!r} is outside 0 (loses nothing) to 51 (ruined): try 16")
        if self.preset not in PRESETS:
            raise KinesphereError(f"video preset {self.preset!r} is not known: it is one of {', '.join(PRESETS)}")
        if self.chroma not in CHROMA:
            raise KinesphereError(f"video chroma {self.chroma!r} is not known: it is one of {', '.join(CHROMA)}")
        if not math.isfinite(self.sound_start):
            raise KinesphereError(f"video sound_start {self.sound_start!r} is not a time in seconds")
        self._kind = KINDS[Path(self.path).suffix.lower()]
        self._output: Any = None
        self._target = Path(self.path)  # of the recording that is being made
        self._broken = False  # whether a picture could not be written

    def open(self, size: tuple[int, int], fps: Any) -> None:
        """Begin a recording of `size` (width, height), made even by repeating the last column or row, at `fps`.

        Raises KinesphereError where `path` is taken and `overwrite` is off, cannot be written, or `sound` has no sound.
        """
        import av

        self.close()
        self._target = _next_beside(Path(self.path)) if self._broken else Path(self.path)
        self._refuse_what_exists()
        if self.sound is not None and not has_sound(self.sound):
            raise KinesphereError(
                f"no sound track can be read from {str(self.sound)!r}: check the path, or leave `sound` out"
            )
        self._size, self._fps = size, Fraction(fps).limit_denominator(10_000)
        if self._fps <= 0:
            raise KinesphereError(
                f"no {self._kind.codec} video can be made at {fps} frames per second: the rate is above 0, such as 30"
            )
        self._part = _reserved_beside(self._target)
        try:
            self._output = av.open(str(self._part), "w", format=self._kind.format, options=dict(self._kind.growing))
            self._stream = self._new_stream()
            self._output.start_encoding()
        except (av.FFmpegError, ValueError, OverflowError) as error:
            self._output = None
            self._part.unlink(missing_ok=True)
            raise KinesphereError(
                f"no {self._kind.codec} video of {size[0]}x{size[1]} at {self._fps} can be made: {error}"
            ) from error
        self._picture: Any = None  # the newest frame, in YUV, that is not in the file yet
        self._slot = self._first = 0  # its place, counted in frames from t = 0; the place of the first

    def write(self, frame: np.ndarray, t: float) -> None:
        """Put `frame`, [H, W, 3] uint8 RGB, at the place in the file that `t` (seconds) rounds to.

        Places that were left out repeat the frame before them; of several in one place, the newest stays. The first frame
        written is the first of the file, whatever its `t`.
        """
        try:
            self._write(frame, t)
        except Exception:
            self._broken = True
            raise

    def _write(self, frame: np.ndarray, t: float) -> None:
        if frame.shape[:2] != self._size[::-1]:
            was, now = f"{self._size[0]}x{self._size[1]}", f"{frame.shape[1]}x{frame.shape[0]}"
            raise KinesphereError(
                f"{self._target} was begun with frames of {was} and cannot take one of {now}: begin another"
            )
        slot = math.floor(t * float(self._fps) + 0.5)
        if self._picture is None:
            self._slot = self._first = slot
        while self._slot < slot:
            self._encode_slot()
        self._picture = self._in_yuv(frame)

    def close(self) -> None:
        """Make the file whole and put it at `path`; a recording without a frame leaves nothing behind."""
        import av

        if self._output is None:
            return
        output, self._output = self._output, None
        try:
            with output:
                if self._picture is not None:
                    self._encode_slot(output)
                    output.mux(self._stream.encode(None))
            if self._picture is None:
                self._part.unlink()
            else:
                self._finish()
        except (av.FFmpegError, OSError) as error:
            raise KinesphereError(f"{self._target} could not be finished ({error}); {self._kept()}") from error

    def _encode_slot(self, output: Any = None) -> None:
        import av

        picture = self._picture
        picture.pts = self._slot - self._first
        self._slot += 1  # first of all: an interrupt below may cost a frame, but never brings a place twice
        try:
            (output or self._output).mux(self._stream.encode(picture))
        except av.FFmpegError as error:
            raise KinesphereError(f"the recording {self._target} stopped ({error}); {self._kept()}") from error

    def _in_yuv(self, frame: np.ndarray) -> Any:
        from av import VideoFrame

        height, width = frame.shape[:2]
        if self.chroma == "420" and (width % 2 or height % 2):
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        yuv = rgb.reformat(
            format=CHROMA[self.chroma], dst_colorspace=BT709, dst_color_range=LIMITED, interpolation=EXACT
        )
        yuv.time_base = 1 / self._fps
        return yuv

    def _new_stream(self) -> Any:
        """An encoder that holds back less than half a second of frames, so that little is lost when all stops."""
        rate = float(self._fps)
        options = self._vp9(rate) if self._kind.format == "webm" else self._x264(rate)
        options["g"] = str(max(1, int(rate)))  # a key frame each second: players can seek there
        stream = self._output.add_stream(self._kind.encoder, rate=self._fps, options=options)
        even = 2 if self.chroma == "420" else 1
        stream.width, stream.height = (math.ceil(n / even) * even for n in self._size)
        stream.pix_fmt = CHROMA[self.chroma]
        context = stream.codec_context
        context.thread_count = max(1, min(4, int(rate / 8), os.cpu_count() or 1))
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED
        if self._kind.format == "webm":
            context.bit_rate = 0  # no bound: `crf` alone says how good
        return stream

    def _x264(self, rate: float) -> dict[str, str]:
        return {
            "crf": str(self.crf),
            "preset": self.preset,
            "rc-lookahead": str(min(10, int(rate / 4))),
            "bf": str(min(3, int(rate / 8))),
            "x264-params": "mbtree=0",  # with it the same frames give another file each time
        }

    def _vp9(self, rate: float) -> dict[str, str]:
        """libvpx counts its quality to 63 where x264 counts to 51, and its effort from 5, quick, down to 0."""
        return {
            "crf": str(round(self.crf * 63 / 51)),
            "lossless": str(int(self.crf == 0)),
            "deadline": "good",
            "cpu-used": str(min(5, max(0, 7 - PRESETS.index(self.preset)))),
            "row-mt": "1",
            "lag-in-frames": str(min(25, int(rate / 2))),
        }

    def _finish(self) -> None:
        whole = self._part.with_suffix(f".whole{self._part.suffix}")
        track = None
        if self.sound is not None:
            begin, seconds = (float(n / self._fps) for n in (self._first, self._slot - self._first))
            track = SoundTrack(Path(self.sound), self.sound_start + begin, seconds, self._kind.sound)
        try:
            _make_whole(self._kind, self._part, whole, track, self.comment)
            self._refuse_what_exists()
            os.replace(whole, self._target)
        except KinesphereError as error:
            raise KinesphereError(f"{error}; {self._kept()}") from error
        finally:
            whole.unlink(missing_ok=True)
            if track is not None:
                track.close()
        self._part.unlink()

    def _refuse_what_exists(self) -> None:
        if not self.overwrite and self._target.exists():
            raise KinesphereError(f"{self._target} exists already: choose another name, or say overwrite = true")

    def _kept(self) -> str:
        return f"what was recorded until then is in {self._part}, which plays"


def _next_beside(path: Path) -> Path:
    """`path`, or the first of NAME 2, NAME 3 ... that is free."""
    names = (path if n == 1 else path.with_stem(f"{path.stem} {n}") for n in range(1, 1000))
    return next((name for name in names if not name.exists()), path)


def _reserved_beside(path: Path) -> Path:
    """A new, empty file beside `path` to record into; an earlier recording that crashed there is left alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            part = path.with_suffix(f".part{'' if number == 1 else number}{path.suffix.lower()}")
            try:
                part.touch(exist_ok=False)
                return part
            except FileExistsError:
                continue
    except OSError as error:
        raise KinesphereError(f"no video can be written at {path}: {error.strerror}") from error
    raise KinesphereError(f"999 unfinished recordings lie beside {path}: clear them away, or choose another name")


def _make_whole(kind: Kind, part: Path, whole: Path, track: SoundTrack | None, comment: str) -> None:
    """Copy the pictures of `part` and the sound of `track` into a film whose index comes first, with a comment."""
    import av

    with (
        av.open(str(part)) as source,
        av.open(str(whole), "w", format=kind.format, options=dict(kind.whole)) as output,
    ):
        if comment:
            output.metadata["comment"] = comment
        streams = [_copied(source, output)]
        if track is not None:
            track.add_to(output)
            streams.append(track.packets())
        for packet in heapq.merge(*streams, key=lambda packet: float(packet.dts * packet.time_base)):
            output.mux(packet)


def _copied(source: Any, output: Any) -> Iterator[Any]:
    """The picture packets of `source` for a new stream of `output`; the first picture comes at time 0."""
    pictures = source.streams.video[0]
    return _from_zero(source, pictures, output.add_stream_from_template(pictures))


def _from_zero(source: Any, pictures: Any, stream: Any) -> Iterator[Any]:
    zero = None
    for packet in source.demux(pictures):
        if packet.size:
            zero = packet.pts if zero is None else zero
            packet.pts, packet.dts, packet.stream = packet.pts - zero, packet.dts - zero, stream
            yield packet
