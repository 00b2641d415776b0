"""Walks as films: they hit their keys, loops have no seam, the pace is as asked for, and an interruption keeps what was drawn."""

from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from conftest import Kept, tiny_generator

from kinesphere import latent
from kinesphere.ops import to_pixels
from kinesphere.sinks import to_file
from kinesphere.studio import contact, films, keys, latents, pacing, plans, sheets
from kinesphere.studio.perceptual import distance
from kinesphere.types import KinesphereError

NTSC = Fraction(30000, 1001)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def seeds_walk(G, seeds, times, loop=False, **options):
    return films.through(keys.found(G, seeds), times, loop, **options)


def drawn(G, seed, psi=0.7):
    """The picture of a seed, as `kinesphere sample` has it."""
    return next(sheets.Drawing(G).pictures(sheets.Drawing(G).ws([seed], psi)))


def frames_of(film) -> np.ndarray:
    film.into(kept := Kept())
    return np.stack([frame for _, frame in kept.all])


def steps_of(frames: np.ndarray, loop: bool) -> np.ndarray:
    """How much is to be seen from each frame to the next; of a loop, from the last to the first too."""
    img = torch.from_numpy(frames).permute(0, 3, 1, 2) / 127.5 - 1
    after = img.roll(-1, 0) if loop else img[1:]
    return distance(img[: len(after)], after).double().numpy()


def unevenness(steps: np.ndarray) -> float:
    return steps.std() / steps.mean()


# --- keys


def test_a_walk_passes_through_its_seeds(tiny):
    ws = sheets.seeds_to_ws(tiny, [1, 2, 3])
    open_walk = seeds_walk(tiny, [1, 2, 3], [0, 2, 4])
    for t, key in zip((0.0, 2.0, 4.0), ws, strict=True):
        assert torch.equal(open_walk(t)[0][0], key)
    loop = seeds_walk(tiny, [1, 2, 3], [0, 2, 4, 6], loop=True)
    for t, key in zip((0.0, 2.0, 4.0, 6.0), [*ws, ws[0]], strict=True):
        assert torch.equal(loop(t)[0][0], key)


def test_keys_come_at_the_times_that_were_asked_for_and_are_the_pictures_that_they_are_elsewhere(tiny):
    film = plans.Plan("4, 7, 2", times="0, 0.5, 2", loop=False, easing="smoothstep, quad_in").film(tiny)
    assert film.seconds == 2 and len(film.times()) == 60
    for t, seed in ((0.0, 4), (0.5, 7), (2.0, 2)):
        np.testing.assert_array_equal(film.frame(t), drawn(tiny, seed))


def test_each_leg_has_its_easing(tiny):
    film = plans.Plan("4, 7, 2", times="0, 1, 2", loop=False, kind="linear", easing="hold, smoothstep").film(tiny)
    np.testing.assert_array_equal(film.frame(0.9), drawn(tiny, 4))
    ws = sheets.Drawing(tiny).ws([7, 2], 0.7)
    eased, _ = film.walks[0](1.25)
    torch.testing.assert_close(eased[0], torch.lerp(ws[0], ws[1], 3 / 16 - 2 / 64))


@pytest.fixture
def projected(tiny, tmp_path):
    """Two projections with noise maps of their own, as files, and where they lie."""
    found = []
    for i in range(2):
        rng = torch.Generator().manual_seed(i)
        maps = {
            name: torch.randn(layer.noise_const.shape, generator=rng)
            for name, layer in tiny.layers().items()
            if hasattr(layer, "noise_const") and (i == 0 or name != "b8.conv1")
        }
        ws = torch.randn(tiny.num_ws, tiny.w_dim, generator=rng)
        weight = tiny.layers()["b16.conv0"].weight
        tuned = [torch.randn(n, generator=rng) for n in ((len(weight), 1), (1, weight[0].numel()))]
        tuning = {} if i else {"b16.conv0.weight": tuple(tuned)}
        kept = latents.Latent(ws, "w+", noise=maps, tuning=tuning, model=latents.Fingerprint.of(tiny))
        found.append((kept, kept.save(tmp_path / f"face{i}.safetensors")))
    return found


@pytest.mark.parametrize("loop", [False, True])
def test_a_projection_is_drawn_as_it_is_with_its_noise_and_weights_and_no_other_truncation(tiny, projected, loop):
    (a, first), (b, second) = projected
    times = "0, 1, 2, 3" if loop else "0, 1, 2"
    film = plans.Plan(f"{first}, 5, {second}", times=times, loop=loop, psi=0.3).film(tiny)
    for t, picture in ((0.0, a), (2.0, b)):
        np.testing.assert_array_equal(film.frame(t), to_pixels(latents.draw(tiny, picture))[0].numpy())
    np.testing.assert_array_equal(film.frame(1.0), drawn(tiny, 5, psi=0.3))
    assert [name for _, name in film.walks[0].stops][:3] == ["face0.safetensors", "seed 5", "face1.safetensors"]


def test_noise_keeps_its_strength_on_the_way_and_goes_at_an_even_pace(tiny, projected):
    (a, _), (b, _) = projected
    own, lonely = (tiny.layers()[name].noise_const for name in ("b32.conv1", "b8.conv1"))
    first, second = a.noise["b32.conv1"], b.noise["b32.conv1"]
    for x in (0.0, 0.2, 0.5, 0.8, 1.0):
        bending = keys.between(a.bending(tiny), b.bending(tiny), x)
        noise = bending["b32.conv1.noise_const"](own)
        assert noise.std() == pytest.approx(1, abs=0.06)
        assert np.corrcoef(noise.flatten(), first.flatten())[0, 1] == pytest.approx(np.cos(np.pi / 2 * x), abs=0.06)
        if x in (0, 1):
            assert torch.equal(noise, second if x else first)
    halfway = keys.between(a.bending(tiny), b.bending(tiny), 0.5)["b8.conv1.noise_const"](lonely)
    for map in (a.noise["b8.conv1"], lonely):  # the second has no map for it: the model's own is meant
        assert np.corrcoef(halfway.flatten(), map.flatten())[0, 1] > 0.5


def test_tuned_weights_go_in_a_straight_line(tiny, projected):
    (a, _), (b, _) = projected
    own = tiny.layers()["b16.conv0"].weight
    tuned = a.bending(tiny)["b16.conv0.weight"](own)
    bend = keys.between(a.bending(tiny), b.bending(tiny), 0.25)["b16.conv0.weight"]
    torch.testing.assert_close(bend(own), 0.75 * tuned + 0.25 * own)


def test_a_latent_of_another_model_is_refused_by_name(tiny, projected):
    plan = plans.Plan(f"1, {projected[0][1]}")
    with pytest.raises(KinesphereError, match="face0.safetensors: .*another model"):
        torch.manual_seed(0)
        plan.film(tiny_generator("stylegan1"))


# --- loops, length, interruption


def whole(tiny, way: str, even: float) -> films.Film:
    drift = way == "drift"
    return plans.Plan("4" if drift else "1-3", seconds=4, drift=drift, psi=1.0, fps=Fraction(12), even=even).film(tiny)


@pytest.mark.parametrize("even", [0.0, 1.0])
@pytest.mark.parametrize("way", ["keys", "drift"])
def test_the_seam_of_a_loop_is_no_larger_than_any_other_step(tiny, way, even):
    frames = frames_of(whole(tiny, way, even))
    steps = steps_of(frames, loop=True)
    assert len(frames) == 48 and steps[-1] <= steps[:-1].max() and steps.min() > 0


@pytest.mark.parametrize("fps, frames", [("24", 48), ("30000/1001", 60), ("60", 120), ("7.3", 15)])
def test_a_film_lasts_as_long_as_was_asked_at_any_rate(tiny, fps, frames):
    film = plans.Plan("1", seconds=2, drift=True, fps=Fraction(fps)).film(tiny)
    assert film.into(kept := Kept()) == frames == kept.frames
    assert kept.all[-1][0] == float((frames - 1) / Fraction(fps)) and not kept.is_open


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "frames"])
@pytest.mark.parametrize("fps", ["24", "30000/1001", "12.5"])
def test_every_file_has_as_many_frames_as_duration_times_rate(tiny, tmp_path, name, fps):
    film = plans.Plan("1-2", seconds=1.5, fps=Fraction(fps), size=48).film(tiny)
    frames = film.into(to_file(tmp_path / name))
    assert frames == round(Fraction(3, 2) * Fraction(fps))
    if name == "frames":
        assert len(list((tmp_path / name).iterdir())) == frames
        return
    with av.open(str(tmp_path / name)) as made:
        stream = made.streams.video[0]
        assert (stream.width, stream.height) == (48, 48)
        assert sum(1 for _ in made.decode(video=0)) == frames
        if name != "a.gif":
            assert stream.average_rate == Fraction(fps)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_interruption_closes_the_film(tiny):
    kept = Kept()

    def interrupt(i, n):
        if i == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plans.Plan("1", drift=True).film(tiny).into(kept, interrupt)
    assert not kept.is_open and kept.frames == 3


def tone(path, seconds, rate=48000):
    wave = (np.sin(np.arange(round(seconds * rate)) * 0.06) * 9000).astype(np.int16)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
        frame.rate = rate
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name, codec", [("a.mp4", "aac"), ("a.webm", "opus")])
def test_a_film_is_as_long_as_its_sound_which_is_put_under_it(tiny, tmp_path, name, codec):
    song = tone(tmp_path / "song.wav", 2.34)
    plan = plans.Plan("1-3", sound=song, fps=NTSC)
    frames = plan.film(tiny).into(to_file(tmp_path / name, song))
    assert frames == round(2.34 * NTSC) == 70
    with av.open(str(tmp_path / name)) as made:
        assert made.streams.audio[0].codec_context.name.removeprefix("lib") == codec
        heard = sum(frame.samples / frame.sample_rate for frame in made.decode(audio=0))
        assert heard == pytest.approx(2.34, abs=0.06)


def test_the_sound_is_where_a_loop_of_given_times_ends(tiny, tmp_path):
    film = plans.Plan("1-2", times="0, 1", sound=tone(tmp_path / "song.wav", 3)).film(tiny)
    assert film.walks[0].times == [0, 1, 3] and len(film.times()) == 90


def test_after_its_last_key_an_open_walk_rests_until_the_sound_ends(tiny, tmp_path):
    film = plans.Plan("1-2", times="0, 1", loop=False, even=1, sound=tone(tmp_path / "song.wav", 2)).film(tiny)
    np.testing.assert_array_equal(film.frame(1.5), drawn(tiny, 2))


# --- size and grid


def test_pictures_have_the_size_that_was_asked_for(tiny):
    own, large = (plans.Plan("1-2", size=size).film(tiny).frame(0.0) for size in (None, 128))
    assert own.shape == (32, 32, 3) and large.shape == (128, 128, 3)
    mean = large.reshape(32, 4, 32, 4, 3).mean((1, 3))
    assert np.corrcoef(mean.flatten(), own.flatten())[0, 1] > 0.98  # enlarged and shrunk again it is the same picture


def test_each_picture_of_a_grid_walks_the_next_seeds(tiny):
    frame = plans.Plan("0-1", grid="3x2").film(tiny).frame(0.0)
    assert frame.shape == (64, 96, 3)
    for cell, seed in enumerate((0, 2, 4, 6, 8, 10)):
        y, x = divmod(cell, 3)
        np.testing.assert_array_equal(frame[32 * y : 32 * y + 32, 32 * x : 32 * x + 32], drawn(tiny, seed))


def test_all_pictures_of_a_grid_meet_at_a_file(tiny, projected):
    _, (kept, path) = projected
    frame = plans.Plan(f"1, {path}", times="0, 1", loop=False, grid="2x1").film(tiny).frame(1.0)
    want = to_pixels(latents.draw(tiny, kept))[0].numpy()
    np.testing.assert_array_equal(frame, np.hstack([want, want]))


# --- pace


def slide(at) -> SimpleNamespace:
    """A generator whose picture is an edge; `at` says where it stands (0 to 1 of the width), from the first number of `ws`."""
    x = torch.linspace(0, 1, 64)

    def synthesis(ws, noise_mode="const"):
        edge = torch.tanh((x - at(ws[:, 0, :1])) * 12)  # [N, W]
        return edge[:, None, None].expand(-1, 3, 64, 64)

    return SimpleNamespace(img_resolution=64, synthesis=synthesis, w_avg=torch.zeros(2))


def places(*numbers: float) -> list[keys.Key]:
    return [keys.Key(f"{number}", torch.full((1, 1, 2), number)) for number in numbers]


UNEVEN = {
    "slow, fast, slow": lambda w: 0.1 + 0.8 * torch.sigmoid((w - 0.5) * 14),
    "faster and faster": lambda w: 0.1 + 0.8 * w**4,
    "in steps": lambda w: 0.1 + 0.8 * (w - torch.sin(6 * np.pi * w) / (6 * np.pi) * 0.97),
}


@pytest.mark.parametrize("shape", UNEVEN)
def test_an_even_pace_is_at_least_four_times_as_even_to_the_eye(shape):
    def film(even):
        walk = films.through(places(0.0, 0.3, 1.0), [0, 2, 4], loop=False, kind="linear")
        return films.Film(slide(UNEVEN[shape]), [walk], 4.0, Fraction(24), even=even)

    before, half, after = (steps_of(frames_of(film(even)), loop=False) for even in (0.0, 0.5, 1.0))
    assert unevenness(after) <= 0.25 * unevenness(before)
    assert unevenness(after) < unevenness(half) < unevenness(before)
    assert after.sum() == pytest.approx(before.sum(), rel=0.05)  # the same way


def test_an_even_pace_of_a_generator(tiny):
    plan = {"keys": "1-4", "seconds": 6, "fps": Fraction(20), "psi": 1.0, "loop": False, "easing": "smoothstep"}
    walks = [plans.Plan(**{**plan, "easing": easing, "even": even}).film(tiny) for easing, even in
             (("smoothstep", 0.0), ("linear", 1.0))]  # fmt: skip
    before, after = (unevenness(steps_of(frames_of(film), loop=False)) for film in walks)
    assert after <= 0.25 * before


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_where_the_pace_is_even_the_ends_are_exact_the_keys_are_passed_and_it_never_turns_back(loop, strength):
    walk = films.through(places(0.0, 0.3, 1.0), [0, 2, 4, 6][: 3 + loop], loop=loop, kind="linear")
    film = films.Film(slide(UNEVEN["faster and faster"]), [walk], walk.times[-1], even=strength)
    film.find_pace()
    moved, way = walk.pace.stops, [0.0, 2.0, 4.0, 6.0][: 3 + loop]
    assert moved != way and (moved[0], moved[-1]) == (0, way[-1])
    assert [walk.pace(t) for t in moved] == way
    for t, number in zip(moved, (0.0, 0.3, 1.0, 0.0), strict=False):
        assert walk(t)[0].unique().tolist() == [pytest.approx(number)]
    assert (np.diff([walk.pace(t) for t in np.linspace(0, way[-1], 997)]) > 0).all()


def test_an_even_loop_is_as_fast_before_its_seam_as_after_it():
    walk = films.through(places(0.2, 0.9, 0.6), [0, 2, 4, 6], loop=True)
    films.Film(slide(UNEVEN["slow, fast, slow"]), [walk], 6.0, even=1.0).find_pace()
    before, after = walk.pace(6.0) - walk.pace(6 - 1e-5), walk.pace(1e-5)
    assert before == pytest.approx(after, rel=0.01)


def test_with_times_of_their_own_the_keys_stay_and_each_leg_is_even_by_itself():
    walk = films.through(places(0.0, 0.4, 1.0), [0, 3, 4], loop=False, kind="linear")
    film = films.Film(slide(UNEVEN["slow, fast, slow"]), [walk], 4.0, Fraction(24), even=1.0, held=True)
    steps = steps_of(frames_of(film), loop=False)
    assert walk.pace.stops == [0, 3, 4]
    assert unevenness(steps[2:70]) < 0.15 and unevenness(steps[74:-2]) < 0.15
    assert steps[74:].mean() > 5 * steps[:70].mean()


def test_what_was_made_even_is_then_eased():
    walk = films.through(places(0.0, 1.0), [0, 4], loop=False, kind="linear", easing="smoothstep")
    films.Film(slide(UNEVEN["slow, fast, slow"]), [walk], 4.0, even=1.0).find_pace()
    where = [float(UNEVEN["slow, fast, slow"](walk(t)[0][0, 0, 0])) for t in np.linspace(0, 4, 9)]
    gone = (np.array(where) - where[0]) / (where[-1] - where[0])
    np.testing.assert_allclose(gone, latent.ease(np.linspace(0, 1, 9), "smoothstep"), atol=0.02)


def test_noise_that_is_fresh_in_each_frame_has_no_part_in_the_pace(tiny):
    films_of = [plans.Plan("1-3", seconds=2, even=1, noise_mode=mode).film(tiny) for mode in ("random", "none")]
    for film in films_of:
        film.find_pace()
    assert films_of[0].walks[0].pace.stops == films_of[1].walks[0].pace.stops


def test_a_picture_that_never_changes_has_a_pace_too():
    walk = films.through(places(0.0, 1.0), [0, 2], loop=False)
    film = films.Film(slide(lambda w: 0 * w + 0.5), [walk], 2.0, even=1.0)
    film.find_pace()
    assert walk.pace(1.0) == pytest.approx(1.0)


def test_measuring_draws_as_many_pictures_as_it_says():
    asked, told = [], []

    def look(t):
        asked.append(t)
        return torch.full((1, 3, 8, 8), t)

    nodes, seen = pacing.measure(look, [0.0, 0.1, 2.0], lambda done, of: told.append((done, of)))
    assert len(asked) == pacing.looks([0.0, 0.1, 2.0]) == told[-1][0] == told[-1][1]
    assert {0.0, 0.1, 2.0} <= set(nodes) and seen[0] == 0 and (np.diff(seen) > 0).all()


# --- the sheet


@pytest.mark.parametrize("loop", [False, True])
def test_a_sheet_shows_every_key_at_its_time_and_what_lies_between(tiny, loop):
    film = plans.Plan("1-3", times="0, 1, 4, 6" if loop else "0, 1, 4", loop=loop).film(tiny)
    named = [(t, name) for t, name in contact.moments(film) if name]
    want = [(0, "seed 1"), (1, "seed 2"), (4, "seed 3"), (6, "seed 1")]
    assert named == want[: 3 + loop]
    assert all(a < b for (a, _), (b, _) in pairwise(contact.moments(film)))
    sheet = contact.sheet(film)
    assert (sheet.stops, sheet.between) == (3 + loop, 24) and sheet.seconds > 0
    first = sheet.picture[contact.GAP :][: contact.LARGE, contact.GAP :][:, : contact.LARGE]
    shrunk = first.reshape(16, 11, 16, 11, 3).mean((1, 3))
    assert np.abs(shrunk - drawn(tiny, 1).reshape(16, 2, 16, 2, 3).mean((1, 3))).mean() < 8


# --- what cannot be


@pytest.mark.parametrize(
    "options, said",
    [
        ({"keys": "1"}, "two keys or more, not 1"),
        ({"keys": "1, nobody.safetensors"}, "no key 'nobody.safetensors'"),
        ({"keys": "1,,2"}, "no key ''"),
        ({"keys": "1-3", "times": "0, 1"}, "are 2, for 3 keys: give one for each, and one more"),
        ({"keys": "1-3", "times": "0, 1", "loop": False}, "are 2, for 3 keys: give one for each$"),
        ({"keys": "1-2", "times": "0, one", "loop": False}, "no time 'one'"),
        ({"keys": "1-2", "times": "1, 2", "loop": False}, "begin at 1"),
        ({"keys": "1-3", "times": "0, 2, 2", "loop": False}, "must rise"),
        ({"keys": "1-2", "times": "0, 4", "loop": False, "seconds": 3}, "end at 4 s, and the film at 3 s"),
        ({"easing": "bouncy"}, "no easing 'bouncy'"),
        ({"keys": "1-3", "easing": "hold, linear"}, "2 easings for 3 segments"),
        ({"kind": "zigzag"}, "no kind of path 'zigzag'"),
        ({"even": 2}, "even 2: give 0"),
        ({"size": 333}, "size 333 is odd"),
        ({"grid": "3 by 2"}, "no grid '3 by 2'"),
        ({"grid": "99x99"}, "up to 64"),
        ({"seconds": 0}, "seconds 0"),
        ({"seconds": float("nan")}, "seconds nan"),
        ({"drift": True, "times": "0, 1"}, "leave times out"),
        ({"drift": True, "loop": False}, "always a loop"),
    ],
)
def test_what_cannot_be_walked_is_said_in_words(options, said):
    with pytest.raises(KinesphereError, match=said):
        plans.Plan(**options)


def test_a_grid_of_files_alone_is_refused(tmp_path):
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, np.zeros(12))
    with pytest.raises(KinesphereError, match="a grid of 2x1 needs seeds"):
        plans.Plan(f"{tmp_path / 'a.npy'}, {tmp_path / 'b.npy'}", grid="2x1")


def test_a_file_without_sound_is_no_length(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    with pytest.raises(KinesphereError, match="no sound track can be read"):
        plans.Plan(sound=tmp_path / "song.wav")
