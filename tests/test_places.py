"""Latents that were kept: shown exactly as they were, on the way in between, and left out where the model is another."""

import os
import time
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from conftest import Kept as Screen
from conftest import Light, Scripted, stir, tiny_generator

from kinesphere import places, runtime
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.engine import Engine, bendable, render
from kinesphere.looks import Morph, between, look
from kinesphere.ops import to_pixels
from kinesphere.patch import BadPatch, Latent, Patch, Place, changed
from kinesphere.performance import Performance
from kinesphere.routes import Route
from kinesphere.shown import Example, Showing
from kinesphere.stage.library import Library
from kinesphere.studio.blending import cross_fade, morph
from kinesphere.studio.directions import Axis
from kinesphere.studio.directions.pca import component
from kinesphere.studio.latents import Fingerprint, draw, of_styles, styles
from kinesphere.studio.latents import Latent as Found
from kinesphere.takes import Recorder, Replay, Take

pytestmark = pytest.mark.usefixtures("one_thread")
FAMILIES = ["stylegan1", "stylegan2", "stylegan3"]
FPS = Fraction(10)


def found(G, seed=1, space="w+", noise=(), tuned=()):
    """A latent of a model, with noise maps for some layers and something added to some weights."""
    rng = torch.Generator().manual_seed(seed)
    shape = {"z": (G.z_dim,), "w": (G.w_dim,), "w+": (G.num_ws, G.w_dim)}[space]
    weights = {name.removeprefix("synthesis."): weight for name, weight in G.named_parameters()}
    return Found(
        torch.randn(shape, generator=rng),
        space,
        noise={name: torch.randn(G.layers()[name].noise_const.shape, generator=rng) for name in noise},
        tuning={
            name: (
                torch.randn(len(weights[name]), 2, generator=rng) / 4,
                torch.randn(2, weights[name][0].numel(), generator=rng) / 4,
            )
            for name in tuned
        },
        model=Fingerprint.of(G),
    )


WHOLE = {"noise": ("b8.conv1", "b32.conv0"), "tuned": ("b16.conv0.weight", "b8.torgb.weight")}


def checkpoint(family="stylegan2"):
    return Checkpoint(G_ema=tiny_generator(family).requires_grad_(False), card=None)


@pytest.fixture
def G(tiny_checkpoint):
    return tiny_checkpoint.G_ema


@pytest.fixture
def kept(G, tmp_path):
    """Two latents of the tiny model in files, with noise and tuned weights; by name."""
    here = {"me": found(G, 1, **WHOLE), "you": found(G, 2, noise=("b16.conv0",), tuned=("b16.conv0.weight",))}
    for name, place in here.items():
        place.save(tmp_path / f"{name}.safetensors")
    return here


def shown(patch, checkpoint, frames=1):
    """The last of some frames of a film of a patch."""
    engine = Engine(replace(patch, sinks={"screen": Screen()}), checkpoint)
    render(engine, frames, FPS)
    return engine.frame


def going(tmp_path, **amounts):
    """A patch that goes to some of the files of `kept`."""
    there = {name: Place(str(tmp_path / f"{name}.safetensors"), amount) for name, amount in amounts.items()}
    return Patch(latent=Latent(seed=3, places=there))


def drawn(G, place):
    return to_pixels(draw(G, place))[0].numpy()


# --- shown as it was ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", ["z", "w", "w+", "s"])
def test_at_the_amount_1_it_is_its_picture_to_the_bit(family, space, tmp_path):
    instrument = checkpoint(family)
    G = instrument.G_ema
    place = found(G, space="w+" if space == "s" else space)
    place = of_styles(styles(G, place.ws(G)), place) if space == "s" else replace(place, psi=0.6)
    patch = Patch(latent=Latent(seed=3, places={"me": Place(str(place.save(tmp_path / "me.safetensors")))}))
    np.testing.assert_array_equal(shown(patch, instrument), drawn(G, place))


def test_its_noise_and_its_tuned_weights_come_with_it_to_the_bit(tiny_checkpoint, G, kept, tmp_path):
    frame = shown(going(tmp_path, me=1.0), tiny_checkpoint)
    np.testing.assert_array_equal(frame, drawn(G, kept["me"]))
    assert (frame != drawn(G, replace(kept["me"], noise={}))).any()
    assert (frame != drawn(G, replace(kept["me"], tuning={}))).any()


def test_at_the_amount_0_it_is_not_there_to_the_bit_and_costs_nothing(tiny_checkpoint, kept, tmp_path):
    engine = Engine(going(tmp_path, me=0.0), tiny_checkpoint)
    engine.step(0.0, 0.1)
    np.testing.assert_array_equal(engine.frame, shown(Patch(latent=Latent(seed=3)), tiny_checkpoint))
    assert engine.bendings == {}


def test_the_last_covers_those_before_it_with_all_that_they_brought(tiny_checkpoint, G, kept, tmp_path):
    np.testing.assert_array_equal(shown(going(tmp_path, me=1.0, you=1.0), tiny_checkpoint), drawn(G, kept["you"]))
    np.testing.assert_array_equal(shown(going(tmp_path, you=0.5, me=1.0), tiny_checkpoint), drawn(G, kept["me"]))


# --- on the way ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0.2, 0.5, 0.9])
def test_on_the_way_it_is_the_morph_of_the_two_pictures(tiny_checkpoint, G, kept, tmp_path, amount):
    base = replace(Found.of_seed(G, 3, psi=0.7))
    frame = shown(going(tmp_path, me=amount), tiny_checkpoint)
    np.testing.assert_allclose(frame, drawn(G, morph(G, base, kept["me"], amount)).astype(float), atol=1)


def test_noise_keeps_its_strength_on_the_way(G, kept):
    way = places.Way(places.Kept(kept["me"], kept["me"], kept["me"].ws(G)), slice(0, G.num_ws), 0.5)
    own = G.layers()["b32.conv0"].noise_const
    there = places.bending(G, [way])["b32.conv0.noise_const"](own)
    torch.testing.assert_close(there, cross_fade(own, kept["me"].noise["b32.conv0"], 0.5))


def test_only_the_rows_that_are_asked_for_go_there(tiny_checkpoint, G, kept, tmp_path):
    patch = changed(going(tmp_path, me=1.0), {"latent.places.me.rows": "coarse"})
    engine = Engine(patch, tiny_checkpoint)
    engine.step(0.0, 0.1)
    coarse, base = G.rows("coarse"), Engine(Patch(latent=Latent(seed=3)), tiny_checkpoint)
    base.step(0.0, 0.1)
    assert torch.equal(engine.ws[:, coarse], kept["me"].ws(G)[:, coarse])
    assert torch.equal(engine.ws[:, coarse.stop :], base.ws[:, coarse.stop :])
    assert {*engine.bendings["latent.places"][1]} == {"b8.conv1.noise_const"}


def test_a_feature_leads_there_and_back(tiny_checkpoint, G, kept, tmp_path):
    """Beyond its ends a route goes no farther than the latent itself."""
    pictures = [np.full([8, 8, 3], level, np.uint8) for level in (0, 255, 0)]
    there = going(tmp_path, me=Route("light", low=-1.0, high=3.0))
    patch = replace(there, sources={"eye": Scripted(pictures)}, features={"light": Light()})
    engine, seen = Engine(replace(patch, sinks={"screen": Screen()}), tiny_checkpoint), []
    render(engine, 3, FPS, lambda i: seen.append(engine.frame.copy()))
    without = shown(Patch(latent=Latent(seed=3)), tiny_checkpoint)
    for frame, wanted in zip(seen, (without, drawn(G, kept["me"]), without), strict=True):
        np.testing.assert_array_equal(frame, wanted)


def test_directions_go_on_from_there(tiny_checkpoint, G, kept, tmp_path):
    engine = Engine(changed(going(tmp_path, me=1.0), {"latent.directions.pc1": 2.0}), tiny_checkpoint)
    engine.step(0.0, 0.1)
    torch.testing.assert_close(engine.ws, kept["me"].ws(G) + 2 * Axis.of(G, component(G, 1)).step)


def test_what_draws_faster_goes_there_too(tiny_checkpoint, G, kept, tmp_path):
    engine = Engine(going(tmp_path, me=1.0), tiny_checkpoint)
    engine.painter = runtime.compile(G, back_end="torch", precision="float32")
    engine.step(0.0, 0.1)
    np.testing.assert_allclose(engine.frame, drawn(G, kept["me"]).astype(float), atol=1)


# --- between looks --------------------------------------------------------------------------------------------------------


def test_a_look_is_reached_by_its_amount_and_another_on_a_straight_way(tiny_checkpoint, G, kept, tmp_path):
    base, me, you = (going(tmp_path, **amounts) for amounts in ({}, {"me": 1.0}, {"you": 1.0}))
    start = Engine(base, tiny_checkpoint)
    start.step(0.0, 0.1)
    ends = {"me": kept["me"].ws(G), "you": kept["you"].ws(G), "": start.ws}
    for a, b, ws_a, ws_b in ((base, me, ends[""], ends["me"]), (me, you, ends["me"], ends["you"])):
        way = Morph(look(a), look(b), 4.0, "linear")
        for t in (0.0, 1.0, 2.0, 3.0, 4.0):
            engine = Engine(changed(a, way.at(t)), tiny_checkpoint)
            engine.step(0.0, 0.1)
            torch.testing.assert_close(engine.ws, torch.lerp(ws_a, ws_b, t / 4))


def test_between_two_latents_a_picture_moves_without_a_jump(tiny_checkpoint, kept, tmp_path):
    """Also where one has noise and weights of its own that the other has not, at both ends."""
    looks = [look(going(tmp_path, **{name: 1.0})) for name in kept]
    frames = [
        shown(changed(Patch(latent=Latent(seed=3)), between(looks, [1 - t, t])), tiny_checkpoint).astype(float)
        for t in (0.0, 1e-5, 0.5, 1 - 1e-5, 1.0)
    ]
    assert np.abs(frames[1] - frames[0]).max() <= 2 and np.abs(frames[-1] - frames[-2]).max() <= 2
    assert np.abs(frames[2] - frames[0]).mean() > 2


def test_a_pose_leads_to_a_look_with_a_kept_latent(tiny_checkpoint, G, kept, tmp_path):
    file, too_far = str(tmp_path / "me.safetensors"), {"feature": "light", "high": 3.0}
    patch = Patch(
        sources={"eye": Scripted([np.full([8, 8, 3], 255, np.uint8)])},
        features={"light": Light()},
        latent=Latent(seed=3),
        shown=Showing(
            features=["light"],
            smoothing=0.0,
            examples=[Example([1.0], "mine"), Example([0.0], "plain")],
            looks={"mine": {"latent": {"places": {"me": {"file": file, "amount": too_far}}}}, "plain": {}},
        ),
    )
    np.testing.assert_array_equal(shown(patch, tiny_checkpoint), drawn(G, kept["me"]))
    (tmp_path / "me.safetensors").unlink()
    with pytest.raises(BadPatch, match=r"shown.looks.mine.latent.places.me: there is no file"):
        Engine(patch, tiny_checkpoint)


# --- files ----------------------------------------------------------------------------------------------------------------


def test_what_cannot_be_gone_to_is_refused_all_at_once_each_by_its_place(tiny_checkpoint, kept, tmp_path):
    whole = (tmp_path / "me.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    found(stir(tiny_generator("stylegan2"), seed=9)).save(tmp_path / "stranger.safetensors")
    np.save(tmp_path / "small.npy", np.zeros(5, np.float32))
    files = {"gone": "gone.pt", "cut": "cut.safetensors", "stranger": "stranger.safetensors", "small": "small.npy"}
    there = {name: Place(str(tmp_path / file)) for name, file in files.items()}
    there["me"] = Place(str(tmp_path / "me.safetensors"), rows="0-99")
    with pytest.raises(BadPatch) as refused:
        Engine(Patch(latent=Latent(places=there)), tiny_checkpoint)
    said = {line.split(": ", 1)[0]: line.split(": ", 1)[1] for line in refused.value.problems}
    for place, words in {
        "gone": "there is no file",
        "cut": "damaged or cut off",
        "stranger": "of another model",
        "small": r"[5] does not fit this model, whose are [12]",
        "me.rows": "no rows 0-99: this model has rows 0 to 7",
    }.items():
        assert words in said[f"latent.places.{place}"]


def test_a_file_is_read_when_it_is_named_again_only_when_it_was_written_again(
    tiny_checkpoint, G, kept, tmp_path, monkeypatch
):
    file, reads, load = tmp_path / "me.safetensors", [], Found.load
    monkeypatch.setattr(Found, "load", lambda path: reads.append(path) or load(path))
    engine = Engine(going(tmp_path, me=0.0), tiny_checkpoint)
    for amount in (0.5, 1.0):
        engine.play(changed(engine.patch, {"latent.places.me.amount": amount}))
        engine.step(0.0, 0.1)
    assert reads == [file]
    os.utime(file, ns=(1, 1))
    before = engine.now.kept[str(file)]
    kept["you"].save(file)
    engine.step(0.1, 0.1)
    assert reads == [file] and engine.now.kept[str(file)] is before  # not while it plays
    engine.play(changed(engine.patch, {"latent.seed": 4}))
    engine.step(0.2, 0.1)
    np.testing.assert_array_equal(engine.frame, drawn(G, kept["you"]))


def test_a_file_that_goes_away_while_it_plays_is_not_missed(tiny_checkpoint, G, kept, tmp_path):
    engine = Engine(going(tmp_path, me=1.0), tiny_checkpoint)
    (tmp_path / "me.safetensors").unlink()
    engine.step(0.0, 0.1)
    np.testing.assert_array_equal(engine.frame, drawn(G, kept["me"]))
    engine.play(changed(engine.patch, {"latent.seed": 8}))  # and whatever else is turned
    engine.step(0.1, 0.1)
    np.testing.assert_array_equal(engine.frame, drawn(G, kept["me"]))
    assert not engine.health.troubles()


def test_what_other_tools_kept_is_shown(tiny_checkpoint, G, tmp_path):
    place = found(G)
    np.savez(tmp_path / "projected_w.npz", w=place.data[None].numpy())
    patch = Patch(latent=Latent(places={"me": Place(str(tmp_path / "projected_w.npz"))}))
    np.testing.assert_array_equal(shown(patch, tiny_checkpoint), drawn(G, place))


# --- another model ------------------------------------------------------------------------------------------------------


def test_another_model_plays_on_without_it(tiny_checkpoint, kept, tmp_path):
    other = stir(tiny_generator("stylegan2"), seed=9)
    mine = {"latent": {"seed": 4, "places": {"me": {"file": str(tmp_path / "me.safetensors")}}}}
    patch = replace(going(tmp_path, me=1.0), shown=Showing(looks={"mine": mine}))
    assert bendable(patch, tiny_checkpoint.G_ema) == (patch, {})
    played, left = bendable(patch, other)
    assert {*left} == {"latent.places.me", "shown.looks.mine.latent.places.me"}
    assert all("of another model" in words for words in left.values())
    assert played == changed(patch, {"latent.places": None, "shown.looks.mine.latent.places": {}})
    Engine(played, Checkpoint(G_ema=other, card=None)).step(0.0, 0.1)


def test_a_performance_that_changes_its_model_says_what_it_left_out(tiny_checkpoint, kept, tmp_path):
    other = Checkpoint(G_ema=stir(tiny_generator("stylegan2"), seed=9).requires_grad_(False), card=None)
    patch = replace(going(tmp_path, me=1.0), model="one", sinks={"screen": Screen()})
    playing, patience = Performance(patch, load={"two": other}.__getitem__, engine=Engine(patch, tiny_checkpoint)), 10.0
    playing.play(replace(patch, model="two"))
    until = time.monotonic() + patience
    while playing.loading and time.monotonic() < until:
        playing.frames.newer(playing.frames.count, 0.01)
    assert playing.patch.model == "two" and playing.patch.latent.places == {}
    assert "of another model" in playing.left_out["latent.places.me"]


def test_a_take_plays_again_to_the_bit_and_on_another_model_without_it(tiny_checkpoint, kept, tmp_path):
    other = stir(tiny_generator("stylegan2"), seed=9).requires_grad_(False)
    models = {
        name: Checkpoint(G_ema=G, card=Card.of({"G_ema": G}, "made by a test"))
        for name, G in {"tiny": tiny_checkpoint.G_ema, "other": other}.items()
    }
    engine, seen = Engine(replace(going(tmp_path, me=0.3), model="tiny"), models["tiny"]), []
    with Recorder(tmp_path / "a.mcap", lambda: engine) as take:
        for i in range(6):
            engine.play(changed(engine.patch, {"latent.places.me.amount": i / 5}))
            engine.step(i / 10, 0.1)
            take(engine.moment)
            seen.append(engine.frame.copy())
    again = Replay(Take.open(take.path), load=models.__getitem__)
    for frame in seen[1:]:
        again.next()
        np.testing.assert_array_equal(again.engine.frame, frame)
    strange = Replay(Take.open(take.path), "other", load=models.__getitem__)
    strange.next()
    assert any(note.startswith("latent.places.me is left out") for note in strange.notes)


# --- on the stage -------------------------------------------------------------------------------------------------------


def test_over_the_network_only_latents_of_the_library_can_be_named(tmp_path):
    library = Library(tmp_path / "library")
    place = {"latent.places.me": {"file": "me.safetensors"}}
    here = str(library.folder / "latents" / "me.safetensors")
    assert library.within(changed(Patch(), place)).latent.places["me"].file == here
    assert library.shelved(*next(iter(place.items()))) == {"file": here}
    look = {"latent": {"places": {"me": {"file": "me.safetensors"}}}}
    assert library.within(Patch(shown=Showing(looks={"mine": look}))).shown.looks["mine"]["latent"]["places"]["me"] == {
        "file": here
    }
    for file in ("/etc/passwd", "../me.npy", "~/me.npy"):
        for edits in ({"latent.places.me": {"file": file}}, {"shown.looks.mine.latent.places.me": {"file": file}}):
            with pytest.raises(BadPatch, match=r"latent\.places\.me\.file: .* is outside the library"):
                library.within(changed(Patch(shown=Showing(looks={"mine": look})), edits))
    typed = Patch(latent=Latent(places={"me": Place("~/me.npy"), "you": Place("you.npy")}))
    library.trust(typed)
    assert [place.file for place in library.within(typed).latent.places.values()] == ["~/me.npy", "you.npy"]
