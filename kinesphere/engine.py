"""The engine: one step from what the sources show to the frame that the sinks get; and the film that it makes, step by step."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kinesphere import latent, places, runtime, sliders
from kinesphere.bends import WANDERING, Bending, Still, bent
from kinesphere.checkpoints import Checkpoint
from kinesphere.lanes import NOWHERE, OUT_OF_MEMORY, Drawn, Healths, InTurn, Lanes
from kinesphere.looks.showing import OWN, Guide
from kinesphere.models import Generator, noise_from
from kinesphere.models.rows import rows_of
from kinesphere.patch import BadPatch, Bend, Latent, Patch, Place, routes_of, shown_looks
from kinesphere.places import Kept, Way
from kinesphere.routes import Follower, Number, Route, shape
from kinesphere.runtime import Choice
from kinesphere.sinks.sound import has_sound
from kinesphere.sliders import Found, Slide, Sought
from kinesphere.sources import Camera, Video
from kinesphere.studio.centres import Centres
from kinesphere.types import Feature, KinesphereError, Latest, Source, let_go, space_of

SAMPLES = 10_000  # natural latents that centres are sought among
OF_A_MODEL = ("places", "directions")  # tables of the latent whose parts may be of one model and not of another


@dataclass(frozen=True)
class Moment:
    """What one step was made from: the same moments, in order, make the same frames again."""

    t: float  # seconds
    dt: float  # seconds since the step before
    patch: Patch  # as the step found it
    # The newest value of each feature that had one; a value that stays is the same object.
    features: Mapping[str, Drawn]


@dataclass(frozen=True)
class Fitted:
    """A patch that met its model: all that a step reads, so that a change is seen whole or not at all."""

    patch: Patch
    rows: Mapping[str, slice]  # of the model, for each name in latent.rows
    c: Tensor | None  # the class, [1, c_dim]
    lanes: Lanes = NOWHERE  # where features come from and frames go
    guide: Guide | None = None  # from poses to looks, where that was shown
    # of the patch and of the guide's looks:
    classes: Mapping[int, Tensor | None] = field(default_factory=dict)  # by label
    kept: Mapping[str, Kept] = field(default_factory=dict)  # latents that were kept, by file
    reached: Mapping[str, slice] = field(default_factory=dict)  # rows of the model that go to those, by name
    axes: Mapping[Sought, Found] = field(default_factory=dict)  # directions

    def routes(self) -> Iterator[tuple[str, Route]]:
        """Everything that has to be followed, with its place."""
        yield from self.patch.routes()
        if self.guide is not None:
            yield from self.guide.routes()

    def at(self, numbers: Mapping[str, float]) -> Fitted:
        """As it looks at this pose. `numbers`: the value of every route, by its place."""
        patch = self.patch if self.guide is None else self.guide.played(numbers)
        return self if patch is self.patch else replace(self, patch=patch, c=self.classes[patch.latent.label])


class Acting(NamedTuple):
    """Something that is done inside the model."""

    place: str  # of the patch
    depends: object  # on what: as long as that stays, it does the same
    make: Callable[[], Bending]


class Engine:
    """An instrument, ready to play: a patch that met its model. Raises BadPatch where the two do not fit.

    `running`: features of the patch that are at work already, and are not opened again.
    """

    def __init__(
        self,
        patch: Patch,
        checkpoint: Checkpoint,
        device: str | torch.device = "cpu",
        running: Collection[Feature] = (),
    ) -> None:
        self.checkpoint, self.G = checkpoint, checkpoint.G_ema.to(device)
        self.painter = self.G  # what draws: G, or the same on a faster engine (kinesphere.runtime)
        self.painted_by: Choice | None = None  # which that is; None: G itself
        self.painted_for: object = None  # the wishes for which it was chosen
        self.device = torch.device(device)
        self.health = Healths()
        self.centres: dict[tuple[int, int], Centres] = {}  # by their number and their class
        self._changing = threading.Lock()
        self._now: Latest[Fitted] = Latest()
        self._now.put(self._meet(patch, running))
        self._begin()

    @property
    def now(self) -> Fitted:
        """What the next step reads."""
        fitted = self._now.latest()
        assert fitted is not None
        return fitted

    @property
    def patch(self) -> Patch:
        return self.now.patch

    @property
    def lanes(self) -> Lanes:
        """What the step knows of the world around it."""
        return self.now.lanes

    @lanes.setter
    def lanes(self, lanes: Lanes) -> None:
        with self._changing:
            self._now.put(replace(self.now, lanes=lanes))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a frame, pixels."""
        return self.G.img_resolution, self.G.img_resolution

    def play(self, patch: Patch) -> None:
        """Another patch for the same model, from the next step on; from any thread. Features that are new objects are opened.

        Raises BadPatch where it does not fit; then nothing has changed.
        """
        with self._changing:
            self._now.put(self.fit(patch))

    def fit(self, patch: Patch, opened: Collection[Feature] = ()) -> Fitted:
        """A patch for this model, its new features opened; nothing of what plays is touched. Raises BadPatch.

        `opened`: features that have met this model already.
        """
        now = self.now
        looks = [now.patch, *(now.guide.parts.values() if now.guide else ())]
        bending = [bend for part in looks for bend in part.bends.values()]
        fitted = self._meet(patch, [*now.patch.features.values(), *opened], bending)
        classes = {label: now.classes.get(label, c) for label, c in fitted.classes.items()}
        return replace(fitted, c=classes[patch.latent.label], classes=classes, lanes=now.lanes)

    def begin(self, fitted: Fitted) -> None:
        """Play what was fitted, from the next step on."""
        with self._changing:
            self._now.put(fitted)

    def _meet(self, patch: Patch, running: Collection[Feature], bending: Collection[Bend] = ()) -> Fitted:
        """Open the features; refuse, all at once, everything in the patch that only the model can refuse.

        `running` features and `bending` bends have met the model already.
        """
        problems = list(patch.problems())
        guide = None
        if patch.shown.examples and not problems:
            known = self._now.latest()
            guide = Guide(patch, known.guide if known is not None else None)
        rows: dict[str, slice] = {}
        classes: dict[int, Tensor | None] = {}
        kept: dict[str, Kept] = {}
        reached: dict[str, slice] = {}
        looks = {"": patch} if guide is None else {"": patch} | {f"shown.looks.{n}.": p for n, p in guide.parts.items()}
        for place, part in looks.items():
            own: dict[str, slice] = {}
            for name in part.latent.rows:
                try:
                    own[name] = rows_of(self.G, name)
                except KinesphereError as error:
                    problems.append(f"{place}latent.rows.{name}: {error}")
            problems += [f"{place}{words}" for words in _contested(own)]
            rows |= own
            problems += [f"{place}latent.{words}" for words in self._seek(part.latent, classes)]
            problems += [f"{place}latent.places.{words}" for words in self._reach(part.latent.places, kept, reached)]
            problems += [f"{place}latent.classes.{words}" for words in self._unknown(part.latent.classes)]
            for name, bend in part.bends.items():
                if not any(bend is other for other in bending) and (words := _lacking(self.G, name, bend)):
                    problems.append(f"{place}bends.{name}: {words}")
        axes: dict[Sought, Found] = {}
        for place, part in looks.items():  # a pose may bring the directions of one look to the class of another
            problems += [f"{place}latent.directions.{words}" for words in self._find(part.latent, classes, axes)]
        opened = []
        for name, feature in patch.features.items():
            if not any(feature is other for other in running):
                try:
                    feature.open(self.checkpoint)
                    opened.append(feature)
                except KinesphereError as error:
                    problems.append(f"features.{name}: {error}")
                except OUT_OF_MEMORY:
                    problems.append(
                        f"features.{name}: there is not enough memory to begin it: end another, or make it smaller"
                    )
        if problems:
            for feature in opened:
                let_go(feature)
            raise BadPatch(f"the patch {patch.name or 'without a name'}", problems)
        c = classes[patch.latent.label]
        return Fitted(patch, rows, c, guide=guide, classes=classes, kept=kept, reached=reached, axes=axes)

    def _reach(self, there: Mapping[str, Place], kept: dict[str, Kept], reached: dict[str, slice]) -> Iterator[str]:
        """Meet the latents that a patch goes to, each file once, and their rows; yields what does not fit, in words."""
        playing = self._now.latest()
        for name, place in there.items():
            try:
                reached[place.rows] = places.reached(self.G, place.rows)
            except KinesphereError as error:
                yield f"{name}.rows: {error}"
            known = kept.get(place.file) or (playing.kept.get(place.file) if playing else None)
            try:
                kept[place.file] = Kept.of(self.G, place.file, known)
            except KinesphereError as error:
                yield f"{name}: {error}"

    def _find(self, here: Latent, labels: Collection[int], axes: dict[Sought, Found]) -> Iterator[str]:
        """Meet the directions of a patch, as they are in each of these classes; yields what does not fit, in words."""
        playing = self._now.latest()
        for name, along in here.directions.items():
            try:
                for label in labels:
                    sought = Sought.by(name, along, label)
                    before = axes.get(sought) or (playing.axes.get(sought) if playing else None)
                    axes[sought] = Found.of(self.G, sought, before)
                    sliders.check(along, axes[sought].axis)
            except KinesphereError as error:
                yield f"{name}: {error}"

    def _seek(self, here: Latent, classes: dict[int, Tensor | None]) -> Iterator[str]:
        """Find a latent's class, and the centres that it is truncated towards; yields what there is not, in words."""
        what, known = "label", (here.centres, here.label)
        try:
            classes.setdefault(here.label, self.G.label(here.label))  # [1, c_dim]
            what = "centres"
            if here.centres and known not in self.centres:  # now, and not in the first step that needs them
                self.centres[known] = Centres.of(self.G, here.centres, SAMPLES, class_index=here.label)
        except KinesphereError as error:
            yield f"{what}: {error}"

    def rewind(self) -> None:
        """Forget everything that was seen: the next step is the first."""
        for feature in self.patch.features.values():
            feature.open(self.checkpoint)
        self._begin()

    def _begin(self) -> None:
        self.followers = {place: Follower(route) for place, route in self.now.routes()}
        self.followed = self.now  # what the followers follow
        self._seen: set[str] = set()  # features that they had a value of
        self.numbers = {place: follower.value for place, follower in self.followers.items()}  # of every route, by place
        self.health.clear()
        # The last z of each feature, how it was moved, its c, its ws.
        self.mapped: dict[str, tuple[np.ndarray, tuple[Slide, ...], Tensor | None, Tensor]] = {}
        self.mixed: tuple[object, Tensor] | None = None  # the last weights of classes, and their class vector
        self.still: tuple[object, np.ndarray] | None = None  # the last seeds that did not drift, and their z
        self.ws = self.G.w_avg.expand(1, self.G.num_ws, -1)  # where the instrument stands
        self.drawn_ws: Tensor | None = None  # and what the last frame was drawn from
        self.bendings: dict[str, tuple[object, Bending]] = {}  # of each bend, what they depended on, and they
        self.drawn_as: tuple[object, ...] = ()  # what drew it, its noise mode and its bends
        self.frame = np.zeros([self.size[1], self.size[0], 3], np.uint8)
        self.moment: Moment | None = None  # of the last step
        self.seen = self.patch  # and the patch as it looked then, with the look of its pose
        self.steps = 0

    def go_on_from(self, other: Engine) -> None:
        """Before the first step: what moves goes on moving from where it is in another engine, whose patch has the same routes."""
        self.followers, self.followed, self.numbers, self._seen = (
            other.followers, other.followed, other.numbers, other._seen,
        )  # fmt: skip
        self.moment, self.steps, self.health = other.moment, other.steps, other.health

    def memory(self) -> dict[str, Any]:
        """What the next step goes on from, as plain JSON; `remind` puts it back, bit for bit.

        "followers": what each route's filters remember, by place; "seen": features that had a value; "number": of the next step.
        """
        followers = {place: follower.memory() for place, follower in self.followers.items()}
        return {"followers": followers, "seen": sorted(self._seen), "number": self.steps}

    def remind(self, remembered: Mapping[str, Any]) -> None:
        """Before a step: stand where another engine stood, whose `memory` this is. Routes that it did not have begin anew."""
        for place, known in remembered["followers"].items():
            if place in self.followers:
                self.followers[place].remind(known)
        self._seen, self.steps = set(remembered["seen"]), remembered["number"]

    @torch.inference_mode()
    def warm(self) -> None:
        """Draw a picture that nobody sees, so that the first that is seen comes at once. May raise what the model raises."""
        self.frame = self._draw(self.now, self._place(self.now, {}, self.numbers, 0.0), self.numbers, 0.0)

    @torch.inference_mode()
    def step(self, t: float, dt: float) -> None:
        """One frame at time `t`, `dt` seconds after the last. Never waits, prints or raises: what fails holds its last value."""
        now = self.now  # read once: a change comes between two steps
        features = now.lanes.features(t)  # source -> feature
        self.numbers = self._follow(now, features, t, dt)  # route
        self.moment = Moment(t, dt, now.patch, features)
        with self.health.tried("latent"):
            now = now.at(self.numbers)  # look, where poses have one
            self.seen = now.patch
            self.ws = self._place(now, features, self.numbers, t)  # latent
        with self.health.tried("picture"):
            self.frame = self._draw(now, self.ws, self.numbers, t)  # generator
        now.lanes.show(self.frame, t)  # sink
        self.steps += 1

    def pass_by(self, t: float, dt: float) -> None:
        """A step that nobody sees: all of it but its picture, so that the routes move on."""
        now = self.now
        features = now.lanes.features(t)
        self.numbers = self._follow(now, features, t, dt)
        self.moment = Moment(t, dt, now.patch, features)
        self.steps += 1

    def _follow(self, now: Fitted, features: Mapping[str, Drawn], t: float, dt: float) -> dict[str, float]:
        """The value of every route, by its place. A feature that has shown nothing yet is not a number, which a route waits out."""
        if now is not self.followed:
            self.followers = {place: self._follower(place, route, t - dt) for place, route in now.routes()}
            self.mapped = {name: known for name, known in self.mapped.items() if name in now.patch.features or not name}
            self.followed = now
        self._seen = set(features)
        weights = {} if now.guide is None else now.guide.weights(now.guide.pose(features))
        found: dict[str, float] = {}
        for place, follower in self.followers.items():  # a route that another goes to comes before it
            name, _, number = follower.route.feature.partition(".")
            value = features[name].number(number) if name in features else weights.get(place, math.nan)
            found[place] = follower(value, t, found.get(f"{place}.otherwise"))
        return found

    def _follower(self, place: str, route: Route, t: float) -> Follower:
        """The one that there is, where its route is the same; where another follows the same feature, one that goes on from it."""
        known = self.followers.get(place)
        if known is not None and known.route == route:
            return known
        follower = Follower(route)
        if known is not None and known.route.feature == route.feature and route.feature.partition(".")[0] in self._seen:
            follower(_standing(route, known.own), t)
            follower.count_as(known)
        if known is None and self.steps and route.feature == place:  # a look that was shown comes in from nothing
            follower(float(place == OWN), t)
        return follower

    def _place(self, now: Fitted, features: Mapping[str, Drawn], numbers: Mapping[str, float], t: float) -> Tensor:
        """Where in the generator's space this moment stands: [1, num_ws, w_dim]."""
        here, c = now.patch.latent, self._classes(now, numbers)
        slides = _slides(now, numbers)
        of_z = tuple(slide for slide in slides if slide.space == "z")
        ws = self._map("", self._static(now.patch, t), of_z, c)
        for name, drive in here.rows.items():
            if drive.feature in features:
                amount = _number(drive.amount, f"latent.rows.{name}.amount", numbers)
                driven = self._latent(now.patch, drive.feature, features[drive.feature].value, of_z, c)
                ws = latent.mix(ws, driven, now.rows[name], amount)
        psi = _number(here.psi, "latent.psi", numbers)
        ws = latent.truncate(ws, self._centre(here, ws), psi, here.cutoff)
        return sliders.ws_along(places.along(ws, _ways(now, numbers)), slides)

    def _centre(self, here: Latent, ws: Tensor) -> Tensor:
        """What truncation goes towards: the mean [w_dim], or for each row the centre that it is near, [1, num_ws, w_dim]."""
        if not here.centres:
            return self.G.w_avg
        known = self.centres[here.centres, here.label]
        return latent.near(ws, known.w, known.stats)

    def _unknown(self, classes: Mapping[str, Number]) -> Iterator[str]:
        for index in classes:
            if int(index) >= self.G.c_dim:
                has = f"classes 0 to {self.G.c_dim - 1}" if self.G.c_dim else "no classes"
                yield f"{index}: this model has {has}"

    def _classes(self, now: Fitted, numbers: Mapping[str, float]) -> Tensor | None:
        """The class vector of this moment, [1, c_dim]; the last one again where it has not changed."""
        here = now.patch.latent
        if not here.classes or now.c is None:
            return now.c
        weights = {int(i): _number(weight, f"latent.classes.{i}", numbers) for i, weight in here.classes.items()}
        if self.mixed is None or self.mixed[0] != (weights, here.label):
            self.mixed = (weights, here.label), latent.classes(now.c, weights)
        return self.mixed[1]

    def _static(self, patch: Patch, t: float) -> np.ndarray:
        """The latent of the rows that nothing drives, z [1, z_dim]: a seed, a mix of some, or where their own drift has come to."""
        here = patch.latent
        seeds, weights = zip(*here.mix, strict=True) if here.mix else ((here.seed,), (1.0,))
        if here.drift:
            z = torch.cat([latent.drift(seed, self.G.z_dim, t, period=here.drift) for seed in seeds])
        elif self.still is not None and self.still[0] == (seeds, weights):
            return self.still[1]
        else:
            z = torch.cat([_seed(seed, self.G.z_dim) for seed in seeds])
        z = latent.blend(z, weights) if here.mix else z
        if not here.drift:
            self.still = (seeds, weights), z.numpy()
        return z.numpy()

    def _latent(
        self, patch: Patch, name: str, value: np.ndarray, slides: tuple[Slide, ...], c: Tensor | None
    ) -> Tensor:
        """Where a feature's latent is, [1, num_ws, w_dim]: a z is moved and mapped, a w placed as it is."""
        if space_of(patch.features[name]) == "z":
            return self._map(name, value, slides, c)
        w = torch.as_tensor(value, dtype=torch.float32, device=self.device)
        return w.reshape(1, -1, self.G.w_dim).expand(-1, self.G.num_ws, -1)

    def _map(self, name: str, z: np.ndarray, slides: tuple[Slide, ...], c: Tensor | None) -> Tensor:
        """`z`, after its slides, through the mapping network, once for each new value."""
        known = self.mapped.get(name)
        same = known is not None and known[1] == slides and known[2] is c
        if known is None or not same or not (known[0] is z or np.array_equal(known[0], z)):
            batch = torch.as_tensor(z, dtype=torch.float32, device=self.device).reshape(1, -1)
            known = self.mapped[name] = (z, slides, c, self.G.mapping(sliders.z_along(batch, slides), c))
        return known[3]

    def _draw(self, now: Fitted, ws: Tensor, numbers: Mapping[str, float], t: float) -> np.ndarray:
        """The frame [H, W, 3] uint8; the last one again where nothing has changed."""
        painter = self.painter  # read once: another may take over between two steps
        noise_mode = now.patch.picture.noise_mode
        bendings, depends = self._bendings(self._acting(painter, now, numbers, t))
        how = (painter, noise_mode, *depends)
        if (
            self.drawn_ws is not None
            and self.drawn_as == how
            and torch.equal(ws, self.drawn_ws)
            and noise_mode != "random"
        ):
            return self.frame
        with noise_from(torch.Generator(self.device).manual_seed(self.steps)), bent(painter, *bendings):
            frame = runtime.pixels(painter, ws, noise_mode)[0]
        self.drawn_ws, self.drawn_as = ws, how
        return frame

    def _acting(self, painter: Generator, now: Fitted, numbers: Mapping[str, float], t: float) -> Iterator[Acting]:
        """All that is done inside the model at time `t`: kept latents, which are a picture; then what moves that; then bends."""
        ways = _ways(now, numbers)
        if ways:
            yield Acting("latent.places", (painter, *ways), partial(places.bending, painter, ways))
        for slide in _slides(now, numbers):
            if slide.space == "s":
                make = partial(slide.axis.styled, painter, slide.amount)
                yield Acting(f"latent.directions.{slide.name}", (painter, slide), make)
        for name, bend in now.patch.bends.items():
            arguments = bend.arguments(f"bends.{name}", numbers)
            moves = any(arguments[of] for of in WANDERING.get(bend.function.__name__, ()))
            depends = (painter, type(bend), arguments, t if moves else None)
            yield Acting(f"bends.{name}", depends, partial(bend.function, painter, t, **arguments))

    def _bendings(self, acting: Iterator[Acting]) -> tuple[list[Bending], list[object]]:
        """What is done, and what that depends on. What stays as it is does so by the same operations."""
        bendings: dict[str, tuple[object, Bending]] = {}
        for place, depends, make in acting:
            known = self.bendings.get(place)
            if known is None or known[0] != depends:
                known = depends, {where: Still(operation) for where, operation in make().items()}
            bendings[place] = known
        self.bendings = bendings
        at_work = [(depends, bending) for depends, bending in bendings.values() if bending]
        return [bending for _, bending in at_work], [depends for depends, _ in at_work]


def _ways(now: Fitted, numbers: Mapping[str, float]) -> tuple[Way, ...]:
    """Those latents that were kept to which the picture goes now, in the patch's order."""
    found = []
    for name, place in now.patch.latent.places.items():
        amount = min(max(_number(place.amount, f"latent.places.{name}.amount", numbers), 0.0), 1.0)
        if amount:
            found.append(Way(now.kept[place.file], now.reached[place.rows], amount))
    return tuple(found)


def _slides(now: Fitted, numbers: Mapping[str, float]) -> tuple[Slide, ...]:
    """How far the latent is moved now, in the patch's order; without what stays where it is."""
    here = now.patch.latent
    found = []
    for name, along in here.directions.items():
        amount = sliders.held(along, _number(along.amount, f"latent.directions.{name}.amount", numbers))
        if amount or along.set:
            found.append(Slide(name, now.axes[Sought.by(name, along, here.label)].axis, amount, along.set))
    return tuple(found)


def bendable(patch: Patch, G: Generator) -> tuple[Patch, dict[str, str]]:
    """The patch with those bends, kept latents and directions that fit a model; and by place, why not the others, in words."""
    left = _unfit(patch, G)
    looks = dict(patch.shown.looks)
    for look, part in shown_looks(patch).items():
        lacking = _unfit(part, G)
        looks[look] = _lessened(looks[look], lacking)
        left |= {f"shown.looks.{look}.{place}": why for place, why in lacking.items()}
    if not left:
        return patch, left
    kept, directions = (_without(f"latent.{part}.", getattr(patch.latent, part), left) for part in OF_A_MODEL)
    there = replace(patch.latent, places=kept, directions=directions)
    bends = _without("bends.", patch.bends, left)
    return replace(patch, latent=there, bends=bends, shown=replace(patch.shown, looks=looks)), left


def _unfit(patch: Patch, G: Generator) -> dict[str, str]:
    """By place, the bends, kept latents and directions of a patch that do not fit a model, and why."""
    words = {f"bends.{name}": _lacking(G, name, bend) for name, bend in patch.bends.items()}
    words |= {f"latent.places.{name}": places.lacking(G, place) for name, place in patch.latent.places.items()}
    for name, along in patch.latent.directions.items():
        words[f"latent.directions.{name}"] = sliders.lacking(G, name, along, patch.latent.label)
    return {place: why for place, why in words.items() if why}


def _without(before: str, parts: Mapping[str, Any], left: Collection[str]) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if f"{before}{name}" not in left}


def _lessened(look: Mapping[str, Any], left: Collection[str]) -> dict[str, Any]:
    """A look's tables, without what is left out."""
    there = dict(look)
    if "bends" in there:
        there["bends"] = _without("bends.", there["bends"], left)
    for part in OF_A_MODEL:
        if part in there.get("latent", {}):
            less = _without(f"latent.{part}.", there["latent"][part], left)
            there["latent"] = {**there["latent"], part: less}
    return there


def _lacking(G: Generator, name: str, bend: Bend) -> str:
    """Why a model cannot be bent so, with the way out; "" where it can."""
    at_rest = {place: Follower(route).value for place, route in routes_of(f"bends.{name}", bend)}
    try:
        bend.function(G, 0.0, **bend.arguments(f"bends.{name}", at_rest))
    except KinesphereError as error:
        return str(error)
    return ""


def _contested(rows: Mapping[str, slice]) -> Iterator[str]:
    held: dict[int, str] = {}
    for name, taken in rows.items():
        others = sorted({held[i] for i in range(taken.start, taken.stop) if i in held})
        if others:
            yield f"latent.rows.{name}: these rows are driven by {', '.join(others)} already"
        held |= {i: name for i in range(taken.start, taken.stop)}


_seed = lru_cache(256)(latent.seed_to_z)  # that of one seed takes as long as all the rest of a mix whose weights move


def _number(value: Number, place: str, numbers: Mapping[str, float]) -> float:
    return numbers[place] if isinstance(value, Route) else value


def _standing(route: Route, value: float) -> float:
    """A value of the feature at which a route at rest gives `value`, or is nearest to it: by bisection, as every curve rises."""
    low, high = (0.0, 1.0) if route.clamp else (-8.0, 8.0)
    rises = shape(route, high) >= shape(route, low)
    for _ in range(40):
        middle = (low + high) / 2
        if (shape(route, middle) < value) == rises:
            low = middle
        else:
            high = middle
    return route.in_low + (low + high) / 2 * (route.in_high - route.in_low)


def render(engine: Engine, frames: int, fps: Fraction, on_frame: Callable[[int], None] = lambda i: None) -> None:
    """A film, on a frame counter: frame `i` is the step at exactly `i / fps` seconds. The same patch gives the same frames.

    The engine's sinks get them; close them, whole, on any interruption. Raises KinesphereError at the first station that fails.
    """
    if engine.steps or engine.lanes is not NOWHERE:  # what it took was given back
        engine.rewind()
    with InTurn(engine.patch, engine.health, engine.size, fps) as engine.lanes:
        for i in range(frames):
            engine.step(float(i / fps), float(1 / fps))
            for name, health in engine.health.items():
                if health.error is not None:
                    raise KinesphereError(f"{name} failed at frame {i}: {health.error}")
            on_frame(i + 1)


def duration(source: Source) -> float:
    """Seconds until a source ends; 0 for one that does not. A video's own rate and frames can be read from it afterwards."""
    if isinstance(source, Camera):
        return 0.0
    source.open()
    source.close()
    return float(getattr(source, "duration", 0.0)) - getattr(source, "start", 0.0)


def length(patch: Patch, seconds: float | None = None, fps: Fraction | None = None) -> tuple[int, Fraction]:
    """Frames and rate of a patch's film: those of its first source, unless told otherwise.

    Raises KinesphereError where the source is a camera, or has no end and `seconds` is not given.
    """
    source = next(iter(patch.sources.values()), None)
    if isinstance(source, Camera):
        raise KinesphereError(
            "a film needs a source that can be seen again: give --source a video or a folder of pictures"
        )
    whole = duration(source) if source else 0.0
    if isinstance(source, Video) and seconds is None and fps in (None, source.fps) and not source.start:
        return source.frames, source.fps
    if not (seconds or whole):
        raise KinesphereError("this patch has no source with an end: say how long with --seconds")
    own = source.fps if isinstance(source, Video) else Fraction(patch.picture.fps).limit_denominator(1001)
    rate = fps or own
    return max(1, round(Fraction(seconds or whole).limit_denominator(10**6) * rate)), rate


def sound(patch: Patch) -> tuple[str | None, float]:
    """The file whose sound a patch's film keeps (None: silent), and where in it the film begins, seconds."""
    source = next(iter(patch.sources.values()), None)
    if isinstance(source, Video) and has_sound(source.path):
        return str(source.path), source.start
    return None, 0.0
