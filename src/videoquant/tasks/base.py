"""What a task is: how far an output agrees with a reference, and how it looks on the frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import DataError
from videoquant.network.graph import Network, Node
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


class Agreement(ABC):
    """The agreement of two streams of outputs, summed up in constant memory; it keeps no output."""

    def __init__(self) -> None:
        self.frames = 0

    def update(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        """Count one frame and return its own measures by name; both hold a network's outputs with N = 1.

        A measure that has nothing to measure, such as keypoints where neither of the two shows any, is left
        out: nothing against nothing is no agreement. A value that is not finite, in either, counts as
        disagreement: no measure is ever NaN.
        Raises `DataError` where an output is missing, has N ≠ 1, or another shape than its reference.
        """
        measures = self._add(reference, output)
        self.frames += 1
        return measures

    def result(self) -> dict[str, float]:
        """The measures of the stream so far, by name, without those that had nothing to measure.

        Raises `DataError` before the first frame.
        """
        if not self.frames:
            raise DataError(
                "no frame has been compared, so there is no agreement to report; call update first"
            )
        return self._pooled()

    @abstractmethod
    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]: ...

    @abstractmethod
    def _pooled(self) -> dict[str, float]: ...


class Mean(Agreement):
    """The mean over the frames of one number per frame.

    measure: its name.
    output: which output is compared.
    score: (reference, output) without N → the number.
    """

    def __init__(self, measure: str, output: str, score: Callable[[Tensor, Tensor], float]) -> None:
        super().__init__()
        self._measure, self._output, self._score = measure, output, score
        self._sum = 0.0

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        score = self._score(*pair(reference, output, self._output))
        self._sum += score
        return {self._measure: score}

    def _pooled(self) -> dict[str, float]:
        return {self._measure: self._sum / self.frames}


class Together(Agreement):
    """Several agreements side by side, e.g. of the landmarks and of the mask."""

    def __init__(self, *parts: Agreement) -> None:
        super().__init__()
        self._parts = parts

    def _add(self, reference: dict[str, Tensor], output: dict[str, Tensor]) -> dict[str, float]:
        return {k: v for part in self._parts for k, v in part.update(reference, output).items()}

    def _pooled(self) -> dict[str, float]:
        return {k: v for part in self._parts for k, v in part.result().items()}


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

    @property
    @abstractmethod
    def measures(self) -> tuple[Measure, ...]:
        """The measures that `agreement` reports, the most telling first."""

    @abstractmethod
    def agreement(self) -> Agreement:
        """A fresh `Agreement` for one stream."""

    @abstractmethod
    def draw(self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor]) -> NDArray[np.uint8]:
        """The outputs (N = 1) over their frame: uint8 RGB of the frame's height and width.

        pixels: uint8 RGB, H×W×3, left as it is. Super-resolution gives the upscaled picture instead.
        """


def pair(reference: dict[str, Tensor], output: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """One output of both networks, float32 without the dimension N; errors as in `Agreement.update`."""
    a, b = one(reference, name), one(output, name)
    if a.shape != b.shape:
        sizes = " and ".join("×".join(map(str, t.shape)) for t in (a, b))
        raise DataError(
            f"output {name!r} differs in shape from its reference ({sizes}); compare equal networks"
        )
    return a, b


def one(outputs: dict[str, Tensor], name: str) -> Tensor:
    """The output `name` of a single frame, float32 on the CPU without the dimension N."""
    if name not in outputs:
        raise DataError(f"output {name!r} is missing; there are {', '.join(map(repr, outputs)) or 'none'}")
    tensor = outputs[name]
    if tensor.dim() < 2 or tensor.shape[0] != 1:
        raise DataError(f"output {name!r} must hold one frame (N = 1); its shape is {tuple(tensor.shape)}")
    return tensor[0].detach().to("cpu", torch.float32)


def threshold_of(network: Network, output: str) -> float:
    """Where an output turns from no to yes: 0.5 for probabilities, 0 for logits.

    The graph decides, not the data: an output is a probability where it comes from a sigmoid, a softmax or a
    clamp to 0..1, possibly resized or reshaped afterwards.
    """
    return 0.5 if is_probability(network, output) else 0.0


def probability(values: Tensor, threshold: float) -> Tensor:
    """Values as probabilities for drawing: logits (threshold 0) through the sigmoid; 0 where not finite."""
    values = torch.nan_to_num(values, nan=float("-inf"), posinf=float("inf"), neginf=float("-inf"))
    return torch.sigmoid(values) if threshold == 0 else values.clamp(0, 1)


def is_probability(network: Network, output: str) -> bool:
    """Whether the graph confines an output to 0..1; see `threshold_of`."""
    nodes = {node.name: node for node in network.nodes}
    node = nodes.get(network.outputs[output])
    while node is not None and node.op in _KEEPS_RANGE:
        node = nodes.get(node.inputs[0])
    return node is not None and _confines(node)


def _confines(node: Node) -> bool:
    if node.op == "clamp":
        return (node.attributes.get("min"), node.attributes.get("max")) == (0, 1)
    return node.op in ("sigmoid", "hardsigmoid", "softmax")
