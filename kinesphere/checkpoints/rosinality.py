"""rosinality's PyTorch StyleGAN2: converted checkpoints {g_ema, latent_avg} and training checkpoints, by their names for things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from kinesphere.checkpoints.description import Described, Description, DoesNotFit, Tensors
from kinesphere.checkpoints.nvidia import taps
from kinesphere.checkpoints.stored import NOISE_NOTE, Changed, SeededNoise, Stored, first, first_of_first, with_centre
from kinesphere.checkpoints.torchfile import Contents, TensorRef

GENERATOR_MARK, DISCRIMINATOR_MARK = "style.1.weight", "final_linear.0.weight"


def flat(t: Tensor) -> Tensor:
    return t.flatten()


def only(t: Tensor) -> Tensor:
    return t.reshape([]) if t.numel() == 1 else t


@dataclass
class State(Tensors):
    """A state dict, from which tensors are taken one by one; what nobody took is foreign."""

    def __post_init__(self) -> None:
        self.left = set(self.tensors)

    def take(self, name: str, ndim: int, change: Callable[[Tensor], Tensor] | None = None) -> Stored:
        self.left.discard(name)
        return super().take(name, ndim, change)

    def highest(self, pattern: str) -> int:
        """How many: one more than the highest number in tensor names of this pattern."""
        return 1 + max(self.numbered(pattern), default=-1)

    def filter(self, ending: str) -> list[Any]:
        """The first resampling filter with a name that ends so, made to sum to 1; all of them count as taken."""
        names = [name for name in self.tensors if name.endswith(ending)]
        self.left -= set(names)
        return taps(self.tensors[names[0]] if names else None)

    def finish(self) -> None:
        if self.left:
            raise DoesNotFit(
                f"it has {len(self.left)} tensors that rosinality's StyleGAN2 has not, first {min(self.left)[:80]!r}"
            )


def state(value: Any, mark: str) -> State | None:
    """A state dict that holds the tensor `mark`; "module." in front of all names, from training on several GPUs, is dropped."""
    if not isinstance(value, dict):
        return None
    tensors = {str(k).removeprefix("module."): v for k, v in value.items() if isinstance(v, TensorRef)}
    return State(tensors) if mark in tensors and "style.0.weight" not in tensors else None


def recognise(contents: Contents) -> bool:
    return bool(generators(contents.value))


def generators(value: Any) -> dict[str, State]:
    """The generators of a checkpoint, "G_ema" first; a bare state dict is one."""
    if not isinstance(value, dict):
        return {}
    found = {name: state(value.get(key), GENERATOR_MARK) for name, key in (("G_ema", "g_ema"), ("G", "g"))}
    if not any(found.values()):
        found = {"G_ema": state(value, GENERATOR_MARK)}
    return {name: s for name, s in found.items() if s is not None}


def describe(contents: Contents) -> Described:
    value, found, notes = contents.value, generators(contents.value), list[str]()
    if "G_ema" not in found:
        found = {"G_ema": found["G"]}
        notes.append("there was no averaged generator: g, as it was last trained, takes its place")
    average = value.get("latent_avg")
    training = "training checkpoint" if "g_optim" in value or "args" in value else "checkpoint"
    described = Described(f"rosinality {training} (StyleGAN2)", {}, notes)
    for name, s in found.items():
        described.networks[name] = generator(s, average if isinstance(average, TensorRef) else None, notes)
    if value.get("d") is not None:
        try:
            described.networks["D"] = discriminator(state(value["d"], DISCRIMINATOR_MARK))
        except DoesNotFit as error:
            described.leave_out_discriminator(error)
    return described


def generator(s: State, average: TensorRef | None, notes: list[str]) -> Description:
    """Size, depth and widths are told by the tensors. The stored noise maps are numbered in the order of the layers."""
    mapping_layers = s.highest(r"style\.([0-9]{1,4})\.weight") - 1  # style.0 is the normalisation of z
    octaves = s.highest(r"to_rgbs\.([0-9]{1,4})\.bias") + 1
    if not 1 <= mapping_layers <= 64 or octaves > 12:
        raise DoesNotFit(f"it has {mapping_layers} mapping layers and {octaves} resolutions")
    tensors: dict[str, Stored] = {"synthesis.b4.const": s.take("input.input", 4, first)}
    for i in range(mapping_layers):
        tensors[f"mapping.fc{i}.weight"] = s.take(f"style.{i + 1}.weight", 2)
        tensors[f"mapping.fc{i}.bias"] = s.take(f"style.{i + 1}.bias", 1)
    channels = []
    for j in range(octaves):
        block = f"synthesis.b{4 << j}"
        if j:
            add_layer(s, tensors, f"{block}.conv0", f"convs.{2 * j - 2}", 2 * j - 1, 4 << j, notes)
        add_layer(s, tensors, f"{block}.conv1", f"convs.{2 * j - 1}" if j else "conv1", 2 * j, 4 << j, notes)
        add_colours(s, tensors, f"{block}.torgb", f"to_rgbs.{j - 1}" if j else "to_rgb1")
        channels.append(tensors[f"{block}.conv1.weight"].shape[0])
    width, z_dim = s.shape("style.1.weight", 2)
    config = {
        "img_resolution": 4 << (octaves - 1),
        "channels": channels,
        "img_channels": tensors["synthesis.b4.torgb.weight"].shape[0],
        "z_dim": z_dim,
        "c_dim": 0,
        "w_dim": s.shape("conv1.conv.modulation.weight", 2)[1],
        "mapping_layers": mapping_layers,
        "mapping_width": width if mapping_layers > 1 else None,
        "mapping_lr": 0.01,
        "architecture": "skip",
        "conv_clamp": None,
        "use_noise": True,
        "resample_filter": s.filter(".kernel"),
    }
    if average is not None:
        tensors["mapping.w_avg"] = Changed(average, len(average.shape), flat)
    s.finish()
    return Description("generator", "stylegan2", config, with_centre("stylegan2", config, tensors, notes))


def add_layer(
    s: State, tensors: dict[str, Stored], ours: str, theirs: str, number: int, resolution: int, notes: list[str]
) -> None:
    tensors[f"{ours}.weight"] = s.take(f"{theirs}.conv.weight", 5, first)
    tensors[f"{ours}.affine.weight"] = s.take(f"{theirs}.conv.modulation.weight", 2)
    tensors[f"{ours}.affine.bias"] = s.take(f"{theirs}.conv.modulation.bias", 1)
    tensors[f"{ours}.noise_strength"] = s.take(f"{theirs}.noise.weight", 1, only)
    tensors[f"{ours}.bias"] = s.take(f"{theirs}.activate.bias", 1)
    if f"noises.noise_{number}" in s.tensors:
        tensors[f"{ours}.noise_const"] = s.take(f"noises.noise_{number}", 4, first_of_first)
        return
    tensors[f"{ours}.noise_const"] = SeededNoise(resolution)
    if NOISE_NOTE not in notes:
        notes.append(NOISE_NOTE)


def add_colours(s: State, tensors: dict[str, Stored], ours: str, theirs: str) -> None:
    tensors[f"{ours}.weight"] = s.take(f"{theirs}.conv.weight", 5, first)
    tensors[f"{ours}.affine.weight"] = s.take(f"{theirs}.conv.modulation.weight", 2)
    tensors[f"{ours}.affine.bias"] = s.take(f"{theirs}.conv.modulation.bias", 1)
    tensors[f"{ours}.bias"] = s.take(f"{theirs}.bias", 4, flat)


def discriminator(s: State | None) -> Description:
    """convs.0 sees colours, convs.1, 2, ... halve the picture; compares in groups of four, with one channel."""
    if s is None:
        raise DoesNotFit("it is not rosinality's")
    blocks = s.highest(r"convs\.([0-9]{1,4})\.skip\.1\.weight") - 1
    if not 1 <= blocks <= 12:
        raise DoesNotFit(f"it has {blocks} resolutions")
    names = {f"b{4 << blocks}.fromrgb": ("convs.0.0", "convs.0.1"), "b4.conv": ("final_conv.0", "final_conv.1")}
    channels: list[int] = []
    for j in range(1, blocks + 1):
        r, theirs = 4 << (blocks + 1 - j), f"convs.{j}"
        names[f"b{r}.conv0"] = (f"{theirs}.conv1.0", f"{theirs}.conv1.1")
        names[f"b{r}.conv1"] = (f"{theirs}.conv2.1", f"{theirs}.conv2.2")
        names[f"b{r}.skip"] = (f"{theirs}.skip.1", "")
        channels.insert(0, s.shape(f"{theirs}.conv1.0.weight", 4)[0])
    tensors: dict[str, Stored] = {}
    for ours, (weight, bias) in names.items():
        tensors[f"{ours}.weight"] = s.take(f"{weight}.weight", 4)
        if bias:
            tensors[f"{ours}.bias"] = s.take(f"{bias}.bias", 1)
    for ours, theirs in (("b4.fc", "final_linear.0"), ("b4.out", "final_linear.1")):
        tensors[f"{ours}.weight"], tensors[f"{ours}.bias"] = s.take(f"{theirs}.weight", 2), s.take(f"{theirs}.bias", 1)
    outputs, inputs, *_ = s.shape("final_conv.0.weight", 4)
    config = {
        "img_resolution": 4 << blocks,
        "channels": [outputs, *channels],
        "img_channels": s.shape("convs.0.0.weight", 4)[1],
        "architecture": "resnet",
        "mbstd_group_size": 4,
        "mbstd_channels": inputs - outputs,
        "resample_filter": s.filter(".kernel"),
    }
    s.finish()
    return Description("discriminator", "stylegan2", config, tensors)
