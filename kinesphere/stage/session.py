"""What all pages share: the performance, and everything that a player has made of it so far."""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from kinesphere import files, patch
from kinesphere.controls import controls, felt
from kinesphere.engine import bendable
from kinesphere.latent import EASINGS
from kinesphere.looks import Cues, History, Morph, Ring, Snapshots, between, fitted, pad_weights
from kinesphere.patch import Latent, Patch
from kinesphere.performance import Performance, Shown
from kinesphere.routes import Route
from kinesphere.stage import saying
from kinesphere.stage.board import Board, Outbox, text
from kinesphere.stage.directions import Directions
from kinesphere.stage.learning import LONGEST, SHORTEST, Ear, Gesture
from kinesphere.stage.library import Absent, Library
from kinesphere.stage.own import Own
from kinesphere.stage.pictures import Gallery, Picture
from kinesphere.stage.rack import Rack
from kinesphere.stage.recording import Recording
from kinesphere.stage.showing import Teacher, seen
from kinesphere.stage.teaching import Teaching
from kinesphere.stage.workshop import Aside
from kinesphere.types import KinesphereError, Latest, Signal, heard

TICK = 1 / 60  # seconds between two looks at what moves by itself
TELLING = 1 / 30  # seconds between two states
METERS = 1 / 15
REMEMBERING = 0.5  # seconds between two looks of the ring
SEEDS = 60  # that are remembered
FITTED = ("bends", "latent.places", "latent.directions")  # tables of a look whose parts may be of another instrument
SIDES = 100_000  # of the dice
SAFE_SECONDS = 0.6  # back to the safe look
IN_HAND = 0.4  # seconds from what poses made of the picture to what the hand makes of it

log = logging.getLogger(__name__)


class Session:
    """One instrument and its players. Every method may be called from any thread; those that change raise KinesphereError."""

    def __init__(self, performance: Performance, library: Library) -> None:
        self.performance, self.library = performance, library
        self.lock = threading.RLock()
        self.board = Board()
        self.pages: list[Outbox] = []
        self.gallery = Gallery(self._mailbox, self._picture)
        self.ear = Ear()
        self.recording = Recording(performance, library)
        self.teacher = Teacher(self)
        self.aside = Aside(self)
        self.own = Own(self)
        self.directions = Directions(self)
        self.rack = Rack(self, self.directions)
        self.teaching = Teaching(self, self.directions, self.rack)
        self.history = History()
        self.snapshots = Snapshots(library.folder / "snapshots")
        self.ring = Ring()
        self.cues = Cues(library.folder / "snapshots")
        self.padded: dict[str, Any] | None = None  # where the looks lie on the pad, and where the finger was last
        self.seeds: list[int] = []
        self.favourites = _read_seeds(library)
        # the way, when it began (seconds on the clock), and where it leads
        self.morph: tuple[Morph, float, str] | None = None
        self.black_wanted = False
        self.learning: tuple[str, float] | None = None  # the place, and since when (engine seconds)
        self.calibrating: dict[str, float] = {}
        self.troubles: dict[str, str] = {}
        self.noting = threading.Lock()
        self.stale = {*saying.PARTS}  # parts of the state that have to be told again
        # the patch, the model and its name, as pages know them
        self.told: tuple[Patch | None, Any, str] = (None, None, "")
        self.due = {"tell": 0.0, "meters": 0.0, "remember": 0.0}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._live, name="session", daemon=True)
        self.board.put("kinds", saying.kinds())

    def start(self) -> None:
        self.performance.listeners.append(self.ear)
        self._remember_seed(self.performance.patch.latent.seed)
        self._tell()
        self.thread.start()

    def stop(self) -> None:
        """No thread is left, and a take that was being recorded is whole."""
        self.over.set()
        if self.thread.ident is not None:
            self.thread.join(timeout=10)
        self.own.close()
        self.teaching.close()
        self.directions.close()
        with self.lock:
            self.recording.close()
        if self.ear in self.performance.listeners:
            self.performance.listeners.remove(self.ear)
        self.gallery.close()

    def __enter__(self) -> Session:
        self.start()
        return self

    def __exit__(self, *stopped_by: object) -> None:
        self.stop()

    def note(self, *parts: str) -> None:
        """These parts of the state have changed; from any thread."""
        with self.noting:
            self.stale.update(parts)

    # --- the patch ------------------------------------------------------------------------------------------------------

    def change(self, edits: Mapping[str, Any]) -> None:
        """Places and their new values. Where something has to be opened or found for it, nobody else waits for that."""
        edits = {place: self.library.shelved(place, value) for place, value in edits.items()}
        if self.opens(edits):
            self.performance.prepare(self.library.within(patch.changed(self.performance.patch, edits)))
        with self.lock:
            before = self.performance.patch
            self.library.within(patch.changed(before, edits))
            if any(place.startswith(("latent", "bends")) for place in edits):
                self.morph = None  # the hand is stronger than what moves by itself
                if before.shown.plays and not any(place.startswith("shown") for place in edits):
                    self.take_in_hand(edits)
                    return
            after = self.performance.change(edits)
            self._keep(before, after, edits)
            self._remember_seed(after.latent.seed)

    def opens(self, edits: Mapping[str, Any]) -> bool:
        """Whether these edits may need a feature opened, or centres or a direction found, which may take its time."""
        here = self.performance.patch.latent
        slow = {"latent", "latent.centres", "latent.directions"}
        slow |= {"latent.label"} if here.centres or here.directions else set()
        return any(place in slow or place.startswith("features") or self._finds(place) for place in edits)

    def _finds(self, place: str) -> bool:
        """Whether an edit may name a direction that is not on the rack: what the model varies in has to be known for it."""
        section, _, rest = place.removeprefix("latent.").partition(".")
        name, _, part = rest.partition(".")
        known = self.performance.patch.latent.directions
        return section == "directions" and (name not in known or part in ("of", "rows"))

    def take_in_hand(self, edits: Mapping[str, Any]) -> None:
        """With these edits, what poses made of the picture gives way to what the patch itself says, without a cut."""
        with self.lock:
            before, asked = self.performance.patch, {"shown.play": False, **edits}
            self.performance.play(patch.changed(before, asked), IN_HAND if before.shown.plays else 0.0)
            self._keep(before, self.performance.patch, asked)
            self._remember_seed(self.performance.patch.latent.seed)

    def _keep(self, before: Patch, after: Patch, edits: Mapping[str, Any]) -> None:
        self.history.did(before, after, edits)
        self.note("history")

    def undo(self) -> None:
        self._go(self.history.undo, self.history.redo)

    def redo(self) -> None:
        self._go(self.history.redo, self.history.undo)

    def _go(self, step: Callable[[Patch], Patch | None], back: Callable[[Patch], Patch | None]) -> None:
        with self.lock:
            asked = step(self.performance.patch)
            if asked is None:
                raise KinesphereError("there is nothing more in that direction")
            back(asked)  # a step that cannot be played is still there, for when it can
        self.performance.prepare(asked)
        with self.lock:
            asked = step(self.performance.patch) or asked
            try:
                self.performance.play(asked)
            except Exception:
                back(asked)
                raise
            self.morph = None
            self._remember_seed(asked.latent.seed)
            self.note("history")

    def play(self, name: str | None, toml: str | None, model: str | None, fade: float) -> None:
        """Another patch, by its name or as TOML, or the same with another model. What plays can be changed until it is open."""
        asked: Patch | None = None
        if name is not None:
            asked = self.library.patch(name)
        elif toml is not None:
            asked = self.library.within(patch.parse(toml, "what was handed in"))
        if asked is not None and model is None:
            self.performance.prepare(asked)
        with self.lock:
            before = self.performance.patch
            asked = before if asked is None else asked
            if model is not None:
                asked = self.library.within(patch.changed(asked, {"model": model}))
            self.morph = None
            self.performance.play(asked, fade)
            self._keep(before, asked, {"": None})
            self._remember_seed(asked.latent.seed)

    def save_patch(self, name: str) -> None:
        with self.lock:
            self.library.keep_patch(name, self.performance.patch)
            self.note("library")

    def forget_file(self, shelf: str, name: str) -> None:
        """Delete a patch, a model or a take of the library."""
        with self.lock:
            if shelf == "takes" and name in self.recording.in_use:
                raise KinesphereError(f"the take {name} is in use: stop it first")
            self.library.forget(shelf, name)
            self.note("library")

    # --- panic ----------------------------------------------------------------------------------------------------------

    def freeze(self, on: bool) -> None:
        self._take_over()
        self.performance.frozen = on
        self.recording.event("freeze", on=on)

    def black(self, on: bool, seconds: float) -> None:
        self._take_over()
        self.black_wanted = on
        self.performance.black(on, seconds)
        self.recording.event("black", on=on, seconds=seconds)

    def _take_over(self) -> None:
        """Who panics wants the instrument in hand. Nothing waits here for a patch that is being opened."""
        if self.recording.again is not None:
            self.replay_stop()

    def safe(self) -> None:
        """Whatever has happened: light, motion, and the look that was called safe."""
        with self.lock:
            self.freeze(False)
            self.black(False, SAFE_SECONDS)
            chosen = self.snapshots.safe
            if chosen is None:
                raise KinesphereError("no look is the safe one yet: choose one among the snapshots")
            self.recall(chosen, SAFE_SECONDS, "smoothstep")

    # --- looks ----------------------------------------------------------------------------------------------------------

    def snapshot(self, name: str) -> dict[str, Any]:
        """Keep how it looks now."""
        with self.lock:
            shown = self.performance.frames.latest()
            kept = self.snapshots.add(seen(self), name, shown.frame if shown is not None else None)
            self.note("looks")
            return {"id": kept}

    def recall(self, which: str, seconds: float = 0.0, easing: str = "smoothstep") -> None:
        """Go to a snapshot, at once or in `seconds`."""
        with self.lock:
            self.go_to(self.snapshots.look(which), seconds, easing, which)

    def rewind(self, seconds: float) -> None:
        """How it looked that many seconds ago."""
        with self.lock:
            past = self.ring.ago(seconds)
            if past is None:
                raise KinesphereError("nothing is remembered from then")
            self.go_to(past, 0.0, "linear", "rewind")

    def thumbnail(self, which: str) -> bytes:
        """How a snapshot looks, as a JPEG."""
        try:
            return self.snapshots.thumbnail(which)
        except KinesphereError as error:
            raise Absent(str(error)) from None

    def picture_of(self, which: str) -> str | None:
        """The address at which a page finds how a snapshot looks; None: it has no picture."""
        return f"/api/snapshots/{which}.jpg" if self.snapshots.pictured(which) else None

    def go_to(self, goal: Mapping[str, Any], seconds: float, easing: str, name: str) -> None:
        """To a look, at once or in `seconds`; `name` is what pages know the way by."""
        if easing not in EASINGS:
            raise KinesphereError(f"no easing {easing!r}: there are {', '.join(EASINGS)}")
        before = self.performance.patch
        there, left = self._fitted(goal)
        for place, why in left.items():
            self._trouble(place, f"the look comes without it, as it cannot be played here: {why}")
        way = Morph(seen(self), there, seconds, easing)
        in_hand = {"shown.play": False} if before.shown.plays else {}
        self._keep(before, patch.changed(before, in_hand | way.at(seconds)), {"": None})
        self.note("looks")
        if seconds > 0:
            if in_hand:
                self.performance.change(in_hand | way.at(0.0))
            self.morph = (way, time.monotonic(), name)
        else:
            self.morph = None
            self._remember_seed(self.performance.change(in_hand | way.at(0.0)).latent.seed)

    def _fitted(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """A look as this instrument can play it, and by place why some of what it bends, goes to and goes along is not in it."""
        found = fitted(dict(asked), self.performance.patch)
        parts = {place: found[place] for place in FITTED if place in found}
        label = {"latent.label": found["latent.label"]} if "latent.label" in found else {}
        whole = patch.changed(self.performance.patch, {place: {} for place in FITTED} | parts | label)
        here = whole.latent
        only = Patch(bends=whole.bends, latent=Latent(places=here.places, directions=here.directions, label=here.label))
        _, left = bendable(only, self.performance.engine.G)
        for place, part in parts.items():
            found[place] = {name: value for name, value in part.items() if f"{place}.{name}" not in left}
        return found, left

    def rename(self, which: str, name: str) -> None:
        self.snapshots.rename(which, name)
        self.note("looks")

    def forget(self, which: str) -> None:
        """A snapshot, every cue that leads to it, and its place on the pad."""
        with self.lock:
            self.snapshots.forget(which)
            self.cues.forget(which)
            if self.padded is not None:
                self.padded["points"] = [point for point in self.padded["points"] if point["id"] != which]
            self.note("looks")

    def set_safe(self, which: str) -> None:
        self.snapshots.set_safe(which)
        self.note("looks")

    def pad(self, points: list[tuple[str, float, float]], at: tuple[float, float]) -> None:
        """Between several snapshots, by where a finger stands among them."""
        with self.lock:
            self.morph = None
            weights = pad_weights([(x, y) for _, x, y in points], at)
            before = self.performance.patch
            edits = between([self._fitted(self.snapshots.look(which))[0] for which, _, _ in points], weights)
            edits |= {"shown.play": False} if before.shown.plays else {}
            self._keep(before, self.performance.change(edits), edits)
            self.padded = {"points": [{"id": which, "x": x, "y": y} for which, x, y in points], "at": list(at)}
            self.note("looks")

    def set_cues(self, cues: list[dict[str, Any]]) -> None:
        with self.lock:
            for cue in cues:
                self.snapshots.look(cue["id"])
            self.cues.set(cues)
            self.note("looks")

    def cue(self, to: str | int) -> None:
        """The next cue, the one before, or one by its place in the list."""
        with self.lock:
            place = self.cues.peek(to)
            chosen = self.cues.list[place]
            self.recall(chosen["id"], chosen["seconds"], chosen["easing"])
            self.cues.go(place)

    # --- seeds ----------------------------------------------------------------------------------------------------------

    def seed_dice(self) -> dict[str, int]:
        """A seed that can be told to somebody across the room: of five digits at most."""
        seed = secrets.randbelow(SIDES)
        self.change({"latent.seed": seed})
        return {"seed": seed}

    def favourite(self, seed: int, on: bool) -> None:
        with self.lock:
            kept = [known for known in self.favourites if known != seed]
            self.favourites = [seed, *kept][:SEEDS] if on else kept
            words = "\n".join(map(str, self.favourites))
            files.replace(self.library.folder / "seeds.txt", lambda unfinished: unfinished.write_text(words))
            self.note("seeds")

    def _remember_seed(self, seed: int) -> None:
        if not self.seeds or self.seeds[-1] != seed:
            self.seeds = [*(known for known in self.seeds if known != seed), seed][-SEEDS:]
            self.note("seeds")

    # --- learn and calibrate ----------------------------------------------------------------------------------------------

    def learn(self, place: str) -> None:
        """From now on, show what is to move this place."""
        with self.lock:
            self._routable(place)
            if not self.performance.patch.numbers():
                raise KinesphereError(
                    "this patch has no feature that is a number: add one, such as motion or brightness"
                )
            self.learning = (place, self.ear.now)

    def learn_stop(self) -> dict[str, Any]:
        """Bind what moved most since `learn`."""
        with self.lock:
            if self.learning is None:
                raise KinesphereError("nothing is being learnt")
            place, begin = self.learning
            self.learning = None
            gesture = self.ear.gesture(begin, self._angles())
            if gesture is None:
                raise KinesphereError(
                    f"{self._label(place)} is as it was: nothing moved clearly more than it does at rest. Try a larger move"
                )
            self._bind(place, gesture)
            return {"feature": gesture.feature, "in_low": gesture.low, "in_high": gesture.high}

    def _routable(self, place: str) -> dict[str, Any]:
        found = self._control(place)
        if found is None or not found["routable"]:
            raise KinesphereError(f"no feature can move {self._label(place)}")
        return found

    def _control(self, place: str) -> dict[str, Any] | None:
        return next((c for c in self.board.read("controls") or [] if c["place"] == place), None)

    def _label(self, place: str) -> str:
        """What a player calls a place."""
        found = self._control(place)
        return repr(place[:120]) if found is None else str(found["label"])

    def _bind(self, place: str, gesture: Gesture) -> None:
        low, high = self._routable(place)["routed"]
        span = {"low": low, "high": high, "in_low": gesture.low, "in_high": gesture.high}
        turn = felt(self.performance.patch)[gesture.feature].turn
        self.change({place: {"feature": gesture.feature, **span} | ({"circular": turn} if turn else {})})

    def _angles(self) -> list[str]:
        """The numbers that go round."""
        return [name for name, number in felt(self.performance.patch).items() if number.turn]

    def calibrate(self, place: str) -> None:
        """From now on, show the smallest and the largest."""
        with self.lock:
            self._route(place)
            self.calibrating[place] = self.ear.now

    def calibrate_stop(self, place: str) -> dict[str, Any]:
        with self.lock:
            begin = self.calibrating.pop(place, None)
            if begin is None:
                raise KinesphereError(f"{self._label(place)} is not being calibrated")
            route = self._route(place)
            extremes = self.ear.extremes(route.feature, begin, self._angles())
            if extremes is None:
                raise KinesphereError(f"{self._label(place)} is as it was: {route.feature} did not move")
            low, high = extremes if route.in_low < route.in_high else extremes[::-1]
            self.change({f"{place}.in_low": low, f"{place}.in_high": high})
            return {"in_low": low, "in_high": high}

    def _route(self, place: str) -> Route:
        routes = dict(self.performance.patch.routes())
        if place not in routes:
            played = ", ".join(self._label(known) for known in routes) or "nothing"
            raise KinesphereError(f"no feature moves {self._label(place)}: what features move is {played}")
        return routes[place]

    # --- a mapping by examples --------------------------------------------------------------------------------------------

    def teach(self, step: Callable[[Teacher], Any]) -> Any:
        """One step of showing which look belongs to which pose."""
        with self.lock:
            done = step(self.teacher)
            self.note("shown")
            return done

    # --- takes ----------------------------------------------------------------------------------------------------------

    def record(self, on: bool, video: bool, source: bool) -> dict[str, Any]:
        with self.lock:
            if on:
                name = self.recording.start(video, source, lambda words: self._trouble("take", words))
            else:
                name = self.recording.stop()
            self.note("library")
            return {"take": name}

    def replay(self, name: str) -> None:
        with self.lock:
            self.recording.replay(name, lambda note: self._trouble("replay", note))

    def replay_stop(self) -> None:
        with self.lock:
            self.recording.replay_stop()

    # --- pages ----------------------------------------------------------------------------------------------------------

    def join(self, page: Outbox) -> None:
        with self.noting:
            self.pages = [*self.pages, page]
        self.note("library", "latents", "rack")  # files may have been put there by hand
        for station, words in self._damage().items():
            page.post(words=_trouble(station, words))
        page.post()

    def _damage(self) -> dict[str, str]:
        """What of the library could not be read when the session began."""
        found = {f"snapshots {name}": f"{name} was left out: {why}" for name, why in self.snapshots.damaged.items()}
        return found | ({"cues": self.cues.trouble} if self.cues.trouble else {})

    def leave(self, page: Outbox) -> None:
        with self.noting:
            self.pages = [other for other in self.pages if other is not page]

    def say(self, message: Mapping[str, Any]) -> None:
        """To every page."""
        words = text(message)
        for page in self.pages:
            page.post(words=words)

    def _trouble(self, station: str, words: str) -> None:
        """Something is wrong: to every page. From any thread."""
        for page in self.pages:
            page.post(words=_trouble(station, words))

    def picture(self) -> Picture:
        """What is shown now. Raises KinesphereError before the first."""
        shown = self._mailbox("picture").latest()
        if shown is None:
            raise KinesphereError("no picture has been drawn yet")
        return self._picture(shown)

    def _mailbox(self, view: str) -> Latest[Any]:
        if view != "picture":
            name = view.removeprefix("source:")
            if name not in self.performance.patch.sources:
                raise KinesphereError(
                    f"no source {name[:80]!r}: there are {', '.join(self.performance.patch.sources) or 'none'}"
                )
            if heard(self.performance.patch.sources[name]):
                raise KinesphereError(f"{name[:80]!r} is heard, and cannot be looked at")
            return self.performance.view(name)
        again = self.recording.again
        return self.performance.frames if again is None else again.frames

    def _picture(self, item: Shown | Signal) -> Picture:
        if isinstance(item, Shown):
            return Picture(item.frame, item.t, math.nan if item.age is None else item.age)
        return Picture(item.value, item.t)

    # --- what happens by itself -----------------------------------------------------------------------------------------

    def _live(self) -> None:
        while not self.over.wait(TICK if self.morph else 2 * TICK):
            try:
                self._tick(time.monotonic())
            except Exception:
                log.exception("the session stumbled")  # the next tick may go well; the picture never waits for this one
                self.over.wait(0.5)

    def _tick(self, now: float) -> None:
        if self.lock.acquire(timeout=TICK):  # while a patch is being opened, the meters go on
            try:
                self._by_itself(now)
            finally:
                self.lock.release()
        if self.pages and self._is_due("meters", now, METERS):
            meters = text(self.meters())
            for page in self.pages:
                page.post(meters=meters)
        if self._is_due("tell", now, TELLING):
            self._tell()

    def _by_itself(self, now: float) -> None:
        self._go_on(now)
        if self.learning is not None:
            self._listen(*self.learning)
        if self.recording.again is not None and self.recording.again.done:
            self.recording.replay_stop()
        if self.recording.error:
            self._trouble("take", self.recording.error)
            self.recording.stop()
            self.note("library")
        if self._is_due("remember", now, REMEMBERING):
            self.ring.add(now, seen(self))

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self.due[what]:
            return False
        self.due[what] = max(self.due[what] + every, now + every / 2)
        return True

    def _go_on(self, now: float) -> None:
        if self.morph is None:
            return
        way, begin, _ = self.morph
        try:
            seed = self.performance.change(way.at(now - begin)).latent.seed
        except KinesphereError as error:  # a place that the look knew is gone
            self.morph = None
            self._trouble("looks", str(error))
        else:
            if way.done(now - begin):
                self.morph = None
                self._remember_seed(seed)
        self.note("looks")

    def _listen(self, place: str, begin: float) -> None:
        """Bind by itself what clearly moved, or whatever did when the time is over."""
        passed = self.ear.now - begin
        if passed < SHORTEST:
            return
        gesture = self.ear.gesture(begin, self._angles())
        if passed < LONGEST and not (gesture and gesture.clear):
            return
        try:
            self.learn_stop()
        except KinesphereError as error:
            self._trouble("learn", str(error))

    # --- what is told ---------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        """Bring the board up to date, and wake the pages where something has changed."""
        version = self.board.version
        played, engine = self.performance.patch, self.performance.engine
        model, name = engine.checkpoint, engine.patch.model
        if self.told[0] is not played or self.told[1] is not model or self.told[2] != name:
            self._tell_patch(played, model, name)
        with self.noting:
            stale, self.stale = self.stale, set()
        for part in stale:
            self._tell_part(part)
        self.board.put("performance", saying.performance(self))
        if self.board.version != version:
            for page in self.pages:
                page.post()

    def _tell_part(self, part: str) -> None:
        try:
            self.board.put(part, saying.PARTS[part](self))
        except Exception as error:  # whatever lies in the library: the others are told all the same
            log.exception("%s cannot be told", part)
            self._trouble(part, f"this cannot be told: {type(error).__name__}")

    def _tell_patch(self, played: Patch, model: Any, name: str) -> None:
        self.board.put("patch", patch.document(played))
        self.board.put("routes", [{"place": place, **asdict(route)} for place, route in played.routes()])
        self.board.put("controls", [asdict(control) for control in controls(played, model.G_ema)])
        self.board.put("felt", {name: number._asdict() for name, number in felt(played).items()})
        if self.told[1] is not model or self.told[2] != name:
            self.board.put("model", saying.model(name, model.G_ema))
            for place, why in self.performance.left_out.items():
                self._trouble(place, f"it was left out, as {name} cannot do it: {why}")
            self.note("own", "latents", "rack", "teaching")
        if self.told[0] is not None and self.told[0].latent.label != played.latent.label:
            self.note("rack")
        self.note("shown")
        self.told = (played, model, name)

    def meters(self) -> dict[str, Any]:
        """How it goes, now."""
        meters = saying.meters(self)
        self._tell_troubles({name: s["error"] for name, s in meters["stations"].items() if s["error"]})
        return meters

    def _tell_troubles(self, now: dict[str, str]) -> None:
        for name, words in now.items():
            if self.troubles.get(name) != words:
                self._trouble(name, words)
        self.troubles = now


def _trouble(station: str, words: str) -> str:
    return text({"is": "trouble", "station": station, "text": words})


def _read_seeds(library: Library) -> list[int]:
    try:
        words = (library.folder / "seeds.txt").read_text().split()
    except OSError:
        return []
    return [int(word) for word in words if word.isdecimal() and int(word) < 2**32][:SEEDS]
