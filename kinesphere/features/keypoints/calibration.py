"""A performer's own rest and range, from a stretch of their movement: "show me your smallest and your largest"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kinesphere.features.keypoints.continuity import own_range
from kinesphere.features.keypoints.measuring import Measuring
from kinesphere.types import KinesphereError

TAIL = 0.03  # of the values at each end that may be mistakes
LEAST = 0.1  # of the ordinary range: who moves a number less than this has not shown it


def calibrated(
    feature: Measuring,
    values: Sequence[np.ndarray] | np.ndarray,
    resting: Sequence[np.ndarray] | np.ndarray | None = None,
) -> dict[str, Any]:
    """The fields `rest` and `range` of a feature, plain data to be put in its patch.

    values: [n, len(names)], what the feature said while the performer showed their smallest and largest, each a few times. resting:
    the same while they stood at rest; None: the rest stays as it is. Numbers that hardly moved keep the range they have.
    Raises KinesphereError where there is too little to learn from.
    """
    names = feature.names
    shown = _natural(feature, values, "range")
    own: dict[str, tuple[float, float]] = dict(feature.range)
    for i, name in enumerate(names[:-1]):
        known = shown[np.isfinite(shown[:, i]), i]
        least, most = feature.ranges[name]
        if name in feature.circular or len(known) < 2:
            continue
        low, high = np.quantile(known, [TAIL, 1 - TAIL])
        if high - low >= LEAST * abs(most - least):
            own[name] = (round(float(low), 4), round(float(high), 4))
    found: dict[str, Any] = {"range": {name: list(ends) for name, ends in own.items()}, "rest": dict(feature.rest)}
    if resting is None:
        return found
    still = _natural(feature, resting, "rest")
    scale, shift = own_range(names[:-1], feature.ranges, own)
    for i, name in enumerate(names[:-1]):
        known = still[np.isfinite(still[:, i]), i]
        if not len(known):
            continue
        if name in feature.circular:
            rest = math.atan2(float(np.sin(known).mean()), float(np.cos(known).mean()))  # the mean direction
        else:
            rest = float(np.median(known)) * scale[i] + shift[i]
        found["rest"][name] = round(rest, 4)
    return found


def _natural(feature: Measuring, values: Sequence[np.ndarray] | np.ndarray, what: str) -> np.ndarray:
    """[n, k] without the range that the feature has now, of the moments at which something was seen."""
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or table.shape[1] != len(feature.names):
        raise KinesphereError(f"{what}: give values of {len(feature.names)} numbers each, as the feature says them")
    table = table[table[:, -1] > 0.5]
    if len(table) < 10:
        raise KinesphereError(f"{what}: it was seen in {len(table)} pictures only: stay in sight for a few seconds")
    scale, shift = own_range(feature.names[:-1], feature.ranges, feature.range)
    return (table[:, :-1] - shift) / scale


def applied(feature: Measuring, found: Mapping[str, Any]) -> None:
    """Give a feature its rest and range; they act from its next `open` on."""
    feature.rest = dict(found["rest"])
    feature.range = {name: (ends[0], ends[1]) for name, ends in found["range"].items()}
