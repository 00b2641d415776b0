"""How far apart two sets of pictures are at each size of detail, told without any network: sliced Wasserstein distance.

Karras et al. (2018), "Progressive Growing of GANs", section 5: small patches of every level of a Laplacian pyramid are two clouds
of points, compared along random directions. Large values at the lowest level mean wrong shapes and colours, at the highest wrong
texture and noise. Each cloud is normalised by its own mean and deviation per colour, as in the paper, so that a constant change
of brightness or contrast is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from kinesphere.types import KinesphereError

Pictures = np.ndarray | Tensor

PATCH = 7  # pixels, the side of a patch
PATCHES = 128  # from each picture and level
LOWEST = 16  # pixels; the pyramid ends there
DIRECTIONS = 512  # the paper's 4 repeats of 128 have the same mean
SCALE = 1e3  # as the paper prints it
CHUNK = 32  # directions sorted at once: bounds the memory
PICTURES_AT_ONCE = 128


def swd(
    real: Pictures, fake: Pictures, seed: int = 0, patches: int = PATCHES, directions: int = DIRECTIONS
) -> dict[int, float]:
    """Sliced Wasserstein distance x 1000 of each level, from the finest: {64: ..., 32: ..., 16: ...} for pictures of 64 px.

    `real` and `fake` are [N, C, H, W], uint8 or float, in one and the same range; their numbers need not agree. The keys are
    the heights of the levels in pixels; the last level is the blurred thumbnail. The same seed gives the same value, and a set
    against itself gives 0, because the places of the patches depend only on the seed and the number of the picture.
    Raises KinesphereError for sets of two shapes, or pictures too small for a patch.
    """
    real, fake = torch.as_tensor(real), torch.as_tensor(fake)
    if real.shape[1:] != fake.shape[1:]:
        raise KinesphereError(
            f"swd compares pictures of one shape; these are {list(real.shape[1:])} and {list(fake.shape[1:])}: resize one set"
        )
    return between(gathered(real, seed, patches), gathered(fake, seed, patches), seed, directions)


def between(
    real: dict[int, np.ndarray], fake: dict[int, np.ndarray], seed: int = 0, directions: int = DIRECTIONS
) -> dict[int, float]:
    """`swd` of what `gathered` or `joined` hold; the patches are normalised in place to spare memory."""
    return {
        level: SCALE * sliced_wasserstein(normalised(real[level]), normalised(fake[level]), directions, seed)
        for level in real
    }


def gathered(pictures: Tensor, seed: int = 0, patches: int = PATCHES) -> dict[int, np.ndarray]:
    """The patches of all pictures [N, C, H, W], a few pictures at a time: {height: float32 [N * patches, C, 7, 7]}."""
    starts = range(0, len(pictures), PICTURES_AT_ONCE)
    return joined([descriptors(pictures[i : i + PICTURES_AT_ONCE], seed, i, patches) for i in starts])


def joined(parts: list[dict[int, np.ndarray]]) -> dict[int, np.ndarray]:
    """The patches of batches, end to end; the list is left empty, so that nothing is held twice for more than a level."""
    whole = {level: np.concatenate([part.pop(level) for part in parts]) for level in list(parts[0])}
    parts.clear()
    return whole


def descriptors(pictures: Tensor, seed: int = 0, first: int = 0, patches: int = PATCHES) -> dict[int, np.ndarray]:
    """Patches at random places of each level: pictures [N, C, H, W] -> {height: float32 [N * patches, C, 7, 7]}.

    `first` is the number of the first picture in its set: each picture's places are drawn from (seed, its number).
    """
    if min(pictures.shape[2:]) < PATCH:
        raise KinesphereError(f"pictures of {pictures.shape[3]}x{pictures.shape[2]} px: swd needs {PATCH} px or more")
    draws = [np.random.default_rng((seed, first + i)) for i in range(len(pictures))]
    number = np.arange(len(pictures))[:, None]
    found = {}
    for level in laplacian_pyramid(pictures.float()):
        windows = sliding_window_view(level.numpy(), (PATCH, PATCH), axis=(2, 3))  # [N, C, H - 6, W - 6, 7, 7]
        places = np.stack([draw.integers(0, windows.shape[2:4], (patches, 2)) for draw in draws])  # [N, patches, 2]
        chosen = windows[number, :, places[..., 0], places[..., 1]]  # [N, patches, C, 7, 7]
        found[level.shape[2]] = chosen.reshape(-1, *chosen.shape[2:])
    return found


def laplacian_pyramid(x: Tensor) -> Iterator[Tensor]:
    """The levels of float pictures [N, C, H, W], each half the size: what the next cannot say, at last a thumbnail.

    Burt and Adelson (1983). A side that cannot be halved, or would fall below 16 px, ends it.
    """
    while all(side % 2 == 0 and side // 2 >= LOWEST for side in x.shape[2:]):
        smaller = pyramid_down(x)
        yield x - pyramid_up(smaller)
        x = smaller
    yield x


def pyramid_down(x: Tensor) -> Tensor:
    """Blurred, and every second pixel: [N, C, H, W] -> [N, C, H/2, W/2]."""
    return blurred(x)[:, :, ::2, ::2].contiguous()


def pyramid_up(x: Tensor) -> Tensor:
    """Zeros between the pixels, and blurred: [N, C, H, W] -> [N, C, 2H, 2W]."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = 4 * x
    return blurred(spread)


def blurred(x: Tensor) -> Tensor:
    """Filtered with (1 4 6 4 1) / 16 along both sides (Burt and Adelson, a = 3/8); beyond the border lies the mirrored picture."""
    x = F.pad(x, (2, 2, 2, 2), mode="reflect")
    for axis in (2, 3):  # as sums: four times faster than a convolution of one channel
        a, b, c, d, e = (x.narrow(axis, i, x.shape[axis] - 4) for i in range(5))
        x = (a + e).add_(b, alpha=4).add_(d, alpha=4).add_(c, alpha=6).div_(16)
    return x


def normalised(patches: np.ndarray) -> np.ndarray:
    """[M, C, 7, 7] with mean 0 and deviation 1 in each colour, flat: [M, C * 49]. In place; a constant colour becomes 0."""
    patches -= patches.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt(np.square(patches).mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)).astype(np.float32)
    patches /= np.where(deviation > 1e-7, deviation, 1)
    return patches.reshape(len(patches), -1)


def sliced_wasserstein(a: np.ndarray, b: np.ndarray, directions: int = DIRECTIONS, seed: int = 0) -> float:
    """The mean over random directions of the 1-D Wasserstein-1 distance between the projections of a [N, D] and b [M, D].

    Rabin et al. (2011). Along a line the distance is the area between the two quantile functions: the mean difference of the
    sorted values, and exact for N other than M too.
    """
    random = np.random.default_rng(seed)
    lines = torch.from_numpy(random.standard_normal((directions, a.shape[1])))
    lines = F.normalize(lines).float()  # evenly over the sphere
    of_a, of_b, shares = quantile_steps(len(a), len(b))
    total = 0.0
    for some in lines.split(CHUNK):
        x, y = (projected(cloud, some) for cloud in (a, b))  # [CHUNK, N], [CHUNK, M], each row rising
        for i in range(len(some)):  # row by row: no third array of this size
            step = x[i] - y[i] if of_a is None else x[i, of_a] - y[i, of_b]
            total += float(np.abs(step, out=step).mean(dtype=np.float64) if shares is None else np.abs(step) @ shares)
    return total / directions


def projected(cloud: np.ndarray, lines: Tensor) -> np.ndarray:
    """Points [N, D] on lines [K, D], sorted along each: float32 [K, N]."""
    values = (lines @ torch.from_numpy(cloud).float().T).numpy()
    values.sort(axis=1)
    return values


def quantile_steps(n: int, m: int) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """Where the quantile functions of n and of m sorted values step: which value each shows there, and the step's width.

    Two index arrays and shares that sum to 1, at most n + m - 1 long; all None where n is m and value stands by value.
    """
    if n == m:
        return None, None, None
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1 / (n m), so that all is exact
    starts = np.concatenate([[0], ends[:-1]])
    return starts // m, starts // n, (ends - starts) / (n * m)
