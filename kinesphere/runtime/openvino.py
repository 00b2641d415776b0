"""OpenVINO as what multiplies: a run of a StyleGAN2's steps as one compiled model.

Models are built from the weights node by node, which takes milliseconds; what the compiler makes of them is kept on disk, by
content. Activations cross a border in the memory format that OpenVINO computes in.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere.models.stylegan2 import SynthesisLayer, ToRGB
from kinesphere.ops import SQRT2, fir_padding
from kinesphere.runtime import cache
from kinesphere.runtime.chain import Part, Program, State, Synthesis

NUMPY = {
    torch.float32: (torch.float32, "f32"),
    torch.bfloat16: (torch.int16, "bf16"),
}  # bits that NumPy knows, OpenVINO's name


@functools.cache
def library() -> Any:
    """OpenVINO, without the telemetry that comes with it: to import that begins a thread which reports to its makers.

    Raises ImportError where it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as if it were not there
    import openvino
    import openvino.opset13

    return openvino


@functools.cache
def core() -> Any:
    """What compiles, once for the program."""
    made = library().Core()
    if (kept := cache.folder("openvino")) is not None:
        cache.trim(kept)
        made.set_property({"CACHE_DIR": str(kept)})
    return made


def program(synthesis: Synthesis, part: Part) -> Program:
    """A part of a synthesis as what OpenVINO compiles."""
    settings = {
        "INFERENCE_PRECISION_HINT": NUMPY[synthesis.dtype][1],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = core().compile_model(model(synthesis, part), "CPU", settings)
    return Request(compiled, synthesis.goes_on(part), synthesis.dtype)


def model(synthesis: Synthesis, part: Part) -> Any:
    """The nodes of a part."""
    openvino, ops = library(), library().opset13
    inputs = [ops.parameter(shape, getattr(openvino.Type, NUMPY[dtype][1])) for shape, dtype in synthesis.given(part)]
    given: Iterator[Any] = iter(inputs)
    x, last = next(given), part.at > 0  # whether the channels of x come last
    x = ops.convert(x, "f32") if last else x
    img = None if synthesis.picture_before(part) is None else next(given)
    ws, noisy = next(given), synthesis.noisy(part)
    for step in synthesis.steps[part.at : part.end]:
        rows = [ops.gather(ws, np.array(row), np.array(1)) for row in step.rows]
        for layer, w in zip(step.layers, rows, strict=False):
            x, last = convolution(ops, layer, x, w, last), False
            if layer in noisy:
                x = ops.add(x, next(given))
            x = clamped(ops, ops.prelu(x, np.float32(0.2)), layer.conv_clamp)
        if step.colours and rows:
            y = colours(ops, step.block.torgb, x, rows[0], last)
            img = y if img is None else ops.add(doubled(ops, img, step.block.up_filter), y)
    outputs = [] if img is None else [ops.result(ops.convert(img, "f32"))]
    if synthesis.goes_on(part):
        x = x if last else ops.transpose(x, np.array([0, 2, 3, 1]))
        outputs.append(ops.result(ops.convert(x, NUMPY[synthesis.dtype][1])))
    return openvino.Model(outputs, inputs, "run")


class Request:
    """A compiled part that is given tensors and gives some. Nothing is copied: OpenVINO reads and writes the memory of torch."""

    def __init__(self, compiled: Any, goes_on: bool, dtype: torch.dtype) -> None:
        self.request, self.goes_on = compiled.create_infer_request(), goes_on
        shapes = [list(output.shape) for output in compiled.outputs]
        self.outputs = [(shape, torch.float32) for shape in shapes]
        if goes_on:
            self.outputs[-1] = shapes[-1], dtype
        self.given: list[Tensor | None] = [None] * len(compiled.inputs)  # last: noise, for one, stays the same

    def __call__(self, given: list[Tensor]) -> State:
        for i, tensor in enumerate(given):
            if tensor is not self.given[i]:
                self.request.set_input_tensor(i, shared(tensor))
                self.given[i] = tensor
        made = [torch.empty(shape, dtype=dtype) for shape, dtype in self.outputs]
        for i, tensor in enumerate(made):
            self.request.set_output_tensor(i, shared(tensor))
        self.request.infer()
        x = made.pop().permute(0, 3, 1, 2) if self.goes_on else None
        return x, made[0] if made else None


def shared(tensor: Tensor) -> Any:
    """A tensor of OpenVINO's on the memory of one that is contiguous."""
    openvino = library()
    bits, name = NUMPY[tensor.dtype]
    return openvino.Tensor(tensor.view(bits).numpy(), list(tensor.shape), getattr(openvino.Type, name))


# nodes


def numbers(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().contiguous().numpy()


def affine(ops: Any, layer: SynthesisLayer | ToRGB, w: Any) -> Any:
    """Styles [N, I]."""
    weight, bias = layer.affine.used()
    assert bias is not None
    return ops.add(ops.matmul(w, numbers(weight), False, True), numbers(bias))


def spread(ops: Any, of: Any) -> Any:
    """[N, C] -> [N, C, 1, 1]."""
    return ops.unsqueeze(of, np.array([2, 3]))


def scaled(ops: Any, x: Any, styles: Any, last: bool) -> Any:
    """[N, I, H, W] times styles [N, I]. `last`: x is [N, H, W, I], and turned only where the convolution to come turns it back."""
    if last:
        return ops.transpose(ops.multiply(x, ops.unsqueeze(styles, np.array([1, 2]))), np.array([0, 3, 1, 2]))
    return ops.multiply(x, spread(ops, styles))


def clamped(ops: Any, x: Any, clamp: float | None) -> Any:
    return x if clamp is None else ops.clamp(x, -clamp, clamp)


def convolution(ops: Any, layer: SynthesisLayer, x: Any, w: Any, last: bool = False) -> Any:
    """A layer's modulated convolution [N, I, H, W], with its bias, times the gain of the activation that follows."""
    styles = affine(ops, layer, w)
    squared = layer.weight.square().sum([2, 3])  # [O, I]
    power = ops.matmul(ops.multiply(styles, styles), numbers(squared), False, True)
    scale = ops.divide(np.float32(SQRT2), ops.sqrt(ops.add(power, np.float32(1e-8))))  # [N, O]
    x = scaled(ops, x, styles, last)
    if layer.up_filter is None:
        x = ops.convolution(x, numbers(layer.weight), [1, 1], [1, 1], [1, 1], [1, 1])
    else:
        x = ops.convolution_backprop_data(x, numbers(layer.weight.transpose(0, 1)), [2, 2])
        x = smoothed(ops, x, layer.up_filter, layer.weight.shape[0])
    return ops.add(ops.multiply(x, spread(ops, scale)), numbers(layer.bias * SQRT2)[None, :, None, None])


def smoothed(ops: Any, x: Any, f: Tensor, channels: int) -> Any:
    """The filter after a transposed convolution: [N, C, 2H + 1, 2W + 1] -> [N, C, 2H, 2W]."""
    taps = len(f)
    low, high = (taps - 1) // 2, (taps - 2) // 2
    square = torch.outer(f, f).flip([0, 1]) * 4  # a convolution's node correlates
    kernel = numbers(square.expand(channels, 1, 1, taps, taps))
    return ops.group_convolution(x, kernel, [1, 1], [low, low], [high, high], [1, 1])


def colours(ops: Any, layer: ToRGB, x: Any, w: Any, last: bool = False) -> Any:
    """[N, I, H, W] -> [N, img_channels, H, W]."""
    styles = ops.multiply(affine(ops, layer, w), np.float32(layer.weight.shape[1] ** -0.5))
    y = ops.convolution(scaled(ops, x, styles, last), numbers(layer.weight), [1, 1], [0, 0], [0, 0], [1, 1])
    return clamped(ops, ops.add(y, numbers(layer.bias)[None, :, None, None]), layer.conv_clamp)


def doubled(ops: Any, img: Any, f: Tensor) -> Any:
    """Twice the size, as `ops.upsample2d`."""
    taps, channels = len(f), img.get_output_shape(0)[1]
    low = taps - 1 - fir_padding(f, up=2)[0]
    kernel = numbers((torch.outer(f, f) * 4).expand(channels, 1, 1, taps, taps))
    return ops.group_convolution_backprop_data(
        img, kernel, [2, 2], pads_begin=[low, low], pads_end=[taps - 2 - low] * 2
    )
