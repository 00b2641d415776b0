"""The training step: what it changes, what it leaves alone, and that nothing but (seed, step) decides."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch.testing import assert_close

from kinesphere.train.loop import Training
from kinesphere.train.recipe import plan

TINY = dict(channels=(8, 8, 8), z_dim=8, w_dim=8, mapping_layers=2, batch=8)


class Colours:
    """Sixteen plain pictures of 16 px, in four classes."""

    labels = np.eye(4, dtype=np.float32)[np.arange(16) % 4]

    def __len__(self):
        return 16

    def batch(self, indices, mirror=None):
        return np.repeat(np.asarray(indices, np.uint8)[:, None] * 15, 3 * 256, 1).reshape(-1, 3, 16, 16)


def training(c_dim=0, **asked):
    recipe, _ = plan(16, 3, c_dim, 16, "cpu", **(TINY | dict(augment="none") | asked))
    torch.manual_seed(0)
    G, G_ema = recipe.generator(), recipe.generator()
    G_ema.load_state_dict(G.state_dict())
    return Training(recipe, Colours(), Fabric(accelerator="cpu"), G, recipe.discriminator(), G_ema)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).clone()


def same(one, other):
    assert one.keys() == other.keys()
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different


def test_the_average_follows_its_formula(one_thread):
    t = training(ema_kimg=0.02, ema_rampup=None)
    before = weights(t.G_ema)
    t.step()
    decay = 0.5 ** (8 / 20)
    assert_close(weights(t.G_ema), before * decay + weights(t.G) * (1 - decay))
    assert not torch.equal(before, weights(t.G))


def test_w_avg_becomes_the_mean_of_w(one_thread):
    t = training(lr_G=1e-9, lr_D=1e-9, style_mixing=0.0)
    for _ in range(3000):
        t.follow_w(t.styles("G", t.parts[0], 8)[0].detach()[:, 0])
        t.steps += 1
    z = torch.randn(20000, 8, generator=torch.Generator().manual_seed(5))
    w = t.G.mapping(z)[:, 0].detach()
    assert_close(t.G.w_avg, w.mean(0), atol=float(0.1 * w.std()), rtol=0)


def test_stylegan3_magnitudes_follow_the_layers(one_thread):
    t = training(family="stylegan3-t", channels=(8, 8, 8))
    t.step()
    decay = 0.5 ** (8 / 20_000)
    magnitudes = [m.magnitude_ema for m in t.G.modules() if hasattr(m, "magnitude_ema")]
    assert magnitudes and all(float(m) != 1 for m in magnitudes)
    assert all(float(m) >= decay - 1e-6 for m in magnitudes)  # one step away from 1
    averages = [m.magnitude_ema for m in t.G_ema.modules() if hasattr(m, "magnitude_ema")]
    assert torch.equal(torch.stack(averages), torch.stack(magnitudes))


@pytest.mark.parametrize(
    "asked",
    [
        dict(),
        dict(noise=True),
        dict(augment="bgc", augment_p=0.3, ada_target=None),
        dict(augment="bgc", ada_kimg=0.1),
        dict(path_length=2.0),
        dict(reuse_fakes=False),
        dict(c_dim=4),
        dict(family="stylegan3-r", blur_kimg=0.1),
        dict(precision="bf16", half_blocks=1),
        dict(freeze_d=1),
        dict(r1_colours=True),
    ],
    ids=str,
)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(asked, one_thread):
    whole, first = training(**asked), training(**asked)
    for _ in range(8):
        whole.step()
    for _ in range(4):
        first.step()
    kept, numbers = {k: v.clone() for k, v in first.tensors().items()}, first.numbers()
    torch.rand(7)  # whatever else happened meanwhile
    second = training(**asked)
    second.restore(kept, numbers)
    for _ in range(4):
        second.step()
    same(whole.tensors(), second.tensors())
    assert whole.numbers() == second.numbers()


def test_frozen_blocks_of_d_stay(one_thread):
    t = training(freeze_d=1)
    before = {name: p.clone() for name, p in t.D.named_parameters()}
    for _ in range(2):
        t.step()
    stayed = {name for name, p in t.D.named_parameters() if torch.equal(p, before[name])}
    assert stayed == {name for name in before if name.startswith("b16.")}


def test_augmentation_grows_where_d_is_too_sure(one_thread):
    t = training(augment="bgc", ada_target=-1.0, ada_kimg=0.064)  # always above the target: p rises
    for _ in range(4):
        t.step()
    assert t.adaptive.p == pytest.approx(4 * 8 / 64)
    t = training(augment="bgc", ada_target=1.0, augment_p=0.3, ada_kimg=0.064)
    for _ in range(4):
        t.step()
    assert t.adaptive.p == 0


def test_the_diary_has_the_means(one_thread):
    t = training()
    for _ in range(4):
        t.step()
    told = t.tell()
    assert {"loss_G", "loss_D", "logit_real", "logit_fake", "r_t", "r1", "ada_p"} <= told.keys()
    assert -1 <= told["r_t"] <= 1
    assert t.tell().keys() == {"ada_p"}


def test_a_batch_in_parts_teaches_what_the_whole_one_teaches(one_thread):
    asked = dict(c_dim=4, augment="bgc", ada_kimg=0.5, path_length=2.0)
    whole, parts = training(**asked), training(at_once=4, **asked)
    for t in (whole, parts):
        for _ in range(8):
            t.step()
    one, other = whole.tell(), parts.tell()
    for name in ("loss_G", "loss_D", "logit_real", "logit_fake", "r_t", "path_length", "ada_p"):
        assert other[name] == pytest.approx(one[name], abs=2e-3, rel=2e-3), name
    assert_close(weights(parts.G_ema), weights(whole.G_ema), atol=2e-3, rtol=1e-2)
    assert_close(parts.G.w_avg, whole.G.w_avg, atol=1e-4, rtol=1e-2)


SHARED = """
import sys, torch
sys.path.insert(0, {tests!r})
from safetensors.torch import save_file
from lightning_fabric import Fabric
from test_loop import Colours, TINY
from kinesphere.train.loop import Training
from kinesphere.train.recipe import plan
torch.set_num_threads(1)
fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
recipe, _ = plan(16, 3, 4, 16, "cpu", **(TINY | dict(augment="bgc", ada_kimg=0.5, path_length=2.0, critic=("filterbank",))))
torch.manual_seed(0)
G, G_ema = recipe.generator(), recipe.generator()
G_ema.load_state_dict(G.state_dict())
t = Training(recipe, Colours(), fabric, G, recipe.discriminator(2), G_ema)
told = []
for _ in range(5):
    for _ in range(4):
        t.step()
    told.append(t.tell())
if fabric.is_global_zero:
    curve = {{name: torch.tensor([e[name] for e in told]) for name in told[0] if all(name in e for e in told)}}
    save_file(curve | {{"G_ema": torch.cat([p.flatten() for p in t.G_ema.parameters()])}}, {out!r})
torch.distributed.destroy_process_group()
"""


def test_two_processes_learn_what_one_learns(tmp_path, one_thread):
    from safetensors.torch import load_file

    out = tmp_path / "two.safetensors"
    script = tmp_path / "two.py"
    script.write_text(SHARED.format(tests=str(Path(__file__).parent), out=str(out)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    two = load_file(out)

    alone = training(c_dim=4, augment="bgc", ada_kimg=0.5, path_length=2.0, critic=("filterbank",))
    told = []
    for _ in range(5):
        for _ in range(4):
            alone.step()
        told.append(alone.tell())
    for name in ("loss_G", "loss_D", "logit_real", "logit_fake", "r_t", "path_length", "ada_p", "critic_G", "critic_D"):
        curve = torch.tensor([e[name] for e in told])
        assert_close(two[name].float(), curve, atol=2e-3, rtol=2e-3, msg=lambda m, n=name: f"{n}: {m}")
    assert_close(two["G_ema"], weights(alone.G_ema), atol=2e-3, rtol=1e-2)
