"""The tensor operations against scipy and against the equations written out the slow way."""

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere import ops

RNG = np.random.RandomState(0)


def slow_upfirdn2d(x, f, up, down, padding, gain):
    """The definition, with scipy: zeros between, pad or crop, convolve, keep every `down`-th."""
    left, right, top, bottom = padding
    f2 = np.outer(f, f) if f.ndim == 1 else f
    out = []
    for plane in x.reshape(-1, *x.shape[2:]):
        wide = np.zeros([plane.shape[0] * up, plane.shape[1] * up])
        wide[::up, ::up] = plane
        wide = np.pad(wide, [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))])
        wide = wide[max(-top, 0) : wide.shape[0] - max(-bottom, 0), max(-left, 0) : wide.shape[1] - max(-right, 0)]
        out.append(scipy.signal.convolve2d(wide, f2 * gain, mode="valid")[::down, ::down])
    return np.stack(out).reshape(*x.shape[:2], *out[0].shape)


@settings(max_examples=60, deadline=None)
@given(
    up=st.integers(1, 4),
    down=st.integers(1, 4),
    taps=st.integers(1, 9),
    padding=st.tuples(*[st.integers(-3, 8)] * 4),
    separable=st.booleans(),
    gain=st.floats(0.5, 16),
)
def test_upfirdn2d_is_its_definition(up, down, taps, padding, separable, gain):
    x = RNG.randn(2, 3, 7, 9)
    f = RNG.randn(taps) if separable else RNG.randn(taps, taps)
    left, right, top, bottom = padding
    if min(7 * up + top + bottom, 9 * up + left + right) < taps:
        return
    got = ops.upfirdn2d(torch.tensor(x), torch.tensor(f), up, down, padding, gain)
    np.testing.assert_allclose(got.numpy(), slow_upfirdn2d(x, f, up, down, padding, gain), atol=1e-9 * gain * 50)


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 1], [1, 4, 6, 4, 1], [1, 2, 3, 3, 2, 1]])
def test_resampling_changes_the_size_and_keeps_the_brightness(taps):
    flat = torch.ones(1, 2, 16, 16)
    f = ops.filter_taps(taps)
    big, small = ops.upsample2d(flat, f), ops.downsample2d(flat, f)
    assert big.shape == (1, 2, 32, 32) and small.shape == (1, 2, 8, 8)
    torch.testing.assert_close(big[..., 8:-8, 8:-8], torch.ones(1, 2, 16, 16))
    torch.testing.assert_close(small[..., 3:-3, 3:-3], torch.ones(1, 2, 2, 2))


def slow_conv2d_up(x, weight, f):
    """One picture: spread every pixel through the kernel at twice the pitch, then filter back to twice the size."""
    k = weight.shape[-1]
    h, w = x.shape[1:]
    wide = np.zeros([weight.shape[0], 2 * h + k - 2, 2 * w + k - 2])
    for i in range(h):
        for j in range(w):
            wide[:, 2 * i : 2 * i + k, 2 * j : 2 * j + k] += np.einsum("oikl,i->okl", weight, x[:, i, j])
    wide = np.pad(wide, [(0, 0), (1, 1), (1, 1)])
    return np.stack([scipy.signal.convolve2d(p, np.outer(f, f) * 4, mode="valid") for p in wide])


def test_convolving_up_is_a_spread_and_a_filter():
    x, weight, f = RNG.randn(3, 5, 6), RNG.randn(4, 3, 3, 3), np.array([1, 3, 3, 1]) / 8
    got = ops.conv2d_up(torch.tensor(x[None]), torch.tensor(weight), torch.tensor(f))
    assert got.shape == (1, 4, 10, 12)
    np.testing.assert_allclose(got[0].numpy(), slow_conv2d_up(x, weight, f), atol=1e-10)


def test_convolving_down_is_a_filter_and_every_second_pixel():
    x, weight, f = RNG.randn(1, 3, 8, 8), RNG.randn(4, 3, 3, 3), np.array([1, 3, 3, 1]) / 8
    smooth = slow_upfirdn2d(x, f, 1, 1, (2, 2, 2, 2), 1.0)[0]
    want = np.stack(
        [sum(scipy.signal.correlate2d(smooth[i], w[i], mode="valid") for i in range(3))[::2, ::2] for w in weight]
    )
    got = ops.conv2d_down(torch.tensor(x), torch.tensor(weight), torch.tensor(f))
    assert got.shape == (1, 4, 4, 4)
    np.testing.assert_allclose(got[0].numpy(), want, atol=1e-10)


def test_modulating_activations_is_modulating_weights():
    """Karras et al. 2020, eqs. 1 and 3, with a weight of its own for each picture."""
    x, weight, styles = torch.randn(3, 5, 6, 6).double(), torch.randn(4, 5, 3, 3).double(), torch.randn(3, 5).double()
    w = weight[None] * styles[:, None, :, None, None]
    w = w * (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    want = torch.cat([F.conv2d(x[i : i + 1], w[i], padding=1) for i in range(3)])
    torch.testing.assert_close(ops.modulated_conv2d(x, weight, styles, padding=1), want)


def test_demodulated_outputs_have_unit_variance():
    x, weight = torch.randn(4, 64, 32, 32), torch.randn(8, 64, 3, 3) * 5
    y = ops.modulated_conv2d(x, weight, torch.rand(4, 64) * 3 + 0.1, padding=1)
    torch.testing.assert_close(y[..., 1:-1, 1:-1].std(dim=[2, 3]), torch.ones(4, 8), atol=0.15, rtol=0)


def test_filtered_lrelu_is_its_stages_one_by_one():
    x, bias = RNG.randn(1, 2, 10, 10), RNG.randn(2)
    fu, fd = scipy.signal.firwin(12, 0.4), scipy.signal.firwin(8, 0.4)
    high = slow_upfirdn2d(x + bias[:, None, None], fu, 2, 1, (4, 5, 4, 5), 4.0)
    high = np.clip(np.where(high > 0, high, 0.2 * high) * np.sqrt(2), -0.9, 0.9)
    want = slow_upfirdn2d(high, fd, 1, 2, (0, 0, 0, 0), 1.0)
    got = ops.filtered_lrelu(
        *(torch.tensor(a) for a in (x, bias, fu, fd)), up=2, down=2, padding=(4, 5, 4, 5), clamp=0.9
    )
    np.testing.assert_allclose(got.numpy(), want, atol=1e-10)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_are_black_at_minus_one_and_white_at_one(channels):
    img = torch.full([1, channels, 2, 2], -1.0)
    img[..., 0] = 1
    img[:, 3:] = 1  # opaque, where there is alpha
    pixels = ops.to_pixels(img)
    assert pixels.shape == (1, 2, 2, 3) and pixels.dtype == torch.uint8
    assert (pixels[:, :, 0] == 255).all() and (pixels[:, :, 1] == 0).all()


def test_what_is_transparent_is_black():
    img = torch.ones(1, 4, 1, 2)
    img[:, 3, :, 0] = -1
    assert ops.to_pixels(img)[0, 0].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize("operation", ["up", "down", "modulated", "filtered"])
def test_gradients_are_right_twice(operation):
    x = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.double, requires_grad=True)
    f = ops.filter_taps([1, 3, 3, 1]).double()
    call = {
        "up": lambda x, w: ops.conv2d_up(x, w, f),
        "down": lambda x, w: ops.conv2d_down(x, w, f),
        "modulated": lambda x, w: ops.modulated_conv2d(x, w, w[0, :, 0, :2] + 2, up_filter=f),
        "filtered": lambda x, w: ops.filtered_lrelu(
            x * w[0, 0, 0, 0], w[0, :, 0, 0], f, f, 2, 2, (3, 2, 3, 2), slope=1.0
        ),
    }[operation]
    assert torch.autograd.gradcheck(call, (x, weight))
    assert torch.autograd.gradgradcheck(call, (x, weight))


@pytest.mark.parametrize("down", [1, 2])
def test_a_filter_has_the_right_gradients_twice(down):
    x = torch.randn(1, 2, 5, 6, dtype=torch.double, requires_grad=True)
    f = ops.filter_taps([1, 3, 2, 1]).double()  # lopsided, so that a mirrored gradient would show
    call = lambda x: ops.upfirdn2d(x, f, down=down, padding=(1, 1, 2, 2), gain=3).tanh()  # noqa: E731
    assert torch.autograd.gradcheck(call, (x,))
    assert torch.autograd.gradgradcheck(call, (x,))


def test_gain_and_offset_of_a_modulated_convolution_come_after_it():
    x, weight, styles = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3), torch.randn(2, 3)
    offset = torch.randn(4, 5, 5)
    for demodulate in (True, False):
        plain = ops.modulated_conv2d(x, weight, styles, demodulate, padding=1)
        got = ops.modulated_conv2d(x, weight, styles, demodulate, padding=1, gain=3.0, offset=offset)
        torch.testing.assert_close(got, plain * 3 + offset)


@pytest.mark.parametrize(
    "slope, gain, clamp", [(0.2, 2**0.5, None), (0.2, 1.0, 0.5), (1.0, 3.0, 2.0), (1.0, 1.0, None)]
)
@pytest.mark.parametrize("with_bias", [True, False])
def test_bias_then_leaky_relu_then_gain_then_clamp(slope, gain, clamp, with_bias):
    x, bias = torch.randn(2, 3, 4, 4), torch.randn(3)
    given, shift = x.clone(), bias[:, None, None] if with_bias else 0
    want = torch.where(x + shift > 0, x + shift, (x + shift) * slope) * gain
    want = want if clamp is None else want.clip(-clamp, clamp)
    torch.testing.assert_close(ops.bias_act(x, bias if with_bias else None, slope, gain, clamp), want)
    assert torch.equal(x, given)
