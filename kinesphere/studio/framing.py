"""Which square of a picture is projected, as it is asked for: in its middle, by a face, laid by hand, or sought."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from kinesphere.models import Generator
from kinesphere.studio import alignment
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.charts import Chart
from kinesphere.studio.seeking import Seeker
from kinesphere.studio.sheets import Drawing
from kinesphere.types import KinesphereError

ALIGNS = {
    "middle": "the largest in its middle",
    "face": "eyes and mouth go where the model's own pictures have them",
    "best": "wherever the model finds itself",
    "X,Y,SIDE,ANGLE": "by hand: its middle and its side in pixels of the picture, degrees clockwise (or none)",
    "points:X,Y X,Y X,Y X,Y": "as face, the left eye, the right one and the corners of the mouth laid by hand",
}
POINTS = "points:"
FACES = 16  # seeds whose faces say where a model has eyes and mouth


class Framing:
    """`framing(picture)` is the square of a picture [H, W, 3] uint8 that is projected.

    `align` is one of ALIGNS; what is laid by hand is the same in each picture. Raises KinesphereError for what is none of these.
    """

    def __init__(self, G: Generator, align: str = "middle", class_index: int = 0) -> None:
        self.G, self.align, self.class_index = G, align, class_index
        self.points = _points(align) if align.startswith(POINTS) else None
        self.by_hand = None if self.points is not None or align in ALIGNS else _square(align)

    def __call__(self, picture: np.ndarray) -> Similarity:
        """Raises KinesphereError where no face is found, or nothing of the picture lies in the square."""
        if self.by_hand:
            return self.by_hand
        if self.points is not None:
            return alignment.matching(self.points, self.face)
        if self.align == "best":
            return self.seeker(picture)
        if self.align == "face":
            return alignment.matching(alignment.landmarks(picture), self.face)
        return Similarity.whole(picture)

    @cached_property
    def chart(self) -> Chart:
        return Chart.of(self.G, self.class_index)

    @cached_property
    def seeker(self) -> Seeker:
        return Seeker(self.G, self.chart, self.class_index)

    @cached_property
    def face(self) -> np.ndarray:
        """[4, 2]: where the model's own pictures have eyes and mouth."""
        drawing = Drawing(self.G, self.class_index)
        try:
            return alignment.usual(drawing.pictures(drawing.ws(range(FACES))))
        except KinesphereError as error:
            raise KinesphereError(
                f"this model's own pictures have no face to align by: {error}; or the square itself: --align X,Y,SIDE"
            ) from None


def _square(text: str) -> Similarity:
    numbers = _numbers(text)
    if len(numbers) not in (3, 4):
        ways = "; ".join(f"{name} ({what})" for name, what in ALIGNS.items())
        raise KinesphereError(f"no way to align {text!r}: there are {ways}")
    return Similarity(*numbers)


def _points(text: str) -> np.ndarray:
    """[4, 2], of left and right eye and of left and right corner of the mouth."""
    points = [_numbers(pair) for pair in text.removeprefix(POINTS).split()]
    if len(points) != 4 or any(len(point) != 2 for point in points):
        raise KinesphereError(
            f"{text!r} are no four points: write the eyes and the corners of the mouth, as points:210,180 262,184 215,241 258,244"
        )
    alignment.ffhq(*points)  # which refuses what is no face
    return np.array(points)


def _numbers(text: str) -> list[float]:
    """Numbers with commas between them; none where one is no number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []
