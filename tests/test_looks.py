"""Between looks everything goes the way that suits it: seeds turn, numbers slide, times keep their ratios, names switch once."""

import math

import pytest
from conftest import Hand
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kinesphere import patch
from kinesphere.features import Brightness
from kinesphere.latent import EASINGS, blend, seed_to_z, seeds_to_z, slerp
from kinesphere.looks import Morph, between, checked, fitted, look, pad_weights
from kinesphere.patch import Along, BadPatch, Drive, Latent, Patch, Picture, Place
from kinesphere.routes import CURVES, Follower, OneEuro, Route, Spring, shape
from kinesphere.types import KinesphereError

INSTRUMENT = patch.parse(
    """
[sources.eye]
kind = "camera"
[features.scene]
kind = "activations"
[features.hands]
kind = "activations"
[features.light]
kind = "brightness"
[features.dance]
kind = "motion"
"""
)

numbers = st.floats(-3, 3).map(lambda x: round(x, 3))
seconds = st.floats(0, 5).map(lambda x: round(x, 3))
routes = st.builds(
    Route,
    feature=st.sampled_from(["light", "dance"]),
    low=numbers,
    high=numbers,
    in_low=st.floats(-1, 0.4),
    in_high=st.floats(0.5, 9) | st.floats(-9, -2),
    clamp=st.booleans(),
    curve=st.sampled_from(list(CURVES)),
    dead_zone=st.floats(0, 0.9),
    attack=seconds,
    release=seconds,
    one_euro=st.none() | st.builds(OneEuro, beta=seconds),
    spring=st.none() | st.builds(Spring, frequency=st.floats(0.1, 9), damping=seconds),
    circular=st.none() | st.sampled_from([20.0, 360.0]),
)
seed_numbers = st.integers(0, 2**32 - 1)
latents = st.builds(
    Latent,
    seed=seed_numbers,
    mix=st.lists(st.tuples(seed_numbers, st.floats(0.001, 9)), max_size=4),
    drift=st.just(0.0) | st.floats(1, 100),
    rows=st.dictionaries(
        st.sampled_from(["coarse", "middle", "all", "placement", "3", "7-9"]),
        st.builds(Drive, st.sampled_from(["scene", "hands"]), numbers | routes),
        max_size=3,
    ),
    psi=numbers | routes,
    classes=st.dictionaries(st.sampled_from(["0", "7"]), numbers | routes, max_size=2),
    directions=st.dictionaries(
        st.sampled_from(["pc1", "pc2", "smile"]),
        st.builds(Along, numbers | routes, st.sampled_from(["", "a.npy"]), st.sampled_from(["", "3"]), st.booleans()),
        max_size=2,
    ),
    cutoff=st.none() | st.integers(0, 18),
    centres=st.integers(0, 64),
    places=st.dictionaries(
        st.sampled_from(["me", "you", "a friend"]),
        st.builds(Place, st.sampled_from(["a.npy", "b.npy"]), numbers | routes, st.sampled_from(["all", "3"])),
        max_size=3,
    ),
)
looks = st.builds(
    lambda latent, noise: look(Patch(latent=latent, picture=Picture(noise_mode=noise))),
    latents,
    st.sampled_from(["const", "random", "none"]),
)
weights = st.floats(0, 10) | st.just(0.0)


def seen(**edits):
    """A look of the instrument with some places changed; `rows__coarse` is latent.rows.coarse."""
    return look(
        patch.changed(INSTRUMENT, {f"latent.{name.replace('__', '.')}": value for name, value in edits.items()})
    )


def test_a_look_is_what_is_played_and_nothing_else():
    p = patch.changed(INSTRUMENT, {"latent.psi": {"feature": "light"}, "latent.rows.coarse": "scene", "latent.seed": 8})
    kept = look(p)
    assert set(kept) == {
        *("latent.seed", "latent.mix", "latent.drift", "latent.rows", "latent.psi", "latent.cutoff", "latent.label"),
        *("latent.directions", "latent.classes", "latent.places", "latent.centres"),
        *("bends", "picture.noise_mode"),
    }
    assert patch.changed(INSTRUMENT, kept).latent == p.latent


def test_going_back_to_a_look_lets_go_of_rows_that_it_did_not_drive():
    driven = patch.changed(INSTRUMENT, {"latent.rows.coarse": "scene"})
    assert patch.changed(driven, look(INSTRUMENT)).latent.rows == {}


# --- between ----------------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(st.lists(st.tuples(looks, weights), min_size=1, max_size=4))
def test_between_any_looks_lies_a_look_that_can_be_played(asked):
    assume(any(weight for _, weight in asked))
    found = between([one for one, _ in asked], [weight for _, weight in asked])
    new = patch.changed(INSTRUMENT, found)
    assert patch.parse(patch.dumps(new)) == new
    assert len(new.latent.mix) <= 16


@settings(max_examples=60)
@given(looks, st.lists(looks, max_size=3), st.floats(1e-6, 10), st.integers(0, 3))
def test_one_look_alone_is_exactly_itself(one, others, weight, place):
    every = [*others[:place], one, *others[place:]]
    assert between(every, [weight if other is one else 0.0 for other in every]) == one


@settings(max_examples=60)
@given(st.lists(st.tuples(looks, st.floats(0.1, 10)), min_size=1, max_size=4, unique_by=lambda p: p[1]), st.randoms())
def test_the_order_of_looks_does_not_matter(asked, random):
    mixed = list(asked)
    random.shuffle(mixed)
    a, b = (between([one for one, _ in way], [weight for _, weight in way]) for way in (asked, mixed))
    pa, pb = (patch.changed(INSTRUMENT, found).latent for found in (a, b))
    assert pa.seed == pb.seed or len(pa.mix) > 1
    assert [s for s, _ in pa.mix] == [s for s, _ in pb.mix]
    assert [w for _, w in pa.mix] == pytest.approx([w for _, w in pb.mix])
    for place in ("cutoff", "drift", "label"):
        assert getattr(pa, place) == getattr(pb, place)
    assert isinstance(pa.psi, Route) == isinstance(pb.psi, Route)
    if not isinstance(pa.psi, Route):
        assert pa.psi == pytest.approx(pb.psi)


@settings(max_examples=60)
@given(looks, looks)
def test_between_leaves_its_looks_as_they_are(a, b):
    before = (repr(a), repr(b))
    between([a, b], [1, 2])["latent.rows"]["new"] = 1
    between([a, b], [1, 0])["latent.rows"]["new"] = 1
    assert (repr(a), repr(b)) == before


def test_seeds_become_a_mix_of_their_weights():
    found = between([seen(seed=5), seen(seed=2)], [1, 3])
    assert found["latent.mix"] == [[2, 0.75], [5, 0.25]] and found["latent.seed"] == 2


def test_a_looks_own_mix_counts_and_seeds_that_meet_are_one():
    found = between([seen(mix=[[1, 2], [2, 2]]), seen(seed=2)], [1, 1])
    assert found["latent.mix"] == [[1, 0.25], [2, 0.75]]
    assert between([seen(seed=7), seen(seed=7, psi=1)], [1, 2])["latent.mix"] == []


def test_a_seed_that_nobody_would_see_is_left_out_and_many_are_bounded():
    assert between([seen(seed=5), seen(seed=2)], [1, 1e-6])["latent.mix"] == []
    many = between([seen(seed=i) for i in range(40)], [1 + i for i in range(40)])["latent.mix"]
    assert [seed for seed, _ in many] == list(range(24, 40))
    assert math.fsum(weight for _, weight in many) == pytest.approx(1)


@pytest.mark.parametrize("t", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_the_way_between_two_seeds_is_the_sphere(t):
    found = Morph(seen(seed=5), seen(seed=2), 1.0, "linear").at(t)
    seeds, parts = zip(*(found["latent.mix"] or [[found["latent.seed"], 1.0]]), strict=True)
    z = blend(seeds_to_z(seeds, 64), parts)
    assert (z - slerp(seed_to_z(5, 64), seed_to_z(2, 64), t)).abs().max() < 1e-5


def test_psi_slides():
    assert between([seen(psi=0.4), seen(psi=1.0)], [1, 2])["latent.psi"] == pytest.approx(0.8)
    assert between([seen(psi=0.7), seen(psi=0.7)], [0.3, 0.6])["latent.psi"] == 0.7  # and does not tremble


def test_a_number_becomes_a_route_without_a_jump():
    a, b = seen(psi=0.5), seen(psi={"feature": "light", "low": 0.0, "high": 2.0, "release": 1.0})
    found = between([a, b], [3, 1])["latent.psi"]
    assert (found["feature"], found["low"], found["high"], found["release"]) == ("light", 0.375, 0.875, 1.0)
    barely = patch.changed(INSTRUMENT, between([a, b], [1, 1e-9])).latent.psi
    assert Follower(barely)(1.0, 0.0) == pytest.approx(0.5)


one_feature = routes.map(lambda r: Route("light", r.low, r.high, curve=r.curve, invert=r.invert, release=r.release))


@given(numbers | one_feature, numbers | one_feature, st.floats(0.001, 0.49) | st.floats(0.51, 0.999), st.floats(-1, 2))
def test_a_small_step_of_a_morph_is_a_small_step_of_the_number(a, b, way, u):
    """Wherever the feature is; at half the way a curve may become another."""
    looks = [look(Patch(latent=Latent(psi=psi))) for psi in (a, b)]

    def played(way: float) -> float:
        found = patch.changed(INSTRUMENT, between(looks, [1 - way, way])).latent.psi
        return shape(found, u) if isinstance(found, Route) else found

    assert played(way) == pytest.approx(played(way + 1e-6), abs=1e-3)


def test_routes_of_one_feature_slide_and_their_times_keep_their_ratio():
    a = seen(psi={"feature": "light", "low": 0, "high": 1, "attack": 0.1, "spring": {"frequency": 1}, "curve": "exp"})
    b = seen(psi={"feature": "light", "low": 1, "high": 3, "attack": 4.0, "spring": {"frequency": 4}, "in_low": -2})
    found = between([a, b], [2, 2])["latent.psi"]
    assert (found["low"], found["high"], found["in_low"], found["curve"]) == (0.5, 2, -1, "exp")
    assert found["attack"] == pytest.approx(math.sqrt(0.11 * 4.01) - 0.01)
    assert found["spring"]["frequency"] == pytest.approx(2)


def test_a_circular_range_goes_the_short_way_round():
    a = seen(psi={"feature": "light", "in_low": 340, "in_high": 350, "circular": 360})
    b = seen(psi={"feature": "light", "in_low": 20, "in_high": 30, "circular": 360})
    found = between([a, b], [1, 1])["latent.psi"]
    assert (found["in_low"] % 360, found["in_high"] % 360) == pytest.approx((0, 10))


def test_what_has_nothing_between_switches_at_half():
    a = seen(psi={"feature": "light", "low": 0.1}, cutoff=3, drift=20, centres=8)
    b = seen(psi={"feature": "dance", "low": 0.9}, cutoff=None, drift=60, centres=0)
    b["picture.noise_mode"] = "none"
    for weights, winner in (([0.51, 0.49], a), ([0.49, 0.51], b)):
        found = between([a, b], weights)
        for place in ("latent.psi", "latent.cutoff", "latent.drift", "latent.centres", "picture.noise_mode"):
            assert found[place] == winner[place]


def test_rows_come_and_go_by_their_amount():
    a, b = seen(rows__coarse="scene"), seen(rows__coarse={"feature": "scene", "amount": 0.5}, rows__fine="hands")
    assert between([a, b], [3, 1])["latent.rows"] == {
        "coarse": {"feature": "scene", "amount": 0.875},
        "fine": {"feature": "hands", "amount": 0.25},
    }


def test_rows_of_other_features_switch():
    a, b = seen(rows__coarse="scene"), seen(rows__coarse="hands")
    assert between([a, b], [3, 1])["latent.rows"] == a["latent.rows"]
    assert between([a, b], [1, 3])["latent.rows"] == b["latent.rows"]


@pytest.mark.parametrize("a, b", [("all", "coarse"), ("0-3", "2"), ("coarse", "2"), ("placement", "0-1")])
def test_looks_that_cut_the_rows_up_differently_never_drive_one_row_twice(a, b):
    found = between([seen(**{f"rows__{a}": "scene"}), seen(**{f"rows__{b}": "scene"})], [2, 1])
    assert list(found["latent.rows"]) == [a]


@pytest.mark.parametrize(
    "a, b", [(["3", "placement"], ["4-6"]), (["3", "coarse"], ["3"]), (["all"], ["placement"]), (["0-2"], ["3"])]
)
def test_rows_that_lie_apart_are_mixed_one_by_one(a, b):
    """Also those of which only the model can tell, where one look has both: it has been played."""
    found = between([seen(**{f"rows__{name}": "scene" for name in names}) for names in (a, b)], [1, 1])
    assert set(found["latent.rows"]) == {*a, *b}


def kept(**amounts):
    """A look that goes to the latents in some files, by their amounts."""
    return seen(places={name: {"file": f"{name}.npy", "amount": amount} for name, amount in amounts.items()})


def amounts(there):
    return {name: place["amount"] for name, place in there["latent.places"].items()}


def test_a_kept_latent_comes_and_goes_by_its_amount():
    assert amounts(between([kept(me=0.2), kept(me=1.0)], [3, 1])) == {"me": pytest.approx(0.4)}
    assert amounts(between([kept(me=1.0), kept()], [3, 1])) == {"me": 0.75}
    assert amounts(between([kept(), kept(me=1.0)], [3, 1])) == {"me": 0.25}
    moved = between([kept(me={"feature": "light"}), kept()], [3, 1])["latent.places"]["me"]["amount"]
    assert (moved["feature"], moved["low"], moved["high"]) == ("light", 0.0, 0.75)


layered = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1) | st.sampled_from([0.0, 1.0]), max_size=4)


@given(st.lists(layered, min_size=1, max_size=4), st.data())
def test_where_kept_latents_lead_goes_straight_between_looks(asked, data):
    """One covers another by its amount; what each is of the whole is mixed in the shares of the looks."""
    shares = data.draw(st.lists(st.floats(0.1, 9), min_size=len(asked), max_size=len(asked)))
    asked += [dict(reversed(asked[0].items()))]
    shares += [0.5]

    def shown(there):
        whole: dict[str, float] = {}
        for name, amount in there.items():
            whole = {other: part * (1 - amount) for other, part in whole.items()} | {name: amount}
        return whole

    found = shown(amounts(between([kept(**one) for one in asked], shares)))
    for name in "abcd":
        parts = [share * shown(one).get(name, 0.0) for one, share in zip(asked, shares, strict=True)]
        assert found.get(name, 0.0) == pytest.approx(math.fsum(parts) / math.fsum(shares), abs=1e-6)


def test_two_latents_of_one_name_stand_side_by_side_until_one_is_left():
    a, b = (seen(places={"me": {"file": file}}) for file in ("a.npy", "b.npy"))
    between_them = between([a, b], [3, 1])["latent.places"]
    assert {name: (place["file"], place["amount"]) for name, place in between_them.items()} == {
        "me": ("a.npy", 1.0),
        "me 2": ("b.npy", 0.25),
    }
    assert between([a, b], [0, 1])["latent.places"] == b["latent.places"]


def test_of_very_many_kept_latents_those_that_are_most_there_stay():
    a, b = (kept(**{f"n{i}": 1.0 for i in some}) for some in (range(16), range(8, 24)))
    found = between([a, b], [2, 1])
    assert [*found["latent.places"]] == [f"n{i}" for i in range(16)]
    assert patch.changed(INSTRUMENT, found)


def test_places_that_are_not_known_yet_go_as_numbers_do():
    a, b = {"bends.swirl.amount": 0.0, "bends.swirl.kind": "x"}, {"bends.swirl.amount": 1.0, "bends.swirl.kind": "y"}
    assert between([a, b], [1, 3]) == {"bends.swirl.amount": 0.75, "bends.swirl.kind": "y"}


@pytest.mark.parametrize("bad", [[], [1], [0, 0], [1, -1], [1, math.nan], [1, math.inf]])
def test_weights_that_do_not_fit_are_refused(bad):
    with pytest.raises(KinesphereError, match="weights"):
        between([seen(), seen(psi=1)], bad)


# --- morphs -----------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(looks, looks, st.sampled_from(list(EASINGS)), st.floats(0, 30))
def test_a_morph_begins_and_ends_exactly(a, b, easing, seconds):
    morph = Morph(a, b, seconds, easing)
    assert morph.at(seconds) == b and morph.at(seconds + 1) == b and morph.done(seconds)
    if seconds and easing != "hold":
        assert morph.at(0) == a and morph.at(-1) == a and not morph.done(0)


@settings(max_examples=40)
@given(looks, looks, st.sampled_from(list(EASINGS)), st.floats(0, 1))
def test_every_moment_of_a_morph_can_be_played(a, b, easing, t):
    patch.changed(INSTRUMENT, Morph(a, b, 1.0, easing).at(t))


def test_a_morph_goes_at_the_pace_of_its_easing():
    morph = Morph(seen(psi=0), seen(psi=1), 2.0, "quad_in")
    assert [morph.at(t)["latent.psi"] for t in (0.5, 1.0, 1.5)] == pytest.approx([0.0625, 0.25, 0.5625])


def test_a_morph_of_no_time_is_there_at_once():
    assert Morph(seen(psi=0), seen(psi=1)).at(0) == seen(psi=1)


def test_a_morph_that_cannot_be_is_refused():
    for seconds in (-1, math.nan, math.inf, 1e9):
        with pytest.raises(KinesphereError, match="not possible"):
            Morph({}, {}, seconds)
    with pytest.raises(KinesphereError, match="no easing 'wobble'"):
        Morph({}, {}, 1, "wobble")


# --- the pad ----------------------------------------------------------------------------------------------------------

places = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(st.lists(places, min_size=1, max_size=8), places)
def test_the_weights_of_a_pad_sum_to_one(points, at):
    found = pad_weights(points, at)
    assert math.fsum(found) == pytest.approx(1, abs=1e-12) and all(weight >= 0 for weight in found)


@given(st.lists(places, min_size=1, max_size=8, unique=True), st.integers(0, 7))
def test_on_a_point_it_alone_counts(points, which):
    which %= len(points)
    assert pad_weights(points, points[which]) == [float(i == which) for i in range(len(points))]


@given(st.lists(places, min_size=1, max_size=8), places, st.randoms())
def test_the_order_of_points_does_not_matter(points, at, random):
    order = list(range(len(points)))
    random.shuffle(order)
    found = pad_weights(points, at)
    assert pad_weights([points[i] for i in order], at) == pytest.approx([found[i] for i in order], abs=1e-12)


grid = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda p: (p[0] / 20, p[1] / 20))


@given(st.lists(grid, min_size=1, max_size=6, unique=True), places, st.floats(0, 2 * math.pi))
def test_a_small_step_of_the_finger_is_a_small_step_of_the_weights(points, at, angle):
    step = 1e-5
    there = (at[0] + step * math.cos(angle), at[1] + step * math.sin(angle))
    change = max(abs(a - b) for a, b in zip(pad_weights(points, at), pad_weights(points, there), strict=True))
    assert change < 0.005


def test_points_in_one_place_share():
    assert pad_weights([(0, 0), (0, 0), (1, 1)], (0, 0)) == [0.5, 0.5, 0]


@pytest.mark.parametrize(
    "points, at", [([], (0, 0)), ([(0, 0)], (math.nan, 0)), ([(math.inf, 0)], (0, 0)), ([(1,)], (0, 0))]
)
def test_what_is_no_place_on_a_pad_is_refused(points, at):
    with pytest.raises(KinesphereError, match="pad"):
        pad_weights(points, at)


# --- looks from elsewhere -----------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(looks)
def test_a_look_that_was_made_here_is_taken_back_as_it_was(one):
    try:
        assert checked(one) == one
    except BadPatch as refused:  # the same feature as a number and as a latent
        assert "no feature" in str(refused)


@pytest.mark.parametrize(
    "asked, said",
    [
        (3, "a look is a table"),
        ({"sources.eye": None}, "no place 'sources.eye'"),
        ({"latent.seed": "x"}, "integer"),
        ({"latent.rows": [1]}, "latent.rows"),
        ({"latent.rows": {"coarse": {"feature": [1]}}}, "latent.rows.coarse"),
        ({"latent.rows": {"bass": "scene"}}, "no such rows"),
        ({"latent.psi": {"feature": "light", "low": "x"}}, "latent.psi.low"),
        ({"picture.noise_mode": "loud"}, "loud"),
    ],
)
def test_a_look_that_cannot_be_one_is_refused(asked, said):
    with pytest.raises(KinesphereError, match=said):
        checked(asked)


def test_what_was_left_out_has_its_default():
    assert checked({"latent.seed": 3})["latent.psi"] == 0.7


def test_a_look_of_another_instrument_is_cut_to_fit():
    other = Patch(
        latent=Latent(seed=4, psi=Route("bass"), rows={"coarse": Drive("face"), "fine": Drive("scene", Route("bass"))})
    )
    other.latent.places = {"me": Place("me.npy", Route("bass")), "you": Place("you.npy", Route("light"))}
    cut = fitted(look(other), INSTRUMENT)
    new = patch.changed(INSTRUMENT, cut)
    assert new.latent.places == {"you": Place("you.npy", Route("light"))}
    assert new.latent.seed == 4 and new.latent.psi == 0.7 and new.latent.rows == {"fine": Drive("scene", 1.0)}


# --- bends ----------------------------------------------------------------------------------------------------------------

NONE, TURNED, STRANGE = (
    look(patch.parse(text))
    for text in (
        "",
        """
        [bends.turn]
        kind = "transform"
        rotate = 3.0
        zoom = 2.0
        [bends.boil]
        kind = "const"
        amount = 1.0
        wander = 20.0
        seed = 5
        """,
        """
        [bends.turn]
        kind = "transform"
        rotate = -3.0
        [bends.boil]
        kind = "noise"
        boil = 1.0
        """,
    )
)


def test_a_bend_comes_from_where_it_does_nothing_and_is_gone_at_the_end():
    assert between([NONE, TURNED], [0, 1]) == TURNED and between([NONE, TURNED], [1, 0]) == NONE
    half = between([NONE, TURNED], [0.5, 0.5])["bends"]
    assert half["turn"] == {**TURNED["bends"]["turn"], "rotate": 1.5, "zoom": 1.5}
    assert half["boil"] == {**TURNED["bends"]["boil"], "amount": 0.5}  # its seed and its own time stay


def test_an_angle_turns_the_shorter_way():
    half = between([TURNED, STRANGE], [0.5, 0.5])["bends"]["turn"]
    assert abs(math.remainder(half["rotate"] - math.pi, 2 * math.pi)) < 1e-9 and half["zoom"] == 1.5


def test_bends_of_another_kind_switch():
    for weight, one in ((0.6, TURNED), (0.4, STRANGE)):
        assert between([TURNED, STRANGE], [weight, 1 - weight])["bends"]["boil"] == one["bends"]["boil"]


def test_a_look_can_be_bent_by_what_is_seen_and_is_taken_back_as_it_was():
    bent = {"kind": "transform", "rotate": {"feature": "hand.angle", "otherwise": {"feature": "light"}}}
    kept = checked({"bends": {"turn": bent}, "latent.psi": {"feature": "hand.x"}})
    assert kept["bends"]["turn"]["rotate"]["otherwise"]["feature"] == "light" and checked(kept) == kept
    with pytest.raises(BadPatch, match="bends.turn.rotat: no such key"):
        checked({"bends": {"turn": {"kind": "transform", "rotat": 1}}})


def test_a_look_from_another_instrument_is_cut_to_the_numbers_that_are_there():
    p = Patch(sources=INSTRUMENT.sources, features={"hand": Hand(), "light": Brightness()})
    lost = {"feature": "light", "otherwise": {"feature": "gone"}}
    bent = {"kind": "transform", "rotate": {"feature": "foot.angle"}, "zoom": {"feature": "hand.x"}, "x": lost}
    fits = fitted(checked({"bends": {"turn": bent}, "latent.psi": {"feature": "hand.y"}}), p)
    turn = patch.changed(p, fits).bends["turn"]
    assert turn.rotate == 0.0 and turn.zoom.feature == "hand.x" and turn.x.otherwise is None
    assert "latent.psi" not in fits


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([NONE, TURNED, STRANGE]), min_size=1, max_size=4), st.data())
def test_between_any_bends_lies_a_look_that_can_be_played(asked, data):
    shares = data.draw(st.lists(st.floats(0.01, 1), min_size=len(asked), max_size=len(asked)))
    assert checked(between(asked, shares))["bends"] == between(asked, shares)["bends"]
