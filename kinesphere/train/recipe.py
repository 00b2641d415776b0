"""How a model is trained: every number of a run, chosen for the pictures and the machine, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

from torch import nn

from kinesphere.models import Discriminator, Generator, StyleGAN2, StyleGAN3
from kinesphere.train.augment import SETS
from kinesphere.train.critic import check_eyes
from kinesphere.train.metrics import METRICS
from kinesphere.types import KinesphereError, check_all

FAMILIES = ("stylegan2", "stylegan3-t", "stylegan3-r")


@dataclass(frozen=True)
class Recipe:
    """The numbers of one run. `kimg` counts thousands of real pictures shown to D."""

    # the pictures
    img_resolution: int
    img_channels: int = 3
    c_dim: int = 0
    mirror: bool = False  # show every picture its mirror image, too
    # the networks
    family: str = "stylegan2"
    channels: tuple[int, ...] = ()  # width at 4, 8, ... img_resolution px, of G and D
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 2
    noise: bool = True  # StyleGAN2's noise inputs
    conv_clamp: float | None = 256.0
    # the run
    kimg: float = 25000.0
    batch: int = 32  # pictures in a step, all processes together
    at_once: int | None = None  # pictures that a process computes at once, where its share does not fit into memory
    seed: int = 0
    # the optimisers
    lr_G: float = 0.0025
    lr_D: float = 0.0025
    betas: tuple[float, float] = (0.0, 0.99)
    # the losses
    gamma: float = 1.0  # weight of R1
    r1_every: int = 16  # steps; lazy regularisation
    r1_colours: bool = False  # R1 in units of how much the pictures' colours vary, see `losses.colour_units`
    path_length: float = 0.0  # weight; 0 is off
    path_length_every: int = 4
    style_mixing: float = 0.9  # probability
    attributes: tuple[str, ...] = ()  # columns of the table beside the set that D learns to read, see `attributes.py`
    attributes_weight: float = 1.0
    attributes_match: tuple[
        str, ...
    ] = ()  # those of them that G's pictures are to be distributed in as the real ones are
    match_weight: float = 1.0
    attributes_line: tuple[str, ...] = ()  # those of them that are to lie along straight lines through W
    line_weight: float = 1.0
    critic: tuple[str, ...] = ()  # NAME:WEIGHTS of frozen networks with whose eyes a second D looks, see `critic.py`
    critic_weight: float = 1.0
    lr_critic: float = 0.01
    critic_gamma: float = 0.01  # weight of R1 on what these eyes see
    reuse_fakes: bool = True  # D learns from the pictures that G has just learnt from
    blur: float = 0.0  # pixels at the start; StyleGAN3-R
    blur_kimg: float = 0.0
    # the average generator
    ema_kimg: float = 10.0  # half-life
    ema_rampup: float | None = 0.05
    # augmentation
    augment: str = "bgc"  # a name of `augment.SETS`, or "none"
    ada_target: float | None = 0.6  # None: `augment_p` is fixed
    augment_p: float = 0.0  # where it starts
    ada_kimg: float = 500.0  # for p to go from 0 to 1
    ada_every: int = 4  # steps
    # transfer
    freeze_d: int = 0  # blocks of D, from the highest resolution, that do not learn
    # the machine
    precision: str = "fp32"  # of the highest-resolution blocks: fp32, bf16, fp16
    half_blocks: int = 4
    # the diary
    log_kimg: float = 1.0
    samples_kimg: float = 10.0
    snapshot_kimg: float = 50.0
    metric: str = "swd"  # "none", or a name of `metrics.METRICS`

    def __post_init__(self) -> None:
        def check(name: str, good: bool, wanted: str) -> None:
            if not good:
                raise KinesphereError(f"{name} {getattr(self, name)!r} cannot be: give {wanted}")

        r, family = self.img_resolution, self.family
        halves = family == "stylegan2"
        precisions = ("fp32", "bf16", "fp16") if halves else ("fp32",)
        read = {name.removeprefix("-") for name in self.attributes}
        some = f"some of the attributes, without a minus: {', '.join(self.attributes) or 'there are none'}"
        wanted = "fp32, bf16 or fp16" if halves else f"fp32: {family} has no half precision"
        check_all(
            lambda: check("family", family in FAMILIES, f"one of {', '.join(FAMILIES)}"),
            lambda: check("img_resolution", r >= 8 and r & (r - 1) == 0, "a power of two from 8 on"),
            lambda: check("batch", self.batch >= 1, "1 or more"),
            lambda: check("kimg", self.kimg > 0, "more than 0"),
            lambda: check("gamma", self.gamma >= 0, "0 or more"),
            lambda: check("lr_G", self.lr_G > 0, "more than 0"),
            lambda: check("lr_D", self.lr_D > 0, "more than 0"),
            lambda: check("attributes_weight", self.attributes_weight >= 0, "0 or more"),
            lambda: check("match_weight", self.match_weight >= 0, "0 or more"),
            lambda: check("lr_critic", self.lr_critic > 0, "more than 0"),
            lambda: check("critic_weight", self.critic_weight >= 0, "0 or more"),
            lambda: check("critic_gamma", self.critic_gamma >= 0, "0 or more"),
            lambda: check("line_weight", self.line_weight >= 0, "0 or more"),
            *(
                partial(check, name, {*getattr(self, name)} <= read, some)
                for name in ("attributes_match", "attributes_line")
            ),
            lambda: check("style_mixing", 0 <= self.style_mixing <= 1, "a probability from 0 to 1"),
            lambda: check("augment_p", 0 <= self.augment_p <= 1, "a probability from 0 to 1"),
            lambda: check("r1_every", self.r1_every >= 1, "1 or more steps"),
            lambda: check("precision", self.precision in precisions, wanted),
            lambda: check("augment", self.augment in ("none", *SETS), f"none, or one of {', '.join(SETS)}"),
            lambda: check("metric", self.metric in ("none", *METRICS), f"none, or one of {', '.join(METRICS)}"),
            lambda: check("ada_every", self.ada_every >= 1, "1 or more steps"),
            lambda: check("path_length_every", self.path_length_every >= 1, "1 or more steps"),
            lambda: check("log_kimg", self.log_kimg > 0, "more than 0"),
            lambda: check("samples_kimg", self.samples_kimg > 0, "more than 0"),
            lambda: check("snapshot_kimg", self.snapshot_kimg > 0, "more than 0"),
            lambda: check(
                "channels",
                family != "stylegan2" or len(self.channels) == r.bit_length() - 2,
                f"one width for each of 4 ... {r} px",
            ),
            *(partial(check_eyes, text) for text in self.critic),
        )

    def generator(self) -> Generator:
        """A fresh generator, with weights from torch's generator."""
        shared: dict[str, Any] = dict(
            img_resolution=self.img_resolution, img_channels=self.img_channels, c_dim=self.c_dim, z_dim=self.z_dim,
            w_dim=self.w_dim, mapping_layers=self.mapping_layers, conv_clamp=self.conv_clamp,
        )  # fmt: skip
        if self.family == "stylegan2":
            return StyleGAN2(channels=list(self.channels), use_noise=self.noise, **shared)
        widest, base = max(self.channels), self.channels[-1] * self.img_resolution
        radial = dict(conv_kernel=1, use_radial_filters=True) if self.family == "stylegan3-r" else {}
        factor = 2 if radial else 1
        return StyleGAN3(channel_base=base * factor, channel_max=widest * factor, **radial, **shared)  # type: ignore[arg-type]

    def rounds(self, processes: int = 1) -> int:
        """In how many parts each of so many processes computes its share. Raises KinesphereError where it does not divide."""
        share = self.batch // processes
        at_once = min(self.at_once or share, share)
        if self.batch % processes or share % at_once:
            raise KinesphereError(
                f"batch {self.batch} cannot be shared by {processes} processes, {at_once} pictures at once: give a multiple"
            )
        return share // at_once

    def discriminator(self, processes: int = 1) -> nn.Module:
        """A fresh discriminator. The minibatch deviation compares four pictures, or as many as a process has."""
        return Discriminator(
            img_resolution=self.img_resolution, img_channels=self.img_channels, c_dim=self.c_dim,
            channels=list(self.channels), conv_clamp=self.conv_clamp,
            mbstd_group_size=min(self.batch // processes // self.rounds(processes), 4),
        )  # fmt: skip

    def asdict(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def fromdict(cls, said: dict[str, Any]) -> Recipe:
        """A recipe as `asdict` wrote it. Raises KinesphereError for a name that no recipe has."""
        names = {f.name for f in fields(cls)}
        if strays := sorted(set(said) - names):
            raise KinesphereError(f"no {strays[0]!r} in a recipe: it has {', '.join(sorted(names))}")
        numbers: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
        return cls(**numbers)


def widths(resolution: int, base: int, most: int) -> tuple[int, ...]:
    """Channels at 4, 8, ... `resolution` px: `base` / px, at most `most`."""
    return tuple(min(base // r, most) for r in (4 << i for i in range(resolution.bit_length() - 2)))


@dataclass(frozen=True)
class Choice:
    """One number of a recipe and why it is what it is."""

    value: Any
    reason: str


@dataclass
class Plan:
    """A recipe under way: what was asked for stays, the rest is chosen, and each has its reason."""

    asked: dict[str, Any]
    choices: dict[str, Choice] = field(default_factory=dict)

    def choose(self, name: str, value: Any, reason: str) -> Any:
        """`value` for `name`, unless it is settled or something else was asked for; the number that holds."""
        chosen = Choice(self.asked[name], "asked for") if name in self.asked else Choice(value, reason)
        return self.choices.setdefault(name, chosen).value

    def given(self, G: Generator) -> None:
        """The sizes of a generator to go on from. Raises KinesphereError where others were asked for."""
        said = {name: G.config[name] for name in ("z_dim", "w_dim", "mapping_layers", "conv_clamp")}
        if isinstance(G, StyleGAN2):
            said |= {"family": "stylegan2", "channels": tuple(G.config["channels"]), "noise": G.config["use_noise"]}
        elif isinstance(G, StyleGAN3):
            said["family"] = "stylegan3-r" if G.config["use_radial_filters"] else "stylegan3-t"
        for name, value in said.items():
            if self.asked.get(name, value) != value:
                raise KinesphereError(
                    f"{name} {self.asked[name]!r} cannot be: the model to start from has {value!r}; leave it out, or start afresh"
                )
            self.choices[name] = Choice(value, "as the checkpoint has it")


def plan(
    resolution: int,
    img_channels: int,
    c_dim: int,
    count: int,
    device: str,
    processes: int = 1,
    start: Generator | None = None,
    **asked: Any,
) -> tuple[Recipe, dict[str, Choice]]:
    """A recipe for `count` pictures of `resolution` px on this `device` ("cpu", "cuda", ...), and the reason of every choice.

    The formulas for batch, gamma and the average are the "auto" configuration of Karras et al. 2020 (ADA), tuned there from 128 to
    1024 px. `asked`: fields of `Recipe` that are not to be chosen.
    `start`: the generator to go on from, whose sizes hold.
    """
    p = Plan(asked)
    cpu, transfer = device == "cpu", start is not None
    if start is not None:
        p.given(start)
    family = p.choose("family", "stylegan2", "the fastest family, and the one most tools read")
    three = family.startswith("stylegan3")

    if cpu:
        base, most, why = 2048 if resolution <= 128 else 4096, 128, "small: this run has no GPU"
    else:
        base, most, why = (32768 if resolution >= 512 else 16384), 512, "the size of the published models"
    p.choose("channels", widths(resolution, base, most), f"{base} / px, at most {most}; {why}")
    p.choose("z_dim", 128 if cpu else 512, "as many as W has")
    p.choose("w_dim", 128 if cpu else 512, why)
    p.choose("mapping_layers", 4 if cpu else 2, "few are steadier on small sets (ADA, appendix C)")
    if cpu and not three:
        p.choose("conv_clamp", None, "only half precision on a GPU needs it")
    if not three:
        p.choose(
            "noise",
            not cpu,
            "noise inputs cost time, and small models print them as speckle" if cpu else "as published",
        )

    fit = max(min(processes * min(4096 // resolution, 32), 64), processes)
    batch = p.choose("batch", 16 if cpu else fit, "the least that is steady" if cpu else "fits common GPUs (ADA, auto)")
    p.choose(
        "kimg",
        500 if cpu else 25000,
        "a long day on a laptop" if cpu else "as published; good pictures come much earlier",
    )
    gamma = 0.0002 * resolution**2 / max(batch, 1)
    if cpu:
        gamma *= 16
    p.choose(
        "gamma",
        gamma,
        f"0.0002 x {resolution}^2 / {batch}" + (", times 16: short runs need a steadier D" if cpu else ""),
    )
    lr = 0.002 if resolution >= 1024 or three else 0.0025
    p.choose("lr_G", 0.0025 if three else lr, "as published")
    p.choose("lr_D", lr, "as published")
    p.choose(
        "style_mixing",
        0.0 if three else 0.5 if cpu else 0.9,
        "StyleGAN3 mixes none" if three else "keeps the rows apart",
    )
    p.choose(
        "ema_kimg", 5.0 if cpu else batch * 10 / 32, "a short run has a short memory" if cpu else "batch x 10 / 32"
    )
    p.choose("ema_rampup", 0.05, "forget the start as quickly as G leaves it")
    if family == "stylegan3-r":
        p.choose(
            "blur", 0.0 if transfer else 10.0, "R collapses early without it, unless it starts from a trained model"
        )
        p.choose("blur_kimg", batch * 200 / 32, "batch x 200 / 32")

    if count > 100_000:
        p.choose("augment", "none", f"{count} pictures are enough")
    else:
        p.choose("augment", "bgc", f"{count} pictures could be learnt by heart")
    p.choose(
        "ada_kimg", 100.0 if transfer else 500.0, "the first thousands of a transfer count most" if transfer else "ADA"
    )
    half = device == "cuda" and not three
    p.choose("precision", "fp16" if half else "fp32", "twice as fast on the widest blocks" if half else "exact")
    chosen = {name: choice.value for name, choice in p.choices.items()}
    recipe = Recipe(img_resolution=resolution, img_channels=img_channels, c_dim=c_dim, **(p.asked | chosen))
    for name in p.asked:
        p.choices.setdefault(name, Choice(getattr(recipe, name), "asked for"))
    return recipe, p.choices


def parse(texts: Sequence[str]) -> dict[str, Any]:
    """Fields of a recipe from texts such as "lr_G=0.002", "channels=128,64,32" or "ada_target=none".

    Raises KinesphereError for a name that no recipe has, or a value of another kind than its default.
    """
    kinds = {f.name: f.default for f in fields(Recipe) if f.name not in ("img_resolution", "img_channels", "c_dim")}
    return {name: read(name, value, kinds) for name, _, value in (text.partition("=") for text in texts)}


def read(name: str, text: str, kinds: dict[str, Any]) -> Any:
    if name not in kinds:
        raise KinesphereError(f"no {name!r} in a recipe: it has {', '.join(kinds)}")
    if text.lower() == "none" and name in ("ada_target", "ema_rampup", "conv_clamp", "at_once"):
        return None
    try:
        match kinds[name]:
            case bool():
                return {"yes": True, "true": True, "no": False, "false": False}[text.lower()]
            case int() | None:
                return int(text)
            case tuple():
                kind = {"channels": int, "betas": float}.get(name, str)
                return tuple(kind(part) for part in text.split(",") if part)
            case str():
                return text
            case _:
                return float(text)
    except (ValueError, KeyError):
        raise KinesphereError(f"{name}={text} cannot be read: its default is {kinds[name]!r}") from None


__all__: Sequence[str] = ["FAMILIES", "Choice", "Recipe", "parse", "plan", "widths"]
