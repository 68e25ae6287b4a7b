"""One random ONNX operator, and the draws it is made of (`benchmarks/operator_sweep.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SAME_BELOW = 7  # older operators mean something else, and ONNX Runtime does not promise to run them
OPSETS = (7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 19, 20, 21)


@dataclass
class Drawn:
    """One operator: its inputs ("x" is what flows at run time, None is left out), attributes, outputs."""

    op: str
    shape: tuple[int, ...]
    inputs: list[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    opset: int = 13
    takes: int = 1  # the type that x has for it (TensorProto): float by default
    gives: tuple[int, ...] = ()  # the types of its outputs (TensorProto), where they are not all float

    def __str__(self) -> str:
        constants = [f"{v.dtype}{v.shape} {v.tolist() if v.size < 10 else '…'}" if isinstance(v, np.ndarray)
                     else str(v) for v in self.inputs]  # fmt: skip
        return f"{self.op}-{self.opset} on {self.shape}: {'; '.join(constants)}; {self.attributes}"


class Dice:
    """Random draws in this field's terms, reproducible from a seed."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.numbers = np.random.default_rng(seed)

    def whole(self, low: int, high: int) -> int:
        """low to high, both included."""
        return int(self.numbers.integers(low, high + 1))

    def one(self, values: Sequence[Any]) -> Any:
        return values[self.whole(0, len(values) - 1)]

    def pair(self, low: int, high: int) -> list[int]:
        return [self.whole(low, high), self.whole(low, high)]

    def chance(self, share: float) -> bool:
        return bool(self.numbers.random() < share)

    def floats(self, *shape: int) -> Array:
        return self.numbers.standard_normal(shape).astype(np.float32)

    def integers(self, values: Sequence[int]) -> Array:
        return np.array(values, self.one([np.int64] * 5 + [np.int32]))

    def opset(self, first: int = SAME_BELOW, last: int = 21) -> int:
        return int(self.one([opset for opset in OPSETS if first <= opset <= last]))

    def image(self) -> tuple[int, ...]:
        return self.one([1, 1, 1, 2]), self.whole(1, 6), self.whole(1, 12), self.whole(1, 12)

    def shape(self, low: int = 1, high: int = 5) -> tuple[int, ...]:
        """A tensor of any rank; half of them are images."""
        if self.chance(0.5):
            return self.image()
        return tuple(self.whole(1, 6) for _ in range(self.whole(low, high)))

    def axis(self, rank: int, opset: int, negative_from: int = 11) -> int:
        """An axis, from the back too where the opset has that; now and then one that does not exist."""
        low = -rank if opset >= negative_from else 0
        if self.chance(0.02):
            return rank + self.whole(0, 2)
        return self.whole(low, rank - 1)

    def axes(self, rank: int, opset: int, negative_from: int = 11) -> list[int]:
        """Some axes in any order, each once; now and then one twice."""
        chosen = self.numbers.permutation(rank)[: self.whole(1, rank)].tolist()
        if self.chance(0.02):
            chosen.append(chosen[0])
        negative = opset >= negative_from
        return [axis - rank if negative and self.chance(0.4) else axis for axis in chosen]

    def pads(self, largest: int) -> list[int]:
        """(top, left, bottom, right): none, even, uneven."""
        match self.whole(0, 3):
            case 0:
                return [self.whole(0, largest)] * 4
            case 1:
                return [self.whole(0, largest), self.whole(0, largest)] * 2
            case 2:
                return [0] * 4
        return [self.whole(0, largest) for _ in range(4)]

    def padding(self, largest: int) -> dict[str, Any]:
        """Padding in one of the ways a window can have it."""
        how = self.one(["pads"] * 4 + ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", ""])
        if how == "pads":
            return {"pads": self.pads(largest)}
        return {"auto_pad": how} if how else {}


def as_line(drawn: Drawn) -> Drawn:
    """A window over N×C×H×W as one over N×C×W: without its rows."""
    attributes = {
        name: value[-1:] if isinstance(value, list) and name != "pads" else value
        for name, value in drawn.attributes.items()
    }
    if "pads" in attributes:
        attributes["pads"] = attributes["pads"][1::2]
    inputs = [value[:, :, 0] if isinstance(value, np.ndarray) and value.ndim == 4 else value
              for value in drawn.inputs]  # fmt: skip
    return replace(drawn, shape=(*drawn.shape[:2], drawn.shape[3]), inputs=inputs, attributes=attributes)
