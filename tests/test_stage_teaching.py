"""Teaching a word on the stage: pictures are asked about, answers are kept at once, and what is learnt moves the picture."""

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from asking import TestClient, ask, done, until
from PIL import Image

from kinesphere.ops import to_pixels
from kinesphere.stage import Door, app, teaching
from kinesphere.studio.directions import Axis, cosine, files, known, labelling
from kinesphere.studio.directions.labelling import Labels
from kinesphere.studio.directions.measures import brightness
from kinesphere.studio.latents import Fingerprint, Latent, draw


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(teaching, "POOL", 200)


@pytest.fixture
def client(playing):
    with TestClient(app(playing, Door(port=7860)), base_url="http://127.0.0.1:7860") as client:
        yield client


def lesson(session):
    """What pages are told of the lesson, once all answers were learnt from."""
    teaching = session.teaching
    until(lambda: not any(errand.at_work for errand in (teaching.measuring, teaching.choosing, teaching.learning)))
    return session.teaching.said()["lesson"]


def picture(client, url):
    return np.asarray(Image.open(io.BytesIO(client.get(url).content)))


def light(client, url):
    return brightness(picture(client, url)[None])[0]


def next_one(session):
    return until(lambda: session.teaching.said()["lesson"]["next"])[0]


def answer(client, session, count, rule):
    """So many pictures are answered, each by a rule of its picture's addresses."""
    for _ in range(count):
        asked = next_one(session)
        done(client, "teach_answer", picture=asked["picture"], value=rule(asked["urls"]))


def rack(session):
    return session.performance.patch.latent.directions


def frame(session):
    """A picture that was begun after all that was asked for."""
    frames = session.performance.frames
    return frames.newer(frames.newer(frames.count, 30)[1], 30)[0].frame


# From nothing to a slider -----------------------------------------------------------------------------------------------


def test_sixty_answers_give_a_direction_with_its_score_whose_slider_moves_the_picture(client, playing):
    """The rule is one that the tiny model, whose pictures are noise, has for sure: on which side of its mean a seed lies."""
    G = playing.performance.engine.checkpoint.G_ema
    widest = known.find(G, "pc1", playing.aside.told)
    axis = Axis.of(G, widest)

    def rule(urls):
        assert picture(client, urls[0]).shape == (32, 32, 3)
        seed = int(re.search(r"(\d+)\.jpg", urls[0])[1])
        return int(axis.coordinate(Latent.of_seed(G, seed).ws(G)) > 0)

    done(client, "teach_begin", word="far out")
    assert lesson(playing)["advice"] == "6 more yes and 6 more no to begin with"
    answer(client, playing, 60, rule)
    said = lesson(playing)
    assert said["count"] == 60 and sum(said["balance"].values()) == 60
    score = said["score"]
    assert score["value"] > score["chance"] + 2 * score["error"] and score["chance"] == 0.5
    assert said["curve"][-1] == [60, score["value"], score["error"]] and 0.5 < said["confidence"] <= 1
    put = done(client, "teach_play")
    assert put["name"] == "far out" and rack(playing)["far out"].amount == 0
    assert cosine(playing.directions.kept.load(put["of"]), widest) > 0.7
    before = frame(playing)
    done(client, "change", edits={put["place"]: 2.0})
    assert not np.array_equal(frame(playing), before)
    one = next(one for one in client.get("/api/directions").json() if one["of"] == put["of"])
    assert one["score"] == pytest.approx(score["value"], abs=1e-3) and one["words"] == "learnt from 60 labels"
    low, high = (picture(client, f"/api/teaching/end.jpg?end={end}").astype(int) for end in ("low", "high"))
    assert np.abs(high - low).mean() > 10


def test_the_lesson_is_told_to_pages_over_the_socket(playing):
    with TestClient(app(playing, Door(port=7860)), base_url="http://127.0.0.1:7860") as client:
        with client.websocket_connect("ws://127.0.0.1:7860/ws/control") as socket:
            socket.send_text(json.dumps({"do": "teach_begin", "word": "bright", "id": 1}))
            told = {}
            while not (told.get("teaching") or {}).get("lesson"):
                told |= {k: v for k, v in json.loads(socket.receive_text()).items() if k in ("teaching", "rack")}
        assert told["teaching"]["lesson"]["word"] == "bright" and len(told["teaching"]["lesson"]["next"]) >= 1
        assert {"brightness", "symmetry"} <= {*told["rack"]["measures"]}


def test_a_picture_is_that_of_its_seed(client, playing):
    G = playing.performance.engine.checkpoint.G_ema
    wanted = to_pixels(draw(G, Latent.of_seed(G, 7)))[0].numpy().astype(int)
    assert np.abs(picture(client, "/api/teaching/picture/7.jpg") - wanted).mean() < 8  # but for JPEG


def test_a_picture_of_another_class_or_model_has_another_address():
    told = [
        Labels("odd", model=model, class_index=label)
        for model in (Fingerprint("a"), Fingerprint("b"))
        for label in (0, 1)
    ]
    asked = [teaching.Lesson("odd", labels, None, None, [], {}, [(7,)]).said()["next"][0]["urls"] for labels in told]
    assert len({url for (url,) in asked}) == 4 and all(
        url.startswith("/api/teaching/picture/7.jpg?") for (url,) in asked
    )


# Answers ----------------------------------------------------------------------------------------------------------------


def test_each_answer_is_on_the_disk_and_another_session_goes_on_from_there(client, playing):
    done(client, "teach_begin", word="odd")
    answer(client, playing, 14, lambda urls: int(urls[0].split("/")[-1].split(".")[0]) % 2)
    asked = next_one(playing)
    done(client, "teach_answer", picture=asked["picture"], value=None)
    kept = Labels.read(playing.library.folder / "labels" / "odd.json")
    assert kept.answers[-1] == ((asked["seeds"][0],), None, False) and len(kept.told) == 14
    before = lesson(playing)
    again = teaching.Teaching(playing, playing.directions, playing.rack)
    again.begin("odd", "graded")
    until(lambda: not again.learning.at_work)
    after = again.said()["lesson"]
    assert (after["kind"], after["count"], after["skipped"]) == ("yes-no", 14, 1)
    assert after["balance"] == before["balance"] and after["score"] == before["score"]


def test_the_last_answer_is_taken_back_and_asked_again(client, playing):
    done(client, "teach_begin", word="odd")
    first = next_one(playing)["picture"]
    assert "nothing was answered" in ask(client, "teach_undo")["problems"][0]
    done(client, "teach_answer", picture=first, value=1)
    assert next_one(playing)["picture"] != first
    done(client, "teach_undo")
    assert lesson(playing)["count"] == 0 and next_one(playing)["picture"] == first


def test_a_picture_that_was_answered_on_another_device_keeps_that_answer(client, playing):
    done(client, "teach_begin", word="odd")
    first = next_one(playing)["picture"]
    for value in (1, 0, None):
        done(client, "teach_answer", picture=first, value=value)
    assert (lesson(playing)["balance"], lesson(playing)["skipped"]) == ({"yes": 1, "no": 0}, 0)


def test_no_picture_is_asked_about_twice_and_those_that_are_next_stay(client, playing):
    done(client, "teach_begin", word="odd")
    seen = []
    for n in range(10):
        two = [one["picture"] for one in lesson(playing)["next"]][:2]
        done(client, "teach_answer", picture=two[0], value=n % 2)
        seen.append(two[0])
        assert lesson(playing)["next"][0]["picture"] == two[1]
    assert len({*seen}) == 10


@pytest.mark.parametrize(
    "wrong, words",
    [({"picture": "999999", "value": 1}, "not asked about now"), ({"value": 3}, "3 is no answer: yes-no takes 0 or 1")],
)
def test_an_answer_that_cannot_be_is_refused(client, playing, wrong, words):
    assert "begin with one" in ask(client, "teach_answer", picture="1", value=1)["problems"][0]
    done(client, "teach_begin", word="odd")
    given = {"picture": next_one(playing)["picture"], **wrong}
    assert words in ask(client, "teach_answer", **given)["problems"][0]
    assert lesson(playing)["count"] == 0


def test_a_kind_that_there_is_not_is_refused(client):
    assert "no" in ask(client, "teach_begin", word="odd", kind="by heart")["problems"][0]


def test_pairs_are_two_pictures_of_which_one_has_more(client, playing):
    done(client, "teach_begin", word="brighter", kind="pairs")
    asked = next_one(playing)
    first, second = (light(client, url) for url in asked["urls"])
    done(client, "teach_answer", picture=asked["picture"], value=int(first < second))
    done(client, "teach_auto", measure="brightness", count=99)
    said = lesson(playing)
    assert said["balance"] == {"pairs": 100} and said["score"]["value"] > 0.7 and said["arrow"]
    assert light(client, "/api/teaching/end.jpg?end=low") < light(client, "/api/teaching/end.jpg?end=high")


def test_nothing_is_learnt_from_answers_without_sense_and_that_is_said(client, playing):
    done(client, "teach_begin", word="chance")
    dice = np.random.RandomState(3)
    rows = "".join(f"{seed},{dice.randint(2)}\n" for seed in range(60))
    client.post("/api/teaching/labels", content=f"seed,value\n{rows}".encode())
    said = lesson(playing)
    assert not said["arrow"] and "nothing above chance" in said["advice"]
    assert "there is no arrow yet" in ask(client, "teach_play")["problems"][0]
    assert client.get("/api/teaching/end.jpg?end=low").status_code == 404


# By a measure, and by a table -------------------------------------------------------------------------------------------


@pytest.fixture
def bright(client, playing):
    """A lesson that a measure has taught."""
    done(client, "teach_begin", word="bright")
    done(client, "teach_auto", measure="brightness", count=80)
    assert lesson(playing)["balance"] == {"yes": 40, "no": 40}
    assert lesson(playing)["arrow"]


def test_a_measure_labels_many_pictures_at_once(client, playing, bright):
    assert lesson(playing)["score"]["value"] > 0.7
    assert "no measure 'wit'" in ask(client, "teach_auto", measure="wit")["problems"][0]


def test_grades_may_be_measured_too(client, playing):
    done(client, "teach_begin", word="bright", kind="graded")
    done(client, "teach_auto", measure="brightness", count=80)
    said = lesson(playing)
    assert said["count"] == 80 and said["score"]["what"] == "of what differs is told" and said["arrow"]


def test_labels_go_out_and_come_in_as_a_table(client, playing, bright, monkeypatch):
    table = client.get("/api/teaching/labels.csv").content
    done(client, "teach_end")
    done(client, "teach_begin", word="light")
    assert client.post("/api/teaching/labels?name=a.csv", content=table).json() == {"count": 80}
    assert lesson(playing)["balance"] == {"yes": 40, "no": 40}
    file = b"picture,value\n/etc/secret.npy,1\n"
    assert "give seeds" in client.post("/api/teaching/labels", content=file).json()["problems"][0]
    damaged = client.post("/api/teaching/labels", content=b"seed,value\n3,maybe\n").json()["problems"][0]
    assert "labels.csv, line 2: 'maybe' is no value" in damaged
    monkeypatch.setattr(teaching, "MOST", 1)
    many = client.post("/api/teaching/labels", content=b"seed,value\n3,1\n4,0\n").json()["problems"][0]
    assert "2 labels are too many at once" in many
    assert lesson(playing)["count"] == 80


def test_more_labels_than_a_file_may_hold_are_not_taken_and_those_that_are_there_stay(
    client, playing, bright, monkeypatch
):
    monkeypatch.setattr(labelling, "MOST", 82)
    rows = "".join(f"{seed},1\n" for seed in range(900, 904))
    answer = client.post("/api/teaching/labels", content=f"seed,value\n{rows}".encode())
    assert "more than 82 are not taken" in answer.json()["problems"][0]
    done(client, "teach_end")
    done(client, "teach_begin", word="bright")
    assert lesson(playing)["count"] == 80


def test_when_every_picture_is_asked_about_a_measure_says_so(client, playing, monkeypatch):
    monkeypatch.setattr(teaching, "POOL", 20)
    done(client, "teach_begin", word="bright")
    for _ in range(4):  # some of them are asked next, and are left to the player
        done(client, "teach_auto", measure="brightness", count=20)
        assert 15 < lesson(playing)["count"] <= 20
    assert "all 20 pictures for bright are asked about already" in playing.teaching.measuring.trouble


# The arrow --------------------------------------------------------------------------------------------------------------


def test_the_arrow_leans_from_what_separates_to_what_belongs(client, playing, bright):
    found = []
    for between in (0.0, 1.0):
        done(client, "teach_between", between=between)
        assert lesson(playing)["between"] == between
        found.append(playing.teaching.lesson.arrow)
    learnt = playing.teaching.lesson.learnt
    assert cosine(found[0], learnt.separating) == pytest.approx(1) and cosine(
        found[1], learnt.belonging
    ) == pytest.approx(1)


def test_the_arrow_leaves_others_alone(client, playing, bright):
    done(client, "teach_between", between=0.0)
    done(client, "teach_against", against=["pc1", "pc2"])
    said = lesson(playing)
    assert said["against"] == ["pc1", "pc2"] and said["arrow"]
    G, told = playing.performance.engine.checkpoint.G_ema, playing.aside.told
    for of in said["against"]:
        assert abs(cosine(playing.teaching.lesson.arrow, known.find(G, of, told))) < 1e-6
    assert "no direction 'gladness'" in ask(client, "teach_against", against=["gladness"])["problems"][0]
    version = said["version"]
    done(client, "teach_against", against=[])
    assert lesson(playing)["version"] > version


def test_an_arrow_of_which_nothing_is_left_is_told_in_words(client, playing, bright):
    of = done(client, "teach_keep", name="same")["of"]
    done(client, "teach_against", against=[of])
    assert not lesson(playing)["arrow"] and "nothing of bright is left" in lesson(playing)["advice"]


def test_what_is_taught_on_moves_the_slider_that_is_there_and_leaves_the_earlier_arrow(client, playing, bright):
    put = done(client, "teach_play")
    done(client, "change", edits={put["place"]: 2.0})
    done(client, "save_patch", name="before")
    before, first = frame(playing), playing.directions.kept.load(put["of"])
    assert done(client, "teach_play") == put  # nothing was taught since
    done(client, "teach_against", against=["pc1"])
    lesson(playing)
    assert done(client, "teach_play") == {**put, "of": "bright 2.safetensors"} and list(rack(playing)) == ["bright"]
    until(lambda: not np.array_equal(frame(playing), before))
    assert torch.equal(playing.directions.kept.load(put["of"]).vector, first.vector)
    done(client, "undo")
    until(lambda: np.array_equal(frame(playing), before))
    done(client, "redo")
    done(client, "play", patch="before")
    until(lambda: np.array_equal(frame(playing), before))


def test_a_word_that_was_forgotten_is_taught_anew_beside_its_earlier_arrow(client, playing, bright):
    put = done(client, "teach_play")
    first = playing.directions.kept.load(put["of"])
    done(client, "teach_end")
    done(client, "teach_forget", word="bright")
    done(client, "teach_begin", word="bright")
    done(client, "teach_auto", measure="brightness", count=60)
    assert lesson(playing)["arrow"]
    assert done(client, "teach_play")["name"] == "bright 2"
    assert {name: playing.directions.short(along.of) for name, along in rack(playing).items()} == {
        "bright": "bright.safetensors", "bright 2": "bright 2.safetensors"
    }  # fmt: skip
    assert torch.equal(playing.directions.kept.load(put["of"]).vector, first.vector)


def test_what_somebody_else_taught_is_none_of_this_lesson(client, playing, bright):
    G, told = playing.performance.engine.checkpoint.G_ema, playing.aside.told
    theirs = replace(known.find(G, "pc3", told), name="bright", found={"by": "labels", "lesson": "bright"})
    client.post("/api/directions", params={"name": "bright.safetensors"}, content=files.to_bytes([theirs]))
    done(client, "put_direction", of="bright.safetensors")
    assert done(client, "teach_play")["name"] == "bright 2"
    assert torch.equal(playing.directions.kept.load("bright.safetensors").vector, theirs.vector)


def test_a_copy_under_a_name_stays_as_it_is(client, playing, bright):
    put = done(client, "teach_play")
    done(client, "change", edits={f"latent.directions.{put['name']}": None})
    for of in (done(client, "teach_keep", name="so far")["of"],
               done(client, "keep_direction", of=put["of"], name="as it was")["of"]):  # fmt: skip
        done(client, "put_direction", of=of)
    done(client, "teach_against", against=["pc1"])
    lesson(playing)
    assert done(client, "teach_play")["name"] == "bright 2"
    assert list(rack(playing)) == ["so far", "as it was", "bright 2"]


# Several at once --------------------------------------------------------------------------------------------------------


def meanwhile(monkeypatch, do):
    """Have something done while a lesson is made ready, the first time."""
    made, waiting = teaching._lesson, [do]

    def slowly(*given):
        lesson = made(*given)
        if waiting:
            waiting.pop()()
        return lesson

    monkeypatch.setattr(teaching, "_lesson", slowly)


def test_whoever_begins_with_the_word_that_is_taught_goes_on_with_it(client, playing, bright):
    done(client, "teach_between", between=0.25)
    before = lesson(playing)
    done(client, "teach_begin", word=" bright ", kind="graded")
    assert lesson(playing) == before


def test_labels_that_are_deleted_while_somebody_begins_do_not_come_back(client, playing, bright, monkeypatch):
    done(client, "teach_end")
    meanwhile(monkeypatch, lambda: playing.teaching.forget("bright"))
    done(client, "teach_begin", word="bright")
    assert lesson(playing)["count"] == 0 and playing.library.names("labels") == []


def test_what_is_measured_when_the_lesson_is_over_brings_nothing_back(client, playing, bright, monkeypatch):
    def over(*_):
        if playing.teaching.lesson is not None:
            playing.teaching.end()
            playing.teaching.forget("bright")
        return 0.5

    monkeypatch.setattr(teaching, "_value", over)
    done(client, "teach_auto", measure="brightness", count=4)
    until(lambda: not playing.teaching.measuring.at_work)
    assert "bright is not being taught any more" in playing.teaching.measuring.trouble
    assert playing.library.names("labels") == []


def test_a_table_that_comes_when_the_lesson_is_over_brings_nothing_back(client, playing, bright, monkeypatch):
    def over(*_):
        playing.teaching.end()
        playing.teaching.forget("bright")

    monkeypatch.setattr(teaching.Lesson, "fetch", over)
    answer = client.post("/api/teaching/labels", content=b"seed,value\n3,1\n")
    assert "bright is not being taught any more" in answer.json()["problems"][0]
    assert playing.library.names("labels") == []


# Ended, and another model -----------------------------------------------------------------------------------------------


def test_an_ended_lesson_is_kept_until_it_is_deleted(client, playing, bright):
    assert "is being taught" in ask(client, "teach_forget", word="bright")["problems"][0]
    done(client, "teach_end")
    assert playing.teaching.said()["kept"] == [{"word": "bright", "kind": "yes-no", "count": 80, "fits": True}]
    assert "begin with one" in ask(client, "teach_end")["problems"][0]
    done(client, "teach_forget", word="bright")
    assert playing.teaching.said()["kept"] == [] == playing.library.names("labels")
    assert "no labels of 'bright'" in ask(client, "teach_forget", word="bright")["problems"][0]


def play(client, session, model):
    done(client, "play", model=model)
    until(lambda: session.performance.engine.patch.model == model and not session.performance.loading)


def test_the_lesson_of_another_model_waits_until_that_plays_again(client, playing, bright):
    play(client, playing, "other.safetensors")
    assert playing.teaching.said()["lesson"] is None
    assert playing.teaching.said()["kept"] == [{"word": "bright", "kind": "yes-no", "count": 80, "fits": False}]
    done(client, "teach_begin", word="bright")
    assert lesson(playing)["count"] == 0
    assert playing.library.names("labels") == ["bright"]  # nothing was answered yet
    answer(client, playing, 1, lambda urls: 1)
    assert playing.library.names("labels") == ["bright", "bright 2"]
    play(client, playing, "tiny.safetensors")
    done(client, "teach_begin", word="bright")
    assert lesson(playing)["count"] == 80


def test_a_viewer_may_not_teach(playing):
    place = Door(port=7860, tokens=True)
    with TestClient(app(playing, place), base_url="http://127.0.0.1:7860") as client:
        token = {"authorization": f"Bearer {place.viewer}"}
        for path in ("picture/1.jpg", "end.jpg?end=low", "labels.csv"):
            assert client.get(f"/api/teaching/{path}", headers=token).status_code == 403
        with client.websocket_connect(f"ws://127.0.0.1:7860/ws/control?token={place.viewer}") as socket:
            socket.send_text(json.dumps({"do": "teach_begin", "word": "bright", "id": 1}))
            while (said := json.loads(socket.receive_text()))["is"] != "refused":
                assert said["is"] in ("hello", "state", "meters")
    assert playing.teaching.lesson is None
