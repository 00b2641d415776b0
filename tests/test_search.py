"""Each way to find directions is asked by name; what it is told does not get lost, and what is told to another is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator

from kinesphere.models import Generator
from kinesphere.studio.directions import Direction, pca, sefa
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.directions.search import ABOUT, WAYS, Search, notes, region_of
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def G() -> Generator:
    return tiny_generator("stylegan2").requires_grad_(False)


def found(G: Generator, **told: object) -> list[Direction]:
    return Search(**told).run(G, Latent.of_seed(G, 3, 0.7), Fingerprint.of(G))


def same(some: list[Direction], known: list[Direction]) -> bool:
    return [one.name for one in some] == [one.name for one in known] and all(
        torch.equal(a.vector, b.vector) and a.rows == b.rows for a, b in zip(some, known, strict=True)
    )


def test_each_way_is_explained() -> None:
    assert list(ABOUT) == list(WAYS)


def test_what_a_way_is_told_reaches_it(G: Generator) -> None:
    layered = pca.pca(G, 2, 200, "b8.conv0", "coarse", seed=4)
    assert same(found(G, by="pca", k=2, count=200, layer="b8.conv0", rows="coarse", seed=4), layered)
    assert same(found(G, by="sefa", k=3, rows="2-3"), sefa.sefa(G, 3, "2-3"))
    part, ws = (0.0, 0.0, 0.5, 0.5), Latent.of_seed(G, 3, 0.7).ws(G)
    assert same(found(G, by="here", k=2, region=part, rows="coarse"), sliders(G, ws, part, 2, "coarse"))


@pytest.mark.parametrize("kept", [False, True], ids=["a measure", "a table"])
def test_labels_lead_to_one_direction(G: Generator, kept: bool, tmp_path: Path) -> None:
    way = torch.linspace(-1, 2, G.w_dim)
    w = seeds_to_ws(G, range(200))[:, 0]
    values = (w @ way).numpy()
    if kept:
        table = "seed,value\n" + "\n".join(f"{i},{value}" for i, value in enumerate(values))
        (tmp_path / "slope.csv").write_text(table)
        told = {"labels": tmp_path / "slope.csv", "kind": "graded"}
    else:
        left = iter(values)
        told = {"measure": lambda some: np.array([next(left) for _ in some]), "name": "slope", "count": 200}
    [one] = found(G, by="labels", rows="coarse", **told)
    assert (one.name, one.rows) == ("slope", "coarse")
    assert float(torch.corrcoef(torch.stack([w @ one.unit, w @ way]))[0, 1]) > 0.8
    assert notes([one])[0].startswith("slope: labels that it had not seen are told with a score of 1.00")


@pytest.mark.parametrize(
    "told, said",
    [
        ({"by": "magic"}, "no way 'magic' to find directions: there are pca, sefa, labels, stylespace, here"),
        ({"by": "sefa", "layer": "b8.conv0"}, "layer is for pca: leave it out"),
        ({"by": "sefa", "count": 9}, "count is for pca and labels"),
        ({"by": "pca", "region": (0, 0, 1, 0.5)}, "region is for stylespace and here"),
        ({"by": "labels"}, "labels come from a table or from a measure"),
        ({"by": "stylespace"}, "give a region, as 0.3,0.6,0.7,0.9"),
        ({"by": "stylespace", "region": (0, 0, 1, 0.5), "rows": "coarse"}, "a channel is of one layer"),
    ],
)
def test_what_does_not_go_together_is_said(G: Generator, told: dict, said: str) -> None:
    with pytest.raises(KinesphereError, match=said):
        found(G, **told)


def test_a_region_is_read() -> None:
    assert region_of("") is None and region_of("0, 0.5,1,1") == (0, 0.5, 1, 1)
    for wrong in ("0,1", "a,b,c,d", "0.5,0,0.2,1"):
        with pytest.raises(KinesphereError, match="give left, top, right, bottom|left must be less"):
            region_of(wrong)
