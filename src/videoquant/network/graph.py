"""The captured network: one graph of named nodes that every other part reads, and nothing hidden in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, overload

import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.markup import facts
from videoquant.network.inputs import prepare_tensor
from videoquant.network.operators import LAYERS, OPERATORS, on_meta
from videoquant.network.preprocessing import Preprocessing
from videoquant.regions.places import placeless
from videoquant.torch_settings import plain_math


@dataclass(frozen=True)
class Node:
    """One operator of the graph.

    name: unique; for layers, the name their author gave them. The node's output has the same name.
    op: a key of `operators.OPERATORS`.
    inputs: the names of the values it reads: other nodes, or the network's input.
    attributes: JSON values, the operator's keyword arguments.
    tensors: which tensors it owns, e.g. ("weight", "bias"); they stand in `Network.tensors` as "name.weight".
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: tuple[str, ...] = ()

    @property
    def is_layer(self) -> bool:
        """Whether this node multiplies by weights (convolution or linear), so that it can be quantized."""
        return self.op in LAYERS


# What flows along the edges: a Tensor, or whatever the caller's `compute` takes and gives.
Value = TypeVar("Value")
# Computes one node from the values it reads; `Network.apply` is the floating-point one.
Compute = Callable[[Node, list[Value]], Value]


class Network:
    """A network as a graph: nodes in the order they run, one input, named outputs, batch norm folded.

    nodes: in topological order.
    input: name of the input value.
    input_shape: N×C×H×W it was captured with, e.g. (1, 3, 256, 256).
    outputs: output name → name of the value, e.g. {"mask": "head.conv"}.
    tensors: parameters by node and short name, float32, e.g. "conv1.weight": 64×3×7×7.
    preprocessing: how a frame becomes the input.
    name: what reports call it.
    metadata: what its ONNX file says beside the graph, by key, as text (`network.metadata`).
    states: by the name of a node "state", the value that it is on the next frame, of the same shape. Such a
        node reads the input, but only for how many frames that holds; on the first frame it is 0. `run` knows
        one frame, the first of a video; streams carry states on (`float_stream.FloatStream`).
    last_read: by a node's name, the values that nobody needs once it has read its inputs.

    Raises `NetworkError` for a graph that does not hold together or weights that are not finite.
    Calling it runs it in floating point: a Tensor N×C×H×W gives a Tensor, or {name: Tensor} where there are
    several outputs.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        input: str,
        input_shape: Sequence[int],
        outputs: dict[str, str],
        tensors: dict[str, Tensor],
        preprocessing: Preprocessing | None = None,
        name: str = "network",
        metadata: Mapping[str, str] | None = None,
        states: Mapping[str, str] | None = None,
    ) -> None:
        self.nodes = tuple(nodes)
        self.input = input
        self.input_shape = tuple(input_shape)
        self.outputs = dict(outputs)
        self.tensors = tensors
        self.preprocessing = preprocessing or Preprocessing()
        self.name = name
        self.metadata = dict(metadata or {})
        self.states = dict(states or {})
        self._check()
        self.last_read = self._last_read()

    def with_tensors(self, tensors: dict[str, Tensor]) -> Network:
        """The same graph with other tensors, of the same names but for biases that layers did not have."""
        nodes = [
            replace(node, tensors=(*node.tensors, "bias"))
            if node.is_layer and "bias" not in node.tensors and f"{node.name}.bias" in tensors
            else node
            for node in self.nodes
        ]
        return self.rewritten(nodes, tensors)

    def rewritten(
        self, nodes: Sequence[Node], tensors: dict[str, Tensor], input_shape: Sequence[int] | None = None
    ) -> Network:
        """A network of other nodes and tensors; the input's name, the outputs and all else are this one's."""
        of = (nodes, self.input, input_shape or self.input_shape, self.outputs, tensors)
        return Network(*of, self.preprocessing, self.name, self.metadata, self.states)

    @property
    def layers(self) -> list[Node]:
        """The convolutions and linear layers, in order."""
        return [node for node in self.nodes if node.is_layer]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the input."""
        return self.input_shape[2], self.input_shape[3]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every value, by name, for an input of `input_shape`. Nothing is computed for it."""
        shapes = {self.input: self.input_shape}
        meta = {name: torch.empty_like(t, device="meta") for name, t in self.tensors.items()}

        def record(node: Node, inputs: list[Tensor]) -> Tensor:
            y = on_meta(node.op, inputs, {t: meta[f"{node.name}.{t}"] for t in node.tensors}, node.attributes)
            shapes[node.name] = tuple(y.shape)
            return y

        self.run(torch.empty(self.input_shape, dtype=torch.float32, device="meta"), record)
        return shapes

    @cached_property
    def macs(self) -> dict[str, int]:
        """Multiply–accumulates of each layer for an input of `input_shape`, by name."""
        counts = {}
        for node in self.layers:
            weight = self.tensors[f"{node.name}.weight"]
            # A convolution uses its kernel once per output pixel, a transposed one once per input pixel.
            shape = self.shapes[node.inputs[0] if node.op == "conv_transpose2d" else node.name]
            places = _product(shape[:-1]) if node.op == "linear" else shape[0] * _product(shape[2:])
            counts[node.name] = places * weight.numel()
        return counts

    @cached_property
    def placeless(self) -> frozenset[str]:
        """The nodes whose values do not lie where the input does (`regions.places`)."""
        kernels = {
            node.name: (shape[2], shape[3])
            for node in self.layers
            if len(shape := self.tensors[f"{node.name}.weight"].shape) == 4
        }
        return placeless(self.nodes, self.shapes, self.size, kernels)

    @cached_property
    def becomes(self) -> dict[str, tuple[str, ...]]:
        """The states that a value is on the next frame, by the value's name."""
        values = dict.fromkeys(self.states.values())
        return {value: tuple(s for s, v in self.states.items() if v == value) for value in values}

    @cached_property
    def readers(self) -> dict[str, list[Node]]:
        """The nodes that read each value, by the value's name."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def node_tensors(self, node: Node) -> dict[str, Tensor]:
        """The tensors a node owns, by their short names ("weight", "bias")."""
        return {short: self.tensors[f"{node.name}.{short}"] for short in node.tensors}

    def apply(self, node: Node, inputs: list[Tensor]) -> Tensor:
        """Compute one node in floating point. Raises `NetworkError` where it cannot."""
        with refused_as(NetworkError, f"{self.name}: node {node.name!r}, {node.op}, cannot run"):
            return OPERATORS[node.op](*inputs, **self.node_tensors(node), **node.attributes)

    @overload
    def run(self, x: Tensor) -> dict[str, Tensor]: ...

    @overload
    def run(self, x: Value, compute: Compute[Value]) -> dict[str, Value]: ...

    def run(self, x: Any, compute: Compute[Any] | None = None) -> dict[str, Any]:
        """Run the graph on an input N×C×H×W and return its outputs by name.

        compute: what is done at each node in place of `apply`; simulation and calibration pass theirs, and
        may let other things than tensors flow.
        A value is dropped as soon as its last reader has run, so memory holds only what is still needed.
        """
        compute = compute or self.apply
        values = {self.input: x}
        for node in self.nodes:
            inputs = [values[name] for name in node.inputs]
            for name in self.last_read.get(node.name, ()):
                del values[name]
            values[node.name] = compute(node, inputs)
            del inputs
        return {name: values[value] for name, value in self.outputs.items()}

    def _repr_html_(self) -> str:
        """Name, shapes and size, as a notebook shows them."""
        outputs = {name: "×".join(map(str, self.shapes[value])) for name, value in self.outputs.items()}
        named = {
            "input": "×".join(map(str, self.input_shape)),
            "outputs": ", ".join(f"{name} {shape}" for name, shape in outputs.items()),
            "layers": f"{len(self.layers)}, {sum(self.macs.values()) / 1e6:,.1f} million MACs",
        }
        return facts(self.name, named)

    def __call__(self, frame: Any) -> Any:
        """Run in floating point without gradients; frame: see `prepare`."""
        with plain_math(), torch.no_grad():
            return unwrap(self.run(self.prepare(frame)))

    def prepare(self, frame: Any) -> Tensor:
        """The network's input for a frame: a picture of any kind (`network.frames`), or the input itself.

        Raises `DataError` for what is neither, or where an input has another shape than `input_shape`, or is
        not finite.
        """
        return prepare_tensor(frame, self.preprocessing, self.input_shape, self.name)

    def _check(self) -> None:
        if len(self.input_shape) != 4:
            raise NetworkError(f"{self.name}: the input must be an image N×C×H×W; it is {self.input_shape}")
        twice = [name for name, n in Counter([self.input, *(n.name for n in self.nodes)]).items() if n > 1]
        if twice:
            raise NetworkError(f"{self.name}: two nodes are named {twice[0]!r}")
        known = {self.input}
        for node in self.nodes:
            if node.op not in OPERATORS:
                raise NetworkError(f"{self.name}: node {node.name!r} has the unknown operator {node.op!r}")
            missing = [v for v in node.inputs if v not in known]
            missing += [f"{node.name}.{t}" for t in node.tensors if f"{node.name}.{t}" not in self.tensors]
            if missing:
                raise NetworkError(
                    f"{self.name}: node {node.name!r} reads {missing[0]!r}, which does not exist"
                )
            known.add(node.name)
        for output, value in self.outputs.items():
            if value not in known:
                raise NetworkError(f"{self.name}: output {output!r} reads {value!r}, which does not exist")
        if self.states.keys() != {node.name for node in self.nodes if node.op == "state"}:
            raise NetworkError(f"{self.name}: its states are not its nodes of the operator state")
        for state, value in self.states.items():
            if value not in known:
                raise NetworkError(f"{self.name}: state {state!r} becomes {value!r}, which does not exist")
        # A constant may be infinite, as masks are.
        masks = {f"{node.name}.value" for node in self.nodes if node.op == "constant"}
        for name, tensor in self.tensors.items():
            wrong = torch.isnan if name in masks else _not_finite
            if tensor.is_floating_point() and bool(wrong(tensor).any()):
                layer, _, short = name.rpartition(".")
                raise NetworkError(f"{self.name}: {short} of layer {layer!r} holds NaN or infinity")

    def _last_read(self) -> dict[str, list[str]]:
        """Which values can be dropped once a node has read its inputs, by the node's name."""
        last: dict[str, str] = {}
        for node in self.nodes:
            for value in node.inputs:
                last[value] = node.name
        drop: dict[str, list[str]] = {}
        kept = {*self.outputs.values(), *self.states.values()}
        for value, reader in last.items():
            if value not in kept:
                drop.setdefault(reader, []).append(value)
        return drop


def unwrap(outputs: dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
    """A network's only output as it is, several as they are named."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def unique(name: str, taken: Container[str]) -> str:
    """`name`, or `name_2`, `name_3`, … where it is taken."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    return candidate


def _product(numbers: Iterable[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _not_finite(x: Tensor) -> Tensor:
    return ~torch.isfinite(x)
