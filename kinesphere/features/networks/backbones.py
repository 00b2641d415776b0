"""What others trained to see: DINOv2, EfficientNet, MobileNet, and any other model of pictures that transformers has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from kinesphere.features.networks.network import Reached
from kinesphere.features.pretrained import Pretrained, load, side_of
from kinesphere.ops import fast_dtype
from kinesphere.types import KinesphereError

PREFIX = 16  # tokens before those of the picture, at most: a class, a teacher, some registers


class Backbone:
    """Any model of pictures that transformers has, by its folder or by its name in the local cache; nothing is fetched.

    Layers: "hidden0" (what the first block is given; not every family shows it), "hidden1" and so on, the hidden states that
    transformers numbers so, and "last", what the network ends with. The tokens of a transformer are laid out again as the
    map that they were cut from; those that stand for the whole picture, the class token first, are "hidden3.class" and
    "last.class". The picture keeps its shape; its sides become multiples of the network's patches.
    It runs on the machine's accelerator where there is one.
    """

    LAYERS: ClassVar[tuple[str, ...]] = ()  # the model has them
    SMALLEST: ClassVar[int] = 64
    DEFAULT: ClassVar[str | None] = None  # the model taken where none is named
    FAMILY: ClassVar[str] = ""  # how its model types begin

    default: tuple[str, ...] = ("last",)
    size: int

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        self._eye = load(weights, "features", self.DEFAULT)
        kind = self._eye.config.model_type
        if not kind.startswith(self.FAMILY):
            raise KinesphereError(
                f"weights {weights!r} are those of a {kind!r} model: for these take the network 'transformers'"
            )
        self.size = self._eye.preprocessing.size
        self._layers, self._modules = layers(self._eye)

    def halve(self) -> None:
        self._eye.model.to(fast_dtype(self._eye.device))

    def layers(self) -> tuple[str, ...]:
        """hidden0, hidden1 ..., last, in the order of the computation, each followed by its class token where there is one."""
        return self._layers

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> each layer [N, C, h', w'], a class token [N, C, 1, 1]."""
        shown = self._eye.shown(pictures, max(pictures.shape[2:]))
        wanted = list(dict.fromkeys(name.removesuffix(".class") for name in names))
        known = all(name in self._modules for name in wanted)
        states = self._up_to(shown, wanted) if known else states_of(self._eye.model(shown, **self._hidden()))
        return {name: self._layer(states[name.removesuffix(".class")], name, shown) for name in names}

    def _layer(self, state: Tensor, name: str, shown: Tensor) -> Tensor:
        return layer(state, name.endswith(".class"), shown, self._eye.config)

    def _hidden(self) -> dict[str, Any]:
        return {**self._eye.arguments, "output_hidden_states": True}

    def _up_to(self, shown: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """The states that are wanted, and nothing computed beyond the deepest of them."""
        states: dict[str, Tensor] = {}

        def keep(name: str, output: Any) -> None:
            states.setdefault(name, first_tensor(output))
            if len(states) == len(wanted):
                raise Reached

        hooks = [
            self._modules[name].register_forward_hook(lambda module, args, output, name=name: keep(name, output))
            for name in wanted
        ]
        try:
            self._eye.model(shown, **self._eye.arguments)
        except Reached:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return states


class DINOv2(Backbone):
    """The eye of Oquab et al. (2023), trained on pictures alone: what things are and where, whatever they are called."""

    DEFAULT: ClassVar[str | None] = "facebook/dinov2-small"
    FAMILY: ClassVar[str] = "dinov2"


class EfficientNet(Backbone):
    """The convolutional network of Tan and Le (2019), trained on ImageNet."""

    DEFAULT: ClassVar[str | None] = "google/efficientnet-b0"
    FAMILY: ClassVar[str] = "efficientnet"


class MobileNet(Backbone):
    """The network that Sandler et al. (2018) made small enough for a phone, trained on ImageNet."""

    DEFAULT: ClassVar[str | None] = "google/mobilenet_v2_1.0_224"
    FAMILY: ClassVar[str] = "mobilenet"


def states_of(output: Any) -> dict[str, Tensor]:
    """The hidden states of an answer, by name, in the order of the computation: tokens [N, T, C] or maps [N, C, h, w]."""
    hidden = getattr(output, "reshaped_hidden_states", None) or getattr(output, "hidden_states", None) or ()
    states = {f"hidden{i}": x for i, x in enumerate(hidden)}
    if isinstance(last := getattr(output, "last_hidden_state", None), Tensor):
        states["last"] = last
    return states


def first_tensor(output: Any) -> Any:
    return output[0] if isinstance(output, tuple | list) and output else output


def layers(eye: Pretrained) -> tuple[tuple[str, ...], dict[str, nn.Module]]:
    """The names of all layers of a model, found by looking at nothing once; and the part that gives each, where one does."""
    answers: list[tuple[nn.Module, Any]] = []  # in the order in which they came
    hooks = [
        part.register_forward_hook(lambda module, args, output: answers.append((module, first_tensor(output))))
        for part in eye.model.modules()
        if part is not eye.model
    ]
    shown = eye.shown(torch.zeros(1, 3, 128, 128), max(128, 4 * eye.step))
    try:
        with torch.no_grad():
            states = states_of(eye.model(shown, **eye.arguments, output_hidden_states=True))
    finally:
        for hook in hooks:
            hook.remove()
    names: list[str] = []
    modules: dict[str, nn.Module] = {}
    for name, state in states.items():
        prefix = tokens_before(state, shown, eye.config)
        if prefix is None:
            continue
        names += [name, f"{name}.class"] if prefix else [name]
        giver = next((module for module, answer in answers if answer is state), None)
        if giver is not None:
            modules[name] = giver
    if not names:
        raise KinesphereError(
            f"a {eye.config.model_type!r} model shows no layers that are maps of the picture: take another"
        )
    return tuple(names), modules


def grid(tokens: int, shown: Tensor, config: Any) -> tuple[int, int, int] | None:
    """How many of the tokens come before those of the picture, and its rows and columns; None where they are no picture."""
    height, width = shown.shape[2:]
    side = side_of(getattr(config, "patch_size", 1))
    for _ in range(8):  # each stage of a pyramid halves the sides
        rows, columns = height // side, width // side
        if rows * columns <= tokens:
            return (tokens - rows * columns, rows, columns) if tokens - rows * columns <= PREFIX else None
        side *= 2
    return None


def tokens_before(state: Any, shown: Tensor, config: Any) -> int | None:
    """How many tokens of a state stand for the whole picture; None where it is no map of it at all."""
    if not isinstance(state, Tensor) or state.ndim not in (3, 4):
        return None
    if state.ndim == 4:
        return 0
    found = grid(state.shape[1], shown, config)
    return None if found is None else found[0]


def layer(state: Tensor, token: bool, shown: Tensor, config: Any) -> Tensor:
    """A state as a map [N, C, h, w], or its class token as [N, C, 1, 1]."""
    if state.ndim == 4:
        return state
    if token:
        return state[:, 0, :, None, None]
    found = grid(state.shape[1], shown, config)
    assert found is not None  # it was a map when it was named
    before, rows, columns = found
    return state[:, before:].transpose(1, 2).unflatten(2, (rows, columns))
