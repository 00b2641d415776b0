"""Patches: what is saved is what is loaded, and whatever is wrong is named, all of it, with the way out."""

import inspect
import json
import string
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from conftest import Hand
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinesphere import patch
from kinesphere.bends import BENDS
from kinesphere.features import FEATURES
from kinesphere.models import StyleGAN3
from kinesphere.models.rows import rows_of
from kinesphere.patch import BadPatch, Drive, Latent, Patch, Picture, Place
from kinesphere.routes import CURVES, OneEuro, Route, Spring
from kinesphere.sinks import SINKS
from kinesphere.sources import SOURCES
from kinesphere.types import KinesphereError

GOOD = """
name = "hands"
model = "abstract"

[sources.eye]
kind = "camera"
index = 1

[features.top]
kind = "activations"
region = [0, 0, 1, 0.5]

[features.light]
kind = "brightness"

[latent]
seed = 3
psi = { feature = "light", low = 0.3, high = 1.2, release = 0.5 }

[latent.rows]
coarse = "top"
"9-11" = { feature = "top", amount = 0.5 }

[picture]
fps = 25

[sinks.film]
kind = "video"
path = "film.mp4"
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadPatch) as refused:
        patch.parse(text)
    return refused.value.problems


def test_a_patch_is_the_instrument_that_it_describes():
    p = patch.parse(GOOD)
    assert p.sources["eye"].index == 1 and p.features["top"].region == (0, 0, 1, 0.5)
    assert p.latent.psi == Route("light", low=0.3, high=1.2, release=0.5)
    assert p.latent.rows == {"coarse": Drive("top"), "9-11": Drive("top", 0.5)}
    assert p.picture == Picture(fps=25) and list(p.sinks) == ["film"]


names = st.text(string.ascii_lowercase, min_size=1, max_size=8)
numbers = st.floats(-10, 10).map(lambda x: round(x, 3))
seconds = st.floats(0, 5).map(lambda x: round(x, 3))
routes = st.builds(
    Route,
    feature=st.just("light"),
    low=numbers,
    high=numbers,
    in_high=st.floats(0.5, 9),
    curve=st.sampled_from(list(CURVES)),
    invert=st.booleans(),
    attack=seconds,
    release=seconds,
    one_euro=st.none() | st.builds(OneEuro, beta=seconds),
    spring=st.none() | st.builds(Spring, damping=seconds),
)
patches = st.builds(
    Patch,
    name=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
    model=names,
    sources=st.just({"eye": SOURCES["camera"](mirror=False), "film": SOURCES["video"](path="a.mp4")}),
    features=st.just(
        {"light": FEATURES["brightness"](), "top": FEATURES["activations"](layers=None, seed=4, source="film")}
    ),
    latent=st.builds(
        Latent,
        seed=st.integers(0, 2**32 - 1),
        rows=st.dictionaries(
            st.sampled_from(["coarse", "middle", "3", "7-9"]),
            st.builds(Drive, st.just("top"), numbers | routes),
            max_size=3,
        ),
        psi=numbers | routes,
        cutoff=st.none() | st.integers(0, 18),
        mix=st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0.001, 9)), max_size=4),
        centres=st.integers(0, 256),
        places=st.dictionaries(
            names,
            st.builds(Place, names, numbers | routes, st.sampled_from(["all", "coarse", "placement", "0-3"])),
            max_size=3,
        ),
    ),
    picture=st.builds(Picture, noise_mode=st.sampled_from(["const", "none"]), fps=st.floats(1, 120)),
    sinks=st.just({"nowhere": SINKS["null"]()}),
)


@settings(max_examples=60, deadline=None)
@given(patches)
def test_what_is_saved_is_what_is_loaded(saved):
    assert patch.parse(patch.dumps(saved)) == saved


def test_saving_to_a_file(tmp_path):
    p = patch.parse(GOOD)
    patch.save(p, tmp_path / "mine.toml")
    assert patch.load(tmp_path / "mine.toml") == p
    assert [f.name for f in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize("name", patch.builtin_names())
def test_built_in_patches_load_by_name_and_say_what_they_are(name):
    assert patch.load(name).name == name and patch.load(name).about.endswith(".")


@pytest.mark.parametrize(
    "find, replace, said",
    [
        ("index = 1", "idnex = 1", ["sources.eye.idnex: no such key", "index"]),
        ('kind = "camera"', 'kind = "camrea"', ["sources.eye.kind", "'camrea'", ", ".join(SOURCES)]),
        ('kind = "camera"', "kind = [1]", ["sources.eye.kind", ", ".join(SOURCES)]),
        ('kind = "activations"', 'kind = "activations"\nsource = "nose"', ["features.top.source", "'nose'", "eye"]),
        ("[0, 0, 1, 0.5]", "[0, 0, 2, 0.5]", ["features.top", "region", "0 to 1"]),
        ("[0, 0, 1, 0.5]", "[0, 0, 1, 0.5]\nlayers = 'conv9_9'", ["features.top", "'conv9_9'", "choose"]),
        ("seed = 3", 'seed = "3"', ["latent.seed", "integer", '"3"']),
        ("seed = 3", "seed = -3", ["seed -3", "0 to 4294967295"]),
        ("seed = 3", "mix = [[1, 0.5], [-2, 0.5]]", ["mix: seed -2", "0 to 4294967295"]),
        ("seed = 3", "mix = [[1, 0.5], [2, -0.5]]", ["mix: weight -0.5 of seed 2", "0 or more"]),
        ("seed = 3", "mix = [[1, nan]]", ["latent.mix.0.1", "finite"]),
        ("seed = 3", "mix = [[1, 0.0]]", ["mix", "every weight is 0"]),
        ("seed = 3", "mix = [1, 2]", ["latent.mix.0", "array"]),
        ("seed = 3", f"mix = {[[i, 1.0] for i in range(65)]}", ["mix", "65", "64"]),
        ("seed = 3", "cutoff = -1", ["cutoff -1", "0 or more"]),
        ("seed = 3", f"cutoff = {10**30}", ["latent.cutoff", "64 bits"]),
        ("seed = 3", "centres = -1", ["centres -1", "1 to 256, or 0"]),
        ("seed = 3", "centres = 300", ["centres 300", "1 to 256, or 0"]),
        ("seed = 3", 'places.me = { fiel = "a" }', ["latent.places.me.fiel: no such key", "file, amount, rows"]),
        ("seed = 3", 'places.me = { rows = "all" }', ["latent.places.me.file: this key is needed"]),
        ("seed = 3", 'places.me = { file = "" }', ["latent.places.me", "name the file"]),
        ("seed = 3", 'places."a.b" = { file = "a" }', ["places", "a.b", "no dot"]),
        ("seed = 3", 'places.me = { file = "a", rows = "bass" }', ["latent.places.me.rows", "bass", "coarse, middle"]),
        ("seed = 3", 'places.me = { file = "a", amount = { feature = "ear" } }', ["latent.places.me.amount", "'ear'"]),
        ("[sources.eye]", '[sources."my.eye"]', ["sources", "my.eye", "no dot"]),
        ('"9-11"', f'"{"9" * 5000}"', ["no such rows"]),
        ('name = "hands"', f"name = {'9' * 5000}", ["not TOML"]),
        ('name = "hands"', f"name = {'[' * 3000}{']' * 3000}", ["not TOML"]),
        ('coarse = "top"', 'coarse = "bottom"', ["latent.rows.coarse", "'bottom'", "top"]),
        ('coarse = "top"', 'coarse = "light"', ["latent.rows.coarse", "'light'", "top"]),
        ('coarse = "top"', 'bass = "top"', ["latent.rows.bass", "coarse, middle, fine, all"]),
        ('coarse = "top"', "coarse = 3", ["latent.rows.coarse", "a table", "3"]),
        ('"9-11"', '"11-"', ["latent.rows.11-", "0-3"]),
        ('{ feature = "light"', '{ feature = "sound"', ["latent.psi", "'sound'", "light"]),
        ('{ feature = "light"', '{ feature = "light", curv = "exp"', ["latent.psi.curv", "curve"]),
        ('{ feature = "light"', '{ feature = "light", curve = "wavy"', ["'wavy'", "linear"]),
        ('{ feature = "light"', '{ feature = "light", spring = { frequenzy = 2 }', ["spring.frequenzy", "frequency, damping"]),
        ("fps = 25", "fps = 0", ["picture", "fps 0", "above 0"]),
        ("fps = 25", "fps = inf", ["picture", "fps"]),
        ("fps = 25", 'noise_mode = "loud"', ["'loud'", "const, random, none"]),
        ('path = "film.mp4"', "", ["sinks.film.path: this key is needed"]),
        ('name = "hands"', "name = 3", ["name", "3"]),
        ('name = "hands"', "nmae = 3", ["nmae: no such key", "name, about, model"]),
        ("[sources.eye]", "[sources]", ["sources: give each one a table", "[sources.NAME]"]),
        ("low = 0.3", "low = nan", ["latent.psi", "low"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_way_out(find, replace, said):
    assert find in GOOD
    told = problems(GOOD.replace(find, replace, 1))
    assert any(all(part in line for part in said) for line in told), told


def test_every_error_is_named_at_once():
    bad = GOOD
    for find, replace in {
        "index = 1": "idnex = 1",
        "[0, 0, 1, 0.5]": "[0, 0, 2, 0.5]\nlayers = 'conv9_9'\nto_z = 'guess'",
        "seed = 3": "seed = -3",
        "low = 0.3": 'low = "x"',
        "fps = 25": "fps = -1",
        'kind = "video"': 'kind = "vidoe"',
        'model = "abstract"': "model = 7",
    }.items():
        bad = bad.replace(find, replace, 1)
    told = "\n".join(problems(bad))
    for part in ("idnex", "region", "conv9_9", "guess", "seed -3", "latent.psi.low", "fps -1", "vidoe", "model"):
        assert part in told


def test_a_station_that_is_wrong_itself_is_not_called_missing_as_well():
    told = problems(GOOD.replace('kind = "activations"', 'kind = "activatoins"'))
    assert len(told) == 1 and "features.top.kind" in told[0]


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60)
    | st.integers(0, len(GOOD)).flatmap(lambda i: st.text(max_size=3).map(lambda s: GOOD[:i] + s + GOOD[i + 1 :]))
)
def test_any_text_is_a_patch_or_refused_in_words(text):
    try:
        patch.parse(text)
    except BadPatch as refused:
        assert refused.problems


def test_what_is_no_patch_is_refused_in_words(tmp_path):
    with pytest.raises(KinesphereError, match="no patch 'scnee'.*regions.*scene"):
        patch.load("scnee")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadPatch, match="not text"):
        patch.load(tmp_path / "binary.toml")
    with pytest.raises(BadPatch, match="not TOML.*line 2"):
        patch.parse("model = 'a'\nseed = = 3")


def test_rows_by_name_and_by_number(tiny):
    assert rows_of(tiny, "coarse") == tiny.rows("coarse")
    assert rows_of(tiny, "3") == slice(3, 4) and rows_of(tiny, "0-3") == slice(0, 4)
    for name in ("0-99", "5-2", "99"):
        with pytest.raises(KinesphereError, match="rows 0 to 7"):
            rows_of(tiny, name)


def test_stylegan3_has_a_row_that_places():
    G = StyleGAN3(img_resolution=32, channel_max=4, num_layers=6, z_dim=4, w_dim=4)
    assert rows_of(G, "placement") == slice(0, 1)


# --- changing ---------------------------------------------------------------------------------------------------------


def refused(edits: Any, p: Patch | None = None) -> list[str]:
    with pytest.raises(BadPatch) as error:
        patch.changed(patch.parse(GOOD) if p is None else p, edits)
    return error.value.problems


def test_a_change_is_a_new_patch_and_the_old_one_stays():
    old = patch.parse(GOOD)
    new = patch.changed(old, {"latent.psi": 0.5, "picture.fps": 24, "name": "feet"})
    assert (new.latent.psi, new.picture.fps, new.name) == (0.5, 24.0, "feet")
    assert new.latent.rows == old.latent.rows and new.latent.seed == 3
    assert old == patch.parse(GOOD)


def test_stations_that_are_not_touched_go_on():
    old = patch.parse(GOOD)
    new = patch.changed(old, {"features.top.smoothing": 0.5, "features.light.region": [0, 0, 1, 1]})
    assert new.sources["eye"] is old.sources["eye"] and new.sinks["film"] is old.sinks["film"]
    assert new.features["light"] is old.features["light"]  # touched, but as it was
    assert new.features["top"] is not old.features["top"] and old.features["top"].smoothing == 0.2
    assert new.features["top"].region == (0, 0, 1, 0.5)  # the other fields stay
    assert new.latent is old.latent and new.picture is old.picture


def test_a_patch_rebuilt_from_its_own_document_keeps_its_stations():
    old = patch.parse(GOOD)
    document = patch.document(old)
    new = patch.changed(old, {section: document[section] for section in patch.STATIONS})
    for section in patch.STATIONS:
        for name, station in getattr(old, section).items():
            assert getattr(new, section)[name] is station


@pytest.mark.parametrize(
    "edits, find",
    [
        ({"latent.psi": {"feature": "light", "high": 2}}, lambda p: p.latent.psi == Route("light", high=2)),
        ({"latent.psi.release": 2}, lambda p: p.latent.psi == Route("light", low=0.3, high=1.2, release=2)),
        ({"latent.psi.spring.frequency": 3}, lambda p: p.latent.psi.spring == Spring(3)),
        ({"latent.psi": None}, lambda p: p.latent.psi == 0.7),
        ({"latent.rows.coarse": None}, lambda p: list(p.latent.rows) == ["9-11"]),
        ({"latent.rows.coarse.amount": 0.2}, lambda p: p.latent.rows["coarse"] == Drive("top", 0.2)),
        ({"latent.rows.middle": "top"}, lambda p: p.latent.rows["middle"] == Drive("top")),
        ({"latent.rows.3": "top", "latent.rows.3.amount": 0.1}, lambda p: p.latent.rows["3"] == Drive("top", 0.1)),
        ({"latent.rows": None}, lambda p: p.latent.rows == {}),
        (
            {"latent.places.me": {"file": "a.npy"}, "latent.places.me.amount": 0.5},
            lambda p: p.latent.places == {"me": Place("a.npy", 0.5)},
        ),
        ({"latent.mix": [[1, 2], [3, 4.5]]}, lambda p: p.latent.mix == [(1, 2.0), (3, 4.5)]),
        ({"sources.film": {"kind": "video", "path": "a.mp4"}}, lambda p: list(p.sources) == ["eye", "film"]),
        ({"sources.eye": {"kind": "video", "path": "a.mp4"}}, lambda p: p.sources["eye"].path == "a.mp4"),
        ({"sinks.film": None}, lambda p: p.sinks == {}),
        ({"sinks": None}, lambda p: p.sinks == {}),
        ({"name": None}, lambda p: p.name == ""),
        ({"features.top.source": None}, lambda p: p.features["top"].source is None),
        ({}, lambda p: p == patch.parse(GOOD)),
    ],
)  # fmt: skip
def test_what_a_place_can_hold(edits, find):
    assert find(patch.changed(patch.parse(GOOD), edits))


@pytest.mark.parametrize(
    "edits, said",
    [
        ({"latent.psy": 1}, ["latent.psy: no such key", "psi"]),
        ({"latent.psy": None}, ["latent.psy: no such place", "psi"]),
        ({"latent.psy.low": 1}, ["latent.psy: no such place", "psi"]),
        ({"laten.psi": 1}, ["laten: no such place", "latent"]),
        ({"bogus": 1}, ["bogus: no such key", "latent"]),
        ({"": 1}, ["no such key", "latent"]),
        ({3: 1}, ["3", "a place is a text"]),
        ({"latent.seed.x": 1}, ["latent.seed.x", "no such place", "3"]),
        ({"latent.psi.curv": "exp"}, ["latent.psi.curv: no such key", "curve"]),
        ({"latent.rows.coarse": {"feature": "light"}}, ["latent.rows.coarse", "'light'", "top"]),
        ({"latent.rows.bass": "top"}, ["latent.rows.bass: no such rows"]),
        ({"latent.places.me.amount": 1}, ["latent.places.me: no such place", "none"]),
        ({"latent.places": {str(i): {"file": "a"} for i in range(17)}}, ["17 latents are too many", "16"]),
        ({"latent.rows.middle": None}, ["latent.rows.middle: no such place", "coarse, 9-11"]),
        ({"features.nose.region": [0, 0, 1, 1]}, ["features.nose: no such place", "top, light"]),
        ({"features.top.region": [0, 0, 2, 1]}, ["features.top", "region", "0 to 1"]),
        ({"features.top": None}, ["latent.rows.coarse", "no feature 'top'"]),
        ({"sources.eye": None}, ["sources: none, but the features need one"]),
        ({"sources.eye": 3}, ["sources: give each one a table"]),
        ({"sources.ear": {"kind": "microscope"}}, ["sources.ear.kind", "'microscope'", "camera"]),
        ({"sources.eye.kind": "video"}, ["sources.eye.index: no such key", "path"]),
        ({"sources.my.eye": {"kind": "camera"}}, ["sources.my: no such place", "eye"]),
        ({"sources": {"my.eye": {"kind": "camera"}}}, ["my.eye", "no dot"]),
        ({"sinks.film.path": None}, ["sinks.film.path: this key is needed"]),
        ({"picture.fps": "25"}, ["picture.fps", "number", '"25"']),
        ({"picture.fps": float("inf")}, ["picture.fps", "finite"]),
        ({"picture": 7}, ["picture: this should be a table, not 7"]),
        ({"name": 7}, ["name: give text", "7"]),
        ({"name": "\ud800"}, ["name", "surrogate"]),
        ({"model": {1, 2}}, ["model: give text"]),
        ({"latent.seed": b"3"}, ["latent.seed", "is not a table, a list, a text"]),
        ({"latent.seed": 10**5000}, ["latent.seed", "64 bits"]),
        ({"latent.seed": True}, ["latent.seed", "integer", "true"]),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_refused_with_the_right_names(edits, said):
    told = refused(edits)
    assert any(all(part in line for part in said) for line in told), told


def test_all_that_is_wrong_with_a_change_is_told_at_once():
    told = "\n".join(refused({"latent.seed": -1, "latent.drift": -1, "picture.fps": 0, "nose": 1, "features.x.y": 1}))
    for part in ("seed -1", "drift -1", "fps 0", "nose", "features.x"):
        assert part in told


def test_what_is_not_a_table_of_changes_is_refused():
    for edits in (None, 3, "latent.psi", ["latent.psi"]):
        assert "not a table" in refused(edits)[0]


def test_a_table_as_deep_as_a_well_is_refused():
    deep: Any = 1
    for _ in range(5000):
        deep = {"x": deep}
    assert "deep" in refused({"latent.psi": deep})[0]
    assert refused({"x" + ".x" * 20: 1})


def test_a_refusal_does_not_repeat_a_whole_novel():
    assert all(len(line) < 2000 for line in refused({"latent.seed": "x" * 10**6, "y" * 10**6: 1}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


def places_of(table: Any, way: tuple[str, ...] = ()) -> list[str]:
    found = [".".join(way)] if way else []
    if isinstance(table, dict):
        for key, inner in table.items():
            found += places_of(inner, (*way, key))
    return found


FULL = patch.changed(
    patch.parse(GOOD),
    {
        "sources.film": {"kind": "video", "path": "a.mp4"},
        "sources.wall": {"kind": "pictures", "path": "here"},
        "features.dance": {"kind": "motion", "source": "film"},
        "features.deep": {"kind": "activations", "network": "discriminator"},
        "latent.psi.spring": {"frequency": 2},
        "latent.mix": [[1, 0.5], [2, 0.5]],
        "latent.places": {
            "me": {"file": "me.npy", "amount": {"feature": "light"}},
            "you": {"file": "b", "amount": 0.5},
        },
        "sinks.here": {"kind": "window"},
    },
)
PLACES = places_of(patch.document(FULL))
fitting = st.one_of(
    st.sampled_from([True, False, None, 0, 1, 3, 0.5, -1, "top", "light", "eye", "film", "const", "3x3", "mean", "b.mp4"]),
    st.sampled_from([[0, 0, 0.5, 0.5], [1, 2, 3], [[1, 0.5]], [], {}, {"feature": "light"}, {"feature": "top"}, [640, 480]]),
    anything,
)  # fmt: skip


def value_at(place: str) -> Any:
    value: Any = patch.document(FULL)
    for key in place.split("."):
        value = value[key]
    return value


def alike(value: Any) -> st.SearchStrategy[Any]:
    """What might stand in the place of a value."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.integers(0, 5)
    if isinstance(value, float):
        return st.floats(0, 1) | st.just({"feature": "light", "high": 2})
    return st.just(value) | st.none()


likely = st.sampled_from(PLACES).flatmap(lambda place: st.tuples(st.just(place), alike(value_at(place))))
unlikely = st.tuples(
    st.sampled_from(PLACES)
    | st.sampled_from(PLACES).map(lambda p: p.rpartition(".")[0] + ".new")
    | st.text(max_size=8),
    fitting,
)
edits_of_any_kind = st.lists(likely, max_size=4).map(dict) | st.lists(likely | unlikely, max_size=3).map(dict)


@settings(max_examples=600, deadline=None)
@given(edits_of_any_kind)
@example({"features.deep.layers": {"\x00\n\"'\\": 0.0}})
@example({"sources.\"'": {"kind": "camera", "index": "\x7f\r\n"}})
@example({"sources.wall.background": [256, 10**18, 0]})
@example({"picture.fps": 10**400})
def test_any_change_gives_a_patch_that_can_be_saved_or_is_refused_in_words(edits):
    before, text = patch.document(FULL), patch.dumps(FULL)
    try:
        new = patch.changed(FULL, edits)
    except BadPatch as error:
        assert error.problems and all(isinstance(line, str) for line in error.problems)
        str(error).encode()  # it can be sent and printed
    else:
        assert patch.parse(patch.dumps(new)) == new
        assert patch.from_document(json.loads(json.dumps(patch.document(new), allow_nan=False))) == new
    assert patch.document(FULL) == before and patch.dumps(FULL) == text


@settings(max_examples=300, deadline=None)
@given(anything | st.dictionaries(st.sampled_from([f.name for f in patch.fields(Patch)]), fitting, max_size=5))
def test_any_document_is_a_patch_or_refused_in_words(document):
    try:
        patch.from_document(document)
    except BadPatch as error:
        assert error.problems


@settings(max_examples=60, deadline=None)
@given(patches)
def test_a_document_holds_the_whole_patch(saved):
    document = json.loads(json.dumps(patch.document(saved), allow_nan=False))
    assert patch.from_document(document) == saved
    for name, station in document["features"].items():
        assert station["kind"] in FEATURES and "source" in station, name


def test_a_document_says_what_was_left_at_its_default():
    document = patch.document(patch.parse(GOOD))
    assert document["sources"]["eye"]["kind"] == "camera" and document["sources"]["eye"]["mirror"] is True
    assert document["features"]["top"]["region"] == [0.0, 0.0, 1.0, 0.5]
    assert document["latent"]["psi"]["spring"] is None and document["latent"]["psi"]["curve"] == "linear"
    assert document["latent"]["rows"]["coarse"] == {"feature": "top", "amount": 1.0}
    assert document["latent"]["drift"] == 0.0 and document["picture"]["noise_mode"] == "const"


@dataclass
class Knob:
    """A source that no registry knows."""

    angle: float = 0.0
    turns: list[int] = field(default_factory=list)


def test_a_station_of_a_class_that_is_in_no_registry_can_be_turned_too():
    old = Patch(sources={"knob": Knob()})  # type: ignore[dict-item]
    new = patch.changed(old, {"sources.knob.angle": 3, "sources.knob.turns": [1]})
    assert new.sources["knob"] == Knob(3.0, [1]) and patch.document(new)["sources"]["knob"]["kind"] == "knob"


# --- features of several numbers, and bends -----------------------------------------------------------------------------

BENT = """
[sources.eye]
kind = "camera"
[features.hand]
kind = "fist"
[features.light]
kind = "brightness"
[latent]
psi = {feature = "light", otherwise = {feature = "hand.x", high = 2}, fade = 1.5}
[bends.turn]
kind = "transform"
rotate = {feature = "hand.angle", low = -3.14, high = 3.14, in_low = -3.14, in_high = 3.14, circular = 6.28}
zoom = 1.5
[bends.boil]
kind = "noise"
boil = 1
seed = 7
at = "coarse"
"""


@pytest.fixture
def hands(monkeypatch):
    monkeypatch.setitem(FEATURES, "fist", Hand)


def test_a_route_names_one_of_several_numbers(hands):
    p = patch.parse(BENT)
    assert p.numbers() == ["hand.angle", "hand.x", "light"]
    assert [place for place, _ in p.routes()] == ["latent.psi.otherwise", "latent.psi", "bends.turn.rotate"]
    assert p.latent.psi.otherwise == Route("hand.x", high=2.0) and p.latent.psi.fade == 1.5


@pytest.mark.parametrize(
    "named, said",
    [
        ("hand.angel", "latent.psi: the feature 'hand' has no number 'angel': it has hand.angle, hand.x"),
        ("hand", "latent.psi: the feature 'hand' has several numbers: name one of hand.angle, hand.x"),
        (
            "fist.angle",
            "latent.psi: no feature 'fist.angle' that is a number: this patch has hand.angle, hand.x, light",
        ),
        ("light.x", "latent.psi: no feature 'light.x' that is a number: this patch has hand.angle, hand.x, light"),
    ],
)
def test_a_number_that_is_not_there_is_refused_with_the_right_names(hands, named, said):
    with pytest.raises(BadPatch) as refused:
        patch.changed(patch.parse(BENT), {"latent.psi": {"feature": named}})
    assert refused.value.problems == [said]
    with pytest.raises(BadPatch) as refused:
        patch.changed(patch.parse(BENT), {"latent.psi.otherwise.feature": named})
    assert refused.value.problems == [said.replace("latent.psi", "latent.psi.otherwise")]


def test_bends_are_parts_of_a_patch(hands):
    p = patch.parse(BENT)
    assert type(p.bends["turn"]).function is BENDS["transform"] and p.bends["boil"].seed == 7
    assert p.bends["turn"].zoom == 1.5 and p.bends["turn"].rotate.feature == "hand.angle" and p.bends["turn"].y == 0
    assert patch.parse(patch.dumps(p)) == p and patch.from_document(json.loads(json.dumps(patch.document(p)))) == p
    turned = patch.changed(p, {"bends.turn.zoom": 2, "bends.turn.rotate.low": 0, "bends.boil": None})
    assert turned.bends["turn"].zoom == 2 and turned.bends["turn"].rotate.low == 0 and list(turned.bends) == ["turn"]
    assert patch.changed(p, {"bends.turn.zoom": 2}).bends["boil"] is p.bends["boil"]
    added = patch.changed(p, {"bends.more": {"kind": "const", "amount": 0.5}})
    assert added.bends["more"].amount == 0.5 and list(added.bends) == ["turn", "boil", "more"]


@pytest.mark.parametrize("kind", BENDS)
def test_every_bend_is_its_functions_signature(kind):
    made = patch.STATIONS["bends"][kind]()
    parameters = inspect.signature(BENDS[kind]).parameters
    assert made.arguments("bends.it", {}) == {n: p.default for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    p = Patch(bends={"it": made})
    assert patch.parse(patch.dumps(p)) == p


def test_everything_that_is_wrong_with_bends_is_named():
    with pytest.raises(BadPatch) as refused:
        patch.parse("""
[bends.a]
kind = "twirl"
[bends.b]
kind = "noise"
boil = {feature = "hand.x", lwo = 1, fade = "long"}
seed = 1.5
att = "all"
[bends.c]
kind = "const"
among = "friends"
x = "left"
y = {feature = "hand.x", otherwise = {feature = "light", attack = -1}}
""")
    assert refused.value.problems == [
        f"bends.a.kind: no kind 'twirl': choose {', '.join(BENDS)}",
        'bends.b.boil.fade: this should be a valid number, not "long"',
        "bends.b.boil.lwo: no such key; the keys here are " + ", ".join(f.name for f in fields(Route)),
        "bends.b.seed: this should be a valid integer, not 1.5",
        "bends.b.att: no such key; the keys here are strength, boil, add, wander, seed, at",
        'bends.c.x: this should be a valid number, not "left"',
        "bends.c.y.otherwise: attack = -1.0 is too small: take 0 or more",
        "bends.c.among: this should be 'copies' or 'noise', not \"friends\"",
    ]
