"""What a patch holds of a mapping that was shown: poses, and the look that belongs to each. Data; looks/showing.py plays it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kinesphere.types import KinesphereError, check_all

MOST_EXAMPLES = 128  # so that the map is made in a moment, also while it plays
MOST_FEATURES = 64
MOST_LOOKS = 64
MOST_NUMBER = 1e12  # that a feature may be
SLOWEST = 60.0  # seconds


@dataclass
class Example:
    """A pose and its look."""

    pose: list[float]  # a number for each feature
    look: str  # its name
    noise: list[float] = field(default_factory=list)  # how much each feature trembled meanwhile; empty: not known


@dataclass
class Showing:
    """A mapping by examples: at each pose its look, between them a way, far from all of them the safe look."""

    features: list[str] = field(default_factory=list)  # the numbers that make a pose, as "light" or "hand.angle"
    circular: list[str] = field(default_factory=list)  # those of them that are angles, in radians
    play: bool = True  # whether it decides how the picture looks
    safe: str = ""  # the look far from every example; "": what the patch itself says
    smoothing: float = 0.25  # seconds in which it follows by 63 %
    examples: list[Example] = field(default_factory=list)
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)  # each as the tables of a patch that are a look

    def __post_init__(self) -> None:
        check_all(self._check_sizes, self._check_features, self._check_examples, self._check_looks)

    @property
    def plays(self) -> bool:
        return self.play and bool(self.examples)

    @property
    def stations(self) -> frozenset[str]:
        """The features of the patch that it looks at."""
        return frozenset(name.partition(".")[0] for name in self.features)

    def _check_sizes(self) -> None:
        for what, there, most in (
            ("examples", self.examples, MOST_EXAMPLES),
            ("features", self.features, MOST_FEATURES),
            ("looks", self.looks, MOST_LOOKS),
        ):
            if len(there) > most:
                raise KinesphereError(f"{len(there)} {what} are too many: give up to {most}")
        if not 0 <= self.smoothing <= SLOWEST:
            raise KinesphereError(f"smoothing {self.smoothing}: give seconds, 0 to {SLOWEST:.0f}")

    def _check_features(self) -> None:
        twice = [name for name, count in Counter(self.features).items() if count > 1]
        if twice:
            raise KinesphereError(f"features: {twice[0]!r} is there twice")
        strange = [name for name in self.circular if name not in self.features]
        if strange:
            raise KinesphereError(f"circular: {strange[0]!r} is none of the features: {_listed(self.features)}")
        if self.examples and not self.features:
            raise KinesphereError("features: name the numbers that make a pose, such as brightness")

    def _check_examples(self) -> None:
        found = [words for number, example in enumerate(self.examples) for words in self._wrong(number, example)]
        if found:
            raise KinesphereError("; ".join(found[:20]))

    def _wrong(self, number: int, example: Example) -> Iterator[str]:
        count = len(self.features)
        if len(example.pose) != count:
            yield f"example {number}: its pose has {len(example.pose)} of {count} numbers: give one for each feature"
        if not all(abs(x) <= MOST_NUMBER for x in example.pose):
            yield f"example {number}: its pose goes beyond {MOST_NUMBER:g}"
        if example.noise and len(example.noise) != count:
            yield f"example {number}: its noise has {len(example.noise)} of {count} numbers: give all, or none"
        if not all(0 <= x <= MOST_NUMBER for x in example.noise):
            yield f"example {number}: noise is 0 or more, up to {MOST_NUMBER:g}"
        if example.look not in self.looks:
            yield f"example {number}: no look {example.look!r}: there are {_listed(self.looks)}"

    def _check_looks(self) -> None:
        if self.safe and self.safe not in self.looks:
            raise KinesphereError(f"safe: no look {self.safe!r}: there are {_listed(self.looks)}")
        for name in self.looks:
            if not (0 < len(name) <= 64 and name.isprintable() and "." not in name):
                raise KinesphereError(f"looks: {name[:80]!r} is no name for one: give it letters or digits, and no dot")


def noise(showing: Showing) -> list[float]:
    """How much each feature trembles while a pose is held: the root mean square of what was seen of it; 0 where nothing was."""
    known = [example.noise for example in showing.examples if example.noise]
    return [math.sqrt(sum(x * x for x in one) / len(one)) for one in zip(*known, strict=True)] or [0.0] * len(
        showing.features
    )


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
