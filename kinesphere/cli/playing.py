"""The verbs that play: an instrument live, a film of it, a take again; and what there is to play with."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Callable
from fractions import Fraction
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import torch
import typer

from kinesphere import checkpoints, engine, filmed, patch, performance, runtime, startup, takes
from kinesphere.cli.shared import (
    Device,
    Overwrite,
    app,
    chosen_device,
    console,
    counting,
    errors,
    interruptible,
    rate,
    two_columns,
    vacant,
)
from kinesphere.sinks import SINKS, VideoFile, Window
from kinesphere.sources import SOURCES, Camera, Pictures, Video, list_cameras
from kinesphere.studio import sidecars
from kinesphere.types import KinesphereError, Source

CLIP = resources.files("kinesphere.builtin") / "clip.mp4"
SourceName = Annotated[
    str | None, typer.Option(help="What moves the picture: a video, a folder of pictures, a camera's number, or clip.")
]
PatchModel = Annotated[str | None, typer.Option("--model", help="Another model than the patch's own.")]


@app.command(rich_help_panel="Play", epilog="Example: kinesphere play regions --source dance.mp4")
def play(
    name: Annotated[str, typer.Argument(metavar="[PATCH]", help="A patch: a path, or a built-in name.")] = "scene",
    model: PatchModel = None,
    source: SourceName = None,
    host: Annotated[
        str | None, typer.Option(help="Let other devices in, at this address of yours (0.0.0.0: all); default: nobody.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free one from 7860 on.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page where there is a screen.")
    ] = True,
    library: Annotated[Path | None, typer.Option(help="The folder of your patches, models, takes and videos.")] = None,
    window: Annotated[bool, typer.Option("--window", help="Only a window: no page, nothing to turn.")] = False,
    out: Annotated[Path | None, typer.Option(help="Without a page: record to this MP4 file.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.01, help="Without a page: stop after this many.")] = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Play a patch live, on a page in the browser. Ctrl-C ends it."""
    startup.go_first()
    startup.calm_collector()
    chosen = patch.load(name)
    chosen.model = model or chosen.model
    instrument = _instrument(chosen, source or _eye(chosen), device)
    if not (window or out or seconds):
        _open_stage(instrument, host, port, library, browser)
        return
    film, seconds = _live_sinks(instrument.patch, out, seconds, overwrite)
    with interruptible():
        status = performance.Performance(instrument.patch, engine=instrument, choose=runtime.choose).run(
            seconds, _told()
        )
        console.print(
            f"played {status.t:.1f} s at {status.fps:.1f} pictures a second; a step took {status.step_p50 * 1e3:.0f} ms"
        )
    if film:
        console.print(f"the video is {film}")


@app.command(rich_help_panel="Play", epilog="Example: kinesphere render regions --source dance.mp4 --out film.mp4")
def render(
    out: Annotated[Path, typer.Option(help="The file to write, .mp4 or .webm.")],
    name: Annotated[
        str | None, typer.Argument(metavar="PATCH", help="A patch: a path, or a built-in name; or a take.")
    ] = None,
    model: PatchModel = None,
    source: SourceName = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.01, help="How many seconds; default: as long as the source.")
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(help="Pictures a second, such as 25 or 30000/1001; default: the source's; of a take 30."),
    ] = None,
    size: Annotated[int | None, typer.Option(min=16, max=8192, help="Of a take: pixels on each side.")] = None,
    sound: Annotated[Path | None, typer.Option(help="Of a take: a file whose sound is put under the film.")] = None,
    made: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            help="A film that kinesphere render made: the same frames once more; --source is where its own is.",
        ),
    ] = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Make a film of a patch or a take: every frame, at the source's rate, with its sound, the same each time."""
    vacant(sidecars.path(out), overwrite)
    if made:
        _told_by_the_recipe(PATCH=name, **{"--seconds": seconds, "--fps": fps, "--size": size})
        film = filmed.read(made).now_at(str(CLIP) if source == "clip" else source, model)
    else:
        film = _film(name, model, source, seconds, rate(fps) if fps else None, size)
    if isinstance(film, filmed.OfPatch):
        _only_of_a_take(size=size, sound=sound)
    with interruptible(), counting("rendering", 0) as advance:
        frames = film.draw(filmed.Wanted(out, chosen_device(device), sound, overwrite, errors.print, advance))
    console.print(f"{out}: {frames} frames, {float(frames / film.fps):.2f} s at {float(film.fps):.3f} frames a second")


@app.command(rich_help_panel="Play", epilog="Example: kinesphere replay dance.mcap --model bigger.safetensors")
def replay(
    name: Annotated[Path, typer.Argument(metavar="TAKE", help="A take: an .mcap file.")],
    model: PatchModel = None,
    seconds: Annotated[float | None, typer.Option(min=0.01, help="Stop after this many seconds.")] = None,
    device: Device = "auto",
) -> None:
    """Play a take again, live, at the pace at which it was played. Esc, closing the window or Ctrl-C ends it."""
    if not _has_display():
        raise KinesphereError(
            f"there is no screen to play it on: kinesphere render {name} --out film.mp4 makes a film of it"
        )
    startup.go_first()
    startup.calm_collector()
    with takes.Take.open(name) as take, interruptible():
        shown = takes.replay(take, {"window": Window()}, model, chosen_device(device), seconds, on_note=errors.print)
        console.print(f"{shown} of {len(take)} steps shown, {take.duration:.1f} s")


@app.command(rich_help_panel="Play", epilog="Example: kinesphere devices")
def devices() -> None:
    """List the cameras that are there, the patches and models built in, and what can be plugged together."""
    table = two_columns()
    cameras = [f"{index}  {description}" for index, description in list_cameras()] or ["none found"]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: pictures are computed on the CPU"
    for title, lines in {
        "cameras": cameras,
        "graphics card": [gpu],
        "models": sorted(checkpoints.BUILTIN),
        "patches": [f"{n:10} {patch.load(n).about}" for n in patch.builtin_names()],
        "sources": SOURCES,
        "features": patch.DRAWN,
        "sinks": SINKS,
    }.items():
        for i, line in enumerate(lines):
            table.add_row("" if i else title, str(line))
    console.print(table)


def _film(
    name: str | None,
    model: str | None,
    source: str | None,
    seconds: float | None,
    fps: Fraction | None,
    size: int | None,
) -> filmed.OfPatch | filmed.OfTake:
    """The film of a patch or a take that was named."""
    if name is None:
        raise KinesphereError("say of which PATCH or take, or say --recipe and a film")
    if name.endswith(".mcap"):
        return filmed.OfTake.of(name, fps or Fraction(30), size, model)
    chosen = patch.load(name)
    chosen.model = model or chosen.model
    _seen(chosen, source, loop=False)
    return filmed.OfPatch.of(chosen, seconds, fps)


def _told_by_the_recipe(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise KinesphereError(f"--recipe makes a film as it was, and tells {name}: leave that out")


def _only_of_a_take(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise KinesphereError(f"--{name} is for takes (files that end in .mcap), and this is a patch: leave it out")


def _instrument(chosen: patch.Patch, source: str | None, device: str) -> engine.Engine:
    """A patch with the source that was asked for in place of its own, ready to be played."""
    _seen(chosen, source, loop=True)
    return engine.Engine(chosen, checkpoints.load(chosen.model), chosen_device(device))


def _seen(chosen: patch.Patch, source: str | None, loop: bool) -> None:
    """Put the source that was asked for in place of the patch's own."""
    if source is not None:
        if not chosen.sources:
            raise KinesphereError(f"this patch has no source, so --source {source} has nothing to replace")
        chosen.sources[next(iter(chosen.sources))] = _source(source, loop)


def _source(text: str, loop: bool) -> Source:
    if text == "clip":
        return Video(str(CLIP), loop=loop)
    if text.isdecimal() or "://" in text or text.startswith("/dev/"):
        return Camera(int(text) if text.isdecimal() else text)
    return Pictures(text) if Path(text).is_dir() else Video(text, loop=loop)


def _eye(chosen: patch.Patch) -> str | None:
    """The built-in clip where a patch wants a camera and there is none."""
    wants = any(isinstance(s, Camera) for s in chosen.sources.values())
    if not wants or list_cameras():
        return None
    console.print("no camera was found: playing the built-in clip (choose another with --source)")
    return "clip"


def _has_screen() -> bool:
    return bool(sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _has_display() -> bool:
    return _has_screen() and find_spec("pygame") is not None


def _open_stage(
    instrument: engine.Engine, host: str | None, port: int | None, library: Path | None, browser: bool
) -> None:
    """The instrument on a page, until Ctrl-C."""
    from kinesphere import stage  # takes a second to import, for which only who opens a stage waits

    shelf = stage.Library(library)
    shelf.trust(instrument.patch)
    door, waiting = stage.door(host, port)
    live = performance.Performance(instrument.patch, engine=instrument, load=shelf.load, choose=runtime.choose)
    with (
        interruptible("the stage is closed; what was recorded is kept"),
        live,
        stage.Session(live, shelf) as session,
        stage.Server(session, door, waiting),
    ):
        for line in stage.addresses(door):
            console.print(line)
        if browser and _has_screen():
            with startup.as_any_other():
                webbrowser.open(door.address())
        live.run(on_status=_told())


def _live_sinks(
    played: patch.Patch, out: Path | None, seconds: float | None, overwrite: bool
) -> tuple[Path | None, float | None]:
    """Where a performance goes: a file if asked, the patch's own sinks, a window, or a file where there is no screen."""
    if out is None and not played.sinks and _has_display():
        played.sinks = {"window": Window()}
    if out is None and played.sinks:
        return None, seconds
    film = out or _unused(Path("out"), "play")
    film.parent.mkdir(parents=True, exist_ok=True)
    played.sinks = {"film": VideoFile(film, overwrite=overwrite)}
    if seconds is None:
        seconds = max([engine.duration(s) for s in played.sources.values()], default=0.0) or 12.0
        console.print(f"recording {seconds:.0f} s to {film} (choose how long with --seconds)")
    return film, seconds


def _unused(folder: Path, stem: str) -> Path:
    return next(path for i in range(1, 10**6) if not (path := folder / f"{stem}-{i}.mp4").exists())


def _told() -> Callable[[performance.Status], None]:
    """Tells how a performance goes: on one line of a terminal, or a line whenever something breaks or is well again."""
    before: dict[str, str] = {}

    def tell(status: performance.Status) -> None:
        nonlocal before
        for name, trouble in status.troubles.items():
            if before.get(name) != trouble:
                errors.print(f"{name}: {trouble}; the last value is held")
        for name in before.keys() - status.troubles.keys():
            errors.print(f"{name}: well again")
        before = status.troubles
        if console.is_terminal:
            age = "" if status.age is None else f", {status.age * 1e3:.0f} ms old"
            console.print(f"{status.t:6.0f} s  {status.fps:5.1f} pictures a second{age}", end="\r")

    return tell
