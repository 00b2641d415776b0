"""Walks through the latent space as a film: from key to key, or adrift, open or as a loop without a seam."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from kinesphere import latent
from kinesphere.bends import bent
from kinesphere.bends.bending import Bending
from kinesphere.models import Generator
from kinesphere.models.generator import noise_from
from kinesphere.ops import to_pixels
from kinesphere.sources.geometry import resized
from kinesphere.studio import pacing
from kinesphere.studio.keys import Key, between
from kinesphere.types import KinesphereError, Sink

Way = Callable[[float], tuple[Tensor, Bending]]
"""From seconds to ws [1, num_ws, w_dim], as they are drawn, and what is put in place of the model's own noise and weights."""

Told = Callable[[int, int], None]  # how many are done, of how many


@dataclass
class Walk:
    """A way with its stops and its pace; called with the seconds of a film, it says what is drawn."""

    way: Way
    names: Sequence[str]  # of its stops
    times: Sequence[
        float
    ]  # when the way is at each of them, seconds, rising from 0; of a loop the last is the first again
    loop: bool
    easing: str | Sequence[str] = "linear"  # of each leg, from stop to stop
    pace: pacing.Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = pacing.Pace(self.times, self.easing)

    def __call__(self, t: float) -> tuple[Tensor, Bending]:
        return self.way(self.pace(t))

    @property
    def stops(self) -> list[tuple[float, str]]:
        """When the film is at each stop, in seconds, and its name."""
        return list(zip(self.pace.stops, self.names, strict=True))

    def even(self, look: Callable[[Tensor, Bending], Tensor], strength: float, held: bool, on_look: Told) -> None:
        """Make the pace even in what is to be seen. `look` draws [1, C, H, W]; for the rest see `pacing.Pace`."""
        measured = pacing.measure(lambda t: look(*self.way(t)), self.times, on_look)
        self.pace = pacing.Pace(self.times, self.easing, measured, strength, held, self.loop)


def through(
    keys: Sequence[Key],
    times: Sequence[float],
    loop: bool,
    kind: str = "cubic",
    easing: str | Sequence[str] = "linear",
) -> Walk:
    """From key to key in W, each hit exactly at its time, noise and weights included (`latent.Path`, `keys.between`).

    times   seconds, rising from 0, one for each key; of a loop one more, when the first comes round again
    Raises KinesphereError for fewer than two keys, and what `latent.Path` refuses.
    """
    if len(keys) < 2:
        raise KinesphereError(f"a walk needs two keys or more, not {len(keys)}; from one seed, use a drift")
    path = latent.Path(torch.cat([key.ws for key in keys]), times, loop=loop, kind=kind)
    round_again = [*keys, keys[0]] if loop else [*keys]
    starts = path.times

    def way(t: float) -> tuple[Tensor, Bending]:
        if not any(key.bending for key in keys):
            return path(t), {}
        inside = t % path.end if loop and not 0 <= t < path.end else t
        leg = int(np.clip(np.searchsorted(starts, inside, side="right") - 1, 0, len(starts) - 2))
        x = (inside - starts[leg]) / (starts[leg + 1] - starts[leg])
        return path(t), between(round_again[leg].bending, round_again[leg + 1].bending, float(x))

    return Walk(way, [key.name for key in round_again], [float(t) for t in starts], loop, easing)


def adrift(
    G: Generator,
    seed: int,
    seconds: float,
    psi: float = 1.0,
    cutoff: int | None = None,
    class_index: int = 0,
    harmonics: float = 6.0,
) -> Walk:
    """A wandering of its own for each seed, which closes after `seconds` (`latent.drift`)."""
    c = G.label(class_index)

    def way(t: float) -> tuple[Tensor, Bending]:
        z = latent.drift(seed, G.z_dim, t, period=seconds, harmonics=harmonics)
        return latent.truncate(G.mapping(z.to(G.w_avg.device), c), G.w_avg, psi, cutoff), {}

    return Walk(way, [f"drift {seed}"] * 2, [0.0, seconds], loop=True)


@dataclass
class Film:
    """Some walks, side by side, as frames. Draw it into a sink, or look at any moment of it."""

    G: Generator
    walks: Sequence[Walk]  # in reading order
    seconds: float
    fps: Fraction = Fraction(30)
    columns: int = 1
    size: int | None = None  # pixels on each side of one picture; None: the model's own
    noise_mode: str = "const"
    even: float = 0.0  # 0 to 1: how even the pace is made in what the eye sees
    held: bool = False  # where it is made even: whether stops stay at their times
    paced: bool = field(default=False, init=False)

    @property
    def loop(self) -> bool:
        return all(walk.loop for walk in self.walks)

    @property
    def frame_size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        side = self.size or self.G.img_resolution
        return side * self.columns, side * -(-len(self.walks) // self.columns)

    def times(self) -> list[Fraction]:
        """When each frame is shown, in seconds (`latent.frame_times`)."""
        return latent.frame_times(self.seconds, self.fps, self.loop)

    def pictures(self) -> int:
        """How many pictures are drawn for the whole film, those included that find its pace."""
        found = sum(pacing.looks(walk.times) for walk in self.walks) if self.even else 0
        return len(self.times()) * len(self.walks) + found

    def find_pace(self, on_look: Told = lambda done, of: None) -> None:
        """Make the pace as even as was asked for. It is done once, by whichever comes first: this, a frame, or the whole film."""
        if self.paced:
            return
        for i, walk in enumerate(self.walks if self.even else []):
            walk.even(
                self._look,
                self.even,
                self.held,
                lambda done, of, i=i: on_look(i * of + done, len(self.walks) * of),  # type: ignore[misc]
            )
        self.paced = True

    @torch.inference_mode()
    def frame(self, t: float) -> np.ndarray:
        """The frame at `t` seconds, [H, W, 3] uint8 RGB."""
        self.find_pace()
        width, height = self.frame_size
        side = width // self.columns
        frame = np.zeros((height, width, 3), np.uint8)
        for i, walk in enumerate(self.walks):
            y, x = divmod(i, self.columns)
            with noise_from(self._dice(t, i)):
                picture = to_pixels(self._synthesis(*walk(t)))[0].cpu().numpy()
            frame[y * side : (y + 1) * side, x * side : (x + 1) * side] = resized(picture, (side, side))
        return frame

    def _dice(self, t: float, walk: int) -> torch.Generator:
        """Of noise that is drawn afresh: another in each picture of each frame, and the same each time."""
        return torch.Generator(self.G.w_avg.device).manual_seed(round(t * self.fps) * len(self.walks) + walk)

    def into(self, sink: Sink, on_frame: Told = lambda done, of: None, on_look: Told = lambda done, of: None) -> int:
        """Draw every frame into a sink, which is opened and closed. A loop's last frame is followed by its first.

        Returns the number of frames. An interruption closes the sink, so that what was drawn so far can be seen.
        """
        times = self.times()
        sink.open(self.frame_size, self.fps)
        try:
            self.find_pace(on_look)
            for i, t in enumerate(times):
                sink.write(self.frame(float(t)), float(i / self.fps))
                on_frame(i + 1, len(times))
        finally:
            sink.close()
        return len(times)

    @torch.inference_mode()
    def _synthesis(self, ws: Tensor, bending: Bending, noise_mode: str | None = None) -> Tensor:
        with bent(self.G, bending):
            img: Tensor = self.G.synthesis(ws, noise_mode=noise_mode or self.noise_mode)
        return img

    def _look(self, ws: Tensor, bending: Bending) -> Tensor:
        """The picture without what changes by itself, which no pace can make even."""
        return self._synthesis(ws, bending, "none" if self.noise_mode == "random" else None)
