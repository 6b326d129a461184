"""An ONNX network as a torch module whose weights can be trained.

The graph is kept as it is and run node by node. What depends on weights alone (dequantising, reshaping, transposing)
is computed once when the file is read, so that a layer's parameter is the weight that it works with. Names of
parameters come from the file's own, so a state_dict fits every module that was made from the same file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx_file import read_onnx
from vcn_ray.models.onnx_node import Node, UnsupportedError
from vcn_ray.models.onnx_operators import OPERATORS

#: Steps that only combine the image with constants: input normalisation, not layers.
_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Identity", "Cast", "Transpose"}

#: All real numbers become float32.
_REAL_TYPES = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.BFLOAT16,
}

#: Inputs, by position, that are weights even where they hold a single number.
_WEIGHT_INPUTS = {"Conv": (1, 2), "Gemm": (1, 2), "MatMul": (0, 1), "PRelu": (1,), "BatchNormalization": (1, 2)}

#: Inputs, by position, that are statistics or settings and are not trained.
_FIXED_INPUTS = {"BatchNormalization": (3, 4), "Pow": (1,), "Clip": (1, 2), "Dropout": (1, 2)}


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
        return any(self.nodes[k].operator in ("Sub", "Mul", "Add", "Div") for k in _input_steps(self)) or (
            self._first_layer().operator == "BatchNormalization"
        )

    def _first_layer(self) -> Node:
        steps = _input_steps(self)
        return next(node for k, node in enumerate(self.nodes) if k not in steps)


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
    return _any_batch(_folded(OnnxNetwork(source, nodes, constants, inputs[0].name, shape, graph.output[0].name)))


class OnnxModule(nn.Module):
    """Some or all nodes of a network as a module: trainable weights as parameters, all other constants as buffers.

    BatchNorm always uses its stored statistics, which stay as they are, also in training mode; its scale and shift
    are trained. Dropout does nothing.
    """

    def __init__(self, network: OnnxNetwork, nodes: Iterable[Node], input_name: str, output_name: str):
        """Build from `nodes`, which turn the value `input_name` into `output_name`."""
        super().__init__()
        self._nodes = tuple(nodes)
        self._input_name, self._output_name = input_name, output_name
        self._source = network.source
        self.weights = nn.ParameterDict()
        self._whole_numbers: dict[str, Tensor] = {}  # shapes and indices: stay on the CPU
        self._attribute_of: dict[str, tuple[bool, str]] = {}  # value -> (is a parameter, its name here)
        trained = _trained_constants(network)
        taken: set[str] = set()
        for name in dict.fromkeys(name for node in self._nodes for name in node.inputs if name in network.constants):
            value = network.constants[name]
            if not value.is_floating_point():
                self._whole_numbers[name] = value
                continue
            own = _attribute_name(name, taken)
            taken.add(own)
            self._attribute_of[name] = (name in trained, own)
            if name in trained:
                self.weights[own] = nn.Parameter(value.clone())
            else:
                self.register_buffer(f"fixed_{own}", value.clone())
        self._last_use = {name: k for k, node in enumerate(self._nodes) for name in node.inputs}

    def forward(self, x: Tensor) -> Tensor:
        """Run the nodes on the input value."""
        values: dict[str, Tensor] = {**self._whole_numbers, self._input_name: x}
        for name, (is_parameter, own) in self._attribute_of.items():
            values[name] = self.weights[own] if is_parameter else getattr(self, f"fixed_{own}")
        for k, node in enumerate(self._nodes):
            inputs = [values[name] if name else None for name in node.inputs]
            try:
                result = OPERATORS[node.operator](node, inputs)
            except UnsupportedError as error:
                raise ModelError(f"{self._source}: {error} is not converted") from None
            outputs = (result,) if isinstance(result, Tensor) else result
            values.update(zip(node.outputs, outputs, strict=False))
            for name in node.inputs:  # let go of what no later node needs
                if self._last_use[name] == k and name != self._output_name:
                    values.pop(name, None)
        return values[self._output_name]


def split_at_last_linear(network: OnnxNetwork) -> tuple[OnnxModule, OnnxModule]:
    """Cut a network in two before its last linear layer: (trunk, neck), neck(trunk(image)) = network(image).

    A network without a fully connected layer is cut before its last convolution.

    Raises:
        ModelError: there is no layer, or parts before it feed into what follows it, so that there is no such cut.
    """
    for operators in (("Gemm", "MatMul"), ("Conv",)):
        for k in reversed(range(len(network.nodes))):
            node = network.nodes[k]
            weighted = len(node.inputs) > 1 and node.inputs[1] in network.constants
            if node.operator not in operators or not weighted:
                continue
            cut = node.inputs[0]
            neck = _depending_on(network, cut)
            outside = {name for n in neck for name in n.inputs if name} - {o for n in neck for o in n.outputs}
            if outside - set(network.constants) == {cut} and cut != network.input_name:
                trunk = [n for n in network.nodes if n not in neck]
                return (
                    OnnxModule(network, trunk, network.input_name, cut),
                    OnnxModule(network, neck, cut, network.output_name),
                )
            break  # an earlier layer would not be the last one
    raise ModelError(f"{network.source}: no last linear layer that all else leads to; this is no face-ID network")


# --- reading the graph ----------------------------------------------------------------------------------------------


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


def _input_steps(network: OnnxNetwork) -> set[int]:
    """Positions of the nodes that combine the image with constants before the first layer."""
    steps, images = set(), {network.input_name}
    for k, node in enumerate(network.nodes):
        if node.operator in _ELEMENTWISE and all(i in images or i in network.constants for i in node.inputs):
            steps.add(k)
            images.update(node.outputs)
    return steps


def _trained_constants(network: OnnxNetwork) -> set[str]:
    """Names of the constants that are weights: not single numbers, statistics, settings or input normalisation."""
    trained: set[str] = set()
    fixed: set[str] = set()
    steps = _input_steps(network)
    for k, node in enumerate(network.nodes):
        for position, name in enumerate(node.inputs):
            value = network.constants.get(name)
            if value is None or not value.is_floating_point():
                continue
            if k in steps or position in _FIXED_INPUTS.get(node.operator, ()):
                fixed.add(name)
            elif value.numel() > 1 or position in _WEIGHT_INPUTS.get(node.operator, ()):
                trained.add(name)
    return trained - fixed


def _depending_on(network: OnnxNetwork, value: str) -> list[Node]:
    reached, nodes = {value}, []
    for node in network.nodes:
        if reached.intersection(node.inputs):
            reached.update(node.outputs)
            nodes.append(node)
    return nodes


def _attribute_name(name: str, taken: set[str]) -> str:
    """A name that a parameter may have: no dots, unique."""
    base = re.sub(r"\W", "_", name) or "_"
    own, k = base, 2
    while own in taken:
        own, k = f"{base}_{k}", k + 1
    return own
