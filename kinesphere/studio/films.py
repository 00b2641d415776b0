"""A walk through the latent space as a film: along key seeds, or adrift, open or as a loop without a seam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError, Sink

Way = Callable[[float], Tensor]  # seconds -> ws [1, num_ws, w_dim]


def through_seeds(
    G: Generator,
    seeds: Sequence[int],
    seconds: float,
    loop: bool,
    kind: str = "cubic",
    easing: str = "linear",
    class_index: int = 0,
) -> Way:
    """Through the latents of `seeds` in W, one after the other, in `seconds`. At least two seeds."""
    if len(seeds) < 2:
        raise KinesphereError(f"a walk needs two seeds or more, not {len(seeds)}; for one seed use a drift")
    stops = len(seeds) + loop
    times = [seconds * i / (stops - 1) for i in range(stops)]
    return latent.Path(seeds_to_ws(G, seeds, class_index), times, loop=loop, kind=kind, easing=easing)


def adrift(G: Generator, seed: int, seconds: float, harmonics: float = 6.0, class_index: int = 0) -> Way:
    """A wandering of its own for each seed, which closes after `seconds` (`latent.drift`)."""
    c = G.label(class_index)

    def way(t: float) -> Tensor:
        z = latent.drift(seed, G.z_dim, t, period=seconds, harmonics=harmonics)
        return G.mapping(z.to(G.w_avg.device), c)

    return way


@torch.inference_mode()
def film(
    G: Generator,
    way: Way,
    sink: Sink,
    seconds: float,
    fps: Fraction,
    loop: bool,
    psi: float = 0.7,
    cutoff: int | None = None,
    noise_mode: str = "const",
    on_frame: Callable[[int, int], None] = lambda i, frames: None,
) -> int:
    """Walk `way` into a sink. A loop's last frame is followed by its first. Returns the number of frames.

    An interruption closes the sink, so that what was drawn so far can be seen.
    """
    times = latent.frame_times(seconds, fps, loop)
    size = (G.img_resolution, G.img_resolution)
    sink.open(size, fps)
    try:
        for i, t in enumerate(times):
            ws = latent.truncate(way(float(t)), G.w_avg, psi, cutoff)
            sink.write(to_pixels(G.synthesis(ws, noise_mode=noise_mode))[0].cpu().numpy(), float(i / fps))
            on_frame(i + 1, len(times))
    finally:
        sink.close()
    return len(times)
