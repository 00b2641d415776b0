"""The same pictures in many spaces: their latents, what goes on within the model, what looks at them, their pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere import latent
from kinesphere.bends import bent
from kinesphere.bends.bending import convolutions
from kinesphere.checkpoints import Checkpoint
from kinesphere.features.networks import Discriminator
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio import encoder
from kinesphere.studio.latents import Fingerprint, affines
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

SPACES = {
    "z": "the Gaussian latent",
    "w": "what the mapping network makes of it",
    "styles": "what the layers make of w",
    "discriminator": "the last features of the model's discriminator",
    "encoder": "the w that the model's encoder guesses",
    "pixels": "the picture, at 64 px",
}
LATENTS = ("z", "w", "styles")  # whose axes can be turned
LAYERS = 4  # of the generator, where none are named
SMALL = 64  # pixels
MOST = 256  # numbers of a picture that lines are laid through; wider spaces are brought to their principal components
OTHERS = 1000  # pictures of other seeds, whose principal components these are
FLAT = 1e-4  # of the widest component: what is narrower is the rounding of float32
BATCH = 8  # pictures drawn together; a thousand pixels wide, more would fill the memory

Eye = Callable[[Tensor], np.ndarray]  # pictures uint8 [N, 3, H, W] -> [N, D]
Teller = Callable[[Tensor], Mapping[str, np.ndarray]]  # the same pictures -> labels, name -> [N]


@dataclass(frozen=True, eq=False)
class Space:
    """Pictures as points: `x` is what lines are laid through, `own` the same on the axes that a hand could turn."""

    x: np.ndarray  # [N, D], D at most MOST where `representations` made it
    own: np.ndarray | None = None  # [N, C]; None: its axes are nobody's
    columns: int = 0  # how many numbers a picture had before it came to x


def representations(
    checkpoint: Checkpoint,
    seeds: Sequence[int],
    class_index: int = 0,
    wanted: Sequence[str] | None = None,
    eyes: Mapping[str, Eye] | None = None,
    teller: Teller | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[dict[str, Space], dict[str, np.ndarray]]:
    """Each seed's picture in each space, and what `teller` says of it: (name -> Space, label -> [N]).

    wanted  names of SPACES, and layers of the model ("b16.conv1"), whose activations are averaged over the picture; None: those
            of SPACES that this model has, and four layers from coarse to fine
    eyes    whatever else looks at pictures: name -> callable
    A space of more than MOST numbers is brought to its principal components, which are those of other seeds' pictures: nothing of
    the pictures that are told is in them. Raises KinesphereError for no such space, layer or class, and for a name twice.
    """
    look = _Look(checkpoint, class_index, available(checkpoint, class_index) if wanted is None else wanted, eyes or {})
    first, asked = look(seeds[:1])[0], set(seeds)
    wide = [name for name, x in first.items() if x.shape[1] > MOST]
    others = [seed for seed in range(len(seeds) + OTHERS) if seed not in asked][:OTHERS] if wide else []
    count = len(others) + len(seeds)
    drawn = _drawn(look, others, lambda done: progress(done, count))
    apart = _joined([{name: found[name] for name in wide} for found, _ in drawn])
    axes = {name: _components(x) for name, x in apart.items()}
    rows, labels = [], []
    for found, pictures in _drawn(look, seeds, lambda done: progress(len(others) + done, count)):
        own = {f"own {name}": found[name] for name in LATENTS if name in found}
        rows.append(own | {n: (x - axes[n][0]) @ axes[n][1] if n in axes else x for n, x in found.items()})
        labels.append(dict(teller(pictures)) if teller else {})
    joined = _joined(rows)
    spaces = {name: Space(joined[name], joined.get(f"own {name}"), x.shape[1]) for name, x in first.items()}
    return spaces, _joined(labels)


def available(checkpoint: Checkpoint, class_index: int = 0) -> list[str]:
    """The names of SPACES that a model has, with four of its layers, from z to the pixels."""
    G = checkpoint.G_ema
    inner = convolutions(G, "all")
    layers = [inner[i] for i in sorted({round(i) for i in np.linspace(0, len(inner) - 1, LAYERS)})]
    has = ["discriminator"] if checkpoint.D is not None else []
    has += ["encoder"] if encoder.chosen("own", Fingerprint.of(G), class_index) else []
    return ["z", "w", "styles", *layers, *has, "pixels"]


class _Look:
    """Draws seeds and takes down what is wanted: `look(seeds)` -> (name -> [N, D] float32, pictures uint8 [N, 3, H, W])."""

    def __init__(
        self, checkpoint: Checkpoint, class_index: int, wanted: Sequence[str], eyes: Mapping[str, Eye]
    ) -> None:
        self.G, self.class_index, self.wanted = checkpoint.G_ema, class_index, wanted
        layers = self.G.layers()
        for name in wanted:
            if name not in SPACES and name not in layers:
                raise KinesphereError(f"no space {name!r}: choose {', '.join(SPACES)}, or a layer: {', '.join(layers)}")
        for name in eyes:
            if name in wanted:
                raise KinesphereError(f"two spaces are named {name!r}: leave one of them out")
        self.layers = [name for name in wanted if name in layers]
        self.styles = [f"{name}.affine" for name in affines(self.G)] if "styles" in wanted else []
        self.eyes = dict(eyes)
        if "discriminator" in wanted:
            self.eyes["discriminator"] = _critic(Discriminator(checkpoint=checkpoint))
        if "pixels" in wanted:
            self.eyes["pixels"] = small
        self.guess = self._guess() if "encoder" in wanted else None

    def _guess(self) -> encoder.Encoder:
        found = encoder.chosen("own", Fingerprint.of(self.G), self.class_index)
        if found is None:
            raise KinesphereError("no encoder comes with this model: leave 'encoder' out, or give one as an eye")
        return found.to(self.G.w_avg.device)

    @torch.no_grad()
    def __call__(self, seeds: Sequence[int]) -> tuple[dict[str, np.ndarray], Tensor]:
        z = latent.seeds_to_z(seeds, self.G.z_dim)
        ws = z_to_ws(self.G, z, self.class_index)
        with _seen(self.G, [*self.layers, *self.styles]) as seen:
            img = self.G.synthesis(ws)
        found = {"z": z, "w": ws[:, 0], **seen}
        if self.styles:
            found["styles"] = torch.cat([seen[place] for place in self.styles], 1)
        if self.guess is not None:
            found["encoder"] = self.guess(img.float())
        pictures = to_pixels(img).permute(0, 3, 1, 2).cpu()
        rows = {name: x.float().cpu().numpy() for name, x in found.items()}
        rows |= {name: np.asarray(eye(pictures), np.float32) for name, eye in self.eyes.items()}
        others = [name for name in self.eyes if name not in self.wanted]
        return {name: rows[name] for name in (*self.wanted, *others)}, pictures


def _drawn(
    look: _Look, seeds: Sequence[int], advance: Callable[[int], None]
) -> Iterator[tuple[dict[str, np.ndarray], Tensor]]:
    for i in range(0, len(seeds), BATCH):
        yield look(seeds[i : i + BATCH])
        advance(min(i + BATCH, len(seeds)))


@contextmanager
def _seen(G: Generator, places: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """What these parts of the model give while a picture is drawn within: numbers as they are, maps averaged; [N, C] each."""
    seen: dict[str, Tensor] = {}

    def keep(place: str, x: Tensor) -> Tensor:
        seen[place] = x.float().mean((2, 3)) if x.ndim == 4 else x.float()
        return x

    with bent(G, {place: partial(keep, place) for place in places}):
        yield seen


def small(pictures: Tensor) -> np.ndarray:
    """Pictures uint8 [N, 3, H, W] as their pixels, at SMALL px or less: [N, 3 SMALL SMALL], 0 to 1."""
    x = pictures.float() / 255
    if max(x.shape[2:]) > SMALL:
        x = F.interpolate(x, (SMALL, SMALL), mode="area")
    return x.flatten(1).numpy()


def _critic(network: Discriminator) -> Eye:
    """The last features of D, of each picture by itself: in a batch, D would compare it with its neighbours."""
    last = network.layers()[-2]

    def look(pictures: Tensor) -> np.ndarray:
        seen = [network(one.float() / 255, [last])[last].flatten(1) for one in pictures.split(1)]
        return torch.cat(seen).float().cpu().numpy()

    return look


def _components(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean [D] of points [N, D], and their first principal components [D, MOST], or those in which they extend at all."""
    from sklearn.decomposition import PCA

    found = PCA(MOST, svd_solver="randomized", random_state=0).fit(x)
    extends = found.singular_values_ > FLAT * found.singular_values_[0]
    return found.mean_, found.components_[extends].T


def _joined(found: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in found]) for name in (found[0] if found else {})}
