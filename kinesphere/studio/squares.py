"""Any picture file as a square of colours: upright, in sRGB, 8 bits, cut or framed to one size."""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from kinesphere.types import KinesphereError

FITS = {
    "crop": "the largest square in its middle",
    "fit": "all of it, with bars of the background's colour (clear ones where alpha is kept)",
    "pad": "all of it, continued beyond its edges by its own reflection",
    "stretch": "all of it, squeezed into the square",
}
SMALLEST = 8  # pixels; what is narrower is a spacer or a tracking dot, no picture
SIZES = range(4, 4097)
# Named, because Pillow would start Ghostscript for what turns out to be PostScript.
FORMATS = "PNG JPEG MPO WEBP GIF BMP DIB TIFF PPM JPEG2000 AVIF HEIF TGA".split()
TURNS = {  # EXIF orientation (Exif 2.32, tag 0x0112): what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112
CLEAR = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa")  # modes that may be transparent
BIG = 2**25  # pixels; pictures above are decoded one after the other, so that many at once do not fill the memory
BRIGHT = 16.0  # floats up to here are light with white at 1, and what is above white is cut; beyond, 255 is white


class Unreadable(KinesphereError):
    """One file cannot be had; the message is the reason alone, without the name."""


one_big = threading.Lock()


@dataclass(frozen=True)
class Square:
    """How a picture becomes a square. Raises KinesphereError for a size or a way that is none."""

    size: int  # pixels
    fit: str = "crop"  # one of FITS
    alpha: bool = False  # True: four channels; False: what is transparent shows `background`
    grey: bool = False  # True: one channel
    background: tuple[int, int, int] = (255, 255, 255)  # RGB; white, as the page on which such pictures are shown

    def __post_init__(self) -> None:
        if not isinstance(self.size, int | np.integer) or self.size not in SIZES:
            raise KinesphereError(
                f"size {self.size!r} is no size of a training set: {SIZES[0]} to {SIZES[-1]} px, such as 256"
            )
        if self.fit not in FITS:
            raise KinesphereError(f"fit {self.fit!r} is not known: it is one of {', '.join(FITS)}")
        if self.alpha and self.grey:
            raise KinesphereError("alpha and grey exclude each other: a training set has 1, 3 or 4 channels, never 2")
        background = tuple(self.background)
        if len(background) != 3 or not all(isinstance(c, int) and 0 <= c <= 255 for c in background):
            raise KinesphereError(f"background {self.background!r} is not (red, green, blue) from 0 to 255")

    @property
    def channels(self) -> int:
        return 1 if self.grey else 4 if self.alpha else 3

    def __call__(self, image: Image.Image) -> tuple[np.ndarray, bool]:
        """([size, size, channels] uint8, whether it had to be enlarged) from an RGB or RGBA picture of any size."""
        box, place = geometry(*image.size, self.size, self.fit)
        image = image if self.alpha else over(image, self.background)
        image = image.convert("L" if self.grey else "RGBA" if self.alpha else "RGB").crop(box)
        enlarged = place[2] > image.width or place[3] > image.height
        pixels = np.asarray(resized(image, (place[2], place[3]))).reshape(place[3], place[2], self.channels)
        return self._framed(pixels, place), enlarged

    def _framed(self, pixels: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
        left, top, width, height = place
        if (width, height) == (self.size, self.size):
            return pixels
        if self.fit == "pad":
            right, bottom = self.size - width - left, self.size - height - top
            return np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode="symmetric")
        bar = Image.new("RGB", (1, 1), self.background).convert("L" if self.grey else "RGB").tobytes()
        square = np.empty((self.size, self.size, self.channels), np.uint8)
        square[:] = np.frombuffer(bytes(4) if self.alpha else bar, np.uint8)
        square[top : top + height, left : left + width] = pixels
        return square


def geometry(
    width: int, height: int, size: int, fit: str
) -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """(left, top, right, bottom) of what is taken, and (left, top, width, height) of where it lies in the square.

    Whole pixels, so that a picture which already has its size is not touched.
    """
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return (left, top, left + side, top + side), (0, 0, size, size)
    if fit == "stretch":
        return (0, 0, width, height), (0, 0, size, size)
    scale = size / max(width, height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    return (0, 0, width, height), ((size - inner[0]) // 2, (size - inner[1]) // 2, *inner)


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` at `size` (width, height): Lanczos, with every pixel counted when shrinking. Alpha weighs the colours."""
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def decoded(data: bytes) -> Image.Image:
    """The first picture in the bytes of a file, upright and in sRGB, mode RGB or RGBA. Raises Unreadable with the reason.

    Any mode of Pillow's: an embedded ICC profile is followed (one that does not suit its picture is passed over), CMYK
    without one is mixed plainly, deep greys are scaled as `eight_bits` says.
    """
    if not data:
        raise Unreadable("an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            if min(image.size) < SMALLEST:
                raise Unreadable(
                    f"too small to be a picture: {image.width} × {image.height} px, at least {SMALLEST} are wanted"
                )
            with one_big if image.width * image.height > BIG else nullcontext():
                image.load()
                return _coloured(_upright(image))
    except Unreadable:
        raise
    except UnidentifiedImageError:
        if data[4:8] == b"ftyp" and data[8:11] in (b"hei", b"hev", b"mif"):
            raise Unreadable("a HEIC photograph, which Pillow cannot read: save it as JPEG") from None
        raise Unreadable("not a picture") from None
    except Image.DecompressionBombError as error:
        raise Unreadable(f"far too many pixels: {error}") from None
    except Exception as error:  # a decoder that meets a damaged file may raise anything at all
        raise Unreadable(f"it is damaged: {str(error)[:120] or type(error).__name__}") from None


@lru_cache(maxsize=1)
def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _upright(image: Image.Image) -> Image.Image:
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged EXIF block: the picture itself is whole
        turn = None
    return image if turn is None else image.transpose(turn)


def _coloured(image: Image.Image) -> Image.Image:
    """`image` of any mode as RGB, or RGBA where something in it may be transparent."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return Image.fromarray(eight_bits(np.asarray(image), image.mode)).convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    clear = image.mode in CLEAR and image.has_transparency_data
    alpha = image.convert("RGBA").getchannel("A") if clear else None
    profile = image.info.get("icc_profile")
    image.info.pop("transparency", None)  # laid aside in `alpha`; Pillow would carry it along
    if image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("L", "CMYK", "LAB"):
        image = image.convert("RGBA").convert("RGB") if clear else image.convert("RGB")
    image = _srgb(image, profile)
    if alpha is not None:
        image.putalpha(alpha)
    return image


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An L, RGB, CMYK or LAB picture as RGB, by its ICC profile where it has one that suits it."""
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(embedded):
                return _transformed(image, embedded)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # damaged, or made for another mode: the numbers are taken as they are
    return image.convert("RGB")


def _transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    made = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert made is not None  # only a transform in place returns nothing
    return made


def eight_bits(grey: np.ndarray, mode: str) -> np.ndarray:
    """Greys of Pillow's deep `mode` as uint8; what is white follows from the mode, or from the brightest value.

    "I;16...": 65535 is white. "I": the smallest of 255, 65535 and 2^31 - 1 that is not below the brightest. "F": 1
    where the brightest is at most 16 (what is brighter than white is cut), else 255, else 65535; no number is black.
    """
    values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=np.inf, neginf=0.0)
    finite = values[np.isfinite(values)]
    brightest = float(finite.max(initial=0.0))
    if mode.startswith("I;16"):
        white = 65535.0
    elif mode == "F":
        white = 1.0 if brightest <= BRIGHT else 255.0 if brightest <= 255 else 65535.0
    else:
        white = 255.0 if brightest <= 255 else 65535.0 if brightest <= 65535 else 2.0**31 - 1
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def over(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """`image` without transparency: what is clear shows `background`, RGB."""
    if image.mode != "RGBA":
        return image
    page = Image.new("RGB", image.size, background)
    page.paste(image, mask=image.getchannel("A"))
    return page
