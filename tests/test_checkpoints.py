"""A checkpoint of any known format makes the pictures that its own code makes, and can be kept as .safetensors."""

from __future__ import annotations

import argparse
import contextlib
import http.server
import io
import json
import os
import pickle
import struct
import sys
import threading
import types
import warnings
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kinesphere import checkpoints
from kinesphere.checkpoints import BUILTIN, BadCheckpoint, Card, Checkpoint, foreign, places
from kinesphere.models import (
    DISCRIMINATORS,
    FAMILIES,
    Discriminator,
    StyleGAN1,
    StyleGAN1Discriminator,
    StyleGAN2,
)
from kinesphere.types import KinesphereError

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {path.stem: path for path in sorted(FIXTURES.glob("*.p[kt]*"))}
NAMES = list(FILES)

# (family, img_resolution, z_dim, w_dim, c_dim, num_ws, networks, words in the origin)
CARDS = {
    "rosinality_64": ("stylegan2", 64, 32, 32, 0, 10, "G_ema", "rosinality checkpoint"),
    "rosinality_train32_legacy": ("stylegan2", 32, 24, 24, 0, 8, "G_ema G D", "rosinality training checkpoint"),
    "sg2_clamp256_64": ("stylegan2", 64, 32, 24, 0, 10, "G_ema G D", "PyTorch snapshot (StyleGAN3 code)"),
    "sg2ada_cond64": ("stylegan2", 64, 24, 32, 5, 10, "G_ema G D", "PyTorch snapshot (StyleGAN2-ADA code)"),
    "sg2ada_map2_32": ("stylegan2", 32, 32, 32, 0, 8, "G_ema G D", "PyTorch snapshot (StyleGAN2-ADA code)"),
    "sg2ada_resnet64": ("stylegan2", 64, 16, 24, 0, 10, "G_ema G D", "PyTorch snapshot (StyleGAN2-ADA code)"),
    "sg2ada_skip64": ("stylegan2", 64, 32, 32, 0, 10, "G_ema G D", "PyTorch snapshot (StyleGAN2-ADA code)"),
    "sg3r_64": ("stylegan3", 64, 24, 32, 3, 10, "G_ema G D", "PyTorch snapshot (StyleGAN3 code)"),
    "sg3t_64": ("stylegan3", 64, 32, 32, 0, 16, "G_ema G D", "PyTorch snapshot (StyleGAN3 code)"),
    "tf_sg1_128": ("stylegan1", 128, 24, 24, 0, 12, "G_ema G D", "TensorFlow pickle (StyleGAN1)"),
    "tf_sg2_64": ("stylegan2", 64, 32, 32, 0, 10, "G_ema G D", "TensorFlow pickle (StyleGAN2)"),
    "tf_sg2ada_cond32": ("stylegan2", 32, 24, 24, 5, 8, "G_ema G D", "TensorFlow pickle (StyleGAN2-ADA)"),
}


@cache
def loaded(name: str) -> Checkpoint:
    """A fixture, loaded once. Tests leave it as it was."""
    return checkpoints.load(FILES[name])


@cache
def reference(name: str) -> dict[str, np.ndarray]:
    with np.load(FIXTURES / f"{name}.npz") as arrays:
        return dict(arrays)


def limit(name: str) -> float:
    """The fixtures' README: relative to the largest magnitude; StyleGAN1's instance norm amplifies."""
    return 1e-4 if name == "tf_sg1_128" else 2e-5


def assert_same(name: str, found: Tensor, wanted: np.ndarray, what: str) -> None:
    assert tuple(found.shape) == wanted.shape, what
    error = np.abs(found.detach().numpy() - wanted).max()
    assert error <= limit(name) * np.abs(wanted).max(), f"{what} is off by {error:g}"


def summary(x: Tensor) -> np.ndarray:
    return np.array([float(x.mean()), float(x.std()), float(x.min()), float(x.max())])


def inputs(name: str) -> tuple[Tensor, Tensor | None, float, int | None]:
    """z, c, psi and cutoff of the reference."""
    arrays = reference(name)
    c = torch.from_numpy(arrays["c"]).float() if arrays["c"].shape[1] else None
    cutoff = int(arrays["truncation_cutoff"])
    return torch.from_numpy(arrays["z"]).float(), c, float(arrays["truncation_psi"]), None if cutoff < 0 else cutoff


@contextlib.contextmanager
def centred(name: str, G: Any) -> Iterator[None]:
    """The training checkpoint has no average latent; the reference was made with one that is stored beside it."""
    own = G.mapping.w_avg.clone()
    if name == "rosinality_train32_legacy":
        G.mapping.w_avg.copy_(torch.from_numpy(reference(name)["latent_avg"]))
    yield
    G.mapping.w_avg.copy_(own)


@contextlib.contextmanager
def watched(parent: nn.Module) -> Iterator[dict[str, Any]]:
    """What the parts of a network give, by name."""
    given: dict[str, Any] = {}
    hooks = [
        part.register_forward_hook(lambda part, args, out, name=name: given.__setitem__(name, out))
        for name, part in parent.named_children()
    ]
    yield given
    for hook in hooks:
        hook.remove()


def output(given: dict[str, Any], key: str) -> Tensor:
    """The array "b8_img" or "L0_36_24_x" of what was given."""
    part, which = key.rsplit("_", 1)
    out = given[part]
    return out if isinstance(out, Tensor) else out[0 if which == "x" else 1]


def assert_plays_as_it_should(name: str, checkpoint: Checkpoint) -> None:
    """Latents, pictures, feature maps and their statistics, against those of the original code."""
    G: Any = checkpoint.G_ema
    arrays = reference(name)
    z, c, psi, cutoff = inputs(name)
    with centred(name, G):
        assert_same(name, G.mapping(z, c), arrays["ws_psi1"], "ws without truncation")
        ws = G.mapping(z, c, truncation_psi=psi, truncation_cutoff=cutoff)
        assert_same(name, ws, arrays["ws"], "ws")
    with watched(G.synthesis) as given:
        assert_same(name, G.synthesis(ws), arrays["img_const"], "picture with stored noise")
    for key, wanted in arrays.items():
        if key.startswith("act_") and "user" not in key:
            assert_same(name, output(given, key[4:])[: wanted.shape[0]], wanted, key)
        if key.startswith("stat_") and not key.startswith("stat_D_"):
            error = np.abs(summary(output(given, key[5:])) - wanted).max()
            assert error <= limit(name) * np.abs(wanted).max(), key
    if "img_none" in arrays:
        assert_same(name, G.synthesis(ws, noise_mode="none"), arrays["img_none"], "picture without noise")


def assert_judges_as_it_should(name: str, checkpoint: Checkpoint) -> None:
    D, arrays, c = checkpoint.D, reference(name), inputs(name)[1]
    assert D is not None
    with watched(D) as given:
        logits = D(torch.from_numpy(arrays["img_const"]), c).numpy()
    wanted = arrays["d_logits"]
    assert np.abs(logits - wanted).max() <= limit(name) * max(1, np.abs(wanted).max())
    for key, numbers in arrays.items():
        # NVIDIA's last block includes the comparison with the class, ours does not.
        if key.startswith("stat_D_") and not (key == "stat_D_b4" and c is not None):
            assert (
                np.abs(summary(output(given, key[7:] + "_x")) - numbers).max() <= limit(name) * np.abs(numbers).max()
            ), key


def picture(name: str, G: Any) -> Tensor:
    z, c, psi, cutoff = inputs(name)
    return G.synthesis(G.mapping(z, c, truncation_psi=psi, truncation_cutoff=cutoff))


# The twelve formats ---------------------------------------------------------------------------------------------------


def test_all_twelve_are_here() -> None:
    assert set(NAMES) == set(CARDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_plays_as_it_should(name: str) -> None:
    assert_plays_as_it_should(name, loaded(name))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rosinality_64"])
def test_a_discriminator_judges_as_it_should(name: str) -> None:
    assert_judges_as_it_should(name, loaded(name))


@pytest.mark.parametrize("name", ["sg3t_64", "sg3r_64"])
def test_stylegan3_is_placed_by_its_transform(name: str) -> None:
    G: Any = loaded(name).G_ema
    arrays = reference(name)
    stored = G.synthesis.input.transform.clone()
    assert_same(name, stored, arrays["stored_transform"], "stored transform")
    G.synthesis.input.transform.copy_(torch.from_numpy(arrays["user_transform"]))
    with watched(G.synthesis) as given:
        img = G.synthesis(torch.from_numpy(arrays["ws"])[:1])
    G.synthesis.input.transform.copy_(stored)
    assert_same(name, given["input"], arrays["act_input_x_user_transform"], "waves")
    assert_same(name, img, arrays["img_user_transform"], "picture")


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_what_it_is(name: str) -> None:
    card = loaded(name).card
    family, resolution, z_dim, w_dim, c_dim, num_ws, networks, origin = CARDS[name]
    found = (card.family, card.img_resolution, card.z_dim, card.w_dim, card.c_dim, card.num_ws, " ".join(card.networks))
    assert found == (family, resolution, z_dim, w_dim, c_dim, num_ws, networks)
    assert origin in card.origin and card.img_channels == 3
    assert card.parameters == sum(p.numel() for p in loaded(name).G_ema.parameters())
    assert len(card.sha256) == 64 and card.asdict()["networks"] == networks.split()
    assert "datasets" not in json.dumps(card.asdict())  # the path on the trainer's machine


@pytest.mark.parametrize("name", NAMES)
def test_inspecting_gives_the_card_that_loading_gives(name: str) -> None:
    assert checkpoints.inspect(FILES[name]) == loaded(name).card


def test_the_sha256_is_that_of_the_file() -> None:
    import hashlib

    assert loaded("sg3t_64").card.sha256 == hashlib.sha256(FILES["sg3t_64"].read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_networks_come_ready_to_play(name: str) -> None:
    for network in loaded(name).networks().values():
        tensors = [*network.parameters(), *network.buffers()]
        assert {(t.dtype, t.device.type, t.requires_grad) for t in tensors} == {(torch.float32, "cpu", False)}
        assert not any(part.training for part in network.modules())


def test_averaged_and_trained_generator_are_told_apart() -> None:
    for name in NAMES:
        if (G := loaded(name).G) is not None:
            assert not torch.equal(picture(name, G), picture(name, loaded(name).G_ema)), name


def test_loading_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    checkpoints.load(FILES["rosinality_train32_legacy"])
    after = torch.rand(3), np.random.rand(3)
    torch.manual_seed(0)
    np.random.seed(0)
    assert torch.equal(after[0], torch.rand(3)) and (after[1] == np.random.rand(3)).all()


def test_a_network_outlives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(FILES["sg2ada_map2_32"].read_bytes())
    checkpoint = checkpoints.load(path)
    path.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    assert torch.equal(
        picture("sg2ada_map2_32", checkpoint.G_ema), picture("sg2ada_map2_32", loaded("sg2ada_map2_32").G_ema)
    )


def test_a_missing_average_is_computed_and_noted() -> None:
    checkpoint = loaded("rosinality_train32_legacy")
    assert checkpoint.card.notes == ("the average latent was missing: computed from 10,000 seeded samples",)
    both: list[Any] = [checkpoint.G_ema, checkpoint.G]
    for G in both:
        z = torch.from_numpy(np.random.RandomState(0).randn(10_000, G.z_dim)).float()
        wanted = G.mapping(z)[:, 0].mean(dim=0)
        assert torch.allclose(G.w_avg, wanted, rtol=1e-5, atol=1e-5)
    assert loaded("rosinality_64").card.notes == ()


# Our own format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_converted_networks_give_the_same_numbers(name: str, tmp_path: Path) -> None:
    target = tmp_path / "x.safetensors"
    checkpoints.convert(FILES[name], target)
    again, first = checkpoints.load(target), loaded(name)
    transform = "synthesis.input.transform"
    assert again.card.networks == first.card.networks
    assert torch.equal(picture(name, again.G_ema), picture(name, first.G_ema))
    assert_plays_as_it_should(name, again)
    if again.G is not None:
        assert torch.equal(picture(name, again.G), picture(name, first.G))
    if again.D is not None and first.D is not None:
        img, c = torch.from_numpy(reference(name)["img_const"]), inputs(name)[1]
        assert torch.equal(again.D(img, c), first.D(img, c))
    if name.startswith("sg3"):
        assert torch.equal(again.G_ema.get_buffer(transform), first.G_ema.get_buffer(transform))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_on_disk_changes_little(name: str, tmp_path: Path) -> None:
    """Half precision has 11 bits, 5e-4 of each weight: the picture moves by under 5e-3 of its largest value (StyleGAN1: 1e-2)."""
    checkpoints.convert(FILES[name], tmp_path / "x.safetensors", torch.float16)
    again = checkpoints.load(tmp_path / "x.safetensors")
    assert {p.dtype for p in again.G_ema.parameters()} == {torch.float32}
    wanted = picture(name, loaded(name).G_ema)
    bound = 1e-2 if again.card.family == "stylegan1" else 5e-3
    assert 0 < (picture(name, again.G_ema) - wanted).abs().max() <= bound * wanted.abs().max()


FC0 = "mapping.fc0.weight"


def wide(**config: Any) -> Checkpoint:
    """A generator whose weights outweigh everything else."""
    G = StyleGAN2(img_resolution=8, channels=[64, 64], z_dim=64, w_dim=64, **config).eval().requires_grad_(False)
    return Checkpoint(G, Card.of({"G_ema": G}, "a test"))


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    checkpoints.save(wide(), tmp_path / "full.safetensors")
    checkpoints.save(wide(), tmp_path / "half.safetensors", torch.float16)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.53 * (tmp_path / "full.safetensors").stat().st_size


def test_what_half_precision_cannot_hold_stays_whole(tmp_path: Path) -> None:
    checkpoint = wide()
    checkpoint.G_ema.get_parameter(FC0)[0, 0] = 1e6
    checkpoints.save(checkpoint, tmp_path / "x.safetensors", torch.float16)
    assert checkpoints.load(tmp_path / "x.safetensors").G_ema.get_parameter(FC0)[0, 0] == 1e6


@pytest.mark.parametrize("name", ["sg2ada_cond64", "tf_sg1_128", "rosinality_train32_legacy"])
def test_the_card_remembers_where_it_came_from(name: str, tmp_path: Path) -> None:
    card = checkpoints.convert(FILES[name], tmp_path / "x.safetensors")
    assert card == loaded(name).card
    again = checkpoints.inspect(tmp_path / "x.safetensors")
    assert again.origin == card.origin and again.sha256 != card.sha256
    assert again.notes == (*card.notes, f"converted from a file with SHA-256 {card.sha256}")
    checkpoints.convert(tmp_path / "x.safetensors", tmp_path / "y.safetensors", torch.float16)
    assert checkpoints.inspect(tmp_path / "y.safetensors").notes == again.notes


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_saved(family: str, tmp_path: Path) -> None:
    sizes: dict[str, Any] = dict(img_resolution=16, z_dim=8, w_dim=8)
    sizes |= dict(channel_base=64, channel_max=8, num_layers=4) if family == "stylegan3" else dict(channels=[8, 8, 4])
    G = FAMILIES[family](**sizes)
    D = DISCRIMINATORS["stylegan2" if family == "stylegan3" else family](img_resolution=16, channels=[8, 8, 4])
    checkpoints.save(Checkpoint(G, Card.of({"G_ema": G, "D": D}, "a test"), D=D), tmp_path / "x.safetensors")
    again = checkpoints.load(tmp_path / "x.safetensors")
    assert again.D is not None
    z, img = torch.randn(2, 8), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again.G_ema.synthesis(again.G_ema.mapping(z)), G.synthesis(G.mapping(z)))
        assert torch.equal(again.D(img), D(img))
    assert again.G is None and again.card.origin == "a test" and again.card.notes == ()


def test_one_network_in_two_roles_can_be_saved(tmp_path: Path) -> None:
    G = wide().G_ema
    checkpoints.save(Checkpoint(G, wide().card, G=G), tmp_path / "x.safetensors")
    again = checkpoints.load(tmp_path / "x.safetensors")
    assert again.G is not None and torch.equal(again.G.get_parameter(FC0), G.get_parameter(FC0))


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "x.safetensors"
    checkpoints.save(wide(), target)
    before = target.read_bytes()

    def half_way(tensors: Any, path: Path, metadata: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kinesphere.checkpoints.native.save_file", half_way)
    with pytest.raises(KinesphereError, match="No space left"):
        checkpoints.save(wide(), target)
    assert target.read_bytes() == before and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("target", "dtype", "words"),
    [
        ("x.pkl", torch.float32, r"must end in \.safetensors"),
        ("x.safetensors", torch.int8, "choose torch.float32 or torch.float16"),
        ("absent/x.safetensors", torch.float32, "make it first"),
    ],
)
def test_saving_says_what_is_wrong(target: str, dtype: torch.dtype, words: str, tmp_path: Path) -> None:
    with pytest.raises(KinesphereError, match=words):
        checkpoints.save(wide(), tmp_path / target, dtype)


def test_only_families_can_be_saved(tmp_path: Path) -> None:
    odd: Any = nn.Linear(2, 2)
    with pytest.raises(KinesphereError, match="a Linear cannot be saved: the families are stylegan1"):
        checkpoints.save(Checkpoint(odd, wide().card), tmp_path / "x.safetensors")


@cache
def header_and_body(name: str = "sg2ada_cond64") -> tuple[dict[str, Any], bytes]:
    """A fixture in our format, taken apart."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.safetensors"
        checkpoints.save(loaded(name), path)
        data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def assembled(header: Any, body: bytes) -> bytes:
    written = json.dumps(header).encode()
    return struct.pack("<Q", len(written)) + written + body


def forged(path: Path, name: str = "sg2ada_cond64", **changes: Any) -> Path:
    """A file of ours with other metadata; a dictionary for a key is written as JSON."""
    header, body = header_and_body(name)
    metadata = header["__metadata__"] | {k: v if isinstance(v, str) else json.dumps(v) for k, v in changes.items()}
    path.write_bytes(assembled(header | {"__metadata__": metadata}, body))
    return path


def said(name: str = "sg2ada_cond64") -> dict[str, Any]:
    """What the header says of the networks; a copy to be changed."""
    return json.loads(header_and_body(name)[0]["__metadata__"]["networks"])


def with_config(name: str = "sg2ada_cond64", network: str = "G_ema", **changes: Any) -> dict[str, Any]:
    networks = said(name)
    networks[network]["config"] |= changes
    return networks


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(kinesphere="2"), "update kinesphere"),
        (dict(card="{"), "no readable 'card'"),
        (dict(networks="[]"), "no readable 'networks'"),
        (dict(networks="[" * 200_000), "no readable 'networks'"),
        (dict(networks="1" * 2_000_000), "1048576 are the limit"),
        (dict(networks={}), "names no generator G_ema"),
        (dict(networks={"G_ema": {"kind": "generator", "family": "stylegan9", "config": {}}}), "no generator family 'stylegan9'"),
        (dict(networks={"G_ema": {"kind": "discriminator", "family": "stylegan2", "config": {}}}), "does not say what G_ema is"),
        (dict(networks={"G_ema": said()["G_ema"]}), "belong to no network"),
        (dict(networks=with_config(img_resolution=32)), "widths for 4 resolutions"),
        (dict(networks=with_config(img_resolution=48)), "must be a power of two"),
        (dict(networks=with_config(img_resolution=True)), "must be a power of two"),
        (dict(networks=with_config(channels=[10**9] * 5)), "a list of whole numbers from 1 to 65536"),
        (dict(networks=with_config(channels=[60000] * 5)), "should be"),
        (dict(networks=with_config(mapping_layers=10**9)), "must be a whole number from 1 to 64"),
        (dict(networks=with_config(mapping_layers=5)), "lacks 2 tensors, first 'mapping.fc4.weight'"),
        (dict(networks=with_config(mapping_layers=3)), "2 tensors that no stylegan2 has, first 'mapping.fc3"),
        (dict(networks=with_config(w_dim=31)), "mapping.w_avg is .32. and should be .31."),
        (dict(networks=with_config(mapping_lr=float("nan"))), "mapping_lr = nan"),
        (dict(networks=with_config(conv_clamp=-1)), "conv_clamp = -1"),
        (dict(networks=with_config(resample_filter=[1, -1])), "filter taps"),
        (dict(networks=with_config(colour="red")), "an argument 'colour'; there are img_resolution"),
        (dict(networks=with_config(network="D", mbstd_channels=7)), "the discriminator"),
    ],
)  # fmt: skip
def test_a_header_is_not_believed(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=words):
        checkpoints.load(forged(tmp_path / "x.safetensors", **changes))


def test_a_strangers_words_cannot_reach_the_terminal(tmp_path: Path) -> None:
    card = {"origin": "evil\x1b[2J\nname", "notes": ["\x07bell", 3, "x" * 5000], "sha256": 5}
    found = checkpoints.inspect(forged(tmp_path / "x.safetensors", card=card))
    assert found.origin == "evil[2Jname" and found.notes == ("bell", "x" * 300)


WORDS = st.sampled_from(["skip", "orig", "embed", "stylegan3", ""])
ROWS = st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=3)
LISTS = st.lists(st.integers(-2, 70), max_size=6) | st.lists(st.floats(), max_size=5) | ROWS
NUMBERS = st.integers(-2, 300) | st.integers() | st.floats()
VALUES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | WORDS
    | LISTS
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["sg2ada_cond64", "sg3r_64", "tf_sg1_128"]),
    network=st.sampled_from(["G_ema", "D"]),
    data=st.data(),
)
def test_any_architecture_loads_or_is_refused(name: str, network: str, data: st.DataObject, tmp_path: Path) -> None:
    networks = said(name)
    config = networks[network]["config"]
    for key in data.draw(st.lists(st.sampled_from(sorted(config)), min_size=1, max_size=3)):
        config[key] = data.draw(VALUES)
    try:
        checkpoints.load(forged(tmp_path / "x.safetensors", name, networks=networks))
    except BadCheckpoint as error:
        assert str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 20_000), byte=st.integers(0, 255), end=st.none() | st.integers(0, 400_000))
def test_a_damaged_file_of_ours_loads_or_is_refused(at: int, byte: int, end: int | None, tmp_path: Path) -> None:
    made = bytearray(assembled(*header_and_body("sg3r_64")))
    made[at] = byte
    (tmp_path / "x.safetensors").write_bytes(made[:end])
    try:
        checkpoints.load(tmp_path / "x.safetensors")
    except BadCheckpoint as error:
        assert str(error)


# Variants of the formats: real files, opened by pickle with stand-ins for NVIDIA's classes, changed, and written again


class Persistent:
    """A module of NVIDIA's as its file describes it."""

    def __init__(self, meta: dict[str, Any]) -> None:
        self.meta = meta

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self.meta,)

    @property
    def state(self) -> dict[str, Any]:
        return self.meta["state"]

    def part(self, path: str) -> Persistent:
        found = self
        for name in path.split("."):
            found = found.state["_modules"][name]
        return found

    def all_parts(self) -> Iterator[Persistent]:
        yield self
        for part in self.state["_modules"].values():
            if isinstance(part, Persistent):
                yield from part.all_parts()


class Network:
    """A TensorFlow network as its file describes it."""

    def __init__(self, **state: Any) -> None:
        self.__dict__ |= state


class EasyDict(dict[str, Any]):
    pass


@pytest.fixture
def originals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with the names that the files mention, for pickle to find."""

    def module(path: str, **names: Any) -> None:
        made = types.ModuleType(path)
        for name, thing in names.items():
            thing.__module__, thing.__qualname__ = path, name
            setattr(made, name, thing)
        monkeypatch.setitem(sys.modules, path, made)

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Persistent:
        return Persistent(meta)

    for package in ("torch_utils", "dnnlib", "dnnlib.tflib", "pg_modules"):
        module(package)
    module("torch_utils.persistence", _reconstruct_persistent_obj=_reconstruct_persistent_obj)
    module("dnnlib.util", EasyDict=type("EasyDict", (EasyDict,), {}))
    module("dnnlib.tflib.network", Network=type("Network", (Network,), {}))
    module("pg_modules.discriminator", ProjectedDiscriminator=type("ProjectedDiscriminator", (nn.Module,), {}))


def opened(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, for names that it moved
        return pickle.loads(FILES[name].read_bytes())


def written(value: Any, path: Path, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["sg2ada_cond64", "sg3r_64"])
def test_a_snapshot_of_any_protocol(name: str, protocol: int, originals: None, tmp_path: Path) -> None:
    found = checkpoints.load(written(opened(name), tmp_path / "x.pkl", protocol))
    assert torch.equal(picture(name, found.G_ema), picture(name, loaded(name).G_ema))


def test_a_tensorflow_file_of_protocol_2(originals: None, tmp_path: Path) -> None:
    found = checkpoints.load(written(opened("tf_sg2_64"), tmp_path / "x.pkl", 2))
    assert torch.equal(picture("tf_sg2_64", found.G_ema), picture("tf_sg2_64", loaded("tf_sg2_64").G_ema))


@pytest.mark.parametrize("layout", ["zip", "stream"])
@pytest.mark.parametrize("name", ["sg2_clamp256_64", "sg3t_64"])
def test_a_bare_module_in_a_torch_file(name: str, layout: str, originals: None, tmp_path: Path) -> None:
    torch.save(opened(name)["G_ema"], tmp_path / "x.pt", _use_new_zipfile_serialization=layout == "zip")
    found = checkpoints.load(tmp_path / "x.pt")
    assert found.card.networks == ("G_ema",) and "torch.save" in found.card.origin
    assert torch.equal(picture(name, found.G_ema), picture(name, loaded(name).G_ema))


def test_a_file_with_the_average_alone(originals: None, tmp_path: Path) -> None:
    found = checkpoints.load(written({"G_ema": opened("sg2ada_skip64")["G_ema"]}, tmp_path / "x.pkl"))
    assert found.card.networks == ("G_ema",) and found.D is None and found.G is None
    assert torch.equal(picture("sg2ada_skip64", found.G_ema), picture("sg2ada_skip64", loaded("sg2ada_skip64").G_ema))


def test_a_file_without_the_average(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_skip64") | {"G_ema": None}
    found = checkpoints.load(written(value, tmp_path / "x.pkl"))
    assert "no averaged generator" in found.card.notes[0] and found.G is None
    assert torch.equal(picture("sg2ada_skip64", found.G_ema), picture("sg2ada_skip64", loaded("sg2ada_skip64").G))


def test_a_generator_without_an_average_latent(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_cond64")
    del value["G_ema"].part("mapping").state["_buffers"]["w_avg"]
    found = checkpoints.load(written(value, tmp_path / "x.pkl"))
    assert "average latent was missing" in found.card.notes[0]
    G: Any = found.G_ema
    random = np.random.RandomState(1)
    classes = torch.eye(5)[torch.arange(20_000) % 5]
    mean = G.mapping(torch.from_numpy(random.randn(20_000, 24)).float(), classes)[:, 0].mean(dim=0)
    assert (G.w_avg - mean).abs().max() < 0.1 * G.mapping(torch.randn(1000, 24), classes[:1000]).std()


def test_a_foreign_discriminator_is_left_out(originals: None, tmp_path: Path) -> None:
    D = sys.modules["pg_modules.discriminator"].ProjectedDiscriminator()
    D.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    found = checkpoints.load(written(opened("sg2ada_skip64") | {"D": D}, tmp_path / "x.pkl"))
    assert found.D is None and found.G is not None and found.card.networks == ("G_ema", "G")
    assert found.card.notes == ("the discriminator was left out: it is of a class that this loader does not know",)


def test_a_discriminator_with_a_foreign_part_is_left_out(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_skip64")
    value["D"].state["_modules"]["extra"] = sys.modules["pg_modules.discriminator"].ProjectedDiscriminator()
    found = checkpoints.load(written(value, tmp_path / "x.pkl"))
    assert found.D is None and "'pg_modules.discriminator.ProjectedDiscriminator'" in found.card.notes[0]


def test_a_discriminator_that_does_not_fit_is_left_out(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_skip64")
    value["D"].part("b4.fc").state["_parameters"]["more"] = nn.Parameter(torch.zeros(3))
    found = checkpoints.load(written(value, tmp_path / "x.pkl"))
    assert found.D is None and "'b4.fc.more'" in found.card.notes[0]


def test_nothing_foreign_is_played(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_skip64")
    value["G_ema"].part("synthesis").state["helper"] = sys.modules["pg_modules.discriminator"].ProjectedDiscriminator()
    with pytest.raises(BadCheckpoint, match="generator G_ema contains a 'pg_modules"):
        checkpoints.load(written(value, tmp_path / "x.pkl"))


def weight(G: Persistent, path: str) -> Tensor:
    return G.part(path).state["_parameters"]["weight"].data


def set_weight(G: Persistent, path: str, value: Tensor) -> None:
    G.part(path).state["_parameters"]["weight"] = nn.Parameter(value)


NO_GENERATORS: dict[str, tuple[Callable[[Persistent], Any], str]] = {
    "nan": (
        lambda G: weight(G, "synthesis.b8.conv0").view(-1)[5].fill_(float("nan")),
        r"synthesis\.b8\.conv0\.weight holds numbers that are infinite or not numbers",
    ),
    "inf": (
        lambda G: G.part("mapping").state["_buffers"]["w_avg"].fill_(float("inf")),
        "mapping.w_avg holds numbers that are infinite",
    ),
    "shape": (
        lambda G: set_weight(G, "mapping.fc1", torch.zeros(32, 31)),
        r"mapping\.fc1\.weight is \[32, 31\] and should be \[32, 32\]",
    ),
    "layer": (lambda G: G.part("synthesis.b16").state["_modules"].pop("conv1"), r"layers at \[4, 8, 32, 64\] px"),
    "tensor": (
        lambda G: G.part("synthesis.b64.torgb").state["_parameters"].pop("bias"),
        r"lacks 1 tensors, first 'synthesis\.b64\.torgb\.bias'",
    ),
    "activation": (
        lambda G: G.part("synthesis.b4.conv1").state.update(activation="swish"),
        "activation 'swish'; only 'lrelu'",
    ),
    "clamp": (lambda G: G.part("synthesis.b4.conv1").state.update(conv_clamp="no"), "conv_clamp = 'no'"),
    "wide": (
        lambda G: G.part("synthesis.b4").state["_parameters"].update(const=nn.Parameter(torch.zeros(32, 4, 8))),
        "not square",
    ),
}


@pytest.mark.parametrize("what", NO_GENERATORS)
def test_a_generator_that_is_none_is_refused(what: str, originals: None, tmp_path: Path) -> None:
    change, words = NO_GENERATORS[what]
    value = opened("sg2ada_skip64")
    with torch.no_grad():
        change(value["G_ema"])
    with pytest.raises(BadCheckpoint, match=words):
        checkpoints.load(written(value, tmp_path / "x.pkl"))


def test_other_frequencies_than_stylegan3s_are_refused(originals: None, tmp_path: Path) -> None:
    value = opened("sg3t_64")
    value["G_ema"].part("synthesis.L5_52_16").state["out_cutoff"] = 7.0
    with pytest.raises(BadCheckpoint, match="L5_52_16 has out_cutoff 7.0"):
        checkpoints.load(written(value, tmp_path / "x.pkl"))


def test_half_precision_in_a_snapshot_is_widened(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_skip64")
    for part in value["G_ema"].all_parts():
        part.state["_parameters"] = {
            k: None if v is None else nn.Parameter(v.data.half()) for k, v in part.state["_parameters"].items()
        }
    found = checkpoints.load(written(value, tmp_path / "x.pkl"))
    wanted = picture("sg2ada_skip64", loaded("sg2ada_skip64").G_ema)
    assert {p.dtype for p in found.G_ema.parameters()} == {torch.float32}
    assert (picture("sg2ada_skip64", found.G_ema) - wanted).abs().max() < 5e-3 * wanted.abs().max()


def test_one_network_under_two_names_is_no_bomb(originals: None, tmp_path: Path) -> None:
    value = opened("sg2ada_map2_32")
    found = checkpoints.load(written(value | {"G": value["G_ema"]}, tmp_path / "x.pkl"))
    assert torch.equal(picture("sg2ada_map2_32", found.G), picture("sg2ada_map2_32", found.G_ema))


def test_a_state_dict_with_nvidias_names(tmp_path: Path) -> None:
    """Clamp and noise group are in no tensor, so they are assumed, and that is noted."""
    torch.save({"G_ema": loaded("sg3t_64").G_ema.state_dict()}, tmp_path / "x.pt")
    found = checkpoints.load(tmp_path / "x.pt")
    assert "only the weights were stored" in found.card.notes[0]
    assert torch.equal(picture("sg3t_64", found.G_ema), picture("sg3t_64", loaded("sg3t_64").G_ema))


# TensorFlow's other networks: our models written in its layout, with the transposes of the reference turned round


def to_tensorflow(name: str, tensor: Tensor, family: str) -> np.ndarray:
    """A weight of ours as TensorFlow stores it."""
    if tensor.ndim == 4:
        flip = family == "stylegan2" and name.startswith("synthesis") and ".conv0." in name
        return (tensor.flip(2, 3) if flip else tensor).permute(2, 3, 1, 0).numpy().copy()
    if name.endswith("affine.bias") and family == "stylegan2":
        return (tensor - 1).numpy().copy()
    if name.endswith("const") and tensor.ndim == 3:
        return tensor[None].numpy().copy()
    if name.endswith("noise_const"):
        return tensor[None, None].numpy().copy()
    return (tensor.t() if tensor.ndim == 2 else tensor).numpy().copy()


def tensorflow_name(name: str, resolution: int, family: str, lod: bool, label: str) -> str:
    """What TensorFlow calls a weight of a generator."""
    part, _, rest = name.partition(".")
    if part == "mapping":
        embed = "LabelEmbed" if label == "embed" else "LabelConcat"
        return (
            "dlatent_avg"
            if rest == "w_avg"
            else f"mapping/{rest.replace('embed', embed).replace('fc', 'Dense').replace('.', '/')}"
        )
    block, _, rest = rest.partition(".")
    r = int(block[1:])
    if rest.endswith("noise_const"):
        i = r.bit_length() - 3
        first = 2 * i if family == "stylegan1" else 2 * i - 1
        return f"synthesis/noise{first + (rest.startswith('conv1'))}"
    if rest == "const":
        return "synthesis/4x4/Const/const"
    layer, _, rest = rest.partition(".")
    names = {
        "conv0": "Conv0_up" if r > 4 else "Const",
        "conv1": "Conv1" if r > 4 else "Conv",
        "skip": "Skip",
        "torgb": "ToRGB",
    }
    inner = {
        "stylegan1": {
            "affine.weight": "StyleMod/weight",
            "affine.bias": "StyleMod/bias",
            "noise_strength": "Noise/weight",
        },
        "stylegan2": {"affine.weight": "mod_weight", "affine.bias": "mod_bias"},
    }[family].get(rest, rest)
    if layer == "torgb" and lod:
        return f"synthesis/ToRGB_lod{(resolution // r).bit_length() - 1}/{inner}"
    return f"synthesis/{r}x{r}/{names[layer]}/{inner}"


def tensorflow_generator(G: Any, lod: bool = False, **kwargs: Any) -> Any:
    """One of our generators as a TensorFlow network; `lod` names its ToRGB as configs B to D do."""
    label = G.config["label"]
    values = {
        tensorflow_name(name, G.img_resolution, G.family, lod, label): to_tensorflow(name, tensor, G.family)
        for name, tensor in G.state_dict().items()
    }
    make = sys.modules["dnnlib.tflib.network"].Network
    parts = {
        part: make(
            variables=[(k.removeprefix(f"{part}/"), v) for k, v in values.items() if k.startswith(f"{part}/")],
            components={},
        )
        for part in ("synthesis", "mapping")
    }
    own = [("lod", np.float32(0)), *((k, v) for k, v in values.items() if "/" not in k)]
    return make(
        version=4,
        name="G",
        static_kwargs=kwargs,
        components=parts,
        variables=own,
        build_module_src="# omitted",
        build_func_name="G_main",
    )


def tensorflow_discriminator(D: Any, **kwargs: Any) -> Any:
    layers = {
        "conv0": "Conv0",
        "conv1": "Conv1_down",
        "skip": "Skip",
        "fromrgb": "FromRGB",
        "conv": "Conv",
        "fc": "Dense0",
    }
    values = []
    for name, tensor in D.state_dict().items():
        block, layer, rest = name.split(".")
        r = block[1:]
        theirs = (
            f"{r}x{r}/{layers[layer]}/{rest}"
            if layer != "out"
            else f"{'4x4/Dense1' if D.family == 'stylegan1' else 'Output'}/{rest}"
        )
        if D.family == "stylegan1" and layer == "fromrgb":
            theirs = f"FromRGB_lod0/{rest}"
        values.append((theirs, to_tensorflow(name, tensor, "")))
    return sys.modules["dnnlib.tflib.network"].Network(
        version=4, name="D", static_kwargs=kwargs, components={}, variables=values, build_func_name="D_stylegan2"
    )


def randomised(network: nn.Module) -> Any:
    """Every number away from its default, so that none can be forgotten."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in [*network.parameters(), *(b for n, b in network.named_buffers() if n in network.state_dict())]:
            tensor.add_(torch.randn(tensor.shape, generator=random), alpha=0.3)
    return network.eval().requires_grad_(False)


SMALL: dict[str, Any] = dict(img_resolution=32, channels=[12, 12, 10, 8], z_dim=10, w_dim=12, mapping_layers=3)
TENSORFLOW: dict[str, tuple[Callable[[], Any], Callable[[], Any], bool, dict[str, Any]]] = {
    "config D": (lambda: StyleGAN2(**SMALL, architecture="orig"), lambda: Discriminator(**PAIRED, architecture="orig"), True, {}),
    "residual": (lambda: StyleGAN2(**SMALL, architecture="resnet"), lambda: Discriminator(**PAIRED), False, {}),
    "skip both": (lambda: StyleGAN2(**SMALL), lambda: Discriminator(**PAIRED, architecture="skip"), False, {}),
    "classes": (
        lambda: StyleGAN2(**SMALL, c_dim=4, label="concat", embed_dim=10, mapping_width=9),
        lambda: Discriminator(**PAIRED, c_dim=4, label="per_class"), False, {},
    ),
    "clamped": (
        lambda: StyleGAN2(**SMALL, conv_clamp=0.7, resample_filter=[1, 2, 1, 0]),
        lambda: Discriminator(**PAIRED, conv_clamp=0.7, resample_filter=[1, 2, 1, 0]), False,
        dict(conv_clamp=0.7, resample_kernel=[1, 2, 1, 0]),
    ),
    "StyleGAN1 with classes": (
        lambda: StyleGAN1(**SMALL, c_dim=3), lambda: StyleGAN1Discriminator(**PAIRED, c_dim=3), True, {},
    ),
    "StyleGAN1, always fused": (
        lambda: StyleGAN1(**SMALL, fused_from=4), lambda: StyleGAN1Discriminator(**PAIRED, fused_from=4), True,
        dict(fused_scale=True),
    ),
}  # fmt: skip
PAIRED: dict[str, Any] = dict(img_resolution=32, channels=[12, 12, 10, 8])


@pytest.mark.parametrize("what", TENSORFLOW)
def test_other_networks_of_tensorflow(what: str, originals: None, tmp_path: Path) -> None:
    make_G, make_D, lod, kwargs = TENSORFLOW[what]
    G, D = randomised(make_G()), randomised(make_D())
    there = tensorflow_generator(G, lod, **kwargs)
    found = checkpoints.load(written((there, tensorflow_discriminator(D, **kwargs), there), tmp_path / "x.pkl"))
    assert found.card.notes == () and found.D is not None
    z, img = torch.randn(4, 10), torch.randn(4, 3, 32, 32)
    c = torch.eye(G.c_dim)[torch.arange(4) % G.c_dim] if G.c_dim else None
    wanted = G.synthesis(G.mapping(z, c))
    error = (found.G_ema.synthesis(found.G_ema.mapping(z, c)) - wanted).abs().max()
    assert error <= 1e-5 * wanted.abs().max()  # a style bias less 1 and more 1 has lost a digit
    assert torch.equal(found.D(img, c), D(img, c))


def test_the_oldest_tensorflow_files_have_no_parts(originals: None, tmp_path: Path) -> None:
    G = randomised(StyleGAN1(**SMALL))
    there = tensorflow_generator(G, lod=True)
    variables = there.variables + [
        (f"G_{part}/{k}", v) for part, inner in there.components.items() for k, v in inner.variables
    ]
    old = sys.modules["dnnlib.tflib.network"].Network(version=2, name="Gs", static_kwargs={}, variables=variables)
    found = checkpoints.load(written(old, tmp_path / "x.pkl"))
    z = torch.randn(2, 10)
    assert torch.equal(found.G_ema.synthesis(found.G_ema.mapping(z)), G.synthesis(G.mapping(z)))


def test_a_growing_network_is_noted(originals: None, tmp_path: Path) -> None:
    there = tensorflow_generator(randomised(StyleGAN1(**SMALL)), lod=True)
    there.variables[0] = ("lod", np.float32(1.5))
    assert "still growing (level of detail 1.5)" in checkpoints.load(written(there, tmp_path / "x.pkl")).card.notes[0]


def test_arguments_that_cannot_be_played_are_named(originals: None, tmp_path: Path) -> None:
    there = tensorflow_generator(randomised(StyleGAN2(**SMALL)), nonlinearity="relu")
    with pytest.raises(BadCheckpoint, match="nonlinearity = 'relu'; only 'lrelu'"):
        checkpoints.load(written(there, tmp_path / "x.pkl"))


# rosinality's other layouts -------------------------------------------------------------------------------------------


def rosinality() -> dict[str, Any]:
    return torch.load(FILES["rosinality_64"], weights_only=True)


def test_a_bare_state_dict_of_rosinality(tmp_path: Path) -> None:
    torch.save({f"module.{k}": v for k, v in rosinality()["g_ema"].items()}, tmp_path / "x.pt")
    found = checkpoints.load(tmp_path / "x.pt")
    z = inputs("rosinality_64")[0]
    assert torch.equal(found.G_ema.mapping(z), loaded("rosinality_64").G_ema.mapping(z))
    assert "average latent was missing" in found.card.notes[0]


def test_arguments_of_the_training_are_passed_over(tmp_path: Path) -> None:
    """They may hold anything plain, and paths."""
    args = argparse.Namespace(path=Path("/home/trainer/pictures"), batch=16, betas=(0, 0.99), extra={"a": None})
    torch.save(rosinality() | {"args": args, "g_optim": {"state": {}}}, tmp_path / "x.pt")
    found = checkpoints.load(tmp_path / "x.pt")
    assert "training" in found.card.origin and "trainer" not in json.dumps(found.card.asdict())
    assert torch.equal(picture("rosinality_64", found.G_ema), picture("rosinality_64", loaded("rosinality_64").G_ema))


def test_missing_noise_maps_are_drawn_and_noted(tmp_path: Path) -> None:
    value = rosinality()
    value["g_ema"] = {k: v for k, v in value["g_ema"].items() if not k.startswith("noises")}
    torch.save(value, tmp_path / "x.pt")
    first, second = (checkpoints.load(tmp_path / "x.pt") for _ in range(2))
    assert first.card.notes == ("the noise maps were missing: drawn from a fixed seed",)
    assert torch.equal(picture("rosinality_64", first.G_ema), picture("rosinality_64", second.G_ema))
    ws = torch.from_numpy(reference("rosinality_64")["ws"])
    assert_same(
        "rosinality_64", first.G_ema.synthesis(ws, noise_mode="none"), reference("rosinality_64")["img_none"], "picture"
    )


def test_what_rosinality_has_not_is_refused(tmp_path: Path) -> None:
    value = rosinality()
    value["g_ema"]["convs.0.attention.weight"] = torch.zeros(3)
    torch.save(value, tmp_path / "x.pt")
    with pytest.raises(BadCheckpoint, match="first 'convs.0.attention.weight'"):
        checkpoints.load(tmp_path / "x.pt")


# What is no StyleGAN --------------------------------------------------------------------------------------------------


def torch_file(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def zip_file(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries.items():
            packed.writestr(name.replace("_", "."), data)
    return file.getvalue()


def safetensors(**tensors: Tensor) -> bytes:
    from safetensors.torch import save

    return save(tensors)


ONE = torch.zeros(1)
FOREIGN: dict[str, tuple[bytes, str]] = {
    "lucidrains": (
        torch_file({"GAN": {"S.net.0.weight": ONE, "GE.to_rgb": ONE}, "version": "1.8"}),
        "lucidrains stylegan2-pytorch",
    ),
    "encoder": (
        torch_file({"state_dict": {"encoder.a": ONE, "decoder.b": ONE}, "latent_avg": ONE}),
        "encoder .pSp, e4e",
    ),
    "diffusion": (torch_file({"state_dict": {"model.diffusion_model.x": ONE}}), "a diffusion model"),
    "Lightning": (torch_file({"state_dict": {"x": ONE}, "pytorch-lightning_version": "2"}), "PyTorch Lightning"),
    "SWAGAN": (torch_file({"g": {"to_rgb1.iwt.ll": ONE}}), "SWAGAN"),
    "VGG": (torch_file({"features.0.weight": ONE}), "VGG"),
    "optimizer": (torch_file({"state": {}, "param_groups": []}), "optimizer"),
    "a tensor": (torch_file(torch.zeros(1, 18, 512)), r"a single tensor \[1, 18, 512\] \(a latent"),
    "other weights": (torch_file({"conv.weight": ONE}), "a dictionary with 'conv.weight', in which no StyleGAN"),
    "a layer": (torch_file(nn.Linear(2, 2)), r"a bare PyTorch layer \('Linear'\)"),
    "Progressive GAN": (b"\x80\x02ctfutil\nNetwork\nq\x00)\x81q\x01}b.", "Progressive GAN"),
    "another class": (b"\x80\x04cmodel\nGenerator\n)\x81}b.", "of the class 'model.Generator'"),
    "a number": (b"\x80\x04K\x05.", "a int, in which no StyleGAN"),
    "a web page": (b"\n<!doctype HTML><html>quota</html>", "a web page"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "a PNG": (b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG picture"),
    "a JPEG": (b"\xff\xd8\xff\xe0" + bytes(50), "a JPEG picture"),
    "a WebP": (b"RIFF\x10\0\0\0WEBPVP8 ", "a picture, sound or video"),
    "a film": (b"\0\0\0\x18ftypmp42" + bytes(50), "a video"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "an HDF5 file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "a gzip archive: unpack it"),
    "tar": (bytes(257) + b"ustar" + bytes(250), "a tar archive: unpack it"),
    "NumPy": (b"\x93NUMPY\x01\x00" + bytes(50), "a NumPy array"),
    "JSON": (b'{"dim": 64}', "a JSON text"),
    "a text": (b"hello, this is a note\n", "a text, not a checkpoint"),
    "a zip": (zip_file(network_pkl=b"x"), "compressed or encrypted zip"),
    "other safetensors": (safetensors(weight=ONE), "of another program .its first tensor is 'weight'"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_file_is_named(what: str, tmp_path: Path) -> None:
    data, words = FOREIGN[what]
    (tmp_path / "model.pkl").write_bytes(data)
    with pytest.raises(BadCheckpoint, match=words):
        checkpoints.load(tmp_path / "model.pkl")
    with pytest.raises(BadCheckpoint, match=words):
        checkpoints.inspect(tmp_path / "model.pkl")


def test_real_checkpoints_are_not_taken_for_foreign() -> None:
    for path in FILES.values():
        assert foreign.by_beginning(memoryview(path.read_bytes())) is None


# Names and places -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["portrait", "absent/model.pkl", "a\0b", "~nobody-here/x.pkl"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(BadCheckpoint, match=f"there is no file .* {', '.join(BUILTIN)}"):
        checkpoints.load(name)


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=f"is a folder.*{', '.join(BUILTIN)}"):
        checkpoints.load(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadCheckpoint, match="read twice"):
        checkpoints.load(tmp_path / "pipe")


def test_a_huge_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LARGEST", 100)
    with pytest.raises(BadCheckpoint, match="100 are the limit"):
        checkpoints.load(FILES["sg3t_64"])


def test_a_builtin_name_builds_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    made = wide()
    monkeypatch.setitem(BUILTIN, "abstract", lambda: made)
    assert checkpoints.load("abstract") is made and checkpoints.inspect("abstract") is made.card


class Site(http.server.BaseHTTPRequestHandler):
    """A site with a few files, good and bad."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/model.pkl")
            self.end_headers()
            return
        if path == "/away":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/model.pkl")
            self.end_headers()
            return
        bodies = {
            "/model.pkl": FILES["sg2ada_map2_32"].read_bytes(),
            "/page": b"<!DOCTYPE html><html></html>",
            "/bad.pkl": b"\x80\x04K\x05.",
        }
        if path not in ("/short.pkl", *bodies):
            self.send_error(404)
            return
        body = bodies.get(path, b"\x80\x04")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (100 if path == "/short.pkl" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address; downloads are kept in `tmp_path`."""
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.handle_error = lambda *args: None  # type: ignore[method-assign]  # a client that has seen enough hangs up
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_address_is_fetched_once_and_kept(site: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "kinesphere")
    first = checkpoints.load(f"{site}/model.pkl?token=secret")
    assert [path.name for path in kept(tmp_path)] == [places.kept(f"{site}/model.pkl?token=secret").name]
    assert f"downloading {site.rpartition(':')[0]}/model.pkl" in caplog.text and "secret" not in caplog.text
    caplog.clear()
    second = checkpoints.load(f"{site}/model.pkl?token=secret")
    assert caplog.text == "" and first.card == second.card
    assert first.card.sha256 == loaded("sg2ada_map2_32").card.sha256


def test_an_address_may_lead_elsewhere_but_only_by_http(site: str, tmp_path: Path) -> None:
    assert checkpoints.inspect(f"{site}/moved").img_resolution == 32
    with pytest.raises(BadCheckpoint, match="not http"):
        checkpoints.load(f"{site}/away")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("page", "is a web page"),
        ("short.pkl", "broke off|cannot be downloaded"),
        ("absent.pkl", "cannot be downloaded"),
        ("bad.pkl", "in which no StyleGAN"),
    ],
)
def test_what_is_no_checkpoint_is_not_kept(path: str, words: str, site: str, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=words):
        checkpoints.load(f"{site}/{path}")
    assert kept(tmp_path) == []


def test_a_download_has_a_limit(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LARGEST", 1000)
    with pytest.raises(BadCheckpoint, match="1000 are the limit"):
        checkpoints.load(f"{site}/model.pkl")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:99999/x", "http://127.0.0.1:1/a b\n"])
def test_impossible_addresses_are_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    with pytest.raises(BadCheckpoint, match="cannot be downloaded"):
        checkpoints.load(address)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("address", ["ftp://example.org/x.pkl", "file:///etc/passwd", "s3://bucket/x.pkl"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(BadCheckpoint, match="http:// or https://"):
        checkpoints.load(address)


def test_nobody_there_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    with pytest.raises(BadCheckpoint, match=r"http://127\.0\.0\.1/x\.pkl cannot be downloaded"):
        checkpoints.load("http://127.0.0.1:1/x.pkl")


def test_a_saved_checkpoint_is_as_readable_as_any_new_file(tmp_path, tiny_checkpoint):
    (tmp_path / "other").touch()
    checkpoints.save(tiny_checkpoint, tmp_path / "saved.safetensors")
    assert (tmp_path / "saved.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
