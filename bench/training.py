"""One step of training against the formulations in common use: pictures per second, in one process. Run: python bench/training.py

The same networks with the same weights are computed in four ways, which take turns so that a disturbance meets all alike:
  grouped  every picture has its own modulated weights, one grouped convolution for the batch (Karras et al. 2020, appendix B)
  scaled   styles and demodulation scale the activations (how the official PyTorch code trains)
  ours     kinesphere.models in float32
  bf16     the same with all blocks above 4 px in bfloat16
The first two are written here from the papers: NCHW, float32, one pass over the pixels each for padding, filter, bias, leaky ReLU
and gain; D's short cut is filtered with stride; D learns from new fakes, where ours takes those that G has just learnt from.
A step is G's loss, D's loss, and a sixteenth of R1; noise inputs, augmentation, path length and data are left out of all.
With one thread the clock counts the time on the processor, so that other programs matter little; with more it is the wall's.
All must give the same pictures, logits and gradients before anything is timed. Saves bench/results/training.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kinesphere.startup import prepare

prepare()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from kinesphere.models import Discriminator, StyleGAN2, set_precision  # noqa: E402
from kinesphere.models.discriminator import minibatch_stddev  # noqa: E402
from kinesphere.train import losses  # noqa: E402
from kinesphere.train.recipe import widths  # noqa: E402

HERE = Path(__file__).parent
SIZES = ((64, 2048, 64, 16), (64, 4096, 128, 16), (128, 2048, 64, 8), (128, 4096, 128, 8))  # px, base, most, batch
W_DIM, MAPPING_LAYERS, R1_EVERY, GAMMA = 128, 4, 16, 1.0
TAPS = (1, 3, 3, 1)
SQRT2 = math.sqrt(2)


# The formulations in common use -------------------------------------------------------------------------------------------


def fir(x: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0), gain: float = 1.0) -> Tensor:
    """Zeros between the pixels, padding, a depthwise 4x4 convolution, every `down`-th pixel: one after the other."""
    f = torch.tensor(TAPS) / sum(TAPS)
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.view(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).view(n, c, h * up, w * up)
    x = F.pad(x, [*pad, *pad])
    return F.conv2d(x, (torch.outer(f, f) * gain).repeat(c, 1, 1, 1), stride=down, groups=c)


def activate(x: Tensor, bias: Tensor, gain: float = SQRT2) -> Tensor:
    return F.leaky_relu(x + bias.view(1, -1, 1, 1), 0.2) * gain


def modulated(x: Tensor, weight: Tensor, styles: Tensor, up: bool, demodulate: bool, grouped: bool) -> Tensor:
    """Weights [N, O, I, k, k] of each picture's own, or their equivalent on the activations."""
    n, i, h, w = x.shape
    o, _, k, _ = weight.shape
    own = weight[None] * styles[:, None, :, None, None]
    d = (own.square().sum([2, 3, 4]) + 1e-8).rsqrt() if demodulate else own.new_ones(n, o)
    if not grouped:
        x = x * styles[:, :, None, None]
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2) if up else F.conv2d(x, weight, padding=k // 2)
        x = fir(x, pad=(1, 1), gain=4) if up else x
        return x * d[:, :, None, None] if demodulate else x
    own = own * d[:, :, None, None, None]
    x = x.reshape(1, n * i, h, w)
    if up:
        x = F.conv_transpose2d(x, own.transpose(1, 2).reshape(n * i, o, k, k), stride=2, groups=n)
        x = fir(x, pad=(1, 1), gain=4)
    else:
        x = F.conv2d(x, own.reshape(n * o, i, k, k), padding=k // 2, groups=n)
    return x.reshape(n, o, *x.shape[2:])


def paint(G: StyleGAN2, z: Tensor, grouped: bool) -> Tensor:
    """[N, z_dim] -> [N, 3, H, W] with the weights of `G`."""
    ws, img, row = G.mapping(z), None, 0
    x = G.synthesis.blocks()[0].const[None].repeat(len(z), 1, 1, 1)
    for block in G.synthesis.blocks():
        for layer in [block.conv1] if block.is_first else [block.conv0, block.conv1]:
            styles, up = layer.affine(ws[:, row]), layer.up_filter is not None
            x = activate(modulated(x, layer.weight, styles, up, True, grouped), layer.bias)
            row += 1
        styles = block.torgb.affine(ws[:, row]) / math.sqrt(x.shape[1])
        y = modulated(x, block.torgb.weight, styles, False, False, grouped) + block.torgb.bias.view(1, -1, 1, 1)
        img = y if img is None else fir(img, up=2, pad=(2, 1), gain=4) + y
    return img


def judge(D: Discriminator, img: Tensor) -> Tensor:
    """[N, 3, H, W] -> [N, 1] with the weights of `D`."""

    def weight(layer: nn.Module) -> Tensor:
        return layer.weight / math.sqrt(layer.weight[0].numel())

    x = img
    for r in D.resolutions[:-1]:
        block = D.get_submodule(f"b{r}")
        if block.has_fromrgb:
            x = activate(F.conv2d(x, weight(block.fromrgb)), block.fromrgb.bias)
        skip = F.conv2d(fir(x, down=2, pad=(1, 1)), weight(block.skip)) * math.sqrt(0.5)
        x = activate(F.conv2d(x, weight(block.conv0), padding=1), block.conv0.bias)
        x = F.conv2d(fir(x, pad=(2, 2)), weight(block.conv1), stride=2)
        x = skip + activate(x, block.conv1.bias, gain=1.0)
    b4 = D.b4
    x = minibatch_stddev(x, b4.group_size, b4.mbstd_channels)
    x = activate(F.conv2d(x, weight(b4.conv), padding=1), b4.conv.bias)
    return b4.out(b4.fc(x.flatten(1)))


# The step -----------------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    """One way to compute the same step."""

    G: StyleGAN2
    D: Discriminator
    generate: Callable[[Tensor], Tensor]
    discriminate: Callable[[Tensor], Tensor]
    reuses_fakes: bool

    def __post_init__(self) -> None:
        self.opt_G, self.opt_D = (
            torch.optim.Adam(net.parameters(), lr=0.0025, betas=(0.0, 0.99), fused=True) for net in (self.G, self.D)
        )

    def phases(self, z: Tensor, reals: Tensor) -> dict[str, Callable[[], object]]:
        """The parts of a step by name; each can be run on its own, again and again."""
        fakes = self.generate(z).detach()
        again = {} if self.reuses_fakes else {"fakes for D": lambda: self.fakes(z)}
        return {
            "G": lambda: self.update(self.opt_G, self.loss_G(z)),
            **again,
            "D": lambda: self.update(self.opt_D, self.loss_D(fakes, reals)),
            "R1": lambda: self.update(self.opt_D, self.loss_R1(reals)),
        }

    def loss_G(self, z: Tensor) -> Tensor:
        self.D.requires_grad_(False)
        return losses.generator_loss(self.discriminate(self.generate(z))).mean()

    def loss_D(self, fakes: Tensor, reals: Tensor) -> Tensor:
        return losses.discriminator_loss(self.discriminate(reals), self.discriminate(fakes))

    def loss_R1(self, reals: Tensor) -> Tensor:
        img = reals.clone().requires_grad_(True)
        return losses.r1_penalty(self.discriminate(img), img).mean() * (GAMMA / 2 * R1_EVERY)

    @torch.no_grad()
    def fakes(self, z: Tensor) -> Tensor:
        return self.generate(z)

    def update(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.D.requires_grad_(True)


def ways(resolution: int, base: int, most: int) -> dict[str, Way]:
    torch.manual_seed(0)
    channels = widths(resolution, base, most)
    G = StyleGAN2(
        img_resolution=resolution,
        channels=channels,
        z_dim=W_DIM,
        w_dim=W_DIM,
        mapping_layers=MAPPING_LAYERS,
        use_noise=False,
    )
    D = Discriminator(img_resolution=resolution, channels=channels)
    with torch.no_grad():  # biases that are zero hide mistakes
        for name, p in [*G.named_parameters(), *D.named_parameters()]:
            if name.endswith("bias"):
                p.add_(torch.randn_like(p) * 0.1)

    def reference(grouped: bool) -> Way:
        own_G, own_D = copy.deepcopy(G), copy.deepcopy(D)
        return Way(own_G, own_D, lambda z: paint(own_G, z, grouped), lambda img: judge(own_D, img), reuses_fakes=False)

    def ours(dtype: torch.dtype | None) -> Way:
        own_G, own_D = (copy.deepcopy(net).to(memory_format=torch.channels_last) for net in (G, D))
        for net in (own_G, own_D):
            set_precision(net, dtype, blocks=len(channels))
        return Way(own_G, own_D, lambda z: own_G(z, noise_mode="none"), own_D, reuses_fakes=True)

    return {"grouped": reference(True), "scaled": reference(False), "ours": ours(None), "bf16": ours(torch.bfloat16)}


def outcome(way: Way, z: Tensor, reals: Tensor) -> dict[str, Tensor]:
    """The picture, the logits, and the gradients of G's, D's and R1's losses."""
    img = way.generate(z).detach()
    with torch.no_grad():
        found = {"picture": img, "logits": way.discriminate(img)}
    way.loss_G(z).backward()
    found["gradient of G"] = torch.cat([p.grad.flatten() for p in way.G.parameters()])
    way.D.requires_grad_(True)
    way.loss_D(img, reals).backward()
    found["gradient of D"] = torch.cat([p.grad.flatten() for p in way.D.parameters()])
    way.D.zero_grad(set_to_none=True)
    way.loss_R1(reals).backward()
    found["gradient of R1"] = torch.cat([p.grad.flatten() for p in way.D.parameters() if p.grad is not None])
    for net in (way.G, way.D):
        net.zero_grad(set_to_none=True)
    return found


def differences(found: dict[str, Way], z: Tensor, reals: Tensor) -> dict[str, dict[str, float]]:
    """How far every way is from `grouped`, relative to its RMS. SystemExit where that is more than rounding."""
    want = outcome(found["grouped"], z, reals)
    told = {}
    for name, way in found.items():
        if name == "grouped":
            continue
        got = outcome(way, z, reals)
        told[name] = {k: float((got[k] - v).square().mean().sqrt() / v.square().mean().sqrt()) for k, v in want.items()}
        worst = max(told[name], key=told[name].__getitem__)
        if told[name][worst] > (0.2 if name == "bf16" else 1e-3):
            raise SystemExit(f"{name} is no step of the same networks: its {worst} is {told[name][worst]:.2g} off")
    return told


def measured(
    resolution: int, base: int, most: int, batch: int, repeats: int, clock: Callable[[], float]
) -> dict[str, object]:
    found = ways(resolution, base, most)
    z, reals = torch.randn(batch, W_DIM), torch.randn(batch, 3, resolution, resolution).clamp(-1, 1)
    off = differences(found, z, reals)
    phases = {name: way.phases(z, reals) for name, way in found.items()}
    took: dict[str, dict[str, list[float]]] = {n: {p: [] for p in parts} for n, parts in phases.items()}
    for i in range(repeats + 1):
        for phase in ("G", "fakes for D", "D", "R1"):
            for name in phases:
                if phase in phases[name]:
                    start = clock()
                    phases[name][phase]()
                    took[name][phase] += [clock() - start] if i else []  # the first is for warming up
    ms = {name: {p: statistics.median(t) * 1e3 for p, t in parts.items()} for name, parts in took.items()}
    step = {name: sum(t / R1_EVERY if p == "R1" else t for p, t in parts.items()) for name, parts in ms.items()}
    return {
        "resolution": resolution,
        "base / most channels": f"{base} / {most}",
        "batch": batch,
        "pictures per second": {name: round(batch / t * 1e3, 1) for name, t in step.items()},
        "ours / grouped": round(step["grouped"] / step["ours"], 2),
        "ours / scaled": round(step["scaled"] / step["ours"], 2),
        "bf16 / grouped": round(step["grouped"] / step["bf16"], 2),
        "bf16 / scaled": round(step["scaled"] / step["bf16"], 2),
        "ms": {name: {p: round(t, 1) for p, t in parts.items()} for name, parts in ms.items()},
        "relative RMS difference from grouped": {
            name: {k: float(f"{v:.1e}") for k, v in parts.items()} for name, parts in off.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sizes", default="0,1,2,3", help="which rows of SIZES")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    rows: list[dict[str, object]] = []
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "command": f"python bench/training.py --repeats {given.repeats} --threads {given.threads} --sizes {given.sizes}",
        "threads": given.threads,
        "clock": "processor time" if given.threads == 1 else "wall time",
        "load of the machine before": round(os.getloadavg()[0], 1),
        "rows": rows,
    }
    (HERE / "results").mkdir(exist_ok=True)
    clock = time.process_time if given.threads == 1 else time.perf_counter
    for index in given.sizes.split(","):
        rows.append(measured(*SIZES[int(index)], given.repeats, clock))
        for key, value in rows[-1].items():
            print(f"{key:36} {value}")
        print(flush=True)
        (HERE / "results" / "training.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
