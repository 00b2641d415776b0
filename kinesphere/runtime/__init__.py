"""The same generator on a faster engine: `fast = runtime.compile(G)` draws what `G` draws, in less time.

    fast = runtime.compile(G)                          # what is fastest here
    fast = runtime.compile(G, precision="float32")     # and as exact as G
    img = fast.synthesis(fast.mapping(z))

What comes back is a generator of the same family with the same rows, layers and places, so bends, taps and everything else that is
done to a generator is done to it. It shares memory with `G` and is made from its weights as they are: where they change, compile
again. `G` stays as it was: it is the reference, and what learns.
"""

from kinesphere.runtime.compiling import (
    BACK_ENDS,
    PRECISIONS,
    compile,
    detours,
    fast_back_end,
    fast_precision,
    lacking,
    pixels,
)
from kinesphere.runtime.governor import ASKED_BACK_ENDS, ASKED_PRECISIONS, Choice, choose

__all__ = [
    "ASKED_BACK_ENDS",
    "ASKED_PRECISIONS",
    "BACK_ENDS",
    "PRECISIONS",
    "Choice",
    "choose",
    "compile",
    "detours",
    "fast_back_end",
    "fast_precision",
    "lacking",
    "pixels",
]
