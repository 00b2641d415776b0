"""The live loop with built-in patches and clip: rate, age of the picture, memory, and what each part costs by itself.

Run: python bench/live.py [--seconds 60]

It plays as `kinesphere play` does, with the engine that is fastest here, paced at what PLAYED says: 60 a second is more than a
stage needs, and tells what there is to spare. VGG16 has untrained weights, which take as long. Every figure of a run is measured
in one process; compare ratios, not milliseconds, between machines and between runs.
Saves bench/results/live.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from kinesphere.startup import prepare

prepare()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from kinesphere import checkpoints, lanes, patch, routes, runtime  # noqa: E402
from kinesphere.engine import Engine  # noqa: E402
from kinesphere.lanes import Drawn  # noqa: E402
from kinesphere.looks.showing import Guide  # noqa: E402
from kinesphere.ops import to_pixels  # noqa: E402
from kinesphere.performance import Performance  # noqa: E402
from kinesphere.shown import Example, Showing  # noqa: E402
from kinesphere.sinks import Null  # noqa: E402
from kinesphere.sources import Video  # noqa: E402
from kinesphere.stage.pictures import jpeg as encoded  # noqa: E402
from kinesphere.types import Signal  # noqa: E402

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "results" / "live.json", HERE.parent / "docs" / "speed.md"
HEADING, NEXT = "## The live loop", "\n## "  # of the section, and what follows it
CLIP = str(resources.files("kinesphere.builtin") / "clip.mp4")


def resident() -> float:
    """Megabytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def median_ms(work, repeats: int = 20) -> float:
    took = []
    for _ in range(repeats + 3):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took[3:]) * 1e3


@dataclass(frozen=True)
class Played:
    """A built-in patch at a pace, perhaps with other eyes."""

    patch: str
    fps: float
    eyes: dict[str, str] = field(default_factory=dict)  # fields of its features
    turns: bool = False  # whether pictures and features wait for each other, which was tried and is not done

    @property
    def name(self) -> str:
        eyes = [value for value in self.eyes.values() if value != "random:0"]
        return " ".join([f"{self.patch} at {self.fps:g}", *eyes, *(["in turns"] if self.turns else [])])


VGG16 = {"network": "vgg16", "weights": "random:0"}
PLAYED = [
    Played("scene", 30),
    Played("scene", 60),
    Played("regions", 30),
    Played("scene", 30, VGG16),
    Played("scene", 30, {**VGG16, "precision": "half"}),
    Played("scene", 30, VGG16, turns=True),
    Played("scene", 30, {**VGG16, "precision": "half"}, turns=True),
]


@contextmanager
def taking_turns() -> Iterator[None]:
    """Within this, one picture or one latent is computed at a time."""
    turn, draw, pixels = threading.Lock(), lanes.draw, runtime.pixels

    def alone_now(work: Callable[..., Any]) -> Callable[..., Any]:
        def waits(*given: Any) -> Any:
            with turn:
                return work(*given)

        return waits

    lanes.draw, runtime.pixels = alone_now(draw), alone_now(pixels)
    try:
        yield
    finally:
        lanes.draw, runtime.pixels = draw, pixels


@torch.inference_mode()
def alone(engine: Engine) -> dict[str, float]:
    """Each part by itself, milliseconds."""
    G, clip = engine.painter, Video(CLIP)
    clip.open()
    dice = torch.Generator().manual_seed(0)
    z = torch.randn(1, G.z_dim, generator=dice)
    others = [G.mapping(torch.randn(1, G.z_dim, generator=dice)) for _ in range(8)]
    turns, times = iter(range(10**6)), iter(i / 30 for i in range(10**6))
    img = G.synthesis(others[0])
    frame = to_pixels(img)[0].numpy()
    stages = {
        "source": median_ms(lambda: clip.read(next(times))),
        "mapping": median_ms(lambda: G.mapping(z)),
        "synthesis": median_ms(lambda: G.synthesis(others[next(turns) % 8])),
        "the exact model's synthesis": median_ms(lambda: engine.G.synthesis(others[0])),
        "to 8 bits": median_ms(lambda: to_pixels(img).numpy()),
        "JPEG": median_ms(lambda: encoded(frame)),
    }
    for name, feature in engine.patch.features.items():
        picture = clip.read(0.0).value
        stages[f"feature {name}"] = median_ms(lambda f=feature: f(Signal(picture, next(times))))  # noqa: B023
    clip.close()
    engine.rewind()
    return stages


def played(what: Played, seconds: float) -> dict[str, object]:
    instrument = patch.changed(
        patch.load(what.patch),
        {
            "picture.fps": what.fps,
            **{f"features.{n}.{key}": v for n in patch.load(what.patch).features for key, v in what.eyes.items()},
        },
    )
    instrument.sources = {source: Video(CLIP) for source in instrument.sources}
    instrument.sinks = {"nowhere": Null()}
    engine = Engine(instrument, checkpoints.load(instrument.model))
    fastest = runtime.choose(engine.G, what.fps)
    engine.painter = fastest[0]
    stages = alone(engine)
    memory, ages = [], []

    def watch(status):
        memory.append(resident())
        ages.append(status.age)

    with taking_turns() if what.turns else nullcontext():
        status = Performance(instrument, engine=engine, choose=lambda *wish: fastest).run(seconds, watch)
    settled = memory[len(memory) // 4 :]
    return {
        "patch": what.name,
        "drawn by": f"{fastest[1].back_end}, {fastest[1].precision}",
        "pictures per second": round(status.fps, 1),
        "step p50 ms": round(status.step_p50 * 1e3, 1),
        "step p99 ms": round(status.step_p99 * 1e3, 1),
        "step p50 / synthesis alone": round(status.step_p50 * 1e3 / stages["synthesis"], 2),
        "p99 / p50": round(status.step_p99 / status.step_p50, 2),
        "interval p50 ms": round(status.p50 * 1e3, 1),
        "interval p95 ms": round(status.p95 * 1e3, 1),
        "interval p99 ms": round(status.p99 * 1e3, 1),
        "interval p99 / p50": round(status.p99 / status.p50, 2),
        "dropped": status.dropped,
        "age p50 ms": round(statistics.median(a for a in ages if a is not None) * 1e3),
        "memory growth MB": round(settled[-1] - settled[0], 1),
        "failures": status.failures,
        "alone ms": {stage: round(ms, 2) for stage, ms in stages.items()},
        "features per second": {
            n.removeprefix("features."): round(h.done / status.t, 1)
            for n, h in engine.health.items()
            if n.startswith("features.")
        },
    }


class Free(torch.nn.Module):
    """A generator that costs nothing, in the sizes of the built-in one: what is left of a step is the engine's own."""

    z_dim = w_dim = 512
    c_dim, num_ws, img_resolution, img_channels = 0, 14, 256, 3

    def __init__(self) -> None:
        super().__init__()
        self.w_avg = torch.zeros(self.w_dim)
        self.ws = torch.zeros(1, self.num_ws, self.w_dim)
        self.img = torch.zeros(1, 3, self.img_resolution, self.img_resolution)

    def mapping(self, z, c=None):
        return self.ws + z[:, None]

    def synthesis(self, ws, noise_mode="const"):
        return self.img

    def rows(self, band):
        return {"coarse": slice(0, 4), "middle": slice(4, 8), "fine": slice(8, 14), "all": slice(0, 14)}[band]

    def label(self, index):
        return None


@dataclass
class Given:
    """A feature whose values the bench puts there."""

    vector: bool = False
    source: str | None = None

    def open(self, checkpoint) -> None: ...


def overhead(steps: int = 1000) -> dict[str, object]:
    """A step without the model: three driven bands and two routes, all of them new at each step, with a frame to 8 bits."""
    rows = {"coarse": "a", "middle": "b", "fine": "c"}
    amount = routes.Route("level", one_euro={}, release=0.3)
    instrument = patch.Patch(
        sources={"nowhere": Video(CLIP)},
        features={name: Given(vector=name != "level") for name in ("a", "b", "c", "level")},
        latent=patch.Latent(
            rows={name: patch.Drive(feature, amount) for name, feature in rows.items()},
            psi=routes.Route("level", attack=0.1, release=0.3),
        ),
    )
    checkpoint = checkpoints.Checkpoint(G_ema=Free(), card=None)
    performance = Performance(instrument, engine=Engine(instrument, checkpoint))
    drawn = performance.engine.lanes.drawn
    values = np.random.RandomState(0).randn(steps, 512).astype(np.float32)
    took, busy, pixels = [], [], []
    threads = torch.get_num_threads()
    torch.set_num_threads(
        1
    )  # so that the time of this thread is the whole of it, also on a machine that does other things
    for i in range(steps):
        now = performance.clock()
        for name, mailbox in drawn.items():
            mailbox.put(Drawn(np.asarray(i % 100 / 100) if name == "level" else values[i], now))
        start, began = time.perf_counter(), time.thread_time()
        performance.beat()
        took.append(time.perf_counter() - start)
        busy.append(time.thread_time() - began)
        began = time.thread_time()
        to_pixels(performance.engine.G.img)[0].cpu().numpy()
        pixels.append(time.thread_time() - began)
    torch.set_num_threads(threads)
    whole, own, frame = (np.array(times[steps // 20 :]) * 1e3 for times in (took, busy, pixels))
    return {
        "row": "overhead",
        "beat without the model p50 ms": round(float(np.median(whole)), 3),
        "p99 ms": round(float(np.quantile(whole, 0.99)), 3),
        "of the processor p50 ms": round(float(np.median(own)), 3),
        "of that, the frame to 8 bits": round(float(np.median(frame)), 3),
    }


def by_showing(steps: int = 1000, examples: int = 8, numbers: int = 20) -> dict[str, object]:
    """What a mapping that was shown adds to a step without the model: another pose at each step, in the midst of its looks."""
    rng = np.random.RandomState(0)
    names = [f"n{i}" for i in range(numbers)]
    poses = rng.rand(examples, numbers)
    instrument = patch.Patch(
        sources={"nowhere": Video(CLIP)},
        features={name: Given(vector=False) for name in names},
        shown=Showing(
            features=names,
            examples=[Example(pose, f"look {i}") for i, pose in enumerate(poses.tolist())],
            looks={f"look {i}": {"latent": {"seed": i, "psi": 0.4 + 0.1 * i}} for i in range(examples)},
        ),
    )
    checkpoint = checkpoints.Checkpoint(G_ema=Free(), card=None)
    performance = Performance(instrument, engine=Engine(instrument, checkpoint))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    took: dict[bool, list[float]] = {True: [], False: []}
    for i in range(2 * steps):
        on = i // 20 % 2 == 0  # in turn, so that both meet the same machine
        if i % 20 == 0:
            performance.change({"shown.play": on})
        now, pose = performance.clock(), poses.mean(0) + 0.3 * (rng.rand(numbers) - 0.5)
        for mailbox, number in zip(performance.engine.lanes.drawn.values(), pose, strict=True):
            mailbox.put(Drawn(np.asarray(number), now))
        began = time.thread_time()
        performance.beat()
        if i % 20 > 2:
            took[on].append(time.thread_time() - began)
    fit = []
    for _ in range(50):
        began = time.thread_time()
        Guide(instrument)
        fit.append(time.thread_time() - began)
    torch.set_num_threads(threads)
    with_it, without = (float(np.median(took[on])) * 1e3 for on in (True, False))
    return {
        "row": f"a mapping of {examples} examples, {numbers} features",
        "beat without the model, of the processor p50 ms": round(with_it, 3),
        "of that, the looks": round(with_it - without, 3),
        "to make the map, ms": round(float(np.median(fit)) * 1e3, 3),
    }


def docs() -> None:
    """Put the saved figures into docs/speed.md."""
    result = json.loads(RESULTS.read_text())
    lines = [
        "| | drawn by | pictures a second | p50 | p99 / p50 | latents a second | age of what is seen |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result["rows"]:
        latents = ", ".join(f"{rate:.0f}" for rate in dict.fromkeys(row["features per second"].values()))
        lines.append(
            f"| {row['patch']} | {row['drawn by']} | {row['pictures per second']:.0f} | {row['interval p50 ms']:.0f} ms "
            f"| {row['interval p99 / p50']:.2f} | {latents} | {row['age p50 ms']} ms |"
        )
    parts = [f"{name} {ms:.2g}" for name, ms in result["rows"][0]["alone ms"].items()]
    costs = [
        f"{row['patch'].replace('scene at 30 vgg16', 'with VGG16')} {row['alone ms']['feature scene']:.2g}"
        for row in result["rows"]
        if "vgg16" in row["patch"] and "turns" not in row["patch"]
    ]
    before, _, rest = DOCS.read_text().partition(f"{HEADING}\n")
    _, _, after = rest.partition(NEXT)
    DOCS.write_text("\n".join([
        f"{before}{HEADING}\n",
        "The built-in model from a film in place of a camera to the picture, as `kinesphere play` draws it: a patch, and the",
        "pictures a second that it aims at. VGG16 looks at 224 px up to conv4_1. Picture and features share the cores; were they",
        "to take turns instead, each with all of them, a slow feature would hold up the picture.\n",
        *lines,
        f"\nEach part by itself, milliseconds: {', '.join([*parts, *costs])}.\n",
        f"{result['machine']}, torch {result['torch']}, commit {result['commit']}: "
        f"`python bench/live.py --seconds {result['seconds']:g}`",
        f"{NEXT}{after}",
    ]))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--docs", action="store_true", help="only put the saved figures into docs/speed.md")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--overhead", action="store_true", help="only the engine without a model; nothing is saved")
    asked = parser.parse_args()
    if asked.docs:
        docs()
        return
    seconds, only = asked.seconds, asked.overhead
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True
    ).stdout.strip()
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "commit": commit,
        "seconds": seconds,
        "overhead": overhead(),
        "shown": by_showing(),
        "rows": [] if only else [played(what, seconds) for what in PLAYED],
    }
    if not only:
        (HERE / "results").mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    for row in [result["overhead"], result["shown"], *result["rows"]]:
        print("\n".join(f"{key:28} {value}" for key, value in row.items()), end="\n\n")


if __name__ == "__main__":
    main()
