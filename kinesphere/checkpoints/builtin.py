"""Models that ship inside the package: made by this project, so that everything works with no download."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from kinesphere.checkpoints import native, places
from kinesphere.checkpoints.checkpoint import Checkpoint


def abstract() -> Checkpoint:
    """A StyleGAN2 of 256 px that was never trained: seeded random weights (kinesphere/builtin/make_abstract.py)."""
    return _shipped("abstract.safetensors")


def portraits() -> Checkpoint:
    """A small StyleGAN2 trained by `kinesphere train` on drawn portraits, with its discriminator; see builtin/portraits.md."""
    return _shipped("portraits.safetensors")


def _shipped(file: str) -> Checkpoint:
    path = Path(str(resources.files("kinesphere.builtin") / file))
    return native.describe(path).checkpoint("", len(places.mapped(path)))


BUILTIN: dict[str, Callable[[], Checkpoint]] = {"portraits": portraits, "abstract": abstract}
