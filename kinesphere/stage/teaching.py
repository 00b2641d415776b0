"""Teaching a word: pictures are shown, the player says what they are, and a direction is learnt from the answers."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from kinesphere.latent import Statistics
from kinesphere.stage.directions import Directions
from kinesphere.stage.kept import Shelf, free, plainly
from kinesphere.stage.library import Absent
from kinesphere.stage.pictures import jpeg, sized
from kinesphere.stage.rack import Rack
from kinesphere.stage.workshop import Errand, Workshop
from kinesphere.studio.directions import Direction
from kinesphere.studio.directions.labelling import Answer, Labels, Point, advice, ask, placed, point
from kinesphere.studio.directions.labels import BETWEEN, CHANCE, KINDS, Learnt, orthogonal
from kinesphere.studio.directions.measures import Measure, measure
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

POOL = 1000  # seeds among which the next picture is chosen
AHEAD = 4  # questions that are known, so that pages fetch their pictures before they are needed
STAY = 2  # of these, that stay when others are chosen anew: they may be looked at already
SHOWN = 512  # pixels of the longer side of a picture that is asked about
END, REACH = 256, 3.0  # pixels of a picture of an end, and how far out it is, sigmas
LARGEST, MOST = 2**20, 2000  # bytes, and labels, of a table
READS = {"yes-no": "told apart rightly", "graded": "of what differs is told", "pairs": "in the right order"}

Question = tuple[int, ...]  # the seeds of a picture, or of a pair


@dataclass
class Lesson:
    """One word that is being taught."""

    name: str  # of its file
    labels: Labels
    stats: Statistics
    pool: Tensor  # the latents of the questions that may be asked, [POOL, w_dim], of pairs [POOL, 2, w_dim]
    seeds: list[Question]  # of these
    latents: dict[int | str, Tensor]  # w [w_dim] of every picture that is known
    questions: list[Question] = field(default_factory=list)  # the next ones, the first is asked now
    sought: set[Question] = field(default_factory=set)  # those that were not drawn by chance, as of `Answer`
    learnt: Learnt | None = None
    learnt_of: Labels | None = None  # the answers that were learnt from last
    curve: list[Point] = field(default_factory=list)
    between: float = BETWEEN
    against: list[str] = field(default_factory=list)  # what asks for the directions that it leaves alone
    arrow: Direction | None = None
    shown: Direction | None = None  # the last arrow that there was: a page may ask for its ends when it is gone already
    version: int = 0  # rises with every other arrow
    trouble: str = ""  # why there is no arrow though there is something to learn

    def take(self, labels: Labels) -> None:
        self.labels = labels
        told = len(labels.told)
        self.curve = [one for one in self.curve if one.labels <= told]

    def turn(self, arrow: Direction | None, trouble: str = "") -> None:
        self.arrow, self.trouble, self.version = arrow, trouble, self.version + 1
        self.shown = arrow or self.shown

    def fetch(self, workshop: Workshop, answers: Sequence[Answer]) -> None:
        """Have the latents of pictures that are not of the pool, too. Hold the lock."""
        places = [*{place for answer in answers for place in answer.pictures} - {*self.latents}]
        found = placed(workshop.G, places, self.labels.class_index, workshop.told)
        self.latents = {**self.latents, **dict(zip(places, found, strict=True))}

    def w(self, answers: Sequence[Answer]) -> Tensor:
        """The latents of answers, as `Labels.w`."""
        if self.labels.kind == "pairs":
            pairs = [torch.stack([self.latents[place] for place in answer.pictures]) for answer in answers]
            return torch.stack(pairs) if pairs else self.pool[:0]
        return torch.stack([self.latents[answer.pictures[0]] for answer in answers]) if answers else self.pool[:0]

    def choose(self, count: int) -> list[Question]:
        """Questions that were not asked yet, as `ask` chooses them."""
        labels = self.labels
        asked = {answer.pictures for answer in labels.answers} | {*self.questions}
        left = [i for i, question in enumerate(self.seeds) if question not in asked]
        found = ask(labels, self.pool[left], self.w(labels.answers), self.stats, count, len(self.questions))
        chosen = {self.seeds[left[row]]: sought for row, sought in found}
        self.sought = self.sought - {*chosen} | {question for question, sought in chosen.items() if sought}
        return [*chosen]

    @property
    def answered(self) -> set[str]:
        """The names of all questions that have an answer."""
        return {_name(answer.pictures) for answer in self.labels.answers}

    def unanswered(self, picture: str) -> Question | None:
        """One of the questions by its name: one of the next, or one that a page shows still though others were chosen since."""
        asked = (one for one in (*self.questions, *self.seeds) if _name(one) == picture)
        return next(asked, None) if picture not in self.answered else None

    def said(self) -> dict[str, Any]:
        labels, last = self.labels, self.curve[-1] if self.curve else None
        balance = labels.balance
        skipped = balance.pop("skipped")
        score = last and {
            "value": last.score, "error": last.error, "chance": CHANCE[labels.kind], "what": READS[labels.kind],
        }  # fmt: skip
        return {
            "word": labels.word, "kind": labels.kind, "next": [self._asked(one) for one in self.questions],
            "count": len(labels.told), "skipped": skipped, "balance": balance, "score": score,
            "curve": [list(one) for one in self.curve],
            "confidence": self.learnt.cosine if self.learnt else None,
            "advice": self.trouble or advice(labels, self.curve, self.learnt is not None),
            "between": self.between, "against": self.against, "arrow": self.arrow is not None, "version": self.version,
        }  # fmt: skip

    def _asked(self, question: Question) -> dict[str, Any]:
        """A question as pages know it; model and class are in the address, so that no other one's picture is taken for it."""
        drawn = f"{self.labels.model.whole[:8]}-{self.labels.class_index}"
        urls = [f"/api/teaching/picture/{seed}.jpg?v={drawn}" for seed in question]
        return {"picture": _name(question), "seeds": list(question), "urls": urls}


def _name(pictures: Sequence[int | str]) -> str:
    return "-".join(map(str, pictures))


class Teaching:
    """What a session does about teaching words: one at a time, whoever answers. Every answer is on the disk before the next."""

    def __init__(self, session: Session, directions: Directions, rack: Rack) -> None:
        self.session, self.directions, self.rack = session, directions, rack
        self.kept: Shelf[Labels] = Shelf(session.library, "labels", ".json", Labels.read)
        self.choosing, self.learning, self.measuring = (
            Errand(session, name, "teaching") for name in ("questions", "teaching", "measures")
        )
        self._lesson: Lesson | None = None
        self._lock = threading.RLock()

    def close(self) -> None:
        for errand in (self.measuring, self.choosing, self.learning):
            errand.close()

    @property
    def lesson(self) -> Lesson | None:
        """The word that is being taught the model that plays; None: none is. That of another model waits until it plays again."""
        lesson = self._lesson
        return lesson if lesson is not None and lesson.labels.model == self.session.aside.told else None

    def _at_it(self) -> Lesson:
        lesson = self.lesson
        if lesson is None:
            raise KinesphereError("no word is being taught: begin with one")
        return lesson

    # --- begun and ended ------------------------------------------------------------------------------------------------

    def begin(self, word: str, kind: str) -> None:
        """Begin with a word, or go on with what is known of it for the model that plays. A second or two, the first time."""
        word = " ".join(word.split())
        if not self._at(word):
            self.session.aside.do(lambda workshop: self._begin(workshop, word, kind))
            self._go_on()

    def _begin(self, workshop: Workshop, word: str, kind: str) -> None:
        """Begin with what is known of a word once all is there, whatever others have answered or deleted until then."""
        while not self._at(word):
            known = self._known(word, workshop.told)
            name, labels = known or self._new(workshop, word, kind)
            lesson = _lesson(workshop, name, labels)
            lesson.questions = lesson.choose(AHEAD)
            with self._lock:
                if not self._at(word) and self._known(word, workshop.told) == known:
                    self._lesson = lesson
                    return

    def _new(self, workshop: Workshop, word: str, kind: str) -> tuple[str, Labels]:
        """The file of a word that is new, and that it has no labels yet. Arrows of a word that was forgotten stay by themselves."""
        arrows = {str(one.found.get("lesson")) for _, one in self.directions.kept.all() if isinstance(one, Direction)}
        name = free(plainly(word, "word"), {*self.kept.names, *arrows})
        return name, Labels(word, kind, workshop.told, workshop.class_index)

    def _at(self, word: str) -> bool:
        """Whether a word is being taught now."""
        lesson = self.lesson
        return lesson is not None and lesson.labels.word == word

    def _known(self, word: str, told: Fingerprint) -> tuple[str, Labels] | None:
        """The file of a word of a model, and its labels."""
        return next(((name, one) for name, one in self._all() if one.word == word and one.model == told), None)

    def _all(self) -> list[tuple[str, Labels]]:
        found = [(name, self.kept.known(name)) for name in self.kept.names]
        return [(name, labels) for name, labels in found if isinstance(labels, Labels)]

    def end(self) -> None:
        """No more questions; the labels stay."""
        with self._lock:
            self._at_it()
            self._lesson = None
        self.session.note("teaching")

    def forget(self, word: str) -> None:
        """Delete the labels of a word, those of the model that plays before others."""
        with self._lock:
            known = self._known(word, self.session.aside.told) or next(
                (one for one in self._all() if one[1].word == word), None
            )
            if known is None:
                raise Absent(f"no labels of {word[:64]!r} were kept")
            if self._lesson is not None and self._lesson.name == known[0]:
                raise KinesphereError(f"{word} is being taught: end that first")
            self.kept.forget(known[0])
        self.session.note("teaching")

    # --- answered -------------------------------------------------------------------------------------------------------

    def answer(self, picture: str, value: float | None) -> None:
        """What one of the next pictures is; None: it is skipped. What was answered on another device meanwhile stays as it is."""
        with self._lock:
            lesson = self._at_it()
            question = lesson.unanswered(picture)
            if question is None and picture in lesson.answered:
                return
            if question is None:
                raise KinesphereError(f"picture {picture[:40]} is not asked about now")
            self._take(lesson, lesson.labels.said(question, value, question in lesson.sought))
            lesson.questions = [one for one in lesson.questions if one != question]
        self._go_on()

    def undo(self) -> None:
        """Take the last answer back, and ask again."""
        with self._lock:
            lesson = self._at_it()
            if not lesson.labels.answers:
                raise KinesphereError("nothing was answered yet")
            last = lesson.labels.answers[-1]
            question = tuple(place for place in last.pictures if isinstance(place, int))
            lesson.sought = {*lesson.sought, question} if last.sought else lesson.sought - {question}
            self._take(lesson, lesson.labels.undone())
            lesson.questions = [question, *lesson.questions][:AHEAD] if question else lesson.questions
        self._go_on()

    def measured(self, name: str, count: int) -> None:
        """Label so many pictures by a measure, beside the show: what has more of it than half of them is a yes."""
        of, lesson = measure(name), self._at_it()
        if self.measuring.at_work:
            raise KinesphereError("pictures are being measured already: wait for them")

        def labelled(workshop: Workshop) -> None:
            questions = lesson.choose(count)
            if not questions:
                raise KinesphereError(
                    f"all {len(lesson.seeds)} pictures for {lesson.labels.word} are asked about already"
                )
            values = [[_value(workshop, lesson, of, seed) for seed in question] for question in questions]
            with self._lock:
                labels = lesson.labels
                for question, value in zip(questions, _answers(labels.kind, np.array(values)), strict=True):
                    labels = labels.said(question, value, question in lesson.sought)
                self._take(lesson, labels)
            self._go_on()

        self.measuring.begin(labelled)

    def table(self, data: bytes, name: str) -> dict[str, int]:
        """Take in a table of labels, whose pictures are seeds; how many there are now."""
        lesson, called = self._at_it(), f"{plainly(Path(name).stem, 'labels')}.csv"
        count = sum(1 for line in data.splitlines()[1:] if line.strip())
        if count > MOST:
            raise KinesphereError(f"{called}: {count} labels are too many at once: give up to {MOST}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / called
            path.write_bytes(data)
            added = replace(lesson.labels, answers=()).with_csv(path).answers
            if not all(isinstance(place, int) for answer in added for place in answer.pictures):
                raise KinesphereError(f"{called}: its pictures are files: over the network, give seeds")
            self.session.aside.do(lambda workshop: lesson.fetch(workshop, added))
            with self._lock:
                self._take(lesson, lesson.labels.with_csv(path))
                told = len(lesson.labels.told)
        self._go_on()
        return {"count": told}

    def as_table(self) -> bytes:
        """The answers, as a table."""
        with tempfile.TemporaryDirectory() as folder:
            return self._at_it().labels.write_csv(Path(folder) / "labels.csv").read_bytes()

    def _take(self, lesson: Lesson, labels: Labels) -> None:
        """Keep other answers, while they are still those of the word that is being taught. Hold the lock."""
        if lesson is not self.lesson:
            raise KinesphereError(f"{lesson.labels.word} is not being taught any more: nothing was added to its labels")
        labels.write(self.session.library.path(self.kept.shelf, lesson.name, self.kept.ending))
        lesson.take(labels)

    # --- learnt ---------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        self.choosing.begin(self._choose)
        self.learning.begin(self._study)

    def _choose(self, _: Workshop) -> None:
        """The next questions. Hundredths of a second, in which answers are taken."""
        lesson = self.lesson
        if lesson is None:
            return  # it was ended meanwhile
        found = lesson.choose(AHEAD)
        with self._lock:
            asked = {answer.pictures for answer in lesson.labels.answers}
            stay = lesson.questions[:STAY]
            lesson.questions = [*stay, *(one for one in found if one not in asked and one not in stay)][:AHEAD]

    def _study(self, workshop: Workshop) -> None:
        """Learn from all answers. Tenths of a second."""
        lesson = self.lesson
        if lesson is None:
            return
        labels = lesson.labels
        if labels is not lesson.learnt_of:
            found, learnt = point(labels, lesson.w(labels.answers), lesson.stats)
            with self._lock:
                lesson.learnt, lesson.learnt_of = learnt, labels
                if found is not None:
                    lesson.curve = [*(one for one in lesson.curve if one.labels != found.labels), found]
        self._aim(lesson, workshop)

    def _aim(self, lesson: Lesson, workshop: Workshop) -> None:
        """The arrow of what was learnt, between its two ends, leaving others alone."""
        learnt = lesson.learnt
        if learnt is None:
            lesson.turn(None)
            return
        try:
            with workshop.lock:
                others = [self.directions.find(workshop, of) for of in lesson.against]
            lesson.turn(orthogonal(learnt.direction(lesson.between), others, lesson.stats))
        except KinesphereError as error:
            lesson.turn(None, str(error))

    def lean(self, between: float) -> None:
        """Where the arrow is between what separates, 0, and what belongs, 1."""
        self._at_it().between = between
        self.learning.begin(self._study)

    def leave(self, others: Sequence[str]) -> None:
        """Which directions the arrow is to leave alone."""
        lesson, told = self._at_it(), [*dict.fromkeys(others)]

        def found(workshop: Workshop) -> None:
            for of in told:
                self.directions.find(workshop, of)

        self.session.aside.do(found)
        lesson.against = told
        self.learning.begin(self._study)

    def _arrow(self) -> Direction:
        lesson = self._at_it()
        if lesson.arrow is None:
            raise KinesphereError(f"there is no arrow yet: {lesson.said()['advice']}")
        return lesson.arrow

    def play(self) -> dict[str, str]:
        """Keep the arrow as it is now, beside those that were kept of this lesson before, and put it onto the rack.

        A slider of such an earlier one goes along it from now on; what was saved or recorded with the earlier one has that still.
        """
        lesson, arrow = self._at_it(), self._arrow()
        kept = dict(self._played(lesson))
        of = next((of for of, one in kept.items() if torch.equal(one.vector, arrow.vector)), None)
        if of is None:
            taught = replace(arrow, found={**arrow.found, "lesson": lesson.name})
            of = self.directions.add(plainly(lesson.labels.word, "word"), taught)["of"]
        there = {self.directions.short(along.of): name for name, along in self.rack.there.items()}
        earlier = [name for file, name in there.items() if file in kept]
        return self.rack.put(of) if of in there or not earlier else self.rack.lead(earlier[-1], of)

    def _played(self, lesson: Lesson) -> Iterator[tuple[str, Direction]]:
        """The arrows of a lesson that were put onto the rack, by what asks for them."""
        for of, one in self.directions.kept.all():
            if (
                isinstance(one, Direction)
                and one.model == lesson.labels.model
                and one.found.get("lesson") == lesson.name
            ):
                yield of, one

    def keep(self, name: str) -> dict[str, str]:
        """Keep the arrow as it is now under a name, for good."""
        of = self.directions.kept.add(name, self._arrow())
        self.session.note("rack")
        return {"of": of}

    # --- looked at ------------------------------------------------------------------------------------------------------

    def picture(self, seed: int) -> bytes:
        """A picture that is asked about, a JPEG."""
        lesson = self.lesson

        def drawn(workshop: Workshop) -> bytes:
            label = lesson.labels.class_index if lesson else workshop.class_index
            return jpeg(sized(workshop.of_seed(seed, label), SHOWN), 0.9)

        return self.session.aside.do(drawn)

    def end_of(self, end: str) -> bytes:
        """The model's mean at an end of the newest arrow, "low" or "high", a JPEG. Raises Absent before there is one."""
        lesson = self.lesson
        arrow = None if lesson is None else lesson.shown
        if arrow is None:
            raise Absent("there is no arrow yet")
        amount = REACH if end == "high" else -REACH
        return self.session.aside.do(lambda workshop: jpeg(sized(workshop.moved(arrow, amount, None), END), 0.88))

    def said(self) -> dict[str, Any]:
        told, lesson = self.session.aside.told, self.lesson
        kept = [
            {"word": one.word, "kind": one.kind, "count": len(one.told), "fits": one.model == told}
            for _, one in self._all()
        ]
        at_work = self.learning.at_work or self.measuring.at_work
        return {
            "kept": kept, "kinds": [*KINDS],
            "lesson": None if lesson is None else {**lesson.said(), "learning": at_work},
        }  # fmt: skip


def _lesson(workshop: Workshop, name: str, labels: Labels) -> Lesson:
    """A lesson with its pool of questions. Hold the lock."""
    stats = natural(workshop.G, labels.class_index)
    w = placed(workshop.G, range(POOL), labels.class_index, workshop.told)
    seeds: list[Question] = [(seed,) for seed in range(POOL)]
    if labels.kind == "pairs":
        others = np.random.RandomState(0).permutation(POOL)
        seeds = [(seed, int(other)) for seed, other in enumerate(others) if seed != other]
        pool = torch.stack([torch.stack([w[a], w[b]]) for a, b in seeds])
    else:
        pool = w
    lesson = Lesson(name, labels, stats, pool, seeds, dict(enumerate(w)))
    lesson.fetch(workshop, labels.answers)
    return lesson


def _value(workshop: Workshop, lesson: Lesson, of: Measure, seed: int) -> float:
    with workshop.lock:  # for each by itself: others want to see pictures meanwhile
        return float(of(workshop.of_seed(seed, lesson.labels.class_index)[None])[0])


def _answers(kind: str, values: np.ndarray) -> list[float | None]:
    """What measured numbers [N, 1], of pairs [N, 2], say; what is NaN says nothing."""
    if kind == "pairs":
        said = np.where(np.isnan(values).any(1), np.nan, values[:, 0] < values[:, 1])
    elif kind == "yes-no":
        said = np.where(np.isnan(values), np.nan, values > np.nanmedian(values))[:, 0]
    else:
        said = values[:, 0]
    return [None if np.isnan(value) else float(value) for value in said]
