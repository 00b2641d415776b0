"""A seed gives the picture that it gives everywhere; paths hit their keys; loops have no seam; nothing keeps a hidden state."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline
from scipy.stats import kstest
from torch import Tensor
from torch.testing import assert_close

from kinesphere.latent import (
    EASINGS,
    KINDS,
    Path,
    blend,
    cluster,
    drift,
    drift_speed,
    drift_weights,
    ease,
    frame_times,
    great_circle,
    lerp,
    mix,
    mixing_desk,
    near,
    nearest,
    parse_seeds,
    psi_grid,
    pulse,
    radius,
    row_numbers,
    sample_w,
    seed_to_z,
    seeds_to_z,
    slerp,
    stagger,
    statistics,
    truncate,
)
from kinesphere.types import KinesphereError

many = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)
psis = st.floats(-3, 3, width=32)

NUM_WS, W_DIM = 10, 16


def mapping(z: Tensor) -> Tensor:
    """A tiny mapping network: normalises z, as all of them do, and bends it into a lopsided W. z [N, D] -> ws [N, 10, 16]."""
    random = np.random.RandomState(7)
    first = torch.from_numpy(random.randn(z.shape[1], 32) / np.sqrt(z.shape[1])).float()
    second = torch.from_numpy(random.randn(32, W_DIM) / np.sqrt(32)).float()
    z = z * z.square().mean(1, keepdim=True).add(1e-8).rsqrt()
    w = torch.nn.functional.leaky_relu(z @ first, 0.2) @ second
    return w[:, None].repeat(1, NUM_WS, 1)


def synthesis(ws: Tensor) -> Tensor:
    """A tiny synthesis whose picture depends on every row. ws [N, 10, 16] -> img [N, 48]."""
    weight = torch.from_numpy(np.random.RandomState(8).randn(NUM_WS * W_DIM, 48)).float()
    return torch.tanh(ws.flatten(1) @ weight)


def some_ws(seed: int, count: int = 3) -> Tensor:
    return torch.randn(count, NUM_WS, W_DIM, generator=torch.Generator().manual_seed(seed))


def normalised(v: Tensor) -> Tensor:
    return v / v.norm(dim=-1, keepdim=True)


# ---- seeds


@pytest.mark.parametrize(
    ("seed", "begins"),
    [(0, [1.76405235, 0.40015721, 0.97873798]), (42, [0.49671415, -0.1382643, 0.64768854])],  # numpy's, known to all
)
def test_a_seed_names_the_latent_that_it_names_everywhere(seed: int, begins: list[float]) -> None:
    z = seed_to_z(seed, 512)
    assert z.shape == (1, 512) and z.dtype == torch.float32
    assert_close(z[0, :3], torch.tensor(begins))


@many
@given(st.lists(seeds, max_size=4))
def test_many_seeds_are_one_row_each(numbers: list[int]) -> None:
    z = seeds_to_z(numbers, 5)
    assert z.shape == (len(numbers), 5)
    for row, seed in zip(z, numbers, strict=True):
        assert np.array_equal(row.numpy(), np.random.RandomState(seed).randn(1, 5)[0].astype(np.float32))


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None])
def test_an_impossible_seed_is_refused_in_words(seed: object) -> None:
    with pytest.raises(KinesphereError, match=f"seed .*{seed}.* 0 to 4294967295"):
        seed_to_z(seed, 8)  # type: ignore[arg-type]


def test_nothing_touches_the_global_random_state() -> None:
    before, torch_before = str(np.random.get_state(legacy=False)), torch.get_rng_state()
    seed_to_z(1, 8)
    drift(1, 8, 0.3)
    sample_w(mapping, 8, count=4)
    assert str(np.random.get_state(legacy=False)) == before and torch.equal(torch_before, torch.get_rng_state())


def test_seeds_are_read_as_people_write_them() -> None:
    assert parse_seeds("0-3,7,10-12") == [0, 1, 2, 3, 7, 10, 11, 12]
    assert parse_seeds(" 7 , 3 - 4 ,7 ") == [7, 3, 4, 7]
    assert parse_seeds("4294967295") == [4294967295]


@many
@given(st.lists(seeds, min_size=1))
def test_seeds_joined_by_commas_come_back(numbers: list[int]) -> None:
    assert parse_seeds(",".join(map(str, numbers))) == numbers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no seed ''"),
        ("1,,2", "no seed ''"),
        ("1,two", "no seed 'two'"),
        ("-3", "no seed '-3'"),
        ("1-", "no seed '1-'"),
        ("1-2-3", "no seed '1-2-3'"),
        ("1.5", "no seed '1.5'"),
        ("²", "no seed '²'"),
        ("5-3", "backwards: write 3-5"),
        ("4294967296", "seed 4294967296 is out of range"),
        ("0-4000000000", "more than 1000000 seeds"),
        ("0-999999,3", "more than 1000000 seeds"),
    ],
)
def test_a_slip_in_the_seeds_is_named(text: str, says: str) -> None:
    with pytest.raises(KinesphereError, match=re.escape(says)):
        parse_seeds(text)


# ---- truncation


@many
@given(psis, seeds)
def test_truncation_is_the_plain_affine_map_for_every_psi(psi: float, seed: int) -> None:
    w, centre = seeds_to_z([seed, 1], W_DIM), seed_to_z(2, W_DIM)[0]
    expected = centre.double() + psi * (w.double() - centre.double())
    assert_close(truncate(w, centre, psi).double(), expected, rtol=1e-5, atol=1e-5)
    assert_close(truncate(w, centre, psi) + truncate(w, centre, -psi), (2 * centre).expand(2, -1), rtol=1e-5, atol=1e-5)


@many
@given(seeds)
def test_psi_1_leaves_the_latent_alone_and_psi_0_is_the_centre_bit_for_bit(seed: int) -> None:
    ws, w_avg = mapping(seed_to_z(seed, 32)) * 1e3, seed_to_z(0, W_DIM)[0]
    assert torch.equal(truncate(ws, w_avg, 1), ws)
    assert torch.equal(truncate(ws, w_avg, 0), w_avg.expand_as(ws))


def test_psi_0_renders_the_mean_picture_whatever_the_seed() -> None:
    w_avg = mapping(seeds_to_z(range(100), 32)).mean((0, 1))
    mean_picture = synthesis(w_avg.expand(1, NUM_WS, -1))
    for seed in range(5):
        assert torch.equal(synthesis(truncate(mapping(seed_to_z(seed, 32)), w_avg, 0)), mean_picture)


def test_psi_above_1_is_not_ignored() -> None:
    ws, w_avg = some_ws(0), torch.zeros(W_DIM)
    assert_close(truncate(ws, w_avg, 1.5), 1.5 * ws)


def test_every_row_may_have_its_own_psi_and_every_sample_too() -> None:
    ws, w_avg = some_ws(0), some_ws(1)[0, 0]
    by_row = truncate(ws, w_avg, psi_grid(NUM_WS))
    for row, psi in enumerate(psi_grid(NUM_WS)):
        assert torch.equal(by_row[:, row], truncate(ws[:, row], w_avg, psi))
    by_sample = truncate(ws, w_avg, torch.tensor([[0.0], [0.5], [1.0]]))
    for n, psi in enumerate([0.0, 0.5, 1.0]):
        assert torch.equal(by_sample[n], truncate(ws[n], w_avg, psi))


@many
@given(psis, st.integers(0, 12))
def test_the_cutoff_leaves_the_other_rows_as_they_were(psi: float, cutoff: int) -> None:
    ws, w_avg = some_ws(0), some_ws(1)[0, 0]
    cut = truncate(ws, w_avg, psi, cutoff)
    assert torch.equal(cut[:, cutoff:], ws[:, cutoff:])
    assert torch.equal(cut[:, :cutoff], truncate(ws, w_avg, psi)[:, :cutoff])


def test_a_cutoff_without_rows_is_refused() -> None:
    with pytest.raises(KinesphereError, match=r"truncation_cutoff 4 needs rows: .* not \[3, 16\]"):
        truncate(some_ws(0)[:, 0], torch.zeros(W_DIM), 0.5, cutoff=4)


def test_the_centre_may_be_any_latent_of_any_form() -> None:
    ws, other = some_ws(0), some_ws(1)
    for centre in (other[0, 0], other[0], other[:, :1], other):
        assert_close(truncate(ws, centre, 0.25), centre + 0.25 * (ws - centre))


def test_truncation_towards_the_nearest_of_many_centres_never_changes_which_is_nearest() -> None:
    centres = torch.tensor([[6.0, 0.0], [0.0, 6.0], [-6.0, -6.0]])
    w = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * 4
    nearest = torch.cdist(w, centres).argmin(1)
    for psi in (0.0, 0.3, 0.9):
        assert torch.equal(torch.cdist(truncate(w, centres[nearest], psi), centres).argmin(1), nearest)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_of_the_latent_stays(dtype: torch.dtype) -> None:
    ws, w_avg = some_ws(0).to(dtype), torch.zeros(W_DIM)
    assert truncate(ws, w_avg, 0.7, 4).dtype == dtype
    assert mix(ws, ws, [1], 0.5).dtype == dtype
    assert mixing_desk([ws, ws], [0.5, 0.5], w_avg).dtype == dtype
    assert Path(ws)(0.5).dtype == dtype


def test_the_psi_grid_holds_the_mean_and_the_untouched_picture_exactly() -> None:
    grid = psi_grid(25)
    assert grid.shape == (25,) and grid[0] == -0.5 and grid[6] == 0 and grid[18] == 1 and grid[24] == 1.5
    assert np.allclose(grid, np.linspace(-0.5, 1.5, 25))


def test_a_pulse_breathes_from_low_to_high_and_back() -> None:
    assert pulse(0.0, 0.4, 1.2, frequency=0.5) == 0.4
    assert pulse(1.0, 0.4, 1.2, frequency=0.5) == pytest.approx(1.2)
    t = np.linspace(0, 10, 101)
    closed_form = 0.8 + 0.4 * -np.cos(2 * np.pi * 0.5 * t)  # (a + b) / 2 + (a - b) / 2 cos 2 pi f t
    assert np.allclose(pulse(t, 0.4, 1.2, 0.5), closed_form)
    assert pulse(0.0, 0, 1, 1, phase=np.array([[0, 0.25], [0.5, 0.75]])) == pytest.approx(
        np.array([[0, 0.5], [1, 0.5]])
    )


# ---- mixing


def test_all_rows_of_b_are_b_and_none_is_a() -> None:
    a, b = some_ws(0), some_ws(1) * 100
    assert torch.equal(mix(a, b), b)
    assert torch.equal(mix(a, b, rows=[]), a)
    assert torch.equal(mix(a, b, amount=0), a)


@many
@given(st.sets(st.integers(0, NUM_WS - 1)), st.floats(-1, 2, width=32))
def test_only_the_chosen_rows_are_touched(rows: set[int], amount: float) -> None:
    a, b = some_ws(0), some_ws(1)
    mixed = mix(a, b, rows, amount)
    others = sorted(set(range(NUM_WS)) - rows)
    assert torch.equal(mixed[:, others], a[:, others])
    chosen = sorted(rows)
    assert_close(mixed[:, chosen], (1 - amount) * a[:, chosen] + amount * b[:, chosen])


def test_a_band_is_a_slice_and_soft_weights_are_one_per_row() -> None:
    a, b = some_ws(0), some_ws(1)
    assert torch.equal(mix(a, b, slice(4, 8)), torch.cat([a[:, :4], b[:, 4:8], a[:, 8:]], 1))
    soft = torch.linspace(0, 1, NUM_WS)
    assert_close(mix(a, b, amount=soft), a + soft[:, None] * (b - a))


def test_a_row_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(KinesphereError, match="no row 17: this model has rows 0 to 9"):
        mix(some_ws(0), some_ws(1), [3, 17])
    assert row_numbers(slice(6, None), NUM_WS) == [6, 7, 8, 9]


def test_latents_of_different_models_do_not_mix() -> None:
    with pytest.raises(KinesphereError, match=r"one model .* \[6, 16\], \[10, 16\]"):
        mix(some_ws(0), some_ws(1)[:, :6])
    with pytest.raises(KinesphereError, match="one model"):
        mixing_desk([some_ws(0), some_ws(1)[..., :8]], [0.5, 0.5], torch.zeros(W_DIM))


def test_one_fader_alone_is_that_source_and_none_is_the_centre() -> None:
    sources, w_avg = [some_ws(s) for s in range(4)], some_ws(9)[0, 0]
    for s, source in enumerate(sources):
        assert torch.equal(mixing_desk(sources, np.eye(4)[s], w_avg), source)
    assert torch.equal(mixing_desk(sources, [0, 0, 0, 0], w_avg), w_avg.expand_as(sources[0]))


@many
@given(st.integers(0, 1000))
def test_the_desk_mixes_each_row_by_its_own_weights(seed: int) -> None:
    sources, w_avg = [some_ws(s) for s in range(3)], some_ws(9)[0, 0]
    weights = np.random.RandomState(seed).randn(NUM_WS, 3)
    mixed = mixing_desk(sources, weights, w_avg)
    for row in range(NUM_WS):
        expected = w_avg + sum(weights[row, s] * (sources[s][:, row] - w_avg) for s in range(3))
        assert_close(mixed[:, row], expected.float(), rtol=1e-4, atol=1e-4)


def test_where_the_weights_sum_to_one_the_centre_plays_no_part() -> None:
    sources, weights = [some_ws(0), some_ws(1)], [0.25, 0.75]
    here = mixing_desk(sources, weights, torch.zeros(W_DIM))
    assert torch.equal(mixing_desk(sources, weights, torch.full((W_DIM,), 1e6)), here)


def test_a_desk_with_the_wrong_number_of_faders_says_what_it_needs() -> None:
    with pytest.raises(KinesphereError, match=r"\[2, 10\] do not fit: needed are \[10 rows, 2 sources\]"):
        mixing_desk([some_ws(0), some_ws(1)], np.zeros((2, NUM_WS)), torch.zeros(W_DIM))


# ---- between two latents


@many
@given(seeds, seeds, st.sampled_from([torch.float32, torch.float64]), st.booleans())
def test_both_ends_are_exact(one: int, other: int, dtype: torch.dtype, centred: bool) -> None:
    a, b = seed_to_z(one, 33).to(dtype), 100 * seed_to_z(other, 33).to(dtype)
    centre = seed_to_z(5, 33)[0] if centred else None
    assert torch.equal(lerp(a, b, 0), a) and torch.equal(lerp(a, b, 1), b)
    assert torch.equal(slerp(a, b, 0, centre), a) and torch.equal(slerp(a, b, 1, centre), b)


@many
@given(seeds, seeds, st.floats(0, 1))
def test_in_z_lerp_and_slerp_run_through_the_same_pictures(one: int, other: int, t: float) -> None:
    a, b = seed_to_z(one, 64).double(), seed_to_z(other, 64).double()
    angle = torch.acos((normalised(a) * normalised(b)).sum(-1).clamp(-1, 1))
    straight = lerp(a, b, t)
    if angle < 1e-6:
        return
    gone = torch.atan2((normalised(straight) - normalised(a)).norm(), (normalised(straight) + normalised(a)).norm()) * 2
    assert_close(mapping(straight.float()), mapping(slerp(a, b, gone / angle).float()), rtol=1e-3, atol=1e-4)


def test_lerp_hurries_through_the_middle_of_z_and_slerp_does_not() -> None:
    a, b = seed_to_z(1, 512).double(), seed_to_z(2, 512).double()
    t = np.linspace(0, 1, 1001)
    pace = [
        (normalised(move(a, b, t))[1:] - normalised(move(a, b, t))[:-1]).norm(dim=-1)
        for move in (lambda a, b, t: lerp(a, b, t), lambda a, b, t: slerp(a, b, t))
    ]
    assert pace[0][500] / pace[0][0] == pytest.approx(2.0, abs=0.15)
    assert_close(pace[1], pace[1][:1].expand(1000), rtol=1e-5, atol=0)


@many
@given(seeds, seeds, st.floats(0, 1, width=32))
def test_slerp_about_a_centre_changes_the_distance_from_it_evenly(one: int, other: int, t: float) -> None:
    centre = seed_to_z(5, 16).double()
    a, b = centre + seed_to_z(one, 16), centre + 3 * seed_to_z(other, 16)
    expected = (1 - t) * (a - centre).norm() + t * (b - centre).norm()
    assert_close((slerp(a, b, t, centre) - centre).norm(), expected)


@pytest.mark.parametrize("tilt", [0.0, 1e-7, 1e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("z_dim", [2, 15, 512])
def test_between_opposite_latents_the_way_goes_round_and_never_through_the_centre(z_dim: int, tilt: float) -> None:
    a = seed_to_z(1, z_dim)
    b = -a + tilt * seed_to_z(2, z_dim)
    way = slerp(a, b, np.linspace(0, 1, 101, dtype=np.float32))
    assert_close(way.norm(dim=-1), torch.linspace(1, (b.norm() / a.norm()).item(), 101) * a.norm(), rtol=2e-3, atol=0)
    turned = torch.acos((normalised(way[1:]) * normalised(way[:-1])).sum(-1).clamp(-1, 1))
    assert_close(turned, torch.full((100,), torch.pi / 100), rtol=5e-2, atol=0)
    assert torch.equal(way, slerp(a, b, np.linspace(0, 1, 101, dtype=np.float32)))


@pytest.mark.parametrize("factor", [1.0, 1.0 + 1e-7, 3.0])
def test_between_parallel_latents_only_the_length_changes(factor: float) -> None:
    a = seed_to_z(1, 64)
    for t in (0.25, 0.5, 0.75):
        assert_close(slerp(a, a * factor, t), lerp(a, a * factor, t))


def test_to_and_from_the_centre_itself_the_way_is_straight() -> None:
    a, zero = seed_to_z(1, 8), torch.zeros(1, 8)
    for t in (0.0, 0.3, 0.5, 0.8, 1.0):
        assert_close(slerp(a, zero, t), (1 - t) * a)
        assert_close(slerp(zero, a, t), t * a)
        assert_close(slerp(a, 3 * a, t, centre=a), a + t * 2 * a)
        assert torch.equal(slerp(zero, zero, t), zero)


def test_rows_may_leave_one_after_the_other() -> None:
    a, b = some_ws(0), some_ws(1)
    late = torch.linspace(0, 1, NUM_WS)
    for move in (lerp, slerp):
        staggered = move(a, b, late)
        for row in range(NUM_WS):
            assert_close(staggered[:, row], move(a[:, row], b[:, row], late[row]))


@many
@given(st.integers(1, 18), st.floats(0, 1), st.sampled_from(list(EASINGS)))
def test_staggered_rows_leave_together_and_arrive_together(num_ws: int, spread: float, easing: str) -> None:
    assert stagger(0, num_ws, spread, easing).tolist() == [0] * num_ws
    assert stagger(1, num_ws, spread, easing).tolist() == [1] * num_ws


@many
@given(st.integers(1, 18), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_staggered_rows_only_go_on_and_the_coarse_ones_are_ahead(
    num_ws: int, spread: float, t: float, u: float
) -> None:
    earlier, later = stagger(min(t, u), num_ws, spread), stagger(max(t, u), num_ws, spread)
    assert (later >= earlier).all() and (np.diff(later) <= 0).all()


def test_a_spread_of_none_is_one_morph_and_of_one_is_row_after_row() -> None:
    assert stagger(0.3, 5, spread=0).tolist() == [0.3] * 5
    assert stagger(0.3, 5, spread=0, easing="smoothstep").tolist() == pytest.approx([0.3**2 * (3 - 0.6)] * 5)
    assert stagger(0.5, 5, spread=1).tolist() == pytest.approx([1, 1, 0.5, 0, 0])
    assert stagger(0.5, 4, spread=0.5).tolist() == pytest.approx([0.8, 0.6, 0.4, 0.2])
    a, b = some_ws(1), some_ws(2)
    moved = lerp(a, b, stagger(0.3, NUM_WS))
    assert torch.equal(moved[:, :3], b[:, :3]) and torch.equal(moved[:, 4:], a[:, 4:])


@pytest.mark.parametrize("spread", [-0.1, 1.1, float("nan")])
def test_an_impossible_spread_is_refused(spread: float) -> None:
    with pytest.raises(KinesphereError, match="a spread of .* is out of range"):
        stagger(0.5, 4, spread)


# ---- easing


@pytest.mark.parametrize("name", EASINGS)
def test_an_easing_is_exact_at_both_ends_and_rises(name: str) -> None:
    x = np.linspace(-0.5, 1.5, 401)
    y = ease(x, name)
    assert (y[x <= 0] == 0).all() and (y[x >= 1] == 1).all()
    assert ease(0.0, name) == 0 and ease(1.0, name) == 1
    if not name.startswith("back"):
        assert (np.diff(y) >= 0).all()
    if name.endswith("_in_out") or name.startswith("smooth"):
        assert np.allclose(y + y[::-1], 1)


def test_the_smooth_easings_stand_still_at_their_ends() -> None:
    slope = {name: ease(1e-4, name) / 1e-4 for name in EASINGS}
    assert slope["smoothstep"] < 1e-3 and slope["smootherstep"] < 1e-6 and slope["linear"] == 1
    assert ease(0.5, "hold") == 0 and ease(0.75, "smoothstep") == 3 * 0.75**2 - 2 * 0.75**3


def test_an_unknown_easing_is_refused_with_the_names() -> None:
    with pytest.raises(KinesphereError, match="no easing 'bouncy': there are linear, smoothstep"):
        ease(0.5, "bouncy")


# ---- paths


def one_sided(path: Path, t: float, side: int) -> np.ndarray:
    """Value, speed and acceleration at t seen from one side: exact for pieces of third degree or less."""
    offsets = side * np.array([0.0, 0.1, 0.2, 0.3])
    values = path(t + offsets - side * 1e-12).double().reshape(4, -1).numpy()
    powers = np.linalg.solve(np.vander(offsets, increasing=True), values)
    return np.stack([powers[0], powers[1], 2 * powers[2]])


@many
@given(
    st.integers(2, 6),
    st.booleans(),
    st.sampled_from(KINDS),
    st.sampled_from(["linear", "smoothstep", "hold"]),
    st.integers(0, 99),
)
def test_a_path_hits_every_key_exactly(count: int, loop: bool, kind: str, easing: str, seed: int) -> None:
    random = np.random.RandomState(seed)
    keys = some_ws(seed, count)
    times = 3.0 + np.cumsum(random.uniform(0.1, 2, count + loop))
    path = Path(keys, times, loop, kind, easing)
    assert torch.equal(path(times[:count]), keys)
    assert (path.start, path.end, path.duration) == (times[0], times[-1], times[-1] - times[0])
    if loop:
        assert torch.equal(path(path.end), keys[:1])


def test_a_loop_that_begins_late_hits_its_keys_exactly_too() -> None:
    keys = seeds_to_z(range(40), 4)
    times = 1.48 + np.cumsum(np.random.RandomState(4).uniform(0.1, 2, 41))  # folding would round some of them
    assert torch.equal(Path(keys, times, loop=True)(times[:40]), keys)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_a_cubic_loop_has_no_seam(count: int) -> None:
    keys = torch.from_numpy(np.random.RandomState(count).randn(count, 8))
    loop = Path(keys, loop=True)
    for t in range(count):
        jump = one_sided(loop, t, +1) - one_sided(loop, t, -1)
        assert np.abs(jump).max() < 1e-6 * np.abs(one_sided(loop, t, +1)).max()


def test_the_seam_would_show_on_an_open_path_that_merely_returns() -> None:
    keys = torch.from_numpy(np.random.RandomState(0).randn(4, 8))
    there_and_back = Path(torch.cat([keys, keys[:1]]))
    jump = one_sided(there_and_back, 0, +1) - one_sided(there_and_back, there_and_back.end, -1)
    assert np.abs(jump[1]).max() > 0.1


def test_a_cubic_loop_is_what_many_turns_of_an_open_spline_settle_to() -> None:
    keys = np.random.RandomState(3).randn(5, 4)
    turns = CubicSpline(np.arange(-50, 56), np.concatenate([np.tile(keys, (21, 1)), keys[:1]]), bc_type="natural")
    t = np.linspace(0, 5, 57)
    assert np.allclose(Path(keys, loop=True)(t), turns(t), atol=1e-9)


def test_the_frame_after_a_loop_is_its_first_and_no_frame_stands_still() -> None:
    path = Path(seeds_to_z([1, 2, 3], 32), times=[0, 1, 2.5, 4], loop=True)
    frames = path(frame_times(4, 24, loop=True))
    assert torch.equal(path(4.0), frames[:1])
    assert (frames - frames.roll(1, 0)).norm(dim=1).min() > 0


@pytest.mark.parametrize("kind", ["akima", "monotone"])
def test_the_other_smooth_loops_keep_their_speed_over_the_seam(kind: str) -> None:
    keys = torch.from_numpy(np.random.RandomState(1).randn(6, 8))
    loop = Path(keys, times=[2, 3, 3.5, 5, 6, 6.5, 8], loop=True, kind=kind)
    jump = one_sided(loop, 2, +1) - one_sided(loop, 2, -1)
    assert np.abs(jump[:2]).max() < 1e-9


@many
@given(st.integers(0, 999), st.booleans())
def test_a_monotone_path_stays_between_its_keys(seed: int, loop: bool) -> None:
    keys = np.random.RandomState(seed).randn(5, 3)
    path = Path(keys, loop=loop, kind="monotone")
    ring = np.concatenate([keys, keys[:1]])
    for k in range(4 + loop):
        there = path(np.linspace(k, k + 1, 50)).numpy()
        assert (there >= np.minimum(ring[k], ring[k + 1]) - 1e-12).all()
        assert (there <= np.maximum(ring[k], ring[k + 1]) + 1e-12).all()


def test_in_an_akima_path_a_far_key_disturbs_nothing_here() -> None:
    keys = np.random.RandomState(0).randn(9, 3)
    moved = keys.copy()
    moved[7] += 10
    t = np.linspace(0, 4, 40)
    assert torch.equal(Path(keys, kind="akima")(t), Path(moved, kind="akima")(t))
    assert not torch.allclose(Path(keys, kind="cubic")(t), Path(moved, kind="cubic")(t))


def test_a_linear_path_is_straight() -> None:
    keys, times = np.random.RandomState(0).randn(4, 2), [0.0, 1.0, 1.5, 4.0]
    t = np.linspace(-1, 5, 61)
    expected = np.stack([np.interp(t, times, keys[:, d]) for d in range(2)], 1)
    assert np.allclose(Path(keys, times, kind="linear")(t), expected)


def test_an_open_path_rests_on_its_ends_and_a_loop_goes_on() -> None:
    keys = seeds_to_z([1, 2, 3], 4)
    assert torch.equal(Path(keys)([-5.0, 99.0]), keys[[0, 2]])
    loop = Path(keys, loop=True)
    assert_close(loop([-0.5, 302.5]), loop([2.5, 2.5]))


def test_a_path_needs_no_memory_and_gives_a_batch() -> None:
    path = Path(some_ws(0), loop=True)
    t = np.linspace(0, 3, 7)
    assert path(1.7).shape == (1, NUM_WS, W_DIM) and path(t).shape == (7, NUM_WS, W_DIM)
    assert torch.equal(torch.cat([path(s) for s in reversed(t)]).flip(0), path(t))
    assert torch.equal(path(torch.from_numpy(t)), path(t))


def test_the_last_second_of_a_day_moves_as_smoothly_as_the_first() -> None:
    path = Path(seeds_to_z([1, 2], 64), times=[0, 1, 2], loop=True)
    frames = path(86_400 + np.arange(240) / 240)
    steps = (frames[1:] - frames[:-1]).norm(dim=1)
    assert_close(frames, path(np.arange(240) / 240), rtol=0, atol=1e-5)
    assert steps.min() > 0


def test_an_eased_path_waits_at_its_keys() -> None:
    path = Path(torch.tensor([[0.0], [1.0], [0.0]]), kind="linear", easing="smoothstep")
    assert path([0.25, 0.5])[:, 0].tolist() == pytest.approx([3 / 16 - 2 / 64, 0.5])
    assert Path(torch.tensor([[0.0], [1.0]]), easing="hold")(0.99) == 0


@pytest.mark.parametrize("loop", [False, True])
def test_each_leg_of_a_path_has_its_own_easing(loop: bool) -> None:
    keys, times = torch.tensor([[0.0], [1.0], [3.0]]), [0.0, 2.0, 3.0, 7.0][: 3 + loop]
    easings = ["smoothstep", "hold", "back_in"][: 2 + loop]
    path = Path(keys, times, loop=loop, kind="linear", easing=easings)
    t = np.array([0.5, 1.5, 2.5, *([4.0, 6.0] if loop else [9.0])])
    late = [3 - 3 * float(ease(x, "back_in")) for x in (0.25, 0.75)] if loop else [3.0]
    assert path(t)[:, 0].tolist() == pytest.approx(
        [float(ease(0.25, "smoothstep")), float(ease(0.75, "smoothstep")), 1.0, *late]
    )
    assert torch.equal(path(times[:3]), keys)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "bezier"}, "no kind of path 'bezier': there are cubic, linear, akima, monotone"),
        ({"easing": "bouncy"}, "no easing 'bouncy'"),
        ({"easing": ["hold", "bouncy"]}, "no easing 'bouncy'"),
        ({"easing": ["hold"]}, "1 easings for 2 segments: give one for all, or one for each"),
        ({"easing": ["hold", "linear"], "loop": True}, "2 easings for 3 segments"),
        ({"times": [0, 1]}, "2 times for 3 keys: 3 are needed, one per key"),
        ({"times": [0, 1, 2], "loop": True}, "3 times for 3 keys: 4 are needed"),
        ({"times": [0, 1, 1]}, "must rise"),
        ({"times": [0, 1, float("nan")]}, "must rise"),
        ({"times": [0, 1, float("inf")]}, "must rise"),
    ],
)
def test_an_impossible_path_is_refused_in_words(arguments: dict, says: str) -> None:
    with pytest.raises(KinesphereError, match=says):
        Path(seeds_to_z([1, 2, 3], 4), **arguments)


def test_one_key_is_no_path() -> None:
    with pytest.raises(KinesphereError, match="two keys or more, not 1"):
        Path(seed_to_z(1, 4))


# ---- walks and loops


def test_a_great_circle_keeps_its_radius_and_pace_and_begins_at_u() -> None:
    u, v = seed_to_z(1, 512), seed_to_z(2, 512)
    z = great_circle(u, v, np.arange(60) / 6, period=10)
    assert_close(z.norm(dim=1), torch.full((60,), 512**0.5))
    assert_close(normalised(z[:1]), normalised(u))
    assert_close(z[30], -z[0], rtol=0, atol=1e-5)
    steps = (z - z.roll(1, 0)).norm(dim=1)
    assert_close(steps, steps[:1].expand(60), rtol=1e-3, atol=0)
    assert (normalised(z[1:15]) @ normalised(v[0]) > normalised(z[:1]) @ normalised(v[0])).all()
    assert torch.equal(great_circle(u, v, 10.0, period=10), z[:1])


@pytest.mark.parametrize("v", [seed_to_z(1, 16), -3 * seed_to_z(1, 16), torch.zeros(1, 16)])
def test_a_great_circle_needs_two_directions(v: Tensor) -> None:
    with pytest.raises(KinesphereError, match="two different directions"):
        great_circle(seed_to_z(1, 16), v, 0.0)


@pytest.mark.parametrize("t", [0.0, 3.7, 30.0, 59.9])
def test_at_every_moment_a_drift_is_as_natural_as_a_fresh_seed(t: float) -> None:
    z = torch.cat([drift(seed, 512, t) for seed in range(40)]).flatten().numpy()
    assert kstest(z, "norm").pvalue > 0.01
    assert abs(z.var() - 1) < 3 * np.sqrt(2 / z.size) and abs(z.mean()) < 3 / np.sqrt(z.size)


def test_a_drift_forgets_as_its_closed_form_says() -> None:
    period, harmonics = 20.0, 4.5
    t, lags = np.linspace(0, period, 40, endpoint=False), np.array([0.2, 1.0, 3.0, 7.0])
    here = drift(1, 4096, t, period, harmonics)
    k = np.arange(1, len(drift_weights(harmonics)) + 1)
    for lag in lags:
        correlation = (here * drift(1, 4096, t + lag, period, harmonics)).mean().item()
        closed_form = np.sum(drift_weights(harmonics) ** 2 * np.cos(2 * np.pi * k * lag / period))
        assert correlation == pytest.approx(closed_form, abs=0.03)


@many
@given(seeds, st.integers(0, 59), st.floats(1, 12), st.integers(-5, 5))
def test_a_drift_returns_exactly_after_its_period(seed: int, t: int, harmonics: float, turns: int) -> None:
    assert torch.equal(drift(seed, 16, t, 60, harmonics), drift(seed, 16, t + 60 * turns, 60, harmonics))


def test_a_drift_can_be_asked_for_any_moment_in_any_order() -> None:
    t = np.random.RandomState(0).uniform(0, 60, 33)
    assert torch.equal(torch.cat([drift(3, 64, s) for s in t]), drift(3, 64, t))
    assert drift(3, 64, 1.0).shape == (1, 64) and drift(3, 64, 1.0).dtype == torch.float32


@pytest.mark.parametrize(("period", "harmonics"), [(10, 1), (60, 6), (60, 6.5), (120, 12)])
def test_the_speed_of_a_drift_is_what_it_says(period: float, harmonics: float) -> None:
    t, dt = np.linspace(0, period, 50), 1e-3 * period / harmonics
    step = drift(5, 2048, t + dt, period, harmonics) - drift(5, 2048, t, period, harmonics)
    assert step.square().mean().sqrt().item() / dt == pytest.approx(drift_speed(period, harmonics), rel=0.05)


def test_a_longer_loop_with_more_harmonics_has_the_same_speed() -> None:
    assert drift_speed(600, 60) == pytest.approx(drift_speed(1200, 120), rel=0.02)


@many
@given(st.floats(1, 40))
def test_the_harmonics_of_a_drift_can_be_played_without_a_jump(harmonics: float) -> None:
    assert np.sum(drift_weights(harmonics) ** 2) == pytest.approx(1)
    step = drift(1, 64, 12.3, 60, harmonics + 1e-4) - drift(1, 64, 12.3, 60, harmonics)
    assert step.abs().max() < 1e-2


@pytest.mark.parametrize("arguments", [{"harmonics": 0.5}, {"harmonics": float("inf")}, {"period": 0}, {"period": -1}])
def test_an_impossible_drift_is_refused(arguments: dict) -> None:
    with pytest.raises(KinesphereError, match="not possible: take"):
        drift(1, 8, 0.0, **arguments)


# ---- frames


@many
@given(st.fractions(Fraction(1, 4), 60), st.sampled_from([24, 25, 30, 60, 144, Fraction(30000, 1001)]), st.booleans())
def test_a_film_has_as_many_frames_as_its_length_says(duration: Fraction, fps: Fraction, loop: bool) -> None:
    times = frame_times(duration, fps, loop)
    assert abs(len(times) - duration * fps) <= Fraction(1, 2)
    assert times[0] == 0 and len({b - a for a, b in pairwise(times)}) <= 1
    if loop:
        assert times[-1] + duration / len(times) == duration
    else:
        assert times[-1] == (len(times) - 1) / Fraction(fps)


def test_frame_times_are_exact() -> None:
    assert frame_times(10, 24)[-1] == Fraction(239, 24)
    assert frame_times(1, "30000/1001")[3] == Fraction(3003, 30000)
    assert frame_times(0.1, 29.97) == [0, Fraction(100, 2997), Fraction(200, 2997)]
    assert frame_times(np.float64(0.5), 4) == [0, Fraction(1, 4)]


@pytest.mark.parametrize(
    ("duration", "fps", "says"),
    [
        (0, 24, "duration 0 must be more than 0"),
        (1, -24, "fps -24 must be more"),
        (0.01, 24, "less than one frame"),
        ("long", 24, "duration 'long' is not a number"),
        (float("inf"), 24, "duration inf is not a number"),
        (1, "24/0", "fps '24/0' is not a number"),
    ],
)
def test_a_film_without_frames_is_refused(duration: object, fps: object, says: str) -> None:
    with pytest.raises(KinesphereError, match=says):
        frame_times(duration, fps)


# ---- how far off the map


def test_natural_latents_are_at_a_radius_of_about_one() -> None:
    stats = statistics(sample_w(mapping, 32, count=5000))
    fresh = radius(mapping(seeds_to_z(range(10_000, 10_400), 32)), stats)
    assert fresh.shape == (400, NUM_WS)
    assert fresh[:, 0].square().mean().sqrt().item() == pytest.approx(1, abs=0.05)
    assert radius(stats.mean, stats) == 0


def test_leaving_the_map_shows_and_truncation_comes_home() -> None:
    stats = statistics(sample_w(mapping, 32, count=5000))
    w = mapping(seed_to_z(1, 32))[:, 0]
    here = radius(w, stats)
    for psi in (-0.5, 0.5, 2.0):
        assert_close(radius(truncate(w, stats.mean, psi), stats), abs(psi) * here, rtol=1e-3, atol=1e-4)
    off = stats.mean + 10 * stats.sigmas[-1] * stats.vectors[:, -1]  # a short step, but in the thinnest direction
    assert radius(off, stats).item() == pytest.approx(10 / W_DIM**0.5, rel=1e-3)


def test_statistics_find_a_planted_ellipsoid() -> None:
    random = np.random.RandomState(0)
    axes, sigmas = np.linalg.qr(random.randn(6, 6))[0], np.array([5.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    stats = statistics(torch.from_numpy(random.randn(40_000, 6) * sigmas @ axes.T + 7))
    assert np.allclose(stats.mean, 7, atol=0.1)
    assert np.allclose(stats.sigmas, sigmas, rtol=0.03)
    assert np.allclose(np.abs(np.sum(stats.vectors.numpy() * axes, 0)), 1, atol=0.01)
    assert np.allclose(stats.vectors.T @ stats.vectors, np.eye(6), atol=1e-12)


def test_a_flat_w_is_measured_in_the_directions_that_it_has() -> None:
    random = np.random.RandomState(0)
    flat = torch.from_numpy(random.randn(500, 3) @ random.randn(3, 8)).float()
    stats = statistics(flat)
    assert stats.rank == 3
    assert radius(flat, stats).square().mean().sqrt().item() == pytest.approx(1, abs=0.05)
    assert radius(flat[0] + 0.1 * stats.vectors[:, -1], stats) > 10


def test_samples_of_w_do_not_depend_on_the_batch() -> None:
    assert_close(sample_w(mapping, 32, count=50, batch=7), sample_w(mapping, 32, count=50))
    assert_close(
        sample_w(lambda z: z, 8, count=3, seed=5), torch.from_numpy(np.random.RandomState(5).randn(3, 8)).float()
    )


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(KinesphereError, match="16 samples are too few for 16 dimensions"):
        statistics(sample_w(mapping, 32, count=16))


THREE = torch.tensor([[0.0, 0, 0, 0, 0], [6, 2, 0, 1, 0], [-3, 4, 0.1, 0, 2]])  # the middles of three kinds
SPREAD = torch.tensor([1.0, 0.5, 0.02, 0.4, 0.1])


def three_kinds(count: int = 30_000) -> Tensor:
    """A lopsided W of three kinds, of one half, three tenths and two tenths of the samples."""
    dice = torch.Generator().manual_seed(0)
    kind = torch.cat([torch.full([int(share * count)], i) for i, share in enumerate((0.5, 0.3, 0.2))])
    return THREE[kind] + SPREAD * torch.randn(count, 5, generator=dice)


def test_the_kinds_of_a_w_are_found_where_they_are() -> None:
    w = three_kinds()
    stats = statistics(w)
    for seed in range(3):
        found = cluster(w, 3, stats, seed)
        which = nearest(THREE, found, stats)
        assert sorted(which.tolist()) == [0, 1, 2]
        assert ((found[which] - THREE).abs() / SPREAD).max() < 0.05
    assert torch.equal(cluster(w, 3, stats, 2), found)


def test_an_outlier_is_no_kind() -> None:
    w = three_kinds(3000)
    w[::300] += 60 * SPREAD * torch.randn(10, 5, generator=torch.Generator().manual_seed(1))
    stats = statistics(w)
    for seed in range(4):
        shares = torch.bincount(nearest(w, cluster(w, 6, stats, seed), stats), minlength=6) / len(w)
        assert shares.min() > 0.1 / 6


def test_the_nearest_centre_is_so_by_the_mahalanobis_distance() -> None:
    w = three_kinds(600)
    stats = statistics(w)
    inverse = torch.linalg.inv(torch.cov(w.T.double()))
    away = (w[:, None] - THREE).double()  # [600, 3, 5]
    expected = torch.einsum("nki,ij,nkj->nk", away, inverse, away).argmin(1)
    assert torch.equal(nearest(w, THREE, stats), expected)
    assert torch.equal(nearest(w.view(60, 10, 5), THREE, stats), expected.view(60, 10))


@many
@given(st.floats(0, 1, width=32), st.integers(0, 99))
def test_truncating_towards_the_nearest_centre_never_leaves_it_for_another(psi: float, seed: int) -> None:
    centres = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed)) * SPREAD * 3
    w = three_kinds(600)
    stats = statistics(w)
    which = nearest(w, centres, stats)
    nearer = truncate(w, centres[which], psi)
    away = torch.cdist(*((x - stats.mean) @ stats.vectors / stats.sigmas for x in (w, centres)))
    sure = away.topk(2, largest=False).values.diff()[:, 0] > 1e-3  # between two centres, rounding decides
    assert torch.equal(nearest(nearer, centres, stats)[sure], which[sure])
    assert torch.equal(truncate(w, centres[which], 1), w) and torch.equal(
        truncate(w, centres[which], 0), centres[which]
    )


def across(steps: int) -> Tensor:
    """A way past all three kinds, [steps, 5], through none of their middles."""
    return Path(THREE + 0.2 * SPREAD, loop=True)(np.linspace(0, 3, steps))


def test_a_centre_is_its_own_and_so_is_one_alone() -> None:
    w = three_kinds(600)
    stats = statistics(w)
    assert_close(near(THREE, THREE, stats), THREE)
    lonely = near(w, THREE[1:2], stats)
    assert_close(lonely, THREE[1:2].expand(600, 5))
    assert_close(near(w.view(60, 10, 5), THREE, stats).view(600, 5), near(w, THREE, stats))


def test_the_softer_the_more_centres_count_and_the_limit_is_the_nearest() -> None:
    w, stats = across(50), statistics(three_kinds(600))
    hard = THREE[nearest(w, THREE, stats)]
    off = [(near(w, THREE, stats, softness) - hard).norm(dim=1).mean() for softness in (1e-5, 0.2, 2.0, 20.0)]
    assert off[0] < 1e-3 and off == sorted(off)
    assert_close(near(w, THREE, stats, 1e7), THREE.mean(0).expand(50, 5), atol=1e-3, rtol=0)


def test_where_another_centre_becomes_the_nearest_nothing_jumps() -> None:
    """A step of half the length is half as long everywhere; that of the nearest alone is not."""
    stats = statistics(three_kinds(600))

    def longest(steps: int, centre: Callable[[Tensor], Tensor]) -> float:
        return float(centre(across(steps)).diff(dim=0).norm(dim=1).max())

    for steps in (3000, 6000):
        soft = [longest(n, lambda w: near(w, THREE, stats)) for n in (steps, 2 * steps)]
        hard = [longest(n, lambda w: THREE[nearest(w, THREE, stats)]) for n in (steps, 2 * steps)]
        assert soft[1] == pytest.approx(soft[0] / 2, rel=0.1)
        assert hard[1] == pytest.approx(hard[0]) and hard[0] > 4


@pytest.mark.parametrize(
    ("k", "says"), [(0, "0 centres of 10"), (11, "11 centres of 10"), (10, "do not fall into 10 kinds")]
)
def test_an_impossible_number_of_kinds_is_refused(k: int, says: str) -> None:
    w = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    w[5:] = w[:5]
    with pytest.raises(KinesphereError, match=says):
        cluster(w, k, statistics(w))


def test_everything_stays_on_the_device_of_the_latents() -> None:
    ws, w_avg = torch.empty(3, NUM_WS, W_DIM, device="meta"), torch.zeros(W_DIM)
    stats = statistics(sample_w(mapping, 32, count=100))
    for moved in (
        truncate(ws, w_avg, psi_grid(NUM_WS), cutoff=4),
        mix(ws, ws, [1, 2], amount=np.linspace(0, 1, NUM_WS)),
        mixing_desk([ws, ws], [0.5, 0.5], w_avg),
        lerp(ws, ws, 0.5),
        slerp(ws, ws, [0.5] * NUM_WS, centre=w_avg),
        radius(ws, stats),
    ):
        assert moved.device == ws.device and moved.shape[:2] == (3, NUM_WS)


# ---- between many seeds ----------------------------------------------------------------------------------------------


def test_blend_of_one_is_itself_and_of_two_is_slerp():
    z = seeds_to_z([1, 2, 3], 64)
    assert torch.equal(blend(z[:1], [0.3]), z[:1])
    assert torch.equal(blend(z, [0, 2, 0]), z[1:2])
    assert torch.equal(blend(z[:2], [1, 3]), slerp(z[:1], z[1:2], 0.75))
    assert torch.equal(blend(z, [1, 0, 3]), slerp(z[:1], z[2:], 0.75))


weights_of_three = st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda w: sum(w) > 0.01)


@many
@given(weights_of_three, seeds)
def test_blend_is_as_long_as_its_seeds_whatever_their_weights(weights, seed):
    z = seeds_to_z([seed, seed ^ 1, seed ^ 2], 64)
    share = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    assert_close(blend(z, weights).double().norm(), share @ z.double().norm(dim=1), rtol=1e-5, atol=0)


@many
@given(weights_of_three, st.permutations([0, 1, 2]))
def test_blend_does_not_mind_the_order_nor_the_scale_of_the_weights(weights, order):
    z, w = seeds_to_z([4, 5, 6], 64), torch.tensor(weights, dtype=torch.float64)
    assert_close(blend(z[order], w[order] * 7), blend(z, w), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.9])
def test_a_third_seed_that_comes_in_makes_no_jump(at):
    z = seeds_to_z([4, 5, 6], 512)
    two = slerp(z[:1], z[1:2], 1 - at)
    assert_close(blend(z, [at, 1 - at, 1e-6]), two, rtol=0, atol=1e-4)


def test_a_blend_of_many_seeds_lies_at_the_same_angle_from_equals():
    z = torch.eye(5)[:4] * 2
    assert_close(blend(z, [1, 1, 1, 1]), torch.tensor([[1.0, 1, 1, 1, 0]]))


def test_seeds_that_are_one_and_seeds_that_cancel_out():
    same = seed_to_z(1, 8).repeat(3, 1)
    assert_close(blend(same, [1, 2, 3]), same[:1])
    u = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert torch.isfinite(blend(u, [1, 1, 1, 1])).all() and float(blend(u, [1, 1, 1, 1]).norm()) == pytest.approx(1)


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [0, 0], [1, -1], [1, float("nan")], [1, float("inf")], []])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(KinesphereError, match="weights .* do not fit"):
        blend(seeds_to_z([1, 2], 8), weights)
