"""The verbs of what a latent space means: directions are found, gone along, and asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

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
    explained,
    generator_of,
    interruptible,
    vacant,
)
from kinesphere.studio import efforts, findings, framing, recipes, subjects
from kinesphere.studio.directions import STOP, edits, search, strips
from kinesphere.studio.directions.labels import BETWEEN, KINDS, METHODS
from kinesphere.studio.directions.measures import MEASURES
from kinesphere.studio.directions.survey import Survey
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.representations import SPACES
from kinesphere.train import measuring, probing
from kinesphere.train.metrics import FEATURES as MEASURED


@app.command(
    rich_help_panel="Directions",
    epilog="Example: kinesphere directions ffhq.pkl --by sefa --rows middle --out ffhq-sefa.safetensors",
)
def directions(
    model: Annotated[str, typer.Argument(help="A checkpoint: a path, a URL, or a built-in name.")] = "portraits",
    by: Annotated[str, typer.Option(help=f"How: {explained(search.ABOUT)}.")] = "pca",
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
        vacant(path, overwrite) for path in (out.with_suffix(".safetensors"), sheet or out.with_suffix(".png"))
    )
    sought = search.Search(
        by, k, rows, class_index, seed, layer, count, labels, kind,
        measure=measuring.attribute(measure) if measure else None, name=name, method=method, between=between,
        against=tuple(against or ()), region=search.region_of(region), where=where,
    )  # fmt: skip
    subject, G = subjects.Subject(on, psi, class_index), generator_of(model, device)
    with interruptible("stopped: nothing was written"), counting("seeking", 0) as advance:
        survey = Survey.of(G, model, sought, subject, frames, reach, centred, advance)
        survey.write(G, file, picture, advance)
    table = Table(*survey.table, box=None)
    for row in zip(*survey.table.values(), strict=True):
        table.add_row(*row)
    console.print(table)
    console.print(*survey.notes, f"{file} and {picture}", sep="\n")


@app.command(
    rich_help_panel="Directions",
    epilog="Example: kinesphere edit 14 --direction pc1=2 --direction people.safetensors#age=-1 --out older.png",
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
    align: Annotated[str, typer.Option(help=f"Which square of it: {explained(framing.ALIGNS)}.")] = "middle",
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("edited.png"),
    keep: Annotated[Path | None, typer.Option(help="Keep the edited latent, too, as .safetensors.")] = None,
    class_index: Class = 0,
    overwrite: Overwrite = False,
    device: Device = "auto",
) -> None:
    """Edit one picture along directions: a seed's, a kept latent's, or your own."""
    path = vacant(out.with_suffix(".png"), overwrite)
    for written in [keep] if keep else []:
        vacant(written, overwrite)
    asked = [edits.asked(text, free, strip) for text in direction]
    shown = subjects.Subject(subject, psi, class_index, effort, align)
    name = model or shown.model or "portraits"
    G = generator_of(name, device)
    told = Fingerprint.of(G)
    along = edits.found(G, asked, rows, placed, told, class_index)
    with interruptible("stopped: nothing was written"), counting("looking", 0) as advance:
        place = shown.latent(G, told, any(each.direction.space == "z" for each in along), advance)
        moved = edits.edited(G, place, along, told)
        recipe = _strips_of(along, place, name, told) if strip else recipes.of_latent(moved, name, told)
        recipe = replace(recipe, **shown.noise)
        recipes.save(recipe.draw(G, advance), path, recipe)
        kept = [moved.save(keep)] if keep else []
    console.print(f"{' and '.join(map(str, [path, *kept]))}: {edits.words(G, place, moved, along, told)}")


@app.command(
    rich_help_panel="Directions", epilog="Example: kinesphere probe ffhq.pkl --labels smiles.csv --out ffhq-probes.html"
)
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
        vacant(path, overwrite)
    asked = probing.judged(range(seed, seed + count)) if labels == "judge" else probing.tabled(Path(labels), count)
    checkpoint = checkpoints.load(model)
    for network in checkpoint.networks().values():
        network.to(chosen_device(device))
    wanted, features = ([name for name in text.split(",") if name] for text in (spaces, eyes))
    with interruptible("stopped: nothing was written"), counting("probing", 0) as advance:
        found = probing.knowledge(checkpoint, asked, class_index, wanted or None, features, advance)
    facts = {"pictures": f"{len(asked.seeds):,}", "labels by": Path(labels).name, "class": str(class_index)}
    page, numbers = findings.write(found, Path(model).stem, facts, out)
    console.print("\n".join([*findings.words(found), f"{page}, with its numbers in {numbers}"]))


def _strips_of(along: list[edits.Edit], place: Latent, model: str, told: Fingerprint) -> recipes.Recipe:
    """A sheet of what was asked for: a line for each, all as far as the one that goes furthest."""
    reach = max(abs(each.amount) for each in along)
    return recipes.of_strips(
        told, model, place, [each.direction for each in along], reach=reach, centred=along[0].placed
    )
