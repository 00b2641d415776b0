"""A direction by chance lies among the widest components, the same for a seed."""

import pytest
import torch

from kinesphere.studio.directions import cosine
from kinesphere.studio.directions.chance import surprise
from kinesphere.studio.naturals import natural
from kinesphere.types import KinesphereError


def test_it_lies_among_the_widest_components_in_their_own_widths(tiny):
    stats = natural(tiny)
    found = torch.stack([surprise(tiny, seed, among=3).vector for seed in range(400)])
    coordinates = found @ stats.vectors / stats.sigmas
    torch.testing.assert_close(coordinates[:, :3].norm(dim=1), torch.ones(400))  # a turn of one sigma
    assert coordinates[:, 3:].abs().max() < 1e-3
    assert (coordinates[:, :3].mean(0).abs() < 0.1).all()  # no way is likelier than its opposite, or than another
    torch.testing.assert_close(coordinates[:, :3].square().mean(0), torch.full((3,), 1 / 3), atol=0.06, rtol=0)


def test_its_sigma_is_the_deviation_along_it(tiny):
    one, stats = surprise(tiny, 5), natural(tiny)
    covariance = (stats.vectors * stats.sigmas.square()) @ stats.vectors.T
    assert one.sigma == pytest.approx(float((one.unit @ covariance @ one.unit).sqrt()), rel=1e-4)


def test_a_seed_gives_the_same_again_and_all_components_are_the_most(tiny):
    assert cosine(surprise(tiny, 5), surprise(tiny, 5)) == pytest.approx(1)
    assert abs(cosine(surprise(tiny, 5), surprise(tiny, 6))) < 0.99
    assert surprise(tiny, 5, among=500).found == {"by": "chance", "seed": 5, "among": 12}
    with pytest.raises(KinesphereError, match="among 0 components: give 1 or more"):
        surprise(tiny, 5, among=0)
