"""The square in which a model finds itself, wherever it is in a picture and whatever is beside it."""

import cv2
import numpy as np
import pytest
import torch
from conftest import tiny_generator
from scipy.stats import multivariate_normal
from skimage import data

from kinesphere import checkpoints
from kinesphere.ops import to_pixels
from kinesphere.studio import seeking
from kinesphere.studio.alignment import Similarity, aligned
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import Latent, draw
from kinesphere.studio.seeking import Gaussian, Seeker
from kinesphere.train.portraits import draw_factors, paint


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(scope="module")
def seeker():
    G = checkpoints.load("portraits").G_ema
    return Seeker(G, Chart.of(G))


def hung(portrait, square):
    """A portrait over a photograph of a table, [240, 320, 3]."""
    table = cv2.resize(data.coffee(), (320, 240), interpolation=cv2.INTER_AREA)
    portrait = cv2.resize(portrait, (round(square.size),) * 2, interpolation=cv2.INTER_CUBIC)
    to = square.matrix(len(portrait))
    to[:, 2] += to[:, :2].sum(1) / 2 - 0.5
    covered = cv2.warpAffine(np.full(portrait.shape[:2], 255, np.uint8), to, (320, 240))[..., None] / 255
    over = cv2.warpAffine(portrait, to, (320, 240), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.rint(table * (1 - covered) + over * covered).astype(np.uint8)


def drawn(seeker, seed):
    return to_pixels(draw(seeker.G, Latent.of_seed(seeker.G, seed)))[0].numpy()


def test_what_the_model_drew_is_found_to_a_few_hundredths_and_a_degree(seeker):
    square = Similarity(120, 130, 150, 17)
    found = seeker(hung(drawn(seeker, 703), square))
    assert np.hypot(*(found.quad() - square.quad()).T).max() < 0.04 * square.size
    assert abs(found.angle - square.angle) < 1


def test_a_portrait_that_it_has_never_seen_is_found_to_a_few(seeker):
    square = Similarity(210, 120, 110, 10)
    found = seeker(hung(paint(draw_factors(0, 11), 256), square))
    assert np.hypot(*(found.quad() - square.quad()).T).max() < 0.06 * square.size
    assert abs(found.angle - square.angle) < 3


def test_a_plain_patch_is_none_of_its_kind_however_well_it_is_explained(seeker):
    plain = np.full((64, 64, 3), seeker.pictures.mean().mul(127.5).add(127.5).item(), np.uint8)
    shown = [torch.from_numpy(cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA)) for p in (plain, drawn(seeker, 5))]
    patch, own = seeker.strangeness(torch.stack(shown).permute(0, 3, 1, 2) / 127.5 - 1)
    assert own < patch - 0.5


def test_a_model_of_greys_sees_a_picture_grey():
    G = tiny_generator("stylegan2", img_channels=1)
    seeker = Seeker(G, Chart.of(G))
    picture = np.ascontiguousarray(data.coffee()[::5, ::5])
    grey = picture.mean(2, keepdims=True).round().astype(np.uint8).repeat(3, 2)
    assert seeker(picture) == seeker(grey)


# What is looked through ---------------------------------------------------------------------------------------------------


def test_a_gaussian_measures_as_its_covariance_says():
    dice = np.random.default_rng(0)
    axes = torch.from_numpy(np.linalg.qr(dice.normal(size=(6, 6)))[0][:, :2])
    kind = Gaussian(torch.arange(6.0).double(), axes, torch.tensor([3.0, 2.0]).double(), 0.5)
    covariance = axes * kind.variances @ axes.T + 0.5 * torch.eye(6).double()
    x = torch.from_numpy(dice.normal(size=(5, 6)))
    expected = [-2 * multivariate_normal(kind.mean, covariance).logpdf(row) for row in x]
    constant = 6 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1]
    assert np.allclose(kind(x) * 6, np.array(expected) - constant)


def test_samples_are_of_their_kind_to_one():
    x = torch.randn(4000, 12, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 3, 12)
    assert Gaussian.of(x)(x).mean() == pytest.approx(1, abs=0.35)


def test_any_picture_is_of_any_kind():
    photo = torch.from_numpy(np.ascontiguousarray(data.coffee())).permute(2, 0, 1).float() / 127.5 - 1
    squares = photo.unfold(1, 16, 40).unfold(2, 16, 40).flatten(1, 2).transpose(0, 1).flatten(1)
    noise = torch.rand(50, 768, generator=torch.Generator().manual_seed(0)) * 2 - 1
    any_kind = seeking.anything()
    assert any_kind(squares).mean() < 2 < any_kind(noise).mean()


def test_a_window_is_what_the_square_at_its_place_shows():
    dice = np.random.default_rng(3)
    picture = cv2.GaussianBlur(dice.integers(0, 256, (120, 160, 3), np.uint8), (0, 0), 4)
    places, squares = seeking.windows(picture, 48.0, 20)
    assert len(places) == len(squares) > 20
    for place, square in list(zip(places, squares, strict=True))[::7]:
        shown = aligned(picture, Similarity(*place, 48.0, 20), 16)
        assert np.abs((square.permute(1, 2, 0).numpy() + 1) * 127.5 - shown).max() < 6


def test_squares_are_looked_through_from_the_whole_down_to_a_sixth():
    sides = seeking.sides(np.zeros((300, 400, 3), np.uint8))
    assert sides[0] == 300 and 50 <= sides[-1] < 60 and sides[4] == pytest.approx(150)
    assert seeking.sides(np.zeros((10, 40, 3), np.uint8)) == [10]
