"""Directions in files: our own come back bit for bit, those that people share are read, and what is none is refused in words."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from kinesphere.studio.directions import Axis, Direction, files
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError


def vector(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def alike(a, b):
    return (
        torch.equal(a.vector, b.vector)
        and (a.space, a.name, a.rows, a.sigma, a.model, a.found, a.examples)
        == (b.space, b.name, b.rows, b.sigma, b.model, b.found, b.examples)
    )  # fmt: skip


@given(
    names=st.lists(st.text(min_size=1, max_size=12), max_size=4, unique=True),
    sigma=st.none() | st.floats(1e-30, 1e30),
    rows=st.sampled_from(["all", "coarse", "3", "0-7"]),
    found=st.dictionaries(
        st.text(max_size=8),
        st.integers(-(10**30), 10**30) | st.floats(-1e30, 1e30) | st.text(max_size=8),
        max_size=3,
    ),
)
def test_any_directions_come_back_bit_for_bit(names, sigma, rows, found):
    some = [
        Direction(vector(*((5,) if i % 2 else (3, 5)), seed=i), "w" if i % 2 else "w+", name, rows, sigma,
                  Fingerprint("a", "b"), found, {"low": [i], "high": []})
        for i, name in enumerate(names)
    ]  # fmt: skip
    again = files.from_bytes(files.to_bytes(some))
    assert len(again) == len(some) and all(map(alike, again, some))


def shared(folder, G):
    """One file of each kind that people share, with the vectors that are in it."""
    one, rows, many = vector(G.w_dim), vector(G.num_ws, G.w_dim), vector(3, 1, G.w_dim)
    np.save(folder / "smile.npy", one.numpy())
    np.save(folder / "age.npy", rows.numpy())
    np.save(folder / "stylegan_pose_w_boundary.npy", one[None].numpy())  # InterFaceGAN
    np.savez(
        folder / "ganspace.npz", lat_comp=many.numpy(), lat_stdev=np.float32([3, 2, 1]), lat_mean=np.zeros((1, G.w_dim)),
        var_ratio=np.float32([0.5, 0.25, 0.1]), act_comp=np.zeros((3, 1, 7), np.float32),
    )  # fmt: skip
    torch.save({"smile": one, "age": rows[None]}, folder / "both.pt")
    torch.save(one, folder / "pose.pt")
    return {
        "smile.npy": [one], "age.npy": [rows], "stylegan_pose_w_boundary.npy": [one],
        "ganspace.npz": [*many[:, 0]], "both.pt": [one, rows], "pose.pt": [one],
    }  # fmt: skip


def test_what_people_share_is_read_applied_and_saved_bit_for_bit(tiny, tmp_path):
    """Arrays of W and W+, InterFaceGAN's boundaries, GANSpace's archives, tensors of .pt files."""
    ws = vector(1, tiny.num_ws, tiny.w_dim)
    for name, vectors in shared(tmp_path, tiny).items():
        found = files.read(tmp_path / name)
        assert [torch.equal(one.vector, wanted) for one, wanted in zip(found, vectors, strict=True)] == [True] * len(
            vectors
        )
        again = files.read(files.write(tmp_path / "kept.safetensors", found))
        assert all(map(alike, again, found))
        for one, other in zip(found, again, strict=True):
            moved = Axis.of(tiny, one).moved(ws, 1.5)
            assert not torch.equal(moved, ws) and torch.equal(moved, Axis.of(tiny, other).moved(ws, 1.5))
        bare = files.write(tmp_path / "bare.npy", found[:1])
        assert np.array_equal(np.load(bare), vectors[0].numpy())


def test_ganspace_tells_its_deviations(tiny, tmp_path):
    shared(tmp_path, tiny)
    found = files.read(tmp_path / "ganspace.npz")
    assert [one.name for one in found] == ["pc1", "pc2", "pc3"] and [one.sigma for one in found] == [3, 2, 1]
    assert found[1].found == {"by": "ganspace", "component": 2, "file": "ganspace.npz", "share": 0.25}


def test_a_share_of_ganspace_that_is_no_number_is_not_told(tmp_path):
    np.savez(tmp_path / "a.npz", lat_comp=vector(2, 1, 12).numpy(), var_ratio=np.float32([np.nan, 0.5]))
    found = files.read(files.write(tmp_path / "kept.safetensors", files.read(tmp_path / "a.npz")))
    assert [one.found.get("share") for one in found] == [None, 0.5]


def test_many_vectors_of_w_are_not_taken_for_rows(tmp_path):
    np.save(tmp_path / "vecs.npy", vector(40, 12).numpy())
    found = files.read(tmp_path / "vecs.npy")
    assert len(found) == 40 and found[2].space == "w" and found[2].name == "vecs 3"
    np.save(tmp_path / "few.npy", vector(6, 12).numpy())
    assert [one.space for one in files.read(tmp_path / "few.npy", num_ws=8)] == ["w"] * 6  # this model has 8 rows
    assert [one.space for one in files.read(tmp_path / "few.npy", num_ws=6)] == ["w+"]


def test_rows_that_are_all_alike_are_one_vector(tmp_path):
    np.save(tmp_path / "smile.npy", vector(12).expand(18, -1).numpy())
    found = files.load(tmp_path / "smile.npy")
    assert (found.space, found.name, [*found.vector.shape]) == ("w", "smile", [12])


def test_one_of_several_is_named_after_the_file(tmp_path):
    path = files.write(
        tmp_path / "people.safetensors", [Direction(vector(4, seed=i), "w", n) for i, n in enumerate("ab")]
    )
    assert files.load(f"{path}#b").name == files.load(f"{path}#2").name == "b"
    with pytest.raises(KinesphereError, match="it holds several: say which, as people.safetensors#a, of a, b"):
        files.load(path)
    with pytest.raises(KinesphereError, match="there is no direction 'c': say which, as people.safetensors#a, of a, b"):
        files.load(f"{path}#c")


def test_a_hash_in_a_files_name_is_the_files_own(tmp_path):
    path = files.write(tmp_path / "take #1.safetensors", [Direction(vector(4), "w", "a")])
    assert files.load(path).name == files.load(f"{path}#a").name == "a"


@pytest.mark.parametrize(
    "place, parts",
    [
        ("people.safetensors", ("people.safetensors", "")),
        ("people.safetensors#smile", ("people.safetensors", "smile")),
        ("people.safetensors#a#b", ("people.safetensors", "a#b")),
        ("take #1.npz", ("take #1.npz", "")),
        ("take #1.npz#3", ("take #1.npz", "3")),
        ("~/ways.pth#3", ("~/ways.pth", "3")),
        ("pc3", ("pc3", "")),
    ],
)
def test_a_file_and_a_name_in_it_are_parted_without_a_look_at_the_disk(place, parts):
    assert files.parted(place) == parts


def test_two_of_one_name_are_not_kept(tmp_path):
    with pytest.raises(KinesphereError, match="two directions are called 'a'"):
        files.write(tmp_path / "x.safetensors", [Direction(vector(4), "w", "a")] * 2)
    with pytest.raises(KinesphereError, match=r"can hold one direction, not 2: give a \.safetensors"):
        files.write(tmp_path / "x.npy", [Direction(vector(4), "w", "a")] * 2)
    assert not any(tmp_path.iterdir())


def test_what_is_written_replaces_the_old_whole_or_not_at_all(tmp_path, monkeypatch):
    path = files.write(tmp_path / "x.npy", [Direction(vector(4), "w")])
    before = path.read_bytes()
    monkeypatch.setattr(np, "save", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(KinesphereError, match="cannot be written"):
        files.write(path, [Direction(vector(4, seed=1), "w")])
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


class Evil:
    def __reduce__(self):
        return (os.system, ("touch evil",))


def test_a_file_is_refused_in_words_and_nothing_in_it_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("flat.npy", np.zeros(12, np.float32))
    np.save("nan.npy", np.full(12, np.nan, np.float32))
    np.save("cube.npy", np.ones((2, 3, 4), np.float32))
    torch.save({"smile": Evil()}, "evil.pt")
    save_file({"direction.0": torch.ones(3)}, "bare.safetensors")
    save_file({"direction.0": torch.ones(3)}, "later.safetensors", {"kinesphere_directions": "2", "about": "[]"})
    save_file({"direction.0": torch.ones(3)}, "torn.safetensors", {"kinesphere_directions": "1", "about": "[{}]"})
    save_file({"x": torch.ones(3)}, "other.safetensors", {"kinesphere_directions": "1", "about": json.dumps([said()])})
    save_file({}, "deep.safetensors", {"kinesphere_directions": "1", "about": "[" * 100_000})
    Path("cut.safetensors").write_bytes(files.to_bytes([Direction(vector(40), "w", "a")])[:-8])
    Path("words.npz").write_bytes(b"PK hello")
    Path("x.toml").touch()
    refusals = {
        "gone.npy": "there is no file",
        "x.toml": "is no file of directions: give one of .safetensors, .npy",
        "flat.npy": "zero everywhere",
        "nan.npy": "infinite or none",
        "cube.npy": "holds no direction",
        "evil.pt": "evil.pt",
        "bare.safetensors": "holds no directions that kinesphere wrote",
        "later.safetensors": "a later kinesphere",
        "torn.safetensors": "damaged",
        "other.safetensors": "damaged",
        "deep.safetensors": "damaged",
        "cut.safetensors": "damaged or cut off",
        "words.npz": "cannot be read",
    }
    for name, words in refusals.items():
        with pytest.raises(KinesphereError, match=words) as refused:
            files.read(name)
        assert name in str(refused.value)
    assert not os.path.exists("evil")


def said():
    return {"name": "a", "space": "w", "rows": "all", "sigma": None, "found": {}, "examples": {},
            "model": {"whole": "", "mapping": ""}}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"sigma": "1"},
        {"sigma": -1},
        {"sigma": 10**400},
        {"sigma": 1e300},
        {"space": "q"},
        {"rows": "bass"},
        {"found": []},
        {"found": {"score": 10**400}},
        {"found": {"curve": [[20, {"score": float("nan")}]]}},
        {"examples": {"low": [float("-inf")]}},
        {"model": {}},
    ],
)
def test_a_direction_that_says_nonsense_is_refused(tmp_path, change):
    path = tmp_path / "a.safetensors"
    save_file(
        {"direction.0": torch.ones(3)}, path, {"kinesphere_directions": "1", "about": json.dumps([said() | change])}
    )
    with pytest.raises(KinesphereError, match=r"^a\.safetensors: "):
        files.read(path)


def test_a_boundary_of_z_is_known_by_its_name(tmp_path):
    G = tiny_generator("stylegan2")
    np.save(tmp_path / "pose_z.npy", vector(1, G.z_dim).numpy())
    assert files.load(tmp_path / "pose_z.npy").space == "z"
