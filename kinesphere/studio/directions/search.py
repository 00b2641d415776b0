"""Ways to find directions in a model, by name, and what each is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from kinesphere.features.region import WHOLE, Region, checked_region
from kinesphere.models import Generator
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.directions.labelling import Labels
from kinesphere.studio.directions.labels import Learnt, learn
from kinesphere.studio.directions.measures import Measure, labels_of, latents
from kinesphere.studio.directions.pca import pca, warning
from kinesphere.studio.directions.reach import Reach
from kinesphere.studio.directions.sefa import sefa
from kinesphere.studio.directions.stylespace import StyleSpace
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

Progress = Callable[[int, int], None]
MEASURED = 1000  # pictures that a measure labels


@dataclass(frozen=True)
class Search:
    """What is sought in a model, and how."""

    by: str  # a name of WAYS
    k: int = 8  # how many, at most
    rows: str = "all"  # that they move; of sefa the layers, too, whose weights are looked at
    class_index: int = 0
    seed: int = 0  # of what is drawn at random
    layer: str = ""  # of pca: whose activations; "" is W itself
    count: int | None = None  # of pca and of a measure: latents that are looked at; None is as many as are wanted
    labels: Path | None = None  # of labels: a table, or what was kept of labelling
    kind: str = "yes-no"  # of a table: a name of labels.KINDS
    measure: Measure | None = None  # of labels: what gives them instead
    name: str = ""  # of the direction that is learnt from labels
    region: Region | None = None  # of stylespace and here: left, top, right, bottom, parts of the picture

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise KinesphereError(f"no way {self.by!r} to find directions: there are {', '.join(WAYS)}")
        for field in fields(self):
            ways = ONLY.get(field.name, tuple(WAYS))
            if self.by not in ways and getattr(self, field.name) != field.default:
                raise KinesphereError(
                    f"{field.name} is for {' and '.join(ways)}: leave it out, or choose one of these ways"
                )

    def run(
        self, G: Generator, place: Latent, told: Fingerprint, on_step: Progress = lambda done, of: None
    ) -> list[Direction]:
        """The directions, the first ones first. `place`: the picture that is looked at, where the way looks at one.

        Raises KinesphereError as the way that was chosen, and where it lacks something.
        """
        return WAYS[self.by](self, G, place, told, on_step)


ONLY = {
    "layer": ("pca",), "count": ("pca", "labels"), "labels": ("labels",), "kind": ("labels",), "measure": ("labels",),
    "name": ("labels",), "region": ("stylespace", "here"),
}  # fmt: skip
"""What is told to some of WAYS alone."""


def region_of(text: str) -> Region | None:
    """ "0.3,0.6,0.7,0.9" as four numbers; None of "". Raises KinesphereError for what is no region."""
    if not text:
        return None
    try:
        return checked_region([float(edge) for edge in text.split(",")])
    except ValueError:
        raise KinesphereError(
            f"region {text!r}: give left, top, right, bottom as parts of the picture, as 0.3,0.6,0.7,0.9"
        ) from None


def notes(found: Sequence[Direction]) -> list[str]:
    """What is to be known of directions before they are trusted."""
    said = [
        f"{one.name}: labels that it had not seen are told with a score of {one.found['score']:.2f} "
        f"+- {one.found['error']:.2f} (chance {one.found['chance']:g}); its arrow may be {one.found['angle']:.0f} degrees off"
        for one in found
        if one.found.get("by") == "labels"
    ]
    return [*said, *filter(None, [warning(found)])]


# The ways -------------------------------------------------------------------------------------------------------------


def _pca(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    return pca(G, sought.k, sought.count, sought.layer, sought.rows, sought.class_index, sought.seed, told, on_step)


def _sefa(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    return sefa(G, sought.k, sought.rows, sought.class_index, told)


def _labels(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    if (sought.labels is None) == (sought.measure is None):
        raise KinesphereError("labels come from a table or from a measure: give one of the two")
    learnt = _told(sought, G, told) if sought.labels else _measured(sought, G, told, on_step)
    return [replace(learnt.direction(), rows=sought.rows)]


def _stylespace(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    if sought.region is None:
        raise KinesphereError("channels are found by where they act: give a region, as 0.3,0.6,0.7,0.9")
    if sought.rows != "all":
        raise KinesphereError(f"rows {sought.rows}: a channel is of one layer, and moves no rows: leave them out")
    space = StyleSpace.of(G, sought.class_index, told)
    reach = Reach.of(G, space, class_index=sought.class_index, on_picture=on_step)
    return reach.inside(sought.region, count=sought.k)


def _here(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    region = sought.region or WHOLE
    ws = place.ws(G, told)
    return sliders(G, ws, region, sought.k, rows=sought.rows, class_index=sought.class_index, told=told)


WAYS: Mapping[str, Callable[[Search, Generator, Latent, Fingerprint, Progress], list[Direction]]] = {
    "pca": _pca,
    "sefa": _sefa,
    "labels": _labels,
    "stylespace": _stylespace,
    "here": _here,
}
ABOUT = {
    "pca": "where natural latents, or what a layer makes of them, differ most (GANSpace)",
    "sefa": "what the weights of the layers react to most (SeFa)",
    "labels": "what labels of pictures say, from a table or a measure",
    "stylespace": "single channels that act in a region",
    "here": "what changes one picture most, or a region of it",
}


def _told(sought: Search, G: Generator, told: Fingerprint) -> Learnt:
    """From a table, or from labels that were kept."""
    path = Path(str(sought.labels))
    if path.suffix == ".json":
        labels = Labels.read(path)
    else:
        labels = Labels(sought.name or path.stem, sought.kind, told, sought.class_index).with_csv(path)
    return labels.learnt(labels.w(G, told), natural(G, labels.class_index), seed=sought.seed)


def _measured(sought: Search, G: Generator, told: Fingerprint, on_step: Progress) -> Learnt:
    assert sought.measure is not None
    seeds, index = range(sought.count or MEASURED), sought.class_index
    values = labels_of(G, sought.measure, seeds, class_index=index, progress=on_step)
    w = latents(G, seeds, class_index=index)[:, 0].cpu()
    return learn(w, values, natural(G, index), "graded", seed=sought.seed, name=sought.name, model=told, seeds=seeds)
