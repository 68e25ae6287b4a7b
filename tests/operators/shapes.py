"""ONNX operators that change a shape alone. No plan has them."""

import math

import numpy as np

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.tables import onnx


@onnx("Reshape")
def draw_reshape(dice: Dice, op: str) -> Drawn:
    opset = dice.opset()
    x = tuple(dice.one([1, 2, 3, 4, 6]) for _ in range(dice.whole(1, 5)))
    sizes = list(x)
    for _ in range(dice.whole(0, 3)):  # neighbours joined, a size split, ones put in
        at = dice.whole(0, len(sizes) - 1)
        match dice.whole(0, 2):
            case 0 if at + 1 < len(sizes):
                sizes[at : at + 2] = [sizes[at] * sizes[at + 1]]
            case 1 if sizes[at] % 2 == 0:
                sizes[at : at + 1] = [2, sizes[at] // 2]
            case _:
                sizes.insert(at, 1)
    if dice.chance(0.5):
        sizes[dice.whole(0, len(sizes) - 1)] = -1
    if dice.chance(0.4):
        sizes = [0 if i < len(x) and n == x[i] and dice.chance(0.5) else n for i, n in enumerate(sizes)]
    if dice.chance(0.05):
        sizes[dice.whole(0, len(sizes) - 1)] += 1
    if dice.chance(0.03) and math.prod(x) == 1:
        sizes = []
    attributes = {"allowzero": dice.whole(0, 1)} if opset >= 14 and dice.chance(0.2) else {}
    return Drawn(op, x, ["x", np.array(sizes, np.int64)], attributes, opset=opset)


@onnx("Flatten")
def draw_flatten(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    low = -len(x) if opset >= 11 else 0
    high = len(x) + int(dice.chance(0.03))
    attributes = {"axis": dice.whole(low, high)} if dice.chance(0.8) else {}
    return Drawn(op, x, ["x"], attributes, opset=opset)


def _with_axes(dice: Dice, op: str, x: tuple[int, ...], axes: list[int] | None, opset: int) -> Drawn:
    """Squeeze and Unsqueeze: axes are an attribute up to opset 12, an input from 13 on."""
    if axes is None:
        return Drawn(op, x, ["x"], opset=opset)
    if opset < 13:
        return Drawn(op, x, ["x"], {"axes": axes}, opset=opset)
    return Drawn(op, x, ["x", np.array(axes, np.int64)], opset=opset)


@onnx("Squeeze")
def draw_squeeze(dice: Dice, op: str) -> Drawn:
    opset = dice.opset()
    x = tuple(dice.one([1, 1, 2, 3]) for _ in range(dice.whole(1, 5)))
    ones = [i for i, n in enumerate(x) if n == 1]
    if not ones or dice.chance(0.2):
        return _with_axes(dice, op, x, None, opset)
    axes = dice.numbers.permutation(ones)[: dice.whole(1, len(ones))].tolist()
    if dice.chance(0.05):
        axes = [dice.axis(len(x), opset)]
    if opset >= 11:
        axes = [a - len(x) if a >= 0 and dice.chance(0.4) else a for a in axes]
    return _with_axes(dice, op, x, axes, opset)


@onnx("Unsqueeze")
def draw_unsqueeze(dice: Dice, op: str) -> Drawn:
    x, opset, more = dice.shape(1, 3), dice.opset(), dice.whole(1, 3)
    axes = dice.numbers.permutation(len(x) + more)[:more].tolist()
    if dice.chance(0.03):
        axes[0] = len(x) + more
    if opset >= 11:
        axes = [a - len(x) - more if dice.chance(0.4) else a for a in axes]
    return _with_axes(dice, op, x, axes, opset)


@onnx("Transpose")
def draw_transpose(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    attributes = {"perm": dice.numbers.permutation(len(x)).tolist()} if dice.chance(0.8) else {}
    if attributes and dice.chance(0.03):
        attributes["perm"][0] = attributes["perm"][-1]
    return Drawn(op, x, ["x"], attributes, opset=dice.opset())
