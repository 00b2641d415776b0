"""The patches that come with Kinesphere: each plays, and what is done before the camera is seen in the picture."""

from fractions import Fraction
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from kinesphere import checkpoints, patch
from kinesphere.engine import Engine, render
from kinesphere.features import Depth
from kinesphere.features.keypoints import Measuring
from kinesphere.patch import BadPatch
from kinesphere.sinks import Null
from kinesphere.sources import Video
from kinesphere.studio.directions import Axis
from kinesphere.studio.directions.pca import component
from kinesphere.train.judge import load_judge

pytestmark = pytest.mark.usefixtures("one_thread")
CLIP = Path(str(resources.files("kinesphere.builtin") / "clip.mp4"))
SG3 = Path(__file__).parent / "fixtures" / "sg3r_64.pkl"
FPS, FRAMES = Fraction(5), 15
QUIET = {  # what nothing in this rehearsal moves: the clip's camera stands still, and a network of random weights sees no depth
    "flow": {"bends.camera.rotate", "bends.camera.zoom"},
    "depth": {"latent.psi"},
}


@pytest.fixture(scope="module")
def portraits():
    return checkpoints.load("portraits")


def rehearsed(name, tmp_path):
    """A built-in patch before the built-in clip; hands, bodies and faces are synthetic, the network for depth is a tiny one."""
    played = patch.load(name)
    played.sources = {place: Video(CLIP) for place in played.sources}
    played.sinks = {"nowhere": Null()}
    for feature in played.features.values():
        if isinstance(feature, Measuring):
            feature.tracker = "synthetic"
        if isinstance(feature, Depth):
            pretrained = pytest.importorskip("pretrained", reason="depth needs transformers")
            feature.weights = pretrained.saved(pretrained.tiny("depth", "ForDepthEstimation"), tmp_path / "depth")
    return played


@pytest.mark.parametrize("name", patch.builtin_names())
def test_a_patch_plays_and_its_picture_moves(name, portraits, tmp_path):
    checkpoint = checkpoints.load(SG3) if name == "turn" else portraits
    engine = Engine(rehearsed(name, tmp_path), checkpoint)
    frames, numbers = [], []

    def keep(done):
        frames.append(engine.frame.astype(float))
        numbers.append(dict(engine.numbers))

    render(engine, FRAMES, FPS, keep)  # raises where a station fails
    film = np.stack(frames[3:])
    assert np.ptp(film, axis=0).mean() > 0.2 * film.std((1, 2)).mean()  # it is not a still
    still = {place for place in numbers[0] if np.ptp([n[place] for n in numbers]) == 0}
    assert still <= QUIET.get(name, set())
    for place, route in engine.now.routes():
        low, high = sorted((route.low, route.high))
        assert all(low - 1e-9 <= n[place] <= high + 1e-9 for n in numbers), place


def followed(name, portraits, tmp_path):
    """For ten seconds, after the first: what the routes of a patch say, by place, and its pictures [N, 3, H, W]."""
    engine, frames, numbers = Engine(rehearsed(name, tmp_path), portraits), [], []
    render(engine, 110, Fraction(10), lambda done: (frames.append(engine.frame), numbers.append(engine.numbers)))
    said = {place: np.array([n[place] for n in numbers[10:]]) for place in numbers[0]}
    return said, torch.from_numpy(np.stack(frames[10:])).permute(0, 3, 1, 2)


def test_the_portrait_smiles_and_turns_when_the_face_does(portraits, tmp_path):
    """As the judge of drawn portraits sees it, whose numbers are of the picture alone."""
    said, pictures = followed("smile", portraits, tmp_path)
    seen = load_judge().factors(pictures)
    for factor, least in (("smile", 0.75), ("turn", 0.9)):
        asked = said[f"latent.directions.{factor}.amount"]
        assert np.corrcoef(asked, seen[factor])[0, 1] > least, factor


def test_two_fingers_move_the_first_component_alone(portraits, tmp_path):
    engine = Engine(rehearsed("pinch", tmp_path), portraits)
    axis, moved = Axis.of(portraits.G_ema, component(portraits.G_ema, 1)), []
    render(engine, 60, FPS, lambda done: moved.append((engine.ws, engine.numbers["latent.directions.pc1.amount"])))
    start, first = moved[0]
    for ws, amount in moved:
        torch.testing.assert_close(ws - start, ((amount - first) * axis.step).expand_as(ws), atol=1e-4, rtol=1e-4)
    pinched = engine.moment.features["hand"].number("pinch")
    assert moved[-1][1] == pytest.approx(-3 + 6 * pinched, abs=0.5)


def test_the_input_of_a_stylegan2_cannot_be_turned_and_the_way_out_is_said(portraits, tmp_path):
    with pytest.raises(BadPatch, match="bends.turn: .*warp"):
        Engine(rehearsed("turn", tmp_path), portraits)


def test_the_five_modes_of_the_paper_are_there():
    """Scene to rows, regions to rows, hand to the constant and the place, fingers to directions, a game of discs to psi."""
    assert {"scene", "regions", "hand", "fingers", "discs"} <= set(patch.builtin_names())
    assert {*patch.load("regions").latent.rows} == {"coarse", "middle", "fine"}
    assert {bend.function.__name__ for bend in patch.load("hand").bends.values()} == {"warp", "const"}
    assert [*patch.load("fingers").latent.directions] == ["pc1", "pc2", "pc3", "pc4", "pc5"]
    assert patch.load("discs").latent.psi.feature == "discs.energy"
