"""A direction as a value: a way through latents that changes one thing, how far one step of it is, and how it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from kinesphere.models.rows import NO_ROWS, are_rows
from kinesphere.studio.latents import SPACES, Fingerprint
from kinesphere.types import KinesphereError

LONGEST = 64  # characters of a name


@dataclass(frozen=True, eq=False)
class Direction:
    """A named vector of the latent space, with the rows that it acts on and its sigma.

    One step is a standard deviation: `sigma` along the vector, whatever its own length is. So the number on a slider means the
    same for every direction and every model.
    """

    vector: Tensor  # float32 on the CPU, of any length above 0; its shape is that of its space
    space: str  # a name of SPACES: "z", "w" (one for all rows), "w+" (a row for each layer), "s" (all styles, one after the other)
    name: str = ""
    rows: str = "all"  # that it acts on, as `rows_of` names them; of "z" and "s" all
    sigma: float | None = (
        None  # deviation of natural latents along vector / |vector|; None: not told, `Axis` measures it
    )
    model: Fingerprint = field(default_factory=Fingerprint)
    # plain JSON, how it was found: {"by": "pca", "component": 3, "share": 0.08}, {"by": "labels", "score": 0.91, ...}
    found: Mapping[str, Any] = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)  # plain JSON: {"low": [seeds], "high": [seeds]}

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise KinesphereError(f"no space {self.space!r}: there are {', '.join(SPACES)}")
        if self.vector.ndim != (2 if self.space == "w+" else 1) or not self.vector.numel():
            raise KinesphereError(
                f"a direction {list(self.vector.shape)} is none of {self.space.upper()}: needed is {SPACES[self.space]}"
            )
        if not torch.isfinite(self.vector).all():
            raise KinesphereError("this direction holds numbers that are infinite or none")
        if not self.vector.any():
            raise KinesphereError("this direction is zero everywhere: it leads nowhere")
        if self.sigma is not None and not 0 < self.sigma < float("inf"):
            raise KinesphereError(f"sigma {self.sigma}: give the deviation of natural latents along it, above 0")
        if not are_rows(self.rows):
            raise KinesphereError(f"rows {self.rows[:LONGEST]!r}: {NO_ROWS}")

    @property
    def unit(self) -> Tensor:
        """The vector, of length 1."""
        return self.vector / self.vector.norm()

    def named(self, name: str) -> Direction:
        return replace(self, name=name)

    def turned(self) -> Direction:
        """The same the other way round."""
        ends = {"low": self.examples.get("high", []), "high": self.examples.get("low", [])}
        return replace(self, vector=-self.vector, examples=ends if self.examples else {})


def cosine(a: Direction, b: Direction) -> float:
    """How alike two directions of one space and size are, -1 to 1; 0 is at right angles."""
    return float((a.unit.double() * b.unit.double()).sum())
