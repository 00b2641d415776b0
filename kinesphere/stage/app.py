"""The doors of the stage: its pages, its sockets, and what can be asked for over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import FastAPI, Query, Request, WebSocket
from fastapi import Path as PathOf
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from kinesphere import __version__, patch
from kinesphere.latent import LAST_SEED
from kinesphere.patch import BadPatch
from kinesphere.sources import Page, PageSound
from kinesphere.stage import control, directions, library, own, teaching
from kinesphere.stage.board import Outbox, plain, text
from kinesphere.stage.pictures import ASKED, MOST, Seen, Slots, Viewer, jpeg, sized
from kinesphere.stage.security import Door, Guard
from kinesphere.stage.session import Session
from kinesphere.stage.upward import heard_block, seen_picture
from kinesphere.types import KinesphereError

STATIC = Path(str(resources.files("kinesphere.stage"))) / "static"
PAGES = {"/": "index.html", "/show": "show.html", "/pad": "pad.html"}
VIEWED = ("performance", "model")  # parts of the state that a viewer is told
KEPT_AN_HOUR = {"cache-control": "private, max-age=3600"}
UNDER_WAY = 32  # messages of one page that wait to be obeyed
UNBUILT = (
    "<!doctype html><meta charset=utf-8><title>Kinesphere</title><p>The stage is running, but its page was not built. "
    "In the repository: <code>make page</code>."
)


def app(session: Session, door: Door | None = None, largest: int = library.LARGEST_MODEL) -> FastAPI:
    """The stage of a session. `largest`: bytes of a model that may be handed in."""
    door = door or Door()
    hands = control.Hands(session)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        hands.close()

    stage = FastAPI(
        title="Kinesphere's stage", version=__version__, lifespan=life, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json",
    )  # fmt: skip
    stage.add_middleware(Guard, door=door)
    _add_refusals(stage)
    _add_pages(stage)
    _add_sockets(stage, session, hands)
    _add_patches(stage, session)
    _add_models(stage, session, largest)
    _add_takes(stage, session)
    _add_own(stage, session)
    _add_latents(stage, session)
    _add_directions(stage, session)
    _add_teaching(stage, session)
    _add_state(stage, session, door, hands)
    return stage


# Refusals, in words -----------------------------------------------------------------------------------------------------


def _problems(status: int, *problems: str) -> JSONResponse:
    return JSONResponse({"problems": [problem[:1000] for problem in problems]}, status)


def _add_refusals(stage: FastAPI) -> None:
    @stage.exception_handler(KinesphereError)
    async def refused(_: Request, error: KinesphereError) -> JSONResponse:
        if isinstance(error, library.TooLarge):
            return _problems(413, str(error))
        if isinstance(error, library.Absent):
            return _problems(404, str(error))
        return _problems(422, *(error.problems if isinstance(error, BadPatch) else [str(error)]))

    @stage.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        return _problems(422, *(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:12]))

    @stage.exception_handler(OSError)
    async def disk(_: Request, error: OSError) -> JSONResponse:
        return _problems(507, f"the disk refused: {error.strerror or 'no reason given'}")


# Pages ------------------------------------------------------------------------------------------------------------------


def _add_pages(stage: FastAPI) -> None:
    for path, name in PAGES.items():

        def page(name: str = name) -> Response:
            file = STATIC / name
            return (
                FileResponse(file, headers={"cache-control": "no-cache"}) if file.is_file() else HTMLResponse(UNBUILT)
            )

        stage.add_api_route(path, page, include_in_schema=False)
    stage.mount("/assets", StaticFiles(directory=STATIC / "assets", check_dir=False), name="assets")


# Sockets ----------------------------------------------------------------------------------------------------------------


def _add_sockets(stage: FastAPI, session: Session, hands: control.Hands) -> None:
    @stage.websocket("/ws/control")
    async def controls(socket: WebSocket) -> None:
        await socket.accept()
        player = socket.scope["role"] == "player"
        page = Outbox(session.board, asyncio.get_running_loop(), () if player else VIEWED)
        room = asyncio.Semaphore(UNDER_WAY)
        page.say({"is": "hello", "role": socket.scope["role"], "version": __version__})
        session.join(page)

        async def hear() -> None:
            while True:
                data = await _message(socket)
                await room.acquire()
                asyncio.wrap_future(hands.obey(data, player)).add_done_callback(answered)
                while page.crowded:  # who does not read is not listened to either
                    await asyncio.sleep(0.02)

        def answered(answer: asyncio.Future[str]) -> None:
            room.release()
            if not answer.cancelled():
                page.say(answer.result())

        async def tell() -> None:
            while True:
                for message in await page.next():
                    await socket.send_text(message)

        try:
            await _both(hear(), tell())
        finally:
            session.leave(page)

    @stage.websocket("/ws/pictures")
    async def pictures(socket: WebSocket) -> None:
        await socket.accept()
        player = socket.scope["role"] == "player"
        slots = Slots(asyncio.get_running_loop())
        viewer: Viewer | None = None
        written = 0

        async def hear() -> None:
            nonlocal viewer
            while True:
                data = await _message(socket)
                view = ASKED.validate_json(data)
                if isinstance(view, Seen):
                    if viewer is not None:
                        session.gallery.seen(viewer, written)
                    continue
                if not player and view.view != "picture":
                    raise KinesphereError("a viewer sees the picture only")
                if viewer is None:
                    viewer = Viewer(view, slots.put)
                    session.gallery.join(viewer)
                else:
                    session.gallery.change(viewer, view)

        async def tell() -> None:
            nonlocal written
            while True:
                message = await slots.get()
                written += 1
                await socket.send_bytes(message)

        try:
            await _both(hear(), tell())
        except (ValidationError, KinesphereError) as error:
            await _part(socket, error)
        finally:
            if viewer is not None:
                session.gallery.leave(viewer)

    @stage.websocket("/ws/source/{name}")
    async def source(socket: WebSocket, name: str) -> None:
        await socket.accept()
        count = 0
        try:
            while True:
                data = await _message(socket)
                page = session.performance.patch.sources.get(name)
                if not isinstance(page, Page | PageSound):
                    raise KinesphereError(f"the patch has no source {name[:80]!r} of the kind page or page_sound")
                await anyio.to_thread.run_sync(_push, page, data)
                count += 1
                await socket.send_text(f'{{"seen":{count}}}')
        except KinesphereError as error:
            await _part(socket, error)
        except (WebSocketDisconnect, RuntimeError):
            pass


def _push(page: Page | PageSound, data: str | bytes) -> None:
    if isinstance(page, PageSound):
        page.push(*heard_block(data))
    else:
        page.push(seen_picture(data))


async def _message(socket: WebSocket) -> str | bytes:
    """The next message, text or bytes. Raises WebSocketDisconnect."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    data = message.get("text")
    return data if data is not None else message["bytes"]


async def _both(hearing: Any, telling: Any) -> None:
    """Hear and tell at once, until one of them ends; a socket that closes ends both quietly."""
    tasks = [asyncio.ensure_future(hearing), asyncio.ensure_future(telling)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect | RuntimeError):
            raise error


async def _part(socket: WebSocket, error: Exception) -> None:
    """Say why, and close."""
    words = "; ".join(e["msg"] for e in error.errors()) if isinstance(error, ValidationError) else str(error)
    with suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(text({"is": "refused", "problems": [words[:400]]}))
        await socket.close(1008, words.encode()[:120].decode(errors="ignore"))


# REST -------------------------------------------------------------------------------------------------------------------


async def _body(request: Request, most: int, what: str) -> bytes:
    """The body of a request. Raises TooLarge as soon as it is longer than `most` bytes."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise library.TooLarge(f"{what} has more than {most} bytes, the limit")
    return bytes(data)


def _add_patches(stage: FastAPI, session: Session) -> None:
    shelf = session.library

    @stage.get("/api/patches", tags=["patches"])
    def patches() -> list[dict[str, Any]]:
        """Every patch that can be played by its name."""
        return shelf.patches()

    @stage.get("/api/patches/{name}", response_class=PlainTextResponse, tags=["patches"])
    def read_patch(name: str) -> PlainTextResponse:
        """A patch, as TOML."""
        return PlainTextResponse(shelf.patch_text(name), media_type="application/toml")

    @stage.put("/api/patches/{name}", status_code=201, tags=["patches"])
    async def keep_patch(name: str, request: Request) -> dict[str, str]:
        """Keep a patch, given as TOML in the body; one of the same name is replaced."""
        data = await _body(request, library.LARGEST_PATCH, "the patch")
        await anyio.to_thread.run_sync(_keep_patch, session, name, data)
        return {"name": name}

    @stage.delete("/api/patches/{name}", status_code=204, tags=["patches"])
    def forget_patch(name: str) -> None:
        """Delete a patch of the library."""
        session.forget_file("patches", name)


def _keep_patch(session: Session, name: str, data: bytes) -> None:
    library.plain(name)
    try:
        words = data.decode("utf-8")
    except UnicodeDecodeError:
        raise KinesphereError("a patch is a TOML file in UTF-8, and this is none") from None
    session.library.keep_patch(name, session.library.within(patch.parse(words, f"the patch {name}")))
    session.note("library")


def _add_models(stage: FastAPI, session: Session, largest: int) -> None:
    busy = asyncio.Lock()

    @stage.get("/api/models", tags=["models"])
    def models() -> list[dict[str, Any]]:
        """Every model that can be played by its name."""
        return session.library.models()

    @stage.post("/api/models", status_code=201, tags=["models"])
    async def keep_model(request: Request, name: Annotated[str, Query(max_length=100)], replace: bool = False) -> Any:
        """Hand in a checkpoint: the file itself is the body. It is read by the safe loader before it gets its name; its card."""
        if busy.locked():
            return _problems(409, "another model is being handed in: wait for it")
        async with busy:
            card = await session.library.receive(name, request.stream(), largest, replace)
        session.note("library")
        return {"name": name, "card": plain(card)}

    @stage.delete("/api/models/{name}", status_code=204, tags=["models"])
    def forget_model(name: str) -> None:
        """Delete a model of the library."""
        session.forget_file("models", name)


def _add_takes(stage: FastAPI, session: Session) -> None:
    @stage.get("/api/takes", tags=["takes"])
    def takes() -> list[dict[str, Any]]:
        """Every take, with its length in seconds."""
        return session.recording.takes()

    @stage.get("/api/takes/{name}", response_class=FileResponse, tags=["takes"])
    def take(name: str) -> FileResponse:
        """A take, as an mcap file."""
        path = session.library.existing("takes", name, ".mcap")
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    @stage.delete("/api/takes/{name}", status_code=204, tags=["takes"])
    def forget_take(name: str) -> None:
        """Delete a take."""
        session.forget_file("takes", name)


class Face(BaseModel):
    """The two eyes and the two corners of the mouth, in pixels of the picture; None: they are sought."""

    points: list[tuple[control.Pixels, control.Pixels]] | None = Field(None, min_length=4, max_length=4)


def _add_own(stage: FastAPI, session: Session) -> None:
    mine = session.own

    @stage.post("/api/own", status_code=201, tags=["own"])
    async def bring(request: Request, name: Annotated[str, Query(max_length=300)] = "") -> dict[str, Any]:
        """Bring a picture of one's own: the file itself is the body; its size, and the square to begin with."""
        data = await _body(request, own.LARGEST, "the picture")
        return await anyio.to_thread.run_sync(mine.bring, data, name)

    @stage.post("/api/own/square", tags=["own"])
    def square(face: Face) -> dict[str, float]:
        """Where to look in the picture that was brought, by the eyes and the mouth of a face in it."""
        return mine.square(face.points)

    @stage.post("/api/own/place", tags=["own"])
    def place() -> dict[str, float]:
        """Where the model finds itself in the picture that was brought: a square, found in seconds."""
        return mine.sought()

    @stage.get("/api/own/picture.jpg", response_class=Response, tags=["own"])
    def brought() -> Response:
        """The picture that was brought."""
        return _fresh(mine.shown())

    @stage.get("/api/own/mean.jpg", response_class=Response, tags=["own"])
    def mean() -> Response:
        """The average picture of the model that plays."""
        return _fresh(mine.mean())

    @stage.get("/api/own/{view}.jpg", response_class=Response, tags=["own"])
    def view(view: Annotated[str, PathOf(pattern=f"^({'|'.join(own.VIEWS)})$")]) -> Response:
        """What is being looked for, what is found so far, and how they differ."""
        return _fresh(mine.view(view))

    @stage.get("/api/centres/{number}.jpg", response_class=Response, tags=["own"])
    def centre(number: int) -> Response:
        """A centre of the model, counted from 0."""
        return _fresh(mine.centre(number))


def _fresh(picture: bytes) -> Response:
    """A JPEG that is another one the next time."""
    return Response(picture, media_type="image/jpeg", headers={"cache-control": "no-store"})


def _add_latents(stage: FastAPI, session: Session) -> None:
    kept = session.own.kept

    @stage.get("/api/latents", tags=["latents"])
    def latents() -> list[dict[str, Any]]:
        """Every latent that was kept, with where it came from."""
        return session.own.latents()

    @stage.get("/api/latents/{name}", response_class=FileResponse, tags=["latents"])
    def latent(name: str) -> FileResponse:
        """A latent, as a .safetensors file."""
        path = kept.path(name)
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    @stage.get("/api/latents/{name}/picture.jpg", response_class=FileResponse, tags=["latents"])
    def picture(name: str) -> FileResponse:
        """How a latent looks."""
        return FileResponse(kept.picture(name), media_type="image/jpeg")

    @stage.delete("/api/latents/{name}", status_code=204, tags=["latents"])
    def forget_latent(name: str) -> None:
        """Delete a latent."""
        session.own.forget(name)


def _add_directions(stage: FastAPI, session: Session) -> None:
    here = session.directions

    @stage.get("/api/directions", tags=["directions"])
    def offered() -> list[dict[str, Any]]:
        """Every direction that can be put on the rack."""
        offered: list[dict[str, Any]] = plain(here.said()["offered"])
        return offered

    @stage.get("/api/directions/end.jpg", response_class=Response, tags=["directions"])
    def end(
        of: control.Text,
        end: Annotated[str, Query(pattern="^(low|high)$")],
        rows: control.Rows = "",
        seed: control.Seed | None = None,
        amount: Annotated[float, Query(ge=0, le=60, allow_inf_nan=False)] = 3.0,
        most: Annotated[int, Query(ge=16, le=1024)] = 256,
    ) -> Response:
        """How an end of a slider looks, so many sigma from the model's mean, or from a seed."""
        drawn = here.end(of, rows, amount if end == "high" else -amount, seed, most)
        return Response(drawn, media_type="image/jpeg", headers=KEPT_AN_HOUR)

    @stage.post("/api/directions", status_code=201, tags=["directions"])
    async def bring_directions(request: Request, name: Annotated[str, Query(max_length=300)]) -> dict[str, Any]:
        """Bring a file of directions of any kind that is shared: the file itself is the body."""
        data = await _body(request, directions.LARGEST, "the file")
        return await anyio.to_thread.run_sync(here.bring, data, name)

    @stage.get("/api/directions/files/{name}", response_class=FileResponse, tags=["directions"])
    def direction(name: str) -> FileResponse:
        """A direction that was kept, as a .safetensors file."""
        path = here.kept.path(name)
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    @stage.delete("/api/directions/files/{name}", status_code=204, tags=["directions"])
    def forget_direction(name: str) -> None:
        """Delete a direction that was kept."""
        here.forget(f"{name}{here.kept.ending}")


def _add_teaching(stage: FastAPI, session: Session) -> None:
    taught = session.teaching

    @stage.get("/api/teaching/picture/{seed}.jpg", response_class=Response, tags=["teaching"])
    def asked(seed: Annotated[int, PathOf(ge=0, le=LAST_SEED)]) -> Response:
        """A picture to label."""
        return Response(taught.picture(seed), media_type="image/jpeg", headers=KEPT_AN_HOUR)

    @stage.get("/api/teaching/end.jpg", response_class=Response, tags=["teaching"])
    def end(end: Annotated[str, Query(pattern="^(low|high)$")]) -> Response:
        """How an end of what has been learnt so far looks."""
        return _fresh(taught.end_of(end))

    @stage.get("/api/teaching/labels.csv", response_class=Response, tags=["teaching"])
    def labels() -> Response:
        """What has been answered, as a table."""
        return Response(taught.as_table(), media_type="text/csv", headers={"cache-control": "no-store"})

    @stage.post("/api/teaching/labels", status_code=201, tags=["teaching"])
    async def bring_labels(request: Request, name: Annotated[str, Query(max_length=300)] = "") -> dict[str, int]:
        """Answers from a table, added to those of the word that is being taught."""
        data = await _body(request, teaching.LARGEST, "the table")
        return await anyio.to_thread.run_sync(taught.table, data, name)


def _add_state(stage: FastAPI, session: Session, door: Door, hands: control.Hands) -> None:
    @stage.get("/api/status", tags=["stage"])
    def status() -> dict[str, Any]:
        """How it goes, now: the meters."""
        return plain({key: value for key, value in session.meters().items() if key != "is"})

    @stage.get("/api/picture.jpg", response_class=Response, tags=["stage"])
    def picture(
        most: Annotated[int, Query(ge=0, le=MOST)] = 0, quality: Annotated[float, Query(ge=0.05, le=1)] = 0.9
    ) -> Response:
        """What is shown now, at most `most` pixels long (0: as it is)."""
        return _fresh(jpeg(sized(session.picture().pixels, most), quality))

    @stage.get("/api/snapshots/{id}.jpg", response_class=Response, tags=["stage"])
    def thumbnail(id: str) -> Response:
        """How a snapshot looks."""
        return Response(session.thumbnail(id), media_type="image/jpeg")

    @stage.get("/api/qr.svg", response_class=Response, tags=["stage"])
    def qr(page: Annotated[str, Query(alias="for", pattern="^(player|pad|show)$")] = "pad") -> Response:
        """A code that a phone opens the pad (or another page) with."""
        return Response(qr_code(door, page), media_type="image/svg+xml", headers={"cache-control": "no-store"})

    @stage.post("/api/control", tags=["stage"])
    async def one_message(request: Request) -> Any:
        """One message of the control socket, for other programs: {"do": ...}. 200 with "done", or 422 with "refused"."""
        try:
            data = await _body(request, control.LARGEST, "the message")
        except library.TooLarge as error:
            return JSONResponse({"is": "refused", "id": None, "problems": [str(error)]}, 413)
        answer: str = await asyncio.wrap_future(hands.obey(data, True))
        whole = json.loads(answer)
        return JSONResponse(whole, 200 if whole["is"] == "done" else 422)


def qr_code(door: Door, page: str = "pad") -> bytes:
    """The address of a page as an SVG."""
    import io

    import segno

    address = door.address("" if page == "player" else page, "viewer" if page == "show" else "player")
    out = io.BytesIO()
    segno.make(address, error="m").save(out, kind="svg", scale=8, border=2, dark="#000", light="#fff")
    return out.getvalue()
