"""How far apart two pictures are: to their pixels, to VGG16, as people said, in the details and through a mask."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from kinesphere.studio import perceptual
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTHS = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]]


@pytest.fixture(scope="module")
def weights():
    """The convolutions of a VGG16 that was never trained, by torchvision's names, and LPIPS's heads for it."""
    dice, state, inputs, index = torch.Generator().manual_seed(0), {}, 3, 0
    for block in WIDTHS:
        for outputs in block:
            deviation = (2 / (9 * inputs)) ** 0.5
            state[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=dice) * deviation
            state[f"features.{index}.bias"] = torch.randn(outputs, generator=dice) * 0.1
            inputs, index = outputs, index + 2
        index += 1
    heads = {f"lin{i}.model.1.weight": torch.rand(1, block[-1], 1, 1, generator=dice) for i, block in enumerate(WIDTHS)}
    return state, heads


@pytest.fixture(scope="module")
def files(weights, tmp_path_factory):
    """The same as the two files that people have."""
    folder = tmp_path_factory.mktemp("weights")
    paths = folder / "vgg16-397923af.pth", folder / "vgg.pth"
    for path, state in zip(paths, weights, strict=True):
        torch.save(state, path)
    return paths


@pytest.fixture(scope="module")
def lpips(files):
    return perceptual.lpips(*files)


def pictures(*shape, seed=0, blur=3):
    """Two different ones of noise that is coarser than a pixel, [N, C, H, W] in [-1, 1]."""
    dice = torch.Generator().manual_seed(seed)
    noise = torch.rand(2 * shape[0], *shape[1:], generator=dice) * 2 - 1
    return F.avg_pool2d(noise, blur, 1, blur // 2).chunk(2)


def published(a, b, state, heads):
    """LPIPS as its paper has it, written out in float64: [N, 3, H, W] twice, in [-1, 1] -> [N]."""
    shift = torch.tensor([-0.030, -0.088, -0.188], dtype=torch.float64)[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450], dtype=torch.float64)[:, None, None]
    x, index, total = torch.cat([a, b]).double(), 0, 0
    x = (x - shift) / scale
    for i, block in enumerate(WIDTHS):
        for _ in block:
            x = F.conv2d(
                x, state[f"features.{index}.weight"].double(), state[f"features.{index}.bias"].double(), padding=1
            )
            x, index = F.relu(x), index + 2
        y, z = (x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10)).chunk(2)
        head = heads[f"lin{i}.model.1.weight"][0].double()
        total = total + (head * (y - z) ** 2).sum(1).mean((1, 2))
        x, index = F.max_pool2d(x, 2, 2), index + 1
    return total


# The pixels


def test_a_change_of_light_counts_once_at_each_size():
    a, _ = pictures(2, 3, 64, 64)
    torch.testing.assert_close(perceptual.distance(a * 0.5 + 0.1, a * 0.5), torch.full((2,), 0.1 * perceptual.SCALES))


# VGG16


def test_lpips_is_the_published_one(lpips, weights):
    a, b = pictures(3, 3, 64, 96)
    expected = published(a, b, *weights)
    assert bool((expected > 0.05).all())
    torch.testing.assert_close(lpips(a, b).double(), expected, rtol=1e-5, atol=0)


def test_vgg_counts_every_channel_alike(files, weights):
    a, b = pictures(2, 3, 48, 48)
    state, heads = weights
    ones = {name: torch.ones_like(head) for name, head in heads.items()}
    torch.testing.assert_close(perceptual.vgg(files[0])(a, b).double(), published(a, b, state, ones), rtol=1e-5, atol=0)


def test_files_of_all_kinds_are_read_alike(lpips, weights, tmp_path):
    a, b = pictures(1, 3, 32, 32)
    for save, name in ((torch.save, "new.pth"), (old, "old.pth"), (save_file, "st.safetensors")):
        save(weights[1], tmp_path / name)
        heads = perceptual.read_heads(tmp_path / name)
        assert all(torch.equal(head, other) for head, other in zip(heads, weights[1].values(), strict=True))
    save_file(weights[0], tmp_path / "vgg.safetensors")
    again = perceptual.lpips(tmp_path / "vgg.safetensors", tmp_path / "old.pth")
    assert torch.equal(again(a, b), lpips(a, b))


def old(state, path):
    torch.save(state, path, _use_new_zipfile_serialization=False)  # as the published file is


@pytest.mark.parametrize("shape", [(1, 3, 512, 512), (1, 3, 128, 512)])
def test_large_pictures_are_averaged_down_to_256(lpips, shape):
    a, b = pictures(*shape)
    torch.testing.assert_close(lpips(a, b), lpips(F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)), rtol=1e-5, atol=0)


def test_the_same_picture_is_no_distance_away_and_the_gradient_is_a_number_even_of_nothing(files, weights, tmp_path):
    silent = {name: torch.zeros_like(tensor) for name, tensor in weights[0].items()}
    torch.save(silent, tmp_path / "silent.pth")
    for file in (files[0], tmp_path / "silent.pth"):
        a = torch.zeros(1, 3, 32, 32, requires_grad=True)
        apart = perceptual.lpips(file, files[1])(a, a.detach().clone())
        (gradient,) = torch.autograd.grad(apart.sum(), a)
        assert float(apart.detach()) == 0 and not gradient.any()


def test_the_goal_stands_still_and_may_be_one_for_all(lpips):
    a, b = (x.requires_grad_() for x in (x.clone() for x in pictures(2, 3, 32, 32)))
    given, still = torch.autograd.grad(lpips(a, b)[1], (a, b), allow_unused=True)
    assert still is None and bool(given[1].any()) and not given[0].any()
    with torch.no_grad():
        torch.testing.assert_close(lpips(a, b[:1]), lpips(a, b[:1].expand(2, -1, -1, -1)))


def test_grey_is_repeated_and_alpha_left_out(lpips):
    a, b = pictures(2, 1, 32, 32)
    coloured = [x.expand(-1, 3, -1, -1) for x in (a, b)]
    torch.testing.assert_close(lpips(a, b), lpips(*coloured))
    alpha = [torch.cat([x, torch.rand(2, 1, 32, 32)], 1) for x in coloured]
    torch.testing.assert_close(lpips(*alpha), lpips(*coloured))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((1, 2, 32, 32), (1, 2, 32, 32), "pictures of 2 channels: VGG16 sees grey"),
        ((1, 3, 8, 32), (1, 3, 8, 32), "32 x 8 pixels: give at least 16"),
        ((1, 3, 32, 32), (1, 3, 64, 64), r"\[1, 3, 32, 32\] and \[1, 3, 64, 64\] cannot be compared"),
        ((2, 3, 32, 32), (3, 3, 32, 32), "cannot be compared"),
    ],
)
def test_pictures_that_it_cannot_compare_are_refused(lpips, a, b, words):
    with pytest.raises(KinesphereError, match=words):
        lpips(torch.zeros(a), torch.zeros(b))


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


def heads_of(widths, value=0.5):
    return {f"lin{i}.model.1.weight": torch.full((1, width, 1, 1), value) for i, width in enumerate(widths)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"not the heads of anything", "no pickle"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "no 'lin0.model.1.weight' in this file"),
        ([1, 2], "no 'lin0.model.1.weight' in this file"),
        (heads_of([64, 192, 384, 256, 256]), r"\[1, 192, 1, 1\], VGG16's is \[1, 128, 1, 1\].*other networks"),
        (heads_of([64, 128, 256, 512, 512], -0.1), "numbers below 0"),
        (heads_of([64, 128, 256, 512, 512], float("nan")), "or none at all"),
        ({"lin0.model.1.weight": Bomb()}, "run"),
    ],
)
def test_a_file_that_holds_no_heads_is_named_with_the_way_out(tmp_path, content, words):
    path = tmp_path / "heads.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(KinesphereError, match=f"(?s)heads.pth.*{words}.*give the path of LPIPS's vgg.pth"):
        perceptual.lpips("random:0", path)


def test_a_safetensors_file_that_is_none_is_named(tmp_path):
    (tmp_path / "heads.safetensors").write_bytes(b"no tensors at all, and longer than eight bytes")
    with pytest.raises(KinesphereError, match="(?s)heads.safetensors.*cannot be read.*vgg.pth"):
        perceptual.read_heads(tmp_path / "heads.safetensors")


def test_heads_in_the_place_of_the_network_are_refused(files):
    with pytest.raises(KinesphereError, match="(?s)vgg.pth.*no 'features.0.weight'.*vgg16-397923af.pth"):
        perceptual.vgg(files[1])


# Crops


class Watching:
    """A distance that keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, a, b):
        self.shown.append((a, b))
        return (a - b).abs().mean((1, 2, 3))


def numbered(height, width):
    """A picture whose every pixel says where it is."""
    return torch.arange(height * width, dtype=torch.float32).view(1, 1, height, width)


def cut(**how):
    watching = Watching()
    perceptual.crops(watching, size=8, **how)(numbered(32, 24), numbered(32, 24) + 0.5)
    return watching.shown


def test_crops_are_the_pictures_own_pixels_cut_alike_from_both():
    whole, *crops = cut(count=20)
    assert whole[0].shape == (1, 1, 32, 24) and len(crops) == 20
    for a, b in crops:
        top, left = divmod(int(a[0, 0, 0, 0]), 24)
        assert torch.equal(a, numbered(32, 24)[..., top : top + 8, left : left + 8]) and a.shape == (1, 1, 8, 8)
        assert torch.equal(b, a + 0.5)
    assert len({float(a[0, 0, 0, 0]) for a, _ in crops}) > 10


def test_where_they_are_cut_follows_from_the_seed_and_the_step():
    def corners(**how):
        return [float(a[0, 0, 0, 0]) for a, _ in cut(count=6, **how)]

    assert corners(seed=1, step=7) == corners(seed=1, step=7)
    assert len({tuple(corners(seed=seed, step=step)) for seed in (0, 1) for step in (0, 1)}) == 4


def test_with_a_largest_they_are_of_every_octave_and_averaged_down():
    watching = Watching()
    a = torch.arange(64.0).expand(1, 1, 64, 64)  # a ramp, whose slope tells how large a square was
    perceptual.crops(watching, size=8, count=300, largest=64)(a, a)
    _, *crops = watching.shown
    assert {seen.shape for seen, _ in crops} == {(1, 1, 8, 8)}
    sides = torch.tensor([8 * float(seen[0, 0, 0].diff().mean()) for seen, _ in crops])
    assert sides.min() > 7.9 and sides.max() < 64.1
    octaves = (sides / 8).log2().clamp(0, 2.999).int().bincount()
    assert (octaves / 300 - 1 / 3).abs().max() < 0.1


def test_crops_add_their_mean_by_its_weight():
    a, b = pictures(2, 3, 32, 32)
    one = perceptual.crops(lambda a, b: torch.ones(len(a)), size=8, count=5, weight=0.25)
    torch.testing.assert_close(one(a, b), torch.full((2,), 1.25))


def test_of_small_pictures_nothing_is_cut_and_of_narrow_ones_what_there_is():
    a, b = pictures(2, 3, 32, 32)
    assert torch.equal(perceptual.crops(perceptual.distance, size=32)(a, b), perceptual.distance(a, b))
    watching = Watching()
    perceptual.crops(watching, size=24, count=3)(a[..., :16], b[..., :16])
    assert [seen.shape[2:] for seen, _ in watching.shown] == [(32, 16), (24, 16), (24, 16), (24, 16)]


def test_crops_see_what_averaging_hides(lpips):
    a, _ = pictures(1, 3, 512, 512)
    grain = 0.2 * (1 - 2 * ((torch.arange(512)[:, None] + torch.arange(512)) % 2))  # a chequered one, of single pixels
    whole, near = lpips(a + grain, a), perceptual.crops(lpips, count=1)(a + grain, a)
    assert float(whole) < 1e-6 and float(near) > 1e-3


@pytest.mark.parametrize(
    "how", [{"size": 0}, {"count": 0}, {"weight": -1.0}, {"weight": float("nan")}, {"largest": 255}]
)
def test_crops_that_cannot_be_are_refused(how):
    with pytest.raises(KinesphereError, match="give at least 1, 1, 0 and"):
        perceptual.crops(perceptual.distance, **how)


# Masks


def hole(height, width):
    """Half of it hidden, a soft edge between."""
    return (torch.arange(width) / (width / 4) - 1).clamp(0, 1).expand(1, 1, height, width)


@pytest.fixture(params=["pixels", "lpips", "crops"])
def base(request, lpips):
    near = perceptual.crops(perceptual.distance, size=16)
    return {"pixels": perceptual.distance, "lpips": lpips, "crops": near}[request.param]


def test_what_lies_in_the_hole_has_no_part_in_it(base):
    mask = hole(32, 32)
    a, b = pictures(2, 3, 32, 32)
    other = torch.where(mask > 0, a, torch.nan).requires_grad_()
    apart = perceptual.masked(base, mask)(other, b)
    (gradient,) = torch.autograd.grad(apart.sum(), other)
    hidden = (mask == 0).expand_as(gradient)
    assert torch.equal(apart, perceptual.masked(base, mask)(a, b)) and bool((apart > 0).all())
    assert bool((gradient[hidden] == 0).all()) and bool(gradient[~hidden].isfinite().all()) and bool(gradient.any())


def test_a_mask_of_ones_changes_nothing_and_one_of_zeros_leaves_nothing(base):
    a, b = pictures(2, 3, 32, 32)
    assert torch.equal(perceptual.masked(base, torch.ones(1, 1, 32, 32))(a, b), base(a, b))
    assert torch.equal(perceptual.masked(base, torch.zeros(1, 1, 32, 32))(a, b), torch.zeros(2))


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (torch.ones(32, 32), r"a mask \[32, 32\] is none: needed is \[1, 1, height, width\]"),
        (torch.full((1, 1, 32, 32), 255.0), "from 0 to 1"),
        (torch.full((1, 1, 32, 32), torch.nan), "from 0 to 1"),
        (torch.ones(1, 1, 16, 16), "does not fit pictures"),
    ],
)
def test_a_mask_that_is_none_is_refused(mask, words):
    with pytest.raises(KinesphereError, match=words):
        perceptual.masked(perceptual.distance, mask)(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))
