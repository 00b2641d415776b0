"""What a CUDA graph needs of the synthesis, as far as it can be tried without a GPU; and what `Graphs` does around one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from torch.utils._python_dispatch import TorchDispatchMode

from kinesphere.bends import bent, const, noise, transform, warp
from kinesphere.models import FAMILIES
from kinesphere.ops import to_pixels
from kinesphere.runtime.fixed import fixed
from kinesphere.runtime.graphs import Captured, Graphs, buffered

WAITS = {"_local_scalar_dense", "item", "equal", "is_nonzero", "nonzero", "lift_fresh"}


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    with torch.inference_mode():
        yield


class Launched(TorchDispatchMode):
    """Every operation, by name, with the shapes that it was given."""

    def __enter__(self):
        self.seen = []
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        shapes = [tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]
        self.seen.append((func.overloadpacket.__name__, shapes))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_synthesis_launches_the_same_whatever_the_latent_and_never_waits_for_a_number(family, dtype):
    fast = fixed(tiny_generator(family), dtype)
    runs = []
    for seed in (0, 1):
        ws = fast.mapping(torch.randn(2, 16, generator=torch.Generator().manual_seed(seed)))
        with Launched() as launched:
            to_pixels(fast.synthesis(ws))
        runs.append(launched.seen)
    assert runs[0] == runs[1] and len(runs[0]) > 20
    assert not {name for name, _ in runs[0]} & WAITS


class Replayed(Graphs):
    """Graphs on a machine without a GPU: a replay computes everything again, from the buffers into the buffers."""

    captures = 0

    def capture(self, ws, noise_mode, places):
        self.captures += 1
        static = ws.clone()
        with buffered(places) as stand_ins:
            img = self.synthesis(static, noise_mode)
        shown = to_pixels(img)

        def replay():
            before = [own.get(name) for own, name in places]
            for (own, name), buffer in zip(places, stand_ins, strict=True):
                own[name] = buffer
            img.copy_(self.synthesis(static, noise_mode))
            for (own, name), tensor in zip(places, before, strict=True):
                own[name] = tensor
            shown.copy_(to_pixels(img))

        return Captured(SimpleNamespace(replay=replay), static, stand_ins, img, shown)


BENDS = {
    "stylegan2": lambda G, t: (const(G, t, amount=0.6), noise(G, t, boil=0.5, strength=2.0)),
    "stylegan3": lambda G, t: (const(G, t, amount=0.6), transform(G, t, rotate=t + 0.1)),
}


@pytest.mark.parametrize("family", sorted(BENDS))
def test_what_bends_stand_in_for_goes_into_the_graph_as_numbers(family):
    """One capture serves every moment of the same bends."""
    G = fixed(tiny_generator(family), torch.float32)
    graphs = Replayed(G)
    for moment in range(4):
        ws = G.mapping(torch.randn(1, 16, generator=torch.Generator().manual_seed(moment)))
        with bent(G, *BENDS[family](G, moment / 3)):
            assert torch.equal(graphs.forward(ws), graphs.synthesis(ws))
            assert np.array_equal(graphs.pixels(ws), to_pixels(graphs.synthesis(ws)).numpy())
    assert graphs.captures == 1
    graphs.forward(ws)
    assert graphs.captures == 2  # without the bends it is another graph


def test_what_is_done_to_activations_runs_one_by_one_and_says_so():
    G = fixed(tiny_generator("stylegan2"), torch.float32)
    graphs, ws = Replayed(G), G.mapping(torch.randn(1, 16))
    with bent(G, warp(G, 0.0, rotate=0.4)):
        assert graphs.hindrance("const") == "b16: what is done to activations is not part of the graph"
        assert torch.equal(graphs.forward(ws), graphs.synthesis(ws))
    assert "drawn afresh" in graphs.hindrance("random")
    assert graphs.captures == 0 and graphs.hindrance("const") == ""
