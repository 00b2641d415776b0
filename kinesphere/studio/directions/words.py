"""How a direction was found, and whose pictures show it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 80  # characters of a name, and of a sentence that a file brings
SHOWN = 8  # seeds of either end


def words(found: Mapping[str, Any]) -> str:
    """One sentence of what `Direction.found` says; "" where it says nothing. Whatever is in it, nothing is raised."""
    match found:
        case {"turned": str(of)}:
            return f"{of[:LONGEST]}, turned round"
        case {"words": str(said)} if said.strip():
            return said.strip()[:LONGEST]
        case {"by": "pca" | "ganspace", "component": int(number)}:
            where = f" of {found['layer']}" if isinstance(found.get("layer"), str) else ""
            return f"component {number}{where}{_share(found, 'of what varies')}"
        case {"by": "sefa", "component": int(number)}:
            return f"factor {number} of the weights{_share(found, 'of what they react to')}"
        case {"by": "labels"}:
            return f"learnt from {_count(found)} labels{_alone(found)}"
        case {"by": "stylespace", "layer": str(layer), "channel": int(channel)}:
            measure = f", for {found['measure'][:LONGEST]}" if isinstance(found.get("measure"), str) else ""
            return f"channel {channel} of {layer[:LONGEST]}{measure}"
        case {"by": "here"}:
            return "found for a part of a picture"
        case {"by": "chance", "among": int(among)}:
            return f"a surprise among the first {among} components"
        case {"file": str(file)}:
            return f"from {file[:LONGEST]}"
    return ""


def ends(examples: Mapping[str, Any]) -> str:
    """The seeds of `Direction.examples` in words: "least in the seeds 3, 8, most in 4, 5"; "" where there are none at both ends."""
    match examples:
        case {"low": [*low], "high": [*high]} if low and high and all(isinstance(seed, int) for seed in (*low, *high)):
            few, many = (", ".join(str(seed)[:LONGEST] for seed in some[:SHOWN]) for some in (low, high))
            return f"least in the seeds {few}, most in {many}"
    return ""


def _share(found: Mapping[str, Any], what: str) -> str:
    share = found.get("share")
    return f": {100 * share:.2g} % {what}" if isinstance(share, float) else ""


def _alone(found: Mapping[str, Any]) -> str:
    match found:
        case {"against": [*names]} if names and all(isinstance(name, str) for name in names):
            return f", leaving {', '.join(names)[:LONGEST]} alone"
    return ""


def _count(found: Mapping[str, Any]) -> str:
    count = found.get("count")
    return str(count) if isinstance(count, int) else "some"
