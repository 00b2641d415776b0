"""What a page may ask for: one small model for each message, checked before anything happens."""

from __future__ import annotations

import json
import logging
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from kinesphere.features.region import WHOLE, checked_region
from kinesphere.patch import BadPatch
from kinesphere.stage import brush
from kinesphere.stage.board import text
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.directions.regions import Painted
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

log = logging.getLogger(__name__)

LARGEST = 256 * 1024  # bytes of a message
SHORT = 400  # bytes that a panic has at most
TURN = 0.2  # seconds that a message which opens something keeps its turn; then the others go on without it
TOLD = 12  # problems of one message that are listed

Text = Annotated[str, Field(max_length=300)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Rows = Annotated[str, Field(max_length=20)]
Stroke = Annotated[list[tuple[Unit, Unit]], Field(min_length=1, max_length=brush.MOST)]
Pixels = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Message(BaseModel):
    """A message; `id` comes back with the answer."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    viewer: ClassVar[bool] = False  # whether one who only looks may send it
    panic: ClassVar[bool] = False  # whether it waits for nothing, not even for what was asked before
    draws: ClassVar[bool] = False  # whether a picture is drawn for it, beside the show

    id: int | Text | None = None

    def act(self, session: Session) -> Any:
        raise NotImplementedError


class Change(Message):
    do: Literal["change"]
    edits: dict[Text, JsonValue] = Field(max_length=512)

    def act(self, session: Session) -> Any:
        return session.change(self.edits)


class Undo(Message):
    do: Literal["undo"]

    def act(self, session: Session) -> Any:
        return session.undo()


class Redo(Message):
    do: Literal["redo"]

    def act(self, session: Session) -> Any:
        return session.redo()


class Play(Message):
    do: Literal["play"]
    patch: Text | None = None
    toml: str | None = None
    model: Text | None = None
    fade: Seconds = 0.0

    def act(self, session: Session) -> Any:
        if self.patch is not None and self.toml is not None:
            raise KinesphereError("play: give a patch by its name or as toml, not both")
        if self.patch is self.toml is self.model is None:
            raise KinesphereError("play: give a patch, toml or a model")
        return session.play(self.patch, self.toml, self.model, self.fade)


class Freeze(Message):
    do: Literal["freeze"]
    panic: ClassVar[bool] = True
    on: bool

    def act(self, session: Session) -> Any:
        return session.freeze(self.on)


class Black(Message):
    do: Literal["black"]
    panic: ClassVar[bool] = True
    on: bool
    seconds: Seconds = 0.0

    def act(self, session: Session) -> Any:
        return session.black(self.on, self.seconds)


class Safe(Message):
    do: Literal["safe"]

    def act(self, session: Session) -> Any:
        return session.safe()


class Snapshot(Message):
    do: Literal["snapshot"]
    name: Text = ""

    def act(self, session: Session) -> Any:
        return session.snapshot(self.name)


class Recall(Message):
    do: Literal["recall"]
    look: Text
    seconds: Seconds = 0.0
    easing: Text = "smoothstep"

    def act(self, session: Session) -> Any:
        return session.recall(self.look, self.seconds, self.easing)


class Rename(Message):
    do: Literal["rename"]
    look: Text
    name: Text

    def act(self, session: Session) -> Any:
        return session.rename(self.look, self.name)


class Forget(Message):
    do: Literal["forget"]
    look: Text

    def act(self, session: Session) -> Any:
        return session.forget(self.look)


class SetSafe(Message):
    do: Literal["set_safe"]
    look: Text

    def act(self, session: Session) -> Any:
        return session.set_safe(self.look)


class Rewind(Message):
    do: Literal["rewind"]
    seconds: Seconds

    def act(self, session: Session) -> Any:
        return session.rewind(self.seconds)


class Point(BaseModel):
    """Where a look lies on the pad."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    id: Text
    x: Unit
    y: Unit


class Pad(Message):
    do: Literal["pad"]
    points: list[Point] = Field(min_length=1, max_length=32)
    at: tuple[Unit, Unit]

    def act(self, session: Session) -> Any:
        return session.pad([(point.id, point.x, point.y) for point in self.points], self.at)


class CueLine(BaseModel):
    """One line of the cue list."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    id: Text
    seconds: Seconds = 0.0
    easing: Text = "smoothstep"
    note: Text = ""


class Cues(Message):
    do: Literal["cues"]
    lines: list[CueLine] = Field(alias="list", max_length=256)

    def act(self, session: Session) -> Any:
        return session.set_cues([line.model_dump() for line in self.lines])


class Cue(Message):
    do: Literal["cue"]
    to: Literal["next", "previous"] | Annotated[int, Field(ge=0, lt=256)]

    def act(self, session: Session) -> Any:
        return session.cue(self.to)


class Learn(Message):
    do: Literal["learn"]
    place: Text

    def act(self, session: Session) -> Any:
        return session.learn(self.place)


class LearnStop(Message):
    do: Literal["learn_stop"]

    def act(self, session: Session) -> Any:
        return session.learn_stop()


class Calibrate(Message):
    do: Literal["calibrate"]
    place: Text

    def act(self, session: Session) -> Any:
        return session.calibrate(self.place)


class CalibrateStop(Message):
    do: Literal["calibrate_stop"]
    place: Text

    def act(self, session: Session) -> Any:
        return session.calibrate_stop(self.place)


class ShowBegin(Message):
    do: Literal["show_begin"]
    features: list[Text] = Field(min_length=1, max_length=64)

    def act(self, session: Session) -> Any:
        return session.teach(lambda teacher: teacher.begin(self.features))


class ShowHold(Message):
    do: Literal["show_hold"]
    look: Text | None = None

    def act(self, session: Session) -> Any:
        return session.teach(lambda teacher: teacher.hold(self.look))


class ShowUndo(Message):
    do: Literal["show_undo"]
    example: Annotated[int, Field(ge=0, lt=256)] | None = None

    def act(self, session: Session) -> Any:
        return session.teach(lambda teacher: teacher.undo(self.example))


class ShowPlay(Message):
    do: Literal["show_play"]
    on: bool

    def act(self, session: Session) -> Any:
        return session.teach(lambda teacher: teacher.play(self.on))


class ShowClear(Message):
    do: Literal["show_clear"]

    def act(self, session: Session) -> Any:
        return session.teach(lambda teacher: teacher.clear())


class Record(Message):
    do: Literal["record"]
    on: bool
    video: bool = False
    source: bool = False

    def act(self, session: Session) -> Any:
        return session.record(self.on, self.video, self.source)


class Replay(Message):
    do: Literal["replay"]
    take: Text

    def act(self, session: Session) -> Any:
        return session.replay(self.take)


class ReplayStop(Message):
    do: Literal["replay_stop"]

    def act(self, session: Session) -> Any:
        return session.replay_stop()


class SavePatch(Message):
    do: Literal["save_patch"]
    name: Text

    def act(self, session: Session) -> Any:
        return session.save_patch(self.name)


class Ping(Message):
    do: Literal["ping"]
    viewer: ClassVar[bool] = True
    t: float | int | None = Field(None, allow_inf_nan=False)

    def act(self, session: Session) -> Any:
        return {"t": self.t}


class SeedDice(Message):
    do: Literal["seed_dice"]

    def act(self, session: Session) -> Any:
        return session.seed_dice()


class Favourite(Message):
    do: Literal["favourite"]
    seed: Seed
    on: bool

    def act(self, session: Session) -> Any:
        return session.favourite(self.seed, self.on)


class Square(BaseModel):
    """A square in the picture that was brought, as `alignment.Similarity`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    x: Pixels
    y: Pixels
    size: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    angle: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)] = 0.0


class Project(Message):
    do: Literal["project"]
    square: Square
    effort: Text = "quick"
    faithful: Unit = 0.5

    def act(self, session: Session) -> Any:
        return session.own.project(Similarity(**self.square.model_dump()), self.effort, self.faithful)


class ProjectStop(Message):
    do: Literal["project_stop"]

    def act(self, session: Session) -> Any:
        return session.own.stop()


class KeepFound(Message):
    do: Literal["keep_found"]
    name: Text

    def act(self, session: Session) -> Any:
        return session.own.keep(self.name)


class KeepMoment(Message):
    do: Literal["keep_moment"]
    draws: ClassVar[bool] = True
    name: Text = ""

    def act(self, session: Session) -> Any:
        return session.own.keep_moment(self.name)


class Mix(Message):
    do: Literal["mix"]
    draws: ClassVar[bool] = True
    latents: tuple[Text, Text]
    t: Unit = 0.5
    name: Text = ""

    def act(self, session: Session) -> Any:
        return session.own.mix(*self.latents, self.t, self.name)


class PlayLatent(Message):
    do: Literal["play_latent"]
    latent: Text | None
    seconds: Seconds = 0.0
    easing: Text = "smoothstep"

    def act(self, session: Session) -> Any:
        return session.own.play(self.latent, self.seconds, self.easing)


class Centres(Message):
    do: Literal["centres"]

    def act(self, session: Session) -> Any:
        return session.own.seek_centres()


class PlayCentre(Message):
    do: Literal["play_centre"]
    draws: ClassVar[bool] = True
    centre: Annotated[int, Field(ge=0, lt=1024)]
    seconds: Seconds = 0.0
    easing: Text = "smoothstep"

    def act(self, session: Session) -> Any:
        return session.own.play_centre(self.centre, self.seconds, self.easing)


class Offer(Message):
    do: Literal["offer"]

    def act(self, session: Session) -> Any:
        return session.directions.look_through()


class PutDirection(Message):
    do: Literal["put_direction"]
    draws: ClassVar[bool] = True
    of: Text
    rows: Rows = ""
    name: Text = ""

    def act(self, session: Session) -> Any:
        return session.rack.put(self.of, self.rows, self.name)


class Surprise(Message):
    do: Literal["surprise"]
    draws: ClassVar[bool] = True
    among: Annotated[int, Field(ge=1, le=4096)] = 16

    def act(self, session: Session) -> Any:
        return session.rack.surprise(self.among)


class Scatter(Message):
    do: Literal["scatter"]

    def act(self, session: Session) -> Any:
        return session.rack.scatter()


class Rest(Message):
    do: Literal["rest"]

    def act(self, session: Session) -> Any:
        return session.rack.rest()


class Opposite(Message):
    do: Literal["opposite"]
    draws: ClassVar[bool] = True
    direction: Text

    def act(self, session: Session) -> Any:
        return session.rack.opposite(self.direction)


class StarDirection(Message):
    do: Literal["star_direction"]
    of: Text
    rows: Rows = ""
    on: bool

    def act(self, session: Session) -> Any:
        return session.directions.star(self.of, self.rows, self.on)


class KeepDirection(Message):
    do: Literal["keep_direction"]
    draws: ClassVar[bool] = True
    of: Text
    rows: Rows = ""
    name: Text

    def act(self, session: Session) -> Any:
        return session.directions.keep(self.of, self.rows, self.name)


class RenameDirection(Message):
    do: Literal["rename_direction"]
    of: Text
    name: Text

    def act(self, session: Session) -> Any:
        return session.directions.rename(self.of, self.name)


class ForgetDirection(Message):
    do: Literal["forget_direction"]
    of: Text

    def act(self, session: Session) -> Any:
        return session.directions.forget(self.of)


class Here(Message):
    do: Literal["here"]
    region: tuple[Unit, Unit, Unit, Unit] | None = None
    strokes: list[Stroke] | None = Field(None, min_length=1, max_length=64)
    width: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.1
    rows: Rows = "all"
    outside: bool = True

    def act(self, session: Session) -> Any:
        return session.directions.seek(self._painted(session), self.rows, self.outside)

    def _painted(self, session: Session) -> Painted:
        if self.strokes is None:
            return WHOLE if self.region is None else checked_region(self.region)
        if self.region is not None:
            raise KinesphereError("here: give a region or strokes, not both")
        return brush.mask(self.strokes, self.width, session.performance.engine.G.img_resolution)


class TeachBegin(Message):
    do: Literal["teach_begin"]
    draws: ClassVar[bool] = True
    word: Text = Field(min_length=1)
    kind: Text = "yes-no"

    def act(self, session: Session) -> Any:
        return session.teaching.begin(self.word, self.kind)


class TeachAnswer(Message):
    do: Literal["teach_answer"]
    picture: Text
    value: float | int | None = Field(None, allow_inf_nan=False)

    def act(self, session: Session) -> Any:
        return session.teaching.answer(self.picture, self.value)


class TeachUndo(Message):
    do: Literal["teach_undo"]

    def act(self, session: Session) -> Any:
        return session.teaching.undo()


class TeachBetween(Message):
    do: Literal["teach_between"]
    between: Unit

    def act(self, session: Session) -> Any:
        return session.teaching.lean(self.between)


class TeachAgainst(Message):
    do: Literal["teach_against"]
    draws: ClassVar[bool] = True
    against: list[Text] = Field(max_length=32)

    def act(self, session: Session) -> Any:
        return session.teaching.leave(self.against)


class TeachAuto(Message):
    do: Literal["teach_auto"]
    measure: Text
    count: Annotated[int, Field(ge=1, le=400)] = 64

    def act(self, session: Session) -> Any:
        return session.teaching.measured(self.measure, self.count)


class TeachPlay(Message):
    do: Literal["teach_play"]
    draws: ClassVar[bool] = True

    def act(self, session: Session) -> Any:
        return session.teaching.play()


class TeachKeep(Message):
    do: Literal["teach_keep"]
    name: Text

    def act(self, session: Session) -> Any:
        return session.teaching.keep(self.name)


class TeachEnd(Message):
    do: Literal["teach_end"]

    def act(self, session: Session) -> Any:
        return session.teaching.end()


class TeachForget(Message):
    do: Literal["teach_forget"]
    word: Text

    def act(self, session: Session) -> Any:
        return session.teaching.forget(self.word)


Known = Annotated[
    Change | Undo | Redo | Play | Freeze | Black | Safe | Snapshot | Recall | Rename | Forget | SetSafe | Rewind | Pad | Cues
    | Cue | Learn | LearnStop | Calibrate | CalibrateStop | ShowBegin | ShowHold | ShowUndo | ShowPlay | ShowClear
    | Record | Replay | ReplayStop | SavePatch | Ping | SeedDice | Favourite | Project | ProjectStop | KeepFound | KeepMoment
    | Mix | PlayLatent | Centres | PlayCentre | Offer | PutDirection | Surprise | Scatter | Rest | Opposite | StarDirection
    | KeepDirection | RenameDirection | ForgetDirection | Here | TeachBegin | TeachAnswer | TeachUndo | TeachBetween
    | TeachAgainst | TeachAuto | TeachPlay | TeachKeep | TeachEnd | TeachForget,
    Field(discriminator="do"),
]  # fmt: skip
MESSAGE: TypeAdapter[Message] = TypeAdapter(Known)


class Refused(KinesphereError):
    """A message that is not obeyed. `problems` says why; `id` is the message's, where it could be read."""

    def __init__(self, problems: list[str], id: int | str | None = None) -> None:
        self.problems, self.id = problems, id
        super().__init__("; ".join(problems))


def read(data: str | bytes) -> Message:
    """A message from its JSON. Raises Refused with everything that is wrong with it."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > LARGEST:
        raise Refused([f"the message has {len(raw)} bytes; {LARGEST} are the limit"])
    try:
        return MESSAGE.validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
    raise Refused([_explain(e) for e in found[:TOLD]], _id(raw))


def _explain(error: Any) -> str:
    kind, loc = error["type"], [str(part) for part in error["loc"]]
    if kind == "json_invalid":
        return f"the message is not JSON: {error['msg'].removeprefix('Invalid JSON: ')[:200]}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"do: no such thing; there are {', '.join(DOINGS)}"
    where = ".".join(loc)[:200] or "the message"
    return f"{where}: {error['msg'][:200]}"


DOINGS = tuple(
    sorted(kind.model_fields["do"].annotation.__args__[0] for kind in Message.__subclasses__())  # type: ignore[union-attr]
)


def _id(raw: bytes) -> int | str | None:
    """The id of a message that is otherwise wrong, so that the page knows which one it was."""
    try:
        given = json.loads(raw)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return given if isinstance(given, int | str) and not isinstance(given, bool) and len(str(given)) <= 300 else None


class Hands:
    """Do what messages ask, beside the network: one after the other, in their order.

    Only a panic never waits behind another; and what opens a feature, finds centres or a direction, or draws does not hold up the
    rest for longer than its TURN.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.usual, self.other = ThreadPoolExecutor(1, "control"), ThreadPoolExecutor(1, "panic")
        self.opening = ThreadPoolExecutor(1, "open")

    def obey(self, data: str | bytes, player: bool) -> Future[str]:
        """Its answer, as JSON. At once; nothing is raised."""
        if len(data) <= SHORT and _panics(data):
            return self.other.submit(self._obey, data, player)
        answer: Future[str] = Future()
        turn = self.usual.submit(self._take_turn, data, player, answer)
        turn.add_done_callback(lambda turn: answer.cancel() if turn.cancelled() or turn.exception() else None)
        return answer

    def _obey(self, data: str | bytes, player: bool) -> str:
        return text(obey(self.session, data, player))

    def _take_turn(self, data: str | bytes, player: bool, answer: Future[str]) -> None:
        if not self._opens(data):
            _give(answer, self._obey(data, player))
            return
        opened = self.opening.submit(self._obey, data, player)
        opened.add_done_callback(lambda opened: _pass_on(answer, opened))
        wait([opened], TURN)

    def _opens(self, data: str | bytes) -> bool:
        """Whether something may have to be opened, found or drawn for it, which may take its time."""
        try:
            message = read(data)
        except Refused:
            return False
        if isinstance(message, Change):
            return self.session.opens(message.edits)
        return message.draws or isinstance(message, Play | Undo | Redo)

    def close(self) -> None:
        for hand in (self.usual, self.other, self.opening):
            hand.shutdown(wait=False, cancel_futures=True)


def _pass_on(answer: Future[str], given: Future[str]) -> None:
    if given.cancelled():
        answer.cancel()
    else:
        _give(answer, given.result())


def _give(answer: Future[str], words: str) -> None:
    if answer.set_running_or_notify_cancel():  # somebody may have gone without waiting for it
        answer.set_result(words)


def _panics(data: str | bytes) -> bool:
    try:
        return read(data).panic
    except Refused:
        return False


def obey(session: Session, data: str | bytes, player: bool) -> dict[str, Any]:
    """Read a message, do it, and say how it went: the answer. Whatever comes, nothing is raised."""
    asked: int | str | None = None
    try:
        message = read(data)
        asked = message.id
        if not player and not message.viewer:
            raise Refused(["this is the viewers' address, which shows the picture; playing needs the player's"])
        return {"is": "done", "id": asked, "result": message.act(session)}
    except Refused as error:
        return {"is": "refused", "id": asked if asked is not None else error.id, "problems": error.problems}
    except BadPatch as error:
        return {"is": "refused", "id": asked, "problems": [problem[:400] for problem in error.problems[:TOLD]]}
    except KinesphereError as error:
        return {"is": "refused", "id": asked, "problems": [str(error)[:1000]]}
    except OSError as error:
        return {"is": "refused", "id": asked, "problems": [f"the disk refused: {error.strerror or error}"[:300]]}
    except Exception as error:  # a fault of ours; the page is told, and everything goes on
        log.exception("a message could not be obeyed")
        return {"is": "refused", "id": asked, "problems": [f"that went wrong inside: {type(error).__name__}"]}
