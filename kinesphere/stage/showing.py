"""Showing the instrument what to do: a pose is held, a look belongs to it, and a few of those are a mapping."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinesphere import patch
from kinesphere.lanes import Drawn
from kinesphere.looks import fitted, look
from kinesphere.looks.morphing import Look
from kinesphere.looks.showing import tables
from kinesphere.patch import Patch
from kinesphere.shown import Showing
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

HELD = 0.5  # seconds before now of which a pose is the mean
AT_REST = "At rest"  # what the look is called that was there when showing began


class Teacher:
    """What a session does about a mapping that is being shown. All that is learnt lies in the patch, so it can be undone."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def patch(self) -> Patch:
        return self.session.performance.patch

    @property
    def shown(self) -> Showing:
        return self.patch.shown

    def begin(self, features: Sequence[str]) -> None:
        """Which numbers are a pose. What was shown with other ones is forgotten; far from all, it will be the safe look."""
        offered = self.patch.numbers()
        unknown = [name for name in features if name not in offered]
        if unknown or not features:
            what = f"no feature {unknown[0]!r} that is a number" if unknown else "a pose needs a number or more"
            raise KinesphereError(f"{what}: this patch has {', '.join(offered) or 'none'}")
        if list(features) == self.shown.features:
            return
        safe, there = self._safe()
        self._change(
            {
                "features": list(features),
                "circular": [name for name in features if is_angle(self.patch, name)],
                "play": False,
                "safe": safe,
                "smoothing": self.shown.smoothing,
                "looks": {safe: there},
            }
        )

    def _safe(self) -> tuple[str, dict[str, Any]]:
        """The look that was called safe, or else the one that is there now; both are kept, so that they have a picture."""
        session, there = self.session, tables(seen(self.session))
        chosen = session.snapshots.safe or kept(session, there) or session.snapshot(AT_REST)["id"]
        return self._name(session.snapshots.name(chosen), ()), tables(
            fitted(session.snapshots.look(chosen), self.patch)
        )

    def hold(self, which: str | None) -> dict[str, Any]:
        """The pose of the last half second belongs to a snapshot; None: to how it looks now, which is kept."""
        session, shown = self.session, self.shown
        if not shown.features:
            raise KinesphereError("say first which features are a pose")
        pose, noise = held(session.ear.heard, shown.features, shown.circular)
        if which is None:
            there = tables(seen(session))
        else:
            there = tables(fitted(session.snapshots.look(which), self.patch))
        known = [name for name, own in shown.looks.items() if own == there]
        if known:
            name = known[0]
        else:
            which = which or kept(session, there) or session.snapshot(f"Pose {len(shown.examples) + 1}")["id"]
            name = self._name(session.snapshots.name(which), shown.looks)
        example = {"pose": pose, "look": name, "noise": noise}
        self._change(
            {
                "looks": shown.looks | {name: there},
                "examples": [*_whole(shown)["examples"], example],
            }
        )
        return {"example": len(shown.examples), "look": name}

    def _name(self, name: str, others: Iterable[str]) -> str:
        """A name for a look in the patch: without a dot, and no other's."""
        name = name.replace(".", " ").strip()[:56] or "Look"
        taken = set(others)
        return next(n for n in (name, *(f"{name} {i}" for i in range(2, 10_000))) if n not in taken)

    def undo(self, example: int | None) -> None:
        """Forget an example, the last one or that of its place in the list, and its look where no other has it."""
        shown = self.shown
        place = len(shown.examples) - 1 if example is None else example
        if not 0 <= place < len(shown.examples):
            raise KinesphereError("nothing was shown" if not shown.examples else f"there is no example {place}")
        left = [one for i, one in enumerate(_whole(shown)["examples"]) if i != place]
        needed = {one["look"] for one in left} | {shown.safe}
        self._change(
            {
                "examples": left,
                "looks": {name: own for name, own in shown.looks.items() if name in needed},
                "play": shown.play and bool(left),
            }
        )

    def play(self, on: bool) -> None:
        """Let poses decide how it looks, or leave it to the hand."""
        if on and len({example.look for example in self.shown.examples}) < 2:
            raise KinesphereError("show two poses with two looks first: then there is something between them")
        if on:
            self.session.morph = None
            self._change({"play": True})
        elif self.shown.play:
            self.session.take_in_hand({})

    def clear(self) -> None:
        """Forget all that was shown, and what a pose is."""
        if self.shown != Showing():
            self.session.take_in_hand({"shown": None})

    def _change(self, fields: Mapping[str, Any]) -> None:
        """Other values for some fields of what was shown."""
        whole = {} if "features" in fields else _whole(self.shown)
        self.session.change({"shown": {**whole, **fields}})


def is_angle(played: Patch, name: str) -> bool:
    """Whether one of a patch's numbers is an angle that wraps at +-pi."""
    feature, _, number = name.partition(".")
    return number in getattr(played.features[feature], "circular", ())


def held(
    heard: Iterable[tuple[float, Mapping[str, Drawn]]], features: Sequence[str], circular: Sequence[str]
) -> tuple[list[float], list[float]]:
    """The mean of each feature over the last HELD seconds, and how much it trembled: its deviation. Of an angle, round the circle.

    heard   (seconds, what the features were), in order of time
    Raises KinesphereError where one was not known in that time.
    """
    steps = list(heard)
    recent = [step for t, step in steps if t >= steps[-1][0] - HELD]
    pose, noise, lost = [], [], []
    for feature in features:
        name, _, number = feature.partition(".")
        found = np.array([step[name].number(number) for step in recent if name in step])
        known = found[np.isfinite(found)]
        if not len(known):
            lost.append(feature)
            continue
        middle, deviation = _round(known) if feature in circular else (float(known.mean()), float(known.std()))
        pose.append(middle)
        noise.append(deviation)
    if lost:
        raise KinesphereError(
            f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} not known now: show yourself to the camera, "
            "or begin again without"
        )
    return pose, noise


def _round(angles: np.ndarray) -> tuple[float, float]:
    """The mean direction of angles, and their deviation from it the short way round, radians."""
    middle = math.atan2(float(np.sin(angles).mean()), float(np.cos(angles).mean()))
    away = np.arctan2(np.sin(angles - middle), np.cos(angles - middle))
    return middle, float(np.sqrt(np.mean(np.square(away))))


def _whole(shown: Showing) -> dict[str, Any]:
    """What was shown, as plain JSON."""
    whole: dict[str, Any] = patch.document(Patch(shown=shown))["shown"]
    return whole


def kept(session: Session, there: Mapping[str, Any]) -> str | None:
    """The id of the snapshot that looks so; None where there is none."""
    played = session.performance.patch
    return next((one.id for one in session.snapshots.all() if tables(fitted(one.look, played)) == there), None)


def thumbnails(session: Session) -> dict[str, str | None]:
    """The picture of each look that was shown: that of the snapshot which looks so; None where there is none any more."""
    ids = {name: kept(session, there) for name, there in session.performance.patch.shown.looks.items()}
    return {name: None if id is None else session.picture_of(id) for name, id in ids.items()}


def said(session: Session) -> dict[str, Any]:
    """What pages are told of showing, beside what lies in the patch."""
    return {"offered": session.performance.patch.numbers(), "pictures": thumbnails(session)}


def seen(session: Session) -> Look:
    """How it looks now: where the map plays, as it has mixed it."""
    performance = session.performance
    playing = performance.patch.shown.plays and performance.engine.patch.shown.plays
    return look(performance.engine.seen if playing else performance.patch)
