"""A film of a patch or of a take is told how it was made, and is made again from that alone, frame for frame."""

import json
import shutil
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from conftest import stir
from PIL import Image

from kinesphere import checkpoints, filmed, patch
from kinesphere.engine import Engine, Moment
from kinesphere.filmed import OfPatch, OfTake, Wanted
from kinesphere.lanes import Drawn
from kinesphere.sinks import VideoFile
from kinesphere.studio import sidecars
from kinesphere.studio.directions import Direction
from kinesphere.studio.directions import files as directions
from kinesphere.studio.latents import Latent
from kinesphere.studio.plans import Plan
from kinesphere.studio.sidecars import Sidecar
from kinesphere.takes import Recorder
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = Path(__file__).parent / "fixtures" / "sg2ada_map2_32.pkl"

PLAYED = """
name = "seen"
model = "{model}"

[sources.eye]
kind = "video"
path = "{folder}/dance.mp4"
loop = false

[features.light]
kind = "brightness"

[latent]
psi = {{ feature = "light", low = -0.5, high = 1.0, release = 0.2 }}

[latent.places.me]
file = "{folder}/me.safetensors"
amount = {{ feature = "light", low = 0.0, high = 0.5 }}

[picture]
noise_mode = "random"
"""


@pytest.fixture
def played(tmp_path):
    """A patch of a video, 8 frames of 12 a second, and a latent that was kept; both and its model lie in files of their own."""
    film = VideoFile(tmp_path / "dance.mp4")
    film.open((32, 32), 12)
    for i in range(8):
        film.write(np.full((32, 32, 3), 30 * i, np.uint8), i / 12)
    film.close()
    shutil.copy(MODEL, tmp_path / "model.pkl")
    Latent.of_seed(checkpoints.load(MODEL).G_ema, 5).save(tmp_path / "me.safetensors")
    return patch.parse(PLAYED.format(model=tmp_path / "model.pkl", folder=tmp_path))


@pytest.fixture
def take(tmp_path, played):
    """What an instrument did in 12 steps, as a take."""
    lit = replace(played, latent=patch.Latent(psi=played.latent.psi))
    return recorded(tmp_path / "a.mcap", [lit] * 13)


@pytest.fixture
def kept(tmp_path, played):
    """A take in which a latent that was kept is gone to from the seventh step on."""
    lit = replace(played, latent=patch.Latent(psi=played.latent.psi))
    return recorded(tmp_path / "kept.mcap", [lit] * 6 + [played] * 7)


def recorded(path, patches):
    """A take of an instrument that played a patch in each step; light rises evenly."""
    models = {played.model: Engine(played, checkpoints.load(played.model)) for played in reversed(patches)}
    instrument = models[patches[0].model]
    with Recorder(path, lambda: instrument) as recorder:
        for i, now in enumerate(patches):
            instrument = models[now.model]
            recorder(Moment(i / 30, 1 / 30, now, {"light": Drawn(np.asarray(i / 12), i / 30)}))
    return str(path)


def another(path):
    """A model of the same family with other weights."""
    other = checkpoints.load(MODEL)
    stir(other.G_ema, 5)
    checkpoints.save(other, path)


@pytest.fixture
def drawn(monkeypatch):
    """The frames of each film, by its name, as they were before they were compressed."""
    frames, write = defaultdict(list), VideoFile.write

    def keep(film, frame, t):
        frames[Path(film.path).name].append(frame.copy())
        write(film, frame, t)

    monkeypatch.setattr(VideoFile, "write", keep)
    return frames


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def moving(frames):
    return len({frame.tobytes() for frame in frames}) == len(frames) > 5


def test_a_film_of_a_patch_is_made_again(played, drawn, tmp_path):
    assert OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4")) == 8
    there = filmed.read(tmp_path / "one.mp4").now_at(None, str(MODEL))
    there.draw(Wanted(tmp_path / "two.mp4"))
    assert moving(drawn["one.mp4"]) and same(drawn["one.mp4"], drawn["two.mp4"])
    with av.open(str(tmp_path / "two.mp4")) as film:
        assert film.streams.video[0].average_rate == 12


def test_length_and_rate_that_were_asked_are_told(played, tmp_path):
    OfPatch.of(played, 0.5, Fraction(30000, 1001)).draw(Wanted(tmp_path / "one.mp4"))
    there = filmed.read(tmp_path / "one.mp4.json")
    assert (there.frames, there.fps) == (15, Fraction(30000, 1001))


def test_the_patch_is_told_as_it_was_played_with_its_files_and_without_sinks(played, tmp_path):
    played.sinks = {"window": VideoFile(tmp_path / "elsewhere.mp4")}
    OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4"))
    said = json.loads((tmp_path / "one.mp4.json").read_text())
    assert said["patch"] == patch.document(replace(played, sinks={}, model="model.pkl"))
    assert said["model"]["name"] == "model.pkl" and len(said["model"]["whole"]) == 32
    assert list(said["files"]) == [str(tmp_path / "dance.mp4"), str(tmp_path / "me.safetensors")]


def test_a_source_that_was_moved_is_said(played, drawn, tmp_path):
    OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4"))
    (tmp_path / "dance.mp4").rename(tmp_path / "moved.mp4")
    there = filmed.read(tmp_path / "one.mp4")
    with pytest.raises(KinesphereError, match=r"dance.mp4, of which this film was made, is gone: say with --source"):
        there.now_at(None, None)
    there.now_at(str(tmp_path / "moved.mp4"), str(MODEL)).draw(Wanted(tmp_path / "two.mp4"))
    assert same(drawn["one.mp4"], drawn["two.mp4"])


def test_a_file_that_is_gone_or_another_is_refused(played, tmp_path):
    OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4"))
    there = filmed.read(tmp_path / "one.mp4")
    (tmp_path / "me.safetensors").write_bytes(b"other")
    with pytest.raises(KinesphereError, match=r"me.safetensors is not what this film was made of, but another"):
        there.now_at(None, None)
    (tmp_path / "me.safetensors").unlink()
    with pytest.raises(KinesphereError, match=r"me.safetensors, of which this film was made, is gone: put it back"):
        there.now_at(None, None)


def test_another_model_is_refused_and_leaves_no_film(played, tmp_path):
    OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4"))
    another(tmp_path / "other.safetensors")
    again = filmed.read(tmp_path / "one.mp4").now_at(None, str(tmp_path / "other.safetensors"))
    with pytest.raises(KinesphereError, match="another model than other.safetensors: say with --model where"):
        again.draw(Wanted(tmp_path / "two.mp4"))
    assert not list(tmp_path.glob("two*"))


def test_a_film_that_cannot_be_begun_leaves_the_one_that_is_there_with_what_is_told_of_it(played, tmp_path):
    OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4"))
    before = sidecars.path(tmp_path / "one.mp4").read_bytes()
    with pytest.raises(KinesphereError, match="exists already"):
        OfPatch.of(played, 0.5, None).draw(Wanted(tmp_path / "one.mp4"))
    assert sidecars.path(tmp_path / "one.mp4").read_bytes() == before
    OfPatch.of(played, 0.5, None).draw(Wanted(tmp_path / "one.mp4", overwrite=True))
    assert filmed.read(tmp_path / "one.mp4").frames == 6


def test_broken_off_it_is_told_whole(played, tmp_path):
    def stop(done, of):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OfPatch.of(played, None, None).draw(Wanted(tmp_path / "one.mp4", on_frame=stop))
    with av.open(str(tmp_path / "one.mp4")) as film:
        assert film.streams.video[0].frames == 3
    assert filmed.read(tmp_path / "one.mp4").frames == 8


def test_a_folder_of_pictures_is_known_by_all_that_is_in_it(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / "in" / name)
    before = filmed.digest(str(tmp_path / "in"))
    (tmp_path / "in").rename(tmp_path / "moved")
    assert filmed.digest(str(tmp_path / "moved")) == before
    (tmp_path / "moved" / "b.png").rename(tmp_path / "moved" / "c.png")
    assert filmed.digest(str(tmp_path / "moved")) != before


@pytest.mark.parametrize("model, size", [(None, None), (str(MODEL), 48)], ids=["its own model", "another and a size"])
def test_a_film_of_a_take_is_made_again(take, drawn, tmp_path, model, size):
    frames = OfTake.of(take, Fraction(20), size, model).draw(Wanted(tmp_path / "one.mp4"))
    Path(take).rename(tmp_path / "moved.mcap")
    there = filmed.read(tmp_path / "one.mp4")
    with pytest.raises(KinesphereError, match=r"a.mcap, of which this film was made, is gone: say with --source"):
        there.now_at(None, None)
    there.now_at(str(tmp_path / "moved.mcap"), model).draw(Wanted(tmp_path / "two.mp4"))
    one = drawn["one.mp4"]
    assert len(one) == frames and moving(one) and one[0].shape[0] == (size or 32) and same(one, drawn["two.mp4"])


def test_of_a_take_it_is_told_what_was_asked(take, tmp_path):
    OfTake.of(take, Fraction(20), 48, str(tmp_path / "model.pkl")).draw(Wanted(tmp_path / "one.mp4"))
    said = json.loads((tmp_path / "one.mp4.json").read_text())
    assert (said["take"], said["fps"], said["size"], said["model"]) == (take, "20", 48, "model.pkl")
    assert list(said["files"]) == [take] and [model["name"] for model in said["models"]] == ["model.pkl"]
    with pytest.raises(KinesphereError, match="no such built-in model"):
        filmed.read(tmp_path / "one.mp4").draw(Wanted(tmp_path / "two.mp4"))


def test_a_latent_that_a_take_goes_to_is_watched_and_nothing_that_its_frames_do_not_need(kept, drawn, tmp_path):
    OfTake.of(kept, Fraction(30), None, None).draw(Wanted(tmp_path / "one.mp4"))
    there = filmed.read(tmp_path / "one.mp4")
    assert list(there.files) == [kept, str(tmp_path / "me.safetensors")]
    (tmp_path / "dance.mp4").unlink()  # its source
    there.now_at(None, None).draw(Wanted(tmp_path / "two.mp4"))
    assert moving(drawn["one.mp4"]) and same(drawn["one.mp4"], drawn["two.mp4"])
    Latent.of_seed(checkpoints.load(MODEL).G_ema, 6).save(tmp_path / "me.safetensors")
    with pytest.raises(KinesphereError, match=r"me.safetensors is not what this film was made of, but another .*back"):
        there.now_at(None, None)


@pytest.mark.parametrize("of", ["ways.safetensors", "ways.safetensors#smile"])
def test_a_file_of_directions_is_watched(played, tmp_path, of):
    w_dim = checkpoints.load(MODEL).G_ema.w_dim
    path = directions.write(tmp_path / "ways.safetensors", [Direction(torch.ones(w_dim), "w", "smile")])
    along = {"smile": patch.Along(of=str(tmp_path / of), amount=1.0), "pc1": patch.Along(amount=1.0)}
    there = replace(played, latent=replace(played.latent, directions=along))
    OfPatch.of(there, None, None).draw(Wanted(tmp_path / "one.mp4"))
    told = filmed.read(tmp_path / "one.mp4")
    assert str(path) in told.files and told.now_at(None, None) == told
    taken = OfTake.of(recorded(tmp_path / "a.mcap", [there] * 3), Fraction(30), None, None)
    assert str(path) in taken.files
    directions.write(path, [Direction(-torch.ones(w_dim), "w", "smile")])
    for film in (told, taken):
        with pytest.raises(KinesphereError, match=r"ways.safetensors is not what this film was made of"):
            film.now_at(None, None)


@pytest.mark.parametrize("given, way_out", [(False, "put it back"), (True, "say with --model where")])
def test_a_film_of_a_take_is_not_made_with_another_model(take, tmp_path, given, way_out):
    model = str(tmp_path / "model.pkl") if given else None
    OfTake.of(take, Fraction(20), None, model).draw(Wanted(tmp_path / "one.mp4"))
    another(tmp_path / "other.safetensors")
    (tmp_path / "other.safetensors").replace(tmp_path / "model.pkl")
    there = filmed.read(tmp_path / "one.mp4").now_at(None, model)
    with pytest.raises(KinesphereError, match=rf"this film was made with another model than model.pkl: {way_out}"):
        there.draw(Wanted(tmp_path / "two.mp4"))
    assert not list(tmp_path.glob("two*"))


def test_of_a_take_with_two_models_no_frame_is_drawn_where_the_second_is_another(played, drawn, tmp_path):
    first, second = str(tmp_path / "model.pkl"), str(tmp_path / "second.safetensors")
    checkpoints.save(checkpoints.load(MODEL), second)
    lit = replace(played, latent=patch.Latent(psi=played.latent.psi))
    take = recorded(tmp_path / "b.mcap", [lit] * 6 + [replace(lit, model=second)] * 7)
    OfTake.of(take, Fraction(20), None, None).draw(Wanted(tmp_path / "one.mp4"))
    there = filmed.read(tmp_path / "one.mp4")
    assert list(there.models) == [first, second]
    another(second)
    with pytest.raises(KinesphereError, match="another model than second.safetensors: put it back"):
        there.draw(Wanted(tmp_path / "two.mp4"))
    assert not drawn["two.mp4"] and not list(tmp_path.glob("two*"))


def test_a_model_that_the_film_of_a_take_did_not_have_is_refused(take, tmp_path):
    with pytest.raises(KinesphereError, match="with the models that its take names: leave out --model"):
        OfTake.of(take, Fraction(20), None, None).now_at(None, str(MODEL))


def test_a_walk_and_a_film_of_a_patch_name_each_other_s_way_to_be_made_again(played, tiny, tmp_path):
    (tmp_path / "walk.mp4.json").write_text(sidecars.of(Plan("1-3"), "tiny", tiny).to_json())
    with pytest.raises(KinesphereError, match=r"walk.mp4.json: it is of a walk: kinesphere walk --recipe"):
        filmed.read(tmp_path / "walk.mp4")
    for told in (OfPatch.of(played, None, None), OfTake("a.mcap", Fraction(30), None, None, {})):
        with pytest.raises(KinesphereError, match="kinesphere render --recipe"):
            Sidecar.from_json(told.to_json())


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"frames": "8"},
        {"fps": "1/0"},
        {"fps": 2000},
        {"fps": []},
        {"model": None},
        {"model": {"name": 3}},
        {"patch": []},
        {"files": {"a": 1}},
        {"files": []},
    ],
    ids=str,
)
def test_what_is_damaged_is_refused_by_name(played, tmp_path, wrong):
    said = json.loads(OfPatch.of(played, None, None).to_json())
    (tmp_path / "a.mp4.json").write_text(json.dumps(said | wrong))
    with pytest.raises(KinesphereError, match="a.mp4.json: its recipe is damaged"):
        filmed.read(tmp_path / "a.mp4")


@pytest.mark.parametrize("wrong", [{"models": None}, {"models": [3]}, {"model": 3}, {"size": -1}], ids=str)
def test_what_is_damaged_of_a_take_is_refused_by_name(tmp_path, wrong):
    said = json.loads(OfTake("a.mcap", Fraction(30), None, None, {}).to_json())
    (tmp_path / "a.mp4.json").write_text(json.dumps(said | wrong))
    with pytest.raises(KinesphereError, match="a.mp4.json: its recipe is damaged"):
        filmed.read(tmp_path / "a.mp4")


def test_a_patch_that_this_version_cannot_have_is_refused_by_name(played, tmp_path):
    said = json.loads(OfPatch.of(played, None, None).to_json())
    said["patch"]["latent"]["taste"] = 3
    (tmp_path / "a.mp4.json").write_text(json.dumps(said))
    with pytest.raises(KinesphereError, match=r"a.mp4.json: the patch of this film cannot be played:\s+latent.taste"):
        filmed.read(tmp_path / "a.mp4")
