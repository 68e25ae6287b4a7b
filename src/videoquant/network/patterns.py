"""Functions that exporters write out as several operators become the one that they mean.

Each pattern is looked for at its last node: x · sigmoid(x) is silu, x · clamp(x + 3, 0, 6) / 6 hardswish, and
so for GELU, mish, layer norms and group norms. One node is one step of a program, or one of its operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from videoquant.network.graph import Node

Shapes = Mapping[str, tuple[int, ...]]


def recognized(nodes: Sequence[Node], tensors: Mapping[str, Tensor], shapes: Shapes) -> list[Node]:
    """The nodes with every pattern's last one as the function that it computes; what it read stays.

    shapes: of the values, by name.
    """
    graph = _Graph(tensors, shapes)
    found = []
    for node in nodes:
        new = next((made for pattern in PATTERNS if (made := pattern(graph, node)) is not None), node)
        graph.nodes[new.name] = new
        found.append(new)
    return found


class _Graph:
    """What patterns look at. nodes: those before, by name."""

    def __init__(self, tensors: Mapping[str, Tensor], shapes: Shapes) -> None:
        self.tensors, self.shapes = tensors, shapes
        self.nodes: dict[str, Node] = {}

    def node(self, value: str, op: str) -> Node | None:
        """The node that gives a value, if it is of this operator."""
        node = self.nodes.get(value)
        return node if node is not None and node.op == op else None

    def number(self, value: str) -> float | None:
        """A constant of one element; None for every other value."""
        tensor = self.tensors.get(f"{value}.value") if self.node(value, "constant") else None
        return float(tensor) if tensor is not None and tensor.numel() == 1 else None

    def factors(self, node: Node, depth: int = 3) -> tuple[list[str], float]:
        """What a product multiplies: values, and a number."""
        values: list[str] = []
        scale = 1.0
        for place, value in enumerate(node.inputs):
            number, inner = self.number(value), self.nodes.get(value)
            if number is not None and number != 0 and not (node.op == "div" and place == 0):
                scale = scale / number if node.op == "div" else scale * number
            elif (
                depth
                and inner is not None
                and inner.op in ("mul", "div")
                and (place == 0 or node.op == "mul")
            ):
                more, by = self.factors(inner, depth - 1)
                values, scale = values + more, scale * by
            else:
                values.append(value)
        return values, scale

    def shifted(self, value: str, by: float) -> str | None:
        """x of a value x + by."""
        node = self.node(value, "add")
        if node is not None:
            for x, other in (node.inputs, node.inputs[::-1]):
                number = self.number(other)
                if number is not None and math.isclose(number, by, rel_tol=1e-6):
                    return x
        return None


Pattern = Callable[[_Graph, Node], Node | None]


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4)


def _gates(graph: _Graph, node: Node) -> Node | None:
    """x times a function of x: silu, hardswish, mish, gelu."""
    if node.op not in ("mul", "div"):
        return None
    values, scale = graph.factors(node)
    if len(values) != 2 or (node.op == "div" and graph.number(node.inputs[1]) is None):
        return None
    for x, gate in (values, values[::-1]):
        for op, (is_gate, of) in _GATES.items():
            if _same(scale, of) and is_gate(graph, gate) == x and graph.shapes[x] == graph.shapes[node.name]:
                return Node(node.name, op, (x,))
    return None


def _sigmoid(graph: _Graph, gate: str) -> str | None:
    node = graph.node(gate, "sigmoid")
    return None if node is None else node.inputs[0]


def _clamped(graph: _Graph, gate: str) -> str | None:
    """x of clamp(x + 3, 0, 6)."""
    node = graph.node(gate, "clamp")
    if node is None or (node.attributes.get("min"), node.attributes.get("max")) != (0, 6):
        return None
    return graph.shifted(node.inputs[0], 3)


def _hardsigmoid(graph: _Graph, gate: str) -> str | None:
    node = graph.node(gate, "hardsigmoid")
    if node is None or not _same(node.attributes.get("alpha", 1 / 6), 1 / 6):
        return None
    return node.inputs[0] if node.attributes.get("beta", 0.5) == 0.5 else None


def _tanh_softplus(graph: _Graph, gate: str) -> str | None:
    outer = graph.node(gate, "tanh")
    inner = None if outer is None else graph.node(outer.inputs[0], "softplus")
    return None if inner is None else inner.inputs[0]


def _one_and_erf(graph: _Graph, gate: str) -> str | None:
    """x of 1 + erf(x / √2)."""
    inner = graph.shifted(gate, 1)
    erf = None if inner is None else graph.node(inner, "erf")
    node = None if erf is None else graph.nodes.get(erf.inputs[0])
    if node is None or node.op not in ("mul", "div"):
        return None
    values, scale = graph.factors(node, 0)
    return values[0] if len(values) == 1 and _same(scale, math.sqrt(0.5)) else None


# The function of x that x is multiplied by, and by what the product is.
_GATES = {
    "silu": (_sigmoid, 1.0),
    "hardswish": (_clamped, 1 / 6),
    "mish": (_tanh_softplus, 1.0),
    "gelu": (_one_and_erf, 0.5),
}


def _hardswish(graph: _Graph, node: Node) -> Node | None:
    """x · hardsigmoid(x)."""
    if node.op != "mul":
        return None
    for x, gate in (node.inputs, node.inputs[::-1]):
        if _hardsigmoid(graph, gate) == x:
            return Node(node.name, "hardswish", (x,))
    return None


def _layer_norm(graph: _Graph, node: Node) -> Node | None:
    """d / √(mean(d²) + eps), d = x − mean(x), means over the last dimensions."""
    root = graph.node(node.inputs[1], "sqrt") if node.op == "div" else None
    centred = None if root is None else _centred(graph, node.inputs[0])
    within = None if root is None else graph.node(root.inputs[0], "add")
    if centred is None or within is None:
        return None
    x, dims = centred
    for variance, other in (within.inputs, within.inputs[::-1]):
        eps, mean = graph.number(other), graph.node(variance, "mean")
        square = None if mean is None else graph.node(mean.inputs[0], "mul")
        if eps is None or eps < 0 or mean is None or square is None or mean.attributes["dims"] != dims:
            continue
        if square.inputs[0] == square.inputs[1] and _centred(graph, square.inputs[0]) == centred:
            return Node(node.name, "layer_norm", (x,), {"dims": len(dims), "eps": eps})
    return None


def _centred(graph: _Graph, value: str) -> tuple[str, list[int]] | None:
    """x and the dimensions of x − mean(x) over the last ones."""
    node = graph.node(value, "sub")
    mean = None if node is None else graph.node(node.inputs[1], "mean")
    if node is None or mean is None or mean.inputs[0] != node.inputs[0]:
        return None
    rank, dims = len(graph.shapes[node.inputs[0]]), list(mean.attributes["dims"])
    last = dims == list(range(rank - len(dims), rank))
    return (node.inputs[0], dims) if last and mean.attributes["keepdim"] else None


def _group_norm(graph: _Graph, node: Node) -> Node | None:
    """An instance norm of channels that a reshape before it put into groups, and one behind it took apart."""
    norm = graph.node(node.inputs[0], "instance_norm") if node.op == "reshape" else None
    apart = None if norm is None else graph.node(norm.inputs[0], "reshape")
    if norm is None or apart is None:
        return None
    x = apart.inputs[0]
    before, shape = graph.shapes[x], graph.shapes[apart.name]
    fits = graph.shapes[node.name] == before and len(shape) >= 3 and len(before) >= 3
    if not fits or shape[0] != before[0] or before[1] % shape[1]:
        return None
    return Node(node.name, "group_norm", (x,), {"groups": shape[1], "eps": norm.attributes["eps"]})


PATTERNS: tuple[Pattern, ...] = (_gates, _hardswish, _layer_norm, _group_norm)
