"""What is drawn from a source: latents and numbers, by name."""

from kinesphere.features.activations import Activations
from kinesphere.features.colour import Colour
from kinesphere.features.cut import Cut
from kinesphere.features.flow import Flow
from kinesphere.features.keypoints import Body, Discs, Face, Hand
from kinesphere.features.motion import Brightness, Motion
from kinesphere.features.semantics import Classification, Depth, Segmentation
from kinesphere.features.silhouette import Silhouette
from kinesphere.features.sound import Hearing

FEATURES = {
    "activations": Activations,
    "brightness": Brightness,
    "motion": Motion,
    "flow": Flow,
    "colour": Colour,
    "silhouette": Silhouette,
    "cut": Cut,
    "sound": Hearing,
    "hand": Hand,
    "body": Body,
    "face": Face,
    "discs": Discs,
    "depth": Depth,
    "segmentation": Segmentation,
    "classification": Classification,
}

__all__ = [
    "FEATURES",
    "Activations",
    "Body",
    "Brightness",
    "Classification",
    "Colour",
    "Cut",
    "Depth",
    "Discs",
    "Face",
    "Flow",
    "Hand",
    "Hearing",
    "Motion",
    "Segmentation",
    "Silhouette",
]
