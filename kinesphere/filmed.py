"""How a film of a patch or of a take was made, told in a file beside it, so that its frames can be made again, bit for bit."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinesphere import __version__, checkpoints, engine, files, patch, takes
from kinesphere.checkpoints import Checkpoint
from kinesphere.patch import Patch
from kinesphere.sinks import VideoFile
from kinesphere.sources import Pictures, Video
from kinesphere.studio import sidecars
from kinesphere.studio.directions.files import is_file, parted
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.recipes import DAMAGED, named
from kinesphere.types import KinesphereError

NAMING = frozenset({"path", "file", "weights", "recording", "encoder"})  # keys of a patch that may name a file
FASTEST, LARGEST = 1000, 8192  # frames a second; pixels of a side
UNKNOWN = Fingerprint()  # the model's, of a film that was not made yet
ELSEWHERE = "say with --model where its own is"


@dataclass(frozen=True)
class Wanted:
    """What is not told of a film, as its frames do not depend on it."""

    out: Path  # .mp4 or .webm
    device: str = "cpu"
    sound: Path | None = None  # of a take: a file whose sound is put under the film
    overwrite: bool = False  # whether a film that is there may be replaced
    on_note: Callable[[str], None] = lambda note: None  # is told what may differ from what was played
    on_frame: Callable[[int, int], None] = lambda done, of: None


@dataclass(frozen=True)
class OfPatch:
    """A film of a patch: all that its frames depend on."""

    patch: Patch  # as it is rendered, without sinks
    frames: int
    fps: Fraction
    files: Mapping[str, str]  # that it is made from: SHA-256 by path, as the patch names it
    fingerprint: Fingerprint = UNKNOWN

    @classmethod
    def of(cls, played: Patch, seconds: float | None, fps: Fraction | None) -> OfPatch:
        """One that is to be made; None: as the patch's source has it. Raises KinesphereError as `engine.length`."""
        frames, rate = engine.length(played, seconds, fps)
        return cls(replace(played, sinks={}), frames, rate, _digested(_named_files(replace(played, sinks={}))))

    def draw(self, wanted: Wanted) -> int:
        """Make the film, and tell it how. Returns the number of frames. Raises KinesphereError as the engine and the file do."""
        checkpoint = checkpoints.load(self.patch.model)
        told = replace(self, fingerprint=_met(checkpoint, self.patch.model, self.fingerprint, ELSEWHERE))
        heard, start = engine.sound(self.patch)
        film = VideoFile(wanted.out, sound=heard, sound_start=start, overwrite=wanted.overwrite)
        instrument = engine.Engine(replace(self.patch, sinks={"film": film}), checkpoint, wanted.device)
        with sidecars.beside(wanted.out, told):
            engine.render(instrument, self.frames, self.fps, lambda done: wanted.on_frame(done, self.frames))
        return self.frames

    def now_at(self, source: str | None, model: str | None) -> OfPatch:
        """The same, where its first source and its model are elsewhere now.

        Raises KinesphereError where a file that it is made from is gone, or another than it was.
        """
        seen = {name: str(s.path) for name, s in self.patch.sources.items() if isinstance(s, Video | Pictures)}
        first = next(iter(seen.values()), None)
        if source is not None and first is None:
            raise KinesphereError(f"this film has no source, so --source {source} has nothing to replace")
        here = source or first
        edits = {f"sources.{name}.path": here for name, path in seen.items() if path == first}
        there = patch.changed(self.patch, edits | {"model": model or self.patch.model})
        return replace(self, patch=there, files=_checked(self.files, first, here))

    def to_json(self) -> str:
        said = {
            "kinesphere": __version__,
            "model": _said(named(self.patch.model), self.fingerprint),
            "patch": patch.document(replace(self.patch, model=named(self.patch.model))),
            "frames": self.frames,
            "fps": str(self.fps),
            "files": dict(self.files),
        }
        return json.dumps(said, indent=1)


@dataclass(frozen=True)
class OfTake:
    """A film of a take, which holds what was played: what else its frames depend on."""

    path: str
    fps: Fraction
    size: int | None  # pixels of a side; None: the model's own
    model: str | None  # another for all of it; None: those that the take names
    files: Mapping[str, str]  # the take and the kept latents that were played: SHA-256 by path, as they are named
    models: Mapping[str, Fingerprint] = field(default_factory=dict)  # that drew it, by name

    @classmethod
    def of(cls, path: str, fps: Fraction, size: int | None, model: str | None) -> OfTake:
        """One that is to be made. Raises BadTake for what is no take, BadPatch for a patch that this version cannot have."""
        with takes.Take.open(path) as take:
            drawn = (replace(played, sources={}, features={}, sinks={}) for _, played in take.patches())
            latents = dict.fromkeys(name for played in drawn for name in _named_files(played))
        return cls(path, fps, size, model, _digested([path, *latents]))

    def draw(self, wanted: Wanted) -> int:
        """Make the film, and tell it how. Returns the number of frames.

        Raises KinesphereError as `takes.render_take`, and, before a frame is drawn, where a model is another than it was.
        """
        way_out = ELSEWHERE if self.model else "put it back"
        for name, before in self.models.items():
            _met(checkpoints.load(name), name, before, way_out)
        models = dict[str, Fingerprint]()  # which the film's sidecar has once they were met

        def load(name: str) -> Checkpoint:
            checkpoint = checkpoints.load(name)
            models[name] = Fingerprint.of(checkpoint.G_ema)
            return checkpoint

        with takes.Take.open(self.path) as take, sidecars.beside(wanted.out, replace(self, models=models)):
            return takes.render_take(
                take, wanted.out, self.fps, self.model, wanted.device, self.size, wanted.sound,
                overwrite=wanted.overwrite, load=load, on_note=wanted.on_note, on_frame=wanted.on_frame,
            )  # fmt: skip

    def now_at(self, source: str | None, model: str | None) -> OfTake:
        """The same, where the take and its model are elsewhere now.

        Raises KinesphereError where the take is gone, or another than it was, and for a model that the film did not have.
        """
        if model is not None and self.model is None:
            raise KinesphereError("this film was made with the models that its take names: leave out --model")
        here = source or self.path
        models = {model or name: known for name, known in self.models.items()}
        return replace(
            self, path=here, model=model or self.model, files=_checked(self.files, self.path, here), models=models
        )

    def to_json(self) -> str:
        said = {
            "kinesphere": __version__,
            "model": self.model and named(self.model),
            "models": [_said(named(name) if self.model else name, known) for name, known in self.models.items()],
            "take": self.path,
            "fps": str(self.fps),
            "size": self.size,
            "files": dict(self.files),
        }
        return json.dumps(said, indent=1)


def read(film: Path) -> OfPatch | OfTake:
    """What is told of a film; `film` may be what tells it, too. Raises KinesphereError, naming the file."""
    return sidecars.parsed(film, from_json)


def from_json(text: str) -> OfPatch | OfTake:
    """Raises KinesphereError for what tells no film of a patch or a take, BadPatch for a patch that this version cannot have."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    match said:
        case {"model": model, "patch": dict(document), "frames": int(frames), "fps": fps, "files": read_from} if (
            frames > 0
        ):
            name, fingerprint = _model(model)
            played = patch.from_document(document | {"model": name}, "the patch of this film")
            return OfPatch(played, frames, _fps(fps), _digests(read_from), fingerprint)
        case {
            "model": str() | None as other,
            "models": list(models),
            "take": str(path),
            "fps": fps,
            "size": int() | None as size,
            "files": read_from,
        } if size is None or 0 < size <= LARGEST:
            return OfTake(path, _fps(fps), size, other, _digests(read_from), dict(map(_model, models)))
        case {"keys": _}:
            raise KinesphereError("it is of a walk: kinesphere walk --recipe makes that again")
    raise KinesphereError(DAMAGED)


def digest(name: str) -> str:
    """SHA-256 of a file, or of all the names and files in a folder, 64 hexadecimal digits. Raises KinesphereError."""
    path = Path(name).expanduser()
    try:
        if not path.is_dir():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        whole = hashlib.sha256()
        for inner in sorted(path.rglob("*")):
            if inner.is_file():
                whole.update(f"{inner.relative_to(path).as_posix()} {digest(str(inner))}\n".encode())
        return whole.hexdigest()
    except OSError as error:
        raise KinesphereError(f"{name!r} cannot be read: {files.reason(error)}") from None


def _digested(names: Iterable[str]) -> dict[str, str]:
    return {name: digest(name) for name in names}


def _named_files(played: Patch) -> Iterator[str]:
    """The files and folders that a patch names and that are there."""
    parts: list[Any] = [patch.document(played)]
    for part in parts:  # which grows
        if isinstance(part, dict):
            parts += part.values()
            said = (_file(key, value) for key, value in part.items() if isinstance(value, str))
            yield from (name for name in said if _is_there(name))
        elif isinstance(part, list):
            parts += part


def _file(key: str, value: str) -> str:
    """What a place of a patch may name of the disk; "": nothing."""
    if key == "of":
        return parted(value)[0] if is_file(value) else ""
    return value if key in NAMING else ""


def _is_there(name: str) -> bool:
    return os.path.exists(os.path.expanduser(name))


def _checked(made_from: Mapping[str, str], first: str | None, here: str | None) -> dict[str, str]:
    """The files of a film, of which the `first` lies `here` now. Raises KinesphereError where one is gone, or another."""
    now = {}
    for name, before in made_from.items():
        there = here if name == first and here is not None else name
        way_out = "say with --source where it is" if name == first else "put it back"
        if not _is_there(there):
            raise KinesphereError(f"{there}, of which this film was made, is gone: {way_out}")
        if digest(there) != before:
            raise KinesphereError(f"{there} is not what this film was made of, but another or changed since: {way_out}")
        now[there] = before
    return now


def _met(checkpoint: Checkpoint, name: str, before: Fingerprint, way_out: str) -> Fingerprint:
    """The fingerprint of a model. Raises KinesphereError where the film was made `before` with another one."""
    found = Fingerprint.of(checkpoint.G_ema)
    if before not in (UNKNOWN, found):
        raise KinesphereError(f"this film was made with another model than {named(name)}: {way_out}")
    return found


def _said(name: str, fingerprint: Fingerprint) -> dict[str, str]:
    return {"name": name, "whole": fingerprint.whole, "mapping": fingerprint.mapping}


def _model(said: Any) -> tuple[str, Fingerprint]:
    match said:
        case {"name": str(name), "whole": str(whole), "mapping": str(mapping)}:
            return name, Fingerprint(whole, mapping)
    raise KinesphereError(DAMAGED)


def _fps(said: Any) -> Fraction:
    try:
        fps = Fraction(said)
    except (ValueError, TypeError, ZeroDivisionError):
        raise KinesphereError(DAMAGED) from None
    if not 0 < fps <= FASTEST:
        raise KinesphereError(DAMAGED)
    return fps


def _digests(said: Any) -> dict[str, str]:
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise KinesphereError(DAMAGED)
    return said
