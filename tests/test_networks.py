import hashlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kinesphere.features.networks import NETWORKS, VGG16, Discriminator, Filterbank, vgg16
from kinesphere.features.networks.vgg16 import download
from kinesphere.types import KinesphereError


@pytest.fixture
def picture():
    """[1, 3, 64, 96] of smooth random colours."""
    small = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(small, scale_factor=8, mode="bicubic").clamp(0, 1)


def grating(angle, period, amplitude=0.25, side=128):
    """Light and dark stripes that run along `angle` (degrees from the horizontal): [1, 3, side, side]."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    along = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
    return (0.5 + amplitude * torch.cos(2 * math.pi * along / period)).expand(1, 3, side, side)


# Every network


@pytest.mark.parametrize(
    "name", ["filterbank", "vgg16", "discriminator"]
)  # what others trained is in test_backbones.py
def test_every_network_keeps_the_contract(name, picture, tiny_checkpoint):
    network = NETWORKS[name]("random:0" if name == "vgg16" else None, tiny_checkpoint)
    assert set(network.default) <= set(network.layers()) and network.size >= network.SMALLEST
    maps = network(picture, network.default)
    assert set(maps) == set(network.default)
    for one in maps.values():
        assert one.ndim == 4 and one.shape[0] == 1 and torch.isfinite(one).all()
    smallest = network(torch.rand(1, 3, network.SMALLEST, network.SMALLEST), network.default)
    assert all(min(one.shape[2:]) > 1 for one in smallest.values())


@pytest.mark.parametrize("name", ["filterbank", "discriminator"])
def test_weights_where_there_are_none_are_refused(name, tiny_checkpoint):
    with pytest.raises(KinesphereError, match=f"{name}.*takes none"):
        NETWORKS[name]("vgg16.pth", tiny_checkpoint)


# Filter bank


@pytest.mark.parametrize(("direction", "angle"), list(enumerate([0, 45, 90, 135])))
@pytest.mark.parametrize("octave", [1, 2, 3])
def test_a_grating_is_heard_in_its_direction_and_size(direction, angle, octave):
    bank = Filterbank()
    maps = bank(grating(angle, 2 * 2**octave), bank.LAYERS)
    light = {name: maps[name][0, :4, 3:-3, 3:-3].mean((1, 2)) for name in bank.LAYERS[:3]}  # not at the edges
    loudest = max(((name, i) for name in light for i in range(4)), key=lambda at: float(light[at[0]][at[1]]))
    assert loudest == (f"scale{octave}", direction)


def test_the_modulus_of_a_grating_is_its_amplitude_everywhere():
    energy = Filterbank()(grating(0, 4, amplitude=0.2), ["scale1"])["scale1"][0, 0, :, 3:-3]
    np.testing.assert_allclose(energy, Filterbank.CONTRAST * 0.2, rtol=0.02)


def test_an_even_surface_has_no_texture():
    maps = Filterbank()(torch.full((1, 3, 64, 64), 0.7), Filterbank.LAYERS[:-1])
    assert max(float(one.max()) for one in maps.values()) < 1e-3


def test_red_is_red():
    red = torch.zeros(1, 3, 64, 64)
    red[:, 0] = 1
    colour = Filterbank()(red, ["colour"])["colour"]
    expected = torch.tensor([1 / 3, 1 / 2, 1 / 4, 2 / 3])[
        None, :, None, None
    ]  # light, red-green, yellow-blue, darkness
    torch.testing.assert_close(colour, expected.expand_as(colour))


def test_red_stripes_on_green_of_the_same_lightness_are_heard_in_colour_only():
    stripes = torch.stack([grating(90, 4)[0, 0], 1 - grating(90, 4)[0, 0], torch.full((128, 128), 0.5)])[None]
    energy = Filterbank()(stripes, ["scale1"])["scale1"][0, :, 3:-3, 3:-3].mean((1, 2)).reshape(3, 4)
    assert energy[1, 2] == energy.max() and energy[0].max() < 1e-3


def test_a_layer_is_the_same_whatever_else_is_asked_for(picture):
    bank = Filterbank()
    everything = bank(picture, bank.LAYERS)
    for name in bank.LAYERS:
        alone = bank(picture, [name])
        assert list(alone) == [name]
        torch.testing.assert_close(alone[name], everything[name])


# VGG16


def torchvision_vgg16(network):
    """The architecture as torchvision writes it, its convolutions filled from the network's weights."""
    features: list[nn.Module] = []
    inputs = 3
    for entry in [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]:
        if entry == "M":
            features.append(nn.MaxPool2d(kernel_size=2, stride=2))
        else:
            features += [nn.Conv2d(inputs, entry, kernel_size=3, padding=1), nn.ReLU()]
            inputs = entry
    reference = nn.Sequential(*features)
    for name, p in reference.named_parameters():
        p.data = network._read(f"features.{name}", tuple(p.shape))
    return reference


def test_convolutions_and_pools_are_torchvisions(picture):
    network = VGG16("random:3")
    reference = torchvision_vgg16(network)
    with torch.no_grad():
        maps = network(picture, network.LAYERS[:18])
        x = picture.sub(torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        x = x.div(torch.tensor([0.229, 0.224, 0.225])[:, None, None])
        heard = []
        for layer in reference:
            x = layer(x)
            if not isinstance(layer, nn.Conv2d):
                heard.append(x)
    assert list(maps)[:4] == ["conv1_1", "conv1_2", "pool1", "conv2_1"] and list(maps)[-1] == "pool5"
    for mine, theirs in zip(maps.values(), heard, strict=True):
        torch.testing.assert_close(mine.cpu(), theirs, rtol=1e-4, atol=5e-5)


def test_paper_table_1():
    """Shapes for a 256 x 256 picture (Porres 2024)."""
    with torch.no_grad():
        maps = VGG16("random:0")(torch.rand(1, 3, 256, 256), ["conv4_1", "conv4_3", "conv5_1", "conv5_3", "adavgpool"])
    shapes = {name: tuple(one.shape[1:]) for name, one in maps.items()}
    assert shapes == {
        "conv4_1": (512, 32, 32),
        "conv4_3": (512, 32, 32),
        "conv5_1": (512, 16, 16),
        "conv5_3": (512, 16, 16),
        "adavgpool": (512, 7, 7),
    }


def test_fully_connected_layers(picture, monkeypatch):
    """A narrow stand-in for the classifier (25088 inputs are half a gigabyte): ReLU after fc1 and fc2, logits from fc3."""
    narrow = {"fc1": (20, 512 * 7 * 7), "fc2": (15, 20), "fc3": (10, 15)}
    monkeypatch.setattr(VGG16, "STAGES", tuple((n, p, narrow.get(n, shape)) for n, p, shape in VGG16.STAGES))
    network = VGG16("random:1")
    maps = network(picture, ["adavgpool", "fc1", "fc2", "fc3"])
    x = maps["adavgpool"].flatten(1)
    for name, parameter in (("fc1", "classifier.0"), ("fc2", "classifier.3"), ("fc3", "classifier.6")):
        x = nn.functional.linear(x, network._read(f"{parameter}.weight", narrow[name]))
        x = x if name == "fc3" else x.clamp(min=0)
        torch.testing.assert_close(maps[name][:, :, 0, 0], x)
    assert maps["fc3"].min() < 0 <= maps["fc2"].min()


def test_nothing_is_computed_beyond_the_deepest_layer(picture, monkeypatch):
    network = VGG16("random:0")
    read = []
    original = network._read
    monkeypatch.setattr(network, "_read", lambda name, shape: (read.append(name), original(name, shape))[1])
    network(picture, ["conv1_1", "conv2_1"])
    assert sorted({name.split(".")[1] for name in read}, key=int) == ["0", "2", "5"]


def test_random_weights_are_the_same_for_a_seed(picture):
    one, again, other = (VGG16(f"random:{seed}")(picture, ["conv2_1"])["conv2_1"] for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_a_file_of_weights_is_read_in_both_formats(tmp_path, picture):
    network = VGG16("random:5")
    state = {
        f"{parameter}.{kind}": network._read(f"{parameter}.{kind}", shape if kind == "weight" else shape[:1])
        for _, parameter, shape in VGG16.STAGES
        if parameter.startswith("features")
        for kind in ("weight", "bias")
    }
    torch.save(state, tmp_path / "vgg.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)  # as torchvision's file of 2017 is
    save_file(state, tmp_path / "vgg.safetensors")
    expected = network(picture, ["conv5_3"])["conv5_3"]
    for file in ("vgg.pth", "old.pth", "vgg.safetensors"):
        torch.testing.assert_close(VGG16(str(tmp_path / file))(picture, ["conv5_3"])["conv5_3"], expected)
    with pytest.raises(KinesphereError, match=r"no 'classifier.0.weight'.*download"):
        VGG16(str(tmp_path / "vgg.pth"))(picture, ["fc1"])


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('executed')",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"not a picture of a network", "cannot be read"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "no 'features.0.bias'"),
        ({"features.0.weight": torch.zeros(64, 4, 3, 3)}, r"\[64, 4, 3, 3\], VGG16's is \[64, 3, 3, 3\]"),
        ([1, 2], "no state dict"),
        ({"features.0.weight": Bomb()}, "cannot be read"),
    ],
)
def test_a_wrong_file_is_named_with_the_way_out(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(KinesphereError, match=f"(?s)weights.pth.*{message}.*vgg16-397923af.pth.*random:0"):
        VGG16(str(path))


@pytest.mark.parametrize("weights", [None, "random:", "random:-1", "random:x"])
def test_no_weights_or_a_seed_that_is_none_is_refused(weights):
    with pytest.raises(KinesphereError, match="random:0"):
        VGG16(weights)


# What is fetched


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    return tmp_path / "cache" / "kinesphere"


def test_a_download_is_checked_and_kept(tmp_path, cache):
    served = tmp_path / "weights.bin"
    served.write_bytes(b"weights" * 1000)
    path = download(served.as_uri(), hashlib.sha256(served.read_bytes()).hexdigest())
    assert path == cache / "weights.bin" and path.read_bytes() == served.read_bytes()
    served.unlink()
    assert download(served.as_uri(), "whatever") == path  # not fetched again


def test_a_download_that_is_not_what_it_should_be_is_thrown_away(tmp_path, cache):
    served = tmp_path / "weights.bin"
    served.write_bytes(b"something else")
    with pytest.raises(KinesphereError, match="SHA-256"):
        download(served.as_uri(), "0" * 64)
    assert list(cache.iterdir()) == []


def test_a_download_that_fails_says_what_to_do(tmp_path, cache):
    with pytest.raises(KinesphereError, match="fetch it yourself and give its path"):
        download((tmp_path / "missing.bin").as_uri(), "0" * 64)


def test_vgg16_is_fetched_only_when_asked(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(vgg16, "download", lambda url, sha256: asked.append((url, sha256)) or tmp_path / "none")
    with pytest.raises(KinesphereError):
        VGG16("download")
    ((url, sha256),) = asked
    assert (
        url.endswith(f"vgg16-{sha256[:8]}.pth") and len(sha256) == 64
    )  # torch.hub's names carry the digest's beginning


# The model's own discriminator


class Counting(nn.Module):
    """A discriminator of three layers that counts how often each is computed and keeps what it was shown."""

    def __init__(self, img_channels=3):
        super().__init__()
        self.img_resolution, self.img_channels = 16, img_channels
        self.first = nn.Conv2d(img_channels, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.last = nn.Linear(96, 1)
        self.counts = {"first": 0, "second": 0, "last": 0}

    def layers(self):
        return {"b16.conv1": self.first, "b8.conv1": self.second, "b4.out": self.last}

    def forward(self, img, c=None):
        self.shown = img
        self.counts["first"] += 1
        x = self.first(img)
        self.counts["second"] += 1
        x = self.second(x)
        self.counts["last"] += 1
        return self.last(x.flatten(1))


def of(D):
    return SimpleNamespace(D=D)


def test_discriminator_gives_its_own_activations(picture):
    D = Counting()
    maps = Discriminator(None, of(D))(picture, ["b16.conv1", "b8.conv1", "b4.out"])
    first = D.first(D.shown)
    torch.testing.assert_close(maps["b16.conv1"], first)
    torch.testing.assert_close(maps["b8.conv1"], D.second(first))
    torch.testing.assert_close(maps["b4.out"][:, :, 0, 0], D.last(D.second(first).flatten(1)))


def test_discriminator_stops_at_the_deepest_layer_and_is_left_as_it_was(picture):
    D = Counting()
    Discriminator(None, of(D))(picture, ["b16.conv1"])
    assert D.counts == {"first": 1, "second": 0, "last": 0}
    assert not any(layer._forward_hooks for layer in D.layers().values())
    assert D(torch.zeros(1, 3, 16, 16)).shape == (1, 1)


def test_discriminator_is_left_as_it_was_when_it_fails(picture, monkeypatch):
    D = Counting()
    monkeypatch.setattr(D, "second", nn.Linear(3, 3))
    with pytest.raises(RuntimeError):
        Discriminator(None, of(D))(picture, ["b8.conv1"])
    assert not any(layer._forward_hooks for layer in D.layers().values())


def test_discriminator_sees_the_whole_region_in_its_own_size_and_range():
    D = Counting()
    wide = torch.ones(1, 3, 20, 40)
    wide[:, :, :, :20] = 0
    Discriminator(None, of(D))(wide, ["b16.conv1"])
    assert D.shown.shape == (1, 3, 16, 16)
    assert torch.all(D.shown[:, :, :4] == 0) and torch.all(D.shown[:, :, 12:] == 0)  # mid-grey beside it
    torch.testing.assert_close(D.shown[:, :, 4:12, :7], torch.full((1, 3, 8, 7), -1.0))
    torch.testing.assert_close(D.shown[:, :, 4:12, 9:], torch.ones(1, 3, 8, 7))


def test_discriminator_of_grey_and_of_transparent_pictures(picture):
    D = Counting(1)
    Discriminator(None, of(D))(picture, ["b16.conv1"])
    assert D.shown.shape == (1, 1, 16, 16)
    D = Counting(4)
    Discriminator(None, of(D))(picture, ["b16.conv1"])
    assert torch.all(D.shown[:, 3] == 1)  # opaque
    with pytest.raises(KinesphereError, match="2 channels"):
        Discriminator(None, of(Counting(2)))


def test_a_checkpoint_without_a_discriminator_is_refused_in_words():
    with pytest.raises(KinesphereError, match=r"only a generator.*training checkpoint.*filterbank"):
        Discriminator(None, of(None))


def test_the_discriminator_of_this_project(tiny_checkpoint, picture):
    network = Discriminator(None, tiny_checkpoint)
    maps = network(picture, ["b32.conv0", "b4.fc"])
    assert maps["b32.conv0"].shape[2:] == (32, 32) and maps["b4.fc"].shape == (1, 12, 1, 1)
