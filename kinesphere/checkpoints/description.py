"""What a file says a network is (its family, its sizes, where its weights lie) and the building of that network.

Every format is read into a `Description`; only here does one become a model. Whatever a file claims is checked against the
rules of the family, and the sizes of the stored tensors against those of the network, before a weight is copied.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from kinesphere.checkpoints.checkpoint import BadCheckpoint, Card, Checkpoint
from kinesphere.checkpoints.rules import DISCRIMINATOR_RULES, GENERATOR_RULES, REQUIRED, Rule, shown
from kinesphere.checkpoints.stored import Changed, Stored, Unfilled
from kinesphere.checkpoints.tree import MEGABYTE
from kinesphere.models import DISCRIMINATORS, FAMILIES
from kinesphere.types import KinesphereError


class DoesNotFit(BadCheckpoint):
    """A network that is none of ours. For a discriminator this is no reason to refuse the whole file."""


@dataclass
class Tensors:
    """The tensors of one network by the names that the file gives them; a shape that is not there is refused by name."""

    tensors: Mapping[str, Stored]

    def shape(self, name: str, ndim: int) -> tuple[int, ...]:
        """Raises DoesNotFit where the tensor is missing or has another number of dimensions."""
        shape = self.plain(name).shape
        if len(shape) != ndim:
            raise DoesNotFit(f"{name} is {list(shape)} and should have {ndim} dimensions")
        return shape

    def plain(self, name: str) -> Stored:
        """The tensor as it is. Raises DoesNotFit where it is missing."""
        if name not in self.tensors:
            first = shown(next(iter(self.tensors), None))
            raise DoesNotFit(f"it has no tensor {name!r}; the first that it has is {first}")
        return self.tensors[name]

    def take(self, name: str, ndim: int, change: Callable[[Tensor], Tensor] | None = None) -> Stored:
        """The tensor, turned into our layout by `change`. Raises DoesNotFit as `shape` does."""
        self.shape(name, ndim)
        return self.tensors[name] if change is None else Changed(self.tensors[name], ndim, change)

    def numbered(self, pattern: str) -> list[int]:
        """The numbers, in order, that stand in tensor names of this pattern."""
        return sorted({int(found[1]) for name in self.tensors if (found := re.fullmatch(pattern, name))})


@dataclass
class Description:
    """One network of a file: the arguments of its constructor, and its weights by the names of our state dict."""

    kind: str  # "generator" or "discriminator"
    family: str
    config: dict[str, Any]
    tensors: dict[str, Stored]

    def __post_init__(self) -> None:
        """Raises DoesNotFit for arguments that the family does not have, or values that no network has."""
        rules = self.rules()
        for key, value in self.config.items():
            if key not in rules:
                raise DoesNotFit(f"{self} has an argument {str(key)[:40]!r}; there are {', '.join(rules)}")
            words, test = rules[key]
            if not test(value):
                raise DoesNotFit(f"{self} says {key} = {shown(value)}; it must be {words}")
        for key in REQUIRED[self.family]:
            if key not in self.config:
                raise DoesNotFit(f"{self} does not say its {key}")
        self.check_together()

    def rules(self) -> dict[str, Rule]:
        known = GENERATOR_RULES if self.kind == "generator" else DISCRIMINATOR_RULES
        if self.family not in known:
            raise DoesNotFit(f"there is no {self.kind} family {shown(self.family)}; there are {', '.join(known)}")
        return known[self.family]

    def check_together(self) -> None:
        """What must hold between arguments."""
        c = self.config
        channels, octaves = c.get("channels"), int(math.log2(c["img_resolution"])) - 1
        if self.family == "stylegan3":
            layers, critical = c.get("num_layers", 14), c.get("num_critical", 2)
            cutoff, stopband = c.get("first_cutoff", 2.0), c.get("first_stopband", 2**2.1)
            if critical >= layers or cutoff >= stopband or cutoff > c["img_resolution"] / 2:
                raise DoesNotFit(f"{self} has layers and cutoffs that belong to no StyleGAN3")
            if channels and (len(channels) != layers + 1 or channels[-1] != c.get("img_channels", 3)):
                raise DoesNotFit(f"{self} has {len(channels)} widths for {layers + 1} layers")
        elif channels is None or len(channels) != octaves:
            raise DoesNotFit(f"{self} has {len(channels or [])} widths for {octaves} resolutions")
        elif self.kind == "discriminator":
            if c["img_resolution"] < 8 or channels[0] % (c.get("mbstd_channels", 1) or 1):
                raise DoesNotFit(f"{self} compares pictures in parts that do not divide its {channels[0]} channels")
            if not c.get("mapping_layers", 8) and (c.get("embed_dim") or channels[0]) != (
                c.get("cmap_dim") or channels[0]
            ):
                raise DoesNotFit(f"{self} maps a class to another size than it compares with")

    def __str__(self) -> str:
        return f"the {self.kind} ({self.family})"

    def skeleton(self) -> nn.Module:
        """The network without weights, which names and sizes of the stored tensors fit. Raises DoesNotFit, naming the tensor."""
        known = FAMILIES if self.kind == "generator" else DISCRIMINATORS
        try:
            with Unfilled():
                model = known[self.family](**self.config)
        except KinesphereError as error:
            raise DoesNotFit(f"{self} cannot be built: {error}") from None
        wanted = model.state_dict()
        if missing := [name for name in wanted if name not in self.tensors]:
            raise DoesNotFit(f"{self} lacks {len(missing)} tensors, first {missing[0]!r}")
        if unknown := [name for name in self.tensors if name not in wanted]:
            raise DoesNotFit(f"{self} has {len(unknown)} tensors that no {self.family} has, first {unknown[0][:80]!r}")
        for name, tensor in wanted.items():
            found = self.tensors[name].shape
            if found != tuple(tensor.shape):
                raise DoesNotFit(f"{self}: {name} is {list(found)} and should be {list(tensor.shape)}")
        return model

    def fill(self, model: nn.Module) -> nn.Module:
        """Copy the weights into a skeleton. Raises BadCheckpoint for numbers that are not finite."""
        weights = {}
        for name, stored in self.tensors.items():
            weights[name] = stored.read()
            if not all(math.isfinite(x) for x in weights[name].aminmax()):  # not a number is least and largest at once
                raise BadCheckpoint(
                    f"{self}: {name} holds numbers that are infinite or not numbers; the training broke down or the file is damaged"
                )
        model.load_state_dict(weights, strict=True, assign=True)
        return model.eval().requires_grad_(False)


@dataclass
class Described:
    """All networks of one file, by name, "G_ema" always among them."""

    origin: str
    networks: dict[str, Description]
    notes: list[str] = field(default_factory=list)
    strict: bool = False  # whether a discriminator that does not fit spoils the file

    def skeletons(self) -> dict[str, nn.Module]:
        """The networks without weights. A foreign discriminator is left out, and noted."""
        found = {}
        for name, description in self.networks.items():
            try:
                found[name] = description.skeleton()
            except DoesNotFit as error:
                if name != "D" or self.strict:
                    raise
                self.leave_out_discriminator(error)
        return found

    def leave_out_discriminator(self, why: Exception) -> None:
        self.notes.append(f"the discriminator was left out: {why}")

    def card(self, sha256: str) -> Card:
        """Without reading a weight."""
        return Card.of(self.skeletons(), self.origin, sha256, tuple(self.notes))

    def checkpoint(self, sha256: str, size: int) -> Checkpoint:
        """The networks of a file of `size` bytes. Raises BadCheckpoint when they would need more memory than it can hold."""
        found = self.skeletons()
        needed = sum(t.nbytes for name in found for t in self.networks[name].tensors.values())
        if needed > 3 * size + 64 * MEGABYTE:  # weights may be shared: G and G_ema can be one network
            raise BadCheckpoint(
                f"its networks claim {needed} bytes of weights in a file of {size}; it was made to exhaust this machine"
            )
        card = Card.of(found, self.origin, sha256, tuple(self.notes))
        networks: dict[str, Any] = {name: self.networks[name].fill(model) for name, model in found.items()}
        return Checkpoint(networks["G_ema"], card, networks.get("G"), networks.get("D"))
