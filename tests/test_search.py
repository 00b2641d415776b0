"""Each way to find directions is asked by name; what it is told does not get lost, and what is told to another is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image

from kinesphere.models import Generator
from kinesphere.studio.directions import Direction, pca, sefa
from kinesphere.studio.directions.here import sliders
from kinesphere.studio.directions.labelling import Labels
from kinesphere.studio.directions.labels import learn, orthogonal
from kinesphere.studio.directions.measures import MEASURES
from kinesphere.studio.directions.reach import Effects, Reach
from kinesphere.studio.directions.regions import fitted, mask
from kinesphere.studio.directions.search import ABOUT, WAYS, Attribute, Search, notes, region_of
from kinesphere.studio.directions.stylespace import StyleSpace
from kinesphere.studio.latents import Fingerprint, Latent
from kinesphere.studio.naturals import natural
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

LIGHT = Attribute("brightness", MEASURES["brightness"])


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
        told = {"measure": Attribute("slope", lambda some: np.array([next(left) for _ in some])), "count": 200}
    [one] = found(G, by="labels", rows="coarse", **told)
    assert (one.name, one.rows) == ("slope", "coarse")
    assert float(torch.corrcoef(torch.stack([w @ one.unit, w @ way]))[0, 1]) > 0.8
    said, shown, *_ = notes([one])
    assert said.startswith("slope: labels that it had not seen are told with a score of 1.00")
    assert shown.startswith(f"slope: least in the seeds {values.argsort()[0]}, ")


def sloping(G: Generator, path: Path) -> tuple[torch.Tensor, np.ndarray]:
    """A table of 80 seeds, yes where w is above the middle along a slope; their w, and what it says."""
    w = seeds_to_ws(G, range(80))[:, 0]
    values = (w @ torch.linspace(-1, 2, G.w_dim)).numpy()
    said = (values > np.median(values)).astype(float)
    path.write_text("seed,value\n" + "\n".join(f"{i},{value:g}" for i, value in enumerate(said)))
    return w, said


def test_how_labels_are_fitted_is_as_it_was_told(G: Generator, tmp_path: Path) -> None:
    w, said = sloping(G, tmp_path / "slope.csv")
    [one] = found(G, by="labels", labels=tmp_path / "slope.csv", method="svm", between=1.0)
    known = learn(w, said, natural(G), method="svm").belonging
    assert torch.equal(one.vector, known.vector) and (one.found["method"], one.found["between"]) == ("svm", 1.0)


def test_other_directions_are_left_alone(G: Generator, tmp_path: Path) -> None:
    w, said = sloping(G, tmp_path / "slope.csv")
    [one] = found(G, by="labels", labels=tmp_path / "slope.csv", against=("pc1", "sefa2"))
    others = [pca.component(G, 1), sefa.factor(G, 2)]
    known = orthogonal(learn(w, said, natural(G)).direction(), others, natural(G))
    assert torch.equal(one.vector, known.vector) and list(one.found["against"]) == ["pc1", "sefa2"]
    for other in others:
        assert float(one.unit @ other.unit) == pytest.approx(0, abs=1e-6)


def test_channels_are_found_by_what_they_change(G: Generator) -> None:
    bright = MEASURES["brightness"]
    [one] = found(G, by="stylespace", k=1, measure=Attribute("brightness", bright))
    known = Effects.of(G, StyleSpace.of(G), bright).best(0, 1)[0]
    assert same([one], [known]) and one.found["measure"] == "brightness" and "dependency" not in one.found


def test_a_mask_is_a_region_like_a_box(G: Generator, tmp_path: Path) -> None:
    """Of any size: that of the model's pictures is 32."""
    painted = np.zeros((48, 48), np.uint8)
    painted[:24, :24] = 255
    Image.fromarray(painted).save(tmp_path / "mask.png")
    region = region_of(str(tmp_path / "mask.png"))
    assert same(found(G, by="here", k=2, region=region), found(G, by="here", k=2, region=(0.0, 0.0, 0.5, 0.5)))
    ways = found(G, by="stylespace", k=2, region=region)
    known = Reach.of(G, StyleSpace.of(G)).inside(fitted(mask(tmp_path / "mask.png"), 32), count=2)
    assert same(ways, known)


def test_labels_that_were_kept_say_themselves_what_they_are(G: Generator, tmp_path: Path) -> None:
    kept = Labels("smile", class_index=2).said([3], 1)
    told = {"by": "labels", "labels": kept.write(tmp_path / "smile.json")}
    for more in ({"count": 50}, {"kind": "pairs"}, {"name": "grin"}):
        with pytest.raises(KinesphereError, match=f"{next(iter(more))} says nothing to labels that were kept"):
            Search(**told, **more)
    with pytest.raises(KinesphereError, match="of pictures of class 2: say --class 2"):
        Search(**told)
    assert Search(**told, class_index=2).kept == kept


@pytest.mark.parametrize(
    "told, said",
    [
        ({"by": "magic"}, "no way 'magic' to find directions: there are pca, sefa, labels, stylespace, here"),
        ({"by": "sefa", "layer": "b8.conv0"}, "layer is for pca: leave it out"),
        ({"by": "sefa", "count": 9}, "count is for pca and labels"),
        ({"by": "pca", "region": (0, 0, 1, 0.5)}, "region is for stylespace and here"),
        ({"by": "labels"}, "labels come from a table or from a measure"),
        ({"by": "labels", "labels": Path("a.csv"), "count": 9}, "count says nothing to a table"),
        ({"by": "labels", "measure": LIGHT, "kind": "pairs"}, "kind says nothing to a measure"),
        ({"by": "labels", "measure": LIGHT, "method": "svm"}, "no method 'svm' for graded labels: there are ridge"),
        ({"by": "labels", "labels": Path("a.csv"), "kind": "odd"}, "kind 'odd': there are yes-no"),
        ({"by": "pca", "against": ("pc1",)}, "against is for labels"),
        ({"by": "sefa", "measure": LIGHT}, "measure is for labels and stylespace"),
        (
            {"by": "stylespace", "region": (0, 0, 1, 0.5), "where": True},
            "where is for pca and sefa and labels and here",
        ),
        ({"by": "stylespace", "region": (0, 0, 1, 0.5), "measure": LIGHT}, "by where they act or by what they change"),
        ({"by": "stylespace"}, "give a region, as 0.3,0.6,0.7,0.9"),
        ({"by": "stylespace", "region": (0, 0, 1, 0.5), "rows": "coarse"}, "a channel is of one layer"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_done(told: dict, said: str) -> None:
    with pytest.raises(KinesphereError, match=said):
        Search(**told)


def test_a_region_is_read() -> None:
    assert region_of("") is None and region_of("0, 0.5,1,1") == (0, 0.5, 1, 1)
    for wrong in ("0,1", "a,b,c,d", "0.5,0,0.2,1"):
        with pytest.raises(KinesphereError, match="give left, top, right, bottom|left must be less"):
            region_of(wrong)
