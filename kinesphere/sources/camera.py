"""A camera: what stands in front of it now."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinesphere.sources.geometry import checked_aspect, checked_size, fitted, mirrored
from kinesphere.types import KinesphereError, Signal

LINUX_CAMERAS = Path("/sys/class/video4linux")  # one folder for each video node that the kernel knows
LINUX_NODES = Path("/dev")  # where the nodes themselves are, also inside a container
PROBED = 4  # indices tried where the system has no list of cameras; each try may light a camera's lamp


@dataclass
class Camera:
    """A camera by number, device path or stream address, read through OpenCV.

    `width`, `height` and `fps` are wishes: the camera gives what it has that is nearest. `read` waits for the next
    picture, so it sets the pace of the thread that it runs in.
    """

    index: int | str = 0  # 0 is the system's first camera; "/dev/video2" and "rtsp://..." do as well
    width: int = 640  # pixels; a wish
    height: int = 480  # pixels; a wish
    fps: float = 30.0  # pictures per second; a wish
    mirror: bool = True  # the viewer sees a mirror, and so does every feature
    size: tuple[int, int] | None = None  # (width, height) of what `read` returns; None is the camera's own
    aspect: str = "keep"  # how `size` is reached: see geometry.ASPECTS

    def __post_init__(self) -> None:
        if isinstance(self.index, bool) or not isinstance(self.index, int | str) or self.index in ("", -1):
            raise KinesphereError(f"camera {self.index!r} is not a number, a device path or a stream address: try 0")
        if isinstance(self.index, str) and self.index.isdigit():
            self.index = int(self.index)  # as a command line gives it
        for name in ("width", "height", "fps"):
            if not getattr(self, name) > 0:
                raise KinesphereError(f"camera {name} {getattr(self, name)!r} is not above 0: try 640 x 480 at 30")
        self.size = checked_size("camera", self.size)
        self.aspect = checked_aspect("camera", self.aspect)
        self._capture: Any = None

    def open(self) -> None:
        """Open the camera and wait for its first picture.

        Raises KinesphereError, with the cameras that were found, where there is none of that name or it gives no picture.
        """
        import cv2

        self.close()
        with _quiet_opencv():
            self._capture = cv2.VideoCapture(self.index)
            if not self._capture.isOpened():
                self.close()
                raise KinesphereError(_absent(self.index))
            self._ask_for_the_wishes()
            shows, _ = self._capture.read()
        if not shows:
            self.close()
            raise KinesphereError(
                f"camera {self.index} opened but gives no picture: close the other programs that may be using it, "
                "or plug it in again"
            )

    def read(self, t: float) -> Signal:
        """The next picture, [H, W, 3] uint8 RGB, stamped with `t` plus the time that it took to come (seconds).

        Raises KinesphereError when the camera stops; after `close`, `open` may be tried again.
        """
        import cv2

        asked = time.perf_counter()
        try:
            shows, picture = self._capture.read()
        except cv2.error as error:
            raise KinesphereError(f"camera {self.index} stopped: {str(error).strip()}") from error
        came = t + time.perf_counter() - asked
        if not shows:
            raise KinesphereError(f"camera {self.index} stopped: no picture came; is it still plugged in?")
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB)
        return Signal(mirrored(fitted(picture, self.size, self.aspect), self.mirror), came)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _ask_for_the_wishes(self) -> None:
        import cv2

        if self.width * self.height > 640 * 480:
            # over USB 2, raw pictures above this size come at 5 to 10 per second; compressed ones come at 30
            self._capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, self.width)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self.height)
        self._capture.set(cv2.CAP_PROP_FPS, self.fps)
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, never one from a queue


def list_cameras() -> list[tuple[int | str, str]]:
    """The cameras of this machine as (index, description). On Linux nothing is opened; elsewhere a few are tried."""
    return _linux_cameras() if sys.platform.startswith("linux") else _probed_cameras()


def _linux_cameras() -> list[tuple[int | str, str]]:
    known = {node.name: node for node in LINUX_CAMERAS.glob("video*")}
    nodes = [node.name for node in LINUX_NODES.glob("video*") if node.name[5:].isdigit()]
    found: list[tuple[int | str, str]] = []
    for name in sorted(nodes, key=lambda name: int(name[5:])):
        if name not in known:
            found.append((int(name[5:]), str(LINUX_NODES / name)))
        elif _line(known[name] / "index") in ("0", ""):  # a camera's further nodes carry no pictures, but data on them
            found.append((int(name[5:]), _line(known[name] / "name") or str(LINUX_NODES / name)))
    return found


def _line(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _probed_cameras() -> list[tuple[int | str, str]]:
    import cv2

    found: list[tuple[int | str, str]] = []
    with _quiet_opencv():
        for index in range(PROBED):
            capture = cv2.VideoCapture(index)
            if capture.isOpened():
                width, height = (capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
                found.append((index, f"camera {index}, {width:.0f}x{height:.0f}"))
            capture.release()
    return found


def _absent(index: int | str) -> str:
    if isinstance(index, str) and "://" in index:
        return f"camera {index!r} cannot be opened: check the address and that the sender is running"
    others = ", ".join(f"{number} ({name})" for number, name in list_cameras() if number != index)
    busy = "if it is there, another program may be using it, or this one may not"
    if not others:
        return f"camera {index} cannot be opened, and no other camera was found: plug one in ({busy}), or play a video instead"
    return f"camera {index} cannot be opened ({busy}). Found: {others}. Choose one of these, or play a video instead"


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV complains on the terminal about each camera that is absent; we say it in our own words."""
    import cv2

    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
