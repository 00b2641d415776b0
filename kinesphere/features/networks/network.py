"""What a frozen network is to a feature: pictures and names of layers in, feature maps out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from torch import Tensor

from kinesphere.types import KinesphereError


class Network(Protocol):
    """What Activations asks of a network. `weights` and `checkpoint` are what the patch and the engine give, each None or more."""

    LAYERS: ClassVar[tuple[str, ...]]  # names known beforehand; () where they depend on the checkpoint
    SMALLEST: ClassVar[int]  # pixels that no side of a picture may fall below

    default: tuple[str, ...]  # the layers listened to where none are named
    size: int  # pixels of the picture's longer side that suit it

    def __init__(self, weights: str | None, checkpoint: Any) -> None: ...

    def layers(self) -> tuple[str, ...]:
        """Every name that it can be asked for, in the order of the computation."""

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]: ...


@runtime_checkable
class Halving(Protocol):
    """A network that is large enough to gain by half precision."""

    def halve(self) -> None:
        """From now on compute in the half precision that the device computes fast, where there is one."""


def no_weights_for(network: str, weights: str | None) -> None:
    """Raise KinesphereError where weights are given to a network that takes none."""
    if weights is not None:
        raise KinesphereError(f"weights {weights!r} for the network {network!r}: it takes none; leave them out")


class Reached(Exception):
    """Every layer that was asked for has answered: the rest need not be computed."""
