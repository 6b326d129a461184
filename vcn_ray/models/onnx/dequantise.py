"""ONNX models with quantised weights as plain ones, for runtimes that do not know every form of quantisation.

By numpy alone: a worker that looks for faces carries no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from vcn_ray.errors import ModelError


def dequantised(content: bytes, source: str = "the model") -> onnx.ModelProto:
    """A model whose weights are float32, instead of being dequantised and reshaped when it runs.

    Args:
        content: of an ONNX file; weights beside it are not read.
        source: what to call it in messages.

    Raises:
        ModelError: the content is no ONNX model, or its quantisation is not known.
    """
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        raise ModelError(f"{source}: not an ONNX model, or cut off; export or download it again") from None
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    known = {name: _read(tensor, source) for name, tensor in stored.items()}
    kept = []
    for node in graph.node:
        if node.op_type in _WEIGHT_STEPS and all(name in known for name in node.input):
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            known[node.output[0]] = _WEIGHT_STEPS[node.op_type](attributes, *(known[name] for name in node.input))
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    weights = [
        stored[name] if name in stored else numpy_helper.from_array(value, name)
        for name, value in known.items()
        if name in used
    ]
    inputs = [i for i in graph.input if i.name in used and i.name not in known]
    for field, values in ((graph.node, kept), (graph.initializer, weights), (graph.input, inputs)):
        del field[:]
        field.extend(values)
    return model


def _read(tensor: onnx.TensorProto, source: str) -> np.ndarray:
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        raise ModelError(f"{source}: weight {tensor.name!r} is damaged; export or download it again") from None


def _dequantize_linear(
    attributes: dict[str, Any], x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | None = None
) -> np.ndarray:
    """(x - zero_point) * scale; a scale for all, for each slice of an axis or for each block along it."""
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)

    def spread(values: np.ndarray) -> np.ndarray:
        if block:
            return values.repeat(block, axis).take(np.arange(x.shape[axis]), axis)
        if values.size == 1:
            return values.reshape(())
        return values.reshape([-1 if d == axis % x.ndim else 1 for d in range(x.ndim)])

    offset = 0 if zero_point is None else spread(zero_point.astype(np.int64))
    return (x.astype(np.int64) - offset).astype(np.float32) * spread(scale.astype(np.float32))


def _reshape(attributes: dict[str, Any], x: np.ndarray, shape: np.ndarray) -> np.ndarray:
    sizes = shape.tolist()
    if not attributes.get("allowzero", 0):
        sizes = [x.shape[k] if size == 0 else size for k, size in enumerate(sizes)]
    return x.reshape(sizes)


_WEIGHT_STEPS: Mapping[str, Callable[..., np.ndarray]] = {"DequantizeLinear": _dequantize_linear, "Reshape": _reshape}
