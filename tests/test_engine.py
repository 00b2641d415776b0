"""The engine: what is seen moves the picture, the same patch gives the same film, and a change is seen whole or not at all."""

import itertools
import json
import threading
from dataclasses import fields, replace
from fractions import Fraction
from importlib import resources

import numpy as np
import pytest
import torch
from conftest import Hand, Kept, Light, Placed, Pooled, Scripted, tiny_generator

from kinesphere import engine as engines
from kinesphere import latent
from kinesphere.bends import BENDS, WANDERING, bent, transform
from kinesphere.checkpoints import Checkpoint
from kinesphere.engine import Engine, bendable, render
from kinesphere.features import Activations
from kinesphere.lanes import Drawn
from kinesphere.ops import to_pixels
from kinesphere.patch import STATIONS, BadPatch, Drive, Latent, Patch, Picture
from kinesphere.routes import Route
from kinesphere.sources import Camera, Video
from kinesphere.studio.centres import Centres
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
FPS = Fraction(10)


def pictures(n, seed=0):
    return list(np.random.RandomState(seed).randint(0, 256, [n, 24, 32, 3], np.uint8))


def instrument(checkpoint, shown, **latents):
    patch = Patch(
        sources={"eye": Scripted(shown)},
        features={"pool": Pooled(), "light": Light()},
        latent=Latent(**{"seed": 3, "rows": {"coarse": Drive("pool")}, **latents}),
        sinks={"screen": Kept()},
    )
    return Engine(patch, checkpoint)


def test_rows_follow_the_feature_and_the_rest_stands_still(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    engine = instrument(tiny_checkpoint, pictures(5), psi=1.0)
    static = G.mapping(latent.seed_to_z(3, G.z_dim))
    seen = []
    render(engine, 5, FPS, lambda i: seen.append(engine.ws.clone()))
    coarse = G.rows("coarse")
    for ws in seen:
        assert torch.equal(ws[:, coarse.stop :], static[:, coarse.stop :])
    for a, b in itertools.pairwise(seen):
        assert not torch.allclose(a[:, coarse], b[:, coarse], atol=1e-3)


def test_a_frame_is_the_picture_of_its_latent(tiny_checkpoint):
    engine = instrument(tiny_checkpoint, pictures(1), psi=0.6)
    render(engine, 1, FPS)
    want = to_pixels(tiny_checkpoint.G_ema.synthesis(engine.ws.clone()))[0].numpy()
    np.testing.assert_array_equal(engine.patch.sinks["screen"].all[0][1], want)


def test_psi_zero_is_the_mean_picture_whatever_is_seen(tiny_checkpoint):
    engine = instrument(tiny_checkpoint, pictures(3), psi=0.0)
    render(engine, 3, FPS)
    frames = [frame for _, frame in engine.patch.sinks["screen"].all]
    np.testing.assert_array_equal(frames[0], frames[2])


def test_a_route_moves_psi(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    dark, bright = np.zeros([8, 8, 3], np.uint8), np.full([8, 8, 3], 255, np.uint8)
    engine = instrument(tiny_checkpoint, [dark, bright], rows={}, psi=Route("light", low=0.2, high=1.4))
    seen = []
    render(engine, 2, FPS, lambda i: seen.append(engine.ws.clone()))
    static = G.mapping(latent.seed_to_z(3, G.z_dim))
    for ws, psi in zip(seen, (0.2, 1.4), strict=True):
        torch.testing.assert_close(ws, G.w_avg + psi * (static - G.w_avg))


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
def test_an_amount_says_how_much_a_feature_takes_hold(tiny_checkpoint, amount):
    G = tiny_checkpoint.G_ema
    shown = pictures(1)
    engine = instrument(tiny_checkpoint, shown, psi=1.0, rows={"all": Drive("pool", amount)})
    render(engine, 1, FPS)
    live = Pooled(z_dim=G.z_dim)(Scripted(shown).read(0))
    a, b = G.mapping(latent.seed_to_z(3, G.z_dim)), G.mapping(torch.tensor(live)[None])
    torch.testing.assert_close(engine.ws, a + amount * (b - a))


@pytest.mark.parametrize("each_row", [False, True])
def test_a_latent_of_w_is_placed_as_it_is(tiny_checkpoint, each_row):
    G, shown = tiny_checkpoint.G_ema, pictures(1)
    feature = Placed(each_row=each_row)
    patch = Patch(
        sources={"eye": Scripted(shown)},
        features={"found": feature},
        latent=Latent(seed=3, psi=1.0, rows={"middle": Drive("found")}),
        sinks={"screen": Kept()},
    )
    engine = Engine(patch, tiny_checkpoint)
    render(engine, 1, FPS)
    placed = torch.tensor(feature(Scripted(shown).read(0)))
    want = G.mapping(latent.seed_to_z(3, G.z_dim)).clone()
    want[:, G.rows("middle")] = placed[G.rows("middle")] if each_row else placed
    assert torch.equal(engine.ws, want)


def centred(checkpoint, **latents):
    engine = Engine(Patch(latent=Latent(**{"centres": 4, **latents}), sinks={"screen": Kept()}), checkpoint)
    engine.step(0.0, 0.1)
    return engine


def test_psi_can_lead_to_the_kind_of_picture_that_is_near(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    known = Centres.of(G, 4, engines.SAMPLES)
    own = G.mapping(latent.seed_to_z(3, G.z_dim))
    kind = latent.near(own, known.w, known.stats)
    for psi in (0.0, 0.6, 1.0):
        torch.testing.assert_close(centred(tiny_checkpoint, seed=3, psi=psi).ws, kind + psi * (own - kind))
    rows = centred(tiny_checkpoint, seed=3, psi=0.0, cutoff=2).ws
    torch.testing.assert_close(rows, torch.cat([kind[:, :2], own[:, 2:]], 1))


def test_centres_are_found_when_the_patch_meets_the_model_and_once(tiny_checkpoint, monkeypatch):
    asked, of = [], Centres.of
    monkeypatch.setattr(Centres, "of", lambda G, k, *more, **named: asked.append(k) or of(G, k, *more, **named))
    engine = centred(tiny_checkpoint)
    assert asked == [4]
    for k in (5, 0, 4, 5):
        engine.play(replace(engine.patch, latent=replace(engine.patch.latent, centres=k)))
        before = len(asked)
        engine.step(0.1, 0.1)
        assert len(asked) == before
    assert asked == [4, 5]


def test_centres_are_those_of_the_class():
    checkpoint = Checkpoint(G_ema=tiny_generator("stylegan2", c_dim=3).requires_grad_(False), card=None)
    G = checkpoint.G_ema
    known = Centres.of(G, 4, engines.SAMPLES, class_index=2)
    own = G.mapping(latent.seed_to_z(0, G.z_dim), G.label(2))
    want = latent.near(own, known.w, known.stats)
    torch.testing.assert_close(centred(checkpoint, psi=0.0, label=2).ws, want)


def test_the_same_patch_gives_the_same_frames_on_a_second_run(tiny_checkpoint):
    engine = instrument(tiny_checkpoint, pictures(6), psi=Route("light", release=0.4))
    runs = []
    for _ in range(2):
        render(engine, 12, FPS)
        runs.append([(t, frame.tobytes()) for t, frame in engine.patch.sinks["screen"].all])
    assert runs[0] == runs[1] and len(runs[0]) == 12
    again = instrument(tiny_checkpoint, pictures(6), psi=Route("light", release=0.4))
    render(again, 12, FPS)
    assert [(t, f.tobytes()) for t, f in again.patch.sinks["screen"].all] == runs[0]


def test_random_noise_is_the_same_on_a_second_run_and_other_on_every_frame(tiny_checkpoint):
    engine = instrument(tiny_checkpoint, pictures(1))
    engine.patch.picture = Picture(noise_mode="random")
    runs = []
    for _ in range(2):
        render(engine, 3, FPS)
        runs.append([f.tobytes() for _, f in engine.patch.sinks["screen"].all])
    assert runs[0] == runs[1] and len(set(runs[0])) == 3


def test_frame_times_do_not_drift(tiny_checkpoint):
    engine = instrument(tiny_checkpoint, pictures(1), psi=0.0)
    fps = Fraction(30000, 1001)
    render(engine, 300, fps)
    times = [t for t, _ in engine.patch.sinks["screen"].all]
    assert times == [float(i / fps) for i in range(300)]


def test_a_drift_wanders_without_any_source(tiny_checkpoint):
    patch = Patch(latent=Latent(seed=4, drift=1.0), sinks={"screen": Kept()})
    engine = Engine(patch, tiny_checkpoint)
    seen = []
    render(engine, 11, FPS, lambda i: seen.append(engine.ws.clone()))
    assert not torch.allclose(seen[0], seen[5], atol=1e-2)
    torch.testing.assert_close(seen[0], seen[10], atol=1e-5, rtol=1e-4)


def test_conditional_models_are_played_with_their_class():
    G = tiny_generator("stylegan2", c_dim=3)
    checkpoint = Checkpoint(G_ema=G, card=None)
    for label in (0, 2):
        engine = Engine(Patch(latent=Latent(seed=1, psi=1.0, label=label), sinks={"s": Kept()}), checkpoint)
        render(engine, 1, FPS)
        want = G.mapping(latent.seed_to_z(1, G.z_dim), torch.eye(3)[[label]])
        torch.testing.assert_close(engine.ws, want)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"rows": {"coarse": Drive("pool"), "1": Drive("pool")}}, "latent.rows.1.*driven by coarse"),
        ({"rows": {"0-99": Drive("pool")}}, "latent.rows.0-99.*rows 0 to 7"),
        ({"rows": {"placement": Drive("pool")}}, "no band 'placement'"),
        ({"label": 2}, "latent.label.*no classes"),
        ({"rows": {"coarse": Drive("nothing")}}, "'nothing'.*pool"),
    ],
)
def test_a_patch_that_does_not_fit_its_model_is_refused_at_the_door(tiny_checkpoint, change, said):
    with pytest.raises(BadPatch, match=said):
        instrument(tiny_checkpoint, pictures(1), **change)


def test_a_layer_that_only_the_model_can_know_is_refused_at_the_door(tiny_checkpoint):
    patch = Patch(
        sources={"eye": Scripted(pictures(1))},
        features={
            "judge": Activations(network="discriminator", layers="b999.conv0"),
            "two": Activations(network="discriminator"),
        },
        latent=Latent(label=7),
    )
    with pytest.raises(BadPatch) as refused:
        Engine(patch, tiny_checkpoint)
    told = "\n".join(refused.value.problems)
    assert "features.judge" in told and "b32.conv0" in told and "latent.label" in told


def test_a_film_stops_in_words_at_the_first_failure_and_keeps_what_it_has(tiny_checkpoint):
    shown = pictures(4)
    shown[2] = None
    engine = instrument(tiny_checkpoint, shown)
    with pytest.raises(KinesphereError, match="sources.eye failed at frame 2: the cable is out"):
        render(engine, 4, FPS)
    assert len(engine.patch.sinks["screen"].all) == 3 and engine.patch.sources["eye"].closed == 1


def test_three_regions_changing_one_changes_only_its_rows(tiny_checkpoint, tmp_path):
    """The bottom left of the frame drives the middle rows, and nothing else, to the bit."""
    from kinesphere import patch as patches

    base = pictures(1)[0].repeat(6, 0).repeat(6, 1)
    other = base.copy()
    h, w = base.shape[:2]
    other[h // 2 :, : w // 2] = 255 - other[h // 2 :, : w // 2]
    rows = {}
    for name, shown in {"base": base, "other": other}.items():
        patch = patches.load("regions")
        patch.sources = {"eye": Scripted([shown])}
        engine = Engine(patch, tiny_checkpoint)
        render(engine, 1, FPS)
        rows[name] = engine.ws
    changed = [bool((rows["base"][:, i] != rows["other"][:, i]).any()) for i in range(tiny_checkpoint.G_ema.num_ws)]
    middle = tiny_checkpoint.G_ema.rows("middle")
    assert changed == [middle.start <= i < middle.stop for i in range(tiny_checkpoint.G_ema.num_ws)]


def test_a_film_is_as_long_as_its_source_unless_told_otherwise():
    clip = Video(str(resources.files("kinesphere.builtin") / "clip.mp4"), loop=False)
    patch = Patch(sources={"clip": clip})
    assert engines.length(patch) == (360, 30)
    assert engines.length(patch, fps=Fraction(25)) == (300, 25)
    assert engines.length(patch, seconds=2.0) == (60, 30)
    assert engines.sound(patch) == (clip.path, 0.0)
    clip.start = 2.0
    assert engines.length(patch) == (300, 30) and engines.sound(patch) == (clip.path, 2.0)
    with pytest.raises(KinesphereError, match="--seconds"):
        engines.length(Patch())
    with pytest.raises(KinesphereError, match="seen again"):
        engines.length(Patch(sources={"eye": Camera()}))


# --- another patch while playing --------------------------------------------------------------------------------------


class Shelf:
    """Lanes in a test's own hands: what the features show now, and every frame that came."""

    def __init__(self):
        self.now, self.frames = {}, []

    def features(self, t):
        return dict(self.now)

    def show(self, frame, t):
        self.frames.append(frame)


def playing(checkpoint, **parts):
    """An engine with a light that the test holds in its hand."""
    parts = {"sources": {"eye": Scripted(pictures(1))}, "features": {"light": Light(), "pool": Pooled()}, **parts}
    engine = Engine(Patch(**parts), checkpoint)
    engine.lanes = Shelf()
    return engine


def bright(value, t=0.0):
    return {"light": Drawn(np.asarray(float(value)), t)}


def with_latent(engine, **values):
    return replace(engine.patch, latent=replace(engine.patch.latent, **values))


def test_another_patch_is_what_the_next_step_plays(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    engine = playing(tiny_checkpoint, latent=Latent(seed=3, psi=1.0))
    engine.step(0.0, 0.0)
    engine.play(with_latent(engine, seed=4, psi=0.5))
    engine.step(0.1, 0.1)
    want = G.w_avg + 0.5 * (G.mapping(latent.seed_to_z(4, G.z_dim)) - G.w_avg)
    torch.testing.assert_close(engine.ws, want)
    np.testing.assert_array_equal(engine.lanes.frames[-1], to_pixels(G.synthesis(engine.ws.clone()))[0].numpy())
    assert engine.moment.patch is engine.patch


def test_a_change_is_seen_whole_or_not_at_all(tiny_checkpoint):
    """Seed and psi change together, a few thousand times, from another thread: no step has one of this and one of that."""
    G = tiny_checkpoint.G_ema
    engine = playing(tiny_checkpoint)
    looks = [with_latent(engine, seed=seed, psi=psi) for seed, psi in ((1, 1.0), (2, 0.5))]
    engine._draw = lambda *what: engine.frame
    static = [G.mapping(latent.seed_to_z(look.latent.seed, G.z_dim)) for look in looks]
    whole = [G.w_avg + look.latent.psi * (ws - G.w_avg) for look, ws in zip(looks, static, strict=True)]
    over = threading.Event()

    def turn():
        for look in itertools.cycle(looks):
            if over.is_set():
                return
            engine.play(look)

    engine.play(looks[0])
    turner = threading.Thread(target=turn)
    turner.start()
    try:
        seen = []
        for i in range(500):
            engine.step(i / 100, 0.01)
            seen.append([bool(torch.allclose(engine.ws, ws)) for ws in whole])
    finally:
        over.set()
        turner.join()
    assert all(any(match) for match in seen) and [any(column) for column in zip(*seen, strict=True)] == [True, True]


@pytest.mark.parametrize(
    "change, said",
    [
        ({"rows": {"0-99": Drive("pool")}}, "latent.rows.0-99"),
        ({"label": 2}, "no classes"),
        ({"psi": Route("nothing")}, "'nothing'"),
    ],
)
def test_a_patch_that_is_refused_changes_nothing(tiny_checkpoint, change, said):
    engine = playing(tiny_checkpoint, latent=Latent(seed=3, psi=Route("light", release=1.0)))
    engine.lanes.now = bright(1)
    engine.step(0.0, 0.0)
    now, followers, ws = engine.now, dict(engine.followers), engine.ws
    with pytest.raises(BadPatch, match=said):
        engine.play(with_latent(engine, **change))
    assert engine.now is now
    engine.step(0.1, 0.1)
    assert engine.followers == followers and torch.equal(engine.ws, ws)


def test_only_features_that_are_new_objects_are_opened(tiny_checkpoint):
    class Opened(Light):
        opens = 0

        def open(self, checkpoint):
            self.opens += 1

    old, new = Opened(), Opened()
    engine = playing(tiny_checkpoint, features={"light": old})
    engine.play(replace(engine.patch, features={"light": old, "other": new}))
    engine.play(replace(engine.patch, name="again"))
    assert (old.opens, new.opens) == (1, 1)


def test_a_route_that_stays_goes_on_where_it_is(tiny_checkpoint):
    """Its filter remembers: after a change elsewhere the value falls on along the same curve."""
    alone, changed = (playing(tiny_checkpoint, latent=Latent(psi=Route("light", release=1.0))) for _ in range(2))
    values = []
    for engine in (alone, changed):
        engine.lanes.now = bright(1)
        engine.step(0.0, 0.0)
        engine.lanes.now = bright(0)
        engine.step(0.5, 0.5)
        if engine is changed:
            engine.play(with_latent(engine, seed=9))
        engine.step(1.0, 0.5)
        values.append(engine.numbers["latent.psi"])
    assert values[0] == values[1] == pytest.approx(np.exp(-1.0))


@pytest.mark.parametrize(
    "other",
    [
        {"high": 0.8},
        {"curve": "square"},
        {"invert": True},
        {"in_high": 2.0},
        {"release": 4.0, "low": -1.0},
        {"clamp": False, "curve": "exp"},
        {"high": -2.0},
    ],
)
def test_a_route_that_changes_moves_on_from_the_value_that_it_had(tiny_checkpoint, other):
    """However a slow route is set anew, the picture does not jump: a moment later the value is still near."""
    slow = {"release": 2.0, "attack": 2.0}
    engine = playing(tiny_checkpoint, latent=Latent(psi=Route("light", **slow)))
    engine.lanes.now = bright(0)
    engine.step(0.0, 0.0)
    engine.lanes.now = bright(1)
    engine.step(1.0, 1.0)
    before = engine.numbers["latent.psi"]
    route = Route("light", **{**slow, **other})
    nearest = min(max(before, min(route.low, route.high)), max(route.low, route.high))
    engine.play(with_latent(engine, psi=route))
    engine.step(1.001, 0.001)
    assert engine.numbers["latent.psi"] == pytest.approx(nearest, abs=5e-3)
    engine.step(99.0, 98.0)
    rest = Engine(engine.patch, tiny_checkpoint)
    rest.lanes = engine.lanes
    rest.step(0.0, 0.0)
    assert engine.numbers == pytest.approx(rest.numbers, abs=1e-6)


def test_numbers_are_the_value_of_every_route_by_its_place(tiny_checkpoint):
    rows = {"coarse": Drive("pool", Route("light", low=1.0, high=0.0))}
    engine = playing(tiny_checkpoint, latent=Latent(psi=Route("light", low=0.5, high=1.5), rows=rows))
    engine.lanes.now = bright(0.25)
    engine.step(0.0, 0.0)
    assert engine.numbers == {"latent.psi": 0.75, "latent.rows.coarse.amount": 0.75}


def test_another_class_is_another_picture_of_the_same_seed():
    G = tiny_generator("stylegan2", c_dim=3)
    engine = playing(Checkpoint(G_ema=G, card=None), latent=Latent(seed=1, psi=1.0))
    for label in (0, 2, 0):
        engine.play(with_latent(engine, label=label))
        engine.step(0.0, 0.0)
        torch.testing.assert_close(engine.ws, G.mapping(latent.seed_to_z(1, G.z_dim), torch.eye(3)[[label]]))


def test_a_new_seed_costs_no_second_mapping_of_what_a_feature_shows(tiny_checkpoint):
    engine = playing(tiny_checkpoint, latent=Latent(rows={"coarse": Drive("pool")}))
    engine.lanes.now = {"pool": Drawn(np.ones(16, np.float32), 0.0)}
    mapped = []
    tiny_checkpoint.G_ema.mapping.register_forward_hook(lambda *_: mapped.append(1))
    engine.step(0.0, 0.0)
    engine.play(with_latent(engine, seed=8))
    engine.step(0.1, 0.1)
    assert len(mapped) == 3  # the first seed, the feature, the second seed


def test_another_noise_is_drawn_though_the_latent_stands_still(tiny_checkpoint):
    engine = playing(tiny_checkpoint)
    engine.step(0.0, 0.0)
    engine.play(replace(engine.patch, picture=Picture(noise_mode="none")))
    engine.step(0.1, 0.1)
    assert (engine.lanes.frames[0] != engine.lanes.frames[1]).any()


@pytest.mark.parametrize("drift", [0.0, 4.0])
def test_a_mix_stands_between_its_seeds(tiny_checkpoint, drift):
    G = tiny_checkpoint.G_ema
    engine = playing(tiny_checkpoint, latent=Latent(seed=9, mix=[(1, 1.0), (2, 3.0)], psi=1.0, drift=drift))
    engine.step(1.5, 0.0)
    ends = [latent.drift(s, G.z_dim, 1.5, period=drift) if drift else latent.seed_to_z(s, G.z_dim) for s in (1, 2)]
    torch.testing.assert_close(engine.ws, G.mapping(latent.slerp(*ends, 0.75)))
    engine.play(with_latent(engine, mix=[(2, 1.0)], drift=0.0))
    engine.step(1.6, 0.1)
    torch.testing.assert_close(engine.ws, G.mapping(latent.seed_to_z(2, G.z_dim)))


def test_what_cannot_be_begun_for_want_of_memory_is_refused_in_words(tiny_checkpoint):
    class Huge(Light):
        def open(self, checkpoint):
            raise MemoryError

    engine = playing(tiny_checkpoint)
    with pytest.raises(BadPatch, match="features.huge: there is not enough memory"):
        engine.play(replace(engine.patch, features={"huge": Huge()}))


def test_a_step_that_nobody_sees_moves_the_routes_and_another_engine_goes_on_from_there(tiny_checkpoint):
    """What an engine remembers is plain JSON."""
    psi = Route("light", attack=0.2, release=0.5)
    seen, shown = [], pictures(12)

    def watched(t):
        return {"light": Drawn(np.asarray(shown[round(t * 10)].mean() / 255 if t < 0.7 else np.nan), t)}

    engines = [instrument(tiny_checkpoint, shown, psi=psi, rows={}) for _ in range(3)]
    for engine in engines:
        engine.lanes = type("Told", (), {"features": staticmethod(watched), "show": lambda *_: None})()
    all_steps, passes, follows = engines
    for i in range(12):
        all_steps.step(i / 10, 0.1)
        seen.append(all_steps.ws.clone())
    for i in range(8):
        passes.pass_by(i / 10, 0.1)
    assert passes.numbers["latent.psi"] != psi.low and not passes.frame.any()
    follows.remind(json.loads(json.dumps(passes.memory())))
    for i in range(8, 12):
        follows.step(i / 10, 0.1)
        assert torch.equal(follows.ws, seen[i])
    assert follows.steps == all_steps.steps


# --- features of several numbers ----------------------------------------------------------------------------------------


def held(angle, x, t=0.0):
    return {"hand": Drawn(np.array([angle, x]), t, Hand.names)}


def handed(checkpoint, **parts):
    return playing(checkpoint, **{"features": {"hand": Hand(), "light": Light()}, **parts})


def test_a_route_follows_one_of_several_numbers_and_waits_where_it_is_not_known(tiny_checkpoint):
    angle = Route("hand.angle", low=-1, high=1, in_low=-np.pi, in_high=np.pi)
    rows = {"coarse": Drive("pool", Route("hand.x", otherwise=0.25, fade=0))}
    features = {"hand": Hand(), "pool": Pooled()}
    engine = handed(tiny_checkpoint, features=features, latent=Latent(seed=3, psi=angle, rows=rows))
    seen = []
    nan = np.nan
    shown = [{}, *(held(*now) for now in ((np.pi / 2, 0.5), (nan, 0.75), (nan, nan), (-np.pi / 2, 0.1)))]
    for t, engine.lanes.now in enumerate(shown):
        engine.step(t, 1.0)
        seen.append((engine.numbers["latent.psi"], engine.numbers["latent.rows.coarse.amount"]))
    np.testing.assert_allclose(seen, [(-1, 0.25), (0.5, 0.5), (0.5, 0.75), (0.5, 0.25), (-0.5, 0.1)])
    assert not engine.health.troubles()


def test_a_route_goes_over_to_another_where_its_own_feature_is_lost(tiny_checkpoint):
    psi = Route("hand.x", high=2, otherwise=Route("light"), fade=0)
    engine = handed(tiny_checkpoint, latent=Latent(psi=psi))
    for x, light, wanted in ((0.5, 0.1, 1.0), (np.nan, 0.3, 0.3), (np.nan, 0.4, 0.4), (0.25, 0.4, 0.5)):
        engine.lanes.now = held(0.0, x) | bright(light)
        engine.step(engine.steps / 10, 0.1)
        assert engine.numbers["latent.psi"] == pytest.approx(wanted)
        assert engine.numbers["latent.psi.otherwise"] == pytest.approx(light)


def test_a_fade_goes_on_where_the_route_is_turned_meanwhile(tiny_checkpoint):
    psi = Route("hand.x", low=0.0, high=1.0, otherwise=0.0, fade=1.0)
    engine = handed(tiny_checkpoint, latent=Latent(psi=psi))
    for i, x in enumerate((1.0, np.nan, np.nan)):
        engine.lanes.now = held(0.0, x)
        engine.step(i / 10, 0.1)
    assert engine.numbers["latent.psi"] == pytest.approx(np.exp(-0.2))
    engine.play(with_latent(engine, psi=replace(psi, attack=0.1)))
    engine.step(0.3, 0.1)
    assert engine.numbers["latent.psi"] == pytest.approx(np.exp(-0.3))


def test_a_film_gives_back_what_its_features_took_and_can_be_made_again(tiny_checkpoint):
    Hand.held.clear()
    engine = handed(tiny_checkpoint, latent=Latent(psi=Route("hand.x")))
    films = []
    for _ in range(2):
        render(engine, 3, FPS)
        films.append(engine.numbers)
        assert Hand.held == []
    assert films[0] == films[1]


def test_what_a_refused_patch_opened_is_given_back(tiny_checkpoint):
    Hand.held.clear()
    engine = playing(tiny_checkpoint)
    with pytest.raises(BadPatch):
        engine.play(replace(engine.patch, features={"hand": Hand()}, latent=Latent(rows={"0-99": Drive("hand")})))
    with pytest.raises(BadPatch, match="no rows 0-99"):
        features = {**engine.patch.features, "hand": Hand()}
        engine.play(replace(engine.patch, features=features, latent=Latent(rows={"0-99": Drive("pool")})))
    assert Hand.held == []


# --- bends --------------------------------------------------------------------------------------------------------------


def bend(kind, **numbers):
    return STATIONS["bends"][kind](**numbers)


def checkpoint_of(family):
    return Checkpoint(G_ema=tiny_generator(family).requires_grad_(False), card=None)


def test_a_bend_bends_the_picture_and_leaves_the_model_alone():
    checkpoint = checkpoint_of("stylegan3")
    before = {name: value.clone() for name, value in checkpoint.G_ema.state_dict().items()}
    turn = bend("transform", rotate=Route("hand.angle", high=2.0))
    engine = playing(checkpoint, features={"hand": Hand()}, bends={"turn": turn})
    engine.lanes.now = held(0.25, 0.0)
    engine.step(0.0, 0.0)
    with torch.inference_mode(), bent(engine.G, transform(engine.G, 0.0, rotate=0.5)):
        wanted = to_pixels(engine.G.synthesis(engine.ws))[0].numpy()
    np.testing.assert_array_equal(engine.frame, wanted)
    after = engine.G.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    engine.play(replace(engine.patch, bends={}))
    engine.step(0.1, 0.1)
    with torch.inference_mode():
        np.testing.assert_array_equal(engine.frame, to_pixels(engine.G.synthesis(engine.ws))[0].numpy())


def test_the_frame_is_drawn_anew_where_a_bend_moves_and_only_there(tiny_checkpoint):
    bends = {
        "warp": bend("warp", rotate=Route("light")),
        "still": bend("noise", strength=0.0),
        "nothing": bend("const"),
    }
    engine = playing(tiny_checkpoint, bends=bends)
    synthesis, drawn = engine.G.synthesis.forward, []
    engine.G.synthesis.forward = lambda *a, **k: drawn.append(1) or synthesis(*a, **k)
    try:
        for t, light, times in ((0, 0.1, 1), (1, 0.1, 1), (2, 0.3, 2), (3, 0.3, 2)):
            engine.lanes.now = bright(light)
            engine.step(float(t), 1.0)
            assert len(drawn) == times
        engine.play(replace(engine.patch, bends={**bends, "nothing": bend("const", amount=0.5)}))
        for t in (4.0, 5.0):  # it wanders by itself
            engine.step(t, 1.0)
        assert len(drawn) == 4
    finally:
        del engine.G.synthesis.forward


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
@pytest.mark.parametrize("kind", BENDS)
def test_what_is_said_to_stand_still_does(family, kind):
    """WANDERING names the parameters that let a bend move by itself; without one of them, time changes nothing."""
    G = tiny_generator(family).requires_grad_(False)
    numbers = {f.name: 0.4 for f in fields(STATIONS["bends"][kind]) if isinstance(f.default, float)} | {"wander": 1.0}
    ws = G.mapping(latent.seed_to_z(1, G.z_dim))
    for moving in [(), *((name,) for name in WANDERING.get(kind, ()))]:
        held_still = dict.fromkeys(set(WANDERING.get(kind, ())) - {*moving}, 0.0)
        names = {f.name for f in fields(bend(kind))}
        station = bend(kind, **{n: v for n, v in (numbers | held_still).items() if n in names})
        pictures = []
        for t in (0.0, 0.7):
            try:
                bending = station.function(G, t, **station.arguments("", {}))
            except KinesphereError:
                return  # this family has no such thing
            with torch.inference_mode(), bent(G, bending):
                pictures.append(G.synthesis(ws))
        if family == "stylegan2" or not moving:  # the others have no noise, or nothing that wanders in it can be seen
            assert torch.equal(*pictures) == (not moving)


def test_a_bend_that_the_model_cannot_do_is_refused_in_words(tiny_checkpoint):
    engine = playing(tiny_checkpoint)
    with pytest.raises(BadPatch) as refused:
        engine.play(replace(engine.patch, bends={"turn": bend("transform"), "far": bend("warp", resolution=12)}))
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["bends.turn", "bends.far"]
    assert "'warp' turns" in refused.value.problems[0] and "it has" in refused.value.problems[1]
    assert not engine.patch.bends


def test_a_patch_is_cut_to_what_another_model_can_do(tiny_checkpoint):
    p = Patch(bends={"turn": bend("transform", rotate=1.0), "more": bend("const", amount=0.5)})
    kept, left = bendable(p, tiny_checkpoint.G_ema)
    assert list(kept.bends) == ["more"] and kept.bends["more"] is p.bends["more"]
    assert list(left) == ["bends.turn"] and "no input transform" in left["bends.turn"]
    assert bendable(kept, tiny_checkpoint.G_ema) == (kept, {})
