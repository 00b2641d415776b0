"""Strips: one picture along one direction, and several directions under each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinesphere.studio.directions.axis import FURTHEST
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.edits import REACH, Edit, edited
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import Drawing, grid
from kinesphere.types import KinesphereError

FRAMES = 5  # pictures of a strip


def sheet(
    drawing: Drawing,
    place: Latent,
    directions: Sequence[Direction],
    frames: int = FRAMES,
    reach: float = REACH,
    centred: bool = False,
) -> np.ndarray:
    """A line for each direction: `place` from `reach` standard deviations below to as many above.

    centred  the coordinate is set to these numbers; else they are added to what it is, so that an odd number of frames has `place`
             itself in its middle. Centred strips of several pictures can be compared.
    Raises KinesphereError for less than two frames, a reach that cannot be, no directions, and as `edited`.
    """
    if frames < 2 or not 0 < reach <= FURTHEST:
        raise KinesphereError(
            f"{frames} pictures up to {reach:g} standard deviations: give at least 2, and up to {FURTHEST:g}"
        )
    if not directions:
        raise KinesphereError("there is no direction to show: name at least one")
    told, amounts = Fingerprint.of(drawing.G), np.linspace(-reach, reach, frames).tolist()
    tiles = []
    for one in directions:
        for amount in amounts:
            moved = edited(drawing.G, place, [Edit(one, amount, placed=centred)], told)
            tiles.append(drawing.picture(moved, told))
            drawing.on_picture(len(tiles), frames * len(directions))
    titles = [f"{amount:+.3g} sigma" if amount else "0" for amount in amounts]
    return grid(tiles, frames, titles, [one.name for one in directions])
