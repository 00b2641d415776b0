"""From a picture to the latent that makes it: found, kept, resumed, and said plainly when the picture is of another world."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_generator
from skimage import data

from kinesphere import checkpoints
from kinesphere.ops import to_pixels
from kinesphere.studio import stages
from kinesphere.studio.charts import Chart
from kinesphere.studio.latents import Latent, draw
from kinesphere.studio.projection import Plan, Projection, nearness, unexplained
from kinesphere.train.portraits import Portraits
from kinesphere.types import KinesphereError

FIXTURES = Path(__file__).parent / "fixtures"
WHOLE = Plan(steps=16, rows=8, noise=6, tune=4)  # every stage, as short as can be


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture(scope="module")
def portraits():
    G = checkpoints.load("portraits").G_ema
    return G, Chart.of(G)


def drawn(G, count, seed=1):
    """Pictures that `G` made, and the w of each, [N, w_dim]."""
    z = torch.randn(count, G.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        w = G.mapping(z, None if not G.c_dim else G.label(1).expand(count, -1))[:, 0]
        return G.synthesis(w[:, None].expand(-1, G.num_ws, -1)), w


def through(projection):
    steps = list(projection)
    return steps[-1]


def goals_of(pictures):
    return torch.stack([torch.from_numpy(np.array(p)).permute(2, 0, 1) for p in pictures]).float() / 127.5 - 1


# Found --------------------------------------------------------------------------------------------------------------------


def test_a_picture_that_the_model_made_is_found_again(portraits):
    G, chart = portraits
    goals, w = drawn(G, 3)
    projection = Projection(G, goals, Plan(300), chart=chart)
    last = through(projection)
    assert last.unexplained.max() < 1e-2
    assert last.radius.min() > 0.7 and last.radius.max() < 1.01 * chart.natural
    widest = torch.linalg.svd(chart.axes)[0][:, :16]  # the first principal components of W
    away, true = ((x - chart.mean) @ widest for x in (projection.ws()[:, 0], w))
    assert ((away - true).norm(dim=1) / true.norm(dim=1)).max() < 0.25


@pytest.mark.parametrize("family", ["stylegan1", "stylegan2", "stylegan3"])
def test_every_family_and_a_class_of_a_conditional_model(family):
    G = tiny_generator(family, **({"c_dim": 3} if family == "stylegan2" else {}))
    goals, _ = drawn(G, 2)
    projection = Projection(G, goals, Plan(120), class_index=1 if G.c_dim else 0)
    left = through(projection).unexplained
    assert left.max() < 0.05
    place = projection.latents()[0]
    assert place.class_index == (1 if G.c_dim else 0)
    assert torch.allclose(draw(G, place), G.synthesis(projection.ws()[:1]), atol=1e-5)


def test_portraits_never_seen_are_of_this_world_and_a_photograph_and_noise_are_not(portraits):
    G, chart = portraits
    painted = iter(Portraits(size=64, seed=991))
    photo = data.astronaut()[4:260:4, 84:340:4]
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8)
    goals = goals_of([next(painted)[0], next(painted)[0], photo, noise])
    projection = Projection(G, goals, Plan(100), chart=chart)
    through(projection)
    assert [meters.strange for meters in projection.meters()] == [False, False, True, True]


# Kept ---------------------------------------------------------------------------------------------------------------------


def test_what_is_kept_draws_what_was_found_with_noise_and_weights(tiny, tmp_path):
    goals, _ = drawn(tiny, 2)
    goals = (goals + 0.2 * torch.randn(goals.shape, generator=torch.Generator().manual_seed(2))).clamp(-1, 1)
    projection = Projection(tiny, goals, WHOLE)
    through(projection)
    for n, place in enumerate(projection.latents()):
        assert place.noise and place.tuning and place.space == "w+"
        again = Latent.load(place.save(tmp_path / f"{n}.safetensors"))
        assert torch.equal(draw(tiny_generator("stylegan2"), again), draw(tiny, place))


@pytest.mark.parametrize("how", [{}, {"official": True}, {"crops": 2}], ids=["chart", "official", "crops"])
@pytest.mark.parametrize("at", [1, 3, 5, 15, 16, 20, 27, 31, 35])
def test_resumed_equals_uninterrupted_to_the_bit(tiny, at, how):
    goals, _ = drawn(tiny, 2)
    plan = Plan(steps=16, rows=8, noise=6, tune=4, **how)
    whole = Projection(tiny, goals, plan)
    last = through(whole)
    broken = Projection(tiny, goals, plan)
    for step in broken:
        if step.done == at:
            break
    resumed = Projection(tiny, goals, plan)
    resumed.resume({name: value.clone() for name, value in broken.state().items()})
    again = list(resumed)
    assert len(again) == last.of - at
    assert torch.equal(again[-1].loss, last.loss)
    for one, other in zip(whole.latents(), resumed.latents(), strict=True):
        assert one.space == other.space and torch.equal(one.data, other.data)
        for kept, taken_up in ((one.noise, other.noise), (one.tuning, other.tuning)):
            assert kept.keys() == taken_up.keys()
            assert all(torch.equal(a, b) for key in kept for a, b in zip(kept[key], taken_up[key], strict=True))


def test_a_state_of_other_pictures_is_refused(tiny):
    goals, _ = drawn(tiny, 2)
    with pytest.raises(KinesphereError, match="other pictures"):
        Projection(tiny, goals[:1], WHOLE).resume(Projection(tiny, goals, WHOLE).state())


# Rows, masks, noise, weights ----------------------------------------------------------------------------------------------


def test_rows_fit_at_least_as_well_and_the_editable_end_is_w_itself(tiny):
    goals, _ = drawn(tiny, 3)
    goals = goals.roll(3, dims=3)  # not of its world

    def left(faithful):
        projection = Projection(tiny, goals, Plan(40, rows=200, faithful=faithful))
        through(projection)
        return unexplained(tiny.synthesis(projection.ws()).detach(), goals), projection

    w, in_w = left(0.0)
    alone = Projection(tiny, goals, Plan(40))
    through(alone)
    assert torch.equal(in_w.ws(), alone.ws())
    assert [place.space for place in in_w.latents()] == ["w"] * 3
    middle, _ = left(0.5)
    faithful, in_rows = left(1.0)
    assert (faithful <= w).all() and faithful.mean() < middle.mean() < w.mean()
    assert [meters.editable for meters in in_w.meters()] == [1.0] * 3
    assert max(meters.editable for meters in in_rows.meters()) < 0.9


def test_what_lies_in_the_hole_has_no_part_in_what_is_found(tiny):
    goals, _ = drawn(tiny, 1)
    mask = torch.ones(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 0
    found = []
    for inside in (-1.0, 0.7):
        holed = torch.where(mask > 0, goals, torch.full_like(goals, inside))
        projection = Projection(tiny, holed, Plan(12, rows=4), masks=mask)
        through(projection)
        found.append(projection.ws())
    assert torch.equal(*found)


def test_no_gradient_comes_out_of_the_hole_through_any_crop(tiny):
    goals, _ = drawn(tiny, 1)
    mask = torch.ones(1, 1, 32, 32)
    mask[..., 8:20, 8:20] = 0
    projection = Projection(tiny, goals, Plan(1, crops=8), masks=mask)
    picture = torch.randn_like(goals).requires_grad_()
    (gradient,) = torch.autograd.grad(projection.closely_apart(picture, goals, mask).sum(), picture)
    hidden = (mask == 0).expand_as(gradient)
    assert (gradient[hidden] == 0).all() and (gradient[~hidden] != 0).float().mean() > 0.99


def test_tuning_cuts_the_error_five_times_and_leaves_others_nearly_as_they_were(portraits):
    G, chart = portraits
    goals = goals_of([next(iter(Portraits(size=64, seed=991)))[0]])
    projection = Projection(G, goals, Plan(100, tune=200), chart=chart)
    before = next(step for step in projection if step.stage == "w" and step.done == 100)
    through(projection)
    place = projection.latents()[0]
    after = unexplained(draw(G, place), goals)
    assert after < before.unexplained / 5
    others, w = drawn(G, 32, seed=3)
    moved = torch.cat([
        draw(G, Latent(each, "w", tuning=place.tuning)) for each in w
    ])  # fmt: skip
    assert unexplained(moved, others).mean() < 0.02
    assert (
        sum(up.numel() + down.numel() for up, down in place.tuning.values())
        < sum(p.numel() for p in G.parameters()) / 10
    )


def test_noise_maps_draw_what_no_latent_does_and_stay_noise(tiny):
    goals, _ = drawn(tiny, 1)
    goals = goals + 0.1 * torch.randn(goals.shape, generator=torch.Generator().manual_seed(4))
    without, within = (Projection(tiny, goals, Plan(20, noise=n)) for n in (0, 60))
    through(without)
    through(within)
    a, b = (unexplained(draw(tiny, p.latents()[0]), goals) for p in (without, within))
    assert b < a
    for noise in within.latents()[0].noise.values():
        assert noise.mean().abs() < 1e-5 and noise.square().mean() == pytest.approx(1, abs=1e-4)


def test_of_a_model_with_noise_the_maps_alone_explain_more_and_the_file_draws_the_same_pixels(tmp_path):
    G = checkpoints.load(FIXTURES / "sg2ada_skip64.pkl").G_ema
    assert (
        min(abs(float(layer.noise_strength)) for layer in G.layers().values() if hasattr(layer, "noise_strength")) > 0.1
    )
    dice = torch.Generator().manual_seed(6)
    other = {name: torch.randn(own.shape, generator=dice) for name, own in stages.noisy(G).items()}
    goals = draw(G, Latent(torch.randn(G.w_dim, generator=dice), "w", noise=other))
    projection = Projection(G, goals, Plan(60, noise=100))
    steps = list(projection)
    found = projection.ws()[:, 0]
    before, after = steps[59].unexplained, steps[-1].unexplained
    assert [step.stage for step in (steps[59], steps[60], steps[-1])] == ["w", "noise", "noise"]
    assert after < before / 2
    place = projection.latents()[0]
    assert place.space == "w" and torch.equal(place.data, found[0])
    kept = place.save(tmp_path / "me.safetensors")
    again = checkpoints.load(FIXTURES / "sg2ada_skip64.pkl").G_ema
    assert torch.equal(to_pixels(draw(again, Latent.load(kept))), to_pixels(draw(G, place)))
    assert unexplained(draw(again, Latent.load(kept)), goals) < before / 2


# The published schedule ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "rate", "spread"), [(0, 0, 0.05), (0.05, 1, 0.05 * (14 / 15) ** 2), (0.5, 1, 0.05 / 9), (0.75, 1, 0)]
)
def test_the_published_schedule_is_its_closed_form(t, rate, spread):
    assert stages.rate(t) == pytest.approx(rate)
    assert stages.spread(t) == pytest.approx(spread, abs=1e-12)


def test_the_published_schedule_ends_in_rest():
    assert stages.rate(1) == 0 and stages.spread(1) == 0
    assert stages.rate(0.875) == pytest.approx(0.5)


def test_a_map_that_is_all_alike_is_least_like_noise():
    assert stages.likeness_to_itself(torch.ones(1, 1, 32, 32)) == pytest.approx(2 * 3)  # both axes, at 32, 16 and 8 px
    white = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    assert stages.likeness_to_itself(white) < 0.2
    waves = torch.cos(2 * math.pi * torch.arange(32) / 8).expand(1, 1, 32, 32) * math.sqrt(2)
    at_32 = math.cos(2 * math.pi / 8) ** 2 + 1
    assert stages.likeness_to_itself(waves) > at_32


def test_nothing_but_the_prior_holds_a_latent_back_where_the_models_own_are(tiny):
    p = Projection(tiny, drawn(tiny, 1)[0])
    out = torch.zeros(1, 1, tiny.w_dim)
    out[..., 0] = p.chart.rank**0.5  # radius 1
    r = p.chart.natural
    inside, outside = (float(stages.off_map(p.chart, out * r * times)) / (r * times) ** 2 for times in (0.999, 1.1))
    assert inside == pytest.approx(stages.PRIOR, rel=1e-4)
    assert outside == pytest.approx(stages.PRIOR + stages.HINGE * (1 - 1.1**-2), rel=1e-4)


def test_crops_are_other_squares_in_each_step_and_the_finer_detail_counts_in_them(tiny):
    goals, _ = drawn(tiny, 1)
    grain = 0.3 * (
        1 - 2 * ((torch.arange(32)[:, None] + torch.arange(32)) % 2)
    )  # single pixels, averaged away at 16 px
    seen = []

    def coarse(a, b):  # sees 16 px at most, as a network may
        a, b = (torch.nn.functional.interpolate(x, (16, 16), mode="area") for x in (a, b))
        seen.append(b)
        return (a - b).abs().mean((1, 2, 3))

    projection = Projection(tiny, goals, Plan(4, crops=3, search=False), coarse)
    assert projection.apart(goals + grain, goals, projection.masks) < 1e-6
    assert projection.closely_apart(goals + grain, goals, projection.masks) > 1e-3
    seen.clear()
    through(projection)
    squares = [b for b in seen if not torch.equal(b, seen[0])]
    assert len(squares) == 4 * 3 == len({square.numpy().tobytes() for square in squares})


# In words -----------------------------------------------------------------------------------------------------------------


def test_unexplained_is_the_part_of_the_variance_that_is_left():
    goal = torch.randn(2, 3, 8, 8)
    assert torch.equal(unexplained(goal, goal), torch.zeros(2))
    plain = goal.mean((2, 3), keepdim=True).expand_as(goal)
    assert torch.allclose(unexplained(plain, goal), torch.ones(2), atol=1e-5)
    assert nearness(goal, goal).sum() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": -1}, "steps -1: give 0 or more"),
        ({"crops": -1}, "crops -1: give 0"),
        ({"faithful": 1.2}, "0 .editable. to 1 .faithful."),
    ],
)
def test_a_plan_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(KinesphereError, match=words):
        Plan(**arguments)


def test_pictures_of_another_size_are_refused(tiny):
    with pytest.raises(KinesphereError, match=r"needed are \[N, 3, 32, 32\]"):
        Projection(tiny, torch.zeros(1, 3, 16, 16))
    with pytest.raises(KinesphereError, match="masks"):
        Projection(tiny, torch.zeros(1, 3, 32, 32), masks=torch.ones(32, 32))
