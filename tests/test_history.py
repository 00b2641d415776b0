"""What was done can be undone and done again, a drag counts once, and nothing grows without end."""

import gc
import weakref

import pytest
from conftest import Lamp, Light
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.looks import History, Ring
from kinesphere.patch import Patch, changed

START = Patch()


def psi(value: float) -> dict[str, float]:
    return {"latent.psi": value}


class Player:
    """Turns knobs, a second apart unless told otherwise."""

    def __init__(self, history: History) -> None:
        self.history, self.patch, self.t = history, START, 0.0

    def turn(self, edits: dict, after: float = 1.0) -> None:
        self.t += after
        new = changed(self.patch, edits)
        self.history.did(self.patch, new, edits, self.t)
        self.patch = new

    def undo(self) -> bool:
        found = self.history.undo(self.patch)
        self.patch = found or self.patch
        return found is not None

    def redo(self) -> bool:
        found = self.history.redo(self.patch)
        self.patch = found or self.patch
        return found is not None


@pytest.fixture
def player():
    return Player(History())


def test_undo_goes_back_step_by_step_and_redo_forward(player):
    player.turn(psi(0.1))
    player.turn({"latent.seed": 3})
    assert (player.history.undoable, player.history.redoable) == (2, 0)
    assert player.undo() and player.patch.latent.seed == 0 and player.patch.latent.psi == 0.1
    assert player.undo() and player.patch == START and not player.undo()
    assert player.redo() and player.redo() and player.patch.latent.seed == 3 and not player.redo()


def test_a_slider_that_is_dragged_is_one_step(player):
    for i in range(20):
        player.turn(psi(i / 100), after=0.3)
    assert player.history.undoable == 1
    assert player.undo() and player.patch == START


def test_a_pause_another_knob_or_an_undo_begins_a_new_step(player):
    player.turn(psi(0.1))
    player.turn(psi(0.2), after=0.71)
    assert player.history.undoable == 2
    player.turn({"latent.seed": 3}, after=0.1)
    assert player.history.undoable == 3
    player.undo()
    player.turn({"latent.seed": 4}, after=0.1)
    assert player.history.undoable == 3


def test_steps_that_stand_alone_are_never_merged(player):
    for seed in (1, 2, 3):
        new = changed(player.patch, {"latent.seed": seed})
        player.history.did(player.patch, new, {"": None}, 0.0)
        player.patch = new
    assert player.history.undoable == 3


def test_what_changes_nothing_is_no_step(player):
    player.turn(psi(0.7))
    assert player.history.undoable == 0


def test_a_new_step_forgets_what_was_undone(player):
    player.turn(psi(0.1))
    player.undo()
    player.turn(psi(0.2))
    assert not player.redo() and player.patch.latent.psi == 0.2


def test_the_oldest_steps_are_forgotten():
    player = Player(History(most=3))
    for i in range(10):
        player.turn(psi(i / 100))
    assert player.history.undoable == 3
    assert [player.undo() for _ in range(4)] == [True, True, True, False]
    assert player.patch.latent.psi == 0.06


actions = st.lists(
    st.tuples(st.sampled_from(["psi", "seed"]), st.integers(0, 3), st.sampled_from([0.1, 0.5, 2.0]))
    | st.sampled_from(["undo", "redo"]),
    max_size=30,
)


@settings(max_examples=150)
@given(actions)
def test_all_that_was_undone_can_be_done_again(acted):
    player = Player(History())
    for action in acted:
        if isinstance(action, str):
            getattr(player, action)()
        else:
            name, value, after = action
            player.turn({f"latent.{name}": value}, after)
    here, back = player.patch, 0
    while player.undo():
        back += 1
    assert player.patch == START or back == 0
    assert sum(player.redo() for _ in range(back)) == back and player.patch == here


# --- the last minute --------------------------------------------------------------------------------------------------


def test_the_ring_knows_how_it_looked():
    ring = Ring(60)
    for t in range(50):
        ring.add(float(t), psi(t))
    assert ring.ago(0) == psi(49) and ring.ago(9.5) == psi(39) and ring.ago(10) == psi(39)
    assert ring.ago(10, now=49.9) == psi(39) and ring.ago(10, now=50.0) == psi(40)


def test_a_look_that_stays_counts_once_and_is_there_all_the_time():
    ring = Ring(60)
    for t in range(1000):
        ring.add(float(t), psi(1.0))
    assert len(ring) == 1 and ring.ago(60) == psi(1.0)


def test_before_the_ring_began_there_is_its_oldest_look():
    ring = Ring(60)
    assert ring.ago(10) is None
    ring.add(5.0, psi(1.0))
    assert ring.ago(10) == psi(1.0)


def test_the_look_that_was_there_when_the_minute_began_is_kept():
    ring = Ring(60)
    ring.add(0.0, psi(1.0))
    ring.add(50.0, psi(2.0))
    ring.add(100.0, psi(3.0))
    assert ring.ago(60) == psi(1.0) and ring.ago(50) == psi(2.0)


def test_the_ring_does_not_grow():
    ring = Ring(60, most=100)
    for i in range(10_000):
        ring.add(i / 60, psi(i))
    assert len(ring) <= 100
    assert abs(ring.ago(30)["latent.psi"] - (9_999 - 30 * 60)) <= 60


def test_a_look_from_the_ring_is_ones_own():
    ring = Ring(60)
    rows = {"latent.rows": {}}
    ring.add(0.0, rows)
    rows["latent.rows"]["coarse"] = 1
    ring.ago(0)["latent.rows"]["fine"] = 1
    assert ring.ago(0) == {"latent.rows": {}}


def test_a_clock_that_was_set_back_begins_again():
    ring = Ring(60)
    ring.add(100.0, psi(1.0))
    ring.add(0.0, psi(2.0))
    assert len(ring) == 1 and ring.ago(0) == psi(2.0)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0.06, 20), st.integers(0, 2)), min_size=1, max_size=40), st.floats(0, 60))
def test_the_ring_agrees_with_a_list_of_everything(steps, back):
    ring, t, every = Ring(60), 0.0, []
    for dt, value in steps:
        t += dt
        ring.add(t, psi(value))
        every.append((t, value))
    then = [value for when, value in every if when <= t - back] or [every[0][1]]
    assert ring.ago(back) == psi(then[-1])


def test_what_has_been_at_work_is_not_kept_by_what_is_undone():
    """A source that has shown pictures and a feature that has learnt from them hold megabytes: no step of history holds them."""
    history, films = History(), []
    for i in range(3):
        now = Patch(sources={"eye": Lamp(0.1 * i)}, features={"light": Light()})
        if i:
            history.did(before, now, {f"step {i}": None})  # noqa: F821
        films.append(weakref.ref(now.sources["eye"]))
        films.append(weakref.ref(now.features["light"]))
        before = now
    undone = history.undo(now)
    del before, now
    gc.collect()
    assert [film() for film in films] == [None] * 6
    assert undone.sources["eye"].light == 0.1 and history.redo(undone).sources["eye"].light == 0.2
