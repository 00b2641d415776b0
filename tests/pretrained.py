"""Tiny models with random weights in place of those that others trained: the real classes, saved and read the real way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # what the code must not need, but a mistake in a test might

import torch
import transformers

from kinesphere.features.pretrained import settle

transformers.utils.logging.disable_progress_bar()

DINO: dict[str, Any] = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=2, image_size=56)
SMALL: dict[str, Any] = dict(hidden_size=16, num_attention_heads=2, intermediate_size=32)
STAGES: dict[str, Any] = dict(hidden_sizes=[8, 12, 16, 20], depths=[1, 1, 1, 1])
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "dinov2": ("Dinov2", DINO),
    "efficientnet": ("EfficientNet", dict(width_coefficient=0.25, depth_coefficient=0.3, hidden_dim=320, num_labels=3)),
    "mobilenet": ("MobileNetV2", dict(depth_multiplier=0.25)),
    "vit": ("ViT", dict(SMALL, num_hidden_layers=2, image_size=32, patch_size=8)),
    "registers": ("Dinov2WithRegisters", {**DINO, "num_register_tokens": 4}),
    "segformer": ("Segformer", dict(STAGES, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16)),
    "resnet": ("ResNet", dict(STAGES, embedding_size=8, layer_type="basic")),
    "swin": ("Swin", dict(embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=4, image_size=64)),
    "convnext": ("ConvNext", STAGES),
    "depth": (
        "DepthAnything",
        dict(
            backbone_config=transformers.Dinov2Config(**DINO, out_indices=[1, 2, 3], reshape_hidden_states=False),
            reassemble_hidden_size=24, reassemble_factors=[4, 2, 1], neck_hidden_sizes=[8, 12, 16], fusion_hidden_size=8,
            head_hidden_size=4,
        ),
    ),
}  # fmt: skip


def tiny(name: str, kind: str = "Model", seed: int = 0, **fields: Any) -> Any:
    """A model of CONFIGS, nothing in it at its default. `kind`: the end of its class's name."""
    family, given = CONFIGS[name]
    torch.manual_seed(seed)
    model = getattr(transformers, family + kind)(getattr(transformers, f"{family}Config")(**given | fields))
    with torch.no_grad():
        for x in [*model.parameters(), *model.buffers()]:
            if x.is_floating_point() and x.ndim == 1:
                x.add_(torch.randn(x.shape) * 0.1)
            elif x.is_floating_point():  # He et al. 2015: what is seen is still there in the last layer
                x.normal_(0, (2 / x[0].numel()) ** 0.5)
    settle(model)
    return model.eval()


def saved(model: Any, folder: Path, **preprocessor: Any) -> str:
    """The model's folder as one fetches it, as `weights` names it."""
    model.save_pretrained(folder)
    if preprocessor:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return str(folder)
