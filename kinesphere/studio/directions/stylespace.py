"""Single style channels as sliders (StyleSpace: Wu et al. 2021): what a model has, and which go along with an attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.bends.bending import convolutions
from kinesphere.models import Generator
from kinesphere.studio.blending import layer_rows
from kinesphere.studio.directions.direction import Direction
from kinesphere.studio.latents import Fingerprint, affines
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

STILL = 1e-4  # of the largest deviation: a channel that varies less is dead


@torch.no_grad()
def styles_of(G: Generator, ws: Tensor) -> Tensor:
    """`ws` [N, num_ws, w_dim] -> all styles [N, styles], layer after layer: what `latents.styles` finds, without drawing."""
    rows = layer_rows(G)
    return torch.cat([F.linear(ws[:, rows[name]], *affine.used()) for name, affine in affines(G).items()], 1)


@dataclass(frozen=True, eq=False)
class StyleSpace:
    """The style channels of a model that make shapes and textures, and how natural latents spread over them.

    Channels that colour the picture, or place it, are left out, and dead ones, which are the same for all latents.
    """

    layers: Mapping[str, slice]  # where each layer's channels are among all styles
    mean: Tensor  # [styles]
    sigma: Tensor  # [styles]
    model: Fingerprint = field(default_factory=Fingerprint)

    @classmethod
    @torch.no_grad()
    def of(cls, G: Generator, class_index: int = 0, told: Fingerprint | None = None) -> StyleSpace:
        """Of a model, or of one of its classes: in closed form from the statistics of W, as styles are affine in w."""
        stats, made = natural(G, class_index), affines(G)
        A = torch.cat([affine.used()[0] for affine in made.values()])  # [styles, w_dim]
        sigma = (A @ (stats.vectors * stats.sigmas)).norm(dim=1)
        mean = styles_of(G, stats.mean.expand(1, G.num_ws, -1))[0]
        ends = torch.tensor([0, *(len(affine.bias) for affine in made.values())]).cumsum(0).tolist()
        places = {name: slice(a, b) for name, a, b in zip(made, ends[:-1], ends[1:], strict=True)}
        layers = {name: places[name] for name in convolutions(G, "all") if name in places}
        return cls(layers, mean.cpu(), sigma.cpu(), told or Fingerprint.of(G))

    def channels(self, layers: Sequence[str] = ()) -> list[int]:
        """Where among all styles the living channels of some layers are; of all layers, where none are named."""
        wanted = torch.zeros(len(self.mean), dtype=torch.bool)
        for name in layers or self.layers:
            wanted[self._layer(name)] = True
        return (wanted & (self.sigma > STILL * self.sigma.max())).nonzero()[:, 0].tolist()

    def channel(self, layer: str, number: int, **found: Any) -> Direction:
        """One channel as a direction, called "b16.conv0 12". Raises KinesphereError where there is none, or it is dead."""
        place = self._layer(layer)
        if not 0 <= number < place.stop - place.start:
            raise KinesphereError(f"no channel {number} in {layer}: it has 0 to {place.stop - place.start - 1}")
        at = place.start + number
        if self.sigma[at] <= STILL * self.sigma.max():
            raise KinesphereError(f"channel {number} of {layer} is the same for all latents: there is nothing to slide")
        vector = torch.zeros_like(self.mean)
        vector[at] = 1
        how = {"by": "stylespace", "layer": layer, "channel": number, **found}
        return Direction(vector, "s", f"{layer} {number}", sigma=float(self.sigma[at]), model=self.model, found=how)

    def at(self, place: int, **found: Any) -> Direction:
        """The channel at a place among all styles."""
        layer = next(name for name, there in self.layers.items() if there.start <= place < there.stop)
        return self.channel(layer, place - self.layers[layer].start, **found)

    def by_examples(self, styles: Tensor, count: int = 8) -> list[Direction]:
        """The channels in which examples of one thing agree, by their styles [N, styles], N from 2: the surest first.

        `score` is |mean| / deviation of the examples, in the deviations of natural latents; each points to where they are.
        This, like `by_labels`, tells what goes along with a thing, not what makes it: `reach.Effects` does. Raises KinesphereError
        for fewer than 2.
        """
        if len(styles) < 2:
            raise KinesphereError(f"{len(styles)} examples are too few: give 2 that share something, better 10 to 30")
        seen = self._standard(styles)
        return self.ranked(seen.mean(0) / seen.std(0).clamp_min(1e-6), count)

    def by_labels(self, styles: Tensor, labels: Tensor, count: int = 8) -> list[Direction]:
        """The channels that rise and fall with labels [N], yes or no or numbers, of samples [N, styles]; `score` is |correlation|.

        Raises KinesphereError where samples and labels do not fit, are fewer than 3, or all labels are the same.
        """
        said = torch.as_tensor(labels).double().cpu()
        if len(said) != len(styles) or len(said) < 3:
            raise KinesphereError(f"{len(said)} labels of {len(styles)} samples: needed is one for each, of 3 or more")
        if not bool(torch.isfinite(said).all()) or not float(said.std()) > 0:
            raise KinesphereError("all labels are the same, or one is no number: there is nothing to go by")
        seen = self._standard(styles)
        seen, said = seen - seen.mean(0), said - said.mean()
        return self.ranked(said @ seen / (seen.norm(dim=0).clamp_min(1e-9) * said.norm()), count)

    def ranked(self, scores: Tensor, count: int) -> list[Direction]:
        """The channels, of all that live, with the largest scores of either sign, pointing to where the score is positive."""
        taken, found = self.channels(), []
        for i in scores.abs().topk(min(count, len(taken))).indices.tolist():
            one = self.at(taken[i], score=abs(float(scores[i])))
            found.append(one if scores[i] >= 0 else one.turned())
        return found

    def _layer(self, name: str) -> slice:
        if name not in self.layers:
            raise KinesphereError(f"no layer {name!r} whose styles shape: there are {', '.join(self.layers)}")
        return self.layers[name]

    def _standard(self, styles: Tensor) -> Tensor:
        """Styles [N, styles] in deviations from the mean, of the living channels: [N, channels] float64."""
        taken = self.channels()
        return (styles.cpu()[:, taken].double() - self.mean[taken]) / self.sigma[taken]
