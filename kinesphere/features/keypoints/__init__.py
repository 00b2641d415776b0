"""Hands, bodies and faces: found in a picture by a tracker, kept apart, and told as numbers."""

from kinesphere.features.keypoints.body import Body
from kinesphere.features.keypoints.calibration import applied, calibrated
from kinesphere.features.keypoints.face import Face
from kinesphere.features.keypoints.game import Discs
from kinesphere.features.keypoints.hand import Hand
from kinesphere.features.keypoints.measuring import Measuring
from kinesphere.features.keypoints.tracker import TRACKERS, Tracker

__all__ = [
    "TRACKERS",
    "Body",
    "Discs",
    "Face",
    "Hand",
    "Measuring",
    "Tracker",
    "applied",
    "calibrated",
]
