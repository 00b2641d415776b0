"""The verbs that explore a latent space: pictures, films between them, and pictures of one's own found in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer

from kinesphere import checkpoints, latent
from kinesphere.cli.shared import (
    Class,
    Device,
    Overwrite,
    Psi,
    app,
    chosen_device,
    console,
    counting,
    errors,
    explained,
    generator_of,
    interruptible,
    rate,
    vacant,
)
from kinesphere.models.rows import rows_of
from kinesphere.sinks import ENDINGS, to_file
from kinesphere.studio import albums, blending, contact, crews, films, framing, plans, projection, recipes, sidecars
from kinesphere.studio.centres import Centres
from kinesphere.studio.latents import Latent
from kinesphere.types import KinesphereError

Noise = Literal["const", "random", "none"]
Model = Annotated[str, typer.Option(help="A checkpoint: a path, a URL, or a built-in name.")]
Cutoff = Annotated[int | None, typer.Option(help="Truncate only the rows before this one.")]
Seeds = Annotated[str, typer.Option(help='Seeds, such as "0-3,7".')]
NoiseMode = Annotated[Noise, typer.Option("--noise", help="Noise: the stored maps, fresh ones, or none.")]


@app.command(
    rich_help_panel="Explore", epilog="Example: kinesphere sample --model ffhq.pkl --seeds 0-7 --psi 0.7 --out pictures"
)
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
    paths = [vacant(out / f"{name}.png", overwrite) for name in order.names()]
    name = model or order.model or "portraits"
    G = generator_of(name, device)
    wanted = order.recipes(G, name, class_index, noise, cutoff, rows_of(G, rows))
    if centres:
        wanted = recipes.towards(Centres.load(centres, G), G, wanted)
    with interruptible(), counting("drawing", 0) as advance:
        for i, (path, recipe) in enumerate(zip(paths, wanted, strict=True), 1):
            recipes.save(recipe.draw(G, advance if len(paths) == 1 else lambda done, of: None), path, recipe)
            advance(i, len(paths))
    console.print(
        f"{len(paths)} picture{'s' * (len(paths) > 1)} in {out}: {', '.join(path.name for path in paths[:8])}"
    )


@app.command(
    rich_help_panel="Explore",
    epilog="Example: kinesphere walk --model ffhq.pkl --seeds 3,14,15 --seconds 20 --out walk.mp4",
)
def walk(
    out: Annotated[Path, typer.Option(help=f"What to write, by its ending: {explained(ENDINGS)}.")],
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
        keys, times, seconds, easing, kind, loop, drift, even, psi, cutoff, class_index, noise, rate(fps), size, grid,
        sound,
    )  # fmt: skip
    sink = to_file(out, sound, overwrite)
    vacant(sidecars.path(out), overwrite or preview)
    told = sidecars.read(made) if made else None
    name = model or (told.model if told else "portraits")
    G = generator_of(name, device)
    if told:
        told.check(G)
        plan = replace(told.plan, sound=sound)
    film = plan.film(G)
    with interruptible(), counting("walking", 0) as advance:
        if preview:
            _preview(film, sidecars.of(plan, name, G), out, advance)
            return
        with sidecars.beside(out, sidecars.of(plan, name, G)):
            frames = film.into(sink, advance, advance)
    console.print(f"{out}: {frames} frames, {float(frames / film.fps):.2f} s{', a loop' if film.loop else ''}")


@app.command(
    rich_help_panel="Explore",
    epilog="Example: kinesphere project me.jpg --model ffhq.pkl --align face --rows 300 --out found",
)
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
    align: Annotated[str, typer.Option(help=f"Which square of a picture: {explained(framing.ALIGNS)}.")] = "middle",
    mask: Annotated[
        Path | None, typer.Option(help="A picture, white where the pictures count: the rest the model makes up.")
    ] = None,
    distance: Annotated[str, typer.Option(help=f"What is made small: {explained(albums.DISTANCES)}.")] = "pixels",
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
        interruptible("stopped: call it again with the same pictures to go on"),
        counting("projecting", 0) as advance,
    ):
        for name, found in _outcomes(task, parts, workers, ray, device, advance):
            if isinstance(found, str):
                errors.print(f"{name}: {found}")
            else:
                m = found.meters
                console.print(
                    f"{found.latent}: likeness {m.likeness:.3f}, on the map {m.on_map:.2f}, editable {m.editable:.2f}; {m.words}"
                )


@app.command(rich_help_panel="Explore", epilog="Example: kinesphere blend 3 14 --out blend.png")
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
    path, masks = vacant(out.with_suffix(".png"), overwrite), None if mask is None else blending.painted(mask)
    G = generator_of(model, device)
    a, b = (
        Latent.of_seed(G, latent.parse_seeds(name)[0], psi, class_index) if name.isdecimal() else Latent.load(name)
        for name in (first, second)
    )
    with interruptible(), counting("drawing", 0) as advance:
        recipe = recipes.of_blend(G, model, a, b, masks, columns, spread, softness)
        recipes.save(recipe.draw(G, advance), path, recipe)
    console.print(f"{path}: {first} and {second}, together, coarse rows first, and by a mask from {columns} layers on")


@app.command(rich_help_panel="Explore", epilog="Example: kinesphere centres --model ffhq.pkl --k 16 --out centres.png")
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
    sheet, file = (vacant(out.with_suffix(ending), overwrite) for ending in (".png", ".safetensors"))
    G = generator_of(model, device)
    with interruptible("stopped: nothing was written"):
        found = Centres.of(G, k, count, seed, class_index)
        recipe = recipes.of_centres(found, model)
        recipes.save(recipe.draw(G), sheet, recipe)
        found.save(file)
    console.print(f"{sheet} and {file}: {k} centres of {count} latents")


def _preview(film: films.Film, told: sidecars.Sidecar, out: Path, advance: Callable[..., None]) -> None:
    sheet = contact.sheet(film, advance)
    path = recipes.save(sheet.picture, out.with_suffix(".preview.png"), told)
    console.print(
        f"{path}: {sheet.stops} keys and {sheet.between} pictures between them; the film: {len(film.times())} frames, "
        f"{film.frame_size[0]} x {film.frame_size[1]}, drawn here in about {_spell(sheet.seconds)}"
    )


def _unfound(pictures: list[Path], size: int, out: Path, overwrite: bool) -> list[list[Path]]:
    """Those that are projected together, without what was found before."""
    parts = [
        [path for path in part if overwrite or not albums.found(path, out)]
        for part in albums.parts(albums.paths(pictures), size)
    ]
    for path in chain.from_iterable(parts):
        for written in albums.writes(path, out):
            vacant(written, overwrite)
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
        return crews.project(parts, crews.local(task, min(workers, len(parts)), chosen_device(device)), advance)
    album = task.album(chosen_device(device))
    return chain.from_iterable(album.project(part, advance) for part in parts)


def _spell(seconds: float) -> str:
    """How long something takes, to about two digits."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
