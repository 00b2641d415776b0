"""TensorFlow pickles of StyleGAN1, StyleGAN2 (configs A to F) and StyleGAN2-ADA: variables by name, turned to our layout.

Convolutions are stored HWIO and ours are OIHW; dense layers are transposed; StyleGAN2's up-convolutions are flipped in both
directions, and its styles are stored around 0 instead of 1. StyleGAN1 flips nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kinesphere.checkpoints.checkpoint import BadCheckpoint
from kinesphere.checkpoints.description import Described, Description, DoesNotFit, Tensors
from kinesphere.checkpoints.rules import shown
from kinesphere.checkpoints.stored import Array, Stored, first, first_of_first, with_centre
from kinesphere.checkpoints.torchfile import Contents
from kinesphere.checkpoints.tree import ArrayRef, Node

LONGEST_NAME = 200  # characters of a variable's name; others are not ours


def transposed(t: Tensor) -> Tensor:
    return t.t()


def oihw(t: Tensor) -> Tensor:
    return t.permute(3, 2, 0, 1)


def flipped(t: Tensor) -> Tensor:
    return t.flip(0, 1).permute(3, 2, 0, 1)


def around_one(t: Tensor) -> Tensor:
    return t + 1


@dataclass
class Network(Tensors):
    """One network: its variables by full name, and the arguments that it was made with."""

    tensors: Mapping[str, Array]
    kwargs: dict[Any, Any]
    functions: set[str]  # the names of those that built it and its parts: they tell StyleGAN2 from ADA

    def require(self, **wanted: Any) -> None:
        """Arguments that the networks here cannot vary. Raises DoesNotFit, naming the argument."""
        for name, value in wanted.items():
            stored = self.kwargs.get(name, value)
            if stored != value:
                raise DoesNotFit(f"it was made with {name} = {shown(stored)}; only {shown(value)} can be played")

    def resolutions(self, pattern: str) -> list[int]:
        found = [4, *(r for r in self.numbered(pattern) if r != 4)]
        if found != [4 << i for i in range(len(found))]:
            raise DoesNotFit(f"it has layers at {found[:12]} px, which is no StyleGAN")
        return found


def recognise(contents: Contents) -> bool:
    """Whether the file is a tuple of TensorFlow networks (G, D, Gs)."""
    value = contents.value
    nodes = value if isinstance(value, (tuple, list)) else [value]
    return bool(nodes) and all(isinstance(node, Node) and node.kind == "network" for node in nodes)


def describe(contents: Contents) -> Described:
    """Gs is the average and becomes G_ema. A single network is taken for Gs."""
    value = contents.value
    nodes = list(value) if isinstance(value, (tuple, list)) else [value]
    if len(nodes) not in (1, 3):
        raise BadCheckpoint(f"it holds {len(nodes)} TensorFlow networks; a StyleGAN file has three (G, D, Gs)")
    found = [network(node) for node in nodes]
    notes: list[str] = []
    described = Described(origin(found[-1]), {"G_ema": generator(found[-1], notes)}, notes)
    if len(found) == 3:
        described.networks["G"] = generator(found[0], notes)
        try:
            described.networks["D"] = discriminator(found[1])
        except DoesNotFit as error:
            described.leave_out_discriminator(error)
    return described


def network(node: Node) -> Network:
    kwargs, parts = node.state.get("static_kwargs"), node.state.get("components")
    nodes = [node, *(part for part in parts.values() if isinstance(part, Node))] if isinstance(parts, dict) else [node]
    functions = {name for n in nodes if isinstance(name := n.state.get("build_func_name"), str)}
    found = Network(variables_of(node), kwargs if isinstance(kwargs, dict) else {}, functions)
    if not found.tensors:
        raise BadCheckpoint("one of its TensorFlow networks has no variables; the file is damaged")
    return found


def variables_of(node: Node, prefix: str = "") -> dict[str, Array]:
    """Own variables, then those of the parts "synthesis" and "mapping". The oldest files have no parts, but their names."""
    found = {}
    variables, parts = node.state.get("variables"), node.state.get("components")
    for pair in variables if isinstance(variables, (list, tuple)) else []:
        match pair:
            case (str(name), ArrayRef() | float() | int() as value) if len(name) <= LONGEST_NAME:
                name = name.replace("G_synthesis/", "synthesis/").replace("G_mapping/", "mapping/")
                found[prefix + name] = Array(value)
    for name, part in parts.items() if isinstance(parts, dict) else []:
        if isinstance(part, Node) and part.kind == "network":
            found |= variables_of(part, f"{prefix}{name}/")
    return found


def origin(found: Network) -> str:
    if is_stylegan1(found):
        return "NVIDIA TensorFlow pickle (StyleGAN1)"
    return f"NVIDIA TensorFlow pickle ({'StyleGAN2-ADA' if 'G_synthesis' in found.functions else 'StyleGAN2'})"


def is_stylegan1(found: Network) -> bool:
    return any("/StyleMod/" in name for name in found.tensors)


# Generators -----------------------------------------------------------------------------------------------------------


def generator(found: Network, notes: list[str]) -> Description:
    found.require(normalize_latents=True, mapping_nonlinearity="lrelu", nonlinearity="lrelu", mapping_use_wscale=True)
    lod = found.tensors.get("synthesis/lod", found.tensors.get("lod"))
    if lod is not None and not isinstance(lod.value, ArrayRef) and lod.value != 0:
        note = f"it was saved while the network was still growing (level of detail {lod.value:g}); the picture may be unfinished"
        if note not in notes:
            notes.append(note)
    make = stylegan1 if is_stylegan1(found) else stylegan2
    config, tensors = make(found)
    return Description("generator", make.__name__, config, with_centre(make.__name__, config, tensors, notes))


def latents(found: Network, w_dim: int, tensors: dict[str, Stored]) -> dict[str, Any]:
    """The arguments of the mapping network; its weights go into `tensors`.

    "LabelEmbed" (ADA) is normalised by itself, "LabelConcat" (StyleGAN1 and 2) together with z.
    """
    layers = found.numbered(r"mapping/Dense([0-9]{1,4})/weight")
    inputs, width = found.shape("mapping/Dense0/weight", 2)
    label, c_dim, embed_dim = "embed", 0, 0
    for name, kind in (("LabelEmbed", "embed"), ("LabelConcat", "concat")):
        if f"mapping/{name}/weight" in found.tensors:
            label, (c_dim, embed_dim) = kind, found.shape(f"mapping/{name}/weight", 2)
            tensors["mapping.embed.weight"] = found.take(f"mapping/{name}/weight", 2, transposed)
            if kind == "embed":
                tensors["mapping.embed.bias"] = found.plain(f"mapping/{name}/bias")
    for i in layers:
        tensors[f"mapping.fc{i}.weight"] = found.take(f"mapping/Dense{i}/weight", 2, transposed)
        tensors[f"mapping.fc{i}.bias"] = found.plain(f"mapping/Dense{i}/bias")
    if "dlatent_avg" in found.tensors:
        tensors["mapping.w_avg"] = found.plain("dlatent_avg")
    return {
        "z_dim": inputs - embed_dim,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "mapping_layers": len(layers),
        "mapping_width": width if len(layers) > 1 else None,
        "embed_dim": embed_dim or None,
        "label": label,
        "mapping_lr": found.kwargs.get("mapping_lrmul", 0.01),
    }


def stylegan2(found: Network) -> tuple[dict[str, Any], dict[str, Stored]]:
    """Configs B to F, and ADA. ToRGB_lod{n} (configs B to D) is the architecture "orig": only the full size is used."""
    resolutions = found.resolutions(r"synthesis/([0-9]{1,4})x\1/Conv1/weight")
    last = resolutions[-1]
    if "synthesis/ToRGB_lod0/weight" in found.tensors:
        architecture = "orig"
    elif any(f"synthesis/{r}x{r}/Skip/weight" in found.tensors for r in resolutions):
        architecture = "resnet"
    else:
        architecture = "skip" if "synthesis/4x4/ToRGB/weight" in found.tensors else "orig"
    _, _, height, width = found.shape("synthesis/4x4/Const/const", 4)
    if (height, width) != (4, 4):
        raise BadCheckpoint(
            f"its pictures start from {height} x {width} instead of 4 x 4: pictures that are not square cannot be played yet"
        )
    tensors: dict[str, Stored] = {"synthesis.b4.const": found.take("synthesis/4x4/Const/const", 4, first)}
    channels = []
    for i, r in enumerate(resolutions):
        main = f"synthesis/{r}x{r}/{'Conv1' if i else 'Conv'}"
        channels.append(found.shape(f"{main}/weight", 4)[3])
        add_style_layer(found, tensors, f"synthesis.b{r}.conv1", main, oihw, 2 * i)
        if i:
            add_style_layer(found, tensors, f"synthesis.b{r}.conv0", f"synthesis/{r}x{r}/Conv0_up", flipped, 2 * i - 1)
        if f"synthesis/{r}x{r}/Skip/weight" in found.tensors:
            tensors[f"synthesis.b{r}.skip.weight"] = found.take(f"synthesis/{r}x{r}/Skip/weight", 4, oihw)
        if architecture == "skip" or r == last:
            lod0 = r == last and "synthesis/ToRGB_lod0/weight" in found.tensors
            add_style_layer(
                found,
                tensors,
                f"synthesis.b{r}.torgb",
                "synthesis/ToRGB_lod0" if lod0 else f"synthesis/{r}x{r}/ToRGB",
                oihw,
            )
    config = {
        "img_resolution": last,
        "channels": channels,
        "img_channels": tensors[f"synthesis.b{last}.torgb.weight"].shape[0],
        "architecture": architecture,
        **latents(found, found.shape("synthesis/4x4/Conv/mod_weight", 2)[0], tensors),
        "conv_clamp": found.kwargs.get("conv_clamp"),
        "use_noise": "synthesis/4x4/Conv/noise_strength" in found.tensors,
        "resample_filter": found.kwargs.get("resample_kernel", [1, 3, 3, 1]) or [1, 1],
    }
    return config, tensors


def add_style_layer(
    found: Network, tensors: dict[str, Stored], ours: str, theirs: str, change: Any, noise: int | None = None
) -> None:
    """A modulated layer; `noise` is the number of its noise map (None: a ToRGB, which has none)."""
    tensors[f"{ours}.weight"] = found.take(f"{theirs}/weight", 4, change)
    tensors[f"{ours}.bias"] = found.plain(f"{theirs}/bias")
    tensors[f"{ours}.affine.weight"] = found.take(f"{theirs}/mod_weight", 2, transposed)
    tensors[f"{ours}.affine.bias"] = found.take(f"{theirs}/mod_bias", 1, around_one)
    if noise is not None and f"{theirs}/noise_strength" in found.tensors:
        tensors[f"{ours}.noise_strength"] = found.plain(f"{theirs}/noise_strength")
        tensors[f"{ours}.noise_const"] = found.take(f"synthesis/noise{noise}", 4, first_of_first)


def stylegan1(found: Network) -> tuple[dict[str, Any], dict[str, Stored]]:
    found.require(
        use_styles=True, use_instance_norm=True, use_pixel_norm=False, use_wscale=True, const_input_layer=True
    )
    resolutions = found.resolutions(r"synthesis/([0-9]{1,4})x\1/Conv1/weight")
    last = resolutions[-1]
    tensors: dict[str, Stored] = {"synthesis.b4.const": found.take("synthesis/4x4/Const/const", 4, first)}
    channels = []
    for i, r in enumerate(resolutions):
        pair = ("Conv0_up", "Conv1") if i else ("Const", "Conv")
        channels.append(found.shape(f"synthesis/{r}x{r}/{pair[1]}/weight", 4)[3])
        for j, name in enumerate(pair):
            ours, theirs = f"synthesis.b{r}.conv{j}", f"synthesis/{r}x{r}/{name}"
            if name != "Const":
                tensors[f"{ours}.weight"] = found.take(f"{theirs}/weight", 4, oihw)
            tensors[f"{ours}.bias"] = found.plain(f"{theirs}/bias")
            tensors[f"{ours}.affine.weight"] = found.take(f"{theirs}/StyleMod/weight", 2, transposed)
            tensors[f"{ours}.affine.bias"] = found.plain(f"{theirs}/StyleMod/bias")
            if f"{theirs}/Noise/weight" in found.tensors:
                tensors[f"{ours}.noise_strength"] = found.plain(f"{theirs}/Noise/weight")
                tensors[f"{ours}.noise_const"] = found.take(f"synthesis/noise{2 * i + j}", 4, first_of_first)
    tensors[f"synthesis.b{last}.torgb.weight"] = found.take("synthesis/ToRGB_lod0/weight", 4, oihw)
    tensors[f"synthesis.b{last}.torgb.bias"] = found.plain("synthesis/ToRGB_lod0/bias")
    config = {
        "img_resolution": last,
        "channels": channels,
        "img_channels": found.shape("synthesis/ToRGB_lod0/weight", 4)[3],
        **latents(found, found.shape("synthesis/4x4/Conv/StyleMod/weight", 2)[0], tensors),
        "use_noise": "synthesis/4x4/Conv/Noise/weight" in found.tensors,
        "blur_filter": found.kwargs.get("blur_filter", [1, 2, 1]),
        "fused_from": fused_from(found),
    }
    return config, tensors


def fused_from(found: Network) -> int:
    """From which size on StyleGAN1 doubles and convolves in one: 128 px unless it was told otherwise."""
    scale = found.kwargs.get("fused_scale", "auto")
    if scale == "auto":
        return 128
    if isinstance(scale, bool):
        return 4 if scale else 2**20
    raise DoesNotFit(f"it was made with fused_scale = {shown(scale)}; 'auto', true or false can be played")


# Discriminators -------------------------------------------------------------------------------------------------------


def discriminator(found: Network) -> Description:
    found.require(nonlinearity="lrelu")
    resolutions = found.resolutions(r"([0-9]{1,4})x\1/Conv0/weight")
    last = resolutions[-1]
    old = "4x4/Dense1/weight" in found.tensors  # StyleGAN1
    names = {"b4.conv": "4x4/Conv", "b4.fc": "4x4/Dense0", "b4.out": "4x4/Dense1" if old else "Output"}
    colours = "FromRGB_lod0" if "FromRGB_lod0/weight" in found.tensors else f"{last}x{last}/FromRGB"
    names[f"b{last}.fromrgb"] = colours
    for r in resolutions[1:]:
        names |= {f"b{r}.conv0": f"{r}x{r}/Conv0", f"b{r}.conv1": f"{r}x{r}/Conv1_down"}
        if f"{r}x{r}/Skip/weight" in found.tensors:
            names[f"b{r}.skip"] = f"{r}x{r}/Skip"
    architecture = "resnet" if f"b{last}.skip" in names else "skip" if "4x4/FromRGB/weight" in found.tensors else "orig"
    if architecture == "skip":
        names |= {f"b{r}.fromrgb": f"{r}x{r}/FromRGB" for r in resolutions}
    tensors: dict[str, Stored] = {}
    for ours, theirs in names.items():
        dense = ours in ("b4.fc", "b4.out")
        tensors[f"{ours}.weight"] = found.take(f"{theirs}/weight", 2 if dense else 4, transposed if dense else oihw)
        if not ours.endswith(".skip"):
            tensors[f"{ours}.bias"] = found.plain(f"{theirs}/bias")
    config = {
        "img_resolution": last,
        "channels": [found.shape("4x4/Conv/weight", 4)[3]]
        + [found.shape(f"{r}x{r}/Conv0/weight", 4)[3] for r in resolutions[1:]],
        "img_channels": found.shape(f"{colours}/weight", 4)[2],
        "mbstd_group_size": found.kwargs.get("mbstd_group_size", None if "D_main" in found.functions else 4) or None,
    }
    if old:
        logits = found.shape("4x4/Dense1/weight", 2)[1]
        config |= {
            "c_dim": logits if logits > 1 else 0,
            "fused_from": fused_from(found),
            "blur_filter": found.kwargs.get("blur_filter", [1, 2, 1]),
        }
        return Description("discriminator", "stylegan1", config, tensors)
    config |= {
        "architecture": architecture,
        **classes(found, tensors),
        "conv_clamp": found.kwargs.get("conv_clamp"),
        "mbstd_channels": found.shape("4x4/Conv/weight", 4)[2] - found.shape("4x4/Conv/weight", 4)[3],
        "resample_filter": found.kwargs.get("resample_kernel", [1, 3, 3, 1]) or [1, 1],
    }
    return Description("discriminator", "stylegan2", config, tensors)


def classes(found: Network, tensors: dict[str, Stored]) -> dict[str, Any]:
    """ADA projects onto the mapped class; StyleGAN2 has one logit for each class."""
    logits = found.shape("Output/weight", 2)[1]
    if "LabelEmbed/weight" not in found.tensors:
        return {"c_dim": logits, "label": "per_class"} if logits > 1 else {}
    layers = found.numbered(r"Mapping([0-9]{1,4})/weight")
    c_dim, embed_dim = found.shape("LabelEmbed/weight", 2)
    for ours, theirs in [("embed", "LabelEmbed")] + [(f"fc{i}", f"Mapping{i}") for i in layers]:
        tensors[f"mapping.{ours}.weight"] = found.take(f"{theirs}/weight", 2, transposed)
        tensors[f"mapping.{ours}.bias"] = found.plain(f"{theirs}/bias")
    return {
        "c_dim": c_dim,
        "cmap_dim": logits,
        "mapping_layers": len(layers),
        "mapping_width": found.shape("Mapping0/weight", 2)[1] if len(layers) > 1 else None,
        "embed_dim": embed_dim,
        "mapping_lr": found.kwargs.get("mapping_lrmul", 0.1),
    }
