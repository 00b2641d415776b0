"""Pictures of a folder, projected together and kept as they go: what was begun is gone on with, and nothing is lost."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save_file as save_tensors
from torch import Tensor

from kinesphere import __version__, files
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio import prints, recipes
from kinesphere.studio.charts import Chart
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.latents import Latent, draw, hashed
from kinesphere.studio.perceptual import Distance
from kinesphere.studio.projection import Meters, Plan, Projection, Step, nearness, plain
from kinesphere.types import KinesphereError

ENDINGS = (".safetensors", ".png", ".sheet.png", ".mp4")
EVERY = 1.0  # seconds from one keeping to the next


@dataclass(frozen=True)
class Found:
    """What came out for one picture."""

    name: str
    latent: Path  # NAME.safetensors
    sheet: Path  # NAME.sheet.png
    meters: Meters


class Batch:
    """Some pictures on their way to latents in a folder: NAME.safetensors, NAME.png (what was found, with its recipe),
    NAME.sheet.png (side by side) and, where asked, NAME.mp4 (the way; its comment says how it was made).

    pictures  name -> [H, W, 3] uint8, of the model's size
    mask      [H, W], 0 to 1: where the pictures count
    guess     an encoder whose guess is one of the beginnings of the search

    Raises KinesphereError for pictures that do not fit, and where the folder cannot be written.
    """

    def __init__(
        self,
        G: Generator,
        model: str,
        pictures: Mapping[str, np.ndarray],
        out: Path,
        plan: Plan,
        mask: np.ndarray | None = None,
        film: bool = False,
        class_index: int = 0,
        distance: Distance = nearness,
        chart: Chart | None = None,
        guess: Encoder | None = None,
    ) -> None:
        self.G, self.model, self.names, self.out, self.film = G, model, list(pictures), out, film
        self.pictures = list(pictures.values())
        goals = torch.cat([as_goal(picture, G) for picture in self.pictures])
        masks = None if mask is None else torch.from_numpy(mask)[None, None]
        starts = None if guess is None else guess(shown(goals, masks))
        self.projection = Projection(G, goals, plan, distance, masks, starts, class_index, chart)
        self.curve: list[list[float]] = []
        self.way: list[list[np.ndarray]] = []
        models = [self.projection.told.whole, *([] if guess is None else [hashed(guess.state_dict())])]
        said = hashlib.sha256(f"{json.dumps(asdict(plan))} {models} {class_index} {self.names}".encode())
        for tensor in (goals, self.projection.masks):
            said.update(tensor.cpu().numpy().tobytes())
        self.unfinished = out / f".unfinished-{said.hexdigest()[:12]}.safetensors"
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KinesphereError(f"{str(out)!r} cannot be made: {files.reason(error)}") from None
        self._take_up()

    def run(self, on_step: Callable[[Step], None] = lambda step: None) -> list[Found]:
        """Go on to the end. Interrupted, it is kept, and goes on from there when it is run anew with the same pictures and plan."""
        kept = time.monotonic()
        looks = set(prints.looks(sum(length for _, length in self.projection.lengths()))) if self.film else set()
        try:
            for step in self.projection:
                self.curve.append(self._curve(step))
                if step.done in looks:
                    self._look()
                if time.monotonic() - kept > EVERY:
                    self._keep()
                    kept = time.monotonic()
                on_step(step)
        except BaseException:
            self._keep()
            raise
        found = self._finish()
        self.unfinished.unlink(missing_ok=True)
        return found

    def _curve(self, step: Step) -> list[float]:
        """What is left of each picture. While one is tuned, and where several are tried, the others are as they were."""
        before = self.curve[-1] if self.curve else [1.0] * len(self.names)
        now = step.unexplained.tolist()
        if step.stage == "search":
            tried = len(now) // len(before)
            return [min(now[i : i + tried]) for i in range(0, len(now), tried)]
        if step.stage.startswith("tune"):
            n = int(step.stage.split()[1])
            return [*before[:n], now[0], *before[n + 1 :]]
        return now

    @torch.no_grad()
    def _look(self) -> None:
        p = self.projection
        self.way.append(list(to_pixels(p.drawn(p.ws(), p.maps())).cpu().numpy()))

    # Kept ---------------------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        state = self.projection.state()
        state["curve"] = torch.tensor(self.curve, dtype=torch.float64).reshape(-1, len(self.names))
        if self.way:
            state["way"] = torch.from_numpy(np.array(self.way))
        plainly = {name: value.cpu().contiguous() for name, value in state.items()}
        try:
            files.replace(self.unfinished, lambda path: save_tensors(plainly, path))
        except (OSError, SafetensorError) as error:
            raise KinesphereError(f"{self.unfinished.name} cannot be written: {files.reason(error)}") from None

    def _take_up(self) -> None:
        if not self.unfinished.exists():
            return
        try:
            state: dict[str, Tensor] = load_file(self.unfinished)
            self.projection.resume(state)
        except (SafetensorError, OSError, KinesphereError):
            return  # it is begun anew: nothing but time is lost
        self.curve = state["curve"].tolist()
        self.way = [list(pictures.numpy()) for pictures in state.get("way", torch.empty(0))]

    def _finish(self) -> list[Found]:
        found = []
        meters = self.projection.meters()
        for n, (name, place) in enumerate(zip(self.names, self.projection.latents(), strict=True)):
            place = replace(place, origin={**place.origin, "picture": name, "left unexplained": self.curve[-1][n]})
            path = place.save(self.out / f"{name}.safetensors")
            recipe = recipes.of_latent(place, self.model, self.projection.told)
            drawn = to_pixels(draw(self.G, place, told=self.projection.told))[0].cpu().numpy()
            recipes.save(drawn, self.out / f"{name}.png", recipe)
            shown = prints.sheet(
                self.pictures[n], drawn, [values[n] for values in self.curve], self._marks(n), meters[n]
            )
            sheet = recipes.save(shown, self.out / f"{name}.sheet.png", recipe)
            if self.way:
                way = [*(pictures[n] for pictures in self.way), drawn]
                prints.film(self.pictures[n], way, self.out / f"{name}.mp4", self._told(place, path))
            found.append(Found(name, path, sheet, meters[n]))
        return found

    def _told(self, place: Latent, path: Path) -> str:
        """What the film of the way says of itself: the model, where the way ends, the plan and the picture."""
        model = {"name": recipes.named(self.model), "whole": place.model.whole}
        return json.dumps({"kinesphere": __version__, "model": model, "latent": path.name, **place.origin})

    def _marks(self, n: int) -> list[prints.Mark]:
        marks, begun = [], 0
        for name, length in self.projection.lengths():
            if not name.startswith("tune") or name == f"tune {n}":
                marks.append((name.split()[0], float(begun)))
            begun += length
        return marks


def as_goal(picture: np.ndarray, G: Generator) -> Tensor:
    """[H, W, 3] uint8 -> [1, C, H, W] in [-1, 1], on the generator's device; grey or opaque where it draws so."""
    img = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(G.w_avg) / 127.5 - 1
    if G.img_channels == 1:
        return img.mean(1, keepdim=True)
    return torch.cat([img, torch.ones_like(img[:, :1])], 1) if G.img_channels == 4 else img


def shown(goals: Tensor, masks: Tensor | None) -> Tensor:
    """What an encoder is shown of pictures [N, C, H, W]: where they do not count, their plain colour."""
    return goals if masks is None else torch.lerp(plain(goals, masks), goals, masks)
