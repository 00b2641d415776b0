"""The picture on its way to the viewers: encoded once for all who want it alike, sent only to those who have taken the last."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from kinesphere.types import KinesphereError, Latest

HEADER = struct.Struct("<IBBHHHdd")  # number, format, 0, width, height, 0, t (s), age (ms)
JPEG, H264_KEY, H264_DELTA = 0, 1, 2
# What every browser takes an unnamed stream for: the matrix of BT.709 (ITU-T H.273, table 4), and 16 to 235. It is named as well.
BT709, LIMITED = 1, 1
LISTEN = 0.1  # seconds that a thread waits before it looks round
H264_VIEWERS = 4  # each needs an encoder of its own, 2 ms a picture; who comes later gets JPEG
MOST = 8192  # pixels of a side
SMALL = 256  # pixels of a side below which colour keeps its full resolution: the picture is enlarged, and would bleed


class View(BaseModel):
    """What a viewer asks for; may be asked again at any time."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    view: str = Field("picture", max_length=200, pattern="^(picture|source:.+)$")
    credit: int = Field(2, ge=1, le=3)  # pictures under way
    format: Literal["jpeg", "h264"] = "jpeg"
    most: int = Field(0, ge=0, le=MOST)  # pixels of the longer side; 0: as it is
    quality: float = Field(0.8, ge=0.05, le=1)


class Seen(BaseModel):
    """A viewer says that a picture was shown."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    seen: int


ASKED: TypeAdapter[Seen | View] = TypeAdapter(Seen | View)


@dataclass(frozen=True)
class Picture:
    """What a view shows at one moment."""

    pixels: np.ndarray  # [H, W, 3] uint8 RGB
    t: float  # seconds
    age: float = math.nan  # seconds


def sized(pixels: np.ndarray, most: int) -> np.ndarray:
    """`pixels` [H, W, 3] with a longer side of at most `most` pixels; 0 leaves it alone."""
    height, width = pixels.shape[:2]
    if not most or max(height, width) <= most:
        return pixels
    import cv2

    scale = most / max(height, width)
    to = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, to, interpolation=cv2.INTER_AREA)


def jpeg(pixels: np.ndarray, quality: float = 0.8) -> bytes:
    """[H, W, 3] uint8 RGB as a JPEG."""
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, round(quality * 100)]
    if min(pixels.shape[:2]) < SMALL:
        flags += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    whole, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)
    if not whole:
        raise KinesphereError(f"a picture of {pixels.shape[1]}x{pixels.shape[0]} cannot be made a JPEG")
    return data.tobytes()


class H264:
    """A stream of H.264 (annex B) for one viewer: every picture depends on the one before it, so nobody else can share it."""

    def __init__(self, size: tuple[int, int], quality: float) -> None:
        import av

        width, height = size
        codec: Any = av.CodecContext.create("libx264", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base, codec.framerate = Fraction(1, 1000), Fraction(60)
        codec.color_primaries = codec.color_trc = codec.colorspace = BT709
        codec.color_range = LIMITED
        codec.thread_count = 1  # pictures of a page are packed in a millisecond or two; the cores are for making them
        codec.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": str(round(40 - 22 * quality)),
            "x264-params": "keyint=240:repeat-headers=1:annexb=1",
        }
        codec.open()
        self.codec, self.size, self.quality, self.count = codec, size, quality, 0

    def encode(self, pixels: np.ndarray) -> tuple[bytes, bool]:
        """The next picture, of even sides; whether it stands by itself."""
        import av

        rgb: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = rgb.reformat(format="yuv420p", dst_colorspace=BT709, dst_color_range=LIMITED)
        frame.pts = self.count * 16
        self.count += 1
        packets = self.codec.encode(frame)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


@dataclass(eq=False)
class Viewer:
    """One who looks. Each counter has one thread that writes it."""

    view: View
    deliver: Callable[[bytes], None]  # called on the view's thread; must not wait
    sent: int = 0  # pictures handed to `deliver`: the view's thread
    seen: int = 0  # and shown: the socket
    last: int = 0  # count of the newest picture that was sent to it
    stream: H264 | None = None
    plain: bool = False  # H.264 failed, or too many want it

    @property
    def ready(self) -> bool:
        return self.sent - self.seen < self.view.credit


@dataclass
class _Lane:
    """One view, its viewers, and the thread that encodes for them."""

    name: str
    viewers: list[Viewer] = field(default_factory=list)
    wanted: threading.Event = field(default_factory=threading.Event)  # somebody has taken a picture, or has come
    thread: threading.Thread | None = None


class Gallery:
    """Every view that somebody looks at. A view has a thread for as long as it has viewers."""

    def __init__(self, mailbox: Callable[[str], Latest[Any]], picture: Callable[[Any], Picture]) -> None:
        self.mailbox, self.picture = mailbox, picture  # the mailbox of a view; and what is in it, as a Picture
        self.lanes: dict[str, _Lane] = {}
        self.lock = threading.Lock()
        self.over = False
        self.encoded = 0  # pictures, ever: what a viewer costs

    @property
    def viewers(self) -> int:
        return sum(len(lane.viewers) for lane in list(self.lanes.values()))

    def join(self, viewer: Viewer) -> None:
        """Begin to send. Raises KinesphereError where there is no such view."""
        name = viewer.view.view
        self.mailbox(name)
        with self.lock:
            lane = self.lanes.setdefault(name, _Lane(name))
            lane.viewers = [*lane.viewers, viewer]
            lane.wanted.set()
            if lane.thread is None and not self.over:
                lane.thread = threading.Thread(target=self._show, args=(lane,), name=f"view {name}", daemon=True)
                lane.thread.start()

    def leave(self, viewer: Viewer) -> None:
        with self.lock:
            for lane in self.lanes.values():
                if viewer in lane.viewers:
                    lane.viewers = [other for other in lane.viewers if other is not viewer]
                    lane.wanted.set()
        viewer.stream = None  # an encoder holds megabytes: it does not wait for the collector of cycles

    def change(self, viewer: Viewer, view: View) -> None:
        """Another wish of the same viewer."""
        if view.view != viewer.view.view:
            self.mailbox(view.view)
            self.leave(viewer)
            viewer.view, viewer.last, viewer.stream = view, 0, None
            self.join(viewer)
            return
        viewer.view, viewer.stream, viewer.plain, viewer.last = view, None, False, 0
        self._wake(viewer)

    def seen(self, viewer: Viewer, written: int) -> None:
        """A picture was shown: there is room for another. `written`: those that left for this viewer; it cannot have seen more."""
        viewer.seen = min(viewer.seen + 1, written)
        self._wake(viewer)

    def _wake(self, viewer: Viewer) -> None:
        lane = self.lanes.get(viewer.view.view)
        if lane is not None:
            lane.wanted.set()

    def close(self) -> None:
        """No thread is left."""
        with self.lock:
            self.over = True
            threads = [lane.thread for lane in self.lanes.values() if lane.thread is not None]
            for lane in self.lanes.values():
                lane.viewers = []
                lane.wanted.set()
        for thread in threads:
            thread.join(timeout=5)

    def _show(self, lane: _Lane) -> None:
        """The thread of a view: wait for a picture and for somebody who wants it, encode, hand over."""
        done: dict[tuple[int, float], bytes] = {}  # of the newest picture: (most, quality) -> JPEG message
        newest: tuple[Any, int] = (None, 0)  # the mailbox, and the count of the newest picture in it
        while True:
            viewers = lane.viewers
            if not viewers:
                with self.lock:
                    if not lane.viewers:
                        self.lanes.pop(lane.name, None)
                        return
                continue
            lane.wanted.clear()
            ready = [viewer for viewer in viewers if viewer.ready]
            if not ready:
                lane.wanted.wait(LISTEN)
                continue
            try:
                mailbox = self.mailbox(lane.name)
            except KinesphereError:  # the source has gone; another patch may bring it back
                lane.wanted.wait(LISTEN)
                continue
            if mailbox is not newest[0]:  # a replay, or a source that came back: its count begins afresh
                done, newest = {}, (mailbox, 0)
                for viewer in viewers:
                    viewer.last = 0
            item, count = mailbox.newer(min(viewer.last for viewer in ready), LISTEN)
            if item is None:
                continue
            if count != newest[1]:
                done, newest = {}, (mailbox, count)
            picture = self.picture(item)
            for viewer in sorted(ready, key=lambda viewer: viewer.view.format == "h264"):  # who waits least comes first
                if viewer.last < count:
                    self._send(viewer, picture, count, done, viewers)

    def _send(
        self, viewer: Viewer, picture: Picture, count: int, done: dict[tuple[int, float], bytes], viewers: list[Viewer]
    ) -> None:
        view = viewer.view
        viewer.last = count
        try:
            message = self._h264(viewer, picture, count, viewers) if view.format == "h264" else None
            if message is None:
                key = (view.most, view.quality)
                if key not in done:
                    pixels = sized(picture.pixels, view.most)
                    done[key] = _message(count, JPEG, pixels, picture, jpeg(pixels, view.quality))
                    self.encoded += 1
                message = done[key]
        except Exception:  # a picture that cannot be encoded is left out; the next may be better
            return
        viewer.sent += 1
        viewer.deliver(message)

    def _h264(self, viewer: Viewer, picture: Picture, count: int, viewers: list[Viewer]) -> bytes | None:
        """The next of this viewer's stream; None where it gets JPEG instead."""
        if viewer.plain:
            return None
        pixels = sized(picture.pixels, viewer.view.most)
        pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        size = pixels.shape[1], pixels.shape[0]
        if 0 in size or (viewer.stream is None and sum(other.stream is not None for other in viewers) >= H264_VIEWERS):
            viewer.plain = True
            return None
        try:
            stream = viewer.stream
            if stream is None or stream.size != size:
                stream = viewer.stream = H264(size, viewer.view.quality)
            data, key = stream.encode(pixels)
        except Exception:  # no such encoder here: JPEG always goes
            viewer.stream, viewer.plain = None, True
            return None
        self.encoded += 1
        return _message(count, H264_KEY if key else H264_DELTA, pixels, picture, data)


def _message(count: int, form: int, pixels: np.ndarray, picture: Picture, data: bytes) -> bytes:
    height, width = pixels.shape[:2]
    return HEADER.pack(count & 0xFFFFFFFF, form, 0, width, height, 0, picture.t, picture.age * 1e3) + data


class Slots:
    """The pictures under way to one socket: filled by a view's thread, emptied by the socket; never more than its credit."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.filled: asyncio.Queue[bytes] = asyncio.Queue()

    def put(self, message: bytes) -> None:
        """From any thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.filled.put_nowait, message)

    async def get(self) -> bytes:
        return await self.filled.get()
