"""Pictures of one's own on the stage: brought, found beside the show, kept with where they came from, mixed, and played."""

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from asking import TestClient, ask, done, until
from PIL import Image

from kinesphere.ops import to_pixels
from kinesphere.stage import Door, app, own, sitting
from kinesphere.studio import efforts
from kinesphere.studio.alignment import ffhq, matching
from kinesphere.studio.batch import as_goal
from kinesphere.studio.efforts import EFFORTS
from kinesphere.studio.latents import Latent, draw, of_styles, styles
from kinesphere.studio.projection import Plan


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def client(playing):
    with TestClient(app(playing, Door(port=7860)), base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture
def swift(monkeypatch):
    """Every effort takes some steps of each stage, and no more."""
    for effort in EFFORTS:
        monkeypatch.setitem(EFFORTS, effort, Plan(steps=16, rows=4, noise=2, tune=2 if effort == "exact" else 0))


def png(pixels, **more):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **more)
    return file.getvalue()


def of_seed(session, seed):
    """The picture of a seed that the model of a session draws, [H, W, 3] uint8."""
    G = session.performance.engine.checkpoint.G_ema
    return to_pixels(draw(G, Latent.of_seed(G, seed)))[0].numpy()


def found(session):
    """The sitting of a session, once it has ended."""
    until(lambda: not session.own.sitting.at_work)
    return session.own.sitting


def whole(side):
    return {"x": side / 2, "y": side / 2, "size": side}


def brought(client, session, seed=3):
    """A picture of the model's own is brought and found."""
    client.post("/api/own?name=me.png", content=png(of_seed(session, seed)))
    done(client, "project", square=whole(32), effort="quick")
    return found(session)


# Brought ----------------------------------------------------------------------------------------------------------------


def test_a_picture_is_brought_upright_and_shown(client):
    lying = np.zeros((40, 60, 3), np.uint8)
    lying[:, :10] = 255  # once upright, its upper edge is white
    exif = Image.Exif()
    exif[0x0112] = 6
    said = client.post("/api/own?name=a/b/me.png", content=png(lying, exif=exif))
    assert said.status_code == 201
    assert said.json() == {
        "name": "me.png", "number": 1, "width": 40, "height": 60,
        "square": {"x": 20.0, "y": 30.0, "size": 40, "angle": 0.0},
    }  # fmt: skip
    shown = np.asarray(Image.open(io.BytesIO(client.get("/api/own/picture.jpg").content)))
    assert shown.shape == (60, 40, 3) and shown[:5].min() > 200 and shown[20:].max() < 50


def test_what_is_no_picture_is_refused_in_words(client, monkeypatch):
    said = client.post("/api/own?name=me.txt", content=b"no picture")
    assert said.status_code == 422 and said.json()["problems"] == ["me.txt cannot be read: not a picture"]
    assert client.get("/api/own/picture.jpg").status_code == 404
    monkeypatch.setattr(own, "LARGEST", 10)
    assert client.post("/api/own?name=me.png", content=bytes(11)).status_code == 413


def test_a_large_picture_is_shrunk(client, monkeypatch):
    monkeypatch.setattr(own, "SIDE", 30)
    said = client.post("/api/own", content=png(np.zeros((60, 40, 3), np.uint8))).json()
    assert (said["width"], said["height"]) == (20, 30)


def test_nothing_is_looked_for_before_a_picture_was_brought(client):
    assert ask(client, "project", square=whole(32))["problems"] == [
        "no picture was brought yet: drop one onto the page, or choose a file"
    ]


FACE = [[10, 10], [22, 10], [12, 20], [20, 20]]


def test_a_square_is_laid_by_eyes_and_mouth(client, playing):
    client.post("/api/own", content=png(np.zeros((32, 32, 3), np.uint8)))
    workshop = playing.aside.enter()
    workshop.face = None  # the model's own pictures have no face
    assert client.post("/api/own/square", json={"points": FACE}).json() == vars(ffhq(*FACE))
    workshop.face = np.array([[0.3, 0.4], [0.7, 0.4], [0.4, 0.7], [0.6, 0.7]])
    assert client.post("/api/own/square", json={"points": FACE}).json() == vars(matching(FACE, workshop.face))
    workshop.face = None
    assert (
        "are no face"
        in client.post("/api/own/square", json={"points": [FACE[1], FACE[0], *FACE[2:]]}).json()["problems"][0]
    )


def test_the_best_place_is_sought_in_the_picture_that_was_brought(client, playing):
    client.post("/api/own", content=png(np.full((32, 40, 3), 9, np.uint8)))
    seen = []
    playing.aside.enter().framing.seeker = lambda picture: seen.append(picture) or ffhq(*FACE)
    assert client.post("/api/own/place").json() == vars(ffhq(*FACE))
    assert seen[0].shape == (32, 40, 3)


# Found ------------------------------------------------------------------------------------------------------------------


def test_what_is_found_is_what_the_studio_finds_and_the_model_that_plays_stays_as_it_is(client, playing, swift):
    G = playing.performance.engine.checkpoint.G_ema
    before = {name: value.clone() for name, value in G.state_dict().items()}
    drawn = playing.performance.frames.count
    sat = brought(client, playing)
    assert playing.performance.frames.count > drawn
    assert all(torch.equal(G.state_dict()[name], value) for name, value in before.items())
    alone = efforts.begun(G, as_goal(of_seed(playing, 3), G), "quick")
    steps = [float(step.unexplained.min()) for step in alone]
    torch.testing.assert_close(sat.found.latent.data, alone.latents()[0].data)
    assert sat.curve == pytest.approx(steps) and sat.found.meters == alone.meters()[0]
    assert sat.found.latent.origin["picture"] == "me.png"
    goal, near, apart = (
        np.asarray(Image.open(io.BytesIO(client.get(f"/api/own/{view}.jpg").content)), np.int16) for view in own.VIEWS
    )
    assert np.abs(goal - of_seed(playing, 3)).max() < 60  # but for JPEG
    assert np.abs(apart - np.minimum(3 * np.abs(goal - near), 255)).mean() < 16


def test_the_way_is_told_step_by_step(client, playing, swift):
    seen = []
    told = playing.note
    playing.note = lambda *parts: (seen.append(playing.own.sitting and playing.own.sitting.said()), told(*parts))
    sat = brought(client, playing)
    stages = list(dict.fromkeys(said["stage"] for said in seen if said))
    assert stages == ["preparing", "search", "w", "rows", "noise", "found"]
    assert [said["done"] for said in seen if said] == sorted(said["done"] for said in seen if said)
    assert sat.said()["done"] == sat.said()["of"] == len(sat.said()["curve"]) == 22


def test_it_is_exact_where_that_is_asked(client, playing, swift):
    client.post("/api/own?name=me.png", content=png(of_seed(playing, 3)))
    done(client, "project", square=whole(32), effort="exact", faithful=1.0)
    place = found(playing).found.latent
    assert place.noise and place.tuning and place.origin["projection"]["faithful"] == 1.0


def test_a_latent_is_kept_only_with_its_own_picture(client, playing, swift):
    """Whoever keeps while a picture is being drawn gets what was found before, or hears that there is nothing yet."""
    workshop, answers = playing.aside.enter(), []
    drawn = workshop.drawn
    workshop.drawn = lambda place: (answers.append(ask(client, "keep_found", name="early")), drawn(place))[1]
    sat = brought(client, playing)
    assert "nothing was found yet" in answers[0]["problems"][0]
    del workshop.drawn
    assert np.array_equal(sat.found.drawn, workshop.drawn(sat.found.latent))


@pytest.fixture
def endless(monkeypatch):
    monkeypatch.setitem(EFFORTS, "quick", Plan(steps=100_000))


def test_stopped_it_keeps_what_was_found_so_far(client, playing, endless):
    client.post("/api/own?name=me.png", content=png(of_seed(playing, 3)))
    done(client, "project", square=whole(32), effort="quick")
    assert "already" in ask(client, "project", square=whole(32))["problems"][0]
    until(lambda: playing.own.sitting.stage == "w")
    done(client, "project_stop")
    assert found(playing).stage == "stopped"
    assert done(client, "keep_found", name="me") == {"name": "me"}
    assert Latent.load(playing.library.folder / "latents" / "me.safetensors").origin["steps"] < 100_000
    assert "no picture" in ask(client, "project_stop")["problems"][0]


def test_the_stage_closes_in_the_middle_of_a_sitting(client, playing, endless):
    client.post("/api/own", content=png(of_seed(playing, 3)))
    done(client, "project", square=whole(32))
    playing.own.close()
    assert "sitting" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"effort": "heroic"}, "no effort"),
        ({"faithful": 2.0}, "less than or equal to 1"),
        ({"square": {"x": 0, "y": 0, "size": 0}}, "greater than 0"),
        ({"square": {"x": 1e300, "y": 0, "size": 1}}, "less than or equal"),
    ],
)
def test_a_wrong_wish_is_refused(client, playing, wrong, words):
    client.post("/api/own", content=png(np.zeros((32, 32, 3), np.uint8)))
    answer = ask(client, "project", **{"square": whole(32), **wrong})
    assert answer["is"] == "refused" and words in answer["problems"][0]
    assert playing.own.sitting is None


def test_a_square_beyond_the_picture_fails_in_words_and_the_next_one_is_found(client, playing, swift):
    client.post("/api/own", content=png(of_seed(playing, 3)))
    done(client, "project", square={"x": 500.0, "y": 500.0, "size": 10.0})
    assert found(playing).stage == "failed" and "beyond this picture" in playing.own.sitting.trouble
    assert "nothing was found" in ask(client, "keep_found", name="me")["problems"][0]
    done(client, "project", square=whole(32))
    assert found(playing).stage == "found"


def test_a_viewer_may_bring_and_find_nothing(playing):
    place = Door(port=7860, tokens=True)
    with TestClient(app(playing, place), base_url="http://127.0.0.1:7860") as client:
        token = {"authorization": f"Bearer {place.viewer}"}
        assert client.post("/api/own", content=b"", headers=token).status_code == 403
        assert client.get("/api/latents", headers=token).status_code == 403
        with client.websocket_connect(f"ws://127.0.0.1:7860/ws/control?token={place.viewer}") as socket:
            socket.send_text(json.dumps({"do": "keep_moment", "id": 1}))
            while (said := json.loads(socket.receive_text()))["is"] != "refused":
                assert said["is"] in ("hello", "state", "meters") and not {"own", "latents"} & said.keys()


def test_a_long_curve_is_told_in_few_points_and_ends_where_it_ends():
    curve = [1 / (n + 1) for n in range(1000)]
    told = sitting.thinned(curve, 160)
    assert len(told) <= 160 and told[-1] == 0.001 and told == sorted(told, reverse=True)
    assert sitting.thinned([0.5, 0.25], 160) == [0.5, 0.25]


# Kept -------------------------------------------------------------------------------------------------------------------


def about(session, name):
    return next(one for one in session.own.kept.said(session.aside.told) if one["name"] == name)


def test_what_was_found_is_kept_with_its_picture_and_where_it_came_from(client, playing, swift):
    brought(client, playing)
    done(client, "keep_found", name="  me, at   home ")
    assert about(playing, "me, at home") == {
        "name": "me, at home", "place": "me, at home", "words": "found for the picture me.png", "parents": [],
        "fits": True, "exact": True, "pictured": True,
    }  # fmt: skip
    assert client.get("/api/latents/me, at home/picture.jpg").content[:2] == b"\xff\xd8"
    file = client.get("/api/latents/me, at home").content
    assert torch.equal(Latent.from_bytes(file).data, playing.own.sitting.found.latent.data)
    assert "already" in ask(client, "keep_found", name="Me, at Home")["problems"][0]
    assert "cannot be a name" in ask(client, "keep_found", name="../me")["problems"][0]
    assert client.delete("/api/latents/me, at home").status_code == 204
    assert client.get("/api/latents").json() == [] and not any((playing.library.folder / "latents").iterdir())


def test_the_present_moment_is_kept(client, playing):
    done(client, "change", edits={"latent.seed": 5, "latent.psi": 0.5})
    until(lambda: playing.performance.engine.seen.latent.seed == 5)
    playing.performance.frames.newer(playing.performance.frames.count + 1, 30)
    name = done(client, "keep_moment")["name"]
    place, G = playing.own.kept.load(name), playing.performance.engine.checkpoint.G_ema
    torch.testing.assert_close(place.data, Latent.of_seed(G, 5, 0.5).data)
    assert about(playing, name)["words"] == "a moment of test, seed 5"
    assert done(client, "keep_moment")["name"] == f"{name} 2"


def test_two_have_a_child_that_names_both(client, playing):
    for seed, name in enumerate(("ada", "ben")):
        done(client, "change", edits={"latent.seed": seed})
        until(lambda: playing.performance.engine.seen.latent.seed == seed)  # noqa: B023
        done(client, "keep_moment", name=name)
    child = done(client, "mix", latents=["ada", "ben"], t=0.25)["name"]
    a, b, place = (playing.own.kept.load(name).data for name in ("ada", "ben", child))
    torch.testing.assert_close(place, 0.75 * a + 0.25 * b)
    assert about(playing, child)["words"] == "25 % of the way from ada to ben"
    assert about(playing, child)["parents"] == ["ada", "ben"]
    assert ask(client, "mix", latents=["ada", "eve"])["problems"] == [
        f"no latent 'eve' in the library: there are ada, {child}, ben"
    ]


def test_a_latent_of_another_model_is_told_and_not_played(client, playing):
    name = done(client, "keep_moment")["name"]
    done(client, "play", model="other.safetensors")
    until(lambda: playing.performance.engine.patch.model == "other.safetensors" and not playing.performance.loading)
    assert not about(playing, name)["fits"]
    assert "of another model" in ask(client, "play_latent", latent=name)["problems"][0]


def test_a_damaged_file_is_told_in_words(client, playing):
    (playing.library.folder / "latents" / "broken.safetensors").write_bytes(b"nothing")
    assert about(playing, "broken")["words"].startswith("cannot be read: broken.safetensors: it is damaged")
    assert client.get("/api/latents/broken/picture.jpg").status_code == 404


# Played -----------------------------------------------------------------------------------------------------------------


def amounts(session):
    return {name: there.amount for name, there in session.performance.patch.latent.places.items()}


def frame(session):
    """A picture that was begun after all that was asked for."""
    frames = session.performance.frames
    return frames.newer(frames.newer(frames.count, 30)[1], 30)[0].frame


def test_what_is_kept_is_played_as_it_was_found_and_the_patch_comes_back(client, playing, swift):
    client.post("/api/own", content=png(of_seed(playing, 3)))
    done(client, "project", square=whole(32), effort="exact")
    found(playing)
    done(client, "keep_found", name="me")
    before = frame(playing)
    done(client, "play_latent", latent="me")
    assert amounts(playing) == {"me": 1.0}
    G = playing.performance.engine.checkpoint.G_ema
    wanted = to_pixels(draw(G, playing.own.kept.load("me")))[0].numpy()
    until(lambda: np.array_equal(frame(playing), wanted))
    assert "plays now" in client.delete("/api/latents/me").json()["problems"][0]
    done(client, "play_latent", latent=None)
    assert not any(amounts(playing).values())
    until(lambda: np.array_equal(frame(playing), before))
    done(client, "undo")
    assert amounts(playing) == {"me": 1.0}


def test_the_way_from_one_to_another_takes_its_time(client, playing):
    for name in ("ada", "ben v. 2"):
        done(client, "keep_moment", name=name)
    done(client, "play_latent", latent="ada")
    done(client, "play_latent", latent="ben v. 2", seconds=0.3, easing="linear")
    assert playing.morph[2] == "latents/ben v. 2"
    on_the_way = until(lambda: 0 < amounts(playing).get("ben v  2", 0) < 1 and amounts(playing))
    assert on_the_way["ada"] > 0
    until(lambda: playing.morph is None)
    assert amounts(playing) == {"ben v  2": 1.0}
    assert "no easing" in ask(client, "play_latent", latent="ada", easing="hop")["problems"][0]


def test_a_moment_half_way_between_two_is_kept_as_it_is_seen(client, playing, swift):
    for seed, effort in ((3, "exact"), (4, "careful")):
        client.post("/api/own", content=png(of_seed(playing, seed)))
        done(client, "project", square=whole(32), effort=effort)
        found(playing)
        done(client, "keep_found", name=effort)
    files = {
        name: {"file": f"{name}.safetensors", "amount": amount} for name, amount in (("exact", 0.9), ("careful", 0.4))
    }
    done(client, "change", edits={"latent.places": files})
    until(lambda: playing.performance.engine.seen.latent.places.keys() == files.keys())
    wanted = frame(playing)
    place = playing.own.kept.load(done(client, "keep_moment")["name"])
    assert place.noise and place.tuning
    kept = to_pixels(draw(playing.performance.engine.checkpoint.G_ema, place))[0].numpy()
    assert np.abs(kept.astype(int) - wanted).max() <= 1  # weights are kept in half precision


@pytest.fixture
def grainy(tiny_checkpoint):
    """Two latents of the tiny model with noise of their own, and one of styles."""
    G = tiny_checkpoint.G_ema
    noise = torch.randn(G.layers()["b16.conv0"].noise_const.shape, generator=torch.Generator().manual_seed(1))
    one, other = (replace(Latent.of_seed(G, n + 1), noise={"b16.conv0": (-1) ** n * noise}) for n in range(2))
    return {"one": one, "other": other, "styles": of_styles(styles(G, one.ws(G)), one)}


def goes_to(client, playing, grainy, **amounts):
    """The patch goes to latents, in this order; a name's first word is that of the latent."""
    there = {}
    for name, place in amounts.items():
        latent = name.partition("_")[0]
        grainy[latent].save(playing.library.folder / "latents" / f"{latent}.safetensors")
        there[name] = {"file": f"{latent}.safetensors", **place}
    done(client, "change", edits={"latent.places": there})
    until(lambda: playing.performance.engine.seen.latent.places.keys() == there.keys())
    return frame(playing)


def test_a_moment_that_goes_to_one_file_twice_is_kept_as_it_is_seen(client, playing, grainy):
    wanted = goes_to(client, playing, grainy, one={"amount": 0.9}, other={"amount": 0.5}, one_more={"amount": 0.6})
    place = playing.own.kept.load(done(client, "keep_moment")["name"])
    kept = to_pixels(draw(playing.performance.engine.checkpoint.G_ema, place))[0].numpy()
    assert np.abs(kept.astype(int) - wanted).max() <= 1


@pytest.mark.parametrize(
    "there, words",
    [
        ({"styles": {"amount": 0.5}}, "styles is of styles"),
        ({"one": {"rows": "coarse"}}, "one goes there in the rows coarse only"),
    ],
)
def test_a_moment_that_no_latent_can_hold_is_refused_in_words(client, playing, grainy, there, words):
    goes_to(client, playing, grainy, **there)
    assert words in ask(client, "keep_moment", name="me")["problems"][0]
    (name,) = there
    done(client, "change", edits={f"latent.places.{name}.amount": 0.0})
    until(lambda: playing.performance.engine.seen.latent.places[name].amount == 0)
    assert done(client, "keep_moment", name="me") == {"name": "me"}


def test_a_look_comes_without_a_latent_that_was_deleted(client, playing):
    for name in ("ada", "ben"):
        done(client, "keep_moment", name=name)
    both = {name: {"file": f"{name}.safetensors", "amount": 0.5} for name in ("ada", "ben")}
    done(client, "change", edits={"latent.places": both, "latent.psi": 0.2})
    look = done(client, "snapshot")["id"]
    done(client, "change", edits={"latent.places": {}, "latent.psi": 0.9})
    assert client.delete("/api/latents/ada").status_code == 204
    told = []
    playing._trouble = lambda *words: told.append(words)
    done(client, "recall", look=look)
    assert amounts(playing) == {"ben": 0.5} and playing.performance.patch.latent.psi == 0.2
    ((place, words),) = told
    assert place == "latent.places.ada" and "there is no file" in words


def test_a_place_may_lead_to_the_library_only(client, playing):
    done(client, "keep_moment", name="ada")
    edits = {"latent.places.ada": {"file": "ada.safetensors"}, "latent.places.other": {"file": "/etc/passwd"}}
    answer = ask(client, "change", edits=edits)
    assert len(answer["problems"]) == 1 and "'/etc/passwd' is outside the library" in answer["problems"][0]
    del edits["latent.places.other"]
    done(client, "change", edits=edits)
    assert amounts(playing) == {"ada": 1.0}


# Centres ----------------------------------------------------------------------------------------------------------------


def test_the_models_centres_are_found_beside_the_show(client, playing, monkeypatch):
    monkeypatch.setattr("kinesphere.stage.workshop.CENTRES", 4)
    monkeypatch.setattr("kinesphere.stage.workshop.SAMPLED", 500)
    assert client.get("/api/centres/0.jpg").status_code == 404
    done(client, "centres")
    until(lambda: playing.own.said()["centres"] == {"seeking": False, "count": 4})
    assert client.get("/api/centres/3.jpg").content[:2] == b"\xff\xd8"
    assert client.get("/api/centres/4.jpg").status_code == 404
    assert done(client, "play_centre", centre=3) == done(client, "play_centre", centre=3) == {"name": "tiny centre 4"}
    assert about(playing, "tiny centre 4")["words"] == "centre 4 of the model"
    torch.testing.assert_close(playing.own.kept.load("tiny centre 4").data, playing.aside.enter().centres.w[3].cpu())


@pytest.fixture
def centres(client, playing, monkeypatch):
    """Four kinds of picture of the model that plays were found."""
    monkeypatch.setattr("kinesphere.stage.workshop.CENTRES", 4)
    monkeypatch.setattr("kinesphere.stage.workshop.SAMPLED", 500)
    done(client, "centres")
    until(lambda: playing.own.said()["centres"] == {"seeking": False, "count": 4})


def test_a_centre_is_never_taken_for_another_latent_of_its_name(client, playing, centres):
    done(client, "keep_moment", name="tiny centre 1")
    for _ in range(2):
        assert done(client, "play_centre", centre=0) == {"name": "tiny centre 1 2"}
    torch.testing.assert_close(playing.own.kept.load("tiny centre 1 2").data, playing.aside.enter().centres.w[0].cpu())


def test_centres_of_a_model_that_plays_no_more_are_not_played(client, playing, centres):
    done(client, "play", model="other.safetensors")
    until(lambda: playing.performance.engine.patch.model == "other.safetensors" and not playing.performance.loading)
    assert "look for them first" in ask(client, "play_centre", centre=0)["problems"][0]
    assert client.get("/api/centres/0.jpg").status_code == 404
    assert playing.library.names("latents") == []
