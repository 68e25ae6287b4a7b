"""What a task is: how far an output agrees with a reference, and how it looks on the frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import DataError
from videoquant.network.frames import as_array
from videoquant.network.preprocessing import Preprocessing

# Operators that move or average values, so that what lies in 0..1 stays there.
_KEEPS_RANGE = ("reshape", "permute", "resize", "slice")
# How much worse than the best still counts as near it, by a measure's unit.
_CLOSE = {"": 0.02, "%": 1.0, "dB": 3.0}


@dataclass(frozen=True)
class Measure:
    """How a number is called and written.

    name: the key in JSON.
    label: what a table calls it.
    unit: written after the number, "%", "dB", or "" for a share of 1.
    digits: after the decimal point.
    """

    name: str
    label: str
    unit: str = ""
    higher_is_better: bool = True
    digits: int = 3

    def format(self, value: float) -> str:
        """The number as a table shows it, e.g. "31.42 dB"."""
        return f"{value:.{self.digits}f} {self.unit}".rstrip()

    @property
    def close(self) -> float:
        """How much worse than the best still counts as near it: 0.02 of a share, 1 %, 3 dB."""
        return _CLOSE[self.unit]

    def gain(self, value: float, other: float) -> float:
        """By how much `value` is better than `other`, in the measure's unit; below 0 where it is worse."""
        return value - other if self.higher_is_better else other - value


class GraphNode(Protocol):
    """What a task reads of a network's node; see `network.graph.Node`."""

    @property
    def name(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def inputs(self) -> Sequence[str]: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...
    @property
    def is_layer(self) -> bool: ...


class Graph(Protocol):
    """What a task reads of a network to see what its outputs mean; see `network.graph.Network`."""

    input: str
    outputs: dict[str, str]
    preprocessing: Preprocessing

    @property
    def nodes(self) -> Sequence[GraphNode]: ...
    @property
    def tensors(self) -> Mapping[str, Any]: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...


@dataclass(frozen=True)
class Task(ABC):
    """What a network's outputs mean.

    primary: the output whose SQNR stands for the network.
    size: (height, width) of the network's input.
    preprocessing: how the frame became that input.
    """

    name: ClassVar[str]  # one of preprocessing.TASKS

    primary: str
    size: tuple[int, int]
    preprocessing: Preprocessing

    @classmethod
    @abstractmethod
    def of(cls, network: Graph) -> Task | None:
        """The task where the network's outputs are of this kind; None where they are not."""

    @property
    @abstractmethod
    def measures(self) -> tuple[Measure, ...]:
        """The measures of `agreement.agreement_for`, the most telling first."""

    @abstractmethod
    def draw(self, pixels: NDArray[np.uint8], outputs: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The outputs (N = 1) over their frame: uint8 RGB of the frame's height and width.

        pixels: uint8 RGB, H×W×3, left as it is. Super-resolution gives the upscaled picture instead.
        """


def one(outputs: Mapping[str, Any], name: str) -> NDArray[np.float32]:
    """The output `name` of a single frame, an array or a tensor, as float32 without the dimension N."""
    return as_array(single(outputs, name)[0]).astype(np.float32, copy=False)


def single(outputs: Mapping[str, Any], name: str) -> Any:
    """The output `name`, checked to be of one frame. Raises `DataError`."""
    if name not in outputs:
        raise DataError(f"output {name!r} is missing; there are {', '.join(map(repr, outputs)) or 'none'}")
    tensor = outputs[name]
    if tensor.ndim < 2 or tensor.shape[0] != 1:
        raise DataError(f"output {name!r} must hold one frame (N = 1); its shape is {tuple(tensor.shape)}")
    return tensor


def threshold_of(network: Graph, output: str) -> float:
    """Where an output turns from no to yes: 0.5 for probabilities, 0 for logits.

    The graph decides, not the data: an output is a probability where it comes from a sigmoid, a softmax or a
    clamp to 0..1, possibly resized or reshaped afterwards.
    """
    return 0.5 if is_probability(network, output) else 0.0


def probability(values: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Values as probabilities for drawing: logits (threshold 0) through the sigmoid; 0 where not finite."""
    values = np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return sigmoid(values) if threshold == 0 else values.clip(0, 1)


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + e^−x), computed in float64 and rounded to float32 once."""
    with np.errstate(over="ignore"):  # e^x is infinite far below 0, and its inverse 0
        return (1 / (1 + np.exp(-values.astype(np.float64)))).astype(np.float32)


def is_probability(network: Graph, output: str) -> bool:
    """Whether the graph confines an output to 0..1; see `threshold_of`."""
    nodes = {node.name: node for node in network.nodes}
    node = nodes.get(network.outputs[output])
    while node is not None and node.op in _KEEPS_RANGE:
        node = nodes.get(node.inputs[0])
    return node is not None and _confines(node)


def _confines(node: GraphNode) -> bool:
    if node.op == "clamp":
        return (node.attributes.get("min"), node.attributes.get("max")) == (0, 1)
    return node.op in ("sigmoid", "hardsigmoid", "softmax")
