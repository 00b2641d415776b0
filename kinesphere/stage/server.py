"""The server of the stage: uvicorn on a thread and a loop of its own, so that the picture never meets the network."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import socket
import threading
from pathlib import Path

import segno
import uvicorn

from kinesphere.stage import library, upward
from kinesphere.stage.app import app
from kinesphere.stage.security import LOOPBACK, Door, certificate, machine_names
from kinesphere.stage.session import Session
from kinesphere.types import KinesphereError

PORT = 7860
TRIED = 20  # ports after it, where it is taken
PING = 20.0  # seconds: who does not answer for so long is gone


def door(host: str | None = None, port: int | None = None) -> tuple[Door, socket.socket]:
    """Where the stage will be reached, and the socket that waits there. None: this machine only, and the next free port.

    Raises KinesphereError where that is not possible.
    """
    waiting = _listening(host or "127.0.0.1", port)
    port = waiting.getsockname()[1]
    if host is None or host in LOOPBACK:
        return Door(host="127.0.0.1", port=port), waiting
    names = machine_names() if host in ("0.0.0.0", "::", "") else (host, *machine_names())
    return Door(host=host, port=port, names=tuple(dict.fromkeys(names)), tokens=True, https=True), waiting


def _listening(host: str, port: int | None) -> socket.socket:
    tried = range(PORT, PORT + TRIED) if port is None else (port,)
    for candidate in tried:
        try:
            family, _, _, _, place = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0]
            waiting = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise KinesphereError(f"--host {host}: this machine has no such address ({error.strerror})") from None
        try:
            # a stage that was just closed can be opened again; on Windows the option means something else
            if os.name == "posix":
                waiting.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            waiting.bind(place)
            waiting.listen(128)  # now it is taken for others
        except (OSError, OverflowError) as error:
            waiting.close()
            last = error
        else:
            return waiting
    if port is None:
        raise KinesphereError(f"ports {PORT} to {PORT + TRIED - 1} are all taken: choose another with --port")
    why = getattr(last, "strerror", None) or str(last)
    raise KinesphereError(f"port {port} of {host} cannot be used ({why}): choose another with --port")


def addresses(door: Door) -> list[str]:
    """What the player at this machine is told: where to go, and for a phone a code to hold its camera to."""
    if not door.tokens:
        return [f"the stage is open: {door.address()}"]
    picture = io.StringIO()
    segno.make(door.address("pad"), error="l").terminal(picture, compact=True)
    return [
        f"the stage is open: {door.address()}",
        f"only the picture, for viewers: {door.address('show', 'viewer')}",
        f"a phone plays along at {door.address('pad')}",
        picture.getvalue(),
        "The browser warns once about the certificate, because it was made here; nobody else can read along.",
    ]


class Server:
    """Serves a session until it is stopped."""

    def __init__(
        self, session: Session, door: Door, waiting: socket.socket, largest: int = library.LARGEST_MODEL,
        certificates: Path | None = None,
    ) -> None:  # fmt: skip
        self.session, self.door, self.waiting = session, door, waiting
        files = certificate((*door.names, door.host), certificates) if door.https else None
        config = uvicorn.Config(
            app(session, door, largest), log_config=None, log_level="error", access_log=False, lifespan="on",
            ws="websockets-sansio", ws_max_size=upward.LARGEST + 1024, ws_per_message_deflate=False,
            ws_ping_interval=PING, ws_ping_timeout=PING, timeout_keep_alive=30, timeout_graceful_shutdown=1,
            limit_concurrency=512, server_header=False,
            ssl_certfile=str(files[0]) if files else None, ssl_keyfile=str(files[1]) if files else None,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._serve, name="stage", daemon=True)
        self.failed: BaseException | None = None

    def _serve(self) -> None:
        try:
            asyncio.run(self._until_told())
        except BaseException as error:  # told by `start`
            self.failed = error
            logging.getLogger(__name__).debug("the stage's server ended", exc_info=True)

    async def _until_told(self) -> None:
        await self.server.serve([self.waiting])
        # uvicorn closes whom it knows: not those whose handshake ended, or goes on, as it closed
        for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
            transport.abort()
        await asyncio.sleep(0.01)  # an abort is carried out by the loop's next rounds

    def start(self) -> None:
        """Wait until pages can be opened. Raises KinesphereError where they cannot."""
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.02)
            if not self.thread.is_alive():
                raise KinesphereError(f"the stage cannot be opened at {self.door.address()}: {self.failed}")

    def stop(self) -> None:
        """Tell the pages, and leave no socket and no thread."""
        self.session.say({"is": "gone", "text": "the stage was closed"})
        self.server.should_exit = True
        self.thread.join(timeout=10)
        self.waiting.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *stopped_by: object) -> None:
        self.stop()
