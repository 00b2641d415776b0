"""A training set made from whatever there is, and the report of what became of it."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
import zlib
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from kinesphere.train import gathering, importing
from kinesphere.train.datasets import open_set
from kinesphere.train.importing import Imported, import_set, is_set, prepared
from kinesphere.types import KinesphereError


def noise(height=40, width=40, seed=0):
    """A picture unlike any other: coarse coloured squares."""
    coarse = np.random.RandomState(seed).randint(0, 256, (4, 4, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)


def folder_of(path, count=5, **sizes):
    path.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise(seed=zlib.crc32(f"{path.name}{number}".encode()), **sizes).save(path / f"{number}.png")
    return path


def zipped(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent).as_posix())
    return path


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def table_in(path):
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def picture_in(path):
    with Image.open(path) as image:
        return np.asarray(image)


def seen_by_nvidia(path):
    """What NVIDIA's training/dataset.py makes of a zip: (pictures [N, H, W, C], labels [N] or None)."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        pictures = np.stack([np.array(Image.open(io.BytesIO(archive.read(name)))) for name in names])
        labels = json.loads(archive.read("dataset.json"))["labels"]
    table = dict(labels) if labels else None
    return pictures, np.array([table[name] for name in names]) if table else None


# Any folder -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mess(tmp_path):
    """A folder as people have them: good pictures of odd kinds, and what is none."""
    folder = tmp_path / "mess"
    folder.mkdir()
    noise(60, 90, 1).save(folder / "10 photo.jpg", quality=95, subsampling=0)
    noise(60, 60, 2).convert("CMYK").save(folder / "2 print.tif")
    deep = np.linspace(0, 65535, 48 * 48).astype(np.uint16).reshape(48, 48)
    Image.fromarray(deep).save(folder / "3 deep.png")
    noise(20, 20, 4).save(folder / "4 little.png")
    noise(200, 200, 5).save(folder / "5 cut.jpg")
    (folder / "5 cut.jpg").write_bytes((folder / "5 cut.jpg").read_bytes()[:1200])
    (folder / "6 text.png").write_text("not a picture at all")
    Image.new("RGB", (1, 1)).save(folder / "7 dot.png")
    (folder / "8 empty.png").write_bytes(b"")
    noise(seed=9).save(folder / ".9 hidden.png")
    (folder / "notes.txt").write_text("of no interest")
    return folder


def test_a_messy_folder_becomes_a_set_and_what_was_skipped_is_listed(mess, tmp_path):
    report = import_set(mess, tmp_path / "set.zip", 32)
    assert report.written == 4 and report.enlarged == 1
    assert dict(report.skipped) == {
        "5 cut.jpg": dict(report.skipped)["5 cut.jpg"],
        "6 text.png": "not a picture",
        "7 dot.png": "too small to be a picture: 1 × 1 px, at least 8 are wanted",
        "8 empty.png": "an empty file",
        ".9 hidden.png": "hidden",
    }
    assert "it is damaged: image file is truncated" in dict(report.skipped)["5 cut.jpg"]
    pictures = open_set(tmp_path / "set.zip")
    assert pictures.batch(range(4)).shape == (4, 3, 32, 32) and pictures.labels is None
    deep = pictures.read(1)  # in a person's order: 2, 3, 4, 10
    assert deep.min() <= 2 and deep.max() >= 253 and abs(float(deep.mean()) - 127.5) < 1
    assert (deep[0] == deep[1]).all()
    photo = np.asarray(noise(60, 90, 1).crop((15, 0, 75, 60)).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.abs(pictures.read(3).transpose(1, 2, 0).astype(int) - photo).mean() < 4
    said = "\n".join(report.lines())
    for words in (
        "4 pictures, 32 × 32 px, RGB",
        "1 enlarged",
        "5 skipped:",
        "6 text.png: not a picture",
        "set-sheet.png",
    ):
        assert words in said


def test_the_same_source_gives_the_same_bytes(mess, tmp_path):
    import_set(mess, tmp_path / "a.zip", 32)
    import_set(mess, tmp_path / "b.zip", 32)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert (tmp_path / "a-sheet.png").read_bytes() == (tmp_path / "b-sheet.png").read_bytes()


def test_a_set_can_be_a_folder(mess, tmp_path):
    import_set(mess, tmp_path / "a.zip", 32)
    import_set(mess, tmp_path / "b", 32)
    assert names_in(tmp_path / "b") == ["00000", "dataset.json"]
    assert (open_set(tmp_path / "b").batch(range(4)) == open_set(tmp_path / "a.zip").batch(range(4))).all()


@pytest.mark.parametrize(
    "wish, shape", [({"alpha": True}, (4, 16, 16)), ({"grey": True}, (1, 16, 16)), ({}, (3, 16, 16))]
)
def test_alpha_and_grey_on_request(tmp_path, wish, shape):
    (tmp_path / "in").mkdir()
    clear = Image.new("RGBA", (16, 16), (200, 0, 0, 0))
    clear.paste((0, 0, 200, 255), (0, 0, 8, 16))
    clear.save(tmp_path / "in" / "a.png")
    import_set(tmp_path / "in", tmp_path / "a.zip", 16, **wish)
    picture = open_set(tmp_path / "a.zip").read(0)
    assert picture.shape == shape
    expected = {4: (0, 0), 1: (23, 255), 3: (0, 255)}[shape[0]]  # 200 of blue is 0.114 · 200 of grey; ITU-R 601
    assert (picture[0, 8, 2], picture[-1, 8, 12]) == expected


def test_each_picture_is_followed_by_its_mirror_image_on_request(tmp_path):
    import_set(folder_of(tmp_path / "in", 2), tmp_path / "a.zip", 40, mirror=True)
    pictures = open_set(tmp_path / "a.zip").batch(range(4))
    assert (pictures[1] == pictures[0, :, :, ::-1]).all() and (pictures[3] == pictures[2, :, :, ::-1]).all()


def test_a_count_takes_a_choice_by_the_seed_and_makes_up_for_what_is_broken(tmp_path):
    source = folder_of(tmp_path / "in", 12)
    for number in range(4):
        (source / f"{number}.png").write_text("broken")
    chosen = []
    for seed in (0, 1):
        report = import_set(source, tmp_path / f"{seed}.zip", 40, count=5, seed=seed)
        assert report.written == 5
        chosen.append({picture.tobytes() for picture in open_set(tmp_path / f"{seed}.zip").batch(range(5))})
    assert chosen[0] != chosen[1] and len(chosen[0]) == 5


def test_progress_reaches_its_end(tmp_path):
    steps = []
    import_set(folder_of(tmp_path / "in"), tmp_path / "a.zip", 40, progress=lambda done, of: steps.append((done, of)))
    assert steps == [(i, 5) for i in range(1, 6)]


# Labels ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pets(tmp_path):
    for name, count in (("dog", 2), ("cat", 3), ("class 10", 1), ("class 2", 1)):
        folder_of(tmp_path / "pets" / name, count)
    (tmp_path / "pets" / "bird").mkdir()
    (tmp_path / "pets" / "bird" / "1.png").write_text("flown")
    return tmp_path / "pets"


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_sub_folders_are_classes_in_a_persons_order(pets, tmp_path, kind):
    source = pets if kind == "folder" else zipped(pets, tmp_path / "pets.zip")
    report = import_set(source, tmp_path / "set.zip", 40)
    assert report.classes == {"cat": 3, "class 2": 1, "class 10": 1, "dog": 2}  # and no class without a picture
    pictures = open_set(tmp_path / "set.zip")
    assert pictures.class_names == ["cat", "class 2", "class 10", "dog"] and pictures.c_dim == report.c_dim == 4
    assert pictures.labels.argmax(1).tolist() == [0, 0, 0, 1, 2, 3, 3]
    seen, labels = seen_by_nvidia(tmp_path / "set.zip")
    assert labels.tolist() == [0, 0, 0, 1, 2, 3, 3]
    assert (seen == pictures.batch(range(7)).transpose(0, 2, 3, 1)).all()
    assert "4 classes: cat 3, class 2 1" in "\n".join(report.lines())


def test_no_labels_on_request_and_where_there_are_none(pets, tmp_path):
    assert import_set(pets, tmp_path / "a.zip", 40, labels="none").c_dim == 0
    assert seen_by_nvidia(tmp_path / "a.zip")[1] is None
    folder_of(pets, 1)  # a picture beside the sub-folders: not all have a class
    assert import_set(pets, tmp_path / "b.zip", 40).c_dim == 0
    report = import_set(pets, tmp_path / "c.zip", 40, labels="folders")
    assert report.c_dim == 4 and ("0.png", "it lies in no sub-folder, so it has no class") in report.skipped


def test_numbered_shelves_as_of_ffhq_are_no_classes(tmp_path):
    folder_of(tmp_path / "ffhq" / "00000", 2)
    folder_of(tmp_path / "ffhq" / "01000", 2)
    assert import_set(tmp_path / "ffhq", tmp_path / "a.zip", 40).c_dim == 0
    assert import_set(tmp_path / "ffhq", tmp_path / "b.zip", 40, labels="folders").c_dim == 2


def test_dataset_json_gives_labels_and_its_names_stay_in_their_order(tmp_path):
    source = folder_of(tmp_path / "in", 4)
    notes = {"labels": [["0.png", 1], ["1.png", 0], ["2.png", 1], ["absent.png", 1]], "class_names": ["zebra", "ant"]}
    (source / "dataset.json").write_text(json.dumps(notes))
    report = import_set(source, tmp_path / "a.zip", 40)
    assert report.skipped == [("3.png", "no label in dataset.json")]
    pictures = open_set(tmp_path / "a.zip")
    assert pictures.class_names == ["zebra", "ant"] and pictures.labels.argmax(1).tolist() == [1, 0, 1]
    assert report.classes == {"zebra": 1, "ant": 2}


def test_vectors_and_numbers_without_names_pass_through(tmp_path):
    source = folder_of(tmp_path / "in", 2)
    (source / "dataset.json").write_text(json.dumps({"labels": [["0.png", [0.5, 2]], ["1.png", [-1, 0]]]}))
    report = import_set(source, tmp_path / "a.zip", 40, mirror=True)
    np.testing.assert_array_equal(open_set(tmp_path / "a.zip").labels, [[0.5, 2], [0.5, 2], [-1, 0], [-1, 0]])
    assert "labels: vectors of 2 numbers" in report.lines()
    (source / "dataset.json").write_text(json.dumps({"labels": [["0.png", 2], ["1.png", 0]]}))
    assert import_set(source, tmp_path / "b.zip", 40).classes == {"class 0": 1, "class 2": 1}
    assert open_set(tmp_path / "b.zip").labels.argmax(1).tolist() == [2, 0]


@pytest.mark.parametrize(
    "notes, labels, words",
    [
        (None, "json", "no labels in dataset.json"),
        (None, "folders", "no sub-folders"),
        (None, "colour", "auto, folders, json, none"),
        ("{", "auto", "is no JSON"),
        ('{"labels": [["0.png", "cat"]]}', "auto", "is none"),
    ],
)
def test_labels_that_cannot_be_had_are_said_in_words(tmp_path, notes, labels, words):
    source = folder_of(tmp_path / "in", 1)
    if notes:
        (source / "dataset.json").write_text(notes)
    with pytest.raises(KinesphereError, match=words):
        import_set(source, tmp_path / "a.zip", 40, labels=labels)
    assert names_in(tmp_path) == ["in"]


# Twins ----------------------------------------------------------------------------------------------------------------


def test_duplicates_are_reported_kept_and_dropped_on_request(tmp_path):
    source = folder_of(tmp_path / "in", 4)
    Image.fromarray(picture_in(source / "1.png")).save(source / "copy.tif")  # another file, the same pixels
    Image.fromarray(picture_in(source / "2.png")).save(source / "again.jpg", quality=92)  # nearly the same
    report = import_set(source, tmp_path / "a.zip", 40)
    assert report.duplicates == [("copy.tif", "1.png")] and report.near == [("again.jpg", "2.png")]
    assert report.written == 6 and report.dropped == 0
    report = import_set(source, tmp_path / "b.zip", 40, drop_duplicates=True)
    assert report.written == 5 and report.dropped == 1
    assert "1 duplicates, 1 of them dropped:" in report.lines() and "  copy.tif is the same as 1.png" in report.lines()


def test_pictures_that_merely_resemble_each_other_are_no_twins(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for level in (40, 90, 140):
        Image.new("RGB", (40, 40), (level, level, level)).save(folder / f"{level}.png")
    report = import_set(folder, tmp_path / "a.zip", 40)
    assert report.duplicates == [] and report.near == []


# Zips, also hostile ones ----------------------------------------------------------------------------------------------


def test_our_own_set_is_a_source_too(tmp_path, pets):
    import_set(pets, tmp_path / "a.zip", 40)
    import_set(tmp_path / "a.zip", tmp_path / "b.zip", 20)
    a, b = open_set(tmp_path / "a.zip"), open_set(tmp_path / "b.zip")
    assert b.resolution == 20 and b.class_names == a.class_names and (a.labels == b.labels).all()


def test_a_hostile_zip_writes_nothing_outside_and_brings_nothing_down(tmp_path):
    good = io.BytesIO()
    noise().save(good, "PNG")
    head = struct.pack(">2I5B", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "room").mkdir()
    with zipfile.ZipFile(tmp_path / "room" / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.png", good.getvalue())
        archive.writestr("/evil.png", good.getvalue())
        archive.writestr("bomb.png", bomb + b"\0\0\0\x10IDAT" + bytes(16))
        archive.writestr("zeros.png", bytes(10**7))
        archive.writestr("good.png", good.getvalue())
    report = import_set(tmp_path / "room" / "in.zip", tmp_path / "room" / "set.zip", 16)
    assert report.written == 1
    reasons = dict(report.skipped)
    assert reasons["../../evil.png"] == reasons["/evil.png"] == "its name leads out of the zip"
    assert "far too many pixels" in reasons["bomb.png"] and reasons["zeros.png"] == "not a picture"
    assert names_in(tmp_path) == ["room"] and names_in(tmp_path / "room") == ["in.zip", "set-sheet.png", "set.zip"]


def test_a_zip_that_was_cut_short_is_said_in_words(tmp_path):
    whole = zipped(folder_of(tmp_path / "in"), tmp_path / "in.zip")
    whole.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(KinesphereError, match="no zip file, or was cut short"):
        import_set(whole, tmp_path / "a.zip", 16)


# A video --------------------------------------------------------------------------------------------------------------

CLIP = str(resources.files("kinesphere.builtin") / "clip.mp4")


def test_a_video_gives_pictures_at_steady_times(tmp_path):
    from kinesphere.sources.video import Video

    video = Video(CLIP)
    video.open()
    report = import_set(CLIP, tmp_path / "a.zip", 64, fit="stretch", every=0.5)
    assert report.written == np.ceil(video.duration / 0.5)
    pictures = open_set(tmp_path / "a.zip")
    frame = Image.fromarray(video.read(1.0).value).resize((64, 64), Image.Resampling.LANCZOS)
    assert np.abs(pictures.read(2).transpose(1, 2, 0).astype(int) - np.asarray(frame)).max() <= 4
    video.close()


def test_a_count_is_spread_over_the_video_and_every_0_takes_each_frame(tmp_path):
    from kinesphere.sources.film import Film

    report = import_set(CLIP, tmp_path / "a.zip", 16, count=4)
    assert report.written == 4 and len({p.tobytes() for p in open_set(tmp_path / "a.zip").batch(range(4))}) == 4
    film = Film(resources.files("kinesphere.builtin") / "clip.mp4")
    frames = len(film.stamps.times)
    film.close()
    assert import_set(CLIP, tmp_path / "b.zip", 8, every=0).written == frames


# Painted portraits ----------------------------------------------------------------------------------------------------


def test_portraits_come_with_the_table_of_what_made_them(tmp_path):
    from kinesphere.train.portraits import Portraits

    report = import_set("portraits", tmp_path / "faces.zip", 32, count=6, seed=3)
    assert (report.written, report.factors.name, report.sheet.name) == (6, "faces-factors.csv", "faces-sheet.png")
    picture, factors = Portraits(3, 32)[4]
    pictures = open_set(tmp_path / "faces.zip")
    assert (pictures.read(4) == picture.transpose(2, 0, 1)).all() and pictures.labels is None
    rows = table_in(report.factors)
    assert [row["name"] for row in rows] == pictures.names
    assert all(rows[4][name] == str(value) for name, value in factors.items())


def test_a_factor_can_be_the_label_and_its_mirror_image_is_in_the_table(tmp_path):
    from kinesphere.train.portraits import Portraits

    report = import_set("portraits", tmp_path / "faces.zip", 16, count=8, labels="glasses", mirror=True)
    pictures, rows = open_set(tmp_path / "faces.zip"), table_in(report.factors)
    for i in range(8):
        factors = Portraits(0, 16).factors(i)
        assert pictures.class_names[pictures.labels[2 * i].argmax()] == factors["glasses"]
        assert float(rows[2 * i + 1]["turn"]) == -float(rows[2 * i]["turn"]) == -factors["turn"]
    with pytest.raises(KinesphereError, match="glasses"):
        import_set("portraits", tmp_path / "x.zip", 16, count=1, labels="turn")


def test_many_processes_paint_what_one_paints(tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "PIECE", 3)
    import_set("portraits", tmp_path / "one.zip", 16, count=7)
    monkeypatch.setattr(gathering, "PARALLEL", 1)
    import_set("portraits", tmp_path / "many.zip", 16, count=7)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "many.zip").read_bytes()


# Nothing half ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["set.zip", "set"])
@pytest.mark.parametrize("moment", ["while writing", "while drawing the sheet"])
def test_an_interrupt_leaves_nothing_behind(tmp_path, monkeypatch, out, moment):
    source = folder_of(tmp_path / "in")

    def interrupt(*_):
        raise KeyboardInterrupt

    if moment == "while drawing the sheet":
        monkeypatch.setattr(importing, "contact_sheet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_set(source, tmp_path / out, 16, progress=interrupt if moment == "while writing" else lambda *_: None)
    assert names_in(tmp_path) == ["in"]


def test_an_interrupt_leaves_the_old_set_whole(tmp_path):
    source = folder_of(tmp_path / "in")
    import_set(source, tmp_path / "a.zip", 16)
    before = (tmp_path / "a.zip").read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_set(source, tmp_path / "a.zip", 32, overwrite=True, progress=interrupt)
    assert (tmp_path / "a.zip").read_bytes() == before


@pytest.mark.parametrize(
    "source, out, how, words",
    [
        ("absent", "a.zip", {}, "no folder, zip or video 'absent'"),
        ("in", "a.png", {}, "a training set is a .zip or a folder"),
        ("in", "there.zip", {}, "is there already: choose another name, or say overwrite"),
        ("in", "in", {"overwrite": True}, "is there already"),
        ("in/0.png", "a.zip", {}, "single picture"),
        ("empty", "a.zip", {}, "there is no good picture in empty"),
        ("broken", "a.zip", {}, r"there is no good picture in broken \(x.png: not a picture\)"),
        ("in", "a.zip", {"size": 3}, "size 3"),
        ("in", "a.zip", {"fit": "squash"}, "crop, fit, pad, stretch"),
        ("in", "a.zip", {"count": 0}, "count 0"),
        ("in", "a.zip", {"seed": -1}, "seed -1"),
        ("in", "a.zip", {"every": -1.0}, "every -1"),
    ],
)
def test_what_cannot_be_done_is_said_in_words_and_leaves_nothing(tmp_path, monkeypatch, source, out, how, words):
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "in", 1)
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "x.png").write_text("x")
    (tmp_path / "there.zip").write_bytes(b"precious")
    with pytest.raises(KinesphereError, match=words):
        import_set(source, out, **{"size": 16} | how)
    assert names_in(tmp_path) == ["broken", "empty", "in", "there.zip"]
    assert (tmp_path / "there.zip").read_bytes() == b"precious"


# The sheet, and what a run asks for -----------------------------------------------------------------------------------


def test_the_contact_sheet_shows_the_pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(70):
        Image.new("RGB", (64, 64), (3 * i, 255 - 3 * i, 128)).save(folder / f"{i}.png")
    report = import_set(folder, tmp_path / "a.zip", 64)
    sheet = picture_in(report.sheet)
    assert sheet.shape[:2] == (8 * 68 + 4, 8 * 68 + 4)
    assert tuple(sheet[36, 36]) == (0, 255, 128)
    shown = {tuple(sheet[36 + 68 * y, 36 + 68 * x]) for y in range(8) for x in range(8)}
    assert len(shown) == 64


def test_the_sheet_of_a_set_with_classes_has_a_row_for_each(tmp_path, pets):
    report = import_set(pets, tmp_path / "a.zip", 40)
    height, width, _ = picture_in(report.sheet).shape
    tile = 80  # enlarged twice to be seen
    assert height == 4 * (tile + 4) + 4 and width > 3 * (tile + 4) + 20  # the names stand in the margin


def test_a_run_takes_a_set_as_it_is_and_makes_one_of_anything_else(tmp_path):
    source = folder_of(tmp_path / "in")
    assert not is_set(source) and not is_set(CLIP)
    with pytest.raises(KinesphereError, match="choose one, such as size 256"):
        prepared(source, tmp_path / "run")
    pictures, report = prepared(source, tmp_path / "run", 16)
    assert isinstance(report, Imported) and pictures.path == tmp_path / "run" / "dataset.zip"
    assert is_set(pictures.path)
    for size, resolution in ((None, 16), (8, 8)):
        again, report = prepared(pictures.path, tmp_path / "other", size)
        assert report is None and again.resolution == resolution and again.path == pictures.path
    assert not (tmp_path / "other").exists()


def test_a_run_goes_on_without_its_source_and_makes_another_set_when_asked_otherwise(tmp_path):
    source = folder_of(tmp_path / "in")
    prepared(source, tmp_path / "run", 16, fit="pad")
    source.rename(tmp_path / "away")
    assert prepared(source, tmp_path / "run", 16, fit="pad")[1] is None
    (tmp_path / "away").rename(source)
    pictures, report = prepared(source, tmp_path / "run", 20, fit="pad")
    assert report is not None and pictures.resolution == 20
