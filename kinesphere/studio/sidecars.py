"""How a film was made, in a file beside it, so that its frames can be made again, bit for bit."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from kinesphere import __version__, files
from kinesphere.models import Generator
from kinesphere.studio import recipes
from kinesphere.studio.keys import Kept
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.plans import Plan
from kinesphere.studio.recipes import DAMAGED, Told, encoded, named
from kinesphere.types import KinesphereError

LARGEST = 2**29  # bytes

Made = TypeVar("Made")


@dataclass(frozen=True)
class Sidecar:
    """A film: of which model, and its plan, which holds every latent that it passes. Its sound is not held, nor any path."""

    model: str  # a built-in name, an address or a file's name
    fingerprint: Fingerprint
    plan: Plan

    def check(self, G: Generator) -> None:
        """Raise KinesphereError where the model is another than it was made with."""
        if Fingerprint.of(G).whole != self.fingerprint.whole:
            raise KinesphereError(f"this film was made with another model ({self.model}): say which with --model")

    def to_json(self) -> str:
        plan = self.plan
        said = {
            "kinesphere": __version__,
            "model": {"name": self.model, "whole": self.fingerprint.whole, "mapping": self.fingerprint.mapping},
            "keys": [_said(key) for key in plan.places],
            "seconds": plan.length,
            "fps": str(plan.fps),
            "class": plan.class_index,
            "noise": plan.noise_mode,
            **{name: getattr(plan, name) for name in PLAIN},
        }
        return json.dumps(said, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Sidecar:
        """Raises KinesphereError for what says no film."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        match said:
            case {
                "model": {"name": str(name), "whole": str(whole), "mapping": str(mapping)},
                "keys": [_, *_] as keys,
                "seconds": int() | float() as seconds,
                "fps": str(fps),
                "class": int(index),
                "noise": str(noise),
            } if all(isinstance(said.get(field), kind) for field, kind in PLAIN.items()):
                plain = {field: said[field] for field in PLAIN}
                try:
                    plan = Plan(
                        [_key(key) for key in keys], seconds=float(seconds), class_index=index, noise_mode=noise,
                        fps=Fraction(fps), **plain,
                    )  # fmt: skip
                except (ValueError, ZeroDivisionError, binascii.Error):
                    raise KinesphereError(DAMAGED) from None
                return cls(name, Fingerprint(whole, mapping), plan)
            case {"patch": _} | {"take": _}:
                raise KinesphereError("it is not of a walk: kinesphere render --recipe makes that again")
        raise KinesphereError(DAMAGED)


PLAIN: dict[str, Any] = {  # fields of a plan that are written as they are
    "times": str | None,
    "easing": str,
    "kind": str,
    "loop": bool,
    "drift": bool,
    "even": int | float,
    "psi": int | float,
    "cutoff": int | None,
    "size": int | None,
    "grid": str,
}


def path(film: Path) -> Path:
    """Where what is said of a film lies: beside it, film.mp4.json; of a folder of frames, too."""
    return film.with_name(f"{film.name}.json")


def of(plan: Plan, model: str, G: Generator) -> Sidecar:
    """Of a film that is drawn by `G`, which `model` names."""
    return Sidecar(named(model), Fingerprint.of(G), plan)


@contextmanager
def beside(film: Path, told: Told) -> Iterator[None]:
    """Within it the film is drawn. However it ends, what is there of it is told how it was made.

    An older film that is still there, because none came in its place, keeps what was said of it.
    """
    before = _state(film)
    try:
        yield
    finally:
        if _state(film) not in (None, before):
            _write(told, path(film))


def read(film: Path) -> Sidecar:
    """What is said of a walk; `film` may be what says it, too, or its preview. Raises KinesphereError, naming the file."""
    return parsed(film, Sidecar.from_json)


def parsed(film: Path, made: Callable[[str], Made]) -> Made:
    """What is said of a film, as `made` understands it; otherwise as `read`."""
    told = film if film.suffix in (".json", ".png") else path(film)
    try:
        if told.stat().st_size > LARGEST:
            raise KinesphereError(DAMAGED)
        return made(recipes.text_of(told) if told.suffix == ".png" else told.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise KinesphereError(
            f"{told.name}, which says how a film was made, cannot be read: {files.reason(error)}"
        ) from None
    except KinesphereError as error:
        raise KinesphereError(f"{told.name}: {error}") from None


def _state(film: Path) -> tuple[int, int] | None:
    """Which film is there, and when it, or the newest frame of a folder, was written (ns); None where there is none."""
    if not film.exists():
        return None
    written = [film, *film.iterdir()] if film.is_dir() else [film]
    return film.stat().st_ino, max(part.stat().st_mtime_ns for part in written)


def _write(told: Told, target: Path) -> None:
    try:
        files.replace(target, lambda unfinished: unfinished.write_text(told.to_json()))
    except OSError as error:
        raise KinesphereError(f"{str(target)!r} cannot be written: {files.reason(error)}") from None


def _said(key: int | Kept) -> Any:
    return key if isinstance(key, int) else {"name": key.name, "held": encoded(key.place)}


def _key(said: Any) -> int | Kept:
    match said:
        case int(seed) if not isinstance(seed, bool) and seed >= 0:
            return seed
        case {"name": str(name), "held": str(held)}:
            return Kept(name, Latent.from_bytes(base64.b64decode(held)))
    raise KinesphereError(DAMAGED)
