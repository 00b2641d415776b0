"""Twenty minutes of play: does the memory grow, does a picture ever come late, is a thread left?

Run: python bench/soak.py --minutes 20

The stage runs in a process of its own with the built-in models and clip, the player's page open in a headless Chromium. What a
player may do comes again and again, in an order that a seed chooses: changes, dice, undo and redo, snapshots, recalls and morphs,
the pad, the way back, freeze and black, other models, stations that are opened again, takes with films; and viewers come and go,
some of whom do not read. Every ten seconds it is written down what the stage's process holds.
  growth of memory   the median of the last two minutes less that of the two after the first two (short runs: a fifth each)
  longest frame      the longest from one picture to the next, as the engine measures it; while it is frozen there is none
  threads left       of Python, after the stage was closed
Needs Chromium, unless --no-page. Saves bench/results/soak.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import time
import traceback
import urllib.parse
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from stage import HERE, Broken, Hand, Stage, Viewer, about, browser, deaf, opened, save
from websockets.exceptions import WebSocketException

from kinesphere.types import KinesphereError

EVERY = 10.0  # seconds between two rows
WARM = 120.0  # seconds before memory counts
BARS = {"growth of memory MB": 30.0, "longest frame ms": 250.0, "threads left": 0}
MODELS = ("portraits", "abstract")
VIEWS = ({}, {"most": 128}, {"quality": 0.5}, {"format": "h264"}, {"view": "source:eye", "most": 320})
KEPT = 6  # snapshots
RELOAD = 60.0  # seconds between two reloads of the page


@dataclass
class Play:
    """Everything that is done to a stage. `often` says how many times a minute each is done."""

    stage: Stage
    dice: random.Random
    begun: float
    hand: Hand = field(init=False)
    snapshots: list[str] = field(default_factory=list)
    viewers: list[Viewer] = field(default_factory=list)
    deaf: ExitStack = field(default_factory=ExitStack)  # who does not read
    model: int = 0
    mirrored: bool = False
    take: tuple[str, float] | None = None  # the one that is recorded, and when it ends
    refused: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    last: list[tuple[float, str]] = field(default_factory=list)  # (when, what)

    def __post_init__(self) -> None:
        self.hand = Hand(self.stage)
        self.often: dict[Callable[[], None], float] = {
            self.turn: 240, self.roll: 20, self.again: 10, self.keep: 10, self.recall: 10, self.morph: 12, self.pad: 40,
            self.back: 4, self.freeze: 2, self.black: 2, self.switch: 3, self.reopen: 3, self.film: 1, self.come: 12,
            self.go: 12, self.ignore: 2,
        }  # fmt: skip
        self.due = {act: self.begun + 60 / times * self.dice.random() for act, times in self.often.items()}

    def to(self, until: float, pause: Callable[[float], None]) -> None:
        """Play until then; `pause` waits some seconds."""
        while (now := time.monotonic()) < until:
            act = min(self.due, key=self.due.__getitem__)
            if self.due[act] > now:
                pause(min(self.due[act], until) - now)
                continue
            self.due[act] = max(self.due[act], now - 1) + 60 / self.often[act] * (0.5 + self.dice.random())
            name = act.__name__
            self.last = [*self.last[-400:], (now, name)]
            self.done[name] = self.done.get(name, 0) + 1
            try:
                act()
            except Broken as error:
                if "refused" not in str(error):
                    raise
                words = str(error)[:160]  # another model may lack a place: that is no fault
                self.refused[words] = self.refused.get(words, 0) + 1

    # what is turned

    def turn(self) -> None:
        place, low, high = self.dice.choice(
            [("latent.psi", 0.0, 1.2), ("latent.rows.coarse.amount", 0.0, 1.0), ("latent.rows.middle.amount", 0.0, 1.0)]
        )
        self.hand.ask("change", edits={place: round(low + (high - low) * self.dice.random(), 3)})

    def roll(self) -> None:
        self.hand.ask("seed_dice")

    def again(self) -> None:
        self.hand.ask("undo")
        self.hand.ask("redo")

    def reopen(self) -> None:
        """Stations end and others begin: another source, another feature."""
        self.mirrored = not self.mirrored
        self.hand.ask("change", edits={"sources.eye.mirror": self.mirrored})
        self.hand.ask("change", edits={"features.scene.smoothing": 0.2 + 0.1 * self.mirrored})

    def switch(self) -> None:
        self.model = 1 - self.model
        self.hand.ask("play", model=MODELS[self.model], fade=self.dice.choice([0.0, 0.5]))

    def freeze(self) -> None:
        self.hand.ask("freeze", on=True)
        time.sleep(0.4)
        self.hand.ask("freeze", on=False)

    def black(self) -> None:
        self.hand.ask("black", on=True, seconds=0.3)
        time.sleep(0.5)
        self.hand.ask("black", on=False, seconds=0.3)

    # looks

    def keep(self) -> None:
        self.snapshots.append(self.hand.ask("snapshot", name=f"look {len(self.snapshots)}")["id"])
        if len(self.snapshots) > KEPT:
            self.hand.ask("forget", look=self.snapshots.pop(0))

    def recall(self) -> None:
        if self.snapshots:
            self.hand.ask("recall", look=self.dice.choice(self.snapshots))

    def morph(self) -> None:
        if self.snapshots:
            self.hand.ask("recall", look=self.dice.choice(self.snapshots), seconds=2.0)

    def pad(self) -> None:
        if len(self.snapshots) > 2:
            points = [{"id": look, "x": float(i), "y": i / 2} for i, look in enumerate(self.snapshots[:2])]
            self.hand.ask("pad", points=points, at=[self.dice.random(), self.dice.random()])

    def back(self) -> None:
        self.hand.ask("rewind", seconds=5.0)

    # takes

    def film(self) -> None:
        """A take with its film, for ten seconds; then it is deleted."""
        if self.take is None:
            self.take = self.hand.ask("record", on=True, video=True)["take"], time.monotonic() + 10
            self.often[self.film], self.due[self.film] = 6, self.take[1]
            return
        name, _ = self.take
        self.hand.ask("record", on=False)
        self.take = None
        self.often[self.film], self.due[self.film] = 1, time.monotonic() + 45
        line = http.client.HTTPConnection("127.0.0.1", self.stage.port, timeout=30)
        try:
            line.request("GET", f"/api/takes/{urllib.parse.quote(name)}")
            whole = line.getresponse()
            if whole.status != 200 or len(whole.read()) < 100:
                raise Broken(f"the take {name!r} could not be read again: {whole.status}")
            line.request("DELETE", f"/api/takes/{urllib.parse.quote(name)}")
            line.getresponse().read()
        finally:
            line.close()
        for film in sorted((self.stage.folder / "videos").glob("*.mp4"))[:-1]:  # the newest may still be closed
            film.unlink(missing_ok=True)

    # viewers

    def come(self) -> None:
        if len(self.viewers) < 5:
            self.viewers.append(Viewer(self.stage, **self.dice.choice(VIEWS)))

    def go(self) -> None:
        if self.viewers:
            viewer = self.viewers.pop(self.dice.randrange(len(self.viewers)))
            if not viewer.drawn and time.monotonic() - viewer.since > 5:
                raise Broken("a viewer saw no picture in 5 s")
            viewer.close()

    def ignore(self) -> None:
        """One that does not read comes, and the one before it leaves without a word."""
        self.deaf.close()
        with suppress(WebSocketException, OSError):
            self.deaf.enter_context(deaf(self.stage, "ws/pictures")).send('{"view":"picture","credit":3}')

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.close()
        self.deaf.close()
        if self.take is not None:
            with suppress(Broken, OSError, WebSocketException):
                self.hand.ask("record", on=False)
        self.hand.close()


def row(stage: Stage, play: Play, begun: float, longest: dict[str, Any]) -> dict[str, Any]:
    """What the stage's process holds now, and its pictures since the last row; the longest of all goes into `longest`."""
    noted = stage.notes()
    lengths = np.array([length for _, length in noted["intervals"]]) * 1e3
    for now, length in noted["intervals"]:
        if length * 1e3 > longest.get("ms", 0.0):
            when = now + noted["zero"]
            near = [f"{name} {when - length - then:+.2f} s" for then, name in play.last if -2 < then - when < 0.2]
            longest.update({"ms": round(length * 1e3, 1), "at s": round(when - begun, 1), "after": near})
    return {
        "s": round(time.monotonic() - begun, 1),
        "memory MB": round(stage.memory, 1),
        "in use MB": noted["in use"],
        "threads": len(noted["threads"]),
        "threads of the process": psutil.Process(stage.process.pid).num_threads(),
        "pictures": len(lengths),
        "p50 ms": round(float(np.quantile(lengths, 0.5)), 1) if len(lengths) else None,
        "p99 ms": round(float(np.quantile(lengths, 0.99)), 1) if len(lengths) else None,
        "longest ms": round(float(lengths.max()), 1) if len(lengths) else None,
        "model": noted["model"],
        "viewers": len(play.viewers),
        "troubles": noted["troubles"],
    }


def growth(rows: list[dict[str, Any]], seconds: float) -> float:
    """Megabytes: the last two minutes against the two after the first two, of shorter runs a fifth each."""
    part = min(WARM, seconds / 5)
    first = [r["memory MB"] for r in rows if part <= r["s"] <= 2 * part]
    last = [r["memory MB"] for r in rows if r["s"] >= seconds - part]
    if not first or not last:
        raise Broken("the run was too short to see whether memory grows: give it at least a minute")
    return round(float(np.median(last) - np.median(first)), 1)


def soak(given: argparse.Namespace, result: dict[str, Any]) -> None:
    """Fill `result`."""
    rows: list[dict[str, Any]] = []
    longest: dict[str, Any] = {}
    result.update(minutes=given.minutes, seed=given.seed, page=given.page, rows=rows, longest=longest)
    seconds = given.minutes * 60
    with ExitStack() as around:
        chromium = around.enter_context(browser()) if given.page else None
        stage = Stage("clip")
        with stage:
            with ExitStack() as inside:
                page = inside.enter_context(opened(chromium, stage)) if chromium else None
                pause = (lambda s: page.wait_for_timeout(s * 1e3)) if page else time.sleep
                pause(2.0)
                stage.notes()  # what comes before is the opening
                begun = time.monotonic()
                play = Play(stage, random.Random(given.seed), begun)
                inside.callback(play.close)
                reload = begun + RELOAD
                for i in range(1, max(1, round(seconds / EVERY)) + 1):
                    play.to(begun + i * EVERY, pause)
                    rows.append(row(stage, play, begun, longest))
                    print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
                    if not rows[-1]["pictures"]:
                        raise Broken(f"the picture stood still for {EVERY:.0f} s: {rows[-1]['troubles']}")
                    if page and time.monotonic() > reload:
                        page.reload()
                        reload += RELOAD
                result["done"], result["refused"] = play.done, play.refused
            resting = stage.notes()["threads"]
        result["threads when all had left"] = len(resting)
        result["threads left"] = stage.left
    result["growth of memory MB"] = growth(rows, seconds)
    result["longest frame ms"] = longest.get("ms")


def judged(result: dict[str, Any]) -> list[str]:
    """What is over its bar, in words."""
    over = []
    if result["growth of memory MB"] > BARS["growth of memory MB"]:
        over.append(f"memory grew by {result['growth of memory MB']} MB")
    if result["longest frame ms"] > BARS["longest frame ms"]:
        over.append(f"a picture came {result['longest frame ms']} ms after the one before: {result['longest']}")
    if result["threads left"]:
        over.append(f"threads are left: {', '.join(result['threads left'])}")
    return over


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", action=argparse.BooleanOptionalAction, default=True, help="with a page in a browser")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "soak.json")
    given = parser.parse_args()
    result = about("soak.py", given, sys.argv[1:])
    try:
        soak(given, result)
    except KeyboardInterrupt:
        raise SystemExit("stopped; nothing was saved") from None
    except Exception as error:
        if not isinstance(error, Broken | KinesphereError):
            traceback.print_exc()
        raise SystemExit(f"bench/soak.py: {error}\nnothing was saved") from None
    result["over the bar"] = judged(result)
    save(result, given.out)
    told = {key: result[key] for key in (*BARS, "threads when all had left", "longest", "done", "refused")}
    print(json.dumps(told, indent=2))
    print("\n".join(["over the bar:", *result["over the bar"]]) if result["over the bar"] else "all within their bars")


if __name__ == "__main__":
    main()
