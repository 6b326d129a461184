"""ONNX models with quantised weights as plain ones, for runtimes that do not know every form of quantisation."""

from __future__ import annotations

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx.graph import read_node, read_tensor
from vcn_ray.models.onnx.node import UnsupportedError
from vcn_ray.models.onnx.operators import OPERATORS

_WEIGHT_STEPS = {"DequantizeLinear", "Reshape"}


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
    known = {name: read_tensor(tensor, source) for name, tensor in stored.items()}
    kept = []
    for node in graph.node:
        if node.op_type in _WEIGHT_STEPS and all(name in known for name in node.input):
            step = read_node(node, 21, source)
            try:
                value = OPERATORS[step.operator](step, [known[name] for name in node.input])
            except UnsupportedError as error:
                raise ModelError(f"{source}: {error} is not converted") from None
            known[node.output[0]] = value  # type: ignore[assignment]
        else:
            kept.append(node)
    used = {name for node in kept for name in node.input}
    weights = [
        stored[name] if name in stored else numpy_helper.from_array(value.numpy(), name)
        for name, value in known.items()
        if name in used
    ]
    inputs = [i for i in graph.input if i.name in used and i.name not in known]
    for field, values in ((graph.node, kept), (graph.initializer, weights), (graph.input, inputs)):
        del field[:]
        field.extend(values)
    return model
