"""OpenVINO as what multiplies: the convolutions of one block of a StyleGAN2 as one compiled model.

It takes activations, rows of ws and maps of noise, and gives activations: bends, taps, colours and what is remembered stay outside,
so they know nothing of it. Activations cross its border in the precision and the memory format that it computes in. A model is
built from a layer's weights node by node, which takes milliseconds; what the compiler makes of it is kept on disk, by content.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import platformdirs
import torch
from torch import Tensor

from kinesphere.models import Generator
from kinesphere.models.generator import layer_noise
from kinesphere.models.stylegan2 import SynthesisBlock, SynthesisLayer
from kinesphere.ops import SQRT2

NUMPY = {
    torch.float32: (torch.float32, "f32"),
    torch.bfloat16: (torch.int16, "bf16"),
}  # bits that NumPy knows; OpenVINO's name


@functools.cache
def core() -> Any:
    """OpenVINO, once for the program. Raises ImportError where it is not installed."""
    import openvino  # type: ignore[import-untyped]

    made = openvino.Core()
    made.set_property({"CACHE_DIR": platformdirs.user_cache_dir("kinesphere")})
    return made


def install(G: Generator, dtype: torch.dtype) -> None:
    """Let the blocks of a generator on fixed weights compute their convolutions so, its activations in `dtype`."""
    for block in G.synthesis.modules():
        if isinstance(block, SynthesisBlock) and not block.is_first and not block.has_skip:
            block.__dict__["features"] = Block(block, dtype).features


class Block:
    """The layers of a block: in one model, or each in its own while something is done between them."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype) -> None:
        self.layers = [block.conv0, block.conv1]
        self.exact = block.features
        self.whole = Chain(self.layers, dtype)
        for layer in self.layers:
            layer.__dict__["forward"] = Chain([layer], dtype).alone(layer.forward)

    def features(self, x: Tensor, ws: tuple[Tensor, ...], noise_mode: str) -> Tensor:
        if any(layer._forward_hooks for layer in self.layers) or not all(map(as_it_was, self.layers)):
            return self.exact(x, ws, noise_mode)
        return self.whole(x, ws, noise_mode)


def as_it_was(layer: SynthesisLayer) -> bool:
    """Whether the layer is what the models were made from: nothing stands in for its weights or is done to its styles."""
    own, affine = layer.__dict__, layer.affine
    return not ({"weight", "bias"} & own.keys() or {"weight", "bias"} & affine.__dict__.keys() or affine._forward_hooks)


class Chain:
    """Layers in a row as one compiled model, for each shape that is asked for."""

    def __init__(self, layers: list[SynthesisLayer], dtype: torch.dtype) -> None:
        self.layers, self.dtype = layers, dtype
        self.requests: dict[tuple[torch.Size, tuple[torch.Size | None, ...]], Any] = {}

    def alone(self, exact: Any) -> Any:
        """The `forward` of a chain of one layer."""
        (layer,) = self.layers

        def forward(x: Tensor, w: Tensor, noise_mode: str = "const", gain: float = 1.0) -> Tensor:
            if gain != 1 or not as_it_was(layer):
                return exact(x, w, noise_mode, gain)
            return self(x, (w,), noise_mode)

        return forward

    def __call__(self, x: Tensor, ws: tuple[Tensor, ...], noise_mode: str) -> Tensor:
        """[N, I, H, W], for each layer its row [N, w_dim] -> [N, O, H', W']."""
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        noises = self.noises(x, noise_mode)
        key = x.shape, tuple(None if noise is None else noise.shape for noise in noises)
        request, shape = self.requests.get(key) or self.requests.setdefault(key, self.compiled(*key))
        given = [x.permute(0, 2, 3, 1), *ws, *(noise for noise in noises if noise is not None)]
        given = [
            tensor.contiguous() for tensor in given
        ]  # held until all is computed: OpenVINO knows only where they are
        for i, tensor in enumerate(given):
            request.set_input_tensor(i, shared(tensor))
        y = torch.empty(shape, dtype=self.dtype)
        request.set_output_tensor(shared(y))
        request.infer()
        return y.permute(0, 3, 1, 2)

    def noises(self, x: Tensor, noise_mode: str) -> list[Tensor | None]:
        """For each layer what it adds, [1 or N, 1, H, W] float32; None: nothing."""
        made: list[Tensor | None] = []
        n, _, h, w = x.shape
        for layer in self.layers:
            h, w = (h, w) if layer.up_filter is None else (2 * h, 2 * w)
            if not layer.use_noise or noise_mode == "none":
                made.append(None)
                continue
            like = torch.empty(n, 1, 1, 1).expand(n, 1, h, w)
            noise = layer_noise(like, noise_mode, layer.noise_const, layer.noise_strength) * SQRT2
            made.append(noise.reshape(-1, 1, h, w))
        return made

    def compiled(self, shape: torch.Size, noises: tuple[torch.Size | None, ...]) -> tuple[Any, list[int]]:
        """A request to the model for activations of this shape, and the shape [N, H, W, C] of what it gives."""
        import openvino
        from openvino import opset13 as ops

        n, channels, h, w = shape
        half, own = NUMPY[self.dtype][1], np.float32
        given = [ops.parameter([n, h, w, channels], getattr(openvino.Type, half))]
        rows = [ops.parameter([n, layer.affine.weight.shape[1]], openvino.Type.f32) for layer in self.layers]
        maps = [None if size is None else ops.parameter(list(size), openvino.Type.f32) for size in noises]
        x = ops.transpose(ops.convert(given[0], "f32"), np.array([0, 3, 1, 2]))
        for layer, row, noise in zip(self.layers, rows, maps, strict=True):
            x = convolution(ops, layer, x, row)
            if noise is not None:
                x = ops.add(x, noise)
            x = ops.prelu(x, own(0.2))
            if layer.conv_clamp is not None:
                x = ops.clamp(x, -layer.conv_clamp, layer.conv_clamp)
        y = ops.convert(ops.transpose(x, np.array([0, 2, 3, 1])), half)
        inputs = [*given, *rows, *(noise for noise in maps if noise is not None)]
        settings = {
            "INFERENCE_PRECISION_HINT": half,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        model = core().compile_model(openvino.Model([ops.result(y)], inputs, "block"), "CPU", settings)
        return model.create_infer_request(), list(y.get_output_shape(0))


def convolution(ops: Any, layer: SynthesisLayer, x: Any, w: Any) -> Any:
    """The nodes of a layer's modulated convolution [N, I, H, W], with its bias, times the gain of the activation that follows."""

    def numbers(tensor: Tensor) -> np.ndarray:
        return tensor.detach().float().contiguous().numpy()

    weight, bias = layer.affine.used()
    assert bias is not None
    styles = ops.add(ops.matmul(w, numbers(weight), False, True), numbers(bias))  # [N, I]
    squared = layer.weight.square().sum([2, 3])  # [O, I]
    power = ops.matmul(ops.multiply(styles, styles), numbers(squared), False, True)
    scale = ops.divide(np.float32(SQRT2), ops.sqrt(ops.add(power, np.float32(1e-8))))  # [N, O]
    x = ops.multiply(x, ops.unsqueeze(styles, np.array([2, 3])))
    if layer.up_filter is None:
        x = ops.convolution(x, numbers(layer.weight), [1, 1], [1, 1], [1, 1], [1, 1])
    else:
        x = ops.convolution_backprop_data(x, numbers(layer.weight.transpose(0, 1)), [2, 2])
        x = smoothed(ops, x, layer.up_filter, layer.weight.shape[0])
    x = ops.multiply(x, ops.unsqueeze(scale, np.array([2, 3])))
    return ops.add(x, numbers(layer.bias * SQRT2)[None, :, None, None])


def smoothed(ops: Any, x: Any, f: Tensor, channels: int) -> Any:
    """The filter after a transposed convolution: [N, C, 2H + 1, 2W + 1] -> [N, C, 2H, 2W]."""
    taps = len(f)
    spare = taps - 2
    low, high = (spare + 1) // 2, spare - (spare + 1) // 2
    square = torch.outer(f, f).flip([0, 1]) * 4  # a convolution's node correlates
    kernel = square.expand(channels, 1, 1, taps, taps).contiguous().numpy()
    return ops.group_convolution(x, kernel, [1, 1], [low, low], [high, high], [1, 1])


def shared(tensor: Tensor) -> Any:
    """A tensor of OpenVINO's on the memory of one that is contiguous."""
    import openvino

    bits, name = NUMPY[tensor.dtype]
    return openvino.Tensor(tensor.view(bits).numpy(), list(tensor.shape), getattr(openvino.Type, name))
