"""What a run leaves to be looked at and played: sheets of samples, snapshots, and which of them is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kinesphere import checkpoints, files
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.studio import sheets
from kinesphere.train import diary, state
from kinesphere.train.datasets import TrainingSet
from kinesphere.train.generated import generated
from kinesphere.train.loop import Training
from kinesphere.types import KinesphereError

BEST = "best.json"
SHEET = 1024  # pixels, at most, of a sample grid's side
AT_ONCE = 16  # pictures drawn in one batch


class Album:
    """The folders `samples` and `snapshots` of a run. Files are named by their kimg; the same kimg gives the same file."""

    def __init__(
        self, folder: Path, training: Training, data: TrainingSet, source: str, notes: Sequence[str] = ()
    ) -> None:
        self.folder, self.training, self.data = folder, training, data
        self.source = source  # what the pictures are called
        self.notes = tuple(notes)  # what is to be told with every snapshot

    @property
    def name(self) -> str:
        return f"{round(self.training.seen / 1000):06d}"

    # Sheets -----------------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Pictures on a sheet, a square number."""
        return max(2, min(8, SHEET // self.training.recipe.img_resolution)) ** 2

    def sample(self) -> None:
        """A sheet of the average generator's pictures, always of the same seeds."""
        self.save_sheet(f"{self.name}.jpg", self.pictures(range(self.count)))

    def reals(self) -> None:
        """A sheet of the first pictures to learn from."""
        shown = self.data.batch(np.arange(min(self.count, len(self.data))))
        self.save_sheet("reals.jpg", list(shown.transpose(0, 2, 3, 1)))

    def pictures(self, seeds: range) -> list[np.ndarray]:
        """[H, W, C] uint8 of these seeds; of a model with classes, each seed its own class in turn."""
        batches = generated(self.training.G_ema, seeds, batch=AT_ONCE)
        return [picture for pictures, _ in batches for picture in pictures.numpy()]

    def save_sheet(self, name: str, pictures: Sequence[np.ndarray]) -> None:
        """A JPEG of RGB or grey pictures; of those with alpha, their colours. Raises KinesphereError where there is no room."""
        colours = [np.repeat(p, 3, 2) if p.shape[2] == 1 else p[:, :, :3] for p in pictures]
        sheet = Image.fromarray(sheets.grid(colours, columns=round(len(colours) ** 0.5), gap=0))
        try:
            files.replace(self.folder / "samples" / name, lambda part: sheet.save(part, "JPEG", quality=92))
        except OSError as error:
            raise KinesphereError(f"the sample sheet {name} cannot be written: {files.reason(error)}") from None

    # Snapshots --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> None:
        """G_ema and D, to play and to start from, in our own format in float32. Raises KinesphereError where there is no room."""
        G_ema, D = self.training.G_ema, self.training.D
        learnt = f"trained for {self.training.seen / 1000:g} kimg on {len(self.data)} pictures of {self.source}"
        card = Card.of({"G_ema": G_ema, "D": D}, "kinesphere train", notes=(learnt, *self.notes))
        checkpoints.save(Checkpoint(G_ema, card, None, D), self.folder / "snapshots" / f"{self.name}.safetensors")

    def choose(self, metric: str) -> None:
        """Write down which snapshot is the best by the log, or the newest where nothing was measured."""
        scores: dict[str, float | None] = {}
        for entry in diary.read_log(self.folder / "log.jsonl"):
            name = f"{round(entry.get('kimg', 0)):06d}.safetensors"
            if (self.folder / "snapshots" / name).exists() and entry.get("kimg", 0) <= self.training.seen / 1000:
                found = score(entry)
                scores[name] = scores.get(name) if found is None else found
        if not scores:
            return
        known = {name: value for name, value in scores.items() if value is not None}
        name = min(known, key=known.__getitem__) if known else max(scores)
        state.write_json(self.folder / BEST, {"snapshot": name, "metric": metric, "score": known.get(name)})


def score(entry: Mapping[str, Any]) -> float | None:
    """How bad a line of the log says that the pictures are, less is better; None where it has no metric.

    Which end of a metric is good is in `diary.BEST`. Of a pair, as precision and recall, the worse half counts: a model that
    paints one good picture has all the precision there is.
    """
    found = [
        value if diary.BEST[stem] is min else -value
        for name, value in entry.items()
        if (stem := name.split("_")[0]) in diary.BEST and isinstance(value, int | float) and math.isfinite(value)
    ]
    return max(found) if found else None
