"""An ONNX network as a torch module whose weights can be trained.

The graph is kept as it is and run node by node. What depends on weights alone (dequantising, reshaping, transposing)
is computed once when the file is read, so that a layer's parameter is the weight that it works with. Names of
parameters come from the file's own, so a state_dict fits every module that was made from the same file.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from vcn_ray.errors import ModelError
from vcn_ray.models.onnx.graph import OnnxNetwork
from vcn_ray.models.onnx.layers import scaled_weights
from vcn_ray.models.onnx.node import Node, UnsupportedError
from vcn_ray.models.onnx.operators import CONV_BATCH_NORM, OPERATORS

#: Inputs, by position, that are weights even where they hold a single number.
_WEIGHT_INPUTS = {
    "Conv": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
    CONV_BATCH_NORM: (1, 2, 3, 4),
}

#: Inputs, by position, that are statistics or settings and are not trained.
_FIXED_INPUTS = {
    "BatchNormalization": (3, 4),
    CONV_BATCH_NORM: (5, 6),
    "Pow": (1,),
    "Clip": (1, 2),
    "Dropout": (1, 2),
}


#: A node, and the values that can be let go after it.
_Step = tuple[Node, tuple[str, ...]]


class OnnxModule(nn.Module):
    """Some or all nodes of a network as a module: trainable weights as parameters, all other constants as buffers.

    BatchNorm always uses its stored statistics, which stay as they are, also in training mode; its scale and shift
    are trained. Dropout does nothing.
    """

    def __init__(self, network: OnnxNetwork, nodes: Iterable[Node], input_name: str, output_name: str):
        """Build from `nodes`, which turn the value `input_name` into `output_name`."""
        super().__init__()
        self.nodes = tuple(nodes)
        self.input_name, self.output_name = input_name, output_name
        self._source = network.source
        self.weights = nn.ParameterDict()
        self._whole_numbers: dict[str, Tensor] = {}  # shapes and indices: stay on the CPU
        self._attribute_of: dict[str, tuple[bool, str]] = {}  # value -> (is a parameter, its name here)
        trained = _trained_constants(network)
        taken: set[str] = set()
        for name in dict.fromkeys(name for node in self.nodes for name in node.inputs if name in network.constants):
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
        self._ways: dict[tuple[tuple[str, ...], tuple[str, ...]], list[_Step]] = {}

    @torch.no_grad()
    def for_inference(self, precision: torch.dtype = torch.float32) -> OnnxModule:
        """A copy that is not to be trained: BatchNorms are worked into the convolutions before them, for good.

        precision: of convolutions, and so of what follows them.
        """
        copied = copy.deepcopy(self).requires_grad_(False)
        nodes = list(copied.nodes)
        for k, node in enumerate(nodes):
            if node.operator not in ("Conv", CONV_BATCH_NORM):
                continue
            inputs = [copied._constant(name) for name in node.inputs]
            weight, offset = inputs[1], "".join(node.inputs[2:3])
            if weight is None or weight.ndim != 4:
                continue  # a weight that is computed from the image
            bias = copied._constant(offset)
            if node.operator == CONV_BATCH_NORM:
                weight, bias = scaled_weights(node, inputs)
            if bias is not None:
                offset = copied._keep(f"{node.outputs[0]}/bias", bias.to(precision))
            # The layout that oneDNN would else bring it into at each call.
            weight = weight.to(precision, memory_format=torch.channels_last)
            kept = copied._keep(f"{node.outputs[0]}/weight", weight)
            nodes[k] = replace(node, operator="Conv", inputs=(node.inputs[0], kept, offset))
        copied.nodes, copied._ways = tuple(nodes), {}
        for name in set(copied._attribute_of) - {name for node in nodes for name in node.inputs}:
            is_parameter, own = copied._attribute_of.pop(name)
            if is_parameter:
                del copied.weights[own]
            else:
                delattr(copied, f"fixed_{own}")
        return copied

    def _constant(self, name: str) -> Tensor | None:
        """A weight or statistic by the name of its value; None for what is none."""
        if name not in self._attribute_of:
            return None
        is_parameter, own = self._attribute_of[name]
        return self.weights[own] if is_parameter else getattr(self, f"fixed_{own}")

    def _keep(self, name: str, value: Tensor) -> str:
        """Add a constant; returns its name."""
        own = _attribute_name(name, {own for _, own in self._attribute_of.values()})
        self._attribute_of[name] = (False, own)
        self.register_buffer(f"fixed_{own}", value)
        return name

    def forward(self, x: Tensor) -> Tensor:
        """Run the nodes on the input value."""
        return self.values({self.input_name: x}, self.output_name)[0]

    def values(self, given: Mapping[str, Tensor], *wanted: str) -> tuple[Tensor, ...]:
        """Values of the network by name, from others; only the nodes that lead from these to those are run."""
        values: dict[str, Tensor] = {**self._whole_numbers, **given}
        values |= {name: cast(Tensor, self._constant(name)) for name in self._attribute_of}
        for node, done_with in self._way(tuple(given), wanted):
            inputs = [values[name] if name else None for name in node.inputs]
            try:
                result = OPERATORS[node.operator](node, inputs)
            except UnsupportedError as error:
                raise ModelError(f"{self._source}: {error} is not converted") from None
            outputs = (result,) if isinstance(result, Tensor) else result
            values.update(zip(node.outputs, outputs, strict=False))
            for name in done_with:  # let go of what no later node needs
                values.pop(name, None)
        return tuple(values[name] for name in wanted)

    def _way(self, given: tuple[str, ...], wanted: tuple[str, ...]) -> list[_Step]:
        """The nodes between, in order, each with the values that no later one needs."""
        if (given, wanted) not in self._ways:
            needed, nodes = set(wanted) - set(given), []
            for node in reversed(self.nodes):
                if needed.intersection(node.outputs):
                    needed.update(name for name in node.inputs if name not in given)
                    nodes.append(node)
            last_use = {name: k for k, node in enumerate(nodes[::-1]) for name in node.inputs}
            self._ways[given, wanted] = [
                (node, tuple(name for name in node.inputs if last_use[name] == k and name not in wanted))
                for k, node in enumerate(nodes[::-1])
            ]
        return self._ways[given, wanted]


def split_at_last_linear(network: OnnxNetwork) -> tuple[OnnxModule, OnnxModule]:
    """Cut a network in two before its last linear layer: (trunk, neck), neck(trunk(image)) = network(image).

    Raises:
        ModelError: there is no such layer, see `input_of_last_linear`.
    """
    return split_at(network, input_of_last_linear(network))


def split_at(network: OnnxNetwork, cut: str) -> tuple[OnnxModule, OnnxModule]:
    """The nodes that lead to a value that all else is computed from, and those after it."""
    neck = depending_on(network, cut)
    trunk = [node for node in network.nodes if node not in neck]
    return (
        OnnxModule(network, trunk, network.input_name, cut),
        OnnxModule(network, neck, cut, network.output_name),
    )


def input_of_last_linear(network: OnnxNetwork) -> str:
    """Name of the value that the last linear layer takes.

    Without a fully connected layer it is the last convolution's.

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
            if feeding(network, depending_on(network, cut)) == {cut} and cut != network.input_name:
                return cut
            break  # an earlier layer would not be the last one
    raise ModelError(f"{network.source}: no last linear layer that all else leads to; this is no face-ID network")


def _trained_constants(network: OnnxNetwork) -> set[str]:
    """Names of the constants that are weights: not single numbers, statistics, settings or input normalisation."""
    trained: set[str] = set()
    fixed: set[str] = set()
    steps = network.input_steps()
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


def feeding(network: OnnxNetwork, nodes: Iterable[Node]) -> set[str]:
    """Values other than weights that these nodes take from others."""
    kept = list(nodes)
    taken = {name for node in kept for name in node.inputs if name}
    return taken - {name for node in kept for name in node.outputs} - set(network.constants)


def depending_on(network: OnnxNetwork, value: str) -> list[Node]:
    """The nodes that a value has a part in, in order."""
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
