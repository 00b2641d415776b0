"""Which labels a model is asked for, and the asking: the judge's or a table's, in every space that the model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from kinesphere.checkpoints import Checkpoint
from kinesphere.studio import probes
from kinesphere.studio.probes import Findings
from kinesphere.studio.representations import Teller, representations
from kinesphere.train.judge import load_judge
from kinesphere.train.metrics import NetworkFeatures, open_features, ppl
from kinesphere.train.understanding import labels_of

PATHS = 500  # pairs of latents, for the path lengths


@dataclass(frozen=True)
class Asked:
    """Seeds, and what is asked of their pictures."""

    seeds: Sequence[int]
    labels: Mapping[str, np.ndarray] | None = None  # name -> [N], where they are known beforehand
    teller: Teller | None = None  # otherwise who looks at the pictures and tells


def judged(seeds: Sequence[int]) -> Asked:
    """What the judge of drawn portraits sees in these seeds' pictures."""
    judge = load_judge()

    def tell(pictures: Tensor) -> dict[str, np.ndarray]:
        return labels_of(judge.factors(pictures))

    return Asked(seeds, teller=tell)


def tabled(path: Path, most: int) -> Asked:
    """What a table says, its first `most` rows. Raises KinesphereError as `probes.read_table`."""
    seeds, labels = probes.read_table(path)
    return Asked(seeds[:most], {name: y[:most] for name, y in labels.items()})


def knowledge(
    checkpoint: Checkpoint,
    asked: Asked,
    class_index: int = 0,
    wanted: Sequence[str] | None = None,
    features: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Findings:
    """Draw the pictures, look at them in each space, and ask (`probes.probe`); path lengths of w and z, by the filter bank.

    features  of `metrics.FEATURES`, as `open_features` takes them: further spaces
    Raises KinesphereError as `representations` and `probe`.
    """
    eyes = {name: open_features(name, checkpoint) for name in features}
    spaces, told = representations(checkpoint, asked.seeds, class_index, wanted, eyes, asked.teller, progress)
    paths = path_lengths(checkpoint, class_index, progress)
    return probes.probe(spaces, asked.labels or told, asked.seeds, paths, progress=progress)


def path_lengths(
    checkpoint: Checkpoint, class_index: int = 0, progress: Callable[[int, int], None] = lambda done, of: None
) -> dict[str, float]:
    """Perceptual path lengths along w and z, by the filter bank, which needs no weights: for models beside each other only."""
    G, eye = checkpoint.G_ema, open_features()
    assert isinstance(eye, NetworkFeatures)
    label = G.label(class_index)
    c = None if label is None else label.expand(PATHS, -1)
    return {space: ppl(G, eye.distance, PATHS, space, c=c, progress=progress) for space in ("w", "z")}
