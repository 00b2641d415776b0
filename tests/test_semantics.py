"""Depth, segmentation and classification: what the networks say, and the numbers that are made of it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pretrained import saved, tiny

from kinesphere import latent
from kinesphere.features.semantics import Classification, Depth, Segmentation, class_of
from kinesphere.types import Feature, KinesphereError, Signal

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = ["wall", "person", "sky ", "tench, Tinca tinca"]
NAMES = {"id2label": dict(enumerate(LABELS)), "label2id": {name: i for i, name in enumerate(LABELS)}}
LOOK = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3], "size": {"height": 64, "width": 64}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny model for each task."""
    folder = tmp_path_factory.mktemp("semantics")
    return {
        "depth": saved(tiny("depth", "ForDepthEstimation"), folder / "depth", **LOOK),
        "segmentation": saved(undecided(), folder / "segformer", **LOOK),
        "classification": saved(tiny("mobilenet", "ForImageClassification", **NAMES), folder / "mobilenet", **LOOK),
        "several": saved(
            tiny("vit", "ForImageClassification", problem_type="multi_label_classification", **NAMES),
            folder / "vit",
            **LOOK,
        ),
    }


def undecided():
    """A tiny SegFormer that finds every class equally often in noise, so that each wins somewhere."""
    model = tiny("segformer", "ForSemanticSegmentation", **NAMES)
    with torch.no_grad():
        logits = model(torch.randn(1, 3, 64, 128, generator=torch.Generator().manual_seed(0))).logits
        model.decode_head.classifier.bias -= logits.mean((0, 2, 3))
    return model


def picture(height=72, width=128, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def opened(feature):
    feature.open(SimpleNamespace(G_ema=None, D=None))
    return feature


class Answers:
    """In place of a network: it gives what it is told to, and keeps what it was asked."""

    def __init__(self, **answer):
        self.answer, self.asked = answer, []
        self.preprocessing = SimpleNamespace(size=64)

    def __call__(self, pictures, size):
        self.asked.append((tuple(pictures.shape), size))
        return SimpleNamespace(**self.answer)


def depth_of(maps, feature=None, fps=10.0, frame=(90, 160, 3)):
    """What Depth says of a list of maps of nearness."""
    feature = feature or Depth()
    feature._eye, feature._metric, feature._t = Answers(), False, None
    feature._range = feature._before = np.zeros(2)
    said = []
    for i, one in enumerate(maps):
        feature._eye.answer = {"predicted_depth": torch.as_tensor(one, dtype=torch.float32)[None]}
        said.append(feature(Signal(np.zeros(frame, np.uint8), i / fps)))
    return [dict(zip(feature.names, numbers, strict=True)) for numbers in said]


# Depth


def test_depth_is_what_transformers_predicts(folders):
    feature = opened(Depth(weights=folders["depth"], size=70))
    shown = feature._eye.shown(torch.from_numpy(picture()).permute(2, 0, 1)[None], 70)
    assert shown.shape[2:] == (42, 70)  # whole patches of 14
    with torch.no_grad():
        theirs = tiny("depth", "ForDepthEstimation")(shown.cpu()).predicted_depth[0]
    np.testing.assert_allclose(feature._closeness(picture()), theirs.double().numpy(), rtol=1e-4, atol=1e-5)
    numbers = feature(Signal(picture(), 0.0))
    assert numbers.shape == (5,) and numbers.dtype == np.float64 and np.isfinite(numbers[:3]).all()


def test_a_near_half_is_half_near():
    ramp = np.full((36, 64), 2.0)
    ramp[:, :32] = 10.0  # the left half is near
    (said,) = depth_of([ramp])
    assert (
        said["near"] == pytest.approx(0.5)
        and said["share"] == pytest.approx(0.5)
        and said["spread"] == pytest.approx(1)
    )
    assert said["x"] == pytest.approx(-0.5 * 160 / 90) and said["y"] == pytest.approx(0)


def test_where_the_near_thing_is_counts_in_halves_of_the_height():
    scene = np.zeros((36, 64))
    scene[:9, 55:] = 5.0  # top right
    (said,) = depth_of([scene])
    assert said["y"] == pytest.approx(0.75) and said["x"] == pytest.approx((2 * (55 + 4.5) / 64 - 1) * 16 / 9)
    assert said["share"] == pytest.approx(9 * 9 / (36 * 64))


def test_a_region_says_where_in_the_whole_picture():
    scene = np.zeros((20, 20))
    scene[:, 10:] = 5.0
    (said,) = depth_of([scene], Depth(region=(0.5, 0, 1, 1)))
    assert said["x"] == pytest.approx((2 * 0.875 - 1) * 160 / 90)


@pytest.mark.parametrize("level", [0.0, 3.0, -2.0])
def test_a_wall_has_no_depth(level):
    rng = np.random.default_rng(0)
    (said,) = depth_of([level + abs(level) * 0.01 * rng.random((36, 64))])
    assert said["near"] < 0.12 and said["share"] == 0 and said["spread"] < 0.1
    assert math.isnan(said["x"]) and math.isnan(said["y"])


def test_no_speck_decides_what_is_near():
    rng = np.random.default_rng(0)
    scene = rng.random((90, 160))
    scene[:5, :20] = 1000.0  # 0.7 % of the picture
    (said,) = depth_of([scene])
    assert said["near"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("factor, offset", [(10.0, 0.0), (0.1, 0.0)])
def test_the_unit_of_depth_does_not_matter(factor, offset):
    rng = np.random.default_rng(1)
    scenes = [rng.random((36, 64)) * (1 + i) for i in range(4)]
    for one, other in zip(depth_of(scenes), depth_of([factor * s + offset for s in scenes]), strict=True):
        assert one == pytest.approx(other, nan_ok=True)


def test_metres_are_turned_round():
    """A network that gives metres says more where a thing is farther."""
    feature = Depth()
    near = np.full((36, 64), 8.0)
    near[:, :32] = 1.0
    feature._eye, feature._metric = Answers(predicted_depth=torch.as_tensor(near)[None]), True
    closeness = feature._closeness(picture())
    assert closeness[0, 0] == pytest.approx(1) and closeness[0, -1] == pytest.approx(1 / 8)


def approach(fps):
    """A thing that comes nearer for 4 seconds, stays, and goes away: [n, 20, 20]."""
    t = np.arange(0, 12, 1 / fps)
    level = np.interp(t, [0, 4, 8, 12], [1.0, 4.0, 4.0, 1.0])
    ramp = np.linspace(0, 1, 20)[None, :] * np.ones((20, 1))
    return t, level[:, None, None] * ramp


def test_what_came_near_is_remembered_and_forgotten():
    _, scenes = approach(10)
    said = depth_of(scenes, Depth(memory=60.0))
    near = np.array([s["near"] for s in said])
    assert near[0] == pytest.approx(0.5, abs=0.01)
    assert (
        near[40] == pytest.approx(0.5, abs=0.06) and near[-1] < 0.2
    )  # as far as at the beginning, but less near than it was
    forgets = depth_of([*scenes, *scenes[-1:].repeat(300, 0)], Depth(memory=5.0))
    assert forgets[-1]["near"] == pytest.approx(0.5, abs=0.01)  # 30 s later the range is that of what there is


@pytest.mark.parametrize("fps", [5, 30])
def test_the_range_does_not_depend_on_the_pictures_a_second(fps):
    t, scenes = approach(fps)
    coarse, fine = (
        np.interp(np.arange(1, 12, 0.5), at, [s["near"] for s in depth_of(of, fps=rate)])
        for at, of, rate in ((t, scenes, fps), (*approach(60), 60))
    )
    np.testing.assert_allclose(coarse, fine, atol=0.02)


# Segmentation


def test_segmentation_is_what_transformers_finds(folders):
    feature = opened(Segmentation(weights=folders["segmentation"], what="person", size=128))
    shown = feature._eye.shown(torch.from_numpy(picture(64, 128)).permute(2, 0, 1)[None], 128)
    with torch.no_grad():
        theirs = undecided()(shown.cpu()).logits[0].argmax(0) == 1
    share, x, y = feature(Signal(picture(64, 128), 0.0))
    assert 0 < share < 1 and share == pytest.approx(float(theirs.double().mean()))
    rows, columns = np.nonzero(theirs.numpy())
    assert x == pytest.approx((2 * (columns.mean() + 0.5) / 32 - 1) * 2) and y == pytest.approx(
        1 - 2 * (rows.mean() + 0.5) / 16
    )


def segmented(what, winner, region=(0, 0, 1, 1), frame=(90, 160, 3)):
    feature = Segmentation(what=what, region=region)
    logits = torch.nn.functional.one_hot(torch.as_tensor(winner), 4).permute(2, 0, 1)[None].float()
    feature._eye = Answers(logits=logits)
    feature._classes = [class_of(name, LABELS) for name in ([what] if isinstance(what, str) else what)]
    return feature(Signal(np.zeros(frame, np.uint8), 0.0))


def test_the_share_and_the_place_of_a_thing():
    winner = np.zeros((18, 32), int)
    winner[9:, 24:] = 1  # a person, bottom right
    np.testing.assert_allclose(segmented("person", winner), [1 / 8, 0.75 * 16 / 9, -0.5])
    np.testing.assert_allclose(segmented(["wall", "Person"], winner), [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(
        segmented("person", winner, (0, 0, 0.5, 0.5))[1:], [(2 * 0.4375 - 1) * 16 / 9, 1 - 2 * 0.375]
    )
    share, x, y = segmented("sky", winner)
    assert share == 0 and math.isnan(x) and math.isnan(y)


def test_names_are_found_in_any_case_and_among_synonyms_and_all_are_listed():
    labels = ["wall", "person", "sky", "tench, Tinca tinca", "tinca"]
    assert class_of(" Person ", labels) == 1 and class_of("tinca TINCA", labels) == 3 and class_of("tinca", labels) == 4
    with pytest.raises(
        KinesphereError, match=r"what 'persn'.*did you mean 'person'\? It has wall; person; sky; tench, Tinca tinca"
    ):
        class_of("persn", labels)


def test_a_wrong_name_is_refused_when_the_network_is_met(folders):
    with pytest.raises(KinesphereError, match="what 'dragon'.*wall; person; sky"):
        opened(Segmentation(weights=folders["segmentation"], what=["person", "dragon"]))
    with pytest.raises(KinesphereError, match="what 'dragon'"):
        opened(Classification(weights=folders["classification"], what=["dragon"]))


# Classification


@pytest.mark.parametrize("name, family, each", [("classification", "mobilenet", False), ("several", "vit", True)])
def test_probabilities_are_those_of_transformers(name, family, each, folders):
    feature = opened(Classification(weights=folders[name], what=["person", "Tinca tinca"], size=64))
    shown = feature._eye.shown(torch.from_numpy(picture()).permute(2, 0, 1)[None], 64)
    model = tiny(family, "ForImageClassification", **NAMES)
    with torch.no_grad():
        logits = (
            model(shown.cpu(), **({"interpolate_pos_encoding": True} if family == "vit" else {})).logits[0].double()
        )
    expected = logits.sigmoid() if each else logits.softmax(0)
    numbers = feature(Signal(picture(), 0.0))
    np.testing.assert_allclose(numbers, [expected[1], expected[3], expected.max()], rtol=1e-4)
    assert feature.names == ("person", "Tinca tinca", "certainty") and set(feature.ranges) == set(feature.names)


def test_a_new_classification_says_how_certain_it_is(folders):
    feature = opened(Classification(weights=folders["classification"]))
    assert feature.names == ("certainty",) and 0.25 <= feature(Signal(picture(), 0.0))[0] <= 1


def test_class_probabilities_as_the_class_vector_of_a_model():
    c = torch.tensor([[1.0, 0, 0, 0]])
    torch.testing.assert_close(latent.classes(c, {}), c)
    torch.testing.assert_close(latent.classes(c, {2: 0.25}), torch.tensor([[0.75, 0, 0.25, 0]]))
    torch.testing.assert_close(latent.classes(c, {1: 1.0, 3: 3.0}), torch.tensor([[0, 0.25, 0, 0.75]]))
    torch.testing.assert_close(latent.classes(c, {2: -1.0, 1: math.nan}), c)
    torch.testing.assert_close(latent.classes(c, {0: 0.5, 2: 0.5}).sum(), torch.tensor(1.0))


# All of them


@pytest.mark.parametrize("kind", [Depth, Segmentation, Classification])
def test_each_is_a_feature_of_several_numbers(kind, folders):
    name = kind.__name__.lower()
    feature = kind(weights=folders[name], size=64)
    assert isinstance(feature, Feature) and not feature.vector and feature.names
    assert set(feature.ranges) == set(feature.names) and set(feature.circular) <= set(feature.names)
    first = opened(feature)(Signal(picture(), 0.0))
    assert first.shape == (len(feature.names),) and first.dtype == np.float64
    feature(Signal(picture(seed=1), 1.0))
    np.testing.assert_array_equal(opened(feature)(Signal(picture(), 5.0)), first)  # everything seen is forgotten
    feature.close()
    feature.close()
    np.testing.assert_array_equal(opened(feature)(Signal(picture(), 9.0)), first)
    for odd in (picture(2, 300), picture(300, 2), picture(1, 1)):
        assert feature(Signal(odd, 10.0)).shape == first.shape


@pytest.mark.parametrize("kind", [Depth, Segmentation, Classification])
def test_each_looks_at_its_region_alone(kind, folders):
    feature = kind(weights=folders[kind.__name__.lower()], size=64, region=(0.25, 0, 0.75, 1))
    one, other = picture(seed=1), picture(seed=2)
    other[:, 32:96] = one[:, 32:96]
    np.testing.assert_array_equal(opened(feature)(Signal(one, 0.0)), opened(feature)(Signal(other, 0.0)))


@pytest.mark.parametrize("kind", [Depth, Segmentation, Classification])
def test_without_weights_it_says_what_to_fetch(kind, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        KinesphereError, match=r"hf download [\w/.-]+ config\.json preprocessor_config\.json model\.safetensors"
    ):
        opened(kind())


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Depth(size=10), "size 10: give 64 to 2048"),
        (lambda: Depth(memory=0), "memory 0: give seconds"),
        (lambda: Depth(region=(0, 0, 0, 1)), "region"),
        (lambda: Segmentation(what=[]), "name at least one thing"),
        (lambda: Segmentation(what=["sky", "sky"]), "each thing once"),
        (lambda: Classification(what=["St. Bernard"]), "without a dot"),
        (lambda: Classification(what=["certainty"]), "what 'certainty'"),
        (lambda: Classification(size=5000), "size 5000"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(make, words):
    with pytest.raises(KinesphereError, match=words):
        make()
