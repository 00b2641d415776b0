"""What was before: every change of a patch, to be undone and done again; and how it looked in the last minute."""

from __future__ import annotations

import copy
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kinesphere.patch import Patch


class History:
    """Undo and redo. Edits of the same places that follow each other within `merging` seconds, a slider's drag, are one step.

    Of more than `most` steps the oldest are forgotten.
    """

    def __init__(self, most: int = 200, merging: float = 0.7) -> None:
        self.merging = merging
        self._past: deque[Patch] = deque(maxlen=most)
        self._future: list[Patch] = []
        self._drag: tuple[frozenset[str], float] | None = (
            None  # the places of the last step, and when it was touched last
        )

    def did(self, before: Patch, after: Patch, edits: Mapping[str, Any], t: float | None = None) -> None:
        """`edits` made `after` of `before` at time `t` (seconds on any clock; None: now). An edit of "" stands alone."""
        if after == before:
            return
        t = time.monotonic() if t is None else t
        places = frozenset(edits)
        goes_on = self._drag is not None and self._drag[0] == places and 0 <= t - self._drag[1] < self.merging
        if not goes_on or "" in places:
            self._past.append(_written(before))
        self._future.clear()
        self._drag = (places, t)

    def undo(self, now: Patch) -> Patch | None:
        """The patch before the last step, None when there is none; `now` is what redo comes back to."""
        self._drag = None
        if not self._past:
            return None
        self._future.append(_written(now))
        return self._past.pop()

    def redo(self, now: Patch) -> Patch | None:
        """The patch that was undone last, None when there is none; `now` is what undo comes back to."""
        self._drag = None
        if not self._future:
            return None
        self._past.append(_written(now))
        return self._future.pop()

    @property
    def undoable(self) -> int:
        """How many steps back there are."""
        return len(self._past)

    @property
    def redoable(self) -> int:
        return len(self._future)


def _written(patch: Patch) -> Patch:
    """The patch as it would be read from a file: history keeps nothing of what its stations have seen at work."""
    sources = {name: replace(source) for name, source in patch.sources.items()}  # type: ignore[type-var]
    features = {name: replace(feature) for name, feature in patch.features.items()}  # type: ignore[type-var]
    return replace(patch, sources=sources, features=features)


class Ring:
    """How it looked in the last `seconds`, at most `most` looks of it. One that stays as it is counts once."""

    def __init__(self, seconds: float = 60.0, most: int = 1200) -> None:
        self.seconds, self.most = seconds, most
        self._looks: list[tuple[float, dict[str, Any]]] = []  # (since when, look), in order of time
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._looks)

    def add(self, t: float, look: Mapping[str, Any]) -> None:
        """How it looks at time `t` (seconds, not before the last; a clock that was set back begins a new ring)."""
        if self._looks and t < self._now:
            self._looks = []
        self._now = t
        if self._looks and self._looks[-1][1] == look:
            return
        if self._looks and t - self._looks[-1][0] < self.seconds / self.most:
            self._looks[-1] = (self._looks[-1][0], copy.deepcopy(dict(look)))  # too fast for any eye
        else:
            self._looks.append((t, copy.deepcopy(dict(look))))
        while len(self._looks) > 1 and (self._looks[1][0] <= t - self.seconds or len(self._looks) > self.most):
            del self._looks[0]

    def ago(self, seconds: float, now: float | None = None) -> dict[str, Any] | None:
        """How it looked `seconds` before `now` (None: the time of the last `add`); the oldest known before that. None: empty."""
        if not self._looks:
            return None
        then = (self._now if now is None else now) - seconds
        place = bisect_right(self._looks, then, key=lambda entry: entry[0]) - 1
        return copy.deepcopy(self._looks[max(place, 0)][1])
