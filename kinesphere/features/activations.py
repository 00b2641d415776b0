"""Where in the latent space the scene is: a frozen network's activations, made into a latent.

The family g of Porres, "Towards Kinetic Manipulation of the Latent Space" (2024), appendix A, with what its code leaves out:
any layers and any sum of them (equation 2), regions that do not leak into each other, where things are as well as what
they are, and latents spread over the whole space as equation 1 asks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from kinesphere.features.networks import NETWORKS, Halving
from kinesphere.features.region import WHOLE, checked_region, look
from kinesphere.features.silhouette import Subject
from kinesphere.features.smoothing import follow
from kinesphere.features.whitening import Whitening
from kinesphere.types import KinesphereError, Signal, check_all

POOLS = {"mean": 1, "2x2": 2, "3x3": 3, "4x4": 4}  # cells along each side of the region
TO_Z = ("calibrate", "standardise")
WITHIN = ("frame", "silhouette")
PRECISIONS = ("float32", "half")


@dataclass
class Activations:
    """A latent z [z_dim] float32 of unit RMS, drawn from what a frozen network sees in a region of the picture.

    The region is cut out before the network looks, scaled to `size`, and each layer's channels are averaged over the cells of
    `pool`. Layers with as many channels are summed with their weights as in equation 2; layers with different ones are summed
    after the seeded projection to z_dim, each through its own columns of it.

    `to_z`: "standardise" makes each vector zero mean, unit variance (equation 1 as Porres has it offline); "calibrate" whitens it
    by what the scene did so far (see Whitening), then turns it into the latent space by a seeded orthogonal projection.

    Raises KinesphereError on a name or number that cannot be meant, in `open` where only the model can tell.
    """

    vector: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ()

    source: str | None = None  # None is the patch's first
    network: str = "filterbank"
    weights: str | None = None  # of a network that needs some: a path or a name, "download" (vgg16) or "random:SEED"
    layers: dict[str, float] | list[str] | str | None = None  # None: what suits the network
    region: tuple[float, float, float, float] = WHOLE  # left, top, right, bottom, as fractions of the frame as seen
    within: str = "frame"  # "silhouette": of the box round who is there, with the rest painted over
    size: int | None = None  # pixels of the region's longer side, aspect kept; None: what suits the network
    precision: str = "float32"  # "half": in a large network faster, where the device computes it fast
    pool: str = "3x3"  # "mean" loses where things are; "2x2", "3x3", "4x4"
    to_z: str = "calibrate"
    warmup: float = 20.0  # calibrate: seconds before anything is forgotten
    memory: float = 120.0  # calibrate: time constant of forgetting, seconds
    smoothing: float = 0.2  # time constant of the latent, seconds; 0 is none
    seed: int = 0  # of the projection: another seed, another dance with the same steps

    def __post_init__(self) -> None:
        check_all(self._check_network, self._check_region, self._check_choices, self._check_numbers)

    def _check_network(self) -> None:
        if self.network not in NETWORKS:
            raise KinesphereError(f"no network {self.network!r}: choose {', '.join(NETWORKS)}")
        network = NETWORKS[self.network]
        if network.LAYERS:
            layer_weights(self.layers, network.LAYERS, network.LAYERS[:1], self.network)
        if self.size is not None and not network.SMALLEST <= self.size <= 4096:
            raise KinesphereError(f"size {self.size!r}: give {network.SMALLEST} to 4096 pixels, or leave it out")

    def _check_region(self) -> None:
        self.region = checked_region(self.region)

    def _check_choices(self) -> None:
        if self.precision not in PRECISIONS:
            raise KinesphereError(f"no precision {self.precision!r}: choose {', '.join(PRECISIONS)}")
        if self.pool not in POOLS:
            raise KinesphereError(f"no pool {self.pool!r}: choose {', '.join(POOLS)}")
        if self.to_z not in TO_Z:
            raise KinesphereError(f"no way to_z {self.to_z!r}: choose {', '.join(TO_Z)}")
        if self.within not in WITHIN:
            raise KinesphereError(f"no place within {self.within!r}: choose {', '.join(WITHIN)}")

    def _check_numbers(self) -> None:
        if not 0 <= self.warmup < math.inf:
            raise KinesphereError(f"warmup {self.warmup!r}: give seconds, 0 or more, for instance 20")
        if not 0 < self.memory < math.inf:
            raise KinesphereError(f"memory {self.memory!r}: give seconds above 0, for instance 120")
        if not 0 <= self.smoothing < math.inf:
            raise KinesphereError(f"smoothing {self.smoothing!r}: give seconds, 0 or more, for instance 0.2")
        if not 0 <= self.seed < 2**32:
            raise KinesphereError(f"seed {self.seed!r}: give a whole number from 0 to 4294967295")

    def open(self, checkpoint: Any) -> None:
        """Load the network, meet the model (`checkpoint.G_ema.z_dim`, `checkpoint.D`) and forget all earlier signals."""
        self._network = NETWORKS[self.network](self.weights, checkpoint)
        if isinstance(self._network, Halving) and self.precision == "half":
            self._network.halve()
        self._alpha = layer_weights(self.layers, self._network.layers(), self._network.default, self.network)
        self._size = self.size or self._network.size
        self._z_dim = int(checkpoint.G_ema.z_dim)
        self._rest = unit_rms(np.random.RandomState(self.seed).randn(self._z_dim))
        channels = len(self._features(np.zeros((self._size, self._size, 3), np.uint8)))
        self._projection = torch.from_numpy(orthogonal(self._z_dim, channels, self.seed))
        self._whitening = Whitening(self.warmup, self.memory)
        self._subject = Subject()
        self._t: float | None = None
        self._smooth = self._before = self._rest

    def __call__(self, signal: Signal) -> np.ndarray:
        """z [z_dim] float32 of unit RMS for a picture [H, W, 3] uint8 RGB."""
        dt = 0.0 if self._t is None else max(signal.t - self._t, 0.0)
        x = self._features(signal.value if self.within == "frame" else self._subject(signal))
        z = self._calibrated(x, dt) if self.to_z == "calibrate" else self._standardised(x)
        self._smooth = z if self._t is None else follow(self._smooth, self._before, z, dt, self.smoothing)
        self._t, self._before = signal.t, z
        return self._unit(self._smooth).astype(np.float32)

    def _features(self, picture: np.ndarray) -> np.ndarray:
        """g before it is made a latent: the weighted, pooled layers, float64 [C]."""
        seen = look(picture, self.region, self._size, self._network.SMALLEST)
        pictures = torch.from_numpy(seen).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            maps = self._network(pictures, tuple(self._alpha))
            parts = [alpha * pooled(maps[name].float(), POOLS[self.pool])[0] for name, alpha in self._alpha.items()]
        same = len({len(part) for part in parts}) == 1
        return (sum(parts) if same else torch.cat(parts)).cpu().double().numpy()  # type: ignore[union-attr]

    def _calibrated(self, x: np.ndarray, dt: float) -> np.ndarray:
        return self._unit(self._projected(self._whitening(x, dt)))

    def _standardised(self, x: np.ndarray) -> np.ndarray:
        y = x if len(x) == self._z_dim else self._projected(x)
        spread = y.std()
        return (y - y.mean()) / spread if spread > 1e-9 else self._rest

    def _projected(self, x: np.ndarray) -> np.ndarray:
        """[C] -> [z_dim]."""
        return (self._projection @ torch.from_numpy(x)).numpy()

    def _unit(self, z: np.ndarray) -> np.ndarray:
        """z at unit RMS, with a breath of a fixed latent, so that there is something to scale up where opposites cancel."""
        return unit_rms(z + 1e-6 * self._rest)


def layer_weights(
    layers: dict[str, float] | Sequence[str] | str | None, known: Sequence[str], default: Sequence[str], network: str
) -> dict[str, float]:
    """From layer to weight, the alpha of equation 2; a KinesphereError on a layer that the network has not."""
    chosen = default if layers is None else [layers] if isinstance(layers, str) else layers
    alpha = dict(chosen) if isinstance(chosen, dict) else dict.fromkeys(chosen, 1.0)
    for name in alpha:
        if name not in known:
            raise KinesphereError(f"no layer {name!r} in the network {network!r}: choose {', '.join(known)}")
    if not all(math.isfinite(a) for a in alpha.values()) or not any(alpha.values()):
        raise KinesphereError(f"layers {layers!r}: name at least one, with a weight other than 0")
    return {name: a for name, a in alpha.items() if a}


def orthogonal(rows: int, columns: int, seed: int) -> np.ndarray:
    """A seeded random matrix [rows, columns] with orthonormal columns (or rows, where these are fewer).

    Uniform over all such matrices: the QR decomposition of Gaussian numbers with R's diagonal made positive (Mezzadri 2007).
    """
    q, r = np.linalg.qr(np.random.RandomState(seed).randn(max(rows, columns), min(rows, columns)))
    q *= np.sign(np.diag(r))
    return q if rows >= columns else q.T


def pooled(maps: Tensor, cells: int) -> Tensor:
    """Means of each channel over `cells` x `cells` overlapping cells: [N, C, h, w] -> [N, C * cells * cells]; a vector's [N, C].

    The cells are tents, one at full height where the next is at zero, so that whatever moves, moves some mean; boxes would not
    notice it until it crosses a border.
    """
    if maps.shape[2:] == (1, 1):
        return maps.flatten(1)
    n, channels, height, width = maps.shape
    weights = tent_squares(cells, height, width).to(maps)
    # one product, whichever way the maps lie in memory
    pixels = maps.permute(0, 2, 3, 1).reshape(n, height * width, channels)
    return (weights @ pixels).transpose(1, 2).flatten(1)


@lru_cache
def tent_squares(cells: int, height: int, width: int) -> Tensor:
    """The weights of all cells [cells * cells, height * width], row by row."""
    return torch.kron(tents(cells, height), tents(cells, width))


@lru_cache
def tents(cells: int, length: int) -> Tensor:
    """Weights [cells, length] of the tents along one side, each summing to 1."""
    if cells == 1 or length == 1:
        return torch.full((cells, length), 1 / length)
    position = (torch.arange(length) + 0.5) / length * (cells - 1)
    height = (1 - (position - torch.arange(cells)[:, None]).abs()).clamp(min=0)
    return height / height.sum(dim=1, keepdim=True)


def unit_rms(v: np.ndarray) -> np.ndarray:
    """v over its root mean square."""
    return v / np.sqrt(np.mean(np.square(v)))
