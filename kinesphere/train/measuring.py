"""What pictures are measured by, by name: numbers that need no network, and factors as the judge of drawn portraits sees them."""

from __future__ import annotations

import numpy as np

from kinesphere.studio.directions.measures import measure
from kinesphere.studio.directions.search import Attribute
from kinesphere.train.judge import load_judge
from kinesphere.train.portraits import FACTORS
from kinesphere.types import KinesphereError


def attribute(name: str) -> Attribute:
    """One of `measures.MEASURES` or of FACTORS. Raises KinesphereError for another, and for a factor that is no number."""
    if name not in FACTORS:
        return Attribute(name, measure(name))
    if FACTORS[name].kind == "class":
        raise KinesphereError(f"{name} is one of several kinds, and no number: choose another measure")
    judge = load_judge()

    def seen(pictures: np.ndarray) -> np.ndarray:
        return judge.factors(pictures.transpose(0, 3, 1, 2))[name]

    return Attribute(name, seen)
