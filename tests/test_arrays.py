"""Arrays of other tools: read as they are, and never more than the file holds."""

import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from kinesphere.studio import arrays
from kinesphere.types import KinesphereError

NUMBERS = arrays_of.arrays(
    st.sampled_from([np.float16, np.float32, np.float64, np.int16, np.uint8, np.bool_, ">f4"]),
    arrays_of.array_shapes(max_dims=4, max_side=5),
    elements=st.integers(0, 1),
)


@given(NUMBERS, st.booleans())
def test_any_array_of_numbers_comes_back(tmp_path_factory, array, fortran):
    folder = tmp_path_factory.mktemp("arrays")
    array = np.asfortranarray(array) if fortran else array
    np.save(folder / "a.npy", array)
    np.savez_compressed(folder / "a.npz", lat_comp=array, words=np.array(["pca"])[:0].astype(np.float32))
    torch.save({"deep": [torch.from_numpy(array.astype(np.float32))]}, folder / "a.pt")
    wanted = torch.from_numpy(array.astype(np.float32, order="C"))
    assert torch.equal(arrays.read(folder / "a.npy")[""], wanted)
    assert torch.equal(arrays.read(folder / "a.npz")["lat_comp"], wanted)
    assert torch.equal(arrays.read(folder / "a.pt")["deep.0"], wanted)


def test_a_file_that_claims_more_than_it_holds_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 4), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(4, 4)", b"(4,40)"))
    with pytest.raises(KinesphereError, match=r"a.npy .*claims 160 numbers"):
        arrays.read(path)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.write(path, "a.npy")
    with pytest.raises(KinesphereError, match="claims"):
        arrays.read(tmp_path / "a.npz")


def test_what_swells_without_end_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MOST", 1000)
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(800, np.float32), b=np.zeros(800, np.float32))
    with pytest.raises(KinesphereError, match="claims 800 numbers"):
        arrays.read(tmp_path / "a.npz")


def test_words_and_other_files_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array(["x"]))
    (tmp_path / "a.png").write_bytes(b"")
    torch.save({"name": "x"}, tmp_path / "a.pt")
    for name, words in {"a.npy": "not numbers", "a.png": "no file of latents", "a.pt": "holds no array"}.items():
        with pytest.raises(KinesphereError, match=words):
            arrays.read(tmp_path / name)
