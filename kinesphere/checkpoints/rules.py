"""What a network may claim to be: for every argument of every family, in words and as a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Rule: TypeAlias = tuple[str, Callable[[Any], bool]]  # in words, and as a test


def whole(low: int, high: int) -> Rule:
    return f"a whole number from {low} to {high}", lambda v: type(v) is int and low <= v <= high


def number(low: float, high: float) -> Rule:
    """Open at both ends."""
    return f"a number between {low:g} and {high:g}", lambda v: type(v) in (int, float) and low < v < high


def choice(*words: str) -> Rule:
    return " or ".join(words), lambda v: isinstance(v, str) and v in words


def optional(rule: Rule) -> Rule:
    return f"{rule[0]} or nothing", lambda v: v is None or rule[1](v)


def _is_taps(value: Any) -> bool:
    """A short list of numbers, or a square of them, with a sum that one can divide by."""
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= 32:
        return False
    rows = value if isinstance(value[0], (list, tuple)) else [value]
    flat = [x for row in rows if isinstance(row, (list, tuple)) and len(row) == len(value) for x in row]
    if len(flat) != len(rows) * len(value) or not all(number(-1e3, 1e3)[1](x) for x in flat):
        return False
    return abs(sum(flat)) > 1e-3


def _is_widths(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and 1 <= len(value) <= 64 and all(WIDTH[1](n) for n in value)


WIDTH = whole(1, 65536)
LATENT = whole(1, 8192)
WIDTHS: Rule = ("a list of whole numbers from 1 to 65536", _is_widths)
TAPS: Rule = ("a list of filter taps", _is_taps)
FLAG: Rule = ("true or false", lambda v: isinstance(v, bool))
RESOLUTION: Rule = ("a power of two from 4 to 8192", lambda v: type(v) is int and v in [2**k for k in range(2, 14)])
CLAMP = optional(number(0, 1e6))
LEARNING_RATE = number(0, 1e3)
CLASSES = whole(0, 32768)

_PICTURE: dict[str, Rule] = {"img_resolution": RESOLUTION, "img_channels": whole(1, 1024), "c_dim": CLASSES}
_MAPPING: dict[str, Rule] = {
    "z_dim": LATENT,
    "w_dim": LATENT,
    "mapping_layers": whole(1, 64),
    "mapping_width": optional(LATENT),
    "embed_dim": optional(LATENT),
    "mapping_lr": LEARNING_RATE,
}
_LABEL = choice("embed", "concat")
GENERATOR_RULES: dict[str, dict[str, Rule]] = {
    "stylegan1": {
        **_PICTURE, **_MAPPING, "channels": WIDTHS, "label": _LABEL, "use_noise": FLAG, "blur_filter": TAPS,
        "fused_from": whole(0, 2**20),
    },
    "stylegan2": {
        **_PICTURE, **_MAPPING, "channels": WIDTHS, "label": _LABEL, "use_noise": FLAG, "resample_filter": TAPS,
        "architecture": choice("skip", "resnet", "orig"), "conv_clamp": CLAMP,
    },
    "stylegan3": {
        **_PICTURE, **_MAPPING, "channels": optional(WIDTHS), "channel_base": whole(1, 2**24), "channel_max": WIDTH,
        "num_layers": whole(2, 62), "num_critical": whole(0, 61), "first_cutoff": number(0, 4096),
        "first_stopband": number(0.5, 8192), "last_stopband_rel": number(1, 16), "margin_size": whole(0, 256),
        "output_scale": number(0, 1e3), "conv_kernel": whole(1, 15), "filter_size": whole(2, 16),
        "lrelu_upsampling": whole(2, 8), "use_radial_filters": FLAG, "conv_clamp": CLAMP,
    },
}  # fmt: skip
DISCRIMINATOR_RULES: dict[str, dict[str, Rule]] = {
    "stylegan1": {
        **_PICTURE, "channels": WIDTHS, "mbstd_group_size": optional(whole(1, 65536)), "blur_filter": TAPS,
        "fused_from": whole(0, 2**20),
    },
    "stylegan2": {
        **_PICTURE, "channels": WIDTHS, "architecture": choice("resnet", "skip", "orig"), "cmap_dim": optional(LATENT),
        "mapping_layers": whole(0, 64), "mapping_width": optional(LATENT), "embed_dim": optional(LATENT),
        "mapping_lr": LEARNING_RATE, "label": choice("embed", "per_class"), "conv_clamp": CLAMP,
        "mbstd_group_size": optional(whole(1, 65536)), "mbstd_channels": whole(0, 1024), "resample_filter": TAPS,
    },
}  # fmt: skip
REQUIRED = {
    "stylegan1": ("img_resolution", "channels"),
    "stylegan2": ("img_resolution", "channels"),
    "stylegan3": ("img_resolution",),
}


def shown(value: Any) -> str:
    """A claimed value for a message: one short line, whatever it is."""
    if isinstance(value, (bool, int, float)) or value is None:
        return f"{value!r:.40}"
    return repr(value[:80]) if isinstance(value, str) else f"a {type(value).__name__}"
