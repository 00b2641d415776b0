"""From a model to the page of what it knows, by one command."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kinesphere import checkpoints, cli
from kinesphere.studio import representations
from kinesphere.train import probing
from kinesphere.train.judge import CLASSES, NUMBERS
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(probing, "PATHS", 4)
    monkeypatch.setattr(representations, "OTHERS", 40)
    monkeypatch.setattr(representations, "MOST", 30)


@pytest.fixture
def model(tiny_checkpoint, tmp_path):
    path = tmp_path / "tiny.safetensors"
    checkpoints.save(tiny_checkpoint, path)
    return str(path)


@pytest.fixture
def table(tiny_checkpoint, tmp_path):
    """A label that is a straight line through z, and whether another is high; every third picture was not labelled."""
    path = tmp_path / "labels.csv"
    z = np.stack([np.random.RandomState(seed).randn(tiny_checkpoint.G_ema.z_dim) for seed in range(10, 210)])
    rows = [f"{seed},{a:.4f},{'yes' if b > 0 else 'no'}" for seed, (a, b) in enumerate(z[:, :2], 10)]
    path.write_text("\n".join(["seed,age,hat", *rows]))
    return str(path)


def invoke(*words):
    return CliRunner().invoke(cli.app, ["probe", *map(str, words)])


def test_a_table_is_asked_of_every_space(model, table, tmp_path):
    out = tmp_path / "probes.html"
    done = invoke(model, "--labels", table, "--spaces", "z,b4.conv1,pixels", "--features", "filterbank", "--out", out)
    assert done.exit_code == 0, done.output
    found = json.loads(out.with_suffix(".json").read_text())
    assert found["model"] == "tiny" and found["facts"]["labels by"] == "labels.csv"
    assert list(found["spaces"]) == ["z", "b4.conv1", "pixels", "filterbank"]
    assert found["scores"]["z"]["age"]["score"] > 0.98 and found["scores"]["z"]["hat"]["score"] > 0.85
    assert found["path length"].keys() == {"w", "z"}
    assert all(sentence in done.output for sentence in found["words"])


def test_the_judge_tells_where_no_table_does(tiny_checkpoint):
    asked = probing.judged(range(120))
    found = probing.knowledge(tiny_checkpoint, asked, wanted=["w"])
    assert {*found.kinds, *found.left_out} == {*NUMBERS, *CLASSES} and "hair" in {*found.kinds, *found.left_out}


def test_no_more_rows_than_were_asked_for(table):
    asked = probing.tabled(Path(table), 50)
    assert list(asked.seeds) == list(range(10, 60)) and len(asked.labels["age"]) == 50


def test_what_cannot_be_is_said_before_a_picture_is_drawn(model, table, tmp_path):
    def refused(*words):
        with pytest.raises(KinesphereError) as error:
            raise invoke(*words).exception
        return str(error.value)

    there = tmp_path / "there.html"
    there.write_text("mine")
    assert "is there already" in refused(model, "--labels", table, "--out", there)
    assert there.read_text() == "mine"
    out = tmp_path / "new.html"
    assert "let it end in .html" in refused(model, "--labels", table, "--out", tmp_path / "new.json")
    assert "no space 'v'" in refused(model, "--labels", table, "--spaces", "v", "--out", out)
    assert "cannot be read" in refused(model, "--labels", tmp_path / "absent.csv", "--out", out)
    assert "100 are needed" in refused(model, "--labels", table, "--count", 20, "--out", out)
    assert not out.exists()
