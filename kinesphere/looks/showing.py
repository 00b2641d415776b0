"""A mapping that was shown: poses, each with the look that belongs to it, and a smooth way between them.

    1. encode      an angle becomes its cosine and sine, so that pi and -pi are one place
    2. scale       each feature counts by how far it goes from example to example; one that never moved counts nothing
    3. weigh       how much of each look there is at a pose: radial basis functions, 1 for a look at its own example
    4. confide     1 at an example, less the farther the nearest one is
    5. fade        where the confidence is low, the safe look takes over

Distances are those of scaled features; their unit, where one is needed, is the typical distance from an example to the nearest
with another look. What is not a number is not known now: it is left out, of the examples too.

The kernel is Hardy's multiquadric, sqrt(r² + width²), with a constant (Hardy 1971). It needs no more examples than one, its
weights sum to 1 everywhere, and as its width goes to 0 they become, for one feature, those of straight lines from example to
example. They may fall below 0, and a look cannot be played by less than nothing: weights of one look are added up, what is below
0 counts as 0, and the rest is brought back to the sum 1. At the examples nothing of this changes anything.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kinesphere.lanes import Drawn
from kinesphere.looks.morphing import FEWEST, Look, between, look
from kinesphere.patch import STATIONS, Along, Drive, Latent, Patch, Place, shown_looks
from kinesphere.routes import Route
from kinesphere.shown import Showing, noise

Array = np.ndarray

WIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)  # of the kernel that are tried, in typical distances
PLAIN = 0.25  # the one that is taken where leaving examples out tells nothing
SAME = 1e-6  # of the largest distance: nearer examples are one pose
SURE, LOST = 0.6, 0.1  # confidence from which on only the map plays, and below which only the safe look does


def encode(poses: ArrayLike, circular: Sequence[bool]) -> tuple[Array, Array]:
    """Poses [..., F] as points [..., C], and of each column the feature [C] that it comes from. Angles are radians."""
    poses = np.asarray(poses, float)
    columns: list[Array] = []
    of: list[int] = []
    for f, turns in enumerate(circular):
        x = poses[..., f]
        columns += [np.cos(x), np.sin(x)] if turns else [x]
        of += [f, f] if turns else [f]
    return np.stack(columns, -1), np.array(of, int)


def reach(points: Array, of: Array, noise: ArrayLike = 0.0) -> Array:
    """What each feature, [F], is divided by: how far it goes from example to example. 0: it never moved.

    points, of  from `encode`, without what is not a number
    noise       [F] the deviation of each feature while a pose is held

    It is the root of the variance, divided by the share of it in all movement, variance / (variance + noise²), the weight that
    Wiener gives to a signal in noise. A feature that only trembled would otherwise become as large as any other.
    """
    moved = np.bincount(of, points.var(0), minlength=of.max() + 1)  # an angle's is that of both its columns together
    held = np.square(np.broadcast_to(np.asarray(noise, float), moved.shape))
    still = moved <= np.square(1e-9 * np.abs(points).max(initial=1.0))  # what rounding makes of a constant
    return np.where(still, 0.0, (moved + held) / np.sqrt(np.where(still, 1.0, moved)))


def apart(points: Array) -> Array:
    """The distance of each from each, [E, E]."""
    return np.asarray(np.sqrt(np.square(points[:, None] - points).sum(-1)))


def typical(distances: Array, looks: Array) -> float:
    """The median, over the examples, of the distance to the nearest one with another look; infinite where there is none.

    distances  [E, E]; looks [E, L], how much each example is of each look
    """
    kinds = looks.argmax(1)
    others = np.where(kinds[:, None] != kinds, distances, math.inf)
    if np.isinf(others).all():  # one look alone: any other example
        others = np.where(np.eye(len(distances), dtype=bool), math.inf, distances)
    return float(np.median(others.min(1)))


def cardinal(distances: Array, width: float) -> Array:
    """What turns kernels into weights: [E + 1, E], the inverse of [[K, 1], [1', 0]] without its last column.

    The row [k(x), 1] times it gives the weights [E] of the examples at x: 1 for an example at its own place and 0 for the
    others there, and their sum is 1 everywhere, because the constant is reproduced (Wendland 2005, section 8.5).
    """
    n = len(distances)
    whole = np.zeros((n + 1, n + 1))
    whole[:n, :n] = kernel(distances, width)
    whole[n, :n] = whole[:n, n] = 1
    return np.linalg.inv(whole)[:, :n]


def kernel(distances: Array, width: float) -> Array:
    """The multiquadric, with the sign that makes it conditionally positive definite."""
    return -np.sqrt(np.square(distances) + width * width)


def left_out(inverse: Array) -> Array:
    """The weights at each example if it were not one, [E, E] with zeros on the diagonal, in closed form.

    Rippa (1999), eq. 7, says that the error of the value there is c_i / inv_ii, with c = inv y; that is y_i less a sum of the
    other values, so that their weights are -inv_ij / inv_ii.
    """
    square = inverse[:-1]
    weights: Array = -square / np.diag(square)[:, None]
    np.fill_diagonal(weights, 0.0)
    return weights


def played(weights: Array) -> Array:
    """Weights [..., L] that can be played: 0 or more, with the sum 1. Where they are so already, nothing changes."""
    there = np.maximum(weights, 0.0)
    return there / there.sum(-1, keepdims=True)


def best_width(distances: Array, looks: Array, values: Array, unit: float) -> float:
    """The width of the kernel with which examples, left out one by one, are told best by the others.

    looks   [E, L]
    values  [L, P] each look as numbers: how far apart two looks are
    unit    the typical distance; the result is a multiple of it
    """
    aims = looks @ values
    n = len(aims)
    if n < 3 or not math.isfinite(unit):
        return PLAIN
    guess = (aims.sum(0) - aims) / (n - 1)  # by somebody who knows nothing of poses
    best, least = PLAIN, (1 - 1e-6) * float(np.square(aims - guess).sum())
    for width in WIDTHS:
        told = played(left_out(cardinal(distances, width * unit)) @ looks) @ values
        error = float(np.square(aims - told).sum())
        if error < least:
            best, least = width, error
    return best


def confidence(far: ArrayLike) -> Array:
    """How sure the map is, 0 to 1, where the nearest example is `far` away, in typical distances: exp(-far² / 2)."""
    return np.exp(-np.square(np.asarray(far, float)) / 2)


def trust(sure: ArrayLike) -> Array:
    """How much of the map is played, the rest being the safe look: all from SURE on, nothing up to LOST, smooth between."""
    u = np.clip((np.asarray(sure, float) - LOST) / (SURE - LOST), 0.0, 1.0)
    return u * u * (3 - 2 * u)


class Map:
    """From a pose to the weights of looks.

    poses     [E, F] the examples; what is not a number was not known
    looks     [E] the look of each, from 0; `values` has a row for each
    values    [L, P] the looks as numbers, to choose the kernel's width by; None: no two of them are alike
    circular  [F] which features are angles, in radians
    noise     [F] how much each feature trembles while a pose is held
    """

    def __init__(
        self,
        poses: ArrayLike,
        looks: Sequence[int],
        values: ArrayLike | None = None,
        circular: Sequence[bool] | None = None,
        noise: ArrayLike = 0.0,
    ) -> None:
        self.poses = np.asarray(poses, float)
        features = self.poses.shape[1]
        self.circular = list(circular) if circular is not None else [False] * features
        self.values = np.eye(max(looks) + 1) if values is None else np.asarray(values, float)
        self.looks = np.eye(len(self.values))[list(looks)]
        self.noise = np.broadcast_to(np.asarray(noise, float), (features,))
        self.width: float | None = None  # of the kernel, in typical distances
        self._fits: dict[bytes, Callable[[Array], tuple[Array, float]] | None] = {}
        self._of(np.ones(features, bool))

    def __call__(self, pose: ArrayLike) -> tuple[Array, float]:
        """The weights [L] at a pose [F], and how sure they are. Where no feature is known: all weights alike, and 0."""
        pose = np.asarray(pose, float)
        known = np.isfinite(pose)
        fit = self._of(known)
        if fit is None:
            return np.full(len(self.values), 1 / len(self.values)), 0.0
        return fit(pose[known])

    def _of(self, known: Array) -> Callable[[Array], tuple[Array, float]] | None:
        """The map of the known features alone; it is made once for each set of them."""
        key = known.tobytes()
        if key not in self._fits:
            self._fits[key] = self._fit(known)
        return self._fits[key]

    def _fit(self, known: Array) -> Callable[[Array], tuple[Array, float]] | None:
        whole = known.any() and np.isfinite(self.poses[:, known]).all(1)  # the examples that know all of this
        if not np.any(whole):
            return None
        circular = [turns for turns, there in zip(self.circular, known, strict=True) if there]
        points, of = encode(self.poses[whole][:, known], circular)
        scale = reach(points, of, self.noise[known])[of]
        scale = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
        places, looks = _merged(points * scale, self.looks[whole])
        distances = apart(places)
        unit = typical(distances, looks)
        if self.width is None:
            self.width = best_width(distances, looks, self.values, unit)
        width = self.width * (unit if math.isfinite(unit) else 1.0)
        weigh = cardinal(distances, width) @ looks  # [E + 1, L]

        def at(pose: Array) -> tuple[Array, float]:
            there = encode(pose, circular)[0] * scale
            far = np.sqrt(np.square(places - there).sum(1))
            weights = kernel(far, width) @ weigh[:-1] + weigh[-1]
            return played(weights), float(confidence(far.min() / unit))

        return at


def _merged(places: Array, looks: Array) -> tuple[Array, Array]:
    """Examples at one place become one, which is of each of their looks in part."""
    distances = apart(places)
    first = (distances <= SAME * distances.max(initial=1.0)).argmax(1)
    kept, of = np.unique(first, return_inverse=True)
    shares = np.zeros((len(kept), looks.shape[1]))
    np.add.at(shares, of, looks)
    return places[kept], shares / np.bincount(of)[:, None]


# --- in a patch -----------------------------------------------------------------------------------------------------------

WEIGHTS, CONFIDENCE, OWN = "shown.weights.", "shown.confidence", "shown.own"


class Guide:
    """The mapping of a patch, as a step plays it. It remembers nothing of one step for the next.

    Each look's own routes are played like any other, whether it is near or not, and then the looks are mixed with the numbers
    that came of it: so a filter goes on while its look comes and goes, and routes of different features mix as well.

    `known`: the guide of the patch before, of which goes on being used what is the same.
    """

    def __init__(self, patch: Patch, known: Guide | None = None) -> None:
        self.showing: Showing = patch.shown
        self.patch, self.own = patch, look(patch)
        self.own_routes = dict(patch.routes())
        self.parts: dict[str, Patch]
        self.map: Map | None = None
        if known is not None and known.showing is self.showing and _same(known.patch.features, patch.features):
            self.parts, self.map = known.parts, known.map
        else:
            self.parts = shown_looks(patch)
            self.map = self._map() if self.showing.examples else None
        self.looks: dict[str, Look] = {name: look(part) for name, part in self.parts.items()}
        self.look_routes = {name: dict(part.routes()) for name, part in self.parts.items()}

    def _map(self) -> Map:
        showing = self.showing
        names = list(self.parts)
        return Map(
            [example.pose for example in showing.examples],
            [names.index(example.look) for example in showing.examples],
            figures([look(part) for part in self.parts.values()]),
            [name in showing.circular for name in showing.features],
            noise(showing),
        )

    def routes(self) -> Iterator[tuple[str, Route]]:
        """What has to be followed besides the patch's own routes: those of the looks, the weights and the confidence."""
        for name, routes in self.look_routes.items():
            for place, route in routes.items():
                yield f"shown.looks.{name}.{place}", route
        slow = self.showing.smoothing
        for place in (OWN, *(f"{WEIGHTS}{name}" for name in self.parts)):
            yield place, Route(place, attack=slow, release=slow)
        yield CONFIDENCE, Route(CONFIDENCE)

    def pose(self, features: Mapping[str, Drawn]) -> list[float]:
        """What the features of the map are now; not a number where one is not known."""
        pose = []
        for feature in self.showing.features:
            name, _, number = feature.partition(".")
            pose.append(features[name].number(number) if name in features else math.nan)
        return pose

    def weights(self, pose: Sequence[float]) -> dict[str, float]:
        """What those routes follow: how much of each look there is at a pose, and how sure that is, by place."""
        weights = dict.fromkeys(self.parts, 0.0)
        sure = 0.0
        if self.map is not None:
            found, sure = self.map(pose)
            share = float(trust(sure))
            weights |= {name: share * weight for name, weight in zip(weights, found.tolist(), strict=True)}
        rest = max(0.0, 1.0 - math.fsum(weights.values()))
        if self.showing.safe:
            weights[self.showing.safe] += rest
        own = 0.0 if self.showing.safe else rest
        return {OWN: own, **{f"{WEIGHTS}{name}": weight for name, weight in weights.items()}, CONFIDENCE: sure}

    def played(self, numbers: Mapping[str, float]) -> Patch:
        """The patch as it looks now: with plain numbers in place of routes, where not its own look alone is played.

        numbers  the value of every route, by place
        """
        if not self.showing.plays:
            return self.patch
        shares = {name: numbers[f"{WEIGHTS}{name}"] for name in self.parts}
        own, top = numbers[OWN], max(numbers[OWN], *shares.values())
        heavy = [name for name, share in shares.items() if share > FEWEST * top]
        if not heavy:
            return self.patch
        looks = [now(self.looks[name], self.look_routes[name], numbers, f"shown.looks.{name}.") for name in heavy]
        weights = [shares[name] for name in heavy]
        if own > FEWEST * top:
            looks.append(now(self.own, self.own_routes, numbers))
            weights.append(own)
        return wearing(self.patch, between(looks, weights))


def _same(a: Mapping[str, object], b: Mapping[str, object]) -> bool:
    """Whether the same objects have the same names."""
    return a.keys() == b.keys() and all(a[name] is b[name] for name in a)


def now(there: Look, routes: Mapping[str, Route], numbers: Mapping[str, float], before: str = "") -> Look:
    """A look with the numbers that its routes give now; `numbers` has them by their places, with `before` in front."""
    found = copy.deepcopy(there) if routes else there
    for place in routes:
        _put(found, place, numbers[f"{before}{place}"])
    return found


def tables(there: Mapping[str, Any]) -> dict[str, Any]:
    """A look as a patch holds it: tables within tables, without what is as it always is."""
    found: dict[str, Any] = {}
    plain = look(Patch())
    for place, value in there.items():
        if place in plain and value == plain[place]:
            continue
        *way, last = place.split(".")
        table = found
        for key in way:
            table = table.setdefault(key, {})
        if value is not None:
            table[last] = _without_none(value)
    return found


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value


def wearing(patch: Patch, there: Look) -> Patch:
    """A patch with another look, whose numbers are plain; nothing is checked, because each part of it was."""
    latent = {place.removeprefix("latent."): value for place, value in there.items() if place.startswith("latent.")}
    latent["rows"] = {name: Drive(**drive) for name, drive in latent["rows"].items()}
    latent["directions"] = {name: Along(**along) for name, along in latent["directions"].items()}
    latent["places"] = {name: Place(**place) for name, place in latent["places"].items()}
    picture = replace(patch.picture, noise_mode=there["picture.noise_mode"])
    bends = {name: STATIONS["bends"][bend["kind"]](**_without_kind(bend)) for name, bend in there["bends"].items()}
    return replace(patch, latent=Latent(**latent), bends=bends, picture=picture)


def _without_kind(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "kind"}


def _put(found: Look, place: str, number: float) -> None:
    """Where a route stands, its number. A route within a route, for when that one is lost, has done its work already."""
    way = place.split(".")
    size = next((n for n in range(len(way), 0, -1) if ".".join(way[:n]) in found), 1)
    *inside, last = [".".join(way[:size]), *way[size:]]
    table: Any = found
    for key in inside:
        table = table.get(key)
        if not isinstance(table, dict) or ("low" in table and "feature" in table):
            return
    table[last] = number


def figures(looks: Sequence[Look]) -> Array:
    """Looks as numbers [L, P], to see which are alike: shares of seeds, and every number, a route as the middle of its range."""
    rows: list[dict[str, float]] = []
    for there in looks:
        mix = there["latent.mix"] or [[there["latent.seed"], 1.0]]
        whole = math.fsum(weight for _, weight in mix)
        table = {f"seed {seed}": weight / whole for seed, weight in mix}
        for place, value in there.items():
            if place not in ("latent.seed", "latent.mix"):
                table |= _figures(place, value)
        rows.append(table)
    columns = list(dict.fromkeys(key for table in rows for key in table))
    return np.array([[table.get(column, 0.0) for column in columns] for table in rows], float)


def _figures(place: str, value: Any) -> dict[str, float]:
    if isinstance(value, dict) and "low" in value:
        return {place: (value["low"] + value["high"]) / 2}
    if isinstance(value, dict):
        found: dict[str, float] = {}
        for key, inner in value.items():
            found |= _figures(f"{place}.{key}", inner)
        return found
    return {place: float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else {}
