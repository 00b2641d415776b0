"""The verbs, as a player types them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from commands import run
from PIL import Image
from typer.testing import CliRunner

from kinesphere import checkpoints, cli
from kinesphere.cli import playing
from kinesphere.performance import Status
from kinesphere.studio import latents

FIXTURES = Path(__file__).parent / "fixtures"
VERBS = [c.callback.__name__.replace("_", "-") for c in cli.app.registered_commands]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A film of 2.5 s with sound, small and quick: 75 frames of 29.97 a second."""
    path = tmp_path_factory.mktemp("films") / "small.mp4"
    with av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=Fraction(30000, 1001))
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = film.add_stream("aac", rate=48000)
        for i in range(75):
            picture = np.zeros([48, 64, 3], np.uint8)
            picture[:, : 1 + i * 63 // 75] = (255, 3 * i, 128)
            film.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
        tone = np.sin(np.arange(48000 * 5 // 2) / 48000 * 2 * np.pi * 440).astype(np.float32)
        for start in range(0, len(tone), 1024):
            part = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            part.rate, part.pts = 48000, start
            film.mux(sound.encode(part))
        film.mux(video.encode(None))
        film.mux(sound.encode(None))
    return path


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [f.to_ndarray(format="rgb24") for f in film.decode(video=0)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb):
    shown = CliRunner().invoke(cli.app, [verb, "--help"], env={"COLUMNS": "200"}).output
    assert f"Example: kinesphere {verb}" in shown.replace("\n", " ")


def test_the_examples_in_the_help_parse():
    for command in cli.app.registered_commands:
        words = command.epilog.removeprefix("Example: kinesphere ").split()
        shown = CliRunner().invoke(cli.app, [*words, "--help"])
        assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize("file", ["sg2ada_skip64.pkl", "sg3r_64.pkl", "tf_sg2_64.pkl", "rosinality_64.pt"])
def test_sample_any_checkpoint(file, tmp_path, capsys):
    G = checkpoints.load(FIXTURES / file).G_ema
    for psi, out in {"0.7": "a", "0": "b", "1": "c", "1.5": "d"}.items():
        run(
            "sample", "--model", FIXTURES / file, "--seeds", "0-3", "--psi", psi, "--out", tmp_path / out, capsys=capsys
        )
    pictures = {p: [np.asarray(Image.open(f)) for f in sorted((tmp_path / p).glob("seed*.png"))] for p in "abcd"}
    assert all(len(p) == 4 and p[0].shape == (G.img_resolution, G.img_resolution, 3) for p in pictures.values())
    assert all((p == pictures["b"][0]).all() for p in pictures["b"])  # psi 0: one picture for every seed
    assert all((x != y).any() for x, y in zip(pictures["c"], pictures["d"], strict=True))  # psi 1.5 is not psi 1
    assert (pictures["a"][0] != pictures["a"][1]).any()


def test_a_picture_is_made_again_by_its_recipe(tmp_path, capsys):
    run("sample", "--seeds", "3", "--psi", "0.5", "--noise", "random", "--out", tmp_path / "one", capsys=capsys)
    picture = tmp_path / "one" / "seed0003.png"
    run("sample", "--recipe", picture, "--out", tmp_path / "two", capsys=capsys)
    assert np.array_equal(*(np.asarray(Image.open(path)) for path in (picture, tmp_path / "two" / "seed0003.png")))
    Image.fromarray(np.asarray(Image.open(picture))).save(tmp_path / "plain.png")
    three = ("--out", tmp_path / "three")
    assert "holds no recipe" in run("sample", "--recipe", tmp_path / "plain.png", *three, code=1, capsys=capsys)
    other = run("sample", "--recipe", picture, "--model", "abstract", *three, code=1, capsys=capsys)
    assert "another model (portraits)" in other


def test_a_picture_is_projected_and_drawn_again(tmp_path, capsys, monkeypatch):
    run("sample", "--seeds", "3", "--model", "abstract", "--out", tmp_path, capsys=capsys)
    (tmp_path / "seed0003.png").rename(tmp_path / "me.png")
    asked = (
        "project",
        tmp_path / "me.png",
        "--model",
        "abstract",
        "--steps",
        12,
        "--rows",
        4,
        "--out",
        tmp_path / "found",
    )
    said = run(*asked, capsys=capsys)
    assert "likeness" in said and "editable" in said
    kept = tmp_path / "found" / "me.safetensors"
    run("sample", "--model", "abstract", "--latent", kept, "--out", tmp_path / "again", capsys=capsys)
    found, again = (np.asarray(Image.open(folder / "me.png")) for folder in (tmp_path / "found", tmp_path / "again"))
    assert np.array_equal(found, again)
    assert "what was found of these is in" in run(*asked, code=1, capsys=capsys)
    before, _ = kept.read_bytes(), shutil.copy(tmp_path / "me.png", tmp_path / "you.png")
    said = run(*asked, tmp_path / "you.png", "--align", "120,130,200,5", "--crops", 1, capsys=capsys)
    assert "you.safetensors" in said and "me.safetensors" not in said and kept.read_bytes() == before
    assert "does not fit this model" in run("sample", "--latent", kept, "--out", tmp_path / "x", code=1, capsys=capsys)
    itself = run("project", tmp_path / "me.png", "--out", tmp_path, "--overwrite", code=1, capsys=capsys)
    assert "would replace" in itself
    assert "no way to align 'ears': there are middle" in run(
        "project", tmp_path / "me.png", "--align", "ears", code=1, capsys=capsys
    )
    assert "no file or folder" in run("project", tmp_path / "nobody.png", code=1, capsys=capsys)
    monkeypatch.setitem(sys.modules, "ray", None)
    others = ["--ray", "auto", "--out", tmp_path / "others"]
    assert "kinesphere[ray]" in run("project", tmp_path / "me.png", *others, code=1, capsys=capsys)


def test_sample_never_replaces_a_picture_unasked(tmp_path, capsys):
    words = ["sample", "--model", FIXTURES / "sg2ada_map2_32.pkl", "--seeds", "1,2", "--out", tmp_path]
    run(*words, capsys=capsys)
    before = (tmp_path / "seed0002.png").read_bytes()
    assert "seed0001.png" in run(*words, "--psi", "1", code=1, capsys=capsys)
    assert (tmp_path / "seed0002.png").read_bytes() == before
    run(*words, "--psi", "1", "-y", capsys=capsys)
    assert (tmp_path / "seed0002.png").read_bytes() != before


def test_sample_sheets(tmp_path, capsys):
    run(
        "sample",
        "--model",
        FIXTURES / "sg3t_64.pkl",
        "--seeds",
        "1,2",
        "--psi-grid",
        5,
        "--out",
        tmp_path,
        capsys=capsys,
    )
    mix = ["--class", 4, "--mix", "7-8", "--rows", "middle"]
    run("sample", "--model", FIXTURES / "sg2ada_cond64.pkl", *mix, "--out", tmp_path, capsys=capsys)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mix-middle.png", "psi-seeds1-2.png"]


def test_blend_two_seeds_or_files_by_any_mask(tmp_path, capsys):
    words = ["blend", "--model", FIXTURES / "sg2ada_skip64.pkl", "--columns", 3, "--out", tmp_path / "blend.png"]
    run(*words, 3, 14, capsys=capsys)
    plain = np.asarray(Image.open(tmp_path / "blend.png"))
    assert plain.shape[0] > 3 * 64 and plain.shape[1] > 3 * 64
    assert "is there already" in run(*words, 3, 14, code=1, capsys=capsys)
    G = checkpoints.load(FIXTURES / "sg2ada_skip64.pkl").G_ema
    kept = latents.Latent.of_seed(G, 14, psi=0.7).save(tmp_path / "me.safetensors")
    run(*words, 3, kept, "-y", capsys=capsys)
    assert (np.asarray(Image.open(tmp_path / "blend.png")) == plain).all()
    Image.new("L", (8, 8), 255).save(tmp_path / "mask.png")
    run(*words, 3, kept, "-y", "--mask", tmp_path / "mask.png", capsys=capsys)
    masked = np.asarray(Image.open(tmp_path / "blend.png"))
    again = ["--recipe", tmp_path / "blend.png", "--out", tmp_path / "again"]
    kept.unlink()
    run("sample", "--model", FIXTURES / "sg2ada_skip64.pkl", *again, capsys=capsys)
    assert (tmp_path / "again" / "blend.png").read_bytes() == (tmp_path / "blend.png").read_bytes()
    same = (masked == plain).all(1).all(1)  # the morphs; what the mask changes is below
    assert same[: plain.shape[0] * 2 // 3].all() and not same.all()
    assert "there is no file" in run(*words, 3, "nobody", "-y", code=1, capsys=capsys)


def test_centres_are_found_and_sample_truncates_towards_them(tmp_path, capsys):
    words = ["--model", FIXTURES / "sg2ada_map2_32.pkl"]
    told = run("centres", *words, "--k", 3, "--count", 400, "--out", tmp_path / "centres.png", capsys=capsys)
    assert "3 centres of 400" in told
    assert sorted(p.name for p in tmp_path.iterdir()) == ["centres.png", "centres.safetensors"]
    towards = ["--centres", tmp_path / "centres.safetensors", "--psi", 0, "--seeds", "0-19"]
    run("sample", *words, *towards, "--out", tmp_path / "to", capsys=capsys)
    pictures = {np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "to").glob("seed*.png")}
    assert 1 < len(pictures) <= 3
    again = ["--recipe", tmp_path / "to" / "seed0007.png", "--out", tmp_path / "again"]
    run("sample", *words, *again, capsys=capsys)
    assert (tmp_path / "again" / "seed0007.png").read_bytes() == (tmp_path / "to" / "seed0007.png").read_bytes()
    (tmp_path / "centres.safetensors").rename(tmp_path / "elsewhere.safetensors")
    run("sample", *words, "--recipe", tmp_path / "centres.png", "--out", tmp_path / "again", capsys=capsys)
    assert (tmp_path / "again" / "centres.png").read_bytes() == (tmp_path / "centres.png").read_bytes()
    (tmp_path / "elsewhere.safetensors").rename(tmp_path / "centres.safetensors")
    assert "is there already" in run("centres", *words, "--out", tmp_path / "centres.png", code=1, capsys=capsys)
    other = ["--model", FIXTURES / "sg2ada_skip64.pkl", "--out", tmp_path / "other"]
    assert "another model" in run("sample", *other, *towards, code=1, capsys=capsys)


def test_render_keeps_frames_rate_and_sound_and_is_the_same_twice(small, tmp_path, capsys):
    model = FIXTURES / "sg2ada_skip64.pkl"
    for name in ("one.mp4", "two.mp4"):
        run("render", "regions", "--model", model, "--source", small, "--out", tmp_path / name, capsys=capsys)
    one, two = frames_of(tmp_path / "one.mp4"), frames_of(tmp_path / "two.mp4")
    assert len(one) == 75 and all((a == b).all() for a, b in zip(one, two, strict=True))
    assert (one[0] != one[40]).any()
    with av.open(str(tmp_path / "one.mp4")) as film, av.open(str(small)) as source:
        assert film.streams.video[0].average_rate == source.streams.video[0].average_rate
        assert abs(film.streams.audio[0].duration * film.streams.audio[0].time_base - 75 * 1001 / 30000) < 0.05


def test_a_film_is_rendered_again_by_what_lies_beside_it(small, tmp_path, capsys):
    again = ["render", "--recipe", tmp_path / "one.mp4"]
    words = ["--model", FIXTURES / "sg2ada_map2_32.pkl", "--source", tmp_path / "small.mp4"]
    shutil.copy(small, tmp_path / "small.mp4")
    run("render", "scene", *words, "--seconds", 1, "--fps", 12, "--out", tmp_path / "one.mp4", capsys=capsys)
    (tmp_path / "small.mp4").rename(tmp_path / "moved.mp4")
    where = ["--model", FIXTURES / "sg2ada_map2_32.pkl", "--source", tmp_path / "moved.mp4"]
    said = run(*again, *where, "--out", tmp_path / "two.mp4", capsys=capsys)
    assert "12 frames, 1.00 s" in said
    one, two = (json.loads((tmp_path / f"{name}.mp4.json").read_text()) for name in ("one", "two"))
    assert one["patch"]["sources"].pop("eye")["path"] != two["patch"]["sources"].pop("eye")["path"]
    assert list(one.pop("files").values()) == list(two.pop("files").values()) and one == two
    for given, words in {
        ("--out", tmp_path / "two.mp4"): "two.mp4.json is there already",
        ("--out", tmp_path / "three.mp4"): "small.mp4, of which this film was made, is gone: say with --source",
        ("scene", "--out", tmp_path / "three.mp4"): "--recipe makes a film as it was, and tells PATCH: leave that out",
        ("--out", tmp_path / "three.mp4", "--sound", small, *where): "--sound is for takes",
    }.items():
        (tmp_path / "two.mp4").unlink(missing_ok=True)
        assert words in run(*again, *given, code=1, capsys=capsys)
    assert "say of which PATCH" in run("render", "--out", tmp_path / "three.mp4", code=1, capsys=capsys)
    assert not (tmp_path / "three.mp4").exists()


def test_render_at_another_rate_lasts_as_long(small, tmp_path, capsys):
    model = FIXTURES / "sg2ada_map2_32.pkl"
    run("render", "scene", "--model", model, "--source", small, "--fps", 12, "--out", tmp_path / "a.mp4", capsys=capsys)
    assert len(frames_of(tmp_path / "a.mp4")) == 30


@pytest.mark.parametrize(
    "words, frames", [(["--seconds", "1"], 30), (["--seconds", "4"], 120), (["--seconds", "1", "--fps", "10"], 10)]
)
def test_render_as_long_as_asked(words, frames, small, tmp_path, capsys):
    model, out = FIXTURES / "sg2ada_map2_32.pkl", tmp_path / "a.mp4"
    run("render", "scene", "--model", model, "--source", small, *words, "--out", out, capsys=capsys)
    assert len(frames_of(out)) == frames


def test_render_a_silent_film_and_a_folder_of_pictures(tmp_path, capsys):
    model = FIXTURES / "sg2ada_map2_32.pkl"
    run("walk", "--model", model, "--seconds", 1, "--fps", 10, "--out", tmp_path / "silent.mp4", capsys=capsys)
    run(
        "render",
        "scene",
        "--model",
        model,
        "--source",
        tmp_path / "silent.mp4",
        "--out",
        tmp_path / "a.mp4",
        capsys=capsys,
    )
    assert len(frames_of(tmp_path / "a.mp4")) == 10
    run("sample", "--model", model, "--seeds", "0-1", "--out", tmp_path / "folder", capsys=capsys)
    words = ["--source", tmp_path / "folder", "--fps", "5", "--out", tmp_path / "b.mp4"]
    run("render", "scene", "--model", model, *words, capsys=capsys)
    assert len(frames_of(tmp_path / "b.mp4")) == 40  # two pictures of 4 s


def test_a_patch_may_begin_inside_its_video(small, tmp_path, capsys):
    text = f'[sources.film]\nkind = "video"\npath = "{small}"\nstart = 1.5\n'
    (tmp_path / "late.toml").write_text(text)
    model, out = FIXTURES / "sg2ada_map2_32.pkl", tmp_path / "a.mp4"
    run("render", tmp_path / "late.toml", "--model", model, "--out", out, capsys=capsys)
    assert len(frames_of(out)) == 30
    with av.open(str(out)) as film:
        assert abs(film.streams.audio[0].duration * film.streams.audio[0].time_base - 1) < 0.05


def test_play_records_what_it_plays(small, tmp_path, capsys):
    model, out = FIXTURES / "sg2ada_map2_32.pkl", tmp_path / "played.mp4"
    said = run("play", "scene", "--model", model, "--source", small, "--seconds", 2, "--out", out, capsys=capsys)
    assert "played 2" in said and str(out) in said
    with av.open(str(out)) as film:
        assert abs(film.duration / 1e6 - 2) < 0.7


def test_play_without_camera_or_screen_plays_the_clip_and_says_where_the_video_is(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(playing, "list_cameras", lambda: [])
    said = run("play", "--model", FIXTURES / "sg2ada_map2_32.pkl", "--seconds", 1, capsys=capsys)
    assert "no camera was found" in said and "the video is out/play-1.mp4" in said
    assert len(frames_of(tmp_path / "out" / "play-1.mp4")) > 3


def test_play_tells_what_breaks_and_what_is_well_again_once(capsys):
    def status(**troubles):
        return Status(1.0, 30, 30.0, 0.01, 0.02, 0, 0.04, troubles, 0)

    tell = playing._told()
    for told in (status(), status(eye="the cable is out"), status(eye="the cable is out"), status(), status()):
        tell(told)
    assert capsys.readouterr().err.split("\n") == [
        "eye: the cable is out; the last value is held",
        "eye: well again",
        "",
    ]


def test_what_is_told_is_told_whole_brackets_and_all(capsys, monkeypatch, tmp_path):
    playing._told()(Status(1.0, 30, 30.0, 0.01, 0.02, 0, 0.04, {"eye": "[h264 @ 1] no frame in [/dev/video0]"}, 1))
    assert "eye: [h264 @ 1] no frame in [/dev/video0]; the last" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert "[/no].pkl" in run("inspect", "[/no].pkl", code=1, capsys=capsys)


def test_walk_makes_a_film_and_never_replaces_one_unasked(tmp_path, capsys):
    model, out = FIXTURES / "sg2ada_map2_32.pkl", tmp_path / "walk.mp4"
    run("walk", "--model", model, "--seeds", "1-3", "--seconds", 1, "--fps", "25", "--out", out, capsys=capsys)
    assert len(frames_of(out)) == 25
    before = out.read_bytes()
    said = run("walk", "--model", model, "--drift", "--seconds", 1, "--out", out, code=1, capsys=capsys)
    assert "walk.mp4" in said and out.read_bytes() == before
    run("walk", "--model", model, "--drift", "--seconds", 1, "--out", out, "-y", capsys=capsys)
    assert len(frames_of(out)) == 30


def test_walk_through_seeds_and_files_in_any_format(tmp_path, capsys):
    model = FIXTURES / "sg2ada_map2_32.pkl"
    np.save(tmp_path / "me.npy", np.random.RandomState(0).randn(1, checkpoints.load(model).G_ema.w_dim))
    keys = [
        "--keys",
        f"3, {tmp_path / 'me.npy'}, 15",
        "--times",
        "0,0.4,1",
        "--easing",
        "smoothstep,linear",
        "--no-loop",
    ]
    for name in ("a.webm", "a.gif", "frames"):
        said = run("walk", "--model", model, *keys, "--fps", 10, "--size", 64, "--out", tmp_path / name, capsys=capsys)
        assert f"{name}: 10 frames, 1.00 s\n" in said
    assert len(frames_of(tmp_path / "a.webm")) == 10 and len(list((tmp_path / "frames").iterdir())) == 10
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 10
    (tmp_path / "me.npy").unlink()
    again = ["--recipe", tmp_path / "frames", "--out", tmp_path / "again"]
    run("walk", "--model", model, *again, capsys=capsys)
    for frame in (tmp_path / "frames").iterdir():
        assert (tmp_path / "again" / frame.name).read_bytes() == frame.read_bytes()


def test_walk_shows_a_sheet_before_the_long_run(tmp_path, capsys):
    words = ["--model", FIXTURES / "sg2ada_map2_32.pkl", "--grid", "2x1", "--even", 1, "--seconds", 2, "--preview"]
    for _ in range(2):  # a look replaces the look before it
        said = run("walk", *words, "--out", tmp_path / "walk.mp4", capsys=capsys)
    assert "walk.preview.png: 7 keys and 24 pictures between them; the film: 60 frames, 64 x 32" in said
    assert [path.name for path in tmp_path.iterdir()] == ["walk.preview.png"]


def test_convert_and_inspect(tmp_path, capsys):
    source, target = FIXTURES / "sg2ada_cond64.pkl", tmp_path / "cond.safetensors"
    run("convert", source, target, "--half", capsys=capsys)
    cards = [json.loads(run("inspect", path, "--json", capsys=capsys)) for path in (source, target)]
    for key in ("family", "img_resolution", "c_dim", "num_ws"):
        assert cards[0][key] == cards[1][key]
    assert cards[0]["c_dim"] == 5 and target.stat().st_size < 0.8 * source.stat().st_size
    assert "cond.safetensors" in run("convert", source, target, code=1, capsys=capsys)
    assert "stylegan2" in run("inspect", source, capsys=capsys)


def test_devices_lists_what_can_be_played(capsys):
    said = run("devices", capsys=capsys)
    for word in ("cameras", "abstract", "scene", "regions", "activations"):
        assert word in said


@pytest.mark.parametrize(
    "words, said",
    [
        (["sample", "--model", "nope.pkl"], "nope.pkl"),
        (["sample", "--model", FIXTURES / "README.md"], "README.md"),
        (["sample", "--seeds", "one"], "one"),
        (["sample", "--model", FIXTURES / "sg2ada_map2_32.pkl", "--class", "4"], "no class 4"),
        (["sample", "--model", FIXTURES / "sg2ada_map2_32.pkl", "--mix", "1", "--rows", "bass"], "no band 'bass'"),
        (["render", "scnee", "--out", "a.mp4"], "no patch 'scnee'"),
        (["render", "scene", "--out", "a.mp4"], "a source that can be seen again"),
        (["render", "scene", "--source", "none.mp4", "--out", "a.mp4"], "none.mp4"),
        (["render", "scene", "--source", "clip", "--fps", "fast", "--out", "a.mp4"], "'fast'"),
        (["walk", "--out", "a.mp4", "--seconds", "0"], "0"),
        (["walk", "--out", "a.mp4", "--kind", "zigzag"], "zigzag"),
        (["walk", "--out", "a.avi"], "a.avi"),
        (["walk", "--out", "a.mp4", "--keys", "1, me.npy"], "no key 'me.npy'"),
        (["walk", "--out", "a.mp4", "--sound", "song.wav"], "song.wav"),
        (["play", "--device", "toaster"], "toaster"),
        (["inspect", "nope"], "nope"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run(*words, code=1, capsys=capsys)
    assert said in told and "Traceback" not in told and list(tmp_path.iterdir()) == []


def test_a_wrong_option_is_code_2(capsys):
    run("sample", "--sedes", 3, code=2, capsys=capsys)


@pytest.mark.parametrize("verb", ["walk", "play"])
def test_ctrl_c_leaves_a_valid_film(verb, tmp_path):
    out = tmp_path / "film.mp4"
    words = {
        "walk": ["walk", "--seconds", "600", "--seeds", "1-9", "--out", out],
        "play": ["play", "scene", "--source", "clip", "--out", out, "--seconds", "600"],
    }[verb]
    command = [sys.executable, "-m", "kinesphere", *map(str, words), "--model", str(FIXTURES / "sg2ada_map2_32.pkl")]
    player = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"}
    )
    patience = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < patience:
        time.sleep(0.1)
    time.sleep(3)
    player.send_signal(signal.SIGINT)
    told = player.communicate(timeout=60)[0].decode()
    assert player.returncode == 130, told
    assert "stopped" in told and "Traceback" not in told
    written = {"walk": ["film.mp4", "film.mp4.json"], "play": ["film.mp4"]}[verb]
    assert len(frames_of(out)) > 5 and sorted(p.name for p in tmp_path.iterdir()) == written
