"""What can be measured of a picture with no network: numbers that label pictures, as a hand would, and tell what a slider moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio.directions.axis import Axis
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

Measure = Callable[[np.ndarray], np.ndarray]  # pictures uint8 [N, H, W, 3] -> numbers [N], or several of each [N, M]
Progress = Callable[[int, int], None]

BATCH = 16  # pictures drawn at once
LUMA = np.array([0.2126, 0.7152, 0.0722])  # what red, green and blue add to brightness (ITU-R BT.709)
STEEP = 0.1  # of the range from black to white, from one pixel to the next: an edge
UNLIKE = 0.15  # of the range, from the colour of the rim: no longer background
RIM = 1 / 16  # of the picture's smaller side


# Light and colour -----------------------------------------------------------------------------------------------------


def brightness(pictures: np.ndarray) -> np.ndarray:
    """How bright: the mean, 0 black to 1 white."""
    return _grey(pictures).mean((1, 2))


def contrast(pictures: np.ndarray) -> np.ndarray:
    """How far light and dark are apart: the standard deviation of brightness, 0 even to 0.5 half black, half white."""
    return _grey(pictures).std((1, 2))


def saturation(pictures: np.ndarray) -> np.ndarray:
    """How colourful: the mean distance of a colour's largest and smallest part, 0 grey to 1 pure."""
    colours = pictures / 255
    return (colours.max(3) - colours.min(3)).mean((1, 2))


def warmth(pictures: np.ndarray) -> np.ndarray:
    """Warm or cool: the mean of red less blue, -1 to 1."""
    return (pictures[..., 0] / 255 - pictures[..., 2] / 255).mean((1, 2))


def greenness(pictures: np.ndarray) -> np.ndarray:
    """Green or magenta: the mean of green less the middle of red and blue, -1 to 1."""
    red, green, blue = np.moveaxis(pictures / 255, 3, 0)
    return (green - (red + blue) / 2).mean((1, 2))


def hue(pictures: np.ndarray) -> np.ndarray:
    """The hue that most of the colour has, in turns: red 0, green 1/3, blue 2/3; NaN of a grey picture.

    It is an angle: the mean is that of colours as arrows, each as long as it is colourful, and 0.99 and 0.01 are neighbours. A
    straight line does not read it across red; `warmth` and `greenness` are its two straight parts.
    """
    red, green, blue = np.moveaxis(pictures / 255, 3, 0)
    across = (red - (green + blue) / 2).mean((1, 2))
    along = (np.sqrt(3) / 2 * (green - blue)).mean((1, 2))
    turns = np.arctan2(along, across) / (2 * np.pi) % 1
    return np.where(np.hypot(along, across) > 1e-9, turns, np.nan)


# Shape ----------------------------------------------------------------------------------------------------------------


def sharpness(pictures: np.ndarray) -> np.ndarray:
    """How sharp: the mean of how far a pixel is off the middle of its four neighbours, 0 to 1 (a chequerboard)."""
    grey = _grey(pictures)
    around = (grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]) / 4
    return np.abs(grey[:, 1:-1, 1:-1] - around).mean((1, 2))


def edges(pictures: np.ndarray) -> np.ndarray:
    """How many edges: the share of pixels at which brightness steps by more than a tenth, 0 to 1."""
    grey = _grey(pictures)
    down, across = np.diff(grey, axis=1)[:, :, :-1], np.diff(grey, axis=2)[:, :-1]
    return (np.hypot(down, across) > STEEP).mean((1, 2))


def symmetry(pictures: np.ndarray) -> np.ndarray:
    """How alike left and right are: 1 less the mean difference from the mirrored picture, 0 to 1 mirrored exactly."""
    grey = _grey(pictures)
    return 1 - np.abs(grey - grey[:, :, ::-1]).mean((1, 2))


def light_x(pictures: np.ndarray) -> np.ndarray:
    """Where the light is: its centre, 0 left to 1 right; 0.5 of a black picture."""
    return _centre(_grey(pictures))[:, 0]


def light_y(pictures: np.ndarray) -> np.ndarray:
    """Where the light is: its centre, 0 top to 1 bottom; 0.5 of a black picture."""
    return _centre(_grey(pictures))[:, 1]


def subject_x(pictures: np.ndarray) -> np.ndarray:
    """Where what differs from the rim is: its centre, 0 left to 1 right; 0.5 where nothing does."""
    return _centre(_unlike_rim(pictures))[:, 0]


def subject_y(pictures: np.ndarray) -> np.ndarray:
    """Where what differs from the rim is: its centre, 0 top to 1 bottom; 0.5 where nothing does."""
    return _centre(_unlike_rim(pictures))[:, 1]


def subject_size(pictures: np.ndarray) -> np.ndarray:
    """How much of the picture differs from its rim, 0 to 1."""
    return _unlike_rim(pictures).mean((1, 2))


def grain(pictures: np.ndarray) -> np.ndarray:
    """How grainy: the deviation of its noise, 0 to 1 being black to white (Immerkær 1996: what no plane and no edge explains)."""
    grey = _grey(pictures)
    rows = grey[:, :-2] - 2 * grey[:, 1:-1] + grey[:, 2:]
    both = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return np.sqrt(np.pi / 2) / 6 * np.abs(both).mean((1, 2))


MEASURES: dict[str, Measure] = {
    f.__name__: f
    for f in (
        brightness, contrast, saturation, warmth, greenness, hue,
        sharpness, edges, symmetry, light_x, light_y, subject_x, subject_y, subject_size, grain,
    )
}  # fmt: skip


def measure(name: str) -> Measure:
    """The one of that name. Raises KinesphereError, with those that there are, for another."""
    if name not in MEASURES:
        raise KinesphereError(f"no measure {name[:64]!r}: there are {', '.join(MEASURES)}")
    return MEASURES[name]


def _grey(pictures: np.ndarray) -> np.ndarray:
    """Brightness [N, H, W], 0 to 1."""
    return pictures @ LUMA / 255


def _centre(weights: np.ndarray) -> np.ndarray:
    """The centre of weights [N, H, W] as (x, y) [N, 2] in shares of the picture; its middle where there are none."""
    total = weights.sum((1, 2))
    height, width = weights.shape[1:]
    x = weights.sum(1) @ ((np.arange(width) + 0.5) / width)
    y = weights.sum(2) @ ((np.arange(height) + 0.5) / height)
    there = total > 1e-9
    return np.where(there[:, None], np.stack([x, y], 1) / np.where(there, total, 1)[:, None], 0.5)


def _unlike_rim(pictures: np.ndarray) -> np.ndarray:
    """Where a colour is far from the median colour of the rim: float [N, H, W], 0 or 1."""
    colours = pictures / 255
    wide = max(1, int(RIM * min(colours.shape[1:3])))
    inside = np.zeros(colours.shape[1:3], bool)
    inside[wide:-wide, wide:-wide] = True
    rim = np.median(colours[:, ~inside], axis=1)
    return (np.abs(colours - rim[:, None, None]).max(3) > UNLIKE).astype(float)


# Of a model's pictures ------------------------------------------------------------------------------------------------


def labels_of(
    G: Generator,
    measure: Measure,
    seeds: Sequence[int],
    psi: float = 1.0,
    class_index: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """What a measure says of the pictures of seeds: float64 [N], or [N, M] of one that tells several numbers.

    Any function of pictures is a measure: one of MEASURES, a classifier, a judge. Their latents are `latents(G, seeds, psi)`.
    Raises KinesphereError for one that does not give a number for each picture.
    """
    return _measured(G, latents(G, seeds, psi, class_index).expand(-1, G.num_ws, -1), measure, progress)


def latents(G: Generator, seeds: Sequence[int], psi: float = 1.0, class_index: int = 0) -> Tensor:
    """The w of seeds, pulled towards the mean by psi: [N, 1, w_dim] on the model's device."""
    return latent.truncate(seeds_to_ws(G, seeds, class_index)[:, :1], G.w_avg, psi)


@dataclass(frozen=True, eq=False)
class Course:
    """What measures say of pictures as they are moved along a slider."""

    amounts: np.ndarray  # [A], in standard deviations, rising
    told: np.ndarray  # [A, N pictures, M measures]; NaN where there is nothing to see

    def seen(self, i: int) -> np.ndarray:
        """Measure i of the pictures in which it can be seen all along: [A, N or fewer]."""
        there = np.isfinite(self.told[:, :, i]).all(0)
        return self.told[:, there, i]

    def monotone(self, i: int) -> float:
        """Spearman's correlation of the amounts with the mean over pictures: 1 where each step leads on. NaN if it never shows."""
        return _ranked(self.amounts, self.seen(i).mean(1)) if self.seen(i).size else np.nan

    def singly(self, i: int) -> float:
        """The same of each picture by itself, the median. NaN where it never shows."""
        each = [_ranked(self.amounts, one) for one in self.seen(i).T]
        return float(np.median(each)) if each else np.nan

    def change(self, i: int, reach: float) -> float:
        """How much more measure i says, on average, at `reach` than at -`reach`, between the amounts that were tried."""
        if not self.seen(i).size:
            return 0.0
        low, high = np.interp((-reach, reach), self.amounts, self.seen(i).mean(1))
        return float(high - low)


def along(
    G: Generator, axis: Axis, measure: Measure, ws: Tensor, amounts: Sequence[float], progress: Progress | None = None
) -> Course:
    """What a measure says as latents ws [N, num_ws, w_dim] are moved along an axis of W or W+. `progress` counts pictures.

    Raises KinesphereError as `labels_of`.
    """
    moved = torch.cat([axis.moved(ws, amount) for amount in amounts])
    told = _measured(G, moved, measure, progress)
    return Course(np.asarray(amounts, np.float64), told.reshape(len(amounts), len(ws), -1))


def _ranked(amounts: np.ndarray, told: np.ndarray) -> float:
    """Spearman's correlation; 0 where nothing changes."""
    return float(spearmanr(amounts, told).statistic) if np.ptp(told) > 0 else 0.0


def _measured(G: Generator, ws: Tensor, measure: Measure, progress: Progress | None) -> np.ndarray:
    found: list[np.ndarray] = []
    for pictures in _pictures(G, ws):
        told = np.asarray(measure(pictures), np.float64)
        if told.ndim not in (1, 2) or len(told) != len(pictures):
            raise KinesphereError(
                f"a measure gave {list(told.shape)} for {len(pictures)} pictures: needed is a number for each"
            )
        found.append(told)
        if progress:
            progress(sum(map(len, found)), len(ws))
    return np.concatenate(found) if found else np.empty(0)


def _pictures(G: Generator, ws: Tensor) -> Iterator[np.ndarray]:
    """Pictures uint8 [N, H, W, 3], some at a time."""
    for some in ws.split(BATCH):
        with torch.no_grad():
            drawn: np.ndarray = to_pixels(G.synthesis(some)).cpu().numpy()
        yield drawn


__all__ = ["MEASURES", "Course", "Measure", "along", "labels_of", "latents", "measure"]
