"""Portraits are the same everywhere, mean what their factors say, and survive a mirror."""

import csv
import io
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats

from kinesphere.train.portraits import (
    FACTORS,
    Portraits,
    as_vector,
    draw_factors,
    mirror_factors,
    paint,
    table,
    vector_names,
)
from kinesphere.types import KinesphereError

FIXTURES = Path(__file__).parent / "fixtures" / "portraits"
NUMBERS = [name for name, f in FACTORS.items() if f.kind == "number"]
CLASSES = [name for name, f in FACTORS.items() if f.kind == "class"]

# A sitter on whom everything can be seen: bare face, straight ahead, mid-range everything.
PLAIN = {n: (f.low + f.high) / 2 if f.kind == "number" else f.classes[0] for n, f in FACTORS.items()}
PLAIN |= {"skin_tone": 0.1, "lip_tint": 1.0, "mouth_open": 0.0, "age": 0.2, "brush": 0.0, "grain": 0.0}


def sitter(**changes):
    return PLAIN | changes


def grey(picture):
    return picture.astype(float).mean(2)


def distance(a, b):
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


@pytest.fixture(scope="module")
def crowd():
    """The factors of 3000 portraits, as columns."""
    people = [draw_factors(5, i) for i in range(3000)]
    return {name: np.array([p[name] for p in people]) for name in FACTORS}


# -- the stream


def test_the_same_seed_gives_the_same_factors_on_any_machine():
    assert [draw_factors(0, i) for i in range(6)] == json.loads((FIXTURES / "seed0.json").read_text())


def test_the_same_seed_gives_the_same_pictures_on_any_machine():
    stored = np.asarray(Image.open(FIXTURES / "seed0_64.png"))
    for i, expected in enumerate(np.split(stored, 6, axis=1)):
        assert distance(Portraits(0, 64)[i][0], expected) < 2


def test_a_portrait_does_not_depend_on_those_drawn_before():
    there, back = Portraits(3, 32), Portraits(3, 32)
    forward = [there[i] for i in range(4)]
    backward = [back[i] for i in reversed(range(4))][::-1]
    for (a, fa), (b, fb) in zip(forward, backward, strict=True):
        assert fa == fb and np.array_equal(a, b)


def test_the_stream_starts_at_index_0_and_goes_on():
    portraits = Portraits(2, 16)
    for i, (picture, factors) in enumerate(itertools.islice(portraits, 5)):
        assert factors == draw_factors(2, i)
        assert np.array_equal(picture, portraits[i][0])


def test_seeds_and_indices_give_different_people():
    people = [tuple(draw_factors(seed, i).values()) for seed in range(10) for i in range(10)]
    assert len(set(people)) == 100


# -- the factors


@given(st.integers(0, 2**40), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_every_factor_is_in_its_range(seed, index):
    for name, value in draw_factors(seed, index).items():
        factor = FACTORS[name]
        assert value in factor.classes if factor.kind == "class" else factor.low <= value <= factor.high


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_spread_as_described(crowd, name):
    f = FACTORS[name]
    middle = (f.low + f.high) / 2
    described = stats.uniform(f.low, f.high - f.low)
    if f.std is not None:
        ends = (f.low - middle) / f.std, (f.high - middle) / f.std
        described = stats.truncnorm(*ends, loc=middle, scale=f.std)
    assert stats.kstest(crowd[name], described.cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", CLASSES)
def test_classes_come_as_often_as_described(crowd, name):
    f = FACTORS[name]
    assert sum(f.shares) == pytest.approx(1) and len(f.shares) == len(f.classes)
    for c, share in zip(f.classes, f.shares, strict=True):
        assert share >= 0.15
        assert np.mean(crowd[name] == c) == pytest.approx(share, abs=0.04)


def test_factors_are_independent_unless_asked(crowd):
    r = np.corrcoef([crowd[name] for name in NUMBERS])
    assert np.abs(r - np.eye(len(NUMBERS))).max() < 0.09


def test_a_correlation_ties_two_numbers_and_leaves_their_spread_alone():
    people = [draw_factors(1, i, {("smile", "age"): 0.6}) for i in range(3000)]
    smile, age = (np.array([p[n] for p in people]) for n in ("smile", "age"))
    # Spearman's rho of a Gaussian copula: 6/pi asin(r/2) (Kruskal 1958).
    assert stats.spearmanr(smile, age).statistic == pytest.approx(6 / np.pi * np.arcsin(0.3), abs=0.05)
    assert stats.kstest(smile, stats.uniform(-1, 2).cdf).pvalue > 1e-4


def test_a_correlation_ties_a_class_to_a_number():
    people = [draw_factors(1, i, {("glasses", "age"): 0.8}) for i in range(1500)]
    age = {c: np.mean([p["age"] for p in people if p["glasses"] == c]) for c in FACTORS["glasses"].classes}
    assert age["round"] > age["none"] + 0.25
    assert np.mean([p["glasses"] == "round" for p in people]) == pytest.approx(0.28, abs=0.05)


def test_correlations_leave_the_other_factors_as_they_were():
    alone, tied = draw_factors(4, 9), draw_factors(4, 9, {("smile", "age"): 0.6})
    # One of the two keeps its number, the other follows it.
    assert sum(alone[n] != tied[n] for n in FACTORS) == 1


@pytest.mark.parametrize(
    ("correlations", "said"),
    [
        ({("smile", "ages"): 0.5}, "no factor 'ages': a portrait has turn"),
        ({("smile", "age"): 1.5}, "correlation smile, age = 1.5"),
        ({("smile", "smile"): 0.5}, "two different factors"),
        ({("smile", "age"): 0.9, ("age", "jaw"): 0.9, ("smile", "jaw"): -0.9}, "contradict each other"),
    ],
)
def test_impossible_correlations_are_refused(correlations, said):
    with pytest.raises(KinesphereError, match=said):
        Portraits(correlations=correlations)


# -- the pictures


@pytest.mark.parametrize("size", [8, 33, 64, 200])
def test_any_size(size):
    picture = paint(draw_factors(0, 0), size)
    assert picture.shape == (size, size, 3) and picture.dtype == np.uint8 and picture.std() > 10


def test_a_small_portrait_is_the_large_one_seen_from_afar():
    for i in range(4):
        f = draw_factors(6, i) | {"grain": 0.0}
        large = Image.fromarray(paint(f, 256))
        assert distance(paint(f, 32), np.asarray(large.resize((32, 32), Image.Resampling.BOX))) < 2.5


@pytest.mark.parametrize("name", list(FACTORS))
def test_every_factor_shows(name):
    factor = FACTORS[name]
    base = sitter(fringe=0.0, brush=1.0, grain=1.0)
    shown_on = {"skin_hue": {"skin": "fantastic"}, "hair_hue": {"hair": "fantastic"}}
    base |= shown_on.get(name, {})
    values = factor.classes if factor.kind == "class" else (factor.low, factor.high)
    pictures = [paint(base | {name: v}, 96) for v in values]
    for a, b in itertools.pairwise(pictures):
        assert distance(a, b) > 0.05


def test_extreme_factors_can_be_painted():
    rng = np.random.RandomState(0)
    for _ in range(60):
        f = {
            n: float(rng.choice([k.low, k.high])) if k.kind == "number" else str(rng.choice(k.classes))
            for n, k in FACTORS.items()
        }
        assert paint(f, 32).std() > 5


def test_a_mirrored_portrait_is_the_portrait_of_the_mirrored_factors():
    for i in range(16):
        f = draw_factors(8, i) | {"brush": 0.0, "grain": 0.0}
        flipped = paint(f, 96)[:, ::-1]
        mirrored = paint(mirror_factors(f), 96)
        assert distance(mirrored, flipped) < 0.4
        assert np.mean(np.abs(grey(mirrored) - grey(flipped)) > 25) < 0.002  # edges only
        assert distance(paint(f, 96), flipped) > 1


def test_mirrored_twice_is_oneself():
    f = draw_factors(8, 3)
    assert mirror_factors(mirror_factors(f)) == f != mirror_factors(f)


def test_both_eyes_always_show():
    """Repainting the irises alone changes two separate places, whatever is worn and however far the head turns."""
    for i in range(40):
        f = draw_factors(11, i) | {"grain": 0.0}
        f["turn"] = FACTORS["turn"].high * (-1) ** i if i < 10 else f["turn"]
        changed = np.abs(grey(paint(f | {"eye_hue": 0.05}, 128)) - grey(paint(f | {"eye_hue": 0.8}, 128))) > 6
        places, _ = ndimage.label(ndimage.binary_dilation(changed))
        sizes = np.sort(np.bincount(places.ravel())[1:])
        assert len(sizes) >= 2 and sizes[-2] > 12, f"portrait {i}"


def test_light_comes_from_its_side():
    def right_over_left(x):
        picture = grey(paint(sitter(light_x=x, light_strength=1.0), 64))
        return picture[:, 32:].mean() - picture[:, :32].mean()

    assert right_over_left(0.9) > 5 > -5 > right_over_left(-0.9)


def test_shift_moves_the_sitter_by_that_share_of_the_picture():
    middle = paint(sitter(), 100)[20:80, 20:80]
    moved = paint(sitter(shift_x=0.06, shift_y=-0.05), 100)
    errors = {
        (x, y): distance(moved[20 + y : 80 + y, 20 + x : 80 + x], middle) for x in range(10) for y in range(-9, 1)
    }
    assert min(errors, key=errors.get) == (6, -5)


def test_a_smile_lifts_the_corners_of_the_mouth():
    def corners_over_middle(smile):
        """Pixels by which the reddest spots in the corners lie above the reddest in the middle."""
        picture = paint(sitter(smile=smile, blush=0.0), 128).astype(float)
        mouth = (picture[..., 0] - picture[..., 1])[80:104]
        row = [mouth[:, x].argmax() for x in range(52, 77)]
        return np.mean(row[10:15]) - np.mean([*row[:4], *row[-4:]])

    frown, plain, smile = (corners_over_middle(s) for s in (-1, 0, 1))
    assert frown < plain - 1 < smile - 2


def test_turning_moves_the_features_the_way_the_head_turns():
    def eyes(turn):
        changed = distance_map(sitter(turn=turn, eye_hue=0.0), sitter(turn=turn, eye_hue=0.8))
        return (changed.sum(0) * np.arange(96)).sum() / changed.sum()

    at = [eyes(t) for t in (-0.4, -0.2, 0.0, 0.2, 0.4)]
    assert np.all(np.diff(at) > 1) and at[2] == pytest.approx(47.5, abs=0.5)


def distance_map(a, b):
    return np.abs(grey(paint(a, 96)) - grey(paint(b, 96)))


# -- the table and the vector


def test_the_table_has_a_row_for_each_portrait_and_reads_back():
    people = [draw_factors(0, i) for i in range(3)]
    out = io.StringIO()
    csv.writer(out).writerows(table(people))
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [int(r["index"]) for r in rows] == [0, 1, 2]
    for row, person in zip(rows, people, strict=True):
        assert {n: type(v)(row[n]) for n, v in person.items()} == person


def test_the_vector_has_a_name_for_each_entry_and_stays_within_0_and_1():
    names = vector_names()
    for i in range(20):
        f = draw_factors(0, i)
        v = as_vector(f)
        assert v.dtype == np.float32 and v.shape == (len(names),) and v.min() >= 0 and v.max() <= 1
        assert v[names.index("turn")] == pytest.approx((f["turn"] + 0.45) / 0.9)
        assert v[names.index(f"clothing={f['clothing']}")] == 1
        assert v.sum() == pytest.approx(len(CLASSES) + sum(v[names.index(n)] for n in NUMBERS), rel=1e-5)


# -- mistakes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"smile": 3.0}, "smile = 3.0: a number from -1 to 1"),
        ({"hair_style": "mohawk"}, "hair_style = 'mohawk': choose from loose, curly, updo"),
        ({"smiles": 0.0}, "no factor 'smiles'"),
        ({"smile": "wide"}, "smile = 'wide': a number from -1 to 1"),
    ],
)
def test_wrong_factors_are_refused_by_name(changes, said):
    with pytest.raises(KinesphereError, match=said):
        paint(sitter(**changes), 32)


def test_missing_factors_are_refused_by_name():
    with pytest.raises(KinesphereError, match="no 'turn': start from draw_factors"):
        paint({"smile": 1.0}, 32)


def test_seeds_indices_and_sizes_that_cannot_be_are_refused():
    with pytest.raises(KinesphereError, match="seed -1"):
        Portraits(seed=-1)
    with pytest.raises(KinesphereError, match="4 px"):
        Portraits(size=4)
    with pytest.raises(KinesphereError, match="portrait -1 of seed 0"):
        Portraits()[-1]


def test_without_skia_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skia", None)
    monkeypatch.delitem(sys.modules, "kinesphere.train.painting", raising=False)
    monkeypatch.delattr("kinesphere.train.painting", raising=False)
    with pytest.raises(KinesphereError, match="skia-python, which is not installed"):
        paint(sitter(), 32)
