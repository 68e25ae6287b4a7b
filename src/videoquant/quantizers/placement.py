"""Where quantizers stand: at the inputs of convolutions and linear layers, one for all layers that share one.

The first layers ("head": no layer between them and the network's input) and the last ("tail": none between
them and an output) have bit-widths of their own, `Scheme.head` and `Scheme.tail`. Some stay in floating
point: those that a scheme names, and by default those that weigh a distribution, as the boxes of YOLOv8 are
made: they cost next to nothing, and their error is the box's.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from videoquant.axes import FLOAT, Bits, Residual
from videoquant.errors import SchemeError
from videoquant.network.graph import Network
from videoquant.schemes import Scheme

_MOVES = ("reshape", "permute", "slice")


@dataclass(frozen=True)
class QuantizationPoint:
    """A quantizer of activations: the value it stands at and its bits on keyframes and on residual frames.

    value: its name in the graph.
    key: bits on keyframes, or on every frame without a time axis.
    residual: bits on residual frames; None for frame quantization.

    Layers that read one value at the same bits share a point, and so its codes and its state.
    """

    value: str
    key: int
    residual: int | None

    def __hash__(self) -> int:  # streams look points up ten times a layer
        return hash(self.value)

    def __str__(self) -> str:
        return f"{self.value}:a{self.key}" + ("" if self.residual is None else f"->a{self.residual}")


@dataclass(frozen=True)
class LayerBits:
    """The bit-widths of one layer.

    key: on keyframes, or on every frame without a time axis.
    residual: on residual frames; None without a time axis.
    """

    key: Bits
    residual: Bits | None

    @property
    def is_float(self) -> bool:
        """Whether the layer stays as it is: no quantizer, no state."""
        return all(bits in (None, Bits(FLOAT, FLOAT)) for bits in (self.key, self.residual))

    def __str__(self) -> str:
        return str(self.key) if self.residual in (None, self.key) else f"{self.key}->{self.residual}"


def layer_bits(network: Network, scheme: Scheme) -> dict[str, LayerBits]:
    """The bit-widths of every layer, by name."""
    head, tail = head_layers(network), tail_layers(network)
    floating = float_layers(network, scheme)
    result = {}
    for node in network.layers:
        if node.name in floating:
            as_it_is = Bits(FLOAT, FLOAT)
            result[node.name] = LayerBits(as_it_is, as_it_is if isinstance(scheme.time, Residual) else None)
            continue
        least = max(scheme.head if node.name in head else 2, scheme.tail if node.name in tail else 2)
        residual = scheme.time.bits.at_least(least) if isinstance(scheme.time, Residual) else None
        result[node.name] = LayerBits(scheme.bits.at_least(least), residual)
    return result


def points(network: Network, bits: dict[str, LayerBits]) -> dict[str, QuantizationPoint]:
    """The quantizer at the input of every layer that is quantized, by the layer's name."""
    return {
        node.name: QuantizationPoint(
            node.inputs[0],
            bits[node.name].key.activations,
            residual.activations if (residual := bits[node.name].residual) else None,
        )
        for node in network.layers
        if not bits[node.name].is_float
    }


def float_layers(network: Network, scheme: Scheme) -> set[str]:
    """The layers that stay in floating point whatever the scheme's bits are.

    Raises `SchemeError` where the scheme names a layer that is none.
    """
    names = [node.name for node in network.layers]
    given = {}
    for word, patterns in (("keep-float", scheme.keep_float), ("quantize", scheme.quantize)):
        for pattern in patterns:
            if not any(is_named(name, pattern) for name in names):
                near = get_close_matches(pattern, names, n=3, cutoff=0.3) or names[-3:]
                raise SchemeError(
                    f"{word}={pattern}: {network.name} has no such layer; did you mean {', '.join(near)}?"
                )
        given[word] = {name for name in names if any(is_named(name, pattern) for pattern in patterns)}
    return (weighing_layers(network) - given["quantize"]) | given["keep-float"]


def is_named(layer: str, name: str) -> bool:
    """Whether a name is a layer's, or that of a module it is in."""
    return layer == name or layer.startswith((f"{name}.", f"{name}/"))


def weighing_layers(network: Network) -> set[str]:
    """The last layers that read a softmax, moved or not: they give the mean of a distribution."""
    shares: set[str] = set()  # values that are distributions
    for node in network.nodes:
        if node.op == "softmax" or (node.op in _MOVES and node.inputs[0] in shares):
            shares.add(node.name)
    tail = tail_layers(network)
    return {node.name for node in network.layers if node.name in tail and node.inputs[0] in shares}


def head_layers(network: Network) -> set[str]:
    """The layers that see the network's input through no other layer."""
    fresh = {network.input}  # values that no layer stands before; those of constants are such too
    head = set()
    for node in network.nodes:
        if all(value in fresh for value in node.inputs):
            if node.is_layer:
                head.add(node.name)
            else:
                fresh.add(node.name)
    return head


def tail_layers(network: Network) -> set[str]:
    """The layers that reach an output through no other layer."""
    reaching = set(network.outputs.values())
    tail = set()
    for node in reversed(network.nodes):
        if node.name in reaching:
            if node.is_layer:
                tail.add(node.name)
            else:
                reaching.update(node.inputs)
    return tail
