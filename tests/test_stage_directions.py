"""Directions on the stage: offered, put on the rack, moved all at once, turned, found for a picture, brought and kept."""

import io
import json

import numpy as np
import pytest
import torch
from asking import TestClient, ask, done, until
from PIL import Image

from kinesphere import patch
from kinesphere.ops import to_pixels
from kinesphere.routes import Route
from kinesphere.stage import Door, app, brush, directions, saying
from kinesphere.studio.directions import Axis, Direction, cosine, known
from kinesphere.studio.directions import files as shared
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.latents import Fingerprint
from kinesphere.studio.naturals import natural

NOISY = 8  # grey levels by which the tiny model's pictures, which are noise, differ as JPEG


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def client(playing):
    with TestClient(app(playing, Door(port=7860)), base_url="http://127.0.0.1:7860") as client:
        yield client


@pytest.fixture
def G(playing):
    return playing.performance.engine.checkpoint.G_ema


def rack(session):
    return session.performance.patch.latent.directions


def frame(session):
    """A picture that was begun after all that was asked for."""
    frames = session.performance.frames
    return frames.newer(frames.newer(frames.count, 30)[1], 30)[0].frame


def offered(client, of, rows=""):
    return next(one for one in client.get("/api/directions").json() if (one["of"], one["rows"]) == (of, rows))


def file_of(*some):
    return shared.to_bytes(some)


def made(name="mine", dim=12, seed=3, **more):
    """A direction of W that nobody has found in any model."""
    return Direction(torch.from_numpy(np.random.RandomState(seed).randn(dim).astype(np.float32)), "w", name, **more)


def bring(client, name, data):
    return client.post("/api/directions", params={"name": name}, content=data)


# Offered ----------------------------------------------------------------------------------------------------------------


def test_components_and_factors_are_offered_at_once_and_told_more_of_once_looked_through(client, playing, G):
    said = offered(client, "pc2")
    assert (said["words"], said["sigma"], said["fits"]) == ("component 2", None, True)
    done(client, "offer")
    until(lambda: not playing.directions.said()["looking"])
    stats = natural(G)
    said, share = offered(client, "pc2"), float(stats.sigmas[1] ** 2 / stats.sigmas.square().sum())
    assert said["sigma"] == pytest.approx(float(stats.sigmas[1]))
    assert said["words"] == f"component 2: {100 * share:.2g} % of what varies"
    assert offered(client, "sefa1", "coarse")["sigma"] != pytest.approx(offered(client, "sefa1")["sigma"])


def test_what_comes_with_a_model_is_offered_first(client, playing, monkeypatch):
    smile = made("smile", model=playing.aside.told, found={"by": "labels", "count": 60, "score": 0.9, "chance": 0.5})
    monkeypatch.setattr(known, "_shipped", lambda: (smile,))
    first = client.get("/api/directions").json()[0]
    assert (first["of"], first["group"], first["score"], first["chance"]) == ("smile", "come", 0.9, 0.5)
    assert first["words"] == "learnt from 60 labels"
    assert done(client, "put_direction", of="smile")["name"] == "smile"


def test_another_class_or_model_is_looked_through_anew(client, playing):
    done(client, "offer")
    until(lambda: offered(client, "pc1")["sigma"])
    done(client, "play", model="other.safetensors")
    until(lambda: playing.performance.engine.patch.model == "other.safetensors" and not playing.performance.loading)
    assert offered(client, "pc1")["sigma"] is None
    assert playing.directions.said()["model"] == "other.safetensors 0"


# Ends -------------------------------------------------------------------------------------------------------------------


def picture(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)), np.int16)


@torch.no_grad()
def moved(G, direction, amount, rows="", ws=None):
    """What a direction makes of the model's mean, or of `ws`, [H, W, 3]."""
    ws = natural(G).mean.expand(1, G.num_ws, -1) if ws is None else ws
    return to_pixels(G.synthesis(Axis.of(G, direction, rows).moved(ws, amount)))[0].numpy().astype(np.int16)


@pytest.mark.parametrize("end, sign", [("low", -1), ("high", 1)])
def test_an_end_is_the_mean_so_far_along(client, playing, G, end, sign):
    shown = picture(client.get("/api/directions/end.jpg", params={"of": "pc1", "rows": "coarse", "end": end}))
    wanted = moved(G, known.find(G, "pc1", playing.aside.told), sign * 3.0, "coarse")
    assert np.abs(shown - wanted).mean() < NOISY
    assert np.abs(shown - moved(G, known.find(G, "pc1", playing.aside.told), 0.0)).mean() > 2 * NOISY


def test_an_end_is_that_of_a_seed_where_one_is_asked_for(client, playing, G):
    asked = {"of": "sefa1", "end": "high", "seed": 5, "amount": 1.5}
    shown = picture(client.get("/api/directions/end.jpg", params=asked))
    z = torch.from_numpy(np.random.RandomState(5).randn(1, G.z_dim).astype(np.float32))
    wanted = moved(G, known.find(G, "sefa1", playing.aside.told), 1.5, ws=G.mapping(z, None, truncation_psi=0.7))
    assert np.abs(shown - wanted).mean() < NOISY


def test_an_end_is_drawn_once(client, playing, monkeypatch):
    drawn = []
    workshop = playing.aside.enter()
    monkeypatch.setattr(workshop, "moved", lambda *asked: drawn.append(asked) or np.zeros((32, 32, 3), np.uint8))
    for amount in (3, 3, 2):
        client.get("/api/directions/end.jpg", params={"of": "pc1", "end": "low", "amount": amount})
    assert len(drawn) == 2


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"of": "gladness"}, "no direction 'gladness' in this model"),
        ({"of": "pc99"}, "pc1 to pc12"),
        ({"of": "pc1", "rows": "70"}, "no rows 70"),
        ({"of": "here4"}, "here4 was not found"),
        ({"of": "/etc/passwd.npy"}, "no direction '/etc/passwd.npy' in the library"),
        ({"of": "../x.safetensors"}, "no direction '../x.safetensors' in the library"),
        ({"of": "gone.safetensors"}, "no direction 'gone' in the library"),
    ],
)
def test_an_end_that_there_is_not_is_told_in_words(client, asked, words):
    answer = client.get("/api/directions/end.jpg", params={"end": "low", **asked})
    assert answer.status_code in (404, 422) and words in answer.json()["problems"][0]


# The rack ---------------------------------------------------------------------------------------------------------------


def test_a_direction_is_put_on_the_rack_and_its_slider_moves_the_picture(client, playing):
    put = done(client, "put_direction", of="pc1")
    assert put == {"name": "pc1", "place": "latent.directions.pc1.amount", "of": "pc1"}
    before = frame(playing)
    done(client, "change", edits={put["place"]: 2.5})
    assert not np.array_equal(frame(playing), before)
    done(client, "undo")
    until(lambda: np.array_equal(frame(playing), before))


def test_the_same_is_put_there_once_and_other_rows_of_it_beside(client, playing):
    names = [
        done(client, "put_direction", of="sefa1", rows=rows)["name"] for rows in ("", "", "coarse", "coarse", "fine")
    ]
    assert names == ["sefa1", "sefa1", "sefa1 coarse", "sefa1 coarse", "sefa1 fine"]
    assert done(client, "put_direction", of="pc1", name="a.b/c")["name"] == "a b c"
    assert rack(playing)["sefa1 coarse"].rows == "coarse" and rack(playing)["a b c"].of == "pc1"


@pytest.mark.parametrize(
    "edits, waits",
    [
        ({"latent.directions.pc1.amount": 1.0}, False),
        ({"latent.directions.pc1": 1.0}, False),
        ({"latent.directions.pc1.rows": "coarse"}, True),
        ({"latent.directions.pc2": {"amount": 0.0}}, True),
        ({"latent.label": 0}, True),
    ],
)
def test_a_new_direction_is_found_while_others_play_on_and_a_slider_waits_for_nothing(client, playing, edits, waits):
    done(client, "put_direction", of="pc1")
    assert playing.opens(edits) == waits


def test_what_there_is_not_is_not_put_on_the_rack(client, playing):
    assert "no direction 'gladness'" in ask(client, "put_direction", of="gladness")["problems"][0]
    assert "no direction '/etc/x.npy' in the library" in ask(client, "put_direction", of="/etc/x.npy")["problems"][0]
    assert not rack(playing)


def test_a_surprise_is_kept_and_on_the_rack_and_lies_among_the_first_components(client, playing, G):
    put = done(client, "surprise", among=3)
    one, stats = playing.directions.kept.load(put["of"]), natural(G)
    coordinates = one.vector @ stats.vectors
    assert coordinates[3:].abs().max() < 1e-4 * coordinates.abs().max() < coordinates[:3].abs().min() * 1e2
    assert (
        rack(playing)[put["name"]].amount == 0 and playing.directions.short(rack(playing)["Surprise"].of) == put["of"]
    )
    assert done(client, "surprise", among=3)["name"] == "Surprise 2"
    wide = playing.directions.kept.load(done(client, "surprise")["of"])  # of 16 components, where the model has 12
    assert wide.found["among"] == 12


@pytest.fixture
def full(client, playing):
    """A rack with one that is free, one that is locked and one that a number moves."""
    for of in ("pc1", "pc2", "pc3"):
        done(client, "put_direction", of=of)
    done(
        client,
        "change",
        edits={
            "latent.directions.pc2": {"amount": 1.5, "locked": True},
            "latent.directions.pc3.amount": {"feature": "left", "low": -1.0, "high": 2.0, "otherwise": 0.5},
        },
    )


def amounts(session):
    return {name: along.amount for name, along in rack(session).items()}


def test_scattering_moves_what_is_free(client, playing, full):
    seen = set()
    for _ in range(5):
        done(client, "scatter")
        free, locked, routed = amounts(playing).values()
        assert abs(free) <= 2 and locked == 1.5 and isinstance(routed, Route)
        seen.add(free)
    assert len(seen) > 1
    done(client, "undo")
    done(client, "rest")
    assert list(amounts(playing).values())[:2] == [0, 1.5]


def test_where_nothing_is_free_nothing_is_scattered(client, playing):
    assert "nothing on the rack is free" in ask(client, "scatter")["problems"][0]


def test_the_opposite_leaves_the_picture_and_turns_the_slider(client, playing, full):
    done(client, "change", edits={"latent.directions.pc1.amount": 2.0})
    before = frame(playing)
    of = done(client, "opposite", direction="pc1")["of"]
    assert amounts(playing)["pc1"] == -2.0
    until(lambda: np.abs(frame(playing).astype(int) - before).max() <= 1)
    one = playing.directions.kept.load(of)
    assert cosine(one, known.find(playing.performance.engine.G, "pc1", playing.aside.told)) == pytest.approx(-1)
    assert done(client, "opposite", direction="pc1")["of"] == "pc1" and amounts(playing)["pc1"] == 2.0
    assert playing.directions.offers()[-1].words == "pc1, turned round"


def test_the_opposite_of_what_is_routed_goes_the_other_way(client, playing, full):
    done(client, "opposite", direction="pc3")
    route = amounts(playing)["pc3"]
    assert (route.feature, route.low, route.high, route.otherwise) == ("left", 1.0, -2.0, -0.5)
    assert "no direction 'pc9' on the rack" in ask(client, "opposite", direction="pc9")["problems"][0]


# Brought and kept -------------------------------------------------------------------------------------------------------


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_file_of_another_tool_is_brought_and_moves_the_picture(client, playing, G):
    vector = np.random.RandomState(1).randn(1, G.w_dim)
    assert bring(client, "glad.npy", npy(vector)).json() == {
        "kept": [{"of": "glad.safetensors", "name": "glad"}],
        "left": 0,
    }
    assert offered(client, "glad.safetensors")["words"] == "from glad.npy"
    before = frame(playing)
    put = done(client, "put_direction", of="glad.safetensors")
    done(client, "change", edits={put["place"]: 2.0})
    assert not np.array_equal(frame(playing), before)
    assert (
        client.get("/api/directions/end.jpg", params={"of": rack(playing)["glad"].of, "end": "low"}).status_code == 200
    )
    assert done(client, "put_direction", of="glad.safetensors")["name"] == "glad"


def test_several_directions_of_one_file_become_several(client, playing, monkeypatch):
    monkeypatch.setattr(directions, "MANY", 2)
    answer = bring(client, "people.safetensors", file_of(made("smile"), made("age", seed=4), made("hat", seed=5)))
    assert answer.json() == {
        "kept": [
            {"of": "people smile.safetensors", "name": "people smile"},
            {"of": "people age.safetensors", "name": "people age"},
        ],
        "left": 1,
    }
    assert torch.equal(playing.directions.kept.load("people age.safetensors").vector, made(seed=4).vector)
    file = client.get("/api/directions/files/people age").content
    assert torch.equal(shared.from_bytes(file)[0].vector, made(seed=4).vector)


@pytest.mark.parametrize(
    "name, data", [("a.txt", b"x"), ("a.safetensors", b"x"), ("a.pt", b"x"), ("", b""), ("../../a.npy", b"")]
)
def test_what_holds_no_direction_is_refused_in_words(client, playing, name, data):
    answer = bring(client, name, data)
    assert answer.status_code == 422 and answer.json()["problems"][0]
    assert playing.library.names("directions") == []


def test_a_file_that_is_too_large_is_refused(client, monkeypatch):
    monkeypatch.setattr(directions, "LARGEST", 10)
    assert bring(client, "a.npy", bytes(11)).status_code == 413


def test_any_direction_is_kept_under_a_name_with_its_rows(client, playing, G):
    assert done(client, "keep_direction", of="sefa2", rows="coarse", name=" Broad  shoulders ") == {
        "of": "Broad shoulders.safetensors"
    }
    kept = playing.directions.kept.load("Broad shoulders.safetensors")
    assert kept.rows == "coarse"
    assert cosine(kept, known.find(G, "sefa2", playing.aside.told, rows="coarse")) == pytest.approx(1)
    assert "already" in ask(client, "keep_direction", of="pc1", name="broad shoulders")["problems"][0]
    assert "cannot be a name" in ask(client, "keep_direction", of="pc1", name="../x")["problems"][0]


def test_the_ends_of_a_file_that_was_typed_at_this_machine_are_shown(client, playing, tmp_path):
    (tmp_path / "glad.npy").write_bytes(npy(np.ones(12)))
    asked = {"of": str(tmp_path / "glad.npy"), "end": "low"}
    assert client.get("/api/directions/end.jpg", params=asked).status_code == 404
    along = patch.Along(of=str(tmp_path / "glad.npy"))
    playing.library.trust(patch.Patch(latent=patch.Latent(directions={"glad": along})))
    assert client.get("/api/directions/end.jpg", params=asked).status_code == 200


def test_what_is_called_otherwise_stays_where_patches_find_it(client, playing):
    bring(client, "mine.safetensors", file_of(made()))
    done(client, "put_direction", of="mine.safetensors")
    done(client, "rename_direction", of="mine.safetensors", name="Melancholy, 2.0")
    assert offered(client, "mine.safetensors")["name"] == "Melancholy, 2.0"
    done(client, "change", edits={"latent.directions.mine.amount": 1.0})
    assert "is no name" in ask(client, "rename_direction", of="mine.safetensors", name="")["problems"][0]
    assert "no direction" in ask(client, "rename_direction", of="pc1", name="x")["problems"][0]


def test_what_is_on_the_rack_is_not_deleted(client, playing):
    bring(client, "mine.safetensors", file_of(made()))
    done(client, "star_direction", of="mine.safetensors", on=True)
    done(client, "put_direction", of="mine.safetensors")
    assert "mine is on the rack" in ask(client, "forget_direction", of="mine.safetensors")["problems"][0]
    assert client.delete("/api/directions/files/mine").status_code == 422
    done(client, "change", edits={"latent.directions.mine": None})
    done(client, "forget_direction", of="mine.safetensors")
    assert playing.library.names("directions") == [] == playing.directions.stars


def test_stars_come_first_and_outlive_the_session(client, playing):
    done(client, "star_direction", of="sefa3", rows="coarse", on=True)
    done(client, "star_direction", of="pc5", on=True)
    groups = {group: [] for group in directions.GROUPS}
    for one in client.get("/api/directions").json():
        groups[one["group"]].append((one["of"], one["rows"]))
    assert groups["pca"][:2] == [("pc5", ""), ("pc1", "")] and groups["sefa"][:2] == [
        ("sefa3", "coarse"),
        ("sefa1", ""),
    ]
    assert directions.Directions(playing).stars == playing.directions.stars
    done(client, "star_direction", of="pc5", on=False)
    assert not offered(client, "pc5")["starred"]
    assert "'gladness' is offered" in ask(client, "star_direction", of="gladness", on=True)["problems"][0]


def test_a_direction_of_another_model_is_told_and_not_put_on_the_rack(client, playing):
    bring(client, "mine.safetensors", file_of(made(model=Fingerprint("a" * 32, "b" * 32))))
    bring(client, "wide.npy", npy(np.ones(40)))
    assert not offered(client, "mine.safetensors")["fits"] and not offered(client, "wide.safetensors")["fits"]
    assert "another model" in ask(client, "put_direction", of="mine.safetensors")["problems"][0]
    assert "does not fit this model" in ask(client, "put_direction", of="wide.safetensors")["problems"][0]
    assert not rack(playing)


def test_a_damaged_file_is_told_in_words(client, playing):
    (playing.library.folder / "directions" / "broken.safetensors").write_bytes(b"nothing")
    said = offered(client, "broken.safetensors")
    assert said["words"].startswith("cannot be read: broken.safetensors: it is damaged") and not said["fits"]


def test_one_of_several_is_meant_by_its_name_as_in_a_patch(client, playing):
    path = playing.library.folder / "directions" / "people.safetensors"
    shared.write(path, [made("age"), made("smile", seed=4)])
    assert done(client, "put_direction", of="people.safetensors#smile")["name"] == "smile"
    assert torch.equal(
        playing.directions.kept.load("people.safetensors#smile").vector, shared.load(f"{path}#smile").vector
    )
    done(client, "rename_direction", of="people.safetensors#smile", name="grin")
    assert [one.name for one in shared.read(path)] == ["age", "grin"]
    for of, words in (
        ("people.safetensors", "it holds several"),
        ("people.safetensors#9", "there is no direction '9'"),
    ):
        assert words in ask(client, "keep_direction", of=of, name="x")["problems"][0]


def test_a_file_of_several_that_was_put_there_by_hand_is_offered_one_by_one(client, playing):
    shared.write(playing.library.folder / "directions" / "two.safetensors", [made("one"), made("other", seed=4)])
    assert offered(client, "two.safetensors#2")["name"] == "other"
    put = done(client, "put_direction", of="two.safetensors#2")
    assert put["name"] == "other" and rack(playing)["other"].of.endswith("two.safetensors#2")


def test_a_look_comes_without_a_direction_that_was_deleted(client, playing):
    bring(client, "mine.safetensors", file_of(made()))
    for of in ("mine.safetensors", "pc1"):
        done(client, "put_direction", of=of)
    done(client, "change", edits={"latent.directions.pc1.amount": 1.5, "latent.psi": 0.2})
    look = done(client, "snapshot")["id"]
    done(client, "change", edits={"latent.directions": {}, "latent.psi": 0.9})
    done(client, "forget_direction", of="mine.safetensors")
    told = []
    playing._trouble = lambda *words: told.append(words)
    done(client, "recall", look=look)
    assert amounts(playing) == {"pc1": 1.5} and playing.performance.patch.latent.psi == 0.2
    ((place, words),) = told
    assert place == "latent.directions.mine" and "there is no file" in words


def test_what_cannot_be_told_keeps_nothing_else_from_being_told(client, playing, monkeypatch):
    told = []
    monkeypatch.setattr(playing, "_trouble", lambda *words: told.append(words))
    monkeypatch.setitem(saying.PARTS, "rack", lambda session: 1 / 0)
    with playing.noting:
        version = playing.board.version
        playing.stale |= {*saying.PARTS}
    until(lambda: ("rack", "this cannot be told: ZeroDivisionError") in told)
    done(client, "favourite", seed=77, on=True)
    until(lambda: 77 in playing.board.read("seeds")["favourites"])
    assert playing.board.version > version


# Found for a picture ----------------------------------------------------------------------------------------------------


def test_sliders_for_the_picture_that_is_there_are_found_beside_the_show(client, playing, G):
    done(client, "change", edits={"latent.seed": 5})
    until(lambda: playing.performance.engine.seen.latent.seed == 5)
    frame(playing)
    ws = playing.performance.engine.ws.clone()
    done(client, "here", region=[0.0, 0.0, 0.5, 1.0], rows="coarse")
    until(lambda: not playing.directions.said()["here"]["seeking"])
    wanted = sliders(G, ws, (0.0, 0.0, 0.5, 1.0), rows="coarse")
    assert cosine(playing.directions.found[0], wanted[0]) == pytest.approx(1, abs=1e-3)
    assert offered(client, "here1")["group"] == "here"
    assert client.get("/api/directions/end.jpg", params={"of": "here1", "end": "low"}).status_code == 200
    put = done(client, "put_direction", of="here1")
    assert put == {"name": "Here", "place": "latent.directions.Here.amount", "of": "Here.safetensors"}
    assert torch.equal(playing.directions.kept.load("Here.safetensors").vector, playing.directions.found[0].vector)
    assert (
        done(client, "put_direction", of="here1") == put and done(client, "star_direction", of="here2", on=True)["of"]
    )
    assert playing.library.names("directions") == ["Here", "Here 2"]


def sought(client, playing, **asked):
    """The sliders that are found for the picture that is there."""
    done(client, "here", **asked)
    until(lambda: not playing.directions.said()["here"]["seeking"])
    assert not playing.directions.said()["here"]["trouble"]
    return playing.directions.found


def test_a_region_may_be_painted(client, playing, G):
    ws, strokes = playing.performance.engine.ws.clone(), [[[0.2, 0.2], [0.4, 0.3]], [[0.8, 0.7]]]
    found = sought(client, playing, strokes=strokes, width=0.2)
    wanted = sliders(G, ws, brush.mask(strokes, 0.2, G.img_resolution))
    assert cosine(found[0], wanted[0]) == pytest.approx(1, abs=1e-3)
    assert found[0].found["region"] == wanted[0].found["region"] == [0.0938, 0.0938, 0.9062, 0.8125]


def test_others_may_draw_while_sliders_are_sought(client, playing, monkeypatch):
    seen = []

    def slowly(*given, **more):
        seen.append(client.get("/api/directions/end.jpg", params={"of": "pc1", "end": "low"}).status_code)
        return sliders(*given, **more)

    monkeypatch.setattr(directions, "sliders", slowly)
    assert sought(client, playing) and seen == [200]


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"region": [0.5, 0, 0.5, 1]}, "region"),
        ({"region": [0, 0, 2, 1]}, "less than or equal to 1"),
        ({"region": [0, 0, 1, 1], "strokes": [[[0.5, 0.5]]]}, "give a region or strokes, not both"),
        ({"strokes": []}, "at least 1 item"),
        ({"strokes": [[]]}, "at least 1 item"),
        ({"strokes": [[[0.5, 1.5]]]}, "less than or equal to 1"),
        ({"strokes": [[[0.5, 0.5]]], "width": 0}, "greater than 0"),
        ({"strokes": [[[0, 0]] * 2500] * 2}, "5000 points are too many"),
    ],
)
def test_a_region_that_cannot_be_is_refused(client, wrong, words):
    answer = ask(client, "here", **wrong)
    assert answer["is"] == "refused" and words in answer["problems"][0]


def test_why_no_sliders_were_found_is_told(client, playing):
    done(client, "here", rows="70")
    until(lambda: not playing.directions.said()["here"]["seeking"])
    assert "no rows 70" in playing.directions.said()["here"]["trouble"]


# Who may ----------------------------------------------------------------------------------------------------------------


def test_a_viewer_may_neither_see_nor_move_directions(playing):
    place = Door(port=7860, tokens=True)
    with TestClient(app(playing, place), base_url="http://127.0.0.1:7860") as client:
        token = {"authorization": f"Bearer {place.viewer}"}
        assert client.get("/api/directions", headers=token).status_code == 403
        assert client.get("/api/directions/end.jpg?of=pc1&end=low", headers=token).status_code == 403
        assert client.post("/api/directions?name=a.npy", content=b"", headers=token).status_code == 403
        with client.websocket_connect(f"ws://127.0.0.1:7860/ws/control?token={place.viewer}") as socket:
            socket.send_text(json.dumps({"do": "surprise", "id": 1}))
            while (said := json.loads(socket.receive_text()))["is"] != "refused":
                assert said["is"] in ("hello", "state", "meters") and not {"rack", "teaching"} & said.keys()
    assert not rack(playing)


def test_a_patch_may_go_along_files_of_the_library_only(client, playing):
    bring(client, "mine.safetensors", file_of(made()))
    edits = {"latent.directions.a": {"of": "mine.safetensors"}, "latent.directions.b": {"of": "/etc/x.npz#smile"}}
    answer = ask(client, "change", edits=edits)
    assert len(answer["problems"]) == 1 and "'/etc/x.npz#smile' is outside the library" in answer["problems"][0]
    toml = 'model = "tiny.safetensors"\n[latent.directions]\na = {of = "mine.safetensors", amount = 1.0}\n'
    done(client, "play", toml=toml)
    assert rack(playing)["a"].of == str(playing.library.folder / "directions" / "mine.safetensors")
    bad = toml.replace("mine.safetensors", "../models/tiny.safetensors")
    assert "outside the library" in ask(client, "play", toml=bad)["problems"][0]
