"""The judge knows drawn portraits: what they were drawn from, where eyes and mouth are, and when one is missing."""

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("skia")

from kinesphere.train import damage, lessons, metrics, painting
from kinesphere.train.damage import Careless, Damage
from kinesphere.train.judge import (
    CLASSES,
    GRID,
    LANDMARKS,
    NUMBERS,
    PARTS,
    Judge,
    JudgeFeatures,
    Look,
    is_whole,
    load_judge,
    located,
    prepared,
    read_judge,
    save_judge,
    shows,
)
from kinesphere.train.portraits import FACTORS, draw_factors, mirror_factors, paint
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
UNSEEN = 4242  # a seed that no judge learns from


def without(factors, *gone: str) -> np.ndarray:
    kinds = tuple("gone" if part in gone else "whole" for part in PARTS)
    return painting.paint(factors, 100, lambda c, f: Careless(c, f, Damage(kinds)))


@pytest.mark.parametrize("part", PARTS)
def test_landmarks_lie_where_the_painter_paints_and_a_part_left_out_is_gone(part):
    for i in range(8):
        factors = draw_factors(UNSEEN, i) | {"gaze_x": 0.0, "gaze_y": 0.0, "glasses": "none"}
        changed = np.abs(paint(factors, 100).astype(int) - without(factors, part)).sum(2).astype(float)
        assert changed.max() > 60
        y, x = (np.average(np.arange(100) + 0.5, weights=changed.sum(axis)) for axis in (1, 0))
        at = painting.landmarks(factors)[part]
        assert np.hypot(x - at[0], y - at[1]) < 2.5
        rows, columns = np.nonzero(changed > 60)  # and nothing else has changed
        assert np.hypot(columns - at[0], rows - at[1]).max() < 17


def test_the_pupil_is_the_darkest_of_an_eye_that_looks_ahead():
    calm = {
        "gaze_x": 0.0,
        "gaze_y": 0.0,
        "eye_open": 1.0,
        "eye_size": 1.0,
        "skin_tone": 0.0,
        "glasses": "none",
        "lashes": 0.0,
    }
    for i in range(8):
        factors = draw_factors(UNSEEN, i) | calm
        grey = paint(factors, 200).sum(2)
        for part in PARTS[:2]:
            x, y = (round(2 * v) for v in painting.landmarks(factors)[part])
            assert grey[y - 3 : y + 4, x - 3 : x + 4].min() < 150


def test_a_mirror_exchanges_the_eyes():
    for i in range(20):
        factors = draw_factors(UNSEEN, i)
        here, there = painting.landmarks(factors), painting.landmarks(mirror_factors(factors))
        for a, b in (("left eye", "right eye"), ("right eye", "left eye"), ("nose", "nose"), ("mouth", "mouth")):
            assert np.allclose((100 - here[a][0], here[a][1]), there[b])


def test_a_careless_painter_without_damage_paints_the_very_same_picture():
    factors = draw_factors(UNSEEN, 0)
    assert np.array_equal(without(factors), paint(factors, 100))


def test_damage_knows_what_is_in_place():
    assert Damage().in_place().all()
    assert Damage(("gone", "whole", "moved")).in_place().tolist() == [False, True, False]
    assert Damage(fused=True).in_place().tolist() == [False, False, True]
    drawn = [damage.draw_damage(1, i) for i in range(200)]
    assert not any(d.in_place().all() for d in drawn)
    assert drawn[:5] == [damage.draw_damage(1, i) for i in range(5)]


@pytest.fixture(scope="module")
def drawings():
    return lessons.lessons("intact", UNSEEN, 64), lessons.lessons("damaged", UNSEEN, 64)


def few(some: lessons.Lessons, n: int) -> lessons.Lessons:
    return some.batch(torch.arange(n))


def test_maps_say_where_a_landmark_is(drawings):
    places = drawings[0].places
    maps = lessons.target_maps(places).clamp_min(1e-9).log().view(64, len(LANDMARKS), GRID, GRID)
    at = located(Look(torch.empty(64, 0), {}, maps, torch.empty(64, 0), torch.empty(64, 0)))
    for i, name in enumerate(LANDMARKS):
        assert np.allclose(at[name], places[:, i].numpy() / 0.64, atol=1e-3)


def test_a_mirrored_lesson_is_the_lesson_of_the_mirrored_portrait(drawings):
    some = few(drawings[1], 16)
    x = prepared(some.pictures)
    for seed in range(3):
        flipped, then, _ = lessons.mirrored(x, some, torch.ones(16, 3), torch.Generator().manual_seed(seed))
        turned = (flipped != x).flatten(1).any(1)
        turn = NUMBERS.index("turn")
        assert torch.equal(then.numbers[:, turn], torch.where(turned, -1, 1) * some.numbers[:, turn])
        assert torch.equal(then.there[turned], some.there[turned][:, [1, 0, 2]])
        assert torch.allclose(then.places[turned][:, 0, 0], 64 - some.places[turned][:, 1, 0])


def test_a_spoilt_lesson_says_what_was_spoilt(drawings):
    some = few(drawings[0], 48)
    x, now, _ = lessons.spoilt(some, torch.Generator().manual_seed(0))
    assert x.shape == (48, 3, 64, 64) and x.abs().max() <= 1
    assert 0.1 < 1 - now.there.mean() < 0.3
    mouth, smile = PARTS.index("mouth"), NUMBERS.index("smile")
    assert (now.seen[now.there[:, mouth] < 0.5, smile] == 0).all()  # of no mouth nobody learns to smile
    assert (some.there == 1).all()  # the lesson itself stays as it was


@pytest.mark.parametrize("stop", [None, 3])
def test_the_same_lessons_give_the_same_judge_even_when_stopped_between(drawings, tmp_path, stop):
    some = few(drawings[0], 16), few(drawings[1], 8)
    whole = lessons.train_judge(*some, rounds=(2, 2), batch=6)

    def stops(step: int, steps: int, loss: float) -> None:
        if step == stop:
            raise KeyboardInterrupt

    lessons.STATE_EVERY, kept = 0.0, lessons.STATE_EVERY
    try:
        if stop:
            with pytest.raises(KeyboardInterrupt):
                lessons.train_judge(*some, rounds=(2, 2), batch=6, folder=tmp_path, on_step=stops)
        again = lessons.train_judge(*some, rounds=(2, 2), batch=6, folder=tmp_path)
    finally:
        lessons.STATE_EVERY = kept
    for (name, a), b in zip(whole.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_a_judge_comes_back_from_its_file(tmp_path, drawings):
    torch.manual_seed(0)
    judge = Judge(width=24)
    judge.about = {"seed": 3}
    save_judge(judge, tmp_path / "judge.safetensors")
    again = read_judge(tmp_path / "judge.safetensors")
    pictures = drawings[0].pictures[:4]
    assert again.about == {"seed": 3} and again.width == 24
    assert torch.allclose(again.look(pictures).numbers, judge.look(pictures).numbers, atol=1e-2)


def test_what_is_no_judge_is_refused(tmp_path):
    with pytest.raises(KinesphereError, match="make_judge"):
        read_judge(tmp_path / "none.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"no header at all")
    with pytest.raises(KinesphereError, match="damaged"):
        read_judge(tmp_path / "bad.safetensors")


def test_larger_pictures_are_averaged():
    x = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8)
    mean = x.float().view(1, 3, 64, 2, 64, 2).mean((3, 5)) / 127.5 - 1
    assert torch.allclose(prepared(x), mean, atol=1e-5)


def look_of(places: dict[str, tuple[float, float]], there: tuple[float, float, float] = (9, 9, 9)) -> Look:
    at = torch.tensor([[places[name] for name in LANDMARKS]]) * 0.64
    maps = lessons.target_maps(at).clamp_min(1e-9).log().view(1, len(LANDMARKS), GRID, GRID)
    return Look(torch.empty(1, 0), {}, maps, torch.tensor([there]).float(), torch.empty(1, 0))


def test_a_whole_face_has_its_landmarks_in_order():
    face = {"left eye": (39.0, 48.0), "right eye": (60.0, 48.0), "nose": (50.0, 60.0), "mouth": (50.0, 70.0)}
    assert is_whole(look_of(face)).all()
    assert not is_whole(look_of(face, (9, 9, -9))).any()
    assert not is_whole(look_of(face | {"left eye": (60.0, 48.0), "right eye": (39.0, 48.0)})).any()
    assert not is_whole(look_of(face | {"mouth": (50.0, 45.0)})).any()
    assert not is_whole(look_of(face | {"right eye": (42.0, 48.0)})).any()


# The judge that ships -------------------------------------------------------------------------------------------------


def r2(true: np.ndarray, said: np.ndarray) -> float:
    return float(1 - np.square(true - said).sum() / np.square(true - true.mean()).sum())


def test_the_shipped_judge_reads_new_drawings(drawings):
    said = load_judge().factors(drawings[0].pictures)
    true = [draw_factors(UNSEEN, i) for i in range(64)]
    for name, bar in (("turn", 0.9), ("smile", 0.7), ("skin_tone", 0.7), ("hair_tone", 0.7), ("tilt", 0.75)):
        assert r2(np.array([f[name] for f in true]), said[name]) > bar, name
    for name, bar in (("glasses", 0.9), ("headwear", 0.9), ("hair", 0.8)):
        names = FACTORS[name].classes
        right = [names[k] == f[name] for k, f in zip(said[name].argmax(1), true, strict=True)]
        assert np.mean(right) > bar, name
    assert list(said) == [name for name in FACTORS if name in NUMBERS or name in CLASSES]
    assert np.allclose(said["headwear"].sum(1), 1, atol=1e-5)


def test_the_shipped_judge_finds_the_landmarks(drawings):
    said = load_judge().landmarks(drawings[0].pictures)
    for i, name in enumerate(LANDMARKS):
        off = np.hypot(*(said[name] - drawings[0].places[:, i].numpy() / 0.64).T)
        assert off.mean() < 2.5, name


def test_the_shipped_judge_tells_whole_faces_from_damaged_ones(drawings):
    judge, (intact, damaged) = load_judge(), drawings
    assert judge.whole(intact.pictures).mean() > 0.93
    assert judge.whole(damaged.pictures).mean() < 0.25
    drawn = [damage.draw_damage(UNSEEN, i) for i in range(64)]
    without = torch.tensor([d.fused or "gone" in d.kinds for d in drawn])  # an eye or the mouth is not there at all
    assert without.sum() > 30 and judge.whole(damaged.pictures[without]).mean() < 0.05
    told = np.stack(list(judge.presence(damaged.pictures).values()), 1) > 0.5
    assert (told == damaged.there.numpy().astype(bool)).mean() > 0.85


def test_the_shipped_judge_says_about_the_same_at_every_size(drawings):
    judge = load_judge()
    pictures = np.stack([paint(draw_factors(UNSEEN, i), 128) for i in range(24)])
    sizes = {
        size: np.stack([np.asarray(Image.fromarray(p).resize((size, size), Image.Resampling.BOX)) for p in pictures])
        for size in (128, 64, 32)
    }
    said = {size: judge.factors(np.ascontiguousarray(p.transpose(0, 3, 1, 2))) for size, p in sizes.items()}
    for name in ("turn", "skin_tone", "hair_tone"):
        assert np.corrcoef(said[128][name], said[64][name])[0, 1] > 0.98
        assert np.corrcoef(said[32][name], said[64][name])[0, 1] > 0.9


def test_features_tell_portraits_from_other_pictures(drawings):
    eye, pictures = JudgeFeatures(load_judge()), drawings[0].pictures
    here, there, upside_down = eye(pictures[:32]), eye(pictures[32:]), eye(pictures[32:].flip(2))
    assert 0.3 < np.square(here).mean() < 3
    assert metrics.kid(here, upside_down) > 10 * abs(metrics.kid(here, there))
    precision, recall = metrics.precision_recall(here, there)
    assert precision > 0.5 and recall > 0.5
    assert metrics.precision_recall(here, upside_down)[1] < 0.2


def test_a_hue_shows_on_fantastic_hair_only():
    factors = {"hair": np.array([[0.9, 0.1], [0.2, 0.8]]), "turn": np.zeros(2)}
    assert shows("hair_hue", factors).tolist() == [False, True]
    assert shows("turn", factors).all()
    with pytest.raises(KinesphereError, match="no factor 'hat'"):
        shows("hat", factors)
