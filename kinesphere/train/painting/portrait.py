"""The portrait: in which order its parts are painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kinesphere.train.painting import background, clothing, eyes, face, locks, mouth, worn
from kinesphere.train.painting.easel import Easel
from kinesphere.train.painting.units import SIDES, ZOOM


class Painter(Easel):
    """One portrait on one canvas. Its methods are what a careless painter may do otherwise (see `damage.Careless`)."""

    def paint(self) -> None:
        """The whole portrait, from the background to the light over everything."""
        c, f = self.c, self.f
        background.background(self)
        c.save()
        c.translate(50 + 100 * f["shift_x"], 52 + 100 * f["shift_y"])
        c.scale(ZOOM * f["scale"], ZOOM * f["scale"])
        with self.posed():
            locks.behind(self)
        clothing.neck_and_clothing(self)
        with self.posed():
            face.ears(self)
            face.head_shape(self)
            face.cheeks(self)
            face.lines(self)
            face.beard(self)
            face.nose(self)
            self.mouth()
            for s in SIDES:
                self.eye(s)
            locks.shadow(self)
            for s in SIDES:
                self.brow(s)
            worn.glasses(self)
            locks.in_front(self)
            worn.earrings(self)
            worn.headwear(self)
        c.restore()
        background.glaze(self)

    @contextmanager
    def posed(self) -> Iterator[None]:
        """The head leans about the neck."""
        self.c.save()
        self.c.rotate(self.f["tilt"], 0, 26)
        yield
        self.c.restore()

    def eye(self, s: int) -> None:
        eyes.eye(self, s)

    def brow(self, s: int) -> None:
        eyes.brow(self, s)

    def mouth(self) -> None:
        mouth.mouth(self)
