"""What others trained to see: their layers as feature maps, the same that transformers gives."""

from types import SimpleNamespace

import numpy as np
import pretrained
import pytest
import torch
from pretrained import saved, tiny
from torch import nn

from kinesphere.features import Activations
from kinesphere.features.networks import NETWORKS, Backbone, DINOv2
from kinesphere.types import KinesphereError, Signal

pytestmark = pytest.mark.usefixtures("one_thread")

BACKBONES = [name for name in pretrained.CONFIGS if name != "depth"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each tiny model, and its folder."""
    folder = tmp_path_factory.mktemp("backbones")
    known = {}

    def of(name):
        if name not in known:
            model = tiny(name)
            known[name] = (
                model,
                saved(model, folder / name, size=64, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]),
            )
        return known[name]

    return of


@pytest.fixture
def picture():
    """[1, 3, 64, 96] of smooth random colours."""
    small = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    return nn.functional.interpolate(small, scale_factor=8, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("name", BACKBONES)
def test_layers_are_the_hidden_states_of_transformers(name, models, picture):
    model, folder = models(name)
    network = Backbone(folder)
    shown = network._eye.shown(picture, 96)
    free = {} if name not in ("vit", "swin") else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        theirs = model(shown.cpu(), output_hidden_states=True, **free)
        mine = network(picture, network.layers())
        hidden = getattr(theirs, "reshaped_hidden_states", None) or theirs.hidden_states
        expected = dict(enumerate(hidden))
        assert len(expected) == len(
            [n for n in network.layers() if n.startswith("hidden") and not n.endswith(".class")]
        )
        for key, x in [*((f"hidden{i}", x) for i, x in expected.items()), ("last", theirs.last_hidden_state)]:
            assert mine[key].ndim == 4
            if x.ndim == 4:
                torch.testing.assert_close(mine[key].cpu(), x)
                continue
            rows, columns = mine[key].shape[2:]
            before = x.shape[1] - rows * columns
            assert rows * 96 == columns * 64 or name in ("dinov2", "registers")
            for row, column in ((0, 0), (0, columns - 1), (rows - 1, 0), (rows // 2, columns // 2)):
                torch.testing.assert_close(mine[key][:, :, row, column].cpu(), x[:, before + row * columns + column])
            assert (f"{key}.class" in mine) == (before > 0)
            if before:
                torch.testing.assert_close(mine[f"{key}.class"][:, :, 0, 0].cpu(), x[:, 0])
        for layer in network.layers():  # the same whatever else is asked for, whichever way it is had
            torch.testing.assert_close(network(picture, [layer])[layer], mine[layer])


@pytest.mark.parametrize("name", ["dinov2", "efficientnet", "mobilenet", "vit", "resnet", "convnext"])
def test_nothing_is_computed_beyond_the_deepest_layer(name, models, picture):
    network = Backbone(models(name)[1])
    heard = []
    for part, module in network._eye.model.named_modules():
        module.register_forward_hook(lambda m, args, output, part=part: heard.append(part))
    hooks = sum(len(module._forward_hooks) for module in network._eye.model.modules())
    network(picture, ["hidden1"])
    early = len(heard)
    heard.clear()
    network(picture, ["hidden1", "last"])
    assert 0 < early < len(heard)
    assert sum(len(module._forward_hooks) for module in network._eye.model.modules()) == hooks  # left as it was found


def test_a_patch_stays_where_it_was(models):
    """A light in one corner changes what a transformer's first layer says of that corner, and of no other."""
    network = Backbone(models("vit")[1])
    dark = torch.zeros(1, 3, 32, 64)
    light = dark.clone()
    light[:, :, :8, 56:] = 1  # the patch in row 0, column 7
    one, other = (network(x, ["hidden0"])["hidden0"] for x in (dark, light))
    changed = (one - other).abs().amax(dim=1)[0] > 1e-6
    assert changed.shape == (4, 8) and changed[0, 7] and changed.sum() == 1


def test_a_picture_is_shown_at_whole_patches(models):
    network = Backbone(models("dinov2")[1])
    assert network(torch.rand(1, 3, 65, 97), ["last"])["last"].shape[2:] == (5, 7)
    assert network(torch.rand(1, 3, 64, 200), ["last"])["last"].shape[2:] == (5, 14)


def test_a_network_for_one_square_sees_the_whole_picture_in_it(models, monkeypatch):
    """Positions learnt for one shape alone: the picture is fitted into that shape."""
    from transformers import ViTModel

    original = ViTModel.forward

    def forward(self, pixel_values=None, output_hidden_states=None):
        return original(self, pixel_values, output_hidden_states=output_hidden_states)

    monkeypatch.setattr(ViTModel, "forward", forward)
    network = Backbone(models("vit")[1])
    assert network._eye.square == 32
    assert network(torch.rand(1, 3, 64, 96), ["last"])["last"].shape[2:] == (4, 4)


def test_every_name_has_its_network_and_refuses_another_family(models):
    assert NETWORKS["dinov2"] is DINOv2 and NETWORKS["transformers"] is Backbone
    for name in ("dinov2", "efficientnet", "mobilenet"):
        network = NETWORKS[name](models(name)[1])
        assert network.default == ("last",) and network.size == 64
        assert min(network(torch.rand(1, 3, network.SMALLEST, network.SMALLEST), ["last"])["last"].shape[2:]) > 1
    assert DINOv2(models("registers")[1]).layers()[1] == "hidden0.class"
    with pytest.raises(KinesphereError, match="'vit' model: for these take the network 'transformers'"):
        DINOv2(models("vit")[1])
    with pytest.raises(KinesphereError, match=r"needs weights.*facebook/dinov2-small"):
        Backbone()


def test_a_wrong_layer_is_answered_with_all_names(models):
    feature = Activations(network="dinov2", weights=models("dinov2")[1], layers="conv4_1")
    with pytest.raises(
        KinesphereError, match=r"no layer 'conv4_1'.*hidden0, hidden0\.class, hidden1.*last, last\.class"
    ):
        feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=16), D=None))


def test_a_latent_is_drawn_from_any_layers_and_a_class_token(models):
    feature = Activations(
        network="dinov2",
        weights=models("dinov2")[1],
        layers={"hidden2": 1.0, "last.class": 0.5},
        size=64,
        region=(0, 0, 0.5, 1),
    )
    feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=16), D=None))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (90, 160, 3), dtype=np.uint8) for _ in range(3)]
    zs = np.stack([feature(Signal(picture, i / 10)) for i, picture in enumerate(pictures)])
    np.testing.assert_allclose(np.sqrt((zs.astype(float) ** 2).mean(axis=1)), 1, atol=1e-5)
    assert not np.allclose(zs[0], zs[2])
    for picture in pictures:  # what happens outside the region cannot be felt
        picture[:, 80:] = 0
    feature.open(SimpleNamespace(G_ema=SimpleNamespace(z_dim=16), D=None))
    again = np.stack([feature(Signal(picture, i / 10)) for i, picture in enumerate(pictures)])
    np.testing.assert_array_equal(zs, again)
