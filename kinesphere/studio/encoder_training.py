"""How an encoder learns: from a model's own pictures, whose w are known, and from pictures that are to be found in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinesphere import files
from kinesphere.models import Generator
from kinesphere.studio.charts import Chart
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.projection import nearness, scale_of, unexplained
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

PLACE = 0.1  # weight of how far the guess is from the w that is known, on the chart
PRIOR = 1e-3  # of the squared radius, for pictures whose w is not known
WARM = 200  # steps in which the learning rate rises
GRADIENT = 1.0  # norm at which gradients are cut
CLEAN = 0.4  # of the pictures are shown as they are
ODDS = 0.4  # with which each damage is done to the others
PICTURES = 0.375  # of a batch that are pictures to be found, where there are any
KEEP_EVERY = 30.0  # seconds

Supply = Callable[[int, int], Tensor]
"""From a step and a number n to n pictures [n, C, H, W] in [-1, 1]; the same ones each time."""


@dataclass(frozen=True)
class Lesson:
    """How far an encoder has come; means of the last hundred steps."""

    steps: int
    left: float  # unexplained variance of the pictures that its guesses make, of the model's own
    found: float  # and of the pictures that are to be found; not a number where there are none


class Course:
    """`encoder` learns to guess the w of a model's pictures: iterate, a step at a time. It can be resumed from any step.

    What is made small is the distance between the picture that the guess makes and the one that was shown, through the model; and
    for the model's own pictures, PLACE times the squared distance on the chart. The encoder sees the pictures damaged (`damaged`),
    so that it does not hang on what a camera would not show.

    pictures   of the world that it is to look at, beside the model's own: an encoder that has seen none guesses them worse
    start      what it goes on from, instead of knowing nothing

    Raises KinesphereError for no steps, or where `start` is of another model.
    """

    def __init__(
        self,
        G: Generator,
        steps: int,
        pictures: Supply | None = None,
        batch: int = 32,
        lr: float = 1e-3,
        seed: int = 0,
        class_index: int = 0,
        start: Encoder | None = None,
    ) -> None:
        if steps < 1:
            raise KinesphereError(f"steps {steps}: give at least 1")
        self.G, self.steps, self.pictures, self.batch, self.lr, self.seed = G, steps, pictures, batch, lr, seed
        self.chart = Chart.of(G, class_index)
        encoder = Encoder.beginning(G, self.chart, class_index, seed)
        if start is not None:
            encoder.learn_on_from(start)
        self.encoder: Encoder = encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(self.encoder.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=1e-2)
        self.done = 0
        self.recent = {"left": math.nan, "found": math.nan}

    @property
    def words(self) -> str:
        """How well it guesses, for people."""
        left = f"{100 * self.recent['left']:.1f} % of the model's own pictures left unexplained"
        found = f", {100 * self.recent['found']:.1f} % of those to be found" if self.pictures else ""
        return f"{left}{found}, as they were shown in the last of {self.done} steps"

    def __iter__(self) -> Iterator[Lesson]:
        """On from where it is."""
        self.encoder.train()
        while self.done < self.steps:
            self._step()
            self.done += 1
            yield Lesson(self.done, self.recent["left"], self.recent["found"])

    def _step(self) -> None:
        dice = torch.Generator().manual_seed(self.seed * 1_000_003 + self.done)
        many = round(self.batch * PICTURES) if self.pictures else 0
        u, goals = self._own(self.batch - many, dice)
        if self.pictures and many:
            goals = torch.cat([goals, self.pictures(self.done, many).to(goals)])
        guess = self.encoder.coordinates(damaged(goals, dice).contiguous(memory_format=torch.channels_last))
        drawn = self.G.synthesis(self.chart.placed(guess)[:, None].expand(-1, self.G.num_ws, -1))
        with torch.no_grad():
            scale = scale_of(goals)
        loss = (nearness(drawn, goals) / scale).mean()
        loss = loss + PLACE * (guess[: len(u)] - u).square().mean() + PRIOR * guess.square().mean()
        self.optimiser.param_groups[0]["lr"] = self.lr * rate(self.done, self.steps)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), GRADIENT)
        self.optimiser.step()
        with torch.no_grad():
            left = unexplained(drawn, goals)
        self._tell("left", float(left[: len(u)].mean()))
        if many:
            self._tell("found", float(left[len(u) :].mean()))

    @torch.no_grad()
    def _own(self, n: int, dice: torch.Generator) -> tuple[Tensor, Tensor]:
        """Coordinates [n, w_dim] of the model's own latents, and their pictures."""
        ws = z_to_ws(self.G, torch.randn(n, self.G.z_dim, generator=dice), self.encoder.class_index)
        return self.chart.coordinates(ws[:, 0]), self.G.synthesis(ws).clamp(-1, 1)

    def _tell(self, name: str, value: float) -> None:
        before = self.recent[name]
        self.recent[name] = value if math.isnan(before) else before + (value - before) / min(self.done + 1, 100)

    def state(self) -> dict[str, Tensor]:
        """All that it needs to go on from here, as tensors by name; given to `resume`, to the same end, bit for bit."""
        state = {f"encoder.{name}": value.detach() for name, value in self.encoder.state_dict().items()}
        for i, each in self.optimiser.state_dict()["state"].items():
            state |= {f"adam.{i}.{name}": value.detach() for name, value in each.items()}
        state |= {f"recent.{name}": torch.tensor(value, dtype=torch.float64) for name, value in self.recent.items()}
        state |= {"done": torch.tensor(self.done), "settings": self._settings()}
        return {name: value.clone(memory_format=torch.contiguous_format) for name, value in state.items()}

    def _settings(self) -> Tensor:
        """What another course must have alike to go on."""
        model = [int(self.encoder.model.whole[i : i + 8], 16) for i in range(0, 32, 8)]
        numbers = [self.steps, self.batch, self.seed, self.encoder.class_index, self.pictures is not None, self.lr]
        return torch.tensor([*map(float, model), *map(float, numbers)], dtype=torch.float64)

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another one, of the same model, was. Raises KinesphereError where it was not."""
        if "settings" not in state or not torch.equal(state["settings"], self._settings()):
            raise KinesphereError("what was kept is of another model or other settings: begin anew")
        self.encoder.load_state_dict({name: state[f"encoder.{name}"] for name in self.encoder.state_dict()})
        kept = self.optimiser.state_dict()
        for name, value in state.items():
            if name.startswith("adam."):
                _, i, what = name.split(".", 2)
                kept["state"].setdefault(int(i), {})[what] = value.clone()
        self.optimiser.load_state_dict(kept)
        self.recent = {name: float(state[f"recent.{name}"]) for name in self.recent}
        self.done = int(state["done"])


def begun(out: Path) -> bool:
    """Whether a course was broken off whose encoder is at `out`, so that another can go on."""
    return _state(out).exists()


def _state(out: Path) -> Path:
    return out.with_name(f".{out.stem}.state")


def kept(course: Course, out: Path) -> Iterator[Lesson]:
    """The lessons of a course whose encoder is at `out` again and again, whatever ends it: each KEEP_EVERY seconds and at the end.

    What it needs to go on from there lies beside it, as `.NAME.state`, until it is done; a course with the same settings goes on.
    Raises KinesphereError where neither can be written, and for a state of other settings.
    """
    beside = _state(out)
    if beside.exists():
        try:
            course.resume(load_file(beside))
        except (OSError, SafetensorError) as error:
            raise KinesphereError(f"{beside} cannot be read ({files.reason(error)}): remove it to begin anew") from None
        except KinesphereError as error:
            raise KinesphereError(f"{beside}: {error}, by removing it, or choose another --out") from None

    def keep() -> None:
        course.encoder.save(out)
        try:
            files.replace(beside, lambda unfinished: save_file(course.state(), unfinished))
        except (OSError, SafetensorError) as error:
            raise KinesphereError(f"{str(beside)!r} cannot be written: {files.reason(error)}") from None

    before, begun_at = time.monotonic(), course.done
    try:
        for lesson in course:
            if time.monotonic() - before > KEEP_EVERY:
                keep()
                before = time.monotonic()
            yield lesson
    finally:
        if course.done > begun_at:
            keep()
        if course.done == course.steps:
            beside.unlink(missing_ok=True)


def rate(step: int, steps: int) -> float:
    """The learning rate, as a part of its highest: up over WARM steps, down to nothing along a half cosine."""
    return min(1.0, (step + 1) / WARM) * (1 + math.cos(math.pi * step / steps)) / 2


def damaged(img: Tensor, dice: torch.Generator) -> Tensor:
    """Pictures [N, C, H, W] in [-1, 1] as a camera might have shown them; CLEAN of them as they are.

    Each by its own odds: moved by up to 4 % of the side, brightness and contrast and colour changed a little, blurred by shrinking,
    covered by a plain rectangle of up to half a side, grainy.
    """
    n, channels, side, _ = img.shape

    def drawn(low: float, high: float, *shape: int) -> Tensor:
        return (low + (high - low) * torch.rand(n, *shape, generator=dice)).to(img)

    worn = drawn(0, 1) >= CLEAN

    def chosen() -> Tensor:
        return (worn & (drawn(0, 1) < ODDS))[:, None, None, None]

    shift = drawn(-0.08, 0.08, 2) * chosen()[:, 0, 0].to(img)
    places = torch.eye(2, 3).to(img).repeat(n, 1, 1)
    places[:, :, 2] = shift
    x = F.grid_sample(img, F.affine_grid(places, [*img.shape], False), padding_mode="border", align_corners=False)
    x = torch.where(chosen(), x * drawn(0.8, 1.2, 1, 1, 1) + drawn(-0.2, 0.2, 1, 1, 1), x)
    x = torch.where(chosen(), x * drawn(0.9, 1.1, channels, 1, 1) + drawn(-0.05, 0.05, channels, 1, 1), x)
    small = F.interpolate(F.avg_pool2d(x, 2), (side, side), mode="bilinear")
    x = torch.where(chosen(), torch.lerp(x, small, drawn(0.3, 1, 1, 1, 1)), x)
    across = torch.linspace(0, 1, side).to(img)
    middle, half = drawn(0, 1, 2, 1), drawn(0.05, 0.25, 2, 1)
    inside = (across - middle).abs() < half  # [N, 2, side]
    covered = inside[:, 0, :, None] & inside[:, 1, None, :]
    x = torch.where(chosen() & covered[:, None], drawn(-1, 1, channels, 1, 1), x)
    grain = torch.randn(img.shape, generator=dice).to(img) * drawn(0, 0.15, 1, 1, 1)
    return torch.where(chosen(), x + grain, x)
