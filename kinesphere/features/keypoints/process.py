"""The process that MediaPipe runs in, seen from outside: started, asked, watched, started again."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kinesphere.features.keypoints.anatomy import ANATOMIES
from kinesphere.features.keypoints.landmarks import Figure
from kinesphere.types import KinesphereError, Latest

CHILD = Path(__file__).with_name("child.py")
WITHOUT = 'or play without it: tracker = "synthetic", or "recorded"'


class Process:
    """One tracker of one kind of figure, in a process of its own, so that nothing that goes wrong in it reaches the picture.

    The picture lies in memory that both share; there is one at a time, and never a queue. What the process does not answer, it is
    asked no more: it is ended and another begun. It never outlives this process, however that ends.
    """

    SIDE: ClassVar[int] = 960  # pixels of a picture's longer side, to which larger ones are shrunk
    START: ClassVar[float] = 60.0  # seconds in which it must be ready; a second or two on an idle machine
    ANSWER: ClassVar[float] = 15.0  # seconds in which it must have looked at a picture; 10 to 50 ms on an idle machine

    ENDING: ClassVar[float] = 1.0  # seconds between its last word and its end

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.kind, self.settings = kind, settings
        self._running: _Running | None = None
        self._changing = threading.RLock()
        self._owner = os.getpid()
        self._finished = False

    @property
    def pid(self) -> int | None:
        """Of the process that there is now."""
        return None if self._running is None else self._running.child.pid

    def begin(self) -> _Running:
        """Start it, unless it runs; does not wait until it is ready. Raises KinesphereError where there is no MediaPipe."""
        with self._changing:
            if self._finished:
                raise KinesphereError("this tracker was closed: open it again before it is asked")
            if self._running is None or self._running.child.poll() is not None:
                self._kill()
                self._running = self._started()
            return self._running

    def _started(self) -> _Running:
        if find_spec("mediapipe") is None:
            raise KinesphereError(absence())
        size = self.SIDE * self.SIDE * 3
        pictures, name, handed = _shared(size)
        told = {
            "kind": self.kind, "settings": self.settings, "numbers": ANATOMIES[self.kind].numbers, "parent": self._owner,
            "patience": 2 * self.ANSWER, "memory": name, "bytes": size,
        }  # fmt: skip
        try:
            child = subprocess.Popen(
                [sys.executable, "-P", str(CHILD), json.dumps(told)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=handed,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise KinesphereError(f"the tracking process cannot be started: {error.strerror}; {WITHOUT}") from None
        finally:
            for fd in handed:
                os.close(fd)
        running = _Running(child, pictures)
        threading.Thread(target=running.listen, name=f"track {self.kind}", daemon=True).start()
        return running

    def track(self, picture: np.ndarray, afresh: bool) -> list[Figure]:
        """What is in a picture, [H, W, 3] uint8 RGB; waits for the answer. `afresh`: what was seen before is forgotten first.

        Raises KinesphereError, in words, when there is no answer; a process that ended or hangs is then being started again.
        """
        running = self._running or self.begin()
        if not running.ready:
            self._answer(running, self.START, "begin")
            running.ready = True
        elif running.child.poll() is not None:  # since the last picture
            raise self._over(running, None)
        picture = _shrunk(picture, self.SIDE)
        height, width = picture.shape[:2]
        np.frombuffer(running.pictures, np.uint8, picture.size).reshape(picture.shape)[:] = picture
        try:
            running.tell({"size": [width, height], "reset": afresh})
        except (OSError, ValueError):  # the pipe is broken, or closed
            raise self._over(running, None) from None
        return [_figure(told) for told in self._answer(running, self.ANSWER, "look at a picture")["figures"]]

    def _answer(self, running: _Running, patience: float, task: str) -> dict[str, Any]:
        answer, running.count = running.answers.newer(running.count, patience)
        if answer is None:
            raise self._over(running, f"took more than {patience:g} s to {task}")
        if "failed" in answer:
            self._kill()
            raise KinesphereError(
                f"MediaPipe cannot begin ({answer['failed']}): Kinesphere needs mediapipe 0.10.14, {INSTALL}; {WITHOUT}"
            )
        if "gone" in answer:
            raise self._over(running, None)
        return answer

    def _over(self, running: _Running, why: str | None) -> KinesphereError:
        """What is to be said of a process that is no use any more (None: that ended by itself); another is on its way."""
        if why is None:
            with suppress(subprocess.TimeoutExpired):
                running.child.wait(self.ENDING)  # so that it is its own end that is told
        running.child.kill()
        how = running.child.wait()
        why = why or f"ended by itself ({f'signal {-how}' if how < 0 else f'code {how}'})"
        with self._changing:
            if self._finished:
                return KinesphereError("the tracking process was closed while it looked at a picture")
            if self._running is running:
                self.begin()
        return KinesphereError(
            f"the tracking process {why}; another is being started, and until then the last value stays"
        )

    def end(self) -> None:
        """End it for good."""
        with self._changing:
            self._finished = True
            self._kill()

    def _kill(self) -> None:
        """At once: it has nothing to lose."""
        running, self._running = self._running, None
        if running is not None and os.getpid() == self._owner:  # a process that was forked off must leave it alone
            running.kill()


class _Running:
    """One life of the process. `pictures` is the memory that it shares."""

    def __init__(self, child: subprocess.Popen[bytes], pictures: mmap.mmap) -> None:
        self.child, self.pictures = child, pictures
        self.answers: Latest[dict[str, Any]] = Latest()
        self.count = 0  # of the answers that were read
        self.ready = False

    def tell(self, what: Mapping[str, Any]) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(what).encode() + b"\n")
        self.child.stdin.flush()

    def listen(self) -> None:
        """Hand over each answer; at the end, that there will be none, unless it has said why. On a thread of its own."""
        assert self.child.stdout is not None
        answer: dict[str, Any] = {}
        with self.child.stdout as lines, suppress(ValueError):  # half a line of a process that was killed
            for line in lines:
                answer = json.loads(line)
                self.answers.put(answer)
        if "failed" not in answer:
            self.answers.put({"gone": True})

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()
        assert self.child.stdin is not None
        with suppress(OSError):  # what was on its way
            self.child.stdin.close()


INSTALL = "pip install 'kinesphere[body]'"


def absence(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """What to say where MediaPipe is not installed."""
    here = ".".join(map(str, python))
    wheels = "" if here in ("3.11", "3.12") else f"; it exists for Python 3.11 and 3.12 only, and this is {here}"
    return f"hands, bodies and faces are found by MediaPipe, which is not installed: {INSTALL}{wheels}; {WITHOUT}"


def _shared(size: int) -> tuple[mmap.mmap, int | str, tuple[int, ...]]:
    """Memory to share, what it is called, and the file descriptors to hand down. It has no name that could be left behind."""
    if sys.platform == "win32":
        name = f"kinesphere-{os.getpid()}-{os.urandom(8).hex()}"
        return mmap.mmap(-1, size, tagname=name), name, ()
    if sys.platform == "linux":
        fd = os.memfd_create("kinesphere")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return mmap.mmap(fd, size), fd, (fd,)


def _figure(told: Mapping[str, Any]) -> Figure:
    points = np.array(told["points"])  # [n, 4]
    return Figure(points[:, :3], points[:, 3], told["score"], told["left"])


def _shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    if max(height, width) <= side:
        return picture
    import cv2

    scale = side / max(height, width)
    return cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
