"""A student draws what its teacher draws, with fewer channels."""

import math
from types import SimpleNamespace

import pytest
import torch
from conftest import tiny_generator
from typer.testing import CliRunner

from kinesphere import checkpoints, cli
from kinesphere.models import StyleGAN2
from kinesphere.studio import perceptual, students
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")
FULL, HALF = [12, 12, 8, 8], [6, 6, 4, 4]


def half_deaf(G):
    """`G`, with nothing that listens to the upper half of any layer."""
    with torch.no_grad():
        for block in G.synthesis.blocks():
            for layer in [block.conv1, block.torgb] + ([] if block.is_first else [block.conv0]):
                layer.weight[:, layer.weight.shape[1] // 2 :] = 0
    return G


def ws_of(G, n=3):
    return students.seen(G, n, seed=5)


@pytest.mark.parametrize("use_noise", [True, False])
def test_who_keeps_every_channel_draws_the_same(use_noise):
    G = tiny_generator("stylegan2", use_noise=use_noise)
    student = students.prune(G, FULL)
    assert torch.allclose(student.synthesis(ws_of(G)), G.synthesis(ws_of(G)), atol=1e-5)


def test_channels_that_nothing_listens_to_go_first():
    G = half_deaf(tiny_generator("stylegan2"))
    student = students.prune(G, HALF)
    assert student.config["channels"] == HALF
    assert torch.allclose(student.synthesis(ws_of(G)), G.synthesis(ws_of(G)), atol=1e-4)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_the_latents_are_the_teachers(c_dim):
    G = tiny_generator("stylegan2", c_dim=c_dim)
    student = students.prune(G, HALF)
    z, c = torch.randn(2, G.z_dim), torch.eye(3)[:2] if c_dim else None
    assert torch.equal(student.mapping(z, c), G.mapping(z, c)) and torch.equal(student.w_avg, G.w_avg)


def test_a_course_brings_the_pictures_nearer_and_leaves_the_teacher_alone():
    G = tiny_generator("stylegan2")
    before = {name: tensor.clone() for name, tensor in G.state_dict().items()}
    student = students.prune(G, HALF)
    pruned = students.apart(G, student, 64)
    course = students.Course(G, student, steps=150, batch=8, lr=5e-3)
    lessons = list(course)
    assert [lesson.steps for lesson in lessons] == list(range(1, 151))
    taught = course.graduate()
    assert students.apart(G, taught, 64) < 0.7 * pruned
    assert all(torch.equal(tensor, before[name]) for name, tensor in G.state_dict().items())
    assert all(torch.equal(a, b) for a, b in zip(taught.mapping.parameters(), G.mapping.parameters(), strict=True))


def test_how_far_apart_is_the_root_mean_square_in_levels():
    G = tiny_generator("stylegan2")
    other = students.prune(G, FULL)
    with torch.no_grad():
        other.synthesis.b32.torgb.bias += 10 / 127.5  # ten levels, where nothing is clipped
        for net in (G, other):
            for block in net.synthesis.blocks():
                block.torgb.weight *= 0.01
    assert math.isclose(students.apart(G, other, 16), 10, rel_tol=0.02)


def test_widths_are_a_share_of_the_teachers():
    assert students.narrower([512, 128, 30, 4], 0.5) == [256, 64, 16, 4]


@pytest.mark.parametrize(
    ("G", "channels", "words"),
    [
        ("stylegan3", HALF, "only a StyleGAN2"),
        ("stylegan2", [6, 6, 4], "do not fit"),
        ("stylegan2", [24, 6, 4, 4], "do not fit"),
    ],
)
def test_what_has_no_student_is_said(G, channels, words):
    with pytest.raises(KinesphereError, match=words):
        students.prune(tiny_generator(G), channels)


def test_what_has_no_student_is_said_before_anything_is_measured():
    with pytest.raises(KinesphereError, match="only a StyleGAN2"):
        students.fitting(tiny_generator("stylegan3"), rate=30.0)


@pytest.fixture
def wide(monkeypatch):
    """A model on a machine that needs a millisecond for each channel of the first layer."""
    monkeypatch.setattr(students.runtime, "compile", lambda G, remembers: G)
    monkeypatch.setattr(students, "timed", lambda G, pictures: G.config["channels"][0] / 1e3)
    return StyleGAN2(img_resolution=16, channels=[64, 64, 64], z_dim=8, w_dim=8, mapping_layers=1)


def test_a_model_that_is_fast_enough_needs_no_student(wide):
    with pytest.raises(KinesphereError, match="this model draws 16 pictures a second already"):
        students.fitting(wide, rate=10.0)


@pytest.mark.parametrize(("asked", "width"), [({"rate": 30.0}, 32), ({"times": 2.0}, 32), ({"times": 2.1}, 28)])
def test_the_widest_student_that_keeps_the_rate_is_taken(wide, asked, width):
    assert students.fitting(wide, **asked).config["channels"] == [width] * 3


def test_where_no_student_is_that_fast_it_is_said(wide):
    with pytest.raises(KinesphereError, match="no student of this model draws 500 pictures a second"):
        students.fitting(wide, rate=500.0)
    with pytest.raises(KinesphereError, match="no student of this model draws 50 times as fast here"):
        students.fitting(wide, times=50.0)


def test_the_command_writes_a_model_that_plays(tiny_checkpoint, tmp_path, monkeypatch):
    teacher, out = tmp_path / "big.safetensors", tmp_path / "small.safetensors"
    checkpoints.save(tiny_checkpoint, teacher)
    monkeypatch.setattr(students, "fitting", lambda G, times: students.prune(G, HALF, samples=8))
    done = CliRunner().invoke(cli.app, ["shrink", str(teacher), "--out", str(out), "--steps", "3"])
    assert done.exit_code == 0, done.output
    assert "pictures a second" in done.output and "levels of 255" in done.output and "SWD to its teacher" in done.output
    small = checkpoints.load(out)
    assert small.G_ema.config["channels"] == HALF and "a student of" in " ".join(small.card.notes)
    again = CliRunner().invoke(cli.app, ["shrink", str(teacher), "--out", str(out), "--steps", "3"])
    assert isinstance(again.exception, KinesphereError) and "is there already" in str(again.exception)


# What it is to learn


def test_a_discriminator_sees_no_difference_between_a_picture_and_itself_and_more_the_more_there_is(tiny_checkpoint):
    judge = perceptual.judged(tiny_checkpoint)
    dice = torch.Generator().manual_seed(0)
    pictures, grain = torch.rand(2, 4, 3, 32, 32, generator=dice) * 2 - 1
    assert torch.equal(judge(pictures, pictures), torch.zeros(4))
    seen = [judge((pictures + amount * grain).clamp(-1, 1), pictures) for amount in (0.05, 0.1, 0.2)]
    assert bool((seen[0] > 0).all()) and bool((seen[1] > seen[0]).all()) and bool((seen[2] > seen[1]).all())


def test_each_picture_is_judged_alone_and_the_goal_stands_still(tiny_checkpoint):
    judge = perceptual.judged(tiny_checkpoint)
    dice = torch.Generator().manual_seed(0)
    drawn, goal = (t.requires_grad_() for t in (torch.rand(2, 3, 3, 32, 32, generator=dice) * 2 - 1))
    apart = judge(drawn, goal)
    given, still = torch.autograd.grad(apart[1], (drawn, goal), allow_unused=True)
    assert still is None and bool(given[1].abs().sum() > 0) and not given[0].any() and not given[2].any()
    with pytest.raises(KinesphereError, match="needs a checkpoint with a discriminator"):
        perceptual.judged(SimpleNamespace(D=None))


def test_what_a_discriminator_sees_makes_a_student_less_blurred(tiny_checkpoint):
    G = tiny_checkpoint.G_ema
    blur = []
    for judge in (None, perceptual.judged(tiny_checkpoint)):
        course = students.Course(G, students.prune(G, HALF, samples=8), 40, judge, batch=4)
        for _ in course:
            pass
        judged = perceptual.judged(tiny_checkpoint)
        ws = students.seen(G, 16, 3)
        with torch.no_grad():
            blur.append(float(judged(course.graduate().synthesis(ws), G.synthesis(ws)).mean()))
    assert blur[1] < blur[0]
