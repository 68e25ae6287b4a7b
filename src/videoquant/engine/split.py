"""Which nodes of a network become programs (its body), and which run on their outputs (its postprocess).

A node goes to the postprocess when the engine cannot compute it; so does every node behind it. A network that
has a layer there, or another operator that `runtime/operators/` does not know, cannot be lowered, and the
error names the node. How values lie in slots is in `layout`, what a node needs of that in `placing`.
"""

from __future__ import annotations

import torch

from videoquant.engine.body import Body
from videoquant.engine.layout import map_layout
from videoquant.engine.operands import Operands, usual
from videoquant.engine.operators import CannotLower
from videoquant.engine.placing import place
from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node
from videoquant.runtime.operators import OPERATORS
from videoquant.runtime.program import PostprocessNode


def split(network: Network) -> Body:
    """Tell body and postprocess apart. Raises `NetworkError` for a node that neither can run."""
    body = Body(network, placeless=set(network.placeless))
    refused: dict[str, str] = {}  # nodes of the postprocess → why the first of them cannot be lowered
    layout = map_layout(network.input_shape)
    if layout is None:
        raise NetworkError(f"{network.name}: the engine takes one frame at a time, 1×C×H×W")
    body.sizes[network.input], body.layouts[network.input] = layout.size, layout
    for node in network.nodes:
        reason = next((refused[value] for value in node.inputs if value in refused), None)
        if reason is None:
            try:
                _add(body, network, node)
                continue
            except CannotLower as error:
                reason = f"{network.name}: node {node.name!r} ({node.op}) cannot be lowered: {error}"
        if node.op not in OPERATORS:  # layers have no place there
            raise NetworkError(reason)
        refused[node.name] = reason
        tensors = {short: t.detach().numpy() for short, t in network.node_tensors(node).items()}
        placeless = node.name in body.placeless
        made = PostprocessNode(node.name, node.op, node.inputs, node.attributes, tensors, placeless)
        body.postprocess.append(made)
    _carry(body, network)
    _connect(body, network)
    return body


def _add(body: Body, network: Network, node: Node) -> None:
    """Take a node into the body. Raises `CannotLower`."""
    if all(value in body.constants for value in node.inputs):
        if node.is_layer:
            raise CannotLower("its input is a constant")
        with torch.no_grad():
            body.constants[node.name] = network.apply(node, [body.constants[v] for v in node.inputs])
        return
    if node.op == "state":
        layout = usual(network.shapes[node.name])
        body.sizes[node.name], body.layouts[node.name] = layout.size, layout
        body.states[node.name] = ""
        return
    place(body, node)


def _carry(body: Body, network: Network) -> None:
    """What states become, as the states lie. Raises `NetworkError` where the programs do not compute it."""
    for state, value in network.states.items():
        layout, what = body.layouts[state], f"{network.name}: state {state!r} becomes {value!r}"
        if value not in body.layouts:
            raise NetworkError(f"{what}, which the engine's programs do not compute")
        try:
            operands = Operands(body, Node(state, "state", (value,)), network.shapes[state])
            body.states[state], _ = operands.read(value, layout.pixels, layout.channels, layout.size[:2])
        except CannotLower as error:
            raise NetworkError(f"{what}, which cannot be kept: {error}") from None


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
