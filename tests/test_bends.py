"""A bend does what it says to the picture, and is gone without trace. Motion is compared with a picture resampled by scipy."""

import copy
import inspect
import itertools
import math
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from kinesphere import checkpoints
from kinesphere.bends import BENDS, anchor, bent, const, noise, transform, walk, warp
from kinesphere.bends.motion import Motion, moved
from kinesphere.models import FAMILIES, StyleGAN2, StyleGAN3, set_precision
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

FIXTURES = Path(__file__).parent / "fixtures"
SIZE = 64  # pixels of the fixtures' pictures
families = pytest.mark.parametrize("family", FAMILIES)
fits = {  # the bends that each family has a place for
    "stylegan1": ("const", "warp", "noise"),
    "stylegan2": ("const", "warp", "noise"),
    "stylegan3": ("const", "transform", "anchor", "noise"),
}
known = [(family, name) for family, names in fits.items() for name in names]


def fresh(family):
    G = tiny_generator(family)
    if family == "stylegan1":
        torch.nn.init.normal_(G.synthesis.b4.const)  # it begins as ones, which have no range to move in
    return G.requires_grad_(False)


tiny = lru_cache(fresh)


@lru_cache
def fixture(name):
    return checkpoints.load(FIXTURES / f"{name}.pkl").G_ema


def latents(G, seed=0, count=1):
    z = torch.from_numpy(np.random.RandomState(seed).randn(count, G.z_dim)).float()
    return G.mapping(z, G.label(0).expand(count, -1) if G.c_dim else None)


def drawn(G, ws, *bendings, noise_mode="const"):
    with bent(G, *bendings):
        return G.synthesis(ws, noise_mode=noise_mode)


def floats(bend):
    """The parameters that may be played."""
    return [name for name, p in inspect.signature(bend).parameters.items() if p.annotation == "float" and name != "t"]


# ---- in and out


@pytest.mark.parametrize("family, name", known)
def test_the_defaults_are_the_model_bit_for_bit(family, name):
    G = tiny(family)
    ws = latents(G, count=2)
    assert not BENDS[name](G, 3.7) and torch.equal(drawn(G, ws, BENDS[name](G, 3.7)), G.synthesis(ws))


@pytest.mark.parametrize("name", BENDS)
def test_a_bend_is_called_like_all_others(name):
    first, second, *rest = inspect.signature(BENDS[name]).parameters.values()
    assert (first.name, second.name) == ("G", "t") and all(p.kind == p.KEYWORD_ONLY for p in rest)
    assert all(p.default is not p.empty and f"\n    {p.name}: " in BENDS[name].__doc__ for p in rest)


@families
def test_a_family_says_what_it_has_not_and_what_there_is(family):
    for name in set(BENDS) - set(fits[family]):
        with pytest.raises(KinesphereError, match=rf"^{family} has no .*('|leave this out)"):
            BENDS[name](tiny(family), 0.0)


STRONG = {
    "const": {"amount": 1.0, "x": 0.4, "zoom": 0.7},
    "transform": {"rotate": 2.0, "x": 0.3},
    "anchor": {"amount": 1.0},
    "warp": {"rotate": 1.0, "resolution": 8},
    "noise": {"strength": 3.0, "boil": 1.0, "add": 0.5},
}


@pytest.mark.parametrize("family, name", known)
def test_a_bend_is_seen_and_leaves_no_trace(family, name):
    G = tiny(family)
    ws = latents(G, seed=4)
    before, weights = G.synthesis(ws), copy.deepcopy(G.state_dict())
    fields = {name: set(vars(part)) for name, part in G.named_modules()}
    with pytest.raises(ZeroDivisionError), bent(G, BENDS[name](G, 0.5, **STRONG[name])):
        assert not torch.allclose(G.synthesis(ws), before, atol=1e-3)
        assert all(torch.equal(v, weights[k]) for k, v in G.state_dict().items())  # meanwhile, too
        raise ZeroDivisionError
    assert torch.equal(G.synthesis(ws), before)
    assert G.state_dict().keys() == weights.keys() and all(
        torch.equal(v, weights[k]) for k, v in G.state_dict().items()
    )
    assert {name: set(vars(part)) for name, part in G.named_modules()} == fields
    assert not any(part._forward_hooks for part in G.modules())


@families
def test_one_bend_within_another_is_both(family):
    G = tiny(family)
    ws = latents(G, seed=1)
    first, second = const(G, 0.0, amount=0.6, x=0.2), const(G, 0.0, amount=0.3, seed=9, group=1, of=2)
    third = noise(G, 0.0, add=0.2, at="middle")
    with bent(G, first), bent(G, second, third):
        nested = G.synthesis(ws)
    assert torch.equal(drawn(G, ws, first, second, third), nested)
    with bent(G, first):
        alone = G.synthesis(ws)
        with bent(G, second):
            pass
        assert torch.equal(G.synthesis(ws), alone)  # the outer one is back
    assert not torch.equal(alone, nested) and torch.equal(G.synthesis(ws), drawn(G, ws))


def test_bendings_in_one_place_act_in_the_order_given():
    G = tiny("stylegan2")
    ws = latents(G)
    twice, more = {"b8.conv1": lambda x: 2 * x}, {"b8.conv1": lambda x: x + 1}
    both = drawn(G, ws, {"b8.conv1": lambda x: 2 * x + 1})
    torch.testing.assert_close(drawn(G, ws, twice, more), both)
    assert not torch.allclose(drawn(G, ws, more, twice), both)


@families
def test_every_layer_every_part_and_every_tensor_is_a_place(family):
    G = tiny(family)
    ws = latents(G)
    before = G.synthesis(ws)
    parts = [name for name, part in G.synthesis.named_modules() if name]
    for place in [*G.layers(), *parts, *dict(G.synthesis.named_parameters()), *dict(G.synthesis.named_buffers())]:
        assert torch.equal(drawn(G, ws, {place: lambda x: x.clone()}), before), place
    for place in ("b4.konst", "b8.conv1.weights", "L99", "b8.conv1.weight.data", "input..freqs"):
        with (
            pytest.raises(KinesphereError, match=f"no place '{place}' in this {family}: its layers are"),
            bent(G, {place: lambda x: x}),
        ):
            pass
    assert not any(part._forward_hooks for part in G.modules())


def test_a_misspelt_place_undoes_what_was_done_before_it():
    G = tiny("stylegan2")
    ws = latents(G)
    before = G.synthesis(ws)
    with pytest.raises(KinesphereError), bent(G, const(G, 0.0, amount=1.0), {"b5.conv9": lambda x: x}):
        pass
    assert torch.equal(G.synthesis(ws), before)


@pytest.mark.parametrize("family, name", known)
def test_a_batch_is_its_pictures_one_by_one_also_without_gradients(family, name):
    G = tiny(family)
    ws, bending = latents(G, count=3), BENDS[name](G, 0.5, **STRONG[name])
    whole = drawn(G, ws, bending)
    torch.testing.assert_close(whole[1:2], drawn(G, ws[1:2], bending), atol=1e-4, rtol=1e-3)
    with torch.inference_mode():
        torch.testing.assert_close(drawn(G, ws, BENDS[name](G, 0.5, **STRONG[name])), whole)


@pytest.mark.parametrize("family, name", known)
def test_gradients_flow_through_also_after_a_performance(family, name):
    """What was kept from one moment to the next in inference mode is of use to who wants gradients."""
    G = tiny_generator(family)
    ws = latents(G).detach().requires_grad_()
    for _ in range(2):
        with torch.inference_mode():
            drawn(G, ws, BENDS[name](G, 0.5, **STRONG[name]))
        drawn(G, ws, BENDS[name](G, 0.5, **STRONG[name])).square().sum().backward()
    assert ws.grad.isfinite().all() and ws.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_bent_like_the_whole(dtype):
    G = fresh("stylegan2")
    ws = latents(G)
    bendings = [const(G, 0.0, amount=0.4), warp(G, 0.0, rotate=0.4, resolution=8), noise(G, 0.0, add=0.1, strength=2.0)]
    whole = drawn(G, ws, *bendings)
    set_precision(G, dtype)
    seen = {}
    with bent(G, *bendings, {"b16.conv1": lambda x: seen.update(dtype=x.dtype, x=x) or x * 1e9}):
        assert G.synthesis(ws).isfinite().all() or dtype == torch.bfloat16  # float16 is held to what it can hold
    half = drawn(G, ws, *bendings)
    assert seen["dtype"] == dtype and half.dtype == torch.float32
    assert (half - whole).square().mean() < 1e-3 * whole.var()


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last], ids=str)
def test_what_is_bent_keeps_its_memory_format(form):
    G, seen = tiny("stylegan2"), []
    given = {"b8.conv1": lambda x: x.contiguous(memory_format=form)}
    drawn(G, latents(G), given, {"b8.conv1": lambda x: seen.append(x.stride()) or x.contiguous() * 1})
    drawn(
        G,
        latents(G),
        given,
        {"b8.conv1": lambda x: x.contiguous() * 1},
        {"b8.conv1": lambda x: seen.append(x.stride()) or x},
    )
    assert seen[0] == seen[1]


def test_another_thread_with_another_generator_is_not_touched():
    G, other = tiny_generator("stylegan2"), tiny_generator("stylegan2")
    ws = latents(other).detach()
    before, inside, done = other.synthesis(ws).detach(), threading.Event(), threading.Event()

    def hold():
        with bent(G, const(G, 0.0, amount=1.0), noise(G, 0.0, add=1.0)):
            inside.set()
            done.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(30)
    after = other.synthesis(ws).detach()
    done.set()
    thread.join()
    assert torch.equal(after, before)


# ---- wandering


def test_a_walk_is_normal_at_every_moment_and_unrelated_after_a_wander():
    start = walk(3, "x", (40000,), 0.0, 4.0)
    for t in (0.0, 1.3, 4.0, 1e5):
        now = walk(3, "x", (40000,), t, 4.0)
        assert abs(now.mean()) < 0.02 and abs(now.std() - 1) < 0.02 and abs((now**4).mean() - 3) < 0.2
    for t in (4.0, -4.0):
        assert abs((start * walk(3, "x", (40000,), t, 4.0)).mean()) < 0.02
    near = walk(3, "x", (40000,), 0.04, 4.0)
    assert (start * near).mean() > 0.99 and (near - start).std() < 0.05


def test_a_walk_is_a_closed_form_of_its_time():
    """The same moment whatever came before, twice the wander is half the speed, and another seed or name is another walk."""
    a = walk(3, "x", (50,), 1.7, 2.0)
    walk(3, "x", (50,), 99.0, 2.0)
    assert torch.equal(walk(3, "x", (50,), 1.7, 2.0), a)
    torch.testing.assert_close(walk(3, "x", (50,), 3.4, 4.0), a)
    assert not torch.allclose(walk(4, "x", (50,), 1.7, 2.0), a) and not torch.allclose(walk(3, "y", (50,), 1.7, 2.0), a)
    with pytest.raises(KinesphereError, match="seed -1 is out of range"):
        walk(-1, "x", (2,), 0.0, 1.0)


def test_a_walk_has_no_fast_parts():
    """Band-limited: nothing swings faster than 0.39 times in a wander."""
    n = torch.stack([walk(0, "x", (8,), t / 10, 1.0) for t in range(4096)])
    power = np.abs(np.fft.rfft(n.numpy() * np.hanning(4096)[:, None], axis=0)) ** 2
    swings = np.fft.rfftfreq(4096, 0.1)  # in a wander
    assert power[swings > 0.41].sum() < 1e-5 * power.sum() and power[swings < 0.09].sum() < 1e-5 * power.sum()


# ---- the constant


def constant(G, **settings):
    t = settings.pop("t", 0.0)
    with bent(G, const(G, t, **settings)):
        return G.synthesis.b4.const.clone()  # [C, 4, 4]


@pytest.mark.parametrize("among", ["copies", "noise"])
@pytest.mark.parametrize("family", ["stylegan1", "stylegan2"])
def test_each_channel_of_the_constant_stays_in_its_range(family, among):
    G = fresh(family)
    c = G.synthesis.b4.const
    low, high = c.amin((1, 2), keepdim=True), c.amax((1, 2), keepdim=True)
    for amount, t in itertools.product((0.3, 1.0, 1e9), (0.0, 5.0)):
        made = constant(G, amount=amount, among=among, t=t, zoom=0.6, rotate=1.0, x=0.3)
        assert (made >= low).all() and (made <= high).all() and not torch.allclose(made, c, atol=0.1)
    assert torch.equal(constant(G, amount=7.0, among=among), constant(G, amount=1.0, among=among))
    assert torch.equal(constant(G, amount=-2.0, among=among), c)


@pytest.mark.parametrize("among", ["copies", "noise"])
def test_the_constant_keeps_its_mean_and_nearly_its_power_while_it_wanders(among):
    G = StyleGAN2(img_resolution=8, channels=[256, 8], z_dim=4, w_dim=4, mapping_layers=1).requires_grad_(False)
    c = G.synthesis.b4.const
    for t in range(6):
        made = constant(G, amount=1.0, among=among, t=float(t))
        assert 0.75 < (made.var((1, 2)) / c.var((1, 2))).mean() < 1.05
        assert abs((made - c).mean()) < 0.02
        assert abs(torch.corrcoef(torch.stack([made.flatten(), c.flatten()]))[0, 1]) < 0.2
    steps = [constant(G, amount=1.0, among=among, wander=1.0, t=t / 100) for t in range(30)]
    assert max((b - a).abs().mean() for a, b in itertools.pairwise(steps)) < 0.05 * c.std()


def test_copies_are_the_constant_at_other_places():
    """At full sharpness one copy is left: the constant, rolled by whole pixels."""
    G = tiny("stylegan2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinesphere.bends.constant.SHARPNESS", 1e4)
        for t in range(5):
            made = constant(G, amount=1.0, t=float(t))
            rolled = [torch.roll(G.synthesis.b4.const, move, (1, 2)) for move in itertools.product(range(4), repeat=2)]
            distances = [float((made - r).abs().max()) for r in rolled]
            assert min(distances) < 1e-4 and distances[0] > 0.1


@pytest.mark.parametrize("x, y", [(0.5, 0.0), (0.0, 0.5), (-1.0, 0.5), (1.5, -0.5), (2.0, 0.0)])
def test_the_constant_rolls_round_its_borders(x, y):
    """Half a picture width is 2 of its 4 pixels: right, and up."""
    c = tiny("stylegan2").synthesis.b4.const
    torch.testing.assert_close(
        constant(tiny("stylegan2"), x=x, y=y), torch.roll(c, (round(-2 * y), round(2 * x)), (1, 2))
    )


def test_the_constant_turns_counter_clockwise():
    c = tiny("stylegan2").synthesis.b4.const
    torch.testing.assert_close(constant(tiny("stylegan2"), rotate=math.pi / 2), torch.rot90(c, 1, (1, 2)))
    torch.testing.assert_close(constant(tiny("stylegan2"), rotate=-math.pi / 2), torch.rot90(c, -1, (1, 2)))


def test_a_channel_group_is_bent_and_the_others_are_not():
    G = tiny("stylegan2")
    c, parts = G.synthesis.b4.const, []
    for group in range(5):
        changed = (constant(G, amount=1.0, x=0.3, group=group, of=5) != c).any(2).any(1)
        parts.append(changed)
    assert torch.stack(parts).sum(0).eq(1).all() and {int(p.sum()) for p in parts} == {2, 3}
    for group, of in ((5, 5), (-1, 2), (0, 0), (0, 13)):
        with pytest.raises(KinesphereError, match=f"no group {group} of {of}: 12 channels"):
            const(G, 0.0, group=group, of=of)


def test_stylegan3_has_waves_in_place_of_a_constant():
    """They move together as the picture does, and each by itself by less than half a wave, mostly."""
    G = fresh("stylegan3")
    G.synthesis.input.transform.copy_(torch.eye(3))
    G.synthesis.input.affine.weight.zero_()
    ws, motion = latents(G), {"rotate": 0.7, "x": 0.3, "y": -0.2, "zoom": 1.3}
    G.synthesis.input.affine.bias.copy_(torch.eye(4)[0])
    torch.testing.assert_close(
        drawn(G, ws, const(G, 0, **motion)), drawn(G, ws, transform(G, 0, **motion)), atol=1e-4, rtol=1e-3
    )
    twice = drawn(G, ws, const(G, 0, rotate=0.4), const(G, 0, x=0.3))
    torch.testing.assert_close(
        twice, drawn(G, ws, transform(G, 0, rotate=0.4), transform(G, 0, x=0.3)), atol=1e-4, rtol=1e-3
    )
    with bent(G, const(G, 2.0, amount=1.0, group=0, of=2)):
        moved = G.synthesis.input.phases - tiny_generator("stylegan3").synthesis.input.phases
    assert (moved[:6].abs() > 0).all() and not moved[6:].any() and 0.2 < moved[:6].std() < 1.0


# ---- the input transform


def resampled(img, motion):
    """[C, H, W], by scipy's splines of order 5."""
    flip = np.array([[0.0, 1.0], [1.0, 0.0]])  # scipy counts rows first
    angle, size = motion.rotate, img.shape[-1]
    middle = (size - 1) / 2
    forth = flip @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ flip * motion.zoom
    back = np.linalg.inv(forth)
    shift = np.array([-motion.y, motion.x]) * size / 2
    offset = middle - back @ (shift + middle)
    return np.stack([ndimage.affine_transform(channel, back, offset, order=5, mode="reflect") for channel in img])


def psnr(made, wanted, radius):
    """Within a circle, in dB. The peak is how far the channels range there (RMS), so that a flat picture does not look good."""
    rows = np.arange(wanted.shape[-1]) - (wanted.shape[-1] - 1) / 2
    inside = np.hypot(rows, rows[:, None]) < radius
    made, wanted = made[:, inside], wanted[:, inside]
    peak = np.square(np.ptp(wanted, axis=1)).mean()
    return 10 * np.log10(peak / np.square(made - wanted).mean())


def compared(name, seed, radius, motion):
    """(dB against the still picture resampled, dB against the still picture)."""
    G = fixture(name)
    ws = latents(G, seed)
    still = G.synthesis(ws)[0].double().numpy()
    made = drawn(G, ws, transform(G, 0.0, rotate=motion.rotate, x=motion.x, y=motion.y, zoom=motion.zoom))
    made = made[0].double().numpy()
    return psnr(made, resampled(still, motion), radius), psnr(made, still, radius)


@pytest.mark.parametrize("angle", [0.1, 0.5, math.pi / 4, math.pi / 2, 2.5, math.pi, -1.0])
def test_a_turn_by_an_angle_turns_the_picture_of_config_r_by_it(angle):
    for seed in range(3):
        turned, unturned = compared("sg3r_64", seed, 28, Motion(rotate=angle))
        assert turned > 50 > 30 > unturned


@pytest.mark.parametrize("angle", [0.1, 0.5])
def test_config_t_turns_its_picture_too_and_redraws_it(angle):
    """It was made to move and not to turn: nearer to the turned picture than to the still one, and not the same."""
    turned, unturned = zip(*(compared("sg3t_64", seed, 28, Motion(rotate=angle)) for seed in range(4)), strict=True)
    assert np.mean(turned) > np.mean(unturned) + 4 and min(turned) > 15


@pytest.mark.parametrize("x, y", [(0.125, 0.0), (0.0, 0.125), (-0.25, 0.0), (0.11, -0.07)])
@pytest.mark.parametrize("name", ["sg3r_64", "sg3t_64"])
def test_a_shift_moves_the_picture_by_it(name, x, y):
    """Right and up, by pixels and parts of pixels; within a margin, as the borders show what was outside."""
    moved_to, unmoved = compared(name, 0, 20, Motion(x=x, y=y))
    assert moved_to > 50 and moved_to > unmoved + 20


@pytest.mark.parametrize("name", ["sg3r_64", "sg3t_64"])
def test_a_zoom_enlarges_what_the_model_draws_from(name):
    """Exactly, where no wave is lost; the picture follows by as much as the model lets it, and draws its details anew."""
    G, given = fixture(name), {}
    ws, motion = latents(G), Motion(zoom=1.5)
    drawn(G, ws, {"input": lambda x: given.setdefault("still", x)})
    drawn(G, ws, transform(G, 0.0, zoom=1.5), {"input": lambda x: given.setdefault("zoomed", x)})
    still, zoomed = (given[name][0].double().numpy() for name in ("still", "zoomed"))
    assert psnr(zoomed, resampled(still, motion), 0.35 * len(still[0])) > 60
    larger, as_it_was = compared(name, 0, 18, Motion(zoom=1.1))
    assert larger > 23 and larger > as_it_was


def test_all_motions_at_once_are_zoomed_then_turned_then_moved():
    together, still = compared("sg3r_64", 0, 18, Motion(0.4, 0.1, -0.05))
    assert together > 50 > 30 > still
    G = fixture("sg3r_64")
    ws, motion = latents(G), {"zoom": 1.3, "rotate": 0.4, "x": 0.3, "y": -0.2}
    apart = drawn(G, ws, *(transform(G, 0.0, **{name: value}) for name, value in motion.items()))
    torch.testing.assert_close(drawn(G, ws, transform(G, 0.0, **motion)), apart, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["sg3r_64", "sg3t_64"])
def test_there_is_no_spin_where_angles_wrap(name):
    G = fixture(name)
    ws = latents(G)
    e = 1e-3
    before, after = (drawn(G, ws, transform(G, 0.0, rotate=a)) for a in (math.pi - e, -math.pi + e))
    assert (before - after).abs().mean() < 0.01 * before.std()
    assert not transform(G, 0.0, rotate=2 * math.pi)
    torch.testing.assert_close(
        drawn(G, ws, transform(G, 0.0, rotate=0.3 + 200 * math.pi)),
        drawn(G, ws, transform(G, 0.0, rotate=0.3)),
        atol=1e-4,
        rtol=0,
    )


def test_moving_it_right_moves_it_right_however_it_is_turned():
    """The original's picture went up when it was told to go right and had been turned by a quarter."""
    G = fixture("sg3r_64")
    ws = latents(G)
    turned = drawn(G, ws, transform(G, 0.0, rotate=math.pi / 2))
    both = drawn(G, ws, transform(G, 0.0, rotate=math.pi / 2, x=8 * 2 / SIZE))
    torch.testing.assert_close(both[..., 16:48, 24:56], turned[..., 16:48, 16:48], atol=1e-4, rtol=0)


# ---- the anchor


@pytest.mark.parametrize("to", ["mean", "middle"])
def test_anchored_every_latent_is_placed_alike(to):
    G = fixture("sg3t_64")
    ws = latents(G, count=4)
    placings = {}
    for amount in (0.0, 0.5, 1.0):
        with bent(
            G, anchor(G, 0.0, amount=amount, to=to), {"input.affine": lambda t, a=amount: placings.setdefault(a, t)}
        ):
            G.synthesis(ws)
    free, half, still = ((p / p[:, :2].norm(dim=1, keepdim=True)).numpy() for p in placings.values())
    there = np.array([[1, 0, 0, 0]]) if to == "middle" else G.synthesis.input.affine(G.w_avg[None]).numpy()
    np.testing.assert_allclose(still, np.broadcast_to(there / np.hypot(*there[0, :2]), (4, 4)), atol=1e-6)
    assert len(np.unique(still, axis=0)) == 1 and np.ptp(free, axis=0).min() > 0.01
    np.testing.assert_allclose(half[:, 2:], (free[:, 2:] + still[:, 2:]) / 2, atol=1e-6)
    angle = lambda p: np.arctan2(p[:, 1], p[:, 0])  # noqa: E731
    np.testing.assert_allclose(angle(half), (angle(free) + angle(still)) / 2, atol=1e-5)


def test_the_anchor_has_no_seam_where_angles_wrap():
    G = fresh("stylegan3")
    affine = G.synthesis.input.affine
    bend = anchor(G, 0.0, amount=0.4, to="middle")["input.affine"]
    angles = torch.linspace(-math.pi, math.pi, 721)[:-1]
    placed = bend(torch.stack([angles.cos(), angles.sin(), angles * 0, angles * 0], 1) * 3)
    around = torch.cat([placed, placed[:1]])
    assert (around[1:] - around[:-1]).norm(dim=1).max() < 0.05
    opposite = anchor(G, 0.0, amount=0.5, to="middle")["input.affine"](torch.tensor([[-2.0, 0, 0, 0]]))
    torch.testing.assert_close(opposite, torch.tensor([[1.0, 0, 0, 0]]))
    assert affine.weight.shape == (4, 12)


# ---- the warp


@pytest.mark.parametrize("edge", ["wrap", "mirror"])
def test_what_is_moved_is_where_scipy_has_it(edge):
    x = torch.from_numpy(ndimage.gaussian_filter(np.random.RandomState(0).randn(2, SIZE, SIZE), (0, 4, 4))).float()
    motion = Motion(0.6, 0.2, -0.1, 1.2)
    made = moved(x[None], motion, edge)[0].double().numpy()
    assert psnr(made, resampled(x.double().numpy(), motion), 25) > 45


@pytest.mark.parametrize("name", ["sg2ada_skip64", "sg2ada_resnet64", "sg2ada_map2_32", "tf_sg1_128"])
def test_a_warp_of_the_last_block_turns_the_picture_itself(name):
    """A quarter is exact for a grid of pixels; activations and the picture so far turn together."""
    G = fixture(name)
    ws = latents(G)
    still = G.synthesis(ws)
    made = drawn(G, ws, warp(G, 0.0, rotate=math.pi / 2, resolution=G.img_resolution))
    if name == "tf_sg1_128" or G.config["architecture"] == "skip":
        torch.testing.assert_close(made, torch.rot90(still, 1, (2, 3)), atol=2e-4, rtol=1e-3)
    first = drawn(G, ws, warp(G, 0.0, rotate=math.pi / 2, resolution=8))
    assert not torch.allclose(first, made, atol=1e-2) and not torch.allclose(first, still, atol=1e-2)


def test_a_resolution_that_is_not_there_is_named():
    with pytest.raises(KinesphereError, match="no resolution 12 in this stylegan2: it has 4, 8, 16, 32"):
        warp(tiny("stylegan2"), 0.0, resolution=12)


# ---- the noise


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2"])
def test_no_strength_is_no_noise_and_twice_is_twice(family):
    G = fresh(family)
    ws = latents(G)
    gone = G.synthesis(ws, noise_mode="none")
    torch.testing.assert_close(drawn(G, ws, noise(G, 0.0, strength=0.0)), gone, atol=1e-5, rtol=1e-5)
    louder = copy.deepcopy(G)
    for name, p in louder.named_parameters():
        if name.endswith("noise_strength"):
            p.mul_(2)
    assert torch.equal(drawn(G, ws, noise(G, 0.0, strength=2.0)), louder.synthesis(ws))
    torch.testing.assert_close(drawn(G, ws, noise(G, 0.0, strength=-3.0)), gone, atol=1e-5, rtol=1e-5)


def test_boiling_noise_is_as_loud_as_still_noise_and_does_not_flicker():
    G = tiny("stylegan2")
    stored = G.synthesis.b32.conv1.noise_const

    def at(t, boil=1.0):
        with bent(G, noise(G, t, boil=boil, wander=1.0)):
            return G.synthesis.b32.conv1.noise_const.clone()

    for t, boil in itertools.product((0.0, 0.7, 30.0), (0.3, 0.7, 1.0)):
        assert 0.9 < at(t, boil).std() / stored.std() < 1.1
    assert torch.equal(at(0.7), at(0.7)) and (at(0.70) - at(0.71)).std() < 0.03
    frames = [at(i / 60) for i in range(60)]
    assert max((b - a).std() for a, b in itertools.pairwise(frames)) < 0.05
    assert abs(torch.corrcoef(torch.stack([frames[0].flatten(), at(1.0).flatten()]))[0, 1]) < 0.1


def test_added_noise_is_measured_in_deviations_of_the_layer():
    G = tiny("stylegan2")
    ws, seen = latents(G, count=2), {}
    keep = lambda name: lambda x: seen.setdefault(name, x)  # noqa: E731
    drawn(G, ws, {"b16.conv1": keep("without")})
    drawn(G, ws, noise(G, 0.0, add=0.5, at="b16.conv1"), {"b16.conv1": keep("with")})
    more = seen["with"] - seen["without"]
    torch.testing.assert_close(more, more[:, :1].expand_as(more), atol=1e-5, rtol=1e-3)  # one map for all channels
    ratio = more[:, 0].std((1, 2)) / seen["without"].std((1, 2, 3))
    assert (ratio - 0.5).abs().max() < 0.06


@pytest.mark.parametrize(
    "family, at, layers",
    [
        ("stylegan2", "coarse", "b4.conv1 b8.conv0 b8.conv1"),
        ("stylegan2", "b16", "b16.conv0 b16.conv1"),
        ("stylegan2", "fine", ""),
        ("stylegan1", "coarse", "b4.conv0 b4.conv1 b8.conv0 b8.conv1"),
        ("stylegan1", "b16.conv1", "b16.conv1"),
        ("stylegan3", "L3", "L3"),
        ("stylegan3", "all", "L0 L1 L2 L3 L4 L5"),
    ],
)
def test_noise_goes_where_it_is_sent(family, at, layers):
    assert list(noise(tiny(family), 0.0, add=0.1, at=at)) == layers.split()


def test_layers_that_are_not_there_are_named():
    with pytest.raises(
        KinesphereError, match="no layers 'b64': there are the bands all, coarse, middle, fine, and b4.conv1"
    ):
        noise(tiny("stylegan2"), 0.0, at="b64")


def test_a_model_without_noise_can_be_given_some():
    G = StyleGAN2(img_resolution=16, channels=[8, 8, 8], z_dim=8, w_dim=8, mapping_layers=1, use_noise=False).eval()
    ws = latents(G)
    assert not noise(G, 0.0, strength=5.0, boil=1.0)
    assert not torch.allclose(drawn(G, ws, noise(G, 0.0, add=0.3)), G.synthesis(ws), atol=1e-3)


# ---- anything


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.floats(-4, 4)


@settings(max_examples=60)
@given(st.data())
def test_any_finite_numbers_make_a_picture_and_leave_no_trace(data):
    family = data.draw(st.sampled_from(sorted(FAMILIES)))
    G = tiny(family)
    names = data.draw(st.lists(st.sampled_from(fits[family]), min_size=1, max_size=4))
    bendings = []
    for name in names:
        numbers = {p: data.draw(NUMBERS, p) for p in floats(BENDS[name])}
        if name == "const":
            numbers |= {
                "edge": data.draw(st.sampled_from(["wrap", "mirror"])),
                "among": data.draw(st.sampled_from(["copies", "noise"])),
            }
        bendings.append(
            BENDS[name](G, data.draw(NUMBERS, "t"), seed=3, **numbers)
            if "seed" in inspect.signature(BENDS[name]).parameters
            else BENDS[name](G, data.draw(NUMBERS, "t"), **numbers)
        )
    weights = {k: v.clone() for k, v in G.state_dict().items()}
    with torch.inference_mode():
        img = drawn(G, latents(G), *bendings)
    assert img.isfinite().all()
    assert all(torch.equal(v, weights[k]) for k, v in G.state_dict().items())
    assert not any(part._forward_hooks for part in G.modules())


def test_unequal_sides_and_odd_waves_are_no_matter():
    """The constant of a model for wide pictures, and a StyleGAN3 with few waves."""
    G = StyleGAN2(img_resolution=8, channels=[6, 6], z_dim=4, w_dim=4, mapping_layers=1).requires_grad_(False)
    G.synthesis.b4.const = torch.nn.Parameter(torch.randn(6, 4, 6), requires_grad=False)
    torch.testing.assert_close(constant(G, x=1 / 3), torch.roll(G.synthesis.b4.const, 1, 2))
    assert constant(G, amount=1.0).shape == (6, 4, 6)
    small = StyleGAN3(img_resolution=16, channel_max=3, num_layers=4, z_dim=4, w_dim=4).eval()
    assert drawn(small, latents(small), const(small, 0.0, amount=1.0, group=2, of=3)).isfinite().all()
