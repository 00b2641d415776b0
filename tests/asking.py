"""A stage that is asked over HTTP, as another program would, without a browser."""

from __future__ import annotations

import time
import warnings

with warnings.catch_warnings():  # starlette would rather have httpx2; it takes httpx as well
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

PATIENCE = 120.0  # seconds; only a failure waits for so long


def ask(client, do, **more):
    return client.post("/api/control", json={"do": do, **more}).json()


def done(client, do, **more):
    answer = ask(client, do, **more)
    assert answer["is"] == "done", answer
    return answer["result"]


def until(true):
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
    return found


__all__ = ["TestClient", "ask", "done", "until"]
