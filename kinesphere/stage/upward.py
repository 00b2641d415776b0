"""What a browser sends to a source of the stage: pictures of its camera, blocks of its microphone's sound."""

from __future__ import annotations

import io
import math
import struct

import numpy as np

from kinesphere.types import KinesphereError

TIME = struct.Struct("<d")  # of a picture: milliseconds of the browser; then the picture
BLOCK = struct.Struct("<ddf")  # of a block of sound: the same, samples heard so far, samples a second; then float32 [n]
LARGEST = 8 * 2**20  # bytes of a picture
PIXELS = 1920 * 1920  # of a picture
MOST_SAMPLES = 192_000  # of a block: more than a second of anything
MOST_HEARD = 2**52  # samples so far: what a float64 counts exactly


def seen_picture(data: str | bytes) -> np.ndarray:
    """The picture of a message, [H, W, 3] uint8 RGB. Raises KinesphereError for anything else."""
    if not isinstance(data, bytes) or not TIME.size < len(data) <= LARGEST:
        raise KinesphereError("a picture is eight bytes of time, then at most 8 MB of JPEG, WebP or PNG")
    return decoded(data[TIME.size :])


def heard_block(data: str | bytes) -> tuple[np.ndarray, int, int]:
    """The block of a message: float32 [n], samples a second, samples heard so far. Raises KinesphereError for anything else."""
    length = len(data) - BLOCK.size
    if not isinstance(data, bytes) or not 0 < length <= 4 * MOST_SAMPLES or length % 4:
        raise KinesphereError(
            "a block of sound is f64 time, f64 samples so far, f32 samples a second, then float32 samples, up to a second of them"
        )
    _, count, rate = BLOCK.unpack_from(data)
    if not (0 < count <= MOST_HEARD and math.isfinite(rate)):
        raise KinesphereError(f"a block of sound with {count:g} samples so far, {rate:g} a second, cannot be")
    samples = np.frombuffer(data, "<f4", offset=BLOCK.size).astype(np.float32)
    if not np.isfinite(samples).all():
        raise KinesphereError("a block of sound has samples that are no numbers")
    return samples, round(rate), int(count)


def decoded(data: bytes) -> np.ndarray:
    """A JPEG, WebP or PNG that came from outside, as [H, W, 3] uint8 RGB. Its size is read before anything is unpacked.

    Raises KinesphereError for anything else, and for more than PIXELS.
    """
    import cv2
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "WEBP", "PNG")) as outside:
            width, height = outside.size
    except Exception:
        raise KinesphereError("what was sent is no JPEG, WebP or PNG") from None
    if not 0 < width * height <= PIXELS:
        raise KinesphereError(f"a picture of {width}x{height} is too large: send at most 1920x1080")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise KinesphereError("what was sent is a damaged picture")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
