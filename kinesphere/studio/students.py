"""A student of a generator: the same w space, fewer channels, a fraction of the cost.

The channels that matter least are pruned (by the power that they send on), and what is left learns from the teacher: the same ws,
the same noise, the same picture. The mapping network is the teacher's, number for number, so that latents, directions and patches
of the teacher are the student's.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kinesphere import runtime
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.latent import mix_styles
from kinesphere.models import Generator, StyleGAN2
from kinesphere.ops import to_pixels
from kinesphere.runtime.governor import timed
from kinesphere.studio.perceptual import Distance, distance
from kinesphere.types import KinesphereError

SHARES = tuple(i / 16 for i in range(14, 1, -1))  # of the channels, from the widest student on
LEAST = 8  # channels that a layer keeps
JUDGED = 0.1  # weight of what a discriminator sees
ROUNDS, LONGEST = 40, 2.0  # in which generators are timed in turn, at most; seconds after which no other round begins


@dataclass(frozen=True)
class Lesson:
    """How far a student has come."""

    steps: int
    loss: float  # distance to the teacher's pictures, mean of the last hundred steps


def narrower(channels: Sequence[int], share: float) -> list[int]:
    """The same widths times `share`, in steps of four, at least LEAST."""
    return [min(c, max(LEAST, 4 * round(c * share / 4))) for c in channels]


@torch.no_grad()
def prune(G: Generator, channels: Sequence[int], samples: int = 64) -> StyleGAN2:
    """`G` with these widths at 4, 8, ... px: in each layer the channels are kept that matter most to what comes after.

    Raises KinesphereError for what is no StyleGAN2 of the skip architecture, or where a width is above the generator's own.
    """
    G = _teacher(G)
    own = G.config["channels"]
    if len(channels) != len(own) or any(not 1 <= new <= old for new, old in zip(channels, own, strict=True)):
        raise KinesphereError(f"channels {list(channels)} do not fit this model: give 1 to {own}, for each resolution")
    student = StyleGAN2(**{**G.config, "channels": [int(c) for c in channels]})
    student.mapping.load_state_dict(G.mapping.state_dict())
    powers = _powers(G, samples)
    blocks = list(zip(G.synthesis.resolutions, G.synthesis.blocks(), student.synthesis.blocks(), channels, strict=True))
    kept = torch.arange(0)
    for i, (r, block, to, width) in enumerate(blocks):
        following = blocks[i + 1][1] if i + 1 < len(blocks) else None
        if block.is_first:
            kept = _strongest(block.const.square().mean((1, 2)) * _reach(block.conv1.weight), width)
            to.const.copy_(block.const[kept])
        else:
            inner = _strongest(powers[f"b{r}.conv0"] * _reach(block.conv1.weight), width)
            _copy(block.conv0, to.conv0, inner, kept)
            kept = inner
        reach = _reach(block.torgb.weight) + (0 if following is None else _reach(following.conv0.weight))
        outer = _strongest(powers[f"b{r}.conv1"] * reach, width)
        _copy(block.conv1, to.conv1, outer, kept)
        _copy(block.torgb, to.torgb, torch.arange(len(block.torgb.weight)), outer)
        to.torgb.weight.mul_(
            math.sqrt(len(outer) / block.torgb.weight.shape[1])
        )  # its styles are divided by the root of its width
        kept = outer
    return student.eval()


def seconds(*generators: Generator) -> list[float]:
    """What a picture of each takes here on its fastest engine, in turn, so that the machine treats all alike."""
    return _in_turn([runtime.compile(G, remembers=False) for G in generators])


def _in_turn(fast: Sequence[Generator]) -> list[float]:
    took: list[list[float]] = [[] for _ in fast]
    until = time.perf_counter() + LONGEST
    while len(took[0]) < 3 or (len(took[0]) < ROUNDS and time.perf_counter() < until):
        for G, times in zip(fast, took, strict=True):
            times.append(timed(G, pictures=2))
    return [statistics.median(times) for times in took]


def fitting(G: Generator, times: float = 1.0, rate: float = 0.0) -> StyleGAN2:
    """The widest pruned `G` that this machine draws `times` as fast as `G`, and `rate` pictures a second.

    Raises KinesphereError where it is that fast itself, where no student is, and for what has no students.
    """
    G = _teacher(G)
    fast = runtime.compile(G, remembers=False)
    if rate and (own := _in_turn([fast])[0]) <= 1 / rate:
        raise KinesphereError(f"this model draws {1 / own:.0f} pictures a second already: ask for more than that")
    for share in SHARES:
        channels = narrower(G.config["channels"], share)
        student = StyleGAN2(**{**G.config, "channels": channels}).to(G.w_avg.device).eval()
        own, its = _in_turn([fast, runtime.compile(student, remembers=False)])
        if its <= min(own / times, 1 / rate if rate else math.inf):
            return prune(G, channels)
    asked = f"{rate:.0f} pictures a second" if rate else f"{times:g} times as fast"
    raise KinesphereError(f"no student of this model draws {asked} here: ask for less")


def _teacher(G: Generator) -> StyleGAN2:
    """`G`, where it can have students. Raises KinesphereError otherwise."""
    if not isinstance(G, StyleGAN2) or G.config["architecture"] != "skip":
        raise KinesphereError(f"only a StyleGAN2 that sums its pictures has students: this is {G.family}")
    return G


def _powers(G: StyleGAN2, samples: int) -> dict[str, Tensor]:
    """The mean square of every channel of every layer, over samples: name -> [C]."""
    sums: dict[str, Tensor] = {}

    def add(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, out: Tensor) -> None:
            sums[name] = sums.get(name, torch.zeros([])) + out.float().square().mean((2, 3)).sum(0)

        return hook

    hooks = [layer.register_forward_hook(add(name)) for name, layer in G.layers().items()]
    try:
        for ws in seen(G, samples, seed=0).split(8):
            G.synthesis(ws)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: total / samples for name, total in sums.items()}


def seen(G: Generator, n: int, seed: int) -> Tensor:
    """`ws` [n, num_ws, w_dim] of `n` seeds' latents, every class alike."""
    dice = torch.Generator().manual_seed(seed)
    z = torch.randn(n, G.z_dim, generator=dice).to(G.w_avg.device)
    c = torch.eye(G.c_dim, device=z.device)[torch.randint(G.c_dim, (n,), generator=dice)] if G.c_dim else None
    return G.mapping(z, c)


def _reach(weight: Tensor) -> Tensor:
    """How much of each input goes on, [O, I, k, k] -> [I]."""
    return weight.square().sum((0, 2, 3))


def _strongest(power: Tensor, count: int) -> Tensor:
    return power.topk(count).indices.sort().values


def _copy(layer: Any, to: Any, outputs: Tensor, inputs: Tensor) -> None:
    to.weight.copy_(layer.weight[outputs][:, inputs])
    to.bias.copy_(layer.bias[outputs])
    to.affine.weight.copy_(layer.affine.weight[inputs])
    to.affine.bias.copy_(layer.affine.bias[inputs])
    for name in ("noise_strength", "noise_const"):
        if hasattr(layer, name):
            getattr(to, name).copy_(getattr(layer, name))


class Course:
    """`student` learns to draw what `teacher` draws of the same ws: iterate, a step at a time, and take the `graduate`.

    Every second ws of a batch is mixed of two, so that each row learns to stand alone. The learning rate falls to nothing along a
    half cosine. It may be broken off at any step: the graduate is the average of the weights over the last steps.

    What it learns is `distance` to the teacher's pictures, and JUDGED times what `judge` sees between them beside, where there is
    one (`perceptual.judged`): without it a student is near its teacher and blurred.
    """

    def __init__(
        self,
        teacher: Generator,
        student: Generator,
        steps: int,
        judge: Distance | None = None,
        batch: int = 16,
        lr: float = 2e-2,
        seed: int = 0,
    ) -> None:
        if steps < 1:
            raise KinesphereError(f"steps {steps}: give at least 1")
        self.teacher, self.student = teacher, student.to(teacher.w_avg.device).train()
        self.steps, self.judge, self.batch, self.lr, self.seed = steps, judge, batch, lr, seed
        self.learning = [*self.student.synthesis.parameters()]
        for p in self.student.parameters():
            p.requires_grad_(False)
        for p in self.learning:
            p.requires_grad_(True)
        self.average = [p.detach().clone() for p in self.learning]

    def __iter__(self) -> Iterator[Lesson]:
        optimiser = torch.optim.Adam(self.learning, lr=self.lr, betas=(0.9, 0.99))
        recent = 0.0
        for step in range(self.steps):
            for group in optimiser.param_groups:
                group["lr"] = self.lr * (1 + math.cos(math.pi * step / self.steps)) / 2
            ws = _mixed(self.teacher, self.batch, self.seed * 1_000_003 + step)
            with torch.no_grad():
                goal = self.teacher.synthesis(ws)
            drawn = self.student.synthesis(ws)
            loss = distance(drawn, goal).mean()
            if self.judge is not None:
                loss = loss + JUDGED * self.judge(drawn, goal).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            decay = min(0.999, (1 + step) / (10 + step))
            for mean, p in zip(self.average, self.learning, strict=True):
                mean.lerp_(p.detach(), 1 - decay)
            recent += (loss.item() - recent) / min(step + 1, 100)
            yield Lesson(step + 1, recent)

    def graduate(self) -> Generator:
        """The student as it has learnt so far."""
        with torch.no_grad():
            for mean, p in zip(self.average, self.learning, strict=True):
                p.copy_(mean)
        return self.student.eval().requires_grad_(False)


@torch.no_grad()
def _mixed(G: Generator, n: int, seed: int) -> Tensor:
    ws, others = seen(G, 2 * n, seed).chunk(2)
    dice = torch.Generator().manual_seed(seed)
    cutoffs = torch.randint(1, G.num_ws, (n,), generator=dice).to(ws.device)
    cutoffs[::2] = G.num_ws
    return mix_styles(ws, others, cutoffs)


@torch.no_grad()
def apart(teacher: Generator, student: Generator, count: int = 256, seed: int = 2**31) -> float:
    """The root mean square difference of their pictures at the same ws, which neither has seen; in levels of 255."""
    total = 0.0
    for ws in seen(teacher, count, seed).split(16):
        pictures = [G.synthesis(ws).clamp(-1, 1) for G in (teacher, student)]
        total += float((pictures[0] - pictures[1]).square().mean((1, 2, 3)).sum())
    return math.sqrt(total / count) * 127.5


@torch.no_grad()
def drawn(G: Generator, count: int = 256, seed: int = 2**31) -> Tensor:
    """Pictures of ws that no student has seen, [count, C, H, W] uint8 on the host."""
    return torch.cat([to_pixels(G.synthesis(ws)).permute(0, 3, 1, 2).cpu() for ws in seen(G, count, seed).split(16)])


def checkpoint(student: Generator, teacher: Checkpoint) -> Checkpoint:
    """The student as a checkpoint, whose card says whose student it is."""
    taught = f"a student of {teacher.card.sha256[:12] or teacher.card.origin}: channels {student.config['channels']}"
    card = Card.of({"G_ema": student}, "a student made by kinesphere", notes=(*teacher.card.notes, taught))
    return Checkpoint(G_ema=student, card=card)
