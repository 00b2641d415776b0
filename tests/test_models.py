"""Every family keeps the generator's contract. Numbers against the original code are in test_checkpoints."""

import copy
import inspect
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import tiny_generator

from kinesphere.models import DISCRIMINATORS, FAMILIES, Discriminator, StyleGAN2, StyleGAN3, set_precision
from kinesphere.models.discriminator import minibatch_stddev
from kinesphere.models.stylegan3 import layer_bands, lowpass_filter
from kinesphere.types import KinesphereError

FIXTURES = Path(__file__).parent / "fixtures"
families = pytest.mark.parametrize("family", FAMILIES)


@families
@pytest.mark.parametrize("kwargs", [{}, {"c_dim": 3}, {"img_channels": 1}, {"img_channels": 4}], ids=str)
def test_a_latent_becomes_a_picture(family, kwargs):
    G = tiny_generator(family, **kwargs)
    z, c = torch.randn(2, G.z_dim), torch.eye(3)[:2] if G.c_dim else None
    ws = G.mapping(z, c)
    assert ws.shape == (2, G.num_ws, G.w_dim)
    img = G.synthesis(ws)
    assert img.shape == (2, G.img_channels, 32, 32) and img.dtype == torch.float32 and img.isfinite().all()
    torch.testing.assert_close(G(z, c), img)


@families
def test_a_batch_is_its_pictures_one_by_one(family):
    G = tiny_generator(family)
    ws = G.mapping(torch.randn(3, G.z_dim))
    torch.testing.assert_close(G.synthesis(ws)[1:2], G.synthesis(ws[1:2]), atol=1e-5, rtol=1e-4)


@families
def test_every_row_matters(family):
    G = tiny_generator(family)
    ws = G.mapping(torch.randn(1, G.z_dim))
    before = G.synthesis(ws)
    for row in range(G.num_ws):
        moved = ws.clone()
        moved[:, row] += 1
        assert not torch.allclose(G.synthesis(moved), before, atol=1e-4), f"row {row} of {family} moves nothing"


@families
def test_truncation(family):
    G = tiny_generator(family)
    z = torch.randn(2, G.z_dim)
    ws = G.mapping(z)
    assert torch.equal(G.mapping(z, truncation_psi=0)[0], G.mapping(z, truncation_psi=0)[1])
    torch.testing.assert_close(G.mapping(z, truncation_psi=1.5), G.w_avg + 1.5 * (ws - G.w_avg))
    torch.testing.assert_close(G.mapping(z, truncation_psi=-0.5), G.w_avg - 0.5 * (ws - G.w_avg))
    cut = G.mapping(z, truncation_psi=0.3, truncation_cutoff=2)
    assert torch.equal(cut[:, 2:], ws[:, 2:]) and not torch.equal(cut[:, :2], ws[:, :2])


@families
def test_bands_follow_each_other_and_hold_every_row_that_does_not_place(family):
    G = tiny_generator(family)
    coarse, middle, fine, whole = (G.rows(band) for band in ("coarse", "middle", "fine", "all"))
    assert coarse.start == whole.start and coarse.stop == middle.start and middle.stop == fine.start
    assert fine.stop == whole.stop == G.num_ws
    assert whole.start == (1 if family == "stylegan3" else 0)
    with pytest.raises(KinesphereError, match="no band 'bass'.*coarse, middle, fine"):
        G.rows("bass")


@pytest.mark.parametrize(
    "resolution, coarse, middle, fine",
    [(1024, (0, 3), (3, 7), (7, 18)), (256, (0, 3), (3, 7), (7, 14)), (32, (0, 3), (3, 7), (7, 8))],
)
def test_stylegan2_bands_end_at_8_and_32_pixels(resolution, coarse, middle, fine):
    G = StyleGAN2(img_resolution=resolution, channels=[2] * (resolution.bit_length() - 2), z_dim=4, w_dim=4)
    assert [(G.rows(b).start, G.rows(b).stop) for b in ("coarse", "middle", "fine")] == [coarse, middle, fine]


def test_stylegan3_places_the_picture_by_row_0_which_is_in_no_band():
    G = tiny_generator("stylegan3")
    assert G.rows("placement") == slice(0, 1)
    with pytest.raises(KinesphereError, match="placement"):
        tiny_generator("stylegan2").rows("placement")


@families
def test_layers_can_be_touched(family):
    """What a bend may touch is really on the way to the picture."""
    G = tiny_generator(family)
    ws = G.mapping(torch.randn(1, G.z_dim))
    before = G.synthesis(ws)
    for name, layer in G.layers().items():
        handle = layer.register_forward_hook(lambda module, args, out: out * 0.5)
        changed = not torch.allclose(G.synthesis(ws), before, atol=1e-5)
        handle.remove()
        assert changed, f"{name} is not on the way"
    assert torch.equal(G.synthesis(ws), before)


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2"])
def test_noise_modes(family):
    G = tiny_generator(family)
    ws = G.mapping(torch.randn(1, G.z_dim))
    const, none = G.synthesis(ws), G.synthesis(ws, noise_mode="none")
    assert torch.equal(const, G.synthesis(ws, noise_mode="const")) and not torch.allclose(const, none)
    assert not torch.equal(G.synthesis(ws, noise_mode="random"), G.synthesis(ws, noise_mode="random"))
    with pytest.raises(KinesphereError, match="'loud'.*const, random, none"):
        G.synthesis(ws, noise_mode="loud")


@families
def test_a_conditional_model_asks_for_its_class(family):
    with pytest.raises(KinesphereError, match="3 classes"):
        tiny_generator(family, c_dim=3).mapping(torch.randn(1, 16))


@families
def test_a_model_is_rebuilt_from_its_config_as_json(family):
    G = tiny_generator(family, c_dim=2)
    again = FAMILIES[family](**json.loads(json.dumps(G.config)))
    again.load_state_dict(G.state_dict())
    z, c = torch.randn(1, 16), torch.eye(2)[:1]
    assert torch.equal(again.eval()(z, c), G(z, c))


@families
def test_a_generator_can_be_trained(family):
    G = tiny_generator(family, c_dim=2).train()
    G(torch.randn(2, 16), torch.eye(2)).square().mean().backward()
    dead = [name for name, p in G.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("label", ["embed", "per_class"])
def test_a_discriminator_can_be_trained_with_a_gradient_penalty(architecture, label):
    D = Discriminator(img_resolution=16, channels=[8, 8, 8], architecture=architecture, c_dim=3, label=label)
    img, c = torch.randn(3, 3, 16, 16, requires_grad=True), torch.eye(3)
    (gradient,) = torch.autograd.grad(D(img, c).sum(), img, create_graph=True)
    (gradient.square().sum() + D(img, c).sum()).backward()
    dead = [name for name, p in D.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("family", DISCRIMINATORS)
def test_a_discriminator_names_its_layers_in_order(family):
    D = DISCRIMINATORS[family](img_resolution=16, channels=[8, 8, 8])
    order = []
    for name, layer in D.layers().items():
        layer.register_forward_hook(lambda *_, name=name: order.append(name))
    assert D(torch.randn(2, 3, 16, 16)).shape == (2, 1)
    assert order == list(D.layers()) and order[0] == "b16.fromrgb" and order[-1] == "b4.out"


def test_minibatch_deviation_groups_every_other_picture():
    """Group i holds pictures i, i + N/G, ...: a pair that is equal has no deviation."""
    x = torch.randn(4, 2, 4, 4)
    x[2] = x[0]
    y = minibatch_stddev(x, group_size=2, features=1)[:, 2, 0, 0]
    assert y[0] == y[2] < 1e-3 < y[1] and y[1] == y[3]
    want = x[[1, 3]].var(dim=0, unbiased=False).add(1e-8).sqrt().mean()
    torch.testing.assert_close(y[1], want)


def test_minibatch_deviation_takes_any_batch():
    assert minibatch_stddev(torch.randn(5, 4, 4, 4), group_size=4, features=2).shape == (5, 6, 4, 4)


def test_stylegan3_layers_grow_in_even_steps_up_to_the_picture():
    bands = layer_bands(256, 14, 2, 2.0, 2**2.1, 2**0.3, 10)
    assert bands[0].cutoff == 2 and bands[-1].cutoff == bands[-2].cutoff == 128
    steps = [b.cutoff / a.cutoff for a, b in itertools.pairwise(bands[:13])]
    np.testing.assert_allclose(steps, steps[0])
    assert all(b.rate / 2 >= b.cutoff for b in bands)


def test_stylegan3_at_1024_has_the_layers_that_published_models_have():
    with torch.device("meta"):
        G = StyleGAN3(img_resolution=1024, channel_base=32768, channel_max=512)
    published = (
        "L0_36_512 L1_36_512 L2_52_512 L3_52_512 L4_84_512 L5_148_512 L6_148_512 L7_276_323 "
        "L8_276_203 L9_532_128 L10_1044_81 L11_1044_51 L12_1044_32 L13_1024_32 L14_1024_3"
    )
    assert G.synthesis.layer_names == published.split()


@pytest.mark.parametrize("radial", [False, True])
def test_stylegan3_filters_pass_low_and_stop_high(radial):
    f = lowpass_filter(24, cutoff=16, half_width=12, rate=128, radial=radial).double()
    f = f if radial else torch.outer(f, f)
    response = np.abs(np.fft.fft2(f.numpy(), s=(128, 128)))
    np.testing.assert_allclose(f.sum(), 1, atol=1e-6)
    assert (response[0, :4] > 0.95).all() and response[0, 32:96].max() < 0.02
    if radial:
        diagonal = round(32 / np.sqrt(2))
        np.testing.assert_allclose(f, f.T, atol=1e-7)
        assert (
            response[diagonal, diagonal] < 0.02 and response[10, 10] > 0.3
        )  # as far along the diagonal as along an axis


def test_stylegan3_moves_with_its_transform():
    """Moving the content by whole pixels moves the picture by as many, away from the borders (the promise of the paper)."""
    torch.manual_seed(3)
    G = StyleGAN3(img_resolution=64, z_dim=16, w_dim=16, channel_base=2048, channel_max=24, num_layers=8).eval()
    ws = G.mapping(torch.randn(1, 16))
    still = G.synthesis(ws)
    G.synthesis.input.transform.copy_(torch.eye(3))
    G.synthesis.input.transform[0, 2] = -8 / 64  # the inverse of a motion by 8 pixels to the right
    moved = G.synthesis(ws)
    inside = slice(16, 48)
    error = (moved[..., inside, 24:48] - still[..., inside, 16:40]).square().mean()
    other = (moved[..., inside, 24:48] - still[..., inside, 24:48]).square().mean()
    assert error < 0.01 * other


@families
def test_the_constructor_takes_keywords_only(family):
    kinds = {p.kind for p in list(inspect.signature(FAMILIES[family].__init__).parameters.values())[1:]}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_config_r_is_a_choice_of_two_arguments():
    G = StyleGAN3(
        img_resolution=32, channel_max=8, num_layers=6, z_dim=8, w_dim=8, conv_kernel=1, use_radial_filters=True
    )
    layers = [G.synthesis.get_submodule(name) for name in G.synthesis.layer_names]
    assert {layer.weight.shape[-1] for layer in layers} == {1}
    assert any(layer.down_filter is not None and layer.down_filter.ndim == 2 for layer in layers)


def small_pair(generator="skip", discriminator="resnet"):
    torch.manual_seed(0)
    shape = {"img_resolution": 32, "channels": [32] * 4}
    G = StyleGAN2(**shape, z_dim=32, w_dim=32, mapping_layers=2, architecture=generator)
    return G, Discriminator(**shape, architecture=discriminator)


def picture_and_gradients(G, D):
    """One G step's picture [8, 3, 32, 32] and the gradients of all weights, by name."""
    img = G(torch.randn(8, 32, generator=torch.Generator().manual_seed(1)), noise_mode="none")
    F.softplus(-D(img)).mean().backward()
    named = {f"{net.family}.{i}.{n}": p for i, net in enumerate((G, D)) for n, p in net.named_parameters()}
    return img.detach(), {n: p.grad for n, p in named.items() if p.grad is not None}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("architectures", [("skip", "resnet"), ("resnet", "skip"), ("orig", "orig")], ids="-".join)
def test_half_precision_gives_nearly_the_same_picture_and_gradients(dtype, architectures):
    G, D = small_pair(*architectures)
    halves = copy.deepcopy(G), copy.deepcopy(D)
    for net in halves:
        set_precision(net, dtype)
    img, grads = picture_and_gradients(G, D)
    half, half_grads = picture_and_gradients(*halves)
    assert half.dtype == torch.float32 and not torch.equal(half, img)
    noise = (half - img).square().mean() / (img.max() - img.min()).square()
    assert -10 * noise.log10() > 40  # dB
    assert all(grad.dtype == torch.float32 for grad in half_grads.values())
    for part in ("0.mapping", "0.synthesis", "1."):
        a, b = (torch.cat([g.flatten() for n, g in x.items() if f"stylegan2.{part}" in n]) for x in (grads, half_grads))
        assert F.cosine_similarity(a, b, dim=0) > (0.97 if part == "0.mapping" else 0.99), part


def test_half_precision_is_a_setting_and_no_part_of_the_model():
    G, D = small_pair()
    ws = G.mapping(torch.randn(1, 32))
    img = G.synthesis(ws)
    logits = D(img)
    weights, config = copy.deepcopy(G.state_dict()), copy.deepcopy(G.config)
    for net in (G, D):
        set_precision(net, torch.bfloat16, blocks=2)
    seen = {}
    for name in ("b4.conv1", "b8.conv1", "b16.conv1", "b32.conv1", "b32.torgb"):
        G.layers()[name].register_forward_hook(lambda module, args, out, name=name: seen.update({name: out.dtype}))
    assert not torch.equal(G.synthesis(ws), img) and not torch.equal(D(img), logits)
    assert seen == {
        "b4.conv1": torch.float32,
        "b8.conv1": torch.float32,
        "b16.conv1": torch.bfloat16,
        "b32.conv1": torch.bfloat16,
        "b32.torgb": torch.float32,
    }
    assert G.config == config and G.state_dict().keys() == weights.keys()
    assert all(v.dtype == weights[k].dtype for k, v in G.state_dict().items())
    for net in (G, D):
        set_precision(net, None)
    assert torch.equal(G.synthesis(ws), img) and torch.equal(D(img), logits)


def test_colours_are_finer_than_bfloat16():
    """In bfloat16 shades from 0.5 on are half a level of 255 apart: D could not see, nor G paint, what lies between."""
    G, D = small_pair()
    for net in (G, D):
        set_precision(net, torch.bfloat16)
    painted = {}
    G.synthesis.b32.torgb.register_forward_hook(lambda module, args, out: painted.update(out=out))
    G(torch.randn(2, 32))
    assert not torch.equal(painted["out"], painted["out"].bfloat16().float())
    grey = torch.full((4, 3, 32, 32), 0.75)
    tinted = grey + torch.tensor([1, 0, -1]).view(3, 1, 1) * 0.2 / 127.5
    assert torch.equal(tinted.bfloat16(), grey.bfloat16())
    assert not torch.equal(D(tinted), D(grey))


def test_float16_survives_what_would_overflow_it():
    G, D = small_pair("resnet")
    with torch.no_grad():
        for layer in G.layers().values():
            for p in layer.parameters():
                p.mul_(1e3)
        for layer in D.layers().values():
            if hasattr(layer, "bias"):
                layer.bias.add_(1e4)
    for net in (G, D):
        set_precision(net, torch.float16)
    img = G(torch.randn(2, 32), noise_mode="none")
    assert img.isfinite().all() and D(img).isfinite().all()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
def test_the_discriminator_can_be_regularised(dtype):
    """R1: the gradient of a gradient reaches every weight but the last bias, which moves all pictures alike."""
    _, D = small_pair()
    set_precision(D, dtype)
    img = torch.randn(4, 3, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(D(img).sum(), img, create_graph=True)
    slope.square().sum().backward()
    weights = {name: p for name, p in D.named_parameters() if name.endswith("weight")}
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in weights.values())


def test_what_has_no_half_precision_says_so():
    with pytest.raises(KinesphereError, match="StyleGAN3 has no half precision"):
        set_precision(tiny_generator("stylegan3"), torch.bfloat16)
    with pytest.raises(KinesphereError, match="torch.bfloat16, torch.float16, or None"):
        set_precision(tiny_generator("stylegan2"), torch.float64)
    with pytest.raises(KinesphereError, match="not -1"):
        set_precision(tiny_generator("stylegan2"), torch.bfloat16, blocks=-1)


def test_a_model_is_built_without_torchs_compiler():
    """Its import takes seconds, and a load would wait for it."""
    load = """
import sys
from kinesphere import checkpoints
for name in ("sg3t_64", "sg3r_64", "sg2ada_cond64", "tf_sg1_128"):
    checkpoints.load(f"{sys.argv[1]}/{name}.pkl")
    assert "torch._dynamo" not in sys.modules, name
"""
    done = subprocess.run([sys.executable, "-c", load, FIXTURES], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
