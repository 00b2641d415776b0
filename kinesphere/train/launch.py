"""From a command to a run: the processes, the pictures, the recipe, the networks."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from kinesphere import checkpoints
from kinesphere.checkpoints import Checkpoint
from kinesphere.models import FAMILIES
from kinesphere.train import run as runs
from kinesphere.train import supply
from kinesphere.train.gathering import PORTRAITS
from kinesphere.train.recipe import Choice, plan
from kinesphere.train.stopping import agreed
from kinesphere.train.transfer import check_sizes, start_from
from kinesphere.types import KinesphereError

DEVICES = ("auto", "cpu", "cuda", "mps")
PATIENCE = timedelta(days=1)  # for one process to wait for another, which may be making a set or measuring


def processes(device: str = "auto", devices: int = 1, nodes: int = 1) -> Fabric:
    """Where to compute: `devices` processes on each of `nodes` machines, launched here, or the ones that torchrun has launched.

    `device`: "auto" (a GPU if there is one), "cpu", "cuda" or "mps". On a CPU the processes share its cores.
    Raises KinesphereError where the machine has no such device.
    """
    launched = "TORCHELASTIC_RUN_ID" in os.environ
    if launched:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    elif nodes > 1 and "MASTER_ADDR" not in os.environ:
        raise KinesphereError(
            f"{nodes} machines are started with torchrun, on each of them: torchrun --nnodes {nodes} --nproc-per-node {devices} "
            "--rdzv-backend c10d --rdzv-endpoint FIRST:29500 -m kinesphere train DATA --out RUN"
        )
    kind = chosen_device(device, devices)
    many = devices * nodes > 1
    strategy = DDPStrategy(timeout=PATIENCE) if many else "auto"
    fabric = Fabric(accelerator=kind, devices=devices, num_nodes=nodes, strategy=strategy)
    fabric.launch()
    atexit.register(leave)
    if kind == "cpu" and many:
        torch.set_num_threads(max(1, torch.get_num_threads() // devices))  # together they fill the machine once
    return fabric


def leave() -> None:
    """Part from the other processes before Python takes the threads between them apart, which may abort."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def chosen_device(device: str, devices: int) -> str:
    """ "cpu", "cuda" or "mps". Raises KinesphereError where there are not `devices` of it."""
    if device not in DEVICES:
        raise KinesphereError(
            f"no device {device!r}: choose {', '.join(DEVICES)}; for one of several GPUs set CUDA_VISIBLE_DEVICES"
        )
    there = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if device == "auto":
        device = next((kind for kind, count in there.items() if count), "cpu")
    if device != "cpu" and there[device] < devices:
        what = {"cuda": "CUDA", "mps": "MPS"}[device]
        raise KinesphereError(
            f"{devices} {what} devices were asked for: this machine has {there[device]}; give --devices {max(there[device], 1)}"
            + ("" if there[device] else ", and --device cpu")
        )
    return device


def run(
    source: str | None,
    folder: Path,
    fabric: Fabric,
    resume: bool = False,
    start: str | None = None,
    size: int | None = None,
    **asked: Any,
) -> runs.Run:
    """The run of a command: a new one in `folder` on the pictures of `source`, or the one that is there.

    `start`: a checkpoint to go on from. `size`: pixels. `asked`: fields of the recipe.
    Raises KinesphereError, in all processes, where these do not go together.
    """
    if resume:
        if start or size:
            raise KinesphereError("a run that is resumed has its networks and its size: leave out --from and --size")
        return old_run(folder, fabric, source, **asked)
    if source is None:
        raise KinesphereError("say what to learn from: a folder of pictures, a zip, a video, or portraits")
    return new_run(source, folder, fabric, start, size, **asked)


def new_run(
    source: str, folder: Path, fabric: Fabric, start: str | None = None, size: int | None = None, **asked: Any
) -> runs.Run:
    """Begin a run in `folder` on the pictures of `source`. `start`: a checkpoint to go on from. `asked`: fields of the recipe.

    What can be refused is refused before the pictures are made, which may take an hour.
    """
    device = fabric.device.type

    def early() -> tuple[Checkpoint | None, Choice]:
        runs.check_place(folder)
        supply.check_size(size)
        check_asked(asked, size, fabric)
        checkpoint = None if start is None else checked_start(start)
        if checkpoint is None and asked.get("freeze_d"):
            raise KinesphereError(
                "freeze_d keeps what D has learnt, and a fresh D has learnt nothing: give --from, too"
            )
        given = checkpoint.G_ema if checkpoint else None
        choice = supply.choose_size(source, device, given) if size is None else Choice(size, "asked for")
        if given is not None and given.img_resolution != choice.value:
            check_sizes(given, choice.value)
        return checkpoint, choice

    checkpoint, choice = agreed(fabric, early)
    data = supply.supply(source, folder, fabric, choice.value)

    def begin() -> runs.Run:
        networks = None
        if checkpoint is not None:
            freeze, seed = int(asked.get("freeze_d", 0)), int(asked.get("seed", 0))
            networks = start_from(
                checkpoint, data.resolution, data.channels, data.c_dim, freeze, seed, asked.get("noise")
            )
        recipe, choices = plan(
            data.resolution, data.channels, data.c_dim, len(data), device, fabric.world_size,
            networks.G if networks else None, **asked,
        )  # fmt: skip
        pictures = supply.told(source, data)
        return runs.begin(folder, data, recipe, {"size": choice} | choices, fabric, pictures, networks)

    return agreed(fabric, begin)


def check_asked(asked: dict[str, Any], size: int | None, fabric: Fabric) -> None:
    """Raise KinesphereError for numbers that no recipe could have, whatever the pictures are."""
    known = {name: value for name, value in asked.items() if size or name != "channels"}
    recipe, _ = plan(size or 64, 3, 0, 1000, fabric.device.type, fabric.world_size, **known)
    recipe.rounds(fabric.world_size)


def checked_start(name: str) -> Checkpoint:
    """A checkpoint to go on from. Raises KinesphereError for one that cannot be trained here."""
    checkpoint = checkpoints.load(name)
    if checkpoint.G_ema.family == "stylegan1":
        others = ", ".join(family for family in FAMILIES if family != "stylegan1")
        raise KinesphereError(
            f"{name} is a stylegan1, which can be played and not trained here: start from one of {others}"
        )
    return checkpoint


def old_run(folder: Path, fabric: Fabric, source: str | None = None, **changes: Any) -> runs.Run:
    """Go on with the run in `folder`; `source` where its pictures have moved."""

    def read() -> dict[str, Any]:
        about = runs.read_about(folder)
        said = about["data"]["source"]
        if source not in (None, said) and (folder / supply.KEPT).exists():
            raise KinesphereError(
                f"the pictures of this run are kept in {str(folder / supply.KEPT)!r}: leave out {source!r}, or start a new run "
                f"on it with --from {folder}"
            )
        if (
            source is None
            and said != PORTRAITS
            and not Path(said).expanduser().exists()
            and not (folder / supply.KEPT).exists()
        ):
            raise KinesphereError(
                f"the run learns from {said!r}, which is not there: say where it is now, as in "
                f"kinesphere train PICTURES --out {folder} --resume"
            )
        return about

    about = agreed(fabric, read)
    said = about["data"]
    place = source or said["source"]
    data = supply.supply(place, folder, fabric, said["resolution"], resuming=True)

    def resume() -> runs.Run:
        supply.compare(said, data, place, fabric.is_global_zero)
        return runs.resume(folder, data, fabric, about, supply.told(place, data), **changes)

    return agreed(fabric, resume)
