"""Showing on the stage: a pose is held, a look is chosen, and soon the body finds the looks again by itself."""

import json
import math
import time

import numpy as np
import pytest
from conftest import Lamp, Light

from kinesphere import checkpoints, features, patch, sources
from kinesphere.engine import Engine
from kinesphere.lanes import Drawn
from kinesphere.patch import Latent
from kinesphere.performance import Performance
from kinesphere.stage import Library, Session, control
from kinesphere.stage.showing import HELD, held
from kinesphere.studio import latents as studio
from kinesphere.types import KinesphereError


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def session(tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "eye", Lamp)
    monkeypatch.setitem(features.FEATURES, "light", Light)
    played = patch.Patch(
        sources={"eye": Lamp()}, features={"light": Light(), "other": Light()}, latent=Latent(seed=9), model="tiny"
    )
    library = Library(tmp_path / "library")
    library.trust(played)
    monkeypatch.setattr(checkpoints, "load", lambda name: tiny_checkpoint)
    with Performance(played, engine=Engine(played, tiny_checkpoint), load=library.load) as performance:
        with Session(performance, library) as session:
            yield session


def ask(session, do, **more):
    return control.obey(session, json.dumps({"do": do, **more}), True)


def done(session, do, **more):
    answer = ask(session, do, **more)
    assert answer["is"] == "done", answer
    return answer["result"]


def refused(session, do, **more):
    answer = ask(session, do, **more)
    assert answer["is"] == "refused", answer
    return " ".join(answer["problems"])


def until(true):
    """Wait until something is so; the patience is a minute."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def pose(session, light):
    """Let the eye see it for as long as a pose is held."""
    session.performance.patch.sources["eye"].light = light
    now = session.ear.now

    def only_this():
        heard = session.ear.heard.copy()
        recent = [step for t, step in heard if t >= heard[-1][0] - HELD]
        return all("light" in step and abs(step["light"].number("") - light) < 0.01 for step in recent)

    until(lambda: session.ear.now > now + 0.7 and only_this())


def numbers(session):
    return session.performance.numbers


def shown(session):
    return session.performance.patch.shown


def taught(session, *pairs):
    """Poses and seeds, shown one after the other."""
    done(session, "show_begin", features=["light"])
    for light, seed in pairs:
        done(session, "change", edits={"latent.seed": seed})
        pose(session, light)
        done(session, "show_hold")


def test_a_few_poses_with_their_looks_are_a_mapping_that_the_body_plays(session):
    taught(session, (0.2, 3), (0.8, 4))
    assert [example.look for example in shown(session).examples] == ["Pose 1", "Pose 2"]
    assert [round(example.pose[0], 2) for example in shown(session).examples] == [0.2, 0.8]
    assert not shown(session).play
    done(session, "show_play", on=True)
    for light, name, seed in ((0.2, "Pose 1", 3), (0.8, "Pose 2", 4)):
        session.performance.patch.sources["eye"].light = light
        until(lambda name=name: numbers(session).get(f"shown.weights.{name}", 0) > 0.9999)
        until(lambda seed=seed: session.performance.engine.seen.latent.seed == seed)
    session.performance.patch.sources["eye"].light = 0.5
    until(lambda: 0.4 < numbers(session)["shown.weights.Pose 1"] < 0.6)
    assert numbers(session)["shown.confidence"] > 0.85


def test_what_a_hand_names_while_poses_play_is_looked_up_in_the_library(session, tiny_checkpoint):
    path = session.library.folder / "latents" / "ada.safetensors"
    studio.Latent.of_seed(tiny_checkpoint.G_ema, 5).save(path)
    taught(session, (0.2, 3), (0.8, 4))
    done(session, "show_play", on=True)
    done(session, "change", edits={"latent.places.ada": {"file": path.name}})
    assert session.performance.patch.latent.places["ada"].file == str(path) and not shown(session).play


def test_a_look_that_was_kept_can_be_chosen_and_several_poses_may_share_it(session):
    done(session, "show_begin", features=["light", "other"])
    done(session, "change", edits={"latent.seed": 5})
    kept = done(session, "snapshot", name="Blue. Night")["id"]
    for light in (0.1, 0.6):
        pose(session, light)
        assert done(session, "show_hold", look=kept)["look"] == "Blue  Night"
    assert list(shown(session).looks) == ["At rest", "Blue  Night"]
    assert len(shown(session).examples) == 2 and len(session.snapshots.all()) == 2


def test_far_from_all_it_is_the_look_that_was_called_safe(session):
    done(session, "change", edits={"latent.seed": 77})
    done(session, "set_safe", look=done(session, "snapshot", name="home")["id"])
    done(session, "change", edits={"latent.seed": 1})
    taught(session, (0.1, 3), (0.2, 4))
    assert shown(session).safe == "home"
    done(session, "show_play", on=True)
    session.performance.patch.sources["eye"].light = 1.0
    until(lambda: session.performance.engine.seen.latent.seed == 77)
    assert numbers(session)["shown.confidence"] < 0.1


def test_the_last_example_is_taken_back_and_any_other_too(session):
    taught(session, (0.2, 3), (0.5, 4), (0.8, 5))
    done(session, "show_undo", example=1)
    assert [example.look for example in shown(session).examples] == ["Pose 1", "Pose 3"]
    assert list(shown(session).looks) == ["At rest", "Pose 1", "Pose 3"]
    done(session, "show_undo")
    assert [example.look for example in shown(session).examples] == ["Pose 1"]
    assert "there is no example 4" in refused(session, "show_undo", example=4)
    done(session, "undo")
    assert len(shown(session).examples) == 2
    done(session, "show_clear")
    assert shown(session) == patch.Patch().shown
    assert "nothing was shown" in refused(session, "show_undo")


def test_the_hand_is_stronger_than_the_pose_and_undo_gives_it_back(session):
    taught(session, (0.2, 3), (0.8, 4))
    done(session, "show_play", on=True)
    done(session, "change", edits={"latent.psi": 0.3})
    assert not shown(session).play and session.performance.patch.latent.psi == 0.3
    until(lambda: session.performance.engine.seen.latent.psi == 0.3)
    done(session, "undo")
    assert shown(session).play
    kept = session.snapshots.all()[0].id
    done(session, "recall", look=kept, seconds=0.05)
    assert not shown(session).play
    done(session, "show_play", on=True)
    done(session, "pad", points=[{"id": kept, "x": 0.1, "y": 0.1}], at=[0.5, 0.5])
    assert not shown(session).play
    done(session, "show_play", on=True)
    done(session, "show_play", on=False)
    assert not shown(session).play


def test_what_is_kept_while_it_plays_is_what_is_seen(session):
    taught(session, (0.2, 3), (0.8, 4))
    done(session, "show_play", on=True)
    session.performance.patch.sources["eye"].light = 0.5
    until(lambda: 0.3 < numbers(session).get("shown.weights.Pose 2", 0) < 0.7)
    until(lambda: len(session.performance.engine.seen.latent.mix) == 2)
    kept = done(session, "snapshot", name="between")["id"]
    assert {seed for seed, _ in session.snapshots.look(kept)["latent.mix"]} == {3, 4}


def test_what_cannot_be_shown_is_said(session):
    assert "no feature 'hop'" in refused(session, "show_begin", features=["hop"])
    assert "say first which features" in refused(session, "show_hold")
    assert "show two poses with two looks first" in refused(session, "show_play", on=True)
    done(session, "show_begin", features=["light"])
    pose(session, 0.3)
    assert "no snapshot 'nothing'" in refused(session, "show_hold", look="nothing")


def test_other_features_begin_anew_and_the_same_ones_go_on(session):
    taught(session, (0.2, 3))
    done(session, "show_begin", features=["light"])
    assert len(shown(session).examples) == 1
    done(session, "show_begin", features=["other"])
    assert not shown(session).examples and shown(session).features == ["other"]


def test_pages_are_told_what_can_be_shown_and_have_a_picture_of_each_look(session):
    until(session.performance.frames.latest)  # a look that is kept before the first picture has none
    taught(session, (0.2, 3))
    until(lambda: (session.board.read("shown") or {}).get("pictures", {}).get("Pose 1"))
    told = session.board.read("shown")
    assert told["offered"] == ["light", "other"]
    assert told["pictures"]["Pose 1"] == f"/api/snapshots/{session.snapshots.all()[1].id}.jpg"
    assert told["pictures"]["At rest"] == f"/api/snapshots/{session.snapshots.all()[0].id}.jpg"
    until(lambda: session.meters()["numbers"].get("shown.confidence", 0) == 1)


# --- a pose -----------------------------------------------------------------------------------------------------------------


def steps(*values, every=0.1, name="hand", names=("angle", "size")):
    """What an ear heard: a feature of two numbers at every step."""
    return [(i * every, {name: Drawn(np.array(value, float), i * every, names)}) for i, value in enumerate(values)]


def test_a_pose_is_the_mean_of_the_last_half_second_and_knows_how_it_trembled():
    values = [[9.0, 9.0]] * 5 + [[0.1, 0.4], [0.3, 0.6], [0.1, 0.4], [0.3, 0.6], [0.1, 0.4], [0.3, 0.6]]
    pose, noise = held(steps(*values), ["hand.size", "hand.angle"], [])
    assert pose == pytest.approx([0.5, 0.2]) and noise == pytest.approx([0.1, 0.1])


def test_an_angle_is_held_across_the_seam():
    pose, noise = held(steps([3.1, 0], [-3.1, 0], [3.1, 0], [-3.1, 0]), ["hand.angle"], ["hand.angle"])
    assert abs(pose[0]) == pytest.approx(math.pi) and noise[0] == pytest.approx(math.pi - 3.1)


def test_moments_in_which_it_was_not_known_do_not_count():
    pose, _ = held(steps([math.nan, 1], [0.5, 1], [math.nan, 1]), ["hand.angle", "hand.size"], [])
    assert pose == [0.5, 1]


@pytest.mark.parametrize("heard", [[], steps([math.nan, 1.0])])
def test_what_is_not_known_at_all_cannot_be_held(heard):
    with pytest.raises(KinesphereError, match=r"hand\.angle is not known now: show yourself"):
        held(heard, ["hand.angle"], [])
