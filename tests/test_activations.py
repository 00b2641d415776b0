from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pretrained
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinesphere.features import FEATURES, Activations
from kinesphere.features.activations import orthogonal, pooled, tents
from kinesphere.features.networks import NETWORKS, VGG16, Halving
from kinesphere.types import Feature, KinesphereError, Signal

CLIP = Path(__file__).parents[1] / "kinesphere" / "builtin" / "clip.mp4"


pytestmark = pytest.mark.usefixtures("one_thread")


def model(z_dim=512, D=None):
    return SimpleNamespace(G_ema=SimpleNamespace(z_dim=z_dim), D=D)


def opened(z_dim=512, **fields):
    feature = Activations(**fields)
    feature.open(model(z_dim))
    return feature


def play(pictures, fps=30.0, z_dim=512, **fields):
    """z [T, z_dim] of unit length, for pictures `fps` a second."""
    feature = opened(z_dim, **fields)
    return np.array([feature(Signal(p, i / fps)) for i, p in enumerate(pictures)]) / np.sqrt(z_dim)


def scene(t, width=160, height=90):
    """Two soft lights and a striped figure that wander at speeds of their own before a room: [height, width, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / width
    room = 70 + 40 * np.sin(9 * x + 4 * y)[..., None] * np.array([1, 0.6, 0.3]) + 25 * np.sin(60 * y)[..., None]
    for k, colour in enumerate(([150, 30, 20], [10, 60, 150], [120, 120, 60])):
        cx, cy = 0.5 + 0.3 * np.sin((1.1 + 0.7 * k) * t + k), 0.28 + 0.15 * np.sin((1.7 + 0.5 * k) * t + 2 * k)
        size = 0.09 + 0.03 * np.sin((0.9 + 0.3 * k) * t)
        glow = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2))
        stripes = 1 if k < 2 else 0.5 + 0.5 * np.sin(90 * (x * np.cos(t) + y * np.sin(t)))
        room = room + (glow * stripes)[..., None] * np.array(colour)
    return room.clip(0, 255).round().astype(np.uint8)


def closeness(z):
    """Cosines of all pairs of different moments, [T (T - 1) / 2]."""
    return (z @ z.T)[np.triu_indices(len(z), 1)]


def angle(z):
    """The largest angle between any two moments, degrees."""
    return np.degrees(np.arccos(np.clip((z @ z.T).min(), -1, 1)))


@pytest.fixture(scope="module")
def clip():
    """Every second frame of the built-in clip, 15 a second, half its size."""
    import av

    with av.open(str(CLIP)) as file:
        stream = file.streams.video[0]
        assert stream.average_rate == 30
        return [frame.to_ndarray(format="rgb24")[::2, ::2] for i, frame in enumerate(file.decode(stream)) if i % 2 == 0]


# What a latent is


@pytest.mark.parametrize("to_z", ["calibrate", "standardise"])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("pool", ["mean", "3x3"])
def test_every_network_gives_a_latent_of_unit_rms(name, to_z, pool, tiny_checkpoint, folders):
    feature = Activations(
        network=name,
        weights="random:0" if name == "vgg16" else folders.get(name),
        size=64 if name == "vgg16" or name in folders else None,
        to_z=to_z,
        pool=pool,
    )
    feature.open(tiny_checkpoint)
    zs = [feature(Signal(scene(t), t)) for t in (0.0, 0.3, 0.6)]
    for z in zs:
        assert z.shape == (tiny_checkpoint.G_ema.z_dim,) and z.dtype == np.float32
        assert np.sqrt(np.mean(z.astype(float) ** 2)) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(zs[0], zs[1]) and not np.allclose(zs[1], zs[2])


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny model for each network that is of others."""
    names = {"dinov2": "dinov2", "efficientnet": "efficientnet", "mobilenet": "mobilenet", "transformers": "vit"}
    folder = tmp_path_factory.mktemp("pretrained")
    said = {"size": 64, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return {name: pretrained.saved(pretrained.tiny(model), folder / name, **said) for name, model in names.items()}


def test_it_is_a_vector_feature_by_name():
    assert FEATURES["activations"] is Activations and Activations.vector and isinstance(Activations(), Feature)


@given(st.integers(1, 600), st.sampled_from(["mean", "2x2", "3x3", "4x4"]), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_any_z_dim_and_any_picture_will_do(z_dim, pool, width, height):
    feature = opened(z_dim, pool=pool)
    rng = np.random.default_rng(width)
    for t in (0.0, 0.1):
        z = feature(Signal(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), t))
        assert z.shape == (z_dim,) and np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=1e-4)


# What moves it


def test_it_moves_from_the_second_picture_on():
    z = play([scene(t / 30) for t in range(4)])
    assert np.all(np.diag(z @ z.T, 1) < 1 - 1e-6)


@pytest.mark.parametrize("to_z", ["calibrate", "standardise"])
def test_where_things_are_moves_it(to_z):
    """The same figure at two places of the picture; a mean over the whole picture hardly notices."""
    here, there = np.full((2, 96, 160, 3), 90, np.uint8)
    here[30:60, 30:50] = there[30:60, 110:130] = (200, 80, 40)
    moved = {pool: np.subtract(*play([here, there], 1.0, to_z=to_z, pool=pool)) for pool in ("mean", "3x3")}
    assert np.linalg.norm(moved["3x3"]) > 10 * np.linalg.norm(moved["mean"])


def test_red_and_blue_are_not_exchanged():
    """The network is shown RGB: what VGG16 itself says of the picture is what comes out."""
    picture = scene(1.0, 64, 64)
    z = play([picture], network="vgg16", weights="random:0", size=64, pool="mean", to_z="standardise", z_dim=512)[0]
    rgb = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    x = VGG16("random:0")(rgb, ["conv4_1"])["conv4_1"].mean((2, 3))[0].double().cpu().numpy()
    expected = (x - x.mean()) / x.std() / np.sqrt(512)  # equation 1, no projection where the sizes agree
    np.testing.assert_allclose(z, expected, atol=1e-5)


def test_nothing_outside_the_region_leaks_in():
    rng = np.random.default_rng(0)
    for name, weights in (("filterbank", None), ("vgg16", "random:0")):
        fields = {"network": name, "weights": weights, "size": 64, "region": (0, 0, 0.5, 1)}
        pictures = [scene(t / 10) for t in range(4)]
        others = [p.copy() for p in pictures]
        for p in others:
            p[:, 80:] = rng.integers(0, 256, (90, 80, 3))
        np.testing.assert_array_equal(play(pictures, **fields), play(others, **fields))


def test_a_region_sees_what_a_cropped_camera_sees():
    pictures = [scene(t / 10) for t in range(4)]
    np.testing.assert_array_equal(
        play(pictures, region=(0.25, 0, 0.75, 1)), play([p[:, 40:120].copy() for p in pictures])
    )


def test_another_seed_is_another_dance_with_the_same_steps():
    pictures = [scene(t / 10) for t in range(12)]
    one, other = play(pictures, seed=1), play(pictures, seed=2)
    assert abs(np.sum(one * other, 1)).max() < 0.3
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-4)


# Layers


def test_equation_2():
    """A weighted sum over layers of as many channels."""
    picture = scene(0.0, 64, 64)
    fields = {"network": "vgg16", "weights": "random:0", "size": 64, "pool": "mean", "to_z": "standardise"}
    z = play([picture], layers={"conv5_1": 0.7, "conv5_2": 2.5}, **fields)[0]
    rgb = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    maps = VGG16("random:0")(rgb, ["conv5_1", "conv5_2"])
    means = {name: one.mean((2, 3))[0].double().cpu().numpy() for name, one in maps.items()}
    x = 0.7 * means["conv5_1"] + 2.5 * means["conv5_2"]
    np.testing.assert_allclose(z, (x - x.mean()) / x.std() / np.sqrt(512), atol=1e-5)


def test_layers_of_different_widths_meet_in_the_latent_space():
    """Each goes through columns of its own of one orthogonal matrix."""
    picture = scene(0.0, 64, 64)
    fields = {"network": "vgg16", "weights": "random:0", "size": 64, "pool": "mean", "to_z": "standardise", "seed": 4}
    z = play([picture], layers={"conv1_1": 3.0, "conv3_1": 0.5}, **fields)[0]
    rgb = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    maps = VGG16("random:0")(rgb, ["conv1_1", "conv3_1"])
    a, b = (maps[name].mean((2, 3))[0].double().cpu().numpy() for name in ("conv1_1", "conv3_1"))
    P = orthogonal(512, 64 + 256, 4)
    x = 3.0 * P[:, :64] @ a + 0.5 * P[:, 64:] @ b
    np.testing.assert_allclose(z, (x - x.mean()) / x.std() / np.sqrt(512), atol=1e-5)


@pytest.mark.parametrize("layers", ["scale2", ["scale2"], {"scale2": 1.0}, {"scale2": 1.0, "colour": 0.0}])
def test_one_layer_may_be_written_in_any_way(layers):
    pictures = [scene(t / 10) for t in range(3)]
    np.testing.assert_allclose(play(pictures, layers=layers), play(pictures, layers={"scale2": 1.0}), atol=1e-7)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_projection_keeps_all_angles_that_there_is_room_for(rows, columns, seed):
    P = orthogonal(rows, columns, seed)
    assert P.shape == (rows, columns)
    small = P.T @ P if rows >= columns else P @ P.T
    np.testing.assert_allclose(small, np.eye(min(rows, columns)), atol=1e-10)


@given(st.integers(1, 4), st.integers(1, 50))
@settings(deadline=None)
def test_cells_share_every_position_and_each_is_a_mean(cells, length):
    w = tents(cells, length)
    torch.testing.assert_close(w.sum(1), torch.ones(cells))
    assert w.min() >= 0 and (length < 2 or w.sum(0).min() > 0)


def test_the_mean_of_the_cells_of_a_flat_map_is_the_map():
    torch.testing.assert_close(pooled(torch.full((1, 2, 5, 7), 3.0), 3), torch.full((1, 18), 3.0))
    assert pooled(torch.ones(1, 7, 1, 1), 3).shape == (1, 7)


# Calibration


def test_whitened_latents_of_the_built_in_clip_are_spread(clip):
    """From the first frame on, nothing known beforehand: the mean cosine of all pairs of frames, as the plot in the docs shows."""
    plain, white = play(clip, 15, to_z="standardise"), play(clip, 15)
    assert closeness(plain).mean() > 0.8
    assert closeness(white).mean() < 0.2
    assert np.mean(closeness(white) ** 2) < 1 / 6  # as wide as six independent directions or more


def test_the_path_through_the_clip_is_smooth_and_far_moments_differ(clip):
    z = play(clip, 15)
    neighbours = np.diag(z @ z.T, 1)
    assert neighbours.min() > 0.75 and np.median(neighbours) > 0.95
    second = np.diag((z @ z.T)[15:, 15:], 45)  # three seconds apart
    assert second.mean() < 0.3


def test_the_number_of_pictures_a_second_does_not_matter():
    slow, fast, faster = (play([scene(i / fps) for i in range(3 * fps + 1)], fps)[:: fps // 15] for fps in (15, 30, 60))
    assert np.sum(slow * fast, 1).min() > 0.99
    assert np.sum(fast * faster, 1).min() > 0.995


def test_steps_shrink_with_the_time_between_pictures():
    """A path without jumps: at four times the pictures a second, no step is half as long."""
    longest = [
        np.linalg.norm(np.diff(play([scene(i / fps) for i in range(2 * fps)], fps), axis=0), axis=1).max()
        for fps in (30, 120)
    ]
    assert longest[1] < 0.5 * longest[0]


def test_sensor_noise_on_a_still_scene_turns_it_by_less_than_five_degrees():
    rng = np.random.default_rng(0)
    still = scene(2.0, 320, 180).astype(int)
    noisy = [(still + rng.integers(-1, 2, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(200)]
    assert angle(play(noisy)) < 5
    assert angle(play(noisy[:100], smoothing=0.0)) < 15


@pytest.mark.parametrize("grey", [0, 127, 128, 255])
@pytest.mark.parametrize("to_z", ["calibrate", "standardise"])
def test_an_empty_picture_gives_a_latent_that_stands_still(grey, to_z):
    z = play([np.full((90, 160, 3), grey, np.uint8)] * 100, to_z=to_z)
    assert np.all(np.isfinite(z)) and angle(z) < 0.1


def test_what_says_nothing_at_all_still_gives_a_latent(monkeypatch):
    """Features that are all zero, then not."""
    for to_z in ("calibrate", "standardise"):
        feature = opened(16, to_z=to_z)
        monkeypatch.setattr(feature, "_features", lambda picture: np.full(468, float(picture.max())) * np.arange(468))
        for t, value in enumerate((0, 0, 1, 0)):
            z = feature(Signal(np.full((2, 2, 3), value, np.uint8), float(t)))
            assert np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=1e-5)


def test_cuts_and_other_picture_sizes_are_survived():
    pictures = [scene(i / 15) for i in range(60)]
    pictures += [255 - p[::-1, ::-1] for p in pictures]
    pictures += [scene(i / 15, 90, 160) for i in range(30)] + [scene(i / 15, 33, 21) for i in range(30)]
    z = play(pictures, 15)
    assert np.all(np.isfinite(z))
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert closeness(z[90:120]).mean() < 0.8  # two seconds after the cut it dances again


def test_the_same_signals_give_the_same_latents_and_open_forgets():
    pictures = [scene(i / 15) for i in range(30)]
    feature = opened(64)
    first = [feature(Signal(p, i / 15)) for i, p in enumerate(pictures)]
    feature.open(model(64))
    again = [feature(Signal(p, i / 15)) for i, p in enumerate(pictures)]
    np.testing.assert_array_equal(first, again)


def test_the_clock_may_begin_anywhere():
    pictures = [scene(i / 16) for i in range(20)]
    feature, late = opened(64), opened(64)
    for i, p in enumerate(pictures):
        np.testing.assert_allclose(feature(Signal(p, i / 16)), late(Signal(p, 4096 + i / 16)), atol=1e-6)


def test_smoothing_lags_behind_a_cut_by_its_time_constant():
    """Standardised latents of two scenes: after tau seconds 1 - 1/e of the way, then all of it."""
    pictures = [scene(0.0)] * 10 + [scene(3.0)] * 120
    plain = play(pictures, 40, to_z="standardise", smoothing=0.0)
    smooth = play(pictures, 40, to_z="standardise", smoothing=0.5)
    way = (smooth - plain[0]) @ (plain[-1] - plain[0]) / np.sum((plain[-1] - plain[0]) ** 2)
    assert way[9] == pytest.approx(0, abs=1e-6)
    assert way[9 + 20] == pytest.approx(1 - np.exp(-1), abs=0.02)
    assert way[-1] == pytest.approx(1, abs=0.01)


# Half precision


@pytest.mark.parametrize("name", sorted(name for name, network in NETWORKS.items() if issubclass(network, Halving)))
def test_half_precision_sees_nearly_the_same(name, folders, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)  # as on a machine that multiplies it fast
    weights = folders.get(name, "random:0")
    full, half = (
        opened(network=name, weights=weights, size=64, to_z="standardise", precision=precision)(Signal(scene(0.3), 0.0))
        for precision in ("float32", "half")
    )
    assert not np.array_equal(full, half)
    assert full @ half / 512 > 0.95  # the cosine


# Refusals


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"network": "resnet"}, "no network 'resnet': choose filterbank, vgg16, discriminator"),
        ({"region": (0.5, 0, 0.5, 1)}, "left must be less than right"),
        ({"region": (0, 0, 2, 1)}, "fractions of the frame"),
        ({"layers": "scale9"}, "no layer 'scale9' in the network 'filterbank': choose scale1, .*colour"),
        ({"network": "vgg16", "layers": ["conv1_1", "conv9"]}, "no layer 'conv9' .*: choose conv1_1, .*fc3"),
        ({"layers": {}}, "name at least one"),
        ({"layers": {"colour": 0.0}}, "weight other than 0"),
        ({"layers": {"colour": float("nan")}}, "weight other than 0"),
        ({"precision": "int8"}, "no precision 'int8': choose float32, half"),
        ({"pool": "max"}, "no pool 'max': choose mean, 2x2, 3x3, 4x4"),
        ({"to_z": "reshape"}, "no way to_z 'reshape': choose calibrate, standardise"),
        ({"size": 8}, "size 8: give 32 to 4096 pixels"),
        ({"warmup": -1.0}, "warmup -1.0: give seconds"),
        ({"memory": 0.0}, "memory 0.0: give seconds above 0"),
        ({"memory": float("inf")}, "memory inf: give seconds"),
        ({"smoothing": float("nan")}, "smoothing nan: give seconds"),
        ({"seed": -1}, "seed -1: give a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_the_door(fields, message):
    with pytest.raises(KinesphereError, match=message):
        Activations(**fields)


def test_a_layer_of_the_discriminator_is_checked_when_it_is_known(tiny_checkpoint):
    feature = Activations(network="discriminator", layers="b64.conv0")
    with pytest.raises(KinesphereError, match=r"no layer 'b64.conv0' in the network 'discriminator': choose b32"):
        feature.open(tiny_checkpoint)


def test_a_model_without_a_discriminator_is_refused_in_words():
    with pytest.raises(KinesphereError, match="only a generator"):
        Activations(network="discriminator").open(model())
