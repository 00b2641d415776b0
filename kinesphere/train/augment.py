"""What a picture goes through before the discriminator sees it, so that a few pictures teach as long as many.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data" (arXiv 2006.06676), appendix B: every
transform happens with a probability below 1, so that the generator can still tell the undistorted distribution (section 2.2);
section 3: the probability follows how much the discriminator overfits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from kinesphere.train.draws import Draws
from kinesphere.types import KinesphereError

# Scaling filters of orthogonal wavelets (Daubechies 1992): sym6, the least asymmetric of 12 taps, and sym2 of 4, in closed form.
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
SYM2 = tuple((a + b * math.sqrt(3)) / (4 * math.sqrt(2)) for a, b in ((1, 1), (3, 1), (3, -1), (1, -1)))
LAG = sum(i * tap for i, tap in enumerate(SYM6)) / sum(SYM6)  # sym6's centre of mass; 5.5 if it were symmetric
SPECTRUM = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # expected power of a photograph in the four bands, lowest first

Values = Tensor | float  # one number for each picture, [N], or the same for all


def _rows(*rows: Sequence[Values]) -> Tensor:
    """A matrix for each picture, [N, R, C] float64, from its entries."""
    flat = [torch.as_tensor(v, dtype=torch.float64) for row in rows for v in row]
    stacked = torch.stack(torch.broadcast_tensors(*flat), dim=-1)
    return stacked.reshape(-1, len(rows), len(rows[0]))


def _reflected(i: Tensor, size: int) -> Tensor:
    """The pixel that index `i` falls on when the picture is mirrored again and again about its outermost pixels."""
    i = i.remainder(2 * (size - 1))
    return torch.minimum(i, 2 * (size - 1) - i)


# --- geometry


def _scaling(x: Values, y: Values) -> Tensor:
    return _rows((x, 0, 0), (0, y, 0), (0, 0, 1))


def _turning(angle: Values) -> Tensor:
    angle = torch.as_tensor(angle, dtype=torch.float64)
    cos, sin = angle.cos(), angle.sin()
    return _rows((cos, sin, 0), (-sin, cos, 0), (0, 0, 1))  # y points down


def _moving(x: Values, y: Values) -> Tensor:
    return _rows((1, 0, x), (0, 1, y), (0, 0, 1))


def geometry_matrix(
    flip: Values = 0,
    quarters: Values = 0,
    shift_x: Values = 0,
    shift_y: Values = 0,
    scale: Values = 1,
    pre: Values = 0,
    stretch: Values = 1,
    post: Values = 0,
    move_x: Values = 0,
    move_y: Values = 0,
) -> Tensor:
    """Where each point of a picture goes: [N, 3, 3] float64, homogeneous, in pixels from the centre, x right and y down.

    In the order in which they happen: `flip` 1 mirrors left and right, `quarters` turns by 90 degrees, `shift` moves by whole
    pixels, `scale` enlarges, `pre` turns, `stretch` widens and flattens by the same factor, `post` turns, `move` moves by any
    fraction of a pixel. Angles are radians, counter-clockwise as seen. The defaults are the identity.
    """
    return (
        _moving(move_x, move_y)
        @ _turning(post)
        @ _scaling(stretch, 1 / torch.as_tensor(stretch, dtype=torch.float64))
        @ _turning(pre)
        @ _scaling(scale, scale)
        @ _moving(shift_x, shift_y)
        @ _turning(torch.as_tensor(quarters, dtype=torch.float64) * (math.pi / 2))
        @ _scaling(1 - 2 * torch.as_tensor(flip, dtype=torch.float64), 1)
    )


def warp(img: Tensor, matrices: Tensor) -> Tensor:
    """Move the points of `img` [N, C, H, W] by `matrices` [N, 3, 3] (of `geometry_matrix`); the outside is the picture mirrored.

    Where every pixel lands on a pixel (flips, quarter turns, whole shifts) pixels are copied. Otherwise the picture is
    doubled with the sym6 filter, looked up bilinearly and halved with it. Differentiable in the picture, any number of times.
    """
    height, width = img.shape[2:]
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64)
    # From a pixel of the result to its place in `img`: [N, 2, 3], in pixel indices.
    back = torch.linalg.inv(matrices.to("cpu", torch.float64))[:, :2]
    back = torch.cat([back[:, :, :2], back[:, :, 2:] + (centre - back[:, :, :2] @ centre)[:, :, None]], dim=2)
    whole = ((back - back.round()).abs() < 1e-6).all(dim=2).all(dim=1)  # [N]
    if whole.all():
        return _copied(img, back)
    if not whole.any():
        return _resampled(img, back)
    first, second = whole.nonzero()[:, 0].to(img.device), (~whole).nonzero()[:, 0].to(img.device)
    warped = torch.cat([_copied(img[first], back[whole]), _resampled(img[second], back[~whole])])
    return warped[torch.cat([first, second]).argsort()]


def _places(back: Tensor, xs: Tensor, ys: Tensor) -> tuple[Tensor, Tensor]:
    """`back` [N, 2, 3] applied to the grid of `xs` [W] and `ys` [H]: x and y, each [N, H, W]."""
    a = back.to(xs)[:, :, :, None, None]
    x, y = (a[:, i, 0] * xs + a[:, i, 1] * ys[:, None] + a[:, i, 2] for i in (0, 1))
    return x, y


def _copied(img: Tensor, back: Tensor) -> Tensor:
    """`warp` where `back` [N, 2, 3], in pixel indices, is made of whole numbers."""
    height, width = img.shape[2:]
    xs, ys = (torch.arange(size, device=img.device) for size in (width, height))
    x, y = _places(back.round().long(), xs, ys)
    i = _reflected(y, height) * width + _reflected(x, width)  # [N, H, W]
    return img.flatten(2).gather(2, i.flatten(1)[:, None].expand(-1, img.shape[1], -1)).reshape(img.shape)


def _span(low: float, high: float, size: int) -> tuple[int, int, bool]:
    """The first and the last pixel of a mirrored axis that are needed to look up places from `low` to `high` (pixel indices).

    The mirrored axis repeats itself, so that one period is enough, however small the picture becomes: True means that the
    places have to be taken modulo the period.
    """
    period = 2 * (size - 1)
    first, last = math.floor(low), math.ceil(high) + 1
    return (0, period, True) if last - first > period else (first, last, False)


def _sym6(samples: Tensor, pixels: Tensor) -> Tensor:
    """How much each pixel adds to each sample of the doubled axis: [samples, pixels] float64.

    With all pixels and samples this matrix U has Uᵀ U = 2: half its transpose halves the axis again without loss.
    """
    tap = samples[:, None] - 2 * pixels + (len(SYM6) // 2 - 1)
    taps = F.pad(torch.tensor(SYM6, dtype=torch.float64) * math.sqrt(2), [1, 1])  # a 0 on each side
    return taps[(tap + 1).clamp(0, len(SYM6) + 1)]


def _resampled(img: Tensor, back: Tensor) -> Tensor:
    """`warp` for any `back` [N, 2, 3], in pixel indices.

    The filter, the mirrored outside and the crop are one dense matrix along each axis. Doubling 64 pixels took a fortieth
    of the time of a depthwise transposed convolution on one CPU core, 256 pixels an eighth.
    """
    wider, lag = len(SYM6) // 4, LAG - (len(SYM6) // 2 - 1)  # reach in pixels; sample 2i + lag lies on pixel i
    ys, xs = (torch.arange(1 - 2 * wider, 2 * (size + wider) - 1) for size in img.shape[2:])  # samples of the result
    places = [(s.double() - lag) / 2 for s in (xs, ys)]
    corners = _places(back, *(s[[0, -1]] for s in places))
    height, width = img.shape[2:]
    grid = []
    for place, corner, axis in zip(_places(back, *(s.to(img) for s in places)), corners, (3, 2), strict=True):
        size = img.shape[axis]
        first, last, again = _span(float(corner.min()), float(corner.max()), size)
        pixels = torch.arange(first - wider, last + wider + 1)
        double = _sym6(torch.arange(2 * first, 2 * last + 2), pixels)
        double = double.new_zeros(len(double), size).index_add_(1, _reflected(pixels, size), double)
        img = _along(img, double, axis)
        sample = 2 * place + (lag - 2 * first)
        sample = sample.remainder(4 * (size - 1)) if again else sample
        grid.append(sample * (2 / (2 * (last - first) + 1)) - 1)
    img = _Lookup.apply(img, torch.stack(grid, dim=-1))
    for samples, size, axis in ((xs, width, 3), (ys, height, 2)):
        img = _along(img, _sym6(samples, torch.arange(size)).t() / 2, axis)
    return img


def _along(img: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """`matrix` [to, from] applied to the rows (axis 3) or the columns (axis 2) of `img` [N, C, H, W]."""
    matrix = matrix.to(img)
    return img @ matrix.t() if axis == 3 else matrix @ img


class _Lookup(torch.autograd.Function):
    """Bilinear sampling, with a gradient that has a gradient: PyTorch before 2.13 lacks it, and ours needs none in the grid."""

    @staticmethod
    def forward(ctx: Any, img: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = img.shape
        return F.grid_sample(img, grid, padding_mode="border", align_corners=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grad, ctx.saved_tensors[0], ctx.size), None


class _Spread(torch.autograd.Function):
    """The transpose of `_Lookup`, whose transpose is `_Lookup` again."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        unread = grad.new_zeros(1).expand(size)  # only its size matters to a linear operation
        bilinear, border = 0, 1
        back = torch.ops.aten.grid_sampler_2d_backward
        return back(grad.contiguous(), unread, grid, bilinear, border, True, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Lookup.apply(grad, ctx.saved_tensors[0]), None, None


# --- colour


def colour_matrix(
    brightness: Values = 0, contrast: Values = 1, luma_flip: Values = 0, hue: Values = 0, saturation: Values = 1
) -> Tensor:
    """What becomes of each colour: [N, 4, 4] float64, homogeneous, on (R, G, B, 1) with channels in [-1, 1].

    In the order in which they happen: `brightness` is added, `contrast` multiplies, `luma_flip` 1 mirrors dark and bright
    with the hue kept, `hue` turns about the grey axis (radians), `saturation` multiplies what is not grey.
    """
    one = torch.eye(4, dtype=torch.float64)
    third = torch.zeros(4, 4, dtype=torch.float64)
    third[:3, :3] = 1 / 3  # v vᵀ, v = (1, 1, 1, 0) / √3: the projection on the grey axis
    cross = torch.zeros(4, 4, dtype=torch.float64)
    cross[:3, :3] = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # v ×
    end = torch.diag(torch.tensor([0.0, 0, 0, 1], dtype=torch.float64))
    flip, angle, keep = (
        torch.as_tensor(v, dtype=torch.float64).reshape(-1, 1, 1) for v in (luma_flip, hue, saturation)
    )
    turn = third + end + angle.cos() * (one - third - end) + angle.sin() * cross  # Rodrigues
    add = _rows((1, 0, 0, brightness), (0, 1, 0, brightness), (0, 0, 1, brightness), (0, 0, 0, 1))
    times = _rows((contrast, 0, 0, 0), (0, contrast, 0, 0), (0, 0, contrast, 0), (0, 0, 0, 1))
    return (third + end + keep * (one - third - end)) @ turn @ (one - 2 * flip * third) @ times @ add


def recolour(img: Tensor, matrices: Tensor) -> Tensor:
    """Change the colours of `img` [N, C, H, W] by `matrices` [N, 4, 4] (of `colour_matrix`).

    Of 4 channels the last is alpha and stays. A single channel is grey, and keeps the grey part of what the matrix makes
    of it. Raises KinesphereError for other numbers of channels.
    """
    if img.shape[1] not in (1, 3, 4):
        raise KinesphereError(
            f"pictures of {img.shape[1]} channels have no colours to change: 1 (grey), 3 (RGB) or 4 (RGBA)"
        )
    matrices = matrices.to("cpu", torch.float64)
    linear, added = matrices[:, :3, :3], matrices[:, :3, 3:]
    if img.shape[1] == 1:
        linear, added = linear.sum([1, 2]).reshape(-1, 1, 1) / 3, added.mean(1, keepdim=True)
    rgb, alpha = img[:, :3], img[:, 3:]
    rgb = (linear.to(img) @ rgb.flatten(2) + added.to(img)).reshape(rgb.shape)
    return torch.cat([rgb, alpha], dim=1) if alpha.shape[1] else rgb


# --- filtering


def filter_bank() -> Tensor:
    """Four symmetric filters [4, 43] float64 that add up to the identity: below π/8, to π/4, to π/2 and to π rad per pixel.

    `half` is sym2 filtered with itself backwards. It and its complement 1 - half are the two halves of the spectrum; spread
    by 2 and by 4 they split the lower half again and again.
    """
    sym2 = torch.tensor(SYM2, dtype=torch.float64)
    half = F.conv1d(sym2[None, None], sym2[None, None], padding=3)[0, 0] / 2  # [7], 1 at rest
    low, bands = torch.ones(1, dtype=torch.float64), []
    for spread in (1, 2, 4):
        wide = torch.zeros(6 * spread + 1, dtype=torch.float64)
        wide[::spread] = half
        lower = F.conv1d(low[None, None], wide[None, None], padding=6 * spread)[0, 0]
        bands.append(F.pad(low, [3 * spread, 3 * spread]) - lower)
        low = lower
    bands.append(low)
    return torch.stack([F.pad(b, [(len(low) - len(b)) // 2] * 2) for b in reversed(bands)])


def band_gains(amplify: Tensor) -> Tensor:
    """The gain of each band, [N, 4], from how much each is to be amplified, [N, 4], lowest first.

    After each amplification all four are scaled so that a photograph would keep its power (`SPECTRUM`).
    """
    each = torch.ones(*amplify.shape, 4, dtype=amplify.dtype) + torch.diag_embed(
        amplify - 1
    )  # [N, amplified band, band]
    power = (each.square() * torch.tensor(SPECTRUM, dtype=amplify.dtype)).sum(2, keepdim=True)
    return (each / power.sqrt()).prod(1)


def filter_bands(img: Tensor, gains: Tensor) -> Tensor:
    """Amplify the four frequency bands of `img` [N, C, H, W] by `gains` [N, 4], lowest first, along both axes.

    The outside is the picture mirrored. Of 4 channels the last is alpha and stays.
    """
    colours, alpha = img[:, :3], img[:, 3:]
    n, c, height, width = colours.shape
    taps = (gains.to("cpu", torch.float64) @ filter_bank()).to(img)  # [N, 43]
    kernel = taps.repeat_interleave(c, dim=0)[:, None, None]  # [N * C, 1, 1, 43]
    reach = taps.shape[1] // 2
    x = colours.reshape(1, n * c, height, width)
    for axis, size, shape in ((3, width, (1, -1)), (2, height, (-1, 1))):
        x = x.index_select(axis, _reflected(torch.arange(-reach, size + reach, device=img.device), size))
        x = F.conv2d(x, kernel.reshape(n * c, 1, *shape), groups=n * c)
    x = x.reshape(colours.shape)
    return torch.cat([x, alpha], dim=1) if alpha.shape[1] else x


# --- corruption


def add_noise(img: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Add `noise` [N, 1 or 3, H, W], standard normal, of strength `sigma` [N] to the colours of `img`; alpha stays."""
    noise = noise.to(img) * sigma.to(img)[:, None, None, None]
    return img + F.pad(noise, [0, 0, 0, 0, 0, img.shape[1] - noise.shape[1]])


def cut_out(img: Tensor, centre_x: Tensor, centre_y: Tensor, size: Tensor) -> Tensor:
    """Lay a rectangle of mid grey (0) over `img`: its centre and its sides as parts of the picture's, each [N]."""
    inside = []
    for centre, n in ((centre_x, img.shape[3]), (centre_y, img.shape[2])):
        places = (torch.arange(n, dtype=torch.float64) + 0.5) / n
        inside.append(
            (places - centre.to("cpu", torch.float64)[:, None]).abs() < size.to("cpu", torch.float64)[:, None] / 2
        )
    hole = inside[1][:, None, :, None] & inside[0][:, None, None, :]  # [N, 1, H, W]
    return img.masked_fill(hole.to(img.device), 0)


# --- all of it

GROUPS = {
    "blit": ("xflip", "rotate90", "xint"),
    "geom": ("scale", "rotate", "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "filter": ("imgfilter",),
    "noise": ("noise",),
    "cutout": ("cutout",),
}
TRANSFORMS = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True)
class Augment:
    """Which transforms a picture may go through, and how strong they are. `Augment()` is the set "bgc".

    The first 15 fields are multipliers: a transform happens with probability p times its multiplier (at most 1), and 0
    leaves it out, at no cost. The others say how strong it is when it happens. Raises KinesphereError on negative numbers.
    """

    # pixel blitting
    xflip: float = 1.0  # then mirrored or not, half and half
    rotate90: float = 1.0  # by 0, 90, 180 or 270 degrees
    xint: float = 1.0  # moved by whole pixels
    # geometry
    scale: float = 1.0  # the same along both axes
    rotate: float = 1.0  # before or after `aniso`, or both
    aniso: float = 1.0  # wider and flatter, or the reverse
    xfrac: float = 1.0  # moved by any fraction of a pixel
    # colour
    brightness: float = 1.0
    contrast: float = 1.0
    lumaflip: float = 1.0  # then mirrored or not, half and half
    hue: float = 1.0
    saturation: float = 1.0
    # filtering, noise, holes
    imgfilter: float = 0.0  # each of the four frequency bands on its own
    noise: float = 0.0
    cutout: float = 0.0

    imgfilter_bands: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)  # multipliers of the bands, lowest first
    xint_max: float = 0.125  # of the picture's size, uniform
    scale_std: float = 0.2  # octaves
    rotate_max: float = math.pi  # radians, uniform
    aniso_std: float = 0.2  # octaves
    xfrac_std: float = 0.125  # of the picture's size
    brightness_std: float = 0.2  # of a picture that runs from -1 to 1
    contrast_std: float = 0.5  # octaves
    hue_max: float = math.pi  # radians, uniform
    saturation_std: float = 1.0  # octaves
    imgfilter_std: float = 1.0  # octaves
    noise_std: float = 0.1  # of the strength, half-normal; of a picture that runs from -1 to 1
    cutout_size: float = 0.5  # of the picture's sides

    def __post_init__(self) -> None:
        if len(self.imgfilter_bands) != 4:
            raise KinesphereError(f"imgfilter_bands = {self.imgfilter_bands}: one multiplier for each of the 4 bands")
        for f in fields(self):
            value = getattr(self, f.name)
            numbers = value if f.name == "imgfilter_bands" else (value,)
            if not all(0 <= v < math.inf for v in numbers):
                raise KinesphereError(f"{f.name} = {value}: a multiplier or a strength is 0 or more")

    @classmethod
    def named(cls, name: str) -> Augment:
        """One of `SETS`. Raises KinesphereError that lists them."""
        if name not in SETS:
            raise KinesphereError(f"no augmentation set {name!r}: there are {', '.join(SETS)}")
        return SETS[name]

    def any_of(self, group: str) -> bool:
        """Whether any transform of a group ("blit", "geom", "color", "filter", "noise", "cutout") may happen."""
        return any(getattr(self, name) > 0 for name in GROUPS[group])

    def parameters(self, p: float, n: int, height: int, width: int, draws: Draws) -> dict[str, Tensor]:
        """What happens to each of `n` pictures at probability `p`: for every transform its numbers, [n] float64 on the CPU.

        Where a transform does not happen they are those of the identity. Every number is drawn whatever `p` and the
        multipliers are: switching one transform off changes nothing in the others. Draws on the CPU spare a copy.
        """
        chance = [min(1.0, p * getattr(self, name)) for name in TRANSFORMS]
        chance[TRANSFORMS.index("rotate")] = p_rot = 1 - math.sqrt(1 - chance[TRANSFORMS.index("rotate")])
        chance += [p_rot, *(min(1.0, p * self.imgfilter * band) for band in self.imgfilter_bands)]
        happens = draws.uniform(n, len(chance)).cpu() < torch.tensor(chance)
        on = dict(zip((*TRANSFORMS, "post", "band0", "band1", "band2", "band3"), happens.unbind(1), strict=True))
        u = iter(draws.uniform(n, 10).to("cpu", torch.float64).unbind(1))
        z = iter(draws.normal(n, 12).to("cpu", torch.float64).unbind(1))

        def gated(name: str, value: Tensor, identity: float = 0.0) -> Tensor:
            return value.where(on[name], identity)

        def signed() -> Tensor:
            return 2 * next(u) - 1

        return {
            "flip": gated("xflip", (2 * next(u)).floor()),
            "quarters": gated("rotate90", (4 * next(u)).floor()),
            "shift_x": gated("xint", (signed() * self.xint_max * width).round()),
            "shift_y": gated("xint", (signed() * self.xint_max * height).round()),
            "scale": gated("scale", (next(z) * self.scale_std).exp2(), 1),
            "pre": gated("rotate", signed() * self.rotate_max),
            "stretch": gated("aniso", (next(z) * self.aniso_std).exp2(), 1),
            "post": gated("post", signed() * self.rotate_max),
            "move_x": gated("xfrac", next(z) * self.xfrac_std * width),
            "move_y": gated("xfrac", next(z) * self.xfrac_std * height),
            "brightness": gated("brightness", next(z) * self.brightness_std),
            "contrast": gated("contrast", (next(z) * self.contrast_std).exp2(), 1),
            "luma_flip": gated("lumaflip", (2 * next(u)).floor()),
            "hue": gated("hue", signed() * self.hue_max),
            "saturation": gated("saturation", (next(z) * self.saturation_std).exp2(), 1),
            **{f"band{i}": gated(f"band{i}", (next(z) * self.imgfilter_std).exp2(), 1) for i in range(4)},
            "sigma": gated("noise", next(z).abs() * self.noise_std),
            "centre_x": next(u),
            "centre_y": next(u),
            "hole": gated("cutout", torch.full([n], self.cutout_size, dtype=torch.float64)),
        }

    def __call__(self, img: Tensor, p: float, draws: Draws) -> Tensor:
        """Augment `img` [N, C, H, W] in [-1, 1] (it may leave that range), C 1, 3 or 4 (RGBA), each picture on its own.

        With `p` 0 the pictures themselves come back. Computed in float32 at least, returned as what came in; differentiable
        in `img`, twice too. `draws` is a fresh stream: the same stream does the same again.
        """
        if p == 0 or not any(self.any_of(group) for group in GROUPS):
            return img
        n, c, height, width = img.shape
        made = self.parameters(p, n, height, width, draws)

        def of(names: Sequence[str]) -> dict[str, Tensor]:
            return {name: made[name] for name in names}

        with torch.autocast(img.device.type, enabled=False):
            x = img if img.dtype == torch.float64 else img.float()
            if self.any_of("blit") or self.any_of("geom"):
                x = warp(x, geometry_matrix(**of(MOVES)))
            if self.any_of("color"):
                x = recolour(x, colour_matrix(**of(COLOURS)))
            if self.any_of("filter"):
                x = filter_bands(x, band_gains(torch.stack(list(of(BANDS).values()), dim=1)))
            if self.any_of("noise"):
                x = add_noise(x, draws.normal(n, min(c, 3), height, width), made["sigma"])
            if self.any_of("cutout"):
                x = cut_out(x, made["centre_x"], made["centre_y"], made["hole"])
        return x.to(img.dtype)


MOVES = ("flip", "quarters", "shift_x", "shift_y", "scale", "pre", "stretch", "post", "move_x", "move_y")
COLOURS = ("brightness", "contrast", "luma_flip", "hue", "saturation")
BANDS = ("band0", "band1", "band2", "band3")


def _only(*groups: str) -> Augment:
    chosen = [name for group in groups for name in GROUPS[group]]
    return Augment(**{name: float(name in chosen) for name in TRANSFORMS})  # type: ignore[arg-type]


SETS = {
    **{group: _only(group) for group in GROUPS},
    "bg": _only("blit", "geom"),
    "bgc": _only("blit", "geom", "color"),
    "bgcf": _only("blit", "geom", "color", "filter"),
    "bgcfn": _only("blit", "geom", "color", "filter", "noise"),
    "bgcfnc": _only(*GROUPS),
}


# --- how often: section 3


@dataclass
class Adaptive:
    """The probability p that follows how much the discriminator overfits.

    The sign of overfitting is rt = E[sign(D(real))]: 0 while real and generated pictures look alike to D, 1 when it knows
    every real picture. Every `interval` steps p moves by the same amount, up when rt is above `target` and down when it is
    below, and stays within 0 and 1. Without a target p is fixed at `p0`.
    """

    target: float | None = 0.6  # of rt; None keeps p where it is
    kimg: float = 500.0  # thousands of pictures in which p goes from 0 to 1 at the fastest
    interval: int = 4  # steps between updates
    p0: float = 0.0  # where p starts
    p: float = field(init=False)
    rt: float = field(init=False, default=0.0)  # at the latest update

    def __post_init__(self) -> None:
        if not 0 <= self.p0 <= 1:
            raise KinesphereError(f"p0 = {self.p0}: the probability of augmentation is from 0 to 1")
        if self.target is not None and not -1 <= self.target <= 1:
            raise KinesphereError(
                f"target = {self.target}: a mean of signs is from -1 to 1 (0.6 is usual; None keeps p fixed)"
            )
        if not self.kimg > 0 or self.interval < 1:
            raise KinesphereError(f"kimg = {self.kimg}, interval = {self.interval}: both are above 0")
        self.p = self.p0

    def update(self, sign_mean: float, images: int) -> float:
        """Move p by `images` / (1000 `kimg`), given rt over the `images` real pictures since the last update. Returns p."""
        self.rt = sign_mean
        if self.target is not None:
            direction = (sign_mean > self.target) - (sign_mean < self.target)
            self.p = min(1.0, max(0.0, self.p + direction * images / (self.kimg * 1000)))
        return self.p

    def state_dict(self) -> dict[str, float]:
        """The two numbers that a run has to keep."""
        return {"p": self.p, "rt": self.rt}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.p, self.rt = state["p"], state["rt"]
