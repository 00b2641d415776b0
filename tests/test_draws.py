"""Random numbers of a step: the same however many processes share the batch."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.train.draws import Draws


@given(st.integers(0, 2**40), st.integers(0, 10**9), st.sampled_from([1, 2, 4]))
def test_processes_together_see_what_one_sees(seed, step, world):
    alone = Draws(seed, step, "G").normal(8, 3)
    shares = [Draws(seed, step, "G", rank, world).normal(8 // world, 3) for rank in range(world)]
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), alone)


def test_another_seed_step_or_purpose_gives_other_numbers():
    drawn = [Draws(*key).uniform(4) for key in [(0, 0, "G"), (1, 0, "G"), (0, 1, "G"), (0, 0, "D"), (10, 0, "G")]]
    assert len({tuple(x.tolist()) for x in drawn}) == 5


def test_the_groups_of_the_minibatch_deviation_stay_together():
    """Of 16 pictures in groups of 4, group j is j, j + 4, j + 8, j + 12; each of two processes has two whole groups."""
    groups = {tuple(range(j, 16, 4)) for j in range(4)}
    for rank in (0, 1):
        mine = torch.arange(16)[rank::2]
        assert {tuple(mine[j::2].tolist()) for j in range(2)} <= groups
