"""What a checkpoint is once it is loaded: its networks, and a card that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from kinesphere.models import AnyDiscriminator, Generator
from kinesphere.types import KinesphereError


class BadCheckpoint(KinesphereError):
    """A file that cannot be played: damaged, of another kind, or claiming what it does not hold."""


class UnsafePickle(BadCheckpoint):
    """A file that asks for code to be run. Nothing of it was run."""


@dataclass(frozen=True)
class Card:
    """What a player wants to know about a checkpoint. Never a path, neither this machine's nor the trainer's."""

    family: str  # a name of `kinesphere.models.FAMILIES`
    img_resolution: int  # pixels, square
    z_dim: int
    w_dim: int
    c_dim: int  # number of classes; 0 is unconditional
    num_ws: int
    img_channels: int
    origin: str  # who wrote the file, in words
    parameters: int  # trainable numbers of one generator
    networks: tuple[str, ...]  # those that the file holds and that can be used, of "G_ema", "G", "D"
    sha256: str = ""  # of the source file, 64 hexadecimal digits; empty where there is no file
    notes: tuple[str, ...] = ()  # sentences: what was missing, computed or left out

    @classmethod
    def of(cls, networks: Mapping[str, nn.Module], origin: str, sha256: str = "", notes: tuple[str, ...] = ()) -> Card:
        """The card of these networks ("G_ema", perhaps "G" and "D")."""
        G: Any = networks["G_ema"]
        return cls(
            G.family, G.img_resolution, G.z_dim, G.w_dim, G.c_dim, G.num_ws, G.img_channels, origin,
            sum(p.numel() for p in G.parameters()), tuple(networks), sha256, notes,
        )  # fmt: skip

    def asdict(self) -> dict[str, Any]:
        """The card as plain data for JSON: tuples become lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(eq=False)
class Checkpoint:
    """Networks ready to play: float32, on the CPU, in eval mode, without gradients. None where the file has none."""

    G_ema: Generator  # the average generator: pictures come from here
    card: Card
    G: Generator | None = None
    D: AnyDiscriminator | None = None

    def networks(self) -> dict[str, nn.Module]:
        """Those that are there, by name, `G_ema` first."""
        named = {"G_ema": self.G_ema, "G": self.G, "D": self.D}
        return {name: network for name, network in named.items() if network is not None}
