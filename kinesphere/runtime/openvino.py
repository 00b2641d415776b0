"""OpenVINO as what multiplies: a StyleGAN2 as one compiled model, or as a chain of them where something is done in between.

The synthesis is a row of steps, two for each resolution: its convolutions, and its colours. A run of steps is one model, which
takes activations, colours, ws and noise, and gives activations and colours. A run ends where a bend or a tap wants to see what is
there, and where what comes before has not changed since the last picture and is remembered. A resolution that is bent inside is
drawn by torch. Activations cross a border in the precision and the memory format that OpenVINO computes in. Models are built from
the weights node by node, which takes milliseconds; what the compiler makes of them is kept on disk, by content.
"""

from __future__ import annotations

import functools
import sys
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import platformdirs
import torch
from torch import Tensor

from kinesphere.models import StyleGAN2
from kinesphere.models.generator import check_noise_mode, layer_noise
from kinesphere.models.stylegan2 import SynthesisBlock, SynthesisLayer, ToRGB
from kinesphere.ops import SQRT2, fir_padding
from kinesphere.runtime.memory import same, tensors

NUMPY = {
    torch.float32: (torch.float32, "f32"),
    torch.bfloat16: (torch.int16, "bf16"),
}  # bits that NumPy knows, OpenVINO's name
CUTS = 3  # largest resolutions before which a run may end, so that what comes before is remembered; and before the last colours

Key = tuple[int, int, int, str]  # of a run: its first step, the one after its last, pictures, noise mode
State = tuple[Tensor | None, Tensor | None]  # activations [N, C, H, W], colours [N, img_channels, H, W] float32


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
    made.set_property({"CACHE_DIR": platformdirs.user_cache_dir("kinesphere")})
    return made


def install(G: StyleGAN2, dtype: torch.dtype, remembers: bool, waits: bool) -> None:
    """Let a generator on fixed weights be drawn so. `remembers`, `waits`: see `runtime.compile`."""
    G.synthesis.__dict__["forward"] = Synthesis(G, dtype, remembers, waits).forward


@dataclass
class Run:
    """A run of steps as a compiled model, and what it gave last."""

    request: Any
    known: Any = None  # what it was given last
    gave: State = (None, None)


@dataclass(frozen=True)
class Step:
    """The convolutions of one resolution, or its colours."""

    block: SynthesisBlock
    colours: bool
    layers: list[SynthesisLayer]  # that convolve
    rows: list[int]  # of ws, that are read


class Inside:
    """What is inside of one resolution, of which a compiled model knows."""

    GIVEN = ("const", "noise_const", "noise_strength")  # what it is given with every picture, so that they may be bent

    def __init__(self, block: SynthesisBlock) -> None:
        self.hooks = [part._forward_hooks for part in block.modules() if part is not block]
        self.tensors = [(own, name) for own, name in tensors(block) if name not in self.GIVEN]

    def bent(self) -> bool:
        """Whether something is done that a compiled model does not know of."""
        return any(self.hooks) or any(name in own for own, name in self.tensors)


class Synthesis:
    """In place of a synthesis network's `forward`."""

    def __init__(self, G: StyleGAN2, dtype: torch.dtype, remembers: bool, waits: bool) -> None:
        self.dtype, self.remembers, self.waits = dtype, remembers, waits
        self.num_ws, self.w_dim = G.num_ws, G.w_dim
        self.steps: list[Step] = []
        row = 0
        for block in G.synthesis.blocks():
            layers = [block.conv1] if block.is_first else [block.conv0, block.conv1]
            self.steps += [
                Step(block, False, layers, [row + i for i in range(len(layers))]),
                Step(block, True, [], [row + len(layers)] if block.has_torgb else []),
            ]
            row += len(layers)
        self.inside = [Inside(step.block) for step in self.steps[::2]]
        self.cuts = [i for i, step in enumerate(self.steps) if step.colours][-1 - CUTS :]
        self.runs: dict[Key, Run] = {}
        self.wanted: list[Key] = []
        self.compiler: threading.Thread | None = None
        self.noise: dict[SynthesisLayer, tuple[Tensor, Tensor, Tensor]] = {}
        self.last: tuple[Any, ...] = ()  # what the last picture was made from
        self.stays = 0  # the last cut before which the last picture was the same as the one before it
        self.cut = 0  # where the last picture was cut

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        check_noise_mode(noise_mode)
        slow = {i for i in range(0, len(self.steps), 2) if self.inside[i // 2].bent()}
        slow |= {i + 1 for i in slow}
        ends = {i for i, step in enumerate(self.steps, 1) if step.colours and step.block._forward_hooks}
        ends |= slow | {i + 1 for i in slow} | {len(self.steps)}
        cut = self._cut(ws, noise_mode) if self.remembers else 0
        if cut and self._both_there(cut, ends, slow, len(ws), noise_mode):
            ends.add(cut)
        at = 0
        state: State = (None, None)
        while at < len(self.steps):
            end = min(e for e in ends if e > at)
            if at not in slow and self._there((at, end, len(ws), noise_mode)):
                state = self._run(self.runs[at, end, len(ws), noise_mode], at, end, ws, state, noise_mode)
            else:
                for step in self.steps[at:end]:
                    state = self._by_torch(step, ws, state, noise_mode)
            last = self.steps[end - 1]
            for hook in last.block._forward_hooks.values() if last.colours else ():
                state = hook(last.block, (), state)
            at = end
        return state[1]  # type: ignore[return-value]  # the last resolution has colours

    def _cut(self, ws: Tensor, noise_mode: str) -> int:
        """Up to which step, one of the cuts, nothing changes, neither now nor in the picture before; 0: nowhere."""
        before, self.last = self.last, ()
        if noise_mode == "random":
            return 0
        noises = [self._noise(layer, len(ws), noise_mode) for step in self.steps for layer in step.layers]
        self.last = noise_mode, ws.shape, ws, self._const(), noises
        alike = before and same(before[:2], self.last[:2]) and same(before[3], self.last[3])
        stays = self._first_changed(before, self.last) if alike else 0
        if stays < len(self.steps):  # where nothing has changed at all it is drawn as it was
            known, self.stays = self.stays, max((cut for cut in self.cuts if cut <= stays), default=0)
            self.cut = min(known, self.stays)
        return self.cut

    def _first_changed(self, before: tuple[Any, ...], now: tuple[Any, ...]) -> int:
        rows = (now[2] != before[2]).any(2).any(0).tolist()
        noisy = iter([not same(a, b) for a, b in zip(now[4], before[4], strict=True)])
        for i, step in enumerate(self.steps):
            if any([next(noisy) for _ in step.layers]) or any(rows[row] for row in step.rows):
                return i
        return len(self.steps)

    def _both_there(self, cut: int, ends: set[int], slow: set[int], n: int, noise_mode: str) -> bool:
        """Whether the runs on both sides of a cut can be drawn; what is not compiled yet is asked for."""
        if cut in ends or cut in slow:
            return False
        before, after = max([0, *(e for e in ends if e < cut)]), min(e for e in ends if e > cut)
        return all([self._there((before, cut, n, noise_mode)), self._there((cut, after, n, noise_mode))])

    def _const(self) -> Tensor:
        return self.steps[0].block.const[None].detach()

    def _by_torch(self, step: Step, ws: Tensor, state: State, noise_mode: str) -> State:
        x, img = state
        block, rows = step.block, tuple(ws[:, row] for row in step.rows)
        if step.colours:
            return x, block.coloured(img, block.torgb(x, rows[0]).float()) if block.has_torgb else img
        if x is None:
            x = block.const.expand(len(ws), *block.const.shape).contiguous(memory_format=torch.channels_last)
        else:
            x = x.to(block.half_dtype or torch.float32)
        return block.features(x, rows, noise_mode), img

    def _run(self, run: Run, at: int, end: int, ws: Tensor, state: State, noise_mode: str) -> State:
        """The state after steps `at` to `end`."""
        x, img = state
        steps = self.steps[at:end]
        noises = [self._noise(layer, len(ws), noise_mode) for step in steps for layer in step.layers]
        maps = [noise for noise in noises if noise is not None]
        const = self._const() if x is None else None
        asked = None
        if self.remembers and noise_mode != "random":
            rows = [row for step in steps for row in step.rows]
            asked = const, x, img, ws[:, min(rows, default=0) : max(rows, default=-1) + 1], tuple(maps)
            if run.known is not None and same(asked, run.known):
                return run.gave
        run.known, run.gave = None, (None, None)  # before the work, which can use their memory
        first = const if x is None else x.to(self.dtype).permute(0, 2, 3, 1)
        given = [t.contiguous() for t in (first, img, ws, *maps) if t is not None]
        state = infer(run.request, given, end < len(self.steps), self.dtype)
        if asked is not None:
            run.known, run.gave = asked, state
        return state

    def _noise(self, layer: SynthesisLayer, n: int, noise_mode: str) -> Tensor | None:
        """What a layer adds, [1 or N, 1, H, W] float32; the same object where it is the same; None: nothing."""
        if not layer.use_noise or noise_mode == "none":
            return None
        const, strength = layer.noise_const, layer.noise_strength
        known = self.noise.get(layer)
        if noise_mode == "const" and known is not None and known[0] is const and same(known[1], strength):
            return known[2]
        shape = torch.empty(1).expand(n, 1, *const.shape)
        noise = (layer_noise(shape, noise_mode, const, strength) * SQRT2).reshape(-1, 1, *const.shape)
        if noise_mode == "const":
            self.noise[layer] = const, strength, noise
        return noise

    # compiling

    def _there(self, key: Key) -> bool:
        """Whether a run can be drawn. Where no picture may wait for a compiler it is compiled beside them, but for the first."""
        if key in self.runs:
            return True
        if self.waits or not self.runs:
            self.runs[key] = Run(compiled(self._model(*key), self.dtype))
            return True
        if key not in self.wanted:
            self.wanted.append(key)
        if self.compiler is None or not self.compiler.is_alive():
            self.compiler = threading.Thread(target=self._compile_all, name="compile", daemon=True)
            self.compiler.start()
        return False

    @torch.inference_mode()
    def _compile_all(self) -> None:
        while self.wanted:
            key = self.wanted[0]
            self.runs[key] = Run(compiled(self._model(*key), self.dtype))
            self.wanted.remove(key)

    def _model(self, at: int, end: int, n: int, noise_mode: str) -> Any:
        """The nodes of the steps `at` to `end`, for `n` pictures."""
        openvino, ops = library(), library().opset13
        full, half = openvino.Type.f32, getattr(openvino.Type, NUMPY[self.dtype][1])
        inputs: list[Any] = []

        def given(kind: Any, *shape: int) -> Any:
            inputs.append(ops.parameter(list(shape), kind))
            return inputs[-1]

        img, last = None, at > 0  # whether the channels of x come last
        if at:
            channels, size = len(self.steps[at - 1].block.conv1.weight), 4 << ((at - 1) // 2)
            x = ops.convert(given(half, n, size, size, channels), "f32")
            coloured = [i for i, step in enumerate(self.steps[:at]) if step.colours and step.rows]
            if coloured:
                size = 4 << (coloured[-1] // 2)
                img = given(full, n, len(self.steps[coloured[-1]].block.torgb.weight), size, size)
        else:
            x = given(full, *self._const().shape)
        ws = given(full, n, self.num_ws, self.w_dim)
        for step in self.steps[at:end]:
            rows = [ops.gather(ws, np.array(row), np.array(1)) for row in step.rows]
            for layer, w in zip(step.layers, rows, strict=False):
                x, last = convolution(ops, layer, x, w, last), False
                if layer.use_noise and noise_mode != "none":
                    x = ops.add(x, given(full, n if noise_mode == "random" else 1, 1, *layer.noise_const.shape))
                x = clamped(ops, ops.prelu(x, np.float32(0.2)), layer.conv_clamp)
            if step.colours and rows:
                y = colours(ops, step.block.torgb, x, rows[0], last)
                img = y if img is None else ops.add(doubled(ops, img, step.block.up_filter), y)
        outputs = [] if img is None else [ops.result(ops.convert(img, "f32"))]
        if end < len(self.steps):
            x = x if last else ops.transpose(x, np.array([0, 2, 3, 1]))
            outputs.append(ops.result(ops.convert(x, NUMPY[self.dtype][1])))
        return openvino.Model(outputs, inputs, "run")


def compiled(model: Any, dtype: torch.dtype) -> Any:
    settings = {
        "INFERENCE_PRECISION_HINT": NUMPY[dtype][1],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    return core().compile_model(model, "CPU", settings).create_infer_request()


def infer(request: Any, given: list[Tensor], goes_on: bool, dtype: torch.dtype) -> State:
    """What a run gives for these inputs. Nothing is copied: OpenVINO reads and writes the memory of torch."""
    for i, tensor in enumerate(given):
        request.set_input_tensor(i, shared(tensor))
    outputs = request.model_outputs
    made = [torch.empty(list(o.shape), dtype=torch.float32) for o in outputs[: len(outputs) - goes_on]]
    if goes_on:
        made.append(torch.empty(list(outputs[-1].shape), dtype=dtype))
    for i, tensor in enumerate(made):
        request.set_output_tensor(i, shared(tensor))
    request.infer()
    x = made.pop().permute(0, 3, 1, 2) if goes_on else None
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
