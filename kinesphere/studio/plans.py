"""A film of a walk as it is asked for, in the words of the command line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from kinesphere import latent
from kinesphere.models import Generator
from kinesphere.sinks.sound import seconds_of
from kinesphere.studio import films, keys
from kinesphere.studio.keys import Kept
from kinesphere.types import KinesphereError

SECONDS = 12.0  # of a film of which nothing else says how long it is
MOST_CELLS = 64


@dataclass
class Plan:
    """What is asked for. Raises KinesphereError for what cannot be, before any model is loaded."""

    keys: str | Sequence[int | Kept] = "0-5"  # seeds and files, see keys.parse
    times: str | None = (
        None  # "0, 2, 5": when each key is reached; of a loop one more, when the first comes round again
    )
    seconds: float | None = None  # None: as long as the times, or the sound, or 12
    easing: str = "linear"  # one for all legs, or one for each, with commas
    kind: str = "cubic"  # of the way, a name of latent.KINDS
    loop: bool = True
    drift: bool = False  # wander from the first key, a seed, instead
    even: float = 0.0  # 0 to 1: how even the pace is made in what the eye sees; with `times`, within each leg
    psi: float = 0.7  # truncation of the seeds
    cutoff: int | None = None
    class_index: int = 0  # of the seeds
    noise_mode: str = "const"
    fps: Fraction = Fraction(30)
    size: int | None = None  # pixels on each side of one picture, even; None: the model's own
    grid: str = "1x1"  # columns x rows; each picture walks seeds of its own
    sound: Path | None = None  # the film is as long as this

    def __post_init__(self) -> None:
        self.places = keys.parse(self.keys) if isinstance(self.keys, str) else list(self.keys)
        self._columns, rows = _grid(self.grid)
        self._cells = self._columns * rows
        if not 0 <= self.even <= 1:
            raise KinesphereError(f"even {self.even:g}: give 0, the pace as it is, to 1, even in what is to be seen")
        if self.size is not None and self.size % 2:
            raise KinesphereError(f"size {self.size} is odd, which most films cannot be: take {self.size + 1}")
        if self._cells > 1 and not any(isinstance(key, int) for key in self.places):
            raise KinesphereError(f"a grid of {self.grid} needs seeds, which differ from picture to picture: add one")
        given = seconds_of(self.sound) if self.sound and self.seconds is None else self.seconds
        if given is not None and not 0 < given < math.inf:
            raise KinesphereError(f"seconds {given:g}: a film lasts longer than 0")
        if self.drift:
            self._check_drift()
            self._times = [0.0, float(given or SECONDS)]
        else:
            self._times = self._stops(given)
            stops = np.arange(len(self.places))[:, None]
            latent.Path(stops, self._times, self.loop, self.kind, self._easing)  # which refuses what it cannot go
        self._seconds = given or self._times[-1]
        latent.frame_times(self._seconds, self.fps)

    @property
    def _easing(self) -> str | list[str]:
        names = [name.strip() for name in self.easing.split(",")]
        return names[0] if len(names) == 1 else names

    @property
    def length(self) -> float:
        """Of the film, in seconds."""
        return float(self._seconds)

    def film(self, G: Generator) -> films.Film:
        """The film, of the pictures of `G`. Raises KinesphereError for a latent of another model."""
        step = 1 if self.drift else len(self.places)
        cells = [keys.shifted(self.places, cell * step) for cell in range(self._cells)]
        walks = [self._adrift(G, cell[0]) for cell in cells] if self.drift else self._through(G, cells)
        return films.Film(
            G,
            walks,
            self.length,
            self.fps,
            self._columns,
            self.size,
            self.noise_mode,
            self.even,
            held=self.times is not None,
        )

    def _adrift(self, G: Generator, seed: int | Kept) -> films.Walk:
        assert isinstance(seed, int)
        return films.adrift(G, seed, self._times[-1], self.psi, self.cutoff, self.class_index)

    def _through(self, G: Generator, cells: Sequence[Sequence[int | Kept]]) -> list[films.Walk]:
        places = keys.found(G, list(chain.from_iterable(cells)), self.psi, self.cutoff, self.class_index)
        count = len(self.places)
        return [
            films.through(places[i : i + count], self._times, self.loop, self.kind, self._easing)
            for i in range(0, len(places), count)
        ]

    def _check_drift(self) -> None:
        if not isinstance(self.places[0], int):
            raise KinesphereError(
                f"a drift wanders from a seed, not from {self.places[0].name}: begin the keys with a seed"
            )
        if self.times is not None:
            raise KinesphereError("a drift has no keys to come to at given times: leave times out, or drift")
        if not self.loop:
            raise KinesphereError("a drift is always a loop: leave no-loop out, or drift")

    def _stops(self, given: Fraction | float | None) -> list[float]:
        """When the way is at each stop; `given` is how long the film is, where that was said."""
        stops = len(self.places) + self.loop
        if len(self.places) < 2:
            raise KinesphereError(f"a walk needs two keys or more, not {len(self.places)}; from one seed, use a drift")
        if self.times is None:
            length = float(SECONDS if given is None else given)
            return [*(length * i / (stops - 1) for i in range(stops - 1)), length]
        times = [_seconds(part) for part in self.times.split(",")]
        if self.loop and len(times) == stops - 1 and given is not None:
            times.append(float(given))
        if len(times) != stops:
            more = ", and one more for when the first comes round again (or say no-loop)" if self.loop else ""
            raise KinesphereError(
                f"times {self.times!r} are {len(times)}, for {len(self.places)} keys: give one for each{more}"
            )
        if times[0] != 0:
            raise KinesphereError(f"times {self.times!r} begin at {times[0]:g}: the first key is there at 0")
        if given is not None and (times[-1] > given or (self.loop and times[-1] < given)):
            raise KinesphereError(
                f"times {self.times!r} end at {times[-1]:g} s, and the film at {float(given):g} s: let them end together"
            )
        return times


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise KinesphereError(f'no time {text.strip()!r}: write seconds, as in "0, 2, 5.5"') from None


def _grid(text: str) -> tuple[int, int]:
    """(columns, rows) of "3x2"."""
    found = re.fullmatch(r"\s*(\d{1,3})\s*[x×]\s*(\d{1,3})\s*", text)
    columns, rows = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= columns * rows <= MOST_CELLS:
        raise KinesphereError(f"no grid {text!r}: write columns x rows, as 3x2, up to {MOST_CELLS} pictures")
    return columns, rows
