"""A training can start from any checkpoint that loads: what fits is kept, the rest is made to fit, and it is said how."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import stir, tiny_generator
from torch import Tensor
from torch.testing import assert_close

from kinesphere import checkpoints
from kinesphere.checkpoints import Card, Checkpoint
from kinesphere.models import Discriminator
from kinesphere.ops import downsample2d, filter_taps, upsample2d
from kinesphere.train.transfer import freeze_d, start_from
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {path.stem: path for path in sorted(FIXTURES.glob("*.p[kt]*"))}
LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


@cache
def loaded(name: str) -> Checkpoint:
    """A fixture, loaded once. Tests leave it as it was."""
    return checkpoints.load(FILES[name])


def made(family: str = "stylegan2", architecture: str = "resnet", with_D: bool = True, **sizes: Any) -> Checkpoint:
    """A tiny checkpoint of 32 px."""
    G = tiny_generator(family, **sizes).requires_grad_(False)
    torch.manual_seed(8)
    D = stir(Discriminator(img_resolution=32, channels=[12, 12, 8, 8], architecture=architecture, **sizes), 1)
    networks = {"G_ema": G, **({"D": D.requires_grad_(False)} if with_D else {})}
    return Checkpoint(G, Card.of(networks, "made by a test"), D=D if with_D else None)  # type: ignore[arg-type]


def classes(network: Any, n: int) -> Tensor | None:
    return torch.eye(network.c_dim)[torch.arange(n) % network.c_dim] if network.c_dim else None


def seeds(G: Any, n: int = 2) -> Tensor:
    return torch.randn(n, G.z_dim, generator=torch.Generator().manual_seed(2))


def pictures(channels: int, size: int, n: int = 4) -> Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 0.5


def stop(checkpoint: Checkpoint) -> tuple[int, int, int]:
    """The sizes that a checkpoint has."""
    G = checkpoint.G_ema
    return G.img_resolution, G.img_channels, G.c_dim


# The same sizes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_every_file_that_loads_can_be_trained_on_at_its_own_sizes(name: str) -> None:
    """It draws what it drew, and one step's gradients, those of R1 too, reach all weights of G and D."""
    old = loaded(name)
    start = start_from(old, *stop(old))
    G, D = start.G, start.D
    assert G.training and D.training and not start.G_ema.training
    z, c = seeds(G), classes(G, 2)
    assert torch.equal(start.G_ema(z, c), old.G_ema(z, c))
    with torch.no_grad():
        assert torch.equal(G(z, c), (old.G or old.G_ema)(z, c))
    F.softplus(-D(G(z, c, noise_mode="random"), c)).mean().backward()
    x = pictures(G.img_channels, G.img_resolution, 2).requires_grad_(True)
    logits = D(x, c)
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    (F.softplus(-logits).mean() + gradient.square().sum()).backward()
    for network in (G, D):
        assert [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.isfinite().all())] == []
    assert not any(p.requires_grad for p in start.G_ema.parameters())


def test_what_was_given_stays_as_it_was() -> None:
    old = made()
    before = {n: t.clone() for n, t in old.G_ema.state_dict().items()}
    start = start_from(old, 32, 3, 0)
    with torch.no_grad():
        for p in [*start.G.parameters(), *start.D.parameters()]:
            p.add_(1)
    assert all(torch.equal(before[n], t) for n, t in old.G_ema.state_dict().items())
    assert all(torch.equal(before[n], t) for n, t in start.G_ema.state_dict().items())
    assert start.notes == ["the file has no G besides its average: G starts from G_ema"]


def test_nothing_to_change_is_said() -> None:
    assert start_from(loaded("sg2ada_skip64"), 64, 3, 0).notes == ["taken as it is"]


# Noise inputs ---------------------------------------------------------------------------------------------------------


def test_noise_inputs_come_in_silent_and_learn() -> None:
    plain = tiny_generator("stylegan2", use_noise=False).requires_grad_(False)
    old = Checkpoint(plain, Card.of({"G_ema": plain}, "made by a test"))
    start = start_from(old, 32, 3, 0, noise=True)
    z = seeds(start.G)
    with torch.no_grad():
        torch.testing.assert_close(start.G(z, noise_mode="random"), old.G_ema(z))
    assert any("noise inputs" in note for note in start.notes)
    F.softplus(-start.D(start.G(z, noise_mode="random"))).mean().backward()
    strengths = {name: p.grad for name, p in start.G.named_parameters() if name.endswith("noise_strength")}
    assert strengths and all(grad is not None and bool(grad != 0) for grad in strengths.values())


def test_noise_inputs_that_are_left_out_leave_the_rest_as_it_was() -> None:
    old = loaded("sg2ada_skip64")
    start = start_from(old, *stop(old), noise=False)
    z, c = seeds(start.G), classes(start.G, 2)
    with torch.no_grad():
        assert torch.equal(start.G_ema(z, c), old.G_ema(z, c, noise_mode="none"))


# Sizes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 4])
def test_a_larger_size_is_grown(factor: int) -> None:
    old = loaded("sg2ada_skip64")
    start = start_from(old, 64 * factor, 3, 0)
    assert old.D is not None
    f = filter_taps([1, 3, 3, 1])
    z = seeds(old.G_ema, 1)
    wanted, halved = old.G_ema(z), pictures(3, 64 * factor, 2)
    x = halved
    for _ in range(factor.bit_length() - 1):
        wanted, halved = upsample2d(wanted, f), downsample2d(halved, f)
    assert_close(start.G_ema(z), wanted, rtol=0, atol=1e-5 * float(wanted.abs().max()))
    with torch.no_grad():
        assert_close(start.D(x), old.D(halved), rtol=2e-5, atol=2e-5)
    assert start.notes[0].startswith(f"grown from 64 px to {64 * factor} px")


def test_a_smaller_size_draws_the_sum_of_the_blocks_that_are_left() -> None:
    old = loaded("sg2ada_skip64")
    start = start_from(old, 32, 3, 0)
    z = seeds(old.G_ema)
    seen: dict[str, Tensor] = {}
    hook = old.G_ema.synthesis.get_submodule("b32").register_forward_hook(lambda m, a, out: seen.update(img=out[1]))
    old.G_ema(z)
    hook.remove()
    assert_close(start.G_ema(z), seen["img"], rtol=0, atol=1e-6 * float(seen["img"].abs().max()))
    assert start.G_ema.num_ws == old.G_ema.num_ws - 2
    assert "shrunk from 64 px to 32 px" in start.notes[0] and "fromrgb" in start.notes[1]


def test_a_shrunk_d_keeps_all_blocks_below_and_a_skip_d_its_fromrgb_too() -> None:
    old = loaded("sg2_clamp256_64")
    start = start_from(old, 16, 3, 0)
    assert old.D is not None
    kept, before = start.D.state_dict(), old.D.state_dict()
    assert all(torch.equal(kept[n], before[n]) for n in kept)
    assert len(start.notes) == 1
    resnet = loaded("sg2ada_skip64")
    assert resnet.D is not None
    kept, before = start_from(resnet, 16, 3, 0).D.state_dict(), resnet.D.state_dict()
    assert [n for n in kept if n not in before] == ["b16.fromrgb.weight", "b16.fromrgb.bias"]
    assert all(torch.equal(kept[n], before[n]) for n in kept if n in before)


@pytest.mark.parametrize(
    ("name", "resolution", "words"),
    [
        ("sg2ada_skip64", 96, r"64 px cannot start at 96 px: .* 8, 16, 32, 64, 128, 256, 512, 1024 px"),
        ("sg2ada_skip64", 4, r"64 px cannot start at 4 px"),
        ("sg2ada_skip64", 0, r"64 px cannot start at 0 px"),
        ("sg2ada_resnet64", 128, r"stylegan2 'resnet' of 64 px cannot start at 128 px: .* start afresh at 128 px"),
        ("sg2ada_map2_32", 16, r"stylegan2 'orig' of 32 px cannot start at 16 px"),
        ("sg3t_64", 128, r"stylegan3 of 64 px cannot start at 128 px"),
        ("tf_sg1_128", 256, r"stylegan1 of 128 px cannot start at 256 px"),
    ],
)
def test_sizes_that_cannot_be_are_refused_with_both_sizes_and_the_way_out(
    name: str, resolution: int, words: str
) -> None:
    with pytest.raises(KinesphereError, match=words):
        start_from(loaded(name), resolution, 3, loaded(name).card.c_dim)


# Colours --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sg2ada_skip64", "sg2ada_resnet64", "tf_sg1_128", "sg3t_64", "sg3r_64"])
def test_rgb_becomes_grey_and_is_as_bright(name: str) -> None:
    old = loaded(name)
    resolution, _, c_dim = stop(old)
    start = start_from(old, resolution, 1, c_dim)
    assert old.D is not None and "RGB to grey" in start.notes[0]
    z, c = seeds(old.G_ema), classes(old.G_ema, 2)
    if name == "sg2ada_resnet64" or name == "sg3r_64":  # their low clamps bite after the colours are mixed
        for G in (old.G_ema, start.G_ema):
            colours = next(m for n, m in G.named_modules() if n.endswith("torgb") or n.endswith(f"_{G.img_channels}"))
            colours.conv_clamp = None
    grey = (old.G_ema(z, c) * LUMA).sum(1, keepdim=True)
    assert_close(start.G_ema(z, c), grey, rtol=0, atol=2e-5 * float(grey.abs().max()))
    x = pictures(1, resolution)
    with torch.no_grad():
        found, wanted = start.D(x, classes(old.D, 4)), old.D(x.repeat(1, 3, 1, 1), classes(old.D, 4))
    assert_close(found, wanted, rtol=2e-5, atol=2e-5)


def test_grey_becomes_rgb_grown_at_once() -> None:
    old = made(img_channels=1)
    start = start_from(old, 64, 3, 0)
    assert old.D is not None
    f = filter_taps([1, 3, 3, 1])
    z, x = seeds(old.G_ema), pictures(3, 64)
    assert_close(start.G_ema(z), upsample2d(old.G_ema(z), f).repeat(1, 3, 1, 1), rtol=0, atol=1e-5)
    with torch.no_grad():
        assert_close(start.D(x), old.D(downsample2d((x * LUMA).sum(1, keepdim=True), f)), rtol=2e-5, atol=2e-5)
    assert [note.split()[0] for note in start.notes] == ["the", "the", "grown"]


def test_other_colours_are_refused() -> None:
    with pytest.raises(KinesphereError, match="3 colour channels cannot start on pictures of 4"):
        start_from(made(), 32, 4, 0)


# Classes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sg2ada_skip64", "tf_sg1_128", "sg3t_64", "tf_sg2_64"])
def test_new_classes_draw_and_judge_at_first_as_the_model_without_classes_did(name: str) -> None:
    old = loaded(name)
    start = start_from(old, old.card.img_resolution, 3, 4)
    assert old.D is not None and "classes: none before, 4 now" in start.notes[0]
    z = seeds(old.G_ema, 4)
    c = torch.eye(4)
    with torch.no_grad():
        picture = old.G_ema(z)
        scale = float(picture.abs().max())
        assert_close(start.G_ema(z, c), picture, rtol=0, atol=1e-4 * scale if name == "tf_sg1_128" else 2e-5 * scale)
        x = pictures(3, old.card.img_resolution)
        assert_close(start.D(x, c), old.D(x), rtol=1e-4, atol=1e-4)


def test_a_gradient_tells_new_classes_apart() -> None:
    start = start_from(loaded("sg2ada_skip64"), 64, 3, 4)
    x, c = pictures(3, 64), torch.eye(4)
    (start.D(x, c) * torch.tensor([[1.0], [-1], [2], [-2]])).sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().max() > 0) for p in start.D.mapping.parameters())  # type: ignore[union-attr]
    start.G(seeds(start.G, 4), c).square().mean().backward()
    gradient: Any = start.G.mapping.fc0.weight.grad  # type: ignore[union-attr]
    assert bool((gradient[:, start.G.z_dim :].abs().amax(0) > 0).all())


@pytest.mark.parametrize("name", ["sg2ada_cond64", "tf_sg2ada_cond32", "sg3r_64"])
def test_without_classes_d_has_the_mean_opinion_and_g_the_mean_class(name: str) -> None:
    old = loaded(name)
    start = start_from(old, old.card.img_resolution, 3, 0)
    D: Any = old.D
    x = pictures(3, old.card.img_resolution)
    with torch.no_grad():
        every = [D(x, torch.eye(D.c_dim)[[k]].repeat(4, 1)) for k in range(D.c_dim)]
        assert_close(start.D(x), torch.stack(every).mean(0), rtol=1e-4, atol=1e-4)
        z = seeds(old.G_ema, 64)
        w = torch.stack([old.G_ema.mapping(z, torch.eye(D.c_dim)[[k]].repeat(64, 1))[:, 0] for k in range(D.c_dim)])
        found = start.G_ema.mapping(z)[:, 0]
    nearest = (found - w.mean(0)).norm(dim=1).mean()
    assert nearest < 0.5 * (w - w.mean(0)).norm(dim=2).mean()  # nearer to the mean than the classes are


def test_other_classes_keep_all_but_the_embedding() -> None:
    old = loaded("sg2ada_cond64")
    start = start_from(old, 64, 3, 2)
    before, after = old.G_ema.state_dict(), start.G_ema.state_dict()
    assert [n for n in after if not torch.equal(after[n], before[n])] == ["mapping.embed.weight"]
    assert "5 before, 2 now" in start.notes[0] and start.G(seeds(start.G), classes(start.G, 2)).shape == (2, 3, 64, 64)
    assert start.D(pictures(3, 64, 2), classes(start.D, 2)).shape == (2, 1)
    assert torch.equal(start.G.mapping.embed.weight, start.G_ema.mapping.embed.weight)  # type: ignore[union-attr,arg-type]


def test_one_logit_per_class_begins_as_their_mean() -> None:
    old = made(with_D=False, c_dim=3)
    torch.manual_seed(8)
    old.D = stir(Discriminator(img_resolution=32, channels=[12, 12, 8, 8], c_dim=3, label="per_class"))  # type: ignore[assignment]
    assert old.D is not None
    x = pictures(3, 32)
    with torch.no_grad():
        mean = torch.stack([old.D(x, torch.eye(3)[[k]].repeat(4, 1)) for k in range(3)]).mean(0)
        for c_dim in (0, 4):
            D = start_from(old, 32, 3, c_dim).D
            assert_close(D(x, classes(D, 4)), mean, rtol=1e-5, atol=1e-5)


def test_fewer_than_no_classes_are_refused() -> None:
    with pytest.raises(KinesphereError, match="-1 classes"):
        start_from(made(), 32, 3, -1)


# D --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_a_file_without_d_gets_a_fresh_one_of_g_s_sizes(family: str) -> None:
    resolution = 64 if family == "stylegan2" else 32
    start = start_from(made(family, with_D=False), resolution, 3, 2)
    D = start.D
    assert D.img_resolution == resolution and D.c_dim == 2
    assert D(start.G(seeds(start.G), classes(D, 2)), classes(D, 2)).shape == (2, 1)
    assert "there is no D" in start.notes[-1]
    assert D.config["channels"][:2] == [12, 12]


def test_why_d_was_left_out_is_told() -> None:
    old = made(with_D=False)
    card = Card.of({"G_ema": old.G_ema}, "made by a test", notes=("the discriminator was left out: projected",))
    assert "the discriminator was left out: projected" in start_from(Checkpoint(old.G_ema, card), 32, 3, 0).notes


@pytest.mark.parametrize("architecture", ["resnet", "orig", "skip"])
def test_frozen_blocks_do_not_learn_and_all_others_do(architecture: str) -> None:
    start = start_from(made(architecture=architecture), 32, 3, 0, freeze=2)
    start.D(pictures(3, 32)).sum().backward()
    learning = {n for n, p in start.D.named_parameters() if p.grad is not None}
    names = {n for n, _ in start.D.named_parameters()}
    assert set(start.frozen) == {n for n in names if n.startswith(("b32.", "b16."))} == names - learning
    assert "b32.fromrgb.weight" in start.frozen
    assert "2 of 3 blocks of D are frozen" in start.notes[-1]


def test_freezing_none_freezes_none_and_too_many_are_refused() -> None:
    D = made().D
    assert freeze_d(D, 0) == []
    for blocks in (-1, 4):
        with pytest.raises(KinesphereError, match=rf"freeze_d {blocks} cannot be: .* give 0 to 3"):
            freeze_d(D, blocks)


def test_what_has_not_learnt_yet_is_not_frozen() -> None:
    for with_D, resolution, words in ((True, 64, "was grown"), (True, 16, "fresh fromrgb"), (False, 32, "is fresh")):
        with pytest.raises(KinesphereError, match=rf"freeze_d 1 .*{words}.*set freeze_d to 0"):
            start_from(made(with_D=with_D), resolution, 3, 0, freeze=1)
    assert start_from(made(architecture="skip"), 16, 3, 0, freeze=1).frozen


def test_a_seed_makes_the_same_start() -> None:
    one, same, other = (start_from(made(), 64, 3, 2, seed=seed) for seed in (1, 1, 2))
    a, b, c = (s.D.state_dict() for s in (one, same, other))
    assert all(torch.equal(a[n], b[n]) for n in a)
    assert not torch.equal(a["b64.conv0.weight"], c["b64.conv0.weight"])
