"""One step of an ONNX network, and how operators read its inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

Inputs = Sequence[Tensor | None]
Operator = Callable[["Node", Inputs], Tensor | tuple[Tensor, ...]]


#: What torch and Python raise when a network's parts do not fit together.
BROKEN_NETWORK_ERRORS = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError)


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


def need(inputs: Inputs, position: int) -> Tensor:
    """An input that the operator cannot do without."""
    return cast(Tensor, inputs[position])


def optional(inputs: Inputs, position: int) -> Tensor | None:
    """An input that may be left out."""
    return inputs[position] if position < len(inputs) else None


def whole_numbers(node: Node, inputs: Inputs, position: int, attribute: str) -> list[int] | None:
    """Axes, sizes and the like, which older opsets have as an attribute and newer ones as an input."""
    given = optional(inputs, position)
    if given is not None:
        return [int(v) for v in given.reshape(-1).tolist()]
    value = node.get(attribute)
    return None if value is None else [int(v) for v in value]
