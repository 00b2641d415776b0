"""Looks and the ways between them: each thing that is played goes from one to the other in the geometry that it has.

A look is the playable part of a patch as edits, `{place: plain value}`: all of "latent.*" (the rows as one table), "bends" (as one
table) and "picture.noise_mode". Between looks, weighted:

    seeds           the weights of `latent.mix`, where `latent.blend` turns on the sphere
    numbers         straight; a number against a route counts as a route that stands there, so that nothing jumps
    routes          of one feature: ranges straight, times and frequencies by their ratio, a circular range the shortest way
    directions      amounts straight, as are the weights of classes; one that a look does not have has 0 there
    kept latents    so that where they lead goes straight, one coming over another; one that a look does not have has 0 there
    rows            amounts straight; a row that a look leaves to the seed has the amount 0 there
    bends           numbers as above, angles the shorter way round; a bend that a look does not have does nothing there
    all the rest    the heaviest look's: names, switches, other features, and `drift`, because a loop whose period slides would
                    race through all its turns
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from kinesphere.latent import ease
from kinesphere.models import BANDS
from kinesphere.patch import MOST_DIRECTIONS, MOST_PLACES, STATIONS, Bend, Patch, changed, document
from kinesphere.sources import Camera
from kinesphere.types import KinesphereError, Signal

Look: TypeAlias = dict[str, Any]
Weights: TypeAlias = Sequence[float]

FEWEST = 1e-4  # a seed with less of the whole than this is not seen
MOST_SEEDS = 16  # in a mix that morphs make; the lightest go
LONGEST = 3600.0  # seconds of a morph
FARTHEST = 1e6  # where a pad ends
STAYING = ("wander",)  # parameters of a bend that are times of its own: sliding, they would race through all its turns


def look(patch: Patch) -> Look:
    """What of a patch is a look, as plain values."""
    part = document(Patch(latent=patch.latent, bends=patch.bends, picture=patch.picture))
    places = {f"latent.{name}": value for name, value in part["latent"].items()}
    return places | {"bends": part["bends"], "picture.noise_mode": part["picture"]["noise_mode"]}


@dataclass
class _Somewhere:
    """In the place of a feature that a look names: which it is, only a patch can say."""

    vector: bool
    names: tuple[str, ...] = ()
    source: str | None = None

    def open(self, checkpoint: object) -> None: ...

    def __call__(self, signal: Signal) -> np.ndarray:
        raise KinesphereError("a feature that is only named sees nothing")


def checked(asked: Any) -> Look:
    """A look from elsewhere, such as a file, with what it left out at its default. Raises BadPatch where it cannot be one.

    Whether its features are there, and the model has its rows, only a patch can say.
    """
    if not isinstance(asked, Mapping):
        raise KinesphereError("a look is a table from places to values")
    unknown = [place for place in asked if place not in look(Patch())]
    if unknown:
        raise KinesphereError(f"a look has no place {str(unknown[0])[:80]!r}: it has {', '.join(look(Patch()))}")
    latent = {place.partition(".")[2]: value for place, value in asked.items() if place.startswith("latent.")}
    picture = {place.partition(".")[2]: value for place, value in asked.items() if place.startswith("picture.")}
    rows, bends = latent.get("rows"), asked.get("bends", {})
    drives = list(rows.values()) if isinstance(rows, dict) else []
    vectors = {drive["feature"] if isinstance(drive, dict) else drive for drive in drives if _names_one(drive)}
    amounts = [drive.get("amount") for drive in drives if isinstance(drive, dict)]
    moved = [latent.get(name) for name in ("psi", "places", "directions", "classes")]
    numbers = {*_named([*moved, amounts, bends])}
    features: dict[str, Any] = {
        name: _Somewhere(False, tuple(_inside(name, numbers))) for name in map(_station, numbers)
    }
    whole = Patch(sources={"any": Camera()}, features=features | {name: _Somewhere(True) for name in vectors})
    return look(changed(whole, {"latent": latent, "bends": bends, "picture": picture}, "this look"))


def _names_one(drive: Any) -> bool:
    return isinstance(drive, str) or (isinstance(drive, dict) and isinstance(drive.get("feature"), str))


def _named(value: Any) -> Iterator[str]:
    """What the routes in some tables name."""
    if isinstance(value, dict) and isinstance(value.get("feature"), str):
        yield value["feature"]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _named(inner)


def _station(number: str) -> str:
    return number.partition(".")[0]


def _inside(station: str, numbers: Collection[str]) -> Iterator[str]:
    """The names of the numbers of one feature; none where it is a number itself."""
    return (number.partition(".")[2] for number in sorted(numbers) if number.startswith(f"{station}."))


def fitted(asked: Look, patch: Patch) -> Look:
    """A look without what names features that a patch does not have: those rows stay with the seed, those numbers as they are.

    In a bend, such a number is the one with which it does nothing.
    """
    vectors, numbers = {name for name, feature in patch.features.items() if feature.vector}, {*patch.numbers()}
    known = {place: _without(value, numbers) for place, value in asked.items()}
    fits = {place: value for place, value in known.items() if value is not None or asked[place] is None}
    rows = {name: drive for name, drive in asked.get("latent.rows", {}).items() if drive["feature"] in vectors}
    for name, drive in rows.items():
        amount = _without(drive["amount"], numbers)
        rows[name] = {**drive, "amount": 1.0 if amount is None else amount}
    own: Look = {"latent.rows": rows}
    for place in ("latent.places", "latent.directions"):
        parts = {
            name: {**part, "amount": _without(part["amount"], numbers)} for name, part in asked.get(place, {}).items()
        }
        own[place] = {name: part for name, part in parts.items() if part["amount"] is not None}
    weights = {name: _without(weight, numbers) for name, weight in asked.get("latent.classes", {}).items()}
    own["latent.classes"] = {name: weight for name, weight in weights.items() if weight is not None}
    bends = own["bends"] = {}
    for name, bend in asked.get("bends", {}).items():
        plain = _plain(bend["kind"])
        left = {key: _without(value, numbers) for key, value in bend.items()}
        bends[name] = {k: plain.get(k) if left[k] is None and v is not None else left[k] for k, v in bend.items()}
    return fits | {place: value for place, value in own.items() if place in asked}


def _without(value: Any, numbers: Collection[str]) -> Any:
    """A value without the routes that name none of these numbers; None where nothing of it is left."""
    if not _is_route(value):
        return value
    if value["feature"] not in numbers:
        return None
    other = _without(value.get("otherwise"), numbers)
    return value if other is value.get("otherwise") else {**value, "otherwise": other}


def _plain(kind: str) -> dict[str, Any]:
    """A bend that does nothing, as a look has it."""
    cls = STATIONS["bends"][kind]
    return document(Patch(bends={"any": cls()}))["bends"]["any"]


def between(looks: Sequence[Mapping[str, Any]], weights: Weights) -> Look:
    """The edits that lead between looks, nearer to the heavier. Of one look alone they are exactly its own.

    weights: one per look, 0 or more, not all 0; only their proportions count. Raises KinesphereError for others. The order of
    the looks does not matter, except that of several as heavy the first decides what cannot be mixed.
    """
    if len(looks) != len(weights) or not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise KinesphereError(f"weights {list(weights)} for {len(looks)} looks: give one each, 0 or more, not all 0")
    top = max(weights)
    present = [(one, weight / top) for one, weight in zip(looks, weights, strict=True) if weight / top > 0]
    if len(present) == 1:
        return copy.deepcopy(dict(present[0][0]))
    found: Look = {}
    for place in dict.fromkeys(place for one, _ in present for place in one):
        values = [one[place] for one, _ in present if place in one]
        shares = _shares([weight for one, weight in present if place in one])
        if place not in ("latent.seed", "latent.mix"):
            found[place] = copy.deepcopy(GEOMETRY.get(place, _of_any)(values, shares))
    if any("latent.seed" in one for one, _ in present):
        found |= _seeds([one for one, _ in present], _shares([weight for _, weight in present]))
    return found


def _shares(weights: Weights) -> list[float]:
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


def _heaviest(values: Sequence[Any], shares: Weights) -> Any:
    return values[max(range(len(values)), key=shares.__getitem__)]


def _seeds(looks: Sequence[Mapping[str, Any]], shares: Weights) -> Look:
    """One seed, or a mix of all that the looks stand between."""
    found: dict[int, list[float]] = {}
    for one, share in zip(looks, shares, strict=True):
        own = one.get("latent.mix") or [[one.get("latent.seed", 0), 1.0]]
        for (seed, _), part in zip(own, _shares([weight for _, weight in own]), strict=True):
            found.setdefault(seed, []).append(share * part)
    mix = {seed: math.fsum(parts) for seed, parts in found.items()}
    kept = sorted(mix, key=lambda seed: (-mix[seed], seed))[:MOST_SEEDS]
    kept = [seed for seed in kept if mix[seed] >= FEWEST] or kept[:1]
    parts = _shares([mix[seed] for seed in kept])
    pairs = sorted([seed, part] for seed, part in zip(kept, parts, strict=True))
    return {"latent.seed": kept[0], "latent.mix": pairs if len(pairs) > 1 else []}


# --- numbers and routes -------------------------------------------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_route(value: Any) -> bool:
    return isinstance(value, dict) and "low" in value and "feature" in value


def _of_any(values: Sequence[Any], shares: Weights) -> Any:
    """Numbers and routes between each other, anything else the heaviest look's."""
    routes = [value for value in values if _is_route(value)]
    if all(_is_number(value) or _is_route(value) for value in values) and not (routes and _strangers(routes)):
        return _route(values, shares) if routes else _straight(values, shares)
    return _heaviest(values, shares)


def _straight(values: Sequence[float], shares: Weights) -> float:
    if all(value == values[0] for value in values):
        return values[0]
    mean = math.fsum(value * share for value, share in zip(values, shares, strict=True))
    return min(max(mean, min(values)), max(values))


def _by_ratio(rest: float) -> Callable[[Sequence[float], Weights], float]:
    """In equal ratios: from 0.1 to 10 by way of 1. Below `rest` nearly straight, so that 0 can be reached."""

    def found(values: Sequence[float], shares: Weights) -> float:
        mean = math.exp(_straight([math.log(value + rest) for value in values], shares)) - rest
        return min(max(mean, min(values)), max(values))

    return found


def _shortest(values: Sequence[float], shares: Weights, turn: float) -> float:
    """Angles the shortest way round, as seen from the heaviest one."""
    first = _heaviest(values, shares)
    return first + _straight([math.remainder(value - first, turn) for value in values], shares)


def _strangers(routes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether routes have nothing between them: other features, other circles, or a range that is turned round."""
    kinds = {(r["feature"], r.get("circular"), r.get("in_low", 0.0) < r.get("in_high", 1.0)) for r in routes}
    return len(kinds) > 1


_SECONDS = _by_ratio(0.01)
_HERTZ = _by_ratio(0.0)
_ROUTE: Mapping[str, Callable[[Sequence[float], Weights], float]] = {
    "low": _straight,
    "high": _straight,
    "dead_zone": _straight,
    "attack": _SECONDS,
    "release": _SECONDS,
    "min_cutoff": _HERTZ,
    "d_cutoff": _HERTZ,
    "beta": _SECONDS,
    "frequency": _HERTZ,
    "damping": _SECONDS,
    "fade": _SECONDS,
}


def _route(values: Sequence[Any], shares: Weights) -> dict[str, Any]:
    """Between routes of one feature, and numbers, each of which is a route that is the same at both ends."""
    routes = [(value, share) for value, share in zip(values, shares, strict=True) if _is_route(value)]
    own = _shares([share for _, share in routes])
    found = _table([route for route, _ in routes], own)
    _range(found, [route for route, _ in routes], own)
    for end in ("low", "high"):
        found[end] = _straight([value[end] if _is_route(value) else value for value in values], shares)
    return found


def _table(tables: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """A route, or a filter of one, field by field."""
    found = dict(_heaviest(tables, shares))
    for name, value in found.items():
        values: list[Any] = [table.get(name) for table in tables]
        if name in _ROUTE and all(_is_number(other) for other in values):
            found[name] = _ROUTE[name](values, shares)
        elif name == "otherwise":
            found[name] = _of_any(values, shares)
        elif isinstance(value, dict) and all(isinstance(other, dict) for other in values):
            found[name] = _table(values, shares)
    return found


def _range(found: dict[str, Any], routes: Sequence[Mapping[str, Any]], shares: Weights) -> None:
    """The feature's range: its ends straight; of a circular feature the middle the shortest way round, and the width straight."""
    ends = [(route.get("in_low", 0.0), route.get("in_high", 1.0)) for route in routes]
    turn = found.get("circular")
    if all(end == ends[0] for end in ends):
        return
    if turn is None:
        low, high = (_straight(side, shares) for side in zip(*ends, strict=True))
    else:
        middle = _shortest([(low + high) / 2 for low, high in ends], shares, turn)
        width = _straight([high - low for low, high in ends], shares)
        low, high = middle - width / 2, middle + width / 2
    if low != high and (turn is None or abs(high - low) <= turn):  # rounding may have closed or opened it
        found["in_low"], found["in_high"] = low, high


# --- rows -----------------------------------------------------------------------------------------------------------------


def _rows(values: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """What drives the rows: one by one, unless two looks cut the rows up in different ways."""
    names = list(dict.fromkeys(name for rows in values for name in rows))
    strange = (
        (a, b) for i, a in enumerate(names) for b in names[i + 1 :] if not any({a, b} <= {*rows} for rows in values)
    )
    if any(_overlap(a, b) for a, b in strange):
        return dict(_heaviest(values, shares))
    found = {}
    for name in names:
        drives = [(rows.get(name), share) for rows, share in zip(values, shares, strict=True)]
        driving = [(drive, share) for drive, share in drives if drive is not None]
        if len({drive["feature"] for drive, _ in driving}) > 1:
            chosen = _heaviest([drive for drive, _ in drives], shares)
            if chosen is not None:
                found[name] = chosen
            continue
        amounts = [0.0 if drive is None else drive.get("amount", 1.0) for drive, _ in drives]
        found[name] = {"feature": driving[0][0]["feature"], "amount": _of_any(amounts, shares)}
    return found


def _overlap(a: str, b: str) -> bool:
    """Whether two names may mean the same row; what only the model knows counts as yes."""
    if {a, b} <= {*BANDS} or ({a, b} <= {"placement", *BANDS, "all"} and "placement" in (a, b)):
        return a == b
    try:
        (a_first, a_last), (b_first, b_last) = (_ends(name) for name in (a, b))
    except ValueError:
        return True
    return a_first <= b_last and b_first <= a_last


def _ends(rows: str) -> tuple[int, int]:
    first, _, last = rows.replace("placement", "0").partition("-")
    return int(first), int(last or first)


# --- latents that were kept -----------------------------------------------------------------------------------------------


Kind: TypeAlias = tuple[str, str, str]  # name, file and rows of a kept latent


def _places(values: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """Kept latents in the order of the looks; of several by one name, those after the first get a number behind it."""
    if all([*places.items()] == [*values[0].items()] for places in values):  # also in their order
        return dict(values[0])
    layers = [
        {(name, kept["file"], kept["rows"]): kept["amount"] for name, kept in places.items()} for places in values
    ]
    kinds = list(dict.fromkeys(kind for own in layers for kind in own))
    numbers = all(_is_number(amount) for own in layers for amount in own.values())
    if numbers and len({rows for _, _, rows in kinds}) == 1:
        mixed: dict[Kind, Any] = _over(layers, kinds, shares)
    else:
        mixed = {kind: _of_any([own.get(kind, 0.0) for own in layers], shares) for kind in kinds}
    most = sorted(kinds, key=lambda kind: -math.fsum(s for s, own in zip(shares, layers, strict=True) if own.get(kind)))
    names, found = {name for name, _, _ in kinds}, {}
    for kind in [kind for kind in kinds if kind in most[:MOST_PLACES]]:
        name, file, rows = kind
        others = (f"{name[:56]} {i}" for i in range(2, len(kinds) + len(names) + 2))
        free = next(n for n in (name, *others) if n not in found and (n == name or n not in names))
        found[free] = {"file": file, "amount": mixed[kind], "rows": rows}
    return found


def _over(layers: Sequence[dict[Kind, float]], kinds: Sequence[Kind], shares: Weights) -> dict[Kind, float]:
    """The amounts by which layers, of which each covers those before it, show what the looks show, share by share.

    What a layer shows is its amount times what those above it leave free. That is mixed straight, and told back from the top.
    """
    shown = dict.fromkeys(kinds, 0.0)
    for own, share in zip(layers, shares, strict=True):
        free = share
        for kind, amount in reversed(own.items()):
            amount = min(max(amount, 0.0), 1.0)
            shown[kind] += free * amount
            free *= 1 - amount
    found, free = {}, 1.0
    for kind in reversed(kinds):
        found[kind] = min(shown[kind] / free, 1.0) if free > FEWEST**2 else 0.0
        free -= shown[kind]
    return found


# --- bends ----------------------------------------------------------------------------------------------------------------


def _bends(values: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """What is done inside the model: bend by bend, where those of one name are of one kind."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for bends in values for name in bends):
        tables = [bends.get(name) for bends in values]
        there = [(table, share) for table, share in zip(tables, shares, strict=True) if table is not None]
        heaviest = _heaviest([table for table, _ in there], [share for _, share in there])
        if len({table["kind"] for table, _ in there}) > 1:
            heaviest = _heaviest(tables, shares)
            found |= {} if heaviest is None else {name: dict(heaviest)}
            continue
        plain, kind = _plain(heaviest["kind"]), STATIONS["bends"][heaviest["kind"]]
        angles = kind.angles if issubclass(kind, Bend) else ()
        found[name] = {
            key: value
            if key in STAYING
            else _bent([(plain if table is None else table)[key] for table in tables], shares, value, key in angles)
            for key, value in heaviest.items()
        }
    return found


def _bent(values: Sequence[Any], shares: Weights, heaviest: Any, angle: bool) -> Any:
    """One parameter; of what is no number, that of the heaviest look which has the bend."""
    if not isinstance(heaviest, float) and not _is_route(heaviest):
        return heaviest
    if angle and all(_is_number(value) for value in values):
        return _shortest(values, shares, 2 * math.pi)
    return _of_any(values, shares)


# --- classes and directions ---------------------------------------------------------------------------------------------


def _by_name(values: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """How much of each: straight; a look that does not name one has 0 of it."""
    names = dict.fromkeys(name for ways in values for name in ways)
    return {name: _of_any([ways.get(name, 0.0) for ways in values], shares) for name in names}


def _directions(values: Sequence[Mapping[str, Any]], shares: Weights) -> dict[str, Any]:
    """How far along each; all else of one is as the heaviest look has it that has it.

    What is set along one, and not added, has no 0 from which it could come: it is there while the heaviest of all looks has it.
    """
    found: dict[str, Any] = {}
    for name in _most(values, shares, MOST_DIRECTIONS):
        tables = [ways.get(name) for ways in values]
        there = [(table, share) for table, share in zip(tables, shares, strict=True) if table is not None]
        heaviest = _heaviest([table for table, _ in there], [share for _, share in there])
        if heaviest["set"] and len(there) < len(tables):
            found |= {} if (chosen := _heaviest(tables, shares)) is None else {name: dict(chosen)}
        else:
            amounts = [0.0 if table is None else table["amount"] for table in tables]
            found[name] = {**heaviest, "amount": _of_any(amounts, shares)}
    return found


def _most(values: Sequence[Mapping[str, Any]], shares: Weights, most: int) -> list[str]:
    """The names in some looks, in their order; of more than `most` those in the heaviest."""
    names = list(dict.fromkeys(name for ways in values for name in ways))
    heavy = sorted(
        names, key=lambda name: -math.fsum(share for ways, share in zip(values, shares, strict=True) if name in ways)
    )
    return [name for name in names if name in heavy[:most]]


GEOMETRY: Mapping[str, Callable[[Sequence[Any], Weights], Any]] = {
    "latent.psi": _of_any,
    "latent.rows": _rows,
    "latent.places": _places,
    "latent.directions": _directions,
    "latent.classes": _by_name,
    "bends": _bends,
    "latent.drift": _heaviest,
    "latent.cutoff": _heaviest,
    "latent.centres": _heaviest,
    "latent.label": _heaviest,
    "picture.noise_mode": _heaviest,
}
"""How each place goes from look to look. What is not here goes as a number where it is one, else as the heaviest look has it."""


# --- moving ---------------------------------------------------------------------------------------------------------------


class Morph:
    """The way from look `a` to look `b` in `seconds` (0: at once), at the pace of `easing`, a name of latent.EASINGS.

    Stateless: `at` may be asked in any order. An easing that swings past its ends stops there. Raises KinesphereError for a
    wrong time or easing.
    """

    def __init__(
        self, a: Mapping[str, Any], b: Mapping[str, Any], seconds: float = 0.0, easing: str = "smoothstep"
    ) -> None:
        if not 0 <= seconds <= LONGEST:
            raise KinesphereError(f"a morph of {seconds} s is not possible: take 0 to {LONGEST:.0f}")
        ease(0.0, easing)
        self.a, self.b, self.seconds, self.easing = copy.deepcopy(dict(a)), copy.deepcopy(dict(b)), seconds, easing

    def at(self, t: float) -> Look:
        """The edits `t` seconds after it began: those of `a` at 0, those of `b` from `seconds` on, exactly."""
        if t >= self.seconds:
            return between([self.b], [1.0])
        way = min(max(float(ease(t / self.seconds, self.easing)), 0.0), 1.0)
        return between([self.a, self.b], [1 - way, way])

    def done(self, t: float) -> bool:
        return t >= self.seconds


def pad_weights(points: Sequence[tuple[float, float]], at: tuple[float, float]) -> list[float]:
    """How much each point counts where a finger stands: by the inverse square of its distance (Shepard 1968), summing to 1.

    On a point it alone counts (points in one place share); moving the finger moves every weight without a jump, and their order
    does not matter. Raises KinesphereError for no points, or for what is no place on a pad.
    """
    if not points:
        raise KinesphereError("a pad needs one point or more: lay a look on it")
    if not all(len(place) == 2 and all(abs(x) <= FARTHEST for x in place) for place in [*points, at]):
        raise KinesphereError(
            f"the pad's point {at} or one of {len(points)} others is no place on it: give x and y, 0 to 1"
        )
    distances = [math.hypot(x - at[0], y - at[1]) for x, y in points]
    nearest = min(distances)
    if nearest == 0:
        return _shares([float(distance == 0) for distance in distances])
    return _shares([(nearest / distance) ** 2 for distance in distances])
