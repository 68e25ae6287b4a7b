"""Which nodes of a network become programs (its body), and which run on their outputs (its postprocess).

A node goes to the postprocess when the engine cannot compute it, mostly because its result is not h×w×c, such
as a permutation to N×195; so does every node behind it. A network that has a layer there, or another operator
that `runtime/postprocess.py` does not know, cannot be lowered, and the error names the node.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from videoquant.engine.elementwise import BINARY, is_elementwise
from videoquant.engine.operators import CannotLower, Operator, operator
from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node
from videoquant.runtime import postprocess
from videoquant.runtime.program import PostprocessNode
from videoquant.runtime.sizes import Size, broadcasts, size_of

Shape = Sequence[int]


@dataclass
class Body:
    """The part of a network that becomes programs.

    nodes: in order; they read values by the names that `renamed` gives.
    operators: what those nodes become that are neither layers nor elementwise, by name.
    constants: the values that do not depend on the input, by name.
    sizes: of the other values, h×w×c.
    renamed: values that only have another shape, such as 1×C in place of 1×C×1×1: name → the first's name.
    postprocess: the nodes that run after the programs, in order.
    given: the values that programs must give, by their names in the network: its outputs, and what the
        postprocess reads.
    placeless: the nodes whose values are computed in full where a stream has regions (`regions.places`).
    """

    nodes: list[Node] = field(default_factory=list)
    operators: dict[str, Operator] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    postprocess: list[PostprocessNode] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    placeless: frozenset[str] = frozenset()

    def value(self, name: str) -> str:
        """The value that stands for a value of the network."""
        return self.renamed.get(name, name)

    def size(self, value: str) -> Size:
        """The size of a value or a constant."""
        if value not in self.constants:
            return self.sizes[value]
        size = size_of(self.constants[value].shape)
        assert size is not None
        return size

    def number(self, value: str) -> float | None:
        """A constant of one element; None for every other value."""
        constant = self.constants.get(value)
        return float(constant) if constant is not None and constant.numel() == 1 else None


def split(network: Network) -> Body:
    """Tell body and postprocess apart. Raises `NetworkError` for a node that neither can run."""
    body = Body(placeless=network.placeless)
    refused: dict[str, str] = {}  # nodes of the postprocess → why the first of them cannot be lowered
    size = size_of(network.input_shape)
    if size is None:
        raise NetworkError(f"{network.name}: the engine takes one frame at a time, 1×C×H×W")
    body.sizes[network.input] = size
    for node in network.nodes:
        reason = next((refused[value] for value in node.inputs if value in refused), None)
        if reason is None:
            try:
                _add(body, network, node)
                continue
            except CannotLower as error:
                reason = f"{network.name}: node {node.name!r} ({node.op}) cannot be lowered: {error}"
        if node.op not in postprocess.OPERATORS:  # layers have no place there
            raise NetworkError(reason)
        refused[node.name] = reason
        tensors = {short: t.detach().numpy() for short, t in network.node_tensors(node).items()}
        placeless = node.name in body.placeless
        made = PostprocessNode(node.name, node.op, node.inputs, node.attributes, tensors, placeless)
        body.postprocess.append(made)
    _connect(body, network)
    return body


def _add(body: Body, network: Network, node: Node) -> None:
    """Take a node into the body. Raises `CannotLower`."""
    shape = network.shapes[node.name]
    if all(value in body.constants for value in node.inputs):
        if node.is_layer:
            raise CannotLower("its input is a constant")
        with torch.no_grad():
            body.constants[node.name] = network.apply(node, [body.constants[v] for v in node.inputs])
        return
    size = size_of(shape)
    if size is None:
        raise CannotLower(f"it gives {_text(shape)}; the engine holds 1×C×H×W and 1×C")
    inputs = tuple(body.value(value) for value in node.inputs)
    shapes = [network.shapes[value] for value in node.inputs]
    if node.op in ("reshape", "permute"):
        readers = network.readers.get(node.name, ())
        flat = shape == (1, math.prod(shapes[0])) and all(reader.op == "linear" for reader in readers)
        vector = size[:2] == (1, 1) and body.sizes[inputs[0]] == size
        # A linear layer reads a flattened map as a convolution does whose kernel is as large (layers.py).
        if not (vector or (node.op == "reshape" and flat)):
            raise CannotLower(f"{_text(shapes[0])} to {_text(shape)} is possible only after the last layer")
        body.renamed[node.name] = inputs[0]
        return
    if node.is_layer:
        rank = 2 if node.op == "linear" else 4
        if len(shape) != rank:
            raise CannotLower(f"it reads {_text(shapes[0])}; the engine's reads 1×C")
    elif node.op in BINARY:
        inputs = tuple(_operand(body, value, len(shape)) for value in inputs)
        _check_binary(body, inputs, shapes, shape)
    elif not is_elementwise(node):
        body.operators[node.name] = operator(node, shapes, shape)
    body.sizes[node.name] = size
    body.nodes.append(Node(node.name, node.op, inputs, node.attributes, node.tensors))


def _check_binary(body: Body, inputs: tuple[str, ...], shapes: Sequence[Shape], shape: Shape) -> None:
    """Both values are of the result's rank and broadcast to it, and one that is computed has all of it."""
    size = size_of(shape)
    whole = False
    for name, operand in zip(inputs, shapes, strict=True):
        if name in body.constants:
            operand = body.constants[name].shape
        elif len(operand) == len(shape):
            whole = whole or body.sizes[name] == size
        operand_size = size_of(operand)
        if len(operand) != len(shape) or operand_size is None or size is None:
            raise CannotLower(f"it reads {_text(shapes[0])} and {_text(shapes[1])}")
        if not broadcasts(operand_size, size):
            raise CannotLower(f"it broadcasts {_text(operand)} to {_text(shape)}")
    if not whole:
        raise CannotLower(f"neither {_text(shapes[0])} nor {_text(shapes[1])} has the result's size")


def _operand(body: Body, value: str, rank: int) -> str:
    """The value, or where it is a constant of fewer dimensions one with as many, as it broadcasts."""
    constant = body.constants.get(value)
    if constant is None or constant.dim() == rank:
        return value
    name = f"{value} of {rank} dimensions"
    body.constants[name] = constant.reshape((1,) * (rank - constant.dim()) + tuple(constant.shape))
    return name


def _connect(body: Body, network: Network) -> None:
    """What the programs give; constants that the postprocess or an output reads become nodes of it."""
    computed = {node.name for node in body.postprocess}
    wanted = [value for node in body.postprocess for value in node.inputs] + list(network.outputs.values())
    for value in dict.fromkeys(wanted):
        if value in body.constants:
            tensors = {"value": body.constants[value].detach().numpy()}
            body.postprocess.insert(0, PostprocessNode(value, "constant", tensors=tensors, placeless=False))
        elif value not in computed:
            body.given.append(value)


def _text(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a number"
