"""Makes the named directions of `portraits` that ship with kinesphere. Run: python -m kinesphere.builtin.make_directions OUT

The labels are what the judge of drawn portraits sees in the model's own pictures. Each arrow is then set at right angles to
what else it was seen to move, and is kept if what it is named after follows it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinesphere import checkpoints, files
from kinesphere.models import Generator
from kinesphere.studio.directions import Axis, Direction
from kinesphere.studio.directions import files as shared
from kinesphere.studio.directions.labels import Learnt, learn, orthogonal
from kinesphere.studio.directions.measures import Course, along, labels_of, latents
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.train.judge import Judge, load_judge, shows
from kinesphere.train.portraits import FACTORS
from kinesphere.types import KinesphereError

MODEL = "portraits"
COUNT, FIRST = 8000, 100_000  # pictures that are labelled, and the first of their seeds
PSI = 0.7  # of pictures that sliders start from
TRIED, TRIED_FIRST = 48, 200_000  # pictures on which an arrow is tried, none of them labelled
AMOUNTS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # standard deviations
REACH = 2.0  # at which changes are told, in natural standard deviations
CHOSEN, CHOSEN_FIRST = 32, 300_000  # other pictures, on which it is chosen what an arrow leaves alone
TRIES = 10  # things, at most, that it may leave alone
BETTER = 1.05  # times as pure it must become for that
MONOTONE, SINGLY, LEAST = 0.95, 0.8, 1.0  # what Spearman's correlations and the change must reach


@dataclass(frozen=True)
class Word:
    """A direction by its name: which factor of a portrait it is, and what an artist sees."""

    seen: str  # a name of `Eye.names`
    words: str
    between: float = 0.1  # of what separates and what belongs
    rows: str = "all"
    psi: float = PSI  # of the pictures that are labelled: the nearer to the middle of the map, the better a line fits


WORDS = {
    "smile": Word("smile", "from a frown to a smile", psi=0.5),
    "mouth open": Word("mouth_open", "from closed lips to an open mouth"),
    "turn": Word("turn", "the head turns, to the left and to the right of the picture"),
    "tilt": Word("tilt", "the head leans, to the left and to the right of the picture"),
    "skin tone": Word("skin_tone", "from light to deep skin"),
    "hair tone": Word("hair_tone", "from light to dark hair", 0.05, "middle"),
    "hair hue": Word("hair_hue", "the hue of coloured hair: from green over blue and violet to rose", 0.2, "middle"),
    "hair volume": Word("hair_volume", "from hair close to the head to full hair"),
    "light": Word("light_x", "the light comes from the left, or from the right"),
    "background": Word("background_tone", "from a light to a dark background"),
}


class Eye:
    """A judge as a measure: what it sees in pictures, a column for each number and for each class but the first."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        nothing = judge.factors(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
        self.columns = [
            (name, i) for name in nothing for i in range(max(1, len(FACTORS[name].classes) - 1))
        ]  # factor, class less 1
        self.names = [
            f"{name}:{FACTORS[name].classes[i + 1]}" if FACTORS[name].classes else name for name, i in self.columns
        ]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, 3] -> [N, columns]: a number, or the probability of a class; NaN where the factor cannot be seen."""
        factors = self.judge.factors(pictures.transpose(0, 3, 1, 2))
        columns = [factors[name][:, i + 1] if FACTORS[name].classes else factors[name] for name, i in self.columns]
        there = [shows(name, factors) for name, _ in self.columns]
        return np.where(there, columns, np.nan).T.astype(np.float64)


class Portraits:
    """The model, its pictures as the judge sees them, and the lines that tell each thing that it sees."""

    def __init__(self, count: int = COUNT) -> None:
        self.G: Generator = checkpoints.load(MODEL).G_ema
        self.eye = Eye(load_judge())
        self.stats, self.told = natural(self.G), Fingerprint.of(self.G)
        self.seeds = range(FIRST, FIRST + count)
        self._w: dict[float, Tensor] = {}
        self._seen: dict[float, np.ndarray] = {}
        self._lines: dict[tuple[str, float], Learnt] = {}

    def column(self, name: str) -> int:
        return self.eye.names.index(name)

    @cached_property
    def spreads(self) -> np.ndarray:
        """The standard deviation of what is seen, over natural pictures: [columns]."""
        return np.nanstd(labels_of(self.G, self.eye, range(2000), progress=progress), 0)

    def w(self, psi: float = PSI) -> Tensor:
        """The latents of the pictures that are labelled, taken once: [count, w_dim]."""
        if psi not in self._w:
            self._w[psi] = latents(self.G, self.seeds, psi)[:, 0]
        return self._w[psi]

    def seen(self, psi: float = PSI) -> np.ndarray:
        """What the judge sees in them, looked at once: [count, columns]."""
        if psi not in self._seen:
            self._seen[psi] = labels_of(self.G, self.eye, self.seeds, psi, progress=progress)
        return self._seen[psi]

    def line(self, name: str, psi: float = PSI) -> Learnt:
        """The line that tells one thing that the judge sees, learnt once."""
        if (name, psi) not in self._lines:
            values = self.seen(psi)[:, self.column(name)]
            self._lines[name, psi] = learn(
                self.w(psi), values, self.stats, "graded", name=name, model=self.told, seeds=self.seeds
            )
        return self._lines[name, psi]

    def starts(self, name: str, count: int = TRIED, psi: float = PSI, first: int = TRIED_FIRST) -> Tensor:
        """Latents [count, num_ws, w_dim] of seeds that were not labelled, in whose pictures a thing can be seen."""
        found: list[Tensor] = []
        while sum(map(len, found)) < count:
            seeds = range(first, first + 4 * count)
            there = np.isfinite(labels_of(self.G, self.eye, seeds, psi)[:, self.column(name)])
            found.append(latents(self.G, seeds, psi)[torch.as_tensor(there)])
            first += 4 * count
        return torch.cat(found)[:count].expand(-1, self.G.num_ws, -1)

    def course(self, direction: Direction, ws: Tensor, amounts: Sequence[float] = AMOUNTS) -> Course:
        """What the judge sees as these pictures are moved along a direction."""
        return along(self.G, Axis.of(self.G, direction, told=self.told), self.eye, ws, amounts)

    def changes(self, course: Course) -> dict[str, float]:
        """What is seen to change from -REACH to REACH, in natural standard deviations."""
        return {name: course.change(i, REACH) / self.spreads[i] for i, name in enumerate(self.eye.names)}

    def worth(self, word: Word, course: Course) -> dict[str, Any]:
        """How surely a slider does what its word says, and which three things it moves most besides."""
        i, changes = self.column(word.seen), self.changes(course)
        others = sorted((other for other in changes if other != word.seen), key=lambda other: -abs(changes[other]))
        return {
            "change": round(float(changes[word.seen]), 2),
            "monotone": round(course.monotone(i), 3),
            "singly": round(course.singly(i), 3),
            "others": {other: round(float(changes[other]), 2) for other in others[:3]},
            "range": [AMOUNTS[0], AMOUNTS[-1]],
        }

    def arrow(self, word: Word, name: str = "") -> tuple[Direction, Direction]:
        """The direction of a word, as it was learnt, and with what else it moves left alone, one thing after the other.

        The thing that it moves most comes first; it is left alone if the word then changes more for what else changes.
        """
        plain = replace(self.line(word.seen, word.psi).direction(word.between), name=name, rows=word.rows)
        ws = self.starts(word.seen, CHOSEN, CHOSEN_FIRST)
        best, against, tried = plain, list[str](), {word.seen}
        changes = self.changes(self.course(plain, ws, (-REACH, REACH)))
        for _ in range(TRIES):
            other = max((one for one in changes if one not in tried), key=lambda one: abs(changes[one]))
            tried.add(other)
            try:
                lines = [self.line(one, word.psi).separating for one in (*against, other)]
                narrower = orthogonal(plain, lines, self.stats)
            except KinesphereError:  # no line tells it, or nothing would be left
                continue
            then = self.changes(self.course(narrower, ws, (-REACH, REACH)))
            if purity(then, word.seen) > BETTER * purity(changes, word.seen):
                best, against, changes = narrower, [*against, other], then
        return plain, best


def purity(changes: Mapping[str, float], name: str) -> float:
    """The change of one thing over that of the others, of which the root of the mean square is taken."""
    return changes[name] / float(np.sqrt(np.mean([by**2 for other, by in changes.items() if other != name])))


# The file and its card -------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m kinesphere.builtin.make_directions", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path, help="the .safetensors file; its card is written beside it")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures that are labelled")
    said = parser.parse_args(arguments)
    torch.set_num_threads(1)
    made = found(Portraits(said.count))
    shared.write(said.out, made)
    card = said.out.with_suffix(".md")
    files.replace(card, lambda unfinished: unfinished.write_text(page(made, said.count)))


def found(portraits: Portraits) -> list[Direction]:
    """The directions of WORDS that are honest, with what each is worth."""
    made: list[Direction] = []
    for name, word in WORDS.items():
        direction = portraits.arrow(word, name)[1]
        worth = portraits.worth(word, portraits.course(direction, portraits.starts(word.seen)))
        print(f"{name}: {worth}{'' if honest(worth) else '; left out'}", flush=True)
        if honest(worth):
            made.append(replace(direction, found={**direction.found, **worth, "words": word.words}))
    return made


def honest(worth: Mapping[str, Any]) -> bool:
    """Whether a slider does what its word says, and that more than anything else."""
    told = worth["monotone"] >= MONOTONE and worth["singly"] >= SINGLY and worth["change"] >= LEAST
    return bool(told and worth["change"] > max(map(abs, worth["others"].values())))


def page(made: Sequence[Direction], count: int) -> str:
    """The card: what each does, how surely, and what else it moves."""
    rows = "\n".join(
        f"| {one.name} | {one.found['words']} | {one.found['change']:.1f} | {one.found['monotone']:.2f}, {one.found['singly']:.2f} "
        f"| {', '.join(f'{other} {by:+.1f}' for other, by in one.found['others'].items())} "
        f"| {one.found['score']:.2f} ± {one.found['error']:.2f} |"
        for one in made
    )
    low, high = AMOUNTS[0], AMOUNTS[-1]
    psi = " or ".join(f"{one:g}" for one in sorted({WORDS[one.name].psi for one in made}))
    return CARD.format(
        count=count, psi=psi, chosen=CHOSEN, tried=TRIED, start=PSI, reach=REACH, low=low, high=high, rows=rows
    )


CARD = """# The directions of `portraits`

Named sliders of the built-in model; what a direction is, is in `docs/directions.md`.

| | |
|---|---|
| made by | `python -m kinesphere.builtin.make_directions kinesphere/builtin/portraits.directions.safetensors` |
| learnt from | what the judge of drawn portraits sees in {count} pictures of psi {psi}: a ridge regression for each |
| then | set at right angles to what else it was seen to move, one after the other, where that made it purer on {chosen} others |
| range | {low:g} to {high:g} standard deviations: within these it was tried, and each step leads on |
| licence | Apache-2.0, as all of Kinesphere |

Tried on {tried} pictures of psi {start:g} by which nothing was learnt or chosen.
*Change* is from -{reach:g} to {reach:g} on the slider, as the
judge sees it, in standard deviations of natural pictures, and so is what else moves, the three that move most. *Monotone* is
Spearman's correlation of the slider with what is seen: of the mean over the pictures, and the median of single ones. *Score* is
the R² of the line on labels that it had not seen.

| name | does | change | monotone | moves besides | score |
|---|---|---|---|---|---|
{rows}
"""


def progress(done: int, of: int) -> None:
    if done % 1600 == 0 or done == of:
        print(f"{done} of {of} pictures", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
