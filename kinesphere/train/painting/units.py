"""What all parts of a portrait are given in: hundredths of the picture for the sheet, the head's own units for the sitter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Point = tuple[float, float]
Factors = Mapping[str, Any]  # numbers and classes, by name: see portraits.FACTORS
SIDES = (-1, 1)  # left and right of the picture
ZOOM = 1.2  # the head is painted this much larger than its units


def smoothstep(low: float, high: float, x: float) -> float:
    """0 below `low`, 1 above `high`, smooth between."""
    if x <= low or x >= high:
        return float(x >= high)
    t = (x - low) / (high - low)
    return t * t * (3 - 2 * t)
