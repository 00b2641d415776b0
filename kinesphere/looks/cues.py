"""Cues: the looks of an evening in their order, each with the time and the curve in which it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinesphere import files
from kinesphere.latent import EASINGS
from kinesphere.types import KinesphereError

MOST = 256
LONGEST = 3600.0  # seconds
LONGEST_NOTE = 500
LARGEST_FILE = 1_000_000  # bytes
FILE = "cues.json"


class Cues:
    """A list of {"id", "seconds", "easing", "note"}, and which of them is on. With a `folder` it is kept there.

    `index` is the cue that is on, None before the first. A list in the folder that is damaged is left alone until another is
    set, and told in `trouble`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.list: list[dict[str, Any]] = []
        self.index: int | None = None
        self.trouble = ""
        if folder is not None and (folder / FILE).is_file():
            try:
                if (folder / FILE).stat().st_size > LARGEST_FILE:
                    raise KinesphereError("it is too large")
                self.list = _checked(json.loads((folder / FILE).read_text(encoding="utf-8")))
            except (OSError, ValueError, RecursionError) as error:
                self.trouble = f"the cue list {FILE} cannot be read: {str(error)[:300]}"

    def set(self, cues: Sequence[Mapping[str, Any]]) -> None:
        """Another list. The cue that is on stays on where it is still there. Raises KinesphereError, all problems at once."""
        asked = _checked(cues)
        on = None if self.index is None else self.list[self.index]
        if self.folder is not None:
            data = json.dumps(asked, indent=1).encode()
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                files.replace(self.folder / FILE, lambda unfinished: unfinished.write_bytes(data))
            except OSError as error:
                raise KinesphereError(f"the cues cannot be kept in {self.folder}: {files.reason(error)}") from None
        same = [i for i, cue in enumerate(asked) if cue == on]
        self.index = min(same, key=lambda i: abs(i - (self.index or 0))) if same else None
        self.list, self.trouble = asked, ""

    def peek(self, to: str | int) -> int:
        """Where "next", "previous" or a number leads; nothing moves. Raises KinesphereError where there is no such cue."""
        if not self.list:
            raise KinesphereError("there are no cues yet: put snapshots into the list first")
        if to == "next":
            place = 0 if self.index is None else self.index + 1
        elif to == "previous":
            place = -1 if self.index is None else self.index - 1
        elif isinstance(to, int) and not isinstance(to, bool):
            place = to
        else:
            raise KinesphereError(f"cue {str(to)[:40]!r}: give next, previous or a number")
        if not 0 <= place < len(self.list):
            where = (
                "that was the last cue"
                if to == "next"
                else "that was the first cue"
                if to == "previous"
                else "no such cue"
            )
            raise KinesphereError(f"{where}: there are 0 to {len(self.list) - 1}")
        return place

    def go(self, to: str | int) -> dict[str, Any]:
        """Make the next cue, the previous one, or the one of that number (from 0) the one that is on, and return it."""
        self.index = self.peek(to)
        return dict(self.list[self.index])

    def forget(self, id: str) -> None:
        """Take every cue of a look out of the list."""
        if any(cue["id"] == id for cue in self.list):
            self.set([cue for cue in self.list if cue["id"] != id])


def _checked(cues: Any) -> list[dict[str, Any]]:
    if not isinstance(cues, Sequence) or isinstance(cues, str) or len(cues) > MOST:
        raise KinesphereError(f"cues: give a list of up to {MOST}")
    problems: list[str] = []
    found = []
    for number, cue in enumerate(cues):
        if not isinstance(cue, Mapping):
            problems.append(f"cue {number}: give a table with an id")
            continue
        problems += [f"cue {number}: {problem}" for problem in _problems(cue)]
        found.append({"id": "", "seconds": 0.0, "easing": "smoothstep", "note": "", **cue})
    if problems:
        raise KinesphereError("; ".join(problems[:20]))
    return found


def _problems(cue: Mapping[str, Any]) -> Iterator[str]:
    unknown = [str(key)[:40] for key in cue if key not in ("id", "seconds", "easing", "note")]
    if unknown:
        yield f"no such key {unknown[0]!r}: the keys are id, seconds, easing, note"
    id, seconds, note = cue.get("id"), cue.get("seconds", 0.0), cue.get("note", "")
    if not isinstance(id, str) or not 0 < len(id) <= 64 or not id.isprintable():
        yield "id: give the id of a snapshot"
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        yield f"seconds: give 0 to {LONGEST:.0f}"
    easing = cue.get("easing", "smoothstep")
    if not isinstance(easing, str) or easing not in EASINGS:
        yield f"no easing {str(easing)[:40]!r}: there are {', '.join(EASINGS)}"
    if not isinstance(note, str) or len(note) > LONGEST_NOTE or not _sound(note):
        yield f"note: give text of up to {LONGEST_NOTE} letters"


def _sound(text: str) -> bool:
    """Whether it can be written: no half of a character is in it."""
    return not any("\ud800" <= c <= "\udfff" for c in text)
