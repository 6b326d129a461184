"""Small vision transformers of timm's, as a user would bring them: random ones, and one trained on the demo's people.

PyPI's torchvision, which timm asks for, is built for CUDA: beside a torch for CPUs alone it misses operators of its own
and cannot be imported, though no transformer uses them. Here they get their names, and nothing behind them.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from vcn_ray.adapt.views import make_views
from vcn_ray.demo.portraits import cut_portraits
from vcn_ray.models.alignment import align_crop
from vcn_ray.models.packs import load_pack

_OPERATORS: list[torch.library.Library] = []  # kept: they go with their object


def timm() -> Any:
    """The library; the test is skipped where it is not installed."""
    try:
        lacks_operators = torch.version.cuda is None and sys.platform == "linux" and "+" not in version("torchvision")
    except PackageNotFoundError:
        pytest.skip("timm is not installed: pip install 'vcn-ray[vit]'")
    if lacks_operators and not _OPERATORS:
        _OPERATORS.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            _OPERATORS[0].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return pytest.importorskip("timm")


def make_vit(architecture: str = "vit_tiny_patch16_224", **arguments: Any) -> Any:
    """A transformer with weights as different from their initial values as a trained one's; it keeps its arguments."""
    library = timm()
    small = {"img_size": 112, "patch_size": 16, "embed_dim": 64, "depth": 2, "num_heads": 2, "num_classes": 48}
    torch.manual_seed(0)
    model = library.create_model(architecture, **(small | arguments)).eval()
    model.architecture, model.arguments = architecture, small | arguments
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def save_vit(model: Any, folder: Path) -> Path:
    """As timm saves it for the hub: its own function for that has moved between versions."""
    folder.mkdir()
    config = {
        "architecture": model.architecture,
        "num_classes": model.num_classes,
        "num_features": model.num_features,
        "global_pool": model.global_pool,
        "model_args": model.arguments,
        "pretrained_cfg": {"input_size": [3, 112, 112], "fixed_input_size": True, "mean": [0.5] * 3, "std": [0.5] * 3},
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def demo_crops() -> torch.Tensor:
    """(people, 3, 112, 112) uint8 RGB: a crop of each of the demo's people."""
    detector = load_pack("opencv-zoo").detector(0.6)
    crops = []
    for portrait in cut_portraits():
        opacity = portrait.image[..., 3:].astype(np.float32) / 255
        picture = (portrait.image[..., :3] + (1 - opacity) * 127).astype(np.uint8)
        found = detector.detect(np.ascontiguousarray(picture))
        if len(found):
            crops.append(align_crop(picture[..., ::-1], found.landmarks[0]))
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()


def train_vit(people: torch.Tensor, *, views: int, steps: int, **arguments: Any) -> Any:
    """A transformer that was taught, on views of these crops, to say what the default pack's network says."""
    model = make_vit(num_classes=128, **arguments)
    teacher = load_pack("opencv-zoo").face_id().for_inference()
    keys = np.arange(len(people) * views)
    crops = people.repeat_interleave(views, dim=0)
    seen = torch.cat(
        [make_views(crops[k : k + 64], keys[k : k + 64], "global", 0, 0) for k in range(0, len(crops), 64)]
    )
    with torch.no_grad():
        told = F.normalize(teacher(seen), dim=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    draw = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(seen), (32,), generator=draw)
        loss = 1 - F.cosine_similarity(model(seen[batch] / 127.5 - 1), told[batch]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
