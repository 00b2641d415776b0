"""The shape of a model's own latents, which is taken once."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from kinesphere import latent
from kinesphere.latent import Statistics
from kinesphere.models import Generator
from kinesphere.studio.sheets import z_to_ws

COUNT = 10_000  # latents that it is taken of

_known: WeakKeyDictionary[Generator, dict[int, Statistics]] = WeakKeyDictionary()


def natural(G: Generator, class_index: int = 0) -> Statistics:
    """Mean, axes and deviations of the natural latents of a model, or of one of its classes: `latent.statistics` of 10,000.

    A second or two for 512 dimensions on two cores, the first time. Raises KinesphereError for no such class.
    """
    known = _known.setdefault(G, {})
    if class_index not in known:
        w = latent.sample_w(lambda z: z_to_ws(G, z, class_index), G.z_dim, COUNT)
        known[class_index] = latent.statistics(w)
    return known[class_index]
