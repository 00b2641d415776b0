"""What a model knows is told with its error and beside chance; what it was told by heart is refused."""

import math

import numpy as np
import pytest

from kinesphere.studio.lines import FOLDS, by_labels, legible
from kinesphere.studio.probes import probe, read_table
from kinesphere.studio.representations import Space
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
N = 600


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def space(x: np.ndarray, turned: bool = False) -> Space:
    return Space(x, x if turned else None, x.shape[1])


def test_a_planted_factor_is_told_and_a_random_label_is_not(rng):
    w = rng.normal(size=(N, 16))
    found = probe({"w": space(w)}, {"planted": w @ rng.normal(size=16), "random": rng.normal(size=N)}, range(N))
    told = found.scores["w"]
    assert told["planted"].score > 0.98 and told["planted"].known
    assert not told["random"].known and abs(told["random"].score - told["random"].chance) < 0.1


def test_w_beats_z_where_the_mapping_unbends_what_z_bends(rng):
    """The factors are a known warp of z, and w has them as they are: a line tells them from w, and hardly from z."""
    z = rng.normal(size=(N, 6))
    w = np.stack([z[:, 0] * z[:, 1], np.sin(3 * z[:, 2]), z[:, 3] ** 2, z[:, 4], z[:, 5]], 1)
    found = probe({"z": space(z), "w": space(w)}, {"product": w[:, 0], "wave": w[:, 1], "plain": w[:, 3]}, range(N))
    for label in ("product", "wave"):
        assert found.scores["w"][label].score > 0.98 > 0.2 > found.scores["z"][label].score
    assert found.scores["z"]["plain"].score > 0.98  # and where nothing was bent, z is as good


def test_a_seed_that_is_there_twice_is_refused(rng):
    w = rng.normal(size=(N, 4))
    with pytest.raises(KinesphereError, match="seed 7 is there twice"):
        probe({"w": space(w)}, {"smile": w[:, 0]}, [*range(N - 1), 7])


def test_what_is_of_other_pictures_is_refused(rng):
    w = rng.normal(size=(N, 4))
    with pytest.raises(KinesphereError, match=f"'smile' is of {N - 1} pictures, and there are {N} seeds"):
        probe({"w": space(w)}, {"smile": w[1:, 0]}, range(N))
    with pytest.raises(KinesphereError, match=f"'w' is of {N} pictures, and there are {N - 1} seeds"):
        probe({"w": space(w)}, {"w": w[1:, 0]}, range(N - 1))
    with pytest.raises(KinesphereError, match="no space to ask"):
        probe({}, {"smile": w[:, 0]}, range(N))


def test_labels_are_told_of_the_pictures_in_which_they_show(rng):
    w = rng.normal(size=(N, 5))
    hidden = np.where(rng.random(N) < 0.5, w[:, 0], np.nan)
    hat = np.where(rng.random(N) < 0.7, (w[:, 1] > 0).astype(int), -1)
    found = probe({"w": space(w)}, {"hue": hidden, "hat": hat, "age": w[:, 2]}, range(N))
    assert found.kinds == {"hue": "number", "hat": "class", "age": "number"}
    assert found.scores["w"]["hue"].count == np.isfinite(hidden).sum()
    assert found.scores["w"]["hat"].count == (hat >= 0).sum() and found.scores["w"]["hat"].score > 0.9


def test_what_hardly_shows_or_never_differs_is_left_out_and_said(rng):
    w = rng.normal(size=(N, 5))
    rare = np.where(np.arange(N) < 40, w[:, 0], np.nan)
    found = probe({"w": space(w)}, {"rare": rare, "same": np.ones(N), "age": w[:, 2]}, range(N))
    assert found.left_out == {
        "rare": "shows in 40 pictures, and 100 are needed",
        "same": "is the same in all pictures",
    }
    assert list(found.scores["w"]) == ["age"]
    with pytest.raises(KinesphereError, match="nothing to tell of: same is the same"):
        probe({"w": space(w)}, {"same": np.ones(N)}, range(N))


def test_the_curve_rises_and_ends_with_all_labels(rng):
    w = rng.normal(size=(N, 40))
    y = w @ rng.normal(size=40) + 3 * rng.normal(size=N)
    found = probe({"w": space(w)}, {"smile": y}, range(N), sizes=(50, 100, 200, 9000))
    sizes, scores, errors = zip(*found.curves["w"]["smile"], strict=True)
    assert sizes == (50, 100, 200, N - N // FOLDS)
    assert scores[0] + 0.1 < scores[1] < scores[2] < scores[3]
    assert scores[3] == found.scores["w"]["smile"].score and scores[1] == by_labels(w, {"y": y}, 100)["y"][0]
    assert min(errors) > 0


def test_a_label_is_told_alike_whatever_is_asked_beside_it(rng):
    w = rng.normal(size=(N, 8))
    labels = {"turn": w[:, 0] + rng.normal(size=N), "hat": (w[:, 1] > 0.3).astype(int), "age": w[:, 2]}
    found = probe({"w": space(w)}, labels, range(N))
    for name, y in labels.items():
        assert found.scores["w"][name].score == pytest.approx(legible(w, {name: y})[name].score)


def test_the_axes_of_a_space_are_compared_with_the_labels(rng):
    factors = rng.normal(size=(N, 4))
    labels = {str(i): factors[:, i] for i in range(4)}
    found = probe({"s": space(factors, turned=True), "img": space(factors)}, labels, range(N), paths={"s": 3.0})
    own, other = found.axes["s"]
    assert own.disentanglement == pytest.approx(1, abs=0.01) and other.disentanglement < 0.5
    assert found.cuts["s"].each < 1.1
    assert list(found.axes) == list(found.cuts) == ["s"] and found.paths == {"s": 3.0}


def test_a_table_is_read(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("seed,smile,hat,kind\n4, 0.5,1,cat\n9,,0,\n11,-2e-1,,dog\n")
    seeds, labels = read_table(table)
    assert seeds == [4, 9, 11]
    assert labels["smile"][0] == 0.5 and math.isnan(labels["smile"][1]) and labels["smile"][2] == -0.2
    assert labels["hat"].tolist() == [1, 0, -1] and labels["kind"].tolist() == [0, -1, 1]
    assert labels["kind"].dtype.kind == "i"


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "needs a header with 'seed'"),
        ("seed\n3\n", "a name for each label"),
        ("name,smile\n3,1\n", "needs a header with 'seed'"),
        ("seed,smile\n3,1\nx,2\n", "row 2: 'x' is no seed"),
        ("seed,smile\n3,1\n3,2\n", "seed 3 is there twice"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, words):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(KinesphereError, match=words):
        read_table(table)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\xff\xfe\x00")
    for path in (tmp_path / "picture.csv", tmp_path / "absent.csv"):
        with pytest.raises(KinesphereError, match="cannot be read|needs a header"):
            read_table(path)
