"""Pictures of the player's own: brought, laid under a square, found in the model, kept, mixed, and played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kinesphere import places
from kinesphere.models import Generator
from kinesphere.patch import Place
from kinesphere.routes import Route
from kinesphere.stage.kept import THUMBNAIL, KeptLatents, place_of, plainly
from kinesphere.stage.library import Absent
from kinesphere.stage.pictures import jpeg, sized
from kinesphere.stage.showing import seen
from kinesphere.stage.sitting import Sitting
from kinesphere.stage.workshop import CLOSING, Errand, Workshop
from kinesphere.studio import alignment, blending
from kinesphere.studio.albums import WHITE
from kinesphere.studio.alignment import Similarity
from kinesphere.studio.efforts import EFFORTS
from kinesphere.studio.latents import Latent
from kinesphere.studio.squares import Unreadable, decoded, over
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

LARGEST = 64 * 2**20  # bytes of a picture that is brought
SIDE = 4096  # pixels of its longer side; a larger one is shrunk
SHOWN = 1280  # pixels of the longer side that pages see
VIEWS = ("goal", "found", "difference")


@dataclass(frozen=True)
class Brought:
    """A picture that was brought."""

    pixels: np.ndarray  # [H, W, 3] uint8
    name: str
    number: int  # the how-manyth it was

    def said(self) -> dict[str, Any]:
        height, width = self.pixels.shape[:2]
        return {
            "name": self.name, "number": self.number, "width": width, "height": height,
            "square": asdict(Similarity.whole(self.pixels)),
        }  # fmt: skip


class Own:
    """What a session does about pictures of the player's own: one at a time, whoever brings it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.kept = KeptLatents(session.library)
        self.brought: Brought | None = None
        self.sitting: Sitting | None = None
        self.centres: tuple[Workshop, list[np.ndarray]] | None = None  # those of a model, and their pictures
        self._seeking = Errand(session, "centres", "own")
        self._count = 0

    def close(self) -> None:
        if self.sitting is not None:
            self.sitting.stop(CLOSING)
        self._seeking.close()

    # --- a picture ------------------------------------------------------------------------------------------------------

    def bring(self, data: bytes, name: str) -> dict[str, Any]:
        """Take in the file of a picture; what pages are told of it. Raises KinesphereError for what is none."""
        name = Path(name).name[:80]
        try:
            pixels = np.asarray(over(decoded(data), WHITE))
        except Unreadable as error:
            raise KinesphereError(f"{name or 'what was brought'} cannot be read: {error}") from None
        self._count += 1
        self.brought = Brought(sized(pixels, SIDE), name, self._count)
        self.session.note("own")
        return self.brought.said()

    def _picture(self) -> Brought:
        if self.brought is None:
            raise Absent("no picture was brought yet: drop one onto the page, or choose a file")
        return self.brought

    def shown(self) -> bytes:
        """The picture that was brought, as pages see it, a JPEG. Raises Absent before there is one."""
        return jpeg(sized(self._picture().pixels, SHOWN), 0.88)

    def mean(self) -> bytes:
        """The model's average picture, to lay the square by, a JPEG."""
        return self.session.aside.do(lambda workshop: jpeg(workshop.mean, 0.9))

    def square(self, points: Sequence[Sequence[float]] | None) -> dict[str, float]:
        """The square of a face: of the two eyes and the corners of the mouth at `points` [4, 2], in pixels; None: they are sought.

        Raises KinesphereError where there is no face.
        """
        places = alignment.landmarks(self._picture().pixels) if points is None else np.array(points, np.float64)
        return self.session.aside.do(lambda workshop: asdict(workshop.square(places)))

    def sought(self) -> dict[str, float]:
        """The square in which the model finds itself, be there a face or not. Seconds."""
        pixels = self._picture().pixels
        return self.session.aside.do(lambda workshop: asdict(workshop.framing.seeker(pixels)))

    # --- found ----------------------------------------------------------------------------------------------------------

    def project(self, square: Similarity, effort: str, faithful: float) -> None:
        """Begin to find what lies in the square. One at a time."""
        if self.sitting is not None and self.sitting.at_work:
            raise KinesphereError("a picture is being looked for already: stop that first")
        if effort not in EFFORTS:
            raise KinesphereError(f"no effort {effort!r}: there are {', '.join(EFFORTS)}")
        brought = self._picture()
        number = 1 if self.sitting is None else self.sitting.number + 1
        self.sitting = Sitting(
            self.session.aside.enter, brought.pixels, brought.name, number, square, effort, faithful,
            lambda: self.session.note("own"),
        )  # fmt: skip
        self.sitting.start()
        self.session.note("own")

    def stop(self) -> None:
        """Look no further; what was found so far stays."""
        if self.sitting is None or not self.sitting.at_work:
            raise KinesphereError("no picture is being looked for")
        self.sitting.stop()

    def view(self, which: str) -> bytes:
        """What a sitting has to show, a name of VIEWS, as a JPEG. Raises Absent before there is one."""
        found = None if self.sitting is None else self.sitting.views().get(which)
        if found is None:
            raise Absent("there is no such picture yet")
        return jpeg(found, 0.92)

    # --- kept -----------------------------------------------------------------------------------------------------------

    def keep(self, name: str) -> dict[str, str]:
        """Keep what was found."""
        found = None if self.sitting is None else self.sitting.found
        if found is None:
            raise KinesphereError("nothing was found yet: look for a picture first")
        return self._add(name, found.latent, found.drawn)

    def keep_moment(self, name: str) -> dict[str, str]:
        """Keep where the instrument stands now, as it would be without bends.

        Raises KinesphereError where one latent cannot hold it: styles, or noise and weights of some rows.
        """
        engine = self.session.performance.engine
        ws = torch.tensor(engine.ws[0].cpu().numpy())  # [num_ws, w_dim]; what was made for the picture learns nothing
        alike = bool((ws == ws[:1]).all())
        here = engine.seen
        origin = {"played": {"patch": here.name, "seed": here.latent.seed}}
        place = Latent(
            ws[0] if alike else ws,
            "w" if alike else "w+",
            here.latent.label,
            model=self.session.aside.told,
            origin=origin,
        )
        brought = _brought(here.latent.places, engine.numbers)

        def drawn(workshop: Workshop) -> tuple[Latent, np.ndarray]:
            whole = _with_grain(workshop.G, place, brought)
            return whole, workshop.drawn(whole)

        return self._add(name or self.kept.free("Moment"), *self.session.aside.do(drawn))

    def mix(self, a: str, b: str, t: float, name: str) -> dict[str, str]:
        """Keep what is between two that were kept, `t` of the way."""

        def mixed(workshop: Workshop) -> tuple[Latent, np.ndarray]:
            child = blending.morph(workshop.G, self.kept.load(a), self.kept.load(b), t)
            return child, workshop.drawn(child)

        child, drawn = self.session.aside.do(mixed)
        return self._add(name or self.kept.free(f"{a} + {b}"[:70]), child, drawn)

    def _add(self, name: str, place: Latent, picture: np.ndarray) -> dict[str, str]:
        kept = self.kept.add(name, place, picture)
        self.session.note("latents")
        return {"name": kept}

    def forget(self, name: str) -> None:
        """Delete one that was kept. Raises KinesphereError for one that plays."""
        path = str(self.kept.path(name))
        if any(there.file == path for there in self.session.performance.patch.latent.places.values()):
            raise KinesphereError(f"{name} plays now: go back to the patch first")
        self.kept.forget(name)
        self.session.note("latents")

    def play(self, name: str | None, seconds: float, easing: str) -> None:
        """Show one that was kept as it is, at once or in `seconds`, in place of all to which the patch goes; None: go to none."""
        session, places = self.session, {}
        if name is not None:
            path = self.kept.path(name)
            self.kept.load(name).check(session.performance.engine.G, session.aside.told)
            places = {place_of(name): {"file": str(path), "amount": 1.0, "rows": "all"}}
        with session.lock:
            session.go_to({**seen(session), "latent.places": places}, seconds, easing, f"latents/{name or ''}")

    # --- centres --------------------------------------------------------------------------------------------------------

    def seek_centres(self) -> None:
        """Find the kinds of picture that the model makes, beside the show."""
        if not self._seeking.at_work:
            self._seeking.begin(self._seek)

    def _seek(self, workshop: Workshop) -> None:
        with workshop.lock:
            self.centres = workshop, [workshop.drawn(workshop.centre(i)) for i in range(len(workshop.centres.w))]

    def _present(self) -> tuple[Workshop, list[np.ndarray]] | None:
        """The centres of the model that plays, as `centres`; None: they were not found yet."""
        found = self.centres
        return found if found is not None and found[0] is self.session.aside.known else None

    def _centre(self, which: int) -> tuple[Workshop, np.ndarray]:
        """A centre's workshop and picture. Raises Absent where the model that plays has none."""
        found = self._present()
        if found is None or not 0 <= which < len(found[1]):
            raise Absent("the model that plays has no such centre yet: look for them first")
        return found[0], found[1][which]

    def centre(self, which: int) -> bytes:
        """The picture of a centre, a JPEG. Raises Absent where there is none."""
        return jpeg(sized(self._centre(which)[1], THUMBNAIL), 0.9)

    def play_centre(self, which: int, seconds: float, easing: str) -> dict[str, str]:
        """Keep a centre, where it is not kept yet, and show it."""
        workshop, drawn = self._centre(which)
        stem = f"{plainly(Path(workshop.name).stem, 'model')} centre {which + 1}"
        with workshop.lock:
            place = workshop.centre(which)
        name = self.kept.holding(stem, place) or self._add(self.kept.free(stem), place, drawn)["name"]
        self.play(name, seconds, easing)
        return {"name": name}

    # --- what is told ---------------------------------------------------------------------------------------------------

    def latents(self) -> list[dict[str, Any]]:
        """Every latent that was kept, with where it came from and whether it is of the model that plays."""
        return self.kept.said(self.session.aside.told) if self.kept.names else []

    def said(self) -> dict[str, Any]:
        centres = self._present()
        count = 0 if centres is None else len(centres[1])
        return {
            "picture": None if self.brought is None else self.brought.said(),
            "efforts": [*EFFORTS],
            "sitting": None if self.sitting is None else self.sitting.said(),
            "centres": {"seeking": self._seeking.at_work, "count": count},
        }


def _brought(there: Mapping[str, Place], numbers: Mapping[str, float]) -> list[tuple[Latent, float]]:
    """The kept latents to which the picture goes in all its rows, and how far, in their order; `numbers`: of every route, by place.

    Raises KinesphereError for one of styles, and for rows that do not go where noise or weights go.
    """
    found: list[tuple[Latent, float]] = []
    for name, place in there.items():
        amount = numbers[f"latent.places.{name}.amount"] if isinstance(place.amount, Route) else place.amount
        if amount <= 0:
            continue
        kept = places.read(place.file)
        if kept.space == "s":
            raise KinesphereError(
                f"{name} is of styles, which no moment holds: take it to 0, or mix kept latents instead"
            )
        if place.rows == "all":
            found.append((kept, min(amount, 1.0)))
        elif any(one.noise or one.tuning for one in (kept, *(before for before, _ in found))):
            raise KinesphereError(
                f"{name} goes there in the rows {place.rows} only, among noise and weights of kept latents, which no moment "
                "holds: let it go in all rows, or take it to 0"
            )
    return found


def _with_grain(G: Generator, place: Latent, brought: Sequence[tuple[Latent, float]]) -> Latent:
    """A place with the noise and the weights that kept latents bring along, as far as the picture goes to each, in their order."""
    grain = place
    for there, amount in brought:
        grain = blending.morph(G, grain, there, amount)
    return replace(place, noise=grain.noise, tuning=grain.tuning)
