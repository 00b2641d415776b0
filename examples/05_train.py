"""From pictures to a model that plays: the smallest run there can be. A real one takes hours, or a GPU."""

from pathlib import Path

import torch

from kinesphere import checkpoints
from kinesphere.studio import sheets
from kinesphere.train import launch
from kinesphere.train.importing import import_set

torch.set_num_threads(1)  # networks as small as this one are faster so
report = import_set("portraits", "set.zip", size=16, count=40)  # or a folder of your own
print("\n".join(report.lines()))

small = dict(channels=(16, 16, 16), z_dim=16, w_dim=16, batch=8)
run = launch.run("set.zip", Path("run"), launch.processes("cpu"), kimg=0.096, log_kimg=0.032, metric="none", **small)
for entry in run.go():  # what log.jsonl gets, too
    print(f"{entry['kimg']} kimg  G {entry['loss_G']:.2f}  D {entry['loss_D']:.2f}")

draw = sheets.Drawing(checkpoints.load("run").G_ema)  # the folder of a run is its best snapshot
sheets.save(sheets.grid(list(draw.pictures(draw.ws(range(8), psi=1.0))), columns=4), Path("trained.png"))
