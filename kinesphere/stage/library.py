"""The player's shelf: the folders of what can be played, kept and shown by a plain name, and nothing outside them."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import platformdirs

from kinesphere import checkpoints, patch
from kinesphere.checkpoints import BUILTIN, Checkpoint
from kinesphere.patch import STATIONS, Patch
from kinesphere.sources import Pictures
from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio.directions.files import is_file, parted
from kinesphere.types import KinesphereError

FOLDERS = ("patches", "models", "takes", "snapshots", "latents", "directions", "labels", "videos", "pictures")
SHOWN = ("videos", "pictures")  # what a source may be pointed at by its plain name
FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".gif")
ENDINGS = {
    "patches": (".toml",),
    "takes": (".mcap",),
    "latents": (".safetensors",),
    "directions": (".safetensors",),
    "labels": (".json",),
    "models": (".safetensors", ".pkl", ".pt", ".pth", ".zip"),
}
PLAIN = re.compile(r"[^\W_][\w .,()+-]{0,79}")  # letters of any language; no separator, nothing hidden, nothing else
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names that Windows keeps for itself
LARGEST_MODEL = 4 * 2**30  # bytes of an upload
LARGEST_PATCH = 2**20
SPARE = 2**30  # bytes that an upload leaves free on the disk
PIECE = 2**20

# Fields that reach for a file, a device or an address. What comes over the network may fill them from the library only.
REACHING = {"path", "sound", "weights", "encoder", "index", "device", "file", "folder", "address", "url", "port"}
FILES = ("path", "sound")  # those that a plain name of the library may fill
HARMLESS = {  # what the others may hold: a camera of this machine, weights from a seed, the model's own encoder
    "index": re.compile(r"(\d{1,3}|/dev/video\d{1,3})?"),
    "weights": re.compile(r"(random:\d{1,10})?"),
    "encoder": re.compile(r"own|none"),
}


def plain(name: str, what: str = "a name") -> str:
    """`name` where it is one that a file of the library may have. Raises KinesphereError."""
    if not PLAIN.fullmatch(name) or name.endswith((".", " ")) or RESERVED.fullmatch(name):
        raise KinesphereError(
            f"{name[:80]!r} cannot be {what}: begin with a letter or a digit; then letters, digits, spaces and _ . , ( ) + - "
            "up to 80 in all"
        )
    return name


class Library:
    """Folders below one; every file in them goes by a plain name."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or Path(platformdirs.user_data_dir("kinesphere"))).expanduser().resolve()
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for forgotten in (self.folder / "models").glob(".*.part"):
            forgotten.unlink(missing_ok=True)
        # what the player at this machine has typed may be named again, and be written to where it was then: (written to, value)
        self.trusted: set[tuple[bool, str]] = set()
        self.typed_models: set[str] = set()

    def path(self, shelf: str, name: str, ending: str = "") -> Path:
        """Where a file of this name is, or would be. Raises KinesphereError for a name that leads anywhere else."""
        path = self.folder / shelf / f"{plain(name)}{ending}"
        if path.is_symlink() and not path.resolve().is_relative_to(self.folder / shelf):
            raise KinesphereError(f"{name!r} is a link that leads out of the library: put the file itself there")
        return path

    def existing(self, shelf: str, name: str, ending: str = "") -> Path:
        """A file that is there. Raises KinesphereError, with those that are."""
        path = self.path(shelf, name, ending)
        if not path.is_file():
            known = ", ".join(self.names(shelf)[:20]) or "none"
            raise Absent(
                f"no {shelf.removesuffix('es' if shelf == 'patches' else 's')} {name!r} in the library: there are {known}"
            )
        return path

    def names(self, shelf: str) -> list[str]:
        """The plain names on a shelf: patches, takes and latents without their ending, models with it."""
        endings, found = ENDINGS[shelf], []
        for entry in os.scandir(self.folder / shelf):
            stem, ending = os.path.splitext(entry.name)
            name = entry.name if shelf == "models" else stem
            if ending.lower() in endings and PLAIN.fullmatch(name) and self._inside(shelf, entry):
                found.append(name)
        return sorted(found, key=str.lower)

    def _inside(self, shelf: str, entry: os.DirEntry[str]) -> bool:
        return entry.is_file() and Path(entry.path).resolve().is_relative_to(self.folder / shelf)

    # models

    def models(self) -> list[dict[str, Any]]:
        """Every model that can be played by its name; `own`: a file of the library, which can be deleted."""
        own = self.names("models")
        return [{"name": name, "own": name in own} for name in [*sorted(BUILTIN), *own, *sorted(self.typed_models)]]

    def load(self, name: str) -> Checkpoint:
        """A model by its name in the library, a built-in name, or what the player has typed. Raises KinesphereError for others."""
        if name in BUILTIN or name in self.typed_models:
            return checkpoints.load(name)
        return checkpoints.load(self.existing("models", name))

    async def receive(self, name: str, pieces: AsyncIterator[bytes], most: int, replace: bool) -> dict[str, Any]:
        """Keep a model that is being handed in, and return its card. It gets its name only when the safe loader knows what it is.

        Raises KinesphereError for a bad name, one that is taken, more than `most` bytes, a full disk, and what is no checkpoint.
        """
        target = self.path("models", name)
        if not name.lower().endswith(ENDINGS["models"]) or name in BUILTIN:
            raise KinesphereError(f"{name!r} is no name of a model file: it ends in {', '.join(ENDINGS['models'])}")
        if target.exists() and not replace:
            raise KinesphereError(f"there is a model {name!r} already: give this one another name, or replace it")
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            await self._write(part, name, pieces, most)
            return await anyio.to_thread.run_sync(self._admit, part, target)
        finally:
            part.unlink(missing_ok=True)

    async def _write(self, part: Path, name: str, pieces: AsyncIterator[bytes], most: int) -> None:
        """What comes, to a file, a megabyte at a time; nobody waits for the disk."""
        room, size, waiting = shutil.disk_usage(part.parent).free - SPARE, 0, bytearray()
        with part.open("xb") as file:
            async for piece in pieces:
                size += len(piece)
                if size > most:
                    raise TooLarge(
                        f"{name!r} is larger than {most / 1e6:,.0f} MB, the largest model that is taken in here"
                    )
                if size > room:
                    raise TooLarge(f"the disk has no room for {name!r}: make some, and hand it in again")
                waiting += piece
                if len(waiting) >= PIECE:
                    await anyio.to_thread.run_sync(file.write, bytes(waiting))
                    waiting.clear()
            await anyio.to_thread.run_sync(file.write, bytes(waiting))

    def _admit(self, part: Path, target: Path) -> dict[str, Any]:
        try:
            card = checkpoints.inspect(part).asdict()
        except KinesphereError as error:
            words = str(error).replace(str(part), target.name)
            raise KinesphereError(words if target.name in words else f"{target.name}: {words}") from None
        os.replace(part, target)
        return card

    # patches

    def patches(self) -> list[dict[str, Any]]:
        """Every patch that can be played by its name, with its sentence; one of the library that is broken says so."""
        listed = [{"name": name, "about": patch.load(name).about, "builtin": True} for name in patch.builtin_names()]
        for name in self.names("patches"):
            try:
                about = patch.load(self.existing("patches", name, ".toml")).about
            except (KinesphereError, OSError) as error:
                about = f"cannot be played: {str(error).splitlines()[-1].strip()[:200]}"
            listed.append({"name": name, "about": about, "builtin": False})
        return listed

    def patch(self, name: str) -> Patch:
        """A patch of the library, or a built-in one. Raises KinesphereError, BadPatch."""
        if name in patch.builtin_names():
            return patch.load(name)
        return self.within(patch.parse(self._text(name), f"the patch {name}"))

    def patch_text(self, name: str) -> str:
        """The same as TOML."""
        return patch.dumps(patch.load(name)) if name in patch.builtin_names() else self._text(name)

    def _text(self, name: str) -> str:
        path = self.existing("patches", name, ".toml")
        try:
            return path.read_bytes()[: LARGEST_PATCH + 1].decode("utf-8")
        except UnicodeDecodeError:
            raise KinesphereError(f"the patch {name} is not text: a patch is a TOML file in UTF-8") from None

    def keep_patch(self, name: str, played: Patch) -> None:
        """Save a patch under a plain name."""
        if name in patch.builtin_names():
            raise KinesphereError(f"{name!r} is a patch that comes with Kinesphere: choose another name")
        patch.save(played, self.path("patches", name, ".toml"))

    def forget(self, shelf: str, name: str) -> None:
        """Delete a patch, a take, a latent or a model of the library."""
        if shelf == "patches" and name in patch.builtin_names():
            raise KinesphereError(f"{name!r} is a patch that comes with Kinesphere: it stays")
        self.existing(shelf, name, ENDINGS[shelf][0] if len(ENDINGS[shelf]) == 1 else "").unlink()

    # what sources show

    def shows(self, kind: str) -> list[str]:
        """What a source of this kind can be pointed at, by plain name: videos, and folders of pictures. Others: nothing."""
        found = []
        for shelf in SHOWN:
            for entry in os.scandir(self.folder / shelf):
                fits = _is_film(entry) if kind == "video" else kind == "pictures" and _is_album(entry)
                here = Path(entry.path).resolve().is_relative_to(self.folder / shelf)  # no link that leads out
                if fits and here and PLAIN.fullmatch(entry.name):
                    found.append(entry.name)
        return sorted(set(found), key=str.lower)

    # what a patch reaches for

    def trust(self, played: Patch) -> None:
        """The player at this machine has typed this patch: what it reaches for may be asked for over the network, too."""
        self.trusted |= {(_writes(place), value) for place, _, value in [*_reaches(played), *_goes_to(played)]}
        if not self._known_model(played.model):
            self.typed_models.add(played.model)

    def within(self, asked: Patch) -> Patch:
        """`asked`, which came from somewhere else, with plain file names looked up in the library.

        Raises KinesphereError that names everything which reaches for a file, an address or a device outside it.
        """
        problems = []
        if not self._known_model(asked.model):
            problems.append(
                f"model: {asked.model[:120]!r} is not in the library, which has "
                f"{', '.join(model['name'] for model in self.models())}: hand it in first"
            )
        for place, station, value in _reaches(asked):
            name = place.rpartition(".")[2]
            if self._typed(place, value) or (name in HARMLESS and HARMLESS[name].fullmatch(value)):
                continue
            found = self._shelved(value) if name in FILES else None
            if found is None:
                problems.append(f"{place}: {value[:120]!r} is outside the library: {self._way_out(name, station)}")
            elif value != str(found):
                setattr(station, name, str(found))  # a plain name: nobody plays this station yet
        for place, table, value in _goes_to(asked):
            if self._typed(place, value):
                continue  # it plays as it was typed, also where a file of the library has that name
            kept, shelf = self._kept(place, value), _shelf(place)
            if kept is not None:
                table[place.rpartition(".")[2]] = kept
            else:
                problems.append(
                    f"{place}: {value[:120]!r} is outside the library: put it into {self.folder / shelf} and give its name"
                )
        if problems:
            raise patch.BadPatch("what was asked for", problems)
        return asked

    def shelved(self, place: str, value: Any) -> Any:
        """The value of an edit, with the plain name of a file or a folder of the library as the path that it means."""
        if isinstance(value, dict):
            return {key: self.shelved(f"{place}.{key}", inner) for key, inner in value.items()}
        if not isinstance(value, str) or self._typed(place, value):
            return value
        if place.startswith(("sources.", "sinks.")) and place.rpartition(".")[2] in FILES:
            return str(self._shelved(value) or value)
        return (_shelf(place) and self._kept(place, value)) or value

    def _kept(self, place: str, value: str) -> str | None:
        """What of the library a place means that goes to a latent or along a direction; None: nothing of it."""
        if _shelf(place) == "latents":
            found, which = self._shelved(value, ("latents",)), ""
        else:
            file, which = parted(value)
            found = self._shelved(file, ("directions",)) if is_file(file) else None
        return None if found is None else f"{found}#{which}" if which else str(found)

    def _typed(self, place: str, value: str) -> bool:
        return (_writes(place), value) in self.trusted

    def _way_out(self, name: str, station: object) -> str:
        """What can be done instead, in words, where a field of a station reaches out of the library."""
        if name == "encoder":
            return "say 'own' or 'none', or let who sits at this machine start with it"
        return (
            f"put it into {self.folder / ('pictures' if isinstance(station, Pictures) else 'videos')} and give its name"
        )

    def _known_model(self, name: str) -> bool:
        if name in BUILTIN or name in self.typed_models:
            return True
        return bool(PLAIN.fullmatch(name)) and name in self.names("models")

    def _shelved(self, value: str, shelves: tuple[str, ...] = SHOWN) -> Path | None:
        """What of the library a value means: a plain name of a video or a folder of pictures, or a path to one of them.

        What is not there yet would be of the first of the shelves, a video.
        """
        found = None
        for shelf in shelves:
            folder = self.folder / shelf
            name = value.removeprefix(str(folder) + os.path.sep)
            if not PLAIN.fullmatch(name):
                continue
            path = (folder / name).resolve()
            if path.is_relative_to(folder) and (found is None or path.exists() > found.exists()):
                found = path
        return found


def _is_film(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and os.path.splitext(entry.name)[1].lower() in FILMS


def _is_album(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder with a picture in it."""
    if not entry.is_dir():
        return False
    with os.scandir(entry.path) as inside:
        return any(os.path.splitext(one.name)[1].lower() in SUFFIXES for one in inside)


class TooLarge(KinesphereError):
    """More than there is room for."""


class Absent(KinesphereError):
    """Something that is not in the library."""


def _writes(place: str) -> bool:
    """Whether a file that is named there is written to."""
    return place.startswith("sinks.") and place.endswith(".path")


def _reaches(played: Patch) -> Iterator[tuple[str, Any, str]]:
    """(place, station, value) of every text in a patch's stations that may lead out of it."""
    for section in STATIONS:
        for name, station in getattr(played, section).items():
            if not is_dataclass(station):
                continue
            for part in fields(station):
                value = getattr(station, part.name, None)
                if not isinstance(value, str | Path) or (part.name == "weights" and value == "download"):
                    continue
                text = str(value)
                if part.name in REACHING or any(sign in text for sign in ("/", "\\", "://")):
                    yield f"{section}.{name}.{part.name}", station, text


def _goes_to(played: Patch) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(place, table, value) of every file that a patch goes to or along, in its looks, too: what the table holds at that place."""
    for name, there in played.latent.places.items():
        yield f"latent.places.{name}.file", vars(there), there.file
    for name, along in played.latent.directions.items():
        if is_file(along.of):
            yield f"latent.directions.{name}.of", vars(along), along.of
    for look, tables in played.shown.looks.items():
        parts = tables.get("latent", {})
        for name, table in parts.get("places", {}).items():
            yield f"shown.looks.{look}.latent.places.{name}.file", table, table["file"]
        for name, table in parts.get("directions", {}).items():
            if isinstance(table, dict) and is_file(str(table.get("of", ""))):
                yield f"shown.looks.{look}.latent.directions.{name}.of", table, str(table["of"])


def _shelf(place: str) -> str:
    """The shelf of what is named at a place of a patch, or of one of its looks: what it goes to, or along; "": of none."""
    way = f".{place}"
    if ".latent.places." in way and place.endswith(".file"):
        return "latents"
    return "directions" if ".latent.directions." in way and place.endswith(".of") else ""
