"""Where single style channels act, and what they do."""

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from torch import nn

from kinesphere.bends import bent
from kinesphere.models import Generator
from kinesphere.models.mapping import Dense
from kinesphere.ops import to_pixels
from kinesphere.studio.directions import Axis
from kinesphere.studio.directions.reach import Effects, Reach, dependency
from kinesphere.studio.directions.stylespace import StyleSpace
from kinesphere.studio.latents import hashed
from kinesphere.studio.sheets import seeds_to_ws
from kinesphere.types import KinesphereError

SIDE, HALF = 16, 8
QUARTERS = [(0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1)]


class Straight(nn.Module):
    """w is z."""

    def __init__(self):
        super().__init__()
        self.register_buffer("w_avg", torch.zeros(6))

    def forward(self, z, c=None):
        return z[:, None]


class Lamps(nn.Module):
    """Channels 0 to 3 light a quarter of the picture each, 4 lights all of it, 5 the first quarter, faintly."""

    def __init__(self):
        super().__init__()
        self.affine = Dense(6, 6)
        self.affine.weight = nn.Parameter(torch.eye(6) * 6**0.5)  # so that styles are w
        lamps = torch.zeros(6, 3, SIDE, SIDE)
        for i in range(4):
            y, x = divmod(i, 2)
            lamps[i, :, y * HALF : y * HALF + HALF, x * HALF : x * HALF + HALF] = 0.1 * (i + 1)
        lamps[4], lamps[5] = 0.1, lamps[0] * 0.01
        self.register_buffer("lamps", lamps)

    def forward(self, w):
        return torch.einsum("nk,kchw->nchw", self.affine(w), self.lamps)


class Board(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = Lamps()

    def forward(self, ws, noise_mode="const"):
        return self.conv1(ws[:, 0])


class Lit(Generator):
    family = "lit"

    def __init__(self):
        sizes = {"z_dim": 6, "c_dim": 0, "w_dim": 6, "img_resolution": SIDE, "img_channels": 3}
        super().__init__(sizes, num_ws=1)
        self.config = {}
        self.mapping, self.synthesis = Straight(), Board()

    def row_resolutions(self):
        return [16.0]

    def layers(self):
        return {"b16.conv1": self.synthesis.conv1}


@pytest.fixture(scope="module")
def lit():
    G = Lit()
    space = StyleSpace.of(G)
    return G, space, Reach.of(G, space, seeds=range(3))


@pytest.mark.parametrize("quarter", range(4))
def test_the_channel_that_lights_a_quarter_is_found_in_it(lit, quarter):
    _, space, reach = lit
    (found,) = reach.inside(QUARTERS[quarter])
    assert found.name == f"b16.conv1 {quarter}"
    assert found.found["score"] == 1
    sigma = float(space.sigma[quarter])
    assert found.sigma == pytest.approx(sigma)
    assert found.found["gain"] == pytest.approx(0.1 * (quarter + 1) * sigma, rel=1e-3)
    assert found.found["region"] == list(QUARTERS[quarter])


def test_a_mask_is_a_region_too(lit):
    _, _, reach = lit
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:HALF, HALF:] = True
    assert [one.name for one in reach.inside(mask)] == ["b16.conv1 1"]


def test_beside_a_region_that_it_is_in_as_well_a_channel_belongs_to_neither(lit):
    _, _, reach = lit
    left_of_it = (0.5, 0, 0.75, 0.5)
    assert [one.name for one in reach.inside(QUARTERS[1], others=[QUARTERS[0]])] == ["b16.conv1 1"]
    with pytest.raises(KinesphereError, match="no channel acts in this part more than elsewhere"):
        reach.inside(QUARTERS[1], others=[left_of_it])


def test_each_map_is_the_change_of_the_picture():
    G = tiny_generator("stylegan2")
    space = StyleSpace.of(G)
    reach = Reach.of(G, space, ["b8.conv0"], seeds=[5])
    one, ws = space.channel("b8.conv0", 4), seeds_to_ws(G, [5])
    with torch.no_grad():
        own = G.synthesis(ws)
        with bent(G, Axis.of(G, one).styled(G, 0.1)):
            change = (G.synthesis(ws) - own).abs().mean(1)[0] / 0.1
    torch.testing.assert_close(reach.maps[0, 4].float(), change, rtol=0.02, atol=2e-4)


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_every_family_is_looked_through_and_left_as_it_was(family):
    G = tiny_generator(family)
    before, told = hashed(G.state_dict()), []
    space = StyleSpace.of(G)
    layer = list(space.layers)[2]
    reach = Reach.of(G, space, [layer], seeds=range(2), on_picture=lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
    assert reach.maps.shape == (2, len(space.channels([layer])), 32, 32) and bool((reach.maps > 0).any())
    assert hashed(G.state_dict()) == before and not any(part._forward_hooks for part in G.modules())


def test_a_bend_that_somebody_plays_meanwhile_changes_nothing(lit):
    G, space, reach = lit
    with bent(G, {"b16.conv1": lambda x: x * 0}):
        assert torch.equal(Reach.of(G, space, seeds=range(3)).maps, reach.maps)


def test_the_whole_picture_is_no_part_of_it(lit):
    _, _, reach = lit
    with pytest.raises(KinesphereError, match="whole picture"):
        reach.inside((0, 0, 1, 1))


def test_no_such_layer(lit):
    G, space, _ = lit
    with pytest.raises(KinesphereError, match=r"no layer 'b8.conv1'.*b16.conv1"):
        Reach.of(G, space, ["b8.conv1"])


def quarters(pictures):
    """How bright each quarter is; of the last its darkness. uint8 [N, H, W, 3] -> [N, 4]."""
    bright = pictures.mean(3).reshape(-1, 2, HALF, 2, HALF).mean((2, 4)).reshape(-1, 4)
    return bright * np.array([1, 1, 1, -1])


@pytest.fixture(scope="module")
def effects(lit):
    G, space, _ = lit
    return Effects.of(G, space, quarters, seeds=range(2))


def test_the_channel_that_changes_a_measure_most_is_tried_out(lit, effects):
    G, space, _ = lit
    first, second = effects.best(1)[:2]
    assert (first.name, second.name) == ("b16.conv1 1", "b16.conv1 4")
    with torch.no_grad():
        spread = quarters(to_pixels(G.synthesis(seeds_to_ws(G, range(256)))).numpy()).std(0, ddof=1)[1]
    wanted = 127.5 * 0.2 * float(space.sigma[1]) / spread
    assert first.found["score"] == pytest.approx(wanted, rel=0.02)  # pictures are of whole levels
    assert first.found["dependency"] == 0 and second.found["dependency"] > 0.5


def test_a_channel_points_to_where_the_measure_grows(effects):
    first = effects.best(3, count=1)[0]
    assert first.name == "b16.conv1 3" and float(first.vector.sum()) == -1 and first.found["score"] > 0


def test_channels_that_change_nothing_are_not_named(effects):
    assert {one.name for one in effects.best(2)} == {"b16.conv1 2", "b16.conv1 4"}


def test_a_measure_that_is_always_the_same_is_refused(lit):
    G, space, _ = lit
    with pytest.raises(KinesphereError, match="same for all pictures"):
        Effects.of(G, space, lambda pictures: np.ones(len(pictures)), seeds=[0])


def test_dependency_is_the_others_mean_shift_over_the_targets():
    shifts = torch.tensor([[2.0, 1.0, 0.0], [-2.0, 0.0, 0.5]])
    assert dependency(shifts, 0) == pytest.approx((0.5 + 0.25) / 2 / 2)
    assert dependency(shifts[:, :1], 0) == 0


def test_a_target_that_did_not_move_is_said():
    with pytest.raises(KinesphereError, match="did not change at all"):
        dependency(torch.tensor([[0.0, 1.0]]), 0)
