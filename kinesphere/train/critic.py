"""A second discriminator that looks through the eyes of a network that has learnt to see elsewhere.

D starts knowing nothing and attends to what tells real from drawn soonest; what it overlooks, G never learns to vary. Frozen
eyes see it from the first step (Sauer et al. 2021, "Projected GANs Converge Faster"; Kumari et al. 2022, "Ensembling
Off-the-shelf Models for GAN Training").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinesphere.features.networks import NETWORKS
from kinesphere.models.discriminator import minibatch_stddev
from kinesphere.models.mapping import Dense
from kinesphere.ops import SQRT2
from kinesphere.train.judge import Judge, prepared, read_judge
from kinesphere.train.metrics.looking import NetworkFeatures, rgb01
from kinesphere.types import KinesphereError

Eyes = Callable[[Tensor], list[Tensor]]
"""Pictures [N, C, H, W] in [-1, 1] -> maps [N, C, h, w], a list of them, always of the same shapes."""

JUDGE = "judge"
NOT_EYES = ("discriminator",)  # of the model itself: it is D
GRID = 4  # a map is seen in so many rows and columns at most
WIDTH = 256  # of a head
GROUP = 4  # pictures whose features are compared
LEAST_SPREAD = 1e-4  # of a feature of 1: one that never changes stays as small as it is


def check_eyes(text: str) -> None:
    """Raise KinesphereError unless `text` is NAME or NAME:WEIGHTS of a network that could be eyes; weights are not opened."""
    name, _, weights = text.partition(":")
    known = (JUDGE, *(n for n in NETWORKS if n not in NOT_EYES))
    if name not in known:
        raise KinesphereError(f"no eyes {name!r} for a critic: choose {', '.join(known)}, as NAME or NAME:WEIGHTS")
    if name == JUDGE and not weights:
        raise KinesphereError(
            "a critic with the eyes of a judge needs one of its own, as judge:FILE: one that learns from the judge that measures "
            "it proves nothing; make another with python -m kinesphere.builtin.make_judge FILE --seed 1"
        )


def open_eyes(text: str, device: torch.device | str = "cpu") -> Eyes:
    """The frozen network that "NAME" or "NAME:WEIGHTS" says, for pictures on this device.

    Raises KinesphereError for an unknown name, and where weights are missing, wrong or not wanted.
    """
    check_eyes(text)
    name, _, weights = text.partition(":")
    if name == JUDGE:
        return JudgeEyes(read_judge(weights).to(device))
    network = NETWORKS[name](weights or None, None)
    return NetworkFeatures(name, network, network.default, network.default).maps


class JudgeEyes:
    """What a judge of portraits knows of a picture."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __call__(self, img: Tensor) -> list[Tensor]:
        """[N, judge.width, 1, 1]."""
        return [self.judge(prepared(rgb01(img) * 255)).features[:, :, None, None]]


class Critic(nn.Module):
    """Heads on what frozen eyes see: for each map of each network one, which says how real it looks.

    `img` [N, C, H, W] in [-1, 1], of the training set: its features' means and deviations are what all features are counted in.
    `names`: attributes that it learns to read, too, by a straight line through all that its eyes see.
    """

    def __init__(self, eyes: Sequence[Eyes], img: Tensor, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.eyes = tuple(eyes)  # no modules of this one: frozen, and not kept with the run
        with torch.no_grad():
            seen = self.maps(img)
        self.heads = nn.ModuleList(Head(x[0].numel()) for x in seen)
        self.reader = Dense(sum(x[0].numel() for x in seen), len(names)) if names else None
        for i, x in enumerate(seen):
            mean, spread = x.mean((0, 2, 3), keepdim=True), x.transpose(0, 1).flatten(1).std(1)[None, :, None, None]
            self.register_buffer(f"mean{i}", mean)
            self.register_buffer(f"spread{i}", spread.clamp_min(LEAST_SPREAD))

    def look(self, img: Tensor) -> list[Tensor]:
        """What the eyes see of pictures [N, C, H, W] in [-1, 1], at mean 0 and deviation 1 over the training set: [N, D] each."""
        return [
            ((x - self.get_buffer(f"mean{i}")) / self.get_buffer(f"spread{i}")).flatten(1)
            for i, x in enumerate(self.maps(img))
        ]

    def maps(self, img: Tensor) -> list[Tensor]:
        """All maps of all eyes [N, C, h, w], averaged to at most GRID rows and columns."""
        return [_gridded(x) for eyes in self.eyes for x in eyes(img)]

    def forward(self, seen: Sequence[Tensor]) -> Tensor:
        """How real it looks: logits [N, maps], from what `look` saw."""
        return torch.cat([head(x) for head, x in zip(self.heads, seen, strict=True)], 1)

    def read(self, seen: Sequence[Tensor]) -> Tensor:
        """The attributes [N, names], at mean 0 and deviation 1, from what `look` saw."""
        assert self.reader
        return self.reader(torch.cat(list(seen), 1))


class Head(nn.Module):
    """Features [N, D] to a logit [N, 1], that also sees how much the pictures of a batch differ (Karras et al. 2018, section 3)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first = Dense(inputs, WIDTH, slope=0.2, gain=SQRT2)
        self.second = Dense(WIDTH + 1, WIDTH, slope=0.2, gain=SQRT2)
        self.last = Dense(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = minibatch_stddev(x[:, :, None, None], GROUP, 1).flatten(1)
        return self.last(self.second(x))


def feature_penalty(logits: Tensor, seen: Sequence[Tensor]) -> Tensor:
    """R1 in the space of the features: the squared norm of a head's gradient at real ones, the mean over all, a scalar."""
    gradients: Any = torch.autograd.grad(logits.sum(), list(seen), create_graph=True)
    return torch.stack([g.square().sum(1).mean() for g in gradients]).mean()


def _gridded(x: Tensor) -> Tensor:
    h, w = x.shape[2:]
    return x if max(h, w) <= GRID else F.adaptive_avg_pool2d(x, (min(h, GRID), min(w, GRID)))


__all__ = ["Critic", "Eyes", "check_eyes", "feature_penalty", "open_eyes"]
