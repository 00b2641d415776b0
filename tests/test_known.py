"""A model has directions as soon as it is open: by their names, in the order of their weight."""

import pytest
import torch
from conftest import tiny_generator

from kinesphere.studio.directions import Direction, files, known
from kinesphere.studio.latents import Fingerprint
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_every_family_has_named_directions_in_deviations(family):
    G = tiny_generator(family)
    told = Fingerprint.of(G)
    offered = [*known.offered(G, told)]
    assert [one.name for one in offered] == [f"{kind}{n}" for kind in ("pc", "sefa") for n in range(1, 9)]
    assert all(one.sigma > 0 and one.model == told for one in offered)
    assert [one.sigma for one in offered[:8]] == sorted((one.sigma for one in offered[:8]), reverse=True)
    for one in offered:
        assert torch.equal(known.find(G, one.name, told).vector, one.vector)


def test_a_name_that_there_is_not_says_which_there_are(tiny):
    told = Fingerprint.of(tiny)
    with pytest.raises(
        KinesphereError, match="no direction 'smile' in this model: it has pc1 to pc12, sefa1 to sefa12"
    ):
        known.find(tiny, "smile", told)
    with pytest.raises(KinesphereError, match="this model has sefa1 to sefa12"):
        known.find(tiny, "sefa13", told)


def test_a_file_is_found_by_its_place_and_one_of_several_by_its_name(tiny, tmp_path):
    both = [Direction(torch.ones(tiny.w_dim), "w", "old"), Direction(torch.eye(tiny.w_dim)[0], "w", "smile")]
    path = files.write(tmp_path / "people.safetensors", both)
    found = known.find(tiny, f"{path}#smile", Fingerprint.of(tiny))
    assert torch.equal(found.vector, both[1].vector)


def test_those_that_come_with_a_model_are_its_own_alone(tiny, monkeypatch):
    told = Fingerprint.of(tiny)
    ours = Direction(torch.ones(tiny.w_dim), "w", "smile", model=told)
    child = Direction(torch.ones(tiny.w_dim), "w", "hat", model=Fingerprint("its parent", told.mapping))
    theirs = Direction(torch.ones(tiny.w_dim), "w", "age", model=Fingerprint("another", "another"))
    monkeypatch.setattr(known, "_shipped", lambda: (ours, child, theirs))
    assert known.find(tiny, "smile", told) is ours and known.find(tiny, "hat", told) is child
    assert [one.name for one in known.offered(tiny, told)][:3] == ["smile", "hat", "pc1"]
    with pytest.raises(KinesphereError, match="no direction 'age' in this model: it has smile, hat, pc1"):
        known.find(tiny, "age", told)
