"""A patch: a saved instrument, as a TOML file that holds data and nothing else."""

from __future__ import annotations

import inspect
import json
import math
import re
import tomllib
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, make_dataclass
from fractions import Fraction
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

import tomlkit
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from kinesphere import files
from kinesphere.bends import BENDS
from kinesphere.features import FEATURES
from kinesphere.models import NOISE_MODES
from kinesphere.models.rows import NO_ROWS, are_rows
from kinesphere.routes import Number, OneEuro, Route, Spring
from kinesphere.runtime import ASKED_BACK_ENDS, ASKED_PRECISIONS
from kinesphere.shown import Example, Showing
from kinesphere.sinks import SINKS
from kinesphere.sources import SOURCES
from kinesphere.studio.following import Following
from kinesphere.types import Feature, KinesphereError, Sink, Source, check_all, heard, names_of

MOST_MIXED = 64  # seeds in one mix: each is drawn anew where the latent drifts
MOST_PLACES = 16  # latents that were kept, in one patch: each is read when it is opened
MOST_DIRECTIONS = 64  # in one patch: so many take a millisecond of each picture
MOST_CENTRES = 256  # they are sought when the patch meets the model: 64 in a second, these in ten
DEEPEST = 16  # tables within tables; no patch needs half of that


class BadPatch(KinesphereError):
    """A patch that cannot be played. `problems` names each thing that is wrong, its place and the way out."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n  ".join([f"{where} cannot be played:", *problems]))


@dataclass
class Drive:
    """A vector feature takes hold of some rows."""

    feature: str  # its name in the patch
    amount: Number = 1.0  # 0 leaves the static latent, 1 replaces it


def _drive(value: Any) -> Any:
    return {"feature": value} if isinstance(value, str) else value


@dataclass
class Place:
    """A latent that was kept, and how far the picture goes there."""

    file: str  # that holds it: what `kinesphere project` wrote, or another tool
    amount: Number = 1.0  # 0: it is not there; 1: it is shown as it was kept; what is beyond is held at its end
    rows: str = "all"  # that go there, by a name as in latent.rows; "all": the row that places the picture, too

    def __post_init__(self) -> None:
        if not self.file:
            raise KinesphereError("file: name the file of a latent that was kept")


@dataclass
class Along:
    """How far the latent is moved along a direction."""

    amount: Number = 0.0  # standard deviations; beyond 6 either way it is held there, or `free` beyond 60
    of: str = ""  # "pc3", "sefa2", one that comes with the model such as "smile", or "a_file.safetensors#smile"; "": its own name
    rows: str = ""  # of ws that move, by a name as in latent.rows; "": those that the direction names itself
    set: bool = False  # the latent is set to the amount, wherever it was; otherwise the amount is added
    free: bool = False  # it may leave the map that the model has learnt
    locked: bool = False  # it stays where it is when others are scattered


def _along(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and not isinstance(value, dict):
        raise KinesphereError(f"give standard deviations, a route, or a table with amount, not {_shown(value)}")
    return {"amount": value} if number or "feature" in value else value


@dataclass
class Latent:
    """Where in the generator's space the instrument stands."""

    seed: int = 0  # the static latent of the rows that nothing drives; 0 to 4294967295
    mix: list[tuple[int, float]] = field(default_factory=list)
    # ^ (seed, weight): the static latent stands between these seeds, nearer to the heavier; empty: at `seed` alone
    drift: float = 0.0  # seconds in which the static latent wanders round a loop of its own; 0: it stays
    rows: dict[str, Annotated[Drive, BeforeValidator(_drive)]] = field(default_factory=dict)
    # ^ "coarse", "middle", "fine", "all", "placement", "3" or "0-3": what drives them, a Drive or just the feature's name
    psi: Number = 0.7  # truncation; 1 is none, 0 the mean picture, negative its opposite
    cutoff: int | None = None  # rows from here on are not truncated
    centres: int = 0  # truncation goes to the nearest of so many kinds of picture; 0: to the mean of all
    places: dict[str, Place] = field(default_factory=dict)
    # ^ latents that were kept, each by a name: on top of the truncated latent, in this order
    directions: dict[str, Annotated[Along, BeforeValidator(_along)]] = field(default_factory=dict)
    # ^ "pc1", "smile", ...: what the latent is moved along, on top of all above and in this order: an Along, or just its amount
    label: int = 0  # the class, of a model that has classes
    classes: dict[str, Number] = field(default_factory=dict)
    # ^ from a class of the model, "3", to how strongly it is there; what is left of 1 goes to `label`

    def __post_init__(self) -> None:
        check_all(
            lambda: _check_seed("seed", self.seed),
            self._check_mix,
            self._check_numbers,
            self._check_places,
            self._check_directions,
            self._check_classes,
        )

    def _check_mix(self) -> None:
        if len(self.mix) > MOST_MIXED:
            raise KinesphereError(f"mix: {len(self.mix)} seeds are too many: give up to {MOST_MIXED}")
        for seed, weight in self.mix:
            _check_seed("mix: seed", seed)
            if not 0 <= weight < math.inf:
                raise KinesphereError(f"mix: weight {weight} of seed {seed}: give 0 or more")
        if self.mix and not any(weight for _, weight in self.mix):
            raise KinesphereError("mix: every weight is 0: give one more than 0, or leave mix empty for the seed alone")

    def _check_directions(self) -> None:
        _check_named("directions", "directions", self.directions, MOST_DIRECTIONS)

    def _check_classes(self) -> None:
        for index in self.classes:
            if not re.fullmatch(r"[0-9]{1,9}", index):
                raise KinesphereError(f"classes: no class {index[:64]!r}: give its number, as 3")

    def _check_places(self) -> None:
        _check_named("places", "latents", self.places, MOST_PLACES)

    def _check_numbers(self) -> None:
        if not 0 <= self.drift < math.inf:
            raise KinesphereError(f"drift {self.drift}: give seconds, 0 or more")
        if self.cutoff is not None and not 0 <= self.cutoff < 2**31:
            raise KinesphereError(f"cutoff {self.cutoff}: give a row, 0 or more, or leave it out")
        if not 0 <= self.centres <= MOST_CENTRES:
            raise KinesphereError(f"centres {self.centres}: give 1 to {MOST_CENTRES}, or 0 for the mean alone")


def _check_named(key: str, what: str, parts: Collection[str], most: int) -> None:
    if len(parts) > most:
        raise KinesphereError(f"{key}: {len(parts)} {what} are too many: give up to {most}")
    for name in parts:
        if not _is_name(name):
            raise KinesphereError(f"{key}: {_shown(name)} is no name for one: give it letters or digits, and no dot")


def _check_seed(what: str, seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise KinesphereError(f"{what} {seed}: seeds go from 0 to {2**32 - 1}")


@dataclass
class Bend:
    """Something that is done inside the model: a function of BENDS, with its parameters as fields."""

    function: ClassVar[Callable[..., Any]]
    angles: ClassVar[frozenset[str]]  # those of its numbers that its docstring gives in radians

    def arguments(self, place: str, numbers: Mapping[str, float]) -> dict[str, Any]:
        """What its function is called with; `numbers` gives what the routes of this bend, which stands at `place`, say now."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {n: numbers[f"{place}.{n}"] if isinstance(value, Route) else value for n, value in values.items()}


@cache
def _bend(function: Callable[..., Any]) -> type[Bend]:
    """The dataclass of a bend. The function's signature says its fields; where it wants a float, a route may go."""
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    made = [
        (p.name, Number if hints[p.name] is float else hints[p.name], field(default=p.default))
        for p in parameters
        if p.kind is p.KEYWORD_ONLY
    ]
    name = "".join(word.capitalize() for word in function.__name__.split("_"))
    angles = frozenset(re.findall(r"^ +(\w+): radians", function.__doc__ or "", re.MULTILINE))
    namespace = {
        "__doc__": function.__doc__,
        "__module__": __name__,
        "function": staticmethod(function),
        "angles": angles,
    }
    return make_dataclass(name, made, bases=(Bend,), namespace=namespace)


class _Bends(Mapping[str, type]):
    """BENDS as kinds of station."""

    def __getitem__(self, kind: str) -> type:
        return _bend(BENDS[kind])

    def __iter__(self) -> Iterator[str]:
        return iter(BENDS)

    def __len__(self) -> int:
        return len(BENDS)


@dataclass
class Picture:
    """How the generator draws."""

    noise_mode: str = "const"  # "const", "random" or "none"
    fps: float = 30.0  # pictures a second, live
    back_end: str = "auto"  # live: what computes, one of ASKED_BACK_ENDS; films are always drawn by the exact model
    precision: str = "auto"  # live: "float32", "half", or "auto", half where the pace needs it
    smaller: bool = False  # live: whether it may be drawn at a smaller size and enlarged, where the pace needs that

    def __post_init__(self) -> None:
        for name, choices in {"back_end": ASKED_BACK_ENDS, "precision": ASKED_PRECISIONS}.items():
            if getattr(self, name) not in choices:
                raise KinesphereError(
                    f"no {name.replace('_', ' ')} {getattr(self, name)!r}: choose {', '.join(choices)}"
                )
        if self.noise_mode not in NOISE_MODES:
            raise KinesphereError(f"no noise mode {self.noise_mode!r}: choose {', '.join(NOISE_MODES)}")
        if not 0 < self.fps <= 1000:
            raise KinesphereError(f"fps {self.fps}: give pictures a second, above 0 and up to 1000")


@dataclass
class Patch:
    """The whole instrument, in the order of the flow."""

    name: str = ""
    about: str = ""  # one sentence for the player
    model: str = "portraits"  # a built-in name or a path
    sources: dict[str, Source] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    latent: Latent = field(default_factory=Latent)
    bends: dict[str, Bend] = field(default_factory=dict)
    picture: Picture = field(default_factory=Picture)
    shown: Showing = field(default_factory=Showing)
    sinks: dict[str, Sink] = field(default_factory=dict)

    def source_of(self, feature: str) -> str:
        """The source that a feature is drawn from, by name: its own choice, or the first that is seen or heard as it needs."""
        of = self.features[feature]
        fitting = [name for name, source in self.sources.items() if heard(source) == heard(of)]
        return of.source or next(iter([*fitting, *self.sources]))

    def numbers(self) -> list[str]:
        """What a route may name: each feature that is one number, and each number of a feature of several, as "hand.angle"."""
        return [
            f"{name}.{number}" if number else name
            for name, feature in self.features.items()
            if not feature.vector
            for number in names_of(feature) or ("",)
        ]

    def routes(self) -> Iterator[tuple[str, Route]]:
        """Every route with its place; one that another goes to when its feature is lost comes before it."""
        yield from routes_of("latent.psi", self.latent.psi)
        for name, place in self.latent.places.items():
            yield from routes_of(f"latent.places.{name}.amount", place.amount)
        for name, along in self.latent.directions.items():
            yield from routes_of(f"latent.directions.{name}.amount", along.amount)
        for index, weight in self.latent.classes.items():
            yield from routes_of(f"latent.classes.{index}", weight)
        for rows, drive in self.latent.rows.items():
            yield from routes_of(f"latent.rows.{rows}.amount", drive.amount)
        for name, bend in self.bends.items():
            yield from routes_of(f"bends.{name}", bend)

    def problems(self, broken: Collection[str] = ()) -> Iterator[str]:
        """What no single part can know: names that lead nowhere.

        `broken`: stations such as "features.hand" that were refused already, so that nothing is said against naming them.
        """
        lost = {place.partition(".")[2] for place in broken if place.startswith("features.")}
        numbers = self.numbers()
        if self.features and not self.sources and not broken:
            yield 'sources: none, but the features need one: add a table such as [sources.eye] with kind = "camera"'
        for name, feature in self.features.items():
            if feature.source not in {None, *self.sources} and f"sources.{feature.source}" not in broken:
                yield f"features.{name}.source: no source {feature.source!r}: this patch has {_listed(self.sources)}"
        if not any(place.startswith("sources.") for place in broken):
            yield from self._misheard()
        vectors = [name for name, feature in self.features.items() if feature.vector]
        for rows, drive in self.latent.rows.items():
            if drive.feature not in {*vectors, *lost}:
                yield (
                    f"latent.rows.{rows}: no feature {drive.feature!r} that is a latent: this patch has {_listed(vectors)}"
                )
            if not are_rows(rows):
                yield f"latent.rows.{rows}: {NO_ROWS}"
        for name, there in self.latent.places.items():
            if not are_rows(there.rows):
                yield f"latent.places.{name}.rows: {_shown(there.rows)}: {NO_ROWS}"
        for name, along in self.latent.directions.items():
            if along.rows and not are_rows(along.rows):
                yield f"latent.directions.{name}.rows: {_shown(along.rows)}: {NO_ROWS}"
        for place, route in self.routes():
            name, _, number = route.feature.partition(".")
            if route.feature in numbers or name in lost:
                continue
            own = _listed(known for known in numbers if known.startswith(f"{name}."))
            if own == "none":
                yield f"{place}: no feature {route.feature!r} that is a number: this patch has {_listed(numbers)}"
            elif number:
                yield f"{place}: the feature {name!r} has no number {number!r}: it has {own}"
            else:
                yield f"{place}: the feature {name!r} has several numbers: name one of {own}"
        for name in self.shown.features:
            if name not in numbers and name.partition(".")[0] not in lost:
                yield f"shown.features: no feature {name!r} that is a number: this patch has {_listed(numbers)}"

    def _misheard(self) -> Iterator[str]:
        """Features that look at what is heard, or listen to what is seen."""
        for name, feature in self.features.items():
            source = self.sources.get(self.source_of(name)) if self.sources else None
            if source is None or heard(source) == heard(feature):
                continue
            fitting = [other for other, station in self.sources.items() if heard(station) == heard(feature)]
            kind, what = ("page_sound", "is heard") if heard(feature) else ("camera", "is seen")
            wanted = (
                f"this patch has {_listed(fitting)}"
                if fitting
                else f'add one such as [sources.NAME] with kind = "{kind}"'
            )
            does = "listens, and" if heard(feature) else "looks, and"
            yield (
                f"features.{name}.source: it {does} {self.source_of(name)} is {'heard' if heard(source) else 'seen'}: "
                f"choose a source that {what}; {wanted}"
            )


def routes_of(place: str, part: Bend | Number | None) -> Iterator[tuple[str, Route]]:
    """The routes of a part of a patch that stands at `place`, as `Patch.routes` gives them."""
    if isinstance(part, Route):
        yield from routes_of(f"{place}.otherwise", part.otherwise)
        yield place, part
    elif isinstance(part, Bend):
        for f in fields(part):
            yield from routes_of(f"{place}.{f.name}", getattr(part, f.name))


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"


LOOKS = ("latent", "bends", "picture")
"""The tables of a patch that are a look; of the picture only its noise."""

DRAWN: Mapping[str, type] = ChainMap({"projection": Following}, FEATURES)  # what needs the studio beside
STATIONS: dict[str, Mapping[str, type]] = {"sources": SOURCES, "features": DRAWN, "bends": _Bends(), "sinks": SINKS}


# --- reading ----------------------------------------------------------------------------------------------------------


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    """Checks a table against a dataclass: every key known, every type right, every refusal kept."""
    for part in (kind, Along, Drive, Place, Route, Spring, OneEuro, Example):
        part.__pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)  # type: ignore[attr-defined]
    return TypeAdapter(kind)


def _keys(kind: type) -> str:
    return ", ".join(f.name for f in fields(kind) if f.init)


def _build(kind: type, table: Mapping[str, Any], place: str, problems: list[str], left: Collection[str] = ()) -> Any:
    """A dataclass from a table; None, with `problems` longer, where it cannot be. `left`: keys whose refusal is told already."""
    unreadable = list(_unreadable(table, place))
    if unreadable:
        problems.extend(unreadable)
        return None
    try:
        # Strict JSON is what TOML means: no text for numbers, but lists for tuples and whole numbers for floats.
        return _adapter(kind).validate_json(json.dumps(table), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
    problems.extend(_explain(kind, e, place) for e in found if not (e["type"] == "missing" and e["loc"][-1] in left))
    bad = {e["loc"][0] for e in found if e["loc"]} & table.keys()
    if bad:  # what is refused only when all the rest is in order, is refused now as well
        rest = {key: value for key, value in table.items() if key not in bad}
        _build(kind, rest, place, problems, {*left, *map(str, bad)})
    return None


def _unreadable(value: Any, place: str, depth: int = 0) -> Iterator[str]:
    """What no TOML file can hold, with its place: whatever is neither a table, a list, a text, a number nor a switch."""
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEEPEST:
            yield f"{place}: tables within tables, more than {DEEPEST} deep: nothing here is"
            return
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            if isinstance(value, Mapping):
                yield from _unreadable_text(key, f"{place}: the key")
            yield from _unreadable(inner, f"{place}.{key}", depth + 1)
    elif isinstance(value, str):
        yield from _unreadable_text(value, f"{place}:")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield f"{place}: this whole number is too large: it should lie within 64 bits"
    elif value is not None and not isinstance(value, int | float):
        yield f"{place}: {_shown(value)} is not a table, a list, a text, a number, true or false"


def _unreadable_text(text: Any, where: str) -> Iterator[str]:
    if not isinstance(text, str):
        yield f"{where} {_shown(text)} is not a text"
    elif any("\ud800" <= c <= "\udfff" for c in text):
        yield f"{where} {_shown(text)} has half of a character in it (a lone surrogate): write it again"


def _shown(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    try:
        text = json.dumps(value, default=str)
    except (ValueError, TypeError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 100 else f"{text[:97]}..."


def _said(place: Any) -> str:
    """A key or a place as it is written, cut where it is long."""
    return _shown(place).strip('"')


def _explain(kind: type, error: Any, place: str) -> str:
    loc = [str(part) for part in error["loc"] if part not in ("number", "route")]
    where = ".".join([place, *loc] if place else loc) or "the patch"
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{where}: no such key; the keys here are {_keys(_owner(kind, loc[:-1]))}"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}"
    message = error["msg"].replace("an object", "a table").replace("Input should be", "this should be")
    return (
        f"{where}: {message}, not {_shown(error['input'])}"
        if error["type"] != "missing"
        else f"{where}: this key is needed"
    )


def _owner(kind: type, loc: list[str]) -> type:
    """The dataclass that the key at the end of an error's path should have belonged to."""
    if kind is Showing and loc:
        return Example
    if not loc or not (kind is Latent or issubclass(kind, Bend)):
        return kind
    inner = {"spring": Spring, "one_euro": OneEuro, "psi": Route, "amount": Route, "otherwise": Route}
    of_the_latent = {"rows": Drive, "places": Place, "directions": Along} if kind is Latent else {}
    return inner.get(loc[-1], of_the_latent.get(loc[0], Route))


def _stations(
    registry: Mapping[str, type], tables: Any, section: str, problems: list[str], known: Mapping[str, Any]
) -> dict[str, Any]:
    """The sources, features, bends or sinks of a patch: tables whose `kind` names the class. Each is a new object, unless it is one
    of the `known`, by name, still or again."""
    stations: dict[str, Any] = {}
    kept = {name for name in known if isinstance(tables, dict) and tables.get(name) is known[name]}
    if not isinstance(tables, dict) or not all(isinstance(t, dict) or name in kept for name, t in tables.items()):
        problems.append(f"{section}: give each one a table with a name of its own, as [{section}.NAME]")
        return stations
    for name, table in tables.items():
        place, old = f"{section}.{name}", known.get(name)
        if name in kept:
            stations[name] = old
            continue
        if not _is_name(name):
            problems.append(f"{section}: {_shown(name)} is no name for one: give it letters or digits, and no dot")
            continue
        kinds = registry if old is None else {**registry, _kind(registry, old): type(old)}
        kind = table.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            problems.append(f"{place}.kind: no kind {_quoted(kind)}: choose {', '.join(registry)}")
            continue
        rest = {key: value for key, value in table.items() if key != "kind"}
        station = _build(kinds[kind], rest, place, problems)
        same = type(station) is type(old) and _whole(station) == _whole(old)
        stations[name] = old if same else station
    return stations


def _is_name(name: Any) -> bool:
    """Whether a station may be called this: a place such as sources.eye.mirror must be clear."""
    return isinstance(name, str) and 0 < len(name) <= 64 and name.isprintable() and "." not in name


def _quoted(value: Any) -> str:
    return repr(value) if isinstance(value, str) and len(value) <= 64 else _shown(value)


def parse(text: str, where: str = "this patch") -> Patch:
    """A patch from TOML. Raises BadPatch that names everything that is wrong with it, with the right names."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, tables 1000 deep
        raise BadPatch(where, [f"it is not TOML: {error}"]) from None
    return _patch(data, where, [], Patch())


def from_document(document: Any, where: str = "this patch") -> Patch:
    """The patch that `document` was made of. What is left out has its default. Raises BadPatch, as `parse` does."""
    if not isinstance(document, dict):
        raise BadPatch(where, [f"it is {_shown(document)}, not a table"])
    return _patch(document, where, [], Patch())


def _patch(data: Mapping[str, Any], where: str, problems: list[str], old: Patch) -> Patch:
    """A patch from tables. What is not a table but a part of `old` is kept as it is; so is what turns out to be equal to it."""
    known = {f.name for f in fields(Patch)}
    problems += [f"{_said(key)}: no such key; the keys here are {_keys(Patch)}" for key in data if key not in known]
    parts: dict[str, Any] = {}
    for name in ("name", "about", "model"):
        if not isinstance(data.get(name, ""), str):
            problems.append(f"{name}: give text in quotes, not {_shown(data[name])}")
        elif name in data:
            problems += _unreadable_text(data[name], f"{name}:")
            parts[name] = data[name]
    for section, registry in STATIONS.items():
        parts[section] = _stations(registry, data.get(section, {}), section, problems, getattr(old, section))
    for section, kind in (("latent", Latent), ("picture", Picture), ("shown", Showing)):
        before, table = getattr(old, section), data.get(section, {})
        if table is not before and not isinstance(table, dict):
            problems.append(f"{section}: this should be a table, not {_shown(table)}")
            continue
        part = before if table is before else _build(kind, table, section, problems)
        parts[section] = before if part == before else part
    broken = [f"{section}.{n}" for section in STATIONS for n in _names(data, section) if parts[section].get(n) is None]
    for section in STATIONS:
        parts[section] = {n: station for n, station in parts[section].items() if station is not None}
    patch = Patch(**{name: part for name, part in parts.items() if part is not None})
    problems += patch.problems(broken)
    if patch.shown.looks and not broken and not _goes_on(patch, old):
        try:
            shown_looks(patch)
        except BadPatch as error:
            problems += error.problems
    if problems:
        raise BadPatch(where, problems)
    return patch


def shown_looks(patch: Patch) -> dict[str, Patch]:
    """Each look of a mapping that was shown, as the patch that it makes of this one. Raises BadPatch where one makes none."""
    looks, problems = {}, []
    for name, tables in patch.shown.looks.items():
        worn = {"sources": patch.sources, "features": patch.features} | {key: tables.get(key, {}) for key in LOOKS}
        try:
            looks[name] = _patch(worn, "this look", list(_not_of_a_look(tables)), patch)
        except BadPatch as error:
            problems += [f"shown.looks.{name}.{problem}" for problem in error.problems]
    if problems:
        raise BadPatch(f"the patch {patch.name or 'without a name'}", problems)
    return looks


def _goes_on(patch: Patch, old: Patch) -> bool:
    """Whether the looks that were shown, and what they may name, are those of the old patch, where they were right."""
    same = patch.features.keys() == old.features.keys() and all(f is old.features[n] for n, f in patch.features.items())
    return same and patch.shown is old.shown


def _not_of_a_look(tables: Mapping[str, Any]) -> Iterator[str]:
    for section, keys in tables.items():
        if section not in LOOKS:
            yield f"{_said(section)}: no such key; the keys of a look are {', '.join(LOOKS)}"
        elif section == "picture" and isinstance(keys, dict) and set(keys) - {"noise_mode"}:
            yield "picture: of this a look has noise_mode alone"


def _names(data: Mapping[str, Any], section: str) -> list[str]:
    """The names that a section gives its stations, whatever is in them."""
    return list(data[section]) if isinstance(data.get(section), dict) else []


def builtin_names() -> list[str]:
    """The patches that come with Kinesphere."""
    folder = resources.files("kinesphere.builtin") / "patches"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load(name: str | Path) -> Patch:
    """A patch by its path, or by its name where it is built in. Raises BadPatch."""
    if str(name) in builtin_names():
        text = (resources.files("kinesphere.builtin") / "patches" / f"{name}.toml").read_text()
        return parse(text, f"the built-in patch {name}")
    path = Path(name)
    if not path.is_file():
        raise KinesphereError(
            f"no patch {str(name)!r}: give the path of a .toml file, or one of {_listed(builtin_names())}"
        )
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise BadPatch(str(path), ["it is not text: a patch is a TOML file in UTF-8"]) from None


# --- changing ---------------------------------------------------------------------------------------------------------


def changed(patch: Patch, edits: Mapping[str, Any], where: str = "this change") -> Patch:
    """A new patch with other values at some places; the old one stays as it is.

    edits: from place to plain JSON value, applied in their order. A place is the way through the patch's tables, with dots:
    "latent.psi", "latent.psi.release", "latent.rows.coarse", "bends.turn.rotate", "features.scene.smoothing", "model". A route is a
    table, a row's drive a table or a feature's name, a station a table with its `kind`. None takes away what stands there: a
    station or a drive is gone, a field is at its default again.

    Stations whose table stays the same stay the same objects. Raises BadPatch with everything that is wrong.
    """
    if not isinstance(edits, Mapping):
        raise BadPatch(where, [f"it is {_shown(edits)}, not a table from places to values"])
    whole: dict[str, Any] = {f.name: getattr(patch, f.name) for f in fields(patch)}
    whole |= {section: dict(whole[section]) for section in STATIONS}
    problems: list[str] = []
    for place, value in edits.items():
        try:
            _put(whole, place, value)
        except KinesphereError as error:
            problems.append(str(error))
    return _patch(whole, where, problems, patch)


def _put(whole: dict[str, Any], place: Any, value: Any) -> None:
    """Set or, for None, take away one place. What lies on the way there is opened: a station becomes its table, a copy."""
    if not isinstance(place, str) or len(place) > 300:
        raise KinesphereError(f"{_shown(place)}: a place is a text such as latent.psi")
    *way, last = place.split(".")
    table = whole
    for depth, key in enumerate(way):
        here = ".".join(way[: depth + 1])
        if key not in table and way[:depth] != [
            "latent",
            "directions",
        ]:  # where each may be moved without being there yet
            raise KinesphereError(f"{_said(here)}: no such place; here are {_listed(table)}")
        inner = _opened(table.get(key), here)
        if not isinstance(inner, dict):
            raise KinesphereError(
                f"{_said(place)}: no such place; at {here} there is {_shown(inner)}, which has no keys"
            )
        table[key] = inner
        table = inner
    if value is not None:
        table[last] = value
    elif last in table:
        del table[last]
    else:
        raise KinesphereError(f"{_said(place)}: no such place; here are {_listed(table)}")


def _opened(part: Any, place: str) -> Any:
    """A part as a table of its own, which may be changed; what has no table inside as it is."""
    section, *names = place.split(".")
    if isinstance(part, str) and place.startswith("latent.rows."):
        return {"feature": part}
    if part is None:  # a spring or a direction that is not there yet
        return {}
    if section == "latent" and names[:1] == ["directions"] and len(names) == 2:
        return dict(_along(part))
    if isinstance(part, dict):
        return dict(part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    return _station(section, part) if section in STATIONS else _whole(part)


def document(patch: Patch) -> dict[str, Any]:
    """The whole patch as plain JSON, with what was left at its default filled in; `from_document` gives the patch back."""
    whole = {f.name: getattr(patch, f.name) for f in fields(patch)}
    for section in STATIONS:
        whole[section] = {name: _station(section, station) for name, station in whole[section].items()}
    return {name: _whole(part) for name, part in whole.items()}


def _station(section: str, station: Any) -> dict[str, Any]:
    return {"kind": _kind(STATIONS[section], station)} | _whole(station)


def _whole(value: Any) -> Any:
    """A part of a patch as plain JSON, with all its fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _whole(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(inner) for inner in value]
    return str(value) if isinstance(value, Path | Fraction) else value


# --- writing ----------------------------------------------------------------------------------------------------------


def _table(part: Any) -> dict[str, Any]:
    """What of a dataclass differs from its defaults, as plain data."""
    table: dict[str, Any] = {}
    for f in fields(part):
        value = getattr(part, f.name)
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        if f.init and value is not None and value != default:
            table[f.name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Drive) and value.amount == 1.0:
        return value.feature
    if isinstance(value, Along) and value == Along(value.amount):
        return _plain(value.amount)
    if is_dataclass(value) and not isinstance(value, type):
        return _table(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path | Fraction) else value


def dumps(patch: Patch) -> str:
    """The patch as TOML, what is left at its default left out; `parse` gives the same patch back."""
    document = tomlkit.document()
    for key, value in _table(patch).items():
        if value == {}:
            continue
        if key in STATIONS:
            registry = STATIONS[key]
            stations = getattr(patch, key)
            value = {name: {"kind": _kind(registry, stations[name])} | table for name, table in value.items()}
        document[key] = value
    return tomlkit.dumps(document)


def _kind(registry: Mapping[str, type], station: Any) -> str:
    """Its name in the registry; of a class that has none, as in a test, the class's own."""
    return next((kind for kind, cls in registry.items() if type(station) is cls), type(station).__name__.lower())


def save(patch: Patch, path: str | Path) -> None:
    """Write a patch; the file is replaced in one step, so that a crash leaves the old one or the new one."""
    text = dumps(patch)
    files.replace(Path(path), lambda unfinished: unfinished.write_text(text, encoding="utf-8"))
