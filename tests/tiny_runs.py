"""The smallest runs there can be, on plain grey pictures."""

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image

from kinesphere.train import launch
from kinesphere.train.datasets import open_set
from kinesphere.train.loop import Training
from kinesphere.train.recipe import plan

TINY = dict(
    channels=(8, 8, 8), z_dim=4, w_dim=4, mapping_layers=1, batch=8, augment="none", metric="none", ada_every=2, kimg=0.064,
    log_kimg=0.016,
)  # fmt: skip


def paint_greys(folder):
    """Forty plain pictures of 16 px, from black to white; their values."""
    folder.mkdir()
    light = np.linspace(0, 255, 40).astype(np.uint8)
    for i, value in enumerate(light):
        Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(folder / f"{i:02d}.png")
    return light


def training(folder, **asked):
    data = open_set(folder)
    recipe, _ = plan(16, 3, 0, len(data), "cpu", **(TINY | asked))
    torch.manual_seed(0)
    return Training(
        recipe, data, Fabric(accelerator="cpu"), recipe.generator(), recipe.discriminator(), recipe.generator()
    )


def whole_and_halves(folder, out, **asked):
    """The states of a run that was never broken off, in `out`/whole, and of one that was resumed at half of it."""
    fabric, states = Fabric(accelerator="cpu"), []
    for name in ("whole", "halves"):
        run = launch.run(
            str(folder), out / name, fabric, **(TINY | asked | ({"kimg": 0.032} if name == "halves" else {}))
        )
        for _ in run.go():
            pass
        if name == "halves":
            run = launch.run(None, out / name, fabric, resume=True, kimg=0.064)
            for _ in run.go():
                pass
        states.append(run.training.tensors())
    return states
