"""A latent as a value that can be kept: where in a model's space it is, of which model, and where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialised
from torch import Tensor

from kinesphere import files, latent
from kinesphere.bends import bent
from kinesphere.bends.bending import Bending, has, tensor
from kinesphere.models import Generator
from kinesphere.models.generator import check_noise_mode
from kinesphere.studio import arrays, tensorfiles
from kinesphere.types import KinesphereError

VERSION = "1"
SPACES = {"z": "[z_dim]", "w": "[w_dim]", "w+": "[num_ws, w_dim]", "s": "[all styles]"}
LONGEST = 2**20  # characters of what a file says about itself
LARGEST = 2**30  # bytes


@dataclass(frozen=True)
class Fingerprint:
    """Which model a latent is of, by its weights, whatever file they lie in: 32 hexadecimal digits each, "" where not known."""

    whole: str = ""
    mapping: str = ""  # of the mapping network alone: models that share it (a student, a tuned child) share W

    @classmethod
    @torch.no_grad()
    def of(cls, G: Generator) -> Fingerprint:
        """That of a generator: SHA-256 over the names, shapes and float32 numbers of its state dict."""
        return cls(hashed(G.state_dict()), hashed(G.mapping.state_dict()))

    def shares_w(self, other: Fingerprint) -> bool:
        """Whether a latent of one is the same place in the other: one model, or relatives that share a mapping network."""
        return self.whole == other.whole or self.mapping == other.mapping


def hashed(state: Mapping[str, Tensor]) -> str:
    """Which weights these are: 32 hexadecimal digits."""
    total = hashlib.sha256()
    for name, held in sorted(state.items()):
        numbers = held.detach().to("cpu", torch.float32).contiguous()
        total.update(f"{name} {list(numbers.shape)} ".encode())
        total.update(numbers.numpy().data)
    return total.hexdigest()[:32]


@dataclass(frozen=True, eq=False)
class Latent:
    """One place in a generator's space. `data` is float32 on the CPU and has the shape that its space gives it."""

    data: Tensor
    space: str  # a name of SPACES: "z", "w" (one for all rows), "w+" (a row for each layer), "s" (the styles that rows become)
    class_index: int = 0  # of a model with classes
    psi: float = 1.0  # truncation that `data` went through already; it is drawn as it is
    # layer ("b8.conv0") -> map [H, W], in place of the model's own
    noise: Mapping[str, Tensor] = field(default_factory=dict)
    # weight ("b8.conv0.weight") -> what is added to it [O, I, k, k], as thin matrices [O, r] and [r, I k k] (pivotal tuning)
    tuning: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    model: Fingerprint = Fingerprint()
    # plain JSON: {"seed": 85}, {"projection": ...}, {"morph": ...}
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise KinesphereError(f"no space {self.space!r}: there are {', '.join(SPACES)}")
        if self.data.ndim != (2 if self.space == "w+" else 1) or not self.data.numel():
            raise KinesphereError(
                f"a latent {list(self.data.shape)} is none of {self.space.upper()}: needed is {SPACES[self.space]}"
            )
        if not torch.isfinite(self.data).all():
            raise KinesphereError("this latent holds numbers that are infinite or none")

    @classmethod
    def of_seed(
        cls, G: Generator, seed: int, psi: float = 1.0, class_index: int = 0, cutoff: int | None = None
    ) -> Latent:
        """The `w` of a seed, truncated about the model's mean by `psi`; rows from `cutoff` on are as they were."""
        with torch.no_grad():
            ws = G.mapping(latent.seed_to_z(seed, G.z_dim).to(G.w_avg.device), G.label(class_index))
            ws = latent.truncate(ws, G.w_avg, psi, cutoff)[0].cpu()
        data, space = (ws[0], "w") if _alike(ws) else (ws, "w+")
        return cls(data, space, class_index, psi, model=Fingerprint.of(G), origin={"seed": seed})

    @classmethod
    def load(cls, path: Path | str) -> Latent:
        """One that was kept by `save`, or by another tool as .npy, .npz or .pt (projections; the first, of several).

        Of another tool's arrays, one of one dimension (beside those of size 1 before it) is taken for W, or Z where it is called
        "z"; one of two for W+. Nothing in a file is run. Raises KinesphereError, naming the file, for what is no latent.
        """
        path = Path(path).expanduser()
        if not path.is_file():
            raise KinesphereError(f"there is no file {str(path)!r}")
        try:
            if path.suffix != ".safetensors":
                return _other(path)
            if path.stat().st_size > LARGEST:
                raise KinesphereError(f"it has {path.stat().st_size} bytes, more than any latent")
            return _own(path.read_bytes())
        except OSError as error:
            raise KinesphereError(f"{path.name} cannot be read: {files.reason(error)}") from None
        except KinesphereError as error:
            said = str(error)
            raise type(error)(said if said.startswith(path.name) else f"{path.name}: {said}") from None

    @classmethod
    def from_bytes(cls, data: bytes) -> Latent:
        """What `to_bytes` gave. Raises KinesphereError for anything else."""
        return _own(data)

    def save(self, path: Path | str) -> Path:
        """Write a .safetensors file, whole or not at all. Raises KinesphereError where it cannot be written."""
        return tensorfiles.write(path, self.to_bytes)

    def to_bytes(self) -> bytes:
        """The contents of the file that `save` writes."""
        halves = {f"tuning.{i}.{name}": half for name, pair in self.tuning.items() for i, half in enumerate(pair)}
        noise = {f"noise.{name}": value for name, value in self.noise.items()}
        about = {
            "space": self.space,
            "class": self.class_index,
            "psi": self.psi,
            "model": {"whole": self.model.whole, "mapping": self.model.mapping},
            "origin": dict(self.origin),
        }
        plain = {
            name: value.detach().cpu().contiguous().clone()
            for name, value in {"latent": self.data, **noise, **halves}.items()
        }
        return serialised(plain, {"kinesphere_latent": VERSION, "about": json.dumps(about)})

    def check(self, G: Generator, found: Fingerprint | None = None) -> None:
        """Raise KinesphereError where this latent is not of `G` or of a relative that shares its mapping network.

        What another tool kept does not say whose it is; then only the sizes are compared. `found` spares the computing of G's own.
        """
        sizes = {"z": (G.z_dim,), "w": (G.w_dim,), "w+": (G.num_ws, G.w_dim)}
        wanted = sizes.get(self.space) or (sum(_widths(G)),)
        if tuple(self.data.shape) != wanted:
            raise KinesphereError(
                f"a latent of {self.space.upper()} {list(self.data.shape)} does not fit this model, whose are {list(wanted)}"
            )
        if not self.model.whole:
            return
        found = found or Fingerprint.of(G)
        if not self.model.shares_w(found):
            raise KinesphereError(
                "this latent is of another model: the same numbers are another picture there; project the picture again"
            )

    def ws(self, G: Generator, found: Fingerprint | None = None) -> Tensor:
        """As `G` takes it, [1, num_ws, w_dim] on its device. Raises KinesphereError as `check`, and for styles."""
        self.check(G, found)
        return self._ws(G)

    def _ws(self, G: Generator) -> Tensor:
        data = self.data.to(G.w_avg)
        if self.space == "z":
            with torch.no_grad():
                ws: Tensor = G.mapping(data[None], G.label(self.class_index))
                return latent.truncate(ws, G.w_avg, self.psi)
        if self.space == "s":
            raise KinesphereError("a latent of styles has no rows of W: draw it as it is")
        return (data if self.space == "w+" else data.expand(G.num_ws, -1))[None]

    def bending(self, G: Generator) -> Bending:
        """What it puts in place of the model's own: noise maps, styles, weights. Raises KinesphereError where one does not fit."""
        put: dict[str, Any] = {}
        layers = G.layers()
        for name, value in self.noise.items():
            own = getattr(layers.get(name), "noise_const", None)
            if own is None or own.shape != value.shape:
                raise KinesphereError(f"this model has no noise map {name!r} of {list(value.shape)}")
            put[f"{name}.noise_const"] = partial(instead, value)
        put |= tuned(G, self.tuning)
        if self.space == "s":
            parts = self.data.split(_widths(G))
            put |= {f"{name}.affine": partial(instead, part) for name, part in zip(affines(G), parts, strict=True)}
        return put


def instead(value: Tensor, own: Tensor) -> Tensor:
    """`value` in place of what is there: of its kind; where only one of them holds a batch, for each of the batch."""
    return torch.broadcast_tensors(value.to(own), own)[0]


def tuned(G: Generator, tuning: Mapping[str, tuple[Tensor, Tensor]]) -> Bending:
    """What is added to weights, as `Latent.tuning` has it. Raises KinesphereError for a weight that this model has not."""
    put = {}
    for place, (up, down) in tuning.items():
        if not has(G, place) or tensor(G, place).shape[0] != len(up) or tensor(G, place)[0].numel() != down.shape[1]:
            raise KinesphereError(f"this model has no weight {place!r} of the size that was tuned")
        put[place] = partial(_added, up, down)
    return put


def _added(up: Tensor, down: Tensor, own: Tensor) -> Tensor:
    return own + (up.to(own) @ down.to(own)).view_as(own)


def _alike(ws: Tensor) -> bool:
    return bool((ws == ws[:1]).all())


def affines(G: Generator) -> dict[str, Any]:
    """What makes its styles, of each layer that has styles, in order."""
    return {name: layer.affine for name, layer in G.layers().items() if hasattr(layer, "affine")}


def _widths(G: Generator) -> list[int]:
    return [len(affine.bias) for affine in affines(G).values()]


@torch.no_grad()
def styles(G: Generator, ws: Tensor) -> dict[str, Tensor]:
    """What each layer makes of its row of `ws` [N, num_ws, w_dim] (StyleSpace, Wu et al. 2021): layer -> [N, number of styles]."""
    found: dict[str, Tensor] = {}
    hooks = [
        affine.register_forward_hook(lambda _, __, out, name=name: found.update({name: out}))
        for name, affine in affines(G).items()
    ]
    try:
        G.synthesis(ws, noise_mode="none")
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in affines(G)}


def of_styles(found: Mapping[str, Tensor], like: Latent) -> Latent:
    """The first sample of `styles` as a latent, with the noise, the model and the origin of another."""
    return replace(like, data=torch.cat([value[0].float().cpu() for value in found.values()]), space="s", psi=1.0)


@torch.no_grad()
def draw(G: Generator, place: Latent, noise_mode: str = "const", told: Fingerprint | None = None) -> Tensor:
    """The picture [1, C, H, W] of a latent, with its noise. Raises KinesphereError as `Latent.check`, to which `told` goes."""
    check_noise_mode(noise_mode)
    place.check(G, told)
    ws = G.w_avg.expand(1, G.num_ws, -1) if place.space == "s" else place._ws(G)
    with bent(G, place.bending(G)):
        return G.synthesis(ws, noise_mode=noise_mode)


# Files ------------------------------------------------------------------------------------------------------------------


def _own(data: bytes) -> Latent:
    stored, said = tensorfiles.unpacked(data)
    tensors = {name: value.float() for name, value in stored.items()}
    if "kinesphere_latent" not in said or "latent" not in tensors:
        raise KinesphereError(
            "it is a model, not a latent" if "kinesphere" in said else "it is no latent that kinesphere wrote"
        )
    if said["kinesphere_latent"] != VERSION:
        raise KinesphereError("it was written by a later kinesphere: update this one")
    about = _about(said.get("about", ""))
    noise = {name.removeprefix("noise."): value for name, value in tensors.items() if name.startswith("noise.")}
    places = [name.removeprefix("tuning.0.") for name in tensors if name.startswith("tuning.0.")]
    try:
        tuning = {place: (tensors[f"tuning.0.{place}"], tensors[f"tuning.1.{place}"]) for place in places}
    except KeyError:
        raise KinesphereError("a half of what was tuned is missing") from None
    return Latent(tensors["latent"], noise=noise, tuning=tuning, **about)


def _about(text: str) -> dict[str, Any]:
    try:
        match json.loads(text) if len(text) < LONGEST else None:
            case {
                "space": str(space),
                "class": int(index),
                "psi": int() | float() as psi,
                "model": {"whole": str(whole), "mapping": str(mapping)},
                "origin": dict(origin),
            }:
                told = Fingerprint(whole, mapping)
                return {"space": space, "class_index": index, "psi": float(psi), "model": told, "origin": origin}
    except (ValueError, RecursionError):
        pass
    raise KinesphereError("what it says about itself is damaged")


def _other(path: Path) -> Latent:
    """What another tool kept: the array whose name says that it is a latent, or the first that may be one."""
    found = arrays.read(path)
    known = [name for name in found if name.rsplit(".", 1)[-1] in ("w", "ws", "latent", "z", "projected_w")]
    for name in [*known, *found]:
        data = found[name]
        while data.ndim > 1 and data.shape[0] == 1:
            data = data[0]
        if data.ndim in (1, 2) and data.shape[-1] > 1:
            break
    else:
        shapes = ", ".join(f"{name or 'an array'} {list(value.shape)}" for name, value in list(found.items())[:5])
        raise KinesphereError(f"none of its arrays is a latent: {shapes}")
    if data.ndim == 2 and _alike(data):
        data = data[0]
    space = "w+" if data.ndim == 2 else "z" if name.rsplit(".", 1)[-1] == "z" else "w"
    return Latent(data.clone(), space, origin={"file": path.name})
