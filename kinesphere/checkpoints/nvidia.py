"""NVIDIA's PyTorch snapshots, of the StyleGAN2-ADA and of the StyleGAN3 code: what their modules remember of themselves.

Order of trust: an attribute that a layer stored, then the arguments that it was made with, then the shapes of its weights.
The defaults of arguments that were not passed differ between the two code bases, so they come last and are seldom needed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinesphere.checkpoints.checkpoint import BadCheckpoint
from kinesphere.checkpoints.description import Described, Description, DoesNotFit, Tensors
from kinesphere.checkpoints.rules import shown
from kinesphere.checkpoints.stored import Stored, with_centre
from kinesphere.checkpoints.torchfile import Contents, TensorRef
from kinesphere.checkpoints.tree import Node, children
from kinesphere.models.stylegan3 import layer_bands

LONGEST_NAME = 200  # characters; "synthesis.b1024.torgb.affine." has 30
NETWORKS = ("G_ema", "G", "D")
STATE_NOTE = "only the weights were stored: clamp, learning rates and batch comparison are those of NVIDIA's defaults"


@dataclass
class Network(Tensors):
    """One network of a snapshot: its tensors by NVIDIA's names, and the module that remembers its arguments, if any."""

    root: Node | None

    def module(self, path: str) -> Node | None:
        """The module at a dotted path; None where there is none."""
        node = self.root
        for name in path.split(".") if path else []:
            modules = node.state.get("_modules") if node else None
            node = modules.get(name) if isinstance(modules, dict) else None
            if not isinstance(node, Node):
                return None
        return node

    def remembered(self, path: str, name: str, otherwise: Any = None) -> Any:
        """What the module at `path` stores under `name`, or was made with; `otherwise` where it says neither."""
        node = self.module(path)
        if node is None:
            return otherwise
        kwargs = node.state.get("_init_kwargs")
        return node.state.get(name, kwargs.get(name, otherwise) if isinstance(kwargs, dict) else otherwise)


def recognise(contents: Contents) -> bool:
    """Whether the file holds modules, or whole state dicts, of NVIDIA's code."""
    return any(name in ("G_ema", "G") for name in networks(contents.value))


def networks(value: Any) -> dict[str, Network]:
    """The networks of a snapshot, of a bare module, or of a state dict, by name. Unknown modules are taken for none."""
    if not isinstance(value, dict) or "mapping.fc0.weight" in value:
        value = {"G_ema": value}
    found = {name: network(value.get(name)) for name in NETWORKS}
    return {name: network for name, network in found.items() if network is not None}


def network(value: Any) -> Network | None:
    if isinstance(value, Node) and value.kind == "persistent":
        return Network(tensors_of(value), value)
    if isinstance(value, dict) and isinstance(value.get("mapping.fc0.weight"), TensorRef):
        return Network({str(k): v for k, v in value.items() if isinstance(v, TensorRef)}, None)
    return None


def tensors_of(node: Node, prefix: str = "") -> dict[str, TensorRef]:
    """Parameters and buffers of a module and of all inside it, by dotted name: its state dict."""
    if len(prefix) > LONGEST_NAME:
        raise BadCheckpoint("its modules have names of unreasonable length; it was made to exhaust this machine")
    found = {}
    hidden = node.state.get("_non_persistent_buffers_set")
    for group in ("_parameters", "_buffers"):
        for name, tensor in mapping_of(node, group).items():
            if isinstance(tensor, TensorRef) and not (isinstance(hidden, (set, frozenset)) and name in hidden):
                found[f"{prefix}{name}"] = tensor
    for name, child in mapping_of(node, "_modules").items():
        if isinstance(child, Node):
            found |= tensors_of(child, f"{prefix}{name}.")
    return found


def mapping_of(node: Node, name: str) -> dict[Any, Any]:
    value = node.state.get(name)
    return value if isinstance(value, dict) else {}


def foreign_inside(node: Node) -> Node | None:
    """Some part of a module whose class this loader does not know."""
    todo: list[Any] = [node]
    while todo:
        thing = todo.pop()
        if isinstance(thing, Node) and thing.kind not in ("persistent", "module"):
            return thing
        todo += children(thing)
    return None


def describe(contents: Contents) -> Described:
    """Raises BadCheckpoint for a generator that is none of ours; a discriminator that is none is left out, and noted."""
    found = networks(contents.value)
    notes: list[str] = []
    if "G_ema" not in found:
        found = {"G_ema": found.pop("G"), **found}
        notes.append("there was no averaged generator: G, as it was last trained, takes its place")
    for name in ("G_ema", "G"):
        if name in found and (root := found[name].root) and (foreign := foreign_inside(root)):
            raise BadCheckpoint(
                f"its generator {name} contains a {shown(str(foreign.name))}, which this loader does not know; nothing was run"
            )
    described = Described(origin(found["G_ema"], contents.container), {}, notes)
    if found["G_ema"].root is None:
        notes.append(STATE_NOTE)
    for name in ("G_ema", "G"):
        if name in found:
            described.networks[name] = generator(found[name], notes)
    add_discriminator(described, contents.value, found.get("D"))
    return described


def add_discriminator(described: Described, value: Any, found: Network | None) -> None:
    if not isinstance(value, dict) or value.get("D") is None:
        return
    try:
        if found is None:
            raise DoesNotFit("it is of a class that this loader does not know")
        if found.root and (foreign := foreign_inside(found.root)):
            raise DoesNotFit(f"it contains a {shown(str(foreign.name))}, which this loader does not know")
        described.networks["D"] = discriminator(found)
    except DoesNotFit as error:
        described.leave_out_discriminator(error)


def origin(found: Network, container: str) -> str:
    kind = "snapshot" if container == "pickle" else "network in a torch.save file"
    if "synthesis.input.freqs" in found.tensors or found.remembered("mapping.fc0", "in_features"):
        code = "StyleGAN3 code"
    else:
        code = "StyleGAN2-ADA code" if found.root else "StyleGAN2 weights"
    return f"NVIDIA PyTorch {kind} ({code})"


# Generators -----------------------------------------------------------------------------------------------------------


def generator(found: Network, notes: list[str]) -> Description:
    if "synthesis.input.freqs" in found.tensors:
        return stylegan3(found, notes)
    if "synthesis.b4.const" in found.tensors:
        return stylegan2(found, notes)
    raise BadCheckpoint(
        f"its generator is no StyleGAN2 or 3; its first tensor is {shown(next(iter(found.tensors), None))}"
    )


def latents(found: Network, w_dim: int) -> dict[str, Any]:
    """The arguments of the mapping network."""
    layers = found.numbered(r"mapping\.fc([0-9]{1,4})\.weight")
    width, inputs = found.shape("mapping.fc0.weight", 2)
    embed_dim, c_dim = found.shape("mapping.embed.weight", 2) if "mapping.embed.weight" in found.tensors else (0, 0)
    check_activation(found, "mapping.fc0")
    return {
        "z_dim": inputs - embed_dim,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "mapping_layers": len(layers),
        "mapping_width": width if len(layers) > 1 else None,
        "embed_dim": embed_dim or None,
        "mapping_lr": found.remembered("mapping.fc0", "bias_gain", 0.01),
    }


def check_activation(found: Network, path: str) -> None:
    activation = found.remembered(path, "activation", "lrelu")
    if activation != "lrelu":
        raise DoesNotFit(f"its layer {path} has the activation {shown(activation)}; only 'lrelu' can be played")


def architecture_of(found: Network, prefix: str, resolutions: list[int], colours: str) -> str:
    """A short cut in any block: "resnet"; colours at 4 px already: "skip"; else "orig"."""
    if any(f"{prefix}b{r}.skip.weight" in found.tensors for r in resolutions):
        return "resnet"
    return "skip" if f"{prefix}b4.{colours}.weight" in found.tensors else "orig"


def stylegan2(found: Network, notes: list[str]) -> Description:
    """`b4.torgb` tells the architecture; widths come from the convolutions, never from `channel_base`."""
    _, *size = found.shape("synthesis.b4.const", 3)
    if size != [4, 4]:
        raise BadCheckpoint(
            f"its pictures start from {size[0]} x {size[1]} instead of 4 x 4: pictures that are not square cannot be played yet"
        )
    resolutions = found.numbered(r"synthesis\.b([0-9]{1,4})\.conv1\.weight")
    if resolutions != [4 << i for i in range(len(resolutions))]:
        raise DoesNotFit(f"it has layers at {resolutions[:12]} px, which is no StyleGAN2")
    last = f"synthesis.b{resolutions[-1]}"
    architecture = architecture_of(found, "synthesis.", resolutions, colours="torgb")
    check_activation(found, "synthesis.b4.conv1")
    config = {
        "img_resolution": resolutions[-1],
        "channels": [found.shape(f"synthesis.b{r}.conv1.weight", 4)[0] for r in resolutions],
        "img_channels": found.shape(f"{last}.torgb.weight", 4)[0],
        "architecture": architecture,
        **latents(found, found.shape("synthesis.b4.conv1.affine.weight", 2)[1]),
        "conv_clamp": found.remembered("synthesis.b4.conv1", "conv_clamp", default_clamp(found)),
        "use_noise": "synthesis.b4.conv1.noise_strength" in found.tensors,
        "resample_filter": taps(found.tensors.get("synthesis.b4.resample_filter")),
    }
    tensors = without_filters(found)
    return Description("generator", "stylegan2", config, with_centre("stylegan2", config, tensors, notes))


def default_clamp(found: Network) -> float | None:
    """What a missing `conv_clamp` means: nothing in the ADA code, whose arguments are nested, 256 in the StyleGAN3 code."""
    return None if found.remembered("", "synthesis_kwargs") is not None else 256


def taps(stored: Stored | None) -> list[Any]:
    """A stored filter, as the separable one where it is one: [1, 3, 3, 1] and not its 4x4 product with itself."""
    if stored is None:
        return [1, 3, 3, 1]
    if max(stored.shape, default=0) > 32:
        raise DoesNotFit(f"its resampling filter is {list(stored.shape)}")
    f = stored.read().double().numpy()
    if f.ndim == 2:
        rows = f.sum(axis=1)
        if f.shape[0] == f.shape[1] and np.abs(np.outer(rows, rows) - f * f.sum()).max() < 1e-6 * np.abs(f).max() * abs(
            f.sum()
        ):
            f = rows
    return f.tolist() if f.ndim else [float(f)]


def without_filters(found: Network) -> dict[str, Stored]:
    return {name: t for name, t in found.tensors.items() if not name.endswith("resample_filter")}


def stylegan3(found: Network, notes: list[str]) -> Description:
    """Layer names L{i}_{size}_{channels} carry sizes; the frequencies of each layer are among its attributes."""
    layers = {
        int(m[1]): m[0]
        for name in found.tensors
        if (m := re.match(r"synthesis\.L([0-9]{1,3})_[0-9]{1,5}_[0-9]{1,5}(?=\.weight$)", name))
    }
    names = [layers[i] for i in sorted(layers)]
    if sorted(layers) != list(range(len(layers))) or len(layers) < 3:
        raise DoesNotFit("its layers are not numbered from 0 on")
    first, last = names[0], names[-1]
    channels = [found.shape(f"{name}.weight", 4)[0] for name in names]
    filters = [found.tensors[f"{name}.down_filter"] for name in names if f"{name}.down_filter" in found.tensors]
    config = {
        "img_resolution": int(last.split("_")[1]),
        "channels": channels,
        "img_channels": channels[-1],
        **latents(found, found.shape(f"{first}.affine.weight", 2)[1]),
        "num_layers": len(names) - 1,
        "num_critical": found.remembered("synthesis", "num_critical", 2),
        "first_cutoff": found.remembered(first, "out_cutoff", 2.0),
        "first_stopband": found.remembered("synthesis", "first_stopband", 2**2.1),
        "last_stopband_rel": found.remembered("synthesis", "last_stopband_rel", 2**0.3),
        "margin_size": found.remembered("synthesis", "margin_size", 10),
        "output_scale": found.remembered("synthesis", "output_scale", 0.25),
        "conv_kernel": found.shape(f"{first}.weight", 4)[-1],
        "filter_size": ratio(found, first, "up_taps", ["up_factor"], 6),
        "lrelu_upsampling": ratio(found, first, "tmp_sampling_rate", ["in_sampling_rate", "out_sampling_rate"], 2),
        "use_radial_filters": any(len(f.shape) == 2 for f in filters),
        "conv_clamp": found.remembered(first, "conv_clamp", 256),
    }
    described = Description(
        "generator", "stylegan3", config, with_centre("stylegan3", config, dict(found.tensors), notes)
    )
    check_frequencies(found, described, names)
    return described


def ratio(found: Network, path: str, name: str, parts: list[str], otherwise: int) -> Any:
    """An attribute over the largest of others, all whole numbers; `otherwise` where they are not all stored."""
    whole, *below = (found.remembered(path, n) for n in [name, *parts])
    if type(whole) is not int or not all(type(n) is int and n > 0 for n in below):
        return otherwise
    return whole // max(below)


def check_frequencies(found: Network, described: Description, names: list[str]) -> None:
    """What each layer remembers of its frequencies must be what its description computes."""
    c = described.config
    bands = layer_bands(
        c["img_resolution"], c["num_layers"], c["num_critical"], c["first_cutoff"], c["first_stopband"],
        c["last_stopband_rel"], c["margin_size"],
    )  # fmt: skip
    for name, band in zip(names, bands, strict=True):
        wanted = {"out_cutoff": band.cutoff, "out_half_width": band.half_width, "out_sampling_rate": band.rate}
        for key, value in wanted.items():
            stored = found.remembered(name, key, value)
            if type(stored) not in (int, float) or not abs(stored - value) <= 1e-6 * value:
                raise DoesNotFit(f"its layer {name} has {key} {shown(stored)}, and by its other arguments {value:g}")


# Discriminators -------------------------------------------------------------------------------------------------------


def discriminator(found: Network) -> Description:
    """Group size and learning rate are in no tensor: `b4.mbstd` and `mapping.fc0` remember them."""
    resolutions = [4, *found.numbered(r"b([0-9]{1,4})\.conv0\.weight")]
    if len(resolutions) < 2 or resolutions != [4 << i for i in range(len(resolutions))]:
        raise DoesNotFit(f"it has layers at {resolutions[:12]} px, which is no StyleGAN2 discriminator")
    last = f"b{resolutions[-1]}"
    architecture = architecture_of(found, "", resolutions, colours="fromrgb")
    outputs, inputs, *_ = found.shape("b4.conv.weight", 4)
    check_activation(found, f"{last}.conv0")
    config = {
        "img_resolution": resolutions[-1],
        "channels": [outputs] + [found.shape(f"b{r}.conv0.weight", 4)[0] for r in resolutions[1:]],
        "img_channels": found.shape(f"{last}.fromrgb.weight", 4)[1],
        "architecture": architecture,
        **classes(found),
        "conv_clamp": found.remembered(f"{last}.conv0", "conv_clamp", discriminator_clamp(found)),
        "mbstd_group_size": found.remembered("b4.mbstd", "group_size", 4),
        "mbstd_channels": inputs - outputs,
        "resample_filter": taps(found.tensors.get(f"{last}.resample_filter")),
    }
    return Description("discriminator", "stylegan2", config, without_filters(found))


def discriminator_clamp(found: Network) -> float | None:
    """Only the StyleGAN3 code stores the width of its dense layers, and only it clamps by default."""
    return None if found.root and found.remembered("b4.fc", "in_features") is None else 256


def classes(found: Network) -> dict[str, Any]:
    if "mapping.embed.weight" not in found.tensors:
        return {}
    embed_dim, c_dim = found.shape("mapping.embed.weight", 2)
    layers = found.numbered(r"mapping\.fc([0-9]{1,4})\.weight")
    return {
        "c_dim": c_dim,
        "cmap_dim": found.shape("b4.out.weight", 2)[0],
        "mapping_layers": len(layers),
        "mapping_width": found.shape("mapping.fc0.weight", 2)[0] if len(layers) > 1 else None,
        "embed_dim": embed_dim,
        "mapping_lr": found.remembered("mapping.fc0", "bias_gain", 0.01),
    }
