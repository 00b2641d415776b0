"""The files of a set by name, from zips that are whole, old, broken or meant to harm."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib

import pytest

from kinesphere.train.stores import Unreadable, in_order, store
from kinesphere.types import KinesphereError


def zipped(path, files, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def patched(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_gives_its_files_and_their_beginnings(tmp_path, method):
    content = bytes(range(256)) * 50
    files = store(zipped(tmp_path / "a.zip", {"b/10.png": content, "b/2.png": b"", "c.txt": b"text"}, method))
    assert files.names == ["b/2.png", "b/10.png", "c.txt"]
    assert files.read("b/10.png") == content
    assert files.read("b/10.png", 33) == content[:33]
    assert files.read("b/2.png") == b""


def test_a_folder_gives_its_files_with_slashes_and_follows_no_linked_folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "x.png").write_bytes(b"x")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    files = store(tmp_path / "in")
    assert files.names == ["deep/x.png"]
    assert files.read("deep/x.png") == b"x"
    assert files.refused == [("circle", "a link to a folder: not followed")]


def test_a_vanished_file_is_said_in_words(tmp_path):
    (tmp_path / "x.png").write_bytes(b"x")
    files = store(tmp_path)
    (tmp_path / "x.png").unlink()
    with pytest.raises(Unreadable, match="vanished"):
        files.read("x.png")


def test_what_changes_a_file_changes_the_fingerprint(tmp_path):
    (tmp_path / "x.png").write_bytes(b"x")
    before = store(tmp_path).fingerprint()
    assert store(tmp_path).fingerprint() == before
    (tmp_path / "x.png").write_bytes(b"xy")
    assert store(tmp_path).fingerprint() != before


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png"])
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path, name):
    files = store(zipped(tmp_path / "a.zip", {name: b"evil", "good.png": b"good"}))
    assert files.names == ["good.png"]
    assert files.refused == [(name, "its name leads out of the zip")]


def test_a_zip_made_on_windows_has_folders(tmp_path):
    assert store(zipped(tmp_path / "a.zip", {"cats\\1.png": b"x"})).names == ["cats/1.png"]


def test_rare_compression_and_passwords_are_refused_by_name(tmp_path):
    rare = store(zipped(tmp_path / "a.zip", {"x.png": b"x" * 99}, zipfile.ZIP_LZMA))
    assert rare.names == [] and "method 14" in rare.refused[0][1]

    def lock(data):
        at = data.index(b"PK\1\2")
        data[at + 8] |= 1

    locked = store(patched(zipped(tmp_path / "b.zip", {"x.png": b"x"}), lock))
    assert locked.names == [] and "password" in locked.refused[0][1]


def test_a_file_that_claims_to_be_enormous_is_refused(tmp_path):
    def claim(data):
        at = data.index(b"PK\1\2")
        data[at + 24 : at + 28] = struct.pack("<I", 2**32 - 2)

    files = store(patched(zipped(tmp_path / "a.zip", {"x.png": b"x"}, zipfile.ZIP_DEFLATED), claim))
    assert files.names == [] and "too large" in files.refused[0][1]


def test_a_bomb_is_not_inflated_beyond_its_promise(tmp_path):
    """A deflated megabyte of zeros that the directory calls 10 bytes long."""

    def lie(data):
        at = data.index(b"PK\1\2")
        data[at + 24 : at + 28] = struct.pack("<I", 10)
        data[at + 16 : at + 20] = struct.pack("<I", zlib.crc32(bytes(10)))

    files = store(patched(zipped(tmp_path / "a.zip", {"x.png": bytes(10**6)}, zipfile.ZIP_DEFLATED), lie))
    with pytest.raises(Unreadable, match="its length is not the one that the zip promises"):
        files.read("x.png")


def test_a_changed_byte_is_noticed(tmp_path):
    def change(data):
        data[data.index(b"content")] ^= 1

    files = store(patched(zipped(tmp_path / "a.zip", {"x.png": b"content"}), change))
    with pytest.raises(Unreadable, match="checksum"):
        files.read("x.png")


def test_an_entry_that_points_nowhere_is_damaged(tmp_path):
    def astray(data):
        at = data.index(b"PK\1\2")
        data[at + 42 : at + 46] = struct.pack("<I", 3)

    files = store(patched(zipped(tmp_path / "a.zip", {"x.png": b"content"}), astray))
    with pytest.raises(Unreadable, match="points to a place"):
        files.read("x.png")


def test_damaged_compression_is_said_in_words(tmp_path):
    def change(data):
        data[35:45] = b"\xff" * 10

    files = store(patched(zipped(tmp_path / "a.zip", {"x.png": bytes(range(256)) * 9}, zipfile.ZIP_DEFLATED), change))
    with pytest.raises(Unreadable, match="damaged"):
        files.read("x.png")


@pytest.mark.parametrize("length", [0, 10, 60, -5])
def test_a_zip_that_was_cut_short_is_said_in_words(tmp_path, length):
    path = zipped(tmp_path / "a.zip", {"x.png": bytes(100)})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(KinesphereError, match="is no zip file, or was cut short"):
        store(path)


def test_what_is_not_there_is_said_in_words(tmp_path):
    with pytest.raises(KinesphereError, match="no file or folder"):
        store(tmp_path / "absent")


def test_an_open_zip_can_be_sent_to_another_process(tmp_path):
    files = store(zipped(tmp_path / "a.zip", {"x.png": b"content"}))
    assert files.read("x.png") == b"content"
    assert pickle.loads(pickle.dumps(files)).read("x.png") == b"content"


def test_names_sort_as_a_person_would():
    assert sorted(["b10", "B9", "a", "b1"], key=in_order) == ["a", "b1", "B9", "b10"]
