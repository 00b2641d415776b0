"""Patches: what is saved is what is loaded, and whatever is wrong is named, all of it, with the way out."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere import patch
from kinesphere.features import FEATURES
from kinesphere.models import StyleGAN3
from kinesphere.patch import BadPatch, Drive, Latent, Patch, Picture
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
        ('kind = "camera"', 'kind = "camrea"', ["sources.eye.kind", "'camrea'", "camera, pictures, video"]),
        ('kind = "camera"', "kind = [1]", ["sources.eye.kind", "camera, pictures, video"]),
        ('kind = "activations"', 'kind = "activations"\nsource = "nose"', ["features.top.source", "'nose'", "eye"]),
        ("[0, 0, 1, 0.5]", "[0, 0, 2, 0.5]", ["features.top", "region", "0 to 1"]),
        ("[0, 0, 1, 0.5]", "[0, 0, 1, 0.5]\nlayers = 'conv9_9'", ["features.top", "'conv9_9'", "choose"]),
        ("seed = 3", 'seed = "3"', ["latent.seed", "integer", '"3"']),
        ("seed = 3", "seed = -3", ["seed -3", "0 to 4294967295"]),
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
    assert patch.rows_of(tiny, "coarse") == tiny.rows("coarse")
    assert patch.rows_of(tiny, "3") == slice(3, 4) and patch.rows_of(tiny, "0-3") == slice(0, 4)
    for name in ("0-99", "5-2", "99"):
        with pytest.raises(KinesphereError, match="rows 0 to 7"):
            patch.rows_of(tiny, name)


def test_stylegan3_has_a_row_that_places():
    G = StyleGAN3(img_resolution=32, channel_max=4, num_layers=6, z_dim=4, w_dim=4)
    assert patch.rows_of(G, "placement") == slice(0, 1)
