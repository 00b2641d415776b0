"""Any picture as a square: its colours, its way up and its place are those known from how it was made."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from kinesphere.studio.squares import FITS, Square, decoded, eight_bits, geometry
from kinesphere.train.stores import Unreadable
from kinesphere.types import KinesphereError

rng = np.random.RandomState(0)
SIDES = st.integers(8, 5000)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data):
    return np.asarray(decoded(data))


def png16(values, colours):
    """A 16-bit PNG by the book: [H, W, C] uint16; `colours` is PNG's colour type."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">2I5B", width, height, 16, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def linear_profile(space):
    """An ICC profile (v2) of linear light: sRGB's primaries for "RGB ", or grey."""

    def xyz(x, y, z):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (x, y, z))

    text = b"linear light\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(8 + 2 + 1 + 67),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
    }
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0)  # no points: the identity
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:  # sRGB's primaries, adapted to D50
        tags |= {b"rXYZ": xyz(0.4360, 0.2225, 0.0139), b"gXYZ": xyz(0.3851, 0.7169, 0.0971)}
        tags |= {b"bXYZ": xyz(0.1431, 0.0606, 0.7141), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">2I", at + len(body), len(data))
        body += data
    head = bytearray(128)
    head[0:4] = struct.pack(">I", at + len(body))
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\2\x10\0\0", b"mntr", space, b"XYZ "
    head[36:40], head[68:80] = b"acsp", xyz(0.9642, 1.0, 0.8249)[8:]
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


# Colours --------------------------------------------------------------------------------------------------------------

PICTURE = rng.randint(0, 256, (12, 16, 3)).astype(np.uint8)
GREY = PICTURE[..., 0]


def test_plain_modes_keep_their_values():
    assert (pixels(encoded(Image.fromarray(PICTURE))) == PICTURE).all()
    assert (pixels(encoded(Image.fromarray(GREY))) == GREY[..., None]).all()
    ink = GREY > 128
    assert (pixels(encoded(Image.fromarray(ink))) == np.where(ink, 255, 0)[..., None]).all()
    palette = Image.frombytes("P", (16, 12), (GREY // 64).tobytes())
    palette.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0, 7, 7, 7])
    colours = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0], [7, 7, 7]])
    assert (pixels(encoded(palette)) == colours[GREY // 64]).all()


def test_transparency_is_kept_in_every_mode_that_has_it():
    alpha = PICTURE[..., 1]
    assert (pixels(encoded(Image.fromarray(np.dstack([PICTURE, alpha])))) == np.dstack([PICTURE, alpha])).all()
    grey = Image.frombytes("LA", (16, 12), np.dstack([GREY, alpha]).tobytes())
    assert (pixels(encoded(grey)) == np.dstack([GREY, GREY, GREY, alpha])).all()
    key = encoded(Image.fromarray(PICTURE), transparency=tuple(int(v) for v in PICTURE[3, 4]))
    seen = pixels(key)
    assert seen[3, 4, 3] == 0 and (seen[..., :3] == PICTURE).all() and seen[..., 3].max() == 255


def test_cmyk_without_a_profile_is_mixed_plainly():
    inks = rng.randint(0, 256, (12, 16, 4)).astype(np.uint8)
    expected = np.rint((255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255)
    seen = pixels(encoded(Image.frombytes("CMYK", (16, 12), inks.tobytes()), "TIFF"))
    assert np.abs(seen - expected).max() <= 1


def test_a_cmyk_jpeg_is_inverted_as_adobe_writes_it():
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:, :8] = 0, 255, 255, 0  # magenta and yellow: red
    inks[:, 8:] = 0, 0, 0, 200  # a dark grey
    data = encoded(Image.frombytes("CMYK", (16, 16), inks.tobytes()), "JPEG", quality=98)
    reference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(pixels(data).astype(int) - reference).max() <= 3
    assert np.abs(pixels(data)[8, 3].astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("colours, channels", [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_are_scaled_and_not_clipped(colours, channels):
    values = np.linspace(0, 65535, 16 * 16 * channels).astype(np.uint16).reshape(16, 16, channels)
    if channels in (2, 4):
        values[..., -1] = 65535  # opaque
    seen = pixels(png16(values, colours))
    expected = values / 257
    if channels < 3:
        expected = np.repeat(expected[..., :1], 3, axis=2)
    assert np.abs(seen[..., :3] - expected[..., :3]).max() <= 1
    assert seen[0, 0, 0] == 0 and seen[..., 0].max() >= 254


def test_a_sixteen_bit_grey_is_rounded_to_the_nearest():
    values = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16, 1)
    assert (pixels(png16(values, 0))[..., 0] == np.rint(values[..., 0] / 257)).all()


@pytest.mark.parametrize(
    "mode, values, expected",
    [
        ("I;16", [0, 257, 65535], [0, 1, 255]),
        ("I", [-5, 100, 255], [0, 100, 255]),
        ("I", [0, 257, 65535], [0, 1, 255]),
        ("I", [0, 2**30, 2**31 - 1], [0, 128, 255]),
        ("F", [-1.0, 0.5, 1.0], [0, 128, 255]),
        ("F", [0.5, 4.0, np.inf], [128, 255, 255]),
        ("F", [0.0, 100.0, 255.0], [0, 100, 255]),
        ("F", [np.nan, 257.0, 65535.0], [0, 1, 255]),
    ],
)
def test_deep_greys_have_their_white_where_it_is_promised(mode, values, expected):
    assert eight_bits(np.array(values), mode).tolist() == expected


def test_a_float_tiff_is_light_from_zero_to_one():
    light = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    assert (pixels(encoded(Image.fromarray(light), "TIFF"))[..., 2] == np.arange(256).reshape(16, 16)).all()


def test_a_lab_tiff_shows_its_colours():
    flat = Image.new("RGB", (16, 16), (200, 120, 40))
    lab = ImageCms.profileToProfile(
        flat, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert np.abs(pixels(encoded(lab, "TIFF"))[5, 5].astype(int) - (200, 120, 40)).max() <= 3


@pytest.mark.parametrize("space, mode", [(b"RGB ", "RGB"), (b"GRAY", "L"), (b"RGB ", "RGBA")])
def test_an_embedded_profile_is_followed(space, mode):
    """Half of linear light is 188 of 255 in sRGB: 1.055 · 0.502^(1/2.4) − 0.055 (IEC 61966-2-1)."""
    image = Image.new(mode, (16, 16), 128 if mode == "L" else (128,) * len(mode))
    expected = 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055)
    seen = pixels(encoded(image, icc_profile=linear_profile(space)))[3, 3]
    assert np.abs(seen[:3] - expected).max() <= 1.5
    if mode == "RGBA":
        assert seen[3] == 128  # transparency is no colour


@pytest.mark.parametrize("profile", [b"no profile at all", linear_profile(b"GRAY")])
def test_a_profile_that_does_not_suit_its_picture_is_passed_over(profile):
    assert (pixels(encoded(Image.fromarray(PICTURE), icc_profile=profile)) == PICTURE).all()


def test_a_moving_gif_shows_its_first_picture():
    frames = [Image.new("P", (16, 16), 0), Image.new("P", (16, 16), 1)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 0, 255])
    assert (pixels(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))[..., :3] == (255, 0, 0)).all()


# The way up -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_photograph_upright(orientation):
    """Compared with OpenCV, which follows the same tag."""
    photo = np.kron(rng.randint(0, 256, (2, 3, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(photo), "JPEG", quality=95, exif=exif, subsampling=0)
    reference = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    seen = pixels(data)
    assert seen.shape == reference.shape
    assert np.abs(seen.astype(int) - reference).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_exif_is_followed_in_other_files_and_in_deep_greys(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (pixels(encoded(Image.fromarray(PICTURE), kind, exif=exif, **options)) == np.rot90(PICTURE, -1)).all()
    if kind != "WEBP":
        deep = Image.fromarray(GREY.astype(np.uint16) * 257)
        assert (pixels(encoded(deep, kind, exif=exif))[..., 0] == np.rot90(GREY, -1)).all()


def test_damaged_exif_leaves_the_picture_as_it_is():
    data = encoded(Image.fromarray(PICTURE), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff")
    assert (pixels(data) == PICTURE).all()


# What is no picture ---------------------------------------------------------------------------------------------------


def bomb():
    head = struct.pack(">2I5B", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\x10IDAT" + bytes(16)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "an empty file"),
        (b"a letter, not a picture", "not a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "a HEIC photograph, which Pillow cannot read: save it as JPEG"),
        (encoded(Image.fromarray(PICTURE).resize((200, 200)), "JPEG")[:-900], "it is damaged: image file is truncated"),
        (encoded(Image.fromarray(PICTURE))[:-60], "it is damaged"),
        (encoded(Image.new("RGB", (1, 1))), "too small to be a picture: 1 × 1 px, at least 8 are wanted"),
        (encoded(Image.new("RGB", (500, 7))), "too small to be a picture: 500 × 7 px"),
        (bomb(), "far too many pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n", "not a picture"),  # no program is started
    ],
)
def test_what_is_no_picture_is_refused_with_its_reason(data, reason):
    with pytest.raises(Unreadable) as refused:
        decoded(data)
    assert reason in str(refused.value)


# The square -----------------------------------------------------------------------------------------------------------


@given(SIDES, SIDES, st.integers(4, 1024))
def test_crop_takes_the_largest_middle_square(width, height, size):
    (left, top, right, bottom), place = geometry(width, height, size, "crop")
    assert right - left == bottom - top == min(width, height)
    assert 0 <= left and right <= width and 0 <= top and bottom <= height
    assert abs(left - (width - right)) <= 1 and abs(top - (height - bottom)) <= 1
    assert place == (0, 0, size, size)


@given(SIDES, SIDES, st.integers(4, 1024), st.sampled_from(["fit", "pad"]))
def test_fit_and_pad_show_all_of_it_in_its_proportions(width, height, size, fit):
    box, (left, top, inner_width, inner_height) = geometry(width, height, size, fit)
    assert box == (0, 0, width, height)
    assert max(inner_width, inner_height) == size and min(inner_width, inner_height) >= 1
    assert abs(left - (size - inner_width - left)) <= 1 and abs(top - (size - inner_height - top)) <= 1
    scale = size / max(width, height)
    assert abs(inner_width - max(1, width * scale)) <= 0.5 and abs(inner_height - max(1, height * scale)) <= 0.5


@given(st.integers(8, 60), st.integers(8, 60), st.integers(4, 64), st.sampled_from([*FITS]), st.sampled_from("gca"))
def test_every_picture_becomes_a_square_of_the_right_size(width, height, size, fit, kind):
    way = Square(size, fit, alpha=kind == "a", grey=kind == "g")
    flat = Image.new("RGB", (width, height), (255, 255, 255))
    square, enlarged = way(flat)
    assert square.shape == (size, size, way.channels) and square.dtype == np.uint8
    inside = min(width, height) if fit in ("crop", "stretch") else max(width, height)
    assert enlarged == (inside < size)
    if kind != "a":  # white in white: nothing else can come in
        assert (square == 255).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_that_has_its_size_is_not_touched(fit):
    square = PICTURE[:, :12]
    assert (Square(12, fit)(Image.fromarray(square))[0] == square).all()


def test_crop_of_the_right_height_moves_nothing():
    assert (Square(12)(Image.fromarray(PICTURE))[0] == PICTURE[:, 2:14]).all()


def test_bars_have_the_colour_of_the_background():
    square, _ = Square(16, "fit", background=(1, 2, 3))(Image.fromarray(PICTURE))
    assert (square[2:14] == PICTURE).all()
    assert (square[:2] == (1, 2, 3)).all() and (square[14:] == (1, 2, 3)).all()
    clear, _ = Square(16, "fit", alpha=True)(Image.fromarray(PICTURE))
    assert (clear[:2] == 0).all() and (clear[2:14, :, 3] == 255).all()


def test_padding_reflects_the_picture():
    square, _ = Square(16, "pad")(Image.fromarray(PICTURE))
    assert (square[2:14] == PICTURE).all()
    assert (square[:2] == PICTURE[1::-1]).all() and (square[14:] == PICTURE[:-3:-1]).all()


def test_a_narrow_strip_can_be_padded():
    square, _ = Square(32, "pad")(Image.new("RGB", (3000, 8), (9, 9, 9)))
    assert (square == 9).all()


def test_what_is_transparent_shows_the_background():
    image = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 8, 16))
    square, _ = Square(16, background=(5, 6, 7))(image)
    assert (square[:, :8] == (0, 0, 200)).all() and (square[:, 8:] == (5, 6, 7)).all()
    assert (Square(16)(image)[0][:, 8:] == 255).all()


def test_the_colour_of_what_is_transparent_does_not_bleed():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))  # red, and not to be seen
    image.paste((0, 0, 255, 255), (0, 0, 30, 64))
    square, _ = Square(8, alpha=True)(image)
    assert (square[..., 0][square[..., 3] > 0] == 0).all()
    assert square[4, :2, 3].min() > 250 and square[4, 7, 3] == 0  # Lanczos swings by one in a hundred


def test_reduction_counts_every_pixel():
    fine = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)  # a chessboard of single pixels
    square, _ = Square(16, grey=True)(Image.fromarray(fine).convert("RGB"))
    assert np.abs(square.astype(int) - 127.5).max() < 3


def test_wrong_wishes_are_refused_with_the_way_out():
    with pytest.raises(KinesphereError, match="size 2 is no size"):
        Square(2)
    with pytest.raises(KinesphereError, match="crop, fit, pad, stretch"):
        Square(64, "squash")
    with pytest.raises(KinesphereError, match="exclude each other"):
        Square(64, alpha=True, grey=True)
    with pytest.raises(KinesphereError, match="background"):
        Square(64, background=(0, 0, 300))
