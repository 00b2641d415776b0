"""The performance: it keeps its pace, follows what is done to it from the next step on, and nothing that fails stops it."""

import threading
import time
import tracemalloc
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from conftest import Hand, Kept, Light, Pooled, Scripted, stir, tiny_generator
from hypothesis import given
from hypothesis import strategies as st

from kinesphere import runtime
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.engine import Engine
from kinesphere.features import Activations, Brightness
from kinesphere.lanes import Drawn
from kinesphere.models import StyleGAN2
from kinesphere.patch import STATIONS, BadPatch, Drive, Latent, Patch, Picture
from kinesphere.performance import Pace, Performance
from kinesphere.routes import Route
from kinesphere.sinks import Null
from kinesphere.sources import Video
from kinesphere.types import KinesphereError, Signal

pytestmark = pytest.mark.usefixtures("one_thread")
PATIENCE = 60.0  # seconds after which a performance has clearly failed


def pictures(n, seed=0):
    return list(np.random.RandomState(seed).randint(0, 256, [n, 24, 32, 3], np.uint8))


# --- on the clock's own threads ---------------------------------------------------------------------------------------
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
    ours = ("watch", "draw", "deliver", "pictures", "load")
    return {t.name for t in threading.enumerate() if t.name.split()[0] in ours}


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


def perform(engine, *run, **more):
    return Performance(engine.patch, engine=engine).run(*run, **more)


def done(engine, station):
    return engine.health[station].done if station in engine.health else 0


def test_a_performance_follows_the_camera_and_leaves_no_thread_behind(tiny_checkpoint):
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len({f.tobytes() for f in frames}) >= 10)
    status = perform(engine, PATIENCE)
    assert status.t < PATIENCE and status.failures == 0 and not status.troubles
    assert threads() == set() and engine.patch.sources["eye"].closed >= 1


def test_the_picture_is_never_older_than_the_newest_features(tiny_checkpoint):
    """What a step draws from is what lay in the mailboxes when it began, or came since."""
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 30)
    follow, stale, used = engine._follow, [], []

    def spied(now, features, t, dt):
        mailbox = now.lanes.drawn["pool"]
        used.append(features["pool"].t if features else -1.0)
        if features and (newest := mailbox.latest()).t != features["pool"].t:
            stale.append(newest.t - features["pool"].t)  # one that came after this step had looked
        return follow(now, features, t, dt)

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
    status = perform(
        engine, PATIENCE, lambda s: (statuses.append(s), "sources.eye" in s.troubles and over.set()), status_every=0.05
    )
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

    def failing(*what):
        calls.append(1)
        if 10 < len(calls) < 20:
            raise RuntimeError("out of memory")
        return draw(*what)

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
    engine._draw = lambda *what: (time.sleep(0.11), draw(*what))[1]
    status = perform(engine, PATIENCE)
    steps = np.diff([t for t, _ in engine.patch.sinks["screen"].all])
    assert status.late >= 5 and all(steps > 0.1)


def test_what_was_late_is_not_made_up_for(tiny_checkpoint):
    """After a hitch the steps go on at their pace: the 25 that it swallowed do not come at once."""
    engine = live(tiny_checkpoint, pictures(1000), lambda engine, frames: len(frames) >= 20)
    draw, calls = engine._draw, []
    engine._draw = lambda *what: (calls.append(1), time.sleep(0.5 if len(calls) == 5 else 0), draw(*what))[2]
    perform(engine, PATIENCE)
    steps = np.diff([t for t, _ in engine.patch.sinks["screen"].all])
    after = steps[steps.argmax() + 1 :]
    assert max(steps) > 0.5 and len(after) >= 10 and sum(after) > 0.7 * len(after) / 50


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


# --- beat by beat, on a clock in the test's hand ----------------------------------------------------------------------


class Clock:
    """Time stands still until the test moves it."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def checkpoint_of(seed, size=32):
    torch.manual_seed(seed)
    channels = [12, 12, 8, 8][: {16: 3, 32: 4}[size]]
    G = stir(StyleGAN2(img_resolution=size, channels=channels, mapping_layers=2, z_dim=16, w_dim=12), seed)
    return Checkpoint(G_ema=G.requires_grad_(False), card=None)


class Shelf:
    """Models by name, each given out when the test says so."""

    def __init__(self, **models):
        self.models = models
        self.asked, self.free = [], threading.Event()

    def __call__(self, name):
        self.asked.append(name)
        self.free.wait(PATIENCE)
        if name not in self.models:
            raise KinesphereError(f"no model {name!r}")
        return self.models[name]


class Stage:
    """A performance whose beats come when the test wants them."""

    def __init__(self, patch=None, choose=None, **models):
        self.models = {"one": checkpoint_of(1), "two": checkpoint_of(2), **models}
        self.shelf, self.clock = Shelf(**self.models), Clock()
        patch = patch or Patch(model="one", latent=Latent(seed=3))
        self.performance = Performance(
            patch, load=self.shelf, engine=Engine(patch, self.models["one"]), clock=self.clock, choose=choose
        )
        self.shown = []
        self.performance.listeners.append(lambda moment, shown: self.shown.append(shown))

    def beat(self, n=1, dt=0.04):
        for _ in range(n):
            self.clock.now += dt
            self.performance.beat()
        return self.performance.frames.latest().frame

    def feel(self, **values):
        for name, value in values.items():
            drawn = Drawn(np.asarray(value), self.performance.clock())
            self.performance.engine.lanes.drawn[name].put(drawn)

    def loaded(self, fade=0.0):
        """Let the model come, and go on with the beats until it plays. Returns the frames of these beats."""
        before = len(self.shown)
        self.shelf.free.set()
        patience = time.monotonic() + PATIENCE
        while self.performance.loading and time.monotonic() < patience:
            self.beat()
            self.performance.frames.newer(self.performance.frames.count, 0.005)
        assert not self.performance.loading
        self.beat(2)
        return [shown.frame for shown in self.shown[before:]]


def picture_of(checkpoint, **values):
    """The picture of a patch, drawn alone."""
    engine = Engine(Patch(latent=Latent(**values)), checkpoint)
    engine.step(0.0, 0.0)
    return engine.frame


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


def with_latent(patch, **values):
    return replace(patch, latent=replace(patch.latent, **values))


def test_a_change_from_another_thread_is_in_the_very_next_picture_whole():
    stage = Stage()
    stage.beat()
    asked = threading.Thread(target=stage.performance.change, args=({"latent.seed": 5, "latent.psi": 0.3},))
    asked.start()
    asked.join()
    assert same(stage.beat(), picture_of(stage.models["one"], seed=5, psi=0.3))
    assert stage.performance.patch.latent.seed == 5


def test_changes_of_two_hands_at_once_are_both_kept():
    stage = Stage()
    start = threading.Barrier(2)

    def turn(place, values):
        start.wait()
        for value in values:
            stage.performance.change({place: value})

    hands = [
        threading.Thread(target=turn, args=("latent.seed", range(50))),
        threading.Thread(target=turn, args=("latent.psi", [i / 50 for i in range(50)])),
    ]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    assert (stage.performance.patch.latent.seed, stage.performance.patch.latent.psi) == (49, 0.98)
    assert same(stage.beat(), picture_of(stage.models["one"], seed=49, psi=0.98))


@pytest.mark.parametrize(
    "edits",
    [
        {"latent.seed": -1},
        {"latent.psi": 0.1, "latent.nothing": 1},
        {"latent.label": 4},
        {"latent.rows.coarse": "nobody"},
        {"features.light": {"kind": "brightness"}},
    ],
)
def test_a_change_that_is_refused_changes_nothing(edits):
    stage = Stage()
    before, patch = stage.beat(), stage.performance.patch
    with pytest.raises(BadPatch):
        stage.performance.change(edits)
    assert stage.performance.patch is patch and same(stage.beat(), before)


def test_another_model_is_loaded_beside_and_then_there_at_once():
    """Every picture is one model's or the other's, none is left out, and the first goes on until the second is ready."""
    stage = Stage()
    old, new = (picture_of(stage.models[name], seed=3) for name in ("one", "two"))
    stage.performance.play(replace(stage.performance.patch, model="two"))
    assert stage.performance.loading == "two"
    assert all(same(stage.beat(), old) for _ in range(5))
    frames = stage.loaded()
    kinds = [0 if same(f, old) else 1 if same(f, new) else 2 for f in frames]
    assert kinds == sorted(kinds) and set(kinds) <= {0, 1} and kinds[-1] == 1
    assert [s.number for s in stage.shown] == list(range(1, len(stage.shown) + 1))
    assert stage.performance.patch.model == "two" and stage.performance.status().stations["model"].error is None


class Chooser:
    """Finds a back end when the test says so, and notes what it was asked for."""

    def __init__(self):
        self.asked, self.free, self.broken = [], threading.Event(), None
        self.free.set()

    def __call__(self, G, fps, back_end, precision, smaller):
        self.free.wait(PATIENCE)
        self.asked.append((G, fps, back_end, precision, smaller))
        if self.broken:
            raise self.broken
        exactness = "bfloat16" if precision == "half" else "float32"
        return runtime.compile(G, "torch", exactness), runtime.Choice("torch", exactness, 0.001, "a test wants it")

    def done(self, times):
        until = time.monotonic() + PATIENCE
        while len(self.asked) < times and time.monotonic() < until:
            time.sleep(0.005)


def alike(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max() <= 1


def test_what_draws_is_chosen_before_the_first_picture_and_for_every_model():
    choose = Chooser()
    stage = Stage(choose=choose)
    engine = stage.performance.engine
    assert choose.asked == [(engine.G, 30.0, "auto", "auto", False)] and engine.painter is not engine.G
    assert alike(stage.beat(), picture_of(stage.models["one"], seed=3))
    stage.performance.play(replace(stage.performance.patch, model="two"))
    stage.loaded()
    assert choose.asked[-1][0] is stage.performance.engine.G is stage.models["two"].G_ema
    assert alike(stage.beat(), picture_of(stage.models["two"], seed=3))


def test_another_back_end_takes_over_while_the_picture_goes_on():
    choose = Chooser()
    stage = Stage(choose=choose)
    before, first = stage.beat(), stage.performance.engine.painter
    choose.free.clear()
    stage.performance.change({"picture.precision": "half", "latent.psi": 0.4})
    while_it_is_looked_for = stage.beat()
    assert stage.performance.engine.painter is first and not same(while_it_is_looked_for, before)
    choose.free.set()
    choose.done(2)
    stage.performance.stop()
    after = stage.beat()
    assert stage.performance.engine.painted_by.precision == "bfloat16"
    assert not same(after, while_it_is_looked_for) and np.abs(after.astype(int) - while_it_is_looked_for).mean() < 8


def test_a_change_of_anything_else_chooses_nothing():
    choose = Chooser()
    stage = Stage(choose=choose)
    stage.performance.change({"latent.seed": 9})
    stage.beat()
    assert len(choose.asked) == 1


def test_a_back_end_that_is_not_there_is_told_and_what_drew_goes_on():
    choose = Chooser()
    stage = Stage(choose=choose)
    before, painter = stage.beat(), stage.performance.engine.painter
    choose.broken = KinesphereError("OpenVINO is not installed")
    stage.performance.change({"picture.back_end": "openvino"})
    choose.done(2)
    stage.performance.stop()
    assert stage.performance.engine.painter is painter and same(stage.beat(), before)
    assert stage.performance.health["runtime"].error == "OpenVINO is not installed; what drew before goes on"


def test_what_moves_goes_on_moving_through_a_change_of_model():
    """A slow route falls on along its curve; its feature is not begun anew."""

    @dataclass
    class Opened(Light):
        opens: int = field(default=0, compare=False)

        def open(self, checkpoint):
            self.opens += 1

    light = Opened()
    patch = Patch(
        model="one",
        sources={"eye": Scripted(pictures(1))},
        features={"light": light},
        latent=Latent(psi=Route("light", release=1.0)),
    )
    stage = Stage(patch)
    stage.feel(light=1.0)
    stage.beat()
    stage.feel(light=0.0)
    begin, values = stage.clock.now, []
    stage.performance.listeners.append(lambda moment, shown: values.append((moment.t, stage.performance.numbers)))
    stage.performance.change({"model": "two"})
    stage.loaded()
    stage.beat(5)
    assert stage.performance.engine.checkpoint is stage.models["two"] and light.opens == 1
    for t, numbers in values:
        assert numbers["latent.psi"] == pytest.approx(np.exp(-(t - (begin - 100.0))), abs=1e-9)


def test_a_fade_goes_evenly_from_the_old_picture_to_the_new():
    stage = Stage()
    old, new = (picture_of(stage.models[name], seed=3).astype(float) for name in ("one", "two"))
    stage.performance.play(replace(stage.performance.patch, model="two"), fade=1.0)
    stage.beat()
    frames = [*stage.loaded(), *(stage.beat() for _ in range(30))]
    way = new - old
    amounts = [float(((f - old) * way).sum() / (way * way).sum()) for f in frames]
    rest = [np.abs(f - (old + a * way)).max() for f, a in zip(frames, amounts, strict=True)]
    assert max(rest) <= 1.5  # nothing but these two
    steps = np.diff(amounts)
    assert amounts[0] == pytest.approx(0, abs=0.01) and amounts[-1] == 1 and max(steps) < 0.06 and min(steps) > -0.01


def test_a_larger_model_fades_in_and_a_film_keeps_its_size(monkeypatch):
    stage = Stage(small=checkpoint_of(4, size=16))
    stage.performance.play(replace(stage.performance.patch, model="small"), fade=0.2)
    frames = stage.loaded()
    assert {f.shape[0] for f in frames} <= {32, 16} and stage.beat(10).shape == (16, 16, 3)
    assert same(stage.beat(), picture_of(stage.models["small"], seed=3))


@pytest.mark.parametrize("wrong", ["missing", "refused", "starved"])
def test_a_model_that_cannot_be_played_is_told_and_the_old_one_goes_on(wrong):
    stage = Stage()
    before, patch = stage.beat(), stage.performance.patch
    asked = replace(patch, model="two")
    if wrong == "missing":
        del stage.shelf.models["two"]
    elif wrong == "refused":
        asked = with_latent(asked, label=7)
    else:
        stage.models["two"].G_ema.synthesis.forward = lambda *a, **k: (_ for _ in ()).throw(MemoryError())
    stage.performance.play(asked)
    assert all(same(f, before) for f in stage.loaded())
    told = stage.performance.status().stations["model"]
    words = {"missing": "no model 'two'", "refused": "no class 7", "starved": "not enough memory"}[wrong]
    assert words in told.error and told.failures == 1
    assert stage.performance.patch is patch
    stage.performance.change({"latent.seed": 8})
    assert same(stage.beat(), picture_of(stage.models["one"], seed=8))


def test_a_second_model_asked_for_during_a_load_replaces_the_first():
    stage = Stage(three=checkpoint_of(5))
    allowed = [picture_of(stage.models[name], seed=3) for name in ("one", "three")]
    for name in ("two", "three"):
        stage.performance.play(replace(stage.performance.patch, model=name))
    frames = stage.loaded()
    assert all(any(same(f, picture) for picture in allowed) for f in frames) and same(frames[-1], allowed[1])


def test_back_to_the_model_that_plays_ends_the_load():
    stage = Stage()
    patch, before = stage.performance.patch, stage.beat()
    stage.performance.play(replace(patch, model="two"))
    stage.performance.play(patch)
    assert stage.performance.loading == "" and stage.performance.patch.model == "one"
    assert all(same(f, before) for f in stage.loaded())
    stage.performance.stop()
    assert same(stage.beat(3), before)


def test_a_change_during_a_load_is_in_this_picture_and_in_the_next_model():
    stage = Stage()
    stage.performance.play(replace(stage.performance.patch, model="two"))
    assert stage.performance.change({"latent.seed": 11}).model == "two"
    assert same(stage.beat(), picture_of(stage.models["one"], seed=11))
    assert same(stage.loaded()[-1], picture_of(stage.models["two"], seed=11))
    assert stage.performance.patch.latent.seed == 11


def test_a_frozen_picture_stands_and_moves_on_from_now():
    stage = Stage(Patch(model="one", latent=Latent(drift=1.0)))
    before = stage.beat()
    stage.performance.frozen = True
    assert same(stage.beat(7), before)
    stage.performance.frozen = False
    assert not same(stage.beat(), before)


@pytest.mark.parametrize("frozen", [False, True])
def test_black_comes_and_goes_in_the_time_that_was_said(frozen):
    stage = Stage()
    picture = stage.beat().astype(float)
    stage.performance.frozen = frozen
    stage.performance.black(True, seconds=1.0)
    for part in (0.25, 0.5, 0.75, 1.0):
        frame = stage.beat(dt=0.25)
        assert stage.performance.blackness == pytest.approx(part)
        assert np.abs(frame - (1 - part) * picture).max() <= 1
    assert not stage.beat(3).any()
    stage.performance.black(False, seconds=2.0)
    assert np.abs(stage.beat(dt=1.0) - picture / 2).max() <= 1
    stage.performance.black(False)
    assert same(stage.beat(), picture)


@given(fps=st.floats(1, 200), costs=st.lists(st.floats(0, 0.5), min_size=1, max_size=40))
def test_the_pace_is_even_where_it_can_be_and_never_makes_up_for_what_was_missed(fps, costs):
    pace, now, begins = Pace(0.0), 0.0, []
    for cost in costs:
        now = max(now, pace.due(fps))
        begins.append(now)
        pace.beat(fps)
        missed = pace.done(now + cost, fps)
        now += cost
        assert missed == pytest.approx(max(0.0, cost * fps - 1), abs=1e-6)
    for interval, cost in zip(np.diff(begins), costs, strict=False):
        assert interval == pytest.approx(max(1 / fps, cost), abs=1e-9)


def test_the_pace_changes_with_the_next_beat():
    pace = Pace(0.0)
    pace.beat(1.0)
    pace.done(0.01, 1.0)
    assert pace.due(1.0) == pytest.approx(1.0) and pace.due(50.0) == pytest.approx(0.02)


def test_the_meters_say_what_the_pictures_did():
    stage = Stage(Patch(model="one", picture=Picture(fps=25.0)))
    draw = stage.performance.engine._draw

    def slow(*what):
        stage.clock.now += cost
        return draw(*what)

    stage.performance.engine._draw = slow
    for cost in [0.01] * 98 + [0.1] * 2:  # noqa: B007 - `slow` looks at it
        stage.beat(dt=stage.performance.due - stage.performance.clock())
    status = stage.performance.status()
    assert status.frames == 100 and status.late == 2 and status.dropped == 3
    assert status.p50 == pytest.approx(0.04) and status.p95 == pytest.approx(0.04) and status.p99 > 0.05
    assert status.step_p50 == pytest.approx(0.01) and status.step_p99 > 0.05
    assert 20 < status.fps < 25 and status.age is None and status.memory > 1e6
    assert {"picture", "latent", "model"} <= set(status.stations)


def test_the_age_is_that_of_the_oldest_value_in_the_picture():
    patch = Patch(
        model="one",
        sources={"eye": Scripted(pictures(1))},
        features={"light": Light(), "unused": Light()},
        latent=Latent(psi=Route("light")),
    )
    stage = Stage(patch)
    stage.beat()
    assert stage.shown[-1].age is None
    stage.feel(light=1.0, unused=1.0)
    stage.beat(dt=0.25)
    stage.feel(unused=0.5)
    stage.beat(dt=0.25)
    assert stage.shown[-1].age == pytest.approx(0.5) == stage.performance.status().age


def test_where_nothing_comes_any_more_the_picture_has_no_age():
    """A video that has ended, a camera that was unplugged: what grows from then on says nothing."""
    patch = Patch(
        model="one",
        sources={"eye": Scripted(pictures(1)), "film": Scripted(pictures(1))},
        features={"light": Light()},
        latent=Latent(psi=Route("light")),
    )
    stage = Stage(patch)
    stage.feel(light=1.0)
    stage.performance.view("eye").put(Signal(pictures(1)[0], 0.0))
    stage.beat(dt=4.0)
    assert stage.shown[-1].age == pytest.approx(4.0)
    stage.beat(dt=2.0)
    assert stage.shown[-1].age is None is stage.performance.status().age
    stage.performance.view("film").put(Signal(pictures(1)[0], 6.0))
    stage.beat(dt=1.0)
    assert stage.shown[-1].age == pytest.approx(7.0)  # one still goes on, and the value of the other is in the picture


def test_a_listener_hears_every_step_and_one_that_fails_stops_nothing():
    stage = Stage()
    heard = []
    stage.performance.listeners.insert(0, lambda moment, shown: 1 / 0)
    stage.performance.listeners.append(lambda moment, shown: heard.append((moment, shown)))
    stage.beat(3)
    assert [m.t for m, _ in heard] == pytest.approx([0.04, 0.08, 0.12]) == [s.t for _, s in heard]
    assert all(moment.patch is stage.performance.patch for moment, _ in heard)
    assert "division" in stage.performance.status().troubles["listeners"]


def test_memory_does_not_grow_with_changes_and_models():
    """A short soak: a thousand beats, changes on every one, a dozen changes of model."""
    stage = Stage()
    stage.performance.listeners.clear()
    held = []
    for turn in range(12):
        stage.performance.play(replace(stage.performance.patch, model="two" if turn % 2 == 0 else "one"), fade=0.1)
        stage.loaded()
        for i in range(80):
            stage.performance.change({"latent.psi": i / 80, "latent.seed": i % 2})
            stage.beat()
        if turn == 3:
            tracemalloc.start()
        if turn >= 3:
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] - held[1] < 5e5
    assert threads() == set()


# --- stations that come, go and fail ----------------------------------------------------------------------------------


@dataclass
class Device(Scripted):
    """A source that only one may hold at a time; it fails to open while `broken`."""

    held: ClassVar[list[Any]] = []
    broken: ClassVar[bool] = False
    mirror: bool = False

    def open(self):
        if type(self).broken:
            raise KinesphereError("it is not plugged in")
        if self.held:
            raise KinesphereError("another holds it")
        self.held.append(self)
        super().open()

    def close(self):
        self.held.remove(self)
        super().close()


@dataclass
class Grey:
    """A source of one grey, which comes for ever."""

    level: int = 100
    opened: int = field(default=0, compare=False)

    def open(self):
        self.opened += 1

    def read(self, t):
        return Signal(np.full([8, 8, 3], self.level, np.uint8), t)

    def close(self):
        self.opened -= 1


class Disk(Kept):
    """A sink whose disk is full for a while."""

    full = False
    opened = closed = 0

    def open(self, size, fps):
        super().open(size, fps)
        self.opened += 1

    def write(self, frame, t):
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(frame, t)

    def close(self):
        super().close()
        self.closed += 1


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("kinesphere.lanes.RETRY", 0.05)
    Device.held.clear()
    Device.broken = False


def patch_of(source, **parts):
    return Patch(
        **{
            "model": "one",
            "sources": {"eye": source},
            "features": {"light": Brightness()},
            "latent": Latent(psi=Route("light")),
            "picture": Picture(fps=50.0),
            **parts,
        }
    )


def played(patch, **models):
    """A performance on the wall clock."""
    return Performance(patch, load=Shelf(one=checkpoint_of(1), **models), engine=Engine(patch, checkpoint_of(1)))


def awaited(performance, condition):
    """Wait, from picture to picture, until something has happened."""
    patience = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < patience, performance.status()
        performance.frames.newer(performance.frames.count, 0.05)


def light(performance):
    return round(performance.numbers["latent.psi"] * 255)


def test_another_source_takes_over_and_the_old_one_is_closed(quick):
    first, second = Grey(50), Grey(200)
    with played(patch_of(first)) as performance:
        view = performance.view("eye")
        awaited(performance, lambda: light(performance) == 50)
        performance.play(patch_of(second))
        awaited(performance, lambda: light(performance) == 200)
        awaited(performance, lambda: first.opened == 0)
        assert view.latest().value.max() == 200
    assert (first.opened, second.opened) == (0, 0) and threads() == set()


def test_a_feature_looks_at_another_source_when_the_patch_says_so(quick):
    sources = {"eye": Grey(50), "other": Grey(200)}
    with played(patch_of(None, sources=sources)) as performance:
        awaited(performance, lambda: light(performance) == 50)
        performance.change({"features.light.source": "other"})
        awaited(performance, lambda: light(performance) == 200)
        assert sources["eye"].opened == sources["other"].opened == 1


def test_a_station_that_stays_keeps_its_thread_and_one_like_it_takes_it_over(quick):
    eye = Grey(50)
    with played(patch_of(eye)) as performance:
        awaited(performance, lambda: light(performance) == 50)
        before = {t for t in threading.enumerate() if t.name in ("watch eye", "draw light")}
        performance.change({"latent.seed": 4, "picture.fps": 60.0})
        performance.play(patch_of(Grey(50), name="another"))
        assert performance.patch.sources["eye"] is eye and performance.patch.name == "another"
        assert before == {t for t in threading.enumerate() if t.name in ("watch eye", "draw light")}


def test_a_feature_that_is_set_anew_holds_the_value_until_it_has_its_own(quick):
    over = threading.Event()

    @dataclass
    class Waiting(Light):
        wait: bool = False

        def __call__(self, signal):
            if self.wait:
                over.wait(PATIENCE)
                return np.asarray(0.125)
            return super().__call__(signal)

    with played(patch_of(Grey(200), features={"light": Waiting()})) as performance:
        awaited(performance, lambda: light(performance) == 200)
        performance.play(patch_of(Grey(200), features={"light": Waiting(wait=True)}))
        frames = performance.frames.count
        awaited(performance, lambda: performance.frames.count > frames + 5)
        assert light(performance) == 200
        over.set()
        awaited(performance, lambda: performance.numbers["latent.psi"] == 0.125)


def test_a_device_is_let_go_before_it_is_taken_again(quick):
    shown = [np.full([8, 8, 3], 80, np.uint8)] * 2
    with played(patch_of(Device(shown))) as performance:
        awaited(performance, lambda: light(performance) == 80)
        again = Device(shown, mirror=True)
        performance.play(patch_of(again))
        awaited(performance, lambda: again.opened == 1)
        assert performance.status().stations["sources.eye"].failures == 0
    assert Device.held == []


def test_a_source_that_comes_later_and_cannot_be_opened_is_told_and_tried_again(quick):
    with played(patch_of(Grey(50))) as performance:
        awaited(performance, lambda: light(performance) == 50)
        Device.broken = True
        device = Device([np.full([8, 8, 3], 90, np.uint8)] * 2)
        performance.play(patch_of(device))
        awaited(performance, lambda: performance.status().stations["sources.eye"].failures >= 2)
        assert performance.status().troubles["sources.eye"] == "it is not plugged in" and light(performance) == 50
        Device.broken = False
        awaited(performance, lambda: light(performance) == 90)
        assert performance.status().troubles == {}


def test_a_disk_that_fills_up_is_told_and_the_sink_comes_back(quick):
    disk, screen = Disk(), Kept()
    with played(patch_of(Grey(50), sinks={"film": disk, "screen": screen})) as performance:
        awaited(performance, lambda: disk.frames >= 3)
        disk.full = True
        awaited(performance, lambda: disk.opened >= 2)
        assert "No space left" in performance.status().troubles["sinks.film"]
        going_on = screen.frames
        awaited(performance, lambda: screen.frames > going_on + 5)
        disk.full = False
        awaited(performance, lambda: disk.frames >= 3 and "sinks.film" not in performance.status().troubles)
    assert disk.opened == disk.closed and not disk.is_open


def test_a_sink_that_is_blocked_is_told(quick, monkeypatch):
    monkeypatch.setattr("kinesphere.lanes.SILENT", 0.1)
    over = threading.Event()

    class Blocked(Null):
        def write(self, frame, t):
            over.wait(PATIENCE)

    with played(patch_of(Grey(50), sinks={"stuck": Blocked()})) as performance:
        awaited(performance, lambda: "not answered" in performance.status().troubles.get("sinks.stuck", ""))
        frames = performance.frames.count
        awaited(performance, lambda: performance.frames.count > frames + 5)
        over.set()
        awaited(performance, lambda: not performance.status().troubles)


def test_a_feature_out_of_memory_holds_its_value_and_is_left_to_rest(quick, monkeypatch):
    @dataclass
    class Hungry(Light):
        starves: ClassVar[bool] = False
        calls: ClassVar[list[float]] = []

        def __call__(self, signal):
            if self.starves:
                self.calls.append(time.monotonic())
                raise MemoryError
            return super().__call__(signal)

    eye = Grey(60)
    with played(patch_of(eye, features={"light": Hungry()})) as performance:
        awaited(performance, lambda: light(performance) == 60)
        Hungry.starves = True
        eye.level = 130
        awaited(performance, lambda: performance.status().stations["features.light"].failures >= 3)
        assert light(performance) == 60 and "features.light" in performance.status().troubles
        assert min(np.diff(Hungry.calls)) > 0.045
        Hungry.starves = False
        awaited(performance, lambda: light(performance) == 130 and not performance.status().troubles)


def test_a_source_that_is_unplugged_holds_its_picture_and_comes_back(quick):
    class Plugged(Grey):
        out = False

        def open(self):
            if self.out:
                raise KinesphereError("no camera 0")
            super().open()

        def read(self, t):
            if self.out:
                raise KinesphereError("the cable is out")
            return super().read(t)

    eye = Plugged(70)
    with played(patch_of(eye)) as performance:
        awaited(performance, lambda: light(performance) == 70)
        eye.out = True
        awaited(performance, lambda: performance.status().troubles.get("sources.eye") == "no camera 0")
        assert light(performance) == 70 and performance.view("eye").latest().value.max() == 70
        eye.level, eye.out = 71, False
        awaited(performance, lambda: light(performance) == 71 and not performance.status().troubles)
    assert eye.opened == 0


def test_all_that_cannot_be_opened_at_the_start_is_named_and_nothing_stays_open(quick):
    Device.broken = True
    eye = Grey()
    sources = {"eye": eye, "device": Device(pictures(1)), "film": Video("nowhere.mp4")}
    performance = played(patch_of(None, sources=sources))
    with pytest.raises(BadPatch) as refused:
        performance.start()
    told = "\n".join(refused.value.problems)
    assert "sources.device: it is not plugged in" in told and "nowhere.mp4" in told
    assert eye.opened == 0 and threads() == set() and not performance.running
    Device.broken = False
    performance.play(patch_of(eye))
    with performance:
        awaited(performance, lambda: light(performance) == 100)


def test_a_recording_comes_and_goes_while_it_plays(quick):
    film = Disk()
    with played(patch_of(Grey(50))) as performance:
        awaited(performance, lambda: light(performance) == 50)
        performance.add_sink("recording", film)
        with pytest.raises(KinesphereError, match="'recording' already"):
            performance.add_sink("recording", Null())
        awaited(performance, lambda: film.frames >= 3)
        performance.change({"latent.seed": 3})
        assert performance.status().stations["sinks.recording"].rate >= 0
        assert performance.remove_sink("recording", wait=PATIENCE)
        frames = film.frames
        assert not film.is_open and (film.opened, film.closed) == (1, 1)
        count = performance.frames.count
        awaited(performance, lambda: performance.frames.count > count + 3)
        assert film.frames == frames and "sinks.recording" not in performance.status().stations
        with pytest.raises(KinesphereError, match="no sink 'recording'"):
            performance.remove_sink("recording")


def test_a_film_keeps_the_size_that_it_was_begun_with(quick):
    film = Disk()
    with played(patch_of(Grey(50), sinks={"film": film}), small=checkpoint_of(4, size=16)) as performance:
        awaited(performance, lambda: film.frames >= 2)
        performance._load_model.free.set()
        performance.play(replace(performance.patch, model="small"))
        awaited(performance, lambda: performance.frames.latest().frame.shape[0] == 16)
        frames = film.frames
        awaited(performance, lambda: film.frames > frames + 3)
    assert {f.shape for _, f in film.all} == {(32, 32, 3)} and film.opened == 1


def test_a_model_that_comes_begins_with_what_its_features_see(quick):
    """The rows that a feature drives are driven in the very first picture of the new model."""
    patch = patch_of(Grey(90), features={"pool": Pooled()}, latent=Latent(rows={"all": Drive("pool")}))
    first = []
    with played(patch, two=checkpoint_of(2)) as performance:
        awaited(performance, lambda: "pool" in performance.values())
        pool = performance.patch.features["pool"]
        performance.listeners.append(
            lambda moment, shown: first.append(moment) if moment.patch.model == "two" else None
        )
        performance._load_model.free.set()
        performance.play(replace(performance.patch, model="two"))
        awaited(performance, lambda: first)
        assert "pool" in first[0].features and performance.patch.features["pool"] is not pool
    assert threads() == set()


def test_the_end_leaves_nothing_behind_also_when_it_comes_twice_or_during_a_load(quick):
    eye, film = Grey(), Disk()
    performance = played(patch_of(eye, sinks={"film": film}), two=checkpoint_of(2))
    performance.stop()
    performance.start()
    performance.start()
    performance.play(replace(performance.patch, model="two"))
    awaited(performance, lambda: performance._load_model.asked == ["two"])
    threading.Timer(0.1, performance._load_model.free.set).start()
    ends = [threading.Thread(target=performance.stop) for _ in range(2)]
    for end in ends:
        end.start()
    for end in ends:
        end.join(PATIENCE)
    performance.stop()
    assert threads() == set() and eye.opened == 0 and film.opened == film.closed == 1
    assert performance.loading == "" and performance.engine.patch.model == "one"
    with pytest.raises(KinesphereError, match="over"):
        performance.play(replace(performance.patch, model="three"))


def test_it_can_be_started_again(quick):
    performance = played(patch_of(Grey(50)))
    for _ in range(2):
        with performance:
            awaited(performance, lambda: light(performance) == 50)
            assert performance.status().t < PATIENCE
    assert threads() == set()


def test_what_cannot_be_closed_in_good_order_is_said_at_the_end(quick):
    class Torn(Disk):
        def close(self):
            super().close()
            raise KinesphereError("the film could not be finished")

    film = Torn()
    performance = played(patch_of(Grey(50), sinks={"film": film}))
    performance.start()
    awaited(performance, lambda: film.frames >= 2)
    with pytest.raises(KinesphereError, match="sinks.film: the film could not be finished"):
        performance.stop()
    assert threads() == set()


def test_the_meters_of_a_station_say_how_often_and_how_long(quick):
    with played(patch_of(Grey(50), sinks={"screen": Null()})) as performance:
        awaited(performance, lambda: performance.meter.frames > 10)
        stations = performance.status().stations
        for name in ("sources.eye", "features.light", "sinks.screen", "picture"):
            assert stations[name].rate > 0 and stations[name].p50 >= 0 and stations[name].error is None


# --- features that hold something, and bends ----------------------------------------------------------------------------


def wait_until(so):
    patience = time.monotonic() + PATIENCE
    while not so() and time.monotonic() < patience:
        time.sleep(0.01)
    assert so()


def test_what_a_feature_took_is_given_back_when_it_goes_and_at_the_end(tiny_checkpoint):
    Hand.held.clear()
    eye = Scripted(pictures(1000), fps=20.0)
    patch = Patch(sources={"eye": eye}, features={"hand": Hand(), "other": Hand()}, latent=Latent(psi=Route("hand.x")))
    with Performance(patch, engine=Engine(patch, tiny_checkpoint)) as performance:
        hand, other = performance.patch.features["hand"], performance.patch.features["other"]
        assert len(Hand.held) == 2  # beginning does not open them again, nor close them
        wait_until(lambda: "hand" in performance.values())
        assert set(performance.values()["hand"].names) == {"angle", "x"}
        performance.change({"features.other": None})
        wait_until(lambda: Hand.held == [hand])
        performance.play(replace(performance.patch, features={"hand": hand, "other": other}))
        assert len(Hand.held) == 2
    assert Hand.held == []
    with performance:  # on another evening
        wait_until(lambda: "hand" in performance.values())
        assert len(Hand.held) == 2
    assert Hand.held == []


def test_what_was_opened_for_a_patch_that_is_not_played_is_given_back(tiny_checkpoint):
    Hand.held.clear()
    patch = Patch(sources={"eye": Scripted(pictures(3))}, latent=Latent(seed=3))
    with Performance(patch, engine=Engine(patch, tiny_checkpoint)) as performance:
        for _ in range(2):
            performance.prepare(replace(performance.patch, features={"hand": Hand()}))
            assert len(Hand.held) == 1
    assert Hand.held == []


def test_a_show_that_cannot_begin_can_begin_later(tiny_checkpoint):
    Hand.held.clear()

    class Unplugged(Scripted):
        plugged = False

        def open(self):
            if not self.plugged:
                raise KinesphereError("no camera")

    eye = Unplugged(pictures(100))
    patch = Patch(sources={"eye": eye}, features={"hand": Hand()}, latent=Latent(psi=Route("hand.x")))
    performance = Performance(patch, engine=Engine(patch, tiny_checkpoint))
    with pytest.raises(BadPatch, match="no camera"):
        performance.start()
    assert Hand.held == []
    eye.plugged = True
    with performance:
        assert len(Hand.held) == 1
        wait_until(lambda: "hand" in performance.values())
    assert Hand.held == []


def test_a_bend_that_another_model_cannot_do_is_left_out_and_said_so():
    """The model that was asked for plays, and comes without what it cannot do; the stage is never black, nothing is refused."""
    third = Checkpoint(
        G_ema=(G := tiny_generator("stylegan3").requires_grad_(False)), card=Card.of({"G_ema": G}, "made by a test")
    )
    bends = {"turn": STATIONS["bends"]["warp"](rotate=0.5), "grain": STATIONS["bends"]["const"](amount=0.5)}
    stage = Stage(Patch(model="one", latent=Latent(seed=3), bends=bends), third=third)
    stage.beat(2)
    stage.performance.change({"model": "third"})
    frames = stage.loaded()
    assert all(frame.any() for frame in frames) and stage.performance.engine.checkpoint is third
    assert list(stage.performance.patch.bends) == ["grain"] and not stage.performance.status().troubles
    assert list(stage.performance.left_out) == ["bends.turn"]
    with pytest.raises(BadPatch, match="no blocks to warp"):
        stage.performance.change({"bends.turn": {"kind": "warp"}})
    assert list(stage.performance.patch.bends) == ["grain"]
