"""ONNX's operators that pick, repeat or rearrange elements. No plan has most of them."""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.tables import onnx

INT64 = TensorProto.INT64


@onnx("ArgMax", "ArgMin")
def draw_arg(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    attributes: dict[str, Any] = {"axis": dice.axis(len(x), opset)} if dice.chance(0.8) else {}
    if dice.chance(0.6):
        attributes["keepdims"] = dice.whole(0, 1)
    return Drawn(op, x, ["x"], attributes, opset=opset, gives=(INT64,))


@onnx("TopK")
def draw_top_k(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset(10)
    axis = dice.axis(len(x), opset)
    size = x[axis] if -len(x) <= axis < len(x) else 1
    count = dice.whole(1, size) + (1 if dice.chance(0.03) else 0)
    attributes: dict[str, Any] = {"axis": axis}
    if opset >= 11 and dice.chance(0.5):
        attributes["largest"] = dice.whole(0, 1)
    inputs = ["x", np.array([count], np.int64)]
    return Drawn(op, x, inputs, attributes, outputs=2, opset=opset, gives=(TensorProto.FLOAT, INT64))


@onnx("GatherElements")
def draw_gather_elements(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset(11)
    axis = dice.axis(len(x), opset)
    size = x[axis] if -len(x) <= axis < len(x) else 1
    shape = [dice.whole(1, 4) if i == axis % len(x) else dice.whole(1, n) for i, n in enumerate(x)]
    index = dice.numbers.integers(-size, size + dice.chance(0.03), shape)
    return Drawn(op, x, ["x", index], {"axis": axis}, opset=opset)


@onnx("GatherND")
def draw_gather_nd(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset(12)
    batch = dice.whole(0, min(1, len(x) - 1))
    depth = dice.whole(1, len(x) - batch)
    lead = [*x[:batch], *(dice.whole(1, 3) for _ in range(dice.whole(0, 2)))]
    columns = [dice.numbers.integers(-n, n + dice.chance(0.03), lead) for n in x[batch : batch + depth]]
    attributes = {"batch_dims": batch} if batch or dice.chance(0.3) else {}
    return Drawn(op, x, ["x", np.stack(columns, -1).astype(np.int64)], attributes, opset=opset)


@onnx("ScatterND")
def draw_scatter_nd(dice: Dice, op: str) -> Drawn:
    """Assignments to boxes of the first dimensions, and sometimes to other places."""
    x = dice.shape()
    starts = [dice.whole(0, n - 1) for n in x]
    box = [range(start, dice.whole(start, n - 1) + 1) for start, n in zip(starts, x, strict=True)]
    depth = dice.whole(1, len(x))
    index = np.stack(np.meshgrid(*box[:depth], indexing="ij"), -1).astype(np.int64)
    if dice.chance(0.1):
        index = index[::-1].copy()
    if dice.chance(0.2):
        index[..., 0] -= x[0]
    updates = [*index.shape[:-1], *x[depth:]]
    if updates == list(x):
        return Drawn(op, x, [dice.floats(*x), index, "x"], opset=dice.opset(11))
    return Drawn(op, x, ["x", index, dice.floats(*updates)], opset=dice.opset(11))


@onnx("Expand")
def draw_expand(dice: Dice, op: str) -> Drawn:
    x = tuple(dice.one([1, 1, 2, 3]) for _ in range(dice.whole(1, 4)))
    shape = [dice.one([1, n, n if n > 1 else 4]) for n in x]
    shape = dice.one([shape, [2, *shape], shape[dice.whole(0, len(x)) :]])
    if dice.chance(0.03) and shape:
        shape[-1] = 7
    return Drawn(op, x, ["x", np.array(shape, np.int64)], opset=dice.opset(8))


@onnx("Tile")
def draw_tile(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    repeats = [dice.one([1, 1, 2, 3]) for _ in range(len(x) + dice.chance(0.03))]
    return Drawn(op, x, ["x", np.array(repeats, np.int64)], opset=dice.opset())


@onnx("SpaceToDepth")
def draw_space_to_depth(dice: Dice, op: str) -> Drawn:
    block = dice.whole(1, 3)
    x = (dice.whole(1, 2), dice.whole(1, 4), block * dice.whole(1, 4), block * dice.whole(1, 4))
    return Drawn(op, x, ["x"], {"blocksize": block}, opset=dice.opset())


@onnx("GridSample")
def draw_grid_sample(dice: Dice, op: str) -> Drawn:
    x, opset = dice.image(), dice.opset(16)
    grid = dice.numbers.uniform(-1.4, 1.4, (x[0], *dice.pair(1, 6), 2)).astype(np.float32)
    linear, cubic = ("linear", "cubic") if opset >= 20 else ("bilinear", "bicubic")
    attributes: dict[str, Any] = {"mode": dice.one([linear, linear, "nearest", cubic])}
    if dice.chance(0.6):
        attributes["padding_mode"] = dice.one(["zeros", "border", "reflection"])
    if dice.chance(0.6):
        attributes["align_corners"] = dice.whole(0, 1)
    return Drawn(op, x, ["x", grid], attributes, opset=opset)
