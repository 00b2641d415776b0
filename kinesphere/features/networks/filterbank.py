"""A bank of filters: an eye that needs no weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.networks.network import no_weights_for

ORIENTATIONS = 4
OPPONENT = ((1 / 3, 1 / 3, 1 / 3), (1 / 2, -1 / 2, 0), (1 / 4, 1 / 4, -1 / 2))  # light, red-green, yellow-blue
BINOMIAL = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


def gabor_filters() -> Tensor:
    """Morlet wavelets 4 px long at 0, 45, 90 and 135 degrees: [8, 1, 7, 7], the real parts before the imaginary ones.

    A grating of amplitude A that runs along the angle of a filter, 4 px to its period, is answered with modulus A; an even
    surface with 0 (the envelope's share is taken out).
    """
    y, x = np.mgrid[-3:4, -3:4].astype(float)
    envelope = np.exp(-(x**2 + y**2) / (2 * 1.4**2))
    filters = []
    for angle in np.arange(ORIENTATIONS) * math.pi / ORIENTATIONS:
        wave = np.exp(1j * math.pi / 2 * (x * math.cos(angle) + y * math.sin(angle)))
        wavelet = envelope * (wave - (envelope * wave).sum() / envelope.sum())
        filters.append(2 * wavelet / (wavelet * wave.conj()).sum().real)  # 2: half of a grating turns the other way
    stack = np.stack(filters)
    return torch.tensor(np.concatenate([stack.real, stack.imag])[:, None], dtype=torch.float32)


class Filterbank:
    """How much texture of each size, direction and colour is where: no weights, the same for everybody.

    Moduli of complex wavelets over four octaves, four directions and three opponent colours: a scattering transform of the
    first order (Bruna and Mallat 2013). Layers: "scale1" (waves of 4 px) to "scale4" (32 px), 12 channels each, in the
    order light, red-green, yellow-blue, four directions of each; "colour", what is left below: light, red-green,
    yellow-blue and darkness (1 - light), so that no picture is all zeros.
    """

    LAYERS: ClassVar[tuple[str, ...]] = ("scale1", "scale2", "scale3", "scale4", "colour")
    CONTRAST: ClassVar[float] = 4.0  # natural textures have a contrast of about 1/4 of the range of colours

    SMALLEST: ClassVar[int] = 32

    default: tuple[str, ...] = LAYERS
    size: int = 160

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        no_weights_for("filterbank", weights)
        self._gabor = gabor_filters()
        self._opponent = torch.tensor(OPPONENT)
        self._halve = (BINOMIAL[:, None] * BINOMIAL)[None, None]

    def layers(self) -> tuple[str, ...]:
        """Their names, from fine to coarse."""
        return self.LAYERS

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> each scale [N, 12, h', w'], colour [N, 4, h/16, w/16]."""
        n, _, h, w = pictures.shape
        x = (self._opponent.to(pictures) @ pictures.flatten(2)).reshape(n * 3, 1, h, w)
        maps: dict[str, Tensor] = {}
        for name in self.LAYERS[:-1]:
            if name in names:
                maps[name] = self._energy(x).unflatten(0, (n, 3)).flatten(1, 2)
            if len(maps) == len(names):
                return maps
            x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self._halve.to(x), stride=2)
        colour = x.reshape(n, 3, *x.shape[2:])
        maps["colour"] = torch.cat([colour, 1 - colour[:, :1]], dim=1)
        return maps

    def _energy(self, x: Tensor) -> Tensor:
        """[N, 1, h, w] -> [N, 4, h/2, w/2]."""
        waves = F.conv2d(F.pad(x, (3, 3, 3, 3), mode="replicate"), self._gabor.to(x), stride=2)
        real, imaginary = waves.chunk(2, dim=1)
        return self.CONTRAST * (real.square() + imaginary.square() + 1e-8).sqrt()
