"""The network in an ONNX file, ready to be run: its constants computed, what is not needed left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from vcn_ray.errors import ModelError, first_line
from vcn_ray.models.onnx.file import read_onnx
from vcn_ray.models.onnx.node import BROKEN_NETWORK_ERRORS, Node, UnsupportedError
from vcn_ray.models.onnx.operators import CONV_BATCH_NORM, OPERATORS

#: Steps that only combine the image with constants: input normalisation, not layers.
_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Identity", "Cast", "Transpose"}

#: All real numbers become float32.
_REAL_TYPES = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.BFLOAT16,
}


@dataclass(frozen=True)
class OnnxNetwork:
    """A network with one image input and one output, read from an ONNX file; its constants are computed."""

    source: str  # name of the file, for messages
    nodes: tuple[Node, ...]  # in the order of computation; only what the output needs
    constants: dict[str, Tensor]  # by name of the value
    input_name: str
    input_shape: tuple[int | None, ...]  # None where the file leaves it open
    output_name: str

    @property
    def normalises_input(self) -> bool:
        """Whether the network itself subtracts from or scales the image before its first layer."""
        steps = self.input_steps()
        first_layer = next((node for k, node in enumerate(self.nodes) if k not in steps), None)
        return any(self.nodes[k].operator in ("Sub", "Mul", "Add", "Div") for k in steps) or (
            first_layer is not None and first_layer.operator == "BatchNormalization"
        )

    def input_steps(self) -> set[int]:
        """Positions of the nodes that combine the image with constants before the first layer."""
        steps, images = set(), {self.input_name}
        for k, node in enumerate(self.nodes):
            if node.operator in _ELEMENTWISE and all(i in images or i in self.constants for i in node.inputs):
                steps.add(k)
                images.update(node.outputs)
        return steps


def read_network(path: str | os.PathLike[str]) -> OnnxNetwork:
    """Read an ONNX file whose network is to be converted.

    Raises:
        ModelError: the file cannot be read (see `read_onnx`), the network has not exactly one image as its input, or
            uses an operator that is not converted.
    """
    model, source = read_onnx(path), os.fspath(path)
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset < 7:
        raise ModelError(f"{source}: written for ONNX opset {opset}, 7 or later is needed; export it again")
    if not graph.output:
        raise ModelError(f"{source}: a network without an output; export or download it again")
    nodes = tuple(read_node(node, opset, source) for node in _needed(graph.node, graph.output[0].name))
    constants = {t.name: read_tensor(t, source) for t in graph.initializer}
    # Old files list weights as inputs, too; quantised ones even list weights that are gone.
    used = {name for node in nodes for name in node.inputs} - set(constants)
    inputs = [i for i in graph.input if i.name in used]
    if len(inputs) != 1:
        names = ", ".join(i.name for i in inputs) or "none"
        raise ModelError(f"{source}: a network with one image as its input is needed; its inputs are: {names}")
    dims = inputs[0].type.tensor_type.shape.dim
    shape = tuple(d.dim_value if d.dim_value > 0 else None for d in dims)
    network = OnnxNetwork(source, nodes, constants, inputs[0].name, shape, graph.output[0].name)
    return _fused(_any_batch(_folded(network)))


def read_tensor(tensor: onnx.TensorProto, source: str) -> Tensor:
    """A constant as float32, int64, bool or, where it may be a quantised weight, as 8-bit numbers."""
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError):
        raise ModelError(f"{source}: weight {tensor.name!r} is damaged; export or download it again") from None
    if tensor.data_type in _REAL_TYPES:
        array = array.astype(np.float32)
    elif array.dtype not in (np.bool_, np.int8, np.uint8):
        array = array.astype(np.int64)  # also the 4-bit types, which numpy has none of its own for
    return torch.from_numpy(array.copy())


def read_node(node: onnx.NodeProto, opset: int, source: str) -> Node:
    """A node of an ONNX graph; `ModelError` names an operator that is not converted."""
    if node.domain not in ("", "ai.onnx") or node.op_type not in (*OPERATORS, "Constant"):
        raise ModelError(
            f"{source}: operator {node.domain + '.' if node.domain else ''}{node.op_type} is not converted; "
            "export the face-ID network with standard layers only"
        )
    attributes = {}
    for attribute in node.attribute:
        value = onnx.helper.get_attribute_value(attribute)
        attributes[attribute.name] = read_tensor(value, source) if isinstance(value, onnx.TensorProto) else value
    return Node(node.op_type, attributes, tuple(node.input), tuple(node.output), opset)


def _needed(nodes: Sequence[onnx.NodeProto], output_name: str) -> list[onnx.NodeProto]:
    """Only the nodes that the output depends on."""
    needed, kept = {output_name}, []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    return kept[::-1]


def _folded(network: OnnxNetwork) -> OnnxNetwork:
    """Compute what depends on constants alone."""
    constants, nodes = dict(network.constants), []
    for node in network.nodes:
        if node.operator == "Constant":
            constants[node.outputs[0]] = _constant(node, network.source)
        elif all(name in constants for name in node.inputs if name):
            inputs = [constants[name] if name else None for name in node.inputs]
            try:
                result = OPERATORS[node.operator](node, inputs)
            except UnsupportedError as error:
                raise ModelError(f"{network.source}: {error} is not converted") from None
            except BROKEN_NETWORK_ERRORS as error:
                raise ModelError(
                    f"{network.source}: {node.operator} of its weights fails ({first_line(error)})"
                ) from None
            constants.update(zip(node.outputs, (result,) if isinstance(result, Tensor) else result, strict=False))
        else:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes), constants=constants)


def _constant(node: Node, source: str) -> Tensor:
    for name, value in node.attributes.items():
        if name == "value":
            return value
        if name in ("value_float", "value_floats"):
            return torch.tensor(value, dtype=torch.float32)
        if name in ("value_int", "value_ints"):
            return torch.tensor(value, dtype=torch.long)
    raise ModelError(f"{source}: a Constant of kind {', '.join(node.attributes)} is not converted")


def _any_batch(network: OnnxNetwork) -> OnnxNetwork:
    """Free a network that was exported for one image of its fixed batch: where it reshapes to a batch of one."""
    if network.input_shape[:1] != (1,):
        return network
    constants, nodes = dict(network.constants), []
    for k, node in enumerate(network.nodes):
        target = constants.get(node.inputs[1]) if node.operator == "Reshape" and len(node.inputs) > 1 else None
        if target is not None and len(target) > 1 and target[0] == 1 and (target != 0).all():
            name = f"{node.inputs[1]}/any_batch_{k}"
            constants[name] = torch.cat([torch.zeros(1, dtype=torch.long), target[1:]])  # 0: as the input has it
            node = replace(node, inputs=(node.inputs[0], name), attributes={})
        nodes.append(node)
    return replace(network, nodes=tuple(nodes), constants=constants, input_shape=(None, *network.input_shape[1:]))


def _fused(network: OnnxNetwork) -> OnnxNetwork:
    """Join each BatchNorm to the convolution whose output it alone takes; SFace takes three quarters of the time."""
    takers = Counter(name for node in network.nodes for name in node.inputs)
    takers[network.output_name] += 1
    nodes: dict[str, Node] = {}  # by the first output
    for node in network.nodes:
        before = nodes.get(node.inputs[0]) if node.operator == "BatchNormalization" else None
        joined = before is not None and before.operator == "Conv" and takers[before.outputs[0]] == 1
        if before is not None and joined and not node.get("training_mode", 0):
            del nodes[before.outputs[0]]
            node = Node(
                CONV_BATCH_NORM,
                before.attributes | node.attributes,
                (*before.inputs, *([""] if len(before.inputs) < 3 else []), *node.inputs[1:]),
                node.outputs,
                node.opset,
            )
        nodes[node.outputs[0]] = node
    return replace(network, nodes=tuple(nodes.values()))
