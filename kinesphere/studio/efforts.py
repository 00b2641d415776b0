"""How much is done to find a picture's latent, in a word; and where the way begins."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from kinesphere.models import Generator
from kinesphere.studio import encoder
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.projection import Plan, Projection
from kinesphere.types import KinesphereError

EFFORTS = {
    "quick": Plan(steps=60),
    "careful": Plan(steps=300, rows=150),
    "exact": Plan(steps=300, rows=150, noise=100, tune=100),
}


def begun(
    G: Generator,
    goal: Tensor,
    effort: str,
    faithful: float = 0.5,
    class_index: int = 0,
    chart: Chart | None = None,
    told: Fingerprint | None = None,
) -> Projection:
    """The projection of a picture [1, C, H, W] in [-1, 1] before its first step.

    effort    a name of EFFORTS
    faithful  of the rows, 0 (editable) to 1 (faithful)
    told      spares the computing of G's fingerprint
    Raises KinesphereError for another effort, and as `Projection`.
    """
    if effort not in EFFORTS:
        raise KinesphereError(f"no effort {effort!r}: there are {', '.join(EFFORTS)}")
    plan = replace(EFFORTS[effort], faithful=faithful)
    guess = encoder.chosen("own", told or Fingerprint.of(G), class_index)
    if guess is None:
        return Projection(G, goal, plan, class_index=class_index, chart=chart)
    plan = replace(plan, search=plan.search and effort != "quick")
    return Projection(G, goal, plan, starts=guess.to(goal.device)(goal), class_index=class_index, chart=chart)
