"""What a browser sends, as a source."""

from types import SimpleNamespace

import numpy as np
import pytest

from kinesphere.sources import Page, PageSound, page
from kinesphere.types import KinesphereError

RED = np.zeros((4, 6, 3), np.uint8)
RED[:, :3, 0] = 255  # the left half, as the camera sees it


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set."""
    now = SimpleNamespace(t=100.0)
    monkeypatch.setattr(page, "time", SimpleNamespace(perf_counter=lambda: now.t))
    return now


def test_the_newest_picture_is_read_with_the_time_at_which_it_came(clock):
    source = Page(mirror=False)
    source.open()
    assert source.read(0.0) is None
    source.push(RED)
    clock.t += 0.25
    signal = source.read(5.0)
    assert signal.t == 4.75 and np.array_equal(signal.value, RED)
    assert source.read(6.0) is signal  # nothing new


def test_a_page_is_a_mirror(clock):
    source = Page()
    source.open()
    source.push(RED)
    assert np.array_equal(source.read(0.0).value, RED[:, ::-1])


def test_times_rise_whatever_the_network_does(clock):
    source = Page()
    source.open()
    times = []
    for late in (0.0, 1.0, 0.5, 0.0):
        source.push(RED, clock.t - late)
        times.append(source.read(10.0).t)
    assert times == sorted(set(times))


def test_a_silent_page_is_in_trouble_until_it_speaks_and_its_last_picture_stays(clock):
    source = Page()
    source.open()
    source.push(RED)
    last = source.read(0.0)
    clock.t += 2.1
    with pytest.raises(KinesphereError, match="no picture for 2 s"):
        source.read(2.1)
    source.close()
    with pytest.raises(KinesphereError, match="no picture for 2 s"):
        source.open()  # tried again and again, as long as nothing comes
    source.push(RED)
    source.open()
    assert source.read(2.2).t > last.t


def test_a_page_that_never_came_is_waited_for(clock):
    source = Page()
    source.open()
    clock.t += 2.1
    with pytest.raises(KinesphereError, match="start its camera"):
        source.read(2.1)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 6), np.uint8), np.zeros((4, 6, 4), np.uint8), np.zeros((4, 6, 3)), RED[:0]]
)
def test_what_is_no_picture_is_not_taken(wrong):
    with pytest.raises(KinesphereError, match="no picture"):
        Page().push(wrong)


# Sound ------------------------------------------------------------------------------------------------------------------


def blocks(n, size=480, start=0):
    """`n` blocks of a ramp, each sample's value its place, with the count at its end."""
    ramp = np.arange(start, start + n * size, dtype=np.float32)
    return [(ramp[i * size : (i + 1) * size], start + (i + 1) * size) for i in range(n)]


def test_sound_is_the_last_quarter_of_a_second_however_often_it_is_read(clock):
    source = PageSound()
    source.open()
    assert source.read(0.0) is None
    for samples, count in blocks(50):
        source.push(samples, 48_000, count)
    clock.t += 0.25
    sound = source.read(5.0)
    assert (sound.t, sound.rate, sound.count) == (4.75, 48_000, 24_000)
    assert np.array_equal(sound.value, np.arange(12_000, 24_000, dtype=np.float32)[:, None])
    assert source.read(6.0) is sound  # nothing new


def test_sound_that_is_missing_or_begins_again_is_not_stuck_together(clock):
    source = PageSound()
    first, second, third = blocks(3)
    for (samples, count), rate in ((first, 48_000), (third, 48_000), (first, 48_000), (second, 44_100)):
        source.push(samples, rate, count)
        sound = source.read(1.0)
        assert np.array_equal(sound.value[:, 0], samples) and (sound.count, sound.rate) == (count, rate)


def test_a_silent_microphone_is_in_trouble_until_it_is_heard(clock):
    source = PageSound()
    source.open()
    clock.t += 2.1
    with pytest.raises(KinesphereError, match="no page sends a sound yet: .* start its microphone"):
        source.read(2.1)
    source.push(*blocks(1)[0][:1], 48_000, 480)
    source.open()
    assert source.read(2.2).count == 480
    clock.t += 2.1
    with pytest.raises(KinesphereError, match="no sound for 2 s"):
        source.read(4.3)


@pytest.mark.parametrize(
    "samples, rate, count",
    [
        (np.zeros(480), 48_000, 480),
        (np.zeros((480, 2), np.float32), 48_000, 480),
        (np.zeros(0, np.float32), 48_000, 480),
        (np.zeros(48_001, np.float32), 48_000, 48_001),
        (np.zeros(480, np.float32), 100, 480),
        (np.zeros(480, np.float32), 48_000, 479),
    ],
)
def test_what_is_no_sound_is_not_taken(samples, rate, count):
    with pytest.raises(KinesphereError, match="page sound"):
        PageSound().push(samples, rate, count)
