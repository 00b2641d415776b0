"""A morph begins and ends at its parents; a mask of one latent is that latent's picture; what is blended leaves no trace."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image
from torch import Tensor
from torch.testing import assert_close

from kinesphere import checkpoints, latent
from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.ops import to_pixels
from kinesphere.studio.blending import blended, by_masks, collage, cross_fade, halves, morph, painted, sheet
from kinesphere.studio.latents import Latent, draw, of_styles, styles
from kinesphere.types import KinesphereError

FAMILIES = ("stylegan1", "stylegan2", "stylegan3")


@pytest.fixture(scope="module", params=FAMILIES)
def G(request: pytest.FixtureRequest) -> Generator:
    return tiny_generator(request.param).requires_grad_(False)


def some_ws(G: Generator, seeds: tuple[int, ...]) -> Tensor:
    return G.mapping(latent.seeds_to_z(seeds, G.z_dim)).detach()


def random_rows(G: Generator, seed: int) -> Latent:
    """A latent of W+, as a projection finds it: no two rows alike."""
    ws = torch.randn(G.num_ws, G.w_dim, generator=torch.Generator().manual_seed(seed))
    return Latent(ws, "w+", origin={"file": f"{seed}.png"})


# ---- noise


def noise(seed: int, size: int = 256) -> Tensor:
    return torch.randn(size, size, generator=torch.Generator().manual_seed(seed))


def test_noise_fades_from_one_map_to_the_other_exactly_and_keeps_its_grain() -> None:
    a, b = noise(1), noise(2)
    assert torch.equal(cross_fade(a, b, 0), a) and torch.equal(cross_fade(a, b, 1), b)
    for t in (0.01, 0.25, 0.5, 0.9):
        assert cross_fade(a, b, t).std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.7])
def test_maps_that_have_nothing_in_common_are_weighted_by_roots(t: float) -> None:
    a = noise(1, 8)
    b = torch.cat([-a[4:], a[:4]])  # at right angles to a
    assert_close(cross_fade(a, b, t), math.sqrt(1 - t) * a + math.sqrt(t) * b)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.7])
def test_maps_that_have_noise_in_common_do_not_gain_any(t: float) -> None:
    a, b = noise(1), noise(2)
    assert_close(cross_fade(a, a, t), a)
    shared = 0.8 * a + 0.6 * b  # correlation 0.8, variance 1
    assert cross_fade(a, shared, t).std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("t", [-0.1, 1.1, math.nan])
def test_noise_does_not_fade_beyond_its_ends(t: float) -> None:
    with pytest.raises(KinesphereError, match="give 0 .* to 1"):
        cross_fade(noise(1), noise(2), t)


# ---- morphs


def parents(G: Generator, space: str) -> tuple[Latent, Latent]:
    one, other = Latent.of_seed(G, 1), Latent.of_seed(G, 2)
    if space == "z":
        return tuple(Latent(latent.seed_to_z(seed, G.z_dim)[0], "z", psi=0.7) for seed in (1, 2))  # type: ignore[return-value]
    if space == "w+":
        return random_rows(G, 1), random_rows(G, 2)
    if space == "s":
        return of_styles(styles(G, one.ws(G)), one), of_styles(styles(G, other.ws(G)), other)
    return one, other


@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
@pytest.mark.parametrize("spread", [0.0, 0.6, 1.0])
def test_a_morph_begins_and_ends_at_its_parents(G: Generator, space: str, spread: float) -> None:
    a, b = parents(G, space)
    assert_close(draw(G, morph(G, a, b, 0, spread)), draw(G, a), rtol=0, atol=1e-6)
    assert_close(draw(G, morph(G, a, b, 1, spread)), draw(G, b), rtol=0, atol=1e-6)


def test_halfway_all_rows_are_halfway_or_the_coarse_half_has_arrived(G: Generator) -> None:
    a, b = random_rows(G, 1), random_rows(G, 2)
    assert_close(morph(G, a, b, 0.5).data, (a.data + b.data) / 2)
    half = G.num_ws // 2
    turn = morph(G, a, b, half / G.num_ws, spread=1).data
    assert torch.equal(turn[:half], b.data[:half]) and torch.equal(turn[half:], a.data[half:])


def test_a_morph_of_one_w_stays_in_w_while_its_rows_are_together(G: Generator) -> None:
    a, b = Latent.of_seed(G, 1, psi=0.7), Latent.of_seed(G, 2, psi=0.7)
    between = morph(G, a, b, 0.5)
    assert (between.space, between.psi) == ("w", 0.7)
    assert morph(G, a, b, 0.5, spread=0.5).space == "w+"


def test_between_styles_each_style_goes_straight(tiny: Generator) -> None:
    a, b = parents(tiny, "s")
    assert_close(morph(tiny, a, b, 0.25).data, 0.75 * a.data + 0.25 * b.data)
    row = len(tiny.synthesis.b4.conv1.affine.bias)
    turn = morph(tiny, a, b, 1 / tiny.num_ws, spread=1).data
    assert_close(turn, torch.cat([b.data[:row], a.data[row:]]))


def test_a_latent_of_w_meets_one_of_styles_in_the_styles(tiny: Generator) -> None:
    a, b = Latent.of_seed(tiny, 1), parents(tiny, "s")[1]
    assert morph(tiny, a, b, 0.5).space == "s"
    assert_close(draw(tiny, morph(tiny, a, b, 0)), draw(tiny, a), rtol=0, atol=1e-6)


def test_noise_fades_with_its_row_and_the_models_own_stands_for_what_is_missing(tiny: Generator) -> None:
    own = tiny.synthesis.b8.conv0.noise_const
    a = Latent(some_ws(tiny, (1,))[0], "w+", noise={"b8.conv0": noise(1, 8), "b16.conv1": noise(2, 16)})
    b = Latent(some_ws(tiny, (2,))[0], "w+")
    assert_close(morph(tiny, a, b, 0.3).noise["b8.conv0"], cross_fade(noise(1, 8), own, math.sin(0.15 * math.pi) ** 2))
    assert torch.equal(morph(tiny, a, b, 1.0).noise["b8.conv0"], own)
    turn = morph(tiny, a, b, 0.5, spread=1).noise  # rows 0 to 3 of 8 have arrived: b4.conv1 to b16.conv0
    assert torch.equal(turn["b8.conv0"], own) and torch.equal(turn["b16.conv1"], noise(2, 16))


def test_what_was_tuned_for_a_picture_comes_and_goes_with_it(tiny: Generator) -> None:
    dice = torch.Generator().manual_seed(0)
    layer = tiny.synthesis.b16.conv1.weight
    tuning = torch.randn(len(layer), 2, generator=dice), torch.randn(2, layer[0].numel(), generator=dice)
    a = Latent.of_seed(tiny, 1)
    b = Latent(a.data, "w", tuning={"b16.conv1.weight": tuning})
    assert_close(draw(tiny, morph(tiny, a, b, 1)), draw(tiny, b), rtol=0, atol=1e-6)
    assert_close(draw(tiny, morph(tiny, a, b, 0)), draw(tiny, a), rtol=0, atol=1e-6)
    up, down = morph(tiny, a, b, 0.25).tuning["b16.conv1.weight"]
    assert_close(up @ down, 0.25 * tuning[0] @ tuning[1])
    up, down = morph(tiny, b, b, 0.25).tuning["b16.conv1.weight"]
    assert_close(up @ down, tuning[0] @ tuning[1])


def test_a_morph_can_be_kept_and_says_whose_child_it_is(tiny: Generator, tmp_path: Path) -> None:
    a, b = Latent.of_seed(tiny, 1), random_rows(tiny, 2)
    between = morph(tiny, a, b, 0.5, spread=0.5)
    again = Latent.load(between.save(tmp_path / "between.safetensors"))
    assert torch.equal(draw(tiny, again), draw(tiny, between))
    assert again.origin["morph"]["from"] == {"seed": 1} and again.origin["morph"]["to"] == {"file": "2.png"}
    assert (again.origin["morph"]["t"], again.origin["morph"]["spread"]) == (0.5, 0.5)


def test_latents_of_another_model_do_not_morph(tiny: Generator) -> None:
    other = Latent.of_seed(tiny_generator("stylegan3"), 1)
    with pytest.raises(KinesphereError, match="another model"):
        morph(tiny, Latent.of_seed(tiny, 1), other, 0.5)


# ---- masks


def ends(G: Generator) -> tuple[str, str, str]:
    names = list(G.layers())
    return "all", "middle", names[-1]


def one_hot(count: int, which: int, size: int = 24) -> Tensor:
    masks = torch.zeros(count, size, size)
    masks[which] = 1
    return masks


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_mask_of_all_for_one_latent_is_its_picture(G: Generator, count: int) -> None:
    ws = some_ws(G, tuple(range(count)))
    for start in ends(G):
        for which in (0, count - 1):
            img = blended(G, ws, one_hot(count, which), start, softness=0.1)
            assert_close(img, G.synthesis(ws)[which : which + 1], rtol=0, atol=1e-5)


def test_latents_that_are_alike_blend_to_their_picture_by_any_masks(G: Generator) -> None:
    ws = some_ws(G, (3,)).expand(3, -1, -1)
    masks = torch.rand(3, 1, 20, 30, generator=torch.Generator().manual_seed(0))
    for start in ends(G):
        assert_close(blended(G, ws, masks, start, softness=0.0), G.synthesis(ws)[:1], rtol=0, atol=1e-4)


def test_at_the_last_layer_a_blend_is_a_paste(G: Generator) -> None:
    ws, size = some_ws(G, (1, 2)), G.img_resolution
    left, right = G.synthesis(ws).split(1)
    img = blended(G, ws, halves(size), ends(G)[-1], softness=0.0)
    assert_close(img[..., : size // 2], left[..., : size // 2], rtol=0, atol=1e-5)
    assert_close(img[..., size // 2 :], right[..., size // 2 :], rtol=0, atol=1e-5)
    soft = blended(G, ws, halves(size), ends(G)[-1], softness=0.03)
    reach = math.ceil(3 * 0.03 * size) + 1  # of the blur
    assert_close(soft[..., : size // 2 - reach], left[..., : size // 2 - reach], rtol=0, atol=1e-5)
    assert_close(soft[..., size // 2 + reach :], right[..., size // 2 + reach :], rtol=0, atol=1e-5)
    assert not torch.equal(soft, img)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_every_architecture_pastes(architecture: str) -> None:
    G = tiny_generator("stylegan2", architecture=architecture).requires_grad_(False)
    ws, size = some_ws(G, (1, 2)), G.img_resolution
    img = blended(G, ws, halves(size), "b32.torgb", softness=0.0)
    assert_close(img[..., : size // 2], G.synthesis(ws)[:1, :, :, : size // 2], rtol=0, atol=1e-5)


def test_the_earlier_a_blend_starts_the_less_its_seam_shows() -> None:
    G = checkpoints.load("portraits").G_ema
    ws = latent.truncate(some_ws(G, (1, 2, 5, 8, 3, 4)), G.w_avg, 0.7)
    middle = G.img_resolution // 2

    def step(start: str) -> float:
        """How far the colours jump across the middle."""
        pairs = [blended(G, pair, halves(), start, softness=0.0) for pair in ws.split(2)]
        return float(torch.cat([(img[..., middle] - img[..., middle - 1]).abs().mean()[None] for img in pairs]).mean())

    steps = [step(start) for start in ("b4", "b16", "b64.torgb")]
    assert steps[0] < steps[1] < steps[2]


def test_only_the_proportions_of_masks_count_and_where_none_is_all_do_alike(tiny: Generator) -> None:
    ws, masks = some_ws(tiny, (1, 2)), torch.rand(2, 16, 16)
    assert_close(blended(tiny, ws, masks), blended(tiny, ws, 5 * masks[:, None]))
    assert_close(blended(tiny, ws, torch.zeros(2, 16, 16)), blended(tiny, ws, torch.ones(2, 16, 16)))


def test_masks_lie_on_the_picture_and_not_on_the_margin_round_it() -> None:
    G = tiny_generator("stylegan3")
    band = G.bands[0]
    masks = torch.zeros(2, 1, 64, 64)
    masks[0, ..., 16:], masks[1, ..., :16] = 1, 1  # the second has the left quarter
    mix = by_masks(G, masks, "L0", softness=0.0)["L0"]
    drawn = mix(torch.stack([torch.zeros(1, band.size, band.size), torch.ones(1, band.size, band.size)]))
    quarter = (band.size - band.rate) // 2 + band.rate // 4
    assert band.size > band.rate
    assert_close(drawn[0, 0, 0].round(), (torch.arange(band.size) < quarter).float())


def test_gradients_flow_to_every_latent_and_to_the_masks(G: Generator) -> None:
    ws, masks = some_ws(G, (1, 2, 3)).requires_grad_(), torch.rand(3, 16, 16)
    masks[:, :4] = 0  # where no mask is above 0
    masks.requires_grad_()
    blended(G, ws, masks, "all").square().sum().backward()
    assert bool(torch.isfinite(ws.grad).all()) and bool((ws.grad.abs().amax((1, 2)) > 0).all())
    assert bool(torch.isfinite(masks.grad).all()) and bool(masks.grad.abs().amax() > 0)


def test_a_blend_leaves_no_trace_and_can_be_played_beside_other_bends(tiny: Generator) -> None:
    ws = some_ws(tiny, (1, 2))
    before = tiny.synthesis(ws)
    with bent(tiny, by_masks(tiny, halves()), {"b4.const": lambda const: const.roll(1, 1)}):
        assert not torch.equal(tiny.synthesis(ws)[:1], blended(tiny, ws, halves()))
    assert torch.equal(tiny.synthesis(ws), before)


def test_a_collage_has_the_noise_and_the_styles_of_each(tiny: Generator) -> None:
    a = Latent(some_ws(tiny, (1,))[0], "w+", noise={"b16.conv1": 3 * noise(2, 16)})
    b = Latent.of_seed(tiny, 2)
    s = of_styles(styles(tiny, b.ws(tiny)), b)
    for other in (b, s):
        for which, of in enumerate((a, other)):
            img = collage(tiny, [a, other], one_hot(2, which))
            assert_close(img, draw(tiny, of), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"masks": torch.ones(3, 8, 8)}, "3 masks for 2 latents"),
        ({"masks": torch.ones(8, 8)}, "masks [8, 8] do not fit: needed are [S, h, w]"),
        ({"masks": -torch.ones(2, 8, 8)}, "below 0"),
        ({"masks": torch.full((2, 8, 8), math.nan)}, "below 0, or none"),
        ({"softness": -1.0}, "softness -1 is out of range"),
        ({"start": "b128"}, "no layers 'b128'"),
    ],
)
def test_what_cannot_be_blended_is_refused_in_words(tiny: Generator, arguments: dict, says: str) -> None:
    with pytest.raises(KinesphereError) as refused:
        blended(tiny, **{"ws": some_ws(tiny, (1, 2)), "masks": halves(), **arguments})
    assert says in str(refused.value)


def test_tuned_weights_are_not_blended_by_a_mask(tiny: Generator) -> None:
    layer = tiny.synthesis.b16.conv1.weight
    tuned = Latent(
        torch.zeros(tiny.w_dim),
        "w",
        tuning={"b16.conv1.weight": (torch.ones(len(layer), 1), torch.ones(1, layer[0].numel()))},
    )
    with pytest.raises(KinesphereError, match="tuned weights"):
        collage(tiny, [tuned, tuned], halves())


def test_a_mask_is_painted_white_where_the_second_latent_is_wanted(tmp_path: Path) -> None:
    paper = np.zeros((6, 10, 3), np.uint8)
    paper[2:, 5:] = 255
    Image.fromarray(paper).save(tmp_path / "mask.png")
    masks = painted(tmp_path / "mask.png")
    assert masks.shape == (2, 1, 6, 10) and torch.equal(masks.sum(0), torch.ones(1, 6, 10))
    assert float(masks[1].sum()) == 20 and float(masks[1, 0, 0, 0]) == 0
    (tmp_path / "mask.txt").write_text("no picture")
    for name in ("mask.txt", "nowhere.png"):
        with pytest.raises(KinesphereError, match=f"{name} cannot be read as a mask"):
            painted(tmp_path / name)


def test_a_sheet_shows_the_parents_at_both_ends_of_both_morphs(tiny: Generator) -> None:
    a, b, told = Latent.of_seed(tiny, 1), Latent.of_seed(tiny, 2), []
    drawn = sheet(tiny, a, b, columns=3, on_picture=lambda done, of: told.append((done, of)))
    assert told == [(i, 9) for i in range(1, 10)]
    for parent in (a, b):
        tile = to_pixels(draw(tiny, parent))[0].numpy()
        places = np.lib.stride_tricks.sliding_window_view(drawn, tile.shape)[:, :, 0]
        near = (np.abs(places.astype(int) - tile).max((2, 3, 4)) <= 1).sum()
        assert near >= 2
    with pytest.raises(KinesphereError, match="1 columns are too few"):
        sheet(tiny, a, b, columns=1)
