"""The kinds of picture that a model makes: centres of W, to look at and to truncate towards."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kinesphere import files, latent
from kinesphere.latent import Statistics
from kinesphere.models import Generator
from kinesphere.studio import sheets
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.types import KinesphereError

VERSION = "1"


@dataclass(frozen=True, eq=False)
class Centres:
    """`centres(ws)` is the centre nearest to each w, to truncate towards: of a model of several kinds, the mean is none of them.

    Mokady et al. 2022 ("Self-Distilled StyleGAN"), with the distance taken in W, whitened.
    """

    w: Tensor  # [k, w_dim], the most frequent first
    shares: Tensor  # [k], of the samples that are nearest to each
    stats: Statistics  # of W
    class_index: int = 0
    model: Fingerprint = field(default_factory=Fingerprint)

    @classmethod
    def of(cls, G: Generator, k: int = 64, count: int = 60_000, seed: int = 0, class_index: int = 0) -> Centres:
        """The `k` centres of `count` latents (`latent.cluster`); a seed gives the same ones each time.

        Raises KinesphereError for no such class, or where `count` is too small.
        """
        w = latent.sample_w(lambda z: sheets.z_to_ws(G, z, class_index)[:, 0].cpu(), G.z_dim, count, seed)
        stats = latent.statistics(w)
        found = latent.cluster(w, k, stats, seed)
        shares = torch.bincount(latent.nearest(w, found, stats), minlength=k) / count
        order = shares.argsort(descending=True, stable=True)
        return cls(found[order], shares[order], stats, class_index, Fingerprint.of(G))

    def __call__(self, ws: Tensor) -> Tensor:
        """The centre nearest to each w of [..., w_dim], in its shape: `latent.truncate(ws, centres(ws), psi)`."""
        return self.w.to(ws)[latent.nearest(ws, self.w, self.stats)]

    def towards(self, G: Generator, seed: int, psi: float, cutoff: int | None = None) -> Latent:
        """A seed truncated by `psi` towards the nearest centre, whose number is in its origin; rows from `cutoff` on stay."""
        own = Latent.of_seed(G, seed, class_index=self.class_index)
        ws = own.ws(G)
        drawn = latent.truncate(ws, self(ws), psi, cutoff)[0].cpu()
        alike = bool((drawn == drawn[:1]).all())
        which = int(latent.nearest(ws[0, 0], self.w, self.stats))
        origin = {"seed": seed, "centre": which, "psi": psi}
        return replace(own, data=drawn[0] if alike else drawn, space="w" if alike else "w+", psi=psi, origin=origin)

    def save(self, path: Path) -> Path:
        """Write a .safetensors file, whole or not at all. Raises KinesphereError where it cannot be written."""
        stats = self.stats
        tensors = {
            "centres": self.w,
            "shares": self.shares,
            "mean": stats.mean,
            "vectors": stats.vectors,
            "sigmas": stats.sigmas,
        }
        about = {
            "rank": stats.rank,
            "class": self.class_index,
            "whole": self.model.whole,
            "mapping": self.model.mapping,
        }
        plain = {name: value.detach().cpu().float().contiguous().clone() for name, value in tensors.items()}
        said = {"kinesphere_centres": VERSION, "about": json.dumps(about)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, lambda unfinished: save_file(plain, unfinished, said))
        except OSError as error:
            raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None
        return path

    @classmethod
    def load(cls, path: Path, G: Generator) -> Centres:
        """Those that were saved, on the device of `G`. Raises KinesphereError for what is none, or of another model's W."""
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
                found = {name: file.get_tensor(name).to(G.w_avg) for name in file.keys()}
            about = json.loads(said["about"])
            w, shares = found["centres"], found["shares"]
            fits = [tuple(value.shape) for _, value in sorted(found.items())] == _shapes(len(shares), G.w_dim)
            stats = Statistics(found["mean"], found["vectors"], found["sigmas"], int(about["rank"]))
            index, model = int(about["class"]), Fingerprint(str(about["whole"]), str(about["mapping"]))
        except OSError as error:
            raise KinesphereError(f"{str(path)!r} cannot be read: {files.reason(error)}") from None
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError):
            raise KinesphereError(
                f"{path.name} holds no centres: kinesphere centres --out {path.stem}.png makes them"
            ) from None
        if not fits or Fingerprint.of(G).mapping != model.mapping:
            raise KinesphereError(f"the centres in {path.name} are of another model: make this one's")
        return cls(w, shares, stats, index, model)


def sheet(draw: sheets.Drawing, w: Tensor, shares: Sequence[float]) -> np.ndarray:
    """Centres w [k, w_dim] as pictures, with their numbers and their shares of the samples below. [H, W, 3] uint8."""
    ws = w.to(draw.G.w_avg)[:, None].expand(-1, draw.G.num_ws, -1)
    said = [f"{i}: {share * 100:.2g} %" for i, share in enumerate(shares)]
    return sheets.grid(list(draw.pictures(ws)), math.ceil(math.sqrt(len(w))), captions=said)


def _shapes(k: int, w_dim: int) -> list[tuple[int, ...]]:
    """Those of the tensors of a file, in the order of their names: centres, mean, shares, sigmas, vectors."""
    return [(k, w_dim), (w_dim,), (k,), (w_dim,), (w_dim, w_dim)]
