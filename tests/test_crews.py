"""Several workers find what one finds; one that is lost costs time and nothing else."""

import os
import signal
import sys
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinesphere import checkpoints
from kinesphere.studio import albums, crews, recipes
from kinesphere.studio.crews import Commission
from kinesphere.studio.latents import Latent
from kinesphere.studio.projection import Plan
from kinesphere.types import KinesphereError

A, B, C = (Path(f"{name}.png") for name in "abc")


@pytest.fixture(autouse=True)
def calm(one_thread):
    yield


@dataclass
class Double:
    """A post whose worker answers at once, except that it is lost over some pictures, or cannot do others at all."""

    lost_over: list[Path] = field(default_factory=list)  # once for each time that a picture is in it
    fails_at: Path | None = None
    given: list[list[Path]] = field(default_factory=list)
    renewed: int = 0
    ended: list[str] = field(default_factory=list)  # in which order; may be one list of several

    @property
    def closed(self):
        return "closed" in self.ended

    def submit(self, part):
        self.given.append(list(part))
        future = Future()
        bad = [path for path in part if path in self.lost_over]
        if bad:
            self.lost_over.remove(bad[0])
            future.set_exception(EOFError("gone"))
        elif self.fails_at in part:
            future.set_exception(KinesphereError("no such model"))
        else:
            future.set_result([(path.name, "seen") for path in part])
        return future

    def lost(self, error):
        return isinstance(error, EOFError)

    def renew(self):
        self.renewed += 1

    def stop(self):
        self.ended.append("told")

    def close(self):
        self.ended.append("closed")


def test_every_part_is_given_away_once_and_told_of():
    posts, told = [Double(), Double()], []
    found = list(crews.project([[A], [B], [C]], posts, lambda done, of: told.append((done, of))))
    assert sorted(found) == [("a.png", "seen"), ("b.png", "seen"), ("c.png", "seen")]
    assert sorted(part for post in posts for part in post.given) == [[A], [B], [C]]
    assert all(post.given and post.closed for post in posts)
    assert sorted(told) == [(1, 3), (2, 3), (3, 3)]


def test_the_part_of_a_lost_worker_is_tried_again_and_then_given_up():
    post = Double(lost_over=[A, B, B])
    found = dict(crews.project([[A], [B], [C]], [post]))
    assert found["a.png"] == found["c.png"] == "seen"
    assert found["b.png"] == "its worker was lost 2 times: gone"
    assert post.renewed == 3 and post.given.count([B]) == 2


def test_what_no_worker_can_do_ends_it_with_the_reason():
    posts = [Double(fails_at=B), Double(fails_at=B)]
    with pytest.raises(KinesphereError, match="no such model"):
        list(crews.project([[A], [B], [C]], posts))
    assert all(post.closed for post in posts)


def test_cancelled_it_closes_its_posts():
    post = Double()
    outcomes = crews.project([[A], [B]], [post])
    assert next(outcomes) == ("a.png", "seen")
    outcomes.close()
    assert post.closed and post.given == [[A]]


def test_all_are_told_to_stop_before_one_is_waited_for():
    ended = []
    outcomes = crews.project([[A], [B], [C]], [Double(ended=ended), Double(ended=ended)])
    next(outcomes)
    outcomes.close()
    assert ended == ["told", "told", "closed", "closed"]


# Real ones ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def commission(tiny_checkpoint, tmp_path):
    checkpoints.save(tiny_checkpoint, tmp_path / "tiny.safetensors")
    return Commission(str(tmp_path / "tiny.safetensors"), tmp_path / "several", Plan(steps=24, rows=8))


@pytest.fixture
def parts(tiny, tmp_path):
    """Three parts of two pictures, one of them broken."""
    paths = []
    for seed in range(6):
        picture = recipes.Recipe("tiny", None, "seed", {"seed": seed, "psi": 0.7}).draw(tiny)
        Image.fromarray(picture).save(path := tmp_path / f"{seed}.png")
        paths.append(path)
    paths[3].write_bytes(b"broken")
    return [paths[:2], paths[2:4], paths[4:]]


def of_one_worker(commission, parts, out):
    alone = Commission(commission.model, out, commission.plan).album("cpu")
    return {name: found for part in parts for name, found in alone.project(part)}


def alike(several, one):
    assert set(several) == set(one) == {"0", "1", "2", "3.png", "4", "5"}
    assert "not a picture" in several["3.png"] == one["3.png"]
    for name in ("0", "1", "2", "4", "5"):
        assert torch.equal(Latent.load(several[name].latent).data, Latent.load(one[name].latent).data)
        assert np.array_equal(*(np.asarray(Image.open(found[name].sheet)) for found in (several, one)))


def endless(commission):
    return replace(commission, plan=Plan(steps=100_000, rows=8))


def cancelled(posts, parts):
    """One worker has said that its picture is broken and the other has begun, when nobody wants to know more."""
    outcomes = crews.project([parts[0], parts[1][1:]], posts)
    assert next(outcomes)[0] == "3.png"
    outcomes.close()


def test_two_processes_of_which_one_is_killed_find_what_one_worker_finds(commission, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)  # a core each, as here
    posts = crews.local(commission, 2, "cpu")
    os.kill(posts[0].pool.submit(os.getpid).result(), signal.SIGKILL)
    several = dict(crews.project(parts, posts))
    alike(several, of_one_worker(commission, parts, tmp_path / "one"))


def test_a_worker_that_is_told_to_stop_keeps_what_it_has_begun(commission, parts):
    worker = crews.Worker(commission, "cpu", 1)
    worker.stop()
    with pytest.raises(KeyboardInterrupt):
        worker.project(parts[0])
    assert [path.name[:12] for path in commission.out.iterdir()] == [".unfinished-"]


def test_cancelled_processes_keep_what_they_have_begun(commission, parts):
    cancelled(crews.local(endless(commission), 2, "cpu"), parts)
    assert [path.name[:12] for path in commission.out.iterdir()] == [".unfinished-"]


def test_a_ray_cluster_finds_what_one_worker_finds(commission, parts, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'kinesphere[ray]')")
    try:
        several = dict(crews.project(parts, crews.cluster(commission, "local", 2)))
    finally:
        ray.shutdown()
    alike(several, of_one_worker(commission, parts, tmp_path / "one"))


def test_cancelled_workers_of_a_cluster_keep_what_they_have_begun(commission, parts):
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'kinesphere[ray]')")
    try:
        cancelled(crews.cluster(endless(commission), "local", 2), parts)
    finally:
        ray.shutdown()
    assert [path.name[:12] for path in commission.out.iterdir()] == [".unfinished-"]


def test_without_ray_it_is_said_how_to_get_it(commission, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(KinesphereError, match=r"pip install 'kinesphere\[ray\]'"):
        crews.cluster(commission, "auto")


# Which pictures -----------------------------------------------------------------------------------------------------------


def test_pictures_go_together_as_many_as_the_size_allows_and_what_was_found_is_known(tmp_path):
    paths = [Path(f"{i}.png") for i in range(150)]
    assert [len(part) for part in albums.parts(paths, 64)] == [64, 64, 22]
    assert [len(part) for part in albums.parts(paths[:3], 1024)] == [1, 1, 1]
    assert not albums.found(A, tmp_path)
    for ending in (".safetensors", ".sheet.png"):
        (tmp_path / f"a{ending}").touch()
    assert albums.found(A, tmp_path)
