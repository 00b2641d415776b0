from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warps import places, seen, texture

from kinesphere.features import Activations, Silhouette
from kinesphere.features.region import WHOLE, crop
from kinesphere.features.silhouette import Subject, box, roomy, whole
from kinesphere.types import Feature, KinesphereError, Signal

SIZE = (160, 120)
ROOM = seen(texture(1), places(*SIZE))  # grey levels
CLOTH = seen(texture(2), 3 + places(*SIZE))


def stage(at=None, half=(0.2, 0.6), light=1.0, size=SIZE):
    """The room with somebody in it, a rectangle round `at` (complex, half picture heights); [H, W, 3] uint8."""
    picture = ROOM.copy() if size == SIZE else seen(texture(1), places(*size))
    if at is not None:
        own = places(*size) - at
        there = (np.abs(own.real) < half[0]) & (np.abs(own.imag) < half[1])
        picture[there] = (CLOTH if size == SIZE else seen(texture(2), 3 + places(*size)))[there]
    return np.repeat((picture * light).clip(0, 255).round().astype(np.uint8)[..., None], 3, 2)


def play(pictures, fps=15.0, **fields):
    """From each of its names to its values [T]."""
    silhouette = Silhouette(**fields)
    silhouette.open(None)
    values = [silhouette(Signal(picture, i / fps)) for i, picture in enumerate(pictures)]
    return dict(zip(silhouette.names, np.array(values).T, strict=True))


def walk(t):
    """Nobody for a second, then somebody who walks to and fro."""
    return None if t < 1 else 0.6 * np.sin(2 * t) - 0.1j


def test_who_comes_in_is_measured():
    found = {name: v[-1] for name, v in play([stage()] * 15 + [stage(0.3 - 0.2j)] * 15).items()}
    assert found["share"] == pytest.approx(0.4 * 1.2 / (4 * 4 / 3), rel=0.15)
    assert (found["x"], found["y"]) == pytest.approx((0.3, -0.2), abs=0.04)
    assert (found["width"], found["height"]) == pytest.approx(
        (0.4 * 0.96, 1.2 * 0.96), abs=0.08
    )  # without a fiftieth a side
    assert found["top"] == pytest.approx(0.4, abs=0.06)
    assert found["spread"] == pytest.approx(np.hypot(0.4, 1.2) / np.sqrt(12), abs=0.03)  # of a rectangle


def test_an_empty_stage_has_nobody():
    rng = np.random.default_rng(0)
    found = play([(stage() + rng.normal(0, 3, (120, 160, 3))).clip(0, 255).astype(np.uint8) for _ in range(30)])
    assert max(found["share"]) < 0.003
    assert all(np.isnan(found[name]).all() for name in found if name != "share")


def test_what_has_just_come_is_new_and_what_stands_is_not():
    found = play([stage()] * 45 + [stage(0.3)] * 30)["new"]
    assert found[47] > 0.7 and found[-1] < 0.05


def test_a_light_is_nobody():
    """The lights go up by half, and to a third."""
    found = play([stage()] * 15 + [stage(light=1.5)] * 15 + [stage(light=0.33)] * 15)
    assert max(found["share"]) < 0.02


def test_a_speck_is_nobody():
    pictures = [stage() for _ in range(30)]
    for picture in pictures[15:]:
        picture[10:13, 20:23] = 255
    assert max(play(pictures)["share"]) < 0.003


def test_who_stands_still_becomes_background_after_the_memory():
    share = play([stage()] * 40 + [stage(0.3)] * 120, fps=5.0, memory=8.0)["share"]
    assert share[40 + 5 * 5] > 0.08 and share[-1] < 0.003  # 5 and 24 seconds later


def test_who_was_there_from_the_first_picture_leaves_no_ghost():
    share = play([stage(0.3)] * 15 + [stage()] * 45)["share"]  # a second, then gone
    assert share[20] > 0.05 and share[-1] < 0.003


def test_another_scene_is_learnt_afresh():
    other = np.repeat(seen(texture(7), places(*SIZE)).astype(np.uint8)[..., None], 3, 2)
    found = play([stage()] * 15 + [other] * 15)
    assert max(found["share"][16:]) < 0.01


def test_15_30_and_60_pictures_a_second_say_the_same():
    curves = {}
    for fps in (15, 30, 60):
        pictures = (stage(walk(i / fps)) for i in range(2 * fps + 1))
        curves[fps] = {name: v[:: fps // 15] for name, v in play(pictures, fps).items()}
    for name in curves[15]:
        a, b, c = (curves[fps][name][21:] for fps in (15, 30, 60))
        tolerance = 0.12 if name == "new" else 0.06
        np.testing.assert_allclose(a, b, atol=tolerance, err_msg=name)
        np.testing.assert_allclose(b, c, atol=tolerance, err_msg=name)


def test_a_region_is_measured_alone_in_the_frames_own_places():
    pictures = [stage()] * 15 + [stage(0.6)] * 10
    right, left = play(pictures, region=(0.5, 0, 1, 1)), play(pictures, region=(0, 0, 0.5, 1))
    assert right["x"][-1] == pytest.approx(0.6, abs=0.05) and right["top"][-1] == pytest.approx(0.6, abs=0.08)
    assert max(left["share"]) < 0.003


def test_the_same_pictures_give_the_same_numbers():
    pictures = [stage(walk(i / 15)) for i in range(25)]
    np.testing.assert_array_equal(list(play(pictures).values()), list(play(pictures).values()))


# Its parts


def test_the_box_leaves_a_fiftieth_out_at_each_side():
    mask = np.zeros((50, 100))
    mask[10:40, 20:70] = 1
    assert box(mask) == pytest.approx((0.2 + 0.02 * 0.5, 0.2 + 0.02 * 0.6, 0.7 - 0.02 * 0.5, 0.8 - 0.02 * 0.6))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_roomy_box_lies_in_the_frame(edges):
    left, right = sorted(edges[:2])
    top, bottom = sorted(edges[2:])
    left, top, right, bottom = roomy(np.array([left, top, right, bottom]), 0.1, 0.1)
    assert 0 <= left <= right - 0.0999 <= 1 and 0 <= top <= bottom - 0.0999 <= 1


def test_a_body_is_whole():
    found = np.zeros((60, 80), np.uint8)
    found[20:60, [30, 31, 48, 49]] = 1  # two edges of somebody who stands on the lower edge of the picture
    found[20:22, 30:50] = 1
    found[5:8, 5:8] = 1  # something small elsewhere
    body = whole(found, 1 / 14, 0.4)
    assert body[25:59, 31:49].all() and not body[:15].any() and not body[:, :25].any()


# Where other features look


def latents(pictures, fps=15.0, **fields):
    feature = Activations(smoothing=0.0, **fields)
    feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=64), D=None))
    return np.array([feature(Signal(p, i / fps)) for i, p in enumerate(pictures)]) / 8


def test_the_subject_is_cut_out_and_the_rest_is_grey():
    subject = Subject()
    for i in range(30):
        alone = subject(Signal(stage(None if i < 15 else 0.4), i / 15))
    left, top, right, bottom = subject.box
    middle = (left + right) / 2 * 160, (top + bottom) / 2 * 120
    assert middle == pytest.approx((80 + 0.4 * 60, 60), abs=3)
    assert (right - left) * 160 == pytest.approx(0.4 * 60 * 1.2, abs=6)
    whole, inner = crop(stage(0.4), subject.box).astype(int), (alone.shape[0] // 4, alone.shape[1] // 4)
    inside = np.abs(alone - whole)[inner[0] : -inner[0], inner[1] : -inner[1]]
    assert inside.mean() < 4 and np.abs(alone[:2].astype(int) - 128).max() <= 1


def test_within_the_silhouette_the_room_is_not_seen():
    """Somebody stands still while what is behind them changes colour slowly: the latent stays, where the whole frame's goes."""
    still = [stage()] * 15 + [stage(0.3)] * 30
    tinted = [p.copy() for p in still]
    for i in range(25, 45):
        tinted[i][:, :60] = (tinted[i][:, :60] * np.array([1, 1 - 0.03 * (i - 25), 1 - 0.03 * (i - 25)])).astype(
            np.uint8
        )
    drift = {}
    for within in ("frame", "silhouette"):
        a, b = (latents(film, within=within, to_z="standardise")[-1] for film in (still, tinted))
        drift[within] = np.linalg.norm(a - b)
    assert drift["silhouette"] < 0.2 * drift["frame"]


def test_within_the_silhouette_a_region_is_a_part_of_the_body():
    """What happens at the feet cannot be felt at the head, wherever the body is."""
    film = [stage()] * 15 + [stage(0.3)] * 15
    kicked = [p.copy() for p in film]
    for p in kicked[22:]:
        p[84:96, 88:108] = 255 - p[84:96, 88:108]
    for part, felt in (((0, 0, 1, 0.33), False), ((0, 0.67, 1, 1), True)):
        a, b = (latents(f, within="silhouette", region=part, to_z="standardise")[-1] for f in (film, kicked))
        assert (np.linalg.norm(a - b) > 0.05) == felt


def test_before_anybody_came_it_is_the_whole_frame_and_calm():
    subject = Subject()
    subject(Signal(stage(), 0.0))
    assert subject.box == pytest.approx(WHOLE)
    z = latents([stage()] * 10, within="silhouette")
    assert np.isfinite(z).all() and (z @ z.T).min() > 0.999


def test_a_place_that_is_none_is_refused():
    with pytest.raises(KinesphereError, match="no place within 'hand': choose frame, silhouette"):
        Activations(within="hand")


# Whatever comes


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 200), st.integers(0, 3), st.sampled_from([-1.0, 0.0, 0.03, 9.0])),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_any_pictures_of_any_size_at_any_times(pictures, same):
    silhouette, subject, t = Silhouette(), Subject(), 0.0
    silhouette.open(None)
    for width, height, kind, dt in pictures:
        width, height = (pictures[0][:2]) if same else (width, height)
        rng = np.random.default_rng(kind)
        value = (
            rng.integers(0, 256, (height, width, 3), dtype=np.uint8) if kind else np.zeros((height, width, 3), np.uint8)
        )
        t += dt
        found = silhouette(Signal(value, t))
        assert found.shape == (8,) and np.isfinite(found[0]) and not np.isinf(found).any()
        assert (
            subject(Signal(value, t)).size > 0 and subject.box[0] < subject.box[2] and subject.box[1] < subject.box[3]
        )


def test_it_is_a_feature_of_several_numbers():
    assert isinstance(Silhouette(), Feature) and set(Silhouette.ranges) == set(Silhouette.names)
    for fields in ({"memory": 0.0}, {"smoothing": -1.0}, {"region": (0, 0, 0, 1)}):
        with pytest.raises(KinesphereError, match="memory|smoothing|region"):
            Silhouette(**fields)
