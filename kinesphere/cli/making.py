"""The verbs that make models: training sets, training, measuring, and files of other programs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.table import Table

from kinesphere import checkpoints
from kinesphere.cli.shared import (
    Class,
    Device,
    Overwrite,
    Psi,
    app,
    chosen_device,
    console,
    counting,
    explained,
    generator_of,
    interruptible,
    two_columns,
    vacant,
)
from kinesphere.studio import encoder_training, perceptual, students
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.squares import FITS
from kinesphere.train import diary, recipe, stopping
from kinesphere.train.datasets import open_set, shown
from kinesphere.train.gathering import LABELLING
from kinesphere.train.importing import import_set
from kinesphere.train.metrics import FEATURES as MEASURED
from kinesphere.train.metrics import METRICS, evaluate, halves, open_features, swd
from kinesphere.types import KinesphereError


@app.command(rich_help_panel="Models", epilog="Example: kinesphere dataset photos --size 256 --out photos.zip")
def dataset(
    source: Annotated[str, typer.Argument(help="A folder or zip of pictures, a video, or portraits.")],
    out: Annotated[Path | None, typer.Option(help="The .zip to write, or a folder; default: SOURCE-SIZE.zip.")] = None,
    size: Annotated[int, typer.Option(help="Pixels on each side.")] = 256,
    fit: Annotated[str, typer.Option(help=explained(FITS))] = "crop",
    count: Annotated[int | None, typer.Option(help="At most this many pictures.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of --count, or of the portraits.")] = 0,
    every: Annotated[float | None, typer.Option(help="Of a video: seconds between pictures; 0 is each frame.")] = None,
    labels: Annotated[str, typer.Option(help=f"{explained(LABELLING)}; of portraits, a factor.")] = "auto",
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
    with counting("importing", 0) as advance:
        report = import_set(
            source, target, size, fit, mirror=mirror, labels=labels, count=count, seed=seed, every=every, alpha=alpha,
            grey=grey, drop_duplicates=drop_duplicates, overwrite=overwrite, progress=advance,
        )  # fmt: skip
    console.print("\n".join(report.lines()))


@app.command(rich_help_panel="Models", epilog="Example: kinesphere train my-pictures --out runs/mine --kimg 500")
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
    with interruptible("left at once: the last state is kept, and --resume goes on"):
        fabric = launch.processes(device, devices, nodes)
        run = launch.run(data, out, fabric, resume, start, size, **asked)
        _follow(run, fabric.is_global_zero)


@app.command(
    rich_help_panel="Models", epilog="Example: kinesphere metrics model.safetensors pictures.zip --metrics swd,kid,pr"
)
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
    G, eye = checkpoint.G_ema.to(chosen_device(device)), open_features(features, checkpoint)
    pictures = open_set(data, G.img_resolution)
    with interruptible(), counting("measuring", 0) as advance:
        values = evaluate(G, pictures, wanted, count, eye, psi, seed, progress=advance)
        floor = halves(pictures, wanted, count, eye, seed, progress=advance)
    table = Table("metric", "model", "data against data", box=None)
    for name, value in values.items():
        table.add_row(name, f"{value:.4g}", f"{floor[name]:.4g}" if name in floor else "")
    console.print(table)


@app.command(
    rich_help_panel="Models",
    epilog="Example: kinesphere train-encoder ffhq.pkl --pictures faces.zip --out ffhq.encoder.safetensors",
)
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
    G = generator_of(model, device)
    course = encoder_training.Course(
        G, steps, None if pictures is None else shown(open_set(pictures, G.img_resolution), seed), batch, seed=seed,
        class_index=class_index, start=None if start is None else Encoder.load(start),
    )  # fmt: skip
    if not encoder_training.begun(out):
        vacant(out, overwrite)
    with stopping.Stop() as stop, counting("learning", steps) as advance:
        for lesson in encoder_training.kept(course, out):
            advance(lesson.steps)
            if stop.asked:
                break
    console.print(f"{out}: {course.words}")


@app.command(
    rich_help_panel="Models", epilog="Example: kinesphere shrink ffhq.pkl --for 30 --out ffhq-small.safetensors"
)
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
    vacant(out, overwrite)
    teacher = checkpoints.load(model)
    G = teacher.G_ema.to(chosen_device(device))
    pupil = students.fitting(G, rate=rate) if rate else students.fitting(G, times)
    judge = None
    if teacher.D is not None:
        teacher.D.to(G.w_avg.device)
        judge = perceptual.judged(teacher)
    course = students.Course(G, pupil, steps, judge)
    with stopping.Stop() as stop, counting("learning", steps) as advance:
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


@app.command(
    rich_help_panel="Models", epilog="Example: kinesphere convert network-snapshot-025000.pkl ffhq.safetensors --half"
)
def convert(
    source: Annotated[str, typer.Argument(help="Any checkpoint that can be loaded.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write.")],
    half: Annotated[bool, typer.Option("--half", help="Store half precision: half the size.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn any checkpoint into Kinesphere's own format, which loads fast and holds no code."""
    vacant(target, overwrite)
    checkpoints.convert(source, target, torch.float16 if half else torch.float32)
    console.print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


@app.command(rich_help_panel="Models", epilog="Example: kinesphere inspect network-snapshot-025000.pkl")
def inspect(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a checkpoint is, without running anything in it."""
    card = checkpoints.inspect(model).asdict()
    if as_json:
        print(json.dumps(card, indent=2))
        return
    table = two_columns()
    for key, value in card.items():
        for line in value if isinstance(value, list) else [value]:
            table.add_row(key.replace("_", " "), f"{line:,}" if key == "parameters" else str(line))
            key = ""
    console.print(table)


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
