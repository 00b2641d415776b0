"""How the picture looks, kept and gone back to: looks, the ways between them, what was before, snapshots and cues."""

from kinesphere.looks.cues import Cues
from kinesphere.looks.history import History, Ring
from kinesphere.looks.morphing import Morph, between, checked, fitted, look, pad_weights
from kinesphere.looks.snapshots import Snapshot, Snapshots

__all__ = [
    "Cues",
    "History",
    "Morph",
    "Ring",
    "Snapshot",
    "Snapshots",
    "between",
    "checked",
    "fitted",
    "look",
    "pad_weights",
]
