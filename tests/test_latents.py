"""A latent that was kept: the same picture after a restart, whatever space it is in, and only in its own model."""

import json
import os

import numpy as np
import pytest
import torch
from conftest import stir, tiny_generator
from safetensors.torch import save_file

from kinesphere import latent
from kinesphere.studio.latents import Fingerprint, Latent, draw, of_styles, styles
from kinesphere.types import KinesphereError

FAMILIES = ["stylegan1", "stylegan2", "stylegan3"]


def some(G, space, **more):
    torch.manual_seed(1)
    shape = {"z": (G.z_dim,), "w": (G.w_dim,), "w+": (G.num_ws, G.w_dim)}[space]
    return Latent(torch.randn(shape), space, model=Fingerprint.of(G), **more)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_the_picture_that_it_is_everywhere(family):
    G = tiny_generator(family)
    wanted = G(latent.seed_to_z(85, G.z_dim), truncation_psi=0.7)
    assert torch.allclose(draw(G, Latent.of_seed(G, 85, psi=0.7)), wanted, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_what_is_kept_is_the_same_picture_after_a_restart(family, space, tmp_path):
    G = tiny_generator(family)
    place = some(G, space, psi=0.8, origin={"projection": "me"})
    again = Latent.load(place.save(tmp_path / "me.safetensors"))
    assert torch.equal(draw(tiny_generator(family), again), draw(G, place))
    assert (again.space, again.psi, again.origin, again.model) == (space, 0.8, {"projection": "me"}, place.model)


def test_noise_and_tuned_weights_are_kept_with_it_to_the_bit(tiny, tmp_path):
    torch.manual_seed(2)
    weight = dict(tiny.named_parameters())["synthesis.b16.conv0.weight"]
    pair = torch.randn(len(weight), 3), torch.randn(3, weight[0].numel())
    place = some(tiny, "w", noise={"b8.conv1": torch.randn(8, 8)}, tuning={"b16.conv0.weight": pair})
    before = tiny.synthesis(place.ws(tiny))
    again = Latent.load(place.save(tmp_path / "me.safetensors"))
    drawn = draw(tiny, again)
    with torch.no_grad():
        weight += (pair[0] @ pair[1]).view_as(weight)
        tiny.synthesis.b8.conv1.noise_const.copy_(place.noise["b8.conv1"])
    assert torch.equal(drawn, tiny.synthesis(place.ws(tiny_generator("stylegan2"))))
    assert not torch.allclose(drawn, before, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_styles_draw_what_their_rows_draw(family):
    G = tiny_generator(family)
    place = some(G, "w+")
    as_styles = of_styles(styles(G, place.ws(G)), place)
    assert torch.allclose(draw(G, as_styles), draw(G, place), atol=1e-5)
    with pytest.raises(KinesphereError, match="no rows"):
        as_styles.ws(G)


def test_another_models_latent_is_refused_and_a_relatives_is_not(tiny):
    place = some(tiny, "w")
    stranger = stir(tiny_generator("stylegan2"), seed=9)
    with pytest.raises(KinesphereError, match="another model"):
        place.ws(stranger)
    child = tiny_generator("stylegan2")
    with torch.no_grad():
        child.synthesis.b8.conv1.weight.mul_(1.1)
    place.ws(child)  # it shares the mapping network, and so W
    with pytest.raises(KinesphereError, match=r"\[9\] does not fit"):
        Latent(torch.zeros(9), "w").ws(tiny)


@pytest.mark.parametrize(
    ("data", "space", "words"),
    [
        (torch.zeros(3), "x", "no space"),
        (torch.zeros(2, 3), "w", "is none of W"),
        (torch.zeros(3), "w+", "num_ws"),
        (torch.tensor([float("nan")]), "w", "infinite"),
    ],
)
def test_what_is_no_latent_is_refused_in_words(data, space, words):
    with pytest.raises(KinesphereError, match=words):
        Latent(data, space)


# Other tools --------------------------------------------------------------------------------------------------------------


def test_other_tools_projections_are_read(tmp_path):
    w, rows = torch.randn(12), torch.randn(8, 12)
    np.savez(tmp_path / "projected_w.npz", w=rows[None].numpy())  # StyleGAN2-ADA
    np.save(tmp_path / "w.npy", w.numpy())
    np.save(tmp_path / "tiled.npy", w.expand(1, 8, 12).numpy())
    torch.save({"me.png": {"img": torch.zeros(3, 4, 4), "latent": rows, "noise": []}}, tmp_path / "rosinality.pt")
    torch.save(rows[None], tmp_path / "pti.pt")
    np.savez(tmp_path / "z.npz", z=w[None].numpy())
    found = {path.name: Latent.load(path) for path in tmp_path.iterdir()}
    assert {name: place.space for name, place in found.items()} == {
        "projected_w.npz": "w+", "w.npy": "w", "tiled.npy": "w", "rosinality.pt": "w+", "pti.pt": "w+", "z.npz": "z",
    }  # fmt: skip
    for name, wanted in {
        "projected_w.npz": rows,
        "rosinality.pt": rows,
        "pti.pt": rows,
        "w.npy": w,
        "tiled.npy": w,
    }.items():
        assert torch.equal(found[name].data, wanted), name


def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    trap = tmp_path / "trap"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(trap),)

    torch.save({"latent": Evil()}, tmp_path / "evil.pt")
    np.save(tmp_path / "evil.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    for name in ("evil.pt", "evil.npy"):
        with pytest.raises(KinesphereError, match=name):
            Latent.load(tmp_path / name)
    assert not trap.exists()


def test_damaged_and_foreign_files_are_refused_by_name(tiny, tmp_path):
    place = some(tiny, "w")
    whole = place.to_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    save_file({"latent": torch.zeros(3)}, tmp_path / "strange.safetensors")
    about = {"space": 7}
    save_file(
        {"latent": torch.zeros(3)},
        tmp_path / "lies.safetensors",
        {"kinesphere_latent": "1", "about": json.dumps(about)},
    )
    (tmp_path / "words.npy").write_text("hello")
    (tmp_path / "me.jpg").write_text("hello")
    for path in tmp_path.iterdir():
        with pytest.raises(KinesphereError, match=path.name):
            Latent.load(path)
    with pytest.raises(KinesphereError, match="there is no file"):
        Latent.load(tmp_path / "nothing.npy")
