"""What a network asks of a chip, whatever the scheme: the sizes of its layers as arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from videoquant.axes import FLOAT, Residual
from videoquant.errors import NetworkError
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import head_layers, is_named, tail_layers, weighing_layers
from videoquant.schemes import Scheme

Array = NDArray[np.float64]
Widths = NDArray[np.int64]
LEAST = 2  # bits: of layers that are neither head nor tail


@dataclass(frozen=True)
class Workload:
    """The layers of a network in the order they run; every array has one entry per layer.

    names: of the layers.
    head, tail: whether the layer is one of the first or last. weighing: see `placement.weighing_layers`.
    macs: multiply–accumulates.
    weights, inputs, outputs: elements.
    in_channels: of one group.
    out_channels: of all groups.
    state_inputs: `inputs`, or 0 where a layer before reads the same value, so that both share the state of a
        residual scheme.
    """

    names: tuple[str, ...]
    head: NDArray[np.bool_]
    tail: NDArray[np.bool_]
    weighing: NDArray[np.bool_]
    macs: Array
    weights: Array
    inputs: Array
    outputs: Array
    in_channels: Array
    out_channels: Array
    state_inputs: Array

    def bits(self, scheme: Scheme, is_key: bool) -> tuple[Widths, Widths]:
        """Bit-widths of weights and of activations, by layer; the same as `placement.layer_bits`.

        is_key: a keyframe, or any frame of a scheme without a time axis.
        """
        keep, quantize = (
            np.array([any(is_named(layer, name) for name in names) for layer in self.names], bool)
            for names in (scheme.keep_float, scheme.quantize)
        )
        floating = (self.weighing & ~quantize) | keep
        least = np.maximum(np.where(self.head, scheme.head, LEAST), np.where(self.tail, scheme.tail, LEAST))
        least = np.where(floating, FLOAT, least)
        bits = scheme.time.bits if isinstance(scheme.time, Residual) and not is_key else scheme.bits
        return np.maximum(least, bits.weights), np.maximum(least, bits.activations)


def workload(network: Network) -> Workload:
    """The layers of a network, for its input shape.

    Operators between layers are taken to run fused with the layer before them, as compilers for
    accelerators do. Raises `NetworkError` for a kind of layer that is not known.
    """
    head, tail, weighing = head_layers(network), tail_layers(network), weighing_layers(network)
    seen: set[str] = set()
    table: list[list[float]] = []
    for node in network.layers:
        inputs = math.prod(network.shapes[node.inputs[0]])
        weight = network.tensors[f"{node.name}.weight"]
        first = node.inputs[0] not in seen
        seen.add(node.inputs[0])
        sizes = (network.macs[node.name], weight.numel(), inputs, math.prod(network.shapes[node.name]))
        table.append([*sizes, *_channels(network, node, tuple(weight.shape)), inputs * first])
    columns = np.array(table, np.float64).reshape(-1, 7).T
    names = tuple(node.name for node in network.layers)
    marks = (np.array([name in some for name in names], bool) for some in (head, tail, weighing))
    return Workload(names, *marks, *columns)


def _channels(network: Network, node: Node, shape: tuple[int, ...]) -> tuple[int, int]:
    """Input channels of one group and output channels of all, from the shape of the weights."""
    match node.op:
        case "conv2d" | "linear":
            return shape[1], shape[0]
        case "conv_transpose2d":
            groups = int(node.attributes["groups"])
            return shape[0] // groups, shape[1] * groups
    raise NetworkError(f"{network.name}: layer {node.name!r}: no cost is known for the kind {node.op!r}")
