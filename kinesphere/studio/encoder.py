"""A small network that guesses from a picture the w that makes it: in milliseconds, where a projection takes seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save as serialised
from torch import Tensor, nn

from kinesphere import files
from kinesphere.models import Generator
from kinesphere.studio import tensorfiles
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError

VERSION = "1"
GRID = 32  # cells of a side that a picture comes in as, each with its pixels
LARGEST_SIDE = 128  # pixels; a larger picture is shrunk to that
WIDTHS, DEPTHS = (48, 96, 192, 256), (2, 2, 2, 1)  # channels at 32, 16, 8, 4 cells a side; blocks of each
SHIPPED = ("portraits.encoder.safetensors",)  # beside the built-in models
LARGEST = 2**28  # bytes of a file
UNKNOWN = Fingerprint()


class Block(nn.Module):
    """Two convolutions beside a way straight on (He et al. 2016); `shrinks` halves the sides."""

    def __init__(self, channels: int, out: int, shrinks: bool) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, out, 3, 2 if shrinks else 1, 1, bias=False)
        self.norm0 = nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.skip = nn.Conv2d(channels, out, 1, bias=False) if channels != out else nn.Identity()
        self.shrinks = shrinks

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(F.silu(self.norm0(self.conv0(x)))))
        return F.silu(y + self.skip(F.avg_pool2d(x, 2) if self.shrinks else x))


class Encoder(nn.Module):
    """`encoder(pictures)` is the guess, [N, C, H, W] in [-1, 1] -> w [N, w_dim]. What it learns are coordinates on the chart.

    channels   of the pictures
    side       pixels to which they are shrunk before it looks, a multiple of GRID
    model      whose w it guesses
    about      how it was made, plain JSON
    """

    def __init__(
        self,
        w_dim: int,
        channels: int = 3,
        side: int = 64,
        model: Fingerprint = UNKNOWN,
        class_index: int = 0,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if side % GRID or side not in range(GRID, LARGEST_SIDE + 1):
            raise KinesphereError(f"side {side}: an encoder looks at {GRID} px or a multiple, up to {LARGEST_SIDE}")
        self.channels, self.side, self.model, self.class_index = channels, side, model, class_index
        self.about = dict(about or {})
        self.mean: Tensor  # these four: the chart
        self.axes: Tensor
        self.inverse: Tensor
        self.reach: Tensor  # rank, wide, natural
        self.register_buffer("mean", torch.zeros(w_dim))
        self.register_buffer("axes", torch.eye(w_dim))
        self.register_buffer("inverse", torch.eye(w_dim))
        self.register_buffer("reach", torch.ones(3))
        self.stem = nn.Conv2d(channels * (side // GRID) ** 2, WIDTHS[0], 3, 1, 1)
        blocks, width = [], WIDTHS[0]
        for i, (out, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            for j in range(depth):
                blocks.append(Block(width, out, shrinks=i > 0 and j == 0))
                width = out
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(width * (GRID >> (len(WIDTHS) - 1)) ** 2, w_dim)

    @classmethod
    def beginning(cls, G: Generator, chart: Chart, class_index: int = 0, seed: int = 0) -> Encoder:
        """One for a generator that has learnt nothing yet."""
        side = min(LARGEST_SIDE, max(GRID, G.img_resolution))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = cls(G.w_dim, G.img_channels, side, Fingerprint.of(G), class_index)
        for own, value in zip(
            (encoder.mean, encoder.axes, encoder.inverse), (chart.mean, chart.axes, chart.inverse), strict=True
        ):
            own.copy_(value)
        encoder.reach.copy_(torch.tensor([chart.rank, chart.wide, chart.natural]))
        return encoder.to(G.w_avg.device)

    @torch.no_grad()
    def learn_on_from(self, other: Encoder) -> None:
        """Begin with what another has learnt, and guess the same w: of this model, or of one that this was trained on from.

        Raises KinesphereError where it is of another size.
        """
        sizes = [(e.head.out_features, e.channels, e.side) for e in (other, self)]
        if sizes[0] != sizes[1]:
            had, wanted = (f"w of {w}, pictures of {channels} channels and {side} px" for w, channels, side in sizes)
            raise KinesphereError(f"an encoder of another size cannot learn on: it has {had}, the model needs {wanted}")
        other = other.to(self.mean.device)
        # Placed on the other's map and read off this one, the same w is another linear function of what was seen.
        turn, shift = other.axes.T @ self.inverse, self.chart.coordinates(other.mean)
        learnt = other.state_dict() | {
            "head.weight": turn.T @ other.head.weight, "head.bias": other.head.bias @ turn + shift,
        }  # fmt: skip
        self.load_state_dict(learnt | {name: getattr(self, name) for name in ("mean", "axes", "inverse", "reach")})

    @property
    def chart(self) -> Chart:
        """The chart of the model that it has learnt from, on which it guesses."""
        rank, wide, natural = self.reach.tolist()
        return Chart(self.mean, self.axes, self.inverse, round(rank), wide, natural)

    def coordinates(self, img: Tensor) -> Tensor:
        """The guess on the chart, [N, w_dim]."""
        x = img if img.shape[2] == self.side else resized(img, self.side)
        u: Tensor = self.head(self.blocks(self.stem(F.pixel_unshuffle(x, self.side // GRID))).flatten(1))
        return u

    def forward(self, img: Tensor) -> Tensor:
        """See the class. Raises KinesphereError for pictures of another number of channels."""
        if img.ndim != 4 or img.shape[1] != self.channels:
            raise KinesphereError(
                f"pictures {list(img.shape)} do not fit this encoder: needed are [N, {self.channels}, H, W]"
            )
        return self.chart.placed(self.coordinates(img))

    def check(self, told: Fingerprint) -> None:
        """Raise KinesphereError where it guesses the w of another model than the one of this fingerprint."""
        if not self.model.shares_w(told):
            raise KinesphereError("this encoder has learnt from another model: make one with kinesphere train-encoder")

    # Files --------------------------------------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """The contents of its file: what it multiplies by in half precision."""
        about = {
            "w_dim": len(self.head.bias),
            "channels": self.channels,
            "side": self.side,
            "class": self.class_index,
            "model": {"whole": self.model.whole, "mapping": self.model.mapping},
            "made": self.about,
        }
        state = {
            name: (value.half() if value.ndim > 1 and name not in ("axes", "inverse") else value).cpu().contiguous()
            for name, value in self.state_dict().items()
        }
        return serialised(state, {"kinesphere_encoder": VERSION, "about": json.dumps(about)})

    def save(self, path: Path | str) -> Path:
        """Write a .safetensors file, whole or not at all. Raises KinesphereError where it cannot be written."""
        return tensorfiles.write(path, self.to_bytes)

    @classmethod
    def load(cls, path: Path | str) -> Encoder:
        """One that `save` wrote, ready to guess. Nothing in it is run. Raises KinesphereError, naming the file, otherwise."""
        path = Path(path).expanduser()
        try:
            if path.stat().st_size > LARGEST:
                raise KinesphereError(f"it has {path.stat().st_size} bytes, more than any encoder")
            return _read(path.read_bytes())
        except OSError as error:
            raise KinesphereError(f"{path.name} cannot be read: {files.reason(error)}") from None
        except KinesphereError as error:
            raise KinesphereError(f"{path.name}: {error}") from None


def resized(img: Tensor, side: int) -> Tensor:
    """Pictures [N, C, H, W] of `side` pixels, every pixel counted when shrinking."""
    if img.shape[2] % side == 0 and img.shape[2] == img.shape[3]:
        return F.avg_pool2d(img, img.shape[2] // side)
    return F.interpolate(img, (side, side), mode="bilinear", antialias=True)


def shipped(told: Fingerprint) -> Encoder | None:
    """The one that comes with kinesphere for the model of this fingerprint, or for its relatives that share its W."""
    for name in SHIPPED:
        file = resources.files("kinesphere") / "builtin" / name
        if file.is_file():
            encoder = _read(file.read_bytes())
            if encoder.model.shares_w(told):
                return encoder
    return None


def chosen(name: str, told: Fingerprint, class_index: int = 0) -> Encoder | None:
    """The encoder that a name means, for the model of this fingerprint and one of its classes; None: there is none.

    name  "own": the one that comes with kinesphere, where there is one; "none"; or the path of a file
    Raises KinesphereError as `Encoder.load`, and where the file's is of another model or another class.
    """
    if name == "none":
        return None
    if name == "own":
        found = shipped(told)
        return found if found is not None and found.class_index == class_index else None
    found = Encoder.load(name)
    found.check(told)
    if found.class_index != class_index:
        raise KinesphereError(f"{name} guesses pictures of class {found.class_index}: ask for that, or train another")
    return found


def _read(data: bytes) -> Encoder:
    stored, said = tensorfiles.unpacked(data)
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
    try:
        about = json.loads(said.get("about", "null"))
    except (ValueError, RecursionError) as error:
        raise tensorfiles.damaged(error) from None
    if "kinesphere_encoder" not in said:
        raise KinesphereError("it is no encoder that kinesphere wrote")
    if said["kinesphere_encoder"] != VERSION:
        raise KinesphereError("it was written by a later kinesphere: update this one")
    match about:
        case {
            "w_dim": int(w_dim),
            "channels": int(channels),
            "side": int(side),
            "class": int(index),
            "model": {"whole": str(whole), "mapping": str(mapping)},
            "made": dict(made),
        } if 0 < w_dim <= 2**13 and 0 < channels <= 4:
            encoder = Encoder(w_dim, channels, side, Fingerprint(whole, mapping), index, made)
        case _:
            raise KinesphereError("what it says about itself is damaged")
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError:
        raise KinesphereError("its weights are not those of an encoder of the sizes that it tells") from None
    return encoder.eval().requires_grad_(False)
