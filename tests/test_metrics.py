"""The metrics against closed forms and independent implementations: scipy, scikit-image, scikit-learn, and plain loops."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.stats
import torch
import torch.nn.functional as F
from conftest import tiny_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kinesphere.train import inception, metrics
from kinesphere.train.metrics import evaluation, looking, wasserstein
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


class Shown:
    """A set of pictures in memory."""

    def __init__(self, pictures: np.ndarray, labels: np.ndarray | None = None) -> None:
        self.pictures, self.labels = pictures, labels

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: np.ndarray) -> np.ndarray:
        return self.pictures[indices]


class Means:
    """Features one can compute by heart: the mean of each colour, each half of the picture by itself."""

    name = "means"

    def __call__(self, pictures: Tensor) -> np.ndarray:
        return F.adaptive_avg_pool2d(pictures.float() / 255, (2, 1)).flatten(1).numpy()


def noisy(count: int, size: int = 32, channels: int = 3, seed: int = 0, smooth: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed).random((count, channels, size, size))
    return (scipy.ndimage.gaussian_filter(random, (0, 0, smooth, smooth), mode="wrap") * 255).astype(np.uint8)


def cloud(n: int, d: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, d)) * scale).astype(np.float32)


# ---- sliced Wasserstein distance -------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))
def test_on_a_line_it_is_scipys_wasserstein_distance_for_any_two_counts(n: int, m: int, seed: int) -> None:
    a, b = cloud(n, 1, seed), cloud(m, 1, seed + 1) + 0.5
    ours = metrics.sliced_wasserstein(a, b, directions=3)
    assert ours == pytest.approx(scipy.stats.wasserstein_distance(a[:, 0], b[:, 0]), rel=1e-5, abs=1e-6)


def test_a_shifted_cloud_is_as_far_as_its_shift_seen_from_all_sides() -> None:
    """E|cos| of the angle between a fixed and a uniform direction in D dimensions is Gamma(D/2) / (sqrt(pi) Gamma((D+1)/2))."""
    dim, shift = 12, 3.0
    a = cloud(50, dim)
    b = a.copy()
    b[:, 4] += shift
    expected = shift * math.gamma(dim / 2) / (math.sqrt(math.pi) * math.gamma((dim + 1) / 2))
    assert metrics.sliced_wasserstein(a, b, directions=20_000) == pytest.approx(expected, rel=0.01)


def test_a_wider_gaussian_is_as_far_as_the_quantiles_say() -> None:
    """Along every line, W1 of N(0, 1) and N(0, 2^2) is (2 - 1) E|N(0, 1)| = sqrt(2 / pi)."""
    far = metrics.sliced_wasserstein(cloud(20_000, 5), cloud(15_000, 5, seed=1, scale=2.0), directions=64)
    assert far == pytest.approx(math.sqrt(2 / math.pi), rel=0.02)


@pytest.mark.parametrize("size", [64, 48, 30])
def test_the_pyramid_is_scipys_and_adds_up_to_the_picture(size: int) -> None:
    x = np.random.default_rng(0).random((2, 3, size, size))
    levels = list(metrics.laplacian_pyramid(torch.from_numpy(x)))
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256

    def blur(y: np.ndarray) -> np.ndarray:
        return scipy.ndimage.convolve(y, kernel[None, None], mode="mirror")

    def up(y: np.ndarray) -> np.ndarray:
        spread = np.zeros((*y.shape[:2], 2 * y.shape[2], 2 * y.shape[3]))
        spread[:, :, ::2, ::2] = y
        return 4 * blur(spread)

    rest, expected = x, []
    while rest.shape[2] % 2 == 0 and rest.shape[2] >= 32:
        smaller = blur(rest)[:, :, ::2, ::2]
        expected.append(rest - up(smaller))
        rest = smaller
    for ours, theirs in zip(levels, [*expected, rest], strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)
    whole = levels[-1].numpy()
    for level in levels[-2::-1]:
        whole = level.numpy() + up(whole)
    np.testing.assert_allclose(whole, x, atol=1e-12)


def test_patches_are_windows_of_the_picture_drawn_evenly() -> None:
    """Of a 16 px picture that shows its own coordinates, every one of the 10 x 10 places comes up, whole and in order."""
    y, x = np.mgrid[:16, :16]
    picture = np.stack([y, x, 16 * y + x]).astype(np.uint8)[None].repeat(30, 0)
    patches = wasserstein.descriptors(torch.from_numpy(picture))[16].reshape(30, 128, 3, 7, 7)
    corner = patches[..., :1, :1]
    dy, dx = np.mgrid[:7, :7]
    np.testing.assert_array_equal(patches - corner, np.broadcast_to([dy, dx, 16 * dy + dx], patches.shape))
    places, often = np.unique(corner[:, :, 2], return_counts=True)
    assert len(places) == 100
    assert scipy.stats.chisquare(often).pvalue > 1e-3
    assert not np.array_equal(patches[0], patches[1])


def test_each_colour_is_normalised_by_itself() -> None:
    patches = np.random.default_rng(0).random((500, 3, 7, 7), np.float32) * [[[[1]], [[9]], [[0]]]] + [
        [[[5]], [[0]], [[7]]]
    ]
    flat = wasserstein.normalised(patches.astype(np.float32)).reshape(500, 3, 49)
    np.testing.assert_allclose(flat.mean((0, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(flat.std((0, 2)), [1, 1, 0], atol=1e-5)


def test_swd_is_what_its_parts_say() -> None:
    """The level of a 16 px picture is the picture: all its patches, normalised, as two clouds; times 1000."""
    a, b = noisy(20, 16), noisy(25, 16, seed=1, smooth=0.8)
    clouds = []
    for pictures in (a, b):
        patches = wasserstein.descriptors(torch.from_numpy(pictures), seed=5)[16].astype(np.float64)
        patches = (patches - patches.mean((0, 2, 3), keepdims=True)) / patches.std((0, 2, 3), keepdims=True)
        clouds.append(patches.reshape(len(patches), -1))
    lines = np.random.default_rng(5).standard_normal((10, 147))
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    expected = np.mean([scipy.stats.wasserstein_distance(clouds[0] @ line, clouds[1] @ line) for line in lines])
    assert metrics.swd(a, b, seed=5, directions=10) == {16: pytest.approx(1000 * expected, rel=1e-4)}


def test_swd_tells_sets_apart_where_they_differ_and_only_there() -> None:
    """Fine noise laid over one set shows at the finest level, a change of shapes at the coarsest."""
    even = noisy(60, 64, smooth=8).astype(np.float32)
    even = (even - even.mean()) / even.std()
    again = noisy(60, 64, seed=1, smooth=8).astype(np.float32)
    again = (again - again.mean()) / again.std()
    checks = (np.indices((64, 64)).sum(0) % 2 - 0.5).astype(np.float32)
    floor = metrics.swd(even, again, directions=64)
    fine = metrics.swd(even, again + 0.3 * checks, directions=64)
    assert list(fine) == [64, 32, 16]
    assert fine[64] > 3 * floor[64]
    assert fine[16] == pytest.approx(floor[16], rel=0.02)


def test_swd_is_the_same_each_time_zero_with_itself_and_blind_to_order_of_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = noisy(20), noisy(20, seed=1)
    first = metrics.swd(a, b, directions=16)
    monkeypatch.setattr(wasserstein, "PICTURES_AT_ONCE", 7)
    assert metrics.swd(a, torch.from_numpy(b), directions=16) == first
    assert metrics.swd(a, b, seed=1, directions=16) != first
    assert metrics.swd(a, a, directions=16) == {32: 0, 16: 0}
    with pytest.raises(KinesphereError, match="one shape"):
        metrics.swd(a, noisy(4, 16))
    with pytest.raises(KinesphereError, match="7 px"):
        metrics.swd(a[..., :5, :5], b[..., :5, :5])


# ---- Fréchet distance ------------------------------------------------------------------------------------------------


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_frechet_distance_of_diagonal_covariances(dim: int, seed: int) -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2, with deviations of zero among them."""
    random = np.random.default_rng(seed)
    m1, m2, s1, s2 = random.standard_normal((4, dim))
    s1, s2 = np.abs(s1) * random.integers(0, 2, dim), np.abs(s2)
    ours = metrics.frechet_distance(m1, np.diag(s1**2), m2, np.diag(s2**2))
    assert ours == pytest.approx(np.square(m1 - m2).sum() + np.square(s1 - s2).sum(), abs=1e-6)


@pytest.mark.parametrize(("n", "m", "dim"), [(300, 200, 20), (300, 15, 20), (12, 10, 20)])
def test_fid_is_scipys_sqrtm_of_the_covariances(n: int, m: int, dim: int) -> None:
    """More pictures than dimensions, fewer on one side (its covariance is singular), fewer on both."""
    a, b = cloud(n, dim) @ cloud(dim, dim, 7), cloud(m, dim, 1) @ cloud(dim, dim, 8) + 1
    means, covs = (a.mean(0), b.mean(0)), (np.cov(a, rowvar=False), np.cov(b, rowvar=False))
    values = scipy.linalg.eigvals(covs[0].astype(np.float64) @ covs[1].astype(np.float64))
    expected = (
        np.square(means[0] - means[1]).sum()
        + np.trace(covs[0] + covs[1])
        - 2 * np.sqrt(values.astype(complex)).real.sum()
    )
    if min(n, m) > dim:
        root = scipy.linalg.sqrtm(covs[0] @ covs[1]).real
        assert expected == pytest.approx(
            np.square(means[0] - means[1]).sum() + np.trace(covs[0] + covs[1] - 2 * root), rel=1e-5
        )
    assert metrics.fid(a, b) == pytest.approx(expected, rel=1e-4)
    assert metrics.frechet_distance(means[0], covs[0], means[1], covs[1]) == pytest.approx(expected, rel=1e-4)
    assert metrics.fid(a, a) == pytest.approx(0, abs=1e-6)


def test_fid_needs_two_pictures() -> None:
    with pytest.raises(KinesphereError, match="2 or more"):
        metrics.fid(cloud(1, 3), cloud(9, 3))


# ---- kernel distance -------------------------------------------------------------------------------------------------


def mmd_by_loops(x: np.ndarray, y: np.ndarray) -> float:
    """Bińkowski et al. (2018), term by term."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (float(np.dot(a.astype(np.float64), b.astype(np.float64))) / len(a) + 1) ** 3

    xx = np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
    yy = np.mean([k(y[i], y[j]) for i in range(len(y)) for j in range(len(y)) if i != j])
    return float(xx + yy - 2 * np.mean([k(a, b) for a in x for b in y]))


def test_kid_is_the_double_loop() -> None:
    a, b = cloud(15, 6), cloud(12, 6, 1, scale=1.5) + 0.3
    assert metrics.polynomial_mmd(a, b) == pytest.approx(mmd_by_loops(a, b))
    assert metrics.kid(a[:12], b) == pytest.approx(mmd_by_loops(a[:12], b))  # one subset is all there is
    drawn = np.random.default_rng(3)
    subsets = []
    for _ in range(4):
        i, j = drawn.choice(15, 9, replace=False), drawn.choice(12, 9, replace=False)
        subsets.append(mmd_by_loops(a[i], b[j]))
    assert metrics.kid(a, b, subsets=4, size=9, seed=3) == pytest.approx(np.mean(subsets))


def test_kid_has_no_bias_where_fid_has() -> None:
    """Sets of 20 from one Gaussian: KID is 0 on the average, within its standard error; FID is always above."""
    values = [(metrics.kid(cloud(20, 8, 2 * i), cloud(20, 8, 2 * i + 1))) for i in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / math.sqrt(300)
    assert np.std(values) > 0
    assert metrics.fid(cloud(20, 8), cloud(20, 8, 1)) > 1
    with pytest.raises(KinesphereError, match="2 or more"):
        metrics.kid(cloud(1, 8), cloud(5, 8))


# ---- precision and recall --------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(6, 40), st.integers(6, 40), st.integers(1, 4), st.integers(0, 10**6))
def test_precision_recall_density_coverage_are_scikit_learns_neighbours(n: int, m: int, k: int, seed: int) -> None:
    from sklearn.neighbors import NearestNeighbors

    a, b = cloud(n, 3, seed), cloud(m, 3, seed + 1) + 0.7

    def inside(centres: np.ndarray, points: np.ndarray) -> np.ndarray:
        radii = NearestNeighbors(n_neighbors=k).fit(centres.astype(np.float64)).kneighbors()[0][:, -1]
        return np.linalg.norm(centres[:, None].astype(np.float64) - points[None], axis=2) <= radii[:, None]

    ab, ba = inside(a, b), inside(b, a)
    assert metrics.precision_recall(a, b, k) == pytest.approx((ab.any(0).mean(), ba.any(0).mean()))
    assert metrics.density_coverage(a, b, k) == pytest.approx((ab.sum(0).mean() / k, ab.any(1).mean()))


def test_precision_sees_strays_and_recall_sees_what_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two far groups in the data: fakes of one group only are precise and recall half; fakes far from both, neither."""
    left, right = cloud(200, 4), cloud(200, 4, 1) + 50
    data = np.concatenate([left, right])
    precision, recall = metrics.precision_recall(data, cloud(200, 4, 2))
    assert precision > 0.8 and 0.4 < recall <= 0.5
    monkeypatch.setattr("kinesphere.train.metrics.support.ROWS", 33)  # in chunks, the same
    assert metrics.precision_recall(data, cloud(200, 4, 2)) == (precision, recall)
    assert metrics.precision_recall(data, cloud(200, 4, 3) - 50) == (0, 0)
    assert metrics.precision_recall(left, left) == (1, 1)
    with pytest.raises(KinesphereError, match="4 or more"):
        metrics.precision_recall(data, data[:3])


# ---- perceptual path length ------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """A generator whose picture is a matrix times w, and w a matrix times z (or z turned to unit length)."""

    def __init__(self, spherical: bool = False) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.z_dim, self.c_dim, self.num_ws, self.img_resolution = 8, 0, 3, 4
        self.w_avg = torch.randn(5, generator=random)
        self.M = torch.randn(8, 5, generator=random)
        self.A = torch.randn(15, 48, generator=random)
        self.spherical = spherical

    def mapping(self, z: Tensor, c: Tensor | None = None, truncation_psi: float = 1) -> Tensor:
        w = z @ self.M if c is None else z @ self.M + c
        return (self.w_avg + truncation_psi * (w - self.w_avg))[:, None].repeat(1, 3, 1)

    def synthesis(self, ws: Tensor, noise_mode: str = "const") -> Tensor:
        return (ws.double().flatten(1) @ self.A.double()).reshape(-1, 3, 4, 4)


def squared(a: Tensor, b: Tensor) -> Tensor:
    return (a.double() - b.double()).square().sum((1, 2, 3))


def pairs(count: int, z_dim: int = 8) -> tuple[np.ndarray, np.ndarray]:
    zs = np.stack([np.random.RandomState(seed).randn(z_dim) for seed in range(2 * count)])
    return zs[::2], zs[1::2]


@pytest.mark.parametrize("sampling", ["end", "full"])
def test_path_length_of_a_straight_generator_in_w(sampling: str) -> None:
    """The picture moves by A (w1 - w0) epsilon, wherever on the line: the mean of |A (w1 - w0)|^2; psi shortens it by psi^2."""
    G = Linear()
    a, b = pairs(40)
    moved = np.tile((b - a) @ G.M.double().numpy(), 3) @ G.A.double().numpy()
    expected = np.square(moved).sum(1).mean()
    length = metrics.ppl(G, squared, 40, sampling=sampling, trim=0, epsilon=1e-2, batch=7)
    assert length == pytest.approx(expected, rel=1e-3)
    assert metrics.ppl(G, squared, 40, trim=0, psi=0.5, epsilon=1e-2) == pytest.approx(expected / 4, rel=1e-3)
    assert metrics.ppl(G, squared, 40, trim=0) == pytest.approx(expected, rel=0.02)  # 1e-4 in single precision


def test_path_length_of_a_turn_in_z() -> None:
    """Of two orthogonal unit latents, the point on the circle moves at pi / 2 per unit of t; the picture as the matrix says."""
    G = Linear()
    a, b = pairs(30)
    lengths = []
    for x, y in zip(a, b, strict=True):
        r, s = np.linalg.norm(x), np.linalg.norm(y)
        u, v = x / r, y / s
        angle = math.acos(u @ v)
        turn = (v - u * math.cos(angle)) / math.sin(angle)  # where u turns to
        velocity = r * angle * turn + (s - r) * u  # at t = 0, the length changing evenly
        lengths.append(np.square(np.tile(velocity @ G.M.double().numpy(), 3) @ G.A.double().numpy()).sum())
    length = metrics.ppl(G, squared, 30, space="z", trim=0, epsilon=1e-3)
    assert length == pytest.approx(np.mean(lengths), rel=5e-3)


def test_path_length_leaves_out_the_extremes_and_refuses_nonsense() -> None:
    G = Linear()
    a, b = pairs(10)
    moved = np.sort(np.square(np.tile((b - a) @ G.M.double().numpy(), 3) @ G.A.double().numpy()).sum(1))
    assert metrics.ppl(G, squared, 10, trim=0.15, epsilon=1e-2) == pytest.approx(moved[1:-1].mean(), rel=1e-3)
    for wrong in ({"space": "x"}, {"sampling": "middle"}, {"count": 0}, {"epsilon": 0.0}, {"trim": 0.5}):
        with pytest.raises(KinesphereError, match="choose|take"):
            metrics.ppl(G, squared, **wrong)


# ---- networks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["filterbank", "vgg16:random:0"])
def test_feature_networks_describe_each_picture_by_itself(text: str) -> None:
    eye = metrics.open_features(text)
    if text != "filterbank":
        eye = metrics.NetworkFeatures(
            "vgg16", eye.network, ("conv2_1",), ("conv1_2",)
        )  # fc2 would draw 500 MB of random weights
        eye.network.size = 64
    pictures = torch.from_numpy(noisy(3))
    seen = eye(pictures)
    assert seen.dtype == np.float32 and len(seen) == 3
    np.testing.assert_allclose(eye(pictures[1:2])[0], seen[1], rtol=1e-3, atol=1e-4)
    assert eye.name == text.partition(":")[0]
    a = torch.from_numpy(noisy(2, seed=3)).float() / 127.5 - 1
    apart = eye.distance(a, a + torch.tensor([0.0, 0.02])[:, None, None, None] * torch.randn_like(a))
    assert apart[0] == 0 and apart[1] > 0


def test_features_are_means_and_deviations() -> None:
    maps = torch.randn(2, 4, 5, 6)
    both = looking.described(maps)
    np.testing.assert_allclose(both[:, :4], maps.numpy().mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(both[:, 4:], maps.numpy().std((2, 3)), atol=1e-6)
    assert looking.described(maps[:, :, :1, :1]).shape == (2, 4)


def test_grey_and_alpha_become_rgb() -> None:
    grey, clear = torch.from_numpy(noisy(1, channels=1)), torch.from_numpy(noisy(1, channels=4))
    assert (looking.rgb(grey) == grey).all() and looking.rgb(grey).shape[1] == 3
    over_black = clear[:, :3].double() * clear[:, 3:].double() / 255
    assert (looking.rgb(clear).double() - over_black).abs().max() <= 0.5


@pytest.mark.parametrize(
    "text", ["lpips", "inception", "vgg16", "filterbank:x.pth", "discriminator", "inception:none.pth"]
)
def test_a_network_that_cannot_be_opened_says_what_to_do(text: str) -> None:
    with pytest.raises(KinesphereError, match="choose|give the path|takes none|training checkpoint|no such file"):
        metrics.open_features(text)


# ---- InceptionV3 -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in inception.parameters():
        if name.endswith("conv.weight"):
            state[name] = torch.randn(shape, generator=random) * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith(("bn.weight", "running_var")):
            state[name] = torch.rand(shape, generator=random) + 0.5
        else:
            state[name] = torch.randn(shape, generator=random) * 0.1
    state["fc.weight"], state["fc.bias"] = torch.zeros(1008, 8), torch.zeros(1008)  # not read
    state["Conv2d_1a_3x3.bn.num_batches_tracked"] = torch.tensor(0)
    path = tmp_path_factory.mktemp("inception") / "inception.pth"
    torch.save(state, path)
    return path


def test_inception_has_the_published_number_of_parameters() -> None:
    """23,834,568 of InceptionV3 without its side branch, less the classifier's 1000 x 2049."""
    shapes = [shape for name, shape in inception.parameters() if not name.rsplit(".", 1)[1].startswith("running")]
    assert sum(math.prod(shape) for shape in shapes) == 23_834_568 - 1000 * 2049
    assert len(list(inception.convolutions())) == 94


def test_inception_sees_pictures_as_its_layers_say(inception_file: Path) -> None:
    eye = inception.Inception(inception_file)
    pictures = torch.from_numpy(noisy(2, smooth=2))
    seen = eye(pictures)
    assert seen.shape == (2, 2048) and seen.dtype == np.float32
    assert np.isfinite(seen).all() and not np.allclose(seen[0], seen[1], rtol=1e-3)

    state = torch.load(inception_file, weights_only=True)

    def conv(name: str, x: Tensor, **kwargs: Any) -> Tensor:
        """As the paper writes it: convolution, batch normalisation, ReLU."""
        x = F.conv2d(x, state[f"{name}.conv.weight"], **kwargs)
        mean, variance, weight, bias = (
            state[f"{name}.bn.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, variance, weight, bias, eps=1e-3).relu()

    x = F.interpolate(pictures.float() / 127.5 - 1, 299, mode="bilinear")
    stem = conv("Conv2d_2b_3x3", conv("Conv2d_2a_3x3", conv("Conv2d_1a_3x3", x, stride=2)), padding=1)
    stem = conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", F.max_pool2d(stem, 3, 2)))
    stem = F.max_pool2d(stem, 3, 2)
    assert stem.shape == (2, 192, 35, 35)
    torch.testing.assert_close(eye._stem(x), stem, rtol=1e-3, atol=1e-4)

    x = torch.rand(1, 192, 35, 35)
    five = conv("Mixed_5b.branch5x5_2", conv("Mixed_5b.branch5x5_1", x), padding=2)
    torch.testing.assert_close(eye._a("Mixed_5b", x)[:, 64:128], five, rtol=1e-3, atol=1e-4)

    x = torch.rand(1, 768, 17, 17)
    seven = conv("Mixed_6c.branch7x7_2", conv("Mixed_6c.branch7x7_1", x), padding=(0, 3))
    seven = conv("Mixed_6c.branch7x7_3", seven, padding=(3, 0))
    torch.testing.assert_close(eye._c("Mixed_6c", x)[:, 192:384], seven, rtol=1e-3, atol=1e-4)

    last = torch.rand(1, 2048, 8, 8)
    row = conv("Mixed_7c.branch3x3_1", last)
    one = conv("Mixed_7c.branch3x3_2b", row, padding=(1, 0))
    pool = conv("Mixed_7c.branch_pool", F.max_pool2d(last, 3, 1, 1))
    ours = eye._e("Mixed_7c", last, F.max_pool2d(last, 3, 1, 1))
    torch.testing.assert_close(ours[:, 704:1088], one, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(ours[:, 1856:], pool, rtol=1e-3, atol=1e-4)


def test_the_border_is_not_counted_in_averages() -> None:
    torch.testing.assert_close(inception.average(torch.ones(1, 1, 5, 5)), torch.ones(1, 1, 5, 5))


def test_wrong_inception_weights_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(1, 3, 3, 3)}, path)
    with pytest.raises(
        KinesphereError, match=r"'Conv2d_1a_3x3.conv.weight' is \[1, 3, 3, 3\] instead of \[32, 3, 3, 3\]"
    ):
        inception.Inception(path)
    with pytest.raises(KinesphereError, match="missing.*and 467 more"):
        inception.Inception(path)
    program = tmp_path / "inception-2015-12-05.pt"
    with zipfile.ZipFile(program, "w") as archive:  # what torch.jit.save writes, in outline
        for entry in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"inception/{entry}", b"N.")
    with pytest.raises(KinesphereError, match="TorchScript program"):
        inception.Inception(program)
    path.write_bytes(b"no weights")
    with pytest.raises(KinesphereError, match="give the path of"):
        inception.Inception(path)


# ---- a generator against data ----------------------------------------------------------------------------------------


def drawn(G: nn.Module, seeds: range, c: Tensor | None = None) -> np.ndarray:
    from kinesphere.latent import seeds_to_z
    from kinesphere.ops import to_pixels

    with torch.no_grad():
        return to_pixels(G(seeds_to_z(seeds, G.z_dim), c)).permute(0, 3, 1, 2).numpy()  # type: ignore[arg-type]


def test_evaluate_measures_the_pictures_of_the_seeds() -> None:
    G = tiny_generator("stylegan2")
    data = Shown(noisy(30, smooth=2))
    values = metrics.evaluate(G, data, ("swd", "kid", "fid", "pr", "dc"), 24, Means(), seed=4, batch=24)
    fakes = drawn(G, range(4, 28))
    assert values.keys() == {"swd32", "swd16", "swd", *(f"{n}_means" for n in (
        "kid", "fid", "precision", "recall", "density", "coverage"))}  # fmt: skip
    used = data.pictures[np.random.default_rng((4, 1)).permutation(30)[:24]]
    levels = metrics.swd(used, fakes, seed=4)
    assert values["swd32"] == pytest.approx(levels[32])
    assert values["swd"] == pytest.approx((levels[32] + levels[16]) / 2)
    eye = Means()
    a, b = eye(torch.from_numpy(used)), eye(torch.from_numpy(fakes))
    assert values["fid_means"] == pytest.approx(metrics.fid(a, b), rel=1e-3)
    assert values["kid_means"] == pytest.approx(1e3 * metrics.kid(a, b), rel=1e-3)


def test_a_perfect_generator_reaches_the_floor_and_another_does_not() -> None:
    """Data that the generator itself drew from other seeds: as near as the data's halves are to each other."""
    G, other = tiny_generator("stylegan2"), tiny_generator("stylegan1")
    data = Shown(drawn(G, range(1000, 1100)))
    floor = metrics.halves(data, ("swd", "kid"), 50)
    good = metrics.evaluate(G, data, ("swd", "kid"), 50)
    bad = metrics.evaluate(other, data, ("swd", "kid"), 50)
    assert good["swd"] < 1.5 * floor["swd"] < bad["swd"]
    assert good["kid_filterbank"] < bad["kid_filterbank"] / 10


def test_progress_counts_every_picture_and_runs_repeat() -> None:
    G = tiny_generator("stylegan2")
    data = Shown(noisy(10))
    told: list[tuple[int, int]] = []
    values = metrics.evaluate(G, data, ("swd", "ppl"), 12, batch=5, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (34, 34) and [done for done, _ in told] == sorted(done for done, _ in told)
    assert values["ppl_filterbank"] > 0
    assert metrics.evaluate(G, data, ("swd", "ppl"), 12, batch=5) == values
    told.clear()
    metrics.halves(data, ("swd", "ppl"), 3, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (6, 6)


def test_a_conditional_model_is_given_the_classes_of_the_data() -> None:
    G = tiny_generator("stylegan2", c_dim=3)
    labels = np.eye(3, dtype=np.float32)[np.full(8, 2)]
    data = Shown(noisy(8), labels)
    values = metrics.evaluate(G, data, ("fid",), 8, Means())
    seen = Means()(torch.from_numpy(drawn(G, range(8), torch.from_numpy(labels))))
    real = Means()(torch.from_numpy(data.pictures))
    assert values["fid_means"] == pytest.approx(metrics.fid(real, seen), rel=1e-3)
    for wrong in (None, labels[:, :2]):
        with pytest.raises(KinesphereError, match="3 classes"):
            metrics.evaluate(G, Shown(data.pictures, wrong), ("fid",), 8)


def test_what_cannot_be_measured_is_refused_with_the_way_out() -> None:
    G = tiny_generator("stylegan2")
    data = Shown(noisy(4))
    with pytest.raises(KinesphereError, match="no metric 'is', 'fdi': choose swd, fid, kid, pr, dc, ppl"):
        metrics.evaluate(G, data, ("is", "fdi", "swd"))
    with pytest.raises(KinesphereError, match="count 0"):
        metrics.evaluate(G, data, count=0)
    with pytest.raises(KinesphereError, match="seed -1"):
        metrics.halves(data, seed=-1)
    with pytest.raises(KinesphereError, match="import the data at 32 px"):
        metrics.evaluate(G, Shown(noisy(4, 16)), count=2)
    assert torch.is_grad_enabled()
    with pytest.raises(KinesphereError, match="two halves"):
        metrics.halves(Shown(noisy(1)))
    with pytest.raises(KinesphereError, match="take filterbank or vgg16"):
        metrics.evaluate(G, data, ("ppl",), 2, Means())


def test_every_metric_has_its_line() -> None:
    for name, metric in metrics.METRICS.items():
        assert name.isidentifier() and metric.about and "\n" not in metric.about
        assert metric.sees in ("patches", "features", "generator")
    assert evaluation.METRICS is metrics.METRICS


def test_the_distance_of_path_lengths_is_that_of_unit_feature_vectors() -> None:
    """Zhang et al. (2018), eq. 1 by hand, on pictures that need no resizing; small steps are not rounded away."""
    eye = metrics.open_features("filterbank")
    assert isinstance(eye, metrics.NetworkFeatures)
    a = torch.from_numpy(noisy(2, 160, smooth=1)).float() / 127.5 - 1
    b = a + 1e-4 * torch.randn_like(a)
    expected = np.zeros(2)
    for name in eye.network.layers():
        x, y = (eye.network(p / 2 + 0.5, (name,))[name].double().numpy() for p in (a, b))
        x, y = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (x, y))
        expected += np.square(x - y).sum(1).mean((1, 2))
    np.testing.assert_allclose(eye.distance(a, b), expected, rtol=1e-2)
    assert (eye.distance(a, b) > 0).all()
