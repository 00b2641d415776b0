"""Training sets as NVIDIA's tool writes them, the order of their pictures, and what happens when one is broken."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kinesphere.train import datasets
from kinesphere.train.datasets import mirrored, open_set, order
from kinesphere.types import KinesphereError

PICTURES = np.random.RandomState(0).randint(0, 256, (6, 16, 16, 3)).astype(np.uint8)
NAMES = [f"00000/img{i:08d}.png" for i in range(6)]


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=0, optimize=False)
    return buffer.getvalue()


def nvidia(path, pictures=PICTURES, notes='{"labels": null}', names=NAMES, extra=None):
    """A zip as NVIDIA's dataset_tool.py lays it out; `notes` is its dataset.json, None leaves that away."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in zip(names, pictures, strict=False):
            archive.writestr(name, picture if isinstance(picture, bytes) else png(picture))
        if notes is not None:
            archive.writestr("dataset.json", notes if isinstance(notes, str | bytes) else json.dumps(notes))
    return path


def labelled(labels, **more):
    return {"labels": [[name, label] for name, label in zip(NAMES, labels, strict=True)], **more}


def test_a_zip_of_nvidias_is_read(tmp_path):
    pictures = open_set(nvidia(tmp_path / "a.zip"))
    assert (len(pictures), pictures.resolution, pictures.channels, pictures.c_dim) == (6, 16, 3, 0)
    assert pictures.labels is None and pictures.names == NAMES
    assert pictures.label([0, 1]).shape == (2, 0)
    assert (pictures.read(2) == PICTURES[2].transpose(2, 0, 1)).all()


def test_so_is_a_folder_and_a_zip_without_dataset_json(tmp_path):
    with zipfile.ZipFile(nvidia(tmp_path / "a.zip", notes=None)) as archive:
        archive.extractall(tmp_path / "folder")
    for pictures in (open_set(tmp_path / "a.zip"), open_set(tmp_path / "folder")):
        assert (pictures.batch(range(6)) == PICTURES.transpose(0, 3, 1, 2)).all()


@pytest.mark.parametrize("channels, shape", [(1, (16, 16)), (3, (16, 16, 3)), (4, (16, 16, 4))])
def test_grey_rgb_and_rgba_have_one_three_and_four_channels(tmp_path, channels, shape):
    values = np.random.RandomState(1).randint(0, 256, (2, *shape)).astype(np.uint8)
    pictures = open_set(nvidia(tmp_path / "a.zip", values))
    assert pictures.channels == channels
    assert (pictures.batch([1])[0].transpose(1, 2, 0) == values[1].reshape(16, 16, channels)).all()


def test_a_batch_mirrors_the_pictures_that_it_is_told_to(tmp_path):
    pictures = open_set(nvidia(tmp_path / "a.zip"))
    seen = pictures.batch([3, 0], mirror=[True, False])
    assert (seen[0] == PICTURES[3, :, ::-1].transpose(2, 0, 1)).all()
    assert (seen[1] == PICTURES[0].transpose(2, 0, 1)).all()


def test_a_size_reduces_while_reading(tmp_path):
    flat = np.full((1, 16, 16, 3), (10, 20, 30), np.uint8)
    pictures = open_set(nvidia(tmp_path / "a.zip", flat), size=8)
    assert pictures.resolution == 8 and (pictures.read(0) == np.array([10, 20, 30])[:, None, None]).all()
    with pytest.raises(KinesphereError, match="larger than the pictures"):
        open_set(tmp_path / "a.zip", size=32)


# Labels ---------------------------------------------------------------------------------------------------------------


def test_class_numbers_become_one_hot(tmp_path):
    pictures = open_set(nvidia(tmp_path / "a.zip", notes=labelled([0, 2, 1, 0, 2, 1])))
    assert pictures.c_dim == 3 and pictures.labels.dtype == np.float32
    assert (pictures.labels == np.eye(3)[[0, 2, 1, 0, 2, 1]]).all()
    assert (pictures.label([1, 1]) == np.eye(3)[[2, 2]]).all()


def test_vectors_stay_what_they_are(tmp_path):
    vectors = [[i / 10, -i] for i in range(6)]
    pictures = open_set(nvidia(tmp_path / "a.zip", notes=labelled(vectors)))
    assert pictures.c_dim == 2
    np.testing.assert_array_equal(pictures.labels, np.array(vectors, np.float32))


def test_class_names_are_kept_beside_and_count_classes_without_pictures(tmp_path):
    notes = labelled([0] * 6, class_names=["cat", "dog"])
    pictures = open_set(nvidia(tmp_path / "a.zip", notes=notes))
    assert pictures.class_names == ["cat", "dog"] and pictures.c_dim == 2


def test_labels_find_their_pictures_whatever_their_order_and_slashes(tmp_path):
    notes = labelled(range(6))
    notes["labels"] = [[name.replace("/", "\\"), label] for name, label in reversed(notes["labels"])]
    assert (open_set(nvidia(tmp_path / "a.zip", notes=notes)).labels.argmax(1) == np.arange(6)).all()


@pytest.mark.parametrize(
    "notes, words",
    [
        ("{", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1, 2]", "holds no object"),
        ({"labels": {"a": 1}}, "is no list"),
        ({"labels": [["00000/img00000000.png"]]}, "is none"),
        (labelled([0, 1, 2, 3, 4, -1]), "is none"),
        (labelled([0, 1, 2, 3, 4, True]), "is none"),
        (labelled([0, 1, 2, 3, 4, "cat"]), "is none"),
        (labelled([[0.0], [float("nan")], [0.0], [0.0], [0.0], [0.0]]), "is none"),
        (labelled([[0.0], [10**400], [0.0], [0.0], [0.0], [0.0]]), "is none"),
        (labelled([0, 1, 2, 3, 4, [1.0]]), "differ in kind"),
        (labelled([[1.0]] * 5 + [[1.0, 2.0]]), "differ in kind"),
        (labelled([0, 1, 2, 3, 4, 10**12]), "beyond measure"),
        ({"labels": [["other.png", 0]]}, "6 of the 6 pictures"),
    ],
)
def test_labels_that_lie_are_said_in_words(tmp_path, notes, words):
    with pytest.raises(KinesphereError, match=words):
        open_set(nvidia(tmp_path / "a.zip", notes=notes))


def test_an_enormous_dataset_json_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "LARGEST_LABELS", 100)
    with pytest.raises(KinesphereError, match="larger than"):
        open_set(nvidia(tmp_path / "a.zip", notes=labelled(range(6))))


# Broken sets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd, words",
    [
        (PICTURES[0, :8], "is 16 × 8 px with 3 channels; those of a training set are all like"),
        (PICTURES[0, ..., 0], "16 × 16 px with 1 channel;"),
        (np.zeros((16, 16), np.uint16), "16 bits and colour type 0, not 8-bit"),
        (b"no picture", "not a picture"),
        (b"", "not a picture"),
    ],
)
def test_a_picture_unlike_the_others_is_named_when_the_set_is_opened(tmp_path, odd, words):
    path = nvidia(tmp_path / "a.zip", [*PICTURES[:3], odd])
    with pytest.raises(KinesphereError, match="img00000003") as refused:
        open_set(path)
    assert words in str(refused.value)


def test_pictures_that_are_not_square_are_no_set(tmp_path):
    with pytest.raises(KinesphereError, match="are square: make one with"):
        open_set(nvidia(tmp_path / "a.zip", PICTURES[:, :8]))


def test_a_set_without_pictures_is_none(tmp_path):
    with pytest.raises(KinesphereError, match="there is no picture"):
        open_set(nvidia(tmp_path / "a.zip", []))


def test_a_damaged_picture_ends_in_words_that_name_it(tmp_path):
    whole = png(PICTURES[1])
    pictures = open_set(nvidia(tmp_path / "a.zip", [PICTURES[0], whole[:60] + bytes(40) + whole[100:-200]]))
    pictures.read(0)
    with pytest.raises(
        KinesphereError, match=r"picture 00000/img00000001.png of .*a.zip cannot be read: it is damaged"
    ):
        pictures.batch([0, 1])
    with pytest.raises(KinesphereError, match="img00000001"):
        pictures.cached()
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_picture_that_vanished_ends_in_words(tmp_path):
    for name, picture in zip("abc", PICTURES, strict=False):
        (tmp_path / f"{name}.png").write_bytes(png(picture))
    pictures = open_set(tmp_path)
    (tmp_path / "b.png").unlink()
    with pytest.raises(KinesphereError, match=r"picture b.png of .* it has vanished"):
        pictures.read(1)
    with pytest.raises(KinesphereError, match=r"b.png .* vanished"):
        pictures.cached()


# Reading fast, and by many --------------------------------------------------------------------------------------------


def test_the_cache_shows_the_same_and_is_shared(tmp_path):
    plain = open_set(nvidia(tmp_path / "a.zip"))
    first, second = (open_set(tmp_path / "a.zip").cached() for _ in range(2))
    caches = [path for path in tmp_path.iterdir() if path.suffix == ".npy"]
    assert len(caches) == 1 and np.load(caches[0]).shape == (6, 3, 16, 16)
    mirror = np.arange(6) % 2 == 0
    for cached in (first, second, pickle.loads(pickle.dumps(first))):
        assert (cached.batch(range(6), mirror) == plain.batch(range(6), mirror)).all()
        assert (cached.read(4) == plain.read(4)).all()
    assert len(pickle.dumps(first)) < 4000  # the way to the pictures, not the pictures


def test_mirroring_does_not_write_into_the_cache(tmp_path):
    cached = open_set(nvidia(tmp_path / "a.zip")).cached()
    before = cached.batch(range(6))
    cached.batch(range(6), np.ones(6, bool))[:] = 0
    cached.read(0)[:] = 0
    assert (cached.batch(range(6)) == before).all()


def test_a_changed_set_is_decoded_anew(tmp_path):
    open_set(nvidia(tmp_path / "a.zip")).cached()
    cached = open_set(nvidia(tmp_path / "a.zip", 255 - PICTURES[:5])).cached()
    assert (cached.batch(range(5)) == 255 - PICTURES[:5].transpose(0, 3, 1, 2)).all()
    assert len([*tmp_path.glob("*.npy")]) == 1  # the old one is gone


def test_sizes_of_one_set_have_caches_of_their_own(tmp_path):
    nvidia(tmp_path / "a.zip")
    assert open_set(tmp_path / "a.zip").cached().read(0).shape == (3, 16, 16)
    assert open_set(tmp_path / "a.zip", 8).cached().read(0).shape == (3, 8, 8)
    assert len([*tmp_path.glob("*.npy")]) == 2


def test_a_set_that_is_too_large_is_not_cached(tmp_path):
    pictures = open_set(nvidia(tmp_path / "a.zip"))
    assert pictures.cached(max_bytes=6 * 3 * 16 * 16 - 1) is pictures
    assert not [*tmp_path.glob("*.npy")]


def test_where_nothing_can_be_written_the_cache_is_in_memory(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    cached = open_set(nvidia(tmp_path / "a.zip")).cached()
    assert (cached.batch([5])[0] == PICTURES[5].transpose(2, 0, 1)).all()
    assert "Permission denied" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_threads_and_forked_processes_do_not_disturb_each_other(tmp_path):
    pictures = open_set(nvidia(tmp_path / "a.zip"))
    expected = PICTURES.transpose(0, 3, 1, 2)
    pictures.read(0)  # the file is open before the fork
    indices = np.random.RandomState(0).randint(0, 6, 300)
    with ThreadPoolExecutor(8) as pool:
        assert all(
            (seen == expected[i]).all() for i, seen in zip(indices, pool.map(pictures.read, indices), strict=True)
        )
    reader, writer = multiprocessing.Pipe(False)
    if os.fork() == 0:  # pragma: no cover
        writer.send(bool((pictures.batch(indices) == expected[indices]).all()))
        os._exit(0)
    assert (pictures.batch(indices) == expected[indices]).all()
    assert reader.poll(20) and reader.recv()
    os.wait()


# The order ------------------------------------------------------------------------------------------------------------

COUNTS = st.integers(1, 60)


@given(COUNTS, st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_each_epoch_shows_every_picture_once(n, seed, epoch):
    assert sorted(order(n, seed, epoch * n, n)) == [*range(n)]


@given(COUNTS, st.integers(0, 9), st.integers(0, 60), st.integers(0, 60))
def test_any_window_is_a_slice_of_the_whole(n, seed, start, count):
    whole = order(n, seed, 0, 120)
    assert (order(n, seed, start, count) == whole[start : start + count]).all()


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [tuple(order(50, seed, epoch * 50, 50)) for seed in (0, 1) for epoch in (0, 1, 2)]
    assert len(set(orders)) == 6


def test_the_first_place_is_fair():
    firsts = [order(4, seed, 0, 1)[0] for seed in range(2000)]
    assert np.bincount(firsts, minlength=4).min() > 400  # 500 expected, five standard deviations are 97


@given(st.integers(0, 99), st.integers(0, 9000), st.integers(0, 9000))
def test_mirrors_are_a_slice_of_the_whole_too(seed, start, count):
    assert (mirrored(seed, start, count) == mirrored(seed, 0, 18000)[start : start + count]).all()


def test_half_of_the_pictures_are_mirrored_and_not_the_same_half_in_each_epoch():
    many = mirrored(3, 0, 20000)
    assert many.dtype == bool and abs(many.mean() - 0.5) < 0.02
    assert abs((many[:10000] == many[10000:]).mean() - 0.5) < 0.02


def test_a_wrong_seed_and_an_empty_set_are_said_in_words():
    with pytest.raises(KinesphereError, match="seed -1 is out of range"):
        order(5, -1, 0, 5)
    with pytest.raises(KinesphereError, match="without pictures"):
        order(0, 0, 0, 5)
