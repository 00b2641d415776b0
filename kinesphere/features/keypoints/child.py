"""The tracking process: MediaPipe, and nothing else of Kinesphere. Run by `process.py` as a script of its own.

It is told in lines of JSON on its standard input, and answers in such lines on what was its standard output:

    argument     {"kind": "hand", "settings": {...}, "numbers": [...], "parent": pid, "patience": seconds, "memory": ...}
    its answer   {"ready": true}, or {"failed": "why it cannot begin"}
    told         {"size": [width, height], "reset": false}       the picture lies in the shared memory, [height, width, 3] RGB
    its answer   {"figures": [{"points": [[x, y, z, visible], ...], "score": 0.98, "left": 0.97}, ...]}

It ends with its standard input, with its parent, and when a picture takes longer than `patience`, whatever it hangs in.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np


def main() -> None:
    told = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # whatever a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts means the parent, with which it ends
    watch_over(told["parent"])

    def answer(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        find = MAKERS[told["kind"]](import_module("mediapipe").solutions, told["settings"], told["numbers"])
        forget(find)  # the first picture takes long; let it be one that nobody waits for
        pictures = shared(told["memory"], told["bytes"])
    except Exception as error:
        answer(failed=f"{type(error).__name__}: {error}")
        return
    answer(ready=True)
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        width, height = asked["size"]
        faulthandler.dump_traceback_later(
            told["patience"], exit=True
        )  # needs no lock of Python's, so nothing holds it up
        if asked["reset"]:
            forget(find)
        figures = find(np.frombuffer(pictures, np.uint8, height * width * 3).reshape(height, width, 3))
        faulthandler.cancel_dump_traceback_later()
        answer(figures=figures)


def watch_over(parent: int) -> None:
    """End when the parent has, even if it was killed and something else still holds the other end of the pipe."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    if sys.platform != "win32":  # where a process keeps its parent's number for ever; there the pipe must do
        threading.Thread(target=watch, daemon=True).start()


def forget(find: Find) -> None:
    """Make it look afresh, by showing it nothing until it follows nothing: a graph begun anew costs up to a second."""
    for _ in range(5):
        if not find(np.zeros((256, 256, 3), np.uint8)):
            return


def shared(memory: int | str, size: int) -> mmap.mmap:
    """The memory that the parent puts pictures into: a file descriptor, or its name under Windows."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=str(memory))
    return mmap.mmap(int(memory), size)


# --- what MediaPipe finds, as plain numbers ---------------------------------------------------------------------------


class Hands:
    def __init__(self, solutions: Any, settings: dict[str, Any], numbers: list[int]) -> None:
        self.numbers = numbers
        self.graph = solutions.hands.Hands(
            max_num_hands=settings["most"],
            model_complexity=int(settings["model"] == "full"),
            min_detection_confidence=settings["confidence"],
            min_tracking_confidence=settings["confidence"],
        )

    def __call__(self, picture: np.ndarray) -> list[dict[str, Any]]:
        found = self.graph.process(picture)
        figures = []
        for marks, sides in zip(found.multi_hand_landmarks or (), found.multi_handedness or (), strict=True):
            side = sides.classification[0]  # named as a mirror has it
            left = side.score if side.label == "Left" else 1 - side.score
            figures.append({"points": rows(marks.landmark, self.numbers), "score": side.score, "left": left})
        return figures


class Body:
    def __init__(self, solutions: Any, settings: dict[str, Any], numbers: list[int]) -> None:
        self.numbers = numbers
        self.graph = solutions.pose.Pose(
            model_complexity=1,  # the only one whose model is in the wheel: the others would be downloaded
            smooth_landmarks=False,  # it smooths as if pictures came at 30 a second
            min_detection_confidence=settings["confidence"],
            min_tracking_confidence=settings["confidence"],
        )

    def __call__(self, picture: np.ndarray) -> list[dict[str, Any]]:
        found = self.graph.process(picture).pose_landmarks
        if found is None:
            return []
        return [{"points": rows(found.landmark, self.numbers, seen=True), "score": 1.0, "left": 0.5}]


class Faces:
    def __init__(self, solutions: Any, settings: dict[str, Any], numbers: list[int]) -> None:
        self.numbers = numbers
        self.graph = solutions.face_mesh.FaceMesh(
            max_num_faces=settings["most"],
            refine_landmarks=True,  # with irises
            min_detection_confidence=settings["confidence"],
            min_tracking_confidence=settings["confidence"],
        )

    def __call__(self, picture: np.ndarray) -> list[dict[str, Any]]:
        found = self.graph.process(picture).multi_face_landmarks
        return [{"points": rows(marks.landmark, self.numbers), "score": 1.0, "left": 0.5} for marks in found or ()]


Find = Callable[[np.ndarray], list[dict[str, Any]]]

MAKERS: dict[str, Callable[[Any, dict[str, Any], list[int]], Find]] = {"hand": Hands, "body": Body, "face": Faces}


def rows(marks: Any, numbers: list[int], seen: bool = False) -> list[list[float]]:
    """x, y, z and how surely seen of the landmarks with these numbers; in x and y fractions of the picture."""
    return [[marks[n].x, marks[n].y, marks[n].z, marks[n].visibility if seen else 1.0] for n in numbers]


if __name__ == "__main__":
    main()
