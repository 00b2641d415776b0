"""Every control says in plain words what it does, where it is and how far it goes; what is new appears by itself."""

import json
import math
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from conftest import Hand, tiny_generator

from kinesphere import patch
from kinesphere.bends import BENDS
from kinesphere.controls import CHOICES, WORDS, _name, controls, felt
from kinesphere.features import Activations, Brightness
from kinesphere.patch import STATIONS, Along, Latent, Patch, Picture, Place

TOML = """
[sources.eye]
kind = "camera"
[sources.film]
kind = "video"
path = "a.mp4"
[sources.wall]
kind = "pictures"
path = "here"
[features.scene]
kind = "activations"
[features.light]
kind = "brightness"
source = "film"
[features.dance]
kind = "motion"
[latent]
psi = { feature = "light" }
[latent.rows]
coarse = "scene"
"1-2" = "scene"
[sinks.film]
kind = "video"
path = "b.mp4"
[sinks.here]
kind = "window"
[sinks.nowhere]
kind = "null"
"""


@pytest.fixture
def instrument():
    return patch.parse(TOML)


@pytest.fixture
def by_place(instrument, tiny):
    return {control.place: control for control in controls(instrument, tiny)}


def test_every_field_of_the_patch_has_its_control(instrument, by_place):
    for section in STATIONS:
        for name, station in getattr(instrument, section).items():
            for f in fields(station):
                assert f"{section}.{name}.{f.name}" in by_place
    for f in fields(Picture):
        assert f"picture.{f.name}" in by_place
    for f in fields(Latent):
        assert f"latent.{f.name}" in by_place or f.name in ("rows", "places", "directions", "classes", "label")
    assert {"model", "name", "about"} <= set(by_place)


def test_controls_come_in_the_order_of_the_flow(instrument, tiny):
    order = []
    for control in controls(instrument, tiny):
        if not order or order[-1] != control.group:
            order.append(control.group)
    assert order == [
        "patch",
        *("sources.eye", "sources.film", "sources.wall", "features.scene", "features.light", "features.dance"),
        *("latent", "latent.directions", "latent.rows", "latent.rows.single", "picture", "sinks.film", "sinks.here"),
    ]


KINDS = [(section, kind) for section, registry in STATIONS.items() for kind in registry]


@pytest.mark.parametrize("section, kind", KINDS, ids=lambda x: str(x))
def test_every_station_speaks_in_a_players_words(section, kind):
    cls = STATIONS[section][kind]
    for f in fields(cls):
        if f.init:
            known = {f"{_name(section, cls)}.{f.name}", f.name} & set(WORDS)
            assert known, f"give {kind}.{f.name} its label and help in controls.WORDS"


def test_help_is_one_sentence_and_a_label_is_short():
    for key, words in WORDS.items():
        assert words.help.endswith(".") and not re.search(r"[.!?] ", words.help), key
        assert 0 < len(words.label) <= 24 and words.label[0].isupper() and len(words.help) < 130, key
        assert "psi" not in words.label.lower() and "truncation" not in words.label.lower(), key


def test_words_and_choices_belong_to_a_field():
    known = {f"patch.{f.name}" for f in fields(Patch)} | {f"latent.{f.name}" for f in fields(Latent)}
    known |= {f"picture.{f.name}" for f in fields(Picture)} | {"drive.feature", "drive.amount"}
    known |= {f"{part}.{f.name}" for part, cls in (("place", Place), ("along", Along)) for f in fields(cls)}
    for section, kind in KINDS:
        cls = STATIONS[section][kind]
        known |= {f"{_name(section, cls)}.{f.name}" for f in fields(cls)} | {f.name for f in fields(cls)}
    assert {*WORDS, *CHOICES} <= known


def test_the_kind_suits_what_the_field_holds(by_place):
    kinds = {place: control.kind for place, control in by_place.items()}
    expected = {
        "model": "text",
        "sources.eye.index": "text",
        "sources.eye.mirror": "switch",
        "sources.eye.size": "pair",
        "sources.eye.aspect": "choice",
        "sources.wall.background": "colour",
        "features.scene.region": "region",
        "features.scene.source": "choice",
        "features.scene.network": "choice",
        "features.scene.layers": "text",
        "features.scene.size": "integer",
        "features.scene.seed": "seed",
        "features.scene.smoothing": "number",
        "latent.seed": "seed",
        "latent.mix": "seeds",
        "latent.psi": "number",
        "latent.cutoff": "integer",
        "latent.rows.coarse": "rows",
        "latent.rows.coarse.amount": "number",
        "picture.noise_mode": "choice",
    }
    assert {place: kinds[place] for place in expected} == expected


def test_a_slider_holds_its_default_and_a_choice_names_it(by_place):
    for place, control in by_place.items():
        if control.kind in ("number", "integer", "seed") and control.default is not None and control.low is not None:
            assert control.high is not None and control.low <= control.default <= control.high, place
            assert control.step and control.step > 0, place
        if control.kind == "choice" and control.default is not None:
            assert control.default in control.choices, place
        if control.scale == "log":
            assert control.low is not None and control.low >= 0, place


def test_what_a_control_names_can_be_set(instrument, by_place):
    """Each default, each choice and each end of a slider is taken by the patch, except ends that need a file or a model."""
    for place, control in by_place.items():
        values = [control.default, control.low, control.high, *control.choices]
        for value in values:
            if value is None or place.endswith((".pool", ".network", ".to_z", ".fade", "wall.seconds")):
                continue
            if control.kind == "rows":
                value = {"feature": value}
            patch.changed(instrument, {place: value})


def test_only_numbers_that_take_a_route_say_so(by_place):
    assert {place for place, control in by_place.items() if control.routable} == {
        "latent.psi",
        *(f"latent.directions.pc{k}.amount" for k in range(1, 9)),
        "latent.rows.coarse.amount",
        "latent.rows.1-2.amount",
    }


def test_rows_are_those_that_the_model_has(instrument, tiny, by_place):
    rows = [place.removeprefix("latent.rows.") for place, c in by_place.items() if c.kind == "rows"]
    assert rows == ["coarse", "middle", "fine", "all", "1-2", *map(str, range(tiny.num_ws))]
    assert all(by_place[f"latent.rows.{name}"].choices == ("scene",) for name in rows)
    other = {control.place for control in controls(instrument, tiny_generator("stylegan3"))}
    assert "latent.rows.placement" in other


def test_a_class_is_asked_for_only_where_there_are_classes(instrument, tiny, by_place):
    assert "latent.label" not in by_place and by_place["latent.cutoff"].high == tiny.num_ws
    many = {c.place: c for c in controls(instrument, tiny_generator("stylegan2", c_dim=5))}
    assert many["latent.label"].high == 4


def test_a_kept_latent_has_a_slider_that_a_feature_can_move(instrument, tiny):
    there = patch.changed(instrument, {"latent.places": {"me": {"file": "me.pt", "amount": 0.5, "rows": "0-3"}}})
    found = {c.place: c for c in controls(there, tiny) if c.group == "latent.places"}
    assert list(found) == [f"latent.places.me.{name}" for name in ("amount", "rows", "file")]
    amount, rows, file = found.values()
    assert (amount.label, amount.low, amount.high, amount.default, amount.routed) == ("me: amount", 0, 1, 1.0, (0, 1))
    assert rows.choices == ("coarse", "middle", "fine", "all", "0-3") and not rows.routable
    assert (file.kind, file.unit) == ("text", "file")
    for place, control in found.items():
        for value in (control.low, control.high, *control.choices):
            assert value is None or patch.changed(there, {place: value})


def test_a_direction_is_called_what_the_patch_calls_it(instrument, tiny):
    there = patch.changed(instrument, {"latent.directions": {"sefa2": 0.5, "mood": {"of": "pc3", "amount": 1.0}}})
    found = {c.place: c.label for c in controls(there, tiny) if c.group == "latent.directions"}
    amounts = {label for place, label in found.items() if place.endswith(".amount")}
    assert amounts == {*(f"pc{k}" for k in range(1, 9)), "sefa2", "mood"}
    assert found["latent.directions.mood.rows"] == "mood: what moves"


def test_files_of_this_machine_are_marked(by_place):
    files = {place for place, control in by_place.items() if control.unit == "file"}
    assert files == {
        *("model", "sources.eye.index", "sources.film.path", "sources.wall.path"),
        *("features.scene.weights", "sinks.film.path", "sinks.film.sound"),
    }


def test_controls_can_be_sent_as_json(instrument, tiny):
    sent = json.loads(json.dumps([asdict(control) for control in controls(instrument, tiny)], allow_nan=False))
    assert [c["place"] for c in sent[:3]] == ["name", "about", "model"]


@dataclass
class Theremin:
    """How far two hands are from two rods."""

    path: Path
    vector: ClassVar[bool] = False
    source: str | None = None
    reach: float = 0.5
    wave_form: Literal["sine", "saw"] = "sine"
    rods: int = 2
    tuning: dict[str, float] | None = None


def test_what_is_new_appears_by_itself(tiny):
    p = Patch(sources=patch.parse(TOML).sources, features={"hum": Theremin(Path("rods.txt"))})  # type: ignore[dict-item]
    found = {c.place: c for c in controls(p, tiny)}
    reach = found["features.hum.reach"]
    assert (reach.kind, reach.label, reach.default, reach.low) == ("number", "Reach", 0.5, None)
    assert "How far two hands are from two rods." in reach.help
    wave = found["features.hum.wave_form"]
    assert (wave.kind, wave.label, wave.choices) == ("choice", "Wave form", ("sine", "saw"))
    assert found["features.hum.rods"].kind == "integer" and found["features.hum.tuning"].kind == "table"
    assert found["features.hum.source"].choices == ("eye", "film", "wall")
    assert found["features.hum.path"].unit == "file" and found["features.hum.path"].default is None


def test_a_new_route_begins_gently():
    """Where the whole slider would tear the picture, a route takes less of it; elsewhere the slider, or 0 to 1."""
    made = patch.parse(TOML, "here")
    found = {control.place: control for control in controls(made, tiny_generator("stylegan2"))}
    assert found["latent.psi"].routed == (0.4, 1.1) and (found["latent.psi"].low, found["latent.psi"].high) == (-1, 2)
    assert found["latent.rows.coarse.amount"].routed == (0, 1)
    assert all((control.routed is not None) == control.routable for control in found.values())


def test_what_a_new_route_begins_with_is_what_its_number_does():
    p = Patch(features={"hand": Hand(), "light": Brightness(), "scene": Activations()})
    assert felt(p) == {
        "hand.angle": (-math.pi, math.pi, 2 * math.pi),
        "hand.x": (-1.5, 1.5, None),
        "light": (0, 1, None),
    }


@pytest.mark.parametrize("kind", BENDS)
def test_a_bends_numbers_can_be_played(tiny, kind):
    p = Patch(bends={"it": STATIONS["bends"][kind]()})
    found = {control.place: control for control in controls(p, tiny) if control.group == "bends.it"}
    assert list(found) == [f"bends.it.{f.name}" for f in fields(p.bends["it"])]
    for f in fields(p.bends["it"]):
        control = found[f"bends.it.{f.name}"]
        assert control.routable == isinstance(f.default, float) and control.default == f.default
        assert control.low is None or control.low <= f.default <= control.high
    if "bends.it.rotate" in found:
        assert found["bends.it.rotate"].scale == "angle" and found["bends.it.rotate"].routed == (-math.pi, math.pi)


def test_a_bend_without_words_speaks_with_its_docstring(tiny, monkeypatch):
    def swirl(G, t, *, force: float = 0.0, turns: int = 1):
        """The picture swirls.

        force: how much, 0 to 2
        turns: whole ones
        """
        return {}

    monkeypatch.setitem(BENDS, "swirl", swirl)
    found = {c.place: c for c in controls(patch.parse('[bends.it]\nkind = "swirl"'), tiny)}
    force = found["bends.it.force"]
    assert (force.label, force.help, force.low, force.high) == ("Force", "How much, 0 to 2.", 0, 2) and force.routable
    assert found["bends.it.turns"].help == "Whole ones." and not found["bends.it.turns"].routable
