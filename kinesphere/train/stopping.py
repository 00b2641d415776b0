"""How a run ends early: on Ctrl-C, on a signal, on trouble; and in all of its processes together."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed

from kinesphere.types import KinesphereError

if TYPE_CHECKING:  # the command line imports this file where the extra `train` is not installed
    from lightning_fabric import Fabric

T = TypeVar("T")

ONE_WISH = 2.0  # seconds in which several signals are one: a terminal and torchrun both pass on the same Ctrl-C
CALLED = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
LOST = ("gloo", "nccl", "connection closed by peer", "connection reset", "broken pipe", "socket")


class Elsewhere(KinesphereError):
    """What another process of the run met, and says. Who catches it need not say it again."""


class Stop:
    """Inside its `with`, the first SIGINT or SIGTERM is a wish to end that is granted when it suits; a second one ends at once."""

    def __init__(self) -> None:
        self.asked = ""  # who asked: "Ctrl-C", "SIGTERM", "another process"
        self._at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals do not arrive
            self._before = {s: signal.signal(s, self._ask) for s in CALLED}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for s, handler in self._before.items():
            signal.signal(s, handler)
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._at = CALLED[signal.Signals(number)], now
        elif now - self._at > ONE_WISH:
            self.__exit__(None, None, None)
            signal.raise_signal(number)


def anyone(fabric: Fabric, mine: bool) -> bool:
    """Whether it is true in any process of the run. All must ask."""
    if fabric.world_size == 1:
        return mine
    return bool(fabric.all_reduce(torch.tensor(float(mine), device=fabric.device), reduce_op="sum"))


def together(fabric: Fabric, error: KinesphereError | None) -> None:
    """Raise in every process of the run what one of them met: there itself, in the others `Elsewhere`. All must call it."""
    if not anyone(fabric, error is not None):
        return
    if fabric.world_size == 1 and error is not None:
        raise error
    met: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(met, error and str(error))
    first = next(rank for rank, words in enumerate(met) if words is not None)
    if error is not None and first == fabric.global_rank:
        raise error
    raise Elsewhere(f"process {first} of this run ended: {met[first]}")


def agreed(fabric: Fabric, make: Callable[[], T]) -> T:
    """What `make` makes, once all processes have made theirs; where one cannot, all raise. `make` talks to no other process."""
    error, made = None, []
    try:
        made.append(make())
    except KinesphereError as met:
        error = met
    together(fabric, error)
    return made[0]


def in_words(error: RuntimeError, fabric: Fabric) -> KinesphereError | None:
    """An error of torch's as something that can be mended; None where it is not of that kind."""
    said = str(error)
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in said:
        where = "the GPU's memory" if fabric.device.type == "cuda" else "the memory"
        return KinesphereError(
            f"{where} is full: close other programs and go on with --resume, or start anew with a smaller --batch or --size"
        )
    if fabric.world_size > 1 and any(word in said.lower() for word in LOST):
        return Elsewhere("another process of this run is gone: the state on disk is whole, so go on with --resume")
    return None
