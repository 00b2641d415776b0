"""One command, as it is typed: in the tests' own process."""

from __future__ import annotations

import sys

import pytest

from kinesphere import cli, startup


def run(*words: object, code: int = 0, capsys: pytest.CaptureFixture[str]) -> str:
    """What it printed. A failure must end in the exit code that was expected, never in a traceback.

    The tests, and the browser that they start, are not left before other programs, as a command leaves its own process.
    """
    with pytest.MonkeyPatch.context() as there:
        there.setattr(sys, "argv", ["kinesphere", *map(str, words)])
        there.setattr(startup, "go_first", lambda: False)
        there.setattr(startup, "calm_collector", lambda: None)
        try:
            cli.main()
            ended = 0
        except SystemExit as stop:
            ended = int(stop.code or 0)
    out, err = capsys.readouterr()
    assert ended == code, out + err
    return out + err
