"""The square of a picture in which a model finds itself: looked for everywhere, then settled together with its latent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import idct
from torch import Tensor

from kinesphere.models import Generator
from kinesphere.studio.alignment import Similarity, Window, aligned, refined
from kinesphere.studio.charts import Chart
from kinesphere.studio.projection import nearness, plain
from kinesphere.studio.sheets import z_to_ws
from kinesphere.studio.stages import falling, off_map

SMALL = 16  # pixels of a side at which squares are looked through
SAMPLED, AXES = 512, 64  # pictures of the model that say what is its kind; the directions in which those vary most
SIZES, LEAST = (
    4,
    1 / 6,
)  # sides that are looked through: so many to an octave, down from the picture's shorter side to this share
ANGLES = range(-30, 31, 10)  # degrees
APART = 2  # pixels of SMALL from one square to the next
INSIDE = 0.35  # of a side, at least, between the middle of a square and the edge of the picture
KEPT = 3  # squares, of all, that are settled
FAR = 0.25  # of a side, or of the logarithm of the size: what is nearer than that is one place
REACH = 0.15  # how far a square may move from where it was found; see `alignment.refined`
LOOK = 64  # pixels of a side at which a square is settled, at most
STEPS, RATE = 120, 0.006  # with the latent; sides and radians a step
CONTRASTS = (
    ((1, 1, 1), (1, 0, -1), (1, -2, 1)),
    (1.0, 0.15, 0.05),
)  # of RGB, which are hardly correlated; how much each varies
SPREAD, GRAIN = 0.25, 0.02  # variance of a pixel of any picture; of its noise


@dataclass(frozen=True, eq=False)
class Gaussian:
    """What pictures of some kind are like: the mean, the axes that they vary along, and what is left beside these."""

    mean: Tensor  # [n]
    axes: Tensor  # [n, k], orthonormal
    variances: Tensor  # [k]
    rest: float  # of each direction that is no axis

    @classmethod
    def of(cls, pictures: Tensor) -> Gaussian:
        """Of samples [N, n]."""
        mean = pictures.mean(0)
        _, sigmas, axes = torch.linalg.svd(pictures - mean, full_matrices=False)
        variances = sigmas.square() / len(pictures)
        rest = float(variances[AXES:].sum()) / max(1, pictures.shape[1] - AXES)
        return cls(mean, axes[:AXES].T, variances[:AXES], max(rest, 1e-6))

    def __call__(self, x: Tensor) -> Tensor:
        """The squared Mahalanobis distance of x [N, n], over n: about 1 for what is of this kind; [N]."""
        away = x - self.mean
        along = away @ self.axes
        beside = (away.square().sum(1) - along.square().sum(1)).clamp_min(0)
        return ((along.square() / (self.variances + self.rest)).sum(1) + beside / self.rest) / x.shape[1]


def anything() -> Gaussian:
    """Small squares of any picture at all [3 SMALL SMALL]: their power falls with the square of the frequency (Field 1987)."""
    waves = torch.from_numpy(idct(np.eye(SMALL), axis=0, norm="ortho")).float()  # [SMALL, SMALL], a wave a column
    f = torch.arange(SMALL).float()
    power = 1 / (f[:, None].square() + f.square() + 0.5)
    colours, shares = (torch.tensor(numbers).float() for numbers in CONTRASTS)
    colours = colours / colours.norm(dim=1, keepdim=True)
    axes = torch.kron(colours.T.contiguous(), torch.kron(waves.contiguous(), waves.contiguous()))
    variances = torch.kron(shares, (power / power.sum()).flatten()) * 3 * SMALL**2 * SPREAD + GRAIN
    return Gaussian(torch.zeros(len(axes)), axes, variances, GRAIN)


class Seeker:
    """`seeker(picture)` is the square in which a model finds itself, whatever it draws: no face need be in it.

    Everywhere in the picture, at every size and some angles, a small square is asked how much more it is of the model's kind
    than of any picture's (the quotient of two Mahalanobis distances, so that a flat patch, which anything explains, gains
    nothing). The best are followed by the gradient of that, and settled by the model itself, the square and the latent at once.
    """

    def __init__(self, G: Generator, chart: Chart, class_index: int = 0) -> None:
        self.G, self.chart = G, chart
        z = torch.from_numpy(np.random.RandomState(0).randn(SAMPLED, G.z_dim).astype(np.float32))
        with torch.no_grad():
            self.w = torch.cat([z_to_ws(G, part, class_index)[:, :1] for part in z.split(64)])  # [SAMPLED, 1, w_dim]
            drawn = [F.interpolate(self._drawn(part), (SMALL, SMALL), mode="area") for part in self.w.split(16)]
        self.pictures = torch.cat(drawn).flatten(1)  # [SAMPLED, n]
        self.kind, self.anything = Gaussian.of(self.pictures.cpu()), anything()

    def __call__(self, picture: np.ndarray) -> Similarity:
        """For a picture [H, W, 3] uint8. The same each time."""
        if self.G.img_channels == 1:
            picture = np.repeat(picture.mean(2, keepdims=True).round().astype(np.uint8), 3, 2)
        found = [
            refined(picture, square, self.strangeness, SMALL, REACH, 16, 60) for square in self.looked_through(picture)
        ]
        return self.settled(picture, found)

    def strangeness(self, squares: Tensor) -> Tensor:
        """The logarithm of how much less squares [N, 3, SMALL, SMALL] in [-1, 1] are of the model's kind than of any; [N]."""
        x = squares.flatten(1)
        return self.kind(x).log() - self.anything(x).log()

    # Everywhere ---------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def looked_through(self, picture: np.ndarray) -> list[Similarity]:
        """The squares that are most of the model's kind, KEPT at most, no two of them in one place."""
        every = [one for side in sides(picture) for angle in ANGLES for one in self._best(picture, side, angle)]
        kept: list[Similarity] = []
        for _, square in sorted(every, key=lambda one: one[0]):
            if not any(_near(square, other) for other in kept):
                kept.append(square)
        return kept[:KEPT]

    def _best(self, picture: np.ndarray, side: float, angle: float) -> Iterator[tuple[float, Similarity]]:
        places, squares = windows(picture, side, angle)
        if len(squares):
            strangeness = self.strangeness(squares)
            for i in strangeness.topk(min(KEPT, len(squares)), largest=False).indices.tolist():
                x, y = places[i].tolist()
                yield float(strangeness[i]), Similarity(x, y, side, angle)

    # Settled ------------------------------------------------------------------------------------------------------------

    @torch.enable_grad()
    def settled(self, picture: np.ndarray, squares: list[Similarity]) -> Similarity:
        """Each of these squares is moved together with the latent that draws it; the one that is then most of the model's kind."""
        size = min(LOOK, self.G.img_resolution)
        views = [Window.about(picture, square, size) for square in squares]
        changes = torch.zeros(len(views), 4, requires_grad=True)
        u = self._nearest(self._seen(views, changes, SMALL)).requires_grad_()
        optimiser = torch.optim.Adam([{"params": [u]}, {"params": [changes]}], betas=(0.9, 0.99))
        for step in range(STEPS):
            pace = falling(step / STEPS)
            optimiser.param_groups[0]["lr"] = pace
            optimiser.param_groups[1]["lr"] = RATE * pace / falling(0.05) * (step > STEPS / 4)
            goals = self._seen(views, changes, size)
            drawn = self._drawn(self.chart.placed(u), size)
            whole = torch.ones_like(goals[:, :1])
            losses = nearness(drawn, goals) / nearness(plain(goals, whole), goals) + off_map(self.chart, u)
            losses.sum().backward(inputs=[u, changes])
            optimiser.step()
            optimiser.zero_grad()
            with torch.no_grad():
                changes.clamp_(-REACH, REACH)
        changes.requires_grad_(False)
        best = self._most_alike(self._drawn(self.chart.placed(u), size), views, changes)
        return views[best].square(changes[best])

    @torch.no_grad()
    def _most_alike(self, drawn: Tensor, views: list[Window], changes: Tensor) -> int:
        """Which is most of the model's kind, both by what it drew of it and by the Gaussian, over what any picture is."""
        left = (drawn - self._seen(views, changes, drawn.shape[2])).square().mean((1, 2, 3)).cpu()
        small = self._seen(views, changes, SMALL).cpu()
        return int((left.log() - self.anything(small.flatten(1)).log() + self.strangeness(small)).argmin())

    def _nearest(self, squares: Tensor) -> Tensor:
        """Where to begin: on the chart, the sample that is most like each of the squares [N, 3, SMALL, SMALL]; [N, 1, w_dim]."""
        nearest = torch.cdist(squares.detach().flatten(1), self.pictures).argmin(1)
        return self.chart.coordinates(self.w[nearest])

    def _seen(self, views: list[Window], changes: Tensor, size: int) -> Tensor:
        seen = [view.seen(change, size) for view, change in zip(views, changes, strict=True)]
        return torch.cat(seen).to(self.chart.mean)

    def _drawn(self, w: Tensor, size: int | None = None) -> Tensor:
        """RGB [N, 3, size, size] of w [N, 1, w_dim]."""
        img = self.G.synthesis(w.expand(-1, self.G.num_ws, -1))[:, :3].expand(-1, 3, -1, -1)
        return img if size in (None, img.shape[2]) else F.interpolate(img, (size, size), mode="area")


def sides(picture: np.ndarray) -> list[float]:
    """Of the squares that are looked through in a picture, in pixels, the largest first."""
    shorter = min(picture.shape[:2])
    least = max(LEAST * shorter, min(SMALL, shorter))
    return [shorter * 2 ** (-i / SIZES) for i in range(math.floor(SIZES * math.log2(shorter / least)) + 1)]


def windows(picture: np.ndarray, side: float, angle: float) -> tuple[np.ndarray, Tensor]:
    """Every square of a side and an angle that lies in a picture: middles [N, 2], and what is seen [N, 3, SMALL, SMALL]."""
    height, width = picture.shape[:2]
    pixels = math.ceil(math.hypot(width, height) * SMALL / side)
    whole = Similarity(width / 2, height / 2, pixels * side / SMALL, angle)
    seen = torch.from_numpy(aligned(picture, whole, pixels)).permute(2, 0, 1) / 127.5 - 1
    squares = seen.unfold(1, SMALL, APART).unfold(2, SMALL, APART)  # [3, rows, columns, SMALL, SMALL]
    v, u = np.meshgrid(*(np.arange(count) * APART + SMALL / 2 for count in squares.shape[1:3]), indexing="ij")
    places = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3) @ whole.matrix(pixels).T
    inside = ((places > INSIDE * side) & (places < np.array([width, height]) - INSIDE * side)).all(1)
    return places[inside], squares.flatten(1, 2).transpose(0, 1)[torch.from_numpy(inside)]


def _near(one: Similarity, other: Similarity) -> bool:
    side = min(one.size, other.size)
    return math.hypot(one.x - other.x, one.y - other.y) < FAR * side and abs(math.log(one.size / other.size)) < FAR
