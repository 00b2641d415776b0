"""The command line: each verb parses, calls one function, prints one result."""

from __future__ import annotations

import json
import logging
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from importlib import resources
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kinesphere import __version__, checkpoints, engine, filmed, latent, patch, performance, runtime, startup, takes
from kinesphere.models import Generator
from kinesphere.models.rows import rows_of
from kinesphere.sinks import ENDINGS, SINKS, VideoFile, Window, to_file
from kinesphere.sources import SOURCES, Camera, Pictures, Video, list_cameras
from kinesphere.studio import (
    albums,
    blending,
    contact,
    crews,
    efforts,
    encoder_training,
    films,
    findings,
    framing,
    perceptual,
    plans,
    projection,
    recipes,
    sidecars,
    students,
    subjects,
)
from kinesphere.studio.centres import Centres
from kinesphere.studio.directions import STOP, edits, search, strips
from kinesphere.studio.directions.labels import BETWEEN, KINDS, METHODS
from kinesphere.studio.directions.measures import MEASURES
from kinesphere.studio.directions.survey import Survey
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.representations import SPACES
from kinesphere.studio.squares import FITS
from kinesphere.train import diary, measuring, probing, recipe, stopping
from kinesphere.train.datasets import open_set, shown
from kinesphere.train.gathering import LABELLING
from kinesphere.train.importing import import_set
from kinesphere.train.metrics import FEATURES as MEASURED
from kinesphere.train.metrics import METRICS, evaluate, halves, open_features, swd
from kinesphere.types import KinesphereError, Source

app = typer.Typer(
    help="Play the latent space of a StyleGAN with the body.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console(highlight=False, markup=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _explained(names: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in names.items())


CLIP = resources.files("kinesphere.builtin") / "clip.mp4"

Noise = Literal["const", "random", "none"]
Model = Annotated[str, typer.Option(help="A checkpoint: a path, a URL, or a built-in name.")]
Psi = Annotated[float, typer.Option(help="Truncation: 1 is none, 0 the mean picture, negative its opposite.")]
Cutoff = Annotated[int | None, typer.Option(help="Truncate only the rows before this one.")]
Seeds = Annotated[str, typer.Option(help='Seeds, such as "0-3,7".')]
Class = Annotated[int, typer.Option("--class", help="The class, of a model that has classes.")]
NoiseMode = Annotated[Noise, typer.Option("--noise", help="Noise: the stored maps, fresh ones, or none.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, mps.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", "-y", help="Replace the file where there is one.")]
SourceName = Annotated[
    str | None, typer.Option(help="What moves the picture: a video, a folder of pictures, a camera's number, or clip.")
]
PatchModel = Annotated[str | None, typer.Option("--model", help="Another model than the patch's own.")]


@app.command(epilog="Example: kinesphere play regions --source dance.mp4")
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
    with _interruptible():
        status = performance.Performance(instrument.patch, engine=instrument, choose=runtime.choose).run(
            seconds, _told()
        )
        console.print(
            f"played {status.t:.1f} s at {status.fps:.1f} pictures a second; a step took {status.step_p50 * 1e3:.0f} ms"
        )
    if film:
        console.print(f"the video is {film}")


@app.command(epilog="Example: kinesphere render regions --source dance.mp4 --out film.mp4")
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
    _free(sidecars.path(out), overwrite)
    if made:
        _told_by_the_recipe(PATCH=name, **{"--seconds": seconds, "--fps": fps, "--size": size})
        film = filmed.read(made).now_at(str(CLIP) if source == "clip" else source, model)
    else:
        film = _film(name, model, source, seconds, _rate(fps) if fps else None, size)
    if isinstance(film, filmed.OfPatch):
        _only_of_a_take(size=size, sound=sound)
    with _interruptible(), _progress("rendering", 0) as advance:
        frames = film.draw(filmed.Wanted(out, _device(device), sound, overwrite, errors.print, advance))
    console.print(f"{out}: {frames} frames, {float(frames / film.fps):.2f} s at {float(film.fps):.3f} frames a second")


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


@app.command(epilog="Example: kinesphere replay dance.mcap --model bigger.safetensors")
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
    with takes.Take.open(name) as take, _interruptible():
        shown = takes.replay(take, {"window": Window()}, model, _device(device), seconds, on_note=errors.print)
        console.print(f"{shown} of {len(take)} steps shown, {take.duration:.1f} s")


@app.command(epilog="Example: kinesphere sample --model ffhq.pkl --seeds 0-7 --psi 0.7 --out pictures")
def sample(
    model: Annotated[
        str | None, typer.Option(help="A checkpoint: a path, a URL, or a built-in name; default: portraits.")
    ] = None,
    seeds: Seeds = "0-7",
    psi: Psi = 0.7,
    cutoff: Cutoff = None,
    out: Annotated[Path, typer.Option(help="The folder for the pictures.")] = Path("out"),
    psi_grid: Annotated[int, typer.Option(help="Instead: one sheet, each seed at this many psi from -0.5 to 1.5.")] = 0,
    mix: Annotated[str | None, typer.Option(help="Instead: one sheet, rows of these seeds mixed into --seeds.")] = None,
    rows: Annotated[str, typer.Option(help="Which rows --mix takes: coarse, middle, fine, or as 0-3.")] = "coarse",
    centres: Annotated[
        Path | None, typer.Option(help="Truncate towards the nearest of these, of kinesphere centres.")
    ] = None,
    place: Annotated[
        Path | None, typer.Option("--latent", help="Instead: a latent that was kept, such as a projection.")
    ] = None,
    made: Annotated[
        Path | None, typer.Option("--recipe", help="Instead: a picture that kinesphere made, made again.")
    ] = None,
    class_index: Class = 0,
    noise: NoiseMode = "const",
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Save one picture for each seed, or a sheet of them, or a picture again: each holds the recipe of how it was made."""
    order = recipes.Order(
        latent.parse_seeds(seeds), psi, psi_grid, latent.parse_seeds(mix) if mix else [], rows, place, made
    )
    paths = [_free(out / f"{name}.png", overwrite) for name in order.names()]
    name = model or order.model or "portraits"
    G = _generator(name, device)
    wanted = order.recipes(G, name, class_index, noise, cutoff, rows_of(G, rows))
    if centres:
        wanted = recipes.towards(Centres.load(centres, G), G, wanted)
    with _interruptible(), _progress("drawing", 0) as advance:
        for i, (path, recipe) in enumerate(zip(paths, wanted, strict=True), 1):
            recipes.save(recipe.draw(G, advance if len(paths) == 1 else lambda done, of: None), path, recipe)
            advance(i, len(paths))
    console.print(
        f"{len(paths)} picture{'s' * (len(paths) > 1)} in {out}: {', '.join(path.name for path in paths[:8])}"
    )


@app.command(epilog="Example: kinesphere walk --model ffhq.pkl --seeds 3,14,15 --seconds 20 --out walk.mp4")
def walk(
    out: Annotated[Path, typer.Option(help=f"What to write, by its ending: {_explained(ENDINGS)}.")],
    model: Annotated[
        str | None, typer.Option(help="A checkpoint: a path, a URL, or a built-in name; default: portraits.")
    ] = None,
    keys: Annotated[
        str,
        typer.Option("--keys", "--seeds", help='What to pass: seeds and files, such as "3, me.safetensors, 10-12".'),
    ] = "0-5",
    times: Annotated[
        str | None,
        typer.Option(help='When each key is reached, such as "0,2,5"; of a loop one more, when the first comes again.'),
    ] = None,
    easing: Annotated[
        str, typer.Option(help=f"The pace from key to key, or one for each leg: {', '.join(latent.EASINGS)}.")
    ] = "linear",
    even: Annotated[
        float, typer.Option(help="Make the pace even in what the eye sees: 0 leaves it, 1 is even. Keys move in time.")
    ] = 0.0,
    kind: Annotated[str, typer.Option(help=f"The way between keys: {', '.join(latent.KINDS)}.")] = "cubic",
    drift: Annotated[
        bool, typer.Option("--drift", help="Wander from the first seed instead of going from key to key.")
    ] = False,
    loop: Annotated[bool, typer.Option(help="Come back to the start without a seam.")] = True,
    seconds: Annotated[float | None, typer.Option(help="How long; default: as the times, or the sound, or 12.")] = None,
    sound: Annotated[
        Path | None, typer.Option(help="A file whose sound is put under the film, which is as long as it.")
    ] = None,
    fps: Annotated[str, typer.Option(help="Frames a second, such as 25 or 30000/1001.")] = "30",
    size: Annotated[
        int | None, typer.Option(min=16, max=8192, help="Pixels on each side of a picture; default: the model's own.")
    ] = None,
    grid: Annotated[
        str, typer.Option(help="Walks side by side, columns x rows, such as 3x2: each has the next seeds.")
    ] = "1x1",
    psi: Annotated[
        float, typer.Option(help="Truncation of seeds: 1 is none, 0 the mean; files are as they are.")
    ] = 0.7,
    cutoff: Cutoff = None,
    class_index: Class = 0,
    noise: NoiseMode = "const",
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Instead: a sheet of the film, NAME.preview.png, and how long it will take."),
    ] = False,
    made: Annotated[
        Path | None, typer.Option("--recipe", help="A film that kinesphere walk made: the same frames once more.")
    ] = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Make a film of a walk through the latent space: a loop, or a path from key to key."""
    plan = plans.Plan(
        keys, times, seconds, easing, kind, loop, drift, even, psi, cutoff, class_index, noise, _rate(fps), size, grid,
        sound,
    )  # fmt: skip
    sink = to_file(out, sound, overwrite)
    _free(sidecars.path(out), overwrite or preview)
    told = sidecars.read(made) if made else None
    name = model or (told.model if told else "portraits")
    G = _generator(name, device)
    if told:
        told.check(G)
        plan = replace(told.plan, sound=sound)
    film = plan.film(G)
    with _interruptible(), _progress("walking", 0) as advance:
        if preview:
            _preview(film, sidecars.of(plan, name, G), out, advance)
            return
        with sidecars.beside(out, sidecars.of(plan, name, G)):
            frames = film.into(sink, advance, advance)
    console.print(f"{out}: {frames} frames, {float(frames / film.fps):.2f} s{', a loop' if film.loop else ''}")


def _preview(film: films.Film, told: sidecars.Sidecar, out: Path, advance: Callable[..., None]) -> None:
    sheet = contact.sheet(film, advance)
    path = recipes.save(sheet.picture, out.with_suffix(".preview.png"), told)
    console.print(
        f"{path}: {sheet.stops} keys and {sheet.between} pictures between them; the film: {len(film.times())} frames, "
        f"{film.frame_size[0]} x {film.frame_size[1]}, drawn here in about {_spell(sheet.seconds)}"
    )


@app.command(epilog="Example: kinesphere project me.jpg --model ffhq.pkl --align face --rows 300 --out found")
def project(
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    model: Model = "portraits",
    out: Annotated[Path, typer.Option(help="The folder for what is found.")] = Path("projected"),
    steps: Annotated[int, typer.Option(help="Steps in W: one w for all rows.")] = 300,
    rows: Annotated[int, typer.Option(help="Then steps in W+: a w for each row.")] = 0,
    faithful: Annotated[
        float, typer.Option(help="Of the rows: 0 keeps them together, to be edited; 1 follows the picture.")
    ] = 0.5,
    noise: Annotated[int, typer.Option(help="Then steps on the noise maps alone.")] = 0,
    tune: Annotated[
        int, typer.Option(help="Then steps on the model's weights, for each picture (pivotal tuning).")
    ] = 0,
    align: Annotated[str, typer.Option(help=f"Which square of a picture: {_explained(framing.ALIGNS)}.")] = "middle",
    mask: Annotated[
        Path | None, typer.Option(help="A picture, white where the pictures count: the rest the model makes up.")
    ] = None,
    distance: Annotated[str, typer.Option(help=f"What is made small: {_explained(albums.DISTANCES)}.")] = "pixels",
    vgg: Annotated[Path | None, typer.Option(help="Weights of VGG16, for --distance vgg or lpips.")] = None,
    lpips: Annotated[Path | None, typer.Option(help="Weights of LPIPS's heads, for --distance lpips.")] = None,
    crops: Annotated[
        int, typer.Option(help="Squares, others in each step, that are compared, too: detail of models above 256 px.")
    ] = 0,
    encoder: Annotated[
        str,
        typer.Option(
            help="Whose guess is one of the beginnings: own (the model's, if it comes with one), none, a file."
        ),
    ] = "own",
    official: Annotated[bool, typer.Option("--official", help="The published schedule in W, as a baseline.")] = False,
    film: Annotated[bool, typer.Option(help="A film of the way, for each picture.")] = True,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes, each with pictures of its own; 0: one for each GPU, or one.")
    ] = 1,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A worker for each GPU of a Ray cluster: auto, local, ray://HOST:PORT."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the search.")] = 0,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Find the latents that make your pictures. Broken off, it goes on from there when it is called again."""
    plan = projection.Plan(steps, rows, faithful, noise, tune, crops, official, seed=seed)
    task = crews.Commission(model, out, plan, distance, vgg, lpips, class_index, film, mask, align, encoder)
    parts = _unfound(pictures, checkpoints.inspect(model).img_resolution, out, overwrite)
    workers = workers or max(1, torch.cuda.device_count())
    with (
        _interruptible("stopped: call it again with the same pictures to go on"),
        _progress("projecting", 0) as advance,
    ):
        for name, found in _outcomes(task, parts, workers, ray, device, advance):
            if isinstance(found, str):
                errors.print(f"{name}: {found}")
            else:
                m = found.meters
                console.print(
                    f"{found.latent}: likeness {m.likeness:.3f}, on the map {m.on_map:.2f}, editable {m.editable:.2f}; {m.words}"
                )


def _unfound(pictures: list[Path], size: int, out: Path, overwrite: bool) -> list[list[Path]]:
    """Those that are projected together, without what was found before."""
    parts = [
        [path for path in part if overwrite or not albums.found(path, out)]
        for part in albums.parts(albums.paths(pictures), size)
    ]
    for path in chain.from_iterable(parts):
        for written in albums.writes(path, out):
            _free(written, overwrite)
    if not any(parts):
        raise KinesphereError(f"what was found of these is in {out} already: choose another --out, or say --overwrite")
    return [part for part in parts if part]


def _outcomes(
    task: crews.Commission,
    parts: list[list[Path]],
    workers: int,
    ray: str | None,
    device: str,
    advance: Callable[..., None],
) -> Iterator[crews.Outcome]:
    """By a cluster, by several processes, or here."""
    if ray:
        return crews.project(parts, crews.cluster(task, ray, workers if workers > 1 else None), advance)
    if workers > 1:
        return crews.project(parts, crews.local(task, min(workers, len(parts)), _device(device)), advance)
    album = task.album(_device(device))
    return chain.from_iterable(album.project(part, advance) for part in parts)


@app.command(epilog="Example: kinesphere blend 3 14 --out blend.png")
def blend(
    first: Annotated[str, typer.Argument(metavar="A", help="A seed, or a latent's file.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("blend.png"),
    model: Model = "portraits",
    psi: Annotated[float, typer.Option(help="Truncation of seeds; files are as they are.")] = 0.7,
    columns: Annotated[int, typer.Option(min=2, max=64, help="Steps from A to B, and layers to begin at.")] = 7,
    spread: Annotated[
        float, typer.Option(min=0, max=1, help="How far apart the rows leave: 0 together, 1 one after the other.")
    ] = blending.STAGGERED,
    mask: Annotated[Path | None, typer.Option(help="A grey picture: black is A, white is B; default: halves.")] = None,
    softness: Annotated[
        float, typer.Option(min=0, max=1, help="Of the mask's edges, in picture widths.")
    ] = blending.SOFT,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Show two pictures in each other: a sheet of the ways from one to the other, and of both in one by a mask."""
    path, masks = _free(out.with_suffix(".png"), overwrite), None if mask is None else blending.painted(mask)
    G = _generator(model, device)
    a, b = (
        Latent.of_seed(G, latent.parse_seeds(name)[0], psi, class_index) if name.isdecimal() else Latent.load(name)
        for name in (first, second)
    )
    with _interruptible(), _progress("drawing", 0) as advance:
        recipe = recipes.of_blend(G, model, a, b, masks, columns, spread, softness)
        recipes.save(recipe.draw(G, advance), path, recipe)
    console.print(f"{path}: {first} and {second}, together, coarse rows first, and by a mask from {columns} layers on")


@app.command(epilog="Example: kinesphere centres --model ffhq.pkl --k 16 --out centres.png")
def centres(
    out: Annotated[Path, typer.Option(help="The sheet to write; the centres go beside it, .safetensors.")] = Path(
        "centres.png"
    ),
    model: Model = "portraits",
    k: Annotated[int, typer.Option("--k", min=1, max=1024, help="How many.")] = 16,
    count: Annotated[int, typer.Option(min=2, help="Latents in which they are sought.")] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="Of these latents, and of where the search begins.")] = 0,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Find the kinds of picture that a model makes: a sheet of them, and a file for sample --centres."""
    sheet, file = (_free(out.with_suffix(ending), overwrite) for ending in (".png", ".safetensors"))
    G = _generator(model, device)
    with _interruptible("stopped: nothing was written"):
        found = Centres.of(G, k, count, seed, class_index)
        recipe = recipes.of_centres(found, model)
        recipes.save(recipe.draw(G), sheet, recipe)
        found.save(file)
    console.print(f"{sheet} and {file}: {k} centres of {count} latents")


@app.command(epilog="Example: kinesphere directions ffhq.pkl --by sefa --rows middle --out ffhq-sefa.safetensors")
def directions(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")] = "portraits",
    by: Annotated[str, typer.Option(help=f"How: {_explained(search.ABOUT)}.")] = "pca",
    k: Annotated[int, typer.Option("--k", min=1, help="How many, at most.")] = 8,
    rows: Annotated[
        str,
        typer.Option(help="Which rows they move: all, coarse, middle, fine, or as 0-3; of sefa whose weights, too."),
    ] = "all",
    layer: Annotated[
        str, typer.Option(help="Of pca: the layer whose activations are looked at; default: W itself.")
    ] = "",
    count: Annotated[
        int | None, typer.Option(min=2, help="Of pca, and of labels by --measure: latents that are looked at.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Of labels: a table with the columns seed and value, or more and less; or labels kept, .json."
        ),
    ] = None,
    kind: Annotated[str, typer.Option(help=f"Of a table: {', '.join(KINDS)}.")] = "yes-no",
    measure: Annotated[
        str,
        typer.Option(
            help="Of labels, instead of a table, and of stylespace, instead of a region: "
            f"{', '.join(MEASURES)}; of portraits a factor, as smile."
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="Of what labels tell; default: as the table or the measure.")] = "",
    method: Annotated[
        str,
        typer.Option(
            help=f"Of labels, how a line is fitted: {', '.join(METHODS)}; default: logistic, of grades ridge."
        ),
    ] = "",
    between: Annotated[
        float, typer.Option(min=0, max=1, help="Of labels: from what separates, 0, to what belongs to the data, 1.")
    ] = BETWEEN,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Of labels: a direction to leave alone, as edit names them: age, FILE#NAME. May be repeated."
        ),
    ] = None,
    region: Annotated[
        str,
        typer.Option(
            help="Of stylespace and here: left,top,right,bottom, parts of the picture, as 0.3,0.6,0.7,0.9; "
            "or a mask, a square picture that is white there."
        ),
    ] = "",
    where: Annotated[
        bool, typer.Option("--where", help="Tell which rows carry each, too, which takes longer; not of stylespace.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The file to write, .safetensors.")] = Path("directions.safetensors"),
    sheet: Annotated[
        Path | None, typer.Option(help="Strips along each, and along random ones; default: beside it.")
    ] = None,
    on: Annotated[
        str, typer.Option(help="Whose picture is moved on the sheet, and looked at by here: as of edit.")
    ] = "0",
    psi: Psi = 0.7,
    reach: Annotated[float, typer.Option(help="Of the sheet: standard deviations both ways.")] = edits.REACH,
    frames: Annotated[int, typer.Option(min=2, max=64, help="Of the sheet: pictures of a strip.")] = strips.FRAMES,
    centred: Annotated[bool, typer.Option("--centred", help="Of the sheet: numbers are set, not added.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=latent.LAST_SEED, help="Of all that is drawn at random.")] = 0,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Find directions that change one thing of a picture: a file of them, a sheet to look at, and what chance would do."""
    file, picture = (
        _free(path, overwrite) for path in (out.with_suffix(".safetensors"), sheet or out.with_suffix(".png"))
    )
    sought = search.Search(
        by, k, rows, class_index, seed, layer, count, labels, kind,
        measure=measuring.attribute(measure) if measure else None, name=name, method=method, between=between,
        against=tuple(against or ()), region=search.region_of(region), where=where,
    )  # fmt: skip
    subject, G = subjects.Subject(on, psi, class_index), _generator(model, device)
    with _interruptible("stopped: nothing was written"), _progress("seeking", 0) as advance:
        survey = Survey.of(G, model, sought, subject, frames, reach, centred, advance)
        survey.write(G, file, picture, advance)
    table = Table(*survey.table, box=None)
    for row in zip(*survey.table.values(), strict=True):
        table.add_row(*row)
    console.print(table)
    console.print(*survey.notes, f"{file} and {picture}", sep="\n")


@app.command(
    epilog="Example: kinesphere edit 14 --direction pc1=2 --direction people.safetensors#age=-1 --out older.png"
)
def edit(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="PICTURE-OR-SEED", help="A seed, a latent's file, or a picture: any other is projected."
        ),
    ],
    direction: Annotated[
        list[str],
        typer.Option(
            help="NAME=AMOUNT, in standard deviations: pc1=2, sefa3=-1, smile=2, FILE#NAME=1. May be repeated."
        ),
    ],
    rows: Annotated[str, typer.Option(help="Which rows are moved; default: those of the direction.")] = "",
    placed: Annotated[
        bool, typer.Option("--set", help="Set the coordinates to these amounts; else they are added.")
    ] = False,
    free: Annotated[bool, typer.Option("--free", help=f"Go beyond {STOP:g} standard deviations, off the map.")] = False,
    strip: Annotated[
        bool, typer.Option("--strip", help="Instead: a sheet, a line for each direction, up to the amount both ways.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="A checkpoint: a path, a URL, or a built-in name; default: portraits.")
    ] = None,
    psi: Annotated[float, typer.Option(help="Truncation of a seed; files are as they are.")] = 0.7,
    effort: Annotated[
        str, typer.Option(help=f"Of a picture that is projected: {', '.join(efforts.EFFORTS)}.")
    ] = "quick",
    align: Annotated[str, typer.Option(help=f"Which square of it: {_explained(framing.ALIGNS)}.")] = "middle",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("edited.png"),
    keep: Annotated[Path | None, typer.Option(help="Keep the edited latent, too, as .safetensors.")] = None,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Edit one picture along directions: a seed's, a kept latent's, or your own."""
    path = _free(out.with_suffix(".png"), overwrite)
    for written in [keep] if keep else []:
        _free(written, overwrite)
    asked = [edits.asked(text, free, strip) for text in direction]
    shown = subjects.Subject(subject, psi, class_index, effort, align)
    name = model or shown.model or "portraits"
    G = _generator(name, device)
    told = Fingerprint.of(G)
    along = edits.found(G, asked, rows, placed, told, class_index)
    with _interruptible("stopped: nothing was written"), _progress("looking", 0) as advance:
        place = shown.latent(G, told, any(each.direction.space == "z" for each in along), advance)
        moved = edits.edited(G, place, along, told)
        recipe = _strips_of(along, place, name, told) if strip else recipes.of_latent(moved, name, told)
        recipe = replace(recipe, **shown.noise)
        recipes.save(recipe.draw(G, advance), path, recipe)
        kept = [moved.save(keep)] if keep else []
    console.print(f"{' and '.join(map(str, [path, *kept]))}: {edits.words(G, place, moved, along, told)}")


def _strips_of(along: list[edits.Edit], place: Latent, model: str, told: Fingerprint) -> recipes.Recipe:
    """A sheet of what was asked for: a line for each, all as far as the one that goes furthest."""
    reach = max(abs(each.amount) for each in along)
    return recipes.of_strips(
        told, model, place, [each.direction for each in along], reach=reach, centred=along[0].placed
    )


@app.command(epilog="Example: kinesphere convert network-snapshot-025000.pkl ffhq.safetensors --half")
def convert(
    source: Annotated[str, typer.Argument(help="Any checkpoint that can be loaded.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    half: Annotated[bool, typer.Option("--half", help="Store half precision: half the size.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn any checkpoint into Kinesphere's own format, which loads fast and holds no code."""
    _free(target, overwrite)
    checkpoints.convert(source, target, torch.float16 if half else torch.float32)
    console.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


@app.command(epilog="Example: kinesphere inspect network-snapshot-025000.pkl")
def inspect(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a checkpoint is, without running anything in it."""
    card = checkpoints.inspect(model).asdict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    table = _table()
    for key, value in card.items():
        for line in value if isinstance(value, list) else [value]:
            table.add_row(key.replace("_", " "), f"{line:,}" if key == "parameters" else str(line))
            key = ""
    console.print(table)


@app.command(epilog="Example: kinesphere dataset photos --size 256 --out photos.zip")
def dataset(
    source: Annotated[str, typer.Argument(help="A folder or zip of pictures, a video, or portraits.")],
    out: Annotated[Path | None, typer.Option(help="The .zip to write, or a folder; default: SOURCE-SIZE.zip.")] = None,
    size: Annotated[int, typer.Option(help="Pixels on each side.")] = 256,
    fit: Annotated[str, typer.Option(help=_explained(FITS))] = "crop",
    count: Annotated[int | None, typer.Option(help="At most this many pictures.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of --count, or of the portraits.")] = 0,
    every: Annotated[float | None, typer.Option(help="Of a video: seconds between pictures; 0 is each frame.")] = None,
    labels: Annotated[str, typer.Option(help=f"{_explained(LABELLING)}; of portraits, a factor.")] = "auto",
    mirror: Annotated[bool, typer.Option("--mirror", help="Add each picture's mirror image.")] = False,
    alpha: Annotated[bool, typer.Option("--alpha", help="Keep what is transparent, as a fourth channel.")] = False,
    grey: Annotated[bool, typer.Option("--grey", help="One channel.")] = False,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Keep one of those that are equal.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Make a training set from a folder, a zip, a video, or painted portraits, with a sheet to look at."""
    target = out or Path(f"{Path(source).resolve().stem}-{size}.zip")
    with _progress("importing", 0) as advance:
        report = import_set(
            source, target, size, fit, mirror=mirror, labels=labels, count=count, seed=seed, every=every, alpha=alpha,
            grey=grey, drop_duplicates=drop_duplicates, overwrite=overwrite, progress=advance,
        )  # fmt: skip
    console.print("\n".join(report.lines()))


@app.command(epilog="Example: kinesphere train my-pictures --out runs/mine --kimg 500")
def train(
    data: Annotated[
        str | None, typer.Argument(help="A training set, a folder of pictures, a zip, a video, or portraits.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder of the run.")] = Path("run"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    start: Annotated[str | None, typer.Option("--from", help="Start from this checkpoint instead of afresh.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Pixels, a power of two; default: as the set has, or chosen.")
    ] = None,
    kimg: Annotated[float | None, typer.Option(help="Thousands of pictures to show.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures in a step, all processes together.")] = None,
    gamma: Annotated[float | None, typer.Option(help="Weight of R1: more is steadier and blander.")] = None,
    mirror: Annotated[bool | None, typer.Option(help="Show the mirror image of every picture, too.")] = None,
    augment: Annotated[str | None, typer.Option(help="What D may see changed: none, bgc, ...")] = None,
    precision: Annotated[str | None, typer.Option(help="Of the largest blocks: fp32, bf16, fp16.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything that is random.")] = None,
    also: Annotated[
        list[str] | None, typer.Option("--set", help="Any other number of the recipe, as lr_G=0.002. May be repeated.")
    ] = None,
    device: Device = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Processes on this machine: one for each GPU.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines.")] = 1,
) -> None:
    """Train a model on one's own pictures. Ctrl-C keeps everything; --resume goes on."""
    if find_spec("lightning_fabric") is None:
        raise KinesphereError("training needs Lightning Fabric: .venv/bin/python -m pip install -e '.[train]'")
    from kinesphere.train import launch

    named = dict(kimg=kimg, batch=batch, gamma=gamma, mirror=mirror, augment=augment, precision=precision, seed=seed)
    asked = {k: v for k, v in named.items() if v is not None} | recipe.parse(also or [])
    with _interruptible("left at once: the last state is kept, and --resume goes on"):
        fabric = launch.processes(device, devices, nodes)
        run = launch.run(data, out, fabric, resume, start, size, **asked)
        _follow(run, fabric.is_global_zero)


@app.command(epilog="Example: kinesphere metrics model.safetensors pictures.zip --metrics swd,kid,pr")
def metrics(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")],
    data: Annotated[Path, typer.Argument(help="A training set, at least of the model's size: a folder or a zip.")],
    names: Annotated[str, typer.Option("--metrics", help=f"Of {', '.join(METRICS)}; more with commas.")] = "swd",
    count: Annotated[int, typer.Option(min=2, help="How many pictures of each.")] = 2000,
    features: Annotated[
        str, typer.Option(help=f"What sees them: {', '.join(MEASURED)}; with weights, NAME:FILE.")
    ] = "filterbank",
    psi: Psi = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    device: Device = "auto",
) -> None:
    """Measure a model's pictures against the data's; beside it the floor, half of the data against the other."""
    checkpoint, wanted = checkpoints.load(model), names.split(",")
    G, eye = checkpoint.G_ema.to(_device(device)), open_features(features, checkpoint)
    pictures = open_set(data, G.img_resolution)
    with _interruptible(), _progress("measuring", 0) as advance:
        values = evaluate(G, pictures, wanted, count, eye, psi, seed, progress=advance)
        floor = halves(pictures, wanted, count, eye, seed, progress=advance)
    table = Table("metric", "model", "data against data", box=None)
    for name, value in values.items():
        table.add_row(name, f"{value:.4g}", f"{floor[name]:.4g}" if name in floor else "")
    console.print(table)


@app.command(epilog="Example: kinesphere probe ffhq.pkl --labels smiles.csv --out ffhq-probes.html")
def probe(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")],
    labels: Annotated[
        str, typer.Option(help="judge: what the judge of drawn portraits sees; or a table of seeds and labels, a .csv.")
    ] = "judge",
    count: Annotated[int, typer.Option(min=2, help="How many pictures, or rows of the table.")] = 2000,
    spaces: Annotated[
        str, typer.Option(help=f"Of {', '.join(SPACES)}, and layers of the model; all it has if none are named.")
    ] = "",
    eyes: Annotated[
        str, typer.Option("--features", help=f"What else looks: {', '.join(MEASURED)}; with weights, NAME:FILE.")
    ] = "",
    out: Annotated[Path, typer.Option(help="The page to write; its numbers go beside it.")] = Path("probes.html"),
    seed: Annotated[int, typer.Option(min=0, help="The first seed, where no table names them.")] = 0,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """What does a model know? Straight lines through its latents, layers and pixels are asked for labels not seen before."""
    for path in findings.places(out):
        _free(path, overwrite)
    asked = probing.judged(range(seed, seed + count)) if labels == "judge" else probing.tabled(Path(labels), count)
    checkpoint = checkpoints.load(model)
    for network in checkpoint.networks().values():
        network.to(_device(device))
    wanted, features = ([name for name in text.split(",") if name] for text in (spaces, eyes))
    with _interruptible("stopped: nothing was written"), _progress("probing", 0) as advance:
        found = probing.knowledge(checkpoint, asked, class_index, wanted or None, features, advance)
    facts = {"pictures": f"{len(asked.seeds):,}", "labels by": Path(labels).name, "class": str(class_index)}
    page, numbers = findings.write(found, Path(model).stem, facts, out)
    console.print("\n".join([*findings.words(found), f"{page}, with its numbers in {numbers}"]))


@app.command(epilog="Example: kinesphere shrink ffhq.pkl --for 30 --out ffhq-small.safetensors")
def shrink(
    model: Annotated[str, typer.Argument(help="A StyleGAN2: a path, a URL, or a built-in name.")],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")] = Path("student.safetensors"),
    rate: Annotated[
        float | None, typer.Option("--for", min=0.1, help="Pictures a second that the student is to draw here.")
    ] = None,
    times: Annotated[float, typer.Option(min=1.1, help="Instead: how many times as fast it is to be.")] = 2.0,
    steps: Annotated[int, typer.Option(min=1, help="How long it learns.")] = 6000,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Make a faster student of a model: the same latents, fewer channels. Ctrl-C keeps what it has learnt."""
    _free(out, overwrite)
    teacher = checkpoints.load(model)
    G = teacher.G_ema.to(_device(device))
    pupil = students.fitting(G, rate=rate) if rate else students.fitting(G, times)
    judge = None
    if teacher.D is not None:
        teacher.D.to(G.w_avg.device)
        judge = perceptual.judged(teacher)
    course = students.Course(G, pupil, steps, judge)
    with stopping.Stop() as stop, _progress("learning", steps) as advance:
        for lesson in course:
            advance(lesson.steps)
            if stop.asked:
                break
    student = course.graduate()
    checkpoints.save(students.checkpoint(student, teacher), out)
    before, after = students.seconds(G, student)
    console.print(f"{out}: {1 / after:.0f} pictures a second (its teacher {1 / before:.0f})")
    own, others = students.drawn(G), students.drawn(G, seed=1)
    near, floor = (np.mean([*swd(own, pictures).values()]) for pictures in (students.drawn(student), others))
    console.print(f"{students.apart(G, student):.1f} levels of 255 (RMS) from its teacher's pictures at the same w")
    console.print(f"SWD to its teacher's pictures {near:.2f}; of its teacher's to others of its teacher's {floor:.2f}")


@app.command(epilog="Example: kinesphere train-encoder ffhq.pkl --pictures faces.zip --out ffhq.encoder.safetensors")
def train_encoder(
    model: Annotated[str, typer.Argument(help="A path, a URL, or a built-in name.")],
    out: Annotated[Path, typer.Option(help="The .safetensors file to write.")] = Path("encoder.safetensors"),
    pictures: Annotated[
        Path | None, typer.Option(help="A training set of what it is to look at, beside the model's own pictures.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="An encoder that learns on: of this model, or of one that it was trained from."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="How long it learns.")] = 7000,
    batch: Annotated[int, typer.Option(min=2, help="Pictures in a step.")] = 32,
    seed: Annotated[int, typer.Option(help="Of everything that is random.")] = 0,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Teach a small network to guess the latent of a picture. Ctrl-C keeps what it has learnt; the same command goes on."""
    G = _generator(model, device)
    course = encoder_training.Course(
        G, steps, None if pictures is None else shown(open_set(pictures, G.img_resolution), seed), batch, seed=seed,
        class_index=class_index, start=None if start is None else Encoder.load(start),
    )  # fmt: skip
    if not encoder_training.begun(out):
        _free(out, overwrite)
    with stopping.Stop() as stop, _progress("learning", steps) as advance:
        for lesson in encoder_training.kept(course, out):
            advance(lesson.steps)
            if stop.asked:
                break
    console.print(f"{out}: {course.words}")


@app.command(epilog="Example: kinesphere devices")
def devices() -> None:
    """List the cameras that are there, the patches and models built in, and what can be plugged together."""
    table = _table()
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


# --- what the verbs share ---------------------------------------------------------------------------------------------


def _table() -> Table:
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(overflow="fold")
    return table


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise KinesphereError(
            f"no device {name!r} on this machine ({str(error).splitlines()[0]}): try auto or cpu"
        ) from None
    return name


def _generator(model: str, device: str) -> Generator:
    return checkpoints.load(model).G_ema.to(_device(device))


def _instrument(chosen: patch.Patch, source: str | None, device: str) -> engine.Engine:
    """A patch with the source that was asked for in place of its own, ready to be played."""
    _seen(chosen, source, loop=True)
    return engine.Engine(chosen, checkpoints.load(chosen.model), _device(device))


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
        _interruptible("the stage is closed; what was recorded is kept"),
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


def _spell(seconds: float) -> str:
    """How long something takes, to about two digits."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _rate(text: str) -> Fraction:
    rate = latent.exact("fps", text)
    if rate > 1000:
        raise KinesphereError(f"fps {text} is out of range: above 0 and up to 1000")
    return rate


def _free(path: Path, overwrite: bool) -> Path:
    if path.exists() and not overwrite:
        raise KinesphereError(f"{path} is there already: choose another --out, or say --overwrite")
    return path


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


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task(what, total=total or None)

        def advance(done: int, of: int = total) -> None:
            progress.update(task, completed=done, total=of)

        yield advance


@contextmanager
def _interruptible(words: str = "stopped: what was made so far is kept") -> Iterator[None]:
    """Ctrl-C ends with what is there so far, whole, and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        errors.print(f"\n{words}")
        raise typer.Exit(130) from None


def _follow(run: Any, chief: bool) -> None:
    """Train, with one line that tells how it goes."""
    if chief:
        for name, choice in run.about["options"].items():
            value = choice["value"]
            console.print(f"{name} {f'{value:.4g}' if isinstance(value, float) else value}: {choice['reason']}")
        for note in run.about["notes"]:
            console.print(note)
        console.print(f"look at {run.folder / 'index.html'}; Ctrl-C ends in good order")
    for entry in run.go(live=console.is_terminal):
        if chief:
            console.print(diary.live_line(entry, run.recipe.kimg), end="\r" if console.is_terminal else "\n")
    if chief:
        console.print(f"\n{run.farewell()}")
    if run.stopping:
        raise typer.Exit(130)


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
