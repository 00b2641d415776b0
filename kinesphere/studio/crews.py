"""Pictures projected by several workers at once: a process for each GPU, or for some of the cores, or a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Protocol

import torch

from kinesphere import checkpoints
from kinesphere.studio import albums
from kinesphere.studio.albums import Album
from kinesphere.studio.batch import Found
from kinesphere.studio.projection import Plan
from kinesphere.types import KinesphereError

PATIENCE = 20.0  # seconds that a worker of a cluster has to come to its next step and keep what it has begun
TRIES = 2  # how often pictures are given to a worker: one that is lost may have had an accident, two have not
WITHOUT_RAY = "Ray is not installed: pip install 'kinesphere[ray]', or leave out --ray and say --workers"

Outcome = tuple[str, Found | str]
"""A picture's name, and what was found, or why nothing was."""


@dataclass(frozen=True)
class Commission:
    """What a worker has to know to project pictures as every other does; nothing but names and numbers, so that it can be sent."""

    model: str
    out: Path
    plan: Plan
    distance: str = "pixels"
    vgg: Path | None = None
    lpips: Path | None = None
    class_index: int = 0
    film: bool = False
    mask: Path | None = None
    align: str = "middle"
    encoder: str = "own"

    def album(self, device: str) -> Album:
        """Raises KinesphereError as `checkpoints.load`, `albums.distance` and `Album` do."""
        checkpoint = checkpoints.load(self.model)
        for network in (checkpoint.G_ema, checkpoint.D):
            if network is not None:
                network.to(device)
        seek = albums.distance(self.distance, checkpoint, self.vgg, self.lpips)
        return Album(
            checkpoint.G_ema, self.model, self.out, self.plan, seek, self.class_index, self.film, self.mask, self.align,
            self.encoder,
        )  # fmt: skip


class Post(Protocol):
    """A place for one worker."""

    def submit(self, part: Sequence[Path]) -> Future[list[Outcome]]:
        """Give it pictures that are projected together."""

    def lost(self, error: BaseException) -> bool:
        """Whether this says that the worker is gone, rather than that it could not do what it was to do."""

    def renew(self) -> None:
        """Put another worker in the place of one that was lost."""

    def stop(self) -> None:
        """Tell the worker to stop after its next step, and to keep what it has begun; do not wait."""

    def close(self) -> None:
        """Let the worker go, once it has stopped."""


def project(
    parts: Sequence[Sequence[Path]],
    posts: Sequence[Post],
    on_part: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[Outcome]:
    """Each part to the worker that is free first. What comes out is what one worker finds, in the order in which it is done.

    The part of a worker that was lost is given away once more, and goes on from where it was kept. Raises what a worker raises
    that is not lost. However it ends, all workers are told to stop, and then posts are closed.
    """
    waiting, tried = list(enumerate(parts)), [0] * len(parts)
    free, busy, done = list(posts), dict[Future[list[Outcome]], tuple[int, Post]](), 0
    try:
        while waiting or busy:
            while waiting and free:
                i, part = waiting.pop(0)
                tried[i] += 1
                post = free.pop(0)
                busy[post.submit(part)] = i, post
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                i, post = busy.pop(future)
                error = future.exception()
                if error is None:
                    yield from future.result()
                elif not post.lost(error):
                    raise error
                else:
                    post.renew()
                    if tried[i] < TRIES:
                        waiting.insert(0, (i, parts[i]))
                    else:
                        yield from ((path.name, f"its worker was lost {TRIES} times: {error}") for path in parts[i])
                free.append(post)
                done = len(parts) - len(waiting) - len(busy)
                on_part(done, len(parts))
    finally:
        for post in posts:
            post.stop()
        for post in posts:
            post.close()


# Processes of this machine ----------------------------------------------------------------------------------------------


def local(commission: Commission, workers: int, device: str) -> list[Post]:
    """A process for each worker. Of "cuda", each has the next GPU; on a CPU, its share of the cores."""
    gpus = torch.cuda.device_count() if device == "cuda" else 0
    devices = [f"cuda:{i % gpus}" if gpus else device for i in range(workers)]
    threads = max(1, (os.cpu_count() or 1) // workers)
    return [_Process(commission, device, threads) for device in devices]


class _Process:
    def __init__(self, commission: Commission, device: str, threads: int) -> None:
        self.told = commission, device, threads
        self._begin()

    def _begin(self) -> None:
        anew = multiprocessing.get_context("spawn")  # a forked process has no CUDA
        self.told_to_stop = anew.Event()
        self.pool = ProcessPoolExecutor(1, anew, _started, (*self.told, self.told_to_stop))

    def submit(self, part: Sequence[Path]) -> Future[list[Outcome]]:
        try:
            return self.pool.submit(_projected, part)
        except BrokenProcessPool as error:  # it was lost while nobody waited for it
            future: Future[list[Outcome]] = Future()
            future.set_exception(error)
            return future

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, BrokenProcessPool)

    def renew(self) -> None:
        self.close()
        self._begin()

    def stop(self) -> None:
        self.told_to_stop.set()

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)


_worker: Worker


def _started(commission: Commission, device: str, threads: int, told_to_stop: Event) -> None:
    """Of a process, once."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which then says stop
    _worker = Worker(commission, device, threads, told_to_stop)


def _projected(part: Sequence[Path]) -> list[Outcome]:
    return _worker.project(part)


class Worker:
    """An album that is opened with the first pictures, and what they come to.

    told_to_stop  is set from outside; None: by `stop` alone, from another thread
    """

    def __init__(
        self, commission: Commission, device: str, threads: int, told_to_stop: Event | threading.Event | None = None
    ) -> None:
        torch.set_num_threads(threads)
        self.commission, self.device = commission, device
        self.told_to_stop = told_to_stop or threading.Event()
        self.album: Album | None = None

    def stop(self) -> None:
        self.told_to_stop.set()

    def project(self, part: Sequence[Path]) -> list[Outcome]:
        """Raises KeyboardInterrupt, with what was begun kept, once it is told to stop."""
        self.album = self.album or self.commission.album(self.device)

        def on_step(done: int, of: int) -> None:
            if self.told_to_stop.is_set():
                raise KeyboardInterrupt

        return list(self.album.project(part, on_step))


# A cluster --------------------------------------------------------------------------------------------------------------


def cluster(commission: Commission, address: str, workers: int | None = None) -> list[Post]:
    """An actor for each GPU of a Ray cluster, or `workers` of them. Files are where they are on every machine: in a shared folder.

    address  "auto": the cluster that this machine is of; "local": one that begins and ends here; or ray://HOST:PORT
    Raises KinesphereError where there is no Ray, no cluster, or no room for a worker.
    """
    try:
        import ray
    except ImportError:
        raise KinesphereError(WITHOUT_RAY) from None
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=None if address != "local" else False)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise KinesphereError(
            f"no Ray cluster at {address!r} ({str(error)[:160]}): ray start --head begins one; or say local"
        ) from None
    there = ray.cluster_resources()
    gpus, cores = (int(there.get(kind, 0)) for kind in ("GPU", "CPU"))
    if (workers or 1) > (gpus or cores):
        raise KinesphereError(f"{workers or 1} workers have no room on {gpus} GPUs and {cores} cores: ask for fewer")
    return [_Actor(ray, commission, bool(gpus)) for _ in range(workers or gpus or 1)]


class _Actor:
    def __init__(self, ray: Any, commission: Commission, gpu: bool) -> None:
        self.ray, self.told = ray, (commission, "cuda" if gpu else "cpu", 1)
        hears = {"max_concurrency": 2}  # that it is to stop, while it projects
        self.kind = ray.remote(num_gpus=int(gpu), num_cpus=1, **hears)(Worker)
        self.actor = self.kind.remote(*self.told)
        self.given: list[Any] = []  # the newest part, as Ray refers to it

    def submit(self, part: Sequence[Path]) -> Future[list[Outcome]]:
        self.given = [self.actor.project.remote([path.resolve() for path in part])]
        future: Future[list[Outcome]] = self.given[0].future()
        return future

    def lost(self, error: BaseException) -> bool:
        return isinstance(error, self.ray.exceptions.RayActorError)

    def renew(self) -> None:
        self.actor = self.kind.remote(*self.told)

    def stop(self) -> None:
        self.actor.stop.remote()

    def close(self) -> None:
        if self.given:
            self.ray.wait(self.given, timeout=PATIENCE)
        self.ray.kill(self.actor)
