"""Face-ID networks: an aligned crop in, an embedding out, in two parts that adaptation can train on their own."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vcn_ray.config import ViewsPrecision
from vcn_ray.errors import ModelError, first_line
from vcn_ray.models.alignment import CROP_SIZE_PX
from vcn_ray.models.onnx.graph import OnnxNetwork, read_network
from vcn_ray.models.onnx.modules import input_of_last_linear, split_at
from vcn_ray.models.onnx.node import BROKEN_NETWORK_ERRORS
from vcn_ray.models.onnx.tokens import OnnxTransformer, TokenPlace, find_tokens, grid_of, lies_behind

#: How crops of 0..255 are handed to an ONNX network. 'centred' is insightface's (x - 127.5) / 127.5.
InputRange = Literal["auto", "raw", "centred"]


#: Crops that go through a trunk together on a CPU where nothing is trained. What SFace makes of four stays near the
#: core; of 32 a layer's output is 100 MB, which the system hands out anew for each layer (18 instead of 32 ms a crop).
_CROPS_AT_ONCE = 4


@dataclass(frozen=True)
class Tokens:
    """What a transformer's last hidden state is made of, and how its tokens become embeddings."""

    prefix: int  # class token and registers, which come before the patches
    side: int  # patches a side of the picture
    patch_px: int  # of one; what they leave over of the picture, at its right and lower edge, is not seen
    #: Whether the last layers make an embedding of any token, or tokens are as long as embeddings themselves; None:
    #: neither, so that no head can take both.
    embedded_by: Literal["neck", "nothing"] | None


class TrunkLayers(Protocol):
    """What a `Trunk` computes its features by: an `OnnxModule`, or a network of timm's."""

    def __call__(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) -> (n, ...) features."""

    def for_inference(self, precision: torch.dtype) -> TrunkLayers:
        """A copy that is not to be trained."""


class TransformerLayers(TrunkLayers, Protocol):
    """Those of a vision transformer, which also give its last hidden state."""

    def with_tokens(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Features, and the last hidden state, (n, tokens, width)."""

    def token_features(self, tokens: Tensor) -> Tensor:
        """(m, width) tokens -> (m, F), as the features are made of the one that stands for the crop."""


class Trunk(nn.Module):
    """A face-ID network up to its last linear layer."""

    def __init__(self, layers: TrunkLayers, centred: bool):
        super().__init__()
        self.layers = layers
        self.centred = centred
        self.precision = torch.float32  # of the layers; see `FaceIdNetwork.for_inference`

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) RGB 0..255 -> (n, F): the last linear layer's input, flattened."""
        if self.precision == torch.float32:
            return self._forward(crops)
        with torch.autocast(crops.device.type, self.precision):
            return self._forward(crops).float()

    def with_tokens(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, 112, 112) RGB 0..255 -> (n, F) features, and a transformer's last hidden state, (n, tokens, width)."""
        features, hidden = cast(TransformerLayers, self.layers).with_tokens(self._prepared(crops))
        return features.flatten(1), hidden

    def _prepared(self, crops: Tensor) -> Tensor:
        if self.centred:
            crops = (crops - 127.5) / 127.5
        # Convolutions on a CPU take a third of the time in this layout (SFace: 24 instead of 67 ms a crop).
        return crops.contiguous(memory_format=torch.channels_last)

    def _forward(self, crops: Tensor) -> Tensor:
        crops = self._prepared(crops)
        if crops.device.type != "cpu" or torch.is_grad_enabled() or not len(crops):
            return self.layers(crops).flatten(1)
        return torch.cat([self.layers(few).flatten(1) for few in crops.split(_CROPS_AT_ONCE)])


class Neck(nn.Module):
    """A face-ID network's last linear layer, and what follows it.

    With a mean face, what all faces have in common is taken off: of an embedding e of length |e| becomes the vector of
    that length in the direction of e / |e| - mean. Its length still tells how clear the face is.
    """

    mean_face: Tensor | None

    def __init__(self, layers: nn.Module, feature_shape: tuple[int, ...], mean_face: Tensor | None = None):
        super().__init__()
        self.layers = layers
        self._feature_shape = feature_shape
        self.register_buffer("mean_face", mean_face)

    def forward(self, features: Tensor) -> Tensor:
        """(n, F) -> (n, D) embedding, unnormalised."""
        embedding = self.layers(features.unflatten(1, self._feature_shape)).flatten(1)
        if self.mean_face is None:
            return embedding
        length = embedding.norm(dim=1, keepdim=True)
        return length * F.normalize(F.normalize(embedding, dim=1) - self.mean_face, dim=1)


class FaceIdNetwork(nn.Module):
    """A face-ID network, from ONNX or timm: float32, trainable, BatchNorm's statistics frozen.

    ``network(crops)`` is ``network.neck(network.trunk(crops))``. A crop is RGB 0..255; what range the network itself
    was trained on is its own affair. Crops of one batch do not influence each other. `tokens` says what there is to
    know of a transformer's; None for a convolutional network.
    """

    def __init__(self, trunk: Trunk, neck: Neck, feature_dim: int, embedding_dim: int, tokens: Tokens | None = None):
        super().__init__()
        self.trunk = trunk
        self.neck = neck
        self.tokens = tokens
        self.feature_dim = feature_dim
        self.embedding_dim = embedding_dim
        self.input_size = CROP_SIZE_PX

    def forward(self, crops: Tensor) -> Tensor:
        """(n, 3, 112, 112) float RGB 0..255 -> (n, D) embedding, unnormalised."""
        return self.neck(self.trunk(crops))

    def with_patches(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, 112, 112) float RGB 0..255 -> the (n, D) embedding and (n, patches, D), one of each patch token.

        Patches run row by row. A network whose `tokens` are embedded by nothing that it has cannot do this.
        """
        tokens, (features, hidden) = self.tokens, self.trunk.with_tokens(crops)
        if tokens is None or tokens.embedded_by is None:
            raise ValueError("the network has no patch tokens that a head could take")
        patches = hidden[:, tokens.prefix :]
        if tokens.embedded_by == "neck":
            layers = cast(TransformerLayers, self.trunk.layers)
            patches = self.neck(layers.token_features(patches.flatten(0, 1)).flatten(1)).unflatten(0, patches.shape[:2])
        return self.neck(features), patches

    def for_inference(self, precision: ViewsPrecision = "float32") -> FaceIdNetwork:
        """A copy that is not to be trained, its trunk made ready for that: in float32 the same but for last bits.

        precision: of the trunk, in which nearly all of the time is spent; features and embeddings are float32.
        """
        copied, dtype = copy.deepcopy(self).requires_grad_(False), getattr(torch, precision)
        copied.trunk.layers, copied.trunk.precision = self.trunk.layers.for_inference(dtype), dtype
        return copied


def load_face_id(
    path: str | os.PathLike[str], input_range: InputRange = "auto", mean_face: np.ndarray | None = None
) -> FaceIdNetwork:
    """Convert a face-ID network from an ONNX file.

    Args:
        path: the file.
        input_range: 'raw', the network takes 0..255 and normalises itself; 'centred', it takes (x - 127.5) / 127.5;
            'auto', raw where the network begins with a subtraction, scaling or BatchNorm of the image, else centred.
        mean_face: (D,) mean of many people's embeddings of length one, taken off (see `Neck`); None: nothing is.

    Returns:
        The network in eval mode on the CPU.

    Raises:
        ModelError: the file cannot be read or converted, takes other images than RGB crops of 112 x 112 pixels, or
            gives no embedding.
    """
    network = read_network(path)
    _check_input(network)
    crops = two_crops()
    place = find_tokens(network, crops)
    trunk_layers, neck_layers = split_at(network, _cut(network, place))
    if place is not None:
        trunk_layers = OnnxTransformer(network, trunk_layers, place)
    try:
        with torch.no_grad():
            features = trunk_layers(crops)
            embeddings = neck_layers(features)
            alone = neck_layers(trunk_layers(crops[1:]))
    except BROKEN_NETWORK_ERRORS as error:
        raise ModelError(
            f"{os.fspath(path)}: cannot be run on a batch of crops ({first_line(error)}); "
            "export it with a free batch size and a fixed image size"
        ) from None
    if len(features) != 2 or len(embeddings) != 2 or embeddings[0].numel() < 2 or not embeddings.isfinite().all():
        raise ModelError(
            f"{os.fspath(path)}: gives no embedding but {list(embeddings.shape)}; is it a face-ID network?"
        )
    if not torch.allclose(embeddings[1:], alone, rtol=1e-3, atol=1e-3 * float(alone.abs().max())):
        raise ModelError(f"{os.fspath(path)}: mixes up the crops of a batch; export it with a free batch size")
    centred = input_range == "centred" or (input_range == "auto" and not network.normalises_input)
    trunk = Trunk(trunk_layers, centred)
    mean = None if mean_face is None else torch.from_numpy(mean_face).float()
    neck = Neck(neck_layers, tuple(features.shape[1:]), mean)
    dim = embeddings[0].numel()
    tokens = None if place is None else _tokens(place, cast(OnnxTransformer, trunk_layers), neck, dim)
    return FaceIdNetwork(trunk, neck, features[0].numel(), dim, tokens).eval()


def two_crops() -> Tensor:
    """(2, 3, 112, 112) crops that differ: a network that mixes up its batch shows on them."""
    return torch.linspace(0, 255, 2 * 3 * CROP_SIZE_PX**2).reshape(2, 3, CROP_SIZE_PX, CROP_SIZE_PX)


def _cut(network: OnnxNetwork, place: TokenPlace | None) -> str:
    """Where trunk and neck part: before the last linear layer, in a transformer at the earliest behind its tokens."""
    if place is None:
        return input_of_last_linear(network)
    behind = place.pooled or place.hidden
    try:
        last = input_of_last_linear(network)
    except ModelError:
        return behind  # the class token is the embedding
    return last if lies_behind(network, behind, last) else behind


@torch.no_grad()
def _tokens(place: TokenPlace, layers: OnnxTransformer, neck: Neck, embedding_dim: int) -> Tokens:
    side, prefix = grid_of(place.tokens)
    embedded_by: Literal["neck", "nothing"] | None = "nothing" if place.width == embedding_dim else None
    if place.pooled is not None:
        try:
            made = neck(layers.token_features(torch.ones(3, place.width)).flatten(1))
            embedded_by = "neck" if made.shape == (3, embedding_dim) else embedded_by
        except BROKEN_NETWORK_ERRORS:
            pass  # what follows looks back at the image, so that it takes as many tokens as there are crops
    return Tokens(prefix, side, place.patch_px, embedded_by)


@torch.no_grad()
def embed_both_ways(
    network: FaceIdNetwork, crops: np.ndarray, device: torch.device | str = "cpu"
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of crops, and of their mirror images: what tells a face from the chance of which way it looks.

    Args:
        network: in evaluation mode, on `device`.
        crops: (n, 3, 112, 112) uint8 RGB; given in batches, they need no more memory than a batch.
        device: where to compute.

    Returns:
        Two arrays (n, D) float32, unnormalised.
    """
    pixels = torch.from_numpy(crops).to(device).float()
    plain, flipped = (network(images).float().cpu().numpy() for images in (pixels, pixels.flip(3)))
    return plain, flipped


def _check_input(network: OnnxNetwork) -> None:
    shape = network.input_shape
    wanted = (None, 3, CROP_SIZE_PX, CROP_SIZE_PX)
    if len(shape) != 4 or any(s is not None and w is not None and s != w for s, w in zip(shape, wanted, strict=True)):
        sizes = " x ".join("any" if s is None else str(s) for s in shape)
        raise ModelError(
            f"{network.source}: takes images of {sizes}; a face-ID network for crops of "
            f"batch x 3 x {CROP_SIZE_PX} x {CROP_SIZE_PX} is needed"
        )
