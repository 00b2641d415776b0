"""A film of the built-in clip, with an instrument made in Python instead of a patch file."""

from fractions import Fraction
from importlib import resources

from kinesphere import checkpoints
from kinesphere.engine import Engine, render
from kinesphere.features import Activations, Brightness
from kinesphere.patch import Drive, Latent, Patch
from kinesphere.routes import Route
from kinesphere.sinks import VideoFile
from kinesphere.sources import Video

patch = Patch(
    name="lamp",
    sources={"clip": Video(str(resources.files("kinesphere.builtin") / "clip.mp4"))},
    features={"scene": Activations(), "light": Brightness()},
    latent=Latent(
        seed=5, rows={"coarse": Drive("scene")}, psi=Route("light", low=0.4, high=1.2, in_low=0.1, in_high=0.4)
    ),
    sinks={"film": VideoFile("lamp.mp4")},
)
render(Engine(patch, checkpoints.load("portraits")), frames=20, fps=Fraction(10))
