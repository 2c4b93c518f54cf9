"""A graph of ONNX operators under construction, and the table of the rules that extend it.

A rule says which operators a layer is: ``rule(graph, layer, x)`` adds them and returns the name of the
output. The rule of a network with several inputs takes one argument for each: ``rule(graph, net, x, t)``.
Images are (N, H, W, C) in scratchgen and (N, C, H, W) in ONNX. Inside a graph they are always (N, C, H, W);
transpositions are only at its borders, and where a layer turns rows into images or back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from scratchgen.checks import Array
from scratchgen.export.part import NotExportable, Value, output_shape
from scratchgen.module import Module

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)

RuleT = TypeVar("RuleT", bound=Callable[..., Any])


class Node(NamedTuple):
    """One operator: its type, the names of its inputs and outputs, and its settings."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any]


class Graph:
    """The operators and the constants (weights) of a network, in the order of its layers.

    dtype : of the weights and of all arrays
    """

    def __init__(self, dtype: Any):
        self.dtype = np.dtype(dtype)
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.path: list[str] = []       # the names of the layers around the current one

    def apply(self, layer: Module, x: Value, name: str, *others: Value) -> Value:
        """Add the operators of a layer. Raises NotExportable if there is no rule for its class.

        name : of the layer in the network around it;  others : the inputs after x, if it has several
        """
        rule = find_rule(ONNX_RULES, layer, "onnx_rule")
        self.path.append(name)
        out = Value(rule(self, layer, x, *others), output_shape(layer, x, *others, dtype=self.dtype))
        self.path.pop()
        return out

    def node(self, operator: str, *inputs: str, **settings: Any) -> str:
        """Add an operator with one output, and return the name of the output."""
        return self.split(operator, *inputs, outputs=1, **settings)[0]

    def split(self, operator: str, *inputs: str, outputs: int, **settings: Any) -> tuple[str, ...]:
        """Add an operator with this number of outputs, and return their names."""
        start = f"{'.'.join(self.path)}.{operator}_{len(self.nodes)}"
        names = tuple(start if outputs == 1 else f"{start}_{i}" for i in range(outputs))
        self.nodes.append(Node(operator, inputs, names, settings))
        return names

    def constant(self, name: str, value: Any) -> str:
        """Add an array of weights or settings; numbers get the dtype of the graph. Return its name."""
        array = np.asarray(value)
        if array.dtype.kind == "f":
            array = array.astype(self.dtype)
        full = ".".join([*self.path, name])
        if full in self.constants:      # a second constant of the same layer with this name
            full = f"{full}_{len(self.constants)}"
        self.constants[full] = np.ascontiguousarray(array).reshape(array.shape)
        return full


ONNX_RULES: dict[type, Callable[..., str]] = {}


def onnx_rule(*classes: type[Module]) -> Callable[[RuleT], RuleT]:
    """A decorator: the function is the rule of these classes of layers, and not of their subclasses."""

    def register(rule: RuleT) -> RuleT:
        for kind in classes:
            ONNX_RULES[kind] = rule
        return rule

    return register


SECOND_INPUT = "it attends to a second sequence, of which the length is another input"
REASONS = {         # why there is no rule, by name of the class
    **dict.fromkeys(("CrossAttention", "AdditiveAttention"), SECOND_INPUT),
}


def find_rule(rules: dict[type, Any], layer: Module, decorator: str) -> Any:
    """The rule of the class of a layer. Raises NotExportable with the reason if there is none."""
    kind = type(layer)
    if kind not in rules:
        own = f"there is no rule for this class; write one with @export.{decorator}({kind.__name__})"
        raise NotExportable(f"export cannot write a {kind.__name__}: {REASONS.get(kind.__name__, own)}")
    return rules[kind]


def expect_rows(layer: Module, x: Value) -> None:
    """Raise NotExportable for images, where the layer works on rows of features."""
    if x.is_image:
        raise NotExportable(
            f"export cannot write a {type(layer).__name__} of images (N, H, W, C): put Flatten before it"
        )


def expect_rows_or_images(layer: Module, x: Value) -> None:
    """Raise NotExportable for sequences (N, T, D), where ONNX and PyTorch have the channels on axis 1."""
    if len(x.shape) == 2:
        raise NotExportable(f"export cannot write a {type(layer).__name__} of sequences (N, T, D)")
