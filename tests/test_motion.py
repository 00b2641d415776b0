import numpy as np
import pytest

from kinesphere.features import Brightness, Motion
from kinesphere.types import KinesphereError, Signal


def bar(t, speed=100.0, size=(90, 160)):
    """A white bar that goes right at `speed` pixels a second over grey, antialiased."""
    x = np.arange(size[1])
    cover = np.clip(np.minimum(x + 1, (20 + speed * t) % 120 + 30) - np.maximum(x, (20 + speed * t) % 120), 0, 1)
    row = 60 + 180 * cover
    return np.repeat(np.tile(row, (size[0], 1))[:, :, None], 3, 2).round().astype(np.uint8)


def motion_at(fps, speed, seconds=1.0, **fields):
    motion = Motion(**fields)
    motion.open(None)
    return [float(motion(Signal(bar(i / fps, speed), i / fps))) for i in range(int(seconds * fps) + 1)]


def test_black_is_0_white_is_1_and_green_counts_most():
    brightness = Brightness()
    brightness.open(None)
    read = lambda rgb: float(brightness(Signal(np.full((4, 4, 3), rgb, np.uint8), 0.0)))  # noqa: E731
    assert read((0, 0, 0)) == 0
    assert read((255, 255, 255)) == pytest.approx(1)
    assert read((0, 255, 0)) == pytest.approx(0.7152)  # ITU-R BT.709
    assert read((0, 0, 255)) == pytest.approx(0.0722)


def test_brightness_of_a_region_ignores_the_rest():
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, :5] = 255
    assert Brightness(region=(0.5, 0, 1, 1))(Signal(picture, 0.0)) == 0
    assert Brightness(region=(0, 0, 0.5, 1))(Signal(picture, 0.0)) == pytest.approx(1)


@pytest.mark.parametrize("feature", [Brightness, Motion])
def test_they_give_one_float64(feature):
    one = feature()
    one.open(None)
    value = one(Signal(bar(0), 0.0))
    assert value.shape == () and value.dtype == np.float64 and not feature.vector


def test_the_first_picture_and_a_still_one_are_no_motion():
    motion = Motion()
    motion.open(None)
    assert [float(motion(Signal(bar(0), t))) for t in (0.0, 0.1, 0.5)] == [0, 0, 0]


def test_sensor_noise_is_no_motion():
    rng = np.random.default_rng(0)
    motion = Motion()
    motion.open(None)
    values = [
        float(motion(Signal((bar(0) + rng.integers(-1, 2, (90, 160, 3))).astype(np.uint8), i / 30))) for i in range(60)
    ]
    assert max(values) < 0.01


def test_it_reads_the_same_at_15_30_and_60_pictures_a_second():
    slow, fast, faster = (np.array(motion_at(fps, speed=40.0, scale=1.0)[:: fps // 15][8:]) for fps in (15, 30, 60))
    assert 0.2 < slow.min() < slow.max() < 0.8
    np.testing.assert_allclose(slow, fast, atol=0.02)
    np.testing.assert_allclose(fast, faster, atol=0.02)


def test_it_is_the_change_of_luma_per_second():
    """A picture that brightens evenly by 0.2 a second reads as 1 - exp(-0.2 / scale) once its past has settled."""
    motion = Motion(scale=0.3)
    motion.open(None)
    for i in range(91):
        value = motion(Signal(np.full((64, 64, 3), round(20 + 255 * 0.2 * i / 30), np.uint8), i / 30))
    noise = Motion.NOISE / Motion.PAST  # the threshold, as a rate
    assert value == pytest.approx(1 - np.exp(-(0.2 - noise) / 0.3), abs=0.03)


def test_faster_is_more_and_nothing_passes_1():
    values = []
    for speed in (20.0, 60.0, 150.0):
        values.append(np.mean(motion_at(30, speed, scale=1.0)[15:]))
    assert values[0] < values[1] < values[2] <= 1
    motion = Motion()
    motion.open(None)
    motion(Signal(np.zeros((64, 64, 3), np.uint8), 0.0))
    assert 0.99 < motion(Signal(np.full((64, 64, 3), 255, np.uint8), 1e-3)) <= 1


def test_motion_outside_the_region_does_not_count():
    still = np.zeros((90, 160, 3), np.uint8)
    motion = Motion(region=(0, 0, 0.5, 1))
    motion.open(None)
    for i in range(5):
        still[:, 80:] = 50 * i
        assert motion(Signal(still.copy(), i / 30)) == 0


def test_another_picture_size_starts_afresh():
    motion = Motion()
    motion.open(None)
    motion(Signal(np.zeros((90, 160, 3), np.uint8), 0.0))
    assert motion(Signal(np.full((160, 90, 3), 255, np.uint8), 0.1)) == 0


@pytest.mark.parametrize("scale", [0, -1, float("inf"), float("nan")])
def test_a_scale_that_cannot_be_meant_is_refused(scale):
    with pytest.raises(KinesphereError, match="luma per second"):
        Motion(scale=scale)


@pytest.mark.parametrize("feature", [Brightness, Motion])
def test_an_empty_region_is_refused(feature):
    with pytest.raises(KinesphereError, match="region"):
        feature(region=(0.5, 0, 0.2, 1))
