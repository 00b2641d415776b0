"""A model grown to twice its resolution draws and judges as before, and every new weight soon learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import stir, tiny_generator
from torch import Tensor, nn
from torch.testing import assert_close

from kinesphere import checkpoints
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.models import AnyDiscriminator, Discriminator, StyleGAN2
from kinesphere.ops import downsample2d, filter_taps, upsample2d
from kinesphere.train.growing import grow, grow_discriminator, grow_generator, rebuilt
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

GENERATORS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without noise inputs": {"use_noise": False},
    "with classes": {"c_dim": 3},
    "grey": {"img_channels": 1},
    "clamped": {"conv_clamp": 0.8},
    "another filter": {"resample_filter": (1, 2, 3, 3, 2, 1)},
}
DISCRIMINATORS: dict[str, dict[str, Any]] = {
    "plain": {},
    "with classes": {"c_dim": 3},
    "one logit per class": {"c_dim": 3, "label": "per_class"},
    "grey": {"img_channels": 1},
    "clamped": {"conv_clamp": 256.0},
    "another filter": {"resample_filter": (1, 2, 3, 3, 2, 1)},
    "short filter": {"resample_filter": (1, 1)},
    "orig": {"architecture": "orig"},
    "orig, clamped so that it bites": {"architecture": "orig", "conv_clamp": 0.8},
    "skip": {"architecture": "skip"},
    "skip, clamped so that it bites": {"architecture": "skip", "conv_clamp": 0.8},
}
cases = pytest.mark.parametrize


def discriminator(**kwargs: Any) -> Discriminator:
    torch.manual_seed(8)
    return stir(Discriminator(**{"img_resolution": 16, "channels": [12, 10, 8], **kwargs}))  # type: ignore[return-value]


def classes(network: Any, n: int) -> Tensor | None:
    return torch.eye(network.c_dim)[torch.arange(n) % network.c_dim] if network.c_dim else None


def pictures(n: int, channels: int, size: int) -> Tensor:
    """Beyond [-1, 1] too, as a generator's are."""
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 0.8


@cases("name", GENERATORS)
def test_a_grown_generator_draws_the_same_picture_larger(name: str) -> None:
    G = tiny_generator("stylegan2", **GENERATORS[name])
    assert isinstance(G, StyleGAN2)
    grown = grow_generator(G, 6)
    z = torch.randn(2, 16, generator=torch.Generator().manual_seed(2))
    f = filter_taps(G.config["resample_filter"])
    for mode in ("const", "none"):
        small = G(z, classes(G, 2), truncation_psi=0.7, noise_mode=mode)
        large = grown(z, classes(G, 2), truncation_psi=0.7, noise_mode=mode)
        assert_close(large, upsample2d(small, f), rtol=0, atol=1e-5)


def test_rows_keep_their_meaning_and_the_new_ones_are_the_new_block_s() -> None:
    """The row that coloured the picture still does, and each row makes the difference that it made."""
    G = tiny_generator("stylegan2")
    grown = grow_generator(G, 6)
    ws = torch.randn(2, grown.num_ws, 12, generator=torch.Generator().manual_seed(3))
    assert grown.num_ws == G.num_ws + 2
    f = filter_taps(G.config["resample_filter"])
    for row in range(G.num_ws):
        moved = ws.clone()
        moved[:, row] += 1
        small, large = G.synthesis(moved[:, : G.num_ws]), grown.synthesis(moved)
        assert_close(large, upsample2d(small, f), rtol=0, atol=1e-5)
    assert grown.row_resolutions()[: G.num_ws] == [*G.row_resolutions()[:-1], 64.0]


def test_the_old_noise_and_the_average_style_stay_and_new_noise_is_there() -> None:
    G = tiny_generator("stylegan2")
    grown = grow_generator(G, 6)
    before, after = G.state_dict(), grown.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert after["synthesis.b64.conv0.noise_const"].shape == (64, 64)
    assert float(after["synthesis.b64.conv0.noise_const"].std()) == pytest.approx(1, abs=0.1)


@cases("name", DISCRIMINATORS)
def test_a_grown_discriminator_judges_the_halved_picture(name: str) -> None:
    D = discriminator(**DISCRIMINATORS[name])
    grown = grow_discriminator(D, 8)
    x = pictures(4, D.img_channels, 32)
    c = classes(D, 4)
    halved = downsample2d(x, filter_taps(D.config["resample_filter"]))
    assert_close(grown(x, c), D(halved, c), rtol=1e-5, atol=1e-5)


def test_a_residual_block_with_a_low_clamp_is_exact_below_it() -> None:
    """What enters the network is small here, as 0.7 of the clamp is where a residual branch ends."""
    D = discriminator(conv_clamp=4.0)
    x = pictures(4, 3, 32) * 0.2
    halved = downsample2d(x, filter_taps([1, 3, 3, 1]))
    assert float(D.b16.fromrgb(halved).detach().abs().max()) < 0.7 * 4.0  # type: ignore[operator,union-attr]
    assert_close(grow_discriminator(D, 8)(x), D(halved), rtol=1e-5, atol=1e-5)


def learn(network: nn.Module, loss: Any, steps: int = 2) -> None:
    """Some steps of training; the gradients of the last one stay."""
    optimiser = torch.optim.Adam(network.requires_grad_(True).parameters(), lr=0.002, betas=(0.0, 0.99))
    for step in range(steps):
        if step:
            optimiser.step()
        optimiser.zero_grad()
        loss(network).backward()


def still(network: nn.Module, prefix: str) -> list[str]:
    """The parameters below `prefix` that have an output channel without a noticeable gradient."""
    found = []
    for name, p in network.named_parameters():
        if name.startswith(prefix):
            assert p.grad is not None, name
            if float(p.grad.reshape(max(len(p.grad.shape) and p.shape[0], 1), -1).abs().amax(1).min()) < 1e-9:
                found.append(name)
    return found


def test_a_gradient_reaches_every_weight_of_the_new_synthesis_block_within_two_steps() -> None:
    grown = grow_generator(tiny_generator("stylegan2"), 6)
    ws = torch.randn(2, grown.num_ws, 12, generator=torch.Generator().manual_seed(3))
    learn(grown.synthesis, lambda S: (S(ws) - pictures(2, 3, 64)).square().mean())
    assert still(grown.synthesis, "b64.") == []


@cases("architecture", ["resnet", "orig", "skip"])
def test_a_gradient_reaches_every_channel_of_the_new_block_of_d_within_two_steps(architecture: str) -> None:
    grown = grow_discriminator(discriminator(architecture=architecture), 10)
    x = pictures(4, 3, 32)
    learn(grown, lambda D: nn.functional.softplus(D(x) * torch.tensor([[1.0], [1], [-1], [-1]])).sum())
    assert still(grown, "b32.") == []


def test_growing_twice_is_four_times_the_size() -> None:
    G, D = tiny_generator("stylegan2"), discriminator()
    f = filter_taps([1, 3, 3, 1])
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(2))
    assert_close(
        grow_generator(grow_generator(G, 6), 6)(z),
        upsample2d(upsample2d(G(z), f), f),
        rtol=0,
        atol=1e-5,
    )
    x = pictures(4, 3, 64)
    twice = grow_discriminator(grow_discriminator(D, 8), 6)
    assert_close(twice(x), D(downsample2d(downsample2d(x, f), f)), rtol=1e-5, atol=2e-5)


def test_a_seed_gives_the_same_fresh_weights_and_leaves_torch_s_own_randomness_alone() -> None:
    G = tiny_generator("stylegan2")
    state = torch.get_rng_state()
    one, same, other = (grow_generator(G, 6, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    name = "synthesis.b64.conv0.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])


@cases(
    ("kind", "changes", "words"),
    [
        ("stylegan3", {}, "stylegan3"),
        ("stylegan1", {}, "stylegan1"),
        ("stylegan2", {"architecture": "resnet"}, "'resnet' cannot grow from 32 px"),
        ("stylegan2", {"architecture": "orig"}, "'orig' cannot grow from 32 px"),
    ],
)
def test_what_cannot_grow_is_refused_with_the_way_out(kind: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(KinesphereError, match=words) as refused:
        grow_generator(tiny_generator(kind, **changes), 8)
    assert "64 px" in str(refused.value)


def test_too_few_channels_for_the_colours_are_refused() -> None:
    with pytest.raises(KinesphereError, match=r"5 channels cannot carry 3 colours: give 6"):
        grow_discriminator(discriminator(), 5)
    assert grow_discriminator(discriminator(img_channels=1), 2).img_resolution == 32
    with pytest.raises(KinesphereError, match="0 channels"):
        grow_generator(tiny_generator("stylegan2"), 0)


def test_stylegan1_s_discriminator_is_refused() -> None:
    D = checkpoints.load(Path(__file__).parent / "fixtures" / "tf_sg1_128.pkl").D
    assert isinstance(D, AnyDiscriminator)
    with pytest.raises(KinesphereError, match="stylegan1 cannot grow from 128 px"):
        grow_discriminator(D, 8)


@cases("name", ["sg2ada_skip64", "sg2ada_cond64", "sg2_clamp256_64", "tf_sg2_64", "tf_sg2ada_cond32"])
def test_a_grown_checkpoint_of_another_codebase_is_the_same_twice_as_large(name: str, tmp_path: Path) -> None:
    """Grown, saved and loaded again."""
    old = checkpoints.load(next((Path(__file__).parent / "fixtures").glob(f"{name}.p*")))
    checkpoints.save(grow(old), tmp_path / "grown.safetensors")
    new = checkpoints.load(tmp_path / "grown.safetensors")
    G, D = old.G_ema, old.D
    assert new.G is not None and new.D is not None and D is not None
    assert new.card.img_resolution == 2 * G.img_resolution
    assert new.card.notes[-1].startswith(
        f"grown from {G.img_resolution} px to {2 * G.img_resolution} px, from the file"
    )
    f = filter_taps(G.config["resample_filter"])
    z = torch.randn(2, G.z_dim, generator=torch.Generator().manual_seed(4))
    picture = new.G_ema(z, classes(G, 2))
    assert_close(picture, upsample2d(G(z, classes(G, 2)), f), rtol=0, atol=1e-5 * float(picture.abs().max()))
    halved = downsample2d(picture, f)
    assert_close(new.D(picture, classes(D, 2)), D(halved, classes(D, 2)), rtol=2e-5, atol=2e-5)


def test_g_and_its_average_get_the_same_fresh_block_and_nothing_that_was_given_changes() -> None:
    G_ema = tiny_generator("stylegan2").requires_grad_(False)
    before = {n: t.clone() for n, t in G_ema.state_dict().items()}
    grown = grow(Checkpoint(G_ema, Card.of({"G_ema": G_ema}, "made by a test")))
    assert grown.D is None and grown.G is not None
    assert grown.G_ema.config["channels"] == [12, 12, 8, 8, 16]
    assert grown.card.networks == ("G_ema", "G") and grown.card.num_ws == G_ema.num_ws + 2
    ema, own = grown.G_ema.state_dict(), grown.G.state_dict()
    assert all(torch.equal(ema[n], own[n]) for n in ema)
    assert all(torch.equal(before[n], t) for n, t in G_ema.state_dict().items())
    assert not grown.G.training and not any(p.requires_grad for p in grown.G.parameters())


def test_rebuilt_names_what_is_fresh() -> None:
    G = tiny_generator("stylegan2")
    made, fresh = rebuilt(G, mapping_layers=3)
    assert fresh == ["mapping.fc2.weight", "mapping.fc2.bias"]
    assert made.config["mapping_layers"] == 3 and G.config["mapping_layers"] == 2
