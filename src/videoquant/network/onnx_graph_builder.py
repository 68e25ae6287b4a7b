"""The ONNX graph while `onnx_writer` writes it: nodes and constants in order, under names of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor

from videoquant.errors import NetworkError
from videoquant.network.graph import Node, unique

Form = Callable[
    ..., None
]  # writes one operator: gets the `OnnxGraphBuilder`, the names of its inputs, its attributes
T = TypeVar("T", bound=Form)


class OnnxEmitters(dict[str, Form]):
    """How operators are written: operator → form."""

    def register(self, form: T) -> T:
        self[form.__name__] = form
        return form


class OnnxGraphBuilder:
    """Collects what the forms of `onnx_emitters` write.

    network: its name, for messages.
    taken: the names of all values of the file.
    nodes, tensors: what has been written.
    result: the name of the value that the node in hand gives.
    shapes: of the values it reads.
    shape: of the value it gives.
    """

    def __init__(self, network: str, taken: Iterable[str]) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []
        self._taken = set(taken)
        self.begin(Node("", ""), [], (), "")

    def take(self, names: Iterable[str]) -> None:
        """Keep these names from what is written on the way."""
        self._taken.update(names)

    def begin(
        self, node: Node, shapes: Sequence[tuple[int, ...]], shape: tuple[int, ...], result: str
    ) -> None:
        """Turn to the next node of the network."""
        self._node, self.shapes, self.shape, self.result = node, shapes, shape, result

    def tensor(self, value: Tensor | NDArray[Any], part: str) -> str:
        """Add a constant and return its name: the node's, and what it is of it, e.g. "conv1.weight"."""
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        name = self._name(part)
        self.tensors.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def integers(self, values: Sequence[int], part: str) -> str:
        return self.tensor(np.array(values, dtype=np.int64), part)

    def number(self, value: float, part: str) -> str:
        return self.tensor(np.array(value, dtype=np.float32), part)

    def write(self, op: str, *inputs: str, **attributes: Any) -> None:
        """Add the ONNX node that gives the result of the node in hand."""
        self.nodes.append(helper.make_node(op, inputs, [self.result], name=self._node.name, **attributes))

    def write_first(self, op: str, *inputs: str, **attributes: Any) -> None:
        """As `write`, by a node of two outputs, the second of which nobody reads."""
        outputs = [self.result, self._name("unread")]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=self._node.name, **attributes))

    def step(
        self, op: str, *inputs: str, part: str, which: int = 0, count: int = 1, **attributes: Any
    ) -> str:
        """Add an ONNX node on the way to the result; returns the name of what it gives.

        which, count: the number of the output that is meant, and how many there are.
        """
        name = self._name(part)
        outputs = [self._name("unread") for _ in range(max(count, which + 1))]
        outputs[which] = name
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))
        return name

    def refuse(self, reason: str) -> NetworkError:
        return NetworkError(f"{self.network}: node {self._node.name!r} ({self._node.op}): {reason}")

    def _name(self, part: str) -> str:
        name = unique(f"{self._node.name}.{part}", self._taken)
        self._taken.add(name)
        return name
