"""The rack: the directions that the patch has at hand, each with its slider, and what is done to all of them."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kinesphere.patch import Along
from kinesphere.routes import Number, Route
from kinesphere.stage.directions import Directions, untaught
from kinesphere.stage.kept import free, plainly
from kinesphere.stage.workshop import Workshop
from kinesphere.studio.directions import Direction
from kinesphere.studio.directions.chance import surprise
from kinesphere.studio.directions.files import is_file
from kinesphere.types import KinesphereError

if TYPE_CHECKING:
    from kinesphere.stage.session import Session

SCATTERED = 2.0  # sigmas, at most


class Rack:
    """What a session does about its rack, which lies in the patch (`latent.directions`), so that all of it can be undone."""

    def __init__(self, session: Session, directions: Directions) -> None:
        self.session, self.directions = session, directions

    @property
    def there(self) -> Mapping[str, Along]:
        return self.session.performance.patch.latent.directions

    def put(self, of: str, rows: str = "", name: str = "") -> dict[str, str]:
        """A direction onto the rack, where it is not there yet; what it is called there."""
        of = self.directions.filed(of)
        for known, along in self.there.items():
            if (self.directions.short(along.of or known), along.rows) == (of, rows):
                return _placed(known, of)
        called = free(plainly(name or self._name(of, rows), "direction"), self.there)
        self.session.change(
            {
                f"latent.directions.{called}": {
                    "amount": 0.0,
                    "of": "" if called == of and not rows else of,
                    "rows": rows,
                }
            }
        )
        return _placed(called, of)

    def lead(self, name: str, of: str) -> dict[str, str]:
        """Let a slider of the rack go along another direction from now on, which is kept."""
        self.session.change({f"latent.directions.{name}.of": of})
        return _placed(name, of)

    def _name(self, of: str, rows: str) -> str:
        return self.directions.kept.load(of).name if is_file(of) else f"{of} {rows}".strip()

    def surprise(self, among: int) -> dict[str, str]:
        """A way at random among the widest components: it is kept, and put onto the rack."""
        seed = secrets.randbelow(2**31)

        def turned_up(workshop: Workshop) -> Direction:
            return surprise(workshop.G, seed, among, workshop.class_index, workshop.told)

        return self.put(self.directions.add("Surprise", self.session.aside.do(turned_up))["of"])

    def scatter(self) -> None:
        """Some amount or other to each that is not locked and that no route moves."""
        self._set_all(lambda: round(random.uniform(-SCATTERED, SCATTERED), 2))

    def rest(self) -> None:
        """The same ones to 0."""
        self._set_all(lambda: 0.0)

    def _set_all(self, amount: Callable[[], float]) -> None:
        loose = [name for name, along in self.there.items() if not along.locked and not isinstance(along.amount, Route)]
        if not loose:
            raise KinesphereError("nothing on the rack is free to be moved: put a direction there, or unlock one")
        self.session.change({f"latent.directions.{name}.amount": amount() for name in loose})

    def opposite(self, name: str) -> dict[str, str]:
        """Turn one of the rack round: the picture stays as it is, and its slider goes the other way from now on."""
        along = self.there.get(name)
        if along is None:
            raise KinesphereError(
                f"no direction {name[:64]!r} on the rack: there are {', '.join(self.there) or 'none'}"
            )
        of = self._turned(self.directions.short(along.of or name), along.rows)
        place = f"latent.directions.{name}"
        self.session.change({f"{place}.of": of, **_mirrored(f"{place}.amount", along.amount)})
        return {"of": of}

    def _turned(self, of: str, rows: str) -> str:
        """What the same direction the other way round is asked for by; it is kept, unless `of` was turned round itself."""
        one = self.session.aside.do(lambda workshop: self.directions.find(workshop, of, rows))
        before = one.found.get("turned")
        if isinstance(before, str) and (not is_file(before) or self.directions.kept.holds(before)):
            return before
        turned = one.turned()
        stem = plainly(one.name, "direction")
        return self.directions.add(f"{stem} turned", untaught(replace(turned, found={**one.found, "turned": of})))["of"]


def _placed(name: str, of: str) -> dict[str, str]:
    return {"name": name, "place": f"latent.directions.{name}.amount", "of": of}


def _mirrored(place: str, amount: Number) -> dict[str, float]:
    """The edits after which an amount is the same the other way, that of a route at every moment."""
    if not isinstance(amount, Route):
        return {place: 0.0 - amount}
    otherwise = {} if amount.otherwise is None else _mirrored(f"{place}.otherwise", amount.otherwise)
    return {f"{place}.low": 0.0 - amount.low, f"{place}.high": 0.0 - amount.high, **otherwise}
