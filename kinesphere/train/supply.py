"""Where a run's pictures come from: at what size, made once, the same in every process and after every resume."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import statistics
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from PIL import Image

from kinesphere import files
from kinesphere.models import Generator
from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio import squares
from kinesphere.train import state
from kinesphere.train.datasets import TrainingSet, is_picture, open_set
from kinesphere.train.gathering import PORTRAITS, VIDEO
from kinesphere.train.importing import is_set, prepared
from kinesphere.train.recipe import Choice
from kinesphere.train.stopping import agreed
from kinesphere.train.stores import store
from kinesphere.types import KinesphereError

KEPT, ORIGIN = "dataset.zip", "dataset-origin.json"  # the set that was made for a run, and what it was made of
MOST = {"cpu": 64}  # pixels that are chosen where nobody asked: without a GPU larger ones take weeks
MOST_ELSEWHERE = 256
LEAST = 16
LOOKED_AT = 64  # pictures whose size is looked at, and whose pixels are the fingerprint of a set
SAY_EVERY = 10.0  # seconds between two lines of a long import

log = logging.getLogger(__name__)


# The size -------------------------------------------------------------------------------------------------------------


def check_size(size: int | None) -> None:
    """Raise KinesphereError for a size that no model has; None is none, so it is good."""
    if size is None or (size >= 8 and size & (size - 1) == 0):
        return
    below = 2 ** max(3, max(size, 1).bit_length() - 1)
    raise KinesphereError(
        f"size {size} cannot be: models have a power of two, from 8 px on; give {below} or {2 * below}"
    )


def choose_size(source: str, device: str, start: Generator | None = None) -> Choice:
    """The pixels to train at where nobody asked, and why. Raises KinesphereError where there is no such source."""
    if source != PORTRAITS and is_set(source):
        stored = open_set(source).resolution
        size = floor(stored)
        return Choice(
            size, "as the training set has it" if size == stored else f"the power of two below the set's {stored} px"
        )
    if start is not None:
        return Choice(start.img_resolution, "as the checkpoint has it")
    most = MOST.get(device, MOST_ELSEWHERE)
    limit = f"at most {most} unless asked for: {'there is no GPU' if device == 'cpu' else 'larger takes days'}"
    if source == PORTRAITS:
        return Choice(most, f"portraits can be drawn at any size; {limit}")
    short = short_side(source)
    if short is None:
        return Choice(most, limit)
    size = min(max(floor(short), LEAST), most)
    return Choice(
        size, limit if size == most else f"half of the pictures have {short} px or more at their shorter side"
    )


def floor(pixels: int) -> int:
    """The largest power of two that is not larger."""
    return 2 ** (max(pixels, 8).bit_length() - 1)


def short_side(source: str) -> int | None:
    """The median of the shorter sides of some of the pictures, from their heads; None where none can be read."""
    place = Path(source).expanduser()
    if place.suffix.lower() in VIDEO:
        return video_side(place)
    if place.is_file() and not zipfile.is_zipfile(place):
        return None  # the import says what is wrong with it
    files = store(source)
    names = [name for name in files.names if is_picture(name) and Path(name).suffix.lower() in SUFFIXES]
    found = []
    for name in names[:: max(1, len(names) // LOOKED_AT)]:
        try:
            with Image.open(io.BytesIO(files.read(name)), formats=squares.FORMATS) as image:
                found.append(min(image.size))
        except Exception:  # a decoder that meets a damaged file may raise anything at all; the import lists it
            continue
    return statistics.median_high(found) if found else None


def video_side(path: Path) -> int | None:
    from kinesphere.sources.video import Video

    video = Video(path, loop=False)
    video.open()
    try:
        return min(video.frame_size)
    finally:
        video.close()


# The set --------------------------------------------------------------------------------------------------------------


def supply(source: str, folder: Path, fabric: Fabric, size: int, resuming: bool = False) -> TrainingSet:
    """The training set of a run, opened and decoded; one that has to be made first is made once on each machine, beside the run.

    The first process of all goes first, then the first of each machine, then the others, so that nobody makes what is made
    already. Raises KinesphereError in all of them where it cannot be had in one.
    """
    found: list[TrainingSet] = []

    def take(mine: bool) -> None:
        if mine and not found:
            found.append(opened(source, folder, size, resuming, fabric.is_global_zero))

    for turn in (fabric.is_global_zero, fabric.local_rank == 0, True):
        agreed(fabric, partial(take, turn))
    return found[0]


def opened(source: str, folder: Path, size: int, resuming: bool, aloud: bool) -> TrainingSet:
    now = listing(source)
    if aloud and now is not None and now != (before := origin(folder)) and before is not None:
        if resuming:
            log.warning(
                "%s has changed since the run began: it goes on with the pictures that it began with, which are kept in %s; "
                "start a new run to learn from the others", source, KEPT,
            )  # fmt: skip
        else:
            (folder / KEPT).unlink(missing_ok=True)  # left by a run that never began
    try:
        data, report = prepared(source, folder, size, progress=progress())
        data.cached()
    except OSError as error:
        raise KinesphereError(f"the pictures of {source} cannot be had: {files.reason(error)}") from None
    if report is not None:
        for line in report.lines() if aloud else []:
            log.info(line)
        state.write_json(folder / ORIGIN, now)
    return data


def progress() -> Callable[[int, int], None]:
    """Says now and then how far a long import is."""
    said = time.monotonic()

    def say(done: int, of: int) -> None:
        nonlocal said
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            log.info("%d%s pictures are made", done, f" of {of}" if of else "")

    return say


def listing(source: str) -> str | None:
    """What changes when files are added to a source, taken away, or changed in length; None where there is nothing to look at."""
    place = Path(source).expanduser()
    if source == PORTRAITS or not place.exists():
        return None
    facts: list[Any] = [place.stat().st_size]
    if place.is_dir():
        facts = [entry[:2] for entry in store(place).fingerprint() if is_picture(entry[0])]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def origin(folder: Path) -> str | None:
    """The listing of what the kept set was made of; None where none is kept, or nobody wrote it down."""
    try:
        return json.loads((folder / ORIGIN).read_text()) if (folder / KEPT).exists() else None
    except (OSError, ValueError):
        return None


def told(source: str, data: TrainingSet) -> dict[str, Any]:
    """What run.json says of the pictures."""
    return {
        "source": source,
        "pictures": len(data),
        "resolution": data.resolution,
        "channels": data.channels,
        "classes": data.c_dim,
        "fingerprint": fingerprint(data),
    }


def fingerprint(data: TrainingSet) -> str:
    """16 hexadecimal digits that are others for other pictures: of their number, their labels, and the pixels of some of them."""
    digest = hashlib.sha256(json.dumps([len(data), *data.shape, data.c_dim]).encode())
    digest.update(b"" if data.labels is None else np.ascontiguousarray(data.labels, "<f4").tobytes())
    digest.update(data.batch(np.linspace(0, len(data) - 1, min(len(data), LOOKED_AT)).astype(np.int64)).tobytes())
    return digest.hexdigest()[:16]


def compare(said: dict[str, Any], data: TrainingSet, source: str, aloud: bool = True) -> None:
    """Tell where a run that is resumed gets other pictures. Raises KinesphereError where its networks cannot learn from them."""
    before = (said["resolution"], said.get("channels", data.channels), said["classes"])
    now = (data.resolution, data.channels, data.c_dim)
    if before != now:
        names = ("{} px", "{} colour channels", "{} classes")
        one, other = (
            ", ".join(name.format(value) for name, value in zip(names, values, strict=True)) for values in (before, now)
        )
        raise KinesphereError(
            f"the run was begun on pictures of {one}; those of {source} have {other}: give those that it was begun on"
        )
    mine = fingerprint(data)
    if aloud and (said["pictures"] != len(data) or said.get("fingerprint", mine) != mine):
        log.warning(
            "these are not the pictures that the run was begun on (%d then, %d now): it goes on with them, not bit for bit as it "
            "would have", said["pictures"], len(data),
        )  # fmt: skip
