"""Moving along a direction: one is one standard deviation of the model's own latents, in every space and every family."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from kinesphere import latent
from kinesphere.bends import bent
from kinesphere.studio.directions import AnotherModel, Axis, Direction
from kinesphere.studio.latents import Fingerprint, affines, styles
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

FAMILIES = ["stylegan1", "stylegan2", "stylegan3"]


def vector(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def naturals(G, count=4000):
    """Latents that the measuring has not seen."""
    z = torch.from_numpy(np.random.RandomState(9).randn(count, G.z_dim).astype(np.float32))
    with torch.no_grad():
        return z_to_ws(G, z)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", ["w", "w+"])
def test_one_step_is_one_deviation_of_natural_latents(family, space):
    """Whatever the length of the vector: the coordinate of fresh latents has deviation 1."""
    G = tiny_generator(family)
    shape = (G.w_dim,) if space == "w" else (G.num_ws, G.w_dim)
    whole = f"0-{G.num_ws - 1}"
    axis = Axis.of(G, Direction(70 * vector(*shape), space, rows=whole))
    coordinates = axis.coordinate(naturals(G))
    assert float(coordinates.std()) == pytest.approx(1, rel=0.05)
    along = (axis.direction.unit * naturals(G)).sum((1, 2) if space == "w+" else 2).reshape(len(coordinates), -1)[:, 0]
    assert float(axis.step.norm() / (1 if space == "w+" else G.num_ws**0.5)) == pytest.approx(
        float(along.std()), rel=0.05
    )


@given(amount=st.floats(-6, 6), rows=st.sampled_from(["all", "coarse", "fine", "2", "1-3"]), seed=st.integers(0, 99))
def test_moving_adds_to_the_coordinate_and_leaves_other_rows_alone(amount, rows, seed):
    G = tiny_generator("stylegan2")
    axis, ws = Axis.of(G, Direction(vector(G.w_dim), "w"), rows), vector(2, G.num_ws, G.w_dim, seed=seed)
    moved = axis.moved(ws, amount)
    torch.testing.assert_close(axis.coordinate(moved), axis.coordinate(ws) + amount, atol=1e-4, rtol=1e-4)
    others = [row for row in range(G.num_ws) if row not in range(G.num_ws)[axis.rows]]
    assert torch.equal(moved[:, others], ws[:, others])
    torch.testing.assert_close(axis.coordinate(axis.placed(ws, amount)), torch.full((2,), amount), atol=1e-4, rtol=1e-4)


def test_each_of_a_batch_goes_its_own_way(tiny):
    axis, ws = Axis.of(tiny, Direction(vector(tiny.w_dim), "w")), vector(3, tiny.num_ws, tiny.w_dim)
    moved = axis.moved(ws, torch.tensor([0.0, 1.0, -2.0]))
    for i, amount in enumerate([0.0, 1.0, -2.0]):
        torch.testing.assert_close(moved[i : i + 1], axis.moved(ws[i : i + 1], amount))


def test_0_is_bit_for_bit_where_it_was(tiny):
    ws = vector(1, tiny.num_ws, tiny.w_dim)
    assert torch.equal(Axis.of(tiny, Direction(vector(tiny.w_dim), "w")).moved(ws, 0.0), ws)


def test_the_average_picture_is_at_0(tiny):
    axis = Axis.of(tiny, Direction(vector(tiny.w_dim), "w"))
    assert float(axis.coordinate(tiny.w_avg.expand(1, tiny.num_ws, -1))) == 0


def test_the_mean_of_a_class_is_at_0_of_that_class():
    """10,000 latents: the error of their mean is a hundredth."""
    G = tiny_generator("stylegan2", c_dim=3)
    axis = Axis.of(G, Direction(vector(G.w_dim), "w"), class_index=2)
    z = torch.from_numpy(np.random.RandomState(9).randn(4000, G.z_dim).astype(np.float32))
    with torch.no_grad():
        coordinates = axis.coordinate(z_to_ws(G, z, 2))
    assert float(coordinates.mean()) == pytest.approx(0, abs=0.06)
    of_all = axis.coordinate(G.w_avg.expand(1, G.num_ws, -1))
    assert abs(float(of_all)) > 0.2


def test_along_z_a_latent_is_moved_and_set(tiny):
    axis, z = Axis.of(tiny, Direction(3 * vector(tiny.z_dim), "z")), vector(2, tiny.z_dim, seed=5)
    torch.testing.assert_close(axis.coordinate(z), z @ axis.direction.unit)
    torch.testing.assert_close(axis.moved(z, 2.0), z + 2 * axis.direction.unit)
    torch.testing.assert_close(axis.coordinate(axis.placed(z, torch.tensor([1.0, -2.0]))), torch.tensor([1.0, -2.0]))


class Waits(TorchDispatchMode):
    """Counts how often a number is fetched from a tensor: on a GPU each time all that it has to do is waited for."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("space", ["w", "z"])
def test_no_device_is_waited_for(tiny, space):
    place = vector(2, tiny.num_ws, tiny.w_dim) if space == "w" else vector(2, tiny.z_dim)
    axis = Axis.of(tiny, Direction(vector(place.shape[-1]), space, sigma=0.5))
    with Waits() as waits:
        for amount in (1.5, torch.tensor([1.5, 0.0])):
            axis.moved(place, amount)
            axis.placed(place, amount)
    assert waits.count == 0


def test_a_vector_for_each_row_moves_them_apart(tiny):
    """As the published directions [18, 512] do: zeros leave a row alone."""
    rows = vector(tiny.num_ws, tiny.w_dim)
    rows[2:] = 0
    ws = vector(1, tiny.num_ws, tiny.w_dim)
    away = Axis.of(tiny, Direction(rows, "w+")).moved(ws, 1.0) - ws
    assert not away[0, 2:].any()
    torch.testing.assert_close(away[0, 0] / away[0, 0].norm(), rows[0] / rows[0].norm(), atol=1e-4, rtol=1e-4)


def test_rows_all_alike_are_the_same_as_one_for_all(tiny):
    one = vector(tiny.w_dim)
    a = Axis.of(tiny, Direction(one, "w"))
    b = Axis.of(tiny, Direction(one.expand(tiny.num_ws, -1).clone(), "w+"))
    torch.testing.assert_close(a.step, b.step)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_style_moves_by_its_own_deviation_and_no_other_moves(family):
    G = tiny_generator(family)
    channels = {name: len(affine.bias) for name, affine in affines(G).items()}
    layer = list(channels)[2]
    which = sum(count for name, count in channels.items() if list(channels).index(name) < 2) + 1
    chosen = torch.zeros(sum(channels.values()))
    chosen[which] = -5
    axis, ws = Axis.of(G, Direction(chosen, "s")), naturals(G, 1)
    with bent(G, axis.styled(G, 2.0)):
        moved = styles(G, ws)
    own = styles(G, ws)
    spread = affines(G)[layer](naturals(G)[:, 0])[:, 1].std()
    for name in channels:
        away = moved[name] - own[name]
        expected = torch.zeros_like(away)
        if name == layer:
            expected[0, 1] = -2 * spread
        torch.testing.assert_close(away, expected, rtol=0.05, atol=1e-5)


def test_in_z_a_deviation_is_1(tiny):
    assert float(Axis.of(tiny, Direction(3 * vector(tiny.z_dim), "z")).step.norm()) == pytest.approx(1)


def test_sigma_is_taken_as_it_was_told(tiny):
    axis = Axis.of(tiny, Direction(vector(tiny.w_dim), "w", sigma=0.25))
    assert float(axis.step[0].norm()) == pytest.approx(0.25)


def test_a_class_has_its_own_deviation():
    G = tiny_generator("stylegan2", c_dim=3)
    one = Direction(vector(G.w_dim), "w")
    z = torch.from_numpy(np.random.RandomState(0).randn(10_000, G.z_dim).astype(np.float32))
    for index in (0, 2):
        with torch.no_grad():
            own = (z_to_ws(G, z, index)[:, 0] @ one.unit).std()
        assert float(Axis.of(G, one, class_index=index).step[0].norm()) == pytest.approx(float(own), rel=1e-3)


def test_a_direction_of_another_model_is_refused_by_its_weights_and_by_its_size(tiny):
    other = Fingerprint(whole="another", mapping="another too")
    strange = Direction(vector(tiny.w_dim), "w", "smile", model=other)
    with pytest.raises(AnotherModel, match="'smile' was found in another model"):
        Axis.of(tiny, strange)
    assert Axis.of(tiny, strange, anyway=True).step.any()
    relative = Fingerprint("another", Fingerprint.of(tiny).mapping)
    assert Axis.of(tiny, Direction(vector(tiny.w_dim), "w", model=relative)).step.any()  # it shares W
    styles_of_it = Direction(vector(sum(len(one.bias) for one in affines(tiny).values())), "s", model=relative)
    with pytest.raises(AnotherModel):  # and makes other styles of it
        Axis.of(tiny, styles_of_it)
    with pytest.raises(KinesphereError, match=r"is of W \[13\], and does not fit this model, whose are \[12\]"):
        Axis.of(tiny, Direction(vector(13), "w"), anyway=True)
    with pytest.raises(KinesphereError, match="is of W[+]"):
        Axis.of(tiny, Direction(vector(5, tiny.w_dim), "w+"))


def test_what_leads_nowhere_is_refused(tiny):
    rows = torch.zeros(tiny.num_ws, tiny.w_dim)
    rows[0] = 1
    with pytest.raises(KinesphereError, match="moves nothing in the rows 3"):
        Axis.of(tiny, Direction(rows, "w+"), "3")
    with pytest.raises(KinesphereError, match="no rows 40"):
        Axis.of(tiny, Direction(vector(tiny.w_dim), "w"), "40")
    with pytest.raises(KinesphereError, match="is of Z, which moves all rows"):
        Axis.of(tiny, Direction(vector(tiny.z_dim), "z"), "coarse")


def test_where_natural_latents_do_not_differ_there_is_no_scale():
    G = tiny_generator("stylegan2")
    last = G.mapping.fc1
    with torch.no_grad():
        last.weight[4] = 0  # so that entry 4 of w is always the same
    flat = torch.zeros(G.w_dim)
    flat[4] = 1
    with pytest.raises(KinesphereError, match="none of the model's own latents differ"):
        Axis.of(G, Direction(flat, "w"))


def test_natural_latents_are_taken_once_and_by_class(monkeypatch):
    G, count = tiny_generator("stylegan2", c_dim=2), []
    sample = latent.sample_w
    monkeypatch.setattr(latent, "sample_w", lambda *a, **k: count.append(1) or sample(*a, **k))
    for index in (0, 0, 1, 0):
        Axis.of(G, Direction(vector(G.w_dim), "w"), class_index=index)
    assert len(count) == 2
