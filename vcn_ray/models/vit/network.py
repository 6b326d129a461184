"""A vision transformer of timm's as a face-ID network, from the folder that timm saves it in."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vcn_ray.errors import ModelError, first_line
from vcn_ray.models.alignment import CROP_SIZE_PX
from vcn_ray.models.face_id import FaceIdNetwork, InputRange, Neck, Tokens, Trunk, two_crops
from vcn_ray.models.onnx.node import BROKEN_NETWORK_ERRORS
from vcn_ray.models.vit.folder import CONFIG, HOW_TO_INSTALL, WEIGHTS, read_config

#: Mean and standard deviation of pixels of 0..1 that stand for the values of `face_id_input`.
_RANGES: dict[str, tuple[float, float]] = {"raw": (0.0, 1 / 255), "centred": (0.5, 0.5)}


class TimmLayers(nn.Module):
    """A `timm.models.VisionTransformer` without its last linear layer; see `face_id.TransformerLayers`."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, mean: list[float], std: list[float]):
        """Of pixels of 0..255, `mean` is taken off and `std` divided by, one number for each colour."""
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(3, 1, 1))

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) RGB 0..255 -> (n, F) features."""
        return self.with_tokens(crops)[0]

    def with_tokens(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and the last hidden state, (n, tokens, width)."""
        hidden = self.model.forward_features((crops - self.mean) / self.std)
        return self.model.forward_head(hidden, pre_logits=True), hidden

    def token_features(self, tokens: Tensor) -> Tensor:
        """(m, width) tokens -> (m, F): what follows pooling."""
        return self.model.fc_norm(tokens)

    def for_inference(self, precision: torch.dtype) -> TimmLayers:
        """A copy that is not to be trained; autocast sees to the precision."""
        return copy.deepcopy(self).requires_grad_(False)


def load_vit(folder: Path, input_range: InputRange = "auto") -> FaceIdNetwork:
    """Read a vision transformer from a folder of the two files that timm saves for the hub.

    Args:
        folder: holds config.json and model.safetensors; nothing is downloaded, nothing unpickled.
        input_range: 'raw' and 'centred' as in `face_id.load_face_id`; 'auto', what the configuration says.

    Returns:
        The network in eval mode on the CPU.

    Raises:
        ModelError: timm is not installed, the files are not what they should be, or the network is no vision
            transformer that takes RGB crops of 112 x 112 pixels and gives an embedding.
    """
    config = read_config(folder)
    model = _built(folder, config).eval().requires_grad_(True)
    pretrained = config.get("pretrained_cfg", config)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{folder / WEIGHTS}: cannot be read as safetensors ({first_line(error)}); save the network again"
        ) from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder / WEIGHTS}: other weights than {CONFIG} says ({reason}); save both again") from None
    mean, std = _normalisation(folder, pretrained, model, input_range)
    neck = Neck(model.head, (model.num_features,))
    layers, crops = TimmLayers(model, mean, std), two_crops()
    try:
        with torch.no_grad():
            expected = model((crops - layers.mean) / layers.std)
            model.head = nn.Identity()
            features, hidden = layers.with_tokens(crops)
            embeddings = neck(features)
    except BROKEN_NETWORK_ERRORS as error:
        raise ModelError(f"{folder}: cannot be run on crops ({first_line(error)}); save the network again") from None
    if embeddings.shape[1] < 2 or not embeddings.isfinite().all():
        raise ModelError(f"{folder}: gives no embedding but {list(embeddings.shape)}; is it a face-ID network?")
    if not torch.allclose(embeddings, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max())):
        raise ModelError(
            f"{folder}: embeds crops by more than one last layer, as distilled networks do; export it to ONNX and name "
            "that file in face_id_onnx"
        )
    dim, side = embeddings.shape[1], model.patch_embed.grid_size[0]
    embedded_by: Literal["neck", "nothing"] | None = "neck"
    if model.attn_pool is not None:  # tokens are mixed by weights, so that none can go the way alone
        embedded_by = "nothing" if hidden.shape[2] == dim else None
    tokens = Tokens(model.num_prefix_tokens, side, model.patch_embed.patch_size[0], embedded_by)
    return FaceIdNetwork(Trunk(layers, centred=False), neck, features.shape[1], dim, tokens).eval()


def _built(folder: Path, config: dict[str, Any]) -> Any:
    """The network that the configuration describes, with any weights."""
    # Here alone: an optional dependency, and its torchvision takes a second.
    try:
        import timm
        from timm.models import VisionTransformer
    except (ImportError, RuntimeError) as error:  # torchvision of another kind than torch raises the second
        raise ModelError(
            f"{folder}: needs timm, which cannot be imported ({first_line(error)}): {HOW_TO_INSTALL}"
        ) from None
    name, path = config["architecture"], folder / CONFIG
    pretrained = config.get("pretrained_cfg", config)
    arguments = config.get("model_args", {})
    if not isinstance(pretrained, dict) or not isinstance(arguments, dict):
        raise ModelError(f"{path}: its pretrained_cfg or model_args is no table of names and values; save it again")
    if not timm.is_model(name):
        raise ModelError(f"{path}: timm {timm.__version__} knows no architecture {name[:80]!r}; pip install -U timm")
    unknown = sorted(set(arguments) - set(inspect.signature(VisionTransformer).parameters))
    if unknown:  # such as 'checkpoint_path': a configuration of a stranger's must not have timm open or fetch anything
        raise ModelError(f"{path}: model_args has {', '.join(unknown)}, which no vision transformer of timm's takes")
    given: dict[str, Any] = {
        "img_size": _size(pretrained),
        "num_classes": config.get("num_classes", pretrained.get("num_classes")),
        "global_pool": config.get("global_pool", pretrained.get("global_pool")),
    }
    given = {name: value for name, value in given.items() if value is not None} | arguments
    log = logging.getLogger("timm")
    try:
        log.disabled = True  # its warnings are of weights that are to be downloaded
        model: Any = timm.create_model(name, pretrained=False, **given)
    except (*BROKEN_NETWORK_ERRORS, AssertionError, NotImplementedError) as error:
        raise ModelError(f"{path}: timm {timm.__version__} cannot build {name} so ({first_line(error)})") from None
    finally:
        log.disabled = False
    if not isinstance(model, VisionTransformer):
        raise ModelError(
            f"{path}: {name} is no vision transformer of timm's; export the network to ONNX and name that file in "
            "face_id_onnx"
        )
    size, channels = tuple(model.patch_embed.img_size or ()), model.patch_embed.proj.in_channels
    if size != (CROP_SIZE_PX, CROP_SIZE_PX) or channels != 3:
        raise ModelError(
            f"{path}: takes images of {channels} colours and {' x '.join(map(str, size))} pixels; a face-ID network "
            f"for RGB crops of {CROP_SIZE_PX} x {CROP_SIZE_PX} is needed"
        )
    rows, columns = model.patch_embed.grid_size
    if rows != columns or rows < 2:
        raise ModelError(f"{path}: cuts a crop into {rows} x {columns} patches; as many rows as columns are needed")
    modules: Iterable[Any] = model.modules()
    for module in modules:
        if hasattr(module, "fused_attn"):  # whose backward pass adds up in another order each time on a GPU
            module.fused_attn = False
    return model


def _size(pretrained: dict[str, Any]) -> int | None:
    size = pretrained.get("input_size")
    return size[-1] if isinstance(size, list) and size else None


def _normalisation(
    folder: Path, pretrained: dict[str, Any], model: Any, input_range: InputRange
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of pixels of 0..255."""
    known = model.pretrained_cfg or {}
    mean, std = ((pretrained.get(name) or known.get(name) or ()) for name in ("mean", "std"))
    if input_range in _RANGES:
        mean, std = ([value] * 3 for value in _RANGES[input_range])
    try:
        as_pixels = [[255 * float(value) for value in values] for values in (mean, std)]
    except (TypeError, ValueError, OverflowError):
        as_pixels = []
    if [len(values) for values in as_pixels] != [3, 3] or min(as_pixels[1]) <= 0:
        raise ModelError(
            f"{folder / CONFIG}: mean and std of pixels are not three numbers each; save the network again"
        )
    return as_pixels[0], as_pixels[1]
