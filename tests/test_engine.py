"""The engine: what is seen moves the picture, the same patch gives the same film, and nothing that fails stops a performance."""

import itertools
import threading
import time
import tracemalloc
from fractions import Fraction
from importlib import resources

import numpy as np
import pytest
import torch
from conftest import Kept, Light, Pooled, Scripted, tiny_generator

from kinesphere import engine as engines
from kinesphere import latent
from kinesphere.checkpoints import Checkpoint
from kinesphere.engine import Engine, perform, render
from kinesphere.features import Activations
from kinesphere.ops import to_pixels
from kinesphere.patch import BadPatch, Drive, Latent, Patch, Picture
from kinesphere.routes import Route
from kinesphere.sinks import Null
from kinesphere.sources import Camera, Video
from kinesphere.types import KinesphereError

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


# --- live -------------------------------------------------------------------------------------------------------------
# A performance here ends when something has happened (`until`), not after so many seconds: the machine may be slow.


class Slow(Light):
    """A feature that takes its time."""

    def __call__(self, signal):
        time.sleep(0.2)
        return super().__call__(signal)


class Stuck(Null):
    """A sink that takes its time."""

    def write(self, frame, t):
        super().write(frame, t)
        time.sleep(0.2)


class Watched(Kept):
    """A window that closes itself when `until` says so."""

    main_thread = True
    until = staticmethod(lambda engine, frames: len(frames) >= 20)

    @property
    def closed(self):
        return self.until(self.engine, [f for _, f in self.all])


def threads():
    return {t.name for t in threading.enumerate() if t.name.split()[0] in ("watch", "draw", "deliver", "pictures")}


def live(checkpoint, shown, until=None, **stations):
    screen = Watched()
    patch = Patch(
        **{
            "sources": {"eye": Scripted(shown, fps=20.0)},
            "features": {"pool": Pooled()},
            "latent": Latent(rows={"coarse": Drive("pool")}),
            "picture": Picture(fps=50.0),
            **stations,
            "sinks": {"screen": screen, **stations.get("sinks", {})},
        }
    )
    screen.engine = Engine(patch, checkpoint)
    if until is not None:
        screen.until = until
    return screen.engine


def done(engine, station):
    return engine.health[station].done if station in engine.health else 0


pytestmark = pytest.mark.usefixtures("one_thread")
PATIENCE = 60.0  # seconds after which a performance has clearly failed


def test_a_performance_follows_the_camera_and_leaves_no_thread_behind(tiny_checkpoint):
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len({f.tobytes() for f in frames}) >= 10)
    status = perform(engine, PATIENCE)
    assert status.t < PATIENCE and status.failures == 0 and not status.troubles
    assert threads() == set() and engine.patch.sources["eye"].closed >= 1


def test_the_picture_is_never_older_than_the_newest_features(tiny_checkpoint):
    """What a step draws from is what lay in the mailboxes when it began, or came since."""
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 30)
    follow, stale, used = engine._follow, [], []

    def spied(features, t):
        mailbox = engine.lanes.drawn["pool"]
        used.append(features["pool"].t if features else -1.0)
        if features and (newest := mailbox.latest()) is not features["pool"]:
            stale.append(newest.t - features["pool"].t)  # one that came after this step had looked
        return follow(features, t)

    engine._follow = spied
    perform(engine, PATIENCE)
    assert used == sorted(used) and len(set(used)) > 5
    assert len(stale) <= len(used) // 10 + 1


def test_a_slow_feature_does_not_slow_the_picture(tiny_checkpoint):
    engine = live(
        tiny_checkpoint,
        pictures(1000),
        lambda engine, frames: done(engine, "features.slow") >= 4,
        features={"pool": Pooled(), "slow": Slow()},
    )
    status = perform(engine, PATIENCE)
    assert status.t < PATIENCE
    assert status.frames > 2 * done(engine, "features.slow")
    assert done(engine, "features.pool") > 1.5 * done(engine, "features.slow")


def test_a_blocked_sink_does_not_slow_the_picture(tiny_checkpoint):
    engine = live(
        tiny_checkpoint,
        pictures(1000),
        lambda engine, frames: engine.patch.sinks["stuck"].frames >= 4,
        sinks={"stuck": Stuck()},
    )
    status = perform(engine, PATIENCE)
    assert status.t < PATIENCE
    assert len(engine.patch.sinks["screen"].all) > 2 * engine.patch.sinks["stuck"].frames


def test_a_camera_that_stops_holds_the_last_picture_says_so_and_comes_back(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("kinesphere.lanes.RETRY", 0.1)
    shown = [*pictures(8), *[None] * 20, *pictures(1000, seed=1)]
    statuses = []

    def until(engine, frames):
        told = ["sources.eye" in s.troubles for s in statuses]
        return True in told and told[-5:] == [False] * 5

    engine = live(tiny_checkpoint, shown, until)
    perform(engine, PATIENCE, statuses.append, status_every=0.1)
    out = [s for s in statuses if "sources.eye" in s.troubles]
    assert {s.troubles["sources.eye"] for s in out} == {"the cable is out"}
    frames = engine.patch.sinks["screen"].all
    held = {f.tobytes() for t, f in frames if out[0].t + 0.1 < t < out[-1].t}
    assert len(held) == 1
    assert engine.patch.sources["eye"].opened >= 2
    assert len({f.tobytes() for t, f in frames if t > out[-1].t + 0.2} - held) >= 1


def test_a_camera_that_hangs_is_told_and_the_last_picture_stays(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("kinesphere.lanes.SILENT", 0.2)
    over = threading.Event()

    class Hanging(Scripted):
        def read(self, t):
            if t > 0.5:
                over.wait(PATIENCE)
            return super().read(t)

    statuses = []
    until = lambda engine, frames: statuses and "sources.eye" in statuses[-1].troubles  # noqa: E731
    engine = live(tiny_checkpoint, [], until, sources={"eye": Hanging(pictures(1000), fps=20.0)})
    status = perform(engine, PATIENCE, lambda s: (statuses.append(s), s.troubles and over.set()), status_every=0.05)
    assert status.t < PATIENCE and "not answered" in statuses[-1].troubles["sources.eye"]


def test_a_camera_that_changes_size_goes_on(tiny_checkpoint):
    shown = [*pictures(6), *[np.zeros([60, 100, 3], np.uint8) + i % 200 for i in range(1000)]]
    engine = live(
        tiny_checkpoint,
        shown,
        lambda engine, frames: done(engine, "features.pool") >= 10,
        features={"pool": Activations()},
    )
    status = perform(engine, PATIENCE)
    assert status.t < PATIENCE and status.failures == 0


def test_a_model_that_fails_holds_the_last_picture(tiny_checkpoint):
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 30)
    draw, calls = engine._draw, []

    def failing(ws):
        calls.append(1)
        if 10 < len(calls) < 20:
            raise RuntimeError("out of memory")
        return draw(ws)

    engine._draw = failing
    status = perform(engine, PATIENCE)
    assert engine.health["picture"].failures == 9 and not status.troubles and status.t < PATIENCE


def test_what_is_missing_at_the_start_is_refused_and_nothing_stays_open(tiny_checkpoint):
    first = Scripted(pictures(1))
    engine = live(tiny_checkpoint, [], sources={"first": first, "film": Video("nowhere.mp4")})
    with pytest.raises(KinesphereError, match="nowhere.mp4"):
        perform(engine, seconds=0.5)
    assert (first.opened, first.closed) == (1, 1) and threads() == set()


def test_a_model_that_is_too_slow_plays_at_its_own_even_pace(tiny_checkpoint):
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 6)
    draw = engine._draw
    engine._draw = lambda ws: (time.sleep(0.11), draw(ws))[1]
    status = perform(engine, PATIENCE)
    steps = np.diff([t for t, _ in engine.patch.sinks["screen"].all])
    assert status.late >= 5 and all(steps > 0.1)


def test_what_was_late_is_not_made_up_for(tiny_checkpoint):
    """After a hitch the steps go on at their pace; none comes early."""
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 20)
    draw, calls = engine._draw, []
    engine._draw = lambda ws: (calls.append(1), time.sleep(0.5 if len(calls) == 5 else 0), draw(ws))[2]
    perform(engine, PATIENCE)
    steps = np.diff([t for t, _ in engine.patch.sinks["screen"].all])
    assert max(steps) > 0.5 and min(steps) > 0.5 / 50


def test_a_frame_that_would_be_the_same_is_not_computed_again(tiny_checkpoint):
    engine = live(tiny_checkpoint, pictures(1), lambda engine, frames: len(frames) >= 10)
    drawn = []
    tiny_checkpoint.G_ema.synthesis.register_forward_hook(lambda *_: drawn.append(1))
    perform(engine, PATIENCE)
    assert len(drawn) <= 2


def test_memory_does_not_grow(tiny_checkpoint):
    """A queue anywhere would keep every picture: 200 of them are 18 MB."""
    held = {}
    big = [np.full([200, 150, 3], i, np.uint8) for i in range(256)] * 10

    def until(engine, frames):
        for n in (50, 250):
            if engine.steps >= n and n not in held:
                held[n] = tracemalloc.get_traced_memory()[0]
        return 250 in held

    engine = live(tiny_checkpoint, big, until, picture=Picture(fps=200.0))
    engine.patch.sinks["screen"].keep = False
    engine.patch.sources["eye"].fps = 200.0
    tracemalloc.start()
    try:
        perform(engine, PATIENCE)
    finally:
        tracemalloc.stop()
    assert held[250] - held[50] < 2e6
