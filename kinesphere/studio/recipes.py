"""How a picture was made, written into the picture itself, so that it can be made again, bit for bit."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from kinesphere import __version__, files, latent
from kinesphere.models import Generator
from kinesphere.studio import blending, centres, sheets
from kinesphere.studio.centres import Centres
from kinesphere.studio.directions import Direction, strips
from kinesphere.studio.directions import files as direction_files
from kinesphere.studio.directions.edits import REACH
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

KEY = "kinesphere"  # of the text in a PNG
LONGEST = 2**25  # characters of a recipe: one with the noise maps of 1024 px has half of that
PART = 2**19  # characters of one text: Pillow reads no longer ones than a million
DAMAGED = "its recipe is damaged"


@dataclass(frozen=True)
class Recipe:
    """One picture: of which model, how drawn, and what of."""

    model: str  # a built-in name, an address or a file's name; never a path
    fingerprint: Fingerprint
    what: str  # a name of MADE
    of: Mapping[str, Any]  # its arguments, plain JSON
    class_index: int = 0
    noise_mode: str = "const"
    noise_seed: int = 0  # of noise that is drawn afresh
    cutoff: int | None = None  # rows from here on are not truncated

    def check(self, found: Fingerprint) -> None:
        """Raise KinesphereError where the model is another than it was made with."""
        if found.whole != self.fingerprint.whole:
            raise KinesphereError(f"this picture was made with another model ({self.model}): say which with --model")

    def draw(self, G: Generator, on_picture: Callable[[int, int], None] = lambda done, of: None) -> np.ndarray:
        """The picture, [H, W, 3] uint8, of the model that it names. Raises KinesphereError for one that is damaged."""
        drawing = sheets.Drawing(G, self.class_index, self.noise_mode, self.cutoff, self.noise_seed, on_picture)
        try:
            return MADE[self.what](drawing, **self.of)
        except (KeyError, TypeError, IndexError, binascii.Error):
            raise KinesphereError(DAMAGED) from None

    def to_json(self) -> str:
        said = {
            "kinesphere": __version__,
            "model": {"name": self.model, "whole": self.fingerprint.whole, "mapping": self.fingerprint.mapping},
            "class": self.class_index,
            "noise": self.noise_mode,
            "noise_seed": self.noise_seed,
            "cutoff": self.cutoff,
            "what": self.what,
            "of": dict(self.of),
        }
        return json.dumps(said)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Raises KinesphereError for what is no recipe."""
        try:
            said = json.loads(text) if len(text) <= LONGEST else None
        except (ValueError, RecursionError):
            said = None
        match said:
            case {
                "model": {"name": str(name), "whole": str(whole), "mapping": str(mapping)},
                "class": int(index),
                "noise": str(noise),
                "noise_seed": int(seed),
                "cutoff": int() | None as cutoff,
                "what": str(what),
                "of": dict(of),
            } if what in MADE:
                return cls(name, Fingerprint(whole, mapping), what, of, index, noise, seed, cutoff)
            case {"keys": _}:
                raise KinesphereError("it is of a film: kinesphere walk --recipe makes that again")
        raise KinesphereError(DAMAGED)


class Told(Protocol):
    """What says how something was made: a `Recipe` of a picture, a `sidecars.Sidecar` of a film."""

    def to_json(self) -> str: ...


def save(picture: np.ndarray, path: Path, recipe: Told) -> Path:
    """Write a PNG [H, W, 3] uint8 with its recipe, whole or not at all. Raises KinesphereError where it cannot be written."""
    text = PngImagePlugin.PngInfo()
    said = recipe.to_json()
    for i in range(0, len(said), PART):
        text.add_text(KEY if i == 0 else f"{KEY} {i // PART + 1}", said[i : i + PART], zip=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, lambda unfinished: Image.fromarray(picture).save(unfinished, format="PNG", pnginfo=text))
    except OSError as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None
    return path


def read(path: Path) -> Recipe:
    """The recipe of a PNG. Raises KinesphereError, naming the file, where it has none."""
    try:
        return Recipe.from_json(text_of(path))
    except KinesphereError as error:
        raise KinesphereError(f"{path.name}: {error}") from None


def has(path: Path) -> bool:
    """Whether a file is a PNG that tells how it was made."""
    try:
        return bool(text_of(path))
    except KinesphereError:
        return False


def text_of(path: Path) -> str:
    """What a PNG tells of how it was made. Raises KinesphereError where it tells nothing."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            text: dict[str, str] = image.text  # type: ignore[attr-defined]  # Pillow's PNGs have it
    except (OSError, ValueError, SyntaxError) as error:
        raise KinesphereError(f"it is no PNG that can be read: {files.reason(error)}") from None
    if KEY not in text:
        raise KinesphereError("it holds no recipe: it was not made by kinesphere, or was saved anew since")
    parts = [KEY, *(f"{KEY} {i}" for i in range(2, LONGEST // PART + 1))]
    return "".join(str(text[part]) for part in parts if part in text)


# What there is to make --------------------------------------------------------------------------------------------------


def _seed(drawing: sheets.Drawing, seed: int, psi: float) -> np.ndarray:
    return next(drawing.pictures(drawing.ws([seed], psi)))


def _latent(drawing: sheets.Drawing, held: str) -> np.ndarray:
    return drawing.picture(Latent.from_bytes(base64.b64decode(held)))


def _psi_sheet(drawing: sheets.Drawing, seeds: list[int], psis: list[float]) -> np.ndarray:
    return drawing.psi_sheet(seeds, psis)


def _mix_sheet(
    drawing: sheets.Drawing, seeds: list[int], others: list[int], title: str, rows: list[int], psi: float
) -> np.ndarray:
    return drawing.mix_sheet(seeds, others, title, slice(*rows), psi)


def _blend_sheet(
    drawing: sheets.Drawing, a: str, b: str, white: str | None, columns: int, spread: float, softness: float
) -> np.ndarray:
    first, second = (Latent.from_bytes(base64.b64decode(place)) for place in (a, b))
    masks = None if white is None else blending.painted(io.BytesIO(base64.b64decode(white)))
    return blending.sheet(drawing.G, first, second, masks, columns, spread, softness, drawing.on_picture)


def _centres_sheet(drawing: sheets.Drawing, w: list[list[float]], shares: list[float]) -> np.ndarray:
    return centres.sheet(drawing, torch.tensor(w), shares)


def _strips_sheet(
    drawing: sheets.Drawing, held: str, directions: str, frames: int, reach: float, centred: bool
) -> np.ndarray:
    place = Latent.from_bytes(base64.b64decode(held))
    found = direction_files.from_bytes(base64.b64decode(directions))
    return strips.sheet(drawing, place, found, frames, reach, centred)


MADE: dict[str, Callable[..., np.ndarray]] = {
    "seed": _seed,
    "latent": _latent,
    "psi_sheet": _psi_sheet,
    "mix_sheet": _mix_sheet,
    "blend_sheet": _blend_sheet,
    "centres_sheet": _centres_sheet,
    "strips_sheet": _strips_sheet,
}


def of_latent(place: Latent, model: str, told: Fingerprint, noise_mode: str = "const", noise_seed: int = 0) -> Recipe:
    """Of a kept latent, which is held in it whole."""
    return Recipe(named(model), told, "latent", held(place), place.class_index, noise_mode, noise_seed)


def of_blend(
    G: Generator, model: str, a: Latent, b: Latent, masks: Tensor | None, columns: int, spread: float, softness: float
) -> Recipe:
    """Of `blending.sheet`, whose latents and masks it holds whole. The masks are those of a picture: eight bits."""
    white = None
    if masks is not None:
        file = io.BytesIO()
        Image.fromarray((masks[1, 0] * 255).round().to(torch.uint8).numpy()).save(file, "PNG")
        white = base64.b64encode(file.getvalue()).decode()
    of = {"a": encoded(a), "b": encoded(b), "white": white, "columns": columns, "spread": spread, "softness": softness}
    return Recipe(named(model), Fingerprint.of(G), "blend_sheet", of)


def of_centres(found: Centres, model: str) -> Recipe:
    """Of `centres.sheet`, whose centres it holds."""
    of = {"w": found.w.tolist(), "shares": found.shares.tolist()}
    return Recipe(named(model), found.model, "centres_sheet", of, found.class_index)


def of_strips(
    told: Fingerprint,
    model: str,
    place: Latent,
    directions: Sequence[Direction],
    frames: int = strips.FRAMES,
    reach: float = REACH,
    centred: bool = False,
) -> Recipe:
    """Of `strips.sheet`, whose latent and directions it holds whole. No two directions share a name."""
    held_whole = base64.b64encode(direction_files.to_bytes(directions)).decode()
    of = {**held(place), "directions": held_whole, "frames": frames, "reach": reach, "centred": centred}
    return Recipe(named(model), told, "strips_sheet", of, place.class_index)


def towards(found: Centres, G: Generator, wanted: Sequence[Recipe]) -> list[Recipe]:
    """The pictures that are wanted of seeds, truncated towards centres instead of the mean; each recipe holds its latent.

    Raises KinesphereError for what is no picture of one seed, or of another class.
    """
    if any(recipe.what != "seed" for recipe in wanted):
        raise KinesphereError(
            "--centres is for one picture of each seed: leave out --psi-grid, --mix, --latent, --recipe"
        )
    if any(recipe.class_index != found.class_index for recipe in wanted):
        raise KinesphereError(f"these are the centres of class {found.class_index}: say --class {found.class_index}")
    places = [found.towards(G, recipe.of["seed"], recipe.of["psi"], recipe.cutoff) for recipe in wanted]
    return [replace(recipe, what="latent", of=held(place)) for recipe, place in zip(wanted, places, strict=True)]


def held(place: Latent) -> dict[str, str]:
    """A latent whole, as the arguments of "latent"."""
    return {"held": encoded(place)}


def encoded(place: Latent) -> str:
    """A latent whole, as text."""
    return base64.b64encode(place.to_bytes()).decode()


def named(model: str) -> str:
    """What a recipe calls a model: what was typed, without folders."""
    return model if "://" in model else Path(model).name


@dataclass(frozen=True)
class Order:
    """Pictures that are asked for: one for each seed, or one sheet, or a kept latent, or a picture once more."""

    seeds: Sequence[int]
    psi: float
    psi_grid: int = 0  # how many psi; 0: no such sheet
    others: Sequence[int] = ()  # seeds whose rows are mixed in; none: no such sheet
    rows: str = "coarse"
    place: Path | None = None
    made: Path | None = None

    def names(self) -> list[str]:
        """What each is called."""
        if again := self.made or self.place:
            return [again.stem]
        if self.psi_grid:
            return [f"psi-seeds{self.seeds[0]}-{self.seeds[-1]}"]
        return [f"mix-{self.rows}"] if self.others else [f"seed{seed:04d}" for seed in self.seeds]

    @property
    def model(self) -> str | None:
        """The model that a picture was made with; None where any will do."""
        return read(self.made).model if self.made else None

    def recipes(
        self, G: Generator, model: str, class_index: int, noise_mode: str, cutoff: int | None, chosen: slice
    ) -> list[Recipe]:
        """One for each of `names`; `chosen` are the rows that are meant. Raises KinesphereError for what is not of `G`."""
        told = Fingerprint.of(G)
        if self.made:
            again = read(self.made)
            again.check(told)
            return [again]
        name = named(model)
        wanted = self._wanted(G, chosen)
        return [Recipe(name, told, what, of, class_index, noise_mode, i, cutoff) for i, (what, of) in enumerate(wanted)]

    def _wanted(self, G: Generator, chosen: slice) -> list[tuple[str, Mapping[str, Any]]]:
        if self.place:
            place = Latent.load(self.place)
            place.check(G)
            return [("latent", held(place))]
        if self.psi_grid:
            return [("psi_sheet", {"seeds": list(self.seeds), "psis": latent.psi_grid(self.psi_grid).tolist()})]
        if self.others:
            return [
                ("mix_sheet", {"seeds": list(self.seeds), "others": list(self.others), "title": self.rows,
                               "rows": [chosen.start, chosen.stop], "psi": self.psi})
            ]  # fmt: skip
        return [("seed", {"seed": seed, "psi": self.psi}) for seed in self.seeds]
