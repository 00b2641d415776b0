"""What a session says of itself: the parts of the state, and the meters, as plain data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from typing import TYPE_CHECKING, Any

from kinesphere import patch, runtime
from kinesphere.engine import Engine, bendable
from kinesphere.models.rows import rows_of
from kinesphere.patch import STATIONS
from kinesphere.stage import showing
from kinesphere.types import KinesphereError, heard, overlay_of

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

LISTED = 32  # numbers of a vector that are shown


def looks(session: Session) -> dict[str, Any]:
    left = None
    if session.morph is not None:
        way, begin, name = session.morph
        left = {"to": name, "left": round(max(0.0, way.seconds - (time.monotonic() - begin)), 2)}
    safe = session.snapshots.safe
    return {
        "snapshots": [
            {
                "id": kept.id,
                "name": kept.name,
                "thumbnail": session.picture_of(kept.id),
                "safe": kept.id == safe,
            }
            for kept in session.snapshots.all()
        ],
        "cues": session.cues.list,
        "cue": session.cues.index,
        "morph": left,
        "pad": session.padded,
    }


def history(session: Session) -> dict[str, int]:
    return {"undo": session.history.undoable, "redo": session.history.redoable}


def seeds(session: Session) -> dict[str, list[int]]:
    return {"history": session.seeds[::-1], "favourites": session.favourites}


def library(session: Session) -> dict[str, Any]:
    return {
        "patches": session.library.patches(),
        "models": session.library.models(),
        "takes": session.recording.takes(),
        "videos": session.library.shows("video"),
        "pictures": session.library.shows("pictures"),
    }


def performance(session: Session) -> dict[str, Any]:
    return {
        "frozen": session.performance.frozen and session.recording.again is None,
        "black": session.black_wanted,
        "loading": session.performance.loading,
        "recording": session.recording.now(),
        "replaying": session.recording.replaying,
        "learning": session.learning[0] if session.learning else None,
        "calibrating": list(session.calibrating),
    }


def meters(session: Session) -> dict[str, Any]:
    """How it goes, now."""
    status = session.performance.status()
    stations = {name: _station(meter) for name, meter in status.stations.items()}
    values = session.performance.values()
    return {
        "is": "meters",
        "t": round(status.t, 3),
        "fps": round(status.fps, 2),
        **{
            name: round(getattr(status, name) * 1e3, 2)
            for name in ("p50", "p95", "p99", "step_p50", "step_p95", "step_p99")
        },
        "age": None if status.age is None else round(status.age * 1e3, 1),
        "dropped": status.dropped,
        "late": status.late,
        "memory": round(status.memory / 1e6, 1),
        "viewers": session.gallery.viewers,
        "drawn_by": drawn_by(session.performance.engine),
        "stations": stations,
        "features": {name: _shown(values.get(name)) for name in session.performance.patch.features},
        "overlays": {name: asdict(overlay_of(f)) for name, f in session.performance.patch.features.items()},
        "numbers": {place: round(value, 5) for place, value in session.performance.numbers.items()},
    }


def own(session: Session) -> dict[str, Any]:
    return session.own.said()


def latents(session: Session) -> list[dict[str, Any]]:
    return session.own.latents()


def rack(session: Session) -> dict[str, Any]:
    return session.directions.said()


def teaching(session: Session) -> dict[str, Any]:
    return session.teaching.said()


PARTS: Mapping[str, Callable[[Session], Any]] = {
    "looks": looks, "history": history, "seeds": seeds, "library": library, "shown": showing.said,
    "own": own, "latents": latents, "rack": rack, "teaching": teaching,
}  # fmt: skip
"""The parts that are said again only when something has happened to them."""


def drawn_by(engine: Engine) -> dict[str, Any]:
    """What draws, why, and where bends make it slower."""
    choice = engine.painted_by
    if choice is None:
        return {
            "back_end": "exact",
            "precision": "float32",
            "ms": None,
            "why": "nothing else was asked for",
            "detours": [],
        }
    places = dict.fromkeys(place for _, bending in [*engine.bendings.values()] for place in bending)
    return {
        "back_end": choice.back_end, "precision": choice.precision, "ms": round(choice.seconds * 1e3, 1),
        "why": choice.why, "detours": runtime.detours(choice.back_end, places, choice.size),
    }  # fmt: skip


def _station(meter: Any) -> dict[str, Any]:
    return {"rate": round(meter.rate, 1), "p50": round(meter.p50 * 1e3, 2), "error": meter.error}


def _shown(drawn: Any) -> Any:
    """A feature's value for the meters: a number, several by name, up to LISTED numbers of a vector; None: not known now."""
    if drawn is None:
        return None
    if drawn.value.ndim == 0:
        return _number(drawn.value)
    if drawn.names:
        return {name: _number(value) for name, value in zip(drawn.names, drawn.value, strict=True)}
    flat = drawn.value.ravel()
    return [round(float(x), 3) for x in flat[:: max(1, -(-len(flat) // LISTED))]]


def _number(value: Any) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def model(name: str, G: Any) -> dict[str, Any]:
    rows = {}
    for band in ("coarse", "middle", "fine", "all", "placement"):
        try:
            found = rows_of(G, band)
        except KinesphereError:
            continue
        rows[band] = [found.start, found.stop]
    return {
        "name": name, "family": G.family, "resolution": G.img_resolution, "num_ws": G.num_ws, "z_dim": G.z_dim,
        "c_dim": G.c_dim, "rows": rows, "bends": [kind for kind in patch.STATIONS["bends"] if not _lacks(G, kind)],
    }  # fmt: skip


def _lacks(G: Any, kind: str) -> bool:
    """Whether a model cannot be bent so."""
    bends = {kind: patch.STATIONS["bends"][kind]()}
    return bool(bendable(patch.Patch(bends=bends), G)[1])


def kinds() -> dict[str, Any]:
    """What can be added to a patch, drawn from the registries."""
    return {
        section: [
            {
                "kind": kind,
                "heard": heard(cls),
                "about": _about(section, cls),
                "fields": [_field(part) for part in fields(cls) if part.init],
            }
            for kind, cls in registry.items()
        ]
        for section, registry in STATIONS.items()
    }


def _about(section: str, cls: type) -> str:
    """What a bend does, in the first sentence of its docstring."""
    return (cls.__doc__ or "").strip().partition("\n")[0].rstrip(".") if section == "bends" else ""


def _field(part: Any) -> dict[str, Any]:
    default = part.default_factory() if part.default_factory is not MISSING else part.default
    return {
        "name": part.name,
        "type": part.type if isinstance(part.type, str) else str(part.type),
        "needed": default is MISSING,
        "default": None if default is MISSING else default,
    }
