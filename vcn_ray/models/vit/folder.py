"""The folder of a vision transformer: what must be in it, and its digest. No torch, which the driver does without."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx.file import sha256_of

CONFIG, WEIGHTS = "config.json", "model.safetensors"

#: A torchvision from elsewhere than torch cannot be imported beside it.
HOW_TO_INSTALL = (
    "pip install 'vcn-ray[vit]'; where torch is from https://download.pytorch.org/whl/cpu, install torchvision from "
    "there, too, first"
)

#: What other programs leave in the place of safetensors: pickles, which can run code.
_PICKLES = ("pytorch_model.bin", "model.bin", "model.pth", "model.pt", "pytorch_model.pth")


def vit_digest(folder: str | os.PathLike[str]) -> str:
    """SHA-256 that stands for a vision transformer: of the SHA-256 of its configuration and its weights.

    Raises `ModelError` where the folder lacks one of them, or the configuration is none of timm's.
    """
    path = Path(folder).expanduser()
    try:
        is_folder, found = path.is_dir(), "is a file" if path.is_file() else "is not there"
    except OSError as error:  # a name that is too long, a folder above it that may not be read
        is_folder, found = False, f"cannot be read ({error.strerror})"
    if not is_folder:
        raise ModelError(f"{path} {found}: face_id_vit takes the folder that holds {CONFIG} and {WEIGHTS}")
    for name in (CONFIG, WEIGHTS):
        if not (path / name).is_file():
            raise ModelError(f"{path}: {missing(name, os.listdir(path))}")
    read_config(path)
    parts = [f"{name} {sha256_of(path / name)}" for name in (CONFIG, WEIGHTS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def require_timm() -> None:
    """`ModelError` where timm is not installed; that it can be imported, which takes a second, `load_vit` tells."""
    if importlib.util.find_spec("timm") is None:
        raise ModelError(f"option 'face_id_vit': timm is not installed: {HOW_TO_INSTALL}")


def missing(name: str, present: list[str]) -> str:
    """What to say of a file that a folder with these files in it lacks."""
    pickles = [other for other in _PICKLES if other in present]
    if name == WEIGHTS and pickles:
        return (
            f"holds its weights in {pickles[0]}, a pickle, which can run code and is not opened; save them as "
            f"{WEIGHTS} (safetensors.torch.save_model)"
        )
    return f"has no {name}; put both files there that timm saves for the hub, {CONFIG} and {WEIGHTS}"


def read_config(folder: Path) -> dict[str, Any]:
    """What the configuration says; `ModelError` where it is no JSON, or no timm network's."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: not JSON; save the network again") from None
    if isinstance(config, dict) and "model_type" in config and "architecture" not in config:
        raise ModelError(
            f"{path}: a configuration of transformers, of which only timm's are read; export the network to ONNX and "
            "name that file in face_id_onnx"
        )
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise ModelError(f"{path}: names no 'architecture' as timm's configurations do; is it a network's?")
    return config
