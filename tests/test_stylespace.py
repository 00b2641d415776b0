"""Single style channels: their statistics, and those that go along with an attribute."""

import pytest
import torch
from conftest import tiny_generator

from kinesphere import latent
from kinesphere.bends import bent
from kinesphere.studio.directions import Axis
from kinesphere.studio.directions.axis import measured
from kinesphere.studio.directions.stylespace import StyleSpace, styles_of
from kinesphere.studio.latents import styles
from kinesphere.studio.sheets import z_to_ws
from kinesphere.types import KinesphereError

FAMILIES = ["stylegan1", "stylegan2", "stylegan3"]


@pytest.fixture(scope="module")
def model():
    G = tiny_generator("stylegan2")
    return G, StyleSpace.of(G)


def natural_ws(G, count):
    return latent.seeds_to_z(range(count), G.z_dim), z_to_ws(G, latent.seeds_to_z(range(count), G.z_dim)).detach()


@pytest.mark.parametrize("family", FAMILIES)
def test_styles_are_those_of_the_picture(family):
    G = tiny_generator(family)
    ws = torch.randn(3, G.num_ws, G.w_dim, generator=torch.Generator().manual_seed(1))
    drawn = torch.cat(list(styles(G, ws).values()), 1)
    torch.testing.assert_close(styles_of(G, ws), drawn, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_mean_and_sigma_are_those_of_natural_latents(family):
    G = tiny_generator(family)
    space = StyleSpace.of(G)
    w = latent.sample_w(lambda z: z_to_ws(G, z), G.z_dim)
    seen = styles_of(G, w[:, None].expand(-1, G.num_ws, -1))
    torch.testing.assert_close(space.mean, seen.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(space.sigma, seen.std(0), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_that_colour_or_place_the_picture_are_left_out(family):
    G = tiny_generator(family)
    layers = G.layers()
    for name in StyleSpace.of(G).layers:
        assert not name.endswith("torgb") and name != "input" and not getattr(layers[name], "is_torgb", False)


def test_a_channel_moves_itself_alone_by_its_deviation(model):
    G, space = model
    one = space.channel("b8.conv1", 5)
    _, ws = natural_ws(G, 2)
    before = torch.cat(list(styles(G, ws).values()), 1)
    with bent(G, Axis.of(G, one).styled(G, 2.0)):
        moved = torch.cat(list(styles(G, ws).values()), 1) - before
    place = space.layers["b8.conv1"].start + 5
    torch.testing.assert_close(moved[:, place], torch.full([2], 2 * one.sigma), rtol=1e-4, atol=1e-5)
    assert moved.count_nonzero() == 2
    assert one.name == "b8.conv1 5" and one.found == {"by": "stylespace", "layer": "b8.conv1", "channel": 5}


def test_no_amount_is_the_picture_itself(model):
    G, space = model
    _, ws = natural_ws(G, 1)
    with torch.no_grad():
        own = G.synthesis(ws)
        with bent(G, Axis.of(G, space.channel("b16.conv0", 3)).styled(G, 0.0)):
            assert torch.equal(G.synthesis(ws), own)


def test_its_sigma_is_what_an_axis_measures(model):
    G, space = model
    one = space.channel("b16.conv1", 2)
    assert one.sigma == pytest.approx(measured(G, one), rel=1e-4)


@pytest.fixture(scope="module")
def planted(model):
    """Styles of samples that are independent of each other, as far as samples are, and of which one channel is an attribute."""
    _, space = model
    seen = torch.randn(400, len(space.mean), generator=torch.Generator().manual_seed(4))
    return space.mean + space.sigma * seen, space.layers["b16.conv0"].start + 7, seen


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("graded", [True, False])
def test_labels_name_the_planted_channel_first_and_which_way(model, planted, graded, sign):
    _, space = model
    drawn, place, seen = planted
    noise = torch.randn(400, generator=torch.Generator().manual_seed(5))
    labels = sign * seen[:, place] + 0.5 * noise
    first = space.by_labels(drawn, labels if graded else labels > 0)[0]
    assert first.name == "b16.conv0 7"
    assert float(first.vector[place]) == sign
    if graded:
        wanted = torch.corrcoef(torch.stack([labels, drawn[:, place]]))[0, 1]
        assert first.found["score"] == pytest.approx(abs(float(wanted)), abs=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_examples_name_the_channel_in_which_they_agree(model, planted, sign):
    _, space = model
    drawn, place, seen = planted
    examples = drawn[(sign * seen[:, place]).topk(20).indices]
    first = space.by_examples(examples, count=3)[0]
    assert first.name == "b16.conv0 7" and float(first.vector[place]) == sign
    standard = (examples[:, place] - space.mean[place]) / space.sigma[place]
    assert first.found["score"] == pytest.approx(float(standard.mean().abs() / standard.std()), rel=1e-4)


def test_a_dead_channel_is_no_slider():
    G = tiny_generator("stylegan2")
    with torch.no_grad():
        G.layers()["b8.conv0"].affine.weight[3] = 0
    space = StyleSpace.of(G)
    assert space.layers["b8.conv0"].start + 3 not in space.channels()
    with pytest.raises(KinesphereError, match="channel 3 of b8.conv0 is the same for all latents"):
        space.channel("b8.conv0", 3)


def test_layers_are_asked_for_by_name(model):
    _, space = model
    taken = space.channels(["b8.conv1"])
    assert taken == list(range(space.layers["b8.conv1"].start, space.layers["b8.conv1"].stop))


def test_what_is_not_there_is_said_in_words(model):
    _, space = model
    with pytest.raises(KinesphereError, match=r"no layer 'b9.conv1'.*b8.conv0"):
        space.channel("b9.conv1", 0)
    with pytest.raises(KinesphereError, match=r"no layer 'b8.torgb'"):
        space.channels(["b8.torgb"])
    with pytest.raises(KinesphereError, match="no channel 12 in b8.conv0: it has 0 to 11"):
        space.channel("b8.conv0", 12)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 0], "2 labels of 4 samples"),
        ([1, 1, 1, 1], "all labels are the same"),
        ([1, 0, 1, float("nan")], "no number"),
    ],
)
def test_labels_that_teach_nothing_are_refused(model, labels, said):
    _, space = model
    with pytest.raises(KinesphereError, match=said):
        space.by_labels(torch.zeros(4, len(space.mean)), torch.tensor(labels))


def test_one_example_is_none(model):
    _, space = model
    with pytest.raises(KinesphereError, match="1 examples are too few"):
        space.by_examples(torch.zeros(1, len(space.mean)))
