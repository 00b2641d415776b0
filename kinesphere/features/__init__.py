"""What is drawn from a source: latents and numbers, by name."""

from kinesphere.features.activations import Activations
from kinesphere.features.keypoints import Body, Face, Hand
from kinesphere.features.motion import Brightness, Motion
from kinesphere.features.sound import Hearing

FEATURES = {
    "activations": Activations,
    "brightness": Brightness,
    "motion": Motion,
    "sound": Hearing,
    "hand": Hand,
    "body": Body,
    "face": Face,
}

__all__ = ["FEATURES", "Activations", "Body", "Brightness", "Face", "Hand", "Hearing", "Motion"]
