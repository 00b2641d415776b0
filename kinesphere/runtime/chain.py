"""A StyleGAN2 drawn by compiled programs: as one, or as a chain of them where something is done in between.

The synthesis is a row of steps, two for each resolution: its convolutions, and its colours. A run of steps is one program, which
takes activations, colours, ws and noise, and gives activations and colours. A run ends where a bend or a tap wants to see what is
there, and where what comes before has not changed since the last picture and is remembered. A resolution that is bent inside is
drawn by torch. Activations cross a border in the precision that is computed in, channels last. What makes a program of a run is
another's business: `openvino`, `inductor`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kinesphere.models import StyleGAN2
from kinesphere.models.generator import check_noise_mode, layer_noise
from kinesphere.models.stylegan2 import SynthesisBlock, SynthesisLayer
from kinesphere.ops import SQRT2
from kinesphere.runtime.memory import same, tensors

CUTS = 3  # largest resolutions before which a run may end, so that what comes before is remembered; and before the last colours

State = tuple[Tensor | None, Tensor | None]  # activations [N, C, H, W], colours [N, img_channels, H, W] float32
Program = Callable[[list[Tensor]], State]
"""Draws a run of steps. It is given what `Synthesis.given` lists, each contiguous."""


@dataclass
class Run:
    """A run of steps as a program, and what it gave last."""

    draw: Program
    known: Any = None  # what it was given last
    gave: State = (None, None)


@dataclass(frozen=True)
class Step:
    """The convolutions of one resolution, or its colours."""

    block: SynthesisBlock
    colours: bool
    layers: list[SynthesisLayer]  # that convolve
    rows: list[int]  # of ws, that are read


@dataclass(frozen=True)
class Part:
    """A run of steps that is to become a program."""

    at: int  # its first step
    end: int  # the one after its last
    n: int  # pictures
    noise_mode: str


class Inside:
    """What is inside of one resolution, of which a program knows."""

    GIVEN = ("const", "noise_const", "noise_strength")  # what it is given with every picture, so that they may be bent

    def __init__(self, block: SynthesisBlock) -> None:
        self.hooks = [part._forward_hooks for part in block.modules() if part is not block]
        self.tensors = [(own, name) for own, name in tensors(block) if name not in self.GIVEN]

    def bent(self) -> bool:
        """Whether something is done that a program does not know of."""
        return any(self.hooks) or any(name in own for own, name in self.tensors)


class Synthesis:
    """In place of the `forward` of a synthesis network on fixed weights. `remembers`, `waits`: see `runtime.compile`."""

    def __init__(
        self,
        G: StyleGAN2,
        dtype: torch.dtype,
        program: Callable[[Synthesis, Part], Program],
        remembers: bool,
        waits: bool,
    ) -> None:
        self.dtype, self.program, self.remembers, self.waits = dtype, program, remembers, waits
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
        self.runs: dict[Part, Run] = {}
        self.wanted: list[Part] = []
        self.failed: set[Part] = set()
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
            part = Part(at, end, len(ws), noise_mode)
            if at not in slow and self._there(part):
                state = self._run(part, ws, state)
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
        return all([self._there(Part(before, cut, n, noise_mode)), self._there(Part(cut, after, n, noise_mode))])

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

    def _run(self, part: Part, ws: Tensor, state: State) -> State:
        """The state after its steps."""
        run, (x, img) = self.runs[part], state
        steps = self.steps[part.at : part.end]
        noises = [self._noise(layer, len(ws), part.noise_mode) for step in steps for layer in step.layers]
        maps = [noise for noise in noises if noise is not None]
        const = self._const() if x is None else None
        asked = None
        if self.remembers and part.noise_mode != "random":
            rows = [row for step in steps for row in step.rows]
            asked = const, x, img, ws[:, min(rows, default=0) : max(rows, default=-1) + 1], tuple(maps)
            if run.known is not None and same(asked, run.known):
                return run.gave
        run.known, run.gave = None, (None, None)  # before the work, which can use their memory
        first = const if x is None else x.to(self.dtype).permute(0, 2, 3, 1)
        given = [t.contiguous() for t in (first, img, ws, *maps) if t is not None]
        state = run.draw(given)
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

    def _there(self, part: Part) -> bool:
        """Whether a run can be drawn. Where no picture may wait for a compiler it is compiled beside them, but for the first."""
        if part in self.runs:
            return True
        if self.waits or not self.runs:
            self.runs[part] = Run(self.program(self, part))
            return True
        if part in self.failed:
            return False
        if part not in self.wanted:
            self.wanted.append(part)
        if self.compiler is None or not self.compiler.is_alive():
            self.compiler = threading.Thread(target=self._compile_all, name="compile", daemon=True)
            self.compiler.start()
        return False

    @torch.inference_mode()
    def _compile_all(self) -> None:
        while self.wanted:
            part = self.wanted[0]
            try:
                self.runs[part] = Run(self.program(self, part))
            except Exception:  # whatever a compiler raises, torch goes on drawing this part
                logging.getLogger(__name__).warning("%s cannot be compiled, and is drawn by torch", part, exc_info=True)
                self.failed.add(part)
            self.wanted.remove(part)

    def given(self, part: Part) -> list[tuple[list[int], torch.dtype]]:
        """What a program is given, shapes and kinds: what comes first, colours (`picture_before`), ws, and a map for each noise.

        What comes first is the constant [1, C, 4, 4], or activations [N, H, W, C].
        """
        before = self.steps[: part.at]
        if before:
            size = 4 << ((part.at - 1) // 2)
            listed = [([part.n, size, size, len(before[-1].block.conv1.weight)], self.dtype)]
        else:
            listed = [(list(self._const().shape), torch.float32)]
        if (colours := self.picture_before(part)) is not None:
            size = 4 << (colours // 2)
            listed.append(([part.n, len(self.steps[colours].block.torgb.weight), size, size], torch.float32))
        listed.append(([part.n, self.num_ws, self.w_dim], torch.float32))
        for layer in self.noisy(part):
            maps = part.n if part.noise_mode == "random" else 1
            listed.append(([maps, 1, *layer.noise_const.shape], torch.float32))
        return listed

    def picture_before(self, part: Part) -> int | None:
        """The step that gave the colours which a part is given; None: it is given none."""
        coloured = [i for i, step in enumerate(self.steps[: part.at]) if step.colours and step.rows]
        return coloured[-1] if coloured else None

    def goes_on(self, part: Part) -> bool:
        """Whether steps come after a part, so that it gives activations too."""
        return part.end < len(self.steps)

    def noisy(self, part: Part) -> list[SynthesisLayer]:
        """The layers of a part to whose output noise is added."""
        layers = [layer for step in self.steps[part.at : part.end] for layer in step.layers]
        return [] if part.noise_mode == "none" else [layer for layer in layers if layer.use_noise]
