"""How a take lies in its file: topics, and the form of each message.

The file is mcap; the text of docs/takes.md is the reference.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from kinesphere.checkpoints import Checkpoint

VERSION = 1  # of the layout
PROFILE = "kinesphere"  # in the header of the file
START, PLAYED, PATCH, STEP, EVENT, FEATURE = "/start", "/engine", "/patch", "/step", "/event", "/feature/"

STEP_TEXT = "float64 t\nfloat64 dt\nuint32[] values\n"  # the numbers of the feature values that the step used
HEAD = struct.Struct("<ddI")  # of a step: t, dt, how many numbers follow
TIME = struct.Struct("<d")  # of a feature value: t of its signal; the numbers follow
FORMS: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float64": np.dtype("<f8")}


def form_text(form: str, length: int | None) -> str:
    """What a value of a feature looks like, as a ROS 1 message definition; `length` None is one number."""
    return f"float64 t\n{form}{'' if length is None else f'[{length}]'} value\n"


def plain_value(value: np.ndarray) -> tuple[str, int | None, bytes]:
    """The form of a feature's value, its length (None: one number), and its bytes. What is no float becomes float64."""
    form = "float32" if value.dtype == np.float32 else "float64"
    return form, None if value.ndim == 0 else value.size, value.astype(FORMS[form]).tobytes()


def as_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def edits(before: Any, after: Any, way: tuple[str, ...] = ()) -> Iterator[list[Any]]:
    """What turns one document into another: [[key, key, ...], value], each time. A table whose keys differ is given whole."""
    if isinstance(before, dict) and isinstance(after, dict) and list(before) == list(after):
        for key in before:
            yield from edits(before[key], after[key], (*way, key))
    elif as_json(before) != as_json(after):  # unlike ==, this tells 1 from true and 0 from -0
        yield [list(way), after]


def edited(document: dict[str, Any], changes: Any) -> dict[str, Any]:
    """The document after `edits`; it is changed in place. Raises KeyError or TypeError where they do not fit it."""
    for way, value in changes:
        if not way:
            document = value
            continue
        table = document
        for key in way[:-1]:
            table = table[key]
        if way[-1] not in table:
            raise KeyError(way[-1])
        table[way[-1]] = value
    return document


_known: WeakKeyDictionary[Checkpoint, str] = WeakKeyDictionary()


def weights(checkpoint: Checkpoint) -> str:
    """SHA-256 of the generator's weights: the same model in another kind of file has the same. 64 hexadecimal digits."""
    if checkpoint not in _known:
        digest = hashlib.sha256()
        for name, tensor in sorted(checkpoint.G_ema.state_dict().items()):
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
        _known[checkpoint] = digest.hexdigest()
    return _known[checkpoint]
