"""Ways to find directions in a model, by name, and what each is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from kinesphere.features.region import WHOLE, checked_region
from kinesphere.models import Generator
from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.directions.known import find
from kinesphere.studio.directions.labelling import Labels
from kinesphere.studio.directions.labels import BETWEEN, KINDS, Learnt, learn, orthogonal
from kinesphere.studio.directions.measures import Measure, labels_of, latents
from kinesphere.studio.directions.pca import pca, warning
from kinesphere.studio.directions.reach import Effects, Reach
from kinesphere.studio.directions.regions import Painted, fitted, mask
from kinesphere.studio.directions.sefa import sefa
from kinesphere.studio.directions.stylespace import StyleSpace
from kinesphere.studio.directions.words import ends
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

Progress = Callable[[int, int], None]
MEASURED = 1000  # pictures that a measure labels


class Attribute(NamedTuple):
    """What pictures have more or less of: what it is called, and what tells how much."""

    name: str
    measure: Measure


@dataclass(frozen=True)
class Search:
    """What is sought in a model, and how."""

    by: str  # a name of WAYS
    k: int = 8  # how many, at most
    rows: str = "all"  # that they move; of sefa the layers, too, whose weights are looked at
    class_index: int = 0
    seed: int = 0  # of what is drawn at random
    layer: str = ""  # of pca: whose activations; "" is W itself
    count: int | None = (
        None  # of pca and of a measure's labels: latents that are looked at; None is as many as are wanted
    )
    labels: Path | None = None  # of labels: a table, or what was kept of labelling, a .json
    kind: str = "yes-no"  # of a table: a name of labels.KINDS
    measure: Attribute | None = None  # of labels: what gives them instead; of stylespace: what channels are to change
    name: str = ""  # of the direction that is learnt from labels; "" is the table's, or the measure's
    method: str = ""  # of labels: a name of labels.METHODS; "" is the first that KINDS has
    between: float = BETWEEN  # of labels: 0, what separates, to 1, what belongs to the data
    against: tuple[str, ...] = ()  # of labels: directions that are left alone, as `known.find` knows them
    region: Painted | None = None  # of stylespace and here: a box, or a mask of any size
    where: bool = False  # whether to tell which rows carry each

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise KinesphereError(f"no way {self.by!r} to find directions: there are {', '.join(WAYS)}")
        for name in self._told:
            if self.by not in (ways := ONLY.get(name, tuple(WAYS))):
                raise KinesphereError(f"{name} is for {' and '.join(ways)}: leave it out, or choose one of these ways")
        if self.by == "labels":
            self._check_labels()
        if self.by == "stylespace":
            self._check_channels()

    @cached_property
    def kept(self) -> Labels | None:
        """What was kept of labelling, where `labels` names that and no table. Raises KinesphereError as `Labels.read`."""
        return Labels.read(self.labels) if self.labels and self.labels.suffix.lower() == ".json" else None

    @property
    def _told(self) -> list[str]:
        """The fields that were given something."""
        each = ((field, getattr(self, field.name)) for field in fields(self))
        return [
            field.name
            for field, value in each
            if value is not None and (field.default is None or value != field.default)
        ]

    def _check_labels(self) -> None:
        if (self.labels is None) == (self.measure is None):
            raise KinesphereError("labels come from a table or from a measure: give one of the two")
        source = "a measure" if self.measure else "labels that were kept" if self.kept else "a table"
        for name in self._told:
            if name in WITHOUT[source]:
                raise KinesphereError(f"{name} says nothing to {source}: leave it out")
        if self.kept and self.kept.class_index != self.class_index:
            raise KinesphereError(
                f"these labels are of pictures of class {self.kept.class_index}: say --class {self.kept.class_index}"
            )
        kind = "graded" if self.measure else self.kept.kind if self.kept else self.kind
        if kind not in KINDS:
            raise KinesphereError(f"kind {kind!r}: there are {', '.join(KINDS)}")
        if self.method not in ("", *KINDS[kind]):
            raise KinesphereError(f"no method {self.method!r} for {kind} labels: there are {', '.join(KINDS[kind])}")

    def _check_channels(self) -> None:
        if (self.region is None) == (self.measure is None):
            raise KinesphereError(
                "channels are found by where they act or by what they change: give a region, as 0.3,0.6,0.7,0.9, or a measure"
            )
        if self.rows != "all":
            raise KinesphereError(f"rows {self.rows}: a channel is of one layer, and moves no rows: leave them out")

    def run(
        self, G: Generator, place: Latent, told: Fingerprint, on_step: Progress = lambda done, of: None
    ) -> list[Direction]:
        """The directions, the first ones first. `place`: the picture that is looked at, where the way looks at one.

        Raises KinesphereError as the way that was chosen, and where it lacks something.
        """
        return WAYS[self.by](self, G, place, told, on_step)


ONLY = {
    "layer": ("pca",), "count": ("pca", "labels"), "labels": ("labels",), "kind": ("labels",),
    "measure": ("labels", "stylespace"), "name": ("labels",), "method": ("labels",), "between": ("labels",),
    "against": ("labels",), "region": ("stylespace", "here"), "where": ("pca", "sefa", "labels", "here"),
}  # fmt: skip
"""What is told to some of WAYS alone."""

WITHOUT = {"a measure": ("kind",), "a table": ("count",), "labels that were kept": ("count", "kind", "name")}
"""Where labels come from, and what is not told beside it."""


def region_of(text: str) -> Painted | None:
    """ "0.3,0.6,0.7,0.9" as four numbers, the name of a picture as what is white in it; None of "".

    Raises KinesphereError for what is no region, and as `regions.mask`.
    """
    if not text:
        return None
    if (path := Path(text).expanduser()).suffix.lower() in SUFFIXES:
        return mask(path)
    try:
        return checked_region([float(edge) for edge in text.split(",")])
    except ValueError:
        raise KinesphereError(
            f"region {text!r}: give left, top, right, bottom as parts of the picture, as 0.3,0.6,0.7,0.9, or a mask, a picture"
        ) from None


def notes(found: Sequence[Direction]) -> list[str]:
    """What is to be known of directions before they are trusted."""
    said = [
        f"{one.name}: labels that it had not seen are told with a score of {one.found['score']:.2f} "
        f"+- {one.found['error']:.2f} (chance {one.found['chance']:g}); its arrow may be {one.found['angle']:.0f} degrees off"
        for one in found
        if one.found.get("by") == "labels"
    ]
    shown = [f"{one.name}: {seeds}" for one in found if (seeds := ends(one.examples))]
    return [*said, *shown, *filter(None, [warning(found)])]


# The ways -------------------------------------------------------------------------------------------------------------


def _pca(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    return pca(G, sought.k, sought.count, sought.layer, sought.rows, sought.class_index, sought.seed, told, on_step)


def _sefa(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    return sefa(G, sought.k, sought.rows, sought.class_index, told)


def _labels(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    others = [find(G, name, told, sought.class_index) for name in sought.against]
    learnt = _measured(sought, sought.measure, G, told, on_step) if sought.measure else _told(sought, G, told)
    one = replace(learnt.direction(sought.between), rows=sought.rows)
    return [orthogonal(one, others, natural(G, sought.class_index))]


def _stylespace(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    index, space = sought.class_index, StyleSpace.of(G, sought.class_index, told)
    if sought.region is not None:
        reach = Reach.of(G, space, class_index=index, on_picture=on_step)
        return reach.inside(fitted(sought.region, G.img_resolution), count=sought.k)
    assert sought.measure is not None
    name, measure = sought.measure
    effects = Effects.of(G, space, measure, class_index=index, on_picture=on_step)
    return [replace(one, found={**one.found, "measure": name}) for one in effects.best(0, sought.k)]


def _here(sought: Search, G: Generator, place: Latent, told: Fingerprint, on_step: Progress) -> list[Direction]:
    region = WHOLE if sought.region is None else fitted(sought.region, G.img_resolution)
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
    "stylespace": "single channels that act in a region, or change what a measure tells",
    "here": "what changes one picture most, or a region of it",
}


def _told(sought: Search, G: Generator, told: Fingerprint) -> Learnt:
    """From a table, or from labels that were kept."""
    labels = sought.kept
    if labels is None:
        path, index = Path(str(sought.labels)), sought.class_index
        labels = Labels(sought.name or path.stem, sought.kind, told, index).with_csv(path)
    stats = natural(G, sought.class_index)
    return labels.learnt(labels.w(G, told), stats, sought.method, sought.seed)


def _measured(sought: Search, attribute: Attribute, G: Generator, told: Fingerprint, on_step: Progress) -> Learnt:
    seeds, index, name = range(sought.count or MEASURED), sought.class_index, sought.name or attribute.name
    values = labels_of(G, attribute.measure, seeds, class_index=index, progress=on_step)
    w, stats = latents(G, seeds, class_index=index)[:, 0].cpu(), natural(G, index)
    return learn(w, values, stats, "graded", sought.method, seed=sought.seed, name=name, model=told, seeds=seeds)
