"""One step of training: G learns to please D, D learns to tell, and the average generator follows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from kinesphere.latent import mix_styles
from kinesphere.models import Generator, set_precision
from kinesphere.models.stylegan3 import Layer, StyleGAN3
from kinesphere.train import losses
from kinesphere.train.attributes import AttributeHead, AttributeLines, attribute_loss, energy_distance, read_attributes
from kinesphere.train.augment import Adaptive, Augment
from kinesphere.train.critic import Critic, feature_penalty, open_eyes
from kinesphere.train.datasets import mirrored, order
from kinesphere.train.draws import Draws
from kinesphere.train.recipe import Recipe
from kinesphere.train.transfer import freeze_d

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}
W_AVG_DECAY = 0.998  # each step (Karras et al. 2020, ADA)
PATH_DECAY = 0.01
NATURAL = 256  # latents that the spread of a line is taken of
PATH_SHARE = 2  # path lengths are measured on half of the batch
MAGNITUDE_KIMG = 20.0  # half-life of StyleGAN3's magnitudes


class Pictures(Protocol):
    """What the loop needs of a training set."""

    labels: np.ndarray | None  # float32 [len, c_dim]

    def __len__(self) -> int: ...
    def batch(self, indices: np.ndarray, mirror: np.ndarray | None = None) -> np.ndarray:
        """uint8 [len(indices), C, H, W]; flipped left to right where `mirror` is true."""


TOLD_FROM = 256  # pictures
Batch = tuple[Tensor, Tensor | None]  # pictures [n, C, H, W], and their classes [n, c_dim]


@dataclass(frozen=True)
class Part:
    """One of the parts of a batch that are computed at once, by whatever process: rows `number`, `number + of`, ..."""

    number: int
    of: int
    size: int  # pictures

    def take(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.number :: self.of]


class Training:
    """The networks of a run, their optimisers, and `step`.

    Everything that is random is drawn from (seed, step): what `tensors` and `numbers` return is the whole state.
    `fabric` says where this process computes and who else does; gradients are averaged over all processes.
    """

    def __init__(
        self, recipe: Recipe, data: Pictures, fabric: Fabric, G: Generator, D: nn.Module, G_ema: Generator
    ) -> None:
        self.recipe, self.data, self.fabric = recipe, data, fabric
        place = dict(device=fabric.device, memory_format=torch.channels_last)
        self.G = G.to(**place).train().requires_grad_(True)  # type: ignore[call-overload]
        self.D = D.to(**place).train().requires_grad_(True)  # type: ignore[call-overload]
        self.G_ema = G_ema.to(**place).eval().requires_grad_(False)  # type: ignore[call-overload]
        if recipe.precision != "fp32":
            for model in (self.G, self.D, self.G_ema):
                set_precision(model, PRECISIONS[recipe.precision], recipe.half_blocks)
        freeze_d(self.D, recipe.freeze_d)
        self.learning_D = [p for p in self.D.parameters() if p.requires_grad]
        self.attributes = None
        if recipe.attributes:
            self.attributes = read_attributes(data, recipe.attributes)  # type: ignore[arg-type]  # a set in a file has a table beside it
        self.head = AttributeHead(self.D, self.attributes.names).to(fabric.device) if self.attributes else None
        self.critic = None
        if recipe.critic:
            eyes = [open_eyes(text, fabric.device) for text in recipe.critic]
            names = self.attributes.names if self.attributes else ()
            self.critic = Critic(eyes, self.some().to(fabric.device), names).to(fabric.device)
        self.taught = [*self.learning_D, *(self.head.parameters() if self.head else ())]
        self.lines = (
            AttributeLines(self.G.w_dim, recipe.attributes_line).to(fabric.device) if recipe.attributes_line else None
        )
        self.opt_G = adam(
            [*self.G.parameters(), *(self.lines.parameters() if self.lines else ())],
            recipe.lr_G, recipe.betas, recipe.path_length and recipe.path_length_every,
        )  # fmt: skip
        self.opt_D = adam(self.taught, recipe.lr_D, recipe.betas, recipe.gamma and recipe.r1_every)
        self.opt_critic = adam(self.critic.parameters(), recipe.lr_critic, recipe.betas, 0) if self.critic else None
        self.units = losses.colour_units(self.some()).to(fabric.device) if recipe.r1_colours else None
        self.augment = None if recipe.augment == "none" else Augment.named(recipe.augment)
        self.adaptive = Adaptive(recipe.ada_target, recipe.ada_kimg, recipe.ada_every, recipe.augment_p)
        self.steps = 0
        self.path_mean = torch.zeros([], device=fabric.device)
        self.signs = torch.zeros(2, device=fabric.device)  # sum and count of sign(D(real)) since p was last set
        self.sums: dict[str, Tensor] = {}
        rounds = recipe.rounds(fabric.world_size)
        of = fabric.world_size * rounds
        self.parts = [Part(fabric.global_rank * rounds + i, of, recipe.batch // of) for i in range(rounds)]
        if isinstance(self.G, StyleGAN3):
            follow_magnitudes(self.G, recipe.batch // rounds, self.mean)

    def some(self) -> Tensor:
        """Pictures of the training set, always the same, from which its statistics are told: [N, C, H, W] in [-1, 1]."""
        places = np.linspace(0, len(self.data) - 1, min(len(self.data), TOLD_FROM)).astype(int)
        return torch.from_numpy(self.data.batch(places, None)).float() / 127.5 - 1

    # What flows in ----------------------------------------------------------------------------------------------------

    @property
    def seen(self) -> int:
        """Real pictures shown to D so far."""
        return self.steps * self.recipe.batch

    def draws(self, purpose: str, part: Part) -> Draws:
        return Draws(self.recipe.seed, self.steps, purpose, part.number, part.of, self.fabric.device)

    def reals(self, part: Part) -> Batch:
        """This step's pictures [n, C, H, W] in [-1, 1], and their classes [n, c_dim]."""
        indices, mirror = self.places(part)
        img = torch.from_numpy(self.data.batch(indices, mirror)).to(self.fabric.device)
        img = (img.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        return img, self.classes(indices)

    def places(self, part: Part) -> tuple[np.ndarray, np.ndarray | None]:
        """Which pictures this step shows, and which of them mirrored."""
        r = self.recipe
        indices = part.take(order(len(self.data), r.seed, self.seen, r.batch))
        return indices, part.take(mirrored(r.seed, self.seen, r.batch)) if r.mirror else None

    def classes(self, indices: np.ndarray) -> Tensor | None:
        if self.data.labels is None or not self.recipe.c_dim:
            return None
        return torch.from_numpy(self.data.labels[indices]).to(self.fabric.device)

    def styles(self, purpose: str, part: Part, n: int) -> tuple[Tensor, Tensor | None]:
        """ws [n, num_ws, w_dim] of fresh latents, some of them mixed, and their classes, as frequent as the pictures' own."""
        draws, G = self.draws(purpose, part), self.G
        z = draws.normal(n, 2, G.z_dim)
        u = draws.uniform(n, 3)
        c = self.classes((u[:, 2] * len(self.data)).long().cpu().numpy())
        if not self.recipe.style_mixing:
            return G.mapping(z[:, 0], c), c
        ws = G.mapping(z.transpose(0, 1).reshape(2 * n, -1), None if c is None else c.repeat(2, 1))
        cutoff = losses.mixing_cutoffs(u, G.num_ws, self.recipe.style_mixing)
        return mix_styles(ws[:n], ws[n:], cutoff), c

    def shown(self, img: Tensor, purpose: str, part: Part) -> Tensor:
        """What D gets to see of pictures: blurred at first, augmented."""
        r = self.recipe
        img = losses.blur(img, losses.blur_sigma(self.seen, r.blur, r.blur_kimg * 1000))
        if self.augment is None:
            return img
        return self.augment(img, self.adaptive.p, self.draws(f"{purpose} augment", part))

    # The step ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Update G, D and G_ema once. Raises KinesphereError where a picture cannot be read."""
        r = self.recipe
        reals = [self.reals(part) for part in self.parts]
        torch.manual_seed(int(self.draws("noise", self.parts[0]).uniform(1) * 2**31))  # for the noise inputs
        fakes = self.step_G(reals)
        if r.path_length and self.steps % r.path_length_every == 0:
            self.step_path()
        if not r.reuse_fakes:
            fakes = [self.fakes(part) for part in self.parts]
        self.step_D(fakes, reals)
        if r.gamma and self.steps % r.r1_every == 0:
            self.step_r1(reals)
        self.steps += 1
        self.follow()
        if r.ada_target is not None and self.augment and self.steps % r.ada_every == 0:
            total = self.fabric.all_reduce(self.signs, reduce_op="sum")
            self.adaptive.update(float(total[0] / total[1]), r.batch * r.ada_every)
            self.signs.zero_()

    def step_G(self, reals: list[Batch]) -> list[Batch]:
        """The non-saturating loss; the pictures that it was computed on. `reals`: what G's attributes are laid beside."""
        made: list[Batch] = []
        styles = []
        with frozen([*self.taught, *(self.critic.parameters() if self.critic else ())]):
            for part, real in zip(self.parts, reals, strict=True):
                ws, c = self.styles("G", part, part.size)
                fakes = self.G.synthesis(ws, noise_mode="random")
                shown = self.shown(fakes, "G", part)
                logits = self.D(shown, c)
                loss = asked = losses.generator_loss(logits).mean()
                seen = self.critic.look(shown) if self.critic else None
                if self.critic and seen:
                    criticised = losses.generator_loss(self.critic(seen)).mean()
                    self.count(critic_G=criticised)
                    asked = asked + self.recipe.critic_weight * criticised
                if self.head:
                    asked = asked + self.asked_of_attributes(part, real, ws, seen)
                self.backward(asked)
                self.count(loss_G=loss, logit_fake=logits.mean())
                made.append((fakes.detach(), c))
                styles.append(ws.detach()[:, 0])
        self.update(self.opt_G)
        self.follow_w(torch.cat(styles))
        return made

    def step_path(self) -> None:
        """Equal steps in W make equal steps in the picture."""
        r, measured = self.recipe, []
        for part in self.parts:
            n = max(1, part.size // PATH_SHARE)
            ws, _ = self.styles("path", part, n)
            img = self.G.synthesis(ws, noise_mode="random")
            lengths = losses.path_lengths(img, ws, self.draws("path noise", part).normal(n, *img.shape[1:]))
            mean = self.path_mean.lerp(self.mean(lengths.detach().mean()), PATH_DECAY)
            self.backward((lengths - mean).square().mean() * (r.path_length * r.path_length_every))
            measured.append(lengths.detach().mean())
            self.count(path_length=lengths.mean())
        self.update(self.opt_G)
        self.path_mean = self.path_mean.lerp(self.mean(torch.stack(measured).mean()), PATH_DECAY)

    def fakes(self, part: Part) -> Batch:
        with torch.no_grad():
            ws, c = self.styles("D", part, part.size)
            return self.G.synthesis(ws, noise_mode="random"), c

    def step_D(self, fakes: list[Batch], reals: list[Batch]) -> None:
        for part, (fake_img, c_fake), (real_img, c_real) in zip(self.parts, fakes, reals, strict=True):
            real_shown, fake_shown = self.shown(real_img, "real", part), self.shown(fake_img, "fake", part)
            real = self.D(real_shown, c_real)
            reading = self.reading(part)
            fake = self.D(fake_shown, c_fake)
            loss = asked = losses.discriminator_loss(real, fake)
            if reading is not None:
                asked = asked + self.recipe.attributes_weight * reading
            if self.critic:
                asked = asked + self.criticising(part, real_shown, fake_shown)
            self.backward(asked)
            signs = real.detach().sign()
            self.count(loss_D=loss, logit_real=real.mean(), r_t=signs.mean())
            self.signs += torch.stack([signs.sum(), signs.new_tensor(float(len(signs)))])
        self.update(self.opt_D)
        if self.opt_critic:
            self.update(self.opt_critic)

    def criticising(self, part: Part, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic learns from: D's loss, R1 in the space of what its eyes see, and what is known of real pictures."""
        assert self.critic
        with torch.no_grad():
            seen, made = self.critic.look(real), self.critic.look(fake)
        seen = [x.requires_grad_(True) for x in seen]
        logits = self.critic(seen)
        loss = losses.discriminator_loss(logits, self.critic(made))
        penalty = feature_penalty(logits, seen)
        self.count(critic_D=loss, critic_r1=penalty)
        asked = loss + self.recipe.critic_gamma / 2 * penalty
        if self.attributes:
            reading = attribute_loss(self.critic.read(seen), self.known(part))
            self.count(critic_attributes=reading)
            asked = asked + reading
        return asked

    def known(self, part: Part) -> Tensor:
        """The attributes [n, columns] of this step's real pictures."""
        assert self.attributes
        return torch.from_numpy(self.attributes.of(*self.places(part))).to(self.fabric.device)

    def reading(self, part: Part) -> Tensor | None:
        """How wrong D reads the attributes of the real pictures that it saw last; None where it is not asked to."""
        if self.head is None:
            return None
        loss = attribute_loss(self.head(), self.known(part))
        self.count(attributes=loss)
        return loss

    def read(self, seen: list[Tensor] | None) -> Tensor:
        """The attributes [n, columns] of pictures: read by the critic in what its eyes saw, or else by D, which saw them last."""
        assert self.head
        return self.critic.read(seen) if self.critic and seen else self.head()

    def asked_of_attributes(self, part: Part, real: Batch, ws: Tensor, seen: list[Tensor] | None) -> Tensor:
        """Of pictures that were seen last: to vary as the real ones do, and to lie along straight lines through W."""
        r, asked = self.recipe, ws.new_zeros(())
        matched = r.attributes_match if r.match_weight else ()
        if not (matched or self.lines):
            return asked
        read = self.read(seen)  # before D sees others
        with torch.no_grad():
            img = self.shown(real[0], "match", part)
            if self.critic is None:
                self.D(img, real[1])
            true = self.read(self.critic.look(img) if self.critic else None)
        if matched:
            columns = self.columns(matched)
            distance = energy_distance(read[:, columns], true[:, columns])
            self.count(attributes_distance=distance)
            asked = asked + r.match_weight * distance
        if self.lines:
            columns = self.columns(r.attributes_line)
            self.lines.follow(self.mean(true[:, columns].square().mean(0)))
            with torch.no_grad():
                natural, _ = self.styles("natural", part, NATURAL)
            crooked = attribute_loss(self.lines(ws, natural), read[:, columns])
            self.count(attributes_crooked=crooked)
            asked = asked + r.line_weight * crooked
        return asked

    def columns(self, names: tuple[str, ...]) -> list[int]:
        assert self.head
        return [self.head.names.index(name) for name in names]

    def step_r1(self, reals: list[Batch]) -> None:
        for part, (img, c) in zip(self.parts, reals, strict=True):
            img = img.detach().requires_grad_(True)
            penalty = losses.r1_penalty(self.D(self.shown(img, "r1", part), c), img, self.units).mean()
            self.backward(penalty * (self.recipe.gamma / 2 * self.recipe.r1_every))
            self.count(r1=penalty)
        self.update(self.opt_D)

    def backward(self, loss: Tensor) -> None:
        """Add this part's share to the gradients."""
        (loss / len(self.parts)).backward()

    def update(self, optimiser: torch.optim.Optimizer) -> None:
        """Average the gradients over all processes, step, forget them."""
        learnt: list[nn.Parameter] = [p for group in optimiser.param_groups for p in group["params"]]
        gradients = [p.grad for p in learnt if p.grad is not None]
        if self.fabric.world_size > 1:
            flat = self.mean(torch.cat([g.flatten() for g in gradients]))
            for g, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
                g.copy_(part.view_as(g))
        if self.recipe.precision == "fp16":
            for g in gradients:
                g.nan_to_num_(nan=0, posinf=1e5, neginf=-1e5)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    # What follows the step --------------------------------------------------------------------------------------------

    def follow_w(self, w: Tensor) -> None:
        mean = self.mean(w.mean(0))
        self.G.w_avg.copy_(mean.lerp(self.G.w_avg, W_AVG_DECAY))

    @torch.no_grad()
    def follow(self) -> None:
        """G_ema goes a little of the way to G; what is not learnt is copied."""
        r = self.recipe
        decay = losses.ema_decay(r.batch, self.seen, r.ema_kimg * 1000, r.ema_rampup)
        averages, values = list(self.G_ema.parameters()), list(self.G.parameters())
        torch._foreach_lerp_(averages, values, 1 - decay)
        for average, value in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
            average.copy_(value)

    def mean(self, x: Tensor) -> Tensor:
        """The mean over all processes."""
        return self.fabric.all_reduce(x, reduce_op="mean") if self.fabric.world_size > 1 else x  # type: ignore[return-value]

    # The diary --------------------------------------------------------------------------------------------------------

    def count(self, **values: Tensor) -> None:
        for name, value in values.items():
            pair = torch.stack([value.detach().float(), value.new_ones([])])
            self.sums[name] = self.sums[name] + pair if name in self.sums else pair

    def tell(self) -> dict[str, float]:
        """The means of everything counted since the last time; every process must ask."""
        totals = {name: self.mean(pair) for name, pair in sorted(self.sums.items())}
        self.sums = {}
        told = {name: float(total[0] / total[1]) for name, total in totals.items()}
        return told | {"ada_p": self.adaptive.p}

    # The state --------------------------------------------------------------------------------------------------------

    def networks(self) -> dict[str, nn.Module]:
        found: dict[str, nn.Module] = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        aides = {"head": self.head, "lines": self.lines, "critic": self.critic}
        return found | {name: aide for name, aide in aides.items() if aide is not None}

    def learners(self) -> list[tuple[str, nn.Module, torch.optim.Optimizer]]:
        """What learns, by the name of its optimiser's state."""
        found: list[tuple[str, nn.Module, torch.optim.Optimizer]] = [
            ("opt_G", self.G, self.opt_G), ("opt_D", self.D, self.opt_D),
        ]  # fmt: skip
        if self.head:
            found.append(("opt_head", self.head, self.opt_D))
        if self.lines:
            found.append(("opt_lines", self.lines, self.opt_G))
        if self.critic and self.opt_critic:
            found.append(("opt_critic", self.critic, self.opt_critic))
        return found

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by name, between two steps of which the first has just set p (a multiple of `ada_every`)."""
        found = {
            f"{name}.{key}": value
            for name, model in self.networks().items()
            for key, value in model.state_dict().items()
        }
        for name, model, optimiser in self.learners():
            for key, parameter in model.named_parameters():
                for what, value in optimiser.state.get(parameter, {}).items():
                    found[f"{name}.{key}.{what}"] = value
        return found | {"path_mean": self.path_mean}

    def numbers(self) -> dict[str, float]:
        """What the state holds besides tensors."""
        return {"steps": self.steps, "ada_p": self.adaptive.p}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Go back to a state, bit for bit. Raises KeyError or RuntimeError where it is of other networks."""
        for name, model in self.networks().items():
            model.load_state_dict(
                {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
            )
        for name, model, optimiser in self.learners():
            for key, parameter in model.named_parameters():
                for what in ("step", "exp_avg", "exp_avg_sq"):
                    if (value := tensors.get(f"{name}.{key}.{what}")) is not None:
                        form = torch.channels_last if value.ndim == 4 else torch.contiguous_format
                        like = value.to(parameter.device).contiguous(memory_format=form)
                        optimiser.state[parameter][what] = like
        self.path_mean = tensors["path_mean"].to(self.fabric.device)
        self.signs.zero_()
        self.steps, self.adaptive.p = int(numbers["steps"]), float(numbers["ada_p"])
        self.sums = {}


def adam(parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], every: float) -> torch.optim.Adam:
    """Adam, made up for the extra steps of a penalty that comes once in `every` steps (Karras et al. 2020, appendix B)."""
    share = every / (every + 1) if every else 1.0
    return torch.optim.Adam(
        parameters, lr=lr * share, betas=(betas[0] ** share, betas[1] ** share), eps=1e-8, fused=True
    )


@contextmanager
def frozen(parameters: list[nn.Parameter]) -> Iterator[None]:
    """No gradients for these inside the `with`."""
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def follow_magnitudes(G: StyleGAN3, batch: int, mean: Any) -> None:
    """Before each layer, let its `magnitude_ema` follow the mean square of what comes in (Karras et al. 2021, appendix C)."""
    decay = 0.5 ** (batch / (MAGNITUDE_KIMG * 1000))

    def hook(layer: nn.Module, args: tuple[Tensor, ...]) -> None:
        if layer.training and torch.is_grad_enabled():
            now = mean(args[0].detach().float().square().mean())
            layer.magnitude_ema.copy_(now.lerp(layer.magnitude_ema, decay))  # type: ignore[operator]

    for module in G.modules():
        if isinstance(module, Layer):
            module.register_forward_pre_hook(hook)


def finite(told: dict[str, float]) -> bool:
    """Whether every number of the diary is one."""
    return all(math.isfinite(value) for value in told.values())
