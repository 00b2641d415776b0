"""What is asked of the system before anything is played: calm threads, memory that is kept, a quick collector, the first place."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Settings of glibc's allocator: (number in malloc.h, value, the variable of the environment that sets it).
ALLOCATOR = (
    (
        -8,
        1,
        "MALLOC_ARENA_MAX",
    ),  # one heap for all threads: with one for each, memory that one has freed serves no other
    (-4, 0, "MALLOC_MMAP_MAX_"),  # large tensors come from the heap as well, not each from the kernel
    (-1, 2**31 - 1, "MALLOC_TRIM_THRESHOLD_"),  # what was freed is kept
    (-2, 2**26, "MALLOC_TOP_PAD_"),  # bytes by which the heap grows beyond what is asked
)
ASIDE = 10  # steps of niceness of what is computed beside the show: it gets a tenth of a contested core
AHEAD = 5  # steps of niceness: with it a program gets three times as much of a contested core as one without


def prepare() -> None:
    """Threads and memory as an instrument wants them. Call it before `import torch`."""
    calm_threads()
    keep_memory()


def calm_threads() -> None:
    """Let OpenMP's idle threads spin for microseconds and then sleep, unless the environment says otherwise.

    Camera, features, picture and other programs share the cores; a thread that spins while it waits takes a core from one that
    works. Has an effect only before `import torch`, and only with GNU's OpenMP, which torch brings on Linux.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def keep_memory() -> bool:
    """Let the allocator keep memory that was freed; whether it does.

    glibc gives every tensor above 32 MB back to the kernel and asks for it anew at the next picture, page by page: at 1024 pixels
    that costs more than computing. And it has a heap for each thread, which together grow for hours. The price: a process stays as
    large as it was at its largest, until it is asked to `return_memory`. Only with glibc, whose settings these are (`man mallopt`).
    What the environment sets stays; KINESPHERE_ALLOCATOR=system leaves all as it is.
    """
    libc = _glibc()
    if libc is None:
        return False
    return all([libc.mallopt(number, value) == 1 for number, value, name in ALLOCATOR if name not in os.environ])


def return_memory() -> None:
    """Give what is free back to the system, after something large has gone, what hangs in cycles too. Takes some milliseconds."""
    gc.collect()
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library, where it is glibc and may be told how to allocate."""
    if os.environ.get("KINESPHERE_ALLOCATOR") == "system" or not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None


def calm_collector() -> None:
    """Let the collector of cycles pass over all that exists now: call it when everything is imported, and nothing loaded yet.

    A whole round of it takes as long as there are objects, holds up every thread meanwhile, and is put off until a quarter of them
    are new (see `gc` in Python's documentation). Imports bring a quarter of a million that never go. Without those, rounds are
    short and come soon, and what hangs in a cycle does not pile up.
    """
    gc.collect()
    gc.freeze()


def go_first() -> bool:
    """Ask the system to let this process go before others where they want the same core; whether it does.

    Windows lets everybody. Linux lets root, and whoever has the limit `nice`, as machines that are set up for sound give to their
    players (a line `@audio - nice -10` in /etc/security/limits.d). Threads that exist already stay as they are on Linux.
    """
    return _stand(-AHEAD)


@contextmanager
def as_any_other() -> Iterator[None]:
    """For starting a program that is not part of the instrument, such as a browser: it must not inherit the place in front."""
    was_ahead = _place() < 0
    if was_ahead:
        _stand(0)
    try:
        yield
    finally:
        if was_ahead:
            _stand(-AHEAD)


def step_aside() -> None:
    """Let the thread that calls this, and those that it starts, go after all others of the program.

    Only Linux has a place for each thread; elsewhere nothing happens.
    """
    if sys.platform.startswith("linux"):
        _stand(min(_place() + ASIDE, 19))


def _place() -> int:
    """Below 0: before others. Windows, whose programs do not inherit it, has no place to tell."""
    return os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0


def _stand(place: int) -> bool:
    try:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, 0, place)
        else:
            import psutil  # type: ignore[import-untyped]

            psutil.Process().nice(psutil.ABOVE_NORMAL_PRIORITY_CLASS)
    except (OSError, ImportError):
        return False
    return True
