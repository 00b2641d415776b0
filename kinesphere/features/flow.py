"""What moves, and how the camera moves: optical flow, split into the camera's own motion and the subject's."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import numpy as np

from kinesphere.features.region import WHOLE, checked_region, look, places
from kinesphere.features.silhouette import unlit
from kinesphere.features.smoothing import follow
from kinesphere.types import KinesphereError, Signal


@dataclass
class Flow:
    """How the camera moves, and what moves beside that; float64 [9], rates per second, lengths in half picture heights.

    - `pan_x`, `pan_y`: the camera turns right, up; half picture heights per second in the picture's middle
    - `roll`: the camera turns counter-clockwise about its own axis; radians per second
    - `zoom`: it comes nearer; natural logarithm of size per second (0.69 doubles)
    - `amount`: the subject's speed, averaged over the whole picture with 0 where nothing moves
    - `direction`: where the subject moves to; radians, 0 right, pi / 2 up
    - `x`, `y`: the middle of what moves
    - `share`: the part of the picture that moves, 0 to 1

    `direction`, `x` and `y` are NaN, not known, while nothing moves.

    The scene moves against the camera: pan_x above 0 is a scene that slides to the left. Each picture is compared with the one
    that is nearest to BASE seconds older, never with the one just before it because it is that: so 15 pictures a second and 60
    measure the same displacements, with the same errors, and get the same numbers. A picture that comes twice counts once.

    Dense flow (DIS; Kroeger, Timofte, Dai and Van Gool 2016) from now back to then, on pictures of SIZE pixels. The camera is
    the similarity p -> p + m p + q, complex numbers all, that most of the picture agrees with: see `camera`. Both look at
    pictures without their light, see `unlit`: a lamp that moves is no dancer.
    """

    SIZE: ClassVar[int] = 128  # pixels of the longer side; DIS sees shifts of about a quarter of that
    SMALLEST: ClassVar[int] = 32  # no side is shorter: DIS needs patches
    BASE: ClassVar[float] = 1 / 15  # seconds between the two pictures that are compared
    GAP: ClassVar[float] = 0.5  # seconds; pictures further apart are not compared, and what was known is held no longer
    MATCH: ClassVar[float] = 0.7  # correlation of now with then, brought here by the flow; below it is another scene
    SLOW: ClassVar[float] = 0.15  # half heights per second: a subject slower than that stands
    ERROR: ClassVar[float] = 0.05  # of the camera's speed at a place: what its flow may be wrong by
    DARK: ClassVar[float] = 40.0  # grey levels: see `unlit`
    NOISE: ClassVar[float] = 11.0  # of `unlit`: a smaller difference is noise, or light; a tenth of the contrast
    FEW: ClassVar[float] = 0.002  # share below which nothing moves

    vector: ClassVar[bool] = False
    names: ClassVar[tuple[str, ...]] = ("pan_x", "pan_y", "roll", "zoom", "amount", "direction", "x", "y", "share")
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "pan_x": (-1.0, 1.0),
        "pan_y": (-1.0, 1.0),
        "roll": (-1.0, 1.0),
        "zoom": (-0.5, 0.5),
        "amount": (0.0, 0.1),
        "direction": (-math.pi, math.pi),
        "x": (-1.0, 1.0),
        "y": (-1.0, 1.0),
        "share": (0.0, 0.2),
    }
    circular: ClassVar[Collection[str]] = ("direction",)

    source: str | None = None
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame
    smoothing: float = 0.1  # time constant of all numbers, seconds; 0 is none

    def __post_init__(self) -> None:
        self.region = checked_region(self.region)
        if not 0 <= self.smoothing < math.inf:
            raise KinesphereError(f"smoothing {self.smoothing!r} of Flow: give seconds, 0 or more, for instance 0.1")

    def open(self, checkpoint: object) -> None:
        """Forget everything seen."""
        import cv2

        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(0)  # the preset stops at quarter size, which shrinks zooms and rolls by a twentieth
        self._begin()

    def _begin(self) -> None:
        self._past: list[tuple[float, np.ndarray]] = []  # (t, picture [h, w] uint8), in order of time
        self._t = self._known = -math.inf
        self._smooth = self._before = np.zeros(10)

    def __call__(self, signal: Signal) -> np.ndarray:
        import cv2

        grey = cv2.cvtColor(look(signal.value, self.region, self.SIZE, self.SMALLEST), cv2.COLOR_RGB2GRAY)
        now = unlit(grey, self.DARK)
        if signal.t < self._t or (self._past and self._past[-1][1].shape != now.shape):
            self._begin()
        if self._repeats(now, signal.t):
            return self._numbers()
        found = self._compared(now, signal)
        self._past.append((signal.t, now))
        if found is None:  # the first picture, or one of another scene: what was known is held for a while
            del self._past[:-1]
            if signal.t - self._known <= self.GAP:
                return self._numbers()
            found = np.zeros(10)
        else:
            self._known = signal.t
        dt = signal.t - self._t
        self._smooth = found if dt == math.inf else follow(self._smooth, self._before, found, dt, self.smoothing)
        self._t, self._before = signal.t, found
        return self._numbers()

    def _repeats(self, now: np.ndarray, t: float) -> bool:
        """Whether this picture is the last one again: at the same time, or from a source that is slower than its clock."""
        if not self._past or t == self._t:
            return t == self._t
        then, last = self._past[-1]
        return t - then < self.BASE and np.array_equal(now, last)

    def _compared(self, now: np.ndarray, signal: Signal) -> np.ndarray | None:
        """The ten sums that `_numbers` reads; None where there is nothing to compare with."""
        import cv2

        while len(self._past) > 1 and signal.t - self._past[1][0] >= self.BASE:
            del self._past[0]  # one that is old enough stays, with all that are younger
        older = min(self._past, key=lambda past: abs(signal.t - past[0] - self.BASE), default=(-math.inf, now))
        dt, then = signal.t - older[0], older[1]
        if dt > self.GAP:
            return None
        p = places(signal.value.shape, self.region, now.shape)  # [h, w] complex
        # Where in `then` each place of `now` was: [h, w, 2] pixels
        field = self._dis.calc(now, then, None)  # type: ignore[call-overload]
        rich = seen(now)
        if rich.mean() > BLANK and correlation(now, warped(then, field)) < self.MATCH:
            return None
        scale = np.array([p[0, 1].real - p[0, 0].real, p[1, 0].imag - p[0, 0].imag])  # half heights per pixel
        f = field[..., 0] * scale[0] + 1j * field[..., 1] * scale[1]  # [h, w] half heights
        fit = camera(p[2::4, 2::4], f[2::4, 2::4], rich[2::4, 2::4], np.abs(scale).max())
        own = fit.m * p + fit.q  # what the camera alone would do to each place

        at = np.dstack([own.real / scale[0], own.imag / scale[1]]).astype(np.float32)
        unlike = cv2.boxFilter(np.abs(cv2.subtract(now, warped(then, at), dtype=cv2.CV_32F)), -1, (5, 5))
        differs = cv2.dilate(gate(unlike, self.NOISE), np.ones((9, 9), np.uint8))  # also inside what has no texture
        velocity = (own - f) / dt  # of the subject: the flow looks back, so the sign turns
        speed = np.abs(velocity)
        moving = differs * gate(speed, self.SLOW + self.ERROR * np.abs(own) / dt) * inside(at)
        rate = fit.rates() / dt
        push = (moving * velocity).mean()
        middle = (moving * p).mean()
        return np.array(
            [rate[0], rate[1], rate[2], rate[3], (moving * speed).mean(), push.real, push.imag, middle.real, middle.imag,
             moving.mean()]
        )  # fmt: skip

    def _numbers(self) -> np.ndarray:
        pan_x, pan_y, roll, zoom, amount, push_x, push_y, middle_x, middle_y, share = self._smooth
        few = share < self.FEW
        direction = math.nan if few else math.atan2(push_y, push_x)
        x, y = (math.nan, math.nan) if few else (middle_x / share, middle_y / share)
        return np.array([pan_x, pan_y, roll, zoom, amount, direction, x, y, share])


TEXTURE = 7.0  # squared steps of `unlit` per pixel: where the gradients are as strong as that, a place counts half
BLANK = 0.02  # mean of `seen` below which a picture shows nothing that could move
SAY = 0.4  # of a place that shows nothing: it is taken to stand still, with this part of a vote
DEAD = 0.01  # squared pixels, averaged over the picture: what a camera must explain to be taken as moving
PAIRS = 96  # cameras that are tried
MOST = 0.5  # of m: no camera turns or comes nearer by as much as that between two pictures


class Similarity(NamedTuple):
    """A camera's motion between two pictures: the place p of now was at p + m p + q then."""

    m: complex
    q: complex

    def rates(self) -> np.ndarray:
        """pan x, pan y, roll, zoom [4] of the steady motion that does in one unit of time what this does.

        With 1 + m = exp(l) the motion p' = l p + v arrives at v (exp(l) - 1) / l: so q gives v back, and l is zoom and roll.
        """
        turn = np.log(1 + self.m)
        v = self.q * (turn / self.m if abs(self.m) > 1e-9 else 1)
        return np.array([v.real, v.imag, turn.imag, -turn.real])


STILL = Similarity(0j, 0j)


def camera(p: np.ndarray, f: np.ndarray, weight: np.ndarray, pixel: float) -> Similarity:
    """The similarity f = m p + q that most of the picture agrees with; STILL where none explains more than standing still.

    p, f, weight: places, displacements (complex) and how much each place can tell (0 to 1), any shape; pixel: its size.
    The candidates go through pairs of places, always the same ones, and are scored by squared errors cut off at a pixel
    (MSAC; Torr and Zisserman 2000). The best is refined by least squares, iteratively reweighted with Tukey's biweight
    (Beaton and Tukey 1974), so that a subject has no say at all. A bare wall agrees with every camera: it is taken to
    stand still, with the part SAY of a vote, so that a dancer before it is not taken for the camera.
    """
    p, f, weight = p.ravel(), f.ravel(), weight.ravel()
    first, second = _pairs(len(p))
    apart = p[first] - p[second]
    far = np.abs(apart) > 0.25 * np.abs(p - p.mean()).max()
    first, second, apart = first[far], second[far], apart[far]
    m = (f[first] - f[second]) / apart
    first, m = first[np.abs(m) < MOST], m[np.abs(m) < MOST]
    q = f[first] - m * p[first]

    def cost(m: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Of each of the candidates m, q [K], as a part of the picture: [K]."""
        own = m[:, None] * p + q[:, None]
        told, blank = (np.minimum(square(error) / pixel**2, 1) for error in (own - f, own))
        return (told @ weight + SAY * (blank @ (1 - weight))) / len(p)

    if not len(m):
        return STILL
    best = int(np.argmin(cost(m, q)))
    fit = Similarity(m[best], q[best])
    for _ in range(8):
        error = square(f - fit.m * p - fit.q)
        trust = weight * np.clip(1 - error / (1.5 * pixel) ** 2, 0, None) ** 2 + 1e-12
        fit = _least_squares(p, f, trust / trust.sum())
    moving, still = cost(np.array([fit.m, 0]), np.array([fit.q, 0]))
    return fit if moving + DEAD * weight.mean() < still and abs(fit.m) < MOST else STILL


@lru_cache
def _pairs(count: int) -> np.ndarray:
    """PAIRS pairs of places [2, PAIRS] out of `count`, always the same."""
    return np.random.RandomState(0).randint(0, count, (2, PAIRS))


def _least_squares(p: np.ndarray, f: np.ndarray, weight: np.ndarray) -> Similarity:
    """f = m p + q by weighted least squares over complex numbers; the weights sum to 1."""
    middle, mean = weight @ p, weight @ f
    d = p - middle
    m = (weight * d.conj()) @ (f - mean) / (weight @ square(d) + 1e-12)
    return Similarity(m, mean - m * middle)


def square(z: np.ndarray) -> np.ndarray:
    """|z|^2, without the root that abs takes."""
    return z.real**2 + z.imag**2


def seen(grey: np.ndarray) -> np.ndarray:
    """How much each place of a picture [h, w] can tell about motion in every direction, 0 (bare) to 1 (rich): [h, w] float32.

    From the smaller eigenvalue of the structure tensor (Shi and Tomasi 1994): stripes tell of one direction only.
    """
    import cv2

    x, y = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    xx, yy, xy = (cv2.boxFilter(product, -1, (7, 7)) for product in (x * x, y * y, x * y))
    smaller = np.maximum((xx + yy) / 2 - np.hypot((xx - yy) / 2, xy), 0)
    return smaller / (smaller + TEXTURE)


def warped(then: np.ndarray, field: np.ndarray) -> np.ndarray:
    """A picture [h, w] brought to where a field [h, w, 2] (pixels, from here to there) looks."""
    import cv2

    height, width = then.shape
    x = field[..., 0] + np.arange(width, dtype=np.float32)
    y = field[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return cv2.remap(then, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def inside(field: np.ndarray) -> np.ndarray:
    """Whether a field [h, w, 2] (pixels) looks at a place within the picture: [h, w] bool."""
    height, width = field.shape[:2]
    x, y = field[..., 0] + np.arange(width), field[..., 1] + np.arange(height)[:, None]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def gate(x: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """0 up to the threshold, 1 from twice the threshold on, and a straight line between: nothing flickers at an edge."""
    return np.clip(x / threshold - 1, 0, 1)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, of two pictures; 1 where either is flat."""
    x, y = a - a.mean(), b - b.mean()
    size = math.sqrt(float((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / size if size > 0 else 1.0
