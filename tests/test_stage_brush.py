"""What was painted on a page becomes a mask: what is nearer to the line than the brush reaches, to a pixel."""

import itertools

import numpy as np
import pytest

from kinesphere.stage import brush
from kinesphere.types import KinesphereError


def away(points, pixels):
    """How far the middle of each pixel is from a line through points, in pixels: by the nearest of many points on it."""
    there = np.asarray(points, float) * pixels
    ends = itertools.pairwise(there) if len(there) > 1 else [(there[0], there[0])]
    line = np.concatenate([a + (b - a) * np.linspace(0, 1, 4 * pixels)[:, None] for a, b in ends])
    x, y = np.meshgrid(*[np.arange(pixels) + 0.5] * 2)
    return np.sqrt(np.square(np.stack([x, y], -1)[:, :, None] - line).sum(-1).min(-1))


@pytest.mark.parametrize(
    "points, width",
    [
        ([(0.5, 0.5)], 0.3),
        ([(0.2, 0.3), (0.8, 0.3)], 0.2),
        ([(0.1, 0.2), (0.7, 0.6), (0.4, 0.9), (0.95, 0.9)], 0.12),
        ([(0.0, 0.0), (1.0, 1.0)], 0.4),
        ([(0.5, 0.5), (0.5, 0.5)], 0.25),
        ([(0.1, 0.9), (0.9, 0.7)], 0.01),
    ],
)
def test_a_stroke_is_a_line_with_round_ends(points, width):
    mask, far = brush.mask([points], width, 48), away(points, 48)
    reach = max(width * 48, 1) / 2
    assert mask.shape == (48, 48) and mask.dtype == bool and mask.any()
    assert mask[far < reach - 1].all() and not mask[far > reach + 1].any()


def test_strokes_are_painted_together():
    a, b = [(0.2, 0.2)], [(0.8, 0.8), (0.8, 0.4)]
    assert np.array_equal(brush.mask([a, b], 0.1, 32), brush.mask([a], 0.1, 32) | brush.mask([b], 0.1, 32))


def test_too_many_points_are_refused():
    with pytest.raises(KinesphereError, match="5000 points are too many for one region: paint it with up to 4096"):
        brush.mask([[(0.5, 0.5)] * 2500] * 2, 0.1, 32)
