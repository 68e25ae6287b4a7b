"""Where predictors of ranges look: the QPP positions of a network.

A position is a value of the graph. Its features predict the ranges of every later quantizer up to the next
position; quantizers before the first one keep the static average.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence

from videoquant.errors import CalibrationWarning, SchemeError
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import QuantizationPoint

# What counts as the first "ReLU": any of these, and clamps from zero up (ReLU, ReLU6).
ACTIVATIONS = ("leaky_relu", "prelu", "hardswish", "silu", "gelu", "elu")


def resolve(network: Network, names: Sequence[str], points: dict[str, QuantizationPoint]) -> tuple[str, ...]:
    """The values that positions name, in the order they are computed.

    names: "first-relu", "input", or a layer's name: what enters this layer, or the first layer of the module
        of that name.
    points: the quantizers, by layer.
    Raises `SchemeError` for a name that is not in the network, and where nothing is quantized after it.
    """
    values = [_value(network, name) for name in names]
    order = {value: index for index, value in enumerate((network.input, *(n.name for n in network.nodes)))}
    for name, value in zip(names, values, strict=True):
        if points and not any(order[value] < order[layer] for layer in points):
            if name == "first-relu":
                return (_input_instead(network, "no layer is quantized after its first activation"),)
            raise SchemeError(
                f"at={name}: no layer of {network.name} is quantized after it; name an earlier one"
            )
    return tuple(sorted(set(values), key=lambda value: order[value]))


def responsible(
    network: Network, positions: Iterable[str], points: dict[str, QuantizationPoint]
) -> dict[QuantizationPoint, str]:
    """The position whose features predict each quantizer; those before the first position are not in it."""
    positions = set(positions)
    current = network.input if network.input in positions else None
    found: dict[QuantizationPoint, str | None] = {}
    for node in network.nodes:
        if node.name in points:
            found.setdefault(points[node.name], current)
        if node.name in positions:
            current = node.name
    return {point: position for point, position in found.items() if position is not None}


def is_activation(node: Node) -> bool:
    """Whether a node is the kind of non-linearity that follows layers."""
    return node.op in ACTIVATIONS or (node.op == "clamp" and node.attributes.get("min") == 0)


def _value(network: Network, name: str) -> str:
    if name == "input":
        return network.input
    if name == "first-relu":
        found = next((node.name for node in network.nodes if is_activation(node)), None)
        return found or _input_instead(network, "it has no ReLU or similar activation")
    for node in network.layers:
        if node.name == name or node.name.startswith(f"{name}."):
            return node.inputs[0]
    layers = [node.name for node in network.layers]
    near = difflib.get_close_matches(name, layers, n=3, cutoff=0.3) or layers[:3]
    raise SchemeError(
        f"at={name}: {network.name} has no such layer; did you mean {', '.join(near)}? (inspect lists all)"
    )


def _input_instead(network: Network, why: str) -> str:
    text = f"{network.name}: ranges are predicted from its input, not its first ReLU: {why}"
    warnings.warn(text, CalibrationWarning, stacklevel=2)
    return network.input
