"""From a command to a run: the processes, the pictures, the recipe, the networks."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from kinesphere import checkpoints
from kinesphere.train import run as runs
from kinesphere.train import state
from kinesphere.train.datasets import TrainingSet
from kinesphere.train.importing import PORTRAITS, prepared
from kinesphere.train.recipe import plan
from kinesphere.train.transfer import start_from
from kinesphere.types import KinesphereError

log = logging.getLogger(__name__)


def processes(device: str = "auto", devices: int = 1, nodes: int = 1) -> Fabric:
    """Where to compute: `devices` processes on each of `nodes` machines, launched here, or the ones that torchrun has launched.

    `device`: "auto" (a GPU if there is one), "cpu", "cuda" or "mps". On a CPU the processes share its cores.
    Raises KinesphereError where the machine has no such device.
    """
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    if torchrun:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if device == "cuda" and torch.cuda.device_count() < devices:
        raise KinesphereError(f"{devices} CUDA devices were asked for: this machine has {torch.cuda.device_count()}")
    many = devices * nodes > 1
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, strategy="ddp" if many else "auto")
    fabric.launch()
    if fabric.device.type == "cpu" and many:
        torch.set_num_threads(state.thread_count(devices))
    return fabric


def run(
    source: str | None, folder: Path, fabric: Fabric, resume: bool = False, start: str | None = None,
    size: int | None = None, **asked: Any,
) -> runs.Run:
    """The run of a command: a new one in `folder` on the pictures of `source`, or the one that is there.

    `start`: a checkpoint to go on from. `size`: pixels. `asked`: fields of the recipe.
    Raises KinesphereError where these do not go together.
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
    """Begin a run in `folder` on the pictures of `source`. `start`: a checkpoint to go on from. `asked`: fields of the recipe."""
    data = pictures(source, folder, fabric, size)
    networks = None
    if start is not None:
        freeze = int(asked.get("freeze_d", 0))
        networks = start_from(checkpoints.load(start), data.resolution, data.channels, data.c_dim, freeze)
    recipe, choices = plan(
        data.resolution, data.channels, data.c_dim, len(data), fabric.device.type, fabric.world_size,
        source == PORTRAITS, networks and networks.G, **asked,
    )  # fmt: skip
    return runs.begin(folder, data, recipe, choices, fabric, source, networks)


def old_run(folder: Path, fabric: Fabric, source: str | None = None, **changes: Any) -> runs.Run:
    """Go on with the run in `folder`; `source` where its pictures have moved."""
    about = runs.read_about(folder)
    said = about["data"]
    data = pictures(source or said["source"], folder, fabric, said["resolution"])
    if (data.resolution, data.c_dim) != (said["resolution"], said["classes"]):
        raise KinesphereError(
            f"the run was begun on pictures of {said['resolution']} px in {said['classes']} classes; "
            f"{source or said['source']!r} has {data.resolution} px in {data.c_dim}"
        )
    return runs.resume(folder, data, fabric, about, **changes)


def pictures(source: str, folder: Path, fabric: Fabric, size: int | None, **how: Any) -> TrainingSet:
    """A training set, opened and decoded; one that has to be made first is made once, beside the run, by the first process."""
    if fabric.is_global_zero:
        data, report = prepared(source, folder, size, **how)
        data.cached()
        for line in report.lines() if report else []:
            log.info(line)
    fabric.barrier()
    return data if fabric.is_global_zero else prepared(source, folder, size, **how)[0].cached()
