"""A route goes where its fields say, moves the same at every frame rate, and never breaks in the middle of a performance."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import FrozenInstanceError, asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.integrate import solve_ivp

from kinesphere.routes import CURVES, Follower, OneEuro, Route, Spring, shape
from kinesphere.types import KinesphereError

many = settings(max_examples=60, deadline=None)
units = st.floats(0, 1)
RATES = (30, 60, 144)
NAN = math.nan


def route(**fields: Any) -> Route:
    return Route("hand.height", **fields)


def follow(route: Route, values: Any, times: Any) -> list[float]:
    follower = Follower(route)
    return [follower(float(value), float(t)) for value, t in zip(values, times, strict=True)]


def settings_of_every_kind() -> list[Route]:
    return [
        route(attack=0.08, release=0.4),
        route(spring=Spring(2.0, 0.3)),
        route(spring=Spring(2.0, 1.0)),
        route(spring=Spring(2.0, 2.5)),
        route(one_euro=OneEuro(1.0, 0.0)),
        route(one_euro=OneEuro(1.0, 0.5)),
        route(
            one_euro=OneEuro(2.0, 0.2),
            attack=0.05,
            release=0.2,
            spring=Spring(3.0, 0.7),
            curve="smooth",
            low=2,
            high=-1,
        ),
    ]


# ---- memory


@many
@given(st.integers(0, 6), st.lists(st.floats(-0.5, 1.5) | st.just(NAN), min_size=1, max_size=30), st.integers(0, 29))
def test_a_follower_goes_on_to_the_bit_from_what_another_remembered(kind: int, values: list[float], cut: int) -> None:
    setting, times = settings_of_every_kind()[kind], [0.03 * i + 0.001 * (i % 3) for i in range(len(values))]
    whole = follow(setting, values, times)
    first, second = Follower(setting), Follower(setting)
    for value, t in list(zip(values, times, strict=True))[:cut]:
        first(value, t)
    second.remind(json.loads(json.dumps(first.memory())))
    rest = [second(value, t) for value, t in list(zip(values, times, strict=True))[cut:]]
    assert rest == whole[cut:]


# ---- range, curve, dead zone


def test_the_range_of_the_feature_becomes_the_range_of_the_parameter() -> None:
    bass = route(low=0.4, high=1.0, in_low=-60, in_high=-20)
    assert [Follower(bass)(db, 0) for db in (-60, -40, -20)] == pytest.approx([0.4, 0.7, 1.0])
    assert Follower(bass)(-60, 0) == 0.4 and Follower(bass)(-20, 0) == 1.0


def test_outside_its_range_the_parameter_stops_unless_it_may_go_on() -> None:
    assert [Follower(route(high=10))(x, 0) for x in (-1, 2)] == [0, 10]
    assert [Follower(route(high=10, clamp=False))(x, 0) for x in (-1, 2)] == [-10, 20]


def test_both_ranges_may_run_backwards() -> None:
    assert [Follower(route(low=1, high=0))(x, 0) for x in (0, 0.25, 1)] == [1, 0.75, 0]
    assert [Follower(route(in_low=1, in_high=0))(x, 0) for x in (0, 0.25, 1)] == [1, 0.75, 0]


def test_invert_enters_the_curve_from_its_other_end() -> None:
    assert shape(route(invert=True, curve="square"), 0.25) == 0.75**2
    assert shape(route(low=1, high=0, curve="square"), 0.25) == 1 - 0.25**2


def test_in_the_dead_zone_nothing_happens_and_beyond_it_nothing_is_lost() -> None:
    calm = route(dead_zone=0.2, clamp=False)
    assert [shape(calm, u) for u in (-0.2, -0.1, 0.0, 0.2)] == [0, 0, 0, 0]
    assert [shape(calm, u) for u in (-1, 0.6, 1)] == pytest.approx([-1, 0.5, 1])
    assert shape(calm, 0.2 + 1e-9) < 1e-8


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_rises_within_its_square_and_is_exact_at_its_corners(curve: str) -> None:
    bent = [shape(route(curve=curve), u) for u in np.linspace(0, 1, 1001)]
    assert bent[0] == 0 and bent[-1] == 1
    assert (np.diff(bent) >= 0).all()


@many
@given(st.sampled_from(sorted(CURVES)), st.floats(-3, 3), st.floats(-3, 3))
def test_a_curve_goes_on_rising_outside_its_square_and_is_mirrored_about_rest(curve: str, u: float, v: float) -> None:
    bent = route(curve=curve, clamp=False)
    assert (shape(bent, u) - shape(bent, v)) * (u - v) >= 0
    assert shape(bent, -u) == -shape(bent, u)


@pytest.mark.parametrize(("there", "back"), [("square", "sqrt"), ("cube", "cbrt"), ("exp", "log")])
def test_some_curves_undo_each_other(there: str, back: str) -> None:
    u = np.linspace(0, 1, 101)
    assert np.allclose([CURVES[back](CURVES[there](float(x))) for x in u], u)


def test_the_steps_are_taken_in_the_documented_order() -> None:
    # 30 of 20..40 is u 0.5; less a dead zone of 0.2: 0.375; inverted: 0.625; squared: 0.390625; of 10..20: 13.90625
    everything = route(low=10, high=20, in_low=20, in_high=40, dead_zone=0.2, invert=True, curve="square")
    assert Follower(everything)(30, 0) == pytest.approx(13.90625)


# ---- time


@pytest.mark.parametrize("setting", settings_of_every_kind())
@given(st.floats(-2, 3))
@settings(max_examples=20, deadline=None)
def test_the_first_value_passes_through(setting: Route, value: float) -> None:
    still = Route("x", setting.low, setting.high, curve=setting.curve)
    assert Follower(setting)(value, 17.3) == Follower(still)(value, 0)


@pytest.mark.parametrize("setting", settings_of_every_kind())
def test_a_feature_that_rests_keeps_the_parameter_at_rest(setting: Route) -> None:
    moved = follow(setting, [0.3] * 50, np.linspace(0, 3, 50))
    assert moved == pytest.approx([moved[0]] * 50)


@pytest.mark.parametrize("setting", [r for r in settings_of_every_kind() if r.one_euro is None])
@given(st.lists(units, min_size=2, max_size=6))
@settings(max_examples=20, deadline=None)
def test_held_levels_end_at_the_same_place_at_every_frame_rate(setting: Route, levels: list[float]) -> None:
    ends = []
    for rate in RATES:
        frames = np.arange(len(levels) * rate // 2 + 1)  # a level holds for half a second, whole frames at every rate
        level = np.maximum(np.ceil(frames / (rate // 2)).astype(int) - 1, 0)
        ends.append(follow(setting, np.array(levels)[level], frames / rate)[-1])
    assert ends == pytest.approx([ends[0]] * len(RATES), abs=1e-9)


@pytest.mark.parametrize("setting", settings_of_every_kind())
@given(st.floats(0.1, 0.8), st.floats(0, 6.28))
@settings(max_examples=10, deadline=None)
def test_a_moving_hand_is_followed_alike_at_every_frame_rate(setting: Route, frequency: float, phase: float) -> None:
    ways = []
    for rate in RATES:
        t = np.arange(4 * rate + 1) / rate
        ways.append(follow(setting, 0.5 + 0.4 * np.sin(2 * np.pi * frequency * t + phase), t)[:: rate // 2])
    assert np.abs(np.array(ways[0]) - ways[2]).max() < 0.15 * abs(setting.high - setting.low)
    assert np.abs(np.array(ways[1]) - ways[2]).max() < 0.06 * abs(setting.high - setting.low)


@pytest.mark.parametrize("setting", [r for r in settings_of_every_kind() if r.one_euro is None])
@given(st.lists(st.floats(1e-4, 0.5), min_size=1, max_size=12))
@settings(max_examples=20, deadline=None)
def test_uneven_frames_make_no_difference(setting: Route, steps: list[float]) -> None:
    t = np.concatenate([[0.0], np.cumsum(steps)])
    assert follow(setting, [0] + [1] * len(steps), t)[-1] == pytest.approx(
        follow(setting, [0, 1], t[[0, -1]])[-1], abs=1e-9
    )


@many
@given(
    st.floats(0, 2),
    st.floats(0, 2),
    st.lists(st.tuples(units, st.floats(1e-4, 3)), min_size=1, max_size=30),
)
def test_attack_and_release_never_overshoot(attack: float, release: float, moves: list[tuple[float, float]]) -> None:
    follower = Follower(route(attack=attack, release=release))
    y, t = follower(0.5, 0.0), 0.0
    for value, dt in moves:
        t += dt
        before, y = y, follower(value, t)
        assert min(before, value) - 1e-12 <= y <= max(before, value) + 1e-12


def test_attack_and_release_are_the_time_of_63_percent() -> None:
    assert follow(route(attack=0.2), [0, 1], [0, 0.2])[-1] == pytest.approx(1 - math.exp(-1))
    assert follow(route(release=0.5), [1, 0], [0, 0.5])[-1] == pytest.approx(math.exp(-1))
    assert follow(route(release=0.5), [0, 1], [0, 0.001])[-1] == 1  # no attack: at once
    assert follow(route(attack=0.2), [1, 0], [0, 0.001])[-1] == 0


# ---- One-Euro


def test_one_euro_without_beta_is_one_low_pass() -> None:
    calm = follow(route(one_euro=OneEuro(min_cutoff=2.0)), [0, 1, 1, 1], [0, 0.01, 0.1, 0.3])
    assert calm == pytest.approx([1 - math.exp(-2 * math.pi * 2.0 * t) for t in (0, 0.01, 0.1, 0.3)])


def test_one_euro_is_what_the_paper_says_where_frames_are_many() -> None:
    setting, rate = OneEuro(min_cutoff=1.2, beta=0.8, d_cutoff=1.5), 4000
    t = np.arange(2 * rate) / rate
    u = 0.5 + 0.3 * np.sin(5 * t) + 0.1 * np.sin(17 * t)

    def smoothing(cutoff: float) -> float:  # Casiez et al. 2012, equations 4 and 5
        return 1 / (1 + rate / (2 * math.pi * cutoff))

    x, speed, paper = u[0], 0.0, [u[0]]
    for before, now in pairwise(u):
        speed += smoothing(setting.d_cutoff) * ((now - before) * rate - speed)
        x += smoothing(setting.min_cutoff + setting.beta * abs(speed)) * (now - x)
        paper.append(x)
    assert np.abs(np.array(follow(route(one_euro=setting), u, t)) - paper).max() < 1e-3


def test_one_euro_calms_a_trembling_hand_and_does_not_lag_behind_a_quick_one() -> None:
    t = np.arange(300) / 60
    tremble = 0.5 + 0.01 * np.random.RandomState(0).randn(300)
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * t)
    for beta, (calmer, nearer) in {0.0: (0.35, 10), 3.0: (0.6, 0.4)}.items():
        setting = route(one_euro=OneEuro(0.5, beta))
        assert np.std(follow(setting, tremble, t)[60:]) < calmer * np.std(tremble)
        lag = np.abs(np.array(follow(setting, wave, t)) - wave).max()
        assert lag < nearer * np.abs(np.array(follow(route(one_euro=OneEuro(0.5)), wave, t)) - wave).max()


def test_one_euro_of_a_huge_beta_lets_a_moving_hand_through() -> None:
    t = np.arange(100) / 60
    assert np.abs(np.array(follow(route(one_euro=OneEuro(0.1, 1e6)), t / 2, t)) - t / 2).max() < 1e-6


# ---- spring


@pytest.mark.parametrize("damping", [0.0, 0.15, 0.7, 1 - 1e-9, 1.0, 1 + 1e-9, 1.3, 5.0])
@pytest.mark.parametrize("frequency", [0.5, 4.0])
def test_the_spring_moves_as_the_equation_says(frequency: float, damping: float) -> None:
    omega, levels = 2 * math.pi * frequency, [1.0, 0.2, 0.9]
    times = np.linspace(0, 1.5, 31)
    level = np.maximum(np.ceil(np.arange(31) / 10).astype(int) - 1, 0)
    found = follow(route(spring=Spring(frequency, damping)), [0.0, *np.array(levels)[level][1:]], times)

    state, expected = [0.0, 0.0], [0.0]
    for i in range(1, 31):
        goal = levels[level[i]]
        solved = solve_ivp(
            lambda t, s, goal=goal: [s[1], -(omega**2) * (s[0] - goal) - 2 * damping * omega * s[1]],
            times[[i - 1, i]],
            state,
            rtol=1e-10,
            atol=1e-12,
        )
        state = solved.y[:, -1]
        expected.append(state[0])
    assert found == pytest.approx(expected, abs=1e-6)


@many
@given(
    st.floats(0.01, 50),
    st.floats(0, 100),
    st.lists(st.tuples(units, st.floats(1e-6, 1e4)), min_size=1, max_size=40),
)
def test_no_frame_is_too_long_for_the_spring(
    frequency: float, damping: float, moves: list[tuple[float, float]]
) -> None:
    follower, t = Follower(route(spring=Spring(frequency, damping))), 0.0
    follower(0.5, t)
    for value, dt in moves:
        t += dt
        assert abs(follower(value, t) - 0.5) <= 0.5 + 2 * len(moves)  # each move adds one swing at most
    if damping >= 0.1:
        assert follower(0.25, t + 1e5 * (1 + damping) / frequency) == pytest.approx(0.25)


def test_a_loose_spring_swings_out_of_the_range_and_a_critical_one_does_not() -> None:
    t = np.arange(200) / 60
    assert max(follow(route(spring=Spring(2, 0.2)), [0] + [1] * 199, t)) > 1.4
    assert max(follow(route(spring=Spring(2, 1.0)), [0] + [1] * 199, t)) <= 1


# ---- circles


def test_crossing_the_wrap_goes_the_short_way() -> None:
    angle = route(in_high=360, high=360, circular=360, attack=0.1, release=0.1)
    t = np.arange(40) / 60
    way = follow(angle, [350] + [10] * 39, t)
    assert all(x >= 350 or x <= 10 for x in way)
    assert way[-1] == pytest.approx(10, abs=0.1)


def test_without_a_clamp_the_turns_are_counted() -> None:
    turns = route(in_high=360, circular=360, clamp=False)
    angles = np.arange(0, 1100, 50)
    assert follow(turns, angles % 360, range(len(angles))) == pytest.approx(list(angles / 360))


def test_a_clamped_angle_is_back_after_a_full_turn() -> None:
    roll = route(in_low=-90, in_high=90, circular=360)
    angles = [0, 45, 90, 135, 179, -179, -135, -90, 0, 45]
    assert follow(roll, angles, range(10)) == pytest.approx([0.5, 0.75, 1, 1, 1, 0, 0, 0, 0.5, 0.75])


@many
@given(
    st.lists(st.tuples(st.floats(-6, 6), st.integers(-3, 3)), min_size=1, max_size=20),
    st.sampled_from([{}, {"spring": Spring(1, 0.5)}, {"attack": 0.2, "release": 0.3}, {"one_euro": OneEuro(1, 1)}]),
)
def test_whole_turns_of_the_feature_make_no_difference(moves: list[tuple[float, int]], filters: dict) -> None:
    # exactly half a turn has no short way: keep away from it
    angles: list[float] = []
    times = np.arange(len(moves)) / 30
    for angle, _ in moves:
        near = angle if not angles else angles[-1] + math.remainder(angle - angles[-1], 2 * math.pi) * 0.9
        angles.append(near)
    spun = [angle + 2 * math.pi * turns for angle, (_, turns) in zip(angles, moves, strict=True)]
    spun[0] = angles[0]
    dial = route(in_high=1, clamp=False, circular=2 * math.pi, **filters)
    assert follow(dial, spun, times) == pytest.approx(follow(dial, angles, times), abs=1e-6)


# ---- what happens on a stage


def test_a_lost_hand_holds_and_comes_back_without_a_jump() -> None:
    slow = Follower(route(attack=0.5, release=0.5))
    slow(0.2, 0.0)
    for i in range(1, 200):
        assert slow(NAN, i / 60) == pytest.approx(0.2)
    assert slow(0.9, 200 / 60) < 0.23


@pytest.mark.parametrize("strange", [NAN, math.inf, -math.inf])
def test_what_is_not_a_number_is_taken_for_the_last_one(strange: float) -> None:
    free = route(clamp=False, one_euro=OneEuro(beta=1), spring=Spring(), circular=1.0)
    assert follow(free, [0.1, 0.2, strange, 0.3], range(4)) == follow(free, [0.1, 0.2, 0.2, 0.3], range(4))


def test_while_the_hand_is_lost_the_filters_settle_on_where_it_was() -> None:
    seen = follow(route(attack=0.1), [0, 1, 1, 1], [0, 0.1, 0.2, 0.3])
    assert follow(route(attack=0.1), [0, 1, NAN, NAN], [0, 0.1, 0.2, 0.3]) == seen


def test_before_the_first_value_the_parameter_is_where_the_feature_rests() -> None:
    waiting = Follower(route(low=3, high=5, spring=Spring(), one_euro=OneEuro()))
    assert [waiting(NAN, t) for t in (0, 1, 2)] == [3, 3, 3]
    assert waiting(0.5, 2.0) == 4
    assert Follower(route(low=3, high=5, invert=True)).value == 5


@pytest.mark.parametrize("setting", settings_of_every_kind())
def test_time_that_repeats_or_runs_backwards_holds_and_then_goes_on(setting: Route) -> None:
    follower = Follower(setting)
    follower(0.0, 10.0)
    held = follower(0.5, 10.1)
    assert follower(0.9, 10.1) == held
    assert follower(0.9, 3.0) == held == follower.value
    moved = follower(0.9, 3.1)
    assert moved != held and math.isfinite(moved)


def test_reset_forgets_everything() -> None:
    follower = Follower(route(spring=Spring(), circular=1.0, clamp=False))
    for i in range(10):
        follower(0.4 * i, i / 10)
    follower.reset()
    assert follower.value == 0 and follower(0.3, 0.0) == 0.3


def test_a_feature_may_be_an_array_of_one_number() -> None:
    assert Follower(route())(np.array(0.25), 0.0) == 0.25  # type: ignore[arg-type]


# ---- the data


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"curve": "bendy"}, "no curve 'bendy': there are linear, smooth, square"),
        ({"in_low": 2, "in_high": 2}, "in_low and in_high are both 2: .*'hand.height'"),
        ({"attack": -0.1}, "attack = -0.1 is too small: take 0 or more"),
        ({"release": -1}, "release = -1"),
        ({"release": "fast"}, "release = 'fast' is not a number"),
        ({"low": NAN}, "low = nan is not a number"),
        ({"in_high": math.inf}, "in_high = inf is not a number"),
        ({"high": True}, "high = True is not a number"),
        ({"dead_zone": 1}, "dead_zone = 1 is too large: take less than 1"),
        ({"dead_zone": -0.1}, "dead_zone = -0.1 is too small"),
        ({"circular": 0}, "circular = 0 is too small: take more than 0"),
        ({"circular": 0.5}, "more than the full turn of 0.5"),
        ({"one_euro": {"cutoff": 1}}, "one_euro = .* it has min_cutoff, beta, d_cutoff"),
        ({"one_euro": {"min_cutoff": 0}}, "one_euro.min_cutoff = 0 is too small"),
        ({"one_euro": {"beta": -1}}, "one_euro.beta = -1"),
        ({"one_euro": {"d_cutoff": 0}}, "one_euro.d_cutoff = 0"),
        ({"spring": 3}, "spring = 3 is not understood: it has frequency, damping"),
        ({"spring": {"frequency": 0}}, "spring.frequency = 0 is too small"),
        ({"spring": {"damping": -0.1}}, "spring.damping = -0.1"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(fields: dict, says: str) -> None:
    with pytest.raises(KinesphereError, match=says):
        route(**fields)


@pytest.mark.parametrize("feature", ["", None, 3])
def test_a_route_needs_a_feature(feature: Any) -> None:
    with pytest.raises(KinesphereError, match="needs the name of a feature"):
        Route(feature)


@pytest.mark.parametrize("setting", settings_of_every_kind())
def test_a_route_is_plain_data(setting: Route) -> None:
    assert Route(**asdict(setting)) == setting
    assert len({setting, Route(**asdict(setting))}) == 1
    with pytest.raises(FrozenInstanceError):
        setting.low = 1  # type: ignore[misc]


def test_a_patch_can_hold_a_route() -> None:
    text = """
        feature = "roll"
        low = -0.5
        in_low = -90
        in_high = 90
        circular = 360
        one_euro = {min_cutoff = 0.8, beta = 0.2}
        spring = {frequency = 2}
    """
    expected = Route(
        "roll", low=-0.5, in_low=-90, in_high=90, circular=360, one_euro=OneEuro(0.8, 0.2), spring=Spring(frequency=2)
    )
    assert Route(**tomllib.loads(text)) == expected
    assert TypeAdapter(Route).validate_python(tomllib.loads(text)) == expected


# --- when the feature is lost --------------------------------------------------------------------------------------------


def seen_and_lost(setting: Route, times: Any, other: float | None = None, value: float = 0.8) -> list[float]:
    """A hand that is there until 1 s, then gone until 3 s, then there again."""
    follow = Follower(setting)
    return [follow(NAN if 1 <= t < 3 else value, t, other) for t in times]


def faded(t: float, there: float, other: float, tau: float) -> float:
    """The closed form of the same."""
    if t < 1:
        return there
    away = (other - there) * (1 - math.exp(-(t - 1) / tau))
    if t < 3:
        return there + away
    away = (other - there) * (1 - math.exp(-2 / tau))
    return there + away * math.exp(-(t - 3) / tau)


@pytest.mark.parametrize("rate", [10, 15, 30, 60])
@pytest.mark.parametrize("tau", [0.2, 0.5, 3.0])
def test_a_lost_feature_fades_to_what_else_was_said_and_back(rate: int, tau: float) -> None:
    """What is said to be lost from a step on was lost since the step before: the same curve at every rate, on those steps."""
    setting = route(low=0, high=2, otherwise=0.3, fade=tau)
    times = [i / rate for i in range(5 * rate)]
    shift = 1 / rate  # a value is held up to the step that brings it
    found = seen_and_lost(setting, times)
    assert found == pytest.approx([faded(t + shift if t >= 1 else t, 1.6, 0.3, tau) for t in times], abs=1e-12)


def test_without_a_word_it_is_held() -> None:
    assert seen_and_lost(route(low=0, high=2), [0, 1, 2, 2.9]) == [1.6] * 4
    assert route().otherwise is None and route(otherwise=0.0).otherwise == 0.0


def test_another_route_may_take_over() -> None:
    setting = route(low=0, high=2, otherwise=Route("loudness"), fade=0.5)
    follow, other = Follower(setting), Follower(Route("loudness"))
    for t in (0.0, 0.5):
        assert follow(0.8, t, other(0.1, t)) == 1.6
    way = math.exp(-1 / 0.5)
    assert follow(NAN, 1.5, other(0.4, 1.5)) == pytest.approx(way * 1.6 + (1 - way) * 0.4)
    assert Route(**asdict(setting)) == setting


def test_who_has_not_come_yet_is_lost_and_who_is_there_at_once_is_not() -> None:
    setting = route(low=0, high=2, otherwise=0.3, fade=0.5)
    assert Follower(setting).value == 0.3 and Follower(setting)(0.8, 7.0) == 1.6
    follow = Follower(setting)
    assert [follow(NAN, t) for t in (0.0, 1.0)] == [0.3, 0.3]
    assert follow(0.8, 1.5) == pytest.approx(0.3 + 1.3 * (1 - math.exp(-1)))


def test_a_fade_of_nothing_cuts() -> None:
    assert seen_and_lost(route(low=0, high=2, otherwise=0.3, fade=0), [0, 0.9, 1, 2, 3]) == [1.6, 1.6, 0.3, 0.3, 1.6]


@pytest.mark.parametrize("clamp", [True, False])
def test_an_angle_fades_the_shorter_way_round(clamp: bool) -> None:
    """From 170 degrees to -170: through 180, never through 0. The closed form is that of the way of 20 degrees."""
    setting = Route(
        "hand.angle", low=-180, high=180, in_low=-math.pi, in_high=math.pi, circular=2 * math.pi, clamp=clamp,
        otherwise=-170.0, fade=0.5,
    )  # fmt: skip
    times = [i / 60 for i in range(300)]
    found = seen_and_lost(setting, times, value=math.radians(170))
    for t, angle in zip(times, found, strict=True):
        way = faded(t + 1 / 60 if t >= 1 else t, 170, 190, 0.5)
        assert math.remainder(angle - way, 360) == pytest.approx(0, abs=1e-9)
        assert abs(angle) >= 170 - 1e-9 and (not clamp or abs(angle) <= 180)


def test_a_hand_that_comes_back_elsewhere_is_reached_the_shorter_way_from_rest() -> None:
    setting = Route("hand.angle", low=-180, high=180, in_low=-180, in_high=180, circular=360, otherwise=0.0, fade=0.1)
    follow = Follower(setting)
    follow(170.0, 0.0)
    for i in range(1, 200):
        follow(NAN, i / 60)
    back = [follow(-90.0, (200 + i) / 60) for i in range(100)]
    assert all(-90 - 1e-6 <= angle <= 1e-3 for angle in back) and back[-1] == pytest.approx(-90, abs=1e-3)


def test_what_goes_half_the_way_round_in_its_range_has_ends_and_stays_between_them() -> None:
    """A quarter turn of the hand plays psi: between 0.1 and 0.9 the way is straight, not beyond the ends."""
    setting = Route("hand.angle", low=0, high=1, in_low=-120, in_high=120, circular=360, otherwise=0.95, fade=0.5)
    assert setting.turn is None
    found = seen_and_lost(setting, [i / 30 for i in range(120)], value=-110)
    assert all(0 <= value <= 0.95 for value in found) and sorted(found[30:90]) == found[30:90]


def test_a_follower_that_fades_can_be_remembered() -> None:
    setting = route(low=0, high=2, otherwise=0.3, fade=0.5, attack=0.2)
    follow, again = Follower(setting), Follower(setting)
    for i, value in enumerate((0.2, 0.9, NAN, NAN)):
        follow(value, i / 10)
    again.remind(json.loads(json.dumps(follow.memory())))
    assert [follow(v, 0.4 + i / 10) for i, v in enumerate((NAN, 0.5, 0.6))] == [
        again(v, 0.4 + i / 10) for i, v in enumerate((NAN, 0.5, 0.6))
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"otherwise": NAN}, "otherwise = nan is not a number"),
        ({"otherwise": "rest"}, "otherwise = 'rest' is not a number"),
        ({"otherwise": {"low": 1}}, "is no route: it needs the name of a feature"),
        ({"otherwise": {"feature": "x", "hight": 1}}, "otherwise = .* it has feature, low, high"),
        ({"fade": -1}, "fade = -1 is too small: take 0 or more"),
    ],
)
def test_what_cannot_happen_otherwise_is_refused_in_words(fields: dict, says: str) -> None:
    with pytest.raises(KinesphereError, match=says):
        route(**fields)
