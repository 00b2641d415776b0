"""How a direction was found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST = 80  # characters of a name


def words(found: Mapping[str, Any]) -> str:
    """One sentence of what `Direction.found` says; "" where it says nothing. Whatever is in it, nothing is raised."""
    match found:
        case {"turned": str(of)}:
            return f"{of[:LONGEST]}, turned round"
        case {"by": "pca" | "ganspace", "component": int(number)}:
            where = f" of {found['layer']}" if isinstance(found.get("layer"), str) else ""
            return f"component {number}{where}{_share(found, 'of what varies')}"
        case {"by": "sefa", "component": int(number)}:
            return f"factor {number} of the weights{_share(found, 'of what they react to')}"
        case {"by": "labels"}:
            return f"learnt from {_count(found)} labels"
        case {"by": "stylespace", "layer": str(layer), "channel": int(channel)}:
            return f"channel {channel} of {layer[:LONGEST]}"
        case {"by": "here"}:
            return "found for a part of a picture"
        case {"by": "chance", "among": int(among)}:
            return f"a surprise among the first {among} components"
        case {"file": str(file)}:
            return f"from {file[:LONGEST]}"
    return ""


def _share(found: Mapping[str, Any], what: str) -> str:
    share = found.get("share")
    return f": {100 * share:.2g} % {what}" if isinstance(share, float) else ""


def _count(found: Mapping[str, Any]) -> str:
    count = found.get("count")
    return str(count) if isinstance(count, int) else "some"
