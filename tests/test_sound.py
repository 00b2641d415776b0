"""What is heard, on sounds whose numbers are known."""

import math

import numpy as np
import pytest

from kinesphere import patch
from kinesphere.features import Brightness, Hearing
from kinesphere.sources import PageSound
from kinesphere.types import KinesphereError, Signal, Sound

RATE = 48_000
NAMES = Hearing.names


def sine(frequency, amplitude=1.0, seconds=0.5, rate=RATE):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds=0.5, rate=RATE, rms=0.1, seed=0):
    return (rms * np.random.RandomState(seed).randn(round(seconds * rate))).astype(np.float32)


def silence(seconds=0.5, rate=RATE):
    return np.zeros(round(seconds * rate), np.float32)


def heard(samples, block=480, rate=RATE, kept=None, **settings):
    """What is heard at the end of each block: times [n] and numbers [n, 6]. `kept`: samples of each Sound, overlapping."""
    feature = Hearing(**settings)
    feature.open(None)
    samples = samples if samples.ndim == 2 else samples[:, None]
    ends = range(block, len(samples) + 1, block)
    found = [feature(Sound(samples[max(0, end - (kept or block)) : end], end / rate, rate, end)) for end in ends]
    return np.array(ends) / rate, np.array(found)


def last(samples, **more):
    return dict(zip(NAMES, heard(samples, **more)[1][-1], strict=True))


@pytest.mark.parametrize("amplitude", [1.0, 0.5, 0.1, 0.01])
@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000])
def test_loudness_is_decibels_below_a_full_sine(amplitude, rate):
    found = last(sine(440, amplitude, rate=rate), rate=rate)
    assert found["loudness"] == pytest.approx(1 + 20 * math.log10(amplitude) / 60, abs=0.003)


@pytest.mark.parametrize(
    "frequency, band", [(60, "low"), (160, "low"), (500, "middle"), (1500, "middle"), (5000, "high")]
)
def test_a_tone_is_in_its_band_and_in_no_other(frequency, band):
    found = last(sine(frequency))
    assert found[band] == pytest.approx(1, abs=0.005)
    assert all(found[other] < 0.05 for other in {"low", "middle", "high"} - {band})


@pytest.mark.parametrize("frequency", [110, 440, 1600, 6400])
@pytest.mark.parametrize("rate", [44_100, 16_000])
def test_brightness_is_where_the_spectrum_has_its_middle_in_octaves(frequency, rate):
    found = last(sine(frequency, 0.3, rate=rate), rate=rate)
    assert found["brightness"] == pytest.approx(math.log2(frequency / 100), abs=0.02)


def test_two_tones_have_the_middle_of_their_powers():
    found = last(sine(400, 0.3) + sine(1600, 0.1))
    assert found["brightness"] == pytest.approx(math.log2((400 * 9 + 1600) / 10 / 100), abs=0.02)


def test_white_noise_has_its_middle_at_a_quarter_of_the_rate_and_power_by_width():
    _, found = heard(noise(3.0, rate=16_000), rate=16_000)
    mean = dict(zip(NAMES, np.nanmean(found, 0), strict=True))
    assert mean["brightness"] == pytest.approx(math.log2(4000 / 100), abs=0.05)
    ratio = 10 * math.log10((8000 - 2000) / (2000 - 250))  # dB
    assert (mean["high"] - mean["middle"]) * 60 == pytest.approx(ratio, abs=0.5)
    assert mean["loudness"] == pytest.approx(1 + 20 * math.log10(0.1 * math.sqrt(2)) / 60, abs=0.01)


def test_silence_has_no_level_begins_nothing_and_its_brightness_is_not_known():
    found = last(silence())
    assert [found[name] for name in ("loudness", "low", "middle", "high", "onset")] == [0] * 5
    assert math.isnan(found["brightness"])


def test_a_constant_is_not_heard():
    assert last(silence() + np.float32(0.7))["loudness"] == 0


def test_a_quiet_room_is_silence_where_the_floor_says_so():
    assert last(sine(440, 10 ** (-50 / 20)), floor=40.0)["loudness"] == 0
    assert last(sine(440, 10 ** (-50 / 20)), floor=100.0)["loudness"] == pytest.approx(0.5, abs=0.003)


def test_what_is_clipped_is_as_loud_as_there_is():
    found = last(np.clip(20 * sine(440), -1, 1))
    assert found["loudness"] == 1 and all(0 <= found[name] <= 1 for name in NAMES if name != "brightness")
    assert last(1000 * sine(440))["loudness"] == 1


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_no_number_is_not_known_and_forgotten_after_a_window(wrong):
    samples = sine(440)
    samples[RATE // 4] = wrong
    t, found = heard(samples)
    bad = (t >= 0.25) & (t < 0.25 + Hearing.WINDOW + Hearing.HOP)
    assert np.isnan(found[bad][1:-1]).all()
    assert found[-1][0] == pytest.approx(1, abs=0.003)


def test_an_onset_is_there_at_once_and_falls_in_its_time():
    samples = np.concatenate([silence(), sine(440, 0.3, 1.0)])
    t, found = heard(samples)
    onset = found[:, NAMES.index("onset")]
    peak = int(np.nanargmax(onset))
    assert 0.5 < t[peak] <= 0.5 + Hearing.WINDOW and onset[peak] == 1
    assert not onset[t <= 0.5][6:].any()
    later = int(np.searchsorted(t, t[peak] + 0.6))
    assert onset[later] < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_steady_sound_begins_nothing(seed):
    for samples in (noise(4.0, seed=seed), sine(97 + 400 * seed, 0.4, 2.0)):
        assert np.nanmax(heard(samples)[1][:, NAMES.index("onset")]) == 0


def test_each_beat_of_a_drum_under_a_steady_tone_begins_something():
    samples = sine(3000, 0.2, 2.0)
    for beat in (0.5, 1.0, 1.5):
        drum = sine(80, 0.5, 0.1)
        samples[round(beat * RATE) :][: len(drum)] += drum
    t, found = heard(samples)
    onset = found[:, NAMES.index("onset")]
    begins = t[1:][(onset[1:] > 0.5) & (onset[:-1] <= 0.5)]
    assert begins == pytest.approx([0.5, 1.0, 1.5], abs=Hearing.WINDOW)


def song():
    return np.concatenate([silence(0.2), sine(200, 0.4, 0.3), noise(0.3), sine(2500, 0.1, 0.4)])


@pytest.mark.parametrize("block", [96, 128, 960, 1920, 7200])
@pytest.mark.parametrize("kept", [None, 12_000])
def test_the_numbers_are_the_same_at_any_size_of_block(block, kept):
    t, found = heard(song(), block, kept=kept and max(kept, block))
    fine_t, fine = heard(song(), 96)
    assert np.array_equal(found, fine[np.searchsorted(fine_t, t + 1e-9) - 1], equal_nan=True)


@pytest.mark.parametrize("rate", [44_100, 16_000])
def test_the_numbers_are_alike_at_any_rate(rate):
    _, found = heard(np.concatenate([silence(0.2, rate), sine(200, 0.4, 0.8, rate)]), round(rate / 50), rate=rate)
    _, same = heard(np.concatenate([silence(0.2), sine(200, 0.4, 0.8)]), RATE // 50)
    assert np.nanmax(np.abs(found - same)) < 0.03 and np.array_equal(np.isnan(found), np.isnan(same))


def test_channels_that_are_opposite_do_not_cancel():
    both = np.stack([sine(440), -sine(440)], 1)
    assert last(both)["loudness"] == pytest.approx(1, abs=0.003)


def test_what_is_missing_is_left_out_and_a_source_that_begins_again_is_heard_anew():
    feature, samples = Hearing(), sine(440)[:, None]
    feature.open(None)
    feature(Sound(samples[:4800], 0.1, RATE, 4800))
    found = feature(Sound(samples[:4800], 0.9, RATE, 43_200))  # of this only the end came
    assert found[0] == pytest.approx(1, abs=0.003)
    assert np.isnan(feature(Sound(samples[:480], 1.0, RATE, 480))).all()  # another page, not yet a window
    assert feature(Sound(samples[:4800], 1.1, RATE, 4800))[0] == pytest.approx(1, abs=0.003)
    assert np.isnan(feature(Sound(samples[:480], 1.2, 16_000, 5280))).all()  # another rate


def test_it_can_be_opened_again_and_then_knows_nothing():
    feature = Hearing()
    for _ in range(2):
        feature.open(None)
        assert np.isnan(feature(Sound(sine(440)[:480, None], 0.01, RATE, 480))).all()
        feature(Sound(sine(440)[:4800, None], 0.1, RATE, 4800))


@pytest.mark.parametrize("floor", [0.0, -60.0, 500.0, math.nan])
def test_a_floor_that_cannot_be_is_refused(floor):
    with pytest.raises(KinesphereError, match="floor"):
        Hearing(floor=floor)


def test_a_picture_is_not_heard():
    feature = Hearing()
    feature.open(None)
    with pytest.raises(KinesphereError, match="a source of sound"):
        feature(Signal(np.zeros((4, 4, 3), np.uint8), 0.0))


# In a patch -------------------------------------------------------------------------------------------------------------


def both(**features):
    return patch.Patch(sources={"eye": patch.SOURCES["page"](), "ear": PageSound()}, features=features)


def test_a_feature_finds_the_first_source_of_its_kind():
    played = both(light=Brightness(), sound=Hearing())
    assert (played.source_of("light"), played.source_of("sound")) == ("eye", "ear")
    assert list(played.problems()) == []


@pytest.mark.parametrize(
    "feature, said",
    [
        (Hearing(source="eye"), "it listens, and eye is seen: choose a source that is heard; this patch has ear"),
        (Brightness(source="ear"), "it looks, and ear is heard: choose a source that is seen; this patch has eye"),
    ],
)
def test_a_source_of_the_wrong_kind_is_refused_in_words(feature, said):
    assert list(both(wrong=feature).problems()) == [f"features.wrong.source: {said}"]


def test_a_patch_with_nothing_to_hear_says_what_to_add():
    played = patch.Patch(sources={"eye": patch.SOURCES["page"]()}, features={"sound": Hearing()})
    (problem,) = played.problems()
    assert 'add one such as [sources.NAME] with kind = "page_sound"' in problem


def test_a_patch_that_listens_is_read_and_written():
    text = '[sources.ear]\nkind = "page_sound"\n\n[features.voice]\nkind = "sound"\nfloor = 50.0\n'
    played = patch.parse(text)
    assert patch.dumps(patch.parse(patch.dumps(played))) == patch.dumps(played)
    assert played.features["voice"] == Hearing(floor=50.0)
