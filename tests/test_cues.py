"""A cue list goes forward and back, says where it ends, and is there again the next evening."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.looks import Cues
from kinesphere.types import KinesphereError

LIST = [
    {"id": "a", "seconds": 2.0, "easing": "sine_in_out", "note": "lights down"},
    {"id": "b", "seconds": 0, "easing": "linear", "note": ""},
    {"id": "c"},
]


@pytest.fixture
def cues():
    made = Cues()
    made.set(LIST)
    return made


def test_next_and_previous_walk_through_the_list(cues):
    assert cues.index is None
    assert [cues.go("next")["id"] for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(KinesphereError, match="last cue"):
        cues.go("next")
    assert cues.index == 2 and [cues.go("previous")["id"] for _ in range(2)] == ["b", "a"]
    with pytest.raises(KinesphereError, match="first cue"):
        cues.go("previous")
    assert cues.go(2) == {"id": "c", "seconds": 0.0, "easing": "smoothstep", "note": ""} and cues.index == 2


def test_looking_ahead_moves_nothing(cues):
    assert cues.peek("next") == 0 and cues.index is None


@pytest.mark.parametrize("to", [3, -1, True, "nxet", None, 1.0])
def test_a_cue_that_is_not_there_is_refused(cues, to):
    with pytest.raises(KinesphereError, match="cue"):
        cues.go(to)
    assert cues.index is None


def test_an_empty_list_says_what_to_do():
    with pytest.raises(KinesphereError, match="no cues yet"):
        Cues().go("next")


def test_the_cue_that_is_on_stays_on_when_the_list_changes(cues):
    cues.go(1)
    cues.set([LIST[2], LIST[0], LIST[1]])
    assert cues.index == 2
    cues.set([LIST[0]])
    assert cues.index is None


def test_cues_are_there_after_a_restart(tmp_path):
    folder = tmp_path / "snapshots"
    kept = Cues(folder)
    kept.set(LIST)
    kept.go("next")
    again = Cues(folder)
    assert again.list == kept.list and again.index is None and [f.name for f in folder.iterdir()] == ["cues.json"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"{}", b"[3]", b'"abc"', b"[" * 100_000, b'[{"id": "a", "seconds": "x"}]']
)
def test_a_damaged_list_is_told_and_left_alone_until_another_is_set(tmp_path, content):
    (tmp_path / "cues.json").write_bytes(content)
    found = Cues(tmp_path)
    assert found.list == [] and "cues.json" in found.trouble and (tmp_path / "cues.json").read_bytes() == content
    found.set(LIST)
    assert found.trouble == "" and len(Cues(tmp_path).list) == 3


def test_all_that_is_wrong_is_told_and_the_old_list_stays(cues):
    with pytest.raises(KinesphereError) as refused:
        cues.set(
            [{"id": "a", "seconds": -1}, {"id": "", "easing": "wobble"}, 3, {"id": "a", "colour": 1}, {"id": "\ud800"}]
        )
    for part in ("cue 0: seconds", "cue 1: id", "wobble", "cue 2: give a table", "cue 3: no such key 'colour'"):
        assert part in str(refused.value)
    assert [cue["id"] for cue in cues.list] == ["a", "b", "c"]


def test_a_look_that_is_forgotten_leaves_the_list(cues):
    cues.go(2)
    cues.forget("b")
    assert [cue["id"] for cue in cues.list] == ["a", "c"] and cues.index == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "seconds", "easing", "note"]) | st.text(max_size=3), inner, max_size=4
            )
        ),
        max_leaves=8,
    )
)
def test_anything_is_a_list_of_cues_or_refused_in_words(asked):
    cues = Cues()
    try:
        cues.set(asked)
    except KinesphereError as refused:
        assert str(refused)
    else:
        json.dumps(cues.list, allow_nan=False).encode()
