"""How a picture was made, written into the picture itself, so that it can be made again, bit for bit."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from kinesphere import __version__, files, latent
from kinesphere.models import Generator
from kinesphere.models.generator import noise_from
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.studio.latents import Fingerprint, Latent, draw
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
        except (KeyError, TypeError, IndexError):
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
        raise KinesphereError(DAMAGED)


def save(picture: np.ndarray, path: Path, recipe: Recipe) -> Path:
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
        with Image.open(path, formats=["PNG"]) as image:
            text: dict[str, str] = image.text  # type: ignore[attr-defined]  # Pillow's PNGs have it
    except (OSError, ValueError, SyntaxError) as error:
        raise KinesphereError(f"{path.name} is no PNG that can be read: {files.reason(error)}") from None
    if KEY not in text:
        raise KinesphereError(f"{path.name} holds no recipe: it was not made by kinesphere, or was saved anew since")
    try:
        parts = [KEY, *(f"{KEY} {i}" for i in range(2, LONGEST // PART + 1))]
        return Recipe.from_json("".join(str(text[part]) for part in parts if part in text))
    except KinesphereError as error:
        raise KinesphereError(f"{path.name}: {error}") from None


# What there is to make --------------------------------------------------------------------------------------------------


def _seed(drawing: sheets.Drawing, seed: int, psi: float) -> np.ndarray:
    return next(drawing.pictures(drawing.ws([seed], psi)))


def _latent(drawing: sheets.Drawing, held: str) -> np.ndarray:
    place = Latent.from_bytes(base64.b64decode(held))
    with noise_from(torch.Generator(drawing.G.w_avg.device).manual_seed(drawing.noise_seed)):
        return to_pixels(draw(drawing.G, place, drawing.noise_mode))[0].cpu().numpy()


def _psi_sheet(drawing: sheets.Drawing, seeds: list[int], psis: list[float]) -> np.ndarray:
    return drawing.psi_sheet(seeds, psis)


def _mix_sheet(
    drawing: sheets.Drawing, seeds: list[int], others: list[int], title: str, rows: list[int], psi: float
) -> np.ndarray:
    return drawing.mix_sheet(seeds, others, title, slice(*rows), psi)


MADE: dict[str, Callable[..., np.ndarray]] = {
    "seed": _seed,
    "latent": _latent,
    "psi_sheet": _psi_sheet,
    "mix_sheet": _mix_sheet,
}


def of_latent(place: Latent, model: str, told: Fingerprint, noise_mode: str = "const", noise_seed: int = 0) -> Recipe:
    """Of a kept latent, which is held in it whole."""
    return Recipe(named(model), told, "latent", held(place), place.class_index, noise_mode, noise_seed)


def held(place: Latent) -> dict[str, str]:
    """A latent whole, as the arguments of "latent"."""
    return {"held": base64.b64encode(place.to_bytes()).decode()}


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
