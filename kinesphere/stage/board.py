"""What every page is told: the state, of which only the changes are sent, and the newest meters."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from typing import Any

WAITING = 64  # words that may wait for a page that does not read; older ones go


def plain(value: Any) -> Any:
    """Data that JSON can hold: numpy's numbers become Python's, what is not finite becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return str(value)


def text(value: Any) -> str:
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Board:
    """The parts of the state, each as JSON with a version that rises when it changes."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[int, str]] = {}
        self.version = 0

    def put(self, key: str, value: Any) -> None:
        """From the session's thread only."""
        said = text(value)
        known = self.parts.get(key)
        if known is None or known[1] != said:
            self.version += 1
            self.parts[key] = (self.version, said)

    def since(self, version: int, only: tuple[str, ...] = ()) -> tuple[str, int]:
        """A state message with what has changed after `version`, "" where nothing has; and the version that it brings."""
        parts = {k: p for k, p in list(self.parts.items()) if p[0] > version and (not only or k in only)}
        newest = max((p[0] for p in parts.values()), default=version)
        said = ",".join(f"{json.dumps(key)}:{value}" for key, (_, value) in parts.items())
        return (f'{{"is":"state",{said}}}' if parts else ""), newest

    def read(self, key: str) -> Any:
        return json.loads(self.parts[key][1]) if key in self.parts else None


class Outbox:
    """What waits to be sent to one page. Words wait in their order; of state and meters only the newest."""

    def __init__(self, board: Board, loop: asyncio.AbstractEventLoop, only: tuple[str, ...] = ()) -> None:
        self.board, self.loop, self.only = board, loop, only
        self.words: deque[str] = deque(maxlen=WAITING)
        self.meters = ""
        self.version = 0
        self.ready = asyncio.Event()

    @property
    def crowded(self) -> bool:
        return len(self.words) > WAITING // 2

    def say(self, message: Any) -> None:
        """From the loop."""
        self.words.append(message if isinstance(message, str) else text(message))
        self.ready.set()

    def post(self, words: str = "", meters: str = "") -> None:
        """From any thread: words, meters, or a state that has changed."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._post, words, meters)

    def _post(self, words: str, meters: str) -> None:
        if words:
            self.words.append(words)
        self.meters = meters or self.meters
        self.ready.set()

    async def next(self) -> list[str]:
        """What goes now; waits until there is something."""
        while True:
            await self.ready.wait()
            self.ready.clear()
            messages = list(self.words)
            self.words.clear()
            state, self.version = self.board.since(self.version, self.only)
            messages += [message for message in (state, self.meters) if message]
            self.meters = ""
            if messages:
                return messages
