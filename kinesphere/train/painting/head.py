"""The head: an ellipsoid. What lies on it is placed by a longitude in radians and a height, and so turns with it."""

from __future__ import annotations

import math

from kinesphere.train.painting.units import ZOOM, Factors, Point, smoothstep

MOUTH = 16.6  # height of the mouth
LIPS_OUT = 2.2  # how far the lips stand off the head


class Head:
    """Where things lie on a turned head; the origin is the middle of the face, y grows downwards.

    Seen from the front (orthographic), a point at longitude `a` of a head turned by `turn` lies at radius * sin(a + turn).
    """

    W = 20.5  # half its width

    def __init__(self, f: Factors) -> None:
        self.turn = f["turn"]
        self.sin = math.sin(f["turn"])
        self.long = 0.91 + 0.17 * f["face_length"]
        self.jaw = 0.74 + 0.14 * f["jaw"]
        self.chin = 0.44 + 0.17 * f["chin"]

    def at(self, a: float, v: float) -> Point:
        """Longitude `a` (radians, 0 is the middle of the face, positive right) and height `v`, seen from the front."""
        fall = (v + 4) / (29 if v < -4 else 48)
        radius = self.W * math.sqrt(max(1 - fall * fall, 0.0))
        angle = min(max(a + self.turn, -1.5), 1.5)
        return radius * math.sin(angle), v * self.long if v > 0 else v

    def width(self, a: float) -> float:
        """How much narrower a thing at longitude `a` looks than when the face looks ahead."""
        return max(math.cos(a + self.turn), 0.2) / math.cos(a)

    def outline(self) -> list[Point]:
        """The edge of skull, cheeks, jaw and chin, clockwise from the top."""
        rows = [  # height, half width, how far it moves with the turn
            (-27.5, 0.42, -4.0),
            (-22, 0.76, -3.0),
            (-13, 0.97, -1.5),
            (-2, 1.0, 0.0),
            (8, 0.955, 3.0),
            (16, self.jaw, 7.0),
            (23.5, self.chin, 12.0),
            (28, 0.2, 14.5),
        ]
        ys = [(v * self.long if v > 0 else v) for v, _, _ in rows]
        right = [(h * self.W + k * self.sin, y) for (_, h, k), y in zip(rows, ys, strict=True)]
        left = [(-h * self.W + k * self.sin, y) for (_, h, k), y in zip(rows, ys, strict=True)]
        return [(-4 * self.sin, -29), *right, (14.5 * self.sin, 29 * self.long), *reversed(left)]


def eye_place(f: Factors, s: int) -> tuple[float, float, float]:
    """Longitude, height, size."""
    return s * (0.43 + 0.075 * f["eye_spacing"]), -1.5, 0.97 + 0.27 * f["eye_size"]


def eye_opening(f: Factors, size: float) -> tuple[float, float]:
    """How far the upper lid of an eye of that size lies above its height, and the lower one below."""
    return size * (0.9 + 3.8 * f["eye_open"]), size * (1.2 + 1.5 * f["eye_open"] - 0.5 * max(f["smile"], 0))


def nose_tip(f: Factors, head: Head) -> Point:
    """A nose stands off the head."""
    x, y = head.at(0, 7.2 + 2.6 * f["nose_length"])
    return x + 5.5 * head.sin, y


def mouth_gap(f: Factors) -> float:
    """How far the lips are apart."""
    return 5.6 * smoothstep(0.35, 1, f["mouth_open"])


def mouth_bend(f: Factors) -> float:
    """How far the mouth bends: corners up above 0."""
    smile = f["smile"]
    return 0.1 + (0.95 * smile if smile > 0 else (0.75 - 0.06 * mouth_gap(f)) * smile)


def landmarks(f: Factors) -> dict[str, Point]:
    """Where the painter puts "left eye", "right eye" (of the picture), "nose" (its tip) and "mouth", in hundredths from top left.

    An eye is the middle of its opening, wherever the pupil looks; the mouth is the middle of its seam.
    """
    head = Head(f)
    places = {}
    for name, s in (("left eye", -1), ("right eye", 1)):
        a, v, size = eye_place(f, s)
        up, down = eye_opening(f, size)
        places[name] = head.at(a, v + 0.4 * (down - up))
    places["nose"] = nose_tip(f, head)
    x, y = head.at(0, MOUTH + 0.9 * mouth_bend(f) + 0.08 * mouth_gap(f))
    places["mouth"] = (x + LIPS_OUT * head.sin, y)
    return {name: _posed(f, place) for name, place in places.items()}


def _posed(f: Factors, place: Point) -> Point:
    """From the head's units, untilted, to hundredths of the picture: what `paint` and `posed` do to the canvas."""
    t = math.radians(f["tilt"])
    x, y = place[0], place[1] - 26
    x, y = x * math.cos(t) - y * math.sin(t), x * math.sin(t) + y * math.cos(t) + 26
    zoom = ZOOM * f["scale"]
    return 50 + 100 * f["shift_x"] + zoom * x, 52 + 100 * f["shift_y"] + zoom * y
