"""What is done inside a model while it draws: to its constant, its layers, its noise, its input. Gone without trace afterwards.

    with bent(G, const(G, t, amount=0.4), warp(G, t, rotate=0.3)):
        img = G.synthesis(ws)

A bend is a function of the generator, the time in seconds and named parameters. With its defaults it is the identity: it gives no
operation, so the picture is the model's own bit for bit and costs nothing. Parameters annotated `float` may be played live, and
any finite number is possible: what is out of range is held at its end. All that moves by itself is a closed form of `t`, so it does
not depend on the frame rate, and the same moment looks the same whenever it is asked for. A bend that the model has no place for
raises KinesphereError and names what does it there.
"""

from collections.abc import Callable, Mapping

from kinesphere.bends.bending import Bendable, Bending, Operation, Still, bent
from kinesphere.bends.constant import const
from kinesphere.bends.noises import noise
from kinesphere.bends.placing import anchor, transform, warp
from kinesphere.bends.walks import walk

BENDS: dict[str, Callable[..., Bending]] = {bend.__name__: bend for bend in (const, transform, anchor, warp, noise)}

WANDERING: Mapping[str, tuple[str, ...]] = {"const": ("amount",), "noise": ("boil", "add")}
"""The parameters that let a bend move by itself while they are not 0. What is not here stands still."""

__all__ = [
    "BENDS",
    "WANDERING",
    "Bendable",
    "Bending",
    "Operation",
    "Still",
    "anchor",
    "bent",
    "const",
    "noise",
    "transform",
    "walk",
    "warp",
]
