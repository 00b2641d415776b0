"""What a player notices of sinks: the right speed, the right colours, the sound in step, and nothing lost in a crash."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kinesphere.sinks import SINKS, Frames, Gif, Null, VideoFile, Window, to_file
from kinesphere.sinks.sound import has_sound, seconds_of
from kinesphere.sinks.window import placed
from kinesphere.sources import Video
from kinesphere.types import KinesphereError, Sink

NTSC = Fraction(30000, 1001)
BITS = 10


def numbered(n: int, width: int = 160, height: int = 64) -> np.ndarray:
    """A picture that carries the number `n` as BITS bright or dark bars."""
    picture = np.full((height, width, 3), 20, np.uint8)
    for bit in range(BITS):
        if n >> bit & 1:
            picture[:, bit * width // BITS : (bit + 1) * width // BITS] = 235
    return picture


def number_in(picture: np.ndarray) -> int:
    bars = picture[16:-16].mean((0, 2))
    return sum(int(bars[int((bit + 0.5) * len(bars) / BITS)] > 128) << bit for bit in range(BITS))


def recorded(path: Path, times, fps=Fraction(30), picture=numbered, **options) -> Path:
    """A file of numbered frames, the n-th written at the n-th of `times`."""
    sink = VideoFile(path, **options)
    first = picture(0)
    sink.open((first.shape[1], first.shape[0]), fps)
    for n, t in enumerate(times):
        sink.write(picture(n), t)
    sink.close()
    return path


def opened(path: Path) -> Video:
    video = Video(path, loop=False)
    video.open()
    return video


def numbers_of(path: Path) -> list[int]:
    video = opened(path)
    return [number_in(video.read(float(n / video.fps)).value) for n in range(video.frames)]


# --- video: speed


@pytest.mark.parametrize("fps", [24, 25, NTSC, 60, Fraction(7, 3), Fraction(24000, 1001)], ids=str)
def test_what_is_written_is_read_back_frame_for_frame(tmp_path, fps):
    path = recorded(tmp_path / "a.mp4", [n / float(fps) for n in range(50)], fps)
    video = opened(path)
    assert video.fps == fps
    assert video.duration == pytest.approx(50 / fps)
    assert numbers_of(path) == list(range(50))


def test_a_slow_player_makes_a_film_of_the_right_speed(tmp_path):
    times = [0.0, 0.1, 0.2, 0.5]  # ten pictures a second, and then a pause, into thirty
    assert numbers_of(recorded(tmp_path / "a.mp4", times)) == [0] * 3 + [1] * 3 + [2] * 9 + [3]


def test_a_fast_player_keeps_the_newest_of_each_place(tmp_path):
    times = [n / 120 for n in range(20)]
    assert numbers_of(recorded(tmp_path / "a.mp4", times)) == [1, 5, 9, 13, 17, 19]


def test_a_clock_that_trembles_changes_nothing(tmp_path):
    rng = np.random.default_rng(0)
    times = [n / 30 + rng.uniform(-0.015, 0.015) for n in range(60)]
    assert numbers_of(recorded(tmp_path / "a.mp4", times)) == list(range(60))


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_an_uneven_beat_makes_a_film_of_the_right_length_and_each_picture_at_its_time(tmp_path, fps):
    """As a busy machine beats: bursts, gaps, and a rate that is not the film's."""
    times = 5 + np.cumsum(np.random.default_rng(fps).choice([0.004, 0.02, 0.03, 0.3], 80, p=[0.3, 0.3, 0.3, 0.1]))
    numbers = numbers_of(recorded(tmp_path / "a.mp4", times, Fraction(fps)))
    assert abs(len(numbers) / fps - (times[-1] - times[0])) <= 1.5 / fps
    for slot, number in enumerate(numbers):
        newest = np.flatnonzero(times - times[0] <= (slot + 1) / fps)[-1]
        assert number <= newest and times[number] - times[0] <= (slot + 1) / fps
        assert number >= np.flatnonzero(times - times[0] <= max(slot - 1, 0) / fps)[-1]


@pytest.mark.parametrize("overwrite", [False, True])
def test_after_a_picture_that_could_not_be_written_the_recording_goes_on_beside_what_there_was(tmp_path, overwrite):
    """As a performance does it: close what failed, open it again."""
    sink = VideoFile(tmp_path / "a.mp4", overwrite=overwrite)
    for part in range(3):
        sink.open((160, 64), 30)
        sink.write(numbered(part + 1), part)
        with pytest.raises(KinesphereError):
            sink.write(numbered(9, width=80), part + 0.1)
        sink.close()
    names = {"a.mp4": [1], "a 2.mp4": [2], "a 3.mp4": [3]}
    assert {file.name: numbers_of(file) for file in tmp_path.iterdir()} == names


def test_a_recording_begun_late_begins_with_its_first_frame(tmp_path):
    assert numbers_of(recorded(tmp_path / "a.mp4", [100.0 + n / 30 for n in range(10)])) == list(range(10))


def test_a_frame_may_be_painted_over_once_it_is_written(tmp_path):
    sink = VideoFile(tmp_path / "a.mp4")
    sink.open((160, 64), 30)
    frame = numbered(0)
    for n in range(8):
        frame[:] = numbered(n)
        sink.write(frame, n / 30)
        frame[:] = 0
    sink.close()
    assert numbers_of(tmp_path / "a.mp4") == list(range(8))


# --- video: colours and sizes

COLOURS = [
    *[(r, g, b) for r in (0, 128, 255) for g in (0, 128, 255) for b in (0, 128, 255)],
    *[tuple(int(c) for c in colour) for colour in np.random.default_rng(1).integers(0, 256, (23, 3))],
]


@pytest.mark.parametrize("chroma", ["420", "444"])
def test_flat_colours_survive(tmp_path, chroma):
    def flat(n: int) -> np.ndarray:
        return np.full((32, 32, 3), COLOURS[n], np.uint8)

    times = [n / 5 for n in range(len(COLOURS))]
    video = opened(recorded(tmp_path / "a.mp4", times, Fraction(5), flat, chroma=chroma))
    errors = [np.abs(video.read(t).value.mean((0, 1)) - COLOURS[n]) for n, t in enumerate(times)]
    assert np.mean(errors) <= 1
    assert np.max(errors) <= 3


def test_the_file_says_what_its_colours_mean(tmp_path):
    with av.open(str(recorded(tmp_path / "a.mp4", [0.0, 0.1]))) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_the_file_holds_what_it_is_to_say_of_itself(tmp_path, name):
    said = '{"plan": "ü"}' * 500
    with av.open(str(recorded(tmp_path / name, [0, 1 / 30], comment=said))) as film:
        metadata = {key.lower(): value for key, value in film.metadata.items()}
    assert metadata["comment"] == said


@pytest.mark.parametrize(("chroma", "size"), [("420", (34, 22)), ("444", (33, 21))])
def test_odd_sizes_are_made_even_by_one_more_line_of_the_same(tmp_path, chroma, size):
    def white(n: int) -> np.ndarray:
        return np.full((21, 33, 3), 255, np.uint8)

    video = opened(recorded(tmp_path / "a.mp4", [0.0], picture=white, chroma=chroma))
    assert video.frame_size == size
    assert video.read(0).value.min() >= 253


def test_a_frame_of_another_size_is_refused_in_words(tmp_path):
    sink = VideoFile(tmp_path / "a.mp4")
    sink.open((160, 64), 30)
    with pytest.raises(KinesphereError, match="160x64 and cannot take one of 64x64"):
        sink.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    sink.close()


# --- video: nothing is lost


def test_a_finished_file_can_be_streamed_and_stands_alone(tmp_path):
    path = recorded(tmp_path / "a.mp4", [n / 30 for n in range(40)])
    with av.open(str(path)) as container:
        assert container.streams.video[0].start_time == 0
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # the index comes first
    assert b"moof" not in data  # and the fragments are gone
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_one_can_seek_to_each_second(tmp_path):
    with av.open(str(recorded(tmp_path / "a.mp4", [n / 30 for n in range(100)]))) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert max(np.diff([*keys, 100 / 30])) <= 1.001


def test_a_file_that_exists_is_not_replaced_unasked(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(KinesphereError, match=r"exists already.*overwrite"):
        recorded(path, [0.0])
    assert path.read_bytes() == b"precious"
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")
    sink = VideoFile(path, overwrite=True)
    sink.open((160, 64), 30)
    for n in range(40):
        sink.write(numbered(n), n / 30)
    assert path.read_bytes() == b"precious"
    sink.close()
    assert numbers_of(path) == list(range(40))


def test_a_file_that_appears_while_recording_is_not_replaced_and_the_recording_is_kept(tmp_path):
    path = tmp_path / "a.mp4"
    sink = VideoFile(path)
    sink.open((160, 64), 30)
    sink.write(numbered(5), 0.0)
    path.write_bytes(b"precious")
    with pytest.raises(KinesphereError, match=r"exists already.*a\.part\.mp4"):
        sink.close()
    assert path.read_bytes() == b"precious"
    assert numbers_of(tmp_path / "a.part.mp4") == [5]


def test_what_an_earlier_crash_left_is_not_recorded_over(tmp_path):
    (tmp_path / "a.part.mp4").write_bytes(b"the only copy")
    recorded(tmp_path / "a.mp4", [0.0])
    assert (tmp_path / "a.part.mp4").read_bytes() == b"the only copy"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "a.part.mp4"]


def test_a_recording_without_a_frame_leaves_nothing(tmp_path):
    recorded(tmp_path / "a.mp4", [])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_made(tmp_path):
    assert numbers_of(recorded(tmp_path / "new" / "today" / "a.mp4", [0.0])) == [0]


RECORDER = """
import sys, time
import numpy as np
from kinesphere.sinks import VideoFile
sys.path.insert(0, sys.argv[2])
from test_sinks import numbered
sink = VideoFile(sys.argv[1])
sink.open((160, 64), 30)
try:
    for n in range(1000):
        sink.write(numbered(n), n / 30)
        print(n, flush=True)
        if n > 120:
            time.sleep(1 / 30)
finally:
    sink.close()
"""


def interrupted_by(how: signal.Signals, path: Path) -> int:
    """Record in another process, stop it after 125 frames; how many were written."""
    command = [sys.executable, "-c", RECORDER, str(path), str(Path(__file__).parent)]
    written = -1
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        while written < 125:
            written = int(process.stdout.readline())
        process.send_signal(how)
        written += len(process.stdout.read().split())
    return written + 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_after_kill_9_the_recording_plays_all_but_the_last_second(tmp_path):
    written = interrupted_by(signal.SIGKILL, tmp_path / "a.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["a.part.mp4"]
    video = opened(tmp_path / "a.part.mp4")
    assert written - video.frames <= 30
    times = video._film.stamps.times  # a fragment may end between two frames that are seen in another order
    assert [number_in(video.read(t).value) for t in times] == [round(t * 30) for t in times]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_after_ctrl_c_the_file_is_whole(tmp_path):
    written = interrupted_by(signal.SIGINT, tmp_path / "a.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    numbers = numbers_of(tmp_path / "a.mp4")
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= written - 1


def test_a_full_disk_says_where_the_recording_is(tmp_path, monkeypatch):
    from kinesphere.sinks import video

    def full(*_):
        raise OSError(28, "No space left on device")

    sink = VideoFile(tmp_path / "a.mp4")
    sink.open((160, 64), 30)
    sink.write(numbered(3), 0.0)
    monkeypatch.setattr(video, "_make_whole", full)
    with pytest.raises(KinesphereError, match=r"No space left.*a\.part\.mp4"):
        sink.close()
    assert numbers_of(tmp_path / "a.part.mp4") == [3]


def test_nothing_clutters_the_terminal(tmp_path, capfd):
    numbers_of(recorded(tmp_path / "a.mp4", [n / 30 for n in range(40)]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "options", [{"crf": 60}, {"preset": "quick"}, {"chroma": "422"}, {"sound_start": float("inf")}], ids=str
)
def test_a_wrong_setting_is_named(options):
    with pytest.raises(KinesphereError, match=next(iter(options))):
        VideoFile("a.mp4", **options)


def test_only_mp4_and_webm_are_written():
    with pytest.raises(KinesphereError, match=r"a\.avi.*\.mp4 or \.webm"):
        VideoFile("a.avi")


@pytest.mark.parametrize(("size", "fps"), [((0, 10), 30), ((99999, 10), 30), ((64, 64), 0), ((64, 64), -5)])
def test_what_h264_cannot_hold_is_refused_in_words(tmp_path, size, fps):
    with pytest.raises(KinesphereError, match=r"no H\.264 video"):
        VideoFile(tmp_path / "a.mp4").open(size, fps)
    assert list(tmp_path.iterdir()) == []


# --- video: the sound is kept, and in step

RATE = 48000


def noise(seconds: float) -> np.ndarray:
    """[samples] in -1 ... 1: low enough in pitch for any codec, and unlike itself at every other moment."""
    steps = np.random.default_rng(7).standard_normal(int(RATE * seconds))
    spectrum = np.fft.rfft(steps) / (1 + (np.fft.rfftfreq(len(steps), 1 / RATE) / 900) ** 4)
    wave = np.fft.irfft(spectrum, len(steps))
    return (0.8 * wave / np.abs(wave).max()).astype(np.float32)


def with_sound(
    path: Path, codec: str, seconds: float = 3, pictures: bool = True, first: float = 0, late: float = 0
) -> Path:
    """A file whose sound is `noise`; it begins `late` seconds after the pictures, and those at `first` on its clock."""
    with av.open(str(path), "w") as output:
        packets = []
        if pictures:
            video = output.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = 160, 64, "yuv420p"
        sound = output.add_stream(codec, rate=RATE, layout="mono")
        if pictures:
            for n in range(int(seconds * 25)):
                frame = av.VideoFrame.from_ndarray(numbered(n), format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = n + round(first * 25), Fraction(1, 25)
                packets += video.encode(frame)
            packets += video.encode(None)
        wave = noise(seconds)
        for begin in range(0, len(wave), 960):
            piece = np.ascontiguousarray(wave[None, begin : begin + 960])
            frame = av.AudioFrame.from_ndarray(piece, "fltp", "mono")
            frame.rate, frame.pts = RATE, begin + round((first + late) * RATE)
            frame.time_base = Fraction(1, RATE)
            packets += sound.encode(frame)
        packets += sound.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            output.mux(packet)
    return path


def heard(path: Path) -> tuple[float, np.ndarray, str]:
    """(when the sound begins, its samples at RATE, its codec)."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("fltp", "mono", RATE)
        frames = [piece for frame in container.decode(stream) for piece in resampler.resample(frame)]
        begin = float(frames[0].pts * frames[0].time_base)
        frames += resampler.resample(None)
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        if stream.duration is not None:  # WebM does not say
            assert len(wave) / RATE == pytest.approx(float(stream.duration * stream.time_base), abs=0.05)
        return begin, wave, stream.codec_context.name


def likeness(path: Path, offset: float) -> tuple[float, float]:
    """How the sound of `path` lags behind `noise` that was begun `offset` seconds ago (in seconds), and their correlation."""
    begin, wave, _ = heard(path)
    original, skip, reach = noise(3), 4800, 2400
    piece = wave[skip : skip + RATE // 2]
    at = round((begin + offset) * RATE) + skip
    around = original[at - reach : at + len(piece) + reach]
    matches = np.correlate(around, piece, "valid")
    lag = int(matches.argmax())
    return (reach - lag) / RATE, float(np.corrcoef(around[lag : lag + len(piece)], piece)[0, 1])


SOUNDS = {
    "AAC is copied": ("s.mp4", "aac", {}, "aac"),
    "of a transport stream": ("s.ts", "aac", {"first": 2.0}, "aac"),
    "that begins late": ("s.mkv", "flac", {"late": 0.4, "first": 1.0}, "flac"),
    "MP3 is copied": ("s.mp3", "libmp3lame", {"pictures": False}, "mp3float"),
    "Opus is copied": ("s.mkv", "libopus", {}, "opus"),
    "plain samples become AAC": ("s.wav", "pcm_s16le", {"pictures": False}, "aac"),
    "plain samples beside pictures": ("s.mkv", "pcm_s16le", {"late": 0.4, "first": 1.0}, "aac"),
}


@pytest.mark.parametrize("start", [0.0, 0.7])
@pytest.mark.parametrize("kind", SOUNDS)
def test_the_sound_is_kept_in_step_and_in_length(tmp_path, kind, start):
    name, codec, options, kept = SOUNDS[kind]
    source = with_sound(tmp_path / name, codec, **options)
    path = recorded(tmp_path / "out.mp4", [n / 30 for n in range(50)], sound=source, sound_start=start)
    begin, wave, codec_kept = heard(path)
    assert codec_kept == kept
    lag, correlation = likeness(path, start - options.get("late", 0))
    assert abs(lag) <= 0.001
    assert correlation > 0.98
    with av.open(str(path)) as container:  # players differ in how much they cut away before time 0: there is little
        assert next(float(p.pts * p.time_base) for p in container.demux(audio=0)) > -0.2
    block = 4608 / RATE if kept == "flac" else 1152 / RATE
    assert -1024 / RATE <= begin + len(wave) / RATE - 50 / 30 <= block + 1024 / RATE
    assert numbers_of(path) == list(range(50))


def test_the_length_is_right_within_one_block_of_aac(tmp_path):
    source = with_sound(tmp_path / "s.mp4", "aac")
    with av.open(str(recorded(tmp_path / "out.mp4", [n / 30 for n in range(50)], sound=source))) as container:
        stream = container.streams.audio[0]
        assert abs(float(stream.duration * stream.time_base) - 50 / 30) <= 1024 / RATE


def test_a_recording_begun_late_has_the_sound_of_that_moment(tmp_path):
    source = with_sound(tmp_path / "s.mp4", "aac")
    path = recorded(tmp_path / "out.mp4", [1.0 + n / 30 for n in range(40)], sound=source)
    lag, correlation = likeness(path, 1.0)
    assert abs(lag) <= 0.001 and correlation > 0.98


def test_sound_that_ends_early_leaves_the_pictures_whole(tmp_path):
    source = with_sound(tmp_path / "s.mp4", "aac", seconds=1)
    path = recorded(tmp_path / "out.mp4", [n / 30 for n in range(60)], sound=source)
    assert numbers_of(path) == list(range(60))
    assert len(heard(path)[1]) / RATE == pytest.approx(1.0, abs=0.03)


def test_a_file_without_sound_is_refused_before_anything_is_played(tmp_path):
    silent = recorded(tmp_path / "silent.mp4", [0.0])
    assert not has_sound(silent) and not has_sound(tmp_path / "absent.mp4")
    for sound in (silent, tmp_path / "absent.mp4"):
        with pytest.raises(KinesphereError, match="no sound track can be read"):
            VideoFile(tmp_path / "out.mp4", sound=sound).open((64, 64), 30)
    assert [file.name for file in tmp_path.iterdir()] == ["silent.mp4"]


@pytest.mark.parametrize(
    ("name", "codec", "pictures"),
    [("s.wav", "pcm_s16le", False), ("s.mp3", "libmp3lame", False), ("s.flac", "flac", False), ("s.mp4", "aac", True)],
)
def test_a_sound_says_how_long_it_is(tmp_path, name, codec, pictures):
    path = with_sound(tmp_path / name, codec, pictures=pictures)
    assert float(seconds_of(path)) == pytest.approx(3, abs=0 if codec in ("pcm_s16le", "flac") else 0.06)


def test_a_sound_that_is_none_has_no_length(tmp_path):
    with pytest.raises(KinesphereError, match="no sound track can be read"):
        seconds_of(recorded(tmp_path / "silent.mp4", [0.0]))


# --- WebM


@pytest.mark.parametrize("fps", [25, NTSC, 60], ids=str)
def test_a_webm_is_read_back_frame_for_frame(tmp_path, fps):
    path = recorded(tmp_path / "a.webm", [n / float(fps) for n in range(50)], fps)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (container.format.name, stream.codec_context.name) in {
            ("matroska,webm", "vp9"),
            ("matroska,webm", "libvpx-vp9"),
        }
        assert stream.average_rate == fps
        frames = list(container.decode(video=0))
    assert [round(frame.time * fps) for frame in frames] == list(range(50))
    assert [number_in(frame.to_ndarray(format="rgb24")) for frame in frames] == list(range(50))
    assert [file.name for file in tmp_path.iterdir()] == ["a.webm"]


def test_a_webm_has_the_colours_that_were_written(tmp_path):
    def flat(n: int) -> np.ndarray:
        return np.full((64, 64, 3), COLOURS[n], np.uint8)

    path = recorded(tmp_path / "a.webm", [n / 10 for n in range(len(COLOURS))], 10, picture=flat)
    video = opened(path)
    seen = [video.read(n / 10).value.mean((0, 1)) for n in range(len(COLOURS))]
    assert np.abs(np.array(seen) - np.array(COLOURS)).max() <= 4


def test_a_webm_of_crf_0_loses_nothing_but_the_rounding_of_colours(tmp_path):
    def noise(n: int) -> np.ndarray:
        return np.random.default_rng(n).integers(0, 256, (32, 32, 3), np.uint8)

    video = opened(recorded(tmp_path / "a.webm", [0.0, 0.1], 10, picture=noise, crf=0, chroma="444"))
    assert np.abs(video.read(0.1).value.astype(int) - noise(1)).max() <= 3


WEBM_SOUNDS = {
    "Opus is copied": ("s.mkv", "libopus", {}),
    "AAC becomes Opus": ("s.mp4", "aac", {}),
    "plain samples become Opus": ("s.wav", "pcm_s16le", {"pictures": False}),
}


@pytest.mark.parametrize("start", [0.0, 0.7])
@pytest.mark.parametrize("kind", WEBM_SOUNDS)
def test_the_sound_of_a_webm_is_in_step_and_as_long(tmp_path, kind, start):
    name, codec, options = WEBM_SOUNDS[kind]
    source = with_sound(tmp_path / name, codec, **options)
    path = recorded(tmp_path / "out.webm", [n / 30 for n in range(50)], sound=source, sound_start=start)
    begin, wave, kept = heard(path)
    assert kept.removeprefix("lib") == "opus"
    lag, correlation = likeness(path, start)
    assert abs(lag) <= 0.002 and correlation > 0.95
    assert abs(begin + len(wave) / RATE - 50 / 30) <= 0.06


def test_a_webm_that_was_killed_plays(tmp_path):
    sink = VideoFile(tmp_path / "a.webm")
    sink.open((160, 64), 30)
    for n in range(100):
        sink.write(numbered(n), n / 30)
    left = (tmp_path / "a.part.webm").read_bytes()
    sink.close()
    (tmp_path / "left.webm").write_bytes(left)
    with av.open(str(tmp_path / "left.webm")) as container:
        shown = [number_in(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert shown == list(range(len(shown))) and len(shown) >= 60


# --- GIF


def gif_of(path: Path, frames: int, fps, picture=numbered, **options) -> Image.Image:
    sink = Gif(path, **options)
    first = picture(0)
    sink.open((first.shape[1], first.shape[0]), fps)
    for n in range(frames):
        sink.write(picture(n), float(n / Fraction(fps)))
    sink.close()
    return Image.open(io.BytesIO(path.read_bytes()))


def standing(gif: Image.Image) -> list[int]:
    """How long each frame of it stands, milliseconds."""
    times = []
    for n in range(gif.n_frames):
        gif.seek(n)
        times.append(gif.info["duration"])
    return times


@pytest.mark.parametrize("fps", [10, NTSC, 30, 50], ids=str)
def test_a_gif_has_every_frame_and_lasts_as_long(tmp_path, fps):
    gif = gif_of(tmp_path / "a.gif", 45, fps)
    assert gif.n_frames == 45 and gif.info["loop"] == 0
    assert abs(sum(standing(gif)) - 1000 * 45 / float(fps)) <= 20
    assert max(standing(gif)) - min(standing(gif)) <= 10
    shown = []
    for n in range(45):
        gif.seek(n)
        shown.append(number_in(np.asarray(gif.convert("RGB"))))
    assert shown == list(range(45))
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize("dither", ["bayer", "diffusion", "none"])
def test_a_gif_has_the_colours_of_the_whole_film(tmp_path, dither):
    def turning(n: int) -> np.ndarray:
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[..., 0] = np.linspace(0, 255, 64)
        picture[..., 1] = 12 * n
        picture[..., 2] = np.linspace(255, 0, 64)[:, None]
        return picture

    gif = gif_of(tmp_path / "a.gif", 6, 10, picture=turning, dither=dither)
    for n in range(6):
        gif.seek(n)
        blocks = np.asarray(gif.convert("RGB")).astype(float) - turning(n)
        assert np.abs(blocks.reshape(8, 8, 8, 8, 3).mean((1, 3))).mean() < 10


def test_a_gif_faster_than_browsers_show_is_refused(tmp_path):
    with pytest.raises(KinesphereError, match="at most 50 frames a second, not 60"):
        gif_of(tmp_path / "a.gif", 3, 60)
    assert list(tmp_path.iterdir()) == []


def test_a_gif_is_not_replaced_unasked(tmp_path):
    (tmp_path / "a.gif").write_bytes(b"precious")
    with pytest.raises(KinesphereError, match=r"a\.gif exists already.*overwrite"):
        gif_of(tmp_path / "a.gif", 3, 10)
    assert (tmp_path / "a.gif").read_bytes() == b"precious"
    assert gif_of(tmp_path / "a.gif", 3, 10, overwrite=True).n_frames == 3


def test_a_gif_that_cannot_be_written_leaves_a_film(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Gif, "_write_gif", full)
    with pytest.raises(KinesphereError, match=r"No space left.*a\.gif\.mp4"):
        gif_of(tmp_path / "a.gif", 3, 10)
    assert numbers_of(tmp_path / "a.gif.mp4") == [0, 1, 2]


# --- frames


def frames_in(folder: Path, count: int, fps=30, **options) -> list[str]:
    sink = Frames(folder, **options)
    sink.open((160, 64), fps)
    for n in range(count):
        sink.write(numbered(n), n / fps)
    sink.close()
    return sorted(path.name for path in folder.iterdir())


def test_frames_are_numbered_and_lose_nothing(tmp_path):
    assert frames_in(tmp_path / "f", 12) == [f"frame{n:06d}.png" for n in range(12)]
    for n in range(12):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "f" / f"frame{n:06d}.png")), numbered(n))


def test_frames_of_a_slow_player_keep_its_speed(tmp_path):
    sink = Frames(tmp_path / "f")
    sink.open((160, 64), 10)
    for n, t in enumerate((5.0, 5.3, 5.31, 5.5)):
        sink.write(numbered(n), t)
    sink.close()
    shown = [number_in(np.asarray(Image.open(path))) for path in sorted((tmp_path / "f").iterdir())]
    assert shown == [0, 0, 0, 2, 2, 3]


def test_frames_go_into_no_folder_that_holds_something_unasked(tmp_path):
    frames_in(tmp_path / "f", 9)
    (tmp_path / "f" / "notes.txt").write_text("mine")
    with pytest.raises(KinesphereError, match="is not empty.*overwrite"):
        frames_in(tmp_path / "f", 3)
    left = frames_in(tmp_path / "f", 3, overwrite=True)
    assert left == ["frame000000.png", "frame000001.png", "frame000002.png", "notes.txt"]
    with pytest.raises(KinesphereError, match="is a file: name a folder"):
        frames_in(tmp_path / "f" / "notes.txt", 3)


# --- the sink that a path means


def test_the_ending_of_a_path_says_what_is_written(tmp_path):
    (tmp_path / "v1.2").mkdir()
    kinds = {"a.mp4": VideoFile, "a.WEBM": VideoFile, "a.gif": Gif, "frames": Frames, "v1.2": Frames}
    assert {name: type(to_file(tmp_path / name)) for name in kinds} == kinds
    with pytest.raises(KinesphereError, match=r"'a\.avi': it may end in \.mp4, \.webm or \.gif, or be a folder"):
        to_file(tmp_path / "a.avi")


# --- the window, on a driver that shows nothing


@pytest.fixture
def screen(monkeypatch):
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield pygame
    for window in list(Window._opened):
        window.close()


def on(window: Window) -> np.ndarray:
    """What the window shows, [H, W, 3] uint8 RGB."""
    import pygame

    return pygame.surfarray.array3d(window._window.get_surface()).swapaxes(0, 1)


def press(pygame, window: Window, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, window=window._window))


def test_a_window_has_the_frame_s_proportions_and_colours(screen):
    window = Window()
    window.open((512, 256), 30)
    frame = np.zeros((256, 512, 3), np.uint8)
    frame[:, :256] = (255, 128, 0)
    window.write(frame, 0.0)
    seen = on(window)
    assert seen.shape[1] == pytest.approx(2 * seen.shape[0], abs=2)
    assert (seen[5, 5] == (255, 128, 0)).all() and (seen[5, -5] == 0).all()


def test_full_screen_keeps_the_proportions_with_black_bars(screen):
    window = Window(fullscreen=True)
    window.open((256, 256), 30)
    window.write(np.full((256, 256, 3), 200, np.uint8), 0.0)
    bright = on(window)[..., 0] == 200
    assert bright.shape == (768, 1024)  # the driver's only display
    assert bright.sum() == 768 * 768 and bright[:, 128:896].all()


def test_fill_leaves_no_bars(screen):
    window = Window(fullscreen=True, fit="fill")
    window.open((256, 256), 30)
    window.write(np.full((256, 256, 3), 200, np.uint8), 0.0)
    assert (on(window) == 200).all()


def test_f_goes_to_full_screen_and_back(screen):
    window = Window()
    window.open((512, 512), 30)
    sizes = []
    for _ in range(2):
        press(screen, window, screen.K_f)
        window.write(np.zeros((512, 512, 3), np.uint8), 0.0)
        sizes.append(window._window.size)
    assert sizes == [(1024, 768), (512, 512)]
    assert not window.closed


def test_esc_closes(screen):
    window = Window()
    window.open((64, 64), 30)
    window.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert not window.closed
    press(screen, window, screen.K_ESCAPE)
    window.write(np.zeros((64, 64, 3), np.uint8), 0.1)
    assert window.closed
    window.write(np.zeros((64, 64, 3), np.uint8), 0.2)  # a frame that was under way does no harm


def test_the_close_button_closes_its_own_window(screen):
    first, second = Window(), Window()
    first.open((64, 64), 30)
    second.open((64, 64), 30)
    screen.event.post(screen.event.Event(screen.WINDOWCLOSE, window=second._window))
    first.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert (first.closed, second.closed) == (False, True)
    screen.event.post(screen.event.Event(screen.QUIT))
    first.write(np.zeros((64, 64, 3), np.uint8), 0.0)
    assert first.closed


def test_a_display_that_is_not_there_is_named(screen):
    with pytest.raises(KinesphereError, match=r"no display 3.*0 \(1024x768\)"):
        Window(display=3).open((64, 64), 30)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
@pytest.mark.parametrize(
    "driver", ["x11", None]
)  # SDL left alone takes one that draws into memory: nobody would see it
def test_without_a_display_the_way_out_is_said(monkeypatch, driver):
    pytest.importorskip("pygame")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    if driver is not None:
        monkeypatch.setenv("SDL_VIDEODRIVER", driver)
    with pytest.raises(KinesphereError, match=r"no display.*video file"):
        Window().open((64, 64), 30)


def test_without_pygame_the_way_out_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(KinesphereError, match=r"pip install 'kinesphere\[window\]'"):
        Window().open((64, 64), 30)


def test_a_picture_is_scaled_evenly_to_any_surface():
    frame = np.full((90, 160, 3), 9, np.uint8)
    for size in ((1920, 1080), (100, 400), (33, 7), (161, 90)):
        picture, (x, y) = placed(frame, size, "fit")
        assert picture.shape[1] / picture.shape[0] == pytest.approx(16 / 9, rel=0.12 if min(size) < 10 else 0.03)
        assert x + picture.shape[1] <= size[0] and y + picture.shape[0] <= size[1]
        assert placed(frame, size, "fill")[0].shape[1::-1] == size


def test_a_wrong_window_setting_is_refused():
    with pytest.raises(KinesphereError, match=r"stretch.*fit, fill"):
        Window(fit="stretch")
    with pytest.raises(KinesphereError, match="display"):
        Window(display=-1)


# --- null, and all of them


def test_null_counts_and_keeps_the_last():
    sink = Null()
    sink.open((4, 2), 25)
    for n in range(3):
        sink.write(np.full((2, 4, 3), n, np.uint8), n / 25)
    assert (sink.frames, sink.t, sink.size, sink.fps) == (3, 2 / 25, (4, 2), 25)
    assert (sink.frame == 2).all()


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_keeps_the_contract(name, tmp_path, screen):
    paths = {"video": "a.mp4", "gif": "a.gif", "frames": "a"}
    sink = SINKS[name](**({"path": tmp_path / paths[name], "overwrite": True} if name in paths else {}))
    assert isinstance(sink, Sink)
    assert SINKS[name].main_thread == (name == "window")
    sink.close()  # closing what was never opened is no mistake
    for _ in range(2):  # and a sink can be opened again
        sink.open((64, 48), Fraction(30))
        sink.write(np.zeros((48, 64, 3), np.uint8), 0.0)
        sink.write(np.zeros((48, 64, 3), np.uint8)[:, ::-1], 0.1)
        sink.close()
        sink.close()


# --- the built-in clip


@pytest.fixture(scope="module")
def clip() -> Path:
    import kinesphere

    return Path(kinesphere.__file__).parent / "builtin" / "clip.mp4"


def test_the_built_in_clip_is_small_and_has_its_sound(clip):
    assert clip.stat().st_size <= 900_000
    video = opened(clip)
    assert (video.fps, video.frames, video.duration, video.frame_size) == (30, 360, 12.0, (640, 360))
    begin, wave, codec = heard(clip)
    assert codec == "aac" and begin + len(wave) / RATE == pytest.approx(12, abs=0.05)
    assert 0.02 < wave.std() < 0.3 and np.abs(wave).max() < 0.95  # soft, and not clipped


def test_the_built_in_clip_loops_and_moves_each_region_by_itself(clip):
    video = opened(clip)
    small = np.stack([video.read(n / 30).value[::4, ::4].astype(float) for n in range(360)])
    change = np.abs(np.roll(small, -1, 0) - small).mean(-1)
    assert change[-1].mean() < change.mean((1, 2)).max()  # from the last frame to the first is a step like the others
    regions = [change[:, :45], change[:, 45:, :80], change[:, 45:, 80:]]  # top, bottom left, bottom right
    calm = np.stack([region.mean((1, 2)).reshape(24, 15).mean(1) for region in regions])  # per half second
    for n in range(3):
        others = np.delete(calm, n, 0)
        assert (calm[n] > 1.15 * others.max(0)).any()  # there are times at which this region leads


def test_the_clip_s_script_draws_the_clip(clip):
    from kinesphere.builtin import make_clip

    video = opened(clip)
    for n in (0, 137, 300):
        drawn = make_clip.frame(n).astype(float)
        assert np.abs(video.read(n / 30).value - drawn).mean() < 3
