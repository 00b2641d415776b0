"""What must be said before torch is loaded."""

from __future__ import annotations

import os


def calm_threads() -> None:
    """Let OpenMP's idle threads spin for microseconds and then sleep, unless the environment says otherwise.

    Camera, features, picture and other programs share the cores; a thread that spins while it waits takes a core from one that
    works. Has an effect only before `import torch`, and only with GNU's OpenMP, which torch brings on Linux.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
