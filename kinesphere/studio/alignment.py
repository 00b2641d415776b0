"""Where in a picture the model is to look: a square, turned and of any size, found by a face, laid by hand, or sought."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.keypoints import TRACKERS
from kinesphere.features.keypoints.anatomy import FACE
from kinesphere.features.keypoints.process import WITHOUT
from kinesphere.features.keypoints.task import Task
from kinesphere.types import KinesphereError, Signal

Point = Sequence[float] | np.ndarray
Loss = Callable[[Tensor], Tensor]
"""From the aligned picture [1, 3, size, size], in [-1, 1], to one number that is the smaller the better it lies."""

POINTS = ("left eye", "right eye", "left mouth", "right mouth")
BY_HAND = "or give the two eyes and the two corners of the mouth by hand"
FACES = 4  # in a picture, to choose the largest of
FADE, SOFT = 0.1, 0.02  # of the side: from where beyond the picture only blur is shown, and its deviation
LEVELS = (0.04, 0.015)  # deviation of the blur that is sought through before it is sharp, in sides
KEPT = 3  # of all tries, to be followed on
RATES = (0.02, 0.008, 0.003)  # of each level, in sides and radians a step
BETAS = (0.8, 0.95)


@dataclass(frozen=True)
class Similarity:
    """A square in a picture: what is cut out and shown upright.

    Places are in pixels from the picture's top left corner, right and down; the middle of its first pixel is (0.5, 0.5).
    Raises KinesphereError for numbers that make no square.
    """

    x: float  # of the middle
    y: float
    size: float  # of a side, in pixels of the picture
    angle: float = 0.0  # degrees, clockwise to who looks at it: the square follows a head that leans to the right

    def __post_init__(self) -> None:
        numbers = self.x, self.y, self.size, self.angle
        if not all(map(math.isfinite, numbers)) or self.size <= 0:
            raise KinesphereError(
                f"no square has middle ({self.x:g}, {self.y:g}), side {self.size:g}, angle {self.angle:g}"
            )

    @classmethod
    def whole(cls, picture: np.ndarray) -> Similarity:
        """The largest upright square in the middle of a picture [H, W, 3]."""
        height, width = picture.shape[:2]
        return cls(width / 2, height / 2, min(height, width))

    def matrix(self, output: int) -> np.ndarray:
        """[2, 3]: from a place in the cut-out of `output` pixels a side to the place in the picture, `matrix @ (u, v, 1)`."""
        turn = math.radians(self.angle)
        along = np.array([math.cos(turn), math.sin(turn)]) * self.size / output
        down = np.array([-along[1], along[0]])
        corner = np.array([self.x, self.y]) - (along + down) * output / 2
        return np.stack([along, down, corner], axis=1)

    def quad(self) -> np.ndarray:
        """[4, 2]: its corners in the picture; top left, top right, bottom right, bottom left of what is shown."""
        return np.array([(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]) @ self.matrix(1).T


# Found by a face, or laid by hand ---------------------------------------------------------------------------------------


def ffhq(left_eye: Point, right_eye: Point, left_mouth: Point, right_mouth: Point) -> Similarity:
    """The square about a face in which the pictures of FFHQ were cut (Karras et al. 2019), for models that learnt from such.

    Each is (x, y) in pixels of the picture: the middle of an eye, a corner of the mouth; left is what the picture has on its left.
    Raises KinesphereError where they are no face: in one place, or left and right exchanged.
    """
    left, right, *corners = _places((left_eye, right_eye, left_mouth, right_mouth))
    eyes, across = (left + right) / 2, right - left
    down = sum(corners) / 2 - eyes
    if across[0] * down[1] <= across[1] * down[0]:
        raise KinesphereError(
            "these eyes and this mouth are no face: the left eye is the one on the left of the picture when the face is upright"
        )
    along = across + np.array([down[1], -down[0]])  # a quarter turn of the way down, which lies along the eyes
    half = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    x, y = (eyes + 0.1 * down).tolist()
    return Similarity(x, y, 2 * float(half), math.degrees(math.atan2(along[1], along[0])))


def matching(points: Sequence[Point] | np.ndarray, places: Sequence[Point] | np.ndarray) -> Similarity:
    """The square that brings points of a picture to their places in the cut-out, as near as one can (least squares).

    points: [n, 2] pixels of the picture. places: [n, 2], where in the cut-out they belong, right and down from 0 to 1. Two are
    enough. Raises KinesphereError for fewer, or where all are one.
    """
    p, q = (_places(given) @ (1, 1j) for given in (points, places))
    if len(p) != len(q) or len(p) < 2:
        raise KinesphereError(f"{len(p)} points and {len(q)} places: give as many of both, at least two")
    spread = np.abs(q - q.mean()).max()
    turn = np.vdot(q - q.mean(), p - p.mean()) / max(float(np.square(np.abs(q - q.mean())).sum()), 1e-300)
    if not spread or not abs(turn):
        raise KinesphereError("these points are all in one place: choose some that are apart")
    middle = p.mean() + turn * (0.5 + 0.5j - q.mean())
    return Similarity(float(middle.real), float(middle.imag), float(abs(turn)), math.degrees(np.angle(turn)))


def _places(points: Sequence[Point] | np.ndarray) -> np.ndarray:
    try:
        places = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        places = np.empty(0)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise KinesphereError(f"points {points!r}: each is (x, y), two finite numbers")
    return places


def landmarks(picture: np.ndarray) -> np.ndarray:
    """[4, 2]: both eyes and both corners of the mouth in a picture [H, W, 3] uint8 RGB, as `ffhq` takes them, in pixels.

    MediaPipe finds them, in a process of its own that ends with this call; of several faces the largest is meant. Raises
    KinesphereError where there is no face, or no MediaPipe.
    """
    with _looking() as look:
        four = look(picture)
    if four is None:
        raise KinesphereError(f"no face was found in this picture: cut it nearer to the face, {BY_HAND}")
    return four


def usual(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """[4, 2]: where pictures of a kind have eyes and mouth, right and down from 0 to 1: the median of their `landmarks`.

    Of pictures [H, W, 3] uint8 that a model has drawn these are the places that `matching` brings another face to, however the
    model's own were cut. Raises KinesphereError where there is a face in none of them, or no MediaPipe.
    """
    with _looking() as look:
        found = [(look(picture), picture.shape) for picture in pictures]
    places = [four / (shape[1], shape[0]) for four, shape in found if four is not None]
    if not places:
        raise KinesphereError(f"no face was found in any of {len(found)} pictures: {BY_HAND.removeprefix('or ')}")
    return np.median(places, axis=0)


@contextmanager
def _looking() -> Iterator[Callable[[np.ndarray], np.ndarray | None]]:
    """What finds the four points of the largest face in a picture, None where there is no face."""
    tracker = TRACKERS["mediapipe"](Task("face", most=FACES))

    def look(picture: np.ndarray) -> np.ndarray | None:
        _checked(picture)
        tracker.open()  # afresh, so that no other picture has a say
        try:
            figures = tracker(Signal(picture, 0.0)).figures
        except KinesphereError as error:
            raise KinesphereError(f"{str(error).removesuffix(WITHOUT).rstrip('; ')}; {BY_HAND}") from None
        height, width = picture.shape[:2]
        faces = [_four(figure.points[:, :2] * (width, height)) for figure in figures]
        return max(faces, key=lambda four: float(np.hypot(*(four[1] - four[0]))), default=None)

    try:
        yield look
    finally:
        tracker.close()


LIDS = ("eye outer", "eye inner", "upper lid", "second upper lid", "lower lid", "second lower lid")


def _four(points: np.ndarray) -> np.ndarray:
    """From the points of a face [n, 2] to POINTS [4, 2]. An eye's is the middle of its lids, which does not follow the gaze."""
    eyes = [points[[FACE.index[f"{side} {lid}"] for lid in LIDS]].mean(0) for side in ("left", "right")]
    return np.stack([*eyes, *(points[FACE.index[name]] for name in POINTS[2:])])


# Cut out ----------------------------------------------------------------------------------------------------------------


def aligned(picture: np.ndarray, similarity: Similarity, size: int) -> np.ndarray:
    """What lies in the square, [size, size, 3] uint8, of a picture [H, W, 3] uint8.

    Where it shrinks, every pixel counts; where it grows, by cubics. What lies beyond the picture is its reflection, which fades
    into a blur. Raises KinesphereError where the square lies wholly beyond the picture, and for what is no picture.
    """
    import cv2

    _checked(picture)
    _meets(picture, similarity)
    if size < 1:
        raise KinesphereError(f"a side of {size} pixels: give at least 1")
    times = 1 if similarity.size <= size else 2  # samples for each pixel, along a side
    shrunk = _shrunk(picture, similarity.size / size / times)
    height, width = picture.shape[:2]
    scale = np.array([[shrunk.shape[1] / width], [shrunk.shape[0] / height]])
    to = scale * similarity.matrix(size * times)
    to[:, 2] += to[:, :2].sum(1) / 2 - 0.5  # OpenCV counts from the middle of a pixel
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(shrunk, to, (size * times,) * 2, flags=flags, borderMode=cv2.BORDER_REFLECT)
    if times > 1:
        shown = cv2.resize(shown, (size, size), interpolation=cv2.INTER_AREA)
    u, v = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    x, y = np.tensordot(similarity.matrix(size), np.stack([u, v, np.ones_like(u)]), 1)
    outside = np.hypot(np.maximum(np.maximum(-x, x - width), 0), np.maximum(np.maximum(-y, y - height), 0))
    if not outside.any():
        return shown
    share = np.minimum(outside / (FADE * similarity.size), 1)[..., None]
    blurred = cv2.GaussianBlur(shown, (0, 0), SOFT * size, borderType=cv2.BORDER_REFLECT)
    return np.rint(shown + share * (blurred.astype(np.float64) - shown)).astype(np.uint8)


def _shrunk(picture: np.ndarray, times: float) -> np.ndarray:
    """The picture as many times smaller, where that is more than once."""
    import cv2

    if times <= 1:
        return picture
    height, width = (max(round(side / times), 1) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _checked(picture: np.ndarray) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise KinesphereError(
            f"no picture is {list(picture.shape)} {picture.dtype}: needed is [height, width, 3] uint8"
        )


def _meets(picture: np.ndarray, similarity: Similarity) -> None:
    """Raise KinesphereError where nothing of the picture lies in the square."""
    height, width = picture.shape[:2]
    inside = np.linalg.inv(np.vstack([similarity.matrix(1), (0, 0, 1)]))
    own = similarity.quad()
    its = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)]) @ inside[:2].T
    for corners, far in ((own, (width, height)), (its, (1, 1))):  # rectangles that are apart are so along a side of one
        if bool((corners.max(0) <= 0).any()) or bool((corners.min(0) >= far).any()):
            raise KinesphereError(
                f"the square about ({similarity.x:g}, {similarity.y:g}) lies beyond this picture of {width} x {height} pixels"
            )


# Sought ---------------------------------------------------------------------------------------------------------------


def refined(
    picture: np.ndarray,
    similarity: Similarity,
    loss: Loss,
    size: int = 256,
    reach: float = 0.15,
    tries: int = 32,
    steps: int = 120,
    seed: int = 0,
) -> Similarity:
    """The square near `similarity` in which `loss` is smallest: whatever the model can draw, no face need be in it.

    picture: [H, W, 3] uint8. loss: is given what lies in the square, [1, 3, size, size] in [-1, 1], and gives one number with its
    gradient; it is asked about tries + steps times, and may raise to break off. reach: how far it may go, as a share of the side
    for the middle, of the size, and in radians. Coarse to fine: the best of `tries` squares thrown about within reach are
    followed through a blur, the best of these is settled ever sharper. Never worse than where it began.
    Raises KinesphereError where the loss is no number or does not depend on the picture.
    """
    _checked(picture)
    _meets(picture, similarity)
    if size < 1 or tries < 0 or steps < 1 or not 0 < reach <= 1:
        raise KinesphereError(
            f"size {size}, tries {tries}, steps {steps}, reach {reach:g}: give at least 1, 0, 1, and above 0 to 1"
        )
    sharp = Window.about(picture, similarity, size)
    coarse, middle = (sharp.blurred(level) for level in LEVELS)
    thrown = np.random.RandomState(seed).uniform(-reach, reach, (tries, 4))
    starts = [torch.zeros(4), *torch.from_numpy(thrown).float()]
    with torch.no_grad():
        first = float(sharp.loss(starts[0], loss, size))
        starts.sort(key=lambda change: float(coarse.loss(change, loss, size)))
    few = max(steps // (2 * KEPT), 1)
    found = [coarse.followed(change, loss, size, reach, few, RATES[0]) for change in starts[:KEPT]]
    best = min(found, key=lambda one: one[0])[1]
    half = max(steps // 4, 1)
    _, best = middle.followed(best, loss, size, reach, half, RATES[1])
    least, best = sharp.followed(best, loss, size, reach, half, RATES[2])
    return sharp.square(best) if least < first else similarity


_Found = tuple[float, Tensor]  # the loss, and the change it is of


@dataclass(frozen=True)
class Window:
    """The part of a picture about a square, shrunk until its pixels are about as large as those that the loss is given.

    A change of the square is [4]: of its middle, right and down in sides, of the logarithm of its size, of its angle in radians.
    """

    pixels: Tensor  # [1, 3, h, w] in [-1, 1]
    left: int  # where it lies in the picture
    top: int
    width: int  # what it covers of the picture
    height: int
    start: Similarity  # in the picture

    @classmethod
    def about(cls, picture: np.ndarray, start: Similarity, size: int) -> Window:
        far = 1.5 * start.size
        (left, right), (top, bottom) = (
            (max(math.floor(at - far), 0), min(math.ceil(at + far), side))
            for at, side in ((start.x, picture.shape[1]), (start.y, picture.shape[0]))
        )
        shrunk = _shrunk(picture[top:bottom, left:right], start.size / size)
        pixels = torch.from_numpy(shrunk.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        return cls(pixels, left, top, right - left, bottom - top, start)

    def blurred(self, share: float) -> Window:
        """Through a blur whose deviation is this share of the square's side."""
        import cv2

        deviation = share * self.start.size * self.pixels.shape[3] / self.width
        soft = cv2.GaussianBlur(
            self.pixels[0].permute(1, 2, 0).numpy(), (0, 0), deviation, borderType=cv2.BORDER_REFLECT
        )
        return replace(self, pixels=torch.from_numpy(soft).permute(2, 0, 1)[None])

    def seen(self, change: Tensor, size: int) -> Tensor:
        """What lies in the changed square, [1, 3, size, size]; differentiable by the change."""
        u = (torch.arange(size) + 0.5) / size - 0.5
        down, along = torch.meshgrid(u, u, indexing="ij")
        side, turn = self.start.size * change[2].exp(), math.radians(self.start.angle) + change[3]
        x = self.start.x - self.left + self.start.size * change[0] + side * (along * turn.cos() - down * turn.sin())
        y = self.start.y - self.top + self.start.size * change[1] + side * (along * turn.sin() + down * turn.cos())
        grid = torch.stack([2 * x / self.width - 1, 2 * y / self.height - 1], -1)[None]
        seen = F.grid_sample(self.pixels, grid, "bicubic", "reflection", align_corners=False)
        return seen.clamp(-1, 1)  # cubics shoot over

    def square(self, change: Tensor) -> Similarity:
        """The changed square."""
        right, down, grown, turned = change.tolist()
        start = self.start
        x, y = start.x + start.size * right, start.y + start.size * down
        return Similarity(x, y, start.size * math.exp(grown), start.angle + math.degrees(turned))

    def loss(self, change: Tensor, loss: Loss, size: int) -> Tensor:
        """What the loss says of the changed square; a KinesphereError where that is no number."""
        said = loss(self.seen(change, size))
        if said.numel() != 1 or not bool(said.isfinite()):
            raise KinesphereError(f"the loss of a square is {said.tolist()!r:.80}: it must be one finite number")
        return said.sum()

    @torch.enable_grad()
    def followed(self, change: Tensor, loss: Loss, size: int, reach: float, steps: int, rate: float) -> _Found:
        """The best square that is met on the way down from a changed one (Adam, its rate falling along a half cosine)."""
        change = change.clone().requires_grad_()
        optimiser = torch.optim.Adam([change], betas=BETAS)
        best = math.inf, change.detach().clone()
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
            optimiser.zero_grad(set_to_none=True)
            value = self.loss(change, loss, size)
            if not value.requires_grad:
                raise KinesphereError("the loss does not depend on the picture: it must keep the gradient")
            if value.item() < best[0]:
                best = value.item(), change.detach().clone()
            value.backward()
            optimiser.step()
            with torch.no_grad():
                change.clamp_(-reach, reach)
        return best
