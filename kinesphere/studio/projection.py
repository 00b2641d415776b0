"""From a picture to the latent that makes it, by optimisation: in W, then a row for each layer, then noise, then the weights.

Each stage begins where the last one ended and may be left out. In W the steps are taken in coordinates in which the model's own
latents are a round cloud and each coordinate moves something else of the picture (`charts`), so that their length says how far off
the map one is. The schedule that NVIDIA published (Karras et al. 2020, appendix D) can be chosen instead, as a baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.studio import stages
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import Fingerprint, Latent, draw, instead
from kinesphere.studio.perceptual import SIDE, Distance, crops, distance, filled
from kinesphere.types import KinesphereError

SEARCH = 50  # steps that go to several beginnings at once, at most a quarter of all
LEAST = 1e-3  # of a distance that others are divided by: a plain picture has none
SQUARE = 4.0  # how much the mean square counts in `nearness`
OFF_MAP = 2.0  # times the radius up to which a latent is on the map: from there on nothing is left of it
ENOUGH = 100  # steps in W after which one can tell
STRANGE = 0.38  # of the variance, left unexplained in W: hardly any picture of a model's own kind leaves so much


@dataclass(frozen=True)
class Plan:
    """What is done to find a latent."""

    steps: int = 300  # in W, with the search
    rows: int = 0  # steps in W+: each row by itself
    faithful: float = (
        0.5  # of the rows: 0 keeps them together (W: editable), 1 lets them go wherever the picture is nearest
    )
    noise: int = 0  # steps on the noise maps alone
    tune: int = 0  # steps on the weights alone
    crops: int = 0  # squares, anew in each step, that are compared beside the whole, for its detail
    official: bool = False  # the published schedule in W instead of the whitened one
    search: bool = True  # begin with the best of many samples; otherwise with the mean, or with what is given
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "rows", "noise", "tune", "crops"):
            if getattr(self, name) < 0:
                raise KinesphereError(f"{name} {getattr(self, name)}: give 0 or more")
        if not 0 <= self.faithful <= 1:
            raise KinesphereError(f"faithful {self.faithful} is out of range: 0 (editable) to 1 (faithful)")


@dataclass(frozen=True)
class Step:
    """How far a projection has come; a number for each picture."""

    stage: str  # "search", "w", "rows", "noise", "tune"
    done: int  # steps, of all stages
    of: int
    loss: Tensor  # [N], the distance
    unexplained: Tensor  # [N], the part of the picture's variance that is left in the difference
    radius: Tensor  # [N], Mahalanobis distance of w from the mean; the model's own are near 1


@dataclass(frozen=True)
class Meters:
    """What came out, for people: each from 0 to 1."""

    likeness: float  # 1: no difference is left
    on_map: float  # 1: where the model's own latents are
    editable: float  # 1: all rows are one w
    strange: bool = False  # in W, where the model's own pictures are, too much of it is left unexplained

    @property
    def words(self) -> str:
        """One plain word when the picture is not of this model's world."""
        return "this picture is not of this model's world" if self.strange else "found"


def unexplained(drawn: Tensor, goal: Tensor, mask: Tensor | None = None) -> Tensor:
    """The part of the goal's variance that the drawn picture leaves unexplained, [N, C, H, W] twice -> [N]; within the mask."""
    m = torch.ones_like(goal[:, :1]) if mask is None else mask
    left = (m * (drawn - goal).square()).sum((1, 2, 3))
    return left / (m * (goal - plain(goal, m)).square()).sum((1, 2, 3)).clamp_min(1e-8)


def nearness(a: Tensor, b: Tensor) -> Tensor:
    """[N, C, H, W] twice -> [N]: `perceptual.distance`, sharp where two are near; and SQUARE times the mean square, which draws
    what is far."""
    return distance(a, b) + SQUARE * (a - b).square().mean((1, 2, 3))


def scale_of(goals: Tensor) -> Tensor:
    """How near the plain colour of each picture comes to it, [N, C, H, W] -> [N]: what nearness is told in parts of."""
    return nearness(plain(goals, torch.ones_like(goals[:, :1])), goals).clamp_min(LEAST)


class Projection:
    """Pictures on their way to latents: iterate, a step at a time, and take `latents`. It can be resumed from any step.

    goals      [N, C, H, W] in [-1, 1], of the generator's own size: N pictures at once, each by itself
    distance   what is made small: `nearness`, or another of that kind
    masks      [N, 1, H, W], 0 to 1: only where it is above 0 does the picture count (inpainting, crossover, scribbles)
    starts     [N, w_dim] or [N, num_ws, w_dim]: where to begin, such as an encoder's guess; with a search, one of the beginnings

    Raises KinesphereError for goals that do not fit the generator.
    """

    def __init__(
        self,
        G: Generator,
        goals: Tensor,
        plan: Plan = Plan(),
        distance: Distance = nearness,
        masks: Tensor | None = None,
        starts: Tensor | None = None,
        class_index: int = 0,
        chart: Chart | None = None,
    ) -> None:
        size = (G.img_channels, G.img_resolution, G.img_resolution)
        if goals.ndim != 4 or tuple(goals.shape[1:]) != size:
            raise KinesphereError(
                f"pictures {list(goals.shape)} do not fit this model: needed are [N, {', '.join(map(str, size))}]"
            )
        if masks is not None and (masks.ndim != 4 or masks.shape[2:] != goals.shape[2:]):
            raise KinesphereError(f"masks {list(masks.shape)} do not fit pictures {list(goals.shape)}")
        self.G, self.plan, self.distance, self.class_index = G, plan, distance, class_index
        self.goals = goals.to(G.w_avg)
        whole = torch.ones_like(self.goals[:, :1])
        self.masks = whole if masks is None else masks.to(G.w_avg).expand_as(whole)
        with torch.no_grad():
            self.scale = self.apart(plain(self.goals, self.masks), self.goals, self.masks).clamp_min(LEAST)  # [N]
        self.chart = chart or Chart.of(G, class_index)
        self.held: dict[str, Tensor] = {
            "u": self.goals.new_zeros(len(goals), 1, G.w_dim),
            "offsets": self.goals.new_zeros(len(goals), G.num_ws, G.w_dim),
        }
        self.started = starts is not None
        if starts is not None:
            rows = self.chart.coordinates(starts.to(self.goals).view(len(goals), -1, G.w_dim))
            self.held["u"] = rows.mean(1, keepdim=True)
            self.held["offsets"] = (rows - self.held["u"]).expand(-1, G.num_ws, -1).clone()
        self.done = 0
        self._optimiser: torch.optim.Adam | None = None
        self._resumed: dict[str, Tensor] = {}

    @cached_property
    def told(self) -> Fingerprint:
        """Of the generator."""
        return Fingerprint.of(self.G)

    # Where it is --------------------------------------------------------------------------------------------------------

    def ws(self) -> Tensor:
        """[N, num_ws, w_dim]."""
        return self.chart.placed(self.held["u"] + self.held["offsets"])

    def maps(self) -> dict[str, Tensor]:
        """The noise maps that were found so far, by layer, [N, 1, H, W]."""
        return {key.removeprefix("noise."): value for key, value in self.held.items() if key.startswith("noise.")}

    def tuning(self, n: int) -> dict[str, tuple[Tensor, Tensor]]:
        """What is added to the weights for one picture, as in `Latent.tuning`."""
        first, second = f"tuning.{n}.0.", f"tuning.{n}.1."
        places = [key.removeprefix(first) for key in self.held if key.startswith(first)]
        return {place: (self.held[first + place], self.held[second + place]) for place in places}

    def drawn(self, ws: Tensor, maps: Mapping[str, Tensor] | None = None) -> Tensor:
        """Pictures [N, C, H, W] of `ws`, with these noise maps in place of the model's own."""
        with bent(self.G, {f"{layer}.noise_const": partial(instead, value) for layer, value in (maps or {}).items()}):
            return self.G.synthesis(ws)

    def apart(self, drawn: Tensor, goals: Tensor, masks: Tensor) -> Tensor:
        """The distance within the masks, [N]. What lies in a hole is taken from the goal itself: no gradient comes from there."""
        return self.distance(filled(drawn, goals, masks), goals)

    def closely_apart(self, drawn: Tensor, goals: Tensor, masks: Tensor) -> Tensor:
        """`apart`, and that of a few crops, whose places follow from the step; [N]."""
        largest = self.G.img_resolution
        cut = crops(
            self.distance,
            min(SIDE, largest // 2),
            self.plan.crops,
            seed=self.plan.seed,
            step=self.done,
            largest=largest,
        )
        return cut(filled(drawn, goals, masks), goals)

    def radius(self) -> Tensor:
        """How far off the map the latents are, the rows together; [N]."""
        return self.chart.square(self.held["u"] + self.held["offsets"]).mean(-1).sqrt()

    # On the way ---------------------------------------------------------------------------------------------------------

    def lengths(self) -> list[tuple[str, int]]:
        """Names and numbers of steps of the stages that there are, in order."""
        plan = self.plan
        search = min(SEARCH, plan.steps // 4) if plan.search and not plan.official else 0
        rows = plan.rows if plan.faithful > 0 else 0
        noise = plan.noise if stages.noisy(self.G) else 0
        named = [("search", search), ("w", plan.steps - search), ("rows", rows), ("noise", noise)]
        tune = [(f"tune {n}", plan.tune) for n in range(len(self.goals))]
        return [(name, length) for name, length in [*named, *tune] if length]

    def __iter__(self) -> Iterator[Step]:
        """On from where it is."""
        of, begun = sum(length for _, length in self.lengths()), 0
        for name, length in self.lengths():
            if self.done < begun + length:
                yield from self._through(name, length, begun, of)
            begun += length

    def _through(self, name: str, length: int, begun: int, of: int) -> Iterator[Step]:
        stage = stages.begin(self, name, length)
        for value in stage.learning:
            value.requires_grad_(True)
        self._optimiser = optimiser = torch.optim.Adam(stage.learning, lr=0.0, betas=stage.betas)
        self._take_up(optimiser)
        while self.done < begun + length:
            t = (self.done - begun) / length
            drawn = stage.draw(t)
            losses = (self.closely_apart if self.plan.crops else self.apart)(drawn, stage.goals, stage.masks)
            optimiser.param_groups[0]["lr"] = stage.lr(t)
            optimiser.zero_grad()
            (losses / stage.scale + stage.wanting(t)).sum().backward(inputs=stage.learning)
            optimiser.step()
            stage.after(t)
            self.done += 1
            if self.done == begun + length:
                for value in stage.learning:
                    value.requires_grad_(False).grad = None
                self._optimiser = None
                stage.end()
            with torch.no_grad():
                left = unexplained(drawn, stage.goals, stage.masks)
                if name == "w":
                    self.held["left in w"] = left
            yield Step(name, self.done, of, losses.detach(), left, self.radius().detach())

    def state(self) -> dict[str, Tensor]:
        """All that it needs to go on from here, as tensors by name; given to `resume`, to the same end, bit for bit."""
        state = {f"held.{name}": value.detach().clone() for name, value in self.held.items()}
        state["done"] = torch.tensor(self.done)
        if self._optimiser is not None:
            for i, each in self._optimiser.state_dict()["state"].items():
                state |= {f"adam.{i}.{name}": value.detach().clone() for name, value in each.items()}
        return state

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Go on from where another one, of the same pictures and the same plan, was. Raises KinesphereError where it was not."""
        held = {name.removeprefix("held."): value for name, value in state.items() if name.startswith("held.")}
        if "done" not in state or any(
            name not in held or held[name].shape != self.held[name].shape for name in self.held
        ):
            raise KinesphereError("what was kept is of other pictures or another model: begin anew")
        self.held = {name: value.to(self.goals).clone() for name, value in held.items()}
        self.done = int(state["done"])
        self._resumed = {name.removeprefix("adam."): value for name, value in state.items() if name.startswith("adam.")}

    def _take_up(self, optimiser: torch.optim.Adam) -> None:
        if not self._resumed:
            return
        kept = optimiser.state_dict()
        for name, value in self._resumed.items():
            i, _, what = name.partition(".")
            kept["state"].setdefault(int(i), {})[what] = value
        optimiser.load_state_dict(kept)
        self._resumed = {}

    # What came out ------------------------------------------------------------------------------------------------------

    def latents(self) -> list[Latent]:
        """One for each picture: a single w where the rows are together, otherwise W+; with its noise and its weights."""
        found = []
        for n, ws in enumerate(self.ws().detach().float().cpu()):
            together = not self.held["offsets"][n].any()
            found.append(
                Latent(
                    ws[0] if together else ws,
                    "w" if together else "w+",
                    self.class_index,
                    noise={layer: value[n, 0].detach().cpu().clone() for layer, value in self.maps().items()},
                    tuning={place: (_halved(up), _halved(down)) for place, (up, down) in self.tuning(n).items()},
                    model=self.told,
                    origin={"projection": asdict(self.plan), "steps": self.done},
                )
            )
        return found

    @torch.no_grad()
    def meters(self) -> list[Meters]:
        """What came out, for people."""
        meters = []
        for n, (place, radius) in enumerate(zip(self.latents(), self.radius().tolist(), strict=True)):
            one = slice(n, n + 1)
            left = float(unexplained(draw(self.G, place, told=self.told), self.goals[one], self.masks[one]))
            apart = float(self.held["offsets"][n].square().mean())
            on_map = min(1.0, max(0.0, OFF_MAP - radius / self.chart.natural) / (OFF_MAP - 1))
            strange = self.plan.steps >= ENOUGH and float(self.held["left in w"][n]) > STRANGE
            meters.append(Meters(max(0.0, 1 - left), on_map, 1 / (1 + apart), strange))
        return meters


def _halved(x: Tensor) -> Tensor:
    """As it will be stored: in half precision."""
    return x.detach().cpu().half()


def plain(goals: Tensor, masks: Tensor) -> Tensor:
    """The mean colour of each picture within its mask, [N, C, H, W]."""
    area = masks.sum((2, 3), keepdim=True).clamp_min(1e-8)
    return ((masks * goals).sum((2, 3), keepdim=True) / area).expand_as(goals)
