"""The loaded model's own discriminator as an eye."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from kinesphere.features.networks.network import Reached, no_weights_for
from kinesphere.types import KinesphereError


class Discriminator:
    """The loaded model's own discriminator as an encoder (Porres 2021): what it learnt of the very pictures played.

    The picture is fitted into the square that D knows, its aspect kept, mid-grey beside it, and scaled to [-1, 1]. Layers are
    D's own ("b64.conv0", ..., "b4.fc"). D is left as it was found.
    """

    LAYERS: ClassVar[tuple[str, ...]] = ()  # the checkpoint's D has them

    SMALLEST: ClassVar[int] = 4

    default: tuple[str, ...] = ("b8.conv1",)
    size: int

    def __init__(self, weights: str | None = None, checkpoint: Any = None) -> None:
        no_weights_for("discriminator", weights)
        if checkpoint is None or checkpoint.D is None:
            raise KinesphereError(
                "the network 'discriminator' needs a checkpoint with a discriminator, and this one holds only a generator; "
                "take the training checkpoint, or a network that needs none, such as 'filterbank'"
            )
        self.D = checkpoint.D
        self.size = checkpoint.D.img_resolution
        if self.D.img_channels not in (1, 3, 4):
            raise KinesphereError(
                f"the network 'discriminator' shows pictures as grey, RGB or RGBA; this D has {self.D.img_channels} channels"
            )

    def layers(self) -> tuple[str, ...]:
        """D's own names, in the order of the computation."""
        return tuple(self.D.layers())

    def __call__(self, pictures: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """[N, 3, h, w] in [0, 1] -> the named layers of D."""
        maps: dict[str, Tensor] = {}

        def keep(name: str, x: Tensor) -> None:
            maps[name] = x if x.ndim == 4 else x[:, :, None, None]
            if len(maps) == len(names):
                raise Reached

        layers = self.D.layers()
        hooks = [layers[name].register_forward_hook(lambda module, args, x, name=name: keep(name, x)) for name in names]
        try:
            self.D(self._fitted(pictures))
        except Reached:
            pass
        finally:
            for hook in hooks:
                hook.remove()
        return maps

    def _fitted(self, pictures: Tensor) -> Tensor:
        """[N, 3, h, w] in [0, 1] -> [N, D.img_channels, R, R] in [-1, 1]."""
        side = self.D.img_resolution
        h, w = pictures.shape[2:]
        if max(h, w) != side:
            to = [max(round(h * side / max(h, w)), 1), max(round(w * side / max(h, w)), 1)]
            pictures = F.interpolate(pictures, to, mode="bilinear", antialias=True, align_corners=False)
            h, w = to
        x = pictures.to(next(self.D.parameters()).device) * 2 - 1
        if self.D.img_channels == 1:
            x = x.mean(dim=1, keepdim=True)
        left, top = (side - w) // 2, (side - h) // 2
        x = F.pad(x, (left, side - w - left, top, side - h - top))
        return F.pad(x, (0, 0, 0, 0, 0, 1), value=1.0) if self.D.img_channels == 4 else x  # alpha: opaque
