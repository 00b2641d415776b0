"""Pictures of one's own, from files to latents: read, cut out, and projected a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from kinesphere.checkpoints import Checkpoint
from kinesphere.models import Generator
from kinesphere.sources.pictures import SUFFIXES
from kinesphere.studio import alignment, batch, perceptual
from kinesphere.studio import encoder as encoders
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.batch import Batch, Found
from kinesphere.studio.framing import Framing
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.perceptual import Distance
from kinesphere.studio.projection import Plan, nearness
from kinesphere.studio.squares import Unreadable, decoded, over
from kinesphere.types import KinesphereError

DISTANCES = {
    "pixels": "pixels and edges at several sizes",
    "judged": "and what the model's own discriminator sees",
    "vgg": "features of VGG16",
    "lpips": "LPIPS",
}
TOGETHER = 2**18  # pixels that are projected at once: 64 pictures of 64 px, one of 512 px and more
WHITE = (255, 255, 255)
LARGEST = 2**29  # bytes of a picture file


def paths(given: Sequence[Path]) -> list[Path]:
    """The pictures that are meant: files as they are, of folders those that end like pictures, at any depth. No two share a name.

    Raises KinesphereError for what is not there, and where there is none.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise KinesphereError(f"there is no file or folder {str(path)!r}")
    if not found:
        raise KinesphereError(f"there is no picture in {', '.join(map(str, given))}")
    names: dict[str, Path] = {}
    for path in found:
        if path.stem in names:
            raise KinesphereError(f"{names[path.stem]} and {path} would be kept under one name: project one at a time")
        names[path.stem] = path
    return found


def writes(path: Path, out: Path) -> list[Path]:
    """What is written for a picture. Raises KinesphereError where that would replace the picture itself."""
    written = [out / f"{path.stem}{ending}" for ending in batch.ENDINGS]
    if path.resolve() in [each.resolve() for each in written]:
        raise KinesphereError(f"what is found would replace {path} itself: choose another --out")
    return written


def found(path: Path, out: Path) -> bool:
    """Whether the latent of a picture, and the sheet that is written after it, are there already."""
    return all((out / f"{path.stem}{ending}").exists() for ending in (".safetensors", ".sheet.png"))


def parts(paths: Sequence[Path], size: int) -> list[list[Path]]:
    """The pictures that are projected together, a few at a time, by a model of `size` pixels a side."""
    most = most_together(size)
    return [list(paths[i : i + most]) for i in range(0, len(paths), most)]


def most_together(size: int) -> int:
    """How many pictures of `size` pixels a side are projected at once."""
    return max(1, TOGETHER // size**2)


def distance(name: str, checkpoint: Checkpoint, vgg: Path | None, lpips: Path | None) -> Distance:
    """What a name of DISTANCES means. Raises KinesphereError for another, and where weights that it needs are not given."""
    if name not in DISTANCES:
        raise KinesphereError(f"no distance {name!r}: there are {', '.join(DISTANCES)}")
    if name == "pixels":
        return nearness
    if name == "judged":
        judged = perceptual.judged(checkpoint)
        return lambda a, b: nearness(a, b) + judged(a, b) / 10
    if vgg is None or (name == "lpips" and lpips is None):
        raise KinesphereError(
            f"--distance {name} needs weights: --vgg FILE{' and --lpips FILE' if name == 'lpips' else ''}"
        )
    seen = perceptual.lpips(vgg, lpips) if name == "lpips" and lpips else perceptual.vgg(vgg)
    return lambda a, b: nearness(a, b) + seen(a, b)


class Album:
    """Pictures that are projected with one model, alike.

    encoder  whose guess is one of the beginnings: a name as `encoder.chosen` takes it

    Raises KinesphereError for a way of aligning that there is not, and as `encoder.chosen`.
    """

    def __init__(
        self,
        G: Generator,
        model: str,
        out: Path,
        plan: Plan,
        seek: Distance = nearness,
        class_index: int = 0,
        film: bool = False,
        mask: Path | None = None,
        align: str = "middle",
        encoder: str = "own",
    ) -> None:
        self.G, self.model, self.out, self.plan, self.seek = G, model, out, plan, seek
        self.class_index, self.film = class_index, film
        self.guess = None if plan.official else encoders.chosen(encoder, Fingerprint.of(G), class_index)
        self.framing = Framing(G, align, class_index)
        self.mask = None if mask is None else self._masked(mask)

    def project(
        self, paths: Sequence[Path], on_step: Callable[[int, int], None] = lambda done, of: None
    ) -> Iterator[tuple[str, Found | str]]:
        """(name, what was found, or why the picture could not be read or cut out), a few at a time."""
        ready: dict[str, np.ndarray] = {}
        most = most_together(self.G.img_resolution)
        for path in paths:
            try:
                ready[path.stem] = self.cut_out(read(path))
            except KinesphereError as error:
                yield path.name, str(error)
                continue
            if len(ready) == most:
                yield from self._projected(ready, on_step)
                ready = {}
        if ready:
            yield from self._projected(ready, on_step)

    def _projected(
        self, pictures: dict[str, np.ndarray], on_step: Callable[[int, int], None]
    ) -> Iterator[tuple[str, Found]]:
        together = Batch(
            self.G,
            self.model,
            pictures,
            self.out,
            self.plan,
            self.mask,
            self.film,
            self.class_index,
            self.seek,
            self.framing.chart,
            self.guess and self.guess.to(self.G.w_avg.device),
        )
        for found in together.run(lambda step: on_step(step.done, step.of)):
            yield found.name, found

    # Cut out ------------------------------------------------------------------------------------------------------------

    def cut_out(self, picture: np.ndarray) -> np.ndarray:
        """[H, W, 3] uint8 -> the square of the model's size that is projected. Raises KinesphereError where no face is found."""
        return alignment.aligned(picture, self.framing(picture), self.G.img_resolution)

    def _masked(self, path: Path) -> np.ndarray:
        """[H, W], 0 to 1, from the lightness of a picture."""
        cut = alignment.aligned(picture := read(path), Similarity.whole(picture), self.G.img_resolution)
        mask: np.ndarray = np.asarray(Image.fromarray(cut).convert("L"), np.float32) / 255
        if not mask.any():
            raise KinesphereError(f"{path.name} is black: it is white where the pictures count")
        return mask


def read(path: Path) -> np.ndarray:
    """[H, W, 3] uint8, upright, in sRGB, what is transparent on white. Raises KinesphereError with the reason."""
    try:
        if path.stat().st_size > LARGEST:
            raise Unreadable(f"too large a file: more than {LARGEST // 2**20} MB")
        image = decoded(path.read_bytes())
    except OSError as error:
        raise KinesphereError(error.strerror or str(error)) from None
    return np.asarray(over(image, WHITE))
