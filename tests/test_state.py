"""The state of a run: whole or as it was before, whatever happens to the disk; and a folder that one process holds at a time."""

import json
import math
import resource
from contextlib import contextmanager

import pytest
import torch

from kinesphere.train import state
from kinesphere.types import KinesphereError


@contextmanager
def full_disk(size):
    """No file may grow beyond `size` bytes; the kernel says so in the middle of the writing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def tensors():
    weight = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    return {"G.weight": weight, "opt_G.weight.step": torch.tensor(3.0), "half": torch.ones(2, dtype=torch.bfloat16)}


def test_a_state_comes_back_bit_for_bit(tmp_path, tensors):
    state.write_state(tmp_path / "state.safetensors", tensors, {"steps": 3, "ada_p": 0.1})
    found, numbers = state.read_state(tmp_path / "state.safetensors")
    assert numbers == {"steps": 3, "ada_p": 0.1}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in tensors)


def test_a_full_disk_leaves_the_state_before(tmp_path, tensors):
    path = tmp_path / "state.safetensors"
    state.write_state(path, tensors, {"steps": 3})
    before = path.read_bytes()
    with full_disk(4096), pytest.raises(KinesphereError, match="cannot be written.*make room and go on with --resume"):
        state.write_state(path, {"G": torch.zeros(10_000)}, {"steps": 4})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_json_before(tmp_path):
    path = tmp_path / "run.json"
    state.write_json(path, {"seed": 1})
    with full_disk(100), pytest.raises(KinesphereError, match=r"'run.json' cannot be written: .*choose another --out"):
        state.write_json(path, {"seed": list(range(1000))})
    assert json.loads(path.read_text()) == {"seed": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_no_state_is_said(tmp_path, tensors):
    path = tmp_path / "state.safetensors"
    with pytest.raises(KinesphereError, match="no 'state.safetensors'.*without --resume"):
        state.read_state(path)
    state.write_state(path, tensors, {"steps": 3})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(KinesphereError, match="damaged.*--from"):
        state.read_state(path)


def test_the_first_number_that_is_none_is_named(tensors):
    assert state.not_finite(tensors, {"ada_p": 0.0}) == ""
    assert state.not_finite(tensors, {"ada_p": math.nan}) == "ada_p"
    for wrong in (math.nan, math.inf):
        tensors["half"][1] = wrong
        assert state.not_finite(tensors, {"ada_p": 0.0}) == "half"


def test_a_folder_is_held_by_one_process(tmp_path):
    hold = state.Hold(tmp_path)
    with pytest.raises(KinesphereError, match="going on in .* already"):
        state.Hold(tmp_path)
    hold.let_go()
    state.Hold(tmp_path).let_go()


def test_what_killed_processes_left_goes(tmp_path):
    (tmp_path / "samples").mkdir()
    left = [tmp_path / ".state.safetensors.77.part", tmp_path / "samples" / ".000001.jpg.77.part"]
    for path in (*left, tmp_path / "state.safetensors"):
        path.touch()
    state.sweep(tmp_path)
    assert not any(path.exists() for path in left)
    assert (tmp_path / "state.safetensors").exists()
