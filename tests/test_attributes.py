"""What is known of the pictures: read from the table beside the set, learnt by D, and kept with the run."""

import csv
import json

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tiny_runs import TINY, paint_greys, training, whole_and_halves
from torch.testing import assert_close

from kinesphere.train import launch
from kinesphere.train.attributes import AttributeLines, energy_distance, read_attributes
from kinesphere.train.datasets import open_set
from kinesphere.train.recipe import parse, plan
from kinesphere.types import KinesphereError


@pytest.fixture
def greys(tmp_path):
    """Forty plain pictures of 16 px, and a table that knows how light each is, and what no picture shows."""
    folder = tmp_path / "greys"
    light = paint_greys(folder)
    (folder / "dataset.json").write_text(json.dumps({"labels": None}))
    hidden = np.random.RandomState(0).permutation(40)
    rows = [(f"{i:02d}.png", light[i] / 255, hidden[i], "round") for i in range(40)]
    table(folder, rows)
    return folder


def table(folder, rows, header=("name", "light", "hidden", "shape")):
    with open(f"{folder}-factors.csv", "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_numbers_come_to_mean_0_and_deviation_1_and_some_turn_in_the_mirror(greys):
    known = read_attributes(open_set(greys), ["light", "-hidden"])
    assert known.names == ("light", "hidden")
    assert_close(known.values.mean(0), np.zeros(2, np.float32), atol=1e-6, rtol=0)
    assert_close(known.values.std(0), np.ones(2, np.float32), atol=1e-6, rtol=0)
    plain, mirrored = known.of(np.array([3, 7]), None), known.of(np.array([3, 7]), np.array([True, False]))
    assert_close(mirrored, np.array([[plain[0, 0], -plain[0, 1]], plain[1]]))


def test_a_column_of_words_is_as_many_attributes_as_it_has_words(greys):
    table(greys, [(f"{i:02d}.png", 0.5, i, "round" if i < 10 else "square") for i in range(40)])
    known = read_attributes(open_set(greys), ["shape=round", "shape=square"])
    assert known.names == ("shape=round", "shape=square")
    assert_close(known.values[:, 0], -known.values[:, 1])
    assert_close(known.values[0, 0] / known.values[39, 0], np.float32(-3.0), atol=1e-5, rtol=0)  # 1/4 against 3/4


def test_d_learns_to_read_what_can_be_seen(greys, one_thread):
    t = training(greys, attributes=("light",), attributes_weight=4.0)
    for _ in range(150):
        t.step()
    t.tell()
    for _ in range(10):
        t.step()
    assert t.tell()["attributes"] < 0.2  # 1 is what knowing nothing costs


def test_the_energy_distance_is_that_of_the_distribution_functions():
    from scipy.stats import energy_distance as reference

    rng = np.random.RandomState(0)
    x, y = rng.randn(400, 2), rng.randn(300, 2) * [0.5, 1.0] + [0.0, 0.3]
    # scipy counts each thing against itself too, and takes the root (of the same integral)
    n, m = len(x), len(y)
    within = [np.abs(z[:, None] - z[None]).mean((0, 1)) for z in (x, y)]
    expected = sum(reference(x[:, k], y[:, k]) ** 2 - within[0][k] / (n - 1) - within[1][k] / (m - 1) for k in range(2))
    assert float(energy_distance(torch.tensor(x), torch.tensor(y))) == pytest.approx(expected, rel=1e-9)


def test_the_energy_distance_of_like_things_is_0_in_the_mean_however_few():
    draw = torch.Generator().manual_seed(0)
    few = [energy_distance(*torch.randn(2, 4, 1, generator=draw, dtype=torch.float64)) for _ in range(4000)]
    assert float(torch.stack(few).mean()) == pytest.approx(0, abs=0.03)


def teach(t, teacher, steps):
    """Ask nothing of G but what it is asked of attributes."""
    for _ in range(steps):
        ws = t.styles("G", t.parts[0], 8)[0]
        t.D(t.G.synthesis(ws))
        t.asked_of_attributes(t.parts[0], t.reals(t.parts[0]), ws, None).backward()
        teacher.step()
        teacher.zero_grad()
        t.steps += 1


def test_g_learns_to_vary_as_the_pictures_do(greys, one_thread):
    """D has learnt to read lightness; a G whose pictures it finds alike is asked for nothing but to differ as real ones do."""
    t = training(greys, attributes=("light",), attributes_weight=4.0, attributes_match=("light",), lr_G=1e-9)
    for _ in range(150):
        t.step()
    z = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))

    def read(pictures):
        with torch.no_grad():
            t.D(pictures)
            return t.head()

    def made():
        with torch.no_grad():
            return t.G.synthesis(t.G.mapping(z))

    real = read(torch.from_numpy(t.data.batch(np.arange(40))).float() / 127.5 - 1)
    before, teacher = read(made()), torch.optim.Adam(t.G.parameters(), 0.0025)
    teach(t, teacher, 60)
    after = read(made())
    assert before.std() < 0.6 * real.std() and abs(float(after.std() / real.std()) - 1) < 0.3
    assert energy_distance(after, real) < 0.25 * energy_distance(before, real)


def test_g_learns_to_draw_along_straight_lines_of_w(greys, one_thread):
    """D has learnt to read lightness; G is asked to vary in it as real pictures do, and evenly with w."""
    asked = dict(attributes=("light",), attributes_weight=4.0, attributes_match=("light",), style_mixing=0.0)
    t = training(greys, attributes_line=("light",), lr_G=1e-9, **asked)
    for _ in range(150):
        t.step()
    z = torch.randn(256, 4, generator=torch.Generator().manual_seed(1))

    @torch.no_grad()
    def straight():
        """The share of the variance of what D reads that a straight line through W tells."""
        ws = t.G.mapping(z)
        t.D(t.G.synthesis(ws))
        read, w = t.head()[:, 0], torch.cat([ws[:, 0], torch.ones(256, 1)], 1)
        left = read - w @ torch.linalg.lstsq(w, read[:, None]).solution[:, 0]
        return 1 - float(left.var() / read.var()), float(read.std())

    before, _ = straight()
    teacher = torch.optim.Adam([*t.G.parameters(), *t.lines.parameters()], 0.0025, (0.0, 0.99))
    teach(t, teacher, 150)
    after, spread = straight()
    assert before < 0.6 and after > 0.9  # without the lines it stays between 0.4 and 0.7
    assert spread > 0.75  # and not by drawing all pictures alike


def test_a_line_tells_numbers_that_vary_as_much_as_the_real_ones_however_badly_it_fits():
    rng = torch.Generator().manual_seed(0)
    lines = AttributeLines(4, ["a", "b"])
    for _ in range(400):
        lines.follow(torch.tensor([0.25, 4.0]))
    ws = torch.randn(500, 6, 4, generator=rng) * 3 + 1
    told = lines(ws, ws)
    assert_close(told.std(0), torch.tensor([0.5, 2.0]), atol=0.01, rtol=0.01)
    assert_close(told.mean(0), torch.zeros(2), atol=1e-4, rtol=0)


def test_g_is_never_asked_for_a_number(greys, one_thread):
    with_head, without = training(greys, attributes=("light",)), training(greys)
    for t in (with_head, without):
        t.step_G([t.reals(part) for part in t.parts])
    for one, other in zip(with_head.G.parameters(), without.G.parameters(), strict=True):
        assert torch.equal(one, other)
    assert with_head.head is not None and all(p.grad is None for p in with_head.head.parameters())


def test_a_resumed_run_reads_on_as_if_nothing_had_been(greys, tmp_path, one_thread):
    whole, halves = whole_and_halves(greys, tmp_path, attributes=("light", "-hidden"), attributes_line=("hidden",))
    assert whole.keys() == halves.keys()
    assert all(any(key.startswith(f"opt_{aide}.") for key in whole) for aide in ("head", "lines"))
    assert not [key for key in whole if not torch.equal(whole[key], halves[key])]


def test_the_head_is_not_part_of_a_snapshot(greys, tmp_path, one_thread):
    from kinesphere import checkpoints

    run = launch.run(str(greys), tmp_path / "run", Fabric(accelerator="cpu"), **(TINY | dict(attributes=("light",))))
    for _ in run.go():
        pass
    D = checkpoints.load(str(tmp_path / "run")).D
    assert D is not None and not [name for name in D.state_dict() if "head" in name or "line" in name]


@pytest.mark.parametrize(
    "rows, asked, said",
    [
        (None, "light", "there is none that can be read"),
        ([("00.png", 1, 1, "a")], "light", "no row for 01.png"),
        ([(f"{i:02d}.png", 1, 1, "a") for i in range(40)], "smile", "no attribute 'smile' in .*: it has hidden, light, shape"),
        ([(f"{i:02d}.png", 1, 1, "a") for i in range(40)], "shape", "shape of 00.png .* is 'a': attributes are numbers"),
        ([(f"{i:02d}.png", 1, 1, "a") for i in range(40)], "shape=b", "shape is never 'b' in 'greys-factors.csv': it is a"),
        ([(f"{i:02d}.png", "nan", 1, "a") for i in range(40)], "light", "light of 00.png in 'greys-factors.csv' is 'nan'"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_do_is_refused_in_words(greys, rows, asked, said):
    if rows is None:
        greys.with_name("greys-factors.csv").unlink()
    else:
        table(greys, rows)
    with pytest.raises(KinesphereError, match=said):
        read_attributes(open_set(greys), [asked])


def test_a_number_that_never_changes_is_no_trouble(greys):
    table(greys, [(f"{i:02d}.png", 0.5, i, "a") for i in range(40)])
    known = read_attributes(open_set(greys), ["light", "hidden"])
    assert np.isfinite(known.values).all() and not known.values[:, 0].any()


def test_attributes_are_named_on_the_command_line():
    assert parse(["attributes=smile,-turn", "attributes_weight=2", "attributes_match=turn"]) == {
        "attributes": ("smile", "-turn"),
        "attributes_weight": 2.0,
        "attributes_match": ("turn",),
    }


@pytest.mark.parametrize("name", ["attributes_match", "attributes_line"])
def test_only_what_d_reads_can_be_asked_of_g(name):
    with pytest.raises(KinesphereError, match=f"{name} .*smile.* cannot be: give some of the attributes"):
        plan(16, 3, 0, 40, "cpu", attributes=("light",), **{name: ("smile",)})
