"""An encoder learns, is broken off and goes on, and sees pictures as a camera might show them."""

import math

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from typer.testing import CliRunner

from kinesphere import checkpoints, cli
from kinesphere.studio import encoder_training
from kinesphere.studio.encoder import Encoder
from kinesphere.studio.encoder_training import CLEAN, Course, begun, damaged, kept, rate
from kinesphere.studio.latents import Fingerprint
from kinesphere.train.datasets import open_set, order, shown
from kinesphere.train.importing import import_set
from kinesphere.types import KinesphereError


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


def course(steps=4, **settings):
    return Course(tiny_generator("stylegan2"), steps, batch=4, **settings)


def weights(course):
    return {name: value.clone() for name, value in course.encoder.state_dict().items()}


def alike(a, b):
    return all(torch.equal(value, b[name]) for name, value in a.items())


def some(step, n):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(step)) * 2 - 1


def test_it_learns():
    lessons = list(Course(tiny_generator("stylegan2"), 120, batch=8, lr=2e-3))
    assert lessons[-1].left < 0.7 * lessons[4].left and math.isnan(lessons[-1].found)


def test_pictures_to_be_found_are_learnt_from_and_told():
    with_them, without = course(pictures=some), course()
    (*_, last), _ = list(with_them), list(without)
    assert math.isfinite(last.found) and not alike(weights(with_them), weights(without))


def test_the_model_is_left_alone():
    one = course()
    before = {name: value.clone() for name, value in one.G.state_dict().items()}
    list(one)
    assert all(torch.equal(value, before[name]) for name, value in one.G.state_dict().items())


@pytest.mark.parametrize("after", [1, 3])
def test_gone_on_with_is_as_never_broken_off_bit_for_bit(after):
    whole, first, second = course(pictures=some), course(pictures=some), course(pictures=some)
    list(whole)
    for lesson in first:
        if lesson.steps == after:
            break
    second.resume(first.state())
    (*_, last) = second
    assert alike(weights(whole), weights(second)) and last.left == whole.recent["left"]


@pytest.mark.parametrize("other", [{"steps": 5}, {"seed": 1}, {"lr": 2e-3}, {"pictures": some}])
def test_a_state_of_other_settings_is_refused(other):
    with pytest.raises(KinesphereError, match="another model or other settings"):
        course(**other).resume(course().state())


def test_what_ends_it_leaves_the_encoder_and_a_way_on(tmp_path):
    out = tmp_path / "one.safetensors"
    with pytest.raises(KeyboardInterrupt):
        for lesson in kept(course(), out):
            if lesson.steps == 2:
                raise KeyboardInterrupt
    Encoder.load(out)
    assert begun(out)
    steps = [lesson.steps for lesson in kept(course(), out)]
    assert steps == [3, 4] and not begun(out)
    whole = course()
    list(whole)
    other = Encoder.load(whole.encoder.save(tmp_path / "other.safetensors"))
    assert alike(other.state_dict(), Encoder.load(out).state_dict())


def test_what_fails_in_its_first_step_leaves_the_encoder_that_is_there(tmp_path):
    out = tmp_path / "one.safetensors"
    out.write_bytes(b"a good one")
    hungry = course()
    hungry.chart = None  # as if the memory were full
    with pytest.raises(AttributeError):
        next(kept(hungry, out))
    assert out.read_bytes() == b"a good one" and not begun(out)


def test_a_state_that_is_damaged_is_named(tmp_path):
    out = tmp_path / "one.safetensors"
    (tmp_path / ".one.state").write_bytes(b"not a state")
    with pytest.raises(KinesphereError, match=r"\.one\.state cannot be read .*remove it"):
        next(kept(course(), out))


def test_no_steps_are_refused():
    with pytest.raises(KinesphereError, match="steps 0: give at least 1"):
        course(steps=0)


def test_the_rate_rises_evenly_and_falls_along_a_cosine():
    assert rate(0, 10**6) == pytest.approx(1 / 200) and rate(99, 10**6) == pytest.approx(0.5, abs=1e-3)
    assert rate(5000, 10_000) == pytest.approx(0.5) and rate(10_000, 10_000) == pytest.approx(0, abs=1e-12)


# Damage ---------------------------------------------------------------------------------------------------------------------


def test_a_share_of_the_pictures_is_shown_as_it_is():
    img = torch.rand(400, 3, 32, 32) * 2 - 1
    seen = damaged(img, torch.Generator().manual_seed(0))
    untouched = (seen - img).abs().amax((1, 2, 3)) < 1e-5
    spared = CLEAN + (1 - CLEAN) * 0.6**6  # or by every one of the six damages
    assert untouched.float().mean() == pytest.approx(spared, abs=0.08)


def test_damage_is_never_so_great_that_a_picture_is_lost():
    """Of a plain picture with a bright disc, what is seen still has to do with it."""
    across = torch.linspace(-1, 1, 32)
    disc = ((across[:, None] ** 2 + across**2) < 0.4).float() * 1.6 - 0.8
    seen = damaged(disc.expand(200, 3, 32, 32), torch.Generator().manual_seed(1))
    inside = disc > 0
    gap = torch.stack([s[:, inside].mean() - s[:, ~inside].mean() for s in seen])
    assert (gap > 0.5).float().mean() > 0.95


def test_damage_is_the_same_each_time():
    img = torch.rand(5, 1, 32, 32)
    seen = [damaged(img, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*seen)


# By command -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    out = tmp_path_factory.mktemp("set") / "set.zip"
    import_set("portraits", out, count=6, size=32)
    return out


def test_the_pictures_of_a_step_are_those_of_the_sets_order(pictures):
    data = open_set(pictures)
    wanted = data.batch(order(6, 5, 8, 4))
    got = shown(data, 5)(2, 4)
    assert torch.equal(got, torch.from_numpy(wanted) / 127.5 - 1) and got.dtype == torch.float32


def test_by_command(pictures, tiny_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder_training, "KEEP_EVERY", 0.0)
    model, out = tmp_path / "tiny.safetensors", tmp_path / "guess.safetensors"
    checkpoints.save(tiny_checkpoint, model)
    words = [
        "train-encoder",
        str(model),
        "--out",
        str(out),
        "--pictures",
        str(pictures),
        "--steps",
        "3",
        "--batch",
        "4",
    ]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0 and "left unexplained" in done.output and "those to be found" in done.output
    Encoder.load(out).check(Fingerprint.of(checkpoints.load(model).G_ema))
    again = CliRunner().invoke(cli.app, words)
    assert isinstance(again.exception, KinesphereError) and "--overwrite" in str(again.exception)
    assert np.array_equal(sorted(p.name for p in tmp_path.iterdir()), ["guess.safetensors", "tiny.safetensors"])
