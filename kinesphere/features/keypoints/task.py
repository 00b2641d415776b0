"""What a tracker is asked to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """What to look for, and in which source. Equal tasks are one piece of work."""

    kind: str  # "hand", "body" or "face": a name of anatomy.ANATOMIES
    source: str | None = None  # as the patch names it
    most: int = 1  # figures to look for
    model: str = "full"  # of hands: "full", or "lite", which is quicker
    confidence: float = 0.5  # below this nothing is said to be there, 0 to 1
    recording: str | None = None  # a file of landmarks, where there is one
    seed: int = 0  # of synthetic figures
