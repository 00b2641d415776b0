"""What a search found in a model, what chance would do beside it, and the sheet that shows both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinesphere.models import Generator
from kinesphere.studio import recipes
from kinesphere.studio.directions import control, files, strips
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.edits import REACH
from kinesphere.studio.directions.importance import importance
from kinesphere.studio.directions.search import Progress, Search, notes
from kinesphere.studio.directions.words import words
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.subjects import Subject


@dataclass(frozen=True)
class Survey:
    """Directions, with what was seen of them."""

    found: Sequence[Direction]
    carried: Sequence[str]  # the rows that carry each; none where that was not asked
    compared: control.Comparison  # with random directions
    sheet: recipes.Recipe  # strips along each, and along some that are random

    @classmethod
    def of(
        cls,
        G: Generator,
        model: str,
        sought: Search,
        subject: Subject,
        frames: int = strips.FRAMES,
        reach: float = REACH,
        centred: bool = False,
        on_step: Progress = lambda done, of: None,
    ) -> Survey:
        """Of `G`, which was called `model`. `subject`: whose picture is on the sheet, all else of which is as of `strips.sheet`.

        Raises KinesphereError as `Search.run` and `Subject.latent`.
        """
        told, index = Fingerprint.of(G), sought.class_index
        place = subject.latent(G, told, on_step=on_step)
        found = sought.run(G, place, told, on_step)
        chance = control.random_directions(G, control.COUNT, sought.seed, sought.rows, index, told)
        carried = [importance(G, one, class_index=index, told=told).carrying for one in found] if sought.where else []
        compared = control.compared(G, found, chance, class_index=index, told=told)
        shown = [*found, *chance[: control.SHOWN]]
        return cls(found, carried, compared, recipes.of_strips(told, model, place, shown, frames, reach, centred))

    def write(self, G: Generator, file: Path, picture: Path, on_step: Progress = lambda done, of: None) -> None:
        """The directions into `file`, the sheet into `picture`, which holds its recipe."""
        recipes.save(self.sheet.draw(G, on_step), picture, self.sheet)
        files.write(file, self.found)

    @property
    def table(self) -> Mapping[str, Sequence[str]]:
        """What there is to say of each, by columns."""
        columns = {
            "name": [one.name for one in self.found],
            "sigma": [f"{one.sigma:.3g}" for one in self.found],
            "rows": [one.rows for one in self.found],
            "found": [words(one.found) for one in self.found],
            "distinct": ["yes" if one.found.get("distinct", True) else "no" for one in self.found],
        }
        return {**columns, "carried by": self.carried} if self.carried else columns

    @property
    def notes(self) -> list[str]:
        """What is to be known before they are trusted, and how much better than chance they are."""
        return [*notes(self.found), self.compared.words]
