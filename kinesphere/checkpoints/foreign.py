"""What a file seems to be when it is no StyleGAN that we play, in words, and what would help."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from kinesphere.checkpoints.rules import shown
from kinesphere.checkpoints.torchfile import Contents, TensorRef
from kinesphere.checkpoints.tree import ArrayRef, Node

LOOKED_AT = 4096  # bytes at the beginning

BEGINNINGS: list[tuple[bytes, str]] = [
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: run 'git lfs pull', or download the file from its page"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, or a data set), not a StyleGAN checkpoint"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture, not a checkpoint"),
    (b"\xff\xd8\xff", "a JPEG picture, not a checkpoint"),
    (b"GIF8", "a GIF picture, not a checkpoint"),
    (b"%PDF", "a PDF document, not a checkpoint"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive: unpack it and load what is inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it and load what is inside"),
    (b"Rar!", "a RAR archive: unpack it and load what is inside"),
    (b"BZh", "a bzip2 archive: unpack it and load what is inside"),
    (b"\xfd7zXZ", "an xz archive: unpack it and load what is inside"),
    (b"\x93NUMPY", "a NumPy array (a latent or a direction?), not a checkpoint"),
    (b"GGUF", "a GGUF language model, not a StyleGAN checkpoint"),
    (b"\x7fELF", "a program, not a checkpoint"),
    (b"MZ", "a program, not a checkpoint"),
]  # fmt: skip


def by_beginning(data: memoryview) -> str | None:
    """What the first bytes say, in words; None when they may be a checkpoint."""
    head = bytes(data[:LOOKED_AT])
    if not head:
        return "an empty file: download or copy it again"
    for beginning, words in BEGINNINGS:
        if head.startswith(beginning):
            return words
    if head[4:8] == b"ftyp":
        return "a video or a phone's picture, not a checkpoint"
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return "a picture, sound or video, not a checkpoint"
    if head[257:262] == b"ustar":
        return "a tar archive: unpack it and load what is inside"
    return by_text(head)


def by_text(head: bytes) -> str | None:
    """Web pages and other text. Pickles of the protocols that are read begin with a byte that text has not."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) or b"<html" in start:
        return (
            "a web page, probably an error or a download form: open the address in a browser and save the file itself"
        )
    if start[:1] == b"{" and (b'"' in start[:20] or start[1:2] == b"}"):
        return "a JSON text, not a checkpoint"
    if start and all(b in b"\t\n\r" or 32 <= b < 127 for b in start):
        return "a text, not a checkpoint"
    return None


def keys_of(value: Any) -> list[str]:
    """The names of a dictionary, and of the dictionaries in it."""
    if not isinstance(value, dict):
        return []
    own = [str(k) for k in islice(value, 1000)]
    dictionaries = [(k, v) for k, v in value.items() if isinstance(v, dict)][:100]
    return own + [f"{k}/{inner}" for k, v in dictionaries for inner in islice(v, 1000)]


TELLTALES: list[tuple[str, Callable[[list[str]], bool]]] = [
    (
        "a lucidrains stylegan2-pytorch model, a network of its own that is not played yet: look for one in NVIDIA's format",
        lambda keys: "GAN" in keys and "version" in keys,
    ),
    (
        "a StyleGAN2 encoder (pSp, e4e or ReStyle): its generator is played from rosinality's original checkpoint",
        lambda keys: any(k.startswith("state_dict/encoder.") for k in keys) and any("decoder." in k for k in keys),
    ),
    (
        "a diffusion model, not a StyleGAN",
        lambda keys: any("diffusion_model." in k or "unet." in k or "alphas_cumprod" in k for k in keys),
    ),
    ("a SWAGAN of rosinality's code, which kinesphere does not play", lambda keys: any(".iwt." in k or ".dwt." in k for k in keys)),
    ("a PyTorch Lightning checkpoint of another kind of network", lambda keys: "pytorch-lightning_version" in keys),
    ("a BigGAN, not a StyleGAN", lambda keys: any(k.endswith("blocks.0.0.bn1.gain.weight") for k in keys)),
    (
        "an LPIPS or VGG network, not a generator",
        lambda keys: any(k.endswith(("features.0.weight", "lin0.model.1.weight")) for k in keys),
    ),
    ("the state of an optimizer, without a network", lambda keys: "param_groups" in keys and "state" in keys),
]  # fmt: skip


def by_contents(contents: Contents) -> str:
    """What a readable file that no format recognised seems to be."""
    value = contents.value
    for node in value if isinstance(value, (tuple, list)) else [value]:
        if isinstance(node, Node):
            return by_class(node)
    keys = keys_of(value)
    for words, test in TELLTALES:
        if test(keys):
            return words
    if isinstance(value, (TensorRef, ArrayRef)):
        return f"a single tensor {list(value.shape)} (a latent or a direction?), not a checkpoint"
    if isinstance(value, dict):
        named = ", ".join(shown(k) for k in list(value)[:4]) or "nothing"
        return f"a dictionary with {named}, in which no StyleGAN was found"
    if value is None:
        return "a file that holds nothing"
    return f"a {type(value).__name__}, in which no StyleGAN was found"


def by_class(node: Node) -> str:
    if node.name.module.startswith("tfutil") or node.name.module.startswith("network"):
        return (
            "a Progressive GAN, the forerunner of StyleGAN, which kinesphere does not play; use a StyleGAN checkpoint"
        )
    if node.kind == "module":
        return f"a bare PyTorch layer ({shown(node.class_name)}), not a StyleGAN"
    return f"an object of the class {shown(str(node.name))}, which kinesphere does not know; a state_dict may help"
