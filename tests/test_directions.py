"""Directions in a patch: how far the latent is moved along each, in deviations, by hand or by anything that can be felt."""

import os
import re
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Kept as Screen
from conftest import Light, Pooled, Scripted, stir, tiny_generator
from sklearn.decomposition import PCA

from kinesphere import latent, runtime
from kinesphere.bends import bent
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.controls import controls
from kinesphere.engine import Engine, bendable, render
from kinesphere.looks import Morph, between, fitted, look
from kinesphere.ops import to_pixels
from kinesphere.patch import (
    MOST_DIRECTIONS,
    Along,
    BadPatch,
    Latent,
    Patch,
    changed,
    document,
    dumps,
    from_document,
    parse,
)  # fmt: skip
from kinesphere.routes import Route
from kinesphere.shown import Example, Showing
from kinesphere.studio.directions import FURTHEST, STOP, Axis, Direction, files
from kinesphere.studio.directions.pca import component
from kinesphere.studio.directions.sefa import factor
from kinesphere.studio.latents import Fingerprint, affines
from kinesphere.takes import Recorder, Replay, Take

pytestmark = pytest.mark.usefixtures("one_thread")

FPS = Fraction(10)
SPACES = ["z", "w", "w+", "s"]


@pytest.fixture
def G(tiny_checkpoint):
    return tiny_checkpoint.G_ema


def direction(G, space="w", seed=1, name="way", **about):
    """A direction of a model, of random numbers."""
    sizes = {"z": [G.z_dim], "w": [G.w_dim], "w+": [G.num_ws, G.w_dim]}
    size = sizes.get(space) or [sum(len(affine.bias) for affine in affines(G).values())]
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return Direction(vector, space, name, model=Fingerprint.of(G), **about)


@pytest.fixture
def ways(G, tmp_path):
    """A file with a direction of every space, each called by its space; by name."""
    found = {space: direction(G, space, i, space) for i, space in enumerate(SPACES)}
    files.write(tmp_path / "ways.safetensors", list(found.values()))
    return found


def along(tmp_path, space, amount=1.0, **how):
    return Along(amount, f"{tmp_path / 'ways.safetensors'}#{space}", **how)


def patch_of(seed=3, **directions):
    ways = {name: way if isinstance(way, Along) else Along(way) for name, way in directions.items()}
    return Patch(latent=Latent(seed=seed, psi=0.6, directions=ways))


def played(checkpoint, **directions):
    """An engine after its first step. `directions`: each an Along, or its amount."""
    engine = Engine(patch_of(**directions), checkpoint)
    engine.step(0.0, 0.1)
    assert not engine.health.troubles()
    return engine


def lit(level, **directions):
    """A patch whose feature "light" sees this brightness."""
    eye = Scripted([np.full([8, 8, 3], round(255 * level), np.uint8)])
    return replace(patch_of(**directions), sources={"eye": eye}, features={"light": Light()})


# --- how far ------------------------------------------------------------------------------------------------------------


def test_the_widest_ways_are_principal_components_in_deviations(tiny_checkpoint, G):
    """Against scikit-learn's components of the same latents, up to their sign."""
    still = played(tiny_checkpoint).ws
    w = latent.sample_w(lambda z: G.mapping(z), G.z_dim).numpy()
    pca = PCA(3).fit(w)
    for k in range(3):
        moved = (played(tiny_checkpoint, **{f"pc{k + 1}": 2.0}).ws - still)[0]  # [num_ws, w_dim]
        expected = 2.0 * pca.components_[k] * np.sqrt(pca.explained_variance_[k])
        assert torch.equal(moved[0], moved[-1])  # all rows alike
        sign = np.sign(moved[0].numpy() @ expected)
        np.testing.assert_allclose(moved[0].numpy(), sign * expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_each_direction_moves_by_itself_and_psi_leaves_them_alone(tiny_checkpoint):
    still, one, other, both = (
        played(tiny_checkpoint, **ways).ws for ways in ({}, {"pc1": 1.0}, {"sefa2": -1.0}, {"pc1": 1.0, "sefa2": -1.0})
    )
    torch.testing.assert_close(both - still, (one - still) + (other - still), atol=1e-5, rtol=1e-4)
    mean = Engine(changed(patch_of(pc1=1.0), {"latent.psi": 0.0}), tiny_checkpoint)
    mean.step(0.0, 0.1)
    torch.testing.assert_close(mean.ws - tiny_checkpoint.G_ema.w_avg, one - still, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_at_0_the_picture_is_what_it_was_to_the_bit(tiny_checkpoint, ways, tmp_path, space):
    before = played(tiny_checkpoint)
    there = played(tiny_checkpoint, here=along(tmp_path, space, 0.0, rows="" if space in "zs" else "coarse"))
    assert torch.equal(there.ws, before.ws) and there.bendings == {}
    np.testing.assert_array_equal(there.frame, before.frame)
    moved = played(tiny_checkpoint, here=along(tmp_path, space, 3.0))
    assert (moved.frame != before.frame).any()


@pytest.mark.parametrize("free, end", [(False, STOP), (True, FURTHEST)])
def test_it_stops_where_the_map_ends_unless_it_may_leave_it(tiny_checkpoint, G, free, end):
    still, step = played(tiny_checkpoint).ws, Axis.of(G, component(G, 1)).step
    for asked, amount in ((5.0, 5.0), (1e6, end), (-1e6, -end)):
        moved = played(tiny_checkpoint, pc1=Along(asked, free=free)).ws
        torch.testing.assert_close(moved, still + amount * step)


def test_only_its_rows_move(tiny_checkpoint, G):
    still, moved = played(tiny_checkpoint).ws, played(tiny_checkpoint, pc1=Along(2.0, rows="1-2")).ws
    assert torch.equal(moved[:, :1], still[:, :1]) and torch.equal(moved[:, 3:], still[:, 3:])
    torch.testing.assert_close(moved[:, 1:3], still[:, 1:3] + 2 * Axis.of(G, component(G, 1)).step[:2])


def test_a_factor_of_rows_is_what_those_layers_react_to(tiny_checkpoint, G):
    still, moved = played(tiny_checkpoint).ws, played(tiny_checkpoint, sefa1=Along(1.0, rows="coarse")).ws
    axis = Axis.of(G, factor(G, 1, "coarse"), "coarse")
    torch.testing.assert_close(moved, axis.moved(still, 1.0))
    assert (axis.step[0] - Axis.of(G, factor(G, 1)).step[0]).norm() > 0.1 * axis.step[0].norm()


@pytest.mark.parametrize("space", ["w", "w+"])
def test_what_is_set_is_the_same_wherever_the_latent_was(tiny_checkpoint, G, ways, tmp_path, space):
    axis = Axis.of(G, ways[space])
    for seed in (1, 2):
        patch = patch_of(seed, pc1=1.0, here=along(tmp_path, space, 1.5, set=True))
        engine = Engine(patch, tiny_checkpoint)
        engine.step(0.0, 0.1)
        assert float(axis.coordinate(engine.ws)) == pytest.approx(1.5, abs=1e-4)


def test_they_go_in_the_patchs_order_so_that_the_last_that_is_set_holds(tiny_checkpoint, G):
    axis, first = Axis.of(G, component(G, 1)), {"x": Along(-1.0, "pc1"), "y": Along(2.0, "pc1", set=True)}
    assert float(axis.coordinate(played(tiny_checkpoint, **first).ws)) == pytest.approx(2.0, abs=1e-4)
    then = dict(reversed(first.items()))
    assert float(axis.coordinate(played(tiny_checkpoint, **then).ws)) == pytest.approx(1.0, abs=1e-4)


# --- other spaces -------------------------------------------------------------------------------------------------------


def test_a_direction_of_z_moves_the_seed_before_it_is_mapped(tiny_checkpoint, G, ways, tmp_path):
    z = latent.seed_to_z(3, G.z_dim)
    for how, moved in (({}, z + 2 * ways["z"].unit), ({"set": True}, z + (2 - z @ ways["z"].unit) * ways["z"].unit)):
        expected = latent.truncate(G.mapping(moved), G.w_avg, 0.6)
        got = played(tiny_checkpoint, here=along(tmp_path, "z", 2.0, **how)).ws
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_a_direction_of_z_moves_what_drives_as_z_too(tiny_checkpoint, G, ways, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, [32, 32, 3], dtype=np.uint8)
    patch = replace(
        patch_of(here=along(tmp_path, "z", 2.0)), sources={"eye": Scripted([picture])}, features={"scene": Pooled()}
    )
    patch = changed(patch, {"latent.rows.fine": "scene"})
    engine = Engine(patch, tiny_checkpoint)
    render(engine, 1, FPS)
    z = torch.as_tensor(engine.moment.features["scene"].value).reshape(1, -1).float()
    expected = latent.truncate(G.mapping(z + 2 * ways["z"].unit), G.w_avg, 0.6)[:, G.rows("fine")]
    torch.testing.assert_close(engine.ws[:, G.rows("fine")], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_a_direction_of_styles_is_added_to_them(family, tmp_path):
    G = tiny_generator(family).requires_grad_(False)
    instrument, way = Checkpoint(G_ema=G, card=None), direction(G, "s", name="s")
    files.write(tmp_path / "ways.safetensors", [way])
    engine = played(instrument, here=along(tmp_path, "s", 2.0))
    assert torch.equal(engine.ws, played(instrument).ws)  # the latent stays
    with bent(G, Axis.of(G, way).styled(G, 2.0)):
        np.testing.assert_array_equal(engine.frame, to_pixels(G.synthesis(engine.ws))[0])


def test_two_of_styles_add_up(tiny_checkpoint, G, ways, tmp_path):
    both = played(tiny_checkpoint, a=along(tmp_path, "s", 1.0), b=along(tmp_path, "s", 2.0))
    whole = played(tiny_checkpoint, a=along(tmp_path, "s", 3.0))
    np.testing.assert_allclose(both.frame, whole.frame.astype(float), atol=1)


def test_what_stays_is_not_drawn_again(tiny_checkpoint, ways, tmp_path):
    engine = played(
        tiny_checkpoint, **{space: along(tmp_path, name) for space, name in zip("abcd", SPACES, strict=True)}
    )
    before = engine.frame
    engine.step(0.1, 0.1)
    assert engine.frame is before


def test_what_draws_faster_is_moved_alike(tiny_checkpoint, G, ways, tmp_path):
    exact = played(tiny_checkpoint, s=along(tmp_path, "s", 2.0), w=along(tmp_path, "w", 1.0))
    engine = Engine(exact.patch, tiny_checkpoint)
    engine.painter = runtime.compile(G, back_end="torch", precision="float32")
    engine.step(0.0, 0.1)
    np.testing.assert_allclose(engine.frame, exact.frame.astype(float), atol=1)


# --- what moves them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", SPACES)
def test_light_moves_a_direction_of_every_space(tiny_checkpoint, ways, tmp_path, space):
    """At each brightness the picture is that of the amount which the route gives there."""
    for level, amount in ((0.0, -2.0), (1.0, 2.0)):
        engine = Engine(lit(level, here=along(tmp_path, space, Route("light", low=-2.0, high=2.0))), tiny_checkpoint)
        render(engine, 1, FPS)
        assert engine.numbers == {"latent.directions.here.amount": pytest.approx(amount, abs=0.02)}
        exact = played(tiny_checkpoint, here=along(tmp_path, space, engine.numbers["latent.directions.here.amount"]))
        np.testing.assert_array_equal(engine.frame, exact.frame)


def test_what_is_moved_too_far_is_held(tiny_checkpoint):
    engine = Engine(lit(1.0, pc1=Along(Route("light", low=0.0, high=50.0))), tiny_checkpoint)
    render(engine, 1, FPS)
    torch.testing.assert_close(engine.ws, played(tiny_checkpoint, pc1=STOP).ws)


def test_a_take_plays_again_to_the_bit_and_on_another_model_without_what_is_not_of_it(
    tiny_checkpoint, G, ways, tmp_path
):
    other = stir(tiny_generator("stylegan2"), seed=9).requires_grad_(False)
    models = {
        name: Checkpoint(G_ema=model, card=Card.of({"G_ema": model}, "made by a test"))
        for name, model in {"tiny": G, "other": other}.items()
    }
    patch = replace(patch_of(pc1=1.0, here=along(tmp_path, "w"), there=along(tmp_path, "s")), model="tiny")
    engine, seen = Engine(patch, models["tiny"]), []
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for i in range(6):
            engine.play(changed(engine.patch, {"latent.directions.here.amount": i / 5, "latent.directions.pc2": i / 4}))
            engine.step(i / 10, 0.1)
            take(engine.moment)
            seen.append(engine.frame.copy())
    again = Replay(Take.open(take.path), load=models.__getitem__)
    for frame in seen[1:]:
        again.next()
        np.testing.assert_array_equal(again.engine.frame, frame)
    strange = Replay(Take.open(take.path), "other", load=models.__getitem__)
    strange.next()
    assert {note.split(" is left out")[0] for note in strange.notes if "left out" in note} == {
        "latent.directions.here", "latent.directions.there",
    }  # fmt: skip


# --- as text ------------------------------------------------------------------------------------------------------------

WRITTEN = """
[sources.eye]
kind = "camera"

[features.light]
kind = "motion"

[latent.directions]
pc1 = 2.0
pc12 = { feature = "light", low = -1.0 }
smile = { of = "people.safetensors#smile", amount = 1.5, rows = "coarse", set = true, free = true, locked = true }
"my own" = { of = "pc3", amount = { feature = "light", high = 2.0 } }
"""


def test_a_direction_is_an_amount_a_route_or_a_table():
    there = parse(WRITTEN).latent.directions
    assert there == {
        "pc1": Along(2.0),
        "pc12": Along(Route("light", low=-1.0)),
        "smile": Along(1.5, "people.safetensors#smile", "coarse", set=True, free=True, locked=True),
        "my own": Along(Route("light", high=2.0), "pc3"),
    }


def test_what_is_short_is_written_short_and_all_comes_back():
    patch = parse(WRITTEN)
    assert parse(dumps(patch)) == patch == from_document(document(patch))
    assert "pc1 = 2.0\n" in dumps(patch) and '[latent.directions.pc12]\nfeature = "light"\n' in dumps(patch)


@pytest.mark.parametrize(
    "edits, expected",
    [
        ({"pc1": 0.5}, Along(0.5)),
        ({"pc1": {"amount": 0.5, "rows": "fine"}}, Along(0.5, rows="fine")),
        ({"pc1.amount": 0.5}, Along(0.5)),
        ({"pc1.rows": "fine"}, Along(2.0, rows="fine")),
        ({"pc1": 0.5, "pc1.set": True}, Along(0.5, set=True)),
        ({"pc1": {"feature": "light"}, "pc1.amount.low": 0.5}, Along(Route("light", low=0.5))),
        ({"pc1": {"amount": 1.0, "set": True}, "pc1.set": None}, Along(1.0)),
        ({"pc1.amount": None}, Along(0.0)),
        ({"pc1": None}, None),
    ],
)
def test_it_is_changed_by_its_place(edits, expected):
    made = changed(parse(WRITTEN), {f"latent.directions.{place}": value for place, value in edits.items()})
    assert made.latent.directions.get("pc1") == expected
    assert [*made.latent.directions][-3:] == ["pc12", "smile", "my own"]


def test_one_that_is_not_there_yet_is_moved_all_the_same():
    assert changed(Patch(), {"latent.directions.pc2.amount": 0.5}).latent.directions == {"pc2": Along(0.5)}
    with pytest.raises(BadPatch, match=r"latent\.directions\.pc2\.amount: no such place"):
        changed(Patch(), {"latent.directions.pc2.amount": None})


DEEP = "x = " + "{ a = " * 200 + "1" + " }" * 200


@pytest.mark.parametrize(
    "text, words",
    [
        ("[latent]\ndirections = [1.0]", "latent.directions: this should be a table, not [1.0]"),
        ("[latent]\ndirections = 1.0", "latent.directions: this should be a table, not 1.0"),
        ('[latent.directions]\nx = "far"', 'latent.directions.x: give standard deviations, a route, or a table with amount, not'),
        ("[latent.directions]\nx = [1.0]", "give standard deviations, a route, or a table with amount, not [1.0]"),
        ("[latent.directions]\nx = true", "give standard deviations, a route, or a table with amount, not true"),
        ("[latent.directions]\nx = nan", "latent.directions.x.amount: this should be a finite number, not NaN"),
        ("[latent.directions]\nx = { amount = -inf }", "latent.directions.x.amount: this should be a finite number"),
        ("[latent.directions]\nx = { sigma = 1.0 }", "latent.directions.x.sigma: no such key; the keys here are amount, of, rows,"),
        ("[latent.directions]\nx = { set = 1 }", "latent.directions.x.set: this should be a valid boolean, not 1"),
        ("[latent.directions]\nx = { of = 3 }", "latent.directions.x.of: this should be a valid string, not 3"),
        ("[latent.directions]\nx = { rows = 'top' }", 'latent.directions.x.rows: "top": no such rows: choose coarse'),
        ("[latent.directions]\n'a.b' = 1.0", 'directions: "a.b" is no name for one: give it letters or digits, and no dot'),
        ("[latent.directions]\n'' = 1.0", 'directions: "" is no name for one'),
        ("[latent.directions]\n" + "\n".join(f"d{i} = 1.0" for i in range(10_000)), "10000 directions are too many: give up to 64"),
        (f"[latent.directions]\n{DEEP}", "tables within tables, more than 16 deep"),
        ('[latent.directions]\nx = { feature = "hand" }', "latent.directions.x.amount: no feature 'hand' that is a number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(text, words):
    with pytest.raises(BadPatch, match=re.escape(words)):
        parse(text)


# --- their model --------------------------------------------------------------------------------------------------------


def test_what_the_model_has_not_is_refused_all_at_once_each_by_its_place(tiny_checkpoint, G, ways, tmp_path):
    stranger = stir(tiny_generator("stylegan2"), seed=9)
    files.write(tmp_path / "stranger.safetensors", [direction(stranger)])
    np.save(tmp_path / "small.npy", np.ones(5, np.float32))
    whole = (tmp_path / "ways.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    asked = {
        "smle": (Along(), "no direction 'smle' in this model: it has pc1 to pc12, sefa1 to sefa12"),
        "pc13": (Along(), "this model has pc1 to pc12"),
        "gone": (Along(of=str(tmp_path / "gone.npy")), "there is no file"),
        "cut": (Along(of=str(tmp_path / "cut.safetensors")), "damaged or cut off"),
        "which": (Along(of=str(tmp_path / "ways.safetensors")), "it holds several: say which, as ways.safetensors#z, of z, w"),
        "none": (along(tmp_path, "smile"), "there is no direction 'smile'"),
        "stranger": (Along(of=str(tmp_path / "stranger.safetensors")), "was found in another model"),
        "small": (Along(of=str(tmp_path / "small.npy")), "[5], and does not fit this model, whose are [12]"),
        "long": (Along(of="x" * 5000 + ".npy"), "can be the name of no file"),
        "nobody": (Along(of="~nobody-of-this-name/x.npy"), "can be the name of no file"),
        "null": (Along(of="a\0b.npy"), "there is no file"),
        "rows": (Along(of="pc1", rows="6-99"), "no rows 6-99: this model has rows 0 to 7"),
        "all": (along(tmp_path, "z", rows="coarse"), "which moves all rows: leave rows out"),
        "set": (along(tmp_path, "s", set=True), "set: what moves styles can only be added to them"),
    }  # fmt: skip
    with pytest.raises(BadPatch) as refused:
        Engine(patch_of(**{name: way for name, (way, _) in asked.items()}), tiny_checkpoint)
    said = {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in refused.value.problems}
    for name, (_, words) in asked.items():
        assert words in said[f"latent.directions.{name}"], name
    assert said.keys() == {f"latent.directions.{name}" for name in asked}


def test_another_model_plays_on_without_those_that_are_not_of_it(tiny_checkpoint, G, ways, tmp_path):
    other = stir(tiny_generator("stylegan2"), seed=9)
    mine = {"latent": {"seed": 4, "directions": {"here": {"of": along(tmp_path, "w").of}, "pc2": 1.0}}}
    patch = replace(patch_of(pc1=1.0, here=along(tmp_path, "w")), shown=Showing(looks={"mine": mine}))
    assert bendable(patch, G) == (patch, {})
    played, left = bendable(patch, other)
    assert {*left} == {"latent.directions.here", "shown.looks.mine.latent.directions.here"}
    assert all("found in another model" in words for words in left.values())
    assert [*played.latent.directions] == ["pc1"]
    assert played.shown.looks["mine"]["latent"] == {"seed": 4, "directions": {"pc2": 1.0}}
    Engine(played, Checkpoint(G_ema=other, card=None)).step(0.0, 0.1)


def test_a_file_is_read_when_it_is_named_and_again_only_when_it_was_written_again(
    tiny_checkpoint, G, ways, tmp_path, monkeypatch
):
    file, reads, read = tmp_path / "ways.safetensors", [], files.read
    monkeypatch.setattr(files, "read", lambda path, num_ws=None: reads.append(path) or read(path, num_ws))
    engine = played(tiny_checkpoint, here=along(tmp_path, "w", 0.5))
    engine.play(changed(engine.patch, {"latent.directions.here.amount": 1.0}))
    engine.step(0.1, 0.1)
    assert reads == [file]
    other = direction(G, seed=9, name="w")
    files.write(file, [other])
    os.utime(file, ns=(1, 1))
    before = engine.ws
    engine.step(0.2, 0.1)
    assert reads == [file] and torch.equal(engine.ws, before)  # not while it plays
    engine.play(changed(engine.patch, {"latent.seed": 4}))
    engine.step(0.3, 0.1)
    still = Engine(patch_of(4), tiny_checkpoint)
    still.step(0.0, 0.1)
    torch.testing.assert_close(engine.ws, Axis.of(G, other).moved(still.ws, 1.0))


def test_a_file_that_goes_away_while_it_plays_is_not_missed(tiny_checkpoint, ways, tmp_path):
    engine = played(tiny_checkpoint, here=along(tmp_path, "w"))
    (tmp_path / "ways.safetensors").unlink()
    before = engine.frame.copy()
    engine.play(changed(engine.patch, {"latent.directions.pc1.amount": 0.0}))
    engine.step(0.1, 0.1)
    np.testing.assert_array_equal(engine.frame, before)


def test_what_other_tools_found_is_followed(tiny_checkpoint, G, tmp_path):
    """An InterFaceGAN boundary, [1, w_dim]: as far as natural latents differ along it."""
    boundary = np.random.default_rng(0).standard_normal([1, G.w_dim]).astype(np.float32)
    np.save(tmp_path / "smile_boundary.npy", boundary)
    moved = played(tiny_checkpoint, smile=Along(1.0, str(tmp_path / "smile_boundary.npy"))).ws
    step = (moved - played(tiny_checkpoint).ws)[0, 0]
    unit = torch.from_numpy(boundary[0] / np.linalg.norm(boundary))
    w = latent.sample_w(lambda z: G.mapping(z), G.z_dim)
    torch.testing.assert_close(step, (w @ unit).std() * unit, rtol=1e-3, atol=1e-4)


def test_the_ways_of_a_class_are_its_own_also_in_a_look_that_a_pose_brings():
    G = tiny_generator("stylegan2", c_dim=3).requires_grad_(False)
    checkpoint = Checkpoint(G_ema=G, card=None)
    for label in (0, 2):
        patch = changed(patch_of(pc1=1.0), {"latent.label": label})
        engine, still = Engine(patch, checkpoint), Engine(changed(patch, {"latent.directions": None}), checkpoint)
        for each in (engine, still):
            each.step(0.0, 0.1)
        torch.testing.assert_close(engine.ws, still.ws + Axis.of(G, component(G, 1, label)).step)
    looks = {
        "one": {"latent": {"label": 2, "directions": {"pc1": 1.0}}},
        "other": {"latent": {"directions": {"pc2": 1.0}}},
    }
    examples = [Example([0.0], "one"), Example([1.0], "other")]
    shown = Showing(features=["light"], smoothing=0.0, examples=examples, looks=looks)
    for level in (0.0, 0.4, 0.6, 1.0):
        engine = Engine(replace(lit(level), shown=shown), checkpoint)
        render(engine, 1, FPS)
        assert not engine.health.troubles()
    with pytest.raises(BadPatch) as refused:
        Engine(changed(patch_of(pc1=1.0), {"latent.label": 7}), checkpoint)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["latent.label"]


# --- looks --------------------------------------------------------------------------------------------------------------


def look_of(**directions):
    return look(patch_of(**directions))


def mixed(looks, weights):
    """How two looks or more are mixed: by name, as a patch has it."""
    return {name: Along(**way) for name, way in between(looks, weights)["latent.directions"].items()}


def test_amounts_glide_from_look_to_look_and_from_0_where_one_has_none():
    one, other = look_of(pc1=2.0, pc3=1.0), look_of(pc2=-1.0, pc3=3.0)
    assert mixed([one, other], [0.75, 0.25]) == {"pc1": Along(1.5), "pc3": Along(1.5), "pc2": Along(-0.25)}


def test_a_glide_ends_at_each_look_exactly_and_moves_the_picture_without_a_jump(tiny_checkpoint):
    a, b = patch_of(pc1=2.0, smile=Along(1.0, "pc2", "coarse")), patch_of(pc3=-1.0)
    way, frames = Morph(look(a), look(b), 1.0, "linear"), []
    for t in (0.0, 1e-6, 1 - 1e-6, 1.0):
        engine = Engine(changed(a, way.at(t)), tiny_checkpoint)
        engine.step(0.0, 0.1)
        frames.append(engine.frame.astype(float))
    assert changed(b, way.at(1.0)).latent == b.latent and changed(a, way.at(0.0)).latent == a.latent
    assert np.abs(frames[1] - frames[0]).max() <= 1 and np.abs(frames[3] - frames[2]).max() <= 1


def test_what_is_no_number_is_as_the_nearest_look_has_it():
    one, other = look_of(x=Along(1.0, "pc1", "coarse", free=True)), look_of(x=Along(3.0, "pc1", "fine", locked=True))
    assert mixed([one, other], [0.75, 0.25])["x"] == Along(1.5, "pc1", "coarse", free=True)
    assert mixed([one, other], [0.25, 0.75])["x"] == Along(2.5, "pc1", "fine", locked=True)


def test_what_is_set_in_one_look_alone_comes_and_goes_with_it():
    one, other = look_of(x=Along(2.0, "pc1", set=True)), look_of(pc2=1.0)
    assert mixed([one, other], [0.75, 0.25]) == {"x": Along(2.0, "pc1", set=True), "pc2": Along(0.25)}
    assert mixed([one, other], [0.25, 0.75]) == {"pc2": Along(0.75)}
    both = look_of(x=Along(4.0, "pc1", set=True))
    assert mixed([one, both], [0.5, 0.5]) == {"x": Along(3.0, "pc1", set=True)}


def test_of_more_than_a_patch_may_have_those_in_the_heaviest_looks_stay():
    one, other = (look_of(**{f"{side}{i}": 1.0 for i in range(MOST_DIRECTIONS)}) for side in "ab")
    found = mixed([one, other], [0.6, 0.4])
    assert [*found] == [f"a{i}" for i in range(MOST_DIRECTIONS)]
    assert changed(Patch(), between([one, other], [0.6, 0.4]))


def test_a_look_of_another_instrument_keeps_the_numbers_and_loses_the_routes():
    theirs = look_of(pc1=2.0, pc2=Along(Route("light", low=0.0, high=1.0)))
    assert fitted(theirs, Patch())["latent.directions"] == look_of(pc1=2.0)["latent.directions"]


def test_a_pose_leads_along_directions_as_the_looks_say(tiny_checkpoint, ways, tmp_path):
    """Also along one that a route moves, beyond its end; and a file that is not there is told with its look."""
    of = along(tmp_path, "w+").of
    far = {
        "latent": {
            "seed": 3,
            "psi": 0.6,
            "directions": {"here": {"of": of, "amount": {"feature": "light", "high": 9.0}}},
        }
    }
    patch = replace(
        lit(1.0),
        shown=Showing(
            features=["light"], smoothing=0.0, examples=[Example([1.0], "far"), Example([0.0], "plain")],
            looks={"far": far, "plain": {}},
        ),
    )  # fmt: skip
    engine = Engine(replace(patch, sinks={"screen": Screen()}), tiny_checkpoint)
    render(engine, 1, FPS)
    np.testing.assert_array_equal(engine.frame, played(tiny_checkpoint, here=along(tmp_path, "w+", STOP)).frame)
    (tmp_path / "ways.safetensors").unlink()
    with pytest.raises(BadPatch, match=r"shown\.looks\.far\.latent\.directions\.here: there is no file"):
        Engine(patch, tiny_checkpoint)


# --- controls -----------------------------------------------------------------------------------------------------------


def sliders(patch, G):
    return {c.place.removeprefix("latent.directions."): c for c in controls(patch, G) if c.group == "latent.directions"}


def test_the_widest_ways_have_a_slider_unasked_and_so_has_each_that_is_named(G):
    found = sliders(patch_of(pc11=1.0), G)
    assert [name for name in found if name.endswith(".amount")] == [f"pc{k}.amount" for k in (*range(1, 9), 11)]
    assert {name for name in found if name.startswith("pc1.")} == {"pc1.amount"}
    assert {name for name in found if name.startswith("pc11.")} == {
        f"pc11.{f.name}" for f in fields(Along) if f.name != "of"
    }


def test_a_slider_is_in_deviations_and_goes_farther_where_the_map_may_be_left(G):
    near, far = (sliders(patch_of(smile=Along(1.0, "pc2", free=free)), G)["smile.amount"] for free in (False, True))
    assert (near.label, near.unit, near.default) == ("smile", "deviations", 0.0)
    assert (near.low, near.high, near.routed) == (-3, 3, (-2, 2)) and near.routable
    assert (far.low, far.high) == (-20, 20)


def test_every_control_of_a_direction_changes_the_patch(G):
    patch = patch_of(smile=Along(1.0, "pc2", rows="0-3"))
    found = sliders(patch, G)
    assert found["smile.rows"].choices == ("", "coarse", "middle", "fine", "all", "0-3")
    kinds = {name: found[f"smile.{name}"].kind for name in ("rows", "set", "free", "locked")}
    assert kinds == {"rows": "choice", "set": "switch", "free": "switch", "locked": "switch"}
    for name, control in found.items():
        for value in (
            control.low,
            control.high,
            *control.choices,
            *((True, False) if control.kind == "switch" else ()),
        ):
            assert value is None or changed(patch, {f"latent.directions.{name}": value})


def test_what_comes_with_a_model_has_a_slider_by_its_name(G, monkeypatch):
    monkeypatch.setattr("kinesphere.controls.shipped", lambda told: (direction(G, name="smile"),))
    assert next(iter(sliders(Patch(), G))) == "smile.amount"
