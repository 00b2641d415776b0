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
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, ClassVar

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

    SIDE: ClassVar[int] = (
        960  # pixels of a picture's longer side; larger ones are shrunk: the networks look at 256 and less
    )
    START: ClassVar[float] = 60.0  # seconds in which it must be ready; a second or two on an idle machine
    ANSWER: ClassVar[float] = 5.0  # seconds in which it must have looked at a picture; 10 to 50 ms on an idle machine

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        self.kind, self.settings = kind, settings
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._finished = False

    @property
    def pid(self) -> int | None:
        """Of the process that there is now."""
        return None if self._child is None else self._child.pid

    def begin(self) -> None:
        """Start it, unless it runs; does not wait until it is ready. Raises KinesphereError where there is no MediaPipe."""
        if self._child is not None and self._child.poll() is None:
            return
        if self._finished:
            raise KinesphereError("this tracker was closed: open it again before it is asked")
        if find_spec("mediapipe") is None:
            raise KinesphereError(absence())
        self._kill()
        size = self.SIDE * self.SIDE * 3
        self._pictures, name, handed = _shared(size)
        told = {
            "kind": self.kind, "settings": self.settings, "numbers": ANATOMIES[self.kind].numbers, "parent": self._owner,
            "patience": 2 * self.ANSWER, "memory": name, "bytes": size,
        }  # fmt: skip
        try:
            self._child = subprocess.Popen(
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
        self._answers: Latest[dict[str, Any]] = Latest()
        self._count, self._ready = 0, False
        threading.Thread(
            target=_listen, args=(self._child.stdout, self._answers), name=f"track {self.kind}", daemon=True
        ).start()

    def track(self, picture: np.ndarray, afresh: bool) -> list[Figure]:
        """What is in a picture, [H, W, 3] uint8 RGB; waits for the answer. `afresh`: what was seen before is forgotten first.

        Raises KinesphereError, in words, when there is no answer; a process that ended or hangs is then being started again.
        """
        self.begin()
        if not self._ready:
            self._answer(self.START, "begin")
            self._ready = True
        assert self._child is not None and self._child.stdin is not None
        picture = _shrunk(picture, self.SIDE)
        height, width = picture.shape[:2]
        np.frombuffer(self._pictures, np.uint8, picture.size).reshape(picture.shape)[:] = picture
        try:
            self._child.stdin.write(json.dumps({"size": [width, height], "reset": afresh}).encode() + b"\n")
            self._child.stdin.flush()
        except OSError:
            raise self._over("ended") from None
        return [_figure(told) for told in self._answer(self.ANSWER, "look at a picture")["figures"]]

    def _answer(self, patience: float, task: str) -> dict[str, Any]:
        answer, self._count = self._answers.newer(self._count, patience)
        if answer is None:
            raise self._over(f"took more than {patience:.0f} s to {task}")
        if "failed" in answer:
            self._kill()
            raise KinesphereError(
                f"MediaPipe cannot begin ({answer['failed']}): Kinesphere needs mediapipe 0.10.14, {INSTALL}; {WITHOUT}"
            )
        if "gone" in answer:
            raise self._over("ended")
        return answer

    def _over(self, why: str) -> KinesphereError:
        """What is to be said of a process that is no use any more; another is on its way."""
        assert self._child is not None
        self._child.kill()
        how = self._child.wait()
        if why == "ended":
            why = f"ended by itself ({f'signal {-how}' if how < 0 else f'code {how}'})"
        self._kill()
        if not self._finished:
            self.begin()
        return KinesphereError(
            f"the tracking process {why}; another is being started, and until then the last value stays"
        )

    def end(self) -> None:
        """End it for good."""
        self._finished = True
        self._kill()

    def _kill(self) -> None:
        """At once: it has nothing to lose."""
        child, self._child = self._child, None
        if child is None or os.getpid() != self._owner:  # a process that was forked off must leave it alone
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None and not pipe.closed:
                _close(pipe)


INSTALL = "pip install 'kinesphere[body]'"


def absence() -> str:
    """What to say where MediaPipe is not installed."""
    here = ".".join(map(str, sys.version_info[:2]))
    wheels = "" if here in ("3.11", "3.12") else f"; it exists for Python 3.11 and 3.12 only, and this is {here}"
    return f"hands, bodies and faces are found by MediaPipe, which is not installed: {INSTALL}{wheels}; {WITHOUT}"


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # what was on its way to a process that has ended
        pass


def _listen(lines: IO[bytes], answers: Latest[dict[str, Any]]) -> None:
    """Hand over each answer; at the end, that there will be none."""
    try:
        for line in lines:
            answers.put(json.loads(line))
    except ValueError:  # half a line of a process that was killed, or a pipe that was closed
        pass
    answers.put({"gone": True})


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
