"""Where in the picture single style channels act, and what they do to it: each is moved, and what changes is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio.directions.axis import split
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.directions.measures import Measure
from kinesphere.studio.directions.regions import Painted, box, cover, shrunk, together
from kinesphere.studio.directions.stylespace import StyleSpace
from kinesphere.studio.latents import affines
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

SEEN, TRIED = range(12), range(8)  # seeds of the pictures in which channels are moved
GRID = 32  # pixels to which these are shrunk
STEP, STRIDE = 0.1, 2.0  # deviations: to see where a channel acts, a small one; to measure what it does, one that shows
CLEARLY = 1.25  # times as densely as elsewhere a channel acts in the part that it is of
FAINT = 0.1  # of what the strongest channel changes in a part: what changes less is no slider
SPREAD = 256  # natural pictures, by which the spread of a measure is told


@dataclass(frozen=True, eq=False)
class Reach:
    """Where each style channel acts, in several pictures. Taken once of a model, then asked for any part of the picture."""

    space: StyleSpace
    channels: list[int]  # among all styles
    maps: Tensor  # [pictures, channels, h, w] float16: how much one deviation changes each pixel, colours averaged
    pixels: int  # a side, of the pictures themselves

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        G: Generator,
        space: StyleSpace,
        layers: Sequence[str] = (),
        seeds: Sequence[int] = SEEN,
        class_index: int = 0,
        on_picture: Callable[[int, int], None] = lambda done, of: None,
    ) -> Reach:
        """Of all layers of a model, or of those named. Each channel is moved in each seed's picture: 11,136 of the built-in model.

        It draws with a copy, so that another thread may draw with `G` and bend it meanwhile. KinesphereError for no such layer.
        """
        channels, maps = space.channels(layers), []
        for i, moved in enumerate(_moved(G, space, channels, seeds, class_index, STEP)):
            small = (shrunk(img, GRID) for img in moved)
            maps.append(torch.cat([((img[1:] - img[:1]).abs().mean(1) / STEP).half().cpu() for img in small]))
            on_picture(i + 1, len(seeds))
        return cls(space, channels, torch.stack(maps), G.img_resolution)

    def inside(self, region: Painted, others: Sequence[Painted] = (), count: int = 8) -> list[Direction]:
        """The channels that act in a part of the picture and not elsewhere, the most local first; up to `count`.

        Of each picture those pixels are taken that a channel changes most, as many as the part has: `score` is how much of the part
        they fill, 0 to 1, in the mean of the pictures. A channel is of the part if in more than half of the pictures it fills a
        quarter more of it than of each of `others`, or, where none are told, of the rest; and if what one deviation changes
        there (`gain`, the mean of the pixels) is not faint beside other channels.
        Raises KinesphereError for a part that cannot be meant, for the whole picture, and where no channel is of the part.
        """
        weights = self._cover(region)
        if not others and bool((weights == 1).all()):
            raise KinesphereError("this is the whole picture, where all channels act: paint a part of it")
        area = max(1, round(float(weights.sum())))
        least = self.maps.flatten(2).topk(area).values[:, :, -1, None, None]
        most = (self.maps >= least).float()
        own, rivals = _mean(most, weights), [self._cover(other) for other in others] or [1 - weights]
        rest = torch.stack([_mean(most, rival) for rival in rivals]).amax(0)
        gains = _mean(self.maps.float(), weights).mean(0)
        belongs = ((own > CLEARLY * rest).float().mean(0) > 0.5) & (gains > FAINT * gains.max())
        if not belongs.any():
            raise KinesphereError("no channel acts in this part more than elsewhere: paint another, or a larger one")
        scores, place = own.mean(0) * belongs, box(region)
        return [
            self.space.at(self.channels[i], score=float(scores[i]), gain=float(gains[i]), region=place)
            for i in scores.topk(min(count, len(scores))).indices.tolist()
            if scores[i] > 0
        ]

    def _cover(self, region: Painted) -> Tensor:
        return cover(region, self.pixels, GRID)


@dataclass(frozen=True, eq=False)
class Effects:
    """What each style channel does to what can be measured of pictures."""

    space: StyleSpace
    channels: list[int]  # among all styles
    shifts: Tensor  # [pictures, channels, measures]: by how much one deviation changes each measure, in its spreads

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        G: Generator,
        space: StyleSpace,
        measure: Measure,
        layers: Sequence[str] = (),
        seeds: Sequence[int] = TRIED,
        class_index: int = 0,
        on_picture: Callable[[int, int], None] = lambda done, of: None,
    ) -> Effects:
        """Of all layers of a model, or of those named. A spread is the deviation of a measure over 256 natural pictures.

        It draws with a copy, as `Reach.of`. Raises KinesphereError for no such layer, and for a measure that is always the same.
        """
        natural = seeds_to_ws(G, range(SPREAD), class_index).split(together(G))
        spreads = torch.cat([_numbers(measure, G.synthesis(ws)) for ws in natural]).std(0)
        if not bool((spreads > 0).all()):
            raise KinesphereError("one of the measures is the same for all pictures: there is nothing to go by")
        channels, shifts = space.channels(layers), []
        for i, moved in enumerate(_moved(G, space, channels, seeds, class_index, STRIDE)):
            numbers = (_numbers(measure, img) for img in moved)
            shifts.append(torch.cat([(one[1:] - one[:1]) / spreads / STRIDE for one in numbers]))
            on_picture(i + 1, len(seeds))
        return cls(space, channels, torch.stack(shifts))

    def best(self, target: int, count: int = 8) -> list[Direction]:
        """The channels that change measure number `target` most, so that it grows; up to `count`.

        `score`: how many spreads one deviation of the channel adds to it; `dependency`: what else changes with it, where several
        measures were told.
        """
        mean, found = self.shifts[:, :, target].mean(0), []
        for i in mean.abs().topk(min(count, len(mean))).indices.tolist():
            if mean[i] != 0:
                others = {"dependency": dependency(self.shifts[:, i], target)} if self.shifts.shape[2] > 1 else {}
                one = self.space.at(self.channels[i], score=abs(float(mean[i])), **others)
                found.append(one if mean[i] > 0 else one.turned())
        return found


def dependency(shifts: Tensor, target: int) -> float:
    """How much else changes with a slider: the mean shift of all other measures over that of the target; 0 is nothing else.

    `shifts` [N, measures] are what is measured after, less before, each measure in its own spread (attribute dependency: Wu et
    al. 2021). Raises KinesphereError where the target did not move.
    """
    moved = shifts.abs().mean(0)
    if not moved[target] > 0:
        raise KinesphereError("what the slider is to change did not change at all: move it further")
    others = torch.cat([moved[:target], moved[target + 1 :]])
    return float(others.mean() / moved[target]) if len(others) else 0.0


def _moved(
    G: Generator, space: StyleSpace, channels: Sequence[int], seeds: Sequence[int], class_index: int, step: float
) -> Iterator[Iterator[Tensor]]:
    """For each seed pictures with each channel moved by `step` deviations, in batches, of which the first is as it was."""
    draw = _steered(G)

    def of_one(ws: Tensor) -> Iterator[Tensor]:
        for part in torch.tensor(channels).split(max(1, together(G) - 1)):
            steps = torch.zeros(1 + len(part), len(space.mean))
            steps[torch.arange(len(part)) + 1, part] = step * space.sigma[part]
            yield draw(ws.expand(len(steps), -1, -1), steps.to(ws))

    return (of_one(ws) for ws in seeds_to_ws(G, seeds, class_index).split(1))


def _steered(G: Generator) -> Callable[[Tensor, Tensor], Tensor]:
    """Draws `ws` [N, num_ws, w_dim] with something added to its styles [N, styles]; `G` itself is not touched."""
    twin = G.copied()
    added: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, object, Tensor], Tensor]:
        return lambda _, __, styles: styles + added[name].to(styles)

    for name, affine in affines(twin).items():
        affine.register_forward_hook(hook(name))

    def draw(ws: Tensor, steps: Tensor) -> Tensor:
        added.update(split(twin, steps))
        img: Tensor = twin.synthesis(ws)
        return img

    return draw


def _numbers(measure: Measure, img: Tensor) -> Tensor:
    """What a measure says of pictures [N, C, H, W]: [N, measures] float64."""
    return torch.from_numpy(np.asarray(measure(to_pixels(img).cpu().numpy()), np.float64).reshape(len(img), -1))


def _mean(maps: Tensor, weights: Tensor) -> Tensor:
    """Of maps [..., h, w] over a part of the picture, [h, w]."""
    return (maps * weights).sum((-2, -1)) / weights.sum()
