"""Random single ONNX operators, for `operator_sweep`: every operator that the reader knows, in every form
that its text allows, and some that it forbids.

`GENERATORS` has one function per operator of `onnx_reader.OPERATORS`. It draws from a `Dice` and returns a
`Drawn`: attributes, shapes, constants, opset. Numbers are drawn so that small sizes, edges (a size of 1, a
window as large as the map, an axis counted from the back) and odd mixtures come often. Long because each of
some forty operators has its function, and they stand in one table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

Array = NDArray[Any]
GENERATORS: dict[str, Callable[[Dice], Drawn]] = {}
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


def _drawn(function: Callable[[Dice], Drawn]) -> Callable[[Dice], Drawn]:
    GENERATORS[function.__name__.removeprefix("draw_")] = function
    return function


def _pair(dice: Dice, low: int, high: int) -> list[int]:
    return [dice.whole(low, high), dice.whole(low, high)]


@_drawn
def draw_Conv(dice: Dice) -> Drawn:
    x = dice.image()
    group = dice.one([1, 1, x[1], 2 if x[1] % 2 == 0 else 1])
    kernel, channels = _pair(dice, 1, 4), group * dice.whole(1, 3)
    inputs = ["x", dice.floats(channels, x[1] // group, *kernel)]
    if dice.chance(0.5):
        inputs.append(dice.floats(channels) if dice.chance(0.95) else dice.floats(channels + 1))
    attributes = {**dice.padding(3), "group": group}
    if dice.chance(0.8):
        attributes["strides"] = _pair(dice, 1, 3)
    if dice.chance(0.5):
        attributes["dilations"] = _pair(dice, 1, 3)
    if dice.chance(0.5):
        attributes["kernel_shape"] = kernel if dice.chance(0.97) else kernel[::-1]
    return Drawn("Conv", x, inputs, attributes, opset=dice.opset())


@_drawn
def draw_ConvTranspose(dice: Dice) -> Drawn:
    conv = draw_Conv(dice)
    x, attributes = conv.shape, conv.attributes
    group = attributes["group"]
    kernel, channels = conv.inputs[1].shape[2:], group * dice.whole(1, 3)
    inputs = ["x", dice.floats(x[1], channels // group, *kernel)]
    if dice.chance(0.5):
        inputs.append(dice.floats(channels))
    if dice.chance(0.4):
        attributes["output_padding"] = _pair(dice, 0, 2)
    if dice.chance(0.3):
        strides = attributes.get("strides", [1, 1])
        sizes = [n * s + dice.whole(-2, 3) for n, s in zip(x[2:], strides, strict=True)]
        attributes["output_shape"] = [max(1, size) for size in sizes]
    return Drawn("ConvTranspose", x, inputs, attributes, opset=dice.opset())


def _pool(dice: Dice, op: str) -> Drawn:
    x, opset = dice.image(), dice.opset()
    kernel = _pair(dice, 1, 4)
    attributes = {**dice.padding(3 if dice.chance(0.2) else 1), "kernel_shape": kernel}
    if dice.chance(0.8):
        attributes["strides"] = _pair(dice, 1, 3)
    if opset >= 10 and dice.chance(0.5):
        attributes["ceil_mode"] = dice.whole(0, 1)
    if op == "AveragePool" and dice.chance(0.6):
        attributes["count_include_pad"] = dice.whole(0, 1)
    if opset >= (19 if op == "AveragePool" else 10) and dice.chance(0.3):
        attributes["dilations"] = _pair(dice, 1, 3)
    if op == "MaxPool" and opset >= 8 and dice.chance(0.2):
        attributes["storage_order"] = dice.whole(0, 1)
    return Drawn(op, x, ["x"], attributes, opset=opset)


@_drawn
def draw_MaxPool(dice: Dice) -> Drawn:
    return _pool(dice, "MaxPool")


@_drawn
def draw_AveragePool(dice: Dice) -> Drawn:
    return _pool(dice, "AveragePool")


@_drawn
def draw_GlobalAveragePool(dice: Dice) -> Drawn:
    return Drawn("GlobalAveragePool", dice.shape(2), ["x"], opset=dice.opset())


@_drawn
def draw_GlobalMaxPool(dice: Dice) -> Drawn:
    return Drawn("GlobalMaxPool", dice.shape(2), ["x"], opset=dice.opset())


@_drawn
def draw_Gemm(dice: Dice) -> Drawn:
    opset, rows, features, out = dice.opset(), dice.whole(1, 4), dice.whole(1, 6), dice.whole(1, 5)
    attributes: dict[str, Any] = {}
    for name in ("alpha", "beta"):
        if dice.chance(0.5):
            attributes[name] = dice.one([1.0, 0.5, 2.0, -1.5, 0.0])
    for name in ("transA", "transB"):
        if dice.chance(0.5):
            attributes[name] = int(dice.chance(0.2 if name == "transA" else 0.5))
    shape = (features, rows) if attributes.get("transA") else (rows, features)
    weight = dice.floats(out, features) if attributes.get("transB") else dice.floats(features, out)
    inputs: list[Any] = ["x", weight]
    if opset < 11 or dice.chance(0.7):
        c = dice.one([(out,), (1, out), (1,), (1, 1), (), (rows, 1), (rows, out)])
        inputs.append(np.asarray(dice.floats(*c), np.float32))
    elif dice.chance(0.3):
        inputs.append(None)
    return Drawn("Gemm", shape, inputs, attributes, opset=opset)


@_drawn
def draw_MatMul(dice: Dice) -> Drawn:
    x = dice.shape()
    weight = dice.one([(x[-1], dice.whole(1, 5))] * 4 + [(x[-1],), (2, x[-1], 3)])
    inputs = ["x", dice.floats(*weight)]
    if dice.chance(0.1):
        inputs = [dice.floats(dice.whole(1, 4), x[-2] if len(x) > 1 else x[-1]), "x"]
    return Drawn("MatMul", x, inputs, opset=dice.opset())


@_drawn
def draw_BatchNormalization(dice: Dice) -> Drawn:
    x, opset = dice.shape(2), dice.opset()
    channels = x[1] if dice.chance(0.97) else x[1] + 1
    inputs = ["x", *(dice.floats(channels) for _ in range(3)), np.abs(dice.floats(channels)) + 0.1]
    attributes: dict[str, Any] = {}
    if dice.chance(0.7):
        attributes["epsilon"] = dice.one([1e-3, 1e-5, 0.0, 0.5])
    if dice.chance(0.3):
        attributes["momentum"] = 0.5
    if opset >= 14 and dice.chance(0.2):
        attributes["training_mode"] = dice.whole(0, 1)
    if opset < 9 and dice.chance(0.3):
        attributes["spatial"] = 1
    return Drawn("BatchNormalization", x, inputs, attributes, opset=opset)


@_drawn
def draw_Softmax(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    attributes = {"axis": dice.axis(len(x), opset)} if dice.chance(0.7) else {}
    return Drawn("Softmax", x, ["x"], attributes, opset=opset)


@_drawn
def draw_PRelu(dice: Dice) -> Drawn:
    x = dice.shape()
    channel = (x[1], *[1] * (len(x) - 2)) if len(x) > 1 else (1,)
    shapes = [(1,), channel, channel, (1, *channel), x, x[1:], x[-1:], (1,) * len(x), (1,) * (len(x) + 1), ()]
    return Drawn("PRelu", x, ["x", dice.floats(*dice.one(shapes))], opset=dice.opset())


def _limit(dice: Dice) -> float:
    return float(dice.one([-0.5, 0.0, 0.7, 6.0, -3.4028234663852886e38, 3.4028234663852886e38]))


@_drawn
def draw_Clip(dice: Dice) -> Drawn:
    opset = dice.opset()
    which = dice.one([(1, 1), (1, 0), (0, 1), (0, 0)])
    low, high = (_limit(dice) if used else None for used in which)
    if opset < 11:
        limits = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
        return Drawn("Clip", dice.shape(), ["x"], limits, opset=opset)
    shape = () if dice.chance(0.9) else (1,)
    inputs = ["x", *(None if v is None else np.full(shape, v, np.float32) for v in (low, high))]
    return Drawn("Clip", dice.shape(), inputs, opset=opset)


@_drawn
def draw_HardSigmoid(dice: Dice) -> Drawn:
    attributes = {"alpha": dice.one([0.3, 1.0, -0.2]), "beta": dice.one([0.4, 0.0])}
    if dice.chance(0.5):
        attributes = {}
    return Drawn("HardSigmoid", dice.shape(), ["x"], attributes, opset=dice.opset())


def _slope(dice: Dice, op: str) -> Drawn:
    attributes = {"alpha": dice.one([0.3, 1.0, 0.0, -0.5, 2.0])} if dice.chance(0.7) else {}
    return Drawn(op, dice.shape(), ["x"], attributes, opset=dice.opset())


@_drawn
def draw_LeakyRelu(dice: Dice) -> Drawn:
    return _slope(dice, "LeakyRelu")


@_drawn
def draw_Elu(dice: Dice) -> Drawn:
    return _slope(dice, "Elu")


@_drawn
def draw_Gelu(dice: Dice) -> Drawn:
    attributes = {"approximate": dice.one(["none", "tanh"])} if dice.chance(0.7) else {}
    return Drawn("Gelu", dice.shape(), ["x"], attributes, opset=dice.opset(20))


@_drawn
def draw_Cast(dice: Dice) -> Drawn:
    kinds = ["FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16", "INT64"]
    to = TensorProto.DataType.Value(dice.one(kinds))
    return Drawn("Cast", dice.shape(), ["x"], {"to": to}, opset=dice.opset())


@_drawn
def draw_Dropout(dice: Dice) -> Drawn:
    opset = dice.opset()
    if opset < 12:
        return Drawn("Dropout", dice.shape(), ["x"], {"ratio": 0.3} if dice.chance(0.5) else {}, opset=opset)
    more = dice.one([[], [np.float32(0.3)], [np.float32(0.3), np.array(False)], [None, np.array(False)],
                     [np.float32(0.0), np.array(True)]])  # fmt: skip
    return Drawn("Dropout", dice.shape(), ["x", *map(_array, more)], opset=opset)


def _array(value: Any) -> Any:
    return None if value is None else np.asarray(value)


def _alone(op: str, first: int) -> None:
    """An operator of one input and no attributes."""

    def draw(dice: Dice) -> Drawn:
        return Drawn(op, dice.shape(), ["x"], opset=dice.opset(first))

    GENERATORS[op] = draw


for _op, _first in (("Relu", 7), ("Sigmoid", 7), ("Tanh", 7), ("Neg", 7), ("Identity", 7)):
    _alone(_op, _first)
_alone("Erf", 9)
_alone("HardSwish", 14)


def _arithmetic(op: str) -> None:
    """An operator of two inputs that are broadcast to each other."""

    def draw(dice: Dice) -> Drawn:
        x = dice.shape()
        other = [n if dice.chance(0.6) else 1 for n in x]
        other = dice.one([other, other, other[dice.whole(0, len(x)) :], [2, *x], []])
        constant = np.asarray(dice.floats(*other) + (3 if op == "Div" else 0), np.float32)
        inputs = dice.one([["x", constant], [constant, "x"], ["x", "x"]])
        return Drawn(op, x, inputs, opset=dice.opset())

    GENERATORS[op] = draw


for _op in ("Add", "Sub", "Mul", "Div"):
    _arithmetic(_op)


def _reduction(op: str) -> None:
    def draw(dice: Dice) -> Drawn:
        x, opset = dice.shape(), dice.opset()
        as_input = opset >= 18
        attributes: dict[str, Any] = {"keepdims": dice.whole(0, 1)} if dice.chance(0.7) else {}
        inputs: list[Any] = ["x"]
        if as_input and dice.chance(0.4):
            attributes["noop_with_empty_axes"] = dice.whole(0, 1)
        if dice.chance(0.85):
            axes = dice.axes(len(x), opset)
            if as_input:
                inputs.append(np.array([] if dice.chance(0.1) else axes, np.int64))
            else:
                attributes["axes"] = axes
        return Drawn(op, x, inputs, attributes, opset=opset)

    GENERATORS[op] = draw


_reduction("ReduceMean")
_reduction("ReduceMax")
