"""The ONNX operators that face-ID networks are made of, as differentiable torch functions.

Each takes the node and its inputs (None where an optional one is left out) and gives the output or a tuple of them.
Whole numbers (shapes, indices, axes) are CPU tensors wherever the network runs, so that reading one costs no
synchronisation with the device. Semantics are those of the ONNX operator reference for opset 7 and later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

Inputs = Sequence[Tensor | None]
Operator = Callable[["Node", Inputs], Tensor | tuple[Tensor, ...]]


class UnsupportedError(Exception):
    """A use of an operator that is not converted; says which."""


@dataclass(frozen=True)
class Node:
    """One step of a network: an operator with its attributes, and the names of the values that it takes and gives."""

    operator: str
    attributes: dict[str, Any]
    inputs: tuple[str, ...]  # '' for an optional input that is left out
    outputs: tuple[str, ...]
    opset: int

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.attributes.get(name, default)


def _need(inputs: Inputs, position: int) -> Tensor:
    return cast(Tensor, inputs[position])


def _optional(inputs: Inputs, position: int) -> Tensor | None:
    return inputs[position] if position < len(inputs) else None


def _whole_numbers(node: Node, inputs: Inputs, position: int, attribute: str) -> list[int] | None:
    """Axes, sizes and the like, which older opsets have as an attribute and newer ones as an input."""
    given = _optional(inputs, position)
    if given is not None:
        return [int(v) for v in given.reshape(-1).tolist()]
    value = node.get(attribute)
    return None if value is None else [int(v) for v in value]


# --- layers ---------------------------------------------------------------------------------------------------------


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


def _conv(node: Node, inputs: Inputs) -> Tensor:
    x, weight, bias = _need(inputs, 0), _need(inputs, 1), _optional(inputs, 2)
    if weight.ndim != 4:
        raise UnsupportedError(f"Conv in {weight.ndim - 2} dimensions")
    strides = node.get("strides", [1, 1])
    top, left, bottom, right = _padding(node, x.shape[2:], weight.shape[2:], strides)
    padding = (top, left)
    if (top, left) != (bottom, right):
        x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
    return F.conv2d(x, weight, bias, strides, padding, node.get("dilations", [1, 1]), node.get("group", 1))


def _pool(node: Node, inputs: Inputs) -> Tensor:
    x, kernel = _need(inputs, 0), node.get("kernel_shape")
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


def _batch_normalization(node: Node, inputs: Inputs) -> Tensor:
    """Always with the stored statistics: a batch of one title's faces is no sample of all faces."""
    if node.get("training_mode", 0):
        raise UnsupportedError("BatchNormalization in training mode")
    x, scale, shift, mean, variance = (_need(inputs, k) for k in range(5))
    return F.batch_norm(x, mean, variance, scale, shift, training=False, eps=node.get("epsilon", 1e-5))


def _layer_normalization(node: Node, inputs: Inputs) -> Tensor:
    x, scale, shift = _need(inputs, 0), _need(inputs, 1), _optional(inputs, 2)
    axis = node.get("axis", -1) % x.ndim
    shape = x.shape[axis:]
    return F.layer_norm(
        x, shape, scale.expand(shape), None if shift is None else shift.expand(shape), node.get("epsilon", 1e-5)
    )


def _prelu(_node: Node, inputs: Inputs) -> Tensor:
    x, slope = _need(inputs, 0), _need(inputs, 1)
    slope = slope.to(x.dtype)  # autocast may have made x shorter
    channelwise = slope.numel() == 1 or (x.ndim > 1 and slope.shape == (x.shape[1],) + (1,) * (x.ndim - 2))
    if channelwise:
        return F.prelu(x, slope.reshape(-1))
    return x.clamp(min=0) + slope * x.clamp(max=0)


def _gemm(node: Node, inputs: Inputs) -> Tensor:
    a, b, c = _need(inputs, 0), _need(inputs, 1), _optional(inputs, 2)
    a = a.mT if node.get("transA", 0) else a
    b = b if node.get("transB", 0) else b.mT  # as torch has it: (out, in)
    alpha, beta = node.get("alpha", 1.0), node.get("beta", 1.0)
    if alpha == 1.0 and beta == 1.0 and (c is None or (c.ndim == 1 and len(c) == len(b))):
        return F.linear(a, b, c)
    product = alpha * F.linear(a, b)
    return product if c is None else product + beta * c


def _dequantize_linear(node: Node, inputs: Inputs) -> Tensor:
    """(x - zero_point) * scale: one scale for all, one per slice of an axis, or one per block along it (opset 21)."""
    x, scale, zero_point = _need(inputs, 0), _need(inputs, 1).float(), _optional(inputs, 2)
    axis, block = node.get("axis", 1), node.get("block_size", 0)

    def spread(values: Tensor) -> Tensor:
        if block:
            return values.repeat_interleave(block, dim=axis).narrow(axis, 0, x.shape[axis])
        if values.numel() == 1:
            return values.reshape(())
        return values.reshape([-1 if d == axis % x.ndim else 1 for d in range(x.ndim)])

    # int32 keeps the difference of two int8 exact; a bias is int32 itself and may need 64 bits
    offset = 0 if zero_point is None else spread(zero_point).long()
    return (x.long() - offset).float() * spread(scale)


# --- shape ----------------------------------------------------------------------------------------------------------


def _flatten(node: Node, inputs: Inputs) -> Tensor:
    x, axis = _need(inputs, 0), node.get("axis", 1)
    return x.reshape(math.prod(x.shape[: axis % x.ndim if axis < 0 else axis]), -1)


def _reshape(node: Node, inputs: Inputs) -> Tensor:
    x, target = _need(inputs, 0), cast(list[int], _whole_numbers(node, inputs, 1, "shape"))
    if not node.get("allowzero", 0):
        target = [x.shape[k] if size == 0 else size for k, size in enumerate(target)]
    return x.reshape(target)


def _transpose(node: Node, inputs: Inputs) -> Tensor:
    x = _need(inputs, 0)
    return x.permute(node.get("perm", list(range(x.ndim))[::-1]))


def _concat(node: Node, inputs: Inputs) -> Tensor:
    parts = [cast(Tensor, part) for part in inputs]
    axis = node.get("axis") % parts[0].ndim
    if axis != 0 and parts[0].ndim > 1:
        # a network exported for one image has its class token as a batch of one
        batch = max(len(part) for part in parts)
        parts = [part.expand(batch, *part.shape[1:]) if len(part) == 1 else part for part in parts]
    return torch.cat(parts, dim=axis)


def _slice(node: Node, inputs: Inputs) -> Tensor:
    x = _need(inputs, 0)
    starts = cast(list[int], _whole_numbers(node, inputs, 1, "starts"))
    ends = cast(list[int], _whole_numbers(node, inputs, 2, "ends"))
    axes = _whole_numbers(node, inputs, 3, "axes") or list(range(len(starts)))
    steps = _whole_numbers(node, inputs, 4, "steps") or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        chosen = range(x.shape[axis])[slice(start, None if step < 0 and end < -x.shape[axis] else end, step)]
        if step > 0:
            x = x.narrow(axis, chosen.start, len(chosen)) if step == 1 else x[_at(axis, x, chosen.start, end, step)]
        else:
            x = x.index_select(axis, torch.tensor(chosen, dtype=torch.long, device=x.device))
    return x


def _at(axis: int, x: Tensor, start: int, end: int, step: int) -> tuple[slice, ...]:
    return (slice(None),) * (axis % x.ndim) + (slice(start, end, step),)


def _gather(node: Node, inputs: Inputs) -> Tensor:
    x, indices = _need(inputs, 0), _need(inputs, 1)
    axis = node.get("axis", 0) % x.ndim
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    flat = (indices.reshape(-1) % x.shape[axis]).to(x.device)
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _unsqueeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = _need(inputs, 0), cast(list[int], _whole_numbers(node, inputs, 1, "axes"))
    for axis in sorted(a % (x.ndim + len(axes)) for a in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = _need(inputs, 0), _whole_numbers(node, inputs, 1, "axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _split(node: Node, inputs: Inputs) -> tuple[Tensor, ...]:
    x, axis = _need(inputs, 0), node.get("axis", 0)
    sizes = _whole_numbers(node, inputs, 1, "split")
    if sizes is None:
        return x.split(math.ceil(x.shape[axis] / len(node.outputs)), dim=axis)
    return x.split(sizes, dim=axis)


def _shape(node: Node, inputs: Inputs) -> Tensor:
    return torch.tensor(list(_need(inputs, 0).shape)[node.get("start", 0) : node.get("end")], dtype=torch.long)


def _expand(_node: Node, inputs: Inputs) -> Tensor:
    x, target = _need(inputs, 0), [int(v) for v in _need(inputs, 1).tolist()]
    return x.expand(torch.broadcast_shapes(x.shape, target))


# The numbers of onnx.TensorProto.DataType. All real numbers are float32 here, whatever the file's precision.
_REAL_TYPES, _WHOLE_TYPES, _BOOL_TYPE = {1, 10, 11, 16}, {2, 3, 4, 5, 6, 7, 12, 13}, 9


def _cast(node: Node, inputs: Inputs) -> Tensor:
    x, kind = _need(inputs, 0), node.get("to")
    if kind in _REAL_TYPES:
        return x if x.is_floating_point() else x.float()
    if kind == _BOOL_TYPE:
        return x.bool()
    if kind in _WHOLE_TYPES:
        return x.long().cpu()
    raise UnsupportedError(f"Cast to type {kind}")


def _constant_of_shape(node: Node, inputs: Inputs) -> Tensor:
    value = node.get("value", torch.zeros(1))
    return value.reshape(()).expand([int(v) for v in _need(inputs, 0).tolist()]).clone()


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _softmax(node: Node, inputs: Inputs) -> Tensor:
    x = _need(inputs, 0)
    if node.opset >= 13:
        return F.softmax(x, dim=node.get("axis", -1))
    axis = node.get("axis", 1) % x.ndim  # older opsets: over all axes from this one on
    return F.softmax(x.flatten(axis), dim=-1).reshape(x.shape)


def _reduce(function: Callable[..., Tensor]) -> Operator:
    def run(node: Node, inputs: Inputs) -> Tensor:
        x, axes = _need(inputs, 0), _whole_numbers(node, inputs, 1, "axes")
        if not axes:
            if node.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        return function(x, dim=axes, keepdim=bool(node.get("keepdims", 1)))

    return run


def _clip(node: Node, inputs: Inputs) -> Tensor:
    low, high = _optional(inputs, 1), _optional(inputs, 2)
    return _need(inputs, 0).clamp(
        node.get("min") if low is None else low.item(), node.get("max") if high is None else high.item()
    )


def _div(_node: Node, inputs: Inputs) -> Tensor:
    a, b = _need(inputs, 0), _need(inputs, 1)
    if a.is_floating_point() or b.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


def _gelu(node: Node, inputs: Inputs) -> Tensor:
    return F.gelu(_need(inputs, 0), approximate=node.get("approximate", b"none").decode())


def _one(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda _node, inputs: function(_need(inputs, 0))


def _two(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda _node, inputs: function(_need(inputs, 0), _need(inputs, 1))


#: Every operator that is converted, by its ONNX name. `Constant` is resolved when the graph is read.
OPERATORS: dict[str, Operator] = {
    "Add": _two(torch.add),
    "AveragePool": _pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "DequantizeLinear": _dequantize_linear,
    "Div": _div,
    "Dropout": _one(lambda x: x),
    "Elu": lambda node, inputs: F.elu(_need(inputs, 0), node.get("alpha", 1.0)),
    "Equal": _two(torch.eq),
    "Erf": _one(torch.erf),
    "Exp": _one(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "GlobalAveragePool": _one(lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)),
    "HardSigmoid": lambda node, inputs: (node.get("alpha", 0.2) * _need(inputs, 0) + node.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": _one(F.hardswish),
    "Identity": _one(lambda x: x),
    "LayerNormalization": _layer_normalization,
    "LeakyRelu": lambda node, inputs: F.leaky_relu(_need(inputs, 0), node.get("alpha", 0.01)),
    "MatMul": _two(torch.matmul),
    "MaxPool": _pool,
    "Mul": _two(torch.mul),
    "Neg": _one(torch.neg),
    "PRelu": _prelu,
    "Pow": _two(torch.pow),
    "Reciprocal": _one(torch.reciprocal),
    "ReduceL2": _reduce(lambda x, dim, keepdim: x.square().sum(dim, keepdim=keepdim).sqrt()),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": _one(F.relu),
    "Reshape": _reshape,
    "Shape": _shape,
    "Sigmoid": _one(torch.sigmoid),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _one(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _two(torch.sub),
    "Tanh": _one(torch.tanh),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": lambda _node, inputs: torch.where(_need(inputs, 0), _need(inputs, 1), _need(inputs, 2)),
}
