"""A second discriminator with frozen eyes: what it counts in, what it learns, what G learns from it, and that a run keeps it."""

import csv

import numpy as np
import pytest
import torch
from tiny_runs import TINY, paint_greys, training, whole_and_halves
from torch.testing import assert_close

from kinesphere import checkpoints
from kinesphere.features.networks import NETWORKS
from kinesphere.train.critic import Critic, check_eyes, feature_penalty, open_eyes
from kinesphere.train.recipe import parse, plan
from kinesphere.types import KinesphereError

CRITIC = dict(critic=("filterbank",))


@pytest.fixture
def greys(tmp_path):
    """Forty plain pictures of 16 px, from black to white."""
    folder = tmp_path / "greys"
    paint_greys(folder)
    return folder


def lightness(img):
    """Eyes for one thing."""
    return [img.mean((1, 2, 3))[:, None, None, None]]


def test_what_the_eyes_see_is_counted_in_deviations_of_the_training_set():
    rng = torch.Generator().manual_seed(0)
    img = torch.rand(64, 3, 32, 32, generator=rng) * 2 - 1

    def eyes(img):
        return [100 + 7 * img, img.mean((2, 3))[:, :, None, None]]

    critic = Critic([eyes], img)
    large, small = critic.look(img)
    assert large.shape == (64, 3 * 4 * 4) and small.shape == (64, 3)  # a map is seen in four rows and columns
    for seen in (large.view(64, 3, 16), small.view(64, 3, 1)):
        assert_close(seen.mean((0, 2)), torch.zeros(3), atol=1e-3, rtol=0)
        assert_close(seen.transpose(1, 2).reshape(-1, 3).std(0), torch.ones(3), atol=1e-3, rtol=0)
    assert critic([large, small]).shape == (64, 2)


def test_a_feature_that_never_changes_is_no_trouble():
    critic = Critic([lambda img: [img.new_ones(len(img), 5, 1, 1)]], torch.zeros(8, 3, 16, 16))
    assert torch.isfinite(critic(critic.look(torch.rand(4, 3, 16, 16)))).all()


def test_the_penalty_is_the_squared_slope():
    a, b = torch.randn(6, 5, requires_grad=True), torch.randn(6, 2, requires_grad=True)
    u, v = torch.randn(5), torch.randn(2)
    logits = torch.stack([a @ u, b.square() @ v], 1)
    expected = (u.square().sum() + (2 * b * v).square().sum(1).mean()) / 2
    assert_close(feature_penalty(logits, [a, b]), expected.detach())


def test_g_learns_to_vary_as_the_pictures_do_in_what_the_eyes_see(greys, one_thread):
    """D is dumb here: it hardly learns. The critic alone tells G that there are dark and light pictures."""
    t = training(
        greys, **CRITIC, critic_weight=1.0, lr_D=1e-9, gamma=0.0, style_mixing=0.0, ema_kimg=0.8, ema_rampup=None
    )
    t.critic = Critic([lightness], t.some())
    t.opt_critic = torch.optim.Adam(t.critic.parameters(), 0.01, (0.0, 0.99))
    z = torch.randn(128, 4, generator=torch.Generator().manual_seed(1))

    def made():
        with torch.no_grad():
            return lightness(t.G_ema.synthesis(t.G_ema.mapping(z)))[0].flatten()

    real = lightness(t.some())[0].flatten()
    t.G_ema.load_state_dict(t.G.state_dict())
    before = made()
    for _ in range(400):
        t.step()
    after = made()
    assert before.std() < 0.45 * real.std()
    assert abs(float(after.std() / real.std()) - 1) < 0.35
    assert abs(float(after.mean() - real.mean())) < 0.35 * float(real.std())


def test_without_weight_g_is_as_it_would_be_without_a_critic(greys, one_thread):
    judged, alone = training(greys, **CRITIC, critic_weight=0.0), training(greys)
    for t in (judged, alone):
        for _ in range(4):
            t.step()
    for one, other in zip(judged.G.parameters(), alone.G.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_critic_learns_and_its_eyes_do_not(greys, one_thread):
    t = training(greys, **CRITIC)
    picture = torch.linspace(-1, 1, 3 * 256).view(1, 3, 16, 16)
    seen = [x.clone() for x in t.critic.look(picture)]
    heads = [p.clone() for p in t.critic.parameters()]
    for _ in range(3):
        t.step()
    assert all(torch.equal(a, b) for a, b in zip(seen, t.critic.look(picture), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(heads, t.critic.parameters(), strict=True))
    assert {"critic_G", "critic_D", "critic_r1"} <= t.tell().keys()


def test_it_reads_what_is_known_and_g_is_asked_by_what_it_reads(greys, one_thread):
    light = np.linspace(-1, 1, 40)
    with open(f"{greys}-factors.csv", "w", newline="") as file:
        csv.writer(file).writerows([("name", "light"), *((f"{i:02d}.png", light[i]) for i in range(40))])
    t = training(greys, **CRITIC, attributes=("light",), attributes_line=("light",), lr_D=1e-9)
    for _ in range(120):
        t.step()
    t.tell()
    t.step()
    assert t.tell()["critic_attributes"] < 0.1  # 1 is what knowing nothing costs
    grey = torch.linspace(-1, 1, 9)[:, None, None, None].expand(-1, 3, 16, 16)
    read = t.read(t.critic.look(grey))[:, 0]
    assert np.corrcoef(read.detach(), np.linspace(-1, 1, 9))[0, 1] > 0.95


def test_a_resumed_run_is_criticised_on_as_if_nothing_had_been(greys, tmp_path, one_thread):
    whole, halves = whole_and_halves(greys, tmp_path, **CRITIC)
    assert whole.keys() == halves.keys() and any(key.startswith("opt_critic.") for key in whole)
    assert not [key for key in whole if not torch.equal(whole[key], halves[key])]
    D = checkpoints.load(str(tmp_path / "whole")).D  # what is kept to play with and to go on from is without it
    assert D is not None and not [key for key in D.state_dict() if "head" in key]


@pytest.mark.parametrize("eyes", ["filterbank", "vgg16:random:0", "mobilenet:random:0", "dinov2:random:0"])
def test_whatever_network_looks_g_gets_a_gradient(eyes):
    img = (torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1).requires_grad_(True)
    critic = Critic([open_eyes(eyes)], img.detach())
    critic(critic.look(img)).sum().backward()
    assert img.grad is not None and float(img.grad.abs().sum()) > 0


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_are_seen_too(channels):
    img = torch.rand(4, channels, 16, 16) * 2 - 1
    critic = Critic([open_eyes("filterbank")], img)
    assert critic(critic.look(img)).shape == (4, len(NETWORKS["filterbank"](None, None).default))


@pytest.mark.parametrize(
    "eyes, said",
    [
        ("owl", "no eyes 'owl' for a critic: choose judge, filterbank, vgg16"),
        ("discriminator", "no eyes 'discriminator'"),
        ("judge", "needs one of its own, as judge:FILE"),
    ],
)
def test_eyes_that_there_are_not_are_refused_in_words(eyes, said):
    with pytest.raises(KinesphereError, match=said):
        check_eyes(eyes)
    with pytest.raises(KinesphereError, match=said):
        plan(16, 3, 0, 40, "cpu", **(TINY | {"critic": (eyes,)}))


@pytest.mark.parametrize("eyes", ["judge:nowhere.safetensors", "vgg16:nowhere.pth", "vgg16", "filterbank:file.pth"])
def test_weights_that_cannot_be_had_are_said(eyes):
    with pytest.raises(KinesphereError):
        open_eyes(eyes)


def test_a_critic_is_named_on_the_command_line():
    assert parse(["critic=vgg16:vgg.pth,filterbank", "critic_weight=2", "critic_gamma=0", "lr_critic=0.002"]) == {
        "critic": ("vgg16:vgg.pth", "filterbank"),
        "critic_weight": 2.0,
        "critic_gamma": 0.0,
        "lr_critic": 0.002,
    }
