"""A mapping that was shown: at each pose its look, a smooth way between them, and less sure the farther from all of them."""

import json
import math
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from conftest import Kept, Light, Pooled, Scripted, tiny_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist

from kinesphere import patch as patches
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.engine import Engine, render
from kinesphere.features import FEATURES
from kinesphere.lanes import Drawn
from kinesphere.latent import blend, seeds_to_z
from kinesphere.looks import look
from kinesphere.looks import showing as s
from kinesphere.looks.showing import LOST, SURE, Guide, Map
from kinesphere.patch import BadPatch, Latent, Patch
from kinesphere.shown import Example, Showing
from kinesphere.shown import noise as trembling
from kinesphere.sources import SOURCES
from kinesphere.takes import Recorder, Replay, Take
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

# --- weights --------------------------------------------------------------------------------------------------------------


def unscaled(points):
    """The same points, each feature divided by how far it goes."""
    return points / points.std(0)


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("width", s.WIDTHS)
def test_weights_are_those_of_scipy(features, width):
    rng = np.random.default_rng(features)
    places, there = rng.normal(size=(9, features)), rng.normal(size=(40, features))
    inverse = s.cardinal(s.apart(places), width)
    rows = np.c_[s.kernel(cdist(there, places), width), np.ones(40)]
    theirs = RBFInterpolator(places, np.eye(9), kernel="multiquadric", epsilon=1 / width, degree=0)
    np.testing.assert_allclose(rows @ inverse, theirs(there), atol=1e-7)


def test_what_an_example_would_be_told_without_it_is_what_the_others_alone_tell():
    rng = np.random.default_rng(3)
    places = rng.normal(size=(7, 2))
    told = s.left_out(s.cardinal(s.apart(places), 0.5))
    for i in range(7):
        others = np.delete(places, i, 0)
        inverse = s.cardinal(s.apart(others), 0.5)
        row = np.r_[s.kernel(cdist(places[i : i + 1], others)[0], 0.5), 1.0] @ inverse
        np.testing.assert_allclose(np.delete(told[i], i), row, atol=1e-10)
        assert told[i, i] == 0


poses = st.integers(1, 4).flatmap(
    lambda features: st.lists(
        st.lists(st.integers(-50, 50).map(float), min_size=features, max_size=features), min_size=1, max_size=10
    )
)


@given(poses, st.randoms(use_true_random=False))
@settings(max_examples=80)
def test_weights_are_never_below_0_and_sum_to_1_and_each_example_has_its_look(examples, random):
    """Whatever was shown: poses twice, features that stand still, one look many times."""
    looks = [random.randrange(3) for _ in examples]
    shown = Map(examples, looks, np.eye(3))
    for pose in [*examples, [random.uniform(-90, 90) for _ in examples[0]]]:
        weights, sure = shown(pose)
        assert (weights >= 0).all() and weights.sum() == pytest.approx(1, abs=1e-9) and 0 <= sure <= 1
    for pose in examples:
        weights, sure = shown(pose)
        own = [looks[i] for i, other in enumerate(examples) if other == pose]
        for kind in range(3):
            assert weights[kind] == pytest.approx(own.count(kind) / len(own), abs=1e-6)
        assert sure == pytest.approx(1, abs=1e-9)


def test_of_one_feature_a_thin_kernel_is_straight_lines_from_example_to_example():
    inverse = s.cardinal(s.apart(np.array([[0.0], [1.0], [3.0]])), 1e-6)
    rows = np.r_[s.kernel(np.abs(2.5 - np.array([0.0, 1.0, 3.0])), 1e-6), 1.0]
    np.testing.assert_allclose(rows @ inverse, [0, 0.25, 0.75], atol=1e-5)


def test_examples_of_one_look_add_up():
    shown = Map([[0.0], [1.0], [2.0], [3.0]], [0, 1, 1, 0])
    weights, _ = shown([1.5])
    assert weights[1] > 0.95
    assert len(weights) == 2


def test_two_looks_shown_at_one_pose_are_half_and_half():
    weights, sure = Map([[1.0, 2.0], [1.0, 2.0], [5.0, 4.0]], [0, 1, 2])([1.0, 2.0])
    np.testing.assert_allclose(weights, [0.5, 0.5, 0], atol=1e-9)
    assert sure == 1


def test_one_example_alone_is_everywhere():
    weights, sure = Map([[1.0, 2.0]], [0])([9.0, -4.0])
    assert weights.tolist() == [1] and sure == 1


def test_weights_move_without_a_jump():
    rng = np.random.default_rng(5)
    shown = Map(rng.uniform(size=(8, 3)), range(8))
    way = np.linspace(-1, 2, 4001)[:, None] * np.ones(3)
    weights = np.array([shown(pose)[0] for pose in way])
    sure = np.array([shown(pose)[1] for pose in way])
    assert np.abs(np.diff(weights, axis=0)).max() < 0.02
    assert np.abs(np.diff(sure)).max() < 0.02


# --- features -------------------------------------------------------------------------------------------------------------


def test_the_unit_of_a_feature_does_not_matter():
    rng = np.random.default_rng(1)
    examples, pose = rng.uniform(size=(8, 3)), rng.uniform(size=3)
    units, zeros = np.array([1.0, 1000.0, 0.001]), np.array([0.0, -7.0, 3.0])
    plain, other = Map(examples, range(8)), Map(examples * units + zeros, range(8))
    np.testing.assert_allclose(plain(pose)[0], other(pose * units + zeros)[0], atol=1e-6)
    assert plain(pose)[1] == pytest.approx(other(pose * units + zeros)[1])


def test_a_feature_that_never_moved_says_nothing():
    examples = np.array([[0.0, 0.3], [1.0, 0.3], [2.0, 0.3]])
    plain, still = Map(examples[:, :1], range(3)), Map(examples, range(3))
    for x in (0.2, 0.9, 5.0):
        for other in (0.3, 40.0):
            np.testing.assert_allclose(plain([x])[0], still([x, other])[0])
            assert plain([x])[1] == still([x, other])[1]


def test_a_feature_that_only_trembled_says_little():
    """Divided by its variance alone it would count as much as the feature that was really moved."""
    rng = np.random.default_rng(2)
    shown = np.linspace(0, 1, 6)
    examples = np.c_[shown, 0.5 + 0.01 * rng.normal(size=6)]
    pose = [0.2, 0.52]  # the second is as it may be at any moment
    careless, careful = Map(examples, range(6)), Map(examples, range(6), noise=[0.0, 0.05])
    assert careful(pose)[0][1] > 0.85 and careless(pose)[0][1] < 0.5
    assert careful(pose)[1] > 0.95 > careless(pose)[1]


def test_an_angle_has_no_seam():
    angles = np.array([-3.0, -1.0, 1.0, 3.0])[:, None]
    shown = Map(angles, range(4), circular=[True])
    just_before, just_after = shown([math.pi - 1e-6]), shown([-math.pi + 1e-6])
    np.testing.assert_allclose(just_before[0], just_after[0], atol=1e-4)
    np.testing.assert_allclose(just_before[0][[0, 3]], 0.5, atol=1e-3)  # half way from 3 to -3, the short way
    assert just_before[1] > 0.9
    straight = Map(angles, range(4))
    assert abs(straight([math.pi])[0] - straight([-math.pi])[0]).max() > 0.9


def test_turns_more_do_not_matter_to_an_angle():
    shown = Map([[0.1], [1.5], [-2.0]], range(3), circular=[True])
    np.testing.assert_allclose(shown([0.7])[0], shown([0.7 + 4 * math.pi])[0], atol=1e-9)


def test_what_is_not_known_now_is_left_out_of_the_examples_too():
    rng = np.random.default_rng(4)
    examples = rng.uniform(size=(6, 3))
    whole, without = Map(examples, range(6)), Map(examples[:, [0, 2]], range(6))
    assert whole.width == without.width
    pose = rng.uniform(size=3)
    weights, sure = whole([pose[0], math.nan, pose[2]])
    np.testing.assert_allclose(weights, without(pose[[0, 2]])[0], atol=1e-12)
    assert sure == without(pose[[0, 2]])[1]


def test_where_nothing_is_known_it_is_not_sure_of_anything():
    weights, sure = Map([[0.0, 1.0], [1.0, 0.0]], [0, 1])([math.nan, math.nan])
    assert sure == 0 and weights.tolist() == [0.5, 0.5]


def test_an_example_that_lacks_a_feature_is_left_out_while_that_one_is_known():
    shown = Map([[0.0, 0.0], [1.0, 1.0], [2.0, math.nan]], range(3))
    assert shown([2.0, 1.0])[0][2] == 0
    assert shown([2.0, math.nan])[0][2] == pytest.approx(1)


# --- how sure ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_confidence_falls_all_the_way_along_a_ray_from_the_examples(seed):
    rng = np.random.default_rng(seed)
    examples = rng.uniform(size=(8, 4))
    shown = Map(examples, range(8))
    away = rng.normal(size=4)
    first = examples[(examples @ away).argmax()]  # of the convex hull, in that direction
    sure = [shown(first + far * away)[1] for far in np.linspace(0, 3, 200)]
    assert sure[0] == 1 and sure[-1] < 1e-3
    assert (np.diff(sure) <= 0).all()


def test_confidence_is_a_bell_of_the_distance_in_typical_distances():
    points = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0], [3.0, 3.0]])  # each 3 from its two neighbours
    shown = Map(points, range(4))
    for far in (0.5, 1.0, 2.0):
        assert shown([3.0 + 3.0 * far, 0.0])[1] == pytest.approx(math.exp(-far * far / 2))


def test_the_typical_distance_is_that_to_another_look():
    """Three times the same pose for the same look does not make all the rest far away."""
    places = np.array([[0.0], [0.01], [0.02], [1.0]])
    looks = np.eye(2)[[0, 0, 0, 1]]
    assert s.typical(s.apart(places), looks) == pytest.approx(0.985)


def test_between_two_neighbours_the_map_plays_alone_and_far_away_the_safe_look_does():
    assert s.trust(s.confidence(0.5)) == 1 and s.trust(s.confidence(1.0)) == 1
    assert s.trust(s.confidence(2.2)) == 0
    x = np.linspace(0, 1, 1001)
    held = s.trust(x)
    assert (np.diff(held) >= 0).all() and held[x <= LOST].max() == 0 and held[x >= SURE].min() == 1
    assert np.abs(np.diff(held)).max() < 0.0031  # at most 1.5 / (SURE - LOST) to each


# --- how well it guesses ----------------------------------------------------------------------------------------------------

SMOOTH = {
    "a bell": (1, [False], lambda x: np.exp(-16 * (x[:, 0] - 0.5) ** 2)),
    "a wave": (1, [False], lambda x: np.sin(5 * x[:, 0])),
    "a switch": (1, [False], lambda x: np.tanh(6 * (x[:, 0] - 0.5))),
    "a hill": (2, [False] * 2, lambda x: np.exp(-6 * np.square(x - 0.5).sum(1))),
    "a product": (2, [False] * 2, lambda x: x[:, 0] * x[:, 1]),
    "a saddle": (2, [False] * 2, lambda x: (x[:, 0] - 0.5) * (x[:, 1] - 0.5)),
    "an edge": (2, [False] * 2, lambda x: np.tanh(4 * (x[:, 0] + x[:, 1] - 1))),
    "waves": (2, [False] * 2, lambda x: np.sin(4 * x[:, 0]) * np.cos(3 * x[:, 1])),
    "a distance": (2, [False] * 2, lambda x: np.hypot(x[:, 0] - 0.3, x[:, 1] - 0.6)),
    "a cloud": (3, [False] * 3, lambda x: np.exp(-4 * np.square(x - 0.5).sum(1))),
    "a wheel": (1, [True], lambda x: np.cos(2 * x[:, 0])),
    "a crank": (2, [True, False], lambda x: np.cos(x[:, 0]) * x[:, 1]),
}


def shown_apart(rng, features, count=8):
    """Poses as somebody shows them: each one unlike those before (the farthest of 60 at random)."""
    poses = [rng.uniform(size=features)]
    while len(poses) < count:
        offered = rng.uniform(size=(60, features))
        poses.append(offered[cdist(offered, np.array(poses)).min(1).argmax()])
    return np.array(poses)


def errors(name, seed):
    """Root mean square, over 300 poses that were not shown: of the map as it is played, and of a linear fit."""
    features, circular, truth = SMOOTH[name]
    rng = np.random.default_rng(seed)
    examples, others = shown_apart(rng, features), rng.uniform(size=(300, features))
    for f, turns in enumerate(circular):
        if turns:
            examples[:, f], others[:, f] = (2 * x[:, f] * math.pi - math.pi for x in (examples, others))
    values = truth(examples)[:, None]
    shown = Map(examples, range(8), values, circular)
    told = np.array([shown(pose)[0] for pose in others]) @ values
    straight = np.linalg.lstsq(np.c_[examples, np.ones(8)], values, rcond=None)[0]
    linear = np.c_[others, np.ones(300)] @ straight
    return [float(np.sqrt(np.mean((guess[:, 0] - truth(others)) ** 2))) for guess in (told, linear)]


@pytest.mark.parametrize("name", SMOOTH)
def test_from_8_examples_it_is_nearer_than_a_linear_fit_at_poses_that_were_not_shown(name):
    own, linear = np.mean([errors(name, seed) for seed in range(6)], axis=0)
    assert own < 0.9 * linear


WIDTHS = s.WIDTHS


def of_every_width(name, seed, monkeypatch):
    """The errors at poses that were not shown, of 24 examples: of the width that is chosen, and of each that could be."""
    features, circular, truth = SMOOTH[name]
    rng = np.random.default_rng(seed)
    examples, others = shown_apart(rng, features, 24), rng.uniform(size=(200, features))
    values = truth(examples)[:, None]

    def error(widths):
        monkeypatch.setattr(s, "WIDTHS", widths)
        monkeypatch.setattr(s, "PLAIN", widths[0])
        shown = Map(examples, range(24), values, circular)
        told = np.array([shown(pose)[0] for pose in others]) @ values
        return np.sqrt(np.mean((told[:, 0] - truth(others)) ** 2))

    return [error(widths) for widths in (WIDTHS, *((width,) for width in WIDTHS))]


def test_the_width_that_tells_left_out_examples_best_is_good_for_poses_that_were_not_shown(monkeypatch):
    found = np.mean([of_every_width(name, 0, monkeypatch) for name in ("a wave", "a saddle", "waves", "a cloud")], 0)
    chosen, each = found[0], found[1:]
    assert chosen < 1.1 * each.min() and chosen < 0.6 * each.max()


def test_where_no_example_tells_anything_of_another_the_width_is_the_plain_one():
    rng = np.random.default_rng(0)
    assert Map(rng.uniform(size=(12, 2)), range(12), rng.normal(size=(12, 1))).width == s.PLAIN
    assert Map(rng.uniform(size=(12, 2)), range(12)).width == s.PLAIN


def test_the_largest_map_is_made_within_a_second():
    rng = np.random.default_rng(0)
    begin = time.process_time()
    Map(rng.uniform(size=(128, 64)), rng.integers(0, 64, 128), np.eye(64))
    assert time.process_time() - begin < 10  # a wall against cubes of cubes; docs/showing.md has the time


# --- in a patch -------------------------------------------------------------------------------------------------------------

TEXT = """
model = "tiny"
[sources.eye]
kind = "camera"
[features.light]
kind = "brightness"
[features.dance]
kind = "motion"
[features.scene]
kind = "activations"
[latent]
seed = 11
psi = 0.4
[shown]
features = ["light", "dance"]
safe = "calm"
smoothing = 0.0
examples = [
    { pose = [0.1, 0.2], look = "red" },
    { pose = [0.9, 0.3], look = "blue", noise = [0.01, 0.02] },
    { pose = [0.5, 0.9], look = "red" },
]
[shown.looks.red]
latent.seed = 4
latent.psi = { feature = "light", low = 0.3, high = 1.0, release = 0.4 }
[shown.looks.blue]
latent.seed = 5
latent.rows.coarse = { feature = "scene", amount = 0.4 }
picture.noise_mode = "none"
[shown.looks.calm]
latent.mix = [[6, 0.5], [7, 0.5]]
latent.psi = 0.2
"""
INSTRUMENT = patches.parse(TEXT)


@pytest.fixture(scope="module")
def model():
    G = tiny_generator("stylegan2").requires_grad_(False)
    return Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))


class Told:
    """Lanes that say what they are told."""

    def __init__(self, z_dim=16):
        self.scene = Drawn(np.linspace(-1, 1, z_dim).astype(np.float32), 0.0)
        self.now = {"scene": self.scene}

    def say(self, *pose):
        named = dict(zip(("light", "dance"), pose, strict=False))
        self.now = {"scene": self.scene, **{name: Drawn(np.asarray(float(x)), 0.0) for name, x in named.items()}}

    def features(self, t):
        return dict(self.now)

    def show(self, frame, t):
        pass


def playing(model, patch=INSTRUMENT):
    engine = Engine(patch, model)
    engine.lanes = Told()
    return engine


def at(engine, *pose):
    """Where it stands at a pose."""
    engine.lanes.say(*pose)
    engine.step(engine.steps / 10, 0.1)
    assert not engine.health.troubles()
    return engine.ws.clone()


def changed(**fields):
    return patches.changed(INSTRUMENT, {f"shown.{name}": value for name, value in fields.items()})


def test_what_was_shown_is_data_in_the_patch():
    assert patches.parse(patches.dumps(INSTRUMENT)) == INSTRUMENT
    document = json.loads(json.dumps(patches.document(INSTRUMENT)))
    assert patches.from_document(document) == INSTRUMENT
    assert document["shown"]["examples"][1] == {"pose": [0.9, 0.3], "look": "blue", "noise": [0.01, 0.02]}
    assert "shown" not in patches.dumps(Patch())


@pytest.mark.parametrize(
    ("of", "by", "said"),
    [
        ('"light", "dance"', '"light", "hop"', "shown.features: no feature 'hop' that is a number: this patch has light, dance"),
        ('"light", "dance"', '"light", "scene"', "no feature 'scene' that is a number"),
        ('"light", "dance"', '"light", "light"', "'light' is there twice"),
        ('safe = "calm"', 'safe = "warm"', "no look 'warm': there are red, blue, calm"),
        ('safe = "calm"', "circular = [\"hand\"]", "circular: 'hand' is none of the features: light, dance"),
        ("smoothing = 0.0", "smoothing = -1.0", "smoothing -1.0: give seconds"),
        ("smoothing = 0.0", "smoohting = 1.0", "the keys here are features, circular, play, safe, smoothing, examples, looks"),
        ("[0.1, 0.2]", "[0.1]", "example 0: its pose has 1 of 2 numbers"),
        ("[0.1, 0.2]", "[0.1, nan]", "shown.examples.0.pose.1: this should be a finite number"),
        ("[0.1, 0.2]", '[0.1, "a"]', "shown.examples.0.pose.1: this should be a valid number"),
        ("[0.01, 0.02]", "[0.01, -0.02]", "example 1: noise is 0 or more"),
        ('0.9], look = "red"', '0.9], look = "rad"', "example 2: no look 'rad'"),
        ('look = "blue", noise', 'look = "blue", nose', "no such key; the keys here are pose, look, noise"),
        ("latent.seed = 4", "latent.seed = -4", "shown.looks.red.latent: seed -4: seeds go from 0"),
        ("latent.seed = 4", "latent.sed = 4", "shown.looks.red.latent.sed: no such key; the keys here are seed"),
        ("latent.seed = 4", "sinks.film = 4", "shown.looks.red.sinks: no such key; the keys of a look are latent, bends, picture"),
        ("latent.seed = 4", 'bends.turn.kind = "turm"', "shown.looks.red.bends.turn.kind: no kind 'turm'"),
        ('picture.noise_mode = "none"', "picture.fps = 9", "shown.looks.blue.picture: of this a look has noise_mode alone"),
        ('feature = "light", low', 'feature = "lid", low', "shown.looks.red.latent.psi: no feature 'lid'"),
        ('feature = "scene", amount', 'feature = "seen", amount', "no feature 'seen' that is a latent"),
        ("[shown.looks.calm]", '[shown.looks."a.b"]\n[shown.looks.calm]', "'a.b' is no name"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_in_words(of, by, said):
    assert of in TEXT
    with pytest.raises(BadPatch) as refused:
        patches.parse(TEXT.replace(of, by))
    assert said in str(refused.value)


def test_a_feature_that_goes_away_is_missed_in_words():
    with pytest.raises(BadPatch, match="shown.features: no feature 'dance'"):
        patches.changed(INSTRUMENT, {"features.dance": None})
    with pytest.raises(BadPatch, match="shown.looks.blue.latent.rows.coarse: no feature 'scene'"):
        patches.changed(INSTRUMENT, {"features.scene": None})


def test_a_thousand_examples_are_too_many():
    many = [{"pose": [i / 1000, 0.0], "look": "red"} for i in range(1000)]
    with pytest.raises(BadPatch, match="1000 examples are too many: give up to 128"):
        changed(examples=many)
    assert len(changed(examples=many[:128]).shown.examples) == 128


def test_a_row_that_the_model_does_not_have_is_refused_when_they_meet(model):
    with pytest.raises(BadPatch, match="shown.looks.red.latent.rows.40: no rows 40: this model has rows 0 to 7"):
        Engine(changed(**{"looks.red": {"latent": {"rows": {"40": "scene"}}}}), model)


# --- as it plays ----------------------------------------------------------------------------------------------------------


def wearing(name, model):
    """Where the instrument stands that has this look alone."""
    part = patches.shown_looks(INSTRUMENT)[name]
    return playing(model, part)


@pytest.mark.parametrize(("pose", "name"), [((0.1, 0.2), "red"), ((0.9, 0.3), "blue"), ((0.5, 0.9), "red")])
def test_at_an_example_it_is_that_look_to_the_bit(model, pose, name):
    engine, alone = playing(model), wearing(name, model)
    assert (at(engine, *pose) == at(alone, *pose)).all()
    assert (engine.frame == alone.frame).all()
    assert engine.numbers["shown.confidence"] == 1


def test_far_from_every_example_it_is_the_safe_look(model):
    assert (at(playing(model), 30.0, -20.0) == at(wearing("calm", model), 30.0, -20.0)).all()
    own = changed(safe="")
    assert (
        at(playing(model, own), 30.0, 9.0) == at(playing(model, Patch(latent=Latent(seed=11, psi=0.4))), 0, 0)
    ).all()


def test_before_anything_is_known_it_is_the_safe_look(model):
    engine = playing(model)
    assert (at(engine) == at(wearing("calm", model))).all()
    assert engine.numbers["shown.confidence"] == 0
    assert (at(engine, math.nan, math.nan) == at(wearing("calm", model))).all()


def test_between_two_examples_it_stands_between_their_looks(model):
    engine = playing(model)
    at(engine, 0.5, 0.25)
    weights = {name: engine.numbers[f"shown.weights.{name}"] for name in ("red", "blue", "calm")}
    assert weights["red"] > 0.3 and weights["blue"] > 0.3 and weights["calm"] == 0
    assert sum(weights.values()) == pytest.approx(1)
    played = Guide(INSTRUMENT).played(engine.numbers).latent
    assert played.mix == [[4, pytest.approx(weights["red"])], [5, pytest.approx(weights["blue"])]]
    assert played.rows["coarse"].amount == pytest.approx(0.4 * weights["blue"])
    route = engine.numbers["shown.looks.red.latent.psi"]
    assert played.psi == pytest.approx(weights["red"] * route + weights["blue"] * 0.7)
    np.testing.assert_allclose(
        engine.still[1], blend(seeds_to_z([4, 5], 16), [weights["red"], weights["blue"]]), rtol=1e-5
    )


def test_bends_and_directions_of_looks_are_mixed_with_what_their_routes_say(model):
    """Also where one look has what the other has not, and where a route says where to go when its feature is lost."""
    route = {"feature": "light", "low": 0.0, "high": 1.0, "otherwise": {"feature": "dance", "low": 0.5, "high": 0.5}}
    red = {
        "latent": {"directions": {"pc1": {"feature": "light", "low": 0.0, "high": 4.0}}},
        "bends": {"still": {"kind": "const", "amount": route}},
    }
    engine = playing(model, changed(**{"looks.red": red, "looks.blue": {"latent": {"directions": {"pc2": -1.0}}}}))
    at(engine, 0.5, 0.25)
    red_share, blue_share = (engine.numbers[f"shown.weights.{name}"] for name in ("red", "blue"))
    amounts = {name: along.amount for name, along in engine.seen.latent.directions.items()}
    assert amounts == {"pc1": pytest.approx(2 * red_share), "pc2": pytest.approx(-blue_share)}
    assert engine.seen.bends["still"].amount == pytest.approx(0.5 * red_share)
    before = json.dumps(patches.document(engine.patch))
    at(engine, 0.9, 0.3)
    assert not engine.seen.bends  # blue alone is played there
    assert json.dumps(patches.document(engine.patch)) == before


def test_a_map_that_does_not_play_leaves_the_picture_to_the_patch_and_says_what_it_would_do(model):
    engine = playing(model, changed(play=False))
    assert (at(engine, 0.1, 0.2) == at(playing(model, Patch(latent=Latent(seed=11, psi=0.4))), 0, 0)).all()
    assert engine.numbers["shown.weights.red"] == 1


def test_it_follows_in_the_time_that_smoothing_says_whatever_the_rate(model):
    ways = []
    for rate in (10, 60):
        engine = playing(model, changed(smoothing=0.5))
        engine.lanes.say(0.1, 0.2)
        engine.step(0.0, 0.0)
        engine.lanes.say(0.9, 0.3)
        for i in range(1, rate + 1):
            engine.step(i / rate, 1 / rate)
        ways.append(engine.numbers["shown.weights.red"])
    np.testing.assert_allclose(ways, math.exp(-2), rtol=1e-9)


def test_a_look_that_is_shown_while_it_plays_comes_in_from_nothing(model):
    slow = changed(smoothing=0.5)
    engine = playing(model, slow)
    before = at(engine, 0.5, 0.5)
    more = [*patches.document(slow)["shown"]["examples"], {"pose": [0.5, 0.5], "look": "new"}]
    engine.play(patches.changed(slow, {"shown.looks.new": {"latent": {"seed": 9}}, "shown.examples": more}))
    engine.step(engine.steps / 10, 1e-6)
    assert float((engine.ws - before).abs().max()) < 1e-2
    for _ in range(100):
        after = at(engine, 0.5, 0.5)
    assert engine.numbers["shown.weights.new"] == pytest.approx(1)
    np.testing.assert_allclose(after, at(playing(model, Patch(latent=Latent(seed=9))), 0, 0), atol=1e-4)


def test_the_map_is_made_again_only_when_it_was_changed(model):
    engine = playing(model)
    before = engine.now.guide
    engine.play(patches.changed(INSTRUMENT, {"latent.psi": 0.5}))
    assert engine.now.guide.map is before.map and engine.now.guide is not before
    engine.play(changed(smoothing=0.1))
    assert engine.now.guide.map is not before.map


def test_the_looks_as_numbers_tell_which_are_alike():
    parts = patches.shown_looks(INSTRUMENT)
    red, blue = s.figures([look(parts[name]) for name in ("red", "blue")])
    again = s.figures([look(parts["red"]), look(parts["red"])])
    assert (again[0] == again[1]).all()
    assert np.linalg.norm(red - blue) > 1


def test_noise_of_examples_is_their_root_mean_square():
    held = [Example([0.0], "a", [0.3]), Example([1.0], "a"), Example([2.0], "a", [0.4])]
    assert trembling(Showing(["x"], examples=held, looks={"a": {}})) == [pytest.approx(math.sqrt(0.125))]
    assert trembling(Showing(["x", "y"])) == [0.0, 0.0]


def test_what_is_not_finite_or_too_large_is_refused_from_python_too():
    for number in (math.nan, math.inf, 1e300):
        with pytest.raises(KinesphereError, match="beyond"):
            Showing(["x"], examples=[Example([number], "a")], looks={"a": {}})


# --- films and takes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def doubles(monkeypatch):
    """Stations that tests can drive, under names of their own."""
    for registry, more in ((FEATURES, {"light double": Light, "pooled": Pooled}), (SOURCES, {"scripted": Scripted})):
        for name, cls in more.items():
            monkeypatch.setitem(registry, name, cls)


def film(doubles, smoothing):
    """A patch whose only source goes from dark to light, with two looks that were shown to it."""
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in range(0, 250, 10)]
    made = Patch(
        model="tiny",
        sources={"eye": Scripted(pictures, fps=10)},
        features={"light": Light(), "scene": Pooled()},
        sinks={"kept": Kept()},
    )
    shown = {
        "features": ["light"],
        "smoothing": smoothing,
        "examples": [{"pose": [0.1], "look": "dark"}, {"pose": [0.8], "look": "bright"}],
        "looks": {
            "dark": {"latent": {"seed": 1}},
            "bright": {"latent": {"seed": 2, "psi": {"feature": "light", "low": 0.1, "high": 0.9, "attack": 0.3}}},
        },
    }
    return patches.changed(made, {"shown": shown})


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_film_of_it_is_the_same_every_time(doubles, model, smoothing):
    films = []
    for _ in range(2):
        engine = Engine(film(doubles, smoothing), model)
        render(engine, 20, Fraction(10))
        films.append([frame for _, frame in engine.patch.sinks["kept"].all])
    assert all((a == b).all() for a, b in zip(*films, strict=True))
    assert (films[0][0] != films[0][10]).any()


@pytest.mark.parametrize("begun", [0, 7])
def test_a_take_of_it_stands_where_it_stood_to_the_bit(tmp_path, model, begun):
    """Also one that begins in the middle, and through changes of the map itself."""
    engine = playing(model, changed(smoothing=0.2))
    rng, there = np.random.default_rng(0), []
    recorder = Recorder(tmp_path / "a.mcap", lambda: engine)
    for i in range(40):
        if i == 15:
            engine.play(patches.changed(engine.patch, {"shown.safe": "red", "shown.looks.blue.latent.psi": 0.9}))
        if i == 22:
            engine.play(patches.changed(engine.patch, {"shown.play": False}))
        if i == 27:
            engine.play(patches.changed(engine.patch, {"shown.play": True}))
        engine.lanes.say(*([] if i == 12 else rng.uniform(-0.5, 1.5, 2)))
        engine.step(3 + i / 30, 1 / 30)
        if i >= begun:
            recorder(engine.moment)
            there.append(engine.ws.clone())
    recorder.close()
    playback = Replay(Take.open(tmp_path / "a.mcap"), load={"tiny": model}.__getitem__)
    for ws in there[1:]:  # the first was only how the engine stood
        playback.next()
        assert (playback.engine.ws == ws).all()
    assert playback.over and not playback.notes


def test_a_film_between_the_steps_of_a_take_goes_on_smoothly(tmp_path, model):
    engine = playing(model, changed(smoothing=0.5))
    recorder = Recorder(tmp_path / "a.mcap", lambda: engine)
    for i in range(12):
        engine.lanes.say(0.1 + 0.05 * i, 0.2)
        engine.step(i / 10, 0.1)
        recorder(engine.moment)
    recorder.close()
    playback = Replay(Take.open(tmp_path / "a.mcap"), load={"tiny": model}.__getitem__)
    stood = []
    for i in range(40):
        playback.film(i / 40, 1 / 40)
        stood.append(playback.engine.ws.clone())
    moved = [float((b - a).norm()) for a, b in pairwise(stood[4:])]
    assert max(moved) < 6 * np.median(moved)
