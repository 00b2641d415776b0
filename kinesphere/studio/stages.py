"""The stages of a projection: where each begins, what it learns, what it asks for beside likeness, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.studio.latents import tuned
from kinesphere.studio.sheets import z_to_ws

if TYPE_CHECKING:
    from kinesphere.studio.charts import Chart
    from kinesphere.studio.projection import Projection

TRIED, KEPT = 512, 4  # samples that are looked at to begin with; those, the best, from which the search goes on
LR = 0.1  # learning rate on the chart
SHORT, BOLDEST = 375, 2.0  # steps that want no more than that; how many times as much fewer are given, at most
RISE = 15  # steps in which it rises, at least
PRIOR, HINGE = 1e-3, 0.1  # weights of the squared radius, and of what is beyond that of natural latents
EDITABLE = 1e-2  # weight of the rows' mean square offset in the middle of the slider
NOISE_LR, NOISE_WEIGHT = 0.05, 10.0  # of the noise maps; weight of their likeness to themselves
OFFICIAL_LR, OFFICIAL_WEIGHT = 0.1, 1e5
TUNE_LR, RANK = 2e-2, 8  # of the weights; of what is added to each
OTHERS, STILL = 4, 1.0  # latents at each step that are to stay as they are; how much that counts


@dataclass
class Stage:
    """One stretch of the way. `t` is 0 to 1 of it."""

    learning: list[Tensor]
    lr: Callable[[float], float]
    draw: Callable[[float], Tensor]  # the pictures that are compared, [N, C, H, W]
    goals: Tensor
    masks: Tensor
    scale: Tensor  # [N], what the distance is divided by
    betas: tuple[float, float] = (0.9, 0.99)  # of Adam
    wanting: Callable[[float], Tensor] = lambda t: torch.zeros([])  # what is added to it, [N] or []
    after: Callable[[float], None] = lambda t: None  # each step
    end: Callable[[], None] = lambda: None


def begin(p: Projection, name: str, length: int) -> Stage:
    """The stage of a name as in `Projection.lengths`. Of what `p.held` has already, nothing is begun anew."""
    kind, _, which = name.partition(" ")
    if kind == "tune":
        return _tune(p, int(which), length)
    if kind == "w":
        return _official(p, length) if p.plan.official else _in_w(p, length)
    if kind == "rows":
        return _rows(p, length)
    return {"search": _search, "noise": _noise}[kind](p)


def _stage(
    p: Projection, learning: list[Tensor], lr: Callable[[float], float], draw: Callable[[float], Tensor], **more: object
) -> Stage:
    return Stage(learning, lr, draw, p.goals, p.masks, p.scale, **more)  # type: ignore[arg-type]


# W ----------------------------------------------------------------------------------------------------------------------


def _search(p: Projection) -> Stage:
    """A few beginnings for each picture, on their way together; the one that is nearest in the end goes on."""
    if "tried" not in p.held:
        p.held["tried"] = _best_samples(p)
    tried = p.held["tried"]  # [N KEPT, 1, w_dim]
    goals, masks, scale = (x.repeat_interleave(KEPT, 0) for x in (p.goals, p.masks, p.scale))

    def draw(t: float) -> Tensor:
        return p.drawn(p.chart.placed(tried).expand(-1, p.G.num_ws, -1))

    @torch.no_grad()
    def end() -> None:
        best = p.apart(draw(1.0), goals, masks).view(-1, KEPT).argmin(1)
        p.held["u"] = tried.view(-1, KEPT, 1, p.G.w_dim)[torch.arange(len(best)), best].clone()
        del p.held["tried"]

    def wanting(t: float) -> Tensor:
        return off_map(p.chart, tried)

    return Stage([tried], lambda t: LR * min(1.0, t / 0.2), draw, goals, masks, scale, wanting=wanting, end=end)


@torch.no_grad()
def _best_samples(p: Projection) -> Tensor:
    """On the chart, [N KEPT, 1, w_dim], and where it was told to begin among them. Judged at 64 px or less."""
    z = torch.from_numpy(np.random.RandomState(p.plan.seed).randn(TRIED, p.G.z_dim).astype(np.float32))
    w = torch.cat([z_to_ws(p.G, part, p.class_index)[:, :1] for part in z.split(64)])
    times = max(1, p.goals.shape[2] // 64)
    goals, masks = F.avg_pool2d(p.goals, times), F.avg_pool2d(p.masks, times)
    losses = []
    for part in w.split(16):
        small = F.avg_pool2d(p.drawn(part.expand(-1, p.G.num_ws, -1)), times)
        pairs = zip(goals.split(1), masks.split(1), strict=True)
        losses.append(torch.stack([p.apart(small, g.expand_as(small), m) for g, m in pairs]))
    best = torch.cat(losses, 1).topk(KEPT, largest=False).indices  # [N, KEPT]
    tried = p.chart.coordinates(w)[best]  # [N, KEPT, 1, w_dim]
    if p.started:
        tried[:, -1] = p.held["u"]
    return tried.flatten(0, 1)


def _in_w(p: Projection, length: int) -> Stage:
    u = p.held["u"]
    return _stage(p, [u], hurried(length), lambda t: p.drawn(p.ws()), wanting=lambda t: off_map(p.chart, u))


def off_map(chart: Chart, u: Tensor, strictly: float = 1.0) -> Tensor:
    """What is asked of coordinates [N, rows, w_dim] beside likeness: to be where the model's own latents are; [N]."""
    square = chart.square(u).mean(-1)
    return PRIOR * square + strictly * HINGE * F.relu(square - chart.natural**2)


def falling(t: float, bold: float = 1.0, rise: float = 0.05) -> float:
    """The learning rate of a stage on the chart, `bold` times LR: up over `rise` of it, down along a half cosine to nothing."""
    return bold * LR * min(1.0, t / rise) * (1 + math.cos(math.pi * t)) / 2


def hurried(steps: int) -> Callable[[float], float]:
    """`falling`, the bolder the fewer the steps; but not before Adam knows how steep it is."""
    return partial(falling, bold=min(BOLDEST, max(1.0, SHORT / steps)), rise=min(0.5, max(0.05, RISE / steps)))


def _official(p: Projection, length: int) -> Stage:
    """Karras et al. 2020, appendix D: from the mean, with noise on w that fades, and the noise maps learnt beside it."""
    if "w" not in p.held:
        dice = torch.Generator().manual_seed(p.plan.seed)
        p.held["w"] = p.chart.mean.expand(len(p.goals), 1, -1).clone()
        for layer, own in noisy(p.G).items():
            p.held[f"noise.{layer}"] = torch.randn(len(p.goals), 1, *own.shape, generator=dice).to(own)
    w, maps = p.held["w"], p.maps()

    def draw(t: float) -> Tensor:
        dice = torch.Generator().manual_seed(p.plan.seed * 1_000_003 + round(t * length))
        noise = torch.randn(w.shape, generator=dice).to(w) * p.chart.wide * spread(t)
        return p.drawn((w + noise).expand(-1, p.G.num_ws, -1), maps)

    def after(t: float) -> None:
        _normalise(maps)
        p.held["u"] = p.chart.coordinates(w.detach())

    def end() -> None:
        del p.held["w"]

    learning = [w, *maps.values()]
    return _stage(
        p,
        learning,
        lambda t: OFFICIAL_LR * rate(t),
        draw,
        wanting=lambda t: OFFICIAL_WEIGHT * _alike(maps, w),
        after=after,
        end=end,
    )


def rate(t: float) -> float:
    """The published learning rate at `t`, as a part of its highest: up over 5 %, down along a cosine over the last 25 %."""
    return (0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / 0.25))) * min(1.0, t / 0.05)


def spread(t: float) -> float:
    """The published latent noise at `t`, as a part of W's spread: 0.05 to begin with, none after three quarters."""
    return 0.05 * max(0.0, 1 - t / 0.75) ** 2


# Noise ------------------------------------------------------------------------------------------------------------------


def noisy(G: Generator) -> dict[str, Tensor]:
    """The model's noise maps [H, W], by layer."""
    return {name: layer.noise_const for name, layer in G.layers().items() if hasattr(layer, "noise_const")}  # type: ignore[misc]


def _noise(p: Projection) -> Stage:
    """The maps alone: with the latent beside them they would draw what it is there for (Abdal et al. 2020, section 3)."""
    for layer, own in noisy(p.G).items():
        p.held.setdefault(f"noise.{layer}", own.detach().expand(len(p.goals), 1, -1, -1).clone())
    maps, ws = p.maps(), p.ws().detach()
    learning = [*maps.values()]
    return _stage(
        p, learning, lambda t: NOISE_LR * rate(t), lambda t: p.drawn(ws, maps),
        wanting=lambda t: NOISE_WEIGHT * _alike(maps, ws), after=lambda t: _normalise(maps),
    )  # fmt: skip


def _alike(maps: dict[str, Tensor], like: Tensor) -> Tensor:
    return sum((likeness_to_itself(noise) for noise in maps.values()), like.new_zeros(len(like)))


def _normalise(maps: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for noise in maps.values():
            noise.copy_(normalised(noise))


def likeness_to_itself(noise: Tensor) -> Tensor:
    """How far a noise map [N, 1, H, W] is from white: squared correlation with its neighbours, at each size down to 8 px. [N].

    Karras et al. 2020, appendix D.
    """
    total = noise.new_zeros(len(noise))
    while True:
        for axis in (2, 3):
            total = total + (noise * noise.roll(1, axis)).mean((1, 2, 3)).square()
        if noise.shape[2] <= 8:
            return total
        noise = F.avg_pool2d(noise, 2)


def normalised(noise: Tensor) -> Tensor:
    """A map [N, 1, H, W] of mean 0 and root mean square 1."""
    noise = noise - noise.mean((2, 3), keepdim=True)
    return noise * noise.square().mean((2, 3), keepdim=True).clamp_min(1e-12).rsqrt()


# Rows -------------------------------------------------------------------------------------------------------------------


def _rows(p: Projection, length: int) -> Stage:
    """Each row goes its own way from where they are together, the coarse first. Where that is no nearer, nothing has changed."""
    u, offsets = p.held["u"], p.held["offsets"]
    weight, strictly = EDITABLE * (1 - p.plan.faithful) / p.plan.faithful, min(1.0, 2 - 2 * p.plan.faithful)
    if "before" not in p.held:
        with torch.no_grad():
            p.held["loss before"] = p.apart(p.drawn(p.ws()), p.goals, p.masks)
        p.held["before"] = torch.cat([u, offsets], 1).detach().clone()

    def draw(t: float) -> Tensor:
        free = torch.arange(p.G.num_ws, device=u.device) <= p.G.num_ws * (0.1 + 2 * t)
        return p.drawn(p.chart.placed(u + torch.where(free[:, None], offsets, offsets.detach())))

    def wanting(t: float) -> Tensor:
        return off_map(p.chart, u + offsets, strictly) + weight * offsets.square().mean((1, 2))

    @torch.no_grad()
    def end() -> None:
        worse = p.apart(p.drawn(p.ws()), p.goals, p.masks) > p.held.pop("loss before")
        before = p.held.pop("before")
        u[worse], offsets[worse] = before[worse, :1], before[worse, 1:]

    return _stage(p, [u, offsets], hurried(length), draw, wanting=wanting, end=end)


# Weights ----------------------------------------------------------------------------------------------------------------


def _tune(p: Projection, n: int, length: int) -> Stage:
    """The weights give way to one picture, a little, and are held where other latents are (pivotal tuning, Roich et al. 2022)."""
    dice = torch.Generator().manual_seed(p.plan.seed)
    for name, layer in p.G.layers().items():
        if name == "input" or getattr(layer, "weight", None) is None:
            continue
        weight: Tensor = layer.weight  # type: ignore[assignment]
        rows, columns = len(weight), weight[0].numel()
        rank = min(RANK, rows, columns)
        down = torch.randn(rank, columns, generator=dice) / math.sqrt(columns)
        p.held.setdefault(f"tuning.{n}.0.{name}.weight", weight.new_zeros(rows, rank))
        p.held.setdefault(f"tuning.{n}.1.{name}.weight", down.to(weight))
    pairs, pivot = p.tuning(n), p.ws().detach()[n : n + 1]
    maps = {layer: value[n, 0] for layer, value in p.maps().items()}
    still: dict[str, Tensor] = {}

    def draw(t: float) -> Tensor:
        """The picture; and, for `wanting`, others."""
        dice = torch.Generator().manual_seed(p.plan.seed * 1_000_003 + round(t * length))
        others = _others(p, pivot, dice)
        with torch.no_grad():
            still["was"] = p.drawn(others)
        with bent(p.G, tuned(p.G, pairs)):
            still["is"] = p.drawn(others)
            return p.drawn(pivot, maps)

    def wanting(t: float) -> Tensor:
        return STILL * p.distance(still["is"], still["was"]).mean() / p.scale[n]

    one = slice(n, n + 1)
    learning = [half for pair in pairs.values() for half in pair]
    return Stage(learning, lambda t: TUNE_LR * rate(t), draw, p.goals[one], p.masks[one], p.scale[one], wanting=wanting)


@torch.no_grad()
def _others(p: Projection, pivot: Tensor, dice: torch.Generator) -> Tensor:
    """Latents of the model, half of them halfway to the pivot; [OTHERS, num_ws, w_dim]."""
    ws = z_to_ws(p.G, torch.randn(OTHERS, p.G.z_dim, generator=dice), p.class_index)
    ws[::2] = torch.lerp(ws[::2], pivot, 0.5)
    return ws
