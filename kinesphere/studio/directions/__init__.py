"""Directions: what changes one thing of the picture, found by labels, by where latents vary, by weights, or channel by channel."""

from kinesphere.studio.directions.axis import FURTHEST, STOP, AnotherModel, Axis
from kinesphere.studio.directions.direction import Direction, cosine

__all__ = ["FURTHEST", "STOP", "AnotherModel", "Axis", "Direction", "cosine"]
