"""Augmentation against scipy, numpy and closed forms; its chances by counting; its gradients by differences."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.train import augment
from kinesphere.train.augment import SETS, Adaptive, Augment, colour_matrix, geometry_matrix, recolour, warp
from kinesphere.train.draws import Draws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

angles = st.floats(-math.pi, math.pi)
octaves = st.floats(-0.5, 0.5)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Waves:
    """A picture that is known everywhere: cosines that are mirrored at the outermost pixels of their own accord."""

    def __init__(self, height, width, modes, seed=0):
        self.size = np.array([height, width])
        self.weights = np.random.RandomState(seed).randn(modes, modes)

    def __call__(self, y, x):
        vertical, horizontal = (
            np.cos(np.pi * np.arange(len(self.weights)) * np.asarray(v)[..., None] / (n - 1))
            for v, n in ((y, self.size[0]), (x, self.size[1]))
        )
        return np.einsum("...i,ij,...j->...", vertical, self.weights, horizontal)

    def picture(self):
        return self(*np.mgrid[: self.size[0], : self.size[1]])

    def moved(self, matrix):
        """The picture after a matrix that acts on pixels from the centre, x right, y down."""
        y, x = np.mgrid[: self.size[0], : self.size[1]]
        cy, cx = (self.size - 1) / 2
        back = np.linalg.inv(matrix) @ np.stack([x.ravel() - cx, y.ravel() - cy, np.ones(x.size)])
        return self((back[1] + cy).reshape(self.size), (back[0] + cx).reshape(self.size))


def psnr(a, b):
    return 10 * math.log10(np.ptp(b) ** 2 / max(float(np.mean((np.asarray(a) - b) ** 2)), 1e-30))


# --- the wavelets


@pytest.mark.parametrize(("taps", "moments"), [(augment.SYM6, 6), (augment.SYM2, 2)])
def test_wavelets_have_the_properties_that_define_them(taps, moments):
    h, n = np.array(taps), len(taps)
    assert h.sum() == pytest.approx(math.sqrt(2), abs=1e-12)
    shifts = [h[2 * k :] @ h[: n - 2 * k] for k in range(n // 2)]
    np.testing.assert_allclose(shifts, np.eye(1, n // 2)[0], atol=2e-12)
    for m in range(moments):
        powers = (np.arange(n) / n) ** m
        assert abs((-1.0) ** np.arange(n) * powers @ h) < 1e-11, m
    assert abs((-1.0) ** np.arange(n) * (np.arange(n) / n) ** moments @ h) > 1e-4


# --- geometry


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_flips_and_quarter_turns_copy_pixels(flip, quarters, size):
    img = noise(2, 3, size, size)
    want = torch.rot90(img.flip(3) if flip else img, quarters, [2, 3])
    assert torch.equal(warp(img, geometry_matrix(flip=flip, quarters=quarters).expand(2, 3, 3)), want)


@settings(max_examples=30)
@given(x=st.integers(-30, 30), y=st.integers(-30, 30))
def test_whole_shifts_copy_pixels_of_the_mirrored_picture(x, y):
    img = noise(1, 2, 9, 12)
    wide = np.pad(img[0].numpy(), [(0, 0), (40, 40), (40, 40)], mode="reflect")
    want = wide[:, 40 - y : 49 - y, 40 - x : 52 - x]
    assert np.array_equal(warp(img, geometry_matrix(shift_x=x, shift_y=y))[0].numpy(), want)


@settings(max_examples=40)
@given(
    size=st.sampled_from([(32, 32), (40, 27), (64, 64)]),
    flip=st.integers(0, 1),
    quarters=st.integers(0, 3),
    scale=octaves,
    pre=angles,
    stretch=octaves,
    post=angles,
    move_x=st.floats(-60, 60),
    move_y=st.floats(-60, 60),
)
def test_a_warped_picture_is_the_picture_looked_up_elsewhere(size, scale, stretch, **moves):
    """Everywhere, also where the mirrored outside comes into view, and however far away."""
    waves = Waves(*size, modes=4)
    matrix = geometry_matrix(scale=2**scale, stretch=2**stretch, **moves)
    got = warp(torch.tensor(waves.picture())[None, None], matrix)[0, 0].numpy()
    assert psnr(got, waves.moved(matrix[0].numpy())) > 45


@pytest.mark.parametrize("moves", [{"pre": 0.4}, {"scale": 1.25, "post": 2.0}, {"move_x": 3.3, "move_y": -1.7}])
def test_warp_agrees_with_scipy_on_any_smooth_picture(moves):
    picture = scipy.ndimage.gaussian_filter(noise(48, 48).numpy(), 2.0, mode="mirror")
    matrix = geometry_matrix(**moves)[0].numpy()
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # scipy counts y first
    centre = np.eye(3) + 23.5 * np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    back = centre @ swap @ np.linalg.inv(matrix) @ swap @ np.linalg.inv(centre)
    want = scipy.ndimage.affine_transform(picture, back, order=5, mode="mirror")
    got = warp(torch.tensor(picture)[None, None], geometry_matrix(**moves))[0, 0].numpy()
    assert psnr(got, want) > 45


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.5, 0.77])
def test_a_sinusoid_moved_by_part_of_a_pixel_changes_its_phase(shift):
    x = np.arange(64)
    wave = np.broadcast_to(
        np.sin(2 * np.pi * x / 8), [64, 64]
    ).copy()  # 8 pixels a period: a quarter of what pixels can show
    got = warp(torch.tensor(wave)[None, None], geometry_matrix(move_x=shift))[0, 0].numpy()
    want = np.broadcast_to(np.sin(2 * np.pi * (x - shift) / 8), [64, 64])
    np.testing.assert_allclose(got[:, 12:-12], want[:, 12:-12], atol=0.03)


def test_resampling_alone_loses_nothing():
    """White noise, moved by next to nothing, comes back: doubling and halving are each other's inverse."""
    img = noise(1, 3, 32, 32)
    got = warp(img, geometry_matrix(move_x=1e-5))
    assert not torch.equal(got, img)
    assert (got - img).abs().max() < 1e-3


def test_a_picture_shrunk_to_a_dot_costs_no_more_than_one_period_of_mirrors():
    """Written out, the mirrored pictures that come into view would be millions of pixels wide."""
    got = warp(noise(1, 1, 16, 16), geometry_matrix(scale=1e-6, pre=0.3))
    assert got.isfinite().all() and got.abs().max() < 10


def test_moves_happen_in_the_order_of_the_paper():
    """Followed by hand: the pixel right of the centre is mirrored, turned, shifted, scaled, turned, stretched, turned, moved."""
    matrix = geometry_matrix(1, 1, 2, 3, 2.0, math.pi / 2, 4.0, math.pi / 2, 0.5, 0.25)[0]
    # flip (-1, 0); quarter turn (0, 1); shift (2, 4); scale (4, 8); turn (8, -4); stretch (32, -1); turn (-1, -32); move
    want = torch.tensor([-0.5, -31.75, 1.0], dtype=torch.float64)
    torch.testing.assert_close(matrix @ torch.tensor([1.0, 0, 1], dtype=torch.float64), want)


def test_every_picture_moves_on_its_own():
    """Copied, barely turned and shrunk to nothing side by side: none is touched by how far the others reach."""
    img = noise(4, 3, 16, 16)
    matrices = geometry_matrix(
        quarters=torch.tensor([1.0, 0, 0, 0]),
        scale=torch.tensor([1.0, 1, 0.1, 1]),
        pre=torch.tensor([0.0, 0.2, 1, 0]),
    )
    alone = torch.cat([warp(img[i : i + 1], matrices[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(warp(img, matrices), alone)
    assert torch.equal(warp(img, matrices)[3], img[3])


# --- colour

GREY = torch.ones(3, dtype=torch.float64) / math.sqrt(3)


@given(hue=angles, other=angles)
def test_hue_turns_about_the_grey_axis(hue, other):
    turn = colour_matrix(hue=hue)[0, :3, :3]
    torch.testing.assert_close(turn @ GREY, GREY)
    torch.testing.assert_close(turn @ turn.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(turn)) == pytest.approx(1)
    assert float(turn.trace()) == pytest.approx(1 + 2 * math.cos(hue))
    torch.testing.assert_close(turn @ colour_matrix(hue=other)[0, :3, :3], colour_matrix(hue=hue + other)[0, :3, :3])


def test_a_third_of_a_turn_makes_red_green_and_a_whole_turn_nothing():
    red = torch.tensor([1.0, 0, 0, 1], dtype=torch.float64)
    green = torch.tensor([0.0, 1, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(colour_matrix(hue=2 * math.pi / 3)[0] @ red, green)
    torch.testing.assert_close(colour_matrix(hue=2 * math.pi)[0], torch.eye(4, dtype=torch.float64))


def test_luma_flip_mirrors_grey_and_keeps_the_rest():
    want = torch.eye(4, dtype=torch.float64)
    want[:3, :3] -= 2 * torch.outer(GREY, GREY)
    torch.testing.assert_close(colour_matrix(luma_flip=1)[0], want)
    torch.testing.assert_close(colour_matrix(luma_flip=0)[0], torch.eye(4, dtype=torch.float64))


@given(saturation=st.floats(0, 4))
def test_saturation_scales_the_distance_from_grey(saturation):
    img = noise(1, 3, 2, 2)
    luma = img.mean(1, keepdim=True)
    got = recolour(img, colour_matrix(saturation=saturation))
    torch.testing.assert_close(got, luma + saturation * (img - luma))


@given(brightness=st.floats(-1, 1), contrast=st.floats(0.25, 4))
def test_brightness_is_added_and_then_contrast_multiplies(brightness, contrast):
    img = noise(1, 3, 2, 2)
    torch.testing.assert_close(recolour(img, colour_matrix(brightness, contrast)), contrast * (img + brightness))


@given(
    brightness=st.floats(-1, 1),
    contrast=st.floats(0.5, 2),
    flip=st.integers(0, 1),
    hue=angles,
    saturation=st.floats(0, 3),
)
def test_a_grey_picture_becomes_the_luma_of_the_same_picture_in_rgb(brightness, contrast, flip, hue, saturation):
    grey, matrix = noise(1, 1, 3, 3), colour_matrix(brightness, contrast, flip, hue, saturation)
    in_colour = recolour(grey.expand(-1, 3, -1, -1), matrix)
    torch.testing.assert_close(recolour(grey, matrix), in_colour.mean(1, keepdim=True))


def test_alpha_is_moved_and_cut_but_never_coloured_filtered_or_noised():
    img = noise(3, 4, 16, 16, dtype=torch.float32)
    for name in ("color", "filter", "noise"):
        got = SETS[name](img, 1.0, Draws(0, 0, "a"))
        assert torch.equal(got[:, 3], img[:, 3]) and not torch.equal(got[:, :3], img[:, :3])
    for name in ("geom", "cutout"):
        assert not torch.equal(SETS[name](img, 1.0, Draws(0, 0, "a"))[:, 3], img[:, 3])


# --- filtering


def response(w):
    """Of the four bands at `w` rad per pixel, in closed form: sym2 squared is (16 + 18 cos w - 2 cos 3w) / 32."""
    half = [(16 + 18 * np.cos(w * s) - 2 * np.cos(3 * w * s)) / 32 for s in (1, 2, 4)]
    return [half[0] * half[1] * half[2], half[0] * half[1] * (1 - half[2]), half[0] * (1 - half[1]), 1 - half[0]]


def test_bands_add_up_to_the_picture_and_each_has_its_octave():
    bank = augment.filter_bank().numpy()
    np.testing.assert_allclose(bank.sum(0), np.eye(1, 43, 21)[0], atol=1e-12)
    np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-15)
    for w in np.linspace(0, np.pi, 50):
        np.testing.assert_allclose(bank @ np.cos(w * np.arange(-21, 22)), response(w), atol=1e-12)
    for band, w in enumerate([0.0, 3 / 16 * np.pi, 3 / 8 * np.pi, 3 / 4 * np.pi]):  # the middles
        assert np.argmax(response(w)) == band and max(response(w)) > 0.7


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("band", range(4))
def test_a_sinusoid_gets_the_gain_of_its_band(band, axis):
    w = [0.0, 3 / 16, 3 / 8, 1.0][band] * np.pi
    gains = torch.tensor([[0.5, 2.0, 3.0, 0.25]], dtype=torch.float64)
    wave = torch.tensor(np.cos(w * np.arange(96))).expand(1, 3, 96, 96)
    wave = wave if axis == 3 else wave.transpose(2, 3)
    gain = float((gains.numpy() @ response(w))[0]) * 0.5  # flat along the other axis: the lowest band
    got = augment.filter_bands(wave, gains)
    torch.testing.assert_close(got.narrow(axis, 24, 48), (wave * gain).narrow(axis, 24, 48))
    if band in (0, 3):  # at rest and at the highest frequency one band is alone
        assert gain == pytest.approx(float(gains[0, band]) * 0.5)


def test_pictures_are_filtered_each_with_its_own_gains_against_scipy():
    img, gains = noise(2, 3, 8, 12), torch.tensor([[1.0, 2, 0.5, 3], [0.2, 1, 1, 1]], dtype=torch.float64)
    got = augment.filter_bands(img, gains).numpy()
    for i in range(2):
        taps = (gains[i] @ augment.filter_bank()).numpy()
        want = img[i].numpy()
        for axis in (1, 2):
            want = scipy.ndimage.correlate1d(want, taps, axis=axis, mode="mirror")
        np.testing.assert_allclose(got[i], want, atol=1e-12)
    torch.testing.assert_close(augment.filter_bands(img, torch.ones(2, 4, dtype=torch.float64)), img)


@given(st.lists(st.floats(0.1, 8), min_size=4, max_size=4))
def test_amplifying_bands_keeps_the_power_of_a_photograph(amplify):
    power = np.array([10, 1, 1, 1]) / 13
    want = np.ones(4)
    for i in range(4):
        t = np.ones(4)
        t[i] = amplify[i]
        want *= t / math.sqrt(power @ t**2)
    np.testing.assert_allclose(augment.band_gains(torch.tensor([amplify], dtype=torch.float64))[0].numpy(), want)


# --- corruption


def test_noise_has_the_strength_it_is_given():
    img, sigma = noise(4, 3, 64, 64), torch.tensor([0.0, 0.05, 0.1, 0.3])
    added = augment.add_noise(img, noise(4, 3, 64, 64, seed=1), sigma) - img
    assert torch.equal(added[0], torch.zeros(3, 64, 64, dtype=torch.float64))
    n = 3 * 64 * 64
    torch.testing.assert_close(added.std([1, 2, 3]), sigma.double(), rtol=4 / math.sqrt(2 * n), atol=0)
    assert (added.mean([1, 2, 3]).abs() <= 4 * sigma / math.sqrt(n)).all()


@pytest.mark.parametrize(
    ("x", "y", "area"), [(0.5, 0.5, 1 / 4), (0.0, 0.5, 1 / 8), (0.0, 1.0, 1 / 16), (0.3, 0.6, 1 / 4)]
)
def test_a_hole_has_half_the_sides_and_its_place(x, y, area):
    holes = (
        augment.cut_out(torch.ones(1, 3, 80, 160), torch.tensor([x]), torch.tensor([y]), torch.tensor([0.5]))[0] == 0
    )
    assert holes.double().mean().item() == pytest.approx(area, abs=1e-9)
    rows, columns = holes[0].any(1).nonzero()[:, 0], holes[0].any(0).nonzero()[:, 0]
    assert rows[0] == max(0, (y - 0.25) * 80) and columns[-1] == min(160, (x + 0.25) * 160) - 1


# --- chances and strengths

MANY = 20_000


def parameters(a, p, seed=0, n=MANY, size=1000):
    return a.parameters(p, n, size, 2 * size, Draws(seed, 0, "strengths"))


IDENTITY = {"scale": 1, "stretch": 1, "contrast": 1, "saturation": 1, "band0": 1, "band1": 1, "band2": 1, "band3": 1}


@pytest.mark.parametrize("p", [0.1, 0.6, 1.0])
def test_each_transform_happens_as_often_as_asked(p):
    made = parameters(SETS["bgcfnc"], p)
    happened = {name: v != IDENTITY.get(name, 0) for name, v in made.items() if not name.startswith("centre")}
    happened["rotate"] = happened.pop("pre") | happened.pop("post")
    # What happens may also be nothing: no flip, no quarter turn.
    want = {"flip": 1 / 2, "luma_flip": 1 / 2, "quarters": 3 / 4, "shift_x": 1 - 1 / 500, "shift_y": 1 - 1 / 250}
    for name, happens in happened.items():
        expected = p * want.get(name, 1)
        assert abs(happens.double().mean() - expected) <= 4 * math.sqrt(expected * (1 - expected) / MANY) + 1e-12, name


def test_turning_before_and_after_are_independent_and_together_as_likely_as_the_others():
    made = parameters(SETS["geom"], 0.6)
    before, after = made["pre"] != 0, made["post"] != 0
    p = 1 - math.sqrt(0.4)
    for happens, expected in ((before, p), (after, p), (before & after, p * p), (before | after, 0.6)):
        assert abs(happens.double().mean() - expected) < 4 * math.sqrt(expected * (1 - expected) / MANY)


def test_strengths_are_those_of_the_paper():
    made = parameters(SETS["bgcfnc"], 1.0)
    tolerance = 4 / math.sqrt(2 * MANY)
    octaves = {"scale": 0.2, "stretch": 0.2, "contrast": 0.5, "saturation": 1, **{f"band{i}": 1 for i in range(4)}}
    for name, std in octaves.items():
        assert float(made[name].log2().std()) == pytest.approx(std, rel=tolerance), name
        assert abs(float(made[name].log2().mean())) < 4 * std / math.sqrt(MANY), name
    for name, std in {"move_x": 250, "move_y": 125, "brightness": 0.2}.items():  # 1/8 of 2000 and of 1000 pixels
        assert float(made[name].std()) == pytest.approx(std, rel=tolerance), name
    uniform = {"hue": math.pi, "post": math.pi, "shift_x": 250, "shift_y": 125}
    for name, most in uniform.items():
        assert most * 0.99 < float(made[name].max()) <= most and -most <= float(made[name].min()) < -most * 0.99
        assert float(made[name].std()) == pytest.approx(most / math.sqrt(3), rel=tolerance), name
    assert float(made["sigma"].square().mean()) == pytest.approx(0.01, rel=2 * tolerance) and made["sigma"].min() >= 0
    assert torch.equal(made["hole"], torch.full([MANY], 0.5, dtype=torch.float64))
    assert set(made["quarters"].tolist()) == {0, 1, 2, 3} and set(made["flip"].tolist()) == {0, 1}
    assert torch.equal(made["shift_x"], made["shift_x"].round())


def test_multipliers_make_one_transform_rarer_and_leave_the_others_alone():
    whole, half = parameters(SETS["bgcfnc"], 0.8), parameters(Augment(xfrac=0.5, imgfilter_bands=(1, 0, 1, 1)), 0.8)
    assert abs((half["move_x"] != 0).double().mean() - 0.4) < 4 * math.sqrt(0.24 / MANY)
    assert torch.equal(half["band1"], torch.ones(MANY, dtype=torch.float64))
    for name in ("flip", "scale", "pre", "hue", "saturation"):
        assert torch.equal(half[name], whole[name]), name


# --- all of it


@pytest.mark.parametrize("name", SETS)
def test_a_set_does_what_its_letters_say(name):
    """Each transform alone changes a picture, and a set has exactly its own."""
    img = noise(4, 3, 16, 16, dtype=torch.float32)
    groups = {"b": "blit", "g": "geom", "c": "color", "f": "filter", "n": "noise"}
    made = [name] if name in augment.GROUPS else [groups[letter] for letter in name[:5]] + ["cutout"] * (len(name) == 6)
    assert [group for group in augment.GROUPS if SETS[name].any_of(group)] == made
    got = Augment.named(name)(img, 1.0, Draws(1, 0, "set"))
    assert got.shape == img.shape and got.isfinite().all() and not torch.equal(got, img)


@pytest.mark.parametrize("name", augment.TRANSFORMS)
def test_each_transform_alone_changes_pictures(name):
    img = noise(4, 3, 16, 16, dtype=torch.float32)
    alone = Augment(**{other: float(other == name) for other in augment.TRANSFORMS})
    assert (alone(img, 1.0, Draws(1, 0, "alone")) - img).abs().amax([1, 2, 3]).max() > 0.02


def test_the_default_is_bgc():
    assert Augment() == SETS["bgc"]


def test_at_probability_zero_the_pictures_themselves_come_back():
    img = noise(2, 3, 8, 8)
    assert SETS["bgcfnc"](img, 0.0, Draws(0, 0, "a")) is img


def test_a_stream_of_draws_repeats():
    img = noise(3, 3, 16, 16, dtype=torch.float32)
    again = [SETS["bgcfnc"](img, 0.7, Draws(5, step, "a")) for step in (1, 1, 2)]
    assert torch.equal(again[0], again[1]) and not torch.equal(again[0], again[2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_full(dtype):
    img = noise(3, 3, 16, 16).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = SETS["bgcf"](img, 0.7, Draws(5, 0, "a"))
    assert got.dtype == dtype
    assert torch.equal(got, SETS["bgcf"](img.float(), 0.7, Draws(5, 0, "a")).to(dtype))


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 3, 8, 8), (2, 4, 8, 8), (2, 3, 12, 20), (1, 1, 256, 256)])
def test_any_size_and_number_of_channels(shape):
    got = SETS["bgcfnc"](noise(*shape, dtype=torch.float32), 1.0, Draws(0, 3, "a"))
    assert got.shape == shape and got.isfinite().all()


@pytest.mark.parametrize("world", [2, 3])
def test_two_processes_see_what_one_sees(world):
    img = noise(6, 3, 16, 16, dtype=torch.float32)
    whole = SETS["bgcfnc"](img, 0.6, Draws(3, 7, "a"))
    for rank in range(world):
        share = SETS["bgcfnc"](img[rank::world], 0.6, Draws(3, 7, "a", rank, world))
        torch.testing.assert_close(share, whole[rank::world], rtol=0, atol=1e-4)


def test_gradients_and_their_gradients_are_right():
    """R1 differentiates the discriminator's gradient once more, through everything here."""
    img = noise(2, 3, 8, 8).requires_grad_()
    a = SETS["bgcfnc"]

    def scene(img):
        return a(img, 0.8, Draws(2, 0, "a"))[:, :, 1::3, 2::3].square()

    assert torch.autograd.gradcheck(scene, (img,), fast_mode=True)
    assert torch.autograd.gradgradcheck(scene, (img,), fast_mode=True)


@pytest.mark.parametrize("matrix", [geometry_matrix(pre=0.3, scale=0.9), geometry_matrix(shift_x=2, quarters=1)])
def test_warp_is_linear_and_its_gradient_is_its_transpose(matrix):
    img = noise(1, 2, 8, 8).requires_grad_()
    other = noise(1, 2, 8, 8, seed=1).requires_grad_()
    moved = warp(img, matrix)
    (back,) = torch.autograd.grad(moved, img, other, create_graph=True)
    torch.testing.assert_close((moved * other).sum(), (img * back).sum())
    (again,) = torch.autograd.grad(back, other, img, create_graph=True)  # the transpose of the transpose
    torch.testing.assert_close(again, moved)
    torch.testing.assert_close(torch.autograd.grad(again, img, other)[0], back)


def test_the_gradient_of_one_picture_reaches_no_other():
    img = noise(6, 3, 16, 16, dtype=torch.float32).requires_grad_()
    (grad,) = torch.autograd.grad(SETS["bgcfn"](img, 0.7, Draws(0, 0, "a"))[2].square().sum(), img)
    assert grad[2].abs().max() > 0
    assert torch.equal(grad[[0, 1, 3, 4, 5]], torch.zeros(5, 3, 16, 16))


# --- how often


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 4096)), max_size=30), st.floats(0, 1))
def test_p_walks_towards_the_target_and_stays_a_probability(seen, p0):
    control, p = Adaptive(target=0.6, kimg=10, p0=p0), p0
    for rt, images in seen:
        p = min(max(p + np.sign(rt - 0.6) * images / 10_000, 0), 1)
        assert control.update(rt, images) == pytest.approx(p)


def test_p_takes_500_thousand_pictures_from_nothing_to_always():
    control = Adaptive()
    steps = 0
    while control.p < 1:
        control.update(0.9, 64 * control.interval)
        steps += control.interval
    assert steps * 64 == pytest.approx(500_000, rel=1e-3)
    for _ in range(3):
        control.update(0.1, 256)
    assert control.p == pytest.approx(1 - 3 * 256 / 500_000)


def test_fixed_p_stays_and_still_tells_overfitting():
    control = Adaptive(target=None, p0=0.3)
    assert control.update(0.99, 4096) == 0.3 and control.rt == 0.99


def test_the_controller_goes_on_from_its_two_numbers():
    first, second = Adaptive(), Adaptive()
    first.update(0.8, 4096)
    second.load_state_dict(first.state_dict())
    assert second == first and len(first.state_dict()) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Augment.named("bgcx"),
            "no augmentation set 'bgcx': there are blit, geom, color, filter, noise, cutout, bg",
        ),
        (lambda: Augment(hue=-1), "hue = -1: a multiplier or a strength is 0 or more"),
        (lambda: Augment(scale_std=math.nan), "scale_std = nan"),
        (lambda: Augment(imgfilter_bands=(1, 1, 1)), "one multiplier for each of the 4 bands"),
        (lambda: Adaptive(p0=1.5), "p0 = 1.5: the probability of augmentation is from 0 to 1"),
        (lambda: Adaptive(target=60), "target = 60: a mean of signs is from -1 to 1"),
        (lambda: Adaptive(kimg=0), "kimg = 0, interval = 4: both are above 0"),
        (lambda: recolour(torch.ones(1, 2, 4, 4), colour_matrix()), "pictures of 2 channels have no colours to change"),
    ],
)
def test_refusals_say_the_way_out(make, message):
    with pytest.raises(KinesphereError, match=message.replace(".", r"\.").replace("(", r"\(")):
        make()
