"""What the verbs share: the words of their options, and how they tell of their work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kinesphere import checkpoints, latent
from kinesphere.models import Generator
from kinesphere.types import KinesphereError

app = typer.Typer(
    help="Play the latent space of a StyleGAN with the body.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def explained(names: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in names.items())


Psi = Annotated[float, typer.Option(help="Truncation: 1 is none, 0 the mean picture, negative its opposite.")]
Class = Annotated[int, typer.Option("--class", help="The class, of a model that has classes.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace the file where there is one.")]


def two_columns() -> Table:
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    return table


def chosen_device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise KinesphereError(
            f"no device {name!r} on this machine ({str(error).splitlines()[0]}): try auto or cpu"
        ) from None
    return name


def generator_of(model: str, device: str) -> Generator:
    return checkpoints.load(model).G_ema.to(chosen_device(device))


def rate(text: str) -> Fraction:
    fps = latent.exact("fps", text)
    if fps > 1000:
        raise KinesphereError(f"fps {text} is out of range: above 0 and up to 1000")
    return fps


def vacant(path: Path, overwrite: bool) -> Path:
    if path.exists() and not overwrite:
        raise KinesphereError(f"{path} is there already: choose another --out, or say --overwrite")
    return path


@contextmanager
def counting(what: str, total: int) -> Iterator[Callable[..., None]]:
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total or None)

        def advance(done: int, of: int = total) -> None:
            progress.update(task, completed=done, total=of)

        yield advance


@contextmanager
def interruptible(words: str = "stopped: what was made so far is kept") -> Iterator[None]:
    """Ctrl-C ends with what is there so far, whole, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print(f"\n{words}")
        raise typer.Exit(130) from None
