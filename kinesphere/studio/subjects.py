"""Whose picture is to be edited: a seed's, a kept latent's, one that kinesphere made, or any other, which is projected first."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.studio import albums, alignment, efforts, recipes
from kinesphere.studio.batch import as_goal
from kinesphere.studio.framing import Framing
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

LATENTS = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".pkl")


@dataclass(frozen=True)
class Subject:
    """What was named, before a model has met it."""

    name: str  # a seed, or a file
    psi: float = 0.7  # truncation of a seed
    class_index: int = 0  # of a seed, and of a picture that is projected
    effort: str = "quick"  # a name of efforts.EFFORTS: how much is done to project a picture
    align: str = "middle"  # which square of a picture, a name of framing.ALIGNS

    @property
    def model(self) -> str | None:
        """Whose picture it is; None where any model will do."""
        return self.recipe.model if self.recipe else None

    @property
    def noise(self) -> dict[str, Any]:
        """How the noise of a picture that kinesphere made was drawn, as arguments of a `Recipe`; of others nothing."""
        return {"noise_mode": self.recipe.noise_mode, "noise_seed": self.recipe.noise_seed} if self.recipe else {}

    @cached_property
    def recipe(self) -> recipes.Recipe | None:
        """Of a picture that kinesphere made. Raises KinesphereError where it is damaged, and for a file that there is not."""
        if self.name.isdecimal():
            return None
        path = Path(self.name).expanduser()
        if not path.is_file():
            raise KinesphereError(f"there is no file {self.name!r}: give a seed, a picture, or a latent that was kept")
        if path.suffix.lower() != ".png" or not recipes.has(path):
            return None
        return recipes.read(path)

    def latent(
        self,
        G: Generator,
        told: Fingerprint,
        in_z: bool = False,
        on_step: Callable[[int, int], None] = lambda done, of: None,
    ) -> Latent:
        """Where `G` has it. `in_z`: a seed's z itself, for directions of Z.

        Raises KinesphereError for a file that there is not, a sheet of pictures, a picture or a latent of another model, and as
        `efforts.begun` and `Framing`.
        """
        if self.name.isdecimal():
            seed = latent.parse_seeds(self.name)[0]
            if not in_z:
                return Latent.of_seed(G, seed, self.psi, self.class_index)
            z = latent.seed_to_z(seed, G.z_dim)[0]
            return Latent(z, "z", self.class_index, self.psi, model=told, origin={"seed": seed})
        try:
            if recipe := self.recipe:
                return _of_recipe(G, recipe, told)
            if Path(self.name).suffix not in LATENTS:
                return self._projected(G, told, on_step)
            place = Latent.load(self.name)
            place.check(G, told)
            return place
        except KinesphereError as error:
            said, file = str(error), Path(self.name).name
            raise type(error)(said if file in said else f"{file}: {said}") from None

    def _projected(self, G: Generator, told: Fingerprint, on_step: Callable[[int, int], None]) -> Latent:
        framing = Framing(G, self.align, self.class_index)
        picture = albums.read(Path(self.name).expanduser())
        square = alignment.aligned(picture, framing(picture), G.img_resolution)
        projection = efforts.begun(
            G, as_goal(square, G), self.effort, class_index=self.class_index, chart=framing.chart, told=told
        )
        for step in projection:
            on_step(step.done, step.of)
        return projection.latents()[0]


def _of_recipe(G: Generator, recipe: recipes.Recipe, told: Fingerprint) -> Latent:
    """What a picture was drawn of."""
    recipe.check(told)
    try:
        if recipe.what == "latent":
            return Latent.from_bytes(base64.b64decode(recipe.of["held"]))
        if recipe.what == "seed":
            return Latent.of_seed(G, recipe.of["seed"], recipe.of["psi"], recipe.class_index, recipe.cutoff)
    except (KeyError, TypeError, binascii.Error):
        raise KinesphereError(recipes.DAMAGED) from None
    raise KinesphereError("it shows several pictures: give one that shows a single one")
