"""Which file a film is, by how its name ends."""

from __future__ import annotations

from pathlib import Path

from kinesphere.sinks.frames import Frames
from kinesphere.sinks.gif import Gif
from kinesphere.sinks.video import VideoFile
from kinesphere.types import KinesphereError

ENDINGS = {
    ".mp4": "H.264, plays everywhere",
    ".webm": "VP9, smaller and slower to make",
    ".gif": "256 colours, no sound, plays over and over",
    "a folder": "numbered PNG files, no sound",
}


def to_file(path: Path, sound: Path | None = None, overwrite: bool = False) -> VideoFile | Gif | Frames:
    """The sink for a path: by its ending, see ENDINGS; a path without one, or of a folder that is there, is a folder.

    `sound` is put under what can carry it. Raises KinesphereError for another ending.
    """
    ending = "" if path.is_dir() else path.suffix.lower()
    if ending in (".mp4", ".webm"):
        return VideoFile(path, sound=sound, overwrite=overwrite)
    if ending == ".gif":
        return Gif(path, overwrite=overwrite)
    if not ending:
        return Frames(path, overwrite=overwrite)
    raise KinesphereError(f"no film is written as {path.name!r}: it may end in .mp4, .webm or .gif, or be a folder")
