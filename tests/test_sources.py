"""What a player notices of sources: the right picture at the right time, the right way round, and words when there is none."""

from __future__ import annotations

import gc
import random
from fractions import Fraction
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import av
import cv2
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kinesphere.sources import SOURCES, Camera, Pictures, Video, camera, list_cameras
from kinesphere.sources.geometry import fitted, over
from kinesphere.types import KinesphereError, Signal, Source, heard

NTSC = Fraction(30000, 1001)
BITS = 12


def numbered(n: int, size: tuple[int, int] = (192, 48)) -> np.ndarray:
    """A picture that carries the number `n` as BITS bright or dark bars."""
    picture = np.full((size[1], size[0], 3), 20, np.uint8)
    for bit in range(BITS):
        if n >> bit & 1:
            picture[:, bit * size[0] // BITS : (bit + 1) * size[0] // BITS] = 235
    return picture


def number_in(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    bars = picture[height // 4 : -height // 4].mean((0, 2))
    return sum(int(bars[int((bit + 0.5) * width / BITS)] > 128) << bit for bit in range(BITS))


def film(
    path: Path,
    count: int = 60,
    fps: Fraction = Fraction(30),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    first: int = 0,
    size: tuple[int, int] = (192, 48),
    options: dict[str, str] | None = None,
    movflags: str = "",
    stamps: list[int] | None = None,
    clock: Fraction | None = None,
    rotation: float | None = None,
    pixel_aspect: Fraction | None = None,
    picture=numbered,
    container: str | None = None,
) -> Path:
    """A small video whose pictures carry their numbers; `stamps` in ticks of `clock`, or one after the other at `fps`."""
    with av.open(str(path), "w", format=container, options={"movflags": movflags} if movflags else {}) as output:
        stream = output.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for n in range(count):
            frame = av.VideoFrame.from_ndarray(picture(n, size), format="rgb24").reformat(format=pixels)
            frame.pts = (stamps[n] if stamps else n) + first
            frame.time_base = clock or 1 / fps
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def opened(path: Path, **options) -> Video:
    video = Video(path, **options)
    video.open()
    return video


def shown(video: Video, t: float) -> int:
    return number_in(video.read(t).value)


# --- video: the right picture at the right time

KINDS = {
    "24": ("a.mp4", {"fps": Fraction(24)}),
    "25 in a transport stream that starts late": ("a.ts", {"fps": Fraction(25), "first": 100}),
    "30000/1001 with B-frames": ("a.mp4", {"fps": NTSC, "options": {"bf": "3"}}),
    "30000/1001 on a clock of milliseconds": ("a.mkv", {"fps": NTSC}),
    "60 that starts late": ("a.mp4", {"fps": Fraction(60), "first": 33}),
    "240 on a clock of milliseconds": ("a.mkv", {"fps": Fraction(240)}),
    "fragments": ("a.mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof", "options": {"g": "12"}}),
    "open groups of pictures": ("a.mp4", {"options": {"x264-params": "open-gop=1:keyint=15:bframes=5"}}),
    "no time stamps at all": ("a.h264", {"fps": Fraction(25), "container": "h264"}),
    "stamps in the order of decoding": ("a.avi", {}),
    "a program stream, which seeks badly": (
        "a.mpg",
        {"fps": Fraction(25), "codec": "mpeg2video", "options": {"bf": "2"}},
    ),
    "VP9": ("a.webm", {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}),
    "ten bits": ("a.mov", {"codec": "prores_ks", "pixels": "yuv422p10le"}),
    "grey": ("a.mp4", {"pixels": "gray"}),
    "odd sizes": ("a.mp4", {"pixels": "yuv444p", "size": (193, 49)}),
    "an animation": ("a.gif", {"codec": "gif", "pixels": "rgb8", "fps": Fraction(20)}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_is_there_at_its_own_time_in_any_order(tmp_path, kind):
    name, options = KINDS[kind]
    video = opened(film(tmp_path / name, **options), loop=False)
    fps = options.get("fps", Fraction(30))
    assert (video.fps, video.frames) == (fps, 60)
    assert video.duration == pytest.approx(60 / fps)
    order = list(range(60))
    for numbers in (order, random.Random(1).sample(order, 60), order[::-1]):
        assert [shown(video, n / float(fps)) for n in numbers] == numbers
    assert [shown(video, (n + 0.9) / float(fps)) for n in order] == order
    assert [video.read(n / float(fps)).t for n in order] == pytest.approx([n / fps for n in order], abs=1e-9)


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_varying_rate_is_kept(tmp_path, name):
    draw = random.Random(3)
    stamps = [0]
    for _ in range(59):
        stamps.append(stamps[-1] + draw.choice([7, 20, 33, 50, 100]))
    path = film(tmp_path / name, stamps=stamps, clock=Fraction(1, 1000), fps=Fraction(1000))
    video = opened(path, loop=False)
    assert [shown(video, stamp / 1000) for stamp in stamps] == list(range(60))
    assert [shown(video, (a + 0.9 * (b - a)) / 1000) for a, b in pairwise(stamps)] == list(range(59))
    assert video.fps == pytest.approx(60 / video.duration, rel=1e-3)


def test_after_3000_frames_at_29_97_the_picture_is_still_the_right_one(tmp_path):
    video = opened(film(tmp_path / "long.mp4", 3000, NTSC, options={"preset": "ultrafast"}), loop=False)
    t = 0.0
    for n in range(3000):
        if n % 97 == 0 or n > 2990:
            assert shown(video, t) == n
        t += 1001 / 30000  # the way a clock adds up, with its rounding
    assert video.duration == pytest.approx(3000 * 1001 / 30000)


def test_a_loop_goes_round_without_a_slip(tmp_path):
    video = opened(film(tmp_path / "a.mp4", 20, NTSC))
    asked = range(20 * 50 + 7)
    assert [shown(video, float(n / NTSC)) for n in asked] == [n % 20 for n in asked]
    stamps = [video.read(float(n / NTSC)).t for n in asked]
    assert stamps == pytest.approx([float(n / NTSC) for n in asked], abs=1e-9)
    assert len(set(stamps)) == len(stamps)  # each new frame can be told from the one before


def test_a_loop_from_a_start_stays_after_the_start(tmp_path):
    video = opened(film(tmp_path / "a.mp4", 20, NTSC), start=float(5 / NTSC))
    assert [shown(video, float(n / NTSC)) for n in range(45)] == [5 + n % 15 for n in range(45)]


def test_without_a_loop_the_last_frame_stays(tmp_path):
    video = opened(film(tmp_path / "a.mp4", 20), loop=False)
    last = video.read(19 / 30)
    assert number_in(last.value) == 19
    assert video.read(100.0) is last


def test_the_same_frame_is_the_same_signal(tmp_path):
    video = opened(film(tmp_path / "a.mp4", 20))
    assert video.read(0.5) is video.read(0.505)
    assert video.read(0.5) is not video.read(0.6)


def test_a_frame_looks_the_same_however_it_was_reached(tmp_path):
    path = film(tmp_path / "a.mp4", options={"g": "20", "bf": "3"})
    forwards, back = opened(path), opened(path)
    wanted = {n: forwards.read(n / 30).value for n in range(60)}
    for n in range(59, -1, -7):
        np.testing.assert_array_equal(back.read(n / 30).value, wanted[n])


def test_an_edit_of_the_file_is_respected(tmp_path):
    whole = film(tmp_path / "whole.mp4", options={"g": "30"})
    with av.open(str(whole)) as source, av.open(str(tmp_path / "edit.mp4"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        ten = int(Fraction(10, 30) / source.streams.video[0].time_base)
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - ten, packet.dts - ten, stream
                output.mux(packet)
    video = opened(tmp_path / "edit.mp4", loop=False)
    assert video.frames == 50
    assert [shown(video, n / 30) for n in (0, 1, 49, 20, 3)] == [10, 11, 59, 30, 13]


# --- video: the right way round, in the right colours


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_telephone_gives_upright_pictures(tmp_path, degrees):
    def corners(n, size):
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        picture[: size[1] // 2, : size[0] // 2] = (255, 0, 0)
        picture[: size[1] // 2, size[0] // 2 :] = (0, 255, 0)
        return picture

    path = film(tmp_path / "t.mp4", 2, rotation=degrees, size=(96, 64), picture=corners)
    video = opened(path)
    _, expected = cv2.VideoCapture(str(path)).read()  # OpenCV turns pictures by itself
    assert video.frame_size == expected.shape[1::-1]
    assert np.abs(video.read(0).value.astype(int) - expected[..., ::-1]).mean() < 4


def test_pixels_that_are_not_square_are_widened_not_squeezed(tmp_path):
    assert opened(film(tmp_path / "pal.mp4", 2, size=(180, 60), pixel_aspect=Fraction(16, 15))).frame_size == (192, 60)


def test_a_mirror_swaps_left_and_right_once(tmp_path):
    path = film(tmp_path / "a.mp4", 3)
    np.testing.assert_array_equal(opened(path, mirror=True).read(0.05).value, opened(path).read(0.05).value[:, ::-1])


def bt709(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """ITU-R BT.709-6, section 3, limited range, eight bits."""
    r, g, b = (c / 255 for c in rgb)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return 16 + 219 * y, 128 + 224 * (b - y) / 1.8556, 128 + 224 * (r - y) / 1.5748


@pytest.mark.parametrize("size", [(1280, 720), (64, 48)], ids=["untagged HD is BT.709", "tagged is what it says"])
def test_colours_are_read_with_the_right_matrix(tmp_path, size):
    colours = [(250, 30, 30), (30, 240, 40), (30, 40, 230), (200, 180, 20), (128, 128, 128)]
    path = tmp_path / "c.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        if size[1] < 720:
            stream.codec_context.colorspace = 1
        for n, colour in enumerate(colours):
            planes = [np.full((size[1], size[0]), round(v), np.uint8) for v in bt709(colour)]
            frame = av.VideoFrame.from_ndarray(np.stack(planes), format="yuv444p")
            frame.pts, frame.time_base = n, Fraction(1, 5)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    video = opened(path)
    for n, colour in enumerate(colours):
        assert np.abs(video.read(n / 5).value.astype(int) - colour).max() <= 2


def test_what_is_transparent_shows_black(tmp_path):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("qtrle", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 4), (200, 100, 50, 128), np.uint8), format="rgba")
        frame = frame.reformat(format="argb")
        frame.pts, frame.time_base = 0, Fraction(1, 5)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert np.abs(opened(path).read(0).value.astype(int) - (100, 50, 25)).max() <= 1


# --- video: words when there is none


def refusal(**options) -> str:
    with pytest.raises(KinesphereError) as caught:
        opened(**options)
    return str(caught.value)


def test_what_is_no_video_is_refused_in_words(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film " * 100)
    (tmp_path / "empty.mp4").touch()
    assert "no video file" in refusal(path=tmp_path / "absent.mp4")
    assert "no video file" in refusal(path=tmp_path)
    assert "cannot be read as a video" in refusal(path=tmp_path / "text.mp4")
    assert "cannot be read as a video" in refusal(path=tmp_path / "empty.mp4")
    assert "past the end" in refusal(path=film(tmp_path / "a.mp4", 10), start=20.0)


def test_sound_alone_is_refused_in_words(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        output.mux(stream.encode(frame))
    assert "sound but no moving pictures" in refusal(path=tmp_path / "a.wav")


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.97])
def test_a_file_that_was_cut_short_is_refused_with_its_counts(tmp_path, kept):
    data = film(tmp_path / "a.mp4", movflags="faststart", options={"g": "10"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * kept)])
    assert "cut short" in refusal(path=tmp_path / "cut.mp4")


def test_a_file_cut_short_before_its_index_is_refused(tmp_path):
    data = film(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert "cut short" in refusal(path=tmp_path / "cut.mp4")


@pytest.mark.parametrize(
    "options",
    [{"start": -1.0}, {"start": float("nan")}, {"size": (0, 4)}, {"size": (4,)}, {"aspect": "stretch"}],
    ids=str,
)
def test_a_wrong_setting_is_named(options):
    with pytest.raises(KinesphereError, match=next(iter(options))):
        Video("a.mp4", **options)


# --- the shape of pictures


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(["keep", "crop", "fit"]),
)
def test_a_fitted_picture_has_the_size_that_was_asked(width, height, wide, high, aspect):
    picture = fitted(np.full((height, width, 3), 200, np.uint8), (wide, high), aspect)
    if aspect == "keep":
        assert picture.shape[1] <= wide and picture.shape[0] <= high
        assert picture.shape[1] == wide or picture.shape[0] == high
    else:
        assert picture.shape == (high, wide, 3)
    if aspect == "crop":
        assert (picture == 200).all()


def test_a_circle_stays_a_circle():
    y, x = np.mgrid[:180, :320]
    circle = np.repeat((np.hypot(x - 160, y - 90) < 60)[..., None] * np.uint8(255), 3, 2)
    for aspect, size in (("keep", (160, 160)), ("crop", (90, 90)), ("fit", (200, 200)), ("crop", (500, 400))):
        bright = fitted(circle, size, aspect)[..., 0] > 128
        assert bright.any(0).sum() == pytest.approx(bright.any(1).sum(), abs=1.5)


def test_shrinking_counts_every_pixel():
    fine = np.zeros((400, 400, 3), np.uint8)
    fine[:, ::4] = 255  # stripes that vanish, or turn coarse, where pixels are only picked
    assert np.abs(fitted(fine, (50, 50)).astype(int) - 255 / 4).max() <= 1


def test_bars_are_black_or_what_was_asked():
    picture = fitted(np.full((10, 20, 3), 200, np.uint8), (20, 20), "fit", (1, 2, 3))
    assert (picture[:5] == (1, 2, 3)).all() and (picture[5:15] == 200).all() and (picture[15:] == (1, 2, 3)).all()


def test_half_transparent_is_half_of_both():
    assert (over(np.full((1, 1, 4), (255, 0, 100, 51), np.uint8), (0, 255, 100)) == (51, 204, 100)).all()


# --- the camera, with a double in its place


class Webcam:
    """Stands in for cv2.VideoCapture: `script` holds what each read gives, `cameras` which indices exist."""

    cameras: ClassVar[set[int | str]] = {0}
    script: ClassVar[list[np.ndarray | None]] = []
    made: ClassVar[list[Webcam]] = []

    def __init__(self, index):
        self.index, self.asked, self.released = index, {}, False
        Webcam.made.append(self)

    def isOpened(self):
        return self.index in Webcam.cameras

    def set(self, key, value):
        self.asked[key] = value

    def get(self, key):
        return {cv2.CAP_PROP_FRAME_WIDTH: 640.0, cv2.CAP_PROP_FRAME_HEIGHT: 480.0}[key]

    def read(self):
        picture = Webcam.script.pop(0) if Webcam.script else None
        return picture is not None, picture

    def release(self):
        self.released = True


def orange(width: int = 64, height: int = 48) -> np.ndarray:
    """As a camera gives it: blue first. Orange on the left half, black on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (0, 128, 255)
    return picture


@pytest.fixture
def webcam(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    monkeypatch.setattr(camera, "LINUX_CAMERAS", tmp_path / "sys")
    monkeypatch.setattr(camera, "LINUX_NODES", tmp_path / "dev")
    monkeypatch.setattr(camera.sys, "platform", "linux")
    Webcam.cameras, Webcam.script, Webcam.made = {0}, [], []
    return Webcam


def plug_in(root: Path, number: int, name: str, node: str = "0") -> None:
    folder = root / "sys" / f"video{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "index").write_text(node + "\n")
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev" / f"video{number}").touch()


def test_a_camera_is_a_mirror_in_true_colours(webcam):
    webcam.script = [orange(), orange()]
    source = Camera()
    source.open()
    picture = source.read(0.0).value
    assert (picture[:, 40:] == (255, 128, 0)).all() and (picture[:, :24] == 0).all()


def test_a_camera_without_mirror_is_as_others_see_you(webcam):
    webcam.script = [orange(), orange()]
    source = Camera(mirror=False)
    source.open()
    assert (source.read(0.0).value[:, :24] == (255, 128, 0)).all()


def test_a_picture_is_stamped_when_it_came_not_when_it_was_asked(webcam, monkeypatch):
    clock = iter([10.0, 10.025])
    webcam.script = [orange(), orange()]
    source = Camera()
    source.open()
    monkeypatch.setattr(camera.time, "perf_counter", lambda: next(clock))
    assert source.read(5.0).t == pytest.approx(5.025)


def test_only_the_newest_picture_waits_in_the_camera(webcam):
    webcam.script = [orange()]
    Camera(width=1280, height=720, fps=60).open()
    asked = webcam.made[-1].asked
    assert asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert (asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT]) == (1280, 720)
    assert asked[cv2.CAP_PROP_FPS] == 60


def test_a_film_that_is_closed_leaves_no_thread_of_its_decoder():
    """At once, and not when the collector of cycles comes by: a source that is opened again and again would grow."""
    path = resources.files("kinesphere.builtin") / "clip.mp4"

    def played():
        video = Video(str(path))
        video.open()
        video.read(0.1), video.read(0.5)
        video.close()

    played()
    gc.collect()
    gc.disable()
    try:
        before = psutil.Process().num_threads()
        for _ in range(5):
            played()
        assert psutil.Process().num_threads() <= before
    finally:
        gc.enable()


def test_a_camera_that_stops_says_so_and_can_be_opened_again(webcam):
    webcam.script = [orange(), orange(), None, orange(), orange()]
    source = Camera()
    source.open()
    source.read(0.0)
    with pytest.raises(KinesphereError, match="camera 0 stopped"):
        source.read(0.1)
    source.close()
    assert webcam.made[-1].released
    source.open()
    assert isinstance(source.read(2.0), Signal)


def test_a_driver_that_fails_is_a_camera_that_stops(webcam, monkeypatch):
    webcam.script = [orange()]
    source = Camera()
    source.open()

    def unplugged(self):
        raise cv2.error("select() timeout")

    monkeypatch.setattr(Webcam, "read", unplugged)
    with pytest.raises(KinesphereError, match=r"camera 0 stopped: select\(\) timeout"):
        source.read(0.0)


def test_a_camera_may_change_its_size(webcam):
    webcam.script = [orange(), orange(64, 48), orange(32, 32), np.full((20, 30), 7, np.uint8)]
    source = Camera()
    source.open()
    assert [source.read(0.0).value.shape for _ in range(3)] == [(48, 64, 3), (32, 32, 3), (20, 30, 3)]


def test_an_absent_camera_is_named_with_those_that_are_there(webcam, tmp_path):
    plug_in(tmp_path, 0, "Integrated Camera")
    plug_in(tmp_path, 1, "Integrated Camera", node="1")  # its data, not its pictures
    plug_in(tmp_path, 10, "Capture Stick")
    assert list_cameras() == [(0, "Integrated Camera"), (10, "Capture Stick")]
    with pytest.raises(KinesphereError, match=r"camera 3 .*0 \(Integrated Camera\), 10 \(Capture Stick\)"):
        Camera(3).open()


def test_where_there_is_no_camera_a_video_is_offered(webcam):
    webcam.cameras = set()
    assert list_cameras() == []
    with pytest.raises(KinesphereError, match=r"camera 0 .*no other.*video"):
        Camera().open()


def test_a_number_typed_as_text_is_a_number(webcam):
    webcam.cameras, webcam.script = {1}, [orange()]
    Camera("1").open()
    assert webcam.made[-1].index == 1


def test_a_camera_that_shows_nothing_is_not_called_open(webcam):
    webcam.script = [None]
    with pytest.raises(KinesphereError, match="gives no picture"):
        Camera().open()
    assert webcam.made[-1].released


def test_elsewhere_cameras_are_found_by_trying(webcam, monkeypatch):
    webcam.cameras = {0, 2}
    monkeypatch.setattr(camera.sys, "platform", "darwin")
    assert list_cameras() == [(0, "camera 0, 640x480"), (2, "camera 2, 640x480")]
    assert all(capture.released for capture in webcam.made)


def test_the_real_opencv_is_quiet_about_an_absent_camera(capfd):
    with pytest.raises(KinesphereError):
        Camera("/dev/video97").open()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "options", [{"index": -1}, {"index": ""}, {"width": 0}, {"fps": -5}, {"aspect": "wide"}], ids=str
)
def test_a_wrong_camera_setting_is_refused(options):
    with pytest.raises(KinesphereError):
        Camera(**options)


# --- pictures


@pytest.fixture
def album(tmp_path):
    """Five plain pictures of growing brightness, whose names a person sorts otherwise than a computer."""
    for number in (1, 2, 3, 10, 20):
        Image.new("RGB", (40, 30), (number * 10,) * 3).save(tmp_path / f"Shot {number}.png")
    return tmp_path


def greys(source: Pictures, times) -> list[int]:
    return [int(source.read(t).value[0, 0, 0]) for t in times]


def leafed(path: Path, **options) -> Pictures:
    source = Pictures(path, **options)
    source.open()
    return source


def test_pictures_come_in_the_order_of_their_numbers(album):
    source = leafed(album, seconds=2.0, fade=0.0)
    assert greys(source, (0, 1.9, 2, 4, 6, 8, 9.99, 10, 12)) == [10, 10, 20, 30, 100, 200, 200, 10, 20]
    assert (source.duration, source.frame_size) == (10.0, (40, 30))


def test_a_fade_is_half_way_in_the_middle_of_it(album):
    source = leafed(album, seconds=2.0, fade=1.0)
    assert greys(source, (0.9, 1.5, 2.0, 7.5)) == [10, 15, 20, 150]
    assert greys(source, (9.5,)) == [105]  # and the last fades into the first


def test_a_new_look_has_a_new_time_and_an_old_look_its_old_one(album):
    source = leafed(album, seconds=2.0, fade=1.0)
    still = source.read(2.1)
    assert still.t == 2.0 and source.read(2.9) is still
    assert source.read(3.4).t == 3.4
    assert source.read(12.5).t == 12.0


def test_without_a_loop_the_last_picture_stays(album):
    source = leafed(album, seconds=2.0, fade=1.0, loop=False)
    assert greys(source, (8, 9.9, 100)) == [200, 200, 200]


def test_a_shuffle_is_the_seed_s(album):
    orders = {seed: greys(leafed(album, seconds=1, fade=0, order="shuffle", seed=seed), range(5)) for seed in range(6)}
    assert orders[3] == greys(leafed(album, seconds=1, fade=0, order="shuffle", seed=3), range(5))
    assert all(sorted(order) == [10, 20, 30, 100, 200] for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) > 1


def test_pictures_of_every_kind_are_seen_as_they_are_meant(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "16 bit.png")
    Image.new("L", (64, 64), 90).save(tmp_path / "grey.jpg", quality=95)
    Image.new("LA", (64, 64), (200, 128)).save(tmp_path / "grey, half there.png")
    Image.new("RGBA", (64, 64), (250, 0, 0, 0)).save(tmp_path / "not there.png")
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "print red.tif")
    Image.new("RGB", (64, 64), (0, 204, 51)).convert("P").save(tmp_path / "palette.gif")
    Image.new("1", (64, 64), 1).save(tmp_path / "white.bmp")
    source = leafed(tmp_path, seconds=1, fade=0, background=(0, 0, 255))
    seen = {file.stem: source.read(n).value for n, file in enumerate(source.files)}
    assert source.skipped == {}
    expected = {
        "grey": (90, 90, 90),
        "grey, half there": (100, 100, 227),
        "not there": (0, 0, 255),
        "print red": (255, 0, 0),
        "palette": (0, 204, 51),
        "white": (255, 255, 255),
    }
    for name, colour in expected.items():
        assert np.abs(seen[name].astype(int) - colour).max() <= 3, name
    np.testing.assert_allclose(seen["16 bit"][..., 1], ramp / 257, atol=0.51)


def test_a_photograph_taken_sideways_stands_upright(tmp_path):
    picture = Image.new("RGB", (40, 20), (0, 0, 0))
    picture.paste((255, 255, 255), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown a quarter turn clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    source = leafed(tmp_path)
    assert source.frame_size == (20, 40)
    shown_picture = source.read(0).value
    assert (shown_picture[:18] == 255).all() and (shown_picture[22:] == 0).all()


def test_all_frames_have_the_first_one_s_size_and_nothing_is_squeezed(tmp_path):
    Image.new("RGB", (60, 40), "white").save(tmp_path / "1.png")
    Image.new("RGB", (30, 60), "white").save(tmp_path / "2.png")
    framed, cut = (leafed(tmp_path, seconds=1, fade=0, aspect=aspect).read(1.0).value for aspect in ("fit", "crop"))
    assert framed.shape == cut.shape == (40, 60, 3)
    assert (framed[:, 21:39] == 255).all() and (framed[:, :19] == 0).all() and (cut == 255).all()


def test_a_huge_photograph_does_not_make_huge_frames(tmp_path):
    Image.new("RGB", (3840, 100)).save(tmp_path / "1.png")
    assert leafed(tmp_path).frame_size == (1920, 50)


def test_damaged_pictures_are_skipped_and_named(album):
    (album / "Shot 0.png").write_bytes(b"not a picture")
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(noise).save(album / "Shot 4.png")
    (album / "Shot 4.png").write_bytes((album / "Shot 4.png").read_bytes()[:900])  # its head is whole
    (album / "notes.txt").write_text("not meant to be a picture")
    source = leafed(album, seconds=1, fade=0)
    assert list(source.skipped) == ["Shot 0.png"]
    assert greys(source, range(6)) == [10, 20, 30, 100, 100, 200]  # the next one stands in for the damaged one
    assert set(source.skipped) == {"Shot 0.png", "Shot 4.png"}
    assert greys(leafed(album, seconds=1, fade=0), (3,)) == [100]  # in whatever order they are asked for


def test_few_pictures_are_in_memory_at_once(tmp_path):
    for number in range(12):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    source = leafed(tmp_path, seconds=1, fade=0.5)
    for n in range(120):
        source.read(n / 10)
    assert len(source._kept) <= 3


def test_a_folder_without_pictures_is_refused_in_words(tmp_path):
    for path, words in ((tmp_path / "absent", "does not exist"), (tmp_path, "no picture")):
        with pytest.raises(KinesphereError, match=words):
            Pictures(path).open()
    (tmp_path / "a.png").write_bytes(b"?")
    with pytest.raises(KinesphereError, match=r"could not be read: a\.png"):
        Pictures(tmp_path).open()
    with pytest.raises(KinesphereError, match="give the folder"):
        Pictures(tmp_path / "a.png").open()


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": 0},
        {"fade": 9.0},
        {"order": "size"},
        {"aspect": "keep"},
        {"background": (0, 300, 0)},
        {"size": (-1, 2)},
    ],
    ids=str,
)
def test_a_wrong_picture_setting_is_named(options):
    with pytest.raises(KinesphereError, match=next(iter(options))):
        Pictures("album", **options)


# --- all of them


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_keeps_the_contract(name, tmp_path, webcam):
    webcam.script = [orange()] * 4
    Image.new("RGB", (64, 48)).save(tmp_path / "1.png")
    given = {"pictures": {"path": tmp_path}, "video": {"path": film(tmp_path / "a.mp4", 5)}}.get(name, {})
    listens = heard(SOURCES[name])
    shaped = {} if listens else {"size": (32, 32), "aspect": "crop", "mirror": True}
    source = SOURCES[name](**given, **shaped)
    assert isinstance(source, Source)
    source.close()  # closing what was never opened is no mistake
    source.open()
    if name == "page":
        source.push(np.zeros([48, 64, 3], np.uint8))  # it shows what a page sends
    if listens:
        source.push(np.zeros(480, np.float32), rate=48_000, count=480)
    signal = source.read(0.5)
    shape, kind = ((480, 1), np.float32) if listens else ((32, 32, 3), np.uint8)
    assert signal.value.shape == shape and signal.value.dtype == kind and signal.value.flags.c_contiguous
    assert 0 <= signal.t < 1
    source.close()
    source.open()  # and a source can be opened again
    assert source.read(0.0) is not None
    source.close()
    source.close()
