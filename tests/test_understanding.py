"""What a generator has understood is told of pictures in which it shows, and beside the data."""

import numpy as np
import pytest
import torch

from kinesphere import latent
from kinesphere.train import understanding
from kinesphere.train.judge import Judge
from kinesphere.train.understanding import (
    Measured,
    meaning,
    measure,
    measure_data,
    spread,
    w_statistics,
)
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def measured(w: np.ndarray, **factors: np.ndarray) -> Measured:
    n = len(w)
    return Measured(factors, np.ones(n, bool), np.ones((n, 3)), w)


def test_meaning_is_of_pictures_in_which_a_factor_shows(rng):
    w = rng.normal(size=(600, 8))
    fantastic = rng.random(600) < 0.4
    hue = np.where(fantastic, w[:, 1], 100 * rng.normal(size=600))
    seen = measured(w, turn=w[:, 0], hair_hue=hue, hair=np.stack([~fantastic, fantastic], 1).astype(float))
    found = meaning(None, None, ("turn", "hair_hue", "hair"), measured=seen)  # type: ignore[arg-type]
    assert found["turn"]["R2"] > 0.98
    assert found["hair_hue"]["R2"] > 0.98 and found["hair_hue"]["count"] == fantastic.sum()
    assert abs(found["hair"]["accuracy"] - 0.5) < 0.1
    few = measured(w, hair_hue=hue, hair=np.tile([1.0, 0.0], (600, 1)))
    assert meaning(None, None, ("hair_hue", "hair"), measured=few) == {}  # type: ignore[arg-type]
    with pytest.raises(KinesphereError, match="no factor 'grin'"):
        meaning(None, None, ("grin",), measured=seen)  # type: ignore[arg-type]


def test_spread_beside_the_data(rng):
    turn = rng.normal(size=2000)
    hair = np.tile([0.9, 0.1], (2000, 1))
    data = measured(np.zeros((2000, 0)), turn=turn, hair=hair)
    same = spread(data, data, ("turn", "hair"))
    assert same["turn"]["ratio"] == 1 and same["turn"]["distance"] == 0
    assert same["hair"]["fantastic"] == {"generated": 0.0, "data": 0.0}
    narrow = spread(measured(np.zeros((2000, 0)), turn=turn / 2), data, ("turn",))["turn"]
    assert narrow["ratio"] == pytest.approx(0.5)
    moved = spread(measured(np.zeros((2000, 0)), turn=turn + turn.std()), data, ("turn",))["turn"]
    assert moved["ratio"] == pytest.approx(1) and moved["distance"] == pytest.approx(1)


def test_measuring_a_generator(tiny):
    torch.manual_seed(0)
    judge = Judge(width=16)
    seen = measure(tiny, judge, count=40, seed=5)
    with torch.no_grad():
        w = tiny.mapping(latent.seeds_to_z(range(5, 45), tiny.z_dim))[:, 0]
    assert np.allclose(seen.w, w, atol=1e-6)
    assert seen.parts.shape == (40, 3) and seen.whole.shape == (40,) and seen.factors["turn"].shape == (40,)
    assert np.array_equal(measure(tiny, judge, count=40, seed=5).factors["smile"], seen.factors["smile"])


def test_measuring_data():
    class Flat:
        def __len__(self) -> int:
            return 50

        def batch(self, indices: np.ndarray) -> np.ndarray:
            return np.repeat(np.asarray(indices, np.uint8), 3 * 64 * 64).reshape(-1, 3, 64, 64)

    seen = measure_data(Judge(width=16), Flat(), count=20)
    assert seen.factors["turn"].shape == (20,) and seen.w.shape == (20, 0)
    assert len(np.unique(seen.factors["turn"])) > 10  # without repetition


def test_the_effective_dimension_of_a_ball_is_its_dimension():
    class Ball:
        z_dim, w_avg = 12, torch.zeros(12)

        def mapping(self, z):
            return z * torch.tensor([1.0] * 6 + [0.0] * 6)

    found = w_statistics(Ball(), count=4000)  # type: ignore[arg-type]
    assert found["effective dimension"] == pytest.approx(6, rel=0.02)
    assert found["largest std"] == pytest.approx(1, rel=0.05) and found["least std"] == 0
    assert understanding.BATCH == 32
