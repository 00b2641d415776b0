"""What is drawn from a source: latents and numbers, by name."""

from kinesphere.features.activations import Activations
from kinesphere.features.motion import Brightness, Motion

FEATURES = {"activations": Activations, "brightness": Brightness, "motion": Motion}

__all__ = ["FEATURES", "Activations", "Brightness", "Motion"]
