"""Pictures of one's own, from files to latents: what cannot be read is said, and nothing that was begun is lost."""

import json

import av
import numpy as np
import pytest
import torch
from conftest import tiny_generator
from PIL import Image

from kinesphere import __version__, checkpoints
from kinesphere.sinks import VideoFile
from kinesphere.studio import albums, batch, encoder, prints, recipes
from kinesphere.studio.albums import Album
from kinesphere.studio.batch import Batch
from kinesphere.studio.latents import Latent
from kinesphere.studio.projection import Plan
from kinesphere.types import KinesphereError

SHORT = Plan(steps=20, rows=6)


@pytest.fixture(scope="module", autouse=True)
def calm(one_thread):
    yield


@pytest.fixture
def folder(tmp_path, tiny):
    """Two pictures that the model made, a broken one, and one that is no picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in (3, 4):
        picture = recipes.Recipe("tiny", None, "seed", {"seed": seed, "psi": 0.7}).draw(tiny)
        Image.fromarray(picture).resize((96, 64)).save(folder / f"{seed}.png")
    (folder / "broken.jpg").write_bytes((folder / "3.png").read_bytes()[:200])
    (folder / "notes.txt").write_text("hello")
    return folder


def projected(G, folder, out, plan=SHORT, **more):
    return dict(Album(G, "some/tiny.safetensors", out, plan, **more).project(albums.paths([folder])))


def said_of(film):
    """What an MP4 says of how it was made."""
    with av.open(str(film)) as opened:
        return json.loads(opened.metadata["comment"])


def test_a_folder_is_projected_and_what_cannot_be_read_is_said(tiny, folder, tmp_path):
    found = projected(tiny, folder, tmp_path / "out", film=True)
    assert set(found) == {"3", "4", "broken.jpg"}
    assert "damaged" in found["broken.jpg"] or "not a picture" in found["broken.jpg"]
    for name in ("3", "4"):
        place = Latent.load(found[name].latent)
        shown = np.asarray(Image.open(tmp_path / "out" / f"{name}.png"))
        G = tiny_generator("stylegan2")
        assert np.array_equal(recipes.read(tmp_path / "out" / f"{name}.png").draw(G), shown)
        assert place.origin["picture"] == name
        assert "unfinished" not in " ".join(path.name for path in (tmp_path / "out").iterdir())
        assert said_of(tmp_path / "out" / f"{name}.mp4") == {
            "kinesphere": __version__,
            "model": {"name": "tiny.safetensors", "whole": place.model.whole},
            "latent": f"{name}.safetensors",
            **place.origin,
        }
        high, wide, _ = np.asarray(Image.open(found[name].sheet)).shape
        assert wide > 3 * high  # four tiles side by side


def test_broken_off_it_goes_on_from_there_to_the_same_end(tiny, folder, tmp_path):
    whole = projected(tiny, folder, tmp_path / "whole", film=True)
    done = []

    def stop(step, of):
        done.append(step)
        if len(done) == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Album(tiny, "tiny.safetensors", tmp_path / "out", SHORT, film=True).project(albums.paths([folder]), stop))
    done.clear()
    again = dict(
        Album(tiny, "tiny.safetensors", tmp_path / "out", SHORT, film=True).project(
            albums.paths([folder]), lambda step, of: done.append(step)
        )
    )
    assert done[0] == 14
    for name in ("3", "4"):
        one, other = (Latent.load(each[name].latent) for each in (whole, again))
        assert torch.equal(one.data, other.data)
        assert (tmp_path / "whole" / f"{name}.mp4").read_bytes() == (tmp_path / "out" / f"{name}.mp4").read_bytes()
        pictures = [np.asarray(Image.open(each[name].sheet)) for each in (whole, again)]
        assert np.array_equal(*pictures)


def test_what_was_kept_of_another_plan_or_is_damaged_does_not_disturb(tiny, folder, tmp_path):
    picture = np.asarray(Image.open(folder / "3.png").resize((32, 32)))

    def begun(plan):
        return Batch(tiny, "tiny", {"3": picture}, tmp_path, plan)

    one = begun(SHORT)
    one._keep()
    assert begun(Plan(steps=21)).unfinished != one.unfinished
    one.unfinished.write_bytes(b"damaged")
    assert begun(SHORT).projection.done == 0
    assert len(begun(SHORT).run()) == 1


def test_a_mask_leaves_what_is_black_to_the_model(tiny, folder, tmp_path):
    mask = np.full((32, 32), 255, np.uint8)
    mask[10:20, 10:20] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    album = Album(tiny, "tiny", tmp_path / "out", SHORT, mask=tmp_path / "mask.png")
    assert album.mask[15, 15] == 0 and album.mask[2, 2] == 1
    for _ in album.project([folder / "3.png"]):
        pass
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(KinesphereError, match=r"black.png is black"):
        Album(tiny, "tiny", tmp_path / "out", SHORT, mask=tmp_path / "black.png")


class Knows:
    """An encoder that guesses one w, whatever it is shown; and what that was."""

    def __init__(self, w):
        self.w, self.shown = w, []

    def __call__(self, img):
        self.shown.append(img)
        return self.w.expand(len(img), -1)

    def to(self, device):
        return self

    def state_dict(self):
        return {"w": self.w}


@pytest.fixture
def own(tmp_path):
    """A model, a picture that it made, and its w."""
    G = checkpoints.load("portraits").G_ema
    folder = tmp_path / "own"
    folder.mkdir()
    Image.fromarray(recipes.Recipe("portraits", None, "seed", {"seed": 3, "psi": 1.0}).draw(G)).save(folder / "3.png")
    return G, folder, Latent.of_seed(G, 3).data[None]


@pytest.fixture
def likeness(own, monkeypatch):
    """Of what is found in so many steps, where an encoder guesses so."""

    def found(out, steps, w):
        G, folder, _ = own
        monkeypatch.setattr(encoder, "chosen", lambda *what: None if w is None else Knows(w))
        return projected(G, folder, out, Plan(steps=steps))["3"].meters.likeness

    return found


def test_a_guess_is_one_of_the_beginnings(own, likeness, tmp_path):
    lost = likeness(tmp_path / "lost", 8, None)
    assert likeness(tmp_path / "told", 8, own[2]) > max(0.8, lost)


def test_a_guess_that_is_worse_than_the_others_is_left(own, likeness, tmp_path):
    assert likeness(tmp_path / "found", 40, torch.full_like(own[2], 40.0)) > 0.9


def test_an_encoder_is_shown_nothing_of_what_does_not_count():
    goals, masks = torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    masks[..., 8:20, 8:20] = 0
    other = goals.clone()
    other[..., 8:20, 8:20] = -1
    assert torch.allclose(batch.shown(goals, masks), batch.shown(other, masks), atol=1e-6)
    assert torch.equal(batch.shown(goals, None), goals)
    assert torch.equal(batch.shown(goals, masks)[..., :8, :], goals[..., :8, :])


def test_no_two_pictures_share_a_name_and_what_is_not_there_is_said(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "3.jpg").write_bytes(b"")
    with pytest.raises(KinesphereError, match="under one name"):
        albums.paths([folder, tmp_path / "other"])
    with pytest.raises(KinesphereError, match="no file or folder"):
        albums.paths([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(KinesphereError, match="no picture in"):
        albums.paths([tmp_path / "empty"])


def test_what_there_is_not_is_refused_with_what_there_is(tiny, tiny_checkpoint, tmp_path):
    with pytest.raises(KinesphereError, match="middle .*face .*best"):
        Album(tiny, "tiny", tmp_path, SHORT, align="ears")
    with pytest.raises(KinesphereError, match="pixels, judged, vgg, lpips"):
        albums.distance("eyes", tiny_checkpoint, None, None)
    with pytest.raises(KinesphereError, match="--vgg FILE and --lpips FILE"):
        albums.distance("lpips", tiny_checkpoint, None, None)


def test_what_the_discriminator_sees_may_count(tiny_checkpoint):
    judged = albums.distance("judged", tiny_checkpoint, None, None)
    a, b = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
    assert (judged(a, b) > albums.distance("pixels", tiny_checkpoint, None, None)(a, b)).all()
    assert judged(a, a).abs().max() < 1e-5


def test_grey_and_transparent_models_take_pictures_too():
    for channels in (1, 4):
        G = tiny_generator("stylegan2", img_channels=channels)
        goal = batch.as_goal(np.full((32, 32, 3), 255, np.uint8), G)
        assert goal.shape == (1, channels, 32, 32) and goal.min() == 1


# Prints -------------------------------------------------------------------------------------------------------------------


def test_the_graph_falls_as_what_is_left_does():
    picture = prints.graph([10 ** (-i / 25) for i in range(100)], [("search", 0.0), ("w", 50.0)], 256)
    bright = (picture == prints.LINE).all(-1)
    columns = [np.flatnonzero(bright[:, x]).mean() for x in np.flatnonzero(bright.any(0))]
    assert (np.diff(columns) >= 0).mean() > 0.95 and columns[-1] - columns[0] > 100


def test_a_film_of_the_way_looks_often_at_first_and_ends_at_the_end(tmp_path):
    looks = prints.looks(1000)
    assert looks[:4] == [0, 1, 2, 3] and looks[-1] == 1000 and len(looks) <= prints.FILM_FRAMES
    goal = np.zeros((64, 64, 3), np.uint8)
    path = prints.film(goal, [goal] * 5, tmp_path / "way.mp4")
    assert path.stat().st_size > 0 and VideoFile(path, overwrite=True)
