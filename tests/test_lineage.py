"""Where a latent came from, as people read it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.studio import lineage
from kinesphere.studio.latents import Latent


@pytest.mark.parametrize(
    "origin, words",
    [
        ({"seed": 85}, "seed 85"),
        ({"seed": 85, "centre": 2, "psi": 0.5}, "seed 85, drawn towards centre 3"),
        ({"centre": 0}, "centre 1 of the model"),
        ({"projection": {"steps": 60}, "steps": 60, "picture": "me.jpg"}, "found for the picture me.jpg"),
        ({"projection": {}}, "found for a picture"),
        ({"played": {"patch": "hand", "seed": 3}}, "a moment of hand, seed 3"),
        ({"played": {"patch": "", "seed": 3}}, "a moment of the instrument, seed 3"),
        ({"file": "w.npz"}, "kept by another tool as w.npz"),
        ({}, ""),
    ],
)
def test_an_origin_is_a_sentence(origin, words):
    assert lineage.words(origin) == words


def test_a_child_names_its_parents_or_says_what_they_are():
    ada = lineage.named(Latent(torch.zeros(4), "w", origin={"seed": 1}), "ada")
    for t, share in ((0.5, "half-way"), (0.3, "30 % of the way"), (2.0, "100 % of the way")):
        origin = {"morph": {"from": dict(ada.origin), "to": {"seed": 7}, "t": t}}
        assert lineage.words(origin) == f"{share} from ada to seed 7"
    assert lineage.parents(origin) == ["ada"]
    grandchild = {"morph": {"from": {**origin, "name": "eve"}, "to": origin, "t": 0.5}}
    assert lineage.parents(grandchild) == ["eve"] and lineage.parents({"seed": 7}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["morph", "from", "to", "t", "projection", "picture", "centre", "seed", "played", "patch", "file", "name"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["morph", "projection", "picture", "centre", "seed", "played", "file"]), JSON))
def test_whatever_is_in_a_file_nothing_is_raised(origin):
    assert isinstance(lineage.words(origin), str) and isinstance(lineage.parents(origin), list)
