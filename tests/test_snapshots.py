"""Snapshots outlive the program, whatever happens to the disk, and their names and ids lead nowhere else."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from kinesphere import files
from kinesphere.looks import Snapshots, look
from kinesphere.patch import Patch, changed
from kinesphere.types import KinesphereError

LOOK = look(changed(Patch(), {"latent.seed": 3, "latent.mix": [[1, 0.5], [2, 0.5]]}))


@pytest.fixture
def shelf(tmp_path):
    return Snapshots(tmp_path / "snapshots")


def again(shelf: Snapshots) -> Snapshots:
    """As after a restart."""
    return Snapshots(shelf.folder)


def test_a_snapshot_survives_a_restart(shelf):
    first = shelf.add(LOOK, "calm", np.full([100, 50, 3], 200, np.uint8))
    second = shelf.add(look(Patch()))
    for kept in (shelf, again(shelf)):
        assert [(s.id, s.name) for s in kept.all()] == [(first, "calm"), (second, "Look 2")]
        assert kept.look(first) == LOOK and kept.thumbnail(first)[:2] == b"\xff\xd8"
        assert kept.damaged == {}


def test_they_keep_the_order_in_which_they_were_made(shelf):
    ids = [shelf.add(LOOK, str(i)) for i in range(12)]
    shelf.rename(ids[3], "renamed")
    assert [s.id for s in again(shelf).all()] == ids == [s.id for s in shelf.all()]


@pytest.mark.parametrize("size, shown", [((1024, 512), (256, 128)), ((30, 40), (30, 40)), ((2000, 1), (256, 1))])
def test_a_thumbnail_is_small_and_keeps_its_shape_and_colour(shelf, size, shown):
    picture = np.zeros([size[1], size[0], 3], np.uint8)
    picture[..., 0] = 250
    id = shelf.add(LOOK, "red", picture)
    image = Image.open(io.BytesIO(shelf.thumbnail(id)))
    assert image.size == shown and image.format == "JPEG"
    red, green, blue = np.asarray(image).reshape(-1, 3).mean(0)
    assert red > 230 and green < 20 and blue < 20


def test_a_jpeg_is_kept_as_it_is_and_no_picture_is_said(shelf):
    assert shelf.thumbnail(shelf.add(LOOK, "a", b"\xff\xd8 a jpeg")) == b"\xff\xd8 a jpeg"
    with pytest.raises(KinesphereError, match="'b' has no picture"):
        shelf.thumbnail(shelf.add(LOOK, "b", b""))


def test_forgetting_leaves_nothing_behind(shelf):
    id = shelf.add(LOOK, "a", b"jpeg")
    shelf.forget(id)
    assert list(shelf.folder.iterdir()) == [] and shelf.all() == [] and again(shelf).all() == []


def test_the_safe_look_is_one_and_survives(shelf):
    a, b = shelf.add(LOOK), shelf.add(LOOK)
    assert shelf.safe is None
    shelf.set_safe(a)
    shelf.set_safe(b)
    assert shelf.safe == again(shelf).safe == b
    shelf.forget(b)
    assert shelf.safe is again(shelf).safe is None


def test_a_crash_between_two_safe_looks_leaves_the_newer_one(shelf, monkeypatch):
    a, b = shelf.add(LOOK), shelf.add(LOOK)
    shelf.set_safe(a)
    original, written = Snapshots._write, []

    def once(self, path, data):
        written.append(path)
        if len(written) > 1:
            raise KeyboardInterrupt
        original(self, path, data)

    monkeypatch.setattr(Snapshots, "_write", once)
    with pytest.raises(KeyboardInterrupt):
        shelf.set_safe(b)
    assert again(shelf).safe == b


def test_ids_are_safe_and_new(shelf):
    ids = [shelf.add(LOOK, name) for name in ("../../etc/passwd", "a/b", "", "con", "\x00")]
    assert len({*ids}) == 5 and all(re.fullmatch("[0-9a-f]{12}", id) for id in ids)
    assert sorted(f.name for f in shelf.folder.iterdir()) == sorted(f"{id}.json" for id in ids)
    assert [f.name for f in shelf.folder.parent.iterdir()] == ["snapshots"]


@pytest.mark.parametrize("id", ["../secret", "", "0123456789ab", None, 3, ["a"], "a" * 10**6])
def test_an_id_that_is_not_ours_leads_nowhere(shelf, id):
    (shelf.folder.parent / "secret.json").write_text("{}")
    (shelf.folder.parent / "secret.jpg").write_text("x")
    for asked in (shelf.look, shelf.thumbnail, shelf.forget, shelf.set_safe, lambda i: shelf.rename(i, "x")):
        with pytest.raises(KinesphereError, match="no snapshot"):
            asked(id)
    assert (shelf.folder.parent / "secret.json").exists()


def test_names_are_made_fit_to_be_shown(shelf):
    id = shelf.add(LOOK, "  a\nb\ud800 " + "x" * 500)
    assert again(shelf).all()[0].name == shelf.all()[0].name == ("a b  " + "x" * 500)[:80]
    with pytest.raises(KinesphereError, match="needs a name"):
        shelf.rename(id, " \n")


GOOD = {"name": "a", "made": 1, "safe": 0, "look": LOOK}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"3",
        b"[" * 100_000,
        b'{"name": "a"}',
        b" " * 1_100_000,
        json.dumps({**GOOD, "name": 3}).encode(),
        json.dumps({**GOOD, "made": "x"}).encode(),
        json.dumps({**GOOD, "safe": -1}).encode(),
        json.dumps({**GOOD, "look": {"sources.eye": {"kind": "camera"}}}).encode(),
        json.dumps({**GOOD, "look": {"latent.seed": -1}}).encode(),
        json.dumps({**GOOD, "look": None}).encode(),
    ],
    ids=lambda c: repr(c[:30]),
)
def test_a_damaged_snapshot_is_told_and_the_others_are_there(shelf, content):
    good = shelf.add(LOOK, "good")
    (shelf.folder / "0123456789ab.json").write_bytes(content)
    found = again(shelf)
    assert [s.id for s in found.all()] == [good]
    assert list(found.damaged) == ["0123456789ab.json"] and found.damaged["0123456789ab.json"]


def test_what_is_not_ours_is_left_alone(shelf):
    shelf.add(LOOK)
    (shelf.folder / "cues.json").write_text("not a snapshot")
    (shelf.folder / ".0123456789ab.json.7.part").write_text("half of one")
    assert len(again(shelf).all()) == 1 and again(shelf).damaged == {}


def test_a_full_disk_is_said_and_nothing_is_lost(shelf, monkeypatch):
    id = shelf.add(LOOK, "before")

    def full(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "replace", full)
    for act in (lambda: shelf.add(LOOK), lambda: shelf.rename(id, "after"), lambda: shelf.set_safe(id)):
        with pytest.raises(KinesphereError, match="No space left"):
            act()
    assert [s.name for s in shelf.all()] == [s.name for s in again(shelf).all()] == ["before"] and shelf.safe is None


def test_a_folder_full_of_snapshots_is_said(shelf, monkeypatch):
    monkeypatch.setattr("kinesphere.looks.snapshots.MOST", 2)
    shelf.add(LOOK)
    shelf.add(LOOK)
    with pytest.raises(KinesphereError, match="forget one first"):
        shelf.add(LOOK)


def test_a_look_from_the_shelf_is_ones_own(shelf):
    id = shelf.add(LOOK)
    shelf.look(id)["latent.rows"]["coarse"] = "x"
    assert shelf.look(id) == LOOK
