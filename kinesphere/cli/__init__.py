"""The command line: each verb parses, calls one function, prints one result."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.logging import RichHandler

from kinesphere import __version__

from kinesphere.cli import playing, exploring, directing, making  # isort: skip  # the order of the verbs in --help
from kinesphere.cli.shared import app, console, errors
from kinesphere.train import stopping
from kinesphere.types import KinesphereError


def _version(asked: bool) -> None:
    if asked:
        console.print(f"kinesphere {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    logging.basicConfig(
        format="%(message)s", handlers=[RichHandler(console=errors, show_time=False, show_level=False, show_path=False)]
    )
    logging.getLogger("kinesphere").setLevel(logging.INFO)


def main() -> None:
    """Exit code 0: done; 1: something the player can mend, said in words; 2: the command line is wrong; 130: Ctrl-C."""
    try:
        app()
    except stopping.Elsewhere:  # another process has said it
        sys.exit(1)
    except KinesphereError as error:
        errors.print(f"kinesphere: {error}", style="red")
        sys.exit(1)


__all__ = ["app", "directing", "exploring", "main", "making", "playing"]
