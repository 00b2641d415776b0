"""Models of others: found, read and refused; never fetched, and nothing in them executed."""

import json
import pickle
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pretrained
import pytest
import torch
import torch.nn.functional as F
import transformers
from pretrained import saved, tiny
from safetensors.torch import load_file, save_file

from kinesphere.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing, said
from kinesphere.features.pretrained import KNOWN, Known, described, load
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever opens a connection, or asks for an address, fails the test, whatever is made of the error."""
    asked = []

    def refused(*args, **kwargs):
        asked.append(args)
        raise OSError("the network was asked for")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)  # it is the code that must not ask, not a switch
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    yield
    assert not asked


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty local cache of Hugging Face."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The folder of a tiny DINOv2."""
    folder = tmp_path_factory.mktemp("good") / "dino"
    saved(tiny("dinov2"), folder)
    return folder


@pytest.fixture
def folder(good, tmp_path):
    """A copy of it that a test may spoil."""
    spoilt = tmp_path / "dino"
    spoilt.mkdir()
    for file in good.iterdir():
        (spoilt / file.name).write_bytes(file.read_bytes())
    return spoilt


def change(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


# Found and read


@pytest.mark.parametrize("name", pretrained.CONFIGS)
def test_a_folder_is_read_as_transformers_reads_it(name, tmp_path):
    task, kind = {
        "depth": ("depth", "ForDepthEstimation"),
        "segformer": ("segmentation", "ForSemanticSegmentation"),
    }.get(name, ("features", "Model"))
    model = tiny(name, kind)
    eye = load(saved(model, tmp_path / name, size=64), task, None)
    read = eye.model.state_dict()
    assert set(read) == set(model.state_dict()) and not eye.model.training
    for key, x in model.state_dict().items():
        torch.testing.assert_close(read[key].cpu(), x, rtol=0, atol=0)
    assert not any(p.requires_grad for p in eye.model.parameters())


def test_weights_in_several_files_and_in_half_precision(folder, good):
    state = {key: x.half() for key, x in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    names, weight_map = sorted(state), {}
    for part, keys in enumerate((names[:20], names[20:])):
        save_file({key: state[key] for key in keys}, folder / f"model-{part}.safetensors")
        weight_map |= dict.fromkeys(keys, f"model-{part}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    read, whole = (load(str(path), "features", None).model.state_dict() for path in (folder, good))
    for key, x in whole.items():
        assert read[key].dtype == torch.float32
        torch.testing.assert_close(read[key], x, rtol=1e-3, atol=1e-4)


def test_the_eye_is_taken_out_of_a_model_that_names_things(tmp_path):
    """A classifier's folder serves as a back bone, without its head; so does the eye of a model of pictures and words."""
    model = tiny("vit", "ForImageClassification")
    eye = load(saved(model, tmp_path / "vit", size=32), "features", None)
    torch.testing.assert_close(eye.model.layernorm.weight, model.vit.layernorm.weight)
    vision = dict(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    words = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=99)
    both = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=words, vision_config=vision, projection_dim=8)
    ).eval()
    eye = load(saved(both, tmp_path / "clip", size=32), "features", None)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = both.vision_model(eye.preprocessing.normalised(x)).last_hidden_state
        torch.testing.assert_close(eye(x, 32).last_hidden_state.cpu(), expected)


def test_a_name_is_found_in_the_local_cache(cache, good):
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = cache / "models--someone--tiny" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in good.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (cache / "models--someone--tiny" / "refs").mkdir()
    (cache / "models--someone--tiny" / "refs" / "main").write_text(commit)
    assert load("someone/tiny", "features", None).config.hidden_size == pretrained.DINO["hidden_size"]
    (cache / "models--someone--tiny" / "refs" / "main").write_text("../../../elsewhere")
    with pytest.raises(KinesphereError, match="not on this machine"):
        load("someone/tiny", "features", None)


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_not_there_says_what_to_fetch_and_where_to_put_it(name, cache):
    with pytest.raises(KinesphereError) as refused:
        load(None, "features", name)
    words = str(refused.value)
    assert f"hf download {name} config.json preprocessor_config.json model.safetensors" in words
    assert str(cache) in words and f"{KNOWN[name].megabytes} MB" in words and "nothing is fetched unasked" in words
    assert f"--local-dir {name.rpartition('/')[2]}" in words and "random:0" in words


def test_untrained_weights_are_the_same_for_a_seed(monkeypatch):
    monkeypatch.setitem(KNOWN, "facebook/dinov2-small", Known(0, {"model_type": "dinov2", **pretrained.DINO}))
    before = torch.random.get_rng_state()
    one, again, other = (load(f"random:{seed}", "features", "facebook/dinov2-small").model for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)  # nobody else's chance is touched
    kernel = "embeddings.patch_embeddings.projection.weight"
    one, again, other = (model.state_dict()[kernel] for model in (one, again, other))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert float(one.std()) == pytest.approx(np.sqrt(2 / (3 * 14 * 14)), rel=0.05)  # He et al. 2015


@pytest.mark.parametrize("name, megabytes", [(name, known.megabytes) for name, known in KNOWN.items()])
def test_the_megabytes_that_are_named_are_those_of_the_weights(name, megabytes):
    task = {"depth_anything": "depth", "segformer": "segmentation", "dinov2": "features"}
    cls, config = described(
        transformers, KNOWN[name].config, task.get(KNOWN[name].config["model_type"], "classification")
    )
    with torch.device("meta"):
        numbers = sum(p.numel() for p in cls(config).parameters())
    assert megabytes == pytest.approx(4e-6 * numbers, rel=0.05, abs=0.5)


# Refused


@pytest.mark.parametrize(
    "name",
    [
        "nowhere",
        "no/such/folder",
        "https://example.org/model",
        "a b/c",
        "..",
        "/dev/null",
        "~nobody-here/x",
        "a" * 5000,
    ],
)
def test_a_name_that_is_none_is_refused(name, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "..")
    with pytest.raises(KinesphereError, match=r"no such folder|config\.json|a file|called so"):
        load(name, "features", None)


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (Path.write_text, (Path(self.path), "executed"))


@pytest.mark.parametrize("file", ["pytorch_model.bin", "model.pt", "model.pth", "training_args.bin", "tf_model.h5"])
def test_pickled_weights_are_never_read(file, folder, tmp_path):
    (folder / "model.safetensors").unlink()
    (folder / file).write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
    with pytest.raises(
        KinesphereError, match=f"{re.escape(file)}.*may hold code.*--revision refs/pr/.*weights_only=True"
    ):
        load(str(folder), "features", None)
    assert not (tmp_path / "executed").exists()


def test_the_way_out_of_a_pickle_works(folder, good, tmp_path):
    """The command that the refusal names, run on a harmless file and on one that is not."""
    import subprocess

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(KinesphereError) as refused:
        load(str(folder), "features", None)
    code = re.search(r'python -c "(.*)" pytorch_model.bin', str(refused.value)).group(1)
    subprocess.run([sys.executable, "-c", code, "pytorch_model.bin"], cwd=folder, check=True)
    assert load(str(folder), "features", None).config.model_type == "dinov2"
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
    done = subprocess.run([sys.executable, "-c", code, "pytorch_model.bin"], cwd=folder, capture_output=True)
    assert done.returncode and not (tmp_path / "executed").exists()


def test_code_in_a_folder_is_never_run(folder, tmp_path):
    mark = tmp_path / "executed"
    (folder / "modeling.py").write_text(f"open({str(mark)!r}, 'w')\nclass Model: pass")
    change(folder, auto_map={"AutoModel": "modeling.Model", "AutoConfig": "modeling.Config"})
    with pytest.raises(KinesphereError, match="auto_map.*never run"):
        load(str(folder), "features", None)
    assert not mark.exists()


def test_code_that_is_chosen_by_a_name_is_not_chosen(folder, good):
    """Kernels, quantisers and adapters that transformers would fetch by a name in the folder."""
    change(folder, _attn_implementation="someone/kernel", attn_implementation="someone/kernel", dtype="float16")
    change(
        folder,
        fusion_config={"patch_embeddings": True},
        kernel_config={"a": "b"},
        transformers_weights="../a.safetensors",
    )
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "someone/else"}))
    read, whole = (load(str(path), "features", None) for path in (folder, good))
    x = torch.rand(1, 3, 28, 28)
    torch.testing.assert_close(read(x, 28).last_hidden_state, whole(x, 28).last_hidden_state)


@pytest.mark.parametrize(
    "fields, words",
    [
        (dict(hidden_size=10**9), "more than 1048576 is more than any network needs"),
        (dict(hidden_size=2**19, num_attention_heads=1), "far larger network than its weights"),
        (dict(num_hidden_layers=4096), "far larger network than its weights"),
        (dict(num_hidden_layers=4097), "num_hidden_layers 4097: more than 4096"),
        (dict(num_labels=10**9), "num_labels 1000000000"),
        (dict(image_size=10**6), "image_size 1000000: more than 8192"),
        (dict(image_size=[10**6, 10**6]), "image_size 1000000"),
        (dict(layer_norm_eps=float("inf")), "layer_norm_eps inf"),
        (dict(model_type="perceptron"), "'perceptron' model, which transformers .* does not know"),
        (dict(model_type=["dinov2"]), "does not know"),
        (dict(model_type="bert"), "no features of a picture"),
        (dict(model_type="timm_wrapper", architecture="resnet18"), "config.json|does not fit|timm"),
        (dict(quantization_config={"quant_method": "gptq"}), "quantised"),
        (dict(backbone="someone/else", use_pretrained_backbone=True), "from elsewhere"),
        (dict(backbone_config={"use_timm_backbone": True}), "from elsewhere"),
        (dict(backbone_config={"auto_map": {"AutoModel": "a.B"}}), "auto_map"),
        (dict(hidden_size=32, num_attention_heads=2), "weights do not fit its config.json"),
        (dict(hidden_size="wide"), "does not describe a network"),
        (dict(hidden_act="exec"), "does not describe a network"),
        (dict(num_hidden_layers=4), "lack .* tensors, first 'encoder.layer.3"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused_in_words(fields, words, folder):
    change(folder, **fields)
    with pytest.raises(KinesphereError, match=words):
        load(str(folder), "features", None)


def test_a_configuration_is_a_small_table(folder):
    path = folder / "config.json"
    for text, words in [
        ("no json", "not JSON"),
        ("[1, 2]", "no table"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 40 + "1" + "}" * 40, "more than 16 deep"),
        (" " * 17_000_000, "16777216 are the limit"),
    ]:
        path.write_text(text)
        with pytest.raises(KinesphereError, match=words):
            load(str(folder), "features", None)
    path.unlink()
    with pytest.raises(KinesphereError, match="no config.json in it"):
        load(str(folder), "features", None)


def test_weights_that_are_none_are_refused(folder):
    path, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"\xff" * 64, pickle.dumps({"a": 1})):
        path.write_bytes(content)
        with pytest.raises(KinesphereError, match=r"model\.safetensors cannot be read"):
            load(str(folder), "features", None)
    path.unlink()
    with pytest.raises(KinesphereError, match="no model.safetensors in it: fetch it whole, with hf download"):
        load(str(folder), "features", None)
    for names, words in (
        (["../../secret.safetensors"], "outside the folder"),
        (["/etc/passwd"], "outside the folder"),
        (["pytorch_model.bin"], "outside the folder"),
        (["absent.safetensors"], "absent.safetensors is missing"),
    ):
        index.write_text(json.dumps({"weight_map": {f"a{i}": name for i, name in enumerate(names)}}))
        with pytest.raises(KinesphereError, match=words):
            load(str(folder), "features", None)
    index.write_text("{}")
    with pytest.raises(KinesphereError, match="names no files"):
        load(str(folder), "features", None)


def test_the_wrong_task_is_refused(good):
    with pytest.raises(KinesphereError, match="'dinov2' model, which has no depth of a picture to give"):
        load(str(good), "depth", None)


def test_without_the_library_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(KinesphereError, match=r"pip install 'kinesphere\[semantics\]'"):
        load(None, "features", "facebook/dinov2-small")


# How it wants to see a picture


SIDES = {"size": {"height": 48, "width": 48}}
PROCESSORS = [
    ("bit", "BitImageProcessorPil", dict(size={"shortest_edge": 64}, crop_size={"height": 48, "width": 48}, resample=3)),
    ("vit", "ViTImageProcessorPil", dict(SIDES, image_mean=[0.5] * 3, image_std=[0.5] * 3)),
    ("efficientnet", "EfficientNetImageProcessorPil", dict(SIDES, image_mean=IMAGENET_MEAN, image_std=[0.4785, 0.4733, 0.4743])),
    ("mobilenet_v2", "MobileNetV2ImageProcessorPil", dict(size={"shortest_edge": 56}, crop_size={"height": 48, "width": 48})),
    ("segformer", "SegformerImageProcessorPil", dict(SIDES)),
    ("dpt", "DPTImageProcessorPil", dict(SIDES, image_mean=IMAGENET_MEAN, image_std=IMAGENET_STD)),
]  # fmt: skip


@pytest.mark.parametrize("family, name, settings", PROCESSORS)
def test_a_picture_is_prepared_as_transformers_own_processor_prepares_it(family, name, settings):
    import importlib

    module = importlib.import_module(f"transformers.models.{family}.image_processing_pil_{family}")
    processor = getattr(module, name)(**settings)
    mine = said(json.loads(processor.to_json_string()))
    assert mine.size == 48
    picture = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    theirs = processor(picture, return_tensors="pt", do_resize=False)["pixel_values"]
    x = torch.from_numpy(picture).permute(2, 0, 1)[None]
    torch.testing.assert_close(mine.normalised(mine.resized(x, 48, 48)), theirs.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("number, name, levels", [(2, "BILINEAR", 1), (3, "BICUBIC", 2), (0, "NEAREST", 0)])
@pytest.mark.parametrize("to", [(20, 33), (120, 200)])
def test_resizing_is_pillows(number, name, levels, to):
    from PIL import Image

    smooth = torch.rand(1, 3, 12, 18, generator=torch.Generator().manual_seed(0))
    picture = (F.interpolate(smooth, (60, 100), mode="bilinear")[0].permute(1, 2, 0) * 255).byte().numpy()
    theirs = np.asarray(Image.fromarray(picture).resize(to[::-1], getattr(Image.Resampling, name)))
    mine = said({"resample": number}).resized(torch.from_numpy(picture).permute(2, 0, 1)[None], *to)[0].permute(1, 2, 0)
    assert np.abs(mine.numpy() * 255 - theirs).max() <= levels + 1e-3  # of grey: Pillow rounds in between


def test_what_a_folder_says_of_pictures_is_checked(folder):
    for said_, words in [
        ({"image_mean": [0.5]}, "three numbers"),
        ({"image_mean": ["a", 1, 2]}, "no number"),
        ({"image_std": [0, 1, 1]}, "above 0"),
        ({"size": 10**9}, "16 to 4096"),
        ({"size": {"width": 7}}, "no number"),
        ({"rescale_factor": "2"}, "no number"),
    ]:
        (folder / "preprocessor_config.json").write_text(json.dumps(said_))
        with pytest.raises(KinesphereError, match=words):
            load(str(folder), "features", None)


def test_a_family_that_is_known_needs_no_preprocessor_file_and_another_does(good, tmp_path):
    assert load(str(good), "features", None).preprocessing == Preprocessing(interpolation="bicubic")
    with pytest.raises(KinesphereError, match=r"no preprocessor_config\.json.*fetch that file too"):
        load(saved(tiny("vit"), tmp_path / "vit"), "features", None)


def test_a_wide_picture_is_shown_wide(good):
    eye = load(str(good), "features", None)
    assert eye.step == 14 and eye.shape(360, 640, 224) == (126, 224) and eye.shape(640, 360, 56) == (56, 28)
    assert eye.shape(1000, 10, 56) == (56, 14)
