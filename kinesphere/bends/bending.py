"""`bent` puts operations into a model and takes them out again; places are where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from kinesphere.ops import clamped
from kinesphere.types import KinesphereError

Operation: TypeAlias = Callable[[Tensor], Tensor]
"""What is done to what a layer gives [N, C, H, W], or to one of the model's own tensors. It changes nothing in place."""

Bending: TypeAlias = Mapping[str, Operation]
"""From a place in the model to what is done there.

A place is a layer ("b8.conv1", "L3"), bent after its activation; a block ("b16"), whose activations and picture so far are bent
alike; any other part ("input.affine"); or one of their tensors ("b4.const", "b8.conv0.noise_strength"). The names are those of
`G.layers()`, or of the state dict without "synthesis." before them.
"""


class Bendable(Protocol):
    """What a bend asks of a generator."""

    family: ClassVar[str]
    num_ws: int
    synthesis: nn.Module

    @property
    def w_avg(self) -> Tensor: ...
    def layers(self) -> dict[str, nn.Module]: ...
    def rows(self, band: str) -> slice: ...


@contextmanager
def bent(G: Bendable, *bendings: Bending) -> Iterator[None]:
    """Within this `G` is bent. On leaving, also by an exception, it is as it was: no number of it was ever touched.

    Where bendings meet in one place they act in the order given, one within another after the outer one; each place has its turn
    as the model comes to it. An operation is given what is there, in half precision too, and what it makes goes on in the same
    dtype and memory format. One thread at a time may bend a generator; others are not touched.
    Raises KinesphereError for a place that the model has not.
    """
    with ExitStack() as undo:
        for bending in bendings:
            for place, operation in bending.items():
                part, tensor = find(G, place)
                undo.enter_context(_after(part, operation) if tensor is None else _shadow(part, tensor, operation))
        yield


def find(G: Bendable, place: str) -> tuple[nn.Module, str | None]:
    """The part of the model that a place names; for a tensor its part and its name. Raises KinesphereError for no such place."""
    layers = G.layers()
    inside = max((name for name in layers if f"{place}.".startswith(f"{name}.")), key=len, default=None)
    part, path = (G.synthesis, place) if inside is None else (layers[inside], place[len(inside) + 1 :])
    names = path.split(".") if path else []
    for name in names[:-1]:
        part = part._modules.get(name) or nn.Module()
    if not names:
        return part, None
    inner = part._modules.get(names[-1])
    if inner is not None:
        return inner, None
    if part._parameters.get(names[-1]) is None and part._buffers.get(names[-1]) is None:
        raise KinesphereError(f"no place {place!r} in this {G.family}: its layers are {', '.join(layers)}")
    return part, names[-1]


def has(G: Bendable, place: str) -> bool:
    """Whether the model has such a place."""
    try:
        find(G, place)
    except KinesphereError:
        return False
    return True


def tensor(G: Bendable, place: str) -> Tensor:
    """The model's tensor of that name; as it is bent, where it is."""
    part, name = find(G, place)
    return getattr(part, str(name))


def convolutions(G: Bendable, at: str) -> list[str]:
    """The layers that `at` names: one ("b16.conv1", "L3"), those of a block ("b16") or a band ("coarse", "middle", "fine", "all").

    Layers that colour the picture, and the input that places it, are in none of these. Raises KinesphereError for no such layers.
    """
    layers = G.layers()
    driven = [
        name for name in layers if not name.endswith("torgb")
    ]  # in every family, row i of `ws` drives the i-th of these
    inner = [name for name in driven if name != "input" and not getattr(layers[name], "is_torgb", False)]
    named = [name for name in inner if f"{name}.".startswith(f"{at}.")]
    if named:
        return named
    try:
        rows = range(G.num_ws)[G.rows(at)]
    except KinesphereError:
        raise KinesphereError(
            f"no layers {at!r}: there are the bands all, coarse, middle, fine, and {', '.join(inner)}"
        ) from None
    return [name for i, name in enumerate(driven) if i in rows and name in inner]


def group_of(count: int, group: int, of: int) -> slice:
    """The channels of one group, of `count` in `of` parts as equal as can be. Raises KinesphereError for no such group."""
    if not 0 <= group < of <= count:
        raise KinesphereError(
            f"no group {group} of {of}: {count} channels are parted into 1 to {count}, counted from 0 to of - 1"
        )
    return slice(group * count // of, (group + 1) * count // of)


def only(chosen: slice, operation: Operation) -> Operation:
    """An operation on some channels, of a tensor [C, ...] or [N, C, H, W]; the others stay as they are."""

    def bend(x: Tensor) -> Tensor:
        axis = 1 if x.ndim == 4 else 0
        before, after = chosen.start, x.shape[axis] - chosen.stop
        first, inside, last = x.split([before, x.shape[axis] - before - after, after], axis)
        return torch.cat([first, operation(inside), last], axis)

    return bend


class Still:
    """An operation that does to a tensor what it did to it before: what it made of the last two is kept.

    So what follows gets the same object again, and knows that nothing has changed (`kinesphere.runtime.memory`). What it makes has
    the dtype and the memory format of what it was given.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.made: list[tuple[Tensor, Tensor]] = []  # two, as a block gives activations and the picture so far

    def __call__(self, x: Tensor) -> Tensor:
        for known, made in self.made:
            if known is x:
                return made
        y = clamped(self.operation(x).to(x.dtype), None)  # float16 ends at 65504: as the model's own layers are held
        if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
            y = y.contiguous(memory_format=torch.channels_last)
        self.made = [*self.made[-1:], (x, y)]
        return y


@contextmanager
def _after(part: nn.Module, operation: Operation) -> Iterator[None]:
    """Let what a part of the model gives go through an operation; all of it, where it gives activations and the picture so far."""

    bend = operation if isinstance(operation, Still) else Still(operation)

    def hook(_: nn.Module, __: object, out: Tensor | tuple[Tensor | None, ...]) -> Tensor | tuple[Tensor | None, ...]:
        return bend(out) if isinstance(out, Tensor) else tuple(None if x is None else bend(x) for x in out)

    handle = part.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _shadow(part: nn.Module, name: str, operation: Operation) -> Iterator[None]:
    """Let `part.name` read as another tensor.

    Python looks into an object's own dictionary before torch looks among parameters and buffers, and these stay as they are: a
    state dict that is taken meanwhile is the model's.
    """
    outer = part.__dict__.get(name)
    part.__dict__[name] = operation(getattr(part, name))
    try:
        yield
    finally:
        if outer is None:
            del part.__dict__[name]
        else:
            part.__dict__[name] = outer
