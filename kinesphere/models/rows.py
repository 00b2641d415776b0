"""Rows of `ws` by name: a band, a row by its number, or several."""

from __future__ import annotations

from kinesphere.models.generator import BANDS, Generator
from kinesphere.types import KinesphereError

NO_ROWS = f"no such rows: choose {', '.join(BANDS)}, all, placement, or numbers as 3 or 0-3"


def rows_of(G: Generator, name: str) -> slice:
    """The rows of `ws` that a name means on this model: a band, "3", or "0-3". KinesphereError where it has no such rows."""
    rows = _range(name)
    if rows is None:
        return G.rows(name)
    if rows.stop > G.num_ws or rows.start >= rows.stop:
        raise KinesphereError(f"no rows {name}: this model has rows 0 to {G.num_ws - 1}")
    return rows


def are_rows(name: str) -> bool:
    """Whether a name may mean rows, on some model."""
    return name in BANDS or name in ("all", "placement") or _range(name) is not None


def _range(text: str) -> slice | None:
    first, _, last = text.partition("-")
    if len(text) > 20 or not (first.isdecimal() and (last.isdecimal() or last == "")) or text.endswith("-"):
        return None
    return slice(int(first), int(last or first) + 1)
