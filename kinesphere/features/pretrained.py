"""Models that others trained, from a folder or the local cache of Hugging Face: read, never fetched, nothing in them executed.

Of a folder three things are read: config.json (numbers and names), preprocessor_config.json (how it wants to see a picture) and
the weights in safetensors (nothing but tensors). The classes are those of the library transformers, which is given an open
configuration and tensors in memory, never a path: so it has nothing to look up, to unpickle or to import.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from kinesphere.features.preprocessing import FILE, Preprocessing, preprocessing
from kinesphere.types import KinesphereError

TASKS = {  # what is asked of a model, and the dictionary of transformers that holds the classes that can do it
    "features": "MODEL_MAPPING",
    "depth": "MODEL_FOR_DEPTH_ESTIMATION_MAPPING",
    "segmentation": "MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING",
    "classification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING",
}
LARGEST_JSON = 16 * 2**20  # bytes; the names of 21,000 classes are 2 MB
LARGEST_WEIGHTS = 16 * 2**30  # bytes
LARGEST_NUMBER = 2**20  # in a configuration; the largest honest one is the size of a vocabulary
LARGEST_OF = {"image_size": 8192, "layers": 4096, "depths": 4096}  # by how the number's name ends
DEEPEST = 16  # tables within tables
ELSEWHERE = ("use_timm_backbone", "use_pretrained_backbone")  # switches that send transformers looking for more
IGNORED = (  # what would make transformers choose code by a name in the file, and what only says how it was saved
    "_attn_implementation", "attn_implementation", "_attn_implementation_internal", "_experts_implementation",
    "experts_implementation", "fusion_config", "kernel_config", "transformers_weights", "torch_dtype", "dtype",
)  # fmt: skip
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.h5", "*.msgpack")


@dataclass(frozen=True)
class Known:
    """A model that a feature asks for by default, or that its documentation names."""

    megabytes: int  # to fetch
    config: Mapping[str, Any]  # enough to build it untrained


KNOWN: Mapping[str, Known] = {
    "facebook/dinov2-small": Known(
        88, {"model_type": "dinov2", "hidden_size": 384, "num_attention_heads": 6, "image_size": 518}
    ),
    "facebook/dinov2-base": Known(
        346, {"model_type": "dinov2", "hidden_size": 768, "num_attention_heads": 12, "image_size": 518}
    ),
    "google/efficientnet-b0": Known(
        21,
        {
            "model_type": "efficientnet",
            "width_coefficient": 1.0,
            "depth_coefficient": 1.0,
            "hidden_dim": 1280,
            "image_size": 224,
            "num_labels": 1000,
        },
    ),
    "google/mobilenet_v2_1.0_224": Known(14, {"model_type": "mobilenet_v2", "num_labels": 1001}),
    "depth-anything/Depth-Anything-V2-Small-hf": Known(99, {"model_type": "depth_anything"}),
    "nvidia/segformer-b0-finetuned-ade-512-512": Known(15, {"model_type": "segformer", "num_labels": 150}),
}


@dataclass(frozen=True)
class Pretrained:
    """A model of others, ready to look."""

    model: Any
    config: Any
    preprocessing: Preprocessing
    device: torch.device
    step: int  # pixels: its sides must be multiples
    square: int | None  # pixels of the one square that it can see; None: it sees any shape
    arguments: Mapping[str, Any]  # that its forward is given beside the picture

    def shape(self, height: int, width: int, size: int) -> tuple[int, int]:
        """Height and width at which a picture is shown: the longer side near `size` pixels, its aspect kept as far as it can be."""
        if self.square is not None:
            return self.square, self.square
        scale = size / max(height, width)
        rows, columns = (max(round(side * scale / self.step), 1) * self.step for side in (height, width))
        return rows, columns

    def __call__(self, pictures: Tensor, size: int) -> Any:
        """What it answers to pictures [N, 3, h, w], uint8 or in [0, 1]."""
        return self.model(self.shown(pictures, size), **self.arguments)

    def shown(self, pictures: Tensor, size: int) -> Tensor:
        """What it is given of pictures [N, 3, h, w], uint8 or in [0, 1]."""
        height, width = pictures.shape[2:]
        resized = self.preprocessing.resized(pictures, *self.shape(height, width, size))
        return self.preprocessing.normalised(resized.to(self.device)).to(self.model.dtype)

    def labels(self) -> tuple[str, ...]:
        """The names of its classes, in the order of its logits."""
        names = self.config.id2label
        return tuple(str(names[i]).strip() for i in range(len(names)))


def load(weights: str | None, task: str, default: str | None) -> Pretrained:
    """The model that `weights` names: a folder, a name in the local cache such as "facebook/dinov2-small", or "random:SEED".

    `task`: one of TASKS. `default`: the name that None stands for, and the architecture of "random:SEED".
    Raises KinesphereError that says what to fetch, with which command, and where to put it; or what is wrong with a folder.
    """
    transformers = library()
    name = weights or default
    if name is None:
        raise KinesphereError(f"it needs weights: the path of a model's folder, or a name such as {_listed(KNOWN)}")
    untrained = random_weights(name) if name.startswith("random:") else None
    if untrained is not None and default is None:
        raise KinesphereError(f"weights {name!r}: nobody knows of which network; give a folder or a name")
    folder = None if untrained is not None else find(name, default)
    try:
        table = KNOWN[default or ""].config if folder is None else read_json(folder / "config.json")
        look = read_json(folder / FILE) if folder is not None and (folder / FILE).is_file() else None
        cls, config = described(transformers, table, task)
        prepared = preprocessing(look, config.model_type)
        if untrained is not None:
            state = initial(cls, config, untrained)
        else:
            assert folder is not None
            state = read_state(folder, name)
        check_extent(cls, config, state)
        model = filled(cls, config, state)
        if untrained is not None:
            settle(model)
        return looking(model, prepared)
    except KinesphereError as error:
        raise KinesphereError(f"weights {name!r}: {error}") from None


def library() -> Any:
    """The library transformers, silent. Raises KinesphereError where it is not there or does not load."""
    try:
        import transformers
    except (ImportError, RuntimeError, OSError) as error:
        raise KinesphereError(
            f"the library transformers is needed, and does not load ({str(error)[:200]}): pip install 'kinesphere[semantics]'"
        ) from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


# Where it is ----------------------------------------------------------------------------------------------------------


def find(name: str, default: str | None) -> Path:
    """The folder that `name` means. Raises KinesphereError that says how to get one that is not there."""
    try:
        path = Path(name).expanduser()
        if path.is_dir():
            return path
        if path.exists():
            raise KinesphereError(f"weights {name!r} are a file: give the folder that it lies in, with its config.json")
    except (OSError, RuntimeError) as error:  # a name too long, or in the home of a user who is not there
        raise KinesphereError(f"weights {name[:80]!r}: no folder can be called so ({error})") from None
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        example = default or next(iter(KNOWN))
        raise KinesphereError(
            f"weights {name!r}: there is no such folder; give the path of one with config.json and model.safetensors, "
            f'or a name such as {example!r}, or "random:0" for weights that were never trained'
        )
    if (cached := in_cache(name)) is not None:
        return cached
    raise KinesphereError(how_to_get(name))


def in_cache(name: str) -> Path | None:
    """The folder of a model in the local cache of Hugging Face; None where it is not there. Nothing is fetched."""
    from huggingface_hub import constants

    model = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    try:
        commit = (model / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    folder = model / "snapshots" / commit
    return folder if re.fullmatch(r"[0-9a-f]{6,64}", commit) and (folder / "config.json").is_file() else None


def how_to_get(name: str) -> str:
    """What to fetch, with which command, and where it then is."""
    from huggingface_hub import constants

    short = name.rpartition("/")[2]
    size = f" ({KNOWN[name].megabytes} MB)" if name in KNOWN else ""
    return (
        f"weights {name!r} are not on this machine, and nothing is fetched unasked. Fetch them once{size} with: "
        f"hf download {name} config.json {FILE} model.safetensors, which keeps them in {constants.HF_HUB_CACHE}; or on any "
        f"machine with: hf download {name} --local-dir {short}, and give the path of that folder as weights. "
        f'"random:0" is a network that was never trained'
    )


# What is in it --------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> dict[str, Any]:
    """The table in a small JSON file. Raises KinesphereError that names the file where there is none."""
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise KinesphereError(f"its {path.name} has {path.stat().st_size} bytes; {LARGEST_JSON} are the limit")
        table = json.loads(path.read_bytes())
    except OSError:
        raise KinesphereError(f"there is no {path.name} in it that can be read") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, KinesphereError):
            raise
        raise KinesphereError(f"its {path.name} is not JSON ({str(error)[:200]})") from None
    if not isinstance(table, dict):
        raise KinesphereError(f"its {path.name} holds no table of settings")
    return table


def read_state(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a folder's safetensors, one file or several, no pickles. Raises KinesphereError where it has none."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        files = [whole]
    elif index.is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict) or not shards:
            raise KinesphereError(f"its {index.name} names no files")
        names = sorted({str(file) for file in shards.values()})
        if any(Path(file).name != file or not file.endswith(".safetensors") for file in names):
            raise KinesphereError(f"its {index.name} names files outside the folder: {_listed(names)[:200]}")
        files = [folder / file for file in names]
    else:
        raise KinesphereError(_no_safetensors(folder, name))
    for file in files:
        if not file.is_file():
            raise KinesphereError(f"{file.name} is missing in it: fetch it whole, with hf download {name}")
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST_WEIGHTS:
        raise KinesphereError(f"its weights have {size} bytes; {LARGEST_WEIGHTS} are the limit")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    for file in files:
        try:
            state |= load_file(file)
        except (SafetensorError, OSError, ValueError, RuntimeError) as error:
            raise KinesphereError(f"its {file.name} cannot be read ({str(error)[:200]})") from None
    return {key: x.float() if x.is_floating_point() else x for key, x in state.items()}


def _no_safetensors(folder: Path, name: str) -> str:
    pickled = sorted({file.name for pattern in PICKLED for file in folder.glob(pattern)})
    if not pickled:
        return f"there is no model.safetensors in it: fetch it whole, with hf download {name}"
    convert = (
        "import sys, torch; from safetensors.torch import save_file; "
        "save_file({k: v.clone() for k, v in torch.load(sys.argv[1], weights_only=True).items()}, 'model.safetensors')"
    )
    return (
        f"its weights are in {_listed(pickled)[:200]}, which may hold code and is never read; only model.safetensors is. Many "
        f"models have one in another revision (hf download {name} --revision refs/pr/NUMBER --local-dir FOLDER), or make one "
        f'where you trust the file: python -c "{convert}" {pickled[0]}'
    )


def _checked(config: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A configuration that only says how a network is built. Raises KinesphereError for one that asks for code or for more memory
    than there is; leaves out what would choose code by a name."""
    if depth > DEEPEST:
        raise KinesphereError(f"its config.json has tables within tables, more than {DEEPEST} deep")
    if config.get("auto_map"):
        raise KinesphereError(
            "its config.json names Python code of its own (auto_map), which is never run: take a model whose class transformers has"
        )
    if config.get("quantization_config"):
        raise KinesphereError("its weights are quantised, for a library that is not used here: take the plain ones")
    if any(config.get(key) for key in ELSEWHERE) or isinstance(config.get("backbone"), str):
        raise KinesphereError(
            "its config.json takes a part of the network from elsewhere (backbone), and nothing is fetched for it"
        )
    return {key: _checked_value(key, value, depth) for key, value in config.items() if key not in IGNORED}


def _checked_value(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _checked(value, depth + 1)
    if isinstance(value, list):
        return [_checked_value(key, inner, depth + 1) for inner in value]
    if isinstance(value, int | float):
        most = next((most for end, most in LARGEST_OF.items() if key.endswith(end)), LARGEST_NUMBER)
        if not math.isfinite(value) or abs(value) > most:
            raise KinesphereError(f"its config.json has {key} {value}: more than {most} is more than any network needs")
    return value


# How it is built ------------------------------------------------------------------------------------------------------


def described(transformers: Any, table: Mapping[str, Any], task: str) -> tuple[Any, Any]:
    """The class that does the task, and its configuration. Raises KinesphereError where transformers has none of its own."""
    table = _checked(table)
    if task == "features" and isinstance(table.get("vision_config"), dict):  # of a model of pictures and words, the eye
        table = {"model_type": f"{table.get('model_type')}_vision_model"} | table["vision_config"]
    kind = str(table.get("model_type"))[:60]
    if kind not in transformers.CONFIG_MAPPING:
        raise KinesphereError(f"it is a {kind!r} model, which transformers {transformers.__version__} does not know")
    with in_words("its config.json does not describe a network"):
        config = transformers.CONFIG_MAPPING[kind].from_dict(table)
        classes = getattr(transformers, TASKS[task])
        cls = classes[type(config)] if type(config) in classes else None
    if isinstance(cls, tuple):
        cls = cls[0]
    if cls is None or cls.main_input_name != "pixel_values":
        raise KinesphereError(
            f"it is a {kind!r} model, which has no {task} of a picture to give: take one made for that"
        )
    return cls, config


@contextmanager
def in_words(wrong: str) -> Iterator[None]:
    """What others' code raises inside becomes a KinesphereError: a foreign file fails in as many ways as there are files."""
    try:
        yield
    except KinesphereError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:200]
        raise KinesphereError(f"{wrong} ({type(error).__name__}: {reason})") from None


def check_extent(cls: Any, config: Any, state: Mapping[str, Tensor]) -> None:
    """Raise KinesphereError where the configuration asks for far more than its weights hold, before any memory is taken.

    The network is built without memory (torch's device "meta"), its parameters counted while they are made.
    """
    tensors = 4 * len(state) + 100  # one tensor of an old file may have become three or four
    numbers = 2 * sum(x.numel() for x in state.values()) + 10**7
    here = threading.get_ident()

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        nonlocal tensors, numbers
        if parameter is None or threading.get_ident() != here:
            return
        tensors, numbers = tensors - 1, numbers - parameter.numel()
        if tensors < 0 or numbers < 0:
            raise KinesphereError(
                "its config.json describes a far larger network than its weights are of: they do not belong together"
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        with in_words("its config.json does not describe a network"), torch.device("meta"):
            cls(config)
    finally:
        handle.remove()


def filled(cls: Any, config: Any, state: Mapping[str, Tensor]) -> Any:
    """The network with its weights. Raises KinesphereError where one is missing or has another shape."""
    with in_words("its weights do not fit its config.json"):
        model, told = cls.from_pretrained(
            None, config=config, state_dict=dict(state), dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(key for key in told["missing_keys"] if not key.endswith("num_batches_tracked"))
    if missing and all(key.startswith("pooler.") for key in missing):  # left out where it was trained to name classes
        model.pooler = None
    elif missing:
        raise KinesphereError(
            f"its weights lack {len(missing)} tensors, first {missing[0]!r}: they are of another network"
        )
    return model


def looking(model: Any, prepared: Preprocessing) -> Pretrained:
    """The model ready to look, once it is known which shapes it can see."""
    config, given = model.config, inspect.signature(model.forward).parameters
    arguments = {"interpolate_pos_encoding": True} if "interpolate_pos_encoding" in given else {}
    model = model.eval().requires_grad_(False).to(device())
    eye = Pretrained(model, config, prepared, device(), step(config), None, arguments)
    with torch.no_grad():
        try:
            eye(torch.zeros(1, 3, 64, 128), max(128, 2 * eye.step))
        except Exception:  # positions that it has learnt for one shape alone
            eye = replace(eye, square=side_of(getattr(config, "image_size", prepared.size)))
            with in_words("the network cannot look at a picture"):
                eye(torch.zeros(1, 3, 64, 128), 128)
    return eye


def side_of(size: Any) -> int:
    """A side in pixels, of one number or of two."""
    return int(size[0] if isinstance(size, list | tuple) else size)


def step(config: Any) -> int:
    """Pixels of which a picture's sides must be multiples, so that no patch is cut: 1 where there are no patches."""
    if isinstance(
        getattr(config, "patch_sizes", None), list | tuple
    ):  # one for each stage, each with a stride of its own
        return math.prod(config.strides)
    patch = side_of(getattr(config, "patch_size", 1))
    halvings = len(config.depths) - 1 if patch > 1 and isinstance(getattr(config, "depths", None), list | tuple) else 0
    return patch * 2**halvings


def device() -> torch.device:
    """The machine's accelerator where there is one."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


# Never trained --------------------------------------------------------------------------------------------------------


def random_weights(weights: str) -> Callable[[str, tuple[int, ...]], Tensor]:
    """What "random:SEED" gives: He et al. (2015) initialisation, biases 0; the same for each seed and name."""
    seed = weights.removeprefix("random:")
    if not seed.isdecimal():
        raise KinesphereError(f"weights {weights!r}: after 'random:' comes a seed, a whole number such as 'random:0'")

    def read(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("bias"):
            return torch.zeros(shape)
        generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
        return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))

    return read


def initial(cls: Any, config: Any, read: Callable[[str, tuple[int, ...]], Tensor]) -> dict[str, Tensor]:
    """The tensors of a network that was never trained: matrices and filters from `read`, scales 1, biases and means 0."""
    with in_words("its config.json does not describe a network"), torch.device("meta"):
        shapes = {name: (tuple(x.shape), x.dtype) for name, x in cls(config).state_dict().items()}
    state = {}
    for name, (shape, dtype) in shapes.items():
        if len(shape) > 1:
            state[name] = read(name, shape)
        else:
            zero = name.endswith(("bias", "running_mean", "num_batches_tracked"))
            state[name] = torch.zeros(shape, dtype=dtype) if zero else torch.ones(shape, dtype=dtype)
    return state


@torch.no_grad()
def settle(model: Any) -> None:
    """Give a network that was never trained the statistics of blots, where it normalises by such (Ioffe and Szegedy 2015): without
    them what is seen fades from layer to layer until nothing of it is left."""
    model.eval()
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0  # what is measured replaces what was there
    if norms:
        blots = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        model(F.interpolate(blots, scale_factor=16, mode="bilinear"))
    for norm, momentum in zip(norms, before, strict=True):
        norm.eval().momentum = momentum


def _listed(names: Any) -> str:
    return ", ".join(names)
