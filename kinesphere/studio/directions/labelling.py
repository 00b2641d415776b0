"""Labels given by hand, picture after picture: kept, taken back, carried on with; which pictures to ask next; when it is enough."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kinesphere import files
from kinesphere.latent import LAST_SEED, Statistics
from kinesphere.models import Generator
from kinesphere.studio.directions.labels import (
    FEWEST,
    KINDS,
    Learnt,
    NothingToLearn,
    coordinates,
    learn,
    learn_pairs,
    logistic,
)
from kinesphere.studio.directions.labels import balance as counted
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

VERSION = 1
LONGEST = 64  # characters of a word
LARGEST = 2**24  # bytes of a file of labels
MOST = 100_000  # answers
FARTHEST = 1e30  # that a grade is from 0: its square is a number yet
BY_CHANCE = 60  # answers, before any is sought
PENALTY = 0.3  # of the quick line that says what is uncertain
SURE = 3  # answers of each kind, from which on there is a line
NEAREST = 0.1  # of the pool: those that are nearest to the boundary
WIDEST = 16  # axes of W in which pictures are told apart
DRAWN = 4  # of which one is taken
STILL = 20  # labels without a rise, after which it is enough
LOPSIDED = 5  # times as many of one answer as of the other
SOUGHT = "sought"  # the mark in files of an answer that was
ANSWERS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}  # words that a table may hold

Place = int | str  # a picture: the seed that it is of, or the file of a latent


class Answer(NamedTuple):
    """What was said of a picture or a pair: 1 or 0; a grade; 0 where the first has more, 1 where the second; None: skipped."""

    pictures: tuple[Place, ...]
    value: float | None
    sought: bool = (
        False  # asked about because it was uncertain: it teaches, and says nothing of how often the line is right
    )


@dataclass(frozen=True)
class Labels:
    """What has been said, in the order in which it was said. A value: each answer makes another."""

    word: str
    kind: str = "yes-no"  # a name of KINDS
    model: Fingerprint = field(default_factory=Fingerprint)
    class_index: int = 0  # that the pictures are of, of a model with classes
    answers: tuple[Answer, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.word) <= LONGEST:
            raise KinesphereError(f"a word of {len(self.word)} characters: give 1 to {LONGEST}")
        if self.kind not in KINDS:
            raise KinesphereError(f"kind {self.kind!r}: there are {', '.join(KINDS)}")

    def said(self, pictures: Sequence[Place], value: float | None, sought: bool = False) -> Labels:
        """With one more answer, which takes the place of an earlier one about the same. Raises KinesphereError as `with_all`."""
        return self.with_all([Answer(tuple(pictures), value, sought)])

    def with_all(self, answers: Iterable[Answer]) -> Labels:
        """With more answers, each in place of an earlier one about the same pictures, so that none is learnt from twice.

        Raises KinesphereError for one that does not fit the kind, and for more answers than are kept.
        """
        found = {frozenset(answer.pictures): answer for answer in self.answers}
        for pictures, value, sought in answers:
            self._check(pictures, value)
            found.pop(frozenset(pictures), None)  # so that the new one is the last
            found[frozenset(pictures)] = Answer(pictures, None if value is None else float(value), sought)
        if len(found) > MOST:
            raise KinesphereError(f"these would be {len(found)} labels, and more than {MOST} are not taken")
        return replace(self, answers=tuple(found.values()))

    def _check(self, pictures: Sequence[Place], value: float | None) -> None:
        if len(pictures) != (2 if self.kind == "pairs" else 1):
            raise KinesphereError(
                f"{len(pictures)} pictures: {self.kind} asks of {'two' if self.kind == 'pairs' else 'one'}"
            )
        if value is not None and not abs(value) <= FARTHEST:
            raise KinesphereError(f"{str(value)[:LONGEST]} is no answer: give a number, or nothing to skip it")
        if value is not None and self.kind != "graded" and value not in (0, 1):
            raise KinesphereError(f"{value:g} is no answer: {self.kind} takes 0 or 1")

    def undone(self) -> Labels:
        """Without the last answer."""
        return replace(self, answers=self.answers[:-1])

    @property
    def told(self) -> tuple[Answer, ...]:
        """The answers that were not skipped."""
        return tuple(answer for answer in self.answers if answer.value is not None)

    @property
    def drawn(self) -> Labels:
        """Those answers alone that were not sought."""
        return replace(self, answers=tuple(answer for answer in self.answers if not answer.sought))

    @property
    def balance(self) -> dict[str, int]:
        """How many of each answer, and how many were skipped."""
        values = np.array([answer.value for answer in self.told], np.float64)
        found = counted(self.kind, 2 * values - 1 if self.kind == "yes-no" else values)
        return {**found, "skipped": len(self.answers) - len(self.told)}

    def w(self, G: Generator, told: Fingerprint | None = None) -> Tensor:
        """The latents of all that was asked, skipped or not: [N, w_dim], of pairs [N, 2, w_dim].

        Raises KinesphereError as `placed`, and for labels of a model that does not share W with `G`, where a seed is of another
        picture.
        """
        told = told or Fingerprint.of(G)
        if self.model.whole and not self.model.shares_w(told):
            raise KinesphereError(
                f"the labels of {self.word} are of another model: there the same seeds are other pictures; label this one's"
            )
        each = placed(G, [place for answer in self.answers for place in answer.pictures], self.class_index, told)
        return each.reshape(len(self.answers), 2, -1) if self.kind == "pairs" else each

    @property
    def values(self) -> np.ndarray:
        """What was said: float64 [N], NaN where it was skipped."""
        return np.array([np.nan if answer.value is None else answer.value for answer in self.answers], np.float64)

    @property
    def scored(self) -> np.ndarray:
        """Which answers say how often a line is right: bool [N], those that were not sought."""
        return np.array([not answer.sought for answer in self.answers], bool)

    def learnt(self, w: Tensor, stats: Statistics, method: str = "", seed: int = 0) -> Learnt:
        """The line that these labels tell, of their latents `w`. Raises NothingToLearn and KinesphereError as `learn`."""
        pictures = [answer.pictures for answer in self.answers]
        seeded = all(isinstance(place, int) for pair in pictures for place in pair)
        if self.kind != "pairs":
            seeds = [int(place) for (place,) in pictures] if seeded else []
            return learn(
                w,
                self.values,
                stats,
                self.kind,
                method,
                seed=seed,
                name=self.word,
                model=self.model,
                seeds=seeds,
                scored=self.scored,
            )
        told = [i for i, answer in enumerate(self.answers) if answer.value is not None]
        more = torch.as_tensor([int(self.values[i]) for i in told], dtype=torch.long)
        rows = torch.as_tensor(told, dtype=torch.long)
        pairs = [(pictures[i][int(self.values[i])], pictures[i][1 - int(self.values[i])]) for i in told]
        return learn_pairs(
            w[rows, more],
            w[rows, 1 - more],
            stats,
            method,
            seed=seed,
            name=self.word,
            model=self.model,
            seeds=[(int(a), int(b)) for a, b in pairs] if seeded else [],
            scored=self.scored[told],
        )

    # -- its files

    def to_json(self) -> str:
        """The contents of its file: an answer a line."""
        head = {
            "kinesphere_labels": VERSION, "word": self.word, "kind": self.kind, "class": self.class_index,
            "model": {"whole": self.model.whole, "mapping": self.model.mapping},
        }  # fmt: skip
        rows = ",\n".join(
            json.dumps([list(answer.pictures), answer.value, *([SOUGHT] if answer.sought else [])])
            for answer in self.answers
        )
        return json.dumps(head)[:-1] + f', "answers": [\n{rows}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Labels:
        """What `to_json` gave, number for number. Raises KinesphereError for anything else."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        match said:
            case {"kinesphere_labels": int(version)} if version > VERSION:
                raise KinesphereError("these labels were kept by a later kinesphere: update this one")
            case {
                "kinesphere_labels": int(),
                "word": str(word),
                "kind": str(kind),
                "class": int(class_index),
                "model": {"whole": str(whole), "mapping": str(mapping)},
                "answers": list(rows),
            } if len(rows) <= MOST:
                empty = cls(word, kind, Fingerprint(whole, mapping), class_index)
                return empty.with_all(map(_answer, rows))
        raise KinesphereError("these are no labels that kinesphere kept, or they are damaged")

    def write(self, path: str | Path) -> Path:
        """Keep them in a .json, whole or not at all. Raises KinesphereError where it cannot be written."""
        return _written(Path(path).expanduser(), self.to_json())

    @classmethod
    def read(cls, path: str | Path) -> Labels:
        """Those in a .json. Raises KinesphereError, naming the file, where there are none."""
        text, name = _text(path)
        try:
            return cls.from_json(text)
        except KinesphereError as error:
            raise KinesphereError(f"{name}: {error}") from None

    def write_csv(self, path: str | Path) -> Path:
        """As a table that `with_csv` reads; what was skipped is left out."""
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        if self.kind == "pairs":
            rows.writerow(("more", "less", SOUGHT))
            rows.writerows((*one.pictures[:: 1 if one.value == 0 else -1], int(one.sought)) for one in self.told)
        else:
            rows.writerow(("picture", "value", SOUGHT))
            rows.writerows((*one.pictures, f"{one.value:.17g}", int(one.sought)) for one in self.told)
        return _written(Path(path).expanduser(), table.getvalue())

    def with_csv(self, path: str | Path) -> Labels:
        """With the answers of a table added.

        Its first line names the columns: `seed` (or `picture`, a seed or the file of a latent) and `value`, which is a number, yes
        or no, or nothing where it is not told; of pairs `more` and `less`. Where there is a column `sought`, 1 or yes is as of
        Answer. Other columns are not read. (A table of many labels for each seed is `probes.read_table`'s: there a label may be
        a class, a picture is no file, and nothing is asked or skipped.) Raises KinesphereError with the number of the line that
        cannot be read.
        """
        text, name = _text(path)
        table = csv.DictReader(io.StringIO(text))
        try:
            columns = [column.strip().lower() for column in table.fieldnames or []]
        except csv.Error as error:
            raise KinesphereError(f"{name}, line 1: {error}") from None
        wanted = [{"more"}, {"less"}] if self.kind == "pairs" else [{"seed", "picture"}, {"value"}]
        for names in wanted:
            if not names & set(columns):
                raise KinesphereError(f"{name}: its first line names no column {' or '.join(sorted(names))}")
        table.fieldnames = columns
        try:
            answers = [self._row(row) for row in table]
        except (KinesphereError, csv.Error) as error:
            raise KinesphereError(f"{name}, line {table.line_num}: {error}") from None
        try:
            return self.with_all(answers)
        except KinesphereError as error:
            raise KinesphereError(f"{name}: {error}") from None

    def _row(self, row: dict[str, str]) -> Answer:
        pairs = self.kind == "pairs"
        places = (row["more"], row["less"]) if pairs else (row["seed"] if "seed" in row else row["picture"],)
        answer = Answer(
            tuple(map(_place, places)), 0.0 if pairs else _value(row["value"]), _value(row.get(SOUGHT)) == 1
        )
        self._check(answer.pictures, answer.value)
        return answer


def placed(G: Generator, places: Sequence[Place], class_index: int = 0, told: Fingerprint | None = None) -> Tensor:
    """The latents of pictures [N, w_dim], on the CPU. Raises KinesphereError, naming the file, for one that is no w of `G`."""
    seeds = [place for place in places if isinstance(place, int)]
    drawn = iter(seeds_to_ws(G, seeds, class_index)[:, 0].cpu() if seeds else ())
    told = told or Fingerprint.of(G) if len(seeds) < len(places) else told
    rows = [next(drawn) if isinstance(place, int) else _of_file(G, place, told) for place in places]
    return torch.stack(rows) if rows else torch.empty(0, G.w_dim)


def _of_file(G: Generator, place: str, told: Fingerprint | None) -> Tensor:
    try:
        ws = Latent.load(place).ws(G, told)[0].cpu()
    except KinesphereError as error:
        name = Path(place).name
        raise KinesphereError(str(error) if name in str(error) else f"{name}: {error}") from None
    return ws.mean(0)


def _place(text: str | None) -> Place:
    text = (text or "").strip()
    if not text:
        raise KinesphereError("no picture is named: give a seed, or the file of a latent")
    if not (text.isascii() and text.isdigit()):
        return text
    if int(text) > LAST_SEED:
        raise KinesphereError(f"seed {text} is out of range: take one from 0 to {LAST_SEED}")
    return int(text)


def _value(text: str | None) -> float | None:
    text = (text or "").strip().lower()
    if not text:
        return None
    try:
        return ANSWERS[text] if text in ANSWERS else float(text)
    except ValueError:
        raise KinesphereError(f"{text[:LONGEST]!r} is no value: give a number, yes or no, or nothing") from None


def _answer(row: object) -> Answer:
    match row:
        case [list(pictures), int() | float() | None as value, *mark] if mark in ([], [SOUGHT]) and all(
            isinstance(place, str) or (isinstance(place, int) and 0 <= place <= LAST_SEED) for place in pictures
        ):
            return Answer(tuple(pictures), value, bool(mark))
    raise KinesphereError("one of its answers is damaged")


def _text(path: str | Path) -> tuple[str, str]:
    path = Path(path).expanduser()
    if not path.is_file():
        raise KinesphereError(f"there is no file {str(path)!r}")
    if path.stat().st_size > LARGEST:
        raise KinesphereError(f"{path.name} has {path.stat().st_size} bytes, more than any labels")
    try:
        return path.read_text("utf-8-sig"), path.name
    except (OSError, UnicodeDecodeError) as error:
        raise KinesphereError(f"{path.name} cannot be read: {files.reason(error)}") from None


def _written(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(path, lambda unfinished: unfinished.write_text(text))
    except OSError as error:
        raise KinesphereError(f"{str(path)!r} cannot be written: {files.reason(error)}") from None
    return path


# What to ask next -----------------------------------------------------------------------------------------------------


def ask(
    labels: Labels, pool: Tensor, said: Tensor, stats: Statistics, count: int = 1, ahead: int = 0
) -> list[tuple[int, bool]]:
    """Which rows of a pool to ask next, and of each whether it is sought.

    pool, said  latents of what may be asked and of `labels`, as for `choose`
    ahead       questions that are to be asked before these

    The first are drawn by chance, and later every other one: of these alone a score is true, because those that are uncertain are
    the hardest to tell. The others are sought by `choose`. While there are few answers the line is too uncertain itself to say what
    is: then what is sought teaches no more than chance does (docs/directions.md). As many answers draw the same each time.
    Returns fewer than `count` where the pool holds fewer.
    """
    first = len(labels.answers) + ahead
    turns = [place >= BY_CHANCE and place % 2 == 1 for place in range(first, first + count)]
    seed = len(labels.answers)
    sought = choose(pool, said, labels.values, stats, sum(turns), seed, labels.kind) if any(turns) else []
    drawn = np.random.default_rng((seed, 1)).permutation(np.setdiff1d(np.arange(len(pool)), sought)).tolist()
    queues = {True: iter(sought), False: iter(drawn)}
    rows = [(next(queues[turn], None), turn) for turn in turns]
    return [(row, turn) for row, turn in rows if row is not None]


def choose(
    pool: Tensor,
    said: Tensor,
    values: np.ndarray,
    stats: Statistics,
    count: int = 1,
    seed: int = 0,
    kind: str = "yes-no",
) -> list[int]:
    """Which rows of a pool teach most: what is uncertain, and unlike each other and what was asked.

    pool, said  latents [M, w_dim] and [N, w_dim]; of pairs [M, 2, w_dim] and [N, 2, w_dim]
    values      [N] as `Labels.values`, NaN where it was skipped

    The first are chosen by variety alone, and grades always, which are as uncertain anywhere. Once there is a line, from the
    tenth of the pool whose answer is most uncertain. Variety is greedy k-means++ (Arthur and Vassilvitskii 2007): some are drawn
    with a chance that grows with the squared distance to the nearest that was asked, in the widest axes of W, and the best of
    them is taken; a seed draws the same each time. Returns fewer than `count` where the pool holds fewer.
    """
    rows, asked = _apart(pool, stats), _apart(said, stats)
    line = _quick(asked, np.asarray(values, np.float64), kind)
    candidates = np.arange(len(rows))
    if line is not None:
        few = min(len(rows), max(count, int(NEAREST * len(rows))))
        candidates = np.abs(rows @ line[0] + line[1]).argsort(kind="stable")[:few]
    wide = stats.sigmas.cpu().double().numpy()[:WIDEST]
    chosen = _varied(rows[candidates, : len(wide)] * wide, asked[:, : len(wide)] * wide, count, seed)
    return [int(candidates[i]) for i in chosen]


def _apart(latents: Tensor, stats: Statistics) -> np.ndarray:
    """In standard deviations; of pairs, by how much the second is ahead of the first."""
    if latents.ndim == 2:
        return coordinates(latents, stats)
    return coordinates(latents[:, 1], stats) - coordinates(latents[:, 0], stats)


def _quick(x: np.ndarray, values: np.ndarray, kind: str) -> tuple[np.ndarray, float] | None:
    """A line that is good enough to say what is uncertain, or None while there is none."""
    told = np.isfinite(values)
    y = 2 * values[told] - 1
    if kind == "graded" or min((y > 0).sum(), (y < 0).sum()) < SURE:
        return None
    return logistic(x[told], y, PENALTY)


def _varied(rows: np.ndarray, asked: np.ndarray, count: int, seed: int) -> list[int]:
    """Up to `count` rows, each far from those asked and chosen before; of a few drawn the one that leaves the others nearest."""
    rng = np.random.default_rng(seed)
    centre = asked if len(asked) else rows.mean(0, keepdims=True)
    away = np.min([np.square(rows - one).sum(1) for one in centre], 0) if len(rows) else np.empty(0)
    chosen: list[int] = []
    while len(chosen) < min(count, len(rows)) and away.sum() > 0:
        drawn = rng.choice(len(rows), DRAWN, p=away / away.sum())
        left = [np.minimum(away, np.square(rows - rows[i]).sum(1)) for i in drawn]
        best = int(np.argmin([one.sum() for one in left]))
        chosen.append(int(drawn[best]))
        away = left[best]
    return chosen


# When it is enough ----------------------------------------------------------------------------------------------------


class Point(NamedTuple):
    """What labels were worth when there were so many."""

    labels: int
    score: float
    error: float


def point(labels: Labels, w: Tensor, stats: Statistics) -> tuple[Point | None, Learnt | None]:
    """What these labels are worth now, told whether or not it is above chance; None while there are too few."""
    try:
        learnt = labels.learnt(w, stats)
    except NothingToLearn as nothing:
        if nothing.score is None or nothing.error is None:
            return None, None
        return Point(len(labels.told), nothing.score, nothing.error), None
    return Point(learnt.count, learnt.score, learnt.error), learnt


def advice(labels: Labels, curve: Sequence[Point], learnt: bool) -> str:
    """What to do next, in words. `curve`: the scores so far, with rising counts; `learnt`: whether there is an arrow now."""
    told = len(labels.told)
    lacking = _lacking(labels.drawn)
    if lacking:
        return lacking
    if not curve or not learnt:
        return f"{told} labels, and nothing above chance yet: go on, or take something that every picture shows"
    before = [point for point in curve if point.labels <= told - STILL]
    last = curve[-1]
    if before and last.score <= max(point.score for point in before):
        return f"{told} labels; the score has not risen for the last {STILL}: enough"
    few, many = sorted(labels.balance[answer] for answer in ("yes", "no")) if labels.kind == "yes-no" else (1, 1)
    if many > LOPSIDED * few:
        rarer = "yes" if labels.balance["yes"] < labels.balance["no"] else "no"
        return f"{told} labels, but few that say {rarer}: a few more of these count most"
    return f"{told} labels, a score of {last.score:.2f}: it is getting there, go on"


def _lacking(labels: Labels) -> str:
    if labels.kind == "yes-no":
        lacking = {answer: FEWEST - labels.balance[answer] for answer in ("yes", "no")}
        wanted = " and ".join(f"{n} more {answer}" for answer, n in lacking.items() if n > 0)
        return f"{wanted} to begin with" if wanted else ""
    few = 2 * FEWEST - len(labels.told)
    return f"{few} more to begin with" if few > 0 else ""


__all__ = ["Answer", "Labels", "Point", "advice", "ask", "choose", "placed", "point"]
