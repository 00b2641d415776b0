"""What a feature sees, laid over the picture: it lies where the thing is, and there is none where nothing is seen."""

import numpy as np
import pytest

from kinesphere.features import Brightness, Silhouette
from kinesphere.features.keypoints import Body, Discs, Face, Hand
from kinesphere.types import Overlay, Signal, overlay_of

DARK = np.zeros((180, 320, 3), np.uint8)


@pytest.mark.parametrize("kind", [Hand, Body, Face])
def test_a_figure_is_drawn_where_it_is_measured(kind):
    feature = kind(tracker="synthetic")
    feature.open()
    assert overlay_of(feature) == Overlay()
    numbers = dict(zip(feature.names, feature(Signal(DARK, 1.0)), strict=True))
    lines = np.array(overlay_of(feature).lines)
    x, y = lines[:, ::2].mean(), lines[:, 1::2].mean()  # fractions, right and down
    near = 0.5 * numbers["size"]
    assert abs((2 * x - 1) * 320 / 180 - numbers["x"]) < near and abs(1 - 2 * y - numbers["y"]) < near


def test_of_two_hands_the_other_one_is_faint():
    feature = Hand(tracker="synthetic", hands=2)
    feature.open()
    feature(Signal(DARK, 1.0))
    seen = overlay_of(feature)
    assert seen.lines and seen.faint and not set(seen.lines) & set(seen.faint)


def test_discs_are_circles_beside_the_hand():
    feature = Discs(tracker="synthetic", discs=5)
    feature.open()
    feature(Signal(DARK, 1.0))
    seen, table = overlay_of(feature), feature.table()
    assert len(seen.circles) == 5 and seen.lines
    for (x, y, r), at, radius in zip(seen.circles, table.at, table.radius, strict=True):
        assert ((2 * x - 1) * 320 / 180, 1 - 2 * y, 2 * r) == pytest.approx((*at, radius), abs=2e-3)


def test_the_box_lies_round_who_has_come():
    feature = Silhouette(smoothing=0.0)
    feature.open(None)
    room = np.random.RandomState(0).randint(90, 110, (180, 320, 3)).astype(np.uint8)
    for i in range(20):
        feature(Signal(room, i / 10))
    assert overlay_of(feature) == Overlay()
    come = room.copy()
    come[60:140, 100:180] = np.random.RandomState(1).randint(0, 255, (80, 80, 3))
    feature(Signal(come, 2.0))
    corners = np.array(overlay_of(feature).lines)[:, :2]
    left, top = corners.min(0)
    right, bottom = corners.max(0)
    assert (left, top, right, bottom) == pytest.approx((100 / 320, 60 / 180, 180 / 320, 140 / 180), abs=0.05)


def test_a_feature_that_shows_nothing_has_an_empty_one():
    assert overlay_of(Brightness()) == Overlay()
