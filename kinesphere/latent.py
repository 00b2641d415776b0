"""Where we are in the generator's space and how we move there: seeds, truncation, mixing, paths, loops, distance.

Every function is pure: what goes in decides what comes out, there are no files, and randomness comes from a seed.
Latents are tensors whose last dimension is the space (`z [N, z_dim]`, `w [N, w_dim]`, `ws [N, num_ws, w_dim]`); device and
dtype are taken from them. What is drawn from a seed is float32 on the CPU, as everywhere else in the field.

Wherever an amount is asked for (`psi`, `t`, `amount`), it is a number or an array that broadcasts over all dimensions but the
last: for `ws`, `[num_ws]` is one amount per row, `[N, 1]` one per sample, `[N, num_ws]` one for each.

Time `t` is in seconds and is kept in float64, so that the last minute of an hour moves as smoothly as the first.
"""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from scipy.interpolate import Akima1DInterpolator, CubicSpline, PchipInterpolator
from torch import Tensor

from kinesphere.types import KinesphereError

Amount: TypeAlias = float | Sequence[float] | np.ndarray | Tensor
Times: TypeAlias = float | Fraction | Sequence[float] | Sequence[Fraction] | np.ndarray | Tensor

LAST_SEED = 2**32 - 1
ROUNDS, FEWEST = 20, 4096  # of k-means; samples that it is started from
SOFT = 0.2  # temperature between centres, parts of the squared distances there
MOST_SEEDS = 1_000_000  # a list longer than this is a slip of the hand, and would fill the memory


# ---- seeds -----------------------------------------------------------------------------------------------------------


def seed_to_z(seed: int, z_dim: int) -> Tensor:
    """The latent that a seed names everywhere in the field: `np.random.RandomState(seed).randn(1, z_dim)`.

    Drawn in float64, then rounded to float32. Returns z [1, z_dim]. Raises KinesphereError unless 0 <= seed <= 2**32 - 1.
    """
    return torch.from_numpy(np.random.RandomState(_seed(seed)).randn(1, z_dim).astype(np.float32))


def seeds_to_z(seeds: Sequence[int], z_dim: int) -> Tensor:
    """One row per seed, each what `seed_to_z` gives it. Returns z [N, z_dim]. Raises KinesphereError for an impossible seed."""
    return torch.cat([torch.empty(0, z_dim), *(seed_to_z(seed, z_dim) for seed in seeds)])


def parse_seeds(text: str) -> list[int]:
    """Read a list of seeds as people write it: "0-3,7,10-12" is [0, 1, 2, 3, 7, 10, 11, 12].

    Order and repetitions are kept, spaces are ignored. Raises KinesphereError for anything that is not a seed or a rising
    range of seeds, and for more than a million of them.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.strip().partition("-"))
        if not _is_number(first) or (dash and not _is_number(last)):
            raise KinesphereError(f"no seed {part.strip()!r} in {text!r}: write numbers and ranges, as in 0-3,7,10-12")
        low, high = _seed(int(first)), _seed(int(last or first))
        if high < low:
            raise KinesphereError(f"the seeds {part.strip()!r} run backwards: write {high}-{low}")
        if len(seeds) + high - low >= MOST_SEEDS:
            raise KinesphereError(f"{text!r} names more than {MOST_SEEDS} seeds: take a shorter range")
        seeds.extend(range(low, high + 1))
    return seeds


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _seed(seed: int) -> int:
    try:
        number = operator.index(seed)
    except TypeError:
        raise KinesphereError(f"seed {seed!r} is not a whole number: take one from 0 to {LAST_SEED}") from None
    if not 0 <= number <= LAST_SEED:
        raise KinesphereError(f"seed {number} is out of range: take one from 0 to {LAST_SEED}")
    return number


# ---- truncation ------------------------------------------------------------------------------------------------------


def truncate(w: Tensor, centre: Tensor, psi: Amount, cutoff: int | None = None) -> Tensor:
    """`centre + psi * (w - centre)` for every psi: 1 leaves w as it is, 0 is the centre, both bit for bit.

    Below 0 lies the opposite of the picture, above 1 its caricature (Karras et al. 2019, section B, without their bounds).

    w       [N, w_dim] or ws [N, num_ws, w_dim]
    centre  `w_avg [w_dim]` or any other latent that broadcasts against w: [num_ws, w_dim], or one per sample [N, 1, w_dim]
            ([N, w_dim] against w [N, w_dim]). Of a `w_avg [c_dim, w_dim]` take the row of the class.
    psi     a number, or one per row or sample (see the module)
    cutoff  only rows below it are truncated, the others stay as they are; None truncates all. Needs rows.
    Returns the shape, dtype and device of w. Raises KinesphereError when cutoff is given for a w without rows.
    """
    amount = torch.as_tensor(psi, dtype=w.dtype, device=w.device)
    if cutoff is not None:
        if w.ndim < 3:
            raise KinesphereError(
                f"truncation_cutoff {cutoff} needs rows: give ws [N, num_ws, w_dim], not {list(w.shape)}"
            )
        below = torch.arange(w.shape[-2], device=w.device) < cutoff
        amount = torch.where(below, amount, torch.ones_like(amount))
    return lerp(centre.to(w), w, amount)


def psi_grid(n: int = 25, low: float = -0.5, high: float = 1.5) -> np.ndarray:
    """`n` values of psi from low to high, in reading order for a sheet of pictures. Returns float64 [n].

    Every value is rounded once, so that 0 and 1 are exact where they fall on the grid (as they do for n = 5, 9, 25).
    """
    steps = np.arange(n)
    return (low * (n - 1 - steps) + high * steps) / max(n - 1, 1)


def pulse(t: Times, low: float, high: float, frequency: float, phase: float | np.ndarray = 0.0) -> np.ndarray:
    """A psi that breathes: a cosine from `low` (at t = 0) to `high` (half a cycle later) and back.

    frequency is in Hz; phase in cycles, an array of them makes a wave over a sheet of pictures.
    Returns float64, the broadcast shape of t and phase.
    """
    cycles = np.asarray(t, dtype=np.float64) * frequency + phase
    return low + (high - low) * np.sin(np.pi * cycles) ** 2  # sin² x = (1 - cos 2x) / 2


# ---- mixing ----------------------------------------------------------------------------------------------------------


def mix(a: Tensor, b: Tensor, rows: slice | Iterable[int] = slice(None), amount: Amount = 1.0) -> Tensor:
    """Style mixing: `a` with the given rows of `b` (Karras et al. 2019, section 3.1).

    a, b    ws [N, num_ws, w_dim] of one model (N may broadcast)
    rows    a slice (a band: `G.rows("coarse")`) or row numbers; default all
    amount  1 takes b's rows bit for bit, 0 keeps a's; between them soft, beyond them extrapolated; one per row if a vector
    Returns ws [N, num_ws, w_dim]. Raises KinesphereError for a row that is not there, or latents of different models.
    """
    _same_rows([a, b])
    chosen = a.new_zeros(a.shape[-2])
    chosen[row_numbers(rows, a.shape[-2])] = 1
    return lerp(a, b, chosen * torch.as_tensor(amount, dtype=a.dtype, device=a.device))


def mix_styles(a: Tensor, b: Tensor, cutoff: Tensor) -> Tensor:
    """Style mixing of a batch, each pair at its own row: `a` with the rows of `b` from `cutoff` [N] on; `num_ws` leaves `a` alone.

    ws [N, num_ws, w_dim] each (Karras et al. 2019, section 3.1).
    """
    late = torch.arange(a.shape[1], device=a.device) >= cutoff[:, None]  # [N, num_ws]
    return torch.where(late[:, :, None], b, a)


def mixing_desk(sources: Sequence[Tensor], weights: Amount, centre: Tensor) -> Tensor:
    """Mix any number of sources, each row by its own weights: `centre + sum_s weights[row, s] * (sources[s] - centre)`.

    sources  S latents ws [N, num_ws, w_dim] of one model (N may broadcast)
    weights  [num_ws, S], row by source; or [S] for all rows alike; or [N, num_ws, S]
    centre   `w_avg`: it gets what the weights leave of 1. With all faders down it is all that is left; where the weights of a
             row sum to 1 it plays no part, so one fader alone at 1 gives that source bit for bit.
    Returns ws [N, num_ws, w_dim]. Raises KinesphereError when the weights do not fit or the sources are of different models.
    """
    _same_rows(sources)
    faders = torch.as_tensor(weights, dtype=sources[0].dtype, device=sources[0].device)
    num_ws = sources[0].shape[-2]
    if faders.shape[-1] != len(sources) or (faders.ndim > 1 and faders.shape[-2] not in (1, num_ws)):
        raise KinesphereError(
            f"weights {list(faders.shape)} do not fit: needed are [{num_ws} rows, {len(sources)} sources]"
        )
    mixed = (1 - faders.sum(-1, keepdim=True)) * centre.to(sources[0])
    for number, source in enumerate(sources):
        mixed = mixed + faders[..., number, None] * source
    return mixed


def classes(c: Tensor, weights: Mapping[int, float]) -> Tensor:
    """The class vector between some classes. `c` [1, c_dim] is the class that what is left of 1 goes to.

    A weight below 0 (or not a number) counts as 0; weights of more than 1 together are shared out, so that the entries always
    add up to 1, as those of a single class do and as the probabilities of a classifier do.
    """
    given = torch.zeros_like(c)
    for index, weight in weights.items():
        given[0, index] = max(weight, 0.0) if math.isfinite(weight) else 0.0
    total = given.sum()
    return given / total.clamp(min=1) + (1 - total).clamp(min=0) * c


def row_numbers(rows: slice | Iterable[int], num_ws: int) -> list[int]:
    """The rows that are meant, as numbers. Raises KinesphereError for a number outside 0..num_ws-1."""
    numbers = list(range(num_ws)[rows]) if isinstance(rows, slice) else list(rows)
    for row in numbers:
        if not 0 <= row < num_ws:
            raise KinesphereError(f"no row {row}: this model has rows 0 to {num_ws - 1}")
    return numbers


def _same_rows(sources: Sequence[Tensor]) -> None:
    shapes = {tuple(source.shape[-2:]) for source in sources}
    if len(shapes) != 1:
        found = ", ".join(f"[{rows}, {w_dim}]" for rows, w_dim in sorted(shapes)) or "none"
        raise KinesphereError(f"latents of one model are needed to mix, with the same [num_ws, w_dim]; found {found}")


# ---- between two latents ---------------------------------------------------------------------------------------------


def lerp(a: Tensor, b: Tensor, t: Amount) -> Tensor:
    """The straight line from a (t = 0) to b (t = 1), both bit for bit; t may lie outside [0, 1].

    In W this is the way. In Z it runs through the same pictures as `slerp`, because the mapping network normalises z (only the
    direction counts), but at another pace: slow at the ends, faster in the middle (2.0 times for two seeds of 512 dimensions).
    A `t` per row lets the coarse rows leave before the fine ones. Returns the broadcast shape of a and b.
    """
    return torch.lerp(a, b, _over_last(t, a))


def stagger(t: float, num_ws: int, spread: float = 1.0, easing: str = "linear") -> np.ndarray:
    """How far each row is when a morph is at `t`: the coarse rows leave first and the fine ones arrive last. For `lerp`.

    t       0 (all rows at 0) to 1 (all at 1), both exactly; beyond them it rests
    spread  0: all rows together; 1: each row moves in its own part of the time, when the one before it has arrived
    easing  a name of EASINGS: the pace of each row
    Returns float64 [num_ws], from the first row to the last never rising. Raises KinesphereError for a spread outside 0 to 1.
    """
    if not 0 <= spread <= 1:
        raise KinesphereError(f"a spread of {spread:g} is out of range: give 0 (all rows together) to 1 (one by one)")
    leaves = spread * np.arange(num_ws) / num_ws
    return ease((t - leaves) / (1 - leaves[-1]), easing)


def slerp(a: Tensor, b: Tensor, t: Amount, centre: Tensor | None = None) -> Tensor:
    """Turn from a (t = 0) to b (t = 1) about `centre` at an even pace; the distance from it changes evenly too.

    In Z (centre None, the origin) the pictures are those of `lerp`, evenly paced. W is no sphere and the origin means nothing
    in it: there, slerp is only justified about a centre, `w_avg`. With ws every row turns by itself.

    Both ends are exact bit for bit. Parallel vectors change in length only. Opposite ones have no shortest way: theirs leads
    through a fixed vector at right angles to a (pairs of a's coordinates exchanged), so it is always the same and never passes
    the centre. A latent at the centre has no direction and takes the other's. t outside [0, 1] turns on. Shoemake 1985, in two
    halves that meet in the middle, so that no half is wider than a right angle. Returns the broadcast shape of a and b.
    """
    origin = torch.zeros_like(a) if centre is None else centre.to(a)
    t = _over_last(t, a)
    length_a, unit_a = _polar(a - origin)
    length_b, unit_b = _polar(b - origin)
    unit_a, unit_b = torch.where(length_a > 0, unit_a, unit_b), torch.where(length_b > 0, unit_b, unit_a)
    halfway, middle = _polar(unit_a + unit_b)
    _, beside = _polar(_quarter_turn(unit_a))
    middle = torch.where(halfway < 1e-3, beside, middle)
    apart = (unit_a - unit_b).norm(dim=-1, keepdim=True)
    half = torch.atan2(apart, halfway)  # half the angle; unlike acos, accurate near 0 and near pi

    first = t < 0.5
    away, toward = _turn_weights(torch.where(first, 2 * t, 2 * t - 1), half)
    length = torch.lerp(length_a, length_b, t)
    way = origin + length * (away * torch.where(first, unit_a, middle) + toward * torch.where(first, middle, unit_b))
    return torch.where(t == 0, a, torch.where(t == 1, b, way))


def blend(z: Tensor, weights: Amount) -> Tensor:
    """Between any number of seeds: nearer to the heavier, the order does not matter.

    z        [N, z_dim], one row per seed
    weights  [N], 0 or more, one of them above 0; only their proportions count

    One weight above 0 gives its row bit for bit; two are `slerp` with t = w2 / (w1 + w2). More are a weighted sum brought back
    to the weighted mean length, because a plain sum of independent latents is too short: less natural, the more there are. The
    sum is of directions u_i, `sum_i sin(w_i angle) u_i` with sum w_i = 1 and `angle` the mean angle between the rows (of each
    pair, weighted by w_i w_j). For two this is slerp itself, so that a third that comes in, or goes, makes no jump.
    Directions that cancel out leave that of the heaviest. Returns z [1, z_dim]. Raises KinesphereError for weights that do not fit.
    """
    w = torch.as_tensor(weights, dtype=torch.float64, device=z.device)
    if w.shape != z.shape[:1] or not bool((torch.isfinite(w) & (w >= 0)).all()) or not bool((w > 0).any()):
        raise KinesphereError(
            f"weights {w.tolist()} do not fit: needed are {len(z)}, one per latent, 0 or more and not all 0"
        )
    heavy = w > 0
    z, w = z[heavy], w[heavy] / w.max()
    w = w / w.sum()
    if len(z) == 1:
        return z
    if len(z) == 2:
        return slerp(z[:1], z[1:], float(w[1]))
    lengths, units = _polar(z.double())
    pairs = w[:, None] * w * (1 - torch.eye(len(w), dtype=w.dtype, device=w.device))
    angle = (pairs * torch.arccos((units @ units.T).clamp(-1, 1))).sum() / pairs.sum()
    pace = torch.sin(w * angle) if angle > 1e-6 else w
    length, direction = _polar(pace @ units)
    if length < 1e-6 * pace.sum():
        direction = units[w.argmax()]
    return ((w @ lengths) * direction)[None].to(z)


def _turn_weights(x: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """sin((1-x) angle) / sin angle and sin(x angle) / sin angle; their limit 1-x, x where the angle is 0."""
    sine = torch.sin(angle)
    safe = torch.where(sine > 0, sine, torch.ones_like(sine))
    away = torch.where(sine > 0, torch.sin((1 - x) * angle) / safe, 1 - x)
    toward = torch.where(sine > 0, torch.sin(x * angle) / safe, x)
    return away, toward


def _polar(v: Tensor) -> tuple[Tensor, Tensor]:
    """Length [..., 1] and direction [..., D]; that of a zero vector is 0."""
    length = v.norm(dim=-1, keepdim=True)
    return length, v / length.clamp_min(torch.finfo(v.dtype).tiny)


def _quarter_turn(v: Tensor) -> Tensor:
    """(-v1, v0, -v3, v2, ...): at right angles to v, and as natural a Gaussian as v itself. An odd last coordinate becomes 0."""
    even = v.shape[-1] // 2 * 2
    turned = torch.stack((-v[..., 1:even:2], v[..., 0:even:2]), dim=-1).flatten(-2)
    return torch.cat((turned, torch.zeros_like(v[..., even:])), dim=-1)


def _over_last(amount: Amount, like: Tensor) -> Tensor:
    """One amount for each vector of the last dimension."""
    return torch.as_tensor(amount, dtype=like.dtype, device=like.device)[..., None]


# ---- easing ----------------------------------------------------------------------------------------------------------

Easing: TypeAlias = Callable[[np.ndarray], np.ndarray]


def _out(ease_in: Easing) -> Easing:
    return lambda x: 1 - ease_in(1 - x)


def _in_out(ease_in: Easing) -> Easing:
    return lambda x: np.where(x < 0.5, ease_in(2 * x) / 2, 1 - ease_in(2 - 2 * x) / 2)


def _quad(x: np.ndarray) -> np.ndarray:
    return x**2


def _cubic(x: np.ndarray) -> np.ndarray:
    return x**3


def _sine(x: np.ndarray) -> np.ndarray:
    return 1 - np.sin(np.pi / 2 * (1 - x))


def _expo(x: np.ndarray) -> np.ndarray:
    return (np.exp2(10 * x) - 1) / 1023


def _back(x: np.ndarray) -> np.ndarray:
    return x**2 * (x + 1.70158 * (x - 1))  # draws back by a tenth before it leaves


EASINGS: dict[str, Easing] = {
    "linear": lambda x: x,
    "smoothstep": lambda x: x**2 * (3 - 2 * x),
    "smootherstep": lambda x: x**3 * (10 - 15 * x + 6 * x**2),  # Perlin 2002
    "quad_in": _quad,
    "quad_out": _out(_quad),
    "quad_in_out": _in_out(_quad),
    "cubic_in": _cubic,
    "cubic_out": _out(_cubic),
    "cubic_in_out": _in_out(_cubic),
    "sine_in": _sine,
    "sine_out": _out(_sine),
    "sine_in_out": lambda x: np.sin(np.pi / 2 * x) ** 2,
    "expo_in": _expo,
    "expo_out": _out(_expo),
    "expo_in_out": _in_out(_expo),
    "back_in": _back,
    "back_out": _out(_back),
    "back_in_out": _in_out(_back),
    "hold": lambda x: np.where(x < 1, 0.0, 1.0),  # stays, then jumps
}


def ease(x: float | np.ndarray, name: str) -> np.ndarray:
    """Pace a move: `x` from 0 to 1 (clipped to it) becomes 0 to 1 along the easing, exact at both ends.

    Only the `back` easings leave 0..1 in between. Returns float64 in the shape of x. Raises KinesphereError for an unknown name.
    """
    if name not in EASINGS:
        raise KinesphereError(f"no easing {name!r}: there are {', '.join(EASINGS)}")
    return np.asarray(EASINGS[name](np.clip(np.asarray(x, dtype=np.float64), 0, 1)))


# ---- paths through keys ----------------------------------------------------------------------------------------------

KINDS = ("cubic", "linear", "akima", "monotone")


class Path:
    """A way through key latents, to be asked where it is at any time. Stateless: any order of times, any number of askers.

    keys    [K, z_dim] or [K, num_ws, w_dim], two or more; a tensor (or array): the path has its dtype and device
    times   seconds, rising: one per key; for a loop one more, when the first key comes round again. None: 0, 1, 2, ...
    loop    the path closes and goes on for ever (also before its start); otherwise it rests on its end keys
    kind    "cubic"     smoothest: position, speed and acceleration are continuous (C2), also over a loop's seam (periodic
                        spline; an open path is a natural one, without acceleration at its ends). May swing past the keys.
            "akima"     position and speed continuous (C1); a far key disturbs only its neighbours (Akima 1970)
            "monotone"  C1; no coordinate ever leaves the range of its two keys; rests at turning points (PCHIP, Fritsch and
                        Butland 1984)
            "linear"    straight, with corners
    easing  the pace within each segment, a name of EASINGS, or one name for each segment (of a loop, the last leads back to
            the first key); all but "linear" rest or start afresh at every key

    Every key is hit bit for bit at its time. `start`, `end` and `duration` are in seconds.
    Raises KinesphereError for a wrong kind, easing, number of keys or times.
    """

    def __init__(
        self,
        keys: Tensor | np.ndarray,
        times: Sequence[float] | np.ndarray | None = None,
        loop: bool = False,
        kind: str = "cubic",
        easing: str | Sequence[str] = "linear",
    ) -> None:
        keys = torch.as_tensor(keys)
        if kind not in KINDS:
            raise KinesphereError(f"no kind of path {kind!r}: there are {', '.join(KINDS)}")
        if len(keys) < 2:
            raise KinesphereError(f"a path needs two keys or more, not {len(keys)}")
        self.loop = loop
        self.easings = _easings(easing, len(keys) - 1 + loop)
        self.times = _key_times(times, len(keys), loop)
        self.start, self.end = float(self.times[0]), float(self.times[-1])
        self.duration = self.end - self.start
        self._pieces = _pieces(keys, self.times, loop, kind)  # [order, segments, ...], highest power first

    def __call__(self, t: Times) -> Tensor:
        """Where the path is at `t`, a number or [N]. Returns [N, ...], N = 1 for a number, ready for mapping or synthesis."""
        t = _times(t)
        if self.loop:  # a time within the loop is left as it is: rounding would miss the keys
            inside = (self.start <= t) & (t < self.end)
            t = np.where(inside, t, self.start + np.mod(t - self.start, self.duration))
        last = self._pieces.shape[1] - 1
        segment = np.clip(np.searchsorted(self.times, t, side="right") - 1, 0, last)
        lengths = np.append(np.diff(self.times), 1.0)
        length = lengths[segment]
        x = (t - self.times[segment]) / length
        names = np.array([*self.easings, "linear"])[segment]  # ease stops at the ends of an open path
        for name in np.unique(names):
            x[names == name] = ease(x[names == name], name)
        return self._polynomial(segment, length * x)

    def _polynomial(self, segment: np.ndarray, x: np.ndarray) -> Tensor:
        pieces = self._pieces[:, torch.from_numpy(segment).to(self._pieces.device)]
        power = torch.from_numpy(x).to(pieces).reshape(-1, *[1] * (pieces.ndim - 2))
        value = pieces[0]
        for coefficient in pieces[1:]:
            value = value * power + coefficient
        return value


def _key_times(times: Sequence[float] | np.ndarray | None, keys: int, loop: bool) -> np.ndarray:
    needed = keys + loop
    if times is None:
        return np.arange(needed, dtype=np.float64)
    seconds = np.asarray(times, dtype=np.float64)
    if seconds.shape != (needed,):
        why = "one per key, and one more when the first comes round again" if loop else "one per key"
        raise KinesphereError(f"{seconds.size} times for {keys} keys: {needed} are needed, {why}")
    if not np.all(np.isfinite(seconds)) or not np.all(np.diff(seconds) > 0):
        raise KinesphereError(f"the times of a path must rise from key to key: {seconds.tolist()}")
    return seconds


def _easings(easing: str | Sequence[str], segments: int) -> tuple[str, ...]:
    """One name for each segment."""
    names = (easing,) * segments if isinstance(easing, str) else tuple(easing)
    for name in names:
        ease(0.0, name)
    if len(names) != segments:
        raise KinesphereError(f"{len(names)} easings for {segments} segments: give one for all, or one for each")
    return names


def _pieces(keys: Tensor, times: np.ndarray, loop: bool, kind: str) -> Tensor:
    """Coefficients of each segment in powers of the time since its start, the lowest being the key itself."""
    values = keys.detach().cpu().double().numpy()
    values = np.concatenate([values, values[:1]]) if loop else values
    if kind == "linear":
        slope = np.diff(values, axis=0) / np.diff(times).reshape(-1, *[1] * (values.ndim - 1))
        pieces = np.stack([slope, values[:-1]])
    elif kind == "cubic":
        pieces = CubicSpline(times, values, bc_type="periodic" if loop else "natural").c
    else:
        pieces = _local_spline(values, times, loop, Akima1DInterpolator if kind == "akima" else PchipInterpolator)
    if not loop:  # one more segment, so that the last key is hit exactly and held
        rest = np.zeros_like(pieces[:, :1])
        rest[-1, 0] = values[-1]
        pieces = np.concatenate([pieces, rest], axis=1)
    return torch.from_numpy(np.ascontiguousarray(pieces)).to(keys)


def _local_spline(values: np.ndarray, times: np.ndarray, loop: bool, spline: Any) -> np.ndarray:
    """A spline that looks only a few keys around: for a loop it is enough to show it those beyond the seam."""
    if not loop:
        return spline(times, values).c
    keys, beyond = len(values) - 1, 3
    turns, place = np.divmod(np.arange(-beyond, keys + 1 + beyond), keys)
    wide = spline(times[place] + turns * (times[-1] - times[0]), values[place])
    return wide.c[:, beyond : beyond + keys]


def _times(t: Times) -> np.ndarray:
    """Seconds as float64 [N]."""
    seconds = t.detach().cpu().numpy() if isinstance(t, Tensor) else t
    return np.atleast_1d(np.asarray(seconds, dtype=np.float64))


# ---- walks and loops -------------------------------------------------------------------------------------------------


def great_circle(u: Tensor, v: Tensor, t: Times, period: float = 1.0) -> Tensor:
    """Once round the sphere of natural latents in `period` seconds, through u's direction at t = 0, towards v.

    u, v [z_dim] or [1, z_dim], two different directions (v is made orthogonal to u by Gram and Schmidt, both get length
    sqrt(z_dim)); t a number or [N]. Returns z [N, z_dim]. Raises KinesphereError when u and v are the same direction.
    """
    u, v = u.flatten(), v.flatten()
    _, unit_u = _polar(u)
    length, unit_v = _polar(v - (v @ unit_u) * unit_u)
    if length < 1e-4 * v.norm() or not length > 1e-30:
        raise KinesphereError("a great circle needs two different directions: give it another seed for v")
    _, unit_v = _polar(unit_v - (unit_v @ unit_u) * unit_u)  # once more, for what rounding left
    angle = 2 * np.pi * np.mod(_times(t), period) / period
    cos, sin = (torch.from_numpy(part).to(u)[:, None] for part in (np.cos(angle), np.sin(angle)))
    return math.sqrt(len(u)) * (cos * unit_u + sin * unit_v)


def drift(seed: int, z_dim: int, t: Times, period: float = 60.0, harmonics: float = 6.0) -> Tensor:
    """A wandering z that comes back after `period` seconds without a seam: a random Fourier series, one per dimension.

        z_d(t) = sum_k A_k (xi_dk cos(2 pi k t / period) + eta_dk sin(2 pi k t / period)),   k = 1, 2, ...

    with xi, eta ~ N(0, 1) from the seed and A_k from `drift_weights`. So at every t, over seeds and dimensions, z is exactly
    N(0, 1), as natural as a fresh seed; it is a closed form, so any t can be asked in any order.

    Speed: `harmonics` is how many times the fastest part swings per loop, `drift_speed` the resulting speed. Twice the
    harmonics in twice the period is a longer loop at the same speed. `harmonics` may be played live (it moves z smoothly);
    changing `period` live jumps, so rather let t itself run faster or slower.

    t seconds, a number or [N]. Returns z float32 [N, z_dim]. Raises KinesphereError unless period > 0 and harmonics >= 1.
    """
    if not period > 0:
        raise KinesphereError(f"a drift of period {period} s is not possible: take more than 0")
    weights = drift_weights(harmonics)
    terms = _drift_terms(_seed(seed), z_dim, len(weights))
    turn = np.mod(_times(t), period) / period
    z = np.zeros((len(turn), z_dim))
    for k, (weight, (xi, eta)) in enumerate(zip(weights, terms, strict=True), start=1):
        angle = 2 * np.pi * np.mod(k * turn, 1.0)[:, None]
        z += weight * (np.cos(angle) * xi + np.sin(angle) * eta)
    return torch.from_numpy(z.astype(np.float32))


def drift_weights(harmonics: float) -> np.ndarray:
    """The amplitudes A_k of `drift` for k = 1, 2, ...: in proportion to 1 - (k / (harmonics + 1))², with squares that sum to 1.

    They fade towards the fastest, and a new one enters at 0, so harmonics need not be whole. Returns float64 [ceil(harmonics)].
    Raises KinesphereError unless harmonics >= 1.
    """
    if not 1 <= harmonics < math.inf:
        raise KinesphereError(f"a drift of {harmonics} harmonics is not possible: take 1 (a plain ellipse) or more")
    k = np.arange(1, math.ceil(harmonics) + 1)
    shape = 1 - (k / (harmonics + 1)) ** 2
    return shape / np.sqrt(np.sum(shape**2))


def drift_speed(period: float, harmonics: float) -> float:
    """How fast `drift` moves: the RMS change of each coordinate of z per second, `2 pi / period * sqrt(sum (k A_k)²)`.

    From one seed to an unrelated one is an RMS change of sqrt(2), so 1.4 is about one wholly new picture per second.
    """
    weights = drift_weights(harmonics)
    return float(2 * np.pi / period * np.sqrt(np.sum((np.arange(1, len(weights) + 1) * weights) ** 2)))


@lru_cache(maxsize=32)
def _drift_terms(seed: int, z_dim: int, count: int) -> np.ndarray:
    """xi and eta, [count, 2, z_dim]; more harmonics leave the earlier ones as they are."""
    terms = np.random.RandomState(seed).randn(count, 2, z_dim)
    terms.setflags(write=False)
    return terms


# ---- frames ----------------------------------------------------------------------------------------------------------


def frame_times(duration: Any, fps: Any, loop: bool = False) -> list[Fraction]:
    """When each frame of a film is shown, in exact seconds: round(duration * fps) frames, the first at 0.

    A loop is divided evenly, `duration * i / frames`: the frame after the last would be the first again, and is left out.
    Otherwise frame i is at `i / fps`, in step with any sound. `duration` (seconds) and `fps` are numbers, Fractions or texts
    ("30000/1001"); a float means what it shows (29.97 is 2997/100). Raises KinesphereError for less than one frame.
    """
    seconds, rate = exact("duration", duration), exact("fps", fps)
    count = math.floor(seconds * rate + Fraction(1, 2))
    if count < 1:
        raise KinesphereError(f"{duration} s at {fps} frames per second is less than one frame: make it longer")
    step = seconds / count if loop else 1 / rate
    return [i * step for i in range(count)]


def exact(name: str, value: Any) -> Fraction:
    """A number above 0 as it is written: 30, 29.97, "30000/1001". Raises KinesphereError, calling it `name`."""
    try:
        number = Fraction(value) if isinstance(value, int | Fraction) else Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise KinesphereError(f'{name} {value!r} is not a number: write 24, 29.97 or "30000/1001"') from None
    if number <= 0:
        raise KinesphereError(f"{name} {value} must be more than 0")
    return number


# ---- how far off the map ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Statistics:
    """The shape of W: an ellipsoid. Its axes are the columns of `vectors`, widest first."""

    mean: Tensor  # [w_dim]
    vectors: Tensor  # [w_dim, w_dim], orthonormal columns
    sigmas: Tensor  # [w_dim], standard deviation along each column, falling
    rank: int  # how many directions W really extends in

    def deviation(self, along: Tensor) -> float:
        """The standard deviation of natural latents times a vector [w_dim]: of one as long as 1, that along it."""
        return float(((along.to(self.vectors) @ self.vectors) * self.sigmas).norm())


def sample_w(
    mapping: Callable[[Tensor], Tensor], z_dim: int, count: int = 10_000, seed: int = 0, batch: int = 1000
) -> Tensor:
    """Natural latents to take statistics of, all of `samples_of_w` in one: w [count, w_dim]."""
    return torch.cat(list(samples_of_w(mapping, z_dim, count, seed, batch)))


def samples_of_w(
    mapping: Callable[[Tensor], Tensor], z_dim: int, count: int, seed: int = 0, batch: int = 1000
) -> Iterator[Tensor]:
    """Natural latents w [up to batch, w_dim], `mapping(z)` for `count` seeded z, until there are that many.

    mapping  z [N, z_dim] float32 on the CPU -> w [N, w_dim] or ws [N, num_ws, w_dim] (the first row is taken), untruncated:
             `lambda z: G.mapping(z.to(G.w_avg.device))`. A conditional model needs one set of statistics per class.
    The z are the rows of `RandomState(seed).randn(count, z_dim)`, whatever the batch.
    """
    random = np.random.RandomState(_seed(seed))
    for start in range(0, count, batch):
        z = torch.from_numpy(random.randn(min(batch, count - start), z_dim).astype(np.float32))
        with torch.no_grad():
            w = mapping(z)
        yield w[:, 0] if w.ndim == 3 else w


def statistics(w: Tensor) -> Statistics:
    """Mean and principal axes of natural latents w [N, w_dim] (see `sample_w`), computed in float64, in the dtype of w.

    A direction thinner than a ten-thousandth of the widest counts as not extended in: its sigma is set to that floor, so that
    leaving W that way shows, and it is not counted in `rank`. Signs are as of `pointed`.
    Raises KinesphereError unless there are more samples than dimensions.
    """
    count, w_dim = w.shape
    if count <= w_dim:
        raise KinesphereError(
            f"{count} samples are too few for {w_dim} dimensions: take 10 times as many as dimensions, or more"
        )
    samples = w.detach().cpu().double()
    mean = samples.mean(0)
    away = samples - mean
    variances, vectors = axes(away.T @ away / (count - 1))
    sigmas = variances.sqrt()
    floor = 1e-4 * sigmas[0]
    rank = int((sigmas > floor).sum())
    return Statistics(mean.to(w), vectors.to(w), sigmas.clamp_min(floor).to(w), rank)


def axes(square: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues [D], falling, none below 0, and eigenvectors, the columns of [D, D], of a symmetric matrix such as a covariance.

    Signs are as of `pointed`.
    """
    values, vectors = torch.linalg.eigh(square)
    return values.clamp_min(0).flip(0), pointed(vectors.flip(1))


def pointed(columns: Tensor) -> Tensor:
    """Columns [D, K], each turned so that its largest entry is positive: a sign that is the same each time."""
    largest = columns.abs().argmax(0)
    return columns * columns[largest, torch.arange(columns.shape[1])].sign()


def radius(w: Tensor, stats: Statistics) -> Tensor:
    """How far off the map: the Mahalanobis distance from the mean, over sqrt(rank), so that natural latents are at about 1.

    0 is the mean; truncation about the mean multiplies it by |psi|. w [..., w_dim]; returns [...].
    """
    return (_whitened(w, stats).square().sum(-1) / stats.rank).sqrt()


def _whitened(w: Tensor, stats: Statistics) -> Tensor:
    """[..., w_dim] along the axes of W, each in its sigmas."""
    return (w - stats.mean.to(w)) @ stats.vectors.to(w) / stats.sigmas.to(w)


# ---- the kinds of latent ---------------------------------------------------------------------------------------------


def cluster(w: Tensor, k: int, stats: Statistics, seed: int = 0) -> Tensor:
    """The centres of `k` kinds of natural latents w [N, w_dim]: k-means, by the Mahalanobis distance. Returns [k, w_dim] like w.

    A seed gives the same centres each time (it chooses where they start: Arthur and Vassilvitskii 2007). W has outliers, and a
    centre that starts at one keeps it for itself: those with less than a tenth of an even share start anew in the largest kind.
    Raises KinesphereError where there are fewer samples than centres, or the samples fall into fewer kinds.
    """
    if not 1 <= k <= len(w):
        raise KinesphereError(f"{k} centres of {len(w)} samples are not possible: take 1 or more, and more samples")
    samples = _whitened(w.detach(), stats).cpu().float().numpy()
    dice = np.random.RandomState(_seed(seed))
    some = samples[dice.permutation(len(samples))[: max(FEWEST, 8 * k)]]  # to choose where to start takes time in k²
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore")  # of centres without samples, which are looked for here
        found, _ = kmeans2(some, k, iter=1, minit="++", seed=dice)
        for _ in range(ROUNDS):
            found, kinds = kmeans2(samples, found, iter=ROUNDS, minit="matrix")
            sizes = np.bincount(kinds, minlength=k)
            lonely = np.flatnonzero(10 * k * sizes < len(samples))
            if not len(lonely):
                break
            crowd, middle = np.flatnonzero(kinds == sizes.argmax()), found[sizes.argmax()]
            found[lonely] = (middle + samples[dice.choice(crowd, len(lonely))]) / 2
    if not sizes.all():
        raise KinesphereError(f"these {len(w)} samples do not fall into {k} kinds: take fewer centres")
    return stats.mean.to(w) + torch.from_numpy(found).to(w) * stats.sigmas.to(w) @ stats.vectors.to(w).T


def nearest(w: Tensor, centres: Tensor, stats: Statistics) -> Tensor:
    """Which of the `centres` [k, w_dim] is the nearest by the Mahalanobis distance: w [..., w_dim] -> numbers [...].

    Truncation towards the nearest one, `truncate(w, centres[nearest(w, centres, stats)], psi)`, never leaves it for another.
    A w that moves jumps where another becomes the nearest: `near` goes over.
    """
    flat = _whitened(w, stats).view(-1, w.shape[-1])
    return torch.cdist(flat, _whitened(centres.to(w), stats)).argmin(-1).view(w.shape[:-1])


def near(w: Tensor, centres: Tensor, stats: Statistics, softness: float = SOFT) -> Tensor:
    """About the centre that is nearest to each w [..., w_dim], without a jump where another becomes it. Returns [..., w_dim].

        sum_i p_i centre_i,    p = softmax(-d_i² / temperature),    temperature = softness / (1 / d² + 1 / D²)

    d_i is the Mahalanobis distance to each of the `centres` [k, w_dim], d the least of them, D² the mean of the squared distances
    from each centre to its next. So a centre is its own, in few dimensions as in many, and as softness goes to 0 this becomes
    `centres[nearest(w, centres, stats)]`. At 0.2 it moves up to 6 times as fast as w, and has 0.7 of the distance from the mean
    that the nearest centre has (8 to 64 centres of the built-in model).
    """
    middles = _whitened(centres.to(w), stats)
    squares = torch.cdist(_whitened(w, stats), middles).square()  # [..., k]
    apart = torch.cdist(middles, middles).square().fill_diagonal_(math.inf).min(1).values.mean()
    least = squares.min(-1, keepdim=True).values.clamp_min(torch.finfo(w.dtype).tiny)
    return torch.softmax((least - squares) * (1 / least + 1 / apart) / softness, -1) @ centres.to(w)
