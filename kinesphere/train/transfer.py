"""Starting a training from a model that exists: what is kept, what is made to fit, and what begins anew, said in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from kinesphere.checkpoints import Checkpoint
from kinesphere.models import AnyDiscriminator, Discriminator, Generator
from kinesphere.ops import normalize_2nd_moment
from kinesphere.train.growing import equalised, grow_discriminator, grow_generator, next_width, rebuilt
from kinesphere.types import KinesphereError

LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue look (ITU-R BT.601)
SMALLEST = 8  # px: one block above the 4 px that every model begins with

X = TypeVar("X", Generator, AnyDiscriminator)


@dataclass(eq=False)
class Start:
    """Networks to train, copies of those in a checkpoint, at the sizes that were asked for."""

    G: Generator  # in training mode, with gradients
    D: AnyDiscriminator  # likewise, but for what is frozen
    G_ema: Generator  # in eval mode, without gradients
    notes: list[str]  # sentences: what was kept, changed or begun anew
    frozen: list[str]  # parameters of D that do not learn


def start_from(
    checkpoint: Checkpoint,
    resolution: int,
    img_channels: int,
    c_dim: int,
    freeze: int = 0,
    seed: int = 0,
    noise: bool | None = None,
) -> Start:
    """Networks for pictures of `resolution` px, `img_channels` colours and `c_dim` classes, from a checkpoint of other sizes.

    Twice the size (or 4x, 8x ...) is grown, half of it loses the highest blocks: StyleGAN2 "skip" only. Grey and RGB become each
    other. Classes come, go or change their number in any family. A file without D gets a fresh one. `noise`: whether StyleGAN2
    has its noise inputs, silent at first where they are new; None leaves them. Widths and all else are the checkpoint's.
    `freeze`: blocks of D that do not learn, see `freeze_d`. `seed`: of all fresh weights.
    Raises KinesphereError, with both sizes and the way out, for what cannot be made to fit.
    """
    source = Source(checkpoint, seed)
    source.recolour(img_channels)
    source.resize(resolution)
    source.reclassify(c_dim)
    source.resow(noise)
    source.complete()
    return source.start(freeze)


class Source:
    """A checkpoint's networks on their way to other sizes, and what is to be said about it."""

    def __init__(self, checkpoint: Checkpoint, seed: int) -> None:
        self.G: Generator = checkpoint.G or checkpoint.G_ema
        self.G_ema, self.D, self.seed = checkpoint.G_ema, checkpoint.D, seed
        self.notes: list[str] = []
        self.untrained = ""  # why D's highest block has nothing to freeze yet
        self.left_out = [note for note in checkpoint.card.notes if "discriminator" in note]
        if checkpoint.G is None:
            self.notes.append("the file has no G besides its average: G starts from G_ema")

    def each(
        self, generator: Callable[[Generator], Generator], discriminator: Callable[[Any], AnyDiscriminator]
    ) -> None:
        self.G, self.G_ema = generator(self.G), generator(self.G_ema)
        self.D = self.D and discriminator(self.D)

    def recolour(self, img_channels: int) -> None:
        have = self.G.img_channels
        if img_channels == have:
            return
        if {have, img_channels} != {1, 3}:
            raise KinesphereError(
                f"a model of {have} colour channels cannot start on pictures of {img_channels}: only 1 (grey) and 3 (RGB) become "
                f"each other; give pictures of {have} channels, or start afresh"
            )
        self.each(lambda G: recoloured_generator(G, img_channels), lambda D: recoloured_discriminator(D, img_channels))
        said = "from RGB to grey, as bright as it was" if img_channels == 1 else "from grey to RGB, grey at first"
        self.notes.append(f"the colours were changed {said}")

    def resize(self, resolution: int) -> None:
        have = self.G.img_resolution
        if resolution == have:
            return
        check_sizes(self.G, resolution)
        if resolution > have:
            while self.G.img_resolution < resolution:
                self.each(
                    lambda G: grow_generator(G, next_width(G), self.seed),
                    lambda D: grow_discriminator(D, next_width(D), self.seed),
                )
            self.untrained = f"was grown from {have} px and is fresh"
            self.notes.append(
                f"grown from {have} px to {resolution} px: at first it draws the same pictures larger, "
                "and judges pictures made smaller"
            )
            return
        self.each(
            lambda G: shrunk(G, resolution, self.seed),
            lambda D: shrunk(D, resolution, self.seed),
        )
        self.notes.append(
            f"shrunk from {have} px to {resolution} px: the higher blocks were dropped, and with them what they added to "
            "the picture"
        )
        if self.D is not None and self.D.config["architecture"] != "skip":
            self.untrained = "has a fresh fromrgb"
            self.notes.append(
                f"D's entrance for pictures of {resolution} px (fromrgb) is fresh: its opinions are rough at first"
            )

    def reclassify(self, c_dim: int) -> None:
        have = self.G.c_dim
        if c_dim == have:
            return
        if c_dim < 0:
            raise KinesphereError(f"there cannot be {c_dim} classes: give 0 (none) or more")
        self.each(
            lambda G: reclassed_generator(G, c_dim, self.seed), lambda D: reclassed_discriminator(D, c_dim, self.seed)
        )
        if not have:
            said = "at first all of them look the same, and are judged as before"
        elif not c_dim:
            said = "the mean of the old classes takes their place"
        else:
            said = "what a class is called by (the embedding) is fresh, so no class is what it was"
        self.notes.append(f"classes: {have or 'none'} before, {c_dim or 'none'} now; {said}")

    def resow(self, noise: bool | None) -> None:
        """With noise inputs, or without."""
        have = self.G.config.get("use_noise")
        if noise is None or have is None or noise == have:
            return
        self.each(lambda G: rebuilt(G, self.seed, use_noise=noise)[0], lambda D: D)
        self.notes.append(
            "noise inputs came in, which say nothing at first"
            if noise
            else "the noise inputs were left out, and their grain"
        )

    def complete(self) -> None:
        """A fresh D where there is none; and say so if all was kept."""
        if self.D is None:
            self.D = fresh_discriminator(self.G, self.seed)
            self.untrained = "is fresh"
            self.notes += self.left_out
            self.notes.append(
                "there is no D to start from, so it is fresh: for the first thousands of pictures it knows nothing, and G may "
                "lose some of what it could; a file with D is a better start"
            )
        if not self.notes:
            self.notes.append("taken as it is")

    def start(self, freeze: int) -> Start:
        given: list[Any] = [self.G, self.D, self.G_ema]
        G, D, G_ema = (rebuilt(network)[0] for network in given)  # what was given stays as it is
        G.train().requires_grad_(True)
        D.train().requires_grad_(True)
        G_ema.eval().requires_grad_(False)
        if freeze and self.untrained:
            raise KinesphereError(
                f"freeze_d {freeze} would keep D from learning what it does not know yet: its highest block {self.untrained}; "
                "set freeze_d to 0, and freeze when you start again from what this run has made"
            )
        frozen = freeze_d(D, freeze)
        if frozen:
            self.notes.append(
                f"{freeze} of {len(D.resolutions) - 1} blocks of D are frozen, from {D.img_resolution} px down"
            )
        return Start(G, D, G_ema, self.notes, frozen)


def freeze_d(D: Any, blocks: int) -> list[str]:
    """Keep the `blocks` highest-resolution blocks of a discriminator from learning, fromrgb with them; their parameters' names.

    Freeze-D (Mo et al. 2020, "Freeze the Discriminator"): what D knows about edges and texture stays, for small picture sets.
    Raises KinesphereError for more blocks than there are above 4 px.
    """
    most = len(D.resolutions) - 1
    if not 0 <= blocks <= most:
        raise KinesphereError(
            f"freeze_d {blocks} cannot be: this D of {D.img_resolution} px has {most} blocks, give 0 to {most}"
        )
    prefixes = tuple(f"b{r}." for r in D.resolutions[:blocks])
    frozen = [(name, p) for name, p in D.named_parameters() if name.startswith(prefixes)] if prefixes else []
    for _, p in frozen:
        p.requires_grad_(False)
    return [name for name, _ in frozen]


# Sizes ----------------------------------------------------------------------------------------------------------------


def check_sizes(G: Generator, resolution: int) -> None:
    """Raise KinesphereError unless the model can be grown or shrunk to the resolution."""
    have = G.img_resolution
    afresh = f"give pictures of {have} px, or start afresh at {resolution} px"
    architecture = G.config.get("architecture", "")
    if G.family != "stylegan2" or architecture != "skip":
        kind = f"{G.family} {architecture!r}" if architecture else G.family
        raise KinesphereError(
            f"a {kind} of {have} px cannot start at {resolution} px: only a stylegan2 'skip' has a picture at every size; {afresh}"
        )
    sizes = [2**i for i in range(3, 15) if 2**i <= max(4 * have, 1024)]
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise KinesphereError(
            f"a model of {have} px cannot start at {resolution} px: it can be doubled or halved, so give pictures of one of "
            f"{', '.join(map(str, sizes))} px"
        )


def shrunk(network: X, resolution: int, seed: int) -> X:
    """Without the blocks above `resolution`. The picture is the sum up to there; `ws` has as many rows fewer."""
    count = resolution.bit_length() - 2  # of 4 ... resolution px
    return rebuilt(network, seed, img_resolution=resolution, channels=network.config["channels"][:count])[0]


# Colours --------------------------------------------------------------------------------------------------------------


def colour_map(have: int, want: int) -> Tensor:
    """[want, have]: RGB to grey by brightness, grey to RGB by repetition."""
    return torch.tensor([LUMA]) if want < have else torch.ones(3, 1)


def colour_layers(G: Generator) -> list[str]:
    """The layers that make colours, by name."""
    if G.family == "stylegan3":
        return [f"synthesis.{G.synthesis.layer_names[-1]}"]  # type: ignore[index]
    return [name for name, _ in G.named_modules() if name.endswith("torgb")]


@torch.no_grad()
def recoloured_generator(G: Generator, img_channels: int) -> Generator:
    """The same pictures in grey, or in three colours that are grey. Exact while ToRGB is not clamped: it is linear."""
    changes: dict[str, Any] = {"img_channels": img_channels}
    if G.family == "stylegan3" and G.config["channels"]:
        changes["channels"] = [*G.config["channels"][:-1], img_channels]
    made, _ = rebuilt(G, **changes)
    mix = colour_map(G.img_channels, img_channels)
    for name, new in zip(colour_layers(G), colour_layers(made), strict=True):
        old = G.get_submodule(name).state_dict()
        for key in ("weight", "bias"):
            old[key] = torch.tensordot(mix.to(old[key]), old[key], 1)
        made.get_submodule(new).load_state_dict(old)
    return made


@torch.no_grad()
def recoloured_discriminator(D: AnyDiscriminator, img_channels: int) -> AnyDiscriminator:
    """Judges a picture as D judges that picture in D's own colours. Exact: fromrgb begins linearly."""
    made, _ = rebuilt(D, img_channels=img_channels)
    mix = colour_map(img_channels, D.img_channels)  # [old, new]
    for name, new in made.named_modules():
        if name.endswith("fromrgb"):
            old: Any = D.get_submodule(name)
            used = torch.einsum("oihw,ij->ojhw", old.weight / equalised(old), mix.to(old.weight))
            new.weight.copy_(used * equalised(new))
    return made


# Classes --------------------------------------------------------------------------------------------------------------


def every_class(network: Any) -> Tensor:
    """All classes of a model, one-hot [c_dim, c_dim]."""
    return torch.eye(network.c_dim, device=next(network.parameters()).device)


@torch.no_grad()
def reclassed_generator(G: Generator, c_dim: int, seed: int = 0) -> Generator:
    """Another number of classes. From none: each draws what was drawn. To none: w of the mean class input, about.

    From some to others the embedding is fresh.
    """
    if not G.config["mapping_layers"]:
        raise KinesphereError(
            f"a mapping without layers cannot change from {G.c_dim} classes to {c_dim}: keep {G.c_dim}"
        )
    # With classes that are normalised by themselves, z is what it was without them.
    made, _ = rebuilt(G, seed, c_dim=c_dim, **({} if G.c_dim or "label" not in G.config else {"label": "embed"}))
    old: Any = G.mapping
    new: Any = made.mapping
    if G.c_dim and c_dim:
        return made
    scale = math.sqrt(
        new.fc0.weight.shape[1] / old.fc0.weight.shape[1]
    )  # equalised learning rate divides by the inputs
    new.fc0.weight.zero_()
    new.fc0.weight[:, : G.z_dim] = old.fc0.weight[:, : G.z_dim] * scale
    if G.c_dim:
        embedded = normalize_2nd_moment(old.embed(every_class(G)))
        given = embedded @ old.fc0.weight[:, G.z_dim :].t() * old.fc0.weight_gain  # [c_dim, width]
        new.fc0.bias += given.mean(0) / old.fc0.lr
    return made


@torch.no_grad()
def reclassed_discriminator(D: AnyDiscriminator, c_dim: int, seed: int = 0) -> AnyDiscriminator:
    """Another number of classes. From none: each is judged as before. To none: the mean opinion of all classes.

    From none to hundreds it is as before to about 1 %.
    From some to others: with one logit per class each begins as their mean; with a mapped class its embedding is fresh.
    """
    made: Any = rebuilt(D, seed, c_dim=c_dim)[0]
    old: Any = D
    if D.config.get("label", "per_class") == "per_class":
        share = torch.full([max(c_dim, 1), max(D.c_dim, 1)], 1 / max(D.c_dim, 1))  # [new, old]
    elif not D.c_dim:
        # The logit is the product with the mapped class: find what has the product 1 with each of them.
        # The smallest singular values are left out: with hundreds of classes they would ask for huge weights.
        cmap = made.mapping(None, every_class(made)).double()  # [c_dim, cmap_dim]
        share = torch.linalg.pinv(cmap / math.sqrt(cmap.shape[1]), rtol=0.01).sum(1, keepdim=True)  # [cmap_dim, 1]
    elif not c_dim:
        cmap = old.mapping(None, every_class(D))
        share = cmap.mean(0, keepdim=True) / math.sqrt(cmap.shape[1])  # [1, cmap_dim]
    else:
        return made
    share = share.to(old.b4.out.weight)
    made.b4.out.weight.copy_(share @ old.b4.out.weight)
    made.b4.out.bias.copy_(share @ old.b4.out.bias)
    return made


# A discriminator where there is none ----------------------------------------------------------------------------------


def fresh_discriminator(G: Generator, seed: int = 0) -> Discriminator:
    """A residual discriminator of G's size and widths, as constructed from `seed`."""
    resolution = G.img_resolution
    if resolution & (resolution - 1):
        raise KinesphereError(
            f"the file has no discriminator, and none can be made for {resolution} px, which is no power of two; "
            "give a checkpoint that has one"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = Discriminator(
            img_resolution=resolution, channels=widths(G), img_channels=G.img_channels, c_dim=G.c_dim,
            conv_clamp=G.config.get("conv_clamp"),
        )  # fmt: skip
    return made.to(G.w_avg.device)


def widths(G: Generator) -> list[int]:
    """Channels at 4, 8, ... px: those of G, or for StyleGAN3 what halves with each doubling and ends as G does."""
    if G.family != "stylegan3":
        return list(G.config["channels"])
    layers: list[Any] = list(G.layers().values())[1:-1]  # between the input and the colours
    drawn = [layer.weight.shape[0] for layer in layers]
    share = 2 if G.config["use_radial_filters"] else 1  # config R has twice the channels, its D has not
    sizes = [4 << i for i in range(G.img_resolution.bit_length() - 2)]
    return [max(min(drawn[-1] * G.img_resolution // r, max(drawn)) // share, 1) for r in sizes]
