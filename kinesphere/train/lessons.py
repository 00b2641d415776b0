"""How the judge learns: drawings as they should be, drawings with known damage, and both as softly as a network paints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere import files
from kinesphere.train import state
from kinesphere.train.datasets import TrainingSet
from kinesphere.train.judge import (
    CLASSES,
    GRID,
    LANDMARKS,
    NUMBERS,
    PARTS,
    SHOWS,
    SIZE,
    Judge,
    Look,
    is_whole,
    located,
    middle_and_spread,
)  # fmt: skip
from kinesphere.train.portraits import FACTORS, draw_factors

Progress = Callable[[int, int, float], None]

INTACT, DAMAGED = 0, 1000  # seeds of the two streams that are learnt from; the portraits' own training set is of seed 0
HELD_OUT = 1001  # of those that it is examined with
CHUNK = 500  # pictures in one file of the cache
STATE_EVERY = 60.0  # seconds

# What the judge is to be good at; every other factor weighs 1.
WEIGHT = {
    "turn": 4, "smile": 4, "tilt": 2, "mouth_open": 2, "skin_tone": 2, "skin_hue": 2, "hair_tone": 2, "hair_hue": 3,
    "hair_length": 2, "age": 2, "background_hue": 2, "lashes": 0.3, "brush": 0.3, "lip_tint": 0.5,
}  # fmt: skip
WOBBLY = 3  # rounds before pictures are as an unfinished network paints them
# From the second round on, when the large things are known, the small ones count more.
FINE = {
    "smile": 16,
    "mouth_open": 5,
    "hair_hue": 5,
    "hair_tone": 3,
    "hair_length": 3,
    "age": 3,
    "gaze_x": 2,
    "eye_open": 2,
}
# What cannot be learnt from a picture whose part is not its own any more.
OF_PART = {
    "eye": ("eye_size", "eye_open", "eye_hue", "gaze_x", "gaze_y", "lashes"),
    "mouth": ("smile", "mouth_open", "mouth_width", "lips", "lip_tint"),
}


@dataclass
class Lessons:
    """N drawings of 64 px and all that is known of them. `batch` takes some out."""

    pictures: Tensor  # uint8 [N, 3, 64, 64]
    numbers: Tensor  # [N, len(NUMBERS)], in spreads from the middle
    seen: Tensor  # [N, len(NUMBERS)]: what each number weighs, 0 where it cannot be seen
    classes: Tensor  # int64 [N, len(CLASSES)]
    places: Tensor  # [N, len(LANDMARKS), 2]: (x, y) in pixels of 64, where each should be
    there: Tensor  # [N, len(PARTS)]: 1 in place, 0 not

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, i: Tensor) -> Lessons:
        return Lessons(self.pictures[i], self.numbers[i], self.seen[i], self.classes[i], self.places[i], self.there[i])


def lessons(kind: str, seed: int, count: int, folder: Path | None = None, data: TrainingSet | None = None) -> Lessons:
    """`count` drawings of the stream `seed`, "intact" or "damaged".

    `folder` keeps what was painted, so that it need not be painted twice. `data`, a set of the very same stream in the very same
    order (`kinesphere portraits --seed`), saves painting them at all. Needs skia-python otherwise.
    """
    from kinesphere.train import damage, painting

    paint: Any = {"intact": damage.paint_intact, "damaged": damage.paint_damaged}[kind]
    if data is not None:
        paint = lambda seed, i, size: data.read(i)  # noqa: E731
    pictures = np.concatenate([_painted(paint, kind, seed, start, folder) for start in range(0, count, CHUNK)])[:count]
    factors = [draw_factors(seed, i) for i in range(count)]
    there = np.ones((count, len(PARTS)), np.float32)
    if kind == "damaged":
        there = np.stack([damage.draw_damage(seed, i).in_place() for i in range(count)]).astype(np.float32)
    spots = [painting.landmarks(f) for f in factors]
    places = np.array([[spot[name] for name in LANDMARKS] for spot in spots], np.float32) * (SIZE / 100)
    seen = np.array([[_weight(name, f) for name in NUMBERS] for f in factors], np.float32)
    hide(seen, there)
    return Lessons(
        torch.from_numpy(np.ascontiguousarray(pictures)),
        torch.tensor([[_counted(name, f[name]) for name in NUMBERS] for f in factors]),
        torch.from_numpy(seen),
        torch.tensor([[FACTORS[name].classes.index(str(f[name])) for name in CLASSES] for f in factors]),
        torch.from_numpy(places),
        torch.from_numpy(there),
    )


def _painted(paint: Any, kind: str, seed: int, start: int, folder: Path | None) -> np.ndarray:
    place = folder / f"{kind}-{seed}-{start:06d}.npy" if folder else None
    if place and place.exists():
        return np.load(place)
    pictures = np.stack([paint(seed, i, SIZE) for i in range(start, start + CHUNK)])
    if place:
        files.replace(place, lambda unfinished: _save(unfinished, pictures))
    return pictures


def _save(path: Path, pictures: np.ndarray) -> None:
    with path.open("wb") as file:  # given a name, NumPy would add .npy to it
        np.save(file, pictures)


def _counted(name: str, value: Any) -> float:
    middle, spread = middle_and_spread(name)
    return (value - middle) / spread


def _weight(name: str, factors: Any) -> float:
    by, classes = SHOWS.get(name, ("skin", FACTORS["skin"].classes))
    return WEIGHT.get(name, 1.0) if factors[by] in classes else 0.0


@lru_cache(maxsize=2)
def _columns(part: str) -> list[int]:
    return [NUMBERS.index(name) for name in OF_PART[part]]


def hide(seen: Any, own: Any) -> None:
    """In place: what cannot be learnt of the eyes and the mouth where they are not (all) the sitter's `own` [N, parts]."""
    seen[:, _columns("eye")] *= (own[:, 0] * own[:, 1])[:, None]
    seen[:, _columns("mouth")] *= own[:, 2:3]


# Damage that needs no painter -----------------------------------------------------------------------------------------


def spoilt(lesson: Lessons, rng: torch.Generator, wobbly: bool = False) -> tuple[Tensor, Lessons, Tensor]:
    """A batch as a network might paint it: softer, wavier, and some of it patched, smeared or seen double.

    `wobbly` is how an unfinished network paints: crooked, squashed, stained and hazy. A part that is all that is still in place.

    Returns float pictures [N, 3, 64, 64] in [-1, 1], the lessons with what is true of them now, and the weight of each part's
    label [N, parts], 0 where nobody could say.
    """
    n = len(lesson.pictures)
    x = lesson.pictures.float() / 127.5 - 1
    now = Lessons(
        lesson.pictures,
        lesson.numbers.clone(),
        lesson.seen.clone(),
        lesson.classes,
        lesson.places.clone(),
        lesson.there.clone(),
    )
    sure = torch.ones(n, len(PARTS))
    x = patched(x, now, rng, wobbly)
    x = doubled(x, now, sure, rng)
    x = softened(wobbled(x, rng) if wobbly else x, rng)
    return mirrored(x, now, sure, rng)


def uniform(rng: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    return low + (high - low) * torch.rand(*shape, generator=rng)


def patched(x: Tensor, now: Lessons, rng: torch.Generator, wobbly: bool = False) -> Tensor:
    """One soft-edged patch in half of the pictures; `now` is told.

    Over a part: something else of this or another picture, a smear, a scramble, or (no damage) the same part of another sitter.
    Elsewhere (no damage either): a piece of anything. Where all is `wobbly`, scrambles are milder, the same part is squashed or
    stretched besides, and neither is damage.
    """
    n = len(x)
    shares = [0.3, 0.12, 0.08, 0.08, 0.19, 0.19, 0.04] if wobbly else [0.5, 0.12, 0.08, 0.1, 0.1, 0.06, 0.04]
    kind = torch.multinomial(torch.tensor(shares), n, True, generator=rng)
    NONE, ELSE, OTHER, SMEAR, SCRAMBLE, SAME, AWAY = range(7)
    part = torch.randint(len(PARTS), (n,), generator=rng)
    mark = torch.tensor([LANDMARKS.index(name) for name in PARTS])[part]
    rows = torch.arange(n)
    mouth = part == 2
    centre = now.places[rows, mark] + uniform(rng, -0.7, 0.7, n, 2)
    free = _free_place(now.places, rng)
    centre = torch.where((kind == AWAY)[:, None], free, centre)
    radii = torch.stack([uniform(rng, 5.6, 8.0, n) + 1.5 * mouth, uniform(rng, 4.4, 6.5, n) + 0.7 * mouth], 1)
    # From where: (picture, place).
    other = torch.randperm(n, generator=rng)
    nose = LANDMARKS.index("nose")
    wrong = torch.where(mouth, LANDMARKS.index("left eye"), LANDMARKS.index("mouth"))
    wrong = torch.where(torch.rand(n, generator=rng) < 0.4, nose, wrong)
    source = torch.where((kind == OTHER) | (kind == SAME), other, rows)
    whence = centre.clone()
    whence = torch.where(((kind == ELSE) | (kind == AWAY))[:, None], _free_place(now.places, rng), whence)
    whence = torch.where((kind == OTHER)[:, None], now.places[other, wrong], whence)
    whence = torch.where((kind == SAME)[:, None], now.places[other, mark], whence)
    unfit = (kind == SAME) & (now.there[other, part] < 0.5)
    kind = torch.where(unfit, NONE, kind)
    at = torch.arange(SIZE) + 0.5
    i = (kind != NONE).nonzero()[:, 0]  # only where anything happens: this is half of the time
    from_x = x[source[i]]
    smear = (kind[i] == SMEAR).nonzero()[:, 0]
    from_x[smear] = F.avg_pool2d(
        F.avg_pool2d(from_x[smear], 7, 1, 3, count_include_pad=False), 7, 1, 3, count_include_pad=False
    )
    by = (whence - centre)[i][:, :, None, None].expand(-1, -1, SIZE, SIZE).clone()
    torn = (kind[i] == SCRAMBLE).nonzero()[:, 0]
    by[torn] += waved(len(torn), 16, rng) * uniform(rng, *((1.0, 2.5) if wobbly else (3.0, 5.5)), len(torn), 1, 1, 1)
    if wobbly:
        like = (kind[i] == SAME).nonzero()[:, 0]
        away = torch.stack([*torch.meshgrid(at, at, indexing="xy")]) - centre[i[like], :, None, None]
        by[like] += away * (1 / uniform(rng, 0.6, 1.3, len(like), 2, 1, 1) - 1)
    pieces = shifted(from_x, by)
    dx, dy = ((at - centre[i, axis, None]) / radii[i, axis, None] for axis in (0, 1))
    far = (dx.square()[:, None, :] + dy.square()[:, :, None]).sqrt()
    mask = ((1.15 - far) * 6).sigmoid()[:, None]
    # What is true now.
    own = torch.ones(n, len(PARTS))
    own[rows, part] = ((kind == NONE) | (kind == AWAY)).float()
    hide(now.seen, own)
    hurt = (kind != NONE) & (kind != AWAY) & (kind != SAME) & ~((kind == SCRAMBLE) & wobbly)
    now.there[rows, part] *= (~hurt).float()
    # A transplanted part mends what was missing, but not what lies beside it, so that its label stays as it was.
    return x.index_put((i,), torch.lerp(x[i], pieces, mask))


def _free_place(places: Tensor, rng: torch.Generator) -> Tensor:
    """[N, 2]: a place in each picture, in pixels, that is none of its landmarks."""
    tries = uniform(rng, 6, SIZE - 6, len(places), 8, 2)
    gap = (tries[:, :, None] - places[:, None]).norm(dim=3).amin(2)  # [N, tries]
    fine = (gap > 12).float() + 1e-3 * gap / SIZE
    return tries[torch.arange(len(places)), fine.argmax(1)]


def waved(n: int, cells: int, rng: torch.Generator) -> Tensor:
    """Smooth random ways [n, 2, 64, 64], of deviation about 1."""
    way = torch.randn(n, 2, cells, cells, generator=rng)
    return (
        F.interpolate(way, (SIZE, SIZE), mode="bilinear", align_corners=False) if n else way.new_zeros(0, 2, SIZE, SIZE)
    )


def shifted(x: Tensor, by: Tensor) -> Tensor:
    """Pictures read `by` pixels (x, y) further, [N, 2, H, W]; beyond the edge the edge goes on."""
    at = (torch.arange(SIZE) + 0.5).expand(SIZE, SIZE)
    grid = torch.stack([at[None] + by[:, 0], at.T[None] + by[:, 1]], 3).expand(len(x), SIZE, SIZE, 2)
    return F.grid_sample(x, grid * (2 / SIZE) - 1, padding_mode="border", align_corners=False)


def doubled(x: Tensor, now: Lessons, sure: Tensor, rng: torch.Generator, share: float = 0.08) -> Tensor:
    """Some pictures have another laid over them: parts that lie apart are seen twice, in place no more; `now` is told."""
    n = len(x)
    other = torch.randperm(n, generator=rng)
    a = uniform(rng, 0.35, 0.6, n) * (torch.rand(n, generator=rng) < share) * (other != torch.arange(n))
    marks = [LANDMARKS.index(name) for name in PARTS]
    apart = (now.places[:, marks] - now.places[other][:, marks]).norm(dim=2)
    over = (a > 0)[:, None]
    sure *= 1 - (over & (apart > 1.5) & (apart < 4)).float()
    alike = (apart < 4).float() * now.there[other]
    now.there *= torch.where(over, alike, 1.0)
    now.seen *= 1 - over.float()
    i = (a > 0).nonzero()[:, 0]
    return x.index_put((i,), torch.lerp(x[i], x[other[i]], a[i, None, None, None]))


def wobbled(x: Tensor, rng: torch.Generator) -> Tensor:
    """Crooked by up to two pixels, stained, and with a haze of another picture: each in half of the pictures."""
    n, half = len(x), len(x) // 2
    i = torch.randperm(n, generator=rng)[:half]
    x = x.index_put((i,), shifted(x[i], waved(half, 16, rng) * uniform(rng, 0, 1.7, half, 1, 1, 1)))
    i = torch.randperm(n, generator=rng)[:half]
    stains = F.interpolate(
        torch.randn(half, 3, 10, 10, generator=rng), (SIZE, SIZE), mode="bilinear", align_corners=False
    )
    x[i] += stains * uniform(rng, 0, 0.2, half, 1, 1, 1)
    i = torch.randperm(n, generator=rng)[:half]
    x[i] = torch.lerp(x[i], x[i.roll(1)], uniform(rng, 0, 0.22, half, 1, 1, 1))
    return x.clamp(-1, 1)


def softened(x: Tensor, rng: torch.Generator) -> Tensor:
    """Wavy by up to a pixel, blurred, once made smaller, noisy, a little off in colour: each in some of the pictures."""
    n, half = len(x), len(x) // 2  # the halves of a batch are as random as their pictures
    i = torch.randperm(n, generator=rng)[:half]
    x = x.index_put((i,), shifted(x[i], waved(half, 8, rng) * uniform(rng, 0, 0.9, half, 1, 1, 1)))
    i = torch.randperm(n, generator=rng)[:half]
    soft = F.avg_pool2d(F.pad(x[i], (1, 1, 1, 1), mode="replicate"), 3, 1)
    x[i] = torch.lerp(x[i], soft, uniform(rng, 0, 1, half, 1, 1, 1))
    i = torch.randperm(n, generator=rng)[: n // 4]
    small = 32 if torch.rand((), generator=rng) < 0.5 else int(torch.randint(28, 56, (), generator=rng))
    x[i] = F.interpolate(
        F.interpolate(x[i], (small, small), mode="area"), (SIZE, SIZE), mode="bilinear", align_corners=False
    )
    i = torch.randperm(n, generator=rng)[: n // 3]
    x[i] += torch.randn(x[i].shape, generator=rng) * uniform(rng, 0, 0.05, len(i), 1, 1, 1)
    gain, lift = 1 + 0.04 * torch.randn(n, 3, 1, 1, generator=rng), 0.025 * torch.randn(n, 3, 1, 1, generator=rng)
    return (x * gain + lift).clamp(-1, 1)


def mirrored(x: Tensor, now: Lessons, sure: Tensor, rng: torch.Generator) -> tuple[Tensor, Lessons, Tensor]:
    """Every other picture in a mirror."""
    flip = torch.rand(len(x), generator=rng) < 0.5
    sign = torch.tensor([-1.0 if FACTORS[name].mirror == "negate" else 1.0 for name in NUMBERS])
    swap = [1, 0, 2]
    marks = [1, 0, 2, 3]
    places = now.places[:, marks] * torch.tensor([-1.0, 1.0]) + torch.tensor([float(SIZE), 0.0])
    f1, f3 = flip[:, None], flip[:, None, None]
    then = Lessons(
        now.pictures, torch.where(f1, now.numbers * sign, now.numbers), now.seen, now.classes,
        torch.where(f3, places, now.places), torch.where(f1, now.there[:, swap], now.there),
    )  # fmt: skip
    return torch.where(f3[..., None], x.flip(3), x), then, torch.where(f1, sure[:, swap], sure)


# Learning -------------------------------------------------------------------------------------------------------------


def loss_of(look: Look, lesson: Lessons, sure: Tensor) -> dict[str, Tensor]:
    """What is to become small: squared errors of the numbers, cross-entropies of classes, maps and parts."""
    off = (look.numbers - lesson.numbers).square() * lesson.seen
    shown = (lesson.seen.sum(1) > 0).float()
    classes = [F.cross_entropy(look.classes[c], lesson.classes[:, i], reduction="none") for i, c in enumerate(CLASSES)]
    parts = F.binary_cross_entropy_with_logits(look.there, lesson.there, reduction="none") * sure
    maps = -(target_maps(lesson.places) * look.maps.flatten(2).log_softmax(2)).sum(2).mean(1)
    return {
        "numbers": off.sum() / lesson.seen.sum().clamp_min(1),
        "classes": (torch.stack(classes, 1).mean(1) * shown).sum() / shown.sum().clamp_min(1),
        "maps": 0.15 * (maps * shown).sum() / shown.sum().clamp_min(1),
        "parts": 1.5 * parts.sum() / sure.sum().clamp_min(1),
    }


def target_maps(places: Tensor) -> Tensor:
    """Pixels [N, K, 2] as weights of the four cells around, [N, K, cells]: their mean place is just the landmark."""
    x, y = (places * (GRID / SIZE) - 0.5).clamp(0, GRID - 1.001).unbind(2)
    at = torch.arange(GRID)
    across = (1 - (at - x[..., None]).abs()).clamp_min(0)
    down = (1 - (at - y[..., None]).abs()).clamp_min(0)
    return (down[..., :, None] * across[..., None, :]).flatten(2)


def train_judge(
    intact: Lessons,
    damaged: Lessons,
    rounds: Sequence[int] = (800, 700, 1000, 500),
    batch: int = 64,
    seed: int = 0,
    lr: float = 3e-3,
    folder: Path | None = None,
    on_step: Progress = lambda step, steps, loss: None,
) -> Judge:
    """A judge that has seen as many batches as `rounds` say, a third of each painted damaged; the same arguments give the same one.

    In each round the learning rate falls from its height to 0 along a cosine (Loshchilov and Hutter 2017). `folder` keeps the state
    every minute: called again with it, training goes on from there, into further rounds too. The first round is for large things,
    from the second on the small ones count more, and from the fourth on the pictures are wobbly.
    """
    torch.manual_seed(seed)
    judge = Judge()
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(judge.parameters(), lr=lr, weight_decay=0.02, betas=(0.9, 0.99))
    place = folder / state.STATE if folder else None
    first = _restored(place, judge, optimiser) if place and place.exists() else 0
    saved = time.monotonic()
    third, steps = batch // 3, sum(rounds)
    fine = torch.tensor([FINE.get(name, WEIGHT.get(name, 1.0)) / WEIGHT.get(name, 1.0) for name in NUMBERS])
    for step in range(first, steps):
        rng = torch.Generator().manual_seed((seed << 32) + step)
        chosen = [
            some.batch(torch.randint(len(some), (n,), generator=rng))
            for some, n in ((intact, batch - third), (damaged, third))
        ]
        x, lesson, sure = spoilt(_joined(chosen), rng, step >= sum(rounds[:WOBBLY]))
        if step >= rounds[0]:
            lesson.seen *= fine
        for group in optimiser.param_groups:
            group["lr"] = lr * rate(step, rounds)
        judge.train()
        with torch.autocast("cpu", torch.bfloat16):
            look = judge(x.to(memory_format=torch.channels_last))
        loss = sum(loss_of(look, lesson, sure).values(), torch.zeros(()))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 5.0)
        optimiser.step()
        on_step(step + 1, steps, float(loss.detach()))
        if place and (time.monotonic() - saved > STATE_EVERY or step + 1 == steps):
            _keep(place, judge, optimiser, step + 1)
            saved = time.monotonic()
    settle(judge, intact)
    return judge.eval().requires_grad_(False)


def rate(step: int, rounds: Sequence[int]) -> float:
    """The learning rate's share of its height, 0 to 1: after a short rise, half a cosine for each round."""
    for number, length in enumerate(rounds):
        if step < length:
            return min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * step / length)) * 0.7**number
        step -= length
    return 0.0


def _joined(some: Sequence[Lessons]) -> Lessons:
    return Lessons(*(torch.cat([getattr(s, name) for s in some]) for name in Lessons.__dataclass_fields__))


def settle(judge: Judge, intact: Lessons, count: int = 1000) -> None:
    """The features' mean and total spread over drawings, so that a kernel sees numbers about 1."""
    seen = judge.look(intact.pictures[:count]).features
    judge.centre.copy_(seen.mean(0))
    judge.scale.copy_((seen - judge.centre).square().mean().sqrt())


def _keep(place: Path, judge: Judge, optimiser: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"judge.{k}": v.contiguous() for k, v in judge.state_dict().items()}
    for i, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{i}.{k}": v.contiguous() for k, v in moments.items()}
    state.write_state(place, tensors, {"step": step})


def _restored(place: Path, judge: Judge, optimiser: torch.optim.Optimizer) -> int:
    tensors, numbers = state.read_state(place)
    judge.load_state_dict({k.removeprefix("judge."): v for k, v in tensors.items() if k.startswith("judge.")})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, i, key = name.split(".", 2)
            moments.setdefault(int(i), {})[key] = value
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return int(numbers["step"])


# The examination ------------------------------------------------------------------------------------------------------


def examine(judge: Judge, intact: Lessons, damaged: Lessons) -> dict[str, Any]:
    """How good a judge is on drawings that it never saw.

    R2 of each number where it shows, and balanced accuracy of each class, on intact drawings; the mean error of each landmark, in
    hundredths of the picture; for each part how often its presence is told rightly, when in place and when not; and how many
    intact faces are called whole, and how many damaged ones are not.
    """
    look, hurt = judge.look(intact.pictures), judge.look(damaged.pictures)
    r2 = {}
    for i, name in enumerate(NUMBERS):
        shown = intact.seen[:, i] > 0
        true, said = intact.numbers[shown, i], look.numbers[shown, i]
        r2[name] = round(float(1 - (true - said).square().mean() / true.var(correction=0)), 3)
    accuracy = {}
    for i, name in enumerate(CLASSES):
        true, said = intact.classes[:, i], look.classes[name].argmax(1)
        right = [
            float((said[true == k] == k).float().mean()) for k in range(len(FACTORS[name].classes)) if (true == k).any()
        ]
        accuracy[name] = round(float(np.mean(right)), 3)
    at = located(look)
    places = intact.places.numpy() * (100 / SIZE)
    error = {name: round(float(np.hypot(*(at[name] - places[:, i]).T).mean()), 2) for i, name in enumerate(LANDMARKS)}
    both_said = torch.cat([look.there, hurt.there]) > 0
    both_true = torch.cat([intact.there, damaged.there]) > 0.5
    presence = {
        name: {
            "in place": round(float(both_said[both_true[:, i], i].float().mean()), 4),
            "not": round(float((~both_said[~both_true[:, i], i]).float().mean()), 4),
        }
        for i, name in enumerate(PARTS)
    }
    return {
        "pictures": {"intact": len(intact), "damaged": len(damaged)},
        "r2": r2, "balanced_accuracy": accuracy, "landmark_error": error, "presence": presence,
        "whole": {
            "intact called whole": round(float(is_whole(look).mean()), 4),
            "damaged called damaged": round(float(1 - is_whole(hurt).mean()), 4),
        },
    }  # fmt: skip
