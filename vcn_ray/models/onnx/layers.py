"""The layers of face-ID networks, as ONNX has them: convolution, pooling, normalisation, activation, linear."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vcn_ray.models.onnx.node import Inputs, Node, UnsupportedError, need, optional


def _padding(node: Node, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int]) -> list[int]:
    """(top, left, bottom, right) of a convolution or pooling on an image of (h, w)."""
    mode = node.get("auto_pad", b"NOTSET").decode()
    dilations = node.get("dilations", [1, 1])
    if mode in ("NOTSET", ""):
        return [int(p) for p in node.get("pads", [0, 0, 0, 0])]
    if mode == "VALID":
        return [0, 0, 0, 0]
    begin, end = [], []
    for side, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (math.ceil(side / s) - 1) * s + d * (k - 1) + 1 - side)
        small, large = total // 2, total - total // 2
        begin.append(large if mode == "SAME_LOWER" else small)
        end.append(small if mode == "SAME_LOWER" else large)
    return begin + end


def conv(node: Node, inputs: Inputs) -> Tensor:
    """Conv of an image, in groups or not."""
    x, weight, bias = need(inputs, 0), need(inputs, 1), optional(inputs, 2)
    if weight.ndim != 4:
        raise UnsupportedError(f"Conv in {weight.ndim - 2} dimensions")
    if weight.dtype == torch.bfloat16:
        x = x.bfloat16()
    strides = node.get("strides", [1, 1])
    top, left, bottom, right = _padding(node, x.shape[2:], weight.shape[2:], strides)
    if weight.shape[2:] == (1, 1) and not (top or left or bottom or right):
        # The same, without the strides: oneDNN's backward pass of a strided 1x1 convolution writes beyond its memory
        # when channels come last and are fewer than 16 (torch 2.13 with AVX-512: the process dies).
        x, strides = x[:, :, :: strides[0], :: strides[1]], [1, 1]
    padding = (top, left)
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
    dilations, groups = node.get("dilations", [1, 1]), node.get("group", 1)
    if _by_onednn(x):
        return torch.mkldnn_convolution(x, weight, bias, padding, strides, dilations, groups)
    return F.conv2d(x, weight, bias, strides, padding, dilations, groups)


def _by_onednn(x: Tensor) -> bool:
    """Whether oneDNN is asked itself: torch gives it no batch below 16 on one thread, and takes 1.3 times as long."""
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and len(x) > 0
        and torch.backends.mkldnn.is_available()
        and torch.backends.cpu.get_cpu_capability().startswith("AVX")
    )


def pool(node: Node, inputs: Inputs) -> Tensor:
    """MaxPool and AveragePool of an image."""
    x, kernel = need(inputs, 0), node.get("kernel_shape")
    strides = node.get("strides", [1, 1])
    if len(kernel) != 2 or node.get("storage_order", 0) or node.get("dilations", [1, 1]) != [1, 1]:
        raise UnsupportedError(f"{node.operator} other than over plain windows of an image")
    top, left, bottom, right = _padding(node, x.shape[2:], kernel, strides)
    ceil_mode = bool(node.get("ceil_mode", 0))
    if (top, left) != (bottom, right) or 2 * top > kernel[0] or 2 * left > kernel[1]:
        if ceil_mode or (node.operator == "AveragePool" and not node.get("count_include_pad", 0)):
            raise UnsupportedError(f"{node.operator} with lopsided padding")
        fill = -math.inf if node.operator == "MaxPool" else 0.0
        x, top, left = F.pad(x, (left, right, top, bottom), value=fill), 0, 0
    if node.operator == "MaxPool":
        return F.max_pool2d(x, kernel, strides, (top, left), ceil_mode=ceil_mode)
    return F.avg_pool2d(x, kernel, strides, (top, left), ceil_mode, bool(node.get("count_include_pad", 0)))


def batch_normalization(node: Node, inputs: Inputs) -> Tensor:
    """BatchNormalization, always with the stored statistics: a batch of one title's faces is no sample of all faces."""
    if node.get("training_mode", 0):
        raise UnsupportedError("BatchNormalization in training mode")
    x, scale, shift, mean, variance = (need(inputs, k) for k in range(5))
    return F.batch_norm(x, mean, variance, scale, shift, training=False, eps=node.get("epsilon", 1e-5))


def conv_batch_normalization(node: Node, inputs: Inputs) -> Tensor:
    """Conv, then BatchNormalization of its output: the convolution with weights that are scaled and shifted alike."""
    return conv(node, [need(inputs, 0), *scaled_weights(node, inputs)])


def scaled_weights(node: Node, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that a convolution with its BatchNorm is."""
    weight, bias = need(inputs, 1), optional(inputs, 2)
    scale, shift, mean, variance = (need(inputs, k) for k in range(3, 7))
    factor = scale * (variance + node.get("epsilon", 1e-5)).rsqrt()
    offset = shift - mean * factor if bias is None else shift + (bias - mean) * factor
    return weight * factor.reshape(-1, *[1] * (weight.ndim - 1)), offset


def layer_normalization(node: Node, inputs: Inputs) -> Tensor:
    """LayerNormalization over the axes from `axis` on."""
    x, scale, shift = need(inputs, 0), need(inputs, 1), optional(inputs, 2)
    axis = node.get("axis", -1) % x.ndim
    shape = x.shape[axis:]
    return F.layer_norm(
        x, shape, scale.expand(shape), None if shift is None else shift.expand(shape), node.get("epsilon", 1e-5)
    )


def prelu(_node: Node, inputs: Inputs) -> Tensor:
    """PRelu with one slope, one a channel, or any that broadcasts."""
    x, slope = need(inputs, 0), need(inputs, 1)
    slope = slope.to(x.dtype)  # autocast may have made x shorter
    channelwise = slope.numel() == 1 or (x.ndim > 1 and slope.shape == (x.shape[1],) + (1,) * (x.ndim - 2))
    if channelwise:
        return F.prelu(x, slope.reshape(-1))
    return x.clamp(min=0) + slope * x.clamp(max=0)


def gemm(node: Node, inputs: Inputs) -> Tensor:
    """Gemm: alpha a b + beta c, a and b transposed where asked to."""
    a, b, c = need(inputs, 0), need(inputs, 1), optional(inputs, 2)
    a = a.mT if node.get("transA", 0) else a
    b = b if node.get("transB", 0) else b.mT  # as torch has it: (out, in)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha == 1.0 and beta == 1.0 and (c is None or (c.ndim == 1 and len(c) == len(b))):
        return F.linear(a, b, c)
    product = alpha * F.linear(a, b)
    return product if c is None else product + beta * c


def dequantize_linear(node: Node, inputs: Inputs) -> Tensor:
    """DequantizeLinear: (x - zero_point) * scale; a scale for all, for each slice of an axis or block along it."""
    x, scale, zero_point = need(inputs, 0), need(inputs, 1).float(), optional(inputs, 2)
    axis, block = node.get("axis", 1), node.get("block_size", 0)

    def spread(values: Tensor) -> Tensor:
        if block:
            return values.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])
        if values.numel() == 1:
            return values.reshape(())
        return values.reshape([-1 if d == axis % x.ndim else 1 for d in range(x.ndim)])

    whole = x.int() if x.element_size() == 1 else x  # a difference of 8-bit numbers needs more than 8 bits
    offset = 0 if zero_point is None else spread(zero_point.to(whole.dtype))
    return (whole - offset).float() * spread(scale)
