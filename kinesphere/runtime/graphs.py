"""Synthesis as one CUDA graph: hundreds of kernels launched at once, on memory that stays where it is.

What a picture is made from goes into buffers: ws, and every tensor that a bend stands in for (the constant, noise, the input's
transform). Colours become pixels inside the graph; the copy to the host goes to pinned memory, beside the next picture's work. An
operation on activations is Python's, and Python does not run in a graph: with one of those the layers run one by one, as without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.runtime.memory import tensors

WARM_UPS = 3  # runs before a capture, in which libraries choose their kernels and take their memory

Place = tuple[dict[str, Any], str]  # a part's own dictionary, and the name of a tensor in it


@dataclass(frozen=True)
class Captured:
    """One graph, with the buffers that it reads and writes."""

    graph: Any
    ws: Tensor
    stand_ins: list[Tensor]
    img: Tensor
    pixels: Tensor


class Graphs:
    """The graphs of a generator on a GPU: one for each batch size, noise mode and set of places that are bent."""

    def __init__(self, G: Generator) -> None:
        self.G, self.synthesis = G, G.synthesis.forward
        self.tensors = tensors(G.synthesis)
        self.captured: dict[tuple[Any, ...], Captured] = {}

    def forward(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        """In place of `G.synthesis.forward`. The picture is overwritten by the next one."""
        return self.synthesis(ws, noise_mode) if self.hindrance(noise_mode) else self.run(ws, noise_mode).img

    def pixels(self, ws: Tensor, noise_mode: str = "const") -> np.ndarray:
        """[N, H, W, 3] uint8."""
        shown = (
            to_pixels(self.synthesis(ws, noise_mode)) if self.hindrance(noise_mode) else self.run(ws, noise_mode).pixels
        )
        host = torch.empty(shown.shape, dtype=shown.dtype, pin_memory=shown.is_cuda)
        host.copy_(shown, non_blocking=True)
        if shown.is_cuda:
            torch.cuda.current_stream().synchronize()
        return host.numpy()

    def hindrance(self, noise_mode: str) -> str:
        """Why the layers have to run one by one, in words; "" where a graph can be replayed."""
        if noise_mode == "random":
            return "noise that is drawn afresh comes from a generator outside of the graph"
        bent = [name for name, layer in self.G.synthesis.named_modules() if layer._forward_hooks]
        return f"{', '.join(bent)}: what is done to activations is not part of the graph" if bent else ""

    def run(self, ws: Tensor, noise_mode: str) -> Captured:
        places = [place for place in self.tensors if place[1] in place[0]]
        key = (ws.shape, noise_mode, tuple((id(own), name) for own, name in places))
        known = self.captured.get(key)
        if known is None:
            known = self.captured[key] = self.capture(ws, noise_mode, places)
        known.ws.copy_(ws)
        for buffer, (own, name) in zip(known.stand_ins, places, strict=True):
            buffer.copy_(own[name])
        known.graph.replay()
        return known

    def capture(self, ws: Tensor, noise_mode: str, places: list[Place]) -> Captured:
        """Run once on buffers, and keep what was launched."""
        static = ws.clone()
        with buffered(places) as stand_ins:
            beside = torch.cuda.Stream()
            beside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(beside):
                for _ in range(WARM_UPS):
                    self.synthesis(static, noise_mode)
            torch.cuda.current_stream().wait_stream(beside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                img = self.synthesis(static, noise_mode)
                pixels = to_pixels(img)
        return Captured(graph, static, stand_ins, img, pixels)


@contextmanager
def buffered(places: list[Place]) -> Iterator[list[Tensor]]:
    """Within this, what stands in for a tensor is a buffer of the same numbers."""
    before = [own[name] for own, name in places]
    stand_ins = [tensor.clone() for tensor in before]
    try:
        for (own, name), buffer in zip(places, stand_ins, strict=True):
            own[name] = buffer
        yield stand_ins
    finally:
        for (own, name), tensor in zip(places, before, strict=True):
            own[name] = tensor


def install(G: Generator) -> None:
    """Let a generator on fixed weights, on a GPU, draw by graphs."""
    graphs = Graphs(G)
    G.synthesis.__dict__["forward"] = graphs.forward
    G.__dict__["pixels"] = graphs.pixels
