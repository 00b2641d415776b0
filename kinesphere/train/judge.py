"""The judge of drawn portraits: looks at any picture and says how it would have been drawn, and whether its face is whole.

It learns from drawings whose factors and whose damage are known (`lessons`), and then measures pictures that nobody drew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kinesphere import files
from kinesphere.train.portraits import FACTORS, known
from kinesphere.types import KinesphereError

SIZE = 64  # pixels, of what it looks at
GRID = 16  # cells, of its maps
PARTS = ("left eye", "right eye", "mouth")  # what a whole face has; left and right of the picture
LANDMARKS = ("left eye", "right eye", "nose", "mouth")
NUMBERS = tuple(f.name for f in FACTORS.values() if f.kind == "number" and f.name not in ("weave", "grain"))
CLASSES = tuple(f.name for f in FACTORS.values() if f.kind == "class")
BATCH = 64  # pictures looked at together
VERSION = "1"

# Where a factor cannot be seen: {factor: (class factor, classes with which it shows)}.
SHOWS = {
    "skin_hue": ("skin", ("fantastic",)),
    "hair_hue": ("hair", ("fantastic",)),
    "hair_wave": ("hair_style", ("loose", "curly")),
    "parting": ("headwear", ("none", "headband")),
    "fringe": ("headwear", ("none", "headband")),
    "jaw": ("beard", ("none",)),
    "chin": ("beard", ("none",)),
}


def middle_and_spread(name: str) -> tuple[float, float]:
    """A number's mean and standard deviation over all portraits: what the judge counts in."""
    f = FACTORS[name]
    return (f.low + f.high) / 2, f.std if f.std is not None else (f.high - f.low) / 12**0.5


@dataclass(frozen=True)
class Look:
    """What the judge sees in N pictures, as it left the network."""

    numbers: Tensor  # [N, len(NUMBERS)], in spreads from the middle
    classes: dict[str, Tensor]  # logits [N, classes], by factor
    maps: Tensor  # logits [N, len(LANDMARKS), GRID, GRID]
    there: Tensor  # logits [N, len(PARTS)]
    features: Tensor  # [N, Judge.width]


class Judge(nn.Module):
    """A small convolutional network with three tasks: the factors, where the landmarks are, and whether each part is there.

    It finds the landmarks on a grid of 16 x 16 cells and then looks at just these places, where smile and gaze are told.
    """

    centre: Tensor  # [width], the mean of the features of drawings
    scale: Tensor  # [], and how far they are from it

    def __init__(self, width: int = 96) -> None:
        super().__init__()
        self.config = {"width": width}
        self.width = width
        self.about: dict[str, Any] = {}  # how it was made, as its file's header says
        self.to16 = nn.Sequential(_layer(12, 16), _layer(16, 48, 2), _layer(48, 48))
        self.to8 = nn.Sequential(_layer(48, 96, 2), _layer(96, 96))
        self.to4 = nn.Sequential(_layer(96, 128, 2), _layer(128, 128))
        self.down8 = nn.Conv2d(128, 96, 1)
        self.down16 = nn.Conv2d(96, 64, 1)
        self.across16 = nn.Conv2d(48, 64, 1)
        self.seen16 = _layer(64, 64)
        self.seen8 = nn.Conv2d(96, 12, 1)
        self.map = nn.Conv2d(64, len(LANDMARKS), 1)
        self.gathered = nn.Linear(12 * 64 + 128 + 64 * len(LANDMARKS), 2 * width)
        self.known = nn.Linear(2 * width, width)
        self.told = nn.Linear(width, len(NUMBERS) + sum(len(FACTORS[c].classes) for c in CLASSES))
        self.part = nn.ModuleList(nn.Sequential(nn.Linear(64 + width, 32), nn.SiLU(), nn.Linear(32, 1)) for _ in PARTS)
        # Set at the end of training, so that features of drawings have mean 0 and, all together, variance 1.
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x: Tensor) -> Look:
        """Pictures [N, 3, 64, 64] in [-1, 1]; `prepared` makes them."""
        at16 = self.to16(F.pixel_unshuffle(x, 2))
        at8 = self.to8(at16)
        at4 = self.to4(at8)
        at8 = at8 + F.interpolate(self.down8(at4), scale_factor=2)
        at16 = self.seen16(self.across16(at16) + F.interpolate(self.down16(at8), scale_factor=2))
        maps = self.map(at16)
        places = maps.flatten(2).float().softmax(2).to(at16.dtype)  # [N, landmarks, cells]
        there = places @ at16.flatten(2).transpose(1, 2)  # what lies at each landmark, [N, landmarks, 64]
        whole = torch.cat([self.seen8(at8).flatten(1), at4.mean((2, 3)), there.flatten(1)], 1)
        features = self.known(F.silu(self.gathered(whole)))
        numbers, *classes = (
            self.told(features).float().split([len(NUMBERS), *(len(FACTORS[c].classes) for c in CLASSES)], 1)
        )
        parts = [
            part(torch.cat([there[:, LANDMARKS.index(name)], features], 1))
            for name, part in zip(PARTS, self.part, strict=True)
        ]
        return Look(
            numbers,
            dict(zip(CLASSES, classes, strict=True)),
            maps.float(),
            torch.cat(parts, 1).float(),
            features.float(),
        )

    # -- what one asks it

    @torch.no_grad()
    def look(self, pictures: Tensor | np.ndarray) -> Look:
        """At pictures uint8 [N, 3, H, W] of any size, some at a time."""
        self.eval()
        pictures = torch.as_tensor(pictures)
        looks = (
            [self(prepared(some)) for some in pictures.split(BATCH)]
            if len(pictures)
            else [self(torch.zeros(0, 3, SIZE, SIZE))]
        )
        return Look(
            torch.cat([k.numbers for k in looks]),
            {c: torch.cat([k.classes[c] for k in looks]) for c in CLASSES},
            torch.cat([k.maps for k in looks]),
            torch.cat([k.there for k in looks]),
            torch.cat([k.features for k in looks]),
        )

    def factors(self, pictures: Tensor | np.ndarray) -> dict[str, np.ndarray]:
        """How these pictures uint8 [N, 3, H, W] would have been drawn: {name: ...} in the order of FACTORS.

        A number in its own units, float32 [N], not cut off at its range; of a class the probabilities [N, classes].
        `weave` and `grain`, which nobody could see, are left out; `shows` says where another cannot be seen.
        """
        return told(self.look(pictures))

    def landmarks(self, pictures: Tensor | np.ndarray) -> dict[str, np.ndarray]:
        """Where LANDMARKS are, or where they should be: {name: (x, y) [N, 2]} in hundredths of the picture from the top left."""
        return located(self.look(pictures))

    def presence(self, pictures: Tensor | np.ndarray) -> dict[str, np.ndarray]:
        """For each of PARTS the probability [N] that it is in its place, and there once."""
        there = self.look(pictures).there.sigmoid().numpy()
        return {name: there[:, i] for i, name in enumerate(PARTS)}

    def whole(self, pictures: Tensor | np.ndarray) -> np.ndarray:
        """bool [N]: two eyes and a mouth in place."""
        return is_whole(self.look(pictures))


class JudgeFeatures:
    """What the judge knows of a picture, for fid, kid, pr and dc (`metrics.Features`)."""

    name = "judge"

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def __call__(self, pictures: Tensor) -> np.ndarray:
        """uint8 RGB [N, 3, H, W] -> float32 [N, judge.width]."""
        seen = self.judge.look(pictures).features
        return ((seen - self.judge.centre) / self.judge.scale).numpy()


def _layer(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.SiLU())


def prepared(pictures: Tensor) -> Tensor:
    """uint8 [N, 3, H, W] -> float [N, 3, 64, 64] in [-1, 1]: larger ones are averaged, smaller ones made larger."""
    x = pictures.float() / 127.5 - 1
    if max(x.shape[2:]) > SIZE:
        return F.interpolate(x, (SIZE, SIZE), mode="area")
    return x if x.shape[2:] == (SIZE, SIZE) else F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False)


# What a look says -----------------------------------------------------------------------------------------------------


def told(look: Look) -> dict[str, np.ndarray]:
    """The factors of a look: see `Judge.factors`."""
    found = {c: logits.softmax(1).numpy() for c, logits in look.classes.items()}
    for i, name in enumerate(NUMBERS):
        middle, spread = middle_and_spread(name)
        found[name] = (middle + spread * look.numbers[:, i]).numpy()
    return {name: found[name] for name in FACTORS if name in found}


def located(look: Look) -> dict[str, np.ndarray]:
    """The landmarks of a look: see `Judge.landmarks`. The mean place under each map."""
    p = look.maps.flatten(2).softmax(2).reshape(look.maps.shape)
    at = (torch.arange(GRID) + 0.5) * (100 / GRID)
    xy = torch.stack([p.sum(2) @ at, p.sum(3) @ at], 2).numpy()
    return {name: xy[:, i] for i, name in enumerate(LANDMARKS)}


def is_whole(look: Look) -> np.ndarray:
    """bool [N]: each part is there more likely than not, and the landmarks lie as on a face.

    With u from eye to eye and d the distance of mouth and eyes: the eyes are 12 to 40 hundredths apart, less than 40 degrees
    off the level, and the mouth lies 10 to 45 hundredths below their middle, less than 40 degrees off the plumb line.
    """
    at = located(look)
    u = at["right eye"] - at["left eye"]
    d = at["mouth"] - (at["right eye"] + at["left eye"]) / 2
    level = np.abs(np.degrees(np.arctan2(u[:, 1], u[:, 0]))) < 40
    plumb = np.abs(np.degrees(np.arctan2(d[:, 0], d[:, 1]))) < 40
    apart, below = np.hypot(*u.T), np.hypot(*d.T)
    in_order = level & plumb & (apart > 12) & (apart < 40) & (below > 10) & (below < 45)
    return (look.there > 0).all(1).numpy() & in_order


def shows(name: str, factors: Mapping[str, np.ndarray]) -> np.ndarray:
    """bool [N]: where the factor can be seen; a skin's fantastic hue, for one, on fantastic skin only. From `Judge.factors`."""
    known(name)
    if name not in SHOWS:
        return np.ones(len(next(iter(factors.values()))), bool)
    by, classes = SHOWS[name]
    order = FACTORS[by].classes
    return np.isin(factors[by].argmax(1), [order.index(c) for c in classes])


# Its file -------------------------------------------------------------------------------------------------------------


def save_judge(judge: Judge, path: str | Path) -> None:
    """Write a .safetensors file: weights in half precision, and `judge.about` as JSON in its header.

    Raises KinesphereError where it cannot be written.
    """
    path = Path(path).expanduser()
    header = {"kinesphere-judge": VERSION, "config": json.dumps(judge.config), "about": json.dumps(judge.about)}
    tensors = {
        name: value.detach()
        .to(torch.float16 if name.endswith("weight") and value.ndim > 1 else value.dtype)
        .contiguous()
        for name, value in judge.state_dict().items()
    }
    try:
        files.replace(path, lambda unfinished: save_file(tensors, unfinished, header))
    except (OSError, SafetensorError) as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None


def read_judge(path: str | Path) -> Judge:
    """The judge in a file. Raises KinesphereError for what is none."""
    path = Path(path).expanduser()
    if not path.is_file():
        raise KinesphereError(
            f"there is no file {str(path)!r}: make a judge with python -m kinesphere.builtin.make_judge"
        )
    try:
        with safe_open(path, framework="pt") as file:
            said = file.metadata() or {}
            if said.get("kinesphere-judge") != VERSION:
                raise KinesphereError(f"{path.name!r} holds no judge of portraits: its header says nothing of one")
            judge = Judge(**json.loads(said["config"]))
            judge.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()}, strict=False)
            judge.about = json.loads(said["about"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise KinesphereError(f"{path.name!r} is no judge of portraits, or damaged ({str(error)[:120]})") from None
    return judge.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def load_judge() -> Judge:
    """The judge that ships with kinesphere (made by kinesphere/builtin/make_judge.py)."""
    return read_judge(Path(str(resources.files("kinesphere.builtin") / "judge.safetensors")))
