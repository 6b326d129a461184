"""The tokens of a vision transformer in an ONNX file: its last hidden state, found in the graph by running it once.

The last hidden state is the last value of (crops, tokens, width) that all of the embedding is computed from. What
follows it picks or averages tokens (*pooling*) and makes an embedding of the result; where pooling has no weights of
its own, the same layers make an embedding of any token.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vcn_ray.models.onnx.graph import OnnxNetwork
from vcn_ray.models.onnx.modules import OnnxModule, depending_on, feeding
from vcn_ray.models.onnx.node import BROKEN_NETWORK_ERRORS

#: What makes a hidden state: the end of a residual block or of a normalisation. What moves or drops tokens does not,
#: nor a linear layer, which adds its bias.
_LAYER_ENDS = ("Add", "Mul", "LayerNormalization")


@dataclass(frozen=True)
class TokenPlace:
    """Where a network's tokens are."""

    hidden: str  # name of the last hidden state, (n, tokens, width)
    pooled: str | None  # of what becomes of it without weights, width numbers a crop; None: there is no such value
    tokens: int
    width: int
    patch_px: int  # by the convolution that cuts the picture into patches


class OnnxTransformer(OnnxModule):
    """An `OnnxModule` up to some value behind the last hidden state, which it also gives."""

    def __init__(self, network: OnnxNetwork, trunk: OnnxModule, place: TokenPlace):
        super().__init__(network, trunk.nodes, trunk.input_name, trunk.output_name)
        self.place = place

    def with_tokens(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output for an image, and the last hidden state, (n, tokens, width)."""
        output, hidden = self.values({self.input_name: x}, self.output_name, self.place.hidden)
        return output, hidden

    def token_features(self, tokens: Tensor) -> Tensor:
        """(m, width) tokens -> what the output would be if pooling had given them; needs a `pooled` place."""
        return self.values({self.place.pooled or "": tokens}, self.output_name)[0]


@torch.no_grad()
def find_tokens(network: OnnxNetwork, images: Tensor) -> TokenPlace | None:
    """Where the tokens are in a network that attends; None where there are none, or the embedding passes them by.

    images: two or more that the network takes.
    """
    if not any(node.operator == "Softmax" for node in network.nodes):
        return None  # a convolutional network, which need not be run for this
    everything = OnnxModule(network, network.nodes, network.input_name, network.output_name)
    names = [name for node in network.nodes for name in node.outputs if name]
    try:
        values = dict(zip(names, everything.values({network.input_name: images}, *names), strict=True))
    except BROKEN_NETWORK_ERRORS:
        return None  # whoever runs it says what is wrong
    seeing = _seeing(network)
    linear = {node.outputs[0] for node in network.nodes if node.operator in ("MatMul", "Gemm")}
    for node in reversed(network.nodes):
        hidden = values[node.outputs[0]]
        with_bias = linear.intersection(node.inputs) and any(name in network.constants for name in node.inputs)
        if (
            node.operator not in _LAYER_ENDS
            or with_bias
            or hidden.ndim != 3
            or len(hidden) != len(images)
            or hidden.shape[1] < 2
        ):
            continue
        if _is_cut(network, node.outputs[0], seeing):
            _, tokens, width = hidden.shape
            after = _after(network, node.outputs[0], (len(images), width), values)
            pooled = next((name for name in after if _is_cut(network, name, seeing)), None)
            return TokenPlace(node.outputs[0], pooled, tokens, width, _patch_px(network, images.shape[3], tokens))
    return None


def _patch_px(network: OnnxNetwork, size: int, tokens: int) -> int:
    """Pixels a side of a patch: of 12 patches on 112 pixels 9, and the last 4 are not seen."""
    side = grid_of(tokens)[0]
    strides = [node.get("strides", [1])[0] for node in network.nodes if node.operator == "Conv"]
    return next((stride for stride in strides if size // stride == side), size // side)


def _seeing(network: OnnxNetwork) -> set[str]:
    """Values that the image's pixels have a part in, not its size alone."""
    seeing = {network.input_name}
    for node in network.nodes:
        if node.operator != "Shape" and seeing.intersection(node.inputs):
            seeing.update(node.outputs)
    return seeing


def _is_cut(network: OnnxNetwork, value: str, seeing: set[str]) -> bool:
    """Whether the output depends on the image's pixels by this value alone."""
    return value == network.output_name or feeding(network, depending_on(network, value)) & seeing == {value}


def _after(network: OnnxNetwork, value: str, shape: tuple[int, int], values: dict[str, Tensor]) -> Iterator[str]:
    """Values of a shape behind a value that no weight has a part in."""
    for node in depending_on(network, value):
        if any(_is_weight(network.constants.get(name)) for name in node.inputs):
            return
        yield from (name for name in node.outputs if values[name].shape == shape)


def lies_behind(network: OnnxNetwork, value: str, other: str) -> bool:
    """Whether a value is another one, or computed from it: `other` from `value`."""
    return value == other or any(other in node.outputs for node in depending_on(network, value))


def _is_weight(constant: Tensor | None) -> bool:
    return constant is not None and constant.is_floating_point() and constant.numel() > 1


def grid_of(tokens: int) -> tuple[int, int]:
    """(patches a side, tokens before them) of so many tokens of a square picture: the class token and registers."""
    side = math.isqrt(tokens)
    return side, tokens - side * side
