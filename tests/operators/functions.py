"""ONNX's operators of two values and more, comparisons, functions with attributes. Few are in plans."""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.operators.onnx_dice import Array, Dice, Drawn
from tests.operators.tables import onnx

BOOL = TensorProto.BOOL


def _beside(dice: Dice, x: tuple[int, ...]) -> list[int]:
    """A shape that broadcasts with x, mostly."""
    other = [n if dice.chance(0.6) else 1 for n in x]
    return dice.one([other, other, other[dice.whole(0, len(x)) :], [2, *x], []])


def _two(dice: Dice, x: tuple[int, ...], constant: Array) -> list[Any]:
    return dice.one([["x", constant], [constant, "x"], ["x", "x"]])


@onnx("Pow")
def draw_pow(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    constant = np.array(dice.one([2.0, 3.0, 0.5, -1.0, 1.0, 0.0]), np.float32)
    if dice.chance(0.4):
        constant = np.asarray(np.abs(dice.floats(*_beside(dice, x))), np.float32)
    inputs = _two(dice, x, constant)
    return Drawn(op, x, inputs, opset=dice.opset())


@onnx("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
def draw_comparison(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    constant = np.asarray(dice.floats(*_beside(dice, x)), np.float32)
    first = {"Equal": 11, "Greater": 9, "Less": 9}.get(op, 12)
    return Drawn(op, x, _two(dice, x, constant), opset=dice.opset(first), gives=(BOOL,))


@onnx("And", "Or", "Not")
def draw_truth(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    other = np.asarray(dice.floats(*_beside(dice, x)) > 0)
    inputs = ["x"] if op == "Not" else _two(dice, x, other)
    return Drawn(op, x, inputs, opset=dice.opset(9), takes=BOOL, gives=(BOOL,))


@onnx("Min", "Max", "Sum", "Mean")
def draw_variadic(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    constants = [np.asarray(dice.floats(*_beside(dice, x)), np.float32) for _ in range(dice.whole(0, 2))]
    inputs = [*constants, "x", *(["x"] if dice.chance(0.2) else [])]
    return Drawn(op, x, inputs, opset=dice.opset(8))


@onnx("Mod")
def draw_mod(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    constant = np.asarray(np.abs(dice.floats(*_beside(dice, x))) + 0.5, np.float32)
    return Drawn(op, x, ["x", constant], {"fmod": 1}, opset=dice.opset(10))


@onnx("Where")
def draw_where(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    condition = np.asarray(dice.floats(*_beside(dice, x)) > 0)
    other = np.asarray(dice.floats(*_beside(dice, x)), np.float32)
    branches = dice.one([["x", other], [other, "x"], ["x", "x"]])
    return Drawn(op, x, [condition, *branches], opset=dice.opset(9))


@onnx("Selu", "Celu")
def draw_scaled(dice: Dice, op: str) -> Drawn:
    attributes: dict[str, Any] = {"alpha": dice.one([0.5, 1.0, 2.0])} if dice.chance(0.6) else {}
    if op == "Selu" and dice.chance(0.5):
        attributes["gamma"] = 1.3
    return Drawn(op, dice.shape(), ["x"], attributes, opset=dice.opset({"Celu": 12}.get(op, 7)))


@onnx("LogSoftmax", "LpNormalization")
def draw_normalized(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset(13)
    attributes: dict[str, Any] = {"axis": dice.axis(len(x), opset)} if dice.chance(0.7) else {}
    if op == "LpNormalization":
        attributes["p"] = dice.whole(1, 2)
    return Drawn(op, x, ["x"], attributes, opset=opset)


@onnx("LayerNormalization")
def draw_layer_norm(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset(17)
    axis = dice.axis(len(x), opset)
    tail = x[axis % len(x) :] if -len(x) <= axis < len(x) else x[-1:]
    inputs: list[Any] = ["x", dice.floats(*tail), *([dice.floats(*tail)] if dice.chance(0.7) else [])]
    attributes: dict[str, Any] = {"axis": axis} if axis not in (-1, len(x) - 1) or dice.chance(0.5) else {}
    if dice.chance(0.5):
        attributes["epsilon"] = dice.one([1e-3, 0.5])
    return Drawn(op, x, inputs, attributes, opset=opset)


@onnx("GroupNormalization")
def draw_group_norm(dice: Dice, op: str) -> Drawn:
    groups, opset = dice.whole(1, 3), 21
    x = (dice.whole(1, 2), groups * dice.whole(1, 3), *dice.pair(1, 6))
    attributes: dict[str, Any] = {"num_groups": groups}
    if dice.chance(0.5):
        attributes["epsilon"] = dice.one([1e-3, 0.5])
    return Drawn(op, x, ["x", dice.floats(x[1]), dice.floats(x[1])], attributes, opset=opset)


@onnx("Einsum")
def draw_einsum(dice: Dice, op: str) -> Drawn:
    n, h, w, c = (dice.whole(1, 4) for _ in range(4))
    equation, x, other = dice.one(
        [
            ("bhqd,bhkd->bhqk", (n, h, w, c), (n, h, 3, c)),
            ("bhqk,bhkd->bhqd", (n, h, w, c), (n, h, c, 5)),
            ("nchw,kc->nkhw", (n, c, h, w), (3, c)),
            ("ij,jk", (h, w), (w, c)),
            ("abc,adc->bd", (n, h, c), (n, w, c)),
            ("bqc,bchw->bqhw", (1, 4, c), (1, c, h, w)),
            ("i,j->ji", (h,), (w,)),
        ]
    )
    return Drawn(op, x, ["x", dice.floats(*other)], {"equation": equation}, opset=dice.opset(12))
