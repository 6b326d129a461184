"""The ONNX operators that face-ID networks are made of, as differentiable torch functions.

Each takes the node and its inputs (None where an optional one is left out) and gives the output or a tuple of them.
Whole numbers (shapes, indices, axes) are CPU tensors wherever the network runs, so that reading one costs no
synchronisation with the device. Semantics are those of the ONNX operator reference for opset 7 and later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from vcn_ray.models.onnx import layers
from vcn_ray.models.onnx.node import Inputs, Node, Operator, UnsupportedError, need, optional, whole_numbers

# --- shape ----------------------------------------------------------------------------------------------------------


def _flatten(node: Node, inputs: Inputs) -> Tensor:
    x, axis = need(inputs, 0), node.get("axis", 1)
    return x.reshape(math.prod(x.shape[: axis % x.ndim if axis < 0 else axis]), -1)


def _reshape(node: Node, inputs: Inputs) -> Tensor:
    x, target = need(inputs, 0), cast(list[int], whole_numbers(node, inputs, 1, "shape"))
    if not node.get("allowzero", 0):
        target = [x.shape[k] if size == 0 else size for k, size in enumerate(target)]
    return x.reshape(target)


def _transpose(node: Node, inputs: Inputs) -> Tensor:
    x = need(inputs, 0)
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
    x = need(inputs, 0)
    starts = cast(list[int], whole_numbers(node, inputs, 1, "starts"))
    ends = cast(list[int], whole_numbers(node, inputs, 2, "ends"))
    axes = whole_numbers(node, inputs, 3, "axes") or list(range(len(starts)))
    steps = whole_numbers(node, inputs, 4, "steps") or [1] * len(starts)
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
    x, indices = need(inputs, 0), need(inputs, 1)
    axis = node.get("axis", 0) % x.ndim
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    flat = (indices.reshape(-1) % x.shape[axis]).to(x.device)
    return x.index_select(axis, flat).reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _unsqueeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = need(inputs, 0), cast(list[int], whole_numbers(node, inputs, 1, "axes"))
    for axis in sorted(a % (x.ndim + len(axes)) for a in axes):
        x = x.unsqueeze(axis)
    return x


def _squeeze(node: Node, inputs: Inputs) -> Tensor:
    x, axes = need(inputs, 0), whole_numbers(node, inputs, 1, "axes")
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _split(node: Node, inputs: Inputs) -> tuple[Tensor, ...]:
    x, axis = need(inputs, 0), node.get("axis", 0)
    sizes = whole_numbers(node, inputs, 1, "split")
    if sizes is None:
        return x.split(math.ceil(x.shape[axis] / len(node.outputs)), dim=axis)
    return x.split(sizes, dim=axis)


def _shape(node: Node, inputs: Inputs) -> Tensor:
    return torch.tensor(list(need(inputs, 0).shape)[node.get("start", 0) : node.get("end")], dtype=torch.long)


def _expand(_node: Node, inputs: Inputs) -> Tensor:
    x, target = need(inputs, 0), [int(v) for v in need(inputs, 1).tolist()]
    return x.expand(torch.broadcast_shapes(x.shape, target))


# The numbers of onnx.TensorProto.DataType. All real numbers are float32 here, whatever the file's precision.
_REAL_TYPES, _WHOLE_TYPES, _BOOL_TYPE = {1, 10, 11, 16}, {2, 3, 4, 5, 6, 7, 12, 13}, 9


def _cast(node: Node, inputs: Inputs) -> Tensor:
    x, kind = need(inputs, 0), node.get("to")
    if kind in _REAL_TYPES:
        return x if x.is_floating_point() else x.float()
    if kind == _BOOL_TYPE:
        return x.bool()
    if kind in _WHOLE_TYPES:
        return x.long().cpu()
    raise UnsupportedError(f"Cast to type {kind}")


def _constant_of_shape(node: Node, inputs: Inputs) -> Tensor:
    value = node.get("value", torch.zeros(1))
    return value.reshape(()).expand([int(v) for v in need(inputs, 0).tolist()]).clone()


# --- arithmetic -----------------------------------------------------------------------------------------------------


def _softmax(node: Node, inputs: Inputs) -> Tensor:
    x = need(inputs, 0)
    if node.opset >= 13:
        return F.softmax(x, dim=node.get("axis", -1))
    axis = node.get("axis", 1) % x.ndim  # older opsets: over all axes from this one on
    return F.softmax(x.flatten(axis), dim=-1).reshape(x.shape)


def _reduce(function: Callable[..., Tensor]) -> Operator:
    def run(node: Node, inputs: Inputs) -> Tensor:
        x, axes = need(inputs, 0), whole_numbers(node, inputs, 1, "axes")
        if not axes:
            if node.get("noop_with_empty_axes", 0):
                return x
            axes = list(range(x.ndim))
        return function(x, dim=axes, keepdim=bool(node.get("keepdims", 1)))

    return run


def _clip(node: Node, inputs: Inputs) -> Tensor:
    low, high = optional(inputs, 1), optional(inputs, 2)
    return need(inputs, 0).clamp(
        node.get("min") if low is None else low.item(), node.get("max") if high is None else high.item()
    )


def _div(_node: Node, inputs: Inputs) -> Tensor:
    a, b = need(inputs, 0), need(inputs, 1)
    if a.is_floating_point() or b.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="trunc")


def _gelu(node: Node, inputs: Inputs) -> Tensor:
    return F.gelu(need(inputs, 0), approximate=node.get("approximate", b"none").decode())


def _one(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda _node, inputs: function(need(inputs, 0))


def _two(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda _node, inputs: function(need(inputs, 0), need(inputs, 1))


#: Not of ONNX: a convolution and the BatchNorm after it; inputs are the first's three and the second's last four.
CONV_BATCH_NORM = "Conv+BatchNormalization"

#: Every operator that is converted, by its ONNX name. `Constant` is resolved when the graph is read.
OPERATORS: dict[str, Operator] = {
    "Add": _two(torch.add),
    "AveragePool": layers.pool,
    "BatchNormalization": layers.batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Conv": layers.conv,
    CONV_BATCH_NORM: layers.conv_batch_normalization,
    "DequantizeLinear": layers.dequantize_linear,
    "Div": _div,
    "Dropout": _one(lambda x: x),
    "Elu": lambda node, inputs: F.elu(need(inputs, 0), node.get("alpha", 1.0)),
    "Equal": _two(torch.eq),
    "Erf": _one(torch.erf),
    "Exp": _one(torch.exp),
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gelu": _gelu,
    "Gemm": layers.gemm,
    "GlobalAveragePool": _one(lambda x: x.mean(dim=tuple(range(2, x.ndim)), keepdim=True)),
    "HardSigmoid": lambda node, inputs: (node.get("alpha", 0.2) * need(inputs, 0) + node.get("beta", 0.5)).clamp(0, 1),
    "HardSwish": _one(F.hardswish),
    "Identity": _one(lambda x: x),
    "LayerNormalization": layers.layer_normalization,
    "LeakyRelu": lambda node, inputs: F.leaky_relu(need(inputs, 0), node.get("alpha", 0.01)),
    "MatMul": _two(torch.matmul),
    "MaxPool": layers.pool,
    "Mul": _two(torch.mul),
    "Neg": _one(torch.neg),
    "PRelu": layers.prelu,
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
    "Where": lambda _node, inputs: torch.where(need(inputs, 0), need(inputs, 1), need(inputs, 2)),
}
