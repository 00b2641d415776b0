"""Walks as films: they hit their keys, loops have no seam, and an interruption keeps what was drawn."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Kept

from kinesphere.studio import films, sheets
from kinesphere.types import KinesphereError


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def test_a_walk_passes_through_its_seeds(tiny):
    keys = sheets.seeds_to_ws(tiny, [1, 2, 3])
    open_way = films.through_seeds(tiny, [1, 2, 3], 4.0, loop=False)
    for t, key in zip((0.0, 2.0, 4.0), keys, strict=True):
        assert torch.equal(open_way(t)[0], key)
    loop = films.through_seeds(tiny, [1, 2, 3], 6.0, loop=True)
    for t, key in zip((0.0, 2.0, 4.0, 6.0), [*keys, keys[0]], strict=True):
        torch.testing.assert_close(loop(t)[0], key)


@pytest.mark.parametrize("way", ["seeds", "drift"])
def test_the_seam_of_a_loop_is_no_larger_than_any_other_step(tiny, way):
    path = films.adrift(tiny, 3, 4.0) if way == "drift" else films.through_seeds(tiny, [1, 2, 3], 4.0, loop=True)
    kept = Kept()
    n = films.film(tiny, path, kept, 4.0, Fraction(12), loop=True, psi=1.0)
    frames = np.stack([f for _, f in kept.all]).astype(float)
    steps = np.abs(np.roll(frames, -1, axis=0) - frames).mean(axis=(1, 2, 3))
    assert n == 48 and steps[-1] <= steps[:-1].max() and steps.min() > 0


@pytest.mark.parametrize("fps, frames", [("24", 48), ("30000/1001", 60), ("60", 120)])
def test_a_film_lasts_as_long_as_was_asked_at_any_rate(tiny, fps, frames):
    kept = Kept()
    assert films.film(tiny, films.adrift(tiny, 1, 2.0), kept, 2.0, Fraction(fps), loop=True) == frames == kept.frames
    assert kept.all[-1][0] == float((frames - 1) / Fraction(fps)) and not kept.is_open


def test_an_interruption_closes_the_film(tiny):
    kept = Kept()

    def interrupt(i, n):
        if i == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        films.film(tiny, films.adrift(tiny, 1, 2.0), kept, 2.0, Fraction(30), loop=True, on_frame=interrupt)
    assert not kept.is_open and kept.frames == 3


def test_one_seed_is_no_walk(tiny):
    with pytest.raises(KinesphereError, match="two seeds or more"):
        films.through_seeds(tiny, [1], 4.0, loop=False)
