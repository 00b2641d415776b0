"""Between two latents, and out of several: morphs, and blends by masks inside the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinesphere import latent
from kinesphere.bends import Bending, Operation, bent
from kinesphere.bends.bending import convolutions
from kinesphere.models import Generator, StyleGAN3
from kinesphere.ops import to_pixels
from kinesphere.studio import sheets
from kinesphere.studio.latents import Fingerprint, Latent, draw, instead, styles
from kinesphere.types import KinesphereError

SOFT = 0.03  # of a seam: picture widths
STAGGERED = 0.6  # spread at which the rows are seen to leave one after the other, and all of the time is used


# ---- between two -----------------------------------------------------------------------------------------------------


def cross_fade(a: Tensor, b: Tensor, t: float) -> Tensor:
    """From noise map a (t = 0) to noise map b (t = 1), both bit for bit; between them the variance stays what it is.

    `sqrt(1 - t) a + sqrt(t) b` over `sqrt(1 + 2 sqrt(t (1 - t)) r)`, r their correlation where it is above 0. A plain cross-fade of
    independent maps (r = 0) would lose half of the variance on the way, and the picture its grain. Projections of one model have
    noise in common: without the divisor they would gain some, and a map faded to itself would not stay itself.
    a, b  maps [H, W] of mean 0 and of one variance
    Raises KinesphereError for a t outside 0 to 1.
    """
    if not 0 <= t <= 1:
        raise KinesphereError(f"noise cannot be cross-faded to t {t:g}: give 0 (the first map) to 1 (the second)")
    if t in (0, 1):
        return (b if t else a).clone()
    alike = F.cosine_similarity(a.flatten(), b.flatten(), dim=0).clamp_min(0)
    return (math.sqrt(1 - t) * a + math.sqrt(t) * b) / (1 + 2 * math.sqrt(t * (1 - t)) * alike).sqrt()


@torch.no_grad()
def morph(G: Generator, a: Latent, b: Latent, t: float, spread: float = 0.0, easing: str = "linear") -> Latent:
    """The latent between a (t = 0) and b (t = 1): straight lines in W, or in the styles where one of them is of styles.

    Every layer goes by its own row's amount (`latent.stagger`), all that it has: its style, its noise map (`cross_fade`, at an even
    pace; where only one latent has a map, the model's own stands for the other's) and what was tuned in its weights. At both ends
    it is that latent's picture.
    t       0 to 1; beyond them it rests
    spread  0: all rows together; 1: one after the other, coarse first
    easing  a name of latent.EASINGS: the pace of each row
    Its `origin` holds both parents. Raises KinesphereError where a latent is not of `G`, or a number is not possible.
    """
    for parent in (a, b):
        parent.check(G)
        parent.bending(G)
    amounts = latent.stagger(t, G.num_ws, spread, easing)  # [num_ws]
    fades = latent.ease(amounts, "sine_in_out").tolist()  # cos(pi t / 2) a + sin(pi t / 2) b: a turn at an even pace
    rows = layer_rows(G)
    if "s" in (a.space, b.space):
        space, ways = "s", zip(_styles(G, a).items(), _styles(G, b).values(), strict=True)
        data = torch.cat([latent.lerp(x, y, float(amounts[rows[name]])) for (name, x), y in ways])
    else:
        ws = latent.lerp(a.ws(G)[0], b.ws(G)[0], amounts).cpu()  # [num_ws, w_dim]
        alike = bool((ws == ws[:1]).all())
        space, data = ("w", ws[0]) if alike else ("w+", ws)
    return Latent(
        data,
        space,
        a.class_index if t < 0.5 else b.class_index,
        a.psi if a.psi == b.psi and space != "s" else 1.0,
        {name: cross_fade(_map(G, a, name), _map(G, b, name), fades[rows[name]]) for name in {**a.noise, **b.noise}},
        _tunings(a, b, lambda place: float(amounts[row_of(rows, place)])),
        Fingerprint.of(G),
        {"morph": {"from": dict(a.origin), "to": dict(b.origin), "t": t, "spread": spread, "easing": easing}},
    )


def layer_rows(G: Generator) -> dict[str, int]:
    """The row of `ws` that drives each layer. One that colours a running picture shares that of the next convolution."""
    rows, row = {}, 0
    for name in G.layers():
        rows[name] = min(row, G.num_ws - 1)
        row += not name.endswith("torgb")
    return rows


def _styles(G: Generator, a: Latent) -> dict[str, Tensor]:
    """The styles of a latent: layer -> [number of styles], on the CPU."""
    found = {name: value[0].float().cpu() for name, value in styles(G, _ws(G, a)).items()}
    if a.space != "s":
        return found
    parts = a.data.split([len(value) for value in found.values()])
    return dict(zip(found, parts, strict=True))


def _ws(G: Generator, a: Latent) -> Tensor:
    """[1, num_ws, w_dim]; of a latent of styles, which has none, the model's mean, to be drawn with those styles in its place."""
    return G.w_avg.expand(1, G.num_ws, -1) if a.space == "s" else a.ws(G)


def _map(G: Generator, a: Latent, name: str) -> Tensor:
    """The noise map of a layer, [H, W] on the CPU: the latent's or the model's own."""
    own: Tensor = G.layers()[name].noise_const  # type: ignore[assignment]
    return a.noise.get(name, own).detach().float().cpu()


def row_of(rows: Mapping[str, int], place: str) -> int:
    """The row, of `layer_rows`, that goes with one of the model's tensors: its layer's; its block's first, where it is in none."""
    block = [row for name, row in rows.items() if name.partition(".")[0] == place.partition(".")[0]]
    return next((row for name, row in rows.items() if place.startswith(f"{name}.")), next(iter(block), 0))


def _tunings(a: Latent, b: Latent, amount: Callable[[str], float]) -> dict[str, tuple[Tensor, Tensor]]:
    """What is added to the weights: each latent's share of it, side by side in two thin matrices."""
    found = {}
    for place in {**a.tuning, **b.tuning}:
        t = amount(place)
        shares = [(share, of.tuning[place]) for share, of in ((1 - t, a), (t, b)) if share and place in of.tuning]
        if shares:
            found[place] = (
                torch.cat([share * up for share, (up, _) in shares], 1),
                torch.cat([down for _, (_, down) in shares]),
            )
    return found


# ---- by masks --------------------------------------------------------------------------------------------------------


def by_masks(G: Generator, masks: Tensor, start: str = "middle", softness: float = SOFT) -> Bending:
    """Lets `G` draw one picture out of a batch of S `ws`: where mask s is 1, after every layer from `start` on, there is only s.

        with bent(G, by_masks(G, masks)):
            img = G.synthesis(ws)                    # [S, C, H, W], all alike

    Each layer draws all S with their own styles, on what was blended so far, and gives `sum_s mask_s * x_s` to the next. So
    what lies beside a seam is drawn knowing what is across it: from an early layer on, one coherent picture; at the last, a paste.
    masks     [S, h, w] or [S, 1, h, w], 0 or more; their proportions count; where none is above 0, all do alike
    start     a layer ("b16.conv1", "L3"), a block ("b16") or a band ("coarse", "middle", "fine", "all")
    softness  of the seam: sigma of a Gaussian, in picture widths
    Of masks that learn, a bending is good for one backward pass. Raises KinesphereError for what is none of these.
    """
    shares = _blurred(_shares(masks).to(G.w_avg), softness)  # [S, 1, h, w]
    names = list(G.layers())
    first = start if start in names else next(iter(convolutions(G, start)), None)
    if first is None:
        raise KinesphereError(f"this model has no layers in {start!r}: give one of {', '.join(names)}")
    chosen = names[names.index(first) :]
    # A block gives the picture so far, too, and what goes round its convolutions.
    blocks = [name.partition(".")[0] for name in chosen if "." in name]
    return {place: _mixture(shares, _margin(G, place)) for place in [*chosen, *dict.fromkeys(blocks)]}


def blended(G: Generator, ws: Tensor, masks: Tensor, start: str = "middle", softness: float = SOFT) -> Tensor:
    """One picture [1, C, H, W] of several latents `ws` [S, num_ws, w_dim], each where its mask is: see `by_masks`.

    The noise is the model's own. Gradients flow to `ws` and to the masks. Raises KinesphereError where there are not as many
    masks as latents, or as `by_masks` does.
    """
    with bent(G, by_masks(G, masks, start, softness)):
        img: Tensor = G.synthesis(ws)
    return img[:1]


@torch.no_grad()
def collage(
    G: Generator, parts: Sequence[Latent], masks: Tensor, start: str = "middle", softness: float = SOFT
) -> Tensor:
    """`blended` for latents of any space, with the noise of each. Returns [1, C, H, W].

    Raises KinesphereError where a latent is not of `G`, or has tuned weights: a batch is drawn with one set of weights.
    """
    if any(part.tuning for part in parts):
        raise KinesphereError("a latent with tuned weights cannot be blended by a mask: project the picture untuned")
    for part in parts:
        part.check(G)
        part.bending(G)
    put: dict[str, Operation] = {}
    for name in {name for part in parts for name in part.noise}:
        put[f"{name}.noise_const"] = partial(instead, torch.stack([_map(G, part, name)[None] for part in parts]))
    if any(part.space == "s" for part in parts):
        found = [_styles(G, part) for part in parts]
        put |= {f"{name}.affine": partial(instead, torch.stack([own[name] for own in found])) for name in found[0]}
    with bent(G, put):
        return blended(G, torch.cat([_ws(G, part) for part in parts]), masks, start, softness)


def _mixture(shares: Tensor, margin: int) -> Operation:
    """Replaces a batch [S, C, H, W] by what its shares make of it, S times; the outermost pixels are beyond the picture."""

    @cache
    def resized(height: int, width: int) -> Tensor:
        inner = height - 2 * margin, width - 2 * margin
        small = F.interpolate(shares, inner, mode="bilinear", antialias=True)
        small = F.pad(small, [margin] * 4, mode="replicate")
        return small / small.sum(0)  # so that a share of all is 1 and leaves a picture bit for bit

    def mix(x: Tensor) -> Tensor:
        if len(x) != len(shares):
            raise KinesphereError(f"{len(shares)} masks for {len(x)} latents: give as many of each")
        return (x * resized(*x.shape[2:]).to(x.dtype)).sum(0, keepdim=True).expand_as(x)

    return mix


def _margin(G: Generator, place: str) -> int:
    """How many pixels of what a place gives lie beyond the picture, on each side: StyleGAN3's canvas is larger than it."""
    if not isinstance(G, StyleGAN3):
        return 0
    band = G.bands[0 if place == "input" else int(place[1:])]
    return max(0, band.size - band.rate) // 2


def _shares(masks: Tensor) -> Tensor:
    """Masks as [S, 1, h, w] that add up to 1."""
    masks = masks[:, None] if masks.ndim == 3 else masks
    if masks.ndim != 4 or masks.shape[1] != 1 or not masks.numel():
        raise KinesphereError(f"masks {list(masks.shape)} do not fit: needed are [S, h, w], one for each latent")
    masks = masks.float()
    if not bool((torch.isfinite(masks) & (masks >= 0)).all()):
        raise KinesphereError("a mask holds a number below 0, or none: 0 is nothing of its latent, more is more of it")
    total = masks.sum(0)
    return torch.where(total > 0, masks / torch.where(total > 0, total, 1.0), 1 / len(masks))


def _blurred(masks: Tensor, softness: float) -> Tensor:
    """[S, 1, h, w] through a Gaussian of `softness` picture widths; beyond the border they go on as they end."""
    if not 0 <= softness <= 1:
        raise KinesphereError(f"softness {softness:g} is out of range: give 0 (a hard edge) to 1 picture width")
    for axis in (2, 3):
        sigma = softness * masks.shape[axis]
        reach = min(math.ceil(3 * sigma), 2 * masks.shape[axis])
        if sigma < 0.1:
            continue  # less than a pixel sees
        x = torch.arange(-reach, reach + 1, device=masks.device) / sigma
        kernel = torch.softmax(-x.square() / 2, 0)
        padding = [0, 0, reach, reach] if axis == 2 else [reach, reach, 0, 0]
        masks = F.conv2d(
            F.pad(masks, padding, mode="replicate"),
            kernel[None, None, :, None] if axis == 2 else kernel[None, None, None],
        )
    return masks


# ---- sheets ----------------------------------------------------------------------------------------------------------


def halves(size: int = 64) -> Tensor:
    """Masks [2, 1, size, size]: the first latent on the left, the second on the right."""
    right = (torch.arange(size) >= size / 2).float().expand(1, size, size)
    return torch.stack([1 - right, right])


def painted(file: Path | BinaryIO) -> Tensor:
    """Masks [2, 1, h, w] from a grey picture: the first latent where it is black, the second where it is white.

    Raises KinesphereError for what is no picture.
    """
    try:
        with Image.open(file) as picture:
            white = torch.from_numpy(np.asarray(picture.convert("L"), np.float32) / 255)[None]
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise KinesphereError(
            f"{file} cannot be read as a mask ({type(error).__name__}): give a grey picture"
        ) from None
    return torch.stack([1 - white, white])


def sheet(
    G: Generator,
    a: Latent,
    b: Latent,
    masks: Tensor | None = None,
    columns: int = 7,
    spread: float = STAGGERED,
    softness: float = SOFT,
    on_picture: Callable[[int, int], None] = lambda done, of: None,
) -> np.ndarray:
    """Two latents in every way: a morph of all rows together, one of rows in turn, and blends by a mask from various layers on.

    masks    [2, h, w]; None: `halves`
    columns  2 or more; of the blends, layers from the first to the last, about evenly
    Returns [H, W, 3] uint8. Raises KinesphereError as `morph` and `collage`.
    """
    if columns < 2:
        raise KinesphereError(f"{columns} columns are too few: give 2 or more")
    ways = [(t, s) for s in (0.0, spread) for t in np.linspace(0, 1, columns).tolist()]
    layers = [*convolutions(G, "all"), list(G.layers())[-1]]
    starts = [layers[round(i)] for i in np.linspace(0, len(layers) - 1, columns)]
    todo: list[Callable[[], Tensor]] = [partial(_morphed, G, a, b, t, s) for t, s in ways]
    todo += [partial(collage, G, [a, b], halves() if masks is None else masks, start, softness) for start in starts]
    tiles = []
    for make in todo:
        tiles.append(to_pixels(make())[0].cpu().numpy())
        on_picture(len(tiles), len(todo))
    captions = [f"{t:.2f}" for t, _ in ways] + starts
    return sheets.grid(tiles, columns, (), ["together", "coarse first", "by a mask from"], captions=captions)


def _morphed(G: Generator, a: Latent, b: Latent, t: float, spread: float) -> Tensor:
    return draw(G, morph(G, a, b, t, spread))
